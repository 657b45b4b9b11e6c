/* figures: the running engine as numbers, drawn from the journal's stream.
 *
 * Cold thread.  Every record the strategy consumed or emitted passes here once, in order; what people look
 * at (`poise monitor`, metrics, the demo's summary) is counted from it and set on the counters page under
 *
 *   m.<instrument>.*   feed, bid, bid_qty, ask, ask_qty, mark, price_decimals, qty_decimals
 *   a.<account>.*      state, rejects
 *   i.<instance>.*     state, pull, fills, buys, sells, partials, hedges, requotes, quote_qty, hedge_qty,
 *                      delta_e8, naked_ns, max_naked_ns, bid, bid_qty, ask, ask_qty, fair_centibp, pnl_*_e8
 *   engine.*           run, halted, stopped, events, alarms, duplicates, unknowns, lost
 *
 * Values are integers in the unit the name ends with; prices and quantities in the instrument's units. */
#ifndef POISE_TOOLS_POISE_FIGURES_H
#define POISE_TOOLS_POISE_FIGURES_H

#include "config/config.h"
#include "ring/counters.h"
#include "ring/kind.h"

struct figures;

/* figures_create registers everything; NULL without memory. */
struct figures *figures_create(struct counters *counters, const struct config *config,
                               const struct instrument_table *instruments,
                               const struct account_table *accounts);
void figures_destroy(struct figures *figures);

/* figures_record counts one journaled record. */
void figures_record(struct figures *figures, const struct slot *record);

/* figures_profit sets an instance's parts, as the ledger counts them: from the first fill on, whatever
 * restarts lie between.  (The strategy's own, in its status records, begin anew with each run.) */
void figures_profit(struct figures *figures, uint16_t instance, const int64_t part_e8[PNL_PART_COUNT]);

/* figures_stopped: the strategy said that nothing rests and nothing is naked. */
bool figures_stopped(const struct figures *figures);

/* figures_hedged: each configured instance has said that it may quote, and that nothing of it is naked. */
bool figures_hedged(const struct figures *figures);
bool figures_halted(const struct figures *figures);

/* figures_counter_low: order ids run low since the last call. */
bool figures_counter_low(struct figures *figures);

/* figures_doubt: since the last call something happened that only REST can clear up: a session came back, an
 * outcome is unknown, an execution's price is open. */
bool figures_doubt(struct figures *figures);

/* figures_unread: an account's session was down, is up again since the answer, and the strategy was not told
 * yet that what happened meanwhile was read; 0 else. */
uint64_t figures_unread_ns(const struct figures *figures, uint16_t account);

/* figures_time_refused: since the last look a venue has refused a request of this account for its stamp. */
bool figures_time_refused(struct figures *figures, uint16_t account);

/* figures_told_read: the strategy is told now, that it was read or that it cannot be. */
void figures_told_read(struct figures *figures, uint16_t account, bool read);

/* figures_rules: since the last call an order was refused for the venue's rules, or because its instrument is
 * not traded: they may be others than when they were read. */
bool figures_rules(struct figures *figures);

#endif
