#include "cold/reconcile.h"
#include "cold/ledger.h"
#include "cold/metadata.h"
#include "cold/payments.h"
#include "ring/clock.h"
#include "ring/order_id.h"

#include <stdio.h>
#include <stdlib.h>

#define SETTLE_NS           (2 * NS_PER_S)
#define FILLS_BACK_NS       60000000000LL
#define PENDING_GIVEN_UP_NS (600 * NS_PER_S)

#define PAYMENTS_NS        (60 * NS_PER_S)
#define PAYMENTS_WANTED_NS (2 * NS_PER_S) /* between two looks while something waits .. */
#define PAYMENTS_LATE_NS   (5 * NS_PER_S) /* .. and does not come */

/* Metadata: a page of some megabytes at Binance, so rarely, and soon where somebody waits for it. */
#define RULES_NS       (60 * NS_PER_S)
#define RULES_SOON_NS  (10 * NS_PER_S) /* an instrument is not traded, or the last look failed */
#define RULES_FIRST_NS NS_PER_S        /* an order was refused for its rules; doubles to RULES_SOON_NS .. */
#define RULES_STALE_NS (10 * NS_PER_S) /* so much younger than a stream's word is an answer that lifts it */

enum { OPEN_MAX = 8192, DOUBTS_MAX = 32, PENDING_MAX = 1024, STRANGERS_MAX = 32 };

enum step {
    STEP_OPEN_ORDERS = 0,
    STEP_FILLS,
    STEP_ORDERS,
    STEP_PAYMENTS,
    STEP_POSITIONS,
    STEP_BALANCES,
    STEP_COUNT
};

/* An execution that the strategy has not told yet. */
struct pending {
    uint16_t account, instrument;
    uint8_t side;
    uint64_t exec_id;
    uint64_t found_ns; /* 0 free */
};

/* What metadata are asked for: all of a product, or one instrument where all of them are too many. */
struct rules_question {
    uint8_t venue, product;
    uint16_t instrument; /* NO_INSTRUMENT: all */
};

/* An order to be asked for by its id, as it was when it was chosen. */
struct doubt {
    uint64_t order;
    uint8_t state, status;
};

/* An order that is none of ours and was executed on our account: a person's, or the venue's own, with which
 * it closed a position of ours.  An execution read by REST does not say which. */
struct stranger {
    uint16_t account, instrument;
    char venue_order_id[VENUE_ORDER_ID_BYTES];
    bool known;     /* asked and answered */
    uint8_t reason; /* of the venue's own: why (reason_closes_us); REASON_NONE */
};

struct reconcile {
    struct reconcile_options options;
    struct reconcile_pair pair[RECONCILE_PAIRS_MAX];
    enum step step;
    uint32_t at; /* which pair, order or account of the step */
    bool asking, in_round, hurry, round_failed;
    uint64_t now_ns;
    int64_t wall_ns;
    uint64_t next_ns; /* of the next round */
    uint64_t *open;   /* orders the venue told rest, this round */
    uint32_t open_count;
    bool open_known[RECONCILE_PAIRS_MAX]; /* this round's answer for the pair is there */
    struct doubt doubt[DOUBTS_MAX];
    uint32_t doubt_count;
    struct pending pending[PENDING_MAX];
    uint64_t begun_ns;        /* this round */
    bool partly[ACCOUNT_MAX]; /* something of the account was not answered in it, or is not settled yet */
    uint64_t read_ns[ACCOUNT_MAX];
    struct stranger stranger[STRANGERS_MAX];
    uint32_t stranger_count;   /* ever; the oldest place is taken again */
    struct payments_plan plan; /* this round's questions */
    struct payments_due {
        uint64_t asked_ns, pause_ns; /* when last, and how long to wait before the next look */
        int64_t asked_wall_ns;
        bool failed;
    } due[ACCOUNT_MAX];
    struct {
        struct rules_question question[INSTRUMENT_MAX];
        uint32_t count, at;          /* at == count: none is asked now */
        uint64_t began_ns, pause_ns; /* of the last look, and how long the next one waits that is wanted */
        uint64_t asked_ns;
        bool wanted, failed, news;
        bool found[INSTRUMENT_MAX]; /* this answer's */
        struct instrument row[INSTRUMENT_MAX];
    } rules;
    struct reconcile_counts counts;
};

