/* ring_loops: the four loops every queue is timed with, compiled once a queue with its own operations inside
 * them, so that no queue pays for a call that another does not.
 *
 * Include after defining LOOP(name) (how the functions are called), QUEUE (the queue's type), PUSH(queue,
 * message) and POP(queue, message), which answer false when full or empty and copy one struct ring_message.
 * Valid C and C++. */
#include "bench/ring_peer.h"

static inline uint64_t LOOP(fold)(uint64_t hash, const struct ring_message *m)
{
    return (hash ^ m->word[1] ^ (m->word[6] << 1)) * 0x9e3779b97f4a7c15ULL;
}

static inline void LOOP(fill)(struct ring_message *m, uint64_t n)
{
    m->word[1] = n;
    m->word[6] = ~n;
}

static void LOOP(echo)(void *in, void *out, uint32_t count)
{
    QUEUE *from = (QUEUE *)in;
    QUEUE *to = (QUEUE *)out;
    struct ring_message m = { { 0 } };
    for (uint32_t i = 0; i < count * RING_TRIPS; i++) {
        while (!POP(from, &m)) {
        }
        while (!PUSH(to, &m)) {
        }
    }
}

static uint64_t LOOP(ping)(void *out, void *in, uint64_t *ticks, uint32_t count)
{
    QUEUE *to = (QUEUE *)out;
    QUEUE *from = (QUEUE *)in;
    /* type 49, one slot: what a record's head says */
    struct ring_message m = { { 0x0131 } };
    struct ring_message back = { { 0 } };
    uint64_t hash = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t from_ticks = clock_ticks();
        for (uint32_t k = 0; k < RING_TRIPS; k++) {
            LOOP(fill)(&m, i * RING_TRIPS + k);
            while (!PUSH(to, &m)) {
            }
            while (!POP(from, &back)) {
            }
            hash = LOOP(fold)(hash, &back);
        }
        ticks[i] = clock_ticks() - from_ticks;
    }
    return hash;
}

static void LOOP(produce)(void *queue, uint32_t blocks)
{
    QUEUE *to = (QUEUE *)queue;
    struct ring_message m = { { 0x0131 } };
    for (uint64_t n = 0; n < (uint64_t)blocks * RING_BLOCK; n++) {
        LOOP(fill)(&m, n);
        while (!PUSH(to, &m)) {
        }
    }
}

static uint64_t LOOP(consume)(void *queue, uint64_t *ticks, uint32_t blocks)
{
    QUEUE *from = (QUEUE *)queue;
    struct ring_message m = { { 0 } };
    uint64_t hash = 0;
    uint64_t before = clock_ticks();
    for (uint32_t block = 0; block < blocks; block++) {
        for (uint32_t i = 0; i < RING_BLOCK; i++) {
            while (!POP(from, &m)) {
            }
            hash = LOOP(fold)(hash, &m);
        }
        uint64_t now = clock_ticks();
        ticks[block] = now - before;
        before = now;
    }
    return hash;
}

#define LOOPS(make_, destroy_)                                                                               \
    {                                                                                                        \
        make_, destroy_, LOOP(echo), LOOP(ping), LOOP(produce), LOOP(consume)                                \
    }
