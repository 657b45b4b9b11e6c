#include "tests/hot/strategy/desk.h"

Test(strategy, quotes_both_sides_once_everything_is_ready)
{
    struct desk *desk = desk_ready(NULL, NULL);
    cr_assert_eq(desk_count(desk, RECORD_ORDER_NEW), 2);
    const struct record_order *ask = desk_order(desk, RECORD_ORDER_NEW, 0);
    const struct record_order *bid = desk_order(desk, RECORD_ORDER_NEW, 1);
    cr_assert_eq(ask->side, SIDE_SELL);
    cr_assert_eq(bid->side, SIDE_BUY);
    /* 5 bp of fees away from the hedge touch: 60000.0 x (1 - 0.0005), 60000.1 x (1 + 0.0005) */
    cr_assert_eq(bid->price, 599700);
    cr_assert_eq(ask->price, 600302);
    cr_assert_eq(bid->qty, 10);
    cr_assert_eq(bid->flags, ORDER_FLAG_POST_ONLY);
    cr_assert_eq(bid->head.account, COIN_ACCOUNT);
    desk_check(desk);
    desk_free(desk);
}

Test(strategy, a_fill_is_hedged_in_the_same_step)
{
    struct desk *desk = desk_ready(NULL, NULL);
    desk_answer(desk, true);
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    desk_forget(desk);
    desk_fill(desk, bid->id, 10, bid->price);
    /* 1,000 USD at 59,970.0 is 0.016675 BTC: 16 lots, and the rest waits */
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 1);
    const struct record_order *hedge = desk_order_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE, 0);
    cr_assert_eq(hedge->side, SIDE_SELL);
    cr_assert_eq(hedge->qty, 16);
    cr_assert_eq(hedge->tif, TIF_IOC);
    cr_assert_eq(hedge->price, 599700); /* 5 bp beyond 60,000.0 */
    cr_assert_eq(hedge->reference_price, 600000);
    desk_answer(desk, true);
    cr_assert_lt(desk_delta_e8(desk), COIN * 2 / 1000);
    cr_assert_gt(desk_delta_e8(desk), 0);
    desk_check(desk);
    desk_free(desk);
}
