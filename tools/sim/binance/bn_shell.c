#include "tools/sim/binance/bn_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Deadlines: the queue of arrivals and replies; paces of slower streams; every second pings, pongs and the
 * 24 hour life of connections; fault moments. */
#define SPOT_PING_NS    (INT64_C(20) * 1000000000)
#define SPOT_PONG_NS    (INT64_C(60) * 1000000000)
#define FUTURES_PING_NS (INT64_C(180) * 1000000000)
#define FUTURES_PONG_NS (INT64_C(600) * 1000000000)
#define LIFE_NS         (INT64_C(86400) * 1000000000)

struct bn_item *bn_shell_item(enum bn_item_kind kind)
{
    struct bn_item *item = calloc(1, sizeof *item);

    if (item == NULL) {
        abort();
    }
    item->kind = kind;
    return item;
}

void bn_shell_push(struct bn_shell *shell, struct bn_item *item, int64_t due_ns)
{
    sim_queue_push(&shell->queue, due_ns, item);
}

void bn_shell_drop(struct bn_item *item)
{
    sim_text_free(&item->text);
    sim_text_free(&item->headers);
    bn_call_free(item->call);
    free(item->levels);
    free(item);
}

struct bn_shell *bn_shell_new(const struct bn_options *options, struct sim_faults *faults,
                              struct sim_delay *delay)
{
    struct bn_shell *shell = calloc(1, sizeof *shell);

    if (shell == NULL) {
        abort();
    }
    shell->options = *options;
    if (shell->options.fill_order[0] == '\0') {
        memcpy(shell->options.fill_order, "lao", 3);
    }
    shell->faults = faults;
    shell->delay = delay;
    sim_random_seed(&shell->random, options->seed, 3);
    return shell;
}

void bn_shell_attach(struct bn_shell *shell, struct sim_venue *venue, struct sim_net *net)
{
    shell->venue = venue;
    shell->net = net;
}

void bn_shell_free(struct bn_shell *shell)
{
    struct bn_item *item;

    while ((item = sim_queue_pop(&shell->queue, INT64_MAX)) != NULL) {
        bn_shell_drop(item);
    }
    free(shell->queue.entry);
    for (int i = 0; i < SIM_ACCOUNT_MAX; i++) {
        if (shell->held[i] != NULL) {
            bn_shell_drop(shell->held[i]);
        }
    }
    for (int i = 0; i < shell->key_count; i++) {
        EVP_PKEY_free(shell->key[i].public_key);
    }
    for (int i = 0; i < SIM_INSTRUMENT_MAX; i++) {
        for (int pace = 0; pace < BN_PACE_COUNT; pace++) {
            free(shell->merge[i][pace].level[0]);
            free(shell->merge[i][pace].level[1]);
        }
    }
    free(shell);
}

static bool unhex(const char *text, unsigned char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        unsigned int byte;
        if (sscanf(text + 2 * i, "%2x", &byte) != 1) {
            return false;
        }
        bytes[i] = (unsigned char)byte;
    }
    return text[2 * count] == '\0';
}

bool bn_shell_add_key(struct bn_shell *shell, int account, const char *id, const char *secret, bool ed25519)
{
    if (shell->key_count == BN_KEY_MAX || strlen(id) >= sizeof shell->key[0].id ||
        strlen(secret) >= sizeof shell->key[0].secret) {
        return false;
    }
    struct bn_key *key = &shell->key[shell->key_count];

    memset(key, 0, sizeof *key);
    key->account = account;
    memcpy(key->id, id, strlen(id) + 1);
    if (ed25519) {
        unsigned char raw[32];
        if (strlen(secret) != 64 || !unhex(secret, raw, sizeof raw)) {
            return false;
        }
        key->public_key = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw, sizeof raw);
        if (key->public_key == NULL) {
            return false;
        }
    } else {
        memcpy(key->secret, secret, strlen(secret) + 1);
    }
    shell->key_count++;
    return true;
}

