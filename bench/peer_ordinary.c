/* What a good programmer writes in an afternoon, on the same path as tick_to_order: epoll_wait, OpenSSL on
 * blocking sockets, a WebSocket frame read and written by hand, jansson, HMAC() and snprintf.  It keeps a
 * book of bids, quotes where market_bid says, and does nothing else: no risk gate, no journal, no proof of
 * its book.  The venue is the journeys' own and checks its orders as it checks ours. */
#include "bench/cases.h"
#include "bench/echo.h"
#include "bench/venue.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/hmac.h>
#include <openssl/ssl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define BIDS_MAX   256
#define BYTES_MAX  65536
#define WAIT_TRIES 3000 /* of a millisecond each */

enum role { STREAM, ORDERS, ROLE_COUNT }; /* Binance's depth; Deribit's orders and what becomes of them */

struct wire {
    int fd;
    SSL *ssl;
    size_t used;
    unsigned char in[BYTES_MAX];
};

static struct {
    char folder[64], error[256];
    struct venue_desk *venue;
    SSL_CTX *context;
    int epoll;
    struct wire wire[ROLE_COUNT];
    struct {
        int64_t price;
        double qty;
    } bid[BIDS_MAX];
    int bid_count;
    int64_t quoted; /* our bid's price */
    unsigned order_number, request_number, answers;
    char order[2][24], id[2][24]; /* our bid's and ask's labels, and what the venue calls them */
    _Atomic bool done, serving;
    uint64_t *ticks, hash;
    uint32_t count;
} peer;

/* ------------------------------------------------------------------ the wire */

static void send_text(struct wire *wire, const char *text, size_t bytes)
{
    unsigned char frame[2048];
    size_t head = 4;
    uint32_t mask = (uint32_t)rand();
    frame[0] = 0x81;
    if (bytes < 126) {
        frame[1] = (unsigned char)(0x80 | bytes);
        head = 2;
    } else {
        frame[1] = 0x80 | 126;
        frame[2] = (unsigned char)(bytes >> 8);
        frame[3] = (unsigned char)bytes;
    }
    memcpy(frame + head, &mask, 4);
    for (size_t i = 0; i < bytes; i++) {
        frame[head + 4 + i] = (unsigned char)text[i] ^ frame[head + (i & 3)];
    }
    SSL_write(wire->ssl, frame, (int)(head + 4 + bytes));
}

static void send_request(const char *method, const char *params)
{
    char request[1600];
    int bytes = snprintf(request, sizeof request,
                         "{\"jsonrpc\":\"2.0\",\"id\":\"%u\",\"method\":\"%s\",\"params\":{%s}}",
                         ++peer.request_number, method, params);
    send_text(&peer.wire[ORDERS], request, (size_t)bytes);
}

static void log_in(void)
{
    char params[512], text[64], signature[65];
    unsigned char hash[32];
    unsigned int hash_bytes = 0;
    long long now_ms = clock_wall_ns() / 1000000;
    int used = snprintf(text, sizeof text, "%lld\n%lld\n", now_ms, now_ms);
    HMAC(EVP_sha256(), TALK_SECRET, (int)strlen(TALK_SECRET), (unsigned char *)text, (size_t)used, hash,
         &hash_bytes);
    for (int i = 0; i < 32; i++) {
        snprintf(signature + 2 * i, 3, "%02x", hash[i]);
    }
    snprintf(
        params, sizeof params,
        "\"grant_type\":\"client_signature\",\"client_id\":\"%s\",\"timestamp\":%lld,\"signature\":\"%s\","
        "\"nonce\":\"%lld\",\"data\":\"\",\"scope\":\"trade:read_write\"",
        TALK_KEY, now_ms, signature, now_ms);
    send_request("public/auth", params);
}

static void send_order(enum side side, int64_t price, bool fresh)
{
    char params[512];
    if (fresh) {
        snprintf(peer.order[side], sizeof peer.order[side], "ordinary-%u", ++peer.order_number);
        snprintf(params, sizeof params,
                 "\"instrument_name\":\"BTC-PERPETUAL\",\"amount\":%d,\"type\":\"limit\",\"price\":%.1f,"
                 "\"label\":\"%s\",\"post_only\":true,\"reject_post_only\":true",
                 MARKET_SIZE, (double)price / 10000, peer.order[side]);
        send_request(side == SIDE_BUY ? "private/buy" : "private/sell", params);
        return;
    }
    snprintf(params, sizeof params,
             "\"order_id\":\"%s\",\"amount\":%d,\"price\":%.1f,\"post_only\":true,\"reject_post_only\":true",
             peer.id[side], MARKET_SIZE, (double)price / 10000);
    send_request("private/edit", params);
}

/* ------------------------------------------------------------------ what is heard */

