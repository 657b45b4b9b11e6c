/* run_main: `poise run`: arguments, signals, and the machine's own clock, threads and sockets around run.c.
 */
#include "ring/clock.h"
#include "tools/poise/commands.h"
#include "tools/poise/run.h"

#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t asked_to_stop;

static void on_signal(int number)
{
    (void)number;
    asked_to_stop++;
}

static int asked(void *context)
{
    (void)context;
    return (int)asked_to_stop;
}

static void nap(void *context, uint64_t ns)
{
    (void)context;
    struct timespec pause = { (time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S) };
    nanosleep(&pause, NULL);
}

static bool start(void *context, struct engine *engine)
{
    (void)context;
    return engine_start(engine);
}

static void tell(const char *text)
{
    fprintf(stderr, "poise: %s\n", text);
}

static struct rest_curl *open_transport(struct run *run)
{
    const struct config *config = &run->engine.config;
    static struct rest_route route[VENUE_COUNT];
    for (uint32_t i = 0; i < config->venue_count; i++) {
        route[i] = (struct rest_route){ .venue = config->venue[i].venue,
                                        .connect_to = config->venue[i].connect_to,
                                        .ca_file = config->venue[i].ca_file };
    }
    struct rest_curl *curl = rest_curl_create(route, config->venue_count);
    if (curl != NULL) {
        run->transport = rest_curl_transport(curl);
    }
    return curl;
}

static void usage(FILE *out)
{
    fprintf(
        out,
        "usage: poise run FILE [--set key=value]... [--live] [--recover-only] [--accept-difference]\n"
        "                      [--accept-key]\n"
        "  --set                overrides a key of the file: quote.NAME.size=3\n"
        "  --live               needed beside mode = \"live\"\n"
        "  --recover-only       find out what is held, say it, and leave\n"
        "  --accept-difference  what a venue shows beyond our books goes to the unassigned row\n"
        "  --accept-key         an account has another key than in the last run and is the same account\n"
        "Stop with SIGTERM or ^C.  exit codes: 0 stopped with nothing resting, 1 left in haste or by alarm,\n"
        "2 bad configuration, 3 unfit host or missing service, 4 recovery refused\n"
        "example: poise run config/poise.toml\n");
}

int run_process(const char *path, const char *const *override, const struct run_wishes *wishes)
{
    static struct run run;
    struct engine *engine = &run.engine;
    run.wishes = *wishes;
    clock_calibrate();
    prctl(PR_SET_DUMPABLE, 0); /* keys are in memory */
    if (!config_load(&engine->config, path, override)) {
        run_print_faults(&engine->config);
        return EXIT_USAGE;
    }
    if (engine->config.mode != MODE_SIM && engine->config.mode != MODE_LIVE) {
        /* A paper order must never be able to reach a venue: without the model in this process nothing
         * starts. */
        tell("engine.mode: poise run trades in mode sim (against poise-sim) and live; paper and backtest "
             "need the venue model in process, which is not here yet; nothing was started");
        return EXIT_UNFIT;
    }
    if (!engine_keys(engine)) {
        tell(engine->error);
        return EXIT_USAGE;
    }
    snprintf(run.lock_directory, sizeof run.lock_directory, "%s/poise-locks",
             access("/run/lock", W_OK) == 0 ? "/run/lock" : "/tmp");
    struct rest_curl *curl = open_transport(&run);
    if (curl == NULL) {
        tell("no memory for questions to venues");
        return EXIT_UNFIT;
    }
    run.clock = rest_system_clock();
    run.host = (struct run_host){ .nap = nap, .asked = asked, .start = start };
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    signal(SIGPIPE, SIG_IGN);

    int code = run_life(&run);
    rest_curl_destroy(curl);
    config_free(&engine->config);
    return code;
}

int run_main(int argc, char **argv)
{
    struct run_wishes wishes = { 0 };
    const char *overrides[RUN_OVERRIDES_MAX + 2] = { NULL };
    size_t count = 0;
    const char *path = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--set") == 0 && i + 1 < argc && count < RUN_OVERRIDES_MAX) {
            overrides[count++] = argv[++i];
        } else if (strcmp(argv[i], "--live") == 0 && count < RUN_OVERRIDES_MAX) {
            overrides[count++] = "--live";
        } else if (strcmp(argv[i], "--recover-only") == 0) {
            wishes.recover_only = true;
        } else if (strcmp(argv[i], "--accept-difference") == 0) {
            wishes.accept_difference = true;
        } else if (strcmp(argv[i], "--accept-key") == 0) {
            wishes.accept_key = true;
        } else if (argv[i][0] != '-' && path == NULL) {
            path = argv[i];
        } else {
            bool help = strcmp(argv[i], "--help") == 0;
            usage(help ? stdout : stderr);
            return help ? EXIT_DONE : EXIT_USAGE;
        }
    }
    if (path == NULL) {
        usage(stderr);
        return EXIT_USAGE;
    }
    return run_process(path, overrides, &wishes);
}
