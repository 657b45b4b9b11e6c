#include "hot/net/conn.h"
#include "hot/net/tls.h"
#include "hot/net/ws.h"
#include "tests/hot/net/tls_peer.h"
#include "tests/hot/net/wire.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PATIENCE = 200000, CAPACITY = 1 << 16 };
static const uint64_t ms = 1000000;

/* One net with one conn, and the venue it talks to: everything in one thread, with time in our hands. */
struct world {
    struct net *net;
    struct conn *conn;
    uint64_t now;
    int listener, fd;
    uint16_t port;
    struct peer_server *server; /* NULL: plain TCP */
    struct peer *peer;
    uint8_t venue[CAPACITY]; /* plaintext the venue received and did not use yet */
    size_t venue_len;

    int ready, down, stale, live;
    enum conn_reason reason;
    char text[CAPACITY];
    size_t text_len;
    int messages, responses, status;
    bool binary;
    bool subscribe_at_once, request_again, drop_in_message, close_in_message;
};

/* ---- owner ---------------------------------------------------------------------------------------- */

static void on_ready(void *owner, struct conn *conn, uint64_t now_ns)
{
    struct world *w = owner;

    w->ready++;
    if (w->subscribe_at_once) {
        conn_subscribed(conn, now_ns);
    }
}

static void on_message(void *owner, struct conn *conn, uint8_t *bytes, size_t len, bool binary,
                       uint64_t now_ns)
{
    struct world *w = owner;

    memcpy(w->text, bytes, len);
    w->text[len] = '\0';
    w->text_len = len;
    w->messages++;
    w->binary = binary;
    if (w->drop_in_message) {
        conn_drop(conn, now_ns);
        cr_assert_eq(conn_send_text(conn, (const uint8_t *)"x", 1), CONN_NOT_UP);
    }
    if (w->close_in_message) {
        conn_close(conn, now_ns);
    }
}

static void on_response(void *owner, struct conn *conn, const struct http_response *response, uint64_t now_ns)
{
    struct world *w = owner;

    w->responses++;
    w->status = response->status;
    memcpy(w->text, response->body, response->body_len);
    w->text[response->body_len] = '\0';
    w->text_len = response->body_len;
    if (w->request_again) {
        w->request_again = false;
        cr_assert_eq(conn_request(conn, "GET", "/again", NULL, NULL, 0, now_ns), CONN_OK);
        cr_assert_eq(strlen(w->text), response->body_len);
        cr_assert(memcmp(w->text, response->body, response->body_len) == 0);
    }
}

static void on_down(void *owner, struct conn *conn, enum conn_reason reason, uint64_t now_ns)
{
    struct world *w = owner;

    (void)now_ns;
    w->down++;
    w->reason = reason;
    cr_assert(conn_state(conn) == CONN_BACKOFF || conn_state(conn) == CONN_CLOSED);
}

static void on_state(void *owner, struct conn *conn, enum conn_state from, enum conn_state to,
                     uint64_t now_ns)
{
    struct world *w = owner;

    (void)now_ns;
    cr_assert_eq(conn_state(conn), to);
    cr_assert_neq(from, to);
    w->stale += to == CONN_STALE;
    w->live += to == CONN_LIVE;
}

static const struct conn_handler handler = { on_ready, on_message, on_response, on_down, on_state };

/* ---- venue ---------------------------------------------------------------------------------------- */

static void venue_flush(struct world *w)
{
    static uint8_t bytes[CAPACITY];
    size_t n;

    while (w->peer != NULL && (n = peer_take(w->peer, bytes, sizeof bytes)) > 0) {
        wire_send(w->fd, bytes, n);
    }
}

static void venue_write(struct world *w, const void *bytes, size_t len)
{
    if (w->peer != NULL) {
        cr_assert(peer_write(w->peer, bytes, len));
        venue_flush(w);
    } else {
        wire_send(w->fd, bytes, len);
    }
}

static void venue_turn(struct world *w)
{
    static uint8_t bytes[CAPACITY];

    if (w->fd < 0) {
        w->fd = wire_accept(w->listener);
        w->venue_len = 0;
        if (w->fd >= 0 && w->server != NULL) {
            w->peer = peer_accept(w->server);
        }
    }
    if (w->fd < 0) {
        return;
    }

    ssize_t n = recv(w->fd, bytes, sizeof bytes, 0);

    if (n <= 0) {
        return;
    }
    if (w->peer == NULL) {
        memcpy(w->venue + w->venue_len, bytes, (size_t)n);
        w->venue_len += (size_t)n;
        return;
    }
    peer_feed(w->peer, bytes, (size_t)n);
    while ((n = (ssize_t)peer_read(w->peer, w->venue + w->venue_len, sizeof w->venue - w->venue_len)) > 0) {
        w->venue_len += (size_t)n;
    }
    venue_flush(w);
}

static void venue_hang_up(struct world *w)
{
    if (w->peer != NULL) {
        peer_destroy(w->peer);
        w->peer = NULL;
    }
    close(w->fd);
    w->fd = -1;
}

static void turn(struct world *w)
{
    net_poll(w->net, w->now);
    venue_turn(w);
}

#define UNTIL(w, condition)                                                                                  \
    for (int tries_ = 0; !(condition); tries_++) {                                                           \
        turn(w);                                                                                             \
        cr_assert(tries_ < PATIENCE, "never: %s (state %s, %s)", #condition,                                 \
                  conn_state_name(conn_state((w)->conn)), conn_error((w)->conn));                            \
    }

