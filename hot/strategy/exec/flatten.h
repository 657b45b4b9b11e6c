/* flatten: unwinds what an instance holds, by command or after a restart that says so.
 *
 * Quotes end first.  Then legs that no configuration names any more, then the quoted leg: IOC orders with
 * the hedge band, hedged as they execute.  When the quoted leg is gone hedging stops, and the rest of the
 * hedge legs (what stood against the instance's own coin) is unwound too.  What is smaller than the
 * smallest order the venue accepts stays, and is shown.  reduce_only is set when the account's whole
 * position in the instrument is on the same side and at least as large: then the venue's minimum value
 * does not apply, and a mistake of ours could not open anything.  Strategy core. */
#ifndef POISE_HOT_STRATEGY_EXEC_FLATTEN_H
#define POISE_HOT_STRATEGY_EXEC_FLATTEN_H

#include "hot/strategy/state.h"

/* flatten_update does the next step of an instance in FLATTENING (or FLAT, when something came late). */
void flatten_update(struct strategy *s, struct instance *instance);

/* flatten_holds: the leg holds at least the venue's smallest quantity. */
bool flatten_holds(const struct strategy *s, const struct exposure_leg *leg);

/* flatten_orphan unwinds the leg of a configuration that is no more, whatever else the instance does. */
void flatten_orphan(struct strategy *s, struct instance *instance);

#endif
