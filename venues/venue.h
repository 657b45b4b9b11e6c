/* venue: what the engine needs to know of a trading venue, as pure functions.
 *
 * A venue turns bytes into records and back.  It knows no socket, no clock and no file: time is an
 * argument, bytes come in, and what should be sent, opened or asked comes out as a value that the caller
 * (feed role, gateway role, cold thread, decode tool) carries out.  So the same code serves a pinned
 * thread, the simulator in one thread, and a person with a captured message.
 *
 * Parsers answer consumed bytes, PARSE_INCOMPLETE or PARSE_BROKEN; they never read outside
 * [bytes, bytes + count), yield nothing from a message they do not finish, and survive anything.
 * Everything called from a hot role allocates nothing, takes no lock, formats nothing with the C library
 * and uses no floating point.
 *
 * The interface has to fit: one venue with orders over a WebSocket API and per-request signatures; one
 * that speaks JSON-RPC with a session login; one that takes orders by plain HTTP; one that packs orders in
 * msgpack and signs a hash of it.  venues/README.md says step by step how to add one. */
#ifndef POISE_VENUES_VENUE_H
#define POISE_VENUES_VENUE_H

#include "ring/account.h"
#include "ring/credit.h"
#include "ring/instrument.h"
#include "ring/record.h"
#include "venues/sign.h"

#define PARSE_INCOMPLETE 0
#define PARSE_BROKEN     (-1)

/* ------------------------------------------------------------------ what to send */

enum transport { TRANSPORT_WS = 1, TRANSPORT_HTTP };

#define VENUE_HOST_BYTES   64
#define VENUE_PATH_BYTES   640
#define VENUE_HEADER_BYTES 512

/* Where a connection goes.  The caller maps the host to an address (resolved by cold, or the simulator's). */
struct venue_endpoint {
    uint8_t transport; /* enum transport */
    uint8_t spare;
    uint16_t port;
    char host[VENUE_HOST_BYTES]; /* TLS server name and Host header */
    char path[VENUE_PATH_BYTES]; /* WebSocket: request target of the upgrade; HTTP: "" */
};

enum venue_act {
    ACT_NONE = 0,
    ACT_OPEN,    /* open connection `slot` to `endpoint` */
    ACT_CLOSE,   /* close connection `slot` */
    ACT_SEND,    /* body[0..body_bytes) as one WebSocket message on `slot` (binary: opcode 2) */
    ACT_REQUEST, /* HTTP on `slot`: method, path (with query), headers, body */
};

/* One thing to do.  The caller owns the struct and the memory behind `body`; a venue writes into both. */
struct venue_out {
    uint8_t act;     /* enum venue_act */
    uint8_t slot;    /* which connection of the session; see struct venue_session */
    uint8_t binary;  /* ACT_SEND: 1 for a binary frame */
    uint8_t request; /* enum request_kind the answer will belong to */
    uint16_t weight; /* request weight at the venue */
    uint16_t orders; /* how many orders it counts as */
    uint8_t credit;  /* enum credit: what the venue's bucket it is taken from; CREDIT_NONE: of windows only */
    uint64_t tie;    /* the answer's key, as in record_order.tie; ties of the session itself have bit 63 */
    uint64_t order;  /* our order id it is about; 0 none */
    struct venue_hooks *hooks; /* in, of rest->request: a person's tool wants what was signed; else NULL */
    char *body;                /* in: memory; out: what to send */
    uint32_t body_capacity;
    uint32_t body_bytes;
    const char *method; /* ACT_REQUEST: "GET", "POST", "PUT", "DELETE" */
    uint32_t path_bytes;
    uint32_t header_bytes;
    char path[2048];                 /* ACT_REQUEST: target with query, not terminated */
    char header[VENUE_HEADER_BYTES]; /* ACT_REQUEST: "Name: value\r\n" lines, not terminated */
    struct venue_endpoint endpoint;  /* ACT_OPEN */
};

