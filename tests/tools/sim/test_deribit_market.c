/* What the model does under Deribit's rules, against ledgers worked by hand, and what is made of a recording.
 */
#include "tools/sim/deribit/db_market.h"
#include "tools/sim/model/sim_book.h"
#include "tools/sim/sim_source.h"
#include "tools/sim/sim_tape.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SECOND INT64_C(1000000000)
#define HOUR   (3600 * SECOND)
#define DAY    (24 * HOUR)
#define START  (INT64_C(20677) * DAY + 7 * HOUR) /* 2026-08-12, 07:00 UTC */

static struct sim_venue *venue;
static struct sim_source source;
static int settlements;

static void take(void *user, const struct sim_event *event)
{
    (void)user;
    settlements += event->kind == SIM_EVENT_SETTLEMENT;
}

static void set_up(void)
{
    const struct sim_rules rules = db_market_rules();

    settlements = 0;
    venue = sim_venue_new(1, SIM_CANCEL_AHEAD_NONE, take, NULL);
    sim_venue_rules(venue, &rules);
    for (int at = 0; at < DB_MARKET_COUNT; at++) {
        struct sim_instrument contract = db_market_contract((enum db_place)at, START);
        sim_venue_add_instrument(venue, &contract);
    }
    sim_venue_add_account(venue, "one");
    for (int at = 0; at < DB_MARKET_COUNT; at++) {
        sim_venue_account(venue, 0)->holding[at].leverage = 50;
    }
    source = (struct sim_source){ .mode = SIM_SOURCE_SET, .venue = venue, .speed_ppm = 1000000 };
    source.middle_of = db_market_middle;
    sim_source_start(&source, START);
}

static void tear_down(void)
{
    sim_venue_free(venue);
}

TestSuite(deribit_market, .init = set_up, .fini = tear_down);

static enum sim_reject order(int at, enum sim_side side, int64_t price, int64_t qty,
                             struct sim_order **placed, int64_t now_ns)
{
    struct sim_place place = {
        .instrument = at, .client_id = "same", .side = side, .price = price, .qty = qty
    };

    return sim_venue_place(venue, &place, now_ns, placed);
}

static struct sim_holding *held(int at)
{
    return &sim_venue_account(venue, 0)->holding[at];
}

/* --- ledgers ------------------------------------------------------------------------------------------ */

Test(deribit_market, an_inverse_round_trip_is_booked_in_coin)
{
    struct sim_order *placed;

    cr_assert(db_market_balances(venue, 0, "BTC=1"));
    /* buy 6000 dollars at 60000: 0.1 coin, fee 0.05 % of it */
    sim_source_touch(&source, DB_BTC_PERP, 599995, 600000, 50000, 50000, START);
    cr_assert_eq(order(DB_BTC_PERP, SIM_BUY, 600000, 6000, &placed, START), SIM_ACCEPTED);
    cr_assert_eq(sim_venue_cash(venue, 0, SIM_INVERSE, "BTC")->free_e8, 100000000 - 5000);
    /* sell them at 62500: 0.096 coin; 6000 x (1/60000 - 1/62500) = 0.004 */
    sim_source_touch(&source, DB_BTC_PERP, 625000, 625005, 50000, 50000, START);
    cr_assert_eq(order(DB_BTC_PERP, SIM_SELL, 625000, 6000, &placed, START), SIM_ACCEPTED);
    cr_assert_eq(held(DB_BTC_PERP)->realised_e8, 400000);
    cr_assert_eq(held(DB_BTC_PERP)->fees_e8, 5000 + 4800);
    cr_assert_eq(sim_venue_cash(venue, 0, SIM_SPOT, "BTC")->free_e8, 100000000 + 400000 - 9800);
    cr_assert_eq(held(DB_BTC_PERP)->position.qty, 0);
}

