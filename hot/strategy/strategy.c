#include "hot/strategy/strategy.h"

#include "hot/strategy/exec/flatten.h"
#include "hot/strategy/exec/hedge.h"
#include "hot/strategy/exec/ladder.h"
#include "hot/strategy/pnl.h"
#include "hot/strategy/quote/fair.h"
#include "hot/strategy/quote/quote.h"
#include "hot/strategy/report.h"
#include "hot/strategy/request.h"
#include "hot/strategy/restore.h"
#include "hot/strategy/risk.h"
#include "hot/strategy/state.h"

size_t strategy_bytes(void)
{
    return sizeof(struct strategy);
}

struct strategy *strategy_init(void *memory)
{
    struct strategy *s = memory;
    memset(s, 0, sizeof *s);
    for (uint32_t i = 0; i < INSTRUMENT_MAX; i++) {
        book_reset(&s->book[i], INSTRUMENT_UNKNOWN, BOOK_PRICE_MAX);
    }
    for (uint32_t i = 0; i <= ORDER_INSTANCE_MAX; i++) {
        s->slot_of[i] = ORDER_LISTS;
    }
    exposure_init(&s->exposure, s->instrument);
    order_table_init(&s->orders);
    s->next_ns = UINT64_MAX;
    s->order_due_ns = UINT64_MAX;
    return s;
}

void state_event(struct strategy *s, enum event_code code, uint16_t instance, uint16_t severity,
                 int64_t value_0, int64_t value_1, int64_t value_2, int64_t value_3)
{
    struct record_event *event =
        (struct record_event *)(void *)outbox_add(s->outbox, RECORD_EVENT, 1, s->now_ns)->payload;
    event->code = code;
    event->instance = instance;
    event->severity = severity;
    event->value[0] = value_0;
    event->value[1] = value_1;
    event->value[2] = value_2;
    event->value[3] = value_3;
}

/* ------------------------------------------------------------------ what follows */

/* How long a stop waits for executions that are known by their sum alone. */
#define STOP_PRICE_WAIT_NS 8000000000ULL

static void check_stopped(struct strategy *s)
{
    if (!s->stopping || s->stopped) {
        return;
    }
    for (uint32_t i = 0; i < s->instance_count; i++) {
        if (s->instance[i].state != INSTANCE_STOPPED && s->instance[i].state != INSTANCE_FLAT) {
            return;
        }
    }
    if (s->orders.live != 0) {
        return;
    }
    /* A quantity that only a cumulative figure told is in the position but not yet in the books: its
     * execution is on its way, and whoever leaves before it came leaves books that differ. */
    if (s->open_count != 0) {
        if (s->leave_ns == 0) {
            s->leave_ns = s->now_ns + STOP_PRICE_WAIT_NS;
        }
        if (s->now_ns < s->leave_ns) {
            state_due(s, s->leave_ns);
            return;
        }
    }
    s->stopped = true;
    state_event(s, EVENT_STOPPED, NO_INSTANCE, 0, 0, 0, 0, 0);
}

static void settle_exposure(struct strategy *s, struct instance *instance)
{
    hedge_measure(s, instance);
    ladder_update(s, instance);
    hedge_update(s, instance);
    flatten_orphan(s, instance);
}

static void settle_quotes(struct strategy *s, struct instance *instance)
{
    quote_update(s, instance);
    if (instance->state == INSTANCE_FLATTENING || instance->state == INSTANCE_FLAT) {
        flatten_update(s, instance);
        check_stopped(s);
    } else if (instance->state == INSTANCE_STOPPING) {
        if (order_first(&s->orders, 0, instance->slot) == NULL && !hedge_due(s, instance)) {
            instance_step(instance, INSTANCE_EVENT_QUIET);
        }
        check_stopped(s);
    } else if (instance->state == INSTANCE_STOPPED) {
        check_stopped(s);
    }
}

void state_settle(struct strategy *s, struct instance *instance)
{
    settle_exposure(s, instance);
    settle_quotes(s, instance);
}

void state_answer(struct strategy *s, uint64_t slots)
{
    s->rest_slots |= slots;
    while (slots != 0) {
        uint32_t slot = (uint32_t)__builtin_ctzll(slots);
        slots &= slots - 1;
        s->instance[slot].quote.dirty = true;
        settle_exposure(s, &s->instance[slot]);
    }
}

