#include "hot/strategy/restore.h"

#include "hot/strategy/exec/hedge.h"
#include "hot/strategy/quote/quote.h"
#include "hot/strategy/request.h"
#include "hot/strategy/rules.h"

/* In the padding of RESTORE records: what the shared layout has no field for. */
#define SEEN_FEE_OPEN_MARK 0x1

static bool blob_fits(const struct slot *record, size_t bytes)
{
    return record_head_of(record)->slot_count >= record_slots_for_blob(bytes);
}

static bool within(int64_t value, int64_t most)
{
    return value >= -most && value <= most;
}

static bool take_instrument(struct strategy *s, const struct slot *record)
{
    struct instrument row;
    if (!blob_fits(record, sizeof row)) {
        return false;
    }
    record_blob_read(record, &row, sizeof row);
    if (row.index >= INSTRUMENT_MAX || instrument_check(&row) != NULL || !kind_is_traded(row.kind) ||
        row.base >= CURRENCY_MAX || row.quote >= CURRENCY_MAX || row.settle >= CURRENCY_MAX ||
        row.tick > BOOK_PRICE_MAX || row.lot > row.max_qty) {
        return false;
    }
    bool inverse = row.kind == KIND_INVERSE_PERPETUAL || row.kind == KIND_INVERSE_FUTURE;
    if (inverse && row.settle != row.base) {
        return false; /* the identity of exposure.h needs it */
    }
    s->instrument[row.index] = row;
    s->scale[row.index] = kind_scale(&row);
    exposure_bound(&s->exposure, row.index);
    book_reset(&s->book[row.index], row.status, s->exposure.bound[row.index].price);
    return true;
}

static bool take_account(struct strategy *s, const struct slot *record)
{
    struct account row;
    if (!blob_fits(record, sizeof row)) {
        return false;
    }
    record_blob_read(record, &row, sizeof row);
    if (row.index >= ACCOUNT_MAX) {
        return false;
    }
    s->account[row.index] = row;
    s->account_known |= 1ULL << row.index;
    return true;
}

static bool take_fee(struct strategy *s, const struct record_fee *record)
{
    if (!state_account_known(s, record->head.account) ||
        !state_instrument_known(s, record->head.instrument) || !within(record->maker_centibp, 100000) ||
        !within(record->taker_centibp, 100000)) {
        return false;
    }
    s->fee[record->head.account][record->head.instrument] =
        (struct fee_row){ record->maker_centibp, record->taker_centibp, true };
    return true;
}

static bool take_risk(struct strategy *s, const struct slot *record)
{
    struct risk_params risk;
    if (!blob_fits(record, sizeof risk)) {
        return false;
    }
    record_blob_read(record, &risk, sizeof risk);
    if (risk.max_order_e8 < 0 || risk.max_position_e8 < 0 || risk.max_delta_e8 < 0 ||
        risk.price_band_centibp < 0 || risk.price_band_centibp > 1000000 || risk.max_orders_per_s < 0 ||
        risk.max_orders_per_s > 1000000 || risk.max_open_orders < 0 || risk.max_loss_e8 < 0 ||
        risk.max_unknown < 0 || risk.stale_clock_ns < 0 || risk.max_rejects_per_min < 0 ||
        risk.report_currency >= CURRENCY_MAX) {
        return false;
    }
    s->risk = risk;
    s->has_risk = true;
    return true;
}

