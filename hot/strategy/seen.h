/* seen: the executions that were counted, so that none counts twice.
 *
 * The last SEEN_MAX, found by (account, instrument, side, execution id).  The account and the side belong
 * to the key because a venue gives both ends of one trade the same id.  An entry also remembers what the
 * first report did not tell (fee, price), so that a fuller report of the same execution completes it
 * instead of counting again.  Strategy core; fixed memory, constant time. */
#ifndef POISE_HOT_STRATEGY_SEEN_H
#define POISE_HOT_STRATEGY_SEEN_H

#include "ring/base.h"

#define SEEN_MAX        65536
#define SEEN_INDEX_SIZE (SEEN_MAX * 2)

#define SEEN_FEE_OPEN   0x01 /* fee_e8 is our estimate */
#define SEEN_PRICE_OPEN 0x02 /* counted at a price that is not the execution's */

struct seen_key {
    uint64_t exec_id;
    uint16_t account, instrument;
    uint16_t side;
    uint16_t spare;
};

struct seen_entry {
    struct seen_key key;
    uint64_t order;
    int64_t fee_e8; /* as booked */
    int64_t qty;
    uint16_t fee_currency;
    uint16_t flags;
    uint32_t spare;
};

struct seen {
    uint32_t next; /* where the next entry goes */
    uint32_t count;
    uint32_t index[SEEN_INDEX_SIZE]; /* entry + 1, 0 free */
    struct seen_entry entry[SEEN_MAX];
};

/* seen_fetch has the memory fetched that seen_find of this key and seen_add will look at; it changes nothing.
 */
void seen_fetch(const struct seen *seen, const struct seen_key *key);

/* seen_find answers the entry, or NULL. */
struct seen_entry *seen_find(struct seen *seen, const struct seen_key *key);

/* seen_add enters an execution that seen_find did not know, forgetting the oldest when full, and answers
 * its entry with everything but the key zero. */
struct seen_entry *seen_add(struct seen *seen, const struct seen_key *key);

#endif
