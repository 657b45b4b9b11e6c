/* A seeded storm: a small venue that loses, repeats, delays and reorders what it says, markets that jump,
 * links that drop, commands at the wrong moment, and records of pure nonsense.  After every record the
 * tables must be sound; after the storm everything must be true again.  A failure prints its seed. */
#include "tests/hot/strategy/desk.h"

#include "hot/strategy/exec/hedge.h"

#include <stdlib.h>

#define VENUE_ORDERS 60000
#define EXECS        24
#define MESSAGES     4096

struct venue_order {
    uint64_t id;
    uint16_t account, instrument;
    uint8_t side, tif;
    bool alive, known; /* known: it arrived */
    int64_t price, qty, cum;
    uint32_t exec_count;
    struct {
        uint64_t id;
        int64_t qty, price;
    } exec[EXECS];
};

struct storm {
    struct desk *desk;
    uint64_t seed;
    int64_t price;
    uint32_t order_count;
    struct venue_order *order;
    uint32_t message_count;
    struct slot (*message)[3];
    uint64_t exec;
    bool down[3];
    int64_t position[3]; /* the venue's truth by instrument */
    uint32_t conservation, halts;
};

static uint64_t next(struct storm *storm)
{
    storm->seed ^= storm->seed << 13;
    storm->seed ^= storm->seed >> 7;
    storm->seed ^= storm->seed << 17;
    return storm->seed * 0x2545f4914f6cdd1dULL;
}

static uint32_t roll(struct storm *storm, uint32_t sides)
{
    return (uint32_t)((next(storm) >> 33) % sides);
}

static struct venue_order *find(struct storm *storm, uint64_t id)
{
    for (uint32_t i = storm->order_count; i > 0; i--) {
        if (storm->order[i - 1].id == id) {
            return &storm->order[i - 1];
        }
    }
    return NULL;
}

static struct record_report *message(struct storm *storm, const struct venue_order *order,
                                     enum record_type type)
{
    static struct slot lost[3];
    struct slot *slot = lost;
    /* What is said while the link is down is never heard. */
    if (!storm->down[order->account] && storm->message_count < MESSAGES) {
        slot = storm->message[storm->message_count++];
    }
    memset(slot, 0, sizeof lost);
    struct record_report *report =
        (struct record_report *)(void *)record_begin(slot, type, 3, storm->desk->now);
    report->head.instrument = order->instrument;
    report->head.account = order->account;
    report->order = order->id;
    report->side = order->side;
    report->price = report->order_price = order->price;
    report->order_qty = order->qty;
    report->fee_currency = CURRENCY_NONE;
    return report;
}

static void final_message(struct storm *storm, const struct venue_order *order, enum record_type type)
{
    struct record_report *report = message(storm, order, type);
    report->cum_qty = order->cum;
    report->flags = REPORT_HAS_CUM | REPORT_TERMINAL;
    report->status = type == RECORD_CANCELLED ? ORDER_STATUS_CANCELLED : ORDER_STATUS_EXPIRED;
}

static void fill_message(struct storm *storm, const struct venue_order *order, uint32_t n, int64_t cum,
                         bool full, bool rest)
{
    struct record_report *report = message(storm, order, RECORD_FILL);
    report->exec_id = order->exec[n].id;
    report->price = order->exec[n].price;
    report->last_qty = order->exec[n].qty;
    report->flags = REPORT_HAS_LAST;
    report->head.flags = rest ? RECORD_FLAG_REST : 0;
    if (full) {
        report->cum_qty = cum;
        report->flags |= REPORT_HAS_CUM;
        report->status = cum == order->qty ? ORDER_STATUS_FILLED : ORDER_STATUS_PARTIAL;
        report->flags |= cum == order->qty ? REPORT_TERMINAL : 0;
        report->liquidity = order->tif == TIF_GTC ? LIQUIDITY_MAKER : LIQUIDITY_TAKER;
        report->fee_e8 =
            kind_fee_e8(&storm->desk->s->instrument[order->instrument], order->side, report->last_qty,
                        report->price, order->tif == TIF_GTC ? 100 : 400, &report->fee_currency);
        report->flags |= REPORT_HAS_FEE;
    }
}

