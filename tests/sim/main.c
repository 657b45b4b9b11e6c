/* poise-sim-dst: seeds in, counts out; `run` plays many episodes, `replay` one of them with its event log.
 *
 * Each episode runs in a process of its own, so that nothing of one reaches another and a failed promise ends
 * only the episode.  Exit code 0: nothing was violated; 1: something was, and the seed is printed; 2: usage.
 */
#include "tests/sim/story.h"

#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ROWS_MAX = 1024, NAME_BYTES = 64, FAILED_MAX = 64, EPISODE_SECONDS = 120 };

struct row {
    char name[NAME_BYTES];
    uint64_t value;
};

static struct row rows[ROWS_MAX];
static uint32_t row_count;

static bool is_cell(const struct row *row)
{
    return strncmp(row->name, "cell.", 5) == 0;
}

/* One line a table, and with `all` each cell nobody reached. */
static void print_cells(bool all)
{
    for (uint32_t i = 0; i < row_count; i++) {
        const char *table = rows[i].name + 5, *end = is_cell(&rows[i]) ? strchr(table, '.') : NULL;
        size_t bytes = end != NULL ? (size_t)(end - table) + 1 : 0;
        if (end == NULL ||
            (i > 0 && is_cell(&rows[i - 1]) && strncmp(rows[i - 1].name + 5, table, bytes) == 0)) {
            continue;
        }
        uint32_t cells = 0, reached = 0;
        for (uint32_t k = i; k < row_count; k++) {
            if (is_cell(&rows[k]) && strncmp(rows[k].name + 5, table, bytes) == 0) {
                cells++;
                reached += rows[k].value != 0;
            }
        }
        printf("cells of %.*s reached %*u of %u\n", (int)bytes - 1, table, (int)(38 - bytes), reached, cells);
    }
    for (uint32_t i = 0; i < row_count && all; i++) {
        if (is_cell(&rows[i]) && rows[i].value == 0) {
            printf("  not reached: %s\n", rows[i].name + 5);
        }
    }
}

static void usage(FILE *out)
{
    fprintf(out,
            "usage: poise-sim-dst run [--seeds A..B] [--seconds N] [--twice] [--quiet] [--cells] [--first]\n"
            "       poise-sim-dst replay SEED\n"
            "  --seeds A..B  these episodes (default 1..20)\n"
            "  --seconds N   end after so many seconds, whatever is left (default: none)\n"
            "  --twice       play each episode twice; different records are a violation\n"
            "  --quiet       no counts\n"
            "  --cells       name the cells of state tables that were not reached\n"
            "  --first       end at the first violation\n"
            "replay prints the event log of an episode, dense, one line a thing\n");
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void folder_of(char *folder, size_t bytes, pid_t pid)
{
    snprintf(folder, bytes, "%s/poise-sim-dst-%d", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp",
             (int)pid);
}

static void count(const char *name, uint64_t value)
{
    uint32_t at = 0;
    while (at < row_count && strcmp(rows[at].name, name) != 0) {
        at++;
    }
    if (at == ROWS_MAX) {
        return;
    }
    if (at == row_count) {
        snprintf(rows[row_count++].name, NAME_BYTES, "%s", name);
    }
    rows[at].value = strncmp(name, "most_", 5) == 0 && rows[at].value > value ? rows[at].value
                     : strncmp(name, "most_", 5) == 0                         ? value
                                                                              : rows[at].value + value;
}

/* The child: the counts go to the pipe, sentences to standard output, what the engine says nowhere. */
static void child(uint64_t seed, bool log, int to)
{
    char folder[64];
    folder_of(folder, sizeof folder, getpid());
    setvbuf(stdout, NULL, _IOFBF, 1 << 16);
    if (!log) {
        (void)!freopen("/dev/null", "w", stderr);
    } else {
        dup2(STDOUT_FILENO, STDERR_FILENO);
        setvbuf(stdout, NULL, _IOLBF, 1 << 16);
    }
    /* what a process takes at its birth is mostly never touched: leave it to the kernel to make it zero */
    mallopt(M_MMAP_THRESHOLD, 256 << 10);
    /* of the processor, not of a busy machine's wall clock */
    struct itimerval most = { .it_value = { .tv_sec = EPISODE_SECONDS } };
    setitimer(ITIMER_PROF, &most, NULL);
    if (seed == 0) {
        story_scenario(folder, log);
    } else {
        story_run(seed, folder, log);
    }
    FILE *out = fdopen(to, "w");
    story_tell(out);
    fclose(out);
    fflush(stdout);
    _exit(0);
}

/* play runs one episode; false when it was violated.  *hash is of its records. */
static bool play(uint64_t seed, bool log, bool counted, uint64_t *hash)
{
    int pipes[2];
    char line[256], name[NAME_BYTES], folder[64];
    if (pipe(pipes) != 0) {
        perror("poise-sim-dst: pipe");
        return false;
    }
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        close(pipes[0]);
        child(seed, log, pipes[1]);
    }
    close(pipes[1]);
    FILE *in = fdopen(pipes[0], "r");
    *hash = 0;
    while (in != NULL && fgets(line, sizeof line, in) != NULL) {
        uint64_t value;
        if (sscanf(line, "%63s %" SCNu64, name, &value) != 2) {
            continue;
        }
        if (strcmp(name, "hash") == 0) {
            *hash = value;
        } else if (counted) {
            count(name, value);
        }
    }
    if (in != NULL) {
        fclose(in);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!good) {
        folder_of(folder, sizeof folder, pid);
        char command[128];
        snprintf(command, sizeof command, "rm -rf %s", folder);
        if (getenv("POISE_SIM_KEEP") != NULL) {
            printf("kept: %s\n", folder);
        } else {
            (void)!system(command);
        }
        if (WIFSIGNALED(status)) {
            printf("VIOLATION seed %" PRIu64 ": the episode ended by signal %d (%s)\n", seed,
                   WTERMSIG(status),
                   WTERMSIG(status) == SIGPROF ? "it did not end" : strsignal(WTERMSIG(status)));
        }
    }
    return good;
}

