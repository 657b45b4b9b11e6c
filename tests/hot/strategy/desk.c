#include "tests/hot/strategy/desk.h"

#include "hot/strategy/exec/hedge.h"

#include <stdlib.h>

struct quote_params desk_params(void)
{
    struct quote_params params = { .name = "btc",
                                   .instance = 7,
                                   .kind = STRATEGY_QUOTE,
                                   .enabled = 1,
                                   .quote_instrument = PERP,
                                   .quote_account = COIN_ACCOUNT,
                                   .hedge_instrument = USDT_PERP,
                                   .hedge_account = USDT_ACCOUNT,
                                   .second_instrument = NO_INSTRUMENT,
                                   .second_account = NO_ACCOUNT,
                                   .delta_basis = DELTA_USD,
                                   .post_only = 1,
                                   .levels = 1,
                                   .sides = 3,
                                   .size = 10, /* 1,000 USD */
                                   .max_spread_centibp = 1000,
                                   .max_depth_percent = 50,
                                   .max_inventory = 1000,
                                   .requote_ticks = 2,
                                   .requote_min_ns = 10 * MS,
                                   .fair_bound_centibp = 2000,
                                   .quote_stale_ns = 5 * SECOND,
                                   .hedge_stale_ns = 5 * SECOND,
                                   .hedge_band_centibp = 500,
                                   .emergency_band_centibp = 5000,
                                   .hedge_timeout_ns = 300 * MS,
                                   .max_naked_e8 = COIN / 2,
                                   .max_naked_ns = 500 * MS,
                                   .ladder_step_ns = 100 * MS,
                                   .max_fee_surprise_centibp = 200,
                                   .position_grace_ns = 2 * SECOND };
    return params;
}

struct risk_params desk_risk(void)
{
    struct risk_params risk = { .max_order_e8 = 100000LL * DECIMAL_E8,
                                .max_position_e8 = 100 * COIN,
                                .max_delta_e8 = 10 * COIN,
                                .price_band_centibp = 20000,
                                .max_orders_per_s = 1000,
                                .max_open_orders = 100,
                                .max_unknown = 3,
                                .max_rejects_per_min = 20,
                                .report_currency = USD };
    return risk;
}

struct desk *desk_make(void)
{
    struct desk *desk = calloc(1, sizeof *desk);
    desk->s = strategy_init(calloc(1, strategy_bytes()));
    desk->outbox = calloc(1, sizeof *desk->outbox);
    desk->said = aligned_alloc(64, DESK_SAID_MAX * sizeof(struct slot));
    desk->now = 1000 * SECOND;
    desk->wall = 1700000000LL * 1000000000LL;
    desk->params = desk_params();
    desk->risk = desk_risk();
    desk->exec = 1;
    desk->out_hash = 0xcbf29ce484222325ULL;
    return desk;
}

void desk_free(struct desk *desk)
{
    free(desk->s);
    free(desk->outbox);
    free(desk->said);
    free(desk->input);
    free(desk);
}

static void hash_slots(struct desk *desk, const struct slot *slots, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t b = 0; b < SLOT_PAYLOAD_BYTES; b++) {
            desk->out_hash = (desk->out_hash ^ slots[i].payload[b]) * 0x100000001b3ULL;
        }
    }
}

#define INPUT_MAX (1u << 20)

void desk_feed(struct desk *desk, const struct slot *record)
{
    uint8_t count = record_head_of(record)->slot_count;
    if (desk->record_input) {
        if (desk->input == NULL) {
            desk->input = aligned_alloc(64, INPUT_MAX * sizeof(struct slot));
        }
        cr_assert(desk->input_slots + count <= INPUT_MAX);
        memcpy(&desk->input[desk->input_slots], record, count * sizeof(struct slot));
        desk->input_slots += count;
    }
    desk->outbox->used = 0;
    desk->outbox->records = 0;
    strategy_step(desk->s, record, desk->outbox);
    hash_slots(desk, desk->outbox->slots, desk->outbox->used);
    if (desk->said_slots + desk->outbox->used <= DESK_SAID_MAX) {
        memcpy(&desk->said[desk->said_slots], desk->outbox->slots, desk->outbox->used * sizeof(struct slot));
        desk->said_slots += desk->outbox->used;
        desk->said_count += desk->outbox->records;
    }
}