int bn_shell_account_of(const struct bn_shell *shell, const char *id)
{
    for (int i = 0; i < shell->key_count; i++) {
        if (strcmp(shell->key[i].id, id) == 0) {
            return shell->key[i].account;
        }
    }
    return -1;
}

void bn_shell_time(struct bn_shell *shell, int64_t now_ns)
{
    shell->now_ns = now_ns;
}

int64_t bn_shell_server_ns(struct bn_shell *shell)
{
    struct sim_fault *skew = sim_fault_open(shell->faults, SIM_FAULT_CLOCK_SKEW, "all", shell->now_ns);

    if (skew != NULL) {
        skew->fired++;
    }
    return shell->now_ns + (skew == NULL ? 0 : skew->ms * 1000000);
}

const char *bn_shell_product(enum sim_kind kind)
{
    return kind == SIM_SPOT ? "spot" : kind == SIM_LINEAR ? "usdm" : "coinm";
}

int bn_shell_symbol(struct bn_shell *shell, enum sim_kind kind, const char *symbol)
{
    for (int i = 0; i < sim_venue_instrument_count(shell->venue); i++) {
        const struct sim_instrument *instrument = &sim_venue_market(shell->venue, i)->instrument;
        if (instrument->kind == kind && strcmp(instrument->symbol, symbol) == 0) {
            return i;
        }
    }
    return -1;
}

/* --- what the model says ------------------------------------------------------------------------------- */

static void queue_public(struct bn_shell *shell, const struct sim_event *event)
{
    struct bn_item *item = bn_shell_item(BN_ITEM_EVENT);
    size_t count = event->kind == SIM_EVENT_TOP ? 2 : (size_t)event->bid_count + event->ask_count;
    const struct sim_market *market = sim_venue_market(shell->venue, event->instrument);

    item->event = *event;
    if (event->levels != NULL && count > 0) {
        item->levels = malloc(count * sizeof *item->levels);
        if (item->levels == NULL) {
            abort();
        }
        memcpy(item->levels, event->levels, count * sizeof *item->levels);
        item->event.levels = item->levels;
    }
    if (event->kind == SIM_EVENT_MARK) {
        item->mark_e8 = market->mark_e8;
        item->index_e8 = market->index_e8;
        item->rate_e8 = market->funding_rate_e8;
        item->next_funding_ns = market->next_funding_ns;
        item->event.u = shell->mark_count / sim_venue_instrument_count(shell->venue);
        shell->mark_count++;
    }
    bn_shell_push(
        shell, item,
        sim_delay_due(shell->delay, SIM_LINE_FEED, event->now_ns, &shell->feed_last_ns[event->instrument]));
}

void bn_shell_emit(void *user, const struct sim_event *event)
{
    struct bn_shell *shell = user;

    switch (event->kind) {
    case SIM_EVENT_TRADE:
        bn_day_trade(shell, event);
        bn_kline_trade(shell, event);
        queue_public(shell, event);
        break;
    case SIM_EVENT_DEPTH:
    case SIM_EVENT_TOP:
    case SIM_EVENT_MARK:
    case SIM_EVENT_FEED_END:
        queue_public(shell, event);
        break;
    case SIM_EVENT_FEED_START:
        for (int pace = 0; pace < BN_PACE_COUNT; pace++) { /* what waited belongs to the feed that ended */
            struct bn_merge *merge = &shell->merge[event->instrument][pace];
            merge->any = false;
            merge->count[0] = merge->count[1] = 0;
            merge->sent_u = sim_venue_market(shell->venue, event->instrument)->last_u;
        }
        break;
    case SIM_EVENT_ORDER:
        if (event->exec == SIM_EXEC_TRADE && event->order->filled == event->qty &&
            sim_venue_market(shell->venue, event->instrument)->instrument.kind == SIM_SPOT) {
            /* Spot gives order counts back on the first fill: 1 to a taker, 5 to a maker. */
            bn_gate_count_order(shell, SIM_SPOT, event->account, event->maker ? -5 : -1);
        }
        bn_feed_order(shell, event);
        break;
    case SIM_EVENT_FUNDING: {
        const struct sim_instrument *i = &sim_venue_market(shell->venue, event->instrument)->instrument;
        /* On a cross position the balance alone is listed; the change counts as neither profit nor fee. */
        bn_feed_account(shell, event->account, i->kind, -1, i->settle, "FUNDING_FEE",
                        event->payment->amount_e8, event->now_ns);
        break;
    }
    case SIM_EVENT_SETTLEMENT:
        break; /* no such thing here */
    case SIM_EVENT_BALANCE:
        bn_feed_account(shell, event->account, (enum sim_kind)event->instrument, -1, event->fee_asset,
                        event->pnl_e8 < 0 ? "WITHDRAW" : "DEPOSIT", event->pnl_e8, event->now_ns);
        break;
    }
}

