#include "tests/hot/strategy/desk.h"

#include "hot/strategy/exec/hedge.h"

static struct desk *with(struct quote_params params)
{
    struct desk *desk = desk_ready(&params, NULL);
    desk_answer(desk, true);
    desk_forget(desk);
    return desk;
}

/* A quote of 600 contracts (1 BTC at 60,000) on the bid, filled completely. */
static struct desk *naked(struct quote_params params)
{
    params.size = 600;
    struct desk *desk = with(params);
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    desk_fill(desk, bid->id, 600, bid->price);
    return desk;
}

static struct order *hedge(struct desk *desk, uint32_t n)
{
    const struct record_order *order = desk_order_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE, n);
    return order == NULL ? NULL : desk_row(desk, order->order);
}

static struct hedge_state *state(struct desk *desk)
{
    return &desk->s->instance[0].hedge;
}

Test(hedge, small_fills_accumulate_until_the_venue_would_take_the_order)
{
    struct desk *desk = with(desk_params());
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    /* one contract is 0.00167 BTC; the smallest hedge is 0.002 BTC (100 USDT in lots of 0.001) */
    desk_fill(desk, bid->id, 1, bid->price);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 0);
    cr_assert_eq(state(desk)->naked_since_ns, 0);
    desk_fill(desk, bid->id, 1, bid->price);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 1);
    cr_assert_eq(hedge(desk, 0)->qty, 3);
    desk_answer(desk, true);
    cr_assert(desk_delta_e8(desk) > 0 && desk_delta_e8(desk) < COIN * 2 / 1000);
    desk_free(desk);
}

/* What one order would close at the middle is a hair less than one at the limit, where the venue's least
 * value is more lots: it must not stand open for ever. */
Test(hedge, one_smallest_order_at_the_middle_is_hedged_at_the_limit_too)
{
    struct desk *desk = with(desk_params());
    desk_both(desk, 500000);
    desk_clock(desk, 20 * MS);
    desk_answer(desk, true);
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    desk_forget(desk);
    desk_fill(desk, bid->id, 1, 499900); /* 0.0020002 BTC, worth 100 USDT at 50,000 and less below */
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 1);
    cr_assert_eq(hedge(desk, 0)->qty, 3);
    desk_answer(desk, true);
    cr_assert_eq(state(desk)->naked_since_ns, 0);
    cr_assert(!desk->s->halted);
    desk_free(desk);
}

Test(hedge, hedge_min_makes_them_larger)
{
    struct quote_params params = desk_params();
    params.hedge_min_e8 = COIN / 100;
    struct desk *desk = with(params);
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    desk_fill(desk, bid->id, 5, bid->price);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 0);
    desk_fill(desk, bid->id, 2, bid->price);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 1);
    desk_free(desk);
}

Test(hedge, a_partial_hedge_is_followed_by_the_rest)
{
    struct desk *desk = naked(desk_params());
    struct order *first = hedge(desk, 0);
    cr_assert_eq(first->qty, 1000);
    desk_fill(desk, first->id, 400, 600000);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 1); /* 600 are still at work */
    desk_end(desk, first->id, RECORD_EXPIRED, 400);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 2);
    cr_assert_eq(hedge(desk, 1)->qty, 600);
    desk_answer(desk, true);
    cr_assert_lt(base_abs(desk_delta_e8(desk)), COIN * 2 / 1000);
    desk_free(desk);
}

Test(hedge, a_refused_hedge_is_tried_again_ever_less_often)
{
    struct desk *desk = naked(desk_params());
    uint32_t tried = 0;
    for (int i = 0; i < 200; i++) {
        struct order *order = hedge(desk, tried);
        if (order != NULL) {
            desk_reject(desk, order->id, REQUEST_NEW, REASON_BALANCE);
            tried++;
        }
        desk_clock(desk, 2 * MS);
        if (state(desk)->rung != RUNG_NONE) {
            break;
        }
    }
    cr_assert(tried >= 3 && tried <= 8, "%u", tried);
    cr_assert_eq(state(desk)->naked_sign, 1);
    desk_free(desk);
}

Test(hedge, an_ioc_that_met_nothing_is_repeated_at_the_new_touch)
{
    struct desk *desk = naked(desk_params());
    desk_end(desk, hedge(desk, 0)->id, RECORD_EXPIRED, 0);
    cr_assert_null(hedge(desk, 1)); /* not in the same breath */
    desk_clock(desk, 1 * MS);
    desk_both(desk, 599000);
    cr_assert_null(hedge(desk, 1));
    desk_clock(desk, 1 * MS);
    struct order *second = hedge(desk, 1);
    cr_assert_not_null(second);
    cr_assert_eq(second->reference_price, 599000);
    desk_free(desk);
}

