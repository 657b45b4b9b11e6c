#include "tests/sim/world.h"

#include "tests/sim/trouble.h"
#include "tools/sim/binance/bn_shell.h"
#include "tools/sim/sim_setup.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NEVER         UINT64_MAX
#define USUAL_HIGH_NS 5000000 /* of the delays of a venue that is well */
enum { SHELLS_MAX = 4, CONNS = 1024 };

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
    int64_t (*next_ns)(void *shell);
    void *shell;
};

static struct {
    struct sim_random random;
    struct sim_venue *venue;
    struct sim_net *net;
    struct sim_source source;
    struct sim_faults faults;
    struct sim_delay delay;
    struct market market;
    uint32_t shell_count;
    struct world_shell shell[SHELLS_MAX];
    uint8_t shell_of[CONNS]; /* of an open WebSocket, by the low bits of its id */
    struct bn_shell *binance;
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

static void start_binance(uint64_t seed)
{
    static const char *const orders[] = { "lao", "alo", "oal", "loa", "aol", "ola" };
    struct bn_options options = { .seed = seed, .limits = true, .retired = true };
    options.post_only_expires = sim_random_chance(&world.random, 300000);
    memcpy(options.fill_order, orders[sim_random_range(&world.random, 0, 5)], 3);
    world.binance = bn_shell_new(&options, &world.faults, &world.delay);
    enum sim_cancel_ahead ahead =
        sim_random_chance(&world.random, 500000) ? SIM_CANCEL_AHEAD_PRORATA : SIM_CANCEL_AHEAD_NONE;
    world.venue = sim_venue_new(seed, ahead, bn_shell_emit, world.binance);
    bn_shell_attach(world.binance, world.venue, world.net);
    static const enum sim_kind kinds[] = { SIM_LINEAR, SIM_INVERSE };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct sim_instrument contract = sim_setup_instrument(kinds[i]);
        contract.funding_interval_ns = sim_random_range(&world.random, 2, 20) * 60 * INT64_C(1000000000);
        sim_venue_add_instrument(world.venue, &contract);
    }
    int account = sim_venue_add_account(world.venue, WORLD_KEY);
    sim_setup_balances(world.venue, account, "linear.USDT=1000000,inverse.BTC=20");
    bn_shell_add_key(world.binance, account, WORLD_KEY, WORLD_SECRET, false);
    for (int kind = 0; kind < SIM_KIND_COUNT; kind++) {
        sim_venue_account(world.venue, account)->wallet[kind].updated_ns = world_venue_ns();
    }
    world.shell[world.shell_count++] = (struct world_shell){ .serves = binance_serves,
                                                             .time = binance_time,
                                                             .request = bn_shell_request,
                                                             .open = bn_shell_open,
                                                             .message = bn_shell_message,
                                                             .control_frame = bn_shell_control_frame,
                                                             .closed = bn_shell_closed,
                                                             .step = binance_step,
                                                             .next_ns = binance_next_ns,
                                                             .shell = world.binance };
}

/* ------------------------------------------------------------------ the server's handlers */

static uint32_t shell_for(const char *host)
{
    for (uint32_t i = 0; i < world.shell_count; i++) {
        if (world.shell[i].serves(host)) {
            return i;
        }
    }
    return 0;
}

static void tell_time(void)
{
    for (uint32_t i = 0; i < world.shell_count; i++) {
        world.shell[i].time(world.shell[i].shell, world_venue_ns());
    }
}

static void on_woke(void *user)
{
    (void)user;
}

static void on_request(void *user, const struct sim_request *request)
{
    (void)user;
    struct world_shell *shell = &world.shell[shell_for(request->host)];
    shell->request(shell->shell, request);
}

static void *on_open(void *user, const struct sim_request *request)
{
    (void)user;
    uint32_t at = shell_for(request->host);
    world.shell_of[request->conn % CONNS] = (uint8_t)at;
    return world.shell[at].open(world.shell[at].shell, request);
}

static void on_message(void *user, uint64_t conn, void *session, const char *text, size_t length)
{
    (void)user;
    struct world_shell *shell = &world.shell[world.shell_of[conn % CONNS]];
    shell->message(shell->shell, conn, session, text, length);
}

static void on_control_frame(void *user, uint64_t conn, void *session, bool pong)
{
    (void)user;
    struct world_shell *shell = &world.shell[world.shell_of[conn % CONNS]];
    shell->control_frame(shell->shell, conn, session, pong);
}

static void on_closed(void *user, uint64_t conn, void *session)
{
    (void)user;
    struct world_shell *shell = &world.shell[world.shell_of[conn % CONNS]];
    shell->closed(shell->shell, conn, session);
}

/* ------------------------------------------------------------------ what others look at */

struct sim_venue *world_venue(void)
{
    return world.venue;
}

struct market *world_market(void)
{
    return &world.market;
}

struct sim_faults *world_faults(void)
{
    return &world.faults;
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
    uint64_t next = own_ns(sim_venue_next_ns(world.venue));
    next = world.market.next_ns < next ? world.market.next_ns : next;
    for (uint32_t i = 0; i < world.shell_count; i++) {
        uint64_t at = own_ns(world.shell[i].next_ns(world.shell[i].shell));
        next = at < next ? at : next;
    }
    return next;
}