/* --- sockets ------------------------------------------------------------------------------------------- */

/* place_session decides what a WebSocket is for by host and path; false refuses it. */
static bool place_session(struct bn_shell *shell, struct bn_session *session,
                          const struct sim_request *request, const char **rest)
{
    static const struct {
        const char *host, *path; /* either tells */
        enum bn_host kind;
        enum sim_kind product;
    } places[] = {
        { "ws-fapi", "/ws-fapi/", BN_HOST_WSAPI, SIM_LINEAR },
        { "ws-dapi", "/ws-dapi/", BN_HOST_WSAPI, SIM_INVERSE },
        { "ws-api", "/ws-api/", BN_HOST_WSAPI, SIM_SPOT },
        { "fstream", "/fstream", BN_HOST_STREAM, SIM_LINEAR },
        { "dstream", "/dstream", BN_HOST_STREAM, SIM_INVERSE },
        { "stream.binancefuture", "/fstream", BN_HOST_STREAM, SIM_LINEAR }, /* the old test host */
        { "stream", "/sstream", BN_HOST_STREAM, SIM_SPOT },
    };
    const char *path = request->path;
    bool venue_host = strstr(request->host, "binance") != NULL && strncmp(request->host, "testnet.", 8) != 0;
    size_t at = 0, count = sizeof places / sizeof places[0];

    if (strstr(request->host, "sbe") != NULL) {
        return false;
    }
    while (at < count && (venue_host ? strstr(request->host, places[at].host) == NULL
                                     : strncmp(path, places[at].path, strlen(places[at].path)) != 0)) {
        at++;
    }
    if (at == count) {
        return false;
    }
    session->host = places[at].kind;
    session->kind = places[at].product;
    if (session->host == BN_HOST_WSAPI) {
        snprintf(session->scope, sizeof session->scope, "%s-wsapi", bn_shell_product(session->kind));
        return strncmp(path, places[at].path, strlen(places[at].path)) == 0;
    }
    if (!venue_host) {
        path += strlen(places[at].path);
    }
    session->route = BN_ROUTE_ANY;
    if (session->kind == SIM_LINEAR) {
        static const char *const routes[] = { "/public", "/market", "/private" };
        session->route = shell->options.retired ? BN_ROUTE_ANY : BN_ROUTE_NONE;
        for (int i = 0; i < 3; i++) {
            size_t n = strlen(routes[i]);
            if (strncmp(path, routes[i], n) == 0 && path[n] == '/') {
                session->route = (enum bn_route)(BN_ROUTE_PUBLIC + i);
                path += n;
            }
        }
    }
    snprintf(session->scope, sizeof session->scope, "%s-%s", bn_shell_product(session->kind),
             session->route == BN_ROUTE_MARKET    ? "market"
             : session->route == BN_ROUTE_PRIVATE ? "private"
                                                  : "public");
    if (strncmp(path, "/stream", 7) == 0) {
        session->combined = true;
        *rest = path + 7;
    } else if (strncmp(path, "/ws", 3) == 0) {
        *rest = path + 3;
    } else {
        return false;
    }
    return **rest == '\0' || **rest == '/';
}

