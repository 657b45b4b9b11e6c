#include "tests/cold/journal/records.h"
#include "ring/clock.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char disk[256], shared[256];

static void begin(void)
{
    test_directory(disk, false);
    test_directory(shared, true);
}

static void end(void)
{
    test_remove(disk);
    test_remove(shared);
}

TestSuite(journal, .init = begin, .fini = end);

static struct journal_options options_of(uint64_t run)
{
    return (struct journal_options){ .directory = disk,
                                     .shared_directory = shared,
                                     .ring_slots = 4096,
                                     .segment_bytes = 64 << 10,
                                     .sync_ns = 10 * NS_PER_MS,
                                     .run = run,
                                     .engine = TEST_ENGINE,
                                     .build_id = "test",
                                     .inline_disk = true };
}

static struct journal *create(const struct journal_options *options)
{
    char error[600] = "";
    struct journal *journal = journal_create(options, error, sizeof error);
    cr_assert(journal != NULL, "%s", error);
    return journal;
}

/* The i-th record of a made-up run: every kind of length, mostly feed, some orders with fills. */
static uint32_t record_of(uint64_t i, struct slot record[3])
{
    memset(record, 0, 3 * sizeof *record);
    if (i % 8 == 3) {
        test_order(record, RECORD_ORDER_NEW, test_order_id(i), 0, SIDE_BUY, 10, 600000, 1000 + i);
    } else if (i % 8 == 5) {
        struct record_report *fill = test_report(record, RECORD_FILL, test_order_id(i - 2), 0, 1000 + i);
        fill->exec_id = i;
        fill->last_qty = 10;
        fill->price = 600000;
        fill->cum_qty = 10;
        fill->order_qty = 10;
        fill->status = ORDER_STATUS_FILLED;
        fill->flags = REPORT_HAS_LAST | REPORT_HAS_CUM | REPORT_TERMINAL;
    } else {
        struct record_trade *trade = (struct record_trade *)record_begin(record, RECORD_TRADE, 1, 1000 + i);
        trade->trade_id = i;
    }
    return record_head_of(record)->slot_count;
}

struct commit {
    struct spsc *ring;
    uint64_t count;
};

static void commit(void *context, const struct slot *record)
{
    struct commit *to = context;
    cr_assert(test_commit(to->ring, record));
    to->count++;
}

/* The head of a run, then made-up records from..to, polled every few. */
static uint64_t write_run(struct journal *journal, uint64_t run, uint64_t from, uint64_t to)
{
    struct commit commit_to = { .ring = journal_ring(journal) };
    if (from == 0) {
        test_run_head(run, commit, &commit_to);
    }
    for (uint64_t i = from; i < to; i++) {
        struct slot record[3];
        record_of(i, record);
        while (!test_commit(commit_to.ring, record)) {
            journal_poll(journal, 1000000 * (i + 1), 1700000000000000000);
        }
        commit_to.count++;
        if (i % 57 == 0) {
            journal_poll(journal, 1000000 * (i + 1), 1700000000000000000);
        }
    }
    return commit_to.count;
}

/* Walks the run and checks that records are exactly head + made-up records 0..; answers how many of the
 * latter.  Gaps and drops are counted. */
struct walked {
    uint64_t records, heads, gaps, gap_records, drops, dropped_records, from_ring, last_number;
};

enum { HEAD_RECORDS = 8 };

