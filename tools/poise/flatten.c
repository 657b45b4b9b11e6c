/* flatten: cancel all and unwind, whether the engine lives or not.
 *
 * Where an engine listens it is told, and watched until it is done.  Where none does, one is started that
 * recovers what is held, shows no quotes, unwinds and leaves: the very code that trades, with its limits. */
#include "ring/counters.h"
#include "ring/reason.h"
#include "tools/poise/commands.h"
#include "tools/poise/run.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { ANSWER_MS = 10000, WATCH_SECONDS = 120, LOOK_MS = 100 };

static int usage(FILE *out, int code)
{
    fprintf(
        out,
        "usage: poise flatten FILE [--instance NAME] [--set key=value]... [--live]\n"
        "Cancels every order of ours and unwinds what the instances hold, within their price bands: the\n"
        "quoted leg first, hedged as it shrinks.  A running engine is told and watched (and goes on, flat,\n"
        "until it is resumed or stopped); without one the journal and the venues say what is held.\n"
        "Positions that belong to no instance are not touched.\n"
        "exit codes: 0 flat, 1 something is still held, 2 bad arguments or configuration, 3 unfit host or\n"
        "missing service, 4 recovery refused\n"
        "example: poise flatten config/poise.toml --instance btc\n");
    return code;
}

static int64_t figure(const struct counters *page, const char *instance, const char *what)
{
    char name[2 * COUNTER_NAME_BYTES];
    snprintf(name, sizeof name, "i.%s.%s", instance, what);
    return counters_find(page, name, -1);
}

/* What the page says of the instances that were meant; true when each of them is flat. */
static bool all_flat(const struct counters *page, const struct config *config, const char *only, char *line,
                     size_t line_bytes)
{
    bool flat = true;
    size_t used = 0;
    line[0] = 0;
    for (uint32_t i = 0; i < config->quote_count; i++) {
        const char *name = config->quote[i].params.name;
        if (only[0] != 0 && strcmp(only, name) != 0) {
            continue;
        }
        int64_t state = figure(page, name, "state");
        flat = flat && state == INSTANCE_FLAT;
        if (used < line_bytes) {
            used += (size_t)snprintf(line + used, line_bytes - used,
                                     "%s%s: quoted leg %lld, hedge leg %lld units", used == 0 ? "" : "; ",
                                     name, (long long)figure(page, name, "quote_qty"),
                                     (long long)figure(page, name, "hedge_qty"));
        }
    }
    return flat;
}

static int watch(const struct config *config, const char *only)
{
    char path[CONFIG_PATH_BYTES + 16], line[512];
    snprintf(path, sizeof path, "%s/counters", config->shared_dir);
    struct counters *page = counters_open(path);
    if (page == NULL) {
        fprintf(stderr, "poise flatten: the engine has the command, but %s cannot be read\n", path);
        return EXIT_NO;
    }
    bool flat = false, left = false;
    for (int look = 0; look < WATCH_SECONDS * 1000 / LOOK_MS && !flat && !left; look++) {
        struct timespec pause = { 0, LOOK_MS * 1000000L };
        nanosleep(&pause, NULL);
        flat = all_flat(page, config, only, line, sizeof line);
        left = counters_find(page, "engine.stopped", 0) != 0;
        if (look % 10 == 0 || flat) {
            fprintf(stderr, "poise flatten: %s\n", line);
        }
    }
    counters_close(page);
    fprintf(stderr, "poise flatten: %s\n",
            flat   ? "flat; the engine goes on without quotes until it is resumed or stopped"
            : left ? "the engine left before it was flat: call again"
                   : "not flat yet; the engine goes on unwinding: see poise monitor");
    return flat ? EXIT_DONE : EXIT_NO;
}

int flatten_main(int argc, char **argv)
{
    static struct config config;
    struct run_wishes wishes = { .flatten = true, .instance = "" };
    const char *override[RUN_OVERRIDES_MAX + 2] = { NULL }, *path = NULL;
    size_t count = 0;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--set") == 0 && i + 1 < argc && count < RUN_OVERRIDES_MAX) {
            override[count++] = argv[++i];
        } else if (strcmp(argv[i], "--live") == 0 && count < RUN_OVERRIDES_MAX) {
            override[count++] = "--live";
        } else if (strcmp(argv[i], "--instance") == 0 && i + 1 < argc) {
            wishes.instance = argv[++i];
        } else if (argv[i][0] != '-' && path == NULL) {
            path = argv[i];
        } else {
            bool help = strcmp(argv[i], "--help") == 0;
            return usage(help ? stdout : stderr, help ? EXIT_DONE : EXIT_USAGE);
        }
    }
    if (path == NULL) {
        return usage(stderr, EXIT_USAGE);
    }
    if (!config_load(&config, path, override)) {
        for (uint32_t i = 0; i < config.fault_count && i < CONFIG_FAULTS_MAX; i++) {
            fprintf(stderr, "%s\n", config.fault[i].text);
        }
        fprintf(stderr, "poise flatten: nothing was touched\n");
        return EXIT_USAGE;
    }
    char reply[CONTROL_REPLY_BYTES];
    int code;
    switch (control_ask(config.shared_dir, COMMAND_FLATTEN, wishes.instance, ANSWER_MS, reply)) {
    case CONTROL_TAKEN:
        fprintf(stderr, "poise flatten: the running engine unwinds\n");
        code = watch(&config, wishes.instance);
        break;
    case CONTROL_REFUSED:
        fprintf(stderr, "poise flatten: the running engine refuses: %s\n", reply + 4);
        code = EXIT_NO;
        break;
    case CONTROL_SILENT:
        fprintf(stderr, "poise flatten: an engine listens in %s and does not answer; nothing else was done\n",
                config.shared_dir);
        code = EXIT_UNFIT;
        break;
    default:
        fprintf(stderr, "poise flatten: no engine listens in %s: one is started that only unwinds\n",
                config.shared_dir);
        code = run_process(path, override, &wishes);
        break;
    }
    config_free(&config);
    return code;
}