/* subscribe_list subscribes names separated by '/'. */
static void subscribe_list(struct bn_shell *shell, struct bn_session *session, const char *list)
{
    char *copy = strdup(list), *save = NULL;

    bn_auth_decode(copy);
    for (char *name = strtok_r(copy, "/", &save); name != NULL; name = strtok_r(NULL, "/", &save)) {
        bn_feed_subscribe(shell, session, name);
    }
    free(copy);
}

/* subscribe_user subscribes a listen key, or of it only the events named after "events=", separated by '/'.
 */
static void subscribe_user(struct bn_shell *shell, struct bn_session *session, const char *key,
                           const char *events)
{
    char name[112];

    if (events == NULL) {
        bn_feed_subscribe(shell, session, key);
        return;
    }
    for (events += strlen("events="); *events != '\0' && *events != '&';) {
        size_t length = strcspn(events, "/&");
        snprintf(name, sizeof name, "%s@%.*s", key, (int)length, events);
        bn_feed_subscribe(shell, session, name);
        events += length + (events[length] == '/');
    }
}

void *bn_shell_open(void *user, const struct sim_request *request)
{
    struct bn_shell *shell = user;
    struct bn_session *session = calloc(1, sizeof *session);
    const char *rest = "";

    if (session == NULL) {
        abort();
    }
    session->conn = request->conn;
    session->key = -1;
    session->user_account = -1;
    session->show_limits = strstr(request->query, "returnRateLimits=false") == NULL;
    if (!place_session(shell, session, request, &rest)) {
        char what[160];
        snprintf(what, sizeof what, "SOCKET %.60s%.90s", request->host, request->path);
        bn_gate_unknown(shell, what);
        free(session);
        return NULL;
    }
    session->opened_ns = shell->now_ns;
    session->next_ping_ns = shell->now_ns + (session->kind == SIM_SPOT ? SPOT_PING_NS : FUTURES_PING_NS);
    session->next = shell->sessions;
    shell->sessions = session;
    subscribe_list(shell, session, rest);

    if (session->host == BN_HOST_WSAPI) { /* the handshake has a weight of its own */
        bn_gate_count_weight(shell, session->kind, session->kind == SIM_SPOT ? 2 : 5);
    }
    char *query = strdup(request->query), *save = NULL;
    const char *events = strstr(request->query, "events=");
    for (char *pair = strtok_r(query, "&", &save); pair != NULL; pair = strtok_r(NULL, "&", &save)) {
        if (strncmp(pair, "streams=", 8) == 0) {
            subscribe_list(shell, session, pair + 8);
        } else if (strncmp(pair, "listenKey=", 10) == 0) {
            subscribe_user(shell, session, pair + 10, events);
        }
    }
    free(query);
    return session;
}

/* crowded counts what came in and closes a connection that sends more than the venue takes. */
static bool crowded(struct bn_shell *shell, struct bn_session *session, int most)
{
    int64_t second = shell->now_ns / 1000000000;

    if (session->inbound_second != second) {
        session->inbound_second = second;
        session->inbound = 0;
    }
    if (++session->inbound <= most || !shell->options.limits) {
        return false;
    }
    session->closing = true;
    sim_net_close(shell->net, session->conn, 1008, "Too many requests");
    return true;
}

void bn_shell_message(void *user, uint64_t conn, void *pointer, const char *text, size_t length)
{
    struct bn_shell *shell = user;
    struct bn_session *session = pointer;

    (void)conn;
    if (session->closing) {
        return;
    }
    if (session->host == BN_HOST_WSAPI) {
        bn_gate_socket_message(shell, session, text, length);
    } else if (!crowded(shell, session, session->kind == SIM_SPOT ? 5 : 10)) {
        bn_feed_stream_message(shell, session, text, length);
    }
}

void bn_shell_control_frame(void *user, uint64_t conn, void *pointer, bool pong)
{
    struct bn_shell *shell = user;
    struct bn_session *session = pointer;

    (void)conn;
    if (pong) {
        session->pong_by_ns = 0;
    }
    crowded(shell, session, 10);
}

