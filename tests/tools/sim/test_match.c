/* The rules of matching, one story each.  Prices are linear BTCUSDT in units of 0.01, sizes in 0.001. */
#include "tools/sim/model/sim_venue.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define PX(price) ((int64_t)(price)*100)
#define SEEN_MAX  4096

struct seen {
    struct sim_event event;
    struct sim_level level[64];
    struct sim_order order;
};

struct bench {
    struct sim_venue *venue;
    struct seen seen[SEEN_MAX];
    size_t count;
    int64_t now_ns;
    int64_t u;
    int64_t stamp_ms;
    enum sim_kind kind;
};

static struct bench *bench;

static void remember(void *user, const struct sim_event *event)
{
    struct bench *b = user;
    struct seen *seen = &b->seen[b->count++];

    cr_assert_lt(b->count, SEEN_MAX);
    seen->event = *event;
    if (event->levels != NULL) {
        size_t n = event->kind == SIM_EVENT_TOP ? 2 : event->bid_count + event->ask_count;
        memcpy(seen->level, event->levels, (n > 64 ? 64 : n) * sizeof *event->levels);
    }
    if (event->order != NULL) {
        seen->order = *event->order;
    }
}

static struct sim_instrument contract(enum sim_kind kind)
{
    struct sim_instrument i = {
        .symbol = "BTCUSDT",
        .base = "BTC",
        .quote = "USDT",
        .settle = "USDT",
        .kind = kind,
        .price_decimals = 2,
        .qty_decimals = 3,
        .tick = 10,
        .step = 1,
        .min_qty = 1,
        .max_qty = 1000000,
        .max_market_qty = 1000000,
        .min_price = 1,
        .max_price = 100000000,
        .maker_rate_e8 = 20000,
        .taker_rate_e8 = 50000,
        .maintenance_rate_e8 = 400000,
        .max_orders = 200,
        .max_amends = 10000,
        .first_order_id = 1000,
        .first_trade_id = 1,
        .funding_rate_e8 = 10000,
        .funding_interval_ns = INT64_C(1000000000) * 3600,
        .band_ppm = 100000,
    };
    return i;
}

static void feed(enum sim_tape_kind kind, const struct sim_level *levels, uint32_t bids, uint32_t asks,
                 bool buyer_is_maker)
{
    struct sim_tape_event event = { .kind = kind };

    bench->now_ns += 1000000;
    event.stamp_ms = ++bench->stamp_ms;
    event.pu = bench->u;
    event.first_u = bench->u + 1;
    event.u = bench->u += 10;
    event.levels = levels;
    event.bid_count = bids;
    event.ask_count = asks;
    event.buyer_is_maker = buyer_is_maker;
    sim_venue_tape(bench->venue, &event, kind == SIM_TAPE_SNAPSHOT, bench->now_ns);
}

static void depth(int side, int64_t price, int64_t qty)
{
    struct sim_level level = { price, qty };

    feed(SIM_TAPE_DEPTH, &level, side == SIM_BUY, side == SIM_SELL, false);
}

static void trade(int64_t price, int64_t qty, bool sold)
{
    struct sim_level level = { price, qty };

    feed(SIM_TAPE_TRADE, &level, 1, 0, sold);
}

static void touch(int64_t bid, int64_t bid_qty, int64_t ask, int64_t ask_qty)
{
    struct sim_level levels[2] = { { bid, bid_qty }, { ask, ask_qty } };

    feed(SIM_TAPE_TOP, levels, 1, 1, false);
}

/* bids 60000 (5.000), 59999.9 (7.000), 59999.8 (9.000); asks 60000.1 (4.000), 60000.2 (6.000), 60000.3
 * (8.000) */
static void set_up_kind(enum sim_kind kind, enum sim_cancel_ahead ahead)
{
    static const struct sim_level book[] = { { PX(60000), 5000 },      { PX(60000) - 10, 7000 },
                                             { PX(60000) - 20, 9000 }, { PX(60000) + 10, 4000 },
                                             { PX(60000) + 20, 6000 }, { PX(60000) + 30, 8000 } };
    struct sim_instrument i = contract(kind);

    bench = calloc(1, sizeof *bench);
    bench->now_ns = INT64_C(1723161255000000000);
    bench->u = 100;
    bench->kind = kind;
    bench->venue = sim_venue_new(1, ahead, remember, bench);
    sim_venue_add_instrument(bench->venue, &i);
    sim_venue_add_account(bench->venue, "a");
    sim_venue_add_account(bench->venue, "b");
    for (int account = 0; account < 2; account++) {
        sim_venue_deposit(bench->venue, account, kind, "USDT", INT64_C(1000000) * SIM_CASH_ONE, 0);
        sim_venue_deposit(bench->venue, account, kind, "BTC", INT64_C(10) * SIM_CASH_ONE, 0);
    }
    feed(SIM_TAPE_SNAPSHOT, book, 3, 3, false);
    sim_venue_start(bench->venue, 0, bench->now_ns);
}

