/* The Deribit shell without a socket: requests go in by its handlers, what it sends is caught here in place
 * of sim_net, and time is an argument. */
#include "tools/sim/deribit/db_shell.h"
#include "tools/sim/sim_source.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <math.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define START    INT64_C(1786522906000000000)
#define MS       INT64_C(1000000)
#define SENT_MAX 4096

/* --- a net that remembers ----------------------------------------------------------------------------- */

struct sent {
    uint64_t conn;
    int64_t at_ns;
    int status; /* HTTP; 0 for a text; -1 cut; -2 close */
    json_t *json;
    char *raw;
};

struct sim_net {
    struct sent sent[SENT_MAX];
    int count;
    void *session[64];
};

static struct sim_net *net;
static int64_t now_ns;

static void add(uint64_t conn, int status, const char *text, size_t length)
{
    struct sent *sent = &net->sent[net->count++];

    cr_assert_lt(net->count, SENT_MAX);
    *sent = (struct sent){ .conn = conn, .at_ns = now_ns, .status = status };
    if (text != NULL && length > 0) {
        sent->raw = strndup(text, length);
        sent->json = json_loadb(text, length, JSON_DECODE_ANY | JSON_REJECT_DUPLICATES, NULL);
        cr_assert_not_null(sent->json, "not JSON: %.*s", (int)length, text);
    }
}

void sim_net_reply(struct sim_net *n, uint64_t conn, int status, const char *headers, const char *type,
                   const char *body, size_t length)
{
    (void)n;
    (void)headers;
    (void)type;
    add(conn, status, body, length);
}

void sim_net_text(struct sim_net *n, uint64_t conn, const char *text, size_t length)
{
    (void)n;
    add(conn, 0, text, length);
}