static void instrument_row(struct instrument *row, uint16_t index)
{
    memset(row, 0, sizeof *row);
    row->index = index;
    row->venue = VENUE_BINANCE;
    row->status = INSTRUMENT_TRADING;
    row->price_decimals = 1;
    row->tick = 1;
    row->base = BTC;
    row->max_price = 10000000;
    if (index == PERP) {
        strcpy(row->name, "binance.inverse.BTCUSD_PERP");
        strcpy(row->symbol, "BTCUSD_PERP");
        row->product = PRODUCT_INVERSE;
        row->kind = KIND_INVERSE_PERPETUAL;
        row->quote = USD;
        row->settle = BTC;
        row->lot = 1;
        row->min_qty = 1;
        row->max_qty = 60000;
        row->contract_e8 = 100 * DECIMAL_E8;
        return;
    }
    bool usdt = index == USDT_PERP;
    strcpy(row->name, usdt ? "binance.linear.BTCUSDT" : "binance.linear.BTCUSDC");
    strcpy(row->symbol, usdt ? "BTCUSDT" : "BTCUSDC");
    row->product = PRODUCT_LINEAR;
    row->kind = KIND_LINEAR_PERPETUAL;
    row->quote = usdt ? USDT : USDC;
    row->settle = row->quote;
    row->qty_decimals = 3;
    row->lot = 1;
    row->min_qty = 1;
    row->max_qty = 1000000;
    row->min_notional_e8 = 100 * DECIMAL_E8;
    row->contract_e8 = DECIMAL_E8;
}

static void feed_blob(struct desk *desk, enum record_type type, const void *blob, size_t bytes)
{
    struct slot slots[RECORD_SLOTS_MAX];
    memset(slots, 0, sizeof slots);
    record_begin(slots, type, record_slots_for_blob(bytes), desk->now);
    record_blob_write(slots, blob, bytes);
    desk_feed(desk, slots);
}

void desk_instrument(struct desk *desk, uint16_t index)
{
    struct instrument row;
    instrument_row(&row, index);
    if ((desk->dated >> index & 1) != 0) {
        row.kind = index == PERP ? KIND_INVERSE_FUTURE : KIND_LINEAR_FUTURE;
        row.expiry_ns = desk->wall + 86400000000000;
    }
    feed_blob(desk, RECORD_INSTRUMENT, &row, sizeof row);
}

void desk_rules(struct desk *desk, uint16_t index, void (*change)(struct instrument *row))
{
    struct instrument row;
    instrument_row(&row, index);
    change(&row);
    feed_blob(desk, RECORD_INSTRUMENT, &row, sizeof row);
}

