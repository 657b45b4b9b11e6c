/* The small words of ring/ that every record passes: clocks, copies, kinds, counters. */
#include "bench/cases.h"
#include "ring/counters.h"
#include "ring/instrument.h"
#include "ring/kind.h"
#include "ring/record.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define EACH 64

#define BURST(name, before, statement, answer)                                                               \
    static uint64_t name(struct bench *bench, uint64_t *ticks, uint32_t count)                               \
    {                                                                                                        \
        (void)bench;                                                                                         \
        before;                                                                                              \
        for (uint32_t i = 0; i < count; i++) {                                                               \
            uint64_t from = clock_ticks();                                                                   \
            for (uint32_t k = 0; k < EACH; k++) {                                                            \
                statement;                                                                                   \
            }                                                                                                \
            ticks[i] = clock_ticks() - from;                                                                 \
        }                                                                                                    \
        return answer;                                                                                       \
    }

/* ------------------------------------------------------------------ clocks */

BURST(now_ns, , bench_keep(clock_now_ns()), 0)
BURST(wall_ns, , bench_keep(clock_wall_ns()), 0)
BURST(ticks_read, , bench_keep(clock_ticks()), 0)
BURST(system_clock, struct timespec now, clock_gettime(CLOCK_MONOTONIC, &now); bench_keep(now.tv_nsec), 0)

/* ------------------------------------------------------------------ records */

static struct slot from_slots[RECORD_SLOTS_MAX], to_slots[RECORD_SLOTS_MAX];

static bool record_setup(struct bench *bench)
{
    (void)bench;
    for (int i = 0; i < RECORD_SLOTS_MAX; i++) {
        memset(&from_slots[i], i + 1, sizeof from_slots[i]);
    }
    return true;
}

static uint64_t folded(const struct slot *slots, int count)
{
    uint64_t hash = 0;
    for (int i = 0; i < count; i++) {
        for (int b = 16; b < SLOT_PAYLOAD_BYTES; b++) {
            hash = bench_hash(hash, slots[i].payload[b]);
        }
    }
    return hash;
}

static void head(uint8_t slot_count)
{
    struct record_head *begin = record_head_of(from_slots);
    begin->type = RECORD_TEXT;
    begin->slot_count = slot_count;
}

BURST(copy_1, head(1), record_copy(to_slots, from_slots); bench_keep(to_slots), folded(to_slots, 1))
BURST(copy_3, head(3), record_copy(to_slots, from_slots); bench_keep(to_slots), folded(to_slots, 3))
BURST(copy_15, head(15), record_copy(to_slots, from_slots); bench_keep(to_slots), folded(to_slots, 15))
BURST(memcpy_1, , memcpy(to_slots, from_slots, 64); bench_keep(to_slots), folded(to_slots, 1))
BURST(memcpy_3, , memcpy(to_slots, from_slots, 3 * 64); bench_keep(to_slots), folded(to_slots, 3))
BURST(memcpy_15, , memcpy(to_slots, from_slots, 15 * 64); bench_keep(to_slots), folded(to_slots, 15))
BURST(begin_3, , record_begin(to_slots, RECORD_FILL, 3, k); bench_keep(to_slots), folded(to_slots, 3))

/* ------------------------------------------------------------------ kinds */

static const struct instrument inverse = { .kind = KIND_INVERSE_PERPETUAL,
                                           .price_decimals = 1,
                                           .base = 1,
                                           .quote = 2,
                                           .settle = 1,
                                           .tick = 1,
                                           .lot = 1,
                                           .contract_e8 = 100 * DECIMAL_E8 };
static const struct instrument linear = { .kind = KIND_LINEAR_PERPETUAL,
                                          .price_decimals = 2,
                                          .qty_decimals = 3,
                                          .base = 1,
                                          .quote = 3,
                                          .settle = 3,
                                          .tick = 10,
                                          .lot = 1,
                                          .contract_e8 = DECIMAL_E8 };

