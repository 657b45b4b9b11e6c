/* talk: what the venue of the journeys says, and how it understands what it is told.  Text only: no socket.
 *
 * One market on two legs (see market.h): the best bid of the linear leg moves as the bench wants, all else
 * stands still; our two quotes rest on the inverse leg and are filled as the bench wants; every hedge on the
 * linear leg is filled at once.  The inverse leg speaks Deribit's JSON-RPC, the linear one Binance's API.  It
 * shares no code with venues/. */
#ifndef POISE_BENCH_TALK_H
#define POISE_BENCH_TALK_H

#include "bench/market.h"

#define TALK_BYTES      16384 /* the longest text: a snapshot */
#define TALK_ID_BYTES   48
#define TALK_BID        600000 /* the linear leg's best bid may move between this */
#define TALK_BID_MOST   600200 /* and this */
#define TALK_ASK        600201
#define TALK_QUOTED_ASK 600210 /* the inverse leg's, in tenths as well; its best bid is 1 below TALK_BID */
#define TALK_KEY        "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsVE5bCmXbJnCq0cBwXyA3kT7dGyRzLp9"
#define TALK_SECRET     "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"

enum talk_kind { TALK_NONE, TALK_NEW, TALK_MODIFY, TALK_CANCEL };

struct talk_request {
    enum talk_kind kind;
    uint8_t leg;  /* MARKET_INVERSE, MARKET_LINEAR */
    uint8_t side; /* enum side */
    bool signed_right;
    int64_t price, qty;        /* units of the leg */
    char id[TALK_ID_BYTES];    /* the request's */
    char order[TALK_ID_BYTES]; /* our name for it; the venue's where an edit or a cancel says that */
};

struct talk_quote {
    bool live, amended;
    int64_t price, qty, executed, born_ms;
    char order[TALK_ID_BYTES]; /* our label */
    char id[TALK_ID_BYTES];    /* the venue's name for it */
};

struct talk {
    int64_t wall_ms; /* in every message from now on */
    uint64_t update[MARKET_LEGS];
    uint64_t trade;
    uint64_t order_number;
    int64_t bid;      /* the linear leg's best */
    int64_t position; /* of the inverse leg, in USD */
    bool entered;     /* somebody logged in who may trade on the inverse leg */
    struct talk_quote quote[2];
    const struct talk_quote *changed; /* by the last reply; NULL: none */
};

void talk_init(struct talk *talk);

/* What streams say; each answers the length of the text. */
size_t talk_move(struct talk *talk, int64_t bid, char *out); /* linear depth: another best bid */
size_t talk_still(struct talk *talk, int leg, char *out);    /* depth that changes nothing */
size_t talk_mark(const struct talk *talk, int leg, char *out);
size_t talk_snapshot(const struct talk *talk, int leg, char *out);

/* talk_fill executes part of a resting quote; talk_hedged a hedge; talk_gone ends a quote for no reason of
 * ours; talk_changed says again what the last reply said of a quote, 0 where it said nothing.  All are told
 * on the leg's private stream; Deribit's is the connection of the orders.  talk_cash is Deribit's portfolio.
 */
size_t talk_fill(struct talk *talk, enum side side, int64_t qty, char *out);
size_t talk_hedged(struct talk *talk, const struct talk_request *hedge, char *out);
size_t talk_gone(struct talk *talk, enum side side, char *out);
size_t talk_changed(const struct talk *talk, char *out);
size_t talk_cash(const struct talk *talk, char *out);

/* talk_session answers what comes on a connection to Deribit before and beside orders: log-in (the signature
 * is checked), heartbeat, cancel on disconnect, channels; 0: it is none of that. */
size_t talk_session(struct talk *talk, const char *text, size_t bytes, char *out);

/* talk_asks: the request calls this method. */
bool talk_asks(const char *text, size_t bytes, const char *method);

/* talk_read understands an order request that came on a leg's order connection, signature or log-in included;
 * false when it does not. */
bool talk_read(const struct talk *talk, const char *text, size_t bytes, int leg,
               struct talk_request *request);

/* talk_read_http is the same for a call of Deribit's that came as an HTTP GET: the header up to and without
 * its empty line.  The call carries its own signature. */
bool talk_read_http(const struct talk *talk, const char *head, struct talk_request *request);

/* talk_reply does what was asked and writes the answer. */
size_t talk_reply(struct talk *talk, const struct talk_request *request, char *out);

#endif
