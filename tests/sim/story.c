#include "tests/sim/story.h"

#include "hot/strategy/state.h"
#include "tests/sim/ask.h"
#include "tests/sim/cover.h"
#include "tests/sim/desk.h"
#include "tests/sim/disk.h"
#include "tests/sim/life.h"
#include "tests/sim/trouble.h"
#include "tests/sim/truth.h"
#include "tests/sim/watch.h"

#include <stdlib.h>

#define NEVER UINT64_MAX

/* What may go wrong in an episode; each family is drawn in or out, so that some seeds have one trouble alone.
 */
enum family {
    FAMILY_NET,     /* links cut, torn, silent, refused */
    FAMILY_REPORTS, /* executions twice, out of order, lost, late by minutes, in parts */
    FAMILY_ANSWERS, /* refusals, limits, outcomes that cannot be told */
    FAMILY_VENUE,   /* silence, gaps, maintenance, shutdowns, coarser ticks */
    FAMILY_ACCOUNT, /* liquidation, deleverage, money from outside, funding and settlements, keys that end */
    FAMILY_MACHINE, /* threads that stand still, dates that jump */
    FAMILY_DISK,
    FAMILY_LIES, /* answers that are old or empty */
    FAMILY_PERSON,
    FAMILY_DEATH,
    FAMILY_COUNT
};
static const char *const family_names[FAMILY_COUNT] = { "net",     "reports", "answers", "venue",  "account",
                                                        "machine", "disk",    "lies",    "person", "death" };

static struct {
    uint64_t seed, begun_ns, end_ns;
    bool on[FAMILY_COUNT];
    bool ending;
    uint64_t haste;  /* how much sooner a process dies than in the calmest story */
    uint64_t gap_ns; /* between two events, on average */
    uint64_t next_ns, weather_ns, disk_ns, lies_ns, skew_ns, delay_ns, resume_ns;
    uint64_t disturbed_ns; /* until then something hinders trading, or did a moment ago */
    bool unwinds;          /* a person said so in this life: a market that stands still does not take it */
    bool lied;             /* since the last life began */
    bool forced;           /* the venue moved our account by itself */
    uint32_t may_force;    /* how often it still may in this episode, */
    uint32_t may_tick;     /* how often a tick may become coarser */
    bool force_due;        /* and it will as soon as there is a position */
    struct life_options options;
    uint64_t events[FAMILY_COUNT], power_losses, refused, unavailable, hasty;
} story;

static int64_t draw(int64_t low, int64_t high)
{
    return sim_random_range(world_random(), low, high);
}

static bool chance(int64_t ppm)
{
    return sim_random_chance(world_random(), ppm);
}

/* As often small as large. */
static uint64_t draw_log(uint64_t low, uint64_t high)
{
    uint64_t value = low, top = low;
    while (top < high && chance(700000)) {
        top *= 2;
    }
    top = top < high ? top : high;
    value = (uint64_t)draw((int64_t)low, (int64_t)(top > low ? top : low));
    return value;
}

void story_disturb(uint64_t for_ns)
{
    uint64_t until_ns = time_now.now_ns + for_ns;
    story.disturbed_ns = until_ns > story.disturbed_ns ? until_ns : story.disturbed_ns;
    watch_excuse(until_ns + 20 * NS_PER_S);
}

/* ------------------------------------------------------------------ events, one function a family */

static void net_event(void)
{
    switch (draw(0, 4)) {
    case 0:
        world_say("net: every link is cut");
        wire_cut_all();
        story_disturb(10 * NS_PER_S);
        break;
    case 1:
        world_say("net: a link is cut");
        wire_cut_some();
        story_disturb(10 * NS_PER_S);
        break;
    case 2:
        world_say("net: a link falls silent");
        wire_hole_some();
        story_disturb(60 * NS_PER_S);
        break;
    default: {
        struct wire_weather *weather = wire_weather();
        uint64_t for_ns = (uint64_t)draw(1, 60) * NS_PER_S;
        weather->low_ns = draw(50, 20000) * 1000;
        weather->high_ns = weather->low_ns + draw(0, 300000) * 1000;
        weather->split_ppm = draw(0, 900000);
        weather->cut_ppm = chance(500000) ? draw(0, 20000) : 0;
        weather->hole_ppm = chance(300000) ? draw(0, 2000) : 0;
        weather->refuse_ppm = chance(300000) ? draw(0, 900000) : 0;
        story.weather_ns = time_now.now_ns + for_ns;
        trouble_begins("weather", story.weather_ns);
        world_say("net: weather for %.0f s: split %lld cut %lld hole %lld refuse %lld", (double)for_ns / 1e9,
                  (long long)weather->split_ppm, (long long)weather->cut_ppm, (long long)weather->hole_ppm,
                  (long long)weather->refuse_ppm);
        story_disturb(for_ns + (weather->hole_ppm != 0 ? 60 : 10) * NS_PER_S);
        break;
    }
    }
}

