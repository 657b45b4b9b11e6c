/* Binance's public streams: what each message becomes, what is asked for and where. */
#include "tests/venues/support.h"
#include "venues/binance/feed.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct listener {
    struct instrument_table table;
    struct feed_parser parser;
    struct level levels[FEED_LEVELS_MAX];
    struct feed_event events[16];
    struct level kept[64];
    uint32_t count;
    int64_t consumed;
};

static void on_event(void *context, const struct feed_event *event)
{
    struct listener *listener = context;
    cr_assert_lt(listener->count, 16);
    listener->events[listener->count++] = *event;
    if (event->kind == FEED_EVENT_DEPTH && event->bid_count + event->ask_count <= 64) {
        memcpy(listener->kept, event->bids, event->bid_count * sizeof(struct level));
        memcpy(listener->kept + event->bid_count, event->asks, event->ask_count * sizeof(struct level));
    }
}

static struct listener *listener_make(uint8_t product)
{
    static const char *const linear[] = { "BTCUSDT", "ETHUSDT", "BNBUSDT" };
    static const char *const inverse[] = { "BTCUSD_PERP", "BTCUSD_211231" };
    struct listener *listener = kept(sizeof *listener);
    instrument_table_reset(&listener->table);
    for (int kind = PRODUCT_SPOT; kind <= PRODUCT_INVERSE; kind++) {
        const char *const *symbols = kind == PRODUCT_INVERSE ? inverse : linear;
        for (int i = 0; i < (kind == PRODUCT_INVERSE ? 2 : 3); i++) {
            struct instrument row = { .venue = VENUE_BINANCE, .product = (uint8_t)kind, .price_decimals = 4 };
            row.qty_decimals = kind == PRODUCT_SPOT ? 8 : kind == PRODUCT_LINEAR ? 3 : 0;
            row.tick = row.lot = 1;
            row.funding_interval_s = 28800;
            strcpy(row.symbol, symbols[i]);
            instrument_add(&listener->table, &row);
        }
    }
    listener->parser = (struct feed_parser){ .instruments = &listener->table,
                                             .venue = VENUE_BINANCE,
                                             .product = product,
                                             .levels = listener->levels,
                                             .level_capacity = FEED_LEVELS_MAX,
                                             .reply_instrument = NO_INSTRUMENT };
    return listener;
}

static const struct feed_event *hear(struct listener *listener, const char *message)
{
    listener->count = 0;
    listener->consumed =
        venue_binance.feed->parse(&listener->parser, message, strlen(message), on_event, listener);
    return listener->count > 0 ? &listener->events[0] : NULL;
}

static uint16_t index_of(const struct listener *listener, uint8_t product, const char *symbol)
{
    return instrument_find(&listener->table, VENUE_BINANCE, product, symbol, strlen(symbol))->index;
}

Test(binance_feed, a_depth_update_carries_ids_times_and_levels_in_the_venues_order)
{
    struct listener *listener = listener_make(PRODUCT_LINEAR);
    const struct feed_event *event =
        hear(listener, "{\"stream\":\"btcusdt@depth@100ms\",\"data\":{\"e\":\"depthUpdate\",\"E\":"
                       "1723161256299,\"T\":1723161256298,"
                       "\"s\":\"BTCUSDT\",\"U\":5123107832006,\"u\":5123107837557,\"pu\":5123107831937,\"b\":"
                       "[[\"58710.20\",\"0.014\"],"
                       "[\"61510.90\",\"0.000\"]],\"a\":[[\"61800.30\",\"3.330\"]]}}");
    cr_assert_eq(listener->count, 1);
    cr_assert_eq(event->kind, FEED_EVENT_DEPTH);
    cr_assert_eq(event->flags, 0);
    cr_assert_eq(event->first, 5123107832006);
    cr_assert_eq(event->last, 5123107837557);
    cr_assert_eq(event->previous, 5123107831937);
    cr_assert_eq(event->venue_time_ns, 1723161256298000000LL, "the engine's time, not the sender's");
    cr_assert_eq(event->bid_count, 2);
    cr_assert_eq(listener->kept[0].price, 587102000);
    cr_assert_eq(listener->kept[0].qty, 14);
    cr_assert_eq(listener->kept[1].qty, 0, "a deletion");
    cr_assert_eq(listener->kept[2].price, 618003000);
}

