/* hedge: brings an instance's delta back to zero.
 *
 * Hedges are sized from exposure, never from single fills: need = -(delta + what hedges at work may still
 * add), where every hedge that is not finished, UNKNOWN ones included, counts as if it will be executed.
 * So nothing is hedged twice.  For naked time and the worst case the same hedges count as not executed.
 * Quantities round down to the hedge leg's lot, so what is left is smaller than the smallest order the
 * venue accepts; it stays in the delta and goes with the next one.
 *
 * An order is IOC, limited to the touch and a band beyond it; never a market order, never on a crossed,
 * stale or unproved book.  It is split by max_order and the venue's largest order.  reduce_only is never
 * set on a hedge: the account's position is shared by instances and partly in flight, so the venue would
 * refuse or shrink the very order that makes us safe; conservation is proved here instead.
 *
 * Conservation.  Hedges at work plus executed never exceed the exposure they answer by more than one
 * minimum order.  Exposure that moves the other way while hedges are out (an opposite fill) is remembered
 * as explained and hedged back afterwards.  A breach halts everything.
 *
 * Naked.  An instance is naked while |delta| is at least the smallest hedge.  The clock starts with the
 * stamp of the record that made it so, ends when it is below, and starts anew when the sign turns.  It
 * does not run before hedging was possible for the first time after a start.  Strategy core. */
#ifndef POISE_HOT_STRATEGY_EXEC_HEDGE_H
#define POISE_HOT_STRATEGY_EXEC_HEDGE_H

#include "hot/strategy/state.h"

#define HEDGE_BURST 8 /* orders in one step */

/* hedge_measure looks at what is naked and since when; the ladder, then hedge_update, go by it. */
void hedge_measure(struct strategy *s, struct instance *instance);

/* hedge_update sends what is due. */
void hedge_update(struct strategy *s, struct instance *instance);

/* hedge_at_work_e12 is what the instance's unfinished hedges may still add to delta; only those in doubt
 * when `doubtful`. */
int128 hedge_at_work_e12(struct strategy *s, const struct instance *instance, bool doubtful);

/* hedge_explain tells of delta that moved by anything but a hedge. */
void hedge_explain(struct strategy *s, struct instance *instance, int128 change_e12);

/* hedge_rules takes it that what the venue accepts has changed: hedges at work that were sized by a larger
 * smallest order are no breach. */
void hedge_rules(struct strategy *s, struct instance *instance);

/* hedge_filled checks conservation after an execution of a hedge; halts on a breach. */
void hedge_filled(struct strategy *s, struct instance *instance, const struct order *order, int64_t qty,
                  int128 change_e12);

/* hedge_ended takes the end of a hedge order: met nothing, or refused: wait longer each time. */
void hedge_ended(struct strategy *s, struct instance *instance, const struct order *order, bool refused);

/* hedge_waits_on: an instance other than this one has a hedge to send on the instrument: nobody places a
 * quote in its way. */
bool hedge_waits_on(const struct strategy *s, uint16_t instrument, const struct instance *except);

/* hedge_due: something hedgeable is naked or at work. */
bool hedge_due(struct strategy *s, struct instance *instance);

/* hedge_limit is the price of a taking order on an instrument: the touch and band_centibp beyond it, at a
 * tick, inside the risk bands; 0 when the book may not be used.  mark_will_do: a fresh mark stands in for
 * an unusable book (emergency only).  *touch_price gets what the band was measured from. */
int64_t hedge_limit(struct strategy *s, uint16_t instrument, enum side side, int64_t band_centibp,
                    uint64_t stale_ns, bool mark_will_do, int64_t *touch_price);

/* hedge_chunk is the largest quantity one order may have. */
int64_t hedge_chunk(const struct strategy *s, uint16_t instrument, int64_t price);

/* hedge_send_reduction sends one IOC on the quoted leg that answers exposure (the ladder's fifth rung);
 * answers whether something went out. */
bool hedge_send_reduction(struct strategy *s, struct instance *instance);

#endif