static void set_up(void)
{
    set_up_kind(SIM_LINEAR, SIM_CANCEL_AHEAD_NONE);
}

static void tear_down(void)
{
    sim_venue_free(bench->venue);
    free(bench);
}

static struct sim_order *order(int account, enum sim_side side, int64_t price, int64_t qty, const char *how)
{
    struct sim_place place = { .account = account, .side = side, .price = price, .qty = qty };
    struct sim_order *made = NULL;

    place.post_only = strcmp(how, "post") == 0;
    place.market = strcmp(how, "market") == 0;
    place.tif = strcmp(how, "ioc") == 0 ? SIM_IOC : strcmp(how, "fok") == 0 ? SIM_FOK : SIM_GTC;
    place.reduce_only = strcmp(how, "reduce") == 0;
    place.stp = SIM_STP_EXPIRE_MAKER;
    bench->now_ns += 1000000;
    bench->stamp_ms++;
    cr_assert_eq(sim_venue_place(bench->venue, &place, bench->now_ns, &made), SIM_ACCEPTED);
    return made;
}

static enum sim_reject refusal(enum sim_side side, int64_t price, int64_t qty, const char *how)
{
    struct sim_place place = { .side = side, .price = price, .qty = qty };
    struct sim_order *made = NULL;

    place.post_only = strcmp(how, "post") == 0;
    place.market = strcmp(how, "market") == 0;
    place.tif = strcmp(how, "fok") == 0 ? SIM_FOK : SIM_GTC;
    place.reduce_only = strcmp(how, "reduce") == 0;
    return sim_venue_place(bench->venue, &place, bench->now_ns, &made);
}

static int64_t position(int account)
{
    return sim_venue_account(bench->venue, account)->holding[0].position.qty;
}

static const struct seen *last(enum sim_event_kind kind)
{
    for (size_t i = bench->count; i > 0; i--) {
        if (bench->seen[i - 1].event.kind == kind) {
            return &bench->seen[i - 1];
        }
    }
    return NULL;
}

static int64_t printed_since(size_t from)
{
    int64_t sum = 0;

    for (size_t i = from; i < bench->count; i++) {
        if (bench->seen[i].event.kind == SIM_EVENT_TRADE) {
            sum += bench->seen[i].event.qty;
        }
    }
    return sum;
}

TestSuite(rule1, .init = set_up, .fini = tear_down);
TestSuite(rule2, .init = set_up, .fini = tear_down);
TestSuite(rule3, .init = set_up, .fini = tear_down);
TestSuite(rule4, .init = set_up, .fini = tear_down);
TestSuite(rule5, .init = set_up, .fini = tear_down);
TestSuite(accounts, .init = set_up, .fini = tear_down);

/* --- rule 1 ------------------------------------------------------------------------------------------- */

Test(rule1, a_passive_order_queues_behind_the_displayed_size)
{
    struct sim_order *mine = order(0, SIM_BUY, PX(60000), 1000, "post");

    cr_assert_eq(mine->ahead, 5000);
    trade(PX(60000), 4999, true);
    cr_assert_eq(mine->filled, 0, "5.000 were ahead, 4.999 traded");
    trade(PX(60000), 301, true);
    cr_assert_eq(mine->filled, 300, "one more was ahead");
    trade(PX(60000), 5000, true);
    cr_assert_eq(mine->state, SIM_ORDER_FILLED);
    cr_assert_eq(position(0), 1000);
    cr_assert_eq(sim_ledger_entry(&sim_venue_market(bench->venue, 0)->instrument,
                                  &sim_venue_account(bench->venue, 0)->holding[0].position),
                 INT64_C(6000000000000));
}

Test(rule1, a_trade_on_the_other_side_or_behind_does_nothing)
{
    struct sim_order *mine = order(0, SIM_BUY, PX(60000), 1000, "post");

    trade(PX(60000), 9000, false); /* bought at 60000: that took asks */
    trade(PX(60000) + 10, 9000, true);
    cr_assert_eq(mine->filled, 0);
    cr_assert_eq(mine->ahead, 5000);
}

Test(rule1, a_trade_through_fills_up_to_its_size)
{
    struct sim_order *mine = order(0, SIM_BUY, PX(60000), 1000, "post");

    trade(PX(60000) - 10, 400, true);
    cr_assert_eq(mine->filled, 400, "the queue does not matter to a trade through");
    cr_assert_eq(last(SIM_EVENT_ORDER)->event.price, PX(60000), "at our price");
    cr_assert(last(SIM_EVENT_ORDER)->event.maker);
    trade(PX(60000) - 10, 4000, true);
    cr_assert_eq(mine->filled, 1000);
}

