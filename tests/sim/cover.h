/* cover: which cells of the state tables the whole engine reached.
 *
 * It stands around the functions that move states (order_step, instance_step, each connection's on_state),
 * that look a table up (reduction, sessions) or that change a book (a feed's sync), and reads the ladder from
 * its events.  A replay of a journal is not counted. */
#ifndef POISE_TESTS_SIM_COVER_H
#define POISE_TESTS_SIM_COVER_H

#include "ring/base.h"

#include <stdio.h>

struct strategy;

/* One table: how often each cell was used, the names, and whether a cell is one. */
struct cover_table {
    const char *name;
    int states, events;
    const uint64_t *times; /* states times events */
    const char *const *state, *const *event;
    int (*cell)(int state, int event);
};
extern const struct cover_table cover_sync, cover_binance, cover_deribit;

/* cover_born: a process begins; its ladders stand at NONE.  cover_rung notes what an EVENT_LADDER said. */
void cover_born(void);
void cover_rung(const struct strategy *strategy, uint16_t instance, uint32_t rung);

/* cover_pause: what comes until it is said again is a replay. */
void cover_pause(bool paused);

/* cover_tell writes one line a non-empty cell: "cell.TABLE.STATE.EVENT times". */
void cover_tell(FILE *out);

#endif