/* Receives each record a parser yields, in the order they must be published; the record is only valid
 * during the call. */
struct venue_sink {
    void (*emit)(void *context, const struct slot *record);
    void *context;
};

/* What a person's tool wants beyond the records: NULL on a hot role.  The tool fills in the first part; a
 * parser leaves in the second what belongs to the record it is about to emit, valid during that call. */
struct venue_hooks {
    void *context;
    /* Answers a row for a symbol that is not in the table (its index beyond the table's), or NULL. */
    const struct instrument *(*unknown_symbol)(void *context, uint8_t product, const char *symbol,
                                               size_t bytes);
    /* Answers an index for a currency that is not in the table, or CURRENCY_NONE. */
    uint16_t (*unknown_currency)(void *context, const char *code, size_t bytes);
    /* Told of what is no record: replies of the session, errors without an order, notices. */
    void (*control)(void *context, uint8_t what, int64_t code, const char *detail, size_t bytes);
    uint8_t reply_to; /* enum request_kind of a reply whose id is not one of ours */

    const char *client_id; /* the order's own, as the venue wrote it; may be NULL.  Before encode: what to
                            * write instead of the order id's text */
    uint32_t client_id_bytes;
    uint32_t request_id_bytes;
    const char *request_id; /* of the request this answers; may be NULL */
    const char *venue_id;   /* before encode: the order's id at the venue, where the person knows it */
    uint32_t venue_id_bytes;
    uint64_t nonce; /* before encode: the nonce to sign with, where the venue takes any (has_nonce) */
    bool has_nonce;
    uint32_t exec_id_bytes;
    const char *exec_id; /* executions: as the venue writes it; may be NULL */
    const char *fee;     /* executions with a fee: as the venue writes it, finer perhaps than the record */
    uint32_t fee_bytes;
    const char *note; /* the venue's words with a refusal; may be NULL */
    uint32_t note_bytes;
    const char *broken;        /* why a parser answered PARSE_BROKEN: static text */
    uint32_t item;             /* which object of an array */
    int64_t mark_e8, index_e8; /* marks: as printed, finer than the price unit */
    int64_t unsettled_e8;      /* balances: what of the total the venue keeps apart until it settles */
    int64_t contract_e8;       /* metadata: what the venue calls one contract, where orders count in money or
                                * coin instead; 0 elsewhere */
    uint8_t position_side;     /* positions: 0 net, 1 long, 2 short */
    bool has_side;             /* the venue told the side: a record cannot leave it out */

    char *signed_text; /* encode: memory for what was signed, or NULL */
    uint32_t signed_capacity;
    uint32_t signed_bytes;
};

/* ------------------------------------------------------------------ market data */

enum feed_event_kind {
    FEED_EVENT_IGNORED = 0,
    FEED_EVENT_DEPTH, /* deltas, or with FEED_EVENT_SNAPSHOT all levels */
    FEED_EVENT_TOP,
    FEED_EVENT_TRADE,
    FEED_EVENT_MARK,
    FEED_EVENT_INDEX,
    FEED_EVENT_STATE, /* instrument status */
    FEED_EVENT_LIQUIDATION,
    FEED_EVENT_OPTION,
    FEED_EVENT_CONTROL,    /* replies to subscribe, pongs, errors, shutdown notices */
    FEED_EVENT_INSTRUMENT, /* metadata: `metadata` points at a row */
};

enum feed_control {
    CONTROL_SUBSCRIBED = 1,
    CONTROL_UNSUBSCRIBED,
    CONTROL_LOGIN,
    CONTROL_LOGOUT,
    CONTROL_ERROR,
    CONTROL_HEARTBEAT,
    CONTROL_TEST_REQUEST,
    CONTROL_PONG,
    CONTROL_OK,
    CONTROL_COUNT,
    CONTROL_TIME,
    CONTROL_DEAD_MAN,
    CONTROL_LIMITS,
    CONTROL_SHUTDOWN, /* the venue will close: reconnect at once */
    CONTROL_STREAM_ENDED,
    CONTROL_KEY_REVOKED,
    CONTROL_REQUEST,
    CONTROL_KIND_COUNT
};

