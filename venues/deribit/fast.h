/* fast: changes of books, which come by the thousand, read in one pass.
 *
 * Changes and snapshots of book.* as the venue prints them: no white space, no escapes, no key but the known
 * ones (in any order), plain numbers, the instrument of the channel.  Every structural assumption is checked.
 * Any surprise is an answer: "not mine", with the sink not called, and the tolerant parser takes the message
 * from its first byte.  So what this parser yields is what the tolerant one would have yielded, and what it
 * refuses costs time and nothing else.
 *
 * Feed role; no allocation, no floating point. */
#ifndef POISE_VENUES_DERIBIT_FAST_H
#define POISE_VENUES_DERIBIT_FAST_H

#include "venues/index.h"
#include "venues/venue.h"

#define DERIBIT_FAST_NOT_MINE 0

/* Answers the bytes consumed (all of them) after one call of the sink, or DERIBIT_FAST_NOT_MINE without. */
typedef int64_t (*deribit_fast)(struct feed_parser *parser, const char *bytes, size_t count, feed_sink sink,
                                void *context);

/* deribit_fast_parse is the parser of the best level of this processor, chosen before main and constant. */
extern deribit_fast deribit_fast_parse;

/* deribit_fast_at answers the parser of one level, or NULL where this processor lacks it. */
deribit_fast deribit_fast_at(enum index_level level);

#endif
