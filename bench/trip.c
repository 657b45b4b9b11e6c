/* The whole journeys: from just before the venue sends to the receive that completes our order, 50 us apart,
 * beside a plain TCP echo of the same sizes (echo.c); and what the same loop costs when nothing happens. */
#include "bench/cases.h"
#include "bench/echo.h"
#include "bench/journey.h"
#include "bench/venue.h"
#include "hot/core/loop.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define TURNS 64 /* idle turns a sample */

struct trip {
    struct venue_desk *venue;
    uint64_t *ticks;
    uint32_t count;
    bool fills;
    uint64_t hash;
    _Atomic bool done;
};

static void *venue(void *context)
{
    struct trip *trip = context;
    trip->hash = trip->fills ? venue_fills(trip->venue, trip->ticks, trip->count)
                             : venue_ticks(trip->venue, trip->ticks, trip->count);
    /* edge: none; the join is what makes the samples visible */
    atomic_store_explicit(&trip->done, true, memory_order_relaxed);
    return NULL;
}

/* The floor's sizes are constants: they must be the journey's. */
static void check_sizes(const struct venue_desk *venue, bool fills)
{
    size_t there, back;
    venue_sizes(venue, &there, &back);
    size_t floor_there = fills ? ECHO_FILL_BYTES : ECHO_TICK_BYTES;
    size_t floor_back = fills ? ECHO_HEDGE_BYTES : ECHO_ORDER_BYTES;
    bool alike = there <= floor_there + 8 && floor_there <= there + 8 && back <= floor_back + 8 &&
                 floor_back <= back + 8;
    if (!alike) {
        fprintf(stderr, "poise-bench: a journey of %zu and %zu bytes beside a floor of %zu and %zu\n", there,
                back, floor_there, floor_back);
    }
}

static uint64_t run(struct bench *bench, enum journey_backend backend, bool fills, uint64_t *ticks,
                    uint32_t count)
{
    struct trip trip = { .venue = journey_venue(backend), .ticks = ticks, .count = count, .fills = fills };
    journey_rest(backend);
    bench_second(bench, venue, &trip);
    while (!atomic_load_explicit(&trip.done, memory_order_relaxed)) {
        journey_turn(backend);
    }
    bench_join(bench);
    check_sizes(trip.venue, fills);
    POISE_ASSERT(journey_sound(backend));
    return trip.hash;
}

static uint64_t idle(enum journey_backend backend, bool clocked, uint64_t *ticks, uint32_t count)
{
    struct loop *loop = journey_loop(backend);
    uint64_t calls = net_io_counters(loop->net)->system_calls;
    uint64_t turns = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t now_ns = clock_now_ns();
        int64_t wall_ns = clock_wall_ns();
        /* what is due now is done before: a clock record each millisecond is no idle turn */
        journey_turn(backend);
        uint64_t from = clock_ticks();
        for (uint32_t k = 0; k < TURNS; k++) {
            if (clocked) {
                journey_turn(backend);
            } else {
                loop_turn(loop, now_ns, wall_ns);
            }
        }
        ticks[i] = clock_ticks() - from;
        turns += TURNS + 1;
    }
    calls = net_io_counters(loop->net)->system_calls - calls;
    POISE_ASSERT(backend != JOURNEY_URING || calls <= turns / 10000 + 2);
    return 0;
}

/* clang-format off */
#define BACKEND(name_, BACKEND_) \
    static bool setup_##name_(struct bench *bench) { return journey_open(bench, BACKEND_); } \
    static void teardown_##name_(void) { journey_close(BACKEND_); } \
    static uint64_t tick_##name_(struct bench *bench, uint64_t *ticks, uint32_t count) \
    { return run(bench, BACKEND_, false, ticks, count); } \
    static uint64_t fill_##name_(struct bench *bench, uint64_t *ticks, uint32_t count) \
    { return run(bench, BACKEND_, true, ticks, count); } \
    static uint64_t idle_##name_(struct bench *bench, uint64_t *ticks, uint32_t count) \
    { (void)bench; return idle(BACKEND_, false, ticks, count); } \
    static uint64_t idle_clocked_##name_(struct bench *bench, uint64_t *ticks, uint32_t count) \
    { (void)bench; return idle(BACKEND_, true, ticks, count); }

BACKEND(uring, JOURNEY_URING)
BACKEND(spin, JOURNEY_SPIN)

#define TRIP(name_, floor_, backend_, burst_) \
    { .name = name_ "." #backend_, .group = "journey", .processors = 2, .operations = 1, \
      .burst_samples = ECHO_SAMPLES, .against = { floor_ }, .setup = setup_##backend_, \
      .burst = burst_##_##backend_, .teardown = teardown_##backend_ }
#define IDLE(name_, backend_, burst_) \
    { .name = name_ "." #backend_, .group = "journey", .processors = 2, .operations = TURNS, \
      .burst_samples = 1000, .setup = setup_##backend_, .burst = burst_##_##backend_, \
      .teardown = teardown_##backend_ }
static const struct bench_case rows[] = {
    TRIP("tick_to_order", "echo_floor",      uring, tick),
    TRIP("tick_to_order", "echo_floor",      spin,  tick),
    TRIP("fill_to_hedge", "echo_floor_fill", uring, fill),
    TRIP("fill_to_hedge", "echo_floor_fill", spin,  fill),
    IDLE("idle_turn",         uring, idle),
    IDLE("idle_turn_clocked", uring, idle_clocked),
    IDLE("idle_turn",         spin,  idle),
    IDLE("idle_turn_clocked", spin,  idle_clocked),
};
/* clang-format on */

const struct bench_table bench_trip = { rows, POISE_COUNT_OF(rows) };
