/* decimal: exact decimal numbers as integers.
 *
 * A value is an int64 and a count of decimals that is known from elsewhere (the instrument's, a currency's,
 * or 8 for money): 61800.20 at 2 decimals is 6180020.  Text is read and printed exactly; a digit that the
 * unit cannot hold is an error and never a rounding.  Products use 128 bits, and every division says which
 * way it rounds.  Any thread; no allocation, no locale, no floating point. */
#ifndef POISE_RING_DECIMAL_H
#define POISE_RING_DECIMAL_H

#include "ring/base.h"

/* Money of every currency is counted in 1e-8 of its unit: fields named *_e8. */
#define DECIMAL_MONEY 8
#define DECIMAL_E8    100000000LL

/* The longest text decimal_print writes, with the final zero byte: sign, 19 digits, point. */
#define DECIMAL_TEXT_BYTES 24

#define DECIMAL_MAX_DECIMALS 18

enum rounding {
    ROUND_DOWN,      /* toward minus infinity */
    ROUND_UP,        /* toward plus infinity */
    ROUND_ZERO,      /* toward zero: truncation */
    ROUND_AWAY,      /* away from zero */
    ROUND_HALF_EVEN, /* to nearest, ties to the even neighbour */
};

enum decimal_result {
    DECIMAL_OK = 0,
    DECIMAL_EMPTY,     /* no digit */
    DECIMAL_SYNTAX,    /* something that is not [-+]digits[.digits][(e|E)[+-]digits] */
    DECIMAL_INEXACT,   /* a non-zero digit below the unit (said first when it is too large as well) */
    DECIMAL_TOO_LARGE, /* beyond int64 */
};

/* 10^n for n in 0..18. */
extern const int64_t decimal_power[DECIMAL_MAX_DECIMALS + 1];

/* decimal_parse reads all of text[0..bytes) as a number in units of 10^-decimals.
 *
 * Trailing zeros beyond the unit are fine ("1.500" at 1 decimal is 15).  An exponent is accepted, because
 * some venues print 1e-05; it stays exact.  On any result but DECIMAL_OK *value is unchanged. */
enum decimal_result decimal_parse(const char *text, size_t bytes, int decimals, int64_t *value);

/* decimal_decimals counts the decimals that the text needs ("0.00100000" needs 3, "1e-05" needs 5); -1 for
 * bad syntax. */
int decimal_decimals(const char *text, size_t bytes);

/* decimal_print writes value / 10^decimals with exactly `decimals` digits behind the point (no point when
 * 0) and a final zero byte; returns the length without it.  out holds DECIMAL_TEXT_BYTES. */
size_t decimal_print(char *out, int64_t value, int decimals);

/* decimal_print_short is decimal_print without trailing zeros ("61800.2", "0"). */
size_t decimal_print_short(char *out, int64_t value, int decimals);

/* decimal_divide_any is numerator / denominator rounded as told, whatever their signs and sizes; denominator
 * not 0.  Asked by what follows, where that is not enough. */
int128 decimal_divide_any(int128 numerator, int128 denominator, enum rounding rounding);

/* decimal_divide_wide is the same where the quotient may need 128 bits.  Nearly every quotient here is of two
 * positive numbers and fits 64 bits, and one instruction finds it; the compiler's own division of 128 bits is
 * a call of sixty. */
static inline int128 decimal_divide_wide(int128 numerator, int128 denominator, enum rounding rounding)
{
#if defined(__x86_64__)
    uint64_t high = (uint64_t)(numerator >> 64), low = (uint64_t)numerator;
    uint64_t by = (uint64_t)denominator;
    if (POISE_LIKELY(denominator > 0 && denominator <= INT64_MAX && high < by)) { /* so numerator >= 0 */
        uint64_t whole, rest;
        __asm__("divq %4" : "=a"(whole), "=d"(rest) : "0"(low), "1"(high), "r"(by) : "cc");
        bool up = rounding == ROUND_UP || rounding == ROUND_AWAY;
        if (rounding == ROUND_HALF_EVEN) {
            up = rest > by - rest || (rest == by - rest && (whole & 1) != 0);
        }
        return (int128)whole + (up && rest != 0);
    }
#endif
    return decimal_divide_any(numerator, denominator, rounding);
}

/* decimal_divide is the same where the quotient must fit an int64 (asserted). */
static inline int64_t decimal_divide(int128 numerator, int128 denominator, enum rounding rounding)
{
    int128 quotient = decimal_divide_wide(numerator, denominator, rounding);
    POISE_ASSERT(quotient >= INT64_MIN && quotient <= INT64_MAX);
    return (int64_t)quotient;
}

/* decimal_multiply_divide is a * b / c in 128 bits, rounded as told. */
static inline int64_t decimal_multiply_divide(int64_t a, int64_t b, int64_t c, enum rounding rounding)
{
    return decimal_divide((int128)a * b, c, rounding);
}

/* decimal_rescale moves a value from one count of decimals to another, rounded as told when digits are
 * lost.  The result must fit an int64 (asserted). */
int64_t decimal_rescale(int64_t value, int from_decimals, int to_decimals, enum rounding rounding);

/* decimal_to_step rounds to a multiple of step (> 0); only ROUND_DOWN, ROUND_UP and ROUND_ZERO. */
static inline int64_t decimal_to_step(int64_t value, int64_t step, enum rounding rounding)
{
    POISE_ASSERT(step > 0);
    POISE_ASSERT(rounding == ROUND_DOWN || rounding == ROUND_UP || rounding == ROUND_ZERO);

    int64_t beyond = value % step; /* of the value's sign */
    int64_t cut = value - beyond;
    int64_t result = cut;
    bool overflow = false;
    if (beyond < 0 && rounding == ROUND_DOWN) {
        overflow = __builtin_sub_overflow(cut, step, &result);
    } else if (beyond > 0 && rounding == ROUND_UP) {
        overflow = __builtin_add_overflow(cut, step, &result);
    }
    POISE_ASSERT(!overflow);
    return result;
}

#endif
