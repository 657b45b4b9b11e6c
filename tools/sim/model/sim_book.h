/* sim_book: the recorded book of one instrument, and what our takers have eaten from it.
 *
 * Words: the ladder is the exact book by depth frames.  The touch is the newest best bid and ask; it may run
 * ahead of the ladder, and while it does the VIEW is the ladder with everything better than the touch hidden
 * and the touch's own size in place.  Eaten is liquidity our orders consumed: it stays gone until the
 * recording raises that level.  Prices and sizes are instrument units.  One thread, owned by the venue. */
#ifndef TOOLS_SIM_MODEL_SIM_BOOK_H
#define TOOLS_SIM_MODEL_SIM_BOOK_H

#include "tools/sim/model/sim_types.h"

struct sim_ladder {
    struct sim_level *level; /* worst first: the best is at the end, where changes are cheap */
    size_t count;
    size_t capacity;
};

struct sim_eaten {
    int64_t price;
    int64_t qty;  /* consumed by us */
    int64_t seen; /* the recorded size when last heard of */
};

struct sim_book {
    struct sim_ladder side[2];
    struct sim_eaten *eaten[2];
    size_t eaten_count[2];
    size_t eaten_capacity[2];
    int64_t u;        /* update id of the ladder */
    int64_t stamp_ms; /* recorded time of the ladder */
    bool has_touch;
    int64_t touch_u;
    int64_t touch_stamp_ms;
    struct sim_level touch[2];
};

struct sim_walk {
    const struct sim_book *book;
    int side;
    size_t left;
    bool touch_due;
    bool hide;
};

void sim_book_free(struct sim_book *book);

/* sim_book_clear forgets levels, touch and eaten sizes. */
void sim_book_clear(struct sim_book *book);

/* sim_book_snapshot replaces the ladder; the levels may come in any order.  Eaten sizes are forgotten: a new
 * snapshot is a new market. */
void sim_book_snapshot(struct sim_book *book, const struct sim_tape_event *event);

/* sim_book_depth applies one frame of absolute sizes (0 deletes). */
void sim_book_depth(struct sim_book *book, const struct sim_tape_event *event);

/* sim_book_top takes a best bid and ask; one not newer than the known touch is ignored and answers false. */
bool sim_book_top(struct sim_book *book, const struct sim_tape_event *event);

/* sim_book_leads is true while the touch is newer than the ladder. */
bool sim_book_leads(const struct sim_book *book);

/* sim_book_size answers the size in view at a price, what we ate already taken off. */
int64_t sim_book_size(const struct sim_book *book, int side, int64_t price);

/* sim_book_ladder_size answers the ladder's own size at a price, 0 when there is no such level. */
int64_t sim_book_ladder_size(const struct sim_book *book, int side, int64_t price);

/* sim_book_eat takes qty (at most the size in view) away at a price. */
void sim_book_eat(struct sim_book *book, int side, int64_t price, int64_t qty);

/* sim_book_walk starts at the best level of a side; sim_book_next answers levels in view best first, never
 * one of size 0, and false at the end.  Changing the book ends the walk's validity. */
struct sim_walk sim_book_walk(const struct sim_book *book, int side);
bool sim_book_next(struct sim_walk *walk, struct sim_level *level);

/* sim_book_best answers the best level in view, false when the side is empty. */
bool sim_book_best(const struct sim_book *book, int side, struct sim_level *level);

/* sim_book_better is true when price a is nearer the other side than b. */
bool sim_book_better(int side, int64_t a, int64_t b);

#endif
