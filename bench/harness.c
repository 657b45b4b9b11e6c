/* The main of poise-bench: arguments, circumstances, turns, figures. */
#include "bench/harness.h"

#include <errno.h>
#include <fnmatch.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#define CASE_MAX     256
#define BURSTS       15
#define SMOKE_BURSTS 2
#define SAMPLES_MAX  200000
/* Between bursts, so that what waited for these processors gets them. */
#define REST_NS (3 * 1000 * 1000)

enum { FIGURE_P50, FIGURE_P90, FIGURE_P99, FIGURE_P999, FIGURE_COUNT };

struct result {
    const struct bench_case *row;
    bool wanted;   /* asked for, or somebody asked for is judged by it */
    bool present;  /* setup answered true */
    bool differed; /* a burst computed something else than the first */
    uint64_t n;
    double min, max;
    double burst[FIGURE_COUNT][BURSTS];
    double figure[FIGURE_COUNT];
    uint64_t check;
    char reason[BENCH_REASON_BYTES];
};

struct bench {
    bool smoke;
    bool fifo;  /* allowed */
    int first;  /* processor of the main thread */
    int second; /* of bench_second's; -1 when there is only one */
    pthread_t thread;
    struct result *running;
    uint32_t result_count;
    struct result result[CASE_MAX];
};

static const char *build_id = POISE_BUILD_ID;
static const char *build_flags = POISE_BUILD_FLAGS;

bool bench_absent(struct bench *bench, const char *reason)
{
    snprintf(bench->running->reason, sizeof bench->running->reason, "%s", reason);
    return false;
}

bool bench_smoke(const struct bench *bench)
{
    return bench->smoke;
}

static void pin(int processor)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(processor, &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        fprintf(stderr, "poise-bench: processor %d: %s\n", processor, strerror(errno));
    }
}

static bool hurry(bool on)
{
    struct sched_param param = { .sched_priority = on ? 20 : 0 };
    return sched_setscheduler(0, on ? SCHED_FIFO : SCHED_OTHER, &param) == 0;
}

void bench_second_place(struct bench *bench, pthread_attr_t *attributes)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(bench->second, &set);
    pthread_attr_init(attributes);
    pthread_attr_setaffinity_np(attributes, sizeof set, &set);
}

void bench_second(struct bench *bench, void *(*function)(void *), void *context)
{
    /* Created where it will run: a thread that begins elsewhere would be measured moving. */
    pthread_attr_t attributes;
    bench_second_place(bench, &attributes);
    if (pthread_create(&bench->thread, &attributes, function, context) != 0) {
        perror("poise-bench: second thread");
        exit(3);
    }
    pthread_attr_destroy(&attributes);
}

void bench_join(struct bench *bench)
{
    pthread_join(bench->thread, NULL);
}

/* ------------------------------------------------------------------ figures */

