/* How a connection lives.
 *
 * Nothing is torn down inside a callback or a send.  Whoever finds that a connection must end calls
 * doom(), after which it is silent; bury() does the rest, in exactly two places: after a socket event, and
 * when net_poll serves timers.  So no loop here ever meets a connection that vanished under it.
 *
 * Timers of a connection, all compared with the loop's now in serve():
 *   limit_ns    BACKOFF: next attempt; CONNECTING to SUBSCRIBING: the state's timeout; STALE: the end
 *   request_ns  HTTP: the outstanding request's deadline
 *   heard_ns    LIVE WebSocket: + ping_ns our ping, + stale_ns STALE */
#include "hot/net/conn.h"
#include "hot/net/sentence.h"
#include "hot/net/tls.h"
#include "hot/net/ws.h"

#include "ring/base.h"

#include <arpa/inet.h>

#include <string.h>

enum { NAME_BYTES = 64, HOST_HEADER_BYTES = CONN_HOST_BYTES + 8, HEADERS_BYTES = 1024, SOCKETS_MAX = 1024 };
enum { RECORD_BYTES = 16384, SECOND_MS = 1000 };

static const uint64_t ms = 1000000;
static const uint64_t never = UINT64_MAX;

struct conn {
    struct net *net;
    enum conn_state state;
    enum conn_reason doom; /* NONE: healthy; else it ends at the next bury */
    bool closing;          /* the owner wants CLOSED, not another attempt */
    bool tls_wanted;
    enum conn_kind kind;
    int32_t socket; /* -1: none */
    struct tls *tls;
    struct inbox inbox;
    struct ws_reader ws;
    struct http_reader http;
    bool requested;     /* HTTP: a request is outstanding */
    bool pinged;        /* since the last byte was heard */
    bool sends_refused; /* the socket's buffer was full */
    uint8_t *outbox;    /* outbox_bytes, with WS_HEADER_ROOM in front */
    uint32_t outbox_bytes;

    uint64_t wake_ns; /* nothing of this conn is due before */
    uint64_t limit_ns;
    uint64_t request_ns;
    uint64_t heard_ns;
    uint64_t live_since_ns;
    uint64_t backoff_ns;
    uint64_t hold_ns;

    struct conn_timeouts timeouts;
    const struct conn_handler *handler;
    void *owner;
    enum conn_reason reason;
    const char *error;
    int upgrade_status;
    struct conn_counters counters;

    uint32_t address, address_count;
    uint16_t port;
    char name[NAME_BYTES];
    char host[CONN_HOST_BYTES];
    char host_header[HOST_HEADER_BYTES];
    char path[CONN_PATH_BYTES];
    char headers[HEADERS_BYTES];
    char addresses[CONN_ADDRESS_MAX][CONN_ADDRESS_BYTES];
    char key[WS_KEY_BYTES + 1];
    uint8_t control[WS_HEADER_ROOM + WS_CONTROL_MAX];
};

struct net {
    struct io *io;
    struct tls_context *tls;
    struct ws_mask mask;
    uint64_t jitter;
    uint64_t now_ns;
    uint64_t wake_ns; /* the earliest of all conns' */
    bool holding;
    uint32_t conn_count, conns_max;
    struct conn **conns;
    struct net_memory memory;
    struct conn *by_socket[SOCKETS_MAX];
};

/* ---- the table ------------------------------------------------------------------------------------ */

#define TO(state) (CONN_##state + 1)

/* clang-format off */
static const uint8_t conn_table[CONN_STATE_COUNT][CONN_EVENT_COUNT] = {
    /*                       OPEN         RETRY           TCP_UP             UPGRADE         UP         LOGGED_IN        SUBSCRIBED QUIET      HEARD     LOST         CLOSE       */
    [CONN_IDLE]          = { TO(BACKOFF), 0,              0,                 0,              0,         0,               0,         0,         0,        0,           TO(CLOSED) },
    [CONN_BACKOFF]       = { 0,           TO(CONNECTING), 0,                 0,              0,         0,               0,         0,         0,        0,           TO(CLOSED) },
    [CONN_CONNECTING]    = { 0,           0,              TO(TLS_HANDSHAKE), TO(WS_UPGRADE), TO(LOGIN), 0,               0,         0,         0,        TO(BACKOFF), TO(CLOSED) },
    [CONN_TLS_HANDSHAKE] = { 0,           0,              0,                 TO(WS_UPGRADE), TO(LOGIN), 0,               0,         0,         0,        TO(BACKOFF), TO(CLOSED) },
    [CONN_WS_UPGRADE]    = { 0,           0,              0,                 0,              TO(LOGIN), 0,               0,         0,         0,        TO(BACKOFF), TO(CLOSED) },
    [CONN_LOGIN]         = { 0,           0,              0,                 0,              0,         TO(SUBSCRIBING), TO(LIVE),  0,         0,        TO(BACKOFF), TO(CLOSED) },
    [CONN_SUBSCRIBING]   = { 0,           0,              0,                 0,              0,         0,               TO(LIVE),  0,         0,        TO(BACKOFF), TO(CLOSED) },
    [CONN_LIVE]          = { 0,           0,              0,                 0,              0,         0,               0,         TO(STALE), 0,        TO(BACKOFF), TO(CLOSED) },
    [CONN_STALE]         = { 0,           0,              0,                 0,              0,         0,               0,         0,         TO(LIVE), TO(BACKOFF), TO(CLOSED) },
    [CONN_CLOSED]        = { TO(BACKOFF), 0,              0,                 0,              0,         0,               0,         0,         0,        0,           0          },
};
/* clang-format on */

