/* report: what Deribit says of orders, executions, positions and balances, as records.
 *
 * The same objects come as results, by HTTP and on the private channels; only their envelopes differ
 * (order.c, rest.c).  Everything here reads sound JSON (already checked to its end) and emits through a
 * reader; while the reader is dry nothing is emitted, so that a message of several objects can be checked
 * whole before it yields anything. */
#ifndef POISE_VENUES_DERIBIT_REPORT_H
#define POISE_VENUES_DERIBIT_REPORT_H

#include "venues/deribit/product.h"

/* What is remembered from one message to the next so that its like is read faster: it changes nothing else.
 * Zeroed is one that remembers nothing. */
struct deribit_habits {
    struct scan_habit trade, order, position;
    uint16_t after; /* the instrument told of last, plus one; 0: none */
};

struct deribit_reader {
    const struct instrument_table *instruments;
    struct deribit_habits *habits; /* may be NULL */
    struct venue_hooks *hooks;     /* may be NULL */
    const struct venue_sink *sink;
    uint16_t account;
    uint8_t flags; /* RECORD_FLAG_* of every record */
    uint64_t stamp_ns;
    /* the request that is being answered; zero when unsolicited */
    uint64_t tie;
    uint64_t order;
    uint16_t instrument;
    uint8_t request;     /* enum request_kind */
    uint64_t only_order; /* orders of other labels are stepped over; 0 none */
    bool only_payments;  /* of the transaction log */
    bool dry;
    int32_t rows;
    int32_t skipped;  /* objects whose symbol or currency is in no table */
    uint64_t last_id; /* executions: the highest number seen */
    const char *why;  /* after a call answered false */
};

/* Keys of the objects, by the length of their names: see deribit_key_from. */
enum deribit_key {
    KEY_ID,
    KEY_FEE,
    KEY_SIZE,
    KEY_TYPE,
    KEY_KIND,
    KEY_LEGS,
    KEY_LOGS,
    KEY_CODE,
    KEY_DATA,
    KEY_PRICE,
    KEY_LABEL,
    KEY_ORDER,
    KEY_STATE,
    KEY_ERROR,
    KEY_AMOUNT,
    KEY_CHANGE,
    KEY_RESULT,
    KEY_TRADES,
    KEY_ORDERS,
    KEY_BALANCE,
    KEY_MESSAGE,
    KEY_ORDER_ID,
    KEY_TRADE_ID,
    KEY_CURRENCY,
    KEY_REPLACED,
    KEY_DIRECTION,
    KEY_LIQUIDITY,
    KEY_TIMESTAMP,
    KEY_TRADE_SEQ,
    KEY_POSITIONS,
    KEY_SUMMARIES,
    KEY_ORDER_TYPE,
    KEY_MARK_PRICE,
    KEY_COMMISSION,
    KEY_ORDER_STATE,
    KEY_INDEX_PRICE,
    KEY_INTEREST_PL,
    KEY_LIQUIDATION,
    KEY_PROFIT_LOSS,
    KEY_FEE_CURRENCY,
    KEY_FILLED_AMOUNT,
    KEY_CANCEL_REASON,
    KEY_AVERAGE_PRICE,
    KEY_TIME_IN_FORCE,
    KEY_INSTRUMENT_NAME,
    KEY_AVAILABLE_FUNDS,
    KEY_CURRENT_FUNDING,
    KEY_REALIZED_FUNDING,
    KEY_TOTAL_INTEREST_PL,
    KEY_TOTAL_PROFIT_LOSS,
    KEY_CREATION_TIMESTAMP,
    KEY_FUTURES_SESSION_RPL,
    KEY_FLOATING_PROFIT_LOSS,
    KEY_LAST_UPDATE_TIMESTAMP,
    KEY_ESTIMATED_LIQUIDATION_PRICE,
    KEY_COUNT
};
extern const struct scan_name deribit_keys[KEY_COUNT];

/* deribit_key_from[n] is the first key whose name has n or more letters, for n up to DERIBIT_KEY_LETTERS. */
#define DERIBIT_KEY_LETTERS 27
extern const uint8_t deribit_key_from[DERIBIT_KEY_LETTERS + 2];

/* deribit_fields takes a complete object apart by the keys above. */
bool deribit_fields(struct scan *scan, const char *text, size_t bytes, struct scan_value fields[KEY_COUNT]);

/* What an object is, told by its keys. */
enum deribit_shape {
    SHAPE_OTHER = 0,
    SHAPE_ORDER,
    SHAPE_PLACED, /* wraps an order and what it executed at once */
    SHAPE_TRADE,
    SHAPE_TRADES,  /* wraps a page of executions */
    SHAPE_CHANGES, /* wraps what changed on one instrument */
    SHAPE_POSITION,
    SHAPE_SUMMARY,
    SHAPE_SUMMARIES, /* wraps summaries */
    SHAPE_CANCELS,   /* one part of a detailed cancel-all: orders, or why not */
    SHAPE_LOG,
    SHAPE_LOGS, /* wraps a page of the transaction log */
    SHAPE_TICKER,
    SHAPE_ERROR
};
enum deribit_shape deribit_shape_of(const struct scan_value fields[KEY_COUNT]);

/* deribit_object emits what one object says; objects of another shape than `only` are refused, SHAPE_OTHER
 * takes any.  deribit_array does so for each object of an array.  False: broken, reader->why says how. */
bool deribit_object(struct deribit_reader *reader, const char *text, size_t bytes, enum deribit_shape only);
bool deribit_array(struct deribit_reader *reader, const char *text, size_t bytes, enum deribit_shape only);

/* deribit_value is either, by the value's type; nothing is emitted unless all of it is sound. */
bool deribit_value(struct deribit_reader *reader, const struct scan_value *value, enum deribit_shape only);

/* deribit_take reads the object at the cursor, which nobody has checked yet, and emits what it says; false:
 * it is not sound, or not of this shape (a trade, an order, a position). */
bool deribit_take(struct deribit_reader *reader, struct scan *scan, enum deribit_shape shape);

/* deribit_answers notes which request an id says is answered; false for an id that is not one of ours. */
bool deribit_answers(struct deribit_reader *reader, const struct scan_value *id);

/* What a refusal's code means: an enum reject_reason, or DERIBIT_OUTCOME_UNKNOWN.  A code without a row is an
 * outcome that is not known. */
#define DERIBIT_OUTCOME_UNKNOWN 0xff
uint8_t deribit_outcome(int64_t code);

/* deribit_forget_words empties what the hooks hold of the record before. */
void deribit_forget_words(struct deribit_reader *reader);

/* deribit_refusal emits what a refused request becomes (REJECT, UNKNOWN, ORDER_STATE); nothing when it
 * answers no order request and there are no hooks.  A refused edit may have cancelled the order that it was
 * to change: unless the code proves that it was not tried, its outcome is unknown. */
void deribit_refusal(struct deribit_reader *reader, int64_t code, const char *text, size_t bytes);

/* The parts others need. */
const struct instrument *deribit_row(struct deribit_reader *reader, const struct scan_value *symbol);
struct record_report *deribit_report(struct deribit_reader *reader, struct slot record[3],
                                     enum record_type type, const struct instrument *row);
void deribit_emit(struct deribit_reader *reader, const struct slot *record);

#endif
