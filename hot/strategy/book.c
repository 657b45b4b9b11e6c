#include "hot/strategy/book.h"

#include "ring/decimal.h"

static void side_clear(struct book_side *side)
{
    side->count = 0;
    side->first = BOOK_MARGIN;
    side->total_qty = 0;
}

static inline bool better(enum side side, int64_t a, int64_t b)
{
    return side == SIDE_BUY ? a > b : a < b;
}

/* Both halves of a side move by one place at most: the shorter one does. */
static void side_remove(struct book_side *side, uint32_t at)
{
    struct level *level = &side->place[side->first];
    side->total_qty -= level[at].qty;
    side->count--;
    if (at < side->count - at) {
        for (uint32_t i = at; i > 0; i--) {
            level[i] = level[i - 1];
        }
        side->first++;
        return;
    }
    for (uint32_t i = at; i < side->count; i++) {
        level[i] = level[i + 1];
    }
}

static void side_insert(struct book_side *side, uint32_t at, int64_t price, int64_t qty)
{
    if (POISE_UNLIKELY(side->first == 0 || side->first + side->count == BOOK_PLACES)) {
        memmove(&side->place[BOOK_MARGIN], &side->place[side->first], side->count * sizeof side->place[0]);
        side->first = BOOK_MARGIN;
    }
    struct level *level = &side->place[side->first];
    if (at < side->count - at) {
        side->first--;
        level--;
        for (uint32_t i = 0; i < at; i++) {
            level[i] = level[i + 1];
        }
    } else {
        for (uint32_t i = side->count; i > at; i--) {
            level[i] = level[i - 1];
        }
    }
    level[at].price = price;
    level[at].qty = qty;
    side->total_qty += qty;
    side->count++;
}

/* One price set or deleted.  Changes near the touch are the most frequent, so the search begins there. */
static inline void side_set(struct book_side *side, enum side which, int64_t price, int64_t qty)
{
    struct level *level = &side->place[side->first];
    uint32_t at = 0;
    while (at < side->count && better(which, level[at].price, price)) {
        at++;
    }
    bool here = at < side->count && level[at].price == price;

    if (here && qty != 0) {
        side->total_qty += qty - level[at].qty;
        level[at].qty = qty;
        return;
    }
    if (here) {
        side_remove(side, at);
        return;
    }
    if (qty == 0 || at == BOOK_DEPTH_MAX) {
        return;
    }
    if (side->count == BOOK_DEPTH_MAX) {
        side->count--;
        side->total_qty -= level[side->count].qty;
    }
    side_insert(side, at, price, qty);
}

void book_reset(struct book *book, uint8_t status, int64_t price_most)
{
    memset(book, 0, sizeof *book);
    side_clear(&book->side[SIDE_BUY]);
    side_clear(&book->side[SIDE_SELL]);
    book->status = status;
    book->price_most = price_most;
    book->feed_state = FEED_DOWN;
    book->lag_least[0] = INT64_MAX;
    book->lag_least[1] = INT64_MAX;
}

/* How late a record is beyond the least lateness of the last one or two windows. */
static void lag_update(struct book *book, uint64_t stamp_ns, int64_t venue_time_ns)
{
    if (venue_time_ns <= 0 || stamp_ns > INT64_MAX) {
        return;
    }
    int64_t lag = (int64_t)stamp_ns - venue_time_ns;
    if (stamp_ns - book->lag_window_ns >= BOOK_LAG_WINDOW_NS) {
        book->lag_least[1] = book->lag_least[0];
        book->lag_least[0] = lag;
        book->lag_window_ns = stamp_ns;
    }
    book->lag_least[0] = base_min(book->lag_least[0], lag);
    book->late_ns = (uint64_t)lag - (uint64_t)base_min(book->lag_least[0], book->lag_least[1]);
}

/* The changed levels enter the strategy's own view. */
void book_take_levels(struct book *book, const struct record_book *record)
{
    uint32_t bids = record->bid_count;
    uint32_t levels = bids + record->ask_count;
    if (levels > BOOK_LEVELS_MAX || record->head.slot_count < record_slots_for_levels(levels)) {
        book->malformed++;
        return;
    }
    if (record->head.flags & RECORD_FLAG_SNAP) {
        side_clear(&book->side[SIDE_BUY]);
        side_clear(&book->side[SIDE_SELL]);
        book->has_view = 1;
    } else if (!book->has_view) {
        book->malformed++; /* a change of nothing: wait for the complete view */
        return;
    }
    for (uint32_t i = 0; i < levels; i++) {
        const struct level *level = record_level(record, i);
        if (POISE_UNLIKELY(level->price <= 0 || level->price > book->price_most || level->qty < 0 ||
                           level->qty > BOOK_QTY_MAX)) {
            book->malformed++;
            continue;
        }
        enum side which = i < bids ? SIDE_BUY : SIDE_SELL;
        side_set(&book->side[which], which, level->price, level->qty);
    }
    book->sequence = record->sequence;
    book->venue_time_ns = record->venue_time_ns;
    book->last_ns = record->head.stamp_ns;
    lag_update(book, record->head.stamp_ns, record->venue_time_ns);

    /* Without venue times the later arrival counts as the newer truth. */
    if (book->top_newer && (record->venue_time_ns == 0 || book->top_venue_time_ns == 0 ||
                            record->venue_time_ns >= book->top_venue_time_ns)) {
        book->top_newer = 0;
    }
}

