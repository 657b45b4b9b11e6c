/* spsc: one producer's records to one consumer, in order, in place.
 *
 * Slots of 64 bytes; the last word of a slot is its sequence.  The slot at position p holds p + 1 once its
 * bytes are there (and p + 1 of the lap before until then), so that the consumer polls the very line it
 * will read.  A record of several slots publishes its first slot last.  Records never straddle the end: a
 * pad record fills what is left.  The producer learns of free slots from a tail that the consumer publishes
 * lazily, every quarter of the ring and whenever it finds the ring empty.
 *
 * Positions count slots since creation and never wrap.  One thread calls the producer's functions, one the
 * consumer's.  Nothing allocates: the caller brings the memory (spsc_bytes). */
#ifndef POISE_RING_SPSC_H
#define POISE_RING_SPSC_H

#include "ring/record.h"
#include <stdatomic.h>

struct spsc {
    /* producer's line: written by the producer only */
    _Alignas(POISE_APART) uint64_t head; /* next position to fill */
    uint64_t credit;                     /* tail as last seen: positions below credit + count are free */
    uint64_t claimed;                    /* slots of the open claim, pad included */
    uint64_t full_count;                 /* claims refused */
    /* consumer's line: written by the consumer only */
    _Alignas(POISE_APART) uint64_t tail; /* next position to read */
    uint64_t published;                  /* tail as last told */
    /* the word between them: written by the consumer only */
    _Alignas(POISE_APART) _Atomic uint64_t shared_tail;
    _Alignas(POISE_APART) uint64_t count; /* slots, a power of two; constant */
    uint64_t mask;
    _Alignas(POISE_APART) struct slot slots[];
};

/* spsc_bytes is the memory for a ring of so many slots (power of two, 32 at least). */
static inline size_t spsc_bytes(uint64_t count)
{
    return sizeof(struct spsc) + count * sizeof(struct slot);
}

/* spsc_init makes an empty ring in memory of spsc_bytes(count), aligned to POISE_APART. */
static inline struct spsc *spsc_init(void *memory, uint64_t count)
{
    POISE_ASSERT(count >= 2 * RECORD_SLOTS_MAX && (count & (count - 1)) == 0);
    POISE_ASSERT(((uintptr_t)memory & (POISE_APART - 1)) == 0);
    struct spsc *ring = memory;
    memset(memory, 0, spsc_bytes(count));
    ring->count = count;
    ring->mask = count - 1;
    return ring;
}

static inline _Atomic uint64_t *spsc_word(struct slot *slot)
{
    return (_Atomic uint64_t *)&slot->ring_word;
}

/* spsc_free is how many slots the producer may still fill, as far as it knows without asking. */
static inline uint64_t spsc_free(struct spsc *ring)
{
    /* edge T: the consumer released shared_tail after its last read of the slots below it */
    ring->credit = atomic_load_explicit(&ring->shared_tail, memory_order_acquire);
    return ring->count - (ring->head - ring->credit);
}

/* spsc_claim answers where to write a record of slot_count slots, or NULL when the ring is full (counted).
 * Nothing is visible to the consumer until spsc_commit.  One claim at a time. */
static inline struct slot *spsc_claim(struct spsc *ring, uint8_t slot_count)
{
    uint64_t at = ring->head & ring->mask;
    uint64_t pad = at + slot_count > ring->count ? ring->count - at : 0;
    uint64_t need = pad + slot_count;
    if (POISE_UNLIKELY(ring->count - (ring->head - ring->credit) < need) && spsc_free(ring) < need) {
        ring->full_count++;
        return NULL;
    }
    if (POISE_UNLIKELY(pad != 0)) {
        /* The pad is committed at once: it says nothing and the record behind it follows at its own time.
         * Its length counts in head.stamp_ns because it may exceed what slot_count can say. */
        struct slot *slot = &ring->slots[at];
        struct record_head *head = record_begin(slot, RECORD_PAD, 1, pad);
        (void)head;
        /* edge P: the pad's bytes are there before its sequence */
        atomic_store_explicit(spsc_word(slot), ring->head + 1, memory_order_release);
        ring->head += pad;
    }
    ring->claimed = slot_count;
    return &ring->slots[ring->head & ring->mask];
}

/* spsc_own asks for a line to write to.  __builtin_prefetch for writing is one for reading, unless the whole
 * program is compiled for processors of a kind; where this is not known, it does nothing. */
static inline void spsc_own(const void *line)
{
#if defined(__x86_64__)
    __asm__ volatile("prefetchw %0" : : "m"(*(const char *)line));
#else
    __builtin_prefetch(line, 1, 3);
#endif
}

/* spsc_commit publishes the claimed record: the first slot's sequence last. */
static inline void spsc_commit(struct spsc *ring)
{
    struct slot *first = &ring->slots[ring->head & ring->mask];
    /* edge P: every byte of every slot is there before the first slot's sequence is */
    atomic_store_explicit(spsc_word(first), ring->head + 1, memory_order_release);
    ring->head += ring->claimed;
    ring->claimed = 0;
    /* The line after the next is fetched while the caller does something else, and taken from the consumer,
     * who may have looked at it.  A message in a stream took 11 ns without the first and 4 with it on a Zen 5
     * guest; on a Zen 3 guest the second took it from 17 to 14 ns between near processors and from 36 to 25
     * between far ones.  A lone record's way is the same (bench ring.throughput, ring.round_trip). */
    const struct slot *ahead = &ring->slots[(ring->head + 2) & ring->mask];
    __builtin_prefetch(ahead, 0, 3);
    spsc_own(ahead);
}

/* spsc_peek answers the oldest record, or NULL when there is none.  It stays valid until spsc_release. */
static inline const struct slot *spsc_peek(struct spsc *ring)
{
    for (;;) {
        struct slot *slot = &ring->slots[ring->tail & ring->mask];
        /* edge P: sequence seen, so the bytes are there */
        uint64_t seen = atomic_load_explicit(spsc_word(slot), memory_order_acquire);
        if (seen != ring->tail + 1) {
            if (POISE_UNLIKELY(ring->published != ring->tail)) {
                ring->published = ring->tail;
                /* edge T: reads of all slots below tail are done before the producer may overwrite them */
                atomic_store_explicit(&ring->shared_tail, ring->tail, memory_order_release);
            }
            return NULL;
        }
        if (POISE_LIKELY(record_head_of(slot)->type != RECORD_PAD)) {
            return slot;
        }
        ring->tail += record_head_of(slot)->stamp_ns;
    }
}

/* spsc_release gives the peeked record's slots back. */
static inline void spsc_release(struct spsc *ring)
{
    ring->tail += record_head_of(&ring->slots[ring->tail & ring->mask])->slot_count;
    if (POISE_UNLIKELY(ring->tail - ring->published >= ring->count / 4)) {
        ring->published = ring->tail;
        /* edge T: as above */
        atomic_store_explicit(&ring->shared_tail, ring->tail, memory_order_release);
    }
}

#endif
