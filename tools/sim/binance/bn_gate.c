#include "tools/sim/binance/bn_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- what nobody knows --------------------------------------------------------------------------------- */

void bn_gate_unknown(struct bn_shell *shell, const char *what)
{
    for (int i = 0; i < shell->unknown_count; i++) {
        if (strcmp(shell->unknown[i].what, what) == 0) {
            shell->unknown[i].times++;
            return;
        }
    }
    if (shell->unknown_count < BN_UNKNOWN_MAX) {
        struct bn_unknown *unknown = &shell->unknown[shell->unknown_count++];
        snprintf(unknown->what, sizeof unknown->what, "%s", what);
        unknown->times = 1;
    }
}

/* --- limits -------------------------------------------------------------------------------------------- */

static struct bn_counts *counts_of(struct bn_shell *shell, enum sim_kind kind, int account)
{
    struct bn_counts *counts = &shell->counts[account][kind != SIM_SPOT];
    int64_t s = shell->now_ns / 1000000000;

    if (counts->window_10s != s / 10) {
        counts->window_10s = s / 10;
        counts->orders_10s = 0;
    }
    if (counts->window_1m != s / 60) {
        counts->window_1m = s / 60;
        counts->orders_1m = 0;
    }
    if (counts->window_1d != s / 86400) {
        counts->window_1d = s / 86400;
        counts->orders_1d = 0;
    }
    return counts;
}

void bn_gate_count_order(struct bn_shell *shell, enum sim_kind kind, int account, int orders)
{
    struct bn_counts *counts = counts_of(shell, kind, account);

    counts->orders_10s = counts->orders_10s + orders < 0 ? 0 : counts->orders_10s + orders;
    counts->orders_1m = counts->orders_1m + orders < 0 ? 0 : counts->orders_1m + orders;
    counts->orders_1d = counts->orders_1d + orders < 0 ? 0 : counts->orders_1d + orders;
}

/* too_many_orders answers a 429 when one more order exceeds a window. */
static int too_many_orders(struct bn_shell *shell, const struct bn_call *call, struct sim_text *out)
{
    const struct bn_counts *counts = counts_of(shell, call->kind, shell->key[call->key].account);
    bool spot = call->kind == SIM_SPOT;

    if (!shell->options.limits) {
        return 0;
    }
    if (counts->orders_10s >= (spot ? 100 : 300)) {
        return bn_call_error(out, 429, -1015,
                             "Too many new orders; current limit is %d orders per 10 SECOND.",
                             spot ? 100 : 300);
    }
    if (!spot && counts->orders_1m >= 1200) {
        return bn_call_error(out, 429, -1015,
                             "Too many new orders; current limit is 1200 orders per MINUTE.");
    }
    return 0;
}

void bn_gate_count_weight(struct bn_shell *shell, enum sim_kind kind, int weight)
{
    int at = kind != SIM_SPOT;
    int64_t minute = shell->now_ns / INT64_C(60000000000);

    if (shell->weight_window[at] != minute) {
        shell->weight_window[at] = minute;
        shell->weight[at] = 0;
    }
    shell->weight[at] = shell->weight[at] + weight < 0 ? 0 : shell->weight[at] + weight;
}

/* weight_of answers what a call costs: some cost more without a symbol, and a book costs by its depth. */
static int weight_of(const struct bn_call *call)
{
    bool spot = call->kind == SIM_SPOT, all = bn_call_get(call, "symbol") == NULL;
    const char *limit = bn_call_get(call, "limit");

    switch (call->method->what) {
    case BN_DEPTH: {
        int levels = limit != NULL ? atoi(limit) : spot ? 100 : 500;
        if (spot) {
            return levels <= 100 ? 5 : levels <= 500 ? 25 : levels <= 1000 ? 50 : 250;
        }
        return levels <= 50 ? 2 : levels <= 100 ? 5 : levels <= 500 ? 10 : 20;
    }
    case BN_OPEN_ORDERS:
        return !all ? call->method->weight : spot ? 80 : 40;
    case BN_PREMIUM_INDEX:
        return all ? 10 : 1;
    case BN_USER_TRADES:
        return spot && bn_call_get(call, "orderId") != NULL ? 5 : call->method->weight;
    default:
        return call->method->weight;
    }
}