static bool venue_has_head(struct world *w)
{
    return w->venue_len >= 4 && memmem(w->venue, w->venue_len, "\r\n\r\n", 4) != NULL;
}

static void venue_frame(struct world *w, int first, const char *payload, size_t len)
{
    uint8_t bytes[4 + 4096] = { (uint8_t)first };
    size_t head = 2;

    if (len < 126) {
        bytes[1] = (uint8_t)len;
    } else {
        bytes[1] = 126;
        bytes[2] = (uint8_t)(len >> 8);
        bytes[3] = (uint8_t)len;
        head = 4;
    }
    memcpy(bytes + head, payload, len);
    venue_write(w, bytes, head + len);
}

static void venue_text(struct world *w, const char *text)
{
    venue_frame(w, 0x81, text, strlen(text));
}

/* venue_accept answers the upgrade request that lies in w->venue. */
static void venue_accept(struct world *w)
{
    char answer[512], accept[WS_ACCEPT_BYTES + 1];

    UNTIL(w, venue_has_head(w));
    w->venue[w->venue_len] = '\0';

    char *key = strstr((char *)w->venue, "Sec-WebSocket-Key: ");

    cr_assert_not_null(key);
    ws_accept_of(key + strlen("Sec-WebSocket-Key: "), accept);
    snprintf(answer, sizeof answer,
             "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Accept: %s\r\n\r\n",
             accept);
    w->venue_len = 0;
    venue_write(w, answer, strlen(answer));
}

/* venue_reads takes one of the client's frames out of w->venue, unmasked. */
static size_t venue_reads(struct world *w, int *first, char *payload)
{
    size_t head, len;

    UNTIL(w, w->venue_len >= 6);
    *first = w->venue[0];
    cr_assert(w->venue[1] & 0x80, "a client's frame is not masked");
    len = w->venue[1] & 0x7f;
    head = 2;
    if (len == 126) {
        UNTIL(w, w->venue_len >= 8);
        len = (size_t)w->venue[2] << 8 | w->venue[3];
        head = 4;
    }
    UNTIL(w, w->venue_len >= head + 4 + len);
    for (size_t i = 0; i < len; i++) {
        payload[i] = (char)(w->venue[head + 4 + i] ^ w->venue[head + (i & 3)]);
    }
    payload[len] = '\0';
    w->venue_len -= head + 4 + len;
    memmove(w->venue, w->venue + head + 4 + len, w->venue_len);
    return len;
}

static void expect_frame(struct world *w, int first, const char *payload)
{
    static char got[CAPACITY];
    int kind;
    size_t len = venue_reads(w, &kind, got);

    cr_assert_eq(kind, first, "%02x: %s", kind, got);
    if (payload != NULL) {
        cr_assert_eq(len, strlen(payload));
        cr_assert_str_eq(got, payload);
    }
}

/* ---- worlds --------------------------------------------------------------------------------------- */

struct kind {
    enum io_backend backend;
    bool tls;
};

static struct kind kinds[] = {
    { IO_URING, false }, { IO_SPIN, false }, { IO_URING, true }, { IO_SPIN, true }
};

static struct world *world_with(struct kind kind, struct conn_options o)
{
    struct world *w = calloc(1, sizeof *w);
    static const char *const here[] = { "127.0.0.1" };
    char error[256] = "";

    w->now = 1000 * ms;
    w->fd = -1;
    w->listener = wire_listen(&w->port);
    w->subscribe_at_once = true;
    if (kind.tls) {
        w->server = peer_server_create(&(struct peer_options){ 0 });
    }

    struct net_options n = { .io = { .backend = kind.backend },
                             .conns_max = 8,
                             .ca_path = kind.tls ? peer_ca_path() : NULL,
                             .no_tls = !kind.tls,
                             .seed = 42 };

    cr_assert(net_create(&w->net, &n, error, sizeof error), "%s", error);
    o.name = "test";
    o.tls = kind.tls;
    o.host = o.host != NULL ? o.host : "venue.test";
    o.addresses = o.addresses != NULL ? o.addresses : here;
    o.address_count = o.address_count != 0 ? o.address_count : 1;
    o.port = w->port;
    w->conn = conn_create(w->net, &o, &handler, w, error, sizeof error);
    cr_assert_not_null(w->conn, "%s", error);
    return w;
}

static struct world *world_ws(struct kind kind)
{
    return world_with(kind, (struct conn_options){ .kind = CONN_WS, .path = "/ws" });
}

static struct world *world_http(struct kind kind)
{
    return world_with(kind, (struct conn_options){ .kind = CONN_HTTP });
}

static struct world *live(struct world *w)
{
    conn_open(w->conn, w->now);
    if (conn_can_request(w->conn)) {
        return w;
    }
    UNTIL(w, conn_state(w->conn) == CONN_WS_UPGRADE);
    venue_accept(w);
    UNTIL(w, conn_state(w->conn) == CONN_LIVE);
    return w;
}

static struct world *live_http(struct world *w)
{
    conn_open(w->conn, w->now);
    UNTIL(w, conn_state(w->conn) == CONN_LIVE);
    return w;
}

static void world_free(struct world *w)
{
    net_destroy(w->net);
    if (w->peer != NULL) {
        peer_destroy(w->peer);
    }
    if (w->server != NULL) {
        peer_server_destroy(w->server);
    }
    close(w->listener);
    if (w->fd >= 0) {
        close(w->fd);
    }
    free(w);
}

