/* records: makers of the records these tests journal, and places to put files. */
#ifndef POISE_TESTS_COLD_JOURNAL_RECORDS_H
#define POISE_TESTS_COLD_JOURNAL_RECORDS_H

#include "cold/journal.h"
#include "cold/reduce.h"
#include "ring/order_id.h"

#define TEST_ENGINE 7

/* xorshift: the same sequence everywhere. */
uint64_t test_random(uint64_t *seed);

/* A fresh directory on disk (/tmp) or on tmpfs (/dev/shm); test_remove deletes it with what is inside. */
void test_directory(char out[256], bool shared);
void test_remove(const char *directory);

/* The records of a run's beginning: BEGIN, TEXT, an inverse (0) and a linear (1) instrument, accounts "inv"
 * (0) and "lin" (1), instance 3 named "one" quoting 0 and hedging on 1, RESTORE_DONE.  emit is called for
 * each.  Reports and orders of instrument i are made for account i. */
extern uint8_t test_on_orphan; /* enum on_orphan of instance 3 */
void test_run_head(uint64_t run, reduce_emit emit, void *context);

struct record_report *test_report(struct slot record[3], enum record_type type, uint64_t order,
                                  uint16_t instrument, uint64_t stamp_ns);
struct record_order *test_order(struct slot record[2], enum record_type type, uint64_t order,
                                uint16_t instrument, enum side side, int64_t qty, int64_t price,
                                uint64_t stamp_ns);
uint64_t test_order_id(uint64_t counter);

/* Commits a record to a ring; false when it is full. */
bool test_commit(struct spsc *ring, const struct slot *record);

/* A record list in memory. */
struct test_list {
    struct slot *slot;
    uint32_t used, capacity, records;
};
void test_list_add(void *list, const struct slot *record);
void test_list_free(struct test_list *list);

#endif
