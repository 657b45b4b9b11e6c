/* text: writing into a bounded piece of memory, without the C library's formatting.
 *
 * A text that does not fit sets `full` and stays within bounds; the writer looks once, at the end. */
#ifndef POISE_VENUES_BINANCE_TEXT_H
#define POISE_VENUES_BINANCE_TEXT_H

#include "ring/decimal.h"
#include <string.h>

struct binance_text {
    char *at;
    char *end;
    bool full;
};

static inline void binance_put_bytes(struct binance_text *text, const char *bytes, size_t count)
{
    if (POISE_UNLIKELY((size_t)(text->end - text->at) < count)) {
        text->full = true;
        return;
    }
    memcpy(text->at, bytes, count);
    text->at += count;
}

/* A literal's length is known at compile time, once inlined. */
static inline void binance_put(struct binance_text *text, const char *words)
{
    binance_put_bytes(text, words, strlen(words));
}

static inline void binance_put_char(struct binance_text *text, char c)
{
    binance_put_bytes(text, &c, 1);
}

static inline void binance_put_unsigned(struct binance_text *text, uint64_t number)
{
    char digits[20];
    size_t count = 0;
    do {
        digits[sizeof digits - ++count] = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    binance_put_bytes(text, digits + sizeof digits - count, count);
}

static inline void binance_put_decimal(struct binance_text *text, int64_t value, int decimals)
{
    char digits[DECIMAL_TEXT_BYTES];
    binance_put_bytes(text, digits, decimal_print_short(digits, value, decimals));
}

/* binance_put_hex writes exactly `digits` digits. */
static inline void binance_put_hex(struct binance_text *text, uint64_t number, int digits)
{
    for (int i = digits - 1; i >= 0; i--) {
        binance_put_char(text, "0123456789abcdef"[(number >> (4 * i)) & 15]);
    }
}

#endif