int conn_next(enum conn_state state, enum conn_event event)
{
    return (int)conn_table[state][event] - 1;
}

/* step is the only writer of the state. */
static bool step(struct conn *c, enum conn_event event)
{
    enum conn_state from = c->state;
    int to = conn_next(from, event);

    if (to < 0) {
        c->counters.refused_events++;
        return false;
    }
    c->state = (enum conn_state)to;
    if (c->handler->on_state != NULL) {
        c->handler->on_state(c->owner, c, from, c->state, c->net->now_ns);
    }
    return true;
}

/* ---- timers --------------------------------------------------------------------------------------- */

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void wake_at(struct conn *c, uint64_t when_ns)
{
    c->wake_ns = when_ns;
    c->net->wake_ns = earlier(c->net->wake_ns, when_ns);
}

/* plan computes when serve() has something to do.  Bytes that arrive later only push that back, so they
 * need not plan again: serve() looks at the real times. */
static void plan(struct conn *c)
{
    uint64_t when = c->limit_ns;

    if (c->doom != CONN_REASON_NONE) {
        when = 0;
    } else if (c->state == CONN_IDLE || c->state == CONN_CLOSED) {
        when = never;
    } else if (c->state == CONN_LIVE) {
        when = c->requested ? c->request_ns : never;
        if (c->kind == CONN_WS) {
            when = earlier(when, c->heard_ns + c->timeouts.stale_ns);
            if (!c->pinged) {
                when = earlier(when, c->heard_ns + c->timeouts.ping_ns);
            }
        }
    }
    wake_at(c, when);
}

static void limit(struct conn *c, uint64_t now_ns, uint64_t after_ns)
{
    c->limit_ns = now_ns + after_ns;
    plan(c);
}

static void doom(struct conn *c, enum conn_reason reason, const char *error)
{
    if (c->doom == CONN_REASON_NONE) {
        c->doom = reason;
        c->error = error;
        plan(c);
    }
}

/* draw answers a number of the jitter stream (splitmix64). */
static uint64_t draw(struct net *net)
{
    uint64_t z = net->jitter += 0x9e3779b97f4a7c15;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
}

/* next_pause doubles the pause and takes a random part of its upper half, so that many engines that lost
 * one venue together do not come back together. */
static uint64_t next_pause(struct conn *c)
{
    uint64_t whole = c->backoff_ns;
    uint64_t half = whole / 2;

    c->backoff_ns = earlier(whole * 2, c->timeouts.backoff_max_ns);
    return whole - (half != 0 ? draw(c->net) % half : 0);
}

/* ---- sending -------------------------------------------------------------------------------------- */

static bool is_up(const struct conn *c)
{
    return c->state >= CONN_LOGIN && c->state <= CONN_STALE && c->doom == CONN_REASON_NONE;
}

static bool emit(void *ctx, const uint8_t *bytes, size_t len)
{
    struct conn *c = ctx;

    if (c->socket < 0) {
        return false;
    }

    enum io_answer answer = c->net->holding ? io_queue(c->net->io, (uint32_t)c->socket, bytes, len)
                                            : io_send(c->net->io, (uint32_t)c->socket, bytes, len);

    if (answer == IO_FULL) {
        c->sends_refused = true;
    }
    return answer == IO_OK;
}

/* put hands plaintext to the transport; when it cannot, the connection is doomed. */
static bool put(struct conn *c, const uint8_t *bytes, size_t len)
{
    bool sent = c->tls_wanted ? tls_send(c->tls, bytes, len) : emit(c, bytes, len);

    if (sent) {
        c->counters.bytes_out += len;
        return true;
    }
    if (c->sends_refused) {
        doom(c, CONN_REASON_FULL, "the peer does not read: our send buffer is full");
    } else if (c->tls_wanted && tls_state(c->tls) == TLS_FAILED) {
        doom(c, CONN_REASON_NETWORK, tls_error(c->tls));
    } else {
        doom(c, CONN_REASON_NETWORK, "the socket is closed");
    }
    return false;
}

static void put_control(struct conn *c, enum ws_opcode opcode, const uint8_t *payload, size_t len)
{
    uint8_t *at = c->control + WS_HEADER_ROOM;
    size_t frame_len;

    if (len != 0) {
        memcpy(at, payload, len);
    }

    uint8_t *frame = ws_frame(at, len, opcode, ws_mask_next(&c->net->mask), &frame_len);

    (void)put(c, frame, frame_len);
}

static void put_close(struct conn *c, uint16_t code, const char *reason)
{
    uint8_t payload[WS_CONTROL_MAX];
    size_t len = ws_close_payload(payload, code, reason);

    put_control(c, WS_CLOSE, payload, len);
}

static void put_ping(struct conn *c)
{
    uint64_t count = ++c->counters.pings_out;

    c->pinged = true;
    put_control(c, WS_PING, (const uint8_t *)&count, sizeof count);
}

