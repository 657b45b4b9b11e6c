/* The Binance shell without a socket: requests go in by its handlers, what it sends is caught here in place
 * of sim_net, and time is an argument. */
#include "tools/sim/binance/bn_shell.h"
#include "tools/sim/sim_setup.h"
#include "tools/sim/sim_source.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START    INT64_C(1786522906000000000)
#define MS       INT64_C(1000000)
#define SENT_MAX 2048

/* --- a net that remembers ----------------------------------------------------------------------------- */

struct sent {
    uint64_t conn;
    int64_t at_ns;
    int status; /* REST; 0 for a text; -1 cut; -2 close; -3 ping */
    json_t *json;
    char headers[256];
};

struct sim_net {
    struct sent sent[SENT_MAX];
    int count;
    void *session[64];
};

static struct sim_net *net;
static int64_t now_ns;

static struct sent *add(uint64_t conn, int status, const char *text, size_t length)
{
    struct sent *sent = &net->sent[net->count++];

    cr_assert_lt(net->count, SENT_MAX);
    *sent = (struct sent){ .conn = conn, .at_ns = now_ns, .status = status };
    if (text != NULL) {
        sent->json = json_loadb(text, length, JSON_DECODE_ANY, NULL);
        cr_assert_not_null(sent->json, "not JSON: %.*s", (int)length, text);
    }
    return sent;
}

void sim_net_reply(struct sim_net *n, uint64_t conn, int status, const char *headers, const char *type,
                   const char *body, size_t length)
{
    (void)n;
    (void)type;
    snprintf(add(conn, status, body, length)->headers, 256, "%s", headers);
}

void sim_net_text(struct sim_net *n, uint64_t conn, const char *text, size_t length)
{
    (void)n;
    add(conn, 0, text, length);
}

void sim_net_ping(struct sim_net *n, uint64_t conn, const char *payload, size_t length)
{
    (void)n;
    (void)payload;
    (void)length;
    add(conn, -3, NULL, 0);
}

void sim_net_close(struct sim_net *n, uint64_t conn, int code, const char *reason)
{
    (void)n;
    (void)code;
    (void)reason;
    add(conn, -2, NULL, 0);
}

void sim_net_cut(struct sim_net *n, uint64_t conn)
{
    (void)n;
    add(conn, -1, NULL, 0);
}

void *sim_net_session(struct sim_net *n, uint64_t conn)
{
    return conn < 64 ? n->session[conn] : NULL;
}

/* --- the bench ---------------------------------------------------------------------------------------- */

static struct bn_shell *shell;
static struct sim_venue *venue;
static struct sim_faults faults;
static struct sim_delay delay;
static struct sim_source source;
static EVP_PKEY *ed25519;

static void set_up(void)
{
    struct bn_options options = { .seed = 1, .limits = true, .retired = true };
    static const enum sim_kind kinds[] = { SIM_LINEAR, SIM_INVERSE, SIM_SPOT };
    unsigned char seed[32] = { 7 }, raw[32];
    char hex[65];
    size_t size = sizeof raw;

    now_ns = START;
    net = calloc(1, sizeof *net);
    memset(&faults, 0, sizeof faults);
    sim_random_seed(&faults.random, 1, 4);
    sim_delay_init(&delay, 1);
    shell = bn_shell_new(&options, &faults, &delay);
    venue = sim_venue_new(1, SIM_CANCEL_AHEAD_NONE, bn_shell_emit, shell);
    bn_shell_attach(shell, venue, net);
    for (int i = 0; i < 3; i++) {
        struct sim_instrument instrument = sim_setup_instrument(kinds[i]);
        sim_venue_add_instrument(venue, &instrument);
    }
    int account = sim_venue_add_account(venue, "key");
    cr_assert(sim_setup_balances(venue, account, "USDT=100000,BTC=10"));
    cr_assert(bn_shell_add_key(shell, account, "key", "secret", false));
    ed25519 = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof seed);
    EVP_PKEY_get_raw_public_key(ed25519, raw, &size);
    for (int i = 0; i < 32; i++) {
        snprintf(hex + 2 * i, 3, "%02x", raw[i]);
    }
    cr_assert(bn_shell_add_key(shell, account, "edkey", hex, true));
    source = (struct sim_source){ .mode = SIM_SOURCE_SET, .venue = venue, .speed_ppm = 1000000 };
    sim_random_seed(&source.random, 1, 5);
    bn_shell_time(shell, now_ns);
    bn_shell_step(shell, now_ns);
    sim_source_start(&source, now_ns);
    sim_source_touch(&source, 0, 6000000, 6000010, 5000, 5000, now_ns);
    sim_source_touch(&source, 1, 600000, 600001, 5000, 5000, now_ns);
    sim_source_touch(&source, 2, 6000000, 6000001, 500000000, 500000000, now_ns);
}

static void run(int64_t ms);

static void set_up_and_settle(void)
{
    set_up();
    run(0); /* what the first prices published is gone before a test subscribes */
}

static void tear_down(void)
{
    for (int i = 0; i < 64; i++) {
        if (net->session[i] != NULL) {
            bn_shell_closed(shell, (uint64_t)i, net->session[i]);
        }
    }
    for (int i = 0; i < net->count; i++) {
        json_decref(net->sent[i].json);
    }
    bn_shell_free(shell);
    sim_venue_free(venue);
    EVP_PKEY_free(ed25519);
    free(net);
}

TestSuite(shell, .init = set_up_and_settle, .fini = tear_down);

/* run lets time pass, doing everything in its order. */
static void run(int64_t ms)
{
    int64_t end = now_ns + ms * MS;

    for (;;) {
        int64_t next = bn_shell_next_ns(shell), advance = sim_venue_next_ns(venue);
        next = next < advance ? next : advance;
        if (next > end) {
            break;
        }
        now_ns = next > now_ns ? next : now_ns;
        sim_venue_advance(venue, now_ns);
        bn_shell_step(shell, now_ns);
    }
    now_ns = end;
    bn_shell_time(shell, now_ns);
}

static void fault(const char *spec)
{
    char error[256];

    cr_assert(sim_fault_add(&faults, spec, now_ns, error, sizeof error), "%s", error);
}

static const char *text_of(const json_t *json, const char *path)
{
    char copy[128], *save = NULL;

    snprintf(copy, sizeof copy, "%s", path);
    for (char *part = strtok_r(copy, ".", &save); part != NULL && json != NULL;
         part = strtok_r(NULL, ".", &save)) {
        json = part[0] >= '0' && part[0] <= '9' ? json_array_get(json, (size_t)atoi(part))
                                                : json_object_get(json, part);
    }
    static char number[8][64];
    static int at;
    if (json_is_string(json)) {
        return json_string_value(json);
    }
    if (json == NULL || json_is_null(json)) {
        return "";
    }
    at = (at + 1) % 8;
    if (json_is_boolean(json)) {
        return json_is_true(json) ? "true" : "false";
    }
    snprintf(number[at], sizeof number[at], "%lld", (long long)json_integer_value(json));
    return number[at];
}

static void hmac_hex(const char *text, char *hex)
{
    unsigned char digest[32];
    unsigned int size;

    HMAC(EVP_sha256(), "secret", 6, (const unsigned char *)text, strlen(text), digest, &size);
    for (int i = 0; i < 32; i++) {
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    }
}

static void send_request(const char *verb, const char *path, const char *query, const char *key)
{
    struct sim_request request = {
        .conn = 60, .verb = verb, .path = path, .query = query, .host = "127.0.0.1", .key = key, .body = ""
    };

    if (strstr(path, "/fapi/") == path) {
        request.host = "fapi.binance.com";
    } else if (strstr(path, "/dapi/") == path) {
        request.host = "dapi.binance.com";
    }
    bn_shell_request(shell, &request);
}

/* rest sends one request, signed when it has parameters beginning with "!", and answers the reply. */
static struct sent *rest(const char *verb, const char *path, const char *params)
{
    char query[2048];
    int before = net->count;

    snprintf(query, sizeof query, "%s", params);
    if (params[0] == '!') {
        char hex[65];
        snprintf(query, sizeof query, "%s%stimestamp=%lld", params + 1, params[1] != '\0' ? "&" : "",
                 (long long)(now_ns / MS));
        hmac_hex(query, hex);
        strcat(query, "&signature=");
        strcat(query, hex);
    }
    send_request(verb, path, query, "key");
    run(0);
    for (int i = before; i < net->count; i++) {
        if (net->sent[i].conn == 60) {
            return &net->sent[i];
        }
    }
    return NULL;
}

#define ORDER                                                                                                \
    "!symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTX&quantity=0.010&price=59000.0&newClientOrderId="

static uint64_t open_socket(uint64_t conn, const char *host, const char *path, const char *query)
{
    struct sim_request request = {
        .conn = conn, .verb = "GET", .path = path, .query = query, .host = host, .key = ""
    };

    net->session[conn] = bn_shell_open(shell, &request);
    cr_assert_not_null(net->session[conn]);
    return conn;
}

static void tell(uint64_t conn, const char *format, ...)
{
    char text[2048];
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    bn_shell_message(shell, conn, net->session[conn], text, (size_t)length);
    run(0);
}

/* the nth message (from 0) with member e = kind on a connection, wherever it is wrapped; NULL when absent */
static json_t *event(uint64_t conn, const char *kind, int nth)
{
    for (int i = 0; i < net->count; i++) {
        json_t *json = net->sent[i].json;
        json = json_object_get(json, "data") != NULL    ? json_object_get(json, "data")
               : json_object_get(json, "event") != NULL ? json_object_get(json, "event")
                                                        : json;
        if (net->sent[i].conn == conn && strcmp(text_of(json, "e"), kind) == 0 && nth-- == 0) {
            return json;
        }
    }
    return NULL;
}

static int index_of(uint64_t conn, const char *kind)
{
    json_t *wanted = event(conn, kind, 0);

    for (int i = 0; i < net->count; i++) {
        if (net->sent[i].json == wanted || json_object_get(net->sent[i].json, "data") == wanted) {
            return wanted == NULL ? -1 : i;
        }
    }
    return -1;
}

