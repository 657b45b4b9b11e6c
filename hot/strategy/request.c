#include "hot/strategy/request.h"

#define QUERIES_PER_STEP 64

static struct record_order *order_record(struct strategy *s, enum record_type type, const struct order *order)
{
    struct slot *slot = outbox_add(s->outbox, type, 2, s->now_ns);
    struct record_order *record = (struct record_order *)(void *)slot->payload;
    record->head.instrument = order->instrument;
    record->head.account = order->account;
    record->order = order->id;
    record->tie = order->tie;
    record->side = order->side;
    record->role = order->role;
    record->instance = order->instance;
    record->leg = order->leg;
    record->level = order->level;
    record->cum_qty = order->filled;
    record->trigger_ns = s->trigger_ns;
    return record;
}

static uint64_t next_tie(struct strategy *s)
{
    s->tie++;
    return s->tie;
}

bool request_step(struct strategy *s, struct order *order, enum order_event event)
{
    uint8_t from = order->state;
    bool moved = order_step(&s->orders, order, event);
    if (POISE_UNLIKELY(!moved)) {
        state_event(s, EVENT_TABLE_REFUSED, order->instance, 1, from, event, (int64_t)order->id, 0);
    }
    return moved;
}

static void order_due(struct strategy *s, struct order *order, uint64_t at_ns)
{
    order->deadline_ns = at_ns;
    if (at_ns < s->order_due_ns) {
        s->order_due_ns = at_ns;
    }
    state_due(s, at_ns);
}

/* Ids come from a block whose upper end is on disk.  The last of them are for hedges. */
static uint64_t take_id(struct strategy *s, enum order_class order_class)
{
    uint64_t left = request_ids_left(s);
    if (left == 0 || (order_class == ORDER_CLASS_QUOTE && left <= IDS_FOR_HEDGES)) {
        return 0;
    }
    if (s->id_next == s->id_end) {
        s->id_next = s->id_next2;
        s->id_end = s->id_end2;
        s->id_next2 = 0;
        s->id_end2 = 0;
    }
    if (left <= IDS_LOW && !s->ids_told) {
        s->ids_told = true;
        state_event(s, EVENT_COUNTER_LOW, NO_INSTANCE, 1, (int64_t)(left - 1), 0, 0, 0);
    }
    return s->id_next++;
}

/* The decision becomes an order record. */
struct order *request_new(struct strategy *s, const struct request_new *request)
{
    if (s->orders.live >= ORDER_LIVE_MAX) {
        return NULL;
    }
    const struct instance *instance = &s->instance[request->slot];
    uint64_t counter = take_id(s, request->order_class);
    if (counter == 0) {
        return NULL;
    }
    uint64_t id = order_id_make(s->engine, instance->params.instance,
                                (uint32_t)request->leg | (uint32_t)request->order_class << 2, counter);
    struct order *order = order_take(&s->orders, id);
    if (order == NULL) {
        return NULL;
    }
    order->slot = request->slot;
    order->instance = instance->params.instance;
    order->instrument = request->instrument;
    order->account = request->account;
    order->leg = (uint8_t)request->leg;
    order->role = request->role;
    order->level = request->level;
    order->side = (uint8_t)request->side;
    order->tif = (uint8_t)request->tif;
    order->flags = request->flags;
    order->price = order->want_price = request->price;
    order->qty = order->want_qty = request->qty;
    order->reference_price = request->reference_price;
    order->fill_ns = request->fill_ns;
    order->sent_ns = order->changed_ns = s->now_ns;
    order->tie = next_tie(s);
    request_step(s, order, ORDER_EVENT_SEND);
    order_due(s, order, s->now_ns + request->timeout_ns);

    struct record_order *record = order_record(s, RECORD_ORDER_NEW, order);
    record->price = request->price;
    record->qty = request->qty;
    record->tif = (uint8_t)request->tif;
    record->flags = request->flags;
    record->reference_price = request->reference_price;
    record->fill_ns = request->fill_ns;
    record->expected_centibp = request->expected_centibp;
    return order;
}

