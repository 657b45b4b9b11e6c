/* fake_venue: a venue whose messages are events as they lie in memory, so that tests of roles say exactly
 * what a parser would have said.  Its link rule is that of futures: each change names the one before. */
#ifndef POISE_TESTS_FAKE_VENUE_H
#define POISE_TESTS_FAKE_VENUE_H

#include "venues/venue.h"

#define FAKE_WIRE_LEVELS 256

struct fake_wire {
    uint32_t magic;
    uint32_t pad;
    struct feed_event event;
    struct level level[FAKE_WIRE_LEVELS]; /* bids, then asks */
};

#define FAKE_WIRE_MAGIC 0x46414b45

extern const struct venue fake_venue;
extern uint32_t fake_subscribe_steps; /* messages a connection sends; 1 unless a test says more */

/* fake_table fills a table with `count` instruments of the fake venue. */
void fake_table(struct instrument_table *table, uint32_t count);

#endif