void state_wake(struct strategy *s, uint64_t slots)
{
    while (slots != 0) {
        uint32_t slot = (uint32_t)__builtin_ctzll(slots);
        slots &= slots - 1;
        s->instance[slot].quote.dirty = true;
        state_settle(s, &s->instance[slot]);
    }
}

static uint64_t all_slots(const struct strategy *s)
{
    return s->instance_count == 64 ? UINT64_MAX : (1ULL << s->instance_count) - 1;
}

/* The halt itself is at once; what must be cancelled is cancelled when the record has been consumed, so
 * that nothing changes under the code that found the fault. */
void state_halt(struct strategy *s, uint32_t slot, enum halt_reason reason)
{
    if (slot < PARAMS_INSTANCE_MAX) {
        struct instance *instance = &s->instance[slot];
        if (instance->state != INSTANCE_HALTED && instance_step(instance, INSTANCE_EVENT_HALT)) {
            instance->halt = (uint8_t)reason;
            state_event(s, EVENT_HALT, instance->params.instance, 2, reason, 0, 0, 0);
            s->pull_slots |= 1ULL << slot;
        }
        return;
    }
    bool news = !s->halted;
    s->halted = true;
    s->halt = (uint8_t)reason;
    for (uint32_t i = 0; i < s->instance_count; i++) {
        instance_step(&s->instance[i], INSTANCE_EVENT_HALT);
        s->instance[i].halt = (uint8_t)reason;
    }
    s->pull_slots |= all_slots(s);
    s->cancel_all |= news;
    if (news) {
        state_event(s, EVENT_HALT, NO_INSTANCE, 2, reason, 0, 0, 0);
    }
}

/* Second line after the cancels of what we know: everything that rests where we quote. */
static void cancel_all(struct strategy *s)
{
    for (uint32_t i = 0; i < s->exposure.holding_count; i++) {
        const struct exposure_holding *holding = &s->exposure.holding[i];
        bool quoted = false;
        for (uint32_t slot = 0; slot < s->instance_count; slot++) {
            const struct quote_params *params = &s->instance[slot].params;
            quoted |=
                params->quote_instrument == holding->instrument && params->quote_account == holding->account;
        }
        if (!quoted || !state_gateway_up(s, holding->account)) {
            continue;
        }
        struct record_order *record =
            (struct record_order *)(void *)outbox_add(s->outbox, RECORD_CANCEL_ALL, 2, s->now_ns)->payload;
        record->head.instrument = holding->instrument;
        record->head.account = holding->account;
        record->instance = NO_INSTANCE;
        record->tie = ++s->tie;
        record->trigger_ns = s->trigger_ns;
    }
}

static void after_halt(struct strategy *s)
{
    uint64_t slots = s->pull_slots;
    bool all = s->cancel_all;
    s->pull_slots = 0;
    s->cancel_all = false;
    state_wake(s, slots);
    if (all) {
        cancel_all(s);
    }
}

/* ------------------------------------------------------------------ records */

/* A tick looks at what is pending, then at the quotes.  Nothing pending and nothing moved is the usual
 * case and costs a comparison. */
static void tick(struct strategy *s, uint16_t instrument)
{
    uint64_t slots = s->users[instrument];
    if (POISE_UNLIKELY(!s->restored)) {
        return;
    }
    while (slots != 0) {
        uint32_t slot = (uint32_t)__builtin_ctzll(slots);
        slots &= slots - 1;
        struct instance *instance = &s->instance[slot];
        if (POISE_UNLIKELY(instance->hedge.open || !instance->hedge.squared ||
                           instance->hedge.rung != RUNG_NONE || !instance_may_quote(instance))) {
            state_settle(s, instance);
        } else {
            quote_update(s, instance);
        }
    }
}

static void consume_state(struct strategy *s, const struct record_state *record)
{
    uint16_t instrument = record->head.instrument;
    if (!state_instrument_known(s, instrument)) {
        s->malformed++;
        return;
    }
    if (record->head.type == RECORD_FEED_STATE) {
        book_feed(&s->book[instrument], record->value);
    } else {
        book_status(&s->book[instrument], record->value);
    }
    state_wake(s, s->restored ? s->users[instrument] : 0);
}

