/* reduce: what the engine holds, told from its records alone.
 *
 * A second reading of the journal that shares no code with the strategy: orders, positions, cash, seen
 * executions and counters follow from the records consumed and emitted, in order.  The cold thread keeps one
 * running over the drained journal (for segment heads and reconciliation); recovery builds one from the
 * newest segment and the ring, and the RESTORE records that a new strategy is built from come out of it.
 *
 * Words.  Filled: the sum of an order's executions, each counted once.  Told: the cumulative quantity the
 * venue last named.  Owed: an order that ended with more told than filled: the position is short of fills
 * that only REST can bring.  Unknown: a request went out and its outcome was not told.
 *
 * Rules.  An execution counts once per (account, instrument, side, execution id), because a trade with
 * ourselves has one id for both ends; a second report of it only adds
 * what the first left open (fee, price).  An order ends with a terminal report that carries the final
 * cumulative quantity, nothing else.  NOT_FOUND makes an order unknown; only REDUCE_GONE_MISSES of them, the
 * last by REST, REDUCE_GONE_GRACE_NS after it was sent and with never a sign of life end it as never
 * executed.  Positions move by executions alone, never by what the venue says a position is: that is kept
 * beside.  A fill of no order of ours moves the unassigned row (NO_INSTANCE).
 *
 * Cash is kept per account, instance, currency and part: realised profit and what spot paid or received under
 * PNL_TRADING, fees under PNL_FEE, funding under PNL_FUNDING; finer parts need decision prices and are the
 * strategy's and the ledger's.
 *
 * One thread; allocates at creation and for the head's records only. */
#ifndef POISE_COLD_REDUCE_H
#define POISE_COLD_REDUCE_H

#include "config/params.h"
#include "ring/account.h"
#include "ring/instrument.h"
#include "ring/kind.h"
#include "ring/record.h"

#define REDUCE_ORDERS_MAX    65536 /* ended ones are forgotten oldest first */
#define REDUCE_EXECS_MAX     65536 /* executions remembered */
#define REDUCE_POSITIONS_MAX 1024
#define REDUCE_CASH_MAX      2048
#define REDUCE_RESTORE_EXECS 4096 /* of which so many travel in RESTORE records */
#define REDUCE_GONE_MISSES   4
#define REDUCE_GONE_GRACE_NS 5000000000ULL
#define REDUCE_OVERLAP       64 /* fills are paged from the so manieth newest on: the last may have overtaken */

/* True in each state:
 *   SENT     the new-order request is journaled, nothing was heard of it
 *   LIVE     the venue took it and nothing contradicts that it rests
 *   UNKNOWN  a request's outcome is not known, or the venue says it does not know the id
 *   OWED     ended; the venue told a larger quantity than the executions seen
 *   DONE     ended; every execution is counted */
enum reduce_state {
    REDUCE_NONE = 0,
    REDUCE_SENT,
    REDUCE_LIVE,
    REDUCE_UNKNOWN,
    REDUCE_OWED,
    REDUCE_DONE,
    REDUCE_STATE_COUNT
};

enum reduce_event {
    REDUCE_ACKED = 0,  /* the venue took the new order, or tells it rests */
    REDUCE_REFUSED,    /* the new order was refused with a known code: it never was */
    REDUCE_DOUBT,      /* UNKNOWN, NOT_FOUND, a duplicate id */
    REDUCE_FILLED,     /* an execution that does not end it */
    REDUCE_ENDED,      /* terminal, all executions counted */
    REDUCE_ENDED_OWED, /* terminal, executions missing */
    REDUCE_EVENT_COUNT
};

/* reduce_order_next is the table (reduce_table.c): the state after the event, REDUCE_NONE for a cell that
 * cannot happen. */
uint8_t reduce_order_next(enum reduce_state state, enum reduce_event event);

