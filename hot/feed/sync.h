/* sync: the proof that one instrument's book is whole.
 *
 * A stream brings changes; the book is theirs only if it began from a snapshot and no change is missing.
 * Which change continues which is the venue's rule (venue_feed.link); when to wait, to ask and to give up is
 * here, as a table:
 *
 *   EMPTY       nothing heard since the connection came up
 *   BUFFERING   changes are kept until a snapshot comes; nothing is believed
 *   SYNCED      every change since the snapshot linked: the book is the venue's
 *   REFRESHING  as SYNCED, and a newer snapshot is on its way because the touch nears the horizon
 *   GAP         was SYNCED, and a change is missing: changes are kept until a snapshot comes
 *
 * Kept changes live in memory of fixed size; when it is full they are all forgotten, which the next
 * snapshot's own check turns into asking again.  Called from the feed core only; no clock. */
#ifndef POISE_HOT_FEED_SYNC_H
#define POISE_HOT_FEED_SYNC_H

#include "hot/feed/book.h"
#include "venues/venue.h"

enum sync_state { SYNC_EMPTY, SYNC_BUFFERING, SYNC_SYNCED, SYNC_REFRESHING, SYNC_GAP, SYNC_STATE_COUNT };

enum sync_event {
    SYNC_EVENT_DELTA,   /* a change came */
    SYNC_EVENT_LOADED,  /* a snapshot was loaded and all kept changes link to it */
    SYNC_EVENT_TOO_OLD, /* a snapshot came that the kept changes do not continue: ask again */
    SYNC_EVENT_BREAK,   /* a change is missing, or the book contradicts itself */
    SYNC_EVENT_NEAR,    /* the touch nears the horizon */
    SYNC_EVENT_LOST,    /* the connection is gone */
    SYNC_EVENT_COUNT
};

/* What a call changed, for the caller to publish. */
enum sync_answer {
    SYNC_NOTHING, /* nothing to publish */
    SYNC_CHANGED, /* the proved book changed */
    SYNC_PROVED,  /* it was not proved before and is now, or it was replaced: publish all of it */
    SYNC_BROKE,   /* it was proved and is no more */
};

struct sync {
    uint8_t state;   /* enum sync_state; sync_step is its only writer */
    uint8_t product; /* enum product */
    bool first;      /* nothing was applied since the snapshot */
    enum book_link (*link)(uint8_t product, uint64_t at, bool first, const struct feed_event *event);
    struct book book;
    const char *why; /* static text: why it broke, or the last snapshot was refused */
    unsigned char *kept;
    size_t kept_bytes, kept_capacity;
    uint32_t kept_count;
    /* figures since start */
    uint64_t applied, dropped, gaps, too_old, loads, overflows, crossed, refused;
};

/* sync_bytes is the memory sync_init needs: a book of so many levels a side and the kept changes. */
#define SYNC_KEPT_BYTES (1u << 20)
size_t sync_bytes(uint32_t levels);
void sync_init(struct sync *sync, void *memory, uint32_t levels, uint8_t product,
               enum book_link (*link)(uint8_t, uint64_t, bool, const struct feed_event *));

/* sync_delta takes one depth event that is not a snapshot. */
enum sync_answer sync_delta(struct sync *sync, const struct feed_event *event);

/* sync_snapshot takes all levels; event->last is the id they stand at. */
enum sync_answer sync_snapshot(struct sync *sync, const struct feed_event *event);

/* sync_restart takes a snapshot that came in the stream of changes itself: it stands at its place there, and
 * it is the whole book.  What was kept came before it. */
enum sync_answer sync_restart(struct sync *sync, const struct feed_event *event);

/* sync_break declares the book unproved; why is static text. */
enum sync_answer sync_break(struct sync *sync, const char *why);

/* sync_near asks for a newer snapshot without giving up the present book. */
void sync_near(struct sync *sync);

/* sync_lost forgets everything: the connection that brought the changes is gone. */
enum sync_answer sync_lost(struct sync *sync);

/* sync_next is the table: the state after `event` in `state`, or -1 for an empty cell. */
int sync_next(enum sync_state state, enum sync_event event);

static inline bool sync_proved(const struct sync *sync)
{
    return sync->state == SYNC_SYNCED || sync->state == SYNC_REFRESHING;
}

static inline bool sync_wants_snapshot(const struct sync *sync)
{
    return sync->state == SYNC_BUFFERING || sync->state == SYNC_GAP || sync->state == SYNC_REFRESHING;
}

#endif