/* free_when_good is true of the spot orders that cost weight only when they fail. */
static bool free_when_good(const struct bn_call *call)
{
    enum bn_do what = call->method->what;

    return call->kind == SIM_SPOT &&
           (what == BN_PLACE || what == BN_CANCEL || what == BN_CANCEL_ALL || what == BN_CANCEL_REPLACE);
}

static bool overweight(const struct bn_shell *shell, enum sim_kind kind)
{
    return shell->options.limits && shell->weight[kind != SIM_SPOT] > (kind == SIM_SPOT ? 6000 : 2400);
}

static int too_heavy(enum sim_kind kind, struct sim_text *out)
{
    return bn_call_error(
        out, 429, -1003,
        "Too many requests; current limit is %d request weight per 1 MINUTE. Please use WebSocket "
        "Streams for live updates to avoid polling the API.",
        kind == SIM_SPOT ? 6000 : 2400);
}

static void scope_of(const struct bn_call *call, char *scope, size_t size)
{
    snprintf(scope, size, "%s-%s-%s", bn_shell_product(call->kind), call->socket ? "wsapi" : "rest",
             call->method->scope);
}

/* When a call that was refused would be answered: with the next minute, or when the fault is over. */
static int64_t retry_after_ns(const struct bn_shell *shell, const struct bn_call *call)
{
    char scope[64];
    int64_t minute_ns = (shell->now_ns / INT64_C(60000000000) + 1) * INT64_C(60000000000);
    scope_of(call, scope, sizeof scope);
    struct sim_fault *fault = overweight(shell, call->kind)
                                  ? NULL
                                  : sim_fault_open(shell->faults, SIM_FAULT_RATE_LIMIT, scope, shell->now_ns);
    int64_t end_ns = fault == NULL || fault->for_ns == 0
                         ? INT64_MAX
                         : shell->faults->start_ns + fault->at_ns + fault->for_ns;
    return end_ns < minute_ns ? end_ns : minute_ns;
}

/* --- replies ------------------------------------------------------------------------------------------- */

static void envelope(struct bn_shell *shell, const struct bn_call *call, int status,
                     const struct sim_text *body, struct sim_text *out)
{
    sim_text_add(out, "{\"id\":%s,\"status\":%d,\"%s\":", call->id, status,
                 status == 200 ? "result" : "error");
    if ((status == 429 || status == 418) && body->length > 1) {
        sim_text_put(out, body->data, body->length - 1);
        sim_text_add(
            out, ",\"data\":{\"serverTime\":%lld,\"retryAfter\":%lld}}",
            (long long)(bn_shell_server_ns(shell) / 1000000),
            (long long)((bn_shell_server_ns(shell) + retry_after_ns(shell, call) - shell->now_ns) / 1000000));
    } else {
        sim_text_put(out, body->data, body->length);
    }
    if (call->show_limits) {
        sim_text_str(out, ",\"rateLimits\":");
        bn_text_rate_limits(out, call->kind, shell, call->key >= 0 ? shell->key[call->key].account : -1,
                            true);
    }
    sim_text_str(out, "}");
}