Test(rule1, an_opposite_touch_at_the_price_fills_up_to_its_size)
{
    struct sim_order *mine = order(0, SIM_BUY, PX(60000), 1000, "post");

    touch(PX(60000) - 10, 7000, PX(60000), 250);
    cr_assert_eq(mine->filled, 250);
    touch(PX(60000) - 10, 7000, PX(60000), 250);
    cr_assert_eq(mine->filled, 250, "the same touch is not met twice");
    touch(PX(60000) - 10, 7000, PX(60000), 450);
    cr_assert_eq(mine->filled, 700, "raised: fresh liquidity, 0.450 of it");
}

Test(rule1, an_opposite_touch_through_the_price_fills_in_depth_frames_too)
{
    struct sim_order *mine = order(0, SIM_SELL, PX(60000) + 10, 1000, "post");

    depth(SIM_BUY, PX(60000) + 20, 600); /* a bid above our offer */
    cr_assert_eq(mine->filled, 600);
    cr_assert_eq(last(SIM_EVENT_ORDER)->event.price, PX(60000) + 10, "at our price, not at the touch");
}

Test(rule1, unexplained_decreases_leave_the_place_by_default)
{
    struct sim_order *mine = order(0, SIM_BUY, PX(60000), 1000, "post");

    depth(SIM_BUY, PX(60000), 9000); /* 4.000 joined behind */
    depth(SIM_BUY, PX(60000), 6000);
    cr_assert_eq(mine->ahead, 5000, "the 3.000 that left are taken from behind");
    depth(SIM_BUY, PX(60000), 2000);
    cr_assert_eq(mine->ahead, 2000, "but no more can be ahead than is displayed");
}

Test(rule1, prorata_moves_the_place_in_proportion)
{
    tear_down();
    set_up_kind(SIM_LINEAR, SIM_CANCEL_AHEAD_PRORATA);
    struct sim_order *mine = order(0, SIM_BUY, PX(60000), 1000, "post");

    depth(SIM_BUY, PX(60000), 10000); /* 5.000 ahead, 5.000 behind */
    depth(SIM_BUY, PX(60000), 8000);  /* 2.000 cancelled: half of it ahead */
    cr_assert_eq(mine->ahead, 4000);
}

Test(rule1, two_orders_at_a_price_fill_in_time_order)
{
    struct sim_order *first = order(0, SIM_BUY, PX(60000), 1000, "post");
    depth(SIM_BUY, PX(60000), 6000); /* 1.000 more joins between the two */
    struct sim_order *second = order(1, SIM_BUY, PX(60000), 1000, "post");

    cr_assert_eq(second->ahead, 6000);
    trade(PX(60000), 5500, true);
    cr_assert_eq(first->filled, 500);
    trade(PX(60000), 1500, true); /* 0.500 first, 1.000 of others, nothing left */
    cr_assert_eq(first->filled, 1000);
    cr_assert_eq(second->filled, 0);
    trade(PX(60000), 200, true);
    cr_assert_eq(second->filled, 200);
}

/* --- rule 2 ------------------------------------------------------------------------------------------- */

Test(rule2, a_taker_walks_the_book_level_by_level)
{
    struct sim_order *mine = order(0, SIM_BUY, PX(60000) + 20, 7000, "ioc");

    cr_assert_eq(mine->filled, 7000);
    cr_assert_eq(sim_venue_fill_count(bench->venue), 2);
    cr_assert_eq(sim_venue_fill(bench->venue, 0)->price, PX(60000) + 10);
    cr_assert_eq(sim_venue_fill(bench->venue, 0)->qty, 4000);
    cr_assert_eq(sim_venue_fill(bench->venue, 1)->price, PX(60000) + 20);
    cr_assert_eq(sim_venue_fill(bench->venue, 1)->qty, 3000);
    cr_assert_not(sim_venue_fill(bench->venue, 0)->maker);
}

Test(rule2, consumed_liquidity_stays_consumed_until_the_level_is_raised)
{
    order(0, SIM_BUY, PX(60000) + 10, 3000, "ioc");
    struct sim_order *second = order(0, SIM_BUY, PX(60000) + 10, 3000, "ioc");
    cr_assert_eq(second->filled, 1000, "1.000 of 4.000 was left");
    cr_assert_eq(second->state, SIM_ORDER_EXPIRED);
    cr_assert_eq(second->expiry, SIM_EXPIRY_IOC);

    depth(SIM_SELL, PX(60000) + 10, 3500); /* lowered, not raised */
    cr_assert_eq(order(0, SIM_BUY, PX(60000) + 10, 100, "ioc")->filled, 0);
    depth(SIM_SELL, PX(60000) + 10, 3600);
    cr_assert_eq(order(0, SIM_BUY, PX(60000) + 10, 100, "ioc")->filled, 100);
}

