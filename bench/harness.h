/* harness: how every case is timed, so that figures of one run may be divided by one another.
 *
 * A case gives bursts of samples.  All cases of a group take turns, burst by burst, so that a neighbour on
 * the machine disturbs them alike; each burst is short, pinned, warmed up, and under SCHED_FIFO where that is
 * allowed.  A burst's figures are its own quantiles; what is printed is the median of them over the bursts.
 * Floors (what the machine itself costs) and peers (what others' code costs) are cases of the same group.
 *
 * A new case is a row in its file's table and, for a new file, a line in cases.c.  One thread, the main one,
 * calls everything here except bench_second's function. */
#ifndef POISE_BENCH_HARNESS_H
#define POISE_BENCH_HARNESS_H

#include "ring/base.h"
#include "ring/clock.h"

#include <pthread.h>

#define BENCH_AGAINST_MAX  4
#define BENCH_REASON_BYTES 160

struct bench; /* the run */

struct bench_case {
    const char *name;                       /* "ring.round_trip" */
    const char *group;                      /* cases of one group are interleaved */
    const char *against[BENCH_AGAINST_MAX]; /* floors and peers this one is divided by in the last block */

    /* 2: the case needs the second processor as well; where there is none it is absent. */
    uint32_t processors;

    /* Operations a sample stands for: the sample is divided by it.  More than 1 for what is shorter than
     * reading the clock. */
    uint32_t operations;
    uint32_t burst_samples; /* measured samples a burst; keep a burst below 0.3 s */

    /* setup makes what the bursts use; false when the case cannot run here, after bench_absent. */
    bool (*setup)(struct bench *bench);

    /* burst writes `count` samples in clock_ticks and answers a hash of what was computed: the same in every
     * burst of the same count, or the run fails.  The first tenth is warming up and is thrown away. */
    uint64_t (*burst)(struct bench *bench, uint64_t *ticks, uint32_t count);
    void (*teardown)(void);
};

struct bench_table {
    const struct bench_case *rows;
    size_t count;
};

/* bench_table_at answers the i-th file's table, NULL behind the last: cases.c. */
const struct bench_table *bench_table_at(size_t i);

/* bench_absent says why the case whose setup is running cannot run here; it answers false. */
bool bench_absent(struct bench *bench, const char *reason);

/* bench_second runs a function on the second processor until bench_join; one at a time. */
void bench_second(struct bench *bench, void *(*function)(void *), void *context);
void bench_join(struct bench *bench);

/* bench_second_place makes attributes for a thread of the case's own on the second processor. */
void bench_second_place(struct bench *bench, pthread_attr_t *attributes);

/* bench_smoke is true when counts should be tiny. */
bool bench_smoke(const struct bench *bench);

/* bench_hash folds a word into a running hash; start with 0. */
static inline uint64_t bench_hash(uint64_t hash, uint64_t word)
{
    hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
    return hash ^ (hash >> 29);
}

/* bench_random is a fixed stream: every run measures the same inputs. */
static inline uint64_t bench_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* bench_keep makes the compiler believe that a value is used. */
#define bench_keep(value) __asm__ volatile("" : : "r,m"(value) : "memory")

/* circumstance lines of libraries whose headers stand in one source only; NULL ends the list */
extern const char *(*const bench_circumstances[])(void);

#endif