static void hold_a_tenth(int64_t rate_e8)
{
    struct sim_order *placed;
    struct sim_market *market = sim_venue_market(venue, DB_BTC_PERP);

    cr_assert(db_market_balances(venue, 0, "BTC=1"));
    sim_source_touch(&source, DB_BTC_PERP, 599995, 600000, 50000, 50000, START);
    cr_assert_eq(order(DB_BTC_PERP, SIM_BUY, 600000, 6000, &placed, START), SIM_ACCEPTED);
    sim_source_touch(&source, DB_BTC_PERP, 599995, 600005, 50000, 50000, START);
    market->mark_e8 = INT64_C(60000) * SIM_CASH_ONE;
    market->funding_rate_e8 = rate_e8;
    market->funding_given = true;
}

Test(deribit_market, funding_accrues_and_is_cash_at_eight)
{
    hold_a_tenth(10000); /* 0.01 % per 8 hours */
    /* half an hour: 0.1 x 0.0001 / 16 = 0.000000625, which is no whole unit of cash */
    sim_venue_advance(venue, START + HOUR / 2);
    cr_assert_eq((int64_t)held(DB_BTC_PERP)->accrued_e16, -INT64_C(6250000000));
    cr_assert_eq(sim_venue_cash(venue, 0, SIM_SPOT, "BTC")->free_e8, 99995000);
    cr_assert_eq(sim_venue_equity(venue, 0, SIM_SPOT, "BTC"), 99995000 - 63, "rounded against the account");
    cr_assert_eq(settlements, 0);

    sim_venue_advance(venue, START + HOUR);
    cr_assert_eq(settlements, 1);
    cr_assert_eq(held(DB_BTC_PERP)->funding_e8, -125, "0.00000125");
    cr_assert_eq((int64_t)held(DB_BTC_PERP)->accrued_e16, 0);
    cr_assert_eq(sim_venue_cash(venue, 0, SIM_SPOT, "BTC")->free_e8, 99995000 - 125);
    cr_assert_eq(held(DB_BTC_PERP)->settled_e8, -125);
    sim_venue_advance(venue, START + 2 * HOUR);
    cr_assert_eq(settlements, 1, "once a day");
    sim_venue_advance(venue, START + HOUR + DAY);
    cr_assert_eq(settlements, 2);
}

Test(deribit_market, a_short_is_paid_what_a_long_pays)
{
    struct sim_order *placed;

    hold_a_tenth(10000);
    sim_source_touch(&source, DB_BTC_PERP, 600000, 600005, 50000, 50000, START);
    cr_assert_eq(order(DB_BTC_PERP, SIM_SELL, 600000, 12000, &placed, START), SIM_ACCEPTED);
    cr_assert_eq(held(DB_BTC_PERP)->position.qty, -6000);
    sim_venue_settle(venue, START + HOUR);
    cr_assert_eq(held(DB_BTC_PERP)->funding_e8, 125);
}

Test(deribit_market, what_is_less_than_a_unit_of_cash_waits_for_the_next_settlement)
{
    hold_a_tenth(1); /* 10^-8 per 8 hours: 1.25 x 10^-10 an hour on a tenth */
    sim_venue_settle(venue, START + HOUR);
    cr_assert_eq(held(DB_BTC_PERP)->funding_e8, -1, "rounded against the account");
    cr_assert_eq((int64_t)held(DB_BTC_PERP)->accrued_e16, INT64_C(100000000) - 1250000,
                 "and given back later");
    sim_venue_settle(venue, START + 9 * HOUR);
    cr_assert_eq(held(DB_BTC_PERP)->funding_e8, -1);
}

Test(deribit_market, a_change_of_position_accrues_what_was_held_until_then)
{
    struct sim_order *placed;

    hold_a_tenth(10000);
    cr_assert_eq(order(DB_BTC_PERP, SIM_SELL, 599995, 6000, &placed, START + HOUR / 2), SIM_ACCEPTED);
    sim_venue_advance(venue, START + HOUR / 2 + SECOND);
    cr_assert_eq((int64_t)held(DB_BTC_PERP)->accrued_e16, -INT64_C(6250000000), "flat: nothing more");
}

