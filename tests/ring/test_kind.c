#include "ring/kind.h"

#include <criterion/criterion.h>
#include <signal.h>

#define BTC  1
#define USD  2
#define USDT 3

/* 100 USD a contract, prices to 0.1, margin and profit in BTC. */
static struct instrument inverse(void)
{
    return (struct instrument){ .kind = KIND_INVERSE_PERPETUAL,
                                .price_decimals = 1,
                                .base = BTC,
                                .quote = USD,
                                .settle = BTC,
                                .tick = 1,
                                .lot = 1,
                                .min_qty = 1,
                                .max_qty = 1000000,
                                .contract_e8 = 100 * DECIMAL_E8 };
}

/* Prices to 0.01, quantities to 0.001 BTC. */
static struct instrument linear(void)
{
    return (struct instrument){ .kind = KIND_LINEAR_PERPETUAL,
                                .price_decimals = 2,
                                .qty_decimals = 3,
                                .base = BTC,
                                .quote = USDT,
                                .settle = USDT,
                                .tick = 10,
                                .lot = 1,
                                .min_qty = 1,
                                .max_qty = 1000000,
                                .min_notional_e8 = 100 * DECIMAL_E8,
                                .contract_e8 = DECIMAL_E8 };
}

static struct instrument spot(void)
{
    struct instrument instrument = linear();
    instrument.kind = KIND_SPOT;
    instrument.qty_decimals = 5;
    return instrument;
}

static int64_t fill(const struct instrument *instrument, struct position *position, enum side side,
                    int64_t qty, int64_t price)
{
    struct fill_effect effect;
    kind_fill(instrument, position, side, qty, price, &effect);
    cr_assert_eq(effect.settle_currency, instrument->settle);
    cr_assert_eq(effect.base_currency, CURRENCY_NONE);
    cr_assert_eq(effect.quote_currency, CURRENCY_NONE);
    cr_assert_eq(effect.base_e8, 0);
    cr_assert_eq(effect.quote_e8, 0);
    return effect.realised_e8;
}

#define SAME128(a, b) cr_assert((a) == (b), "%lld, not %lld", (long long)(a), (long long)(b))

Test(kind, a_short_inverse_covers_a_part_and_flips)
{
    struct instrument instrument = inverse();
    struct position position = { 0 };

    /* short 10 contracts at 50,000: owes 1,000 USD, which is 0.02 BTC */
    cr_assert_eq(fill(&instrument, &position, SIDE_SELL, 10, 500000), 0);
    cr_assert_eq(position.qty, -10);
    SAME128(position.notional_e12, -20000000000);

    /* covers 4 at 40,000: 400 x (1/40,000 - 1/50,000) = 0.002 BTC */
    cr_assert_eq(fill(&instrument, &position, SIDE_BUY, 4, 400000), 200000);
    cr_assert_eq(position.qty, -6);
    SAME128(position.notional_e12, -12000000000);
    cr_assert_eq(kind_entry_price(&instrument, &position), 500000, "a cover leaves the entry");

    /* buys 10 at 60,000: closes 6 (600 x (1/60,000 - 1/50,000) = -0.002), then 4 long at 60,000 */
    cr_assert_eq(fill(&instrument, &position, SIDE_BUY, 10, 600000), -200000);
    cr_assert_eq(position.qty, 4);
    SAME128(position.notional_e12, 6666666667);
    cr_assert_eq(kind_entry_price(&instrument, &position), 600000);

    /* flat at 60,000: nothing more realised, nothing left */
    cr_assert_eq(fill(&instrument, &position, SIDE_SELL, 4, 600000), 0);
    cr_assert_eq(position.qty, 0);
    SAME128(position.notional_e12, 0);
    cr_assert_eq(kind_entry_price(&instrument, &position), 0);
}

Test(kind, a_long_inverse_gains_when_the_price_rises)
{
    struct instrument instrument = inverse();
    struct position position = { 0 };
    /* 100 contracts at 50,000, sold at 62,500: 10,000 x (1/50,000 - 1/62,500) = 0.04 BTC */
    cr_assert_eq(fill(&instrument, &position, SIDE_BUY, 100, 500000), 0);
    cr_assert_eq(kind_unrealised_e8(&instrument, &position, 625000), 4000000);
    cr_assert_eq(fill(&instrument, &position, SIDE_SELL, 100, 625000), 4000000);
    cr_assert_eq(position.qty, 0);
}