static void consume_gateway(struct strategy *s, const struct record_state *record)
{
    uint16_t account = record->head.account;
    if (account >= ACCOUNT_MAX || record->value > GATEWAY_DEGRADED) {
        s->malformed++;
        return;
    }
    uint8_t before = s->gateway[account];
    s->gateway[account] = (uint8_t)record->value;
    if (before == GATEWAY_READY && record->value != GATEWAY_READY) {
        s->unread |= 1ULL << account;
    } else if (before != GATEWAY_READY && record->value == GATEWAY_READY) {
        s->ready_ns[account] = record->head.stamp_ns;
    }
    bool up = state_gateway_up(s, account);
    bool lost = !up || (before == GATEWAY_READY && record->value != GATEWAY_READY);
    uint64_t slots = 0;

    for (uint32_t i = 0; i < s->instance_count; i++) {
        const struct quote_params *params = &s->instance[i].params;
        if (params->quote_account == account || params->hedge_account == account ||
            (params->second_instrument != NO_INSTRUMENT && params->second_account == account)) {
            slots |= 1ULL << i;
        }
    }
    if (!s->restored) {
        return;
    }
    for (uint16_t slot = 0; slot <= ORDER_LISTS; slot++) {
        for (struct order *order = order_first(&s->orders, 0, slot); order != NULL;
             order = order_after(&s->orders, 0, order)) {
            if (order->account != account) {
                continue;
            }
            if (lost && !order_in_doubt(order)) {
                request_doubt(s, order, ORDER_EVENT_LINK_LOST, true);
                slots |= s->users[order->instrument];
            } else if (lost) {
                request_doubt(s, order, ORDER_EVENT_LINK_LOST, order->by_link);
            }
            if (record->value == GATEWAY_READY && order_in_doubt(order)) {
                order->queries = 0;
                request_query(s, order);
            }
        }
    }
    state_wake(s, slots);
}

static void pay(struct strategy *s, uint32_t slot, const struct record_balance *record, enum pnl_part part,
                int64_t amount_e8)
{
    if (slot == EXPOSURE_UNASSIGNED) {
        exposure_cash(&s->exposure, slot, record->head.account, record->currency, part, amount_e8);
        return;
    }
    int128 before = s->exposure.instance[slot].delta_e12;
    exposure_cash(&s->exposure, slot, record->head.account, record->currency, part, amount_e8);
    hedge_explain(s, &s->instance[slot], s->exposure.instance[slot].delta_e12 - before);
    pnl_cash(s, &s->instance[slot], part, record->currency, amount_e8);
}

/* A payment belongs to whoever holds the contracts, by their size; on what nobody holds any more, to the one
 * instance that trades it. */
static void share_cash(struct strategy *s, const struct record_balance *record, enum pnl_part part)
{
    int64_t weight[PARAMS_INSTANCE_MAX] = { 0 };
    int128 total = 0;
    int128 nobodys = 0;
    uint32_t last = EXPOSURE_UNASSIGNED, users = 0, user = EXPOSURE_UNASSIGNED;
    uint16_t account = record->head.account, instrument = record->head.instrument;

    for (uint32_t i = 0; i < s->instance_count; i++) {
        bool uses = false;
        for (uint32_t l = 0; l < LEG_COUNT; l++) {
            const struct exposure_leg *leg = &s->exposure.instance[i].leg[l];
            if (leg->instrument == NO_INSTRUMENT || leg->account != account ||
                s->instrument[leg->instrument].settle != record->currency ||
                (instrument != NO_INSTRUMENT && instrument != leg->instrument)) {
                continue;
            }
            weight[i] += base_abs(leg->position.qty);
            uses = uses || instrument != NO_INSTRUMENT;
        }
        users += uses;
        user = uses ? i : user;
        if (weight[i] != 0) {
            total += weight[i];
            last = i;
        }
    }
    for (uint32_t i = 0; i < s->exposure.holding_count; i++) {
        const struct exposure_holding *holding = &s->exposure.holding[i];
        if (holding->account == account && s->instrument[holding->instrument].settle == record->currency &&
            (instrument == NO_INSTRUMENT || instrument == holding->instrument)) {
            nobodys += base_abs(holding->unassigned.qty);
        }
    }
    total += nobodys;
    if (total == 0) {
        pay(s, users == 1 ? user : EXPOSURE_UNASSIGNED, record, part, record->change_e8);
        return;
    }
    int64_t left = record->change_e8;
    for (uint32_t i = 0; i < s->instance_count; i++) {
        if (weight[i] == 0) {
            continue;
        }
        int64_t share =
            i == last && nobodys == 0
                ? left
                : (int64_t)decimal_divide_wide((int128)record->change_e8 * weight[i], total, ROUND_ZERO);
        left -= share;
        pay(s, i, record, part, share);
    }
    if (left != 0) {
        pay(s, EXPOSURE_UNASSIGNED, record, part, left);
    }
}