struct reduce_order {
    uint64_t order;
    uint64_t sent_ns;        /* stamp of ORDER_NEW; 0 unknown */
    int64_t sent_wall_ns;    /* wall time then, from the CLOCK before it; 0 unknown */
    int64_t price, qty;      /* as the venue has it, or as sent while nothing was heard */
    int64_t reference_price; /* of the decision, as sent */
    int64_t filled;
    int64_t told; /* -1 never told */
    uint16_t instrument, account, instance;
    uint8_t leg, role, level;
    uint8_t side, tif, flags;
    uint8_t state;   /* enum reduce_state */
    uint8_t status;  /* enum order_status last heard; ORDER_STATUS_NONE none */
    uint8_t pending; /* bit per enum request_kind: sent and not answered */
    uint8_t acked;   /* the venue once knew it */
    uint8_t misses;  /* NOT_FOUND answers */
    bool stranger;   /* found at the venue while trading: filled is its word, see hot/strategy/order.h */
    char venue_order_id[VENUE_ORDER_ID_BYTES];
    uint32_t next_by_order, next_by_venue; /* chains */
};

/* One row an (instance, instrument, account); leg is what its first order or RESTORE said. */
struct reduce_position {
    uint16_t instance, leg, instrument, account;
    struct position position;
};

struct reduce_cash {
    uint16_t account, instance, currency;
    uint8_t part; /* enum pnl_part */
    int64_t amount_e8;
};

/* The venue's opinion, newest. */
struct reduce_venue_position {
    uint16_t account, instrument;
    struct record_position last;
};
struct reduce_venue_balance {
    uint16_t account, currency;
    struct record_balance last;
};

/* Whether an instrument is traded, as the strategy was last told. */
struct reduce_traded {
    uint8_t status;   /* enum instrument_status */
    bool locked;      /* by a lock above the instrument, which its own row does not show */
    uint64_t told_ns; /* when the stream last said so; 0 never: the metadata did */
};

struct reduce;

struct reduce *reduce_create(void);
void reduce_destroy(struct reduce *reduce);

/* reduce_record consumes one record (RECORD_FLAG_OUT tells the direction).  Any record in any order is safe;
 * RECORD_BEGIN empties everything first. */
void reduce_record(struct reduce *reduce, const struct slot *record);

typedef void (*reduce_emit)(void *context, const struct slot *record);

/* reduce_head emits RECORD_BEGIN (as the run began, with this segment number), the texts and the tables. */
void reduce_head(const struct reduce *reduce, uint32_t segment, reduce_emit emit, void *context);

/* reduce_restore emits RESTORE_LEDGER (ledger_restore), RESTORE_PNL, RESTORE_POSITION, _ORDER (live, sent,
 * unknown and owed: all but the live ones with status ORDER_STATUS_NONE, which says "query it"), _EXEC,
 * _COUNTER and _CASH; not RESTORE_DONE.
 *
 * RESTORE_ORDER: order, order_qty, order_price and price, side, cum_qty (filled) with REPORT_HAS_CUM,
 * realised_e8 the quantity last told (-1 never), fee_e8 the decision's price, request the kind in doubt,
 * venue_order_id when known; spare32 = level | leg << 8 | role << 16 | tif << 24 and spare64 = ORDER_FLAG_* |
 * instance << 8. RESTORE_EXEC: spare32 is 1 when its fee was never told. */
void reduce_restore(const struct reduce *reduce, reduce_emit emit, void *context);

/* reduce_opinion emits the venue's newest positions and balances and the newest CLOCK. */
void reduce_opinion(const struct reduce *reduce, reduce_emit emit, void *context);

/* ------------------------------------------------------------------ questions */

const struct instrument_table *reduce_instruments(const struct reduce *reduce);
const struct reduce_traded *reduce_traded(const struct reduce *reduce, uint16_t instrument);
const struct account_table *reduce_accounts(const struct reduce *reduce);
const struct record_begin_run *reduce_begin(const struct reduce *reduce); /* NULL: no run seen */

/* reduce_ledger is the ledger that reads along: its books are of the last record consumed. */
struct ledger;
struct ledger *reduce_ledger(const struct reduce *reduce);

/* reduce_restored: the run got as far as RESTORE_DONE.  What is held before that is half a state: the run
 * before it is the one to believe. */