Test(kind, a_linear_position_averages_closes_and_flips)
{
    struct instrument instrument = linear();
    struct position position = { 0 };

    /* 0.010 at 60,000 and 0.005 at 61,000: 905 USDT for 0.015 */
    cr_assert_eq(fill(&instrument, &position, SIDE_BUY, 10, 6000000), 0);
    cr_assert_eq(fill(&instrument, &position, SIDE_BUY, 5, 6100000), 0);
    SAME128(position.notional_e12, 905 * KIND_E12);
    cr_assert_eq(kind_entry_price(&instrument, &position), 6033333); /* 60,333.33.. */

    /* sells 0.006 at 62,000: 372 for a share of 905 x 6/15 = 362 */
    cr_assert_eq(fill(&instrument, &position, SIDE_SELL, 6, 6200000), 10 * DECIMAL_E8);
    cr_assert_eq(position.qty, 9);
    SAME128(position.notional_e12, 543 * KIND_E12);

    /* sells 0.019 at 59,000: 9 of them for 531 against 543, then 0.010 short at 59,000 */
    cr_assert_eq(fill(&instrument, &position, SIDE_SELL, 19, 5900000), -12 * DECIMAL_E8);
    cr_assert_eq(position.qty, -10);
    SAME128(position.notional_e12, -590 * KIND_E12);
    cr_assert_eq(kind_unrealised_e8(&instrument, &position, 5800000), 10 * DECIMAL_E8);
    cr_assert_eq(kind_unrealised_e8(&instrument, &position, 6000000), -10 * DECIMAL_E8);
}

Test(kind, shares_of_a_notional_that_does_not_divide_leave_nothing_over)
{
    struct instrument instrument = inverse();
    struct position position = { 0 };
    /* 3 contracts at 30,000 are 0.01 BTC: a third of it does not end */
    fill(&instrument, &position, SIDE_BUY, 3, 300000);
    SAME128(position.notional_e12, 10000000000);
    fill(&instrument, &position, SIDE_SELL, 1, 300000);
    SAME128(position.notional_e12, 6666666667);
    fill(&instrument, &position, SIDE_SELL, 1, 300000);
    SAME128(position.notional_e12, 3333333333); /* the half went to the even neighbour */
    fill(&instrument, &position, SIDE_SELL, 1, 300000);
    SAME128(position.notional_e12, 0);
}

Test(kind, realised_profit_rounds_half_to_even)
{
    struct instrument instrument = linear();
    instrument.price_decimals = 6;
    instrument.qty_decimals = 3;
    struct position position = { 0 };
    /* 0.001 x 0.000005 = 0.000000005: half of a 1e-8 */
    fill(&instrument, &position, SIDE_BUY, 4, 1000000);
    cr_assert_eq(fill(&instrument, &position, SIDE_SELL, 1, 1000005), 0);
    cr_assert_eq(fill(&instrument, &position, SIDE_SELL, 1, 1000015), 2);
    cr_assert_eq(fill(&instrument, &position, SIDE_SELL, 1, 999995), 0);
    cr_assert_eq(fill(&instrument, &position, SIDE_SELL, 1, 999985), -2);
}

Test(kind, dated_futures_follow_their_perpetuals)
{
    struct instrument instruments[2][2] = { { inverse(), inverse() }, { linear(), linear() } };
    instruments[0][1].kind = KIND_INVERSE_FUTURE;
    instruments[1][1].kind = KIND_LINEAR_FUTURE;
    for (int i = 0; i < 2; i++) {
        struct position position[2] = { { 0 }, { 0 } };
        int64_t realised[2] = { 0, 0 };
        for (int k = 0; k < 2; k++) {
            const struct instrument *instrument = &instruments[i][k];
            realised[k] += fill(instrument, &position[k], SIDE_SELL, 7, 481230);
            realised[k] += fill(instrument, &position[k], SIDE_BUY, 9, 493210);
            realised[k] += fill(instrument, &position[k], SIDE_SELL, 1, 503210);
        }
        cr_assert_eq(realised[0], realised[1]);
        cr_assert_neq(realised[0], 0);
        SAME128(position[0].notional_e12, position[1].notional_e12);
        SAME128(kind_delta_e12(&instruments[i][0], &position[0], 480000),
                kind_delta_e12(&instruments[i][1], &position[1], 480000));
    }
}

Test(kind, spot_moves_two_currencies_and_settles_nothing)
{
    struct instrument instrument = spot();
    struct position position = { 0 };
    struct fill_effect effect;
    kind_fill(&instrument, &position, SIDE_BUY, 50000, 6000001, &effect); /* 0.5 at 60,000.01 */
    cr_assert_eq(effect.base_currency, BTC);
    cr_assert_eq(effect.quote_currency, USDT);
    cr_assert_eq(effect.settle_currency, CURRENCY_NONE);
    cr_assert_eq(effect.base_e8, 50000000);
    cr_assert_eq(effect.quote_e8, -3000000500000);
    cr_assert_eq(effect.realised_e8, 0);
    cr_assert_eq(position.qty, 50000);
    SAME128(position.notional_e12, (int128)30000005 * KIND_E12 / 1000);

    kind_fill(&instrument, &position, SIDE_SELL, 20000, 6100000, &effect);
    cr_assert_eq(effect.base_e8, -20000000);
    cr_assert_eq(effect.quote_e8, 1220000000000);
    cr_assert_eq(effect.realised_e8, 0);
    cr_assert_eq(position.qty, 30000);
}

