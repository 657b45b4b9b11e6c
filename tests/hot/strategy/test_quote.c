#include "tests/hot/strategy/desk.h"

#include "hot/strategy/quote/fair.h"

static struct desk *with(struct quote_params params)
{
    struct desk *desk = desk_ready(&params, NULL);
    desk_answer(desk, true);
    desk_forget(desk);
    return desk;
}

static void hold(struct desk *desk, enum side side, int64_t qty)
{
    struct order *quote = desk_quote(desk, side, 0);
    cr_assert_not_null(quote);
    desk_fill(desk, quote->id, qty, quote->price);
    desk_answer(desk, true);
}

Test(quote, nothing_is_sent_when_nothing_moves)
{
    struct desk *desk = with(desk_params());
    for (int i = 0; i < 100; i++) {
        desk_both(desk, 600000);
        desk_clock(desk, 5 * MS);
    }
    cr_assert_eq(desk_count(desk, RECORD_ORDER_NEW), 0);
    cr_assert_eq(desk_count(desk, RECORD_ORDER_AMEND), 0);
    cr_assert_eq(desk_count(desk, RECORD_ORDER_CANCEL), 0);
    desk_free(desk);
}

/* Only the side that something moved for is decided at a tick; all of it, when told to, must find nothing
 * left to do.  A fair offset of zero says nothing new and wakes all of it. */
static void decide_all(struct desk *desk)
{
    struct slot slot;
    memset(&slot, 0, sizeof slot);
    struct record_cell *cell = (struct record_cell *)(void *)record_begin(&slot, RECORD_CELL, 1, desk->now);
    cell->kind = CELL_FAIR_OFFSET;
    cell->instance = NO_INSTANCE;
    desk_feed(desk, &slot);
}

Test(quote, deciding_all_of_it_after_a_tick_changes_nothing)
{
    struct quote_params params = desk_params();
    params.levels = 3;
    params.level_step_centibp = 200;
    params.size_step_percent = 50;
    params.requote_ticks = 0;
    params.requote_min_ns = 0;
    for (int profit = -1; profit <= 1; profit++) { /* below zero the sides are kept apart */
        params.min_profit_centibp = profit * 1000;
        struct desk *desk = with(params);
        uint64_t seed = 88172645463325252ULL;
        int64_t mid[2] = { 600000, 600000 }; /* of the hedge leg, of the quoted one */
        uint32_t amends = 0;
        for (int i = 0; i < 2000; i++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            int leg = seed >> 40 & 1;
            mid[leg] += (int64_t)(seed >> 20 & 7) - 3;
            mid[leg] += mid[leg] < 599000 ? 3 : mid[leg] > 601000 ? -3 : 0;
            int64_t wide = (int64_t)(seed >> 10 & 3); /* so that one side moves without the other */
            desk_clock(desk, 5 * MS);
            desk_book(desk, leg == 0 ? USDT_PERP : PERP, mid[leg] - wide, mid[leg] + 1, 5000);
            amends += desk_count(desk, RECORD_ORDER_AMEND);
            uint32_t said = desk->said_count;
            decide_all(desk);
            cr_assert_eq(desk->said_count, said, "profit %d, tick %d", profit, i);
            desk_answer(desk, false);
            desk_forget(desk);
        }
        cr_assert_gt(amends, 1000);
        desk_free(desk);
    }
}

Test(quote, a_move_within_the_threshold_is_left_alone)
{
    struct desk *desk = with(desk_params());
    desk_clock(desk, SECOND);
    desk_both(desk, 600002);
    cr_assert_eq(desk_count(desk, RECORD_ORDER_AMEND), 0);
    desk_both(desk, 600004);
    cr_assert_eq(desk_count(desk, RECORD_ORDER_AMEND), 2);
    desk_free(desk);
}

