#include "venues/binance/report.h"
#include "venues/report.h"

#include <string.h>

const struct scan_name binance_keys[KEY_COUNT] = {
    [KEY_ID] = SCAN_NAME("id"),
    [KEY_QTY] = SCAN_NAME("qty"),
    [KEY_MSG] = SCAN_NAME("msg"),
    [KEY_SIDE] = SCAN_NAME("side"),
    [KEY_TYPE] = SCAN_NAME("type"),
    [KEY_TIME] = SCAN_NAME("time"),
    [KEY_CODE] = SCAN_NAME("code"),
    [KEY_FREE] = SCAN_NAME("free"),
    [KEY_PRICE] = SCAN_NAME("price"),
    [KEY_FILLS] = SCAN_NAME("fills"),
    [KEY_BUYER] = SCAN_NAME("buyer"),
    [KEY_MAKER] = SCAN_NAME("maker"),
    [KEY_ASSET] = SCAN_NAME("asset"),
    [KEY_SYMBOL] = SCAN_NAME("symbol"),
    [KEY_STATUS] = SCAN_NAME("status"),
    [KEY_LOCKED] = SCAN_NAME("locked"),
    [KEY_ASSETS] = SCAN_NAME("assets"),
    [KEY_INCOME] = SCAN_NAME("income"),
    [KEY_TRAN_ID] = SCAN_NAME("tranId"),
    [KEY_ORDER_ID] = SCAN_NAME("orderId"),
    [KEY_ORIG_QTY] = SCAN_NAME("origQty"),
    [KEY_IS_BUYER] = SCAN_NAME("isBuyer"),
    [KEY_IS_MAKER] = SCAN_NAME("isMaker"),
    [KEY_TRADE_ID] = SCAN_NAME("tradeId"),
    [KEY_BALANCE] = SCAN_NAME("balance"),
    [KEY_BALANCES] = SCAN_NAME("balances"),
    [KEY_IS_WORKING] = SCAN_NAME("isWorking"),
    [KEY_POSITIONS] = SCAN_NAME("positions"),
    [KEY_MARK_PRICE] = SCAN_NAME("markPrice"),
    [KEY_UPDATE_TIME] = SCAN_NAME("updateTime"),
    [KEY_COMMISSION] = SCAN_NAME("commission"),
    [KEY_ENTRY_PRICE] = SCAN_NAME("entryPrice"),
    [KEY_INDEX_PRICE] = SCAN_NAME("indexPrice"),
    [KEY_INCOME_TYPE] = SCAN_NAME("incomeType"),
    [KEY_EXECUTED_QTY] = SCAN_NAME("executedQty"),
    [KEY_TIF] = SCAN_NAME("timeInForce"),
    [KEY_REALIZED] = SCAN_NAME("realizedPnl"),
    [KEY_POSITION_AMT] = SCAN_NAME("positionAmt"),
    [KEY_FUNDING_RATE] = SCAN_NAME("fundingRate"),
    [KEY_FUNDING_TIME] = SCAN_NAME("fundingTime"),
    [KEY_TRANSACT_TIME] = SCAN_NAME("transactTime"),
    [KEY_AMENDED_ORDER] = SCAN_NAME("amendedOrder"),
    [KEY_CANCEL_RESULT] = SCAN_NAME("cancelResult"),
    [KEY_ORDER_REPORTS] = SCAN_NAME("orderReports"),
    [KEY_POSITION_SIDE] = SCAN_NAME("positionSide"),
    [KEY_CLIENT_ID] = SCAN_NAME("clientOrderId"),
    [KEY_WALLET_BALANCE] = SCAN_NAME("walletBalance"),
    [KEY_TAX_COMMISSION] = SCAN_NAME("taxCommission"),
    [KEY_CANCEL_RESPONSE] = SCAN_NAME("cancelResponse"),
    [KEY_CONTINGENCY] = SCAN_NAME("contingencyType"),
    [KEY_COMMISSION_ASSET] = SCAN_NAME("commissionAsset"),
    [KEY_LAST_FUNDING] = SCAN_NAME("lastFundingRate"),
    [KEY_NEXT_FUNDING] = SCAN_NAME("nextFundingTime"),
    [KEY_NEW_ORDER_RESPONSE] = SCAN_NAME("newOrderResponse"),
    [KEY_UNREALIZED] = SCAN_NAME("unRealizedProfit"),
    [KEY_UNREALIZED_LOW] = SCAN_NAME("unrealizedProfit"),
    [KEY_LIQUIDATION] = SCAN_NAME("liquidationPrice"),
    [KEY_AVAILABLE] = SCAN_NAME("availableBalance"),
    [KEY_ORIG_CLIENT_ID] = SCAN_NAME("origClientOrderId"),
    [KEY_LIST_CLIENT_ID] = SCAN_NAME("listClientOrderId"),
    [KEY_SPECIAL_COMMISSION] = SCAN_NAME("specialCommission"),
    [KEY_STANDARD_COMMISSION] = SCAN_NAME("standardCommission"),
    [KEY_MAKER_RATE] = SCAN_NAME("makerCommissionRate"),
    [KEY_TAKER_RATE] = SCAN_NAME("takerCommissionRate"),
};

/* Replies have two dozen keys and there are more than sixty names: looking only at those of the right length
 * made the acknowledgement of an order more than twice as fast to read.  A test finds every name by it. */
const uint8_t binance_key_from[BINANCE_KEY_LETTERS + 2] = { 0,  0,  0,  1,  3,  8,  13, 19, 25, 26, 29,
                                                            34, 40, 45, 48, 49, 53, 58, 61, 62, 64 };

static bool wrong(struct binance_reader *reader, const char *why)
{
    reader->why = why;
    if (reader->hooks != NULL) {
        reader->hooks->broken = why;
    }
    return false;
}

bool binance_fields_here(struct scan *scan, struct scan_value fields[KEY_COUNT])
{
    struct scan_value key, ignored;
    memset(fields, 0, KEY_COUNT * sizeof *fields);
    if (!scan_object(scan)) {
        return false;
    }
    while (scan_key(scan, &key)) {
        struct scan_value *to = &ignored;
        if (key.bytes <= BINANCE_KEY_LETTERS) {
            for (uint32_t i = binance_key_from[key.bytes]; i < binance_key_from[key.bytes + 1]; i++) {
                if (memcmp(binance_keys[i].text, key.at, key.bytes) == 0) {
                    to = &fields[i];
                    break;
                }
            }
        }
        if (!scan_take(scan, to)) {
            return false;
        }
    }
    return scan->state == SCAN_FINE;
}

bool binance_fields(struct scan *scan, const char *text, size_t bytes, struct scan_value fields[KEY_COUNT])
{
    scan_open(scan, text, bytes);
    return binance_fields_here(scan, fields);
}

/* ------------------------------------------------------------------ codes */

/* clang-format off */
static const struct {
    int16_t code;
    uint8_t spot;    /* enum reject_reason, or BINANCE_OUTCOME_UNKNOWN */
    uint8_t futures;
} codes[] = {
    /* -2021, -2022 and -2026 mean different things on spot and on futures */
    { -1000, BINANCE_OUTCOME_UNKNOWN, BINANCE_OUTCOME_UNKNOWN },
    { -1001, BINANCE_OUTCOME_UNKNOWN, BINANCE_OUTCOME_UNKNOWN },
    { -1002, REASON_AUTH,          REASON_AUTH },
    { -1003, REASON_RATE_LIMIT,    REASON_RATE_LIMIT },
    { -1006, BINANCE_OUTCOME_UNKNOWN, BINANCE_OUTCOME_UNKNOWN },
    { -1007, BINANCE_OUTCOME_UNKNOWN, BINANCE_OUTCOME_UNKNOWN },
    { -1008, REASON_RATE_LIMIT,    REASON_RATE_LIMIT },
    { -1013, REASON_FILTER,        REASON_FILTER },
    { -1015, REASON_RATE_LIMIT,    REASON_RATE_LIMIT },
    { -1021, REASON_TIME,          REASON_TIME },
    { -1022, REASON_AUTH,          REASON_AUTH },
    { -1034, REASON_RATE_LIMIT,    REASON_RATE_LIMIT },
    { -1111, REASON_FILTER,        REASON_FILTER },
    { -2011, REASON_NOT_FOUND,     REASON_NOT_FOUND },
    { -2013, REASON_NOT_FOUND,     REASON_NOT_FOUND },
    { -2014, REASON_AUTH,          REASON_AUTH },
    { -2015, REASON_AUTH,          REASON_AUTH },
    { -2018, REASON_OTHER,         REASON_BALANCE },
    { -2019, REASON_OTHER,         REASON_BALANCE },
    { -2022, REASON_OTHER,         REASON_REDUCE_ONLY },
    { -2023, REASON_OTHER,         REASON_LIQUIDATION },
    { -2024, REASON_OTHER,         REASON_REDUCE_ONLY },
    { -2025, REASON_OTHER,         REASON_RATE_LIMIT },
    { -2026, REASON_NOT_FOUND,     REASON_REDUCE_ONLY },
    { -2027, REASON_OTHER,         REASON_BALANCE },
    { -2028, REASON_OTHER,         REASON_BALANCE },
    { -4003, REASON_OTHER,         REASON_FILTER },
    { -4004, REASON_OTHER,         REASON_FILTER },
    { -4005, REASON_OTHER,         REASON_FILTER },
    { -4013, REASON_OTHER,         REASON_FILTER },
    { -4014, REASON_OTHER,         REASON_FILTER },
    { -4016, REASON_OTHER,         REASON_PRICE_BAND },
    { -4023, REASON_OTHER,         REASON_FILTER },
    { -4024, REASON_OTHER,         REASON_PRICE_BAND },
    { -4046, REASON_OTHER,         REASON_UNCHANGED },
    { -4059, REASON_OTHER,         REASON_UNCHANGED },
    { -4061, REASON_OTHER,         REASON_AUTH },  /* hedge mode: the account is not what we trade on */
    { -4087, REASON_OTHER,         REASON_AUTH },
    { -4088, REASON_OTHER,         REASON_AUTH },
    { -4116, REASON_OTHER,         REASON_DUPLICATE_ID },
    { -4118, REASON_OTHER,         REASON_REDUCE_ONLY },
    { -4131, REASON_OTHER,         REASON_PRICE_BAND },
    { -4140, REASON_OTHER,         REASON_SUSPENDED },
    { -4141, REASON_OTHER,         REASON_SUSPENDED },
    { -4164, REASON_OTHER,         REASON_FILTER },
    { -4183, REASON_OTHER,         REASON_PRICE_BAND },
    { -4184, REASON_OTHER,         REASON_PRICE_BAND },
    { -4192, REASON_OTHER,         REASON_AUTH },  /* cooling off: the account must stop */
    { -4400, REASON_OTHER,         REASON_SUSPENDED },
    { -4401, REASON_OTHER,         REASON_SUSPENDED },
    { -4531, REASON_OTHER,         REASON_AUTH },
    { -5021, REASON_OTHER,         REASON_IOC },
    { -5022, REASON_OTHER,         REASON_POST_ONLY },
    { -5024, REASON_OTHER,         REASON_SUSPENDED },
    { -5027, REASON_OTHER,         REASON_UNCHANGED },
    { -5028, REASON_OTHER,         REASON_TIME },
    { -5029, REASON_OTHER,         REASON_FILTER },
    { -5040, REASON_OTHER,         REASON_FILTER },
};

