/* The role on connections without sockets, with a venue whose messages are records as they lie in memory:
 * a WebSocket message is any number of report records, an order on the wire is "K tie order instrument". */
#include "hot/gateway/gateway.h"

#include "hot/gateway/inflight.h"
#include "ring/clock.h"
#include "ring/queue.h"
#include "tests/hot/feed/fake_conn.h"
#include "tests/hot/feed/no_heap.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define TIMEOUT (1 * NS_PER_S)
#define STALE   (500 * NS_PER_MS)

/* ---- the venue ---- */

struct fake_session {
    struct venue_session base;
    bool opened[SESSION_SLOT_COUNT];
    bool up[SESSION_SLOT_COUNT];
    char key[16]; /* what the private stream's path needs; told by REST */
    bool key_asked;
    uint64_t dead_man_ns;
    uint32_t lost[SESSION_SLOT_COUNT];
};

static struct fake_session *the_session; /* of the newest gateway */
static enum session_slot order_slot, cancel_slot;
static _Atomic int64_t venue_clock_ns; /* as cold has it */
static int64_t stamp_ns; /* what the newest order was stamped with, without the venue's offset */
static int64_t step_ns;  /* how far the machine's clock was set forward */

static void session_init(struct venue_session *base, const struct venue *venue,
                         const struct instrument_table *instruments, const struct account *account,
                         const struct sign_key *key, const uint16_t *wanted, uint32_t wanted_count)
{
    base->venue = venue;
    base->instruments = instruments;
    base->account = account;
    base->key = key;
    base->wanted_count = wanted_count;
    memcpy(base->wanted, wanted, wanted_count * sizeof *wanted);
    base->state = GATEWAY_STARTING;
    base->slots = (1 << SESSION_SLOT_COUNT) - 1;
    base->streams = 1 << SESSION_SLOT_PRIVATE;
    strcpy(base->why, "starting");
    the_session = (struct fake_session *)base;
}

static bool session_open(struct fake_session *s, enum session_slot slot, enum transport transport,
                         const char *host, const char *path, struct venue_out *out)
{
    if (s->opened[slot]) {
        return false;
    }
    s->opened[slot] = true;
    out->act = ACT_OPEN;
    out->slot = (uint8_t)slot;
    out->endpoint.transport = (uint8_t)transport;
    out->endpoint.port = 443;
    strcpy(out->endpoint.host, host);
    strcpy(out->endpoint.path, path);
    return true;
}

static bool session_step(struct venue_session *base, uint64_t now_ns, int64_t wall_ns, bool alive,
                         struct venue_out *out)
{
    struct fake_session *s = (struct fake_session *)base;
    char path[64];
    (void)wall_ns;
    if (session_open(s, SESSION_SLOT_ORDER, TRANSPORT_WS, "api", "/orders", out) ||
        session_open(s, SESSION_SLOT_REST, TRANSPORT_HTTP, "rest", "", out)) {
        return true;
    }
    if (s->up[SESSION_SLOT_REST] && !s->key_asked) {
        s->key_asked = true;
        out->act = ACT_REQUEST;
        out->slot = SESSION_SLOT_REST;
        out->method = "POST";
        out->path_bytes = (uint32_t)snprintf(out->path, sizeof out->path, "/listenKey");
        out->tie = GATEWAY_TIE_SESSION | 1;
        return true;
    }
    if (s->key[0] != 0) {
        snprintf(path, sizeof path, "/private/%s", s->key);
        if (session_open(s, SESSION_SLOT_PRIVATE, TRANSPORT_WS, "streams", path, out)) {
            return true;
        }
    }
    if (alive && s->up[SESSION_SLOT_REST] && s->key[0] != 0 && now_ns >= s->dead_man_ns) {
        s->dead_man_ns = now_ns + NS_PER_S;
        out->act = ACT_REQUEST;
        out->slot = SESSION_SLOT_REST;
        out->method = "POST";
        out->path_bytes = (uint32_t)snprintf(out->path, sizeof out->path, "/deadman");
        out->tie = GATEWAY_TIE_SESSION | 2;
        return true;
    }
    base->next_ns = now_ns + 100 * NS_PER_MS;
    return false;
}

static void session_event_(struct venue_session *base, enum session_slot slot, enum session_event event,
                           uint64_t now_ns)
{
    struct fake_session *s = (struct fake_session *)base;
    (void)now_ns;
    s->up[slot] = event == SESSION_UP;
    s->lost[slot] += event == SESSION_LOST;
    base->orders_ready = s->up[SESSION_SLOT_ORDER];
    base->private_ready = s->up[SESSION_SLOT_PRIVATE];
    bool ready = base->orders_ready && base->private_ready;
    base->state = ready ? GATEWAY_READY : GATEWAY_STARTING;
    strcpy(base->why, ready ? "" : "starting");
}

static enum session_slot slot_for(const struct venue_session *session, uint8_t record_type)
{
    (void)session;
    return record_type == RECORD_CANCEL_ALL ? cancel_slot : order_slot;
}

static bool encode(struct venue_session *session, const struct record_order *order, int64_t wall_ns,
                   struct venue_out *out)
{
    static const char letter[] = "NACQX";
    bool http = slot_for(session, order->head.type) == SESSION_SLOT_REST;
    char *to = http ? out->path : out->body;
    stamp_ns = wall_ns;
    if (order->qty == 666) {
        return false;
    }
    int bytes = sprintf(to, "%s%c %" PRIx64 " %" PRIu64 " %u", http ? "/" : "",
                        letter[order->head.type - RECORD_ORDER_NEW], order->tie, order->order,
                        order->head.instrument);
    if (http) {
        out->act = ACT_REQUEST;
        out->slot = SESSION_SLOT_REST;
        out->method = "DELETE";
        out->path_bytes = (uint32_t)bytes;
        out->body_bytes = 0;
    } else {
        out->act = ACT_SEND;
        out->slot = SESSION_SLOT_ORDER;
        out->body_bytes = (uint32_t)bytes;
    }
    out->orders = order->head.type == RECORD_ORDER_NEW;
    out->weight = 1;
    return true;
}

static int64_t records(const char *bytes, size_t count, const struct venue_sink *sink)
{
    if (count == 0 || count % sizeof(struct record_report) != 0) {
        return PARSE_BROKEN;
    }
    for (size_t at = 0; at < count; at += sizeof(struct record_report)) {
        struct record_report report __attribute__((aligned(64)));
        memcpy(&report, bytes + at, sizeof report);
        sink->emit(sink->context, (const struct slot *)&report);
    }
    return (int64_t)count;
}

static int64_t answers_ns = -1; /* the next message says: nobody is answered before this */