const char *restore_params_check(const struct strategy *s, const struct quote_params *params)
{
    const int64_t most = 1000000;
    const int64_t time_most = 1LL << 60;

    if (params->kind != STRATEGY_QUOTE || params->instance > ORDER_INSTANCE_MAX) {
        return "not a quote instance";
    }
    if (s->slot_of[params->instance] != ORDER_LISTS || s->instance_count == PARAMS_INSTANCE_MAX) {
        return "instance number taken, or too many instances";
    }
    if (!state_instrument_known(s, params->quote_instrument) ||
        !state_account_known(s, params->quote_account) ||
        !state_instrument_known(s, params->hedge_instrument) ||
        !state_account_known(s, params->hedge_account)) {
        return "a leg's instrument or account is not known";
    }
    const struct instrument *quoted = &s->instrument[params->quote_instrument];
    if (params->quote_instrument == params->hedge_instrument ||
        s->instrument[params->hedge_instrument].base != quoted->base) {
        return "the legs must be two instruments on one coin";
    }
    if (params->second_instrument != NO_INSTRUMENT &&
        (!state_instrument_known(s, params->second_instrument) ||
         !state_account_known(s, params->second_account) ||
         s->instrument[params->second_instrument].base != quoted->base ||
         params->second_instrument == params->quote_instrument ||
         params->second_instrument == params->hedge_instrument)) {
        return "the second hedge leg is not a third instrument on the coin";
    }
    if (params->levels < 1 || params->levels > PARAMS_LEVELS_MAX || params->size <= 0 ||
        params->size > quoted->max_qty || params->size_step_percent < 0 || params->size_step_percent > 1000) {
        return "levels or sizes";
    }
    if (params->max_inventory < 0 || params->max_inventory > EXPOSURE_QTY_MAX ||
        !within(params->target_inventory, params->max_inventory) || params->skew_centibp < 0 ||
        params->skew_centibp > most) {
        return "inventory or skew";
    }
    if (params->level_step_centibp < 0 || params->level_step_centibp > most / 10 ||
        params->min_profit_centibp < -most / 10 || params->min_profit_centibp > most / 2 ||
        !within(params->hedge_cost_centibp, most / 2) || params->max_spread_centibp < 0 ||
        params->max_depth_percent < 0 || params->max_depth_percent > 100 || params->requote_ticks < 0 ||
        params->requote_ticks > most) {
        return "price parameters";
    }
    if (params->fair_half_life_ns < 0 || params->fair_half_life_ns > time_most ||
        params->fair_bound_centibp < 0) {
        return "fair offset";
    }
    if (params->quote_stale_ns <= 0 || params->hedge_stale_ns <= 0 || params->hedge_timeout_ns <= 0 ||
        params->max_naked_ns <= 0 || params->ladder_step_ns <= 0 || params->requote_min_ns < 0 ||
        params->refresh_ns < 0 || params->position_grace_ns < 0 || params->quote_stale_ns > time_most ||
        params->hedge_stale_ns > time_most || params->hedge_timeout_ns > time_most ||
        params->max_naked_ns > time_most || params->ladder_step_ns > time_most ||
        params->requote_min_ns > time_most || params->refresh_ns > time_most) {
        return "a time";
    }
    if (params->hedge_min_e8 < 0 || params->hedge_min_e8 > EXPOSURE_MONEY_MAX / 10000 ||
        params->hedge_band_centibp < 0 || params->hedge_band_centibp > most / 2 ||
        params->emergency_band_centibp < 0 || params->emergency_band_centibp > most / 2 ||
        params->max_naked_e8 < 0 || params->max_fee_surprise_centibp < 0 ||
        !within(params->allocation_e8, EXPOSURE_MONEY_MAX / 10000)) {
        return "hedge parameters";
    }
    return NULL;
}

static bool take_params(struct strategy *s, const struct slot *record)
{
    struct quote_params params;
    if (!blob_fits(record, sizeof params)) {
        return false;
    }
    record_blob_read(record, &params, sizeof params);
    if (restore_params_check(s, &params) != NULL) {
        return false;
    }
    uint32_t slot = s->instance_count;
    struct instance *instance = &s->instance[slot];
    memset(instance, 0, sizeof *instance);
    instance->used = 1;
    instance->slot = (uint16_t)slot;
    instance->params = params;
    instance->base = s->instrument[params.quote_instrument].base;

    exposure_open(&s->exposure, slot, instance->base,
                  params.delta_basis == DELTA_USD ? params.allocation_e8 : 0);
    if (!exposure_open_leg(&s->exposure, slot, LEG_QUOTE, params.quote_account, params.quote_instrument) ||
        !exposure_open_leg(&s->exposure, slot, LEG_HEDGE, params.hedge_account, params.hedge_instrument)) {
        return false;
    }
    s->users[params.quote_instrument] |= 1ULL << slot;
    s->users[params.hedge_instrument] |= 1ULL << slot;
    if (params.second_instrument != NO_INSTRUMENT) {
        if (!exposure_open_leg(&s->exposure, slot, LEG_SECOND, params.second_account,
                               params.second_instrument)) {
            return false;
        }
        s->users[params.second_instrument] |= 1ULL << slot;
    }
    s->slot_of[params.instance] = (uint16_t)slot;
    s->instance_count++;
    quote_open(s, instance);
    return true;
}

