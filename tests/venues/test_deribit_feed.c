/* Deribit's public streams: what each message becomes, what is asked for and how answers are judged. */
#include "tests/venues/support.h"
#include "venues/deribit/feed.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
static const struct {
    const char *symbol;
    uint8_t product, kind, price_decimals, qty_decimals;
} rows[] = {
    { "BTC-PERPETUAL",       PRODUCT_INVERSE, KIND_INVERSE_PERPETUAL, 2, 0 },
    { "ETH-PERPETUAL",       PRODUCT_INVERSE, KIND_INVERSE_PERPETUAL, 2, 0 },
    { "BTC_USDC-PERPETUAL",  PRODUCT_LINEAR,  KIND_LINEAR_PERPETUAL,  1, 4 },
    { "BTC_USDC",            PRODUCT_SPOT,    KIND_SPOT,              2, 4 },
    { "BTC-30SEP22-60000-C", PRODUCT_OPTION,  KIND_OPTION,            4, 1 },
};
/* clang-format on */
enum { BTC, ETH, LINEAR, SPOT, OPTION };

struct listener {
    struct instrument_table table;
    struct feed_parser parser;
    struct level levels[FEED_LEVELS_MAX];
    struct feed_event events[32];
    struct level kept[64];
    uint32_t count;
    int64_t consumed;
};

static void on_event(void *context, const struct feed_event *event)
{
    struct listener *listener = context;
    cr_assert_lt(listener->count, 32);
    listener->events[listener->count++] = *event;
    if (event->kind == FEED_EVENT_DEPTH) {
        memcpy(listener->kept, event->bids, event->bid_count * sizeof(struct level));
        memcpy(listener->kept + event->bid_count, event->asks, event->ask_count * sizeof(struct level));
    }
}

static struct listener *listener_make(void)
{
    struct listener *listener = kept(sizeof *listener);
    instrument_table_reset(&listener->table);
    for (size_t i = 0; i < POISE_COUNT_OF(rows); i++) {
        struct instrument row = { .venue = VENUE_DERIBIT,
                                  .product = rows[i].product,
                                  .kind = rows[i].kind,
                                  .price_decimals = rows[i].price_decimals,
                                  .qty_decimals = rows[i].qty_decimals,
                                  .tick = 1,
                                  .lot = 1 };
        strcpy(row.symbol, rows[i].symbol);
        instrument_add(&listener->table, &row);
    }
    listener->parser = (struct feed_parser){ .instruments = &listener->table,
                                             .venue = VENUE_DERIBIT,
                                             .product = PRODUCT_INVERSE,
                                             .levels = listener->levels,
                                             .level_capacity = FEED_LEVELS_MAX,
                                             .reply_instrument = NO_INSTRUMENT };
    return listener;
}

static const struct feed_event *hear(struct listener *listener, const char *message)
{
    listener->count = 0;
    listener->consumed =
        venue_deribit.feed->parse(&listener->parser, message, strlen(message), on_event, listener);
    return listener->count > 0 ? &listener->events[0] : NULL;
}

/* hear_data wraps the data of a channel. */
static const struct feed_event *hear_data(struct listener *listener, const char *channel, const char *data)
{
    char text[4096];
    snprintf(text, sizeof text,
             "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":\"%s\",\"data\":%s}}",
             channel, data);
    return hear(listener, text);
}

Test(deribit_feed, a_change_carries_ids_and_levels_in_the_venues_order)
{
    struct listener *listener = listener_make();
    const struct feed_event *event = hear_data(
        listener, "book.BTC-PERPETUAL.raw",
        "{\"type\":\"change\",\"timestamp\":1622627435737,\"prev_change_id\":31479598064,"
        "\"instrument_name\":\"BTC-PERPETUAL\",\"change_id\":31479598217,\"bids\":[[\"delete\",36779.0,"
        "0.0],[\"new\",36809.5,254870.0]],\"asks\":[[\"change\",3.7394e4,4.267e4]]}");
    cr_assert_eq(listener->count, 1);
    cr_assert_eq(event->kind, FEED_EVENT_DEPTH);
    cr_assert_eq(event->flags, 0);
    cr_assert_eq(event->instrument, BTC);
    cr_assert_eq(event->previous, 31479598064);
    cr_assert_eq(event->last, 31479598217);
    cr_assert_eq(event->venue_time_ns, 1622627435737000000);
    cr_assert_eq(event->bid_count, 2);
    cr_assert_eq(event->ask_count, 1);
    const struct level want[] = { { 3677900, 0 }, { 3680950, 254870 }, { 3739400, 42670 } };
    cr_assert_arr_eq(listener->kept, want, sizeof want);
}

