/* silent_strategy: the strategy stepped over a real run's journal on a thread that may not say anything to
 * the kernel and may not allocate.
 *
 * usage: silent_strategy JOURNAL_DIR [--break syscall|malloc]
 *
 * All consumed records are read first.  Then a thread installs a filter under which every system call kills
 * the process, traps the allocator, and steps the strategy over all of them; it tells its end through
 * memory.  --break makes the thread do what is forbidden, to see the trap work.  Exit 0: silent; a signal or
 * 1 otherwise. */
#include "cold/journal.h"
#include "hot/strategy/strategy.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct slot *tape;
static size_t tape_slots, tape_used, tape_records;
static _Atomic int finished;
static _Atomic unsigned long said;
static _Thread_local int silent;
static const char *break_with = "";

void *__libc_malloc(size_t bytes);
void *malloc(size_t bytes);

/* The allocator of the whole program: traps where it is forbidden. */
void *malloc(size_t bytes)
{
    if (silent) {
        __builtin_trap();
    }
    return __libc_malloc(bytes);
}

static void tape_add(const struct slot *record)
{
    uint8_t slots = record_head_of(record)->slot_count;
    POISE_ASSERT(tape_used + slots <= tape_slots);
    record_copy(&tape[tape_used], record);
    tape_used += slots;
    tape_records++;
}

static bool read_run(const char *folder)
{
    char error[256];
    struct journal_reader_options options = { .directory = folder };
    struct journal_reader *reader = journal_reader_open(&options, error, sizeof error);
    if (reader == NULL) {
        fprintf(stderr, "silent_strategy: %s\n", error);
        return false;
    }
    struct journal_item item;
    enum journal_result result;
    while ((result = journal_next(reader, &item)) != JOURNAL_END) {
        if (result == JOURNAL_RECORD && item.item.origin == ORIGIN_RING &&
            (record_head_of(item.item.record)->flags & RECORD_FLAG_OUT) == 0) {
            tape_add(item.item.record);
        }
    }
    journal_reader_close(reader);
    return tape_records > 0;
}

/* Kills on every system call of this thread but the exit that ends it. */
static void forbid_system_calls(void)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = { POISE_COUNT_OF(filter), filter };
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
        perror("silent_strategy: seccomp");
        _exit(77);
    }
}

static void *step_all(void *argument)
{
    struct strategy *strategy = argument;
    static struct outbox outbox;
    forbid_system_calls();
    silent = 1;
    if (break_with[0] == 's') {
        syscall(SYS_getppid);
    }
    if (break_with[0] == 'm') {
        free(malloc(1));
    }
    for (size_t at = 0; at < tape_used;) {
        strategy_step(strategy, &tape[at], &outbox);
        atomic_fetch_add_explicit(&said, outbox.records, memory_order_relaxed);
        outbox.used = 0;
        outbox.records = 0;
        at += record_head_of(&tape[at])->slot_count;
    }
    atomic_store(&finished, 1);
    for (;;) {
        /* leaving the thread would be a system call */
    }
    return NULL;
}

static int run_child(void)
{
    size_t bytes = (strategy_bytes() + 4095) & ~(size_t)4095;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    struct strategy *strategy = strategy_init(memory);
    pthread_t thread;
    if (pthread_create(&thread, NULL, step_all, strategy) != 0) {
        return 1;
    }
    for (int i = 0; i < 60000 && !atomic_load(&finished); i++) {
        struct timespec pause = { 0, 1000000 };
        nanosleep(&pause, NULL);
    }
    if (!atomic_load(&finished)) {
        fprintf(stderr, "silent_strategy: not done in a minute\n");
        return 1;
    }
    printf("%zu records stepped, %lu said, no system call, no allocation\n", tape_records, atomic_load(&said));
    fflush(stdout);
    return atomic_load(&said) > 0 ? 0 : 1;
}

int main(int argc, char **argv)
{
    if (argc != 2 && !(argc == 4 && argv[2][2] == 'b')) {
        fprintf(stderr, "usage: silent_strategy JOURNAL_DIR [--break syscall|malloc]\n");
        return 2;
    }
    if (argc == 4) {
        break_with = argv[3];
    }
    tape_slots = (size_t)1 << 25;
    tape = mmap(NULL, tape_slots * sizeof(struct slot), PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (tape == MAP_FAILED || !read_run(argv[1])) {
        return 1;
    }
    pid_t child = fork();
    if (child == 0) {
        _exit(run_child());
    }
    int status;
    waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) {
        printf("killed by signal %d: the strategy was not silent\n", WTERMSIG(status));
        return 1;
    }
    return WEXITSTATUS(status);
}