static int64_t best_bid(void)
{
    int64_t best = 0;
    for (int i = 0; i < peer.bid_count; i++) {
        best = peer.bid[i].price > best ? peer.bid[i].price : best;
    }
    return best;
}

static void set_bid(int64_t price, double qty)
{
    int at = 0;
    while (at < peer.bid_count && peer.bid[at].price != price) {
        at++;
    }
    if (qty == 0) {
        if (at < peer.bid_count) {
            peer.bid[at] = peer.bid[--peer.bid_count];
        }
    } else if (at < BIDS_MAX) {
        peer.bid[at].price = price;
        peer.bid[at].qty = qty;
        peer.bid_count += at == peer.bid_count;
    }
}

static const char *text_of(const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));
    return text != NULL ? text : "";
}

/* hear_depth keeps the bids and moves ours with the best of them. */
static void hear_depth(const json_t *data)
{
    size_t i;
    json_t *level;
    json_array_foreach(json_object_get(data, "b"), i, level)
    {
        double price = strtod(json_string_value(json_array_get(level, 0)), NULL);
        set_bid(llround(price * 10), strtod(json_string_value(json_array_get(level, 1)), NULL));
    }
    int64_t price = market_bid(best_bid());
    if (price != peer.quoted && peer.quoted != 0) {
        peer.quoted = price;
        send_order(SIDE_BUY, price, false);
    }
}

/* hear_order notes what the venue calls an order; one that ended is placed again. */
static void hear_order(const json_t *order)
{
    for (enum side side = SIDE_BUY; side <= SIDE_SELL; side++) {
        if (strcmp(text_of(order, "label"), peer.order[side]) != 0) {
            continue;
        }
        snprintf(peer.id[side], sizeof peer.id[side], "%s", text_of(order, "order_id"));
        if (strcmp(text_of(order, "order_state"), "cancelled") == 0) {
            send_order(side, side == SIDE_BUY ? peer.quoted : market_ask(TALK_ASK), true);
        }
        return;
    }
}

static void hear(enum role role, const char *text, size_t bytes)
{
    size_t i;
    json_t *order, *message = json_loadb(text, bytes, 0, NULL);
    json_t *data = json_object_get(message, "data");
    if (role == STREAM && strcmp(text_of(data, "e"), "depthUpdate") == 0) {
        hear_depth(data);
    } else if (role == ORDERS) {
        json_t *result = json_object_get(message, "result");
        json_t *told = json_object_get(json_object_get(message, "params"), "data");
        peer.answers += result != NULL;
        order = json_object_get(result, "order");
        if (order != NULL) {
            hear_order(order);
        }
        json_array_foreach(json_object_get(told, "orders"), i, order)
        {
            hear_order(order);
        }
    }
    json_decref(message);
}

/* listen_to takes what the socket has, and every whole frame of it. */
static void listen_to(enum role role)
{
    struct wire *wire = &peer.wire[role];
    do {
        int got = SSL_read(wire->ssl, wire->in + wire->used, (int)(BYTES_MAX - wire->used));
        POISE_ASSERT(got > 0);
        wire->used += (size_t)got;
        size_t at = 0;
        while (wire->used - at >= 2) {
            size_t bytes = wire->in[at + 1] & 0x7f, head = 2;
            if (bytes == 126) {
                head = 4;
                bytes = wire->used - at >= 4 ? (size_t)wire->in[at + 2] << 8 | wire->in[at + 3] : BYTES_MAX;
            }
            if (wire->used - at < head + bytes) {
                break;
            }
            if ((wire->in[at] & 0xf) == 1) {
                hear(role, (char *)wire->in + at + head, bytes);
            }
            at += head + bytes;
        }
        memmove(wire->in, wire->in + at, wire->used - at);
        wire->used -= at;
    } while (SSL_pending(wire->ssl) > 0);
}

static void wait_once(void)
{
    struct epoll_event events[ROLE_COUNT];
    int count = epoll_wait(peer.epoll, events, ROLE_COUNT, 1);
    for (int i = 0; i < count; i++) {
        listen_to((enum role)events[i].data.u32);
    }
}

/* ------------------------------------------------------------------ coming up */

