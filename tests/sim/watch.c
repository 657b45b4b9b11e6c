#include "tests/sim/watch.h"

#include "cold/journal.h"
#include "hot/strategy/exec/ladder.h"
#include "hot/strategy/state.h"
#include "tests/sim/cover.h"
#include "tests/sim/life.h"
#include "tests/sim/point.h"
#include "tests/sim/truth.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* What is asked, and where:
 *
 *   no id is used twice, in this life or another                         every order said
 *   an order never counts more than the venue executed                   every record about it
 *   an order that ended counts all that the venue executed               every record about it
 *   its price and size do not go back to what older news said            every record about it
 *   every state keeps its promises, sums are sums                        often
 *   what may still be bought or sold stays within max_inventory          every step
 *   the ladder moves when its deadline has passed                        every CLOCK
 *   nothing is naked for long while nothing hinders a hedge              every CLOCK
 *   hedges never exceed what they answer (EVENT_CONSERVATION)            every event
 *   nothing of ours rests at the venue long after a halt                 once a second
 *   the ledger balances and its parts sum to the change of equity        once a second
 *   what was written to a disk that is well is synced (disk.c)           every write, end of a life
 *   what reached the venue stands in the journal; replayed, it says the same   end of a life
 *   after a clean end nothing rests, position and cash are the venue's   end of a life
 *   in the last end nothing is owed and the trade is hedged              end of the episode
 */

#define CHECK_EVERY     64 /* steps between looks at everything */
#define NAKED_SLACK_NS  (10 * NS_PER_S)
#define LATE_PAYMENT_NS (100 * INT64_C(1000000000))
#define HALT_SLACK_NS   (30 * NS_PER_S)
#define FORCED_NS       (120 * NS_PER_S)
#define DELTA_SLACK     1e-5
enum { IDS_SIZE = 1 << 18 };

struct watched_order {
    uint64_t id;
    uint32_t life;
    uint16_t instrument;
    bool journaled;  /* seen in the journal of its life */
    int64_t told_ns; /* the newest news of its price and size, by the venue's clock */
};

static struct {
    uint64_t seed, hash;
    struct watch_counts counts;
    uint64_t excused_ns;
    uint32_t life;
    uint32_t id_count;
    struct watched_order *order; /* IDS_SIZE places, open addressing */
    uint64_t halted_ns;          /* since when; 0 not */
    uint64_t second_ns;
    uint64_t forced_ns;     /* when the venue last closed a position of ours by itself */
    int64_t most_inventory; /* what was held when quoting began, if it was more than the bound */
    bool cash_told;
    bool trade_forced; /* the venue closed positions: what is carried then is a person's to decide */
    bool hedge_due;
    /* For each purse: payments before this one were in the ledger when it last agreed with the venue, what
     * was deposited by then, and what was told since. */
    size_t paid_from[PURSES_MAX];
    int64_t deposited_e8[PURSES_MAX], outside_e8[PURSES_MAX], told_differs_e8[PURSES_MAX];
    bool opened[PURSES_MAX]; /* in this life's books, by the venue's word or by those of the life before */
    int64_t position_differs[INSTRUMENT_MAX], held[INSTRUMENT_MAX]; /* for the log */
    int64_t accrued_e8[PURSES_MAX]; /* the most that had accrued when a life began */
} watch;

static enum watch_bend bend_now;

/* clang-format off */
const struct watch_bent watch_bents[BEND_COUNT] = {
    [BEND_NONE]         = { "nothing", "" },
    [BEND_ID]           = { "the ids of orders", "used twice" },
    [BEND_EXECUTED]     = { "what the venue executed", "the venue executed" },
    [BEND_ENDED]        = { "whether an order lives at the venue", "lives at the venue" },
    [BEND_SHORT]        = { "what an ended order counts", "is believed ended with" },
    [BEND_NEWS]         = { "the price an order had before it was told of", "by older news" },
    [BEND_INVENTORY]    = { "the position of the quoted leg", "quotes may take the position" },
    [BEND_DEADLINE]     = { "the time, for the ladder's deadlines", "the deadline of rung" },
    [BEND_NAKED]        = { "how long something was naked", "nothing in the way" },
    [BEND_CONSERVATION] = { "an event, into a breach of conservation", "hedges exceed" },
    [BEND_HALT]         = { "whether everything is halted", "after a halt" },
    [BEND_PARTS]        = { "a part of profit", "the parts of profit" },
    [BEND_REPLAY]       = { "what a replay says", "replay differs" },
    [BEND_JOURNAL]      = { "what stands in the journal", "is not in the journal" },
    [BEND_REST]         = { "what rests at the venue after an end in peace", "left in peace" },
    [BEND_STRATEGY]     = { "the strategy's position at the end", "the strategy holds" },
    [BEND_BOOKS]        = { "the ledger's position at the end", "the ledger holds" },
    [BEND_CASH]         = { "the ledger's cash at the end", "the ledger has" },
    [BEND_OWED]         = { "what the ledger waits for at the very end", "still waits for" },
    [BEND_HEDGED]       = { "what the trade carries at the end", "the trade carries" },
};
/* clang-format on */

void watch_bend(enum watch_bend bend)
{
    bend_now = bend;
}

static int64_t bent(enum watch_bend bend, int64_t by)
{
    return bend_now == bend ? by : 0;
}