extern const char *const control_names[CONTROL_KIND_COUNT]; /* "subscribed" */

#define FEED_EVENT_SNAPSHOT   0x01
#define FEED_EVENT_TOP_N      0x02 /* the best n only: never merged with deltas */
#define FEED_EVENT_OFF_BOOK   0x04 /* a trade that did not happen in the book (insurance fund, ADL) */
#define FEED_EVENT_INFERRED   0x08 /* decimals were guessed from the message (decode tool only) */
#define FEED_EVENT_CONTINUOUS 0x10 /* mark: funding accrues continuously: `rate` is for eight hours */
#define FEED_EVENT_PARTIAL    0x20 /* top: only what changed; the rest is FEED_UNTOLD */
#define FEED_EVENT_PASSING    0x40 /* state: told in passing with other data, whether it changed or not */
#define FEED_EVENT_LOCK       0x80 /* state: of a lock above the instrument, beside its own state */

#define FEED_UNTOLD INT64_MIN /* a number that the message leaves out */

struct feed_event {
    uint8_t kind;  /* enum feed_event_kind */
    uint8_t flags; /* FEED_EVENT_* */
    uint16_t instrument;
    uint8_t aggressor;     /* trade: enum side */
    uint8_t control;       /* enum feed_control */
    uint8_t status;        /* state: enum instrument_status */
    uint8_t top_n;         /* FEED_EVENT_TOP_N: levels a side that the stream carries */
    int64_t venue_time_ns; /* 0 unknown */
    uint64_t first;        /* depth: first update id inside, 0 none */
    uint64_t last;         /* depth, top: last update id inside */
    uint64_t previous;     /* depth: last id of the message before, where the venue says; else 0 */
    uint32_t bid_count, ask_count;
    const char *text; /* symbol, pair or scope as the message says it; may be NULL */
    uint32_t text_bytes;
    const struct level *bids; /* any order: some venues send them worst first */
    const struct level *asks;
    union {
        struct {
            int64_t price, qty;
            uint64_t id;
            const char *id_text; /* as printed, where it is more than `id`; else NULL */
            size_t id_bytes;
        } trade; /* also liquidation */
        struct {
            int64_t bid_price, bid_qty, ask_price, ask_qty; /* quantity 0: nobody stands there */
        } top;
        struct {
            int64_t mark, index, rate_e12, next_funding_ns,
                interval_s;            /* 0 not told; next 0: no funding here */
            int64_t mark_e8, index_e8; /* the same as the venue prints them: finer than the price unit;
                                        * mark FEED_UNTOLD, index 0: not told */
            const char *rate_text;     /* the rate as printed, where it may be finer; else NULL */
            uint32_t rate_bytes;
            bool has_rate;
        } mark; /* also index */
        struct {
            const char *detail; /* into the message; may be NULL */
            uint32_t detail_bytes;
            int64_t code;
            int64_t id;
            const char *id_text; /* an id that is no number; may be NULL */
            uint32_t id_bytes;
            uint8_t of;      /* enum feed_control: which of the feed's own requests is answered; 0 none */
            bool renews;     /* of renew, else of subscribe */
            uint16_t step;   /* of subscribe */
            uint64_t places; /* of renew */
        } control_of;
        struct {
            /* each may be FEED_UNTOLD; volatilities in percent, theta a day, vega a point of volatility */
            int64_t mark_iv_e8, bid_iv_e8, ask_iv_e8, delta_e8, gamma_e12, vega_e8, theta_e8, rho_e8;
            int64_t underlying_e8, mark_e8;
        } option;
        const struct instrument *metadata;
    } u;
};

