#include "ring/kind.h"

/* An amount not yet divided: numerator / denominator x 10^exponent.  Keeping it apart until somebody says
 * which unit and which way to round means that nothing is ever rounded twice. */
struct ratio {
    int128 numerator;
    int128 denominator; /* > 0 */
    int exponent;
};

/* What one kind of instrument is made of.  A NULL is a question that this kind cannot answer from quantity
 * and price. */
struct kind_row {
    /* base coin and quote currency that a quantity is at a price */
    struct ratio (*coin)(const struct instrument *instrument, int64_t qty, int64_t price);
    struct ratio (*quote)(const struct instrument *instrument, int64_t qty, int64_t price);
    /* what profit is counted in: the notional of a position is the sum of it */
    struct ratio (*worth)(const struct instrument *instrument, int64_t qty, int64_t price);
    uint8_t cash;         /* enum kind_cash */
    bool settles_in_coin; /* profit is 1/entry - 1/exit, in base coin */
    bool own_delta;       /* delta is its coin, whatever else the market does */
};

static inline int128 multiply(int128 a, int128 b)
{
    int128 product;
    if (POISE_LIKELY(a == (int64_t)a && b == (int64_t)b)) { /* nearly always: one instruction */
        return (int128)(int64_t)a * (int64_t)b;
    }
    bool overflow = __builtin_mul_overflow(a, b, &product);
    POISE_ASSERT(!overflow);
    return product;
}

static inline int128 power_of_ten(int n)
{
    POISE_ASSERT(n >= 0 && n <= 2 * DECIMAL_MAX_DECIMALS);
    return n <= DECIMAL_MAX_DECIMALS
               ? (int128)decimal_power[n]
               : (int128)decimal_power[DECIMAL_MAX_DECIMALS] * decimal_power[n - DECIMAL_MAX_DECIMALS];
}

/* The ratio in units of 10^-decimals. */
static inline int128 ratio_round(struct ratio ratio, int decimals, enum rounding rounding)
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
static inline struct ratio contracts(const struct instrument *instrument, int64_t qty)
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

static inline struct ratio linear_coin(const struct instrument *instrument, int64_t qty, int64_t price)
{
    (void)price;
    return contracts(instrument, qty);
}

static inline struct ratio linear_quote(const struct instrument *instrument, int64_t qty, int64_t price)
{
    struct ratio ratio = contracts(instrument, qty);
    ratio.numerator = multiply(ratio.numerator, price);
    ratio.exponent -= instrument->price_decimals;
    return ratio;
}

static inline struct ratio inverse_coin(const struct instrument *instrument, int64_t qty, int64_t price)
{
    struct ratio ratio = contracts(instrument, qty);
    ratio.denominator = price;
    ratio.exponent += instrument->price_decimals;
    return ratio;
}

static inline struct ratio inverse_quote(const struct instrument *instrument, int64_t qty, int64_t price)
{
    (void)price;
    return contracts(instrument, qty);
}

/* A share's own price; what coin is behind it changes its delta, not its worth. */
static struct ratio share_worth(const struct instrument *instrument, int64_t qty, int64_t price)
{
    return (struct ratio){ .numerator = (int128)qty * price,
                           .denominator = 1,
                           .exponent = -instrument->qty_decimals - instrument->price_decimals };
}

/* clang-format off */
static const struct kind_row kind_rows[KIND_COUNT] = {
    /*                            coin          quote          worth          cash                 in coin  own delta */
    [KIND_SPOT]              = { linear_coin,  linear_quote,  linear_quote,  KIND_CASH_EXCHANGES, false,   true  },
    [KIND_LINEAR_PERPETUAL]  = { linear_coin,  linear_quote,  linear_quote,  KIND_CASH_SETTLES,   false,   true  },
    [KIND_INVERSE_PERPETUAL] = { inverse_coin, inverse_quote, inverse_coin,  KIND_CASH_SETTLES,   true,    true  },
    [KIND_QUANTO_PERPETUAL]  = { NULL,         NULL,          linear_quote,  KIND_CASH_SETTLES,   false,   false },
    [KIND_LINEAR_FUTURE]     = { linear_coin,  linear_quote,  linear_quote,  KIND_CASH_SETTLES,   false,   true  },
    [KIND_INVERSE_FUTURE]    = { inverse_coin, inverse_quote, inverse_coin,  KIND_CASH_SETTLES,   true,    true  },
    [KIND_OPTION]            = { linear_coin,  linear_quote,  linear_quote,  KIND_CASH_PAYS,      false,   false },
    [KIND_ETF_SHARE]         = { linear_coin,  share_worth,   share_worth,   KIND_CASH_PAYS,      false,   true  },
    [KIND_AMM_POOL]          = { linear_coin,  linear_quote,  linear_quote,  KIND_CASH_EXCHANGES, false,   true  },
};
/* clang-format on */