static void list_rules(struct reconcile *reconcile)
{
    const struct instrument_table *table = reconcile->options.instruments;
    for (uint16_t i = 0; i < table->count; i++) {
        const struct instrument *row = &table->row[i];
        struct rules_question question = { row->venue, row->product,
                                           row->product == PRODUCT_SPOT ? i : NO_INSTRUMENT };
        bool known = false;
        for (uint32_t k = 0; k < reconcile->rules.count; k++) {
            known = known || memcmp(&reconcile->rules.question[k], &question, sizeof question) == 0;
        }
        if (!known) {
            reconcile->rules.question[reconcile->rules.count++] = question;
        }
    }
    reconcile->rules.at = reconcile->rules.count;
    reconcile->rules.pause_ns = RULES_FIRST_NS;
}

struct reconcile *reconcile_create(const struct reconcile_options *options)
{
    struct reconcile *reconcile = calloc(1, sizeof *reconcile);
    POISE_ASSERT(reconcile != NULL && options->pair_count <= RECONCILE_PAIRS_MAX);
    reconcile->options = *options;
    reconcile->options.settle_ns = options->settle_ns != 0 ? options->settle_ns : SETTLE_NS;
    memcpy(reconcile->pair, options->pairs, options->pair_count * sizeof *options->pairs);
    reconcile->options.pairs = reconcile->pair;
    reconcile->open = calloc(OPEN_MAX, sizeof *reconcile->open);
    POISE_ASSERT(reconcile->open != NULL);
    list_rules(reconcile);
    return reconcile;
}

void reconcile_destroy(struct reconcile *reconcile)
{
    if (reconcile != NULL) {
        free(reconcile->open);
        free(reconcile);
    }
}

void reconcile_hurry(struct reconcile *reconcile)
{
    reconcile->hurry = true;
}

void reconcile_rules(struct reconcile *reconcile)
{
    reconcile->rules.wanted = true;
}

void reconcile_counts(const struct reconcile *reconcile, struct reconcile_counts *counts)
{
    *counts = reconcile->counts;
}

uint64_t reconcile_read_ns(const struct reconcile *reconcile, uint16_t account)
{
    for (uint32_t i = 0; i < reconcile->options.pair_count; i++) {
        if (reconcile->pair[i].account == account) {
            return reconcile->read_ns[account];
        }
    }
    return UINT64_MAX;
}

/* ------------------------------------------------------------------ telling */

static void tell(struct reconcile *reconcile, const struct slot *record, uint8_t flags)
{
    struct slot copy[3];
    memset(copy, 0, sizeof copy);
    if (record_head_of(record)->slot_count > POISE_COUNT_OF(copy)) {
        return;
    }
    record_copy(copy, record);
    record_head_of(copy)->flags |= flags;
    record_head_of(copy)->stamp_ns = reconcile->now_ns;
    reconcile->options.emit(reconcile->options.context, copy);
}

static bool is_ours(const struct reconcile *reconcile, uint64_t order)
{
    const struct record_begin_run *begin = reduce_begin(reconcile->options.reduce);
    return order != 0 && begin != NULL && order_id_engine(order) == begin->engine;
}

static void take_open_order(struct reconcile *reconcile, const struct slot *record)
{
    const struct record_report *report = (const struct record_report *)record_head_of(record);
    if (report->head.type != RECORD_ORDER_STATE || report->head.slot_count < 3 ||
        !is_ours(reconcile, report->order)) {
        return;
    }
    if (reconcile->open_count < OPEN_MAX) {
        reconcile->open[reconcile->open_count++] = report->order;
    }
    /* An order that is where we believe it to be is no news; the answer is a moment old already. */
    const struct reduce_order *order = reduce_order(reconcile->options.reduce, report->order);
    if (order == NULL || order->state == REDUCE_UNKNOWN) {
        reconcile->counts.orders++;
        tell(reconcile, record, RECORD_FLAG_REST);
    }
}

static void take_payment(struct reconcile *reconcile, const struct slot *record)
{
    if (payments_is_news(reconcile->options.reduce, record)) {
        reconcile->counts.payments++;
        tell(reconcile, record, RECORD_FLAG_REST);
    }
}

static struct pending *pending_of(struct reconcile *reconcile, const struct record_report *fill)
{
    for (uint32_t i = 0; i < PENDING_MAX; i++) {
        struct pending *pending = &reconcile->pending[i];
        if (pending->found_ns != 0 && pending->exec_id == fill->exec_id && pending->side == fill->side &&
            pending->account == fill->head.account && pending->instrument == fill->head.instrument) {
            return pending;
        }
    }
    return NULL;
}

