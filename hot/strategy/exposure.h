/* exposure: what is held, and what of it moves with the coin's price.
 *
 * Words.  Leg: one (account, instrument) of an instance.  Holding: one (account, instrument) of the engine;
 * its total is the sum of the instances' legs and the unassigned row, and is what the venue should show.
 * Cash: money that an instance's legs booked, by account, currency and cause.  Delta: coin whose price the
 * instance carries.
 *
 * The identity.  Delta of an account is the coin equity owned there plus the contracts' delta at mark
 * (architecture 4).  For a coin-settled position with contracts of C quote currency, signed quantity q,
 * and entry notional E = sum of q_i C / p_i over what is open, booked coin R (realised profit, less fees,
 * plus funding) and owned coin A:
 *
 *     coin equity        W(M) = A + R + U(M),   U(M) = E - q C / M
 *     value in quote     V(M) = W(M) M = (A + R + E) M - q C
 *     dV/dM              = A + R + E            for every M: the mark drops out
 *
 * so delta = A + R + E.  The naive contract delta q C / M is inside it, and adding it again, or the
 * realised profit again, would create exposure.  Closing part of a position moves its share s of E into R
 * as s - x, where x is the part's coin at the exit price, so E + R moves by exactly -x: what
 * kind_exposure_e12 says of the closing fill.  So, up to the rounding of what the venue books:
 *
 *     A + R + E = A + sum over all fills of kind_exposure_e12 - fees in coin + funding in coin
 *
 * The left side is what is kept here, because positions and booked cash are also what a restart restores:
 * the delta of a rebuilt strategy is then the same to the last digit.  For linear and spot legs the
 * position's own coin (q x contract) stands in E's place and their cash is in the quote currency.  A spot
 * fill's coin is its position, not cash.  delta_basis = coin leaves A out: the owner's coin stays as it is
 * and only the trade is flat.
 *
 * Strategy core. */
#ifndef POISE_HOT_STRATEGY_EXPOSURE_H
#define POISE_HOT_STRATEGY_EXPOSURE_H

#include "config/params.h"
#include "ring/account.h"
#include "ring/kind.h"

enum leg {
    LEG_QUOTE = 0,
    LEG_HEDGE,
    LEG_SECOND, /* rung 2 of the ladder hedges here */
    LEG_ORPHAN, /* held from a configuration that is no more, to be unwound */
    LEG_COUNT
};

#define EXPOSURE_UNASSIGNED PARAMS_INSTANCE_MAX /* the slot of what belongs to no instance */
#define EXPOSURE_HOLDINGS   256
#define EXPOSURE_NO_HOLDING UINT16_MAX
#define EXPOSURE_CASH_ROWS  16
#define EXPOSURE_QTY_MAX    (1LL << 58)
#define EXPOSURE_MONEY_MAX  (1LL << 60)

struct exposure_leg {
    uint16_t instrument; /* NO_INSTRUMENT: not used */
    uint16_t account;
    uint16_t holding;
    uint16_t spare;
    struct position position;
    int128 coin_e12; /* E of the identity, or the coin of a linear or spot position */
};

struct exposure_cash {
    uint16_t account, currency; /* CURRENCY_NONE: free row */
    uint32_t spare;
    int64_t amount_e8[PNL_PART_COUNT]; /* PNL_TRADING: realised; PNL_FEE: negative when paid; PNL_FUNDING */
};

struct exposure_instance {
    bool used;
    uint16_t base;         /* currency index of the coin */
    int64_t allocation_e8; /* A; 0 with delta_basis = coin */
    int128 delta_e12;
    struct exposure_leg leg[LEG_COUNT];
    struct exposure_cash cash[EXPOSURE_CASH_ROWS];
};

struct exposure_holding {
    uint16_t account, instrument;
    uint32_t fills;
    struct position unassigned;
    int64_t total_qty;

    /* the venue's opinion */
    int64_t venue_qty;
    int64_t total_then;        /* our total when the venue told */
    uint64_t differs_since_ns; /* 0: it does not */
    bool venue_known;
    bool alarmed;
};

/* Beyond these no report is believed: an instrument's products would not fit 128 bits. */
struct exposure_bound {
    int64_t qty, price;
    int64_t
        price_least; /* settled in coin: below it a contract would be worth more coin than can be counted */
};

