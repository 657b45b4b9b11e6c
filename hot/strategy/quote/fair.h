/* fair: how far the quoted leg's fair price stands above the hedge leg's, slowly.
 *
 * Two instruments on one coin differ by a basis that moves over minutes.  An exponential average of the
 * ratio of their middles, with a half life, follows it; a bound keeps a broken feed or a real dislocation
 * from being quoted as if it were normal.  Sampled on the clock, never on a tick, so a burst of ticks does
 * not weigh more than its time.  Integers: 1e-9.  Strategy core. */
#ifndef POISE_HOT_STRATEGY_QUOTE_FAIR_H
#define POISE_HOT_STRATEGY_QUOTE_FAIR_H

#include "hot/strategy/instance.h"

#define FAIR_SAMPLE_NS 10000000ULL /* at most one sample in this time */

/* fair_sample takes the ratio of the middles (quoted leg over hedge leg in the same currency, 1e-9, so
 * 1000000000 is equal); true when the offset moved. */
bool fair_sample(struct fair *fair, int64_t ratio_e9, uint64_t now_ns, uint64_t half_life_ns);

/* fair_set puts the offset where a person or the cold thread wants it, within the bound. */
void fair_set(struct fair *fair, int64_t offset_centibp);

/* fair_bound sets the bound (centibp, >= 0) and brings the offset inside it. */
void fair_bound(struct fair *fair, int64_t bound_centibp);

/* fair_decay is 2^-(passed / half life) in units of 2^-30. */
int64_t fair_decay(uint64_t passed_ns, uint64_t half_life_ns);

/* fair_centibp is the offset as it is told, rounded to nearest. */
int64_t fair_centibp(const struct fair *fair);

#endif
