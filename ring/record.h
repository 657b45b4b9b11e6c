/* record: what threads say to each other, and what the journal keeps.
 *
 * A record is 1 to 16 consecutive slots.  A slot is 64 bytes: 56 of payload and one word that belongs to
 * whatever carries it (the ring's sequence, the journal's check).  The structures below lay the payload of
 * all slots of a record over the slots in place: the fields named ring_word_* are the carriers' words and
 * mean nothing to a reader.  Integers only; no pointer, no offset; every byte of a payload is defined (a
 * writer begins with record_begin, which zeroes), because replay compares bytes.
 *
 * Words: "order" is our own 64-bit order id (see ring/order_id.h); price and qty are in the instrument's
 * units; money is in 1e-8 of its currency; stamp_ns is the strategy's monotonic time.  */
#ifndef POISE_RING_RECORD_H
#define POISE_RING_RECORD_H

#include "ring/base.h"
#include <string.h>

#define SLOT_BYTES         64
#define SLOT_PAYLOAD_BYTES 56
#define RECORD_SLOTS_MAX   16

#define NO_INSTRUMENT UINT16_MAX
#define NO_ACCOUNT    UINT16_MAX
#define NO_INSTANCE   UINT16_MAX

struct slot {
    unsigned char payload[SLOT_PAYLOAD_BYTES];
    uint64_t ring_word; /* the carrier's: sequence in a ring, check word in a segment, 0 in a queue */
} __attribute__((aligned(SLOT_BYTES)));
_Static_assert(sizeof(struct slot) == SLOT_BYTES, "a slot is one cache line");

enum record_type {
    RECORD_NONE = 0, /* never sent: an all-zero slot is not a record */
    RECORD_PAD = 1,  /* fills the slots before a wrap; a reader steps over it */

    /* ---- from the clock and the feeds ---- */
    RECORD_CLOCK = 2,            /* struct record_clock */
    RECORD_BOOK = 3,             /* struct record_book: changed levels of the top N, or all of them */
    RECORD_TOP = 4,              /* struct record_top: a best bid and ask that may run ahead of the book */
    RECORD_TRADE = 5,            /* struct record_trade */
    RECORD_MARK = 6,             /* struct record_mark: mark, index, funding */
    RECORD_FEED_STATE = 7,       /* struct record_state, value is enum feed_state */
    RECORD_INSTRUMENT_STATE = 8, /* struct record_state, value is enum instrument_status, detail 1: by a lock
                                    above the instrument */

    /* ---- reports: from gateways, and from cold for what only REST told; struct record_report ---- */
    RECORD_ACK = 16,         /* the venue took the order; cum_qty says nothing */
    RECORD_REJECT = 17,      /* the venue refused the request named by `request`; the order itself lives on if
                                request is an amend or a cancel */
    RECORD_FILL = 18,        /* last_qty at price; exec_id identifies it */
    RECORD_CANCELLED = 19,   /* terminal, cum_qty final */
    RECORD_EXPIRED = 20,     /* terminal, cum_qty final (IOC remainder, post-only refusal, self-trade) */
    RECORD_AMENDED = 21,     /* price and order_qty are the new ones */
    RECORD_ORDER_STATE = 22, /* answer to a query: status and cum_qty as the venue tells them now */
    RECORD_UNKNOWN = 23,     /* the request's outcome cannot be told: timeout, 5xx, link lost after send */
    RECORD_BALANCE = 24,     /* struct record_balance */
    RECORD_POSITION = 25,    /* struct record_position: the venue's own opinion */
    RECORD_GATEWAY_STATE = 26, /* struct record_state, account set, value is enum gateway_state */
    RECORD_CANCEL_ACK = 27,    /* the venue took the cancel; proves nothing about the final quantity */
    RECORD_DELIVERY = 28,      /* struct record_delivery: a dated contract ended, positions became cash */

    /* ---- from cold ---- */
    RECORD_COMMAND = 32, /* struct record_command */
    RECORD_CELL = 33,    /* struct record_cell: newest value only */

