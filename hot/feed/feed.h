/* feed: the role that owns market data connections of one venue and turns their bytes into records.
 *
 * It runs on the hot thread that polls its net.  It keeps the full L2 book of each instrument, proves its
 * continuity by the venue's rule, asks for snapshots over its own HTTP connection or in the stream, and
 * publishes to one channel: changed levels within the top N (RECORD_BOOK), tops, trades, marks, feed and
 * instrument state. A book whose continuity is not proved is published as RECORD_FEED_STATE FEED_GAP and then
 * not at all until it is proved again.  When the channel is full the feed counts, marks the instrument and
 * sends a complete top N before its next change. */
#ifndef POISE_HOT_FEED_FEED_H
#define POISE_HOT_FEED_FEED_H

#include "hot/net/conn.h"
#include "ring/channel.h"
#include "ring/counters.h"
#include "venues/venue.h"

struct feed;

/* role_resolve answers where a host is: cold resolved it at start, or configuration sends all of a venue to
 * one place.  addresses live as long as the engine; port may be replaced.  False: unknown host. */
struct role_address {
    const char *address[CONN_ADDRESS_MAX];
    uint32_t count;
    uint16_t port;
};
typedef bool (*role_resolve)(void *context, uint8_t venue, const char *host, struct role_address *address);

struct feed_options {
    const char *name; /* "feed.0" */
    const struct venue *venue;
    uint8_t product;
    const struct instrument_table *instruments;
    uint16_t wanted[FEED_CONNECTION_INSTRUMENTS];
    uint32_t wanted_count;
    uint32_t depth_levels; /* 1..BOOK_DEPTH_MAX */
    uint32_t book_levels;  /* levels a side kept in the full book; 0 = 8192 */
    uint64_t stale_ns;     /* no byte for this long on a connection: FEED_STALE */
    struct channel *out;
    struct net *net;
    struct counters *counters;
    uint32_t writer; /* counters writer number of this thread */
    role_resolve resolve;
    void *resolve_context;
    const struct sign_key *key; /* to log in with where some streams ask for it; NULL: as nobody */
    uint64_t seed;
    bool tls;
    void *(*take)(void *context, size_t bytes); /* memory at start; never freed */
    void *take_context;
};

/* feed_create plans connections, takes memory and opens nothing yet; NULL with a sentence in error. */
struct feed *feed_create(const struct feed_options *options, char *error, size_t error_bytes);

/* feed_start opens the connections (hot thread or before it starts). */
void feed_start(struct feed *feed, uint64_t now_ns);

/* feed_poll does what time asks for: staleness, snapshot requests, resyncs.  Bytes arrive through the net's
 * callbacks.  Bounded; answers how much it did. */
uint32_t feed_poll(struct feed *feed, uint64_t now_ns, int64_t wall_ns);

/* feed_stop closes the connections. */
void feed_stop(struct feed *feed, uint64_t now_ns);

/* feed_live: every wanted instrument has a proved book that is not stale. */
bool feed_live(const struct feed *feed);

/* feed_state_of: what was last published of one instrument; FEED_DOWN when it is not wanted here. */
enum feed_state feed_state_of(const struct feed *feed, uint16_t instrument);

/* feed_connection_count: how many connections the feed made in its net, the snapshot one included; a net
 * needs places for FEED_CONNECTIONS_MAX. */
#define FEED_STREAMS_MAX     8
#define FEED_CONNECTIONS_MAX (FEED_STREAMS_MAX + 1)
uint32_t feed_connection_count(const struct feed *feed);

#endif