Test(binance_feed, keys_may_come_in_any_order_with_unknown_ones_between)
{
    struct listener *listener = listener_make(PRODUCT_LINEAR);
    const struct feed_event *event =
        hear(listener, "{\"data\": {\"a\":[], \"new\":{\"x\":[1,{\"b\":[]}]}, "
                       "\"b\":[[\"1.5\",\"2\",\"ignored\"]], \"pu\":1,\n \"u\":3,"
                       "\"U\":2,\"s\":\"BTCUSDT\",\"e\":\"depthUpdate\"}, \"stream\":\"btcusdt@depth\"} ");
    cr_assert_eq(event->kind, FEED_EVENT_DEPTH, "%s", listener->parser.broken_why);
    cr_assert_eq(listener->kept[0].price, 15000);
    cr_assert_eq(listener->kept[0].qty, 2000);
    cr_assert_eq(event->ask_count, 0);
}

Test(binance_feed, a_stream_of_the_best_levels_says_so)
{
    struct listener *listener = listener_make(PRODUCT_SPOT);
    const struct feed_event *event =
        hear(listener, "{\"stream\":\"btcusdt@depth20@100ms\",\"data\":{\"lastUpdateId\":160,\"bids\":[[\"1."
                       "0\",\"2\"]],\"asks\":[]}}");
    cr_assert_eq(event->kind, FEED_EVENT_DEPTH);
    cr_assert_eq(event->flags, FEED_EVENT_SNAPSHOT | FEED_EVENT_TOP_N);
    cr_assert_eq(event->top_n, 20);
    cr_assert_eq(event->last, 160);
    cr_assert_eq(event->instrument, index_of(listener, PRODUCT_SPOT, "BTCUSDT"));
    listener = listener_make(PRODUCT_LINEAR);
    event = hear(listener, "{\"stream\":\"btcusdt@depth5\",\"data\":{\"e\":\"depthUpdate\",\"s\":\"BTCUSDT\","
                           "\"U\":1,\"u\":2,\"pu\":0,"
                           "\"b\":[],\"a\":[]}}");
    cr_assert_eq(event->flags, FEED_EVENT_SNAPSHOT | FEED_EVENT_TOP_N);
    cr_assert_eq(event->top_n, 5);
}

Test(binance_feed, a_spot_ticker_is_known_by_its_keys)
{
    struct listener *listener = listener_make(PRODUCT_SPOT);
    const struct feed_event *event =
        hear(listener, "{\"u\":98494969448,\"s\":\"BTCUSDT\",\"b\":\"63704.00000000\",\"B\":\"4.77471000\","
                       "\"a\":\"63704.01000000\",\"A\":\"11.33198000\"}");
    cr_assert_eq(event->kind, FEED_EVENT_TOP);
    cr_assert_eq(event->last, 98494969448);
    cr_assert_eq(event->u.top.bid_price, 637040000);
    cr_assert_eq(event->u.top.ask_qty, 1133198000);
    cr_assert_eq(event->venue_time_ns, 0);
}

