/* rules: what the venue asks of orders on an instrument that is being traded: tick, lot, least and most of
 * an order, price bands, and whether it is traded at all.
 *
 * They change while an engine runs.  The cold thread reads the venue's metadata and says what is new by the
 * whole row, in this run's units (RECORD_INSTRUMENT after RECORD_RESTORE_DONE); here the row takes the place
 * of the one before, quotes are decided again on the new grid, and hedges keep to it from now on.  What an
 * instrument is (kind, contract, currencies, units) is as it was for the whole run: a row that says
 * otherwise is refused.  What is held and what rests is not touched: venues leave it.  Strategy core. */
#ifndef POISE_HOT_STRATEGY_RULES_H
#define POISE_HOT_STRATEGY_RULES_H

#include "hot/strategy/state.h"

/* rules_take consumes such a record; false when it made no sense. */
bool rules_take(struct strategy *s, const struct slot *record);

#endif
