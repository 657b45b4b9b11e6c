/* host: is this server fit to trade on, and what to do where it is not.
 *
 * Reads /proc and /sys and asks the kernel; changes nothing.  Each line is a fact, a verdict and a remedy. */
#include "ring/base.h"
#include "tools/poise/commands.h"

#include <dirent.h>
#include <errno.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/timex.h>
#include <unistd.h>

enum verdict { FIT, TOLERABLE, UNFIT };
static const char *const verdict_names[] = { "fit", "tolerable", "unfit" };

struct finding {
    const char *what;
    enum verdict verdict;
    char fact[208];
    const char *remedy; /* printed unless FIT */
};

static bool read_line(const char *path, char *out, size_t bytes)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    bool ok = fgets(out, (int)bytes, file) != NULL;
    fclose(file);
    if (ok) {
        out[strcspn(out, "\n")] = 0;
    }
    return ok;
}

static void find_processors(struct finding *f)
{
    long count = sysconf(_SC_NPROCESSORS_ONLN);
    f->verdict = count >= 4 ? FIT : count >= 2 ? TOLERABLE : UNFIT;
    snprintf(f->fact, sizeof f->fact, "%ld online", count);
}

static void find_isolated(struct finding *f)
{
    char line[128] = "";
    bool any = read_line("/sys/devices/system/cpu/isolated", line, sizeof line) && line[0] != 0;
    f->verdict = any ? FIT : TOLERABLE;
    snprintf(f->fact, sizeof f->fact, "%s", any ? line : "none");
}

static void find_governor(struct finding *f)
{
    char line[64] = "";
    if (!read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", line, sizeof line)) {
        f->verdict = TOLERABLE;
        snprintf(f->fact, sizeof f->fact, "not readable (a virtual machine: the host decides)");
        return;
    }
    f->verdict = strcmp(line, "performance") == 0 ? FIT : UNFIT;
    snprintf(f->fact, sizeof f->fact, "%s", line);
}

static void find_huge_pages(struct finding *f)
{
    char line[64] = "0";
    read_line("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", line, sizeof line);
    long pages = strtol(line, NULL, 10);
    f->verdict = pages >= 32 ? FIT : TOLERABLE;
    snprintf(f->fact, sizeof f->fact, "%ld free pages of 2 MiB", pages);
}

static void find_memlock(struct finding *f)
{
    struct rlimit limit;
    getrlimit(RLIMIT_MEMLOCK, &limit);
    void *page = mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bool locks = page != MAP_FAILED && mlock(page, 64 << 20) == 0;
    if (page != MAP_FAILED) {
        munmap(page, 64 << 20);
    }
    f->verdict = locks ? FIT : TOLERABLE;
    if (limit.rlim_cur == RLIM_INFINITY) {
        snprintf(f->fact, sizeof f->fact, "unlimited, 64 MiB %s", locks ? "can be locked" : "refused");
    } else {
        snprintf(f->fact, sizeof f->fact, "limit %llu KiB, 64 MiB %s",
                 (unsigned long long)limit.rlim_cur / 1024, locks ? "can be locked" : "refused");
    }
}

static void find_clock_sync(struct finding *f)
{
    struct timex timex = { 0 };
    int state = adjtimex(&timex);
    bool synced = state >= 0 && (timex.status & STA_UNSYNC) == 0;
    f->verdict = synced ? FIT : UNFIT;
    snprintf(f->fact, sizeof f->fact, "%s, estimated error %ld us",
             synced ? "synchronised" : "not synchronised", timex.esterror);
}

static void find_counter(struct finding *f)
{
    char line[64] = "";
    read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", line, sizeof line);
    f->verdict = strcmp(line, "tsc") == 0 ? FIT : TOLERABLE;
    snprintf(f->fact, sizeof f->fact, "clock source %s", line);
}

