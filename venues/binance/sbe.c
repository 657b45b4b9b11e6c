#include "venues/binance/sbe.h"
#include "venues/binance/product.h"

#include <string.h>

enum { TRADES = 10000, BEST_BID_ASK = 10001, DEPTH_SNAPSHOT = 10002, DEPTH_DIFF = 10003 };

#define HEADER_BYTES 8

bool binance_sbe_is(const char *bytes, size_t count)
{
    /* block lengths are small: the second byte of a frame is 0 or 1, which no JSON text has there */
    return count >= 2 ? (unsigned char)bytes[1] < 0x09 : count == 1 && strchr("{[ \t\r\n", bytes[0]) == NULL;
}

const unsigned char *binance_sbe_step(struct binance_sbe *sbe, size_t bytes)
{
    if (sbe->lacking || (size_t)(sbe->end - sbe->at) < bytes) {
        sbe->lacking = true;
        return NULL;
    }
    const unsigned char *from = sbe->at;
    sbe->at += bytes;
    return from;
}

uint16_t binance_sbe_u16(const unsigned char *at)
{
    return (uint16_t)(at[0] | at[1] << 8);
}

uint32_t binance_sbe_u32(const unsigned char *at)
{
    return (uint32_t)binance_sbe_u16(at) | (uint32_t)binance_sbe_u16(at + 2) << 16;
}

int64_t binance_sbe_i64(const unsigned char *at)
{
    return (int64_t)((uint64_t)binance_sbe_u32(at) | (uint64_t)binance_sbe_u32(at + 4) << 32);
}

bool binance_sbe_rescale(int64_t mantissa, int exponent, int decimals, int64_t *out)
{
    int up = decimals + exponent;
    if (up > DECIMAL_MAX_DECIMALS || up < -DECIMAL_MAX_DECIMALS) {
        return false;
    }
    if (up >= 0) {
        return !__builtin_mul_overflow(mantissa, decimal_power[up], out);
    }
    if (mantissa % decimal_power[-up] != 0) {
        return false;
    }
    *out = mantissa / decimal_power[-up];
    return true;
}

static int64_t broken(struct feed_parser *parser, const struct binance_sbe *sbe, const char *begin,
                      const char *why)
{
    parser->broken_at = (size_t)((const char *)sbe->at - begin);
    parser->broken_why = why;
    return PARSE_BROKEN;
}

struct group {
    const unsigned char *at;
    uint32_t count;
    uint16_t block;
};

/* group steps over one group whose entries have no data of their own behind the block. */
static bool group(struct binance_sbe *sbe, struct group *out, bool wide, size_t least)
{
    const unsigned char *dimension = binance_sbe_step(sbe, wide ? 6 : 4);
    if (dimension == NULL) {
        return true; /* lacking says it */
    }
    out->block = binance_sbe_u16(dimension);
    out->count = wide ? binance_sbe_u32(dimension + 2) : binance_sbe_u16(dimension + 2);
    if (out->block < least && out->count > 0) {
        return false;
    }
    out->at = binance_sbe_step(sbe, (size_t)out->block * out->count);
    return true;
}

static bool levels(struct feed_parser *parser, const struct instrument *row, const struct group *from,
                   int price_exp, int qty_exp, uint32_t to)
{
    for (uint32_t i = 0; i < from->count; i++) {
        const unsigned char *at = from->at + (size_t)i * from->block;
        struct level *level = &parser->levels[to + i];
        if (!binance_sbe_rescale(binance_sbe_i64(at), price_exp, row->price_decimals, &level->price) ||
            !binance_sbe_rescale(binance_sbe_i64(at + 8), qty_exp, row->qty_decimals, &level->qty) ||
            level->price <= 0 || level->qty < 0) {
            return false;
        }
    }
    return true;
}

