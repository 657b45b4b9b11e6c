/* The captures of 2021, six symbols of three products, through the venue's parser into the proof and the
 * book; what must come out stands in tests/data/fixtures/binance/EXPECTED.md. */
#include "hot/feed/feed.h"
#include "hot/feed/sync.h"
#include "ring/clock.h"
#include "ring/decimal.h"
#include "ring/queue.h"
#include "tests/hot/feed/fake_conn.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FIXTURES POISE_SOURCE_DIR "/tests/data/fixtures/binance/"
#define DECIMALS 8

struct capture {
    char symbol[16];
    char prefix[8];
    uint8_t product;
    uint64_t dropped, applied, last;
    char bid[24], bid_qty[24], ask[24], ask_qty[24];
    uint32_t bid_levels, ask_levels;
};

static struct capture captures[] = {
    { "NKNUSDT", "spot", PRODUCT_SPOT, 1, 149, 499870179, "0.3527", "9602", "0.3531", "152", 614, 994 },
    { "SUSHIUSDT", "usdm", PRODUCT_LINEAR, 3, 252, 600860425198, "7.612", "303", "7.616", "267", 1006, 1000 },
    { "CTKUSDT", "usdm", PRODUCT_LINEAR, 5, 180, 600860423222, "1.011", "1698", "1.012", "10123", 486, 742 },
    { "BCHUSD_PERP", "coinm", PRODUCT_INVERSE, 7, 208, 167006263994, "427.79", "222", "427.8", "150", 444,
      536 },
    { "BTCUSD_211231", "coinm", PRODUCT_INVERSE, 36, 191, 167006263635, "32627.7", "77", "32627.8", "14", 998,
      984 },
    { "LINKUSD_211231", "coinm", PRODUCT_INVERSE, 30, 122, 167006263681, "15.313", "294", "15.323", "927",
      188, 205 },
};

struct file {
    char *bytes; /* with blank room before and after, as in a connection's buffer */
    size_t count;
};

static struct file load(const char *format, const struct capture *capture)
{
    char lower[16] = { 0 }, path[512], name[128];
    for (size_t i = 0; capture->symbol[i] != 0; i++) {
        lower[i] = (char)tolower((unsigned char)capture->symbol[i]);
    }
    snprintf(name, sizeof name, format, capture->prefix, lower);
    snprintf(path, sizeof path, FIXTURES "%s", name);
    FILE *stream = fopen(path, "rb");
    cr_assert_not_null(stream, "%s", path);
    char *memory = calloc(1, (4u << 20) + 128);
    struct file file = { memory + 64, 0 };
    file.count = fread(file.bytes, 1, 4u << 20, stream);
    fclose(stream);
    cr_assert_gt(file.count, 0);
    return file;
}

static void table_of(struct instrument_table *table, const struct capture *capture)
{
    struct instrument row = { .venue = VENUE_BINANCE,
                              .product = capture->product,
                              .kind = capture->product == PRODUCT_SPOT     ? KIND_SPOT
                                      : capture->product == PRODUCT_LINEAR ? KIND_LINEAR_PERPETUAL
                                                                           : KIND_INVERSE_PERPETUAL,
                              .status = INSTRUMENT_TRADING,
                              .price_decimals = DECIMALS,
                              .qty_decimals = DECIMALS,
                              .tick = 1,
                              .lot = 1 };
    snprintf(row.symbol, sizeof row.symbol, "%s", capture->symbol);
    snprintf(row.name, sizeof row.name, "binance.%s.%s", product_names[capture->product], capture->symbol);
    instrument_table_reset(table);
    cr_assert_eq(instrument_add(table, &row), 0);
}

static int64_t number(const char *text)
{
    int64_t value = 0;
    cr_assert_eq(decimal_parse(text, strlen(text), DECIMALS, &value), DECIMAL_OK);
    return value;
}

static void expect_level(const struct level *level, const char *price, const char *qty)
{
    cr_assert_not_null(level);
    cr_assert_eq(level->price, number(price));
    cr_assert_eq(level->qty, number(qty));
}

/* ---- the proof alone ---- */

static void to_sync(void *context, const struct feed_event *event)
{
    struct sync *sync = context;
    if (event->kind != FEED_EVENT_DEPTH) {
        return;
    }
    if (event->flags & FEED_EVENT_SNAPSHOT) {
        cr_assert_eq(sync_snapshot(sync, event), SYNC_PROVED, "%s", sync->why);
    } else {
        cr_assert_neq(sync_delta(sync, event), SYNC_BROKE, "%s", sync->why);
    }
}

