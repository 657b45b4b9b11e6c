/* monitor: one screen of a running engine, read from its counters page without disturbing it.
 *
 * On a terminal the screen is updated in place; otherwise plain lines.  --json prints one object a look. */
#include "ring/clock.h"
#include "ring/counters.h"
#include "ring/decimal.h"
#include "ring/names.h"
#include "tools/poise/commands.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t leaving;

static void on_signal(int number)
{
    (void)number;
    leaving = 1;
}

static int64_t figure(const struct counters *page, const char *prefix, const char *what)
{
    char name[2 * COUNTER_NAME_BYTES];
    snprintf(name, sizeof name, "%s.%s", prefix, what);
    return counters_find(page, name, 0);
}

static const char *amount(char *out, int64_t value, int decimals)
{
    decimal_print(out, value, decimals);
    return out;
}

/* The distinct "prefix.which" of names that end in ".what", in order of registration. */
static uint32_t subjects(const struct counters *page, const char *start, const char *what,
                         char out[][COUNTER_NAME_BYTES], uint32_t max)
{
    uint32_t found = 0;
    size_t tail = strlen(what);
    for (uint32_t i = 0; i < counters_count(page) && found < max; i++) {
        const char *name = counters_name(page, i);
        size_t bytes = strlen(name);
        if (strncmp(name, start, strlen(start)) == 0 && bytes > tail + 1 &&
            strcmp(name + bytes - tail, what) == 0 && name[bytes - tail - 1] == '.') {
            snprintf(out[found++], COUNTER_NAME_BYTES, "%.*s", (int)(bytes - tail - 1), name);
        }
    }
    return found;
}

enum { SUBJECTS = 64 };

static void show_markets(const struct counters *page, FILE *out)
{
    static char name[SUBJECTS][COUNTER_NAME_BYTES];
    uint32_t count = subjects(page, "m.", "feed", name, SUBJECTS);
    fprintf(out, "%-34s %-8s %14s %14s %14s %14s\n", "instrument", "feed", "bid qty", "bid", "ask",
            "ask qty");
    for (uint32_t i = 0; i < count; i++) {
        int price = (int)figure(page, name[i], "price_decimals");
        int qty = (int)figure(page, name[i], "qty_decimals");
        char text[4][DECIMAL_TEXT_BYTES];
        fprintf(out, "%-34s %-8s %14s %14s %14s %14s\n", name[i] + 2,
                NAME_OF(feed_state_names, figure(page, name[i], "feed")),
                amount(text[0], figure(page, name[i], "bid_qty"), qty),
                amount(text[1], figure(page, name[i], "bid"), price),
                amount(text[2], figure(page, name[i], "ask"), price),
                amount(text[3], figure(page, name[i], "ask_qty"), qty));
    }
}

static void show_instances(const struct counters *page, FILE *out)
{
    static char name[SUBJECTS][COUNTER_NAME_BYTES];
    uint32_t count = subjects(page, "i.", "state", name, SUBJECTS);
    static const char *const part[] = { "trading",  "basis",    "funding", "fee",
                                        "slippage", "residual", "rounding" };
    for (uint32_t i = 0; i < count; i++) {
        int price = (int)figure(page, name[i], "price_decimals");
        int quote = (int)figure(page, name[i], "quote_decimals");
        int hedge = (int)figure(page, name[i], "hedge_decimals");
        char text[6][DECIMAL_TEXT_BYTES];
        int64_t pull = figure(page, name[i], "pull");
        fprintf(out, "\n%s  %s%s%s  fills %lld  hedges %lld  requotes %lld\n", name[i] + 2,
                NAME_OF(instance_state_names, figure(page, name[i], "state")),
                pull != PULL_NONE ? ", no quotes: " : "",
                pull != PULL_NONE ? reason_pull_name((uint32_t)pull) : "",
                (long long)figure(page, name[i], "fills"), (long long)figure(page, name[i], "hedges"),
                (long long)figure(page, name[i], "requotes"));
        fprintf(out, "  our quotes  %s x %s | %s x %s\n",
                amount(text[0], figure(page, name[i], "bid_qty"), quote),
                amount(text[1], figure(page, name[i], "bid"), price),
                amount(text[2], figure(page, name[i], "ask"), price),
                amount(text[3], figure(page, name[i], "ask_qty"), quote));
        fprintf(out, "  position    quoted %s  hedge %s  delta %s coin\n",
                amount(text[0], figure(page, name[i], "quote_qty"), quote),
                amount(text[1], figure(page, name[i], "hedge_qty"), hedge),
                amount(text[2], figure(page, name[i], "delta_e8"), 8));
        fprintf(out, "  naked       now %.3f ms  most %.3f ms   fair offset %.2f bp\n",
                (double)figure(page, name[i], "naked_ns") / 1e6,
                (double)figure(page, name[i], "max_naked_ns") / 1e6,
                (double)figure(page, name[i], "fair_centibp") / 100);
        fprintf(out, "  P&L");
        int64_t total = 0;
        for (size_t p = 0; p < POISE_COUNT_OF(part); p++) {
            char what[32];
            snprintf(what, sizeof what, "pnl_%s_e8", part[p]);
            int64_t value = figure(page, name[i], what);
            total += value;
            fprintf(out, "  %s %s", part[p], amount(text[0], value / 10000, 4));
        }
        fprintf(out, "  total %s\n", amount(text[0], total / 10000, 4));
    }
}

