/* race_cell: a writer replaces a value as fast as it can until the reader has had enough; every copy the
 * reader gets must be one value whole, never older than the one before, and the last one must be read.  One
 * argument: reads (default 2,000). */
#include "ring/cell.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

static struct cell cell;
static _Atomic bool enough;
static _Atomic uint64_t last_written;

static void *write_values(void *context)
{
    (void)context;
    uint64_t n = 0;
    while (!atomic_load_explicit(&enough, memory_order_relaxed)) {
        n++;
        struct slot record;
        record_begin(&record, RECORD_CELL, 1, n);
        for (uint32_t w = 2; w < SLOT_PAYLOAD_BYTES / 8; w++) {
            uint64_t word = n * (w + 1);
            memcpy(record.payload + w * 8, &word, 8);
        }
        cell_write(&cell, &record);
        /* a breath, of changing length, or the reader would hardly ever find the words at rest */
        for (volatile uint64_t breath = n % 97; breath > 0; breath--) {
        }
        if (n % 1024 == 0) {
            sched_yield();
        }
    }
    atomic_store(&last_written, n);
    return NULL;
}

int main(int argc, char **argv)
{
    uint64_t wanted = argc > 1 ? strtoull(argv[1], NULL, 10) : 2000;
    pthread_t writer;
    if (pthread_create(&writer, NULL, write_values, NULL) != 0) {
        return 1;
    }
    uint64_t last = 0;
    uint64_t read_count = 0;
    while (last == 0 || last != atomic_load(&last_written)) {
        struct slot record = { 0 };
        if (!cell_read(&cell, &record)) {
            sched_yield();
            continue;
        }
        uint64_t n = record_head_of(&record)->stamp_ns;
        for (uint32_t w = 2; w < SLOT_PAYLOAD_BYTES / 8; w++) {
            uint64_t word;
            memcpy(&word, record.payload + w * 8, 8);
            if (word != n * (w + 1)) {
                fprintf(stderr, "value %llu is torn at word %u\n", (unsigned long long)n, w);
                return 1;
            }
        }
        if (n <= last) {
            fprintf(stderr, "value %llu after %llu\n", (unsigned long long)n, (unsigned long long)last);
            return 1;
        }
        last = n;
        if (++read_count == wanted) {
            atomic_store_explicit(&enough, true, memory_order_relaxed);
        }
    }
    pthread_join(writer, NULL);
    printf("%llu written, %llu read whole\n", (unsigned long long)last, (unsigned long long)read_count);
    return 0;
}
