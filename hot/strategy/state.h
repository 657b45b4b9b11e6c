/* state: the whole of a strategy in one structure, and the words its parts share.
 *
 * Only the sources of hot/strategy/ include this.  Everything is a function of the records consumed: no
 * clock, no pointer that decides anything, no byte that was not written.  Strategy core. */
#ifndef POISE_HOT_STRATEGY_STATE_H
#define POISE_HOT_STRATEGY_STATE_H

#include "hot/strategy/book.h"
#include "hot/strategy/convert.h"
#include "hot/strategy/exposure.h"
#include "hot/strategy/instance.h"
#include "hot/strategy/order.h"
#include "hot/strategy/seen.h"
#include "hot/strategy/strategy.h"

/* Timers.  order.deadline_ns: an answer, or the next query.  hedge.retry_ns, hedge.rung_deadline_ns,
 * quote.again_ns, flatten_retry_ns: of an instance.  status_ns: the next status.  open_ns: the next look at
 * executions without a price.  All of them lower next_ns through state_due. */
#define REQUEST_TIMEOUT_NS 5000000000ULL /* a quote's request; the gateway says UNKNOWN long before */
#define QUERY_TIMEOUT_NS   2000000000ULL
#define CANCEL_RETRY_NS    50000000ULL
#define CANCEL_DOUBLINGS   4 /* a cancel that is refused again waits twice as long, up to 0.8 s */
#define HEDGE_BACKOFF_NS   2000000ULL /* after an IOC that met nothing; doubles to .. */
#define HEDGE_BACKOFF_MAX  256000000ULL
#define STATUS_INTERVAL_NS 100000000ULL
#define PRICE_OPEN_NS      1000000000ULL /* an execution without a price for this long is told */
#define REFUSAL_EVENT_NS   1000000000ULL /* one event a kind of refusal in this time */
#define UNKNOWN_HALT_NS    1000000000ULL /* an order counts against max_unknown after this long */
#define IDS_FOR_HEDGES     512           /* quotes stop when fewer ids are left */
#define IDS_LOW            4096          /* below: EVENT_COUNTER_LOW */
#define FEES_SEEN          256

struct fee_row {
    int64_t maker_centibp, taker_centibp;
    bool known;
};

struct payment_seen {
    uint16_t account, currency, instrument;
    uint8_t reason, told;
    uint32_t row; /* of the venue's payment history; 0 a stream's word */
    int64_t change_e8, venue_time_ns;
};

struct strategy {
    uint64_t now_ns;     /* strategy time: the largest stamp seen */
    uint64_t trigger_ns; /* stamp of the record being consumed */
    int64_t wall_ns;
    uint64_t clock_ns; /* of the last CLOCK record */
    uint64_t next_ns;  /* the earliest deadline */
    uint64_t order_due_ns;
    uint64_t status_ns;
    uint64_t open_ns;
    struct outbox *outbox; /* during a step */

    bool begun, restored, has_risk;
    bool halted, stopping, stopped;
    uint8_t halt;        /* enum halt_reason */
    bool cancel_all;     /* after this record */
    bool books_differ;   /* cold says: no new risk */
    uint64_t pull_slots; /* instances to settle after this record */
    uint64_t
        rest_slots; /* instances whose hedges were looked at, and whose quotes wait for strategy_finish */
    uint16_t engine, mode;
    uint64_t run, tie;

    uint64_t id_next, id_end;   /* the block in use */
    uint64_t id_next2, id_end2; /* the one after it */
    bool ids_told;

    /* counters */
    uint64_t records, decisions, fills, duplicate_fills, hedges, requotes, refused, malformed;
    uint64_t unknown_reports, conservation_checks;
    uint64_t refusals[RISK_REFUSAL_COUNT];
    uint64_t refusal_told_ns[RISK_REFUSAL_COUNT];

    struct risk_params risk;
    int64_t tokens_e9; /* order rate: 1e-9 order */
    uint64_t tokens_ns;

    uint32_t instance_count;
    uint64_t users[INSTRUMENT_MAX];           /* bit per instance slot that needs this instrument */
    uint16_t slot_of[ORDER_INSTANCE_MAX + 1]; /* by instance number; ORDER_LISTS none */
    uint8_t gateway[ACCOUNT_MAX];             /* enum gateway_state */
    uint64_t ready_ns[ACCOUNT_MAX];           /* the stamp with which its session came up last */
    uint64_t unread;                          /* bit per account: its session was down, and nobody said since
                                               * that what happened meanwhile was read */
    uint64_t account_known;                   /* bit per account */
    struct account account[ACCOUNT_MAX];
    struct instrument instrument[INSTRUMENT_MAX];
    struct kind_scale scale[INSTRUMENT_MAX]; /* of the row above */
    struct fee_row fee[ACCOUNT_MAX][INSTRUMENT_MAX];
    struct payment_seen payment[FEES_SEEN];
    uint32_t payment_next;
    uint32_t open_count; /* orders with open_qty */
    uint64_t leave_ns;   /* stopping: open prices are waited for until then; 0 not waiting */

    struct convert_table convert;
    struct instance instance[PARAMS_INSTANCE_MAX];
    struct book book[INSTRUMENT_MAX];
    struct exposure exposure;
    struct order_table orders;
    struct seen seen;
};

static inline void state_due(struct strategy *s, uint64_t at_ns)
{
    if (at_ns < s->next_ns) {
        s->next_ns = at_ns;
    }
}

static inline bool state_instrument_known(const struct strategy *s, uint16_t instrument)
{
    return instrument < INSTRUMENT_MAX && s->instrument[instrument].kind != KIND_NONE;
}

static inline bool state_account_known(const struct strategy *s, uint16_t account)
{
    return account < ACCOUNT_MAX && (s->account_known >> account & 1);
}

static inline bool state_gateway_up(const struct strategy *s, uint16_t account)
{
    return s->gateway[account] == GATEWAY_READY || s->gateway[account] == GATEWAY_DEGRADED;
}

/* Whether everything that happened on an account is known, but for what is on its way. */
static inline bool state_account_read(const struct strategy *s, uint16_t account)
{
    return s->gateway[account] == GATEWAY_READY && !(s->unread >> account & 1);
}

/* state_money saturates rather than wraps: for figures that people read, never for an order's size. */
static inline int64_t state_money(int128 amount)
{
    return amount > EXPOSURE_MONEY_MAX    ? EXPOSURE_MONEY_MAX
           : amount < -EXPOSURE_MONEY_MAX ? -EXPOSURE_MONEY_MAX
                                          : (int64_t)amount;
}

/* state_event says something to people and the store. */
void state_event(struct strategy *s, enum event_code code, uint16_t instance, uint16_t severity,
                 int64_t value_0, int64_t value_1, int64_t value_2, int64_t value_3);

/* state_halt halts everything (slot EXPOSURE_UNASSIGNED) or one instance: no new risk, quotes cancelled,
 * hedges that reduce go on. */
void state_halt(struct strategy *s, uint32_t slot, enum halt_reason reason);

/* state_wake marks every instance that uses an instrument for a fresh decision and takes it. */
void state_wake(struct strategy *s, uint64_t slots);

/* state_answer is state_wake for what a report moved: hedges at once, quotes when the step is finished. */
void state_answer(struct strategy *s, uint64_t slots);

/* state_settle runs what follows for one instance: hedge, ladder, quotes, quiet. */
void state_settle(struct strategy *s, struct instance *instance);

#endif