static void replay(const struct capture *capture, uint32_t snapshot_after)
{
    struct instrument_table *table = calloc(1, sizeof *table);
    struct file stream = load("%s_ws_combined_%s_2021.jsonl", capture);
    struct file depth = load("%s_rest_depth_%s_2021.json", capture);
    struct sync sync;
    void *memory = aligned_alloc(128, sync_bytes(BOOK_LEVELS_DEFAULT));
    table_of(table, capture);
    sync_init(&sync, memory, BOOK_LEVELS_DEFAULT, capture->product, venue_binance.feed->link);
    struct feed_parser parser = {
        .instruments = table,
        .venue = VENUE_BINANCE,
        .product = capture->product,
        .levels = calloc(FEED_LEVELS_MAX, sizeof(struct level)),
        .level_capacity = FEED_LEVELS_MAX,
        .reply_instrument = NO_INSTRUMENT,
    };
    struct feed_parser reply = parser;
    reply.reply_instrument = 0;

    uint32_t line = 0;
    bool loaded = false;
    for (char *at = stream.bytes; at < stream.bytes + stream.count; line++) {
        char *end = strchr(at, '\n');
        end = end == NULL ? stream.bytes + stream.count : end;
        cr_assert_gt(venue_binance.feed->parse(&parser, at, (size_t)(end - at), to_sync, &sync), 0,
                     "line %u: %s", line, parser.broken_why);
        at = end + 1;
        if (!loaded && (line >= snapshot_after || at >= stream.bytes + stream.count)) {
            /* asked for once a change has come, and not believed before it links */
            if (sync.state == SYNC_BUFFERING) {
                cr_assert_gt(venue_binance.feed->parse(&reply, depth.bytes, depth.count, to_sync, &sync), 0);
                loaded = true;
            }
        }
    }
    cr_assert_eq(sync.state, SYNC_SYNCED);
    cr_assert_eq(sync.gaps, 0);
    cr_assert_eq(sync.dropped, capture->dropped);
    cr_assert_eq(sync.applied, capture->applied);
    cr_assert_eq(sync.book.last, capture->last);
    cr_assert_eq(sync.book.side[SIDE_BUY].count, capture->bid_levels);
    cr_assert_eq(sync.book.side[SIDE_SELL].count, capture->ask_levels);
    expect_level(book_best(&sync.book, SIDE_BUY), capture->bid, capture->bid_qty);
    expect_level(book_best(&sync.book, SIDE_SELL), capture->ask, capture->ask_qty);
    free(parser.levels);
    free(memory);
    free(table);
    free(stream.bytes - 64);
    free(depth.bytes - 64);
}

ParameterizedTestParameters(captures, end_with_the_expected_book_whenever_the_snapshot_comes)
{
    return cr_make_param_array(struct capture, captures, POISE_COUNT_OF(captures));
}

ParameterizedTest(struct capture *capture, captures, end_with_the_expected_book_whenever_the_snapshot_comes)
{
    replay(capture, 0);
    replay(capture, 20);
    replay(capture, 100);
    replay(capture, UINT32_MAX);
}

/* ---- through the role ---- */

static void *take(void *context, size_t bytes)
{
    (void)context;
    bytes = (bytes + 127) / 128 * 128;
    void *memory = aligned_alloc(128, bytes);
    memset(memory, 0, bytes);
    return memory;
}

static bool resolve(void *context, uint8_t venue, const char *host, struct role_address *address)
{
    (void)context;
    (void)venue;
    (void)host;
    address->address[0] = "127.0.0.1";
    address->count = 1;
    return true;
}

struct seen {
    struct book_view view;
    uint32_t state, books, tops;
    uint64_t sequence;
};

