/* The role with Binance's own session, encoder and parser, on connections without sockets: what stands on the
 * wire, and that the venue's answers find their way back. */
#include "ring/order_id.h"

#include "hot/gateway/gateway.h"

#include "ring/clock.h"
#include "ring/queue.h"
#include "tests/hot/feed/fake_conn.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct bench {
    struct instrument_table table;
    struct account account;
    struct sign_key key;
    struct fake_net *net;
    struct channel in, out;
    struct gateway *gateway;
    struct conn *order, *private, *rest;
    _Atomic uint64_t heartbeat;
    uint64_t now;
    struct record_report got[64];
    uint32_t got_count;
    uint32_t state;
    uint32_t balances, positions;
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

static struct bench *make(uint8_t product)
{
    char path[64], error[256];
    struct bench *b = calloc(1, sizeof *b);
    struct instrument row = { .symbol = "BTCUSDT",
                              .venue = VENUE_BINANCE,
                              .product = product,
                              .kind = KIND_LINEAR_PERPETUAL,
                              .price_decimals = 1,
                              .qty_decimals = 3,
                              .tick = 1,
                              .lot = 1 };
    instrument_table_reset(&b->table);
    if (product == PRODUCT_INVERSE) {
        strcpy(row.symbol, "BTCUSD_PERP");
        row.kind = KIND_INVERSE_PERPETUAL;
        row.qty_decimals = 0;
    }
    instrument_add(&b->table, &row);
    b->account = (struct account){ .index = 2,
                                   .venue = VENUE_BINANCE,
                                   .product = product,
                                   .order_rate_10s = 300,
                                   .order_rate_60s = 1200,
                                   .reserve_percent = 20,
                                   .weight_rate_60s = 2400,
                                   .dead_man_ms = 4000 };
    cr_assert(sign_key_hmac(&b->key, "the-api-key", "secret", 6));
    b->net = fake_net_create();
    snprintf(path, sizeof path, "/tmp/poise-test-wire-%d", (int)getpid());
    struct counters *counters = counters_create(path);
    unlink(path);
    b->in.queue = queue_init(take(NULL, queue_bytes(1024)), 1024);
    b->out.queue = queue_init(take(NULL, queue_bytes(1024)), 1024);
    struct gateway_options options = {
        .name = "gateway.0",
        .instruments = &b->table,
        .account = &b->account,
        .venue = &venue_binance,
        .key = &b->key,
        .wanted = { 0 },
        .wanted_count = 1,
        .in = &b->in,
        .out = &b->out,
        .net = (struct net *)(void *)b->net,
        .counters = counters,
        .resolve = resolve,
        .heartbeat = &b->heartbeat,
        .heartbeat_stale_ns = 500 * NS_PER_MS,
        .request_timeout_ns = NS_PER_S,
        .take = take,
    };
    b->gateway = gateway_create(&options, error, sizeof error);
    cr_assert_not_null(b->gateway, "%s", error);
    cr_assert_eq(b->net->conn_count, 3, "one for each slot, known before the listen key is");
    b->now = 1000 * NS_PER_S;
    return b;
}

static void read_all(struct bench *b)
{
    const struct slot *slot;
    while ((slot = channel_peek(&b->out)) != NULL) {
        const struct record_head *head = record_head_of(slot);
        cr_assert_eq(head->account, 2);
        if (head->type == RECORD_GATEWAY_STATE) {
            b->state = ((const struct record_state *)slot)->value;
        } else if (head->type == RECORD_BALANCE) {
            b->balances++;
        } else if (head->type == RECORD_POSITION) {
            b->positions++;
        } else {
            memcpy(&b->got[b->got_count++], slot, sizeof b->got[0]);
        }
        channel_release(&b->out);
    }
}

static void run(struct bench *b, uint32_t ms)
{
    for (uint32_t i = 0; i < ms; i++) {
        b->heartbeat++;
        b->now += NS_PER_MS;
        gateway_poll(b->gateway, b->now, 1723161255000000000 + (int64_t)b->now);
    }
}

static const char *sent(struct bench *b)
{
    return b->net->sent[b->net->sent_count - 1].text;
}

static void answer(struct bench *b, const char *body)
{
    cr_assert(b->rest->requested);
    fake_response(b->rest, 200, "", body, strlen(body), b->now);
}

static void say(struct bench *b, struct conn *conn, const char *text)
{
    fake_message(conn, text, strlen(text), b->now);
}