void book_take_top(struct book *book, const struct record_top *record)
{
    if (record->bid_price < 0 || record->ask_price < 0 || record->bid_price > book->price_most ||
        record->ask_price > book->price_most || record->bid_qty < 0 || record->ask_qty < 0) {
        book->malformed++;
        return;
    }
    book->last_ns = record->head.stamp_ns;
    lag_update(book, record->head.stamp_ns, record->venue_time_ns);
    if (record->venue_time_ns != 0 && book->venue_time_ns != 0 &&
        record->venue_time_ns < book->venue_time_ns) {
        return; /* behind the book */
    }
    book->top_price[SIDE_BUY] = record->bid_price;
    book->top_qty[SIDE_BUY] = record->bid_qty;
    book->top_price[SIDE_SELL] = record->ask_price;
    book->top_qty[SIDE_SELL] = record->ask_qty;
    book->top_venue_time_ns = record->venue_time_ns;
    book->top_newer = 1;
}

void book_trade(struct book *book, const struct record_trade *record)
{
    if (record->price <= 0 || record->price > book->price_most || record->qty < 0) {
        book->malformed++;
        return;
    }
    book->trade_price = record->price;
    book->trade_qty = record->qty;
    book->trade_ns = record->head.stamp_ns;
    book->trade_count++;
}

void book_mark(struct book *book, const struct record_mark *record)
{
    if (record->mark < 0 || record->mark > book->price_most || record->index < 0) {
        book->malformed++;
        return;
    }
    if (record->mark != 0) {
        book->mark = record->mark;
        book->mark_ns = record->head.stamp_ns;
    }
    if (record->index != 0) {
        book->index = record->index;
    }
    if (record->next_funding_ns != 0) {
        book->funding_rate_e12 = record->funding_rate_e12;
        book->next_funding_ns = record->next_funding_ns;
    }
}

void book_feed(struct book *book, uint32_t feed_state)
{
    if (feed_state > FEED_STALE) {
        book->malformed++;
        feed_state = FEED_GAP;
    }
    if (feed_state == FEED_DOWN || feed_state == FEED_SYNCING || feed_state == FEED_GAP) {
        side_clear(&book->side[SIDE_BUY]);
        side_clear(&book->side[SIDE_SELL]);
        book->has_view = 0;
        book->top_newer = 0;
        book->lag_least[0] = INT64_MAX; /* another connection, another distance between the clocks */
        book->lag_least[1] = INT64_MAX;
        book->late_ns = 0;
    }
    book->feed_state = (uint8_t)feed_state;
}

void book_status(struct book *book, uint32_t status)
{
    book->status = status <= INSTRUMENT_CLOSED ? (uint8_t)status : INSTRUMENT_UNKNOWN;
}

int64_t book_walk_deep(const struct book *book, enum side side, int64_t qty, int64_t *worst)
{
    enum side hit = side_opposite(side);
    const struct level *level = book_level(book, hit, 0);
    uint32_t count = book->side[hit].count;
    uint32_t at = 0;

    /* Levels better than a newer top are gone already. */
    if (book->top_newer) {
        while (at < count && better(hit, level[at].price, book->top_price[hit])) {
            at++;
        }
    }
    if (at == count) {
        return 0;
    }
    if (POISE_LIKELY(qty <= level[at].qty)) {
        *worst = level[at].price;
        return level[at].price;
    }
    int128 sum = 0;
    int64_t left = qty;
    for (; at < count; at++) {
        int64_t take = base_min(left, level[at].qty);
        sum += (int128)take * level[at].price;
        left -= take;
        if (left == 0) {
            *worst = level[at].price;
            return decimal_divide(sum, qty, side == SIDE_BUY ? ROUND_UP : ROUND_DOWN);
        }
    }
    return 0;
}

int64_t book_reference(const struct book *book, uint64_t now_ns, uint64_t stale_ns)
{
    if (book->mark_ns != 0 && (stale_ns == 0 || now_ns - book->mark_ns <= stale_ns)) {
        return book->mark;
    }
    int64_t mid = book_mid(book);
    return mid != 0 ? mid : book->mark;
}
