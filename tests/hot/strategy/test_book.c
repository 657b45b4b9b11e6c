#include "hot/strategy/book.h"

#include <criterion/criterion.h>

static struct slot slots[RECORD_SLOTS_MAX];

static void levels(struct book *book, bool snap, uint32_t bids, uint32_t asks, const struct level *level,
                   uint64_t stamp_ns, int64_t venue_time_ns)
{
    memset(slots, 0, sizeof slots);
    struct record_book *record = (struct record_book *)(void *)record_begin(
        slots, RECORD_BOOK, record_slots_for_levels(bids + asks), stamp_ns);
    record->head.flags = snap ? RECORD_FLAG_SNAP : 0;
    record->bid_count = (uint8_t)bids;
    record->ask_count = (uint8_t)asks;
    record->venue_time_ns = venue_time_ns;
    for (uint32_t i = 0; i < bids + asks; i++) {
        *record_level(record, i) = level[i];
    }
    book_take_levels(book, record);
}

static void top(struct book *book, int64_t bid, int64_t ask, uint64_t stamp_ns, int64_t venue_time_ns)
{
    memset(slots, 0, sizeof slots);
    struct record_top *record = (struct record_top *)(void *)record_begin(slots, RECORD_TOP, 1, stamp_ns);
    record->bid_price = bid;
    record->ask_price = ask;
    record->bid_qty = record->ask_qty = 7;
    record->venue_time_ns = venue_time_ns;
    book_take_top(book, record);
}

static struct book fresh(void)
{
    static struct book book;
    book_reset(&book, INSTRUMENT_TRADING, BOOK_PRICE_MAX);
    book_feed(&book, FEED_LIVE);
    levels(&book, true, 3, 3,
           (struct level[]){ { 98, 1 }, { 100, 5 }, { 99, 2 }, { 101, 4 }, { 103, 6 }, { 102, 3 } }, 1000, 0);
    return book;
}

Test(book, levels_arrive_in_any_order_and_are_kept_best_first)
{
    struct book book = fresh();
    cr_assert_eq(book_level(&book, SIDE_BUY, 0)->price, 100);
    cr_assert_eq(book_level(&book, SIDE_BUY, 2)->price, 98);
    cr_assert_eq(book_level(&book, SIDE_SELL, 0)->price, 101);
    cr_assert_eq(book_level(&book, SIDE_SELL, 2)->price, 103);
    cr_assert_eq(book.side[SIDE_BUY].total_qty, 8);
    cr_assert_eq(book_trouble(&book, 1000, 10), BOOK_GOOD);
}

Test(book, a_delta_sets_changes_and_deletes)
{
    struct book book = fresh();
    levels(&book, false, 2, 1, (struct level[]){ { 100, 0 }, { 97, 9 }, { 101, 8 } }, 2000, 0);
    cr_assert_eq(book_level(&book, SIDE_BUY, 0)->price, 99);
    cr_assert_eq(book.side[SIDE_BUY].count, 3);
    cr_assert_eq(book.side[SIDE_BUY].total_qty, 12);
    cr_assert_eq(book_level(&book, SIDE_SELL, 0)->qty, 8);
    cr_assert_eq(book.side[SIDE_SELL].total_qty, 17);
}

Test(book, the_view_keeps_the_best_levels_only)
{
    struct book book = fresh();
    for (int64_t i = 0; i < 40; i++) {
        levels(&book, false, 1, 0, (struct level[]){ { 50 + i, 1 } }, 2000, 0);
    }
    cr_assert_eq(book.side[SIDE_BUY].count, BOOK_DEPTH_MAX);
    cr_assert_eq(book_level(&book, SIDE_BUY, 0)->price, 100);
    cr_assert_eq(book_level(&book, SIDE_BUY, 3)->price, 89);
    int64_t sum = 0;
    for (uint32_t i = 0; i < book.side[SIDE_BUY].count; i++) {
        sum += book_level(&book, SIDE_BUY, i)->qty;
    }
    cr_assert_eq(book.side[SIDE_BUY].total_qty, sum);
}

/* The same kept the plain way: what is set is entered and sorted. */
struct plain {
    uint32_t count;
    struct level level[BOOK_DEPTH_MAX + 1];
};

