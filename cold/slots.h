/* slots: records behind each other in memory that grows.
 *
 * For the cold thread's lists of records; zero is an empty list. */
#ifndef POISE_COLD_SLOTS_H
#define POISE_COLD_SLOTS_H

#include "ring/record.h"

#include <stdlib.h>

struct slots {
    struct slot *slot;
    uint32_t used, capacity; /* slots */
    uint32_t records;        /* added by slots_add */
};

/* slots_room answers where `more` slots fit behind what is used; what was there may have moved. */
static inline struct slot *slots_room(struct slots *slots, uint32_t more)
{
    if (slots->used + more > slots->capacity) {
        uint32_t capacity = slots->capacity * 2 + more + 256;
        struct slot *memory = aligned_alloc(SLOT_BYTES, (size_t)capacity * SLOT_BYTES);
        POISE_ASSERT(memory != NULL);
        if (slots->used != 0) {
            memcpy(memory, slots->slot, (size_t)slots->used * SLOT_BYTES);
        }
        free(slots->slot);
        slots->slot = memory;
        slots->capacity = capacity;
    }
    return &slots->slot[slots->used];
}

/* slots_add copies a record behind the others, its carrier's words zero, and answers the copy. */
static inline struct slot *slots_add(struct slots *slots, const struct slot *record)
{
    uint32_t slot_count = record_head_of(record)->slot_count;
    struct slot *to = slots_room(slots, slot_count);
    memset(to, 0, (size_t)slot_count * SLOT_BYTES);
    record_copy(to, record);
    slots->used += slot_count;
    slots->records++;
    return to;
}

/* slots_next answers the record that begins at *at and moves *at behind it; NULL at the end. */
static inline struct slot *slots_next(const struct slots *slots, uint32_t *at)
{
    if (*at >= slots->used) {
        return NULL;
    }
    struct slot *record = &slots->slot[*at];
    *at += record_head_of(record)->slot_count;
    return record;
}

static inline void slots_empty(struct slots *slots)
{
    slots->used = slots->records = 0;
}

static inline void slots_free(struct slots *slots)
{
    free(slots->slot);
    memset(slots, 0, sizeof *slots);
}

#endif