void desk_build(struct desk *desk)
{
    struct slot slots[2];
    memset(slots, 0, sizeof slots);
    struct record_begin_run *begin =
        (struct record_begin_run *)(void *)record_begin(slots, RECORD_BEGIN, 2, desk->now);
    begin->run = 1;
    begin->engine = 5;
    begin->mode = MODE_SIM;
    begin->wall_ns = desk->wall;
    desk_feed(desk, slots);
    for (uint16_t i = 0; i < 3; i++) {
        desk_instrument(desk, i);
    }
    for (uint16_t i = 0; i < 3; i++) {
        struct account account = { .index = i, .venue = VENUE_BINANCE };
        account.product = i == COIN_ACCOUNT ? PRODUCT_INVERSE : PRODUCT_LINEAR;
        feed_blob(desk, RECORD_ACCOUNT, &account, sizeof account);
        struct slot slot;
        memset(&slot, 0, sizeof slot);
        struct record_fee *fee = (struct record_fee *)(void *)record_begin(&slot, RECORD_FEE, 1, desk->now);
        fee->head.account = i;
        fee->head.instrument = i;
        fee->maker_centibp = 100; /* 1 bp */
        fee->taker_centibp = 400;
        desk_feed(desk, &slot);
    }
    for (uint16_t from = USDT; from <= USDC + 1; from++) {
        struct slot slot;
        memset(&slot, 0, sizeof slot);
        struct record_convert *convert =
            (struct record_convert *)(void *)record_begin(&slot, RECORD_CONVERT, 1, desk->now);
        convert->from = from <= USDC ? from : USDC;
        convert->to = from <= USDC ? USD : USDT;
        convert->fixed_e8 = DECIMAL_E8;
        desk_feed(desk, &slot);
    }
    feed_blob(desk, RECORD_RISK, &desk->risk, sizeof desk->risk);
    feed_blob(desk, RECORD_PARAMS, &desk->params, sizeof desk->params);
    if (desk->no_ids) {
        return;
    }
    struct slot slot;
    memset(&slot, 0, sizeof slot);
    struct record_counter_block *block =
        (struct record_counter_block *)(void *)record_begin(&slot, RECORD_RESTORE_COUNTER, 1, desk->now);
    block->next = 1;
    block->end = 10000000;
    desk_feed(desk, &slot);
}

void desk_done(struct desk *desk)
{
    struct slot slot;
    memset(&slot, 0, sizeof slot);
    record_begin(&slot, RECORD_RESTORE_DONE, 1, desk->now);
    desk_feed(desk, &slot);
}

void desk_state(struct desk *desk, enum record_type type, uint16_t instrument, uint16_t account,
                uint32_t value)
{
    struct slot slot;
    memset(&slot, 0, sizeof slot);
    struct record_state *state = (struct record_state *)(void *)record_begin(&slot, type, 1, desk->now);
    state->head.instrument = instrument;
    state->head.account = account;
    state->value = value;
    desk_feed(desk, &slot);
}

void desk_levels(struct desk *desk, uint16_t instrument, bool snap, uint32_t bids, uint32_t asks,
                 const struct level *levels)
{
    struct slot slots[RECORD_SLOTS_MAX];
    memset(slots, 0, sizeof slots);
    struct record_book *book = (struct record_book *)(void *)record_begin(
        slots, RECORD_BOOK, record_slots_for_levels(bids + asks), desk->now);
    book->head.instrument = instrument;
    book->head.flags = snap ? RECORD_FLAG_SNAP : 0;
    book->bid_count = (uint8_t)bids;
    book->ask_count = (uint8_t)asks;
    for (uint32_t i = 0; i < bids + asks; i++) {
        *record_level(book, i) = levels[i];
    }
    desk_feed(desk, slots);
}

void desk_book(struct desk *desk, uint16_t instrument, int64_t bid, int64_t ask, int64_t qty)
{
    struct level levels[10];
    for (int i = 0; i < 5; i++) {
        levels[i] = (struct level){ bid - i, qty };
        levels[5 + i] = (struct level){ ask + i, qty };
    }
    desk_levels(desk, instrument, true, 5, 5, levels);
}

void desk_top(struct desk *desk, uint16_t instrument, int64_t bid, int64_t ask)
{
    struct slot slot;
    memset(&slot, 0, sizeof slot);
    struct record_top *top = (struct record_top *)(void *)record_begin(&slot, RECORD_TOP, 1, desk->now);
    top->head.instrument = instrument;
    top->bid_price = bid;
    top->bid_qty = 1000;
    top->ask_price = ask;
    top->ask_qty = 1000;
    desk_feed(desk, &slot);
}

void desk_mark(struct desk *desk, uint16_t instrument, int64_t mark)
{
    struct slot slot;
    memset(&slot, 0, sizeof slot);
    struct record_mark *record = (struct record_mark *)(void *)record_begin(&slot, RECORD_MARK, 1, desk->now);
    record->head.instrument = instrument;
    record->mark = mark;
    desk_feed(desk, &slot);
}