Test(deribit_feed, a_deletion_deletes_whatever_amount_it_bears)
{
    struct listener *listener = listener_make();
    hear_data(
        listener, "book.BTC-PERPETUAL.raw",
        "{\"type\":\"change\",\"timestamp\":1,\"prev_change_id\":1,\"instrument_name\":\"BTC-PERPETUAL\","
        "\"change_id\":2,\"bids\":[[\"delete\",36779.0,20]],\"asks\":[]}");
    cr_assert_eq(listener->kept[0].qty, 0);
}

Test(deribit_feed, snapshots_with_or_without_a_null_before_them)
{
    static const char *const before[] = { "", "\"prev_change_id\":null,", "\"prev_change_id\":0," };
    for (size_t i = 0; i < POISE_COUNT_OF(before); i++) {
        struct listener *listener = listener_make();
        char data[512];
        snprintf(data, sizeof data,
                 "{\"type\":\"snapshot\",%s\"timestamp\":1699999999000,\"instrument_name\":\"BTC-PERPETUAL\","
                 "\"change_id\":18446744073709551615,\"bids\":[],\"asks\":[]}",
                 before[i]);
        const struct feed_event *event = hear_data(listener, "book.BTC-PERPETUAL.100ms", data);
        cr_assert_eq(event->flags, FEED_EVENT_SNAPSHOT);
        cr_assert_eq(event->last, UINT64_MAX);
        cr_assert_eq(event->previous, 0);
        cr_assert_eq(event->bid_count + event->ask_count, 0);
    }
}

Test(deribit_feed, a_grouped_book_is_the_best_levels_only)
{
    struct listener *listener = listener_make();
    const struct feed_event *event = hear_data(
        listener, "book.BTC-PERPETUAL.none.10.100ms",
        "{\"instrument_name\":\"BTC-PERPETUAL\",\"timestamp\":1769246173071,\"change_id\":136725664747,"
        "\"bids\":[[89532.5,254900.0]],\"asks\":[[89533.0,91570.0]]}");
    cr_assert_eq(event->flags, FEED_EVENT_SNAPSHOT | FEED_EVENT_TOP_N);
    cr_assert_eq(event->top_n, 10);
    cr_assert_eq(listener->kept[0].price, 8953250);
}

Test(deribit_feed, what_a_book_may_not_say_is_broken_and_yields_nothing)
{
    static const char *const bad[] = {
        "{\"type\":\"change\",\"prev_change_id\":1,\"instrument_name\":\"BTC-PERPETUAL\",\"bids\":[],"
        "\"asks\":[]}",
        "{\"type\":\"other\",\"change_id\":1,\"instrument_name\":\"BTC-PERPETUAL\",\"bids\":[],\"asks\":[]}",
        "{\"type\":\"change\",\"change_id\":1,\"instrument_name\":\"BTC-PERPETUAL\",\"bids\":[]}",
        "{\"type\":\"change\",\"change_id\":1,\"instrument_name\":\"BTC-PERPETUAL\",\"bids\":[[\"old\",1,1]],"
        "\"asks\":[]}",
        "{\"type\":\"change\",\"change_id\":1,\"instrument_name\":\"BTC-PERPETUAL\",\"bids\":[[\"new\",1.001,"
        "1]],\"asks\":[]}",
        "{\"type\":\"change\",\"change_id\":1,\"instrument_name\":\"BTC-PERPETUAL\",\"bids\":[[\"new\",-1,1]]"
        ",\"asks\":[]}",
        "{\"type\":\"change\",\"change_id\":1,\"instrument_name\":\"BTC-PERPETUAL\",\"bids\":[[\"new\",1]],"
        "\"asks\":[]}",
        "{\"type\":\"change\",\"change_id\":1,\"instrument_name\":\"BTC-PERPETUAL\",\"bids\":[[\"new\",1,-1]]"
        ",\"asks\":[]}",
        "{\"type\":\"change\",\"change_id\":1,\"instrument_name\":\"BTC-PERPETUAL\",\"bids\":[[\"new\",null,"
        "1]],\"asks\":[]}",
        "7",
    };
    struct listener *listener = listener_make();
    for (size_t i = 0; i < POISE_COUNT_OF(bad); i++) {
        cr_assert_null(hear_data(listener, "book.BTC-PERPETUAL.raw", bad[i]), "%s", bad[i]);
        cr_assert_eq(listener->consumed, PARSE_BROKEN, "%s", bad[i]);
        cr_assert_not_null(listener->parser.broken_why);
    }
}