Test(quote, moving_away_is_immediate_and_moving_closer_waits)
{
    struct desk *desk = with(desk_params());
    desk_clock(desk, 20 * MS);
    desk_both(desk, 599500);
    desk_answer(desk, true);
    desk_forget(desk);
    desk_both(desk, 599000); /* at the same instant: the bid must move away, the ask would move closer */
    cr_assert_eq(desk_count(desk, RECORD_ORDER_AMEND), 1);
    cr_assert_eq(desk_order(desk, RECORD_ORDER_AMEND, 0)->side, SIDE_BUY);
    cr_assert_leq(strategy_next_ns(desk->s), desk->now + 10 * MS);
    desk_answer(desk, true);
    desk_clock(desk, 10 * MS);
    cr_assert_eq(desk_count(desk, RECORD_ORDER_AMEND), 1);
    cr_assert_eq(desk_order(desk, RECORD_ORDER_AMEND, 0)->side, SIDE_SELL);
    desk_free(desk);
}

Test(quote, an_amend_names_the_whole_size)
{
    struct desk *desk = with(desk_params());
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    desk_fill(desk, bid->id, 3, bid->price);
    desk_answer(desk, true);
    desk_forget(desk);
    desk_clock(desk, 20 * MS);
    desk_both(desk, 599500);
    const struct record_order *amend = desk_order_role(desk, RECORD_ORDER_AMEND, ORDER_ROLE_QUOTE, 0);
    cr_assert_not_null(amend);
    for (uint32_t i = 0; amend->side != SIDE_BUY; i++) {
        amend = desk_order_role(desk, RECORD_ORDER_AMEND, ORDER_ROLE_QUOTE, i);
    }
    cr_assert_eq(amend->qty, 13);
    cr_assert_eq(amend->cum_qty, 3);
    desk_free(desk);
}

Test(quote, where_the_venue_cannot_amend_the_new_one_waits_for_the_end_of_the_old)
{
    struct desk *desk = with(desk_params());
    desk->s->instance[0].quote.can_amend = false;
    desk_clock(desk, 20 * MS);
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    uint64_t id = bid->id;
    desk_both(desk, 599500);
    cr_assert_eq(bid->state, ORDER_CANCELLING);
    desk_fill(desk, id, 4, bid->price);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_QUOTE), 0);
    desk_end(desk, id, RECORD_CANCELLED, 4);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_QUOTE), 1);
    cr_assert_neq(desk_quote(desk, SIDE_BUY, 0)->id, id);
    desk_free(desk);
}

Test(quote, levels_stand_apart_and_grow)
{
    struct quote_params params = desk_params();
    params.levels = 3;
    params.level_step_centibp = 1000; /* 10 bp */
    params.size_step_percent = 50;
    struct desk *desk = with(params);
    int64_t best = desk_quote(desk, SIDE_BUY, 0)->price;
    cr_assert_eq(desk_quote(desk, SIDE_BUY, 1)->price, best - best / 1000 - 1); /* rounded away */
    cr_assert_eq(desk_quote(desk, SIDE_BUY, 0)->qty, 10);
    cr_assert_eq(desk_quote(desk, SIDE_BUY, 1)->qty, 15);
    cr_assert_eq(desk_quote(desk, SIDE_BUY, 2)->qty, 20);
    cr_assert_gt(desk_quote(desk, SIDE_SELL, 2)->price, desk_quote(desk, SIDE_SELL, 1)->price);
    desk_free(desk);
}

Test(quote, skew_moves_both_quotes_against_what_is_held)
{
    struct quote_params params = desk_params();
    params.skew_centibp = 1000; /* 10 bp at 1,000 contracts */
    params.size = 200;
    struct desk *desk = with(params);
    int64_t bid = desk_quote(desk, SIDE_BUY, 0)->price;
    int64_t ask = desk_quote(desk, SIDE_SELL, 0)->price;
    hold(desk, SIDE_BUY, 200); /* a fifth: 2 bp */
    desk_clock(desk, 20 * MS);
    desk_answer(desk, true);
    int64_t moved_bid = bid - desk_quote(desk, SIDE_BUY, 0)->price;
    int64_t moved_ask = ask - desk_quote(desk, SIDE_SELL, 0)->price;
    cr_assert(moved_bid >= 119 && moved_bid <= 121, "%lld", (long long)moved_bid);
    cr_assert(moved_ask >= 119 && moved_ask <= 121, "%lld", (long long)moved_ask);
    desk_free(desk);
}

