#include "tests/sim/world.h"

#include "tests/sim/trouble.h"
#include "tools/sim/binance/bn_shell.h"
#include "tools/sim/deribit/db_shell.h"
#include "tools/sim/sim_setup.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEVER         UINT64_MAX
#define USUAL_HIGH_NS 5000000 /* of the delays of a venue that is well */
enum { CONNS = 1024 };

/* What a venue's shell must do; time is the venue's. */
struct world_shell {
    bool (*serves)(const char *host);
    void (*time)(void *shell, int64_t now_ns);
    void (*request)(void *shell, const struct sim_request *request);
    void *(*open)(void *shell, const struct sim_request *request);
    void (*message)(void *shell, uint64_t conn, void *session, const char *text, size_t length);
    void (*control_frame)(void *shell, uint64_t conn, void *session, bool pong);
    void (*closed)(void *shell, uint64_t conn, void *session);
    void (*step)(void *shell, int64_t now_ns);
    void (*settled)(void *shell, int64_t now_ns); /* after the model moved by itself; may be NULL */
    int64_t (*next_ns)(void *shell);
    void (*free)(void *shell);
};

/* One venue: its model and what stands around it. */
struct place {
    const struct world_shell *is; /* NULL: not there */
    void *shell;
    struct sim_venue *venue;
    struct sim_source source;
    struct sim_faults faults;
    struct sim_delay delay;
};

static struct {
    struct sim_random random;
    struct sim_net *net;
    struct place place[WORLD_PLACES];
    struct market market;
    uint8_t place_of[CONNS]; /* of an open WebSocket, by the low bits of its id */
    int64_t skew_ns;
    uint64_t done_ns;   /* everything of the venues before this has happened */
    uint64_t venues_ns; /* when they have something to do, */
    bool asked;         /* to be asked again */
    struct engine *engine;
    struct world_machine machine;
    struct world_counts counts;
    bool log;
} world;

/* ------------------------------------------------------------------ the log */

void world_log(bool on)
{
    world.log = on;
}

bool world_logs(void)
{
    return world.log;
}

void world_say(const char *format, ...)
{
    if (!world.log) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    printf("%12.6f ", (double)time_now.now_ns / 1e9);
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
}

/* ------------------------------------------------------------------ Binance */

static bool binance_serves(const char *host)
{
    return strstr(host, "binance") != NULL;
}

static void binance_time(void *shell, int64_t now_ns)
{
    bn_shell_time(shell, now_ns);
}

static void binance_step(void *shell, int64_t now_ns)
{
    bn_shell_step(shell, now_ns);
}

static int64_t binance_next_ns(void *shell)
{
    return bn_shell_next_ns(shell);
}

static void binance_free(void *shell)
{
    bn_shell_free(shell);
}

static const struct world_shell binance = { .serves = binance_serves,
                                            .time = binance_time,
                                            .request = bn_shell_request,
                                            .open = bn_shell_open,
                                            .message = bn_shell_message,
                                            .control_frame = bn_shell_control_frame,
                                            .closed = bn_shell_closed,
                                            .step = binance_step,
                                            .next_ns = binance_next_ns,
                                            .free = binance_free };

static enum sim_cancel_ahead draw_ahead(void)
{
    return sim_random_chance(&world.random, 500000) ? SIM_CANCEL_AHEAD_PRORATA : SIM_CANCEL_AHEAD_NONE;
}

static void start_binance(uint64_t seed)
{
    static const char *const orders[] = { "lao", "alo", "oal", "loa", "aol", "ola" };
    struct place *place = &world.place[WORLD_BINANCE];
    struct bn_options options = { .seed = seed, .limits = true, .retired = true };
    options.post_only_expires = sim_random_chance(&world.random, 300000);
    memcpy(options.fill_order, orders[sim_random_range(&world.random, 0, 5)], 3);
    struct bn_shell *shell = bn_shell_new(&options, &place->faults, &place->delay);
    place->is = &binance;
    place->shell = shell;
    place->venue = sim_venue_new(seed, draw_ahead(), bn_shell_emit, shell);
    bn_shell_attach(shell, place->venue, world.net);
    static const enum sim_kind kinds[] = { SIM_LINEAR, SIM_INVERSE };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct sim_instrument contract = sim_setup_instrument(kinds[i]);
        contract.funding_interval_ns = sim_random_range(&world.random, 2, 20) * 60 * INT64_C(1000000000);
        sim_venue_add_instrument(place->venue, &contract);
    }
    int account = sim_venue_add_account(place->venue, WORLD_KEY);
    sim_setup_balances(place->venue, account, "linear.USDT=1000000,inverse.BTC=20");
    bn_shell_add_key(shell, account, WORLD_KEY, WORLD_SECRET, false);
    for (int kind = 0; kind < SIM_KIND_COUNT; kind++) {
        sim_venue_account(place->venue, account)->wallet[kind].updated_ns = world_venue_ns();
    }
}

