/* desk: one session of a venue and what is said to it and by it. */
#ifndef POISE_TESTS_VENUES_DESK_H
#define POISE_TESTS_VENUES_DESK_H

#include "ring/clock.h"
#include "tests/venues/support.h"

#define WALL_NS 1700000000000000000LL

#define DESK_RECORDS 64

struct desk {
    const struct venue *venue;
    struct instrument_table table;
    struct account account;
    struct sign_key key;
    struct venue_session *session;
    struct venue_out out;
    char body[2048];
    uint64_t now_ns;
    struct slot records[DESK_RECORDS][3];
    uint32_t record_count;
    struct venue_sink sink;
};

/* desk_make makes a session of Binance with one instrument; prices of two decimals and quantities of three,
 * one and none for inverse. */
struct desk *desk_make(uint8_t product, const char *symbol, uint8_t key_type, int64_t dead_man_ms);

/* desk_begin makes the session of a desk whose table, account and key are set. */
void desk_begin(struct desk *desk, const struct venue *venue);

/* desk_report is the i-th record so far, which must exist and be a report. */
const struct record_report *desk_report(const struct desk *desk, uint32_t i);

/* desk_step does one step of an alive engine. */
bool desk_step(struct desk *desk);
void desk_event(struct desk *desk, enum session_slot slot, enum session_event what);

/* The next step must be this. */
void desk_expect_open(struct desk *desk, enum session_slot slot, const char *host, const char *path);
void desk_expect_request(struct desk *desk, const char *method, const char *path_begins);

/* desk_answer answers the request that stands in desk->out. */
void desk_answer(struct desk *desk, int status, const char *body);
int64_t desk_hear(struct desk *desk, enum session_slot slot, const char *message);

/* desk_order makes an order record of the one instrument. */
struct record_order *desk_order(struct slot record[2], enum record_type type, uint64_t order, uint64_t tie);

/* desk_encode encodes it; the body is zero terminated. */
bool desk_encode(struct desk *desk, const struct record_order *order);

#endif
