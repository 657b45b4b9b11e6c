#include "hot/feed/sync.h"

/* clang-format off */
#define TO(state) (SYNC_##state + 1)
static const uint8_t sync_table[SYNC_STATE_COUNT][SYNC_EVENT_COUNT] = {
    /*                    DELTA           LOADED      TOO_OLD         BREAK          NEAR            LOST      */
    [SYNC_EMPTY]      = { TO(BUFFERING),  TO(SYNCED), 0,              0,             0,              TO(EMPTY) },
    [SYNC_BUFFERING]  = { TO(BUFFERING),  TO(SYNCED), TO(BUFFERING),  TO(BUFFERING), 0,              TO(EMPTY) },
    [SYNC_SYNCED]     = { TO(SYNCED),     TO(SYNCED), 0,              TO(GAP),       TO(REFRESHING), TO(EMPTY) },
    [SYNC_REFRESHING] = { TO(REFRESHING), TO(SYNCED), TO(REFRESHING), TO(GAP),       0,              TO(EMPTY) },
    [SYNC_GAP]        = { TO(GAP),        TO(SYNCED), TO(GAP),        TO(GAP),       0,              TO(EMPTY) },
};
#undef TO
/* clang-format on */

/* A kept change: this head, then bids, then asks. */
struct kept {
    uint64_t first, last, previous;
    int64_t venue_time_ns;
    uint32_t bid_count, ask_count;
};

size_t sync_bytes(uint32_t levels)
{
    return book_bytes(levels) + SYNC_KEPT_BYTES;
}

void sync_init(struct sync *sync, void *memory, uint32_t levels, uint8_t product,
               enum book_link (*link)(uint8_t, uint64_t, bool, const struct feed_event *))
{
    memset(sync, 0, sizeof *sync);
    book_init(&sync->book, memory, levels);
    sync->kept = (unsigned char *)memory + book_bytes(levels);
    sync->kept_capacity = SYNC_KEPT_BYTES;
    sync->product = product;
    sync->link = link;
    sync->why = "";
}

int sync_next(enum sync_state state, enum sync_event event)
{
    return (int)sync_table[state][event] - 1;
}

/* sync_step is the only writer of the state; an empty cell changes nothing and is counted. */
static bool sync_step(struct sync *sync, enum sync_event event)
{
    uint8_t next = sync_table[sync->state][event];
    if (next == 0) {
        sync->refused++;
        return false;
    }
    sync->state = next - 1;
    return true;
}

static void forget_kept(struct sync *sync)
{
    sync->kept_bytes = 0;
    sync->kept_count = 0;
}

static void keep(struct sync *sync, const struct feed_event *event)
{
    size_t bid_bytes = event->bid_count * sizeof(struct level);
    size_t ask_bytes = event->ask_count * sizeof(struct level);
    size_t bytes = sizeof(struct kept) + bid_bytes + ask_bytes;
    if (bytes > sync->kept_capacity - sync->kept_bytes) {
        /* Everything older is useless without its successor: what follows starts a new run. */
        sync->overflows++;
        forget_kept(sync);
        if (bytes > sync->kept_capacity) {
            return;
        }
    }
    struct kept head = {
        .first = event->first,
        .last = event->last,
        .previous = event->previous,
        .venue_time_ns = event->venue_time_ns,
        .bid_count = event->bid_count,
        .ask_count = event->ask_count,
    };
    unsigned char *to = sync->kept + sync->kept_bytes;
    memcpy(to, &head, sizeof head);
    to += sizeof head;
    if (bid_bytes != 0) {
        memcpy(to, event->bids, bid_bytes);
    }
    if (ask_bytes != 0) {
        memcpy(to + bid_bytes, event->asks, ask_bytes);
    }
    sync->kept_bytes += bytes;
    sync->kept_count++;
}

/* kept_at turns the bytes at `at` into an event again and answers where the next one starts. */
static size_t kept_at(const struct sync *sync, size_t at, struct feed_event *event)
{
    struct kept head;
    memcpy(&head, sync->kept + at, sizeof head);
    at += sizeof head;
    memset(event, 0, sizeof *event);
    event->kind = FEED_EVENT_DEPTH;
    event->first = head.first;
    event->last = head.last;
    event->previous = head.previous;
    event->venue_time_ns = head.venue_time_ns;
    event->bid_count = head.bid_count;
    event->ask_count = head.ask_count;
    event->bids = (const struct level *)(const void *)(sync->kept + at);
    at += head.bid_count * sizeof(struct level);
    event->asks = (const struct level *)(const void *)(sync->kept + at);
    return at + head.ask_count * sizeof(struct level);
}
_Static_assert(sizeof(struct kept) % _Alignof(struct level) == 0, "levels behind a head stay aligned");

