/* book: what the strategy sees of one instrument's market.
 *
 * A view of the best BOOK_DEPTH_MAX levels a side, fed by RECORD_BOOK (deltas, or all of it with
 * RECORD_FLAG_SNAP), beside it the newest RECORD_TOP (which may run ahead of the book), trade, mark, feed
 * state and instrument status.  It decides nothing; it answers what can be trusted.
 *
 * Words.  Hit: the side of the book that a taking order of ours would meet (asks for a buy).  Touch: best
 * bid and ask.  When a top is newer than the book the two disagree, and both answers are given: `bid` and
 * `ask` are what can surely be hit (the worse of the two), `inner_bid` and `inner_ask` what a passive order
 * must stay clear of (the better of the two).
 *
 * Age.  A record's lateness is (stamp - venue time) minus the least such difference seen lately: the
 * venue's clock and ours need not agree.  A book's age is that lateness plus the time since its last
 * record.  Trades and marks travel other streams and do not prove a book alive.
 *
 * Strategy core.  No allocation, no division. */
#ifndef POISE_HOT_STRATEGY_BOOK_H
#define POISE_HOT_STRATEGY_BOOK_H

#include "ring/instrument.h"
#include "ring/record.h"

/* The least difference between clocks is taken over this window and the one before. */
#define BOOK_LAG_WINDOW_NS 60000000000ULL

/* Quantities beyond this are no market's: the level or record is counted and left out.  No price_most is
 * larger than BOOK_PRICE_MAX. */
#define BOOK_PRICE_MAX (1LL << 56)
#define BOOK_QTY_MAX   (1LL << 56)

enum book_trouble {
    BOOK_GOOD = 0,
    BOOK_NOT_LIVE, /* feed down, syncing, gap or stale; or no complete view since */
    BOOK_STALE,    /* older than the bound */
    BOOK_EMPTY,    /* a side has no level */
    BOOK_CROSSED,  /* best bid at or above best ask, in the book or in a newer top */
};

/* Levels stand in the middle of more places than they need, so that what comes and goes at the touch moves
 * nothing else; at an end of the places they are put back into the middle. */
#define BOOK_MARGIN 14
#define BOOK_PLACES (BOOK_DEPTH_MAX + 2 * BOOK_MARGIN)

struct book_side {
    uint32_t count;
    uint32_t first;                  /* place of the best */
    int64_t total_qty;               /* of the levels kept */
    struct level place[BOOK_PLACES]; /* best first */
};

struct book {
    struct book_side side[2]; /* enum side: [SIDE_BUY] bids, [SIDE_SELL] asks */

    uint8_t feed_state; /* enum feed_state */
    uint8_t status;     /* enum instrument_status */
    uint8_t has_view;   /* a complete view came since the feed was last lost */
    uint8_t top_newer;  /* the top below is newer than the book */
    uint32_t malformed; /* levels and records left out */
    int64_t price_most; /* a level beyond it is no market's */

    int64_t top_price[2], top_qty[2]; /* enum side; qty 0: empty */
    int64_t top_venue_time_ns;

    uint64_t last_ns; /* stamp of the last book or top */
    uint64_t sequence;
    int64_t venue_time_ns; /* of the last book */

    /* lateness */
    int64_t lag_least[2]; /* this window's, and the one before; INT64_MAX none */
    uint64_t lag_window_ns;
    uint64_t late_ns; /* of the last record that told its venue time */

    int64_t trade_price, trade_qty;
    uint64_t trade_ns;
    uint64_t trade_count;

    int64_t mark, index, funding_rate_e12, next_funding_ns;
    uint64_t mark_ns; /* 0 never */
};

struct touch {
    int64_t bid, ask;             /* what can surely be hit */
    int64_t inner_bid, inner_ask; /* what a passive order must not reach */
};

/* book_reset empties the view; status is what the instrument table said, price_most the largest price that
 * is believed. */
void book_reset(struct book *book, uint8_t status, int64_t price_most);

/* The full book of hot/feed is linked beside this one, so no function name stands in both.
 *
 * book_take_levels takes a RECORD_BOOK.  A record whose counts do not fit its slots is counted and ignored.
 */
void book_take_levels(struct book *book, const struct record_book *record);
void book_take_top(struct book *book, const struct record_top *record);
void book_trade(struct book *book, const struct record_trade *record);
void book_mark(struct book *book, const struct record_mark *record);