#define FOR_EACH_KIND(name)                                                                                  \
    static void name(struct kind kind);                                                                      \
    ParameterizedTestParameters(conn, name)                                                                  \
    {                                                                                                        \
        return cr_make_param_array(struct kind, kinds, sizeof kinds / sizeof kinds[0]);                      \
    }                                                                                                        \
    ParameterizedTest(struct kind *kind, conn, name)                                                         \
    {                                                                                                        \
        name(*kind);                                                                                         \
    }                                                                                                        \
    static void name(struct kind kind)

static const struct kind plain = { IO_URING, false };

/* ---- the table ------------------------------------------------------------------------------------ */

/* Every transition there is, written out; every other cell must be empty. */
static const struct {
    enum conn_state from;
    enum conn_event event;
    enum conn_state to;
} moves[] = {
    { CONN_IDLE, CONN_EVENT_OPEN, CONN_BACKOFF },
    { CONN_CLOSED, CONN_EVENT_OPEN, CONN_BACKOFF },
    { CONN_BACKOFF, CONN_EVENT_RETRY, CONN_CONNECTING },
    { CONN_CONNECTING, CONN_EVENT_TCP_UP, CONN_TLS_HANDSHAKE },
    { CONN_CONNECTING, CONN_EVENT_UPGRADE, CONN_WS_UPGRADE },
    { CONN_CONNECTING, CONN_EVENT_UP, CONN_LOGIN },
    { CONN_TLS_HANDSHAKE, CONN_EVENT_UPGRADE, CONN_WS_UPGRADE },
    { CONN_TLS_HANDSHAKE, CONN_EVENT_UP, CONN_LOGIN },
    { CONN_WS_UPGRADE, CONN_EVENT_UP, CONN_LOGIN },
    { CONN_LOGIN, CONN_EVENT_LOGGED_IN, CONN_SUBSCRIBING },
    { CONN_LOGIN, CONN_EVENT_SUBSCRIBED, CONN_LIVE },
    { CONN_SUBSCRIBING, CONN_EVENT_SUBSCRIBED, CONN_LIVE },
    { CONN_LIVE, CONN_EVENT_QUIET, CONN_STALE },
    { CONN_STALE, CONN_EVENT_HEARD, CONN_LIVE },
};

Test(conn, every_cell_of_the_table_is_as_written)
{
    for (int from = 0; from < CONN_STATE_COUNT; from++) {
        for (int event = 0; event < CONN_EVENT_COUNT; event++) {
            int want = -1;

            for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++) {
                if ((int)moves[i].from == from && (int)moves[i].event == event) {
                    want = (int)moves[i].to;
                }
            }
            if (event == CONN_EVENT_LOST && from >= CONN_CONNECTING && from <= CONN_STALE) {
                want = CONN_BACKOFF;
            }
            if (event == CONN_EVENT_CLOSE && from != CONN_CLOSED) {
                want = CONN_CLOSED;
            }
            cr_assert_eq(conn_next((enum conn_state)from, (enum conn_event)event), want, "%s, %s",
                         conn_state_name((enum conn_state)from), conn_event_name((enum conn_event)event));
        }
    }
}

Test(conn, every_state_event_and_reason_has_a_name)
{
    for (int i = 0; i < CONN_STATE_COUNT; i++) {
        cr_assert_neq(conn_state_name((enum conn_state)i)[0], '?');
    }
    for (int i = 0; i < CONN_EVENT_COUNT; i++) {
        cr_assert_neq(conn_event_name((enum conn_event)i)[0], '?');
    }
    for (int i = 0; i < CONN_REASON_COUNT; i++) {
        cr_assert_neq(conn_reason_name((enum conn_reason)i)[0], '?');
    }
}

/* ---- stories: WebSocket --------------------------------------------------------------------------- */

FOR_EACH_KIND(a_websocket_comes_up_and_carries_messages)
{
    struct world *w = world_ws(kind);

    w->subscribe_at_once = false;
    cr_assert_eq(conn_state(w->conn), CONN_IDLE);
    cr_assert_eq(conn_send_text(w->conn, (const uint8_t *)"early", 5), CONN_NOT_UP);
    conn_open(w->conn, w->now);
    cr_assert_eq(conn_state(w->conn), CONN_BACKOFF);
    UNTIL(w, conn_state(w->conn) == CONN_WS_UPGRADE);
    venue_accept(w);
    UNTIL(w, w->ready == 1);
    cr_assert_eq(conn_state(w->conn), CONN_LOGIN);
    cr_assert_eq(conn_send_text(w->conn, (const uint8_t *)"log in", 6), CONN_OK);
    expect_frame(w, 0x81, "log in");
    conn_logged_in(w->conn, w->now);
    cr_assert_eq(conn_state(w->conn), CONN_SUBSCRIBING);
    cr_assert_eq(conn_send_binary(w->conn, (const uint8_t *)"subscribe", 9), CONN_OK);
    expect_frame(w, 0x82, "subscribe");
    conn_subscribed(w->conn, w->now);
    cr_assert_eq(conn_state(w->conn), CONN_LIVE);
    for (int i = 0; i < 100; i++) {
        char text[32];

        snprintf(text, sizeof text, "{\"n\":%d}", i);
        venue_text(w, text);
        UNTIL(w, w->messages == i + 1);
        cr_assert_str_eq(w->text, text);

        uint8_t *at = conn_frame_begin(w->conn);

        cr_assert_not_null(at);
        memcpy(at, text, strlen(text));
        cr_assert_eq(conn_frame_commit(w->conn, strlen(text), false), CONN_OK);
        expect_frame(w, 0x81, text);
    }
    venue_frame(w, 0x82, "bin", 3);
    UNTIL(w, w->binary);
    cr_assert_eq(conn_counters(w->conn)->messages_in, 101);
    cr_assert_eq(conn_counters(w->conn)->messages_out, 102);
    cr_assert_eq(conn_counters(w->conn)->connects, 1);
    cr_assert_eq(conn_counters(w->conn)->tls_handshakes, kind.tls);
    cr_assert_eq(w->down, 0);
    world_free(w);
}