static bool payment_is_new(struct strategy *s, const struct record_balance *record)
{
    struct payment_seen row = { .account = record->head.account,
                                .currency = record->currency,
                                .instrument = record->head.instrument,
                                .reason = record->reason,
                                .told = record->told,
                                .row = record->row,
                                .change_e8 = record->change_e8,
                                .venue_time_ns = record->venue_time_ns };
    for (uint32_t i = 0; i < FEES_SEEN && record->venue_time_ns != 0; i++) {
        const struct payment_seen *seen = &s->payment[i];
        bool same = row.told == CASH_TOLD_ROW
                        ? seen->row == row.row
                        : seen->change_e8 == row.change_e8 &&
                              (seen->instrument == row.instrument || seen->instrument == NO_INSTRUMENT ||
                               row.instrument == NO_INSTRUMENT);
        if (same && seen->told == row.told && seen->account == row.account && seen->reason == row.reason &&
            seen->currency == row.currency && seen->venue_time_ns == row.venue_time_ns) {
            return false;
        }
    }
    s->payment[s->payment_next++ % FEES_SEEN] = row;
    return true;
}

static void consume_balance(struct strategy *s, const struct record_balance *record)
{
    bool funding = record->reason == CASH_FUNDING || record->reason == CASH_DIVIDEND;
    bool fee =
        record->reason == CASH_FEE || record->reason == CASH_INTEREST || record->reason == CASH_LIQUIDATION;

    if (record->reason >= CASH_ACCRUED || record->told == CASH_TOLD_AGAIN) {
        return; /* it moves nothing, or its row is read and booked */
    }
    if (!state_account_known(s, record->head.account) || record->currency >= CURRENCY_MAX ||
        record->change_e8 < -EXPOSURE_MONEY_MAX || record->change_e8 > EXPOSURE_MONEY_MAX) {
        s->malformed++;
        return;
    }
    if ((!funding && !fee) || record->change_e8 == 0 || !s->begun) {
        return; /* trading cash is counted from fills; a transfer is the owner's, not an instance's */
    }
    if (payment_is_new(s, record)) {
        share_cash(s, record, funding ? PNL_FUNDING : PNL_FEE);
        state_wake(s, s->restored ? all_slots(s) : 0);
    }
}

static void consume_position(struct strategy *s, const struct record_position *record)
{
    if (!state_account_known(s, record->head.account) ||
        !state_instrument_known(s, record->head.instrument) || record->qty == INT64_MIN) {
        s->malformed++;
        return;
    }
    exposure_venue(&s->exposure, record->head.account, record->head.instrument, record->qty, s->now_ns);
}

