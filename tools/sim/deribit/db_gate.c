#include "tools/sim/deribit/db_state.h"

#include "tools/sim/model/sim_decimal.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- errors -------------------------------------------------------------------------------------------- */

const char *db_gate_words(int code)
{
    static const struct {
        int code;
        const char *words;
    } table[] = {
        { 10000, "authorization_required" },
        { 10002, "qty_too_low" },
        { 10003, "order_overlap" },
        { 10004, "order_not_found" },
        { 10005, "price_too_low" },
        { 10007, "price_too_high" },
        { 10009, "not_enough_funds" },
        { 10010, "already_closed" },
        { 10012, "book_closed" },
        { 10020, "invalid_or_unsupported_instrument" },
        { 10021, "invalid_amount" },
        { 10023, "invalid_price" },
        { 10026, "price_precision_exceeded" },
        { 10027, "non_integer_contract_amount" },
        { 10028, "too_many_requests" },
        { 10029, "not_owner_of_order" },
        { 10030, "must_be_websocket_request" },
        { 10034, "not_implemented" },
        { 10039, "not_enough_funds_in_currency" },
        { 10040, "retry" },
        { 10041, "settlement_in_progress" },
        { 10043, "price_wrong_tick" },
        { 10047, "matching_engine_queue_full" },
        { 10066, "too_many_concurrent_requests" },
        { 11008, "already_filled" },
        { 11021, "post_only_price_modification_not_possible" },
        { 11029, "invalid_arguments" },
        { 11030, "other_reject" },
        { 11044, "not_open_order" },
        { 11050, "bad_request" },
        { 11051, "system_maintenance" },
        { 11052, "subscribe_error_unsubscribed" },
        { 11054, "post_only_reject" },
        { 11055, "post_only_not_allowed" },
        { 11094, "internal_server_error" },
        { 13004, "invalid_credentials" },
        { 13009, "unauthorized" },
        { 13020, "not_found" },
        { 13021, "forbidden" },
        { 13028, "temporarily_unavailable" },
        { 13032, "non_unique_order_label" },
        { 13042, "cancel_on_disconnect_not_enabled" },
        { 13777, "replaced" },
        { 13778, "raw_subscriptions_not_available_for_unauthorized" },
        { 13888, "timed_out" },
        { -32600, "Invalid Request" },
        { -32601, "Method not found" },
        { -32602, "Invalid params" },
        { -32700, "Parse error" },
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (table[i].code == code) {
            return table[i].words;
        }
    }
    return "error";
}

int db_gate_fail(struct db_call *call, int code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(call->data, sizeof call->data, format, arguments);
    va_end(arguments);
    return code;
}

int db_gate_invalid(struct db_call *call, const char *param, const char *why)
{
    return db_gate_fail(call, -32602, "{\"reason\":\"%s\",\"param\":\"%s\"}", why, param);
}

void db_gate_unknown(struct db_shell *shell, const char *what)
{
    for (int i = 0; i < shell->unknown_count; i++) {
        if (strcmp(shell->unknown[i].what, what) == 0) {
            shell->unknown[i].times++;
            return;
        }
    }
    if (shell->unknown_count < DB_UNKNOWN_MAX) {
        struct db_unknown *unknown = &shell->unknown[shell->unknown_count++];
        snprintf(unknown->what, sizeof unknown->what, "%s", what);
        unknown->times = 1;
    }
}

void db_gate_free(struct db_call *call)
{
    if (call == NULL) {
        return;
    }
    json_decref(call->params);
    free(call->activate);
    free(call->id);
    free(call);
}

/* --- parameters ---------------------------------------------------------------------------------------- */

/* shortest prints a double so that it reads back as itself: the text a client wrote, unless it wrote more
 * digits than a double holds. */
static void shortest(char *out, size_t size, double value)
{
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, size, "%.*g", digits, value);
        if (strtod(out, NULL) == value) {
            return;
        }
    }
}

const char *db_gate_text(const struct db_call *call, const char *name)
{
    static char ring[16][40];
    static int at;
    const json_t *value = json_object_get(call->params, name);
    char *out = ring[at = (at + 1) % 16];

    if (json_is_string(value)) {
        return json_string_value(value);
    }
    if (json_is_boolean(value)) {
        return json_is_true(value) ? "true" : "false";
    }
    if (json_is_integer(value)) {
        snprintf(out, sizeof ring[0], "%lld", (long long)json_integer_value(value));
        return out;
    }
    if (json_is_real(value)) {
        shortest(out, sizeof ring[0], json_real_value(value));
        return out;
    }
    return NULL;
}