static int64_t message(struct venue_session *session, enum session_slot slot, const char *bytes, size_t count,
                       uint64_t now_ns, int64_t wall_ns, const struct venue_sink *sink, struct venue_out *out)
{
    (void)slot;
    (void)now_ns;
    (void)wall_ns;
    if (answers_ns >= 0) {
        session->overused = 1;
        session->answers_ns = answers_ns;
        answers_ns = -1;
    }
    if (count == 4 && memcmp(bytes, "ping", 4) == 0) {
        out->act = ACT_SEND;
        out->slot = (uint8_t)slot;
        out->body_bytes = (uint32_t)sprintf(out->body, "pong");
        return 4;
    }
    return records(bytes, count, sink);
}

static int64_t response(struct venue_session *session, uint64_t tie, int status, const char *bytes,
                        size_t count, uint64_t now_ns, int64_t wall_ns, const struct venue_sink *sink)
{
    struct fake_session *s = (struct fake_session *)session;
    (void)now_ns;
    (void)wall_ns;
    if (tie == (GATEWAY_TIE_SESSION | 1) && status == 200) {
        snprintf(s->key, sizeof s->key, "%.*s", (int)count, bytes);
        session->next_ns = 0;
        return (int64_t)count;
    }
    return count == 2 ? 2 : records(bytes, count, sink); /* "{}" says nothing */
}

static uint32_t hosts(uint8_t product, const char **out, uint32_t max)
{
    (void)product;
    (void)max;
    out[0] = "rest";
    out[1] = "streams";
    out[2] = "api";
    return 3;
}

static const struct venue_order fake_order = {
    .session_bytes = sizeof(struct fake_session),
    .init = session_init,
    .step = session_step,
    .event = session_event_,
    .slot_for = slot_for,
    .encode = encode,
    .message = message,
    .response = response,
};

static const struct venue fake = {
    .name = "fake", .id = VENUE_BINANCE, .order = &fake_order, .hosts = hosts
};

/* ---- the bench ---- */

struct bench {
    struct instrument_table table;
    struct account account;
    struct fake_net *net;
    struct counters *counters;
    struct channel in, out;
    struct gateway *gateway;
    struct conn *order, *private, *rest;
    _Atomic uint64_t heartbeat;
    uint64_t now;
    uint64_t next_tie;
    uint32_t got_count;
    struct record_report got[20000];
    struct record_state state; /* newest */
    uint32_t states;
};