Test(binance_feed, trades_off_the_book_are_marked)
{
    struct listener *listener = listener_make(PRODUCT_LINEAR);
    const struct feed_event *event =
        hear(listener, "{\"e\":\"trade\",\"E\":1,\"T\":1786540291675,\"s\":\"BTCUSDT\",\"t\":7967419777,"
                       "\"p\":\"64042.10\",\"q\":\"0.038\","
                       "\"X\":\"MARKET\",\"m\":true,\"st\":1}");
    cr_assert_eq(event->kind, FEED_EVENT_TRADE);
    cr_assert_eq(event->flags, 0);
    cr_assert_eq(event->aggressor, SIDE_SELL, "the buyer was there first");
    cr_assert_eq(event->u.trade.id, 7967419777);
    event =
        hear(listener,
             "{\"e\":\"trade\",\"E\":1,\"T\":2,\"s\":\"BTCUSDT\",\"t\":1,\"p\":\"64042.10\",\"q\":\"0.038\","
             "\"X\":\"INSURANCE_FUND\",\"m\":false}");
    cr_assert_eq(event->flags, FEED_EVENT_OFF_BOOK);
    cr_assert_eq(event->aggressor, SIDE_BUY);
}

Test(binance_feed, dated_contracts_have_no_funding)
{
    struct listener *listener = listener_make(PRODUCT_INVERSE);
    const struct feed_event *event =
        hear(listener,
             "{\"e\":\"markPriceUpdate\",\"E\":1562305380000,\"s\":\"BTCUSD_PERP\",\"p\":\"11794.15000000\","
             "\"i\":\"11784.62659091\",\"r\":\"0.00038167\",\"T\":1562306400000}");
    cr_assert_eq(event->kind, FEED_EVENT_MARK);
    cr_assert(event->u.mark.has_rate);
    cr_assert_eq(event->u.mark.rate_e12, 381670000);
    cr_assert_eq(event->u.mark.next_funding_ns, 1562306400000000000LL);
    cr_assert_eq(event->u.mark.mark, 117941500);
    cr_assert_eq(event->u.mark.index, 117846266, "half to even at the price unit");
    cr_assert_eq(event->u.mark.index_e8, 1178462659091);
    cr_assert_eq(event->venue_time_ns, 1562305380000000000LL, "T is the settlement, not the event");
    event =
        hear(listener,
             "{\"e\":\"markPriceUpdate\",\"E\":1,\"s\":\"BTCUSD_211231\",\"p\":\"1.0\",\"r\":\"\",\"T\":0}");
    cr_assert_not(event->u.mark.has_rate);
    cr_assert_eq(event->u.mark.next_funding_ns, 0);
}

Test(binance_feed, an_all_market_stream_goes_by_its_product_and_yields_all_or_nothing)
{
    struct listener *listener = listener_make(PRODUCT_LINEAR);
    hear(listener, "{\"stream\":\"!markPrice@arr\",\"data\":[{\"e\":\"markPriceUpdate\",\"E\":1,\"s\":"
                   "\"BTCUSDT\",\"p\":\"1\",\"r\":\"0.1\",\"T\":2,"
                   "\"st\":1},{\"e\":\"markPriceUpdate\",\"E\":1,\"s\":\"BTCUSD_PERP\",\"p\":\"2\",\"r\":\"0."
                   "1\",\"T\":2,\"st\":2},"
                   "{\"e\":\"markPriceUpdate\",\"E\":1,\"s\":\"NOBODY\",\"p\":\"2\",\"st\":1}]}");
    cr_assert_eq(listener->count, 3);
    cr_assert_eq(listener->events[0].instrument, index_of(listener, PRODUCT_LINEAR, "BTCUSDT"));
    cr_assert_eq(listener->events[1].instrument, index_of(listener, PRODUCT_INVERSE, "BTCUSD_PERP"));
    cr_assert_eq(listener->events[2].kind, FEED_EVENT_IGNORED);
    hear(listener, "[{\"e\":\"markPriceUpdate\",\"E\":1,\"s\":\"BTCUSDT\",\"p\":\"1\",\"st\":1},{\"e\":"
                   "\"markPriceUpdate\",\"s\":\"BTCUSDT\","
                   "\"p\":\"x\",\"st\":1}]");
    cr_assert_eq(listener->consumed, PARSE_BROKEN);
    cr_assert_eq(listener->count, 0, "the first was sound, the message was not");
}