/* What a feed parser works with.  Owned by the caller; one per connection, because raw messages of some
 * venues do not name their product. */
struct feed_parser {
    const struct instrument_table *instruments;
    uint8_t venue;
    uint8_t product; /* enum product of this connection */
    uint8_t spare[6];
    struct level *levels;      /* scratch for one message's levels */
    uint32_t level_capacity;   /* FEED_LEVELS_MAX or more: a message with more is BROKEN */
    uint32_t last_instrument;  /* the parser's own cache */
    uint8_t lengths[16];       /* of values as they were last, also its own; zeroed is none */
    size_t broken_at;          /* after PARSE_BROKEN: offset */
    const char *broken_why;    /* after PARSE_BROKEN: static text */
    uint16_t reply_instrument; /* whose reply this is, when the message does not say (snapshots); or
                                  NO_INSTRUMENT */
    /* Called for a symbol that is not in the table; NULL on hot roles (the event is then IGNORED).  The
     * decode tool answers with a row of guessed decimals. */
    const struct instrument *(*unknown_symbol)(void *context, uint8_t product, const char *symbol,
                                               size_t bytes);
    void *unknown_context;
};

#define FEED_LEVELS_MAX 10240

typedef void (*feed_sink)(void *context, const struct feed_event *event);

/* Some streams are only for those who have an account. */
enum feed_login {
    FEED_LOGIN_NONE = 0, /* no key */
    FEED_LOGIN_ASKED,    /* until the answer comes */
    FEED_LOGIN_DONE,
    FEED_LOGIN_REFUSED, /* or not answered in time: go on as nobody */
};

/* One market data connection and what it carries.  plan fills in the first part; the caller keeps the second,
 * anew each time the connection comes up. */
#define FEED_CONNECTION_INSTRUMENTS 64
struct feed_connection {
    struct venue_endpoint endpoint;
    uint8_t venue, product;
    uint8_t channel;         /* the venue's own: which of its routes this is */
    uint8_t heartbeat_s;     /* the venue speaks at least this often (pings included); 0 unknown */
    uint16_t send_pause_ms;  /* between two messages of ours: the venue closes who asks faster */
    uint16_t renew_pause_ms; /* between two renewals */
    uint32_t instrument_count;
    uint16_t instrument[FEED_CONNECTION_INSTRUMENTS];

    const struct sign_key *key; /* to log in with; NULL: nobody */
    uint8_t login;              /* enum feed_login */
};

#define FEED_WAIT SIZE_MAX /* nothing to send until what was sent is answered */

enum book_link {
    BOOK_LINK_APPLY = 1, /* the event continues the book */
    BOOK_LINK_DROP,      /* older than the book: ignore */
    BOOK_LINK_GAP,       /* something is missing: take a new snapshot */
};

struct venue_feed {
    /* plan splits the instruments of one product over connections; answers how many (at most max). */
    uint32_t (*plan)(const struct instrument_table *instruments, const uint16_t *wanted,
                     uint32_t wanted_count, struct feed_connection *out, uint32_t max);

    /* subscribe writes the step-th message (0, 1, ...) to send once the connection is up; 0: no more;
     * FEED_WAIT: ask for this step again once connection->login is settled. */
    size_t (*subscribe)(const struct instrument_table *instruments, const struct feed_connection *connection,
                        uint32_t step, int64_t wall_ns, char *out, size_t capacity);

    /* acknowledged reads the answer to a step of subscribe, or to renew, where the venue lists what it
     * serves: answers how many of the streams asked for are not in it, and sets in *served or *refused a bit
     * for each instrument, by its place in the connection, whose book was among them.  NULL: this venue's
     * answers say nothing, and silence is the only sign. */
    uint32_t (*acknowledged)(const struct instrument_table *instruments,
                             const struct feed_connection *connection, const struct feed_event *event,
                             uint64_t *served, uint64_t *refused);