/* ------------------------------------------------------------------ Deribit */

static bool deribit_serves(const char *host)
{
    return strstr(host, "deribit") != NULL;
}

static void deribit_time(void *shell, int64_t now_ns)
{
    db_shell_time(shell, now_ns);
}

static void deribit_step(void *shell, int64_t now_ns)
{
    db_shell_step(shell, now_ns);
}

static void deribit_settled(void *shell, int64_t now_ns)
{
    db_shell_settled(shell, now_ns);
}

static int64_t deribit_next_ns(void *shell)
{
    return db_shell_next_ns(shell);
}

static void deribit_free(void *shell)
{
    db_shell_free(shell);
}

static const struct world_shell deribit = { .serves = deribit_serves,
                                            .time = deribit_time,
                                            .request = db_shell_request,
                                            .open = db_shell_open,
                                            .message = db_shell_message,
                                            .control_frame = db_shell_control_frame,
                                            .closed = db_shell_closed,
                                            .step = deribit_step,
                                            .settled = deribit_settled,
                                            .next_ns = deribit_next_ns,
                                            .free = deribit_free };

/* Two perpetuals and the spot whose middle is their index are played; the rest is listed and stands still. */
static void start_deribit(uint64_t seed)
{
    struct place *place = &world.place[WORLD_DERIBIT];
    struct db_options options = db_shell_usual();
    struct sim_rules rules = db_market_rules();
    options.seed = seed;
    options.choices.gone = sim_random_chance(&world.random, 500000) ? 11044 : 10010;
    options.choices.ioc_reason = sim_random_chance(&world.random, 500000);
    options.choices.beats = (int)sim_random_range(&world.random, 1, 3);
    struct db_shell *shell = db_shell_new(&options, &place->faults, &place->delay);
    place->is = &deribit;
    place->shell = shell;
    place->venue = sim_venue_new(seed, draw_ahead(), db_shell_emit, shell);
    sim_venue_rules(place->venue, &rules);
    for (enum db_place at = DB_BTC_PERP; at < DB_MARKET_COUNT; at++) {
        struct sim_instrument contract = db_market_contract(at, world_venue_ns());
        sim_venue_add_instrument(place->venue, &contract);
        place->source.other[at] = at != DB_BTC_PERP && at != DB_USDC_PERP && at != DB_USDC_SPOT;
    }
    db_shell_attach(shell, place->venue, world.net, world_venue_ns());
    int account = sim_venue_add_account(place->venue, WORLD_KEY);
    db_market_balances(place->venue, account, "BTC=20,USDC=1000000");
    db_shell_add_key(shell, account, WORLD_KEY, WORLD_SECRET);
}

/* ------------------------------------------------------------------ the server's handlers */

static struct place *place_for(const char *host)
{
    for (enum world_place at = WORLD_BINANCE; at < WORLD_PLACES; at++) {
        if (world.place[at].is != NULL && world.place[at].is->serves(host)) {
            return &world.place[at];
        }
    }
    return &world.place[WORLD_BINANCE];
}

static void tell_time(void)
{
    for (enum world_place at = WORLD_BINANCE; at < WORLD_PLACES; at++) {
        if (world.place[at].is != NULL) {
            world.place[at].is->time(world.place[at].shell, world_venue_ns());
        }
    }
}

static void on_woke(void *user)
{
    (void)user;
}

