/* Answers to every question by HTTP. */
#include "tests/fuzz/venues/fuzz_deribit.h"

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
                                .product = data[0] % PRODUCT_COUNT,
                                .page = (data[0] >> 4) & 3,
                                .instrument = &fuzz_deribit_table()->row[data[0] % FUZZ_DERIBIT_ROWS],
                                .order = 5 };
    struct rest_answer answer = { .instruments = fuzz_deribit_table(),
                                  .sink = fuzz_sink,
                                  .instrument = on_row };
    fuzz_yielded = 0;
    enum rest_result result =
        venue_deribit.rest->parse(&query, (data[0] & 64) != 0 ? 400 : 200, copy, size - 2, &answer);
    if (result == REST_BROKEN && fuzz_yielded > 0) {
        abort();
    }
    free(copy);
    return 0;
}
