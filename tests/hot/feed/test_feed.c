#include "hot/feed/feed.h"

#include "hot/feed/book.h"
#include "ring/clock.h"
#include "ring/queue.h"
#include "tests/hot/feed/fake_conn.h"
#include "tests/hot/feed/fake_venue.h"
#include "tests/hot/feed/no_heap.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define PRICES 400
#define COINS  2
#define STALE  (2 * NS_PER_S)

/* What one instrument is, at the venue. */
struct coin {
    uint64_t id;
    int64_t qty[2][PRICES];
};

/* What a reader of the channel knows of it. */
struct reader {
    struct book_view view;
    uint32_t state, books, snaps, states, tops, trades, marks;
    uint64_t sequence;
    struct record_mark mark;
    struct record_state state_record;
    struct record_top top;
};

struct bench {
    struct instrument_table table;
    struct fake_net *net;
    struct counters *counters;
    struct channel channel;
    struct feed *feed;
    struct conn *books, *marks, *rest;
    uint64_t now;
    struct coin coin[COINS];
    struct reader reader[COINS];
};

static uint64_t random_state = 88172645463325252ULL;

static uint64_t draw(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

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

static struct bench *make(uint64_t slots, uint32_t depth)
{
    char path[64], error[256];
    struct bench *b = calloc(1, sizeof *b);
    fake_table(&b->table, COINS);
    b->net = fake_net_create();
    snprintf(path, sizeof path, "/tmp/poise-test-feed-%d", (int)getpid());
    b->counters = counters_create(path);
    unlink(path);
    b->channel.queue = queue_init(take(NULL, queue_bytes(slots)), slots);
    struct feed_options options = {
        .name = "feed.0",
        .venue = &fake_venue,
        .product = PRODUCT_LINEAR,
        .instruments = &b->table,
        .wanted = { 0, 1 },
        .wanted_count = COINS,
        .depth_levels = depth,
        .book_levels = 1024,
        .stale_ns = STALE,
        .out = &b->channel,
        .net = (struct net *)(void *)b->net,
        .counters = b->counters,
        .resolve = resolve,
        .take = take,
    };
    b->feed = feed_create(&options, error, sizeof error);
    cr_assert_not_null(b->feed, "%s", error);
    b->books = fake_find(b->net, CONN_WS, "books");
    b->marks = fake_find(b->net, CONN_WS, "marks");
    b->rest = fake_find(b->net, CONN_HTTP, "rest");
    cr_assert(b->books != NULL && b->marks != NULL && b->rest != NULL);
    cr_assert_eq(feed_connection_count(b->feed), 3);
    b->now = 1000 * NS_PER_S;
    for (int i = 0; i < COINS; i++) {
        b->coin[i].id = 1000;
        for (int64_t p = 100; p < 200; p++) {
            b->coin[i].qty[SIDE_BUY][p] = p;
            b->coin[i].qty[SIDE_SELL][p + 100] = p;
        }
    }
    return b;
}

static int64_t count_of(struct bench *b, const char *name)
{
    char full[64];
    snprintf(full, sizeof full, "feed.0.%s", name);
    return counters_find(b->counters, full, -1);
}

/* The reader's rules are the record's: a snapshot replaces, anything else sets or deletes one price. */
static void reader_set(struct book_view *view, enum side side, struct level level)
{
    struct level *at = view->level[side];
    uint32_t count = view->count[side], i = 0;
    int64_t sign = side == SIDE_BUY ? 1 : -1;
    while (i < count && sign * at[i].price > sign * level.price) {
        i++;
    }
    if (i < count && at[i].price == level.price) {
        if (level.qty != 0) {
            at[i] = level;
            return;
        }
        memmove(&at[i], &at[i + 1], (count - i - 1) * sizeof *at);
        view->count[side]--;
        return;
    }
    if (level.qty == 0 || i == BOOK_DEPTH_MAX) {
        return;
    }
    count -= count == BOOK_DEPTH_MAX;
    memmove(&at[i + 1], &at[i], (count - i) * sizeof *at);
    at[i] = level;
    view->count[side] = count + 1;
}

static void read_one(struct bench *b, const struct slot *slot)
{
    const struct record_head *head = record_head_of(slot);
    struct reader *r = &b->reader[head->instrument];
    cr_assert_lt(head->instrument, COINS);
    cr_assert_neq(head->stamp_ns, 0);
    if (head->type == RECORD_BOOK) {
        const struct record_book *book = (const struct record_book *)slot;
        r->books++;
        r->sequence = book->sequence;
        if (head->flags & RECORD_FLAG_SNAP) {
            memset(&r->view, 0, sizeof r->view);
            r->snaps++;
        }
        for (uint32_t i = 0; i < book->bid_count + (uint32_t)book->ask_count; i++) {
            reader_set(&r->view, i < book->bid_count ? SIDE_BUY : SIDE_SELL, *record_level(book, i));
        }
    } else if (head->type == RECORD_FEED_STATE) {
        r->state_record = *(const struct record_state *)slot;
        cr_assert_eq(r->state_record.previous, r->state);
        r->state = r->state_record.value;
        r->states++;
    } else if (head->type == RECORD_TOP) {
        r->top = *(const struct record_top *)slot;
        r->tops++;
    } else if (head->type == RECORD_TRADE) {
        r->trades++;
    } else if (head->type == RECORD_MARK) {
        r->mark = *(const struct record_mark *)slot;
        r->marks++;
    }
}

static void read_all(struct bench *b)
{
    const struct slot *slot;
    while ((slot = channel_peek(&b->channel)) != NULL) {
        read_one(b, slot);
        channel_release(&b->channel);
    }
}

static void expect_top(struct bench *b, int coin, uint32_t n)
{
    struct book_view expected = { 0 };
    const struct coin *c = &b->coin[coin];
    for (int64_t p = PRICES - 1; p >= 0 && expected.count[0] < n; p--) {
        if (c->qty[0][p] != 0) {
            expected.level[0][expected.count[0]++] = (struct level){ p, c->qty[0][p] };
        }
    }
    for (int64_t p = 0; p < PRICES && expected.count[1] < n; p++) {
        if (c->qty[1][p] != 0) {
            expected.level[1][expected.count[1]++] = (struct level){ p, c->qty[1][p] };
        }
    }
    for (int s = 0; s < 2; s++) {
        cr_assert_eq(b->reader[coin].view.count[s], expected.count[s], "coin %d side %d", coin, s);
        cr_assert_arr_eq(b->reader[coin].view.level[s], expected.level[s],
                         expected.count[s] * sizeof(struct level));
    }
}

static void send_event(struct bench *b, struct conn *conn, const struct fake_wire *wire)
{
    fake_message(conn, wire, sizeof *wire, b->now);
}

static struct fake_wire *wire_of(enum feed_event_kind kind, int coin)
{
    static struct fake_wire wire;
    memset(&wire, 0, sizeof wire);
    wire.magic = FAKE_WIRE_MAGIC;
    wire.event.kind = (uint8_t)kind;
    wire.event.instrument = (uint16_t)coin;
    return &wire;
}

/* Changes the coin at the venue by `many` random levels and answers the message that says so. */
static struct fake_wire *move(struct bench *b, int coin, uint32_t many)
{
    struct fake_wire *wire = wire_of(FEED_EVENT_DEPTH, coin);
    struct coin *c = &b->coin[coin];
    struct level bids[64], asks[64];
    for (uint32_t i = 0; i < many; i++) {
        int64_t bid = 199 - (int64_t)(draw() % 40), ask = 200 + (int64_t)(draw() % 40);
        int64_t qty = draw() % 3 == 0 ? 0 : (int64_t)(draw() % 50 + 1);
        c->qty[0][bid] = qty;
        c->qty[1][ask] = qty;
        bids[i] = (struct level){ bid, qty };
        asks[i] = (struct level){ ask, qty };
    }
    memcpy(wire->level, bids, many * sizeof *bids);
    memcpy(wire->level + many, asks, many * sizeof *asks);
    wire->event.bid_count = wire->event.ask_count = many;
    wire->event.previous = c->id;
    wire->event.first = c->id + 3;
    c->id += 10;
    wire->event.last = c->id;
    wire->event.venue_time_ns = (int64_t)b->now + 1723161255000000000;
    return wire;
}

static void answer_snapshot(struct bench *b, int coin)
{
    struct fake_wire *wire = wire_of(FEED_EVENT_DEPTH, coin);
    struct coin *c = &b->coin[coin];
    uint32_t bids = 0, asks = 0;
    wire->event.flags = FEED_EVENT_SNAPSHOT;
    wire->event.last = c->id;
    for (int64_t p = PRICES - 1; p >= 0; p--) {
        if (c->qty[0][p] != 0) {
            wire->level[bids++] = (struct level){ p, c->qty[0][p] };
        }
    }
    for (int64_t p = 0; p < PRICES; p++) {
        if (c->qty[1][p] != 0) {
            wire->level[bids + asks++] = (struct level){ p, c->qty[1][p] };
        }
    }
    wire->event.bid_count = bids;
    wire->event.ask_count = asks;
    fake_response(b->rest, 200, "", wire, sizeof *wire, b->now);
}

static void turn(struct bench *b, uint64_t ns)
{
    b->now += ns;
    feed_poll(b->feed, b->now, 0);
}

/* Answers every snapshot request that comes within `ms` milliseconds. */
static uint32_t serve(struct bench *b, uint32_t ms)
{
    uint32_t served = 0;
    for (uint32_t i = 0; i < ms; i++) {
        uint32_t before = b->net->sent_count;
        turn(b, NS_PER_MS);
        if (b->net->sent_count != before && b->net->sent[before].is_request) {
            answer_snapshot(b, b->net->sent[before].text[strlen("GET /depth?symbol=C")] - '0');
            served++;
        }
    }
    return served;
}

static void go_live(struct bench *b)
{
    feed_start(b->feed, b->now);
    fake_up(b->books, b->now);
    fake_up(b->marks, b->now);
    fake_up(b->rest, b->now);
    turn(b, 200 * NS_PER_MS); /* the end of the subscriptions is found after the pause */
    for (int i = 0; i < COINS; i++) {
        send_event(b, b->books, move(b, i, 3));
    }
    cr_assert_eq(serve(b, 20), COINS);
    read_all(b);
    for (int i = 0; i < COINS; i++) {
        cr_assert_eq(b->reader[i].state, FEED_LIVE);
        expect_top(b, i, 20);
    }
    cr_assert(feed_live(b->feed));
}

Test(feed, starts_with_syncing_and_becomes_live_with_all_of_the_top)
{
    struct bench *b = make(4096, 20);
    feed_start(b->feed, b->now);
    cr_assert_eq(b->books->opens, 1);
    fake_up(b->books, b->now);
    fake_up(b->marks, b->now);
    fake_up(b->rest, b->now);
    cr_assert_str_eq(b->net->sent[0].text, "subscribe books 0");
    turn(b, 200 * NS_PER_MS);
    cr_assert_eq(b->books->state, CONN_LIVE);
    read_all(b);
    cr_assert_eq(b->reader[0].state, FEED_SYNCING);
    send_event(b, b->books, move(b, 0, 3));
    read_all(b);
    cr_assert_eq(b->reader[0].books, 0, "nothing is known yet");
    cr_assert_eq(serve(b, 5), 1);
    read_all(b);
    cr_assert_eq(b->reader[0].state, FEED_LIVE);
    cr_assert_eq(b->reader[0].snaps, 1);
    cr_assert_eq(b->reader[0].sequence, b->coin[0].id);
    cr_assert_eq(b->reader[1].state, FEED_SYNCING);
    cr_assert_not(feed_live(b->feed));
    expect_top(b, 0, 20);
}

Test(feed, the_reader_sees_the_top_after_every_change)
{
    static const uint32_t depths[] = { 1, 7, 20 };
    for (size_t d = 0; d < POISE_COUNT_OF(depths); d++) {
        struct bench *b = make(4096, depths[d]);
        feed_start(b->feed, b->now);
        fake_up(b->books, b->now);
        fake_up(b->rest, b->now);
        turn(b, 200 * NS_PER_MS);
        send_event(b, b->books, move(b, 0, 1));
        send_event(b, b->books, move(b, 1, 1));
        serve(b, 10);
        for (int i = 0; i < 20000; i++) {
            int coin = (int)(draw() % COINS);
            b->now += NS_PER_MS;
            send_event(b, b->books, move(b, coin, (uint32_t)(draw() % 30)));
            read_all(b);
            expect_top(b, coin, depths[d]);
        }
        cr_assert_eq(count_of(b, "gaps"), 0);
        cr_assert_eq(count_of(b, "dropped"), 0);
        cr_assert_lt(b->reader[0].snaps, 200, "whole tops are the exception");
    }
}

Test(feed, nothing_of_a_book_with_a_gap_is_published_until_it_is_proved_again)
{
    struct bench *b = make(4096, 20);
    go_live(b);
    uint32_t books = b->reader[0].books;
    move(b, 0, 3); /* lost on the way */
    send_event(b, b->books, move(b, 0, 3));
    read_all(b);
    cr_assert_eq(b->reader[0].state, FEED_GAP);
    cr_assert_str_eq(b->reader[0].state_record.text, "missing update");
    for (int i = 0; i < 50; i++) {
        send_event(b, b->books, move(b, 0, 3));
        struct fake_wire *top = wire_of(FEED_EVENT_TOP, 0);
        top->event.last = b->coin[0].id;
        send_event(b, b->books, top);
    }
    read_all(b);
    cr_assert_eq(b->reader[0].books, books);
    cr_assert_eq(b->reader[0].tops, 0);
    cr_assert_eq(b->reader[1].state, FEED_LIVE, "the other book has no gap");
    cr_assert_geq(serve(b, 600), 1);
    read_all(b);
    cr_assert_eq(b->reader[0].state, FEED_LIVE);
    cr_assert_eq(b->reader[0].books, books + 1);
    expect_top(b, 0, 20);
    cr_assert_eq(count_of(b, "gaps"), 1);
}

Test(feed, a_full_channel_is_counted_and_followed_by_all_of_the_top)
{
    struct bench *b = make(64, 20);
    go_live(b);
    uint32_t snaps = b->reader[0].snaps;
    for (int i = 0; i < 200; i++) {
        b->now += NS_PER_MS;
        send_event(b, b->books, move(b, 0, 5));
    }
    cr_assert_gt(count_of(b, "dropped"), 100);
    read_all(b); /* now there is room */
    send_event(b, b->books, move(b, 0, 1));
    read_all(b);
    cr_assert_eq(b->reader[0].snaps, snaps + 1);
    expect_top(b, 0, 20);

    for (int i = 0; i < 200; i++) {
        b->now += NS_PER_MS;
        send_event(b, b->books, move(b, 0, 5));
    }
    read_all(b);
    turn(b, NS_PER_MS); /* also without another change */
    read_all(b);
    cr_assert_eq(b->reader[0].snaps, snaps + 2);
    expect_top(b, 0, 20);
}

Test(feed, a_state_that_found_no_room_is_told_later)
{
    struct bench *b = make(64, 20);
    go_live(b);
    for (int i = 0; i < 200; i++) {
        send_event(b, b->books, wire_of(FEED_EVENT_TRADE, 1));
    }
    move(b, 0, 1);
    send_event(b, b->books, move(b, 0, 1)); /* a gap nobody can be told of */
    read_all(b);
    cr_assert_eq(b->reader[0].state, FEED_LIVE);
    turn(b, NS_PER_MS);
    read_all(b);
    cr_assert_eq(b->reader[0].state, FEED_GAP);
}

Test(feed, a_lost_connection_takes_the_proof_with_it)
{
    struct bench *b = make(4096, 20);
    go_live(b);
    fake_down(b->marks, b->now);
    read_all(b);
    cr_assert_eq(b->reader[0].state, FEED_LIVE, "marks bring no changes");
    fake_up(b->marks, b->now);
    fake_down(b->books, b->now);
    read_all(b);
    cr_assert_eq(b->reader[0].state, FEED_DOWN);
    cr_assert_eq(b->reader[1].state, FEED_DOWN);
    move(b, 0, 5); /* missed while away */
    turn(b, NS_PER_S);
    fake_up(b->books, b->now);
    read_all(b);
    cr_assert_eq(b->reader[0].state, FEED_SYNCING);
    turn(b, 200 * NS_PER_MS);
    send_event(b, b->books, move(b, 0, 5));
    send_event(b, b->books, move(b, 1, 5));
    serve(b, 1000);
    read_all(b);
    cr_assert(feed_live(b->feed));
    expect_top(b, 0, 20);
    expect_top(b, 1, 20);
}

Test(feed, a_broken_change_is_counted_and_found_by_the_next)
{
    struct bench *b = make(4096, 20);
    go_live(b);
    struct fake_wire *wire = move(b, 0, 5);
    wire->magic = 0;
    send_event(b, b->books, wire);
    fake_message(b->books, "{", 1, b->now);
    fake_message(b->books, "", 0, b->now);
    cr_assert_eq(count_of(b, "broken"), 3);
    read_all(b);
    cr_assert_eq(b->reader[0].state, FEED_LIVE);
    send_event(b, b->books, move(b, 0, 5));
    read_all(b);
    cr_assert_eq(b->reader[0].state, FEED_GAP);
    serve(b, 1000);
    read_all(b);
    cr_assert_eq(b->reader[0].state, FEED_LIVE);
    expect_top(b, 0, 20);
}

Test(feed, an_old_snapshot_is_asked_for_again)
{
    struct bench *b = make(4096, 20);
    feed_start(b->feed, b->now);
    fake_up(b->books, b->now);
    fake_up(b->rest, b->now);
    turn(b, 200 * NS_PER_MS);
    send_event(b, b->books, move(b, 0, 1));
    turn(b, NS_PER_MS);
    uint64_t id = b->coin[0].id;
    b->coin[0].id = 500; /* the venue's cache is behind */
    answer_snapshot(b, 0);
    b->coin[0].id = id;
    read_all(b);
    cr_assert_eq(b->reader[0].state, FEED_SYNCING);
    cr_assert_eq(count_of(b, "snapshots_old"), 1);
    cr_assert_eq(serve(b, 400), 0, "not at once");
    cr_assert_eq(serve(b, 200), 1);
    read_all(b);
    cr_assert_eq(b->reader[0].state, FEED_LIVE);
    expect_top(b, 0, 20);
}

Test(feed, a_refused_snapshot_waits_as_long_as_the_venue_says)
{
    struct bench *b = make(4096, 20);
    feed_start(b->feed, b->now);
    fake_up(b->books, b->now);
    fake_up(b->rest, b->now);
    turn(b, 200 * NS_PER_MS);
    send_event(b, b->books, move(b, 0, 1));
    turn(b, NS_PER_MS);
    fake_response(b->rest, 429, "Retry-After: 5\r\n", "{}", 2, b->now);
    cr_assert_eq(serve(b, 4990), 0);
    cr_assert_eq(serve(b, 20), 1);
    cr_assert_eq(count_of(b, "snapshots_refused"), 1);
    read_all(b);
    cr_assert_eq(b->reader[0].state, FEED_LIVE);
}

Test(feed, a_snapshot_connection_that_dies_is_asked_again)
{
    struct bench *b = make(4096, 20);
    feed_start(b->feed, b->now);
    fake_up(b->books, b->now);
    fake_up(b->rest, b->now);
    turn(b, 200 * NS_PER_MS);
    send_event(b, b->books, move(b, 0, 1));
    turn(b, NS_PER_MS);
    cr_assert_eq(count_of(b, "snapshots_asked"), 1);
    fake_down(b->rest, b->now);
    turn(b, NS_PER_S);
    fake_up(b->rest, b->now);
    cr_assert_eq(serve(b, 10), 1);
    read_all(b);
    cr_assert_eq(b->reader[0].state, FEED_LIVE);
}

Test(feed, subscriptions_are_paced)
{
    fake_subscribe_steps = 20;
    struct bench *b = make(4096, 20);
    feed_start(b->feed, b->now);
    fake_up(b->books, b->now);
    uint32_t most = 0;
    uint32_t at[6000] = { 0 };
    for (uint32_t ms = 0; ms < 5000; ms++) {
        turn(b, NS_PER_MS);
        at[ms] = b->net->sent_count;
        if (ms >= 1000) {
            most = at[ms] - at[ms - 1000] > most ? at[ms] - at[ms - 1000] : most;
        }
    }
    cr_assert_eq(b->net->sent_count, 20);
    cr_assert_leq(most, 10);
    cr_assert_eq(b->books->state, CONN_LIVE);
    fake_subscribe_steps = 1;
}

Test(feed, a_silent_connection_makes_its_books_stale_until_it_speaks)
{
    struct bench *b = make(4096, 20);
    go_live(b);
    for (int i = 0; i < 30; i++) {
        turn(b, 100 * NS_PER_MS);
    }
    read_all(b);
    cr_assert_eq(b->reader[0].state, FEED_STALE);
    cr_assert_eq(b->reader[0].state_record.detail > (int64_t)STALE, true);
    send_event(b, b->books, move(b, 0, 2));
    read_all(b);
    cr_assert_eq(b->reader[0].state, FEED_LIVE);
    expect_top(b, 0, 20);
    turn(b, 200 * NS_PER_MS);
    read_all(b);
    cr_assert_eq(b->reader[1].state, FEED_LIVE, "the venue is there, this market is only quiet");
}

Test(feed, what_follows_a_silence_is_believed_only_if_it_links)
{
    struct bench *b = make(4096, 20);
    go_live(b);
    for (int i = 0; i < 30; i++) {
        turn(b, 100 * NS_PER_MS);
    }
    move(b, 0, 3);
    send_event(b, b->books, move(b, 0, 3));
    read_all(b);
    cr_assert_eq(b->reader[0].state, FEED_GAP);
    cr_assert_eq(b->reader[0].state_record.previous, FEED_STALE, "not live for a moment in between");
    serve(b, 1000);
    read_all(b);
    cr_assert_eq(b->reader[0].state, FEED_LIVE);
    expect_top(b, 0, 20);
}

Test(feed, a_book_that_stands_still_while_the_touch_moves_is_stale)
{
    struct bench *b = make(4096, 20);
    go_live(b);
    for (int i = 0; i < 30; i++) {
        struct fake_wire *top = wire_of(FEED_EVENT_TOP, 0);
        top->event.last = b->coin[0].id + 100 + (uint64_t)i;
        send_event(b, b->books, top);
        turn(b, 100 * NS_PER_MS);
    }
    read_all(b);
    cr_assert_eq(b->reader[0].state, FEED_STALE);
    cr_assert_str_eq(b->reader[0].state_record.text, "silent depth");
    cr_assert_eq(b->reader[0].tops, 30);
    cr_assert_eq(b->reader[1].state, FEED_LIVE);
}

Test(feed, a_late_change_makes_a_book_stale)
{
    struct bench *b = make(4096, 20);
    go_live(b);
    struct fake_wire *wire = move(b, 0, 2);
    wire->event.venue_time_ns -= 3 * (int64_t)NS_PER_S;
    send_event(b, b->books, wire);
    read_all(b);
    cr_assert_eq(b->reader[0].state, FEED_STALE);
    cr_assert_str_eq(b->reader[0].state_record.text, "late");
    send_event(b, b->books, move(b, 0, 2));
    read_all(b);
    cr_assert_eq(b->reader[0].state, FEED_LIVE);
    expect_top(b, 0, 20);
}

Test(feed, an_instrument_that_is_never_heard_makes_the_connection_new)
{
    struct bench *b = make(4096, 20);
    go_live(b);
    for (int i = 0; i < 400; i++) { /* forty seconds in which only coin 0 speaks */
        turn(b, 100 * NS_PER_MS);
        send_event(b, b->books, move(b, 0, 1));
        struct fake_wire *mark = wire_of(FEED_EVENT_MARK, i % 2);
        mark->event.u.mark.mark = 150;
        send_event(b, b->marks, mark);
        read_all(b);
    }
    cr_assert_eq(b->books->drops, 1);
    cr_assert_eq(b->marks->drops, 0);
    cr_assert_eq(count_of(b, "silent_streams"), 1);
}

Test(feed, a_shutdown_notice_reconnects_at_once)
{
    struct bench *b = make(4096, 20);
    go_live(b);
    struct fake_wire *wire = wire_of(FEED_EVENT_CONTROL, 0);
    wire->event.control = CONTROL_SHUTDOWN;
    send_event(b, b->marks, wire);
    cr_assert_eq(b->marks->drops, 1);
    cr_assert_eq(b->books->drops, 0);
}

Test(feed, old_tops_and_trades_outside_the_book_are_not_passed_on)
{
    struct bench *b = make(4096, 20);
    go_live(b);
    struct fake_wire *top = wire_of(FEED_EVENT_TOP, 0);
    top->event.last = b->coin[0].id - 1;
    send_event(b, b->books, top);
    top->event.last = b->coin[0].id + 1;
    top->event.u.top.bid_price = 77;
    send_event(b, b->books, top);
    send_event(b, b->books, top);
    read_all(b);
    cr_assert_eq(b->reader[0].tops, 1);
    cr_assert_eq(b->reader[0].top.bid_price, 77);
    cr_assert_eq(count_of(b, "late_tops"), 2);

    struct fake_wire *trade = wire_of(FEED_EVENT_TRADE, 0);
    trade->event.flags = FEED_EVENT_OFF_BOOK;
    send_event(b, b->books, trade);
    trade->event.flags = 0;
    send_event(b, b->books, trade);
    read_all(b);
    cr_assert_eq(b->reader[0].trades, 1);
}

Test(feed, a_mark_carries_the_last_index_and_funding_only_when_told)
{
    struct bench *b = make(4096, 20);
    go_live(b);
    struct fake_wire *index = wire_of(FEED_EVENT_INDEX, 0);
    index->event.u.mark.index = 149;
    send_event(b, b->marks, index);
    struct fake_wire *mark = wire_of(FEED_EVENT_MARK, 0);
    mark->event.u.mark.mark = 150;
    mark->event.u.mark.rate_e12 = 99;
    send_event(b, b->marks, mark);
    read_all(b);
    cr_assert_eq(b->reader[0].marks, 1);
    cr_assert(b->reader[0].mark.mark == 150 && b->reader[0].mark.index == 149);
    cr_assert_eq(b->reader[0].mark.funding_rate_e12, 0);
    mark->event.u.mark.has_rate = true;
    mark->event.u.mark.next_funding_ns = 1000;
    send_event(b, b->marks, mark);
    read_all(b);
    cr_assert_eq(b->reader[0].mark.funding_rate_e12, 99);
}

Test(feed, a_quiet_top_is_still_said_to_be_alive)
{
    struct bench *b = make(4096, 20);
    go_live(b);
    uint32_t books = b->reader[0].books;
    for (int i = 0; i < 100; i++) {
        b->now += 10 * NS_PER_MS;
        send_event(b, b->books, move(b, 0, 0));
    }
    read_all(b);
    cr_assert_geq(b->reader[0].books - books, 15);
    cr_assert_leq(b->reader[0].books - books, 25);
}

Test(feed, takes_no_memory_after_it_was_created)
{
    struct bench *b = make(4096, 20);
    go_live(b);
    uint64_t before = no_heap_takes;
    uint64_t own = 0;
    for (int i = 0; i < 2000; i++) {
        b->now += NS_PER_MS;
        if (i % 100 == 50) {
            move(b, 0, 1); /* gaps too */
        }
        send_event(b, b->books, move(b, 0, 5));
        own++; /* the fake connection copies the message */
        uint32_t sent = b->net->sent_count;
        feed_poll(b->feed, b->now, 0);
        if (b->net->sent_count != sent) {
            answer_snapshot(b, 0);
            own++;
        }
        read_all(b);
    }
    cr_assert_gt(count_of(b, "gaps"), 1);
    cr_assert_eq(no_heap_takes - before, own);
}