/* Sides and sizes that open, add, close a part and flip. */
static uint64_t fills(const struct instrument *instrument, int64_t price, uint64_t *ticks, uint32_t count)
{
    struct position position = { 0 };
    struct fill_effect effect;
    uint64_t hash = 0;
    uint64_t random = 88172645463325252ULL;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t draw[EACH];
        for (uint32_t k = 0; k < EACH; k++) {
            draw[k] = bench_random(&random);
        }
        uint64_t from = clock_ticks();
        for (uint32_t k = 0; k < EACH; k++) {
            kind_fill(instrument, &position, draw[k] & 1 ? SIDE_BUY : SIDE_SELL,
                      1 + (int64_t)(draw[k] >> 8 & 63), price + (int64_t)(draw[k] >> 16 & 4095), &effect);
        }
        ticks[i] = clock_ticks() - from;
        hash = bench_hash(hash, (uint64_t)effect.realised_e8 ^ (uint64_t)position.notional_e12);
    }
    return hash;
}

static uint64_t fill_inverse(struct bench *bench, uint64_t *ticks, uint32_t count)
{
    (void)bench;
    return fills(&inverse, 617000, ticks, count);
}

static uint64_t fill_linear(struct bench *bench, uint64_t *ticks, uint32_t count)
{
    (void)bench;
    return fills(&linear, 6170000, ticks, count);
}

BURST(exposure_inverse, int128 sum = 0, sum += kind_exposure_e12(&inverse, SIDE_BUY, 50, 617000 + k),
      (uint64_t)sum)
BURST(qty_for_coin, int64_t sum = 0,
      sum += kind_qty_for_coin(&linear, 81037000000 + k * 1000000, 6170000, ROUND_DOWN), (uint64_t)sum)

/* ------------------------------------------------------------------ counters */

static struct counters *page;
static counter *word;
static struct histogram *histogram;

static bool counters_setup(struct bench *bench)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/poise-bench-%d", (int)getpid());
    page = counters_create(path);
    unlink(path);
    if (page == NULL) {
        return bench_absent(bench, "no room for the counters page in /tmp");
    }
    word = counters_add(page, 0, "bench.count", COUNTER_SUM);
    histogram = counters_add_histogram(page, "bench.spans");
    return true;
}

static void counters_teardown(void)
{
    counters_close(page);
}

BURST(add, , counter_add(word, 1), 0)
BURST(record_span, uint64_t random = 1, histogram_record(histogram, bench_random(&random) >> 44), 0)

/* clang-format off */
#define GROUND(name_, burst_) \
    .name = name_, .group = "ground", .processors = 1, .operations = EACH, .burst_samples = 2000, .burst = burst_
static const struct bench_case rows[] = {
    { GROUND("clock.now_ns", now_ns), .against = { "clock.system" } },
    { GROUND("clock.wall_ns", wall_ns), .against = { "clock.system" } },
    { GROUND("clock.ticks", ticks_read), .against = { "clock.system" } },
    { GROUND("clock.system", system_clock) },
    { GROUND("record.copy_1", copy_1), .setup = record_setup, .against = { "record.memcpy_1" } },
    { GROUND("record.copy_3", copy_3), .setup = record_setup, .against = { "record.memcpy_3" } },
    { GROUND("record.copy_15", copy_15), .setup = record_setup, .against = { "record.memcpy_15" } },
    { GROUND("record.memcpy_1", memcpy_1), .setup = record_setup },
    { GROUND("record.memcpy_3", memcpy_3), .setup = record_setup },
    { GROUND("record.memcpy_15", memcpy_15), .setup = record_setup },
    { GROUND("record.begin_3", begin_3), .setup = record_setup },
    { GROUND("kind.fill_inverse", fill_inverse) },
    { GROUND("kind.fill_linear", fill_linear) },
    { GROUND("kind.exposure_inverse", exposure_inverse) },
    { GROUND("kind.qty_for_coin", qty_for_coin) },
    { GROUND("counters.add", add), .setup = counters_setup, .teardown = counters_teardown },
    { GROUND("counters.histogram", record_span), .setup = counters_setup, .teardown = counters_teardown },
};
/* clang-format on */

const struct bench_table bench_ground = { rows, POISE_COUNT_OF(rows) };
