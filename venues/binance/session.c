#include "venues/binance/session.h"
#include "ring/clock.h"
#include "venues/binance/request.h"

#include <string.h>

#define LOGIN_RETRY_NS    (5 * NS_PER_S)
#define KEY_KEEP_NS       (1800 * NS_PER_S) /* half of what a listen key lives */
#define KEY_RETRY_NS      (2 * NS_PER_S)
#define ANSWER_WAIT_NS    (10 * NS_PER_S)
#define CLOSE_WAIT_NS     (1 * NS_PER_S)
#define CANCEL_WAIT_NS    (250 * NS_PER_MS)
#define CANCEL_TRIES      40
#define DEAD_MAN_RETRY_NS (1 * NS_PER_S)

/* slot_step is the only writer of a slot's state. */
static bool slot_step(struct binance_session *session, enum session_slot slot, enum slot_event event)
{
    uint8_t next = binance_slot_next((enum slot_state)session->slot[slot], event);
    if (next == 0) {
        session->table_refused++;
        return false;
    }
    session->slot[slot] = (uint8_t)(next - 1);
    return true;
}

static bool has_dead_man(const struct binance_session *session)
{
    return session->base.account->dead_man_ms > 0 && session->product->private_path != NULL;
}

static void why(struct venue_session *base, const char *words)
{
    size_t bytes = strlen(words);
    memset(base->why, 0, sizeof base->why);
    memcpy(base->why, words, bytes < sizeof base->why ? bytes : sizeof base->why - 1);
}

/* judge derives what the gateway reads from the slots. */
static void judge(struct binance_session *session, uint64_t now_ns)
{
    struct venue_session *base = &session->base;
    bool futures = session->product->private_path != NULL;
    bool armed = true;
    for (uint32_t i = 0; has_dead_man(session) && i < base->wanted_count; i++) {
        armed &= session->dead_man_until_ns[i] > now_ns;
    }
    base->orders_ready = session->slot[SESSION_SLOT_ORDER] == SLOT_LIVE;
    base->private_ready = futures ? session->slot[SESSION_SLOT_PRIVATE] == SLOT_LIVE && session->key_confirmed
                                  : base->orders_ready && session->subscribed;
    if (base->orders_ready && base->private_ready && armed && session->slot[SESSION_SLOT_REST] == SLOT_LIVE) {
        base->state = GATEWAY_READY;
        why(base, "");
        return;
    }
    base->state = base->orders_ready || base->private_ready ? GATEWAY_DEGRADED : GATEWAY_STARTING;
    if (session->slot[SESSION_SLOT_ORDER] == SLOT_REFUSED) {
        base->state = GATEWAY_DOWN;
        why(base, "log-on refused");
    } else if (!base->orders_ready) {
        why(base, "order connection not up");
    } else if (!base->private_ready) {
        why(base, "no user stream");
    } else if (session->slot[SESSION_SLOT_REST] != SLOT_LIVE) {
        why(base, "REST connection not up");
    } else {
        why(base, "dead-man timer not armed");
    }
}

void binance_session_init(struct venue_session *base, const struct venue *venue,
                          const struct instrument_table *instruments, const struct account *account,
                          const struct sign_key *key, const uint16_t *wanted, uint32_t wanted_count)
{
    struct binance_session *session = (struct binance_session *)base;
    POISE_ASSERT(wanted_count <= FEED_CONNECTION_INSTRUMENTS);
    POISE_ASSERT(binance_product(account->product) != NULL);
    memset(session, 0, sizeof *session);
    base->venue = venue;
    base->instruments = instruments;
    base->account = account;
    base->key = key;
    base->wanted_count = wanted_count;
    memcpy(base->wanted, wanted, wanted_count * sizeof *wanted);
    session->product = binance_product(account->product);
    if (key != NULL) {
        binance_prefix(&session->prefix, key);
    }
    bool futures = session->product->private_path != NULL;
    base->slots =
        1 << SESSION_SLOT_ORDER | 1 << SESSION_SLOT_REST | (futures ? 1 << SESSION_SLOT_PRIVATE : 0);
    base->streams = futures ? 1 << SESSION_SLOT_PRIVATE : 1 << SESSION_SLOT_ORDER;
    judge(session, 0);
    base->state = GATEWAY_DOWN;
}

