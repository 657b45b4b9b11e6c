#include "ring/decimal.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* xorshift: the seed is fixed and printed by the failing assertion. */
#define SEED 0x9e3779b97f4a7c15ULL
static uint64_t random_state = SEED;
static uint64_t random_next(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

struct parsed {
    const char *text;
    int decimals;
    enum decimal_result result;
    int64_t value;
};

/* clang-format off */
static const struct parsed parsed_rows[] = {
    { "0",                      0,  DECIMAL_OK,        0 },
    { "-0",                     2,  DECIMAL_OK,        0 },
    { "+1",                     0,  DECIMAL_OK,        1 },
    { "61800.20",               2,  DECIMAL_OK,        6180020 },
    { "61800.2",                2,  DECIMAL_OK,        6180020 },
    { "61800",                  2,  DECIMAL_OK,        6180000 },
    { "-61800.20",              2,  DECIMAL_OK,        -6180020 },
    { "0.00100000",             3,  DECIMAL_OK,        1 },
    { "0.00100000",             2,  DECIMAL_INEXACT,   0 },
    { "1.500",                  1,  DECIMAL_OK,        15 },
    { "1.505",                  2,  DECIMAL_INEXACT,   0 },
    { "1.501",                  0,  DECIMAL_INEXACT,   0 },
    { "007",                    0,  DECIMAL_OK,        7 },
    { "1e-05",                  5,  DECIMAL_OK,        1 },
    { "1e-05",                  4,  DECIMAL_INEXACT,   0 },
    { "1E5",                    0,  DECIMAL_OK,        100000 },
    { "1.25e+2",                0,  DECIMAL_OK,        125 },
    { "1.25e1",                 0,  DECIMAL_INEXACT,   0 },
    { "1250e-1",                0,  DECIMAL_OK,        125 },
    { "125000e-3",              0,  DECIMAL_OK,        125 },
    { "0e999999999999999999999",0,  DECIMAL_OK,        0 },
    { "0.000e-99999999",        0,  DECIMAL_OK,        0 },
    { "1e99999999999999999999", 0,  DECIMAL_TOO_LARGE, 0 },
    { "1e-99999999999999999999",18, DECIMAL_INEXACT,   0 },
    { "9223372036854775807",    0,  DECIMAL_OK,        INT64_MAX },
    { "9223372036854775808",    0,  DECIMAL_TOO_LARGE, 0 },
    { "-9223372036854775808",   0,  DECIMAL_OK,        INT64_MIN },
    { "-9223372036854775809",   0,  DECIMAL_TOO_LARGE, 0 },
    { "92233720368.54775807",   8,  DECIMAL_OK,        INT64_MAX },
    { "92233720368.54775808",   8,  DECIMAL_TOO_LARGE, 0 },
    { "9.223372036854775807",   18, DECIMAL_OK,        INT64_MAX },
    { "9.223372036854775807000",18, DECIMAL_OK,        INT64_MAX },
    { "9.2233720368547758071",  18, DECIMAL_INEXACT,   0 },
    { "18446744073709551616",   0,  DECIMAL_TOO_LARGE, 0 }, /* 2^64: the low bits are 0 */
    { "36893488147419103232.5", 0,  DECIMAL_INEXACT,   0 },
    { "99999999999999999999999999999999999999999", 0, DECIMAL_TOO_LARGE, 0 },
    { "1000000000000000000000000000000e-30",       0, DECIMAL_OK,        1 },
    { "0.000000000000000000000000000001e30",       0, DECIMAL_OK,        1 },
    { "00000000000000000000000000000000000000012", 0, DECIMAL_OK,        12 },
    { "10",                     18, DECIMAL_TOO_LARGE, 0 },
    { "",                       0,  DECIMAL_EMPTY,     0 },
    { "-",                      0,  DECIMAL_EMPTY,     0 },
    { "+",                      0,  DECIMAL_EMPTY,     0 },
    { ".",                      0,  DECIMAL_EMPTY,     0 },
    { "-.",                     0,  DECIMAL_EMPTY,     0 },
    { ".5",                     1,  DECIMAL_SYNTAX,    0 },
    { "5.",                     1,  DECIMAL_SYNTAX,    0 },
    { "1..2",                   2,  DECIMAL_SYNTAX,    0 },
    { "1.2.3",                  2,  DECIMAL_SYNTAX,    0 },
    { "--1",                    0,  DECIMAL_SYNTAX,    0 },
    { "1-",                     0,  DECIMAL_SYNTAX,    0 },
    { " 1",                     0,  DECIMAL_SYNTAX,    0 },
    { "1 ",                     0,  DECIMAL_SYNTAX,    0 },
    { "1,5",                    1,  DECIMAL_SYNTAX,    0 },
    { "0x10",                   0,  DECIMAL_SYNTAX,    0 },
    { "nan",                    0,  DECIMAL_SYNTAX,    0 },
    { "e5",                     0,  DECIMAL_SYNTAX,    0 },
    { "1e",                     0,  DECIMAL_SYNTAX,    0 },
    { "1e+",                    0,  DECIMAL_SYNTAX,    0 },
    { "1e5.0",                  0,  DECIMAL_SYNTAX,    0 },
    { "1.e5",                   0,  DECIMAL_SYNTAX,    0 },
    { "1e5e5",                  0,  DECIMAL_SYNTAX,    0 },
};
/* clang-format on */

Test(decimal, text_is_read_exactly_or_refused_by_name)
{
    for (size_t i = 0; i < POISE_COUNT_OF(parsed_rows); i++) {
        const struct parsed *row = &parsed_rows[i];
        int64_t value = -77;
        enum decimal_result result = decimal_parse(row->text, strlen(row->text), row->decimals, &value);
        cr_expect_eq(result, row->result, "'%s' at %d: result %d", row->text, row->decimals, result);
        int64_t expected = row->result == DECIMAL_OK ? row->value : -77;
        cr_expect_eq(value, expected, "'%s' at %d: value %lld", row->text, row->decimals, (long long)value);
    }
}

Test(decimal, digits_beyond_the_given_length_are_never_read)
{
    long page = sysconf(_SC_PAGESIZE);
    char *pages = mmap(NULL, (size_t)(2 * page), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(pages, MAP_FAILED);
    cr_assert_eq(mprotect(pages + page, (size_t)page, PROT_NONE), 0);

    for (size_t i = 0; i < POISE_COUNT_OF(parsed_rows); i++) {
        size_t bytes = strlen(parsed_rows[i].text);
        for (size_t prefix = 0; prefix <= bytes; prefix++) {
            char *text = pages + page - prefix;
            memcpy(text, parsed_rows[i].text, prefix);
            int64_t at_the_edge = -77;
            int64_t elsewhere = -77;
            char copy[64] = { 0 };
            memcpy(copy, parsed_rows[i].text, prefix);
            /* the rest of the text stands behind the copy, and must not matter */
            memset(copy + prefix, '9', 8);
            enum decimal_result a = decimal_parse(text, prefix, parsed_rows[i].decimals, &at_the_edge);
            enum decimal_result b = decimal_parse(copy, prefix, parsed_rows[i].decimals, &elsewhere);
            cr_expect_eq(a, b);
            cr_expect_eq(at_the_edge, elsewhere);
            decimal_decimals(text, prefix);
        }
    }
}

Test(decimal, the_decimals_a_text_needs)
{
    static const struct {
        const char *text;
        int decimals;
    } rows[] = {
        { "0.00100000", 3 }, { "1e-05", 5 },  { "1500", 0 },    { "1.5e1", 0 }, { "1.55e1", 1 },
        { "0.000", 0 },      { "10.10", 1 },  { "100e-1", 0 },  { "1.", -1 },   { "", -1 },
        { "abc", -1 },       { "1e-18", 18 }, { "0.10e-2", 3 }, { "-0.25", 2 }, { "1e5", 0 },
    };
    for (size_t i = 0; i < POISE_COUNT_OF(rows); i++) {
        cr_expect_eq(decimal_decimals(rows[i].text, strlen(rows[i].text)), rows[i].decimals, "'%s'",
                     rows[i].text);
    }
}

Test(decimal, printing_says_every_decimal)
{
    static const struct {
        int64_t value;
        int decimals;
        const char *whole;
        const char *cut;
    } rows[] = {
        { 6180020, 2, "61800.20", "61800.2" },
        { 0, 0, "0", "0" },
        { 0, 3, "0.000", "0" },
        { 5, 3, "0.005", "0.005" },
        { -5, 3, "-0.005", "-0.005" },
        { 100, 2, "1.00", "1" },
        { 100, 0, "100", "100" },
        { -100, 1, "-10.0", "-10" },
        { INT64_MAX, 0, "9223372036854775807", "9223372036854775807" },
        { INT64_MIN, 0, "-9223372036854775808", "-9223372036854775808" },
        { INT64_MIN, 18, "-9.223372036854775808", "-9.223372036854775808" },
        { INT64_MIN, 8, "-92233720368.54775808", "-92233720368.54775808" },
        { 1, 18, "0.000000000000000001", "0.000000000000000001" },
    };
    char out[DECIMAL_TEXT_BYTES];
    for (size_t i = 0; i < POISE_COUNT_OF(rows); i++) {
        cr_expect_eq(decimal_print(out, rows[i].value, rows[i].decimals), strlen(rows[i].whole));
        cr_expect_str_eq(out, rows[i].whole);
        cr_expect_eq(decimal_print_short(out, rows[i].value, rows[i].decimals), strlen(rows[i].cut));
        cr_expect_str_eq(out, rows[i].cut);
    }
}

/* The independent opinion on printing: the C library's digits, with the point put between them. */
static void expect_printed(int64_t value, int decimals)
{
    char digits[32], expected[DECIMAL_TEXT_BYTES], out[DECIMAL_TEXT_BYTES];
    uint64_t size = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    int count = snprintf(digits, sizeof digits, "%0*llu", decimals + 1, (unsigned long long)size);
    snprintf(expected, sizeof expected, "%s%.*s%s%s", value < 0 ? "-" : "", count - decimals, digits,
             decimals != 0 ? "." : "", digits + count - decimals);
    cr_assert_eq(decimal_print(out, value, decimals), strlen(expected));
    cr_assert_str_eq(out, expected);
}

Test(decimal, printing_is_right_about_every_number_of_digits)
{
    for (int decimals = 0; decimals <= DECIMAL_MAX_DECIMALS; decimals++) {
        for (int power = 0; power <= DECIMAL_MAX_DECIMALS; power++) {
            for (int64_t off = -2; off <= 2; off++) {
                expect_printed(decimal_power[power] + off, decimals);
                expect_printed(-decimal_power[power] - off, decimals);
            }
        }
        for (int bit = 0; bit < 64; bit++) {
            expect_printed((int64_t)(1ULL << bit), decimals);
            expect_printed((int64_t)((1ULL << bit) - 1), decimals);
        }
    }
}

Test(decimal, what_is_printed_reads_back)
{
    char out[DECIMAL_TEXT_BYTES];
    for (int i = 0; i < 200000; i++) {
        int64_t value = (int64_t)(random_next() >> (random_next() % 64));
        value -=
            random_next() % 2 != 0 ? value % decimal_power[random_next() % 12] : 0; /* zeros at the end */
        value = random_next() % 2 != 0 ? value : -value;
        int decimals = (int)(random_next() % (DECIMAL_MAX_DECIMALS + 1));
        int64_t back = 0;
        size_t bytes = decimal_print(out, value, decimals);
        cr_assert_lt(bytes, (size_t)DECIMAL_TEXT_BYTES);
        cr_assert_eq(decimal_parse(out, bytes, decimals, &back), DECIMAL_OK, "%s", out);
        cr_assert_eq(back, value, "%s", out);
        bytes = decimal_print_short(out, value, decimals);
        cr_assert_eq(decimal_parse(out, bytes, decimals, &back), DECIMAL_OK, "%s", out);
        cr_assert_eq(back, value, "%s", out);
        cr_assert_eq(strlen(out), bytes);
        cr_assert(memchr(out, '.', bytes) == NULL || (out[bytes - 1] != '0' && out[bytes - 1] != '.'), "%s",
                  out);
    }
}

/* The independent opinion: the digits as one 128-bit number, multiplied or divided by ten step by step. */
static enum decimal_result slow_parse(int128 digits, int decimals_written, int exponent, int decimals,
                                      int64_t *value)
{
    int shift = decimals - decimals_written + exponent;
    for (; shift > 0 && digits != 0; shift--) {
        if (digits > INT64_MAX || digits < INT64_MIN) {
            return DECIMAL_TOO_LARGE;
        }
        digits *= 10;
    }
    for (; shift < 0; shift++) {
        if (digits % 10 != 0) {
            return DECIMAL_INEXACT;
        }
        digits /= 10;
    }
    if (digits > INT64_MAX || digits < INT64_MIN) {
        return DECIMAL_TOO_LARGE;
    }
    *value = (int64_t)digits;
    return DECIMAL_OK;
}

Test(decimal, random_texts_agree_with_slow_arithmetic)
{
    unsigned seen[5] = { 0 };
    for (int i = 0; i < 300000; i++) {
        char text[96];
        int count = 1 + (int)(random_next() % 24);
        int behind = (int)(random_next() % (uint64_t)count);
        int exponent = random_next() % 3 == 0 ? (int)(random_next() % 41) - 20 : 0;
        int decimals = (int)(random_next() % 19);
        bool negative = random_next() % 2 != 0;
        int zeros = (int)(random_next() % (uint64_t)count);
        int128 digits = 0;
        int at = 0;

        if (negative) {
            text[at++] = '-';
        }
        for (int d = 0; d < count; d++) {
            if (d == count - behind) {
                text[at++] = '.';
            }
            /* half of them end in zeros: the case that must not count as digits lost */
            int digit = i % 2 != 0 && d >= count - zeros ? 0 : (int)(random_next() % 10);
            text[at++] = (char)('0' + digit);
            digits = digits * 10 + digit;
        }
        if (exponent != 0 || random_next() % 8 == 0) {
            at += sprintf(text + at, "%c%+03d", random_next() % 2 != 0 ? 'e' : 'E', exponent);
        }
        int64_t expected = 0;
        int64_t value = 0;
        enum decimal_result want =
            slow_parse(negative ? -digits : digits, behind, exponent, decimals, &expected);
        enum decimal_result got = decimal_parse(text, (size_t)at, decimals, &value);
        cr_assert_eq(got, want, "'%.*s' at %d: %d, not %d (seed %llx)", at, text, decimals, got, want, SEED);
        cr_assert_eq(value, expected, "'%.*s' at %d (seed %llx)", at, text, decimals, SEED);
        seen[got]++;
    }
    cr_assert_gt(seen[DECIMAL_OK], 1000u);
    cr_assert_gt(seen[DECIMAL_INEXACT], 1000u);
    cr_assert_gt(seen[DECIMAL_TOO_LARGE], 1000u);
}

Test(decimal, every_rounding_of_sevens_and_halves)
{
    static const struct {
        int numerator, denominator;
        int down, up, zero, away, half_even;
    } rows[] = {
        { 7, 2, 3, 4, 3, 4, 4 },     { -7, 2, -4, -3, -3, -4, -4 }, { 7, -2, -4, -3, -3, -4, -4 },
        { -7, -2, 3, 4, 3, 4, 4 },   { 5, 2, 2, 3, 2, 3, 2 },       { -5, 2, -3, -2, -2, -3, -2 },
        { 1, 3, 0, 1, 0, 1, 0 },     { 2, 3, 0, 1, 0, 1, 1 },       { -1, 3, -1, 0, 0, -1, 0 },
        { -2, 3, -1, 0, 0, -1, -1 }, { 6, 3, 2, 2, 2, 2, 2 },       { -6, 3, -2, -2, -2, -2, -2 },
        { 1, 2, 0, 1, 0, 1, 0 },     { -1, 2, -1, 0, 0, -1, 0 },    { 3, 2, 1, 2, 1, 2, 2 },
    };
    for (size_t i = 0; i < POISE_COUNT_OF(rows); i++) {
        int n = rows[i].numerator;
        int d = rows[i].denominator;
        cr_expect_eq(decimal_divide(n, d, ROUND_DOWN), rows[i].down, "%d/%d down", n, d);
        cr_expect_eq(decimal_divide(n, d, ROUND_UP), rows[i].up, "%d/%d up", n, d);
        cr_expect_eq(decimal_divide(n, d, ROUND_ZERO), rows[i].zero, "%d/%d zero", n, d);
        cr_expect_eq(decimal_divide(n, d, ROUND_AWAY), rows[i].away, "%d/%d away", n, d);
        cr_expect_eq(decimal_divide(n, d, ROUND_HALF_EVEN), rows[i].half_even, "%d/%d half even", n, d);
    }
}

Test(decimal, rounding_keeps_its_promise_for_any_numbers)
{
    for (int i = 0; i < 200000; i++) {
        int128 numerator =
            (int128)(int64_t)random_next() * (int64_t)(1 + (random_next() >> (17 + random_next() % 46)));
        int128 denominator = (int128)(int64_t)random_next() * 256 >> (random_next() % 70);
        if (denominator == 0) {
            continue;
        }
        int128 size = denominator < 0 ? -denominator : denominator;
        int128 down = decimal_divide_wide(numerator, denominator, ROUND_DOWN);
        int128 up = decimal_divide_wide(numerator, denominator, ROUND_UP);
        int128 even = decimal_divide_wide(numerator, denominator, ROUND_HALF_EVEN);
        /* what is left over, measured along the denominator's sign */
        int128 below = (numerator - down * denominator) * (denominator < 0 ? -1 : 1);
        int128 above = (up * denominator - numerator) * (denominator < 0 ? -1 : 1);
        cr_assert(below >= 0 && below < size);
        cr_assert(above >= 0 && above < size);
        cr_assert(up - down == (below != 0));
        cr_assert(even == (below < above ? down : above < below ? up : (down & 1) == 0 ? down : up));
        int128 zero = decimal_divide_wide(numerator, denominator, ROUND_ZERO);
        int128 away = decimal_divide_wide(numerator, denominator, ROUND_AWAY);
        bool negative = (numerator < 0) != (denominator < 0);
        cr_assert(zero == (negative ? up : down));
        cr_assert(away == (negative ? down : up));
    }
}

/* Where the quotient stops to fit 64 bits, and where an operand does, another way of dividing begins. */
Test(decimal, a_quotient_is_right_on_both_sides_of_64_bits)
{
    static const int64_t few[] = { 1, 2, 3, 7, 10, 1000000, 1000000000000LL, (1LL << 61) - 1, 1LL << 61 };
    for (size_t i = 0; i < POISE_COUNT_OF(few); i++) {
        for (int64_t off = -3; off <= 3; off++) {
            int128 quotient = ((int128)1 << 64) + off;
            int128 numerator = quotient * few[i];
            cr_assert(decimal_divide_wide(numerator, few[i], ROUND_DOWN) == quotient);
            cr_assert(decimal_divide_wide(-numerator, few[i], ROUND_UP) == -quotient);
            cr_assert(decimal_divide_wide(numerator + few[i] - 1, few[i], ROUND_ZERO) == quotient);
            cr_assert(decimal_divide_wide(numerator, (int128)INT64_MAX + 1 + off, ROUND_ZERO) ==
                      numerator / ((int128)INT64_MAX + 1 + off));
        }
    }
}

Test(decimal, a_tie_near_the_end_of_128_bits_does_not_overflow)
{
    int128 large = ((int128)1 << 126) - 1;
    cr_assert(decimal_divide_wide(large, large * 2, ROUND_HALF_EVEN) == 0);
    cr_assert(decimal_divide_wide(large + 1, large * 2, ROUND_HALF_EVEN) == 1);
}

Test(decimal, moving_between_units_rounds_as_told)
{
    cr_assert_eq(decimal_rescale(12345, 2, 8, ROUND_DOWN), 12345000000);
    cr_assert_eq(decimal_rescale(12345, 2, 1, ROUND_DOWN), 1234);
    cr_assert_eq(decimal_rescale(12345, 2, 1, ROUND_UP), 1235);
    cr_assert_eq(decimal_rescale(-12345, 2, 1, ROUND_DOWN), -1235);
    cr_assert_eq(decimal_rescale(12345, 2, 1, ROUND_HALF_EVEN), 1234);
    cr_assert_eq(decimal_rescale(7, 3, 3, ROUND_DOWN), 7);
    cr_assert_eq(decimal_rescale(INT64_MAX, 18, 0, ROUND_UP), 10);
}

Test(decimal, steps_are_reached_from_the_side_asked_for)
{
    cr_assert_eq(decimal_to_step(17, 5, ROUND_DOWN), 15);
    cr_assert_eq(decimal_to_step(17, 5, ROUND_UP), 20);
    cr_assert_eq(decimal_to_step(-17, 5, ROUND_DOWN), -20);
    cr_assert_eq(decimal_to_step(-17, 5, ROUND_UP), -15);
    cr_assert_eq(decimal_to_step(-17, 5, ROUND_ZERO), -15);
    cr_assert_eq(decimal_to_step(20, 5, ROUND_UP), 20);
    cr_assert_eq(decimal_to_step(0, 5, ROUND_DOWN), 0);
    cr_assert_eq(decimal_multiply_divide(INT64_MAX, 3, 3, ROUND_DOWN), INT64_MAX);
}

Test(decimal, a_quotient_beyond_64_bits_is_a_broken_promise, .signal = SIGABRT)
{
    decimal_divide((int128)INT64_MAX * 2, 1, ROUND_DOWN);
}

Test(decimal, a_scale_beyond_64_bits_is_a_broken_promise, .signal = SIGABRT)
{
    decimal_rescale(INT64_MAX, 0, 1, ROUND_DOWN);
}

Test(decimal, a_division_by_zero_is_a_broken_promise, .signal = SIGABRT)
{
    decimal_divide(1, 0, ROUND_DOWN);
}