    /* ---- what a strategy is built from; the first records of every run and segment ---- */
    RECORD_BEGIN = 48,            /* struct record_begin_run */
    RECORD_TEXT = 49,             /* blob: a piece of the configuration text */
    RECORD_INSTRUMENT = 50,       /* blob: struct instrument; later in a run: its rules are others now */
    RECORD_ACCOUNT = 51,          /* blob: struct account */
    RECORD_FEE = 52,              /* struct record_fee */
    RECORD_CONVERT = 53,          /* struct record_convert */
    RECORD_PARAMS = 54,           /* blob: one instance's parameters (struct quote_params, ...) */
    RECORD_RESTORE_POSITION = 55, /* struct record_restore_position */
    RECORD_RESTORE_ORDER = 56,    /* struct record_report with the status last known */
    RECORD_RESTORE_COUNTER = 57,  /* struct record_counter_block: order ids that may be used */
    RECORD_RESTORE_EXEC = 58,     /* struct record_report: an execution already counted (for dedup) */
    RECORD_RESTORE_DONE = 59,     /* only after this may the strategy decide */
    RECORD_RISK = 60,             /* blob: struct risk_params: limits of the whole engine */
    RECORD_RESTORE_CASH = 61,     /* struct record_restore_cash */
    RECORD_RESTORE_LEDGER = 62, /* blob: struct restore_ledger: the cold ledger's own books; the strategy has
                                   no use for it */
    RECORD_CURRENCY = 63,       /* struct record_currency: the code of a currency's index */
    RECORD_RESTORE_PNL = 64, /* struct record_restore_pnl: what an instance has made since its first fill */

    /* ---- what the strategy says ---- */
    RECORD_ORDER_NEW = 80,    /* struct record_order */
    RECORD_ORDER_AMEND = 81,  /* struct record_order: price and qty wanted; qty is the whole size */
    RECORD_ORDER_CANCEL = 82, /* struct record_order: order and instrument only */
    RECORD_ORDER_QUERY = 83,  /* struct record_order: order and instrument only */
    RECORD_CANCEL_ALL = 84,   /* struct record_order: instrument (or NO_INSTRUMENT for the account) */
    RECORD_EVENT = 85,        /* struct record_event: decision, rung, halt, alarm: for people and the store */
    RECORD_STATUS = 86,       /* struct record_status: one instance's figures, sent on the clock */

    /* ---- written by the journal itself ---- */
    RECORD_LOST = 112,        /* struct record_lost: n feed records were not consumed */
    RECORD_SEGMENT_END = 113, /* struct record_clock */
};

/* Direction, kept in head.flags by the journal. */
#define RECORD_FLAG_OUT   0x01 /* the strategy emitted it; without: it consumed it */
#define RECORD_FLAG_REST  0x02 /* learned by REST, not by stream */
#define RECORD_FLAG_SNAP  0x04 /* book: replaces all; position/balance: from a snapshot */
#define RECORD_FLAG_STALE 0x08 /* value older than its bound */

struct record_head {
    uint8_t type;       /* enum record_type */
    uint8_t slot_count; /* 1..16 */
    uint8_t flags;      /* RECORD_FLAG_* */
    uint8_t reserved;
    uint16_t instrument; /* index in the instrument table, or NO_INSTRUMENT */
    uint16_t account;    /* index in the account table, or NO_ACCOUNT */
    uint64_t stamp_ns;   /* monotonic: when the bytes were received, or when the decision was taken */
};
_Static_assert(sizeof(struct record_head) == 16, "head");

struct level {
    int64_t price; /* price units */
    int64_t qty;   /* qty units; 0 deletes */
};

struct record_clock {
    struct record_head head;
    int64_t wall_ns; /* since 1970, UTC: for venue stamps and signing only */
    uint64_t spare[4];
};

#define BOOK_LEVELS_PER_SLOT 3
#define BOOK_LEVELS_MAX      (BOOK_LEVELS_PER_SLOT * (RECORD_SLOTS_MAX - 1))
#define BOOK_DEPTH_MAX       20 /* levels a side that feeds publish: a full view is 40 of the 45 that fit */

/* A continuation slot of a book record. */
struct record_levels {
    struct level level[BOOK_LEVELS_PER_SLOT];
    uint64_t spare;
    uint64_t ring_word;
};
_Static_assert(sizeof(struct record_levels) == SLOT_BYTES, "levels");

/* Levels follow in the continuation slots, bids first.  RECORD_FLAG_SNAP: they replace the whole view.
 * Else each sets (or with qty 0 deletes) one price.  The receiver keeps the best BOOK_DEPTH_MAX a side. */
struct record_book {
    struct record_head head;
    uint64_t sequence;     /* the venue's, of the last event inside */
    int64_t venue_time_ns; /* 0 unknown */
    uint8_t bid_count;
    uint8_t ask_count;
    uint8_t spare8[6];
    uint64_t spare[2];
    uint64_t ring_word;
    struct record_levels part[]; /* head.slot_count - 1 of them */
};

struct record_top {
    struct record_head head;
    int64_t bid_price, bid_qty; /* qty 0: that side is empty */
    int64_t ask_price, ask_qty;
    int64_t venue_time_ns;
};

