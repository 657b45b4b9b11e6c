#include "hot/feed/sync.h"
#include "hot/feed/ask.h"
#include "hot/feed/lag.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#define LEVELS 256

/* The futures rule: each change names the one before. */
static enum book_link chain(uint8_t product, uint64_t at, bool first, const struct feed_event *event)
{
    (void)product;
    if (event->previous == at) {
        return BOOK_LINK_APPLY;
    }
    if (first) {
        return event->last < at ? BOOK_LINK_DROP : event->first <= at ? BOOK_LINK_APPLY : BOOK_LINK_GAP;
    }
    return event->last <= at ? BOOK_LINK_DROP : BOOK_LINK_GAP;
}

static struct sync *make(void)
{
    struct sync *sync = calloc(1, sizeof *sync);
    sync_init(sync, aligned_alloc(128, sync_bytes(LEVELS) + 128 - sync_bytes(LEVELS) % 128), LEVELS,
              PRODUCT_LINEAR, chain);
    return sync;
}

static void unmake(struct sync *sync)
{
    free(sync->book.side[0].level);
    free(sync);
}

static struct level the_bid, the_ask;

/* change `id` follows `id - 10` and leaves bid 1000 + id and ask 2000 + id at quantity id */
static struct feed_event *change(uint64_t id)
{
    static struct feed_event event;
    memset(&event, 0, sizeof event);
    the_bid = (struct level){ 1000 + (int64_t)id, (int64_t)id };
    the_ask = (struct level){ 2000 + (int64_t)id, (int64_t)id };
    event.kind = FEED_EVENT_DEPTH;
    event.first = id - 5;
    event.last = id;
    event.previous = id - 10;
    event.bid_count = event.ask_count = 1;
    event.bids = &the_bid;
    event.asks = &the_ask;
    return &event;
}

static struct feed_event *snapshot(uint64_t id)
{
    struct feed_event *event = change(id);
    event->flags = FEED_EVENT_SNAPSHOT;
    event->first = event->previous = 0;
    the_bid.price = 900;
    the_ask.price = 1000000000;
    return event;
}

Test(sync, every_cell_of_the_table_does_what_it_says)
{
    /* what is true after each event, by state: -1 cannot happen */
    static const int expected[SYNC_STATE_COUNT][SYNC_EVENT_COUNT] = {
        [SYNC_EMPTY] = { SYNC_BUFFERING, SYNC_SYNCED, -1, -1, -1, SYNC_EMPTY },
        [SYNC_BUFFERING] = { SYNC_BUFFERING, SYNC_SYNCED, SYNC_BUFFERING, SYNC_BUFFERING, -1, SYNC_EMPTY },
        [SYNC_SYNCED] = { SYNC_SYNCED, SYNC_SYNCED, -1, SYNC_GAP, SYNC_REFRESHING, SYNC_EMPTY },
        [SYNC_REFRESHING] = { SYNC_REFRESHING, SYNC_SYNCED, SYNC_REFRESHING, SYNC_GAP, -1,
                              SYNC_EMPTY },
        [SYNC_GAP] = { SYNC_GAP, SYNC_SYNCED, SYNC_GAP, SYNC_GAP, -1, SYNC_EMPTY },
    };
    for (int s = 0; s < SYNC_STATE_COUNT; s++) {
        for (int e = 0; e < SYNC_EVENT_COUNT; e++) {
            cr_assert_eq(sync_next((enum sync_state)s, (enum sync_event)e), expected[s][e], "%d %d", s, e);
        }
    }
}

Test(sync, changes_wait_for_the_snapshot_and_follow_it)
{
    struct sync *sync = make();
    for (uint64_t id = 100; id <= 200; id += 10) {
        cr_assert_eq(sync_delta(sync, change(id)), SYNC_NOTHING);
    }
    cr_assert(sync_wants_snapshot(sync));
    cr_assert_eq(sync_snapshot(sync, snapshot(148)), SYNC_PROVED);
    cr_assert_eq(sync->state, SYNC_SYNCED);
    cr_assert_eq(sync->book.last, 200);
    cr_assert_eq(sync->dropped, 5, "100 to 140");
    cr_assert_eq(sync->applied, 6, "150 to 200");
    cr_assert_eq(book_best(&sync->book, SIDE_BUY)->price, 1200);
    cr_assert_eq(sync->book.side[SIDE_BUY].count, 7);
    cr_assert_eq(sync_delta(sync, change(210)), SYNC_CHANGED);
    unmake(sync);
}