/* A contract ended: what was held of it is cash, and what it hedged or was hedged by stands naked now. */
static void consume_delivery(struct strategy *s, const struct record_delivery *record)
{
    uint16_t instrument = record->head.instrument;
    int128 before[PARAMS_INSTANCE_MAX];
    int64_t held[PARAMS_INSTANCE_MAX];
    for (uint32_t i = 0; i < s->instance_count; i++) {
        before[i] = s->exposure.instance[i].delta_e12;
        held[i] = 0;
        for (uint32_t l = 0; l < LEG_COUNT; l++) {
            const struct exposure_leg *leg = &s->exposure.instance[i].leg[l];
            bool ends = leg->instrument == instrument && leg->account == record->head.account;
            held[i] += ends ? leg->position.qty : 0;
        }
    }
    if (!state_account_known(s, record->head.account) || !state_instrument_known(s, instrument) ||
        !exposure_deliver(&s->exposure, record->head.account, instrument, record->price_e8)) {
        s->malformed++;
        return;
    }
    book_status(&s->book[instrument], INSTRUMENT_CLOSED);
    for (uint32_t i = 0; i < s->instance_count; i++) {
        if (held[i] != 0) {
            hedge_explain(s, &s->instance[i], s->exposure.instance[i].delta_e12 - before[i]);
            s->instance[i].hedge.retry_ns = 0; /* what is naked is answered at once */
            state_event(s, EVENT_DELIVERED, s->instance[i].params.instance, 2, held[i], record->price_e8,
                        instrument, 0);
        }
    }
    state_wake(s, s->restored ? s->users[instrument] : 0);
}

static void command_instance(struct strategy *s, struct instance *instance,
                             const struct record_command *record)
{
    switch (record->command) {
    case COMMAND_STOP:
        instance_step(instance, INSTANCE_EVENT_STOP);
        break;
    case COMMAND_HALT:
        state_halt(s, instance->slot, HALT_COMMAND);
        break;
    case COMMAND_RESUME:
        if (instance_step(instance, INSTANCE_EVENT_RESUME)) {
            instance->halt = HALT_NONE;
            instance->rejects = 0;
            state_event(s, EVENT_RESUMED, instance->params.instance, 0, 0, 0, 0, 0);
        }
        break;
    case COMMAND_PAUSE:
        instance_step(instance, INSTANCE_EVENT_PAUSE);
        break;
    case COMMAND_FLATTEN:
        instance_step(instance, INSTANCE_EVENT_FLATTEN);
        break;
    case COMMAND_SHIFT_FAIR:
        fair_bound(&instance->fair, record->value[0]);
        break;
    default:
        s->malformed++;
        break;
    }
}

/* The ledger and the venues say different things: what is owned is not known well enough to own more. */
static void books_differ(struct strategy *s, bool differ)
{
    if (differ != s->books_differ) {
        s->books_differ = differ;
        state_event(s, EVENT_BOOKS_DIFFER, NO_INSTANCE, differ ? 2 : 0, differ, 0, 0, 0);
        state_wake(s, s->restored ? all_slots(s) : 0);
    }
}

/* What happened while a session was down was read; it is down again, if this is of an earlier time. */
static void account_read(struct strategy *s, int64_t account, int64_t ready_ns)
{
    if (account < 0 || account >= ACCOUNT_MAX) {
        s->malformed++;
        return;
    }
    bool current = s->gateway[account] == GATEWAY_READY && s->ready_ns[account] == (uint64_t)ready_ns;
    if (ready_ns == 0) {
        s->unread |= 1ULL << account;
    } else if (current) {
        s->unread &= ~(1ULL << account);
    } else {
        return;
    }
    state_wake(s, s->restored ? all_slots(s) : 0);
}

static void consume_command(struct strategy *s, const struct record_command *record)
{
    if (record->command == COMMAND_READ) {
        account_read(s, record->value[0], record->value[1]);
        return;
    }
    if (record->command == COMMAND_BOOKS) {
        books_differ(s, record->value[0] != 0);
        return;
    }
    if (record->instance != NO_INSTANCE) {
        uint16_t slot = record->instance <= ORDER_INSTANCE_MAX ? s->slot_of[record->instance] : ORDER_LISTS;
        if (slot >= PARAMS_INSTANCE_MAX) {
            s->malformed++;
            return;
        }
        command_instance(s, &s->instance[slot], record);
        state_wake(s, s->restored ? 1ULL << slot : 0);
        return;
    }
    if (record->command == COMMAND_HALT) {
        state_halt(s, EXPOSURE_UNASSIGNED, HALT_COMMAND);
        return;
    }
    if (record->command == COMMAND_STOP) {
        s->stopping = true;
    } else if (record->command == COMMAND_RESUME) {
        s->halted = false;
        s->halt = HALT_NONE;
        s->stopping = false;
        s->stopped = false;
    }
    for (uint32_t i = 0; i < s->instance_count; i++) {
        command_instance(s, &s->instance[i], record);
    }
    state_wake(s, s->restored ? all_slots(s) : 0);
    check_stopped(s);
}

