#include "ring/counters.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[64];
static char path[96];

static void setup(void)
{
    snprintf(folder, sizeof folder, "/tmp/poise-counters-XXXXXX");
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/page", folder);
}

static void teardown(void)
{
    unlink(path);
    rmdir(folder);
}

TestSuite(counters, .init = setup, .fini = teardown);

Test(counters, a_second_process_reads_what_the_first_writes)
{
    struct counters *counters = counters_create(path);
    cr_assert_not_null(counters);
    counter *fills = counters_add(counters, 1, "strategy.fills", COUNTER_SUM);
    counter *delta = counters_add(counters, 1, "strategy.delta", COUNTER_GAUGE);
    struct histogram *latency = counters_add_histogram(counters, "tick_to_order_ns");
    counter_add(fills, 2);
    counter_add(fills, 3);
    counter_set(delta, -7);
    for (int i = 0; i < 100; i++) {
        histogram_record(latency, 5);
    }

    int to_child[2], to_parent[2];
    cr_assert_eq(pipe(to_child), 0);
    cr_assert_eq(pipe(to_parent), 0);
    pid_t child = fork();
    if (child == 0) {
        /* its own mapping, by name, read-only */
        char byte = 0;
        struct counters *seen = counters_open(path);
        bool first = seen != NULL && counters_find(seen, "strategy.fills", -1) == 5 &&
                     counters_find(seen, "strategy.delta", 0) == -7 &&
                     counters_find(seen, "no.such", -99) == -99 && counters_count(seen) == 2 &&
                     counters_kind(seen, 1) == COUNTER_GAUGE &&
                     strcmp(counters_name(seen, 0), "strategy.fills") == 0 && counters_value(seen, 0) == 5 &&
                     counters_histogram_count(seen) == 1 &&
                     histogram_quantile(counters_histogram(seen, 0), 500000) == 5;
        ssize_t done = write(to_parent[1], &byte, 1);
        done += read(to_child[0], &byte, 1);
        bool second = done == 2 && counters_find(seen, "strategy.fills", -1) == 6;
        _exit(first && second ? 0 : 1);
    }
    char byte;
    cr_assert_eq(read(to_parent[0], &byte, 1), 1);
    counter_add(fills, 1);
    cr_assert_eq(write(to_child[1], &byte, 1), 1);
    int status = -1;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    counters_close(counters);
}

Test(counters, a_reader_cannot_write)
{
    struct counters *counters = counters_create(path);
    counters_add(counters, 0, "a", COUNTER_SUM);
    struct counters *seen = counters_open(path);
    pid_t child = fork();
    if (child == 0) {
        close(STDERR_FILENO);
        *(volatile char *)seen = 1;
        _exit(0);
    }
    int status = 0;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_neq(status, 0);
    counters_close(seen);
    counters_close(counters);
}

Test(counters, writers_do_not_share_a_line)
{
    struct counters *counters = counters_create(path);
    counter *words[4][40];
    for (int i = 0; i < 40; i++) {
        for (uint32_t writer = 0; writer < 4; writer++) {
            char name[COUNTER_NAME_BYTES];
            snprintf(name, sizeof name, "w%u.c%d", writer, i);
            words[writer][i] = counters_add(counters, writer, name, COUNTER_SUM);
        }
    }
    for (int a = 0; a < 4 * 40; a++) {
        for (int b = 0; b < 4 * 40; b++) {
            if (a / 40 == b / 40) {
                cr_assert(a == b || words[a / 40][a % 40] != words[b / 40][b % 40]);
                continue;
            }
            cr_assert_neq((uintptr_t)words[a / 40][a % 40] / POISE_APART,
                          (uintptr_t)words[b / 40][b % 40] / POISE_APART);
        }
    }
    counters_close(counters);
}