/* ------------------------------------------------------------------ what to do next */

static void begin(struct venue_out *out, enum venue_act act, enum session_slot slot)
{
    out->act = (uint8_t)act;
    out->slot = (uint8_t)slot;
    out->binary = 0;
    out->request = REQUEST_NONE;
    out->weight = 0;
    out->orders = 0;
    out->tie = 0;
    out->order = 0;
    out->body_bytes = 0;
    out->path_bytes = 0;
    out->header_bytes = 0;
}

static bool open_slot(struct binance_session *session, enum session_slot slot, struct venue_out *out)
{
    const struct binance_product *product = session->product;
    begin(out, ACT_OPEN, slot);
    switch (slot) {
    case SESSION_SLOT_ORDER:
        binance_endpoint(&out->endpoint, TRANSPORT_WS, product->api_host, product->api_path);
        out->weight = product->private_path != NULL ? 5 : 2;
        break;
    case SESSION_SLOT_REST:
        binance_endpoint(&out->endpoint, TRANSPORT_HTTP, product->rest_host, "");
        break;
    default: {
        char path[VENUE_PATH_BYTES];
        size_t bytes = strlen(product->private_path), key_bytes = strlen(session->listen_key);
        memcpy(path, product->private_path, bytes);
        memcpy(path + bytes, session->listen_key, key_bytes + 1);
        memcpy(session->open_key, session->listen_key, key_bytes + 1);
        binance_endpoint(&out->endpoint, TRANSPORT_WS, product->stream_host, path);
        break;
    }
    }
    return slot_step(session, slot, SLOT_EVENT_OPEN);
}

static bool close_slot(struct binance_session *session, enum session_slot slot, uint64_t now_ns,
                       struct venue_out *out)
{
    begin(out, ACT_CLOSE, slot);
    session->slot_due_ns[slot] = now_ns + CLOSE_WAIT_NS;
    return slot_step(session, slot, SLOT_EVENT_CLOSE);
}

static const struct binance_name timestamp = BINANCE_NAME("timestamp");

static bool send_params(struct binance_session *session, enum session_request ask, const char *method,
                        bool sign, bool stamp, int64_t wall_ns, uint16_t weight, struct venue_out *out)
{
    struct binance_params params;
    char id[REQUEST_ID_SESSION_BYTES];
    begin(out, ACT_SEND, SESSION_SLOT_ORDER);
    out->tie = SESSION_TIE_OF(ask, 0);
    out->weight = weight;
    request_id_write_session(id, out->tie);
    binance_params_begin(&params, session->base.key, &session->prefix, sign, out->body, out->body_capacity,
                         id, sizeof id, method);
    if (stamp) {
        binance_params_number(&params, &timestamp, binance_stamp_ms(&session->base, wall_ns));
    }
    out->body_bytes = (uint32_t)binance_params_end(&params);
    binance_params_told(&params, session->base.hooks);
    POISE_ASSERT(out->body_bytes > 0);
    return true;
}

static const char *rest_path(const struct binance_session *session, const char *linear, const char *inverse)
{
    return session->base.account->product == PRODUCT_LINEAR ? linear : inverse;
}

static bool ask_key(struct binance_session *session, uint64_t now_ns, struct venue_out *out)
{
    struct text text;
    bool keep = session->listen_key[0] != '\0' && session->key_confirmed;
    begin(out, ACT_REQUEST, SESSION_SLOT_REST);
    binance_query(out, &text, session->base.account->product, keep ? "PUT" : "POST",
                  rest_path(session, "/fapi/v1/listenKey", "/dapi/v1/listenKey"));
    out->tie = SESSION_TIE_OF(keep ? ASK_KEY_KEEP : ASK_KEY, 0);
    out->weight = 1;
    session->rest_busy = true;
    session->rest_since_ns = now_ns;
    session->key_due_ns = now_ns + KEY_RETRY_NS;
    return binance_query_end(out, &text, session->base.key);
}