FOR_EACH_KIND(frames_that_came_with_the_upgrade_are_not_lost)
{
    struct world *w = world_ws(kind);
    char answer[600], accept[WS_ACCEPT_BYTES + 1];

    conn_open(w->conn, w->now);
    UNTIL(w, venue_has_head(w));
    w->venue[w->venue_len] = '\0';
    ws_accept_of(strstr((char *)w->venue, "Sec-WebSocket-Key: ") + 19, accept);

    int n = snprintf(answer, sizeof answer,
                     "HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Accept: %s\r\n\r\n\x81\x05"
                     "first\x81\x06second",
                     accept);

    venue_write(w, answer, (size_t)n);
    UNTIL(w, w->messages == 2);
    cr_assert_str_eq(w->text, "second");
    world_free(w);
}

FOR_EACH_KIND(a_ping_is_answered_with_its_own_payload)
{
    struct world *w = live(world_ws(kind));

    venue_frame(w, 0x89, "are you there", 13);
    expect_frame(w, 0x8a, "are you there");
    venue_frame(w, 0x89, "", 0);
    expect_frame(w, 0x8a, "");
    cr_assert_eq(conn_counters(w->conn)->pings_in, 2);
    cr_assert_eq(w->messages, 0);
    world_free(w);
}

FOR_EACH_KIND(a_close_frame_is_answered_and_a_new_attempt_follows)
{
    struct world *w = live(world_ws(kind));

    venue_frame(w, 0x88, "\x03\xe9going away", 12);
    UNTIL(w, w->down == 1);
    cr_assert_eq(w->reason, CONN_REASON_PEER);
    expect_frame(w, 0x88, "\x03\xe9");
    venue_hang_up(w);
    cr_assert_eq(conn_state(w->conn), CONN_BACKOFF);
    w->now += 100 * ms;
    UNTIL(w, conn_state(w->conn) == CONN_WS_UPGRADE);
    venue_accept(w);
    UNTIL(w, w->live == 2);
    cr_assert_eq(conn_counters(w->conn)->connects, 2);
    cr_assert_eq(conn_counters(w->conn)->tls_resumptions, kind.tls, "the ticket was not used");
    world_free(w);
}

FOR_EACH_KIND(a_violation_is_told_with_its_code_and_ends_the_connection)
{
    static const struct {
        int first;
        const char *payload;
        size_t len;
        const char *code;
    } cases[] = {
        { 0xc1, "reserved", 8, "\x03\xea" },
        { 0x80, "continues nothing", 17, "\x03\xea" },
        { 0x81, "\xff", 1, "\x03\xef" },
        { 0x88, "x", 1, "\x03\xea" },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct world *w = live(world_ws(kind));
        char payload[256];
        int first;

        venue_frame(w, cases[i].first, cases[i].payload, cases[i].len);
        UNTIL(w, w->down == 1);
        cr_assert_eq(w->reason, CONN_REASON_VIOLATION);
        cr_assert_gt(venue_reads(w, &first, payload), 2);
        cr_assert_eq(first, 0x88);
        cr_assert(memcmp(payload, cases[i].code, 2) == 0);
        cr_assert_neq(conn_error(w->conn)[0], '\0');
        world_free(w);
    }
}

FOR_EACH_KIND(a_message_longer_than_the_inbox_closes_with_1009)
{
    struct world *w = world_with(kind, (struct conn_options){ .kind = CONN_WS, .inbox_bytes = 2048 });
    static const char long_text[3000];
    char payload[256];
    int first;

    live(w);
    venue_frame(w, 0x82, long_text, 2044);
    UNTIL(w, w->messages == 1);
    cr_assert_eq(w->text_len, 2044);
    venue_frame(w, 0x82, long_text, 2045);
    UNTIL(w, w->down == 1);
    cr_assert_eq(w->reason, CONN_REASON_VIOLATION);
    venue_reads(w, &first, payload);
    cr_assert(memcmp(payload, "\x03\xf1", 2) == 0);
    world_free(w);
}

FOR_EACH_KIND(messages_longer_than_a_receive_buffer_arrive_whole)
{
    struct world *w = world_with(kind, (struct conn_options){ .kind = CONN_WS, .inbox_bytes = 65536 });
    static uint8_t bytes[10 + 60000];

    live(w);
    bytes[0] = 0x82;
    bytes[1] = 126;
    bytes[2] = 60000 >> 8;
    bytes[3] = 60000 & 0xff;
    for (size_t i = 0; i < 60000; i++) {
        bytes[4 + i] = (uint8_t)(i * 13);
    }
    for (int i = 0; i < 20; i++) {
        venue_write(w, bytes, 60004);
        UNTIL(w, w->messages == i + 1);
        cr_assert_eq(w->text_len, 60000);
        cr_assert(memcmp(w->text, bytes + 4, 60000) == 0);
    }
    world_free(w);
}

