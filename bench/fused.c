/* From the bytes of a message as TLS leaves them to the bytes of an order as TLS takes them, on one thread
 * and without a socket: parse, book, strategy with risk gate and journal, encode, sign, frame.  The roles are
 * the shipped sources (fused_conn.h); the venue answers between the spans. */
#include "bench/fused_conn.h"
/* names are changed from here on */
#include "bench/cases.h"
#include "bench/talk.h"
#include "hot/core/strategy_role.h"
#include "hot/feed/feed.h"
#include "hot/gateway/gateway.h"
#include "hot/net/ws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CONNS_MAX     16
#define FRAME_BYTES   16384
#define FRAMES_MAX    4
#define SESSION_BYTES 1024 /* the longest text to Deribit here */
#define AROUND        64
#define JOURNAL_SLOTS (1u << 16)
#define MEMORY_BYTES  (48u << 20)
#define TURNS_MOST    5000000 /* seconds: a feed of Deribit waits 100 ms between its requests */

struct conn {
    enum conn_kind kind;
    enum conn_state state;
    const struct conn_handler *handler;
    void *owner;
    uint8_t leg;
    bool order; /* carries orders */
    bool requested;
    uint64_t heard_ns;
    char host[VENUE_HOST_BYTES];
    char asked[512];
    uint32_t frame_count; /* written and not taken yet */
    struct frame {
        uint8_t *begin;
        size_t bytes;
        uint8_t room[WS_HEADER_ROOM + FRAME_BYTES];
    } frame[FRAMES_MAX];
};

static struct {
    struct conn conn[CONNS_MAX];
    uint32_t conn_count;
    struct ws_mask mask;
    struct instrument_table instruments;
    struct account_table accounts;
    struct sign_key key;
    struct counters *counters;
    struct arena arena;
    struct topology topology;
    struct spsc *journal;
    struct strategy_role role;
    struct feed *feed[MARKET_LEGS];
    struct gateway *gateway[MARKET_LEGS];
    struct talk talk;
    uint64_t now_ns;
    int64_t wall_ns;
    uint64_t framed; /* when the bytes of an order were ready to be encrypted; 0: not yet */
    bool whole;      /* the whole turn is timed */
    bool up;
    bool gateways; /* it is they that make connections now: one host serves both roles on Deribit */
    char text[AROUND + TALK_BYTES + AROUND];
} desk;

/* ------------------------------------------------------------------ a connection that is memory */

struct conn *conn_create(struct net *net, const struct conn_options *options,
                         const struct conn_handler *handler, void *owner, char *error, size_t error_bytes)
{
    (void)net;
    (void)error;
    (void)error_bytes;
    POISE_ASSERT(desk.conn_count < CONNS_MAX);
    struct conn *conn = &desk.conn[desk.conn_count++];
    conn->kind = options->kind;
    conn->handler = handler;
    conn->owner = owner;
    snprintf(conn->host, sizeof conn->host, "%s", options->host);
    conn->leg = strstr(conn->host, "deribit") != NULL ? MARKET_INVERSE : MARKET_LINEAR;
    conn->order = strncmp(conn->host, "ws-", 3) == 0 || (conn->leg == MARKET_INVERSE && desk.gateways);
    return conn;
}

static bool is_up(const struct conn *conn)
{
    return conn->state >= CONN_LOGIN && conn->state <= CONN_STALE;
}

void conn_open(struct conn *conn, uint64_t now_ns)
{
    (void)now_ns;
    conn->state = CONN_CONNECTING;
}

void conn_close(struct conn *conn, uint64_t now_ns)
{
    (void)now_ns;
    conn->state = CONN_CLOSED;
}

void conn_drop(struct conn *conn, uint64_t now_ns)
{
    (void)conn;
    (void)now_ns;
    POISE_ASSERT(false); /* nothing here gives a reason to */
}

void conn_logged_in(struct conn *conn, uint64_t now_ns)
{
    (void)now_ns;
    conn->state = CONN_SUBSCRIBING;
}

void conn_subscribed(struct conn *conn, uint64_t now_ns)
{
    (void)now_ns;
    conn->state = CONN_LIVE;
}

uint8_t *conn_frame_begin(struct conn *conn)
{
    bool may = is_up(conn) && conn->kind == CONN_WS && conn->frame_count < FRAMES_MAX;
    return may ? conn->frame[conn->frame_count].room + WS_HEADER_ROOM : NULL;
}

