#include "cold/metadata.h"
#include "ring/decimal.h"

#include <criterion/criterion.h>
#include <string.h>

static struct instrument row(void)
{
    return (struct instrument){ .name = "binance.linear.BTCUSDT",
                                .symbol = "BTCUSDT",
                                .index = 3,
                                .venue = VENUE_BINANCE,
                                .product = PRODUCT_LINEAR,
                                .kind = KIND_LINEAR_PERPETUAL,
                                .status = INSTRUMENT_TRADING,
                                .price_decimals = 2,
                                .qty_decimals = 3,
                                .base = 4,
                                .quote = 5,
                                .settle = 5,
                                .tick = 10,
                                .lot = 1,
                                .min_qty = 1,
                                .max_qty = 1000000,
                                .min_price = 100,
                                .max_price = 1000000000,
                                .min_notional_e8 = 100 * DECIMAL_E8,
                                .contract_e8 = DECIMAL_E8,
                                .funding_interval_s = 28800 };
}

Test(metadata, rules_follow_and_what_the_instrument_is_stays)
{
    struct instrument was = row(), is = row(), out;
    is.index = UINT16_MAX; /* as a venue tells it */
    is.base = is.quote = is.settle = CURRENCY_NONE;
    is.name[0] = 0;
    is.tick = 50;
    is.lot = is.min_qty = 10;
    is.min_notional_e8 = 5 * DECIMAL_E8;
    is.status = INSTRUMENT_HALTED;
    cr_assert_null(metadata_fit(&was, &is, &out));
    struct instrument expected = was;
    expected.tick = 50;
    expected.lot = expected.min_qty = 10;
    expected.min_notional_e8 = 5 * DECIMAL_E8;
    expected.status = INSTRUMENT_HALTED;
    cr_assert_eq(memcmp(&out, &expected, sizeof out), 0);
}

Test(metadata, another_unit_of_the_venue_is_said_in_ours)
{
    struct instrument was = row(), is = row(), out;
    is.price_decimals = 1;
    is.qty_decimals = 4;
    is.tick = 5;           /* 0.5 */
    is.lot = 100;          /* 0.01 */
    is.min_qty = 100;      /* .. */
    is.max_qty = 10000005; /* 1000.0005: down */
    is.min_price = 10;
    is.max_price = 100000000;
    cr_assert_null(metadata_fit(&was, &is, &out));
    cr_assert_eq(out.tick, 50);
    cr_assert_eq(out.lot, 10);
    cr_assert_eq(out.min_qty, 10);
    cr_assert_eq(out.max_qty, 1000000);
    cr_assert_eq(out.min_price, 100);
    cr_assert_eq(out.price_decimals, 2);
    is.min_qty = 105; /* 0.0105: up, for less would be refused */
    cr_assert_null(metadata_fit(&was, &is, &out));
    cr_assert_eq(out.min_qty, 11);
}

Test(metadata, a_tick_finer_than_the_unit_leaves_cancels_only)
{
    struct instrument was = row(), is = row(), out;
    is.price_decimals = 3;
    is.tick = 5;
    is.lot = 2;
    cr_assert_not_null(metadata_fit(&was, &is, &out));
    cr_assert_eq(out.status, INSTRUMENT_CANCEL_ONLY);
    cr_assert_eq(out.tick, was.tick);
    cr_assert_eq(out.lot, was.lot);
    is.status = INSTRUMENT_HALTED; /* what is worse stays */
    cr_assert_not_null(metadata_fit(&was, &is, &out));
    cr_assert_eq(out.status, INSTRUMENT_HALTED);
}

Test(metadata, another_contract_by_the_same_name_leaves_cancels_only)
{
    struct instrument was = row(), is = row(), out;
    is.contract_e8 = 10 * DECIMAL_E8;
    cr_assert_not_null(metadata_fit(&was, &is, &out));
    cr_assert_eq(out.status, INSTRUMENT_CANCEL_ONLY);
    cr_assert_eq(out.contract_e8, was.contract_e8);
    is = row();
    is.kind = KIND_LINEAR_FUTURE;
    cr_assert_not_null(metadata_fit(&was, &is, &out));
}

Test(metadata, rules_that_make_no_sense_leave_the_old_ones)
{
    struct instrument was = row(), is = row(), out;
    is.tick = 0;
    cr_assert_not_null(metadata_fit(&was, &is, &out));
    cr_assert_eq(out.tick, was.tick);
    is = row();
    is.max_qty = 0;
    cr_assert_not_null(metadata_fit(&was, &is, &out));
    cr_assert_eq(out.max_qty, was.max_qty);
}

Test(metadata, a_value_is_scaled_exactly_or_not_at_all)
{
    int64_t value = 1250;
    cr_assert(metadata_scale(&value, 3, 2));
    cr_assert_eq(value, 125);
    cr_assert_not(metadata_scale(&value, 2, 0));
    cr_assert_eq(value, 125);
    value = INT64_MAX / 10;
    cr_assert_not(metadata_scale(&value, 0, 2));
}