Test(deribit_feed, an_option_ticker_says_top_mark_and_greeks_in_that_order)
{
    struct listener *listener = listener_make();
    hear_data(
        listener, "ticker.BTC-30SEP22-60000-C.100ms",
        "{\"underlying_price\":30220.5,\"underlying_index\":\"BTC-30SEP22\",\"timestamp\":1654161839367,"
        "\"stats\":{\"volume\":null,\"high\":null},\"state\":\"open\",\"open_interest\":1767.5,"
        "\"mark_price\":8.4e-3,\"mark_iv\":67.7,\"last_price\":null,\"instrument_name\":\"BTC-30SEP22-60000-"
        "C\","
        "\"index_price\":29939.43,\"greeks\":{\"vega\":20.05335,\"theta\":-5.65962,\"rho\":4.91491,\"gamma\":"
        "0.00001,\"delta\":0.05785},\"bid_iv\":0.0,\"best_bid_price\":0.0,\"best_bid_amount\":0.0,"
        "\"best_ask_price\":0.009,\"best_ask_amount\":18.5,\"ask_iv\":68.65}");
    cr_assert_eq(listener->count, 4);
    const struct feed_event *state = &listener->events[0], *top = &listener->events[1];
    const struct feed_event *mark = &listener->events[2], *option = &listener->events[3];
    cr_assert_eq(state->kind, FEED_EVENT_STATE);
    cr_assert_eq(state->flags, FEED_EVENT_PASSING);
    cr_assert_eq(state->status, INSTRUMENT_TRADING);
    cr_assert_eq(top->kind, FEED_EVENT_TOP);
    cr_assert_eq(top->flags, 0);
    cr_assert_eq(top->u.top.bid_price, 0, "an empty side is nobody, not a price of nothing");
    cr_assert_eq(top->u.top.bid_qty, 0);
    cr_assert_eq(top->u.top.ask_price, 90);
    cr_assert_eq(top->u.top.ask_qty, 185);
    cr_assert_eq(mark->kind, FEED_EVENT_MARK);
    cr_assert_eq(mark->u.mark.mark, 84);
    cr_assert_eq(mark->u.mark.mark_e8, 840000);
    cr_assert_eq(mark->u.mark.index_e8, 2993943000000);
    cr_assert_not(mark->u.mark.has_rate);
    cr_assert_eq(option->kind, FEED_EVENT_OPTION);
    cr_assert_eq(option->u.option.mark_iv_e8, 6770000000);
    cr_assert_eq(option->u.option.bid_iv_e8, FEED_UNTOLD);
    cr_assert_eq(option->u.option.ask_iv_e8, 6865000000);
    cr_assert_eq(option->u.option.delta_e8, 5785000);
    cr_assert_eq(option->u.option.gamma_e12, 10000000);
    cr_assert_eq(option->u.option.vega_e8, 2005335000);
    cr_assert_eq(option->u.option.theta_e8, -565962000);
    cr_assert_eq(option->u.option.rho_e8, 491491000);
    cr_assert_eq(option->u.option.underlying_e8, 3022050000000);
}