Test(kind, spot_amounts_below_the_unit_round_against_us)
{
    struct instrument instrument = spot();
    instrument.qty_decimals = 8;
    instrument.price_decimals = 8;
    struct position position = { 0 };
    struct fill_effect effect;
    kind_fill(&instrument, &position, SIDE_BUY, 1, 50000000, &effect); /* 1e-8 at 0.5 */
    cr_assert_eq(effect.quote_e8, -1);
    kind_fill(&instrument, &position, SIDE_SELL, 1, 50000000, &effect);
    cr_assert_eq(effect.quote_e8, 0);
}

/* The truth of exposure: with the coin's own cash flows in it, an inverse position's delta does not move
 * with the mark.  Coin equity + contract delta = coin at the start + what each fill added for ever. */
Test(kind, inverse_exposure_is_the_same_at_every_mark)
{
    struct instrument instrument = inverse();
    struct position position = { 0 };
    static const struct {
        enum side side;
        int64_t qty, price;
    } fills[] = {
        { SIDE_SELL, 10, 500000 }, { SIDE_BUY, 4, 400000 },  { SIDE_BUY, 10, 625000 },
        { SIDE_SELL, 3, 800000 },  { SIDE_SELL, 9, 312500 },
    };
    int64_t cash_e8 = 123456789;
    int128 exposure_e12 = (int128)cash_e8 * 10000;
    for (size_t i = 0; i < POISE_COUNT_OF(fills); i++) {
        cash_e8 += fill(&instrument, &position, fills[i].side, fills[i].qty, fills[i].price);
        exposure_e12 += kind_exposure_e12(&instrument, fills[i].side, fills[i].qty, fills[i].price);
        /* marks at which position / mark is a whole number of 1e-8: equality without any tolerance */
        static const int64_t marks[] = { 250000, 312500, 500000, 625000, 1000000, 5000000 };
        for (size_t m = 0; m < POISE_COUNT_OF(marks); m++) {
            int128 delta_e12 = kind_delta_e12(&instrument, &position, marks[m]);
            int64_t open_e8 = kind_unrealised_e8(&instrument, &position, marks[m]);
            SAME128((int128)(cash_e8 + open_e8) * 10000 + delta_e12, exposure_e12);
        }
    }
}

static uint64_t random_state = 0x2545f4914f6cdd1dULL;
static uint64_t random_below(uint64_t n)
{
    random_state ^= random_state << 13, random_state ^= random_state >> 7, random_state ^= random_state << 17;
    return random_state % n;
}

Test(kind, the_same_holds_for_any_fills_within_their_roundings)
{
    struct instrument instrument = inverse();
    for (int run = 0; run < 200; run++) {
        struct position position = { 0 };
        int64_t cash_e8 = 0, qty = 0;
        int128 exposure_e12 = 0;
        for (int i = 1; i <= 100; i++) {
            enum side side = random_below(2) ? SIDE_BUY : SIDE_SELL;
            int64_t n = 1 + (int64_t)random_below(500), price = 300000 + (int64_t)random_below(700000);
            cash_e8 += fill(&instrument, &position, side, n, price);
            exposure_e12 += kind_exposure_e12(&instrument, side, n, price);
            qty += side_sign(side) * n;
            cr_assert_eq(position.qty, qty);
            cr_assert(qty != 0 || position.notional_e12 == 0);
            int64_t mark = 300000 + (int64_t)random_below(700000);
            int128 equity_e12 = (int128)(cash_e8 + kind_unrealised_e8(&instrument, &position, mark)) * 10000;
            int128 off = equity_e12 + kind_delta_e12(&instrument, &position, mark) - exposure_e12;
            /* half a 1e-8 a realised fill, one for the open profit, one 1e-12 a fill that flips */
            cr_assert(off <= 5001 * i + 10001 && off >= -(5001 * i + 10001), "run %d fill %d: off by %lld",
                      run, i, (long long)off);
        }
    }
}

Test(kind, linear_equity_is_what_was_paid_and_what_it_is_worth)
{
    struct instrument instrument = linear();
    for (int run = 0; run < 200; run++) {
        struct position position = { 0 };
        int64_t cash_e8 = 0;
        int128 paid_e8 = 0, exposure_e12 = 0; /* exact: these decimals need no rounding */
        for (int i = 1; i <= 100; i++) {
            enum side side = random_below(2) ? SIDE_BUY : SIDE_SELL;
            int64_t n = 1 + (int64_t)random_below(500), price = 3000000 + (int64_t)random_below(7000000);
            cash_e8 += fill(&instrument, &position, side, n, price);
            paid_e8 += (int128)side_sign(side) * n * price * 1000;
            exposure_e12 += kind_exposure_e12(&instrument, side, n, price);
            int64_t mark = 3000000 + (int64_t)random_below(7000000);
            SAME128(kind_delta_e12(&instrument, &position, mark), exposure_e12);
            SAME128(exposure_e12, (int128)position.qty * 1000000000);
            int128 off = cash_e8 + kind_unrealised_e8(&instrument, &position, mark) -
                         ((int128)position.qty * mark * 1000 - paid_e8);
            cr_assert(off <= i && off >= -i - 1, "run %d fill %d: off by %lld", run, i, (long long)off);
        }
    }
}