Test(binance_feed, on_spot_st_means_nothing)
{
    struct listener *listener = listener_make(PRODUCT_SPOT);
    const struct feed_event *event =
        hear(listener, "{\"e\":\"aggTrade\",\"E\":1,\"s\":\"ETHUSDT\",\"a\":226532,\"p\":\"1632.46000000\","
                       "\"q\":\"0.34305000\","
                       "\"f\":1,\"l\":2,\"T\":1675759520847,\"m\":false,\"M\":true,\"st\":1}");
    cr_assert_eq(event->instrument, index_of(listener, PRODUCT_SPOT, "ETHUSDT"));
    cr_assert_eq(event->u.trade.id, 226532);
}

Test(binance_feed, control_messages_are_told_apart)
{
    struct listener *listener = listener_make(PRODUCT_SPOT);
    cr_assert_eq(hear(listener, "{\"result\":null,\"id\":7}")->control, CONTROL_SUBSCRIBED);
    cr_assert_eq(listener->events[0].u.control_of.id, 7);
    cr_assert_eq(hear(listener, "{\"result\":[\"a@b\"],\"id\":3}")->control, CONTROL_OK);
    cr_assert_eq(hear(listener, "{\"code\":2,\"msg\":\"Invalid request: x\",\"id\":\"x\"}")->control,
                 CONTROL_ERROR);
    cr_assert_eq(listener->events[0].u.control_of.code, 2);
    cr_assert_eq(hear(listener, "{\"e\":\"serverShutdown\",\"E\":1770123456789}")->control, CONTROL_SHUTDOWN);
    cr_assert_eq(
        hear(listener, "{\"stream\":\"!serverShutdown\",\"data\":{\"e\":\"serverShutdown\",\"E\":1}}")
            ->control,
        CONTROL_SHUTDOWN);
    cr_assert_eq(hear(listener, "{\"e\":\"kline\",\"E\":1,\"s\":\"BTCUSDT\",\"k\":{}}")->kind,
                 FEED_EVENT_IGNORED);
}

Test(binance_feed, what_cannot_be_believed_is_broken_and_yields_nothing)
{
    static const char *const messages[] = {
        "{\"e\":\"depthUpdate\",\"s\":\"BTCUSDT\",\"b\":[],\"a\":[]}",
        "{\"e\":\"depthUpdate\",\"s\":\"BTCUSDT\",\"U\":1,\"u\":2,\"b\":[]}",
        "{\"e\":\"depthUpdate\",\"s\":\"BTCUSDT\",\"U\":1,\"u\":2,\"b\":[[\"1\"]],\"a\":[]}",
        "{\"e\":\"depthUpdate\",\"s\":\"BTCUSDT\",\"U\":1,\"u\":2,\"b\":[[\"-1\",\"1\"]],\"a\":[]}",
        "{\"e\":\"depthUpdate\",\"s\":\"BTCUSDT\",\"U\":1,\"u\":2,\"b\":[[\"0\",\"1\"]],\"a\":[]}",
        "{\"e\":\"depthUpdate\",\"s\":\"BTCUSDT\",\"U\":1,\"u\":2,\"b\":[[\"1.00001\",\"1\"]],\"a\":[]}",
        "{\"e\":\"depthUpdate\",\"s\":\"BTCUSDT\",\"U\":1.5,\"u\":2,\"b\":[],\"a\":[]}",
        "{\"e\":\"depthUpdate\",\"U\":1,\"u\":2,\"b\":[],\"a\":[]}",
        "{\"e\":\"trade\",\"s\":\"BTCUSDT\",\"t\":1,\"p\":\"1\",\"q\":\"1\"}",
        "{\"e\":\"bookTicker\",\"s\":\"BTCUSDT\",\"u\":1,\"b\":\"1\",\"B\":\"1\",\"a\":\"x\",\"A\":\"1\"}",
        "42",
        "{\"e\":\"trade\"}}",
    };
    struct listener *listener = listener_make(PRODUCT_LINEAR);
    for (size_t i = 0; i < POISE_COUNT_OF(messages); i++) {
        hear(listener, messages[i]);
        if (listener->consumed > 0) {
            cr_assert_lt(listener->consumed, (int64_t)strlen(messages[i]), "%s", messages[i]);
        } else {
            cr_assert_eq(listener->count, 0, "%s", messages[i]);
            cr_assert_not_null(listener->parser.broken_why);
        }
    }
}

