#include "hot/feed/book.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* A book kept the slow way: quantity by price, nothing else. */
#define PRICES 4000
struct naive {
    int64_t qty[2][PRICES];
};

static uint64_t random_state = 88172645463325252ULL;

static uint64_t draw(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static void naive_top(const struct naive *naive, uint32_t n, struct book_view *view)
{
    memset(view, 0, sizeof *view);
    for (int64_t p = PRICES - 1; p >= 0 && view->count[SIDE_BUY] < n; p--) {
        if (naive->qty[SIDE_BUY][p] != 0) {
            view->level[SIDE_BUY][view->count[SIDE_BUY]++] = (struct level){ p, naive->qty[SIDE_BUY][p] };
        }
    }
    for (int64_t p = 0; p < PRICES && view->count[SIDE_SELL] < n; p++) {
        if (naive->qty[SIDE_SELL][p] != 0) {
            view->level[SIDE_SELL][view->count[SIDE_SELL]++] = (struct level){ p, naive->qty[SIDE_SELL][p] };
        }
    }
}

static bool same_view(const struct book_view *a, const struct book_view *b)
{
    for (int s = 0; s < 2; s++) {
        if (a->count[s] != b->count[s] ||
            memcmp(a->level[s], b->level[s], a->count[s] * sizeof(struct level)) != 0) {
            return false;
        }
    }
    return true;
}

/* The reader of book records: sets and deletes one price at a time, keeps the best `keep` a side. */
static void reader_set(struct book_view *view, enum side side, struct level level, uint32_t keep)
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
    if (level.qty == 0 || i == keep) {
        return;
    }
    if (count == keep) {
        count--;
    }
    memmove(&at[i + 1], &at[i], (count - i) * sizeof *at);
    at[i] = level;
    view->count[side] = count + 1;
}

static void book_make(struct book *book, uint32_t levels)
{
    book_init(book, aligned_alloc(64, book_bytes(levels)), levels);
}

static void book_unmake(struct book *book)
{
    free(book->side[0].level);
}

Test(book, equals_a_naive_book_after_every_one_of_100000_random_changes)
{
    struct book book;
    static struct naive naive;
    struct book_view view, expected;
    book_make(&book, BOOK_LEVELS_DEFAULT);
    int64_t middle = PRICES / 2;
    for (int i = 0; i < 100000; i++) {
        if (i % 50 == 0) {
            middle += (int64_t)(draw() % 5) - 2;
            middle = middle < 100 ? 100 : middle > PRICES - 100 ? PRICES - 100 : middle;
        }
        enum side side = draw() % 2 == 0 ? SIDE_BUY : SIDE_SELL;
        /* mostly near the touch, sometimes anywhere */
        int64_t price = draw() % 10 == 0 ? (int64_t)(draw() % PRICES) : middle + (int64_t)(draw() % 60) - 30;
        int64_t qty = draw() % 3 == 0 ? 0 : (int64_t)(draw() % 1000 + 1);
        naive.qty[side][price] = qty;
        book_set(&book, side, price, qty);
        book_top(&book, BOOK_DEPTH_MAX, &view);
        naive_top(&naive, BOOK_DEPTH_MAX, &expected);
        cr_assert(same_view(&view, &expected), "change %d", i);
    }
    for (int s = 0; s < 2; s++) {
        uint32_t count = 0;
        for (int64_t p = 0; p < PRICES; p++) {
            count += naive.qty[s][p] != 0;
        }
        cr_assert_eq(book.side[s].count, count);
    }
    cr_assert_eq(book.truncated, 0);
    book_unmake(&book);
}

Test(book, a_reader_of_the_diffs_always_sees_the_top)
{
    static const uint32_t depths[] = { 1, 5, 20 };
    for (size_t d = 0; d < 3; d++) {
        uint32_t n = depths[d];
        struct book book;
        struct book_view told = { 0 }, next, reader = { 0 };
        struct book_change change;
        book_make(&book, 1024);
        for (int i = 0; i < 30000; i++) {
            uint32_t many = (uint32_t)(draw() % 12);
            for (uint32_t j = 0; j < many; j++) {
                enum side side = draw() % 2 == 0 ? SIDE_BUY : SIDE_SELL;
                int64_t price = 1000 + (side == SIDE_BUY ? -1 : 1) * (int64_t)(draw() % 60);
                book_set(&book, side, price, draw() % 2 == 0 ? 0 : (int64_t)(draw() % 9 + 1));
            }
            book_top(&book, n, &next);
            book_diff(&told, &next, &change);
            cr_assert_eq(change.total, change.count[0] + change.count[1]);
            for (uint32_t j = 0; j < change.total; j++) {
                reader_set(&reader, j < change.count[SIDE_BUY] ? SIDE_BUY : SIDE_SELL, change.level[j], 20);
            }
            cr_assert(same_view(&reader, &next), "depth %u, step %d", n, i);
            told = next;
        }
        book_unmake(&book);
    }
}