/* True when the execution has been missing for long enough to be told. */
static bool has_settled(struct reconcile *reconcile, const struct record_report *fill)
{
    const struct pending *pending = pending_of(reconcile, fill);
    if (pending != NULL) {
        return reconcile->now_ns - pending->found_ns >= reconcile->options.settle_ns;
    }
    struct pending *place = NULL;
    for (uint32_t i = 0; i < PENDING_MAX && place == NULL; i++) {
        struct pending *row = &reconcile->pending[i];
        bool free_place = row->found_ns == 0 || reconcile->now_ns - row->found_ns > PENDING_GIVEN_UP_NS;
        place = free_place ? row : NULL;
    }
    if (place != NULL) {
        *place = (struct pending){ .account = fill->head.account,
                                   .instrument = fill->head.instrument,
                                   .side = fill->side,
                                   .exec_id = fill->exec_id,
                                   .found_ns = reconcile->now_ns != 0 ? reconcile->now_ns : 1 };
    }
    return false;
}

/* Whether an order of ours that the venue never named to us may be the one that was executed. */
struct maybe {
    const struct reconcile *reconcile;
    const struct record_report *fill;
    bool is;
};

static void look_for_nameless(void *context, const struct reduce_order *order)
{
    struct maybe *maybe = context;
    const struct record_report *fill = maybe->fill;
    maybe->is =
        maybe->is || (order->venue_order_id[0] == '\0' && order->account == fill->head.account &&
                      order->instrument == fill->head.instrument && order->side == fill->side &&
                      maybe->reconcile->now_ns - order->sent_ns >= maybe->reconcile->options.settle_ns);
}

static struct rest_question question_of(const struct reconcile *reconcile, uint16_t account,
                                        enum rest_what what, uint16_t instrument)
{
    const struct account *row = &reconcile->options.accounts->row[account];
    const struct instrument *of =
        instrument == NO_INSTRUMENT ? NULL : &reconcile->options.instruments->row[instrument];
    return (struct rest_question){ .venue = reconcile->options.venue(row->venue),
                                   .key = &reconcile->options.key[account],
                                   .account = account,
                                   .query = { .what = (uint8_t)what,
                                              .product = of != NULL ? of->product : row->product,
                                              .instrument = of } };
}

static struct rest_question question_of_stranger(const struct reconcile *reconcile,
                                                 const struct stranger *stranger)
{
    struct rest_question question =
        question_of(reconcile, stranger->account, REST_ORDER, stranger->instrument);
    memcpy(question.query.venue_order, stranger->venue_order_id, VENUE_ORDER_ID_BYTES);
    return question;
}

/* Says of an execution of nobody's order whether the venue made it; false: not yet, it is asked first. */
static bool know_stranger(struct reconcile *reconcile, struct record_report *fill)
{
    if (fill->order != 0 || reason_closes_us(fill->reason) || fill->venue_order_id[0] == 0) {
        return true;
    }
    struct stranger new = { .account = fill->head.account, .instrument = fill->head.instrument };
    memcpy(new.venue_order_id, fill->venue_order_id, VENUE_ORDER_ID_BYTES);
    for (uint32_t i = 0; (int64_t)i < base_min(reconcile->stranger_count, STRANGERS_MAX); i++) {
        const struct stranger *known = &reconcile->stranger[i];
        if (known->account == new.account &&
            known->instrument ==
                new.instrument &&memcmp(known->venue_order_id, new.venue_order_id, VENUE_ORDER_ID_BYTES) ==
                0) {
            fill->reason = known->reason;
            return known->known;
        }
    }
    struct rest_question question = question_of_stranger(reconcile, &new);
    if (question.venue == NULL || !rest_knows(reconcile->options.rest, &question)) {
        return true; /* executions tell it there */
    }
    reconcile->stranger[reconcile->stranger_count++ % STRANGERS_MAX] = new;
    return false;
}

/* The answer to whose order that was. */
static void take_stranger(struct stranger *stranger, const struct slot *record)
{
    const struct record_report *report = (const struct record_report *)record_head_of(record);
    if (report->head.slot_count >= 3 && report->status != ORDER_STATUS_NOT_FOUND &&
        memcmp(report->venue_order_id, stranger->venue_order_id, VENUE_ORDER_ID_BYTES) == 0 &&
        reason_closes_us(report->reason)) {
        stranger->reason = report->reason;
    }
}

/* Names the order of an execution; false: not yet, an order in doubt has to be named first. */
static bool name_order(const struct reconcile *reconcile, struct record_report *fill)
{
    const struct reduce *reduce = reconcile->options.reduce;
    if (!is_ours(reconcile, fill->order)) {
        const struct reduce_order *order =
            reduce_order_by_venue(reduce, fill->head.account, fill->head.instrument, fill->venue_order_id);
        fill->order = order != NULL ? order->order : 0;
    }
    struct maybe maybe = { .reconcile = reconcile, .fill = fill };
    if (fill->order == 0) {
        reduce_orders(reduce, look_for_nameless, &maybe);
    }
    return !maybe.is;
}