/* plain rewrites a number with an exponent as digits; false when it is none or too large. */
static bool plain(const char *text, char *out, size_t size)
{
    const char *e = strpbrk(text, "eE");
    char digits[80];
    size_t length = e == NULL ? strlen(text) : (size_t)(e - text), count = 0;
    long exponent = e == NULL ? 0 : strtol(e + 1, NULL, 10);
    long point = -1;
    size_t at = 0;

    if (length >= sizeof digits || exponent > 30 || exponent < -30) {
        return false;
    }
    if (e == NULL) {
        snprintf(out, size, "%s", text);
        return true;
    }
    for (size_t i = text[0] == '-'; i < length; i++) {
        if (text[i] == '.') {
            point = (long)count;
        } else {
            digits[count++] = text[i];
        }
    }
    point = (point < 0 ? (long)count : point) + exponent;
    if (size < 140) {
        return false;
    }
    if (text[0] == '-') {
        out[at++] = '-';
    }
    if (point <= 0) {
        out[at++] = '0';
        out[at++] = '.';
        for (long i = point; i < 0; i++) {
            out[at++] = '0';
        }
    }
    for (long i = 0; i < (long)count || i < point; i++) {
        if (i == point && point > 0) {
            out[at++] = '.';
        }
        out[at++] = i < (long)count ? digits[i] : '0';
    }
    out[at] = '\0';
    return true;
}

int db_gate_number(struct db_call *call, const char *name, int decimals, int64_t *units, bool *there)
{
    const json_t *value = json_object_get(call->params, name);
    const char *text = db_gate_text(call, name);
    char digits[160];

    *there = value != NULL && !json_is_null(value);
    if (!*there) {
        return 0;
    }
    if (text == NULL || (call->typed && !json_is_number(value)) || !plain(text, digits, sizeof digits)) {
        return db_gate_invalid(call, name, "invalid type");
    }
    switch (sim_decimal_parse(digits, strlen(digits), decimals, units)) {
    case SIM_DECIMAL_OK:
        return 0;
    case SIM_DECIMAL_TOO_FINE:
        return strstr(name, "price") != NULL ? 10026 : 10021;
    default:
        return db_gate_invalid(call, name, "invalid type");
    }
}

int db_gate_integer(struct db_call *call, const char *name, int64_t usual, int64_t *value)
{
    bool there;
    int code = db_gate_number(call, name, 0, value, &there);

    if (code != 0) {
        return db_gate_invalid(call, name, "invalid type");
    }
    *value = there ? *value : usual;
    return 0;
}

bool db_gate_flag(const struct db_call *call, const char *name, bool usual)
{
    const json_t *value = json_object_get(call->params, name);

    if (json_is_boolean(value)) {
        return json_is_true(value);
    }
    return json_is_string(value) ? strcmp(json_string_value(value), "true") == 0 : usual;
}

/* --- replies ------------------------------------------------------------------------------------------- */

static int http_status(int code)
{
    return code == 0 ? 200 : code == 10028 ? 429 : code == 13009 || code == 13004 ? 401 : 400;
}

/* reply sends what a call ended with; it takes over out. */
static void reply(struct db_shell *shell, struct db_call *call, int code, struct sim_text *out,
                  int64_t later_ns)
{
    struct db_session *session = call->socket ? sim_net_session(shell->net, call->conn) : NULL;
    struct db_item *item = db_shell_item(call->socket ? DB_ITEM_TEXT : DB_ITEM_HTTP);
    int64_t out_us = db_shell_server_ns(shell) / 1000;

    out_us = out_us < call->in_us ? call->in_us : out_us;
    sim_text_str(&item->text, "{\"jsonrpc\":\"2.0\"");
    if (call->id != NULL) {
        sim_text_add(&item->text, ",\"id\":%s", call->id);
    }
    if (code == 0) {
        sim_text_str(&item->text, ",\"result\":");
        sim_text_put(&item->text, out->data, out->length);
    } else {
        shell->refused++;
        sim_text_add(&item->text, ",\"error\":{\"message\":\"%s\",\"code\":%d", db_gate_words(code), code);
        if (call->data[0] != '\0') {
            sim_text_add(&item->text, ",\"data\":%s", call->data);
        }
        sim_text_str(&item->text, "}");
    }
    sim_text_add(&item->text, ",\"usIn\":%lld,\"usOut\":%lld,\"usDiff\":%lld,\"testnet\":%s}",
                 (long long)call->in_us, (long long)out_us, (long long)(out_us - call->in_us),
                 shell->options.testnet ? "true" : "false");
    item->conn = call->conn;
    item->status = http_status(code);
    item->activate = call->activate;
    item->hang_up = call->hang_up;
    call->activate = NULL;
    db_shell_push(shell, item,
                  later_ns + sim_delay_due(shell->delay, SIM_LINE_ACK, shell->now_ns,
                                           session == NULL ? NULL : &session->last_ns[SIM_LINE_ACK]));
    sim_text_free(out);
}

