/* replay: a run again, through this build, with every byte that comes out compared.
 *
 * The journal's own records build the strategy and drive it; what it says must be what it said then, in the
 * same order, byte for byte.  A record that is missing makes everything behind it a guess, and the answer
 * says so instead of "identical". */
#include "cold/journal.h"
#include "hot/strategy/strategy.h"
#include "tools/poise/commands.h"
#include "tools/poise/record_print.h"

#include <inttypes.h>
#include <stdlib.h>

static const char usage_text[] =
    "usage: poise replay DIRECTORY [--run N] [--diff] [--json] [--until NUMBER] [--print NUMBER] [--shared "
    "DIRECTORY]\n\n"
    "runs a journal through this build and compares what comes out, byte for byte.\n"
    "  --diff          the journal was written by another build: compare all the same\n"
    "  --until NUMBER  stop behind this record\n"
    "  --print NUMBER  show what went in there, what came out, and the figures then\n"
    "  --shared DIR    the newest records are in the engine's ring on tmpfs\n"
    "example: poise replay state/journal\n"
    "exit codes: 0 identical, 1 different (the first difference is shown) or records missing, 2 bad "
    "arguments,\n"
    "            3 nothing to read, or another build without --diff\n";

struct replay {
    struct strategy *strategy;
    struct outbox *outbox;
    struct reduce *tables;
    uint32_t at;     /* slot of the outbox that the journal must show next */
    uint64_t number; /* of the record that made it speak */
    uint64_t in, out, missing, dropped;
    uint64_t print; /* UINT64_MAX none */
    bool json, diff, inexact, different, restored;
    bool wrong_build;
    char build[48];
};

static void show_figures(const struct replay *replay)
{
    struct strategy_view view;
    strategy_view(replay->strategy, &view);
    if (replay->json) {
        printf("{\"figures\":{\"records\":%" PRIu64 ",\"fills\":%" PRIu64 ",\"hedges\":%" PRIu64
               ",\"requotes\":%" PRIu64 ",\"refused\":%" PRIu64 ",\"live_orders\":%u,\"unknown_orders\":%u,"
               "\"delta_e8\":%" PRId64 ",\"max_naked_ns\":%" PRId64 ",\"halted\":%s,\"now_ns\":%" PRIu64
               "}}\n",
               view.records, view.fills, view.hedges, view.requotes, view.refused, view.live_orders,
               view.unknown_orders, view.delta_e8, view.max_naked_ns, view.halted ? "true" : "false",
               view.now_ns);
    } else {
        printf("figures: records %" PRIu64 " fills %" PRIu64 " hedges %" PRIu64 " requotes %" PRIu64
               " refused %" PRIu64 " live orders %u unknown %u delta_e8 %" PRId64 " max naked ns %" PRId64
               "%s\n",
               view.records, view.fills, view.hedges, view.requotes, view.refused, view.live_orders,
               view.unknown_orders, view.delta_e8, view.max_naked_ns, view.halted ? " HALTED" : "");
    }
}

static void show_difference(struct replay *replay, uint64_t number, const struct slot *was,
                            const struct slot *is)
{
    replay->different = true;
    if (replay->json) {
        printf("{\"difference\":%" PRIu64 ",\"cause\":%" PRIu64 "}\n", number, replay->number);
    } else {
        printf("different at record %" PRIu64 ", in answer to record %" PRIu64 "\n", number, replay->number);
    }
    for (int turn = 0; turn < 2; turn++) {
        const struct slot *record = turn == 0 ? was : is;
        if (!replay->json) {
            fputs(turn == 0 ? "  then: " : "  now:  ", stdout);
        }
        if (record == NULL) {
            puts(replay->json ? "null" : "nothing");
            continue;
        }
        record_print(stdout, record, number, replay->tables, replay->json);
    }
    if (was != NULL && is != NULL && record_head_of(was)->slot_count == record_head_of(is)->slot_count) {
        for (uint32_t i = 0; i < record_head_of(was)->slot_count; i++) {
            for (uint32_t byte = 0; byte < SLOT_PAYLOAD_BYTES; byte++) {
                if (was[i].payload[byte] != is[i].payload[byte]) {
                    printf(replay->json ? "{\"slot\":%u,\"byte\":%u,\"then\":%u,\"now\":%u}\n"
                                        : "  first byte: slot %u byte %u: then %02x now %02x\n",
                           i, byte, was[i].payload[byte], is[i].payload[byte]);
                    return;
                }
            }
        }
    }
}