Test(quote, skew_is_zero_at_the_target)
{
    struct quote_params params = desk_params();
    params.skew_centibp = 1000;
    params.size = 200;
    params.target_inventory = 200;
    struct desk *desk = with(params);
    cr_assert_eq(desk->s->instance[0].quote.shift_centibp, -200);
    hold(desk, SIDE_BUY, 200);
    desk_both(desk, 600000);
    cr_assert_eq(desk->s->instance[0].quote.shift_centibp, 0);
    desk_free(desk);
}

Test(quote, inventory_cuts_the_side_that_would_exceed_it)
{
    struct quote_params params = desk_params();
    params.max_inventory = 25;
    params.levels = 2;
    params.level_step_centibp = 500;
    struct desk *desk = with(params);
    cr_assert_eq(desk_quote(desk, SIDE_BUY, 1)->qty, 10);
    hold(desk, SIDE_BUY, 10);
    desk_clock(desk, 20 * MS);
    desk_answer(desk, true);
    /* 15 are left: 10 on the first level, 5 on the second; all 25 + 10 may be sold */
    int64_t left = 0;
    for (uint32_t level = 0; level < 2; level++) {
        left += order_left(desk_quote(desk, SIDE_BUY, level));
    }
    cr_assert_eq(left, 15);
    hold(desk, SIDE_BUY, 10);
    desk_clock(desk, 20 * MS);
    desk_answer(desk, true);
    hold(desk, SIDE_BUY, 5);
    desk_clock(desk, 20 * MS);
    desk_answer(desk, true);
    cr_assert_null(desk_quote(desk, SIDE_BUY, 0));
    cr_assert_not_null(desk_quote(desk, SIDE_SELL, 0));
    cr_assert_eq(desk->s->exposure.instance[0].leg[LEG_QUOTE].position.qty, 25);
    desk_free(desk);
}

static int64_t most_bought(struct desk *desk)
{
    int64_t most = desk->s->exposure.instance[0].leg[LEG_QUOTE].position.qty;
    for (struct order *order = order_first(&desk->s->orders, 0, 0); order != NULL;
         order = order_after(&desk->s->orders, 0, order)) {
        most += order->role == ORDER_ROLE_QUOTE && order->side == SIDE_BUY ? order_left(order) : 0;
    }
    return most;
}

Test(quote, what_is_being_cut_or_cancelled_still_counts_against_the_inventory)
{
    struct quote_params params = desk_params();
    params.max_inventory = 25;
    params.levels = 2;
    params.level_step_centibp = 500;
    struct desk *desk = with(params);
    struct order *first = desk_quote(desk, SIDE_BUY, 0);
    desk_fill(desk, first->id, 10, first->price); /* 15 are left, and the second level still has 10 */
    for (int turn = 0; turn < 6; turn++) {
        cr_assert_leq(most_bought(desk), 25);
        desk_answer(desk, true);
        cr_assert_leq(most_bought(desk), 25);
        desk_clock(desk, 20 * MS);
    }
    cr_assert_eq(most_bought(desk), 25); /* and in the end all of it is quoted again */
    desk_free(desk);
}

Test(quote, reduce_only_quotes_bring_inventory_home_and_no_further)
{
    struct quote_params params = desk_params();
    params.size = 10;
    struct desk *desk = with(params);
    hold(desk, SIDE_BUY, 4);
    desk->s->instance[0].params.reduce_quotes_only = 1;
    desk->s->instance[0].quote.dirty = true;
    desk_both(desk, 600000);
    desk_answer(desk, true);
    cr_assert_null(desk_quote(desk, SIDE_BUY, 0));
    cr_assert_eq(order_left(desk_quote(desk, SIDE_SELL, 0)), 4);
    desk_free(desk);
}

Test(quote, only_the_configured_sides_are_quoted)
{
    struct quote_params params = desk_params();
    params.sides = 2;
    struct desk *desk = with(params);
    cr_assert_null(desk_quote(desk, SIDE_BUY, 0));
    cr_assert_not_null(desk_quote(desk, SIDE_SELL, 0));
    desk_free(desk);
}

