/* ring_peer: what ring.c needs to know of a queue it times, ours or another's.  Valid C and C++. */
#ifndef POISE_BENCH_RING_PEER_H
#define POISE_BENCH_RING_PEER_H

#include <stdbool.h>
#include <stdint.h>

#define RING_BLOCK 256  /* messages a throughput sample stands for */
#define RING_TRIPS 8    /* round trips a sample stands for: some counters step by 10 ns */
#define RING_SLOTS 1024 /* places of every queue */

struct ring_message {
    uint64_t word[8]; /* the first two are a record's head; the last belongs to the carrier */
};

struct ring_loops {
    void *(*make)(uint32_t slots);
    void (*destroy)(void *queue);
    /* echo answers so many times RING_TRIPS messages that come through `in`; ping sends them and takes the
     * time of each RING_TRIPS */
    void (*echo)(void *in, void *out, uint32_t count);
    uint64_t (*ping)(void *out, void *in, uint64_t *ticks, uint32_t count);
    /* produce sends blocks of RING_BLOCK messages; consume takes the time of each block */
    void (*produce)(void *queue, uint32_t blocks);
    uint64_t (*consume)(void *queue, uint64_t *ticks, uint32_t blocks);
};

#ifdef __cplusplus
extern "C" {
#endif
uint64_t clock_ticks(void);
extern const struct ring_loops ring_loops_boost;
extern const struct ring_loops ring_loops_ck;
#ifdef __cplusplus
}
#endif

#endif