Test(rule2, a_touch_that_runs_ahead_of_depth_is_what_a_taker_meets)
{
    struct sim_level asks[4];

    touch(PX(60000), 5000, PX(60000) + 20, 1500); /* the first level is gone already */
    cr_assert_eq(sim_venue_depth(bench->venue, 0, SIM_SELL, asks, 4), 2);
    cr_assert_eq(asks[0].price, PX(60000) + 20);
    cr_assert_eq(asks[1].price, PX(60000) + 30);
    struct sim_order *mine = order(0, SIM_BUY, PX(60000) + 20, 2000, "ioc");

    cr_assert_eq(mine->filled, 1500);
    cr_assert_eq(sim_venue_fill(bench->venue, 0)->price, PX(60000) + 20);
}

Test(rule2, a_market_order_expires_what_the_book_cannot_fill)
{
    struct sim_order *mine = order(0, SIM_BUY, 0, 18001, "market");

    cr_assert_eq(mine->filled, 18000);
    cr_assert_eq(mine->state, SIM_ORDER_EXPIRED);
    cr_assert_eq(mine->expiry, SIM_EXPIRY_MARKET);
}

Test(rule2, where_a_venue_has_one_feed_the_touch_is_told_in_depth)
{
    const struct sim_rules one_feed = { .touch_in_depth = true };
    size_t before = bench->count;

    touch(PX(60000), 5000, PX(60000) + 20, 1500);
    for (size_t i = before; i < bench->count; i++) {
        cr_assert_neq(bench->seen[i].event.kind, SIM_EVENT_DEPTH, "two feeds: the touch runs ahead");
    }
    sim_venue_rules(bench->venue, &one_feed);
    int64_t pu = sim_venue_market(bench->venue, 0)->last_u;
    touch(PX(60000), 5000, PX(60000) + 30, 700);
    const struct seen *frame = last(SIM_EVENT_DEPTH);
    cr_assert_not_null(frame);
    cr_assert_eq(frame->event.pu, pu);
    cr_assert_eq(frame->event.u, pu + 1);
    cr_assert_eq(frame->level[frame->event.bid_count + frame->event.ask_count - 1].price, PX(60000) + 30);
    cr_assert_eq(frame->level[frame->event.bid_count + frame->event.ask_count - 1].qty, 700);
    cr_assert_eq(frame->level[frame->event.bid_count].qty, 0, "what the touch has passed is gone");
}

/* --- rule 3 ------------------------------------------------------------------------------------------- */

Test(rule3, our_orders_are_in_the_published_book)
{
    size_t from = bench->count;

    order(0, SIM_BUY, PX(60000) + 0, 1000, "post");
    const struct seen *frame = last(SIM_EVENT_DEPTH);
    cr_assert_not_null(frame);
    cr_assert_eq(frame->event.bid_count, 1);
    cr_assert_eq(frame->level[0].price, PX(60000));
    cr_assert_eq(frame->level[0].qty, 6000);
    cr_assert_eq(frame->event.pu + 1, frame->event.first_u);
    cr_assert_gt(bench->count, from);

    struct sim_level top;
    cr_assert_eq(sim_venue_depth(bench->venue, 0, SIM_BUY, &top, 1), 1);
    cr_assert_eq(top.qty, 6000);
    cr_assert_eq(last(SIM_EVENT_TOP)->level[0].qty, 6000);
    cr_assert_eq(sim_venue_market(bench->venue, 0)->last_u, frame->event.u,
                 "the snapshot id is the stream's");
}

Test(rule3, a_recorded_trade_is_printed_once_though_it_fills_ours)
{
    struct sim_order *mine = order(0, SIM_BUY, PX(60000), 1000, "post");
    size_t from = bench->count;

    trade(PX(60000), 5600, true);
    cr_assert_eq(mine->filled, 600);
    cr_assert_eq(printed_since(from), 5600);
    from = bench->count;
    trade(PX(60000) - 10, 1000, true);
    cr_assert_eq(printed_since(from), 1000, "through: ours is a part of it");
}

Test(rule3, a_fill_carries_the_public_trade_id)
{
    order(0, SIM_BUY, PX(60000) + 10, 500, "ioc");
    cr_assert_eq(last(SIM_EVENT_TRADE)->event.trade_id, sim_venue_fill(bench->venue, 0)->trade_id);
    cr_assert_eq(last(SIM_EVENT_TRADE)->event.qty, 500);
    cr_assert_not(last(SIM_EVENT_TRADE)->event.buyer_is_maker);
}

Test(rule3, one_event_in_trade_then_depth_counts_once)
{
    struct sim_order *mine = order(0, SIM_BUY, PX(60000), 1000, "post");

    depth(SIM_BUY, PX(60000), 10000);
    trade(PX(60000), 3000, true);
    cr_assert_eq(mine->ahead, 2000);
    depth(SIM_BUY, PX(60000), 7000); /* the same 3.000 */
    cr_assert_eq(mine->ahead, 2000);
}