Test(binance_feed, a_message_with_more_levels_than_fit_is_broken)
{
    struct listener *listener = listener_make(PRODUCT_LINEAR);
    listener->parser.level_capacity = 3;
    hear(listener, "{\"e\":\"depthUpdate\",\"s\":\"BTCUSDT\",\"U\":1,\"u\":2,\"b\":[[\"1\",\"1\"],[\"2\","
                   "\"1\"]],\"a\":[[\"3\",\"1\"],[\"4\",\"1\"]]}");
    cr_assert_eq(listener->consumed, PARSE_BROKEN);
}

Test(binance_feed, a_finer_quantity_is_cut_a_finer_price_is_not)
{
    struct listener *listener = listener_make(PRODUCT_LINEAR);
    const struct feed_event *event = hear(
        listener,
        "{\"e\":\"depthUpdate\",\"s\":\"BTCUSDT\",\"U\":1,\"u\":2,\"b\":[[\"1\",\"11979.3009\"]],\"a\":[]}");
    cr_assert_eq(event->kind, FEED_EVENT_DEPTH);
    cr_assert_eq(listener->kept[0].qty, 11979300);
}

Test(binance_feed, plans_keep_the_routes_apart)
{
    struct listener *listener = listener_make(PRODUCT_LINEAR);
    struct feed_connection connections[4];
    uint16_t wanted[] = { index_of(listener, PRODUCT_LINEAR, "BTCUSDT"),
                          index_of(listener, PRODUCT_LINEAR, "ETHUSDT") };
    cr_assert_eq(venue_binance.feed->plan(&listener->table, wanted, 2, connections, 4), 2);
    cr_assert_str_eq(connections[0].endpoint.host, "fstream.binance.com");
    cr_assert_str_eq(connections[0].endpoint.path, "/public/stream");
    cr_assert_str_eq(connections[1].endpoint.path, "/market/stream");
    char text[1024];
    size_t bytes = venue_binance.feed->subscribe(&listener->table, &connections[0], 0, 0, text, sizeof text);
    text[bytes] = '\0';
    cr_assert_str_eq(text, "{\"method\":\"SUBSCRIBE\",\"params\":[\"btcusdt@depth@100ms\",\"btcusdt@"
                           "bookTicker\",\"btcusdt@trade\","
                           "\"ethusdt@depth@100ms\",\"ethusdt@bookTicker\",\"ethusdt@trade\"],\"id\":1}");
    cr_assert_eq(venue_binance.feed->subscribe(&listener->table, &connections[0], 1, 0, text, sizeof text),
                 0);
    bytes = venue_binance.feed->subscribe(&listener->table, &connections[1], 0, 0, text, sizeof text);
    text[bytes] = '\0';
    cr_assert_str_eq(
        text,
        "{\"method\":\"SUBSCRIBE\",\"params\":[\"btcusdt@markPrice@1s\",\"ethusdt@markPrice@1s\"],\"id\":1}");
    cr_assert_eq(venue_binance.feed->subscribe(&listener->table, &connections[0], 0, 0, text, 20), 0,
                 "does not fit");

    wanted[0] = index_of(listener, PRODUCT_INVERSE, "BTCUSD_PERP");
    cr_assert_eq(venue_binance.feed->plan(&listener->table, wanted, 1, connections, 4), 1);
    cr_assert_str_eq(connections[0].endpoint.host, "dstream.binance.com");
    cr_assert_str_eq(connections[0].endpoint.path, "/stream");
    bytes = venue_binance.feed->subscribe(&listener->table, &connections[0], 0, 0, text, sizeof text);
    text[bytes] = '\0';
    cr_assert_not_null(strstr(text, "\"btcusd_perp@markPrice@1s\""));

    wanted[0] = index_of(listener, PRODUCT_SPOT, "BTCUSDT");
    cr_assert_eq(venue_binance.feed->plan(&listener->table, wanted, 1, connections, 4), 1);
    bytes = venue_binance.feed->subscribe(&listener->table, &connections[0], 0, 0, text, sizeof text);
    text[bytes] = '\0';
    cr_assert_null(strstr(text, "markPrice"), "spot has no mark");
}

