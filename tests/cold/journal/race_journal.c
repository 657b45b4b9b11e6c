/* Three threads around the journal: the strategy's that commits, the cold one that drains, the disk's. */
#include "tests/cold/journal/records.h"
#include "ring/clock.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { RECORDS = 200000 };

static void *commit_all(void *context)
{
    struct spsc *ring = context;
    for (uint64_t i = 0; i < RECORDS; i++) {
        struct slot record[3];
        memset(record, 0, sizeof record);
        record_begin(record, i % 5 == 0 ? RECORD_FILL : RECORD_TRADE, i % 5 == 0 ? 3 : 1, i + 1);
        while (!test_commit(ring, record)) {
        }
    }
    return NULL;
}

int main(void)
{
    char disk[256], shared[256], error[600];
    test_directory(disk, false);
    test_directory(shared, true);
    struct journal_options options = { .directory = disk,
                                       .shared_directory = shared,
                                       .ring_slots = 1024,
                                       .segment_bytes = 1 << 20,
                                       .sync_ns = 5 * NS_PER_MS,
                                       .run = 1,
                                       .engine = TEST_ENGINE,
                                       .build_id = "race" };
    struct journal *journal = journal_create(&options, error, sizeof error);
    if (journal == NULL) {
        fprintf(stderr, "%s\n", error);
        return 1;
    }
    pthread_t producer;
    pthread_create(&producer, NULL, commit_all, journal_ring(journal));
    while (journal_number(journal) < RECORDS) {
        journal_poll(journal, clock_now_ns(), 1);
    }
    pthread_join(producer, NULL);
    journal_close(journal, 1);

    struct journal_reader_options read = { .directory = disk, .run = 1 };
    struct journal_reader *reader = journal_reader_open(&read, error, sizeof error);
    struct journal_item item;
    uint64_t count = 0;
    int wrong = reader == NULL;
    enum journal_result result;
    while (!wrong && (result = journal_next(reader, &item)) != JOURNAL_END) {
        wrong |= result != JOURNAL_RECORD || record_head_of(item.item.record)->stamp_ns != ++count;
    }
    journal_reader_close(reader);
    test_remove(disk);
    test_remove(shared);
    printf("%llu of %d records back\n", (unsigned long long)count, RECORDS);
    return wrong || count != RECORDS;
}