FOR_EACH_KIND(a_refused_upgrade_waits_as_long_as_the_venue_says)
{
    struct world *w = world_ws(kind);
    static const char refusal[] =
        "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n";

    conn_open(w->conn, w->now);
    UNTIL(w, venue_has_head(w));
    venue_write(w, refusal, sizeof refusal - 1);
    UNTIL(w, w->down == 1);
    cr_assert_eq(w->reason, CONN_REASON_UPGRADE);
    cr_assert_eq(conn_upgrade_status(w->conn), 429);
    cr_assert_eq(w->ready, 0);
    venue_hang_up(w);
    w->now += 6999 * ms;
    for (int i = 0; i < 100; i++) {
        turn(w);
    }
    cr_assert_eq(conn_state(w->conn), CONN_BACKOFF);
    w->now += 1 * ms;
    UNTIL(w, conn_state(w->conn) == CONN_WS_UPGRADE);
    world_free(w);
}

FOR_EACH_KIND(the_peers_hang_up_is_told)
{
    struct world *w = live(world_ws(kind));

    venue_hang_up(w);
    UNTIL(w, w->down == 1);
    cr_assert(w->reason == CONN_REASON_PEER || w->reason == CONN_REASON_NETWORK);
    world_free(w);
}

FOR_EACH_KIND(an_owner_may_drop_or_close_from_inside_its_callback)
{
    for (int close_it = 0; close_it < 2; close_it++) {
        struct world *w = live(world_ws(kind));

        w->drop_in_message = !close_it;
        w->close_in_message = close_it;
        venue_write(w, "\x81\x03one\x81\x03two", 10);
        UNTIL(w, w->down == 1);
        cr_assert_eq(w->messages, 1, "a doomed connection still delivers");
        cr_assert_str_eq(w->text, "one");
        cr_assert_eq(w->reason, CONN_REASON_OWNER);
        cr_assert_eq(conn_state(w->conn), close_it ? CONN_CLOSED : CONN_BACKOFF);
        expect_frame(w, 0x88, "\x03\xe8");
        world_free(w);
    }
}

FOR_EACH_KIND(a_closed_conn_stays_closed_until_opened_again)
{
    struct world *w = live(world_ws(kind));

    conn_close(w->conn, w->now);
    UNTIL(w, w->down == 1);
    cr_assert_eq(conn_state(w->conn), CONN_CLOSED);
    venue_hang_up(w);
    w->now += 3600000 * ms;
    for (int i = 0; i < 100; i++) {
        turn(w);
    }
    cr_assert_eq(conn_state(w->conn), CONN_CLOSED);
    live(w);
    cr_assert_eq(w->live, 2);
    world_free(w);
}

/* ---- stories: time -------------------------------------------------------------------------------- */

Test(conn, silence_brings_a_ping_then_stale_then_the_end)
{
    struct world *w = live(world_ws(plain));
    uint64_t start = w->now;

    w->now = start + 14999 * ms;
    turn(w);
    cr_assert_eq(conn_counters(w->conn)->pings_out, 0);
    w->now = start + 15000 * ms;
    turn(w);
    expect_frame(w, 0x89, NULL);
    cr_assert_eq(conn_counters(w->conn)->pings_out, 1);
    w->now = start + 29999 * ms;
    turn(w);
    cr_assert_eq(conn_state(w->conn), CONN_LIVE);
    w->now = start + 30000 * ms;
    turn(w);
    cr_assert_eq(conn_state(w->conn), CONN_STALE);
    expect_frame(w, 0x89, NULL);
    w->now += 9999 * ms;
    turn(w);
    cr_assert_eq(w->down, 0);
    w->now += 1 * ms;
    turn(w);
    cr_assert_eq(w->down, 1);
    cr_assert_eq(w->reason, CONN_REASON_SILENCE);
    cr_assert_eq(conn_counters(w->conn)->stales, 1);
    world_free(w);
}

Test(conn, any_byte_ends_the_silence)
{
    struct world *w = live(world_ws(plain));

    for (int i = 0; i < 10; i++) {
        w->now += 14000 * ms;
        turn(w);
        venue_text(w, "tick");
        UNTIL(w, w->messages == i + 1);
        cr_assert_eq(conn_heard_ns(w->conn), w->now);
    }
    cr_assert_eq(conn_counters(w->conn)->pings_out, 0);
    cr_assert_eq(w->stale, 0);
    w->now += 30000 * ms;
    turn(w);
    cr_assert_eq(conn_state(w->conn), CONN_STALE);
    venue_frame(w, 0x8a, "pong", 4);
    UNTIL(w, conn_state(w->conn) == CONN_LIVE);
    cr_assert_eq(w->live, 2);
    w->now += 29999 * ms;
    turn(w);
    cr_assert_eq(conn_state(w->conn), CONN_LIVE);
    world_free(w);
}

Test(conn, every_silence_has_its_own_ping)
{
    struct world *w = live(world_ws(plain));

    for (int i = 0; i < 3; i++) {
        w->now += 15000 * ms;
        turn(w);
        turn(w);
        cr_assert_eq(conn_counters(w->conn)->pings_out, (uint64_t)i + 1);
        expect_frame(w, 0x89, NULL);
        venue_frame(w, 0x8a, "", 0);
        UNTIL(w, conn_heard_ns(w->conn) == w->now);
    }
    cr_assert_eq(w->stale, 0);
    world_free(w);
}

