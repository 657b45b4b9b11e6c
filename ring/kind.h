/* kind: what a fill does, per kind of instrument.  One table of functions; hot exposure and the cold
 * ledger use the same one.
 *
 * Words.  Base coin: the coin whose price it is.  Notional of a position: the exact signed sum over its
 * fills of qty x price (linear, spot: in quote currency) or of contracts x contract / price (inverse: in
 * base coin), in 1e-12 and 128 bits, so that no average is ever kept.
 *
 * Formulas (shared by venues; the venue page says where a venue differs).  C is the contract size:
 *   linear        realised = qty x C x (exit - entry)                        in quote
 *   spot, pool    base coin and quote currency change hands; profit is what they are worth
 *   inverse       realised = qty x C x (1/entry - 1/exit) for a long         in base coin
 *   quanto        realised = qty x C x (exit - entry), C in settlement currency per 1 of price  in settlement
 *   option        the premium qty x C x price is paid in full, in the settlement currency: the coin for
 * inverse premium, the quote currency for linear.  At expiry a call pays qty x C x max(0, S - K), a put qty x
 * C x max(0, K - S), and with inverse premium the same divided by S ETF share     qty x price is paid in
 * full; C is only the coin behind a share, which is its delta pool          a swap of x in at reserves (X, Y)
 * and fee f gives Y x (1-f) / (X + x (1-f)) out, rounded down Sources: contract specifications of Binance
 * (linear, inverse, dated), Deribit (inverse, options and their delivery) and BitMEX (quanto); the
 * constant-product formula of Uniswap v2; a fund's coin per share is what its sponsor publishes each day.
 *
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

/* How cash follows a fill. */
enum kind_cash {
    KIND_CASH_NONE = 0,
    KIND_CASH_SETTLES,   /* only what was realised is booked; the open part of equity is unrealised profit */
    KIND_CASH_EXCHANGES, /* coin against quote currency: both are cash, nothing is open */
    KIND_CASH_PAYS /* the price is paid in full; the open part of equity is what the position is worth */
};

/* What the delta of some kinds leans on beside their own price. */
struct kind_market {
    int64_t mark;      /* price units */
    int64_t settle_e8; /* quanto: 1 of the settlement currency in quote currency; else 0 */
    int64_t delta_e12; /* option: d(value in USD)/d(coin's price) per coin, Black-Scholes, as the venue or
                          cold says; else 0 */
};

/* What moved, for one fill or an expiry, before fees.  Which of the currencies are set says which of the
 * amounts are cash: spot and pool move two, derivatives settle what was realised, and where the price is paid
 * in full only the payment moves (quote_*, in the settlement currency) and realised_e8 is for people. */
struct fill_effect {
    uint16_t base_currency;  /* CURRENCY_NONE when no base moves */
    uint16_t quote_currency; /* CURRENCY_NONE when no quote moves */
    uint16_t settle_currency;
    int64_t base_e8;     /* spot: coin received (+) or given (-) */
    int64_t quote_e8;    /* the other side, or the payment */
    int64_t realised_e8; /* derivatives: booked into the settlement currency, rounded half to even at 1e-8 */
};

/* kind_cash says how cash follows a fill of this kind; KIND_CASH_NONE for a kind nobody knows. */
enum kind_cash kind_cash(uint8_t kind);

/* kind_is_traded: a strategy trades it.  The others have their formulas here, and no strategy yet. */
bool kind_is_traded(uint8_t kind);

/* kind_settles_in_coin: profit of a futures kind is counted in base coin (inverse). */
bool kind_settles_in_coin(uint8_t kind);

/* kind_delta_is_own: delta follows from quantity and price alone; else kind_market_delta_e12 must be asked.
 */
bool kind_delta_is_own(uint8_t kind);

/* kind_fits: a fill's values fit money, in quote currency and in coin.  A venue's slip of the keyboard must
 * be told from a fill before anything is asked of it: the functions below assert that products fit. */
bool kind_fits(const struct instrument *instrument, int64_t qty, int64_t price);

/* kind_fill applies one fill to the position: qty > 0 in qty units, price > 0 in price units. */
void kind_fill(const struct instrument *instrument, struct position *position, enum side side, int64_t qty,
               int64_t price, struct fill_effect *effect);

/* kind_reprice corrects the price of a fill that was counted at another one; quantities do not move.  Where
 * the position is on the fill's side the fill opened it, and its notional is corrected, as the venue's
 * average is; else it closed, and what was realised was another (effect->realised_e8 in settle_currency).
 * What was paid or got in full is corrected in effect->quote_e8. */
void kind_reprice(const struct instrument *instrument, struct position *position, enum side side, int64_t qty,
                  int64_t from_price, int64_t to_price, struct fill_effect *effect);

/* kind_exposure_e12 (kinds whose delta is their own) is the signed change of delta, in 1e-12 base coin, that
 * this fill makes by itself and for ever: qty x contract for linear and spot, contracts x contract / price
 * for inverse (architecture 4: with the coin's own cash flows added it does not move with the mark). */
int128 kind_exposure_e12(const struct instrument *instrument, enum side side, int64_t qty, int64_t price);

/* kind_delta_e12 (kinds whose delta is their own) is the position's contract delta at a mark, in 1e-12 base
 * coin, without collateral.  Of a spot position it is the coin itself: whoever counts that coin as cash
 * leaves this out. */
int128 kind_delta_e12(const struct instrument *instrument, const struct position *position, int64_t mark);

/* kind_market_delta_e12 is the same for every kind.  Quanto: qty x C is settlement currency per 1 of price,
 * so its coin is qty x C x settle_e8.  Option: qty x C x delta, less the premium's own coin where the premium
 * is coin (that coin is in the equity already).  A missing settle_e8 answers false. */