void bn_shell_closed(void *user, uint64_t conn, void *pointer)
{
    struct bn_shell *shell = user;
    struct bn_session *session = pointer;
    struct bn_session **link = &shell->sessions;

    (void)conn;
    while (*link != NULL && *link != session) {
        link = &(*link)->next;
    }
    if (*link != NULL) {
        *link = session->next;
    }
    free(session->sub);
    free(session);
}

/* --- time ---------------------------------------------------------------------------------------------- */

static void every_second(struct bn_shell *shell, int64_t now_ns)
{
    bool halted[SIM_KIND_COUNT];

    for (int kind = 0; kind < SIM_KIND_COUNT; kind++) {
        struct sim_fault *halt = sim_fault_open(shell->faults, SIM_FAULT_MAINTENANCE,
                                                bn_shell_product((enum sim_kind)kind), now_ns);

        halted[kind] = halt != NULL;
        if (halt != NULL) {
            halt->fired++;
        }
    }
    for (int i = 0; i < sim_venue_instrument_count(shell->venue); i++) {
        struct sim_market *market = sim_venue_market(shell->venue, i);
        market->halted = halted[market->instrument.kind];
    }
    struct sim_fault *partial = sim_fault_open(shell->faults, SIM_FAULT_PARTIAL, "all", now_ns);
    sim_venue_partials(shell->venue, partial == NULL ? 0 : partial->p_ppm);
    if (partial != NULL) {
        partial->fired++; /* seconds it was open: the model does not count occasions */
    }

    for (struct bn_session *session = shell->sessions; session != NULL; session = session->next) {
        bool spot = session->kind == SIM_SPOT;

        if (session->closing) {
            continue;
        }
        if (now_ns - session->opened_ns > LIFE_NS ||
            (session->pong_by_ns != 0 && now_ns > session->pong_by_ns)) {
            session->closing = true;
            sim_net_close(shell->net, session->conn, session->pong_by_ns != 0 ? 1008 : 1000, "");
        } else if (now_ns >= session->next_ping_ns) {
            char payload[24];
            int length = snprintf(payload, sizeof payload, "%lld", (long long)(now_ns / 1000000));

            session->next_ping_ns = now_ns + (spot ? SPOT_PING_NS : FUTURES_PING_NS);
            session->pong_by_ns = session->pong_by_ns != 0 ? session->pong_by_ns
                                                           : now_ns + (spot ? SPOT_PONG_NS : FUTURES_PONG_NS);
            sim_net_ping(shell->net, session->conn, payload, (size_t)length);
        }
    }
}

static int account_in(const struct bn_shell *shell, const struct sim_fault *fault)
{
    return fault->account[0] == '\0' ? 0 : bn_shell_account_of(shell, fault->account);
}

/* announce sends serverShutdown to a connection and closes it a while later. */
static void announce(struct bn_shell *shell, struct bn_session *session, int64_t wait_ms, int64_t now_ns)
{
    struct bn_item *item = bn_shell_item(BN_ITEM_CLOSE);
    char text[96];
    bool socket = session->host == BN_HOST_WSAPI;

    int length = snprintf(text, sizeof text, "%s{\"e\":\"serverShutdown\",\"E\":%lld}%s",
                          socket ? "{\"event\":" : "", (long long)(now_ns / 1000000), socket ? "}" : "");
    if (socket) {
        sim_net_text(shell->net, session->conn, text, (size_t)length);
    } else {
        bn_feed_send(shell, session, "!serverShutdown", text, (size_t)length);
    }
    item->conn = session->conn;
    bn_shell_push(shell, item, now_ns + wait_ms * 1000000);
}