Test(deribit_feed, volatility_is_percent_whatever_the_stream_prints)
{
    struct listener *listener = listener_make();
    hear_data(listener, "markprice.options.btc_usd",
              "[{\"instrument_name\":\"BTC-30SEP22-60000-C\",\"iv\":0.677,\"mark_price\":0.0084,"
              "\"timestamp\":1622470378005},"
              "{\"instrument_name\":\"BTC-30SEP22-61000-C\",\"iv\":0.677,\"mark_price\":0.0084,\"timestamp\":"
              "1622470378005}]");
    cr_assert_eq(listener->count, 3);
    cr_assert_eq(listener->events[0].kind, FEED_EVENT_MARK);
    cr_assert_eq(listener->events[1].kind, FEED_EVENT_OPTION);
    cr_assert_eq(listener->events[1].u.option.mark_iv_e8, 6770000000);
    cr_assert_eq(listener->events[1].u.option.delta_e8, FEED_UNTOLD);
    cr_assert_eq(listener->events[2].kind, FEED_EVENT_IGNORED, "not in the table");
}

Test(deribit_feed, an_incremental_ticker_leaves_out_what_did_not_change)
{
    struct listener *listener = listener_make();
    hear_data(
        listener, "incremental_ticker.BTC-PERPETUAL",
        "{\"best_ask_amount\":120,\"best_bid_amount\":300,\"best_bid_price\":36452.5,\"funding_8h\":3.11e-5,"
        "\"instrument_name\":\"BTC-PERPETUAL\",\"stats\":{\"volume\":7872.02139035},\"timestamp\":"
        "1623060199024,"
        "\"type\":\"change\"}");
    cr_assert_eq(listener->count, 1, "neither a mark nor a funding rate was told");
    const struct feed_event *top = &listener->events[0];
    cr_assert_eq(top->flags, FEED_EVENT_PARTIAL);
    cr_assert_eq(top->u.top.bid_price, 3645250);
    cr_assert_eq(top->u.top.bid_qty, 300);
    cr_assert_eq(top->u.top.ask_price, FEED_UNTOLD);
    cr_assert_eq(top->u.top.ask_qty, 120);
    hear_data(listener, "incremental_ticker.BTC-PERPETUAL",
              "{\"index_price\":5,\"instrument_name\":\"BTC-PERPETUAL\",\"timestamp\":1623060199024,\"type\":"
              "\"change\"}");
    cr_assert_eq(listener->count, 1);
    cr_assert_eq(listener->events[0].kind, FEED_EVENT_MARK);
    cr_assert_eq(listener->events[0].u.mark.mark_e8, FEED_UNTOLD);
    cr_assert_eq(listener->events[0].u.mark.mark, 0);
    cr_assert_eq(listener->events[0].u.mark.index, 500);
}

Test(deribit_feed, funding_is_continuous_and_exact_as_printed)
{
    struct listener *listener = listener_make();
    const struct feed_event *event =
        hear_data(listener, "perpetual.BTC-PERPETUAL.raw",
                  "{\"index_price\":7872.88,\"interest\":-4.739622041017375e-7,\"timestamp\":1571386349530}");
    cr_assert_eq(listener->count, 1);
    cr_assert_eq(event->instrument, BTC, "only the channel says whose it is");
    cr_assert_eq(event->flags, FEED_EVENT_CONTINUOUS);
    cr_assert(event->u.mark.has_rate);
    cr_assert_eq(event->u.mark.rate_e12, -473962);
    cr_assert_arr_eq(event->u.mark.rate_text, "-4.739622041017375e-7", event->u.mark.rate_bytes);
    cr_assert_eq(event->u.mark.next_funding_ns, 0);
}

