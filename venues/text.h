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

/* text_put_hex writes exactly `digits` digits. */
static inline void text_put_hex(struct text *text, uint64_t number, int digits)
{
    if (POISE_UNLIKELY(text->end - text->at < digits)) {
        text->full = true;
        return;
    }
    for (int i = 0; i < digits; i++) {
        text->at[i] = "0123456789abcdef"[(number >> (4 * (digits - 1 - i))) & 15];
    }
    text->at += digits;
}

#endif
