/* loop: a hot thread: the roles that the core map puts on one processor, taken in turn for ever.
 *
 * Each turn reads the clock once (wall time is counted on from a reading a millisecond old at most), lets the
 * net move bytes, then polls feeds, the strategy and the gateways. A role does a bounded amount of work and
 * returns; none is entered from inside another's step. */
#ifndef POISE_HOT_CORE_LOOP_H
#define POISE_HOT_CORE_LOOP_H

#include "hot/core/strategy_role.h"
#include "hot/feed/feed.h"
#include "hot/gateway/gateway.h"
#include <pthread.h>

#define LOOP_LOOK_NS 10000ULL

/* What other threads send to the roles of one loop: all of the topology's channels, at most. */
#define LOOP_RINGS_MAX (TOPOLOGY_FEEDS_MAX + 2 * TOPOLOGY_GATEWAYS_MAX + 1)

struct loop {
    char name[16];
    int32_t core; /* negative: floats */
    bool yield;   /* give the processor away after an idle turn: shared machines and tests */
    struct topology *topology;
    struct net *net; /* NULL: no sockets here */
    uint32_t feed_count, gateway_count;
    struct feed *feed[TOPOLOGY_FEEDS_MAX];
    struct strategy_role *strategy; /* NULL: not here */
    struct gateway *gateway[TOPOLOGY_GATEWAYS_MAX];
    counter *turns, *busy, *busy_ns, *age_ns; /* busy_ns: time spent in turns that did something */
    uint64_t look_ns;                         /* turns before it may be quiet; 0: the next may not */
    uint32_t ring_count;
    struct spsc *ring[LOOP_RINGS_MAX]; /* what loop_watch found */
    uint64_t wall_read_ns;             /* when wall time was read last */
    int64_t wall_offset_ns;
    pthread_t thread;
    bool watched; /* loop_watch was called */
    bool running;
};

/* loop_watch finds the rings that a quiet turn looks at; once, when the loop's roles and its topology are in
 * place.  Without it no turn is quiet. */
void loop_watch(struct loop *loop);

/* loop_start makes the thread: pins it when it can (a refusal is a warning the caller prints: false in
 * *pinned), blocks signals on it and enters the loop.  False with errno when there is no thread. */
bool loop_start(struct loop *loop, bool *pinned);

/* loop_step is what the thread does again and again: it reads the clock, takes a turn and counts it.  For
 * benches that turn the loop themselves. */
uint32_t loop_step(struct loop *loop);

/* loop_turn is one turn, for tests and benches that drive the roles themselves; answers the work done. */
uint32_t loop_turn(struct loop *loop, uint64_t now_ns, int64_t wall_ns);

/* loop_join waits for the thread, which leaves when topology->leave is set. */
void loop_join(struct loop *loop);

#endif
