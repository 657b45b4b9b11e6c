#include "venues/deribit/session.h"
#include "ring/clock.h"
#include "venues/deribit/request.h"

#include <string.h>

#define LOGIN_RETRY_NS   (10 * NS_PER_S)
#define THROTTLE_WAIT_NS (10 * NS_PER_S) /* longer than any bucket takes to fill */
#define ANSWER_WAIT_NS   (10 * NS_PER_S)
#define CLOSE_WAIT_NS    (1 * NS_PER_S)
#define REFRESH_MIN_S    60
#define HEARTBEAT_MIN_S  10 /* the venue takes no less */
#define HEARTBEAT_MAX_S  30

/* What we ask a token to carry: nothing that could move money. */
#define SCOPE "connection trade:read_write account:read wallet:none"

/* One object says all that changed on an instrument; cash comes beside it. */
static const char *const channels[] = { "user.changes.any.any.raw", "user.portfolio.any" };

/* clang-format off */
/* What each state asks for. */
static const struct {
    uint8_t ask;    /* enum session_request; 0 nothing */
    uint8_t credit; /* enum credit */
    const char *method;
    const char *waiting; /* why the session is not ready */
} steps[STATE_COUNT] = {
    [STATE_CLOSED]      = { 0, 0, NULL, "not connected" },
    [STATE_OPENING]     = { 0, 0, NULL, "connection not up" },
    [STATE_LOGIN]       = { ASK_LOGIN,     CREDIT_QUERY,     "public/auth", "not logged in" },
    [STATE_BEATING]     = { ASK_HEARTBEAT, CREDIT_QUERY,     "public/set_heartbeat", "no heartbeat yet" },
    [STATE_ARMING]      = { ASK_ARM,       CREDIT_QUERY,     "private/enable_cancel_on_disconnect", "not armed" },
    [STATE_PROVING]     = { ASK_PROVE,     CREDIT_QUERY,     "private/get_cancel_on_disconnect", "not proved armed" },
    [STATE_SUBSCRIBING] = { ASK_SUBSCRIBE, CREDIT_SUBSCRIBE, "private/subscribe", "no private channels" },
};
/* clang-format on */

static void why(struct venue_session *base, const char *words)
{
    size_t bytes = strlen(words);
    memset(base->why, 0, sizeof base->why);
    memcpy(base->why, words, bytes < sizeof base->why ? bytes : sizeof base->why - 1);
}

/* judge derives what the gateway reads from the state; what REFUSED says was written when it was entered. */
static void judge(struct deribit_session *session)
{
    struct venue_session *base = &session->base;
    bool ready = session->state == STATE_READY;
    base->orders_ready = ready;
    base->private_ready = ready;
    base->state =
        ready ? GATEWAY_READY
        : session->state == STATE_REFUSED || session->state == STATE_CLOSED || session->state == STATE_CLOSING
            ? GATEWAY_DOWN
            : GATEWAY_STARTING;
    if (ready) {
        why(base, "");
    } else if (session->state != STATE_REFUSED && session->state != STATE_CLOSING &&
               !(session->state == STATE_CLOSED && base->why[0] != '\0')) {
        why(base, steps[session->state].waiting);
    }
}

/* state_step is the only writer of the state. */
static bool state_step(struct deribit_session *session, enum state_event event)
{
    uint8_t next = deribit_state_next((enum session_state)session->state, event);
    if (next == 0) {
        session->table_refused++;
        return false;
    }
    session->state = (uint8_t)(next - 1);
    session->asked = false;
    if (event != STATE_EVENT_DONE) {
        session->turn++;
        session->test_owed = false;
    }
    judge(session);
    return true;
}

static void refuse(struct deribit_session *session, const char *words, int64_t code, uint64_t now_ns)
{
    if (state_step(session, STATE_EVENT_REFUSED)) {
        session->base.last_code = (int32_t)code;
        session->due_ns = now_ns + LOGIN_RETRY_NS;
        session->refresh_token[0] = '\0';
        why(&session->base, words);
    }
}