static void show_roles(const struct counters *page, FILE *out)
{
    static char name[SUBJECTS][COUNTER_NAME_BYTES];
    static int64_t last_busy[SUBJECTS];
    static uint64_t last_ns;
    uint64_t now_ns = clock_now_ns();
    uint32_t count = subjects(page, "", "busy_ns", name, SUBJECTS);
    fprintf(out, "\n");
    for (uint32_t i = 0; i < count; i++) {
        int64_t busy = figure(page, name[i], "busy_ns");
        double share = last_ns == 0 ? 0 : 100.0 * (double)(busy - last_busy[i]) / (double)(now_ns - last_ns);
        last_busy[i] = busy;
        fprintf(out, "%-12s busy %5.1f %%  turns %lld\n", name[i], share,
                (long long)figure(page, name[i], "turns"));
    }
    last_ns = now_ns;
    fprintf(out, "journal ring free %lld slots, disk behind %lld slots\n",
            (long long)counters_find(page, "strategy.journal_free_slots", 0),
            (long long)counters_find(page, "cold.journal_lag_slots", 0));
    count = subjects(page, "a.", "state", name, SUBJECTS);
    for (uint32_t i = 0; i < count; i++) {
        fprintf(out, "account %-20s %s\n", name[i] + 2,
                NAME_OF(gateway_state_names, figure(page, name[i], "state")));
    }
    for (uint32_t i = 0; i < counters_histogram_count(page); i++) {
        const struct histogram *h = counters_histogram(page, i);
        if (h->count != 0) {
            fprintf(out, "%-28s n %-9llu p50 %9.1f us  p99 %9.1f us\n", h->name, (unsigned long long)h->count,
                    (double)histogram_quantile(h, 500000) / 1e3, (double)histogram_quantile(h, 990000) / 1e3);
        }
    }
}

static void show_json(const struct counters *page, FILE *out)
{
    fprintf(out, "{\"now_ns\":%llu", (unsigned long long)clock_now_ns());
    for (uint32_t i = 0; i < counters_count(page); i++) {
        fprintf(out, ",\"%s\":%lld", counters_name(page, i), (long long)counters_value(page, i));
    }
    for (uint32_t i = 0; i < counters_histogram_count(page); i++) {
        const struct histogram *h = counters_histogram(page, i);
        fprintf(out, ",\"%s.n\":%llu,\"%s.p50\":%llu,\"%s.p99\":%llu", h->name, (unsigned long long)h->count,
                h->name, (unsigned long long)histogram_quantile(h, 500000), h->name,
                (unsigned long long)histogram_quantile(h, 990000));
    }
    fprintf(out, "}\n");
}

int monitor_main(int argc, char **argv)
{
    const char *folder = NULL;
    bool json = false, once = false, plain = !isatty(STDOUT_FILENO);
    long interval_ms = 500;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            json = true;
        } else if (strcmp(argv[i], "--once") == 0) {
            once = true;
        } else if (strcmp(argv[i], "--plain") == 0) {
            plain = true;
        } else if (strcmp(argv[i], "--every-ms") == 0 && i + 1 < argc) {
            interval_ms = strtol(argv[++i], NULL, 10);
        } else if (argv[i][0] != '-' && folder == NULL) {
            folder = argv[i];
        } else {
            folder = NULL;
            break;
        }
    }
    if (folder == NULL || interval_ms < 10) {
        bool help = argc > 1 && strcmp(argv[1], "--help") == 0;
        fprintf(help ? stdout : stderr,
                "usage: poise monitor SHARED_DIR [--once] [--json] [--plain] [--every-ms N]\n"
                "SHARED_DIR is engine.shared_dir of the configuration.  Leaves when the engine does.\n"
                "example: poise monitor /dev/shm/poise-1\n");
        return help ? EXIT_DONE : EXIT_USAGE;
    }
    char path[512];
    snprintf(path, sizeof path, "%s/counters", folder);
    struct counters *page = counters_open(path);
    if (page == NULL) {
        fprintf(stderr, "poise monitor: %s: %s: is the engine running?\n", path, strerror(errno));
        return EXIT_UNFIT;
    }
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    clock_calibrate();
    while (!leaving) {
        if (json) {
            show_json(page, stdout);
        } else {
            if (!plain) {
                fputs("\033[H\033[J", stdout);
            }
            show_markets(page, stdout);
            show_instances(page, stdout);
            show_roles(page, stdout);
            if (plain) {
                fputs("\n", stdout);
            }
        }
        fflush(stdout);
        if (once || counters_find(page, "engine.stopped", 0) != 0) {
            break;
        }
        struct timespec pause = { interval_ms / 1000, (interval_ms % 1000) * 1000000 };
        nanosleep(&pause, NULL);
    }
    counters_close(page);
    return EXIT_DONE;
}
