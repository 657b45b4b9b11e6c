#include "tests/sim/desk.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum side_leg { COINM, USDM, PERPETUAL, USDC, LEG_COUNT };

/* clang-format off */
static const struct {
    const char *name, *account;
    enum world_place place;
    int64_t unit; /* of a size drawn as 1 to 30, in 10^-4 of the leg's own quantity */
    const char *text;
} legs[LEG_COUNT] = {
    [COINM]     = { "binance.inverse.BTCUSD_PERP",        "coinm",   WORLD_BINANCE, 10000,  "contracts of 100 USD" },
    [USDM]      = { "binance.linear.BTCUSDT",             "usdm",    WORLD_BINANCE, 60,     "BTC" },
    [PERPETUAL] = { "deribit.inverse.BTC-PERPETUAL",      "deribit", WORLD_DERIBIT, 1000000, "USD" },
    [USDC]      = { "deribit.linear.BTC_USDC-PERPETUAL",  "deribit", WORLD_DERIBIT, 60,     "BTC" },
};

struct pair {
    enum side_leg quote, hedge;
};

static const struct {
    const char *name;
    uint32_t count;
    struct pair pair[DESK_PAIRS_MAX];
    enum side_leg second[2]; /* where the ladder may go, one of these */
} layouts[DESK_LAYOUT_COUNT] = {
    [DESK_BINANCE]        = { "binance",        1, { { COINM, USDM } },                             { PERPETUAL, USDC } },
    [DESK_DERIBIT_QUOTES] = { "deribit_quotes", 1, { { PERPETUAL, USDM } },                         { COINM, USDC } },
    [DESK_DERIBIT_HEDGES] = { "deribit_hedges", 1, { { COINM, PERPETUAL } },                        { USDM, USDC } },
    [DESK_LINEAR_QUOTES]  = { "linear_quotes",  1, { { USDM, PERPETUAL } },                         { COINM, USDC } },
    [DESK_SAME_LEGS]      = { "same_legs",      2, { { COINM, USDM }, { COINM, USDM } },            { PERPETUAL, USDC } },
    [DESK_SHARED_HEDGE]   = { "shared_hedge",   2, { { COINM, USDM }, { PERPETUAL, USDM } },        { USDC, USDC } },
    [DESK_EACH_OTHERS]    = { "each_others",    2, { { COINM, USDM }, { USDM, COINM } },            { PERPETUAL, USDC } },
};
/* clang-format on */

const char *const desk_layout_names[DESK_LAYOUT_COUNT] = {
    "binance",   "deribit_quotes", "deribit_hedges", "linear_quotes",
    "same_legs", "shared_hedge",   "each_others",
};

/* What one instance is told; drawn one after the other, so that every compiler draws the same. */
struct taste {
    int64_t coin, levels, size, step_bp, profit_bp, inventory, skew_bp, ticks, requote_ms, band_bp,
        timeout_ms;
    int64_t ladder_ms, orphan_cancel;
};

static struct {
    enum desk_layout layout;
    bool second;
    enum side_leg second_leg;
    int64_t sync_ms, naked_ms, unknown, dead_man_ms[3], cancel;
    struct taste taste[DESK_PAIRS_MAX];
} desk;

static int64_t draw(struct sim_random *random, int64_t low, int64_t high)
{
    return sim_random_range(random, low, high);
}

static struct taste draw_taste(struct sim_random *random)
{
    struct taste t = { 0 };
    t.coin = sim_random_chance(random, 500000);
    t.levels = draw(random, 1, 3);
    t.size = draw(random, 1, 30);
    t.step_bp = draw(random, 1, 4);
    t.profit_bp = -draw(random, 7, 12);
    t.inventory = t.size * draw(random, 3, 12);
    t.skew_bp = draw(random, 0, 5);
    t.ticks = draw(random, 1, 20);
    t.requote_ms = draw(random, 20, 500);
    t.band_bp = draw(random, 5, 30);
    t.timeout_ms = draw(random, 50, desk.naked_ms < 1000 ? desk.naked_ms : 1000);
    t.ladder_ms = draw(random, 500, 3000);
    return t;
}