Test(kind, a_contract_that_is_a_fraction_of_a_coin)
{
    /* 0.01 BTC a contract */
    struct instrument instrument = linear();
    instrument.contract_e8 = 1000000;
    instrument.qty_decimals = 0;
    instrument.price_decimals = 1;
    struct position position = { 0 };
    cr_assert_eq(fill(&instrument, &position, SIDE_BUY, 7, 600000), 0);
    SAME128(position.notional_e12, 4200 * KIND_E12);
    SAME128(kind_delta_e12(&instrument, &position, 600000), 70000000000);
    cr_assert_eq(fill(&instrument, &position, SIDE_SELL, 7, 601000), 7 * DECIMAL_E8);
    cr_assert_eq(kind_coin_e8(&instrument, 7, 600000, ROUND_DOWN), 7000000);
    cr_assert_eq(kind_quote_e8(&instrument, 7, 600000, ROUND_DOWN), 4200 * DECIMAL_E8);
    cr_assert_eq(kind_qty_for_coin(&instrument, 79999999999, 600000, ROUND_DOWN), 7);
    cr_assert_eq(kind_qty_for_coin(&instrument, 70000000001, 600000, ROUND_UP), 8);
}

Test(kind, coin_and_quote_of_a_quantity)
{
    struct instrument instrument = inverse();
    cr_assert_eq(kind_coin_e8(&instrument, 3, 700000, ROUND_DOWN), 428571); /* 300 / 70,000 */
    cr_assert_eq(kind_coin_e8(&instrument, 3, 700000, ROUND_UP), 428572);
    cr_assert_eq(kind_coin_e8(&instrument, -3, 700000, ROUND_DOWN), -428572);
    cr_assert_eq(kind_coin_e8(&instrument, -3, 700000, ROUND_ZERO), -428571);
    cr_assert_eq(kind_quote_e8(&instrument, 3, 700000, ROUND_DOWN), 300 * DECIMAL_E8);
    instrument = linear();
    cr_assert_eq(kind_coin_e8(&instrument, -15, 6000000, ROUND_DOWN), -1500000);
    cr_assert_eq(kind_quote_e8(&instrument, -15, 6000000, ROUND_DOWN), -900 * DECIMAL_E8);
}

Test(kind, the_quantity_that_is_so_much_coin)
{
    struct instrument instrument = inverse();
    /* 0.0123 BTC at 50,000 is 615 USD: 6.15 contracts */
    cr_assert_eq(kind_qty_for_coin(&instrument, 12300000000, 500000, ROUND_DOWN), 6);
    cr_assert_eq(kind_qty_for_coin(&instrument, 12300000000, 500000, ROUND_UP), 7);
    cr_assert_eq(kind_qty_for_coin(&instrument, 12300000000, 500000, ROUND_HALF_EVEN), 6);
    cr_assert_eq(kind_qty_for_coin(&instrument, 12000000000, 500000, ROUND_UP), 6, "exactly");
    cr_assert_eq(kind_qty_for_coin(&instrument, 0, 500000, ROUND_UP), 0);
    instrument = linear();
    cr_assert_eq(kind_qty_for_coin(&instrument, 12300000000, 6000000, ROUND_DOWN), 12);
    cr_assert_eq(kind_qty_for_coin(&instrument, 12300000000, 6000000, ROUND_UP), 13);
    instrument.lot = 5;
    cr_assert_eq(kind_qty_for_coin(&instrument, 12300000000, 6000000, ROUND_DOWN), 10);
    cr_assert_eq(kind_qty_for_coin(&instrument, 12300000000, 6000000, ROUND_UP), 15);
}

Test(kind, one_inverse_fill_is_hedged_by_its_own_coin)
{
    struct instrument quoted = inverse(), hedge = linear();
    int128 exposure_e12 = kind_exposure_e12(&quoted, SIDE_BUY, 50, 617000);
    /* 5,000 / 61,700 = 0.081037.. BTC: 0.081 sold on the other side */
    cr_assert_eq(kind_qty_for_coin(&hedge, exposure_e12, 6170000, ROUND_DOWN), 81);
}

