/* One depth update into a book of a thousand levels a side, and from there to what is published: the best
 * twenty and what changed in them. */
#include "bench/cases.h"
#include "bench/book_peer.h"
#include "bench/messages.h"
#include "hot/feed/book.h"

#include <stdlib.h>

#define DEPTH 1000

static struct message *messages;
static struct book book;
static void *memory;
static void *tree;
static int users;

static bool setup(struct bench *bench)
{
    (void)bench;
    if (users++ > 0) {
        return true;
    }
    messages = calloc(MESSAGE_COUNT, sizeof *messages);
    POISE_ASSERT(messages != NULL);
    messages_make(messages, MESSAGE_DEPTH);
    POISE_ASSERT(posix_memalign(&memory, POISE_APART, book_bytes(BOOK_LEVELS_DEFAULT)) == 0);
    book_init(&book, memory, BOOK_LEVELS_DEFAULT);
    tree = book_peer_make();
    return true;
}

static void teardown(void)
{
    if (--users == 0) {
        free(messages);
        free(memory);
        book_peer_destroy(tree);
    }
}

/* The same full book before every burst. */
static void fill(void)
{
    book_clear(&book);
    book_peer_destroy(tree);
    tree = book_peer_make();
    for (int i = 0; i < DEPTH; i++) {
        int64_t away = 10 * (1 + i);
        book_set(&book, SIDE_BUY, 6180000 - away, 1000 + i);
        book_set(&book, SIDE_SELL, 6180000 + away, 1000 + i);
        book_peer_set(tree, 0, 6180000 - away, 1000 + i);
        book_peer_set(tree, 1, 6180000 + away, 1000 + i);
    }
}

/* The messages come from a random walk, which leaves levels behind that a venue would have deleted: those
 * beyond the message's own touch go first, outside the span. */
static void uncross(const struct message *m)
{
    const struct level *best;
    while ((best = book_best(&book, SIDE_BUY)) != NULL && best->price > m->bid[MESSAGE_LEVELS - 1].price) {
        int64_t price = best->price;
        book_set(&book, SIDE_BUY, price, 0);
        book_peer_set(tree, 0, price, 0);
    }
    while ((best = book_best(&book, SIDE_SELL)) != NULL && best->price < m->ask[0].price) {
        int64_t price = best->price;
        book_set(&book, SIDE_SELL, price, 0);
        book_peer_set(tree, 1, price, 0);
    }
}

/* The tree gets every update too, so that both books hold the same in every case. */
static void follow(const struct message *m)
{
    for (int k = 0; k < MESSAGE_LEVELS; k++) {
        book_peer_set(tree, 0, m->bid[k].price, m->bid[k].qty);
    }
    for (int k = 0; k < MESSAGE_LEVELS; k++) {
        book_peer_set(tree, 1, m->ask[k].price, m->ask[k].qty);
    }
}

static uint64_t touch(uint64_t hash)
{
    const struct level *bid = book_best(&book, SIDE_BUY);
    const struct level *ask = book_best(&book, SIDE_SELL);
    hash = bench_hash(hash, bid == NULL ? 0 : (uint64_t)bid->price);
    return bench_hash(hash, ask == NULL ? 0 : (uint64_t)ask->price);
}

static uint64_t apply(struct bench *bench, uint64_t *ticks, uint32_t count)
{
    (void)bench;
    uint64_t hash = 0;
    fill();
    for (uint32_t i = 0; i < count; i++) {
        const struct message *m = &messages[i % MESSAGE_COUNT];
        uncross(m);
        uint64_t from = clock_ticks();
        book_apply(&book, m->bid, MESSAGE_LEVELS, m->ask, MESSAGE_LEVELS);
        ticks[i] = clock_ticks() - from;
        follow(m);
        hash = touch(hash);
    }
    return hash;
}

static uint64_t apply_tree(struct bench *bench, uint64_t *ticks, uint32_t count)
{
    (void)bench;
    uint64_t hash = 0;
    fill();
    for (uint32_t i = 0; i < count; i++) {
        const struct message *m = &messages[i % MESSAGE_COUNT];
        uncross(m);
        uint64_t from = clock_ticks();
        follow(m);
        ticks[i] = clock_ticks() - from;
        book_apply(&book, m->bid, MESSAGE_LEVELS, m->ask, MESSAGE_LEVELS);
        hash = bench_hash(hash, (uint64_t)book_peer_best(tree, 0));
        hash = bench_hash(hash, (uint64_t)book_peer_best(tree, 1));
    }
    return hash;
}

static uint64_t publish(struct bench *bench, uint64_t *ticks, uint32_t count)
{
    (void)bench;
    static struct book_view view;
    static struct book_change change;
    uint64_t hash = 0;
    fill();
    book_top(&book, BOOK_DEPTH_MAX, &view);
    book.side[SIDE_BUY].changed = book.side[SIDE_SELL].changed = false;
    for (uint32_t i = 0; i < count; i++) {
        const struct message *m = &messages[i % MESSAGE_COUNT];
        uncross(m);
        uint64_t from = clock_ticks();
        book_apply(&book, m->bid, MESSAGE_LEVELS, m->ask, MESSAGE_LEVELS);
        change.total = 0;
        for (enum side side = SIDE_BUY; side <= SIDE_SELL; side++) {
            if (book.side[side].changed) {
                book_follow(&book, BOOK_DEPTH_MAX, side, &view, &change);
                book.side[side].changed = false;
            }
        }
        ticks[i] = clock_ticks() - from;
        follow(m);
        hash = bench_hash(touch(hash), change.total);
    }
    return hash;
}

/* clang-format off */
#define BOOK(name_, burst_) \
    .name = name_, .group = "book", .processors = 1, .operations = 1, .burst_samples = 10000, \
    .setup = setup, .burst = burst_, .teardown = teardown
static const struct bench_case rows[] = {
    { BOOK("book.apply", apply), .against = { "book.apply_std_map" } },
    { BOOK("book.apply_std_map", apply_tree) },
    { BOOK("book.apply_and_publish", publish) },
};
/* clang-format on */

const struct bench_table bench_book = { rows, POISE_COUNT_OF(rows) };