/* reply sends a body (which it takes) after the ack latency and extra_ms more. */
static void reply(struct bn_shell *shell, const struct bn_call *call, int status, struct sim_text *body,
                  int64_t extra_ms)
{
    struct bn_session *session = call->socket ? sim_net_session(shell->net, call->conn) : NULL;
    int64_t *last = session != NULL && extra_ms == 0 ? &session->last_ns[SIM_LINE_ACK] : NULL;
    int64_t due = sim_delay_due(shell->delay, SIM_LINE_ACK, shell->now_ns + extra_ms * 1000000, last);
    struct bn_item *item = bn_shell_item(call->socket ? BN_ITEM_TEXT : BN_ITEM_REPLY);

    shell->refused += status != 200;
    item->conn = call->conn;
    item->status = status;
    if (call->socket) {
        envelope(shell, call, status, body, &item->text);
        sim_text_free(body);
    } else {
        item->text = *body;
        *body = (struct sim_text){ 0 };
        sim_text_add(&item->headers, "X-MBX-USED-WEIGHT-1M: %d\r\n", shell->weight[call->kind != SIM_SPOT]);
        if (call->key >= 0) {
            const struct bn_counts *counts = counts_of(shell, call->kind, shell->key[call->key].account);
            sim_text_add(&item->headers, "X-MBX-ORDER-COUNT-10S: %d\r\nX-MBX-ORDER-COUNT-1%s: %d\r\n",
                         counts->orders_10s, call->kind == SIM_SPOT ? "D" : "M",
                         call->kind == SIM_SPOT ? counts->orders_1d : counts->orders_1m);
        }
        if (status == 429 || status == 418) {
            sim_text_add(&item->headers, "Retry-After: %lld\r\n",
                         (long long)(retry_after_ns(shell, call) - shell->now_ns) / 1000000000 + 1);
        }
    }
    bn_shell_push(shell, item, due);
}

/* finish replies to a call and ends it. */
static void finish(struct bn_shell *shell, struct bn_call *call, int status, struct sim_text *body)
{
    char scope[64];
    struct sim_fault *fault;

    scope_of(call, scope, sizeof scope);
    if (sim_fault_hit(shell->faults, SIM_FAULT_NO_REPLY, scope, shell->now_ns) != NULL) {
        sim_text_free(body);
        bn_call_free(call);
        return;
    }
    int64_t extra_ms = 0;

    if ((fault = sim_fault_hit(shell->faults, SIM_FAULT_UNKNOWN_503, scope, shell->now_ns)) != NULL) {
        status =
            bn_call_error(body, 503, -1000, "Unknown error, please check your request or try again later.");
    } else if ((fault = sim_fault_hit(shell->faults, SIM_FAULT_TIMEOUT_1007, scope, shell->now_ns)) != NULL) {
        status =
            bn_call_error(body, 408, -1007,
                          "Timeout waiting for response from backend server. Send status unknown; execution "
                          "status unknown.");
        extra_ms = fault->ms;
    } else if ((fault = sim_fault_hit(shell->faults, SIM_FAULT_SLOW_ACK, scope, shell->now_ns)) != NULL) {
        extra_ms = fault->ms;
    }
    reply(shell, call, status, body, extra_ms);
    bn_call_free(call);
}

/* --- the gate ------------------------------------------------------------------------------------------ */

static int key_index(const struct bn_shell *shell, const char *id)
{
    for (int i = 0; i < shell->key_count; i++) {
        if (strcmp(shell->key[i].id, id) == 0) {
            return i;
        }
    }
    return -1;
}

/* key_of finds the caller; 0 with call->key set, or the status with the error written. */
static int key_of(struct bn_shell *shell, struct bn_call *call, const char *id, struct sim_text *out)
{
    if (id == NULL || id[0] == '\0') {
        return bn_call_error(out, 401, -2014, "API-key format invalid.");
    }
    for (const char *c = id; *c != '\0'; c++) {
        if ((unsigned char)*c <= ' ' || (unsigned char)*c > '~') {
            return bn_call_error(out, 401, -2014, "API-key format invalid.");
        }
    }
    call->key = key_index(shell, id);
    return call->key < 0 ? bn_call_error(out, 401, -2015, "Invalid API-key, IP, or permissions for action.")
                         : 0;
}

static int missing(struct sim_text *out, const char *name)
{
    return bn_call_error(out, 400, -1102,
                         "Mandatory parameter '%s' was not sent, was empty/null, or malformed.", name);
}

static int check_time(struct bn_shell *shell, const struct bn_call *call, struct sim_text *out)
{
    bool ahead = false;

    switch (bn_auth_time(bn_call_get(call, "timestamp"), bn_call_get(call, "recvWindow"),
                         bn_shell_server_ns(shell), &ahead)) {
    case 0:
        return 0;
    case -1102:
        return missing(out, "timestamp");
    case -1100:
        return bn_call_error(out, 400, -1100, "Illegal characters found in parameter 'recvWindow'.");
    case -1131:
        return bn_call_error(out, 400, -1131, "recvWindow must be less than 60000");
    default:
        return bn_call_error(out, 400, -1021, "%s",
                             ahead ? "Timestamp for this request was 1000ms ahead of the server's time."
                                   : "Timestamp for this request is outside of the recvWindow.");
    }
}

