/* cover: which cells of the state tables the whole engine reached.
 *
 * It stands around the functions that move states (order_step, instance_step, and each connection's on_state)
 * and reads the ladder from its events.  Cells of tables whose step is private to its file (a feed's sync, a
 * session's slots, the journal's reduction) are not counted here; their units visit every one. */
#ifndef POISE_TESTS_SIM_COVER_H
#define POISE_TESTS_SIM_COVER_H

#include "ring/base.h"

#include <stdio.h>

/* cover_rung notes what an EVENT_LADDER said. */
void cover_rung(uint32_t rung);

/* cover_tell writes one line a non-empty cell: "cell.TABLE.STATE.EVENT times". */
void cover_tell(FILE *out);

#endif
