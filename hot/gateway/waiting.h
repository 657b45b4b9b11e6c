/* waiting: HTTP requests that wait for the one under way on their connection.
 *
 * Who goes first: cancels, then the session's own (log-in, dead-man), then what is urgent, then the rest;
 * within each in order of arrival.  Fixed memory.  Gateway core only. */
#ifndef POISE_HOT_GATEWAY_WAITING_H
#define POISE_HOT_GATEWAY_WAITING_H

#include "venues/venue.h"

#define WAITING_MAX        32
#define WAITING_BODY_BYTES 4096

enum waiting_first { FIRST_CANCEL, FIRST_SESSION, FIRST_URGENT, FIRST_OTHER };

struct waiting_request {
    bool used;
    uint8_t first; /* enum waiting_first */
    uint8_t link;  /* which connection */
    uint8_t kind;  /* enum request_kind */
    uint32_t body_bytes;
    uint64_t number; /* in order of arrival */
    uint64_t tie;
    const char *method;
    char path[2048]; /* zero terminated, as header */
    char header[VENUE_HEADER_BYTES];
    char body[WAITING_BODY_BYTES];
};

struct waiting {
    uint32_t count;
    uint64_t arrivals;
    struct waiting_request row[WAITING_MAX];
};

/* waiting_next answers who goes first on a connection, or NULL. */
struct waiting_request *waiting_next(struct waiting *waiting, uint8_t link);

/* waiting_by_tie answers the request of a tie, or NULL. */
struct waiting_request *waiting_by_tie(struct waiting *waiting, uint64_t tie);

/* waiting_full: there is no free place.  waiting_least then answers the one to give up for a request of
 * `first`, or NULL when none goes after it. */
static inline bool waiting_full(const struct waiting *waiting)
{
    return waiting->count == WAITING_MAX;
}
struct waiting_request *waiting_least(struct waiting *waiting, enum waiting_first first);

/* waiting_put copies a request whose path and header are zero terminated; false when full, or when its body
 * is too long to wait. */
bool waiting_put(struct waiting *waiting, const struct venue_out *out, uint8_t link, uint8_t kind,
                 enum waiting_first first);

void waiting_remove(struct waiting *waiting, struct waiting_request *request);

#endif
