/* A venue with which the feed has a session: it logs in before it subscribes, is told what is served, answers
 * when it is asked whether it lives, and has lost books brought anew in the stream itself.  Deribit's own
 * messages, on connections without sockets. */
#include "hot/feed/feed.h"
#include "ring/clock.h"
#include "ring/queue.h"
#include "tests/hot/feed/fake_conn.h"

#include <criterion/criterion.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define COINS   2
#define STALE   (2 * NS_PER_S)
#define WALL_NS 1767978365493000000LL

static const char *const symbols[COINS] = { "BTC-PERPETUAL", "ETH-PERPETUAL" };

struct bench {
    struct instrument_table table;
    struct sign_key key;
    struct fake_net *net;
    struct counters *counters;
    struct channel channel;
    struct feed *feed;
    struct conn *conn;
    uint64_t now;
    uint32_t read; /* messages of ours looked at */
    uint32_t state[COINS], status[COINS], snaps[COINS], books[COINS], tops[COINS], trades[COINS];
    uint64_t sequence[COINS];
    struct record_mark mark[COINS];
    char why[COINS][40];
};

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

static struct bench *make(bool with_key)
{
    char path[64], error[256];
    struct bench *b = calloc(1, sizeof *b);
    instrument_table_reset(&b->table);
    for (int i = 0; i < COINS; i++) {
        struct instrument row = { .venue = VENUE_DERIBIT,
                                  .product = PRODUCT_INVERSE,
                                  .kind = KIND_INVERSE_PERPETUAL,
                                  .status = INSTRUMENT_TRADING,
                                  .price_decimals = 2,
                                  .tick = 5,
                                  .lot = 1 };
        strcpy(row.symbol, symbols[i]);
        instrument_add(&b->table, &row);
    }
    cr_assert(sign_key_hmac(&b->key, "AMANDA", "AMANDASECRECT", 13));
    b->net = fake_net_create();
    snprintf(path, sizeof path, "/tmp/poise-test-feed-session-%d", (int)getpid());
    b->counters = counters_create(path);
    unlink(path);
    b->channel.queue = queue_init(take(NULL, queue_bytes(4096)), 4096);
    struct feed_options options = {
        .name = "feed.0",
        .venue = &venue_deribit,
        .product = PRODUCT_INVERSE,
        .instruments = &b->table,
        .wanted = { 0, 1 },
        .wanted_count = COINS,
        .depth_levels = 20,
        .book_levels = 1024,
        .stale_ns = STALE,
        .out = &b->channel,
        .net = (struct net *)(void *)b->net,
        .counters = b->counters,
        .resolve = resolve,
        .key = with_key ? &b->key : NULL,
        .take = take,
    };
    b->feed = feed_create(&options, error, sizeof error);
    cr_assert_not_null(b->feed, "%s", error);
    b->conn = fake_find(b->net, CONN_WS, "www.deribit.com");
    cr_assert_not_null(b->conn);
    cr_assert_str_eq(b->conn->path, "/ws/api/v2");
    cr_assert_eq(feed_connection_count(b->feed), 1, "no connection for snapshots");
    b->now = 1000 * NS_PER_S;
    feed_start(b->feed, b->now);
    return b;
}

static int64_t count_of(struct bench *b, const char *name)
{
    char full[64];
    snprintf(full, sizeof full, "feed.0.%s", name);
    return counters_find(b->counters, full, -1);
}

static void read_all(struct bench *b)
{
    const struct slot *slot;
    while ((slot = channel_peek(&b->channel)) != NULL) {
        const struct record_head *head = record_head_of(slot);
        const struct record_state *state = (const struct record_state *)slot;
        uint16_t i = head->instrument;
        switch (head->type) {
        case RECORD_BOOK:
            b->books[i]++;
            b->snaps[i] += (head->flags & RECORD_FLAG_SNAP) != 0;
            b->sequence[i] = ((const struct record_book *)slot)->sequence;
            break;
        case RECORD_FEED_STATE:
            b->state[i] = state->value;
            snprintf(b->why[i], sizeof b->why[i], "%s", state->text);
            break;
        case RECORD_INSTRUMENT_STATE:
            b->status[i] = state->value;
            break;
        case RECORD_TOP:
            b->tops[i]++;
            break;
        case RECORD_TRADE:
            b->trades[i]++;
            break;
        case RECORD_MARK:
            b->mark[i] = *(const struct record_mark *)slot;
            break;
        default:
            break;
        }
        channel_release(&b->channel);
    }
}

static void turns(struct bench *b, uint32_t ms)
{
    for (uint32_t i = 0; i < ms; i++) {
        b->now += NS_PER_MS;
        feed_poll(b->feed, b->now, WALL_NS);
    }
    read_all(b);
}

