#include "ring/decimal.h"

#include <limits.h>
#include <string.h>

/* clang-format off */
const int64_t decimal_power[DECIMAL_MAX_DECIMALS + 1] = {
    1LL,
    10LL,
    100LL,
    1000LL,
    10000LL,
    100000LL,
    1000000LL,
    10000000LL,
    100000000LL,
    1000000000LL,
    10000000000LL,
    100000000000LL,
    1000000000000LL,
    10000000000000LL,
    100000000000000LL,
    1000000000000000LL,
    10000000000000000LL,
    100000000000000000LL,
    1000000000000000000LL,
};
/* clang-format on */

/* So many digits always fit a uint64, whatever they are. */
#define SAFE_DIGITS 19

/* An exponent beyond this is beyond any text's length: it saturates. */
#define EXPONENT_LIMIT 100000000000000000LL

/* A number as written: digits (without leading and trailing zeros) x 10^exponent. */
struct scan {
    uint64_t digits;
    int64_t exponent;
    bool negative;
    bool wide; /* more digits than fit: digits is meaningless, but not zero */
};

static inline bool is_digit(char c)
{
    return (unsigned char)(c - '0') < 10;
}

/* The whole grammar.  Zeros are held back until a digit follows them, so that trailing ones cost nothing
 * and never count as digits that do not fit. */
static enum decimal_result scan_number(const char *at, const char *end, struct scan *scan)
{
    *scan = (struct scan){ 0 };

    if (at != end && (*at == '-' || *at == '+')) {
        scan->negative = *at == '-';
        at++;
    }
    if (at == end || (*at == '.' && at + 1 == end)) {
        return DECIMAL_EMPTY;
    }
    if (!is_digit(*at)) {
        return DECIMAL_SYNTAX;
    }

    bool point = false;
    int64_t behind_point = 0; /* digits read behind the point */
    int64_t held_zeros = 0;
    int64_t digit_count = 0;

    for (; at != end; at++) {
        if (*at == '.') {
            if (point || at + 1 == end || !is_digit(at[1])) {
                return DECIMAL_SYNTAX;
            }
            point = true;
            continue;
        }
        if (!is_digit(*at)) {
            break;
        }
        behind_point += point;
        if (*at == '0') {
            held_zeros += digit_count != 0;
            continue;
        }
        digit_count += held_zeros + 1;
        if (digit_count > SAFE_DIGITS) {
            scan->wide = true;
            scan->digits = 1;
        } else {
            scan->digits = scan->digits * (uint64_t)decimal_power[held_zeros] * 10 + (uint64_t)(*at - '0');
        }
        held_zeros = 0;
    }

    int64_t exponent = 0;
    if (at != end) {
        if (*at != 'e' && *at != 'E') {
            return DECIMAL_SYNTAX;
        }
        at++;
        bool down = false;
        if (at != end && (*at == '-' || *at == '+')) {
            down = *at == '-';
            at++;
        }
        if (at == end) {
            return DECIMAL_SYNTAX;
        }
        for (; at != end; at++) {
            if (!is_digit(*at)) {
                return DECIMAL_SYNTAX;
            }
            if (exponent < EXPONENT_LIMIT) {
                exponent = exponent * 10 + (*at - '0');
            }
        }
        exponent = down ? -exponent : exponent;
    }

    scan->exponent = exponent - behind_point + held_zeros;
    return DECIMAL_OK;
}

static enum decimal_result parse_any(const char *text, size_t bytes, int decimals, int64_t *value)
{
    struct scan scan;
    enum decimal_result result = scan_number(text, text + bytes, &scan);
    if (result != DECIMAL_OK) {
        return result;
    }
    if (scan.digits == 0) {
        *value = 0;
        return DECIMAL_OK;
    }

    int64_t scale = scan.exponent + decimals;
    if (scale < 0) {
        return DECIMAL_INEXACT;
    }
    uint64_t limit = (uint64_t)INT64_MAX + scan.negative;
    uint64_t magnitude;
    if (scan.wide || scale > DECIMAL_MAX_DECIMALS ||
        __builtin_mul_overflow(scan.digits, (uint64_t)decimal_power[scale], &magnitude) ||
        magnitude > limit) {
        return DECIMAL_TOO_LARGE;
    }
    *value = (int64_t)(scan.negative ? 0 - magnitude : magnitude);
    return DECIMAL_OK;
}

enum decimal_result decimal_parse(const char *text, size_t bytes, int decimals, int64_t *value)
{
    POISE_ASSERT(decimals >= 0 && decimals <= DECIMAL_MAX_DECIMALS);

    /* What venues print nearly always: short, plain, no finer than the unit.  Anything else is read again
     * by the whole grammar, which also names the fault. */
    const char *at = text;
    const char *end = text + bytes;
    bool negative = bytes != 0 && *at == '-';
    at += negative;