static void execute(struct storm *storm, struct venue_order *order, int64_t qty, int64_t price)
{
    qty = base_min(qty, order->qty - order->cum);
    if (qty <= 0 || order->exec_count == EXECS || !order->alive) {
        return;
    }
    order->exec[order->exec_count].id = storm->exec++;
    order->exec[order->exec_count].qty = qty;
    order->exec[order->exec_count].price = price;
    order->exec_count++;
    order->cum += qty;
    storm->position[order->instrument] += side_sign(order->side) * qty;
    order->alive = order->cum < order->qty;
    uint32_t n = order->exec_count - 1;
    uint32_t how = roll(storm, 10);
    if (how < 5) {
        fill_message(storm, order, n, order->cum, false, false);
    }
    if (how == 9) { /* only a cumulative quantity tells */
        struct record_report *report = message(storm, order, RECORD_ORDER_STATE);
        report->cum_qty = order->cum;
        report->flags = REPORT_HAS_CUM;
        report->status = order->alive ? ORDER_STATUS_PARTIAL : ORDER_STATUS_FILLED;
    }
    fill_message(storm, order, n, order->cum, true, false);
}

static void end(struct storm *storm, struct venue_order *order, enum record_type type)
{
    if (order->alive) {
        order->alive = false;
        final_message(storm, order, type);
    }
}

static void reject(struct storm *storm, const struct venue_order *order, enum request_kind request,
                   enum reject_reason reason, uint64_t tie)
{
    struct record_report *report = message(storm, order, RECORD_REJECT);
    report->request = (uint8_t)request;
    report->reason = (uint8_t)reason;
    report->tie = tie;
}

static void tell_state(struct storm *storm, const struct venue_order *order)
{
    struct record_report *report = message(storm, order, RECORD_ORDER_STATE);
    report->request = REQUEST_QUERY;
    if (!order->known) {
        report->status = ORDER_STATUS_NOT_FOUND;
        report->head.flags = RECORD_FLAG_REST;
        return;
    }
    report->cum_qty = order->cum;
    report->flags = REPORT_HAS_CUM;
    report->status = order->alive               ? (order->cum != 0 ? ORDER_STATUS_PARTIAL : ORDER_STATUS_OPEN)
                     : order->cum == order->qty ? ORDER_STATUS_FILLED
                                                : ORDER_STATUS_CANCELLED;
    report->flags |= order->alive ? 0 : REPORT_TERMINAL;
}