static const struct kind_row *row_of(const struct instrument *instrument)
{
    POISE_ASSERT(instrument->kind < KIND_COUNT);
    const struct kind_row *row = &kind_rows[instrument->kind];
    if (POISE_UNLIKELY(row->worth == NULL)) {
        /* Named by the kind: the promise that broke is "this engine knows what a fill of it does". */
        base_assert_failed(kind_names[instrument->kind], __FILE__, __LINE__);
    }
    return row;
}

/* The row, of a kind whose coin and quote value follow from quantity and price. */
static const struct kind_row *valued_row_of(const struct instrument *instrument)
{
    const struct kind_row *row = row_of(instrument);
    if (POISE_UNLIKELY(row->coin == NULL)) {
        base_assert_failed(kind_names[instrument->kind], __FILE__, __LINE__);
    }
    return row;
}

/* The gate asks these of every order: what linear and inverse kinds answer is found without a call. */
static inline struct ratio coin_of(const struct kind_row *row, const struct instrument *instrument,
                                   int64_t qty, int64_t price)
{
    return row->coin == linear_coin    ? linear_coin(instrument, qty, price)
           : row->coin == inverse_coin ? inverse_coin(instrument, qty, price)
                                       : row->coin(instrument, qty, price);
}

static inline struct ratio quote_of(const struct kind_row *row, const struct instrument *instrument,
                                    int64_t qty, int64_t price)
{
    return row->quote == linear_quote    ? linear_quote(instrument, qty, price)
           : row->quote == inverse_quote ? inverse_quote(instrument, qty, price)
                                         : row->quote(instrument, qty, price);
}

static const struct kind_row *own_delta_row_of(const struct instrument *instrument)
{
    const struct kind_row *row = row_of(instrument);
    if (POISE_UNLIKELY(!row->own_delta)) {
        base_assert_failed(kind_names[instrument->kind], __FILE__, __LINE__);
    }
    return row;
}

enum kind_cash kind_cash(uint8_t kind)
{
    return kind < KIND_COUNT ? (enum kind_cash)kind_rows[kind].cash : KIND_CASH_NONE;
}

bool kind_is_traded(uint8_t kind)
{
    return kind == KIND_SPOT || kind == KIND_LINEAR_PERPETUAL || kind == KIND_INVERSE_PERPETUAL ||
           kind == KIND_LINEAR_FUTURE || kind == KIND_INVERSE_FUTURE;
}

bool kind_settles_in_coin(uint8_t kind)
{
    return kind < KIND_COUNT && kind_rows[kind].settles_in_coin;
}

bool kind_delta_is_own(uint8_t kind)
{
    return kind < KIND_COUNT && kind_rows[kind].own_delta;
}

/* Takes the closed part of a position off, at what the market gives for it: what was made, 1e-12. */
static int128 close_part(const struct kind_row *row, struct position *position, int64_t closed,
                         struct ratio given)
{
    int64_t held = base_abs(position->qty);
    int128 share = position->notional_e12;
    if (closed != held) {
        share = decimal_divide_wide(multiply(position->notional_e12, closed), held, ROUND_HALF_EVEN);
    }
    int64_t sign = position->qty > 0 ? 1 : -1;
    /* Signed like the position, as the share is. */
    int128 left = ratio_round(given, 12, ROUND_HALF_EVEN) * sign;
    position->qty -= sign * closed;
    position->notional_e12 -= share;
    return row->settles_in_coin ? share - left : left - share;
}

/* a x b x c / 10^down is below what money may be, in 1e-8 when c is. */
static bool below_money(int64_t a, int64_t b, int64_t c, int down)
{
    const int128 most = (int128)1 << 60;
    int128 product;
    if (__builtin_mul_overflow((int128)a * b, (int128)c, &product)) {
        return false;
    }
    for (; down > 0; down--) {
        product /= 10;
    }
    return product < most;
}