static bool take_position(struct strategy *s, const struct record_restore_position *record)
{
    uint16_t account = record->head.account;
    uint16_t instrument = record->head.instrument;
    if (!state_account_known(s, account) || !state_instrument_known(s, instrument)) {
        return false;
    }
    struct position position = { .qty = record->qty,
                                 .notional_e12 =
                                     (int128)((unsigned __int128)(uint64_t)record->notional_high << 64 |
                                              record->notional_low) };
    uint16_t slot = record->instance <= ORDER_INSTANCE_MAX ? s->slot_of[record->instance] : ORDER_LISTS;
    if (slot >= PARAMS_INSTANCE_MAX) {
        return exposure_restore(&s->exposure, EXPOSURE_UNASSIGNED, LEG_QUOTE, account, instrument, &position);
    }
    for (uint32_t leg = 0; leg < LEG_ORPHAN; leg++) {
        const struct exposure_leg *row = &s->exposure.instance[slot].leg[leg];
        if (row->instrument == instrument && row->account == account) {
            return exposure_restore(&s->exposure, slot, leg, account, instrument, &position);
        }
    }
    if (position.qty == 0) {
        return true;
    }
    struct instance *instance = &s->instance[slot];
    struct exposure_leg *orphan = &s->exposure.instance[slot].leg[LEG_ORPHAN];
    bool free_leg = orphan->instrument == NO_INSTRUMENT ||
                    (orphan->instrument == instrument && orphan->account == account);
    if (instance->params.on_orphan == ON_ORPHAN_FLATTEN && free_leg &&
        s->instrument[instrument].base == instance->base &&
        exposure_open_leg(&s->exposure, slot, LEG_ORPHAN, account, instrument)) {
        s->users[instrument] |= 1ULL << slot;
        return exposure_restore(&s->exposure, slot, LEG_ORPHAN, account, instrument, &position);
    }
    if (instance->params.on_orphan == ON_ORPHAN_REFUSE) {
        state_halt(s, EXPOSURE_UNASSIGNED, HALT_ORPHAN);
    }
    return exposure_restore(&s->exposure, EXPOSURE_UNASSIGNED, LEG_QUOTE, account, instrument, &position);
}

static bool take_cash(struct strategy *s, const struct record_restore_cash *record)
{
    if (!state_account_known(s, record->head.account) || record->currency >= CURRENCY_MAX ||
        record->part >= PNL_PART_COUNT) {
        return false;
    }
    uint32_t slot = record->instance <= ORDER_INSTANCE_MAX ? s->slot_of[record->instance] : ORDER_LISTS;
    exposure_cash(&s->exposure, slot >= PARAMS_INSTANCE_MAX ? EXPOSURE_UNASSIGNED : slot,
                  record->head.account, record->currency, record->part, record->amount_e8);
    return true;
}

/* What was made before counts on, unless the limits say that a loss counts from the start. */
static bool take_pnl(struct strategy *s, const struct record_restore_pnl *record)
{
    uint16_t slot = record->instance <= ORDER_INSTANCE_MAX ? s->slot_of[record->instance] : ORDER_LISTS;
    if (record->head.slot_count < 2 || !within(record->first_e8, EXPOSURE_MONEY_MAX) ||
        !within(record->allocation_e8, EXPOSURE_MONEY_MAX)) {
        return false;
    }
    if (slot >= PARAMS_INSTANCE_MAX || !s->has_risk || record->currency != s->risk.report_currency ||
        s->risk.loss_since != LOSS_SINCE_FIRST_FILL) {
        return true;
    }
    struct instance *instance = &s->instance[slot];
    instance->carried = true;
    instance->equity_first_e8 = record->first_e8;
    instance->allocation_then_e8 = record->allocation_e8;
    for (uint32_t part = 0; part < PNL_PART_COUNT; part++) {
        instance->part_e8[part] = state_money(record->part_e8[part]);
    }
    return true;
}

