/* Public streams and replies: nothing outside is read, nothing unsound yields, and the fast path says what
 * the tolerant parser says. */
#include "tests/fuzz/venues/fuzz_venue.h"
#include "venues/deribit/feed.h"

#include <stdlib.h>
#include <string.h>

static const struct instrument_table *table_of_deribit(void)
{
    static struct instrument_table table;
    static const struct {
        const char *symbol;
        uint8_t product, kind, price_decimals, qty_decimals;
    } rows[] = {
        { "BTC-PERPETUAL", PRODUCT_INVERSE, KIND_INVERSE_PERPETUAL, 2, 0 },
        { "ETH-PERPETUAL", PRODUCT_INVERSE, KIND_INVERSE_PERPETUAL, 2, 0 },
        { "BTC_USDC-PERPETUAL", PRODUCT_LINEAR, KIND_LINEAR_PERPETUAL, 1, 4 },
        { "BTC_USDC", PRODUCT_SPOT, KIND_SPOT, 2, 4 },
        { "BTC-24SEP21-8000-P", PRODUCT_OPTION, KIND_OPTION, 4, 1 },
    };
    if (table.count == 0) {
        instrument_table_reset(&table);
        for (size_t i = 0; i < POISE_COUNT_OF(rows); i++) {
            struct instrument row = { .venue = VENUE_DERIBIT,
                                      .product = rows[i].product,
                                      .kind = rows[i].kind,
                                      .price_decimals = rows[i].price_decimals,
                                      .qty_decimals = rows[i].qty_decimals,
                                      .tick = 1,
                                      .lot = 1 };
            strcpy(row.symbol, rows[i].symbol);
            instrument_add(&table, &row);
        }
    }
    return &table;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct level levels[FEED_LEVELS_MAX];
    if (size == 0) {
        return 0;
    }
    char *copy = fuzz_copy(data + 1, size - 1);
    struct fuzz_heard heard[2] = { { 0, 7 }, { 0, 7 } };
    int64_t consumed[2];
    for (int way = 0; way < 2; way++) {
        struct feed_parser parser = { .instruments = table_of_deribit(),
                                      .venue = VENUE_DERIBIT,
                                      .product = PRODUCT_INVERSE,
                                      .levels = levels,
                                      .level_capacity = FEED_LEVELS_MAX,
                                      .reply_instrument = (data[0] & 4) != 0 ? 0 : NO_INSTRUMENT };
        fuzz_yielded = 0;
        consumed[way] = way == 0 ? venue_deribit.feed->parse(&parser, copy, size - 1, fuzz_hear, &heard[0])
                                 : deribit_feed_parse_tolerant(&parser, copy, size - 1, fuzz_hear, &heard[1]);
        fuzz_judge(consumed[way], size - 1);
    }
    if (consumed[0] != consumed[1] || heard[0].count != heard[1].count || heard[0].hash != heard[1].hash) {
        abort();
    }
    free(copy);
    return 0;
}
