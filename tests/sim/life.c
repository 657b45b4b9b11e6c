#include "tests/sim/life.h"

#include "tests/sim/ask.h"
#include "tests/sim/desk.h"
#include "tests/sim/disk.h"
#include "tests/sim/watch.h"
#include "tests/sim/world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
    char folder[128];
    struct run *run;
    const struct life_options *options;
    struct life_counts counts;
} life;

/* ------------------------------------------------------------------ folders */

static int remove_one(const char *path, const struct stat *state, int kind, struct FTW *at)
{
    (void)state;
    (void)kind;
    (void)at;
    return remove(path);
}

static void remove_folder(const char *path)
{
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

void life_start(const char *folder)
{
    memset(&life, 0, sizeof life);
    snprintf(life.folder, sizeof life.folder, "%s", folder);
    remove_folder(folder);
    POISE_ASSERT(mkdir(folder, 0700) == 0 && chdir(folder) == 0);
}

void life_stop(void)
{
    remove_folder(life.folder);
}

const char *life_folder(void)
{
    return life.folder;
}

/* ------------------------------------------------------------------ the machine under a process */

static void life_nap(void *context, uint64_t ns)
{
    (void)context;
    uint64_t least_ns = life.options->cold_ns;
    if (life.options->often != NULL) {
        life.options->often(life.options->context, life.run);
    }
    watch_cold(life.run);
    disk_turn();
    world_run(time_now.now_ns + (ns > least_ns ? ns : least_ns), NULL);
}

/* Nobody stands at another terminal here: the socket for commands is not asked every turn. */
int __wrap_accept4(int listener, struct sockaddr *address, socklen_t *bytes, int flags);
int __wrap_accept4(int listener, struct sockaddr *address, socklen_t *bytes, int flags)
{
    (void)listener;
    (void)address;
    (void)bytes;
    (void)flags;
    errno = EAGAIN;
    return -1;
}

static int life_asked(void *context)
{
    (void)context;
    return (time_now.now_ns >= life.options->stop_at_ns) + (time_now.now_ns >= life.options->hurry_at_ns);
}

static void on_assert(void *context)
{
    (void)context;
    watch_violation("an assertion failed");
}

static bool life_begin(void *context, struct engine *engine)
{
    (void)context;
    engine_open(engine);
    base_set_assert_hook(on_assert, NULL);
    world_engine(engine);
    return true;
}

/* What the kernel does for a process that is gone: its files are closed and its mappings of them end. */
static void close_files(int first)
{
    DIR *folder = opendir("/proc/self/fd");
    int open_fd[1024], count = 0;
    for (struct dirent *row; folder != NULL && (row = readdir(folder)) != NULL;) {
        int fd = atoi(row->d_name);
        if (row->d_name[0] != '.' && fd >= first && fd != dirfd(folder) && count < 1024) {
            open_fd[count++] = fd;
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
    for (int i = 0; i < count; i++) {
        close(open_fd[i]);
    }
}

static void unmap_files(void)
{
    static struct {
        unsigned long begin, end;
    } map[256];
    int count = 0;
    char line[512];
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
        if (count < 256 && strstr(line, life.folder) != NULL &&
            sscanf(line, "%lx-%lx", &map[count].begin, &map[count].end) == 2) {
            count++;
        }
    }
    if (maps != NULL) {
        fclose(maps);
    }
    for (int i = 0; i < count; i++) {
        munmap((void *)map[i].begin, map[i].end - map[i].begin);
    }
}

static void bury(int first_fd)
{
    world_engine(NULL);
    ask_drop();
    disk_died();
    wire_kill();
    close_files(first_fd);
    unmap_files();
    if (life.run->engine.arena.base != NULL) {
        arena_destroy(&life.run->engine.arena);
    }
    wire_free_memory();
}

static bool load(struct run *run)
{
    if (!config_load(&run->engine.config, "poise.toml", NULL)) {
        run_print_faults(&run->engine.config);
        return false;
    }
    run->engine.plain = true;
    return engine_keys(&run->engine);
}

int life_run(const struct life_options *options)
{
    /* static: what longjmp must not lose */
    static struct run *run;
    static int code, first_fd;
    first_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(first_fd);
    run = calloc(1, sizeof *run);
    POISE_ASSERT(run != NULL);
    life.run = run;
    life.options = options;
    life.counts.lives++;
    desk_write(options->three_loops);
    if (!load(run)) {
        watch_violation("the configuration is refused: %s", run->engine.error);
        return 2;
    }
    run->wishes.accept_difference = options->accept_difference;
    run->wishes.flatten = options->flatten;
    run->wishes.instance = options->instance;
    run->transport = ask_transport();
    run->clock = ask_clock();
    run->host =
        (struct run_host){ .nap = life_nap, .asked = life_asked, .start = life_begin, .disk = disk_table() };
    snprintf(run->lock_directory, sizeof run->lock_directory, "locks");
    watch_born(run);
    if (setjmp(point_jump) == 0) {
        code = run_life(run);
        point_arm(POINT_COUNT, 0);
        life.counts.exits[code & 7]++;
        watch_left(run, code);
    } else {
        code = LIFE_DIED;
        life.counts.deaths++;
        life.counts.positions += watch_counts()->records != life.counts.last_position;
        life.counts.last_position = watch_counts()->records;
        life.counts.deaths_at[point_of_death()]++;
        watch_died(run);
    }
    bury(first_fd);
    config_free(&run->engine.config);
    free(run);
    life.run = NULL;
    return code;
}

struct run *life_now(void)
{
    return life.run;
}

void life_power_loss(void)
{
    remove_folder("shared");
    disk_power_loss();
}

const struct life_counts *life_counts(void)
{
    return &life.counts;
}