/* next answers what the feed sent since, oldest first, or "". */
static const char *next(struct bench *b)
{
    return b->read < b->net->sent_count ? b->net->sent[b->read++].text : "";
}

static bool is_method(const char *text, const char *method)
{
    char full[64];
    snprintf(full, sizeof full, "\"method\":\"%s\"", method);
    return strstr(text, full) != NULL;
}

static __attribute__((format(printf, 2, 3))) void say(struct bench *b, const char *format, ...)
{
    char text[4096];
    va_list list;
    va_start(list, format);
    int bytes = vsnprintf(text, sizeof text, format, list);
    va_end(list);
    fake_message(b->conn, text, (size_t)bytes, b->now);
    read_all(b);
}

static void say_snapshot(struct bench *b, int coin, uint64_t id)
{
    say(b,
        "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":\"book.%s.raw\",\"data\":{"
        "\"type\":\"snapshot\",\"timestamp\":1554373962454,\"instrument_name\":\"%s\",\"change_id\":%lu,"
        "\"bids\":[[\"new\",5042.34,30],[\"new\",5041.94,20]],\"asks\":[[\"new\",5042.64,40]]}}}",
        symbols[coin], symbols[coin], id);
}

static void say_change(struct bench *b, int coin, uint64_t previous, uint64_t id)
{
    say(b,
        "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":\"book.%s.raw\",\"data\":{"
        "\"type\":\"change\",\"timestamp\":%llu,\"prev_change_id\":%lu,\"instrument_name\":\"%s\","
        "\"change_id\":%lu,\"bids\":[[\"change\",5042.34,%lu]],\"asks\":[]}}}",
        symbols[coin], ((uint64_t)WALL_NS + b->now - 1000 * NS_PER_S) / NS_PER_MS, previous, symbols[coin],
        id, id % 1000 + 1);
}

/* Answers a subscription with all of its channels but one; NULL: with all, in the other order. */
static void acknowledge(struct bench *b, const char *request, const char *but)
{
    char list[4096] = "", id[64] = "";
    const char *from = strstr(request, "\"channels\":[") + 12, *end = strchr(from, ']');
    sscanf(strstr(request, "\"id\":") + 5, "\"%63[^\"]", id);
    while (from < end) {
        const char *close = strchr(from + 1, '"');
        char channel[96];
        snprintf(channel, sizeof channel, "%.*s", (int)(close - from + 1), from);
        if (but == NULL || strstr(channel, but) == NULL) {
            char longer[4096];
            snprintf(longer, sizeof longer, "%s%s%s", channel, list[0] != 0 ? "," : "", list);
            strcpy(list, longer);
        }
        from = close + 2;
    }
    say(b,
        "{\"jsonrpc\":\"2.0\",\"id\":\"%s\",\"result\":[%s],\"usIn\":1,\"usOut\":2,\"usDiff\":1,\"testnet\":"
        "false}",
        id, list);
}

static void say_login(struct bench *b)
{
    say(b, "{\"jsonrpc\":\"2.0\",\"id\":\"feed-login\",\"result\":{\"access_token\":\"x\",\"expires_in\":900,"
           "\"refresh_token\":\"y\",\"scope\":\"connection\",\"token_type\":\"bearer\"}}");
}

static const char *up_to_subscription(struct bench *b)
{
    const char *text;
    fake_up(b->conn, b->now);
    turns(b, 400);
    for (uint32_t i = 0; i < 8; i++) {
        if (is_method(text = next(b), "public/subscribe")) {
            return text;
        }
    }
    return "";
}

static void go_live(struct bench *b)
{
    fake_up(b->conn, b->now);
    turns(b, 150);
    say_login(b);
    turns(b, 400);
    const char *text;
    while (!is_method(text = next(b), "public/subscribe")) {
        cr_assert_neq(text[0], 0);
    }
    acknowledge(b, text, NULL);
    for (int i = 0; i < COINS; i++) {
        say_snapshot(b, i, 1000);
    }
    turns(b, 1);
    cr_assert(feed_live(b->feed));
}