Test(kind, fees_are_paid_in_the_right_currency_and_rounded_for_the_venue)
{
    uint16_t currency = 0;
    struct instrument instrument = linear();
    /* 600 USDT at 5 bp */
    cr_assert_eq(kind_fee_e8(&instrument, SIDE_BUY, 10, 6000000, 500, &currency), 30000000);
    cr_assert_eq(currency, USDT);
    instrument = inverse();
    /* 0.02 BTC at 5 bp */
    cr_assert_eq(kind_fee_e8(&instrument, SIDE_SELL, 10, 500000, 500, &currency), 1000);
    cr_assert_eq(currency, BTC);
    /* 300 / 70,000 BTC at 2 bp is 85.7..e-8: 86 when paid, 85 when given back */
    cr_assert_eq(kind_fee_e8(&instrument, SIDE_SELL, 3, 700000, 200, &currency), 86);
    cr_assert_eq(kind_fee_e8(&instrument, SIDE_SELL, 3, 700000, -200, &currency), -85);
    cr_assert_eq(kind_fee_e8(&instrument, SIDE_SELL, 3, 700000, 0, &currency), 0);
    /* 3 contracts at 30,000 are 0.01 BTC and a third of 3 bp of a contract ends exactly: no ghost of 1e-8
     * from a notional that was rounded first */
    cr_assert_eq(kind_fee_e8(&instrument, SIDE_BUY, 1, 300000, 300, &currency), 100);
    instrument = spot();
    cr_assert_eq(kind_fee_e8(&instrument, SIDE_BUY, 50000, 6000001, 1000, &currency), 50000);
    cr_assert_eq(currency, BTC);
    cr_assert_eq(kind_fee_e8(&instrument, SIDE_SELL, 50000, 6000001, 1000, &currency), 3000000500);
    cr_assert_eq(currency, USDT);
}

Test(kind, the_smallest_order_a_venue_takes)
{
    struct instrument instrument = linear();
    /* 100 USDT at least: 60 USDT a lot, so two */
    cr_assert_eq(kind_smallest_qty(&instrument, 6000000, false), 2);
    cr_assert_eq(kind_smallest_qty(&instrument, 10000000, false), 1, "exactly 100");
    cr_assert_eq(kind_smallest_qty(&instrument, 9999999, false), 2);
    cr_assert_eq(kind_smallest_qty(&instrument, 6000000, true), 1, "closing needs no notional");
    instrument.min_qty = 12;
    instrument.lot = 5;
    cr_assert_eq(kind_smallest_qty(&instrument, 6000000, true), 15, "a multiple of the lot");
    instrument.min_qty = 0;
    cr_assert_eq(kind_smallest_qty(&instrument, 6000000, true), 5);
    instrument = inverse();
    cr_assert_eq(kind_smallest_qty(&instrument, 500000, false), 1);
    instrument.min_notional_e8 = 250 * DECIMAL_E8;
    cr_assert_eq(kind_smallest_qty(&instrument, 500000, false), 3);
}

/* What is measured once answers what is worked out anew, rounded the same way, at every size that fits. */
Test(kind, a_scale_answers_as_the_general_functions_do)
{
    static const enum rounding roundings[] = { ROUND_DOWN, ROUND_UP, ROUND_ZERO, ROUND_AWAY,
                                               ROUND_HALF_EVEN };
    static const int64_t contracts[] = { DECIMAL_E8, 10 * DECIMAL_E8, 1, 12345678, 100 * DECIMAL_E8, 250000 };
    uint64_t seed = 0x9e3779b97f4a7c15ULL;
    int tried = 0, at_once = 0;
    for (int i = 0; i < 40000; i++) {
        struct instrument row = i % 3 == 0 ? inverse() : i % 3 == 1 ? linear() : spot();
        row.contract_e8 = row.kind == KIND_SPOT ? DECIMAL_E8 : contracts[i / 3 % POISE_COUNT_OF(contracts)];
        row.price_decimals = (uint8_t)(i / 7 % 9);
        row.qty_decimals = row.kind == KIND_INVERSE_PERPETUAL ? 0 : (uint8_t)(i / 5 % 7);
        row.min_notional_e8 = i % 2 == 0 ? 0 : (100 + i % 50) * DECIMAL_E8 / 10;
        row.lot = 1 + i % 10;
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        int64_t price = 1 + (int64_t)(seed % 100000000), qty = 1 + (int64_t)(seed >> 40);
        if (!kind_fits(&row, qty, price) || !kind_fits(&row, row.lot, price)) {
            continue; /* no gate is asked of it */
        }
        tried++;
        struct kind_scale scale = kind_scale(&row);
        cr_assert(scale.plain);
        at_once += scale.least_up != 0;
        for (size_t r = 0; r < POISE_COUNT_OF(roundings); r++) {
            cr_assert_eq(kind_scale_coin_e8(&scale, &row, qty, price, roundings[r]),
                         kind_coin_e8(&row, qty, price, roundings[r]));
            cr_assert_eq(kind_scale_coin_e8(&scale, &row, -qty, price, roundings[r]),
                         kind_coin_e8(&row, -qty, price, roundings[r]));
            cr_assert_eq(kind_scale_quote_e8(&scale, &row, qty, price, roundings[r]),
                         kind_quote_e8(&row, qty, price, roundings[r]));
        }
        cr_assert_eq(kind_scale_smallest_qty(&scale, &row, price, i % 5 == 0),
                     kind_smallest_qty(&row, price, i % 5 == 0));
    }
    cr_assert_gt(tried, 20000);
    cr_assert_gt(at_once, tried / 4);
}