bool kind_fits(const struct instrument *instrument, int64_t qty, int64_t price)
{
    const int64_t price_most = 1LL << 44;
    bool inverse = kind_settles_in_coin(instrument->kind);
    int64_t contract_e8 = instrument->kind == KIND_ETF_SHARE ? DECIMAL_E8 : instrument->contract_e8;
    int128 coin;
    if (qty <= 0 || price <= 0 || price > price_most ||
        !below_money(qty, inverse ? 1 : price, contract_e8,
                     instrument->qty_decimals + (inverse ? 0 : instrument->price_decimals))) {
        return false;
    }
    if (!inverse) {
        return below_money(qty, 1, instrument->contract_e8, instrument->qty_decimals);
    }
    return !__builtin_mul_overflow((int128)qty * contract_e8, decimal_power[instrument->price_decimals],
                                   &coin) &&
           coin / price / decimal_power[instrument->qty_decimals] < (int128)1 << 60;
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
        int128 realised_e12 = close_part(row, position, closed, row->worth(instrument, closed, price));
        if (row->cash != KIND_CASH_EXCHANGES) {
            effect->realised_e8 = decimal_divide(realised_e12, 10000, ROUND_HALF_EVEN);
        }
    }
    if (opened != 0) {
        int64_t held;
        bool overflow = __builtin_add_overflow(position->qty, sign * opened, &held);
        POISE_ASSERT(!overflow);
        position->qty = held;
        position->notional_e12 +=
            ratio_round(row->worth(instrument, opened, price), 12, ROUND_HALF_EVEN) * sign;
    }

    if (row->cash == KIND_CASH_PAYS) {
        effect->quote_currency = instrument->settle;
        effect->quote_e8 = fits(ratio_round(row->worth(instrument, -sign * qty, price), 8, ROUND_DOWN));
    } else if (row->cash == KIND_CASH_EXCHANGES) {
        effect->base_currency = instrument->base;
        effect->quote_currency = instrument->quote;
        effect->base_e8 = fits(ratio_round(row->coin(instrument, sign * qty, price), 8, ROUND_DOWN));
        effect->quote_e8 = fits(ratio_round(row->quote(instrument, -sign * qty, price), 8, ROUND_DOWN));
    } else {
        effect->settle_currency = instrument->settle;
    }
}

void kind_reprice(const struct instrument *instrument, struct position *position, enum side side, int64_t qty,
                  int64_t from_price, int64_t to_price, struct fill_effect *effect)
{
    POISE_ASSERT(qty > 0 && from_price > 0 && to_price > 0);
    const struct kind_row *row = row_of(instrument);
    int64_t sign = side_sign(side);
    int128 more_e12 = (ratio_round(row->worth(instrument, qty, to_price), 12, ROUND_HALF_EVEN) -
                       ratio_round(row->worth(instrument, qty, from_price), 12, ROUND_HALF_EVEN)) *
                      sign;
    *effect = (struct fill_effect){ .base_currency = CURRENCY_NONE,
                                    .quote_currency = CURRENCY_NONE,
                                    .settle_currency = CURRENCY_NONE };
    bool opened = position->qty != 0 && (position->qty > 0) == (sign > 0);
    if (opened) {
        position->notional_e12 += more_e12;
    }
    if (row->cash != KIND_CASH_SETTLES) {
        /* the difference of the two payments, each rounded as it was or would have been */
        effect->quote_currency = row->cash == KIND_CASH_EXCHANGES ? instrument->quote : instrument->settle;
        effect->quote_e8 = fits(ratio_round(row->worth(instrument, -sign * qty, to_price), 8, ROUND_DOWN) -
                                ratio_round(row->worth(instrument, -sign * qty, from_price), 8, ROUND_DOWN));
    } else if (!opened) {
        effect->settle_currency = instrument->settle;
        effect->realised_e8 =
            decimal_divide(row->settles_in_coin ? more_e12 : -more_e12, 10000, ROUND_HALF_EVEN);
    }
}

int128 kind_exposure_e12(const struct instrument *instrument, enum side side, int64_t qty, int64_t price)
{
    POISE_ASSERT(qty > 0 && price > 0);
    return ratio_round(coin_of(own_delta_row_of(instrument), instrument, qty, price), 12, ROUND_HALF_EVEN) *
           side_sign(side);
}

