/* order: every order of ours that the venue may still know, in fixed memory.
 *
 * A row is found by our order id (open addressing) and moved only by order_step over the table in order.c.
 * What the states promise:
 *
 *   FREE       the row holds nothing
 *   SENT       the order left us and nothing was heard: it may rest, be filled, or not exist
 *   OPEN       the venue told that it has it, and no request of ours is in flight
 *   AMENDING   as OPEN, with an amend in flight: price and size are the old or the wanted ones
 *   CANCELLING a cancel is in flight or was acknowledged; the final quantity was not told
 *   UNKNOWN    what became of it cannot be told; it is queried by id and never sent again
 *   QUERIED    as UNKNOWN, with a query in flight
 *   DONE       the venue told a terminal state and the final cumulative quantity; the row stays for late
 *              executions until its place is needed
 *
 * Live means SENT .. QUERIED.  An order leaves the live set by an event that carries both a terminal state
 * and the final quantity from the venue, or by a refusal that is certain not to have been executed.  An
 * acknowledged cancel proves neither.
 *
 * Quantity.  `filled` is what counts in the position: executions that were told one by one, and `open_qty`,
 * the part that only a cumulative quantity proves so far, counted at open_price until its execution is told
 * (by stream or REST) and corrects the price without moving the position again.
 *
 * A stranger (an open order of ours that no row knows: its record was lost, or an old answer shows one that
 * ended in an earlier run) may have been counted already, so for it a cumulative quantity counts nothing and
 * `filled` is only the venue's word; its executions count one by one, by their ids, as anybody's do.
 *
 * NOT_FOUND is proof of nothing: a venue may answer it for a few hundred milliseconds after it took an
 * order.  An order counts as never executed only when all of this holds: no acknowledgement and no
 * execution ever; ORDER_GONE_MISSES such answers; ORDER_GONE_GRACE_NS since it was sent; and the deciding
 * answer was read by REST (RECORD_FLAG_REST), which cold does after it looked at open orders and fills.
 *
 * Strategy core. */
#ifndef POISE_HOT_STRATEGY_ORDER_H
#define POISE_HOT_STRATEGY_ORDER_H

#include "ring/account.h"
#include "ring/instrument.h"
#include "ring/order_id.h"
#include "ring/record.h"

#define ORDER_MAX        4096
#define ORDER_LIVE_MAX   1536 /* so that a cancel and a query for each fit the outbox */
#define ORDER_INDEX_SIZE (ORDER_MAX * 2)
#define ORDER_NONE       UINT16_MAX
#define ORDER_LISTS      64 /* instances */

#define ORDER_GONE_MISSES    4
#define ORDER_GONE_GRACE_NS  5000000000ULL
#define ORDER_QUERY_FIRST_NS 100000000ULL   /* between queries: doubles from here .. */
#define ORDER_QUERY_LAST_NS  10000000000ULL /* .. to here */

enum order_state {
    ORDER_FREE = 0,
    ORDER_SENT,
    ORDER_OPEN,
    ORDER_AMENDING,
    ORDER_CANCELLING,
    ORDER_UNKNOWN,
    ORDER_QUERIED,
    ORDER_DONE,
    ORDER_STATE_COUNT
};

enum order_event {
    ORDER_EVENT_SEND = 0,    /* ours: a new order goes out */
    ORDER_EVENT_RESTORE,     /* it was live in the journal */
    ORDER_EVENT_ACK,         /* the venue took it */
    ORDER_EVENT_REJECT,      /* the new order was refused, certainly not executed */
    ORDER_EVENT_REFUSED,     /* an amend or cancel was refused; the order lives on */
    ORDER_EVENT_FILL,        /* an execution; more may come */
    ORDER_EVENT_FILLED,      /* nothing is left to execute */
    ORDER_EVENT_AMEND,       /* ours: an amend goes out */
    ORDER_EVENT_AMENDED,     /* it has the wanted price and size */
    ORDER_EVENT_CANCEL,      /* ours: a cancel goes out */
    ORDER_EVENT_CANCEL_ACK,  /* the venue took the cancel */
    ORDER_EVENT_CANCELLED,   /* terminal with final quantity */
    ORDER_EVENT_EXPIRED,     /* terminal with final quantity */
    ORDER_EVENT_TIMEOUT,     /* no answer in time */
    ORDER_EVENT_DOUBT,       /* the outcome of a request cannot be told, or reports contradict each other */
    ORDER_EVENT_LINK_LOST,   /* reports may have been missed */
    ORDER_EVENT_QUERY,       /* ours: a query goes out */
    ORDER_EVENT_STATE_OPEN,  /* the query's answer: it lives */
    ORDER_EVENT_STATE_FINAL, /* the query's answer: terminal with final quantity */
    ORDER_EVENT_NOT_FOUND,   /* the query's answer: the venue does not know it */
    ORDER_EVENT_GONE,        /* the rule above holds */
    ORDER_EVENT_FORGET,      /* ours: the row is given back */
    ORDER_EVENT_COUNT
};

