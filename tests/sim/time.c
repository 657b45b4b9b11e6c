#include "tests/sim/time.h"

struct time_now time_now;

uint64_t clock_now_ns(void)
{
    return time_now.now_ns;
}

int64_t clock_wall_ns(void)
{
    return time_now.wall_ns;
}

bool clock_calibrate(void)
{
    return false;
}

uint64_t clock_ticks(void)
{
    return time_now.now_ns;
}

uint64_t clock_ticks_ns(uint64_t ticks)
{
    return ticks;
}
