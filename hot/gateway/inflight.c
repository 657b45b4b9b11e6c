#include "hot/gateway/inflight.h"

#include "ring/order_id.h"

#define REQUEST_PLACES (2 * INFLIGHT_REQUESTS)
#define ORDER_PLACES   (2 * (INFLIGHT_ORDERS + INFLIGHT_FINISHED))

void inflight_init(struct inflight *inflight)
{
    memset(inflight, 0, sizeof *inflight);
    inflight->next_deadline_ns = UINT64_MAX;
}

/* A multiplicative hash.  Both kinds of key count up, so that it is known where the next will be at home: its
 * place is fetched when the one before it is entered, because tables of this size are not at hand. */
static inline uint32_t spread(uint64_t number, uint32_t places)
{
    uint64_t mixed = number * 0x9e3779b97f4a7c15ULL;
    return (uint32_t)(((mixed >> 32) * places) >> 32);
}

/* Sixteen ties that follow each other stand side by side; few are there at a time. */
enum { PIECE = 16 };
_Static_assert(REQUEST_PLACES % PIECE == 0, "the table is whole pieces");

static inline uint32_t home_of_tie(uint64_t tie)
{
    return spread(tie / PIECE, REQUEST_PLACES / PIECE) * PIECE + (uint32_t)(tie % PIECE);
}

/* Ids of all instances and legs count together.  Thousands are there, so neighbours must not share a run. */
static inline uint32_t home_of_order(uint64_t order)
{
    return spread(order_id_counter(order), ORDER_PLACES);
}

/* ---- requests ---------------------------------------------------------------------------------------- */

struct inflight_request *inflight_request_find(struct inflight *inflight, uint64_t tie)
{
    if (tie == 0) {
        return NULL;
    }
    for (uint32_t at = home_of_tie(tie);; at = at + 1 == REQUEST_PLACES ? 0 : at + 1) {
        if (inflight->request[at].tie == tie) {
            return &inflight->request[at];
        }
        if (inflight->request[at].tie == 0) {
            return NULL;
        }
    }
}

struct inflight_request *inflight_request_add(struct inflight *inflight, uint64_t tie, uint64_t deadline_ns)
{
    if (tie == 0 || inflight->request_count == INFLIGHT_REQUESTS) {
        return NULL;
    }
    uint32_t at = home_of_tie(tie);
    while (inflight->request[at].tie != 0) {
        if (inflight->request[at].tie == tie) {
            return NULL;
        }
        at = at + 1 == REQUEST_PLACES ? 0 : at + 1;
    }
    struct inflight_request *request = &inflight->request[at];
    memset(request, 0, sizeof *request);
    request->tie = tie;
    request->deadline_ns = deadline_ns;
    inflight->request_count++;
    __builtin_prefetch(&inflight->request[home_of_tie(tie + 1)], 1);
    if (deadline_ns < inflight->next_deadline_ns) {
        inflight->next_deadline_ns = deadline_ns;
    }
    return request;
}

/* closes_up says whether the row whose home is `home` may move from `from` to the hole at `hole`. */
static inline bool closes_up(uint32_t hole, uint32_t home, uint32_t from)
{
    return hole <= from ? home <= hole || home > from : home <= hole && home > from;
}

static void remove_request(struct inflight *inflight, uint32_t hole)
{
    uint32_t at = hole;
    for (;;) {
        at = at + 1 == REQUEST_PLACES ? 0 : at + 1;
        uint64_t tie = inflight->request[at].tie;
        if (tie == 0) {
            break;
        }
        if (closes_up(hole, home_of_tie(tie), at)) {
            inflight->request[hole] = inflight->request[at];
            hole = at;
        }
    }
    inflight->request[hole].tie = 0;
    inflight->request_count--;
}

void inflight_request_remove(struct inflight *inflight, uint64_t tie)
{
    struct inflight_request *request = inflight_request_find(inflight, tie);
    if (request != NULL) {
        remove_request(inflight, (uint32_t)(request - inflight->request));
    }
}