static bool ask_dead_man(struct binance_session *session, uint32_t i, uint64_t now_ns, int64_t wall_ns,
                         struct venue_out *out)
{
    struct text text;
    uint64_t timeout_ms = (uint64_t)session->base.account->dead_man_ms;
    begin(out, ACT_REQUEST, SESSION_SLOT_REST);
    binance_query(out, &text, session->base.account->product, "POST",
                  rest_path(session, "/fapi/v1/countdownCancelAll", "/dapi/v1/countdownCancelAll"));
    text_put(&text, "symbol=");
    text_put(&text, session->base.instruments->row[session->base.wanted[i]].symbol);
    text_put(&text, "&countdownTime=");
    text_put_unsigned(&text, timeout_ms);
    text_put_char(&text, '&');
    out->tie = SESSION_TIE_OF(ASK_DEAD_MAN, i);
    out->weight = 10;
    session->rest_busy = true;
    session->rest_since_ns = now_ns;
    session->dead_man_due_ns[i] = now_ns + timeout_ms * NS_PER_MS / 4;
    return binance_query_sign(out, &text, session->base.key, binance_stamp_ms(&session->base, wall_ns));
}

bool binance_session_cancel_all(struct binance_session *session, const struct instrument *instrument,
                                uint64_t tie, int64_t wall_ns, struct venue_out *out)
{
    static const char *const paths[PRODUCT_COUNT] = {
        [PRODUCT_SPOT] = "/api/v3/openOrders",
        [PRODUCT_LINEAR] = "/fapi/v1/allOpenOrders",
        [PRODUCT_INVERSE] = "/dapi/v1/allOpenOrders",
    };
    struct text text;
    begin(out, ACT_REQUEST, SESSION_SLOT_REST);
    binance_query(out, &text, session->base.account->product, "DELETE",
                  paths[session->base.account->product]);
    text_put(&text, "symbol=");
    text_put(&text, instrument->symbol);
    text_put_char(&text, '&');
    out->tie = tie;
    out->weight = 1;
    out->request = REQUEST_CANCEL_ALL;
    return binance_query_sign(out, &text, session->base.key, binance_stamp_ms(&session->base, wall_ns));
}

static bool rest_step(struct binance_session *session, uint64_t now_ns, int64_t wall_ns, bool alive,
                      struct venue_out *out)
{
    if (session->slot[SESSION_SLOT_REST] != SLOT_LIVE || session->rest_busy) {
        return false;
    }
    if (session->cancel_wanted != 0 && now_ns >= session->cancel_due_ns) {
        uint32_t i = (uint32_t)__builtin_ctzll(session->cancel_wanted);
        session->cancel_wanted &= session->cancel_wanted - 1;
        session->rest_busy = true;
        session->rest_since_ns = now_ns;
        return binance_session_cancel_all(session, &session->base.instruments->row[session->base.wanted[i]],
                                          SESSION_TIE_OF(ASK_CANCEL_ALL, i), wall_ns, out);
    }
    for (uint32_t i = 0; alive && has_dead_man(session) && i < session->base.wanted_count; i++) {
        if (now_ns >= session->dead_man_due_ns[i]) {
            return ask_dead_man(session, i, now_ns, wall_ns, out);
        }
    }
    if (session->product->private_path != NULL && now_ns >= session->key_due_ns) {
        return ask_key(session, now_ns, out);
    }
    return false;
}

static void sooner(uint64_t *next, uint64_t at, uint64_t now_ns)
{
    if (at > now_ns && at < *next) {
        *next = at;
    }
}

static void set_next(struct binance_session *session, uint64_t now_ns, bool alive)
{
    uint64_t next = now_ns + NS_PER_S;
    for (int slot = 0; slot < SESSION_SLOT_COUNT; slot++) {
        if (session->slot[slot] == SLOT_REFUSED || session->slot[slot] == SLOT_CLOSING) {
            sooner(&next, session->slot_due_ns[slot], now_ns);
        }
    }
    if (session->rest_busy) {
        sooner(&next, session->rest_since_ns + ANSWER_WAIT_NS, now_ns);
    }
    if (session->cancel_wanted != 0) {
        sooner(&next, session->cancel_due_ns, now_ns);
    }
    sooner(&next, session->key_due_ns, now_ns);
    sooner(&next, session->subscribe_due_ns, now_ns);
    for (uint32_t i = 0; has_dead_man(session) && i < session->base.wanted_count; i++) {
        sooner(&next, session->dead_man_until_ns[i], now_ns);
        if (alive) {
            sooner(&next, session->dead_man_due_ns[i], now_ns);
        }
    }
    session->base.next_ns = next;
}

