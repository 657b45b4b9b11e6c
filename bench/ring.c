/* What it costs to hand a record to another processor: the ring, what the machine itself takes for a line to
 * go over and back, and other people's queues. */
#include "bench/cases.h"
#include "ring/spsc.h"
#include "bench/ring_peer.h"

#include <stdlib.h>

/* ------------------------------------------------------------------ our ring, in the peers' loops */

static void *make(uint32_t slots)
{
    void *memory = NULL;
    return posix_memalign(&memory, POISE_APART, spsc_bytes(slots)) == 0 ? spsc_init(memory, slots) : NULL;
}

static inline bool push(struct spsc *ring, const struct ring_message *m)
{
    struct slot *slot = spsc_claim(ring, 1);
    if (slot == NULL) {
        return false;
    }
    memcpy(slot->payload, m, SLOT_PAYLOAD_BYTES);
    spsc_commit(ring);
    return true;
}

static inline bool pop(struct spsc *ring, struct ring_message *m)
{
    const struct slot *slot = spsc_peek(ring);
    if (slot == NULL) {
        return false;
    }
    memcpy(m, slot->payload, SLOT_PAYLOAD_BYTES);
    spsc_release(ring);
    return true;
}

#define LOOP(name) ours_##name
#define QUEUE      struct spsc
#define PUSH(q, m) push(q, m)
#define POP(q, m)  pop(q, m)
#include "bench/ring_loops.inc"

static const struct ring_loops ring_loops_ours = LOOPS(make, free);

/* ------------------------------------------------------------------ any queue */

struct pair {
    const struct ring_loops *loops;
    void *there, *back;
    uint32_t count;
};

static void *echo(void *context)
{
    struct pair *pair = context;
    pair->loops->echo(pair->there, pair->back, pair->count);
    return NULL;
}

static void *produce(void *context)
{
    struct pair *pair = context;
    pair->loops->produce(pair->there, pair->count);
    return NULL;
}

static uint64_t round_trip(struct bench *bench, const struct ring_loops *loops, uint64_t *ticks,
                           uint32_t count)
{
    struct pair pair = { loops, loops->make(RING_SLOTS), loops->make(RING_SLOTS), count };
    POISE_ASSERT(pair.there != NULL && pair.back != NULL);
    bench_second(bench, echo, &pair);
    uint64_t hash = loops->ping(pair.there, pair.back, ticks, count);
    bench_join(bench);
    loops->destroy(pair.there);
    loops->destroy(pair.back);
    return hash;
}

static uint64_t throughput(struct bench *bench, const struct ring_loops *loops, uint64_t *ticks,
                           uint32_t count)
{
    struct pair pair = { loops, loops->make(RING_SLOTS), NULL, count };
    POISE_ASSERT(pair.there != NULL);
    bench_second(bench, produce, &pair);
    uint64_t hash = loops->consume(pair.there, ticks, count);
    bench_join(bench);
    loops->destroy(pair.there);
    return hash;
}

#define QUEUE_CASES(name, loops)                                                                             \
    static uint64_t round_trip_##name(struct bench *bench, uint64_t *ticks, uint32_t count)                  \
    {                                                                                                        \
        return round_trip(bench, &(loops), ticks, count);                                                    \
    }                                                                                                        \
    static uint64_t throughput_##name(struct bench *bench, uint64_t *ticks, uint32_t count)                  \
    {                                                                                                        \
        return throughput(bench, &(loops), ticks, count);                                                    \
    }

QUEUE_CASES(ours, ring_loops_ours)
#if POISE_HAVE_BOOST
QUEUE_CASES(boost, ring_loops_boost)
#else
#define round_trip_boost NULL
#define throughput_boost NULL
#endif
#if POISE_HAVE_CK
QUEUE_CASES(ck, ring_loops_ck)
#else
#define round_trip_ck NULL
#define throughput_ck NULL
#endif

static bool need_boost(struct bench *bench)
{
    return POISE_HAVE_BOOST ? true : bench_absent(bench, "built without boost (libboost-dev)");
}

static bool need_ck(struct bench *bench)
{
    return POISE_HAVE_CK ? true : bench_absent(bench, "built without ck (libck-dev)");
}

/* ------------------------------------------------------------------ the machine's own cost */

static struct {
    _Alignas(POISE_APART) _Atomic uint64_t there;
    _Alignas(POISE_APART) _Atomic uint64_t back;
    _Alignas(POISE_APART) uint32_t count;
} line;

static void *raw_one_echo(void *context)
{
    (void)context;
    for (uint64_t i = 0; i < (uint64_t)line.count * RING_TRIPS; i++) {
        while (atomic_load_explicit(&line.there, memory_order_acquire) != 2 * i + 1) {
        }
        atomic_store_explicit(&line.there, 2 * i + 2, memory_order_release);
    }
    return NULL;
}