Test(quote, a_negative_profit_never_crosses_the_touch_nor_ourselves)
{
    for (int64_t profit = -600; profit >= -5000; profit -= 400) {
        struct quote_params params = desk_params();
        params.min_profit_centibp = profit;
        struct desk *desk = with(params);
        desk_book(desk, PERP, 599990, 600010, 5000);
        desk_clock(desk, 20 * MS);
        desk_answer(desk, true);
        for (int turn = 0; turn < 4; turn++) {
            desk_clock(desk, 20 * MS);
            desk_answer(desk, true);
        }
        struct order *bid = desk_quote(desk, SIDE_BUY, 0);
        struct order *ask = desk_quote(desk, SIDE_SELL, 0);
        cr_assert(bid != NULL && ask != NULL);
        cr_assert_lt(bid->price, 600010);
        cr_assert_gt(ask->price, 599990);
        cr_assert_lt(bid->price, ask->price);
        desk_free(desk);
    }
}

Test(quote, a_top_that_runs_ahead_narrows_what_we_may_reach)
{
    struct quote_params params = desk_params();
    params.min_profit_centibp = -1500;
    struct desk *desk = with(params);
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    cr_assert_eq(bid->price, 600000);
    desk_top(desk, PERP, 599970, 599990);
    cr_assert_eq(bid->want_price, 599989);
    desk_free(desk);
}

Test(quote, price_comes_from_walking_the_hedge_book)
{
    struct quote_params params = desk_params();
    params.size = 600; /* 1 BTC */
    struct desk *desk = with(params);
    int64_t thick = desk_quote(desk, SIDE_BUY, 0)->price;
    struct level levels[] = { { 600000, 500 }, { 599000, 5000 }, { 598000, 5000 },
                              { 600001, 500 }, { 601000, 5000 }, { 602000, 5000 } };
    desk_clock(desk, 20 * MS);
    desk_levels(desk, USDT_PERP, true, 3, 3, levels);
    desk_answer(desk, true);
    cr_assert_lt(desk_quote(desk, SIDE_BUY, 0)->price,
                 thick - 450); /* half of it a tenth of a percent lower */
    desk_free(desk);
}

static void pulled(struct desk *desk, enum pull_reason reason)
{
    cr_assert_eq(desk->s->instance[0].pull, reason, "%s", reason_pull_name(desk->s->instance[0].pull));
    cr_assert_eq(desk->s->instance[0].state, INSTANCE_PULLED);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_CANCEL, ORDER_ROLE_QUOTE), 2);
    const struct record_event *event = desk_event(desk, EVENT_QUOTES_PULLED, 0);
    cr_assert_not_null(event);
    cr_assert_eq(event->value[0], reason);
    desk_answer(desk, true);
    desk_forget(desk);
}

static void back(struct desk *desk)
{
    desk_both(desk, 600000);
    desk_answer(desk, true);
    cr_assert_eq(desk->s->instance[0].state, INSTANCE_QUOTING);
    cr_assert_not_null(desk_quote(desk, SIDE_BUY, 0));
    cr_assert_not_null(desk_quote(desk, SIDE_SELL, 0));
    desk_forget(desk);
}