/* The venue hears what the strategy said in the last step. */
static void venue_hears(struct storm *storm, bool faults)
{
    struct desk *desk = storm->desk;
    for (uint32_t at = 0; at < desk->said_slots; at += record_head_of(&desk->said[at])->slot_count) {
        const struct record_order *said = (const struct record_order *)record_head_of(&desk->said[at]);
        if (said->head.type == RECORD_EVENT) {
            const struct record_event *event = (const struct record_event *)(const void *)said;
            storm->conservation += event->code == EVENT_CONSERVATION;
            storm->halts += event->code == EVENT_HALT;
            continue;
        }
        if (said->head.type < RECORD_ORDER_NEW || said->head.type > RECORD_ORDER_QUERY) {
            continue;
        }
        bool lost = storm->down[said->head.account] || (faults && roll(storm, 200) == 0);
        struct venue_order *order = find(storm, said->order);
        if (lost && order != NULL && roll(storm, 4) != 0) { /* the gateway mostly notices */
            static const uint8_t kinds[] = { REQUEST_NEW, REQUEST_AMEND, REQUEST_CANCEL, REQUEST_QUERY };
            struct record_report *report = message(storm, order, RECORD_UNKNOWN);
            report->request = kinds[said->head.type - RECORD_ORDER_NEW];
            report->tie = said->tie;
        }
        if (said->head.type == RECORD_ORDER_NEW) {
            cr_assert_null(order, "an id was used twice");
            cr_assert_lt(storm->order_count, VENUE_ORDERS);
            cr_assert(said->qty > 0 && said->price > 0);
            order = &storm->order[storm->order_count++];
            memset(order, 0, sizeof *order);
            order->id = said->order;
            order->account = said->head.account;
            order->instrument = said->head.instrument;
            order->side = said->side;
            order->tif = said->tif;
            order->price = said->price;
            order->qty = said->qty;
            if (lost) {
                if (roll(storm, 4) != 0) {
                    struct record_report *report = message(storm, order, RECORD_UNKNOWN);
                    report->request = REQUEST_NEW;
                    report->tie = said->tie;
                }
                order->known = order->alive = !storm->down[order->account] && roll(storm, 2) == 0;
                continue;
            }
            if (faults && roll(storm, 40) == 0) {
                static const uint8_t reasons[] = { REASON_POST_ONLY, REASON_NOT_SENT, REASON_RATE_LIMIT };
                reject(storm, order, REQUEST_NEW, reasons[roll(storm, 3)], said->tie);
                continue;
            }
            order->known = order->alive = true;
            message(storm, order, RECORD_ACK)->request = REQUEST_NEW;
            if (order->tif == TIF_IOC) {
                uint32_t share = faults ? roll(storm, 5) : 4;
                execute(storm, order, order->qty * share / 4, said->reference_price);
                end(storm, order, RECORD_EXPIRED);
            }
            continue;
        }
        if (order == NULL || lost) {
            continue;
        }
        if (said->head.type == RECORD_ORDER_QUERY) {
            tell_state(storm, order);
        } else if (said->head.type == RECORD_ORDER_CANCEL) {
            if (!order->alive) {
                reject(storm, order, REQUEST_CANCEL, REASON_NOT_FOUND, said->tie);
            } else {
                message(storm, order, RECORD_CANCEL_ACK)->tie = said->tie;
                if (faults && roll(storm, 4) == 0) {
                    execute(storm, order, 1 + roll(storm, 5), order->price);
                }
                end(storm, order, RECORD_CANCELLED);
            }
        } else if (!order->alive) {
            reject(storm, order, REQUEST_AMEND, REASON_NOT_FOUND, said->tie);
        } else if (faults && roll(storm, 20) == 0) {
            reject(storm, order, REQUEST_AMEND, REASON_OTHER, said->tie);
        } else if (said->qty <= order->cum) {
            end(storm, order, RECORD_CANCELLED);
        } else {
            order->price = said->price;
            order->qty = said->qty;
            message(storm, order, RECORD_AMENDED)->tie = said->tie;
            if (roll(storm, 2) == 0) {
                message(storm, order, RECORD_AMENDED); /* the stream's */
            }
        }
    }
    desk_forget(desk);
}

static void deliver(struct storm *storm, bool faults)
{
    if (storm->message_count == 0) {
        return;
    }
    /* Mostly in order; now and then something overtakes, and something comes twice. */
    uint32_t n = faults && roll(storm, 4) == 0 ? roll(storm, storm->message_count) : 0;
    struct slot slot[3];
    memcpy(slot, storm->message[n], sizeof slot);
    record_head_of(slot)->stamp_ns = storm->desk->now;
    if (!faults || roll(storm, 10) != 0) {
        storm->message_count--;
        memmove(&storm->message[n], &storm->message[n + 1],
                (storm->message_count - n) * sizeof storm->message[0]);
    }
    desk_feed(storm->desk, slot);
}

static void link_state(struct storm *storm, uint16_t account, bool up)
{
    storm->down[account] = !up;
    if (!up) { /* what was on the way is gone */
        uint32_t kept = 0;
        for (uint32_t i = 0; i < storm->message_count; i++) {
            if (record_head_of(storm->message[i])->account != account) {
                memcpy(storm->message[kept++], storm->message[i], sizeof storm->message[0]);
            }
        }
        storm->message_count = kept;
    }
    desk_state(storm->desk, RECORD_GATEWAY_STATE, NO_INSTRUMENT, account, up ? GATEWAY_READY : GATEWAY_DOWN);
}