static void on_request(void *user, const struct sim_request *request)
{
    (void)user;
    struct place *place = place_for(request->host);
    place->is->request(place->shell, request);
}

static void *on_open(void *user, const struct sim_request *request)
{
    (void)user;
    struct place *place = place_for(request->host);
    world.place_of[request->conn % CONNS] = (uint8_t)(place - world.place);
    return place->is->open(place->shell, request);
}

static void on_message(void *user, uint64_t conn, void *session, const char *text, size_t length)
{
    (void)user;
    struct place *place = &world.place[world.place_of[conn % CONNS]];
    place->is->message(place->shell, conn, session, text, length);
}

static void on_control_frame(void *user, uint64_t conn, void *session, bool pong)
{
    (void)user;
    struct place *place = &world.place[world.place_of[conn % CONNS]];
    place->is->control_frame(place->shell, conn, session, pong);
}

static void on_closed(void *user, uint64_t conn, void *session)
{
    (void)user;
    struct place *place = &world.place[world.place_of[conn % CONNS]];
    place->is->closed(place->shell, conn, session);
}

/* ------------------------------------------------------------------ what others look at */

struct sim_venue *world_venue(enum world_place place)
{
    return world.place[place].venue;
}

struct sim_source *world_source(enum world_place place)
{
    return &world.place[place].source;
}

struct market *world_market(void)
{
    return &world.market;
}

struct sim_faults *world_faults(enum world_place place)
{
    return &world.place[place].faults;
}

struct world_machine *world_machine(void)
{
    return &world.machine;
}

const struct world_counts *world_counts(void)
{
    return &world.counts;
}

struct sim_random *world_random(void)
{
    return &world.random;
}

int64_t world_venue_ns(void)
{
    return (int64_t)time_now.now_ns + WORLD_EPOCH_NS;
}

/* ------------------------------------------------------------------ time */

static uint64_t own_ns(int64_t venue_ns)
{
    return venue_ns == INT64_MAX                                ? NEVER
           : venue_ns - WORLD_EPOCH_NS > (int64_t)world.done_ns ? (uint64_t)(venue_ns - WORLD_EPOCH_NS)
                                                                : world.done_ns;
}

static void set_time(uint64_t now_ns)
{
    time_now.now_ns = now_ns;
    time_now.wall_ns = world_venue_ns() + world.skew_ns;
}

static uint64_t venues_next_ns(void)
{
    uint64_t next = world.market.next_ns;
    for (enum world_place at = WORLD_BINANCE; at < WORLD_PLACES; at++) {
        const struct place *place = &world.place[at];
        if (place->is == NULL) {
            continue;
        }
        uint64_t model = own_ns(sim_venue_next_ns(place->venue));
        uint64_t shell = own_ns(place->is->next_ns(place->shell));
        next = model < next ? model : next;
        next = shell < next ? shell : next;
    }
    return next;
}

static void settled(struct place *place, int64_t venue_ns)
{
    if (place->is->settled != NULL) {
        place->is->settled(place->shell, venue_ns);
    }
}

/* Everything the venues have to do by now, at one instant: the market, then the models, then their shells. */
static void step_venues(void)
{
    int64_t venue_ns = world_venue_ns();
    tell_time();
    market_step(&world.market, time_now.now_ns, venue_ns);
    for (enum world_place at = WORLD_BINANCE; at < WORLD_PLACES; at++) {
        struct place *place = &world.place[at];
        if (place->is == NULL) {
            continue;
        }
        settled(place, venue_ns);
        if (sim_venue_next_ns(place->venue) <= venue_ns) {
            sim_venue_advance(place->venue, venue_ns);
            settled(place, venue_ns);
        }
        if (place->is->next_ns(place->shell) <= venue_ns) {
            place->is->step(place->shell, venue_ns);
        }
    }
    world.done_ns = time_now.now_ns;
    world.asked = true;
}

