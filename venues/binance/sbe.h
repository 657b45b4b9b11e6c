/* sbe: Binance spot's binary encoding (Simple Binary Encoding, little endian).
 *
 * Market data streams are schema 1 (templates 10000 to 10003), the WebSocket API is schema 3.  Every block is
 * stepped over by the length it states, so that later versions still decode. */
#ifndef POISE_VENUES_BINANCE_SBE_H
#define POISE_VENUES_BINANCE_SBE_H

#include "venues/venue.h"

/* binance_sbe_is: the bytes do not begin like JSON.  Nothing that is too short to tell is SBE. */
bool binance_sbe_is(const char *bytes, size_t count);

/* binance_sbe_feed parses one market data frame, like struct venue_feed.parse. */
int64_t binance_sbe_feed(struct feed_parser *parser, const char *bytes, size_t count, feed_sink sink,
                         void *context);

/* binance_sbe_private parses one frame of the WebSocket API: a reply, or an event of the user stream. */
struct binance_reader;
int64_t binance_sbe_private(struct binance_reader *reader, const char *bytes, size_t count);

/* binance_sbe_rescale moves mantissa x 10^exponent to a count of decimals; false when it does not fit or a
 * digit would be lost. */
bool binance_sbe_rescale(int64_t mantissa, int exponent, int decimals, int64_t *out);

/* What is left of a frame to read.  `lacking` is set by the first read beyond its end, and every later read
 * answers 0. */
struct binance_sbe {
    const unsigned char *at;
    const unsigned char *end;
    bool lacking;
};

/* Steps over `bytes` and answers where they began, or NULL. */
const unsigned char *binance_sbe_step(struct binance_sbe *sbe, size_t bytes);

/* Little-endian fields of a block that was stepped over. */
uint16_t binance_sbe_u16(const unsigned char *at);
uint32_t binance_sbe_u32(const unsigned char *at);
int64_t binance_sbe_i64(const unsigned char *at);

#endif