Test(sync, a_snapshot_older_than_the_first_change_is_asked_for_again)
{
    struct sync *sync = make();
    sync_delta(sync, change(100));
    sync_delta(sync, change(110));
    cr_assert_eq(sync_snapshot(sync, snapshot(60)), SYNC_NOTHING);
    cr_assert_eq(sync->too_old, 1);
    cr_assert(sync_wants_snapshot(sync));
    cr_assert_eq(sync_snapshot(sync, snapshot(97)), SYNC_PROVED, "the changes were kept");
    cr_assert_eq(sync->book.last, 110);
    unmake(sync);
}

Test(sync, a_snapshot_newer_than_all_changes_is_checked_by_the_next)
{
    struct sync *sync = make();
    sync_delta(sync, change(100));
    cr_assert_eq(sync_snapshot(sync, snapshot(147)), SYNC_PROVED);
    cr_assert_eq(sync_delta(sync, change(140)), SYNC_NOTHING);
    cr_assert_eq(sync_delta(sync, change(150)), SYNC_CHANGED);

    sync_lost(sync);
    sync_delta(sync, change(100));
    cr_assert_eq(sync_snapshot(sync, snapshot(147)), SYNC_PROVED);
    cr_assert_eq(sync_delta(sync, change(170)), SYNC_BROKE, "150 and 160 are missing");
    unmake(sync);
}

Test(sync, a_missing_change_ends_the_proof_and_the_next_snapshot_restores_it)
{
    struct sync *sync = make();
    sync_delta(sync, change(100));
    sync_snapshot(sync, snapshot(100));
    cr_assert_eq(sync_delta(sync, change(120)), SYNC_BROKE);
    cr_assert_not(sync_proved(sync));
    cr_assert_eq(sync->gaps, 1);
    cr_assert_eq(sync_delta(sync, change(130)), SYNC_NOTHING);
    cr_assert_eq(sync_snapshot(sync, snapshot(117)), SYNC_PROVED);
    cr_assert_eq(sync->book.last, 130);
    unmake(sync);
}

Test(sync, a_hole_among_the_waiting_changes_is_found)
{
    struct sync *sync = make();
    sync_delta(sync, change(100));
    sync_delta(sync, change(110));
    sync_delta(sync, change(150));
    sync_delta(sync, change(160));
    cr_assert_eq(sync_snapshot(sync, snapshot(100)), SYNC_NOTHING);
    cr_assert_eq(sync->kept_count, 2, "what follows the hole is kept");
    cr_assert_eq(sync_snapshot(sync, snapshot(148)), SYNC_PROVED);
    cr_assert_eq(sync->book.last, 160);
    unmake(sync);
}

Test(sync, a_full_buffer_forgets_and_the_check_of_the_snapshot_finds_out)
{
    struct sync *sync = make();
    uint64_t id = 1000;
    while (sync->overflows == 0) {
        sync_delta(sync, change(id));
        id += 10;
    }
    cr_assert_leq(sync->kept_bytes, SYNC_KEPT_BYTES);
    cr_assert_eq(sync_snapshot(sync, snapshot(1000)), SYNC_NOTHING, "its successors are forgotten");
    cr_assert_eq(sync_snapshot(sync, snapshot(id - 10)), SYNC_PROVED);
    unmake(sync);
}

Test(sync, a_crossed_book_is_not_believed)
{
    struct sync *sync = make();
    sync_delta(sync, change(100));
    sync_snapshot(sync, snapshot(100));
    struct feed_event *event = change(110);
    the_bid.price = 2000000000;
    cr_assert_eq(sync_delta(sync, event), SYNC_BROKE);
    cr_assert_eq(sync->crossed, 1);
    cr_assert_eq(sync->state, SYNC_GAP);
    unmake(sync);
}

Test(sync, a_refresh_keeps_the_book_until_a_newer_one_links)
{
    struct sync *sync = make();
    sync_delta(sync, change(100));
    sync_snapshot(sync, snapshot(100));
    sync_delta(sync, change(110));
    sync_near(sync);
    cr_assert(sync_proved(sync) && sync_wants_snapshot(sync));
    cr_assert_eq(sync_snapshot(sync, snapshot(107)), SYNC_NOTHING,
                 "older than the book, and nothing between");
    cr_assert_eq(sync_delta(sync, change(120)), SYNC_CHANGED);
    cr_assert_eq(sync_delta(sync, change(130)), SYNC_CHANGED);
    cr_assert_eq(sync_snapshot(sync, snapshot(118)), SYNC_PROVED);
    cr_assert_eq(sync->state, SYNC_SYNCED);
    cr_assert_eq(sync->book.last, 130);
    cr_assert_eq(book_best(&sync->book, SIDE_BUY)->price, 1130);
    unmake(sync);
}