Test(hedge, an_unknown_hedge_is_not_sent_again_but_stays_naked)
{
    struct desk *desk = naked(desk_params());
    struct order *order = hedge(desk, 0);
    uint64_t since = state(desk)->naked_since_ns;
    cr_assert_neq(since, 0);
    desk_clock(desk, 301 * MS); /* no answer in hedge_timeout */
    cr_assert(order_in_doubt(order));
    for (int i = 0; i < 10; i++) {
        desk_clock(desk, 10 * MS);
        desk_both(desk, 600000);
    }
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 1);
    cr_assert_eq(state(desk)->naked_since_ns, since);
    cr_assert_neq(desk->s->instance[0].pull, PULL_NONE);
    desk_order_state(desk, order->id, ORDER_STATUS_EXPIRED, 250, 0); /* a quarter had been executed */
    struct order *second = hedge(desk, 1);
    cr_assert_not_null(second);
    cr_assert_eq(second->qty, 750);
    desk_free(desk);
}

Test(hedge, opposite_fills_while_a_hedge_flies_are_hedged_back_and_no_breach)
{
    struct desk *desk = naked(desk_params());
    struct order *sell = hedge(desk, 0);
    struct order *ask = desk_quote(desk, SIDE_SELL, 0);
    desk_fill(desk, ask->id, 600, ask->price);
    cr_assert_not(desk->s->halted);
    /* the sale still out will overshoot: the answer is a purchase, counted with it */
    struct order *buy = hedge(desk, 1);
    cr_assert_not_null(buy);
    cr_assert_eq(buy->side, SIDE_BUY);
    desk_fill(desk, sell->id, sell->qty, 600000);
    cr_assert_not(desk->s->halted);
    desk_fill(desk, buy->id, buy->qty, 600001);
    cr_assert_not(desk->s->halted);
    cr_assert_lt(base_abs(desk_delta_e8(desk)), COIN * 2 / 1000);
    desk_free(desk);
}

/* Contracts of dollars sold at a better price than their limit bring less coin than was counted on: a
 * purchase that went out with them is no breach, and the rest is hedged back. */
Test(hedge, a_better_price_of_an_inverse_hedge_is_no_breach)
{
    struct quote_params params = desk_params();
    params.quote_instrument = USDT_PERP;
    params.quote_account = USDT_ACCOUNT;
    params.hedge_instrument = PERP;
    params.hedge_account = COIN_ACCOUNT;
    params.size = 1000;
    params.max_inventory = 10000;
    params.max_naked_e8 = 5 * COIN;
    struct desk *desk = with(params);
    struct order *bid = desk_quote(desk, SIDE_BUY, 0), *ask = desk_quote(desk, SIDE_SELL, 0);
    cr_assert(bid != NULL && ask != NULL);
    desk_fill(desk, bid->id, 1000, bid->price);
    desk_fill(desk, ask->id, 1000, ask->price);
    struct order *sell = hedge(desk, 0), *buy = hedge(desk, 1);
    cr_assert(sell != NULL && sell->side == SIDE_SELL && buy != NULL && buy->side == SIDE_BUY);
    desk_fill(desk, sell->id, sell->qty, 603000);
    cr_assert_not(desk->s->halted);
    desk_fill(desk, buy->id, buy->qty, 600000);
    cr_assert_not(desk->s->halted);
    desk_answer(desk, true);
    cr_assert_lt(base_abs(desk_delta_e8(desk)), COIN * 2 / 1000);
    desk_free(desk);
}

Test(hedge, more_executed_than_was_ordered_halts)
{
    struct desk *desk = naked(desk_params());
    struct order *order = hedge(desk, 0);
    desk_fill(desk, order->id, order->qty, 600000);
    cr_assert_not(desk->s->halted);
    desk_lite(desk, order->id, 5, 600000, 9999); /* the venue executed five too many */
    cr_assert(desk->s->halted);
    cr_assert_eq(desk_count_event(desk, EVENT_CONSERVATION), 1);
    cr_assert_eq(desk->s->halt, HALT_CONSERVATION);
    desk_answer(desk, false);
    cr_assert_eq(desk->s->instance[0].quote.live, 0);
    desk_free(desk);
}

