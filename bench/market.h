/* market: what the strategy and journey cases trade, and the records a strategy is built from.
 *
 * Bids and asks rest on Deribit's BTC-PERPETUAL (inverse, amounts in USD, prices in 0.0001 with a tick of
 * 0.5) and are hedged on Binance's BTCUSDT (linear, prices in 0.1, quantities in 0.001 BTC).  Quotes follow
 * every change: no least time, no least distance, rates far above what a bench sends, the risk gate on. */
#ifndef POISE_BENCH_MARKET_H
#define POISE_BENCH_MARKET_H

#include "config/params.h"
#include "ring/account.h"
#include "ring/instrument.h"
#include "ring/record.h"

enum { MARKET_INVERSE = 0, MARKET_LINEAR = 1, MARKET_LEGS = 2 }; /* instruments and accounts alike */

#define MARKET_COST_CENTIBP 500    /* both fees: a bid stands so far below what its hedge is sold at */
#define MARKET_SIZE         100000 /* USD a quote */
#define MARKET_TICK         5000   /* of the quoted leg */
#define MARKET_ENGINE       5

/* market_tables fills emptied tables with both legs. */
void market_tables(struct instrument_table *instruments, struct account_table *accounts);

/* market_build says every record from BEGIN to RESTORE_DONE to `say`, in order. */
void market_build(const struct instrument_table *instruments, const struct account_table *accounts,
                  uint64_t now_ns, int64_t wall_ns, void (*say)(void *context, const struct slot *record),
                  void *context);

/* market_bid and market_ask are where the quotes must stand when a full one can be sold, or bought, at this
 * price (in tenths) on the linear leg. */
int64_t market_bid(int64_t hedge_price);
int64_t market_ask(int64_t hedge_price);

#endif
