/* sim_random: the seeded generator behind latencies, faults and the synthetic market.
 *
 * One state per purpose, so that drawing more of one thing never changes another (a run with slower acks
 * sees the same market).  Pure: the state is the caller's. */
#ifndef TOOLS_SIM_MODEL_SIM_RANDOM_H
#define TOOLS_SIM_MODEL_SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct sim_random {
    uint64_t state;
};

/* sim_random_seed starts a stream; purpose separates streams of one seed. */
void sim_random_seed(struct sim_random *random, uint64_t seed, uint64_t purpose);

/* sim_random_next answers 64 bits. */
uint64_t sim_random_next(struct sim_random *random);

/* sim_random_range answers a value in [low, high]; low <= high. */
int64_t sim_random_range(struct sim_random *random, int64_t low, int64_t high);

/* sim_random_chance is true with probability parts_per_million / 10^6. */
bool sim_random_chance(struct sim_random *random, int64_t parts_per_million);

#endif