Test(hedge, conservation_holds_the_line_when_sizing_goes_wrong)
{
    /* The breach is made by hand: a hedge row that nobody ordered. */
    struct desk *desk = naked(desk_params());
    struct order *order = hedge(desk, 0);
    order->want_qty = order->qty = 5000;
    desk_clock(desk, 1 * MS);
    cr_assert(desk->s->halted);
    cr_assert_eq(desk->s->halt, HALT_CONSERVATION);
    desk_free(desk);
}

Test(hedge, nothing_is_hedged_on_a_book_that_is_not_proved)
{
    struct desk *desk = with(desk_params());
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    desk_state(desk, RECORD_FEED_STATE, USDT_PERP, NO_ACCOUNT, FEED_GAP);
    desk_forget(desk);
    desk_fill(desk, bid->id, 10, bid->price);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 0);
    cr_assert_neq(state(desk)->naked_since_ns, 0);
    desk_state(desk, RECORD_FEED_STATE, USDT_PERP, NO_ACCOUNT, FEED_LIVE);
    desk_book(desk, USDT_PERP, 598000, 598001, 5000); /* hedged at the tick that brings the book back */
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 1);
    desk_free(desk);
}

Test(hedge, naked_time_runs_from_the_fill_to_the_hedges_fill)
{
    struct desk *desk = with(desk_params());
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    desk->now += 5 * MS;
    uint64_t filled_at = desk->now;
    desk_fill(desk, bid->id, 10, bid->price);
    const struct record_order *order = desk_order_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE, 0);
    cr_assert_eq(order->fill_ns, filled_at);
    cr_assert_eq(order->trigger_ns, filled_at);
    uint64_t id = order->order;
    desk->now += 7 * MS;
    desk_fill(desk, id, 16, 600000);
    cr_assert_eq(state(desk)->max_naked_ns, 7 * MS);
    const struct record_event *event = desk_event(desk, EVENT_NAKED_CLEARED, 0);
    cr_assert_not_null(event);
    cr_assert_eq(event->value[0], 7 * (int64_t)MS);
    desk_free(desk);
}

/* ------------------------------------------------------------------ the ladder */

static enum rung told(struct desk *desk)
{
    enum rung rung = RUNG_NONE;
    for (uint32_t i = 0; i < desk_count_event(desk, EVENT_LADDER); i++) {
        rung = desk_event(desk, EVENT_LADDER, i)->value[0];
    }
    return rung;
}

static void refuse_hedges(struct desk *desk)
{
    for (uint32_t i = 0;; i++) {
        const struct record_order *order = desk_order_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE, i);
        if (order == NULL) {
            return;
        }
        struct order *row = desk_row(desk, order->order);
        if (row != NULL && order_is_live(row)) {
            desk_end(desk, row->id, RECORD_EXPIRED, 0);
        }
    }
}

Test(hedge, the_ladder_climbs_rung_by_rung_and_each_is_told)
{
    struct quote_params params = desk_params();
    params.second_instrument = USDC_PERP;
    params.second_account = USDC_ACCOUNT;
    struct desk *desk = naked(params);
    refuse_hedges(desk);
    desk_clock(desk, 499 * MS);
    refuse_hedges(desk);
    cr_assert_eq(state(desk)->rung, RUNG_NONE);
    desk_clock(desk, 1 * MS);
    cr_assert_eq(told(desk), RUNG_QUERY);
    cr_assert_eq(desk_event(desk, EVENT_LADDER, 0)->value[2], (int64_t)(desk->now + 100 * MS));
    refuse_hedges(desk);

    desk_forget(desk);
    desk_clock(desk, 100 * MS);
    cr_assert_eq(told(desk), RUNG_SECOND);
    const struct record_order *order = desk_order_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE, 0);
    cr_assert_not_null(order);
    cr_assert_eq(order->head.instrument, USDC_PERP);
    cr_assert_eq(order->head.account, USDC_ACCOUNT);
    refuse_hedges(desk);

    desk_forget(desk);
    desk_clock(desk, 100 * MS);
    cr_assert_eq(told(desk), RUNG_EMERGENCY);
    order = desk_order_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE, 0);
    cr_assert_eq(order->head.instrument, USDT_PERP);
    cr_assert_eq(order->price, 597000); /* 50 bp beyond the touch */
    refuse_hedges(desk);

    desk_forget(desk);
    desk_both(desk, 600000);
    desk_clock(desk, 100 * MS);
    cr_assert_eq(told(desk), RUNG_REDUCE);
    refuse_hedges(desk);
    desk_forget(desk);
    desk_clock(desk, 3 * MS);
    order = desk_order_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE, 0);
    refuse_hedges(desk);

    desk_forget(desk);
    desk_clock(desk, 100 * MS);
    cr_assert_eq(told(desk), RUNG_HALT);
    cr_assert_eq(desk->s->instance[0].state, INSTANCE_HALTED);
    cr_assert_eq(desk->s->instance[0].halt, HALT_LADDER);
    cr_assert_not(desk->s->halted); /* the others go on */

    refuse_hedges(desk);
    desk_forget(desk);
    desk_clock(desk, 300 * MS); /* hedging goes on under the halt */
    desk_both(desk, 600000);
    desk_answer(desk, true);
    cr_assert_lt(base_abs(desk_delta_e8(desk)), COIN * 2 / 1000);
    cr_assert_eq(state(desk)->rung, RUNG_NONE);
    cr_assert_eq(desk->s->instance[0].state, INSTANCE_HALTED);
    desk_command(desk, COMMAND_RESUME, 7, 0);
    desk_both(desk, 600000);
    cr_assert_eq(desk->s->instance[0].state, INSTANCE_QUOTING);
    desk_check(desk);
    desk_free(desk);
}

