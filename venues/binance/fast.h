/* fast: the messages that come by the thousand, read without looking at every byte twice.
 *
 * Depth updates, best prices and trades of spot and futures, raw or wrapped in {"stream":..,"data":..}, as
 * the venue has printed them for years: no white space, no escapes, no key but the known ones, in any order.
 * Every structural assumption is checked.  Any surprise is an answer: "not mine", with the sink not called,
 * and the tolerant parser takes the message from its first byte.  So what this parser yields is what the
 * tolerant one would have yielded, and what it refuses costs time and nothing else.
 *
 * Feed role; no allocation, no floating point. */
#ifndef POISE_VENUES_BINANCE_FAST_H
#define POISE_VENUES_BINANCE_FAST_H

#include "venues/index.h"
#include "venues/venue.h"

#define BINANCE_FAST_NOT_MINE 0

/* Answers the bytes consumed (all of them) after one call of the sink, or BINANCE_FAST_NOT_MINE without. */
typedef int64_t (*binance_fast)(struct feed_parser *parser, const char *bytes, size_t count, feed_sink sink,
                                void *context);

/* binance_fast_parse is the parser of the best level of this processor, chosen before main and constant. */
extern binance_fast binance_fast_parse;

/* binance_fast_at answers the parser of one level, or NULL where this processor lacks it. */
binance_fast binance_fast_at(enum index_level level);

#endif