static struct walked walk(uint64_t run, bool newest, bool with_ring, struct reduce *reduce)
{
    struct journal_reader_options options = {
        .directory = disk, .shared_directory = with_ring ? shared : NULL, .run = run, .newest_segment = newest
    };
    char error[600] = "";
    struct walked walked = { 0 };
    struct journal_item item;
    struct journal_reader *reader = journal_reader_open(&options, error, sizeof error);
    cr_assert(reader != NULL, "%s", error);
    enum journal_result result;
    while ((result = journal_next(reader, &item)) != JOURNAL_END) {
        switch (result) {
        case JOURNAL_RECORD: {
            uint64_t number = item.item.number;
            if (number >= HEAD_RECORDS) {
                struct slot record[3];
                record_of(number - HEAD_RECORDS, record);
                cr_assert(record_same(record, item.item.record), "record %llu is another",
                          (unsigned long long)number);
            }
            walked.records++;
            walked.from_ring += item.from_ring;
            walked.last_number = number;
            break;
        }
        case JOURNAL_HEAD:
            walked.heads++;
            break;
        case JOURNAL_GAP:
            walked.gaps++;
            walked.gap_records += item.gap_to - item.gap_from;
            break;
        case JOURNAL_DROPPED:
            walked.drops++;
            walked.dropped_records += item.gap_to - item.gap_from;
            break;
        case JOURNAL_END:
            break;
        }
        if (reduce != NULL && (result == JOURNAL_RECORD || result == JOURNAL_HEAD)) {
            reduce_record(reduce, item.item.record);
        }
    }
    journal_reader_close(reader);
    return walked;
}

static uint32_t files_of(const char *directory, enum segment_kind kind)
{
    struct segment_file *files;
    uint32_t count, of_kind = 0;
    cr_assert(segment_list(directory, &files, &count));
    for (uint32_t i = 0; i < count; i++) {
        of_kind += files[i].kind == kind;
    }
    free(files);
    return of_kind;
}

Test(journal, a_run_over_many_segments_reads_back_as_one_sequence)
{
    struct journal_options options = options_of(1);
    struct journal *journal = create(&options);
    uint64_t count = write_run(journal, 1, 0, 20000);
    journal_close(journal, 1);
    cr_assert_gt(files_of(disk, SEGMENT_FULL), 10);

    struct walked walked = walk(1, false, false, NULL);
    cr_assert_eq(walked.records, count);
    cr_assert_eq(walked.heads + walked.gaps + walked.drops, 0);
    /* With the ring beside it nothing comes twice. */
    walked = walk(1, false, true, NULL);
    cr_assert_eq(walked.records, count);
    cr_assert_eq(walked.from_ring, 0);
}

static bool same_state(const struct reduce *a, const struct reduce *b)
{
    struct test_list x = { 0 }, y = { 0 };
    reduce_restore(a, test_list_add, &x);
    reduce_restore(b, test_list_add, &y);
    bool same = x.used == y.used;
    for (uint32_t at = 0; same && at < x.used;) {
        /* their stamp is the newest seen, feed records included: a state without those is the same */
        record_head_of(&x.slot[at])->stamp_ns = record_head_of(&y.slot[at])->stamp_ns = 0;
        same = record_same(&x.slot[at], &y.slot[at]);
        at += record_head_of(&x.slot[at])->slot_count;
    }
    test_list_free(&x);
    test_list_free(&y);
    return same;
}

Test(journal, any_segments_head_and_the_rest_give_the_state_of_the_whole)
{
    struct journal_options options = options_of(1);
    struct journal *journal = create(&options);
    write_run(journal, 1, 0, 5003);
    journal_flush(journal, 1, 0);
    struct reduce *whole = reduce_create(), *tail = reduce_create();
    walk(1, false, false, whole);
    struct walked walked = walk(1, true, false, tail);
    cr_assert_gt(walked.heads, 10);
    cr_assert_lt(walked.records, 5003);
    cr_assert(same_state(whole, tail));
    cr_assert(same_state(whole, journal_reduce(journal)));
    reduce_destroy(whole);
    reduce_destroy(tail);
    journal_close(journal, 1);
}

Test(journal, a_missing_segment_is_told_and_the_next_head_heals_the_state)
{
    struct journal_options options = options_of(1);
    struct journal *journal = create(&options);
    uint64_t count = write_run(journal, 1, 0, 6000);
    journal_flush(journal, 1, 0);
    char path[SEGMENT_PATH_BYTES];
    segment_path(path, disk, SEGMENT_FULL, 1, 2);
    cr_assert_eq(unlink(path), 0);
    struct reduce *with_hole = reduce_create();
    struct walked walked = walk(1, false, false, with_hole);
    cr_assert_eq(walked.gaps, 1);
    cr_assert_eq(walked.records + walked.gap_records, count);
    cr_assert_gt(walked.heads, 0);
    cr_assert(same_state(with_hole, journal_reduce(journal)));
    reduce_destroy(with_hole);
    journal_close(journal, 1);
}

