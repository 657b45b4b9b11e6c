/* journal: the records of a run, as the strategy knew them.
 *
 * A directory is a run (the newest, or --run N), with the live ring when --shared names where it is; files
 * are read one by one.  Prices are printed in the units of the instrument table that the journal brings. */
#include "cold/journal.h"
#include "ring/order_id.h"
#include "tools/poise/commands.h"
#include "tools/poise/record_print.h"

#include <inttypes.h>
#include <stdlib.h>
#include <sys/stat.h>

struct wanted {
    bool json, all_heads;
    int type; /* -1 any */
    uint64_t order, from, count, run;
    const char *shared;
    uint64_t printed, damaged, missing, dropped;
};

static const char usage_text[] =
    "usage: poise journal DIRECTORY | FILE... [--json] [--run N] [--type NAME] [--order ID] [--from N] "
    "[--count N]\n"
    "                     [--shared DIRECTORY] [--heads]\n\n"
    "prints what the strategy consumed (->) and said (<-), one record a line.\n"
    "  --type NAME   only these: fill, order_new, clock, ...\n"
    "  --order ID    only records of this order (p000... as at the venue, or a number)\n"
    "  --from N      from record number N on; --count N at most so many\n"
    "  --shared DIR  read the rest from the engine's ring on tmpfs as well (a live engine is not disturbed)\n"
    "  --heads       also the state that later segments begin with\n"
    "example: poise journal state/journal --type fill --json\n"
    "exit codes: 0 printed, 1 records are missing or damaged, 2 bad arguments, 3 nothing to read\n";

static void consider(struct wanted *wanted, const struct slot *record, uint64_t number, bool from_head,
                     const struct reduce *tables)
{
    const struct record_head *head = record_head_of(record);
    if ((from_head && !wanted->all_heads) || number < wanted->from || wanted->printed >= wanted->count ||
        (wanted->type >= 0 && head->type != wanted->type) ||
        (wanted->order != 0 && record_order_of(record) != wanted->order)) {
        return;
    }
    record_print(stdout, record, number, tables, wanted->json);
    wanted->printed++;
}

/* Only what names things is needed to print the others. */
static void learn(struct reduce *tables, const struct slot *record)
{
    uint8_t type = record_head_of(record)->type;
    if (type >= RECORD_BEGIN && type <= RECORD_PARAMS) {
        reduce_record(tables, record);
    }
}

static int print_run(struct wanted *wanted, const char *directory)
{
    struct journal_reader_options options = { .directory = directory,
                                              .shared_directory = wanted->shared,
                                              .run = wanted->run };
    char error[1024];
    struct journal_reader *reader = journal_reader_open(&options, error, sizeof error);
    if (reader == NULL) {
        fprintf(stderr, "poise journal: %s\n", error);
        return EXIT_UNFIT;
    }
    struct reduce *tables = reduce_create();
    struct journal_item item;
    enum journal_result result;
    while (wanted->printed < wanted->count && (result = journal_next(reader, &item)) != JOURNAL_END) {
        switch (result) {
        case JOURNAL_RECORD:
        case JOURNAL_HEAD:
            learn(tables, item.item.record);
            consider(wanted, item.item.record, item.item.number, item.from_head, tables);
            break;
        case JOURNAL_GAP:
            wanted->missing += item.gap_to - item.gap_from;
            fprintf(stderr, "poise journal: records %" PRIu64 " to %" PRIu64 " are missing\n", item.gap_from,
                    item.gap_to - 1);
            break;
        case JOURNAL_DROPPED:
            wanted->dropped += item.gap_to - item.gap_from;
            fprintf(stderr,
                    "poise journal: feed records %" PRIu64 " to %" PRIu64
                    " were dropped: the disk was stuck\n",
                    item.gap_from, item.gap_to - 1);
            break;
        case JOURNAL_END:
            break;
        }
    }
    reduce_destroy(tables);
    journal_reader_close(reader);
    return wanted->missing + wanted->dropped != 0 ? EXIT_NO : EXIT_DONE;
}

static int print_file(struct wanted *wanted, const char *path)
{
    struct segment_reader reader;
    struct segment_item item;
    char error[1024];
    if (!segment_open(&reader, path, error, sizeof error)) {
        fprintf(stderr, "poise journal: %s\n", error);
        return EXIT_UNFIT;
    }
    struct reduce *tables = reduce_create();
    enum segment_result result;
    while ((result = segment_next(&reader, &item)) != SEGMENT_DONE) {
        if (result == SEGMENT_DAMAGED) {
            wanted->damaged++;
            fprintf(stderr, "poise journal: %s: damaged behind record %" PRIu64 "\n", path, reader.number);
            continue;
        }
        learn(tables, item.record);
        consider(wanted, item.record, item.number, item.origin == ORIGIN_HEAD, tables);
    }
    reduce_destroy(tables);
    segment_close(&reader);
    return wanted->damaged != 0 ? EXIT_NO : EXIT_DONE;
}

static int type_by_name(const char *name)
{
    for (int type = 1; type < 256; type++) {
        if (strcmp(record_type_name((uint8_t)type), name) == 0) {
            return type;
        }
    }
    return -1;
}

static bool natural_of(const char *text, uint64_t *value)
{
    char *end;
    *value = strtoull(text, &end, 0);
    return *text != '\0' && *text != '-' && *end == '\0';
}

int journal_main(int argc, char **argv)
{
    struct wanted wanted = { .type = -1, .count = UINT64_MAX };
    const char *paths[256];
    int path_count = 0;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        bool good = true;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage_text, stdout);
            return EXIT_DONE;
        } else if (strcmp(argv[i], "--json") == 0) {
            wanted.json = true;
        } else if (strcmp(argv[i], "--heads") == 0) {
            wanted.all_heads = true;
        } else if (strcmp(argv[i], "--type") == 0) {
            wanted.type = type_by_name(value);
            good = wanted.type >= 0;
            i++;
        } else if (strcmp(argv[i], "--order") == 0) {
            wanted.order = order_id_parse(value, strlen(value));
            good = wanted.order != 0 || (natural_of(value, &wanted.order) && wanted.order != 0);
            i++;
        } else if (strcmp(argv[i], "--from") == 0) {
            good = natural_of(value, &wanted.from);
            i++;
        } else if (strcmp(argv[i], "--count") == 0) {
            good = natural_of(value, &wanted.count);
            i++;
        } else if (strcmp(argv[i], "--run") == 0) {
            good = natural_of(value, &wanted.run);
            i++;
        } else if (strcmp(argv[i], "--shared") == 0) {
            wanted.shared = value;
            good = *value != '\0';
            i++;
        } else if (argv[i][0] != '-' && path_count < (int)POISE_COUNT_OF(paths)) {
            paths[path_count++] = argv[i];
        } else {
            good = false;
        }
        if (!good) {
            fprintf(stderr, "poise journal: cannot use %s%s%s\n\n%s", argv[i < argc ? i : argc - 1],
                    value[0] != '\0' ? " " : "", "", usage_text);
            return EXIT_USAGE;
        }
    }
    if (path_count == 0) {
        fputs(usage_text, stderr);
        return EXIT_USAGE;
    }
    int exit_code = EXIT_DONE;
    for (int i = 0; i < path_count && exit_code != EXIT_UNFIT; i++) {
        struct stat stat_of;
        bool directory = stat(paths[i], &stat_of) == 0 && S_ISDIR(stat_of.st_mode);
        int code = directory ? print_run(&wanted, paths[i]) : print_file(&wanted, paths[i]);
        exit_code = code != EXIT_DONE ? code : exit_code;
    }
    return exit_code;
}