struct record_trade {
    struct record_head head;
    int64_t price, qty;
    uint64_t trade_id;
    int64_t venue_time_ns;
    uint8_t aggressor; /* enum side */
    uint8_t spare8[7];
};

struct record_mark {
    struct record_head head;
    int64_t mark;             /* price units, 0 unknown */
    int64_t index;            /* price units, 0 unknown */
    int64_t funding_rate_e12; /* per interval, 1e-12; meaningful when next_funding_ns != 0 */
    int64_t next_funding_ns;  /* wall time; 0 unknown; venue_time_ns: it accrues all the time */
    int64_t venue_time_ns;
};

enum feed_state { FEED_DOWN, FEED_SYNCING, FEED_LIVE, FEED_GAP, FEED_STALE };
enum gateway_state { GATEWAY_DOWN, GATEWAY_STARTING, GATEWAY_READY, GATEWAY_DEGRADED };

struct record_state {
    struct record_head head;
    uint32_t value;
    uint32_t previous;
    int64_t detail; /* what counts depends on value: age in ns, records dropped, venue code */
    char text[24];  /* why, zero padded */
};

enum order_status {
    ORDER_STATUS_NONE = 0,
    ORDER_STATUS_OPEN,
    ORDER_STATUS_PARTIAL,
    ORDER_STATUS_FILLED,
    ORDER_STATUS_CANCELLED,
    ORDER_STATUS_EXPIRED,
    ORDER_STATUS_REJECTED,
    ORDER_STATUS_UNTRIGGERED,
    ORDER_STATUS_NOT_FOUND, /* the venue says it does not know the id: proof of nothing by itself */
};

/* What a reject means to us.  The venue's own code stays beside it in venue_code. */
enum reject_reason {
    REASON_NONE = 0,
    REASON_POST_ONLY,    /* would have taken: re-quote */
    REASON_FILTER,       /* tick, lot, minimum, maximum: our mistake or changed metadata */
    REASON_PRICE_BAND,   /* outside the venue's band */
    REASON_BALANCE,      /* balance or margin short */
    REASON_REDUCE_ONLY,  /* reduce-only refused */
    REASON_RATE_LIMIT,   /* slow down; not executed */
    REASON_NOT_FOUND,    /* cancel or amend of an order the venue does not have: query it */
    REASON_DUPLICATE_ID, /* the first send worked: query */
    REASON_TIME,         /* our clock: not executed */
    REASON_AUTH,         /* key, signature, permission: halt */
    REASON_SUSPENDED,    /* instrument not trading */
    REASON_UNCHANGED,    /* amend to the same values: treat as done */
    REASON_SELF_TRADE,   /* ended by self-trade prevention */
    REASON_IOC,          /* the remainder of an IOC or FOK */
    REASON_LIQUIDATION,  /* the venue closed us: liquidation or auto-deleverage */
    REASON_DEAD_MAN,     /* the venue's timer, or its cancel on disconnect */
    REASON_NOT_SENT,     /* the gateway never sent it: link down, budget; certainly not at the venue */
    REASON_OTHER,        /* a known refusal without a row of its own */
    REASON_DELIVERY,     /* the venue closed us: the contract ended or is listed no longer */
    REASON_COUNT
};

/* Whether an execution under an order that is not ours closed a position of ours. */
static inline bool reason_closes_us(uint8_t reason)
{
    return reason == REASON_LIQUIDATION || reason == REASON_DELIVERY;
}

enum liquidity { LIQUIDITY_UNKNOWN = 0, LIQUIDITY_MAKER, LIQUIDITY_TAKER };

enum request_kind {
    REQUEST_NONE = 0,
    REQUEST_NEW,
    REQUEST_AMEND,
    REQUEST_CANCEL,
    REQUEST_QUERY,
    REQUEST_CANCEL_ALL
};

#define REPORT_HAS_LAST     0x01 /* last_qty and price are an execution's */
#define REPORT_HAS_CUM      0x02 /* cum_qty is told by the venue */
#define REPORT_HAS_FEE      0x04 /* fee_e8 is told; without: unknown, never zero */
#define REPORT_HAS_REALISED 0x08
#define REPORT_PRICE_OPEN   0x10 /* executed at a price not known yet: counts in the position at once */
#define REPORT_FOREIGN      0x20 /* not one of our client ids; of a RESTORE_ORDER: no record of ours tells it */
#define REPORT_TERMINAL     0x40 /* status is final and cum_qty is the final quantity */
#define REPORT_QUOTE_QTY    0x80 /* order_qty is in quote currency (market buys) */

#define VENUE_ORDER_ID_BYTES 40

