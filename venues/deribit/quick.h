/* quick: the private messages that come most, read in one pass.
 *
 * user.changes, and the answer to a new order or an edit.  Each byte is looked at once; records wait until
 * the message has ended well, because a message with one bad object yields nothing, and executions are told
 * before orders before positions, however they are printed.  Any surprise (another key, a key twice, an
 * escape, more records than can wait) is an answer: "not mine", with nothing emitted, and order.c takes the
 * message from its first byte.  So what is told here is what would have been told there, and what is refused
 * costs time and nothing else.
 *
 * Gateway role; no allocation. */
#ifndef POISE_VENUES_DERIBIT_QUICK_H
#define POISE_VENUES_DERIBIT_QUICK_H

#include "venues/deribit/report.h"

#define DERIBIT_QUICK_NOT_MINE 0

/* deribit_quick answers the bytes consumed (all of them), or DERIBIT_QUICK_NOT_MINE.  The reader has no
 * hooks, for those are told things object by object, and is left as it was. */
int64_t deribit_quick(const struct deribit_reader *reader, const char *bytes, size_t count);

#endif
