#include "ring/clock.h"

#include <criterion/criterion.h>
#include <time.h>

Test(clock, monotonic_time_does_not_go_back)
{
    uint64_t last = clock_now_ns();
    for (int i = 0; i < 100000; i++) {
        uint64_t now = clock_now_ns();
        cr_assert_geq(now, last);
        last = now;
    }
}

Test(clock, wall_time_is_this_century)
{
    int64_t wall = clock_wall_ns();
    cr_assert_gt(wall, 1700000000LL * (int64_t)NS_PER_S);
    cr_assert_lt(wall, 4100000000LL * (int64_t)NS_PER_S);
    cr_assert_lt(base_abs(wall / (int64_t)NS_PER_S - (int64_t)time(NULL)), 3);
}

Test(clock, before_calibration_ticks_are_nanoseconds)
{
    uint64_t before = clock_now_ns();
    uint64_t ticks = clock_ticks();
    uint64_t after = clock_now_ns();
    cr_assert(ticks >= before && ticks <= after);
    cr_assert_eq(clock_ticks_ns(12345), 12345u);
}

Test(clock, ticks_measure_what_the_clock_measures)
{
    clock_calibrate();
    /* Busy, not asleep: 5 ms by one clock is 5 ms by the other, to a thousandth.  Preempted readings
     * widen the bounds instead of failing the test. */
    uint64_t a0 = clock_now_ns(), t0 = clock_ticks(), b0 = clock_now_ns();
    while (clock_now_ns() - b0 < 5 * NS_PER_MS) {
    }
    uint64_t a1 = clock_now_ns(), t1 = clock_ticks(), b1 = clock_now_ns();
    uint64_t span = clock_ticks_ns(t1 - t0);
    cr_assert_geq(span, (a1 - b0) - (a1 - b0) / 1000);
    cr_assert_leq(span, (b1 - a0) + (b1 - a0) / 1000);
}

Test(clock, a_long_span_does_not_overflow)
{
    clock_calibrate();
    uint64_t year = 365ULL * 86400 * NS_PER_S;
    uint64_t ns = clock_ticks_ns(year);
    cr_assert_gt(ns, year / 10);
    cr_assert_lt(ns, year * 2);
}
