/* poise-sim-dst: seeds in, counts out; `run` plays many episodes, `replay` one of them with its event log,
 * and `totals` prints what many runs added up.
 *
 * Each episode runs in a process of its own, so that nothing of one reaches another and a failed promise ends
 * only the episode.  Exit code 0: nothing was violated; 1: something was, and the seed is printed; 2: usage.
 */
#include "tests/sim/count.h"
#include "tests/sim/named.h"
#include "tests/sim/story.h"
#include "tests/sim/watch.h"

#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { NAME_BYTES = 64, FAILED_MAX = 64, EPISODE_SECONDS = 120, JOBS_MAX = 64, SAVE_SECONDS = 60 };
#define FRESH_STEP 100000 /* seeds from one minute's base to the next */

static volatile sig_atomic_t asked_to_end;

static void usage(FILE *out)
{
    fprintf(
        out,
        "usage: poise-sim-dst run [--seeds A..B | --fresh] [--seconds N] [--jobs N] [--twice] [--first]\n"
        "                         [--quiet] [--cells] [--pairs] [--totals FILE]\n"
        "       poise-sim-dst replay SEED|NAME\n"
        "       poise-sim-dst selftest\n"
        "       poise-sim-dst totals FILE [--cells] [--pairs]\n"
        "  --seeds A..B  these episodes (default 1..20); a scenario by its name, or `named`: all of them\n"
        "  --fresh       seeds nobody played: from the minute of the date on; the first is printed\n"
        "  --seconds N   begin none after so many seconds (default: none; needed with --fresh)\n"
        "  --jobs N      so many episodes at once (default 1)\n"
        "  --twice       play each episode twice; different records are a violation\n"
        "  --first       end at the first violation\n"
        "  --quiet       no counts\n"
        "  --cells       name the cells of state tables that were not reached\n"
        "  --pairs       say how often each pair of faults met\n"
        "  --totals FILE add what was counted to this file, now and then and at the end (SIGINT and SIGTERM\n"
        "                end a run in peace)\n"
        "replay prints the event log of an episode, dense, one line a thing\n"
        "selftest tells each check a small lie, and asks whether it noticed\n");
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double processor_seconds(void)
{
    struct rusage used;
    getrusage(RUSAGE_CHILDREN, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

static void folder_of(char *folder, size_t bytes, pid_t pid)
{
    snprintf(folder, bytes, "%s/poise-sim-dst-%d", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp",
             (int)pid);
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
    if (named_name(seed) != NULL) {
        named_run(seed, folder, log);
    } else {
        story_run(seed, folder, log);
    }
    FILE *out = fdopen(to, "w");
    story_tell(out);
    fclose(out);
    fflush(stdout);
    _exit(0);
}

/* ------------------------------------------------------------------ episodes under way */

struct episode {
    uint64_t seed;
    bool again; /* the second time of two */
    pid_t pid;
    int from;
};

struct outcome {
    bool good;
    uint64_t hash;
};

static struct {
    uint32_t first, count; /* a queue: what began first is waited for first */
    struct episode episode[JOBS_MAX];
} playing;

static bool begin(uint64_t seed, bool log, bool again)
{
    int pipes[2];
    if (pipe(pipes) != 0) {
        perror("poise-sim-dst: pipe");
        return false;
    }
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        signal(SIGINT, SIG_IGN); /* an episode is finished, then the run ends */
        signal(SIGTERM, SIG_DFL);
        close(pipes[0]);
        child(seed, log, pipes[1]);
    }
    close(pipes[1]);
    playing.episode[(playing.first + playing.count++) % JOBS_MAX] =
        (struct episode){ .seed = seed, .again = again, .pid = pid, .from = pipes[0] };
    return true;
}

static void clean_up(const struct episode *episode, int status)
{
    char folder[64], command[128];
    folder_of(folder, sizeof folder, episode->pid);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    if (getenv("POISE_SIM_KEEP") != NULL) {
        printf("kept: %s\n", folder);
    } else {
        (void)!system(command);
    }
    if (WIFSIGNALED(status)) {
        printf("VIOLATION seed %" PRIu64 ": the episode ended by signal %d (%s)\n", episode->seed,
               WTERMSIG(status),
               WTERMSIG(status) == SIGPROF ? "it did not end" : strsignal(WTERMSIG(status)));
    }
}

/* end_one waits for the episode that began first and adds up what it counted. */
static struct outcome end_one(struct episode *episode)
{
    *episode = playing.episode[playing.first];
    playing.first = (playing.first + 1) % JOBS_MAX;
    playing.count--;
    struct outcome outcome = { 0 };
    char line[256], name[NAME_BYTES];
    FILE *in = fdopen(episode->from, "r");
    while (in != NULL && fgets(line, sizeof line, in) != NULL) {
        uint64_t value;
        if (sscanf(line, "%63s %" SCNu64, name, &value) != 2) {
            continue;
        }
        if (strcmp(name, "hash") == 0) {
            outcome.hash = value;
        } else if (!episode->again) {
            count_add(name, value);
        }
    }
    if (in != NULL) {
        fclose(in);
    }
    int status = 0;
    waitpid(episode->pid, &status, 0);
    outcome.good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!outcome.good) {
        clean_up(episode, status);
    }
    return outcome;
}

/* ------------------------------------------------------------------ run */

struct wishes {
    uint64_t first, last, jobs;
    double seconds;
    bool twice, quiet, cells, pairs, until_first, fresh;
    const char *totals;
};

struct result {
    uint64_t played, failed, bad[FAILED_MAX], hash;
};

static bool seeds_of(const char *text, uint64_t *first, uint64_t *last)
{
    char *end = NULL;
    if (named_seeds(text, first, last)) {
        return true;
    }
    *first = *last = strtoull(text, &end, 10);
    if (end != text && strncmp(end, "..", 2) == 0) {
        *last = strtoull(end + 2, &end, 10);
    }
    return end != text && *end == 0 && *first <= *last;
}

static bool wishes_of(int argc, char **argv, struct wishes *w)
{
    *w = (struct wishes){ .first = 1, .last = 20, .jobs = 1 };
    for (int i = 2; i < argc; i++) {
        bool more = i + 1 < argc;
        if (more && strcmp(argv[i], "--seeds") == 0 && seeds_of(argv[i + 1], &w->first, &w->last)) {
            i++;
        } else if (more && strcmp(argv[i], "--seconds") == 0) {
            w->seconds = strtod(argv[++i], NULL);
        } else if (more && strcmp(argv[i], "--jobs") == 0) {
            w->jobs = strtoull(argv[++i], NULL, 10);
        } else if (more && strcmp(argv[i], "--totals") == 0) {
            w->totals = argv[++i];
        } else if (strcmp(argv[i], "--fresh") == 0) {
            w->fresh = true;
        } else if (strcmp(argv[i], "--twice") == 0) {
            w->twice = true;
        } else if (strcmp(argv[i], "--quiet") == 0) {
            w->quiet = true;
        } else if (strcmp(argv[i], "--cells") == 0) {
            w->cells = true;
        } else if (strcmp(argv[i], "--pairs") == 0) {
            w->pairs = true;
        } else if (strcmp(argv[i], "--first") == 0) {
            w->until_first = true;
        } else {
            return false;
        }
    }
    if (w->fresh) {
        w->first = (uint64_t)time(NULL) / 60 * FRESH_STEP;
        w->last = UINT64_MAX - 1;
    }
    return w->jobs > 0 && w->jobs <= JOBS_MAX && (!w->fresh || w->seconds > 0 || w->totals != NULL);
}

static void note(struct result *result, uint64_t seed, bool good)
{
    if (!good && result->failed < FAILED_MAX) {
        result->bad[result->failed] = seed;
    }
    result->failed += !good;
}

/* What one episode said; the second playing of a seed comes right after the first. */
static void harvest(const struct wishes *wishes, struct result *result)
{
    static struct outcome before;
    struct episode episode;
    struct outcome outcome = end_one(&episode);
    if (!episode.again) {
        result->played++;
        result->hash = (result->hash ^ outcome.hash) * 1099511628211ULL;
        count_add("episodes", 1);
        note(result, episode.seed, outcome.good);
    } else if (before.good && (!outcome.good || outcome.hash != before.hash)) {
        printf("VIOLATION seed %" PRIu64 ": played twice, and the records differ\n", episode.seed);
        note(result, episode.seed, false);
    }
    (void)wishes;
    before = outcome;
}

static void save(const struct wishes *wishes, double *used)
{
    double now = processor_seconds();
    count_add("processor_ms", (uint64_t)((now - *used) * 1000));
    *used = now;
    if (wishes->totals != NULL && !count_save(wishes->totals)) {
        perror(wishes->totals);
    }
}

static void on_signal(int number)
{
    (void)number;
    asked_to_end = 1;
}

static void play_all(const struct wishes *wishes, struct result *result, double *used)
{
    double began = seconds_now(), saved = began;
    uint64_t seed = wishes->first;
    bool again = false;
    while (playing.count > 0 || seed <= wishes->last) {
        bool ends = asked_to_end || (wishes->until_first && result->failed != 0) ||
                    (wishes->seconds > 0 && seconds_now() - began >= wishes->seconds);
        if (!again && (ends || seed > wishes->last)) {
            seed = wishes->last + 1;
        } else if (playing.count < wishes->jobs) {
            begin(seed, false, again);
            again = wishes->twice && !again;
            seed += !again;
            continue;
        }
        if (playing.count > 0) {
            harvest(wishes, result);
        }
        if (wishes->totals != NULL && seconds_now() - saved > SAVE_SECONDS) {
            saved = seconds_now();
            save(wishes, used);
        }
    }
}

static int run(int argc, char **argv)
{
    struct wishes wishes;
    struct result result = { 0 };
    double began = seconds_now(), used = 0;
    if (!wishes_of(argc, argv, &wishes)) {
        usage(stderr);
        return 2;
    }
    struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (wishes.fresh) {
        printf("sim: fresh seeds from %" PRIu64 " on\n", wishes.first);
    }
    play_all(&wishes, &result, &used);
    count_add("violations", result.failed);
    save(&wishes, &used);
    if (!wishes.quiet) {
        count_print(wishes.cells, wishes.pairs);
    }
    printf("sim: %" PRIu64 " episodes (seeds from %" PRIu64 ") in %.1f s, %" PRIu64
           " violated, hash %016" PRIx64 "\n",
           result.played, wishes.first, seconds_now() - began, result.failed, result.hash);
    for (uint64_t i = 0; i < result.failed && i < FAILED_MAX; i++) {
        const char *name = named_name(result.bad[i]);
        if (name != NULL) {
            printf("  tests/sim/replay %s\n", name);
        } else {
            printf("  tests/sim/replay %" PRIu64 "\n", result.bad[i]);
        }
    }
    return result.failed != 0;
}

static int replay(uint64_t seed)
{
    struct episode episode;
    begin(seed, true, false);
    struct outcome outcome = end_one(&episode);
    printf("seed %" PRIu64 ": %s, hash %016" PRIx64 "\n", seed,
           outcome.good ? "nothing was violated" : "violated", outcome.hash);
    return outcome.good ? 0 : 1;
}

/* ------------------------------------------------------------------ does each check see what it looks for?
 */

enum { BENT_SEEDS = 12 };

/* Plays a seed with something bent; true when the words of that violation were said. */
static bool noticed(enum watch_bend bend, uint64_t seed)
{
    int pipes[2], told[2];
    char line[512], folder[64], command[128];
    bool seen = false;
    if (pipe(pipes) != 0 || pipe(told) != 0) {
        return false;
    }
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        close(pipes[0]);
        close(told[0]);
        dup2(told[1], STDOUT_FILENO);
        watch_bend(bend);
        child(seed, false, pipes[1]);
    }
    close(told[1]);
    close(pipes[1]);
    FILE *in = fdopen(told[0], "r");
    while (in != NULL && fgets(line, sizeof line, in) != NULL) {
        seen = seen || strstr(line, watch_bents[bend].words) != NULL;
    }
    if (in != NULL) {
        fclose(in);
    }
    close(pipes[0]);
    waitpid(pid, NULL, 0);
    folder_of(folder, sizeof folder, pid);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    (void)!system(command);
    return seen;
}