bool kind_market_delta_e12(const struct instrument *instrument, const struct position *position,
                           const struct kind_market *market, int128 *delta_e12);

/* kind_worth_e12 is what the position is worth at a mark, signed, in 1e-12 of what its notional is in. */
int128 kind_worth_e12(const struct instrument *instrument, const struct position *position, int64_t mark);

/* kind_open_e12 is what the position adds to equity beside booked cash (enum kind_cash), in 1e-12 of the
 * settlement currency: 0, unrealised profit, or worth. */
int128 kind_open_e12(const struct instrument *instrument, const struct position *position, int64_t mark);

/* kind_expire closes the whole position at the delivery price, which is told in 1e-8 because an average of an
 * index is finer than a tick.  Futures: what was realised, in effect->settle_currency.  Options: the payoff,
 * rounded down, in effect->quote_currency; realised_e8 less the premium.  false, and nothing done, for kinds
 * that do not expire. */
bool kind_expire(const struct instrument *instrument, struct position *position, int64_t delivery_e8,
                 struct fill_effect *effect);

/* kind_margin_e8 is rate_ppm of the position's worth at a mark, rounded up, in *currency (the settlement
 * currency); 0 with CURRENCY_NONE for kinds that are paid in full or exchanged, unless an option is short. */
int64_t kind_margin_e8(const struct instrument *instrument, const struct position *position, int64_t mark,
                       int64_t rate_ppm, uint16_t *currency);

/* kind_option_fee_e8 is rate_centibp of the underlying, at most cap_ppm of the premium, rounded up, in the
 * settlement currency (Deribit, Binance: the cap keeps cheap options tradeable).  underlying_e8 is the index.
 */
int64_t kind_option_fee_e8(const struct instrument *instrument, int64_t qty, int64_t price,
                           int64_t underlying_e8, int64_t rate_centibp, int64_t cap_ppm);

/* kind_dividend_e8 is what a holding is paid (a short one pays), rounded down. */
int64_t kind_dividend_e8(const struct instrument *instrument, const struct position *position,
                         int64_t per_share_e8);

/* kind_swap_out is what a constant-product pool gives for amount_in, both in the reserves' smallest units,
 * rounded down as the pool does; 0 when a reserve is empty.  kind_swap_in is the least that must be put in to
 * get amount_out, or 0 when the pool does not hold more than that. */
int64_t kind_swap_out(int64_t reserve_in, int64_t reserve_out, int64_t amount_in, int64_t fee_ppm);
int64_t kind_swap_in(int64_t reserve_in, int64_t reserve_out, int64_t amount_out, int64_t fee_ppm);

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

/* kind_scale: what the gate asks of every order, measured once per instrument.  A quantity's coin and quote
 * value are then a product and a division of the same fraction, so every answer is the general function's to
 * the last digit.  An instrument that does not fit (not plain) is answered by the general functions. */
struct kind_scale {
    int64_t coin_up, coin_down;   /* coin 1e-8 = qty x up / down (x price where inverse) */
    int64_t quote_up, quote_down; /* quote currency 1e-8 = qty x up (x price where not inverse) / down */
    int64_t smallest_qty;         /* without a minimum value */
    int64_t least_up, least_down; /* the lots that reach the minimum value = up / down (/ price likewise); 0:
                                     asked of the general function */
    bool plain, inverse;
};

struct kind_scale kind_scale(const struct instrument *instrument);

/* kind_scale_coin_e8 is kind_coin_e8. */
static inline int64_t kind_scale_coin_e8(const struct kind_scale *scale, const struct instrument *instrument,
                                         int64_t qty, int64_t price, enum rounding rounding)
{
    if (POISE_UNLIKELY(!scale->plain)) {
        return kind_coin_e8(instrument, qty, price, rounding);
    }
    POISE_ASSERT(price > 0);
    int128 down = scale->inverse ? (int128)scale->coin_down * price : scale->coin_down;
    return decimal_divide((int128)qty * scale->coin_up, down, rounding);
}

/* kind_scale_quote_e8 is kind_quote_e8. */
static inline int64_t kind_scale_quote_e8(const struct kind_scale *scale, const struct instrument *instrument,
                                          int64_t qty, int64_t price, enum rounding rounding)
{
    int128 up = (int128)qty * scale->quote_up;
    if (POISE_UNLIKELY(!scale->plain || (!scale->inverse && (up != (int64_t)up ||
                                                             price <= 0)))) { /* or the product may not fit */
        return kind_quote_e8(instrument, qty, price, rounding);
    }
    return decimal_divide(scale->inverse ? up : (int128)(int64_t)up * price, scale->quote_down, rounding);
}

/* kind_scale_smallest_qty is kind_smallest_qty. */
static inline int64_t kind_scale_smallest_qty(const struct kind_scale *scale,
                                              const struct instrument *instrument, int64_t price,
                                              bool reduce_only)
{
    if (reduce_only || instrument->min_notional_e8 <= 0) {
        return scale->smallest_qty;
    }
    if (POISE_UNLIKELY(scale->least_up == 0 || price <= 0)) {
        return kind_smallest_qty(instrument, price, reduce_only);
    }
    int128 down = scale->inverse ? scale->least_down : (int128)scale->least_down * price;
    int64_t lots = decimal_divide(scale->least_up, down, ROUND_UP);
    int64_t qty;
    bool overflow = __builtin_mul_overflow(lots, instrument->lot, &qty);
    POISE_ASSERT(!overflow);
    return base_max(scale->smallest_qty, qty);
}

#endif