Test(deribit_feed, trades_carry_their_ids_and_what_is_not_of_the_book_says_so)
{
    struct listener *listener = listener_make();
    hear_data(
        listener, "trades.future.any.100ms",
        "[{\"timestamp\":1765531356452,\"price\":92294.5,\"amount\":10.0,\"direction\":\"sell\",\"instrument_"
        "name\":"
        "\"BTC-PERPETUAL\",\"trade_seq\":1,\"combo_trade_id\":\"43\",\"trade_id\":\"403691824\"},"
        "{\"timestamp\":1765531356452,\"price\":3000.05,\"amount\":5,\"direction\":\"buy\",\"instrument_"
        "name\":"
        "\"ETH-PERPETUAL\",\"trade_seq\":2,\"trade_id\":\"ETH-284830839\",\"liquidation\":\"M\"},"
        "{\"timestamp\":1765531356452,\"price\":3000,\"amount\":5,\"direction\":\"buy\",\"instrument_name\":"
        "\"ETH-PERPETUAL\",\"trade_seq\":3,\"trade_id\":\"ETH-284830840\",\"liquidation\":\"MT\"}]");
    cr_assert_eq(listener->count, 6);
    const struct feed_event *event = listener->events;
    cr_assert_eq(event[0].kind, FEED_EVENT_TRADE);
    cr_assert_eq(event[0].flags, FEED_EVENT_OFF_BOOK);
    cr_assert_eq(event[0].aggressor, SIDE_SELL);
    cr_assert_eq(event[0].u.trade.id, 403691824);
    cr_assert_eq(event[1].flags, 0);
    cr_assert_eq(event[1].u.trade.id, 284830839);
    cr_assert_arr_eq(event[1].u.trade.id_text, "ETH-284830839", 13);
    cr_assert_eq(event[1].u.trade.price, 300005);
    cr_assert_eq(event[2].kind, FEED_EVENT_LIQUIDATION);
    cr_assert_eq(event[2].aggressor, SIDE_SELL, "the maker was liquidated");
    cr_assert_eq(event[3].kind, FEED_EVENT_TRADE);
    cr_assert_eq(event[4].aggressor, SIDE_BUY);
    cr_assert_eq(event[5].aggressor, SIDE_SELL);
}

Test(deribit_feed, one_unsound_trade_keeps_all_of_its_message_back)
{
    struct listener *listener = listener_make();
    cr_assert_null(hear_data(listener, "trades.BTC-PERPETUAL.raw",
                             "[{\"timestamp\":1,\"price\":1,\"amount\":1,\"direction\":\"buy\",\"instrument_"
                             "name\":\"BTC-PERPETUAL\","
                             "\"trade_id\":\"1\"},{\"timestamp\":1,\"price\":1,\"amount\":1,\"direction\":"
                             "\"up\",\"instrument_name\":"
                             "\"BTC-PERPETUAL\",\"trade_id\":\"2\"}]"));
    cr_assert_eq(listener->consumed, PARSE_BROKEN);
}

Test(deribit_feed, indexes_of_the_same_name_are_not_taken_for_each_other)
{
    static const struct {
        const char *channel, *data, *text;
        int64_t value;
    } list[] = {
        { "deribit_price_index.btc_usd",
          "{\"index_name\":\"btc_usd\",\"price\":3937.89,\"timestamp\":1550588002899}", "btc_usd",
          393789000000 },
        { "deribit_volatility_index.btc_usd",
          "{\"index_name\":\"btc_usd\",\"volatility\":129.36,\"timestamp\":1550588002899,\"estimated_"
          "delivery\":129}",
          "deribit_volatility_index.btc_usd", 12936000000 },
        { "estimated_expiration_price.btc_usd",
          "{\"is_estimated\":false,\"price\":3939.73,\"seconds\":180929}",
          "estimated_expiration_price.btc_usd", 393973000000 },
    };
    struct listener *listener = listener_make();
    for (size_t i = 0; i < POISE_COUNT_OF(list); i++) {
        const struct feed_event *event = hear_data(listener, list[i].channel, list[i].data);
        cr_assert_eq(event->kind, FEED_EVENT_INDEX);
        cr_assert_eq(event->u.mark.index_e8, list[i].value);
        cr_assert(event->text_bytes == strlen(list[i].text) &&
                      memcmp(event->text, list[i].text, event->text_bytes) == 0,
                  "%s", list[i].channel);
    }
}

