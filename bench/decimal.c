/* Reading and printing the numbers that venues send: ours exactly, others' through a double.  All answer the
 * same values here (their checks are equal) because a double still holds them; at 16 digits it would not. */
#include "bench/cases.h"
#include "bench/decimal_peer.h"
#include "ring/decimal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXTS 1024
#define EACH  64 /* conversions a sample */

static char text[TEXTS][32];
static size_t text_bytes[TEXTS];
static int64_t value[TEXTS];

/* Prices, quantities and rates in the proportions of a depth stream. */
static bool setup(struct bench *bench)
{
    (void)bench;
    uint64_t random = 88172645463325252ULL;
    for (int i = 0; i < TEXTS; i++) {
        unsigned whole = (unsigned)(bench_random(&random) % 60000);
        unsigned part = (unsigned)(bench_random(&random) % 100000000);
        switch (i % 4) {
        case 0:
            snprintf(text[i], sizeof text[i], "%u.%02u", 20000 + whole, part % 100);
            break;
        case 1:
            snprintf(text[i], sizeof text[i], "%u.%03u", whole % 300, part % 1000);
            break;
        case 2:
            snprintf(text[i], sizeof text[i], "0.%08u", part);
            break;
        default:
            snprintf(text[i], sizeof text[i], "%u", whole);
        }
        text_bytes[i] = strlen(text[i]);
        POISE_ASSERT(decimal_parse(text[i], text_bytes[i], 8, &value[i]) == DECIMAL_OK);
    }
    return true;
}

/* One burst over a conversion: the loop is written out in each function, so that the conversion is inlined
 * or called as it would be elsewhere. */
#define BURST(name, statement)                                                                               \
    static uint64_t name(struct bench *bench, uint64_t *ticks, uint32_t count)                               \
    {                                                                                                        \
        (void)bench;                                                                                         \
        uint64_t hash = 0;                                                                                   \
        for (uint32_t i = 0; i < count; i++) {                                                               \
            int64_t result[EACH];                                                                            \
            uint64_t from = clock_ticks();                                                                   \
            for (int k = 0; k < EACH; k++) {                                                                 \
                int at = (int)((i * EACH + (uint32_t)k) % TEXTS);                                            \
                statement;                                                                                   \
            }                                                                                                \
            ticks[i] = clock_ticks() - from;                                                                 \
            for (int k = 0; k < EACH; k++) {                                                                 \
                hash = bench_hash(hash, (uint64_t)result[k]);                                                \
            }                                                                                                \
        }                                                                                                    \
        return hash;                                                                                         \
    }

/* The printed text, folded outside the span. */
#define BURST_PRINT(name, statement)                                                                         \
    static uint64_t name(struct bench *bench, uint64_t *ticks, uint32_t count)                               \
    {                                                                                                        \
        (void)bench;                                                                                         \
        uint64_t hash = 0;                                                                                   \
        for (uint32_t i = 0; i < count; i++) {                                                               \
            static char out[EACH][48];                                                                       \
            size_t bytes[EACH];                                                                              \
            uint64_t from = clock_ticks();                                                                   \
            for (int k = 0; k < EACH; k++) {                                                                 \
                int at = (int)((i * EACH + (uint32_t)k) % TEXTS);                                            \
                statement;                                                                                   \
            }                                                                                                \
            ticks[i] = clock_ticks() - from;                                                                 \
            for (int k = 0; k < EACH; k++) {                                                                 \
                for (size_t b = 0; b < bytes[k]; b++) {                                                      \
                    hash = bench_hash(hash, (unsigned char)out[k][b]);                                       \
                }                                                                                            \
            }                                                                                                \
        }                                                                                                    \
        return hash;                                                                                         \
    }

BURST(parse_ours, decimal_parse(text[at], text_bytes[at], 8, &result[k]))
BURST(parse_strtod, result[k] = (int64_t)(strtod(text[at], NULL) * 1e8 + 0.5))
BURST(parse_from_chars, result[k] = decimal_peer_parse(text[at], text_bytes[at]))
BURST_PRINT(print_ours, bytes[k] = decimal_print(out[k], value[at], 8))
BURST_PRINT(print_snprintf,
            bytes[k] = (size_t)snprintf(out[k], sizeof out[k], "%.8f", (double)value[at] / 1e8))
BURST_PRINT(print_to_chars, bytes[k] = decimal_peer_print(out[k], sizeof out[k], value[at]))

/* clang-format off */
static const struct bench_case rows[] = {
    { .name = "decimal.parse", .group = "decimal.parse", .processors = 1, .operations = EACH,
      .burst_samples = 4000, .setup = setup, .burst = parse_ours,
      .against = { "decimal.parse_strtod", "decimal.parse_from_chars" } },
    { .name = "decimal.parse_strtod", .group = "decimal.parse", .processors = 1, .operations = EACH,
      .burst_samples = 4000, .setup = setup, .burst = parse_strtod },
    { .name = "decimal.parse_from_chars", .group = "decimal.parse", .processors = 1, .operations = EACH,
      .burst_samples = 4000, .setup = setup, .burst = parse_from_chars },
    { .name = "decimal.print", .group = "decimal.print", .processors = 1, .operations = EACH,
      .burst_samples = 4000, .setup = setup, .burst = print_ours,
      .against = { "decimal.print_snprintf", "decimal.print_to_chars" } },
    { .name = "decimal.print_snprintf", .group = "decimal.print", .processors = 1, .operations = EACH,
      .burst_samples = 4000, .setup = setup, .burst = print_snprintf },
    { .name = "decimal.print_to_chars", .group = "decimal.print", .processors = 1, .operations = EACH,
      .burst_samples = 4000, .setup = setup, .burst = print_to_chars },
};
/* clang-format on */

const struct bench_table bench_decimal = { rows, POISE_COUNT_OF(rows) };
