#include "tests/fuzz/venues/fuzz_binance.h"

#include <stdlib.h>
#include <string.h>

uint32_t fuzz_yielded;

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

char *fuzz_copy(const uint8_t *data, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL) {
        abort();
    }
    memcpy(copy, data, size);
    return copy;
}

static void on_record(void *context, const struct slot *record)
{
    (void)context;
    const struct record_head *head = record_head_of(record);
    if (head->slot_count == 0 || head->slot_count > RECORD_SLOTS_MAX ||
        record_type_name(head->type)[0] == '?') {
        abort();
    }
    fuzz_yielded++;
}

const struct venue_sink fuzz_sink = { on_record, NULL };

void fuzz_judge(int64_t consumed, size_t size)
{
    if (consumed < PARSE_BROKEN || consumed > (int64_t)size || (consumed <= 0 && fuzz_yielded > 0)) {
        abort();
    }
}