    if (POISE_UNLIKELY(end - at > SAFE_DIGITS || at == end || !is_digit(*at))) {
        return parse_any(text, bytes, decimals, value);
    }
    uint64_t digits = 0;
    while (at != end && is_digit(*at)) {
        digits = digits * 10 + (uint64_t)(*at++ - '0');
    }
    int missing = decimals;
    if (at != end) {
        const char *point = at;
        if (*at++ != '.') {
            return parse_any(text, bytes, decimals, value);
        }
        while (at != end && is_digit(*at)) {
            digits = digits * 10 + (uint64_t)(*at++ - '0');
        }
        missing -= (int)(end - point - 1);
        if (POISE_UNLIKELY(at != end || point + 1 == end || missing < 0)) {
            return parse_any(text, bytes, decimals, value);
        }
    }
    uint64_t magnitude;
    if (POISE_UNLIKELY(__builtin_mul_overflow(digits, (uint64_t)decimal_power[missing], &magnitude) ||
                       magnitude > (uint64_t)INT64_MAX)) {
        return parse_any(text, bytes, decimals, value);
    }
    *value = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    return DECIMAL_OK;
}

int decimal_decimals(const char *text, size_t bytes)
{
    struct scan scan;
    if (scan_number(text, text + bytes, &scan) != DECIMAL_OK) {
        return -1;
    }
    if (scan.digits == 0 || scan.exponent >= 0) {
        return 0;
    }
    return scan.exponent < -INT_MAX ? INT_MAX : (int)-scan.exponent;
}

/* count_digits answers how many digits a number has; 0 has one. */
static int count_digits(uint64_t number)
{
    /* bits x log10(2), which is right or one too few */
    int digits = ((64 - __builtin_clzll(number | 1)) * 1233) >> 12;
    return digits > DECIMAL_MAX_DECIMALS ? 19 + (number >= 10000000000000000000ULL)
                                         : digits + (number >= (uint64_t)decimal_power[digits]);
}

/* put_digits writes the last `count` digits of a number, two at a time from the right. */
static void put_digits(char *out, uint64_t number, int count)
{
    static const char pairs[] =
        "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
        "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
        "8081828384858687888990919293949596979899";
    while (count >= 2) {
        count -= 2;
        memcpy(out + count, pairs + 2 * (number % 100), 2);
        number /= 100;
    }
    if (count != 0) {
        out[0] = (char)('0' + number % 10);
    }
}

/* eight_digits answers the digits of a number below 10^8 as characters, zeros in front, the first in the
 * lowest byte: halves, quarters, then single digits, all of them at once. */
static inline uint64_t eight_digits(uint32_t number)
{
    uint64_t fours = number / 10000 | (uint64_t)(number % 10000) << 32;
    uint64_t high = (fours * 10486) >> 20 & 0x0000007f0000007f;
    uint64_t twos = high | (fours - high * 100) << 16;
    high = (twos * 103) >> 10 & 0x000f000f000f000f;
    return (high | (twos - high * 10) << 8) + 0x3030303030303030;
}

/* Prices and quantities have at most so many digits before the point, and at most so many behind it. */
#define QUICK_DIGITS 8
#define QUICK_LIMIT  100000000

#define ZEROS 0x3030303030303030

/* put_whole writes a number below QUICK_LIMIT without zeros in front, put_part `decimals` digits and the
 * point before them, put_part also without the zeros behind them when it is to be short.  Both store eight
 * bytes. */
static inline char *put_whole(char *to, uint32_t number)
{
    uint64_t digits = eight_digits(number);
    unsigned zeros = (unsigned)__builtin_ctzll((digits ^ ZEROS) | 1ULL << 56) / 8; /* the last one stays */
    digits >>= 8 * zeros;
    memcpy(to, &digits, sizeof digits);
    return to + QUICK_DIGITS - zeros;
}

static inline char *put_part(char *to, uint32_t part, int decimals, bool shorten)
{
    uint64_t digits = eight_digits(part);
    int keep = decimals;
    if (shorten) {
        if (part == 0) {
            return to;
        }
        keep -= __builtin_clzll(digits ^ ZEROS) / 8;
    }
    digits >>= 8 * (QUICK_DIGITS - decimals);
    *to = '.';
    memcpy(to + 1, &digits, sizeof digits);
    return to + 1 + keep;
}

