#include "hot/strategy/rules.h"

#include "hot/strategy/exec/hedge.h"
#include "hot/strategy/request.h"

static bool is_same_contract(const struct instrument *was, const struct instrument *is)
{
    return memcmp(was->symbol, is->symbol, sizeof was->symbol) == 0 && was->venue == is->venue &&
           was->product == is->product && was->kind == is->kind &&
           was->price_decimals == is->price_decimals && was->qty_decimals == is->qty_decimals &&
           was->base == is->base && was->quote == is->quote && was->settle == is->settle &&
           was->contract_e8 == is->contract_e8 && was->expiry_ns == is->expiry_ns;
}

/* What can be counted was measured when the run began and stays: a venue's new largest order is cut to it. */
static void cut(struct instrument *row, const struct exposure_bound *bound)
{
    row->max_qty = base_min(row->max_qty, bound->qty);
    row->max_market_qty = base_min(row->max_market_qty, bound->qty);
    row->max_price = base_min(row->max_price, bound->price);
}

/* A quote between the new ticks is good at the venue, and no amend of it to anywhere near would be: it goes,
 * and another one stands where the grid has a place. */
static void clear_grid(struct strategy *s, const struct instance *instance, uint16_t instrument)
{
    struct order *next;
    for (struct order *order = order_first(&s->orders, 0, instance->slot); order != NULL; order = next) {
        next = order_after(&s->orders, 0, order);
        if (order->role == ORDER_ROLE_QUOTE && order->instrument == instrument &&
            order->state == ORDER_OPEN && order->price % s->instrument[instrument].tick != 0) {
            request_cancel(s, order);
        }
    }
}

bool rules_take(struct strategy *s, const struct slot *record)
{
    struct instrument row;
    if (record_head_of(record)->slot_count < record_slots_for_blob(sizeof row)) {
        return false;
    }
    record_blob_read(record, &row, sizeof row);
    if (!state_instrument_known(s, row.index)) {
        return false;
    }
    struct instrument *now = &s->instrument[row.index];
    cut(&row, &s->exposure.bound[row.index]);
    if (!is_same_contract(now, &row) || instrument_check(&row) != NULL || row.tick > BOOK_PRICE_MAX ||
        row.lot > row.max_qty) {
        return false;
    }
    if (memcmp(now, &row, sizeof row) == 0 && s->book[row.index].status == row.status) {
        return true; /* known already: the head of a later segment */
    }
    bool grid = now->tick != row.tick || now->lot != row.lot;
    *now = row;
    s->scale[row.index] = kind_scale(&row);
    book_status(&s->book[row.index], row.status);
    for (uint64_t slots = s->users[row.index]; slots != 0; slots &= slots - 1) {
        struct instance *instance = &s->instance[__builtin_ctzll(slots)];
        instance->quote.walk_at = 0; /* in lots: measured again */
        hedge_rules(s, instance);
        clear_grid(s, instance, row.index);
    }
    state_event(s, EVENT_RULES, NO_INSTANCE, grid ? 1 : 0, row.tick, row.lot, row.status, row.index);
    state_wake(s, s->users[row.index]);
    return true;
}