bool __real_strategy_begin(struct strategy *strategy, const struct slot *record, struct outbox *outbox);
bool __wrap_strategy_begin(struct strategy *strategy, const struct slot *record, struct outbox *outbox);
void __real_strategy_finish(struct strategy *strategy, struct outbox *outbox);
void __wrap_strategy_finish(struct strategy *strategy, struct outbox *outbox);

void watch_violation(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("VIOLATION seed %llu at %.6f s: ", (unsigned long long)watch.seed, (double)time_now.now_ns / 1e9);
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
    fflush(stdout);
    _exit(1);
}

void watch_start(uint64_t seed)
{
    free(watch.order);
    memset(&watch, 0, sizeof watch);
    watch.order = calloc(IDS_SIZE, sizeof *watch.order);
    watch.seed = seed;
    watch.hash = 14695981039346656037ULL;
}

uint64_t watch_hash(void)
{
    return watch.hash;
}

const struct watch_counts *watch_counts(void)
{
    return &watch.counts;
}

void watch_cash_told(bool told)
{
    watch.cash_told = told;
}

void watch_excuse(uint64_t until_ns)
{
    watch.excused_ns = until_ns > watch.excused_ns ? until_ns : watch.excused_ns;
}

/* ------------------------------------------------------------------ the log and the hash */

static void hash_record(const struct slot *record)
{
    uint32_t count = record_head_of(record)->slot_count;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t word[SLOT_PAYLOAD_BYTES / 8];
        memcpy(word, record[i].payload, sizeof word);
        for (uint32_t k = 0; k < POISE_COUNT_OF(word); k++) {
            watch.hash = (watch.hash ^ word[k]) * 1099511628211ULL;
            watch.hash ^= watch.hash >> 29;
        }
    }
}

static void count_in(const struct slot *record)
{
    const struct record_head *head = record_head_of(record);
    const struct record_report *r = (const struct record_report *)(const void *)head;
    watch.counts.records++;
    switch (head->type) {
    case RECORD_CLOCK:
        watch.counts.clocks++;
        break;
    case RECORD_FILL:
        watch.counts.fills++;
        watch.counts.by_rest += (head->flags & RECORD_FLAG_REST) != 0;
        break;
    case RECORD_UNKNOWN:
        watch.counts.unknowns++;
        break;
    case RECORD_REJECT:
        watch.counts.rejects++;
        break;
    case RECORD_LOST:
        watch.counts.lost++;
        break;
    default:
        break;
    }
    if (head->type >= 16 && head->type <= RECORD_CANCEL_ACK && head->type != RECORD_BALANCE &&
        head->type != RECORD_POSITION && head->type != RECORD_GATEWAY_STATE) {
        world_say(
            "> %u order %llx qty %lld cum %lld price %lld status %u reason %u (%d) request %u flags %x %s",
            head->type, (unsigned long long)r->order, (long long)r->last_qty, (long long)r->cum_qty,
            (long long)r->price, r->status, r->reason, r->venue_code, r->request, r->flags,
            head->flags & RECORD_FLAG_REST ? "rest" : "");
    } else if (head->type == RECORD_GATEWAY_STATE || head->type == RECORD_FEED_STATE) {
        const struct record_state *state = (const struct record_state *)(const void *)head;
        world_say("> %s %u: %u -> %u %.24s", head->type == RECORD_FEED_STATE ? "feed of" : "gateway",
                  head->type == RECORD_FEED_STATE ? head->instrument : head->account, state->previous,
                  state->value, state->text);
        watch.counts.gaps += head->type == RECORD_FEED_STATE && state->value == FEED_GAP;
    } else if (head->type == RECORD_BALANCE) {
        const struct record_balance *b = (const struct record_balance *)(const void *)head;
        world_say("> balance account %u currency %u total %lld change %lld reason %u%s", head->account,
                  b->currency, (long long)b->total_e8, (long long)(b->change_e8), b->reason,
                  head->flags & RECORD_FLAG_REST ? " rest" : "");
    } else if (head->type == RECORD_COMMAND) {
        world_say("> command %u", ((const struct record_command *)(const void *)head)->command);
    }
}

static void count_out(const struct strategy *strategy, const struct slot *record)
{
    const struct record_head *head = record_head_of(record);
    const struct record_order *o = (const struct record_order *)(const void *)head;
    static const char *const verbs[] = { "new", "amend", "cancel", "query", "cancel all" };
    watch.counts.said++;
    if (head->type >= RECORD_ORDER_NEW && head->type <= RECORD_CANCEL_ALL) {
        world_say("< %s %llx account %u side %u qty %lld price %lld role %u",
                  verbs[head->type - RECORD_ORDER_NEW], (unsigned long long)o->order, head->account, o->side,
                  (long long)o->qty, (long long)o->price, o->role);
    }
    switch (head->type) {
    case RECORD_ORDER_NEW:
        watch.counts.orders++;
        watch.counts.hedges += o->role == ORDER_ROLE_HEDGE;
        break;
    case RECORD_ORDER_AMEND:
        watch.counts.amends++;
        break;
    case RECORD_ORDER_CANCEL:
        watch.counts.cancels++;
        break;
    case RECORD_ORDER_QUERY:
        watch.counts.queries++;
        break;
    case RECORD_EVENT: {
        const struct record_event *e = (const struct record_event *)(const void *)head;
        watch.counts.events++;
        watch.counts.duplicates += e->code == EVENT_DUPLICATE_FILL;
        watch.counts.halts += e->code == EVENT_HALT;
        watch.counts.rules += e->code == EVENT_RULES;
        watch.counts.rungs[7] += e->code == EVENT_CONSERVATION;
        if (e->code == EVENT_LADDER && e->value[0] >= 0 && e->value[0] < 7) {
            watch.counts.rungs[e->value[0]]++;
            cover_rung(strategy, e->instance, (uint32_t)e->value[0]);
        }
        world_say("< event %u severity %u: %lld %lld %lld %lld", e->code, e->severity, (long long)e->value[0],
                  (long long)e->value[1], (long long)e->value[2], (long long)e->value[3]);
        break;
    }
    default:
        break;
    }
}