static void expire_keys(struct bn_shell *shell, const struct sim_fault *fault, int64_t now_ns)
{
    for (int i = 0; i < BN_LISTEN_MAX; i++) {
        struct bn_listen *listen = &shell->listen[i];
        struct sim_text text = { 0 };

        if (listen->expires_ns <= now_ns ||
            (fault->account[0] != '\0' && listen->account != account_in(shell, fault)) ||
            (fault->scope[0] != '\0' && strstr(bn_shell_product(listen->kind), fault->scope) == NULL)) {
            continue;
        }
        sim_text_add(&text, "{\"e\":\"listenKeyExpired\",\"E\":%lld,\"listenKey\":\"%s\"}",
                     (long long)(now_ns / 1000000), listen->key);
        for (struct bn_session *session = shell->sessions; session != NULL; session = session->next) {
            for (int k = 0; k < session->sub_count; k++) {
                if (session->sub[k].stream == BN_STREAM_USER && session->sub[k].listen == i) {
                    bn_feed_send(shell, session, session->sub[k].name, text.data, text.length);
                }
            }
        }
        sim_text_free(&text);
        listen->expires_ns = now_ns; /* the socket stays open and goes quiet */
    }
}

static void strike(struct bn_shell *shell, struct sim_fault *fault, int64_t now_ns)
{
    int account = account_in(shell, fault);

    switch (fault->kind) {
    case SIM_FAULT_DISCONNECT:
    case SIM_FAULT_SERVER_SHUTDOWN:
        for (struct bn_session *session = shell->sessions; session != NULL; session = session->next) {
            if (fault->scope[0] != '\0' && strstr(session->scope, fault->scope) == NULL) {
                continue;
            }
            if (fault->kind == SIM_FAULT_DISCONNECT) {
                session->closing = true;
                sim_net_cut(shell->net, session->conn);
            } else {
                announce(shell, session, fault->ms, now_ns);
            }
        }
        break;
    case SIM_FAULT_LISTENKEY_EXPIRED:
        expire_keys(shell, fault, now_ns);
        break;
    case SIM_FAULT_LIQUIDATE:
        for (int i = 0; i < sim_venue_instrument_count(shell->venue) && account >= 0; i++) {
            enum sim_kind kind = sim_venue_market(shell->venue, i)->instrument.kind;
            if (kind != SIM_SPOT && strstr(bn_shell_product(kind), fault->scope) != NULL) {
                sim_venue_liquidate(shell->venue, account, i, now_ns);
            }
        }
        break;
    case SIM_FAULT_DELEVERAGE:
    case SIM_FAULT_TICK_SIZE:
        for (int i = 0; i < sim_venue_instrument_count(shell->venue) && account >= 0; i++) {
            struct sim_instrument *contract = &sim_venue_market(shell->venue, i)->instrument;
            if (strstr(bn_shell_product(contract->kind), fault->scope) == NULL) {
                continue;
            }
            if (fault->kind == SIM_FAULT_TICK_SIZE) {
                contract->tick *= fault->ms > 0 ? fault->ms : 1;
            } else if (contract->kind != SIM_SPOT) {
                sim_venue_deleverage(shell->venue, account, i, fault->p_ppm, now_ns);
            }
        }
        break;
    case SIM_FAULT_DEPOSIT:
    case SIM_FAULT_WITHDRAWAL:
        if (account >= 0 && fault->asset[0] != '\0') {
            enum sim_kind kind = strcmp(fault->scope, "spot") == 0    ? SIM_SPOT
                                 : strcmp(fault->scope, "coinm") == 0 ? SIM_INVERSE
                                                                      : SIM_LINEAR;
            int64_t amount_e8 = fault->kind == SIM_FAULT_DEPOSIT ? fault->amount_e8 : -fault->amount_e8;
            sim_venue_deposit(shell->venue, account, kind, fault->asset, amount_e8, now_ns);
        }
        break;
    case SIM_FAULT_FUNDING_RATE:
        for (int i = 0; i < sim_venue_instrument_count(shell->venue); i++) {
            struct sim_market *market = sim_venue_market(shell->venue, i);
            if (strstr(bn_shell_product(market->instrument.kind), fault->scope) != NULL) {
                market->funding_rate_e8 = fault->amount_e8;
            }
        }
        break;
    default:
        break;
    }
}

