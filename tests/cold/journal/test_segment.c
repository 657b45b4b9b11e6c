#include "tests/cold/journal/records.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { RECORDS = 40 };

struct made {
    struct slot slot[1 + RECORDS * 3];
    uint32_t used;
    uint32_t begins[RECORDS + 1]; /* slot where record i begins; [RECORDS] the end */
};

/* Records of one, two and three slots with numbers from 100 on. */
static void make(struct made *made)
{
    struct segment_writer writer;
    struct segment_head head = { .run = 12,
                                 .layout_hash = record_layout_hash(),
                                 .first_number = 100,
                                 .segment = 3,
                                 .kind = SEGMENT_FULL };
    memset(made, 0, sizeof *made);
    segment_start(&writer, &head, made->slot);
    made->used = 1;
    for (uint32_t i = 0; i < RECORDS; i++) {
        struct slot record[3];
        memset(record, 0, sizeof record);
        record_begin(record, RECORD_MARK, (uint8_t)(1 + i % 3), 1000 + i);
        for (uint32_t s = 0; s <= i % 3; s++) {
            record[s].payload[40] = (unsigned char)(i + s);
        }
        made->begins[i] = made->used;
        made->used += segment_put(&writer, &made->slot[made->used], record, ORIGIN_RING, 100 + i);
    }
    made->begins[RECORDS] = made->used;
}

static void save(const char *path, const void *bytes, size_t count)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    cr_assert(fd >= 0);
    cr_assert(write(fd, bytes, count) == (ssize_t)count);
    close(fd);
}

static char directory[256], path[320];

static void begin(void)
{
    test_directory(directory, true);
    snprintf(path, sizeof path, "%s/run-000012-seg-00003.pj", directory);
}

static void end(void)
{
    test_remove(directory);
}

TestSuite(segment, .init = begin, .fini = end);

/* How many records come back, each checked against what was made. */
static uint32_t read_back(const struct made *made, uint32_t *damaged)
{
    struct segment_reader reader;
    struct segment_item item;
    char error[600];
    *damaged = 0;
    if (!segment_open(&reader, path, error, sizeof error)) {
        return 0;
    }
    uint32_t count = 0;
    enum segment_result result;
    while ((result = segment_next(&reader, &item)) != SEGMENT_DONE) {
        if (result == SEGMENT_DAMAGED) {
            (*damaged)++;
            continue;
        }
        uint32_t i = (uint32_t)(item.number - 100);
        cr_assert(i < RECORDS);
        cr_assert(record_same(item.record, &made->slot[made->begins[i]]));
        cr_assert_eq(item.origin, ORIGIN_RING);
        count++;
    }
    segment_close(&reader);
    return count;
}

Test(segment, what_was_written_is_read)
{
    struct made made;
    uint32_t damaged;
    make(&made);
    save(path, made.slot, made.used * SLOT_BYTES);
    cr_assert_eq(read_back(&made, &damaged), RECORDS);
    cr_assert_eq(damaged, 0);
}

Test(segment, a_tail_torn_at_any_byte_loses_only_the_torn_record)
{
    struct made made;
    uint32_t damaged;
    make(&made);
    for (uint32_t keep = RECORDS - 4; keep < RECORDS; keep++) {
        size_t from = (size_t)made.begins[keep] * SLOT_BYTES, to = (size_t)made.begins[keep + 1] * SLOT_BYTES;
        for (size_t bytes = from; bytes < to; bytes++) {
            save(path, made.slot, bytes);
            cr_assert_eq(read_back(&made, &damaged), keep, "cut at %zu", bytes);
            cr_assert_eq(damaged, 0);
        }
    }
}

Test(segment, any_flipped_byte_is_noticed_and_costs_one_record)
{
    struct made made, broken;
    uint32_t damaged;
    make(&made);
    for (size_t byte = SLOT_BYTES; byte < (size_t)made.used * SLOT_BYTES; byte++) {
        broken = made;
        ((unsigned char *)broken.slot)[byte] ^= 0x10;
        save(path, broken.slot, broken.used * SLOT_BYTES);
        uint32_t got = read_back(&made, &damaged);
        cr_assert_eq(got, RECORDS - 1, "byte %zu", byte);
        cr_assert(damaged == 1 || byte >= (size_t)made.begins[RECORDS - 1] * SLOT_BYTES);
    }
}

Test(segment, a_slot_moved_or_repeated_is_not_believed)
{
    struct made made, broken;
    uint32_t damaged;
    make(&made);
    broken = made;
    broken.slot[made.begins[3]] = made.slot[made.begins[6]];
    save(path, broken.slot, broken.used * SLOT_BYTES);
    cr_assert_eq(read_back(&made, &damaged), RECORDS - 1);
    cr_assert_eq(damaged, 1);
}

Test(segment, another_layout_is_refused_in_words)
{
    struct segment_writer writer;
    struct segment_head head = { .run = 1, .layout_hash = 5, .kind = SEGMENT_FULL };
    struct segment_reader reader;
    struct slot slot;
    char error[600];
    segment_start(&writer, &head, &slot);
    save(path, &slot, sizeof slot);
    cr_assert_not(segment_open(&reader, path, error, sizeof error));
    cr_assert(strstr(error, "layouts") != NULL);
    save(path, "poise", 5);
    cr_assert_not(segment_open(&reader, path, error, sizeof error));
}

Test(segment, numbers_run_on_beyond_what_a_check_word_holds)
{
    struct segment_writer writer;
    struct slot slots[1 + 40];
    uint64_t first = (1ULL << 26) * 3 - 20;
    struct segment_head head = {
        .run = 12, .layout_hash = record_layout_hash(), .first_number = first, .kind = SEGMENT_ORDERS
    };
    segment_start(&writer, &head, slots);
    for (uint32_t i = 0; i < 40; i++) {
        struct slot record;
        memset(&record, 0, sizeof record);
        record_begin(&record, RECORD_MARK, 1, 5);
        segment_put(&writer, &slots[1 + i], &record, ORIGIN_RING, first + i * 1000003ULL);
    }
    save(path, slots, sizeof slots);
    struct segment_reader reader;
    struct segment_item item;
    char error[600];
    cr_assert(segment_open(&reader, path, error, sizeof error));
    for (uint32_t i = 0; i < 40; i++) {
        cr_assert_eq(segment_next(&reader, &item), SEGMENT_RECORD);
        cr_assert_eq(item.number, first + i * 1000003ULL);
    }
    segment_close(&reader);
}

Test(segment, files_are_listed_in_order_and_strangers_left_out)
{
    const char *names[] = { "run-000002-seg-00000.pj",
                            "run-000001-seg-00010.pj",
                            "run-000001-seg-00009.pj",
                            "orders-000001.pj",
                            "run-000001-seg-00009.pj.tmp",
                            "lock",
                            "run-x.pj" };
    for (size_t i = 0; i < POISE_COUNT_OF(names); i++) {
        snprintf(path, sizeof path, "%s/%s", directory, names[i]);
        save(path, "x", 1);
    }
    struct segment_file *files;
    uint32_t count;
    cr_assert(segment_list(directory, &files, &count));
    cr_assert_eq(count, 4);
    cr_assert(files[0].run == 1 && files[0].segment == 9);
    cr_assert(files[1].run == 1 && files[1].segment == 10);
    cr_assert(files[2].run == 2 && files[2].segment == 0);
    cr_assert(files[3].kind == SEGMENT_ORDERS && files[3].run == 1);
    free(files);
}
