/* request: what is sent about orders, after the gate let it pass.
 *
 * Each function steps the order's row and appends one record to the outbox.  No check of limits is made
 * here: callers ask risk_check first.  Strategy core. */
#ifndef POISE_HOT_STRATEGY_REQUEST_H
#define POISE_HOT_STRATEGY_REQUEST_H

#include "hot/strategy/state.h"

struct request_new {
    uint16_t slot; /* instance */
    uint16_t account, instrument;
    enum leg leg;
    enum order_class order_class;
    uint8_t role; /* enum order_role */
    uint8_t level;
    enum side side;
    enum time_in_force tif;
    uint8_t flags; /* ORDER_FLAG_* */
    int64_t price, qty;
    int64_t reference_price;
    int64_t expected_centibp;
    uint64_t fill_ns;
    uint64_t timeout_ns; /* silence this long is TIMEOUT */
};

/* request_new sends a new order; NULL when no id or no row is left (counted by the caller's refusal). */
struct order *request_new(struct strategy *s, const struct request_new *request);

/* request_amend asks for another price and whole size of an OPEN order. */
bool request_amend(struct strategy *s, struct order *order, int64_t price, int64_t qty,
                   int64_t reference_price, int64_t expected_centibp);

/* request_cancel asks the venue to cancel; in doubt, it is asked as well and the doubt stays. */
bool request_cancel(struct strategy *s, struct order *order);

/* request_query asks what became of an order; false when its gateway cannot take it now. */
bool request_query(struct strategy *s, struct order *order);

/* request_doubt moves an order into doubt and schedules its query at once. */
void request_doubt(struct strategy *s, struct order *order, enum order_event event, bool by_link);

/* request_step is order_step with the refusal told. */
bool request_step(struct strategy *s, struct order *order, enum order_event event);

/* request_timers fires what is due of every live order and lowers next_ns to what is not. */
void request_timers(struct strategy *s);

/* request_ids_left is how many order ids may still be used. */
static inline uint64_t request_ids_left(const struct strategy *s)
{
    return (s->id_end - s->id_next) + (s->id_end2 - s->id_next2);
}

#endif
