/* The tools on a journal that a real strategy wrote. */
#include "tests/cold/journal/records.h"
#include "hot/strategy/strategy.h"
#include "tools/poise/commands.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char disk[256], shared[256], said[320];

static void begin(void)
{
    test_directory(disk, false);
    test_directory(shared, true);
    snprintf(said, sizeof said, "%s/said", shared);
}

static void end(void)
{
    test_remove(disk);
    test_remove(shared);
}

TestSuite(replay, .init = begin, .fini = end);

struct role {
    struct strategy *strategy;
    struct outbox *outbox;
    struct journal *journal;
    uint64_t in, out;
};

static void commit(struct role *role, const struct slot *record, uint8_t flag)
{
    struct slot copy[RECORD_SLOTS_MAX];
    memcpy(copy, record, (size_t)record_head_of(record)->slot_count * SLOT_BYTES);
    record_head_of(copy)->flags |= flag;
    while (!test_commit(journal_ring(role->journal), copy)) {
        journal_poll(role->journal, 1, 1);
    }
}

static void consume(void *context, const struct slot *record)
{
    struct role *role = context;
    commit(role, record, 0);
    role->in++;
    role->outbox->used = role->outbox->records = 0;
    strategy_step(role->strategy, record, role->outbox);
    for (uint32_t at = 0; at < role->outbox->used;) {
        commit(role, &role->outbox->slots[at], RECORD_FLAG_OUT);
        role->out++;
        at += record_head_of(&role->outbox->slots[at])->slot_count;
    }
}

/* A run in which the strategy says things: fills of orders nobody knows, commands, the clock's status. */
static uint64_t write_run(const char *build)
{
    struct journal_options options = { .directory = disk,
                                       .shared_directory = shared,
                                       .ring_slots = 1024,
                                       .segment_bytes = 32 << 10,
                                       .run = 5,
                                       .engine = TEST_ENGINE,
                                       .build_id = build,
                                       .inline_disk = true };
    char error[600];
    struct role role = { .journal = journal_create(&options, error, sizeof error) };
    void *memory =
        aligned_alloc(POISE_APART, (strategy_bytes() + POISE_APART - 1) / POISE_APART * POISE_APART);
    role.strategy = strategy_init(memory);
    role.outbox = aligned_alloc(SLOT_BYTES, (sizeof *role.outbox + SLOT_BYTES - 1) / SLOT_BYTES * SLOT_BYTES);
    struct test_list head = { 0 };
    test_run_head(5, test_list_add, &head);
    snprintf(((struct record_begin_run *)record_head_of(head.slot))->build_id, 48, "%s", build);
    for (uint32_t at = 0; at < head.used; at += record_head_of(&head.slot[at])->slot_count) {
        consume(&role, &head.slot[at]);
    }
    for (uint64_t i = 0; i < 3000; i++) {
        struct slot record[3];
        memset(record, 0, sizeof record);
        if (i % 3 == 0) {
            struct record_report *fill = test_report(record, RECORD_FILL, test_order_id(i + 1), 0, 1000 + i);
            fill->exec_id = i / 2;
            fill->last_qty = 2;
            fill->price = 600000;
            fill->flags = REPORT_HAS_LAST;
        } else if (i % 100 == 1) {
            struct record_command *command =
                (struct record_command *)record_begin(record, RECORD_COMMAND, 1, 1000 + i);
            command->instance = NO_INSTANCE;
            command->command = i % 200 == 1 ? COMMAND_HALT : COMMAND_RESUME;
        } else {
            struct record_clock *clock =
                (struct record_clock *)record_begin(record, RECORD_CLOCK, 1, 1000 + i * 100000);
            clock->wall_ns = 1700000000000000000 + (int64_t)i;
        }
        consume(&role, record);
    }
    cr_assert_gt(role.out, 30);
    journal_close(role.journal, 1);
    test_list_free(&head);
    free(role.outbox);
    free(memory);
    return role.in + role.out;
}

/* Runs a command with its output in a file; answers its exit code. */
static int run(int (*command)(int, char **), const char *a, const char *b, const char *c)
{
    char *argv[] = { (char *)(uintptr_t) "tool", (char *)(uintptr_t)(a ? a : ""), (char *)(uintptr_t)b,
                     (char *)(uintptr_t)c, NULL };
    int argc = 1 + (a != NULL) + (b != NULL) + (c != NULL);
    fflush(stdout);
    int keep = dup(1);
    cr_assert(freopen(said, "w", stdout) != NULL);
    int code = command(argc, argv);
    fflush(stdout);
    dup2(keep, 1);
    close(keep);
    clearerr(stdout);
    return code;
}

