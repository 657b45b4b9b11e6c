#include "ring/clock.h"

#include <time.h>
#if defined(__x86_64__)
#include <cpuid.h>
#include <x86intrin.h>
#endif

/* Written once by clock_calibrate before any other thread runs. */
static bool counter_used;
static uint64_t ns_per_tick_q32 = 1ULL << 32;

static uint64_t read_ns(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t clock_now_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

int64_t clock_wall_ns(void)
{
    return (int64_t)read_ns(CLOCK_REALTIME);
}

#if defined(__x86_64__)

static uint64_t read_counter(void)
{
    unsigned processor;
    return __rdtscp(&processor);
}

static bool counter_is_invariant(void)
{
    unsigned a, b, c, d;
    if (__get_cpuid(0x80000000, &a, &b, &c, &d) == 0 || a < 0x80000007) {
        return false;
    }
    __get_cpuid(0x80000007, &a, &b, &c, &d);
    return (d & (1U << 8)) != 0;
}

/* Both clocks at one moment: of several readings the one that was interrupted least. */
static void read_both(uint64_t *ticks, uint64_t *ns)
{
    uint64_t narrowest = UINT64_MAX;
    for (int i = 0; i < 32; i++) {
        uint64_t before = read_counter();
        uint64_t now = clock_now_ns();
        uint64_t after = read_counter();
        if (after - before < narrowest) {
            narrowest = after - before;
            *ticks = before + (after - before) / 2;
            *ns = now;
        }
    }
}

bool clock_calibrate(void)
{
    counter_used = false;
    ns_per_tick_q32 = 1ULL << 32;
    if (!counter_is_invariant()) {
        return false;
    }
    uint64_t ticks0 = 0, ns0 = 0, ticks1 = 0, ns1 = 0;
    read_both(&ticks0, &ns0);
    while (clock_now_ns() - ns0 < NS_PER_MS) {
    }
    read_both(&ticks1, &ns1);
    if (ticks1 <= ticks0) {
        return false;
    }
    ns_per_tick_q32 = (uint64_t)(((unsigned __int128)(ns1 - ns0) << 32) / (ticks1 - ticks0));
    counter_used = true;
    return true;
}

uint64_t clock_ticks(void)
{
    return POISE_LIKELY(counter_used) ? read_counter() : clock_now_ns();
}

#else

bool clock_calibrate(void)
{
    return false;
}

uint64_t clock_ticks(void)
{
    return clock_now_ns();
}

#endif

uint64_t clock_ticks_ns(uint64_t ticks)
{
    return (uint64_t)(((unsigned __int128)ticks * ns_per_tick_q32) >> 32);
}