/* -2010 and -1013 are told apart by their words only. */
static const struct {
    int16_t code;
    uint8_t reason;
    const char *words;
} texts[] = {
    { -2010, REASON_BALANCE,      "insufficient balance" },
    { -2010, REASON_POST_ONLY,    "immediately match" },
    { -2010, REASON_DUPLICATE_ID, "Duplicate order" },
    { -2010, REASON_SUSPENDED,    "Market is closed" },
    { -1013, REASON_PRICE_BAND,   "PERCENT_PRICE" },
    { -1013, REASON_RATE_LIMIT,   "MAX_NUM" },
    { -1013, REASON_SUSPENDED,    "Market is closed" },
};
/* clang-format on */

uint8_t binance_outcome(uint8_t product, int status, int64_t code, const char *text, size_t bytes)
{
    text = text != NULL ? text : "";
    for (size_t i = 0; i < POISE_COUNT_OF(texts); i++) {
        if (texts[i].code == code && memmem(text, bytes, texts[i].words, strlen(texts[i].words)) != NULL) {
            return texts[i].reason;
        }
    }
    for (size_t i = 0; i < POISE_COUNT_OF(codes); i++) {
        if (codes[i].code == code) {
            return product == PRODUCT_SPOT ? codes[i].spot : codes[i].futures;
        }
    }
    if (status >= 500 || status <= 0) {
        /* one text of the futures' 503 says plainly that nothing was executed */
        static const char plain[] = "Service Unavailable.";
        return status == 503 && bytes == sizeof plain - 1 && memcmp(text, plain, bytes) == 0
                   ? REASON_RATE_LIMIT
                   : BINANCE_OUTCOME_UNKNOWN;
    }
    if (status == 418 || status == 429) {
        return REASON_RATE_LIMIT;
    }
    return status == 401 ? REASON_AUTH : REASON_OTHER;
}

/* ------------------------------------------------------------------ making records */

const struct instrument *binance_row(struct binance_reader *reader, const struct scan_value *symbol)
{
    if (symbol->type != SCAN_STRING || symbol->bytes == 0) {
        return NULL;
    }
    const struct instrument *row =
        instrument_find(reader->instruments, VENUE_BINANCE, reader->product, symbol->at, symbol->bytes);
    if (row == NULL && reader->hooks != NULL && reader->hooks->unknown_symbol != NULL) {
        row =
            reader->hooks->unknown_symbol(reader->hooks->context, reader->product, symbol->at, symbol->bytes);
    }
    return row;
}

uint16_t binance_currency(struct binance_reader *reader, const struct scan_value *code)
{
    return report_currency(reader->instruments, reader->hooks, code);
}

void binance_emit(struct binance_reader *reader, const struct slot *record)
{
    if (!reader->dry) {
        reader->rows++;
        reader->sink->emit(reader->sink->context, record);
    }
}

static void begin(struct binance_reader *reader, struct slot *record, enum record_type type, uint8_t slots,
                  uint16_t instrument)
{
    report_begin(record, type, slots, reader->stamp_ns, reader->flags, reader->account, instrument);
}

struct record_report *binance_report(struct binance_reader *reader, struct slot record[3],
                                     enum record_type type, const struct instrument *row)
{
    begin(reader, record, type, 3, row != NULL ? row->index : reader->instrument);
    struct record_report *report = (struct record_report *)(void *)record;
    report->tie = reader->tie;
    report->order = reader->order;
    report->request = reader->request;
    report->fee_currency = CURRENCY_NONE;
    return report;
}

/* Orders that the venue makes to close a position of ours. */
/* clang-format off */
static const struct {
    const char *text;
    uint8_t reason;
} venue_ids[] = {
    { "autoclose-",            REASON_LIQUIDATION },
    { "adl_autoclose",         REASON_LIQUIDATION },
    { "settlement_autoclose-", REASON_DELIVERY },
    { "delivery_autoclose-",   REASON_DELIVERY },
};
/* clang-format on */

static uint8_t closes_us(const struct scan_value *id)
{
    for (size_t i = 0; i < POISE_COUNT_OF(venue_ids); i++) {
        size_t bytes = strlen(venue_ids[i].text);
        if (id->bytes >= bytes && memcmp(id->at, venue_ids[i].text, bytes) == 0) {
            return venue_ids[i].reason;
        }
    }
    return REASON_NONE;
}

void binance_client(struct binance_reader *reader, struct record_report *report, const struct scan_value *id)
{
    if (report_client(report, reader->hooks, reader->order, id)) {
        uint8_t reason = closes_us(id); /* foreign, because the venue's own */
        report->reason = reason != REASON_NONE ? reason : report->reason;
    }
}

static void forget_words(struct binance_reader *reader)
{
    if (reader->hooks != NULL) {
        reader->hooks->client_id = NULL;
        reader->hooks->client_id_bytes = 0;
        reader->hooks->note = NULL;
        reader->hooks->note_bytes = 0;
        reader->hooks->position_side = 0;
        reader->hooks->has_side = false;
    }
}

/* clang-format off */
static const struct {
    const char *text;
    uint8_t status;
    bool final;
} order_states[] = {
    { "NEW",              ORDER_STATUS_OPEN,      false },
    { "PENDING_NEW",      ORDER_STATUS_OPEN,      false },
    { "PARTIALLY_FILLED", ORDER_STATUS_PARTIAL,   false },
    { "FILLED",           ORDER_STATUS_FILLED,    true },
    { "CANCELED",         ORDER_STATUS_CANCELLED, true },
    { "PENDING_CANCEL",   ORDER_STATUS_OPEN,      false },
    { "REJECTED",         ORDER_STATUS_REJECTED,  true },
    { "EXPIRED",          ORDER_STATUS_EXPIRED,   true },
    { "EXPIRED_IN_MATCH", ORDER_STATUS_EXPIRED,   true },
    { "NEW_INSURANCE",    ORDER_STATUS_OPEN,      false },
    { "NEW_ADL",          ORDER_STATUS_OPEN,      false },
};
/* clang-format on */

enum order_status binance_order_status(const struct scan_value *text)
{
    for (size_t i = 0; i < POISE_COUNT_OF(order_states); i++) {
        if (scan_is(text, order_states[i].text)) {
            return order_states[i].status;
        }
    }
    return ORDER_STATUS_NONE;
}

static bool is_final(uint8_t status)
{
    return status == ORDER_STATUS_FILLED || status == ORDER_STATUS_CANCELLED ||
           status == ORDER_STATUS_EXPIRED || status == ORDER_STATUS_REJECTED;
}

/* set_status: an order that liquidation filled may still be called NEW_ADL: all executed is filled. */
static void set_status(struct record_report *report, const struct scan_value *text)
{
    report->status = binance_order_status(text);
    bool closing = scan_is(text, "NEW_ADL") || scan_is(text, "NEW_INSURANCE");
    if (closing && (report->flags & REPORT_HAS_CUM) != 0 && report->cum_qty >= report->order_qty) {
        report->status = ORDER_STATUS_FILLED;
    }
    if (is_final(report->status) && (report->flags & REPORT_HAS_CUM) != 0) {
        report->flags |= REPORT_TERMINAL;
    }
}

static bool set_side(struct binance_reader *reader, struct record_report *report,
                     const struct scan_value *text)
{
    report->side = scan_is(text, "SELL") ? SIDE_SELL : SIDE_BUY;
    bool told = report->side == SIDE_SELL || scan_is(text, "BUY");
    if (reader->hooks != NULL) {
        reader->hooks->has_side = told;
    }
    return told;
}

static void set_price_open(struct record_report *report)
{
    report->price = 0;
    report->flags |= REPORT_PRICE_OPEN;
}

/* An execution without an id of its own still needs one that stays the same when it is told again. */
static uint64_t made_up_exec_id(const struct scan_value *order, int64_t cum)
{
    uint64_t hash = 0xcbf29ce484222325ULL;
    for (uint32_t i = 0; i < order->bytes; i++) {
        hash = (hash ^ (unsigned char)order->at[i]) * 0x100000001b3ULL;
    }
    return (hash ^ (uint64_t)cum * 0x9e3779b97f4a7c15ULL) | 1ULL << 63;
}

/* ------------------------------------------------------------------ objects of replies and REST */

static bool conditional(const struct scan_value fields[KEY_COUNT])
{
    const struct scan_value *type = &fields[KEY_TYPE];
    if (type->type != SCAN_STRING || fields[KEY_IS_WORKING].type == SCAN_TRUE) {
        return false;
    }
    static const char *const begins[] = { "STOP", "TAKE_PROFIT", "TRAILING" };
    for (size_t i = 0; i < POISE_COUNT_OF(begins); i++) {
        size_t bytes = strlen(begins[i]);
        if (type->bytes >= bytes && memcmp(type->at, begins[i], bytes) == 0) {
            return true;
        }
    }
    return false;
}

