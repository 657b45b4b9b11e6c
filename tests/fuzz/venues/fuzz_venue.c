#include "tests/fuzz/venues/fuzz_venue.h"

#include <stdlib.h>
#include <string.h>

uint32_t fuzz_yielded;

char *fuzz_copy(const uint8_t *data, size_t size)
{
    char *copy = malloc(size > 0 ? size : 1);
    if (copy == NULL) {
        abort();
    }
    memcpy(copy, data, size);
    return copy;
}

static void on_record(void *context, const struct slot *record)
{
    (void)context;
    const struct record_head *head = record_head_of(record);
    if (head->slot_count == 0 || head->slot_count > RECORD_SLOTS_MAX ||
        record_type_name(head->type)[0] == '?') {
        abort();
    }
    fuzz_yielded++;
}

const struct venue_sink fuzz_sink = { on_record, NULL };

void fuzz_judge(int64_t consumed, size_t size)
{
    if (consumed < PARSE_BROKEN || consumed > (int64_t)size || (consumed <= 0 && fuzz_yielded > 0)) {
        abort();
    }
}

static void mix(struct fuzz_heard *heard, const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    for (size_t i = 0; i < count; i++) {
        heard->hash = (heard->hash ^ at[i]) * 0x100000001b3ULL;
    }
}

void fuzz_hear(void *context, const struct feed_event *event)
{
    struct fuzz_heard *heard = context;
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
        const int64_t trade[] = { event->u.trade.price, event->u.trade.qty, (int64_t)event->u.trade.id };
        mix(heard, trade, sizeof trade);
    } else if (event->kind == FEED_EVENT_TOP) {
        mix(heard, &event->u.top, sizeof event->u.top);
    }
}
