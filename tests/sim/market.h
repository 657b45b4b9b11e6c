/* market: the prices of a simulation: one drawn path for all contracts, through the regimes a market has.
 *
 * It sets books and prints trades in a sim_source that stands still by itself (SIM_SOURCE_SET), coarser than
 * a recording so that days pass in seconds.  One thread. */
#ifndef POISE_TESTS_SIM_MARKET_H
#define POISE_TESTS_SIM_MARKET_H

#include "tools/sim/sim_source.h"

enum market_regime {
    MARKET_CALM,  /* ticks, small trades */
    MARKET_BUSY,  /* many trades at the touch */
    MARKET_TREND, /* a drift through the book */
    MARKET_JUMP,  /* gaps of up to a percent */
    MARKET_WIDE,  /* a spread far beyond the usual */
    MARKET_DEAD,  /* nothing at all */
    MARKET_REGIME_COUNT
};

enum { MARKET_SOURCES_MAX = 4 };

struct market {
    struct sim_source *source[MARKET_SOURCES_MAX]; /* one a venue */
    uint32_t sources;
    struct sim_random random;
    int64_t middle_e8;
    int64_t basis_ppm[MARKET_SOURCES_MAX]; /* of a venue's inverse contract over the linear one */
    int64_t drift_ppm;
    enum market_regime regime;
    uint64_t next_ns, regime_until_ns;
    int64_t step_low_ns, step_high_ns;
    uint64_t steps, jumps, trades;
};

/* market_start: what a source marks as another's (struct sim_source, other) is not played. */
void market_start(struct market *market, struct sim_source *const *source, uint32_t sources, uint64_t seed,
                  uint64_t now_ns);

/* market_step does what is due at now_ns; venue_ns is the venue's own time of it. */
void market_step(struct market *market, uint64_t now_ns, int64_t venue_ns);

/* market_calm stays calm until told otherwise by the next regime: for the end of an episode. */
void market_calm(struct market *market, uint64_t until_ns);

#endif