Test(journal, a_damaged_record_is_told_as_a_gap_of_one)
{
    struct journal_options options = options_of(1);
    struct journal *journal = create(&options);
    uint64_t count = write_run(journal, 1, 0, 6000);
    journal_close(journal, 1);
    char path[SEGMENT_PATH_BYTES];
    segment_path(path, disk, SEGMENT_FULL, 1, 0);
    int fd = open(path, O_RDWR);
    cr_assert(fd >= 0);
    cr_assert_eq(pwrite(fd, "damage", 6, 400 * SLOT_BYTES + 20), 6);
    close(fd);
    struct walked walked = walk(1, false, false, NULL);
    cr_assert_eq(walked.gaps, 1);
    cr_assert_eq(walked.gap_records, 1);
    cr_assert_eq(walked.records, count - 1);
}

Test(journal, old_segments_go_when_the_disk_share_is_used_and_orders_stay)
{
    struct journal_options options = options_of(1);
    options.keep_bytes = 300 << 10;
    struct journal *journal = create(&options);
    uint64_t count = write_run(journal, 1, 0, 20000);
    journal_flush(journal, 1, 0);
    cr_assert_lt(files_of(disk, SEGMENT_FULL), 8);
    struct walked walked = walk(1, false, false, NULL);
    cr_assert_eq(walked.records + walked.gap_records, count);

    /* Every order and every fill is in the orders file. */
    char path[SEGMENT_PATH_BYTES], error[600];
    segment_path(path, disk, SEGMENT_ORDERS, 1, 0);
    struct segment_reader reader;
    struct segment_item item;
    cr_assert(segment_open(&reader, path, error, sizeof error));
    uint64_t orders = 0, fills = 0;
    while (segment_next(&reader, &item) == SEGMENT_RECORD) {
        orders += record_head_of(item.record)->type == RECORD_ORDER_NEW;
        fills += record_head_of(item.record)->type == RECORD_FILL;
        cr_assert_neq(record_head_of(item.record)->type, RECORD_TRADE);
    }
    cr_assert_eq(orders, 2500);
    cr_assert_eq(fills, 2500);
    segment_close(&reader);
    journal_close(journal, 1);
}

Test(journal, the_ring_alone_is_enough)
{
    struct journal_options options = options_of(4);
    struct journal *journal = create(&options);
    struct commit commit_to = { .ring = journal_ring(journal) };
    test_run_head(4, commit, &commit_to);
    for (uint64_t i = 0; i < 100; i++) {
        struct slot record[3];
        record_of(i, record);
        commit(&commit_to, record);
    }
    cr_assert_eq(journal_newest_run(disk, shared), 4);
    struct walked walked = walk(0, true, true, NULL);
    cr_assert_eq(walked.records, commit_to.count);
    cr_assert_eq(walked.from_ring, commit_to.count);

    char error[600];
    cr_assert_eq(journal_salvage(disk, shared, 1, error, sizeof error), (int64_t)commit_to.count);
    cr_assert_eq(journal_salvage(disk, shared, 1, error, sizeof error), 0);
    walked = walk(4, false, false, NULL);
    cr_assert_eq(walked.records, commit_to.count);
    journal_close(journal, 1);
}

/* ------------------------------------------------------------------ SIGKILL */