static void take_fill(struct reconcile *reconcile, const struct slot *record)
{
    const struct reduce *reduce = reconcile->options.reduce;
    const struct record_report *told = (const struct record_report *)record_head_of(record);
    if (told->head.type == RECORD_DELIVERY || told->head.type == RECORD_BALANCE) {
        take_payment(reconcile, record); /* an execution that was a contract's end, and what it cost */
        return;
    }
    if (told->head.type != RECORD_FILL || told->head.slot_count < 3 || told->exec_id == 0) {
        return;
    }
    uint16_t account = told->head.account, instrument = told->head.instrument;
    bool seen = reduce_seen(reduce, account, instrument, told->side, told->exec_id);
    if (reduce_seen_whole(reduce, account, instrument, told->side, told->exec_id) ||
        (seen && (told->flags & REPORT_HAS_FEE) == 0)) {
        return;
    }
    struct slot copy[3];
    memset(copy, 0, sizeof copy);
    record_copy(copy, record);
    struct record_report *fill = (struct record_report *)record_head_of(copy);
    reconcile->partly[account] = true; /* until it is seen */
    if (!name_order(reconcile, fill) || !has_settled(reconcile, fill) || !know_stranger(reconcile, fill)) {
        return;
    }
    pending_of(reconcile, fill)->found_ns = 0;
    fill->flags &= (uint8_t)~REPORT_FOREIGN;
    fill->flags |= fill->order == 0 ? REPORT_FOREIGN : 0;
    reconcile->counts.fills++;
    tell(reconcile, copy, RECORD_FLAG_REST);
}

static bool is_open(const struct reconcile *reconcile, uint64_t order)
{
    for (uint32_t i = 0; i < reconcile->open_count; i++) {
        if (reconcile->open[i] == order) {
            return true;
        }
    }
    return false;
}

static void choose_doubt(void *context, const struct reduce_order *order)
{
    struct reconcile *reconcile = context;
    bool known = false;
    for (uint32_t i = 0; i < reconcile->options.pair_count; i++) {
        known |= reconcile->pair[i].account == order->account &&
                 reconcile->pair[i].instrument == order->instrument && reconcile->open_known[i];
    }
    bool quiet = reconcile->now_ns - order->sent_ns >= reconcile->options.settle_ns;
    bool missing = known && quiet && !is_open(reconcile, order->order);
    if (reconcile->doubt_count < DOUBTS_MAX &&
        (missing || (order->state == REDUCE_UNKNOWN && quiet) || order->state == REDUCE_OWED)) {
        reconcile->doubt[reconcile->doubt_count++] =
            (struct doubt){ .order = order->order, .state = order->state, .status = order->status };
    }
}

static void take_order(struct reconcile *reconcile, const struct doubt *doubt, const struct slot *record)
{
    const struct record_report *report = (const struct record_report *)record_head_of(record);
    const struct reduce_order *order = reduce_order(reconcile->options.reduce, doubt->order);
    if (report->head.slot_count < 3 || report->order != doubt->order || order == NULL ||
        order->state != doubt->state || order->status != doubt->status) {
        return; /* something was heard of it meanwhile: the answer is older */
    }
    reconcile->counts.orders++;
    tell(reconcile, record, RECORD_FLAG_REST);
}

/* What recovery read a moment ago is not asked for again at once: a question of this kind is a heavy one. */
static void begin_due(struct reconcile *reconcile, uint16_t account)
{
    struct payments_due *due = &reconcile->due[account];
    int64_t since_ns =
        rest_venue_wall_ns(reconcile->options.rest, reconcile->options.accounts->row[account].venue,
                           reconcile->wall_ns) -
        ledger_history_ns(reduce_ledger(reconcile->options.reduce), account);
    if (due->asked_ns == 0 && since_ns >= 0 && since_ns < (int64_t)base_min(PAYMENTS_NS, reconcile->now_ns)) {
        due->asked_ns = reconcile->now_ns - (uint64_t)since_ns;
    }
}

/* True when an account's payment history should be looked at now. */
static bool is_due(struct reconcile *reconcile, uint16_t account)
{
    begin_due(reconcile, account);
    const struct payments_due *due = &reconcile->due[account];
    uint64_t since_ns = reconcile->now_ns - due->asked_ns;
    return due->asked_ns == 0 || since_ns >= PAYMENTS_NS ||
           (since_ns >= due->pause_ns &&
            ledger_wants_rows(reduce_ledger(reconcile->options.reduce), account));
}

