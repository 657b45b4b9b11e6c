/* strategy_role: the strategy on its thread.
 *
 * It polls its sources in a fixed order (reports, control, cells, feeds, clock), journals each record before
 * the strategy consumes it and each answer before a gateway can see it, and passes orders on.  It makes no
 * system call: the loop brings the time.  Before RECORD_RESTORE_DONE only control is read, so that what
 * gateways already report waits in its ring. */
#ifndef POISE_HOT_CORE_STRATEGY_ROLE_H
#define POISE_HOT_CORE_STRATEGY_ROLE_H

#include "hot/strategy/strategy.h"
#include "ring/counters.h"
#include "ring/topology.h"

struct strategy_role {
    struct strategy *strategy;
    struct outbox *outbox;
    struct topology *topology;
    struct spsc *journal; /* the shared mapping's ring, or NULL: nothing is journaled (benches, tests) */
    uint64_t clock_tick_ns;

    uint64_t last_clock_ns;
    uint64_t last_now_ns; /* strategy time never goes back */
    uint32_t urgent;      /* account of the first order passed on last: hedges are said before quotes */
    uint32_t held;        /* first outbox slot not yet passed on; used when an order ring was full */
    bool restored;
    bool sent;        /* an order was passed on in this step */
    bool rest;        /* the last record's quotes have not been looked at */
    uint32_t rushes;  /* turns in a row that ended before they were */
    bool failed;      /* the journal's reserve is full: no more steps */
    uint64_t skipped; /* feed turns not taken because the journal was three quarters full */
    uint64_t skipped_since_ns;
    uint32_t untimed; /* records until the next whose step is timed */

    counter *records, *orders, *busy, *turns, *hold_count, *skip_count, *journal_free;
    struct histogram *step_ns; /* of one record in seven, if it made the strategy speak */
};

/* strategy_role_init wires a role; memory and counters are the caller's. */
void strategy_role_init(struct strategy_role *role, struct strategy *strategy, struct outbox *outbox,
                        struct topology *topology, struct spsc *journal, uint64_t clock_tick_ns,
                        struct counters *counters, uint32_t writer);

/* strategy_role_poll takes one bounded turn; answers how many records it consumed. */
uint32_t strategy_role_poll(struct strategy_role *role, uint64_t now_ns, int64_t wall_ns);

/* strategy_role_due_ns is when the clock asks for a turn, whatever else comes before. */
static inline uint64_t strategy_role_due_ns(const struct strategy_role *role)
{
    uint64_t tick_ns = role->last_clock_ns + role->clock_tick_ns;
    uint64_t next_ns = strategy_next_ns(role->strategy);
    return tick_ns < next_ns ? tick_ns : next_ns;
}

#endif