bool inflight_expire(struct inflight *inflight, uint64_t now_ns, struct inflight_request *out)
{
    if (POISE_LIKELY(now_ns < inflight->next_deadline_ns)) {
        return false;
    }
    uint64_t next = UINT64_MAX;
    for (uint32_t looked = 0; looked < REQUEST_PLACES; looked++) {
        uint32_t at = inflight->cursor;
        struct inflight_request *request = &inflight->request[at];
        if (request->tie != 0 && now_ns >= request->deadline_ns) {
            *out = *request;
            remove_request(inflight, at); /* another row may have moved here: looked at next time */
            return true;
        }
        if (request->tie != 0 && request->deadline_ns < next) {
            next = request->deadline_ns;
        }
        inflight->cursor = at + 1 == REQUEST_PLACES ? 0 : at + 1;
    }
    inflight->next_deadline_ns = next;
    return false;
}

void inflight_lose(struct inflight *inflight, uint8_t link)
{
    for (uint32_t at = 0; at < REQUEST_PLACES; at++) {
        struct inflight_request *request = &inflight->request[at];
        if (request->tie != 0 && request->link == link && request->sent_ns != 0) {
            request->lost = true;
            request->deadline_ns = 0;
            inflight->next_deadline_ns = 0;
        }
    }
}

/* ---- orders ------------------------------------------------------------------------------------------ */

struct inflight_order *inflight_order_find(struct inflight *inflight, uint64_t order)
{
    if (order == 0) {
        return NULL;
    }
    for (uint32_t at = home_of_order(order);; at = at + 1 == ORDER_PLACES ? 0 : at + 1) {
        if (inflight->order[at].order == order) {
            return &inflight->order[at];
        }
        if (inflight->order[at].order == 0) {
            return NULL;
        }
    }
}

struct inflight_order *inflight_order_add(struct inflight *inflight, uint64_t order, uint16_t instrument,
                                          uint64_t now_ns)
{
    struct inflight_order *row = inflight_order_find(inflight, order);
    if (row != NULL) {
        row->touched_ns = now_ns;
        return row;
    }
    if (order == 0 || inflight->order_count == INFLIGHT_ORDERS) {
        return NULL;
    }
    uint32_t at = home_of_order(order);
    while (inflight->order[at].order != 0) {
        at = at + 1 == ORDER_PLACES ? 0 : at + 1;
    }
    row = &inflight->order[at];
    memset(row, 0, sizeof *row);
    row->order = order;
    row->instrument = instrument;
    row->touched_ns = now_ns;
    inflight->order_count++;
    inflight->order_used++;
    __builtin_prefetch(&inflight->order[home_of_order(order + 1)], 1);
    return row;
}

static void remove_order(struct inflight *inflight, uint64_t order)
{
    struct inflight_order *row = inflight_order_find(inflight, order);
    if (row == NULL) {
        return;
    }
    uint32_t hole = (uint32_t)(row - inflight->order), at = hole;
    for (;;) {
        at = at + 1 == ORDER_PLACES ? 0 : at + 1;
        uint64_t other = inflight->order[at].order;
        if (other == 0) {
            break;
        }
        if (closes_up(hole, home_of_order(other), at)) {
            inflight->order[hole] = inflight->order[at];
            hole = at;
        }
    }
    inflight->order[hole].order = 0;
    inflight->order_used--;
}

void inflight_order_finish(struct inflight *inflight, uint64_t order)
{
    struct inflight_order *row = inflight_order_find(inflight, order);
    if (row == NULL || row->finished) {
        return;
    }
    row->finished = true;
    inflight->order_count--;
    uint64_t *oldest = &inflight->finished[inflight->finished_at];
    uint64_t forget = *oldest;
    *oldest = order;
    inflight->finished_at = (inflight->finished_at + 1) % INFLIGHT_FINISHED;
    if (forget != 0) {
        remove_order(inflight, forget);
    }
}

struct inflight_order *inflight_order_next(struct inflight *inflight, uint32_t *cursor)
{
    while (*cursor < ORDER_PLACES) {
        struct inflight_order *row = &inflight->order[(*cursor)++];
        if (row->order != 0 && !row->finished) {
            return row;
        }
    }
    return NULL;
}