Test(kind, what_a_scale_does_not_know_is_asked_of_the_general_functions)
{
    struct instrument share = linear();
    share.kind = KIND_ETF_SHARE;
    share.contract_e8 = 23456;
    struct kind_scale scale = kind_scale(&share);
    cr_assert_not(scale.plain);
    cr_assert_eq(kind_scale_coin_e8(&scale, &share, 1700, 61800, ROUND_UP),
                 kind_coin_e8(&share, 1700, 61800, ROUND_UP));
    cr_assert_eq(kind_scale_quote_e8(&scale, &share, 1700, 61800, ROUND_UP),
                 kind_quote_e8(&share, 1700, 61800, ROUND_UP));
}

Test(kind, open_profit_rounds_down_on_both_sides)
{
    struct instrument instrument = inverse();
    struct position position = { 0 };
    fill(&instrument, &position, SIDE_BUY, 1, 300000); /* 0.003333333333.. */
    /* at 70,000: 0.003333333333 - 0.001428571428.. = 0.001904761904.. */
    cr_assert_eq(kind_unrealised_e8(&instrument, &position, 700000), 190476);
    position = (struct position){ 0 };
    fill(&instrument, &position, SIDE_SELL, 1, 300000);
    cr_assert_eq(kind_unrealised_e8(&instrument, &position, 700000), -190477);
    /* 0.01 - 100 / 20,000.2 = 0.0050000499995..: a value cut at 1e-12 first would make it 500005 */
    position = (struct position){ 0 };
    fill(&instrument, &position, SIDE_BUY, 1, 100000);
    cr_assert_eq(kind_unrealised_e8(&instrument, &position, 200002), 500004);
}

Test(kind, large_positions_do_not_overflow)
{
    struct instrument instrument = linear();
    struct position position = { 0 };
    fill(&instrument, &position, SIDE_BUY, 1000000000, 10000000); /* 1,000,000 BTC at 100,000 */
    cr_assert_eq(fill(&instrument, &position, SIDE_SELL, 999999999, 10000100),
                 99999999900000); /* a dollar each */
    cr_assert_eq(position.qty, 1);
    SAME128(position.notional_e12, 100 * KIND_E12);
    /* a coin of many decimals on both sides */
    instrument.qty_decimals = 8;
    instrument.price_decimals = 8;
    position = (struct position){ 0 };
    fill(&instrument, &position, SIDE_BUY, 100000000000000, 10000000); /* 1e6 at 0.1 */
    cr_assert_eq(kind_quote_e8(&instrument, position.qty, 10000000, ROUND_DOWN), 100000 * DECIMAL_E8);
}

Test(kind, a_fill_of_nothing_is_a_broken_promise, .signal = SIGABRT)
{
    struct instrument instrument = linear();
    struct position position = { 0 };
    struct fill_effect effect;
    kind_fill(&instrument, &position, SIDE_BUY, 0, 1, &effect);
}

/* What a quanto is worth in coin depends on another price: nobody may ask without it. */
Test(kind, a_quantos_delta_without_its_rate_is_a_broken_promise, .signal = SIGABRT)
{
    struct instrument instrument = linear();
    instrument.kind = KIND_QUANTO_PERPETUAL;
    struct position position = { .qty = 1 };
    kind_delta_e12(&instrument, &position, 1);
}

Test(kind, an_options_exposure_without_its_greek_is_a_broken_promise, .signal = SIGABRT)
{
    struct instrument instrument = linear();
    instrument.kind = KIND_OPTION;
    kind_exposure_e12(&instrument, SIDE_BUY, 1, 1);
}

/* ------------------------------------------------------------------ every kind, worked out apart */

struct hand_instrument {
    enum instrument_kind kind;
    bool coin;
    int64_t contract_e8;
    int price_decimals, qty_decimals;
    enum option_type option;
    int64_t strike_e8;
};
struct hand_fill {
    int of;
    enum side side;
    int64_t qty, price, coin_e8, paid_e8, realised_e8, cost_e12, mark, open_e12;
};
struct hand_expiry {
    int of;
    int64_t delivery_e8, paid_e8, realised_e8;
};
struct hand_swap {
    int64_t reserve_in, reserve_out, amount_in, fee_ppm, amount_out, least_in;
};

#include "tests/ring/kind_expected.h"

static struct instrument by_hand(int of)
{
    const struct hand_instrument *row = &hand_instruments[of];
    struct instrument instrument = { .venue = VENUE_DERIBIT,
                                     .product = PRODUCT_OPTION,
                                     .symbol = "X",
                                     .kind = (uint8_t)row->kind,
                                     .option = (uint8_t)row->option,
                                     .price_decimals = (uint8_t)row->price_decimals,
                                     .qty_decimals = (uint8_t)row->qty_decimals,
                                     .base = BTC,
                                     .quote = USD,
                                     .settle = row->coin ? BTC : USD,
                                     .tick = 1,
                                     .lot = 1,
                                     .max_qty = 100000,
                                     .contract_e8 = row->contract_e8,
                                     .strike_e8 = row->strike_e8 };
    cr_assert_null(instrument_check(&instrument), "%s", instrument_check(&instrument));
    return instrument;
}

