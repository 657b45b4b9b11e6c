#include "tests/hot/strategy/desk.h"
#include "ring/decimal.h"

static void same(struct instrument *row)
{
    (void)row;
}

static void coarse(struct instrument *row)
{
    row->tick = 5;
}

static void coarse_lot(struct instrument *row)
{
    row->lot = row->min_qty = 10;
    row->min_notional_e8 = 1000 * DECIMAL_E8;
}

static void halted(struct instrument *row)
{
    row->status = INSTRUMENT_HALTED;
}

static void small(struct instrument *row)
{
    row->max_qty = row->max_market_qty = 2;
}

static void huge(struct instrument *row)
{
    row->max_price = 0x7fffffffffff;
}

static void other_contract(struct instrument *row)
{
    row->contract_e8 *= 10;
}

static void other_unit(struct instrument *row)
{
    row->price_decimals = 2;
}

static void no_tick(struct instrument *row)
{
    row->tick = 0;
}

Test(rules, quotes_are_made_anew_on_a_coarser_grid)
{
    struct desk *desk = desk_ready(NULL, NULL);
    desk_answer(desk, true);
    desk_forget(desk);
    cr_assert_eq(desk_quote(desk, SIDE_SELL, 0)->price, 600302);
    desk_rules(desk, PERP, coarse);
    cr_assert_eq(desk_count(desk, RECORD_ORDER_CANCEL), 1, "the bid at 59,970.0 stands on the new grid");
    desk_end(desk, desk_quote(desk, SIDE_SELL, 0)->id, RECORD_CANCELLED, 0);
    desk_clock(desk, 10 * MS);
    cr_assert_eq(desk_quote(desk, SIDE_SELL, 0)->price, 600305);
    cr_assert_eq(desk_quote(desk, SIDE_BUY, 0)->price % 5, 0);
    cr_assert_eq(desk_count_event(desk, EVENT_RULES), 1);
    cr_assert_eq(desk_event(desk, EVENT_RULES, 0)->value[0], 5);
    desk_check(desk);
    desk_free(desk);
}

Test(rules, hedges_keep_to_the_new_grid_lot_and_least_value)
{
    struct desk *desk = desk_ready(NULL, NULL);
    desk_answer(desk, true);
    desk_rules(desk, USDT_PERP, coarse);
    desk_rules(desk, USDT_PERP, coarse_lot); /* the row as a whole: the tick is 0.1 again */
    desk_forget(desk);
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    desk_fill(desk, bid->id, 10, bid->price);
    /* 0.016675 BTC: one lot of 0.01 is worth 600 USDT, less than the venue takes now */
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 0);
    desk_answer(desk, false);
    bid = desk_quote(desk, SIDE_BUY, 0);
    desk_rules(desk, USDT_PERP, coarse);
    const struct record_order *hedge = desk_order_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE, 0);
    cr_assert_not_null(hedge, "a smaller smallest order hedges what had to wait");
    cr_assert_eq(hedge->qty, 16);
    cr_assert_eq(hedge->price % 5, 0);
    desk_check(desk);
    desk_free(desk);
}

Test(rules, a_halt_pulls_quotes_and_its_end_brings_them_back)
{
    struct desk *desk = desk_ready(NULL, NULL);
    desk_answer(desk, true);
    desk_forget(desk);
    desk_rules(desk, USDT_PERP, halted);
    cr_assert_eq(desk_count(desk, RECORD_ORDER_CANCEL), 2);
    uint64_t bid = desk_quote(desk, SIDE_BUY, 0)->id, ask = desk_quote(desk, SIDE_SELL, 0)->id;
    desk_end(desk, bid, RECORD_CANCELLED, 0);
    desk_end(desk, ask, RECORD_CANCELLED, 0);
    desk_forget(desk);
    desk_clock(desk, SECOND / 10);
    cr_assert_eq(desk_count(desk, RECORD_ORDER_NEW), 0);
    desk_rules(desk, USDT_PERP, same);
    cr_assert_eq(desk_count(desk, RECORD_ORDER_NEW), 2);
    desk_free(desk);
}

Test(rules, a_smaller_smallest_order_is_no_breach_of_hedges_at_work)
{
    struct desk *desk = desk_ready(NULL, NULL);
    desk_answer(desk, true);
    desk_rules(desk, USDT_PERP, coarse_lot);
    desk_forget(desk);
    for (int i = 0; i < 2; i++) {
        struct order *bid = desk_quote(desk, SIDE_BUY, 0);
        desk_fill(desk, bid->id, 10, bid->price);
        desk_clock(desk, 10 * MS);
        if (desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE) != 0) {
            break;
        }
        desk_answer(desk, false);
    }
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 1);
    int128 before_e12 = desk->s->instance[0].hedge.smallest_e12;
    desk_rules(desk, USDT_PERP, same); /* while it is out */
    int128 after_e12 = desk->s->instance[0].hedge.smallest_e12;
    cr_assert_lt(after_e12, before_e12);
    cr_assert_eq(desk->s->instance[0].hedge.explained_e12[0], before_e12 - after_e12);
    cr_assert_eq(desk->s->instance[0].hedge.explained_e12[1], before_e12 - after_e12);
    desk_answer(desk, true);
    cr_assert_eq(desk_count_event(desk, EVENT_CONSERVATION), 0);
    desk_check(desk);
    desk_free(desk);
}

Test(rules, a_smaller_largest_order_does_not_make_what_is_held_uncountable)
{
    struct desk *desk = desk_ready(NULL, NULL);
    desk_answer(desk, true);
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    desk_fill(desk, bid->id, 10, bid->price);
    desk_answer(desk, true);
    desk_rules(desk, PERP, small);
    desk_rules(desk, USDT_PERP, huge);
    cr_assert_eq(desk->s->malformed, 0);
    cr_assert_eq(desk->s->instrument[USDT_PERP].max_price, desk->s->exposure.bound[USDT_PERP].price);
    struct order *ask = desk_quote(desk, SIDE_SELL, 0);
    desk_fill(desk, ask->id, 1, ask->price);
    desk_answer(desk, true);
    cr_assert_eq(desk_count_event(desk, EVENT_HALT), 0);
    desk_check(desk);
    desk_free(desk);
}

Test(rules, a_row_that_is_another_instrument_or_makes_no_sense_is_refused)
{
    struct desk *desk = desk_ready(NULL, NULL);
    desk_answer(desk, true);
    desk_forget(desk);
    void (*const wrong[])(struct instrument *) = { other_contract, other_unit, no_tick };
    for (size_t i = 0; i < POISE_COUNT_OF(wrong); i++) {
        uint64_t malformed = desk->s->malformed;
        desk_rules(desk, PERP, wrong[i]);
        cr_assert_eq(desk->s->malformed, malformed + 1);
        cr_assert_eq(desk->s->instrument[PERP].tick, 1);
    }
    cr_assert_eq(desk->said_count, 0);
    desk_free(desk);
}
