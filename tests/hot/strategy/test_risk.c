#include "tests/hot/strategy/desk.h"

#include "hot/strategy/pnl.h"
#include "hot/strategy/risk.h"

static struct desk *quiet(void)
{
    struct quote_params params = desk_params();
    params.sides = 0; /* nothing of its own in the way */
    struct desk *desk = desk_ready(&params, NULL);
    /* the gate is asked by hand: keep a place for what it says */
    desk->s->outbox = desk->outbox;
    return desk;
}

static struct risk_ask good(void)
{
    return (struct risk_ask){
        .slot = 0, .account = COIN_ACCOUNT, .instrument = PERP, .side = SIDE_BUY, .price = 599000, .qty = 10
    };
}

static void refused(struct desk *desk, struct risk_ask ask, enum risk_refusal want)
{
    uint64_t before = desk->s->refusals[want];
    enum risk_refusal got = risk_check(desk->s, &ask);
    cr_assert_eq(got, want, "%s, not %s", reason_risk_name(got), reason_risk_name(want));
    cr_assert_eq(desk->s->refusals[want], before + (want != RISK_OK));
}

Test(risk, a_good_order_passes)
{
    struct desk *desk = quiet();
    refused(desk, good(), RISK_OK);
    desk_free(desk);
}

Test(risk, every_limit_refuses_by_name)
{
    struct desk *desk = quiet();
    struct strategy *s = desk->s;
    struct risk_ask ask;

    ask = good();
    ask.price = 0;
    refused(desk, ask, RISK_STEP);
    ask = good();
    ask.qty = 60001;
    refused(desk, ask, RISK_SIZE);
    ask = good();
    ask.qty = 2000; /* 200,000 USD */
    refused(desk, ask, RISK_VALUE);
    ask = good();
    ask.price = 612100; /* more than 2 % above the middle */
    refused(desk, ask, RISK_BAND);
    ask.side = SIDE_SELL; /* selling dear is no harm */
    refused(desk, ask, RISK_OK);
    ask.price = 587900;
    refused(desk, ask, RISK_BAND);

    s->risk.max_position_e8 = COIN / 100; /* 6 contracts */
    refused(desk, good(), RISK_POSITION);
    s->risk.max_position_e8 = 100 * COIN;
    s->risk.max_delta_e8 = COIN / 100;
    refused(desk, good(), RISK_DELTA);
    s->risk.max_delta_e8 = 10 * COIN;
    s->risk.max_open_orders = 0;
    refused(desk, good(), RISK_OPEN_ORDERS);
    s->risk.max_open_orders = 10;
    s->orders.unknown[PERP] = 1;
    refused(desk, good(), RISK_UNKNOWN);
    s->orders.unknown[PERP] = 0;
    s->gateway[COIN_ACCOUNT] = GATEWAY_DEGRADED;
    refused(desk, good(), RISK_GATEWAY);
    s->gateway[COIN_ACCOUNT] = GATEWAY_READY;
    s->book[PERP].status = INSTRUMENT_HALTED;
    refused(desk, good(), RISK_INSTRUMENT);
    s->book[PERP].status = INSTRUMENT_TRADING;
    s->book[PERP].feed_state = FEED_GAP;
    refused(desk, good(), RISK_STALE);
    s->book[PERP].feed_state = FEED_LIVE;
    s->halted = true;
    refused(desk, good(), RISK_HALTED);
    s->halted = false;
    s->has_risk = false;
    refused(desk, good(), RISK_NO_LIMITS);
    s->has_risk = true;
    s->id_end = s->id_next + 10;
    refused(desk, good(), RISK_IDS);
    s->id_end = s->id_next + 100000;
    refused(desk, good(), RISK_OK);
    desk_free(desk);
}

Test(risk, a_reducing_order_is_bound_by_its_price_band_alone)
{
    struct desk *desk = quiet();
    struct strategy *s = desk->s;
    struct risk_ask ask = good();
    ask.instrument = USDT_PERP;
    ask.account = USDT_ACCOUNT;
    ask.reduces = true;
    s->halted = true;
    s->risk.max_order_e8 = 0;
    s->risk.max_position_e8 = 0;
    s->risk.max_delta_e8 = 0;
    s->risk.max_open_orders = 0;
    s->risk.max_orders_per_s = 0;
    s->tokens_e9 = 0;
    s->orders.unknown[USDT_PERP] = 3;
    s->gateway[USDT_ACCOUNT] = GATEWAY_DEGRADED;
    s->id_end = s->id_next + 10;
    refused(desk, ask, RISK_OK);
    ask.price = 620000;
    refused(desk, ask, RISK_BAND);
    desk_free(desk);
}