static void go_ready(struct bench *b, const char *symbol)
{
    char dead_man[128];
    gateway_start(b->gateway, b->now);
    run(b, 1);
    for (uint32_t i = 0; i < b->net->conn_count; i++) {
        struct conn *conn = b->net->conn[i];
        if (conn->opens == 0) {
            b->private = conn;
        } else if (conn->kind == CONN_HTTP) {
            b->rest = conn;
        } else {
            b->order = conn;
        }
    }
    cr_assert(b->order != NULL && b->private != NULL && b->rest != NULL);
    fake_up(b->order, b->now);
    fake_up(b->rest, b->now);
    for (int i = 0; i < 20 && b->state != GATEWAY_READY; i++) {
        run(b, 10);
        if (b->rest->requested && strstr(sent(b), "listenKey") != NULL) {
            answer(b, "{\"listenKey\":\"abcKEYdef\"}");
        } else if (b->rest->requested) {
            cr_assert_not_null(strstr(sent(b), "countdownCancelAll"), "%s", sent(b));
            snprintf(dead_man, sizeof dead_man, "{\"symbol\":\"%s\",\"countdownTime\":\"4000\"}", symbol);
            answer(b, dead_man);
        }
        if (b->private->state == CONN_CONNECTING) {
            cr_assert_not_null(strstr(b->private->path, "abcKEYdef"));
            fake_up(b->private, b->now);
        }
        read_all(b);
    }
    cr_assert_eq(b->state, GATEWAY_READY);
    cr_assert_eq(b->private->state, CONN_LIVE);
    cr_assert_eq(b->order->state, CONN_LIVE);
}

static uint64_t put(struct bench *b, enum record_type type, uint64_t order, uint64_t tie)
{
    struct slot *slot = channel_claim(&b->in, 2);
    cr_assert_not_null(slot);
    record_begin(slot, type, 2, b->now);
    struct record_order *record = (struct record_order *)slot;
    record->head.instrument = 0;
    record->head.account = 2;
    record->order = order;
    record->tie = tie;
    record->price = 612345;
    record->qty = 10;
    record->side = SIDE_BUY;
    record->flags = ORDER_FLAG_POST_ONLY;
    record->role = ORDER_ROLE_QUOTE;
    channel_commit(&b->in);
    return tie;
}

/* the id of the message sent last: what an answer names */
static void id_of(struct bench *b, char id[64])
{
    const char *at = strstr(sent(b), "\"id\":\"");
    cr_assert_not_null(at, "%s", sent(b));
    sscanf(at + 6, "%63[^\"]", id);
}

static void place(struct bench *b, uint64_t order, char client[ORDER_ID_TEXT_BYTES + 1])
{
    char id[64], text[1024];
    uint64_t tie = put(b, RECORD_ORDER_NEW, order, 71);
    run(b, 1);
    order_id_print(client, order);
    client[ORDER_ID_TEXT_BYTES] = 0;
    cr_assert_not_null(strstr(sent(b), "order.place"));
    cr_assert_not_null(strstr(sent(b), client));
    cr_assert_not_null(strstr(sent(b), "\"GTX\""));
    cr_assert_not_null(strstr(sent(b), "\"signature\""));
    id_of(b, id);
    snprintf(
        text, sizeof text,
        "{\"id\":\"%s\",\"status\":200,\"result\":{\"orderId\":8389765739703625592,\"symbol\":\"BTCUSDT\","
        "\"status\":\"NEW\",\"clientOrderId\":\"%s\",\"price\":\"61234.5\",\"origQty\":\"0.010\","
        "\"executedQty\":\"0.000\",\"side\":\"BUY\",\"updateTime\":1723162255000}}",
        id, client);
    say(b, b->order, text);
    read_all(b);
    cr_assert_eq(b->got_count, 1);
    cr_assert(b->got[0].head.type == RECORD_ACK && b->got[0].tie == tie && b->got[0].order == order);
    cr_assert_not(gateway_quiet(b->gateway));
}

static void update(struct bench *b, const char *client, const char *what, const char *status,
                   const char *last, const char *filled, int trade)
{
    char text[1024];
    snprintf(
        text, sizeof text,
        "{\"e\":\"ORDER_TRADE_UPDATE\",\"T\":1723162255100,\"E\":1723162255101,\"o\":{\"s\":\"BTCUSDT\","
        "\"c\":\"%s\",\"S\":\"BUY\",\"o\":\"LIMIT\",\"f\":\"GTX\",\"q\":\"0.010\",\"p\":\"61234.5\",\"ap\":"
        "\"61234.5\",\"x\":\"%s\",\"X\":\"%s\",\"i\":8389765739703625592,\"l\":\"%s\",\"z\":\"%s\",\"L\":"
        "\"61234.5\",\"N\":\"USDT\",\"n\":\"0.01\",\"T\":1723162255100,\"t\":%d,\"m\":true,\"R\":false}}",
        client, what, status, last, filled, trade);
    say(b, b->private, text);
    read_all(b);
}