/* Each state on the way up, stopped there, must end by its own timeout. */
Test(conn, every_state_on_the_way_up_has_its_timeout)
{
    static const uint64_t seconds[] = { 5, 5, 10, 10 };

    for (int stop = 0; stop < 4; stop++) {
        struct world *w = world_ws(stop == 0 ? (struct kind){ IO_URING, true } : plain);

        w->subscribe_at_once = false;
        conn_open(w->conn, w->now);
        if (stop == 0) { /* the venue accepts, and says nothing */
            for (int i = 0; conn_state(w->conn) != CONN_TLS_HANDSHAKE; i++) {
                net_poll(w->net, w->now);
                cr_assert(i < PATIENCE);
            }
        }
        if (stop >= 1) {
            UNTIL(w, conn_state(w->conn) == CONN_WS_UPGRADE);
        }
        if (stop >= 2) {
            venue_accept(w);
            UNTIL(w, conn_state(w->conn) == CONN_LOGIN);
        }
        if (stop == 3) {
            conn_logged_in(w->conn, w->now);
        }

        enum conn_state at = conn_state(w->conn);

        w->now += seconds[stop] * 1000 * ms - 1;
        net_poll(w->net, w->now);
        cr_assert_eq(conn_state(w->conn), at);
        w->now += 1;
        net_poll(w->net, w->now);
        cr_assert_eq(w->down, 1, "%s", conn_state_name(at));
        cr_assert_eq(w->reason, CONN_REASON_TIMEOUT);
        cr_assert_str_eq(conn_error(w->conn), conn_state_name(at));
        world_free(w);
    }
}

Test(conn, pauses_grow_are_jittered_and_start_again_after_calm)
{
    struct world *w = world_ws(plain);
    uint64_t longest = 0, pause;
    int whole_pauses = 0;

    close(w->listener); /* nobody is there */
    conn_open(w->conn, w->now);
    for (int i = 0; i < 14; i++) {
        uint64_t whole = 100 * ms << i;

        whole = whole > 12000 * ms ? 12000 * ms : whole;
        for (int tries = 0; w->down <= i; tries++) {
            net_poll(w->net, w->now);
            cr_assert(tries < PATIENCE);
        }
        cr_assert_eq(w->reason, CONN_REASON_CONNECT);

        uint64_t start = w->now;
        uint64_t attempts = conn_counters(w->conn)->attempts;

        for (pause = 0; conn_counters(w->conn)->attempts == attempts; pause += ms) {
            w->now = start + pause;
            net_poll(w->net, w->now);
            cr_assert_leq(pause, whole + ms);
        }
        cr_assert_geq(pause, whole / 2, "pause %d", i);
        whole_pauses += pause >= whole;
        longest = pause > longest ? pause : longest;
    }
    cr_assert_gt(longest, 6000 * ms);
    cr_assert_lt(whole_pauses, 7, "the pauses are not jittered");
    cr_assert_geq(conn_counters(w->conn)->down[CONN_REASON_CONNECT], 14);
    w->listener = wire_listen(&w->port);
    world_free(w);
}

Test(conn, ten_calm_seconds_forget_the_long_pauses)
{
    struct world *w = world_ws(plain);

    for (int round = 0; round < 3; round++) {
        live(w);
        venue_hang_up(w);
        UNTIL(w, w->down == round + 1);
        cr_assert_eq(conn_state(w->conn), CONN_BACKOFF);
        w->now += round == 0 ? 100 * ms : 200 * ms;
        if (round == 1) {
            break;
        }
    }
    live(w);
    w->now += 9999 * ms;
    venue_hang_up(w);
    UNTIL(w, w->down == 3);
    w->now += 199 * ms; /* not calm for long enough: the third pause is at least this long */
    turn(w);
    cr_assert_eq(conn_state(w->conn), CONN_BACKOFF);
    w->now += 201 * ms;
    live(w);
    w->now += 10000 * ms;
    venue_hang_up(w);
    UNTIL(w, w->down == 4);
    w->now += 100 * ms; /* the first pause is at most this long */
    UNTIL(w, conn_state(w->conn) == CONN_WS_UPGRADE);
    world_free(w);
}

Test(conn, a_hold_keeps_the_next_attempt_waiting)
{
    struct world *w = world_ws(plain);

    conn_hold(w->conn, w->now + 5000 * ms);
    conn_open(w->conn, w->now);
    w->now += 4999 * ms;
    turn(w);
    cr_assert_eq(conn_state(w->conn), CONN_BACKOFF);
    w->now += 1 * ms;
    UNTIL(w, conn_state(w->conn) == CONN_WS_UPGRADE);
    world_free(w);
}

Test(conn, the_next_address_is_tried_when_one_fails)
{
    static const char *const two[] = { "127.0.0.2", "127.0.0.1" };
    struct world *w =
        world_with(plain, (struct conn_options){ .kind = CONN_WS, .addresses = two, .address_count = 2 });

    /* The venue listens on 127.0.0.1 alone. */
    conn_open(w->conn, w->now);
    UNTIL(w, w->down == 1);
    w->now += 100 * ms;
    UNTIL(w, conn_state(w->conn) == CONN_WS_UPGRADE);
    venue_accept(w);
    UNTIL(w, conn_state(w->conn) == CONN_LIVE);
    venue_hang_up(w);
    UNTIL(w, w->down == 2);
    w->now += 200 * ms;
    UNTIL(w, conn_state(w->conn) == CONN_WS_UPGRADE); /* and what worked is kept */
    world_free(w);
}