Test(binance_feed, many_instruments_take_several_connections_and_messages)
{
    static struct instrument_table table;
    static struct feed_connection connections[8];
    uint16_t wanted[100];
    instrument_table_reset(&table);
    for (uint32_t i = 0; i < 100; i++) {
        struct instrument row = { .venue = VENUE_BINANCE, .product = PRODUCT_LINEAR, .tick = 1, .lot = 1 };
        snprintf(row.symbol, sizeof row.symbol, "COIN%uUSDT", i);
        wanted[i] = instrument_add(&table, &row);
    }
    cr_assert_eq(venue_binance.feed->plan(&table, wanted, 100, connections, 8), 4);
    cr_assert_eq(connections[0].instrument_count, 64);
    cr_assert_eq(connections[2].instrument_count, 36);
    char text[4096];
    uint32_t streams = 0, steps = 0;
    for (size_t bytes;
         (bytes = venue_binance.feed->subscribe(&table, &connections[0], steps, 0, text, sizeof text)) > 0;
         steps++) {
        for (size_t i = 0; i < bytes; i++) {
            streams += text[i] == '@' && memcmp(text + i, "@100ms", 6) != 0;
        }
    }
    cr_assert_eq(streams, 64 * 3);
    cr_assert_leq(steps, 5, "the venue hears five messages a second");
}

Test(binance_feed, snapshots_are_asked_for_by_product)
{
    struct listener *listener = listener_make(PRODUCT_SPOT);
    static struct venue_out out;
    cr_assert(venue_binance.feed->snapshot(&listener->table.row[index_of(listener, PRODUCT_SPOT, "BTCUSDT")],
                                           &out));
    cr_assert_eq(out.path_bytes, strlen("/api/v3/depth?symbol=BTCUSDT&limit=5000"));
    cr_assert_eq(memcmp(out.path, "/api/v3/depth?symbol=BTCUSDT&limit=5000", out.path_bytes), 0);
    cr_assert_eq(out.weight, 250);
    cr_assert_str_eq(out.endpoint.host, "api.binance.com");
    cr_assert(venue_binance.feed->snapshot(
        &listener->table.row[index_of(listener, PRODUCT_INVERSE, "BTCUSD_PERP")], &out));
    cr_assert_eq(memcmp(out.path, "/dapi/v1/depth?symbol=BTCUSD_PERP&limit=1000", out.path_bytes), 0);
}