static bool object(struct binance_reader *reader, const struct scan_value fields[KEY_COUNT],
                   enum binance_shape only);

/* What an order object answers, when neither our own id nor a person said so. */
static enum request_kind guess_request(const struct binance_reader *reader,
                                       const struct scan_value fields[KEY_COUNT])
{
    if (reader->request != REQUEST_NONE) {
        return reader->request;
    }
    if (scan_is(&fields[KEY_STATUS], "CANCELED") && fields[KEY_TIME].type == SCAN_NONE) {
        return REQUEST_CANCEL;
    }
    if (fields[KEY_TIME].type != SCAN_NONE) {
        return REQUEST_QUERY; /* only queries tell when an order was made */
    }
    return fields[KEY_ORIG_CLIENT_ID].type == SCAN_STRING ? REQUEST_CANCEL : REQUEST_NEW;
}

static bool fills_of_order(struct binance_reader *reader, const struct instrument *row,
                           const struct record_report *order, const struct scan_value *fills)
{
    struct scan scan;
    struct scan_value item;
    scan_open(&scan, fills->at, fills->bytes);
    scan_array(&scan);
    while (scan_item(&scan) && scan_take(&scan, &item)) {
        struct scan inner;
        struct scan_value fields[KEY_COUNT];
        struct slot record[3];
        if (item.type != SCAN_OBJECT || !binance_fields(&inner, item.at, item.bytes, fields)) {
            return wrong(reader, "a fill is not an object");
        }
        struct record_report *report = binance_report(reader, record, RECORD_FILL, row);
        report->order = order->order;
        report->flags = (order->flags & REPORT_FOREIGN) | REPORT_HAS_LAST;
        memcpy(report->venue_order_id, order->venue_order_id, sizeof report->venue_order_id);
        report->side = order->side;
        report->order_qty = order->order_qty;
        report->order_price = order->order_price;
        report->venue_time_ns = order->venue_time_ns;
        report->liquidity = LIQUIDITY_TAKER; /* filled while it was being placed */
        if (!scan_decimal(&fields[KEY_QTY], row->qty_decimals, &report->last_qty) || report->last_qty <= 0 ||
            !scan_unsigned(&fields[KEY_TRADE_ID], &report->exec_id)) {
            return wrong(reader, "a fill's number is none, or finer than the instrument's unit");
        }
        if (!scan_decimal(&fields[KEY_PRICE], row->price_decimals, &report->price) || report->price <= 0) {
            set_price_open(report);
        }
        report_fee(report, reader->instruments, reader->hooks, &fields[KEY_COMMISSION],
                   &fields[KEY_COMMISSION_ASSET]);
        binance_emit(reader, record);
    }
    return true;
}

/* An acknowledgement says nothing of executed quantities; where more is known an order state follows. */
static void acknowledge(struct binance_reader *reader, const struct record_report *order,
                        const struct slot record[3])
{
    struct slot copy[3];
    memcpy(copy, record, sizeof copy);
    struct record_report *ack = (struct record_report *)(void *)copy;
    ack->head.type = RECORD_ACK;
    ack->flags = order->flags & REPORT_FOREIGN;
    ack->cum_qty = 0;
    ack->reason = REASON_NONE;
    ack->status = order->status == ORDER_STATUS_UNTRIGGERED ? ORDER_STATUS_UNTRIGGERED : ORDER_STATUS_OPEN;
    binance_emit(reader, copy);
}

/* Why a reply already says that the order is over. */
static uint8_t reply_reason(const struct record_report *report, const struct scan_value *tif,
                            const struct scan_value *status)
{
    if (report->status != ORDER_STATUS_EXPIRED) {
        return REASON_NONE;
    }
    if (scan_is(status, "EXPIRED_IN_MATCH")) {
        return REASON_SELF_TRADE;
    }
    return scan_is(tif, "GTX") ? REASON_POST_ONLY : REASON_IOC;
}

static bool order_object(struct binance_reader *reader, const struct scan_value fields[KEY_COUNT])
{
    const struct instrument *row = binance_row(reader, &fields[KEY_SYMBOL]);
    if (row == NULL) {
        reader->skipped++;
        return fields[KEY_SYMBOL].type == SCAN_STRING || wrong(reader, "an order without its symbol");
    }
    struct slot record[3];
    struct record_report *report = binance_report(reader, record, RECORD_ORDER_STATE, row);
    const struct scan_value *client = &fields[KEY_ORIG_CLIENT_ID];
    binance_client(reader, report,
                   client->type == SCAN_STRING && client->bytes > 0 ? client : &fields[KEY_CLIENT_ID]);
    report_venue_order(report, &fields[KEY_ORDER_ID]);
    set_side(reader, report, &fields[KEY_SIDE]);
    const struct scan_value *time = &fields[KEY_TRANSACT_TIME];
    time = time->type != SCAN_NONE ? time : &fields[KEY_UPDATE_TIME];
    report->venue_time_ns = scan_time_ns(time->type != SCAN_NONE ? time : &fields[KEY_TIME]);

    const struct scan_value *qty = &fields[fields[KEY_ORIG_QTY].type != SCAN_NONE ? KEY_ORIG_QTY : KEY_QTY];
    if (qty->type != SCAN_NONE && !scan_decimal(qty, row->qty_decimals, &report->order_qty)) {
        return wrong(reader, "an order's quantity is none, or finer than the instrument's unit");
    }
    if (fields[KEY_PRICE].type != SCAN_NONE) {
        scan_decimal_near(&fields[KEY_PRICE], row->price_decimals, &report->order_price);
        report->price = report->order_price;
    }
    if (fields[KEY_EXECUTED_QTY].type != SCAN_NONE) {
        if (!scan_decimal(&fields[KEY_EXECUTED_QTY], row->qty_decimals, &report->cum_qty)) {
            return wrong(reader, "an executed quantity is none, or finer than the instrument's unit");
        }
        report->flags |= REPORT_HAS_CUM;
    }
    if (fields[KEY_STATUS].type == SCAN_STRING) {
        set_status(report, &fields[KEY_STATUS]);
    }
    if (!reason_closes_us(report->reason)) { /* whose it is says more than how it ended */
        report->reason = reply_reason(report, &fields[KEY_TIF], &fields[KEY_STATUS]);
    }
    if (report->status == ORDER_STATUS_OPEN && conditional(fields)) {
        report->status = ORDER_STATUS_UNTRIGGERED;
    }

    report->request = guess_request(reader, fields);
    bool final = (report->flags & REPORT_TERMINAL) != 0;
    bool cancelled = report->status == ORDER_STATUS_CANCELLED;
    bool open = report->status == ORDER_STATUS_OPEN || report->status == ORDER_STATUS_UNTRIGGERED ||
                report->status == ORDER_STATUS_NONE;
    switch (report->request) {
    case REQUEST_NEW:
        /* what was executed while it was being placed comes first, as everywhere */
        if (fields[KEY_FILLS].type == SCAN_ARRAY &&
            !fills_of_order(reader, row, report, &fields[KEY_FILLS])) {
            return false;
        }
        acknowledge(reader, report, record);
        if (!final) {
            return true;
        }
        break;
    case REQUEST_AMEND:
        report->head.type = cancelled ? RECORD_CANCELLED : final ? RECORD_ORDER_STATE : RECORD_AMENDED;
        break;
    case REQUEST_CANCEL:
    case REQUEST_CANCEL_ALL:
        /* status and executed quantity both come from the venue: that is final; without them it is not */
        report->head.type = cancelled && final ? RECORD_CANCELLED
                            : open             ? RECORD_CANCEL_ACK
                                               : RECORD_ORDER_STATE;
        break;
    default:
        break;
    }
    binance_emit(reader, record);
    return true;
}

/* What is executed at or behind the end of a contract is its delivery, at an average of the index that is
 * finer than a tick; what it costs is told beside it. */
static void emit_fill(struct binance_reader *reader, struct slot *record, const struct instrument *row,
                      const struct scan_value *price)
{
    const struct record_report *report = (const struct record_report *)(const void *)record;
    if (row->expiry_ns == 0 || report->venue_time_ns < row->expiry_ns) {
        binance_emit(reader, record);
        return;
    }
    struct slot ended[1];
    begin(reader, ended, RECORD_DELIVERY, 1, row->index);
    struct record_delivery *delivery = (struct record_delivery *)(void *)ended;
    delivery->venue_time_ns = report->venue_time_ns;
    if (!scan_decimal_near(price, DECIMAL_MONEY, &delivery->price_e8) || delivery->price_e8 <= 0) {
        binance_emit(reader, record); /* without its price it is an execution whose price is open */
        return;
    }
    binance_emit(reader, ended);
    if ((report->flags & REPORT_HAS_FEE) != 0 && report->fee_e8 != 0) {
        begin(reader, ended, RECORD_BALANCE, 1, row->index);
        struct record_balance *fee = (struct record_balance *)(void *)ended;
        fee->currency = report->fee_currency;
        fee->total_e8 = fee->available_e8 = INT64_MIN;
        fee->change_e8 = -report->fee_e8;
        fee->reason = CASH_FEE;
        fee->told = CASH_TOLD_ROW;
        fee->row = record_row_id((const char *)&report->exec_id, sizeof report->exec_id);
        fee->venue_time_ns = report->venue_time_ns;
        binance_emit(reader, ended);
    }
}