static void consume_cell(struct strategy *s, const struct record_cell *record)
{
    switch (record->kind) {
    case CELL_FAIR_OFFSET:
        for (uint32_t i = 0; i < s->instance_count; i++) {
            if (record->instance == NO_INSTANCE || record->instance == s->instance[i].params.instance) {
                fair_set(&s->instance[i].fair, record->value[0]);
                s->instance[i].quote.dirty = true;
            }
        }
        break;
    case CELL_CONVERT:
        convert_cell(&s->convert, record->value[0], record->value[1], record->value[2],
                     (uint64_t)record->value[3]);
        break;
    case CELL_LIMIT:
        if (!risk_limit(s, record->value[0], record->value[1])) {
            s->malformed++;
        }
        break;
    case CELL_VOLATILITY: /* nothing here is priced by it yet */
        break;
    default:
        s->malformed++;
        break;
    }
    state_wake(s, s->restored ? all_slots(s) : 0);
}

/* Feed records were lost on the way: no view is complete until the next whole one. */
static void consume_lost(struct strategy *s)
{
    for (uint32_t i = 0; i < INSTRUMENT_MAX; i++) {
        if (s->instrument[i].kind != KIND_NONE && s->book[i].has_view) {
            uint8_t feed_state = s->book[i].feed_state;
            book_feed(&s->book[i], FEED_GAP);
            s->book[i].feed_state = feed_state;
        }
    }
    state_wake(s, s->restored ? all_slots(s) : 0);
}

/* ------------------------------------------------------------------ the clock */

static void best_quote(const struct strategy *s, const struct instance *instance, enum side side,
                       int64_t *price, int64_t *qty)
{
    for (uint32_t level = 0; level < PARAMS_LEVELS_MAX; level++) {
        uint16_t row = instance->quote.order[side][level];
        if (row != ORDER_NONE) {
            const struct order *order = &s->orders.row[row];
            *price = order->price;
            *qty = order_left(order);
            return;
        }
    }
}

static void emit_status(struct strategy *s, struct instance *instance)
{
    const struct exposure_instance *held = &s->exposure.instance[instance->slot];
    struct record_status *status =
        (struct record_status *)(void *)outbox_add(s->outbox, RECORD_STATUS, 3, s->now_ns)->payload;
    status->instance = instance->params.instance;
    status->state = instance->state;
    status->pull_reason = instance->pull;
    status->fills = instance->fills;
    status->quote_qty = held->leg[LEG_QUOTE].position.qty;
    status->hedge_qty = held->leg[LEG_HEDGE].position.qty;
    status->delta_e8 = state_money(decimal_divide_wide(held->delta_e12, 10000, ROUND_HALF_EVEN));
    status->hedges = instance->hedges;
    status->requotes = instance->requotes;
    status->naked_ns =
        instance->hedge.naked_since_ns != 0 ? (int64_t)(s->now_ns - instance->hedge.naked_since_ns) : 0;
    status->max_naked_ns = (int64_t)instance->hedge.max_naked_ns;
    best_quote(s, instance, SIDE_BUY, &status->bid_price, &status->bid_qty);
    best_quote(s, instance, SIDE_SELL, &status->ask_price, &status->ask_qty);
    status->fair_offset_centibp = fair_centibp(&instance->fair);
    for (uint32_t part = 0; part < PNL_PART_COUNT; part++) {
        status->pnl_e8[part] = instance->part_e8[part];
    }
}

static void look_at_results(struct strategy *s)
{
    int128 total = 0;
    for (uint32_t i = 0; i < s->instance_count; i++) {
        pnl_look(s, &s->instance[i]);
        emit_status(s, &s->instance[i]);
        total += pnl_total(&s->instance[i]);
    }
    if (s->has_risk && s->risk.max_loss_e8 != 0 && !s->halted && total < -(int128)s->risk.max_loss_e8) {
        state_halt(s, EXPOSURE_UNASSIGNED, HALT_LOSS);
    }
}

/* Orders whose fate nobody tells, while their gateway could: more than a few of them and something is wrong
 * that trading on would make worse. */
