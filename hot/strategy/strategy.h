/* strategy: state x record -> state, records.
 *
 * The whole of the decision side as one pure function: it makes no system call, reads no clock, allocates
 * nothing and knows no thread.  It is built only by consuming records (RECORD_BEGIN .. RECORD_RESTORE_DONE),
 * so a journal replayed through the same build gives the same output bytes.  The strategy role
 * (hot/core/) hands it records in a fixed order of sources, journals what went in and what comes out, and
 * passes orders to gateways only after that. */
#ifndef POISE_HOT_STRATEGY_STRATEGY_H
#define POISE_HOT_STRATEGY_STRATEGY_H

#include "config/params.h"
#include "ring/account.h"
#include "ring/instrument.h"
#include "ring/record.h"

/* What one step may say.  Bounded: a step that needs more rooms asserts, so it is sized for the worst case
 * (cancel of every order of every instance). */
#define OUTBOX_SLOTS 8192

struct outbox {
    uint32_t used; /* slots */
    uint32_t records;
    struct slot slots[OUTBOX_SLOTS];
};

static inline struct slot *outbox_add(struct outbox *outbox, enum record_type type, uint8_t slot_count,
                                      uint64_t stamp_ns)
{
    POISE_ASSERT(outbox->used + slot_count <= OUTBOX_SLOTS);
    struct slot *record = &outbox->slots[outbox->used];
    record_begin(record, type, slot_count, stamp_ns);
    outbox->used += slot_count;
    outbox->records++;
    return record;
}

struct strategy;

/* strategy_bytes is the memory a strategy takes (fixed sizes: tables for INSTRUMENT_MAX instruments,
 * PARAMS_INSTANCE_MAX instances and 4,096 orders). */
size_t strategy_bytes(void);

/* strategy_init makes an empty strategy there: it knows nothing and decides nothing until
 * RECORD_RESTORE_DONE. */
struct strategy *strategy_init(void *memory);

/* strategy_step consumes one record and appends what follows from it to the outbox (which the caller
 * empties).  Any record type is safe in any order; what makes no sense is counted and answered by an event,
 * never by a crash.  Strategy time is max(previous, head.stamp_ns). */
void strategy_step(struct strategy *strategy, const struct slot *record, struct outbox *outbox);

/* strategy_begin is the part of a step that may not wait: of a report, what it does to orders and positions,
 * and the hedges that answer it.  True when a rest (the quotes) is left to strategy_finish, which must come
 * before any other record; a step is both, and says the same in the same order.  A halt leaves no rest. */
bool strategy_begin(struct strategy *strategy, const struct slot *record, struct outbox *outbox);
void strategy_finish(struct strategy *strategy, struct outbox *outbox);

/* strategy_next_ns is the earliest deadline: the loop injects a CLOCK record when it has passed. */
uint64_t strategy_next_ns(const struct strategy *strategy);

/* strategy_state_write emits RESTORE records that rebuild positions, live and unknown orders, cash, seen
 * executions and counters: for segment heads and for tests.  write is called once a record. */
void strategy_state_write(const struct strategy *strategy,
                          void (*write)(void *context, const struct slot *record), void *context);

/* For people and tests; not part of the state. */
struct strategy_view {
    uint64_t records, decisions, fills, duplicate_fills, hedges, requotes, refused;
    uint32_t live_orders, unknown_orders, open_requests;
    int64_t delta_e8;               /* sum of instances, coin */
    int64_t max_naked_ns;           /* since start */
    bool halted, stopping, stopped; /* stopped: nothing rests, no hedge is due */
    uint64_t now_ns;
};
void strategy_view(const struct strategy *strategy, struct strategy_view *view);

#endif