/* What follows a book by its changes alone is what a whole comparison finds, change for change. */
Test(book, following_names_the_same_changes_as_comparing_all_of_it)
{
    static const uint32_t depths[] = { 1, 5, 20 };
    for (size_t d = 0; d < 3; d++) {
        uint32_t n = depths[d];
        struct book book;
        struct book_view view = { 0 }, before, next;
        struct book_change change, expected;
        book_make(&book, 64); /* so small that the worst levels are dropped now and then */
        for (int i = 0; i < 60000; i++) {
            uint32_t many = (uint32_t)(draw() % 6);
            int64_t deep = draw() % 4 == 0 ? 60 : 4; /* mostly near the touch */
            for (uint32_t j = 0; j < many; j++) {
                enum side side = draw() % 2 == 0 ? SIDE_BUY : SIDE_SELL;
                int64_t price = 1000 + (side == SIDE_BUY ? -1 : 1) * ((int64_t)draw() & INT64_MAX) % deep;
                book_set(&book, side, price, draw() % 2 == 0 ? 0 : (int64_t)(draw() % 9 + 1));
            }
            if (draw() % 500 == 0) {
                const struct level bids[] = { { 999, 3 }, { 990, 2 } };
                book_load(&book, bids, (uint32_t)(draw() % 3), NULL, 0);
            }
            if (draw() % 3 == 0) {
                continue; /* several events are followed at once */
            }
            before = view;
            book_top(&book, n, &next);
            book_diff(&before, &next, &expected);
            change.total = change.count[SIDE_BUY] = change.count[SIDE_SELL] = 0;
            for (enum side side = SIDE_BUY; side <= SIDE_SELL; side++) {
                if (book.side[side].changed) {
                    book_follow(&book, n, side, &view, &change);
                    book.side[side].changed = false;
                }
            }
            cr_assert(same_view(&view, &next), "depth %u, step %d", n, i);
            cr_assert_eq(change.total, expected.total, "depth %u, step %d", n, i);
            cr_assert_eq(change.count[SIDE_BUY], expected.count[SIDE_BUY]);
            cr_assert_eq(memcmp(change.level, expected.level, change.total * sizeof(struct level)), 0);
        }
        book_unmake(&book);
    }
}

/* Whoever publishes passes by a side that says that nothing changed. */
Test(book, a_side_says_that_it_changed_until_that_is_taken_back)
{
    static struct level memory[2 * BOOK_LEVELS_MIN];
    const struct level bid = { 100, 5 }, ask = { 101, 5 };
    struct book book;
    book_init(&book, memory, BOOK_LEVELS_MIN);
    book_load(&book, &bid, 1, &ask, 1);
    cr_assert(book.side[SIDE_BUY].changed && book.side[SIDE_SELL].changed);
    for (int how = 0; how < 5; how++) {
        book.side[SIDE_BUY].changed = book.side[SIDE_SELL].changed = false;
        if (how == 4) {
            book_load(&book, NULL, 0, NULL, 0); /* both sides lose what they had, and nothing is set */
            cr_assert(book.side[SIDE_BUY].changed && book.side[SIDE_SELL].changed);
            break;
        }
        /* a new level, another quantity, a level further down, a deletion */
        static const struct level change[] = { { 99, 1 }, { 99, 2 }, { 90, 7 }, { 99, 0 } };
        book_set(&book, SIDE_BUY, change[how].price, change[how].qty);
        cr_assert(book.side[SIDE_BUY].changed && !book.side[SIDE_SELL].changed);
    }
}

