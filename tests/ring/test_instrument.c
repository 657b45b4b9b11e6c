#include "ring/instrument.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct instrument_table table;

static struct instrument sane(void)
{
    struct instrument row = { .name = "binance.inverse.BTCUSD_PERP",
                              .symbol = "BTCUSD_PERP",
                              .venue = VENUE_BINANCE,
                              .product = PRODUCT_INVERSE,
                              .kind = KIND_INVERSE_PERPETUAL,
                              .price_decimals = 1,
                              .tick = 1,
                              .lot = 1,
                              .min_qty = 1,
                              .max_qty = 1000000,
                              .contract_e8 = 10000000000,
                              .max_price = 100000000 };
    return row;
}

static struct instrument linear(void)
{
    struct instrument row = sane();
    row.product = PRODUCT_LINEAR;
    row.kind = KIND_LINEAR_PERPETUAL;
    row.qty_decimals = 3;
    row.contract_e8 = 100000000;
    return row;
}

Test(instrument, a_row_is_found_by_venue_product_and_symbol)
{
    instrument_table_reset(&table);
    struct instrument row = sane();
    cr_assert_eq(instrument_add(&table, &row), 0);
    row.product = PRODUCT_LINEAR;
    snprintf(row.name, sizeof row.name, "binance.linear.BTCUSD_PERP");
    cr_assert_eq(instrument_add(&table, &row), 1);
    row.venue = VENUE_BITMEX;
    cr_assert_eq(instrument_add(&table, &row), 2);

    /* not terminated: the symbol as it stands inside a message */
    const char *text = "BTCUSD_PERP\",\"x\"";
    const struct instrument *found = instrument_find(&table, VENUE_BINANCE, PRODUCT_LINEAR, text, 11);
    cr_assert_not_null(found);
    cr_assert_eq(found->index, 1);
    cr_assert_eq(instrument_find(&table, VENUE_BINANCE, PRODUCT_INVERSE, text, 11)->index, 0);
    cr_assert_eq(instrument_find(&table, VENUE_BITMEX, PRODUCT_LINEAR, text, 11)->index, 2);
    cr_assert_null(instrument_find(&table, VENUE_OKX, PRODUCT_LINEAR, text, 11));
    cr_assert_null(instrument_find(&table, VENUE_BINANCE, PRODUCT_LINEAR, text, 10));
    cr_assert_null(instrument_find(&table, VENUE_BINANCE, PRODUCT_LINEAR, text, 12));
    cr_assert_null(instrument_find(&table, VENUE_BINANCE, PRODUCT_LINEAR, "btcusd_perp", 11));
    cr_assert_eq(instrument_by_name(&table, "binance.linear.BTCUSD_PERP")->index, 1);
    cr_assert_null(instrument_by_name(&table, "binance.linear.BTCUSD_PER"));
}

Test(instrument, the_same_row_twice_and_one_too_many_are_refused)
{
    instrument_table_reset(&table);
    struct instrument row = sane();
    for (int i = 0; i < INSTRUMENT_MAX; i++) {
        snprintf(row.symbol, sizeof row.symbol, "SYMBOL%d", i);
        cr_assert_eq(instrument_add(&table, &row), i);
        cr_assert_eq(instrument_add(&table, &row), UINT16_MAX);
    }
    snprintf(row.symbol, sizeof row.symbol, "ANOTHER");
    cr_assert_eq(instrument_add(&table, &row), UINT16_MAX);
    cr_assert_eq(table.count, (uint32_t)INSTRUMENT_MAX);
    /* a full table still finds every one, and still ends its walk for one that is not there */
    for (int i = 0; i < INSTRUMENT_MAX; i++) {
        char symbol[32];
        int bytes = snprintf(symbol, sizeof symbol, "SYMBOL%d", i);
        const struct instrument *found =
            instrument_find(&table, VENUE_BINANCE, PRODUCT_INVERSE, symbol, (size_t)bytes);
        cr_assert_not_null(found);
        cr_assert_eq(found->index, i);
    }
    cr_assert_null(instrument_find(&table, VENUE_BINANCE, PRODUCT_INVERSE, "NONE", 4));
}

/* Nine symbols at two thirds of all places: so full that the way to one passes others of the same name. */
static bool listed(int symbol, int venue, int product)
{
    return (symbol + venue + product) % 3 != 0;
}

