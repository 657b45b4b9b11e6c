/* conn is one connection to a venue, from the first SYN to the last byte and back again.
 *
 * A conn joins a socket (io), TLS (tls) and either a WebSocket (ws) or an HTTP/1.1 client (http), and
 * keeps itself connected: it retries with growing, jittered pauses until it is closed by its owner.  The
 * owner is a feed or gateway role; it says what to do once the transport is up (log in, subscribe) and
 * reads messages.  Everything here is called from the one hot thread that polls the net, except that
 * net_create, conn_create and conn_open may be called before that thread exists.  Times are the loop's
 * monotonic now in nanoseconds; nothing here reads a clock.
 *
 *   net_create -> conn_create (once each, takes all memory) -> conn_open -> net_poll for ever
 *
 * States, and what is true there:
 *
 *   IDLE           created, never opened
 *   BACKOFF        no socket; the next attempt starts at a known time
 *   CONNECTING     a socket is on its way
 *   TLS_HANDSHAKE  connected, not yet trusted (skipped with tls = false)
 *   WS_UPGRADE     trusted, the upgrade request is out (WebSocket only)
 *   LOGIN          transport up, on_ready was called; the owner logs in and calls conn_logged_in
 *   SUBSCRIBING    logged in; the owner subscribes and calls conn_subscribed
 *   LIVE           in service
 *   STALE          was live, nothing was heard for stale_ns; a ping is out
 *   CLOSED         the owner closed it; conn_open starts again
 *
 * An owner without log-in calls conn_subscribed straight from LOGIN.  An HTTP conn goes from LOGIN to LIVE by
 * itself once on_ready returns. */
#ifndef POISE_HOT_NET_CONN_H
#define POISE_HOT_NET_CONN_H

#include "hot/net/http.h"
#include "hot/net/io.h"

enum conn_kind { CONN_WS, CONN_HTTP };

enum conn_state {
    CONN_IDLE,
    CONN_BACKOFF,
    CONN_CONNECTING,
    CONN_TLS_HANDSHAKE,
    CONN_WS_UPGRADE,
    CONN_LOGIN,
    CONN_SUBSCRIBING,
    CONN_LIVE,
    CONN_STALE,
    CONN_CLOSED,
    CONN_STATE_COUNT
};

enum conn_event {
    CONN_EVENT_OPEN,       /* owner: conn_open */
    CONN_EVENT_RETRY,      /* the pause is over */
    CONN_EVENT_TCP_UP,     /* connected, TLS comes next */
    CONN_EVENT_UPGRADE,    /* trusted (or plain TCP), the upgrade request comes next */
    CONN_EVENT_UP,         /* the transport is up */
    CONN_EVENT_LOGGED_IN,  /* owner: conn_logged_in */
    CONN_EVENT_SUBSCRIBED, /* owner: conn_subscribed */
    CONN_EVENT_QUIET,      /* nothing heard for stale_ns */
    CONN_EVENT_HEARD,      /* bytes after silence */
    CONN_EVENT_LOST,       /* peer, network, deadline or violation; conn_reason says which */
    CONN_EVENT_CLOSE,      /* owner: conn_close */
    CONN_EVENT_COUNT
};

/* Why a connection went down. */
enum conn_reason {
    CONN_REASON_NONE,
    CONN_REASON_CONNECT,   /* refused, unreachable, or no socket */
    CONN_REASON_TIMEOUT,   /* a state lasted longer than its timeout, or a request went unanswered */
    CONN_REASON_SILENCE,   /* stale for stale_kill_ns */
    CONN_REASON_PEER,      /* the peer closed, in any polite form */
    CONN_REASON_NETWORK,   /* reset or another socket error */
    CONN_REASON_TLS,       /* certificate, host name, alert, bad record: conn_error says which */
    CONN_REASON_UPGRADE,   /* the upgrade was refused: conn_upgrade_status */
    CONN_REASON_VIOLATION, /* WebSocket or HTTP broke its rules, or a message exceeded inbox_bytes */
    CONN_REASON_FULL,      /* our send buffer is full: the peer does not read */
    CONN_REASON_OWNER,     /* conn_drop or conn_close */
    CONN_REASON_COUNT
};

struct conn;
struct net;