/* Whatever the strategy said must have been seen in the journal before it consumes the next record. */
static bool outbox_is_empty(struct replay *replay, uint64_t number)
{
    if (replay->at < replay->outbox->used && !replay->inexact) {
        show_difference(replay, number, NULL, &replay->outbox->slots[replay->at]);
        return false;
    }
    return true;
}

static bool on_in(struct replay *replay, const struct slot *record, uint64_t number)
{
    if (!outbox_is_empty(replay, number)) {
        return false;
    }
    const struct record_head *head = record_head_of(record);
    if (head->type == RECORD_BEGIN) {
        const struct record_begin_run *begin = (const struct record_begin_run *)head;
        memcpy(replay->build, begin->build_id, sizeof replay->build);
        replay->build[sizeof replay->build - 1] = '\0';
        if (strcmp(replay->build, POISE_BUILD_ID) != 0 && !replay->diff) {
            replay->wrong_build = true;
            return false;
        }
    }
    reduce_record(replay->tables, record);
    replay->outbox->used = 0;
    replay->outbox->records = 0;
    replay->at = 0;
    replay->number = number;
    replay->in++;
    strategy_step(replay->strategy, record, replay->outbox);
    if (number == replay->print) {
        record_print(stdout, record, number, replay->tables, replay->json);
        for (uint32_t at = 0; at < replay->outbox->used;) {
            struct slot *said = &replay->outbox->slots[at];
            record_head_of(said)->flags |= RECORD_FLAG_OUT;
            record_print(stdout, said, number, replay->tables, replay->json);
            at += record_head_of(said)->slot_count;
        }
        show_figures(replay);
    }
    return true;
}

static bool on_out(struct replay *replay, const struct slot *record, uint64_t number)
{
    replay->out++;
    if (replay->inexact) {
        return true;
    }
    struct slot *said = replay->at < replay->outbox->used ? &replay->outbox->slots[replay->at] : NULL;
    if (said != NULL) {
        record_head_of(said)->flags |= RECORD_FLAG_OUT;
    }
    if (said == NULL || !record_same(said, record)) {
        show_difference(replay, number, record, said);
        return false;
    }
    replay->at += record_head_of(said)->slot_count;
    reduce_record(replay->tables, record);
    return true;
}

static void run(struct replay *replay, struct journal_reader *reader, uint64_t until)
{
    struct journal_item item;
    enum journal_result result;
    while ((result = journal_next(reader, &item)) != JOURNAL_END) {
        uint64_t number = item.item.number;
        switch (result) {
        case JOURNAL_HEAD:
        case JOURNAL_RECORD:
            if (number > until) {
                return;
            }
            /* A head in the middle restores positions and orders, never books or timers: not exact. */
            replay->inexact |= item.from_head;
            if (item.from_head && replay->restored) {
                break;
            }
            replay->restored |= record_head_of(item.item.record)->type == RECORD_RESTORE_DONE;
            bool out = (record_head_of(item.item.record)->flags & RECORD_FLAG_OUT) != 0;
            if (!(out ? on_out(replay, item.item.record, number) : on_in(replay, item.item.record, number))) {
                return;
            }
            break;
        case JOURNAL_GAP:
            replay->missing += item.gap_to - item.gap_from;
            replay->inexact = true;
            fprintf(stderr,
                    "poise replay: records %" PRIu64 " to %" PRIu64 " are missing: not exact from there\n",
                    item.gap_from, item.gap_to - 1);
            break;
        case JOURNAL_DROPPED:
            replay->dropped += item.gap_to - item.gap_from;
            replay->inexact = true;
            fprintf(stderr,
                    "poise replay: feed records %" PRIu64 " to %" PRIu64
                    " were dropped while the disk was stuck: not exact from there\n",
                    item.gap_from, item.gap_to - 1);
            break;
        case JOURNAL_END:
            break;
        }
    }
    /* The process may have died between what it consumed and what it said: the last answers may be absent. */
}

