#include "bench/journey.h"
#include "bench/venue.h"
#include "cold/journal.h"
#include "tools/poise/engine.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define READY_NS   (20 * NS_PER_S)
#define RING_SLOTS (1u << 18) /* the configuration's default: a burst takes a fifth of it */

struct rig {
    int users;
    bool up;
    struct engine *engine;
    struct venue_desk *venue;
    struct spsc *ring;
    struct journal *journal;
    pthread_t cold;
    sem_t cold_ready;
    _Atomic bool leave, serving;
    char folder[64], shared[64];
    char error[512];
};

static struct rig rigs[JOURNEY_BACKENDS];
static const char *const backend_names[JOURNEY_BACKENDS] = { "uring", "spin" };

/* ------------------------------------------------------------------ the cold thread */

static void nap(uint64_t ns)
{
    nanosleep(&(struct timespec){ .tv_nsec = (long)ns }, NULL);
}

static void *cold(void *context)
{
    struct rig *rig = context;
    struct journal_options options = { .directory = rig->folder,
                                       .shared_directory = rig->shared,
                                       .ring_slots = RING_SLOTS,
                                       .segment_bytes = 16 << 20,
                                       .keep_bytes = 64 << 20,
                                       .sync_ns = 50 * NS_PER_MS,
                                       .run = 1,
                                       .engine = MARKET_ENGINE,
                                       .build_id = POISE_BUILD_ID };
    rig->journal = journal_create(&options, rig->error, sizeof rig->error);
    rig->ring = rig->journal != NULL ? journal_ring(rig->journal) : NULL;
    sem_post(&rig->cold_ready);
    while (rig->journal != NULL && !atomic_load_explicit(&rig->leave, memory_order_relaxed)) {
        journal_poll(rig->journal, clock_now_ns(), clock_wall_ns());
        nap(NS_PER_MS);
    }
    if (rig->journal != NULL) {
        journal_close(rig->journal, clock_wall_ns());
    }
    return NULL;
}

static bool start_cold(struct bench *bench, struct rig *rig)
{
    pthread_attr_t attributes;
    sem_init(&rig->cold_ready, 0, 0);
    bench_second_place(bench, &attributes);
    bool made = pthread_create(&rig->cold, &attributes, cold, rig) == 0;
    pthread_attr_destroy(&attributes);
    if (!made) {
        return false;
    }
    sem_wait(&rig->cold_ready);
    return rig->journal != NULL;
}

/* ------------------------------------------------------------------ the engine */

static void configure(struct rig *rig, const char *backend)
{
    static const struct quote_params legs[1] = { { .quote_instrument = MARKET_INVERSE,
                                                   .quote_account = MARKET_INVERSE,
                                                   .hedge_instrument = MARKET_LINEAR,
                                                   .hedge_account = MARKET_LINEAR,
                                                   .second_instrument = NO_INSTRUMENT,
                                                   .second_account = NO_ACCOUNT } };
    struct engine *engine = rig->engine;
    struct config *config = &engine->config;
    market_tables(&engine->instruments, &engine->accounts);
    config->engine = MARKET_ENGINE;
    config->mode = MODE_SIM;
    config->clock_tick_ns = (int64_t)NS_PER_MS;
    config->depth_levels = BOOK_DEPTH_MAX;
    config->core_feed = config->core_strategy = config->core_gateway = -1;
    config->core_cold = -2;
    snprintf(config->io_backend, sizeof config->io_backend, "%s", backend);
    config->quote_count = 1;
    config->quote[0].params = legs[0];
    config->venue_count = config->instrument_count = MARKET_LEGS;
    for (uint32_t i = 0; i < MARKET_LEGS; i++) {
        struct config_venue *venue = &config->venue[i];
        venue->venue = engine->instruments.row[i].venue;
        snprintf(venue->connect_to, sizeof venue->connect_to, "127.0.0.1:%u", venue_port(rig->venue));
        snprintf(venue->ca_file, sizeof venue->ca_file, "%s", venue_ca(rig->venue));
        config->instrument[i].venue = venue->venue;
        config->instrument[i].product = engine->instruments.row[i].product;
    }
    engine->key = calloc(ACCOUNT_MAX, sizeof *engine->key);
    for (uint32_t i = 0; i < MARKET_LEGS; i++) {
        POISE_ASSERT(sign_key_hmac(&engine->key[i], TALK_KEY, TALK_SECRET, strlen(TALK_SECRET)));
    }
}

static void *serve(void *context)
{
    struct rig *rig = context;
    venue_serve(rig->venue, &rig->serving);
    return NULL;
}

static void send_control(void *context, const struct slot *record)
{
    struct rig *rig = context;
    POISE_ASSERT(channel_send(&rig->engine->topology.control, record));
}

static bool is_live(const struct loop *loop)
{
    for (uint32_t i = 0; i < loop->feed_count; i++) {
        if (!feed_live(loop->feed[i])) {
            return false;
        }
    }
    return true;
}

/* come_up turns the loop until the sessions are ready and the books proved, builds the strategy by records,
 * and turns on until both quotes rest at the venue. */
