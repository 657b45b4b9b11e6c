/* Ledgers worked by hand: every number below was computed on paper from the contract's definition, not by the
 * code under test. */
#include "tools/sim/model/sim_ledger.h"

#include <criterion/criterion.h>

static const struct sim_instrument linear = {
    .kind = SIM_LINEAR,
    .price_decimals = 2,
    .qty_decimals = 3,
    .tick = 10,
    .step = 1,
};
static const struct sim_instrument inverse = {
    .kind = SIM_INVERSE,
    .price_decimals = 1,
    .qty_decimals = 0,
    .tick = 1,
    .step = 1,
    .contract_size = 100,
};

#define MAKER 20000 /* 0.02 % */
#define TAKER 50000 /* 0.05 % */

Test(ledger, linear_round_trip)
{
    struct sim_position position = { 0 };

    /* buy 0.010 at 60000.00: notional 600, fee 0.12 */
    struct sim_booking booking = sim_ledger_fill(&linear, &position, 10, 6000000, MAKER);
    cr_assert_eq(booking.fee_e8, 12000000);
    cr_assert_eq(booking.pnl_e8, 0);
    cr_assert_eq(booking.value_e8, INT64_C(60000000000));
    cr_assert_eq(position.qty, 10);
    cr_assert_eq(sim_ledger_entry(&linear, &position), INT64_C(6000000000000));

    /* sell 0.004 at 60100.10: notional 240.4004, fee 0.1202002; profit 0.004 * 100.10 = 0.4004 */
    booking = sim_ledger_fill(&linear, &position, -4, 6010010, TAKER);
    cr_assert_eq(booking.fee_e8, 12020020);
    cr_assert_eq(booking.pnl_e8, 40040000);
    cr_assert_eq(position.qty, 6);
    cr_assert_eq(sim_ledger_entry(&linear, &position), INT64_C(6000000000000));

    /* unrealised of 0.006 at mark 59990: 0.006 * -10 = -0.06 */
    cr_assert_eq(sim_ledger_unrealised(&linear, &position, INT64_C(5999000000000)), -6000000);

    /* sell 0.006 at 59990: -0.06, flat */
    booking = sim_ledger_fill(&linear, &position, -6, 5999000, TAKER);
    cr_assert_eq(booking.pnl_e8, -6000000);
    cr_assert_eq(position.qty, 0);
    cr_assert(position.basis_e16 == 0);
}

Test(ledger, linear_average_of_two_entries_is_kept_as_a_sum)
{
    struct sim_position position = { 0 };

    sim_ledger_fill(&linear, &position, -1, 6000010, 0); /* short 0.001 at 60000.10 */
    sim_ledger_fill(&linear, &position, -2, 6000020, 0); /* short 0.002 at 60000.20 */
    /* notional 60.0001 + 120.0004 = 180.0005 */
    cr_assert(position.basis_e16 == (__int128)INT64_C(18000050000) * 100000000);
    /* average 180.0005 / 0.003 = 60000.16666..., rounded down at 1e-8 */
    cr_assert_eq(sim_ledger_entry(&linear, &position), INT64_C(6000016666666));

    /* buying one back at 60000.00: entry part 60.00016666..., profit 0.00016666 rounded down at 1e-8 */
    struct sim_booking booking = sim_ledger_fill(&linear, &position, 1, 6000000, 0);
    cr_assert_eq(booking.pnl_e8, 16666);
    /* and the other two: the sums know the exact rest, 120.00033333... - 120 */
    struct sim_booking rest = sim_ledger_fill(&linear, &position, 2, 6000000, 0);
    cr_assert_eq(rest.pnl_e8, 33333);
    /* exactly 0.0005 was earned: what the bookings lack is in the rounding sums, to the last 1e-16 */
    __int128 total =
        (__int128)(booking.pnl_e8 + rest.pnl_e8) * SIM_CASH_ONE + booking.rounding_e16 + rest.rounding_e16;
    cr_assert(total == (__int128)50000 * SIM_CASH_ONE);
}

