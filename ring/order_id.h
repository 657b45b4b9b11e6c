/* order_id: our order ids and their text at the venue.
 *
 * 64 bits: engine (10) | instance (10) | leg and role (4) | counter (40).  The counter comes from blocks
 * whose upper end is on disk before use, so an id is never used twice, not even after a lost tail.  The
 * text is "p" + 13 digits of base 32 (0-9a-v), lower case, 14 characters: fits Binance's 36, and every
 * other venue that takes text.  A venue with 32-bit ids maps through the gateway's table. */
#ifndef POISE_RING_ORDER_ID_H
#define POISE_RING_ORDER_ID_H

#include "ring/base.h"

#include <string.h>

#define ORDER_ID_TEXT_BYTES 14
#define ORDER_COUNTER_BITS  40
#define ORDER_COUNTER_MAX   ((1ULL << ORDER_COUNTER_BITS) - 1)
#define ORDER_ENGINE_MAX    1023
#define ORDER_INSTANCE_MAX  1023

static inline uint64_t order_id_make(uint32_t engine, uint32_t instance, uint32_t leg_role, uint64_t count)
{
    return ((uint64_t)(engine & 0x3ff) << 54) | ((uint64_t)(instance & 0x3ff) << 44) |
           ((uint64_t)(leg_role & 0xf) << 40) | (count & ORDER_COUNTER_MAX);
}

static inline uint32_t order_id_engine(uint64_t order)
{
    return (uint32_t)(order >> 54);
}

static inline uint32_t order_id_instance(uint64_t order)
{
    return (uint32_t)(order >> 44) & 0x3ff;
}

static inline uint32_t order_id_leg_role(uint64_t order)
{
    return (uint32_t)(order >> 40) & 0xf;
}

static inline uint64_t order_id_counter(uint64_t order)
{
    return order & ORDER_COUNTER_MAX;
}

/* order_id_digits answers eight digits of base 32 as characters, the first in the lowest byte: forty bits
 * spread over eight bytes, all of them made letters at once. */
static inline uint64_t order_id_digits(uint64_t bits)
{
    bits = (bits & 0xfffff) | (bits & 0xfffff00000) << 12;
    bits = (bits & 0x000003ff000003ff) | (bits & 0x000ffc00000ffc00) << 6;
    bits = (bits & 0x001f001f001f001f) | (bits & 0x03e003e003e003e0) << 3;
    bits = __builtin_bswap64(bits);
    uint64_t letters = (bits + 0x7676767676767676) >> 7 & 0x0101010101010101; /* 1 where it is ten or more */
    return bits + 0x3030303030303030 + letters * ('a' - '0' - 10);
}

/* order_id_bits is its inverse; what are no such digits become bits that have others. */
static inline uint64_t order_id_bits(uint64_t digits)
{
    uint64_t letters = digits >> 6 & 0x0101010101010101;
    uint64_t bits = digits - 0x3030303030303030 - letters * ('a' - '0' - 10);
    bits = __builtin_bswap64(bits) & 0x1f1f1f1f1f1f1f1f;
    bits = (bits & 0x001f001f001f001f) | (bits & 0x1f001f001f001f00) >> 3;
    bits = (bits & 0x000003ff000003ff) | (bits & 0x03ff000003ff0000) >> 6;
    return (bits & 0xfffff) | (bits & 0x000fffff00000000) >> 12;
}

/* order_id_print writes ORDER_ID_TEXT_BYTES characters, no zero byte. */
static inline void order_id_print(char *out, uint64_t order)
{
    uint64_t high = order_id_digits(order >> 40), low = order_id_digits(order & ORDER_COUNTER_MAX);
    high >>= 24; /* 24 bits are five digits */
    memcpy(out + 1, &high, sizeof high);
    memcpy(out + 6, &low, sizeof low);
    out[0] = 'p';
}

/* order_id_parse answers the id, or 0 when the text is not one of ours. */
static inline uint64_t order_id_parse(const char *text, size_t bytes)
{
    if (bytes != ORDER_ID_TEXT_BYTES || text[0] != 'p') {
        return 0;
    }
    uint64_t high, low;
    memcpy(&high, text, sizeof high); /* "p", five digits, and two of the others */
    memcpy(&low, text + 6, sizeof low);
    uint64_t order = order_id_bits(high << 16 | 0x3030) << ORDER_COUNTER_BITS | order_id_bits(low);
    char again[ORDER_ID_TEXT_BYTES];
    order_id_print(again, order);
    return memcmp(again, text, sizeof again) == 0 ? order : 0; /* other letters print others */
}

#endif
