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
        book->side[s].touched = INT64_MIN;
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

/* At the touch, where most changes are, nothing stands behind and nothing moves. */
static inline void move_levels(struct level *level, uint32_t from, uint32_t to, uint32_t count)
{
    if (count != 0) {
        memmove(&level[to], &level[from], count * sizeof *level);
    }
}

void book_set(struct book *book, enum side side, int64_t price, int64_t qty)
{
    struct book_side *of = &book->side[side];
    int64_t key = key_of(side, price);
    uint32_t at = place_of(of, side, key);
    bool there = at < of->count && of->level[at].price == price;

    of->touched = of->changed && of->touched < key ? of->touched : key;
    of->changed = true;
    if (qty == 0) {
        if (POISE_UNLIKELY(!there)) {
            book->unknown_deletes++;
            return;
        }
        of->count--;
        move_levels(of->level, at + 1, at, of->count - at);
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
    move_levels(of->level, at, at + 1, of->count - at);
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

void book_top(const struct book *book, uint32_t n, struct book_view *view)
{
    for (enum side side = SIDE_BUY; side <= SIDE_SELL; side++) {
        const struct book_side *of = &book->side[side];
        uint32_t count = of->count < n ? of->count : n;
        const struct level *from = of->level + of->count;
        for (struct level *to = view->level[side], *end = to + count; to < end; to++) {
            *to = *--from;
        }
        view->count[side] = count;
    }
}

/* Deletions stand in the change at once, what is set waits until they are all there. */
struct difference {
    struct level *deleted;
    uint32_t deleted_count, set_count;
    struct level set[BOOK_DEPTH_MAX];
};

static inline void difference_begin(struct difference *of, struct book_change *change)
{
    of->deleted = change->level + change->total;
    of->deleted_count = of->set_count = 0;
}

static inline void set(struct difference *of, struct level level)
{
    of->set[of->set_count++] = level;
}

static inline void gone(struct difference *of, int64_t price)
{
    of->deleted[of->deleted_count++] = (struct level){ .price = price };
}

static inline void difference_end(struct difference *of, enum side side, struct book_change *change)
{
    for (uint32_t i = 0; i < of->set_count; i++) {
        of->deleted[of->deleted_count + i] = of->set[i];
    }
    change->count[side] = of->deleted_count + of->set_count;
    change->total += change->count[side];
}

/* The view's first `passed` levels and the book's first `taken` are compared one by one, down to the worst
 * price at which something changed.  Behind them both go on alike, and only the view's end may be elsewhere.
 */
static inline __attribute__((always_inline)) void follow(const struct book_side *of, uint32_t n,
                                                         enum side side, struct book_view *view,
                                                         struct book_change *change)
{
    struct level *was = view->level[side];
    const struct level *end = of->level + of->count; /* the best stands before it */
    uint32_t had = view->count[side], have = of->count < n ? of->count : n;
    uint32_t passed = 0, taken = 0;
    struct difference out;
    difference_begin(&out, change);

    while (passed < had && taken < have) {
        struct level old = was[passed], new = *(end - 1 - taken);
        int64_t old_key = key_of(side, old.price), new_key = key_of(side, new.price);
        if (old_key < of->touched && new_key < of->touched) {
            break;
        }
        if (old_key == new_key) {
            if (old.qty != new.qty) {
                set(&out, new);
            }
            passed++;
            taken++;
        } else if (old_key > new_key) {
            gone(&out, old.price);
            passed++;
        } else {
            set(&out, new);
            taken++;
        }
    }
    uint32_t rest = had - passed, room = have - taken;
    uint32_t same = rest < room ? rest : room;
    for (uint32_t i = same; i < rest; i++) {
        gone(&out, was[passed + i].price);
    }
    if (passed != taken) {
        move_levels(was, passed, taken, same);
    }
    for (uint32_t i = 0; i < taken; i++) {
        was[i] = *(end - 1 - i);
    }
    for (uint32_t i = taken + same; i < have; i++) {
        was[i] = *(end - 1 - i);
        set(&out, was[i]);
    }
    view->count[side] = have;
    difference_end(&out, side, change);
}

void book_follow(const struct book *book, uint32_t n, enum side side, struct book_view *view,
                 struct book_change *change)
{
    if (side == SIDE_BUY) {
        follow(&book->side[SIDE_BUY], n, SIDE_BUY, view, change);
    } else {
        follow(&book->side[SIDE_SELL], n, SIDE_SELL, view, change);
    }
}

static void diff_side(const struct book_view *old, const struct book_view *new, enum side side,
                      struct book_change *change)
{
    const struct level *was = old->level[side], *was_end = was + old->count[side];
    const struct level *is = new->level[side], *is_end = is + new->count[side];
    struct difference out;
    difference_begin(&out, change);

    while (was < was_end && is < is_end) {
        if (was->price == is->price) {
            if (was->qty != is->qty) {
                set(&out, *is);
            }
            was++;
            is++;
        } else if (key_of(side, was->price) > key_of(side, is->price)) {
            gone(&out, was->price);
            was++;
        } else {
            set(&out, *is++);
        }
    }
    for (; was < was_end; was++) {
        gone(&out, was->price);
    }
    for (; is < is_end; is++) {
        set(&out, *is);
    }
    difference_end(&out, side, change);
}

void book_diff(const struct book_view *old, const struct book_view *new, struct book_change *change)
{
    change->total = 0;
    diff_side(old, new, SIDE_BUY, change);
    diff_side(old, new, SIDE_SELL, change);
}
