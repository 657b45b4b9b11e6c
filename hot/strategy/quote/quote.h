/* quote: passive orders on one leg, priced from what hedging them on the other costs now.
 *
 * Price.  Let S be the average price at which a full quote could be hedged now (a walk down the hedge
 * book), c the conversion between the legs' currencies, o the fair offset (fair.h).  A bid stands at
 *
 *     S_sell x c x (1 + o) x (1 - fees - hedge_cost - min_profit - shift - level x level_step)
 *
 * and an ask at S_buy x c x (1 + o) x (1 + the same with the shift's sign reversed).  fees are the maker
 * fee of the quoted leg and the taker fee of the hedge leg; shift = skew x (position - target) /
 * max_inventory moves both quotes down when too much is held and up when too little.  min_profit is what
 * is left with the position at its target: away from it the skew gives some of it away on the side that
 * comes home and asks that much more on the other, so a trader who must never give profit away sets
 * skew_centibp no larger than min_profit_centibp.  Rounding is away from the market.
 *
 * A post-only quote stands at least one tick behind the other side's touch, the nearer of book and top;
 * our own bid stands below our own ask.  Sizes are cut so that everything resting on a side, executed,
 * stays within max_inventory.
 *
 * Changes.  An order stays while its ideal price is within requote_ticks.  Moving away from the market is
 * immediate; moving closer, or filling up after an execution, waits requote_min_ns since the order's last
 * change.  A price or size changes by an amend (one order, one id) where the venue can, else by cancel and
 * new once the venue has told the final quantity.  Strategy core. */
#ifndef POISE_HOT_STRATEGY_QUOTE_QUOTE_H
#define POISE_HOT_STRATEGY_QUOTE_QUOTE_H

#include "hot/strategy/state.h"

/* quote_open prepares an instance's quoting. */
void quote_open(struct strategy *s, struct instance *instance);

/* quote_update decides what should rest now and sends what follows.  Cheap when nothing moved. */
void quote_update(struct strategy *s, struct instance *instance);

/* quote_pull cancels what rests; does nothing that was done already. */
void quote_pull(struct strategy *s, struct instance *instance);

/* quote_ended forgets an order that left the live set; refused: it never rested. */
void quote_ended(struct strategy *s, struct instance *instance, const struct order *order, bool refused);

/* quote_adopt puts a restored order of the instance back in its place; false when the place is taken or it
 * has none: the caller cancels it. */
bool quote_adopt(struct strategy *s, struct instance *instance, const struct order *order);

/* quote_holds: the order stands in one of the instance's places. */
bool quote_holds(const struct strategy *s, const struct instance *instance, const struct order *order);

/* quote_sample feeds the fair offset; on the clock. */
void quote_sample(struct strategy *s, struct instance *instance);

/* quote_reason says why nothing may be quoted now. */
enum pull_reason quote_reason(struct strategy *s, struct instance *instance, struct quote_inputs *inputs);

#endif
