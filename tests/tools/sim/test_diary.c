/* What came in is read back as it was written, whatever the file looks like after a kill. */
#include "tools/sim/sim_diary.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SET_UP "--seed\n7\n"

static char path[64];
static struct sim_diary diary;
static char error[256];

static void set_up(void)
{
    int fd;

    strcpy(path, "/dev/shm/poise-test-diary-XXXXXX");
    fd = mkstemp(path);
    cr_assert(fd >= 0);
    close(fd);
}

static void tear_down(void)
{
    unlink(path);
}

TestSuite(diary, .init = set_up, .fini = tear_down);

static bool open_it(int64_t *began_ns)
{
    return sim_diary_open(&diary, path, SET_UP, began_ns, error, sizeof error);
}

static const struct sim_entry written[] = {
    { .kind = SIM_ENTRY_BEGIN, .at_ns = 100, .digest = 0 },
    { .kind = SIM_ENTRY_TURN, .at_ns = 200, .digest = 1 },
    { .kind = SIM_ENTRY_MESSAGE, .at_ns = 300, .conn = 77, .digest = 2, .data = "{\"id\":1}", .length = 8 },
    { .kind = SIM_ENTRY_REQUEST,
      .control = true,
      .at_ns = 400,
      .conn = 78,
      .digest = 3,
      .data = "a\0b",
      .length = 3 },
    { .kind = SIM_ENTRY_CLOSED, .at_ns = 500, .conn = 77, .digest = 4 },
};
#define WRITTEN (sizeof written / sizeof written[0])

static void write_all(void)
{
    int64_t began_ns = 42;
    struct sim_entry none;
    bool damaged;

    cr_assert(open_it(&began_ns), "%s", error);
    cr_assert_not(sim_diary_next(&diary, &none, &damaged));
    cr_assert_not(damaged);
    for (size_t i = 0; i < WRITTEN; i++) {
        cr_assert(sim_diary_write(&diary, &written[i]));
    }
    sim_diary_close(&diary);
}

/* read_all answers how many entries came back, each as it was written. */
static size_t read_all(bool *damaged)
{
    struct sim_entry entry;
    size_t count = 0;

    while (sim_diary_next(&diary, &entry, damaged)) {
        const struct sim_entry *was = &written[count];
        cr_assert_lt(count, WRITTEN);
        cr_assert_eq(entry.kind, was->kind);
        cr_assert_eq(entry.control, was->control);
        cr_assert_eq(entry.at_ns, was->at_ns);
        cr_assert_eq(entry.conn, was->conn);
        cr_assert_eq(entry.digest, was->digest);
        cr_assert_eq(entry.length, was->length);
        cr_assert_eq(memcmp(entry.data, was->length > 0 ? was->data : "", was->length), 0);
        count++;
    }
    return count;
}

static size_t load(char *bytes, size_t most)
{
    FILE *file = fopen(path, "r");
    size_t length = fread(bytes, 1, most, file);

    fclose(file);
    return length;
}

static void store(const char *bytes, size_t length)
{
    FILE *file = fopen(path, "w");

    cr_assert_eq(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

Test(diary, what_was_written_comes_back_with_the_first_beginning)
{
    int64_t began_ns = 4711;
    bool damaged;

    write_all();
    cr_assert(open_it(&began_ns), "%s", error);
    cr_assert_eq(began_ns, 42, "the venue began when it was first started");
    cr_assert_eq(read_all(&damaged), WRITTEN);
    cr_assert_not(damaged);
    sim_diary_close(&diary);
}

Test(diary, every_torn_end_is_dropped_and_written_over)
{
    char bytes[4096];
    size_t length, before = 0;

    write_all();
    length = load(bytes, sizeof bytes);
    for (size_t cut = 0; cut < length; cut++) {
        struct sim_entry none;
        int64_t began_ns = 43;
        bool damaged;

        store(bytes, cut);
        cr_assert(open_it(&began_ns), "cut at %zu: %s", cut, error);
        size_t count = read_all(&damaged);
        cr_assert_not(damaged, "cut at %zu", cut);
        cr_assert_lt(count, WRITTEN);
        cr_assert_geq(count, before, "a longer file holds no less");
        before = count;
        cr_assert(sim_diary_write(&diary, &written[count]), "the history goes on");
        sim_diary_close(&diary);

        cr_assert(open_it(&began_ns), "cut at %zu: %s", cut, error);
        cr_assert_eq(read_all(&damaged), count + 1, "cut at %zu", cut);
        cr_assert_not(sim_diary_next(&diary, &none, &damaged));
        sim_diary_close(&diary);
    }
    cr_assert_eq(before, WRITTEN - 1);
}

Test(diary, a_changed_byte_is_never_believed)
{
    char bytes[4096], changed[4096];
    size_t length;

    write_all();
    length = load(bytes, sizeof bytes);
    for (size_t at = 0; at < length; at++) {
        int64_t began_ns = 43;
        bool damaged = false;

        memcpy(changed, bytes, length);
        changed[at] ^= 0x20;
        store(changed, length);
        if (open_it(&began_ns)) { /* read_all compares whatever comes back with what was written */
            size_t count = read_all(&damaged);
            cr_assert(damaged || count < WRITTEN || began_ns != 42, "byte %zu", at);
            sim_diary_close(&diary);
        }
    }
}

Test(diary, other_options_other_files_and_a_second_writer_are_refused)
{
    struct sim_diary second;
    int64_t began_ns = 43;

    write_all();
    cr_assert_not(sim_diary_open(&second, path, "--seed\n8\n", &began_ns, error, sizeof error));
    cr_assert(strstr(error, "other options") != NULL, "%s", error);
    sim_diary_close(&second);

    cr_assert(open_it(&began_ns), "%s", error);
    cr_assert_not(sim_diary_open(&second, path, SET_UP, &began_ns, error, sizeof error));
    cr_assert(strstr(error, "another poise-sim") != NULL, "%s", error);
    sim_diary_close(&second);
    sim_diary_close(&diary);

    store("not a state file, and long enough to be one", 43);
    cr_assert_not(open_it(&began_ns));
    cr_assert(strstr(error, "not a state file") != NULL, "%s", error);
    sim_diary_close(&diary);
}