static void expire_listen_keys(struct bn_shell *shell, int64_t now_ns)
{
    struct sim_fault due = { .kind = SIM_FAULT_LISTENKEY_EXPIRED };

    for (int i = 0; i < BN_LISTEN_MAX; i++) {
        if (shell->listen[i].expires_ns > now_ns && shell->listen[i].expires_ns <= now_ns + 1000000000) {
            snprintf(due.scope, sizeof due.scope, "%s", bn_shell_product(shell->listen[i].kind));
            int64_t others[BN_LISTEN_MAX];
            for (int k = 0; k < BN_LISTEN_MAX; k++) { /* only this one */
                others[k] = shell->listen[k].expires_ns;
                shell->listen[k].expires_ns = k == i ? others[k] : 0;
            }
            expire_keys(shell, &due, now_ns);
            for (int k = 0; k < BN_LISTEN_MAX; k++) {
                shell->listen[k].expires_ns = k == i ? shell->listen[k].expires_ns : others[k];
            }
        }
    }
}

static void happen(struct bn_shell *shell, struct bn_item *item)
{
    switch (item->kind) {
    case BN_ITEM_CALL:
        bn_gate_arrive(shell, item);
        break;
    case BN_ITEM_REPLY:
        sim_net_reply(shell->net, item->conn, item->status,
                      item->headers.data != NULL ? item->headers.data : "", "application/json;charset=UTF-8",
                      item->text.data != NULL ? item->text.data : "", item->text.length);
        break;
    case BN_ITEM_TEXT: {
        struct bn_session *session = sim_net_session(shell->net, item->conn);
        if (session != NULL && !session->closing &&
            sim_fault_open(shell->faults, SIM_FAULT_SILENCE, session->scope, shell->now_ns) == NULL) {
            sim_net_text(shell->net, item->conn, item->text.data, item->text.length);
        }
        break;
    }
    case BN_ITEM_EVENT:
        bn_feed_deliver(shell, item);
        break;
    case BN_ITEM_PRIVATE:
        bn_feed_private(shell, item);
        return; /* it owns the item now */
    case BN_ITEM_CLOSE:
        sim_net_close(shell->net, item->conn, 1001, "server shutdown");
        break;
    }
    bn_shell_drop(item);
}

void bn_shell_step(struct bn_shell *shell, int64_t now_ns)
{
    struct bn_item *item;
    struct sim_fault *fault;

    shell->now_ns = now_ns;
    while ((fault = sim_fault_due(shell->faults, now_ns)) != NULL) {
        strike(shell, fault, now_ns);
    }
    if (now_ns >= shell->next_second_ns) {
        shell->next_second_ns = now_ns + 1000000000;
        every_second(shell, now_ns);
        bn_feed_second(shell, now_ns);
        expire_listen_keys(shell, now_ns);
    }
    while ((item = sim_queue_pop(&shell->queue, now_ns)) != NULL) {
        happen(shell, item);
    }
    bn_feed_paces(shell, now_ns);
}

int64_t bn_shell_next_ns(const struct bn_shell *shell)
{
    int64_t next = sim_queue_next_ns(&shell->queue);
    int64_t pace = bn_feed_next_ns(shell), fault = sim_fault_next_ns(shell->faults);

    next = pace < next ? pace : next;
    next = fault < next ? fault : next;
    return shell->next_second_ns < next ? shell->next_second_ns : next;
}

/* --- the report ---------------------------------------------------------------------------------------- */

int bn_shell_unknown_count(const struct bn_shell *shell)
{
    return shell->unknown_count;
}

const char *bn_shell_unknown(const struct bn_shell *shell, int index, uint64_t *times)
{
    *times = shell->unknown[index].times;
    return shell->unknown[index].what;
}

void bn_shell_counters(const struct bn_shell *shell, struct sim_text *text)
{
    sim_text_add(text,
                 "\"calls\":%llu,\"refused\":%llu,\"public_messages\":%llu,\"private_events\":%llu,"
                 "\"merged_depth_events\":%llu",
                 (unsigned long long)shell->calls, (unsigned long long)shell->refused,
                 (unsigned long long)shell->streams_sent, (unsigned long long)shell->privates_sent,
                 (unsigned long long)shell->merges_sent);
}
