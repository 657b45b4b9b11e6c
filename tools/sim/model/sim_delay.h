/* sim_delay: seeded latencies and the queue of things that will happen.
 *
 * Four lines, each with its own range and its own random stream: feed (venue to subscriber), order (request
 * to matching), ack (matching to reply), private (matching to private stream).  Within one line of one
 * destination nothing overtakes: the caller keeps the last due time and passes it in.  One thread. */
#ifndef TOOLS_SIM_MODEL_SIM_DELAY_H
#define TOOLS_SIM_MODEL_SIM_DELAY_H

#include "tools/sim/model/sim_random.h"

#include <stddef.h>

enum sim_line { SIM_LINE_FEED, SIM_LINE_ORDER, SIM_LINE_ACK, SIM_LINE_PRIVATE, SIM_LINE_COUNT };

struct sim_delay {
    struct sim_random random[SIM_LINE_COUNT];
    int64_t low_ns[SIM_LINE_COUNT];
    int64_t high_ns[SIM_LINE_COUNT];
};

/* sim_delay_init seeds the four lines with no latency. */
void sim_delay_init(struct sim_delay *delay, uint64_t seed);

/* sim_delay_due answers when something sent now on a line arrives, never before *last_ns, which it moves.
 * last_ns may be NULL when order does not matter. */
int64_t sim_delay_due(struct sim_delay *delay, enum sim_line line, int64_t now_ns, int64_t *last_ns);

/* A queue of (due time, item); equal times leave in the order they came. */
struct sim_queue_entry {
    int64_t due_ns;
    uint64_t order;
    void *item;
};

struct sim_queue {
    struct sim_queue_entry *entry;
    size_t count;
    size_t capacity;
    uint64_t next_order;
};

void sim_queue_push(struct sim_queue *queue, int64_t due_ns, void *item);

/* sim_queue_pop answers the earliest item due by now, NULL when there is none. */
void *sim_queue_pop(struct sim_queue *queue, int64_t now_ns);

/* sim_queue_next_ns answers the earliest due time, INT64_MAX when empty. */
int64_t sim_queue_next_ns(const struct sim_queue *queue);

#endif