Test(deribit_market, the_session_splits_as_the_position_shrinks)
{
    struct sim_order *placed;

    hold_a_tenth(0);
    /* settled at 62500: 0.1 - 0.096 = 0.004 becomes cash */
    sim_venue_market(venue, DB_BTC_PERP)->mark_e8 = INT64_C(62500) * SIM_CASH_ONE;
    sim_venue_settle(venue, START + 1);
    cr_assert_eq(held(DB_BTC_PERP)->settled_unrealised_e8, 400000);
    sim_source_touch(&source, DB_BTC_PERP, 625000, 625005, 50000, 50000, START + 2);
    cr_assert_eq(order(DB_BTC_PERP, SIM_SELL, 625000, 1500, &placed, START + 2), SIM_ACCEPTED);
    /* a quarter is sold where it was settled: 0.001 is realised, 0.003 is still held, the session made
     * nothing */
    cr_assert_eq(held(DB_BTC_PERP)->realised_e8, 100000);
    cr_assert_eq(held(DB_BTC_PERP)->settled_unrealised_e8, 300000);
    cr_assert_eq(held(DB_BTC_PERP)->settled_e8, 400000);
}

Test(deribit_market, the_rate_is_the_premium_beyond_its_dead_band)
{
    static const struct {
        int64_t mark, rate_e8;
    } cases[] = {
        { 60000, 0 },      { 60012, 0 },       { 59988, 0 }, /* 0.02 % is inside */
        { 60060, 75000 },  { 59940, -75000 },                /* 0.1 % less 0.025 % */
        { 60600, 500000 }, { 59400, -500000 },               /* capped */
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t now_ns = START + (int64_t)(i + 1) * SECOND;
        int64_t price = cases[i].mark * 10;

        sim_source_touch(&source, DB_BTC_PERP, price - 5, price + 5, 50000, 50000, now_ns);
        sim_source_touch(&source, DB_USDC_SPOT, 59999, 60001, 10000, 10000, now_ns);
        sim_venue_market(venue, DB_BTC_PERP)->mark_e8 = cases[i].mark * SIM_CASH_ONE;
        sim_venue_market(venue, DB_BTC_PERP)->index_e8 = INT64_C(60000) * SIM_CASH_ONE;
        sim_venue_advance(venue, now_ns);
        cr_expect_eq(sim_venue_market(venue, DB_BTC_PERP)->funding_rate_e8, cases[i].rate_e8, "mark %d",
                     (int)cases[i].mark);
    }
}

Test(deribit_market, spot_and_contracts_share_a_wallet)
{
    struct sim_order *placed;

    cr_assert(db_market_balances(venue, 0, "USDC=1000"));
    sim_source_touch(&source, DB_USDC_PERP, 599999, 600000, 5000, 5000, START);
    sim_source_touch(&source, DB_USDC_SPOT, 60000, 60001, 10000, 10000, START);
    sim_venue_market(venue, DB_USDC_PERP)->mark_e8 = INT64_C(60000) * SIM_CASH_ONE;
    /* 0.010 at 60000: margin 600 / 50 = 12, fee 0.3 */
    cr_assert_eq(order(DB_USDC_PERP, SIM_BUY, 600000, 10, &placed, START), SIM_ACCEPTED);
    /* 999.7 less 12 is 987.7: 0.0165 at 60000 is 990, 0.0164 is 984 */
    cr_assert_eq(order(DB_USDC_SPOT, SIM_BUY, 60000, 165, &placed, START), SIM_REJECT_BALANCE);
    cr_assert_eq(order(DB_USDC_SPOT, SIM_BUY, 60000, 164, &placed, START), SIM_ACCEPTED);
    cr_assert_eq(placed->locked_e8, INT64_C(98400000000));
    /* 15.7 are free, 12 are tied: 3.7 carry 185 more, not 240 */
    cr_assert_eq(order(DB_USDC_PERP, SIM_BUY, 599990, 4, &placed, START), SIM_REJECT_MARGIN);
    cr_assert_eq(order(DB_USDC_PERP, SIM_BUY, 599990, 3, &placed, START), SIM_ACCEPTED);
    /* a spot order that grows is checked too, and one that shrinks gives back */
    struct sim_order *spot = sim_venue_order(venue, 1);
    cr_assert_eq(sim_venue_modify(venue, spot, 60000, 170, START), SIM_REJECT_BALANCE);
    cr_assert_eq(sim_venue_modify(venue, spot, 50000, 164, START), SIM_ACCEPTED);
    cr_assert_eq(spot->locked_e8, INT64_C(82000000000));
}

