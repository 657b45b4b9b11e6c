/* named: what has already happened to somebody, each as an episode of its own with a name.
 *
 * A scenario is a desk, a list of steps in time, and what must have been seen, or it did not happen.  Then
 * everything is well, as at the end of every episode: all must be known, hedged and equal to the venues'
 * books. */
#ifndef POISE_TESTS_SIM_NAMED_H
#define POISE_TESTS_SIM_NAMED_H

#include "ring/base.h"

/* named_name answers the scenario that stands for a seed, NULL for one that is drawn. */
const char *named_name(uint64_t seed);

/* named_seeds reads a scenario's name, or "named": all of them. */
bool named_seeds(const char *text, uint64_t *first, uint64_t *last);

void named_run(uint64_t seed, const char *folder, bool log);

#endif