void sim_net_ping(struct sim_net *n, uint64_t conn, const char *payload, size_t length)
{
    (void)n;
    (void)conn;
    (void)payload;
    (void)length;
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

static struct db_shell *shell;
static struct sim_venue *venue;
static struct sim_faults faults;
static struct sim_delay delay;
static struct sim_source source;
static struct db_options options;
static int next_id;

static void run(int64_t ms);

static void begin(void)
{
    const struct sim_rules rules = db_market_rules();

    now_ns = START;
    next_id = 1;
    net = calloc(1, sizeof *net);
    memset(&faults, 0, sizeof faults);
    sim_random_seed(&faults.random, 1, 4);
    sim_delay_init(&delay, 1);
    shell = db_shell_new(&options, &faults, &delay);
    venue = sim_venue_new(1, SIM_CANCEL_AHEAD_NONE, db_shell_emit, shell);
    sim_venue_rules(venue, &rules);
    db_shell_attach(shell, venue, net, now_ns);
    for (int at = 0; at < DB_MARKET_COUNT; at++) {
        struct sim_instrument contract = db_market_contract((enum db_place)at, now_ns);
        sim_venue_add_instrument(venue, &contract);
    }
    int account = sim_venue_add_account(venue, "cid");
    cr_assert(db_market_balances(venue, account, "BTC=1,USDC=10000"));
    cr_assert(db_shell_add_key(shell, account, "cid", "secret"));
    account = sim_venue_add_account(venue, "other");
    cr_assert(db_market_balances(venue, account, "BTC=1"));
    cr_assert(db_shell_add_key(shell, account, "other", "hidden"));
    source = (struct sim_source){ .mode = SIM_SOURCE_SET, .venue = venue, .speed_ppm = 1000000 };
    source.middle_of = db_market_middle;
    sim_random_seed(&source.random, 1, 5);
    db_shell_time(shell, now_ns);
    db_shell_step(shell, now_ns);
    sim_source_start(&source, now_ns);
    sim_source_touch(&source, DB_BTC_PERP, 600000, 600005, 5000, 5000, now_ns);
    sim_source_touch(&source, DB_BTC_DATED, 610000, 610025, 5000, 5000, now_ns);
    sim_source_touch(&source, DB_USDC_SPOT, 60000, 60001, 10000, 10000, now_ns);
    run(0);
}

static void set_up(void)
{
    options = db_shell_usual();
    options.limits = false;
    options.choices.first = DB_ONE_WAY;
    begin();
}

static void tear_down(void)
{
    for (int i = 0; i < 64; i++) {
        if (net->session[i] != NULL) {
            db_shell_closed(shell, (uint64_t)i, net->session[i]);
        }
    }
    for (int i = 0; i < net->count; i++) {
        json_decref(net->sent[i].json);
        free(net->sent[i].raw);
    }
    db_shell_free(shell);
    sim_venue_free(venue);
    free(net);
}

TestSuite(deribit, .init = set_up, .fini = tear_down);

/* run lets time pass, doing everything in its order. */
static void run(int64_t ms)
{
    int64_t end = now_ns + ms * MS;

    for (;;) {
        int64_t next = db_shell_next_ns(shell), advance = sim_venue_next_ns(venue);
        next = next < advance ? next : advance;
        if (next > end) {
            break;
        }
        now_ns = next > now_ns ? next : now_ns;
        sim_venue_advance(venue, now_ns);
        db_shell_settled(shell, now_ns);
        db_shell_step(shell, now_ns);
    }
    now_ns = end;
    db_shell_time(shell, now_ns);
}

static void fault(const char *spec)
{
    char error[256];

    cr_assert(sim_fault_add(&faults, spec, now_ns, error, sizeof error), "%s", error);
}

static const json_t *at_path(const json_t *json, const char *path)
{
    char copy[128], *save = NULL;

    snprintf(copy, sizeof copy, "%s", path);
    for (char *part = strtok_r(copy, ".", &save); part != NULL && json != NULL;
         part = strtok_r(NULL, ".", &save)) {
        json = part[0] >= '0' && part[0] <= '9' ? json_array_get(json, (size_t)atoi(part))
                                                : json_object_get(json, part);
    }
    return json;
}

/* text_of answers a member as text: "" when absent or null. */
static const char *text_of(const json_t *json, const char *path)
{
    static char number[16][64];
    static int at;

    json = at_path(json, path);
    at = (at + 1) % 16;
    if (json_is_string(json)) {
        return json_string_value(json);
    }
    if (json_is_boolean(json)) {
        return json_is_true(json) ? "true" : "false";
    }
    if (json_is_integer(json)) {
        snprintf(number[at], sizeof number[at], "%lld", (long long)json_integer_value(json));
    } else if (json_is_real(json)) {
        snprintf(number[at], sizeof number[at], "%.12g", json_real_value(json));
    } else {
        number[at][0] = '\0';
    }
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

static uint64_t open_socket(uint64_t conn)
{
    struct sim_request request = { .conn = conn,
                                   .verb = "GET",
                                   .path = "/ws/api/v2",
                                   .query = "",
                                   .host = "www.deribit.com",
                                   .key = "",
                                   .authorization = "" };

    net->session[conn] = db_shell_open(shell, &request);
    cr_assert_not_null(net->session[conn]);
    return conn;
}

static void hang_up(uint64_t conn)
{
    db_shell_closed(shell, conn, net->session[conn]);
    net->session[conn] = NULL;
    run(0);
}

/* reply_to answers what came for an id on a connection, NULL when nothing did. */
static json_t *reply_to(uint64_t conn, int id)
{
    for (int i = net->count - 1; i >= 0; i--) {
        const json_t *given = json_object_get(net->sent[i].json, "id");
        if (net->sent[i].conn == conn && given != NULL && json_integer_value(given) == id) {
            return net->sent[i].json;
        }
    }
    return NULL;
}

static int send_call(uint64_t conn, const char *method, const char *params)
{
    char text[4096];
    int id = next_id++;
    int length =
        snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":%d,\"method\":\"%s\",\"params\":{%s}}", id,
                 method, params);

    db_shell_message(shell, conn, net->session[conn], text, (size_t)length);
    return id;
}

static json_t *call(uint64_t conn, const char *method, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static json_t *call(uint64_t conn, const char *method, const char *format, ...)
{
    char params[2048];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(params, sizeof params, format, arguments);
    va_end(arguments);
    int id = send_call(conn, method, params);
    run(0);
    return reply_to(conn, id);
}

static int error_of(const json_t *reply)
{
    return (int)json_integer_value(at_path(reply, "error.code"));
}

static uint64_t log_in(uint64_t conn)
{
    open_socket(conn);
    cr_assert_not_null(at_path(call(conn, "public/auth",
                                    "\"grant_type\":\"client_credentials\",\"client_id\":\"cid\","
                                    "\"client_secret\":\"secret\""),
                               "result.access_token"));
    return conn;
}

/* the nth data (from 0) of a channel on a connection; NULL when absent */
static const json_t *data_of(uint64_t conn, const char *channel, int nth)
{
    for (int i = 0; i < net->count; i++) {
        if (net->sent[i].conn == conn && strcmp(text_of(net->sent[i].json, "params.channel"), channel) == 0 &&
            nth-- == 0) {
            return at_path(net->sent[i].json, "params.data");
        }
    }
    return NULL;
}

static int count_of(uint64_t conn, const char *channel)
{
    int count = 0;

    while (data_of(conn, channel, count) != NULL) {
        count++;
    }
    return count;
}

#define PLACE   "\"instrument_name\":\"BTC-PERPETUAL\",\"type\":\"limit\","
#define PASSIVE PLACE "\"amount\":100,\"price\":59000.0,\"post_only\":true,\"reject_post_only\":true"

/* --- envelope and errors ------------------------------------------------------------------------------ */

Test(deribit, a_reply_carries_the_id_as_it_came_and_the_times)
{
    open_socket(1);
    json_t *reply = call(1, "public/get_time", " ");

    cr_assert_str_eq(text_of(reply, "jsonrpc"), "2.0");
    cr_assert_str_eq(text_of(reply, "result"), "1786522906000");
    cr_assert_str_eq(text_of(reply, "usIn"), "1786522906000000");
    cr_assert_str_eq(text_of(reply, "usDiff"), "0");
    cr_assert_str_eq(text_of(reply, "testnet"), "false");

    static const char named[] = "{\"jsonrpc\":\"2.0\",\"id\":\"a-1\",\"method\":\"public/test\"}";
    db_shell_message(shell, 1, net->session[1], named, sizeof named - 1);
    run(0);
    cr_assert_str_eq(text_of(net->sent[net->count - 1].json, "id"), "a-1");
}

Test(deribit, a_request_that_is_none_is_refused_in_the_venues_words)
{
    static const struct {
        const char *text;
        int code;
    } cases[] = {
        { "{bad", -32700 },
        { "[]", -32600 },
        { "{\"jsonrpc\":\"2.0\",\"method\":\"public/test\"}", -32600 },
        { "{\"jsonrpc\":\"1.0\",\"id\":1,\"method\":\"public/test\"}", -32600 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1}", -32600 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"public/test\",\"params\":[]}", -32602 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"public/nothing\"}", -32601 },
        { "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"private/get_positions\"}", 10000 },
    };

    open_socket(1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        db_shell_message(shell, 1, net->session[1], cases[i].text, strlen(cases[i].text));
        run(0);
        cr_expect_eq(error_of(net->sent[net->count - 1].json), cases[i].code, "%s", cases[i].text);
    }
    uint64_t times;
    cr_assert_eq(db_shell_unknown_count(shell), 1);
    cr_assert_str_eq(db_shell_unknown(shell, 0, &times), "deribit public/nothing");

    char *large = malloc(40000);
    int length = snprintf(large, 40000,
                          "{\"jsonrpc\":\"2.0\",\"id\":9,\"method\":\"public/test\",\"x\":\"%035000d\"}", 0);
    db_shell_message(shell, 1, net->session[1], large, (size_t)length);
    run(0);
    cr_assert_str_eq(text_of(net->sent[net->count - 1].json, "error.data"), "request entity too large");
    free(large);
}

/* --- logging in --------------------------------------------------------------------------------------- */

Test(deribit, a_signature_is_checked_over_time_nonce_and_data)
{
    char covered[128], hex[65];
    int64_t ms = now_ns / MS;

    open_socket(1);
    snprintf(covered, sizeof covered, "%lld\nabc\n", (long long)ms);
    hmac_hex(covered, hex);
    for (int k = 0; k < 4; k++) {
        /* right; wrong signature; stale; a client nobody knows */
        static const int codes[] = { 0, 13009, 13009, 13004 };
        hex[0] = k == 1 ? (hex[0] == '0' ? '1' : '0') : hex[0];
        json_t *reply = call(1, "public/auth",
                             "\"grant_type\":\"client_signature\",\"client_id\":\"%s\",\"timestamp\":%lld,"
                             "\"nonce\":\"abc\",\"data\":\"\",\"signature\":\"%s\"",
                             k == 3 ? "nobody" : "cid", (long long)(k == 2 ? ms - 61000 : ms), hex);
        cr_expect_eq(error_of(reply), codes[k], "case %d", k);
        cr_expect_eq(at_path(reply, "result.access_token") != NULL, k == 0);
    }
}

Test(deribit, a_scope_gives_what_it_says_and_no_more)
{
    open_socket(1);
    json_t *reply =
        call(1, "public/auth",
             "\"grant_type\":\"client_credentials\",\"client_id\":\"cid\",\"client_secret\":\"secret\","
             "\"scope\":\"session:s1 trade:read\"");
    cr_assert_str_eq(text_of(reply, "result.scope"),
                     "account:none trade:read wallet:none session:s1 mainaccount");
    cr_assert_eq(error_of(call(1, "private/buy", PASSIVE)), 13021);
    cr_assert_eq(error_of(call(1, "private/get_account_summary", "\"currency\":\"BTC\"")), 13021);
    cr_assert_eq(error_of(call(1, "private/get_open_orders", " ")), 0);

    char refresh[128];
    snprintf(refresh, sizeof refresh, "%s", text_of(reply, "result.refresh_token"));
    cr_assert_eq(error_of(call(1, "public/auth", "\"grant_type\":\"refresh_token\",\"refresh_token\":\"%s\"",
                               refresh)),
                 0);
    cr_assert_eq(error_of(call(1, "public/auth", "\"grant_type\":\"refresh_token\",\"refresh_token\":\"%s\"",
                               refresh)),
                 13009, "a refresh token serves once");
}

static json_t *http(const char *verb, const char *path, const char *query, const char *body,
                    const char *authorization)
{
    struct sim_request request = { .conn = 60,
                                   .verb = verb,
                                   .path = path,
                                   .query = query,
                                   .host = "www.deribit.com",
                                   .key = "",
                                   .authorization = authorization,
                                   .body = body,
                                   .body_length = strlen(body) };

    cr_assert(db_shell_ours(&request));
    db_shell_request(shell, &request);
    run(0);
    return net->sent[net->count - 1].json;
}

Test(deribit, a_header_signs_the_target_and_the_body_as_sent)
{
    static const char query[] = "currency=BTC&extended=true";
    char covered[256], hex[65], header[256];
    long long ms = (long long)(now_ns / MS);

    snprintf(covered, sizeof covered, "%lld\nn1\nGET\n/api/v2/private/get_account_summary?%s\n\n", ms, query);
    hmac_hex(covered, hex);
    snprintf(header, sizeof header, "deri-hmac-sha256 id=cid,ts=%lld,sig=%s,nonce=n1", ms, hex);
    json_t *reply = http("GET", "/api/v2/private/get_account_summary", query, "", header);
    cr_assert_str_eq(text_of(reply, "result.currency"), "BTC");
    cr_assert_str_eq(text_of(reply, "result.equity"), "1");
    cr_assert_null(json_object_get(reply, "id"));
    /* the same header over another query is not a signature */
    cr_assert_eq(error_of(http("GET", "/api/v2/private/get_account_summary", "currency=BTC", "", header)),
                 13009);

    static const char body[] =
        "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"private/get_open_orders\",\"params\":{}}";
    snprintf(covered, sizeof covered, "%lld\nn2\nPOST\n/api/v2/private/get_open_orders\n%s\n", ms, body);
    hmac_hex(covered, hex);
    snprintf(header, sizeof header, "deri-hmac-sha256 id=cid,ts=%lld,sig=%s,nonce=n2", ms, hex);
    reply = http("POST", "/api/v2/private/get_open_orders", "", body, header);
    cr_assert_eq(error_of(reply), 0);
    cr_assert_str_eq(text_of(reply, "id"), "7");
    cr_assert_eq(error_of(http("GET", "/api/v2/private/get_open_orders", "", "", "Basic Y2lkOnNlY3JldA==")),
                 0);
    cr_assert_eq(error_of(http("GET", "/api/v2/private/get_open_orders", "", "", "Basic Y2lkOm5v")), 13004);
}

/* --- the book ----------------------------------------------------------------------------------------- */

Test(deribit, the_ack_comes_first_then_a_ticker_then_a_snapshot)
{
    log_in(1);
    int before = net->count;
    json_t *reply = call(1, "public/subscribe",
                         "\"channels\":[\"book.BTC-PERPETUAL.raw\",\"nonsense\",\"user.orders.any.any.raw\","
                         "\"ticker.BTC-PERPETUAL.100ms\"]");
    cr_assert_eq(json_array_size(at_path(reply, "result")), 2, "bad names and private ones are dropped");
    cr_assert_eq(net->count - before, 3);
    cr_assert_str_eq(text_of(net->sent[before + 1].json, "params.channel"), "ticker.BTC-PERPETUAL.100ms");
    const json_t *book = at_path(net->sent[before + 2].json, "params.data");
    cr_assert_str_eq(text_of(book, "type"), "snapshot");
    cr_assert_null(json_object_get(book, "prev_change_id"));
    cr_assert_str_eq(text_of(book, "bids.0.0"), "new");
    cr_assert_str_eq(text_of(book, "bids.0.1"), "60000");
    cr_assert_not_null(strstr(net->sent[before + 2].raw, "[\"new\",60000.0,5000.0]"),
                       "spelled as the venue does");
}

Test(deribit, changes_link_to_the_snapshot_and_to_each_other_at_every_pace)
{
    static const char *const channels[] = { "book.BTC-PERPETUAL.raw", "book.BTC-PERPETUAL.100ms",
                                            "book.BTC-PERPETUAL.agg2" };

    log_in(1);
    open_socket(2);
    call(1, "public/subscribe", "\"channels\":[\"%s\",\"%s\",\"%s\"]", channels[0], channels[1], channels[2]);
    for (int i = 0; i < 40; i++) {
        sim_source_touch(&source, DB_BTC_PERP, 600000 + 5 * (i % 7), 600005 + 5 * (i % 7), 5000 + 10 * i,
                         5000, now_ns);
        run(60);
        if (i == 20) { /* a second reader in the middle of everything */
            call(2, "public/subscribe", "\"channels\":[\"%s\",\"%s\"]", channels[1], channels[2]);
        }
    }
    run(2000);
    for (uint64_t conn = 1; conn <= 2; conn++) {
        for (int k = conn == 1 ? 0 : 1; k < 3; k++) {
            long long last = -1, touch = 0;
            int changes = 0;
            for (int n = 0; data_of(conn, channels[k], n) != NULL; n++) {
                const json_t *data = data_of(conn, channels[k], n);
                if (n > 0) {
                    cr_assert_eq(json_integer_value(json_object_get(data, "prev_change_id")), last);
                    changes++;
                }
                last = json_integer_value(json_object_get(data, "change_id"));
                size_t i;
                json_t *row;
                json_array_foreach(json_object_get(data, "bids"), i, row)
                {
                    if (strcmp(text_of(row, "1"), "60002") == 0) {
                        touch = atoll(text_of(row, "2"));
                    }
                }
            }
            cr_expect_gt(changes, k == 2 ? 0 : 5, "connection %d, %s", (int)conn, channels[k]);
            cr_expect_eq(touch, 5390, "connection %d, %s: what the book ends with", (int)conn, channels[k]);
            cr_expect_eq(last, sim_venue_market(venue, DB_BTC_PERP)->last_u);
        }
    }
}

Test(deribit, every_index_is_the_coins_from_the_first_second)
{
    open_socket(1);
    run(1000);
    const json_t *dated = at_path(call(1, "public/ticker", "\"instrument_name\":\"%s\"",
                                       sim_venue_market(venue, DB_BTC_DATED)->instrument.symbol),
                                  "result");
    cr_assert_str_eq(text_of(dated, "index_price"), "60000.5", "the middle of spot, not its own");
}

Test(deribit, an_asked_book_is_the_streams_at_its_change_id)
{
    const struct sim_level touch[] = { { 600000, 4000 }, { 600010, 700 } };
    struct sim_tape_event top = {
        .kind = SIM_TAPE_TOP, .instrument = DB_BTC_PERP, .bid_count = 1, .ask_count = 1, .levels = touch
    };

    log_in(1);
    call(1, "public/subscribe", "\"channels\":[\"book.BTC-PERPETUAL.raw\"]");
    top.u = sim_venue_market(venue, DB_BTC_PERP)->last_u + 5;
    sim_venue_tape(venue, &top, false, now_ns);
    run(50);
    const json_t *change = data_of(1, "book.BTC-PERPETUAL.raw", 1);
    cr_assert_not_null(change, "a touch that moves is a change of the book");
    const json_t *asked = at_path(
        call(1, "public/get_order_book", "\"instrument_name\":\"BTC-PERPETUAL\",\"depth\":5"), "result");
    cr_assert_str_eq(text_of(asked, "change_id"), text_of(change, "change_id"));
    cr_assert_str_eq(text_of(asked, "bids.0.1"), "4000");
    cr_assert_str_eq(text_of(asked, "asks.0.0"), "60001");
    cr_assert_str_eq(text_of(asked, "asks.0.1"), "700");
    cr_assert_str_eq(text_of(asked, "best_ask_price"), "60001");
    cr_assert_str_eq(text_of(asked, "best_bid_amount"), "4000");
}

Test(deribit, a_lost_change_leaves_a_gap_that_a_new_subscription_heals)
{
    log_in(1);
    call(1, "public/subscribe", "\"channels\":[\"book.BTC-PERPETUAL.raw\"]");
    fault("gap:count=1,scope=deribit-public");
    for (int i = 1; i <= 3; i++) {
        sim_source_touch(&source, DB_BTC_PERP, 600000, 600005, 5000 + 10 * i, 5000, now_ns);
        run(10);
    }
    const char *channel = "book.BTC-PERPETUAL.raw";
    int heard = count_of(1, channel);
    cr_assert_str_neq(text_of(data_of(1, channel, 1), "prev_change_id"),
                      text_of(data_of(1, channel, 0), "change_id"));
    call(1, "public/unsubscribe", "\"channels\":[\"book.BTC-PERPETUAL.raw\"]");
    call(1, "public/subscribe", "\"channels\":[\"book.BTC-PERPETUAL.raw\"]");
    cr_assert_eq(count_of(1, channel), heard + 1);
    cr_assert_str_eq(text_of(data_of(1, channel, heard), "type"), "snapshot");
}

Test(deribit, raw_wants_a_log_in)
{
    open_socket(1);
    cr_assert_eq(error_of(call(1, "public/subscribe", "\"channels\":[\"book.BTC-PERPETUAL.raw\"]")), 13778);
    cr_assert_eq(error_of(call(1, "public/subscribe", "\"channels\":[\"book.BTC-PERPETUAL.100ms\"]")), 0);
}

/* --- orders ------------------------------------------------------------------------------------------- */

static void follow(uint64_t conn)
{
    call(conn, "private/subscribe",
         "\"channels\":[\"user.orders.BTC-PERPETUAL.raw\",\"user.orders.any.any.100ms\",\"user.trades.any."
         "any.raw\","
         "\"user.changes.future.btc.raw\",\"user.portfolio.btc\"]");
}

Test(deribit, a_passive_order_is_told_in_the_reply_and_on_every_stream)
{
    log_in(1);
    follow(1);
    json_t *reply = call(1, "private/buy", PASSIVE ",\"label\":\"p-1\",\"valid_until\":%lld",
                         (long long)(now_ns / MS + 1000));
    run(200);
    cr_assert_str_eq(text_of(reply, "result.order.order_state"), "open");
    cr_assert_str_eq(text_of(reply, "result.order.label"), "p-1");
    cr_assert_str_eq(text_of(reply, "result.order.contracts"), "10");
    cr_assert(json_is_object(data_of(1, "user.orders.BTC-PERPETUAL.raw", 0)), "raw carries one object");
    cr_assert(json_is_array(data_of(1, "user.orders.any.any.100ms", 0)), "other paces an array");
    cr_assert_str_eq(text_of(data_of(1, "user.changes.future.btc.raw", 0), "orders.0.order_id"),
                     text_of(reply, "result.order.order_id"));
    cr_assert_str_eq(
        text_of(call(1, "private/get_open_orders_by_label", "\"currency\":\"BTC\",\"label\":\"p-1\""),
                "result.0.order_state"),
        "open");
    json_t *gone = call(1, "private/cancel", "\"order_id\":\"%s\"", text_of(reply, "result.order.order_id"));
    cr_assert_str_eq(text_of(gone, "result.cancel_reason"), "user_request");
    cr_assert_eq(
        error_of(call(1, "private/cancel", "\"order_id\":\"%s\"", text_of(reply, "result.order.order_id"))),
        11044);
}

Test(deribit, fills_are_in_the_reply_and_again_on_the_stream)
{
    log_in(1);
    follow(1);
    json_t *reply =
        call(1, "private/buy", "\"instrument_name\":\"BTC-PERPETUAL\",\"amount\":1200,\"type\":\"market\"");
    cr_assert_str_eq(text_of(reply, "result.order.order_state"), "filled");
    cr_assert_str_eq(text_of(reply, "result.order.time_in_force"), "good_til_cancelled");
    cr_assert_str_eq(text_of(reply, "result.order.average_price"), "60000.5");
    cr_assert_str_eq(text_of(reply, "result.trades.0.trade_id"),
                     text_of(data_of(1, "user.trades.any.any.raw", 0), "0.trade_id"));
    /* 1200 / 60000.5 x 0.0005 = 0.0000099999..., rounded down */
    cr_assert_str_eq(text_of(reply, "result.trades.0.fee"), "9.99e-06");
    const json_t *position = at_path(data_of(1, "user.changes.future.btc.raw", 0), "positions.0");
    cr_assert_str_eq(text_of(position, "size"), "1200");
    cr_assert_str_eq(text_of(position, "direction"), "buy");
    cr_assert_str_eq(
        text_of(call(1, "private/get_user_trades_by_instrument", "\"instrument_name\":\"BTC-PERPETUAL\""),
                "result.trades.0.trade_id"),
        text_of(reply, "result.trades.0.trade_id"));
}

Test(deribit, a_post_only_that_would_cross_slides_or_is_refused)
{
    log_in(1);
    follow(1);
    cr_assert_eq(
        error_of(call(1, "private/buy",
                      PLACE "\"amount\":10,\"price\":60100.0,\"post_only\":true,\"reject_post_only\":true")),
        11054);
    cr_assert_eq(count_of(1, "user.orders.BTC-PERPETUAL.raw"), 0, "no order, no event");
    json_t *reply = call(1, "private/buy", PLACE "\"amount\":10,\"price\":60100.0");
    cr_assert_str_eq(text_of(reply, "result.order.price"), "60000",
                     "post_only is the default, and it slides");
    cr_assert_str_eq(text_of(reply, "result.order.post_only"), "true");
    reply = call(1, "private/sell", PLACE "\"amount\":10,\"price\":59500.0,\"post_only\":true");
    cr_assert_str_eq(text_of(reply, "result.order.price"), "60000.5", "one tick inside of our own bid");
}

Test(deribit, an_edit_that_would_cross_takes_the_order_away)
{
    log_in(1);
    follow(1);
    json_t *reply = call(1, "private/buy", PASSIVE);
    char id[40];
    snprintf(id, sizeof id, "%s", text_of(reply, "result.order.order_id"));

    reply = call(1, "private/edit",
                 "\"order_id\":\"%s\",\"amount\":50,\"price\":59100.0,\"reject_post_only\":true", id);
    cr_assert_str_eq(text_of(reply, "result.order.replaced"), "true");
    cr_assert_str_eq(text_of(reply, "result.order.price"), "59100");
    cr_assert_eq(
        error_of(call(1, "private/edit",
                      "\"order_id\":\"%s\",\"amount\":50,\"price\":60100.0,\"reject_post_only\":true", id)),
        11054);
    reply = call(1, "private/get_order_state", "\"order_id\":\"%s\"", id);
    cr_assert_str_eq(text_of(reply, "result.order_state"), "cancelled");
    cr_assert_str_eq(text_of(reply, "result.cancel_reason"), "edit_post_only_reject");
}

Test(deribit, what_is_wrong_with_an_order_has_its_own_code)
{
    static const struct {
        const char *params;
        int code;
    } cases[] = {
        { PLACE "\"amount\":100,\"price\":59000.3", 10043 },
        { PLACE "\"amount\":100,\"price\":59000.25", 10026 },
        { PLACE "\"amount\":105,\"price\":59000.0", 10021 },
        { PLACE "\"amount\":5,\"price\":59000.0", 10002 },
        { PLACE "\"amount\":\"100\",\"price\":59000.0", -32602 },
        { PLACE "\"contracts\":10,\"amount\":110,\"price\":59000.0", -32602 },
        { PLACE "\"amount\":9000000,\"price\":59000.0", 10009 },
        { PLACE "\"amount\":100,\"price\":61000.0,\"post_only\":false", 10007 },
        { PLACE "\"amount\":100,\"price\":59000.0,\"reduce_only\":true", 11030 },
        { PLACE "\"amount\":100,\"price\":59000.0,\"valid_until\":1786522905999", 13888 },
        { PLACE "\"amount\":100,\"price\":59000.0,\"trigger\":\"mark_price\"", 10034 },
        { "\"instrument_name\":\"BTC-NOTHING\",\"amount\":100,\"price\":59000.0", 13020 },
        { PLACE "\"amount\":1e2,\"price\":5.9e4", 0 },
    };

    log_in(1);
    follow(1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_expect_eq(error_of(call(1, "private/buy", "%s", cases[i].params)), cases[i].code, "%s",
                     cases[i].params);
    }
    cr_assert_eq(count_of(1, "user.orders.BTC-PERPETUAL.raw"), 1);
}

Test(deribit, an_ioc_that_meets_nothing_is_a_cancelled_order_and_no_error)
{
    log_in(1);
    json_t *reply = call(1, "private/buy",
                         PLACE "\"amount\":100,\"price\":59000.0,\"time_in_force\":\"immediate_or_cancel\"");
    cr_assert_str_eq(text_of(reply, "result.order.order_state"), "cancelled");
    cr_assert_str_eq(text_of(reply, "result.order.filled_amount"), "0");
    cr_assert_null(at_path(reply, "result.order.cancel_reason"));
    reply =
        call(1, "private/buy", PLACE "\"amount\":10000,\"price\":60000.5,\"time_in_force\":\"fill_or_kill\"");
    cr_assert_str_eq(text_of(reply, "result.order.order_state"), "cancelled");
    cr_assert_eq(json_array_size(at_path(reply, "result.trades")), 0);
}

Test(deribit, another_accounts_order_is_out_of_reach)
{
    log_in(1);
    open_socket(2);
    call(2, "public/auth",
         "\"grant_type\":\"client_credentials\",\"client_id\":\"other\",\"client_secret\":\"hidden\"");
    const char *id = text_of(call(1, "private/buy", PASSIVE), "result.order.order_id");
    cr_assert_eq(error_of(call(2, "private/cancel", "\"order_id\":\"%s\"", id)), 10029);
    cr_assert_eq(error_of(call(2, "private/get_order_state", "\"order_id\":\"%s\"", id)), 10004);
    cr_assert_str_eq(text_of(call(2, "private/cancel_all", " "), "result"), "0");
    cr_assert_str_eq(text_of(call(1, "private/cancel_all_by_currency", "\"currency\":\"BTC\""), "result"),
                     "1");
}

Test(deribit, a_label_may_name_two_orders_and_then_names_neither)
{
    log_in(1);
    call(1, "private/buy", PASSIVE ",\"label\":\"twin\"");
    cr_assert_eq(error_of(call(1, "private/buy", PASSIVE ",\"label\":\"twin\"")), 0);
    cr_assert_eq(
        error_of(
            call(1, "private/edit_by_label",
                 "\"instrument_name\":\"BTC-PERPETUAL\",\"label\":\"twin\",\"amount\":50,\"price\":59000.0")),
        13032);
    cr_assert_str_eq(
        text_of(call(1, "private/cancel_by_label", "\"label\":\"twin\",\"currency\":\"BTC\""), "result"),
        "2");
}

Test(deribit, trading_with_oneself_is_refused_or_takes_the_maker_away)
{
    log_in(1);
    call(1, "private/buy", PLACE "\"amount\":100,\"price\":60000.0,\"label\":\"mine\"");
    sim_source_touch(&source, DB_BTC_PERP, 599000, 600005, 5000, 5000, now_ns);
    run(10);
    static const char sell[] = PLACE "\"amount\":50,\"price\":60000.0,\"post_only\":false";
    cr_assert_eq(error_of(call(1, "private/sell", sell)), 10003);
    call(1, "private/set_self_trading_config", "\"mode\":\"cancel_maker\",\"extended_to_subaccounts\":false");
    cr_assert_str_eq(text_of(call(1, "private/sell", sell), "result.order.order_state"), "open");
    cr_assert_str_eq(
        text_of(call(1, "private/get_order_state_by_label", "\"currency\":\"BTC\",\"label\":\"mine\""),
                "result.0.order_state"),
        "cancelled");
}

/* --- the speed bump ----------------------------------------------------------------------------------- */

#define DATED_NAME sim_venue_market(venue, DB_BTC_DATED)->instrument.symbol

Test(deribit, a_taker_on_a_dated_future_waits_and_a_cancel_wins_the_race)
{
    char params[256];

    log_in(1);
    snprintf(
        params, sizeof params,
        "\"instrument_name\":\"%s\",\"amount\":100,\"price\":61002.5,\"post_only\":false,\"label\":\"late\"",
        DATED_NAME);
    int first = send_call(1, "private/buy", params);
    run(0);
    cr_assert_null(reply_to(1, first), "it waits");
    cr_assert_str_eq(text_of(call(1, "private/cancel_by_label", "\"label\":\"late\""), "result"), "1");
    run(10);
    cr_assert_eq(error_of(reply_to(1, first)), 11030);
    cr_assert_eq(sim_venue_fill_count(venue), 0);

    int second = send_call(1, "private/buy", params);
    int64_t sent_ns = now_ns;
    while (reply_to(1, second) == NULL && now_ns < sent_ns + 20 * MS) {
        run(1);
    }
    cr_assert(now_ns - sent_ns >= 1 * MS && now_ns - sent_ns <= 11 * MS);
    cr_assert_str_eq(text_of(reply_to(1, second), "result.order.order_state"), "filled");

    int perpetual = send_call(1, "private/buy", PLACE "\"amount\":100,\"price\":60000.5,\"post_only\":false");
    run(0);
    cr_assert_not_null(reply_to(1, perpetual), "the perpetual is exempt");
}

/* --- ends of sockets ---------------------------------------------------------------------------------- */

Test(deribit, a_dead_socket_takes_its_own_orders_with_it_and_no_others)
{
    log_in(1);
    log_in(2);
    follow(2);
    cr_assert_str_eq(text_of(call(1, "private/get_cancel_on_disconnect", " "), "result.enabled"), "false");
    cr_assert_str_eq(
        text_of(call(1, "private/enable_cancel_on_disconnect", "\"scope\":\"connection\""), "result"), "ok");
    call(1, "private/buy", PASSIVE ",\"label\":\"one\"");
    call(2, "private/buy", PASSIVE ",\"label\":\"two\"");
    hang_up(1);
    json_t *reply = call(2, "private/get_open_orders", " ");
    cr_assert_eq(json_array_size(at_path(reply, "result")), 1);
    cr_assert_str_eq(text_of(reply, "result.0.label"), "two");
    int last = count_of(2, "user.orders.BTC-PERPETUAL.raw") - 1;
    cr_assert_str_eq(text_of(data_of(2, "user.orders.BTC-PERPETUAL.raw", last), "cancel_reason"),
                     "cancel_on_disconnect");
}

Test(deribit, a_logout_leaves_the_orders)
{
    log_in(1);
    call(1, "private/enable_cancel_on_disconnect", " ");
    call(1, "private/buy", PASSIVE);
    call(1, "private/logout", " ");
    cr_assert_eq(net->sent[net->count - 1].status, -2, "the socket is closed");
    hang_up(1);
    log_in(2);
    cr_assert_eq(json_array_size(at_path(call(2, "private/get_open_orders", " "), "result")), 1);
}

static bool closed(uint64_t conn)
{
    for (int i = 0; i < net->count; i++) {
        if (net->sent[i].conn == conn && net->sent[i].status == -2) {
            return true;
        }
    }
    return false;
}

static int beats_of(uint64_t conn, const char *type)
{
    int count = 0;

    for (int i = 0; i < net->count; i++) {
        count += net->sent[i].conn == conn && strcmp(text_of(net->sent[i].json, "params.type"), type) == 0;
    }
    return count;
}

Test(deribit, a_test_request_without_an_answer_ends_the_socket)
{
    log_in(1);
    log_in(2);
    cr_assert_eq(error_of(call(1, "public/set_heartbeat", "\"interval\":5")), -32602);
    for (uint64_t conn = 1; conn <= 2; conn++) {
        cr_assert_str_eq(text_of(call(conn, "public/set_heartbeat", "\"interval\":10"), "result"), "ok");
    }
    run(21500);
    cr_assert_eq(beats_of(1, "heartbeat"), 2);
    cr_assert_eq(beats_of(1, "test_request"), 1);
    call(2, "public/test", " ");
    run(11000);
    cr_assert(closed(1));
    cr_assert_not(closed(2));
}

Test(deribit, too_many_requests_end_the_session)
{
    tear_down();
    options.limits = true;
    options.tier = 4; /* 5 a second, 20 at once */
    begin();
    log_in(1);
    call(1, "private/enable_cancel_on_disconnect", " ");
    for (int i = 0; i < 20; i++) {
        cr_assert_eq(error_of(call(1, "private/buy", PASSIVE)), 0, "order %d", i);
    }
    cr_assert_eq(error_of(call(1, "private/buy", PASSIVE)), 10028);
    cr_assert(closed(1));
    hang_up(1);
    log_in(2);
    cr_assert_eq(json_array_size(at_path(call(2, "private/get_open_orders", " "), "result")), 0);
    cr_assert_str_eq(text_of(call(2, "private/get_account_summary", "\"currency\":\"BTC\""),
                             "result.limits.matching_engine.trading.total.burst"),
                     "20");
    run(1000);
    for (int i = 0; i < 5; i++) {
        cr_assert_eq(error_of(call(2, "private/buy", PASSIVE)), 0);
    }
    cr_assert_eq(error_of(call(2, "private/buy", PASSIVE)), 10028, "five came back in a second");
}

/* --- settlement and funding --------------------------------------------------------------------------- */

Test(deribit, funding_accrues_with_time_and_turns_into_cash_at_settlement)
{
    log_in(1);
    call(1, "private/buy", "\"instrument_name\":\"BTC-PERPETUAL\",\"amount\":1200,\"type\":\"market\"");
    fault("funding_rate:p=0.01,scope=deribit");
    run(0);
    run(60000);
    /* 1200 / 60000.25 BTC x 0.01 x 60 s / 28800 s = 0.00000041666... paid by the long */
    json_t *reply = call(1, "private/get_position", "\"instrument_name\":\"BTC-PERPETUAL\"");
    cr_assert_str_eq(text_of(reply, "result.realized_funding"), "-4.2e-07", "%s",
                     text_of(reply, "result.realized_funding"));
    reply = call(1, "private/get_account_summary", "\"currency\":\"BTC\"");
    /* cash is less by the fee alone: 0.00000999 */
    cr_assert_str_eq(text_of(reply, "result.balance"), "0.99999001");

    fault("settlement:ms=3000,scope=deribit");
    run(10);
    cr_assert_eq(error_of(call(1, "private/buy", PASSIVE)), 10041);
    reply = call(1, "private/get_account_summary", "\"currency\":\"BTC\"");
    cr_assert_str_eq(text_of(reply, "result.session_rpl"), "0");
    cr_assert_str_eq(text_of(reply, "result.session_upl"), "0");
    cr_assert_str_eq(text_of(reply, "result.balance"), text_of(reply, "result.equity"));
    run(4000);
    cr_assert_eq(error_of(call(1, "private/buy", PASSIVE)), 0);
}

Test(deribit, maintenance_refuses_orders_and_says_so)
{
    open_socket(3);
    call(3, "public/subscribe", "\"channels\":[\"platform_state\",\"instrument.state.any.any\"]");
    log_in(1);
    const char *id = text_of(call(1, "private/buy", PASSIVE), "result.order.order_id");
    fault("maintenance:for=2s,scope=deribit");
    run(1100);
    cr_assert_eq(error_of(call(1, "private/buy", PASSIVE)), 11051);
    cr_assert_eq(error_of(call(1, "private/cancel", "\"order_id\":\"%s\"", id)), 0,
                 "a cancel is still taken");
    cr_assert_str_eq(text_of(data_of(3, "platform_state", 0), "locked"), "true");
    cr_assert_str_eq(text_of(data_of(3, "instrument.state.any.any", 0), "state"), "locked");
    cr_assert_str_eq(text_of(call(3, "public/status", " "), "result.locked"), "true");
    run(2100);
    cr_assert_eq(error_of(call(1, "private/buy", PASSIVE)), 0);
}

Test(deribit, a_settlement_is_in_the_log_with_what_it_paid)
{
    log_in(1);
    call(1, "private/buy", "\"instrument_name\":\"BTC-PERPETUAL\",\"amount\":6000,\"type\":\"market\"");
    fault("funding_rate:p=0.01,scope=deribit");
    run(60000);
    fault("settlement:ms=1000,scope=deribit");
    run(0);
    json_t *reply =
        call(1, "private/get_transaction_log",
             "\"currency\":\"BTC\",\"start_timestamp\":0,\"end_timestamp\":9999999999999,\"count\":1");
    cr_assert_str_eq(text_of(reply, "result.logs.0.type"), "settlement");
    cr_assert_str_eq(text_of(reply, "result.logs.0.position"), "6000");
    /* 0.1 less a bit x 0.01 / 480, paid */
    cr_assert_str_eq(text_of(reply, "result.logs.0.interest_pl"), "-2.09e-06");
    cr_assert_str_eq(text_of(reply, "result.logs.0.balance"), text_of(reply, "result.logs.0.equity"));
    const char *next = text_of(reply, "result.continuation");
    reply =
        call(1, "private/get_transaction_log",
             "\"currency\":\"BTC\",\"start_timestamp\":0,\"end_timestamp\":9999999999999,\"continuation\":%s",
             next);
    cr_assert_str_eq(text_of(reply, "result.logs.0.type"), "trade");
    cr_assert_str_eq(text_of(reply, "result.logs.0.side"), "open buy");
    cr_assert_eq(json_array_size(at_path(reply, "result.logs")), 2);
}

/* --- faults ------------------------------------------------------------------------------------------- */

Test(deribit, private_messages_are_lost_doubled_and_swapped_on_request)
{
    static const char channel[] = "user.orders.BTC-PERPETUAL.raw";

    log_in(1);
    follow(1);
    fault("drop_private:count=1,scope=deribit-private");
    call(1, "private/buy", PASSIVE ",\"label\":\"lost\"");
    cr_assert_eq(count_of(1, channel), 0);
    fault("dup_reports:count=1,scope=deribit-private");
    call(1, "private/buy", PASSIVE ",\"label\":\"twice\"");
    cr_assert_eq(count_of(1, channel), 2);
    fault("reorder_reports:count=1,scope=deribit-private");
    call(1, "private/buy", PASSIVE ",\"label\":\"first\"");
    call(1, "private/buy", PASSIVE ",\"label\":\"second\"");
    cr_assert_str_eq(text_of(data_of(1, channel, 2), "label"), "second");
    cr_assert_str_eq(text_of(data_of(1, channel, 3), "label"), "first");
}

Test(deribit, an_unknown_outcome_has_happened)
{
    static const struct {
        const char *fault;
        int code;
    } cases[] = { { "unknown_503:count=1,scope=deribit-order", 11094 },
                  { "timeout_1007:count=1,ms=50,scope=deribit-order", 13028 } };

    log_in(1);
    for (int i = 0; i < 2; i++) {
        fault(cases[i].fault);
        int id = send_call(1, "private/buy", PASSIVE);
        run(60);
        cr_expect_eq(error_of(reply_to(1, id)), cases[i].code);
    }
    fault("no_reply:count=1,scope=deribit-order");
    cr_assert_null(call(1, "private/buy", PASSIVE));
    cr_assert_eq(json_array_size(at_path(call(1, "private/get_open_orders", " "), "result")), 3);

    fault("reject:count=1,code=10047,scope=deribit-order");
    cr_assert_eq(error_of(call(1, "private/buy", PASSIVE)), 10047);
    fault("slow_ack:count=1,ms=30,scope=deribit-order");
    int id = send_call(1, "private/buy", PASSIVE);
    run(29);
    cr_assert_null(reply_to(1, id));
    run(1);
    cr_assert_not_null(reply_to(1, id));
    fault("query_2013:ms=500,for=1s,scope=deribit-query");
    char order[64];
    snprintf(order, sizeof order, "%s", text_of(call(1, "private/buy", PASSIVE), "result.order.order_id"));
    cr_assert_eq(error_of(call(1, "private/get_order_state", "\"order_id\":\"%s\"", order)), 10004);
    run(500);
    cr_assert_eq(error_of(call(1, "private/get_order_state", "\"order_id\":\"%s\"", order)), 0);
}

Test(deribit, half_dead_is_heartbeats_and_nothing_else)
{
    log_in(1);
    call(1, "public/set_heartbeat", "\"interval\":10");
    call(1, "public/subscribe", "\"channels\":[\"ticker.BTC-PERPETUAL.100ms\"]");
    fault("heartbeat_only:for=30s,scope=deribit");
    int heard = count_of(1, "ticker.BTC-PERPETUAL.100ms");
    run(11000);
    cr_assert_eq(beats_of(1, "heartbeat"), 1);
    cr_assert_eq(count_of(1, "ticker.BTC-PERPETUAL.100ms"), heard);
    cr_assert_null(call(1, "public/test", " "));
}

Test(deribit, routed_spot_is_accepted_first_and_filled_later)
{
    static const char channel[] = "user.trades.spot.any.raw";

    tear_down();
    cr_assert_not(db_shell_choose(&options.choices, "spot=elsewhere"));
    cr_assert(db_shell_choose(&options.choices, "spot=routed"));
    begin();
    log_in(1);
    call(1, "private/subscribe", "\"channels\":[\"%s\",\"trades.BTC_USDC.raw\"]", channel);
    json_t *reply =
        call(1, "private/buy",
             "\"instrument_name\":\"BTC_USDC\",\"amount\":0.01,\"price\":60001,\"post_only\":false");
    cr_assert_str_eq(text_of(reply, "result.order.order_state"), "open");
    cr_assert_str_eq(text_of(reply, "result.order.filled_amount"), "0");
    cr_assert_eq(json_array_size(at_path(reply, "result.trades")), 0);
    cr_assert_eq(count_of(1, channel), 0);
    run(20);
    cr_assert_str_eq(text_of(data_of(1, channel, 0), "0.state"), "filled");
    cr_assert_str_eq(text_of(data_of(1, channel, 0), "0.order_id"), text_of(reply, "result.order.order_id"));
    cr_assert_eq(count_of(1, "trades.BTC_USDC.raw"), 0);
    cr_assert_eq(
        error_of(call(1, "private/buy", "\"instrument_name\":\"BTC_USDC\",\"amount\":0.01,\"price\":60001")),
        11021);
    cr_assert_str_eq(
        text_of(call(1, "public/get_instrument", "\"instrument_name\":\"BTC_USDC\""), "result.is_cbe_routed"),
        "true");
}

Test(deribit, a_liquidation_says_what_it_is)
{
    log_in(1);
    follow(1);
    call(1, "private/buy", "\"instrument_name\":\"BTC-PERPETUAL\",\"amount\":1000,\"type\":\"market\"");
    call(1, "private/buy", PASSIVE);
    fault("liquidate:account=cid,scope=deribit");
    run(0);
    int last = count_of(1, "user.orders.BTC-PERPETUAL.raw") - 1;
    cr_assert_str_eq(text_of(data_of(1, "user.orders.BTC-PERPETUAL.raw", last - 1), "cancel_reason"),
                     "autoliquidation");
    const json_t *order = data_of(1, "user.orders.BTC-PERPETUAL.raw", last);
    cr_assert_str_eq(text_of(order, "is_liquidation"), "true");
    cr_assert_str_eq(text_of(order, "order_state"), "filled");
    cr_assert_str_eq(text_of(order, "price"), "market_price", "a string, not a number");
    const json_t *trade = data_of(1, "user.trades.any.any.raw", count_of(1, "user.trades.any.any.raw") - 1);
    cr_assert_str_eq(text_of(trade, "0.liquidation"), "T");
    cr_assert_eq(sim_venue_account(venue, 0)->holding[DB_BTC_PERP].position.qty, 0);
}

Test(deribit, a_deleveraging_takes_its_share_at_the_mark)
{
    log_in(1);
    follow(1);
    call(1, "private/buy", "\"instrument_name\":\"BTC-PERPETUAL\",\"amount\":1000,\"type\":\"market\"");
    int64_t mark_e8 = sim_venue_market(venue, DB_BTC_PERP)->mark_e8;
    fault("deleverage:account=cid,p=0.4,scope=deribit");
    run(0);
    cr_assert_eq(sim_venue_account(venue, 0)->holding[DB_BTC_PERP].position.qty, 600);
    const struct sim_fill *last = sim_venue_fill(venue, sim_venue_fill_count(venue) - 1);
    cr_assert_eq(last->qty, 400);
    cr_assert_eq(last->price, mark_e8 / 10000000 / 5 * 5, "on the tick");
    const json_t *trade = data_of(1, "user.trades.any.any.raw", count_of(1, "user.trades.any.any.raw") - 1);
    cr_assert_str_eq(text_of(trade, "0.liquidation"), "T");
}

Test(deribit, a_withdrawal_leaves_the_balance_and_stands_in_the_log)
{
    log_in(1);
    int64_t before_e8 = sim_venue_cash(venue, 0, SIM_SPOT, "BTC")->free_e8;
    fault("withdrawal:account=cid,asset=BTC,amount=0.25");
    run(0);
    cr_assert_eq(sim_venue_cash(venue, 0, SIM_SPOT, "BTC")->free_e8, before_e8 - 25000000);
}

Test(deribit, a_change_may_name_another_than_the_one_before)
{
    log_in(1);
    call(1, "public/subscribe", "\"channels\":[\"book.BTC-PERPETUAL.raw\"]");
    fault("sequence:count=1,scope=deribit-public");
    sim_source_touch(&source, DB_BTC_PERP, 600000, 600005, 5010, 5000, now_ns);
    run(10);
    const char *channel = "book.BTC-PERPETUAL.raw";
    cr_assert_str_neq(text_of(data_of(1, channel, 1), "prev_change_id"),
                      text_of(data_of(1, channel, 0), "change_id"));
}

Test(deribit, a_label_goes_with_every_message)
{
    log_in(1);
    cr_assert_eq(error_of(call(1, "private/subscribe",
                               "\"channels\":[\"quote.BTC-PERPETUAL\"],\"label\":\"12345678901234567\"")),
                 -32602);
    call(1, "private/subscribe", "\"channels\":[\"quote.BTC-PERPETUAL\"],\"label\":\"mine\"");
    cr_assert_str_eq(text_of(net->sent[net->count - 1].json, "params.label"), "mine");
}

Test(deribit, a_rate_limit_on_request_closes_and_cancels)
{
    log_in(1);
    call(1, "private/enable_cancel_on_disconnect", " ");
    call(1, "private/buy", PASSIVE);
    fault("rate_limit:count=1,scope=deribit-order");
    cr_assert_eq(error_of(call(1, "private/buy", PASSIVE)), 10028);
    cr_assert(closed(1));
    hang_up(1);
    log_in(2);
    cr_assert_eq(json_array_size(at_path(call(2, "private/get_open_orders", " "), "result")), 0);
}

Test(deribit, the_clock_of_the_venue_can_be_off)
{
    open_socket(1);
    fault("clock_skew:ms=120000,scope=deribit");
    cr_assert_str_eq(text_of(call(1, "public/get_time", " "), "result"), "1786523026000");
    char covered[64], hex[65];
    snprintf(covered, sizeof covered, "%lld\n\n", (long long)(now_ns / MS));
    hmac_hex(covered, hex);
    cr_assert_eq(error_of(call(1, "public/auth",
                               "\"grant_type\":\"client_signature\",\"client_id\":\"cid\",\"timestamp\":%lld,"
                               "\"nonce\":\"\",\"data\":\"\",\"signature\":\"%s\"",
                               (long long)(now_ns / MS), hex)),
                 13009);
}

Test(deribit, reply_and_stream_come_in_either_order)
{
    int reply_first = 0, rounds = 40;

    tear_down();
    options.choices.first = DB_SEEDED;
    begin();
    log_in(1);
    follow(1);
    for (int i = 0; i < rounds; i++) {
        int before = net->count;
        call(1, "private/buy", PASSIVE ",\"label\":\"r-%d\"", i);
        reply_first += json_object_get(net->sent[before].json, "result") != NULL;
    }
    cr_assert(reply_first > 5 && reply_first < rounds - 5, "%d of %d", reply_first, rounds);
}

/* --- queries ------------------------------------------------------------------------------------------ */

Test(deribit, trades_are_paged_from_an_id_and_say_when_there_are_more)
{
    log_in(1);
    for (int i = 0; i < 5; i++) {
        call(1, "private/buy", "\"instrument_name\":\"BTC-PERPETUAL\",\"amount\":10,\"type\":\"market\"");
        run(10);
    }
    json_t *reply = call(1, "private/get_user_trades_by_currency",
                         "\"currency\":\"BTC\",\"count\":2,\"sorting\":\"asc\"");
    cr_assert_str_eq(text_of(reply, "result.has_more"), "true");
    char last[32];
    snprintf(last, sizeof last, "%s", text_of(reply, "result.trades.1.trade_id"));
    int seen = 2;
    for (int guard = 0; guard < 10 && strcmp(text_of(reply, "result.has_more"), "true") == 0; guard++) {
        reply = call(1, "private/get_user_trades_by_currency",
                     "\"currency\":\"BTC\",\"count\":2,\"sorting\":\"asc\",\"start_id\":\"%lld\"",
                     atoll(last) + 1);
        seen += (int)json_array_size(at_path(reply, "result.trades"));
        snprintf(last, sizeof last, "%s",
                 text_of(reply, json_array_size(at_path(reply, "result.trades")) == 2
                                    ? "result.trades.1.trade_id"
                                    : "result.trades.0.trade_id"));
    }
    cr_assert_eq(seen, 5);
    reply =
        call(1, "private/get_user_trades_by_instrument", "\"instrument_name\":\"BTC-PERPETUAL\",\"count\":1");
    cr_assert_str_eq(text_of(reply, "result.trades.0.trade_id"), last,
                     "the newest first without a beginning");
    reply = call(1, "private/get_user_trades_by_currency_and_time",
                 "\"currency\":\"BTC\",\"start_timestamp\":%lld,\"end_timestamp\":%lld",
                 (long long)(now_ns / MS - 15), (long long)(now_ns / MS));
    cr_assert_eq(json_array_size(at_path(reply, "result.trades")), 1);
    cr_assert_eq(
        error_of(call(1, "private/get_user_trades_by_currency", "\"currency\":\"BTC\",\"count\":1001")),
        -32602);
    cr_assert_eq(error_of(call(1, "private/get_user_trades_by_currency", "\"currency\":\"XYZ\"")), -32602);
}

Test(deribit, a_closed_position_is_zero_and_its_profit_is_the_sessions)
{
    log_in(1);
    call(1, "private/buy", "\"instrument_name\":\"BTC-PERPETUAL\",\"amount\":6000,\"type\":\"market\"");
    sim_source_touch(&source, DB_BTC_PERP, 600500, 600505, 50000, 50000, now_ns);
    json_t *reply =
        call(1, "private/close_position", "\"instrument_name\":\"BTC-PERPETUAL\",\"type\":\"market\"");
    cr_assert_str_eq(text_of(reply, "result.order.reduce_only"), "true");
    cr_assert_str_eq(text_of(reply, "result.order.filled_amount"), "6000");
    /* bought 5000 at 60000.5, 1000 at 60001: 0.09999908...; sold at 60050: 0.09991673 */
    const char *profit = text_of(reply, "result.trades.0.profit_loss");
    cr_assert_eq(sim_venue_account(venue, 0)->holding[DB_BTC_PERP].realised_e8, llround(atof(profit) * 1e8));
    reply = call(1, "private/get_positions", "\"currency\":\"BTC\",\"kind\":\"future\"");
    cr_assert_str_eq(text_of(reply, "result.0.direction"), "zero");
    reply = call(1, "private/get_account_summary", "\"currency\":\"BTC\"");
    cr_assert_str_eq(text_of(reply, "result.session_rpl"), profit);
    cr_assert_eq(error_of(call(1, "private/close_position",
                               "\"instrument_name\":\"BTC-PERPETUAL\",\"type\":\"market\"")),
                 11030);
}

Test(deribit, our_orders_and_trades_are_in_the_public_book)
{
    log_in(1);
    open_socket(2);
    call(2, "public/subscribe", "\"channels\":[\"book.BTC-PERPETUAL.100ms\",\"trades.BTC-PERPETUAL.100ms\"]");
    call(1, "private/buy", PLACE "\"amount\":70,\"price\":59990.0");
    run(100);
    const json_t *change = data_of(2, "book.BTC-PERPETUAL.100ms", 1);
    cr_assert_str_eq(text_of(change, "bids.0.1"), "59990");
    call(1, "private/buy", "\"instrument_name\":\"BTC-PERPETUAL\",\"amount\":30,\"type\":\"market\"");
    run(100);
    cr_assert_str_eq(text_of(data_of(2, "trades.BTC-PERPETUAL.100ms", 0), "0.amount"), "30");
    cr_assert_str_eq(text_of(data_of(2, "trades.BTC-PERPETUAL.100ms", 0), "0.direction"), "buy");
}

Test(deribit, a_maker_fill_from_the_market_is_told_once_with_its_state)
{
    log_in(1);
    follow(1);
    call(1, "private/buy", PLACE "\"amount\":100,\"price\":60000.0,\"label\":\"m\"");
    run(10);
    sim_source_trade(&source, DB_BTC_PERP, 599995, 40, true, now_ns);
    db_shell_settled(shell, now_ns);
    run(0);
    const json_t *trade = data_of(1, "user.trades.any.any.raw", 0);
    cr_assert_str_eq(text_of(trade, "0.state"), "open", "a partial fill is no state");
    cr_assert_str_eq(text_of(trade, "0.liquidity"), "M");
    cr_assert_str_eq(text_of(trade, "0.fee"), "0");
    const json_t *changes = data_of(1, "user.changes.future.btc.raw", 1);
    cr_assert_str_eq(text_of(changes, "orders.0.filled_amount"), "40");
    cr_assert_str_eq(text_of(changes, "positions.0.size"), "40");
    cr_assert_str_eq(text_of(changes, "trades.0.trade_id"), text_of(trade, "0.trade_id"));
}

Test(deribit, tickers_come_whole_and_then_what_changed)
{
    open_socket(1);
    call(1, "public/subscribe",
         "\"channels\":[\"incremental_ticker.BTC-PERPETUAL\",\"book.BTC-PERPETUAL.10.10.100ms\"]");
    const json_t *whole = data_of(1, "incremental_ticker.BTC-PERPETUAL", 0);
    cr_assert_str_eq(text_of(whole, "type"), "snapshot");
    cr_assert(json_is_null(at_path(whole, "stats.high")), "nothing was traded");
    sim_source_touch(&source, DB_BTC_PERP, 600000, 600005, 4990, 5000, now_ns);
    run(100);
    const json_t *part = data_of(1, "incremental_ticker.BTC-PERPETUAL", 1);
    cr_assert_str_eq(text_of(part, "type"), "change");
    cr_assert_str_eq(text_of(part, "best_bid_amount"), "4990");
    cr_assert_null(json_object_get(part, "best_ask_price"));
    const json_t *grouped = data_of(1, "book.BTC-PERPETUAL.10.10.100ms", 1);
    cr_assert_str_eq(text_of(grouped, "bids.0.0"), "60000");
    cr_assert_str_eq(text_of(grouped, "asks.0.0"), "60010");
    /* 60000.5 to 60010.0: twenty levels of 5000 */
    cr_assert_str_eq(text_of(grouped, "asks.0.1"), "100000");
}

Test(deribit, options_have_greeks_and_take_no_orders)
{
    const char *name = sim_venue_market(venue, DB_CALL)->instrument.symbol;

    log_in(1);
    json_t *reply = call(1, "public/ticker", "\"instrument_name\":\"%s\"", name);
    cr_assert_str_eq(text_of(reply, "result.mark_iv"), "60");
    cr_assert_gt(atof(text_of(reply, "result.greeks.delta")), 0.3);
    cr_assert_eq(
        error_of(call(1, "private/buy", "\"instrument_name\":\"%s\",\"amount\":0.1,\"price\":0.05", name)),
        10034);
    call(1, "public/subscribe", "\"channels\":[\"markprice.options.btc_usd\"]");
    cr_assert_str_eq(text_of(data_of(1, "markprice.options.btc_usd", 0), "0.iv"), "0.6", "a fraction here");
}

Test(deribit, what_clients_load_at_the_start_is_there)
{
    static const struct {
        const char *method, *params;
        size_t rows;
    } cases[] = {
        { "public/get_instruments", "\"currency\":\"any\"", 7 },
        { "public/get_instruments", " ", 7 },
        { "public/get_instruments", "\"currency\":\"BTC\",\"kind\":\"option\"", 2 },
        { "public/get_instruments", "\"currency\":\"USDC\",\"kind\":\"spot\"", 1 },
        { "public/get_instruments", "\"currency\":\"ETH\",\"kind\":\"future_combo\"", 0 },
        { "public/get_instruments", "\"currency\":\"EURR\"", 0 },
        { "public/get_currencies", " ", 4 },
        { "public/get_book_summary_by_currency", "\"currency\":\"BTC\"", 4 },
        { "public/get_book_summary_by_instrument", "\"instrument_name\":\"BTC-PERPETUAL\"", 1 },
        { "public/get_index_price_names", " ", 3 },
    };

    open_socket(1);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *reply = call(1, cases[i].method, "%s", cases[i].params);
        cr_expect_eq(json_array_size(at_path(reply, "result")), cases[i].rows, "%s %s", cases[i].method,
                     cases[i].params);
    }
    json_t *reply = call(1, "public/get_instrument", "\"instrument_name\":\"BTC-PERPETUAL\"");
    cr_assert_str_eq(text_of(reply, "result.tick_size"), "0.5");
    cr_assert_str_eq(text_of(reply, "result.contract_size"), "10");
    cr_assert_str_eq(text_of(reply, "result.instrument_type"), "reversed");
    cr_assert_str_eq(
        text_of(call(1, "public/get_order_book", "\"instrument_name\":\"BTC-PERPETUAL\",\"depth\":1"),
                "result.bids.0.0"),
        "60000");
}