static uint64_t private_stream(void)
{
    char query[128];

    snprintf(query, sizeof query, "listenKey=%s",
             text_of(rest("POST", "/fapi/v1/listenKey", "")->json, "listenKey"));
    return open_socket(1, "fstream.binance.com", "/private/ws", query);
}

static int code_of(const struct sent *sent)
{
    cr_assert_not_null(sent);
    return atoi(text_of(sent->json, "code"));
}

/* --- the gate ------------------------------------------------------------------------------------------ */

Test(shell, refuses_by_the_book)
{
    char query[512], hex[65];

    send_request("GET", "/fapi/v3/balance", "timestamp=1&signature=x", "");
    send_request("GET", "/fapi/v3/balance", "timestamp=1&signature=x", "stranger");
    send_request("GET", "/fapi/v3/balance", "", "key");
    send_request("GET", "/fapi/v3/balance", "timestamp=1786522906000", "key");
    run(0);
    cr_assert_eq(code_of(&net->sent[0]), -2014);
    cr_assert_eq(net->sent[0].status, 401);
    cr_assert_eq(code_of(&net->sent[1]), -2015);
    cr_assert_eq(code_of(&net->sent[2]), -1102);
    cr_assert_not_null(strstr(text_of(net->sent[2].json, "msg"), "'timestamp'"));
    cr_assert_not_null(strstr(text_of(net->sent[3].json, "msg"), "'signature'"));

    /* a good signature, then one field altered after signing */
    snprintf(query, sizeof query, "symbol=BTCUSDT&timestamp=%lld", (long long)(now_ns / MS));
    hmac_hex(query, hex);
    snprintf(query, sizeof query, "symbol=BTCUSDT&timestamp=%lld&signature=%s", (long long)(now_ns / MS),
             hex);
    send_request("GET", "/fapi/v1/openOrders", query, "key");
    run(0);
    query[7] = 'X';
    send_request("GET", "/fapi/v1/openOrders", query, "key");
    run(0);
    cr_assert_eq(net->sent[4].status, 200, "%s", text_of(net->sent[4].json, "msg"));
    cr_assert_eq(code_of(&net->sent[5]), -1022);

    /* signed well, but 6 s ago */
    snprintf(query, sizeof query, "timestamp=%lld", (long long)(now_ns / MS) - 6000);
    hmac_hex(query, hex);
    snprintf(query + strlen(query), 128, "&signature=%s", hex);
    send_request("GET", "/fapi/v3/balance", query, "key");
    run(0);
    cr_assert_eq(code_of(&net->sent[6]), -1021);
    cr_assert_str_eq(text_of(net->sent[6].json, "msg"),
                     "Timestamp for this request is outside of the recvWindow.");
}

Test(shell, a_request_that_becomes_stale_on_the_way_is_refused_at_arrival)
{
    delay.low_ns[SIM_LINE_ORDER] = delay.high_ns[SIM_LINE_ORDER] = 200 * MS;
    cr_assert_null(rest("POST", "/fapi/v1/order", ORDER "late&recvWindow=100"));
    run(300);
    cr_assert_eq(code_of(&net->sent[0]), -1021);
    cr_assert_eq(sim_venue_order_count(venue), 0);
}

Test(shell, unknown_paths_get_the_venues_error_and_are_listed)
{
    uint64_t times;

    cr_assert_eq(code_of(rest("GET", "/fapi/v1/nonsense", "")), -5000);
    cr_assert_eq(net->sent[0].status, 404);
    cr_assert_eq(code_of(rest("PATCH", "/fapi/v1/order", "")), -5000);
    cr_assert_eq(bn_shell_unknown_count(shell), 2);
    cr_assert_str_eq(bn_shell_unknown(shell, 0, &times), "GET fapi.binance.com/fapi/v1/nonsense");
    rest("GET", "/fapi/v1/nonsense", "");
    bn_shell_unknown(shell, 0, &times);
    cr_assert_eq(times, 2);
}