static void market(struct storm *storm)
{
    int64_t move = (int64_t)roll(storm, 41) - 20;
    storm->price = base_max(500000, base_min(700000, storm->price + move));
    uint16_t instrument = roll(storm, 2) ? PERP : USDT_PERP;
    if (roll(storm, 3) == 0) {
        desk_top(storm->desk, instrument, storm->price, storm->price + 1);
    } else {
        desk_book(storm->desk, instrument, storm->price, storm->price + 1, 200 + roll(storm, 5000));
    }
}

static void nonsense(struct storm *storm)
{
    struct slot slots[RECORD_SLOTS_MAX];
    memset(slots, 0, sizeof slots);
    uint8_t count = (uint8_t)(1 + roll(storm, RECORD_SLOTS_MAX));
    uint8_t type = (uint8_t)roll(storm, 128);
    if (type == RECORD_COMMAND) {
        type = RECORD_TRADE; /* a command is obeyed, whoever gives it */
    }
    record_begin(slots, type, count, storm->desk->now);
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t b = i == 0 ? sizeof(struct record_head) : 0; b < SLOT_PAYLOAD_BYTES; b++) {
            slots[i].payload[b] = roll(storm, 3) == 0 ? (unsigned char)next(storm) : 0;
        }
    }
    struct record_head *head = record_head_of(slots);
    head->instrument = (uint16_t)(roll(storm, 2) ? roll(storm, 4) : roll(storm, 65536));
    head->account = (uint16_t)(roll(storm, 2) ? roll(storm, 4) : roll(storm, 65536));
    head->flags = (uint8_t)next(storm);
    desk_feed(storm->desk, slots);
}

static void step(struct storm *storm, bool garbage)
{
    struct desk *desk = storm->desk;
    uint32_t what = roll(storm, 1000);
    if (what < 350) {
        market(storm);
    } else if (what < 600) {
        deliver(storm, true);
    } else if (what < 750) {
        desk_clock(desk, (1 + roll(storm, 40)) * MS);
    } else if (what < 850 && storm->order_count != 0) {
        struct venue_order *order =
            &storm->order[storm->order_count - 1 - roll(storm, (uint32_t)base_min(storm->order_count, 12))];
        if (order->alive) {
            execute(storm, order, 1 + roll(storm, 6), order->price);
        }
    } else if (what < 851) {
        link_state(storm, (uint16_t)roll(storm, 2), false);
    } else if (what < 870) {
        for (uint16_t account = 0; account < 2; account++) {
            if (storm->down[account] || desk->s->gateway[account] != GATEWAY_READY) {
                link_state(storm, account, true);
            }
        }
        desk_read(desk, 0, desk->s->ready_ns[0]);
        desk_read(desk, 1, desk->s->ready_ns[1]);
    } else if (what < 871) {
        desk_state(desk, RECORD_FEED_STATE, (uint16_t)roll(storm, 2), NO_ACCOUNT, roll(storm, 5));
    } else if (what < 890) {
        desk_state(desk, RECORD_FEED_STATE, PERP, NO_ACCOUNT, FEED_LIVE);
        desk_state(desk, RECORD_FEED_STATE, USDT_PERP, NO_ACCOUNT, FEED_LIVE);
        for (uint16_t i = 0; i < 2; i++) {
            if (desk->s->book[i].status != INSTRUMENT_TRADING) {
                desk_state(desk, RECORD_INSTRUMENT_STATE, i, NO_ACCOUNT, INSTRUMENT_TRADING);
            }
        }
    } else if (what < 891) {
        static const uint8_t commands[] = { COMMAND_PAUSE, COMMAND_HALT, COMMAND_STOP, COMMAND_FLATTEN };
        desk_command(desk, commands[roll(storm, 4)], roll(storm, 2) ? 7 : NO_INSTANCE, 0);
    } else if (what < 905) {
        desk_command(desk, COMMAND_RESUME, NO_INSTANCE, 0);
    } else if (garbage) {
        nonsense(storm);
    } else {
        market(storm);
    }
    venue_hears(storm, true);
    desk_check(desk);

    /* Nothing rests that was not in the books before a halt: a halted desk sends no quote. */
    if (desk->s->halted) {
        for (struct order *order = order_first(&desk->s->orders, 0, 0); order != NULL;
             order = order_after(&desk->s->orders, 0, order)) {
            cr_assert(order->role != ORDER_ROLE_QUOTE || order->state != ORDER_SENT ||
                      order->sent_ns < desk->now || desk->s->trigger_ns == desk->now);
        }
    }
    /* Never more than the venue executed, never less than it told one by one. */
    for (uint32_t i = storm->order_count; i > 0 && i + 20 > storm->order_count; i--) {
        const struct order *row = order_find_const(&desk->s->orders, storm->order[i - 1].id);
        if (row != NULL) {
            cr_assert_leq(row->filled, storm->order[i - 1].cum);
        }
    }
}