Test(wire, an_order_is_placed_filled_and_done)
{
    struct bench *b = make(PRODUCT_LINEAR);
    char client[ORDER_ID_TEXT_BYTES + 1];
    uint64_t order = order_id_make(1, 2, 3, 4);
    go_ready(b, "BTCUSDT");
    place(b, order, client);
    update(b, client, "TRADE", "PARTIALLY_FILLED", "0.004", "0.004", 55);
    cr_assert_eq(b->got[1].head.type, RECORD_FILL);
    cr_assert(b->got[1].last_qty == 4 && b->got[1].order == order && b->got[1].tie == 0);
    cr_assert_not(gateway_quiet(b->gateway));
    update(b, client, "TRADE", "FILLED", "0.006", "0.010", 56);
    cr_assert(gateway_quiet(b->gateway));
    for (uint32_t i = 0; i < b->got_count; i++) {
        cr_assert_neq(b->got[i].head.type, RECORD_UNKNOWN);
    }
}

Test(wire, a_refused_order_rests_no_more)
{
    struct bench *b = make(PRODUCT_LINEAR);
    char id[64], text[512];
    go_ready(b, "BTCUSDT");
    put(b, RECORD_ORDER_NEW, order_id_make(1, 2, 3, 4), 71);
    run(b, 1);
    id_of(b, id);
    snprintf(
        text, sizeof text,
        "{\"id\":\"%s\",\"status\":400,\"error\":{\"code\":-5022,\"msg\":\"Due to the order could not be "
        "executed as maker, the Post Only order will be rejected.\"}}",
        id);
    say(b, b->order, text);
    read_all(b);
    cr_assert_eq(b->got[0].head.type, RECORD_REJECT);
    cr_assert_eq(b->got[0].reason, REASON_POST_ONLY);
    cr_assert(gateway_quiet(b->gateway));
}

Test(wire, an_outcome_the_venue_does_not_know_is_unknown_and_the_order_may_rest)
{
    struct bench *b = make(PRODUCT_LINEAR);
    char id[64], text[512];
    go_ready(b, "BTCUSDT");
    put(b, RECORD_ORDER_NEW, order_id_make(1, 2, 3, 4), 71);
    run(b, 1);
    id_of(b, id);
    snprintf(
        text, sizeof text,
        "{\"id\":\"%s\",\"status\":408,\"error\":{\"code\":-1007,\"msg\":\"Timeout waiting for response from "
        "backend server. Send status unknown; execution status unknown.\"}}",
        id);
    say(b, b->order, text);
    read_all(b);
    cr_assert_eq(b->got_count, 1);
    cr_assert_eq(b->got[0].head.type, RECORD_UNKNOWN);
    cr_assert_not(gateway_quiet(b->gateway));
    run(b, 2000);
    read_all(b);
    cr_assert_eq(b->got_count, 1, "said once");
}

Test(wire, cancel_all_is_a_request_and_the_cancels_come_by_stream)
{
    struct bench *b = make(PRODUCT_LINEAR);
    char client[ORDER_ID_TEXT_BYTES + 1];
    go_ready(b, "BTCUSDT");
    place(b, order_id_make(1, 2, 3, 4), client);
    gateway_cancel_all(b->gateway, b->now, 1723161255000000000 + (int64_t)b->now);
    cr_assert_eq(strncmp(sent(b), "DELETE /fapi/v1/allOpenOrders?symbol=BTCUSDT&", 45), 0, "%s", sent(b));
    answer(b, "{\"code\":200,\"msg\":\"The operation of cancel all open order is done.\"}");
    run(b, 1500);
    cr_assert_null(strstr(sent(b), "allOpenOrders"), "acknowledged once");
    cr_assert_not(gateway_quiet(b->gateway));
    update(b, client, "CANCELED", "CANCELED", "0", "0", 0);
    cr_assert_eq(b->got[b->got_count - 1].head.type, RECORD_CANCELLED);
    cr_assert(gateway_quiet(b->gateway));
}

Test(wire, a_coin_margined_account_finds_its_own_hosts)
{
    struct bench *b = make(PRODUCT_INVERSE);
    go_ready(b, "BTCUSD_PERP");
    put(b, RECORD_ORDER_CANCEL, order_id_make(1, 2, 3, 4), 72);
    run(b, 1);
    cr_assert_not_null(strstr(sent(b), "order.cancel"));
    cr_assert_not_null(strstr(sent(b), "BTCUSD_PERP"));
}

Test(wire, the_lost_user_stream_is_told_and_comes_back)
{
    struct bench *b = make(PRODUCT_LINEAR);
    go_ready(b, "BTCUSDT");
    fake_down(b->private, b->now);
    run(b, 1);
    read_all(b);
    cr_assert_neq(b->state, GATEWAY_READY);
    fake_up(b->private, b->now);
    for (int i = 0; i < 200 && b->state != GATEWAY_READY; i++) {
        run(b, 10);
        if (b->rest->requested) {
            answer(b, strstr(sent(b), "listenKey") != NULL
                          ? "{\"listenKey\":\"abcKEYdef\"}"
                          : "{\"symbol\":\"BTCUSDT\",\"countdownTime\":\"4000\"}");
        }
        read_all(b);
    }
    cr_assert_eq(b->state, GATEWAY_READY);
}