/* The frame is finished as the shipped connection finishes it; there TLS would take it. */
enum conn_answer conn_frame_commit(struct conn *conn, size_t len, bool binary)
{
    if (!is_up(conn) || len > FRAME_BYTES || conn->frame_count == FRAMES_MAX) {
        return CONN_NOT_UP;
    }
    struct frame *frame = &conn->frame[conn->frame_count++];
    frame->begin = ws_frame(frame->room + WS_HEADER_ROOM, len, binary ? WS_BINARY : WS_TEXT,
                            ws_mask_next(&desk.mask), &frame->bytes);
    if (desk.framed == 0 && !desk.whole) {
        desk.framed = clock_ticks();
    }
    return CONN_OK;
}

enum conn_answer conn_send_text(struct conn *conn, const uint8_t *bytes, size_t len)
{
    POISE_ASSERT(conn->frame_count < FRAMES_MAX);
    memcpy(conn->frame[conn->frame_count].room + WS_HEADER_ROOM, bytes, len);
    return conn_frame_commit(conn, len, false);
}

enum conn_answer conn_send_binary(struct conn *conn, const uint8_t *bytes, size_t len)
{
    return conn_send_text(conn, bytes, len);
}

bool conn_can_request(const struct conn *conn)
{
    return is_up(conn) && conn->kind == CONN_HTTP && !conn->requested;
}

enum conn_answer conn_request(struct conn *conn, const char *method, const char *target, const char *headers,
                              const uint8_t *body, size_t body_len, uint64_t now_ns)
{
    (void)method;
    (void)headers;
    (void)body;
    (void)body_len;
    (void)now_ns;
    if (!conn_can_request(conn)) {
        return CONN_BUSY;
    }
    snprintf(conn->asked, sizeof conn->asked, "%s", target);
    conn->requested = true;
    return CONN_OK;
}

void conn_hold(struct conn *conn, uint64_t until_ns)
{
    (void)conn;
    (void)until_ns;
}

bool conn_set_path(struct conn *conn, const char *path)
{
    (void)conn;
    (void)path;
    return true;
}

enum conn_state conn_state(const struct conn *conn)
{
    return conn->state;
}

uint64_t conn_heard_ns(const struct conn *conn)
{
    return conn->heard_ns;
}

/* ------------------------------------------------------------------ the venue, between the spans */

static void hear(struct conn *conn, size_t bytes)
{
    conn->heard_ns = desk.now_ns;
    conn->handler->on_message(conn->owner, conn, (uint8_t *)desk.text + AROUND, bytes, false, desk.now_ns);
}

static struct conn *conn_of(const char *host, bool order, uint32_t nth)
{
    for (uint32_t i = 0; i < desk.conn_count; i++) {
        struct conn *conn = &desk.conn[i];
        if (conn->kind == CONN_WS && conn->order == order && strncmp(conn->host, host, strlen(host)) == 0 &&
            nth-- == 0) {
            return conn;
        }
    }
    return NULL;
}

static void answer_request(struct conn *conn)
{
    char *body = desk.text + AROUND;
    struct http_response response = { .status = 200,
                                      .head = (const uint8_t *)"HTTP/1.1 200 OK\r\n",
                                      .head_len = 17,
                                      .body = (const uint8_t *)body,
                                      .keep_alive = true };
    response.body_len = strstr(conn->asked, "/depth?") != NULL
                            ? talk_snapshot(&desk.talk, conn->leg, body)
                            : (size_t)sprintf(body, "{\"listenKey\":\"%s\"}", TALK_KEY);
    conn->requested = false;
    conn->handler->on_response(conn->owner, conn, &response, desk.now_ns);
}

/* text_of answers a frame's text, with the mask taken off again. */
static const char *text_of(struct frame *frame, size_t *bytes)
{
    uint8_t *text = frame->room + WS_HEADER_ROOM;
    *bytes = frame->bytes - (size_t)(text - frame->begin);
    const uint8_t *mask = text - 4;
    for (size_t i = 0; i < *bytes; i++) {
        text[i] ^= mask[i & 3];
    }
    return (const char *)text;
}

static bool take(struct conn *conn, struct frame *frame, struct talk_request *request)
{
    size_t bytes;
    const char *text = text_of(frame, &bytes);
    return talk_read(&desk.talk, text, bytes, conn->leg, request);
}

/* reply answers an order. */
static void reply(struct conn *conn, const struct talk_request *request)
{
    size_t bytes = talk_reply(&desk.talk, request, desk.text + AROUND);
    hear(conn, bytes);
    if (conn->leg == MARKET_INVERSE && (bytes = talk_changed(&desk.talk, desk.text + AROUND)) > 0) {
        hear(conn, bytes);
    }
}