Test(quote, whatever_is_not_known_pulls_both_quotes_and_its_return_brings_them_back)
{
    struct desk *desk = with(desk_params());

    desk_state(desk, RECORD_FEED_STATE, USDT_PERP, NO_ACCOUNT, FEED_GAP);
    pulled(desk, PULL_FEED_HEDGE);
    desk_state(desk, RECORD_FEED_STATE, USDT_PERP, NO_ACCOUNT, FEED_LIVE);
    cr_assert_eq(desk->s->instance[0].state, INSTANCE_PULLED); /* no complete view yet */
    back(desk);

    desk_state(desk, RECORD_FEED_STATE, PERP, NO_ACCOUNT, FEED_STALE);
    pulled(desk, PULL_FEED_QUOTE);
    desk_state(desk, RECORD_FEED_STATE, PERP, NO_ACCOUNT, FEED_LIVE);
    back(desk);

    desk_state(desk, RECORD_INSTRUMENT_STATE, USDT_PERP, NO_ACCOUNT, INSTRUMENT_HALTED);
    pulled(desk, PULL_INSTRUMENT);
    desk_state(desk, RECORD_INSTRUMENT_STATE, USDT_PERP, NO_ACCOUNT, INSTRUMENT_TRADING);
    back(desk);

    desk_state(desk, RECORD_INSTRUMENT_STATE, PERP, NO_ACCOUNT, INSTRUMENT_UNKNOWN);
    pulled(desk, PULL_INSTRUMENT);
    desk_state(desk, RECORD_INSTRUMENT_STATE, PERP, NO_ACCOUNT, INSTRUMENT_TRADING);
    back(desk);

    desk_state(desk, RECORD_GATEWAY_STATE, NO_INSTRUMENT, USDT_ACCOUNT, GATEWAY_DEGRADED);
    pulled(desk, PULL_GATEWAY);
    desk_state(desk, RECORD_GATEWAY_STATE, NO_INSTRUMENT, USDT_ACCOUNT, GATEWAY_READY);
    cr_assert_eq(desk->s->instance[0].pull, PULL_UNREAD);
    desk_read(desk, USDT_ACCOUNT, desk->s->ready_ns[USDT_ACCOUNT]);
    back(desk);

    struct level crossed = { 600005, 100 };
    desk_levels(desk, USDT_PERP, false, 1, 0, &crossed);
    pulled(desk, PULL_CROSSED);
    back(desk);

    desk_book(desk, USDT_PERP, 599000, 600001, 5000); /* 17 bp */
    pulled(desk, PULL_SPREAD);
    back(desk);

    desk_clock(desk, 6 * SECOND); /* nothing heard of either leg */
    pulled(desk, PULL_FEED_QUOTE);
    back(desk);

    desk_command(desk, COMMAND_PAUSE, 7, 0);
    cr_assert_eq(desk->s->instance[0].state, INSTANCE_PAUSED);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_CANCEL, ORDER_ROLE_QUOTE), 2);
    desk_answer(desk, true);
    desk_both(desk, 600000);
    cr_assert_null(desk_quote(desk, SIDE_BUY, 0));
    desk_command(desk, COMMAND_RESUME, 7, 0);
    back(desk);
    desk_check(desk);
    desk_free(desk);
}

Test(quote, a_thin_hedge_book_takes_the_side_away)
{
    struct quote_params params = desk_params();
    params.size = 100; /* 0.167 BTC */
    struct desk *desk = with(params);
    struct level levels[] = { { 600000, 300 }, { 600001, 5000 } }; /* half of 0.300 is not enough for a bid */
    desk_levels(desk, USDT_PERP, true, 1, 1, levels);
    desk_answer(desk, true);
    cr_assert_null(desk_quote(desk, SIDE_BUY, 0));
    cr_assert_not_null(desk_quote(desk, SIDE_SELL, 0));
    desk_free(desk);
}

Test(quote, a_disabled_instance_shows_nothing_and_still_hedges)
{
    struct quote_params params = desk_params();
    params.enabled = 0;
    params.allocation_e8 = COIN;
    params.max_naked_e8 = 2 * COIN;
    struct desk *desk = desk_ready(&params, NULL);
    desk_answer(desk, true);
    cr_assert_null(desk_quote(desk, SIDE_BUY, 0));
    cr_assert_eq(desk_delta_e8(desk), 0);
    cr_assert_eq(desk->s->instance[0].pull, PULL_DISABLED);
    desk_free(desk);
}

