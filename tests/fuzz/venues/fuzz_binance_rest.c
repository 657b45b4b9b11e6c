/* REST answers to every question. */
#include "tests/fuzz/venues/fuzz_binance.h"

#include <stdlib.h>

static void on_row(void *context, const struct instrument *row, const char *base, const char *quote,
                   const char *settle)
{
    (void)context;
    (void)base;
    (void)quote;
    (void)settle;
    instrument_check(row);
    fuzz_yielded++;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2) {
        return 0;
    }
    char *copy = fuzz_copy(data + 2, size - 2);
    struct rest_query query = { .what = (uint8_t)(REST_TIME + data[1] % (REST_ANY - REST_TIME + 1)),
                                .product = fuzz_product(data[0]),
                                .page = (data[0] >> 2) & 7,
                                .instrument = &fuzz_table()->row[0],
                                .order = 5 };
    struct rest_answer answer = { .instruments = fuzz_table(), .sink = fuzz_sink, .instrument = on_row };
    fuzz_yielded = 0;
    enum rest_result result =
        venue_binance.rest->parse(&query, (data[0] & 32) != 0 ? 400 : 200, copy, size - 2, &answer);
    if (result == REST_BROKEN && fuzz_yielded > 0) {
        abort();
    }
    free(copy);
    return 0;
}