/* What a venue calls its parts: private streams, streams, requests; and how it refuses. */
struct scopes {
    uint32_t privates, streams, calls;
    const char *private_part[4], *stream[8], *call[12];
    const int *code;
    uint32_t codes;
    const char *coin, *other; /* its products, where a fault asks for one */
};

/* Every refusal that the venues' pages name. */
/* clang-format off */
static const int binance_codes[] = {
    -1000, -1001, -1002, -1003, -1006, -1007, -1008, -1013, -1015, -1021, -1022, -1034, -1111, -2010,
    -2011, -2013, -2014, -2015, -2018, -2019, -2022, -2023, -2024, -2025, -2026, -2027, -2028, -4003,
    -4004, -4005, -4013, -4014, -4016, -4023, -4024, -4046, -4059, -4061, -4087, -4088, -4116, -4118,
    -4131, -4140, -4141, -4164, -4183, -4184, -4192, -4400, -4401, -4531, -5021, -5022, -5024, -5027,
    -5028, -5029, -5040,
};
static const int deribit_codes[] = {
    10000, 10001, 10002, 10003, 10004, 10005, 10006, 10007, 10008, 10009, 10010, 10011, 10012, 10013,
    10014, 10015, 10016, 10017, 10018, 10019, 10020, 10021, 10022, 10023, 10024, 10025, 10026, 10027,
    10028, 10029, 10031, 10032, 10037, 10038, 10039, 10040, 10041, 10043, 10045, 10046, 10047, 10049,
    10066, 10072, 11008, 11013, 11021, 11022, 11029, 11030, 11031, 11042, 11043, 11044, 11046, 11047,
    11049, 11050, 11051, 11052, 11054, 11055, 11094, 11098, 13004, 13009, 13019, 13020, 13021, 13025,
    13028, 13030, 13031, 13032, 13042, 13403, 13668, 13777, 13778, 13888,
};
static const struct scopes scopes[WORLD_PLACES] = {
    [WORLD_BINANCE] = { 3, 8, 10,
        { "private", "usdm-private", "coinm-private" },
        { "public", "private", "usdm-public", "coinm-public", "usdm", "coinm", "usdm-private", "coinm-private" },
        { "usdm-wsapi", "coinm-wsapi", "usdm-rest", "coinm-rest", "place", "cancel", "modify", "query", "usdm",
          "coinm" },
        binance_codes, POISE_COUNT_OF(binance_codes),
        "coinm", "usdm" },
    [WORLD_DERIBIT] = { 2, 4, 9,
        { "deribit-private", "private" },
        { "deribit-public", "deribit-private", "deribit", "public" },
        { "deribit-order-place", "deribit-order-edit", "deribit-order-cancel", "deribit-order", "deribit-query",
          "deribit-account", "-ws", "-rest", "deribit-session" },
        deribit_codes, POISE_COUNT_OF(deribit_codes),
        "deribit", "deribit" },
};
/* clang-format on */

static enum world_place some_place(void)
{
    bool both = world_venue(WORLD_DERIBIT) != NULL;
    return both && chance(500000) ? WORLD_DERIBIT : WORLD_BINANCE;
}

static const char *private_scope(enum world_place at)
{
    return scopes[at].private_part[draw(0, scopes[at].privates - 1)];
}

static const char *stream_scope(enum world_place at)
{
    return scopes[at].stream[draw(0, scopes[at].streams - 1)];
}

static const char *call_scope(enum world_place at)
{
    return scopes[at].call[draw(0, scopes[at].calls - 1)];
}