/* ------------------------------------------------------------------ orders, and the venue's truth of them */

static struct watched_order *order_place(uint64_t id)
{
    uint32_t at = (uint32_t)((id * 0x9e3779b97f4a7c15ULL) >> 40) & (IDS_SIZE - 1);
    while (watch.order[at].id != 0 && watch.order[at].id != id) {
        at = (at + 1) & (IDS_SIZE - 1);
    }
    return &watch.order[at];
}

static void order_said(const struct record_order *said)
{
    struct watched_order *order = order_place(said->order & ~(uint64_t)bent(BEND_ID, 1));
    if (order->id != 0) {
        watch_violation("order id %llx is used twice, in lives %u and %u", (unsigned long long)said->order,
                        order->life, watch.life);
    }
    if (++watch.id_count > IDS_SIZE / 2) {
        watch_violation("more orders than the watch has room for");
    }
    *order = (struct watched_order){ .id = said->order & ~(uint64_t)bent(BEND_ID, 1),
                                     .life = watch.life,
                                     .instrument = said->head.instrument };
}

static void check_order(struct strategy *s, uint64_t id)
{
    const struct order *row = id != 0 ? order_find_const(&s->orders, id) : NULL;
    if (row == NULL) {
        return;
    }
    order_check(&s->orders, row);
    const struct instrument *instrument = &s->instrument[row->instrument];
    const struct sim_order *truth = truth_order(instrument, id);
    int64_t executed = (truth != NULL ? truth_executed(instrument, truth) : 0) - bent(BEND_EXECUTED, 1);
    bool lives = truth != NULL && (sim_venue_live(truth) || bent(BEND_ENDED, 1) != 0);
    if (row->filled > executed) {
        watch_violation("order %llx counts %lld executed, the venue executed %lld", (unsigned long long)id,
                        (long long)row->filled, (long long)executed);
    }
    if (row->state == ORDER_DONE && lives) {
        watch_violation("order %llx is believed ended and lives at the venue", (unsigned long long)id);
    }
    if (row->state == ORDER_DONE && !row->stranger && row->filled - bent(BEND_SHORT, 1) < executed) {
        watch_violation("order %llx is believed ended with %lld executed, the venue executed %lld",
                        (unsigned long long)id, (long long)row->filled, (long long)executed);
    }
}

/* What quotes may still execute keeps the position within its bound, or no further out than it was found. */
static void check_inventory(struct strategy *s)
{
    for (uint32_t i = 0; i < s->instance_count; i++) {
        struct instance *instance = &s->instance[i];
        int64_t position = s->exposure.instance[instance->slot].leg[LEG_QUOTE].position.qty;
        int64_t most[2] = { position, -position };
        position -= bent(BEND_INVENTORY, instance->params.max_inventory);
        most[0] += bent(BEND_INVENTORY, instance->params.max_inventory);
        for (struct order *order = order_first(&s->orders, 0, instance->slot); order != NULL;
             order = order_after(&s->orders, 0, order)) {
            if (order->role == ORDER_ROLE_QUOTE && !order->stranger) { /* a lie about the past may name any */
                most[order->side == SIDE_BUY ? 0 : 1] += order_left(order);
            }
        }
        for (int side = 0; side < 2; side++) {
            int64_t bound = instance->params.max_inventory;
            int64_t held = side == 0 ? position : -position;
            if (most[side] > bound && most[side] > held) {
                watch_violation("quotes may take the position from %lld to %lld %s, the bound is %lld",
                                (long long)position, (long long)most[side], side == 0 ? "long" : "short",
                                (long long)bound);
            }
        }
    }
}

static void check_ladder(struct strategy *s)
{
    for (uint32_t i = 0; i < s->instance_count; i++) {
        const struct instance *instance = &s->instance[i];
        const struct hedge_state *hedge = &instance->hedge;
        if (hedge->naked_since_ns == 0 || !instance_hedges(instance)) {
            continue;
        }
        uint64_t now_ns = s->now_ns + (uint64_t)bent(BEND_DEADLINE, NS_PER_S * 60);
        uint64_t naked_ns = s->now_ns - hedge->naked_since_ns + (uint64_t)bent(BEND_NAKED, NS_PER_S * 60);
        watch.counts.max_naked_ns =
            naked_ns > watch.counts.max_naked_ns ? naked_ns : watch.counts.max_naked_ns;
        if (hedge->rung != RUNG_HALT && now_ns >= hedge->rung_deadline_ns && hedge->rung_deadline_ns != 0) {
            watch_violation("the deadline of rung %u passed %.3f s ago and nothing happened", hedge->rung,
                            (double)(now_ns - hedge->rung_deadline_ns) / 1e9);
        }
        if (naked_ns > (uint64_t)instance->params.max_naked_ns + NAKED_SLACK_NS &&
            time_now.now_ns > watch.excused_ns) {
            watch_violation("naked for %.3f s with delta %lld e-8 and nothing in the way",
                            (double)naked_ns / 1e9,
                            (long long)(s->exposure.instance[instance->slot].delta_e12 / 10000));
        }
    }
}

