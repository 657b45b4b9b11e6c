/* report: what Binance says of orders, executions, positions and balances, as records.
 *
 * The same objects come from the WebSocket API, from REST and from the user streams; only their envelopes
 * differ (order.c, rest.c).  Everything here reads sound JSON (already checked to its end) and emits through
 * a reader; while the reader is dry nothing is emitted, so that a message of several objects can be checked
 * whole before it yields anything. */
#ifndef POISE_VENUES_BINANCE_REPORT_H
#define POISE_VENUES_BINANCE_REPORT_H

#include "venues/binance/product.h"

struct binance_reader {
    const struct instrument_table *instruments;
    struct venue_hooks *hooks; /* may be NULL */
    const struct venue_sink *sink;
    uint16_t account;
    uint8_t product;
    uint8_t flags; /* RECORD_FLAG_* of every record */
    uint64_t stamp_ns;
    /* the request that is being answered; zero when unsolicited */
    uint64_t tie;
    uint64_t order;
    uint16_t instrument;
    uint8_t request;    /* enum request_kind */
    bool only_payments; /* of the income history */
    bool dry;
    int32_t rows;
    int32_t skipped;  /* objects whose symbol or currency is in no table */
    uint64_t last_id; /* executions: the highest id seen */
    const char *why;  /* after a call answered false */
};

/* Keys of the objects in replies and on REST. */
enum binance_key { /* by the length of their names: see binance_key_from */
                   KEY_ID,
                   KEY_QTY,
                   KEY_MSG,
                   KEY_SIDE,
                   KEY_TYPE,
                   KEY_TIME,
                   KEY_CODE,
                   KEY_FREE,
                   KEY_PRICE,
                   KEY_FILLS,
                   KEY_BUYER,
                   KEY_MAKER,
                   KEY_ASSET,
                   KEY_SYMBOL,
                   KEY_STATUS,
                   KEY_LOCKED,
                   KEY_ASSETS,
                   KEY_INCOME,
                   KEY_TRAN_ID,
                   KEY_ORDER_ID,
                   KEY_ORIG_QTY,
                   KEY_IS_BUYER,
                   KEY_IS_MAKER,
                   KEY_TRADE_ID,
                   KEY_BALANCE,
                   KEY_BALANCES,
                   KEY_IS_WORKING,
                   KEY_POSITIONS,
                   KEY_MARK_PRICE,
                   KEY_UPDATE_TIME,
                   KEY_COMMISSION,
                   KEY_ENTRY_PRICE,
                   KEY_INDEX_PRICE,
                   KEY_INCOME_TYPE,
                   KEY_EXECUTED_QTY,
                   KEY_TIF,
                   KEY_REALIZED,
                   KEY_POSITION_AMT,
                   KEY_FUNDING_RATE,
                   KEY_FUNDING_TIME,
                   KEY_TRANSACT_TIME,
                   KEY_AMENDED_ORDER,
                   KEY_CANCEL_RESULT,
                   KEY_ORDER_REPORTS,
                   KEY_POSITION_SIDE,
                   KEY_CLIENT_ID,
                   KEY_WALLET_BALANCE,
                   KEY_TAX_COMMISSION,
                   KEY_CANCEL_RESPONSE,
                   KEY_CONTINGENCY,
                   KEY_COMMISSION_ASSET,
                   KEY_LAST_FUNDING,
                   KEY_NEXT_FUNDING,
                   KEY_NEW_ORDER_RESPONSE,
                   KEY_UNREALIZED,
                   KEY_UNREALIZED_LOW,
                   KEY_LIQUIDATION,
                   KEY_AVAILABLE,
                   KEY_ORIG_CLIENT_ID,
                   KEY_LIST_CLIENT_ID,
                   KEY_SPECIAL_COMMISSION,
                   KEY_STANDARD_COMMISSION,
                   KEY_MAKER_RATE,
                   KEY_TAKER_RATE,
                   KEY_COUNT
};
extern const struct scan_name binance_keys[KEY_COUNT];

/* binance_key_from[n] is the first key whose name has n or more letters, for n up to BINANCE_KEY_LETTERS. */
#define BINANCE_KEY_LETTERS 19
extern const uint8_t binance_key_from[BINANCE_KEY_LETTERS + 2];

/* binance_fields takes a complete object apart by the keys above; binance_fields_here the one at the cursor.
 */
