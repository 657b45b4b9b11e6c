/* histogram: how long things took, counted in buckets that grow with the value.
 *
 * One writer thread, plain relaxed stores; anyone may read (see ring/counters.h, where they live). */
#ifndef POISE_RING_HISTOGRAM_H
#define POISE_RING_HISTOGRAM_H

#include "ring/base.h"
#include <stdatomic.h>

#define HISTOGRAM_NAME_BYTES 56
#define HISTOGRAM_BUCKETS    512 /* 8 per power of two of nanoseconds */

struct histogram {
    char name[HISTOGRAM_NAME_BYTES];
    _Atomic uint64_t count;
    _Atomic uint64_t bucket[HISTOGRAM_BUCKETS];
};

/* histogram_quantile answers the upper edge of the bucket that holds the q-th (ppm) value; 0 when empty. */
uint64_t histogram_quantile(const struct histogram *histogram, uint32_t ppm);

/* histogram_bucket: 0..7 exact, then eight buckets a power of two. */
static inline uint32_t histogram_bucket(uint64_t value)
{
    if (value < 8) {
        return (uint32_t)value;
    }
    uint32_t power = 63 - (uint32_t)__builtin_clzll(value);
    return (power - 2) * 8 + (uint32_t)((value >> (power - 3)) & 7);
}

static inline void histogram_record(struct histogram *h, uint64_t value)
{
    _Atomic uint64_t *bucket = &h->bucket[histogram_bucket(value)];
    atomic_store_explicit(bucket, atomic_load_explicit(bucket, memory_order_relaxed) + 1,
                          memory_order_relaxed);
    atomic_store_explicit(&h->count, atomic_load_explicit(&h->count, memory_order_relaxed) + 1,
                          memory_order_relaxed);
}

#endif