static bool dial(enum role role, const char *host, const char *path)
{
    struct wire *wire = &peer.wire[role];
    struct sockaddr_in to = { .sin_family = AF_INET,
                              .sin_port = htons(venue_port(peer.venue)),
                              .sin_addr = { htonl(INADDR_LOOPBACK) } };
    char text[512];
    int on = 1;
    wire->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (wire->fd < 0 || connect(wire->fd, (struct sockaddr *)&to, sizeof to) != 0) {
        return false;
    }
    setsockopt(wire->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    wire->ssl = SSL_new(peer.context);
    SSL_set_fd(wire->ssl, wire->fd);
    if (SSL_connect(wire->ssl) != 1) {
        return false;
    }
    int bytes = snprintf(text, sizeof text,
                         "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                         "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
                         path, host);
    SSL_write(wire->ssl, text, bytes);
    while (wire->used < 4 || memcmp(wire->in + wire->used - 4, "\r\n\r\n", 4) != 0) {
        if (SSL_read(wire->ssl, wire->in + wire->used++, 1) != 1 || wire->used == BYTES_MAX) {
            return false;
        }
    }
    wire->used = 0;
    struct epoll_event event = { .events = EPOLLIN, .data.u32 = role };
    return epoll_ctl(peer.epoll, EPOLL_CTL_ADD, wire->fd, &event) == 0;
}

static void *serve(void *context)
{
    (void)context;
    venue_serve(peer.venue, &peer.serving);
    return NULL;
}

static bool come_up(void)
{
    static const char subscribe[] = "{\"method\":\"SUBSCRIBE\",\"params\":[\"btcusdt@depth@0ms\"],\"id\":1}";
    peer.epoll = epoll_create1(EPOLL_CLOEXEC);
    peer.context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_mode(peer.context, SSL_MODE_AUTO_RETRY);
    if (SSL_CTX_load_verify_locations(peer.context, venue_ca(peer.venue), NULL) != 1) {
        return false;
    }
    SSL_CTX_set_verify(peer.context, SSL_VERIFY_PEER, NULL);
    if (!dial(STREAM, "fstream.binance.com", "/public/stream") ||
        !dial(ORDERS, "www.deribit.com", "/ws/api/v2")) {
        return false;
    }
    send_text(&peer.wire[STREAM], subscribe, sizeof subscribe - 1);
    set_bid(TALK_BID, 12.345);
    peer.quoted = market_bid(TALK_BID);
    log_in();
    send_request("private/subscribe", "\"channels\":[\"user.changes.any.any.raw\"]");
    send_order(SIDE_BUY, peer.quoted, true);
    send_order(SIDE_SELL, market_ask(TALK_ASK), true);
    for (int i = 0; i < WAIT_TRIES && peer.answers < 4; i++) {
        wait_once();
    }
    return peer.answers == 4;
}

static bool setup(struct bench *bench)
{
    snprintf(peer.folder, sizeof peer.folder, "/tmp/poise-bench-XXXXXX");
    if (mkdtemp(peer.folder) == NULL) {
        return bench_absent(bench, "no folder in /tmp");
    }
    peer.venue = venue_create(peer.folder, peer.error, sizeof peer.error);
    if (peer.venue == NULL) {
        return bench_absent(bench, peer.error);
    }
    bench_second(bench, serve, NULL);
    bool up = come_up();
    atomic_store_explicit(&peer.serving, true, memory_order_relaxed);
    bench_join(bench);
    return up || bench_absent(bench, "the ordinary client did not come up");
}

/* ------------------------------------------------------------------ the bursts */

static void *tick(void *context)
{
    (void)context;
    peer.hash = venue_ticks(peer.venue, peer.ticks, peer.count);
    /* edge: none; the join is what makes the samples visible */
    atomic_store_explicit(&peer.done, true, memory_order_relaxed);
    return NULL;
}

static uint64_t burst(struct bench *bench, uint64_t *ticks, uint32_t count)
{
    peer.ticks = ticks;
    peer.count = count;
    atomic_store_explicit(&peer.done, false, memory_order_relaxed);
    bench_second(bench, tick, NULL);
    while (!atomic_load_explicit(&peer.done, memory_order_relaxed)) {
        wait_once();
    }
    bench_join(bench);
    return peer.hash;
}

static void teardown(void)
{
    char command[128];
    for (int i = 0; i < ROLE_COUNT; i++) {
        if (peer.wire[i].ssl != NULL) {
            SSL_free(peer.wire[i].ssl);
            close(peer.wire[i].fd);
        }
    }
    SSL_CTX_free(peer.context);
    if (peer.venue != NULL) {
        venue_destroy(peer.venue);
    }
    snprintf(command, sizeof command, "rm -rf '%s'", peer.folder);
    if (peer.folder[0] != 0 && system(command) != 0) {
        fprintf(stderr, "poise-bench: %s is left over\n", peer.folder);
    }
}

/* clang-format off */
static const struct bench_case rows[] = {
    { .name = "tick_to_order.ordinary_c", .group = "journey", .processors = 2, .operations = 1,
      .burst_samples = ECHO_SAMPLES, .against = { "echo_floor" }, .setup = setup, .burst = burst,
      .teardown = teardown },
};
/* clang-format on */

const struct bench_table bench_peer_ordinary = { rows, POISE_COUNT_OF(rows) };