static void plan_payments(struct reconcile *reconcile)
{
    payments_plan(&reconcile->plan, reconcile->options.rest, reconcile->options.venue,
                  reconcile->options.instruments, reconcile->options.accounts, reconcile->options.key,
                  reduce_ledger(reconcile->options.reduce));
    uint32_t kept = 0;
    for (uint32_t i = 0; i < reconcile->plan.count; i++) {
        uint16_t account = reconcile->plan.question[i].account;
        if (is_due(reconcile, account)) {
            reconcile->plan.question[kept++] = reconcile->plan.question[i];
        }
    }
    reconcile->plan.count = kept;
    for (uint32_t i = 0; i < kept; i++) {
        struct payments_due *due = &reconcile->due[reconcile->plan.question[i].account];
        if (due->asked_ns == reconcile->now_ns) {
            continue; /* another currency of it */
        }
        bool again =
            ledger_wants_rows(reduce_ledger(reconcile->options.reduce), reconcile->plan.question[i].account);
        due->pause_ns = !again || due->pause_ns == 0
                            ? PAYMENTS_WANTED_NS
                            : (uint64_t)base_min((int64_t)due->pause_ns * 2, PAYMENTS_LATE_NS);
        due->asked_ns = reconcile->now_ns;
        due->asked_wall_ns = 0;
        due->failed = false;
    }
}

/* All of an account's history is read: what is told until when is a record as well. */
static void end_payments(struct reconcile *reconcile, uint32_t at)
{
    uint16_t account = reconcile->plan.question[at].account;
    const struct payments_due *due = &reconcile->due[account];
    bool last = at + 1 >= reconcile->plan.count || reconcile->plan.question[at + 1].account != account;
    /* While a row is waited for, an answer without it is no word: it is read from the same time again. */
    bool waits = ledger_wants_rows(reduce_ledger(reconcile->options.reduce), account);
    if (last && !waits && !due->failed && due->asked_wall_ns != 0) {
        struct slot record;
        payments_history(&record, account, due->asked_wall_ns);
        tell(reconcile, &record, RECORD_FLAG_REST);
    }
}

/* ------------------------------------------------------------------ asking */

/* Behind positions a round has read all there is of what is held. */
static void note_read(struct reconcile *reconcile)
{
    for (uint32_t i = 0; i < reconcile->options.pair_count; i++) {
        uint16_t account = reconcile->pair[i].account;
        if (!reconcile->partly[account]) {
            reconcile->read_ns[account] = reconcile->begun_ns;
        }
    }
}

/* The question under way has no answer in this round. */
static void leave_open(struct reconcile *reconcile, uint32_t at)
{
    reconcile->round_failed = true;
    if ((reconcile->step == STEP_FILLS || reconcile->step == STEP_POSITIONS) &&
        reconcile->options.pair_count != 0) {
        reconcile->partly[reconcile->pair[at % reconcile->options.pair_count].account] = true;
    }
}

static const char *const step_names[STEP_COUNT] = { "open orders", "executions", "order",
                                                    "payments",    "positions",  "balances" };

static void answered(void *context, const struct rest_reply *reply)
{
    struct reconcile *reconcile = context;
    reconcile->asking = false;
    enum step step = reconcile->step;
    uint32_t at = reconcile->at++;
    if (step == STEP_PAYMENTS) {
        struct payments_due *due = &reconcile->due[reconcile->plan.question[at].account];
        int64_t asked_ns = rest_venue_wall_ns(reconcile->options.rest, reconcile->plan.question[at].venue->id,
                                              reply->asked_wall_ns);
        due->failed |= reply->result != REST_OK;
        due->asked_wall_ns = due->asked_wall_ns == 0 ? asked_ns : base_min(due->asked_wall_ns, asked_ns);
    }
    if (step == STEP_ORDERS && at >= reconcile->doubt_count &&
        (reply->result == REST_OK || reply->result == REST_REFUSED)) {
        reconcile->stranger[at - reconcile->doubt_count].known = true;
        reconcile->hurry = true; /* its execution waits for this */
    }
    if (reply->result != REST_OK) {
        reconcile->counts.failures++;
        leave_open(reconcile, at);
        if (reconcile->options.failed != NULL) {
            reconcile->options.failed(reconcile->options.context, step_names[step], reply->error);
        }
        return;
    }
    if (step == STEP_OPEN_ORDERS) {
        reconcile->open_known[at] = true;
    }
    uint32_t slot = 0;
    for (const struct slot *record; (record = slots_next(reply->records, &slot)) != NULL;) {
        switch (step) {
        case STEP_OPEN_ORDERS:
            take_open_order(reconcile, record);
            break;
        case STEP_FILLS:
            take_fill(reconcile, record);
            break;
        case STEP_ORDERS:
            if (at < reconcile->doubt_count) {
                take_order(reconcile, &reconcile->doubt[at], record);
            } else {
                take_stranger(&reconcile->stranger[at - reconcile->doubt_count], record);
            }
            break;
        case STEP_PAYMENTS:
            take_payment(reconcile, record);
            break;
        case STEP_POSITIONS:
            if (record_head_of(record)->instrument != reconcile->pair[at].instrument) {
                break;
            }
            if (record_head_of(record)->type == RECORD_POSITION) {
                reconcile->counts.positions++;
                tell(reconcile, record, RECORD_FLAG_REST | RECORD_FLAG_SNAP);
            } else if (record_head_of(record)->type == RECORD_BALANCE) {
                tell(reconcile, record, RECORD_FLAG_REST); /* what the venue's total has beside our cash */
            }
            break;
        case STEP_BALANCES:
            if (record_head_of(record)->type == RECORD_BALANCE) {
                reconcile->counts.balances++;
                tell(reconcile, record, RECORD_FLAG_REST | RECORD_FLAG_SNAP);
            }
            break;
        case STEP_COUNT:
            break;
        }
    }
    if (step == STEP_PAYMENTS) {
        end_payments(reconcile, at);
    }
}