Test(counters, the_same_name_and_writer_is_the_same_word)
{
    struct counters *counters = counters_create(path);
    counter *a = counters_add(counters, 1, "feed.gaps", COUNTER_SUM);
    cr_assert_eq(counters_add(counters, 1, "feed.gaps", COUNTER_SUM), a);
    counter *b = counters_add(counters, 2, "feed.gaps", COUNTER_SUM);
    cr_assert_neq(a, b);
    counter_add(a, 3);
    counter_add(b, 4);
    cr_assert_eq(counters_find(counters, "feed.gaps", -1), 7, "writers' sums add up");
    cr_assert_eq(counters_add_histogram(counters, "h"), counters_add_histogram(counters, "h"));
    counters_close(counters);
}

Test(counters, a_full_page_answers_scrap_and_callers_never_check)
{
    struct counters *counters = counters_create(path);
    char name[COUNTER_NAME_BYTES];
    for (int i = 0; i < COUNTERS_MAX; i++) {
        snprintf(name, sizeof name, "c%d", i);
        counter_set(counters_add(counters, (uint32_t)i % COUNTERS_WRITERS, name, COUNTER_GAUGE), i);
    }
    counter *scrap = counters_add(counters, 0, "one.too.many", COUNTER_GAUGE);
    cr_assert_not_null(scrap);
    counter_set(scrap, -1);
    cr_assert_eq(counters_count(counters), (uint32_t)COUNTERS_MAX);
    cr_assert_eq(counters_find(counters, "one.too.many", -5), -5);
    for (int i = 0; i < COUNTERS_MAX; i++) {
        snprintf(name, sizeof name, "c%d", i);
        cr_assert_eq(counters_find(counters, name, -1), i);
    }
    for (int i = 0; i < HISTOGRAMS_MAX + 3; i++) {
        snprintf(name, sizeof name, "h%d", i);
        histogram_record(counters_add_histogram(counters, name), 1);
    }
    cr_assert_eq(counters_histogram_count(counters), (uint32_t)HISTOGRAMS_MAX);
    cr_assert_eq(atomic_load(&counters_histogram(counters, 0)->count), 1u);
    counters_close(counters);
}

Test(counters, a_name_too_long_is_cut_and_found)
{
    struct counters *counters = counters_create(path);
    char name[2 * COUNTER_NAME_BYTES];
    memset(name, 'n', sizeof name);
    name[sizeof name - 1] = '\0';
    counter_set(counters_add(counters, 0, name, COUNTER_GAUGE), 3);
    cr_assert_eq(strlen(counters_name(counters, 0)), COUNTER_NAME_BYTES - 1u);
    cr_assert_eq(counters_find(counters, name, -1), 3);
    counters_close(counters);
}

Test(counters, a_new_engine_leaves_an_old_reader_its_page)
{
    struct counters *old = counters_create(path);
    counter_set(counters_add(old, 0, "run", COUNTER_GAUGE), 1);
    struct counters *reader = counters_open(path);
    struct counters *fresh = counters_create(path);
    cr_assert_not_null(fresh);
    cr_assert_eq(counters_find(reader, "run", -1), 1);
    struct counters *again = counters_open(path);
    cr_assert_eq(counters_count(again), 0u);
    counters_close(again);
    counters_close(fresh);
    counters_close(reader);
    counters_close(old);
}

Test(counters, another_layout_is_refused_and_no_page_is_said)
{
    errno = 0;
    cr_assert_null(counters_open(path));
    cr_assert_eq(errno, ENOENT);

    FILE *file = fopen(path, "w");
    fputs("something else", file);
    fclose(file);
    cr_assert_null(counters_open(path));
    cr_assert_eq(errno, EPROTO);

    counters_close(counters_create(path));
    struct stat status;
    cr_assert_eq(stat(path, &status), 0);
    int fd = open(path, O_RDWR);
    cr_assert_eq(pwrite(fd, "x", 1, 0), 1);
    close(fd);
    cr_assert_null(counters_open(path));
    cr_assert_eq(errno, EPROTO);
    cr_assert_eq(truncate(path, status.st_size - 1), 0);
    cr_assert_null(counters_open(path));
    cr_assert_eq(errno, EPROTO);

    cr_assert_null(counters_create("/no/such/folder/page"));
    cr_assert_eq(errno, ENOENT);
}
