/* desk: what a trader set up for an episode: which legs on which venues, and every parameter beside them.
 *
 * One desk is drawn from the seed and stays for all lives of the episode; a named scenario chooses its own.
 * The layouts (two venues or one, a second hedge venue, instances that share a leg) stand in a table in
 * desk.c.  desk_write writes the configuration and the keys a life begins with. */
#ifndef POISE_TESTS_SIM_DESK_H
#define POISE_TESTS_SIM_DESK_H

#include "tests/sim/world.h"

enum { DESK_PAIRS_MAX = 3 };

enum desk_layout {
    DESK_BINANCE,        /* quotes COIN-M, hedges USD-M */
    DESK_DERIBIT_QUOTES, /* quotes BTC-PERPETUAL, hedges USD-M */
    DESK_DERIBIT_HEDGES, /* quotes COIN-M, hedges BTC-PERPETUAL */
    DESK_LINEAR_QUOTES,  /* quotes USD-M, hedges BTC-PERPETUAL */
    DESK_SAME_LEGS,      /* two instances with the same two legs */
    DESK_SHARED_HEDGE,   /* two instances quote different legs and hedge on one */
    DESK_EACH_OTHERS,    /* each instance quotes where the other hedges */
    DESK_LAYOUT_COUNT
};
extern const char *const desk_layout_names[DESK_LAYOUT_COUNT];

/* What a scenario wants otherwise than drawn; zero is as drawn. */
struct desk_wish {
    bool chosen;
    enum desk_layout layout;
    bool second, no_second; /* a second hedge venue */
    int64_t naked_ms, ladder_ms, timeout_ms;
    bool adopt, no_dead_man;
};

/* desk_draw chooses; wish may be NULL. */
void desk_draw(uint64_t seed, const struct desk_wish *wish);
enum desk_layout desk_layout(void);
bool desk_has(enum world_place place);
bool desk_has_second(void);
uint32_t desk_pairs(void);

/* desk_write writes poise.toml and the key files into the working directory; apart: a loop for each role. */
void desk_write(bool apart);

#endif