static void look_at_unknown(struct strategy *s)
{
    if (!s->has_risk || s->halted || s->orders.unknown_count <= s->risk.max_unknown) {
        return;
    }
    int64_t count = 0;
    for (uint16_t slot = 0; slot <= ORDER_LISTS; slot++) {
        for (struct order *order = order_first(&s->orders, 0, slot); order != NULL;
             order = order_after(&s->orders, 0, order)) {
            count += order_in_doubt(order) && !order->by_link &&
                     s->gateway[order->account] == GATEWAY_READY &&
                     s->now_ns - order->changed_ns >= UNKNOWN_HALT_NS;
        }
    }
    if (count > s->risk.max_unknown) {
        state_halt(s, EXPOSURE_UNASSIGNED, HALT_UNKNOWN);
    }
}

static void look_at_positions(struct strategy *s)
{
    for (uint32_t i = 0; i < s->exposure.holding_count; i++) {
        struct exposure_holding *holding = &s->exposure.holding[i];
        uint64_t differs_ns = exposure_differs(holding, s->now_ns);
        uint64_t slots = s->users[holding->instrument];
        if (differs_ns == 0 || holding->alarmed || slots == 0) {
            continue;
        }
        const struct instance *instance = &s->instance[__builtin_ctzll(slots)];
        if (differs_ns > (uint64_t)instance->params.position_grace_ns) {
            holding->alarmed = true;
            state_event(s, EVENT_POSITION_DIFFERS, instance->params.instance, 2, holding->total_qty,
                        holding->venue_qty, (int64_t)differs_ns, holding->instrument);
        }
    }
}

static void look_at_instance(struct strategy *s, struct instance *instance)
{
    if (s->now_ns - instance->reject_window_ns >= 60000000000ULL && instance->rejects != 0) {
        instance->reject_window_ns = s->now_ns;
        instance->rejects = 0;
    }
    if (instance->quote.again_ns != 0) {
        if (s->now_ns >= instance->quote.again_ns) {
            instance->quote.again_ns = 0;
            instance->quote.dirty = true;
        } else {
            state_due(s, instance->quote.again_ns);
        }
    }
    quote_sample(s, instance);
    state_settle(s, instance);
}

static void consume_clock(struct strategy *s, const struct record_clock *record)
{
    if (record->wall_ns != 0) {
        s->wall_ns = record->wall_ns;
    }
    s->clock_ns = s->now_ns;
    s->next_ns = UINT64_MAX;
    if (!s->restored) {
        return;
    }
    request_timers(s);
    for (uint32_t i = 0; i < s->instance_count; i++) {
        look_at_instance(s, &s->instance[i]);
    }
    report_open_prices(s);
    look_at_unknown(s);
    if (s->now_ns >= s->status_ns) {
        s->status_ns = s->now_ns + STATUS_INTERVAL_NS;
        look_at_positions(s);
        look_at_results(s);
    }
    state_due(s, s->status_ns);
}

void strategy_finish(struct strategy *s, struct outbox *outbox)
{
    s->outbox = outbox;
    while (s->rest_slots != 0) {
        uint32_t slot = (uint32_t)__builtin_ctzll(s->rest_slots);
        s->rest_slots &= s->rest_slots - 1;
        settle_quotes(s, &s->instance[slot]);
    }
    if (POISE_UNLIKELY(s->pull_slots != 0) && s->restored) {
        after_halt(s);
    }
    s->outbox = NULL;
}

/* Journey 4/8: one record in, what follows from it out. */
void strategy_step(struct strategy *s, const struct slot *record, struct outbox *outbox)
{
    if (strategy_begin(s, record, outbox)) {
        strategy_finish(s, outbox);
    }
}