Test(risk, what_reduces_delta_or_position_is_no_new_risk)
{
    struct desk *desk = quiet();
    struct strategy *s = desk->s;
    struct exposure_change change;
    exposure_fill(&s->exposure, 0, LEG_QUOTE, COIN_ACCOUNT, PERP, SIDE_SELL, 900, 600000, &change);
    s->risk.max_position_e8 = COIN / 100;
    s->risk.max_delta_e8 = COIN / 100;
    refused(desk, good(), RISK_OK); /* buys back */
    struct risk_ask ask = good();
    ask.side = SIDE_SELL;
    ask.price = 601000;
    refused(desk, ask, RISK_POSITION);
    desk_free(desk);
}

Test(risk, the_rate_refills_evenly)
{
    struct desk *desk = quiet();
    struct strategy *s = desk->s;
    s->risk.max_orders_per_s = 10;
    s->tokens_e9 = 0;
    s->tokens_ns = s->now_ns;
    refused(desk, good(), RISK_RATE);
    s->now_ns += 99 * MS;
    refused(desk, good(), RISK_RATE);
    s->now_ns += 1 * MS;
    refused(desk, good(), RISK_OK);
    refused(desk, good(), RISK_RATE);
    s->now_ns += 100 * SECOND; /* never more than a second's worth */
    for (int i = 0; i < 10; i++) {
        refused(desk, good(), RISK_OK);
    }
    refused(desk, good(), RISK_RATE);
    desk_free(desk);
}

Test(risk, the_venues_own_band_counts_from_the_mark)
{
    struct desk *desk = quiet();
    struct strategy *s = desk->s;
    s->risk.price_band_centibp = 500000;
    s->instrument[PERP].band_up_ppm = 1010000;
    s->instrument[PERP].band_down_ppm = 990000;
    struct risk_ask ask = good();
    ask.price = 606000;
    refused(desk, ask, RISK_OK);
    ask.price = 606001;
    refused(desk, ask, RISK_BAND);
    s->book[PERP].mark = 610000;
    s->book[PERP].mark_ns = s->now_ns;
    refused(desk, ask, RISK_OK);
    desk_free(desk);
}

Test(risk, refusals_are_told_once_a_second_and_always_counted)
{
    struct desk *desk = quiet();
    struct risk_ask ask = good();
    ask.qty = 2000;
    desk->outbox->used = desk->outbox->records = 0;
    for (int i = 0; i < 50; i++) {
        refused(desk, ask, RISK_VALUE);
    }
    cr_assert_eq(desk->outbox->records, 1);
    desk->s->now_ns += SECOND;
    refused(desk, ask, RISK_VALUE);
    cr_assert_eq(desk->outbox->records, 2);
    cr_assert_eq(desk->s->refused, 51);
    desk_free(desk);
}

/* ------------------------------------------------------------------ two instances */

static struct desk *two(const struct quote_params *first, const struct quote_params *second)
{
    struct desk *desk = desk_make();
    desk->params = *first;
    desk_build(desk);
    struct slot slots[RECORD_SLOTS_MAX];
    memset(slots, 0, sizeof slots);
    record_begin(slots, RECORD_PARAMS, record_slots_for_blob(sizeof *second), desk->now);
    record_blob_write(slots, second, sizeof *second);
    desk_feed(desk, slots);
    desk_done(desk);
    desk_open(desk);
    return desk;
}

Test(risk, a_quote_never_crosses_another_instances_quote)
{
    struct quote_params first = desk_params();
    struct quote_params second = desk_params();
    second.instance = 8;
    first.sides = 2;                   /* asks at 600,302 */
    second.sides = 1;                  /* bids .. */
    second.min_profit_centibp = -1100; /* .. at 600,360 */
    struct desk *desk = two(&first, &second);
    desk_book(desk, PERP, 600000, 600500, 5000);
    desk_answer(desk, true);
    desk_clock(desk, 20 * MS);
    desk_book(desk, PERP, 600000, 600500, 5000);
    cr_assert_lt(desk->s->orders.row[desk->s->instance[1].quote.order[SIDE_BUY][0]].want_price, 600302);
    cr_assert_geq(desk->s->refusals[RISK_SELF_CROSS], 1);
    cr_assert_geq(desk_count_event(desk, EVENT_SELF_CROSS), 1);
    desk_free(desk);
}

