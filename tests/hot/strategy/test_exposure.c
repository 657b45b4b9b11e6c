#include "tests/hot/strategy/desk.h"

#include "hot/strategy/pnl.h"

#include <stdlib.h>

static uint64_t seed;

static uint64_t random_next(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static int64_t between(int64_t low, int64_t high)
{
    return low + (int64_t)(random_next() % (uint64_t)(high - low + 1));
}

/* USD value of everything the instance owns, at one price for both legs, 1e-8, in 128 bits and by the
 * textbook: coin wallet x price + USDT. */
static int128 value_e8(struct desk *desk, int64_t price)
{
    const struct exposure_instance *held = &desk->s->exposure.instance[0];
    const struct exposure_leg *perp = &held->leg[LEG_QUOTE];
    const struct exposure_leg *hedge = &held->leg[LEG_HEDGE];
    int128 coin_e8 = held->allocation_e8;
    int128 quote_e8 = 0;
    for (uint32_t i = 0; i < EXPOSURE_CASH_ROWS && held->cash[i].currency != CURRENCY_NONE; i++) {
        for (uint32_t part = 0; part < PNL_PART_COUNT; part++) {
            *(held->cash[i].currency == BTC ? &coin_e8 : &quote_e8) += held->cash[i].amount_e8[part];
        }
    }
    coin_e8 += kind_unrealised_e8(&desk->s->instrument[PERP], &perp->position, price);
    quote_e8 += kind_unrealised_e8(&desk->s->instrument[USDT_PERP], &hedge->position, price);
    return coin_e8 * price / 10 + quote_e8;
}

struct trade {
    bool perp;
    enum side side;
    int64_t qty, price;
};

/* The same from the bare list of trades, knowing nothing of positions, entries or realised profit: each
 * contract bought at p is worth C (1/p - 1/M) coin at M, each coin bought at p is worth M - p. */
static int128 trades_value_e8(struct desk *desk, const struct trade *trade, int count, int128 coin_e12,
                              int128 quote_e8, int64_t price)
{
    for (int i = 0; i < count; i++) {
        const struct trade *t = &trade[i];
        if (t->perp) {
            coin_e12 += kind_exposure_e12(&desk->s->instrument[PERP], t->side, t->qty, t->price) -
                        kind_exposure_e12(&desk->s->instrument[PERP], t->side, t->qty, price);
        } else {
            quote_e8 +=
                side_sign(t->side) * (int128)t->qty * (price - t->price) * 10000; /* 1e-3 x 1e-1 -> 1e-8 */
        }
    }
    return coin_e12 * price / 10 / 10000 + quote_e8;
}

/* Architecture 4's test of truth, over random histories: at mark +/- 10 % the value moves by delta x move,
 * and by nothing else. */
Test(exposure, revaluation_moves_by_delta_times_the_move_and_by_nothing_else)
{
    struct desk *desk = desk_ready(NULL, NULL);
    struct exposure *exposure = &desk->s->exposure;
    static struct trade trade[200];
    seed = 20240808;
    for (int run = 0; run < 50; run++) {
        int64_t owned = between(0, 3) * COIN / 2;
        int128 coin_e12 = (int128)owned * 10000;
        int128 quote_e8 = 0;
        exposure_open(exposure, 0, BTC, owned);
        exposure_open_leg(exposure, 0, LEG_QUOTE, COIN_ACCOUNT, PERP);
        exposure_open_leg(exposure, 0, LEG_HEDGE, USDT_ACCOUNT, USDT_PERP);
        exposure->holding[exposure->holding_of[COIN_ACCOUNT][PERP]].total_qty = 0;
        exposure->holding[exposure->holding_of[USDT_ACCOUNT][USDT_PERP]].total_qty = 0;
        int64_t price = 600000;
        for (int i = 0; i < 200; i++) {
            price = base_max(400000, base_min(800000, price + between(-3000, 3000)));
            struct exposure_change change;
            bool perp = between(0, 1);
            trade[i] = (struct trade){ perp, between(0, 1) ? SIDE_BUY : SIDE_SELL,
                                       perp ? between(1, 500) : between(1, 800), price };
            cr_assert(exposure_fill(exposure, 0, perp ? LEG_QUOTE : LEG_HEDGE,
                                    perp ? COIN_ACCOUNT : USDT_ACCOUNT, perp ? PERP : USDT_PERP,
                                    trade[i].side, trade[i].qty, price, &change));
            int64_t fee = between(0, 100000);
            int64_t funding = between(-50000, 50000);
            exposure_cash(exposure, 0, perp ? COIN_ACCOUNT : USDT_ACCOUNT, perp ? BTC : USDT, PNL_FEE, -fee);
            exposure_cash(exposure, 0, COIN_ACCOUNT, BTC, PNL_FUNDING, funding);
            coin_e12 += (int128)(funding - (perp ? fee : 0)) * 10000;
            quote_e8 -= perp ? 0 : fee;
        }
        exposure_check(exposure);
        int128 here = trades_value_e8(desk, trade, 200, coin_e12, quote_e8, price);
        for (int percent = -10; percent <= 10; percent += 20) {
            int64_t other = price + price * percent / 100;
            int128 there = trades_value_e8(desk, trade, 200, coin_e12, quote_e8, other);
            int128 expected = exposure->instance[0].delta_e12 * (other - price) / 10 / 10000;
            int128 off = there - here - expected;
            /* 200 bookings rounded at 1e-8 coin, 6,000 USD of move: a thousandth of a cent each */
            cr_assert(off < 200 * 4000 && off > -200 * 4000, "off by %lld e-8 USD", (long long)off);
            int128 kept = value_e8(desk, other) - there;
            cr_assert(kept < 200 * 40000 && kept > -200 * 40000, "worth %lld e-8 USD more", (long long)kept);
        }
    }
    desk_free(desk);
}

Test(exposure, delta_is_the_sum_of_the_fills_exposures_up_to_booking_rounding)
{
    struct desk *desk = desk_ready(NULL, NULL);
    struct exposure *exposure = &desk->s->exposure;
    seed = 7;
    int128 sum = 0;
    for (int i = 0; i < 5000; i++) {
        struct exposure_change change;
        enum side side = between(0, 1) ? SIDE_BUY : SIDE_SELL;
        int64_t qty = between(1, 300);
        int64_t price = between(500000, 700000);
        int128 before = exposure->instance[0].delta_e12;
        cr_assert(exposure_fill(exposure, 0, LEG_QUOTE, COIN_ACCOUNT, PERP, side, qty, price, &change));
        cr_assert(change.delta_e12 == exposure->instance[0].delta_e12 - before);
        sum += kind_exposure_e12(&desk->s->instrument[PERP], side, qty, price);
    }
    int128 off = exposure->instance[0].delta_e12 - sum;
    cr_assert(off <= 5000 * 5001 && off >= -5000 * 5001); /* half of 1e-8 a booking */
    desk_free(desk);
}

Test(exposure, an_inverse_position_needs_no_rebalancing_when_the_price_moves)
{
    struct desk *desk = desk_ready(NULL, NULL);
    desk_answer(desk, true);
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    desk_fill(desk, bid->id, 10, bid->price);
    desk_answer(desk, true);
    int64_t delta = desk_delta_e8(desk);
    desk_forget(desk);
    for (int64_t price = 600000; price <= 660000; price += 2000) {
        desk_both(desk, price);
        desk_clock(desk, 20 * MS);
        desk_answer(desk, true);
    }
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 0);
    cr_assert_eq(desk_delta_e8(desk), delta);
    desk_free(desk);
}