/* check_signed is the whole check of a signed call over the text its signature covers. */
static int check_signed(struct bn_shell *shell, const struct bn_call *call, const struct sim_text *covered,
                        struct sim_text *out)
{
    const char *signature = bn_call_get(call, "signature");

    if (bn_call_get(call, "timestamp") == NULL) {
        return missing(out, "timestamp");
    }
    if (signature == NULL) {
        return missing(out, "signature");
    }
    if (!bn_auth_check(&shell->key[call->key], covered->data, covered->length, signature)) {
        return bn_call_error(out, 400, -1022, "Signature for this request is not valid.");
    }
    return check_time(shell, call, out);
}

/* admit queues a call that passed, or sends what refuses it. */
static void admit(struct bn_shell *shell, struct bn_call *call, int status, struct sim_text *out)
{
    char scope[64];
    struct sim_fault *fault;
    struct bn_session *session = call->socket ? sim_net_session(shell->net, call->conn) : NULL;

    scope_of(call, scope, sizeof scope);
    bn_gate_count_weight(shell, call->kind, weight_of(call));
    if (overweight(shell, call->kind)) {
        status = too_heavy(call->kind, out);
    } else if (status == 0 &&
               sim_fault_hit(shell->faults, SIM_FAULT_RATE_LIMIT, scope, shell->now_ns) != NULL) {
        status = too_heavy(call->kind, out);
    } else if (status == 0 &&
               (fault = sim_fault_hit(shell->faults, SIM_FAULT_REJECT, scope, shell->now_ns)) != NULL) {
        status = bn_call_error(out, 400, (int)fault->code, "Refused on request.");
    }
    if (status != 0) {
        reply(shell, call, status, out, 0);
        bn_call_free(call);
        return;
    }
    sim_text_free(out);
    struct bn_item *item = bn_shell_item(BN_ITEM_CALL);

    item->call = call;
    item->conn = call->conn;
    bn_shell_push(shell, item,
                  sim_delay_due(shell->delay, SIM_LINE_ORDER, shell->now_ns,
                                session == NULL ? NULL : &session->last_ns[SIM_LINE_ORDER]));
}

static bool counts_as_order(enum bn_do what)
{
    return what == BN_PLACE || what == BN_MODIFY || what == BN_CANCEL_REPLACE;
}

void bn_gate_arrive(struct bn_shell *shell, struct bn_item *item)
{
    struct bn_call *call = item->call;
    struct sim_text out = { 0 };
    int status = 0;

    item->call = NULL;
    shell->calls++;
    if (call->method->security == BN_SIGNED && bn_call_get(call, "timestamp") != NULL) {
        status = check_time(shell, call, &out); /* checked again just before matching */
    }
    if (status == 0 && counts_as_order(call->method->what) && call->key >= 0) {
        status = too_many_orders(shell, call, &out);
    }
    if (status == 0) {
        status = bn_call_run(shell, call, &out);
        if (counts_as_order(call->method->what) && status == 200) {
            bn_gate_count_order(shell, call->kind, shell->key[call->key].account, 1);
        } else if (call->method->what == BN_BATCH_PLACE || call->method->what == BN_BATCH_MODIFY) {
            bn_gate_count_order(shell, call->kind, shell->key[call->key].account, 5);
        }
    }
    if (status == 200 && free_when_good(call)) {
        bn_gate_count_weight(shell, call->kind, -call->method->weight);
    }
    finish(shell, call, status, &out);
}

/* --- REST ---------------------------------------------------------------------------------------------- */

static void read_pairs(struct bn_call *call, const char *text, size_t length)
{
    const char *end = text + length;

    while (text < end) {
        const char *stop = memchr(text, '&', (size_t)(end - text));
        stop = stop == NULL ? end : stop;
        const char *equals = memchr(text, '=', (size_t)(stop - text));
        if (equals != NULL && call->param_count < BN_PARAM_MAX) {
            bn_call_add(call, text, (size_t)(equals - text), equals + 1, (size_t)(stop - equals - 1));
            bn_auth_decode(call->param[call->param_count - 1].name);
            bn_auth_decode(call->param[call->param_count - 1].value);
        }
        text = stop + 1;
    }
}