/* One structure for every report; three slots. */
struct record_report {
    struct record_head head;
    uint64_t order;   /* ours; 0 with REPORT_FOREIGN */
    uint64_t exec_id; /* the venue's execution id, or a 64-bit hash of its text; 0 none */
    int64_t price;    /* of the execution (HAS_LAST), else of the order */
    int64_t last_qty; /* of the execution */
    int64_t cum_qty;  /* total executed so far (HAS_CUM) */
    uint64_t ring_word_0;

    int64_t order_qty;   /* whole size of the order, 0 unknown */
    int64_t order_price; /* limit price, 0 unknown */
    int64_t fee_e8;      /* paid positive, rebate negative */
    int64_t realised_e8; /* the venue's realised P&L of this execution, settlement currency */
    int64_t venue_time_ns;
    uint16_t fee_currency; /* index in the currency table, or CURRENCY_NONE */
    uint8_t side;          /* enum side */
    uint8_t status;        /* enum order_status */
    uint8_t liquidity;     /* enum liquidity */
    uint8_t reason;        /* enum reject_reason */
    uint8_t request;       /* enum request_kind: what a reject, ack or unknown answers */
    uint8_t flags;         /* REPORT_* */
    uint64_t tie;          /* the request's tie (record_order.tie), 0 when unsolicited */
    uint64_t ring_word_1;

    char venue_order_id[VENUE_ORDER_ID_BYTES]; /* text, zero padded */
    int32_t venue_code;                        /* the venue's error code */
    uint32_t spare32;
    uint64_t spare64;
    uint64_t ring_word_2;
};
_Static_assert(sizeof(struct record_report) == 3 * SLOT_BYTES, "report");
_Static_assert(offsetof(struct record_report, order_qty) == SLOT_BYTES, "second slot");
_Static_assert(offsetof(struct record_report, venue_order_id) == 2 * SLOT_BYTES, "third slot");

struct record_balance {
    struct record_head head;
    int64_t total_e8;     /* wallet: cash without unrealised P&L; INT64_MIN: only the change is told */
    int64_t available_e8; /* INT64_MIN unknown */
    int64_t change_e8;    /* what moved outside trading (deposit, funding), 0 unknown */
    int64_t venue_time_ns;
    uint16_t currency;
    uint8_t reason; /* enum cash_reason */
    uint8_t told;   /* enum cash_told */
    uint32_t row;   /* CASH_TOLD_ROW: of the venue's id of the row (record_row_id); else 0 */
};

/* Who tells a change, and whether it is the word that is booked. */
enum cash_told {
    CASH_TOLD_ONCE = 0, /* nobody else will */
    CASH_TOLD_AGAIN,    /* the venue's payment history has a row of it, and the row is booked */
    CASH_TOLD_ROW       /* the row: the same `row` of the same account, reason and time counts once */
};

enum cash_reason {
    CASH_UNKNOWN = 0,
    CASH_ORDER,
    CASH_FUNDING,
    CASH_TRANSFER,
    CASH_FEE,
    CASH_LIQUIDATION,
    CASH_SETTLEMENT,
    CASH_INTEREST,
    CASH_SNAPSHOT,
    CASH_ADJUSTMENT,
    CASH_DIVIDEND,

    /* These move nothing. */
    CASH_ACCRUED, /* change_e8: funding of `instrument` that the venue's total has and did not pay out yet */
    CASH_SETTLED, /* change_e8: profit of the open position that a settlement put into the venue's total */
    CASH_HISTORY, /* every payment of the account until venue_time_ns was told; at the first of them: what is
                     older is in the balance that was found */
    CASH_REASON_COUNT
};

/* Everything held of (account, instrument) ends at this price. */
struct record_delivery {
    struct record_head head;
    int64_t price_e8; /* an average of the index: finer than a tick */
    int64_t venue_time_ns;
    uint64_t spare[3];
};

struct record_position {
    struct record_head head;
    int64_t qty;            /* signed */
    int64_t entry_e8;       /* average entry price, 1e-8, as the venue says it; 0 unknown */
    int64_t unrealised_e8;  /* INT64_MIN unknown */
    int64_t liquidation_e8; /* price, 1e-8; 0 none or unknown */
    int64_t venue_time_ns;
};

enum command {
    COMMAND_STOP = 1,   /* leave politely: cancel quotes, hedge what is naked, then stopped */
    COMMAND_HALT,       /* no new risk; cancel all; hedges that reduce go on */
    COMMAND_RESUME,     /* after a halt, by a person */
    COMMAND_PAUSE,      /* pull quotes of the instance (or all), keep hedging */
    COMMAND_FLATTEN,    /* cancel all, unwind positions of the instance (or all) */
    COMMAND_SHIFT_FAIR, /* value[0] = bound in centibp: limits the slow fair-price offset */
    COMMAND_BOOKS, /* from cold: value[0] 1: the books differ from what was told, no new risk; 0: no more */
    COMMAND_READ,  /* from cold: all that happened on account value[0] before its session came up, at stamp
                      value[1], was read; 0: it cannot be read now */
    COMMAND_COUNT
};