static void reports_event(void)
{
    enum world_place at = some_place();
    double p = (double)draw(5, 100) / 100;
    int seconds = (int)draw(1, 90);
    switch (draw(0, 5)) {
    case 0:
        world_fault(at, "dup_reports:p=%.2f,for=%ds,scope=%s", p, seconds, private_scope(at));
        break;
    case 1:
        world_fault(at, "reorder_reports:p=%.2f,for=%ds,scope=%s", p, seconds, private_scope(at));
        break;
    case 2:
        world_fault(at, "drop_private:p=%.2f,for=%ds,scope=%s", p, seconds, private_scope(at));
        story_disturb((uint64_t)seconds * NS_PER_S);
        break;
    case 3:
        world_fault(at, "partial:p=%.2f,for=%ds", p, seconds);
        break;
    case 4: {
        int64_t late_ns = (int64_t)draw_log(20, 240000) * 1000000;
        world_delay(at, SIM_LINE_PRIVATE, late_ns / 2, late_ns);
        story.delay_ns = time_now.now_ns + (uint64_t)seconds * NS_PER_S;
        world_say("reports come up to %.1f s late for %d s", (double)late_ns / 1e9, seconds);
        story_disturb((uint64_t)seconds * NS_PER_S + (uint64_t)late_ns);
        break;
    }
    default:
        world_delay(at, SIM_LINE_ACK, 0, draw(1, 400) * 1000000);
        world_delay(at, SIM_LINE_ORDER, 0, draw(1, 400) * 1000000);
        story.delay_ns = time_now.now_ns + (uint64_t)seconds * NS_PER_S;
        story_disturb((uint64_t)seconds * NS_PER_S);
        break;
    }
}

static void answers_event(void)
{
    enum world_place at = some_place();
    double p = (double)draw(2, 100) / 100;
    int seconds = (int)draw(1, 60);
    switch (draw(0, 6)) {
    case 0:
        world_fault(at, "reject:p=%.2f,for=%ds,code=%d,scope=%s", p, seconds,
                    scopes[at].code[draw(0, scopes[at].codes - 1)], call_scope(at));
        break;
    case 1:
        world_fault(at, "rate_limit:p=%.2f,for=%ds,scope=%s", p, seconds, call_scope(at));
        story_disturb(60 * NS_PER_S); /* the venue says for how long; a ban is a minute and more */
        break;
    case 2:
        world_fault(at, "slow_ack:p=%.2f,for=%ds,ms=%d,scope=%s", p, seconds, (int)draw_log(10, 8000),
                    call_scope(at));
        break;
    case 3:
        world_fault(at, "unknown_503:p=%.2f,for=%ds,scope=%s", p, seconds, call_scope(at));
        break;
    case 4:
        world_fault(at, "timeout_1007:p=%.2f,for=%ds,ms=%d,scope=%s", p, seconds, (int)draw(100, 10000),
                    call_scope(at));
        break;
    case 5:
        world_fault(at, "no_reply:p=%.2f,for=%ds,scope=%s", p, seconds, call_scope(at));
        break;
    default: /* an order that is in doubt is asked for while it is young */
        world_fault(at, "query_2013:for=%ds,ms=%d", seconds, (int)draw_log(1000, 4000));
        world_fault(at, "%s:p=%.2f,for=%ds,scope=place", chance(500000) ? "no_reply" : "unknown_503", p,
                    seconds);
        break;
    }
    story_disturb((uint64_t)seconds * NS_PER_S + 15 * NS_PER_S);
}

/* Money comes from outside or leaves: nothing is in the way of trading. */
static void deposit_event(enum world_place at)
{
    bool dollars = chance(500000);
    const char *asset = !dollars ? "BTC" : at == WORLD_DERIBIT ? "USDC" : "USDT";
    const char *scope = dollars ? scopes[at].other : scopes[at].coin;
    world_fault(at, "%s:account=" WORLD_KEY ",asset=%s,amount=%s%02d,scope=%s,count=1",
                chance(600000) ? "deposit" : "withdrawal", asset, dollars ? "1" : "0.0", (int)draw(1, 99),
                scope);
}

/* What we hold there, of the contracts a scope names. */
static bool holds(enum world_place at, const char *scope)
{
    struct sim_venue *venue = world_venue(at);
    bool any = false;
    for (int i = 0; i < sim_venue_instrument_count(venue); i++) {
        enum sim_kind kind = sim_venue_market(venue, i)->instrument.kind;
        bool named = at == WORLD_DERIBIT || (strcmp(scope, scopes[at].coin) == 0) == (kind == SIM_INVERSE);
        any = any || (named && sim_venue_account(venue, 0)->holding[i].position.qty != 0);
    }
    return any;
}