void desk_both(struct desk *desk, int64_t bid)
{
    desk_book(desk, USDT_PERP, bid, bid + 1, 5000);
    desk_book(desk, PERP, bid, bid + 1, 5000);
}

void desk_open(struct desk *desk)
{
    for (uint16_t i = 0; i < 3; i++) {
        desk_state(desk, RECORD_GATEWAY_STATE, NO_INSTRUMENT, i, GATEWAY_READY);
        desk_state(desk, RECORD_FEED_STATE, i, NO_ACCOUNT, FEED_LIVE);
    }
    desk_book(desk, USDC_PERP, 600000, 600001, 5000);
    desk_both(desk, 600000);
}

struct desk *desk_ready(const struct quote_params *params, const struct risk_params *risk)
{
    struct desk *desk = desk_make();
    if (params != NULL) {
        desk->params = *params;
    }
    if (risk != NULL) {
        desk->risk = *risk;
    }
    desk_build(desk);
    desk_done(desk);
    desk_open(desk);
    return desk;
}

void desk_clock(struct desk *desk, uint64_t forward_ns)
{
    desk->now += forward_ns;
    desk->wall += (int64_t)forward_ns;
    struct slot slot;
    memset(&slot, 0, sizeof slot);
    struct record_clock *clock =
        (struct record_clock *)(void *)record_begin(&slot, RECORD_CLOCK, 1, desk->now);
    clock->wall_ns = desk->wall;
    desk_feed(desk, &slot);
}

void desk_command(struct desk *desk, enum command command, uint16_t instance, int64_t value)
{
    struct slot slot;
    memset(&slot, 0, sizeof slot);
    struct record_command *record =
        (struct record_command *)(void *)record_begin(&slot, RECORD_COMMAND, 1, desk->now);
    record->command = command;
    record->instance = instance;
    record->value[0] = value;
    desk_feed(desk, &slot);
}

void desk_read(struct desk *desk, uint16_t account, uint64_t ready_ns)
{
    struct slot slot;
    memset(&slot, 0, sizeof slot);
    struct record_command *record =
        (struct record_command *)(void *)record_begin(&slot, RECORD_COMMAND, 1, desk->now);
    record->command = COMMAND_READ;
    record->instance = NO_INSTANCE;
    record->value[0] = account;
    record->value[1] = (int64_t)ready_ns;
    desk_feed(desk, &slot);
}

struct order *desk_row(struct desk *desk, uint64_t order)
{
    return order_find(&desk->s->orders, order);
}

struct record_report *desk_report_for(struct desk *desk, struct slot *slot, enum record_type type,
                                      uint64_t order)
{
    memset(slot, 0, 3 * sizeof *slot);
    struct record_report *report = (struct record_report *)(void *)record_begin(slot, type, 3, desk->now);
    const struct order *row = desk_row(desk, order);
    cr_assert(row != NULL);
    report->head.instrument = row->instrument;
    report->head.account = row->account;
    report->order = order;
    report->side = row->side;
    report->order_qty = row->want_qty;
    report->order_price = row->want_price;
    report->price = row->want_price;
    report->fee_currency = CURRENCY_NONE;
    return report;
}

void desk_ack(struct desk *desk, uint64_t order)
{
    struct slot slot[3];
    struct record_report *report = desk_report_for(desk, slot, RECORD_ACK, order);
    report->request = REQUEST_NEW;
    desk_feed(desk, slot);
}

static void fill_fee(struct desk *desk, struct record_report *report, const struct order *row)
{
    const struct instrument *instrument = &desk->s->instrument[row->instrument];
    int64_t rate = row->tif == TIF_GTC ? 100 : 400;
    report->fee_e8 =
        kind_fee_e8(instrument, report->side, report->last_qty, report->price, rate, &report->fee_currency);
    report->flags |= REPORT_HAS_FEE;
    report->liquidity = row->tif == TIF_GTC ? LIQUIDITY_MAKER : LIQUIDITY_TAKER;
}

