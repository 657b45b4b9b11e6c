/* session: one account's connection and what keeps it alive, as data and one table.
 *
 *   ORDER    JSON-RPC on one socket: log-in, orders, questions and the private channels
 *
 * The connection is one after the other logged in, given a heartbeat, armed (the venue cancels our orders
 * when it goes), proved to be armed, and subscribed; only then it is ready.  There is no timed dead-man at
 * this venue: it asks for a sign of life (a test request), and takes the connection and its orders away when
 * none comes.  So the sign is given by step, and only while the strategy is alive.
 *
 * Timers of this file, all compared with the time the caller brings: ANSWER_WAIT (an answer of the session's
 * own that never comes), LOGIN_RETRY (a step that was refused), THROTTLE_WAIT (after too many requests),
 * CLOSE_WAIT (a close that nobody confirms), and four fifths of the token's life.
 *
 * For the room itself: the world sees struct venue_order. */
#ifndef POISE_VENUES_DERIBIT_SESSION_H
#define POISE_VENUES_DERIBIT_SESSION_H

#include "venues/deribit/report.h"
#include "venues/request_id.h"

/* States of the connection, and what is true there. */
enum session_state {
    STATE_CLOSED = 0,  /* nothing; step opens it when it is due */
    STATE_OPENING,     /* ACT_OPEN was given: the connection works at it, again after every loss */
    STATE_LOGIN,       /* up; public/auth was not accepted yet */
    STATE_BEATING,     /* logged in with the rights we need; the heartbeat is not confirmed */
    STATE_ARMING,      /* heartbeats come; cancel on disconnect is not confirmed */
    STATE_PROVING,     /* confirmed; it was not read back yet */
    STATE_SUBSCRIBING, /* armed; the private channels are not confirmed */
    STATE_READY,       /* in use */
    STATE_REFUSED,     /* up; one of these was refused, and the log-in is tried again when due */
    STATE_CLOSING,     /* ACT_CLOSE was given */
    STATE_COUNT
};

enum state_event {
    STATE_EVENT_OPEN = 0,
    STATE_EVENT_UP,
    STATE_EVENT_DONE,    /* the answer is what this state waits for */
    STATE_EVENT_REFUSED, /* it is not */
    STATE_EVENT_RETRY,
    STATE_EVENT_LOST,
    STATE_EVENT_CLOSE,
    STATE_EVENT_COUNT
};

/* deribit_state_next is the table (slots.c): the state after the event plus one, or 0 for a cell that cannot
 * happen. */
uint8_t deribit_state_next(enum session_state state, enum state_event event);

#define REFRESH_TOKEN_BYTES 1024
#define KNOWN_ORDERS        1024
#define KNOWN_ID_BYTES      32

struct deribit_session {
    struct venue_session base;
    uint8_t state;          /* enum session_state; written by state_step only */
    bool asked;             /* what the state asks for was sent */
    bool alive;             /* as step was told last */
    bool test_owed;         /* the venue wants a sign of life */
    uint16_t turn;          /* counts connections and log-ins: answers to an earlier one are nobody's */
    uint32_t table_refused; /* events that met an empty cell */
    uint64_t asked_ns;      /* when the state's own request was sent */
    uint64_t due_ns;        /* CLOSED: not opened before; REFUSED, CLOSING: until then */
    uint64_t refresh_ns;    /* READY: the token is renewed then */
    char refresh_token[REFRESH_TOKEN_BYTES]; /* "" none: log in again instead */
    /* what the venue calls our orders, by a hash of our id: an edit or a cancel by its own name is one
     * look-up less there, and names one order for certain */
    struct {
        uint64_t order;
        char id[KNOWN_ID_BYTES];
    } known[KNOWN_ORDERS];
    struct deribit_habits habits; /* of its private messages */
};

/* Ties of the session's own requests: bit 63, what, and which turn. */
enum session_request {
    ASK_LOGIN = 1,
    ASK_HEARTBEAT,
    ASK_ARM,
    ASK_PROVE,
    ASK_SUBSCRIBE,
    ASK_REFRESH,
    ASK_TEST
};
#define SESSION_TIE          REQUEST_ID_SESSION_TIE
#define SESSION_TIE_OF(a, i) (SESSION_TIE | (uint64_t)(a) << 16 | (uint64_t)(i))
#define SESSION_TIE_ASK(t)   ((enum session_request)((t) >> 16 & 0xff))
#define SESSION_TIE_TURN(t)  ((uint16_t)((t)&0xffff))

void deribit_session_init(struct venue_session *session, const struct venue *venue,
                          const struct instrument_table *instruments, const struct account *account,
                          const struct sign_key *key, const uint16_t *wanted, uint32_t wanted_count);
bool deribit_session_step(struct venue_session *session, uint64_t now_ns, int64_t wall_ns, bool alive,
                          struct venue_out *out);
void deribit_session_event(struct venue_session *session, enum session_slot slot, enum session_event event,
                           uint64_t now_ns);

/* What order.c learns for the session.  answer: to one of its own requests; code 0: accepted, with result.
 * test_request: the venue wants a sign of life.  throttled: too many requests; *out becomes the close that
 * comes before the pause.  unauthorized: a request was refused because the log-in is not valid any more. */
void deribit_session_answer(struct deribit_session *session, uint64_t tie, int64_t code,
                            const struct scan_value *result, const struct scan_value *testnet,
                            uint64_t now_ns);
void deribit_session_test_request(struct deribit_session *session, uint64_t now_ns);
void deribit_session_throttled(struct deribit_session *session, struct venue_out *out, uint64_t now_ns);
void deribit_session_unauthorized(struct deribit_session *session, int64_t code, uint64_t now_ns);

/* deribit_known answers the venue's id of one of our orders, or NULL; deribit_know keeps it, deribit_forget
 * when the order has ended. */
const char *deribit_known(const struct deribit_session *session, uint64_t order);
void deribit_know(struct deribit_session *session, uint64_t order, const char *id);
void deribit_forget(struct deribit_session *session, uint64_t order);

/* deribit_stamp_ms is the time to sign with. */
static inline uint64_t deribit_stamp_ms(const struct venue_session *session, int64_t wall_ns)
{
    return (uint64_t)((wall_ns + session->clock_offset_ns) / 1000000);
}

#endif