static int by_size_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int by_size_double(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Spans are turned by the millisecond's worth, so that a fraction of a nanosecond is not lost. */
static double ns_of(uint64_t ticks, uint32_t operations)
{
    static double ns_per_tick;
    if (ns_per_tick == 0) {
        ns_per_tick = (double)clock_ticks_ns(1ULL << 40) / (double)(1ULL << 40);
    }
    return (double)ticks * ns_per_tick / operations;
}

static void take_burst(struct bench *bench, struct result *result, uint32_t burst, uint64_t *ticks)
{
    const struct bench_case *row = result->row;
    uint32_t measured = bench->smoke ? row->burst_samples / 100 : row->burst_samples;
    measured = measured < 20 ? 20 : measured;
    measured = measured > SAMPLES_MAX ? SAMPLES_MAX : measured;
    uint32_t warming = measured / 10;

    bench->running = result;
    if (bench->fifo) {
        hurry(true);
    }
    uint64_t check = row->burst(bench, ticks, warming + measured);
    if (bench->fifo) {
        hurry(false);
    }

    result->differed |= burst > 0 && check != result->check;
    result->check = burst == 0 ? check : result->check;

    ticks += warming;
    qsort(ticks, measured, sizeof *ticks, by_size_u64);
    double min = ns_of(ticks[0], row->operations);
    double max = ns_of(ticks[measured - 1], row->operations);
    result->min = result->n == 0 || min < result->min ? min : result->min;
    result->max = result->n == 0 || max > result->max ? max : result->max;
    result->n += measured;
    static const double quantile[FIGURE_COUNT] = { 0.5, 0.9, 0.99, 0.999 };
    for (int f = 0; f < FIGURE_COUNT; f++) {
        uint32_t at = (uint32_t)ceil(quantile[f] * measured);
        result->burst[f][burst] = ns_of(ticks[at == 0 ? 0 : at - 1], row->operations);
    }
    nanosleep(&(struct timespec){ .tv_nsec = REST_NS }, NULL);
}

static void run_group(struct bench *bench, const char *group, uint64_t *ticks)
{
    uint32_t bursts = bench->smoke ? SMOKE_BURSTS : BURSTS;

    for (uint32_t i = 0; i < bench->result_count; i++) {
        struct result *result = &bench->result[i];
        if (!result->wanted || strcmp(result->row->group, group) != 0) {
            continue;
        }
        bench->running = result;
        if (result->row->processors > 1 && bench->second < 0) {
            bench_absent(bench, "needs two processors");
        } else {
            result->present = result->row->setup == NULL || result->row->setup(bench);
        }
    }
    for (uint32_t burst = 0; burst < bursts; burst++) {
        for (uint32_t i = 0; i < bench->result_count; i++) {
            struct result *result = &bench->result[i];
            if (result->present && strcmp(result->row->group, group) == 0) {
                take_burst(bench, result, burst, ticks);
            }
        }
    }
    for (uint32_t i = 0; i < bench->result_count; i++) {
        struct result *result = &bench->result[i];
        if (!result->present || strcmp(result->row->group, group) != 0) {
            continue;
        }
        for (int f = 0; f < FIGURE_COUNT; f++) {
            qsort(result->burst[f], bursts, sizeof(double), by_size_double);
            result->figure[f] = result->burst[f][bursts / 2];
        }
        if (result->row->teardown != NULL) {
            result->row->teardown();
        }
    }
}

/* ------------------------------------------------------------------ what is printed */

static void placement(const struct bench *bench, const struct bench_case *row, char *out, size_t bytes)
{
    if (row->processors > 1) {
        snprintf(out, bytes, "cpu%d+cpu%d", bench->first, bench->second);
    } else {
        snprintf(out, bytes, "cpu%d", bench->first);
    }
}

static void first_line(const char *path, const char *prefix, char *out, size_t bytes)
{
    FILE *file = fopen(path, "re");
    char line[256];
    snprintf(out, bytes, "unknown");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, prefix, strlen(prefix)) != 0) {
            continue;
        }
        const char *from = line + strlen(prefix);
        from += strspn(from, "\t :");
        size_t length = strcspn(from, "\n");
        snprintf(out, bytes, "%.*s", (int)length, length == 0 ? "none" : from);
        if (length == 0) {
            snprintf(out, bytes, "none");
        }
        break;
    }
    if (file != NULL) {
        fclose(file);
    }
}

/* Some counters are read finely and step coarsely: what all differences are a multiple of. */
static uint64_t clock_step(void)
{
    uint64_t step = 0;
    uint64_t last = clock_ticks();
    for (int i = 0; i < 10000; i++) {
        uint64_t now = clock_ticks();
        for (uint64_t rest = now - last; rest != 0;) {
            uint64_t next = step % rest;
            step = rest;
            rest = next;
        }
        last = now;
    }
    return step;
}