static void *take(void *context, size_t bytes)
{
    (void)context;
    bytes = (bytes + 127) / 128 * 128;
    void *memory = aligned_alloc(128, bytes);
    memset(memory, 0, bytes);
    return memory;
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

static struct bench *make(uint64_t out_slots)
{
    char path[64], error[256];
    struct bench *b = calloc(1, sizeof *b);
    order_slot = SESSION_SLOT_ORDER;
    cancel_slot = SESSION_SLOT_REST;
    b->account = (struct account){ .index = 3,
                                   .venue = VENUE_BINANCE,
                                   .product = PRODUCT_LINEAR,
                                   .order_rate_10s = 100,
                                   .order_rate_60s = 600,
                                   .reserve_percent = 20,
                                   .weight_rate_60s = 2400,
                                   .dead_man_ms = 4000 };
    b->net = fake_net_create();
    snprintf(path, sizeof path, "/tmp/poise-test-gateway-%d", (int)getpid());
    b->counters = counters_create(path);
    unlink(path);
    b->in.queue = queue_init(take(NULL, queue_bytes(4096)), 4096);
    b->out.queue = queue_init(take(NULL, queue_bytes(out_slots)), out_slots);
    b->heartbeat = 1;
    struct gateway_options options = {
        .name = "gateway.0",
        .instruments = &b->table,
        .account = &b->account,
        .venue = &fake,
        .wanted = { 0, 1 },
        .wanted_count = 2,
        .in = &b->in,
        .out = &b->out,
        .net = (struct net *)(void *)b->net,
        .counters = b->counters,
        .resolve = resolve,
        .heartbeat = &b->heartbeat,
        .heartbeat_stale_ns = STALE,
        .venue_clock_ns = &venue_clock_ns,
        .request_timeout_ns = TIMEOUT,
        .take = take,
    };
    b->gateway = gateway_create(&options, error, sizeof error);
    cr_assert_not_null(b->gateway, "%s", error);
    cr_assert_eq(b->net->conn_count, 3);
    b->order = fake_find(b->net, CONN_WS, "api");
    b->private = fake_find(b->net, CONN_WS, "streams");
    b->rest = fake_find(b->net, CONN_HTTP, "rest");
    cr_assert(b->order != NULL && b->private != NULL && b->rest != NULL);
    b->now = clock_now_ns();
    return b;
}

static void read_all(struct bench *b)
{
    const struct slot *slot;
    while ((slot = channel_peek(&b->out)) != NULL) {
        const struct record_head *head = record_head_of(slot);
        cr_assert_eq(head->account, 3);
        if (head->type == RECORD_GATEWAY_STATE) {
            b->state = *(const struct record_state *)slot;
            b->states++;
        } else {
            cr_assert_lt(b->got_count, POISE_COUNT_OF(b->got));
            memcpy(&b->got[b->got_count++], slot, sizeof b->got[0]);
        }
        channel_release(&b->out);
    }
}

static void turn(struct bench *b, uint64_t ns)
{
    b->now += ns;
    gateway_poll(b->gateway, b->now, 1723161255000000000 + step_ns + (int64_t)b->now);
}

/* turns in which the strategy turns too */
static void run(struct bench *b, uint32_t ms)
{
    for (uint32_t i = 0; i < ms; i++) {
        b->heartbeat++;
        turn(b, NS_PER_MS);
    }
}

static void answer(struct bench *b, int status, const char *text)
{
    cr_assert(b->rest->requested);
    fake_response(b->rest, status, "", text, strlen(text), b->now);
}

static void go_ready(struct bench *b)
{
    gateway_start(b->gateway, b->now);
    run(b, 1);
    fake_up(b->order, b->now);
    fake_up(b->rest, b->now);
    run(b, 1);
    answer(b, 200, "k1");
    run(b, 1);
    cr_assert_eq(b->private->opens, 1);
    cr_assert_str_eq(b->private->path, "/private/k1");
    fake_up(b->private, b->now);
    run(b, 1);
    answer(b, 200, "{}"); /* the dead-man */
    read_all(b);
    cr_assert_eq(b->state.value, GATEWAY_READY);
    cr_assert_eq(gateway_state(b->gateway), GATEWAY_READY);
    cr_assert_eq(b->order->state, CONN_LIVE);
    cr_assert_eq(b->private->state, CONN_LIVE);
    cr_assert(gateway_quiet(b->gateway));
}

static uint64_t put(struct bench *b, enum record_type type, uint64_t order, enum order_role role)
{
    struct slot *slot = channel_claim(&b->in, 2);
    cr_assert_not_null(slot);
    record_begin(slot, type, 2, b->now);
    struct record_order *record = (struct record_order *)slot;
    record->head.instrument = order % 2;
    record->head.account = 3;
    record->order = order;
    record->tie = ++b->next_tie;
    record->price = 100;
    record->qty = 5;
    record->side = SIDE_SELL;
    record->role = (uint8_t)role;
    record->trigger_ns = b->now;
    channel_commit(&b->in);
    return record->tie;
}

static struct record_report *report_of(enum record_type type, uint64_t order, uint64_t tie,
                                       enum order_status status)
{
    static struct record_report report;
    memset(&report, 0, sizeof report);
    report.head.type = (uint8_t)type;
    report.head.slot_count = 3;
    report.head.account = 3;
    report.head.instrument = order % 2;
    report.order = order;
    report.tie = tie;
    report.status = (uint8_t)status;
    return &report;
}

static void say(struct bench *b, struct conn *conn, const struct record_report *report)
{
    fake_message(conn, report, sizeof *report, b->now);
}

static const struct record_report *last(struct bench *b)
{
    read_all(b);
    cr_assert_gt(b->got_count, 0);
    return &b->got[b->got_count - 1];
}

static const char *sent(struct bench *b)
{
    cr_assert_gt(b->net->sent_count, 0);
    return b->net->sent[b->net->sent_count - 1].text;
}

static int64_t count_of(struct bench *b, const char *name)
{
    char full[64];
    snprintf(full, sizeof full, "gateway.0.%s", name);
    return counters_find(b->counters, full, -1);
}

/* ---- stories ---- */

Test(gateway, makes_its_connections_at_create_and_opens_them_when_the_session_says)
{
    struct bench *b = make(4096);
    cr_assert_eq(b->order->opens, 0);
    go_ready(b);
    cr_assert_eq(b->order->opens, 1);
    cr_assert_str_eq(b->order->path, "/orders");
    cr_assert_eq(b->net->conn_count, 3);
}

Test(gateway, an_order_leaves_and_its_answer_comes_back)
{
    struct bench *b = make(4096);
    go_ready(b);
    uint64_t tie = put(b, RECORD_ORDER_NEW, 11, ORDER_ROLE_QUOTE);
    run(b, 1);
    cr_assert_str_eq(sent(b), "N 1 11 1");
    cr_assert_not(gateway_quiet(b->gateway));
    say(b, b->order, report_of(RECORD_ACK, 11, tie, ORDER_STATUS_OPEN));
    cr_assert_eq(last(b)->head.type, RECORD_ACK);
    cr_assert_not(gateway_quiet(b->gateway), "it rests");
    say(b, b->private, report_of(RECORD_CANCELLED, 11, 0, ORDER_STATUS_CANCELLED));
    cr_assert(gateway_quiet(b->gateway));
    run(b, 2000);
    read_all(b);
    cr_assert_eq(b->got_count, 2, "nothing else is said of it");
    cr_assert_eq(count_of(b, "orders"), 1);
}

Test(gateway, without_a_connection_an_order_is_certainly_not_sent)
{
    struct bench *b = make(4096);
    gateway_start(b->gateway, b->now);
    uint64_t tie = put(b, RECORD_ORDER_NEW, 11, ORDER_ROLE_QUOTE);
    run(b, 1);
    const struct record_report *r = last(b);
    cr_assert(r->head.type == RECORD_REJECT && r->reason == REASON_NOT_SENT && r->tie == tie);
    cr_assert(r->order == 11 && r->request == REQUEST_NEW && r->head.instrument == 1);
    cr_assert(r->flags & REPORT_TERMINAL);
    put(b, RECORD_ORDER_CANCEL, 12, ORDER_ROLE_QUOTE);
    run(b, 1);
    cr_assert_eq(last(b)->flags & REPORT_TERMINAL, 0, "the order itself lives on");
    cr_assert(gateway_quiet(b->gateway));
    cr_assert_eq(b->net->sent_count, 0);
}

Test(gateway, what_the_venue_cannot_say_or_the_connection_refuses_is_not_sent)
{
    struct bench *b = make(4096);
    go_ready(b);
    uint32_t before = b->net->sent_count;
    b->order->refuse = true;
    put(b, RECORD_ORDER_NEW, 11, ORDER_ROLE_QUOTE);
    run(b, 1);
    cr_assert_eq(last(b)->reason, REASON_NOT_SENT);
    cr_assert(gateway_quiet(b->gateway));
    b->order->refuse = false;
    put(b, RECORD_ORDER_NEW, 13, ORDER_ROLE_QUOTE);
    struct record_order *order = (struct record_order *)(uintptr_t)channel_peek(&b->in);
    order->qty = 666;
    run(b, 1);
    cr_assert_eq(last(b)->order, 13);
    cr_assert_eq(last(b)->reason, REASON_NOT_SENT);
    cr_assert_eq(b->net->sent_count, before);
}

Test(gateway, an_unanswered_request_is_unknown_after_its_time)
{
    struct bench *b = make(4096);
    go_ready(b);
    uint64_t tie = put(b, RECORD_ORDER_NEW, 11, ORDER_ROLE_HEDGE);
    run(b, 900);
    read_all(b);
    cr_assert_eq(b->got_count, 0);
    run(b, 200);
    const struct record_report *r = last(b);
    cr_assert(r->head.type == RECORD_UNKNOWN && r->tie == tie && r->order == 11 && r->request == REQUEST_NEW);
    cr_assert_eq(b->got_count, 1);
    cr_assert_not(gateway_quiet(b->gateway), "it may rest");
    say(b, b->order, report_of(RECORD_ACK, 11, tie, ORDER_STATUS_OPEN)); /* late, and welcome */
    cr_assert_eq(last(b)->head.type, RECORD_ACK);
    cr_assert_eq(count_of(b, "late_answers"), 1);
    run(b, 3000);
    read_all(b);
    cr_assert_eq(b->got_count, 2);
}

Test(gateway, a_lost_connection_makes_what_it_carried_unknown)
{
    struct bench *b = make(4096);
    go_ready(b);
    for (uint64_t i = 0; i < 5; i++) {
        put(b, RECORD_ORDER_NEW, 11 + i, ORDER_ROLE_QUOTE);
    }
    run(b, 1);
    say(b, b->order, report_of(RECORD_ACK, 11, 1, ORDER_STATUS_OPEN));
    fake_down(b->order, b->now);
    run(b, 1);
    read_all(b);
    cr_assert_eq(b->got_count, 5);
    uint64_t ties = 0;
    for (uint32_t i = 1; i < 5; i++) {
        cr_assert_eq(b->got[i].head.type, RECORD_UNKNOWN);
        ties |= 1ULL << b->got[i].tie;
    }
    cr_assert_eq(ties, 0x3c, "2 to 5, once each");
    cr_assert_eq(the_session->lost[SESSION_SLOT_ORDER], 1);
    cr_assert_eq(b->state.value, GATEWAY_STARTING);
    put(b, RECORD_ORDER_NEW, 99, ORDER_ROLE_HEDGE);
    run(b, 1);
    cr_assert_eq(last(b)->reason, REASON_NOT_SENT);
}

Test(gateway, quotes_meet_the_budget_before_hedges_and_cancels)
{
    struct bench *b = make(4096);
    go_ready(b);
    for (uint64_t i = 0; i < 90; i++) {
        put(b, RECORD_ORDER_NEW, 1000 + i, ORDER_ROLE_QUOTE);
    }
    run(b, 5);
    read_all(b);
    cr_assert_eq(b->got_count, 10, "80 of 100 for quotes");
    cr_assert_eq(b->got[0].reason, REASON_NOT_SENT);
    cr_assert_eq(b->got[0].order, 1080);
    put(b, RECORD_ORDER_NEW, 2000, ORDER_ROLE_HEDGE);
    put(b, RECORD_ORDER_CANCEL, 1000, ORDER_ROLE_QUOTE);
    run(b, 1);
    read_all(b);
    cr_assert_eq(b->got_count, 10);
    cr_assert_str_eq(sent(b), "C 5c 1000 0");
    cr_assert_eq(count_of(b, "budget_refused"), 10);
}

Test(gateway, a_rate_limit_refusal_silences_quotes_only)
{
    struct bench *b = make(4096);
    go_ready(b);
    uint64_t tie = put(b, RECORD_ORDER_NEW, 11, ORDER_ROLE_QUOTE);
    run(b, 1);
    struct record_report *r = report_of(RECORD_REJECT, 11, tie, ORDER_STATUS_REJECTED);
    r->reason = REASON_RATE_LIMIT;
    r->request = REQUEST_NEW;
    say(b, b->order, r);
    put(b, RECORD_ORDER_NEW, 12, ORDER_ROLE_QUOTE);
    put(b, RECORD_ORDER_NEW, 13, ORDER_ROLE_HEDGE);
    run(b, 1);
    cr_assert_eq(last(b)->order, 12);
    cr_assert_str_eq(sent(b), "N 3 13 1");
}

/* One cancel and one hedge a millisecond; answers how many left. */
static uint32_t try_urgent(struct bench *b, uint32_t ms)
{
    uint32_t before = b->net->sent_count;
    for (uint32_t i = 0; i < ms; i++) {
        put(b, RECORD_ORDER_CANCEL, 11, ORDER_ROLE_QUOTE);
        put(b, RECORD_ORDER_NEW, 1000 + b->next_tie, ORDER_ROLE_HEDGE);
        run(b, 1);
    }
    return b->net->sent_count - before;
}

static void refuse_overuse(struct bench *b, int64_t until_ns)
{
    uint64_t tie = put(b, RECORD_ORDER_NEW, 11, ORDER_ROLE_QUOTE);
    run(b, 1);
    struct record_report *r = report_of(RECORD_REJECT, 11, tie, ORDER_STATUS_REJECTED);
    r->reason = REASON_RATE_LIMIT;
    r->request = REQUEST_NEW;
    answers_ns = until_ns;
    say(b, b->order, r);
}

Test(gateway, what_an_address_has_used_up_is_waited_for_by_cancels_and_hedges_too)
{
    struct bench *b = make(4096);
    cancel_slot = SESSION_SLOT_ORDER;
    go_ready(b);
    refuse_overuse(b, 1723161255000000000 + (int64_t)b->now + 40 * (int64_t)NS_PER_MS);
    cr_assert_eq(try_urgent(b, 30), 0, "not one: it would be one more towards a ban");
    cr_assert_eq(last(b)->reason, REASON_NOT_SENT);
    run(b, 70);
    cr_assert_gt(try_urgent(b, 5), 0);
    put(b, RECORD_ORDER_NEW, 12, ORDER_ROLE_QUOTE);
    run(b, 1);
    cr_assert_eq(last(b)->order, 12, "and quotes come a moment later");
    cr_assert_eq(last(b)->reason, REASON_NOT_SENT);
}

Test(gateway, a_venue_that_does_not_say_how_long_is_left_alone_for_ten_seconds)
{
    struct bench *b = make(4096);
    cancel_slot = SESSION_SLOT_ORDER;
    go_ready(b);
    refuse_overuse(b, 0);
    cr_assert_eq(try_urgent(b, 50), 0);
    run(b, 9900);
    cr_assert_eq(try_urgent(b, 10), 0);
    run(b, 100);
    cr_assert_gt(try_urgent(b, 5), 0);
}

Test(gateway, a_full_report_channel_loses_nothing_and_stops_orders)
{
    struct bench *b = make(64);
    go_ready(b);
    uint64_t id = 0;
    for (int i = 0; i < 500; i++) {
        struct record_report *r = report_of(RECORD_FILL, 11, 0, ORDER_STATUS_PARTIAL);
        r->exec_id = ++id;
        say(b, b->private, r);
    }
    uint32_t before = b->net->sent_count;
    put(b, RECORD_ORDER_NEW, 13, ORDER_ROLE_QUOTE);
    turn(b, 0);
    cr_assert_eq(b->net->sent_count, before, "no order while a report waits");
    for (int i = 0; i < 100; i++) {
        b->heartbeat++;
        turn(b, NS_PER_MS);
        read_all(b);
        if (i < 20) {
            struct record_report *r = report_of(RECORD_FILL, 11, 0, ORDER_STATUS_PARTIAL);
            r->exec_id = ++id;
            say(b, b->private, r);
        }
    }
    cr_assert_eq(b->got_count, 520);
    for (uint32_t i = 0; i < b->got_count; i++) {
        cr_assert_eq(b->got[i].exec_id, i + 1, "in order");
    }
    bool order_sent = false;
    for (uint32_t i = before; i < b->net->sent_count; i++) {
        order_sent |= strncmp(b->net->sent[i].text, "N ", 2) == 0;
    }
    cr_assert(order_sent);
    cr_assert_gt(count_of(b, "held"), 400);
}

Test(gateway, stops_listening_before_it_would_have_to_lose_a_report)
{
    struct bench *b = make(64);
    go_ready(b);
    uint64_t id = 0;
    while (!b->private->doomed) {
        struct record_report *r = report_of(RECORD_FILL, 11, 0, ORDER_STATUS_PARTIAL);
        r->exec_id = ++id;
        say(b, b->private, r);
        cr_assert_lt(id, 10000);
    }
    cr_assert_gt(b->private->hold_ns, b->now);
    fake_down(b->private, b->now);
    for (int i = 0; i < 1000; i++) {
        b->heartbeat++;
        turn(b, NS_PER_MS);
        read_all(b);
    }
    cr_assert_eq(b->got_count, id);
    for (uint32_t i = 0; i < b->got_count; i++) {
        cr_assert_eq(b->got[i].exec_id, i + 1);
    }
    cr_assert_eq(b->state.value, GATEWAY_STARTING, "the loss is told after the reports");
}

Test(gateway, unknown_outcomes_wait_for_room_too)
{
    struct bench *b = make(64);
    go_ready(b);
    for (uint64_t i = 0; i < 70; i++) {
        put(b, RECORD_ORDER_NEW, 1000 + i, ORDER_ROLE_QUOTE);
    }
    run(b, 3);
    fake_down(b->order, b->now);
    for (int i = 0; i < 100; i++) {
        turn(b, NS_PER_MS);
        read_all(b);
    }
    cr_assert_eq(b->got_count, 70);
    static uint32_t seen[80];
    for (uint32_t i = 0; i < 70; i++) {
        cr_assert_eq(b->got[i].head.type, RECORD_UNKNOWN);
        cr_assert_eq(++seen[b->got[i].tie], 1);
    }
}

Test(gateway, a_dead_strategy_gets_no_dead_man_and_everything_is_cancelled)
{
    struct bench *b = make(4096);
    go_ready(b);
    put(b, RECORD_ORDER_NEW, 10, ORDER_ROLE_QUOTE);
    put(b, RECORD_ORDER_NEW, 11, ORDER_ROLE_QUOTE);
    run(b, 1);
    uint32_t before = b->net->sent_count;
    for (int i = 0; i < 499; i++) {
        turn(b, NS_PER_MS);
    }
    cr_assert_eq(b->net->sent_count, before);
    for (int i = 0; i < 10; i++) {
        turn(b, NS_PER_MS);
    }
    read_all(b);
    cr_assert_eq(b->state.value, GATEWAY_DEGRADED);
    cr_assert_str_eq(b->state.text, "strategy stalled");
    /* the first instrument by REST; the second waits for it, so its order is cancelled by itself */
    cr_assert_eq(strncmp(b->net->sent[before].text, "DELETE /X 4", 11), 0);
    cr_assert_eq(strncmp(b->net->sent[before + 1].text, "C 4", 3), 0);
    cr_assert_not_null(strstr(b->net->sent[before + 1].text, " 11 1"));
    answer(b, 200, "{}");
    turn(b, NS_PER_MS);
    cr_assert_eq(strncmp(sent(b), "DELETE /X 4", 11), 0);
    cr_assert_not_null(strstr(sent(b), " 0 1"));
    answer(b, 200, "{}");
    uint32_t after = b->net->sent_count;
    for (int i = 0; i < 5000; i++) {
        turn(b, NS_PER_MS);
    }
    for (uint32_t i = after; i < b->net->sent_count; i++) {
        cr_assert_null(strstr(b->net->sent[i].text, "deadman"));
        cr_assert_null(strstr(b->net->sent[i].text, "/X"), "acknowledged: not again");
    }
    read_all(b);
    for (uint32_t i = 0; i < b->got_count; i++) {
        cr_assert_lt(b->got[i].tie, GATEWAY_TIE_OWN, "the strategy did not ask");
    }
    run(b, 10);
    read_all(b);
    cr_assert_eq(b->state.value, GATEWAY_READY, "it turns again");
    cr_assert_not_null(strstr(sent(b), "deadman"));
}

Test(gateway, a_turn_of_our_own_that_took_long_is_no_evidence_against_the_strategy)
{
    struct bench *b = make(4096);
    go_ready(b);
    uint32_t before = b->net->sent_count;
    turn(b, 3600 * NS_PER_S);
    run(b, 1);
    cr_assert_eq(count_of(b, "heartbeat_stalls"), 0);
    for (uint32_t i = before; i < b->net->sent_count; i++) {
        cr_assert_null(strstr(b->net->sent[i].text, "/X"));
    }
}

Test(gateway, a_strategy_that_has_not_turned_yet_is_not_dead)
{
    struct bench *b = make(4096);
    b->heartbeat = 0;
    gateway_start(b->gateway, b->now);
    turn(b, NS_PER_MS);
    fake_up(b->order, b->now);
    fake_up(b->rest, b->now);
    for (int i = 0; i < 3000; i++) {
        turn(b, NS_PER_MS);
    }
    cr_assert_eq(count_of(b, "heartbeat_stalls"), 0);
}

Test(gateway, a_cancel_all_stands_until_it_is_acknowledged)
{
    struct bench *b = make(4096);
    go_ready(b);
    fake_down(b->rest, b->now);
    put(b, RECORD_ORDER_NEW, 10, ORDER_ROLE_QUOTE);
    run(b, 1);
    uint32_t before = b->net->sent_count;
    gateway_cancel_all(b->gateway, b->now, 0);
    cr_assert_eq(b->net->sent_count, before + 1, "order by order, at once");
    cr_assert_not_null(strstr(sent(b), " 10 0"));
    cr_assert_not(gateway_quiet(b->gateway));
    run(b, 100);
    fake_up(b->rest, b->now);
    run(b, 30);
    cr_assert_not_null(strstr(sent(b), "DELETE /X"));
    answer(b, 500, "{}"); /* who knows */
    run(b, 1100);
    uint32_t asked = 0;
    for (int i = 0; i < 40; i++) {
        if (b->rest->requested) {
            asked += strstr(sent(b), "DELETE /X") != NULL;
            answer(b, 200, "{}");
        }
        run(b, 100);
    }
    cr_assert_geq(asked, 2, "the refused one came again");
    cr_assert_not(gateway_quiet(b->gateway), "an acknowledged cancel proves nothing");
    say(b, b->private, report_of(RECORD_CANCELLED, 10, 0, ORDER_STATUS_CANCELLED));
    cr_assert(gateway_quiet(b->gateway));
}

Test(gateway, orders_whose_end_was_not_heard_after_a_cancel_all_are_asked_for)
{
    struct bench *b = make(4096);
    go_ready(b);
    for (uint64_t order = 10; order <= 14; order += 2) {
        uint64_t tie = put(b, RECORD_ORDER_NEW, order, ORDER_ROLE_QUOTE);
        run(b, 1);
        say(b, b->order, report_of(RECORD_ACK, order, tie, ORDER_STATUS_OPEN));
    }
    gateway_cancel_all(b->gateway, b->now, 0);
    uint64_t tie = strtoull(strstr(sent(b), "/X ") + 3, NULL, 16);
    struct record_report *ack = report_of(RECORD_CANCEL_ACK, 0, tie, ORDER_STATUS_NONE);
    fake_response(b->rest, 200, "", ack, sizeof *ack, b->now);
    run(b, 1);
    answer(b, 200, "{}"); /* the other instrument */
    say(b, b->private, report_of(RECORD_CANCELLED, 10, 0, ORDER_STATUS_CANCELLED));
    read_all(b);
    uint32_t got = b->got_count, before = b->net->sent_count;
    for (uint32_t i = 0; i < got; i++) {
        cr_assert_neq(b->got[i].head.type, RECORD_CANCEL_ACK, "the strategy did not ask");
    }
    run(b, 1900);
    for (uint32_t i = before; i < b->net->sent_count; i++) {
        cr_assert_neq(b->net->sent[i].text[0], 'Q');
    }
    run(b, 200);
    uint32_t asked = 0;
    for (uint32_t i = before; i < b->net->sent_count; i++) {
        uint64_t order = 0;
        if (sscanf(b->net->sent[i].text, "Q %" SCNx64 " %" SCNu64, &tie, &order) == 2) {
            asked++;
            say(b, b->order,
                report_of(RECORD_ORDER_STATE, order, tie,
                          order == 12 ? ORDER_STATUS_CANCELLED : ORDER_STATUS_OPEN));
        }
    }
    cr_assert_eq(asked, 2, "12 and 14, not 10");
    cr_assert_eq(strncmp(sent(b), "C 4", 3), 0, "14 outlived it");
    cr_assert_not_null(strstr(sent(b), " 14 0"));
    read_all(b);
    cr_assert_eq(b->got_count, got + 2, "what is told of orders is passed on");
    say(b, b->private, report_of(RECORD_CANCELLED, 14, 0, ORDER_STATUS_CANCELLED));
    run(b, 1100);
    cr_assert(gateway_quiet(b->gateway));
}

Test(gateway, a_duplicate_id_says_that_the_order_lives)
{
    struct bench *b = make(4096);
    go_ready(b);
    uint64_t tie = put(b, RECORD_ORDER_NEW, 11, ORDER_ROLE_QUOTE);
    run(b, 1);
    struct record_report *r = report_of(RECORD_REJECT, 11, tie, ORDER_STATUS_NONE);
    r->request = REQUEST_NEW;
    r->reason = REASON_DUPLICATE_ID;
    say(b, b->order, r);
    cr_assert_not(gateway_quiet(b->gateway));
}

Test(gateway, cancel_alls_go_before_everything_that_waits)
{
    struct bench *b = make(4096);
    order_slot = SESSION_SLOT_REST; /* a venue that takes orders by plain HTTP */
    go_ready(b);
    put(b, RECORD_ORDER_NEW, 10, ORDER_ROLE_QUOTE);
    put(b, RECORD_ORDER_NEW, 12, ORDER_ROLE_QUOTE);
    put(b, RECORD_ORDER_NEW, 14, ORDER_ROLE_HEDGE);
    put(b, RECORD_CANCEL_ALL, 0, ORDER_ROLE_QUOTE);
    run(b, 1);
    const char *expected[] = { "DELETE /N 1 10 0\n", "DELETE /X 4 0 0\n", "DELETE /N 3 14 0\n",
                               "DELETE /N 2 12 0\n" };
    for (size_t i = 0; i < POISE_COUNT_OF(expected); i++) {
        cr_assert_str_eq(sent(b), expected[i]);
        uint64_t tie = strtoull(strchr(expected[i] + 9, ' '), NULL, 16);
        struct record_report *r =
            report_of(i == 1 ? RECORD_CANCEL_ACK : RECORD_ACK, 10, tie, ORDER_STATUS_OPEN);
        fake_response(b->rest, 200, "", r, sizeof *r, b->now);
    }
    read_all(b);
    cr_assert_eq(b->got_count, 4);
    run(b, 1);
    cr_assert_eq(count_of(b, "requests_open"), 0);
}

Test(gateway, a_cancel_pushes_out_a_quote_that_waits)
{
    struct bench *b = make(4096);
    order_slot = SESSION_SLOT_REST;
    go_ready(b);
    for (uint64_t i = 0; i < 33; i++) { /* one under way, 32 wait */
        put(b, RECORD_ORDER_NEW, 10 + i, ORDER_ROLE_QUOTE);
    }
    run(b, 2);
    read_all(b);
    cr_assert_eq(b->got_count, 0);
    uint64_t tie = put(b, RECORD_ORDER_CANCEL, 99, ORDER_ROLE_QUOTE);
    put(b, RECORD_ORDER_NEW, 98, ORDER_ROLE_QUOTE);
    run(b, 1);
    read_all(b);
    cr_assert_eq(b->got_count, 2);
    cr_assert(b->got[0].order == 42 && b->got[0].reason == REASON_NOT_SENT, "the last quote made room");
    cr_assert(b->got[1].order == 98 && b->got[1].reason == REASON_NOT_SENT,
              "a quote does not push out a quote");
    struct record_report *r = report_of(RECORD_ACK, 10, 1, ORDER_STATUS_OPEN);
    fake_response(b->rest, 200, "", r, sizeof *r, b->now);
    char expected[64];
    snprintf(expected, sizeof expected, "DELETE /C %" PRIx64 " 99 1\n", tie);
    cr_assert_str_eq(sent(b), expected);
}

Test(gateway, a_request_that_waited_and_never_left_is_not_sent_rather_than_unknown)
{
    struct bench *b = make(4096);
    order_slot = SESSION_SLOT_REST;
    go_ready(b);
    uint64_t first = put(b, RECORD_ORDER_NEW, 10, ORDER_ROLE_QUOTE);
    uint64_t second = put(b, RECORD_ORDER_NEW, 12, ORDER_ROLE_QUOTE);
    run(b, 1);
    fake_down(b->rest, b->now);
    run(b, 1);
    read_all(b);
    cr_assert_eq(b->got_count, 2);
    cr_assert(b->got[0].tie == second && b->got[0].reason == REASON_NOT_SENT);
    cr_assert(b->got[1].tie == first && b->got[1].head.type == RECORD_UNKNOWN);
    cr_assert_eq(count_of(b, "orders_resting"), 1);
}

Test(gateway, an_http_answer_without_an_outcome_is_unknown)
{
    struct bench *b = make(4096);
    order_slot = SESSION_SLOT_REST;
    go_ready(b);
    uint64_t tie = put(b, RECORD_ORDER_NEW, 10, ORDER_ROLE_QUOTE);
    run(b, 1);
    fake_response(b->rest, 502, "", "<html>", 6, b->now);
    const struct record_report *r = last(b);
    cr_assert(r->head.type == RECORD_UNKNOWN && r->tie == tie);
    cr_assert_eq(b->got_count, 1);

    tie = put(b, RECORD_CANCEL_ALL, 0, ORDER_ROLE_QUOTE);
    run(b, 1);
    answer(b, 200, "{}");
    r = last(b);
    cr_assert(r->head.type == RECORD_CANCEL_ACK && r->tie == tie && r->request == REQUEST_CANCEL_ALL);
}

Test(gateway, a_429_is_obeyed)
{
    struct bench *b = make(4096);
    go_ready(b);
    put(b, RECORD_CANCEL_ALL, 0, ORDER_ROLE_QUOTE);
    run(b, 1);
    fake_response(b->rest, 429, "Retry-After: 3\r\n", "{}", 2, b->now);
    put(b, RECORD_ORDER_NEW, 10, ORDER_ROLE_QUOTE);
    run(b, 1);
    cr_assert_eq(last(b)->reason, REASON_NOT_SENT);
    run(b, 3000);
    uint64_t tie = put(b, RECORD_ORDER_NEW, 12, ORDER_ROLE_QUOTE);
    run(b, 1);
    say(b, b->order, report_of(RECORD_ACK, 12, tie, ORDER_STATUS_OPEN));
    cr_assert_eq(last(b)->head.type, RECORD_ACK);
}

Test(gateway, a_private_message_that_cannot_be_read_ends_the_stream)
{
    struct bench *b = make(4096);
    go_ready(b);
    fake_message(b->private, "{", 1, b->now);
    cr_assert_eq(b->private->drops, 1);
    fake_message(b->order, "{", 1, b->now);
    cr_assert_eq(b->order->drops, 0, "its request will time out");
    cr_assert_eq(count_of(b, "broken"), 2);
}

Test(gateway, a_message_may_ask_for_a_reply)
{
    struct bench *b = make(4096);
    go_ready(b);
    fake_message(b->order, "ping", 4, b->now);
    cr_assert_str_eq(sent(b), "pong");
}

Test(gateway, a_report_after_the_end_does_not_make_an_order_rest_again)
{
    struct bench *b = make(4096);
    go_ready(b);
    uint64_t tie = put(b, RECORD_ORDER_NEW, 11, ORDER_ROLE_HEDGE);
    run(b, 1);
    say(b, b->private, report_of(RECORD_FILL, 11, 0, ORDER_STATUS_FILLED));
    say(b, b->order, report_of(RECORD_ACK, 11, tie, ORDER_STATUS_OPEN));
    say(b, b->order, report_of(RECORD_ORDER_STATE, 11, 0, ORDER_STATUS_OPEN));
    cr_assert(gateway_quiet(b->gateway));
    read_all(b);
    cr_assert_eq(b->got_count, 3, "all are passed on");
}

Test(gateway, an_order_of_an_earlier_run_rests_when_the_venue_says_so)
{
    struct bench *b = make(4096);
    go_ready(b);
    uint64_t tie = put(b, RECORD_ORDER_QUERY, 501, ORDER_ROLE_QUOTE);
    run(b, 1);
    say(b, b->order, report_of(RECORD_ORDER_STATE, 501, tie, ORDER_STATUS_OPEN));
    cr_assert_not(gateway_quiet(b->gateway));
    run(b, 1);
    gateway_cancel_all(b->gateway, b->now, 0);
    cr_assert_not_null(strstr(sent(b), " 501 1"));
}

Test(gateway, an_order_the_venue_never_knew_stops_resting_after_a_while)
{
    struct bench *b = make(4096);
    go_ready(b);
    put(b, RECORD_ORDER_NEW, 11, ORDER_ROLE_QUOTE);
    run(b, 1100);
    cr_assert_eq(last(b)->head.type, RECORD_UNKNOWN);
    uint64_t tie = put(b, RECORD_ORDER_QUERY, 11, ORDER_ROLE_QUOTE);
    run(b, 1);
    say(b, b->order, report_of(RECORD_ORDER_STATE, 11, tie, ORDER_STATUS_NOT_FOUND));
    cr_assert_not(gateway_quiet(b->gateway), "too early to tell");
    run(b, 5000);
    tie = put(b, RECORD_ORDER_QUERY, 11, ORDER_ROLE_QUOTE);
    run(b, 1);
    say(b, b->order, report_of(RECORD_ORDER_STATE, 11, tie, ORDER_STATUS_NOT_FOUND));
    cr_assert(gateway_quiet(b->gateway));
}

Test(gateway, an_id_in_use_is_refused_and_its_order_still_rests)
{
    struct bench *b = make(4096);
    go_ready(b);
    put(b, RECORD_ORDER_NEW, 11, ORDER_ROLE_QUOTE);
    run(b, 1);
    put(b, RECORD_ORDER_NEW, 11, ORDER_ROLE_QUOTE);
    run(b, 1);
    cr_assert_eq(last(b)->reason, REASON_NOT_SENT);
    cr_assert_eq(count_of(b, "orders_resting"), 1);
}

Test(gateway, the_venues_clock_is_learned_from_its_answers)
{
    struct bench *b = make(4096);
    go_ready(b);
    int64_t offset = -7 * (int64_t)NS_PER_S;
    for (uint64_t i = 0; i < 20; i++) {
        uint64_t tie = put(b, RECORD_ORDER_NEW, 11 + i, ORDER_ROLE_QUOTE);
        run(b, 1);
        int64_t wall = 1723161255000000000 + (int64_t)b->now;
        run(b, 4);
        struct record_report *r = report_of(RECORD_ACK, 11 + i, tie, ORDER_STATUS_OPEN);
        r->venue_time_ns = (wall + 2 * (int64_t)NS_PER_MS + offset) / (int64_t)NS_PER_MS * (int64_t)NS_PER_MS;
        say(b, b->order, r);
    }
    int64_t learned = count_of(b, "clock_offset_ns");
    cr_assert_leq(base_abs(learned - offset), 4 * (int64_t)NS_PER_MS, "%ld", (long)learned);
}

/* Sends an order and answers how far its stamp is from where the clock stood at first. */
static int64_t stamp_off(struct bench *b, uint64_t order, enum record_type answered,
                         enum reject_reason reason)
{
    uint64_t tie = put(b, RECORD_ORDER_NEW, order, ORDER_ROLE_QUOTE);
    run(b, 1);
    int64_t off_ns = stamp_ns - (1723161255000000000 + (int64_t)b->now);
    run(b, 3000);
    struct record_report *r = report_of(answered, order, tie, ORDER_STATUS_OPEN);
    r->reason = (uint8_t)reason;
    r->request = REQUEST_NEW;
    say(b, b->order, r);
    run(b, 1);
    return off_ns;
}

Test(gateway, a_machine_whose_clock_is_set_stamps_as_before)
{
    const int64_t hour_ns = 3600 * (int64_t)NS_PER_S;
    static const int64_t ways[] = { 1, -1 };
    for (size_t i = 0; i < POISE_COUNT_OF(ways); i++) {
        step_ns = 0;
        struct bench *b = make(4096);
        go_ready(b);
        cr_assert_eq(stamp_off(b, 11, RECORD_ACK, REASON_NONE), 0);
        step_ns = ways[i] * hour_ns;
        cr_assert_eq(stamp_off(b, 13, RECORD_ACK, REASON_NONE), 0);
        step_ns += ways[i] * 20 * (int64_t)NS_PER_MS; /* as when it is slewed: followed */
        cr_assert_eq(stamp_off(b, 15, RECORD_ACK, REASON_NONE), ways[i] * 20 * (int64_t)NS_PER_MS);
        step_ns = 0; /* and set back */
        run(b, 1);
        cr_assert_eq(count_of(b, "clock_steps"), 2);
        cr_assert_leq(base_abs(stamp_off(b, 17, RECORD_ACK, REASON_NONE)), 40 * (int64_t)NS_PER_MS);
        cr_assert_eq(count_of(b, "clock_swaps"), 0);
        cr_assert_leq(base_abs(count_of(b, "clock_offset_ns")), (int64_t)NS_PER_S);
    }
}

Test(gateway, a_machine_that_slept_believes_its_clock_when_the_venue_refuses_the_other)
{
    const int64_t slept_ns = 60 * (int64_t)NS_PER_S; /* the steady clock stood still as well */
    step_ns = 0;
    struct bench *b = make(4096);
    go_ready(b);
    step_ns = slept_ns;
    cr_assert_eq(stamp_off(b, 11, RECORD_REJECT, REASON_TIME), 0);
    cr_assert_eq(count_of(b, "clock_swaps"), 1);
    cr_assert_eq(stamp_off(b, 13, RECORD_ACK, REASON_NONE), slept_ns);
    /* a refusal for another cause turns it round, and the next one back: it is never stuck */
    cr_assert_eq(stamp_off(b, 15, RECORD_REJECT, REASON_TIME), slept_ns);
    cr_assert_eq(stamp_off(b, 17, RECORD_REJECT, REASON_TIME), 0);
    cr_assert_eq(stamp_off(b, 19, RECORD_ACK, REASON_NONE), slept_ns);
    /* what the session asked for itself counts too */
    the_session->base.time_refused = 1;
    run(b, 1);
    cr_assert_eq(the_session->base.time_refused, 0);
    cr_assert_eq(count_of(b, "clock_swaps"), 4);
}

/* The venue's clock was off while it was measured, or ours was: what cold measures anew is followed. */
Test(gateway, a_clock_that_cold_has_measured_anew_is_followed_when_the_venue_refuses_the_old_one)
{
    const int64_t off_ns = -13 * (int64_t)NS_PER_S;
    step_ns = 0;
    struct bench *b = make(4096);
    go_ready(b);
    int64_t before_ns = the_session->base.clock_offset_ns;
    stamp_off(b, 11, RECORD_REJECT, REASON_TIME);
    cr_assert_eq(the_session->base.clock_offset_ns, before_ns, "nothing is known yet");
    atomic_store(&venue_clock_ns, 1723161255000000000 + off_ns);
    stamp_off(b, 13, RECORD_ACK, REASON_NONE);
    cr_assert_eq(the_session->base.clock_offset_ns, before_ns, "until it is refused");
    stamp_off(b, 15, RECORD_REJECT, REASON_TIME);
    cr_assert_eq(the_session->base.clock_offset_ns, off_ns);
    stamp_off(b, 17, RECORD_REJECT, REASON_TIME);
    cr_assert_eq(the_session->base.clock_offset_ns, off_ns, "there is no other word");
    cr_assert_eq(count_of(b, "clock_swaps"), 1);
    atomic_store(&venue_clock_ns, 0);
}

Test(gateway, spans_are_measured)
{
    struct bench *b = make(4096);
    go_ready(b);
    b->now = clock_now_ns();
    uint64_t tie = put(b, RECORD_ORDER_NEW, 11, ORDER_ROLE_QUOTE);
    turn(b, 0);
    b->now += 3 * NS_PER_MS;
    say(b, b->order, report_of(RECORD_ACK, 11, tie, ORDER_STATUS_OPEN));
    uint32_t found = 0;
    for (uint32_t i = 0; i < counters_histogram_count(b->counters); i++) {
        const struct histogram *h = counters_histogram(b->counters, i);
        if (strcmp(h->name, "gateway.0.tick_to_order") == 0) {
            cr_assert_eq(h->count, 1);
            found++;
        }
        if (strcmp(h->name, "gateway.0.ack") == 0) {
            cr_assert_eq(h->count, 1);
            cr_assert_leq(base_abs((int64_t)histogram_quantile(h, 500000) - 3 * (int64_t)NS_PER_MS),
                          (int64_t)NS_PER_MS);
            found++;
        }
    }
    cr_assert_eq(found, 2);
}

Test(gateway, takes_no_memory_after_it_was_created)
{
    struct bench *b = make(4096);
    go_ready(b);
    uint64_t before = no_heap_takes, own = 0;
    for (uint64_t i = 0; i < 3000; i++) {
        uint64_t order = 1000 + i;
        uint64_t tie = put(b, RECORD_ORDER_NEW, order, ORDER_ROLE_QUOTE);
        b->net->sent_count = 0;
        run(b, 200);
        if (i % 3 != 0) {
            say(b, b->order, report_of(RECORD_ACK, order, tie, ORDER_STATUS_OPEN));
            say(b, b->private, report_of(RECORD_CANCELLED, order, 0, ORDER_STATUS_CANCELLED));
            own += 2;
        }
        if (i == 1500) {
            gateway_cancel_all(b->gateway, b->now, 0);
            run(b, 10);
        }
        if (b->rest->requested) {
            answer(b, 200, "{}");
            own++;
        }
        read_all(b);
        b->got_count = 0;
    }
    cr_assert_eq(no_heap_takes - before, own);
}