static const uint8_t role_of_class[] = { ORDER_ROLE_QUOTE, ORDER_ROLE_HEDGE, ORDER_ROLE_FLATTEN, 0 };

static bool take_order(struct strategy *s, const struct record_report *record)
{
    if (record->head.slot_count < 3 || !state_account_known(s, record->head.account) ||
        !state_instrument_known(s, record->head.instrument) || record->side > SIDE_SELL) {
        return false;
    }
    const struct exposure_bound *bound = &s->exposure.bound[record->head.instrument];
    int64_t filled = (record->flags & REPORT_HAS_CUM) ? record->cum_qty : 0;
    int64_t open_qty = (record->flags & REPORT_PRICE_OPEN) ? record->last_qty : 0;
    bool terminal = (record->flags & REPORT_TERMINAL) != 0;
    if (record->order_qty <= 0 || record->order_qty > bound->qty || record->order_price <= 0 ||
        record->order_price > bound->price || filled < 0 || filled > bound->qty || open_qty < 0 ||
        open_qty > filled || (terminal && open_qty == 0)) {
        return terminal && open_qty == 0;
    }
    struct order *order = order_take(&s->orders, record->order);
    if (order == NULL) {
        return false;
    }
    uint16_t slot = order_id_engine(record->order) == s->engine ? s->slot_of[order_id_instance(record->order)]
                                                                : ORDER_LISTS;
    uint32_t leg_role = order_id_leg_role(record->order);
    order->slot = slot;
    order->instance = slot < PARAMS_INSTANCE_MAX ? s->instance[slot].params.instance : NO_INSTANCE;
    order->leg = leg_role & 3;
    order->role = role_of_class[leg_role >> 2];
    order->tif = order->role == ORDER_ROLE_QUOTE ? TIF_GTC : TIF_IOC;
    order->instrument = record->head.instrument;
    order->account = record->head.account;
    order->side = record->side;
    order->level = (uint8_t)base_min(record->spare32 & 0xff, UINT8_MAX);
    order->price = order->want_price = record->order_price;
    order->qty = order->want_qty = record->order_qty;
    order->filled = filled;
    order->open_qty = open_qty;
    order->open_named = base_min((int64_t)(record->spare64 & INT64_MAX), open_qty);
    order->open_price = record->price > 0 && record->price <= bound->price ? record->price : order->price;
    order->reference_price = order->price;
    order->acked =
        record->status == ORDER_STATUS_OPEN || record->status == ORDER_STATUS_PARTIAL || filled != 0;
    order->by_link = 1;
    order->stranger = (record->flags & REPORT_FOREIGN) != 0;
    order->tie = record->tie;
    order->sent_ns = order->changed_ns = s->now_ns;
    order->flags =
        order->role == ORDER_ROLE_QUOTE && slot < PARAMS_INSTANCE_MAX && s->instance[slot].params.post_only
            ? ORDER_FLAG_POST_ONLY
            : 0;
    order_step(&s->orders, order, ORDER_EVENT_RESTORE);
    order->deadline_ns = s->now_ns + ORDER_QUERY_FIRST_NS;
    if (terminal) {
        order_step(&s->orders, order, ORDER_EVENT_STATE_FINAL);
    }
    if (open_qty != 0) {
        order->open_since_ns = s->now_ns;
        s->open_count++;
    }
    return true;
}