Test(conn, a_new_path_is_used_at_the_next_attempt)
{
    struct world *w = live(world_ws(plain));

    cr_assert_not(conn_set_path(w->conn, "no slash"));
    cr_assert_not(conn_set_path(w->conn, "/a b"));
    cr_assert(conn_set_path(w->conn, "/ws/listenkey2"));
    conn_drop(w->conn, w->now);
    UNTIL(w, w->down == 1);
    venue_hang_up(w);
    w->now += 100 * ms;
    UNTIL(w, venue_has_head(w));
    cr_assert(memcmp(w->venue, "GET /ws/listenkey2 HTTP/1.1\r\n", 29) == 0);
    world_free(w);
}

Test(conn, events_out_of_place_are_counted_and_change_nothing)
{
    struct world *w = live(world_ws(plain));
    uint64_t before = conn_counters(w->conn)->refused_events;

    conn_logged_in(w->conn, w->now);
    conn_subscribed(w->conn, w->now);
    conn_open(w->conn, w->now);
    cr_assert_eq(conn_state(w->conn), CONN_LIVE);
    cr_assert_eq(conn_counters(w->conn)->refused_events, before + 3);
    cr_assert_eq(conn_request(w->conn, "GET", "/", NULL, NULL, 0, w->now), CONN_WRONG_KIND);
    cr_assert_eq(conn_frame_commit(w->conn, 16385, false), CONN_TOO_LONG);
    cr_assert_eq(conn_counters(w->conn)->refused_sends, 2);
    world_free(w);
}

FOR_EACH_KIND(a_peer_that_does_not_read_ends_the_connection_as_full)
{
    struct world *w = live(world_ws(kind));
    static uint8_t text[16000];
    enum conn_answer answer = CONN_OK;

    memset(text, 'x', sizeof text);
    for (int i = 0; i < 100000 && answer == CONN_OK; i++) {
        answer = conn_send_text(w->conn, text, sizeof text);
    }
    cr_assert_eq(answer, CONN_FULL);
    cr_assert_eq(conn_send_text(w->conn, text, 1), CONN_NOT_UP);
    cr_assert_eq(w->down, 0, "torn down inside a send");
    net_poll(w->net, w->now);
    cr_assert_eq(w->down, 1);
    cr_assert_eq(w->reason, CONN_REASON_FULL);
    world_free(w);
}

FOR_EACH_KIND(held_messages_leave_at_the_release)
{
    struct world *w = live(world_ws(kind));

    net_hold(w->net);
    cr_assert_eq(conn_send_text(w->conn, (const uint8_t *)"first", 5), CONN_OK);
    cr_assert_eq(conn_send_text(w->conn, (const uint8_t *)"second", 6), CONN_OK);
    venue_turn(w);
    cr_assert_eq(w->venue_len, 0);
    net_release(w->net);
    expect_frame(w, 0x81, "first");
    expect_frame(w, 0x81, "second");
    world_free(w);
}

/* ---- stories: HTTP -------------------------------------------------------------------------------- */

FOR_EACH_KIND(requests_follow_each_other_on_one_connection)
{
    struct world *w = live_http(world_http(kind));

    for (int i = 0; i < 20; i++) {
        static const char length[] = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd";
        static const char chunks[] =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n0\r\n\r\n";
        const char *answer = i % 2 == 0 ? length : chunks;

        cr_assert(conn_can_request(w->conn));
        cr_assert_eq(conn_request(w->conn, "GET", "/depth?limit=5", "X-Key: k\r\n", NULL, 0, w->now),
                     CONN_OK);
        cr_assert_eq(conn_request(w->conn, "GET", "/", NULL, NULL, 0, w->now), CONN_BUSY);
        UNTIL(w, venue_has_head(w));
        w->venue[w->venue_len] = '\0';
        cr_assert(strncmp((char *)w->venue, "GET /depth?limit=5 HTTP/1.1\r\nHost: venue.test:", 46) == 0,
                  "%s", w->venue);
        w->venue_len = 0;
        venue_write(w, answer, strlen(answer));
        UNTIL(w, w->responses == i + 1);
        cr_assert_str_eq(w->text, "abcd");
    }
    cr_assert_eq(conn_counters(w->conn)->connects, 1);
    world_free(w);
}

FOR_EACH_KIND(the_next_request_may_be_made_from_the_answer)
{
    struct world *w = live_http(world_http(kind));
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabcd";

    w->request_again = true;
    conn_request(w->conn, "GET", "/", NULL, NULL, 0, w->now);
    UNTIL(w, venue_has_head(w));
    w->venue_len = 0;
    venue_write(w, answer, sizeof answer - 1);
    UNTIL(w, venue_has_head(w));
    cr_assert(memcmp(w->venue, "GET /again ", 11) == 0);
    venue_write(w, answer, sizeof answer - 1);
    UNTIL(w, w->responses == 2);
    world_free(w);
}

FOR_EACH_KIND(an_unanswered_request_ends_the_connection)
{
    struct world *w = live_http(world_http(kind));

    w->now += 3600000 * ms; /* an idle hour is nobody's fault */
    turn(w);
    cr_assert_eq(conn_state(w->conn), CONN_LIVE);
    conn_request(w->conn, "POST", "/order", NULL, (const uint8_t *)"a=b", 3, w->now);
    w->now += 9999 * ms;
    turn(w);
    cr_assert_eq(w->down, 0);
    w->now += 1 * ms;
    turn(w);
    cr_assert_eq(w->down, 1);
    cr_assert_eq(w->reason, CONN_REASON_TIMEOUT);
    cr_assert_eq(w->responses, 0);
    world_free(w);
}