static void check_all(struct strategy *s)
{
    watch.counts.checks++;
    exposure_check(&s->exposure);
    for (uint32_t i = 0; i < s->instance_count; i++) {
        for (struct order *order = order_first(&s->orders, 0, s->instance[i].slot); order != NULL;
             order = order_after(&s->orders, 0, order)) {
            check_order(s, order->id);
        }
    }
}

/* ------------------------------------------------------------------ money that moved outside trading */

static void begin_money(uint32_t purse)
{
    watch.paid_from[purse] = sim_venue_payment_count(world_venue(purses[purse].place));
    watch.deposited_e8[purse] = truth_cash(purse)->deposited_e8;
    watch.outside_e8[purse] = 0;
}

/* Where funding accrues all the time the venue counts it in what it says of the balance, and the model as
 * cash at the settlement only: our books begin a life with either. */
static int64_t money_slack_e8(uint32_t purse)
{
    int64_t now = truth_accrued_e8(purse);
    return purses[purse].place != WORLD_DERIBIT ? 0 : (now < 0 ? -now : now) + watch.accrued_e8[purse] + 1;
}

/* What the venue paid and took outside trading since the ledger last agreed, and nobody has told: its news
 * was lost, or is on its way.  The engine shows such a difference; it cannot know its cause. */
static int64_t money_untold_e8(uint32_t purse)
{
    return truth_cash(purse)->deposited_e8 - watch.deposited_e8[purse] - watch.outside_e8[purse] +
           truth_paid_e8(purse, watch.paid_from[purse]);
}

/* Books that begin with what the venue tells agree with it then, however soon the process dies. */
static void note_opening(const struct slot *record)
{
    const struct record_head *head = record_head_of(record);
    const struct engine *engine = &life_now()->engine;
    const struct record_balance *balance = (const struct record_balance *)(const void *)head;
    struct restore_ledger row = { .currency = balance->currency };
    bool total = head->type == RECORD_BALANCE && head->instrument == NO_INSTRUMENT &&
                 balance->total_e8 != INT64_MIN && balance->change_e8 == 0;
    if (head->type == RECORD_RESTORE_LEDGER) {
        record_blob_read(record, &row, sizeof row);
    }
    if (head->account >= engine->accounts.count || (!total && row.what != RESTORE_LEDGER_BALANCE)) {
        return;
    }
    uint32_t purse =
        truth_purse(&engine->accounts.row[head->account], currency_code(&engine->instruments, row.currency));
    if (purse == PURSES_MAX || watch.opened[purse]) {
        return;
    }
    watch.opened[purse] = true;
    const struct sim_cash *cash = truth_cash(purse);
    if (total && balance->total_e8 == cash->free_e8 + cash->locked_e8) {
        begin_money(purse);
    }
}

static void note_money(const struct slot *record)
{
    const struct record_head *head = record_head_of(record);
    const struct record_balance *balance = (const struct record_balance *)(const void *)head;
    const struct engine *engine = &life_now()->engine;
    if (head->type == RECORD_BALANCE && head->account < engine->accounts.count &&
        balance->told == CASH_TOLD_ROW &&
        (balance->reason == CASH_FUNDING || balance->reason == CASH_TRANSFER)) {
        uint32_t purse = truth_purse(&engine->accounts.row[head->account],
                                     currency_code(&engine->instruments, balance->currency));
        if (purse < PURSES_MAX) {
            watch.outside_e8[purse] += balance->change_e8;
        }
    }
}

/* ------------------------------------------------------------------ around every step */

static uint64_t order_of(const struct slot *record)
{
    const struct record_head *head = record_head_of(record);
    bool report = head->type >= RECORD_ACK && head->type <= RECORD_CANCEL_ACK &&
                  head->type != RECORD_BALANCE && head->type != RECORD_POSITION &&
                  head->type != RECORD_GATEWAY_STATE;
    return report ? ((const struct record_report *)(const void *)head)->order : 0;
}

static void check_said(const struct slot *record)
{
    const struct record_head *head = record_head_of(record);
    if (head->type == RECORD_ORDER_NEW) {
        order_said((const struct record_order *)(const void *)head);
    } else if (head->type == RECORD_EVENT) {
        const struct record_event *event = (const struct record_event *)(const void *)head;
        uint32_t code = bend_now == BEND_CONSERVATION ? EVENT_CONSERVATION : event->code;
        if (code == EVENT_CONSERVATION) {
            watch_violation("hedges exceed what they answer");
        }
    }
}

static int64_t strategy_holds(const struct strategy *s, uint16_t instrument)
{
    int64_t qty = 0;
    for (uint32_t i = 0; i < s->exposure.holding_count; i++) {
        qty += s->exposure.holding[i].instrument == instrument ? s->exposure.holding[i].total_qty : 0;
    }
    return qty;
}

