#include "tests/sim/market.h"

#include <string.h>

#define SECOND UINT64_C(1000000000)

static int64_t range(struct market *market, int64_t low, int64_t high)
{
    return sim_random_range(&market->random, low, high);
}

static bool chance(struct market *market, int64_t ppm)
{
    return sim_random_chance(&market->random, ppm);
}

static void choose(struct market *market, uint64_t now_ns)
{
    static const enum market_regime often[] = { MARKET_CALM, MARKET_CALM,  MARKET_BUSY, MARKET_BUSY,
                                                MARKET_BUSY, MARKET_TREND, MARKET_JUMP, MARKET_WIDE,
                                                MARKET_CALM, MARKET_DEAD };
    market->regime = often[range(market, 0, (int64_t)(sizeof often / sizeof often[0]) - 1)];
    market->drift_ppm = range(market, -60, 60);
    for (uint32_t i = 0; i < market->sources; i++) {
        market->basis_ppm[i] = range(market, -400, 400);
    }
    market->regime_until_ns =
        now_ns + SECOND * (uint64_t)range(market, 5, market->regime == MARKET_DEAD ? 20 : 120);
}

/* The price of the coin on one contract, in its units at a tick. */
static int64_t bid_of(const struct market *market, uint32_t source, int instrument)
{
    const struct sim_instrument *i = &sim_venue_market(market->source[source]->venue, instrument)->instrument;
    int64_t middle_e8 = market->middle_e8;
    int64_t unit = 1;
    if (i->kind == SIM_INVERSE) {
        middle_e8 += (int64_t)((__int128)middle_e8 * market->basis_ppm[source] / 1000000);
    }
    for (int d = i->price_decimals; d < 8; d++) {
        unit *= 10;
    }
    return middle_e8 / unit / i->tick * i->tick;
}

static void trade(struct market *market, uint32_t source, int instrument, int64_t venue_ns)
{
    struct sim_venue *venue = market->source[source]->venue;
    const struct sim_instrument *i = &sim_venue_market(venue, instrument)->instrument;
    struct sim_level level[4];
    bool sells = chance(market, 500000);
    size_t count = sim_venue_depth(venue, instrument, sells ? SIM_BUY : SIM_SELL, level, 4);
    if (count == 0) {
        return;
    }
    /* at the touch or a few levels through it, of any size up to what stands there */
    size_t at = (size_t)range(market, 0, (int64_t)count - 1);
    int64_t qty =
        chance(market, 300000) ? level[at].qty : range(market, 1, level[at].qty) / i->step * i->step;
    if (qty > 0) {
        market->trades++;
        sim_source_trade(market->source[source], instrument, level[at].price, qty, sells, venue_ns);
    }
}

/* What usually stands at the touch: 40,000 dollars, or 0.6 of the coin. */
static int64_t usual_size(const struct sim_instrument *i)
{
    int64_t size = i->kind == SIM_INVERSE ? 40000 / i->contract_size : 6;
    for (int d = 1; d < i->qty_decimals; d++) {
        size *= 10;
    }
    return size;
}

static void touch(struct market *market, uint32_t source, int instrument, int64_t venue_ns)
{
    const struct sim_instrument *i = &sim_venue_market(market->source[source]->venue, instrument)->instrument;
    int64_t bid = bid_of(market, source, instrument);
    int64_t spread = i->tick * (market->regime == MARKET_WIDE ? range(market, 20, 400) : range(market, 1, 3));
    int64_t usual = usual_size(i);
    int64_t bid_qty = range(market, usual / 20, usual) / i->step * i->step;
    int64_t ask_qty = range(market, usual / 20, usual) / i->step * i->step;
    sim_source_touch(market->source[source], instrument, bid, bid + spread, bid_qty, ask_qty, venue_ns);
}

static void move(struct market *market)
{
    int64_t ppm = 0;
    switch (market->regime) {
    case MARKET_CALM:
        ppm = chance(market, 400000) ? range(market, -20, 20) : 0;
        break;
    case MARKET_BUSY:
        ppm = range(market, -60, 60);
        break;
    case MARKET_TREND:
        ppm = market->drift_ppm + range(market, -20, 20);
        break;
    case MARKET_JUMP:
        if (chance(market, 60000)) {
            market->jumps++;
            ppm = range(market, -10000, 10000);
        }
        break;
    default:
        break;
    }
    market->middle_e8 += (int64_t)((__int128)market->middle_e8 * ppm / 1000000);
    /* Prices wander, but stay where a contract's limits and margins mean something. */
    int64_t low = 20000 * INT64_C(100000000), high = 150000 * INT64_C(100000000);
    market->middle_e8 = market->middle_e8 < low ? low : market->middle_e8 > high ? high : market->middle_e8;
}

void market_start(struct market *market, struct sim_source *const *source, uint32_t sources, uint64_t seed,
                  uint64_t now_ns)
{
    memset(market, 0, sizeof *market);
    market->sources = sources;
    sim_random_seed(&market->random, seed, 22);
    market->middle_e8 = range(market, 30000, 120000) * INT64_C(100000000);
    for (uint32_t i = 0; i < sources; i++) {
        market->source[i] = source[i];
        source[i]->middle_e8 = market->middle_e8;
    }
    market->step_low_ns = range(market, 100, 1500) * 1000000;
    market->step_high_ns = market->step_low_ns * range(market, 2, 6);
    market->next_ns = now_ns + SECOND / 10;
    choose(market, now_ns);
}

void market_step(struct market *market, uint64_t now_ns, int64_t venue_ns)
{
    if (now_ns < market->next_ns) {
        return;
    }
    market->next_ns = now_ns + (uint64_t)range(market, market->step_low_ns, market->step_high_ns);
    market->steps++;
    if (now_ns >= market->regime_until_ns) {
        choose(market, now_ns);
    }
    if (market->regime == MARKET_DEAD) {
        return;
    }
    move(market);
    for (uint32_t at = 0; at < market->sources; at++) {
        for (int i = 0; i < sim_venue_instrument_count(market->source[at]->venue); i++) {
            if (market->source[at]->other[i]) {
                continue;
            }
            if (chance(market, market->regime == MARKET_BUSY ? 600000 : 250000)) {
                trade(market, at, i, venue_ns);
            }
            touch(market, at, i, venue_ns);
        }
    }
}

void market_calm(struct market *market, uint64_t until_ns)
{
    market->regime = MARKET_CALM;
    market->regime_until_ns = until_ns;
}
