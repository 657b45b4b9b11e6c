/* ladder: what happens when a hedge does not come.
 *
 *   NONE       nothing is naked, or not for long
 *   QUERY      every hedge that is not finished is asked for; hedging goes on as before
 *   SECOND     hedges go to the second venue, when one is configured
 *   EMERGENCY  hedges go out with the emergency band, on a fresh mark if there is no book
 *   REDUCE     the quoted leg is reduced as well, at the market
 *   HALT       the instance halts; hedging goes on as in EMERGENCY until it is no longer naked
 *
 * The first rung comes max_naked_ns after the exposure, each next one ladder_step_ns later; each is a
 * EVENT_LADDER record with its deadline.  Hedges keep their conservation on every rung: an UNKNOWN hedge
 * counts as executed when sizing, so a rung never answers the same exposure twice.  Strategy core. */
#ifndef POISE_HOT_STRATEGY_EXEC_LADDER_H
#define POISE_HOT_STRATEGY_EXEC_LADDER_H

#include "hot/strategy/state.h"

enum ladder_event {
    LADDER_EVENT_DEADLINE = 0,  /* still naked when the rung's time was over */
    LADDER_EVENT_DEADLINE_LONE, /* the same, and no second venue is configured */
    LADDER_EVENT_CLEARED,       /* not naked any more */
    LADDER_EVENT_COUNT
};

uint8_t ladder_next(enum rung rung, enum ladder_event event);

/* ladder_step moves the rung; false for an empty cell. */
bool ladder_step(struct instance *instance, enum ladder_event event);

/* ladder_update looks at naked time and does what the rung it arrives at says. */
void ladder_update(struct strategy *s, struct instance *instance);

#endif
