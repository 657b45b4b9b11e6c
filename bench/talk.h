/* talk: what the venue of the journeys says, and how it understands what it is told.  Text only: no socket.
 *
 * One market on two legs (see market.h): the best bid of the linear leg moves as the bench wants, all else
 * stands still; our two quotes rest on the inverse leg and are filled as the bench wants; every hedge on the
 * linear leg is filled at once.  It shares no code with venues/. */
#ifndef POISE_BENCH_TALK_H
#define POISE_BENCH_TALK_H

#include "bench/market.h"

#define TALK_BYTES    16384 /* the longest text: a snapshot */
#define TALK_ID_BYTES 48
#define TALK_BID      600000 /* the linear leg's best bid may move between this */
#define TALK_BID_MOST 600100 /* and this */
#define TALK_ASK      600101
#define TALK_KEY      "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsVE5bCmXbJnCq0cBwXyA3kT7dGyRzLp9"
#define TALK_SECRET   "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"

enum talk_kind { TALK_NONE, TALK_NEW, TALK_MODIFY, TALK_CANCEL };

struct talk_request {
    enum talk_kind kind;
    uint8_t leg;  /* MARKET_INVERSE, MARKET_LINEAR */
    uint8_t side; /* enum side */
    bool signed_right;
    int64_t price, qty;        /* units of the leg */
    char id[TALK_ID_BYTES];    /* the request's */
    char order[TALK_ID_BYTES]; /* the client order id */
};

struct talk_quote {
    bool live;
    int64_t price, qty, executed;
    char order[TALK_ID_BYTES];
};

struct talk {
    int64_t wall_ms; /* in every message from now on */
    uint64_t update[MARKET_LEGS];
    uint64_t trade;
    uint64_t order_number;
    int64_t bid; /* the linear leg's best */
    struct talk_quote quote[2];
};

void talk_init(struct talk *talk);

/* What streams say; each answers the length of the text. */
size_t talk_move(struct talk *talk, int64_t bid, char *out); /* linear depth: another best bid */
size_t talk_still(struct talk *talk, int leg, char *out);    /* depth that changes nothing */
size_t talk_mark(const struct talk *talk, int leg, char *out);
size_t talk_snapshot(const struct talk *talk, int leg, char *out);

/* talk_fill executes part of a resting quote; talk_hedged a hedge; talk_gone ends a quote for no reason of
 * ours.  All are events of the leg's user stream. */
size_t talk_fill(struct talk *talk, enum side side, int64_t qty, char *out);
size_t talk_hedged(struct talk *talk, const struct talk_request *hedge, char *out);
size_t talk_gone(struct talk *talk, enum side side, char *out);

/* talk_read understands an order request that came on a leg's order connection, signature included; false
 * when it does not. */
bool talk_read(const char *text, size_t bytes, int leg, struct talk_request *request);

/* talk_reply does what was asked and writes the answer. */
size_t talk_reply(struct talk *talk, const struct talk_request *request, char *out);

#endif