static void mend_fees(struct storm *storm)
{
    /* Nonsense may have been a fee row, a conversion or a limit that made sense. */
    struct desk *desk = storm->desk;
    desk->s->risk = desk_risk();
    desk->s->risk.max_order_e8 = 1000000LL * DECIMAL_E8;
    for (uint16_t i = 0; i < 3; i++) {
        desk->s->fee[i][i] = (struct fee_row){ 100, 400, true };
    }
}

/* The storm is over: links up, markets calm, everything asked is answered with the truth. */
static void calm(struct storm *storm)
{
    struct desk *desk = storm->desk;
    mend_fees(storm);
    storm->message_count = 0;
    for (uint16_t i = 0; i < 3; i++) {
        link_state(storm, i, true);
        desk_read(storm->desk, i, storm->desk->s->ready_ns[i]);
        desk_state(desk, RECORD_INSTRUMENT_STATE, i, NO_ACCOUNT, INSTRUMENT_TRADING);
        desk_state(desk, RECORD_FEED_STATE, i, NO_ACCOUNT, FEED_LIVE);
    }
    venue_hears(storm, false);
    desk_command(desk, COMMAND_RESUME, NO_INSTANCE, 0);
    venue_hears(storm, false);
    desk_command(desk, COMMAND_PAUSE, NO_INSTANCE, 0); /* no new quotes while we count */
    for (int turn = 0; turn < 3000; turn++) {
        desk_clock(desk, 50 * MS);
        venue_hears(storm, false);
        desk_book(desk, PERP, storm->price, storm->price + 1, 100000);
        venue_hears(storm, false);
        desk_book(desk, USDT_PERP, storm->price, storm->price + 1, 100000);
        venue_hears(storm, false);
        while (storm->message_count != 0) {
            deliver(storm, false);
            venue_hears(storm, false);
        }
        /* REST: every execution of the last orders, one by one */
        if (turn % 100 == 0) {
            for (uint32_t i = 0; i < storm->order_count; i++) {
                struct venue_order *order = &storm->order[i];
                for (uint32_t n = 0; n < order->exec_count; n++) {
                    if (i + 2000 > storm->order_count) {
                        fill_message(storm, order, n, order->cum, false, true);
                        while (storm->message_count != 0) {
                            deliver(storm, false);
                            venue_hears(storm, false);
                        }
                    }
                }
            }
        }
    }
    desk_check(desk);
}

static struct storm *storm_make(uint64_t seed, bool record)
{
    struct storm *storm = calloc(1, sizeof *storm);
    storm->seed = seed * 0x9e3779b97f4a7c15ULL + 1;
    storm->price = 600000;
    storm->exec = 1;
    storm->order = calloc(VENUE_ORDERS, sizeof *storm->order);
    storm->message = aligned_alloc(64, MESSAGES * sizeof *storm->message);
    struct quote_params params = desk_params();
    params.levels = 2;
    params.level_step_centibp = 100;
    params.min_profit_centibp = -480;
    params.skew_centibp = 50;
    params.max_inventory = 300;
    params.hedge_timeout_ns = 20 * MS;
    params.max_naked_e8 = COIN;
    params.allocation_e8 = COIN / 4;
    params.requote_min_ns = 2 * MS;
    params.fair_half_life_ns = SECOND;
    params.max_fee_surprise_centibp = 0;
    storm->desk = desk_make();
    storm->desk->params = params;
    storm->desk->risk.max_rejects_per_min = 0;
    storm->desk->risk.max_unknown = 50;
    storm->desk->record_input = record;
    desk_build(storm->desk);
    desk_done(storm->desk);
    desk_open(storm->desk);
    venue_hears(storm, false);
    return storm;
}