Test(deribit, the_33rd_socket_is_one_too_many)
{
    struct sim_request request = { .conn = 50,
                                   .verb = "GET",
                                   .path = "/ws/api/v2",
                                   .query = "",
                                   .host = "www.deribit.com",
                                   .authorization = "" };

    tear_down();
    options.limits = true;
    begin();
    for (uint64_t conn = 1; conn <= 32; conn++) {
        open_socket(conn);
    }
    cr_assert_null(db_shell_open(shell, &request));
    cr_assert_eq(net->sent[net->count - 1].status, 429);
    hang_up(7);
    net->session[50] = db_shell_open(shell, &request);
    cr_assert_not_null(net->session[50]);
    request.host = "test.deribit.com";
    cr_assert_null(db_shell_open(shell, &request), "the other environment is elsewhere");
}

/* --- garbage ------------------------------------------------------------------------------------------ */

Test(deribit, no_prefix_and_no_changed_byte_of_a_request_does_harm)
{
    static const char whole[] = "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"private/"
                                "buy\",\"params\":{\"instrument_name\":\"BTC-PERPETUAL\","
                                "\"amount\":1e1,\"price\":59000.5,\"label\":\"x\",\"valid_until\":"
                                "1786522999999,\"channels\":[\"a.b\",1]}}";
    unsigned seed = 1;

    log_in(1);
    for (size_t n = 0; n < sizeof whole - 1; n++) {
        db_shell_message(shell, 1, net->session[1], whole, n);
        run(0);
        cr_assert_eq(error_of(net->sent[net->count - 1].json), -32700);
    }
    for (int i = 0; i < 1500; i++) {
        char text[sizeof whole];
        memcpy(text, whole, sizeof whole);
        for (int k = 0; k < 2; k++) {
            seed = seed * 1103515245u + 12345u;
            text[(seed >> 8) % (sizeof whole - 1)] = (char)(seed >> 20);
        }
        int before = net->count;
        db_shell_message(shell, 1, net->session[1], text, sizeof whole - 1);
        run(0);
        cr_assert_eq(net->count, before + 1, "every request is answered once");
    }
}

