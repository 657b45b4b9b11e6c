#include "ring/kind.h"

/* An amount not yet divided: numerator / denominator x 10^exponent.  Keeping it apart until somebody says
 * which unit and which way to round means that nothing is ever rounded twice. */
struct ratio {
    int128 numerator;
    int128 denominator; /* > 0 */
    int exponent;
};

/* What one kind of instrument is made of.  NULL: the kind has no formulas yet. */
struct kind_row {
    /* base coin and quote currency that a quantity is at a price */
    struct ratio (*coin)(const struct instrument *instrument, int64_t qty, int64_t price);
    struct ratio (*quote)(const struct instrument *instrument, int64_t qty, int64_t price);
    bool moves_coin;      /* a fill moves base and quote; else it only settles what was realised */
    bool settles_in_coin; /* the notional is base coin and profit is 1/entry - 1/exit */
};

static int128 multiply(int128 a, int128 b)
{
    int128 product;
    bool overflow = __builtin_mul_overflow(a, b, &product);
    POISE_ASSERT(!overflow);
    return product;
}

static int128 power_of_ten(int n)
{
    POISE_ASSERT(n >= 0 && n <= 2 * DECIMAL_MAX_DECIMALS);
    return n <= DECIMAL_MAX_DECIMALS
               ? (int128)decimal_power[n]
               : (int128)decimal_power[DECIMAL_MAX_DECIMALS] * decimal_power[n - DECIMAL_MAX_DECIMALS];
}

/* The ratio in units of 10^-decimals. */
static int128 ratio_round(struct ratio ratio, int decimals, enum rounding rounding)
{
    int exponent = ratio.exponent + decimals;
    if (exponent >= 0) {
        ratio.numerator = multiply(ratio.numerator, power_of_ten(exponent));
    } else {
        ratio.denominator = multiply(ratio.denominator, power_of_ten(-exponent));
    }
    return decimal_divide_wide(ratio.numerator, ratio.denominator, rounding);
}

static int64_t fits(int128 amount)
{
    POISE_ASSERT(amount >= INT64_MIN && amount <= INT64_MAX);
    return (int64_t)amount;
}

/* qty x contract.  Most contracts are a whole number of their unit: taking its 10^8 out here keeps the
 * products below 128 bits for every instrument that instrument_check lets in. */
static struct ratio contracts(const struct instrument *instrument, int64_t qty)
{
    struct ratio ratio = { .denominator = 1, .exponent = -instrument->qty_decimals };
    if (POISE_LIKELY(instrument->contract_e8 % DECIMAL_E8 == 0)) {
        ratio.numerator = (int128)qty * (instrument->contract_e8 / DECIMAL_E8);
    } else {
        ratio.numerator = (int128)qty * instrument->contract_e8;
        ratio.exponent -= DECIMAL_MONEY;
    }
    return ratio;
}

static struct ratio linear_coin(const struct instrument *instrument, int64_t qty, int64_t price)
{
    (void)price;
    return contracts(instrument, qty);
}

static struct ratio linear_quote(const struct instrument *instrument, int64_t qty, int64_t price)
{
    struct ratio ratio = contracts(instrument, qty);
    ratio.numerator = multiply(ratio.numerator, price);
    ratio.exponent -= instrument->price_decimals;
    return ratio;
}

static struct ratio inverse_coin(const struct instrument *instrument, int64_t qty, int64_t price)
{
    struct ratio ratio = contracts(instrument, qty);
    ratio.denominator = price;
    ratio.exponent += instrument->price_decimals;
    return ratio;
}

static struct ratio inverse_quote(const struct instrument *instrument, int64_t qty, int64_t price)
{
    (void)price;
    return contracts(instrument, qty);
}

/* clang-format off */
static const struct kind_row kind_rows[KIND_COUNT] = {
    /*                            coin          quote          moves_coin  settles_in_coin */
    [KIND_SPOT]              = { linear_coin,  linear_quote,  true,       false },
    [KIND_LINEAR_PERPETUAL]  = { linear_coin,  linear_quote,  false,      false },
    [KIND_INVERSE_PERPETUAL] = { inverse_coin, inverse_quote, false,      true  },
    [KIND_LINEAR_FUTURE]     = { linear_coin,  linear_quote,  false,      false },
    [KIND_INVERSE_FUTURE]    = { inverse_coin, inverse_quote, false,      true  },
};
/* clang-format on */