Test(hedge, the_fifth_rung_reduces_the_quoted_leg)
{
    struct desk *desk = naked(desk_params());
    desk_end(desk, hedge(desk, 0)->id, RECORD_EXPIRED, 0);
    desk_state(desk, RECORD_INSTRUMENT_STATE, USDT_PERP, NO_ACCOUNT, INSTRUMENT_HALTED);
    desk_forget(desk);
    for (int i = 0; i < 8 && state(desk)->rung != RUNG_REDUCE; i++) {
        desk_clock(desk, 100 * MS);
        desk_book(desk, PERP, 600000, 600001, 5000);
    }
    cr_assert_eq(state(desk)->rung, RUNG_REDUCE);
    const struct record_order *order = desk_order_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE, 0);
    cr_assert_not_null(order);
    cr_assert_eq(order->head.instrument, PERP);
    cr_assert_eq(order->side, SIDE_SELL);
    cr_assert_eq(order->leg, LEG_QUOTE);
    cr_assert_geq(order->qty, 595);
    cr_assert_leq(order->qty, 600);
    desk_fill(desk, order->order, order->qty, 600000);
    cr_assert_lt(base_abs(desk_delta_e8(desk)), COIN / 100);
    cr_assert_not(desk->s->halted);
    desk_free(desk);
}

Test(hedge, an_unknown_hedge_climbs_the_ladder_without_a_second_answer)
{
    struct quote_params params = desk_params();
    params.second_instrument = USDC_PERP;
    params.second_account = USDC_ACCOUNT;
    struct desk *desk = naked(params);
    for (int i = 0; i < 12; i++) {
        desk_clock(desk, 100 * MS);
        desk_both(desk, 600000);
    }
    cr_assert_eq(state(desk)->rung, RUNG_HALT);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 1);
    desk_order_state(desk, hedge(desk, 0)->id, ORDER_STATUS_FILLED, 1000, 0);
    cr_assert_lt(base_abs(desk_delta_e8(desk)), COIN * 2 / 1000);
    cr_assert_eq(state(desk)->rung, RUNG_NONE);
    desk_free(desk);
}

Test(hedge, more_than_max_naked_pulls_the_quotes_at_once)
{
    struct quote_params params = desk_params();
    params.max_naked_e8 = COIN / 4;
    struct desk *desk = naked(params);
    cr_assert_eq(desk->s->instance[0].pull, PULL_NAKED);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_CANCEL, ORDER_ROLE_QUOTE), 1);
    desk_free(desk);
}

/* ------------------------------------------------------------------ leaving */