static bool turn_engine(uint64_t *next_ns)
{
    struct engine *engine = world.engine;
    struct world_machine *machine = &world.machine;
    if (machine->stall_ns != 0) {
        *next_ns = time_now.now_ns + machine->stall_ns;
        trouble_begins("stall", *next_ns);
        machine->stall_ns = 0;
        world.counts.stalls++;
        return true;
    }
    uint32_t work = 0, first = 0;
    if (machine->shuffle && engine->loop_count > 1) {
        first = (uint32_t)sim_random_range(&world.random, 0, (int64_t)engine->loop_count - 1);
    }
    for (uint32_t i = 0; i < engine->loop_count && world.engine != NULL; i++) {
        work += loop_turn(&engine->loop[(first + i) % engine->loop_count], time_now.now_ns, time_now.wall_ns);
    }
    world.counts.turns++;
    *next_ns = time_now.now_ns + (work != 0 ? machine->busy_ns : machine->idle_ns);
    return false;
}

void world_run(uint64_t until_ns, bool (*stop)(void))
{
    static uint64_t turn_ns;
    static bool stalled;
    while (time_now.now_ns < until_ns && (stop == NULL || !stop())) {
        if (world.asked) {
            world.venues_ns = venues_next_ns();
            world.asked = false;
        }
        uint64_t next = world.venues_ns, wire = wire_next_ns(), turn = NEVER;
        next = wire < next ? wire : next;
        if (world.engine != NULL) {
            uint64_t due = stalled ? NEVER : strategy_next_ns(world.engine->strategy.strategy);
            turn = due < turn_ns ? due : turn_ns;
            next = turn < next ? turn : next;
        }
        next = next > until_ns ? until_ns : next;
        set_time(next > time_now.now_ns ? next : time_now.now_ns + 1);
        if (world.venues_ns <= time_now.now_ns) {
            step_venues();
        } else if (wire <= time_now.now_ns) {
            tell_time();
        }
        if (wire_turn(time_now.now_ns)) {
            world.asked = true;
        }
        /* hot loops turn all the time; only a turn that finds something is played, and some that do not */
        bool something = turn <= time_now.now_ns || (wire <= time_now.now_ns && !stalled);
        if (world.engine != NULL && something) {
            stalled = turn_engine(&turn_ns);
        }
    }
}

void world_engine(struct engine *engine)
{
    world.engine = engine;
}

/* ------------------------------------------------------------------ faults */

/* Room for one more: what is over is forgotten. */
static void forget_faults(struct sim_faults *faults)
{
    int kept = 0;
    for (int i = 0; i < faults->count; i++) {
        const struct sim_fault *fault = &faults->fault[i];
        bool moment_over = fault->next_ns == INT64_MAX && fault->for_ns == 0 && fault->fired != 0;
        bool over = fault->count == 0 || moment_over ||
                    (fault->for_ns != 0 && fault->at_ns + fault->for_ns <= world_venue_ns());
        if (!over) {
            faults->fault[kept++] = *fault;
        } else {
            world.counts.fault_kind[fault->kind] += fault->fired;
        }
    }
    faults->count = kept;
}

