#include "hot/feed/book.h"

size_t book_bytes(uint32_t levels)
{
    return 2 * (size_t)levels * sizeof(struct level);
}

void book_init(struct book *book, void *memory, uint32_t levels)
{
    POISE_ASSERT(levels >= BOOK_LEVELS_MIN);
    memset(book, 0, sizeof *book);
    book->capacity = levels;
    book->side[SIDE_BUY].level = memory;
    book->side[SIDE_SELL].level = (struct level *)memory + levels;
}

void book_clear(struct book *book)
{
    for (int s = 0; s < 2; s++) {
        book->side[s].count = 0;
        book->side[s].bounded = false;
        book->side[s].changed = true;
    }
}

/* A key grows towards the touch on both sides, so that one search serves bids and asks. */
static inline int64_t key_of(enum side side, int64_t price)
{
    return side == SIDE_BUY ? price : -price;
}

/* place_of answers the index of the first level whose key is at least `key`.  It gallops from the touch,
 * where nearly all changes are, and halves what is left. */
static uint32_t place_of(const struct book_side *of, enum side side, int64_t key)
{
    uint32_t high = of->count; /* every level from here on has a key of at least `key` */
    uint32_t step = 1;
    uint32_t low = 0; /* every level before it has a smaller key */
    while (high != 0) {
        uint32_t probe = high >= step ? high - step : 0;
        if (key_of(side, of->level[probe].price) < key) {
            low = probe + 1;
            break;
        }
        high = probe;
        step *= 2;
    }
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (key_of(side, of->level[middle].price) < key) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* make_room drops the worst sixteenth at once: one move of the array pays for many inserts. */
static void make_room(struct book *book, struct book_side *of)
{
    uint32_t drop = book->capacity / 16;
    memmove(of->level, of->level + drop, (of->count - drop) * sizeof(struct level));
    of->count -= drop;
    of->bounded = true;
    of->horizon = of->level[0].price;
    book->truncated += drop;
}

void book_set(struct book *book, enum side side, int64_t price, int64_t qty)
{
    struct book_side *of = &book->side[side];
    int64_t key = key_of(side, price);
    uint32_t at = place_of(of, side, key);
    bool there = at < of->count && of->level[at].price == price;

    of->changed = true;
    if (qty == 0) {
        if (POISE_UNLIKELY(!there)) {
            book->unknown_deletes++;
            return;
        }
        memmove(&of->level[at], &of->level[at + 1], (of->count - at - 1) * sizeof(struct level));
        of->count--;
        return;
    }
    if (there) {
        of->level[at].qty = qty;
        return;
    }
    if (POISE_UNLIKELY(of->count == book->capacity)) {
        make_room(book, of);
        if (key < key_of(side, of->horizon)) {
            book->truncated++; /* worse than all that is kept */
            return;
        }
        at = place_of(of, side, key);
    }
    memmove(&of->level[at + 1], &of->level[at], (of->count - at) * sizeof(struct level));
    of->level[at].price = price;
    of->level[at].qty = qty;
    of->count++;
}

void book_apply(struct book *book, const struct level *bids, uint32_t bid_count, const struct level *asks,
                uint32_t ask_count)
{
    for (uint32_t i = 0; i < bid_count; i++) {
        book_set(book, SIDE_BUY, bids[i].price, bids[i].qty);
    }
    for (uint32_t i = 0; i < ask_count; i++) {
        book_set(book, SIDE_SELL, asks[i].price, asks[i].qty);
    }
}

/* load_side walks a snapshot from its worst end, so that every level is appended at the touch.  A snapshot
 * in the other order still comes out right, only slower. */
static void load_side(struct book *book, enum side side, const struct level *levels, uint32_t count)
{
    bool worst_last = count < 2 || key_of(side, levels[0].price) > key_of(side, levels[count - 1].price);
    for (uint32_t i = 0; i < count; i++) {
        const struct level *level = &levels[worst_last ? count - 1 - i : i];
        if (level->qty != 0) {
            book_set(book, side, level->price, level->qty);
        }
    }
    struct book_side *of = &book->side[side];
    if (of->count >= BOOK_WHOLE_BELOW) {
        of->bounded = true;
        of->horizon = of->level[0].price;
    }
}

void book_load(struct book *book, const struct level *bids, uint32_t bid_count, const struct level *asks,
               uint32_t ask_count)
{
    book_clear(book);
    load_side(book, SIDE_BUY, bids, bid_count);
    load_side(book, SIDE_SELL, asks, ask_count);
}

bool book_crossed(const struct book *book)
{
    const struct level *bid = book_best(book, SIDE_BUY);
    const struct level *ask = book_best(book, SIDE_SELL);
    return bid != NULL && ask != NULL && bid->price >= ask->price;
}

bool book_knows(const struct book *book, uint32_t n)
{
    for (int s = 0; s < 2; s++) {
        const struct book_side *of = &book->side[s];
        if (!of->bounded) {
            continue;
        }
        if (of->count < n ||
            key_of((enum side)s, of->level[of->count - n].price) < key_of((enum side)s, of->horizon)) {
            return false;
        }
    }
    return true;
}

void book_top_side(const struct book *book, uint32_t n, enum side side, struct book_view *view)
{
    const struct book_side *of = &book->side[side];
    uint32_t count = of->count < n ? of->count : n;
    const struct level *from = of->level + of->count;
    for (struct level *to = view->level[side], *end = to + count; to < end; to++) {
        *to = *--from;
    }
    view->count[side] = count;
}

void book_top(const struct book *book, uint32_t n, struct book_view *view)
{
    book_top_side(book, n, SIDE_BUY, view);
    book_top_side(book, n, SIDE_SELL, view);
}

/* What is the same on both sides is passed by: nearly all of them, nearly always. */
static inline __attribute__((always_inline)) void diff_side(const struct book_view *old,
                                                            const struct book_view *new, enum side side,
                                                            struct book_change *change)
{
    const struct level *was = old->level[side], *was_end = was + old->count[side];
    const struct level *is = new->level[side], *is_end = is + new->count[side];
    struct level set[BOOK_DEPTH_MAX];
    uint32_t set_count = 0, deleted = 0;
    struct level *out = change->level + change->total;

    while (was < was_end && is < is_end) {
        if (was->price == is->price) {
            if (was->qty != is->qty) {
                set[set_count++] = *is;
            }
            was++;
            is++;
        } else if (key_of(side, was->price) > key_of(side, is->price)) {
            out[deleted++] = (struct level){ .price = was->price };
            was++;
        } else {
            set[set_count++] = *is++;
        }
    }
    for (; was < was_end; was++) {
        out[deleted++] = (struct level){ .price = was->price };
    }
    for (; is < is_end; is++) {
        set[set_count++] = *is;
    }
    for (uint32_t i = 0; i < set_count; i++) {
        out[deleted + i] = set[i];
    }
    change->count[side] = deleted + set_count;
    change->total += deleted + set_count;
}

void book_diff_side(const struct book_view *old, const struct book_view *new, enum side side,
                    struct book_change *change)
{
    if (side == SIDE_BUY) {
        diff_side(old, new, SIDE_BUY, change);
    } else {
        diff_side(old, new, SIDE_SELL, change);
    }
}

void book_diff(const struct book_view *old, const struct book_view *new, struct book_change *change)
{
    change->total = 0;
    diff_side(old, new, SIDE_BUY, change);
    diff_side(old, new, SIDE_SELL, change);
}