/* Behind the newest executions: those that an order has lacked for longer, so that paging by id went past
 * them. */
static bool owed_question(struct reconcile *reconcile, struct rest_question *question)
{
    for (; reconcile->at < 2 * reconcile->options.pair_count; reconcile->at++) {
        const struct reconcile_pair *pair = &reconcile->pair[reconcile->at - reconcile->options.pair_count];
        int64_t since_ns = reduce_owed_since_ns(reconcile->options.reduce, pair->account, pair->instrument);
        if (since_ns != 0) {
            *question = question_of(reconcile, pair->account, REST_FILLS, pair->instrument);
            question->query.since_ns = since_ns - FILLS_BACK_NS;
            question->query.until_ns = reconcile->wall_ns;
            return true;
        }
    }
    return false;
}

/* Behind the orders in doubt: whose those are that nobody here sent. */
static bool stranger_question(struct reconcile *reconcile, struct rest_question *question)
{
    uint32_t count = (uint32_t)base_min(reconcile->stranger_count, STRANGERS_MAX);
    for (; reconcile->at < reconcile->doubt_count + count; reconcile->at++) {
        const struct stranger *stranger = &reconcile->stranger[reconcile->at - reconcile->doubt_count];
        if (!stranger->known) {
            *question = question_of_stranger(reconcile, stranger);
            return true;
        }
    }
    return false;
}

/* The next question of the step; false: the step has no more. */
static bool next_question(struct reconcile *reconcile, struct rest_question *question)
{
    const struct reduce *reduce = reconcile->options.reduce;
    uint32_t at = reconcile->at;
    const struct reconcile_pair *pair = &reconcile->pair[at < RECONCILE_PAIRS_MAX ? at : 0];
    switch (reconcile->step) {
    case STEP_OPEN_ORDERS:
        if (at >= reconcile->options.pair_count) {
            return false;
        }
        *question = question_of(reconcile, pair->account, REST_OPEN_ORDERS, pair->instrument);
        return true;
    case STEP_FILLS:
        if (at >= reconcile->options.pair_count) {
            return owed_question(reconcile, question);
        }
        *question = question_of(reconcile, pair->account, REST_FILLS, pair->instrument);
        question->query.from_id = reduce_fill_from(reduce, pair->account, pair->instrument);
        if (question->query.from_id == 0) {
            const struct record_begin_run *begin = reduce_begin(reduce);
            question->query.since_ns = (begin != NULL ? begin->wall_ns : reconcile->wall_ns) - FILLS_BACK_NS;
            question->query.until_ns = reconcile->wall_ns;
        }
        return true;
    case STEP_ORDERS: {
        if (at == 0) {
            reconcile->doubt_count = 0;
            reduce_orders(reduce, choose_doubt, reconcile);
        }
        for (; reconcile->at < reconcile->doubt_count; reconcile->at++) {
            const struct reduce_order *order = reduce_order(reduce, reconcile->doubt[reconcile->at].order);
            if (order != NULL) {
                *question = question_of(reconcile, order->account, REST_ORDER, order->instrument);
                question->query.order = order->order;
                return true;
            }
        }
        return stranger_question(reconcile, question);
    }
    case STEP_PAYMENTS:
        if (at == 0) {
            plan_payments(reconcile);
        }
        if (at >= reconcile->plan.count) {
            return false;
        }
        *question = reconcile->plan.question[at];
        question->query.since_ns = payments_since_ns(reduce, question->account);
        question->query.until_ns = reconcile->wall_ns;
        return true;
    case STEP_POSITIONS:
        if (at >= reconcile->options.pair_count) {
            return false;
        }
        *question = question_of(reconcile, pair->account, REST_POSITIONS, pair->instrument);
        return true;
    case STEP_BALANCES:
        if (at >= reconcile->options.accounts->count) {
            return false;
        }
        *question = question_of(reconcile, (uint16_t)at, REST_BALANCES, NO_INSTRUMENT);
        return true;
    case STEP_COUNT:
        break;
    }
    return false;
}