Test(shell, errors_of_orders_carry_the_venues_codes)
{
    static const struct {
        const char *params;
        int code;
    } cases[] = {
        { "!symbol=NOPE&side=BUY&type=MARKET&quantity=1", -1121 },
        { "!side=BUY&type=MARKET&quantity=1", -1102 },
        { "!symbol=BTCUSDT&side=UP&type=MARKET&quantity=1", -1117 },
        { "!symbol=BTCUSDT&side=BUY&type=STOP_MARKET&quantity=1", -4120 },
        { "!symbol=BTCUSDT&side=BUY&type=HOPE&quantity=1", -1116 },
        { "!symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=1", -1102 },
        { "!symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=XXX&quantity=1&price=1", -1115 },
        { "!symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.0105&price=59000", -1111 },
        { "!symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.010&price=59000.05", -4014 },
        { "!symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0&price=59000", -4003 },
        { "!symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.001&price=59000", -4164 },
        { "!symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.010&price=69000", -4016 },
        { "!symbol=BTCUSDT&side=SELL&type=LIMIT&timeInForce=GTC&quantity=0.010&price=50000", -4024 },
        { "!symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=100&price=59000", -2019 },
        { "!symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTX&quantity=0.010&price=60000.1", -5022 },
        { "!symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=FOK&quantity=6&price=60000.1", -5021 },
        { "!symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.010&reduceOnly=true", -2022 },
        { "!symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.010&positionSide=LONG", -4061 },
        { "!symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.010&newClientOrderId=a%20b", -4015 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_expect_eq(code_of(rest("POST", "/fapi/v1/order", cases[i].params)), cases[i].code, "%s gave %s",
                     cases[i].params, text_of(net->sent[net->count - 1].json, "code"));
    }
    cr_assert_eq(sim_venue_order_count(venue), 0);
    rest("POST", "/fapi/v1/order", ORDER "one");
    cr_assert_eq(code_of(rest("POST", "/fapi/v1/order", ORDER "one")), -4116);
    cr_assert_eq(code_of(rest("DELETE", "/fapi/v1/order", "!symbol=BTCUSDT&origClientOrderId=two")), -2011);
    cr_assert_eq(code_of(rest("GET", "/fapi/v1/order", "!symbol=BTCUSDT&origClientOrderId=two")), -2013);
    cr_assert_eq(code_of(rest("PUT", "/fapi/v1/order",
                              "!symbol=BTCUSDT&side=BUY&origClientOrderId=one&quantity=0.010&price=59000")),
                 -5027);
    cr_assert_eq(code_of(rest("POST", "/fapi/v1/positionSide/dual", "!dualSidePosition=false")), -4059);
    cr_assert_eq(code_of(rest("POST", "/fapi/v1/positionSide/dual", "!dualSidePosition=true")), -4067);
    cr_assert_eq(code_of(rest("POST", "/fapi/v1/marginType", "!symbol=BTCUSDT&marginType=CROSSED")), -4046);
    cr_assert_eq(code_of(rest("PUT", "/fapi/v1/listenKey", "")), -1125);
}

Test(shell, spot_refuses_the_kinds_its_symbols_do_not_take)
{
    static const struct {
        const char *more, *words;
    } cases[] = {
        { "type=LIMIT&timeInForce=GTC&icebergQty=0.001",
          "Iceberg orders are not supported for this symbol." },
        { "type=STOP_LOSS_LIMIT&timeInForce=GTC&stopPrice=58000",
          "Stop loss limit orders are not supported for this symbol." },
        { "type=TAKE_PROFIT&stopPrice=61000", "Take profit orders are not supported for this symbol." },
        { "type=STOP_LOSS&trailingDelta=100", "Trailing stop orders are not supported for this symbol." },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char params[256];
        snprintf(params, sizeof params, "!symbol=BTCUSDT&side=BUY&quantity=0.01&price=59000&%s",
                 cases[i].more);
        const struct sent *sent = rest("POST", "/api/v3/order", params);
        cr_expect_eq(code_of(sent), -2010, "%s", cases[i].more);
        cr_expect_str_eq(text_of(sent->json, "msg"), cases[i].words);
    }
    cr_assert_eq(sim_venue_order_count(venue), 0);
    cr_assert_eq(code_of(rest("POST", "/api/v3/order", "!symbol=BTCUSDT&side=BUY&quantity=1&type=HOPE")),
                 -1116);
    cr_assert_eq(rest("POST", "/api/v3/order",
                      "!symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity=0.01&price=59000&icebergQty=0.0")
                     ->status,
                 200, "none of it hidden");
}

Test(shell, order_counts_and_weights_are_enforced)
{
    struct sent *sent = NULL;

    for (int i = 0; i < 301; i++) {
        sent = rest("POST", "/fapi/v1/order", "!symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.002");
        cr_assert_eq(sent->status, i < 300 ? 200 : 429, "%d", i);
    }
    cr_assert_eq(code_of(sent), -1015);
    cr_assert_not_null(strstr(sent->headers, "Retry-After: "));
    cr_assert_not_null(strstr(sent->headers, "X-MBX-ORDER-COUNT-10S: 300"));
    for (int i = 0; i < 81; i++) {
        sent = rest("GET", "/fapi/v1/income", "!");
    }
    cr_assert_eq(code_of(sent), -1003);
}

Test(shell, the_income_history_has_pages_and_transfers)
{
    const struct sent *sent;
    int rows = 0, transfers = 0;
    for (int i = 0; i < 3; i++) {
        rest("POST", "/fapi/v1/order", "!symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.002");
    }
    sim_venue_deposit(venue, 0, SIM_LINEAR, "USDT", 1250000000, now_ns);
    for (int page = 1; page <= 5; page++) {
        char query[64];
        snprintf(query, sizeof query, "!limit=1&page=%d", page);
        sent = rest("GET", "/fapi/v1/income", query);
        cr_assert_eq(sent->status, 200);
        bool any = json_array_size(sent->json) != 0;
        rows += any;
        cr_assert_eq(any, page <= 4, "three fees and a transfer, one a page: %d", page);
        const char *type = json_string_value(json_object_get(json_array_get(sent->json, 0), "incomeType"));
        transfers += any && strcmp(type, "TRANSFER") == 0;
    }
    cr_assert_eq(rows, 4);
    cr_assert_eq(transfers, 1);
    sent = rest("GET", "/fapi/v1/income", "!incomeType=TRANSFER");
    cr_assert_eq(json_array_size(sent->json), 1);
    const json_t *row = json_array_get(sent->json, 0);
    cr_assert_str_eq(json_string_value(json_object_get(row, "symbol")), "");
    cr_assert_eq(strncmp(json_string_value(json_object_get(row, "income")), "12.5", 4), 0);
    sent = rest("GET", "/dapi/v1/income", "!incomeType=TRANSFER");
    cr_assert_eq(json_array_size(sent->json), 0, "each product has its own wallet");
}

/* --- orders and the private stream --------------------------------------------------------------------- */

static int weight_of(const char *verb, const char *path, const char *params)
{
    static int before[2];
    const struct sent *sent = rest(verb, path, params);
    int spot = strncmp(path, "/api", 4) == 0, now = 0;

    cr_assert_not_null(sent);
    sscanf(strstr(sent->headers, "X-MBX-USED-WEIGHT-1M: "), "X-MBX-USED-WEIGHT-1M: %d", &now);
    int weight = now - before[spot];
    before[spot] = now;
    return weight;
}

Test(shell, weights_go_by_what_is_asked)
{
    cr_assert_eq(weight_of("GET", "/fapi/v1/depth", "symbol=BTCUSDT&limit=50"), 2);
    cr_assert_eq(weight_of("GET", "/fapi/v1/depth", "symbol=BTCUSDT&limit=100"), 5);
    cr_assert_eq(weight_of("GET", "/fapi/v1/depth", "symbol=BTCUSDT"), 10);
    cr_assert_eq(weight_of("GET", "/dapi/v1/depth", "symbol=BTCUSD_PERP&limit=1000"), 20);
    cr_assert_eq(weight_of("GET", "/fapi/v1/openOrders", "!symbol=BTCUSDT"), 1);
    cr_assert_eq(weight_of("GET", "/fapi/v1/openOrders", "!"), 40);
    cr_assert_eq(weight_of("GET", "/fapi/v1/premiumIndex", ""), 10);
    open_socket(5, "ws-fapi.binance.com", "/ws-fapi/v1", "");
    cr_assert_eq(weight_of("POST", "/fapi/v1/order", ORDER "w"), 5,
                 "the handshake, and nothing for the order");
    cr_assert_eq(weight_of("GET", "/api/v3/depth", "symbol=BTCUSDT&limit=5000"), 250);
    cr_assert_eq(weight_of("GET", "/api/v3/openOrders", "!"), 80);
    cr_assert_eq(weight_of("GET", "/api/v3/myTrades", "!symbol=BTCUSDT&orderId=1"), 5);
    /* The header of an order's reply is written after its weight was given back. */
    cr_assert_eq(weight_of("POST", "/api/v3/order",
                           "!symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity=0.01&price=59000"),
                 0);
    cr_assert_eq(weight_of("POST", "/api/v3/order",
                           "!symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity=0.01&price=61000"),
                 1, "refused");
}

Test(shell, lists_of_futures_go_by_symbol_by_pair_or_by_nothing)
{
    rest("POST", "/fapi/v1/order", ORDER "one");
    rest("POST", "/dapi/v1/order",
         "!symbol=BTCUSD_PERP&side=BUY&type=LIMIT&timeInForce=GTX&quantity=1&price=59000");
    cr_assert_eq(json_array_size(rest("GET", "/fapi/v1/allOrders", "!")->json), 1);
    cr_assert_eq(code_of(rest("GET", "/api/v3/allOrders", "!")), -1102, "spot needs one");
    cr_assert_eq(json_array_size(rest("GET", "/dapi/v1/allOrders", "!pair=BTCUSD")->json), 1);
    cr_assert_eq(json_array_size(rest("GET", "/dapi/v1/userTrades", "!pair=BTCUSD")->json), 0);
    cr_assert_eq(code_of(rest("GET", "/dapi/v1/userTrades", "!pair=NOSUCH")), -1121);
    cr_assert_eq(code_of(rest("GET", "/dapi/v1/userTrades", "!")), -1102);
    cr_assert_eq(code_of(rest("GET", "/fapi/v1/userTrades", "!pair=BTCUSDT")), -1102,
                 "USD-M knows no pair here");
}

Test(shell, a_user_stream_can_be_of_some_events)
{
    char query[160];

    snprintf(query, sizeof query, "listenKey=%s&events=TRADE_LITE/ACCOUNT_UPDATE",
             text_of(rest("POST", "/fapi/v1/listenKey", "")->json, "listenKey"));
    uint64_t some = open_socket(1, "fstream.binance.com", "/private/ws", query);
    rest("POST", "/fapi/v1/order", "!symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.010");
    cr_assert_not_null(event(some, "TRADE_LITE", 0));
    cr_assert_not_null(event(some, "ACCOUNT_UPDATE", 0));
    cr_assert_null(event(some, "ORDER_TRADE_UPDATE", 0));
}

Test(shell, a_post_only_rests_and_is_reported_without_account_update)
{
    uint64_t conn = private_stream();
    struct sent *sent = rest("POST", "/fapi/v1/order", ORDER "p1-18");

    cr_assert_eq(sent->status, 200);
    cr_assert_str_eq(text_of(sent->json, "status"), "NEW");
    cr_assert_str_eq(text_of(sent->json, "clientOrderId"), "p1-18");
    cr_assert_str_eq(text_of(sent->json, "timeInForce"), "GTX");
    cr_assert_gt(strtoull(text_of(sent->json, "orderId"), NULL, 10), UINT64_C(1) << 53);
    json_t *report = event(conn, "ORDER_TRADE_UPDATE", 0);
    cr_assert_str_eq(text_of(report, "o.x"), "NEW");
    cr_assert_str_eq(text_of(report, "o.c"), "p1-18");
    cr_assert_str_eq(text_of(report, "o.t"), "0");
    cr_assert_null(json_object_get(json_object_get(report, "o"), "n"), "no fee, no field");
    cr_assert_null(event(conn, "ACCOUNT_UPDATE", 0));

    rest("DELETE", "/fapi/v1/order", "!symbol=BTCUSDT&origClientOrderId=p1-18");
    report = event(conn, "ORDER_TRADE_UPDATE", 1);
    cr_assert_str_eq(text_of(report, "o.x"), "CANCELED");
    cr_assert_str_eq(text_of(report, "o.c"), "p1-18", "futures keep the id on a cancel");
}

Test(shell, a_fill_is_three_messages)
{
    uint64_t conn = private_stream();

    rest("POST", "/fapi/v1/order", "!symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.010&newClientOrderId=m");
    int lite = index_of(conn, "TRADE_LITE"), account = index_of(conn, "ACCOUNT_UPDATE");
    cr_assert(lite >= 0 && account > lite);
    json_t *report = event(conn, "ORDER_TRADE_UPDATE", 1);
    cr_assert_str_eq(text_of(event(conn, "ORDER_TRADE_UPDATE", 0), "o.x"), "NEW");
    cr_assert_str_eq(text_of(report, "o.x"), "TRADE");
    cr_assert_str_eq(text_of(report, "o.X"), "FILLED");
    cr_assert_str_eq(text_of(report, "o.L"), "60000.10");
    cr_assert_str_eq(text_of(report, "o.n"), "0.30000050", "0.05 %% of 600.001");
    cr_assert_str_eq(text_of(report, "o.N"), "USDT");
    cr_assert_str_eq(text_of(report, "o.t"), text_of(event(conn, "TRADE_LITE", 0), "t"));
    cr_assert_str_eq(text_of(event(conn, "ACCOUNT_UPDATE", 0), "a.P.0.pa"), "0.010");
    cr_assert_str_eq(text_of(event(conn, "ACCOUNT_UPDATE", 0), "a.B.0.wb"), "99999.69999950");
}

Test(shell, ioc_ends_with_an_expiry)
{
    uint64_t conn = private_stream();
    struct sent *sent = rest("POST", "/fapi/v1/order",
                             "!symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=IOC&quantity=7.000&price=60000."
                             "1&newOrderRespType=RESULT");

    cr_assert_str_eq(text_of(sent->json, "status"), "EXPIRED");
    cr_assert_str_eq(text_of(sent->json, "executedQty"), "5.000");
    json_t *report = event(conn, "ORDER_TRADE_UPDATE", 2);
    cr_assert_str_eq(text_of(report, "o.x"), "EXPIRED");
    cr_assert_str_eq(text_of(report, "o.er"), "2");
    cr_assert_str_eq(text_of(report, "o.z"), "5.000");
}

Test(shell, modify_keeps_the_order_id)
{
    uint64_t conn = private_stream();
    const char *id = text_of(rest("POST", "/fapi/v1/order", ORDER "q")->json, "orderId");
    struct sent *sent = rest("PUT", "/fapi/v1/order",
                             "!symbol=BTCUSDT&side=BUY&origClientOrderId=q&quantity=0.020&price=58990.0");

    cr_assert_str_eq(text_of(sent->json, "orderId"), id);
    cr_assert_str_eq(text_of(sent->json, "status"), "NEW");
    cr_assert_str_eq(text_of(event(conn, "ORDER_TRADE_UPDATE", 1), "o.x"), "AMENDMENT");
    cr_assert_str_eq(text_of(event(conn, "ORDER_TRADE_UPDATE", 1), "o.p"), "58990.00");
    sent = rest("PUT", "/fapi/v1/order",
                "!symbol=BTCUSDT&side=BUY&origClientOrderId=q&quantity=0.020&price=60000.1");
    cr_assert_str_eq(text_of(sent->json, "status"), "CANCELED", "a post-only that would take");
}

Test(shell, lists_page_by_id)
{
    for (int i = 0; i < 5; i++) {
        rest("POST", "/fapi/v1/order", "!symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.002");
    }
    struct sent *all = rest("GET", "/fapi/v1/userTrades", "!symbol=BTCUSDT");
    cr_assert_eq(json_array_size(all->json), 5);
    char params[128];
    snprintf(params, sizeof params, "!symbol=BTCUSDT&limit=2&fromId=%s", text_of(all->json, "1.id"));
    struct sent *page = rest("GET", "/fapi/v1/userTrades", params);
    cr_assert_eq(json_array_size(page->json), 2);
    cr_assert_str_eq(text_of(page->json, "0.id"), text_of(all->json, "1.id"));
    struct sent *newest = rest("GET", "/fapi/v1/userTrades", "!symbol=BTCUSDT&limit=2");
    cr_assert_str_eq(text_of(newest->json, "1.id"), text_of(all->json, "4.id"));
    cr_assert_eq(json_array_size(rest("GET", "/fapi/v1/allOrders", "!symbol=BTCUSDT&limit=3")->json), 3);
    struct sent *risk = rest("GET", "/fapi/v3/positionRisk", "!");
    cr_assert_eq(json_array_size(risk->json), 1);
    cr_assert_str_eq(text_of(risk->json, "0.positionAmt"), "0.010");
    cr_assert_str_eq(text_of(risk->json, "0.entryPrice"), "60000.1");
}

Test(shell, the_dead_man_answers_a_string_and_cancels)
{
    uint64_t conn = private_stream();

    rest("POST", "/fapi/v1/order", ORDER "d");
    struct sent *sent = rest("POST", "/fapi/v1/countdownCancelAll", "!symbol=BTCUSDT&countdownTime=1000");
    cr_assert(json_is_string(json_object_get(sent->json, "countdownTime")));
    run(900);
    cr_assert_null(event(conn, "ORDER_TRADE_UPDATE", 1));
    run(200);
    cr_assert_str_eq(text_of(event(conn, "ORDER_TRADE_UPDATE", 1), "o.x"), "CANCELED");
}

Test(shell, a_batch_mixes_orders_and_errors_by_index)
{
    struct sent *sent =
        rest("POST", "/fapi/v1/batchOrders",
             "!batchOrders=%5B%7B%22symbol%22%3A%22BTCUSDT%22%2C%22side%22%3A%22BUY%22%2C%22type%22%3A"
             "%22MARKET%22%2C%22quantity%22%3A%220%22%7D%2C%7B%22symbol%22%3A%22BTCUSDT%22%2C%22side"
             "%22%3A%22BUY%22%2C%22type%22%3A%22MARKET%22%2C%22quantity%22%3A%220.010%22%7D%5D");

    cr_assert_eq(sent->status, 200);
    cr_assert_str_eq(text_of(sent->json, "0.code"), "-4003");
    cr_assert_str_eq(text_of(sent->json, "1.symbol"), "BTCUSDT");
}

/* --- the WebSocket API --------------------------------------------------------------------------------- */

static const struct sent *last_of(uint64_t conn)
{
    for (int i = net->count; i > 0; i--) {
        if (net->sent[i - 1].conn == conn) {
            return &net->sent[i - 1];
        }
    }
    return NULL;
}

Test(shell, a_batch_is_cancelled_by_either_spelling_of_its_list)
{
    static const char *const names[] = { "orderIdList", "orderidlist" };

    for (int k = 0; k < 2; k++) {
        char params[160];
        const json_t *order = rest("POST", "/fapi/v1/order", k == 0 ? ORDER "a" : ORDER "b")->json;
        snprintf(params, sizeof params, "!symbol=BTCUSDT&%s=%%5B%s%%5D", names[k], text_of(order, "orderId"));
        const json_t *gone = rest("DELETE", "/fapi/v1/batchOrders", params)->json;
        cr_assert_str_eq(text_of(gone, "0.status"), "CANCELED");
    }
}

Test(shell, socket_orders_are_signed_over_sorted_params)
{
    uint64_t conn = open_socket(2, "ws-fapi.binance.com", "/ws-fapi/v1", "");
    char text[512], hex[65];

    snprintf(
        text, sizeof text,
        "apiKey=key&newClientOrderId=w1&price=59000.0&quantity=0.010&side=BUY&symbol=BTCUSDT&timeInForce=GTX&"
        "timestamp=%lld&type=LIMIT",
        (long long)(now_ns / MS));
    hmac_hex(text, hex);
    tell(conn,
         "{\"id\":\"11\",\"method\":\"order.place\",\"params\":{\"symbol\":\"BTCUSDT\",\"side\":\"BUY\","
         "\"type\":\"LIMIT\","
         "\"timeInForce\":\"GTX\",\"quantity\":\"0.010\",\"price\":\"59000.0\",\"newClientOrderId\":\"w1\","
         "\"apiKey\":\"key\",\"timestamp\":%lld,\"signature\":\"%s\"}}",
         (long long)(now_ns / MS), hex);
    const struct sent *reply = last_of(conn);
    cr_assert_str_eq(text_of(reply->json, "id"), "11");
    cr_assert_str_eq(text_of(reply->json, "status"), "200");
    cr_assert_str_eq(text_of(reply->json, "result.clientOrderId"), "w1");
    cr_assert_str_eq(text_of(reply->json, "rateLimits.1.rateLimitType"), "ORDERS");

    tell(conn,
         "{\"id\":7,\"method\":\"order.cancel\",\"params\":{\"symbol\":\"BTCUSDT\",\"origClientOrderId\":"
         "\"w1\","
         "\"apiKey\":\"key\",\"timestamp\":%lld,\"signature\":\"%s\"}}",
         (long long)(now_ns / MS), hex);
    cr_assert_str_eq(text_of(last_of(conn)->json, "status"), "400");
    cr_assert_str_eq(text_of(last_of(conn)->json, "error.code"), "-1022");
    cr_assert_str_eq(text_of(last_of(conn)->json, "id"), "7");

    tell(conn, "{\"id\":8,\"method\":\"order.place\",\"params\":{\"apiKey\":\"key\",\"signature\":\"x\"}}");
    cr_assert_str_eq(text_of(last_of(conn)->json, "error.code"), "-1102", "no timestamp");
    tell(conn, "{\"id\":9,\"method\":\"order.dream\"}");
    cr_assert_str_eq(text_of(last_of(conn)->json, "error.code"), "-1020");
    tell(conn, "nonsense");
    cr_assert_str_eq(text_of(last_of(conn)->json, "error.code"), "-1135");
}

static void ed_sign(const char *text, char *base64)
{
    unsigned char raw[64];
    size_t size = sizeof raw;
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    EVP_DigestSignInit(context, NULL, NULL, NULL, ed25519);
    cr_assert_eq(EVP_DigestSign(context, raw, &size, (const unsigned char *)text, strlen(text)), 1);
    EVP_MD_CTX_free(context);
    EVP_EncodeBlock((unsigned char *)base64, raw, 64);
}

Test(shell, session_logon_takes_ed25519_and_then_only_the_time)
{
    uint64_t conn = open_socket(2, "ws-fapi.binance.com", "/ws-fapi/v1", "");
    long long now_ms = (long long)(now_ns / MS);
    char text[128], signature[128];

    snprintf(text, sizeof text, "apiKey=edkey&timestamp=%lld", now_ms);
    ed_sign(text, signature);
    tell(conn,
         "{\"id\":1,\"method\":\"session.logon\",\"params\":{\"apiKey\":\"edkey\",\"timestamp\":%lld,"
         "\"signature\":\"%s\"}}",
         now_ms, signature);
    cr_assert_str_eq(text_of(last_of(conn)->json, "result.apiKey"), "edkey");
    tell(conn,
         "{\"id\":2,\"method\":\"order.place\",\"params\":{\"symbol\":\"BTCUSDT\",\"side\":\"BUY\",\"type\":"
         "\"MARKET\","
         "\"quantity\":\"0.010\",\"timestamp\":%lld}}",
         now_ms);
    cr_assert_str_eq(text_of(last_of(conn)->json, "status"), "200");
    tell(conn,
         "{\"id\":3,\"method\":\"order.place\",\"params\":{\"symbol\":\"BTCUSDT\",\"side\":\"BUY\",\"type\":"
         "\"MARKET\","
         "\"quantity\":\"0.010\",\"timestamp\":%lld}}",
         now_ms - 6000);
    cr_assert_str_eq(text_of(last_of(conn)->json, "error.code"), "-1021");
    tell(conn, "{\"id\":4,\"method\":\"session.logout\"}");
    tell(conn,
         "{\"id\":5,\"method\":\"order.status\",\"params\":{\"symbol\":\"BTCUSDT\",\"orderId\":1,"
         "\"timestamp\":%lld}}",
         now_ms);
    cr_assert_str_eq(text_of(last_of(conn)->json, "error.code"), "-2014");
    tell(conn,
         "{\"id\":6,\"method\":\"session.logon\",\"params\":{\"apiKey\":\"key\",\"timestamp\":%lld,"
         "\"signature\":\"x\"}}",
         now_ms);
    cr_assert_str_eq(text_of(last_of(conn)->json, "status"), "401", "an HMAC key cannot log on");
}

Test(shell, spot_reports_swap_ids_on_a_cancel)
{
    uint64_t conn = open_socket(3, "ws-api.binance.com", "/ws-api/v3", "");
    char text[128], hex[65];

    snprintf(text, sizeof text, "apiKey=key&timestamp=%lld", (long long)(now_ns / MS));
    hmac_hex(text, hex);
    tell(conn,
         "{\"id\":1,\"method\":\"userDataStream.subscribe.signature\",\"params\":{\"apiKey\":\"key\","
         "\"timestamp\":%lld,"
         "\"signature\":\"%s\"}}",
         (long long)(now_ns / MS), hex);
    cr_assert_str_eq(text_of(last_of(conn)->json, "result.subscriptionId"), "0");
    struct sent *sent =
        rest("POST", "/api/v3/order",
             "!symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity=0.01000&price=59000.00&newClientOrderId=s1");
    cr_assert_str_eq(text_of(sent->json, "orderListId"), "-1");
    cr_assert_str_eq(text_of(event(conn, "executionReport", 0), "C"), "");
    cr_assert_str_eq(text_of(event(conn, "outboundAccountPosition", 0), "B.1.l"), "590.00000000");
    sent = rest("DELETE", "/api/v3/order", "!symbol=BTCUSDT&origClientOrderId=s1&newClientOrderId=c9");
    cr_assert_str_eq(text_of(sent->json, "origClientOrderId"), "s1");
    cr_assert_str_eq(text_of(sent->json, "clientOrderId"), "c9");
    cr_assert_str_eq(text_of(event(conn, "executionReport", 1), "c"), "c9");
    cr_assert_str_eq(text_of(event(conn, "executionReport", 1), "C"), "s1");
    cr_assert_eq(code_of(rest("POST", "/api/v3/order",
                              "!symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity=0.01&price=60000.01")),
                 -2010);
    cr_assert_eq(
        code_of(rest("POST", "/api/v3/order",
                     "!symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.00001&price=59000")),
        -1013);
    sent = rest("POST", "/api/v3/order", "!symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.01000");
    cr_assert_str_eq(text_of(sent->json, "status"), "FILLED");
    cr_assert_str_eq(text_of(sent->json, "fills.0.commissionAsset"), "BTC");
    cr_assert_str_eq(text_of(sent->json, "fills.0.commission"), "0.00001000");
}

Test(shell, amendments_are_remembered_by_order)
{
    char params[160];
    const json_t *order = rest("POST", "/api/v3/order",
                               "!symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity=0.01&price=59000"
                               "&newClientOrderId=before")
                              ->json;

    rest("PUT", "/api/v3/order/amend/keepPriority",
         "!symbol=BTCUSDT&origClientOrderId=before&newQty=0.004&newClientOrderId=after");
    snprintf(params, sizeof params, "!symbol=BTCUSDT&orderId=%s", text_of(order, "orderId"));
    const json_t *rows = rest("GET", "/api/v3/order/amendments", params)->json;
    cr_assert_eq(json_array_size(rows), 1);
    cr_assert_str_eq(text_of(rows, "0.origClientOrderId"), "before");
    cr_assert_str_eq(text_of(rows, "0.newClientOrderId"), "after");
    cr_assert_str_eq(text_of(rows, "0.origQty"), "0.01000000");
    cr_assert_str_eq(text_of(rows, "0.newQty"), "0.00400000");
    cr_assert_eq(json_array_size(rest("GET", "/api/v3/order/amendments", "!symbol=BTCUSDT&orderId=7")->json),
                 0);
    cr_assert_eq(code_of(rest("GET", "/api/v3/order/amendments", "!symbol=BTCUSDT")), -1102);

    const json_t *fees = rest("GET", "/sapi/v1/asset/tradeFee", "!symbol=BTCUSDT")->json;
    cr_assert_str_eq(text_of(fees, "0.makerCommission"), "0.001");
}

Test(shell, cancel_replace_can_half_fail)
{
    rest("POST", "/api/v3/order",
         "!symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity=0.01&price=59000&newClientOrderId=r");
    struct sent *sent = rest(
        "POST", "/api/v3/order/cancelReplace",
        "!symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity=0.01&price=60000.01&cancelOrigClientOrderId=r&"
        "cancelReplaceMode=STOP_ON_FAILURE");
    cr_assert_eq(sent->status, 409);
    cr_assert_str_eq(text_of(sent->json, "code"), "-2021");
    cr_assert_str_eq(text_of(sent->json, "data.cancelResult"), "SUCCESS");
    cr_assert_str_eq(text_of(sent->json, "data.newOrderResponse.code"), "-2010");
    sent =
        rest("POST", "/api/v3/order/cancelReplace",
             "!symbol=BTCUSDT&side=BUY&type=LIMIT_MAKER&quantity=0.01&price=59000&cancelOrigClientOrderId=r&"
             "cancelReplaceMode=STOP_ON_FAILURE");
    cr_assert_eq(sent->status, 400);
    cr_assert_str_eq(text_of(sent->json, "data.newOrderResult"), "NOT_ATTEMPTED");
}

/* --- public streams ------------------------------------------------------------------------------------ */

Test(shell, the_wrong_route_is_acknowledged_and_silent)
{
    uint64_t wrong = open_socket(4, "fstream.binance.com", "/market/stream", "");
    uint64_t right = open_socket(5, "fstream.binance.com", "/public/stream", "");

    tell(wrong, "{\"method\":\"SUBSCRIBE\",\"params\":[\"btcusdt@bookTicker\"],\"id\":1}");
    tell(right,
         "{\"method\":\"SUBSCRIBE\",\"params\":[\"btcusdt@bookTicker\",\"btcusdt@aggTrade\"],\"id\":\"x\"}");
    cr_assert(json_is_null(json_object_get(last_of(wrong)->json, "result")));
    cr_assert_str_eq(text_of(last_of(right)->json, "id"), "x");
    sim_source_touch(&source, 0, 5999990, 6000000, 100, 100, now_ns);
    sim_source_trade(&source, 0, 6000000, 10, false, now_ns);
    run(0);
    cr_assert_not_null(event(right, "bookTicker", 0));
    cr_assert_null(event(right, "aggTrade", 0), "market data of the other route");
    cr_assert_null(event(wrong, "bookTicker", 0));
    json_t *wrapped = NULL;
    for (int i = 0; i < net->count; i++) {
        if (json_object_get(net->sent[i].json, "data") == event(right, "bookTicker", 0)) {
            wrapped = net->sent[i].json;
        }
    }
    cr_assert_str_eq(text_of(wrapped, "stream"), "btcusdt@bookTicker");
}

Test(shell, a_slower_depth_stream_merges_and_links)
{
    uint64_t fast = open_socket(6, "fstream.binance.com", "/public/ws/btcusdt@depth@0ms", "");
    uint64_t slow = open_socket(7, "fstream.binance.com", "/public/ws/btcusdt@depth@100ms", "");

    for (int i = 0; i < 40; i++) {
        sim_source_touch(&source, 0, 6000000 - i % 7 * 10, 6000010, 1000 + i, 2000 + i, now_ns);
        run(17);
    }
    run(200);
    json_t *frame, *before = NULL;
    int slow_count = 0, fast_count = 0;
    for (; (frame = event(slow, "depthUpdate", slow_count)) != NULL; slow_count++) {
        if (before != NULL) {
            cr_assert_str_eq(text_of(frame, "pu"), text_of(before, "u"));
            cr_assert_gt(atoll(text_of(frame, "U")), atoll(text_of(frame, "pu")));
        }
        json_t *bids = json_object_get(frame, "b");
        for (size_t k = 1; k < json_array_size(bids); k++) {
            cr_assert_gt(atof(text_of(json_array_get(bids, k), "0")),
                         atof(text_of(json_array_get(bids, k - 1), "0")), "futures bids ascend");
        }
        before = frame;
    }
    for (; event(fast, "depthUpdate", fast_count) != NULL; fast_count++) {
    }
    cr_assert_eq(fast_count, 40);
    cr_assert(slow_count >= 6 && slow_count <= 9, "%d", slow_count);
    cr_assert_str_eq(text_of(before, "u"), text_of(event(fast, "depthUpdate", 39), "u"));
    struct sent *snapshot = rest("GET", "/fapi/v1/depth", "symbol=BTCUSDT&limit=5");
    cr_assert_str_eq(text_of(snapshot->json, "lastUpdateId"), text_of(before, "u"));
    cr_assert_str_eq(text_of(snapshot->json, "asks.0.0"), "60000.10");
}

Test(shell, spot_depth_is_dense_and_best_first)
{
    uint64_t conn = open_socket(8, "stream.binance.com", "/ws/btcusdt@depth@100ms", "");
    long long u = 0;
    json_t *frame;

    for (int i = 0; i < 20; i++) {
        sim_source_touch(&source, 2, 6000000 - i % 3, 6000001, 1000000 + 1000 * i, 1000000, now_ns);
        run(40);
    }
    for (int i = 0; (frame = event(conn, "depthUpdate", i)) != NULL; i++) {
        cr_assert(u == 0 || atoll(text_of(frame, "U")) == u + 1);
        u = atoll(text_of(frame, "u"));
        json_t *bids = json_object_get(frame, "b");
        for (size_t k = 1; k < json_array_size(bids); k++) {
            cr_assert_lt(atof(text_of(json_array_get(bids, k), "0")),
                         atof(text_of(json_array_get(bids, k - 1), "0")));
        }
        cr_assert_null(json_object_get(frame, "pu"));
    }
    cr_assert_gt(u, 0);
}

Test(shell, our_orders_and_trades_are_public)
{
    uint64_t conn =
        open_socket(9, "dstream.binance.com", "/stream", "streams=btcusd_perp@depth@0ms/btcusd_perp@trade");

    rest("POST", "/dapi/v1/order",
         "!symbol=BTCUSD_PERP&side=BUY&type=LIMIT&timeInForce=GTX&quantity=7&price=59999.5");
    cr_assert_str_eq(text_of(event(conn, "depthUpdate", 0), "b.0.0"), "59999.5");
    cr_assert_str_eq(text_of(event(conn, "depthUpdate", 0), "b.0.1"), "5007", "5000 and ours");
    struct sent *sent =
        rest("POST", "/dapi/v1/order", "!symbol=BTCUSD_PERP&side=SELL&type=MARKET&quantity=3");
    cr_assert_str_eq(text_of(sent->json, "pair"), "BTCUSD");
    cr_assert_str_eq(text_of(event(conn, "trade", 0), "q"), "3");
    cr_assert_str_eq(text_of(event(conn, "trade", 0), "m"), "true");
    cr_assert_str_eq(text_of(event(conn, "trade", 0), "st"), "2");
}

/* --- latencies ----------------------------------------------------------------------------------------- */

Test(shell, the_four_latencies_are_separate)
{
    uint64_t conn = private_stream(),
             public = open_socket(5, "fstream.binance.com", "/public/ws/btcusdt@trade", "");
    static const int ms[] = { 7, 2, 3, 1 }; /* feed, order, ack, private */

    for (int line = 0; line < SIM_LINE_COUNT; line++) {
        delay.low_ns[line] = delay.high_ns[line] = ms[line] * MS;
    }
    int64_t sent_ns = now_ns;
    cr_assert_null(rest("POST", "/fapi/v1/order", "!symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.010"));
    cr_assert_eq(sim_venue_order_count(venue), 0, "it is still on its way");
    run(2);
    cr_assert_eq(sim_venue_order_count(venue), 1);
    cr_assert_null(event(conn, "ORDER_TRADE_UPDATE", 0));
    run(20);
    cr_assert_eq(net->sent[index_of(conn, "ORDER_TRADE_UPDATE")].at_ns, sent_ns + 3 * MS);
    cr_assert_eq(net->sent[index_of(public, "trade")].at_ns, sent_ns + 9 * MS);
    const struct sent *reply = last_of(60);
    cr_assert_eq(reply->at_ns, sent_ns + 5 * MS, "the private report came before the reply");
}

/* --- faults -------------------------------------------------------------------------------------------- */

Test(shell, unknown_outcomes_leave_the_order_live)
{
    fault("timeout_1007:ms=10000,count=1,scope=place");
    cr_assert_null(rest("POST", "/fapi/v1/order", ORDER "t"));
    cr_assert_eq(sim_venue_order_count(venue), 1);
    run(10001);
    cr_assert_eq(code_of(last_of(60)), -1007);
    fault("unknown_503:count=1,scope=place");
    struct sent *sent = rest("POST", "/fapi/v1/order", ORDER "u");
    cr_assert_eq(sent->status, 503);
    cr_assert_str_eq(
        text_of(rest("GET", "/fapi/v1/order", "!symbol=BTCUSDT&origClientOrderId=u")->json, "status"), "NEW");
    fault("no_reply:count=1,scope=cancel");
    cr_assert_null(rest("DELETE", "/fapi/v1/order", "!symbol=BTCUSDT&origClientOrderId=u"));
    cr_assert_str_eq(
        text_of(rest("GET", "/fapi/v1/order", "!symbol=BTCUSDT&origClientOrderId=u")->json, "status"),
        "CANCELED");
}

Test(shell, refusals_on_request_do_nothing)
{
    fault("reject:code=-2019,count=1,scope=place");
    cr_assert_eq(code_of(rest("POST", "/fapi/v1/order", ORDER "a")), -2019);
    fault("rate_limit:count=1,scope=usdm-rest");
    struct sent *sent = rest("POST", "/fapi/v1/order", ORDER "a");
    cr_assert_eq(sent->status, 429);
    cr_assert_eq(code_of(sent), -1003);
    cr_assert_eq(sim_venue_order_count(venue), 0);
    cr_assert_eq(rest("POST", "/fapi/v1/order", ORDER "a")->status, 200);
}

Test(shell, private_events_are_doubled_lost_or_turned_round)
{
    uint64_t conn = private_stream();

    fault("dup_reports:count=1,scope=usdm-private");
    rest("POST", "/fapi/v1/order", ORDER "a");
    cr_assert_str_eq(text_of(event(conn, "ORDER_TRADE_UPDATE", 1), "o.c"), "a", "the same NEW twice");
    fault("drop_private:count=1");
    rest("POST", "/fapi/v1/order", ORDER "b");
    cr_assert_null(event(conn, "ORDER_TRADE_UPDATE", 2));
    fault("reorder_reports:count=1");
    rest("POST", "/fapi/v1/order", ORDER "c");
    rest("DELETE", "/fapi/v1/order", "!symbol=BTCUSDT&origClientOrderId=c");
    cr_assert_str_eq(text_of(event(conn, "ORDER_TRADE_UPDATE", 2), "o.x"), "CANCELED");
    cr_assert_str_eq(text_of(event(conn, "ORDER_TRADE_UPDATE", 3), "o.x"), "NEW");
}

Test(shell, a_lost_frame_breaks_the_link)
{
    uint64_t conn = open_socket(6, "fstream.binance.com", "/public/ws/btcusdt@depth@0ms", "");

    sim_source_touch(&source, 0, 5999990, 6000000, 100, 100, now_ns);
    run(1);
    fault("gap:count=1,stream=usdm-public");
    sim_source_touch(&source, 0, 5999980, 6000000, 100, 100, now_ns);
    run(1);
    sim_source_touch(&source, 0, 5999970, 6000000, 100, 100, now_ns);
    run(1);
    cr_assert_str_neq(text_of(event(conn, "depthUpdate", 1), "pu"),
                      text_of(event(conn, "depthUpdate", 0), "u"));
    cr_assert_null(event(conn, "depthUpdate", 2));
}

Test(shell, moments_strike_their_scope)
{
    uint64_t private = private_stream();
    uint64_t public = open_socket(5, "fstream.binance.com", "/public/stream", "streams=btcusdt@trade");

    fault("disconnect:at=1s,stream=usdm-public");
    run(999);
    cr_assert_eq(last_of(public), NULL);
    run(2);
    cr_assert_eq(last_of(public)->status, -1);
    fault("server_shutdown:ms=500,stream=usdm-private");
    run(1);
    cr_assert_not_null(event(private, "serverShutdown", 0));
    run(500);
    cr_assert_eq(last_of(private)->status, -2);
}

Test(shell, an_expired_listen_key_leaves_an_open_silent_socket)
{
    uint64_t conn = private_stream();

    fault("listenkey_expired");
    run(1);
    cr_assert_not_null(event(conn, "listenKeyExpired", 0));
    rest("POST", "/fapi/v1/order", ORDER "a");
    cr_assert_null(event(conn, "ORDER_TRADE_UPDATE", 0));
    cr_assert_eq(code_of(rest("PUT", "/fapi/v1/listenKey", "")), -1125);
}

Test(shell, silence_is_of_streams_only)
{
    uint64_t conn = open_socket(5, "fstream.binance.com", "/public/ws/btcusdt@trade", "");

    fault("silence:for=2s,stream=usdm-public");
    sim_source_trade(&source, 0, 6000010, 10, false, now_ns);
    run(1);
    cr_assert_null(event(conn, "trade", 0));
    cr_assert_eq(rest("GET", "/fapi/v1/ping", "")->status, 200);
    run(2000);
    sim_source_trade(&source, 0, 6000010, 10, false, now_ns);
    run(1);
    cr_assert_not_null(event(conn, "trade", 0));
}

Test(shell, the_venues_clock_can_be_wrong)
{
    fault("clock_skew:ms=7000");
    cr_assert_eq(code_of(rest("GET", "/fapi/v3/balance", "!")), -1021);
    cr_assert_eq(atoll(text_of(rest("GET", "/fapi/v1/time", "")->json, "serverTime")), now_ns / MS + 7000);
}

Test(shell, queries_can_lag_behind_the_ack)
{
    fault("query_2013:ms=300");
    rest("POST", "/fapi/v1/order", ORDER "a");
    cr_assert_eq(code_of(rest("GET", "/fapi/v1/order", "!symbol=BTCUSDT&origClientOrderId=a")), -2013);
    run(301);
    cr_assert_eq(rest("GET", "/fapi/v1/order", "!symbol=BTCUSDT&origClientOrderId=a")->status, 200);
}

Test(shell, maintenance_halts_and_says_so)
{
    fault("maintenance:for=5s,scope=usdm");
    run(1100);
    cr_assert_eq(code_of(rest("POST", "/fapi/v1/order", ORDER "a")), -4140);
    cr_assert_str_eq(text_of(rest("GET", "/fapi/v1/exchangeInfo", "")->json, "symbols.0.status"),
                     "PENDING_TRADING");
    run(6000);
    cr_assert_eq(rest("POST", "/fapi/v1/order", ORDER "a")->status, 200);
}

Test(shell, a_liquidation_is_a_calculated_fill_with_the_venues_id)
{
    uint64_t conn = private_stream();

    rest("POST", "/fapi/v1/order", "!symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.010");
    fault("liquidate:scope=usdm,account=key");
    run(1);
    json_t *report = NULL;
    for (int i = 0; event(conn, "ORDER_TRADE_UPDATE", i) != NULL; i++) {
        report = event(conn, "ORDER_TRADE_UPDATE", i);
    }
    cr_assert_str_eq(text_of(report, "o.x"), "CALCULATED");
    cr_assert_str_eq(text_of(report, "o.X"), "FILLED");
    cr_assert_eq(strncmp(text_of(report, "o.c"), "autoclose-", 10), 0);
}

Test(shell, a_deleveraging_is_a_calculated_fill_of_a_share)
{
    uint64_t conn = private_stream();

    rest("POST", "/fapi/v1/order", "!symbol=BTCUSDT&side=BUY&type=MARKET&quantity=0.010");
    fault("deleverage:scope=usdm,account=key,p=0.3");
    run(1);
    json_t *report = NULL;
    for (int i = 0; event(conn, "ORDER_TRADE_UPDATE", i) != NULL; i++) {
        report = event(conn, "ORDER_TRADE_UPDATE", i);
    }
    cr_assert_str_eq(text_of(report, "o.x"), "CALCULATED");
    cr_assert_str_eq(text_of(report, "o.c"), "adl_autoclose");
    cr_assert_str_eq(text_of(report, "o.l"), "0.003");
}

Test(shell, a_coarser_tick_is_in_the_filters_and_the_refusals)
{
    fault("tick_size:scope=usdm,ms=10");
    run(1);
    cr_assert_eq(
        code_of(rest("POST", "/fapi/v1/order",
                     "!symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC&quantity=0.010&price=59000.1")),
        -4014);
    cr_assert_str_eq(text_of(rest("GET", "/fapi/v1/exchangeInfo", "")->json, "symbols.0.filters.0.tickSize"),
                     "1.00");
}

Test(shell, too_many_messages_close_the_stream)
{
    uint64_t conn = open_socket(5, "fstream.binance.com", "/public/ws", "");

    for (int i = 0; i < 11; i++) {
        tell(conn, "{\"method\":\"LIST_SUBSCRIPTIONS\",\"id\":%d}", i);
    }
    cr_assert_eq(last_of(conn)->status, -2);
}

Test(shell, pings_come_at_the_venues_pace_and_silence_ends_the_connection)
{
    uint64_t spot = open_socket(8, "stream.binance.com", "/ws/btcusdt@trade", "");

    run(19000);
    cr_assert_null(last_of(spot));
    run(2500);
    cr_assert_eq(last_of(spot)->status, -3);
    run(60000);
    cr_assert_eq(last_of(spot)->status, -2, "no pong within 60 s");
}

Test(shell, metadata_names_every_filter)
{
    struct sent *usdm = rest("GET", "/fapi/v1/exchangeInfo", ""),
                *coinm = rest("GET", "/dapi/v1/exchangeInfo", "");
    struct sent *spot = rest("GET", "/api/v3/exchangeInfo", "");

    cr_assert_str_eq(text_of(usdm->json, "symbols.0.filters.0.tickSize"), "0.10");
    cr_assert_str_eq(text_of(usdm->json, "symbols.0.filters.1.stepSize"), "0.001");
    cr_assert_str_eq(text_of(usdm->json, "symbols.0.filters.6.notional"), "100");
    cr_assert_str_eq(text_of(coinm->json, "symbols.0.contractSize"), "100");
    cr_assert_str_eq(text_of(coinm->json, "symbols.0.contractStatus"), "TRADING");
    cr_assert_str_eq(text_of(coinm->json, "symbols.0.status"), "");
    cr_assert_str_eq(text_of(spot->json, "symbols.0.filters.1.stepSize"), "0.00001000");
    cr_assert_str_eq(
        text_of(rest("GET", "/dapi/v1/premiumIndex", "symbol=BTCUSD_PERP")->json, "0.lastFundingRate"),
        "0.00010000");
}

Test(shell, the_day_sums_up_the_trades_it_saw)
{
    uint64_t market = open_socket(9, "fstream.binance.com", "/market/stream", "streams=btcusdt@ticker");

    /* 60000.0 x 2, 60030.0 x 1: 180030 over 3; on COIN-M 100 USD a contract, 100/60000 + 100/50000 coins */
    sim_source_trade(&source, 0, 6000000, 2000, false, now_ns);
    sim_source_trade(&source, 0, 6003000, 1000, true, now_ns);
    sim_source_trade(&source, 1, 600000, 1, false, now_ns);
    sim_source_trade(&source, 1, 500000, 1, false, now_ns);
    run(1100);

    const json_t *day = rest("GET", "/fapi/v1/ticker/24hr", "symbol=BTCUSDT")->json;
    cr_assert_str_eq(text_of(day, "openPrice"), "60000.00");
    cr_assert_str_eq(text_of(day, "highPrice"), "60030.00");
    cr_assert_str_eq(text_of(day, "lastPrice"), "60030.00");
    cr_assert_str_eq(text_of(day, "priceChange"), "30.00");
    cr_assert_str_eq(text_of(day, "priceChangePercent"), "0.050");
    cr_assert_str_eq(text_of(day, "weightedAvgPrice"), "60010.00");
    cr_assert_str_eq(text_of(day, "volume"), "3.000");
    cr_assert_str_eq(text_of(day, "quoteVolume"), "180030.00000000");
    cr_assert_str_eq(text_of(day, "count"), "2");
    cr_assert_str_eq(text_of(event(market, "24hrTicker", 0), "c"), "60030.00");

    const json_t *coin = rest("GET", "/dapi/v1/ticker/24hr", "")->json;
    cr_assert_str_eq(text_of(coin, "0.baseVolume"), "0.00366666");
    cr_assert_str_eq(text_of(coin, "0.weightedAvgPrice"), "54545.5", "harmonic: 200 / 0.00366666");
    cr_assert_str_eq(text_of(coin, "0.priceChange"), "-10000.0");

    const json_t *trades = rest("GET", "/fapi/v1/trades", "symbol=BTCUSDT&limit=1")->json;
    cr_assert_eq(json_array_size(trades), 1);
    cr_assert_str_eq(text_of(trades, "0.price"), "60030.00", "the newest");
    cr_assert_str_eq(text_of(trades, "0.quoteQty"), "60030.00000000");
    cr_assert_str_eq(text_of(trades, "0.isBuyerMaker"), "true");
    cr_assert_str_eq(text_of(rest("GET", "/fapi/v1/aggTrades", "symbol=BTCUSDT")->json, "0.p"), "60000.00");
    cr_assert_eq(code_of(rest("GET", "/fapi/v1/trades", "symbol=BTCUSDT&limit=1001")), -1130);
}

Test(shell, old_trades_are_found_by_id_and_by_time)
{
    char params[128];

    for (int i = 0; i < 5; i++) {
        sim_source_trade(&source, 0, 6000000 + 100 * i, 1000, false, now_ns);
        run(1000);
    }
    const json_t *all = rest("GET", "/fapi/v1/trades", "symbol=BTCUSDT")->json;
    cr_assert_eq(json_array_size(all), 5);

    snprintf(params, sizeof params, "symbol=BTCUSDT&limit=2&fromId=%s", text_of(all, "1.id"));
    const json_t *by_id = rest("GET", "/fapi/v1/historicalTrades", params)->json;
    cr_assert_eq(json_array_size(by_id), 2);
    cr_assert_str_eq(text_of(by_id, "0.price"), "60001.00", "ascending from the id");
    cr_assert_eq(json_array_size(rest("GET", "/fapi/v1/aggTrades", params)->json), 2);
    cr_assert_str_eq(text_of(rest("GET", "/fapi/v1/trades", params)->json, "0.price"), "60003.00",
                     "the recent ones know no id");

    snprintf(params, sizeof params, "symbol=BTCUSDT&startTime=%s&endTime=%s", text_of(all, "1.time"),
             text_of(all, "3.time"));
    const json_t *by_time = rest("GET", "/fapi/v1/aggTrades", params)->json;
    cr_assert_eq(json_array_size(by_time), 3);
    cr_assert_str_eq(text_of(by_time, "0.p"), "60001.00");
}

Test(shell, candles_add_up_the_trades_of_their_time)
{
    /* START is 08:21:46 UTC: three trades share a minute, the fourth comes two minutes later. */
    sim_source_trade(&source, 2, 6000000, 100000000, false, now_ns); /* 60000.00 x 1, the buyer took */
    run(1000);
    sim_source_trade(&source, 2, 6003000, 200000000, true, now_ns); /* 60030.00 x 2, the seller took */
    run(1000);
    sim_source_trade(&source, 2, 6001000, 100000000, false, now_ns);
    run(118000);
    sim_source_trade(&source, 2, 5990000, 100000000, false, now_ns);
    run(0);

    const json_t *rows = rest("GET", "/api/v3/klines", "symbol=BTCUSDT&interval=1m")->json;
    cr_assert_eq(json_array_size(rows), 3, "nothing is told of the time before the first trade");
    static const char *const first[] = {
        "1786522860000",  "60000.00000000",  "60030.00000000",
        "60000.00000000", "60010.00000000",  "4.00000000",
        "1786522919999",  "240070.00000000", "3",
        "2.00000000",     "120010.00000000", "0",
    };
    for (int k = 0; k < 12; k++) {
        char path[16];
        snprintf(path, sizeof path, "0.%d", k);
        cr_assert_str_eq(text_of(rows, path), first[k], "%s", path);
    }
    cr_assert_str_eq(text_of(rows, "1.1"), "60010.00000000",
                     "a quiet minute stays where the last one closed");
    cr_assert_str_eq(text_of(rows, "1.2"), "60010.00000000");
    cr_assert_str_eq(text_of(rows, "1.5"), "0.00000000");
    cr_assert_str_eq(text_of(rows, "1.8"), "0");
    cr_assert_str_eq(text_of(rows, "2.1"), "59900.00000000");

    const json_t *hour = rest("GET", "/api/v3/klines", "symbol=BTCUSDT&interval=1h")->json;
    cr_assert_eq(json_array_size(hour), 1);
    cr_assert_str_eq(text_of(hour, "0.0"), "1786521600000");
    cr_assert_str_eq(text_of(hour, "0.1"), "60000.00000000");
    cr_assert_str_eq(text_of(hour, "0.3"), "59900.00000000");
    cr_assert_str_eq(text_of(hour, "0.4"), "59900.00000000");
    cr_assert_str_eq(text_of(hour, "0.8"), "4");
    /* 12 August 2026 is a Wednesday: the week began on the 10th, the month on the 1st */
    cr_assert_str_eq(text_of(rest("GET", "/api/v3/klines", "symbol=BTCUSDT&interval=1w")->json, "0.0"),
                     "1786320000000");
    cr_assert_str_eq(text_of(rest("GET", "/api/v3/klines", "symbol=BTCUSDT&interval=1M")->json, "0.0"),
                     "1785542400000");
    cr_assert_str_eq(text_of(rest("GET", "/api/v3/klines", "symbol=BTCUSDT&interval=1M")->json, "0.6"),
                     "1788220799999", "August has 31 days");

    const json_t *newest = rest("GET", "/api/v3/klines", "symbol=BTCUSDT&interval=1m&limit=1")->json;
    cr_assert_eq(json_array_size(newest), 1);
    cr_assert_str_eq(text_of(newest, "0.0"), "1786522980000");
    const json_t *since =
        rest("GET", "/api/v3/klines", "symbol=BTCUSDT&interval=1m&startTime=1786522860001&limit=1")->json;
    cr_assert_str_eq(text_of(since, "0.0"), "1786522920000", "the first that opens at or after the time");
    cr_assert_eq(json_array_size(rest("GET", "/api/v3/klines", "symbol=BTCUSDT&interval=1s")->json), 121);
    cr_assert_eq(json_array_size(rest("GET", "/fapi/v1/klines", "symbol=BTCUSDT&interval=1m")->json), 0,
                 "nothing traded there");

    cr_assert_str_eq(text_of(rest("GET", "/api/v3/avgPrice", "symbol=BTCUSDT")->json, "price"),
                     "59994.00000000", "299970 over 5");
    cr_assert_eq(code_of(rest("GET", "/fapi/v1/klines", "symbol=BTCUSDT&interval=1s")), -1120, "spot only");
    cr_assert_eq(code_of(rest("GET", "/api/v3/klines", "symbol=BTCUSDT")), -1102);
    cr_assert_eq(code_of(rest("GET", "/api/v3/klines", "symbol=NOSUCH&interval=1m")), -1121);
    cr_assert_eq(code_of(rest("GET", "/dapi/v1/continuousKlines", "pair=BTCUSD&interval=1m")), -1102);
    cr_assert_eq(
        json_array_size(
            rest("GET", "/dapi/v1/continuousKlines", "pair=BTCUSD&contractType=PERPETUAL&interval=1m")->json),
        0);
}

Test(shell, a_candle_stream_closes_each_candle_once)
{
    uint64_t market = open_socket(9, "fstream.binance.com", "/market/ws/btcusdt@kline_1m", "");
    uint64_t wrong = open_socket(8, "fstream.binance.com", "/public/ws/btcusdt@kline_1m", "");

    run(2000);
    cr_assert_null(event(market, "kline", 0), "nothing has traded");
    sim_source_trade(&source, 0, 6000000, 1000, false, now_ns);
    run(20000); /* the minute ends 14 s after START */
    int closed = 0;
    for (int i = 0; event(market, "kline", i) != NULL; i++) {
        const json_t *k = json_object_get(event(market, "kline", i), "k");
        bool over = strcmp(text_of(k, "x"), "true") == 0;
        closed += over;
        cr_assert_str_eq(text_of(k, "t"), over || closed == 0 ? "1786522860000" : "1786522920000");
        cr_assert_str_eq(text_of(k, "c"), "60000.00");
        cr_assert_str_eq(text_of(k, "v"), closed == 0 || over ? "1.000" : "0.000");
    }
    cr_assert_eq(closed, 1);
    cr_assert_null(event(wrong, "kline", 0), "candles live on the market route");
}

/* the nth message of a connection that is a list, NULL when there is none */
static const json_t *list(uint64_t conn, int nth)
{
    for (int i = 0; i < net->count; i++) {
        const json_t *json = net->sent[i].json;
        json = json_object_get(json, "data") != NULL ? json_object_get(json, "data") : json;
        if (net->sent[i].conn == conn && json_is_array(json) && nth-- == 0) {
            return json;
        }
    }
    return NULL;
}

Test(shell, streams_of_every_symbol_mix_both_futures_products)
{
    uint64_t marks = open_socket(2, "fstream.binance.com", "/market/ws/!markPrice@arr@1s", "");
    uint64_t slow = open_socket(3, "dstream.binance.com", "/ws/!markPrice@arr", "");
    uint64_t days = open_socket(4, "dstream.binance.com", "/stream", "streams=!ticker@arr");
    uint64_t spot = open_socket(5, "stream.binance.com", "/ws/!miniTicker@arr", "");
    uint64_t books = open_socket(6, "fstream.binance.com", "/public/ws/!bookTicker", "");
    uint64_t wrong = open_socket(7, "fstream.binance.com", "/public/ws/!ticker@arr", "");
    uint64_t none = open_socket(8, "stream.binance.com", "/ws/!bookTicker", "");

    run(6000);
    cr_assert_eq(json_array_size(list(marks, 0)), 2);
    cr_assert_str_eq(text_of(list(marks, 0), "0.s"), "BTCUSDT");
    cr_assert_str_eq(text_of(list(marks, 0), "0.st"), "1");
    cr_assert_str_eq(text_of(list(marks, 0), "1.s"), "BTCUSD_PERP");
    cr_assert_str_eq(text_of(list(marks, 0), "1.st"), "2");
    cr_assert_not_null(list(marks, 5), "every second");
    cr_assert_not_null(list(slow, 1), "every three seconds");
    cr_assert_null(list(slow, 2));
    cr_assert_eq(json_array_size(list(days, 0)), 2);
    cr_assert_str_eq(text_of(list(days, 0), "1.e"), "24hrTicker");
    cr_assert_eq(json_array_size(list(spot, 0)), 1);
    cr_assert_str_eq(text_of(list(spot, 0), "0.e"), "24hrMiniTicker");
    cr_assert_str_eq(text_of(event(books, "bookTicker", 0), "s"), "BTCUSDT");
    cr_assert_str_eq(text_of(event(books, "bookTicker", 1), "s"), "BTCUSD_PERP");
    cr_assert_str_eq(text_of(event(books, "bookTicker", 0), "b"), "60000.00");
    cr_assert_null(event(books, "bookTicker", 2), "every five seconds");
    cr_assert_null(list(wrong, 0));
    cr_assert_null(event(none, "bookTicker", 0), "spot has none");
}

Test(shell, spot_takes_a_list_of_symbols)
{
    cr_assert_eq(json_array_size(rest("GET", "/api/v3/ticker/price", "symbols=%5B%22BTCUSDT%22%5D")->json),
                 1);
    cr_assert_str_eq(text_of(rest("GET", "/api/v3/ticker/24hr", "symbols=[%22BTCUSDT%22]")->json, "0.symbol"),
                     "BTCUSDT");
    const json_t *info = rest("GET", "/api/v3/exchangeInfo", "symbols=[%22BTCUSDT%22]")->json;
    cr_assert_eq(json_array_size(json_object_get(info, "symbols")), 1);
    cr_assert_eq(code_of(rest("GET", "/api/v3/exchangeInfo", "symbols=[%22BTCUSDT%22,%22NOSUCH%22]")), -1121);
    cr_assert_eq(code_of(rest("GET", "/api/v3/ticker/price", "symbols=[]")), -1100);
    cr_assert_eq(code_of(rest("GET", "/api/v3/ticker/price", "symbol=BTCUSDT&symbols=[%22BTCUSDT%22]")),
                 -1101);
    cr_assert_eq(code_of(rest("GET", "/api/v3/exchangeInfo", "symbol=NOSUCH")), -1121);
}

Test(shell, spots_statistics_come_in_three_sizes_and_under_the_old_path)
{
    sim_source_trade(&source, 2, 6000000, 200000000, false, now_ns);
    sim_source_trade(&source, 2, 6003000, 100000000, true, now_ns);
    run(0);

    static const char *const asked[][3] = {
        { "/api/v3/ticker/24hr", "symbol=BTCUSDT", "yes" },
        { "/api/v3/ticker", "symbol=BTCUSDT&windowSize=1h", "no" },
        { "/api/v3/ticker/tradingDay", "symbol=BTCUSDT", "no" },
        { "/api/v1/ticker/24hr", "symbol=BTCUSDT", "yes" },
    };
    for (size_t n = 0; n < sizeof asked / sizeof asked[0]; n++) {
        const json_t *day = rest("GET", asked[n][0], asked[n][1])->json;
        cr_assert_str_eq(text_of(day, "priceChange"), "30.00000000", "%s", asked[n][0]);
        cr_assert_str_eq(text_of(day, "lastPrice"), "60030.00000000");
        cr_assert_str_eq(text_of(day, "volume"), "3.00000000");
        cr_assert_eq(json_object_get(day, "bidPrice") != NULL, asked[n][2][0] == 'y');
    }
    const json_t *mini = rest("GET", "/api/v3/ticker", "symbols=[%22BTCUSDT%22]&type=MINI")->json;
    cr_assert_str_eq(text_of(mini, "0.highPrice"), "60030.00000000");
    cr_assert_null(json_object_get(json_array_get(mini, 0), "priceChange"));
    cr_assert_eq(code_of(rest("GET", "/api/v3/ticker", "")), -1102);

    cr_assert_not_null(json_object_get(rest("GET", "/api/v1/exchangeInfo", "")->json, "symbols"));
    cr_assert_not_null(json_object_get(rest("GET", "/api/v1/depth", "symbol=BTCUSDT")->json, "bids"));
    cr_assert_eq(rest("GET", "/api/v1/account", "!")->status, 404, "what is signed was never there");
}

Test(shell, open_interest_is_what_our_accounts_hold)
{
    const json_t *none = rest("GET", "/fapi/v1/openInterest", "symbol=BTCUSDT")->json;
    cr_assert_str_eq(text_of(none, "openInterest"), "0.000");
    rest("POST", "/fapi/v1/order", "!symbol=BTCUSDT&side=SELL&type=MARKET&quantity=0.02");
    run(50);
    cr_assert_str_eq(text_of(rest("GET", "/fapi/v1/openInterest", "symbol=BTCUSDT")->json, "openInterest"),
                     "0.020");
    const json_t *coin = rest("GET", "/dapi/v1/openInterest", "symbol=BTCUSD_PERP")->json;
    cr_assert_str_eq(text_of(coin, "openInterest"), "0");
    cr_assert_str_eq(text_of(coin, "pair"), "BTCUSD");
    cr_assert_eq(code_of(rest("GET", "/fapi/v1/openInterest", "")), -1102);
}

Test(shell, the_test_hosts_serve_what_they_serve_at_the_venue)
{
    uint64_t linear = open_socket(2, "stream.binancefuture.com", "/ws/btcusdt@bookTicker", "");
    uint64_t inverse = open_socket(3, "testnet.binancefuture.com", "/ws-dapi/v1", "");
    uint64_t spot = open_socket(4, "stream.testnet.binance.vision", "/ws/btcusdt@bookTicker", "");
    struct sim_request request = { .conn = 60,
                                   .verb = "GET",
                                   .query = "symbol=BTCUSD_PERP",
                                   .body = "",
                                   .path = "/dapi/v1/depth",
                                   .host = "testnet.binancefuture.com",
                                   .key = "" };
    int before = net->count;

    bn_shell_request(shell, &request);
    run(0);
    cr_assert_eq(net->sent[before].status, 200);
    cr_assert_str_eq(text_of(net->sent[before].json, "symbol"), "BTCUSD_PERP");
    sim_source_touch(&source, 0, 6000010, 6000020, 5000, 5000, now_ns);
    sim_source_touch(&source, 2, 6000010, 6000020, 500000000, 500000000, now_ns);
    run(0);
    cr_assert_str_eq(text_of(event(linear, "bookTicker", 0), "st"), "1");
    tell(inverse, "{\"id\":1,\"method\":\"ticker.book\",\"params\":{\"symbol\":\"BTCUSD_PERP\"}}");
    bool answered = false, ticked = false;
    for (int i = before; i < net->count; i++) {
        answered |= net->sent[i].conn == inverse && strcmp(text_of(net->sent[i].json, "status"), "200") == 0;
        ticked |= net->sent[i].conn == spot && strcmp(text_of(net->sent[i].json, "s"), "BTCUSDT") == 0;
    }
    cr_assert(answered && ticked);
}
