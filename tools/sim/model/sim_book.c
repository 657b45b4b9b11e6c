#include "tools/sim/model/sim_book.h"

#include <stdlib.h>
#include <string.h>

bool sim_book_better(int side, int64_t a, int64_t b)
{
    return side == SIM_BUY ? a > b : a < b;
}

static void *grow(void *memory, size_t *capacity, size_t need, size_t size)
{
    if (need <= *capacity) {
        return memory;
    }
    size_t wanted = *capacity == 0 ? 64 : *capacity * 2;
    void *bigger = realloc(memory, (wanted < need ? need : wanted) * size);

    if (bigger == NULL) {
        abort();
    }
    *capacity = wanted < need ? need : wanted;
    return bigger;
}

/* find answers the index of price, or of the first level better than it.  Touch levels are at the end, so
 * the search looks there first. */
static size_t find(const struct sim_ladder *ladder, int side, int64_t price)
{
    size_t low = 0, high = ladder->count;

    if (high > 16 && sim_book_better(side, price, ladder->level[high - 16].price)) {
        low = high - 16;
    }
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (sim_book_better(side, price, ladder->level[middle].price)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void set(struct sim_ladder *ladder, int side, int64_t price, int64_t qty)
{
    size_t at = find(ladder, side, price);
    bool there = at < ladder->count && ladder->level[at].price == price;

    if (qty == 0) {
        if (there) {
            memmove(&ladder->level[at], &ladder->level[at + 1],
                    (ladder->count - at - 1) * sizeof *ladder->level);
            ladder->count--;
        }
        return;
    }
    if (!there) {
        ladder->level = grow(ladder->level, &ladder->capacity, ladder->count + 1, sizeof *ladder->level);
        memmove(&ladder->level[at + 1], &ladder->level[at], (ladder->count - at) * sizeof *ladder->level);
        ladder->count++;
        ladder->level[at].price = price;
    }
    ladder->level[at].qty = qty;
}

static struct sim_eaten *eaten_find(const struct sim_book *book, int side, int64_t price)
{
    for (size_t i = 0; i < book->eaten_count[side]; i++) {
        if (book->eaten[side][i].price == price) {
            return &book->eaten[side][i];
        }
    }
    return NULL;
}

static void eaten_drop(struct sim_book *book, int side, struct sim_eaten *entry)
{
    *entry = book->eaten[side][--book->eaten_count[side]];
}

/* heard tells the eaten table what the recording now says of a level: raised means fresh liquidity, lower
 * means that what we ate cannot exceed what is left. */
static void heard(struct sim_book *book, int side, int64_t price, int64_t qty)
{
    struct sim_eaten *entry = eaten_find(book, side, price);

    if (entry == NULL) {
        return;
    }
    if (qty == 0 || qty > entry->seen) {
        eaten_drop(book, side, entry);
        return;
    }
    entry->seen = qty;
    if (entry->qty > qty) {
        entry->qty = qty;
    }
}

void sim_book_free(struct sim_book *book)
{
    for (int side = 0; side < 2; side++) {
        free(book->side[side].level);
        free(book->eaten[side]);
    }
    memset(book, 0, sizeof *book);
}

void sim_book_clear(struct sim_book *book)
{
    for (int side = 0; side < 2; side++) {
        book->side[side].count = 0;
        book->eaten_count[side] = 0;
    }
    book->has_touch = false;
    book->u = 0;
    book->touch_u = 0;
}

void sim_book_snapshot(struct sim_book *book, const struct sim_tape_event *event)
{
    sim_book_clear(book);
    for (uint32_t i = 0; i < event->bid_count + event->ask_count; i++) {
        int side = i < event->bid_count ? SIM_BUY : SIM_SELL;
        set(&book->side[side], side, event->levels[i].price, event->levels[i].qty);
    }
    book->u = event->u;
    book->stamp_ms = event->stamp_ms;
}

void sim_book_depth(struct sim_book *book, const struct sim_tape_event *event)
{
    for (uint32_t i = 0; i < event->bid_count + event->ask_count; i++) {
        int side = i < event->bid_count ? SIM_BUY : SIM_SELL;
        const struct sim_level *level = &event->levels[i];

        set(&book->side[side], side, level->price, level->qty);
        /* The touch already told a newer size of its own level, and that better ones are gone. */
        if (book->has_touch && book->touch_u > event->u &&
            !sim_book_better(side, book->touch[side].price, level->price)) {
            continue;
        }
        heard(book, side, level->price, level->qty);
    }
    book->u = event->u;
    book->stamp_ms = event->stamp_ms;
}

bool sim_book_top(struct sim_book *book, const struct sim_tape_event *event)
{
    if (book->has_touch && event->u <= book->touch_u) {
        return false;
    }
    book->has_touch = true;
    book->touch_u = event->u;
    book->touch_stamp_ms = event->stamp_ms;
    for (int side = 0; side < 2; side++) {
        book->touch[side] = event->levels[side];
        if (event->u <= book->u) {
            continue; /* late: the ladder knows better */
        }
        for (size_t i = 0; i < book->eaten_count[side];) {
            if (sim_book_better(side, book->eaten[side][i].price, event->levels[side].price)) {
                eaten_drop(book, side, &book->eaten[side][i]);
            } else {
                i++;
            }
        }
        heard(book, side, event->levels[side].price, event->levels[side].qty);
    }
    return event->u > book->u;
}

bool sim_book_leads(const struct sim_book *book)
{
    return book->has_touch && book->touch_u > book->u;
}

int64_t sim_book_ladder_size(const struct sim_book *book, int side, int64_t price)
{
    const struct sim_ladder *ladder = &book->side[side];
    size_t at = find(ladder, side, price);

    return at < ladder->count && ladder->level[at].price == price ? ladder->level[at].qty : 0;
}

/* recorded answers the size in view before what we ate is taken off. */
static int64_t recorded(const struct sim_book *book, int side, int64_t price)
{
    if (sim_book_leads(book)) {
        if (price == book->touch[side].price) {
            return book->touch[side].qty;
        }
        if (sim_book_better(side, price, book->touch[side].price)) {
            return 0;
        }
    }
    return sim_book_ladder_size(book, side, price);
}

int64_t sim_book_size(const struct sim_book *book, int side, int64_t price)
{
    const struct sim_eaten *entry = eaten_find(book, side, price);
    int64_t size = recorded(book, side, price) - (entry != NULL ? entry->qty : 0);

    return size > 0 ? size : 0;
}

void sim_book_eat(struct sim_book *book, int side, int64_t price, int64_t qty)
{
    struct sim_eaten *entry = eaten_find(book, side, price);

    if (entry == NULL) {
        book->eaten[side] = grow(book->eaten[side], &book->eaten_capacity[side], book->eaten_count[side] + 1,
                                 sizeof *book->eaten[side]);
        entry = &book->eaten[side][book->eaten_count[side]++];
        entry->price = price;
        entry->qty = 0;
        entry->seen = recorded(book, side, price);
    }
    entry->qty += qty;
}

struct sim_walk sim_book_walk(const struct sim_book *book, int side)
{
    bool leads = sim_book_leads(book);
    struct sim_walk walk = { .book = book, .side = side, .left = book->side[side].count };

    walk.hide = leads;
    walk.touch_due = leads && book->touch[side].qty > 0;
    return walk;
}

bool sim_book_next(struct sim_walk *walk, struct sim_level *level)
{
    const struct sim_book *book = walk->book;

    if (walk->touch_due) {
        walk->touch_due = false;
        level->price = book->touch[walk->side].price;
        level->qty = sim_book_size(book, walk->side, level->price);
        if (level->qty > 0) {
            return true;
        }
    }
    while (walk->left > 0) {
        *level = book->side[walk->side].level[--walk->left];
        if (walk->hide && !sim_book_better(walk->side, book->touch[walk->side].price, level->price)) {
            continue;
        }
        if (book->eaten_count[walk->side] > 0) {
            level->qty = sim_book_size(book, walk->side, level->price);
        }
        if (level->qty > 0) {
            return true;
        }
    }
    return false;
}

bool sim_book_best(const struct sim_book *book, int side, struct sim_level *level)
{
    struct sim_walk walk = sim_book_walk(book, side);

    return sim_book_next(&walk, level);
}