static void print_circumstances(const struct bench *bench, bool invariant)
{
    char path[96], model[128], isolated[64], source[64], governor[64], load[64];
    struct utsname kernel;
    uname(&kernel);
    first_line("/proc/cpuinfo", "model name", model, sizeof model);
    first_line("/sys/devices/system/cpu/isolated", "", isolated, sizeof isolated);
    first_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", "", source, sizeof source);
    first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "", governor, sizeof governor);
    first_line("/proc/loadavg", "", load, sizeof load);

    double read_cost[64];
    for (int i = 0; i < 64; i++) {
        uint64_t from = clock_ticks();
        for (int k = 0; k < 64; k++) {
            clock_ticks();
        }
        read_cost[i] = ns_of(clock_ticks() - from, 65);
    }
    qsort(read_cost, 64, sizeof *read_cost, by_size_double);

    printf("# version    %s\n", build_id);
    printf("# compiler   %s\n", __VERSION__);
    printf("# flags      %s\n", build_flags);
    for (size_t i = 0; bench_circumstances[i] != NULL; i++) {
        printf("# library    %s\n", bench_circumstances[i]());
    }
    printf("# kernel     %s\n", kernel.release);
    printf("# processors %ld, %s; isolated %s; governor %s; load %s\n", sysconf(_SC_NPROCESSORS_ONLN), model,
           isolated, governor, load);
    char siblings[64];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", bench->first);
    first_line(path, "", siblings, sizeof siblings);

    printf("# placement  one thread on cpu%d; two on cpu%d and cpu%d; hardware threads of cpu%d's core: %s\n",
           bench->first, bench->first, bench->second, bench->first, siblings);
    printf("# scheduler  %s\n",
           bench->fifo ? "SCHED_FIFO inside bursts" : "SCHED_OTHER (SCHED_FIFO refused)");
    printf("# clock      %s, steps of %.1f ns, %.1f ns a reading (inside every sample); system clock %s\n",
           invariant ? "invariant counter by rdtscp" : "CLOCK_MONOTONIC", ns_of(clock_step(), 1),
           read_cost[32], source);
    printf("# method     %d bursts a case, interleaved within a group, a tenth warming up; figures in ns are "
           "medians over bursts, min and max over all\n",
           bench->smoke ? SMOKE_BURSTS : BURSTS);
    if (bench->smoke) {
        printf("# smoke      tiny counts: proves that everything runs, not how fast\n");
    }
    printf("#\n%-28s %-10s %9s %10s %10s %10s %10s %10s %11s  %s\n", "case", "placement", "n", "min", "p50",
           "p90", "p99", "p99.9", "max", "check");
}

static void print_group(const struct bench *bench, const char *group)
{
    for (uint32_t i = 0; i < bench->result_count; i++) {
        const struct result *result = &bench->result[i];
        if (!result->wanted || strcmp(result->row->group, group) != 0) {
            continue;
        }
        if (!result->present) {
            printf("# absent     %s: %s\n", result->row->name, result->reason);
            continue;
        }
        char where[24];
        placement(bench, result->row, where, sizeof where);
        printf("%-28s %-10s %9llu %10.1f %10.1f %10.1f %10.1f %10.1f %11.1f  %016llx%s\n", result->row->name,
               where, (unsigned long long)result->n, result->min, result->figure[FIGURE_P50],
               result->figure[FIGURE_P90], result->figure[FIGURE_P99], result->figure[FIGURE_P999],
               result->max, (unsigned long long)result->check, result->differed ? " DIFFERED" : "");
    }
    fflush(stdout);
}

static const struct result *result_named(const struct bench *bench, const char *name)
{
    for (uint32_t i = 0; i < bench->result_count; i++) {
        if (strcmp(bench->result[i].row->name, name) == 0) {
            return &bench->result[i];
        }
    }
    return NULL;
}

/* The i-th thing a case is divided by, or NULL when it did not run. */
static const struct result *against(const struct bench *bench, const struct result *result, int i)
{
    if (!result->present || result->row->against[i] == NULL) {
        return NULL;
    }
    const struct result *other = result_named(bench, result->row->against[i]);
    return other != NULL && other->present ? other : NULL;
}