bool binance_session_step(struct venue_session *base, uint64_t now_ns, int64_t wall_ns, bool alive,
                          struct venue_out *out)
{
    struct binance_session *session = (struct binance_session *)base;
    const bool futures = session->product->private_path != NULL;
    out->act = ACT_NONE;

    for (int slot = 0; slot < SESSION_SLOT_COUNT; slot++) {
        if (now_ns < session->slot_due_ns[slot]) {
            continue;
        }
        if (session->slot[slot] == SLOT_CLOSING) {
            slot_step(session, slot, SLOT_EVENT_LOST); /* it was not up: nobody confirms the close */
        } else if (session->slot[slot] == SLOT_REFUSED) {
            slot_step(session, slot, SLOT_EVENT_RETRY);
            session->logon_sent = false;
        }
    }
    if (session->rest_busy && now_ns >= session->rest_since_ns + ANSWER_WAIT_NS) {
        session->rest_busy = false;
    }

    if (session->slot[SESSION_SLOT_ORDER] == SLOT_CLOSED) {
        return open_slot(session, SESSION_SLOT_ORDER, out);
    }
    if (session->slot[SESSION_SLOT_REST] == SLOT_CLOSED) {
        return open_slot(session, SESSION_SLOT_REST, out);
    }
    if (futures && session->listen_key[0] != '\0') {
        uint8_t state = session->slot[SESSION_SLOT_PRIVATE];
        if (state == SLOT_CLOSED) {
            return open_slot(session, SESSION_SLOT_PRIVATE, out);
        }
        if (state != SLOT_CLOSING && strcmp(session->open_key, session->listen_key) != 0) {
            return close_slot(session, SESSION_SLOT_PRIVATE, now_ns, out);
        }
    }
    if (session->slot[SESSION_SLOT_ORDER] == SLOT_LOGIN && !session->logon_sent) {
        session->logon_sent = true;
        return send_params(session, ASK_LOGON, "session.logon", true, true, wall_ns, 2, out);
    }
    if (!futures && session->slot[SESSION_SLOT_ORDER] == SLOT_LIVE && !session->subscribe_sent &&
        now_ns >= session->subscribe_due_ns) {
        session->subscribe_sent = true;
        return session->logged_on ? send_params(session, ASK_SUBSCRIBE, "userDataStream.subscribe", false,
                                                false, wall_ns, 2, out)
                                  : send_params(session, ASK_SUBSCRIBE, "userDataStream.subscribe.signature",
                                                true, true, wall_ns, 2, out);
    }
    if (rest_step(session, now_ns, wall_ns, alive, out)) {
        return true;
    }
    out->act = ACT_NONE;
    judge(session, now_ns);
    set_next(session, now_ns, alive);
    return false;
}

/* ------------------------------------------------------------------ what happened */

void binance_session_event(struct venue_session *base, enum session_slot slot, enum session_event event,
                           uint64_t now_ns)
{
    struct binance_session *session = (struct binance_session *)base;
    slot_step(session, slot, event == SESSION_UP ? SLOT_EVENT_UP : SLOT_EVENT_LOST);
    if (slot == SESSION_SLOT_ORDER) {
        session->logon_sent = false;
        session->logged_on = false;
        session->subscribe_sent = false;
        session->subscribed = false;
        session->subscribe_due_ns = 0;
        if (event == SESSION_UP && base->key->type != SIGN_ED25519) {
            slot_step(session, slot, SLOT_EVENT_ACCEPTED);
        }
    } else {
        if (event == SESSION_UP) {
            slot_step(session, slot, SLOT_EVENT_ACCEPTED);
        }
        if (slot == SESSION_SLOT_REST) {
            session->rest_busy = false;
        } else if (event == SESSION_LOST) {
            /* an unknown key is accepted and stays silent for ever: have it named again */
            session->key_confirmed = false;
            session->key_due_ns = now_ns;
        }
    }
    judge(session, now_ns);
    base->next_ns = now_ns;
}