/* The venue closes a position of ours, or a part of it, without being asked: as soon as there is one. */
static void force_position(void)
{
    enum world_place at = some_place();
    const char *scope = chance(500000) ? scopes[at].other : scopes[at].coin;
    if (!holds(at, scope)) {
        return; /* the next look draws again */
    }
    if (chance(500000)) {
        world_fault(at, "liquidate:account=" WORLD_KEY ",scope=%s,count=1", scope);
    } else {
        world_fault(at, "deleverage:account=" WORLD_KEY ",p=0.%02d,scope=%s,count=1", (int)draw(5, 99),
                    scope);
    }
    story.force_due = false;
    story.may_force--;
    story_forced();
    story_disturb((uint64_t)draw(30, 120) * NS_PER_S);
}

static void account_event(void)
{
    enum world_place at = some_place();
    switch (draw(0, 9)) {
    case 0:
    case 1:
        deposit_event(at);
        break;
    case 2:
    case 3:
        world_fault(at, "funding_rate:p=0.0%03d,count=1", (int)draw_log(1, 300));
        break;
    case 4:
    case 5:
        if (world_venue(WORLD_DERIBIT) != NULL) {
            world_fault(WORLD_DERIBIT, "settlement:ms=%d,count=1", (int)draw(100, 5000));
            story_disturb(20 * NS_PER_S);
            break;
        }
        /* fall through */
    case 6:
        world_fault(WORLD_BINANCE, "listenkey_expired:account=" WORLD_KEY ",count=1");
        story_disturb(60 * NS_PER_S);
        break;
    default:
        story.force_due = story.may_force != 0;
        break;
    }
}

/* Everything of a venue that closes: no streams, no requests. */
static void closing_event(enum world_place at, int seconds)
{
    world_fault(at, "maintenance:for=%ds,scope=%s", seconds, scopes[at].other);
    world_fault(at, "maintenance:for=%ds,scope=%s", seconds, scopes[at].coin);
    world_fault(at, "silence:for=%ds", seconds);
    world_fault(at, "reject:for=%ds,code=%d", seconds, at == WORLD_DERIBIT ? 11051 : -1001);
    if (chance(500000)) {
        world_fault(at, "disconnect:count=1");
    }
}

/* Prices must be coarser from now on; the engine learns it from a refusal, or within a minute. */
static void tick_event(enum world_place at)
{
    if (story.may_tick != 0) {
        story.may_tick--;
        world_fault(at, "tick_size:ms=%d,scope=%s,count=1", chance(500000) ? 2 : 5,
                    chance(500000) ? scopes[at].other : scopes[at].coin);
        story_disturb(90 * NS_PER_S);
    }
}

static void venue_event(void)
{
    enum world_place at = some_place();
    int seconds = (int)draw(1, 90);
    switch (draw(0, 11)) {
    case 0:
        world_fault(at, "silence:for=%ds,scope=%s", seconds, stream_scope(at));
        break;
    case 1:
        world_fault(at, "gap:p=0.%02d,for=%ds,scope=%s", (int)draw(1, 99), seconds, stream_scope(at));
        break;
    case 2:
        world_fault(at, "maintenance:for=%ds,scope=%s", seconds,
                    chance(500000) ? scopes[at].other : scopes[at].coin);
        break;
    case 3:
        world_fault(at, "server_shutdown:ms=%d,count=1", (int)draw(100, 10000));
        break;
    case 4:
    case 5:
        if (world_venue(WORLD_DERIBIT) != NULL) {
            world_fault(WORLD_DERIBIT, "heartbeat_only:for=%ds,scope=%s", seconds,
                        stream_scope(WORLD_DERIBIT));
            break;
        }
        /* fall through */
    case 6:
        world_fault(at, "disconnect:scope=%s,count=1", stream_scope(at));
        break;
    case 7:
        world_fault(at, "clock_skew:for=%ds,ms=%d", seconds, (int)draw(-20000, 20000));
        break;
    case 8:
        world_fault(at, "sequence:p=0.%02d,for=%ds,scope=%s", (int)draw(1, 99), seconds, stream_scope(at));
        break;
    case 9: {
        int64_t late_ns = (int64_t)draw_log(100, 30000) * 1000000;
        world_delay(at, SIM_LINE_FEED, late_ns / 2, late_ns);
        story.delay_ns = time_now.now_ns + (uint64_t)seconds * NS_PER_S;
        story_disturb((uint64_t)late_ns);
        break;
    }
    case 10:
        tick_event(at);
        break;
    default:
        closing_event(at, seconds);
        break;
    }
    story_disturb((uint64_t)seconds * NS_PER_S + 30 * NS_PER_S);
}