uint8_t *conn_frame_begin(struct conn *c)
{
    return is_up(c) && c->kind == CONN_WS ? c->outbox : NULL;
}

enum conn_answer conn_frame_commit(struct conn *c, size_t len, bool binary)
{
    enum conn_answer refusal = c->kind != CONN_WS      ? CONN_WRONG_KIND
                               : !is_up(c)             ? CONN_NOT_UP
                               : len > c->outbox_bytes ? CONN_TOO_LONG
                                                       : CONN_OK;

    if (refusal != CONN_OK) {
        c->counters.refused_sends++;
        return refusal;
    }

    size_t frame_len;
    uint8_t *frame =
        ws_frame(c->outbox, len, binary ? WS_BINARY : WS_TEXT, ws_mask_next(&c->net->mask), &frame_len);

    if (!put(c, frame, frame_len)) {
        c->counters.refused_sends++;
        return c->sends_refused ? CONN_FULL : CONN_NOT_UP;
    }
    c->counters.messages_out++;
    return CONN_OK;
}

static enum conn_answer send_copy(struct conn *c, const uint8_t *bytes, size_t len, bool binary)
{
    if (len <= c->outbox_bytes && is_up(c) && c->kind == CONN_WS) {
        memcpy(c->outbox, bytes, len);
    }
    return conn_frame_commit(c, len, binary);
}

enum conn_answer conn_send_text(struct conn *c, const uint8_t *bytes, size_t len)
{
    return send_copy(c, bytes, len, false);
}

enum conn_answer conn_send_binary(struct conn *c, const uint8_t *bytes, size_t len)
{
    return send_copy(c, bytes, len, true);
}

bool conn_can_request(const struct conn *c)
{
    return c->kind == CONN_HTTP && is_up(c) && !c->requested;
}

enum conn_answer conn_request(struct conn *c, const char *method, const char *target, const char *headers,
                              const uint8_t *body, size_t body_len, uint64_t now_ns)
{
    enum conn_answer refusal = c->kind != CONN_HTTP ? CONN_WRONG_KIND
                               : !is_up(c)          ? CONN_NOT_UP
                               : c->requested       ? CONN_BUSY
                                                    : CONN_OK;
    size_t len = 0;

    if (refusal == CONN_OK) {
        len =
            http_request(c->outbox, c->outbox_bytes, method, target, c->host_header, headers, body, body_len);
        refusal = len == 0 ? CONN_TOO_LONG : CONN_OK;
    }
    if (refusal == CONN_OK && !put(c, c->outbox, len)) {
        refusal = c->sends_refused ? CONN_FULL : CONN_NOT_UP;
    }
    if (refusal != CONN_OK) {
        c->counters.refused_sends++;
        return refusal;
    }
    http_reader_start(&c->http, strcmp(method, "HEAD") == 0);
    c->requested = true;
    c->request_ns = now_ns + c->timeouts.request_ns;
    c->counters.messages_out++;
    plan(c);
    return CONN_OK;
}

/* ---- coming up ------------------------------------------------------------------------------------ */

static void transport_up(struct conn *c)
{
    step(c, CONN_EVENT_UP);
    c->counters.connects++;
    limit(c, c->net->now_ns, c->timeouts.login_ns);
    c->handler->on_ready(c->owner, c, c->net->now_ns);
    if (c->kind == CONN_HTTP && c->doom == CONN_REASON_NONE && c->state == CONN_LOGIN) {
        conn_subscribed(c, c->net->now_ns);
    }
}

/* trusted follows the handshake, or the connect where TLS is off. */
static void trusted(struct conn *c)
{
    if (c->kind == CONN_HTTP) {
        transport_up(c);
        return;
    }

    size_t len = ws_upgrade_request(c->outbox, c->outbox_bytes, c->host_header, c->path,
                                    c->headers[0] != '\0' ? c->headers : NULL, &c->net->mask, c->key);

    step(c, CONN_EVENT_UPGRADE);
    limit(c, c->net->now_ns, c->timeouts.upgrade_ns);
    http_reader_start(&c->http, false);
    if (len == 0) {
        doom(c, CONN_REASON_UPGRADE, "the upgrade request is longer than the outbox");
        return;
    }
    (void)put(c, c->outbox, len);
}

static void connected(struct conn *c)
{
    if (!c->tls_wanted) {
        trusted(c);
        return;
    }
    step(c, CONN_EVENT_TCP_UP);
    limit(c, c->net->now_ns, c->timeouts.handshake_ns);
    if (tls_start(c->tls, c->host, emit, c) == TLS_FAILED) {
        doom(c, CONN_REASON_TLS, tls_error(c->tls));
    }
}

static void attempt(struct conn *c)
{
    c->error = "";
    c->sends_refused = false;
    c->requested = false;
    inbox_clear(&c->inbox);
    step(c, CONN_EVENT_RETRY);
    c->counters.attempts++;
    limit(c, c->net->now_ns, c->timeouts.connect_ns);

    int32_t socket = io_connect(c->net->io, c->addresses[c->address % c->address_count], c->port);

    if (socket < 0) {
        doom(c, CONN_REASON_CONNECT, "no socket is free");
        return;
    }
    c->socket = socket;
    c->net->by_socket[socket] = c;
}