struct record_command {
    struct record_head head;
    uint32_t command;  /* enum command */
    uint16_t instance; /* NO_INSTANCE: all */
    uint16_t spare16;
    int64_t value[4];
};

enum cell_kind {
    CELL_FAIR_OFFSET =
        1,           /* value[0] centibp the quoted leg's fair price stands above the hedge leg's, slow */
    CELL_CONVERT,    /* value[0] from, [1] to, [2] rate 1e-8, [3] as_of stamp_ns: a conversion rate */
    CELL_VOLATILITY, /* value[0] centibp per square-root second */
    CELL_LIMIT,      /* value[0] limit id, [1] value */
};

struct record_cell {
    struct record_head head;
    uint32_t kind;     /* enum cell_kind */
    uint16_t instance; /* or NO_INSTANCE */
    uint16_t spare16;
    int64_t value[4];
};

struct record_begin_run {
    struct record_head head;
    uint64_t run; /* number of this run, one more than the last */
    int64_t wall_ns;
    uint64_t layout_hash; /* of every record layout: another layout cannot be replayed */
    uint32_t segment;     /* number of the segment within the run */
    uint16_t engine;      /* engine id in client order ids */
    uint16_t mode;        /* enum mode */
    uint64_t spare_0;
    uint64_t ring_word_0;
    char build_id[48];
    uint64_t spare;
    uint64_t ring_word_1;
};
_Static_assert(sizeof(struct record_begin_run) == 2 * SLOT_BYTES, "begin");

enum mode { MODE_SIM = 1, MODE_PAPER, MODE_LIVE, MODE_BACKTEST };

struct record_fee {
    struct record_head head; /* account and instrument set */
    int64_t maker_centibp;   /* 1/100 bp of notional; negative is a rebate */
    int64_t taker_centibp;
    uint64_t spare[3];
};

struct record_convert {
    struct record_head head; /* instrument: its mid is the rate, or NO_INSTRUMENT for fixed */
    uint16_t from, to;       /* currencies: 1 from = rate to */
    uint32_t spare32;
    int64_t fixed_e8; /* 0 when an instrument gives it */
    int64_t max_age_ns;
    int64_t max_deviation_centibp;
    uint64_t spare;
};

struct record_restore_position {
    struct record_head head; /* account and instrument set */
    uint16_t instance;       /* NO_INSTANCE: the unassigned row */
    uint16_t leg;
    uint32_t spare32;
    int64_t qty;           /* signed */
    int64_t notional_high; /* struct position.notional_e12 of ring/kind.h, upper and lower 64 bits */
    uint64_t notional_low;
    uint64_t spare;
};

struct record_restore_cash {
    struct record_head head; /* account set */
    uint16_t instance;
    uint16_t currency;
    uint32_t part; /* enum pnl_part of ring/kind.h */
    int64_t amount_e8;
    uint64_t spare[3];
};

/* Profit since the first fill: equity less first_e8 is the sum of the parts. */
struct record_restore_pnl {
    struct record_head head;
    uint16_t instance;
    uint16_t currency; /* of all amounts */
    uint32_t spare32;
    int64_t first_e8;      /* equity before the first fill, and what came from outside since */
    int64_t allocation_e8; /* coin of the instance then */
    uint64_t spare[2];
    uint64_t ring_word_0;
    int64_t part_e8[7]; /* enum pnl_part */
    uint64_t ring_word_1;
};
_Static_assert(sizeof(struct record_restore_pnl) == 2 * SLOT_BYTES, "profit");

/* What a row of RESTORE_LEDGER says; the order of its numbers is cold/ledger.c's own. */
enum restore_ledger_what {
    RESTORE_LEDGER_BOOK = 1, /* of an instance: its coin's price when it was valued last */
    RESTORE_LEDGER_LEG,     /* of an (instance, account, instrument): equity and parts since the first fill */
    RESTORE_LEDGER_CASH,    /* of a leg's currency: what was booked against what */
    RESTORE_LEDGER_BALANCE, /* the venue told this account's currency before: its next word is no opening */
    RESTORE_LEDGER_PAYMENT, /* a payment that was booked, so that its row counts once */
    RESTORE_LEDGER_EXEC,    /* an execution of which fee, price or realised profit was not told yet */
    RESTORE_LEDGER_PRICE,   /* of an instrument, as it stood: within a run only, never of a run before */
    RESTORE_LEDGER_HISTORY, /* of an account: from when on its payments count, and until when all are told */
    RESTORE_LEDGER_BESIDE /* of an (account, instrument): CASH_ACCRUED and CASH_SETTLED; within a run only */
};

