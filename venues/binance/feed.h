/* feed: the public streams of Binance, as struct venue_feed (see venues/venue.h).
 *
 * This header is for the room itself and its tests. */
#ifndef POISE_VENUES_BINANCE_FEED_H
#define POISE_VENUES_BINANCE_FEED_H

#include "venues/venue.h"

/* binance_feed_parse_tolerant is the parser without its fast paths: what they hand every surprise to, and
 * what they are compared with. */
int64_t binance_feed_parse_tolerant(struct feed_parser *parser, const char *bytes, size_t count,
                                    feed_sink sink, void *context);

/* binance_stream_top_n: 20 of "btcusdt@depth20@100ms" (the best levels only), 0 of "btcusdt@depth@100ms"
 * (changes). */
uint8_t binance_stream_top_n(const char *stream, size_t bytes);
static inline bool binance_stream_is_top_n(const char *stream, size_t bytes)
{
    return binance_stream_top_n(stream, bytes) != 0;
}

#endif
