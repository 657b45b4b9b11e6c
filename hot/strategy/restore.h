/* restore: how a strategy is built, and how its state is written down again.
 *
 * RECORD_BEGIN, then instruments, accounts, fees, conversions, limits and parameters in any order in which
 * each comes after what it names, then RESTORE records, then RECORD_RESTORE_DONE.  Afterwards these types
 * are ignored, except RESTORE_COUNTER (a new block of order ids), FEE and CONVERT (fresher values), and
 * INSTRUMENT (rules.h).
 *
 * Restored orders are in doubt until the venue was asked.  on_restart says what becomes of quotes that
 * still rest: adopted in their place, or cancelled; flatten unwinds the instance as COMMAND_FLATTEN does.
 * A restored position that is no leg of its instance any more: on_orphan = refuse halts at the start, hold
 * puts it in the unassigned row, flatten unwinds it as the instance's own.  Strategy core. */
#ifndef POISE_HOT_STRATEGY_RESTORE_H
#define POISE_HOT_STRATEGY_RESTORE_H

#include "hot/strategy/state.h"

/* restore_consume takes one such record; false when it made no sense (counted by the caller). */
bool restore_consume(struct strategy *s, const struct slot *record);

/* restore_write emits what rebuilds the state; see strategy_state_write. */
void restore_write(const struct strategy *s, void (*write)(void *context, const struct slot *record),
                   void *context);

/* restore_params_check answers NULL when an instance can work with these parameters, else what is wrong. */
const char *restore_params_check(const struct strategy *s, const struct quote_params *params);

#endif
