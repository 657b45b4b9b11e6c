#include "tests/sim/count.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { ROWS_MAX = 8192, NAME_BYTES = 64 };

struct row {
    char name[NAME_BYTES];
    uint64_t value, saved; /* saved: of value, what the file of totals has */
};

static struct row rows[ROWS_MAX];
static uint32_t row_count;
static uint16_t place[2 * ROWS_MAX]; /* number of a row plus one, open addressing */

static struct row *row_of(const char *name)
{
    uint32_t at = 2166136261U;
    for (const char *c = name; *c != 0; c++) {
        at = (at ^ (uint8_t)*c) * 16777619U;
    }
    for (at %= 2 * ROWS_MAX; place[at] != 0; at = (at + 1) % (2 * ROWS_MAX)) {
        if (strcmp(rows[place[at] - 1].name, name) == 0) {
            return &rows[place[at] - 1];
        }
    }
    if (row_count == ROWS_MAX) {
        fprintf(stderr, "poise-sim-dst: more names than there is room for\n");
        exit(2);
    }
    struct row *row = &rows[row_count++];
    place[at] = (uint16_t)row_count;
    snprintf(row->name, NAME_BYTES, "%s", name);
    return row;
}

static bool begins(const struct row *row, const char *with)
{
    return strncmp(row->name, with, strlen(with)) == 0;
}

void count_add(const char *name, uint64_t value)
{
    struct row *row = row_of(name);
    bool most = begins(row, "most_");
    row->value = most ? (row->value > value ? row->value : value) : row->value + value;
}

static uint64_t value_of(const char *name)
{
    return row_of(name)->value;
}

/* ------------------------------------------------------------------ printing */

/* How many letters of a name are its table's: "cell.order." of "cell.order.LIVE.FILL". */
static size_t table_bytes(const struct row *row)
{
    const char *end = begins(row, "cell.") ? strchr(row->name + 5, '.') : NULL;
    return end != NULL ? (size_t)(end - row->name) + 1 : 0;
}

static bool is_first_of_table(uint32_t at)
{
    for (uint32_t i = 0; i < at; i++) {
        if (strncmp(rows[i].name, rows[at].name, table_bytes(&rows[at])) == 0) {
            return false;
        }
    }
    return true;
}

static void print_table(uint32_t first, bool all)
{
    size_t bytes = table_bytes(&rows[first]);
    uint32_t cells = 0, reached = 0;
    for (uint32_t i = first; i < row_count; i++) {
        if (strncmp(rows[i].name, rows[first].name, bytes) == 0) {
            cells++;
            reached += rows[i].value != 0;
        }
    }
    printf("cells of %-20.*s %12u reached of %u\n", (int)bytes - 6, rows[first].name + 5, reached, cells);
    for (uint32_t i = first; i < row_count && all; i++) {
        if (rows[i].value == 0 && strncmp(rows[i].name, rows[first].name, bytes) == 0) {
            printf("  not reached: %s\n", rows[i].name + 5);
        }
    }
}

static void print_pairs(bool each)
{
    uint64_t met = 0, kinds = 0, begun = 0, fewest = UINT64_MAX;
    const char *rarest = "";
    uint32_t different = 0;
    for (uint32_t i = 0; i < row_count; i++) {
        if (begins(&rows[i], "pair.")) {
            different += rows[i].value != 0;
            met += rows[i].value;
        } else if (begins(&rows[i], "began.") && rows[i].value != 0) {
            kinds++;
            begun += rows[i].value;
            rarest = rows[i].value < fewest ? rows[i].name + 6 : rarest;
            fewest = rows[i].value < fewest ? rows[i].value : fewest;
        }
    }
    printf("%-40s %14" PRIu64 " of %" PRIu64 " kinds, the rarest %s\n", "faults_begun", begun, kinds, rarest);
    printf("%-40s %14" PRIu64 " of %u different pairs\n", "faults_that_met", met, different);
    for (uint32_t i = 0; i < row_count && each; i++) {
        if (begins(&rows[i], "pair.")) {
            printf("  %-38s %14" PRIu64 "\n", rows[i].name + 5, rows[i].value);
        }
    }
}

void count_print(bool all, bool pairs)
{
    uint64_t seconds = value_of("simulated_seconds"), used_ms = value_of("processor_ms");
    for (uint32_t i = 0; i < row_count; i++) {
        if (!begins(&rows[i], "cell.") && !begins(&rows[i], "pair.")) {
            printf("%-40s %14" PRIu64 "\n", rows[i].name, rows[i].value);
        }
    }
    for (uint32_t i = 0; i < row_count; i++) {
        if (begins(&rows[i], "cell.") && is_first_of_table(i)) {
            print_table(i, all);
        }
    }
    print_pairs(pairs);
    printf("%-40s %14.2f\n", "simulated_days", (double)seconds / 86400);
    if (used_ms != 0) {
        printf("%-40s %14.0f\n", "times_faster_than_life", (double)seconds * 1000 / (double)used_ms);
    }
}

/* ------------------------------------------------------------------ the file of totals */

static void add_line(const char *line)
{
    char name[NAME_BYTES];
    uint64_t value;
    if (sscanf(line, "%63s %" SCNu64, name, &value) == 2) {
        count_add(name, value);
        struct row *row = row_of(name);
        row->saved = begins(row, "most_") ? 0 : row->saved + value;
    }
}

bool count_load(const char *path)
{
    char line[256];
    FILE *in = fopen(path, "r");
    if (in == NULL) {
        return false;
    }
    while (fgets(line, sizeof line, in) != NULL) {
        add_line(line);
    }
    fclose(in);
    return true;
}

/* The file holds sums: what others added since is read before what is new here is written. */
bool count_save(const char *path)
{
    static struct row mine[ROWS_MAX];
    uint32_t mine_count = row_count;
    char fresh[512], lock[512];
    snprintf(fresh, sizeof fresh, "%s.new", path);
    snprintf(lock, sizeof lock, "%s.lock", path);
    int fd = open(lock, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0 || flock(fd, LOCK_EX) != 0) {
        return false;
    }
    memcpy(mine, rows, sizeof mine);
    for (uint32_t i = 0; i < row_count; i++) {
        rows[i].value -= begins(&rows[i], "most_") ? 0 : rows[i].saved;
        rows[i].saved = 0;
    }
    (void)count_load(path);
    FILE *out = fopen(fresh, "w");
    bool good = out != NULL;
    for (uint32_t i = 0; i < row_count && good; i++) {
        good = fprintf(out, "%s %" PRIu64 "\n", rows[i].name, rows[i].value) > 0;
    }
    good = out != NULL && fclose(out) == 0 && good && rename(fresh, path) == 0;
    for (uint32_t i = 0; i < row_count; i++) { /* this run's own counts again */
        rows[i].value = i < mine_count ? mine[i].value : 0;
        rows[i].saved = !good ? (i < mine_count ? mine[i].saved : 0) : rows[i].value;
    }
    close(fd);
    return good;
}
