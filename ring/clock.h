/* clock: the two times.
 *
 * Monotonic time orders everything inside the engine; wall time is for venue stamps and signing only.  A
 * hot loop reads the first once per turn.  Spans are measured in ticks of the processor's counter where it is
 * invariant (clock_ticks is ordered after the loads before it: rdtscp), else in clock_gettime's. */
#ifndef POISE_RING_CLOCK_H
#define POISE_RING_CLOCK_H

#include "ring/base.h"

#define NS_PER_US 1000ULL
#define NS_PER_MS 1000000ULL
#define NS_PER_S  1000000000ULL

/* clock_now_ns is CLOCK_MONOTONIC; clock_wall_ns is CLOCK_REALTIME.  Both answered by the vDSO: no system
 * call. */
uint64_t clock_now_ns(void);
int64_t clock_wall_ns(void);

/* clock_calibrate measures the counter against CLOCK_MONOTONIC for about a millisecond; call once at start.
 * It answers false, and clock_ticks falls back, where the counter is not invariant. */
bool clock_calibrate(void);

/* clock_ticks is the counter now; clock_ticks_ns turns a span of ticks into nanoseconds. */
uint64_t clock_ticks(void);
uint64_t clock_ticks_ns(uint64_t ticks);

#endif
