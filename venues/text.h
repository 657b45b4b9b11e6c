/* text: writing into a bounded piece of memory, without the C library's formatting.
 *
 * A text that does not fit sets `full` and stays within bounds; the writer looks once, at the end. */
#ifndef POISE_VENUES_TEXT_H
#define POISE_VENUES_TEXT_H

#include "ring/decimal.h"
#include <string.h>

struct text {
    char *at;
    char *end;
    bool full;
};

static inline void text_put_bytes(struct text *text, const char *bytes, size_t count)
{
    if (POISE_UNLIKELY((size_t)(text->end - text->at) < count)) {
        text->full = true;
        return;
    }
    memcpy(text->at, bytes, count);
    text->at += count;
}

/* A literal's length is known at compile time, once inlined. */
static inline void text_put(struct text *text, const char *words)
{
    text_put_bytes(text, words, strlen(words));
}

static inline void text_put_char(struct text *text, char c)
{
    text_put_bytes(text, &c, 1);
}

static inline void text_put_unsigned(struct text *text, uint64_t number)
{
    char digits[DECIMAL_TEXT_BYTES];
    if (POISE_LIKELY(number <= INT64_MAX)) {
        text_put_bytes(text, digits, decimal_print(digits, (int64_t)number, 0));
        return;
    }
    size_t bytes = decimal_print(digits, (int64_t)(number / 10), 0);
    digits[bytes] = (char)('0' + number % 10);
    text_put_bytes(text, digits, bytes + 1);
}

static inline void text_put_decimal(struct text *text, int64_t value, int decimals)
{
    char digits[DECIMAL_TEXT_BYTES];
    text_put_bytes(text, digits, decimal_print_short(digits, value, decimals));
}

/* text_hex answers eight hex digits as characters, the first in the lowest byte; text_unhex is its inverse:
 * what are no such digits become a number that has others. */
static inline uint64_t text_hex(uint32_t number)
{
    uint64_t bits = (number & 0xffff) | (uint64_t)(number & 0xffff0000) << 16;
    bits = (bits & 0x000000ff000000ff) | (bits & 0x0000ff000000ff00) << 8;
    bits = (bits & 0x000f000f000f000f) | (bits & 0x00f000f000f000f0) << 4;
    bits = __builtin_bswap64(bits);
    uint64_t letters = (bits + 0x7676767676767676) >> 7 & 0x0101010101010101; /* 1 where it is ten or more */
    return bits + 0x3030303030303030 + letters * ('a' - '0' - 10);
}

static inline uint32_t text_unhex(uint64_t digits)
{
    uint64_t letters = digits >> 6 & 0x0101010101010101;
    uint64_t bits = digits - 0x3030303030303030 - letters * ('a' - '0' - 10);
    bits = __builtin_bswap64(bits) & 0x0f0f0f0f0f0f0f0f;
    bits = (bits & 0x000f000f000f000f) | (bits & 0x0f000f000f000f00) >> 4;
    bits = (bits & 0x000000ff000000ff) | (bits & 0x00ff000000ff0000) >> 8;
    return (uint32_t)((bits & 0xffff) | bits >> 16);
}

#endif
