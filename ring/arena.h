/* arena: all memory of the hot roles, measured and taken at start.
 *
 * One mapping per NUMA node in use, on huge pages when the machine has them, prefaulted; sealed before
 * trading: after arena_seal a request asserts.  Cold thread only. */
#ifndef POISE_RING_ARENA_H
#define POISE_RING_ARENA_H

#include "ring/base.h"

struct arena {
    unsigned char *base;
    size_t bytes;
    size_t used;
    bool sealed;
    bool huge;   /* on 2 MiB pages */
    bool locked; /* mlock worked */
    int node;
};

/* arena_create maps and prefaults so many bytes on a NUMA node (-1: wherever); false with errno set when
 * the machine has not that much.  Refusals of huge pages or locking are not errors: they are told in the
 * fields, and the caller warns. */
bool arena_create(struct arena *arena, size_t bytes, int node, bool want_huge);

/* arena_take answers zeroed memory aligned to POISE_APART; it never fails: asking for more than was
 * measured, or after the seal, asserts. */
void *arena_take(struct arena *arena, size_t bytes);

void arena_seal(struct arena *arena);
void arena_destroy(struct arena *arena);

#endif