FOR_EACH_KIND(a_response_that_closes_is_delivered_before_the_end_is_told)
{
    struct world *w = live_http(world_http(kind));
    static const char answer[] = "HTTP/1.1 503 Later\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno";

    conn_request(w->conn, "GET", "/", NULL, NULL, 0, w->now);
    UNTIL(w, venue_has_head(w));
    venue_write(w, answer, sizeof answer - 1);
    UNTIL(w, w->down == 1);
    cr_assert_eq(w->responses, 1);
    cr_assert_eq(w->status, 503);
    cr_assert_eq(w->reason, CONN_REASON_PEER);
    world_free(w);
}

FOR_EACH_KIND(a_body_without_length_needs_an_honest_end)
{
    static const char answer[] = "HTTP/1.1 200 OK\r\n\r\nuntil the end";

    for (int honest = 0; honest < 2; honest++) {
        struct world *w = live_http(world_http(kind));

        conn_request(w->conn, "GET", "/", NULL, NULL, 0, w->now);
        UNTIL(w, venue_has_head(w));
        venue_write(w, answer, sizeof answer - 1);
        if (honest && w->peer != NULL) {
            peer_close(w->peer);
            venue_flush(w);
        }
        venue_hang_up(w);
        UNTIL(w, w->down == 1);
        /* Without a close notify, anyone on the way could have cut the body. */
        cr_assert_eq(w->responses, honest || !kind.tls);
        world_free(w);
    }
}

FOR_EACH_KIND(an_answer_nobody_asked_for_ends_the_connection)
{
    struct world *w = live_http(world_http(kind));
    static const char answer[] = "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n";

    venue_write(w, answer, sizeof answer - 1);
    UNTIL(w, w->down == 1);
    cr_assert_eq(w->responses, 0);
    cr_assert_eq(w->reason, CONN_REASON_PEER);
    world_free(w);
}

FOR_EACH_KIND(a_response_longer_than_the_inbox_is_refused)
{
    struct world *w = world_with(kind, (struct conn_options){ .kind = CONN_HTTP, .inbox_bytes = 4096 });
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n";

    live_http(w);
    conn_request(w->conn, "GET", "/", NULL, NULL, 0, w->now);
    UNTIL(w, venue_has_head(w));
    venue_write(w, answer, sizeof answer - 1);
    UNTIL(w, w->down == 1);
    cr_assert_eq(w->reason, CONN_REASON_VIOLATION);
    world_free(w);
}

/* ---- TLS ------------------------------------------------------------------------------------------ */

Test(conn, a_certificate_for_another_host_never_gets_to_login)
{
    struct world *w = world_with((struct kind){ IO_URING, true },
                                 (struct conn_options){ .kind = CONN_WS, .host = "other.test" });

    conn_open(w->conn, w->now);
    UNTIL(w, w->down == 1);
    cr_assert_eq(w->reason, CONN_REASON_TLS);
    cr_assert_eq(w->ready, 0);
    cr_assert(strstr(conn_error(w->conn), "mismatch") != NULL, "%s", conn_error(w->conn));
    world_free(w);
}

Test(conn, a_net_without_tls_makes_no_tls_conn)
{
    struct net *net;
    struct net_options n = { .no_tls = true };
    static const char *const here[] = { "127.0.0.1" };
    struct conn_options o = {
        .name = "x", .tls = true, .host = "h", .addresses = here, .address_count = 1, .port = 1
    };
    char error[256] = "";

    cr_assert(net_create(&net, &n, error, sizeof error), "%s", error);
    cr_assert_null(conn_create(net, &o, &handler, NULL, error, sizeof error));
    cr_assert(strstr(error, "connection x: ") != NULL, "%s", error);
    net_destroy(net);
}

Test(conn, wrong_options_are_named)
{
    struct net *net;
    struct net_options n = { .no_tls = true, .conns_max = 1 };
    static const char *const here[] = { "127.0.0.1" };
    static const char *const name[] = { "venue.test" };
    static const struct {
        struct conn_options o;
        const char *word;
    } cases[] = {
        { { .addresses = here, .address_count = 1, .port = 1 }, "host" },
        { { .host = "h", .addresses = here, .address_count = 1 }, "port" },
        { { .host = "h", .addresses = name, .address_count = 1, .port = 1 }, "addresses" },
        { { .host = "h", .port = 1 }, "addresses" },
        { { .host = "h", .addresses = here, .address_count = 1, .port = 1, .path = "x" }, "path" },
        { { .host = "h", .addresses = here, .address_count = 1, .port = 1, .inbox_bytes = 10 },
          "inbox_bytes" },
    };
    char error[256];

    cr_assert(net_create(&net, &n, error, sizeof error));
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        error[0] = '\0';
        cr_assert_null(conn_create(net, &cases[i].o, &handler, NULL, error, sizeof error));
        cr_assert(strstr(error, cases[i].word) != NULL, "case %zu: %s", i, error);
    }
    net_destroy(net);
}

Test(conn, an_idle_net_makes_no_system_call)
{
    struct world *w = live(world_ws((struct kind){ IO_URING, true }));
    uint64_t calls;

    for (int i = 0; i < 100; i++) {
        turn(w);
    }
    calls = net_io_counters(w->net)->system_calls;
    for (int i = 0; i < 10000; i++) {
        cr_assert_eq(net_poll(w->net, w->now), 0);
    }
    cr_assert_eq(net_io_counters(w->net)->system_calls, calls);
    world_free(w);
}
