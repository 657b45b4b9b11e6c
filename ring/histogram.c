#include "ring/histogram.h"

/* The largest value that falls into the bucket. */
static uint64_t upper_edge(uint32_t bucket)
{
    if (bucket < 16) {
        return bucket;
    }
    uint32_t power = bucket / 8 + 2;
    uint64_t width = 1ULL << (power - 3);
    return (1ULL << power) + (bucket % 8) * width + (width - 1);
}

uint64_t histogram_quantile(const struct histogram *histogram, uint32_t ppm)
{
    uint64_t count = 0;
    /* Counted here and not read from histogram->count: the writer goes on meanwhile. */
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        count += atomic_load_explicit(&histogram->bucket[i], memory_order_relaxed);
    }
    if (count == 0) {
        return 0;
    }
    /* The value with this many at or below it: at least one, at most all. */
    uint64_t rank =
        (uint64_t)(((unsigned __int128)count * (ppm < 1000000 ? ppm : 1000000) + 999999) / 1000000);
    rank = rank == 0 ? 1 : rank;
    uint64_t seen = 0;
    for (uint32_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
        seen += atomic_load_explicit(&histogram->bucket[i], memory_order_relaxed);
        if (seen >= rank) {
            return upper_edge(i);
        }
    }
    return UINT64_MAX;
}