void deribit_session_init(struct venue_session *base, const struct venue *venue,
                          const struct instrument_table *instruments, const struct account *account,
                          const struct sign_key *key, const uint16_t *wanted, uint32_t wanted_count)
{
    struct deribit_session *session = (struct deribit_session *)base;
    POISE_ASSERT(wanted_count <= FEED_CONNECTION_INSTRUMENTS);
    memset(session, 0, sizeof *session);
    base->venue = venue;
    base->instruments = instruments;
    base->account = account;
    base->key = key;
    base->slots = 1 << SESSION_SLOT_ORDER;
    base->streams = 1 << SESSION_SLOT_ORDER;
    base->wanted_count = wanted_count;
    memcpy(base->wanted, wanted, wanted_count * sizeof *wanted);
    session->alive = true;
    judge(session);
}

/* ------------------------------------------------------------------ what to do next */

static void begin(struct venue_out *out, enum venue_act act)
{
    out->act = (uint8_t)act;
    out->slot = SESSION_SLOT_ORDER;
    out->binary = 0;
    out->request = REQUEST_NONE;
    out->weight = 0;
    out->orders = 0;
    out->credit = CREDIT_NONE;
    out->tie = 0;
    out->order = 0;
    out->body_bytes = 0;
    out->path_bytes = 0;
    out->header_bytes = 0;
}

static void close_now(struct deribit_session *session, uint64_t now_ns, uint64_t pause_ns,
                      struct venue_out *out)
{
    begin(out, ACT_CLOSE);
    state_step(session, STATE_EVENT_CLOSE);
    session->due_ns = now_ns + (pause_ns != 0 ? pause_ns : CLOSE_WAIT_NS);
}

/* The heartbeat is the dead-man's clock: two of them without a sign of life, and the venue cancels. */
static uint64_t heartbeat_s(const struct venue_session *base)
{
    int64_t seconds = base->account->dead_man_ms / 1000;
    return seconds < HEARTBEAT_MIN_S   ? HEARTBEAT_MIN_S
           : seconds > HEARTBEAT_MAX_S ? HEARTBEAT_MAX_S
                                       : (uint64_t)seconds;
}

static bool send(struct deribit_session *session, enum session_request ask, const char *method,
                 uint8_t credit, int64_t wall_ns, struct venue_out *out)
{
    struct venue_session *base = &session->base;
    struct deribit_params params;
    char id[REQUEST_ID_SESSION_BYTES];
    begin(out, ACT_SEND);
    out->tie = SESSION_TIE_OF(ask, session->turn);
    out->credit = credit;
    request_id_write_session(id, out->tie);
    deribit_params_begin(&params, out->body, out->body_capacity, id, sizeof id, method);
    switch (ask) {
    case ASK_LOGIN:
        deribit_params_login(&params, base->key, deribit_stamp_ms(base, wall_ns), base->hooks);
        deribit_params_text(&params, "scope", SCOPE, strlen(SCOPE));
        break;
    case ASK_REFRESH:
        if (session->refresh_token[0] == '\0') {
            deribit_params_login(&params, base->key, deribit_stamp_ms(base, wall_ns), base->hooks);
            deribit_params_text(&params, "scope", SCOPE, strlen(SCOPE));
            break;
        }
        deribit_params_text(&params, "grant_type", "refresh_token", 13);
        deribit_params_text(&params, "refresh_token", session->refresh_token, strlen(session->refresh_token));
        break;
    case ASK_HEARTBEAT:
        deribit_params_number(&params, "interval", heartbeat_s(base));
        break;
    case ASK_ARM:
    case ASK_PROVE:
        deribit_params_text(&params, "scope", "connection", 10);
        break;
    case ASK_SUBSCRIBE:
        deribit_params_names(&params, "channels", channels, POISE_COUNT_OF(channels));
        break;
    default:
        break;
    }
    out->body_bytes = (uint32_t)deribit_params_end(&params);
    POISE_ASSERT(out->body_bytes > 0);
    return true;
}