Test(quote, without_a_fresh_conversion_there_is_no_new_risk_but_hedges_go_on)
{
    struct desk *desk = desk_make();
    desk_build(desk);
    struct slot slot;
    memset(&slot, 0, sizeof slot);
    struct record_convert *convert =
        (struct record_convert *)(void *)record_begin(&slot, RECORD_CONVERT, 1, desk->now);
    convert->from = USDT; /* only a cell gives it, at most a second old, at most 1 % from par */
    convert->to = USD;
    convert->max_age_ns = (int64_t)SECOND;
    convert->max_deviation_centibp = 10000;
    desk_feed(desk, &slot);
    desk_done(desk);
    desk_open(desk);
    cr_assert_eq(desk->s->instance[0].pull, PULL_CONVERT);

    struct record_cell *cell = (struct record_cell *)(void *)record_begin(&slot, RECORD_CELL, 1, desk->now);
    cell->kind = CELL_CONVERT;
    cell->value[0] = USDT;
    cell->value[1] = USD;
    cell->value[2] = 99900000;
    cell->value[3] = (int64_t)desk->now;
    desk_feed(desk, &slot);
    cr_assert_eq(desk->s->instance[0].state, INSTANCE_QUOTING);
    cr_assert_eq(desk_quote(desk, SIDE_BUY, 0)->price, 599100); /* 599,700 at 0.999 */
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    desk_answer(desk, true);

    desk_clock(desk, 2 * SECOND);
    desk_both(desk, 600000);
    cr_assert_eq(desk->s->instance[0].pull, PULL_CONVERT);
    desk_forget(desk);
    desk_fill(desk, bid->id, 10, bid->price);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 1);

    cell->value[2] = 95000000; /* fresh, but the peg is gone */
    cell->value[3] = (int64_t)desk->now;
    cell->head.stamp_ns = desk->now;
    desk_feed(desk, &slot);
    cr_assert_eq(desk->s->instance[0].pull, PULL_CONVERT);
    desk_free(desk);
}

/* ------------------------------------------------------------------ the fair offset */

Test(quote, decay_halves_with_every_half_life)
{
    cr_assert_eq(fair_decay(0, 1000), 1 << 30);
    cr_assert_eq(fair_decay(1000, 1000), 1 << 29);
    cr_assert_eq(fair_decay(3000, 1000), 1 << 27);
    cr_assert_eq(fair_decay(1000000, 1000), 0);
    int64_t half = fair_decay(500, 1000); /* 2^-0.5 */
    cr_assert(base_abs(half - 759250125) < 300000, "%lld", (long long)half);
    for (uint64_t t = 1; t < 4000; t++) {
        cr_assert_leq(fair_decay(t, 1000), fair_decay(t - 1, 1000) + 250000);
    }
}

Test(quote, the_offset_follows_slowly_and_stays_within_its_bound)
{
    struct fair fair = { 0 };
    fair_bound(&fair, 500);
    cr_assert(fair_sample(&fair, 1000020000, 1 * SECOND, 10 * SECOND)); /* 0.2 bp */
    cr_assert_eq(fair.offset_ppb, 20000);
    cr_assert_not(fair_sample(&fair, 1000040000, 1 * SECOND + 1, 10 * SECOND)); /* too soon */
    fair_sample(&fair, 1000040000, 11 * SECOND, 10 * SECOND);
    cr_assert_eq(fair.offset_ppb, 30000); /* half way after a half life */
    for (uint64_t t = 12; t < 200; t++) {
        fair_sample(&fair, 1100000000, t * SECOND, 10 * SECOND);
    }
    cr_assert_eq(fair.offset_ppb, 500000);
    cr_assert(fair.at_bound);
    cr_assert_eq(fair_centibp(&fair), 500);
}

Test(quote, a_lasting_basis_moves_the_quotes_and_is_told)
{
    struct quote_params params = desk_params();
    params.fair_half_life_ns = (int64_t)SECOND;
    struct desk *desk = with(params);
    int64_t bid = desk_quote(desk, SIDE_BUY, 0)->price;
    for (int i = 0; i < 100; i++) {
        desk_clock(desk, 100 * MS);
        desk_book(desk, USDT_PERP, 600000, 600001, 5000);
        desk_book(desk, PERP, 600600, 600601, 5000); /* 10 bp above */
        desk_answer(desk, true);
    }
    cr_assert(base_abs(desk->s->instance[0].fair.offset_ppb - 1000000) < 20000);
    cr_assert(base_abs(desk_quote(desk, SIDE_BUY, 0)->price - bid - 600) <= 3);
    desk_forget(desk);
    desk_command(desk, COMMAND_SHIFT_FAIR, 7, 300); /* a person bounds it */
    desk_clock(desk, 100 * MS);
    cr_assert_leq(desk->s->instance[0].fair.offset_ppb, 300000);
    desk_free(desk);
}