/* For the log: what is held, each time it changes. */
static void tell_holdings(const struct strategy *s, const struct slot *record)
{
    for (uint16_t i = 0; i < INSTRUMENT_MAX && world_logs(); i++) {
        int64_t holds = strategy_holds(s, i);
        if (holds != watch.held[i]) {
            world_say("= the strategy holds %lld of instrument %u, %+lld, by a record of type %u",
                      (long long)holds, i, (long long)(holds - watch.held[i]), record_head_of(record)->type);
            watch.held[i] = holds;
        }
    }
}

/* The record whose step is under way. */
static struct {
    uint64_t order;
    uint8_t type;
    int64_t news_ns; /* of an order that is in the table: the venue's time of its price and size; 0 none */
    bool rested;
    int64_t price, qty; /* as believed before it */
} step;

static void note_news(const struct strategy *s, const struct slot *record)
{
    const struct record_report *r = (const struct record_report *)(const void *)record_head_of(record);
    const struct order *row = step.order != 0 ? order_find_const(&s->orders, step.order) : NULL;
    bool open = step.type == RECORD_ORDER_STATE &&
                (r->status == ORDER_STATUS_OPEN || r->status == ORDER_STATUS_PARTIAL);
    step.news_ns = row != NULL && (open || step.type == RECORD_AMENDED) ? r->venue_time_ns : 0;
    step.rested = row != NULL && row->state == ORDER_OPEN;
    step.price = row != NULL ? row->price : 0;
    step.qty = row != NULL ? row->qty : 0;
}

static void check_news(const struct strategy *s)
{
    const struct order *row = step.news_ns > 0 ? order_find_const(&s->orders, step.order) : NULL;
    struct watched_order *watched = row != NULL ? order_place(step.order) : NULL;
    if (watched == NULL || watched->id == 0 || (row->state != ORDER_OPEN && row->state != ORDER_AMENDING)) {
        return;
    }
    if (step.rested && step.news_ns < watched->told_ns + bent(BEND_NEWS, 1) &&
        (row->price != step.price + bent(BEND_NEWS, 1) || row->qty != step.qty)) {
        watch_violation("order %llx goes from %lld at %lld to %lld at %lld by older news",
                        (unsigned long long)step.order, (long long)step.qty, (long long)step.price,
                        (long long)row->qty, (long long)row->price);
    }
    if ((step.rested || row->state == ORDER_OPEN) && step.news_ns > watched->told_ns) {
        watched->told_ns = step.news_ns;
    }
}

static void look_at_said(const struct strategy *strategy, const struct outbox *outbox, uint32_t at)
{
    while (at < outbox->used) {
        hash_record(&outbox->slots[at]);
        count_out(strategy, &outbox->slots[at]);
        check_said(&outbox->slots[at]);
        at += record_head_of(&outbox->slots[at])->slot_count;
    }
}

static void look_behind(struct strategy *strategy)
{
    check_order(strategy, step.order);
    check_news(strategy);
    if (strategy->restored) {
        check_inventory(strategy);
        if (step.type == RECORD_CLOCK) {
            check_ladder(strategy);
        }
        if (watch.counts.records % CHECK_EVERY == 0) {
            check_all(strategy);
        }
    }
    point_pass(POINT_STEPPED);
}

bool __wrap_strategy_begin(struct strategy *strategy, const struct slot *record, struct outbox *outbox)
{
    uint32_t at = outbox->used;
    step.order = order_of(record);
    step.type = record_head_of(record)->type;
    hash_record(record);
    count_in(record);
    note_money(record);
    note_opening(record);
    note_news(strategy, record);
    point_pass(POINT_STEP);
    bool rest = __real_strategy_begin(strategy, record, outbox);
    look_at_said(strategy, outbox, at);
    tell_holdings(strategy, record);
    if (!rest) {
        look_behind(strategy);
    }
    return rest;
}

void __wrap_strategy_finish(struct strategy *strategy, struct outbox *outbox)
{
    uint32_t at = outbox->used;
    __real_strategy_finish(strategy, outbox);
    look_at_said(strategy, outbox, at);
    look_behind(strategy);
}

/* ------------------------------------------------------------------ the cold side, once a second */

static uint32_t resting_at(struct sim_venue *venue)
{
    struct sim_order *order[256];
    uint32_t count = 0;
    for (int i = 0; i < sim_venue_instrument_count(venue); i++) {
        size_t open = sim_venue_open(venue, 0, i, order, POISE_COUNT_OF(order));
        for (size_t k = 0; k < open; k++) {
            count += !order[k]->reduce_only && order[k]->tif == SIM_GTC;
        }
    }
    return count;
}

static uint32_t resting_quotes(void)
{
    uint32_t count = 0;
    for (enum world_place at = WORLD_BINANCE; at < WORLD_PLACES; at++) {
        count += world_venue(at) != NULL ? resting_at(world_venue(at)) : 0;
    }
    return count + (uint32_t)bent(BEND_REST, 1);
}

static void check_halt(const struct strategy *s)
{
    bool halted = s->restored && s->instance_count > 0;
    for (uint32_t i = 0; i < s->instance_count; i++) {
        halted = halted && (s->halted || s->instance[i].state == INSTANCE_HALTED);
    }
    halted = halted || (bent(BEND_HALT, 1) != 0 && s->restored);
    if (!halted) {
        watch.halted_ns = 0;
        return;
    }
    watch.halted_ns = watch.halted_ns == 0 ? time_now.now_ns : watch.halted_ns;
    uint64_t since_ns = watch.halted_ns > watch.excused_ns ? watch.halted_ns : watch.excused_ns;
    if (time_now.now_ns > since_ns + HALT_SLACK_NS && resting_quotes() != 0) {
        watch_violation("%u orders rest %.1f s after a halt", resting_quotes(),
                        (double)(time_now.now_ns - watch.halted_ns) / 1e9);
    }
}