/* What an order is for, as its id tells: two bits of leg, two of this. */
enum order_class { ORDER_CLASS_QUOTE = 0, ORDER_CLASS_HEDGE, ORDER_CLASS_FLATTEN, ORDER_CLASS_OTHER };

struct order {
    uint64_t id;
    uint64_t tie;                 /* of the newest request */
    int64_t price;                /* as the venue has it, or as sent */
    int64_t qty;                  /* whole size, likewise */
    int64_t want_price, want_qty; /* AMENDING: what was asked; else the same */
    int64_t filled;
    int64_t open_qty;   /* of filled: proved by a cumulative quantity only */
    int64_t open_named; /* of open_qty: its execution id is known, its price is not */
    int64_t open_price; /* price that open_qty was counted at */
    uint64_t open_since_ns;
    int64_t reference_price; /* decision price */
    uint64_t sent_ns;
    uint64_t changed_ns;  /* the newest new, amend or cancel */
    uint64_t deadline_ns; /* when silence becomes TIMEOUT, or when to query again; 0 none */
    uint64_t fill_ns;     /* hedge: the oldest fill it answers */
    uint64_t retry_ns;    /* after a refused cancel: not before this */
    int64_t told_ns;      /* the venue's own time of what price and qty were last told by; 0 not told */
    uint32_t queries, misses;
    uint16_t amends;
    uint8_t refusals; /* cancels refused in a row */
    uint8_t spare8;
    uint16_t instrument, account;
    uint16_t slot; /* the instance's place, 0..63; ORDER_LISTS when no instance of ours */
    uint16_t instance;
    uint16_t next[2], prev[2]; /* lists: [0] of the instance, [1] of the instrument */
    uint8_t state;             /* enum order_state; order_step writes it, nobody else */
    uint8_t side, tif, flags, role, leg, level;
    uint8_t acked;      /* the venue told at least once that it has it */
    uint8_t by_link;    /* in doubt only because a link was lost or we restarted */
    uint8_t no_amend;   /* an amend was refused: cancel and send anew */
    uint8_t price_told; /* a price-open alarm went out */
    uint8_t stranger;   /* found at the venue, without a history here: see below */
};

struct order_table {
    uint32_t live, done, free_count;
    uint32_t refused; /* events without a cell */
    uint8_t refused_state, refused_event;
    uint16_t free_head;
    uint16_t done_head, done_tail; /* oldest first */
    uint16_t unknown[INSTRUMENT_MAX];
    uint16_t live_of_account[ACCOUNT_MAX];
    uint32_t unknown_count;
    uint16_t head[2][INSTRUMENT_MAX]; /* [0] by instance slot, [1] by instrument */
    uint16_t index[ORDER_INDEX_SIZE]; /* row + 1, 0 free */
    struct order row[ORDER_MAX];
};

void order_table_init(struct order_table *table);

/* order_find answers the row of an id, or NULL. */
struct order *order_find(struct order_table *table, uint64_t id);
const struct order *order_find_const(const struct order_table *table, uint64_t id);

/* order_take answers a FREE row with this id entered and everything else zero, or NULL when ORDER_LIVE_MAX
 * orders are live or the id stands there already.  The caller fills it and steps it with SEND or RESTORE in
 * the same breath.  Gives back the oldest DONE row when it must; one whose price is open only when there is
 * no other. */
struct order *order_take(struct order_table *table, uint64_t id);

/* order_step moves the row; false (and counted) for an empty cell.  It keeps the lists and counts. */
bool order_step(struct order_table *table, struct order *order, enum order_event event);

/* order_check asserts what the state promises. */
void order_check(const struct order_table *table, const struct order *order);

/* order_next answers the state of a cell; 0xff for an empty one. */
uint8_t order_next(enum order_state state, enum order_event event);

static inline bool order_is_live(const struct order *order)
{
    return order->state >= ORDER_SENT && order->state <= ORDER_QUERIED;
}

static inline bool order_in_doubt(const struct order *order)
{
    return order->state == ORDER_UNKNOWN || order->state == ORDER_QUERIED;
}

/* order_left is the most that may still be executed. */
static inline int64_t order_left(const struct order *order)
{
    int64_t size = base_max(order->qty, order->want_qty);
    return order_is_live(order) && size > order->filled ? size - order->filled : 0;
}

/* order_first and order_after walk the live orders of an instance slot (list 0) or an instrument (list 1). */
static inline struct order *order_first(struct order_table *table, int list, uint16_t of)
{
    uint16_t at = table->head[list][of];
    return at == ORDER_NONE ? NULL : &table->row[at];
}

static inline struct order *order_after(struct order_table *table, int list, const struct order *order)
{
    uint16_t at = order->next[list];
    return at == ORDER_NONE ? NULL : &table->row[at];
}

extern const char *const order_state_names[ORDER_STATE_COUNT];
extern const char *const order_event_names[ORDER_EVENT_COUNT];

#endif
