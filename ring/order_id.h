/* order_id: our order ids and their text at the venue.
 *
 * 64 bits: engine (10) | instance (10) | leg and role (4) | counter (40).  The counter comes from blocks
 * whose upper end is on disk before use, so an id is never used twice, not even after a lost tail.  The
 * text is "p" + 13 digits of base 32 (0-9a-v), lower case, 14 characters: fits Binance's 36, and every
 * other venue that takes text.  A venue with 32-bit ids maps through the gateway's table. */
#ifndef POISE_RING_ORDER_ID_H
#define POISE_RING_ORDER_ID_H

#include "ring/base.h"

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

/* order_id_print writes ORDER_ID_TEXT_BYTES characters, no zero byte. */
static inline void order_id_print(char *out, uint64_t order)
{
    static const char digit[32] = "0123456789abcdefghijklmnopqrstuv";
    out[0] = 'p';
    for (int i = 0; i < 13; i++) {
        out[1 + i] = digit[(order >> (60 - 5 * i)) & (i == 0 ? 0xf : 0x1f)];
    }
}

/* order_id_parse answers the id, or 0 when the text is not one of ours. */
static inline uint64_t order_id_parse(const char *text, size_t bytes)
{
    if (bytes != ORDER_ID_TEXT_BYTES || text[0] != 'p') {
        return 0;
    }
    uint64_t order = 0;
    for (int i = 0; i < 13; i++) {
        char c = text[1 + i];
        uint64_t value;
        if (c >= '0' && c <= '9') {
            value = (uint64_t)(c - '0');
        } else if (c >= 'a' && c <= 'v') {
            value = (uint64_t)(c - 'a') + 10;
        } else {
            return 0;
        }
        if (i == 0 && value > 15) {
            return 0;
        }
        order = (order << 5) | value;
    }
    return order;
}

#endif
