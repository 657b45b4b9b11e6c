/* gateway: the role that owns the order-entry and private connections of accounts.
 *
 * It takes order records from one channel, throttles (keeping a reserve of each budget for cancels and
 * hedges), encodes, signs, sends, and turns what the venue says into report records on another channel.  It
 * keeps a table of what it sent that is not finished, so that it can say UNKNOWN for what was never answered
 * and cancel everything without asking the strategy.  It runs on the hot thread that polls its net.
 *
 * Words: a request is one message to the venue, named by its tie; an order lives over many requests. */
#ifndef POISE_HOT_GATEWAY_GATEWAY_H
#define POISE_HOT_GATEWAY_GATEWAY_H

#include "hot/feed/feed.h"
#include "ring/account.h"

struct gateway;

struct gateway_options {
    const char *name; /* "gateway.0" */
    const struct instrument_table *instruments;
    const struct account *account; /* one account a gateway */
    const struct venue *venue;
    const struct sign_key *key; /* locked memory, lives as long as the gateway */
    uint16_t wanted[FEED_CONNECTION_INSTRUMENTS];
    uint32_t wanted_count;
    struct channel *in;  /* RECORD_ORDER_NEW .. RECORD_CANCEL_ALL */
    struct channel *out; /* reports, balances, positions, RECORD_GATEWAY_STATE */
    struct net *net;
    struct counters *counters;
    uint32_t writer;
    role_resolve resolve;
    void *resolve_context;
    bool tls;
    const _Atomic uint64_t *heartbeat; /* the strategy writes it every turn */
    uint64_t heartbeat_stale_ns;       /* not advanced for this long: no dead-man refresh, then cancel all */
    uint64_t request_timeout_ns;       /* unanswered for this long: RECORD_UNKNOWN */
    int64_t clock_offset_ns;           /* venue - our wall time as cold measured it at start; 0 unknown */
    const _Atomic int64_t
        *venue_clock_ns; /* venue's time - our steady time, as cold measured it last; looked at
                          * when our stamps are refused.  0 unknown; NULL nobody measures */
    uint64_t seed;
    void *(*take)(void *context, size_t bytes);
    void *take_context;
};

/* Connections a gateway makes in its net at most: one for each of the session's slots, and spares where a
 * slot's host is only known once the session asks to open it. */
#define GATEWAY_LINKS_MAX 6

/* Ties with this bit belong to requests the gateway makes for itself; the strategy's must not have it. */
#define GATEWAY_TIE_OWN     (1ULL << 62)
#define GATEWAY_TIE_SESSION (1ULL << 63)

/* gateway_create makes the session, takes memory, makes connections and opens none; NULL with a sentence in
 * error. */
struct gateway *gateway_create(const struct gateway_options *options, char *error, size_t error_bytes);

/* gateway_start lets the session begin to open its connections (hot thread or before it starts). */
void gateway_start(struct gateway *gateway, uint64_t now_ns);

/* gateway_poll: orders in, session steps, timeouts, budgets.  Bounded; answers how much it did. */
uint32_t gateway_poll(struct gateway *gateway, uint64_t now_ns, int64_t wall_ns);

/* gateway_cancel_all asks the venue to cancel everything of the account now, from the gateway's own tables
 * and for every wanted instrument: a failed assert, a dead strategy, the end of the run.  Needs no strategy.
 * It is a standing wish: what cannot be sent now, or is not acknowledged, is sent again by gateway_poll. */
void gateway_cancel_all(struct gateway *gateway, uint64_t now_ns, int64_t wall_ns);

/* gateway_quiet: nothing is in flight and, as far as the gateway knows, nothing rests. */
bool gateway_quiet(const struct gateway *gateway);

/* gateway_stop closes the connections.  What was not answered is reported UNKNOWN by later polls. */
void gateway_stop(struct gateway *gateway, uint64_t now_ns);

/* gateway_state is what the strategy was told last, or will be when its channel has room.  Any thread. */
enum gateway_state gateway_state(const struct gateway *gateway);

#endif