static void machine_event(void)
{
    if (chance(600000)) {
        world_machine()->stall_ns = draw_log(1, 20000) * NS_PER_MS;
        world_say("the hot threads stand still for %.3f s", (double)world_machine()->stall_ns / 1e9);
        story_disturb(world_machine()->stall_ns + 10 * NS_PER_S);
    } else if (chance(400000)) {
        uint64_t for_ns = draw_log(100, 90000) * NS_PER_MS;
        world_say("the whole process is suspended for %.3f s", (double)for_ns / 1e9);
        trouble_begins("suspended", time_now.now_ns + for_ns);
        story_disturb(for_ns + 30 * NS_PER_S);
        world_machine()->stall_ns = for_ns;
        world_run(time_now.now_ns + for_ns, NULL);
    } else {
        uint64_t for_ns = (uint64_t)draw(1, 120) * NS_PER_S;
        world_skew((chance(500000) ? 1 : -1) * (int64_t)draw_log(1, 30000) * 1000000);
        story.skew_ns = time_now.now_ns + for_ns;
        story_disturb(for_ns + 15 * NS_PER_S);
    }
}

static void disk_event(void)
{
    enum disk_fault fault = (enum disk_fault)draw(DISK_WELL, DISK_FAULT_COUNT - 1);
    uint64_t for_ns = (uint64_t)draw(1, 30) * NS_PER_S;
    disk_set(fault, draw(0, 500000));
    story.disk_ns = time_now.now_ns + for_ns;
    world_say("the disk is %s for %.0f s", disk_fault_names[fault], (double)for_ns / 1e9);
    story_disturb(for_ns + 10 * NS_PER_S);
}

static void lies_event(void)
{
    uint64_t for_ns = (uint64_t)draw(1, 60) * NS_PER_S;
    ask_lies(chance(500000) ? draw(0, 500000) : 0, chance(500000) ? draw(0, 500000) : 0);
    story.lies_ns = time_now.now_ns + for_ns;
    story.lied = true;
    watch_cash_told(false);
    story_disturb(for_ns + 30 * NS_PER_S);
}

/* The venue moved our account by itself. */
void story_forced(void)
{
    story.forced = true;
    watch_forced();
}

void story_command(struct run *run, enum command command, uint16_t instance)
{
    struct slot record;
    struct record_command *body =
        (struct record_command *)record_begin(&record, RECORD_COMMAND, 1, clock_now_ns());
    body->command = command;
    body->instance = instance;
    (void)channel_send(&run->engine.topology.control, &record);
}

static void person_event(struct run *run)
{
    static const enum command commands[] = { COMMAND_PAUSE, COMMAND_HALT, COMMAND_FLATTEN, COMMAND_RESUME };
    trouble_begins("person", 0);
    if (chance(250000)) {
        story.options.stop_at_ns = time_now.now_ns;
        story.options.hurry_at_ns =
            chance(300000) ? time_now.now_ns + (uint64_t)draw(0, 5000) * NS_PER_MS : NEVER;
        world_say("a person restarts the engine%s", story.options.hurry_at_ns != NEVER ? " in haste" : "");
        return;
    }
    enum command command = commands[draw(0, 3)];
    story.unwinds = story.unwinds || command == COMMAND_FLATTEN;
    story_command(run, command, NO_INSTANCE);
    story.resume_ns = time_now.now_ns + (uint64_t)draw(1, 60) * NS_PER_S;
}

/* ------------------------------------------------------------------ what goes on beside the engine */

static void end_windows(void)
{
    uint64_t now_ns = time_now.now_ns;
    if (now_ns >= story.weather_ns) {
        *wire_weather() = (struct wire_weather){ .low_ns = 50000, .high_ns = 500000 };
        story.weather_ns = NEVER;
    }
    if (now_ns >= story.disk_ns) {
        disk_set(DISK_WELL, 0);
        story.disk_ns = NEVER;
    }
    if (now_ns >= story.lies_ns) {
        ask_lies(0, 0);
        story.lies_ns = NEVER;
    }
    if (now_ns >= story.skew_ns) {
        world_skew(0);
        story.skew_ns = NEVER;
    }
    if (now_ns >= story.delay_ns) {
        for (enum world_place at = WORLD_BINANCE; at < WORLD_PLACES; at++) {
            world_delay(at, SIM_LINE_FEED, 1000000, 5000000);
            world_delay(at, SIM_LINE_PRIVATE, 1000000, 5000000);
            world_delay(at, SIM_LINE_ACK, 1000000, 5000000);
            world_delay(at, SIM_LINE_ORDER, 1000000, 5000000);
        }
        story.delay_ns = NEVER;
    }
}

