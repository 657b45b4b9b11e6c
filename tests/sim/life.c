#include "tests/sim/life.h"

#include "tests/sim/ask.h"
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

static void write_text(const char *name, const char *text)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    POISE_ASSERT(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

void life_start(const char *folder)
{
    memset(&life, 0, sizeof life);
    snprintf(life.folder, sizeof life.folder, "%s", folder);
    remove_folder(folder);
    POISE_ASSERT(mkdir(folder, 0700) == 0 && chdir(folder) == 0);
    write_text("key.toml", "api_key = \"" WORLD_KEY "\"\napi_secret = \"" WORLD_SECRET "\"\n");
}

void life_stop(void)
{
    remove_folder(life.folder);
}

const char *life_folder(void)
{
    return life.folder;
}

/* ------------------------------------------------------------------ what a trader might write */

/* Drawn one after the other, so that every compiler draws the same. */
struct taste {
    int64_t sync_ms, naked_ms, unknown, dead_man_ms[2], coin, cancel, levels, size, step_bp, profit_bp;
    int64_t inventory, skew_bp, ticks, requote_ms, band_bp, timeout_ms, ladder_ms;
};

static struct taste draw_taste(uint64_t seed)
{
    struct sim_random random;
    struct taste t;
    sim_random_seed(&random, seed, 30);
    t.sync_ms = sim_random_range(&random, 1, 300);
    t.naked_ms = sim_random_range(&random, 200, 3000);
    t.unknown = sim_random_range(&random, 3, 20);
    for (int i = 0; i < 2; i++) {
        t.dead_man_ms[i] = sim_random_chance(&random, 250000) ? 0 : sim_random_range(&random, 5000, 20000);
    }
    t.coin = sim_random_chance(&random, 500000);
    t.cancel = sim_random_chance(&random, 330000);
    t.levels = sim_random_range(&random, 1, 3);
    t.size = sim_random_range(&random, 1, 30);
    t.step_bp = sim_random_range(&random, 1, 4);
    t.profit_bp = -sim_random_range(&random, 7, 12);
    t.inventory = t.size * sim_random_range(&random, 3, 12);
    t.skew_bp = sim_random_range(&random, 0, 5);
    t.ticks = sim_random_range(&random, 1, 20);
    t.requote_ms = sim_random_range(&random, 20, 500);
    t.band_bp = sim_random_range(&random, 5, 30);
    t.timeout_ms = sim_random_range(&random, 50, t.naked_ms < 1000 ? t.naked_ms : 1000);
    t.ladder_ms = sim_random_range(&random, 500, 3000);
    return t;
}

static void write_config(const struct life_options *options)
{
    struct taste t = draw_taste(options->seed);
    struct sim_text text = { 0 };
    bool apart = options->three_loops;
    sim_text_add(&text,
                 "[engine]\nmode = \"sim\"\nid = 1\nreport_currency = \"USD\"\nstate_dir = \"state\"\n"
                 "shared_dir = \"shared\"\nsegment_bytes = 1048576\njournal_ring_slots = 16384\n"
                 "journal_sync_ms = %lld\nclock_tick_us = 20000\nlog_level = \"error\"\n",
                 (long long)t.sync_ms);
    sim_text_add(&text, "[cores]\nfeed = %d\nstrategy = %d\ngateway = %d\ncold = -2\nyield = true\n",
                 apart ? 0 : -1, apart ? 1 : -1, apart ? 2 : -1);
    sim_text_add(&text,
                 "[risk]\nmax_order = 50000\nmax_position = 5\nmax_delta = 2\nmax_loss = 0\n"
                 "max_naked_ms = %lld\nprice_band_bp = 200\nmax_orders_per_s = 100\nmax_open_orders = 20\n"
                 "max_unknown = %lld\nmax_rejects_per_min = 200\nstale_clock_ms = 2000\n"
                 "[venue.binance]\nconnect_to = \"127.0.0.1:1\"\n",
                 (long long)t.naked_ms, (long long)t.unknown);
    for (int i = 0; i < 2; i++) {
        sim_text_add(&text,
                     "[[account]]\nname = \"%s\"\nvenue = \"binance\"\nproduct = \"%s\"\n"
                     "key_file = \"key.toml\"\nmaker_bp = 2\ntaker_bp = 5\norder_rate_10s = 300\n"
                     "order_rate_60s = 1200\ndead_man_ms = %lld\n",
                     i == 0 ? "coinm" : "usdm", i == 0 ? "inverse" : "linear", (long long)t.dead_man_ms[i]);
    }
    sim_text_add(&text,
                 "[[convert]]\nfrom = \"USDT\"\nto = \"USD\"\nfixed = \"1\"\n"
                 "[[quote]]\nname = \"btc\"\nquote_leg = \"binance.inverse.BTCUSD_PERP\"\n"
                 "quote_account = \"coinm\"\nhedge_leg = \"binance.linear.BTCUSDT\"\n"
                 "hedge_account = \"usdm\"\ndelta_basis = \"%s\"\nallocation = 0.5\non_restart = \"%s\"\n"
                 "sides = \"both\"\nlevels = %lld\nsize = %lld\nlevel_step_bp = %lld\nmin_profit_bp = %lld\n"
                 "hedge_cost_bp = 0.2\nmax_spread_bp = 60\nmax_depth_percent = 50\nmax_inventory = %lld\n"
                 "skew_bp = %lld\nrequote_ticks = %lld\nrequote_min_ms = %lld\nfair_half_life_ms = 10000\n"
                 "fair_bound_bp = 60\nquote_stale_ms = 5000\nhedge_stale_ms = 3000\nhedge_band_bp = %lld\n"
                 "emergency_band_bp = 80\nhedge_timeout_ms = %lld\nmax_naked = 0.05\nladder_step_ms = %lld\n"
                 "position_grace_ms = 10000\n",
                 t.coin ? "coin" : "usd", t.cancel ? "cancel" : "adopt", (long long)t.levels,
                 (long long)t.size, (long long)t.step_bp, (long long)t.profit_bp, (long long)t.inventory,
                 (long long)t.skew_bp, (long long)t.ticks, (long long)t.requote_ms, (long long)t.band_bp,
                 (long long)t.timeout_ms, (long long)t.ladder_ms);
    write_text("poise.toml", text.data);
    sim_text_free(&text);
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
    write_config(options);
    if (!load(run)) {
        watch_violation("the configuration is refused: %s", run->engine.error);
        return 2;
    }
    run->wishes.accept_difference = options->accept_difference;
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