struct exposure {
    uint32_t holding_count;
    bool overflow; /* something did not fit: the caller halts */
    const struct instrument *instruments;
    struct exposure_instance instance[PARAMS_INSTANCE_MAX];
    struct exposure_cash unassigned_cash[EXPOSURE_CASH_ROWS];
    struct exposure_holding holding[EXPOSURE_HOLDINGS];
    uint16_t holding_of[ACCOUNT_MAX][INSTRUMENT_MAX];
    struct exposure_bound bound[INSTRUMENT_MAX];
};

/* What one fill did. */
struct exposure_change {
    int128 delta_e12; /* of the instance; 0 for the unassigned row */
    struct fill_effect effect;
};

void exposure_init(struct exposure *exposure, const struct instrument *instruments);

/* exposure_bound measures an instrument that was entered in the table. */
void exposure_bound(struct exposure *exposure, uint16_t instrument);

/* exposure_holding answers the row of (account, instrument), making it when needed; NULL when full. */
struct exposure_holding *exposure_holding(struct exposure *exposure, uint16_t account, uint16_t instrument);

/* exposure_open makes an instance; its legs follow by exposure_open_leg (the orphan leg has none until a
 * restored position needs it). */
void exposure_open(struct exposure *exposure, uint32_t slot, uint16_t base, int64_t allocation_e8);
bool exposure_open_leg(struct exposure *exposure, uint32_t slot, enum leg leg, uint16_t account,
                       uint16_t instrument);

/* exposure_fill counts an execution: position, realised cash, holding, delta.  slot EXPOSURE_UNASSIGNED
 * counts it in the unassigned row of (account, instrument).  False when a number would not fit: nothing
 * was counted and overflow is set. */
bool exposure_fill(struct exposure *exposure, uint32_t slot, enum leg leg, uint16_t account,
                   uint16_t instrument, enum side side, int64_t qty, int64_t price,
                   struct exposure_change *change);

/* exposure_reprice corrects the price of a quantity that was counted at another one; the position's size
 * does not move. */
void exposure_reprice(struct exposure *exposure, uint32_t slot, enum leg leg, uint16_t account,
                      uint16_t instrument, enum side side, int64_t qty, int64_t from_price, int64_t to_price);

/* exposure_deliver ends a dated contract: every position of (account, instrument) becomes cash at the
 * delivery price.  false, and nothing done, for what has no end. */
bool exposure_deliver(struct exposure *exposure, uint16_t account, uint16_t instrument, int64_t price_e8);

/* exposure_cash books money of an instance (positive: received). */
void exposure_cash(struct exposure *exposure, uint32_t slot, uint16_t account, uint16_t currency,
                   enum pnl_part part, int64_t amount_e8);

/* exposure_restore sets a position as the journal kept it. */
bool exposure_restore(struct exposure *exposure, uint32_t slot, enum leg leg, uint16_t account,
                      uint16_t instrument, const struct position *position);

/* exposure_venue takes the venue's own position. */
void exposure_venue(struct exposure *exposure, uint16_t account, uint16_t instrument, int64_t qty,
                    uint64_t now_ns);

/* exposure_differs: the venue's position differed from ours when it was told and still differs; the time
 * since, or 0. */
uint64_t exposure_differs_since(struct exposure_holding *holding, uint64_t now_ns);
static inline uint64_t exposure_differs(struct exposure_holding *holding, uint64_t now_ns)
{
    return POISE_LIKELY(!holding->venue_known || holding->differs_since_ns == 0)
               ? 0
               : exposure_differs_since(holding, now_ns);
}

/* exposure_coin_e12 is what a position contributes to delta. */
int128 exposure_coin_e12(const struct instrument *instrument, const struct position *position);

/* exposure_settles_in_coin: inverse kinds. */
static inline bool exposure_settles_in_coin(const struct instrument *instrument)
{
    return instrument->kind == KIND_INVERSE_PERPETUAL || instrument->kind == KIND_INVERSE_FUTURE;
}

/* exposure_check asserts that totals are the sums they claim to be. */
void exposure_check(const struct exposure *exposure);

#endif
