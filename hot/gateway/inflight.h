/* inflight: what a gateway sent that is not finished.
 *
 * Two tables of fixed size, open addressing, keyed by non-zero numbers:
 *
 *   requests  by tie: a message to the venue whose answer is due before a deadline
 *   orders    by our order id: everything that may rest at the venue, from before its first byte leaves
 *             until the venue names its end
 *
 * A finished order stays known for a while (the last INFLIGHT_FINISHED of them), so that a report that comes
 * late does not make it rest again.  Pure: time is an argument.  Gateway core only. */
#ifndef POISE_HOT_GATEWAY_INFLIGHT_H
#define POISE_HOT_GATEWAY_INFLIGHT_H

#include "ring/record.h"

#define INFLIGHT_REQUESTS 2048
#define INFLIGHT_ORDERS   8192
#define INFLIGHT_FINISHED 2048

struct inflight_request {
    uint64_t tie; /* 0: free place */
    uint64_t order;
    uint64_t sent_ns; /* 0: waits in a queue, certainly not at the venue */
    uint64_t deadline_ns;
    int64_t wall_ns; /* when it was sent, for the venue's clock */
    int64_t price, qty;
    uint16_t instrument;
    uint8_t kind; /* enum request_kind */
    uint8_t side;
    uint8_t link; /* the connection it went by */
    bool lost;    /* that connection is gone */
};

struct inflight_order {
    uint64_t order;      /* 0: free place */
    uint64_t touched_ns; /* last time something was sent or told about it */
    uint16_t instrument;
    uint8_t side;
    bool finished;
    char venue_order_id[VENUE_ORDER_ID_BYTES];
};

struct inflight {
    uint32_t request_count; /* unanswered */
    uint32_t order_count;   /* not finished */
    uint32_t order_used;    /* finished ones included */
    uint32_t cursor;
    uint64_t next_deadline_ns; /* none is earlier */
    uint32_t finished_at;
    uint64_t finished[INFLIGHT_FINISHED]; /* oldest at finished_at */
    struct inflight_request request[2 * INFLIGHT_REQUESTS];
    struct inflight_order order[2 * (INFLIGHT_ORDERS + INFLIGHT_FINISHED)];
};

void inflight_init(struct inflight *inflight);

/* inflight_request_add answers the new row, zeroed but for tie and deadline; NULL when the table is full or
 * the tie stands there already.  Rows move when others are removed: keep no pointer. */
struct inflight_request *inflight_request_add(struct inflight *inflight, uint64_t tie, uint64_t deadline_ns);
struct inflight_request *inflight_request_find(struct inflight *inflight, uint64_t tie);
void inflight_request_remove(struct inflight *inflight, uint64_t tie);

/* inflight_expire takes one request out whose deadline has passed; false when there is none. */
bool inflight_expire(struct inflight *inflight, uint64_t now_ns, struct inflight_request *out);

/* inflight_lose makes every request that was sent over a connection due at once. */
void inflight_lose(struct inflight *inflight, uint8_t link);

/* inflight_order_add answers the row of an order, new or known; NULL when the table is full. */
struct inflight_order *inflight_order_add(struct inflight *inflight, uint64_t order, uint16_t instrument,
                                          uint64_t now_ns);
struct inflight_order *inflight_order_find(struct inflight *inflight, uint64_t order);

/* inflight_order_finish: the venue named its end; it is remembered as finished. */
void inflight_order_finish(struct inflight *inflight, uint64_t order);

/* inflight_order_next walks the orders that may rest: *cursor starts at 0; NULL at the end. */
struct inflight_order *inflight_order_next(struct inflight *inflight, uint32_t *cursor);

#endif
