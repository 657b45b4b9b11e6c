/* Any bytes as market data of Binance: the fast parser of every level declines them without a word, or says
 * what the tolerant one says. */
#include "tests/venues/fast/compare.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct instrument_table table;
static struct compare compares[PRODUCT_COUNT];

static void add(uint8_t product, const char *symbol, uint8_t price_decimals, uint8_t qty_decimals)
{
    struct instrument row = { .venue = VENUE_BINANCE,
                              .product = product,
                              .price_decimals = price_decimals,
                              .qty_decimals = qty_decimals,
                              .tick = 1,
                              .lot = 1 };
    snprintf(row.symbol, sizeof row.symbol, "%s", symbol);
    snprintf(row.name, sizeof row.name, "binance.%s.%s", product_names[product], symbol);
    POISE_ASSERT(instrument_add(&table, &row) != UINT16_MAX);
}

static void setup(void)
{
    instrument_table_reset(&table);
    add(PRODUCT_LINEAR, "BTCUSDT", 2, 3);
    add(PRODUCT_LINEAR, "CTKUSDT", 5, 0);
    add(PRODUCT_SPOT, "BTCUSDT", 2, 5);
    add(PRODUCT_SPOT, "NKNUSDT", 4, 0);
    add(PRODUCT_INVERSE, "BTCUSD_PERP", 1, 0);
    for (int product = PRODUCT_SPOT; product <= PRODUCT_INVERSE; product++) {
        compare_make(&compares[product], &table, (uint8_t)product);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (table.count == 0) {
        setup();
    }
    if (size == 0) {
        return 0;
    }
    uint8_t product = (uint8_t)(PRODUCT_SPOT + data[0] % 3);
    /* on the heap, exactly as long as promised: the address sanitizer guards both ends */
    char *text = malloc(size - 1 > 0 ? size - 1 : 1);
    POISE_ASSERT(text != NULL);
    memcpy(text, data + 1, size - 1);
    for (int level = 0; level < INDEX_LEVEL_COUNT; level++) {
        if (binance_fast_at(level) != NULL &&
            compare_parse(&compares[product], level, text, size - 1) == COMPARE_DIFFERENT) {
            fprintf(stderr, "%s: %s\n", index_level_names[level], compares[product].why);
            abort();
        }
    }
    free(text);
    return 0;
}