void desk_draw(uint64_t seed, const struct desk_wish *wish)
{
    static const enum desk_layout often[] = { DESK_BINANCE,        DESK_BINANCE,        DESK_DERIBIT_QUOTES,
                                              DESK_DERIBIT_QUOTES, DESK_DERIBIT_HEDGES, DESK_LINEAR_QUOTES,
                                              DESK_SAME_LEGS,      DESK_SHARED_HEDGE,   DESK_EACH_OTHERS };
    struct sim_random random;
    memset(&desk, 0, sizeof desk);
    sim_random_seed(&random, seed, 30);
    desk.layout = often[draw(&random, 0, POISE_COUNT_OF(often) - 1)];
    desk.second = sim_random_chance(&random, 400000);
    int64_t second = draw(&random, 0, 1);
    desk.sync_ms = draw(&random, 1, 300);
    desk.naked_ms = draw(&random, 200, 3000);
    desk.unknown = draw(&random, 3, 20);
    for (int i = 0; i < 3; i++) {
        desk.dead_man_ms[i] =
            i < 2 && sim_random_chance(&random, 250000) ? 0 : draw(&random, i < 2 ? 5000 : 10000, 20000);
    }
    desk.cancel = sim_random_chance(&random, 330000);
    if (wish != NULL && wish->chosen) {
        desk.layout = wish->layout;
        desk.second = wish->second;
        desk.cancel = desk.cancel && !wish->adopt;
        for (int i = 0; i < 3 && wish->no_dead_man; i++) {
            desk.dead_man_ms[i] = 0;
        }
        desk.naked_ms = wish->naked_ms != 0 ? wish->naked_ms : desk.naked_ms;
    }
    desk.second_leg = layouts[desk.layout].second[second];
    for (uint32_t i = 0; i < DESK_PAIRS_MAX; i++) {
        desk.taste[i] = draw_taste(&random);
        if (wish != NULL && wish->chosen) {
            desk.taste[i].ladder_ms = wish->ladder_ms != 0 ? wish->ladder_ms : desk.taste[i].ladder_ms;
            desk.taste[i].timeout_ms = wish->timeout_ms != 0 ? wish->timeout_ms : desk.taste[i].timeout_ms;
        }
    }
}

enum desk_layout desk_layout(void)
{
    return desk.layout;
}

uint32_t desk_pairs(void)
{
    return layouts[desk.layout].count;
}

bool desk_has_second(void)
{
    return desk.second;
}

static bool trades(enum side_leg leg)
{
    bool is = desk.second && desk.second_leg == leg;
    for (uint32_t i = 0; i < desk_pairs(); i++) {
        is = is || layouts[desk.layout].pair[i].quote == leg || layouts[desk.layout].pair[i].hedge == leg;
    }
    return is;
}

bool desk_has(enum world_place place)
{
    bool has = false;
    for (enum side_leg leg = COINM; leg < LEG_COUNT; leg++) {
        has = has || (trades(leg) && legs[leg].place == place);
    }
    return has;
}

/* ------------------------------------------------------------------ files */