static void plain_reply(struct bn_shell *shell, const struct sim_request *request, int status,
                        const char *text)
{
    struct bn_item *item = bn_shell_item(BN_ITEM_REPLY);

    item->conn = request->conn;
    item->status = status;
    sim_text_str(&item->text, text);
    bn_shell_push(shell, item, sim_delay_due(shell->delay, SIM_LINE_ACK, shell->now_ns, NULL));
}

void bn_shell_request(void *user, const struct sim_request *request)
{
    struct bn_shell *shell = user;
    static const struct {
        const char *prefix, *host;
        enum sim_kind kind;
    } roots[] = { { "/fapi/", "fapi", SIM_LINEAR },
                  { "/dapi/", "dapi", SIM_INVERSE },
                  { "/api/", "api", SIM_SPOT },
                  { "/sapi/", "api", SIM_SPOT } };
    const struct bn_method *method = NULL;
    enum sim_kind kind = SIM_SPOT;
    char what[160];
    bool known_root = false;

    for (size_t i = 0; i < sizeof roots / sizeof roots[0]; i++) {
        size_t n = strlen(roots[i].prefix);
        if (strncmp(request->path, roots[i].prefix, n) != 0) {
            continue;
        }
        /* A venue's host serves its own product only; a plain loopback name and the test hosts serve by path.
         */
        bool venue_host =
            strstr(request->host, "binance") != NULL && strncmp(request->host, "testnet.", 8) != 0;
        bool fits = !venue_host || (roots[i].kind == SIM_SPOT ? strstr(request->host, "fapi") == NULL &&
                                                                    strstr(request->host, "dapi") == NULL
                                                              : strstr(request->host, roots[i].host) != NULL);
        if (fits) {
            kind = roots[i].kind;
            known_root = true;
            method = bn_call_find_rest(kind, request->verb, request->path + n);
            bool spot_api = strcmp(roots[i].prefix, "/api/") == 0;
            if (method == NULL && spot_api && strncmp(request->path + n, "v1/", 3) == 0) {
                /* spot's old market data paths, which some clients still ask */
                snprintf(what, sizeof what, "v3/%s", request->path + n + 3);
                method = bn_call_find_rest(kind, request->verb, what);
                method = method != NULL && method->security == BN_OPEN ? method : NULL;
            }
        }
    }
    if (method != NULL && !shell->options.retired && strcmp(method->scope, "retired") == 0) {
        method = NULL;
    }
    if (method == NULL) {
        struct sim_text text = { 0 };
        snprintf(what, sizeof what, "%s %s%s", request->verb, request->host, request->path);
        bn_gate_unknown(shell, what);
        if (known_root && kind != SIM_SPOT) {
            sim_text_add(&text, "{\"code\":-5000,\"msg\":\"Path %.100s, Method %.8s is invalid\"}",
                         request->path, request->verb);
        } else {
            sim_text_str(&text, "{\"status\":404,\"error\":\"Not Found\"}");
        }
        plain_reply(shell, request, 404, text.data);
        sim_text_free(&text);
        return;
    }
    struct bn_call *call = calloc(1, sizeof *call);
    struct sim_text out = { 0 };
    int status = 0;

    if (call == NULL) {
        abort();
    }
    call->conn = request->conn;
    call->kind = kind;
    call->method = method;
    call->key = -1;
    read_pairs(call, request->query, strlen(request->query));
    read_pairs(call, request->body, request->body_length);
    if (method->security != BN_OPEN) {
        status = key_of(shell, call, request->key, &out);
    }
    if (status == 0 && method->security == BN_SIGNED) {
        struct sim_text covered = { 0 };
        bn_auth_rest_text(&covered, request->query, request->body, request->body_length);
        status = check_signed(shell, call, &covered, &out);
        sim_text_free(&covered);
    }
    admit(shell, call, status, &out);
}