static int selftest(void)
{
    uint32_t missed = 0;
    for (enum watch_bend bend = BEND_ID; bend < BEND_COUNT; bend++) {
        uint64_t seed = 1;
        while (seed <= BENT_SEEDS && !noticed(bend, seed)) {
            seed++;
        }
        missed += seed > BENT_SEEDS;
        printf("bent: %-52s %s\n", watch_bents[bend].what, seed > BENT_SEEDS ? "NOT NOTICED" : "noticed");
    }
    printf("selftest: %u of %u not noticed\n", missed, BEND_COUNT - BEND_ID);
    return missed != 0;
}

int main(int argc, char **argv)
{
    uint64_t seed, last;
    if (argc >= 2 && strcmp(argv[1], "run") == 0) {
        return run(argc, argv);
    }
    if (argc == 2 && strcmp(argv[1], "selftest") == 0) {
        return selftest();
    }
    if (argc == 3 && strcmp(argv[1], "replay") == 0 && seeds_of(argv[2], &seed, &last)) {
        return replay(seed);
    }
    struct wishes wishes;
    if (argc >= 3 && strcmp(argv[1], "totals") == 0 && wishes_of(argc - 1, argv + 1, &wishes) &&
        count_load(argv[2])) {
        count_print(wishes.cells, wishes.pairs);
        return 0;
    }
    usage(argc == 2 && strcmp(argv[1], "--help") == 0 ? stdout : stderr);
    return argc == 2 && strcmp(argv[1], "--help") == 0 ? 0 : 2;
}