    /* renew writes the step-th message (0, 1, ...) that makes the stream bring new snapshots of the books of
     * `places` (bit per place in the connection); 0: no more.  NULL: snapshots are asked for by `snapshot`.
     */
    size_t (*renew)(const struct instrument_table *instruments, const struct feed_connection *connection,
                    uint64_t places, uint32_t step, char *out, size_t capacity);

    /* parse reads one whole WebSocket message (or a REST depth reply, with reply_instrument set) and calls
     * the sink for each event. */
    int64_t (*parse)(struct feed_parser *parser, const char *bytes, size_t count, feed_sink sink,
                     void *context);

    /* reply answers a message that the venue wants answered (a test request); 0 when none. */
    size_t (*reply)(const struct feed_event *event, char *out, size_t capacity);

    /* snapshot fills an HTTP request for a full book (out->endpoint and path); NULL or false when the stream
     * itself brings it, whole, before its first change. */
    bool (*snapshot)(const struct instrument *instrument, struct venue_out *out);

    /* link judges a depth event.  at: the book's last update id; first: nothing was applied since the
     * snapshot. */
    enum book_link (*link)(uint8_t product, uint64_t at, bool first, const struct feed_event *event);
};

/* ------------------------------------------------------------------ orders and the private side */

/* Connections of one session, by purpose. */
enum session_slot { SESSION_SLOT_ORDER = 0, SESSION_SLOT_PRIVATE, SESSION_SLOT_REST, SESSION_SLOT_COUNT };

enum session_event {
    SESSION_UP = 1, /* connection of the slot is open and ready for its first message */
    SESSION_LOST,   /* it is gone; what was sent and not answered is unknown */
};

/* The part of a session that the gateway reads.  A venue's own struct begins with it. */
struct venue_session {
    const struct venue *venue;
    const struct instrument_table *instruments;
    const struct account *account;
    const struct sign_key *key;
    struct venue_hooks *hooks; /* NULL on a hot role; set after init */
    uint8_t state;             /* enum gateway_state */
    uint8_t orders_ready;      /* order entry works: new, amend, cancel */
    uint8_t private_ready;     /* reports flow */
    uint8_t slots;             /* bit per enum session_slot that it ever opens; set by init */
    uint8_t streams;           /* bit per slot that carries reports nobody asked for; set by init */
    uint8_t
        time_refused; /* the venue did not take the stamp of something we asked; cleared by who acts on it */
    uint8_t
        overused; /* the venue answers nobody at this address for a while: not before answers_ns; likewise */
    uint8_t spare;
    int32_t last_code;       /* the venue's, of the last refusal */
    char why[48];            /* why state is not READY, zero padded */
    uint64_t next_ns;        /* step wants to be called at this time at the latest */
    int64_t clock_offset_ns; /* venue - our wall time, as the caller measured it; added to stamps */
    int64_t answers_ns;      /* with overused: on the venue's clock; 0 it did not say */
    uint32_t wanted_count;   /* instruments this account trades: dead-man, cancel-all and positions */
    uint16_t wanted[FEED_CONNECTION_INSTRUMENTS];
};

struct venue_order {
    /* session_bytes: memory a session takes; init makes one there (cold thread). */
    size_t session_bytes;
    void (*init)(struct venue_session *session, const struct venue *venue,
                 const struct instrument_table *instruments, const struct account *account,
                 const struct sign_key *key, const uint16_t *wanted, uint32_t wanted_count);

    /* step says the next thing to do for the session itself (open, log in, keep alive, refresh the dead-man):
     * true with *out filled, call again; false: nothing until session->next_ns or an event.  alive: the
     * strategy's heartbeat advances; when false no dead-man is refreshed and no test request answered. */
    bool (*step)(struct venue_session *session, uint64_t now_ns, int64_t wall_ns, bool alive,
                 struct venue_out *out);

