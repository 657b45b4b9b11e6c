/* time: the simulated clocks, in place of ring/clock.c.
 *
 * The program is linked with these instead of the machine's.  now_ns is what the engine's machine calls
 * monotonic; wall_ns is what it believes the date is, which a fault may move. */
#ifndef POISE_TESTS_SIM_TIME_H
#define POISE_TESTS_SIM_TIME_H

#include "ring/clock.h"

struct time_now {
    uint64_t now_ns;
    int64_t wall_ns; /* the engine's: the venue's own is now_ns + WORLD_EPOCH_NS */
};
extern struct time_now time_now;

#endif