static void read_all(struct channel *channel, struct seen *seen)
{
    const struct slot *slot;
    while ((slot = channel_peek(channel)) != NULL) {
        const struct record_head *head = record_head_of(slot);
        if (head->type == RECORD_FEED_STATE) {
            seen->state = ((const struct record_state *)slot)->value;
        }
        seen->tops += head->type == RECORD_TOP;
        if (head->type == RECORD_BOOK) {
            const struct record_book *book = (const struct record_book *)slot;
            struct book_view *view = &seen->view;
            seen->books++;
            seen->sequence = book->sequence;
            if (head->flags & RECORD_FLAG_SNAP) {
                view->count[0] = view->count[1] = 0;
            }
            for (uint32_t i = 0; i < book->bid_count + (uint32_t)book->ask_count; i++) {
                int s = i < book->bid_count ? SIDE_BUY : SIDE_SELL;
                const struct level *level = record_level(book, i);
                uint32_t at = 0;
                while (at < view->count[s] && (s == SIDE_BUY ? view->level[s][at].price > level->price
                                                             : view->level[s][at].price < level->price)) {
                    at++;
                }
                if (at < view->count[s] && view->level[s][at].price == level->price) {
                    view->count[s]--;
                    memmove(&view->level[s][at], &view->level[s][at + 1],
                            (view->count[s] - at) * sizeof(struct level));
                }
                if (level->qty != 0) {
                    cr_assert_lt(view->count[s], BOOK_DEPTH_MAX);
                    memmove(&view->level[s][at + 1], &view->level[s][at],
                            (view->count[s] - at) * sizeof(struct level));
                    view->level[s][at] = *level;
                    view->count[s]++;
                }
            }
        }
        channel_release(channel);
    }
}

ParameterizedTestParameters(captures, are_published_to_the_last_level)
{
    return cr_make_param_array(struct capture, captures, POISE_COUNT_OF(captures));
}

ParameterizedTest(struct capture *capture, captures, are_published_to_the_last_level)
{
    struct instrument_table *table = calloc(1, sizeof *table);
    struct file stream = load("%s_ws_combined_%s_2021.jsonl", capture);
    struct file depth = load("%s_rest_depth_%s_2021.json", capture);
    struct fake_net *net = fake_net_create();
    char path[64], error[256];
    table_of(table, capture);
    snprintf(path, sizeof path, "/tmp/poise-test-captures-%d", (int)getpid());
    struct counters *counters = counters_create(path);
    unlink(path);
    struct channel channel = { .queue = queue_init(take(NULL, queue_bytes(4096)), 4096) };
    struct feed_options options = {
        .name = "feed.0",
        .venue = &venue_binance,
        .product = capture->product,
        .instruments = table,
        .wanted = { 0 },
        .wanted_count = 1,
        .depth_levels = 20,
        .stale_ns = 5 * NS_PER_S,
        .out = &channel,
        .net = (struct net *)(void *)net,
        .counters = counters,
        .resolve = resolve,
        .take = take,
    };
    struct feed *feed = feed_create(&options, error, sizeof error);
    cr_assert_not_null(feed, "%s", error);
    uint64_t now = 1000 * NS_PER_S;
    struct conn *rest = NULL;
    feed_start(feed, now);
    for (uint32_t i = 0; i < net->conn_count; i++) {
        fake_up(net->conn[i], now);
        rest = net->conn[i]->kind == CONN_HTTP ? net->conn[i] : rest;
    }
    for (int i = 0; i < 300; i++) {
        feed_poll(feed, now += NS_PER_MS, 0);
    }
    struct seen seen = { 0 };
    bool answered = false;
    uint32_t line = 0;
    for (char *at = stream.bytes; at < stream.bytes + stream.count; line++) {
        char *end = strchr(at, '\n');
        end = end == NULL ? stream.bytes + stream.count : end;
        now += 10 * NS_PER_MS;
        fake_message(net->conn[0], at, (size_t)(end - at), now);
        at = end + 1;
        feed_poll(feed, now, 0);
        if (rest->requested && line > 60) {
            fake_response(rest, 200, "", depth.bytes, depth.count, now);
            answered = true;
        }
        read_all(&channel, &seen);
    }
    if (!answered) {
        cr_assert(rest->requested);
        fake_response(rest, 200, "", depth.bytes, depth.count, now);
    }
    feed_poll(feed, now + NS_PER_MS, 0);
    read_all(&channel, &seen);
    cr_assert_eq(seen.state, FEED_LIVE);
    cr_assert(feed_live(feed));
    cr_assert_eq(seen.sequence, capture->last);
    cr_assert_gt(seen.tops, 0);
    cr_assert_eq(seen.view.count[SIDE_BUY], 20);
    cr_assert_eq(seen.view.count[SIDE_SELL], 20);
    expect_level(&seen.view.level[SIDE_BUY][0], capture->bid, capture->bid_qty);
    expect_level(&seen.view.level[SIDE_SELL][0], capture->ask, capture->ask_qty);
    cr_assert_eq(counters_find(counters, "feed.0.broken", -1), 0);
    cr_assert_eq(counters_find(counters, "feed.0.gaps", -1), 0);
}