void desk_fill(struct desk *desk, uint64_t order, int64_t qty, int64_t price)
{
    struct slot slot[3];
    struct record_report *report = desk_report_for(desk, slot, RECORD_FILL, order);
    const struct order *row = desk_row(desk, order);
    report->exec_id = desk->exec++;
    report->price = price;
    report->last_qty = qty;
    report->cum_qty = row->filled + qty;
    report->flags = REPORT_HAS_LAST | REPORT_HAS_CUM;
    bool whole = report->cum_qty >= row->qty;
    report->status = whole ? ORDER_STATUS_FILLED : ORDER_STATUS_PARTIAL;
    report->flags |= whole ? REPORT_TERMINAL : 0;
    fill_fee(desk, report, row);
    desk_feed(desk, slot);
}

void desk_lite(struct desk *desk, uint64_t order, int64_t qty, int64_t price, uint64_t exec)
{
    struct slot slot[3];
    struct record_report *report = desk_report_for(desk, slot, RECORD_FILL, order);
    report->exec_id = exec;
    report->price = price;
    report->last_qty = qty;
    report->flags = REPORT_HAS_LAST;
    report->order_qty = 0;
    report->order_price = 0;
    desk_feed(desk, slot);
}

void desk_end(struct desk *desk, uint64_t order, enum record_type type, int64_t cum)
{
    struct slot slot[3];
    struct record_report *report = desk_report_for(desk, slot, type, order);
    report->cum_qty = cum;
    report->flags = REPORT_HAS_CUM | REPORT_TERMINAL;
    report->status = type == RECORD_CANCELLED ? ORDER_STATUS_CANCELLED : ORDER_STATUS_EXPIRED;
    desk_feed(desk, slot);
}

void desk_reject(struct desk *desk, uint64_t order, enum request_kind request, enum reject_reason reason)
{
    struct slot slot[3];
    struct record_report *report = desk_report_for(desk, slot, RECORD_REJECT, order);
    report->request = (uint8_t)request;
    report->reason = (uint8_t)reason;
    report->status = ORDER_STATUS_REJECTED;
    desk_feed(desk, slot);
}

void desk_order_state(struct desk *desk, uint64_t order, enum order_status status, int64_t cum,
                      uint8_t head_flags)
{
    struct slot slot[3];
    struct record_report *report = desk_report_for(desk, slot, RECORD_ORDER_STATE, order);
    report->head.flags = head_flags;
    report->status = (uint8_t)status;
    report->cum_qty = cum;
    report->request = REQUEST_QUERY;
    if (status != ORDER_STATUS_NOT_FOUND) {
        report->flags = REPORT_HAS_CUM;
    }
    desk_feed(desk, slot);
}

/* ------------------------------------------------------------------ what was said */

void desk_forget(struct desk *desk)
{
    desk->said_count = 0;
    desk->said_slots = 0;
}

static const struct slot *said(const struct desk *desk, uint32_t *at)
{
    if (*at >= desk->said_slots) {
        return NULL;
    }
    const struct slot *slot = &desk->said[*at];
    *at += record_head_of(slot)->slot_count;
    return slot;
}

uint32_t desk_count(const struct desk *desk, enum record_type type)
{
    uint32_t count = 0;
    const struct slot *slot;
    for (uint32_t at = 0; (slot = said(desk, &at)) != NULL;) {
        count += record_head_of(slot)->type == type;
    }
    return count;
}

const struct record_order *desk_order_role(const struct desk *desk, enum record_type type,
                                           enum order_role role, uint32_t n)
{
    const struct slot *slot;
    for (uint32_t at = 0; (slot = said(desk, &at)) != NULL;) {
        const struct record_order *order = (const struct record_order *)record_head_of(slot);
        if (order->head.type == type && (role == 0 || order->role == role) && n-- == 0) {
            return order;
        }
    }
    return NULL;
}

const struct record_order *desk_order(const struct desk *desk, enum record_type type, uint32_t n)
{
    return desk_order_role(desk, type, 0, n);
}

uint32_t desk_count_role(const struct desk *desk, enum record_type type, enum order_role role)
{
    uint32_t count = 0;
    while (desk_order_role(desk, type, role, count) != NULL) {
        count++;
    }
    return count;
}