void world_fault(enum world_place place, const char *format, ...)
{
    struct sim_faults *faults = &world.place[place].faults;
    char spec[128], error[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(spec, sizeof spec, format, arguments);
    va_end(arguments);
    if (world.place[place].is == NULL) {
        return;
    }
    forget_faults(faults);
    if (faults->count < SIM_FAULT_MAX) {
        if (!sim_fault_add(faults, spec, world_venue_ns(), error, sizeof error)) {
            fprintf(stderr, "sim: %s\n", error);
            abort();
        }
        world.counts.faults++;
        trouble_spec(spec);
        world.asked = true;
        world_say("%s fault %s", place == WORLD_BINANCE ? "binance" : "deribit", spec);
    }
}

void world_trade(enum world_place place, int instrument, int64_t price, int64_t qty, bool seller_takes)
{
    sim_source_trade(&world.place[place].source, instrument, price, qty, seller_takes, world_venue_ns());
    settled(&world.place[place], world_venue_ns());
    world.asked = true;
}

void world_skew(int64_t ns)
{
    world.skew_ns = ns;
    trouble_is("own_clock", ns != 0);
    set_time(time_now.now_ns);
    world_say("the engine's date is off by %.3f s", (double)ns / 1e9);
}

void world_delay(enum world_place place, enum sim_line line, int64_t low_ns, int64_t high_ns)
{
    static const char *const names[SIM_LINE_COUNT] = { [SIM_LINE_FEED] = "late_feed",
                                                       [SIM_LINE_ORDER] = "late_orders",
                                                       [SIM_LINE_ACK] = "late_answers",
                                                       [SIM_LINE_PRIVATE] = "late_reports" };
    bool late = false;
    world.place[place].delay.low_ns[line] = low_ns;
    world.place[place].delay.high_ns[line] = high_ns;
    for (enum world_place at = WORLD_BINANCE; at < WORLD_PLACES; at++) {
        late = late || world.place[at].delay.high_ns[line] > USUAL_HIGH_NS;
    }
    trouble_is(names[line], late);
}

static void usual_delays(enum world_place place)
{
    for (enum sim_line line = SIM_LINE_FEED; line < SIM_LINE_COUNT; line++) {
        world_delay(place, line, 1000000, USUAL_HIGH_NS);
    }
}

static void calm(enum world_place at)
{
    struct place *place = &world.place[at];
    usual_delays(at);
    for (int i = 0; i < place->faults.count; i++) {
        world.counts.fault_kind[place->faults.fault[i].kind] += place->faults.fault[i].fired;
    }
    place->faults.count = 0;
    for (int i = 0; i < sim_venue_instrument_count(place->venue); i++) {
        sim_venue_market(place->venue, i)->halted = false;
    }
    sim_venue_partials(place->venue, 0);
}

void world_calm(void)
{
    for (enum world_place at = WORLD_BINANCE; at < WORLD_PLACES; at++) {
        if (world.place[at].is != NULL) {
            calm(at);
        }
    }
    *wire_weather() = (struct wire_weather){ .low_ns = 50000, .high_ns = 500000 };
    world.skew_ns = 0;
    set_time(time_now.now_ns);
    trouble_calm();
    world_say("calm");
}

/* ------------------------------------------------------------------ beginning and end */

static void prepare(enum world_place at, uint64_t seed)
{
    struct place *place = &world.place[at];
    sim_delay_init(&place->delay, seed + at);
    usual_delays(at);
    sim_random_seed(&place->faults.random, seed, 4 + 100 * (uint64_t)at);
    sim_random_seed(&place->source.random, seed, 5 + 100 * (uint64_t)at);
    place->source.mode = SIM_SOURCE_SET;
    place->source.speed_ppm = 1000000;
}

void world_start(uint64_t seed, bool with_deribit)
{
    static const struct sim_handlers handlers = { NULL,       on_woke,          on_request, on_open,
                                                  on_message, on_control_frame, on_closed,  NULL };
    char error[256];
    bool log = world.log;
    memset(&world, 0, sizeof world);
    world.log = log;
    sim_random_seed(&world.random, seed, 23);
    world.done_ns = 1000 * NS_PER_S;
    set_time(world.done_ns);
    world.net = sim_net_new(NULL, NULL, &handlers, error, sizeof error);
    wire_start(world.net, seed);
    struct sim_source *source[WORLD_PLACES];
    uint32_t sources = 0;
    for (enum world_place at = WORLD_BINANCE; at < WORLD_PLACES; at++) {
        prepare(at, seed);
    }
    start_binance(seed);
    if (with_deribit) {
        start_deribit(seed);
    }
    for (enum world_place at = WORLD_BINANCE; at < WORLD_PLACES; at++) {
        if (world.place[at].is != NULL) {
            world.place[at].source.venue = world.place[at].venue;
            source[sources++] = &world.place[at].source;
        }
    }
    market_start(&world.market, source, sources, seed, time_now.now_ns);
    world.asked = true;
    tell_time();
    for (uint32_t i = 0; i < sources; i++) {
        sim_source_start(source[i], world_venue_ns());
    }
    world.machine = (struct world_machine){ .busy_ns = 20000, .idle_ns = 5 * NS_PER_MS };
}

void world_stop(void)
{
    wire_stop();
    sim_net_free(world.net);
    for (enum world_place at = WORLD_BINANCE; at < WORLD_PLACES; at++) {
        if (world.place[at].is != NULL) {
            world.place[at].is->free(world.place[at].shell);
            sim_venue_free(world.place[at].venue);
        }
    }
}