/* --- WebSocket API ------------------------------------------------------------------------------------- */

/* raw_number answers the text of a JSON number as it stands in the message, because the signature covers it
 * as printed there: 0.10 and 0.1 are different texts. */
static char *raw_number(const char *text, size_t length, const char *name)
{
    char quoted[128];
    int n = snprintf(quoted, sizeof quoted, "\"%s\"", name);
    const char *at = memmem(text, length, quoted, (size_t)n);

    if (at == NULL) {
        return NULL;
    }
    at += n;
    const char *end = text + length;
    while (at < end && (*at == ' ' || *at == ':')) {
        at++;
    }
    const char *stop = at;
    while (stop < end && *stop != ',' && *stop != '}' && *stop != ' ') {
        stop++;
    }
    return strndup(at, (size_t)(stop - at));
}

static void read_params(struct bn_call *call, const json_t *params, const char *text, size_t length)
{
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)params, name, value)
    {
        char *printed = json_is_string(value) ? strdup(json_string_value(value))
                        : json_is_real(value) ? raw_number(text, length, name)
                                              : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        if (printed != NULL && !json_is_null(value)) {
            bn_call_add(call, name, strlen(name), printed, strlen(printed));
        }
        free(printed);
    }
}

static int check_socket(struct bn_shell *shell, struct bn_session *session, struct bn_call *call,
                        struct sim_text *out)
{
    const char *id = bn_call_get(call, "apiKey");
    struct sim_text covered = { 0 };
    int status = 0;

    if (call->method->what == BN_LOGON) {
        if ((status = key_of(shell, call, id, out)) != 0) {
            return status;
        }
        if (shell->key[call->key].public_key == NULL) {
            return bn_call_error(out, 401, -1099, "Not found, authenticated, or authorized.");
        }
    } else if (call->method->security == BN_OPEN) {
        return 0;
    } else if (id == NULL && session->key >= 0) {
        call->key = session->key; /* logged on: neither key nor signature is needed, the time still is */
        return call->method->security == BN_SIGNED ? check_time(shell, call, out) : 0;
    } else if ((status = key_of(shell, call, id, out)) != 0) {
        return status;
    }
    if (call->method->security == BN_KEYED) {
        return 0;
    }
    bn_auth_socket_text(&covered, call->param, call->param_count);
    status = check_signed(shell, call, &covered, out);
    sim_text_free(&covered);
    return status;
}

void bn_gate_socket_message(struct bn_shell *shell, struct bn_session *session, const char *text,
                            size_t length)
{
    json_t *root = json_loadb(text, length, 0, NULL);
    const char *name = json_string_value(json_object_get(root, "method"));
    json_t *id = json_object_get(root, "id"), *limits = json_object_get(root, "returnRateLimits");
    const json_t *params = json_object_get(root, "params");
    struct bn_call *call = calloc(1, sizeof *call);
    struct sim_text out = { 0 };
    static const struct bn_method broken = { .scope = "read" };

    if (call == NULL) {
        abort();
    }
    call->conn = session->conn;
    call->socket = true;
    call->kind = session->kind;
    call->key = -1;
    call->id = id == NULL ? strdup("null") : json_dumps(id, JSON_ENCODE_ANY | JSON_COMPACT);
    call->show_limits = limits != NULL ? json_is_true(limits) : session->show_limits;
    call->method = name == NULL ? NULL : bn_call_find_socket(session->kind, name);
    int status = 0;

    if (root == NULL) {
        status = bn_call_error(&out, 400, -1135, "Invalid JSON Request");
    } else if (name == NULL) {
        status = missing(&out, "method");
    } else if (call->method == NULL) {
        char what[160];
        snprintf(what, sizeof what, "%s-wsapi %.100s", bn_shell_product(session->kind), name);
        bn_gate_unknown(shell, what);
        status = bn_call_error(&out, 400, -1020, "This operation is not supported.");
    } else {
        read_params(call, params, text, length);
        status = check_socket(shell, session, call, &out);
    }
    if (call->method == NULL) {
        call->method = &broken;
    }
    admit(shell, call, status, &out);
    json_decref(root);
}