static void expect_within(int128 is, int128 should, int within, size_t i, const char *what)
{
    cr_assert(is - should <= within && should - is <= within, "row %zu: %s is %lld, by hand %lld", i, what,
              (long long)is, (long long)should);
}

Test(kind, every_fill_of_every_kind_is_what_a_hand_works_out)
{
    struct position position[POISE_COUNT_OF(hand_instruments)] = { 0 };
    for (size_t i = 0; i < POISE_COUNT_OF(hand_fills); i++) {
        const struct hand_fill *row = &hand_fills[i];
        struct instrument instrument = by_hand(row->of);
        struct fill_effect effect;
        kind_fill(&instrument, &position[row->of], row->side, row->qty, row->price, &effect);
        enum kind_cash cash = kind_cash(instrument.kind);
        cr_assert_eq(effect.base_currency, cash == KIND_CASH_EXCHANGES ? BTC : CURRENCY_NONE);
        cr_assert_eq(effect.quote_currency, cash == KIND_CASH_EXCHANGES ? USD
                                            : cash == KIND_CASH_PAYS    ? instrument.settle
                                                                        : CURRENCY_NONE);
        cr_assert_eq(effect.settle_currency, cash == KIND_CASH_SETTLES ? instrument.settle : CURRENCY_NONE);
        cr_assert_eq(effect.base_e8, row->coin_e8, "row %zu", i);
        cr_assert_eq(effect.quote_e8, row->paid_e8, "row %zu", i);
        expect_within(effect.realised_e8, row->realised_e8, 1, i, "realised");
        expect_within(position[row->of].notional_e12, row->cost_e12, 50, i, "cost");
        expect_within(kind_open_e12(&instrument, &position[row->of], row->mark), row->open_e12, 50, i,
                      "open");
    }
    for (size_t i = 0; i < POISE_COUNT_OF(hand_expiries); i++) {
        const struct hand_expiry *row = &hand_expiries[i];
        struct instrument instrument = by_hand(row->of);
        struct position last = position[row->of]; /* of both prices, from the same holding */
        struct fill_effect effect;
        cr_assert(kind_expire(&instrument, &last, row->delivery_e8, &effect));
        cr_assert_eq(last.qty, 0);
        SAME128(last.notional_e12, 0);
        cr_assert_eq(effect.quote_e8, row->paid_e8, "expiry %zu: %lld, by hand %lld", i,
                     (long long)effect.quote_e8, (long long)row->paid_e8);
        expect_within(effect.realised_e8, row->realised_e8, 1, i, "realised at expiry");
    }
    struct instrument instrument = linear();
    struct fill_effect effect;
    cr_expect_not(kind_expire(&instrument, &position[HAND_LINEAR], DECIMAL_E8, &effect), "it has no expiry");
}

Test(kind, a_pool_gives_what_its_product_allows_and_not_a_unit_more)
{
    for (size_t i = 0; i < POISE_COUNT_OF(hand_swaps); i++) {
        const struct hand_swap *row = &hand_swaps[i];
        int64_t out = kind_swap_out(row->reserve_in, row->reserve_out, row->amount_in, row->fee_ppm);
        cr_assert_eq(out, row->amount_out, "swap %zu: %lld", i, (long long)out);
        if (out == 0) {
            continue;
        }
        int64_t in = kind_swap_in(row->reserve_in, row->reserve_out, out, row->fee_ppm);
        cr_assert_eq(in, row->least_in, "swap %zu: %lld", i, (long long)in);
        cr_assert_leq(in, row->amount_in);
        cr_assert_lt(kind_swap_out(row->reserve_in, row->reserve_out, in - 1, row->fee_ppm), out);
    }
    /* 1,000 in at 100,000 : 200,000 and 0.3 %: 997 counts, 200,000 x 997 / 100,997 = 1,974.3 */
    cr_expect_eq(kind_swap_out(100000, 200000, 1000, 3000), 1974);
    cr_expect_eq(kind_swap_out(0, 200000, 1000, 3000), 0, "an empty pool gives nothing");
    cr_expect_eq(kind_swap_in(100000, 200000, 200000, 3000), 0, "a pool does not give its last");
}

/* Deribit: exposure of the account is equity + delta_total, and delta_total counts an inverse option with its
 * delta less its mark price. */