int128 kind_delta_e12(const struct instrument *instrument, const struct position *position, int64_t mark)
{
    POISE_ASSERT(mark > 0);
    return ratio_round(own_delta_row_of(instrument)->coin(instrument, position->qty, mark), 12,
                       ROUND_HALF_EVEN);
}

bool kind_market_delta_e12(const struct instrument *instrument, const struct position *position,
                           const struct kind_market *market, int128 *delta_e12)
{
    const struct kind_row *row = row_of(instrument);
    if (row->own_delta) {
        *delta_e12 = kind_delta_e12(instrument, position, market->mark);
        return true;
    }
    struct ratio coin = contracts(instrument, position->qty);
    if (instrument->kind == KIND_OPTION) {
        coin.numerator = multiply(coin.numerator, market->delta_e12);
        coin.exponent -= 12;
        *delta_e12 = ratio_round(coin, 12, ROUND_HALF_EVEN);
        if (instrument->settle == instrument->base) {
            *delta_e12 -= kind_worth_e12(instrument, position, market->mark);
        }
        return true;
    }
    if (market->settle_e8 <= 0) {
        return false;
    }
    coin.numerator = multiply(coin.numerator, market->settle_e8);
    coin.exponent -= 8;
    *delta_e12 = ratio_round(coin, 12, ROUND_HALF_EVEN);
    return true;
}

int128 kind_worth_e12(const struct instrument *instrument, const struct position *position, int64_t mark)
{
    POISE_ASSERT(mark > 0);
    return ratio_round(row_of(instrument)->worth(instrument, position->qty, mark), 12, ROUND_HALF_EVEN);
}

int128 kind_open_e12(const struct instrument *instrument, const struct position *position, int64_t mark)
{
    const struct kind_row *row = row_of(instrument);
    int128 worth_e12 = kind_worth_e12(instrument, position, mark);
    switch ((enum kind_cash)row->cash) {
    case KIND_CASH_SETTLES:
        return row->settles_in_coin ? position->notional_e12 - worth_e12 : worth_e12 - position->notional_e12;
    case KIND_CASH_PAYS:
        return worth_e12;
    default:
        return 0;
    }
}

/* What an option pays per coin at a delivery price: intrinsic value, in coin where the premium is. */
static struct ratio payoff(const struct instrument *instrument, int64_t qty, int64_t delivery_e8)
{
    int64_t over_e8 = instrument->option == OPTION_CALL ? delivery_e8 - instrument->strike_e8
                                                        : instrument->strike_e8 - delivery_e8;
    struct ratio ratio = contracts(instrument, qty);
    ratio.numerator = multiply(ratio.numerator, base_max(over_e8, 0));
    if (instrument->settle == instrument->base) {
        ratio.denominator = delivery_e8;
    } else {
        ratio.exponent -= DECIMAL_MONEY;
    }
    return ratio;
}

/* qty x contract x delivery, or divided by it: worth at a price that is finer than a tick. */
static struct ratio delivered(const struct kind_row *row, const struct instrument *instrument, int64_t qty,
                              int64_t delivery_e8)
{
    struct ratio ratio = contracts(instrument, qty);
    if (row->settles_in_coin) {
        ratio.denominator = delivery_e8;
        ratio.exponent += DECIMAL_MONEY;
    } else {
        ratio.numerator = multiply(ratio.numerator, delivery_e8);
        ratio.exponent -= DECIMAL_MONEY;
    }
    return ratio;
}

bool kind_expire(const struct instrument *instrument, struct position *position, int64_t delivery_e8,
                 struct fill_effect *effect)
{
    POISE_ASSERT(delivery_e8 > 0);
    const struct kind_row *row = row_of(instrument);
    *effect = (struct fill_effect){ .base_currency = CURRENCY_NONE,
                                    .quote_currency = CURRENCY_NONE,
                                    .settle_currency = CURRENCY_NONE };
    int64_t held = position->qty;
    if (instrument->kind == KIND_LINEAR_FUTURE || instrument->kind == KIND_INVERSE_FUTURE) {
        effect->settle_currency = instrument->settle;
        if (held != 0) {
            int128 realised_e12 = close_part(row, position, base_abs(held),
                                             delivered(row, instrument, base_abs(held), delivery_e8));
            effect->realised_e8 = decimal_divide(realised_e12, 10000, ROUND_HALF_EVEN);
        }
        return true;
    }
    if (instrument->kind != KIND_OPTION) {
        return false;
    }
    effect->quote_currency = instrument->settle;
    effect->quote_e8 = fits(ratio_round(payoff(instrument, held, delivery_e8), 8, ROUND_DOWN));
    if (held != 0) {
        int128 realised_e12 =
            close_part(row, position, base_abs(held), payoff(instrument, base_abs(held), delivery_e8));
        effect->realised_e8 = decimal_divide(realised_e12, 10000, ROUND_HALF_EVEN);
    }
    return true;
}