static void storm_free(struct storm *storm)
{
    desk_free(storm->desk);
    free(storm->order);
    free(storm->message);
    free(storm);
}

static void run(uint64_t seed, uint32_t steps, bool garbage)
{
    struct storm *storm = storm_make(seed, false);
    struct desk *desk = storm->desk;
    for (uint32_t i = 0; i < steps; i++) {
        step(storm, garbage);
    }
    uint64_t fills = desk->s->fills;
    calm(storm);
    const struct exposure_instance *held = &desk->s->exposure.instance[0];
    cr_assert_eq(storm->conservation, 0, "seed %lu: conservation", seed);
    cr_assert_gt(fills, garbage ? 0 : steps / 250, "seed %lu: nothing happened: %lu fills", seed, fills);
    for (uint16_t i = 0; i < 2; i++) {
        int64_t unassigned = desk->s->exposure.holding[desk->s->exposure.holding_of[i][i]].unassigned.qty;
        cr_assert_eq(held->leg[i].position.qty, storm->position[i], "seed %lu: leg %u: %ld, the venue %ld",
                     seed, i, held->leg[i].position.qty, storm->position[i]);
        cr_assert(garbage || unassigned == 0);
    }
    for (struct order *order = order_first(&desk->s->orders, 0, 0); order != NULL;
         order = order_after(&desk->s->orders, 0, order)) {
        const struct venue_order *truth = find(storm, order->id);
        cr_log_error("order %lx %s role %u filled %ld of %ld, venue %s cum %ld known %d queries %u misses %u",
                     order->id, order_state_names[order->state], order->role, order->filled, order->qty,
                     truth->alive ? "alive" : "ended", truth->cum, truth->known, order->queries,
                     order->misses);
    }
    cr_assert_eq(desk->s->orders.live, 0, "seed %lu: %u orders live", seed, desk->s->orders.live);
    if (!garbage) {
        cr_assert_eq(desk->s->open_count, 0, "seed %lu: %u prices open", seed, desk->s->open_count);
    }
    if (desk->s->instance[0].state == INSTANCE_PAUSED) {
        cr_assert_lt(base_abs(desk_delta_e8(desk)), COIN * 3 / 1000, "seed %lu: delta %ld", seed,
                     desk_delta_e8(desk));
    }
    storm_free(storm);
}

/* POISE_SOAK_SEEDS=1000 for a long night. */
static uint64_t seeds(void)
{
    const char *text = getenv("POISE_SOAK_SEEDS");
    return text == NULL ? 10 : strtoull(text, NULL, 10);
}

Test(soak, a_hundred_thousand_records_of_a_bad_venue, .timeout = 3600)
{
    for (uint64_t seed = 1; seed <= seeds(); seed++) {
        run(seed, 10000, false);
    }
}

Test(soak, a_hundred_thousand_records_with_nonsense_between, .timeout = 3600)
{
    for (uint64_t seed = 100001; seed <= 100000 + seeds(); seed++) {
        run(seed, 10000, true);
    }
}

Test(soak, the_same_records_give_the_same_bytes, .timeout = 100)
{
    struct storm *storm = storm_make(4711, true);
    for (uint32_t i = 0; i < 20000; i++) {
        step(storm, true);
    }
    struct desk *again = desk_make();
    struct desk *first = storm->desk;
    for (uint32_t at = 0; at < first->input_slots; at += record_head_of(&first->input[at])->slot_count) {
        desk_feed(again, &first->input[at]);
        desk_forget(again);
    }
    cr_assert_eq(again->out_hash, first->out_hash);
    cr_assert_eq(again->s->records, first->s->records);
    cr_assert_eq(strategy_next_ns(again->s), strategy_next_ns(first->s));
    desk_free(again);
    storm_free(storm);
}