/* book_feed takes a feed state: anything but LIVE and STALE throws the levels away, because continuity is
 * not proved until the next complete view. */
void book_feed(struct book *book, uint32_t feed_state);
void book_status(struct book *book, uint32_t status);

/* book_level is a side's i-th best level, of side[side].count. */
static inline const struct level *book_level(const struct book *book, enum side side, uint32_t i)
{
    return &book->side[side].place[book->side[side].first + i];
}

/* book_touch fills both touches; false (and zeros) when a side is empty.  Says nothing of freshness. */
static inline __attribute__((always_inline)) bool book_touch(const struct book *book, struct touch *touch)
{
    if (book->side[SIDE_BUY].count == 0 || book->side[SIDE_SELL].count == 0) {
        *touch = (struct touch){ 0 };
        return false;
    }
    int64_t bid = book_level(book, SIDE_BUY, 0)->price;
    int64_t ask = book_level(book, SIDE_SELL, 0)->price;
    if (POISE_LIKELY(!book->top_newer)) {
        *touch = (struct touch){ bid, ask, bid, ask };
        return true;
    }
    if (book->top_qty[SIDE_BUY] == 0 || book->top_qty[SIDE_SELL] == 0) {
        *touch = (struct touch){ 0 };
        return false;
    }
    int64_t top_bid = book->top_price[SIDE_BUY];
    int64_t top_ask = book->top_price[SIDE_SELL];
    touch->bid = base_min(bid, top_bid);
    touch->ask = base_max(ask, top_ask);
    touch->inner_bid = base_max(bid, top_bid);
    touch->inner_ask = base_min(ask, top_ask);
    return true;
}

/* book_mid is the middle of what can surely be hit, rounded down; 0 when a side is empty. */
static inline int64_t book_mid(const struct book *book)
{
    struct touch touch;
    return book_touch(book, &touch) ? (touch.bid + touch.ask) >> 1 : 0;
}

/* book_trouble says what is wrong with the view now; stale_ns 0 means no bound. */
static inline enum book_trouble book_trouble(const struct book *book, uint64_t now_ns, uint64_t stale_ns)
{
    if (book->feed_state != FEED_LIVE || !book->has_view) {
        return BOOK_NOT_LIVE;
    }
    if (stale_ns != 0 && now_ns - book->last_ns + book->late_ns > stale_ns) {
        return BOOK_STALE;
    }
    struct touch touch;
    if (!book_touch(book, &touch)) {
        return BOOK_EMPTY;
    }
    if (book_level(book, SIDE_BUY, 0)->price >= book_level(book, SIDE_SELL, 0)->price ||
        (book->top_newer && book->top_price[SIDE_BUY] >= book->top_price[SIDE_SELL])) {
        return BOOK_CROSSED;
    }
    return BOOK_GOOD;
}

/* book_walk_deep is book_walk where the best level does not hold enough, or is gone. */
int64_t book_walk_deep(const struct book *book, enum side side, int64_t qty, int64_t *worst);

/* book_walk takes qty out of the side that an order of `side` would hit, never better than a newer top, and
 * answers the average price rounded against us (up for a buy); 0 when the view holds less.  *worst is the
 * last level's price.  One level, the usual case, costs no division.  For an inverse instrument the
 * arithmetic average differs from the harmonic one by the square of the levels' relative distance: under
 * a thousandth of a basis point for levels within 10 bp. */
static inline int64_t book_walk(const struct book *book, enum side side, int64_t qty, int64_t *worst)
{
    enum side hit = side_opposite(side);
    const struct level *best = book_level(book, hit, 0);
    bool gone = book->top_newer && (hit == SIDE_BUY ? best->price > book->top_price[SIDE_BUY]
                                                    : best->price < book->top_price[SIDE_SELL]);
    if (POISE_LIKELY(book->side[hit].count != 0 && qty <= best->qty && !gone)) {
        *worst = best->price;
        return best->price;
    }
    return book_walk_deep(book, side, qty, worst);
}

/* book_reference is what bands are measured from: the mark when it is no older than stale_ns, else the
 * middle, else an old mark, else 0. */
int64_t book_reference(const struct book *book, uint64_t now_ns, uint64_t stale_ns);

#endif