Test(exposure, repricing_reaches_what_the_true_price_would_have)
{
    struct desk *desk = desk_ready(NULL, NULL);
    struct exposure *exposure = &desk->s->exposure;
    seed = 99;
    for (int run = 0; run < 400; run++) {
        bool perp = run & 1;
        enum leg leg = perp ? LEG_QUOTE : LEG_HEDGE;
        uint16_t account = perp ? COIN_ACCOUNT : USDT_ACCOUNT;
        uint16_t instrument = perp ? PERP : USDT_PERP;
        struct exposure_change change;
        int64_t history = between(-400, 400);
        enum side side = between(0, 1) ? SIDE_BUY : SIDE_SELL;
        int64_t qty = between(1, 300);
        int64_t wrong = between(550000, 650000);
        int64_t right = between(550000, 650000);
        int128 value[2];
        int128 delta[2];
        for (int way = 0; way < 2; way++) {
            exposure_open(exposure, 0, BTC, 0);
            exposure_open_leg(exposure, 0, LEG_QUOTE, COIN_ACCOUNT, PERP);
            exposure_open_leg(exposure, 0, LEG_HEDGE, USDT_ACCOUNT, USDT_PERP);
            exposure->holding[exposure->holding_of[account][instrument]].total_qty = 0;
            if (history != 0) {
                exposure_fill(exposure, 0, leg, account, instrument, history > 0 ? SIDE_BUY : SIDE_SELL,
                              base_abs(history), 600000, &change);
            }
            exposure_fill(exposure, 0, leg, account, instrument, side, qty, way == 0 ? right : wrong,
                          &change);
            if (way == 1) {
                exposure_reprice(exposure, 0, leg, account, instrument, side, qty, wrong, right);
            }
            delta[way] = exposure->instance[0].delta_e12;
            value[way] = value_e8(desk, 600000);
        }
        int128 delta_off = delta[0] - delta[1];
        int128 value_off = value[0] - value[1];
        cr_assert(delta_off < 30000 && delta_off > -30000);
        cr_assert(value_off < 300000 && value_off > -300000);
    }
    desk_free(desk);
}