static void find_uring(struct finding *f)
{
    struct io_uring ring;
    struct io_uring_params params = { 0 };
    params.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
    int error = io_uring_queue_init_params(8, &ring, &params);
    if (error == 0) {
        snprintf(f->fact, sizeof f->fact, "deferred task work, features 0x%x", params.features);
        io_uring_queue_exit(&ring);
        f->verdict = FIT;
        return;
    }
    f->verdict = TOLERABLE;
    snprintf(f->fact, sizeof f->fact, "refused: %s", strerror(-error));
}

/* Interrupts of network cards that land on an isolated processor steal from a hot role. */
static void find_interrupts(struct finding *f)
{
    char isolated[128] = "";
    read_line("/sys/devices/system/cpu/isolated", isolated, sizeof isolated);
    if (isolated[0] == 0) {
        f->verdict = TOLERABLE;
        snprintf(f->fact, sizeof f->fact, "no isolated processor to keep free");
        return;
    }
    char mask[160] = "";
    read_line("/proc/irq/default_smp_affinity", mask, sizeof mask);
    f->verdict = TOLERABLE;
    snprintf(f->fact, sizeof f->fact, "default affinity %.80s, isolated %.60s: compare them", mask, isolated);
}

static void find_shared_memory(struct finding *f)
{
    f->verdict = access("/dev/shm", W_OK) == 0 ? FIT : UNFIT;
    snprintf(f->fact, sizeof f->fact, "/dev/shm %s", f->verdict == FIT ? "is writable" : strerror(errno));
}

int host_main(int argc, char **argv)
{
    bool json = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            json = true;
        } else {
            bool help = strcmp(argv[i], "--help") == 0;
            fprintf(help ? stdout : stderr,
                    "usage: poise host [--json]\n"
                    "Tells whether this server is fit to trade on; exits 3 when something is unfit.\n"
                    "example: poise host\n");
            return help ? EXIT_DONE : EXIT_USAGE;
        }
    }
    struct finding findings[] = {
        { .what = "processors", .remedy = "two are enough to run, four isolated ones to be fast" },
        { .what = "isolated processors",
          .remedy = "boot with isolcpus=, nohz_full= and rcu_nocbs= for the hot roles" },
        { .what = "governor", .remedy = "cpupower frequency-set -g performance" },
        { .what = "huge pages", .remedy = "sysctl vm.nr_hugepages=64" },
        { .what = "locked memory",
          .remedy = "ulimit -l unlimited, or LimitMEMLOCK=infinity in the service file" },
        { .what = "clock synchronisation",
          .remedy = "run chrony or ptp4l: venues refuse stamps that are off by a second" },
        { .what = "processor counter", .remedy = "boot with tsc=reliable where the counter is invariant" },
        { .what = "io_uring", .remedy = "sysctl kernel.io_uring_disabled=0; without it poise spins on recv" },
        { .what = "interrupts", .remedy = "write the housekeeping mask to /proc/irq/*/smp_affinity" },
        { .what = "shared memory", .remedy = "mount tmpfs on /dev/shm: the journal ring lives there" },
    };
    void (*const ask[])(struct finding *) = { find_processors,   find_isolated, find_governor,
                                              find_huge_pages,   find_memlock,  find_clock_sync,
                                              find_counter,      find_uring,    find_interrupts,
                                              find_shared_memory };
    bool unfit = false;
    for (size_t i = 0; i < POISE_COUNT_OF(findings); i++) {
        struct finding *f = &findings[i];
        ask[i](f);
        unfit = unfit || f->verdict == UNFIT;
        if (json) {
            printf("{\"what\":\"%s\",\"verdict\":\"%s\",\"fact\":\"%s\",\"remedy\":\"%s\"}\n", f->what,
                   verdict_names[f->verdict], f->fact, f->verdict == FIT ? "" : f->remedy);
        } else {
            printf("%-22s %-10s %s%s%s\n", f->what, verdict_names[f->verdict], f->fact,
                   f->verdict == FIT ? "" : "\n                                  remedy: ",
                   f->verdict == FIT ? "" : f->remedy);
        }
    }
    return unfit ? EXIT_UNFIT : EXIT_DONE;
}
