#include "tools/sim/model/sim_random.h"

uint64_t sim_random_next(struct sim_random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

void sim_random_seed(struct sim_random *random, uint64_t seed, uint64_t purpose)
{
    random->state = seed * UINT64_C(0xd1342543de82ef95) + purpose * UINT64_C(0x2545f4914f6cdd1d) + 1;
    (void)sim_random_next(random);
}

int64_t sim_random_range(struct sim_random *random, int64_t low, int64_t high)
{
    uint64_t span = (uint64_t)(high - low) + 1;
    unsigned __int128 product = (unsigned __int128)sim_random_next(random) * span;

    return span == 0 ? (int64_t)sim_random_next(random) : low + (int64_t)(product >> 64);
}

bool sim_random_chance(struct sim_random *random, int64_t parts_per_million)
{
    if (parts_per_million <= 0) {
        return false;
    }
    return sim_random_range(random, 0, 999999) < parts_per_million;
}