/* ---- going down ----------------------------------------------------------------------------------- */

static void say_goodbye(struct conn *c)
{
    bool open = c->state >= CONN_LOGIN && c->state <= CONN_STALE;

    if (open && c->kind == CONN_WS && c->doom == CONN_REASON_OWNER) {
        put_close(c, WS_CODE_NORMAL, NULL);
    }
    if (c->tls_wanted) {
        tls_stop(c->tls);
    }
}

/* bury ends a doomed connection: the only place where sockets are closed. */
static void bury(struct conn *c)
{
    enum conn_reason reason = c->doom;
    uint64_t now_ns = c->net->now_ns;
    bool was_active = c->state >= CONN_CONNECTING && c->state <= CONN_STALE;

    if (was_active) {
        say_goodbye(c);
        if (c->socket >= 0) {
            c->net->by_socket[c->socket] = NULL;
            io_close(c->net->io, (uint32_t)c->socket);
            c->socket = -1;
        }
        c->counters.down[reason]++;
        c->reason = reason;
        if (c->state < CONN_LOGIN) {
            c->address++; /* the next attempt tries the next address */
        }
        if (c->live_since_ns != 0 && now_ns - c->live_since_ns >= c->timeouts.backoff_calm_ns) {
            c->backoff_ns = c->timeouts.backoff_min_ns;
        }
    }
    c->live_since_ns = 0;
    c->requested = false;
    c->doom = CONN_REASON_NONE;
    step(c, c->closing ? CONN_EVENT_CLOSE : CONN_EVENT_LOST);
    if (c->state == CONN_BACKOFF) {
        uint64_t pause = next_pause(c);

        c->limit_ns = now_ns + pause > c->hold_ns ? now_ns + pause : c->hold_ns;
    }
    c->closing = false;
    plan(c);
    if (was_active) {
        c->handler->on_down(c->owner, c, reason, now_ns);
    }
}

/* ---- receiving ------------------------------------------------------------------------------------ */

static void upgrade_answer(struct conn *c)
{
    struct http_response response;
    enum http_answer answer = http_read(&c->http, &c->inbox, false, &response);

    if (answer == HTTP_INCOMPLETE) {
        return;
    }
    if (answer != HTTP_COMPLETE) {
        doom(c, CONN_REASON_UPGRADE, "the answer to the upgrade is not HTTP");
        return;
    }

    const char *wrong = ws_upgrade_accept(&response, c->key);

    if (wrong != NULL) {
        uint64_t seconds;

        c->upgrade_status = response.status;
        if (http_header_u64(&response, "Retry-After", &seconds) && seconds <= 7 * 86400) {
            conn_hold(c, c->net->now_ns + seconds * SECOND_MS * ms);
        }
        doom(c, CONN_REASON_UPGRADE, wrong);
        return;
    }
    http_reader_consume(&c->http, &c->inbox);
    ws_reader_start(&c->ws);
    transport_up(c);
}

static void frames(struct conn *c)
{
    struct ws_message m;

    while (c->doom == CONN_REASON_NONE) {
        switch (ws_next(&c->ws, &c->inbox, &m)) {
        case WS_EVENT_NONE:
            return;
        case WS_EVENT_TEXT:
            c->counters.messages_in++;
            c->handler->on_message(c->owner, c, m.bytes, m.len, false, c->net->now_ns);
            break;
        case WS_EVENT_BINARY:
            c->counters.messages_in++;
            c->handler->on_message(c->owner, c, m.bytes, m.len, true, c->net->now_ns);
            break;
        case WS_EVENT_PING:
            c->counters.pings_in++;
            put_control(c, WS_PONG, m.bytes, m.len);
            break;
        case WS_EVENT_PONG:
            break;
        case WS_EVENT_CLOSE:
            put_control(c, WS_CLOSE, m.bytes, m.len < 2 ? 0 : 2);
            doom(c, CONN_REASON_PEER, "the peer sent a close frame");
            break;
        case WS_EVENT_BROKEN:
            put_close(c, m.code, m.reason);
            doom(c, CONN_REASON_VIOLATION, m.reason);
            break;
        }
    }
}

static void responses(struct conn *c, bool closed)
{
    struct http_response response;

    while (c->doom == CONN_REASON_NONE && (c->inbox.begin != c->inbox.end || closed)) {
        if (!c->requested) {
            if (c->inbox.begin != c->inbox.end) {
                doom(c, CONN_REASON_PEER, "the peer answered what nobody asked");
            }
            return;
        }

        enum http_answer answer = http_read(&c->http, &c->inbox, closed, &response);

        if (answer == HTTP_INCOMPLETE) {
            return;
        }
        if (answer != HTTP_COMPLETE) {
            doom(c, CONN_REASON_VIOLATION,
                 answer == HTTP_TOO_LONG ? "a response is longer than the inbox" : "a response is not HTTP");
            return;
        }
        c->requested = false;
        c->counters.messages_in++;
        /* Consuming moves offsets, not bytes: the response stays readable until more is received. */
        http_reader_consume(&c->http, &c->inbox);
        c->handler->on_response(c->owner, c, &response, c->net->now_ns);
        if (!response.keep_alive) {
            doom(c, CONN_REASON_PEER, "the peer ends the connection after its response");
        }
    }
}

