/* counter_block: order counters, reserved on disk before they are used.
 *
 * The counter part of an order id must never be used twice, not even when the journal's tail was lost with
 * the power.  So counters are handed out in blocks, and a block's upper end is written and synced to a file
 * in the state directory before the block is.  When that file is gone or unreadable (a new state directory
 * for an old engine number), the next block starts from the calendar: COUNTER_PER_SECOND ids for every second
 * since 2024, more than an engine uses.  Cold thread. */
#ifndef POISE_COLD_COUNTER_BLOCK_H
#define POISE_COLD_COUNTER_BLOCK_H

#include "ring/base.h"

#define COUNTER_BLOCK_SIZE 65536
#define COUNTER_PER_SECOND 1024

struct counter_block {
    uint64_t next; /* the first that may be used */
    uint64_t end;  /* one past the last */
};

/* counter_block_take reserves `count` counters, none below `least` (what the journal and the venue have
 * seen); false with a sentence in error, and then nothing may be used. */
bool counter_block_take(const char *state_directory, uint64_t least, uint64_t count, int64_t wall_ns,
                        struct counter_block *block, char *error, size_t error_bytes);

/* counter_block_known: counters were reserved in this directory before, so that something may have been
 * ordered from here, whatever else is left of it. */
bool counter_block_known(const char *state_directory);

#endif