Test(deribit_market, names_repeat_and_trades_of_a_family_share_a_counter)
{
    struct sim_order *placed;

    cr_assert(db_market_balances(venue, 0, "BTC=1,ETH=10"));
    sim_source_touch(&source, DB_BTC_PERP, 599995, 600000, 50000, 50000, START);
    sim_source_touch(&source, DB_BTC_DATED, 609975, 610000, 50000, 50000, START);
    cr_assert_eq(order(DB_BTC_PERP, SIM_BUY, 590000, 100, &placed, START), SIM_ACCEPTED);
    cr_assert_eq(order(DB_BTC_PERP, SIM_BUY, 590000, 100, &placed, START), SIM_ACCEPTED);
    cr_assert_eq(order(DB_BTC_PERP, SIM_BUY, 600000, 100, &placed, START), SIM_ACCEPTED);
    cr_assert_eq(order(DB_BTC_DATED, SIM_BUY, 610000, 100, &placed, START), SIM_ACCEPTED);
    cr_assert_eq(order(DB_BTC_PERP, SIM_BUY, 600000, 100, &placed, START), SIM_ACCEPTED);
    const struct sim_fill *fill[3];
    for (size_t i = 0; i < 3; i++) {
        fill[i] = sim_venue_fill(venue, i);
    }
    cr_assert_eq(fill[1]->trade_id, fill[0]->trade_id + 1);
    cr_assert_eq(fill[2]->trade_id, fill[0]->trade_id + 2);
    cr_assert_eq(fill[2]->trade_seq, fill[0]->trade_seq + 1, "counted by instrument");
}

/* --- the list and its prices -------------------------------------------------------------------------- */

Test(deribit_market, dated_names_are_the_last_friday_of_a_quarter)
{
    struct db_listing listing = db_market_listing(DB_BTC_DATED, START);

    cr_assert_str_eq(db_market_contract(DB_BTC_DATED, START).symbol, "BTC-25SEP26");
    cr_assert_eq(listing.expiry_ms, INT64_C(1790323200000));
    cr_assert_str_eq(db_market_contract(DB_CALL, START).symbol, "BTC-25SEP26-60000-C");
    /* less than 30 days before it, the next quarter's */
    cr_assert_str_eq(db_market_contract(DB_PUT, START + 20 * DAY).symbol, "BTC-25DEC26-60000-P");
    cr_assert_eq(db_market_listing(DB_BTC_PERP, START).expiry_ms, DB_FOREVER_MS);
}