static void plain_set(struct plain *plain, enum side side, struct level level)
{
    int64_t sign = side_sign(side);
    uint32_t at = 0;
    while (at < plain->count && sign * plain->level[at].price > sign * level.price) {
        at++;
    }
    if (at < plain->count && plain->level[at].price == level.price) {
        plain->count--;
        memmove(&plain->level[at], &plain->level[at + 1], (plain->count - at) * sizeof level);
    }
    if (level.qty != 0) {
        memmove(&plain->level[at + 1], &plain->level[at], (plain->count - at) * sizeof level);
        plain->level[at] = level;
        plain->count = (uint32_t)base_min(plain->count + 1, BOOK_DEPTH_MAX);
    }
}

Test(book, a_market_that_wanders_leaves_the_best_levels_in_order)
{
    struct book book = fresh();
    struct plain plain[2] = { 0 };
    levels(&book, true, 0, 0, NULL, 2000, 0);
    uint64_t seed = 88172645463325252ULL;
    int64_t middle = 100000;
    for (int i = 0; i < 50000; i++) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        middle += i / 2000 % 3 == 0   ? (int64_t)(seed >> 50 & 1)
                  : i / 2000 % 3 == 1 ? -(int64_t)(seed >> 50 & 1)
                                      : 0;
        enum side side = seed >> 20 & 1;
        struct level level = { middle - side_sign(side) * (int64_t)(seed >> 30 & (seed >> 40 & 1 ? 3 : 31)),
                               seed >> 10 & 1 ? 0 : 1 + (int64_t)(seed >> 5 & 15) };
        levels(&book, false, side == SIDE_BUY, side == SIDE_SELL, &level, 2000, 0);
        plain_set(&plain[side], side, level);
        cr_assert_eq(book.side[side].count, plain[side].count, "step %d", i);
        int64_t sum = 0;
        for (uint32_t k = 0; k < plain[side].count; k++) {
            cr_assert_eq(book_level(&book, side, k)->price, plain[side].level[k].price, "step %d", i);
            cr_assert_eq(book_level(&book, side, k)->qty, plain[side].level[k].qty, "step %d", i);
            sum += plain[side].level[k].qty;
        }
        cr_assert_eq(book.side[side].total_qty, sum);
        cr_assert_leq(book.side[side].first + book.side[side].count, BOOK_PLACES);
    }
    cr_assert_eq(book.malformed, 0);
}

Test(book, a_gap_makes_it_unusable_until_a_complete_view)
{
    struct book book = fresh();
    book_feed(&book, FEED_GAP);
    cr_assert_eq(book_trouble(&book, 1000, 0), BOOK_NOT_LIVE);
    book_feed(&book, FEED_LIVE);
    cr_assert_eq(book_trouble(&book, 1000, 0), BOOK_NOT_LIVE);
    levels(&book, false, 1, 1, (struct level[]){ { 100, 1 }, { 101, 1 } }, 2000, 0); /* changes of nothing */
    cr_assert_eq(book_trouble(&book, 2000, 0), BOOK_NOT_LIVE);
    levels(&book, true, 1, 1, (struct level[]){ { 100, 1 }, { 101, 1 } }, 2000, 0);
    cr_assert_eq(book_trouble(&book, 2000, 0), BOOK_GOOD);
}

Test(book, a_stale_feed_keeps_its_levels)
{
    struct book book = fresh();
    book_feed(&book, FEED_STALE);
    cr_assert_eq(book_trouble(&book, 1000, 0), BOOK_NOT_LIVE);
    book_feed(&book, FEED_LIVE);
    cr_assert_eq(book_trouble(&book, 1000, 0), BOOK_GOOD);
}

Test(book, age_counts_from_the_last_book_or_top)
{
    struct book book = fresh();
    cr_assert_eq(book_trouble(&book, 1100, 100), BOOK_GOOD);
    cr_assert_eq(book_trouble(&book, 1101, 100), BOOK_STALE);
    top(&book, 100, 101, 1101, 0);
    cr_assert_eq(book_trouble(&book, 1201, 100), BOOK_GOOD);
}

Test(book, lateness_beyond_the_least_counts_as_age)
{
    struct book book = fresh();
    /* the venue's clock is 5000 behind ours and that is no lateness; 300 more is */
    levels(&book, false, 1, 0, (struct level[]){ { 100, 5 } }, 10000, 5000);
    cr_assert_eq(book_trouble(&book, 10000, 100), BOOK_GOOD);
    levels(&book, false, 1, 0, (struct level[]){ { 100, 5 } }, 11300, 6000);
    cr_assert_eq(book_trouble(&book, 11300, 200), BOOK_STALE);
    levels(&book, false, 1, 0, (struct level[]){ { 100, 5 } }, 12000, 7000);
    cr_assert_eq(book_trouble(&book, 12000, 200), BOOK_GOOD);
}