Test(rule3, one_event_in_depth_then_trade_counts_once)
{
    struct sim_order *mine = order(0, SIM_BUY, PX(60000), 1000, "post");
    struct sim_level level = { PX(60000), 3000 };
    struct sim_tape_event late = {
        .kind = SIM_TAPE_TRADE, .levels = &level, .bid_count = 1, .buyer_is_maker = true
    };

    depth(SIM_BUY, PX(60000), 2000); /* 3.000 traded, the frame is first: 2.000 can be ahead at most */
    cr_assert_eq(mine->ahead, 2000);
    late.stamp_ms = bench->stamp_ms; /* the trade of the same moment arrives after it */
    sim_venue_tape(bench->venue, &late, false, bench->now_ns);
    cr_assert_eq(mine->ahead, 2000, "it was counted by the frame");
    cr_assert_eq(mine->filled, 0);
    trade(PX(60000), 2100, true);
    cr_assert_eq(mine->filled, 100);
}

Test(rule3, a_trade_older_than_the_order_moves_nothing)
{
    struct sim_level level = { PX(60000) - 10, 3000 };
    struct sim_tape_event late = {
        .kind = SIM_TAPE_TRADE, .levels = &level, .bid_count = 1, .buyer_is_maker = true
    };

    touch(PX(60000), 2000, PX(60000) + 10, 4000);
    late.stamp_ms = bench->stamp_ms;
    struct sim_order *mine = order(0, SIM_BUY, PX(60000), 1000, "post");
    cr_assert_eq(mine->ahead, 2000);
    sim_venue_tape(bench->venue, &late, false, bench->now_ns);
    cr_assert_eq(mine->filled, 0, "it traded before the order was there");
}

Test(rule3, prorata_does_not_count_a_traded_decrease)
{
    tear_down();
    set_up_kind(SIM_LINEAR, SIM_CANCEL_AHEAD_PRORATA);
    struct sim_order *mine = order(0, SIM_BUY, PX(60000), 1000, "post");

    depth(SIM_BUY, PX(60000), 10000);
    trade(PX(60000), 1000, true);
    cr_assert_eq(mine->ahead, 4000);
    depth(SIM_BUY, PX(60000), 7000); /* 3.000 less: 1.000 traded, 2.000 cancelled of 10.000 */
    cr_assert_eq(mine->ahead, 4000 - 4000 * 2000 / 10000);
}

Test(rule3, ids_never_go_back_and_link)
{
    order(0, SIM_BUY, PX(60000) - 10, 1000, "post");
    depth(SIM_BUY, PX(60000) - 20, 100);
    order(0, SIM_SELL, PX(60000) + 30, 1000, "post");
    touch(PX(60000), 100, PX(60000) + 10, 100);
    depth(SIM_BUY, PX(60000) - 20, 200);
    order(0, SIM_BUY, PX(60000) - 10, 1000, "post");
    depth(SIM_BUY, PX(60000) - 20, 300);

    int64_t u = 0, top_u = 0;
    for (size_t i = 0; i < bench->count; i++) {
        const struct sim_event *event = &bench->seen[i].event;
        if (event->kind == SIM_EVENT_DEPTH) {
            cr_assert(u == 0 || event->pu == u, "every frame names the one before");
            cr_assert_gt(event->first_u, event->pu);
            cr_assert_geq(event->u, event->first_u);
            u = event->u;
        } else if (event->kind == SIM_EVENT_TOP) {
            cr_assert_gt(event->u, top_u);
            top_u = event->u;
        }
    }
}

Test(rule3, spot_ids_are_dense)
{
    tear_down();
    set_up_kind(SIM_SPOT, SIM_CANCEL_AHEAD_NONE);
    order(0, SIM_BUY, PX(60000) - 10, 10, "post");
    depth(SIM_BUY, PX(60000) - 20, 100);
    order(0, SIM_BUY, PX(60000) - 10, 10, "post");
    depth(SIM_BUY, PX(60000) - 20, 200);

    int64_t u = 0;
    for (size_t i = 0; i < bench->count; i++) {
        const struct sim_event *event = &bench->seen[i].event;
        if (event->kind == SIM_EVENT_DEPTH) {
            cr_assert(u == 0 || event->first_u == u + 1);
            u = event->u;
        }
    }
    cr_assert_gt(u, 0);
}

/* --- rule 4 ------------------------------------------------------------------------------------------- */