/* session answers what Deribit is asked: one text after the other, as what follows depends on it.  Texts are
 * taken out first, because answers make frames, and as small as they are, because a burst is not to find its
 * caches emptied. */
static void session(struct conn *conn)
{
    char text[FRAMES_MAX][SESSION_BYTES];
    size_t bytes[FRAMES_MAX];
    uint32_t count = conn->frame_count;
    for (uint32_t k = 0; k < count; k++) {
        const char *from = text_of(&conn->frame[k], &bytes[k]);
        POISE_ASSERT(bytes[k] <= SESSION_BYTES);
        memcpy(text[k], from, bytes[k]);
    }
    conn->frame_count = 0;
    for (uint32_t k = 0; k < count; k++) {
        struct talk_request request;
        size_t said = talk_session(&desk.talk, text[k], bytes[k], desk.text + AROUND);
        if (said == 0) {
            POISE_ASSERT(talk_read(&desk.talk, text[k], bytes[k], conn->leg, &request));
            reply(conn, &request);
            continue;
        }
        hear(conn, said);
        if (talk_asks(text[k], bytes[k], "public/subscribe")) {
            hear(conn, talk_snapshot(&desk.talk, MARKET_INVERSE, desk.text + AROUND));
        }
    }
}

/* serve lets connections come up and answers everything that was asked and sent. */
static void serve(void)
{
    for (uint32_t i = 0; i < desk.conn_count; i++) {
        struct conn *conn = &desk.conn[i];
        struct talk_request request[FRAMES_MAX];
        if (conn->state == CONN_CONNECTING) {
            conn->state = CONN_LOGIN;
            conn->handler->on_ready(conn->owner, conn, desk.now_ns);
            conn->state = conn->kind == CONN_HTTP ? CONN_LIVE : conn->state;
        }
        if (conn->requested) {
            answer_request(conn);
        }
        if (conn->leg == MARKET_INVERSE) {
            session(conn);
            continue;
        }
        uint32_t count = conn->order ? conn->frame_count : 0; /* the others' are subscriptions */
        for (uint32_t k = 0; k < count; k++) {
            POISE_ASSERT(take(conn, &conn->frame[k], &request[k]));
        }
        conn->frame_count = 0;
        for (uint32_t k = 0; k < count; k++) {
            reply(conn, &request[k]);
        }
    }
}

static void turn(void)
{
    for (int i = 0; i < MARKET_LEGS; i++) {
        feed_poll(desk.feed[i], desk.now_ns, desk.wall_ns);
    }
    strategy_role_poll(&desk.role, desk.now_ns, desk.wall_ns);
    for (int i = 0; i < MARKET_LEGS; i++) {
        gateway_poll(desk.gateway[i], desk.now_ns, desk.wall_ns);
    }
}

static void take_time(void)
{
    desk.now_ns = clock_now_ns();
    desk.wall_ns = clock_wall_ns();
    desk.talk.wall_ms = desk.wall_ns / 1000000;
    while (spsc_peek(desk.journal) != NULL) {
        spsc_release(desk.journal);
    }
}

/* ------------------------------------------------------------------ coming up */

/* From the same kind of memory as the engine's: one mapping, on huge pages where there are any. */
static void *take_memory(void *context, size_t bytes)
{
    (void)context;
    return arena_take(&desk.arena, bytes);
}

static bool resolve(void *context, uint8_t venue, const char *host, struct role_address *address)
{
    (void)context;
    (void)venue;
    (void)host;
    address->address[0] = "127.0.0.1";
    address->count = 1;
    return true;
}

static void say(void *context, const struct slot *record)
{
    (void)context;
    POISE_ASSERT(channel_send(&desk.topology.control, record));
}

