#include "tests/fuzz/venues/fuzz_deribit.h"
#include "venues/deribit/product.h"

#include <string.h>

const struct instrument_table *fuzz_deribit_table(void)
{
    static struct instrument_table table;
    static const char *const symbols[FUZZ_DERIBIT_ROWS] = { "BTC-PERPETUAL", "ETH-PERPETUAL",
                                                            "ETH_USDC-PERPETUAL", "BTC_USDC",
                                                            "BTC-22FEB19-3500-C" };
    if (table.count == 0) {
        instrument_table_reset(&table);
        for (size_t i = 0; i < FUZZ_DERIBIT_ROWS; i++) {
            struct deribit_symbol symbol = deribit_symbol(symbols[i], strlen(symbols[i]));
            struct instrument row = { .venue = VENUE_DERIBIT,
                                      .product = symbol.product,
                                      .kind = symbol.kind,
                                      .tick = 1,
                                      .lot = 1,
                                      .contract_e8 = DECIMAL_E8 };
            row.price_decimals = (uint8_t)(4 + i);
            row.qty_decimals = symbol.product == PRODUCT_INVERSE ? 0 : 6;
            row.settle = currency_find(&table, i < 2 ? "BTC" : "USDC", i < 2 ? 3 : 4, true);
            strcpy(row.symbol, symbols[i]);
            instrument_add(&table, &row);
        }
    }
    return &table;
}