/* A strategy that commits and a cold thread that drains, in one child; how far it got stands in *done. */
static void child(uint64_t *done, bool threaded)
{
    struct journal_options options = options_of(9);
    options.inline_disk = !threaded;
    options.sync_ns = 200 * NS_PER_MS;
    char error[600];
    struct journal *journal = journal_create(&options, error, sizeof error);
    struct spsc *ring = journal_ring(journal);
    struct test_list head = { 0 };
    test_run_head(9, test_list_add, &head);
    for (uint32_t at = 0; at < head.used; at += record_head_of(&head.slot[at])->slot_count) {
        test_commit(ring, &head.slot[at]);
    }
    for (uint64_t i = 0;; i++) {
        struct slot record[3];
        record_of(i, record);
        while (!test_commit(ring, record)) {
            journal_poll(journal, clock_now_ns(), 1);
        }
        __atomic_store_n(done, i + 1, __ATOMIC_RELEASE);
        if (i % 31 == 0) {
            journal_poll(journal, clock_now_ns(), 1);
        }
    }
}

static void kill_at_random(uint64_t seed, bool threaded)
{
    uint64_t *done = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    *done = 0;
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) {
        child(done, threaded);
        _exit(1);
    }
    uint64_t until = 200 + test_random(&seed) % 30000;
    uint64_t give_up = clock_now_ns() + 20 * NS_PER_S;
    while (__atomic_load_n(done, __ATOMIC_ACQUIRE) < until && clock_now_ns() < give_up) {
    }
    kill(pid, SIGKILL);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);

    uint64_t committed = *done + HEAD_RECORDS;
    struct walked walked = walk(9, false, true, NULL);
    cr_assert_eq(walked.gaps + walked.drops, 0, "seed %llu", (unsigned long long)seed);
    /* One record may have been committed without its count being written. */
    cr_assert(walked.records == committed || walked.records == committed + 1, "%llu of %llu, seed %llu",
              (unsigned long long)walked.records, (unsigned long long)committed, (unsigned long long)seed);

    /* The newest segment and the ring alone tell the same state; salvage leaves it all on disk. */
    struct reduce *whole = reduce_create(), *tail = reduce_create(), *saved = reduce_create();
    walk(9, false, true, whole);
    walk(9, true, true, tail);
    cr_assert(same_state(whole, tail));
    char error[600];
    cr_assert_geq(journal_salvage(disk, shared, 1, error, sizeof error), 0, "%s", error);
    struct walked after = walk(9, false, false, saved);
    cr_assert_eq(after.records, walked.records);
    cr_assert(same_state(whole, saved));
    reduce_destroy(whole);
    reduce_destroy(tail);
    reduce_destroy(saved);
    munmap(done, 4096);
}

Test(journal, every_committed_record_survives_a_kill_and_none_is_invented, .timeout = 120)
{
    uint64_t seed = 88172645463325252ULL;
    for (int i = 0; i < 12; i++) {
        uint64_t turn = test_random(&seed);
        kill_at_random(turn, i % 2 == 1);
        end();
        begin();
    }
}

/* ------------------------------------------------------------------ disks that fail */

struct faulty {
    int64_t room;   /* bytes until ENOSPC; negative: none */
    int open_fails; /* errno, 0 fine */
    int sync_fails;
};

static int faulty_open(void *context, const char *path, int flags, int mode)
{
    struct faulty *faulty = context;
    if (faulty->open_fails != 0) {
        errno = faulty->open_fails;
        return -1;
    }
    return open(path, flags, mode);
}

static ssize_t faulty_pwrite(void *context, int fd, const void *bytes, size_t count, off_t at)
{
    struct faulty *faulty = context;
    if (faulty->room <= 0) {
        errno = ENOSPC;
        return -1;
    }
    if ((int64_t)count > faulty->room) {
        count = (size_t)faulty->room; /* a short write in the middle of a slot, as a full disk does */
    }
    faulty->room -= (int64_t)count;
    return pwrite(fd, bytes, count, at);
}

static int faulty_sync(void *context, int fd)
{
    struct faulty *faulty = context;
    if (faulty->sync_fails != 0) {
        errno = faulty->sync_fails;
        return -1;
    }
    return fdatasync(fd);
}