Test(book, a_diff_names_only_what_changed_and_deletions_first)
{
    struct book_view old = { .count = { 2, 1 }, .level = { { { 100, 5 }, { 99, 5 } }, { { 101, 5 } } } };
    struct book_view new = { .count = { 2, 1 }, .level = { { { 100, 5 }, { 98, 7 } }, { { 101, 6 } } } };
    struct book_change change;
    book_diff(&old, &new, &change);
    cr_assert_eq(change.total, 3);
    cr_assert_eq(change.count[SIDE_BUY], 2);
    cr_assert(change.level[0].price == 99 && change.level[0].qty == 0);
    cr_assert(change.level[1].price == 98 && change.level[1].qty == 7);
    cr_assert(change.level[2].price == 101 && change.level[2].qty == 6);
    book_diff(&new, &new, &change);
    cr_assert_eq(change.total, 0);
}

Test(book, a_snapshot_may_come_in_any_order)
{
    struct level bids[3] = { { 100, 1 }, { 99, 2 }, { 98, 3 } };
    struct level asks[3] = { { 103, 3 }, { 101, 1 }, { 102, 2 } };
    struct book book;
    struct book_view view;
    book_make(&book, 64);
    book_set(&book, SIDE_BUY, 500, 1);
    for (int i = 0; i < 2; i++) {
        book_load(&book, bids, 3, asks, 3);
        book_top(&book, 20, &view);
        cr_assert_eq(view.count[SIDE_BUY], 3);
        cr_assert(view.level[SIDE_BUY][0].price == 100 && view.level[SIDE_BUY][2].qty == 3);
        cr_assert(view.level[SIDE_SELL][0].price == 101 && view.level[SIDE_SELL][2].price == 103);
        struct level swap = bids[0];
        bids[0] = bids[2];
        bids[2] = swap;
    }
    cr_assert_not(book.side[SIDE_BUY].bounded, "a short side is the whole side");
    book_unmake(&book);
}

Test(book, deleting_an_unknown_level_is_normal)
{
    struct book book;
    book_make(&book, 64);
    book_set(&book, SIDE_SELL, 10, 0);
    book_set(&book, SIDE_SELL, 11, 4);
    book_set(&book, SIDE_SELL, 10, 0);
    cr_assert_eq(book.side[SIDE_SELL].count, 1);
    cr_assert_eq(book.unknown_deletes, 2);
    book_unmake(&book);
}

Test(book, a_full_side_drops_its_worst_and_says_how_far_it_knows)
{
    struct book book;
    book_make(&book, 64);
    for (int64_t p = 0; p < 200; p++) {
        book_set(&book, SIDE_BUY, p, 1); /* always better: the worst go */
    }
    cr_assert_leq(book.side[SIDE_BUY].count, 64);
    cr_assert_eq(book_best(&book, SIDE_BUY)->price, 199);
    cr_assert(book.side[SIDE_BUY].bounded);
    cr_assert_eq(book.truncated + book.side[SIDE_BUY].count, 200);
    cr_assert(book_knows(&book, 20));
    while (book_best(&book, SIDE_BUY)->price > book.side[SIDE_BUY].horizon + 10) {
        book_set(&book, SIDE_BUY, book_best(&book, SIDE_BUY)->price, 0);
    }
    cr_assert_not(book_knows(&book, 20), "the best 20 reach beyond what is known");
    cr_assert(book_knows(&book, 5));

    struct book other;
    book_make(&other, 64);
    for (int64_t p = 1000; p > 800; p--) {
        book_set(&other, SIDE_BUY, p, 1); /* always worse: none of them may push out a better one */
    }
    cr_assert_eq(book_best(&other, SIDE_BUY)->price, 1000);
    for (uint32_t i = 0; i < 60; i++) {
        cr_assert_eq(other.side[SIDE_BUY].level[other.side[SIDE_BUY].count - 1 - i].price, 1000 - (int64_t)i);
    }
    book_unmake(&book);
    book_unmake(&other);
}

Test(book, crossed_means_bid_not_below_ask)
{
    struct book book;
    book_make(&book, 64);
    cr_assert_not(book_crossed(&book));
    book_set(&book, SIDE_BUY, 100, 1);
    cr_assert_not(book_crossed(&book));
    book_set(&book, SIDE_SELL, 101, 1);
    cr_assert_not(book_crossed(&book));
    book_set(&book, SIDE_SELL, 100, 1);
    cr_assert(book_crossed(&book));
    book_unmake(&book);
}