static bool take_exec(struct strategy *s, const struct record_report *record)
{
    if (record->head.slot_count < 3 || record->exec_id == 0 || record->side > SIDE_SELL) {
        return false;
    }
    struct seen_key key = { .exec_id = record->exec_id,
                            .account = record->head.account,
                            .instrument = record->head.instrument,
                            .side = record->side };
    if (seen_find(&s->seen, &key) != NULL) {
        return true;
    }
    struct seen_entry *entry = seen_add(&s->seen, &key);
    entry->order = record->order;
    entry->qty = record->last_qty;
    bool sane = record->fee_e8 > -EXPOSURE_MONEY_MAX && record->fee_e8 < EXPOSURE_MONEY_MAX;
    entry->fee_e8 = sane ? record->fee_e8 : 0;
    entry->fee_currency = record->fee_currency;
    entry->flags = (uint16_t)((record->flags & REPORT_PRICE_OPEN ? SEEN_PRICE_OPEN : 0) |
                              (record->spare32 & SEEN_FEE_OPEN_MARK ? SEEN_FEE_OPEN : 0));
    return true;
}

/* Blocks only ever go up: an id that might have been used is not taken again. */
static bool take_counter(struct strategy *s, const struct record_counter_block *record)
{
    uint64_t next = record->next;
    uint64_t last = s->id_end2 != 0 ? s->id_end2 : s->id_end;
    if (next == 0) {
        next = 1;
    }
    if (next >= record->end || record->end > ORDER_COUNTER_MAX) {
        return false;
    }
    if (next < last) {
        if (record->end <= last) {
            return false;
        }
        next = last;
    }
    if (next == last && s->id_end2 == 0 && last != 0) {
        s->id_end = record->end;
    } else if (s->id_next == s->id_end && s->id_end2 == 0) {
        s->id_next = next;
        s->id_end = record->end;
    } else if (s->id_end2 == 0) {
        s->id_next2 = next;
        s->id_end2 = record->end;
    } else if (next == s->id_end2) {
        s->id_end2 = record->end;
    } else {
        return false;
    }
    s->ids_told = request_ids_left(s) <= IDS_LOW ? s->ids_told : false;
    return true;
}

static bool take_done(struct strategy *s)
{
    if (!s->begun) {
        return false;
    }
    s->restored = true;
    s->tokens_e9 = s->risk.max_orders_per_s * 1000000000LL;
    s->tokens_ns = s->now_ns;
    s->clock_ns = s->now_ns;
    for (uint32_t slot = 0; slot < s->instance_count; slot++) {
        struct instance *instance = &s->instance[slot];
        const struct quote_params *params = &instance->params;
        uint16_t quote_currency = s->instrument[params->quote_instrument].quote;
        instance->quote_rate_row =
            convert_find(&s->convert, s->instrument[params->hedge_instrument].quote, quote_currency);
        instance->report_rate_row = convert_find(&s->convert, quote_currency, s->risk.report_currency);
        instance_step(instance, INSTANCE_EVENT_RESTORED);

        for (struct order *order = order_first(&s->orders, 0, (uint16_t)slot); order != NULL;
             order = order_after(&s->orders, 0, order)) {
            if (order->role == ORDER_ROLE_QUOTE && params->on_restart == ON_RESTART_ADOPT) {
                quote_adopt(s, instance, order);
            }
        }
        /* What moved under hedges that were out when we stopped is not known: it explains them. */
        int128 at_work = hedge_at_work_e12(s, instance, false);
        instance->hedge.explained_e12[0] = at_work < 0 ? -at_work : at_work;
        instance->hedge.explained_e12[1] = instance->hedge.explained_e12[0];
        if (params->on_restart == ON_RESTART_FLATTEN) {
            instance_step(instance, INSTANCE_EVENT_FLATTEN);
        }
    }
    s->order_due_ns = 0;
    return true;
}