/* --- credits ------------------------------------------------------------------------------------------- */

struct pool {
    int64_t rate; /* requests a second, at 10^-9 */
    int64_t burst;
};

static struct pool pool_of(const struct db_shell *shell, enum db_cost cost)
{
    static const struct pool tiers[] = { { 30, 100 }, { 20, 50 }, { 10, 30 }, { 5, 20 } };
    const struct pool engine = tiers[shell->options.tier - 1];

    switch (cost) {
    case DB_COST_SUBSCRIBE: /* 3000 credits each, of 30000, 10000 coming back a second */
        return (struct pool){ INT64_C(10000000000) / 3, 10 };
    case DB_COST_INSTRUMENTS:
        return (struct pool){ 1000000000, 50 };
    case DB_COST_LOG:
        return (struct pool){ 1000000000, 1 };
    case DB_COST_TRADING:
    case DB_COST_SPOT:
    case DB_COST_CANCEL_ALL:
        return (struct pool){ engine.rate * 1000000000, engine.burst };
    default: /* 500 credits each, of 50000, 10000 coming back a second */
        return (struct pool){ INT64_C(20000000000), 100 };
    }
}

/* spend takes one request out of a bucket; false when it is empty. */
static bool spend(struct db_shell *shell, int account, enum db_cost cost)
{
    struct db_bucket *bucket = &shell->bucket[account < 0 ? SIM_ACCOUNT_MAX : account][cost];
    struct pool pool = pool_of(shell, cost);
    int64_t most = pool.burst * 1000000000;
    __int128 level = bucket->as_of_ns == 0 ? most
                                           : bucket->level + (__int128)(shell->now_ns - bucket->as_of_ns) *
                                                                 pool.rate / 1000000000;

    bucket->level = level > most ? most : (int64_t)level;
    bucket->as_of_ns = shell->now_ns;
    if (bucket->level < 1000000000) {
        return false;
    }
    bucket->level -= 1000000000;
    return true;
}

static enum db_cost cost_of(struct db_shell *shell, const struct db_call *call)
{
    const char *name = db_gate_text(call, "instrument_name");
    int at = name == NULL ? -1 : db_call_named(shell, name);
    bool spot = at >= 0 && shell->listing[at].kind == DB_SPOT;

    return call->method->cost == DB_COST_TRADING && spot ? DB_COST_SPOT : call->method->cost;
}

/* --- from request to call ------------------------------------------------------------------------------ */

static void scope_of(char scope[64], const struct db_call *call)
{
    snprintf(scope, 64, "deribit-%s-%s", call->method == NULL ? "read" : call->method->scope,
             call->socket ? "ws" : "rest");
}

/* admit lets a call in: it costs credits, may be refused on request, and arrives a latency later. */
static void admit(struct db_shell *shell, struct db_call *call, int code)
{
    struct db_session *session = call->socket ? sim_net_session(shell->net, call->conn) : NULL;
    struct sim_fault *fault;
    struct sim_text out = { 0 };
    char scope[64];
    int key = call->key >= 0 ? call->key : session != NULL ? session->key : -1;

    scope_of(scope, call);
    if (code == 0 && call->method->cost != DB_COST_FREE) {
        bool crowded = shell->options.limits &&
                       !spend(shell, key < 0 ? -1 : shell->key[key].account, cost_of(shell, call));
        if (crowded || sim_fault_hit(shell->faults, SIM_FAULT_RATE_LIMIT, scope, shell->now_ns) != NULL) {
            shell->limited++;
            code = 10028;
            call->hang_up = true; /* the error, then the end of the session */
        }
    }
    if (code == 0 && (fault = sim_fault_hit(shell->faults, SIM_FAULT_REJECT, scope, shell->now_ns)) != NULL) {
        code = fault->code != -2019 ? (int)fault->code : 10040; /* -2019 is what the fault has by itself */
    }
    if (code != 0) {
        reply(shell, call, code, &out, 0);
        db_gate_free(call);
        return;
    }
    struct db_item *item = db_shell_item(DB_ITEM_CALL);

    item->call = call;
    item->conn = call->conn;
    db_shell_push(shell, item,
                  sim_delay_due(shell->delay, SIM_LINE_ORDER, shell->now_ns,
                                session == NULL ? NULL : &session->last_ns[SIM_LINE_ORDER]));
}