static void print_ratios(const struct bench *bench)
{
    printf("#\n# ratios: the case's figure divided by the other's, same run; below 1 is faster\n");
    printf("%-28s %-28s %8s %8s\n", "ratio", "to", "p50", "p99");
    for (uint32_t i = 0; i < bench->result_count; i++) {
        const struct result *result = &bench->result[i];
        for (int k = 0; k < BENCH_AGAINST_MAX; k++) {
            const struct result *other = against(bench, result, k);
            if (other != NULL) {
                printf("%-28s %-28s %8.2f %8.2f\n", result->row->name, other->row->name,
                       result->figure[FIGURE_P50] / other->figure[FIGURE_P50],
                       result->figure[FIGURE_P99] / other->figure[FIGURE_P99]);
            }
        }
    }
}

static bool write_json(const struct bench *bench, const char *path)
{
    FILE *file = fopen(path, "we");
    if (file == NULL) {
        fprintf(stderr, "poise-bench: %s: %s\n", path, strerror(errno));
        return false;
    }
    const char *comma = "";
    fprintf(file, "[");
    for (uint32_t i = 0; i < bench->result_count; i++) {
        const struct result *result = &bench->result[i];
        if (!result->present) {
            continue;
        }
        char where[24];
        placement(bench, result->row, where, sizeof where);
        fprintf(file,
                "%s\n {\"case\":\"%s\",\"placement\":\"%s\",\"n\":%llu,\"min\":%.3f,\"p50\":%.3f,"
                "\"p90\":%.3f,\"p99\":%.3f,\"p99.9\":%.3f,\"max\":%.3f,\"check\":\"%016llx\",\"smoke\":%s,"
                "\"version\":\"%s\",\"scheduler\":\"%s\",\"ratios\":{",
                comma, result->row->name, where, (unsigned long long)result->n, result->min,
                result->figure[FIGURE_P50], result->figure[FIGURE_P90], result->figure[FIGURE_P99],
                result->figure[FIGURE_P999], result->max, (unsigned long long)result->check,
                bench->smoke ? "true" : "false", build_id, bench->fifo ? "fifo" : "other");
        const char *inner = "";
        for (int k = 0; k < BENCH_AGAINST_MAX; k++) {
            const struct result *other = against(bench, result, k);
            if (other != NULL) {
                fprintf(file, "%s\"%s\":{\"p50\":%.3f,\"p99\":%.3f}", inner, other->row->name,
                        result->figure[FIGURE_P50] / other->figure[FIGURE_P50],
                        result->figure[FIGURE_P99] / other->figure[FIGURE_P99]);
                inner = ",";
            }
        }
        fprintf(file, "}}");
        comma = ",";
    }
    fprintf(file, "\n]\n");
    return fclose(file) == 0;
}

/* ------------------------------------------------------------------ start */

static void choose_processors(struct bench *bench, const char *asked)
{
    if (asked != NULL) {
        char *end = NULL;
        bench->first = (int)strtol(asked, &end, 10);
        bench->second = *end == ',' ? (int)strtol(end + 1, NULL, 10) : -1;
        return;
    }
    /* The first processor serves the machine: the main thread takes the last one. */
    cpu_set_t allowed;
    CPU_ZERO(&allowed);
    sched_getaffinity(0, sizeof allowed, &allowed);
    bench->first = bench->second = -1;
    for (int i = CPU_SETSIZE - 1; i >= 0; i--) {
        if (!CPU_ISSET(i, &allowed)) {
            continue;
        }
        if (bench->first < 0) {
            bench->first = i;
        } else {
            bench->second = i;
            break;
        }
    }
}