static bool fill_object(struct binance_reader *reader, const struct scan_value fields[KEY_COUNT])
{
    const struct instrument *row = binance_row(reader, &fields[KEY_SYMBOL]);
    if (row == NULL) {
        reader->skipped++;
        return fields[KEY_SYMBOL].type == SCAN_STRING || wrong(reader, "a fill without its symbol");
    }
    struct slot record[3];
    struct record_report *report = binance_report(reader, record, RECORD_FILL, row);
    /* history names the order by the venue's id only */
    report->order = 0;
    report->flags = REPORT_HAS_LAST | REPORT_FOREIGN;
    report_venue_order(report, &fields[KEY_ORDER_ID]);
    const struct scan_value *maker =
        fields[KEY_IS_MAKER].type != SCAN_NONE ? &fields[KEY_IS_MAKER] : &fields[KEY_MAKER];
    const struct scan_value *buyer =
        fields[KEY_IS_BUYER].type != SCAN_NONE ? &fields[KEY_IS_BUYER] : &fields[KEY_BUYER];
    report->liquidity = maker->type == SCAN_TRUE    ? LIQUIDITY_MAKER
                        : maker->type == SCAN_FALSE ? LIQUIDITY_TAKER
                                                    : LIQUIDITY_UNKNOWN;
    if (fields[KEY_SIDE].type == SCAN_STRING) {
        if (!set_side(reader, report, &fields[KEY_SIDE])) {
            return wrong(reader, "a fill's side is neither BUY nor SELL");
        }
    } else if (buyer->type == SCAN_TRUE || buyer->type == SCAN_FALSE) {
        report->side = buyer->type == SCAN_TRUE ? SIDE_BUY : SIDE_SELL;
        if (reader->hooks != NULL) {
            reader->hooks->has_side = true;
        }
    } else {
        return wrong(reader, "a fill without its side");
    }
    if (!scan_unsigned(&fields[KEY_ID], &report->exec_id) ||
        !scan_decimal(&fields[KEY_QTY], row->qty_decimals, &report->last_qty)) {
        return wrong(reader, "a fill's number is none, or finer than the instrument's unit");
    }
    if (!scan_decimal(&fields[KEY_PRICE], row->price_decimals, &report->price) || report->price <= 0) {
        set_price_open(report);
    }
    if (report->exec_id > reader->last_id) {
        reader->last_id = report->exec_id;
    }
    report->venue_time_ns = scan_time_ns(&fields[KEY_TIME]);
    report_fee(report, reader->instruments, reader->hooks, &fields[KEY_COMMISSION],
               &fields[KEY_COMMISSION_ASSET]);
    if (scan_has_number(&fields[KEY_REALIZED]) &&
        scan_decimal_near(&fields[KEY_REALIZED], DECIMAL_MONEY, &report->realised_e8)) {
        report->flags |= REPORT_HAS_REALISED;
    }
    emit_fill(reader, record, row, &fields[KEY_PRICE]);
    return true;
}

static uint8_t position_side(const struct scan_value *text)
{
    return scan_is(text, "LONG") ? 1 : scan_is(text, "SHORT") ? 2 : 0;
}

static bool position(struct binance_reader *reader, const struct scan_value *symbol,
                     const struct scan_value *qty, const struct scan_value *entry,
                     const struct scan_value *unrealised, const struct scan_value *liquidation,
                     const struct scan_value *side, int64_t time_ns)
{
    const struct instrument *row = binance_row(reader, symbol);
    if (row == NULL) {
        reader->skipped++;
        return symbol->type == SCAN_STRING || wrong(reader, "a position without its symbol");
    }
    struct slot record[1];
    begin(reader, record, RECORD_POSITION, 1, row->index);
    struct record_position *to = (struct record_position *)(void *)record;
    if (!scan_decimal(qty, row->qty_decimals, &to->qty)) {
        return wrong(reader, "a position's quantity is none, or finer than the instrument's unit");
    }
    scan_decimal_near(entry, DECIMAL_MONEY, &to->entry_e8);
    scan_decimal_near(liquidation, DECIMAL_MONEY, &to->liquidation_e8);
    if (!scan_decimal_near(unrealised, DECIMAL_MONEY, &to->unrealised_e8)) {
        to->unrealised_e8 = INT64_MIN;
    }
    to->venue_time_ns = time_ns;
    if (reader->hooks != NULL) {
        reader->hooks->position_side = position_side(side);
    }
    binance_emit(reader, record);
    return true;
}

static bool balance(struct binance_reader *reader, const struct scan_value *asset, int64_t total_e8,
                    int64_t available_e8, int64_t change_e8, enum cash_reason reason, uint8_t told,
                    int64_t time_ns)
{
    uint16_t currency = binance_currency(reader, asset);
    if (currency == CURRENCY_NONE) {
        reader->skipped++;
        return asset->type == SCAN_STRING || wrong(reader, "a balance without its currency");
    }
    struct slot record[1];
    begin(reader, record, RECORD_BALANCE, 1, NO_INSTRUMENT);
    struct record_balance *to = (struct record_balance *)(void *)record;
    to->currency = currency;
    to->total_e8 = total_e8;
    to->available_e8 = available_e8;
    to->change_e8 = change_e8;
    to->reason = (uint8_t)reason;
    to->told = told;
    to->venue_time_ns = time_ns;
    binance_emit(reader, record);
    return true;
}

static bool balance_object(struct binance_reader *reader, const struct scan_value fields[KEY_COUNT])
{
    int64_t total, available = INT64_MIN, locked;
    int64_t time_ns = scan_time_ns(&fields[KEY_UPDATE_TIME]);
    if (fields[KEY_FREE].type != SCAN_NONE) {
        if (!scan_decimal_near(&fields[KEY_FREE], DECIMAL_MONEY, &available) ||
            !scan_decimal_near(&fields[KEY_LOCKED], DECIMAL_MONEY, &locked) ||
            __builtin_add_overflow(available, locked, &total)) {
            return wrong(reader, "a balance is no number");
        }
        return balance(reader, &fields[KEY_ASSET], total, available, 0, CASH_SNAPSHOT, CASH_TOLD_ONCE,
                       time_ns);
    }
    const struct scan_value *wallet =
        fields[KEY_BALANCE].type != SCAN_NONE ? &fields[KEY_BALANCE] : &fields[KEY_WALLET_BALANCE];
    if (!scan_decimal_near(wallet, DECIMAL_MONEY, &total)) {
        return wrong(reader, "a balance is no number");
    }
    scan_decimal_near(&fields[KEY_AVAILABLE], DECIMAL_MONEY, &available);
    return balance(reader, &fields[KEY_ASSET], total, available, 0, CASH_SNAPSHOT, CASH_TOLD_ONCE, time_ns);
}

static void tell_marks(struct binance_reader *reader, int64_t mark_e8, int64_t index_e8)
{
    if (reader->hooks != NULL) {
        reader->hooks->mark_e8 = mark_e8;
        reader->hooks->index_e8 = index_e8;
    }
}

static bool mark_object(struct binance_reader *reader, const struct scan_value fields[KEY_COUNT])
{
    const struct instrument *row = binance_row(reader, &fields[KEY_SYMBOL]);
    int64_t mark_e8 = 0, index_e8 = 0;
    if (row == NULL) {
        reader->skipped++;
        return true;
    }
    if (!scan_decimal_near(&fields[KEY_MARK_PRICE], DECIMAL_MONEY, &mark_e8)) {
        return wrong(reader, "a mark price is no number");
    }
    scan_decimal_near(&fields[KEY_INDEX_PRICE], DECIMAL_MONEY, &index_e8);
    tell_marks(reader, mark_e8, index_e8);
    struct slot record[1];
    begin(reader, record, RECORD_MARK, 1, row->index);
    struct record_mark *to = (struct record_mark *)(void *)record;
    to->mark = decimal_rescale(mark_e8, DECIMAL_MONEY, row->price_decimals, ROUND_HALF_EVEN);
    to->index = decimal_rescale(index_e8, DECIMAL_MONEY, row->price_decimals, ROUND_HALF_EVEN);
    to->next_funding_ns = scan_time_ns(&fields[KEY_NEXT_FUNDING]);
    to->venue_time_ns = scan_time_ns(&fields[KEY_TIME]);
    if (!scan_decimal_near(&fields[KEY_LAST_FUNDING], 12, &to->funding_rate_e12)) {
        to->next_funding_ns = 0; /* a rate that is not told must not be taken for zero */
    }
    binance_emit(reader, record);
    return true;
}

/* A past settlement: the rate that was paid and when. */
static bool funding_object(struct binance_reader *reader, const struct scan_value fields[KEY_COUNT])
{
    const struct instrument *row = binance_row(reader, &fields[KEY_SYMBOL]);
    int64_t mark_e8 = 0;
    if (row == NULL) {
        reader->skipped++;
        return true;
    }
    struct slot record[1];
    begin(reader, record, RECORD_MARK, 1, row->index);
    struct record_mark *to = (struct record_mark *)(void *)record;
    if (!scan_decimal_near(&fields[KEY_FUNDING_RATE], 12, &to->funding_rate_e12)) {
        return wrong(reader, "a funding rate is no number");
    }
    scan_decimal_near(&fields[KEY_MARK_PRICE], DECIMAL_MONEY, &mark_e8);
    tell_marks(reader, mark_e8, 0);
    to->mark = decimal_rescale(mark_e8, DECIMAL_MONEY, row->price_decimals, ROUND_HALF_EVEN);
    to->next_funding_ns = scan_time_ns(&fields[KEY_FUNDING_TIME]);
    to->venue_time_ns = to->next_funding_ns;
    binance_emit(reader, record);
    return true;
}

static enum cash_reason income_reason(const struct scan_value *type)
{
    static const struct {
        const char *text;
        enum cash_reason reason;
    } reasons[] = {
        { "FUNDING_FEE", CASH_FUNDING },
        { "COMMISSION", CASH_FEE },
        { "REALIZED_PNL", CASH_ORDER },
        { "DELIVERED_SETTELMENT", CASH_SETTLEMENT }, /* the venue's spelling */
        { "TRANSFER", CASH_TRANSFER },
        { "INSURANCE_CLEAR", CASH_LIQUIDATION },
        { "INTERNAL_TRANSFER", CASH_TRANSFER },
        { "CROSS_COLLATERAL_TRANSFER", CASH_TRANSFER },
    };
    for (size_t i = 0; i < POISE_COUNT_OF(reasons); i++) {
        if (scan_is(type, reasons[i].text)) {
            return reasons[i].reason;
        }
    }
    return CASH_ADJUSTMENT;
}