Test(deribit, odd_channel_names_are_dropped_and_nothing_else)
{
    static const char *const names[] = {
        "",
        ".",
        "book",
        "book.BTC-PERPETUAL",
        "book.BTC-PERPETUAL.200ms",
        "book.BTC-PERPETUAL.none.3.100ms",
        "book.BTC-PERPETUAL.3.10.100ms",
        "book.NOTHING.100ms",
        "ticker.BTC-PERPETUAL",
        "trades.future.100ms",
        "trades.any.any.any.any.any.any.any",
        "user.orders",
        "user.changes.any.any",
        "user.portfolio.XYZ",
        "quote.BTC-PERPETUAL.raw",
        "perpetual.BTC_USDC.raw",
        "deribit_price_index.xyz",
        "a name with blanks",
        "012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678"
        "9",
    };

    log_in(1);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        json_t *reply = call(1, "private/subscribe", "\"channels\":[\"%s\"]", names[i]);
        cr_expect_eq(error_of(reply), 0, "%s", names[i]);
        cr_expect_eq(json_array_size(at_path(reply, "result")), 0, "%s", names[i]);
    }
    cr_assert_eq(json_array_size(
                     at_path(call(1, "private/subscribe",
                                  "\"channels\":[\"user.orders.ANY.any.agg2\",\"user.portfolio.BTC\","
                                  "\"user.lock\",\"trades.any.any.raw\",\"chart.trades.BTC-PERPETUAL.1\"]"),
                             "result")),
                 5);
}