enum sync_answer sync_break(struct sync *sync, const char *why)
{
    bool was = sync_proved(sync);
    forget_kept(sync);
    sync->why = why;
    if (was) {
        sync->gaps++;
    }
    sync_step(sync, SYNC_EVENT_BREAK);
    return was ? SYNC_BROKE : SYNC_NOTHING;
}

void sync_near(struct sync *sync)
{
    if (sync->state == SYNC_SYNCED) {
        forget_kept(sync);
        sync_step(sync, SYNC_EVENT_NEAR);
    }
}

enum sync_answer sync_lost(struct sync *sync)
{
    bool was = sync_proved(sync);
    forget_kept(sync);
    book_clear(&sync->book);
    sync->book.last = 0;
    sync->why = "connection lost";
    sync_step(sync, SYNC_EVENT_LOST);
    return was ? SYNC_BROKE : SYNC_NOTHING;
}

static void apply(struct sync *sync, const struct feed_event *event)
{
    book_apply(&sync->book, event->bids, event->bid_count, event->asks, event->ask_count);
    sync->book.last = event->last;
    sync->first = false;
    sync->applied++;
}

enum sync_answer sync_delta(struct sync *sync, const struct feed_event *event)
{
    if (!sync_proved(sync)) {
        sync_step(sync, SYNC_EVENT_DELTA);
        keep(sync, event);
        return SYNC_NOTHING;
    }

    enum book_link link = sync->link(sync->product, sync->book.last, sync->first, event);
    if (link == BOOK_LINK_DROP) {
        sync->dropped++;
        return SYNC_NOTHING;
    }
    if (link == BOOK_LINK_GAP) {
        enum sync_answer answer = sync_break(sync, "missing update");
        keep(sync, event); /* the next snapshot may be continued by this very change */
        return answer;
    }
    sync_step(sync, SYNC_EVENT_DELTA);
    if (sync->state == SYNC_REFRESHING) {
        keep(sync, event);
    }
    apply(sync, event);
    if (POISE_UNLIKELY(book_crossed(&sync->book))) {
        sync->crossed++;
        return sync_break(sync, "crossed book");
    }
    return SYNC_CHANGED;
}

/* links walks the kept changes as if the snapshot at id `at` were loaded, touching nothing.  False: they do
 * not continue it; then kept changes before a hole in their own chain are forgotten. */
static bool links(struct sync *sync, uint64_t at)
{
    bool first = true;
    size_t offset = 0;
    for (uint32_t i = 0; i < sync->kept_count; i++) {
        struct feed_event event;
        size_t next = kept_at(sync, offset, &event);
        enum book_link link = sync->link(sync->product, at, first, &event);
        if (link == BOOK_LINK_GAP) {
            if (!first) {
                sync->why = "missing update while waiting";
                memmove(sync->kept, sync->kept + offset, sync->kept_bytes - offset);
                sync->kept_bytes -= offset;
                sync->kept_count -= i;
            } else {
                sync->why = "snapshot too old";
            }
            return false;
        }
        if (link == BOOK_LINK_APPLY) {
            at = event.last;
            first = false;
        }
        offset = next;
    }
    /* A refresh must not take the book back in time. */
    if (sync->state == SYNC_REFRESHING && at < sync->book.last) {
        sync->why = "snapshot too old";
        return false;
    }
    return true;
}

enum sync_answer sync_restart(struct sync *sync, const struct feed_event *event)
{
    forget_kept(sync);
    book_load(&sync->book, event->bids, event->bid_count, event->asks, event->ask_count);
    book_whole(&sync->book);
    sync->book.last = event->last;
    sync->first = true;
    sync->loads++;
    if (POISE_UNLIKELY(book_crossed(&sync->book))) {
        sync->crossed++;
        return sync_break(sync, "crossed book");
    }
    sync_step(sync, SYNC_EVENT_LOADED);
    return SYNC_PROVED;
}

enum sync_answer sync_snapshot(struct sync *sync, const struct feed_event *event)
{
    if (!links(sync, event->last)) {
        sync->too_old++;
        sync_step(sync, SYNC_EVENT_TOO_OLD);
        return SYNC_NOTHING;
    }

    book_load(&sync->book, event->bids, event->bid_count, event->asks, event->ask_count);
    sync->book.last = event->last;
    sync->first = true;
    sync->loads++;
    size_t offset = 0;
    for (uint32_t i = 0; i < sync->kept_count; i++) {
        struct feed_event kept;
        offset = kept_at(sync, offset, &kept);
        if (sync->link(sync->product, sync->book.last, sync->first, &kept) == BOOK_LINK_APPLY) {
            apply(sync, &kept);
        } else {
            sync->dropped++;
        }
    }
    forget_kept(sync);
    if (POISE_UNLIKELY(book_crossed(&sync->book))) {
        sync->crossed++;
        return sync_break(sync, "crossed book");
    }
    sync_step(sync, SYNC_EVENT_LOADED);
    return SYNC_PROVED;
}