/* What an execution or a delivery moved is booked by its own report. */
static bool is_payment(enum cash_reason reason, const struct scan_value *type)
{
    return reason != CASH_ORDER && reason != CASH_SETTLEMENT && !scan_is(type, "COMMISSION");
}

static bool income_object(struct binance_reader *reader, const struct scan_value fields[KEY_COUNT])
{
    uint16_t currency = binance_currency(reader, &fields[KEY_ASSET]);
    const struct instrument *row = binance_row(reader, &fields[KEY_SYMBOL]);
    if (currency == CURRENCY_NONE) {
        reader->skipped++;
        return true;
    }
    struct slot record[1];
    begin(reader, record, RECORD_BALANCE, 1, row != NULL ? row->index : NO_INSTRUMENT);
    struct record_balance *to = (struct record_balance *)(void *)record;
    to->currency = currency;
    to->total_e8 = INT64_MIN;
    to->available_e8 = INT64_MIN;
    to->reason = (uint8_t)income_reason(&fields[KEY_INCOME_TYPE]);
    to->venue_time_ns = scan_time_ns(&fields[KEY_TIME]);
    if (reader->only_payments && !is_payment((enum cash_reason)to->reason, &fields[KEY_INCOME_TYPE])) {
        return true;
    }
    if (fields[KEY_TRAN_ID].type == SCAN_NUMBER || fields[KEY_TRAN_ID].type == SCAN_STRING) {
        to->told = CASH_TOLD_ROW; /* unique within its type */
        to->row = record_row_id(fields[KEY_TRAN_ID].at, fields[KEY_TRAN_ID].bytes);
    }
    if (!scan_decimal_near(&fields[KEY_INCOME], DECIMAL_MONEY, &to->change_e8)) {
        return wrong(reader, "an income is no number");
    }
    binance_emit(reader, record);
    return true;
}

/* Rates are fractions of the notional, up to 8 decimals: 0.0002 is 2 bp is 200 centibp; up is against us. */
static bool rate_centibp(const struct scan_value *text, int64_t *out)
{
    int64_t rate_e10;
    if (!scan_decimal_near(text, 10, &rate_e10)) {
        return false;
    }
    *out = decimal_divide(rate_e10, 10000, ROUND_UP);
    return true;
}

static bool fee(struct binance_reader *reader, const struct scan_value *symbol, int64_t maker, int64_t taker)
{
    const struct instrument *row = binance_row(reader, symbol);
    if (row == NULL) {
        reader->skipped++;
        return true;
    }
    struct slot record[1];
    begin(reader, record, RECORD_FEE, 1, row->index);
    struct record_fee *to = (struct record_fee *)(void *)record;
    to->maker_centibp = maker;
    to->taker_centibp = taker;
    binance_emit(reader, record);
    return true;
}

/* Spot: the total is the sum of up to three tables, each with a part by role and a part by side. */
static bool fee_tables(struct binance_reader *reader, const struct scan_value fields[KEY_COUNT])
{
    static const struct scan_name parts[] = { SCAN_NAME("maker"), SCAN_NAME("taker"), SCAN_NAME("buyer"),
                                              SCAN_NAME("seller") };
    int64_t sum[2] = { 0, 0 };
    static const enum binance_key tables[] = { KEY_STANDARD_COMMISSION, KEY_TAX_COMMISSION,
                                               KEY_SPECIAL_COMMISSION };
    for (size_t n = 0; n < POISE_COUNT_OF(tables); n++) {
        enum binance_key table = tables[n];
        if (fields[table].type != SCAN_OBJECT) {
            continue;
        }
        struct scan scan;
        struct scan_value part[4];
        int64_t rate[4] = { 0 };
        scan_open(&scan, fields[table].at, fields[table].bytes);
        scan_fields(&scan, NULL, parts, 4, part);
        for (int i = 0; i < 4; i++) {
            if (part[i].type != SCAN_NONE && !rate_centibp(&part[i], &rate[i])) {
                return wrong(reader, "a commission rate is no number");
            }
        }
        int64_t side = base_max(rate[2], rate[3]);
        sum[0] += rate[0] + side;
        sum[1] += rate[1] + side;
    }
    return fee(reader, &fields[KEY_SYMBOL], sum[0], sum[1]);
}

static bool fee_object(struct binance_reader *reader, const struct scan_value fields[KEY_COUNT])
{
    int64_t maker, taker;
    if (fields[KEY_STANDARD_COMMISSION].type == SCAN_OBJECT) {
        return fee_tables(reader, fields);
    }
    if (!rate_centibp(&fields[KEY_MAKER_RATE], &maker) || !rate_centibp(&fields[KEY_TAKER_RATE], &taker)) {
        return wrong(reader, "a commission rate is no number");
    }
    return fee(reader, &fields[KEY_SYMBOL], maker, taker);
}

enum binance_shape binance_shape_of(const struct scan_value fields[KEY_COUNT])
{
    if (fields[KEY_AMENDED_ORDER].type == SCAN_OBJECT) {
        return SHAPE_AMENDED;
    }
    if (fields[KEY_CANCEL_RESULT].type == SCAN_STRING) {
        return SHAPE_CANCEL_REPLACE;
    }
    if (fields[KEY_CONTINGENCY].type == SCAN_STRING) {
        return SHAPE_ORDER_LIST;
    }
    if (fields[KEY_ORDER_ID].type != SCAN_NONE && fields[KEY_CLIENT_ID].type == SCAN_STRING) {
        return SHAPE_ORDER;
    }
    if (fields[KEY_ORDER_ID].type != SCAN_NONE && fields[KEY_ID].type != SCAN_NONE &&
        fields[KEY_QTY].type != SCAN_NONE) {
        return SHAPE_FILL;
    }
    if (fields[KEY_POSITION_AMT].type != SCAN_NONE) {
        return SHAPE_POSITION;
    }
    if (fields[KEY_INCOME_TYPE].type == SCAN_STRING) {
        return SHAPE_INCOME;
    }
    if (fields[KEY_ASSET].type == SCAN_STRING &&
        (fields[KEY_FREE].type != SCAN_NONE || fields[KEY_BALANCE].type != SCAN_NONE ||
         fields[KEY_WALLET_BALANCE].type != SCAN_NONE)) {
        return SHAPE_BALANCE;
    }
    if (fields[KEY_BALANCES].type == SCAN_ARRAY || fields[KEY_ASSETS].type == SCAN_ARRAY) {
        return SHAPE_ACCOUNT;
    }
    if (fields[KEY_LAST_FUNDING].type != SCAN_NONE && fields[KEY_MARK_PRICE].type != SCAN_NONE) {
        return SHAPE_MARK;
    }
    if (fields[KEY_FUNDING_RATE].type != SCAN_NONE && fields[KEY_FUNDING_TIME].type != SCAN_NONE) {
        return SHAPE_FUNDING;
    }
    if (fields[KEY_MAKER_RATE].type != SCAN_NONE || fields[KEY_STANDARD_COMMISSION].type == SCAN_OBJECT) {
        return SHAPE_FEE;
    }
    if (fields[KEY_CODE].type == SCAN_NUMBER && fields[KEY_MSG].type == SCAN_STRING) {
        return SHAPE_ERROR;
    }
    return SHAPE_OTHER;
}

/* The cancelled order and what became of the one in its place; either may be null or a refusal. */
static bool cancel_replace(struct binance_reader *reader, const struct scan_value fields[KEY_COUNT])
{
    const struct scan_value *parts[] = { &fields[KEY_CANCEL_RESPONSE], &fields[KEY_NEW_ORDER_RESPONSE] };
    for (int i = 0; i < 2; i++) {
        struct binance_reader part = *reader;
        part.request = i == 0 ? REQUEST_CANCEL : REQUEST_NEW;
        if (parts[i]->type != SCAN_OBJECT) {
            continue;
        }
        bool sound = binance_object(&part, parts[i]->at, parts[i]->bytes, SHAPE_OTHER);
        reader->rows = part.rows;
        reader->skipped = part.skipped;
        if (!sound) {
            reader->why = part.why;
            return false;
        }
    }
    return true;
}

static bool account(struct binance_reader *reader, const struct scan_value fields[KEY_COUNT])
{
    /* positions before balances, as everywhere */
    if (fields[KEY_POSITIONS].type == SCAN_ARRAY &&
        !binance_array(reader, fields[KEY_POSITIONS].at, fields[KEY_POSITIONS].bytes, SHAPE_POSITION)) {
        return false;
    }
    const struct scan_value *assets =
        fields[KEY_BALANCES].type == SCAN_ARRAY ? &fields[KEY_BALANCES] : &fields[KEY_ASSETS];
    return binance_array(reader, assets->at, assets->bytes, SHAPE_BALANCE);
}

/* An object that emits once, after everything in it was looked at, needs no dry walk before. */
static bool emits_once(const struct scan_value fields[KEY_COUNT])
{
    enum binance_shape shape = binance_shape_of(fields);
    return (shape == SHAPE_ORDER && fields[KEY_FILLS].type == SCAN_NONE) || shape == SHAPE_FILL ||
           shape == SHAPE_POSITION || shape == SHAPE_BALANCE || shape == SHAPE_FEE;
}

bool binance_object(struct binance_reader *reader, const char *text, size_t bytes, enum binance_shape only)
{
    struct scan scan;
    struct scan_value fields[KEY_COUNT];
    if (!binance_fields(&scan, text, bytes, fields)) {
        return wrong(reader, scan.why);
    }
    return object(reader, fields, only);
}