Test(sync, a_stream_that_brings_its_own_snapshot_needs_no_other)
{
    struct sync *sync = make();
    cr_assert_eq(sync_snapshot(sync, snapshot(100)), SYNC_PROVED);
    cr_assert_eq(sync_delta(sync, change(110)), SYNC_CHANGED);
    cr_assert_eq(sync_snapshot(sync, snapshot(200)), SYNC_PROVED);
    cr_assert_eq(sync->book.side[SIDE_BUY].count, 1);
    cr_assert_eq(sync_lost(sync), SYNC_BROKE);
    cr_assert_eq(sync->state, SYNC_EMPTY);
    cr_assert_eq(sync->book.side[SIDE_BUY].count, 0);
    unmake(sync);
}

Test(ask, pauses_double_and_come_back)
{
    struct ask ask = { 0 };
    struct ask_limit limit = { 0 };
    uint64_t now = 1000 * NS_PER_S;
    cr_assert(ask_may(&ask, &limit, now));
    ask_done(&ask, &limit, 20, now);
    cr_assert_not(ask_may(&ask, &limit, now + 499 * NS_PER_MS));
    cr_assert(ask_may(&ask, &limit, now + 500 * NS_PER_MS));
    for (int i = 0; i < 20; i++) {
        now = ask.next_ns;
        ask_done(&ask, &limit, 20, now);
    }
    cr_assert_eq(ask.pause_ns, ASK_PAUSE_MAX_NS);
    now += 61 * NS_PER_S;
    ask_done(&ask, &limit, 20, now);
    cr_assert_eq(ask.pause_ns, ASK_PAUSE_MIN_NS);
}

Test(ask, the_weight_of_all_together_is_bounded)
{
    struct ask_limit limit = { 0 };
    uint64_t now = 1000 * NS_PER_S;
    uint32_t weight = 0;
    for (uint64_t ms = 0; ms < 120000; ms++) {
        struct ask fresh = { 0 }; /* a thousand instruments that all want one */
        if (ask_may(&fresh, &limit, now + ms * NS_PER_MS)) {
            ask_done(&fresh, &limit, 20, now + ms * NS_PER_MS);
            weight += 20;
        }
    }
    cr_assert_leq(weight, 2 * ASK_WEIGHT_MINUTE + ASK_WEIGHT_BURST + 40);
    cr_assert_geq(weight, 2 * ASK_WEIGHT_MINUTE);
}

Test(ask, when_the_venue_says_wait_everyone_waits)
{
    struct ask ask = { 0 };
    struct ask_limit limit = { 0 };
    uint64_t now = 1000 * NS_PER_S;
    ask_hold(&limit, 429, 7, now);
    cr_assert_not(ask_may(&ask, &limit, now + 7 * NS_PER_S - 1));
    cr_assert(ask_may(&ask, &limit, now + 7 * NS_PER_S));
    ask_hold(&limit, 418, 0, now);
    cr_assert_not(ask_may(&ask, &limit, now + 119 * NS_PER_S));
}

Test(lag, lateness_is_what_exceeds_the_quickest_way)
{
    struct lag lag = { 0 };
    int64_t clock = 1723161255000000000; /* the venue's clock, far from ours */
    uint64_t now = 50 * NS_PER_S;
    cr_assert_eq(lag_note(&lag, now, clock), 0);
    cr_assert_eq(lag_note(&lag, now + 10 * NS_PER_MS, clock), 10 * (int64_t)NS_PER_MS);
    cr_assert_eq(lag_note(&lag, now + 10 * NS_PER_MS, clock + 12 * (int64_t)NS_PER_MS), 0, "a quicker one");
    cr_assert_eq(lag_note(&lag, now + 20 * NS_PER_MS, clock + 20 * (int64_t)NS_PER_MS),
                 2 * (int64_t)NS_PER_MS);
}

Test(lag, clocks_that_drift_apart_do_not_become_lateness)
{
    struct lag lag = { 0 };
    int64_t clock = 1723161255000000000;
    int64_t worst = 0;
    for (uint64_t s = 0; s < 24 * 3600; s++) {
        uint64_t now = 50 * NS_PER_S + s * NS_PER_S + s * 20000; /* 20 us a second: a bad clock */
        worst = base_max(worst, lag_note(&lag, now, clock + (int64_t)(s * NS_PER_S)));
    }
    cr_assert_leq(worst, 15 * (int64_t)NS_PER_MS);
}