static uint64_t orders_in_walk(uint64_t run, bool with_ring, uint64_t *fills)
{
    struct journal_reader_options options = { .directory = disk,
                                              .shared_directory = with_ring ? shared : NULL,
                                              .run = run };
    char error[600];
    struct journal_item item;
    struct journal_reader *reader = journal_reader_open(&options, error, sizeof error);
    cr_assert(reader != NULL);
    uint64_t orders = 0;
    enum journal_result result;
    *fills = 0;
    while ((result = journal_next(reader, &item)) != JOURNAL_END) {
        if (result == JOURNAL_RECORD) {
            orders += record_head_of(item.item.record)->type == RECORD_ORDER_NEW;
            *fills += record_head_of(item.item.record)->type == RECORD_FILL;
        }
    }
    journal_reader_close(reader);
    return orders;
}

Test(journal, a_full_disk_costs_feed_records_only_and_heals)
{
    struct faulty faulty = { .room = 100000 };
    struct journal_disk faulty_disk = {
        .open = faulty_open, .pwrite = faulty_pwrite, .fdatasync = faulty_sync, .context = &faulty
    };
    struct journal_options options = options_of(2);
    options.disk = &faulty_disk;
    struct journal *journal = create(&options);
    uint64_t count = write_run(journal, 2, 0, 8000);
    uint64_t now_ns = 1000000ULL * 8001;
    cr_assert_eq(journal_poll(journal, now_ns, 1), JOURNAL_SPILL);
    struct journal_counts counts;
    journal_counts(journal, &counts);
    cr_assert_gt(counts.lost, 1000);
    cr_assert_eq(counts.last_errno, ENOSPC);
    cr_assert_gt(counts.disk_errors, 1);
    cr_assert_gt(files_of(shared, SEGMENT_FULL), 0);

    /* While it is spilled: a crash now loses no order and no fill. */
    uint64_t fills;
    cr_assert_eq(orders_in_walk(2, true, &fills), 1000);
    cr_assert_eq(fills, 1000);
    struct walked walked = walk(2, false, true, NULL);
    cr_assert_eq(walked.records + walked.dropped_records, count);
    cr_assert_eq(walked.gaps, 0);
    cr_assert_eq(walked.dropped_records, counts.lost);

    /* The disk is freed: spills move over, everything is kept again. */
    faulty.room = 1LL << 40;
    now_ns += 2 * NS_PER_S;
    journal_poll(journal, now_ns, 1);
    cr_assert_eq(journal_poll(journal, now_ns + NS_PER_S, 1), JOURNAL_WELL);
    cr_assert_eq(files_of(shared, SEGMENT_FULL), 0);
    count += write_run(journal, 2, 8000, 10000);
    uint64_t lost = counts.lost;
    journal_counts(journal, &counts);
    cr_assert_eq(counts.lost, lost);
    struct reduce *read = reduce_create();
    journal_flush(journal, 1, 0);
    walked = walk(2, false, false, read);
    cr_assert_eq(walked.records + walked.dropped_records, count);
    cr_assert_eq(walked.dropped_records, lost);
    cr_assert(same_state(read, journal_reduce(journal)));
    reduce_destroy(read);
    cr_assert_eq(orders_in_walk(2, false, &fills), 1250);
    cr_assert_eq(fills, 1250);

    /* The orders file has them too, each once. */
    char path[SEGMENT_PATH_BYTES], error[600];
    segment_path(path, disk, SEGMENT_ORDERS, 2, 0);
    struct segment_reader reader;
    struct segment_item item;
    cr_assert(segment_open(&reader, path, error, sizeof error));
    uint64_t orders = 0, last = 0;
    while (segment_next(&reader, &item) == SEGMENT_RECORD) {
        cr_assert(last == 0 || item.number > last);
        last = item.number;
        orders += record_head_of(item.record)->type == RECORD_ORDER_NEW;
    }
    cr_assert_eq(orders, 1250);
    segment_close(&reader);
    journal_close(journal, 1);
}