static void one_event(struct run *run)
{
    enum family on[FAMILY_COUNT], family;
    int64_t count = 0;
    for (family = FAMILY_NET; family < FAMILY_DEATH; family++) {
        on[count] = family;
        count += story.on[family];
    }
    if (count == 0) {
        return;
    }
    family = on[draw(0, count - 1)];
    switch (family) {
    case FAMILY_NET:
        net_event();
        break;
    case FAMILY_REPORTS:
        reports_event();
        break;
    case FAMILY_ANSWERS:
        answers_event();
        break;
    case FAMILY_VENUE:
        venue_event();
        break;
    case FAMILY_ACCOUNT:
        account_event();
        break;
    case FAMILY_MACHINE:
        machine_event();
        break;
    case FAMILY_DISK:
        disk_event();
        break;
    case FAMILY_LIES:
        lies_event();
        break;
    case FAMILY_PERSON:
        if (run != NULL && run->reconcile != NULL && run->host.asked(run->host.context) == 0) {
            person_event(run);
        }
        break;
    case FAMILY_DEATH:
    case FAMILY_COUNT:
        return;
    }
    story.events[family]++;
}

/* A person looks at the engine now and then, and resumes what halted. */
static void look_after(struct run *run)
{
    if (run == NULL || run->reconcile == NULL || time_now.now_ns < story.resume_ns ||
        run->host.asked(run->host.context) != 0) { /* an engine that is leaving takes no such command */
        return;
    }
    story.resume_ns = time_now.now_ns + (uint64_t)draw(10, 60) * NS_PER_S;
    story_command(run, COMMAND_RESUME, NO_INSTANCE);
}

static void often(void *context, struct run *run)
{
    (void)context;
    enum market_regime regime = world_market()->regime;
    if (regime == MARKET_DEAD || regime == MARKET_JUMP || regime == MARKET_WIDE) {
        watch_excuse(time_now.now_ns + 20 * NS_PER_S); /* a hedge may find nobody within its band */
    }
    end_windows();
    look_after(run);
    if (story.force_due && !story.ending) {
        force_position();
    }
    if (!story.ending && time_now.now_ns >= story.next_ns) {
        story.next_ns = time_now.now_ns + (uint64_t)draw(0, (int64_t)(2 * story.gap_ns));
        one_event(run);
        if (chance(300000)) { /* and another at the same moment */
            one_event(run);
        }
    }
}

/* ------------------------------------------------------------------ lives */

/* How long a thread that finds nothing to do is away; most are slow, since what they do then costs us time.
 */
static uint64_t draw_pace_ns(void)
{
    return (uint64_t)(chance(100000) ? draw(1, 15) : draw(20, 100)) * NS_PER_MS;
}

static void choose_machine(void)
{
    struct world_machine *machine = world_machine();
    machine->busy_ns = (uint64_t)draw(2, 200) * NS_PER_US;
    machine->idle_ns = draw_pace_ns();
    story.options.cold_ns = draw_pace_ns();
    story.options.three_loops = chance(300000);
    machine->shuffle = story.options.three_loops;
}

static void choose_death(void)
{
    static const enum point kinds[] = { POINT_STEP, POINT_STEP,  POINT_STEPPED, POINT_STEPPED, POINT_SEND,
                                        POINT_SENT, POINT_WRITE, POINT_WROTE,   POINT_ASK,     POINT_COUNT };
    point_arm(POINT_COUNT, 0);
    if (!story.ending && story.on[FAMILY_DEATH] && chance(800000)) {
        enum point kind = kinds[draw(0, POISE_COUNT_OF(kinds) - 1)];
        uint64_t most = kind == POINT_ASK ? 200 : kind == POINT_SEND || kind == POINT_SENT ? 2000 : 30000;
        most = most / story.haste + 2;
        point_arm(kind, draw_log(1, most));
        story.events[FAMILY_DEATH]++;
    }
}

static void after_death(void)
{
    bool power = chance(200000);
    trouble_begins(power ? "power_loss" : "death", 0);
    if (power) {
        story.power_losses++;
        life_power_loss();
        world_say("and the power is lost");
    }
    uint64_t down_ns = draw_log(10, power ? 600000 : 120000) * NS_PER_MS;
    uint64_t until_ns = time_now.now_ns + down_ns;
    while (time_now.now_ns < until_ns) {
        often(NULL, NULL);
        uint64_t step_ns = time_now.now_ns + 100 * NS_PER_MS;
        world_run(step_ns < until_ns ? step_ns : until_ns, NULL);
    }
}