static bool object(struct binance_reader *reader, const struct scan_value fields[KEY_COUNT],
                   enum binance_shape only)
{
    forget_words(reader);
    enum binance_shape shape = binance_shape_of(fields);
    bool wanted = only == SHAPE_OTHER || shape == only || shape == SHAPE_ERROR ||
                  (only == SHAPE_ORDER && shape == SHAPE_ORDER_LIST) ||
                  (only == SHAPE_BALANCE && shape == SHAPE_ACCOUNT);
    if (!wanted) {
        return wrong(reader, "an object is not what was asked for");
    }
    int64_t code = 0;
    switch (shape) {
    case SHAPE_ORDER:
        return order_object(reader, fields);
    case SHAPE_AMENDED:
        reader->request = reader->request != REQUEST_NONE ? reader->request : REQUEST_AMEND;
        return binance_object(reader, fields[KEY_AMENDED_ORDER].at, fields[KEY_AMENDED_ORDER].bytes,
                              SHAPE_ORDER);
    case SHAPE_CANCEL_REPLACE:
        return cancel_replace(reader, fields);
    case SHAPE_ORDER_LIST:
        return fields[KEY_ORDER_REPORTS].type != SCAN_ARRAY ||
               binance_array(reader, fields[KEY_ORDER_REPORTS].at, fields[KEY_ORDER_REPORTS].bytes,
                             SHAPE_ORDER);
    case SHAPE_FILL:
        return fill_object(reader, fields);
    case SHAPE_POSITION: {
        const struct scan_value *unrealised =
            fields[KEY_UNREALIZED].type != SCAN_NONE ? &fields[KEY_UNREALIZED] : &fields[KEY_UNREALIZED_LOW];
        return position(reader, &fields[KEY_SYMBOL], &fields[KEY_POSITION_AMT], &fields[KEY_ENTRY_PRICE],
                        unrealised, &fields[KEY_LIQUIDATION], &fields[KEY_POSITION_SIDE],
                        scan_time_ns(&fields[KEY_UPDATE_TIME]));
    }
    case SHAPE_BALANCE:
        return balance_object(reader, fields);
    case SHAPE_ACCOUNT:
        return account(reader, fields);
    case SHAPE_MARK:
        return mark_object(reader, fields);
    case SHAPE_FUNDING:
        return funding_object(reader, fields);
    case SHAPE_INCOME:
        return income_object(reader, fields);
    case SHAPE_FEE:
        return fee_object(reader, fields);
    case SHAPE_ERROR:
        scan_signed(&fields[KEY_CODE], &code);
        if (!reader->dry) {
            binance_refusal(reader, 400, code, fields[KEY_MSG].at, fields[KEY_MSG].bytes);
        }
        return true;
    default:
        return true;
    }
}

bool binance_array(struct binance_reader *reader, const char *text, size_t bytes, enum binance_shape only)
{
    struct scan scan;
    struct scan_value item;
    uint32_t i = 0;
    scan_open(&scan, text, bytes);
    scan_array(&scan);
    for (; scan_item(&scan) && scan_take(&scan, &item); i++) {
        if (reader->hooks != NULL) {
            reader->hooks->item = i;
        }
        if (item.type == SCAN_OBJECT && !binance_object(reader, item.at, item.bytes, only)) {
            return false;
        }
        if (item.type != SCAN_OBJECT && only != SHAPE_OTHER) {
            return wrong(reader, "an object was expected");
        }
    }
    return scan.state == SCAN_FINE || wrong(reader, scan.why);
}

/* walk_twice: dry, then in earnest; of an array or of an object's fields. */
static bool walk_twice(struct binance_reader *reader, const struct scan_value *array,
                       const struct scan_value *fields, enum binance_shape only)
{
    for (int pass = 0; pass < 2; pass++) {
        struct binance_reader walk = *reader;
        walk.dry = pass == 0;
        bool sound =
            array != NULL ? binance_array(&walk, array->at, array->bytes, only) : object(&walk, fields, only);
        if (!sound || pass == 1) {
            reader->rows = walk.rows;
            reader->skipped = walk.skipped;
            reader->last_id = walk.last_id;
            reader->why = walk.why;
            if (!sound) {
                return false;
            }
        }
    }
    return true;
}

bool binance_fields_emit(struct binance_reader *reader, const struct scan_value fields[KEY_COUNT],
                         enum binance_shape only)
{
    return emits_once(fields) ? object(reader, fields, only) : walk_twice(reader, NULL, fields, only);
}

bool binance_value(struct binance_reader *reader, const struct scan_value *value, enum binance_shape only)
{
    if (value->type == SCAN_ARRAY) {
        return walk_twice(reader, value, NULL, only);
    }
    struct scan scan;
    struct scan_value fields[KEY_COUNT];
    if (!binance_fields(&scan, value->at, value->bytes, fields)) {
        return wrong(reader, scan.why);
    }
    return binance_fields_emit(reader, fields, only);
}

void binance_refusal(struct binance_reader *reader, int status, int64_t code, const char *text, size_t bytes)
{
    struct slot record[3];
    uint8_t outcome = binance_outcome(reader->product, status, code, text, bytes);
    forget_words(reader);
    if (reader->hooks != NULL) {
        reader->hooks->note = text;
        reader->hooks->note_bytes = (uint32_t)bytes;
    } else if (reader->request == REQUEST_NONE) {
        return;
    }
    enum record_type type = RECORD_REJECT;
    if (outcome == BINANCE_OUTCOME_UNKNOWN) {
        type = RECORD_UNKNOWN;
    } else if (reader->request == REQUEST_AMEND && outcome == REASON_UNCHANGED) {
        type = RECORD_AMENDED; /* price and quantity are what was asked for: the asker knows them */
    } else if (reader->request == REQUEST_QUERY && outcome == REASON_NOT_FOUND) {
        type = RECORD_ORDER_STATE;
    }
    struct record_report *report = binance_report(reader, record, type, NULL);
    report->venue_code = (int32_t)code;
    report->reason = outcome == BINANCE_OUTCOME_UNKNOWN ? REASON_NONE : outcome;
    if (type == RECORD_ORDER_STATE) {
        report->status = ORDER_STATUS_NOT_FOUND;
    }
    binance_emit(reader, record);
}

/* ------------------------------------------------------------------ events of the user streams */

static const struct scan_value *at_letter(const struct scan_value letters[SCAN_LETTERS], char c)
{
    return &letters[SCAN_LETTER(c)];
}

/* Why an order ended, of what both families say: futures by number (`er`), spot by word (`eR`). */
static uint8_t end_reason(const struct scan_value letters[SCAN_LETTERS], const struct scan_value *number,
                          const struct scan_value *word)
{
    static const uint8_t by_number[] = { REASON_NONE,       REASON_SELF_TRADE,  REASON_IOC,
                                         REASON_SELF_TRADE, REASON_REDUCE_ONLY, REASON_LIQUIDATION,
                                         REASON_OTHER,      REASON_SUSPENDED,   REASON_OTHER,
                                         REASON_IOC,        REASON_IOC,         REASON_POST_ONLY };
    static const struct {
        const char *text;
        uint8_t reason;
    } by_word[] = {
        { "UNFILLED_IOC_QUANTITY_EXPIRED", REASON_IOC },
        { "UNFILLED_FOK_ORDER_EXPIRED", REASON_IOC },
        { "INSUFFICIENT_LIQUIDITY", REASON_IOC },
        { "EXECUTION_RULE_PRICE_RANGE_EXCEEDED", REASON_PRICE_BAND },
        { "EXCHANGE_CANCELED", REASON_SUSPENDED },
    };
    uint64_t n = 0;
    if (scan_unsigned(number, &n) && n > 0 && n < sizeof by_number) {
        return by_number[n];
    }
    for (size_t i = 0; i < POISE_COUNT_OF(by_word); i++) {
        if (scan_is(word, by_word[i].text)) {
            return by_word[i].reason;
        }
    }
    if (scan_is(at_letter(letters, 'X'), "EXPIRED_IN_MATCH")) {
        return REASON_SELF_TRADE;
    }
    if (scan_is(at_letter(letters, 'x'), "EXPIRED")) {
        if (scan_is(at_letter(letters, 'f'), "GTX")) {
            return REASON_POST_ONLY;
        }
        if (scan_is(at_letter(letters, 'f'), "IOC") || scan_is(at_letter(letters, 'f'), "FOK") ||
            scan_is(at_letter(letters, 'o'), "MARKET")) {
            return REASON_IOC;
        }
    }
    return REASON_NONE;
}

/* The price of an execution.  Test samples exist with last price 0: then the quote amount says it, else it
 * stays open and the quantity counts at once. */
static void set_execution_price(struct record_report *report, const struct instrument *row,
                                const struct scan_value *last, const struct scan_value *quote)
{
    int64_t quote_e8;
    if (scan_decimal(last, row->price_decimals, &report->price) && report->price > 0) {
        return;
    }
    if (scan_decimal(quote, DECIMAL_MONEY, &quote_e8) && quote_e8 > 0) {
        int128 numerator = (int128)quote_e8 * decimal_power[row->qty_decimals];
        int up = row->price_decimals - DECIMAL_MONEY;
        int128 denominator = report->last_qty;
        if (up >= 0) {
            numerator *= decimal_power[up];
        } else {
            denominator *= decimal_power[-up];
        }
        int128 price = decimal_divide_wide(numerator, denominator, ROUND_HALF_EVEN);
        if (price > 0 && price <= INT64_MAX) {
            report->price = (int64_t)price;
            return;
        }
    }
    set_price_open(report);
}

const struct scan_name binance_envelope[ENVELOPE_COUNT] = {
    [ENVELOPE_ER] = SCAN_NAME("er"),         [ENVELOPE_EXPIRY] = SCAN_NAME("eR"),
    [ENVELOPE_REALISED] = SCAN_NAME("rp"),   [ENVELOPE_ID] = SCAN_NAME("id"),
    [ENVELOPE_STATUS] = SCAN_NAME("status"), [ENVELOPE_RESULT] = SCAN_NAME("result"),
    [ENVELOPE_ERROR] = SCAN_NAME("error"),   [ENVELOPE_EVENT] = SCAN_NAME("event"),
    [ENVELOPE_DATA] = SCAN_NAME("data"),     [ENVELOPE_CODE] = SCAN_NAME("code"),
    [ENVELOPE_MSG] = SCAN_NAME("msg"),
};

