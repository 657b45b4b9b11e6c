#include "tests/venues/fast/compare.h"
#include "venues/binance/feed.h"

#include <stdlib.h>
#include <string.h>

void compare_make(struct compare *compare, const struct instrument_table *instruments, uint8_t product)
{
    memset(compare, 0, sizeof *compare);
    compare->parser = (struct feed_parser){ .instruments = instruments,
                                            .venue = VENUE_BINANCE,
                                            .product = product,
                                            .level_capacity = FEED_LEVELS_MAX,
                                            .reply_instrument = NO_INSTRUMENT };
    compare->tolerant = compare->parser;
    compare->parser.levels = calloc(FEED_LEVELS_MAX, sizeof(struct level));
    compare->tolerant.levels = calloc(FEED_LEVELS_MAX, sizeof(struct level));
    POISE_ASSERT(compare->parser.levels != NULL && compare->tolerant.levels != NULL);
}

void compare_free(struct compare *compare)
{
    free(compare->parser.levels);
    free(compare->tolerant.levels);
}

struct heard {
    uint32_t calls;
    struct feed_event event;
};

static void hear(void *context, const struct feed_event *event)
{
    struct heard *heard = context;
    heard->calls++;
    heard->event = *event;
}

static const char *difference(const struct feed_event *a, const struct feed_event *b)
{
    if (a->kind != b->kind || a->flags != b->flags || a->instrument != b->instrument ||
        a->aggressor != b->aggressor || a->control != b->control || a->status != b->status ||
        a->top_n != b->top_n) {
        return "kind, flags or instrument";
    }
    if (a->venue_time_ns != b->venue_time_ns || a->first != b->first || a->last != b->last ||
        a->previous != b->previous) {
        return "time or ids";
    }
    if (a->text != b->text || a->text_bytes != b->text_bytes) {
        return "symbol";
    }
    if (a->bid_count != b->bid_count || a->ask_count != b->ask_count) {
        return "count of levels";
    }
    if (a->kind == FEED_EVENT_DEPTH && (memcmp(a->bids, b->bids, a->bid_count * sizeof(struct level)) != 0 ||
                                        memcmp(a->asks, b->asks, a->ask_count * sizeof(struct level)) != 0)) {
        return "levels";
    }
    if (a->kind == FEED_EVENT_TRADE && memcmp(&a->u.trade, &b->u.trade, sizeof a->u.trade) != 0) {
        return "trade";
    }
    if (a->kind == FEED_EVENT_TOP && memcmp(&a->u.top, &b->u.top, sizeof a->u.top) != 0) {
        return "best prices";
    }
    return NULL;
}

enum compare_result compare_parse(struct compare *compare, enum index_level level, const char *bytes,
                                  size_t count)
{
    struct heard fast = { 0 }, slow = { 0 };
    compare->parser.broken_at = 77;
    compare->parser.broken_why = "of the message before";
    int64_t consumed = binance_fast_at(level)(&compare->parser, bytes, count, hear, &fast);
    compare->event = fast.event;
    compare->why = NULL;
    if (consumed == BINANCE_FAST_NOT_MINE) {
        compare->why = fast.calls != 0 ? "declined after a call of the sink" : NULL;
        return compare->why != NULL ? COMPARE_DIFFERENT : COMPARE_DECLINED;
    }
    int64_t whole = binance_feed_parse_tolerant(&compare->tolerant, bytes, count, hear, &slow);
    if (consumed != whole) {
        compare->why = "bytes consumed";
    } else if (fast.calls != 1 || slow.calls != 1) {
        compare->why = "count of events";
    } else if (compare->parser.broken_at != compare->tolerant.broken_at ||
               compare->parser.broken_why != compare->tolerant.broken_why) {
        compare->why = "the note on what was broken";
    } else {
        compare->why = difference(&fast.event, &slow.event);
    }
    return compare->why != NULL ? COMPARE_DIFFERENT : COMPARE_SAME;
}