Test(deribit_market, option_prices_obey_parity_and_greeks_are_their_slopes)
{
    const double future = 61000, strike = 60000, years = 0.25, step = 1;
    struct db_greeks call = db_market_greeks(future, strike, years, 0.6, true);
    struct db_greeks put = db_market_greeks(future, strike, years, 0.6, false);
    struct db_greeks up = db_market_greeks(future + step, strike, years, 0.6, true);
    struct db_greeks down = db_market_greeks(future - step, strike, years, 0.6, true);
    struct db_greeks wild = db_market_greeks(future, strike, years, 0.61, true);
    double dollars[] = { down.price * (future - step), call.price * future, up.price * (future + step) };

    cr_assert_float_eq(call.price - put.price, 1 - strike / future, 1e-12);
    cr_assert_float_eq(call.delta - put.delta, 1, 1e-12);
    cr_assert_float_eq((dollars[2] - dollars[0]) / 2, call.delta, 1e-6);
    cr_assert_float_eq(dollars[2] - 2 * dollars[1] + dollars[0], call.gamma, 1e-8);
    cr_assert_float_eq((wild.price - call.price) * future, call.vega, 0.5);
    cr_assert_lt(call.theta, 0);
    /* at the end there is the payoff and no division by zero */
    cr_assert_float_eq(db_market_greeks(66000, 60000, 0, 0.6, true).price, 1 - 60000.0 / 66000, 1e-9);
    cr_assert_float_eq(db_market_greeks(66000, 60000, 0, 0.6, false).price, 0, 1e-9);
}

/* --- a coarser recording ------------------------------------------------------------------------------ */

static struct sim_tape_event frame(enum sim_tape_kind kind, const struct sim_level *levels, uint32_t bids,
                                   uint32_t asks)
{
    return (struct sim_tape_event){
        .kind = kind, .levels = levels, .bid_count = bids, .ask_count = asks, .u = 1
    };
}

Test(deribit_market, no_price_gets_better_and_levels_that_meet_are_summed)
{
    struct sim_tape tape = { .count = 5 };

    tape.level = calloc(9, sizeof *tape.level);
    tape.event = calloc(5, sizeof *tape.event);
    const struct sim_level levels[] = { { 999, 4 },  { 1003, 1 }, { 1004, 2 },
                                        { 1006, 3 }, { 1011, 7 }, /* snapshot */
                                        { 1004, 5 }, { 1006, 9 }, /* touch */
                                        { 1003, 6 },              /* trade */
                                        { 1003, 0 } };            /* depth */
    memcpy(tape.level, levels, sizeof levels);
    tape.event[0] = frame(SIM_TAPE_SNAPSHOT, tape.level, 3, 2);
    tape.event[1] = frame(SIM_TAPE_TOP, tape.level + 5, 1, 1);
    tape.event[2] = frame(SIM_TAPE_TRADE, tape.level + 7, 1, 0);
    tape.event[2].buyer_is_maker = true;
    tape.event[3] = frame(SIM_TAPE_TRADE, tape.level + 7, 1, 0);
    tape.event[4] = frame(SIM_TAPE_DEPTH, tape.level + 8, 1, 0);
    sim_tape_coarsen(&tape, 5, 100);

    const struct sim_level *got = tape.event[0].levels;
    cr_assert_eq(tape.event[0].bid_count, 2);
    cr_assert_eq(tape.event[0].ask_count, 2);
    cr_assert(got[0].price == 995 && got[0].qty == 400);
    cr_assert(got[1].price == 1000 && got[1].qty == 300);
    cr_assert(got[2].price == 1010 && got[2].qty == 300);
    cr_assert(got[3].price == 1015 && got[3].qty == 700);
    got = tape.event[1].levels; /* the touch's own size, and what is worse than it on the same tick */
    cr_assert(got[0].price == 1000 && got[0].qty == 600);
    cr_assert(got[1].price == 1010 && got[1].qty == 900);
    cr_assert(tape.event[2].levels->price == 1000 && tape.event[2].levels->qty == 600);
    cr_assert_eq(tape.event[3].levels->price, 1005, "taken from an ask: up");
    cr_assert(tape.event[4].levels->price == 1000 && tape.event[4].levels->qty == 200);
    sim_tape_free(&tape);
}

static void apply(struct sim_book *book, const struct sim_tape_event *event)
{
    if (event->kind == SIM_TAPE_SNAPSHOT) {
        sim_book_snapshot(book, event);
    } else if (event->kind == SIM_TAPE_DEPTH) {
        sim_book_depth(book, event);
    } else if (event->kind == SIM_TAPE_TOP) {
        sim_book_top(book, event);
    }
}

