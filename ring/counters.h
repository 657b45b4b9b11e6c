/* counters: figures that other processes may read without disturbing the engine.
 *
 * One shared mapping (a file on tmpfs): a directory of named counters and one 128-byte-separated block of
 * values per writer.  Registration happens at start on the cold thread; after that each value has exactly
 * one writer thread, plain relaxed stores.  Readers map the file read-only and may see a value between two
 * others' updates: figures, never truth. */
#ifndef POISE_RING_COUNTERS_H
#define POISE_RING_COUNTERS_H

#include "ring/histogram.h"

#define COUNTERS_MAX       1024
#define COUNTERS_WRITERS   24
#define COUNTER_NAME_BYTES 56
#define HISTOGRAMS_MAX     32

enum counter_kind { COUNTER_SUM = 1, COUNTER_GAUGE, COUNTER_TEXT };

typedef _Atomic int64_t counter;

struct counters; /* the mapping */

/* counters_create makes the file (replacing one left over) and maps it writable; NULL with errno. */
struct counters *counters_create(const char *path);

/* counters_open maps an existing one read-only; NULL with errno, EPROTO for another layout. */
struct counters *counters_open(const char *path);
void counters_close(struct counters *counters);

/* counters_add registers "strategy.fills" for one writer (a small number, one per thread) and answers its
 * word; when the page is full the word is a scrap one, so callers never check.  The same name and writer
 * again answer the same word; another writer gets its own. */
counter *counters_add(struct counters *counters, uint32_t writer, const char *name, enum counter_kind kind);
struct histogram *counters_add_histogram(struct counters *counters, const char *name);

/* Reading side. */
uint32_t counters_count(const struct counters *counters);
const char *counters_name(const struct counters *counters, uint32_t i);
enum counter_kind counters_kind(const struct counters *counters, uint32_t i);
int64_t counters_value(const struct counters *counters, uint32_t i);
/* counters_find answers a value by name, `otherwise` when there is none.  Sums of several writers under one
 * name are added up; of gauges it is the first one's. */
int64_t counters_find(const struct counters *counters, const char *name, int64_t otherwise);
uint32_t counters_histogram_count(const struct counters *counters);
const struct histogram *counters_histogram(const struct counters *counters, uint32_t i);

/* counter_add and counter_set: the one writer's. */
static inline void counter_add(counter *c, int64_t n)
{
    atomic_store_explicit(c, atomic_load_explicit(c, memory_order_relaxed) + n, memory_order_relaxed);
}

static inline void counter_set(counter *c, int64_t value)
{
    atomic_store_explicit(c, value, memory_order_relaxed);
}

#endif
