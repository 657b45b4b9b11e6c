/* metadata: an instrument's row as the venue tells it now, in the units of a run that goes on.
 *
 * What an instrument is stays as it was when the run began; what is asked of orders (tick, lot, least and
 * most, bands) follows the venue.  What cannot be said in the run's units, or is another contract by the same
 * name, leaves the old rules and makes the instrument cancel-only: only a restart can follow.  Cold thread.
 */
#ifndef POISE_COLD_METADATA_H
#define POISE_COLD_METADATA_H

#include "ring/instrument.h"

/* metadata_fit writes to *out the row `was` with the rules and the status of `is`; answers NULL, or why that
 * cannot be. */
const char *metadata_fit(const struct instrument *was, const struct instrument *is, struct instrument *out);

/* metadata_scale says a value of `from` decimals in `to`; false when that is not exact, or does not fit. */
bool metadata_scale(int64_t *value, int from, int to);

#endif