bool request_amend(struct strategy *s, struct order *order, int64_t price, int64_t qty,
                   int64_t reference_price, int64_t expected_centibp)
{
    if (!request_step(s, order, ORDER_EVENT_AMEND)) {
        return false;
    }
    order->want_price = price;
    order->want_qty = qty;
    order->reference_price = reference_price;
    order->changed_ns = s->now_ns;
    order->amends++;
    order->refusals = 0;
    order->tie = next_tie(s);
    order_due(s, order, s->now_ns + REQUEST_TIMEOUT_NS);

    struct record_order *record = order_record(s, RECORD_ORDER_AMEND, order);
    record->price = price;
    record->qty = qty;
    record->tif = order->tif;
    record->flags = order->flags;
    record->reference_price = reference_price;
    record->expected_centibp = expected_centibp;
    return true;
}

bool request_cancel(struct strategy *s, struct order *order)
{
    if (!request_step(s, order, ORDER_EVENT_CANCEL)) {
        return false;
    }
    order->changed_ns = s->now_ns;
    order->tie = next_tie(s);
    order->retry_ns = s->now_ns + CANCEL_RETRY_NS;
    if (!order_in_doubt(order)) {
        order_due(s, order, s->now_ns + REQUEST_TIMEOUT_NS);
    }
    order_record(s, RECORD_ORDER_CANCEL, order);
    return true;
}

static uint64_t query_interval(const struct order *order)
{
    uint64_t interval = order->queries < 8 ? ORDER_QUERY_FIRST_NS << order->queries : ORDER_QUERY_LAST_NS;
    return interval < ORDER_QUERY_LAST_NS ? interval : ORDER_QUERY_LAST_NS;
}

bool request_query(struct strategy *s, struct order *order)
{
    if (!state_gateway_up(s, order->account)) {
        if (order_is_live(order)) {
            order_due(s, order, s->now_ns + ORDER_QUERY_FIRST_NS);
        }
        return false;
    }
    if (!request_step(s, order, ORDER_EVENT_QUERY)) {
        return false;
    }
    order->queries++;
    order->tie = next_tie(s);
    if (order_is_live(order)) {
        order_due(s, order, s->now_ns + QUERY_TIMEOUT_NS);
    }
    struct record_order *record = order_record(s, RECORD_ORDER_QUERY, order);
    record->level = (uint8_t)base_min(order->queries, UINT8_MAX);
    return true;
}

void request_doubt(struct strategy *s, struct order *order, enum order_event event, bool by_link)
{
    bool was = order_in_doubt(order);
    if (!request_step(s, order, event) || !order_in_doubt(order)) {
        return;
    }
    if (!was) {
        order->by_link = by_link;
        order->queries = 0;
        order->misses = 0;
        order->changed_ns = s->now_ns;
        if (!by_link && request_query(s, order)) {
            return;
        }
    }
    /* News of the same doubt never puts the next question off. */
    uint64_t ask_ns = s->now_ns + query_interval(order);
    if (order->state == ORDER_UNKNOWN && (order->deadline_ns <= s->now_ns || order->deadline_ns > ask_ns)) {
        order_due(s, order, ask_ns);
    }
}

static void fire(struct strategy *s, struct order *order)
{
    switch ((enum order_state)order->state) {
    case ORDER_SENT:
    case ORDER_OPEN:
    case ORDER_AMENDING:
    case ORDER_CANCELLING:
    case ORDER_QUERIED:
        request_doubt(s, order, ORDER_EVENT_TIMEOUT, order->by_link);
        break;
    case ORDER_UNKNOWN:
        request_query(s, order);
        break;
    case ORDER_FREE:
    case ORDER_DONE:
    case ORDER_STATE_COUNT:
        break;
    }
}

void request_timers(struct strategy *s)
{
    if (s->now_ns < s->order_due_ns) {
        state_due(s, s->order_due_ns);
        return;
    }
    s->order_due_ns = UINT64_MAX;
    uint32_t fired = 0;
    for (uint16_t slot = 0; slot <= ORDER_LISTS; slot++) {
        for (struct order *order = order_first(&s->orders, 0, slot); order != NULL;
             order = order_after(&s->orders, 0, order)) {
            if (order->deadline_ns == 0) {
                continue;
            }
            if (order->deadline_ns > s->now_ns) {
                order_due(s, order, order->deadline_ns);
            } else if (fired < QUERIES_PER_STEP) {
                fired++;
                fire(s, order);
            } else {
                order_due(s, order, s->now_ns + 1000000);
            }
        }
    }
}