static bool natural_of(const char *text, uint64_t *value)
{
    char *end;
    *value = strtoull(text, &end, 0);
    return *text != '\0' && *text != '-' && *end == '\0';
}

static int tell(struct replay *replay, uint64_t run_number, uint64_t until)
{
    const char *verdict = replay->different ? "different" : replay->inexact ? "inexact" : "identical";
    if (replay->json) {
        printf("{\"run\":%" PRIu64 ",\"result\":\"%s\",\"in\":%" PRIu64 ",\"out\":%" PRIu64
               ",\"missing\":%" PRIu64 ",\"dropped\":%" PRIu64
               ",\"build_then\":\"%s\",\"build_now\":\"%s\"}\n",
               run_number, verdict, replay->in, replay->out, replay->missing, replay->dropped, replay->build,
               POISE_BUILD_ID);
    } else {
        printf("run %" PRIu64 ": %s: %" PRIu64 " records in, %" PRIu64 " out", run_number, verdict,
               replay->in, replay->out);
        if (replay->missing + replay->dropped != 0) {
            printf(", %" PRIu64 " missing, %" PRIu64 " dropped", replay->missing, replay->dropped);
        }
        if (until != UINT64_MAX) {
            printf(", until record %" PRIu64, until);
        }
        putchar('\n');
    }
    return replay->different || replay->inexact ? EXIT_NO : EXIT_DONE;
}

int replay_main(int argc, char **argv)
{
    struct journal_reader_options options = { 0 };
    struct replay replay = { .print = UINT64_MAX };
    uint64_t until = UINT64_MAX;
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        bool good = true;
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage_text, stdout);
            return EXIT_DONE;
        } else if (strcmp(argv[i], "--json") == 0) {
            replay.json = true;
        } else if (strcmp(argv[i], "--diff") == 0) {
            replay.diff = true;
        } else if (strcmp(argv[i], "--run") == 0) {
            good = natural_of(value, &options.run);
            i++;
        } else if (strcmp(argv[i], "--until") == 0) {
            good = natural_of(value, &until);
            i++;
        } else if (strcmp(argv[i], "--print") == 0) {
            good = natural_of(value, &replay.print);
            i++;
        } else if (strcmp(argv[i], "--shared") == 0) {
            options.shared_directory = value;
            good = *value != '\0';
            i++;
        } else if (argv[i][0] != '-' && options.directory == NULL) {
            options.directory = argv[i];
        } else {
            good = false;
        }
        if (!good) {
            fprintf(stderr, "poise replay: cannot use %s\n\n%s", argv[i < argc ? i : argc - 1], usage_text);
            return EXIT_USAGE;
        }
    }
    if (options.directory == NULL) {
        fputs(usage_text, stderr);
        return EXIT_USAGE;
    }
    char error[1024];
    struct journal_reader *reader = journal_reader_open(&options, error, sizeof error);
    if (reader == NULL) {
        fprintf(stderr, "poise replay: %s\n", error);
        return EXIT_UNFIT;
    }
    void *memory =
        aligned_alloc(POISE_APART, (strategy_bytes() + POISE_APART - 1) / POISE_APART * POISE_APART);
    replay.outbox =
        aligned_alloc(SLOT_BYTES, (sizeof *replay.outbox + SLOT_BYTES - 1) / SLOT_BYTES * SLOT_BYTES);
    POISE_ASSERT(memory != NULL && replay.outbox != NULL);
    memset(replay.outbox, 0, sizeof *replay.outbox);
    replay.strategy = strategy_init(memory);
    replay.tables = reduce_create();

    run(&replay, reader, until);
    int exit_code;
    if (replay.wrong_build) {
        fprintf(
            stderr,
            "poise replay: the journal was written by build %s and this is %s; nothing was compared (--diff "
            "compares all the same)\n",
            replay.build, POISE_BUILD_ID);
        exit_code = EXIT_UNFIT;
    } else {
        exit_code = tell(&replay, journal_reader_run(reader), until);
    }
    reduce_destroy(replay.tables);
    free(replay.outbox);
    free(memory);
    journal_reader_close(reader);
    return exit_code;
}