/* ------------------------------------------------------------------ the venue's rules */

static void take_rules(void *context, const struct instrument *row, const char *base, const char *quote,
                       const char *settle)
{
    struct reconcile *reconcile = context;
    const struct instrument_table *table = reconcile->options.instruments;
    (void)base;
    (void)quote;
    (void)settle;
    for (uint16_t i = 0; i < table->count; i++) {
        const struct instrument *ours = &table->row[i];
        if (ours->venue == row->venue && ours->product == row->product &&
            strcmp(ours->symbol, row->symbol) == 0) {
            reconcile->rules.row[i] = *row;
            reconcile->rules.found[i] = true;
        }
    }
}

/* What the strategy should believe: the newest word, and an end of trouble only where the metadata can know.
 */
static uint8_t status_of(const struct reconcile *reconcile, const struct reduce_traded *state, uint8_t told)
{
    if (state->status == INSTRUMENT_CLOSED) {
        return INSTRUMENT_CLOSED; /* it was delivered */
    }
    uint64_t old_ns = told == INSTRUMENT_TRADING ? RULES_STALE_NS : 0;
    bool old = state->told_ns != 0 && reconcile->rules.asked_ns < state->told_ns + old_ns;
    return old || (state->locked && told == INSTRUMENT_TRADING) ? state->status : told;
}

static void tell_rules(struct reconcile *reconcile, uint16_t instrument)
{
    const struct instrument *was = &reduce_instruments(reconcile->options.reduce)->row[instrument];
    const struct reduce_traded *state = reduce_traded(reconcile->options.reduce, instrument);
    struct instrument now;
    if (was->kind == KIND_NONE) {
        return;
    }
    const char *wrong = metadata_fit(was, &reconcile->rules.row[instrument], &now);
    now.status = status_of(reconcile, state, now.status);
    struct instrument before = *was;
    before.status = state->status;
    if (memcmp(&before, &now, sizeof now) == 0) {
        return;
    }
    struct slot record[RECORD_SLOTS_MAX];
    memset(record, 0, sizeof record);
    struct record_head *head =
        record_begin(record, RECORD_INSTRUMENT, record_slots_for_blob(sizeof now), reconcile->now_ns);
    head->instrument = instrument;
    head->account = NO_ACCOUNT;
    head->flags = RECORD_FLAG_REST;
    record_blob_write(record, &now, sizeof now);
    reconcile->options.emit(reconcile->options.context, record);
    reconcile->counts.rules++;
    reconcile->rules.news = true;
    if (reconcile->options.rules != NULL) {
        reconcile->options.rules(reconcile->options.context, &before, &now, wrong);
    }
}

static void rules_answered(void *context, const struct rest_reply *reply)
{
    struct reconcile *reconcile = context;
    reconcile->asking = false;
    reconcile->rules.at++;
    if (reply->result != REST_OK) {
        reconcile->counts.failures++;
        reconcile->rules.failed = true;
        if (reconcile->options.failed != NULL) {
            reconcile->options.failed(reconcile->options.context, "metadata", reply->error);
        }
        return;
    }
    for (uint16_t i = 0; i < reconcile->options.instruments->count; i++) {
        if (reconcile->rules.found[i]) {
            tell_rules(reconcile, i);
        }
    }
}

static bool anything_stands(const struct reconcile *reconcile)
{
    for (uint16_t i = 0; i < reconcile->options.instruments->count; i++) {
        uint8_t status = reduce_traded(reconcile->options.reduce, i)->status;
        if (status != INSTRUMENT_TRADING && status != INSTRUMENT_CLOSED) {
            return true;
        }
    }
    return false;
}

/* True when a look at the rules is due; it begins. */
static bool begin_rules(struct reconcile *reconcile)
{
    uint64_t since_ns = reconcile->now_ns - reconcile->rules.began_ns;
    if (reconcile->rules.began_ns == 0) {
        reconcile->rules.began_ns = reconcile->now_ns; /* the start has just read them */
        return false;
    }
    bool wanted = reconcile->rules.wanted && since_ns >= reconcile->rules.pause_ns;
    bool soon = since_ns >= RULES_SOON_NS && (reconcile->rules.failed || anything_stands(reconcile));
    bool minute = since_ns >= RULES_NS;
    if (!wanted && (reconcile->in_round || (!soon && !minute))) {
        return false;
    }
    /* Refused, and nothing new was found out: it is asked less and less often. */
    reconcile->rules.pause_ns =
        reconcile->rules.news || !reconcile->rules.wanted
            ? RULES_FIRST_NS
            : (uint64_t)base_min((int64_t)reconcile->rules.pause_ns * 2, RULES_SOON_NS);
    reconcile->rules.began_ns = reconcile->now_ns;
    reconcile->rules.wanted = reconcile->rules.failed = reconcile->rules.news = false;
    reconcile->rules.at = 0;
    return true;
}