int64_t binance_sbe_feed(struct feed_parser *parser, const char *bytes, size_t count, feed_sink sink,
                         void *context)
{
    static const char *const finer = "a number does not fit the instrument's unit";
    struct binance_sbe sbe = { (const unsigned char *)bytes, (const unsigned char *)bytes + count, false };
    const unsigned char *head = binance_sbe_step(&sbe, HEADER_BYTES);
    if (head == NULL) {
        return PARSE_INCOMPLETE;
    }
    uint16_t block_bytes = binance_sbe_u16(head), template = binance_sbe_u16(head + 2);
    if (binance_sbe_u16(head + 4) != 1) {
        return broken(parser, &sbe, bytes, "not the schema of market data streams");
    }
    size_t least = template == TRADES || template == DEPTH_SNAPSHOT ? 18 : template == DEPTH_DIFF ? 26 : 50;
    if (template <TRADES || template > DEPTH_DIFF || block_bytes < least) {
        return broken(parser, &sbe, bytes, "unknown template, or a block shorter than its fields");
    }
    const unsigned char *block = binance_sbe_step(&sbe, block_bytes);
    struct group first = { 0 }, second = { 0 };
    bool sound = true;
    if (template == TRADES) {
        sound = group(&sbe, &first, true, 25);
    } else if (template != BEST_BID_ASK) {
        sound = group(&sbe, &first, false, 16) && group(&sbe, &second, false, 16);
    }
    if (!sound) {
        return broken(parser, &sbe, bytes, "a group's entries are shorter than their fields");
    }
    const unsigned char *length = binance_sbe_step(&sbe, 1);
    const unsigned char *symbol = length != NULL ? binance_sbe_step(&sbe, *length) : NULL;
    if (symbol == NULL) {
        return PARSE_INCOMPLETE;
    }
    int64_t consumed = (const char *)sbe.at - bytes;

    const struct instrument *row =
        instrument_find(parser->instruments, VENUE_BINANCE, parser->product, (const char *)symbol, *length);
    if (row == NULL && parser->unknown_symbol != NULL) {
        row = parser->unknown_symbol(parser->unknown_context, parser->product, (const char *)symbol, *length);
    }
    struct feed_event event = { .kind = FEED_EVENT_IGNORED, .instrument = NO_INSTRUMENT };
    if (row == NULL) {
        sink(context, &event);
        return consumed;
    }
    event.instrument = row->index;
    event.text = (const char *)symbol;
    event.text_bytes = *length;
    int64_t event_us = binance_sbe_i64(block);
    event.venue_time_ns = event_us > 0 && event_us < INT64_MAX / 1000 ? event_us * 1000 : 0;

    if (template == BEST_BID_ASK) {
        int price_exp = (int8_t)block[16], qty_exp = (int8_t)block[17];
        event.kind = FEED_EVENT_TOP;
        event.last = (uint64_t)binance_sbe_i64(block + 8);
        if (!binance_sbe_rescale(binance_sbe_i64(block + 18), price_exp, row->price_decimals,
                                 &event.u.top.bid_price) ||
            !binance_sbe_rescale(binance_sbe_i64(block + 26), qty_exp, row->qty_decimals,
                                 &event.u.top.bid_qty) ||
            !binance_sbe_rescale(binance_sbe_i64(block + 34), price_exp, row->price_decimals,
                                 &event.u.top.ask_price) ||
            !binance_sbe_rescale(binance_sbe_i64(block + 42), qty_exp, row->qty_decimals,
                                 &event.u.top.ask_qty)) {
            return broken(parser, &sbe, bytes, finer);
        }
        sink(context, &event);
        return consumed;
    }
    if (template == TRADES) {
        int price_exp = (int8_t)block[16], qty_exp = (int8_t)block[17];
        int64_t transact_us = binance_sbe_i64(block + 8);
        event.kind = FEED_EVENT_TRADE;
        event.venue_time_ns = transact_us > 0 && transact_us < INT64_MAX / 1000 ? transact_us * 1000 : 0;
        for (int pass = 0; pass < 2; pass++) {
            for (uint32_t i = 0; i < first.count; i++) {
                const unsigned char *at = first.at + (size_t)i * first.block;
                event.u.trade.id = (uint64_t)binance_sbe_i64(at);
                event.aggressor = at[24] == 1 ? SIDE_SELL : SIDE_BUY;
                if (!binance_sbe_rescale(binance_sbe_i64(at + 8), price_exp, row->price_decimals,
                                         &event.u.trade.price) ||
                    !binance_sbe_rescale(binance_sbe_i64(at + 16), qty_exp, row->qty_decimals,
                                         &event.u.trade.qty)) {
                    return broken(parser, &sbe, bytes, finer);
                }
                if (pass == 1) {
                    sink(context, &event);
                }
            }
        }
        return consumed;
    }
    int exponent_at = template == DEPTH_DIFF ? 24 : 16;
    event.kind = FEED_EVENT_DEPTH;
    if (template == DEPTH_DIFF) {
        event.first = (uint64_t)binance_sbe_i64(block + 8);
        event.last = (uint64_t)binance_sbe_i64(block + 16);
    } else {
        event.last = (uint64_t)binance_sbe_i64(block + 8);
        event.flags = FEED_EVENT_SNAPSHOT | FEED_EVENT_TOP_N;
        event.top_n = 20;
    }
    int price_exp = (int8_t)block[exponent_at], qty_exp = (int8_t)block[exponent_at + 1];
    if (first.count + second.count > parser->level_capacity) {
        return broken(parser, &sbe, bytes, "more levels than fit");
    }
    if (!levels(parser, row, &first, price_exp, qty_exp, 0) ||
        !levels(parser, row, &second, price_exp, qty_exp, first.count)) {
        return broken(parser, &sbe, bytes, finer);
    }
    event.bid_count = first.count;
    event.ask_count = second.count;
    event.bids = parser->levels;
    event.asks = parser->levels + first.count;
    sink(context, &event);
    return consumed;
}