Test(feed_session, logs_in_and_waits_for_the_answer_before_it_subscribes)
{
    struct bench *b = make(true);
    fake_up(b->conn, b->now);
    turns(b, 1000);
    cr_assert(is_method(next(b), "public/set_heartbeat"));
    const char *login = next(b);
    cr_assert(is_method(login, "public/auth"));
    cr_assert_not_null(strstr(login, "\"grant_type\":\"client_signature\",\"client_id\":\"AMANDA\","
                                     "\"timestamp\":1767978365493,"));
    cr_assert_null(strstr(login, "SECRECT"));
    cr_assert_null(strstr(login, "trade"), "the key of a feed asks for no right to trade");
    cr_assert_str_eq(next(b), "", "which channels there are depends on the answer");
    say_login(b);
    turns(b, 400);
    cr_assert(is_method(next(b), "public/status"));
    const char *subscription = next(b);
    cr_assert(is_method(subscription, "public/subscribe"));
    cr_assert_not_null(strstr(subscription, "\"book.BTC-PERPETUAL.raw\""));
    cr_assert_not_null(strstr(subscription, "\"trades.ETH-PERPETUAL.raw\""));
    cr_assert_not_null(strstr(subscription, "\"ticker.ETH-PERPETUAL.100ms\""));
    cr_assert_not_null(strstr(subscription, "\"platform_state\""));
    cr_assert_str_eq(next(b), "");
    cr_assert_eq(b->conn->state, CONN_LIVE);
}

Test(feed_session, without_a_key_takes_what_anybody_may_have)
{
    struct bench *b = make(false);
    const char *subscription = up_to_subscription(b);
    cr_assert_not_null(strstr(subscription, "\"book.BTC-PERPETUAL.100ms\""));
    cr_assert_not_null(strstr(subscription, "\"quote.BTC-PERPETUAL\""));
    cr_assert_null(strstr(subscription, ".raw"));
    for (uint32_t i = 0; i < b->net->sent_count; i++) {
        cr_assert_not(is_method(b->net->sent[i].text, "public/auth"));
    }
}

Test(feed_session, a_refused_login_goes_on_as_nobody)
{
    struct bench *b = make(true);
    fake_up(b->conn, b->now);
    turns(b, 200);
    say(b, "{\"jsonrpc\":\"2.0\",\"id\":\"feed-login\",\"error\":{\"message\":\"invalid_credentials\","
           "\"code\":13004},\"testnet\":false,\"usIn\":1,\"usOut\":2,\"usDiff\":1}");
    turns(b, 400);
    cr_assert_eq(count_of(b, "logins_refused"), 1);
    const char *text;
    while (!is_method(text = next(b), "public/subscribe")) {
        cr_assert_neq(text[0], 0);
    }
    cr_assert_null(strstr(text, ".raw"));
    cr_assert_not_null(strstr(text, "\"book.BTC-PERPETUAL.100ms\""));

    /* and tries again with the next connection */
    fake_down(b->conn, b->now);
    go_live(b);
    cr_assert_eq(count_of(b, "logins_refused"), 1);
}

Test(feed_session, a_login_without_an_answer_is_waited_for_five_seconds)
{
    struct bench *b = make(true);
    fake_up(b->conn, b->now);
    turns(b, 4900);
    uint32_t sent = b->net->sent_count;
    cr_assert_eq(sent, 2);
    turns(b, 500);
    cr_assert_gt(b->net->sent_count, sent);
    cr_assert_null(strstr(b->net->sent[b->net->sent_count - 1].text, ".raw"));
    cr_assert_eq(count_of(b, "logins_refused"), 1);
    say_login(b); /* too late: this connection has its channels */
    turns(b, 300);
    cr_assert_eq(count_of(b, "logins_refused"), 1);
}

Test(feed_session, every_snapshot_in_the_stream_proves_its_book)
{
    struct bench *b = make(true);
    go_live(b);
    for (int i = 0; i < COINS; i++) {
        cr_assert_eq(b->state[i], FEED_LIVE);
        cr_assert_eq(b->snaps[i], 1);
        cr_assert_eq(b->sequence[i], 1000);
    }
    cr_assert_eq(count_of(b, "stale"), 0, "a snapshot of years ago is not late");
    say_change(b, 0, 1000, 1007);
    cr_assert_eq(b->sequence[0], 1007);
    cr_assert_eq(count_of(b, "gaps"), 0);
    turns(b, 3000);
    cr_assert_eq(b->net->sent_count, b->read, "nothing more is asked for: three levels are all there are");
}