Test(ledger, inverse_round_trip_in_coin)
{
    struct sim_position position = { 0 };

    /* buy 10 contracts (1000 USD) at 50000.0: 0.02 BTC, fee 0.02 % = 0.000004 */
    struct sim_booking booking = sim_ledger_fill(&inverse, &position, 10, 500000, MAKER);
    cr_assert_eq(booking.value_e8, 2000000);
    cr_assert_eq(booking.fee_e8, 400);
    cr_assert_eq(sim_ledger_entry(&inverse, &position), INT64_C(5000000000000));

    /* unrealised at 62500: 1000/50000 - 1000/62500 = 0.02 - 0.016 = 0.004 */
    cr_assert_eq(sim_ledger_unrealised(&inverse, &position, INT64_C(6250000000000)), 400000);

    /* sell 5 at 62500.0: 500/50000 - 500/62500 = 0.01 - 0.008 = 0.002; fee 0.05 % of 0.008 = 0.000004 */
    booking = sim_ledger_fill(&inverse, &position, -5, 625000, TAKER);
    cr_assert_eq(booking.pnl_e8, 200000);
    cr_assert_eq(booking.fee_e8, 400);

    /* sell the other 5 at 40000.0: 0.01 - 0.0125 = -0.0025 */
    booking = sim_ledger_fill(&inverse, &position, -5, 400000, TAKER);
    cr_assert_eq(booking.pnl_e8, -250000);
    cr_assert_eq(position.qty, 0);
    cr_assert(position.basis_e16 == 0);
}

Test(ledger, inverse_rounding_is_down_and_accounted)
{
    struct sim_position position = { 0 };

    /* sell 1 contract at 61707.1: 100/61707.1 = 0.0016205590604646|79...; taker fee 0.0000008102795302|32...
     */
    struct sim_booking booking = sim_ledger_fill(&inverse, &position, -1, 617071, TAKER);
    cr_assert_eq(booking.fee_e8, 81, "0.00000081027... is booked as 0.00000081");
    cr_assert(position.basis_e16 == INT64_C(16205590604646), "sixteen decimals, rounded down");
    cr_assert(booking.rounding_e16 == -INT64_C(2795302), "the fee left out is owed");

    /* buy back at 61650.0: 100/61650 = 0.0016220600162206|00...; a short gains exit - entry in coin:
     * 0.0000015009557560, booked as 0.0000015 */
    booking = sim_ledger_fill(&inverse, &position, 1, 616500, 0);
    cr_assert_eq(booking.pnl_e8, 150);
    cr_assert(booking.rounding_e16 == INT64_C(9557560));

    /* a loss is rounded down too, away from zero: long from 61650 to 61640 is
     * 0.0016220600162206 - 0.0016223231667748 = -0.0000002631505542, booked as -0.00000027 */
    sim_ledger_fill(&inverse, &position, 1, 616500, 0);
    booking = sim_ledger_fill(&inverse, &position, -1, 616400, 0);
    cr_assert_eq(booking.pnl_e8, -27);
    cr_assert(booking.rounding_e16 == INT64_C(68494458));
}

Test(ledger, a_flip_through_zero_closes_whole_and_opens_the_rest)
{
    struct sim_position position = { 0 };

    sim_ledger_fill(&linear, &position, 5, 6000000, 0);
    struct sim_booking booking = sim_ledger_fill(&linear, &position, -8, 6001000, TAKER);
    cr_assert_eq(booking.pnl_e8, 5000000, "0.005 * 10");
    cr_assert_eq(booking.fee_e8, INT64_C(24004000), "0.05 %% of 0.008 * 60010 = 480.08");
    cr_assert_eq(position.qty, -3);
    cr_assert_eq(sim_ledger_entry(&linear, &position), INT64_C(6001000000000),
                 "the rest is new at the fill price");

    position = (struct sim_position){ 0 };
    sim_ledger_fill(&inverse, &position, -10, 500000, 0);
    booking = sim_ledger_fill(&inverse, &position, 25, 625000, 0);
    /* short 1000 USD from 50000 to 62500: 0.016 - 0.02 = -0.004 */
    cr_assert_eq(booking.pnl_e8, -400000);
    cr_assert_eq(position.qty, 15);
    cr_assert_eq(sim_ledger_entry(&inverse, &position), INT64_C(6250000000000));
}

Test(ledger, longs_pay_a_positive_rate_and_rounding_is_against_the_account)
{
    struct sim_position position = { .qty = 7 };

    position.basis_e16 = sim_ledger_value(&linear, 7, 6000000);
    /* 0.007 * 61234.56789012 = 428.64197523084; * 0.0001 = 0.042864197523... */
    cr_assert_eq(sim_ledger_funding(&linear, &position, INT64_C(6123456789012), 10000), -4286420);
    position.qty = -7;
    cr_assert_eq(sim_ledger_funding(&linear, &position, INT64_C(6123456789012), 10000), 4286419);
    position.qty = 0;
    cr_assert_eq(sim_ledger_funding(&linear, &position, INT64_C(6123456789012), 10000), 0);
}