Test(instrument, a_symbol_is_not_found_where_it_is_not_listed)
{
    instrument_table_reset(&table);
    for (int question = 0; question < 2; question++) {
        for (int symbol = 0; symbol < 9; symbol++) {
            for (int venue = 1; venue < VENUE_COUNT; venue++) {
                for (int product = 1; product < PRODUCT_ALL; product++) {
                    struct instrument row = sane();
                    int bytes = snprintf(row.symbol, sizeof row.symbol, "COIN%d", symbol);
                    row.venue = (uint8_t)venue;
                    row.product = (uint8_t)product;
                    if (question == 0) {
                        cr_assert(!listed(symbol, venue, product) ||
                                  instrument_add(&table, &row) != UINT16_MAX);
                        continue;
                    }
                    const struct instrument *found =
                        instrument_find(&table, row.venue, row.product, row.symbol, (size_t)bytes);
                    cr_assert_eq(found != NULL, listed(symbol, venue, product));
                    cr_assert(found == NULL || (found->venue == venue && found->product == product));
                }
            }
        }
    }
    cr_assert_gt(table.count, 200u);
}

Test(instrument, a_symbol_that_fills_its_field_is_refused)
{
    instrument_table_reset(&table);
    struct instrument row = sane();
    memset(row.symbol, 'A', sizeof row.symbol);
    cr_assert_eq(instrument_add(&table, &row), UINT16_MAX);
    cr_assert_null(instrument_find(&table, VENUE_BINANCE, PRODUCT_INVERSE, row.symbol, 32));
    cr_assert_not_null(instrument_check(&row));
}

Test(instrument, currencies_are_numbered_as_they_come)
{
    instrument_table_reset(&table);
    cr_assert_eq(currency_find(&table, "USDT", 4, false), CURRENCY_NONE);
    uint16_t usdt = currency_find(&table, "USDT", 4, true);
    uint16_t usd = currency_find(&table, "USDT", 3, true);
    cr_assert_neq(usdt, usd, "USD is not USDT");
    cr_assert_eq(currency_find(&table, "USDT", 4, true), usdt);
    cr_assert_eq(currency_find(&table, "USD", 3, false), usd);
    cr_assert_str_eq(currency_code(&table, usdt), "USDT");
    cr_assert_str_eq(currency_code(&table, CURRENCY_NONE), "?");
    cr_assert_eq(currency_find(&table, "", 0, true), CURRENCY_NONE);
    cr_assert_eq(currency_find(&table, "TWELVELETTER", 12, true), CURRENCY_NONE);
    for (int i = 2; i < CURRENCY_MAX; i++) {
        char code[8];
        int bytes = snprintf(code, sizeof code, "C%d", i);
        cr_assert_eq(currency_find(&table, code, (size_t)bytes, true), i);
    }
    cr_assert_eq(currency_find(&table, "FULL", 4, true), CURRENCY_NONE);
}

Test(instrument, sane_rows_pass)
{
    struct instrument row = sane();
    cr_assert_null(instrument_check(&row));
    row = linear();
    cr_assert_null(instrument_check(&row));
}

/* Each fault alone must be seen. */
#define REFUSED(change)                                                                                      \
    do {                                                                                                     \
        struct instrument row = linear();                                                                    \
        row.change;                                                                                          \
        cr_expect_not_null(instrument_check(&row), #change);                                                 \
    } while (0)

Test(instrument, every_senseless_number_is_named)
{
    REFUSED(kind = KIND_NONE);
    REFUSED(kind = KIND_COUNT);
    REFUSED(venue = VENUE_NONE);
    REFUSED(venue = VENUE_COUNT);
    REFUSED(product = PRODUCT_NONE);
    REFUSED(symbol[0] = '\0');
    REFUSED(price_decimals = 13);
    REFUSED(qty_decimals = 13);
    REFUSED(tick = 0);
    REFUSED(lot = -1);
    REFUSED(contract_e8 = 0);
    REFUSED(min_qty = -1);
    REFUSED(max_qty = 0);
    REFUSED(min_qty = 2000000);
    REFUSED(min_notional_e8 = -1);
    REFUSED(min_price = 200000000);
    REFUSED(band_up_ppm = -1);
}

Test(instrument, what_could_overflow_is_refused_and_the_last_that_cannot_is_not)
{
    struct instrument row = linear();
    /* 9.2e10 of quote currency at 1e-8 is what an int64 holds */
    row.max_price = 100000000; /* 1e7 */
    row.max_qty = 9000000;     /* 9,000: 9e10 */
    cr_assert_null(instrument_check(&row));
    row.max_qty = 10000000;
    cr_assert_not_null(instrument_check(&row));
    row.max_qty = INT64_MAX;
    row.max_price = INT64_MAX;
    cr_assert_not_null(instrument_check(&row));

    row = sane();
    row.max_qty = INT64_MAX / 10000000000;
    cr_assert_null(instrument_check(&row));
    row.max_qty += 1;
    cr_assert_not_null(instrument_check(&row));
}