    /* event tells that a connection came up or went.  After ACT_OPEN a slot's connection keeps itself
     * connected (each time SESSION_UP, each loss SESSION_LOST) until ACT_CLOSE, which is also followed by
     * SESSION_LOST if it was up.  ACT_OPEN on a slot that is closed may bring a new endpoint. */
    void (*event)(struct venue_session *session, enum session_slot slot, enum session_event event,
                  uint64_t now_ns);

    /* encode turns an order record (new, amend, cancel, cancel-all, query) into one thing to send; false
     * when this venue cannot say it (the caller reports REASON_NOT_SENT).  slot_for tells beforehand which
     * slot encode will use for the record, so that body can be the connection's own frame memory. */
    enum session_slot (*slot_for)(const struct venue_session *session, uint8_t record_type);
    bool (*encode)(struct venue_session *session, const struct record_order *order, int64_t wall_ns,
                   struct venue_out *out);

    /* message parses one WebSocket message of a slot; response one HTTP answer to the request with `tie`.
     * Reports go to the sink with head.account set; unsolicited and answered alike.  An HTTP status the
     * venue's page calls "outcome unknown" becomes RECORD_UNKNOWN.  *out may be filled with a reply to send
     * (out->act != ACT_NONE). */
    int64_t (*message)(struct venue_session *session, enum session_slot slot, const char *bytes, size_t count,
                       uint64_t now_ns, int64_t wall_ns, const struct venue_sink *sink,
                       struct venue_out *out);
    int64_t (*response)(struct venue_session *session, uint64_t tie, int status, const char *bytes,
                        size_t count, uint64_t now_ns, int64_t wall_ns, const struct venue_sink *sink);
};

/* ------------------------------------------------------------------ questions asked by the cold thread */

enum rest_what {
    REST_TIME = 1,     /* answer->server_time_ns */
    REST_INSTRUMENTS,  /* FEED_EVENT_INSTRUMENT rows through answer->instrument */
    REST_ACCOUNT_MODE, /* answer->mode_*; may take several queries: page 0, 1, ... until !answer->more */
    REST_OPEN_ORDERS,  /* RECORD_ORDER_STATE */
    REST_POSITIONS,    /* RECORD_POSITION with RECORD_FLAG_SNAP | RECORD_FLAG_REST */
    REST_BALANCES,     /* RECORD_BALANCE likewise */
    REST_FILLS,        /* RECORD_FILL with RECORD_FLAG_REST, oldest first, from from_id or since_ns */
    REST_ORDER,        /* RECORD_ORDER_STATE of one order id */
    REST_FEES,         /* RECORD_FEE */
    REST_MARK,         /* RECORD_MARK */
    REST_PAYMENTS,   /* from since_ns on: RECORD_BALANCE with CASH_TOLD_ROW for what moved beside executions,
                      * RECORD_DELIVERY for contracts that ended */
    REST_CANCEL_ALL, /* cancels every order of `instrument` */
    REST_DEAD_MAN,   /* arms (timeout_ms) or disarms (0) the venue's timer for `instrument` */
    REST_DEPTH,      /* parse only checks the body: feed->parse reads the levels */
    REST_KEY_RIGHTS, /* answer->can_trade, can_withdraw of the key itself */
    REST_LIMITS,     /* answer->limit: what the account may ask, where a venue tells */
    REST_ANY,        /* parse only, for tools: whatever the body turns out to be */
};

struct rest_query {
    uint8_t what;    /* enum rest_what */
    uint8_t product; /* enum product */
    uint16_t page;
    const struct instrument *instrument;    /* or NULL: all */
    uint64_t order;                         /* REST_ORDER: our id, or 0 and .. */
    char venue_order[VENUE_ORDER_ID_BYTES]; /* .. the venue's, zero padded: whose order is it?  No such
                                             * question where executions name our order themselves */
    uint64_t from_id;                       /* REST_FILLS: executions from this id on; 0: use since_ns */
    int64_t since_ns;                       /* wall time; 0 none */
    int64_t until_ns;   /* REST_FILLS by time: wall time now.  Venues answer in windows: with it, `more` goes
                         * on with page + 1 until the windows reach it; 0: one window */
    int64_t timeout_ms; /* REST_DEAD_MAN */
    const char
        *currency; /* REST_PAYMENTS by currency: this one's, not what the instrument settles in; or NULL */
};