/* A future ends: its positions become cash at the delivery price, and what it hedged stands naked. */
Test(exposure, a_delivery_turns_positions_into_cash_once)
{
    struct exposure *exposure = calloc(1, sizeof *exposure);
    struct instrument *rows = calloc(INSTRUMENT_MAX, sizeof *rows);
    struct exposure_change change;
    rows[0] = (struct instrument){ .kind = KIND_INVERSE_FUTURE,
                                   .base = 1,
                                   .quote = 2,
                                   .settle = 1,
                                   .price_decimals = 1,
                                   .tick = 1,
                                   .lot = 1,
                                   .max_qty = 1000000,
                                   .contract_e8 = 100 * DECIMAL_E8 };
    rows[1] = rows[0];
    rows[1].kind = KIND_INVERSE_PERPETUAL;
    exposure_init(exposure, rows);
    exposure_bound(exposure, 0);
    exposure_bound(exposure, 1);
    exposure_open(exposure, 0, 1, 0);
    cr_assert(exposure_open_leg(exposure, 0, LEG_QUOTE, 0, 0));
    cr_assert(exposure_open_leg(exposure, 0, LEG_HEDGE, 0, 1));
    cr_assert(exposure_fill(exposure, 0, LEG_QUOTE, 0, 0, SIDE_BUY, 600, 600000, &change)); /* one coin */
    cr_assert(exposure_fill(exposure, 0, LEG_HEDGE, 0, 1, SIDE_SELL, 600, 600000, &change));
    cr_assert(exposure_fill(exposure, EXPOSURE_UNASSIGNED, LEG_QUOTE, 0, 0, SIDE_SELL, 60, 600000, &change));
    cr_expect_eq((int64_t)(exposure->instance[0].delta_e12 / 10000), 0);
    cr_expect_not(exposure_deliver(exposure, 0, 1, 7500000000000), "a perpetual has no end");
    cr_assert(exposure_deliver(exposure, 0, 0, 7500000000000));
    exposure_check(exposure);
    cr_expect_eq(exposure->instance[0].leg[LEG_QUOTE].position.qty, 0);
    cr_expect_eq(exposure->instance[0].cash[0].amount_e8[PNL_TRADING], 20000000, "1 - 60,000/75,000");
    cr_expect_eq(exposure->unassigned_cash[0].amount_e8[PNL_TRADING], -2000000);
    /* the hedge sold a coin at 60,000 and 0.2 came in: 0.8 is short */
    cr_expect_eq((int64_t)(exposure->instance[0].delta_e12 / 10000), -80000000);
    cr_assert(exposure_deliver(exposure, 0, 0, 7500000000000));
    cr_expect_eq(exposure->instance[0].cash[0].amount_e8[PNL_TRADING], 20000000, "nothing is left to end");
    cr_expect_not(exposure->overflow);
    free(exposure);
    free(rows);
}

