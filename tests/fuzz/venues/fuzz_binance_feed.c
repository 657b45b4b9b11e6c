/* Public streams: nothing outside is read, nothing unsound yields, and the fast paths say what the tolerant
 * one says. */
#include "tests/fuzz/venues/fuzz_binance.h"
#include "venues/binance/feed.h"

#include <stdlib.h>
#include <string.h>

struct heard {
    uint32_t count;
    uint64_t hash;
};

static void mix(struct heard *heard, const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < count; i++) {
        heard->hash = (heard->hash ^ at[i]) * 0x100000001b3ULL;
    }
}

static void on_event(void *context, const struct feed_event *event)
{
    struct heard *heard = context;
    heard->count++;
    fuzz_yielded++;
    const int64_t told[] = { event->kind,
                             event->flags,
                             event->instrument,
                             event->aggressor,
                             event->control,
                             event->status,
                             event->top_n,
                             event->venue_time_ns,
                             (int64_t)event->first,
                             (int64_t)event->last,
                             (int64_t)event->previous,
                             event->bid_count,
                             event->ask_count };
    mix(heard, told, sizeof told);
    if (event->kind == FEED_EVENT_DEPTH) {
        mix(heard, event->bids, event->bid_count * sizeof *event->bids);
        mix(heard, event->asks, event->ask_count * sizeof *event->asks);
    } else if (event->kind == FEED_EVENT_TRADE) {
        mix(heard, &event->u.trade, sizeof event->u.trade);
    } else if (event->kind == FEED_EVENT_TOP) {
        mix(heard, &event->u.top, sizeof event->u.top);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct level levels[FEED_LEVELS_MAX];
    if (size == 0) {
        return 0;
    }
    char *copy = fuzz_copy(data + 1, size - 1);
    struct heard heard[2] = { { 0, 7 }, { 0, 7 } };
    int64_t consumed[2];
    for (int way = 0; way < 2; way++) {
        struct feed_parser parser = { .instruments = fuzz_table(),
                                      .venue = VENUE_BINANCE,
                                      .product = fuzz_product(data[0]),
                                      .levels = levels,
                                      .level_capacity = FEED_LEVELS_MAX,
                                      .reply_instrument = (data[0] & 4) != 0 ? 0 : NO_INSTRUMENT };
        fuzz_yielded = 0;
        consumed[way] = way == 0 ? venue_binance.feed->parse(&parser, copy, size - 1, on_event, &heard[0])
                                 : binance_feed_parse_tolerant(&parser, copy, size - 1, on_event, &heard[1]);
        fuzz_judge(consumed[way], size - 1);
    }
    if (consumed[0] != consumed[1] || heard[0].count != heard[1].count || heard[0].hash != heard[1].hash) {
        abort();
    }
    free(copy);
    return 0;
}