static int64_t cash_in_books(struct run *run, uint16_t account, const char *code)
{
    uint16_t currency = currency_find(&run->engine.instruments, code, strlen(code), false);
    int64_t ours = ledger_cash_e8(run->books.ledger, NO_INSTANCE, account, currency);
    for (uint32_t i = 0; i < run->engine.config.quote_count; i++) {
        ours +=
            ledger_cash_e8(run->books.ledger, run->engine.config.quote[i].params.instance, account, currency);
    }
    return ours;
}

/* For the log: when the ledger's cash began to differ from the venue's, and by how much. */
static void tell_cash(struct run *run)
{
    for (uint16_t a = 0; a < run->engine.accounts.count; a++) {
        for (uint32_t purse = 0; purse < PURSES_MAX; purse++) {
            const char *code = purses[purse].code;
            if (truth_purse(&run->engine.accounts.row[a], code) != purse ||
                currency_find(&run->engine.instruments, code, strlen(code), false) == CURRENCY_NONE) {
                continue;
            }
            const struct sim_cash *cash = truth_cash(purse);
            int64_t differs = cash->free_e8 + cash->locked_e8 - cash_in_books(run, a, code);
            if (differs == 0) {
                begin_money(purse);
            }
            if (differs != watch.told_differs_e8[purse]) {
                watch.told_differs_e8[purse] = differs;
                world_say("%s has %lld e-8 %s more than the ledger", run->engine.accounts.row[a].name,
                          (long long)differs, code);
            }
        }
    }
}

/* For the log: when the strategy's position began to differ from the venue's, and by how much. */
static void tell_positions(struct run *run)
{
    const struct strategy *s = run->engine.strategy.strategy;
    for (uint16_t i = 0; i < run->engine.instruments.count && run->hot && s->restored; i++) {
        const struct instrument *row = &run->engine.instruments.row[i];
        int64_t differs = truth_position(row) - strategy_holds(s, i);
        if (differs != watch.position_differs[i]) {
            watch.position_differs[i] = differs;
            world_say("the venue holds %lld more of %s than the strategy", (long long)differs, row->name);
        }
    }
}

static void check_ledger(struct run *run)
{
    watch.counts.books_checks++;
    tell_cash(run);
    tell_positions(run);
    if (!ledger_check(run->books.ledger)) {
        watch_violation("the ledger does not balance");
    }
    for (uint32_t i = 0; i < run->engine.config.quote_count; i++) {
        struct ledger_value value;
        ledger_value(run->books.ledger, run->engine.config.quote[i].params.instance, &value);
        int64_t sum = bent(BEND_PARTS, 1);
        for (uint32_t k = 0; k < PNL_PART_COUNT; k++) {
            sum += value.part_e8[k];
        }
        if (value.known && sum != value.equity_e8 - value.start_e8 - value.transfer_e8) {
            watch_violation("the parts of profit sum to %lld, equity moved by %lld", (long long)sum,
                            (long long)(value.equity_e8 - value.start_e8 - value.transfer_e8));
        }
    }
}

void watch_cold(struct run *run)
{
    if (time_now.now_ns - watch.second_ns < NS_PER_S || run->books.ledger == NULL) {
        return;
    }
    watch.second_ns = time_now.now_ns;
    check_ledger(run);
    if (run->hot) {
        check_halt(run->engine.strategy.strategy);
    }
}

/* ------------------------------------------------------------------ the journal of a life that is over */

/* A strategy fed with what the journal says was consumed must say what the journal says was said. */
struct replayed {
    struct strategy *strategy;
    struct outbox *outbox;
    uint32_t at;
    bool inexact;
};

static void replay_in(struct replayed *replayed, const struct slot *record, uint64_t number)
{
    if (replayed->at < replayed->outbox->used && !replayed->inexact) {
        watch_violation("replay says more than the journal before record %llu", (unsigned long long)number);
    }
    replayed->outbox->used = replayed->outbox->records = replayed->at = 0;
    strategy_step(replayed->strategy, record, replayed->outbox);
}

static void replay_out(struct replayed *replayed, const struct slot *record, uint64_t number)
{
    if (replayed->inexact) {
        return;
    }
    struct slot *said = replayed->at < replayed->outbox->used ? &replayed->outbox->slots[replayed->at] : NULL;
    if (said != NULL) {
        record_head_of(said)->flags |= RECORD_FLAG_OUT;
        record_head_of(said)->account ^= (uint16_t)bent(BEND_REPLAY, 1);
    }
    if (said == NULL || !record_same(said, record)) {
        watch_violation("replay differs from the journal at record %llu (type %u)",
                        (unsigned long long)number, record_head_of(record)->type);
    }
    replayed->at += record_head_of(said)->slot_count;
}