bool restore_consume(struct strategy *s, const struct slot *record)
{
    const struct record_head *head = record_head_of(record);
    switch (head->type) {
    case RECORD_RESTORE_COUNTER:
        return take_counter(s, (const struct record_counter_block *)head);
    case RECORD_FEE:
        return take_fee(s, (const struct record_fee *)head);
    case RECORD_CONVERT:
        return convert_add(&s->convert, (const struct record_convert *)head);
    default:
        break;
    }
    if (s->restored) {
        return head->type == RECORD_INSTRUMENT ? rules_take(s, record) : true; /* the rest is known already */
    }
    switch (head->type) {
    case RECORD_BEGIN: {
        const struct record_begin_run *begin = (const struct record_begin_run *)head;
        if (head->slot_count < 2 || s->begun || begin->engine > ORDER_ENGINE_MAX) {
            return false;
        }
        s->begun = true;
        s->run = begin->run;
        s->engine = begin->engine;
        s->mode = begin->mode;
        s->wall_ns = begin->wall_ns;
        s->tie = (begin->run & 0x3fffffff) << 32;
        return true;
    }
    case RECORD_TEXT:
        return true;
    case RECORD_INSTRUMENT:
        return take_instrument(s, record);
    case RECORD_ACCOUNT:
        return take_account(s, record);
    case RECORD_RISK:
        return take_risk(s, record);
    case RECORD_PARAMS:
        return take_params(s, record);
    case RECORD_RESTORE_POSITION:
        return take_position(s, (const struct record_restore_position *)head);
    case RECORD_RESTORE_CASH:
        return take_cash(s, (const struct record_restore_cash *)head);
    case RECORD_RESTORE_PNL:
        return take_pnl(s, (const struct record_restore_pnl *)head);
    case RECORD_RESTORE_ORDER:
        return take_order(s, (const struct record_report *)head);
    case RECORD_RESTORE_EXEC:
        return take_exec(s, (const struct record_report *)head);
    case RECORD_RESTORE_DONE:
        return take_done(s);
    default:
        return false;
    }
}

/* ------------------------------------------------------------------ writing it down */

struct writer {
    void (*write)(void *context, const struct slot *record);
    void *context;
    uint64_t now_ns;
    struct slot slot[3];
};

static void *begin(struct writer *writer, enum record_type type, uint8_t slot_count)
{
    memset(writer->slot, 0, sizeof writer->slot);
    return record_begin(writer->slot, type, slot_count, writer->now_ns);
}

static void write_position(struct writer *writer, uint16_t account, uint16_t instrument, uint16_t instance,
                           uint16_t leg, const struct position *position)
{
    if (position->qty == 0 && position->notional_e12 == 0) {
        return;
    }
    struct record_restore_position *record = begin(writer, RECORD_RESTORE_POSITION, 1);
    record->head.account = account;
    record->head.instrument = instrument;
    record->instance = instance;
    record->leg = leg;
    record->qty = position->qty;
    record->notional_high = (int64_t)(position->notional_e12 >> 64);
    record->notional_low = (uint64_t)position->notional_e12;
    writer->write(writer->context, writer->slot);
}

static void write_cash(struct writer *writer, uint16_t instance, const struct exposure_cash *rows)
{
    for (uint32_t i = 0; i < EXPOSURE_CASH_ROWS && rows[i].currency != CURRENCY_NONE; i++) {
        for (uint32_t part = 0; part < PNL_PART_COUNT; part++) {
            if (rows[i].amount_e8[part] == 0) {
                continue;
            }
            struct record_restore_cash *record = begin(writer, RECORD_RESTORE_CASH, 1);
            record->head.account = rows[i].account;
            record->instance = instance;
            record->currency = rows[i].currency;
            record->part = part;
            record->amount_e8 = rows[i].amount_e8[part];
            writer->write(writer->context, writer->slot);
        }
    }
}

static void write_pnl(struct writer *writer, const struct strategy *s, const struct instance *instance)
{
    struct record_restore_pnl *record = begin(writer, RECORD_RESTORE_PNL, 2);
    record->instance = instance->params.instance;
    record->currency = s->risk.report_currency;
    record->first_e8 = instance->equity_first_e8;
    record->allocation_e8 = instance->equity_known ? s->exposure.instance[instance->slot].allocation_e8
                                                   : instance->allocation_then_e8;
    memcpy(record->part_e8, instance->part_e8, sizeof record->part_e8);
    writer->write(writer->context, writer->slot);
}