int64_t kind_margin_e8(const struct instrument *instrument, const struct position *position, int64_t mark,
                       int64_t rate_ppm, uint16_t *currency)
{
    POISE_ASSERT(mark > 0 && rate_ppm >= 0);
    const struct kind_row *row = row_of(instrument);
    bool owes = row->cash == KIND_CASH_SETTLES ? position->qty != 0
                                               : instrument->kind == KIND_OPTION && position->qty < 0;
    *currency = CURRENCY_NONE;
    if (!owes) {
        return 0;
    }
    *currency = instrument->settle;
    struct ratio margin = row->worth(instrument, base_abs(position->qty), mark);
    margin.numerator = multiply(margin.numerator, rate_ppm);
    margin.exponent -= 6;
    return fits(ratio_round(margin, 8, ROUND_UP));
}

int64_t kind_option_fee_e8(const struct instrument *instrument, int64_t qty, int64_t price,
                           int64_t underlying_e8, int64_t rate_centibp, int64_t cap_ppm)
{
    POISE_ASSERT(qty > 0 && price > 0 && underlying_e8 > 0);
    struct ratio fee = contracts(instrument, qty);
    if (instrument->settle != instrument->base) { /* of the coin itself, or of what it is worth */
        fee.numerator = multiply(fee.numerator, underlying_e8);
        fee.exponent -= DECIMAL_MONEY;
    }
    fee.numerator = multiply(fee.numerator, rate_centibp);
    fee.exponent -= 6; /* a hundredth of a basis point */
    struct ratio cap = row_of(instrument)->worth(instrument, qty, price);
    cap.numerator = multiply(cap.numerator, cap_ppm);
    cap.exponent -= 6;
    return base_min(fits(ratio_round(fee, 8, ROUND_UP)), fits(ratio_round(cap, 8, ROUND_UP)));
}

int64_t kind_dividend_e8(const struct instrument *instrument, const struct position *position,
                         int64_t per_share_e8)
{
    struct ratio paid = { .numerator = multiply(position->qty, per_share_e8),
                          .denominator = 1,
                          .exponent = -DECIMAL_MONEY - instrument->qty_decimals };
    return fits(ratio_round(paid, 8, ROUND_DOWN));
}

#define PPM 1000000

int64_t kind_swap_out(int64_t reserve_in, int64_t reserve_out, int64_t amount_in, int64_t fee_ppm)
{
    POISE_ASSERT(reserve_in >= 0 && reserve_out >= 0 && amount_in >= 0 && fee_ppm >= 0 && fee_ppm < PPM);
    if (reserve_in == 0 || reserve_out == 0) {
        return 0;
    }
    /* The pool's k may not shrink: what is in counts less the fee, and the rest of a unit stays inside. */
    int128 after_fee = (int128)amount_in * (PPM - fee_ppm);
    return fits(decimal_divide_wide(multiply(after_fee, reserve_out), (int128)reserve_in * PPM + after_fee,
                                    ROUND_DOWN));
}

int64_t kind_swap_in(int64_t reserve_in, int64_t reserve_out, int64_t amount_out, int64_t fee_ppm)
{
    POISE_ASSERT(reserve_in >= 0 && reserve_out >= 0 && amount_out >= 0 && fee_ppm >= 0 && fee_ppm < PPM);
    if (reserve_in == 0 || amount_out >= reserve_out) {
        return 0;
    }
    int128 product = multiply(multiply(reserve_in, amount_out), PPM);
    return fits(decimal_divide_wide(product, (int128)(reserve_out - amount_out) * (PPM - fee_ppm), ROUND_UP));
}