static void read_journal(uint64_t run)
{
    struct journal_reader_options options = { .directory = "state/journal",
                                              .shared_directory = "shared",
                                              .run = run };
    char error[256];
    struct journal_reader *reader = journal_reader_open(&options, error, sizeof error);
    if (reader == NULL) {
        return; /* it died before its first record */
    }
    static void *memory;
    static struct outbox outbox;
    memory = memory != NULL ? memory : aligned_alloc(128, (strategy_bytes() + 127) & ~(size_t)127);
    struct replayed replayed = { .strategy = strategy_init(memory), .outbox = &outbox };
    outbox.used = outbox.records = 0;
    struct journal_item item;
    enum journal_result result;
    watch.counts.journals++;
    cover_pause(true);
    while ((result = journal_next(reader, &item)) != JOURNAL_END) {
        replayed.inexact = replayed.inexact || result != JOURNAL_RECORD;
        if (result != JOURNAL_RECORD) {
            continue;
        }
        const struct record_head *head = record_head_of(item.item.record);
        if ((head->flags & RECORD_FLAG_OUT) == 0) {
            replay_in(&replayed, item.item.record, item.item.number);
        } else {
            replay_out(&replayed, item.item.record, item.item.number);
            if (head->type == RECORD_ORDER_NEW) {
                order_place(((const struct record_order *)(const void *)head)->order)->journaled =
                    bend_now != BEND_JOURNAL;
            }
        }
        watch.counts.replayed++;
    }
    cover_pause(false);
    journal_reader_close(reader);
}

/* Whatever reached a venue in this life stands in its journal. */
static void check_journaled_at(struct sim_venue *venue)
{
    for (size_t i = sim_venue_order_count(venue); i > 0; i--) {
        const struct sim_order *truth = sim_venue_order(venue, i - 1);
        uint64_t id = order_id_parse(truth->client_id, strlen(truth->client_id));
        if (id == 0) {
            continue;
        }
        const struct watched_order *order = order_place(id);
        if (order->id == 0) {
            watch_violation("order %s is at the venue and was never said", truth->client_id);
        }
        if (order->life != watch.life) {
            break;
        }
        if (!order->journaled) {
            watch_violation("order %llx reached the venue and is not in the journal", (unsigned long long)id);
        }
    }
}

static void check_journaled(void)
{
    for (enum world_place at = WORLD_BINANCE; at < WORLD_PLACES; at++) {
        if (world_venue(at) != NULL) {
            check_journaled_at(world_venue(at));
        }
    }
}

/* ------------------------------------------------------------------ what happens to a process */

void watch_born(struct run *run)
{
    (void)run;
    watch.life++;
    watch.halted_ns = 0;
    memset(watch.opened, 0, sizeof watch.opened);
    for (uint32_t i = 0; i < PURSES_MAX; i++) {
        int64_t accrued = world_venue(purses[i].place) != NULL ? base_abs(truth_accrued_e8(i)) : 0;
        watch.accrued_e8[i] = accrued > watch.accrued_e8[i] ? accrued : watch.accrued_e8[i];
    }
    cover_born();
    world_say("a process begins");
}

void watch_died(struct run *run)
{
    world_say("the process dies at %s", point_names[point_of_death()]);
    if (run->journal != NULL) {
        read_journal(run->number);
        check_journaled();
    }
}

static int64_t amount_of(const json_t *row, const char *name, int decimals)
{
    const char *text = json_string_value(json_object_get(row, name));
    int64_t value = INT64_MIN;
    if (text == NULL || decimal_parse(text, strlen(text), decimals, &value) != DECIMAL_OK) {
        watch_violation("final.json has no %s", name);
    }
    return value;
}

/* What the trade carries of the coin's price, from the venues' own fills and by another way than the
 * engine's, and, with delta_basis = usd, the coin the instances own. */
static double carried(const struct run *run)
{
    double coin = truth_coin();
    for (uint32_t i = 0; i < run->engine.config.quote_count; i++) {
        const struct quote_params *params = &run->engine.config.quote[i].params;
        coin += params->delta_basis == DELTA_USD ? (double)params->allocation_e8 / 1e8 : 0;
    }
    return coin;
}

/* After all was calm for a minute and the engine left in peace, the trade carries less than the smallest
 * order. */
static void check_hedged(const struct run *run)
{
    if (watch.trade_forced) {
        return;
    }
    double coin = carried(run) + (double)bent(BEND_HEDGED, 1),
           smallest = 110 / ((double)world_market()->middle_e8 / 1e8) + 0.001;
    double most = smallest * run->engine.config.quote_count;
    watch.counts.truths++;
    if (coin > most || coin < -most) {
        watch_violation("in the end the trade carries %.6f of the coin, the smallest hedge is %.6f", coin,
                        most);
    }
}

/* Whether all that was ever executed is an instance's: nothing stands in the unassigned row. */
static bool all_assigned(const struct strategy *s)
{
    bool all = watch.forced_ns == 0;
    for (uint32_t i = 0; i < s->exposure.holding_count; i++) {
        all = all && s->exposure.holding[i].unassigned.qty == 0;
    }
    return all;
}

/* What the strategy believes to carry, when its positions and cash are the venue's: the same sum by another
 * way. */
