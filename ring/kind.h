/* kind: what a fill does, per kind of instrument.  One table of functions; hot exposure and the cold
 * ledger use the same one.
 *
 * Words.  Base coin: the coin whose price it is.  Notional of a position: the exact signed sum over its
 * fills of qty x price (linear, spot: in quote currency) or of contracts x contract / price (inverse: in
 * base coin), in 1e-12 and 128 bits, so that no average is ever kept.
 *
 * Formulas (shared by venues; the venue page says where a venue differs):
 *   linear, spot  realised = closed qty x contract x (exit - entry)                        in quote
 *   inverse       realised = closed contracts x contract x (1/entry - 1/exit) for a long   in base coin
 * Entry of a partly closed position is its whole average: closing a part takes the same share of the
 * notional.  Any thread; no allocation, no float. */
#ifndef POISE_RING_KIND_H
#define POISE_RING_KIND_H

#include "ring/decimal.h"
#include "ring/instrument.h"

#define KIND_E12 1000000000000LL

struct position {
    int64_t qty;         /* signed, qty units */
    int128 notional_e12; /* signed like qty; see above */
};

/* Where a cent of profit came from.  The parts of an instance sum to its change in equity exactly. */
enum pnl_part {
    PNL_TRADING = 0, /* spread: fill price against the fair price at the fill */
    PNL_BASIS,       /* the legs' prices moving against each other */
    PNL_FUNDING,
    PNL_FEE,      /* fees negative, rebates positive */
    PNL_SLIPPAGE, /* hedge fills against the price at the decision */
    PNL_RESIDUAL, /* price moves on delta left open */
    PNL_ROUNDING,
    PNL_PART_COUNT
};

/* What moved, for one fill, before fees.  Spot moves two currencies, derivatives only settle realised P&L. */
struct fill_effect {
    uint16_t base_currency;  /* CURRENCY_NONE when no base moves */
    uint16_t quote_currency; /* CURRENCY_NONE when no quote moves */
    uint16_t settle_currency;
    int64_t base_e8;     /* spot: coin received (+) or given (-) */
    int64_t quote_e8;    /* spot: the other side */
    int64_t realised_e8; /* derivatives: booked into the settlement currency, rounded half to even at 1e-8 */
};

/* kind_fill applies one fill to the position: qty > 0 in qty units, price > 0 in price units. */
void kind_fill(const struct instrument *instrument, struct position *position, enum side side, int64_t qty,
               int64_t price, struct fill_effect *effect);

/* kind_exposure_e12 is the signed change of delta, in 1e-12 base coin, that this fill makes by itself and
 * for ever: qty x contract for linear and spot, contracts x contract / price for inverse (architecture 4:
 * with the coin's own cash flows added it does not move with the mark). */
int128 kind_exposure_e12(const struct instrument *instrument, enum side side, int64_t qty, int64_t price);

/* kind_delta_e12 is the position's contract delta at a mark, in 1e-12 base coin, without collateral.  Of a
 * spot position it is the coin itself: whoever counts that coin as cash leaves this out. */
int128 kind_delta_e12(const struct instrument *instrument, const struct position *position, int64_t mark);

/* kind_unrealised_e8 is the position's open P&L at a mark in its settlement currency, rounded down. */
int64_t kind_unrealised_e8(const struct instrument *instrument, const struct position *position,
                           int64_t mark);

/* kind_coin_e8 is how much base coin a quantity is at a price, rounded as told (qty may be negative). */
int64_t kind_coin_e8(const struct instrument *instrument, int64_t qty, int64_t price, enum rounding rounding);

/* kind_quote_e8 is its value in quote currency. */
int64_t kind_quote_e8(const struct instrument *instrument, int64_t qty, int64_t price,
                      enum rounding rounding);

/* kind_qty_for_coin answers the quantity (a multiple of lot, rounded as told) that is coin_e12 at a price;
 * coin_e12 >= 0. */
int64_t kind_qty_for_coin(const struct instrument *instrument, int128 coin_e12, int64_t price,
                          enum rounding rounding);

/* kind_fee_e8 is rate_centibp of the notional, in the currency *currency (settlement for derivatives,
 * quote for a spot sell, base for a spot buy).  Paid is positive, a rebate negative, rounded up at 1e-8: our
 * cash moves down by it, in the venue's favour. */
int64_t kind_fee_e8(const struct instrument *instrument, enum side side, int64_t qty, int64_t price,
                    int64_t rate_centibp, uint16_t *currency);

/* kind_entry_price is the average entry in price units, rounded half to even, for people; 0 when flat. */
int64_t kind_entry_price(const struct instrument *instrument, const struct position *position);

/* kind_smallest_qty is the smallest order the venue accepts at this price: the larger of min_qty and the
 * lots that reach min_notional (ignored when reduce_only). */
int64_t kind_smallest_qty(const struct instrument *instrument, int64_t price, bool reduce_only);

#endif