Test(deribit_feed, a_lock_reaches_every_instrument_below_it)
{
    struct listener *listener = listener_make();
    hear_data(listener, "platform_state", "{\"locked\":true,\"price_index\":\"btc_usd\"}");
    cr_assert_eq(listener->count, 3, "the index, the perpetual and the option: not what is priced in USDC");
    cr_assert_eq(listener->events[0].instrument, NO_INSTRUMENT);
    cr_assert_eq(listener->events[1].instrument, BTC);
    cr_assert_eq(listener->events[2].instrument, OPTION);
    for (uint32_t i = 0; i < 3; i++) {
        cr_assert_eq(listener->events[i].flags, FEED_EVENT_LOCK);
        cr_assert_eq(listener->events[i].status, INSTRUMENT_CANCEL_ONLY);
    }
    hear(listener, "{\"jsonrpc\":\"2.0\",\"id\":\"feed-status\",\"result\":{\"locked\":\"false\"}}");
    cr_assert_eq(listener->count, 1 + POISE_COUNT_OF(rows));
    cr_assert_eq(listener->events[5].status, INSTRUMENT_TRADING);
    hear(listener, "{\"jsonrpc\":\"2.0\",\"id\":\"feed-status\",\"result\":{\"locked\":\"partial\",\"locked_"
                   "indices\":[],"
                   "\"locked_currencies\":[\"ETH\",\"USDC\"]}}");
    cr_assert_eq(listener->count, 2 + POISE_COUNT_OF(rows));
    static const uint8_t want[] = { INSTRUMENT_TRADING, INSTRUMENT_CANCEL_ONLY, INSTRUMENT_CANCEL_ONLY,
                                    INSTRUMENT_CANCEL_ONLY, INSTRUMENT_TRADING };
    for (uint32_t i = 0; i < POISE_COUNT_OF(rows); i++) {
        cr_assert_eq(listener->events[2 + i].status, want[i], "%s", rows[i].symbol);
    }
}

Test(deribit_feed, replies_say_what_of_ours_they_answer)
{
    struct listener *listener = listener_make();
    const struct feed_event *event =
        hear(listener,
             "{\"jsonrpc\":\"2.0\",\"id\":\"feed-login\",\"error\":{\"code\":13004,\"message\":\"invalid_"
             "credentials\",\"data\":null}}");
    cr_assert_eq(event->control, CONTROL_ERROR);
    cr_assert_eq(event->u.control_of.of, CONTROL_LOGIN);
    cr_assert_eq(event->u.control_of.code, 13004);
    event = hear(listener, "{\"error\":{\"code\":10028,\"message\":\"too_many_requests\"}}");
    cr_assert_eq(event->control, CONTROL_ERROR, "without an id too");
    cr_assert_eq(event->u.control_of.of, 0);
    event = hear(listener,
                 "{\"id\":\"feed-login\",\"result\":{\"access_token\":\"secret\",\"scope\":\"connection\"}}");
    cr_assert_eq(event->control, CONTROL_LOGIN);
    cr_assert_arr_eq(event->u.control_of.detail, "connection", 10, "never the token");
    event = hear(listener, "{\"id\":\"feed-renew-5\",\"result\":[\"book.BTC-PERPETUAL.raw\"]}");
    cr_assert_eq(event->control, CONTROL_SUBSCRIBED);
    cr_assert(event->u.control_of.renews);
    cr_assert_eq(event->u.control_of.places, 5);
    event = hear(listener, "{\"id\":\"feed-leave-5\",\"result\":[]}");
    cr_assert_eq(event->control, CONTROL_UNSUBSCRIBED);
    event = hear(listener, "{\"id\":9,\"result\":[]}");
    cr_assert_eq(event->kind, FEED_EVENT_IGNORED, "an empty list of anything");
    event = hear(listener, "{\"id\":9,\"result\":\"ok\"}");
    cr_assert_eq(event->control, CONTROL_OK);
    cr_assert_eq(event->u.control_of.id, 9);
    event = hear(listener, "{\"method\":\"heartbeat\",\"params\":{\"type\":\"test_request\"}}");
    cr_assert_eq(event->control, CONTROL_TEST_REQUEST);
    event = hear_data(listener, "user.orders.BTC-PERPETUAL.raw", "{\"order_id\":\"1\"}");
    cr_assert_eq(event->kind, FEED_EVENT_IGNORED);
}