int64_t kind_unrealised_e8(const struct instrument *instrument, const struct position *position, int64_t mark)
{
    POISE_ASSERT(mark > 0);
    const struct kind_row *row = row_of(instrument);
    struct ratio value = row->worth(instrument, position->qty, mark);

    /* Rounding the value against us first makes the second rounding down exact: the floor of a floor. */
    int128 open_e12 = row->settles_in_coin ? position->notional_e12 - ratio_round(value, 12, ROUND_UP)
                                           : ratio_round(value, 12, ROUND_DOWN) - position->notional_e12;
    return decimal_divide(open_e12, 10000, ROUND_DOWN);
}

int64_t kind_coin_e8(const struct instrument *instrument, int64_t qty, int64_t price, enum rounding rounding)
{
    POISE_ASSERT(price > 0);
    return fits(ratio_round(coin_of(valued_row_of(instrument), instrument, qty, price), 8, rounding));
}

int64_t kind_quote_e8(const struct instrument *instrument, int64_t qty, int64_t price, enum rounding rounding)
{
    POISE_ASSERT(price > 0);
    return fits(ratio_round(quote_of(valued_row_of(instrument), instrument, qty, price), 8, rounding));
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
    return lots_for(instrument, coin_of(valued_row_of(instrument), instrument, instrument->lot, price),
                    coin_e12, 12, rounding);
}

int64_t kind_fee_e8(const struct instrument *instrument, enum side side, int64_t qty, int64_t price,
                    int64_t rate_centibp, uint16_t *currency)
{
    POISE_ASSERT(qty > 0 && price > 0);
    const struct kind_row *row = row_of(instrument);
    struct ratio fee;

    if (row->cash == KIND_CASH_EXCHANGES) {
        fee = side == SIDE_BUY ? row->coin(instrument, qty, price) : row->quote(instrument, qty, price);
        *currency = side == SIDE_BUY ? instrument->base : instrument->quote;
    } else {
        fee = row->worth(instrument, qty, price);
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
    struct ratio held = instrument->kind == KIND_ETF_SHARE
                            ? (struct ratio){ position->qty, 1, -instrument->qty_decimals }
                            : contracts(instrument, position->qty);
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
    struct ratio one_lot = quote_of(valued_row_of(instrument), instrument, instrument->lot, price);
    return base_max(smallest, lots_for(instrument, one_lot, instrument->min_notional_e8, 8, ROUND_UP));
}

/* up / down in its lowest terms as far as tens go; false where a part does not fit. */
static bool lowest(int128 up, int128 down, int64_t *small_up, int64_t *small_down)
{
    while (up % 10 == 0 && down % 10 == 0) {
        up /= 10;
        down /= 10;
    }
    *small_up = (int64_t)up;
    *small_down = (int64_t)down;
    return up > 0 && up <= INT64_MAX && down <= INT64_MAX;
}

struct kind_scale kind_scale(const struct instrument *instrument)
{
    struct kind_scale scale = { 0 };
    const struct kind_row *row = row_of(instrument);
    int price_decimals = instrument->price_decimals, qty_decimals = instrument->qty_decimals;
    scale.inverse = row->coin == inverse_coin && row->quote == inverse_quote;
    scale.smallest_qty =
        decimal_to_step(base_max(instrument->min_qty, instrument->lot), instrument->lot, ROUND_UP);
    if (!scale.inverse && (row->coin != linear_coin || row->quote != linear_quote)) {
        return scale;
    }
    int128 contract_e8 = instrument->contract_e8;
    int128 price_unit = power_of_ten(price_decimals), qty_unit = power_of_ten(qty_decimals);
    if (scale.inverse) {
        scale.plain = lowest(multiply(contract_e8, price_unit), qty_unit, &scale.coin_up, &scale.coin_down) &&
                      lowest(contract_e8, qty_unit, &scale.quote_up, &scale.quote_down);
    } else {
        scale.plain = lowest(contract_e8, qty_unit, &scale.coin_up, &scale.coin_down) &&
                      lowest(contract_e8, multiply(qty_unit, price_unit), &scale.quote_up, &scale.quote_down);
    }
    /* A lot is worth lot x up / down (x price): so many of them reach the minimum. */
    int128 up, down;
    if (scale.plain && instrument->min_notional_e8 > 0 &&
        !__builtin_mul_overflow((int128)instrument->min_notional_e8, scale.quote_down, &up) &&
        !__builtin_mul_overflow((int128)instrument->lot, scale.quote_up, &down) &&
        !lowest(up, down, &scale.least_up, &scale.least_down)) {
        scale.least_up = 0;
    }
    return scale;
}
