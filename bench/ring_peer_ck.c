/* ck_ring with embedded 64-byte messages behind ring_peer's interface. */
#include "bench/ring_peer.h"

#include <ck_ring.h>
#include <stdlib.h>
#include <string.h>

struct ck_queue {
    ck_ring_t ring;
    _Alignas(128) struct ring_message buffer[];
};

CK_RING_PROTOTYPE(message, ring_message)

static void *make(uint32_t slots)
{
    void *memory = NULL;
    size_t bytes = sizeof(struct ck_queue) + slots * sizeof(struct ring_message);
    if (posix_memalign(&memory, 128, bytes) != 0) {
        return NULL;
    }
    memset(memory, 0, bytes);
    ck_ring_init(&((struct ck_queue *)memory)->ring, slots);
    return memory;
}

#define LOOP(name) ck_##name
#define QUEUE      struct ck_queue
#define PUSH(q, m) CK_RING_ENQUEUE_SPSC(message, &(q)->ring, (q)->buffer, m)
#define POP(q, m)  CK_RING_DEQUEUE_SPSC(message, &(q)->ring, (q)->buffer, m)
#include "bench/ring_loops.inc"

const struct ring_loops ring_loops_ck = LOOPS(make, free);