#define RESTORE_LEDGER_VALUES       32
#define RESTORE_LEDGER_BALANCE_AWAY 1  /* of a BALANCE: recovery says that it is of a run before */
#define RESTORE_LEDGER_LEG_QTY      22 /* of a LEG, in the instrument's quantity units */
#define RESTORE_LEDGER_EXEC_PRICE   3  /* of an EXEC, in its price units */

struct restore_ledger {
    uint8_t what; /* enum restore_ledger_what */
    uint8_t side;
    uint16_t instance; /* NO_INSTANCE: the unassigned row */
    uint16_t currency;
    uint16_t spare16;
    int64_t value[RESTORE_LEDGER_VALUES];
};

struct record_currency {
    struct record_head head;
    char code[12];
    uint16_t currency;
    uint8_t decimals;
    uint8_t spare8[25];
};

struct record_counter_block {
    struct record_head head;
    uint64_t next; /* the first order counter that may be used */
    uint64_t end;  /* one past the last: the upper end is on disk before the block is handed out */
    uint64_t spare[3];
};

enum order_role {
    ORDER_ROLE_QUOTE = 1,
    ORDER_ROLE_HEDGE,
    ORDER_ROLE_FLATTEN,
    ORDER_ROLE_ENTRY,
    ORDER_ROLE_EXIT
};

enum time_in_force { TIF_GTC = 0, TIF_IOC, TIF_FOK };

#define ORDER_FLAG_POST_ONLY   0x01
#define ORDER_FLAG_REDUCE_ONLY 0x02
#define ORDER_FLAG_MARKET      0x04 /* price is a bound for our own check, not sent */

struct record_order {
    struct record_head head;
    uint64_t order; /* our id */
    uint64_t tie;   /* identifies this request: echoed in the report that answers it */
    int64_t price;
    int64_t qty; /* whole size, also for an amend */
    uint8_t side;
    uint8_t tif;
    uint8_t flags; /* ORDER_FLAG_* */
    uint8_t role;  /* enum order_role */
    uint16_t instance;
    uint8_t leg;
    uint8_t level; /* quote level, 0 best */
    uint64_t ring_word_0;

    int64_t cum_qty;          /* executed as far as we know: an amend below it is a cancel */
    int64_t reference_price;  /* decision price: what slippage is measured against */
    uint64_t trigger_ns;      /* stamp of the record that caused it: for tick-to-order */
    uint64_t fill_ns;         /* hedge: stamp of the oldest fill it answers; else 0 */
    int64_t expected_centibp; /* profit expected at the decision */
    uint64_t spare[2];
    uint64_t ring_word_1;
};
_Static_assert(sizeof(struct record_order) == 2 * SLOT_BYTES, "order");

enum event_code {
    EVENT_NONE = 0,
    EVENT_HALT, /* value[0] enum halt_reason */
    EVENT_RESUMED,
    EVENT_STOPPED,        /* nothing rests, nothing is naked beyond the smallest hedge */
    EVENT_LADDER,         /* value[0] rung, [1] naked qty_e8, [2] deadline_ns */
    EVENT_NAKED_CLEARED,  /* value[0] how long, ns; [1] the most that was naked, 1e-8 coin */
    EVENT_DUPLICATE_FILL, /* value[0] exec_id */
    EVENT_UNKNOWN_ORDER,  /* a report for an order that is not in the table */
    EVENT_TABLE_REFUSED,  /* an event an order's state has no cell for; value[0] state, [1] event */
    EVENT_QUOTES_PULLED,  /* value[0] why: enum pull_reason */
    EVENT_QUOTES_BACK,
    EVENT_POSITION_DIFFERS, /* value[0] ours, [1] the venue's, [2] how long, ns */
    EVENT_RISK_REFUSED,     /* value[0] enum risk_refusal, [1] order */
    EVENT_CONSERVATION,     /* hedges exceed exposure: halts */
    EVENT_JOURNAL_FULL,
    EVENT_FAIR_OFFSET, /* value[0] centibp now, [1] bound */
    EVENT_SELF_CROSS,
    EVENT_COUNTER_LOW,  /* order ids run low: cold must hand out a block; value[0] left */
    EVENT_PRICE_OPEN,   /* value[0] order executed [1] qty at a price nobody told, counted at [2]: read its
                           fills */
    EVENT_FEE_SURPRISE, /* value[0] fee, [1] what the fee table says, [2] exec_id, [3] currency */
    EVENT_BOOKS_DIFFER, /* value[0] 1: no new risk until the books agree; 0: they do */
    EVENT_DELIVERED,    /* value[0] what was held, [1] the delivery price in 1e-8, [2] instrument */
    EVENT_RULES,        /* the venue's rules of an instrument changed: value[0] tick, [1] lot, [2] enum
                           instrument_status, [3] instrument; a warning where orders stand on another grid */
    EVENT_COUNT
};