/* Everything the venues have to do by now, at one instant: the market, then the model, then their shells. */
static void step_venues(void)
{
    int64_t venue_ns = world_venue_ns();
    tell_time();
    market_step(&world.market, time_now.now_ns, venue_ns);
    if (sim_venue_next_ns(world.venue) <= venue_ns) {
        sim_venue_advance(world.venue, venue_ns);
    }
    for (uint32_t i = 0; i < world.shell_count; i++) {
        if (world.shell[i].next_ns(world.shell[i].shell) <= venue_ns) {
            world.shell[i].step(world.shell[i].shell, venue_ns);
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
static void forget_faults(void)
{
    int kept = 0;
    for (int i = 0; i < world.faults.count; i++) {
        const struct sim_fault *fault = &world.faults.fault[i];
        bool moment_over = fault->next_ns == INT64_MAX && fault->for_ns == 0 && fault->fired != 0;
        bool over = fault->count == 0 || moment_over ||
                    (fault->for_ns != 0 && fault->at_ns + fault->for_ns <= world_venue_ns());
        if (!over) {
            world.faults.fault[kept++] = *fault;
        } else {
            world.counts.fault_kind[fault->kind] += fault->fired;
        }
    }
    world.faults.count = kept;
}

void world_fault(const char *format, ...)
{
    char spec[128], error[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(spec, sizeof spec, format, arguments);
    va_end(arguments);
    forget_faults();
    if (world.faults.count < SIM_FAULT_MAX) {
        if (!sim_fault_add(&world.faults, spec, world_venue_ns(), error, sizeof error)) {
            fprintf(stderr, "sim: %s\n", error);
            abort();
        }
        world.counts.faults++;
        trouble_spec(spec);
        world.asked = true;
        world_say("venue fault %s", spec);
    }
}

void world_skew(int64_t ns)
{
    world.skew_ns = ns;
    trouble_is("own_clock", ns != 0);
    set_time(time_now.now_ns);
    world_say("the engine's date is off by %.3f s", (double)ns / 1e9);
}

void world_delay(enum sim_line line, int64_t low_ns, int64_t high_ns)
{
    static const char *const names[SIM_LINE_COUNT] = { [SIM_LINE_FEED] = "late_feed",
                                                       [SIM_LINE_ORDER] = "late_orders",
                                                       [SIM_LINE_ACK] = "late_answers",
                                                       [SIM_LINE_PRIVATE] = "late_reports" };
    trouble_is(names[line], high_ns > USUAL_HIGH_NS);
    world.delay.low_ns[line] = low_ns;
    world.delay.high_ns[line] = high_ns;
}

static void usual_delays(void)
{
    for (enum sim_line line = SIM_LINE_FEED; line < SIM_LINE_COUNT; line++) {
        world_delay(line, 1000000, USUAL_HIGH_NS);
    }
}

void world_calm(void)
{
    usual_delays();
    for (int i = 0; i < world.faults.count; i++) {
        world.counts.fault_kind[world.faults.fault[i].kind] += world.faults.fault[i].fired;
    }
    world.faults.count = 0;
    *wire_weather() = (struct wire_weather){ .low_ns = 50000, .high_ns = 500000 };
    world.skew_ns = 0;
    set_time(time_now.now_ns);
    for (int i = 0; i < sim_venue_instrument_count(world.venue); i++) {
        sim_venue_market(world.venue, i)->halted = false;
    }
    sim_venue_partials(world.venue, 0);
    trouble_calm();
    world_say("calm");
}

/* ------------------------------------------------------------------ beginning and end */

void world_start(uint64_t seed)
{
    static const struct sim_handlers handlers = { NULL,       on_woke,          on_request, on_open,
                                                  on_message, on_control_frame, on_closed,  NULL };
    char error[256];
    bool log = world.log;
    memset(&world, 0, sizeof world);
    world.log = log;
    sim_random_seed(&world.random, seed, 23);
    sim_delay_init(&world.delay, seed);
    usual_delays();
    sim_random_seed(&world.faults.random, seed, 4);
    sim_random_seed(&world.source.random, seed, 5);
    world.done_ns = 1000 * NS_PER_S;
    set_time(world.done_ns);
    world.net = sim_net_new(NULL, NULL, &handlers, error, sizeof error);
    wire_start(world.net, seed);
    start_binance(seed);
    world.source.mode = SIM_SOURCE_SET;
    world.source.speed_ppm = 1000000;
    world.source.venue = world.venue;
    market_start(&world.market, &world.source, seed, time_now.now_ns);
    world.asked = true;
    tell_time();
    sim_source_start(&world.source, world_venue_ns());
    world.machine = (struct world_machine){ .busy_ns = 20000, .idle_ns = 5 * NS_PER_MS };
}

void world_stop(void)
{
    wire_stop();
    sim_net_free(world.net);
    bn_shell_free(world.binance);
    sim_venue_free(world.venue);
}