Test(feed_session, a_gap_leaves_and_joins_the_books_channel_until_it_is_proved_again)
{
    struct bench *b = make(true);
    go_live(b);
    uint32_t books = b->books[0];
    say_change(b, 0, 1005, 1009);
    cr_assert_eq(b->state[0], FEED_GAP);
    cr_assert_eq(b->state[1], FEED_LIVE);
    say_change(b, 0, 1009, 1012);
    cr_assert_eq(b->books[0], books, "a chain without its beginning proves nothing");
    turns(b, 300);
    const char *leave = next(b), *join = next(b);
    cr_assert(is_method(leave, "public/unsubscribe"));
    cr_assert(is_method(join, "public/subscribe"));
    cr_assert_not_null(strstr(leave, "\"channels\":[\"book.BTC-PERPETUAL.raw\"]"));
    cr_assert_not_null(strstr(join, "\"channels\":[\"book.BTC-PERPETUAL.raw\"]"));
    cr_assert_str_eq(next(b), "");
    acknowledge(b, leave, NULL);
    acknowledge(b, join, NULL);
    cr_assert_eq(b->state[0], FEED_GAP);
    say_snapshot(b, 0, 800); /* ids need not go on from where they were */
    cr_assert_eq(b->state[0], FEED_LIVE);
    cr_assert_eq(b->sequence[0], 800);
    say_change(b, 0, 800, 801);
    cr_assert_eq(b->sequence[0], 801);
    cr_assert_eq(count_of(b, "gaps"), 1);
    cr_assert_eq(count_of(b, "renewals"), 1);
    turns(b, 3000);
    cr_assert_str_eq(next(b), "");
}

Test(feed_session, books_lost_together_are_renewed_together_and_not_too_often)
{
    struct bench *b = make(true);
    go_live(b);
    say_change(b, 0, 1, 2000);
    say_change(b, 1, 1, 2000);
    turns(b, 1000);
    cr_assert_not_null(strstr(next(b), "[\"book.BTC-PERPETUAL.raw\",\"book.ETH-PERPETUAL.raw\"]"));
    next(b);
    cr_assert_str_eq(next(b), "", "the venue closes who asks again at once");
    turns(b, 2000);
    cr_assert(is_method(next(b), "public/unsubscribe"), "no snapshot came: once more");
    turns(b, 60000);
    cr_assert_lt(count_of(b, "renewals"), 12, "and less and less often");
}

Test(feed_session, a_change_before_any_snapshot_asks_for_one)
{
    struct bench *b = make(true);
    fake_up(b->conn, b->now);
    turns(b, 150);
    say_login(b);
    turns(b, 400);
    b->read = b->net->sent_count;
    say_change(b, 0, 1000, 1007);
    cr_assert_eq(b->state[0], FEED_SYNCING);
    turns(b, 300);
    cr_assert(is_method(next(b), "public/unsubscribe"));
}

Test(feed_session, a_channel_that_is_left_out_of_the_answer_is_noticed)
{
    struct bench *b = make(true);
    fake_up(b->conn, b->now);
    turns(b, 150);
    say_login(b);
    turns(b, 400);
    const char *text;
    while (!is_method(text = next(b), "public/subscribe")) {
        cr_assert_neq(text[0], 0);
    }
    acknowledge(b, text, "book.ETH-PERPETUAL");
    cr_assert_eq(count_of(b, "streams_refused"), 1);
    cr_assert_eq(b->state[1], FEED_DOWN);
    cr_assert_str_eq(b->why[1], "not served");
    say_snapshot(b, 0, 1000);
    cr_assert_eq(b->state[0], FEED_LIVE);
    turns(b, 29000);
    cr_assert_eq(b->conn->drops, 0, "what is served may be silent for as long as it likes");
    turns(b, 2000);
    cr_assert_eq(b->conn->drops, 1, "what is not is tried again");
}

Test(feed_session, silence_of_an_instrument_that_is_served_means_nothing)
{
    struct bench *b = make(true);
    go_live(b);
    turns(b, 120000);
    cr_assert_eq(b->conn->drops, 0);
    cr_assert_eq(count_of(b, "silent_streams"), 0);
}

Test(feed_session, answers_when_it_is_asked_whether_it_lives)
{
    struct bench *b = make(true);
    go_live(b);
    say(b, "{\"jsonrpc\":\"2.0\",\"method\":\"heartbeat\",\"params\":{\"type\":\"heartbeat\"}}");
    cr_assert_str_eq(next(b), "");
    say(b, "{\"jsonrpc\":\"2.0\",\"method\":\"heartbeat\",\"params\":{\"type\":\"test_request\"}}");
    cr_assert(is_method(next(b), "public/test"));
}

