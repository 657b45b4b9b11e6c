#include "hot/strategy/exec/flatten.h"

#include "hot/strategy/exec/hedge.h"
#include "hot/strategy/request.h"
#include "hot/strategy/risk.h"

bool flatten_holds(const struct strategy *s, const struct exposure_leg *leg)
{
    if (leg->instrument == NO_INSTRUMENT || leg->position.qty == 0) {
        return false;
    }
    const struct instrument *row = &s->instrument[leg->instrument];
    int64_t lots = decimal_to_step(base_abs(leg->position.qty), row->lot, ROUND_DOWN);
    return lots >= base_max(row->min_qty, row->lot);
}

static bool working(struct strategy *s, const struct instance *instance, uint16_t instrument)
{
    for (struct order *order = order_first(&s->orders, 0, instance->slot); order != NULL;
         order = order_after(&s->orders, 0, order)) {
        if (order->instrument == instrument && order->role == ORDER_ROLE_FLATTEN) {
            return true;
        }
    }
    return false;
}

/* One IOC against the leg; true when the leg still needs time. */
static bool unwind(struct strategy *s, struct instance *instance, enum leg which)
{
    const struct exposure_leg *leg = &s->exposure.instance[instance->slot].leg[which];
    if (!flatten_holds(s, leg)) {
        return false;
    }
    if (working(s, instance, leg->instrument)) {
        return true;
    }
    if (s->now_ns < instance->flatten_retry_ns) {
        state_due(s, instance->flatten_retry_ns);
        return true;
    }
    instance->flatten_retry_ns = s->now_ns + HEDGE_BACKOFF_NS;
    state_due(s, instance->flatten_retry_ns);
    if (s->book[leg->instrument].status != INSTRUMENT_TRADING || !state_gateway_up(s, leg->account)) {
        return true;
    }
    const struct instrument *row = &s->instrument[leg->instrument];
    enum side side = leg->position.qty > 0 ? SIDE_SELL : SIDE_BUY;
    uint64_t stale_ns =
        (uint64_t)(which == LEG_QUOTE ? instance->params.quote_stale_ns : instance->params.hedge_stale_ns);
    int64_t touch_price;
    int64_t price = hedge_limit(s, leg->instrument, side, instance->params.hedge_band_centibp, stale_ns,
                                false, &touch_price);
    if (price == 0) {
        return true;
    }
    int64_t total = s->exposure.holding[leg->holding].total_qty;
    bool reduce_only = row->kind != KIND_SPOT && (total > 0) == (leg->position.qty > 0) &&
                       base_abs(total) >= base_abs(leg->position.qty);
    int64_t qty = base_min(base_abs(leg->position.qty), hedge_chunk(s, leg->instrument, price));
    qty = decimal_to_step(qty, row->lot, ROUND_DOWN);
    if (qty < kind_smallest_qty(row, price, reduce_only)) {
        return false; /* dust: nothing the venue would take */
    }
    struct risk_ask ask = { .slot = instance->slot,
                            .account = leg->account,
                            .instrument = leg->instrument,
                            .side = side,
                            .price = price,
                            .qty = qty,
                            .reduces = true,
                            .venue_reduces = reduce_only };
    if (risk_check(s, &ask) != RISK_OK) {
        return true;
    }
    struct request_new request = { .slot = instance->slot,
                                   .account = leg->account,
                                   .instrument = leg->instrument,
                                   .leg = which,
                                   .order_class = ORDER_CLASS_FLATTEN,
                                   .role = ORDER_ROLE_FLATTEN,
                                   .side = side,
                                   .tif = TIF_IOC,
                                   .flags = reduce_only ? ORDER_FLAG_REDUCE_ONLY : 0,
                                   .price = price,
                                   .qty = qty,
                                   .reference_price = touch_price,
                                   .timeout_ns = (uint64_t)instance->params.hedge_timeout_ns };
    request_new(s, &request);
    return true;
}

void flatten_orphan(struct strategy *s, struct instance *instance)
{
    if (s->restored && s->exposure.instance[instance->slot].leg[LEG_ORPHAN].position.qty != 0 &&
        instance->state != INSTANCE_RESTORING && instance->state != INSTANCE_FLATTENING) {
        unwind(s, instance, LEG_ORPHAN);
    }
}

void flatten_update(struct strategy *s, struct instance *instance)
{
    const struct exposure_instance *held = &s->exposure.instance[instance->slot];

    if (instance->state == INSTANCE_FLAT && (flatten_holds(s, &held->leg[LEG_QUOTE]))) {
        instance_step(instance, INSTANCE_EVENT_FLATTEN); /* a late execution */
        instance->flatten_tail = 0;
    }
    if (instance->state != INSTANCE_FLATTENING || !s->restored) {
        return;
    }
    if (instance->quote.live != 0) {
        return; /* quote_pull has cancelled; their final quantities come first */
    }
    if (unwind(s, instance, LEG_ORPHAN) || unwind(s, instance, LEG_QUOTE)) {
        instance->flatten_tail = 0;
        return;
    }
    if (!instance->flatten_tail) {
        if (hedge_at_work_e12(s, instance, false) != 0) {
            return;
        }
        instance->flatten_tail = 1;
        instance->hedge.open = false;
        hedge_measure(s, instance); /* closes the naked episode: hedging is off from here */
    }
    bool busy = unwind(s, instance, LEG_HEDGE);
    busy = unwind(s, instance, LEG_SECOND) || busy;
    if (!busy && order_first(&s->orders, 0, instance->slot) == NULL) {
        instance_step(instance, INSTANCE_EVENT_QUIET);
    }
}