static void make_roles(char *error, size_t error_bytes)
{
    for (uint16_t i = 0; i < MARKET_LEGS; i++) {
        const struct venue *venue = venue_by_id(desk.accounts.row[i].venue);
        struct feed_options feed = { .name = i == 0 ? "feed.0" : "feed.1",
                                     .venue = venue,
                                     .product = desk.instruments.row[i].product,
                                     .instruments = &desk.instruments,
                                     .wanted = { i },
                                     .wanted_count = 1,
                                     .depth_levels = BOOK_DEPTH_MAX,
                                     .stale_ns = 60 * NS_PER_S,
                                     .out = &desk.topology.feed[i],
                                     .counters = desk.counters,
                                     .writer = 1,
                                     .resolve = resolve,
                                     .key = &desk.key,
                                     .take = take_memory };
        struct gateway_options gateway = { .name = i == 0 ? "gateway.0" : "gateway.1",
                                           .instruments = &desk.instruments,
                                           .account = &desk.accounts.row[i],
                                           .venue = venue,
                                           .key = &desk.key,
                                           .wanted = { i },
                                           .wanted_count = 1,
                                           .in = &desk.topology.order[i],
                                           .out = &desk.topology.report[i],
                                           .counters = desk.counters,
                                           .writer = 1,
                                           .resolve = resolve,
                                           .heartbeat = &desk.topology.heartbeat,
                                           .heartbeat_stale_ns = 2 * NS_PER_S,
                                           .request_timeout_ns = 2 * NS_PER_S,
                                           .take = take_memory };
        desk.feed[i] = feed_create(&feed, error, error_bytes);
        desk.gateways = true;
        desk.gateway[i] = gateway_create(&gateway, error, error_bytes);
        desk.gateways = false;
        POISE_ASSERT(desk.feed[i] != NULL && desk.gateway[i] != NULL);
        feed_start(desk.feed[i], desk.now_ns);
        gateway_start(desk.gateway[i], desk.now_ns);
    }
}

static bool come_up(void)
{
    bool told = false;
    for (uint32_t i = 0; i < TURNS_MOST; i++) {
        take_time();
        turn();
        serve();
        for (int leg = 0; leg < MARKET_LEGS && i % 100 == 0; leg++) {
            struct conn *stream = conn_of(leg == MARKET_LINEAR ? "fstream" : "www.deribit", false, 0);
            if (stream != NULL && is_up(stream)) {
                hear(stream, talk_still(&desk.talk, leg, desk.text + AROUND));
            }
        }
        bool ready = true;
        for (int leg = 0; leg < MARKET_LEGS; leg++) {
            ready = ready && feed_live(desk.feed[leg]) && gateway_state(desk.gateway[leg]) == GATEWAY_READY;
        }
        if (ready && !told) {
            market_build(&desk.instruments, &desk.accounts, desk.now_ns, desk.wall_ns, say, NULL);
            told = true;
        }
        if (desk.talk.quote[SIDE_BUY].live && desk.talk.quote[SIDE_SELL].live) {
            return true;
        }
    }
    return false;
}

static bool setup(struct bench *bench)
{
    if (desk.up) {
        return true;
    }
    char error[256] = "the roles did not come up in memory", path[64];
    struct core_map map = { .core = { -1, -1, -1, -2 } };
    market_tables(&desk.instruments, &desk.accounts);
    talk_init(&desk.talk);
    snprintf(path, sizeof path, "/dev/shm/poise-bench-%d", (int)getpid());
    desk.counters = counters_create(path);
    unlink(path);
    if (desk.counters == NULL || !ws_mask_start(&desk.mask) ||
        !sign_key_hmac(&desk.key, TALK_KEY, TALK_SECRET, strlen(TALK_SECRET)) ||
        !arena_create(&desk.arena, topology_bytes(&map, MARKET_LEGS, MARKET_LEGS) + MEMORY_BYTES, -1, true)) {
        return bench_absent(bench, "no counters, randomness or memory");
    }
    topology_make(&desk.topology, &map, MARKET_LEGS, MARKET_LEGS, &desk.arena);
    desk.journal = spsc_init(take_memory(NULL, spsc_bytes(JOURNAL_SLOTS)), JOURNAL_SLOTS);
    strategy_role_init(&desk.role, strategy_init(take_memory(NULL, strategy_bytes())),
                       take_memory(NULL, sizeof(struct outbox)), &desk.topology, desk.journal, NS_PER_MS,
                       desk.counters, 1);
    desk.now_ns = clock_now_ns();
    make_roles(error, sizeof error);
    desk.up = come_up();
    return desk.up || bench_absent(bench, error);
}

/* The order's amends are counted by the strategy, which replaces it after nine thousand: the venue drops it
 * before, as in the journeys. */
static void fresh_bid(struct conn *news)
{
    take_time();
    hear(news, talk_gone(&desk.talk, SIDE_BUY, desk.text + AROUND));
    while (!desk.talk.quote[SIDE_BUY].live) {
        take_time();
        turn();
        serve();
    }
}

/* go_home puts the price where every burst begins. */
static void go_home(struct conn *stream)
{
    take_time();
    hear(stream, talk_move(&desk.talk, TALK_BID, desk.text + AROUND));
    turn();
    serve();
    turn();
}

/* What is timed: until the order's bytes are ready, or to the end of the turn, with what a gateway notes of
 * an order that has left and the other gateway's turn.  A function of its own, so that a profiler can be told
 * to look at nothing else. */