Test(exposure, a_number_beyond_all_accounts_is_refused_whole)
{
    struct desk *desk = desk_ready(NULL, NULL);
    struct exposure *exposure = &desk->s->exposure;
    struct exposure_change change;
    int128 before = exposure->instance[0].delta_e12;
    cr_assert_not(
        exposure_fill(exposure, 0, LEG_QUOTE, COIN_ACCOUNT, PERP, SIDE_BUY, 1LL << 50, 600000, &change));
    cr_assert_not(exposure_fill(exposure, 0, LEG_QUOTE, COIN_ACCOUNT, PERP, SIDE_BUY, 1, 1LL << 50, &change));
    cr_assert(exposure->overflow);
    cr_assert(exposure->instance[0].delta_e12 == before);
    desk_free(desk);
}

static void balance(struct desk *desk, uint16_t account, uint16_t currency, enum cash_reason reason,
                    int64_t change, int64_t venue_time_ns)
{
    struct slot slot;
    memset(&slot, 0, sizeof slot);
    struct record_balance *record =
        (struct record_balance *)(void *)record_begin(&slot, RECORD_BALANCE, 1, desk->now);
    record->head.account = account;
    record->currency = currency;
    record->reason = (uint8_t)reason;
    record->change_e8 = change;
    record->venue_time_ns = venue_time_ns;
    desk_feed(desk, &slot);
}

/* Contracts of one dollar, prices in ten-thousandths, orders of ten billion: what a venue may say. */
Test(exposure, an_inverse_contract_counted_in_dollars_has_room_for_prices_and_positions)
{
    static struct exposure exposure;
    static struct instrument table[1];
    table[0] = (struct instrument){ .kind = KIND_INVERSE_PERPETUAL,
                                    .price_decimals = 4,
                                    .tick = 5000,
                                    .lot = 10,
                                    .max_qty = 10000000000,
                                    .max_price = 50000000000,
                                    .contract_e8 = DECIMAL_E8 };
    exposure_init(&exposure, table);
    exposure_bound(&exposure, 0);
    cr_assert_geq(exposure.bound[0].price, 50000000000, "no price of the venue's is nonsense");
    cr_assert_geq(exposure.bound[0].qty, 1000000000, "a billion dollars fit");
    cr_assert_eq(exposure.bound[0].price_least, 5000);
    /* the most of both is still countable: coin in 1e-12 within 128 bits, in 1e-8 within 64 */
    int128 coin_e8 = (int128)exposure.bound[0].qty * DECIMAL_E8 * 10000 / exposure.bound[0].price_least;
    cr_assert(coin_e8 <= (int128)1 << 61);
}

Test(exposure, funding_in_coin_moves_delta_once)
{
    struct desk *desk = desk_ready(NULL, NULL);
    desk_answer(desk, true);
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    desk_fill(desk, bid->id, 10, bid->price);
    desk_answer(desk, true);
    int64_t before = desk_delta_e8(desk);
    balance(desk, COIN_ACCOUNT, BTC, CASH_FUNDING, 12345, 777);
    cr_assert_eq(desk_delta_e8(desk), before + 12345);
    balance(desk, COIN_ACCOUNT, BTC, CASH_FUNDING, 12345, 777); /* told again by REST */
    cr_assert_eq(desk_delta_e8(desk), before + 12345);
    balance(desk, USDT_ACCOUNT, USDT, CASH_FUNDING, 999999, 778); /* not coin */
    cr_assert_eq(desk_delta_e8(desk), before + 12345);
    balance(desk, COIN_ACCOUNT, BTC, CASH_TRANSFER, COIN, 779); /* the owner's, not the instance's */
    cr_assert_eq(desk_delta_e8(desk), before + 12345);
    desk_free(desk);
}

Test(exposure, usd_basis_hedges_the_allocation_first_and_in_orders_it_may_send)
{
    struct quote_params params = desk_params();
    struct risk_params risk = desk_risk();
    params.allocation_e8 = COIN;
    params.max_naked_e8 = 2 * COIN;
    risk.max_order_e8 = 12000LL * DECIMAL_E8; /* 0.2 BTC an order */
    struct desk *desk = desk_ready(&params, &risk);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 5);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_QUOTE), 0); /* not before it is hedged */
    int64_t sum = 0;
    for (uint32_t i = 0; i < 5; i++) {
        const struct record_order *order = desk_order_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE, i);
        cr_assert_eq(order->side, SIDE_SELL);
        cr_assert_eq(order->qty, 200);
        sum += order->qty;
    }
    cr_assert_eq(sum, 1000);
    desk_answer(desk, true);
    cr_assert_eq(desk_delta_e8(desk), 0);
    cr_assert_not_null(desk_quote(desk, SIDE_BUY, 0));
    desk_free(desk);
}

