/* channel: a ring where its ends are on different threads, a queue where they are on one.
 *
 * The core map decides which; roles only see this.  The branch is always predicted: a channel never
 * changes after start. */
#ifndef POISE_RING_CHANNEL_H
#define POISE_RING_CHANNEL_H

#include "ring/queue.h"
#include "ring/spsc.h"

struct channel {
    struct spsc *ring;   /* NULL when local */
    struct queue *queue; /* NULL when shared */
};

/* channel_claim: where to write a record of slot_count slots, or NULL when full; channel_commit publishes. */
static inline struct slot *channel_claim(struct channel *channel, uint8_t slot_count)
{
    return channel->queue != NULL ? queue_claim(channel->queue, slot_count)
                                  : spsc_claim(channel->ring, slot_count);
}

static inline void channel_commit(struct channel *channel)
{
    if (channel->queue != NULL) {
        queue_commit(channel->queue);
    } else {
        spsc_commit(channel->ring);
    }
}

/* channel_send copies a whole record in; false when full. */
static inline bool channel_send(struct channel *channel, const struct slot *record)
{
    struct slot *to = channel_claim(channel, record_head_of(record)->slot_count);
    if (POISE_UNLIKELY(to == NULL)) {
        return false;
    }
    record_copy(to, record);
    channel_commit(channel);
    return true;
}

/* channel_peek: the oldest record, or NULL; channel_release gives it back. */
static inline const struct slot *channel_peek(struct channel *channel)
{
    return channel->queue != NULL ? queue_peek(channel->queue) : spsc_peek(channel->ring);
}

static inline void channel_release(struct channel *channel)
{
    if (channel->queue != NULL) {
        queue_release(channel->queue);
    } else {
        spsc_release(channel->ring);
    }
}

/* channel_free is how many slots the producer may fill before a claim is refused. */
static inline uint64_t channel_free(struct channel *channel)
{
    return channel->queue != NULL ? channel->queue->count - (channel->queue->head - channel->queue->tail)
                                  : spsc_free(channel->ring);
}

#endif