/* Everything is well from now on: what is unknown must become known, what is naked hedged. */
void story_begin_end(void)
{
    story.ending = true;
    world_calm();
    disk_set(DISK_WELL, 0);
    ask_lies(0, 0);
    market_calm(world_market(), NEVER);
    story.weather_ns = story.disk_ns = story.lies_ns = story.skew_ns = story.delay_ns = NEVER;
    story.resume_ns = time_now.now_ns + 5 * NS_PER_S;
    story_disturb(60 * NS_PER_S);
    watch_ends_hedged(story.forced);
}

static int live(uint64_t until_ns)
{
    choose_machine();
    choose_death();
    story.unwinds = false;
    story.options.stop_at_ns = until_ns;
    story.options.hurry_at_ns = NEVER;
    story.options.often = often;
    story.lied = story.lies_ns != NEVER;
    watch_cash_told(!story.lied);
    int code = life_run(&story.options);
    point_arm(POINT_COUNT, 0);
    return code;
}

/* One life of the middle of the story, and whether its end may be so. */
static void live_on(void)
{
    int code = live(story.end_ns);
    switch (code) {
    case LIFE_DIED:
        after_death();
        return;
    case 0:
        break;
    case 1:
        story.hasty++;
        if (story.options.hurry_at_ns == NEVER && !story.unwinds &&
            time_now.now_ns > story.disturbed_ns + 30 * NS_PER_S) {
            watch_violation("nothing was in the way, and the engine did not leave in peace");
        }
        break;
    case 3:
        story.unavailable++;
        /* Told to stop while it waited for a venue's next minute, it need not start. */
        if (time_now.now_ns > story.disturbed_ns + 60 * NS_PER_S &&
            time_now.now_ns < story.options.stop_at_ns) {
            watch_violation("nothing was in the way, and the engine did not start");
        }
        break;
    case 4:
        story.refused++;
        if (!story.lied) {
            watch_violation("recovery refused what it found, and nobody had lied");
        }
        break;
    default:
        watch_violation("the engine left with %d", code);
    }
    world_run(time_now.now_ns + (uint64_t)draw(1, 20) * NS_PER_S, NULL);
}

void story_begin(uint64_t seed, const struct desk_wish *wish, const char *folder, bool log)
{
    memset(&story, 0, sizeof story);
    desk_draw(seed, wish);
    story.seed = seed;
    watch_start(seed);
    trouble_start();
    world_log(log);
    world_start(seed, desk_has(WORLD_DERIBIT));
    ask_start(seed);
    disk_start(seed);
    life_start(folder);
    story.begun_ns = time_now.now_ns;
    story.options = (struct life_options){ 0 };
    world_say("the desk: %s%s", desk_layout_names[desk_layout()],
              desk_has_second() ? ", with a second hedge venue" : "");
    story.weather_ns = story.disk_ns = story.lies_ns = story.skew_ns = story.delay_ns = NEVER;
    story.resume_ns = time_now.now_ns + 60 * NS_PER_S;
}

/* In at most three lives everything must be known, hedged and at peace. */
void story_finish(void)
{
    for (int turn = 0; turn < 3; turn++) {
        int code = live(time_now.now_ns + 90 * NS_PER_S);
        if (code == 0) {
            life_stop();
            world_stop();
            return;
        }
        world_say("all is well, and the engine left with %d", code);
    }
    watch_violation("all was well for three lives, and none left in peace");
}

void story_run(uint64_t seed, const char *folder, bool log)
{
    story_begin(seed, NULL, folder, log);
    story.end_ns = time_now.now_ns + (uint64_t)draw(100, 900) * NS_PER_S;
    story.gap_ns = draw_log(2, 30) * NS_PER_S;
    story.next_ns = time_now.now_ns + (uint64_t)draw(0, 60) * NS_PER_S;
    int64_t share = draw(0, 3) * 300000;
    story.haste = draw_log(1, 100);
    story.may_force = (uint32_t)draw(1, 5);
    story.may_tick = 1 + seed % 3;
    for (enum family family = FAMILY_NET; family < FAMILY_COUNT; family++) {
        /* deaths are counted by the position in the journal: many are not at one of their own */
        story.on[family] = chance(family == FAMILY_DEATH ? share + 250000 : share);
        if (story.on[family]) {
            world_say("this story has trouble of the kind: %s", family_names[family]);
        }
    }
    while (time_now.now_ns < story.end_ns) {
        live_on();
    }
    story_begin_end();
    story_finish();
}