bool reduce_restored(const struct reduce *reduce);

/* reduce_params answers an instance's parameters, or NULL; reduce_params_count how many rows there are,
 * reduce_params_at the i-th. */
const struct quote_params *reduce_params(const struct reduce *reduce, uint16_t instance);
uint32_t reduce_params_count(const struct reduce *reduce);
const struct quote_params *reduce_params_at(const struct reduce *reduce, uint32_t i);

const struct reduce_order *reduce_order(const struct reduce *reduce, uint64_t order);
const struct reduce_order *reduce_order_by_venue(const struct reduce *reduce, uint16_t account,
                                                 uint16_t instrument, const char *venue_order_id);

/* reduce_orders visits every order that has not ended (SENT, LIVE, UNKNOWN, OWED), oldest first. */
void reduce_orders(const struct reduce *reduce,
                   void (*visit)(void *context, const struct reduce_order *order), void *context);

uint32_t reduce_position_count(const struct reduce *reduce);
const struct reduce_position *reduce_position_at(const struct reduce *reduce, uint32_t i);
/* reduce_position_any: somebody, or the unassigned row, holds some of it. */
bool reduce_position_any(const struct reduce *reduce, uint16_t account, uint16_t instrument);
int64_t reduce_position_sum(const struct reduce *reduce, uint16_t account, uint16_t instrument);
uint32_t reduce_cash_count(const struct reduce *reduce);
const struct reduce_cash *reduce_cash_at(const struct reduce *reduce, uint32_t i);
const struct reduce_venue_position *reduce_venue_position(const struct reduce *reduce, uint16_t account,
                                                          uint16_t instrument);
const struct reduce_venue_balance *reduce_venue_balance(const struct reduce *reduce, uint16_t account,
                                                        uint16_t currency);

bool reduce_seen(const struct reduce *reduce, uint16_t account, uint16_t instrument, uint8_t side,
                 uint64_t exec_id);

/* reduce_seen_order: under which order it was counted; 0 nobody's, or never seen.  Orders that ended are not
 * kept, their executions are. */
uint64_t reduce_seen_order(const struct reduce *reduce, uint16_t account, uint16_t instrument, uint8_t side,
                           uint64_t exec_id);

/* reduce_seen_whole: and nothing of it was left open (fee, price). */
bool reduce_seen_whole(const struct reduce *reduce, uint16_t account, uint16_t instrument, uint8_t side,
                       uint64_t exec_id);

/* reduce_owed_since_ns is when the oldest order of an account and instrument was sent (wall time) that ended
 * with executions missing, 0 when none did: newer ones may have come since, so that paging by id does not
 * reach them. An order of unknown age counts as old as the run. */
int64_t reduce_owed_since_ns(const struct reduce *reduce, uint16_t account, uint16_t instrument);

/* reduce_fill_from is the execution id to page fills from (inclusive): the REDUCE_OVERLAP-th newest seen of
 * that account and instrument, in ascending order; 0 when none was ever seen. */
uint64_t reduce_fill_from(const struct reduce *reduce, uint16_t account, uint16_t instrument);

/* reduce_instance_of tells whose order it is: instance and leg by the order's own record, else by the id and
 * the instance's parameters; NO_INSTANCE when the id names no instance that trades this instrument. */
uint16_t reduce_instance_of(const struct reduce *reduce, uint64_t order, uint16_t instrument,
                            uint16_t account, uint8_t *leg);

uint64_t
reduce_counter(const struct reduce *reduce); /* one past the highest order counter used or reserved */
uint64_t reduce_stamp_ns(const struct reduce *reduce); /* newest stamp */
int64_t reduce_wall_ns(const struct reduce *reduce);   /* newest wall time told by a CLOCK or BEGIN; 0 none */

struct reduce_counts {
    uint64_t records, orders, fills, duplicate_fills, foreign_fills, refused_steps, lost;
    uint32_t sent, live, unknown, owed;
};
void reduce_counts(const struct reduce *reduce, struct reduce_counts *counts);

#endif
