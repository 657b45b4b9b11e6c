/* queue: the ring's interface between two roles on one thread.
 *
 * The same claim, commit, peek and release over the same slots, without atomics: no role is ever entered
 * from inside another's step, so a record waits here until the loop reaches its reader. */
#ifndef POISE_RING_QUEUE_H
#define POISE_RING_QUEUE_H

#include "ring/record.h"

struct queue {
    uint64_t head; /* next position to fill */
    uint64_t tail; /* next position to read */
    uint64_t claimed;
    uint64_t full_count;
    uint64_t count; /* slots, a power of two */
    uint64_t mask;
    _Alignas(POISE_APART) struct slot slots[];
};

static inline size_t queue_bytes(uint64_t count)
{
    return sizeof(struct queue) + count * sizeof(struct slot);
}

static inline struct queue *queue_init(void *memory, uint64_t count)
{
    POISE_ASSERT(count >= 2 * RECORD_SLOTS_MAX && (count & (count - 1)) == 0);
    POISE_ASSERT(((uintptr_t)memory & (POISE_APART - 1)) == 0);
    struct queue *queue = memory;
    memset(memory, 0, queue_bytes(count));
    queue->count = count;
    queue->mask = count - 1;
    return queue;
}

static inline struct slot *queue_claim(struct queue *queue, uint8_t slot_count)
{
    uint64_t at = queue->head & queue->mask;
    uint64_t pad = at + slot_count > queue->count ? queue->count - at : 0;
    if (POISE_UNLIKELY(queue->count - (queue->head - queue->tail) < pad + slot_count)) {
        queue->full_count++;
        return NULL;
    }
    if (POISE_UNLIKELY(pad != 0)) {
        record_begin(&queue->slots[at], RECORD_PAD, 1, pad);
        queue->head += pad;
    }
    queue->claimed = slot_count;
    return &queue->slots[queue->head & queue->mask];
}

static inline void queue_commit(struct queue *queue)
{
    queue->head += queue->claimed;
    queue->claimed = 0;
}

static inline const struct slot *queue_peek(struct queue *queue)
{
    while (queue->tail != queue->head) {
        const struct slot *slot = &queue->slots[queue->tail & queue->mask];
        if (POISE_LIKELY(record_head_of(slot)->type != RECORD_PAD)) {
            return slot;
        }
        queue->tail += record_head_of(slot)->stamp_ns;
    }
    return NULL;
}

/* An empty queue begins again at its first slot: the next record finds lines that are still near, where going
 * round would write each of them in its turn. */
static inline void queue_release(struct queue *queue)
{
    queue->tail += record_head_of(&queue->slots[queue->tail & queue->mask])->slot_count;
    if (queue->tail == queue->head && queue->claimed == 0) {
        queue->tail = 0;
        queue->head = 0;
    }
}

#endif