Test(journal, a_read_only_disk_from_the_start_is_spilled)
{
    struct faulty faulty = { .room = 1LL << 40, .open_fails = EROFS };
    struct journal_disk faulty_disk = {
        .open = faulty_open, .pwrite = faulty_pwrite, .fdatasync = faulty_sync, .context = &faulty
    };
    struct journal_options options = options_of(2);
    options.disk = &faulty_disk;
    struct journal *journal = create(&options);
    write_run(journal, 2, 0, 3000);
    cr_assert_eq(journal_poll(journal, 1, 1), JOURNAL_SPILL);
    uint64_t fills;
    cr_assert_eq(orders_in_walk(2, true, &fills), 375);
    cr_assert_eq(fills, 375);
    struct reduce *read = reduce_create();
    walk(2, true, true, read);
    cr_assert(same_state(read, journal_reduce(journal)));
    cr_assert_not(journal_flush(journal, 1, 1000000));

    /* Killed like this, the next start finds it all. */
    char error[600];
    cr_assert_geq(journal_salvage(disk, shared, 1, error, sizeof error), 0, "%s", error);
    struct reduce *saved = reduce_create();
    walk(2, false, false, saved);
    cr_assert(same_state(read, saved));
    reduce_destroy(read);
    reduce_destroy(saved);
    journal_close(journal, 1);
}

Test(journal, a_failing_sync_turns_to_the_spill_without_losing_or_doubling)
{
    struct faulty faulty = { .room = 1LL << 40 };
    struct journal_disk faulty_disk = {
        .open = faulty_open, .pwrite = faulty_pwrite, .fdatasync = faulty_sync, .context = &faulty
    };
    struct journal_options options = options_of(2);
    options.disk = &faulty_disk;
    struct journal *journal = create(&options);
    uint64_t count = write_run(journal, 2, 0, 1000);
    faulty.sync_fails = EIO;
    count += write_run(journal, 2, 1000, 2000);
    struct walked walked = walk(2, false, true, NULL);
    cr_assert_eq(walked.records + walked.dropped_records, count);
    cr_assert_eq(walked.gaps, 0);
    uint64_t fills;
    cr_assert_eq(orders_in_walk(2, true, &fills), 250);
    journal_close(journal, 1);
}

Test(journal, when_nothing_can_be_kept_the_ring_holds_it)
{
    struct faulty faulty = { .room = 0 };
    struct journal_disk faulty_disk = {
        .open = faulty_open, .pwrite = faulty_pwrite, .fdatasync = faulty_sync, .context = &faulty
    };
    struct journal_options options = options_of(2);
    options.disk = &faulty_disk;
    options.spill_bytes = 40 << 10;
    struct journal *journal = create(&options);
    struct commit commit_to = { .ring = journal_ring(journal) };
    test_run_head(2, commit, &commit_to);
    enum journal_health health = JOURNAL_WELL;
    uint64_t i = 0;
    for (; health != JOURNAL_STUCK && i < 20000; i++) {
        struct slot record[3];
        record_of(i, record);
        commit(&commit_to, record);
        health = journal_poll(journal, 1000, 1);
    }
    cr_assert_eq(health, JOURNAL_STUCK);
    struct walked walked = walk(2, false, true, NULL);
    cr_assert_eq(walked.gaps, 0);
    cr_assert_eq(walked.records + walked.dropped_records, commit_to.count);
    cr_assert_gt(walked.from_ring, 0);
    faulty.room = 1LL << 40;
    cr_assert_eq(journal_poll(journal, 3 * NS_PER_S, 1), JOURNAL_WELL);
    journal_poll(journal, 4 * NS_PER_S, 1);
    walked = walk(2, false, false, NULL);
    cr_assert_eq(walked.records + walked.dropped_records, commit_to.count);
    journal_close(journal, 1);
}

/* A disk whose writes hang until told otherwise. */
struct hanging {
    int hang;
    int waiting;
};