Test(feed_session, a_lock_above_an_instrument_outlasts_its_own_state)
{
    struct bench *b = make(true);
    go_live(b);
    static const char open[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":\"ticker.BTC-PERPETUAL."
        "100ms\",\"data\":{\"timestamp\":1554373962455,\"state\":\"%s\",\"instrument_name\":\"BTC-"
        "PERPETUAL\","
        "\"mark_price\":5042.5,\"index_price\":5042,\"current_funding\":1.6e-7,\"best_bid_price\":5042.34,"
        "\"best_bid_amount\":30,\"best_ask_price\":5042.64,\"best_ask_amount\":40}}}";
    say(b, open, "open");
    cr_assert_eq(b->status[0], 0, "it was trading before: nothing to tell");
    cr_assert_eq(b->mark[0].mark, 504250);
    cr_assert_eq(b->mark[0].funding_rate_e12, 160000);
    cr_assert_eq(b->mark[0].next_funding_ns, 1554373962455000000, "it accrues now");
    cr_assert_eq(b->tops[0], 1);
    say(b, "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":\"platform_state\","
           "\"data\":{"
           "\"locked\":true,\"price_index\":\"btc_usd\"}}}");
    cr_assert_eq(b->status[0], INSTRUMENT_CANCEL_ONLY);
    cr_assert_eq(b->status[1], 0);
    say(b, open, "open");
    cr_assert_eq(b->status[0], INSTRUMENT_CANCEL_ONLY);
    say(b, open, "settlement");
    cr_assert_eq(b->status[0], INSTRUMENT_SETTLING);
    say(b, open, "open");
    cr_assert_eq(b->status[0], INSTRUMENT_CANCEL_ONLY);
    say(b,
        "{\"jsonrpc\":\"2.0\",\"id\":\"feed-status\",\"result\":{\"locked\":\"partial\",\"locked_indices\":"
        "[\"eth_usd\"]}}");
    cr_assert_eq(b->status[0], INSTRUMENT_TRADING);
    cr_assert_eq(b->status[1], INSTRUMENT_CANCEL_ONLY);
    say(b, open, "a word of next year");
    cr_assert_eq(b->status[0], INSTRUMENT_UNKNOWN);
}

Test(feed_session, a_top_that_may_be_older_than_the_book_is_not_passed_on)
{
    struct bench *b = make(true);
    go_live(b);
    static const char quote[] = "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":"
                                "\"quote.BTC-PERPETUAL\",\"data\":{"
                                "\"timestamp\":%lu,\"instrument_name\":\"BTC-PERPETUAL\",\"best_bid_price\":"
                                "5042.34,\"best_bid_amount\":"
                                "%d,\"best_ask_price\":5042.64,\"best_ask_amount\":40}}}";
    say(b, quote, 1554373962454, 30);
    cr_assert_eq(b->tops[0], 0);
    cr_assert_eq(count_of(b, "late_tops"), 1);
    say(b, quote, 1554373962455, 30);
    cr_assert_eq(b->tops[0], 1);
    say(b, quote, 1554373962456, 31); /* the touch moves */
    for (int i = 0; i < 40; i++) {
        turns(b, 100);
        say(b, "{\"jsonrpc\":\"2.0\",\"method\":\"heartbeat\",\"params\":{\"type\":\"heartbeat\"}}");
    }
    cr_assert_eq(b->state[0], FEED_STALE);
    cr_assert_str_eq(b->why[0], "silent depth");
    say(b, quote, 1554373962457, 30); /* and is back where the book has it */
    cr_assert_eq(b->state[0], FEED_LIVE);
}

Test(feed_session, legs_of_combos_and_blocks_are_no_trades_of_the_book)
{
    struct bench *b = make(true);
    go_live(b);
    static const char trade[] = "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":"
                                "\"trades.BTC-PERPETUAL.raw\","
                                "\"data\":[{\"trade_seq\":1,\"trade_id\":\"5\",\"timestamp\":1554373962455,"
                                "\"price\":5042.5,\"amount\":10,"
                                "\"direction\":\"buy\",\"instrument_name\":\"BTC-PERPETUAL\"%s}]}}";
    say(b, trade, "");
    cr_assert_eq(b->trades[0], 1);
    say(b, trade, ",\"combo_trade_id\":\"43\"");
    say(b, trade, ",\"combo_id\":\"BTC-FS-25DEC26_PERP\"");
    say(b, trade, ",\"block_trade_id\":\"BLOCK-1\"");
    cr_assert_eq(b->trades[0], 1);
    cr_assert_eq(count_of(b, "off_book_trades"), 3);
    say(b, trade, ",\"combo_id\":null");
    cr_assert_eq(b->trades[0], 2);
}

Test(feed_session, a_lost_connection_begins_with_the_login_again)
{
    struct bench *b = make(true);
    go_live(b);
    fake_down(b->conn, b->now);
    read_all(b);
    cr_assert_eq(b->state[0], FEED_DOWN);
    b->read = b->net->sent_count;
    go_live(b);
    cr_assert_eq(b->state[0], FEED_LIVE);
    cr_assert_eq(b->state[1], FEED_LIVE);
}