/* digest reads what lies in the inbox; the state says as what. */
static void digest(struct conn *c, bool closed)
{
    if (c->state == CONN_WS_UPGRADE) {
        upgrade_answer(c);
        if (c->state == CONN_WS_UPGRADE || c->doom != CONN_REASON_NONE) {
            return;
        }
    }
    if (c->kind == CONN_WS) {
        frames(c);
    } else {
        responses(c, closed);
    }
}

/* room answers how many bytes the inbox takes now, sliding it when a record might not fit. */
static size_t room(struct conn *c)
{
    if (c->inbox.capacity - c->inbox.end < RECORD_BYTES) {
        inbox_slide(&c->inbox);
    }
    return c->inbox.capacity - c->inbox.end;
}

static void plain_bytes(struct conn *c, const uint8_t *bytes, size_t len)
{
    while (len != 0 && c->doom == CONN_REASON_NONE) {
        size_t n = room(c);

        if (n == 0) {
            doom(c, CONN_REASON_VIOLATION, "a message is longer than the inbox");
            return;
        }
        n = n < len ? n : len;
        memcpy(c->inbox.bytes + c->inbox.end, bytes, n);
        c->inbox.end += n;
        c->counters.bytes_in += n;
        bytes += n;
        len -= n;
        digest(c, false);
    }
}

static void note_handshake(struct conn *c)
{
    c->counters.tls_handshakes++;
    c->counters.tls_resumptions += tls_resumed(c->tls);
    trusted(c);
}

static void sealed_bytes(struct conn *c, const uint8_t *bytes, size_t len)
{
    tls_input(c->tls, bytes, len);
    while (c->doom == CONN_REASON_NONE) {
        size_t space = room(c);

        if (space == 0) {
            doom(c, CONN_REASON_VIOLATION, "a message is longer than the inbox");
            return;
        }

        long n = tls_read(c->tls, c->inbox.bytes + c->inbox.end, space);

        if (c->state == CONN_TLS_HANDSHAKE && tls_state(c->tls) == TLS_OPEN) {
            note_handshake(c);
        }
        if (n > 0) {
            c->inbox.end += (size_t)n;
            c->counters.bytes_in += (uint64_t)n;
            if (c->doom == CONN_REASON_NONE) {
                digest(c, false);
            }
        } else if (n == 0) {
            return;
        } else if (tls_state(c->tls) == TLS_CLOSED) {
            digest(c, true);
            doom(c, CONN_REASON_PEER, "the peer closed TLS");
        } else {
            doom(c, CONN_REASON_TLS, tls_error(c->tls));
        }
    }
}

static void received(struct conn *c, const uint8_t *bytes, size_t len)
{
    c->heard_ns = c->net->now_ns;
    c->pinged = false;
    if (c->state == CONN_STALE) {
        step(c, CONN_EVENT_HEARD);
        plan(c);
    }
    if (c->tls_wanted) {
        sealed_bytes(c, bytes, len);
    } else {
        plain_bytes(c, bytes, len);
    }
}

static void sink(void *ctx, uint32_t socket, enum io_event event, const uint8_t *bytes, size_t len)
{
    struct net *net = ctx;
    struct conn *c = net->by_socket[socket];

    POISE_ASSERT(c != NULL);
    if (c->doom != CONN_REASON_NONE) {
        bury(c);
        return;
    }
    switch (event) {
    case IO_CONNECTED:
        connected(c);
        break;
    case IO_BYTES:
        received(c, bytes, len);
        break;
    case IO_CLOSED:
        /* Under TLS a bare end of the stream may be anyone's: only a close notify ends a body. */
        if (!c->tls_wanted && c->state >= CONN_LOGIN) {
            digest(c, true);
        }
        doom(c, c->state == CONN_TLS_HANDSHAKE ? CONN_REASON_TLS : CONN_REASON_PEER,
             "the peer closed the connection");
        break;
    case IO_FAILED:
        doom(c, c->state == CONN_CONNECTING ? CONN_REASON_CONNECT : CONN_REASON_NETWORK,
             strerrordesc_np((int)len) != NULL ? strerrordesc_np((int)len) : "socket error");
        break;
    }
    if (c->doom != CONN_REASON_NONE) {
        bury(c);
    }
}

/* serve does what is due on one connection. */
static void serve(struct conn *c, uint64_t now_ns)
{
    if (c->doom == CONN_REASON_NONE) {
        switch (c->state) {
        case CONN_IDLE:
        case CONN_CLOSED:
            break;
        case CONN_BACKOFF:
            if (now_ns >= c->limit_ns) {
                attempt(c);
            }
            break;
        case CONN_LIVE:
            if (c->requested && now_ns >= c->request_ns) {
                doom(c, CONN_REASON_TIMEOUT, "a request went unanswered");
            } else if (c->kind == CONN_WS && now_ns >= c->heard_ns + c->timeouts.stale_ns) {
                step(c, CONN_EVENT_QUIET);
                c->counters.stales++;
                c->limit_ns = now_ns + c->timeouts.stale_kill_ns;
                put_ping(c);
            } else if (c->kind == CONN_WS && !c->pinged && now_ns >= c->heard_ns + c->timeouts.ping_ns) {
                put_ping(c);
            }
            break;
        default:
            if (now_ns >= c->limit_ns) {
                doom(c, c->state == CONN_STALE ? CONN_REASON_SILENCE : CONN_REASON_TIMEOUT,
                     c->state == CONN_STALE ? "nothing was heard" : conn_state_name(c->state));
            }
            break;
        }
    }
    if (c->doom != CONN_REASON_NONE) {
        bury(c);
    }
    plan(c);
}

