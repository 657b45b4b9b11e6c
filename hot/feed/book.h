/* book: all levels of one instrument, as far as the venue told them.
 *
 * Words: the touch is the best price of a side; a side keeps its levels sorted with the best at the END, so
 * that what happens near the touch moves few bytes.  The horizon is the worst price up to which a side is
 * known without holes: beyond it, levels that did not change since the snapshot are missing.  A view is what
 * was last published: the best n levels a side.
 *
 * Memory is brought at book_init and never grows: a full side drops its worst sixteenth, which moves the
 * horizon and is counted.  Called from the feed core only. */
#ifndef POISE_HOT_FEED_BOOK_H
#define POISE_HOT_FEED_BOOK_H

#include "ring/record.h"

#define BOOK_LEVELS_DEFAULT 8192
#define BOOK_LEVELS_MIN     64

/* A snapshot side with fewer levels than this is taken as the whole side: no horizon. */
#define BOOK_WHOLE_BELOW 500

struct book_side {
    struct level *level; /* [0, count): worst first, best last; quantities above 0 */
    uint32_t count;
    bool bounded;    /* there is a horizon */
    bool changed;    /* a level was, since the owner last took this back: false only if nothing was */
    int64_t horizon; /* price; with bounded */
    int64_t touched; /* with changed: nothing changed at prices worse than this, as a key that grows towards
                        the touch */
};

struct book {
    struct book_side side[2]; /* by enum side: SIDE_BUY bids, SIDE_SELL asks */
    uint32_t capacity;        /* levels a side */
    uint64_t last;            /* the venue's update id of the last event inside; the owner's to set */
    uint64_t truncated;       /* levels dropped for want of room, since book_init */
    uint64_t unknown_deletes; /* deletions of levels that were not there: normal */
};

/* book_bytes is the memory book_init needs for so many levels a side. */
size_t book_bytes(uint32_t levels);

/* book_init makes an empty book over memory aligned to 16 or more. */
void book_init(struct book *book, void *memory, uint32_t levels);

/* book_clear forgets all levels and the horizon. */
void book_clear(struct book *book);

/* book_set sets the quantity at one price; 0 deletes. */
void book_set(struct book *book, enum side side, int64_t price, int64_t qty);

/* book_apply applies a venue's changes to both sides, in whatever order they come. */
void book_apply(struct book *book, const struct level *bids, uint32_t bid_count, const struct level *asks,
                uint32_t ask_count);

/* book_load replaces everything by a snapshot, whose levels may come in any order, and sets the horizons. */
void book_load(struct book *book, const struct level *bids, uint32_t bid_count, const struct level *asks,
               uint32_t ask_count);

/* book_whole says that what was loaded is all there is: no horizon. */
static inline void book_whole(struct book *book)
{
    book->side[SIDE_BUY].bounded = book->side[SIDE_SELL].bounded = false;
}

/* book_best answers the touch of a side, or NULL when the side is empty. */
static inline const struct level *book_best(const struct book *book, enum side side)
{
    const struct book_side *of = &book->side[side];
    return of->count != 0 ? &of->level[of->count - 1] : NULL;
}

/* book_crossed: the best bid is not below the best ask, which no venue's book is. */
bool book_crossed(const struct book *book);

/* book_knows says whether the best n levels of both sides lie within the horizons. */
bool book_knows(const struct book *book, uint32_t n);

struct book_view {
    uint32_t count[2];
    struct level level[2][BOOK_DEPTH_MAX]; /* best first */
};

/* book_top copies the best n levels of both sides (n at most BOOK_DEPTH_MAX). */
void book_top(const struct book *book, uint32_t n, struct book_view *view);

/* Changes from one view to the next: for each side deletions first, so that a receiver who keeps only so
 * many levels never drops one that is about to belong. */
struct book_change {
    uint32_t count[2];
    uint32_t total;
    struct level level[4 * BOOK_DEPTH_MAX]; /* bids, then asks */
};

/* book_follow brings one side of a view up to the book's best n levels, and appends what changed to a change
 * that begins with everything 0, bids before asks.  It looks no further down than something changed, so the
 * view must be what it was made of when `changed` was taken back last. */
void book_follow(const struct book *book, uint32_t n, enum side side, struct book_view *view,
                 struct book_change *change);

/* book_diff fills `change` with what turns `old` into `new`. */
void book_diff(const struct book_view *old, const struct book_view *new, struct book_change *change);

#endif