static bool it_said(const char *what)
{
    static char text[1 << 16];
    FILE *file = fopen(said, "r");
    size_t bytes = fread(text, 1, sizeof text - 1, file);
    text[bytes] = '\0';
    fclose(file);
    return strstr(text, what) != NULL;
}

static uint64_t lines(void)
{
    FILE *file = fopen(said, "r");
    uint64_t count = 0;
    for (int c; (c = fgetc(file)) != EOF;) {
        count += c == '\n';
    }
    fclose(file);
    return count;
}

Test(replay, the_same_build_says_the_same_bytes)
{
    write_run(POISE_BUILD_ID);
    cr_assert_eq(run(replay_main, disk, NULL, NULL), EXIT_DONE);
    cr_assert(it_said("identical"));
}

Test(replay, another_build_needs_to_be_asked_for)
{
    write_run("other");
    cr_assert_eq(run(replay_main, disk, NULL, NULL), EXIT_UNFIT);
    cr_assert_eq(run(replay_main, disk, "--diff", NULL), EXIT_DONE);
}

/* Rewrites the journal's first segments with one byte of an emitted record changed, checks and all. */
static void change_one_answer(void)
{
    char path[SEGMENT_PATH_BYTES], error[600];
    segment_path(path, disk, SEGMENT_FULL, 5, 0);
    struct segment_reader reader;
    struct segment_item item;
    cr_assert(segment_open(&reader, path, error, sizeof error));
    struct segment_writer writer;
    static struct slot out[4096];
    segment_start(&writer, &reader.head, out);
    uint32_t at = 1;
    bool done = false;
    while (segment_next(&reader, &item) == SEGMENT_RECORD) {
        struct slot copy[RECORD_SLOTS_MAX];
        memcpy(copy, item.record, (size_t)record_head_of(item.record)->slot_count * SLOT_BYTES);
        if (!done && item.number > 40 && (record_head_of(copy)->flags & RECORD_FLAG_OUT) != 0) {
            copy[0].payload[30] ^= 1;
            done = true;
        }
        at += segment_put(&writer, &out[at], copy, item.origin, item.number);
    }
    cr_assert(done);
    segment_close(&reader);
    FILE *file = fopen(path, "w");
    cr_assert_eq(fwrite(out, SLOT_BYTES, at, file), at);
    fclose(file);
}

Test(replay, one_changed_byte_is_found_and_shown_both_ways)
{
    write_run(POISE_BUILD_ID);
    change_one_answer();
    cr_assert_eq(run(replay_main, disk, NULL, NULL), EXIT_NO);
    cr_assert(it_said("then:") && it_said("now:") && it_said("byte 30"));
}

Test(replay, missing_records_are_never_called_identical)
{
    write_run(POISE_BUILD_ID);
    char path[SEGMENT_PATH_BYTES];
    segment_path(path, disk, SEGMENT_FULL, 5, 1);
    cr_assert_eq(unlink(path), 0);
    cr_assert_eq(run(replay_main, disk, NULL, NULL), EXIT_NO);
    cr_assert(it_said("inexact"));
}

Test(replay, the_journal_is_printed_whole_and_by_type)
{
    uint64_t records = write_run(POISE_BUILD_ID);
    cr_assert_eq(run(journal_main, disk, "--json", NULL), EXIT_DONE);
    cr_assert_eq(lines(), records);
    cr_assert_eq(run(journal_main, disk, "--type", "fill"), EXIT_DONE);
    cr_assert_eq(lines(), 1000);
    cr_assert(it_said("price=60000 "), "decimals come from the journal's own instrument table");
    char order[ORDER_ID_TEXT_BYTES + 1] = { 0 };
    order_id_print(order, test_order_id(4));
    cr_assert_eq(run(journal_main, disk, "--order", order), EXIT_DONE);
    cr_assert_geq(lines(), 1);
    cr_assert_eq(run(journal_main, disk, "--type", "nonsense"), EXIT_USAGE);
    cr_assert_eq(run(journal_main, "/nowhere", NULL, NULL), EXIT_UNFIT);
    cr_assert_eq(run(replay_main, NULL, NULL, NULL), EXIT_USAGE);
}

Test(replay, a_record_can_be_looked_at)
{
    write_run(POISE_BUILD_ID);
    cr_assert_eq(run(replay_main, disk, "--print", "100"), EXIT_DONE);
    cr_assert(it_said("figures:"));
}