static void check_delta(const struct run *run)
{
    const struct strategy *s = run->engine.strategy.strategy;
    double believed = 0, coin = carried(run), slack = DELTA_SLACK;
    for (uint32_t p = 0; p < PURSES_MAX;
         p++) { /* funding that fell due while nobody held anything is nobody's */
        bool coins = strcmp(purses[p].code, "BTC") == 0 && world_venue(purses[p].place) != NULL;
        slack += coins ? (double)base_abs(truth_paid_e8(p, 0)) / 1e8 : 0;
    }
    for (uint32_t i = 0; i < s->instance_count; i++) {
        believed += (double)s->exposure.instance[s->instance[i].slot].delta_e12 / 1e12;
    }
    watch.counts.deltas++;
    if (coin - believed > slack || believed - coin > slack) {
        watch_violation("the strategy believes to carry %.8f of the coin, the venue's executions make %.8f",
                        believed, coin);
    }
}

/* An account that the engine says it could not read at the end: its books are what was last heard.  The last
 * life of all must have read them. */
static bool is_unread(const json_t *final, const json_t *row)
{
    const char *account = json_string_value(json_object_get(row, "account"));
    json_t *name;
    size_t i;
    json_array_foreach(json_object_get(final, "accounts_unread"), i, name)
    {
        if (account != NULL && strcmp(json_string_value(name), account) == 0 && !watch.hedge_due) {
            return true;
        }
    }
    return false;
}

/* The engine's last word against the venue's books. */
static void check_final(struct run *run)
{
    json_error_t error;
    json_t *final = json_load_file("state/final.json", 0, &error), *row;
    size_t i;
    /* An engine that had to leave while the venue did not tell all: the next life must learn it; the last one
     * of all must know. */
    bool old_answers = !watch.hedge_due && !watch.cash_told && time_now.now_ns < watch.forced_ns + FORCED_NS;
    if (final == NULL) {
        watch_violation("final.json: %s", error.text);
    }
    bool owed = json_integer_value(json_object_get(final, "executions_owed")) + bent(BEND_OWED, 1) != 0;
    if (owed && watch.hedge_due) {
        watch_violation(
            "all was well for a minute, and the ledger still waits for the price or the fee of an execution");
    }
    bool whole = watch.hedge_due || !owed, same = true;
    watch.counts.owed += owed;
    json_array_foreach(json_object_get(final, "positions"), i, row)
    {
        bool may_be_untold = old_answers || is_unread(final, row);
        const char *name = json_string_value(json_object_get(row, "instrument"));
        const struct instrument *instrument = instrument_by_name(&run->engine.instruments, name);
        int64_t ours = amount_of(row, "qty", instrument->qty_decimals) + bent(BEND_BOOKS, 1);
        int64_t venue = truth_position(instrument);
        int64_t believed =
            strategy_holds(run->engine.strategy.strategy, instrument->index) + bent(BEND_STRATEGY, 1);
        if (believed != venue && !may_be_untold) {
            watch_violation("%s: the strategy holds %lld, the venue %lld", name, (long long)believed,
                            (long long)venue);
        }
        if (ours != venue && whole && !may_be_untold) {
            watch_violation("%s: the ledger holds %lld, the venue %lld", name, (long long)ours,
                            (long long)venue);
        }
    }
    json_array_foreach(json_object_get(final, "balances"), i, row)
    {
        bool may_be_untold = old_answers || is_unread(final, row);
        const char *currency = json_string_value(json_object_get(row, "currency"));
        const char *account = json_string_value(json_object_get(row, "account"));
        uint32_t purse = truth_purse(account_by_name(&run->engine.accounts, account), currency);
        int64_t ours = amount_of(row, "total", 8) + bent(BEND_CASH, DECIMAL_E8);
        if (purse == PURSES_MAX) {
            if (ours != 0) {
                watch_violation("%s on %s: the ledger has %lld e-8 of what is not held there", currency,
                                account, (long long)ours);
            }
            continue;
        }
        const struct sim_cash *cash = truth_cash(purse);
        int64_t venue = cash->free_e8 + cash->locked_e8;
        /* In the end, after all was well, every payment has been read from the venue's history, but for those
         * of the last moment. */
        bool last = watch.hedge_due;
        int64_t untold = last ? 0 : money_untold_e8(purse);
        int64_t slack = last ? truth_paid_lately_e8(purse, LATE_PAYMENT_NS) : money_slack_e8(purse);
        int64_t differs = venue - ours;
        watch.counts.untold += differs != 0;
        same = same && differs == 0;
        if (base_abs(differs) > slack && base_abs(differs - untold) > slack && watch.cash_told && whole &&
            !may_be_untold) {
            watch_violation("%s on %s: the ledger has %lld e-8, the venue %lld, untold %lld, slack %lld",
                            currency, account, (long long)ours, (long long)venue, (long long)untold,
                            (long long)slack);
        }
    }
    bool unread = json_array_size(json_object_get(final, "accounts_unread")) != 0;
    watch.counts.unread += unread;
    json_decref(final);
    if (same && whole && !old_answers && !unread && all_assigned(run->engine.strategy.strategy)) {
        check_delta(run);
    }
}

void watch_left(struct run *run, int code)
{
    world_say("the process leaves with %d", code);
    if (run->number != 0 && run->engine.counters != NULL) {
        read_journal(run->number);
        check_journaled();
    }
    if (code == 0) {
        if (resting_quotes() != 0) {
            watch_violation("the engine left in peace and %u orders rest", resting_quotes());
        }
        check_final(run);
        if (watch.hedge_due) {
            check_hedged(run);
        }
    }
}

void watch_forced(void)
{
    watch.forced_ns = time_now.now_ns;
}

void watch_ends_hedged(bool forced)
{
    watch.hedge_due = true;
    watch.trade_forced = forced;
}