Test(risk, a_hedge_clears_its_path_of_our_own_quotes)
{
    /* the second instance quotes on the first one's hedge leg */
    struct quote_params first = desk_params();
    struct quote_params second = desk_params();
    second.instance = 8;
    second.quote_instrument = USDT_PERP;
    second.quote_account = USDT_ACCOUNT;
    second.hedge_instrument = USDC_PERP;
    second.hedge_account = USDC_ACCOUNT;
    second.size = 20;
    second.min_profit_centibp = -500; /* at the touch */
    struct desk *desk = two(&first, &second);
    desk_answer(desk, true);
    struct order *other = &desk->s->orders.row[desk->s->instance[1].quote.order[SIDE_BUY][0]];
    cr_assert_eq(other->price, 600000, "%ld", other->price);
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    desk_fill(desk, bid->id, 10, bid->price);
    cr_assert_eq(other->state, ORDER_CANCELLING);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE),
                 0); /* it would have met our own bid */
    desk_end(desk, other->id, RECORD_CANCELLED, 0);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 1);
    desk_free(desk);
}

Test(risk, the_sum_of_deltas_is_bound)
{
    struct quote_params first = desk_params();
    struct quote_params second = desk_params();
    second.instance = 8;
    struct desk *desk = two(&first, &second);
    struct exposure_change change;
    exposure_fill(&desk->s->exposure, 0, LEG_QUOTE, COIN_ACCOUNT, PERP, SIDE_BUY, 600, 600000, &change);
    exposure_fill(&desk->s->exposure, 1, LEG_QUOTE, COIN_ACCOUNT, PERP, SIDE_SELL, 300, 600000, &change);
    cr_assert_eq(risk_delta_e8(desk->s, BTC), COIN / 2);
    desk->s->risk.max_delta_e8 = COIN / 4;
    desk->s->instance[0].params.max_naked_e8 = desk->s->instance[1].params.max_naked_e8 = 9 * COIN;
    desk_book(desk, PERP, 600000, 600001, 5000);
    cr_assert_eq(desk->s->instance[0].pull, PULL_DELTA);
    cr_assert_eq(desk->s->instance[1].pull, PULL_DELTA);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_CANCEL, ORDER_ROLE_QUOTE), 4);
    desk_free(desk);
}

Test(risk, a_loss_beyond_the_limit_halts)
{
    struct risk_params risk = desk_risk();
    risk.max_loss_e8 = 5 * DECIMAL_E8;
    struct desk *desk = desk_ready(NULL, &risk);
    desk_answer(desk, true);
    desk_clock(desk, 200 * MS);
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    desk_fill(desk, bid->id, 10, bid->price);
    const struct record_order *hedge = desk_order_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE, 0);
    desk_fill(desk, hedge->order, hedge->qty, 590000); /* 160 USD away */
    desk_clock(desk, 200 * MS);
    cr_assert(desk->s->halted);
    cr_assert_eq(desk->s->halt, HALT_LOSS);
    desk_free(desk);
}

/* What a run before brought over. */
static struct desk *carrying(const struct risk_params *risk, int64_t made_e8)
{
    struct slot slot[2];
    struct desk *desk = desk_make();
    desk->risk = *risk;
    desk_build(desk);
    memset(slot, 0, sizeof slot);
    struct record_restore_pnl *pnl =
        (struct record_restore_pnl *)(void *)record_begin(slot, RECORD_RESTORE_PNL, 2, desk->now);
    pnl->instance = 7;
    pnl->currency = risk->report_currency;
    pnl->first_e8 = -made_e8; /* there is nothing now, so that is what was made */
    pnl->part_e8[PNL_SLIPPAGE] = made_e8;
    desk_feed(desk, slot);
    desk_done(desk);
    desk_open(desk);
    desk_clock(desk, 200 * MS);
    return desk;
}

Test(risk, a_loss_counts_from_the_first_fill_over_restarts)
{
    struct risk_params risk = desk_risk();
    risk.max_loss_e8 = 5 * DECIMAL_E8;
    struct desk *desk = carrying(&risk, -4 * DECIMAL_E8);
    cr_assert_not(desk->s->halted);
    cr_assert_eq(pnl_total(&desk->s->instance[0]), -4 * DECIMAL_E8);
    cr_assert_eq(desk->s->instance[0].part_e8[PNL_SLIPPAGE], -4 * DECIMAL_E8, "and for what");
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    desk_ack(desk, bid->id);
    desk_fill(desk, bid->id, 10, bid->price);
    const struct record_order *hedge = desk_order_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE, 0);
    desk_fill(desk, hedge->order, hedge->qty, 599000); /* two more, which alone would be no reason */
    desk_clock(desk, 200 * MS);
    cr_assert(desk->s->halted);
    cr_assert_eq(desk->s->halt, HALT_LOSS);
    desk_free(desk);

    desk = carrying(&risk, -6 * DECIMAL_E8);
    cr_assert(desk->s->halted, "a restart does not make a loss good");
    desk_free(desk);
    risk.loss_since = LOSS_SINCE_START;
    desk = carrying(&risk, -6 * DECIMAL_E8);
    cr_assert_not(desk->s->halted, "a person said: from now on");
    cr_assert_eq(pnl_total(&desk->s->instance[0]), 0);
    desk_free(desk);
}