Test(rule4, post_only_is_decided_at_arrival)
{
    cr_assert_eq(refusal(SIM_BUY, PX(60000) + 10, 1000, "post"), SIM_REJECT_POST_ONLY);
    depth(SIM_SELL, PX(60000) + 10, 0); /* the ask left before the next try */
    cr_assert_eq(refusal(SIM_BUY, PX(60000) + 10, 1000, "post"), SIM_ACCEPTED);
}

Test(rule4, post_only_meets_our_own_other_orders_too)
{
    depth(SIM_SELL, PX(60000) + 10, 0);
    order(1, SIM_SELL, PX(60000) + 10, 10, "post");
    cr_assert_eq(refusal(SIM_BUY, PX(60000) + 10, 1000, "post"), SIM_REJECT_POST_ONLY);
}

Test(rule4, ioc_takes_what_is_there_at_arrival)
{
    depth(SIM_SELL, PX(60000) + 10, 300);
    struct sim_order *mine = order(0, SIM_BUY, PX(60000) + 10, 1000, "ioc");

    cr_assert_eq(mine->filled, 300);
    cr_assert_eq(mine->state, SIM_ORDER_EXPIRED);
    cr_assert_eq(bench->seen[bench->count - 1].event.kind == SIM_EVENT_ORDER ||
                     last(SIM_EVENT_ORDER)->event.exec == SIM_EXEC_EXPIRED,
                 true);
}

Test(rule4, fok_is_all_or_nothing)
{
    cr_assert_eq(refusal(SIM_BUY, PX(60000) + 10, 4001, "fok"), SIM_REJECT_FOK);
    cr_assert_eq(position(0), 0);
    cr_assert_eq(order(0, SIM_BUY, PX(60000) + 10, 4000, "fok")->state, SIM_ORDER_FILLED);
}

/* --- rule 5 ------------------------------------------------------------------------------------------- */

Test(rule5, the_jump_is_a_line_of_its_own_and_ids_continue)
{
    static const struct sim_level lower[] = { { PX(59900), 5000 }, { PX(59900) + 10, 4000 } };

    order(0, SIM_BUY, PX(60000) + 10, 1000, "ioc"); /* long 1.000 at 60000.1 */
    int64_t before = sim_venue_market(bench->venue, 0)->last_u;

    feed(SIM_TAPE_END, NULL, 0, 0, false);
    cr_assert_not_null(last(SIM_EVENT_FEED_END));
    bench->u = 100; /* the recording's ids begin again */
    feed(SIM_TAPE_SNAPSHOT, lower, 1, 1, false);
    sim_venue_start(bench->venue, 0, bench->now_ns);
    /* the middle fell from 60000.05 to 59900.05: -100.00 for 1.000 */
    cr_assert_eq(sim_venue_account(bench->venue, 0)->holding[0].jump_e8, -INT64_C(100) * SIM_CASH_ONE);
    cr_assert_gt(sim_venue_market(bench->venue, 0)->last_u, before);
    depth(SIM_BUY, PX(59900), 100);
    cr_assert_gt(last(SIM_EVENT_DEPTH)->event.first_u, before);
}

Test(rule5, orders_left_resting_meet_the_new_book_and_that_is_in_the_jump)
{
    static const struct sim_level lower[] = { { PX(59900), 5000 }, { PX(59900) + 10, 4000 } };
    struct sim_order *mine = order(0, SIM_BUY, PX(60000), 1000, "post");

    feed(SIM_TAPE_END, NULL, 0, 0, false);
    bench->u = 100;
    feed(SIM_TAPE_SNAPSHOT, lower, 1, 1, false);
    sim_venue_start(bench->venue, 0, bench->now_ns);
    cr_assert_eq(mine->state, SIM_ORDER_FILLED);
    /* bought at 60000 what is worth 59900.05, less the maker fee of 12: -99.95 - 12 */
    cr_assert_eq(sim_venue_account(bench->venue, 0)->holding[0].jump_e8, -INT64_C(11195000000));
}

/* --- accounts ------------------------------------------------------------------------------------------ */

Test(accounts, two_of_ours_trade_with_each_other)
{
    depth(SIM_SELL, PX(60000) + 10, 0);
    struct sim_order *maker = order(1, SIM_SELL, PX(60000) + 10, 1000, "post");
    struct sim_order *taker = order(0, SIM_BUY, PX(60000) + 10, 400, "ioc");

    cr_assert_eq(taker->filled, 400);
    cr_assert_eq(maker->filled, 400);
    cr_assert_eq(position(0) + position(1), 0);
    cr_assert_eq(sim_venue_fill(bench->venue, 0)->trade_id, sim_venue_fill(bench->venue, 1)->trade_id);
    /* fees: 0.4 * 60000.1 = 24000.04; taker 0.05 % = 12.00002, maker 0.02 % = 4.800008 */
    cr_assert_eq(sim_venue_cash(bench->venue, 0, SIM_LINEAR, "USDT")->free_e8,
                 INT64_C(1000000) * SIM_CASH_ONE - INT64_C(1200002000));
    cr_assert_eq(sim_venue_cash(bench->venue, 1, SIM_LINEAR, "USDT")->free_e8,
                 INT64_C(1000000) * SIM_CASH_ONE - INT64_C(480000800));
}