/* What a conn tells its owner.  A callback may call any conn function on any conn of the same net. */
struct conn_handler {
    /* the transport is up (state LOGIN): send the log-in or the subscriptions */
    void (*on_ready)(void *owner, struct conn *conn, uint64_t now_ns);
    /* one whole WebSocket message; bytes lie in the connection's buffer until the callback returns, with
     * 64 readable bytes before and after; they may be overwritten by the callee */
    void (*on_message)(void *owner, struct conn *conn, uint8_t *bytes, size_t len, bool binary,
                       uint64_t now_ns);
    /* the answer to the outstanding conn_request; everything in it lies in the connection's buffer until
     * the callback returns.  The next conn_request may be made from here unless response->keep_alive is
     * false, in which case on_down follows */
    void (*on_response)(void *owner, struct conn *conn, const struct http_response *response,
                        uint64_t now_ns);
    /* the connection was up or being made and is no more.  An HTTP request without its on_response has an
     * unknown outcome.  Called once per attempt; a new attempt follows by itself unless closed */
    void (*on_down)(void *owner, struct conn *conn, enum conn_reason reason, uint64_t now_ns);
    /* may be NULL: every state change, after it happened */
    void (*on_state)(void *owner, struct conn *conn, enum conn_state from, enum conn_state to,
                     uint64_t now_ns);
};

/* Durations are nanoseconds; 0 takes the value in brackets. */
struct conn_timeouts {
    uint64_t connect_ns;      /* [5 s] */
    uint64_t handshake_ns;    /* [5 s] */
    uint64_t upgrade_ns;      /* [5 s] */
    uint64_t login_ns;        /* [10 s] */
    uint64_t subscribe_ns;    /* [10 s] */
    uint64_t request_ns;      /* [10 s] HTTP: from conn_request to on_response */
    uint64_t ping_ns;         /* [15 s] WebSocket: our own ping this long after the last byte was heard */
    uint64_t stale_ns;        /* [30 s] WebSocket, LIVE: silence that makes it STALE */
    uint64_t stale_kill_ns;   /* [10 s] then this much more silence ends it */
    uint64_t backoff_min_ns;  /* [100 ms] first pause; doubles up to backoff_max_ns */
    uint64_t backoff_max_ns;  /* [12 s] */
    uint64_t backoff_calm_ns; /* [10 s] LIVE for this long sets the pause back to its minimum */
};

enum { CONN_ADDRESS_MAX = 8, CONN_ADDRESS_BYTES = 46, CONN_HOST_BYTES = 256, CONN_PATH_BYTES = 512 };

/* conn_create copies everything it needs out of here. */
struct conn_options {
    const char *name; /* for people: "binance-usdm.feed.0"; up to 63 bytes */
    enum conn_kind kind;
    bool tls;                     /* false only for loopback, tests and benches */
    const char *host;             /* certificate name, SNI and Host header */
    const char *const *addresses; /* numeric, resolved by cold; tried in turn */
    uint32_t address_count;       /* 1 to CONN_ADDRESS_MAX */
    uint16_t port;
    const char *path;      /* WebSocket request target, "/ws"; NULL = "/" */
    const char *headers;   /* WebSocket upgrade: extra lines, each ending in \r\n; NULL = none */
    uint32_t inbox_bytes;  /* longest message or response, headers included; 0 = 256 KiB */
    uint32_t outbox_bytes; /* longest message or request we send; 0 = 16 KiB */
    struct conn_timeouts timeouts;
};

struct conn_counters {
    uint64_t bytes_in, bytes_out;       /* plaintext */
    uint64_t messages_in, messages_out; /* WebSocket messages, or HTTP responses and requests */
    uint64_t attempts, connects;        /* started; reached LOGIN */
    uint64_t tls_handshakes, tls_resumptions;
    uint64_t pings_in, pings_out;
    uint64_t stales;
    uint64_t refused_events; /* table: an event met an empty cell */
    uint64_t refused_sends;  /* not up, too long, busy or full */
    uint64_t down[CONN_REASON_COUNT];
};

struct net_options {
    struct io_options io; /* sockets_max 0: conns_max; io.memory is replaced by memory below */
    uint32_t conns_max;   /* 1 to 256; 0 = 16 */
    const char *ca_path;  /* PEM bundle; NULL = /etc/ssl/certs/ca-certificates.crt */
    bool no_tls;          /* no conn of this net uses TLS: no CA bundle is read */
    uint64_t seed;        /* jitter of the pauses; masks and keys never come from it */
    struct net_memory memory;
};

enum conn_answer {
    CONN_OK = 0,
    CONN_NOT_UP = -1,   /* not in a state that carries traffic */
    CONN_TOO_LONG = -2, /* exceeds outbox_bytes, or (HTTP) is malformed */
    CONN_BUSY = -3,     /* HTTP: a request is outstanding */
    CONN_FULL = -4,     /* the peer does not read: the connection is going down, reason FULL */
    CONN_WRONG_KIND = -5
};

/* ---- start: any thread, before the hot thread polls ---------------------------------------------- */

/* net_create makes the net of one hot thread.  It answers true, or false with a sentence in error. */
bool net_create(struct net **out, const struct net_options *options, char *error, size_t error_bytes);

/* net_destroy drops all conns without a word to the owners. */
void net_destroy(struct net *net);

/* conn_create makes a conn in state IDLE.  It answers NULL, with a sentence in error, when an option is
 * wrong or memory or places are used up. */