Test(deribit_market, the_recording_keeps_its_size_and_its_sides)
{
    struct sim_instrument contract = db_market_contract(DB_BTC_PERP, START);
    struct sim_tape fine, coarse;
    struct sim_book book[2];
    char error[512];
    const char *path = POISE_SOURCE_DIR "/tests/data/tape/coinm_btcusd_perp.jsonl.gz";

    memset(book, 0, sizeof book);
    cr_assert(sim_tape_load(&fine, path, &contract, 0, error, sizeof error), "%s", error);
    cr_assert(sim_tape_load(&coarse, path, &contract, 0, error, sizeof error), "%s", error);
    sim_tape_coarsen(&coarse, contract.tick, 100);
    cr_assert_eq(fine.count, coarse.count);
    for (size_t i = 0; i < fine.count; i++) {
        struct sim_level a, b;
        apply(&book[0], &fine.event[i]);
        apply(&book[1], &coarse.event[i]);
        for (int side = 0; side < 2 && i % 16 == 0; side++) {
            cr_assert_eq(sim_book_best(&book[0], side, &a), sim_book_best(&book[1], side, &b));
            cr_assert_not(sim_book_better(side, b.price, a.price), "event %zu: better than recorded", i);
            cr_assert_lt(llabs(a.price - b.price), contract.tick);
            cr_assert_eq(b.price % contract.tick, 0);
            cr_assert_geq(b.qty, a.qty * 100);
        }
    }
    for (int side = 0; side < 2; side++) {
        int64_t sum[2] = { 0, 0 };
        for (int k = 0; k < 2; k++) {
            for (size_t i = 0; i < book[k].side[side].count; i++) {
                sum[k] += book[k].side[side].level[i].qty;
            }
        }
        cr_assert_eq(sum[1], sum[0] * 100, "side %d: nothing is lost", side);
        cr_assert_lt(book[1].side[side].count, book[0].side[side].count);
    }
    sim_book_free(&book[0]);
    sim_book_free(&book[1]);
    sim_tape_free(&fine);
    sim_tape_free(&coarse);
}

Test(deribit_market, what_is_not_recorded_follows_what_is)
{
    struct sim_source led = { .mode = SIM_SOURCE_RANDOM, .venue = venue, .speed_ppm = 1000000, .led = true };
    struct sim_level best;

    led.other[DB_BTC_PERP] = true;
    led.leader = DB_BTC_PERP;
    led.middle_of = db_market_middle;
    sim_random_seed(&led.random, 3, 5);
    sim_source_touch(&source, DB_BTC_PERP, 640000, 640005, 50000, 50000, START);
    int64_t bid = 640000;
    sim_source_start(&led, START);
    sim_source_touch(&source, DB_BTC_PERP, 650000, 650005, 50000, 50000, START);
    while (sim_source_next_ns(&led) < START + SECOND) {
        sim_source_step(&led, sim_source_next_ns(&led));
    }
    cr_assert(sim_book_best(&sim_venue_market(venue, DB_BTC_PERP)->book, SIM_BUY, &best));
    cr_assert_eq(best.price, 650000, "the leader is left alone");
    cr_assert(sim_book_best(&sim_venue_market(venue, DB_USDC_PERP)->book, SIM_BUY, &best));
    cr_assert_eq(best.price, 650002, "the middle, on its own tick");
    cr_assert(sim_book_best(&sim_venue_market(venue, DB_ETH_PERP)->book, SIM_BUY, &best));
    cr_assert_eq(best.price, 325000, "a twentieth");
    cr_assert(sim_book_best(&sim_venue_market(venue, DB_BTC_DATED)->book, SIM_BUY, &best));
    cr_assert_gt(best.price, bid);
}