struct record_event {
    struct record_head head;
    uint32_t code; /* enum event_code */
    uint16_t instance;
    uint16_t severity; /* 0 note, 1 warning, 2 alarm */
    int64_t value[4];
};

/* What a person wants to know of an instance now; emitted on the clock, never read back. */
struct record_status {
    struct record_head head;
    uint16_t instance;
    uint8_t state; /* enum instance_state of the strategy */
    uint8_t pull_reason;
    uint32_t fills;
    int64_t quote_qty; /* position on the quoted leg, qty units */
    int64_t hedge_qty; /* position on the hedge leg */
    int64_t delta_e8;  /* coin, 1e-8 */
    uint32_t hedges;
    uint32_t requotes;
    uint64_t ring_word_0;
    int64_t naked_ns; /* now */
    int64_t max_naked_ns;
    int64_t bid_price, bid_qty; /* our best quotes, 0 none */
    int64_t ask_price, ask_qty;
    int64_t fair_offset_centibp;
    uint64_t ring_word_1;
    int64_t pnl_e8[7]; /* enum pnl_part, in the reporting currency */
    uint64_t ring_word_2;
};
_Static_assert(sizeof(struct record_status) == 3 * SLOT_BYTES, "status");

struct record_lost {
    struct record_head head;
    uint64_t count;
    uint64_t first_ns;
    uint64_t spare[3];
};

_Static_assert(sizeof(struct record_clock) == SLOT_PAYLOAD_BYTES, "one slot");
_Static_assert(sizeof(struct record_top) == SLOT_PAYLOAD_BYTES, "one slot");
_Static_assert(sizeof(struct record_trade) == SLOT_PAYLOAD_BYTES, "one slot");
_Static_assert(sizeof(struct record_mark) == SLOT_PAYLOAD_BYTES, "one slot");
_Static_assert(sizeof(struct record_state) == SLOT_PAYLOAD_BYTES, "one slot");
_Static_assert(sizeof(struct record_balance) == SLOT_PAYLOAD_BYTES, "one slot");
_Static_assert(sizeof(struct record_position) == SLOT_PAYLOAD_BYTES, "one slot");
_Static_assert(sizeof(struct record_command) == SLOT_PAYLOAD_BYTES, "one slot");
_Static_assert(sizeof(struct record_cell) == SLOT_PAYLOAD_BYTES, "one slot");
_Static_assert(sizeof(struct record_fee) == SLOT_PAYLOAD_BYTES, "one slot");
_Static_assert(sizeof(struct record_convert) == SLOT_PAYLOAD_BYTES, "one slot");
_Static_assert(sizeof(struct record_restore_position) == SLOT_PAYLOAD_BYTES, "one slot");
_Static_assert(sizeof(struct record_restore_cash) == SLOT_PAYLOAD_BYTES, "one slot");
_Static_assert(sizeof(struct record_delivery) == SLOT_PAYLOAD_BYTES, "one slot");
_Static_assert(sizeof(struct record_currency) == SLOT_PAYLOAD_BYTES, "one slot");
_Static_assert(sizeof(struct restore_ledger) <= 40 + (RECORD_SLOTS_MAX - 1) * SLOT_PAYLOAD_BYTES, "a blob");
_Static_assert(sizeof(struct record_counter_block) == SLOT_PAYLOAD_BYTES, "one slot");
_Static_assert(sizeof(struct record_event) == SLOT_PAYLOAD_BYTES, "one slot");
_Static_assert(sizeof(struct record_lost) == SLOT_PAYLOAD_BYTES, "one slot");

/* record_head_of sees the head of the record that begins at this slot. */
static inline struct record_head *record_head_of(const struct slot *record)
{
    return (struct record_head *)(uintptr_t)record->payload;
}

/* record_slots_for_blob is how many slots a blob of this size takes behind a head; bytes at most
 * RECORD_BLOB_MAX. */