static void add_cases(struct bench *bench, const char *glob)
{
    for (size_t t = 0; bench_table_at(t) != NULL; t++) {
        for (size_t i = 0; i < bench_table_at(t)->count; i++) {
            POISE_ASSERT(bench->result_count < CASE_MAX);
            struct result *result = &bench->result[bench->result_count++];
            result->row = &bench_table_at(t)->rows[i];
            result->wanted = fnmatch(glob, result->row->name, 0) == 0;
        }
    }
    /* What somebody is judged by runs with it. */
    for (uint32_t i = 0; i < bench->result_count; i++) {
        for (int k = 0; bench->result[i].wanted && k < BENCH_AGAINST_MAX; k++) {
            const char *name = bench->result[i].row->against[k];
            const struct result *other = name == NULL ? NULL : result_named(bench, name);
            POISE_ASSERT(name == NULL || other != NULL);
            if (other != NULL) {
                bench->result[other - bench->result].wanted = true;
            }
        }
    }
}

static void usage(void)
{
    fprintf(stderr,
            "usage: poise-bench [--case GLOB] [--json FILE] [--smoke] [--cpus MAIN[,SECOND]] [--list]\n"
            "  --case GLOB  only the cases whose name matches, and what they are divided by\n"
            "  --json FILE  the same figures as an array of objects\n"
            "  --smoke      everything once, with tiny counts\n"
            "  --cpus       processors to use (default: the last two this process may use)\n"
            "example: poise-bench --case 'ring.*'\n");
}

int main(int argc, char **argv)
{
    static struct bench bench;
    const char *glob = "*";
    const char *json = NULL;
    const char *processors = NULL;
    bool list = false;

    for (int i = 1; i < argc; i++) {
        bool more = i + 1 < argc;
        if (strcmp(argv[i], "--case") == 0 && more) {
            glob = argv[++i];
        } else if (strcmp(argv[i], "--json") == 0 && more) {
            json = argv[++i];
        } else if (strcmp(argv[i], "--cpus") == 0 && more) {
            processors = argv[++i];
        } else if (strcmp(argv[i], "--smoke") == 0) {
            bench.smoke = true;
        } else if (strcmp(argv[i], "--list") == 0) {
            list = true;
        } else {
            usage();
            return strcmp(argv[i], "--help") == 0 ? 0 : 2;
        }
    }

    add_cases(&bench, glob);
    bool any = false;
    for (uint32_t i = 0; i < bench.result_count; i++) {
        any |= bench.result[i].wanted;
        if (list && bench.result[i].wanted) {
            printf("%s\n", bench.result[i].row->name);
        }
    }
    if (!any) {
        fprintf(stderr, "poise-bench: no case matches '%s' (see --list)\n", glob);
        return 2;
    }
    if (list) {
        return 0;
    }

    /* Refused locking costs a page fault now and then: the tail shows it. */
    mlockall(MCL_CURRENT | MCL_FUTURE);
    choose_processors(&bench, processors);
    pin(bench.first);
    bool invariant = clock_calibrate();
    bench.fifo = hurry(true);
    hurry(false);
    uint64_t *ticks = malloc(sizeof *ticks * (SAMPLES_MAX + SAMPLES_MAX / 10 + 64));
    POISE_ASSERT(ticks != NULL);
    memset(ticks, 0, sizeof *ticks * (SAMPLES_MAX + SAMPLES_MAX / 10 + 64));
    print_circumstances(&bench, invariant);

    bool differed = false;
    for (uint32_t i = 0; i < bench.result_count; i++) {
        const char *group = bench.result[i].row->group;
        bool seen = !bench.result[i].wanted;
        for (uint32_t k = 0; k < i; k++) {
            seen |= bench.result[k].wanted && strcmp(bench.result[k].row->group, group) == 0;
        }
        if (!seen) {
            run_group(&bench, group, ticks);
            print_group(&bench, group);
        }
        differed |= bench.result[i].differed;
    }
    for (uint32_t i = 0; i < bench.result_count; i++) {
        differed |= bench.result[i].differed;
    }
    print_ratios(&bench);
    bool written = json == NULL || write_json(&bench, json);
    free(ticks);
    if (differed) {
        fprintf(stderr, "poise-bench: a case computed different results in different bursts\n");
    }
    return written ? (differed ? 1 : 0) : 3;
}
