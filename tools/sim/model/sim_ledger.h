/* sim_ledger: what one fill does to a position and to cash, for spot, linear and inverse contracts.
 *
 * A position is kept as exact sums (quantity, entry notional), never as an average.  For a linear contract
 * the notional is quantity x price in the quote asset; for an inverse one contracts x size / price in coin,
 * rounded down at 10^-16 per fill.  Bookings round down: a fee toward zero, a realised profit toward minus
 * infinity, each at 10^-8 of the settlement asset; what the rounding left out is summed apart, exactly.
 * Pure arithmetic, no time. */
#ifndef TOOLS_SIM_MODEL_SIM_LEDGER_H
#define TOOLS_SIM_MODEL_SIM_LEDGER_H

#include "tools/sim/model/sim_types.h"

struct sim_position {
    int64_t qty;        /* signed: long positive */
    __int128 basis_e16; /* entry notional of |qty|, never negative */
};

struct sim_booking {
    int64_t fee_e8;        /* paid, in the settlement asset */
    int64_t pnl_e8;        /* realised, signed */
    int64_t value_e8;      /* notional of the fill, rounded down */
    __int128 rounding_e16; /* exact minus booked, of profit and fee together, in favour of the account */
};

/* sim_ledger_value answers the notional of qty (positive) at price, at 10^-16, rounded down. */
__int128 sim_ledger_value(const struct sim_instrument *instrument, int64_t qty, int64_t price);

/* sim_ledger_value_at is the same at a price given at 10^-8 (a mark). */
__int128 sim_ledger_value_at(const struct sim_instrument *instrument, int64_t qty, int64_t price_e8);

/* sim_ledger_fill applies one fill of signed_qty at price and says what was booked.  A fill through zero
 * closes the old position whole and opens the rest at the fill price. */
struct sim_booking sim_ledger_fill(const struct sim_instrument *instrument, struct sim_position *position,
                                   int64_t signed_qty, int64_t price, int64_t fee_rate_e8);

/* sim_ledger_unrealised answers the profit of the position if closed at a mark, at 10^-8, rounded down. */
int64_t sim_ledger_unrealised(const struct sim_instrument *instrument, const struct sim_position *position,
                              int64_t mark_e8);

/* sim_ledger_entry answers the average entry price at 10^-8, rounded down, 0 when flat. */
int64_t sim_ledger_entry(const struct sim_instrument *instrument, const struct sim_position *position);

/* sim_ledger_funding answers the cash change of a funding payment at a mark: longs pay a positive rate.
 * Rounded down (against the account). */
int64_t sim_ledger_funding(const struct sim_instrument *instrument, const struct sim_position *position,
                           int64_t mark_e8, int64_t rate_e8);

#endif