static bool come_up(enum journey_backend backend)
{
    struct rig *rig = &rigs[backend];
    struct engine *engine = rig->engine;
    struct loop *loop = &engine->loop[0];
    uint64_t until_ns = clock_now_ns() + READY_NS;
    bool told = false;
    while (clock_now_ns() < until_ns) {
        journey_turn(backend);
        if (!told && engine_gateways_ready(engine) && is_live(loop)) {
            market_build(&engine->instruments, &engine->accounts, clock_now_ns(), clock_wall_ns(),
                         send_control, rig);
            told = true;
        }
        struct strategy_view view = { 0 };
        if (told && engine->strategy.restored) {
            strategy_view(engine->strategy.strategy, &view);
        }
        if (view.live_orders == 2 && view.open_requests == 0) {
            return true;
        }
    }
    snprintf(rig->error, sizeof rig->error, "not up within %d s: %s", (int)(READY_NS / NS_PER_S),
             !engine_gateways_ready(engine) ? "gateways"
             : !is_live(loop)               ? "feeds"
                                            : "quotes");
    return false;
}

static void start_roles(struct loop *loop)
{
    uint64_t now_ns = clock_now_ns();
    for (uint32_t i = 0; i < loop->feed_count; i++) {
        feed_start(loop->feed[i], now_ns);
    }
    for (uint32_t i = 0; i < loop->gateway_count; i++) {
        gateway_start(loop->gateway[i], now_ns);
    }
}

static bool make(struct bench *bench, enum journey_backend backend)
{
    struct rig *rig = &rigs[backend];
    char name[96];
    snprintf(rig->folder, sizeof rig->folder, "/tmp/poise-bench-XXXXXX");
    snprintf(rig->shared, sizeof rig->shared, "/dev/shm/poise-bench-XXXXXX");
    if (mkdtemp(rig->folder) == NULL || mkdtemp(rig->shared) == NULL) {
        snprintf(rig->error, sizeof rig->error, "no folder in /tmp or /dev/shm");
        return false;
    }
    rig->venue = venue_create(rig->folder, rig->error, sizeof rig->error);
    rig->engine = calloc(1, sizeof *rig->engine);
    if (rig->venue == NULL || rig->engine == NULL || !start_cold(bench, rig)) {
        return false;
    }
    configure(rig, backend_names[backend]);
    snprintf(name, sizeof name, "%s/counters", rig->shared);
    rig->engine->counters = counters_create(name);
    if (rig->engine->counters == NULL || !engine_resolve(rig->engine) ||
        !engine_prepare(rig->engine, rig->ring)) {
        snprintf(rig->error, sizeof rig->error, "%s", rig->engine->error);
        return false;
    }
    POISE_ASSERT(rig->engine->loop_count == 1);
    arena_seal(&rig->engine->arena);
    start_roles(&rig->engine->loop[0]);
    bench_second(bench, serve, rig);
    bool up = come_up(backend);
    atomic_store_explicit(&rig->serving, true, memory_order_relaxed);
    bench_join(bench);
    return up;
}

bool journey_open(struct bench *bench, enum journey_backend backend)
{
    struct rig *rig = &rigs[backend];
    if (rig->users++ == 0) {
        rig->up = make(bench, backend);
    }
    return rig->up || bench_absent(bench, rig->error);
}

static void remove_folder(const char *folder)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (folder[0] != 0 && system(command) != 0) {
        fprintf(stderr, "poise-bench: %s is left over\n", folder);
    }
}

void journey_close(enum journey_backend backend)
{
    struct rig *rig = &rigs[backend];
    if (--rig->users > 0) {
        return;
    }
    atomic_store_explicit(&rig->leave, true, memory_order_relaxed);
    if (rig->ring != NULL) {
        pthread_join(rig->cold, NULL);
    }
    if (rig->engine != NULL && rig->engine->loop_count != 0 && rig->engine->loop[0].net != NULL) {
        net_destroy(rig->engine->loop[0].net);
        arena_destroy(&rig->engine->arena);
    }
    if (rig->venue != NULL) {
        venue_destroy(rig->venue);
    }
    base_set_assert_hook(NULL, NULL);
    remove_folder(rig->folder);
    remove_folder(rig->shared);
}

struct loop *journey_loop(enum journey_backend backend)
{
    return &rigs[backend].engine->loop[0];
}

struct venue_desk *journey_venue(enum journey_backend backend)
{
    return rigs[backend].venue;
}

void journey_turn(enum journey_backend backend)
{
    loop_step(&rigs[backend].engine->loop[0]);
}

void journey_rest(enum journey_backend backend)
{
    struct spsc *ring = rigs[backend].ring;
    for (int i = 0; i < 1000 && spsc_free(ring) < ring->count - ring->count / 8; i++) {
        nap(NS_PER_MS);
    }
}

bool journey_sound(enum journey_backend backend)
{
    const struct strategy_role *role = &rigs[backend].engine->strategy;
    struct strategy_view view;
    strategy_view(role->strategy, &view);
    return !role->failed && atomic_load(&role->skip_count[0]) == 0 && !view.halted &&
           view.unknown_orders == 0 && view.duplicate_fills == 0;
}
