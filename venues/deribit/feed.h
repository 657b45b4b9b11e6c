/* feed: the public streams and replies of Deribit, as struct venue_feed (see venues/venue.h).
 *
 * This header is for the room itself and its tests. */
#ifndef POISE_VENUES_DERIBIT_FEED_H
#define POISE_VENUES_DERIBIT_FEED_H

#include "venues/venue.h"

/* deribit_feed_parse_tolerant is the parser without its fast path: what that hands every surprise to, and
 * what it is compared with. */
int64_t deribit_feed_parse_tolerant(struct feed_parser *parser, const char *bytes, size_t count,
                                    feed_sink sink, void *context);

/* deribit_feed_row answers the table's row of a symbol, or NULL; hooks of tools are not asked. */
const struct instrument *deribit_feed_row(const struct feed_parser *parser, const char *symbol, size_t bytes);

#endif