static void sooner(uint64_t *next, uint64_t at, uint64_t now_ns)
{
    if (at > now_ns && at < *next) {
        *next = at;
    }
}

static void set_next(struct deribit_session *session, uint64_t now_ns)
{
    uint64_t next = now_ns + NS_PER_S;
    if (session->state == STATE_CLOSED || session->state == STATE_REFUSED ||
        session->state == STATE_CLOSING) {
        sooner(&next, session->due_ns, now_ns);
    }
    if (session->asked) {
        sooner(&next, session->asked_ns + ANSWER_WAIT_NS, now_ns);
    }
    if (session->state == STATE_READY) {
        sooner(&next, session->refresh_ns, now_ns);
    }
    session->base.next_ns = next;
}

bool deribit_session_step(struct venue_session *base, uint64_t now_ns, int64_t wall_ns, bool alive,
                          struct venue_out *out)
{
    struct deribit_session *session = (struct deribit_session *)base;
    out->act = ACT_NONE;
    session->alive = alive;

    if (session->state == STATE_CLOSING && now_ns >= session->due_ns) {
        state_step(session, STATE_EVENT_LOST); /* it was not up: nobody confirms the close */
    } else if (session->state == STATE_REFUSED && now_ns >= session->due_ns) {
        state_step(session, STATE_EVENT_RETRY);
    }
    if (session->state == STATE_CLOSED && now_ns >= session->due_ns) {
        if (base->key->type != SIGN_HMAC_SHA256) {
            session->due_ns = now_ns + LOGIN_RETRY_NS;
            why(base, "the key is no HMAC secret");
        } else {
            begin(out, ACT_OPEN);
            deribit_endpoint(&out->endpoint, TRANSPORT_WS);
            return state_step(session, STATE_EVENT_OPEN);
        }
    }
    if (session->asked && now_ns >= session->asked_ns + ANSWER_WAIT_NS) {
        close_now(session, now_ns, 0, out); /* a venue that does not answer us */
        why(base, "no answer to the log-in");
        base->next_ns = now_ns;
        return true;
    }
    if (session->test_owed && alive) {
        session->test_owed = false;
        return send(session, ASK_TEST, "public/test", CREDIT_QUERY, wall_ns, out);
    }
    if (steps[session->state].ask != 0 && !session->asked) {
        session->asked = true;
        session->asked_ns = now_ns;
        return send(session, steps[session->state].ask, steps[session->state].method,
                    steps[session->state].credit, wall_ns, out);
    }
    if (session->state == STATE_READY && now_ns >= session->refresh_ns && !session->asked) {
        session->asked = true;
        session->asked_ns = now_ns;
        return send(session, ASK_REFRESH, "public/auth", CREDIT_QUERY, wall_ns, out);
    }
    set_next(session, now_ns);
    return false;
}

/* ------------------------------------------------------------------ what happened */

void deribit_session_event(struct venue_session *base, enum session_slot slot, enum session_event event,
                           uint64_t now_ns)
{
    struct deribit_session *session = (struct deribit_session *)base;
    if (slot != SESSION_SLOT_ORDER) {
        return;
    }
    bool closing = session->state == STATE_CLOSING;
    state_step(session, event == SESSION_UP ? STATE_EVENT_UP : STATE_EVENT_LOST);
    if (event == SESSION_LOST) {
        session->refresh_token[0] = '\0'; /* the token dies with its connection */
        if (!closing) {
            session->due_ns = 0;
        }
    }
    base->next_ns = now_ns;
}

enum { LOGIN_SCOPE, LOGIN_EXPIRES, LOGIN_REFRESH, LOGIN_COUNT };
static const struct scan_name login_names[LOGIN_COUNT] = { SCAN_NAME("scope"), SCAN_NAME("expires_in"),
                                                           SCAN_NAME("refresh_token") };