Test(book, crossed_or_empty_is_no_book)
{
    struct book book = fresh();
    levels(&book, false, 1, 0, (struct level[]){ { 101, 1 } }, 1000, 0);
    cr_assert_eq(book_trouble(&book, 1000, 0), BOOK_CROSSED);
    book = fresh();
    levels(&book, false, 0, 3, (struct level[]){ { 101, 0 }, { 102, 0 }, { 103, 0 } }, 1000, 0);
    cr_assert_eq(book_trouble(&book, 1000, 0), BOOK_EMPTY);
    book = fresh();
    top(&book, 105, 104, 1001, 0);
    cr_assert_eq(book_trouble(&book, 1001, 0), BOOK_CROSSED);
}

Test(book, a_newer_top_narrows_what_can_be_hit_and_what_must_not_be_reached)
{
    struct book book = fresh();
    struct touch touch;
    top(&book, 99, 101, 1001, 0); /* the bid at 100 is gone already */
    cr_assert(book_touch(&book, &touch));
    cr_assert_eq(touch.bid, 99);
    cr_assert_eq(touch.inner_bid, 100);
    int64_t worst;
    cr_assert_eq(book_walk(&book, SIDE_SELL, 2, &worst), 99);
    cr_assert_eq(book_walk(&book, SIDE_SELL, 4, &worst), 0); /* 2 + 1 are left */

    top(&book, 100, 104, 1002, 0); /* asks up to 103 are gone */
    cr_assert(book_touch(&book, &touch));
    cr_assert_eq(touch.ask, 104);
    cr_assert_eq(touch.inner_ask, 101);
    cr_assert_eq(book_walk(&book, SIDE_BUY, 1, &worst), 0);
}

Test(book, a_top_older_than_the_book_is_not_used)
{
    struct book book = fresh();
    struct touch touch;
    levels(&book, false, 1, 0, (struct level[]){ { 100, 5 } }, 2000, 900);
    top(&book, 90, 91, 2001, 800);
    book_touch(&book, &touch);
    cr_assert_eq(touch.bid, 100);
    top(&book, 99, 101, 2002, 950);
    book_touch(&book, &touch);
    cr_assert_eq(touch.bid, 99);
    levels(&book, false, 1, 0, (struct level[]){ { 100, 6 } }, 2003, 950);
    book_touch(&book, &touch);
    cr_assert_eq(touch.bid, 100);
}

Test(book, walking_averages_and_rounds_against_us)
{
    struct book book = fresh();
    int64_t worst;
    cr_assert_eq(book_walk(&book, SIDE_SELL, 5, &worst), 100);
    cr_assert_eq(worst, 100);
    cr_assert_eq(book_walk(&book, SIDE_SELL, 6, &worst), 99); /* (500 + 99) / 6 = 99.83 */
    cr_assert_eq(worst, 99);
    cr_assert_eq(book_walk(&book, SIDE_BUY, 6, &worst), 102);  /* (404 + 204) / 6 = 101.33 */
    cr_assert_eq(book_walk(&book, SIDE_BUY, 13, &worst), 103); /* (404 + 306 + 618) / 13 = 102.2 */
    cr_assert_eq(worst, 103);
    cr_assert_eq(book_walk(&book, SIDE_BUY, 14, &worst), 0);
}

Test(book, nonsense_is_counted_and_left_out)
{
    struct book book = fresh();
    levels(&book, false, 2, 1, (struct level[]){ { -5, 1 }, { 0, 1 }, { 101, -1 } }, 1000, 0);
    cr_assert_eq(book.malformed, 3);
    cr_assert_eq(book_level(&book, SIDE_SELL, 0)->qty, 4);

    memset(slots, 0, sizeof slots);
    struct record_book *record = (struct record_book *)(void *)record_begin(slots, RECORD_BOOK, 2, 1000);
    record->bid_count = 40; /* more than two slots hold */
    record->ask_count = 40;
    book_take_levels(&book, record);
    cr_assert_eq(book.malformed, 4);
}

Test(book, bands_are_measured_from_a_fresh_mark_else_from_the_middle)
{
    struct book book = fresh();
    cr_assert_eq(book_reference(&book, 1000, 50), 100);
    memset(slots, 0, sizeof slots);
    struct record_mark *mark = (struct record_mark *)(void *)record_begin(slots, RECORD_MARK, 1, 1000);
    mark->mark = 120;
    book_mark(&book, mark);
    cr_assert_eq(book_reference(&book, 1050, 50), 120);
    cr_assert_eq(book_reference(&book, 1051, 50), 100);
}