Test(kind, a_coin_options_delta_leaves_out_the_coin_it_is_worth)
{
    struct instrument instrument = by_hand(HAND_COIN_CALL);
    struct position position = { 0 };
    struct fill_effect effect;
    struct kind_market market = { .mark = 500, .delta_e12 = 550000000000 }; /* 0.0500 BTC, delta 0.55 */
    int128 delta_e12;

    kind_fill(&instrument, &position, SIDE_BUY, 20, 420, &effect); /* 2 coins at 0.0420 */
    cr_expect_eq(effect.quote_e8, -8400000, "0.084 BTC paid");
    cr_assert(kind_market_delta_e12(&instrument, &position, &market, &delta_e12));
    SAME128(delta_e12, (int128)1000000000000); /* 2 x (0.55 - 0.05) */
    instrument.settle = USD;
    cr_assert(kind_market_delta_e12(&instrument, &position, &market, &delta_e12));
    SAME128(delta_e12, (int128)1100000000000);
}

Test(kind, a_quantos_delta_moves_with_the_coin_it_settles_in)
{
    struct instrument instrument = by_hand(HAND_QUANTO);
    struct position position = { .qty = 1000 };
    struct kind_market market = { .mark = 310000, .settle_e8 = 60000 * DECIMAL_E8 };
    int128 delta_e12;

    /* 1,000 contracts make 0.001 BTC per dollar of ETH: 60 dollars per dollar are 60 ETH */
    cr_assert(kind_market_delta_e12(&instrument, &position, &market, &delta_e12));
    SAME128(delta_e12, 60 * (int128)KIND_E12);
    market.settle_e8 = 0;
    cr_expect_not(kind_market_delta_e12(&instrument, &position, &market, &delta_e12));
}

Test(kind, an_etf_share_is_worth_its_price_and_moves_with_the_coin_behind_it)
{
    struct instrument instrument = by_hand(HAND_SHARE);
    struct position position = { 0 };
    struct fill_effect effect;

    kind_fill(&instrument, &position, SIDE_BUY, 100, 3490, &effect); /* 100 shares at 34.90 */
    cr_expect_eq(effect.quote_e8, -3490 * DECIMAL_E8);
    cr_expect_eq(kind_entry_price(&instrument, &position), 3490);
    SAME128(kind_delta_e12(&instrument, &position, 3490), 57 * (int128)KIND_E12 / 1000);
    SAME128(kind_open_e12(&instrument, &position, 3500), 3500 * (int128)KIND_E12);
    cr_expect_eq(kind_dividend_e8(&instrument, &position, 12345678), 1234567800, "0.12345678 a share");
    position.qty = -3;
    cr_expect_eq(kind_dividend_e8(&instrument, &position, 33333333), -99999999, "a short one pays it");
}

Test(kind, a_slip_of_the_keyboard_is_told_from_a_large_fill)
{
    struct instrument instrument = inverse();
    cr_expect(kind_fits(&instrument, 1000000, 600000), "a hundred million dollars");
    cr_expect_not(kind_fits(&instrument, 1000000, 1LL << 50));
    cr_expect_not(kind_fits(&instrument, INT64_MAX, 600000));
    cr_expect_not(kind_fits(&instrument, 1, 0));
    cr_expect_not(kind_fits(&instrument, 0, 1));
    instrument = linear();
    cr_expect(kind_fits(&instrument, 1000000, 6000000));
    cr_expect_not(kind_fits(&instrument, 1000000000000, 6000000));
    instrument = by_hand(HAND_SHARE);
    cr_expect_not(kind_fits(&instrument, 1LL << 40, 1LL << 40));
}

Test(kind, margin_is_asked_of_what_can_owe)
{
    uint16_t currency;
    struct instrument instrument = inverse();
    struct position position = { .qty = -10 };
    cr_expect_eq(kind_margin_e8(&instrument, &position, 500000, 20000, &currency), 40000, "2 % of 0.02 BTC");
    cr_expect_eq(currency, BTC);
    instrument = by_hand(HAND_COIN_CALL);
    cr_expect_eq(kind_margin_e8(&instrument, &position, 420, 1000000, &currency), 4200000);
    position.qty = 10;
    cr_expect_eq(kind_margin_e8(&instrument, &position, 420, 1000000, &currency), 0, "paid in full");
    cr_expect_eq(currency, CURRENCY_NONE);
}

Test(kind, an_options_fee_is_of_the_underlying_and_capped_by_the_premium)
{
    struct instrument instrument = by_hand(HAND_COIN_CALL);
    /* 1 coin: 0.03 % of it is 0.0003; 12.5 % of 0.0420 is more, of 0.0010 less */
    cr_expect_eq(kind_option_fee_e8(&instrument, 10, 420, 60000 * DECIMAL_E8, 300, 125000), 30000);
    cr_expect_eq(kind_option_fee_e8(&instrument, 10, 10, 60000 * DECIMAL_E8, 300, 125000), 12500);
    instrument = by_hand(HAND_USDC_PUT);
    /* 0.5 coin at 60,000: 0.05 % is 15 USDC; 12.5 % of 0.5 x 1,800 is 112.5 */
    cr_expect_eq(kind_option_fee_e8(&instrument, 50, 18000, 60000 * DECIMAL_E8, 500, 125000),
                 15 * DECIMAL_E8);
}
