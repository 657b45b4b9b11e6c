#include "tests/cold/journal/records.h"
#include "cold/counter_block.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <unistd.h>

#define WALL_NS 1750000000000000000LL

static char directory[256];

static void begin(void)
{
    test_directory(directory, false);
}

static void end(void)
{
    test_remove(directory);
}

TestSuite(counter_block, .init = begin, .fini = end);

static struct counter_block take(uint64_t least)
{
    struct counter_block block;
    char error[600] = "";
    cr_assert(counter_block_take(directory, least, 1000, WALL_NS, &block, error, sizeof error), "%s", error);
    cr_assert_eq(block.end - block.next, 1000);
    return block;
}

Test(counter_block, no_counter_is_handed_out_twice_whenever_we_die)
{
    uint64_t end_before = take(0).end;
    for (int i = 0; i < 20; i++) {
        /* A crash behind any block: nothing of what was used in it is known any more. */
        struct counter_block block = take(i % 3 == 0 ? end_before + 50 : 0);
        cr_assert_geq(block.next, end_before);
        end_before = block.end;
    }
}

Test(counter_block, a_lost_or_damaged_file_starts_above_what_may_have_been_used)
{
    char path[320];
    struct counter_block first = take(0);
    cr_assert_geq(first.next, 10000000000ULL, "the calendar");
    snprintf(path, sizeof path, "%s/order_ids", directory);
    for (int turn = 0; turn < 3; turn++) {
        if (turn == 0) {
            unlink(path);
        } else {
            FILE *file = fopen(path, "w");
            fputs(turn == 1 ? "12 34\n" : "", file);
            fclose(file);
        }
        cr_assert_geq(take(first.end).next, first.end, "what the journal and the venue saw is respected");
    }
}

Test(counter_block, nothing_is_handed_out_that_is_not_on_disk)
{
    struct counter_block block = { 0 };
    char error[600];
    cr_assert_not(counter_block_take("/nowhere/at/all", 0, 1000, WALL_NS, &block, error, sizeof error));
    cr_assert_eq(block.end, 0);
    cr_assert_not(
        counter_block_take(directory, ORDER_COUNTER_MAX - 5, 1000, WALL_NS, &block, error, sizeof error));
}