static void key_answer(struct binance_session *session, enum session_request ask, int status, int64_t code,
                       const char *listen_key, size_t bytes, uint64_t now_ns)
{
    if (status == 200) {
        if (ask == ASK_KEY) {
            if (bytes == 0 || bytes >= sizeof session->listen_key) {
                return; /* asked again at key_due_ns */
            }
            memset(session->listen_key, 0, sizeof session->listen_key);
            memcpy(session->listen_key, listen_key, bytes);
        }
        session->key_confirmed = true;
        session->key_due_ns = now_ns + KEY_KEEP_NS;
        return;
    }
    session->base.last_code = (int32_t)code;
    session->key_due_ns = now_ns + KEY_RETRY_NS;
    if (code == -1125) {
        session->listen_key[0] = '\0';
        session->key_confirmed = false;
        session->key_due_ns = now_ns;
    }
}

void binance_session_answer(struct binance_session *session, uint64_t tie, int status, int64_t code,
                            const char *listen_key, size_t bytes, uint64_t now_ns)
{
    enum session_request ask = SESSION_TIE_ASK(tie);
    uint32_t i = SESSION_TIE_INDEX(tie);
    bool accepted = status == 200;
    if (!accepted) {
        session->base.last_code = (int32_t)code;
        session->base.time_refused |= code == -1021;
    }
    switch (ask) {
    case ASK_LOGON:
        session->logged_on = accepted;
        session->slot_due_ns[SESSION_SLOT_ORDER] = now_ns + LOGIN_RETRY_NS;
        slot_step(session, SESSION_SLOT_ORDER, accepted ? SLOT_EVENT_ACCEPTED : SLOT_EVENT_REFUSED);
        break;
    case ASK_SUBSCRIBE:
        session->subscribed = accepted;
        session->subscribe_sent = accepted;
        session->subscribe_due_ns = accepted ? 0 : now_ns + LOGIN_RETRY_NS;
        break;
    case ASK_KEY:
    case ASK_KEY_KEEP:
        session->rest_busy = false;
        key_answer(session, ask, status, code, listen_key, bytes, now_ns);
        break;
    case ASK_DEAD_MAN:
        session->rest_busy = false;
        if (i < session->base.wanted_count) {
            if (accepted) {
                session->dead_man_until_ns[i] =
                    session->rest_since_ns + (uint64_t)session->base.account->dead_man_ms * NS_PER_MS;
            } else {
                session->dead_man_due_ns[i] = now_ns + DEAD_MAN_RETRY_NS;
            }
        }
        break;
    case ASK_CANCEL_ALL:
        session->rest_busy = false;
        if (i < session->base.wanted_count && !accepted && code != -2011 &&
            session->cancel_tries[i]++ < CANCEL_TRIES) {
            session->cancel_wanted |= 1ULL << i;
            session->cancel_due_ns = now_ns + CANCEL_WAIT_NS;
        }
        break;
    default:
        break;
    }
    judge(session, now_ns);
    session->base.next_ns = now_ns;
}

void binance_session_stream_ended(struct binance_session *session, uint64_t now_ns)
{
    /* futures: the socket stays open and quiet, so it is opened anew even if the venue names the same key */
    session->listen_key[0] = '\0';
    session->open_key[0] = '\0';
    session->key_confirmed = false;
    session->key_due_ns = now_ns;
    /* spot: subscribe again on the same connection */
    session->subscribe_sent = false;
    session->subscribed = false;
    session->subscribe_due_ns = now_ns;
    judge(session, now_ns);
    session->base.next_ns = now_ns;
}

void binance_session_shutdown(struct binance_session *session, enum session_slot slot, struct venue_out *out,
                              uint64_t now_ns)
{
    uint8_t state = session->slot[slot];
    if (state == SLOT_LIVE || state == SLOT_LOGIN || state == SLOT_REFUSED) {
        close_slot(session, slot, now_ns, out); /* step opens it again once it is gone */
    }
    judge(session, now_ns);
    session->base.next_ns = now_ns;
}

void binance_session_key_revoked(struct binance_session *session, int64_t code, uint64_t now_ns)
{
    session->base.last_code = (int32_t)code;
    session->logged_on = false;
    session->slot_due_ns[SESSION_SLOT_ORDER] = now_ns + LOGIN_RETRY_NS;
    if (session->slot[SESSION_SLOT_ORDER] == SLOT_LIVE || session->slot[SESSION_SLOT_ORDER] == SLOT_LOGIN) {
        slot_step(session, SESSION_SLOT_ORDER, SLOT_EVENT_REFUSED);
    }
    judge(session, now_ns);
    session->base.next_ns = now_ns;
}