Test(deribit_feed, a_reply_with_a_book_is_the_best_levels_and_a_ticker)
{
    struct listener *listener = listener_make();
    hear(listener,
         "{\"jsonrpc\":\"2.0\",\"result\":{\"timestamp\":1654247489923,\"state\":\"locked\",\"mark_price\":0."
         "0336,"
         "\"instrument_name\":\"BTC-30SEP22-60000-C\",\"index_price\":1804.41,\"change_id\":24460060432,"
         "\"bids\":[[0.033,226.0],[0.0325,797.0]],\"best_bid_price\":0.033,\"best_bid_amount\":226.0,"
         "\"best_ask_price\":0.0,\"best_ask_amount\":0.0,\"asks\":[]},\"usIn\":1654247489999588,\"testnet\":"
         "false}");
    cr_assert_eq(listener->count, 4);
    cr_assert_eq(listener->events[0].kind, FEED_EVENT_DEPTH);
    cr_assert_eq(listener->events[0].flags, FEED_EVENT_SNAPSHOT | FEED_EVENT_TOP_N);
    cr_assert_eq(listener->events[0].top_n, 2);
    cr_assert_eq(listener->events[1].kind, FEED_EVENT_STATE);
    cr_assert_eq(listener->events[1].status, INSTRUMENT_CANCEL_ONLY);
    cr_assert_eq(listener->events[2].kind, FEED_EVENT_TOP);
    cr_assert_eq(listener->events[3].kind, FEED_EVENT_MARK);
}

/* The documentation prints the data alone. */
Test(deribit_feed, data_without_a_channel_is_known_by_its_shape)
{
    static const struct {
        const char *data;
        uint32_t count;
        uint8_t kind, last_kind;
    } list[] = {
        { "{\"type\":\"change\",\"timestamp\":1554373911330,\"prev_change_id\":1,\"instrument_name\":\"BTC-"
          "PERPETUAL\","
          "\"change_id\":2,\"bids\":[],\"asks\":[]}",
          1, FEED_EVENT_DEPTH, FEED_EVENT_DEPTH },
        { "{\"timestamp\":1,\"price\":1,\"index_name\":\"btc_usd\"}", 1, FEED_EVENT_INDEX, FEED_EVENT_INDEX },
        { "{\"timestamp\":1,\"volatility\":1,\"index_name\":\"btc_usd\"}", 1, FEED_EVENT_INDEX,
          FEED_EVENT_INDEX },
        { "{\"seconds\":1,\"price\":1,\"is_estimated\":true}", 1, FEED_EVENT_INDEX, FEED_EVENT_INDEX },
        { "{\"type\":\"change\",\"mark_price\":5,\"instrument_name\":\"BTC-PERPETUAL\"}", 1, FEED_EVENT_MARK,
          FEED_EVENT_MARK },
        { "{\"timestamp\":1,\"state\":\"open\",\"instrument_name\":\"BTC-PERPETUAL\"}", 1, FEED_EVENT_STATE,
          FEED_EVENT_STATE },
        { "{\"locked\":false}", 1 + POISE_COUNT_OF(rows), FEED_EVENT_STATE, FEED_EVENT_STATE },
        { "[{\"instrument_name\":\"BTC-30SEP22-60000-C\",\"iv\":0.9,\"mark_price\":0.1,\"timestamp\":1}]", 2,
          FEED_EVENT_MARK, FEED_EVENT_OPTION },
        { "[{\"instrument_name\":\"BTC-PERPETUAL\",\"trade_id\":\"1\",\"price\":1,\"amount\":1,\"direction\":"
          "\"buy\"}]",
          1, FEED_EVENT_TRADE, FEED_EVENT_TRADE },
        { "{\"locked\":true,\"currency\":\"ALL\"}", 1, FEED_EVENT_IGNORED, FEED_EVENT_IGNORED },
        { "{\"instrument_name\":\"BTC-PERPETUAL\",\"order_id\":\"1\",\"state\":\"open\",\"timestamp\":1}", 1,
          FEED_EVENT_IGNORED, FEED_EVENT_IGNORED },
    };
    struct listener *listener = listener_make();
    for (size_t i = 0; i < POISE_COUNT_OF(list); i++) {
        char text[1024];
        snprintf(text, sizeof text, "{\"data\":%s}", list[i].data);
        const struct feed_event *event = hear(listener, text);
        cr_assert_eq(listener->count, list[i].count, "%s: %u", list[i].data, listener->count);
        cr_assert_eq(event->kind, list[i].kind, "%s", list[i].data);
        cr_assert_eq(listener->events[listener->count - 1].kind, list[i].last_kind, "%s", list[i].data);
    }
}