/* print_quick prints what is short enough, NULL what is not. */
static inline char *print_quick(char *to, uint64_t rest, int decimals, bool shorten)
{
    if (decimals == 0) {
        if (rest >= (uint64_t)QUICK_LIMIT * QUICK_LIMIT) {
            return NULL;
        }
        if (rest < QUICK_LIMIT) {
            return put_whole(to, (uint32_t)rest);
        }
        uint64_t low = eight_digits((uint32_t)(rest % QUICK_LIMIT));
        to = put_whole(to, (uint32_t)(rest / QUICK_LIMIT));
        memcpy(to, &low, sizeof low);
        return to + QUICK_DIGITS;
    }
    if (decimals > QUICK_DIGITS) {
        return NULL;
    }
    uint64_t unit = (uint64_t)decimal_power[decimals], whole = rest / unit;
    if (whole >= QUICK_LIMIT) {
        return NULL;
    }
    to = put_whole(to, (uint32_t)whole);
    return put_part(to, (uint32_t)(rest - whole * unit), decimals, shorten);
}

static inline size_t print(char *out, int64_t value, int decimals, bool shorten)
{
    POISE_ASSERT(decimals >= 0 && decimals <= DECIMAL_MAX_DECIMALS);

    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    char *to = out;

    if (value < 0) {
        *to++ = '-';
    }
    char *quick = print_quick(to, rest, decimals, shorten);
    if (POISE_LIKELY(quick != NULL)) {
        *quick = '\0';
        return (size_t)(quick - out);
    }

    int digits = count_digits(rest);
    if (digits <= decimals) {
        digits = decimals + 1; /* 0.05 */
    }
    if (decimals == 0) {
        put_digits(to, rest, digits);
        to += digits;
    } else {
        /* all of them one place to the right, then what stands before the point back */
        int whole = digits - decimals;
        put_digits(to + 1, rest, digits);
        for (int i = 0; i < whole; i++) {
            to[i] = to[i + 1];
        }
        to[whole] = '.';
        to += digits + 1;
        while (shorten && to[-1] == '0') {
            to--;
        }
        to -= shorten && to[-1] == '.';
    }
    *to = '\0';
    return (size_t)(to - out);
}

size_t decimal_print(char *out, int64_t value, int decimals)
{
    return print(out, value, decimals, false);
}

size_t decimal_print_short(char *out, int64_t value, int decimals)
{
    return print(out, value, decimals, true);
}

/* divide cuts toward zero.  What comes here from the header has a negative numerator, mostly: one instruction
 * as well. */
static inline void divide(int128 numerator, int128 denominator, int128 *quotient, int128 *remainder)
{
#if defined(__x86_64__)
    bool negative = numerator < 0;
    uint64_t high = (uint64_t)(numerator >> 64), low = (uint64_t)numerator;
    if (POISE_UNLIKELY(negative)) {
        high = ~high + (low == 0);
        low = 0 - low;
    }
    if (POISE_LIKELY(denominator > 0 && denominator <= INT64_MAX && high < (uint64_t)denominator)) {
        uint64_t whole, rest;
        __asm__("divq %4" : "=a"(whole), "=d"(rest) : "0"(low), "1"(high), "r"((uint64_t)denominator) : "cc");
        *quotient = (int128)whole;
        *remainder = (int128)rest;
        if (POISE_UNLIKELY(negative)) {
            *quotient = -*quotient;
            *remainder = -*remainder;
        }
        return;
    }
#endif
    *quotient = numerator / denominator;
    *remainder = numerator % denominator;
}

int128 decimal_divide_any(int128 numerator, int128 denominator, enum rounding rounding)
{
    POISE_ASSERT(denominator != 0);

    int128 quotient, remainder;
    divide(numerator, denominator, &quotient, &remainder);
    if (remainder == 0) {
        return quotient;
    }

    /* The quotient was cut toward zero: `away` is the next integer on the other side of the truth. */
    bool negative = (remainder < 0) != (denominator < 0);
    int128 away = negative ? quotient - 1 : quotient + 1;

    switch (rounding) {
    case ROUND_DOWN:
        return negative ? away : quotient;
    case ROUND_UP:
        return negative ? quotient : away;
    case ROUND_ZERO:
        return quotient;
    case ROUND_AWAY:
        return away;
    case ROUND_HALF_EVEN:
        break;
    }
    int128 low = remainder < 0 ? -remainder : remainder;
    int128 high = (denominator < 0 ? -denominator : denominator) - low;
    if (low != high) {
        return low > high ? away : quotient;
    }
    return (quotient & 1) != 0 ? away : quotient;
}

int64_t decimal_rescale(int64_t value, int from_decimals, int to_decimals, enum rounding rounding)
{
    int up = to_decimals - from_decimals;
    POISE_ASSERT(up >= -DECIMAL_MAX_DECIMALS && up <= DECIMAL_MAX_DECIMALS);
    if (up < 0) {
        return decimal_divide(value, decimal_power[-up], rounding);
    }
    int64_t scaled;
    bool overflow = __builtin_mul_overflow(value, decimal_power[up], &scaled);
    POISE_ASSERT(!overflow);
    return scaled;
}