Test(binance_feed, the_link_rule_of_each_family)
{
    enum book_link (*judge)(uint8_t, uint64_t, bool, const struct feed_event *) = venue_binance.feed->link;
    struct feed_event event = { .first = 101, .last = 105 };
    cr_assert_eq(judge(PRODUCT_SPOT, 105, true, &event), BOOK_LINK_DROP);
    cr_assert_eq(judge(PRODUCT_SPOT, 100, true, &event), BOOK_LINK_APPLY);
    cr_assert_eq(judge(PRODUCT_SPOT, 102, true, &event), BOOK_LINK_APPLY, "straddles the snapshot");
    cr_assert_eq(judge(PRODUCT_SPOT, 99, true, &event), BOOK_LINK_GAP);
    cr_assert_eq(judge(PRODUCT_SPOT, 99, false, &event), BOOK_LINK_GAP);
    event.previous = 90;
    cr_assert_eq(judge(PRODUCT_LINEAR, 106, true, &event), BOOK_LINK_DROP);
    cr_assert_eq(judge(PRODUCT_LINEAR, 105, true, &event), BOOK_LINK_APPLY,
                 "strictly less is dropped, equal is not");
    cr_assert_eq(judge(PRODUCT_LINEAR, 103, true, &event), BOOK_LINK_APPLY);
    cr_assert_eq(judge(PRODUCT_LINEAR, 100, true, &event), BOOK_LINK_GAP);
    cr_assert_eq(judge(PRODUCT_LINEAR, 90, true, &event), BOOK_LINK_APPLY,
                 "pu continues the snapshot although U is beyond");
    cr_assert_eq(judge(PRODUCT_LINEAR, 90, false, &event), BOOK_LINK_APPLY, "U is usually beyond pu + 1");
    cr_assert_eq(judge(PRODUCT_LINEAR, 91, false, &event), BOOK_LINK_GAP);
    cr_assert_eq(judge(PRODUCT_LINEAR, 105, false, &event), BOOK_LINK_DROP,
                 "a second connection brought it late");
}

Test(binance_feed, binary_frames_decode_to_the_documented_values)
{
    struct file file;
    cr_assert(file_read(&file, "binance/spot_sbe_stream_SYNTHETIC.json"));
    struct listener *listener = listener_make(PRODUCT_SPOT);
    static const char *const frames[] = { "bestBidAsk_10001", "trades_10000", "depthDiff_10003",
                                          "depthSnapshot_10002" };
    for (size_t i = 0; i < POISE_COUNT_OF(frames); i++) {
        char bytes[512];
        const char *hex = strchr(strchr(strstr(file.text, frames[i]), ':'), '"') + 1;
        size_t count = 0;
        for (; hex[0] != '"'; hex += 2, count++) {
            unsigned byte;
            sscanf(hex, "%2x", &byte);
            bytes[count] = (char)byte;
        }
        listener->count = 0;
        int64_t consumed = venue_binance.feed->parse(&listener->parser, bytes, count, on_event, listener);
        cr_assert_eq(consumed, (int64_t)count, "%s", frames[i]);
        const struct feed_event *event = &listener->events[0];
        switch (i) {
        case 0:
            cr_assert_eq(event->kind, FEED_EVENT_TOP);
            cr_assert_eq(event->last, 98494969448);
            cr_assert_eq(event->u.top.bid_price, 637040000);
            cr_assert_eq(event->u.top.ask_price, 637040100);
            cr_assert_eq(event->u.top.ask_qty, 1133198000);
            cr_assert_eq(event->venue_time_ns, 1786613159749123000LL);
            break;
        case 1:
            cr_assert_eq(listener->count, 2);
            cr_assert_eq(listener->events[1].u.trade.id, 5000002);
            cr_assert_eq(listener->events[1].u.trade.qty, 250000);
            cr_assert_eq(listener->events[1].aggressor, SIDE_SELL);
            break;
        case 2:
            cr_assert_eq(event->first, 98494969440);
            cr_assert_eq(event->last, 98494969448);
            cr_assert_eq(event->bid_count, 2);
            cr_assert_eq(listener->kept[1].price, 637039900);
            cr_assert_eq(listener->kept[1].qty, 0);
            cr_assert_eq(listener->kept[2].qty, 1133198000);
            break;
        default:
            cr_assert_eq(event->flags, FEED_EVENT_SNAPSHOT | FEED_EVENT_TOP_N);
            cr_assert_eq(event->last, 98494969450);
        }
        for (size_t prefix = 0; prefix < count; prefix++) {
            listener->count = 0;
            cr_assert_eq(venue_binance.feed->parse(&listener->parser, bytes, prefix, on_event, listener),
                         PARSE_INCOMPLETE, "%s of %zu", frames[i], prefix);
            cr_assert_eq(listener->count, 0);
        }
    }
    file_free(&file);
}