static void write_text(const char *name, const char *text)
{
    int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    POISE_ASSERT(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static void write_accounts(struct sim_text *text)
{
    if (trades(COINM) || trades(USDM)) {
        sim_text_add(text, "[venue.binance]\nconnect_to = \"127.0.0.1:1\"\n");
    }
    if (trades(PERPETUAL) || trades(USDC)) {
        sim_text_add(text, "[venue.deribit]\nconnect_to = \"127.0.0.1:1\"\n");
    }
    for (enum side_leg leg = COINM; leg <= USDM; leg++) {
        if (trades(leg)) {
            sim_text_add(text,
                         "[[account]]\nname = \"%s\"\nvenue = \"binance\"\nproduct = \"%s\"\n"
                         "key_file = \"key.toml\"\nmaker_bp = 2\ntaker_bp = 5\norder_rate_10s = 150\n"
                         "order_rate_60s = 600\ndead_man_ms = %lld\n",
                         legs[leg].account, leg == COINM ? "inverse" : "linear",
                         (long long)desk.dead_man_ms[leg]);
        }
    }
    if (trades(PERPETUAL) || trades(USDC)) {
        sim_text_add(text,
                     "[[account]]\nname = \"deribit\"\nvenue = \"deribit\"\nproduct = \"all\"\n"
                     "key_file = \"deribit.toml\"\norder_rate_10s = 300\norder_rate_60s = 1800\n"
                     "trade_burst = 100\ntrade_rate_s = 30\ndead_man_ms = %lld\n",
                     (long long)desk.dead_man_ms[2]);
    }
}

/* An amount drawn in steps of a leg, as the leg counts. */
static void put_size(struct sim_text *text, const char *name, enum side_leg leg, int64_t steps)
{
    int64_t e4 = steps * legs[leg].unit;
    if (e4 % 10000 == 0) {
        sim_text_add(text, "%s = %lld\n", name, (long long)(e4 / 10000));
    } else {
        sim_text_add(text, "%s = %lld.%03lld\n", name, (long long)(e4 / 10000), (long long)(e4 % 10000 / 10));
    }
}

static void write_pair(struct sim_text *text, uint32_t at)
{
    const struct taste *t = &desk.taste[at];
    enum side_leg quote = layouts[desk.layout].pair[at].quote, hedge = layouts[desk.layout].pair[at].hedge;
    sim_text_add(text,
                 "[[quote]]\nname = \"btc%u\"\nquote_leg = \"%s\"\nquote_account = \"%s\"\n"
                 "hedge_leg = \"%s\"\nhedge_account = \"%s\"\n",
                 at, legs[quote].name, legs[quote].account, legs[hedge].name, legs[hedge].account);
    if (desk.second) {
        sim_text_add(text, "second_leg = \"%s\"\nsecond_account = \"%s\"\n", legs[desk.second_leg].name,
                     legs[desk.second_leg].account);
    }
    put_size(text, "size", quote, t->size);
    put_size(text, "max_inventory", quote, t->inventory);
    /* coin that an instance owns can only be on an account that is margined in it */
    sim_text_add(text,
                 "delta_basis = \"%s\"\nallocation = %s\non_restart = \"%s\"\n"
                 "sides = \"both\"\nlevels = %lld\nlevel_step_bp = %lld\nmin_profit_bp = %lld\n"
                 "hedge_cost_bp = 0.2\nmax_spread_bp = 60\nmax_depth_percent = 50\n"
                 "skew_bp = %lld\nrequote_ticks = %lld\nrequote_min_ms = %lld\nfair_half_life_ms = 10000\n"
                 "fair_bound_bp = 60\nquote_stale_ms = 5000\nhedge_stale_ms = 3000\nhedge_band_bp = %lld\n"
                 "emergency_band_bp = 80\nhedge_timeout_ms = %lld\nmax_naked = 0.05\nladder_step_ms = %lld\n"
                 "position_grace_ms = 10000\n",
                 t->coin ? "coin" : "usd", quote == USDM ? "0" : "0.5", desk.cancel ? "cancel" : "adopt",
                 (long long)t->levels, (long long)t->step_bp, (long long)t->profit_bp, (long long)t->skew_bp,
                 (long long)t->ticks, (long long)t->requote_ms, (long long)t->band_bp,
                 (long long)t->timeout_ms, (long long)t->ladder_ms);
}

void desk_write(bool apart)
{
    struct sim_text text = { 0 };
    write_text("key.toml", "api_key = \"" WORLD_KEY "\"\napi_secret = \"" WORLD_SECRET "\"\n");
    write_text("deribit.toml", "api_key = \"" WORLD_KEY "\"\napi_secret = \"" WORLD_SECRET "\"\n");
    sim_text_add(&text,
                 "[engine]\nmode = \"sim\"\nid = 1\nreport_currency = \"USD\"\nstate_dir = \"state\"\n"
                 "shared_dir = \"shared\"\nsegment_bytes = 1048576\njournal_ring_slots = 16384\n"
                 "journal_sync_ms = %lld\nclock_tick_us = 20000\nlog_level = \"error\"\n",
                 (long long)desk.sync_ms);
    sim_text_add(&text, "[cores]\nfeed = %d\nstrategy = %d\ngateway = %d\ncold = -2\nyield = true\n",
                 apart ? 0 : -1, apart ? 1 : -1, apart ? 2 : -1);
    sim_text_add(&text,
                 "[risk]\nmax_order = 50000\nmax_position = 5\nmax_delta = 2\nmax_loss = 0\n"
                 "max_naked_ms = %lld\nprice_band_bp = 200\nmax_orders_per_s = 100\nmax_open_orders = 20\n"
                 "max_unknown = %lld\nmax_rejects_per_min = 200\nstale_clock_ms = 2000\n",
                 (long long)desk.naked_ms, (long long)desk.unknown);
    write_accounts(&text);
    sim_text_add(&text, "[[convert]]\nfrom = \"USDT\"\nto = \"USD\"\nfixed = \"1\"\n");
    sim_text_add(&text, "[[convert]]\nfrom = \"USDC\"\nto = \"USD\"\nfixed = \"1\"\n");
    for (uint32_t i = 0; i < desk_pairs(); i++) {
        write_pair(&text, i);
    }
    write_text("poise.toml", text.data);
    sim_text_free(&text);
}
