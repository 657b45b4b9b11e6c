/* race_counters: three writers count while a reader looks through another mapping and a cold thread goes on
 * registering; figures never go back, and the last ones are exact.  One argument: counts a writer (default
 * 500,000). */
#include "ring/counters.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WRITERS 3

static uint64_t add_count;

struct writer {
    pthread_t thread;
    counter *word;
    struct histogram *histogram;
};

static void *count(void *context)
{
    struct writer *writer = context;
    for (uint64_t n = 0; n < add_count; n++) {
        counter_add(writer->word, 1);
        histogram_record(writer->histogram, n % 1000);
        if (n % 4096 == 0) {
            sched_yield();
        }
    }
    return NULL;
}

int main(int argc, char **argv)
{
    add_count = argc > 1 ? strtoull(argv[1], NULL, 10) : 500000;
    char path[64];
    snprintf(path, sizeof path, "/tmp/poise-race-counters-%d", (int)getpid());
    struct counters *counters = counters_create(path);
    struct counters *seen = counters_open(path);
    if (counters == NULL || seen == NULL) {
        perror(path);
        return 1;
    }
    unlink(path);

    struct writer writers[WRITERS];
    char name[COUNTER_NAME_BYTES];
    for (uint32_t i = 0; i < WRITERS; i++) {
        snprintf(name, sizeof name, "writer%u", i);
        writers[i].word = counters_add(counters, i, name, COUNTER_SUM);
        writers[i].histogram = counters_add_histogram(counters, name);
        if (pthread_create(&writers[i].thread, NULL, count, &writers[i]) != 0) {
            return 1;
        }
    }

    int64_t last[WRITERS] = { 0 };
    uint32_t registered = 0;
    bool done = false;
    while (!done) {
        /* the cold thread's own: new entries while others count */
        if (registered < 200) {
            snprintf(name, sizeof name, "cold%u", registered++);
            counter_set(counters_add(counters, WRITERS, name, COUNTER_GAUGE), 1);
        }
        done = true;
        for (uint32_t i = 0; i < WRITERS; i++) {
            snprintf(name, sizeof name, "writer%u", i);
            int64_t value = counters_find(seen, name, -1);
            if (value < last[i]) {
                fprintf(stderr, "%s went back from %lld to %lld\n", name, (long long)last[i],
                        (long long)value);
                return 1;
            }
            last[i] = value;
            done = done && value == (int64_t)add_count;
            histogram_quantile(counters_histogram(seen, i), 990000);
        }
        sched_yield();
    }
    for (uint32_t i = 0; i < WRITERS; i++) {
        pthread_join(writers[i].thread, NULL);
        if (atomic_load(&counters_histogram(seen, i)->count) != add_count) {
            fprintf(stderr, "histogram %u lost some\n", i);
            return 1;
        }
    }
    printf("%d writers, %llu each, %u registered meanwhile\n", WRITERS, (unsigned long long)add_count,
           registered);
    counters_close(seen);
    counters_close(counters);
    return 0;
}
