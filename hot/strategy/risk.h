/* risk: the gate every order passes.
 *
 * A refusal is counted by kind and told by EVENT_RISK_REFUSED, at most one a second a kind.  An order that
 * reduces exposure (a hedge, an unwinding) is never refused by a limit on risk: only by its price band, by
 * what the venue cannot take (steps, sizes, an instrument that does not trade, a gateway that is down), and
 * by having no id or row left.  Strategy core. */
#ifndef POISE_HOT_STRATEGY_RISK_H
#define POISE_HOT_STRATEGY_RISK_H

#include "hot/strategy/state.h"

/* Ids of RECORD_CELL CELL_LIMIT, value[0]: limits that may be changed while running. */
enum risk_limit {
    LIMIT_MAX_ORDER = 1,
    LIMIT_MAX_POSITION,
    LIMIT_MAX_DELTA,
    LIMIT_PRICE_BAND,
    LIMIT_MAX_ORDERS_PER_S,
    LIMIT_MAX_OPEN_ORDERS,
    LIMIT_MAX_LOSS,
    LIMIT_MAX_UNKNOWN,
};

struct risk_ask {
    uint16_t slot;
    uint16_t account, instrument;
    enum side side;
    int64_t price;
    int64_t qty;                /* what it may still execute */
    const struct order *amends; /* the order it replaces, or NULL */
    bool reduces;               /* exposure: a hedge or an unwinding */
    bool venue_reduces;         /* ORDER_FLAG_REDUCE_ONLY is set: the venue's minimum value does not count */
};

/* risk_check answers RISK_OK or the first reason against, counted and told. */
enum risk_refusal risk_check(struct strategy *s, const struct risk_ask *ask);

/* risk_rate_take takes one order from the rate of quotes; false when there is none.  A cancel takes one
 * too (risk_rate_spend) but is never refused. */
bool risk_rate_take(struct strategy *s);
void risk_rate_spend(struct strategy *s);

/* risk_refuse counts and tells a refusal. */
void risk_refuse(struct strategy *s, uint16_t slot, enum risk_refusal refusal, int64_t detail);

/* risk_band answers the furthest price in the taking direction that the bands allow; 0 when there is no
 * reference at all. */
int64_t risk_band(const struct strategy *s, uint16_t instrument, enum side side);

/* risk_crosses answers a live order of ours on the other side that this price would meet, or NULL.  Two
 * orders that never rest cannot meet: takes says that this one is IOC. */
struct order *risk_crosses(struct strategy *s, uint16_t instrument, enum side side, int64_t price, bool takes,
                           const struct order *except);

/* risk_delta_e8 is the sum of the instances' deltas in a coin. */
int64_t risk_delta_e8(const struct strategy *s, uint16_t base);

/* risk_delta_beyond: that sum is beyond max_delta_e8.  No division: asked on every tick. */
bool risk_delta_beyond(const struct strategy *s, uint16_t base);

/* risk_limit sets a limit from a cell; false for an unknown id or a negative value. */
bool risk_limit(struct strategy *s, int64_t id, int64_t value);

#endif