bool binance_fields_here(struct scan *scan, struct scan_value fields[KEY_COUNT]);
bool binance_fields(struct scan *scan, const char *text, size_t bytes, struct scan_value fields[KEY_COUNT]);

/* What an object is, told by its keys. */
enum binance_shape {
    SHAPE_OTHER = 0,
    SHAPE_ORDER,
    SHAPE_AMENDED,        /* wraps an order */
    SHAPE_CANCEL_REPLACE, /* wraps two answers */
    SHAPE_ORDER_LIST,     /* wraps orders */
    SHAPE_FILL,
    SHAPE_POSITION,
    SHAPE_BALANCE,
    SHAPE_ACCOUNT, /* wraps balances, and positions on futures */
    SHAPE_MARK,
    SHAPE_FUNDING, /* one past funding rate */
    SHAPE_INCOME,
    SHAPE_FEE,
    SHAPE_ERROR
};
enum binance_shape binance_shape_of(const struct scan_value fields[KEY_COUNT]);

/* binance_object emits what one object says; objects of another shape than `only` are refused, SHAPE_OTHER
 * takes any.  binance_array does so for each object of an array.  False: broken, reader->why says how. */
bool binance_object(struct binance_reader *reader, const char *text, size_t bytes, enum binance_shape only);
bool binance_array(struct binance_reader *reader, const char *text, size_t bytes, enum binance_shape only);

/* binance_value is either, by the value's type; nothing is emitted unless all of it is sound.
 * binance_fields_emit does so for an object that was taken apart already. */
bool binance_value(struct binance_reader *reader, const struct scan_value *value, enum binance_shape only);
bool binance_fields_emit(struct binance_reader *reader, const struct scan_value fields[KEY_COUNT],
                         enum binance_shape only);

/* Keys around replies and inside events. */
enum binance_envelope_key {
    ENVELOPE_ER,
    ENVELOPE_EXPIRY,
    ENVELOPE_REALISED,
    ENVELOPE_ID,
    ENVELOPE_STATUS,
    ENVELOPE_RESULT,
    ENVELOPE_ERROR,
    ENVELOPE_EVENT,
    ENVELOPE_DATA,
    ENVELOPE_CODE,
    ENVELOPE_MSG,
    ENVELOPE_COUNT
};
extern const struct scan_name binance_envelope[ENVELOPE_COUNT];

/* One message of a session or one event inside it, taken apart.  The order inside a futures update (`o`) is
 * taken apart with it. */
struct binance_event {
    struct scan_value letters[SCAN_LETTERS];
    struct scan_value envelope[ENVELOPE_COUNT];
    bool has_order;
    struct scan_value order_letters[SCAN_LETTERS]; /* valid with has_order */
    struct scan_value order_envelope[ENVELOPE_COUNT];
};

/* binance_event_read takes the object at the cursor apart; the scan must outlive the event. */
bool binance_event_read(struct scan *scan, struct binance_event *event);

/* binance_user_event emits what one event of a user stream says.  *control is set when it concerns the
 * session (CONTROL_STREAM_ENDED, CONTROL_SHUTDOWN, CONTROL_LIMITS), else 0. */
bool binance_user_event(struct binance_reader *reader, const struct binance_event *event,
                        enum feed_control *control);

/* What a refusal's code means: an enum reject_reason, or BINANCE_OUTCOME_UNKNOWN. */
#define BINANCE_OUTCOME_UNKNOWN 0xff
uint8_t binance_outcome(uint8_t product, int status, int64_t code, const char *text, size_t bytes);

/* binance_refusal emits what a refused request becomes (REJECT, UNKNOWN, AMENDED, ORDER_STATE); nothing when
 * it answers no order request and there are no hooks. */
void binance_refusal(struct binance_reader *reader, int status, int64_t code, const char *text, size_t bytes);

/* The parts others need. */
const struct instrument *binance_row(struct binance_reader *reader, const struct scan_value *symbol);
uint16_t binance_currency(struct binance_reader *reader, const struct scan_value *code);
struct record_report *binance_report(struct binance_reader *reader, struct slot record[3],
                                     enum record_type type, const struct instrument *row);
void binance_client(struct binance_reader *reader, struct record_report *report, const struct scan_value *id);
void binance_emit(struct binance_reader *reader, const struct slot *record);
enum order_status binance_order_status(const struct scan_value *text);

#endif