enum rest_result {
    REST_OK = 1,  /* complete */
    REST_REFUSED, /* the venue said no: code and text */
    REST_UNKNOWN, /* it cannot be told whether it was done or what the truth is: never "empty" */
    REST_BROKEN,  /* the body is not what the page says */
    REST_LATER, /* not done, and not because of what was asked: its limits, its maintenance.  Ask again later
                 */
};

/* Three-valued facts: unknown is not no. */
enum fact { FACT_UNKNOWN = 0, FACT_NO, FACT_YES };

struct rest_answer {
    /* filled in by the caller */
    const struct instrument_table *instruments;
    uint16_t account;
    struct venue_sink sink;
    void (*instrument)(void *context, const struct instrument *row, const char *base, const char *quote,
                       const char *settle); /* row's currency indexes are unset: codes are given */
    void *instrument_context;
    struct venue_hooks *hooks; /* NULL but in tools */
    /* filled in by parse */
    bool more; /* ask again with page + 1, or from_id = next_from_id */
    uint64_t next_from_id;
    int32_t code;
    int32_t rows;
    int32_t skipped; /* rows of instruments or currencies that the tables do not have: not nothing */
    char text[96];
    int64_t server_time_ns;
    uint8_t mode_one_way; /* enum fact: set by the page that tells it, else left as it was */
    uint8_t mode_cross;
    uint8_t mode_single_asset;
    uint8_t mode_self_trade; /* our orders cannot trade with each other */
    char mode_words[64];     /* what the account is, in the venue's words; "" not told */
    uint8_t can_trade;
    uint8_t can_withdraw;
    bool time_refused;      /* REST_REFUSED: it may be for the time that the request was stamped with */
    int64_t retry_after_ms; /* REST_LATER: not before; 0 not told */
    int64_t retry_at_ns;    /* the same as a time on the venue's clock; 0 not told */
    struct credit_limit limit[CREDIT_COUNT]; /* both 0: not told */
};

struct venue_rest {
    /* request fills out (ACT_REQUEST and endpoint); false: this venue has no such question. */
    bool (*request)(const struct sign_key *key, const struct instrument_table *instruments,
                    const struct rest_query *query, int64_t wall_ns, struct venue_out *out);
    enum rest_result (*parse)(const struct rest_query *query, int status, const char *bytes, size_t count,
                              struct rest_answer *answer);
};

/* ------------------------------------------------------------------ the venue itself */

struct venue {
    const char *name;
    uint8_t id;                     /* enum venue_id */
    uint8_t products;               /* bit per enum product */
    bool has_dead_man;              /* the venue cancels by itself when not refreshed */
    bool amend_keeps_id;            /* an amended order stays the same order at the venue */
    uint32_t amend_is_cancel_below; /* 1: an amend to at most the executed quantity cancels */
    const struct venue_feed *feed;
    const struct venue_order *order;
    const struct venue_rest *rest;
    /* product_of tells the product of a symbol, PRODUCT_NONE for what is no symbol; NULL: symbols do not say.
     */
    uint8_t (*product_of)(const char *symbol, size_t bytes);
    /* hosts lists every host name the venue may ask to open, for cold to resolve; answers the count. */
    uint32_t (*hosts)(uint8_t product, const char **out, uint32_t max);
};

/* venue_find answers a venue by name, or NULL; venue_by_id by enum venue_id. */
const struct venue *venue_find(const char *name);
const struct venue *venue_by_id(uint8_t id);

extern const struct venue venue_binance;
extern const struct venue venue_deribit;

#endif