Test(hedge, stop_cancels_waits_hedges_and_only_then_says_stopped)
{
    struct desk *desk = with(desk_params());
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    struct order *ask = desk_quote(desk, SIDE_SELL, 0);
    desk_command(desk, COMMAND_STOP, NO_INSTANCE, 0);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_CANCEL, ORDER_ROLE_QUOTE), 2);
    cr_assert_eq(desk_count_event(desk, EVENT_STOPPED), 0);
    desk_end(desk, ask->id, RECORD_CANCELLED, 0);
    desk_fill(desk, bid->id, 8, bid->price); /* while the cancel flew */
    desk_end(desk, bid->id, RECORD_CANCELLED, 8);
    cr_assert_eq(desk_count_event(desk, EVENT_STOPPED), 0);
    struct order *order = hedge(desk, 0);
    cr_assert_not_null(order);
    desk_fill(desk, order->id, order->qty, 600000);
    cr_assert_eq(desk_count_event(desk, EVENT_STOPPED), 1);
    struct strategy_view view;
    strategy_view(desk->s, &view);
    cr_assert(view.stopped);
    desk_forget(desk);
    desk_both(desk, 600500);
    desk_clock(desk, SECOND);
    cr_assert_eq(desk_count(desk, RECORD_ORDER_NEW), 0);
    desk_free(desk);
}

Test(hedge, halt_cancels_everything_and_keeps_hedging)
{
    struct desk *desk = with(desk_params());
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    desk_command(desk, COMMAND_HALT, NO_INSTANCE, 0);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_CANCEL, ORDER_ROLE_QUOTE), 2);
    cr_assert_eq(desk_count(desk, RECORD_CANCEL_ALL), 1);
    desk_forget(desk);
    desk_fill(desk, bid->id, 10, bid->price);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 1);
    desk_answer(desk, true);
    desk_both(desk, 600000);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_QUOTE), 0);
    cr_assert_eq(desk->s->orders.live, 1); /* the ask's cancel was not answered yet */
    desk_command(desk, COMMAND_RESUME, NO_INSTANCE, 0);
    desk_both(desk, 600000);
    cr_assert_eq(desk->s->instance[0].state, INSTANCE_QUOTING);
    desk_free(desk);
}

Test(hedge, flatten_unwinds_both_legs_hedged_on_the_way)
{
    struct quote_params params = desk_params();
    params.allocation_e8 = COIN;
    params.max_naked_e8 = 3 * COIN;
    params.size = 300;
    struct desk *desk = with(params);
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    desk_fill(desk, bid->id, 300, bid->price);
    desk_answer(desk, true);
    const struct exposure_instance *held = &desk->s->exposure.instance[0];
    cr_assert_eq(held->leg[LEG_QUOTE].position.qty, 300);
    cr_assert_lt(held->leg[LEG_HEDGE].position.qty, -1400);

    desk_command(desk, COMMAND_FLATTEN, 7, 0);
    for (int i = 0; i < 100 && desk->s->instance[0].state != INSTANCE_FLAT; i++) {
        /* hedging is on until the quoted leg is gone: never more than its last order naked */
        if (held->leg[LEG_QUOTE].position.qty != 0) {
            cr_assert_lt(base_abs(desk_delta_e8(desk)), COIN);
        }
        desk_answer(desk, true);
        desk_clock(desk, 5 * MS);
    }
    cr_assert_eq(desk->s->instance[0].state, INSTANCE_FLAT);
    cr_assert_eq(held->leg[LEG_QUOTE].position.qty, 0);
    cr_assert_eq(held->leg[LEG_HEDGE].position.qty, 0);
    cr_assert_eq(desk->s->orders.live, 0);
    desk_forget(desk);
    desk_clock(desk, 10 * SECOND);
    desk_both(desk, 600000);
    desk_clock(desk, SECOND);
    cr_assert_eq(desk_count(desk, RECORD_ORDER_NEW), 0); /* the coin is naked by order of the person */
    desk_free(desk);
}

Test(hedge, flatten_orders_reduce_the_accounts_position_only)
{
    struct desk *desk = with(desk_params());
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    desk_fill(desk, bid->id, 10, bid->price);
    desk_answer(desk, true);
    desk_command(desk, COMMAND_FLATTEN, 7, 0);
    struct order *ask = desk_quote(desk, SIDE_SELL, 0);
    desk_end(desk, ask->id, RECORD_CANCELLED, 0);
    for (struct order *order; (order = desk_quote(desk, SIDE_BUY, 0)) != NULL;) {
        desk_end(desk, order->id, RECORD_CANCELLED, order->filled);
    }
    const struct record_order *order = desk_order_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_FLATTEN, 0);
    cr_assert_not_null(order);
    cr_assert_eq(order->flags & ORDER_FLAG_REDUCE_ONLY, ORDER_FLAG_REDUCE_ONLY);
    cr_assert_eq(order->qty, 10);
    cr_assert_eq(order->side, SIDE_SELL);
    desk_free(desk);
}