struct conn *conn_create(struct net *net, const struct conn_options *options,
                         const struct conn_handler *handler, void *owner, char *error, size_t error_bytes);

/* ---- the hot thread ------------------------------------------------------------------------------- */

/* net_poll moves bytes, drives every conn and calls their owners.  The work of one call is bounded by
 * io.events_per_poll deliveries and one look at each conn whose deadline has passed.  It answers the number
 * of events handled: 0 means idle. */
uint32_t net_poll(struct net *net, uint64_t now_ns);

/* net_hold keeps what conns send from leaving until net_release, which sends everything with as few system
 * calls as the back end can: for several orders decided together. */
void net_hold(struct net *net);
void net_release(struct net *net);

/* conn_open: IDLE or CLOSED -> BACKOFF, first attempt at now_ns, made by the next net_poll. */
void conn_open(struct conn *conn, uint64_t now_ns);

/* conn_close and conn_drop take effect in the next net_poll, or as soon as the callback they were called
 * from returns; from then on sends are refused.
 *
 * conn_close says goodbye (WebSocket close, TLS close notify), closes, and stays CLOSED.  on_down is
 * called with CONN_REASON_OWNER if anything was up. */
void conn_close(struct conn *conn, uint64_t now_ns);

/* conn_drop ends the present attempt or session and lets it be made again after a pause. */
void conn_drop(struct conn *conn, uint64_t now_ns);

/* conn_logged_in and conn_subscribed: the owner's progress.  Elsewhere than in LOGIN or SUBSCRIBING they
 * change nothing and are counted. */
void conn_logged_in(struct conn *conn, uint64_t now_ns);
void conn_subscribed(struct conn *conn, uint64_t now_ns);

/* conn_send_text, conn_send_binary send one WebSocket message, copying it once. */
enum conn_answer conn_send_text(struct conn *conn, const uint8_t *bytes, size_t len);
enum conn_answer conn_send_binary(struct conn *conn, const uint8_t *bytes, size_t len);

/* conn_frame_begin answers where to write a message of up to outbox_bytes, or NULL when not up.
 * conn_frame_commit sends the first `len` bytes of it; what was written is masked in place and lost.
 * Nothing else may be sent on this conn in between. */
uint8_t *conn_frame_begin(struct conn *conn);
enum conn_answer conn_frame_commit(struct conn *conn, size_t len, bool binary);

/* conn_request sends one HTTP request; at most one is outstanding.  `method` is "GET", "POST", ...,
 * `target` the path with its query, `headers` extra lines each ending in \r\n or NULL; Host and
 * Content-Length are added.  body may be NULL with body_len 0. */
enum conn_answer conn_request(struct conn *conn, const char *method, const char *target, const char *headers,
                              const uint8_t *body, size_t body_len, uint64_t now_ns);

/* conn_can_request: LIVE (or LOGIN, inside on_ready), and nothing outstanding. */
bool conn_can_request(const struct conn *conn);

/* conn_hold makes the next attempt wait at least until `until_ns` (a venue said when to come back). */
void conn_hold(struct conn *conn, uint64_t until_ns);

/* conn_set_path, conn_set_addresses, conn_set_headers take effect at the next attempt (a new listen key,
 * a new answer from the resolver).  They answer false, changing nothing, when too long or malformed. */
bool conn_set_path(struct conn *conn, const char *path);
bool conn_set_addresses(struct conn *conn, const char *const *addresses, uint32_t count);
bool conn_set_headers(struct conn *conn, const char *headers);

/* ---- looking ---------------------------------------------------------------------------------------- */

enum conn_state conn_state(const struct conn *conn);
enum conn_reason conn_reason(const struct conn *conn); /* of the last time it went down */
const char *conn_error(const struct conn *conn);       /* the same in words; "" if none; never NULL */
int conn_upgrade_status(const struct conn *conn);      /* HTTP status of the last refused upgrade, or 0 */
uint64_t conn_heard_ns(const struct conn *conn);       /* when the last byte arrived; 0 = never */
const char *conn_name(const struct conn *conn);
const struct conn_counters *conn_counters(const struct conn *conn);
const struct io_counters *net_io_counters(const struct net *net);
struct tls_counters;
const struct tls_counters *net_tls_counters(const struct net *net); /* NULL with no_tls */
const char *net_backend_name(const struct net *net);                /* "uring" or "spin" */
const char *net_cipher_name(const struct net *net);                 /* "ipsec-mb", "evp" or "none" */

const char *conn_state_name(enum conn_state state);
const char *conn_event_name(enum conn_event event);
const char *conn_reason_name(enum conn_reason reason);

/* conn_next is the state table: the state after `event` in `state`, or -1 for an empty cell. */
int conn_next(enum conn_state state, enum conn_event event);

#endif