uint32_t net_poll(struct net *net, uint64_t now_ns)
{
    uint32_t done = 0;

    net->now_ns = now_ns;
    if (POISE_UNLIKELY(now_ns >= net->wake_ns)) {
        net->wake_ns = never;
        for (uint32_t i = 0; i < net->conn_count; i++) {
            struct conn *c = net->conns[i];

            if (now_ns >= c->wake_ns) {
                serve(c, now_ns);
                done++;
            } else {
                net->wake_ns = earlier(net->wake_ns, c->wake_ns);
            }
        }
    }
    return done + io_poll(net->io, sink, net);
}

void net_hold(struct net *net)
{
    net->holding = true;
}

void net_release(struct net *net)
{
    net->holding = false;
    io_flush(net->io);
}

/* ---- the owner's wishes --------------------------------------------------------------------------- */

void conn_open(struct conn *c, uint64_t now_ns)
{
    c->closing = false;
    if (c->doom == CONN_REASON_OWNER && c->state != CONN_IDLE && c->state != CONN_CLOSED) {
        return; /* closed and opened again within one turn: it comes back by itself */
    }
    if (step(c, CONN_EVENT_OPEN)) {
        c->backoff_ns = c->timeouts.backoff_min_ns;
        c->limit_ns = now_ns > c->hold_ns ? now_ns : c->hold_ns;
        plan(c);
    }
}

void conn_close(struct conn *c, uint64_t now_ns)
{
    (void)now_ns;
    if (c->state == CONN_CLOSED) {
        c->counters.refused_events++;
        return;
    }
    c->closing = true;
    doom(c, CONN_REASON_OWNER, "closed by its owner");
}

void conn_drop(struct conn *c, uint64_t now_ns)
{
    (void)now_ns;
    if (conn_next(c->state, CONN_EVENT_LOST) < 0) {
        c->counters.refused_events++;
        return;
    }
    doom(c, CONN_REASON_OWNER, "dropped by its owner");
}

static void progress(struct conn *c, enum conn_event event, uint64_t now_ns)
{
    c->net->now_ns = now_ns;
    if (c->doom != CONN_REASON_NONE || !step(c, event)) {
        return;
    }
    if (c->state == CONN_LIVE) {
        c->live_since_ns = now_ns;
        c->heard_ns = now_ns;
        c->pinged = false;
        plan(c);
    } else {
        limit(c, now_ns, c->timeouts.subscribe_ns);
    }
}

void conn_logged_in(struct conn *c, uint64_t now_ns)
{
    progress(c, CONN_EVENT_LOGGED_IN, now_ns);
}

void conn_subscribed(struct conn *c, uint64_t now_ns)
{
    progress(c, CONN_EVENT_SUBSCRIBED, now_ns);
}

void conn_hold(struct conn *c, uint64_t until_ns)
{
    if (until_ns > c->hold_ns) {
        c->hold_ns = until_ns;
    }
    if (c->state == CONN_BACKOFF && c->limit_ns < c->hold_ns) {
        c->limit_ns = c->hold_ns;
        plan(c);
    }
}

/* ---- making --------------------------------------------------------------------------------------- */

/* copy_text copies a string that must fit; false when it does not. */
static bool copy_text(char *to, size_t room_bytes, const char *from)
{
    size_t len = strlen(from);

    if (len >= room_bytes) {
        return false;
    }
    memcpy(to, from, len + 1);
    return true;
}

bool conn_set_path(struct conn *c, const char *path)
{
    if (path[0] != '/') {
        return false;
    }
    for (const char *p = path; *p != '\0'; p++) {
        if ((unsigned char)*p <= 0x20 || *p == 0x7f) {
            return false;
        }
    }
    return copy_text(c->path, sizeof c->path, path);
}

bool conn_set_headers(struct conn *c, const char *headers)
{
    return copy_text(c->headers, sizeof c->headers, headers);
}

static bool is_address(const char *text)
{
    uint8_t bytes[16];

    return strlen(text) < CONN_ADDRESS_BYTES &&
           (inet_pton(AF_INET, text, bytes) == 1 || inet_pton(AF_INET6, text, bytes) == 1);
}

bool conn_set_addresses(struct conn *c, const char *const *addresses, uint32_t count)
{
    if (count == 0 || count > CONN_ADDRESS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!is_address(addresses[i])) {
            return false;
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        copy_text(c->addresses[i], sizeof c->addresses[i], addresses[i]);
    }
    c->address_count = count;
    c->address = 0;
    return true;
}

static void set_default(uint64_t *value, uint64_t standard)
{
    if (*value == 0) {
        *value = standard;
    }
}

