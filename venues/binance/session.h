/* session: one account's connections and what keeps them alive, as data and one table.
 *
 *   ORDER    WebSocket API: orders; on spot also the user stream.  An Ed25519 key logs on once, an HMAC key
 *            signs every request.
 *   REST     listen keys, the dead-man timer, cancel-all
 *   PRIVATE  futures user stream, opened with the listen key
 *
 * Timers of this file, all compared with the time the caller brings: LOGIN_RETRY (a refused log-on or
 * subscription), KEY_KEEP (listen keys live 60 minutes), ANSWER_WAIT (a REST answer that never comes),
 * CLOSE_WAIT (a close that nobody confirms), and a quarter of the dead-man's timeout per instrument.
 *
 * For the room itself: the world sees struct venue_order. */
#ifndef POISE_VENUES_BINANCE_SESSION_H
#define POISE_VENUES_BINANCE_SESSION_H

#include "venues/binance/report.h"
#include "venues/request_id.h"

/* States of one connection, and what is true there. */
enum slot_state {
    SLOT_CLOSED = 0, /* nothing; step opens it when it is wanted */
    SLOT_OPENING,    /* ACT_OPEN was given: the connection works at it, again after every loss */
    SLOT_LOGIN,      /* up; the log-on was not accepted yet */
    SLOT_REFUSED,    /* up; the log-on was refused and waits for its retry */
    SLOT_LIVE,       /* in use */
    SLOT_CLOSING,    /* ACT_CLOSE was given */
    SLOT_STATE_COUNT
};

enum slot_event {
    SLOT_EVENT_OPEN = 0,
    SLOT_EVENT_UP,
    SLOT_EVENT_ACCEPTED,
    SLOT_EVENT_REFUSED,
    SLOT_EVENT_RETRY,
    SLOT_EVENT_LOST,
    SLOT_EVENT_CLOSE,
    SLOT_EVENT_COUNT
};

/* binance_slot_next is the table (slots.c): the state after the event plus one, or 0 for a cell that cannot
 * happen. */
uint8_t binance_slot_next(enum slot_state state, enum slot_event event);

#define LISTEN_KEY_BYTES 128
#define KNOWN_ORDERS     256

struct binance_session {
    struct venue_session base;
    const struct binance_product *product;
    uint8_t slot[SESSION_SLOT_COUNT]; /* enum slot_state; written by slot_step only */
    uint64_t slot_due_ns[SESSION_SLOT_COUNT];
    uint32_t table_refused; /* events that met an empty cell */
    bool logon_sent;
    bool logged_on;            /* requests carry neither key nor signature */
    struct sign_prefix prefix; /* of binance_prefix; no use to anybody without the key's outer pad */
    /* the user stream */
    bool subscribe_sent, subscribed; /* spot */
    uint64_t subscribe_due_ns;
    char listen_key[LISTEN_KEY_BYTES]; /* futures: the newest; "" none */
    char open_key[LISTEN_KEY_BYTES];   /* the one PRIVATE was opened with */
    bool key_confirmed;                /* the venue named it since the stream was last lost */
    uint64_t key_due_ns;               /* when to ask for or to extend it */
    /* REST: one question of ours at a time */
    bool rest_busy;
    uint64_t rest_since_ns;
    uint64_t dead_man_due_ns[FEED_CONNECTION_INSTRUMENTS];
    uint64_t dead_man_until_ns[FEED_CONNECTION_INSTRUMENTS]; /* armed until then; 0 not */
    uint64_t cancel_wanted; /* bit per wanted instrument: cancel-all still to be asked for */
    uint8_t cancel_tries[FEED_CONNECTION_INSTRUMENTS];
    uint64_t cancel_due_ns;
    /* spot amends can only shrink an order at its price: the price last sent, by a hash of the order */
    struct {
        uint64_t order;
        int64_t price, qty;
    } known[KNOWN_ORDERS];
};

/* Ties of the session's own requests: bit 63, what, and which wanted instrument. */
enum session_request { ASK_LOGON = 1, ASK_SUBSCRIBE, ASK_KEY, ASK_KEY_KEEP, ASK_DEAD_MAN, ASK_CANCEL_ALL };
#define SESSION_TIE          REQUEST_ID_SESSION_TIE
#define SESSION_TIE_OF(a, i) (SESSION_TIE | (uint64_t)(a) << 16 | (uint64_t)(i))
#define SESSION_TIE_ASK(t)   ((enum session_request)((t) >> 16 & 0xff))
#define SESSION_TIE_INDEX(t) ((uint32_t)((t)&0xffff))

void binance_session_init(struct venue_session *session, const struct venue *venue,
                          const struct instrument_table *instruments, const struct account *account,
                          const struct sign_key *key, const uint16_t *wanted, uint32_t wanted_count);
bool binance_session_step(struct venue_session *session, uint64_t now_ns, int64_t wall_ns, bool alive,
                          struct venue_out *out);
void binance_session_event(struct venue_session *session, enum session_slot slot, enum session_event event,
                           uint64_t now_ns);

/* What order.c learns for the session: an answer to one of its own requests (status 0: none came), and events
 * of the user stream. */
void binance_session_answer(struct binance_session *session, uint64_t tie, int status, int64_t code,
                            const char *listen_key, size_t bytes, uint64_t now_ns);
void binance_session_stream_ended(struct binance_session *session, uint64_t now_ns);
void binance_session_shutdown(struct binance_session *session, enum session_slot slot, struct venue_out *out,
                              uint64_t now_ns);
void binance_session_key_revoked(struct binance_session *session, int64_t code, uint64_t now_ns);

/* binance_session_cancel_all fills out the request that cancels every order of one wanted instrument. */
bool binance_session_cancel_all(struct binance_session *session, const struct instrument *instrument,
                                uint64_t tie, int64_t wall_ns, struct venue_out *out);

/* binance_stamp_ms is the time to sign with. */
static inline uint64_t binance_stamp_ms(const struct venue_session *session, int64_t wall_ns)
{
    return (uint64_t)((wall_ns + session->clock_offset_ns) / 1000000);
}

#endif