Test(accounts, self_trade_prevention_expires_the_maker)
{
    depth(SIM_SELL, PX(60000) + 10, 0);
    struct sim_order *maker = order(0, SIM_SELL, PX(60000) + 10, 1000, "post");
    struct sim_order *taker = order(0, SIM_BUY, PX(60000) + 20, 500, "ioc");

    cr_assert_eq(maker->state, SIM_ORDER_EXPIRED_IN_MATCH);
    cr_assert_eq(taker->filled, 500);
    cr_assert_eq(sim_venue_fill(bench->venue, 0)->price, PX(60000) + 20);
}

Test(accounts, refusals_name_their_reason)
{
    cr_assert_eq(refusal(SIM_BUY, PX(60000), 0, ""), SIM_REJECT_QTY_ZERO);
    cr_assert_eq(refusal(SIM_BUY, PX(60000) + 1, 10, ""), SIM_REJECT_PRICE_TICK);
    cr_assert_eq(refusal(SIM_BUY, PX(60000), 2000000, ""), SIM_REJECT_QTY_MAX);
    cr_assert_eq(refusal(SIM_BUY, PX(70000), 10, ""), SIM_REJECT_BAND_HIGH);
    cr_assert_eq(refusal(SIM_SELL, PX(50000), 10, ""), SIM_REJECT_BAND_LOW);
    cr_assert_eq(refusal(SIM_BUY, PX(60000), 10, "reduce"), SIM_REJECT_REDUCE_ONLY);
    cr_assert_eq(refusal(SIM_BUY, PX(60000), 900000, "post"), SIM_REJECT_MARGIN,
                 "54 million at 20 times of 1");
    sim_venue_market(bench->venue, 0)->halted = true;
    cr_assert_eq(refusal(SIM_BUY, PX(60000), 10, ""), SIM_REJECT_HALTED);
}

Test(accounts, reduce_only_never_passes_zero)
{
    order(0, SIM_BUY, PX(60000) + 10, 500, "ioc");
    struct sim_order *close = order(0, SIM_SELL, PX(60000), 800, "reduce");

    cr_assert_eq(close->filled, 500);
    cr_assert_eq(close->state, SIM_ORDER_EXPIRED);
    cr_assert_eq(close->expiry, SIM_EXPIRY_REDUCE_ONLY);
    cr_assert_eq(position(0), 0);
}

Test(accounts, modify_loses_the_place_and_cancels_what_is_filled_already)
{
    struct sim_order *mine = order(0, SIM_BUY, PX(60000), 1000, "post");

    trade(PX(60000), 5400, true);
    cr_assert_eq(mine->filled, 400);
    cr_assert_eq(sim_venue_modify(bench->venue, mine, PX(60000), 1000, bench->now_ns), SIM_REJECT_NO_CHANGE);
    cr_assert_eq(sim_venue_modify(bench->venue, mine, PX(60000) - 10, 1000, bench->now_ns), SIM_ACCEPTED);
    cr_assert_eq(mine->ahead, 7000);
    cr_assert_eq(mine->state, SIM_ORDER_PARTIALLY_FILLED);
    cr_assert_eq(last(SIM_EVENT_ORDER)->event.exec, SIM_EXEC_AMENDED);
    cr_assert_eq(sim_venue_modify(bench->venue, mine, PX(60000) - 10, 400, bench->now_ns), SIM_ACCEPTED);
    cr_assert_eq(mine->state, SIM_ORDER_CANCELED);
}

Test(accounts, a_post_only_that_is_modified_into_the_book_is_cancelled)
{
    struct sim_order *mine = order(0, SIM_BUY, PX(60000), 1000, "post");

    cr_assert_eq(sim_venue_modify(bench->venue, mine, PX(60000) + 10, 1000, bench->now_ns), SIM_ACCEPTED);
    cr_assert_eq(mine->state, SIM_ORDER_CANCELED);
    cr_assert_eq(mine->filled, 0);
}

Test(accounts, reducing_keeps_the_place)
{
    struct sim_order *mine = order(0, SIM_BUY, PX(60000), 1000, "post");

    trade(PX(60000), 2000, true);
    cr_assert_eq(sim_venue_reduce(bench->venue, mine, 300, "renamed", bench->now_ns), SIM_ACCEPTED);
    cr_assert_eq(mine->ahead, 3000);
    cr_assert_eq(sim_venue_find_client(bench->venue, 0, 0, "renamed"), mine);
    cr_assert_eq(sim_venue_reduce(bench->venue, mine, 300, NULL, bench->now_ns), SIM_REJECT_AMEND_QTY);
}