static void *raw_two_echo(void *context)
{
    (void)context;
    for (uint64_t i = 0; i < (uint64_t)line.count * RING_TRIPS; i++) {
        while (atomic_load_explicit(&line.there, memory_order_acquire) != i + 1) {
        }
        atomic_store_explicit(&line.back, i + 1, memory_order_release);
    }
    return NULL;
}

static uint64_t raw_one(struct bench *bench, uint64_t *ticks, uint32_t count)
{
    line.there = 0;
    line.count = count;
    bench_second(bench, raw_one_echo, NULL);
    uint64_t i = 0;
    for (uint32_t sample = 0; sample < count; sample++) {
        uint64_t from = clock_ticks();
        for (uint32_t k = 0; k < RING_TRIPS; k++, i++) {
            atomic_store_explicit(&line.there, 2 * i + 1, memory_order_release);
            while (atomic_load_explicit(&line.there, memory_order_acquire) != 2 * i + 2) {
            }
        }
        ticks[sample] = clock_ticks() - from;
    }
    bench_join(bench);
    return line.there;
}

static uint64_t raw_two(struct bench *bench, uint64_t *ticks, uint32_t count)
{
    line.there = line.back = 0;
    line.count = count;
    bench_second(bench, raw_two_echo, NULL);
    uint64_t i = 0;
    for (uint32_t sample = 0; sample < count; sample++) {
        uint64_t from = clock_ticks();
        for (uint32_t k = 0; k < RING_TRIPS; k++, i++) {
            atomic_store_explicit(&line.there, i + 1, memory_order_release);
            while (atomic_load_explicit(&line.back, memory_order_acquire) != i + 1) {
            }
        }
        ticks[sample] = clock_ticks() - from;
    }
    bench_join(bench);
    return line.back;
}

/* ------------------------------------------------------------------ an idle turn of the loop */

#define IDLE_RINGS 16
static struct spsc *idle[IDLE_RINGS];

static bool idle_setup(struct bench *bench)
{
    (void)bench;
    for (int i = 0; i < IDLE_RINGS; i++) {
        idle[i] = make(RING_SLOTS);
        POISE_ASSERT(idle[i] != NULL);
    }
    return true;
}

static uint64_t idle_poll(struct bench *bench, uint64_t *ticks, uint32_t count)
{
    (void)bench;
    uint64_t found = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t from = clock_ticks();
        for (int turn = 0; turn < 64; turn++) {
            for (int r = 0; r < IDLE_RINGS; r++) {
                found += spsc_peek(idle[r]) != NULL;
            }
        }
        ticks[i] = clock_ticks() - from;
    }
    return found;
}

static void idle_teardown(void)
{
    for (int i = 0; i < IDLE_RINGS; i++) {
        free(idle[i]);
    }
}

/* clang-format off */
static const struct bench_case rows[] = {
    { .name = "ring.round_trip", .group = "ring.round_trip", .processors = 2, .operations = RING_TRIPS,
      .burst_samples = 5000, .burst = round_trip_ours,
      .against = { "ring.raw_two_lines", "ring.raw_one_line", "ring.round_trip_boost", "ring.round_trip_ck" } },
    { .name = "ring.raw_two_lines", .group = "ring.round_trip", .processors = 2, .operations = RING_TRIPS,
      .burst_samples = 5000, .burst = raw_two },
    { .name = "ring.raw_one_line", .group = "ring.round_trip", .processors = 2, .operations = RING_TRIPS,
      .burst_samples = 5000, .burst = raw_one },
    { .name = "ring.round_trip_boost", .group = "ring.round_trip", .processors = 2, .operations = RING_TRIPS,
      .burst_samples = 5000, .setup = need_boost, .burst = round_trip_boost },
    { .name = "ring.round_trip_ck", .group = "ring.round_trip", .processors = 2, .operations = RING_TRIPS,
      .burst_samples = 5000, .setup = need_ck, .burst = round_trip_ck },

    { .name = "ring.throughput", .group = "ring.throughput", .processors = 2, .operations = RING_BLOCK,
      .burst_samples = 4000, .burst = throughput_ours,
      .against = { "ring.throughput_boost", "ring.throughput_ck" } },
    { .name = "ring.throughput_boost", .group = "ring.throughput", .processors = 2, .operations = RING_BLOCK,
      .burst_samples = 4000, .setup = need_boost, .burst = throughput_boost },
    { .name = "ring.throughput_ck", .group = "ring.throughput", .processors = 2, .operations = RING_BLOCK,
      .burst_samples = 4000, .setup = need_ck, .burst = throughput_ck },

    { .name = "ring.idle_poll_16", .group = "ring.idle_poll", .processors = 1, .operations = 64,
      .burst_samples = 2000, .setup = idle_setup, .burst = idle_poll, .teardown = idle_teardown },
};
/* clang-format on */

const struct bench_table bench_ring = { rows, POISE_COUNT_OF(rows) };