Test(deribit_feed, trades_of_an_account_are_not_the_feeds)
{
    struct listener *listener = listener_make();
    const struct feed_event *event = hear(
        listener, "{\"result\":{\"trades\":[{\"trade_id\":\"1\",\"order_id\":\"2\",\"price\":1,\"amount\":1,"
                  "\"direction\":\"buy\",\"instrument_name\":\"BTC-PERPETUAL\"}],\"has_more\":false}}");
    cr_assert_eq(event->kind, FEED_EVENT_IGNORED);
}

Test(deribit_feed, link_asks_for_the_very_change_before)
{
    static const struct {
        uint64_t at, previous, last;
        enum book_link link;
    } list[] = {
        { 100, 100, 107, BOOK_LINK_APPLY }, { 100, 101, 107, BOOK_LINK_GAP }, { 100, 99, 107, BOOK_LINK_GAP },
        { 100, 0, 107, BOOK_LINK_GAP },     { 100, 90, 100, BOOK_LINK_DROP }, { 100, 90, 99, BOOK_LINK_DROP },
        { 0, 0, 107, BOOK_LINK_GAP },
    };
    for (size_t i = 0; i < POISE_COUNT_OF(list); i++) {
        struct feed_event event = { .previous = list[i].previous, .last = list[i].last };
        for (int first = 0; first < 2; first++) {
            cr_assert_eq(venue_deribit.feed->link(PRODUCT_INVERSE, list[i].at, first, &event), list[i].link,
                         "%zu", i);
        }
    }
}

Test(deribit_feed, many_instruments_fit_few_messages_and_all_are_asked_for_once)
{
    struct instrument_table *table = kept(sizeof *table);
    struct feed_connection connections[4];
    uint16_t wanted[100];
    static char text[16384], all[65536];
    instrument_table_reset(table);
    for (uint16_t i = 0; i < 100; i++) {
        struct instrument row = { .venue = VENUE_DERIBIT, .product = PRODUCT_OPTION, .kind = KIND_OPTION };
        snprintf(row.symbol, sizeof row.symbol, "PAXG_USDC-25DEC26-%03d0d1234-C", i);
        wanted[i] = instrument_add(table, &row);
    }
    uint32_t count = venue_deribit.feed->plan(table, wanted, 100, connections, 4);
    cr_assert_eq(count, 2);
    cr_assert_eq(connections[0].instrument_count + connections[1].instrument_count, 100);
    for (uint32_t c = 0; c < count; c++) {
        uint32_t steps = 0, subscriptions = 0;
        size_t bytes;
        all[0] = '\0';
        while ((bytes = venue_deribit.feed->subscribe(table, &connections[c], steps, 0, text,
                                                      sizeof text - 1)) > 0) {
            text[bytes] = '\0';
            subscriptions += strstr(text, "public/subscribe") != NULL;
            strcat(all, text);
            steps++;
            cr_assert_lt(steps, 10);
        }
        cr_assert_leq(subscriptions, 2, "each costs a tenth of what there is");
        for (uint32_t i = 0; i < connections[c].instrument_count; i++) {
            char channel[96];
            snprintf(channel, sizeof channel, "\"book.%s.100ms\"",
                     table->row[connections[c].instrument[i]].symbol);
            char *at = strstr(all, channel);
            cr_assert_not_null(at, "%s", channel);
            cr_assert_null(strstr(at + 1, channel), "%s", channel);
        }
    }
}