static __attribute__((noinline)) uint64_t journey(struct conn *stream, size_t bytes)
{
    desk.framed = 0;
    uint64_t from = clock_ticks();
    hear(stream, bytes);
    turn();
    return (desk.whole ? clock_ticks() : desk.framed) - from;
}

static uint64_t burst(struct bench *bench, uint64_t *ticks, uint32_t count)
{
    struct conn *stream = conn_of("fstream", false, 0);
    struct conn *orders = conn_of("www.deribit", true, 0);
    struct conn *news = conn_of("www.deribit", true, 0);
    uint64_t hash = 0;
    (void)bench;
    go_home(stream);
    fresh_bid(news);
    for (uint32_t i = 0; i < count; i++) {
        struct talk_request request;
        int64_t bid = TALK_BID + 10 * (i % 32 < 16 ? 1 + (int64_t)(i % 16) : 15 - (int64_t)(i % 16));
        take_time();
        turn(); /* what the clock asks for has been done */
        size_t bytes = talk_move(&desk.talk, bid, desk.text + AROUND);
        ticks[i] = journey(stream, bytes);
        POISE_ASSERT(orders->frame_count == 1 && take(orders, &orders->frame[0], &request) &&
                     request.signed_right && request.price == market_bid(bid));
        orders->frame_count = 0;
        reply(orders, &request);
        hash = bench_hash(hash, (uint64_t)request.price);
        turn();
    }
    return hash;
}

/* Executions of our quotes, bids and asks in turn, each size another: the hedge is what is timed, and what
 * the quotes do about it comes between. */
static uint64_t burst_fill(struct bench *bench, uint64_t *ticks, uint32_t count)
{
    struct conn *stream = conn_of("fstream", false, 0);
    struct conn *hedges = conn_of("ws-fapi", true, 0);
    struct conn *news = conn_of("www.deribit", true, 0);
    struct conn *hedge_news = conn_of("fstream", false, 2);
    uint64_t hash = 0;
    (void)bench;
    go_home(stream);
    fresh_bid(news);
    for (uint32_t i = 0; i < count; i++) {
        struct talk_request request;
        enum side side = i % 2 == 0 ? SIDE_BUY : SIDE_SELL;
        int64_t qty = 100 * (6 + i % 5);
        take_time();
        turn();
        serve();
        size_t bytes = talk_fill(&desk.talk, side, qty, desk.text + AROUND);
        ticks[i] = journey(news, bytes);
        POISE_ASSERT(hedges->frame_count == 1 && take(hedges, &hedges->frame[0], &request) &&
                     request.signed_right && request.kind == TALK_NEW && request.side != side);
        hedges->frame_count = 0;
        reply(hedges, &request);
        hear(hedge_news, talk_hedged(&desk.talk, &request, desk.text + AROUND));
        hash = bench_hash(hash, (uint64_t)request.price);
        turn();
        serve();
    }
    return hash;
}

static uint64_t burst_turn(struct bench *bench, uint64_t *ticks, uint32_t count)
{
    desk.whole = true;
    uint64_t hash = burst(bench, ticks, count);
    desk.whole = false;
    return hash;
}

static uint64_t burst_fill_turn(struct bench *bench, uint64_t *ticks, uint32_t count)
{
    desk.whole = true;
    uint64_t hash = burst_fill(bench, ticks, count);
    desk.whole = false;
    return hash;
}

static void teardown(void)
{
    if (!desk.up) {
        return;
    }
    desk.up = false;
    counters_close(desk.counters);
    arena_destroy(&desk.arena);
}

/* clang-format off */
static const struct bench_case rows[] = {
    { .name = "fused", .group = "fused", .processors = 1, .operations = 1, .burst_samples = 4000,
      .setup = setup, .burst = burst, .teardown = teardown },
    { .name = "fused_fill", .group = "fused", .processors = 1, .operations = 1, .burst_samples = 2000,
      .setup = setup, .burst = burst_fill, .teardown = teardown },
    { .name = "fused_turn", .group = "fused", .processors = 1, .operations = 1, .burst_samples = 4000,
      .setup = setup, .burst = burst_turn, .teardown = teardown },
    { .name = "fused_fill_turn", .group = "fused", .processors = 1, .operations = 1, .burst_samples = 2000,
      .setup = setup, .burst = burst_fill_turn, .teardown = teardown },
};
/* clang-format on */

const struct bench_table bench_fused = { rows, POISE_COUNT_OF(rows) };