static void fill_timeouts(struct conn_timeouts *t)
{
    set_default(&t->connect_ns, 5000 * ms);
    set_default(&t->handshake_ns, 5000 * ms);
    set_default(&t->upgrade_ns, 5000 * ms);
    set_default(&t->login_ns, 10000 * ms);
    set_default(&t->subscribe_ns, 10000 * ms);
    set_default(&t->request_ns, 10000 * ms);
    set_default(&t->ping_ns, 15000 * ms);
    set_default(&t->stale_ns, 30000 * ms);
    set_default(&t->stale_kill_ns, 10000 * ms);
    set_default(&t->backoff_min_ns, 100 * ms);
    set_default(&t->backoff_max_ns, 12000 * ms);
    set_default(&t->backoff_calm_ns, 10000 * ms);
}

/* fill copies the options into the conn; it answers what is wrong with them, or NULL. */
static const char *fill(struct conn *c, const struct conn_options *o)
{
    bool odd_port = o->port != (o->tls ? 443 : 80);
    bool colon;

    if (o->host == NULL || !copy_text(c->host, sizeof c->host, o->host) || c->host[0] == '\0') {
        return "host is missing or too long";
    }
    if (o->port == 0) {
        return "port is missing";
    }
    if (!copy_text(c->name, sizeof c->name, o->name != NULL ? o->name : o->host)) {
        return "name is too long";
    }
    if (!conn_set_path(c, o->path != NULL ? o->path : "/")) {
        return "path is too long, carries blanks, or does not begin with /";
    }
    if (!conn_set_headers(c, o->headers != NULL ? o->headers : "")) {
        return "headers are too long";
    }
    if (o->addresses == NULL || !conn_set_addresses(c, o->addresses, o->address_count)) {
        return "addresses must be 1 to 8 numeric IPv4 or IPv6 addresses";
    }
    colon = strchr(c->host, ':') != NULL; /* a numeric IPv6 host stands in brackets */
    sentence(c->host_header, sizeof c->host_header, "%s%s%s", colon ? "[" : "", c->host, colon ? "]" : "");
    if (odd_port) {
        size_t len = strlen(c->host_header);

        sentence(c->host_header + len, sizeof c->host_header - len, ":%u", o->port);
    }
    c->port = o->port;
    c->kind = o->kind;
    c->tls_wanted = o->tls;
    c->timeouts = o->timeouts;
    fill_timeouts(&c->timeouts);
    if (c->timeouts.backoff_min_ns > c->timeouts.backoff_max_ns) {
        return "backoff_min_ns exceeds backoff_max_ns";
    }
    return NULL;
}

static const char *take_buffers(struct conn *c, const struct conn_options *o)
{
    struct net *net = c->net;
    size_t inbox_bytes = o->inbox_bytes != 0 ? o->inbox_bytes : 256u << 10;

    c->outbox_bytes = o->outbox_bytes != 0 ? o->outbox_bytes : 16u << 10;
    if (inbox_bytes < 1024 || inbox_bytes > (64u << 20) || c->outbox_bytes < 1024 ||
        c->outbox_bytes > (16u << 20)) {
        return "inbox_bytes must be 1 KiB to 64 MiB, outbox_bytes 1 KiB to 16 MiB";
    }

    uint8_t *in = net_take(&net->memory, inbox_memory_bytes(inbox_bytes), 64);
    uint8_t *out = net_take(&net->memory, 64 + c->outbox_bytes, 64);

    if (in == NULL || out == NULL) {
        return "no memory for its buffers";
    }
    inbox_init(&c->inbox, in, inbox_bytes);
    c->outbox = out + 64; /* aligned, with more than WS_HEADER_ROOM in front */
    if (c->tls_wanted) {
        c->tls = net->tls != NULL ? tls_create(net->tls) : NULL;
        if (c->tls == NULL) {
            return "the net has no place for another TLS connection";
        }
    }
    return NULL;
}

struct conn *conn_create(struct net *net, const struct conn_options *options,
                         const struct conn_handler *handler, void *owner, char *error, size_t error_bytes)
{
    const char *wrong = "the net has no place for another connection";
    struct conn *c = NULL;

    if (net->conn_count < net->conns_max) {
        c = net_take(&net->memory, sizeof *c, 64);
        wrong = c == NULL ? "no memory" : NULL;
    }
    if (wrong == NULL) {
        memset(c, 0, sizeof *c);
        c->net = net;
        c->socket = -1;
        c->handler = handler;
        c->owner = owner;
        c->error = "";
        c->wake_ns = never;
        wrong = fill(c, options);
    }
    if (wrong == NULL) {
        c->backoff_ns = c->timeouts.backoff_min_ns;
        wrong = take_buffers(c, options);
    }
    if (wrong != NULL) {
        sentence(error, error_bytes, "connection %s: %s", options->name != NULL ? options->name : "?", wrong);
        return NULL;
    }
    net->conns[net->conn_count++] = c;
    return c;
}

static bool make_io(struct net *net, const struct net_options *options, char *error, size_t error_bytes)
{
    struct io_options io = options->io;

    io.memory = options->memory;
    if (io.sockets_max == 0) {
        /* A closed socket's place may wait for its last send to come back. */
        io.sockets_max = net->conns_max + 4;
        if (io.backend == IO_AUTO && net->conns_max <= 4) {
            io.backend = IO_SPIN;
        }
    }

    enum io_answer answer = io_create(&net->io, &io);

    if (answer != IO_OK) {
        sentence(error, error_bytes, "%s",
                 answer == IO_NO_MEMORY
                     ? "no memory for the sockets"
                     : "the socket options are out of bounds, or io_uring is refused here");
        return false;
    }
    return true;
}