Test(exposure, coin_basis_leaves_the_owners_coin_alone)
{
    struct quote_params params = desk_params();
    params.allocation_e8 = COIN;
    params.delta_basis = DELTA_COIN;
    struct desk *desk = desk_ready(&params, NULL);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 0);
    cr_assert_eq(desk_delta_e8(desk), 0);
    desk_free(desk);
}

static void position(struct desk *desk, uint16_t account, uint16_t instrument, int64_t qty)
{
    struct slot slot;
    memset(&slot, 0, sizeof slot);
    struct record_position *record =
        (struct record_position *)(void *)record_begin(&slot, RECORD_POSITION, 1, desk->now);
    record->head.account = account;
    record->head.instrument = instrument;
    record->qty = qty;
    desk_feed(desk, &slot);
}

Test(exposure, a_lasting_difference_with_the_venue_alarms_stops_quotes_and_never_hedges)
{
    struct desk *desk = desk_ready(NULL, NULL);
    desk_answer(desk, true);
    position(desk, COIN_ACCOUNT, PERP, 5);
    desk_forget(desk);
    desk_clock(desk, SECOND);
    desk_both(desk, 600000);
    cr_assert_eq(desk_count_event(desk, EVENT_POSITION_DIFFERS), 0);
    cr_assert_eq(desk->s->instance[0].state, INSTANCE_QUOTING);
    for (int i = 0; i < 20; i++) {
        desk_clock(desk, 200 * MS);
        desk_both(desk, 600000);
    }
    cr_assert_eq(desk_count_event(desk, EVENT_POSITION_DIFFERS), 1);
    cr_assert_eq(desk_event(desk, EVENT_POSITION_DIFFERS, 0)->value[1], 5);
    cr_assert_eq(desk->s->instance[0].pull, PULL_POSITION);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 0);
    desk_answer(desk, true);
    position(desk, COIN_ACCOUNT, PERP, 0);
    desk_both(desk, 600000);
    cr_assert_eq(desk->s->instance[0].state, INSTANCE_QUOTING);
    desk_free(desk);
}

Test(exposure, a_position_that_runs_ahead_of_its_fill_is_no_difference)
{
    struct desk *desk = desk_ready(NULL, NULL);
    desk_answer(desk, true);
    position(desk, COIN_ACCOUNT, PERP, 10);
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    desk_fill(desk, bid->id, 10, bid->price);
    desk_answer(desk, true);
    for (int i = 0; i < 20; i++) {
        desk_clock(desk, 500 * MS);
        desk_both(desk, 600000);
        desk_answer(desk, true);
    }
    cr_assert_eq(desk->s->instance[0].state, INSTANCE_QUOTING);
    desk_free(desk);
}

Test(exposure, profit_parts_sum_to_the_change_of_equity)
{
    struct quote_params params = desk_params();
    params.allocation_e8 = COIN / 2;
    struct desk *desk = desk_ready(&params, NULL);
    desk_answer(desk, true);
    desk_clock(desk, 200 * MS);
    seed = 3;
    int64_t price = 600000;
    for (int i = 0; i < 300; i++) {
        price += between(-40, 40);
        desk_both(desk, price);
        desk_answer(desk, true);
        struct order *quote = desk_quote(desk, between(0, 1) ? SIDE_BUY : SIDE_SELL, 0);
        if (quote != NULL && quote->state == ORDER_OPEN) {
            desk_fill(desk, quote->id, between(1, quote->qty - quote->filled), quote->price);
        }
        desk_answer(desk, true);
        desk_clock(desk, 120 * MS);
        struct instance *instance = &desk->s->instance[0];
        int64_t equity;
        cr_assert(pnl_equity(desk->s, instance, &equity));
        cr_assert_eq(pnl_total(instance), equity - instance->equity_first_e8);
    }
    cr_assert_neq(desk->s->instance[0].part_e8[PNL_TRADING], 0);
    cr_assert_lt(desk->s->instance[0].part_e8[PNL_FEE], 0);
    desk_check(desk);
    desk_free(desk);
}