/* executionReport (spot) and the `o` of ORDER_TRADE_UPDATE (futures) share their letters. */
static bool execution(struct binance_reader *reader, const struct scan_value letters[SCAN_LETTERS],
                      const struct scan_value more[ENVELOPE_COUNT], int64_t event_time_ns)
{
    const struct instrument *row = binance_row(reader, at_letter(letters, 's'));
    if (row == NULL) {
        reader->skipped++;
        return at_letter(letters, 's')->type == SCAN_STRING || wrong(reader, "a report without its symbol");
    }
    struct slot record[3];
    struct record_report *report = binance_report(reader, record, RECORD_ORDER_STATE, row);

    /* on a spot cancel `c` names the cancel and `C` the order */
    const struct scan_value *original = at_letter(letters, 'C'), *client = at_letter(letters, 'c');
    bool by_original =
        reader->product == PRODUCT_SPOT && original->type == SCAN_STRING && original->bytes > 0;
    binance_client(reader, report, by_original ? original : client);
    report_venue_order(report, at_letter(letters, 'i'));
    report->venue_time_ns = scan_time_ns(at_letter(letters, 'T'));
    report->venue_time_ns = report->venue_time_ns != 0 ? report->venue_time_ns : event_time_ns;
    if (!set_side(reader, report, at_letter(letters, 'S'))) {
        return wrong(reader, "a report's side is neither BUY nor SELL");
    }
    /* what traded last may be left out where nothing did */
    bool last = at_letter(letters, 'l')->type != SCAN_NONE || scan_is(at_letter(letters, 'x'), "TRADE") ||
                scan_is(at_letter(letters, 'x'), "CALCULATED");
    if (!scan_decimal(at_letter(letters, 'q'), row->qty_decimals, &report->order_qty) ||
        !scan_decimal(at_letter(letters, 'z'), row->qty_decimals, &report->cum_qty) ||
        (last && !scan_decimal(at_letter(letters, 'l'), row->qty_decimals, &report->last_qty))) {
        return wrong(reader, "a report's quantity is none, or finer than the instrument's unit");
    }
    report->flags |= REPORT_HAS_CUM;
    scan_decimal_near(at_letter(letters, 'p'), row->price_decimals, &report->order_price);
    report->price = report->order_price;
    set_status(report, at_letter(letters, 'X'));

    const struct scan_value *what = at_letter(letters, 'x');
    bool trade = scan_is(what, "TRADE"), calculated = scan_is(what, "CALCULATED");
    if ((trade || calculated) && report->last_qty > 0) {
        report->head.type = RECORD_FILL;
        report->flags |= REPORT_HAS_LAST;
        set_execution_price(report, row, at_letter(letters, 'L'), at_letter(letters, 'Y'));
        int64_t id;
        if (scan_signed(at_letter(letters, 't'), &id) && id > 0) {
            report->exec_id = (uint64_t)id;
        } else {
            report->exec_id = made_up_exec_id(at_letter(letters, 'i'), report->cum_qty);
        }
        report->liquidity = at_letter(letters, 'm')->type == SCAN_TRUE ? LIQUIDITY_MAKER : LIQUIDITY_TAKER;
        if ((report->flags & REPORT_PRICE_OPEN) == 0) {
            report_fee(report, reader->instruments, reader->hooks, at_letter(letters, 'n'),
                       at_letter(letters, 'N'));
            if (scan_has_number(&more[ENVELOPE_REALISED]) &&
                scan_decimal_near(&more[ENVELOPE_REALISED], DECIMAL_MONEY, &report->realised_e8)) {
                report->flags |= REPORT_HAS_REALISED;
            }
        }
        if (calculated) {
            report->reason = REASON_LIQUIDATION;
        }
        emit_fill(reader, record, row, at_letter(letters, 'L'));
        return true;
    }
    report->last_qty = 0;
    report->reason = end_reason(letters, &more[ENVELOPE_ER], &more[ENVELOPE_EXPIRY]);
    if (scan_is(what, "NEW")) {
        report->head.type = RECORD_ACK;
        report->request = REQUEST_NEW;
    } else if (scan_is(what, "AMENDMENT") || scan_is(what, "REPLACED")) {
        report->head.type = RECORD_AMENDED;
        report->request = REQUEST_AMEND;
    } else if (scan_is(what, "REJECTED")) {
        report->head.type = RECORD_REJECT;
        report->request = REQUEST_NEW;
        const struct scan_value *why = at_letter(letters, 'r');
        report->reason = scan_is(why, "WOULD_MATCH_IMMEDIATELY") ? REASON_POST_ONLY
                         : scan_is(why, "INSUFFICIENT_BALANCES") ? REASON_BALANCE
                                                                 : REASON_OTHER;
    } else if (scan_is(what, "CANCELED") || report->status == ORDER_STATUS_CANCELLED) {
        report->head.type = RECORD_CANCELLED;
        report->status = ORDER_STATUS_CANCELLED;
        report->flags |= REPORT_TERMINAL;
    } else if (scan_is(what, "EXPIRED") || report->status == ORDER_STATUS_EXPIRED) {
        report->head.type = RECORD_EXPIRED;
        report->status = ORDER_STATUS_EXPIRED;
        report->flags |= REPORT_TERMINAL;
        report->reason = calculated ? REASON_LIQUIDATION : report->reason;
    }
    binance_emit(reader, record);
    return true;
}

static bool order_trade_update(struct binance_reader *reader, const struct binance_event *event)
{
    const struct scan_value *o = at_letter(event->letters, 'o');
    struct scan_value inner[SCAN_LETTERS], more[ENVELOPE_COUNT];
    struct scan scan;
    int64_t time_ns = scan_time_ns(at_letter(event->letters, 'E'));
    if (o->type != SCAN_OBJECT) {
        return wrong(reader, "an order update without its order");
    }
    if (event->has_order) {
        return execution(reader, event->order_letters, event->order_envelope, time_ns);
    }
    scan_open(&scan, o->at, o->bytes);
    scan_fields(&scan, inner, binance_envelope, ENVELOPE_COUNT, more);
    return execution(reader, inner, more, time_ns);
}

bool binance_event_read(struct scan *scan, struct binance_event *event)
{
    struct scan_value key, ignored;
    memset(event->letters, 0, sizeof event->letters);
    memset(event->envelope, 0, sizeof event->envelope);
    event->has_order = false;
    if (!scan_object(scan)) {
        return false;
    }
    while (scan_key(scan, &key)) {
        struct scan_value *to = &ignored;
        if (key.bytes == 1 && SCAN_LETTER(*key.at) < SCAN_LETTERS) {
            to = &event->letters[SCAN_LETTER(*key.at)];
            if (*key.at == 'o' && scan_peek(scan) == SCAN_OBJECT) {
                /* the order inside a futures update is read where it stands: it is most of the message */
                to->type = SCAN_OBJECT;
                to->at = scan->at;
                event->has_order = scan_fields(scan, event->order_letters, binance_envelope, ENVELOPE_COUNT,
                                               event->order_envelope);
                to->bytes = (uint32_t)(scan->at - to->at);
                continue;
            }
        } else {
            for (uint32_t i = 0; i < ENVELOPE_COUNT; i++) {
                if (binance_envelope[i].bytes == key.bytes &&
                    memcmp(binance_envelope[i].text, key.at, key.bytes) == 0) {
                    to = &event->envelope[i];
                    break;
                }
            }
        }
        if (!scan_take(scan, to)) {
            return false;
        }
    }
    return scan->state == SCAN_FINE;
}

/* The fastest notice of a fill: no fee, no status, no total; the full report with the same id follows. */
static bool trade_lite(struct binance_reader *reader, const struct scan_value letters[SCAN_LETTERS])
{
    const struct instrument *row = binance_row(reader, at_letter(letters, 's'));
    if (row == NULL) {
        reader->skipped++;
        return at_letter(letters, 's')->type == SCAN_STRING || wrong(reader, "a fill without its symbol");
    }
    struct slot record[3];
    struct record_report *report = binance_report(reader, record, RECORD_FILL, row);
    binance_client(reader, report, at_letter(letters, 'c'));
    report_venue_order(report, at_letter(letters, 'i'));
    report->venue_time_ns = scan_time_ns(at_letter(letters, 'T'));
    report->flags |= REPORT_HAS_LAST;
    if (!set_side(reader, report, at_letter(letters, 'S')) ||
        !scan_decimal(at_letter(letters, 'q'), row->qty_decimals, &report->order_qty) ||
        !scan_decimal(at_letter(letters, 'l'), row->qty_decimals, &report->last_qty) ||
        report->last_qty <= 0 || !scan_unsigned(at_letter(letters, 't'), &report->exec_id)) {
        return wrong(reader, "a fill's number is none, or finer than the instrument's unit");
    }
    scan_decimal_near(at_letter(letters, 'p'), row->price_decimals, &report->order_price);
    set_execution_price(report, row, at_letter(letters, 'L'), at_letter(letters, 'Y'));
    report->liquidity = at_letter(letters, 'm')->type == SCAN_TRUE ? LIQUIDITY_MAKER : LIQUIDITY_TAKER;
    emit_fill(reader, record, row, at_letter(letters, 'L'));
    return true;
}

static enum cash_reason update_reason(const struct scan_value *text)
{
    static const struct {
        const char *text;
        enum cash_reason reason;
    } reasons[] = {
        { "ORDER", CASH_ORDER },
        { "FUNDING_FEE", CASH_FUNDING },
        { "DEPOSIT", CASH_TRANSFER },
        { "WITHDRAW", CASH_TRANSFER },
        { "WITHDRAW_REJECT", CASH_TRANSFER },
        { "ADMIN_DEPOSIT", CASH_TRANSFER },
        { "ADMIN_WITHDRAW", CASH_TRANSFER },
        { "MARGIN_TRANSFER", CASH_TRANSFER },
        { "ASSET_TRANSFER", CASH_TRANSFER },
        { "COIN_SWAP_DEPOSIT", CASH_TRANSFER },
        { "COIN_SWAP_WITHDRAW", CASH_TRANSFER },
        { "INSURANCE_CLEAR", CASH_LIQUIDATION },
        { "ADJUSTMENT", CASH_ADJUSTMENT },
        { "AUTO_EXCHANGE", CASH_ADJUSTMENT },
    };
    for (size_t i = 0; i < POISE_COUNT_OF(reasons); i++) {
        if (scan_is(text, reasons[i].text)) {
            return reasons[i].reason;
        }
    }
    return CASH_UNKNOWN;
}

