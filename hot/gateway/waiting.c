#include "hot/gateway/waiting.h"

#include <string.h>

struct waiting_request *waiting_next(struct waiting *waiting, uint8_t link)
{
    struct waiting_request *next = NULL;
    for (uint32_t i = 0; waiting->count != 0 && i < WAITING_MAX; i++) {
        struct waiting_request *row = &waiting->row[i];
        if (row->used && row->link == link &&
            (next == NULL || row->first < next->first ||
             (row->first == next->first && row->number < next->number))) {
            next = row;
        }
    }
    return next;
}

struct waiting_request *waiting_by_tie(struct waiting *waiting, uint64_t tie)
{
    for (uint32_t i = 0; waiting->count != 0 && i < WAITING_MAX; i++) {
        if (waiting->row[i].used && waiting->row[i].tie == tie) {
            return &waiting->row[i];
        }
    }
    return NULL;
}

struct waiting_request *waiting_least(struct waiting *waiting, enum waiting_first first)
{
    struct waiting_request *least = NULL;
    for (uint32_t i = 0; i < WAITING_MAX; i++) {
        struct waiting_request *row = &waiting->row[i];
        if (row->used && row->first > first &&
            (least == NULL || row->first > least->first ||
             (row->first == least->first && row->number > least->number))) {
            least = row;
        }
    }
    return least;
}

bool waiting_put(struct waiting *waiting, const struct venue_out *out, uint8_t link, uint8_t kind,
                 enum waiting_first first)
{
    if (waiting_full(waiting) || out->body_bytes > WAITING_BODY_BYTES) {
        return false;
    }
    struct waiting_request *row = waiting->row;
    while (row->used) {
        row++;
    }
    row->used = true;
    row->first = (uint8_t)first;
    row->link = link;
    row->kind = kind;
    row->number = ++waiting->arrivals;
    row->tie = out->tie;
    row->method = out->method;
    row->body_bytes = out->body_bytes;
    memcpy(row->path, out->path, out->path_bytes + 1);
    memcpy(row->header, out->header, out->header_bytes + 1);
    memcpy(row->body, out->body, out->body_bytes);
    waiting->count++;
    return true;
}

void waiting_remove(struct waiting *waiting, struct waiting_request *request)
{
    request->used = false;
    waiting->count--;
}