static void write_order(struct writer *writer, const struct order *order)
{
    struct record_report *record = begin(writer, RECORD_RESTORE_ORDER, 3);
    record->head.account = order->account;
    record->head.instrument = order->instrument;
    record->order = order->id;
    record->price = order->open_price;
    record->last_qty = order->open_qty;
    record->cum_qty = order->filled;
    record->order_qty = base_max(order->qty, order->want_qty);
    record->order_price = order->price;
    record->side = order->side;
    record->status = !order->acked        ? ORDER_STATUS_NONE
                     : order->filled == 0 ? ORDER_STATUS_OPEN
                                          : ORDER_STATUS_PARTIAL;
    record->flags = REPORT_HAS_CUM;
    record->flags |= order->open_qty != 0 ? REPORT_PRICE_OPEN : 0;
    record->flags |= order->stranger ? REPORT_FOREIGN : 0;
    record->flags |= order->state == ORDER_DONE ? REPORT_TERMINAL : 0;
    record->fee_currency = CURRENCY_NONE;
    record->tie = order->tie;
    record->spare32 = order->level;
    record->spare64 = (uint64_t)order->open_named;
    writer->write(writer->context, writer->slot);
}

static void write_seen(struct writer *writer, const struct seen *seen)
{
    uint32_t first = (seen->next + SEEN_MAX - seen->count) % SEEN_MAX;
    for (uint32_t i = 0; i < seen->count; i++) {
        const struct seen_entry *entry = &seen->entry[(first + i) % SEEN_MAX];
        struct record_report *record = begin(writer, RECORD_RESTORE_EXEC, 3);
        record->head.account = entry->key.account;
        record->head.instrument = entry->key.instrument;
        record->order = entry->order;
        record->exec_id = entry->key.exec_id;
        record->side = (uint8_t)entry->key.side;
        record->last_qty = entry->qty;
        record->fee_e8 = entry->fee_e8;
        record->fee_currency = entry->fee_currency;
        record->flags = entry->flags & SEEN_PRICE_OPEN ? REPORT_PRICE_OPEN : 0;
        record->spare32 = entry->flags & SEEN_FEE_OPEN ? SEEN_FEE_OPEN_MARK : 0;
        writer->write(writer->context, writer->slot);
    }
}

static void write_counter(struct writer *writer, uint64_t next, uint64_t end)
{
    if (next < end) {
        struct record_counter_block *record = begin(writer, RECORD_RESTORE_COUNTER, 1);
        record->next = next;
        record->end = end;
        writer->write(writer->context, writer->slot);
    }
}

void restore_write(const struct strategy *s, void (*write)(void *context, const struct slot *record),
                   void *context)
{
    struct writer writer = { .write = write, .context = context, .now_ns = s->now_ns };

    for (uint32_t i = 0; i < s->instance_count; i++) {
        const struct exposure_instance *held = &s->exposure.instance[i];
        for (uint32_t leg = 0; leg < LEG_COUNT; leg++) {
            if (held->leg[leg].instrument != NO_INSTRUMENT) {
                write_position(&writer, held->leg[leg].account, held->leg[leg].instrument,
                               s->instance[i].params.instance, (uint16_t)leg, &held->leg[leg].position);
            }
        }
        write_cash(&writer, s->instance[i].params.instance, held->cash);
        if (s->instance[i].equity_known || s->instance[i].carried) {
            write_pnl(&writer, s, &s->instance[i]);
        }
    }
    for (uint32_t i = 0; i < s->exposure.holding_count; i++) {
        const struct exposure_holding *holding = &s->exposure.holding[i];
        write_position(&writer, holding->account, holding->instrument, NO_INSTANCE, 0, &holding->unassigned);
    }
    write_cash(&writer, NO_INSTANCE, s->exposure.unassigned_cash);
    for (uint32_t i = 0; i < ORDER_MAX; i++) {
        const struct order *order = &s->orders.row[i];
        if (order_is_live(order) || (order->state == ORDER_DONE && order->open_qty != 0)) {
            write_order(&writer, order);
        }
    }
    write_seen(&writer, &s->seen);
    write_counter(&writer, s->id_next, s->id_end);
    write_counter(&writer, s->id_next2, s->id_end2);
}