/* ------------------------------------------------------------------ what was counted */

void story_tell(FILE *out)
{
    const struct watch_counts *w = watch_counts();
    const struct wire_counts *n = wire_counts();
    const struct life_counts *l = life_counts();
    const struct disk_counts *d = disk_counts();
    const struct ask_counts *a = ask_counts();
    const struct world_counts *v = world_counts();
    static const char *const fault_names[SIM_FAULT_KIND_COUNT] = {
        "disconnect", "server_shutdown", "listenkey_expired", "liquidate",    "deposit",        "silence",
        "gap",        "dup_reports",     "reorder_reports",   "drop_private", "partial",        "reject",
        "rate_limit", "slow_ack",        "unknown_503",       "timeout_1007", "no_reply",       "clock_skew",
        "query_2013", "maintenance",     "funding_rate",      "settlement",   "heartbeat_only", "deleverage",
        "withdrawal", "tick_size",       "sequence",
    };
    const struct {
        const char *name;
        uint64_t value;
    } rows[] = {
        { "simulated_seconds", (time_now.now_ns - story.begun_ns) / NS_PER_S },
        { "records_consumed", w->records },
        { "records_consumed.clock", w->clocks },
        { "records_said", w->said },
        { "executions_told", w->fills },
        { "executions_told_again", w->duplicates },
        { "executions_at_the_venue", truth_fills() },
        { "orders", w->orders },
        { "amends", w->amends },
        { "cancels", w->cancels },
        { "queries", w->queries },
        { "hedges", w->hedges },
        { "rejects", w->rejects },
        { "unknown_outcomes", w->unknowns },
        { "halts", w->halts },
        { "rung.query", w->rungs[1] },
        { "rung.second", w->rungs[2] },
        { "rung.emergency", w->rungs[3] },
        { "rung.reduce", w->rungs[4] },
        { "rung.halt", w->rungs[5] },
        { "most_naked_ms", w->max_naked_ns / NS_PER_MS },
        { "lives", l->lives },
        { "deaths", l->deaths },
        { "deaths_at_own_position", l->positions },
        { "power_losses", story.power_losses },
        { "left_in_peace", l->exits[0] },
        { "left_in_haste", l->exits[1] },
        { "venue_unavailable_at_start", l->exits[3] },
        { "recovery_refused", l->exits[4] },
        { "journals_replayed", w->journals },
        { "records_replayed", w->replayed },
        { "looks_at_everything", w->checks },
        { "looks_at_the_ledger", w->books_checks },
        { "ends_with_money_untold", w->untold },
        { "ends_with_executions_owed", w->owed },
        { "ends_with_an_account_unread", w->unread },
        { "ends_proved_hedged", w->truths },
        { "ends_with_delta_proved", w->deltas },
        { "links", n->links },
        { "link.pieces_split", n->splits },
        { "link.cut", n->cuts },
        { "link.torn_inside_a_message", n->torn },
        { "link.silent", n->holes },
        { "link.refused", n->refused },
        { "bytes_to_venues", n->bytes_up },
        { "bytes_from_venues", n->bytes_down },
        { "disk.refused", d->refused },
        { "disk.short_writes", d->short_writes },
        { "disk.torn_files", d->torn },
        { "disk.lost_bytes", d->lost_bytes },
        { "answers.stale", a->stale },
        { "answers.empty", a->empty },
        { "answers.none", a->failed },
        { "turns_of_the_hot_loops", v->turns },
        { "stalls", v->stalls },
    };
    for (size_t i = 0; i < POISE_COUNT_OF(rows); i++) {
        fprintf(out, "%s %llu\n", rows[i].name, (unsigned long long)rows[i].value);
    }
    for (int i = 0; i < POINT_COUNT; i++) {
        fprintf(out, "death_at.%s %llu\n", point_names[i], (unsigned long long)l->deaths_at[i]);
    }
    for (int i = 0; i < SIM_FAULT_KIND_COUNT; i++) {
        if (fault_names[i] == NULL) {
            continue; /* a kind that the stories do not draw yet */
        }
        fprintf(out, "fault.%s %llu\n", fault_names[i], (unsigned long long)v->fault_kind[i]);
    }
    for (int i = 0; i < FAMILY_COUNT; i++) {
        fprintf(out, "events.%s %llu\n", family_names[i], (unsigned long long)story.events[i]);
    }
    trouble_tell(out);
    cover_tell(out);
    fprintf(out, "hash %llu\n", (unsigned long long)watch_hash());
}