const struct record_event *desk_event(const struct desk *desk, enum event_code code, uint32_t n)
{
    const struct slot *slot;
    for (uint32_t at = 0; (slot = said(desk, &at)) != NULL;) {
        const struct record_event *event = (const struct record_event *)record_head_of(slot);
        if (event->head.type == RECORD_EVENT && event->code == code && n-- == 0) {
            return event;
        }
    }
    return NULL;
}

uint32_t desk_count_event(const struct desk *desk, enum event_code code)
{
    uint32_t count = 0;
    while (desk_event(desk, code, count) != NULL) {
        count++;
    }
    return count;
}

struct order *desk_quote(struct desk *desk, enum side side, uint32_t level)
{
    uint16_t row = desk->s->instance[0].quote.order[side][level];
    return row == ORDER_NONE ? NULL : &desk->s->orders.row[row];
}

int64_t desk_delta_e8(struct desk *desk)
{
    struct strategy_view view;
    strategy_view(desk->s, &view);
    return view.delta_e8;
}

void desk_answer(struct desk *desk, bool fill_hedges)
{
    /* Answers may say more: go on until all is quiet. */
    for (int turn = 0; turn < 50 && desk->said_slots != 0; turn++) {
        uint32_t slots = desk->said_slots;
        struct slot *copy = aligned_alloc(64, slots * sizeof *copy);
        memcpy(copy, desk->said, slots * sizeof *copy);
        desk_forget(desk);
        for (uint32_t at = 0; at < slots; at += record_head_of(&copy[at])->slot_count) {
            const struct record_order *said_order = (const struct record_order *)record_head_of(&copy[at]);
            uint8_t type = said_order->head.type;
            if (type < RECORD_ORDER_NEW || type > RECORD_ORDER_QUERY) {
                continue;
            }
            struct order *row = desk_row(desk, said_order->order);
            if (row == NULL || !order_is_live(row)) {
                continue;
            }
            struct slot slot[3];
            if (type == RECORD_ORDER_NEW && row->tif == TIF_IOC) {
                desk_ack(desk, row->id);
                if (fill_hedges) {
                    desk_fill(desk, row->id, row->qty, said_order->reference_price);
                }
            } else if (type == RECORD_ORDER_NEW) {
                desk_ack(desk, row->id);
            } else if (type == RECORD_ORDER_AMEND) {
                struct record_report *report = desk_report_for(desk, slot, RECORD_AMENDED, row->id);
                report->tie = said_order->tie;
                desk_feed(desk, slot);
            } else if (type == RECORD_ORDER_CANCEL) {
                desk_end(desk, row->id, RECORD_CANCELLED, row->filled);
            } else if (type == RECORD_ORDER_QUERY) {
                desk_order_state(desk, row->id, row->filled > 0 ? ORDER_STATUS_PARTIAL : ORDER_STATUS_OPEN,
                                 row->filled, 0);
            }
        }
        free(copy);
    }
}

void desk_check(struct desk *desk)
{
    struct strategy *s = desk->s;
    exposure_check(&s->exposure);
    uint32_t live = 0;
    for (uint32_t i = 0; i < ORDER_MAX; i++) {
        order_check(&s->orders, &s->orders.row[i]);
        live += order_is_live(&s->orders.row[i]);
    }
    cr_assert_eq(live, s->orders.live);
    for (uint32_t i = 0; i < s->instance_count; i++) {
        struct instance *instance = &s->instance[i];
        uint32_t placed = 0;
        for (uint32_t side = 0; side < 2; side++) {
            for (uint32_t level = 0; level < PARAMS_LEVELS_MAX; level++) {
                uint16_t row = instance->quote.order[side][level];
                if (row != ORDER_NONE) {
                    placed++;
                    cr_assert(order_is_live(&s->orders.row[row]));
                    cr_assert_eq(s->orders.row[row].side, side);
                }
            }
        }
        cr_assert_eq(placed, instance->quote.live);
    }
}