static int allowed(const struct db_call *call)
{
    const struct db_method *method = call->method;

    if (method->open) {
        return 0;
    }
    if (call->key < 0) {
        return 10000;
    }
    return call->scope.trade >= method->trade && call->scope.account >= method->account &&
                   call->scope.wallet >= method->wallet
               ? 0
               : 13021;
}

/* who reads who calls: by token, by the socket's log-in. */
static int who(struct db_shell *shell, struct db_call *call)
{
    const struct db_session *session = call->socket ? sim_net_session(shell->net, call->conn) : NULL;
    const char *token = db_gate_text(call, "access_token");

    if (token != NULL) {
        return db_auth_token(shell, call, token);
    }
    if (session != NULL && session->key >= 0) {
        if (session->token_ns <= shell->now_ns) {
            return 13009;
        }
        call->key = session->key;
        call->scope = session->scope;
    }
    return 0;
}

static bool matching(const struct db_method *method)
{
    return method->cost == DB_COST_TRADING || method->cost == DB_COST_CANCEL_ALL;
}

void db_gate_arrive(struct db_shell *shell, struct db_item *item)
{
    struct db_call *call = item->call;
    struct sim_text out = { 0 };
    struct sim_fault *fault;
    int64_t later_ns = 0;
    char scope[64];
    int code = 0;

    item->call = NULL;
    if (!call->bumped) {
        shell->calls++;
        code = who(shell, call);
        code = code == 0 ? allowed(call) : code;
    } else {
        for (int i = 0; i < shell->bump_count; i++) {
            if (shell->bump[i] == call) {
                shell->bump[i] = shell->bump[--shell->bump_count];
                break;
            }
        }
    }
    bool cancels = matching(call->method) && strstr(call->method->scope, "cancel") != NULL;

    if (code == 0 && matching(call->method) && shell->settling) {
        code = 10041;
    } else if (code == 0 && matching(call->method) && shell->locked && !cancels) {
        code = 11051;
    }
    if (code == 0) {
        code = call->method->run(shell, call, &out);
    }
    if (code == DB_LATER) {
        struct db_item *again = db_shell_item(DB_ITEM_CALL);

        again->call = call;
        again->conn = call->conn;
        call->bumped = true;
        shell->bumps++;
        shell->bump[shell->bump_count++] = call;
        db_shell_push(shell, again, shell->now_ns + call->wait_ns);
        sim_text_free(&out);
        return;
    }
    scope_of(scope, call);
    if ((fault = sim_fault_hit(shell->faults, SIM_FAULT_SLOW_ACK, scope, shell->now_ns)) != NULL) {
        later_ns = fault->ms * 1000000;
    }
    if ((fault = sim_fault_hit(shell->faults, SIM_FAULT_UNKNOWN_503, scope, shell->now_ns)) != NULL) {
        code = 11094; /* done, and its outcome is not told */
    } else if ((fault = sim_fault_hit(shell->faults, SIM_FAULT_TIMEOUT_1007, scope, shell->now_ns)) != NULL) {
        code = 13028;
        later_ns = fault->ms * 1000000;
    }
    bool reply_first =
        shell->options.choices.first == DB_ONE_WAY ||
        (shell->options.choices.first == DB_SEEDED && sim_random_chance(&shell->random, 500000));

    if (!reply_first) {
        db_shell_settled(shell, shell->now_ns);
    }
    if (sim_fault_hit(shell->faults, SIM_FAULT_NO_REPLY, scope, shell->now_ns) == NULL) {
        reply(shell, call, code, &out, later_ns);
    }
    db_shell_settled(shell, shell->now_ns);
    sim_text_free(&out);
    db_gate_free(call);
}

/* --- the socket ---------------------------------------------------------------------------------------- */

static struct db_call *new_call(struct db_shell *shell, uint64_t conn, bool socket)
{
    struct db_call *call = calloc(1, sizeof *call);

