/* cell: a value of which only the newest matters, from one writer to one reader.
 *
 * A sequence lock around one record payload: odd while being written.  The reader copies it once when it
 * changed and consumes the copy as a record, so that the journal holds what was decided on. */
#ifndef POISE_RING_CELL_H
#define POISE_RING_CELL_H

#include "ring/record.h"
#include <stdatomic.h>

struct cell {
    _Alignas(POISE_APART) _Atomic uint64_t version;               /* writer's */
    _Atomic uint64_t word[SLOT_PAYLOAD_BYTES / sizeof(uint64_t)]; /* writer's */
    _Alignas(POISE_APART) uint64_t seen;                          /* reader's */
};

/* cell_write replaces the value with the one-slot record's payload. */
static inline void cell_write(struct cell *cell, const struct slot *record)
{
    uint64_t version = atomic_load_explicit(&cell->version, memory_order_relaxed);
    atomic_store_explicit(&cell->version, version + 1, memory_order_relaxed);
    for (uint32_t i = 0; i < POISE_COUNT_OF(cell->word); i++) {
        uint64_t word;
        memcpy(&word, record->payload + i * sizeof word, sizeof word);
        /* edge C: whoever sees this word sees the odd version before it */
        atomic_store_explicit(&cell->word[i], word, memory_order_release);
    }
    /* edge C: even after every word did */
    atomic_store_explicit(&cell->version, version + 2, memory_order_release);
}

/* cell_read copies a changed value; false when nothing changed or the writer is at it (ask next turn). */
static inline bool cell_read(struct cell *cell, struct slot *record)
{
    /* edge C: the words below are at least as new as this version */
    uint64_t version = atomic_load_explicit(&cell->version, memory_order_acquire);
    if (POISE_LIKELY(version == cell->seen) || (version & 1) != 0) {
        return false;
    }
    for (uint32_t i = 0; i < POISE_COUNT_OF(cell->word); i++) {
        /* edge C: a word of a later write brings that write's odd version with it */
        uint64_t word = atomic_load_explicit(&cell->word[i], memory_order_acquire);
        memcpy(record->payload + i * sizeof word, &word, sizeof word);
    }
    if (atomic_load_explicit(&cell->version, memory_order_relaxed) != version) {
        return false;
    }
    cell->seen = version;
    return true;
}

#endif
