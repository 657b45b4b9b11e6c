#include "tests/fuzz/venues/fuzz_binance.h"

#include <string.h>

uint8_t fuzz_product(uint8_t byte)
{
    return (uint8_t)(PRODUCT_SPOT + byte % 3);
}

const struct instrument_table *fuzz_table(void)
{
    static struct instrument_table table;
    static const char *const symbols[] = { "BTCUSDT", "ETHUSDT", "BTCUSD_PERP", "BNBUSDT", "BTCUSD_240329" };
    if (table.count == 0) {
        instrument_table_reset(&table);
        for (uint8_t product = PRODUCT_SPOT; product <= PRODUCT_INVERSE; product++) {
            for (size_t i = 0; i < POISE_COUNT_OF(symbols); i++) {
                struct instrument row = { .venue = VENUE_BINANCE, .product = product, .tick = 1, .lot = 1 };
                row.price_decimals = (uint8_t)(i + 1);
                row.qty_decimals = product == PRODUCT_INVERSE ? 0 : 3;
                row.contract_e8 = DECIMAL_E8;
                strcpy(row.symbol, symbols[i]);
                instrument_add(&table, &row);
            }
        }
        currency_find(&table, "USDT", 4, true);
        currency_find(&table, "BTC", 3, true);
    }
    return &table;
}