static bool has_scope(const struct scan_value *scope, const char *word)
{
    size_t bytes = strlen(word);
    for (size_t at = 0; at + bytes <= scope->bytes; at++) {
        bool begins = at == 0 || scope->at[at - 1] == ' ';
        bool ends = at + bytes == scope->bytes || scope->at[at + bytes] == ' ';
        if (begins && ends && memcmp(scope->at + at, word, bytes) == 0) {
            return true;
        }
    }
    return false;
}

/* What a log-in must have brought; NULL when it did. */
static const char *login_fault(struct deribit_session *session, const struct scan_value *result,
                               const struct scan_value *testnet, uint64_t now_ns)
{
    struct scan_value fields[LOGIN_COUNT] = { 0 };
    struct scan scan;
    uint64_t expires_s = 0;
    if (testnet->type != SCAN_FALSE) {
        return testnet->type == SCAN_TRUE ? "this is the test network" : "network not told";
    }
    if (result->type == SCAN_OBJECT) {
        scan_open(&scan, result->at, result->bytes);
        scan_fields(&scan, NULL, login_names, LOGIN_COUNT, fields);
    }
    const struct scan_value *scope = &fields[LOGIN_SCOPE], *token = &fields[LOGIN_REFRESH];
    if (scope->type != SCAN_STRING || !has_scope(scope, "trade:read_write")) {
        return "the key may not trade";
    }
    if (has_scope(scope, "wallet:read_write")) {
        return "the key may move money";
    }
    if (!scan_unsigned(&fields[LOGIN_EXPIRES], &expires_s)) {
        return "the token's life is not told";
    }
    uint64_t life_s = expires_s / 5 * 4;
    life_s = life_s < REFRESH_MIN_S ? REFRESH_MIN_S : life_s > 86400ULL * 365 ? 86400ULL * 365 : life_s;
    session->refresh_ns = now_ns + life_s * NS_PER_S;
    memset(session->refresh_token, 0, sizeof session->refresh_token);
    if (token->type == SCAN_STRING && token->bytes < sizeof session->refresh_token &&
        memchr(token->at, '"', token->bytes) == NULL && memchr(token->at, '\\', token->bytes) == NULL) {
        memcpy(session->refresh_token, token->at, token->bytes);
    }
    return NULL;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Channels are printed in either case. */
static bool same_name(const struct scan_value *text, const char *name)
{
    size_t bytes = strlen(name);
    if (text->type != SCAN_STRING || text->bytes != bytes) {
        return false;
    }
    for (size_t i = 0; i < bytes; i++) {
        if (lower(text->at[i]) != lower(name[i])) {
            return false;
        }
    }
    return true;
}

/* Channels we may not have are left out without a word, and the order is the venue's. */
static bool all_subscribed(const struct scan_value *result)
{
    struct scan scan;
    struct scan_value item;
    uint32_t found = 0;
    if (result->type != SCAN_ARRAY) {
        return false;
    }
    scan_open(&scan, result->at, result->bytes);
    scan_array(&scan);
    while (scan_item(&scan) && scan_take(&scan, &item)) {
        for (uint32_t i = 0; i < POISE_COUNT_OF(channels); i++) {
            if (same_name(&item, channels[i])) {
                found |= 1u << i;
            }
        }
    }
    return found == (1u << POISE_COUNT_OF(channels)) - 1;
}

static bool is_armed(const struct scan_value *result)
{
    static const struct scan_name names[] = { SCAN_NAME("scope"), SCAN_NAME("enabled") };
    struct scan_value fields[2] = { 0 };
    struct scan scan;
    if (result->type != SCAN_OBJECT) {
        return false;
    }
    scan_open(&scan, result->at, result->bytes);
    scan_fields(&scan, NULL, names, 2, fields);
    return scan_is(&fields[0], "connection") && fields[1].type == SCAN_TRUE;
}

static void renewed(struct deribit_session *session, int64_t code, const struct scan_value *result,
                    const struct scan_value *testnet, uint64_t now_ns)
{
    session->asked = false;
    if (code != 0 && session->refresh_token[0] != '\0') {
        session->refresh_token[0] = '\0'; /* with the key's own proof then */
        session->base.last_code = (int32_t)code;
        return;
    }
    const char *fault = code != 0 ? "log-in refused" : login_fault(session, result, testnet, now_ns);
    if (fault != NULL) {
        refuse(session, fault, code, now_ns);
    }
}

void deribit_session_answer(struct deribit_session *session, uint64_t tie, int64_t code,
                            const struct scan_value *result, const struct scan_value *testnet,
                            uint64_t now_ns)
{
    enum session_request ask = SESSION_TIE_ASK(tie);
    const char *fault = NULL;
    session->base.next_ns = now_ns;
    if (ask == ASK_TEST || SESSION_TIE_TURN(tie) != session->turn) {
        return;
    }
    if (ask == ASK_REFRESH && session->state == STATE_READY) {
        renewed(session, code, result, testnet, now_ns);
        return;
    }
    if (ask != (enum session_request)steps[session->state].ask || !session->asked) {
        return;
    }
    switch (ask) {
    case ASK_LOGIN:
        session->base.time_refused |= code == 13009; /* a stale stamp, among other things */
        fault = code != 0 ? "log-in refused" : login_fault(session, result, testnet, now_ns);
        break;
    case ASK_HEARTBEAT:
        fault = code == 0 && scan_is(result, "ok") ? NULL : "heartbeat refused";
        break;
    case ASK_ARM:
        fault = code == 0 && scan_is(result, "ok") ? NULL : "cancel on disconnect refused";
        break;
    case ASK_PROVE:
        fault = code == 0 && is_armed(result) ? NULL : "cancel on disconnect is off";
        break;
    case ASK_SUBSCRIBE:
        fault = code == 0 && all_subscribed(result) ? NULL : "private channels refused";
        break;
    default:
        return;
    }
    if (fault != NULL) {
        refuse(session, fault, code, now_ns);
        return;
    }
    state_step(session, STATE_EVENT_DONE);
}

void deribit_session_test_request(struct deribit_session *session, uint64_t now_ns)
{
    session->test_owed = true;
    session->base.next_ns = now_ns;
}

void deribit_session_throttled(struct deribit_session *session, struct venue_out *out, uint64_t now_ns)
{
    session->base.last_code = 10028;
    if (session->state == STATE_CLOSED || session->state == STATE_CLOSING) {
        return;
    }
    close_now(session, now_ns, THROTTLE_WAIT_NS, out);
    why(&session->base, "too many requests");
    session->base.next_ns = now_ns;
}

void deribit_session_unauthorized(struct deribit_session *session, int64_t code, uint64_t now_ns)
{
    if (session->state == STATE_READY) {
        refuse(session, "the log-in is not valid any more", code, now_ns);
    }
    session->base.next_ns = now_ns;
}

/* ------------------------------------------------------------------ what the venue calls our orders */

static uint32_t known_at(uint64_t order)
{
    return (uint32_t)((order * 0x9e3779b97f4a7c15ULL) >> 48) % KNOWN_ORDERS;
}

const char *deribit_known(const struct deribit_session *session, uint64_t order)
{
    uint32_t at = known_at(order);
    return order != 0 && session->known[at].order == order ? session->known[at].id : NULL;
}

void deribit_know(struct deribit_session *session, uint64_t order, const char *id)
{
    uint32_t at = known_at(order);
    if (POISE_LIKELY(session->known[at].order == order)) {
        return;
    }
    size_t bytes = strnlen(id, VENUE_ORDER_ID_BYTES);
    if (order == 0 || bytes == 0 || bytes >= KNOWN_ID_BYTES) {
        return;
    }
    for (size_t i = 0; i < bytes; i++) {
        char c = lower(id[i]);
        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_') {
            return; /* it goes back into a request as it is */
        }
    }
    memset(session->known[at].id, 0, KNOWN_ID_BYTES);
    memcpy(session->known[at].id, id, bytes);
    session->known[at].order = order;
}

void deribit_forget(struct deribit_session *session, uint64_t order)
{
    uint32_t at = known_at(order);
    if (session->known[at].order == order) {
        session->known[at].order = 0;
    }
}
