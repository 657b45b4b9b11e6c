#include "tools/sim/model/sim_delay.h"

#include <stdlib.h>
#include <string.h>

void sim_delay_init(struct sim_delay *delay, uint64_t seed)
{
    memset(delay, 0, sizeof *delay);
    for (int line = 0; line < SIM_LINE_COUNT; line++) {
        sim_random_seed(&delay->random[line], seed, 100 + (uint64_t)line);
    }
}

int64_t sim_delay_due(struct sim_delay *delay, enum sim_line line, int64_t now_ns, int64_t *last_ns)
{
    int64_t due = now_ns + sim_random_range(&delay->random[line], delay->low_ns[line], delay->high_ns[line]);

    if (last_ns != NULL) {
        due = due < *last_ns ? *last_ns : due;
        *last_ns = due;
    }
    return due;
}

static int before(const struct sim_queue_entry *a, const struct sim_queue_entry *b)
{
    return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

void sim_queue_push(struct sim_queue *queue, int64_t due_ns, void *item)
{
    if (queue->count == queue->capacity) {
        queue->capacity = queue->capacity == 0 ? 256 : queue->capacity * 2;
        queue->entry = realloc(queue->entry, queue->capacity * sizeof *queue->entry);
        if (queue->entry == NULL) {
            abort();
        }
    }
    struct sim_queue_entry fresh = { due_ns, queue->next_order++, item };
    size_t at = queue->count++;

    while (at > 0 && before(&fresh, &queue->entry[(at - 1) / 2])) {
        queue->entry[at] = queue->entry[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    queue->entry[at] = fresh;
}

int64_t sim_queue_next_ns(const struct sim_queue *queue)
{
    return queue->count == 0 ? INT64_MAX : queue->entry[0].due_ns;
}

void *sim_queue_pop(struct sim_queue *queue, int64_t now_ns)
{
    if (queue->count == 0 || queue->entry[0].due_ns > now_ns) {
        return NULL;
    }
    void *item = queue->entry[0].item;
    struct sim_queue_entry last = queue->entry[--queue->count];
    size_t at = 0;

    for (;;) {
        size_t child = at * 2 + 1;
        if (child >= queue->count) {
            break;
        }
        if (child + 1 < queue->count && before(&queue->entry[child + 1], &queue->entry[child])) {
            child++;
        }
        if (!before(&queue->entry[child], &last)) {
            break;
        }
        queue->entry[at] = queue->entry[child];
        at = child;
    }
    if (queue->count > 0) {
        queue->entry[at] = last;
    }
    return item;
}