bool strategy_begin(struct strategy *s, const struct slot *record, struct outbox *outbox)
{
    const struct record_head *head = record_head_of(record);
    s->outbox = outbox;
    s->records++;
    s->trigger_ns = head->stamp_ns;
    if (head->stamp_ns > s->now_ns) {
        s->now_ns = head->stamp_ns;
    }
    uint16_t instrument = head->instrument;
    bool known = state_instrument_known(s, instrument);

    switch (head->type) {
    case RECORD_BOOK:
        if (POISE_LIKELY(known)) {
            book_take_levels(&s->book[instrument], (const struct record_book *)head);
            tick(s, instrument);
        }
        break;
    case RECORD_TOP:
        if (POISE_LIKELY(known)) {
            book_take_top(&s->book[instrument], (const struct record_top *)head);
            tick(s, instrument);
        }
        break;
    case RECORD_TRADE:
        if (known) {
            book_trade(&s->book[instrument], (const struct record_trade *)head);
        }
        break;
    case RECORD_MARK:
        if (known) {
            book_mark(&s->book[instrument], (const struct record_mark *)head);
        }
        break;
    case RECORD_FEED_STATE:
    case RECORD_INSTRUMENT_STATE:
        consume_state(s, (const struct record_state *)head);
        break;
    case RECORD_ACK:
    case RECORD_REJECT:
    case RECORD_FILL:
    case RECORD_CANCELLED:
    case RECORD_EXPIRED:
    case RECORD_AMENDED:
    case RECORD_ORDER_STATE:
    case RECORD_UNKNOWN:
    case RECORD_CANCEL_ACK:
        if (s->begun) {
            report_consume(s, (const struct record_report *)head);
        }
        break;
    case RECORD_GATEWAY_STATE:
        consume_gateway(s, (const struct record_state *)head);
        break;
    case RECORD_BALANCE:
        consume_balance(s, (const struct record_balance *)head);
        break;
    case RECORD_POSITION:
        consume_position(s, (const struct record_position *)head);
        break;
    case RECORD_DELIVERY:
        consume_delivery(s, (const struct record_delivery *)head);
        break;
    case RECORD_COMMAND:
        consume_command(s, (const struct record_command *)head);
        break;
    case RECORD_CELL:
        consume_cell(s, (const struct record_cell *)head);
        break;
    case RECORD_CLOCK:
        consume_clock(s, (const struct record_clock *)head);
        break;
    case RECORD_LOST:
        consume_lost(s);
        break;
    default:
        if ((head->type >= RECORD_BEGIN && head->type <= RECORD_RESTORE_CASH) ||
            head->type == RECORD_RESTORE_PNL) {
            bool restored = s->restored;
            if (!restore_consume(s, record)) {
                s->malformed++;
            } else if (s->restored && !restored) {
                state_wake(s, all_slots(s));
            }
        }
        break;
    }
    s->outbox = NULL;
    if (POISE_UNLIKELY(s->pull_slots != 0) && s->restored) { /* a halt waits for nothing */
        strategy_finish(s, outbox);
    }
    return s->rest_slots != 0;
}

uint64_t strategy_next_ns(const struct strategy *s)
{
    return s->next_ns;
}

void strategy_state_write(const struct strategy *s, void (*write)(void *context, const struct slot *record),
                          void *context)
{
    restore_write(s, write, context);
}

void strategy_view(const struct strategy *s, struct strategy_view *view)
{
    memset(view, 0, sizeof *view);
    view->records = s->records;
    view->decisions = s->decisions;
    view->fills = s->fills;
    view->duplicate_fills = s->duplicate_fills;
    view->hedges = s->hedges;
    view->requotes = s->requotes;
    view->refused = s->refused;
    view->live_orders = s->orders.live;
    view->unknown_orders = s->orders.unknown_count;
    view->halted = s->halted;
    view->stopping = s->stopping;
    view->now_ns = s->now_ns;
    int128 delta = 0;
    for (uint32_t i = 0; i < s->instance_count; i++) {
        const struct instance *instance = &s->instance[i];
        delta += s->exposure.instance[i].delta_e12;
        view->halted |= instance->state == INSTANCE_HALTED;
        view->max_naked_ns = base_max(view->max_naked_ns, (int64_t)instance->hedge.max_naked_ns);
    }
    for (uint32_t i = 0; i < ORDER_MAX; i++) {
        uint8_t state = s->orders.row[i].state;
        view->open_requests += state == ORDER_SENT || state == ORDER_AMENDING || state == ORDER_CANCELLING ||
                               state == ORDER_QUERIED;
    }
    view->delta_e8 = state_money(delta / 10000);
    view->stopped = s->stopped && s->orders.live == 0;
}