Test(accounts, the_dead_man_cancels_one_account_in_one_instrument)
{
    struct sim_order *mine = order(0, SIM_BUY, PX(60000), 1000, "post");
    struct sim_order *other = order(1, SIM_BUY, PX(60000), 1000, "post");

    sim_venue_countdown(bench->venue, 0, 0, bench->now_ns + 100000000);
    sim_venue_advance(bench->venue, bench->now_ns + 99999999);
    cr_assert_eq(mine->state, SIM_ORDER_NEW);
    cr_assert_leq(sim_venue_next_ns(bench->venue), bench->now_ns + 100000000);
    sim_venue_advance(bench->venue, bench->now_ns + 100000000);
    cr_assert_eq(mine->state, SIM_ORDER_CANCELED);
    cr_assert_eq(other->state, SIM_ORDER_NEW);
}

Test(accounts, funding_is_paid_from_long_to_short)
{
    struct sim_market *market = sim_venue_market(bench->venue, 0);

    order(0, SIM_BUY, PX(60000) + 10, 1000, "ioc");
    int64_t before = sim_venue_cash(bench->venue, 0, SIM_LINEAR, "USDT")->free_e8;
    market->mark_e8 = INT64_C(6000000000000);
    touch(PX(60000) - 10, 100, PX(60000) + 10, 4500); /* raised, so that the middle is 60000 */
    sim_venue_advance(bench->venue, market->next_funding_ns);
    int64_t paid = before - sim_venue_cash(bench->venue, 0, SIM_LINEAR, "USDT")->free_e8;
    cr_assert_eq(paid, INT64_C(600000000), "60000 * 0.0001 = 6");
    cr_assert_not_null(last(SIM_EVENT_FUNDING));
}

Test(accounts, a_wallet_below_maintenance_is_liquidated)
{
    order(0, SIM_BUY, PX(60000) + 20, 9000, "ioc");
    sim_venue_deposit(bench->venue, 0, SIM_LINEAR, "USDT", -INT64_C(998500) * SIM_CASH_ONE, bench->now_ns);
    sim_venue_advance(bench->venue, bench->now_ns + 200000000); /* 1200 left against 2160 of maintenance */
    cr_assert_eq(position(0), 0);
    cr_assert_eq(last(SIM_EVENT_ORDER)->event.exec, SIM_EXEC_CALCULATED);
    cr_assert_eq(strncmp(last(SIM_EVENT_ORDER)->order.client_id, "autoclose-", 10), 0);
}

Test(accounts, partial_fills_on_request)
{
    struct sim_order *mine = order(0, SIM_BUY, PX(60000), 1000, "post");

    sim_venue_partials(bench->venue, 1000000);
    trade(PX(60000) - 10, 5000, true);
    cr_assert(mine->filled > 0 && mine->filled < 1000, "filled %lld", (long long)mine->filled);
    cr_assert_eq(mine->state, SIM_ORDER_PARTIALLY_FILLED);
}

Test(accounts, spot_locks_pays_and_charges_the_received_asset)
{
    tear_down();
    set_up_kind(SIM_SPOT, SIM_CANCEL_AHEAD_NONE);
    struct sim_cash *usdt = sim_venue_cash(bench->venue, 0, SIM_SPOT, "USDT");
    struct sim_cash *btc = sim_venue_cash(bench->venue, 0, SIM_SPOT, "BTC");
    struct sim_order *mine = order(0, SIM_BUY, PX(60000), 100, "post");

    cr_assert_eq(usdt->locked_e8, INT64_C(6000) * SIM_CASH_ONE);
    trade(PX(60000), 5040, true); /* 0.040 at 60000 = 2400; fee 0.02 % of 0.040 = 0.000008 BTC */
    cr_assert_eq(usdt->locked_e8, INT64_C(3600) * SIM_CASH_ONE);
    cr_assert_eq(usdt->free_e8, INT64_C(994000) * SIM_CASH_ONE);
    cr_assert_eq(btc->free_e8, INT64_C(1000000000) + 4000000 - 800);
    sim_venue_cancel(bench->venue, mine, bench->now_ns);
    cr_assert_eq(usdt->locked_e8, 0);
    cr_assert_eq(usdt->free_e8, INT64_C(997600) * SIM_CASH_ONE);
    cr_assert_eq(refusal(SIM_SELL, PX(60000) + 10, 10041, ""), SIM_REJECT_BALANCE);
    /* sell 0.010 at 60000: 600, fee 0.05 % = 0.3 USDT */
    order(0, SIM_SELL, PX(60000), 10, "ioc");
    cr_assert_eq(usdt->free_e8, INT64_C(997600) * SIM_CASH_ONE + INT64_C(59970000000));
}