enum {
    ACCOUNT_WALLET,
    ACCOUNT_CHANGE,
    ACCOUNT_AMOUNT,
    ACCOUNT_ENTRY,
    ACCOUNT_OPEN,
    ACCOUNT_SIDE,
    ACCOUNT_COUNT
};
static const struct scan_name account_names[ACCOUNT_COUNT] = { SCAN_NAME("wb"), SCAN_NAME("bc"),
                                                               SCAN_NAME("pa"), SCAN_NAME("ep"),
                                                               SCAN_NAME("up"), SCAN_NAME("ps") };

static bool account_rows(struct binance_reader *reader, const struct scan_value *rows, bool positions,
                         enum cash_reason reason, int64_t time_ns)
{
    if (rows->type != SCAN_ARRAY) {
        return true;
    }
    struct scan scan;
    struct scan_value item;
    scan_open(&scan, rows->at, rows->bytes);
    scan_array(&scan);
    while (scan_item(&scan) && scan_take(&scan, &item)) {
        struct scan inner;
        struct scan_value letters[SCAN_LETTERS], named[ACCOUNT_COUNT];
        const struct scan_value none = { 0 };
        forget_words(reader);
        scan_open(&inner, item.at, item.bytes);
        if (item.type != SCAN_OBJECT || !scan_fields(&inner, letters, account_names, ACCOUNT_COUNT, named)) {
            return wrong(reader, "a row of an account update is not an object");
        }
        if (positions) {
            if (!position(reader, at_letter(letters, 's'), &named[ACCOUNT_AMOUNT], &named[ACCOUNT_ENTRY],
                          &named[ACCOUNT_OPEN], &none, &named[ACCOUNT_SIDE], time_ns)) {
                return false;
            }
            continue;
        }
        int64_t total, change = 0;
        if (!scan_decimal_near(&named[ACCOUNT_WALLET], DECIMAL_MONEY, &total)) {
            return wrong(reader, "a wallet balance is no number");
        }
        scan_decimal_near(&named[ACCOUNT_CHANGE], DECIMAL_MONEY, &change);
        if (!balance(reader, at_letter(letters, 'a'), total, INT64_MIN, change, reason,
                     change != 0 ? CASH_TOLD_AGAIN : CASH_TOLD_ONCE, time_ns)) {
            return false;
        }
    }
    return true;
}

static bool account_update(struct binance_reader *reader, const struct scan_value letters[SCAN_LETTERS])
{
    static const struct scan_name none[1] = { SCAN_NAME("") };
    const struct scan_value *a = at_letter(letters, 'a');
    const struct scan_value *time =
        at_letter(letters, 'T')->type != SCAN_NONE ? at_letter(letters, 'T') : at_letter(letters, 'E');
    struct scan_value inner[SCAN_LETTERS], ignored[1];
    struct scan scan;
    if (a->type != SCAN_OBJECT) {
        return wrong(reader, "an account update without its account");
    }
    scan_open(&scan, a->at, a->bytes);
    scan_fields(&scan, inner, none, 1, ignored);
    enum cash_reason reason = update_reason(at_letter(inner, 'm'));
    int64_t time_ns = scan_time_ns(time);
    bool was = reader->dry;
    for (int pass = was ? 1 : 0; pass < 2; pass++) {
        reader->dry = was || pass == 0;
        int32_t skipped = reader->skipped;
        if (!account_rows(reader, at_letter(inner, 'P'), true, reason, time_ns) ||
            !account_rows(reader, at_letter(inner, 'B'), false, reason, time_ns)) {
            reader->dry = was;
            return false;
        }
        reader->skipped = pass == 0 ? skipped : reader->skipped;
    }
    reader->dry = was;
    return true;
}

/* outboundAccountPosition: what is owned of the currencies that may have changed. */
static bool account_position(struct binance_reader *reader, const struct scan_value letters[SCAN_LETTERS])
{
    static const struct scan_name none[1] = { SCAN_NAME("") };
    const struct scan_value *rows = at_letter(letters, 'B');
    const struct scan_value *time = at_letter(letters, 'u');
    if (rows->type != SCAN_ARRAY) {
        return wrong(reader, "an account position without balances");
    }
    for (int pass = 0; pass < 2; pass++) {
        struct scan scan;
        struct scan_value item;
        reader->dry = pass == 0;
        scan_open(&scan, rows->at, rows->bytes);
        scan_array(&scan);
        while (scan_item(&scan) && scan_take(&scan, &item)) {
            struct scan inner;
            struct scan_value fields[SCAN_LETTERS], ignored[1];
            int64_t available, locked, total;
            scan_open(&inner, item.at, item.bytes);
            if (item.type != SCAN_OBJECT || !scan_fields(&inner, fields, none, 1, ignored) ||
                !scan_decimal_near(at_letter(fields, 'f'), DECIMAL_MONEY, &available) ||
                !scan_decimal_near(at_letter(fields, 'l'), DECIMAL_MONEY, &locked) ||
                __builtin_add_overflow(available, locked, &total)) {
                return wrong(reader, "a balance is no number");
            }
            int32_t skipped = reader->skipped;
            if (!balance(reader, at_letter(fields, 'a'), total, available, 0, CASH_UNKNOWN, CASH_TOLD_ONCE,
                         scan_time_ns(time))) {
                return false;
            }
            reader->skipped = pass == 0 ? skipped : reader->skipped;
        }
    }
    return true;
}

/* balanceUpdate: a deposit, withdrawal or transfer; the new total follows in an account position. */
static bool balance_update(struct binance_reader *reader, const struct scan_value letters[SCAN_LETTERS])
{
    int64_t change;
    if (!scan_decimal_near(at_letter(letters, 'd'), DECIMAL_MONEY, &change)) {
        return wrong(reader, "a balance change is no number");
    }
    return balance(reader, at_letter(letters, 'a'), INT64_MIN, INT64_MIN, change, CASH_TRANSFER,
                   CASH_TOLD_ONCE, scan_time_ns(at_letter(letters, 'T')));
}

/* Conditional orders live in a service of their own; their fills come as order updates, so nothing is ever
 * booked from here.  We place none: every one of them is foreign. */
static bool algo_update(struct binance_reader *reader, const struct scan_value letters[SCAN_LETTERS])
{
    enum { CLIENT, ID, NAMES };
    static const struct scan_name names[NAMES] = { SCAN_NAME("caid"), SCAN_NAME("aid") };
    const struct scan_value *o = at_letter(letters, 'o');
    struct scan_value inner[SCAN_LETTERS], named[NAMES];
    struct scan scan;
    if (o->type != SCAN_OBJECT) {
        return wrong(reader, "an algo update without its order");
    }
    scan_open(&scan, o->at, o->bytes);
    scan_fields(&scan, inner, names, NAMES, named);
    const struct instrument *row = binance_row(reader, at_letter(inner, 's'));
    if (row == NULL) {
        reader->skipped++;
        return true;
    }
    struct slot record[3];
    struct record_report *report = binance_report(reader, record, RECORD_ORDER_STATE, row);
    binance_client(reader, report, &named[CLIENT]);
    report_venue_order(report, &named[ID]);
    set_side(reader, report, at_letter(inner, 'S'));
    scan_decimal_near(at_letter(inner, 'q'), row->qty_decimals, &report->order_qty);
    scan_decimal_near(at_letter(inner, 'p'), row->price_decimals, &report->order_price);
    report->price = report->order_price;
    report->venue_time_ns = scan_time_ns(at_letter(letters, 'T'));
    const struct scan_value *state = at_letter(inner, 'X');
    report->status = scan_is(state, "FINISHED")   ? ORDER_STATUS_FILLED
                     : scan_is(state, "CANCELED") ? ORDER_STATUS_CANCELLED
                     : scan_is(state, "EXPIRED")  ? ORDER_STATUS_EXPIRED
                     : scan_is(state, "REJECTED") ? ORDER_STATUS_REJECTED
                                                  : ORDER_STATUS_UNTRIGGERED;
    binance_emit(reader, record);
    return true;
}

bool binance_user_event(struct binance_reader *reader, const struct binance_event *event,
                        enum feed_control *control)
{
    const struct scan_value *letters = event->letters;
    const struct scan_value *e = at_letter(letters, 'e');
    *control = 0;
    forget_words(reader);
    if (scan_is(e, "ORDER_TRADE_UPDATE")) {
        return order_trade_update(reader, event);
    }
    if (scan_is(e, "executionReport")) {
        return execution(reader, letters, event->envelope, scan_time_ns(at_letter(letters, 'E')));
    }
    if (scan_is(e, "TRADE_LITE")) {
        return trade_lite(reader, letters);
    }
    if (scan_is(e, "ACCOUNT_UPDATE")) {
        return account_update(reader, letters);
    }
    if (scan_is(e, "outboundAccountPosition")) {
        return account_position(reader, letters);
    }
    if (scan_is(e, "balanceUpdate")) {
        return balance_update(reader, letters);
    }
    if (scan_is(e, "ALGO_UPDATE")) {
        return algo_update(reader, letters);
    }
    if (scan_is(e, "listenKeyExpired") || scan_is(e, "eventStreamTerminated")) {
        *control = CONTROL_STREAM_ENDED;
    } else if (scan_is(e, "serverShutdown")) {
        *control = CONTROL_SHUTDOWN;
    } else if (scan_is(e, "MARGIN_CALL") || scan_is(e, "ACCOUNT_CONFIG_UPDATE")) {
        *control = CONTROL_LIMITS;
    }
    return true; /* listStatus, externalLockUpdate and what may come later mean nothing to the engine */
}