static const struct kind_row *row_of(const struct instrument *instrument)
{
    POISE_ASSERT(instrument->kind < KIND_COUNT);
    const struct kind_row *row = &kind_rows[instrument->kind];
    if (POISE_UNLIKELY(row->coin == NULL)) {
        /* Named by the kind: the promise that broke is "this engine knows what a fill of it does". */
        base_assert_failed(kind_names[instrument->kind], __FILE__, __LINE__);
    }
    return row;
}

/* What the notional of a position is counted in. */
static struct ratio notional_of(const struct kind_row *row, const struct instrument *instrument, int64_t qty,
                                int64_t price)
{
    return row->settles_in_coin ? row->coin(instrument, qty, price) : row->quote(instrument, qty, price);
}

void kind_fill(const struct instrument *instrument, struct position *position, enum side side, int64_t qty,
               int64_t price, struct fill_effect *effect)
{
    POISE_ASSERT(qty > 0 && price > 0);
    const struct kind_row *row = row_of(instrument);
    int64_t sign = side_sign(side);

    *effect = (struct fill_effect){ .base_currency = CURRENCY_NONE,
                                    .quote_currency = CURRENCY_NONE,
                                    .settle_currency = CURRENCY_NONE };

    /* First what the fill takes off, then what it adds: a fill through zero is a close and an opening. */
    bool against = position->qty != 0 && (position->qty > 0) != (sign > 0);
    int64_t closed = against ? base_min(qty, base_abs(position->qty)) : 0;
    int64_t opened = qty - closed;

    if (closed != 0) {
        int64_t held = base_abs(position->qty);
        int128 share = position->notional_e12;
        if (closed != held) {
            share = decimal_divide_wide(multiply(position->notional_e12, closed), held, ROUND_HALF_EVEN);
        }
        /* Signed like the position, as the share is. */
        int128 left = ratio_round(notional_of(row, instrument, closed, price), 12, ROUND_HALF_EVEN) * -sign;
        if (!row->moves_coin) {
            int128 realised_e12 = row->settles_in_coin ? share - left : left - share;
            effect->realised_e8 = decimal_divide(realised_e12, 10000, ROUND_HALF_EVEN);
        }
        position->qty += sign * closed;
        position->notional_e12 -= share;
    }
    if (opened != 0) {
        int64_t held;
        bool overflow = __builtin_add_overflow(position->qty, sign * opened, &held);
        POISE_ASSERT(!overflow);
        position->qty = held;
        position->notional_e12 +=
            ratio_round(notional_of(row, instrument, opened, price), 12, ROUND_HALF_EVEN) * sign;
    }

    if (row->moves_coin) {
        effect->base_currency = instrument->base;
        effect->quote_currency = instrument->quote;
        effect->base_e8 = fits(ratio_round(row->coin(instrument, sign * qty, price), 8, ROUND_DOWN));
        effect->quote_e8 = fits(ratio_round(row->quote(instrument, -sign * qty, price), 8, ROUND_DOWN));
    } else {
        effect->settle_currency = instrument->settle;
    }
}

int128 kind_exposure_e12(const struct instrument *instrument, enum side side, int64_t qty, int64_t price)
{
    POISE_ASSERT(qty > 0 && price > 0);
    return ratio_round(row_of(instrument)->coin(instrument, qty, price), 12, ROUND_HALF_EVEN) *
           side_sign(side);
}

int128 kind_delta_e12(const struct instrument *instrument, const struct position *position, int64_t mark)
{
    POISE_ASSERT(mark > 0);
    return ratio_round(row_of(instrument)->coin(instrument, position->qty, mark), 12, ROUND_HALF_EVEN);
}