bool net_create(struct net **out, const struct net_options *options, char *error, size_t error_bytes)
{
    uint32_t max = options->conns_max != 0 ? options->conns_max : 16;
    struct net *net;

    *out = NULL;
    if (max > 256) {
        sentence(error, error_bytes, "conns_max must be 1 to 256");
        return false;
    }
    net = net_take(&options->memory, sizeof *net, 64);
    if (net == NULL) {
        sentence(error, error_bytes, "no memory");
        return false;
    }
    memset(net, 0, sizeof *net);
    net->memory = options->memory;
    net->conns_max = max;
    net->jitter = options->seed;
    net->wake_ns = never;
    net->conns = net_take(&options->memory, max * sizeof *net->conns, 64);
    if (net->conns == NULL || !ws_mask_start(&net->mask)) {
        sentence(error, error_bytes, "no memory, or no randomness from the kernel");
        return false;
    }
    if (!make_io(net, options, error, error_bytes)) {
        return false;
    }
    if (!options->no_tls) {
        struct tls_options tls = { .ca_path = options->ca_path,
                                   .connection_max = max,
                                   .memory = options->memory };

        if (!tls_context_create(&net->tls, &tls, error, error_bytes)) {
            io_destroy(net->io);
            return false;
        }
    }
    *out = net;
    return true;
}

void net_destroy(struct net *net)
{
    if (net == NULL) {
        return;
    }
    io_destroy(net->io);
    tls_context_destroy(net->tls);
}

/* ---- looking -------------------------------------------------------------------------------------- */

enum conn_state conn_state(const struct conn *c)
{
    return c->state;
}

enum conn_reason conn_reason(const struct conn *c)
{
    return c->reason;
}

const char *conn_error(const struct conn *c)
{
    return c->error;
}

int conn_upgrade_status(const struct conn *c)
{
    return c->upgrade_status;
}

uint64_t conn_heard_ns(const struct conn *c)
{
    return c->heard_ns;
}

const char *conn_name(const struct conn *c)
{
    return c->name;
}

const struct conn_counters *conn_counters(const struct conn *c)
{
    return &c->counters;
}

const struct io_counters *net_io_counters(const struct net *net)
{
    return io_counters(net->io);
}

const struct tls_counters *net_tls_counters(const struct net *net)
{
    return net->tls != NULL ? tls_counters(net->tls) : NULL;
}

const char *net_backend_name(const struct net *net)
{
    return io_backend_name(net->io);
}

const char *net_cipher_name(const struct net *net)
{
    return net->tls != NULL ? tls_cipher_backend(net->tls) : "none";
}

const char *conn_state_name(enum conn_state state)
{
    static const char *const names[CONN_STATE_COUNT] = {
        [CONN_IDLE] = "idle",
        [CONN_BACKOFF] = "backoff",
        [CONN_CONNECTING] = "connecting",
        [CONN_TLS_HANDSHAKE] = "tls handshake",
        [CONN_WS_UPGRADE] = "websocket upgrade",
        [CONN_LOGIN] = "login",
        [CONN_SUBSCRIBING] = "subscribing",
        [CONN_LIVE] = "live",
        [CONN_STALE] = "stale",
        [CONN_CLOSED] = "closed",
    };

    return (unsigned)state < CONN_STATE_COUNT ? names[state] : "?";
}

const char *conn_event_name(enum conn_event event)
{
    static const char *const names[CONN_EVENT_COUNT] = {
        [CONN_EVENT_OPEN] = "open",
        [CONN_EVENT_RETRY] = "retry",
        [CONN_EVENT_TCP_UP] = "tcp up",
        [CONN_EVENT_UPGRADE] = "upgrade",
        [CONN_EVENT_UP] = "up",
        [CONN_EVENT_LOGGED_IN] = "logged in",
        [CONN_EVENT_SUBSCRIBED] = "subscribed",
        [CONN_EVENT_QUIET] = "quiet",
        [CONN_EVENT_HEARD] = "heard",
        [CONN_EVENT_LOST] = "lost",
        [CONN_EVENT_CLOSE] = "close",
    };

    return (unsigned)event < CONN_EVENT_COUNT ? names[event] : "?";
}

const char *conn_reason_name(enum conn_reason reason)
{
    static const char *const names[CONN_REASON_COUNT] = {
        [CONN_REASON_NONE] = "none",
        [CONN_REASON_CONNECT] = "connect failed",
        [CONN_REASON_TIMEOUT] = "timeout",
        [CONN_REASON_SILENCE] = "silence",
        [CONN_REASON_PEER] = "closed by peer",
        [CONN_REASON_NETWORK] = "network error",
        [CONN_REASON_TLS] = "tls",
        [CONN_REASON_UPGRADE] = "upgrade refused",
        [CONN_REASON_VIOLATION] = "protocol violation",
        [CONN_REASON_FULL] = "send buffer full",
        [CONN_REASON_OWNER] = "owner",
    };

    return (unsigned)reason < CONN_REASON_COUNT ? names[reason] : "?";
}