static bool seeds_of(const char *text, uint64_t *first, uint64_t *last)
{
    char *end = NULL;
    *first = *last = strtoull(text, &end, 10);
    if (end != text && strncmp(end, "..", 2) == 0) {
        *last = strtoull(end + 2, &end, 10);
    }
    return end != text && *end == 0 && *first <= *last;
}

static int run(int argc, char **argv)
{
    uint64_t first = 1, last = 20, played = 0, failed = 0, bad[FAILED_MAX], hash = 0, again = 0, all = 0;
    double limit = 0, began = seconds_now();
    bool twice = false, quiet = false, cells = false, until_first = false;
    for (int i = 2; i < argc; i++) {
        if (strcmp(argv[i], "--seeds") == 0 && i + 1 < argc && seeds_of(argv[i + 1], &first, &last)) {
            i++;
        } else if (strcmp(argv[i], "--seconds") == 0 && i + 1 < argc) {
            limit = strtod(argv[++i], NULL);
        } else if (strcmp(argv[i], "--twice") == 0) {
            twice = true;
        } else if (strcmp(argv[i], "--quiet") == 0) {
            quiet = true;
        } else if (strcmp(argv[i], "--cells") == 0) {
            cells = true;
        } else if (strcmp(argv[i], "--first") == 0) {
            until_first = true;
        } else {
            usage(stderr);
            return 2;
        }
    }
    for (uint64_t seed = first; seed <= last && (limit == 0 || seconds_now() - began < limit); seed++) {
        bool good = play(seed, false, true, &hash);
        if (good && twice) {
            good = play(seed, false, false, &again) && again == hash;
            if (again != hash) {
                printf("VIOLATION seed %" PRIu64 ": played twice, and the records differ\n", seed);
            }
        }
        if (!good && failed < FAILED_MAX) {
            bad[failed] = seed;
        }
        failed += !good;
        all = (all ^ hash) * 1099511628211ULL;
        played++;
        if (failed != 0 && until_first) {
            break;
        }
    }
    double took = seconds_now() - began;
    for (uint32_t i = 0; i < row_count && !quiet; i++) {
        if (is_cell(&rows[i])) {
            continue;
        }
        printf("%-40s %14" PRIu64 "\n", rows[i].name, rows[i].value);
    }
    if (!quiet && row_count > 0) {
        print_cells(cells);
        printf("%-40s %14.2f\n", "simulated_days", (double)rows[0].value / 86400);
        printf("%-40s %14.0f\n", "times_faster_than_life", (double)rows[0].value / took);
    }
    printf("sim: %" PRIu64 " episodes (seeds %" PRIu64 "..%" PRIu64 ") in %.1f s, %" PRIu64
           " violated, hash %016" PRIx64 "\n",
           played, first, first + played - 1, took, failed, all);
    for (uint64_t i = 0; i < failed && i < FAILED_MAX; i++) {
        printf("  tests/sim/replay %" PRIu64 "\n", bad[i]);
    }
    return failed != 0;
}

int main(int argc, char **argv)
{
    uint64_t hash, seed, last;
    if (argc >= 2 && strcmp(argv[1], "run") == 0) {
        return run(argc, argv);
    }
    if (argc == 3 && strcmp(argv[1], "replay") == 0 && seeds_of(argv[2], &seed, &last)) {
        bool good = play(seed, true, false, &hash);
        printf("seed %" PRIu64 ": %s, hash %016" PRIx64 "\n", seed,
               good ? "nothing was violated" : "violated", hash);
        return good ? 0 : 1;
    }
    usage(argc == 2 && strcmp(argv[1], "--help") == 0 ? stdout : stderr);
    return argc == 2 && strcmp(argv[1], "--help") == 0 ? 0 : 2;
}
