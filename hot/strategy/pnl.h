/* pnl: where an instance's profit since its first fill came from, in the report currency.
 *
 * Equity = booked cash + unrealised profit at mark (+ the allocated coin with delta_basis = usd), each
 * converted at the current rate.  The zero point is the first time that every mark and rate is known, or what
 * RESTORE_PNL brought over from the runs before (risk loss_since = first_fill).  TRADING,
 * FEE, SLIPPAGE and FUNDING are added up as they happen, RESIDUAL is delta x the coin's move between two
 * looks, BASIS is what remains: so the parts sum to the change of equity exactly, always.
 *
 * Amounts saturate rather than wrap; they inform people and the loss limit, never an order's size.
 * Strategy core, on fills and on the clock only. */
#ifndef POISE_HOT_STRATEGY_PNL_H
#define POISE_HOT_STRATEGY_PNL_H

#include "hot/strategy/state.h"

/* pnl_fill attributes one execution: a quote's against the fair price, a hedge's against its decision. */
void pnl_fill(struct strategy *s, struct instance *instance, enum leg leg, enum pnl_part part, enum side side,
              int64_t qty, int64_t price, int64_t reference_price);

/* pnl_cash attributes money of a currency (positive: received). */
void pnl_cash(struct strategy *s, struct instance *instance, enum pnl_part part, uint16_t currency,
              int64_t amount_e8);

/* pnl_look brings RESIDUAL and BASIS up to now; false while a mark or rate is missing. */
bool pnl_look(struct strategy *s, struct instance *instance);

/* pnl_equity_e8 is the instance's equity now; false while a mark or rate is missing. */
bool pnl_equity(struct strategy *s, const struct instance *instance, int64_t *equity_e8);

/* pnl_total_e8 sums the parts. */
int64_t pnl_total(const struct instance *instance);

#endif