static ssize_t hanging_pwrite(void *context, int fd, const void *bytes, size_t count, off_t at)
{
    struct hanging *hanging = context;
    while (__atomic_load_n(&hanging->hang, __ATOMIC_ACQUIRE)) {
        __atomic_store_n(&hanging->waiting, 1, __ATOMIC_RELEASE);
        usleep(100);
    }
    return pwrite(fd, bytes, count, at);
}

static int plain_open(void *context, const char *path, int flags, int mode)
{
    (void)context;
    return open(path, flags, mode);
}

static int plain_sync(void *context, int fd)
{
    (void)context;
    return fdatasync(fd);
}

Test(journal, a_hanging_disk_is_left_when_the_ring_is_half_full)
{
    struct hanging hanging = { 0 };
    struct journal_disk hanging_disk = {
        .open = plain_open, .pwrite = hanging_pwrite, .fdatasync = plain_sync, .context = &hanging
    };
    struct journal_options options = options_of(2);
    options.disk = &hanging_disk;
    options.inline_disk = false;
    struct journal *journal = create(&options);
    struct commit commit_to = { .ring = journal_ring(journal) };
    test_run_head(2, commit, &commit_to);
    cr_assert(journal_flush(journal, 1, 5 * NS_PER_S));
    hanging.hang = 1;
    uint64_t now_ns = clock_now_ns(), i = 0;
    struct slot record[3];
    for (; i < 500; i++) {
        record_of(i, record);
        commit(&commit_to, record);
    }
    journal_poll(journal, now_ns, 1);
    while (!__atomic_load_n(&hanging.waiting, __ATOMIC_ACQUIRE)) {
    }
    cr_assert_eq(journal_poll(journal, now_ns + 3 * NS_PER_S, 1), JOURNAL_BEHIND);
    for (; i < 1700; i++) {
        record_of(i, record);
        commit(&commit_to, record);
    }
    cr_assert_eq(journal_poll(journal, now_ns + 3 * NS_PER_S, 1), JOURNAL_SPILL);
    struct journal_counts counts;
    journal_counts(journal, &counts);
    cr_assert_eq(counts.last_errno, ETIMEDOUT);
    struct walked walked = walk(2, false, true, NULL);
    cr_assert_eq(walked.records + walked.dropped_records, commit_to.count);
    cr_assert_eq(walked.gaps, 0);

    /* It answers again. */
    __atomic_store_n(&hanging.hang, 0, __ATOMIC_RELEASE);
    uint64_t give_up = clock_now_ns() + 10 * NS_PER_S;
    enum journal_health health = JOURNAL_SPILL;
    while (health != JOURNAL_WELL && clock_now_ns() < give_up) {
        now_ns += NS_PER_S;
        health = journal_poll(journal, now_ns + 5 * NS_PER_S, 1);
        usleep(1000);
    }
    cr_assert_eq(health, JOURNAL_WELL);
    cr_assert(journal_flush(journal, 1, 5 * NS_PER_S));
    walked = walk(2, false, false, NULL);
    cr_assert_eq(walked.records + walked.dropped_records, commit_to.count);
    uint64_t fills;
    cr_assert_eq(orders_in_walk(2, false, &fills), 212 + 1);
    cr_assert_eq(fills, 212);
    journal_close(journal, 1);
}

Test(journal, a_written_record_is_synced_within_its_time)
{
    struct journal_options options = options_of(3);
    struct journal *journal = create(&options);
    struct commit commit_to = { .ring = journal_ring(journal) };
    test_run_head(3, commit, &commit_to);
    struct journal_counts counts;
    journal_poll(journal, NS_PER_S, 1);
    journal_counts(journal, &counts);
    uint64_t before = counts.syncs;
    journal_poll(journal, NS_PER_S + 9 * NS_PER_MS, 1);
    journal_counts(journal, &counts);
    cr_assert_eq(counts.syncs, before + 1);
    journal_poll(journal, NS_PER_S + 30 * NS_PER_MS, 1);
    journal_counts(journal, &counts);
    cr_assert_eq(counts.syncs, before + 1, "nothing new was written");
    journal_close(journal, 1);
}