    if (call == NULL) {
        abort();
    }
    call->conn = conn;
    call->socket = socket;
    call->key = -1;
    call->in_us = db_shell_server_ns(shell) / 1000;
    return call;
}

/* understand reads one JSON-RPC request into a call: 0 or an error code. */
static int understand(struct db_shell *shell, struct db_call *call, const char *text, size_t length)
{
    json_t *root;
    int code = 0;

    if (length > DB_FRAME_MAX) {
        return db_gate_fail(call, -32600, "\"request entity too large\"");
    }
    root = json_loadb(text, length, JSON_REJECT_DUPLICATES, NULL);
    if (root == NULL) {
        return -32700;
    }
    const json_t *id = json_object_get(root, "id"), *version = json_object_get(root, "jsonrpc");
    const char *name = json_string_value(json_object_get(root, "method"));
    json_t *params = json_object_get(root, "params");

    if (json_is_integer(id) || json_is_string(id)) {
        call->id = json_dumps(id, JSON_ENCODE_ANY | JSON_COMPACT);
    }
    call->params = params == NULL || json_is_null(params) ? json_object() : json_incref(params);
    call->typed = true;
    if (!json_is_object(root) || name == NULL ||
        (version != NULL && strcmp(json_is_string(version) ? json_string_value(version) : "", "2.0") != 0)) {
        code = -32600; /* a batch, or no request at all */
    } else if (call->id == NULL) {
        code = db_gate_fail(call, -32600, "{\"reason\":\"id is required\"}");
    } else if (!json_is_object(call->params)) {
        code = db_gate_fail(call, -32602, "{\"reason\":\"params must be an object\"}");
    } else if ((call->method = db_call_find(name)) == NULL) {
        char what[160];
        snprintf(what, sizeof what, "deribit %.100s", name);
        db_gate_unknown(shell, what);
        code = -32601;
    }
    json_decref(root);
    return code;
}

void db_gate_message(struct db_shell *shell, struct db_session *session, const char *text, size_t length)
{
    struct db_call *call = new_call(shell, session->conn, true);

    admit(shell, call, understand(shell, call, text, length));
}

/* --- HTTP ---------------------------------------------------------------------------------------------- */

static void decode(char *text)
{
    char *out = text;

    for (; *text != '\0'; text++) {
        if (*text == '%' && isxdigit((unsigned char)text[1]) && isxdigit((unsigned char)text[2])) {
            char digits[3] = { text[1], text[2], '\0' };
            *out++ = (char)strtol(digits, NULL, 16);
            text += 2;
        } else {
            *out++ = *text == '+' ? ' ' : *text;
        }
    }
    *out = '\0';
}

static void read_query(struct db_call *call, const char *query)
{
    char *copy = strdup(query), *save = NULL;

    call->params = json_object();
    for (char *pair = strtok_r(copy, "&", &save); pair != NULL; pair = strtok_r(NULL, "&", &save)) {
        char *equals = strchr(pair, '=');
        if (equals == NULL) {
            continue;
        }
        *equals = '\0';
        decode(pair);
        decode(equals + 1);
        /* A value that is a list (channels=["a","b"]) is one; everything else stays text. */
        json_t *list = equals[1] == '[' ? json_loads(equals + 1, 0, NULL) : NULL;
        json_object_set_new(call->params, pair, list != NULL ? list : json_string(equals + 1));
    }
    free(copy);
}

void db_shell_request(void *user, const struct sim_request *request)
{
    struct db_shell *shell = user;
    struct db_call *call = new_call(shell, request->conn, false);
    static const char prefix[] = "/api/v2";
    const char *path = request->path;
    char what[160];
    int code = 0;

    path = strncmp(path, prefix, sizeof prefix - 1) == 0 ? path + sizeof prefix - 1 : "";
    path += path[0] == '/';
    if (strcmp(request->verb, "POST") == 0 && request->body_length > 0) {
        code = understand(shell, call, request->body, request->body_length);
        if (code == 0 && path[0] != '\0' && strcmp(path, call->method->name) != 0) {
            const struct db_method *named = db_call_find(path);
            code = named == call->method ? 0 : -32600;
        }
    } else {
        read_query(call, request->query);
        call->method = db_call_find(path);
        if (call->method == NULL) {
            snprintf(what, sizeof what, "deribit %.8s %.100s", request->verb, request->path);
            db_gate_unknown(shell, what);
            code = -32601;
        }
    }
    if (code == 0) {
        code = db_auth_header(shell, call, request);
    }
    admit(shell, call, code);
}