int64_t kind_unrealised_e8(const struct instrument *instrument, const struct position *position, int64_t mark)
{
    POISE_ASSERT(mark > 0);
    const struct kind_row *row = row_of(instrument);
    struct ratio value = notional_of(row, instrument, position->qty, mark);

    /* Rounding the value against us first makes the second rounding down exact: the floor of a floor. */
    int128 open_e12 = row->settles_in_coin ? position->notional_e12 - ratio_round(value, 12, ROUND_UP)
                                           : ratio_round(value, 12, ROUND_DOWN) - position->notional_e12;
    return decimal_divide(open_e12, 10000, ROUND_DOWN);
}

int64_t kind_coin_e8(const struct instrument *instrument, int64_t qty, int64_t price, enum rounding rounding)
{
    POISE_ASSERT(price > 0);
    return fits(ratio_round(row_of(instrument)->coin(instrument, qty, price), 8, rounding));
}

int64_t kind_quote_e8(const struct instrument *instrument, int64_t qty, int64_t price, enum rounding rounding)
{
    POISE_ASSERT(price > 0);
    return fits(ratio_round(row_of(instrument)->quote(instrument, qty, price), 8, rounding));
}

/* How many lots reach an amount, times the lot.  `one_lot` is what a single lot is worth. */
static int64_t lots_for(const struct instrument *instrument, struct ratio one_lot, int128 amount,
                        int decimals, enum rounding rounding)
{
    struct ratio lots = { .numerator = multiply(amount, one_lot.denominator),
                          .denominator = one_lot.numerator,
                          .exponent = -decimals - one_lot.exponent };
    return fits(multiply(ratio_round(lots, 0, rounding), instrument->lot));
}

int64_t kind_qty_for_coin(const struct instrument *instrument, int128 coin_e12, int64_t price,
                          enum rounding rounding)
{
    POISE_ASSERT(coin_e12 >= 0 && price > 0);
    return lots_for(instrument, row_of(instrument)->coin(instrument, instrument->lot, price), coin_e12, 12,
                    rounding);
}

int64_t kind_fee_e8(const struct instrument *instrument, enum side side, int64_t qty, int64_t price,
                    int64_t rate_centibp, uint16_t *currency)
{
    POISE_ASSERT(qty > 0 && price > 0);
    const struct kind_row *row = row_of(instrument);
    struct ratio fee;

    if (row->moves_coin) {
        fee = side == SIDE_BUY ? row->coin(instrument, qty, price) : row->quote(instrument, qty, price);
        *currency = side == SIDE_BUY ? instrument->base : instrument->quote;
    } else {
        fee = notional_of(row, instrument, qty, price);
        *currency = instrument->settle;
    }
    fee.numerator = multiply(fee.numerator, rate_centibp);
    fee.exponent -= 6; /* a hundredth of a basis point */
    return fits(ratio_round(fee, 8, ROUND_UP));
}

int64_t kind_entry_price(const struct instrument *instrument, const struct position *position)
{
    const struct kind_row *row = row_of(instrument);
    if (position->qty == 0 || position->notional_e12 == 0) {
        return 0;
    }
    struct ratio held = contracts(instrument, position->qty);
    struct ratio entry;
    if (row->settles_in_coin) {
        entry = (struct ratio){ .numerator = held.numerator,
                                .denominator = position->notional_e12,
                                .exponent = held.exponent + 12 };
    } else {
        entry = (struct ratio){ .numerator = position->notional_e12,
                                .denominator = held.numerator,
                                .exponent = -12 - held.exponent };
    }
    return fits(ratio_round(entry, instrument->price_decimals, ROUND_HALF_EVEN));
}

int64_t kind_smallest_qty(const struct instrument *instrument, int64_t price, bool reduce_only)
{
    POISE_ASSERT(price > 0);
    int64_t smallest =
        decimal_to_step(base_max(instrument->min_qty, instrument->lot), instrument->lot, ROUND_UP);
    if (reduce_only || instrument->min_notional_e8 <= 0) {
        return smallest;
    }
    struct ratio one_lot = row_of(instrument)->quote(instrument, instrument->lot, price);
    return base_max(smallest, lots_for(instrument, one_lot, instrument->min_notional_e8, 8, ROUND_UP));
}