/* ask_rules asks what is left of a look at the rules; true: this turn is spent. */
static bool ask_rules(struct reconcile *reconcile)
{
    if (reconcile->rules.at >= reconcile->rules.count && !begin_rules(reconcile)) {
        return false;
    }
    if (reconcile->rules.at >= reconcile->rules.count) {
        return false;
    }
    const struct rules_question *of = &reconcile->rules.question[reconcile->rules.at];
    const struct instrument *instrument =
        of->instrument == NO_INSTRUMENT ? NULL : &reconcile->options.instruments->row[of->instrument];
    struct rest_question question = {
        .venue = reconcile->options.venue(of->venue),
        .account = NO_ACCOUNT,
        .query = { .what = REST_INSTRUMENTS, .product = of->product, .instrument = instrument },
        .instrument = take_rules,
        .instrument_context = reconcile
    };
    bool held = question.venue != NULL && rest_held(reconcile->options.rest, of->venue) != 0;
    memset(reconcile->rules.found, 0, sizeof reconcile->rules.found);
    reconcile->rules.asked_ns = reconcile->now_ns;
    if (held || question.venue == NULL ||
        !rest_ask(reconcile->options.rest, &question, rules_answered, reconcile)) {
        reconcile->rules.at++;
        reconcile->rules.failed |= held;
        reconcile->counts.held += held;
        return true;
    }
    reconcile->asking = true;
    reconcile->counts.questions++;
    return true;
}

/* ------------------------------------------------------------------ rounds */

static void begin_round(struct reconcile *reconcile)
{
    reconcile->in_round = true;
    reconcile->hurry = false;
    reconcile->round_failed = false;
    reconcile->step = STEP_OPEN_ORDERS;
    reconcile->at = 0;
    reconcile->open_count = 0;
    memset(reconcile->open_known, 0, sizeof reconcile->open_known);
    memset(reconcile->partly, 0, sizeof reconcile->partly);
    reconcile->begun_ns = reconcile->now_ns;
    reconcile->next_ns = reconcile->now_ns + reconcile->options.interval_ns;
}

static void end_round(struct reconcile *reconcile)
{
    reconcile->in_round = false;
    reconcile->counts.rounds++;
    if (!reconcile->round_failed) {
        reconcile->counts.last_round_ns = reconcile->now_ns;
    }
}

/* Rows that something waits for are not left until the next round. */
static bool anything_waits(const struct reconcile *reconcile)
{
    for (uint16_t i = 0; i < reconcile->options.accounts->count; i++) {
        const struct payments_due *due = &reconcile->due[i];
        if (due->asked_ns != 0 && reconcile->now_ns - due->asked_ns >= due->pause_ns &&
            ledger_wants_rows(reduce_ledger(reconcile->options.reduce), i)) {
            return true;
        }
    }
    return false;
}

void reconcile_poll(struct reconcile *reconcile, uint64_t now_ns, int64_t wall_ns)
{
    reconcile->now_ns = now_ns;
    reconcile->wall_ns = wall_ns;
    rest_poll(reconcile->options.rest, 0);
    if (reconcile->asking || ask_rules(reconcile)) {
        return;
    }
    if (!reconcile->in_round) {
        if (!reconcile->hurry && now_ns < reconcile->next_ns && !anything_waits(reconcile)) {
            return;
        }
        begin_round(reconcile);
    }
    struct rest_question question;
    if (!next_question(reconcile, &question)) {
        reconcile->at = 0;
        if (reconcile->step == STEP_POSITIONS) {
            note_read(reconcile);
        }
        if (++reconcile->step == STEP_COUNT) {
            end_round(reconcile);
        }
        return;
    }
    if (question.venue != NULL && rest_held(reconcile->options.rest, question.venue->id) != 0) {
        leave_open(reconcile,
                   reconcile->at++); /* other venues are not kept waiting for one that wants rest */
        reconcile->counts.held++;
        return;
    }
    if (question.venue == NULL || !rest_ask(reconcile->options.rest, &question, answered, reconcile)) {
        reconcile->at++; /* the venue has no such question (a spot position) */
        return;
    }
    reconcile->asking = true;
    reconcile->counts.questions++;
}