#define RECORD_BLOB_MAX (40 + (RECORD_SLOTS_MAX - 1) * SLOT_PAYLOAD_BYTES)
static inline uint8_t record_slots_for_blob(size_t bytes)
{
    return bytes <= 40 ? 1 : (uint8_t)(1 + (bytes - 40 + SLOT_PAYLOAD_BYTES - 1) / SLOT_PAYLOAD_BYTES);
}

/* record_slots_for_levels is how many slots a book record of so many levels takes. */
static inline uint8_t record_slots_for_levels(uint32_t levels)
{
    return (uint8_t)(1 + (levels + BOOK_LEVELS_PER_SLOT - 1) / BOOK_LEVELS_PER_SLOT);
}

/* record_begin zeroes the payloads of the slots (the carriers' words stay) and fills the head. */
static inline struct record_head *record_begin(struct slot *record, enum record_type type, uint8_t slot_count,
                                               uint64_t stamp_ns)
{
    for (uint32_t i = 0; i < slot_count; i++) {
        memset(record[i].payload, 0, SLOT_PAYLOAD_BYTES);
    }
    struct record_head *head = record_head_of(record);
    head->type = (uint8_t)type;
    head->slot_count = slot_count;
    head->instrument = NO_INSTRUMENT;
    head->account = NO_ACCOUNT;
    head->stamp_ns = stamp_ns;
    return head;
}

/* record_copy copies payloads, never the carriers' words. */
static inline void record_copy(struct slot *to, const struct slot *from)
{
    uint8_t slot_count = record_head_of(from)->slot_count;
    for (uint32_t i = 0; i < slot_count; i++) {
        memcpy(to[i].payload, from[i].payload, SLOT_PAYLOAD_BYTES);
    }
}

/* record_same compares payloads. */
static inline bool record_same(const struct slot *a, const struct slot *b)
{
    uint8_t slot_count = record_head_of(a)->slot_count;
    if (slot_count != record_head_of(b)->slot_count) {
        return false;
    }
    for (uint32_t i = 0; i < slot_count; i++) {
        if (memcmp(a[i].payload, b[i].payload, SLOT_PAYLOAD_BYTES) != 0) {
            return false;
        }
    }
    return true;
}

/* record_blob_write puts bytes behind the head; record_blob_read takes them back.  Both in order, both
 * stepping over the carriers' words. */
static inline void record_blob_write(struct slot *record, const void *blob, size_t bytes)
{
    const unsigned char *from = blob;
    unsigned char *to = record->payload + sizeof(struct record_head);
    size_t room = SLOT_PAYLOAD_BYTES - sizeof(struct record_head);
    while (bytes > 0) {
        size_t take = bytes < room ? bytes : room;
        memcpy(to, from, take);
        from += take;
        bytes -= take;
        record++;
        to = record->payload;
        room = SLOT_PAYLOAD_BYTES;
    }
}

static inline void record_blob_read(const struct slot *record, void *blob, size_t bytes)
{
    unsigned char *to = blob;
    const unsigned char *from = record->payload + sizeof(struct record_head);
    size_t room = SLOT_PAYLOAD_BYTES - sizeof(struct record_head);
    while (bytes > 0) {
        size_t take = bytes < room ? bytes : room;
        memcpy(to, from, take);
        to += take;
        bytes -= take;
        record++;
        from = record->payload;
        room = SLOT_PAYLOAD_BYTES;
    }
}

/* record_row_id is a venue's id of a row as a number that is not 0; equal ids give equal numbers. */
static inline uint32_t record_row_id(const char *id, size_t bytes)
{
    uint64_t hash = 0xcbf29ce484222325ULL;
    for (size_t i = 0; i < bytes; i++) {
        hash = (hash ^ (unsigned char)id[i]) * 0x100000001b3ULL;
    }
    uint32_t folded = (uint32_t)(hash ^ hash >> 32);
    return folded != 0 ? folded : 1;
}

/* record_level is the i-th level of a book record (bids first). */
static inline struct level *record_level(const struct record_book *book, uint32_t i)
{
    return (struct level *)(uintptr_t)&book->part[i / BOOK_LEVELS_PER_SLOT].level[i % BOOK_LEVELS_PER_SLOT];
}

/* record_type_name is the type's name in lower case ("fill"), or "?". */
const char *record_type_name(uint8_t type);

/* record_refuses_for_certain: a new order that was refused for this reason (enum reject_reason) was not
 * executed and does not rest.  The other reasons name a state of the order, or of another: what became of it
 * must be asked.  Who trades and who recovers must read it alike. */
bool record_refuses_for_certain(uint8_t reason);

/* record_layout_hash changes whenever a layout above does: a journal of another layout is not replayed. */
uint64_t record_layout_hash(void);

#endif