static void session(struct desk *desk, enum gateway_state state)
{
    desk->now += MS;
    desk_state(desk, RECORD_GATEWAY_STATE, NO_INSTRUMENT, USDT_ACCOUNT, state);
}

Test(risk, what_happened_while_a_session_was_down_is_read_before_new_risk)
{
    struct desk *desk = desk_ready(NULL, NULL);
    desk_answer(desk, true);
    session(desk, GATEWAY_DEGRADED);
    session(desk, GATEWAY_READY);
    uint64_t ready_ns = desk->s->ready_ns[USDT_ACCOUNT];
    cr_assert_eq(desk->s->instance[0].pull, PULL_UNREAD);
    desk_read(desk, USDT_ACCOUNT, ready_ns - 1);
    cr_assert_eq(desk->s->instance[0].pull, PULL_UNREAD, "that was of the time before");
    desk_read(desk, COIN_ACCOUNT, ready_ns);
    cr_assert_eq(desk->s->instance[0].pull, PULL_UNREAD, "that is another account");
    session(desk, GATEWAY_DEGRADED);
    desk_read(desk, USDT_ACCOUNT, ready_ns);
    session(desk, GATEWAY_READY);
    cr_assert_eq(desk->s->instance[0].pull, PULL_UNREAD, "and was lost again");
    desk_read(desk, USDT_ACCOUNT, desk->s->ready_ns[USDT_ACCOUNT]);
    cr_assert_eq(desk->s->instance[0].pull, PULL_NONE);
    desk_read(desk, ACCOUNT_MAX, desk->now);
    desk_read(desk, USDT_ACCOUNT, 0);
    cr_assert_eq(desk->s->instance[0].pull, PULL_UNREAD, "cold says that it cannot be read");
    desk_read(desk, USDT_ACCOUNT, desk->s->ready_ns[USDT_ACCOUNT]);
    cr_assert_eq(desk->s->instance[0].pull, PULL_NONE);
    desk_free(desk);
}

static void say_books(struct desk *desk, int64_t differ)
{
    struct slot slot;
    memset(&slot, 0, sizeof slot);
    struct record_command *command =
        (struct record_command *)(void *)record_begin(&slot, RECORD_COMMAND, 1, ++desk->now);
    command->command = COMMAND_BOOKS;
    command->instance = NO_INSTANCE;
    command->value[0] = differ;
    desk_feed(desk, &slot);
}

Test(risk, books_that_differ_take_no_new_risk_and_go_on_hedging)
{
    struct desk *desk = desk_ready(NULL, NULL);
    desk_answer(desk, true);
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    uint64_t id = bid->id;
    int64_t price = bid->price;
    desk_forget(desk);
    say_books(desk, 1);
    cr_assert_eq(desk_count_event(desk, EVENT_BOOKS_DIFFER), 1);
    cr_assert_eq(desk->s->instance[0].pull, PULL_BOOKS);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_CANCEL, ORDER_ROLE_QUOTE), 2);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 0,
                 "it never is a reason to trade");
    say_books(desk, 1);
    cr_assert_eq(desk_count_event(desk, EVENT_BOOKS_DIFFER), 1);
    desk_fill(desk, id, 10, price); /* it was executed before its cancel came */
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 1);
    desk_answer(desk, true);
    desk_forget(desk);
    desk_both(desk, 600010);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_QUOTE), 0);
    struct risk_ask ask = {
        .slot = 0, .account = COIN_ACCOUNT, .instrument = PERP, .side = SIDE_BUY, .price = 600000, .qty = 10
    };
    desk->s->outbox = desk->outbox;
    refused(desk, ask, RISK_BOOKS);
    say_books(desk, 0);
    desk_both(desk, 600020);
    cr_assert_eq(desk->s->instance[0].pull, PULL_NONE);
    cr_assert_geq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_QUOTE), 2);
    cr_assert_not(desk->s->halted);
    desk_free(desk);
}

Test(risk, limits_can_be_changed_by_a_cell)
{
    struct desk *desk = quiet();
    cr_assert(risk_limit(desk->s, LIMIT_MAX_ORDER, 5));
    cr_assert_eq(desk->s->risk.max_order_e8, 5);
    cr_assert_not(risk_limit(desk->s, 99, 5));
    cr_assert_not(risk_limit(desk->s, LIMIT_MAX_ORDER, -1));
    desk_free(desk);
}
