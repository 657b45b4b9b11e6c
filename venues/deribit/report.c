#include "venues/deribit/report.h"
#include "venues/report.h"
#include "venues/request_id.h"

#include <string.h>

const struct scan_name deribit_keys[KEY_COUNT] = {
    [KEY_ID] = SCAN_NAME("id"),
    [KEY_FEE] = SCAN_NAME("fee"),
    [KEY_SIZE] = SCAN_NAME("size"),
    [KEY_TYPE] = SCAN_NAME("type"),
    [KEY_KIND] = SCAN_NAME("kind"),
    [KEY_LEGS] = SCAN_NAME("legs"),
    [KEY_LOGS] = SCAN_NAME("logs"),
    [KEY_CODE] = SCAN_NAME("code"),
    [KEY_DATA] = SCAN_NAME("data"),
    [KEY_PRICE] = SCAN_NAME("price"),
    [KEY_LABEL] = SCAN_NAME("label"),
    [KEY_ORDER] = SCAN_NAME("order"),
    [KEY_STATE] = SCAN_NAME("state"),
    [KEY_ERROR] = SCAN_NAME("error"),
    [KEY_AMOUNT] = SCAN_NAME("amount"),
    [KEY_CHANGE] = SCAN_NAME("change"),
    [KEY_RESULT] = SCAN_NAME("result"),
    [KEY_TRADES] = SCAN_NAME("trades"),
    [KEY_ORDERS] = SCAN_NAME("orders"),
    [KEY_BALANCE] = SCAN_NAME("balance"),
    [KEY_MESSAGE] = SCAN_NAME("message"),
    [KEY_ORDER_ID] = SCAN_NAME("order_id"),
    [KEY_TRADE_ID] = SCAN_NAME("trade_id"),
    [KEY_CURRENCY] = SCAN_NAME("currency"),
    [KEY_REPLACED] = SCAN_NAME("replaced"),
    [KEY_DIRECTION] = SCAN_NAME("direction"),
    [KEY_LIQUIDITY] = SCAN_NAME("liquidity"),
    [KEY_TIMESTAMP] = SCAN_NAME("timestamp"),
    [KEY_TRADE_SEQ] = SCAN_NAME("trade_seq"),
    [KEY_POSITIONS] = SCAN_NAME("positions"),
    [KEY_SUMMARIES] = SCAN_NAME("summaries"),
    [KEY_ORDER_TYPE] = SCAN_NAME("order_type"),
    [KEY_MARK_PRICE] = SCAN_NAME("mark_price"),
    [KEY_COMMISSION] = SCAN_NAME("commission"),
    [KEY_ORDER_STATE] = SCAN_NAME("order_state"),
    [KEY_INDEX_PRICE] = SCAN_NAME("index_price"),
    [KEY_INTEREST_PL] = SCAN_NAME("interest_pl"),
    [KEY_LIQUIDATION] = SCAN_NAME("liquidation"),
    [KEY_PROFIT_LOSS] = SCAN_NAME("profit_loss"),
    [KEY_FEE_CURRENCY] = SCAN_NAME("fee_currency"),
    [KEY_FILLED_AMOUNT] = SCAN_NAME("filled_amount"),
    [KEY_CANCEL_REASON] = SCAN_NAME("cancel_reason"),
    [KEY_AVERAGE_PRICE] = SCAN_NAME("average_price"),
    [KEY_TIME_IN_FORCE] = SCAN_NAME("time_in_force"),
    [KEY_INSTRUMENT_NAME] = SCAN_NAME("instrument_name"),
    [KEY_AVAILABLE_FUNDS] = SCAN_NAME("available_funds"),
    [KEY_CURRENT_FUNDING] = SCAN_NAME("current_funding"),
    [KEY_REALIZED_FUNDING] = SCAN_NAME("realized_funding"),
    [KEY_TOTAL_INTEREST_PL] = SCAN_NAME("total_interest_pl"),
    [KEY_TOTAL_PROFIT_LOSS] = SCAN_NAME("total_profit_loss"),
    [KEY_CREATION_TIMESTAMP] = SCAN_NAME("creation_timestamp"),
    [KEY_FUTURES_SESSION_RPL] = SCAN_NAME("futures_session_rpl"),
    [KEY_FLOATING_PROFIT_LOSS] = SCAN_NAME("floating_profit_loss"),
    [KEY_LAST_UPDATE_TIMESTAMP] = SCAN_NAME("last_update_timestamp"),
    [KEY_ESTIMATED_LIQUIDATION_PRICE] = SCAN_NAME("estimated_liquidation_price"),
};

/* An order has two dozen keys and there are fifty names: only those of the right length are looked at.  A
 * test finds every name by it. */
const uint8_t deribit_key_from[DERIBIT_KEY_LETTERS + 2] = { 0,  0,  0,  1,  2,  9,  14, 19, 21, 25,
                                                            31, 34, 39, 40, 44, 44, 47, 48, 50, 51,
                                                            52, 53, 54, 54, 54, 54, 54, 54, 55 };

static bool wrong(struct deribit_reader *reader, const char *why)
{
    reader->why = why;
    if (reader->hooks != NULL) {
        reader->hooks->broken = why;
    }
    return false;
}

/* take_fields takes the object at the cursor apart. */
static bool take_fields(struct scan *scan, struct scan_value fields[KEY_COUNT])
{
    return scan_fields_by_length(scan, deribit_keys, KEY_COUNT, deribit_key_from, DERIBIT_KEY_LETTERS,
                                 fields);
}

bool deribit_fields(struct scan *scan, const char *text, size_t bytes, struct scan_value fields[KEY_COUNT])
{
    scan_open(scan, text, bytes);
    return take_fields(scan, fields);
}

/* ------------------------------------------------------------------ codes */

/* clang-format off */
static const struct {
    int32_t code;
    uint8_t reason; /* enum reject_reason, or DERIBIT_OUTCOME_UNKNOWN */
} codes[] = {
    { 9999,   REASON_AUTH },        /* api_not_enabled */
    { 10000,  REASON_AUTH },        /* authorization_required */
    { 10001,  DERIBIT_OUTCOME_UNKNOWN }, /* error */
    { 10002,  REASON_FILTER },      /* qty_too_low */
    { 10003,  REASON_SELF_TRADE },  /* order_overlap */
    { 10004,  REASON_NOT_FOUND },   /* order_not_found */
    { 10005,  REASON_PRICE_BAND },  /* price_too_low */
    { 10006,  REASON_PRICE_BAND },
    { 10007,  REASON_PRICE_BAND },  /* price_too_high */
    { 10008,  REASON_PRICE_BAND },
    { 10009,  REASON_BALANCE },     /* not_enough_funds */
    { 10010,  REASON_NOT_FOUND },   /* already_closed */
    { 10011,  REASON_PRICE_BAND },  /* price_not_allowed */
    { 10012,  REASON_SUSPENDED },   /* book_closed */
    { 10013,  REASON_OTHER },       /* as many open orders, or as large a position, as is allowed */
    { 10014,  REASON_OTHER },
    { 10015,  REASON_OTHER },
    { 10016,  REASON_OTHER },
    { 10017,  REASON_OTHER },
    { 10018,  REASON_OTHER },
    { 10019,  REASON_AUTH },        /* locked_by_admin */
    { 10020,  REASON_SUSPENDED },   /* invalid_or_unsupported_instrument */
    { 10021,  REASON_FILTER },      /* invalid_amount */
    { 10022,  REASON_FILTER },
    { 10023,  REASON_FILTER },
    { 10024,  REASON_FILTER },
    { 10025,  REASON_NOT_FOUND },   /* invalid_order_id */
    { 10026,  REASON_FILTER },      /* price_precision_exceeded */
    { 10027,  REASON_FILTER },      /* non_integer_contract_amount */
    { 10028,  REASON_RATE_LIMIT },  /* too_many_requests: the session ends with it */
    { 10029,  REASON_NOT_FOUND },   /* not_owner_of_order */
    { 10031,  REASON_FILTER },
    { 10032,  REASON_FILTER },      /* whole_cost_too_low */
    { 10037,  REASON_OTHER },
    { 10038,  REASON_OTHER },
    { 10039,  REASON_BALANCE },     /* not_enough_funds_in_currency */
    { 10040,  DERIBIT_OUTCOME_UNKNOWN }, /* retry */
    { 10041,  REASON_SUSPENDED },   /* settlement_in_progress: seconds, at 08:00 UTC */
    { 10043,  REASON_FILTER },      /* price_wrong_tick */
    { 10045,  REASON_LIQUIDATION }, /* can_not_cancel_liquidation_order */
    { 10046,  REASON_LIQUIDATION },
    { 10047,  DERIBIT_OUTCOME_UNKNOWN }, /* matching_engine_queue_full */
    { 10049,  REASON_OTHER },       /* cancel_on_disconnect_failed */
    { 10066,  REASON_RATE_LIMIT },  /* too_many_concurrent_requests */
    { 10072,  REASON_AUTH },        /* disabled_while_position_lock */
    { 11008,  REASON_NOT_FOUND },   /* already_filled */
    { 11013,  REASON_OTHER },
    { 11021,  REASON_FILTER },      /* post_only_price_modification_not_possible */
    { 11022,  REASON_FILTER },
    { 11029,  REASON_OTHER },       /* invalid_arguments */
    { 11030,  REASON_OTHER },       /* other_reject */
    { 11031,  DERIBIT_OUTCOME_UNKNOWN }, /* other_error */
    { 11042,  REASON_AUTH },        /* permission_denied */
    { 11043,  REASON_OTHER },
    { 11044,  REASON_NOT_FOUND },   /* not_open_order */
    { 11046,  REASON_SUSPENDED },   /* outdated_instrument */
    { 11047,  REASON_OTHER },
    { 11049,  REASON_OTHER },
    { 11050,  REASON_OTHER },       /* bad_request */
    { 11051,  REASON_SUSPENDED },   /* system_maintenance */
    { 11052,  REASON_OTHER },       /* subscribe_error_unsubscribed */
    { 11054,  REASON_POST_ONLY },   /* post_only_reject */
    { 11055,  REASON_FILTER },      /* post_only_not_allowed */
    { 11094,  DERIBIT_OUTCOME_UNKNOWN }, /* internal_server_error */
    { 11098,  REASON_AUTH },        /* account_locked */
    { 13004,  REASON_AUTH },        /* invalid_credentials */
    { 13009,  REASON_AUTH },        /* unauthorized */
    { 13019,  REASON_SUSPENDED },   /* orderbook_closed */
    { 13020,  REASON_SUSPENDED },   /* not_found */
    { 13021,  REASON_AUTH },        /* forbidden */
    { 13025,  REASON_SUSPENDED },   /* method_switched_off_by_admin */
    { 13028,  DERIBIT_OUTCOME_UNKNOWN }, /* temporarily_unavailable */
    { 13030,  REASON_OTHER },       /* mmp_trigger */
    { 13031,  REASON_AUTH },        /* verification_required */
    { 13032,  REASON_DUPLICATE_ID },/* non_unique_order_label */
    { 13042,  REASON_OTHER },       /* cod_not_enabled */
    { 13403,  REASON_AUTH },        /* scope_exceeded */
    { 13668,  REASON_AUTH },        /* security_key_authorization_error */
    { 13777,  REASON_OTHER },       /* replaced: a newer edit went before */
    { 13778,  REASON_AUTH },        /* raw_subscriptions_not_available_for_unauthorized */
    { 13888,  REASON_TIME },        /* timed_out: valid_until had passed, not executed */
    { -32000, REASON_OTHER },       /* what was sent is no request */
    { -32600, REASON_OTHER },
    { -32601, REASON_OTHER },
    { -32602, REASON_OTHER },
    { -32700, REASON_OTHER },
};
/* clang-format on */

uint8_t deribit_outcome(int64_t code)
{
    for (size_t i = 0; i < POISE_COUNT_OF(codes); i++) {
        if (codes[i].code == code) {
            return codes[i].reason;
        }
    }
    return DERIBIT_OUTCOME_UNKNOWN;
}

/* clang-format off */
static const struct {
    const char *text;
    uint8_t reason;
} cancel_reasons[] = {
    { "user_request",          REASON_NONE },
    { "autoliquidation",       REASON_LIQUIDATION },
    { "cancel_on_disconnect",  REASON_DEAD_MAN },
    { "edit_post_only_reject", REASON_POST_ONLY },
    { "settlement",            REASON_SUSPENDED },
    { "pme_account_locked",    REASON_AUTH },
};

static const struct {
    const char *text;
    uint8_t status;
} order_states[] = {
    { "open",        ORDER_STATUS_OPEN },
    { "filled",      ORDER_STATUS_FILLED },
    { "rejected",    ORDER_STATUS_REJECTED },
    { "cancelled",   ORDER_STATUS_CANCELLED },
    { "untriggered", ORDER_STATUS_UNTRIGGERED },
    { "triggered",   ORDER_STATUS_UNTRIGGERED }, /* the order it becomes has an id of its own */
};
/* clang-format on */

/* ------------------------------------------------------------------ making records */

/* The row that was told of last, if it is of this symbol: nearly always it is. */
static const struct instrument *same_row(const struct deribit_reader *reader, const struct scan_value *symbol)
{
    const struct instrument *row = &reader->instruments->row[reader->habits->after - 1];
    return row->venue == VENUE_DERIBIT && symbol->bytes < INSTRUMENT_SYMBOL_BYTES &&
                   memcmp(row->symbol, symbol->at, symbol->bytes) == 0 && row->symbol[symbol->bytes] == '\0'
               ? row
               : NULL;
}

const struct instrument *deribit_row(struct deribit_reader *reader, const struct scan_value *symbol)
{
    if (symbol->type != SCAN_STRING || symbol->bytes == 0) {
        return NULL;
    }
    /* A row that decode made up of a name alone has an index beyond the table. */
    if (reader->habits != NULL && reader->habits->after != 0 &&
        reader->habits->after <= reader->instruments->count) {
        const struct instrument *same = same_row(reader, symbol);
        if (POISE_LIKELY(same != NULL)) {
            return same;
        }
    }
    struct deribit_symbol read = deribit_symbol(symbol->at, symbol->bytes);
    if (read.product == PRODUCT_NONE || read.combo) {
        return NULL; /* a combo is held as its legs */
    }
    const struct instrument *row =
        instrument_find(reader->instruments, VENUE_DERIBIT, read.product, symbol->at, symbol->bytes);
    if (row == NULL && reader->hooks != NULL && reader->hooks->unknown_symbol != NULL) {
        row = reader->hooks->unknown_symbol(reader->hooks->context, read.product, symbol->at, symbol->bytes);
    }
    if (reader->habits != NULL && row != NULL) {
        reader->habits->after = (uint16_t)(row->index + 1);
    }
    return row;
}

void deribit_emit(struct deribit_reader *reader, const struct slot *record)
{
    if (!reader->dry) {
        reader->rows++;
        reader->sink->emit(reader->sink->context, record);
    }
}

static void begin(struct deribit_reader *reader, struct slot *record, enum record_type type, uint8_t slots,
                  uint16_t instrument)
{
    report_begin(record, type, slots, reader->stamp_ns, reader->flags, reader->account, instrument);
}

struct record_report *deribit_report(struct deribit_reader *reader, struct slot record[3],
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

void deribit_forget_words(struct deribit_reader *reader)
{
    if (reader->hooks != NULL) {
        reader->hooks->client_id = NULL;
        reader->hooks->client_id_bytes = 0;
        reader->hooks->exec_id = NULL;
        reader->hooks->exec_id_bytes = 0;
        reader->hooks->note = NULL;
        reader->hooks->note_bytes = 0;
        reader->hooks->unsettled_e8 = 0;
        reader->hooks->position_side = 0;
        reader->hooks->has_side = false;
    }
}

static bool set_side(struct deribit_reader *reader, struct record_report *report,
                     const struct scan_value *text)
{
    report->side = scan_is(text, "sell") ? SIDE_SELL : SIDE_BUY;
    bool told = report->side == SIDE_SELL || scan_is(text, "buy");
    if (reader->hooks != NULL) {
        reader->hooks->has_side = told;
    }
    return told;
}

/* ------------------------------------------------------------------ executions */

/* The number of a trade on its instrument is contiguous and can be asked from; a trade that came without one
 * still needs a name that stays the same when it is told again. */
static uint64_t exec_id_of(const struct scan_value *sequence, const struct scan_value *id)
{
    uint64_t number;
    if (scan_unsigned(sequence, &number) && number != 0 && number >> 63 == 0) {
        return number;
    }
    uint64_t hash = 0xcbf29ce484222325ULL;
    for (uint32_t i = 0; i < id->bytes; i++) {
        hash = (hash ^ (unsigned char)id->at[i]) * 0x100000001b3ULL;
    }
    return hash | 1ULL << 63;
}

/* "M", "T" or "MT": which side of the trade was being liquidated; ours is the one that `liquidity` names. */
static bool liquidated(const struct scan_value *which, const struct scan_value *ours)
{
    return which->type == SCAN_STRING && ours->type == SCAN_STRING && ours->bytes == 1 &&
           memchr(which->at, *ours->at, which->bytes) != NULL;
}

static bool trade_object(struct deribit_reader *reader, const struct scan_value fields[KEY_COUNT])
{
    if (fields[KEY_LEGS].type == SCAN_ARRAY) {
        /* a combo: what moved are its legs, each a trade on its own instrument */
        return deribit_array(reader, fields[KEY_LEGS].at, fields[KEY_LEGS].bytes, SHAPE_TRADE);
    }
    const struct instrument *row = deribit_row(reader, &fields[KEY_INSTRUMENT_NAME]);
    if (row == NULL) {
        reader->skipped++;
        return fields[KEY_INSTRUMENT_NAME].type == SCAN_STRING ||
               wrong(reader, "a trade without its instrument");
    }
    struct slot record[3];
    struct record_report *report = deribit_report(reader, record, RECORD_FILL, row);
    report->flags = REPORT_HAS_LAST;
    report_client(report, reader->hooks, reader->order, &fields[KEY_LABEL]);
    report_venue_order(report, &fields[KEY_ORDER_ID]);
    report->venue_time_ns = scan_time_ns(&fields[KEY_TIMESTAMP]);
    if (!set_side(reader, report, &fields[KEY_DIRECTION])) {
        return wrong(reader, "a trade's direction is neither buy nor sell");
    }
    if (fields[KEY_TRADE_ID].type == SCAN_NONE ||
        !scan_decimal(&fields[KEY_AMOUNT], row->qty_decimals, &report->last_qty) || report->last_qty <= 0) {
        return wrong(reader, "a trade without its id, or its amount is none, or finer than the unit");
    }
    /* the quantity counts at once, whatever the price turns out to be */
    if (!scan_decimal(&fields[KEY_PRICE], row->price_decimals, &report->price)) {
        report->price = 0;
        report->flags |= REPORT_PRICE_OPEN;
    }
    report->exec_id = exec_id_of(&fields[KEY_TRADE_SEQ], &fields[KEY_TRADE_ID]);
    if (reader->hooks != NULL) {
        reader->hooks->exec_id = fields[KEY_TRADE_ID].at;
        reader->hooks->exec_id_bytes = fields[KEY_TRADE_ID].bytes;
    }
    if (report->exec_id >> 63 == 0 && report->exec_id > reader->last_id) {
        reader->last_id = report->exec_id;
    }
    report->liquidity = scan_is(&fields[KEY_LIQUIDITY], "M")   ? LIQUIDITY_MAKER
                        : scan_is(&fields[KEY_LIQUIDITY], "T") ? LIQUIDITY_TAKER
                                                               : LIQUIDITY_UNKNOWN;
    if (liquidated(&fields[KEY_LIQUIDATION], &fields[KEY_LIQUIDITY])) {
        report->reason = REASON_LIQUIDATION;
    }
    report_fee(report, reader->instruments, reader->hooks, &fields[KEY_FEE], &fields[KEY_FEE_CURRENCY]);
    if (scan_has_number(&fields[KEY_PROFIT_LOSS]) &&
        scan_decimal_near(&fields[KEY_PROFIT_LOSS], DECIMAL_MONEY, &report->realised_e8)) {
        report->flags |= REPORT_HAS_REALISED;
    }
    deribit_emit(reader, record);
    return true;
}

/* ------------------------------------------------------------------ orders */

/* An order that was never meant to rest: what is left of it goes without a reason. */
static bool at_once(const struct scan_value fields[KEY_COUNT])
{
    const struct scan_value *tif = &fields[KEY_TIME_IN_FORCE], *type = &fields[KEY_ORDER_TYPE];
    return scan_is(tif, "immediate_or_cancel") || scan_is(tif, "fill_or_kill") || scan_is(type, "market");
}

static void set_end(struct record_report *report, const struct scan_value fields[KEY_COUNT])
{
    const struct scan_value *why = &fields[KEY_CANCEL_REASON];
    if (report->status != ORDER_STATUS_CANCELLED) {
        return;
    }
    if (why->type != SCAN_STRING || why->bytes == 0) {
        if (at_once(fields)) {
            report->status = ORDER_STATUS_EXPIRED;
            report->reason = REASON_IOC;
        }
        return;
    }
    report->reason = REASON_OTHER;
    for (size_t i = 0; i < POISE_COUNT_OF(cancel_reasons); i++) {
        if (scan_is(why, cancel_reasons[i].text)) {
            report->reason = cancel_reasons[i].reason;
            return;
        }
    }
}

/* What kind of news an order's state is, by what it answers. */
static enum record_type type_of(const struct record_report *report, bool replaced)
{
    if (report->request == REQUEST_QUERY) {
        return RECORD_ORDER_STATE;
    }
    switch (report->status) {
    case ORDER_STATUS_CANCELLED:
        return RECORD_CANCELLED;
    case ORDER_STATUS_EXPIRED:
        return RECORD_EXPIRED;
    case ORDER_STATUS_REJECTED:
        return RECORD_REJECT;
    case ORDER_STATUS_FILLED:
        return RECORD_ORDER_STATE;
    default:
        break;
    }
    if (report->request == REQUEST_CANCEL || report->request == REQUEST_CANCEL_ALL) {
        /* accepted, and the order is not told ended: a trigger order is, and stays called untriggered */
        return report->status == ORDER_STATUS_UNTRIGGERED ? RECORD_CANCELLED : RECORD_CANCEL_ACK;
    }
    if (report->request == REQUEST_AMEND) {
        return RECORD_AMENDED;
    }
    if (report->request != REQUEST_NONE || report->status != ORDER_STATUS_OPEN) {
        return RECORD_ORDER_STATE;
    }
    return replaced ? RECORD_AMENDED : RECORD_ACK;
}

/* An acknowledgement says nothing of executed quantities; where more is known an order state follows. */
static void acknowledge(struct deribit_reader *reader, const struct record_report *order,
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
    deribit_emit(reader, copy);
}

static bool order_object(struct deribit_reader *reader, const struct scan_value fields[KEY_COUNT])
{
    const struct instrument *row = deribit_row(reader, &fields[KEY_INSTRUMENT_NAME]);
    if (row == NULL) {
        reader->skipped++;
        return fields[KEY_INSTRUMENT_NAME].type == SCAN_STRING ||
               wrong(reader, "an order without its instrument");
    }
    struct slot record[3];
    struct record_report *report = deribit_report(reader, record, RECORD_ORDER_STATE, row);
    report_client(report, reader->hooks, reader->order, &fields[KEY_LABEL]);
    if (reader->only_order != 0 && report->order != reader->only_order) {
        return true;
    }
    report_venue_order(report, &fields[KEY_ORDER_ID]);
    set_side(reader, report, &fields[KEY_DIRECTION]);
    report->venue_time_ns =
        scan_time_ns(&fields[fields[KEY_LAST_UPDATE_TIMESTAMP].type != SCAN_NONE ? KEY_LAST_UPDATE_TIMESTAMP
                                                                                 : KEY_CREATION_TIMESTAMP]);
    if (!scan_decimal(&fields[KEY_AMOUNT], row->qty_decimals, &report->order_qty)) {
        return wrong(reader, "an order's amount is none, or finer than the instrument's unit");
    }
    /* "market_price" is a word where others have a number, and a market order's number is a bound */
    if (fields[KEY_PRICE].type == SCAN_NUMBER) {
        scan_decimal_near(&fields[KEY_PRICE], row->price_decimals, &report->order_price);
        report->price = report->order_price;
    }
    if (fields[KEY_FILLED_AMOUNT].type != SCAN_NONE) {
        if (!scan_decimal(&fields[KEY_FILLED_AMOUNT], row->qty_decimals, &report->cum_qty)) {
            return wrong(reader, "a filled amount is none, or finer than the instrument's unit");
        }
        report->flags |= REPORT_HAS_CUM;
    }
    for (size_t i = 0; i < POISE_COUNT_OF(order_states); i++) {
        if (scan_is(&fields[KEY_ORDER_STATE], order_states[i].text)) {
            report->status = order_states[i].status;
        }
    }
    if (report->status == ORDER_STATUS_OPEN && report->cum_qty > 0) {
        report->status = ORDER_STATUS_PARTIAL; /* a word the venue does not have */
    }
    set_end(report, fields);
    bool final = report->status == ORDER_STATUS_FILLED || report->status == ORDER_STATUS_CANCELLED ||
                 report->status == ORDER_STATUS_EXPIRED || report->status == ORDER_STATUS_REJECTED;
    if (final && (report->flags & REPORT_HAS_CUM) != 0) {
        report->flags |= REPORT_TERMINAL;
    }
    report->head.type = (uint8_t)type_of(report, fields[KEY_REPLACED].type == SCAN_TRUE);
    if (report->head.type == RECORD_CANCELLED) {
        report->status = ORDER_STATUS_CANCELLED;
    }
    if (report->head.type == RECORD_REJECT) {
        report->reason = report->reason != REASON_NONE ? report->reason : REASON_OTHER;
        report->request = REQUEST_NEW;
    }
    if (report->request == REQUEST_NEW && report->head.type != RECORD_REJECT) {
        acknowledge(reader, report, record);
        if (!final) {
            return true;
        }
    }
    if (report->head.type == RECORD_ACK) {
        report->request = REQUEST_NEW;
        report->flags &= REPORT_FOREIGN;
    } else if (report->head.type == RECORD_AMENDED) {
        report->request = REQUEST_AMEND;
    }
    deribit_emit(reader, record);
    return true;
}

/* ------------------------------------------------------------------ positions and money */

static struct record_balance *change(struct deribit_reader *reader, struct slot *record, uint16_t currency,
                                     uint16_t instrument, enum cash_reason reason, int64_t change_e8,
                                     const struct scan_value *time)
{
    begin(reader, record, RECORD_BALANCE, 1, instrument);
    struct record_balance *to = (struct record_balance *)(void *)record;
    to->currency = currency;
    to->total_e8 = INT64_MIN;
    to->available_e8 = INT64_MIN;
    to->change_e8 = change_e8;
    to->reason = (uint8_t)reason;
    to->venue_time_ns = scan_time_ns(time);
    return to;
}

/* What the session's figures hold beside what executions and payments made: funding that ran up since the
 * last settlement, and what earlier settlements paid out of a position that is still open. */
static void beside(struct deribit_reader *reader, const struct scan_value fields[KEY_COUNT],
                   const struct instrument *row)
{
    const struct scan_value none = { 0 };
    struct slot record[1];
    int64_t funding, total, floating;
    if (scan_has_number(&fields[KEY_REALIZED_FUNDING]) &&
        scan_decimal_near(&fields[KEY_REALIZED_FUNDING], DECIMAL_MONEY, &funding)) {
        change(reader, record, row->settle, row->index, CASH_ACCRUED, funding, &none);
        deribit_emit(reader, record);
    }
    if (scan_has_number(&fields[KEY_TOTAL_PROFIT_LOSS]) &&
        scan_has_number(&fields[KEY_FLOATING_PROFIT_LOSS]) &&
        scan_decimal_near(&fields[KEY_TOTAL_PROFIT_LOSS], DECIMAL_MONEY, &total) &&
        scan_decimal_near(&fields[KEY_FLOATING_PROFIT_LOSS], DECIMAL_MONEY, &floating) &&
        !__builtin_sub_overflow(total, floating, &total)) {
        change(reader, record, row->settle, row->index, CASH_SETTLED, total, &none);
        deribit_emit(reader, record);
    }
}

static bool position_object(struct deribit_reader *reader, const struct scan_value fields[KEY_COUNT])
{
    const struct instrument *row = deribit_row(reader, &fields[KEY_INSTRUMENT_NAME]);
    if (row == NULL) {
        reader->skipped++;
        return fields[KEY_INSTRUMENT_NAME].type == SCAN_STRING ||
               wrong(reader, "a position without its instrument");
    }
    struct slot record[1];
    begin(reader, record, RECORD_POSITION, 1, row->index);
    struct record_position *to = (struct record_position *)(void *)record;
    if (!scan_decimal(&fields[KEY_SIZE], row->qty_decimals, &to->qty)) {
        return wrong(reader, "a position's size is none, or finer than the instrument's unit");
    }
    if ((scan_is(&fields[KEY_DIRECTION], "buy") && to->qty < 0) ||
        (scan_is(&fields[KEY_DIRECTION], "sell") && to->qty > 0)) {
        return wrong(reader, "a position's size and direction contradict each other");
    }
    scan_decimal_near(&fields[KEY_AVERAGE_PRICE], DECIMAL_MONEY, &to->entry_e8);
    scan_decimal_near(&fields[KEY_ESTIMATED_LIQUIDATION_PRICE], DECIMAL_MONEY, &to->liquidation_e8);
    if (!scan_decimal_near(&fields[KEY_FLOATING_PROFIT_LOSS], DECIMAL_MONEY, &to->unrealised_e8)) {
        to->unrealised_e8 = INT64_MIN;
    }
    deribit_emit(reader, record);
    if ((reader->flags & RECORD_FLAG_REST) != 0) {
        beside(reader, fields, row);
    }
    return true;
}

/* What is owned without what is not realised: the venue's balance moves by the results of futures only when
 * they are settled, at 08:00 UTC. */
static bool summary_object(struct deribit_reader *reader, const struct scan_value fields[KEY_COUNT])
{
    uint16_t currency = report_currency(reader->instruments, reader->hooks, &fields[KEY_CURRENCY]);
    if (currency == CURRENCY_NONE) {
        reader->skipped++;
        return fields[KEY_CURRENCY].type == SCAN_STRING || wrong(reader, "a balance without its currency");
    }
    struct slot record[1];
    int64_t session = 0;
    begin(reader, record, RECORD_BALANCE, 1, NO_INSTRUMENT);
    struct record_balance *to = (struct record_balance *)(void *)record;
    to->currency = currency;
    to->available_e8 = INT64_MIN;
    scan_decimal_near(&fields[KEY_FUTURES_SESSION_RPL], DECIMAL_MONEY, &session);
    if (!scan_decimal_near(&fields[KEY_BALANCE], DECIMAL_MONEY, &to->total_e8) ||
        __builtin_add_overflow(to->total_e8, session, &to->total_e8)) {
        return wrong(reader, "a balance is no number");
    }
    scan_decimal_near(&fields[KEY_AVAILABLE_FUNDS], DECIMAL_MONEY, &to->available_e8);
    to->reason = (reader->flags & RECORD_FLAG_SNAP) != 0 ? CASH_SNAPSHOT : CASH_UNKNOWN;
    if (reader->hooks != NULL) {
        reader->hooks->unsettled_e8 = session;
    }
    deribit_emit(reader, record);
    return true;
}

static enum cash_reason log_reason(const struct scan_value *type)
{
    static const struct {
        const char *text;
        enum cash_reason reason;
    } reasons[] = {
        { "trade", CASH_ORDER },
        { "settlement", CASH_SETTLEMENT },
        { "delivery", CASH_SETTLEMENT },
        { "transfer", CASH_TRANSFER },
        { "deposit", CASH_TRANSFER },
        { "withdrawal", CASH_TRANSFER },
        { "liquidation", CASH_LIQUIDATION },
    };
    for (size_t i = 0; i < POISE_COUNT_OF(reasons); i++) {
        if (scan_is(type, reasons[i].text)) {
            return reasons[i].reason;
        }
    }
    return CASH_ADJUSTMENT;
}

/* The row's own name, so that it counts once however often it is read. */
static void row_emit(struct deribit_reader *reader, const struct scan_value fields[KEY_COUNT],
                     struct slot *record)
{
    struct record_balance *to = (struct record_balance *)(void *)record;
    const struct scan_value *id = &fields[KEY_ID];
    if (id->type == SCAN_NUMBER || id->type == SCAN_STRING) {
        to->told = CASH_TOLD_ROW;
        to->row = record_row_id(id->at, id->bytes);
    }
    deribit_emit(reader, record);
}

/* A contract that ended, and what ending it cost. */
static void delivery(struct deribit_reader *reader, const struct scan_value fields[KEY_COUNT],
                     const struct instrument *row, uint16_t currency)
{
    struct slot record[1];
    int64_t fee = 0;
    begin(reader, record, RECORD_DELIVERY, 1, row->index);
    struct record_delivery *to = (struct record_delivery *)(void *)record;
    to->venue_time_ns = scan_time_ns(&fields[KEY_TIMESTAMP]);
    if (scan_decimal_near(&fields[KEY_PRICE], DECIMAL_MONEY, &to->price_e8) && to->price_e8 > 0) {
        deribit_emit(reader, record);
    }
    if (scan_has_number(&fields[KEY_COMMISSION]) &&
        scan_decimal_near(&fields[KEY_COMMISSION], DECIMAL_MONEY, &fee) && fee != 0) {
        change(reader, record, currency, row->index, CASH_FEE, -fee, &fields[KEY_TIMESTAMP]);
        row_emit(reader, fields, record);
    }
}

/* A row of the transaction log.  Funding accrues all the time: a trade's row tells how much since the row
 * before, the settlement's all of the session, and then it is paid. */
static bool log_object(struct deribit_reader *reader, const struct scan_value fields[KEY_COUNT])
{
    uint16_t currency = report_currency(reader->instruments, reader->hooks, &fields[KEY_CURRENCY]);
    const struct instrument *row = deribit_row(reader, &fields[KEY_INSTRUMENT_NAME]);
    enum cash_reason reason = log_reason(&fields[KEY_TYPE]);
    int64_t moved, funding;
    if (currency == CURRENCY_NONE) {
        reader->skipped++;
        return true;
    }
    if (!scan_decimal_near(&fields[KEY_CHANGE], DECIMAL_MONEY, &moved)) {
        return wrong(reader, "a change of cash is no number");
    }
    struct slot record[1];
    uint16_t instrument = row != NULL ? row->index : NO_INSTRUMENT;
    bool of_position = reason == CASH_ORDER || reason == CASH_SETTLEMENT;
    if (!reader->only_payments || (!of_position && moved != 0)) {
        change(reader, record, currency, instrument, reason, moved, &fields[KEY_TIMESTAMP]);
        row_emit(reader, fields, record);
    }
    if (reader->only_payments && row == NULL && of_position) {
        reader->skipped++;
        return true;
    }
    const struct scan_value *interest = &fields[KEY_INTEREST_PL];
    bool settlement = scan_is(&fields[KEY_TYPE], "settlement");
    if (settlement && reader->only_payments && scan_has_number(&fields[KEY_TOTAL_INTEREST_PL])) {
        interest = &fields[KEY_TOTAL_INTEREST_PL]; /* with what the rows of the session's trades said */
    }
    bool perpetual = row != NULL && row->expiry_ns == 0 && row->kind != KIND_SPOT && row->kind != KIND_OPTION;
    if (settlement && perpetual && scan_has_number(interest) &&
        scan_decimal_near(interest, DECIMAL_MONEY, &funding)) {
        change(reader, record, currency, instrument, CASH_FUNDING, funding, &fields[KEY_TIMESTAMP]);
        row_emit(reader, fields, record);
    }
    if (reader->only_payments && row != NULL && row->expiry_ns != 0 &&
        scan_is(&fields[KEY_TYPE], "delivery")) {
        delivery(reader, fields, row, currency);
    }
    return true;
}

static bool ticker_object(struct deribit_reader *reader, const struct scan_value fields[KEY_COUNT])
{
    const struct instrument *row = deribit_row(reader, &fields[KEY_INSTRUMENT_NAME]);
    int64_t mark_e8 = 0, index_e8 = 0;
    if (row == NULL) {
        reader->skipped++;
        return true;
    }
    if (!scan_decimal_near(&fields[KEY_MARK_PRICE], DECIMAL_MONEY, &mark_e8)) {
        return wrong(reader, "a mark price is no number");
    }
    scan_decimal_near(&fields[KEY_INDEX_PRICE], DECIMAL_MONEY, &index_e8);
    if (reader->hooks != NULL) {
        reader->hooks->mark_e8 = mark_e8;
        reader->hooks->index_e8 = index_e8;
    }
    struct slot record[1];
    begin(reader, record, RECORD_MARK, 1, row->index);
    struct record_mark *to = (struct record_mark *)(void *)record;
    to->mark = decimal_rescale(mark_e8, DECIMAL_MONEY, row->price_decimals, ROUND_HALF_EVEN);
    to->index = decimal_rescale(index_e8, DECIMAL_MONEY, row->price_decimals, ROUND_HALF_EVEN);
    to->venue_time_ns = scan_time_ns(&fields[KEY_TIMESTAMP]); /* there is no next settlement of funding */
    deribit_emit(reader, record);
    return true;
}

/* ------------------------------------------------------------------ envelopes */

enum deribit_shape deribit_shape_of(const struct scan_value fields[KEY_COUNT])
{
    if (fields[KEY_ORDER].type == SCAN_OBJECT) {
        return SHAPE_PLACED;
    }
    if (fields[KEY_ORDERS].type == SCAN_ARRAY || fields[KEY_POSITIONS].type == SCAN_ARRAY) {
        return SHAPE_CHANGES;
    }
    if (fields[KEY_TRADES].type == SCAN_ARRAY) {
        return SHAPE_TRADES;
    }
    if (fields[KEY_SUMMARIES].type == SCAN_ARRAY) {
        return SHAPE_SUMMARIES;
    }
    if (fields[KEY_LOGS].type == SCAN_ARRAY) {
        return SHAPE_LOGS;
    }
    if (fields[KEY_ORDER_ID].type != SCAN_NONE && fields[KEY_ORDER_STATE].type == SCAN_STRING) {
        return SHAPE_ORDER;
    }
    if (fields[KEY_CHANGE].type == SCAN_NUMBER && fields[KEY_TYPE].type == SCAN_STRING) {
        return SHAPE_LOG;
    }
    if (fields[KEY_TRADE_ID].type != SCAN_NONE && fields[KEY_ORDER_ID].type != SCAN_NONE) {
        return SHAPE_TRADE;
    }
    if (fields[KEY_SIZE].type == SCAN_NUMBER && fields[KEY_INSTRUMENT_NAME].type == SCAN_STRING) {
        return SHAPE_POSITION;
    }
    if (fields[KEY_CURRENCY].type == SCAN_STRING && fields[KEY_BALANCE].type == SCAN_NUMBER) {
        return SHAPE_SUMMARY;
    }
    if (fields[KEY_CURRENCY].type == SCAN_STRING && fields[KEY_TYPE].type == SCAN_STRING &&
        (fields[KEY_RESULT].type == SCAN_ARRAY || fields[KEY_ERROR].type == SCAN_OBJECT)) {
        return SHAPE_CANCELS;
    }
    if (fields[KEY_MARK_PRICE].type == SCAN_NUMBER && fields[KEY_INSTRUMENT_NAME].type == SCAN_STRING) {
        return SHAPE_TICKER;
    }
    if (fields[KEY_CODE].type == SCAN_NUMBER && fields[KEY_MESSAGE].type == SCAN_STRING) {
        return SHAPE_ERROR;
    }
    return SHAPE_OTHER;
}

static bool is_inside(enum deribit_shape outer, enum deribit_shape only)
{
    return (outer == SHAPE_TRADES && only == SHAPE_TRADE) ||
           (outer == SHAPE_SUMMARIES && only == SHAPE_SUMMARY) ||
           (outer == SHAPE_LOGS && only == SHAPE_LOG) || (outer == SHAPE_PLACED && only == SHAPE_ORDER);
}

static bool part(struct deribit_reader *reader, const struct scan_value *array, enum deribit_shape only)
{
    return array->type != SCAN_ARRAY || deribit_array(reader, array->at, array->bytes, only);
}

/* An order and its executions: those first, as everywhere.  They come again on the private channel. */
static bool placed(struct deribit_reader *reader, const struct scan_value fields[KEY_COUNT])
{
    if (reader->request == REQUEST_NONE) {
        /* a person's message that does not say what it answers */
        static const struct scan_name names[] = { SCAN_NAME("replaced") };
        struct scan scan;
        struct scan_value replaced[1];
        scan_open(&scan, fields[KEY_ORDER].at, fields[KEY_ORDER].bytes);
        scan_fields(&scan, NULL, names, 1, replaced);
        reader->request = replaced[0].type == SCAN_TRUE ? REQUEST_AMEND : REQUEST_NEW;
    }
    return part(reader, &fields[KEY_TRADES], SHAPE_TRADE) &&
           deribit_object(reader, fields[KEY_ORDER].at, fields[KEY_ORDER].bytes, SHAPE_ORDER);
}

static bool changes(struct deribit_reader *reader, const struct scan_value fields[KEY_COUNT])
{
    return part(reader, &fields[KEY_TRADES], SHAPE_TRADE) && part(reader, &fields[KEY_ORDERS], SHAPE_ORDER) &&
           part(reader, &fields[KEY_POSITIONS], SHAPE_POSITION);
}

static bool cancels(struct deribit_reader *reader, const struct scan_value fields[KEY_COUNT])
{
    if (fields[KEY_ERROR].type == SCAN_OBJECT) {
        return deribit_object(reader, fields[KEY_ERROR].at, fields[KEY_ERROR].bytes, SHAPE_ERROR);
    }
    struct deribit_reader inner = *reader;
    inner.request = REQUEST_CANCEL_ALL;
    bool sound = deribit_array(&inner, fields[KEY_RESULT].at, fields[KEY_RESULT].bytes, SHAPE_ORDER);
    reader->rows = inner.rows;
    reader->skipped = inner.skipped;
    reader->why = inner.why;
    return sound;
}

bool deribit_object(struct deribit_reader *reader, const char *text, size_t bytes, enum deribit_shape only)
{
    struct scan scan;
    struct scan_value fields[KEY_COUNT];
    int64_t code = 0;
    if (!deribit_fields(&scan, text, bytes, fields)) {
        return wrong(reader, scan.why);
    }
    deribit_forget_words(reader);
    enum deribit_shape shape = deribit_shape_of(fields);
    if (only != SHAPE_OTHER && shape != only && !is_inside(shape, only)) {
        return wrong(reader, "an object is not what was asked for");
    }
    switch (shape) {
    case SHAPE_ORDER:
        return order_object(reader, fields);
    case SHAPE_PLACED:
        return placed(reader, fields);
    case SHAPE_TRADE:
        return trade_object(reader, fields);
    case SHAPE_TRADES:
        return part(reader, &fields[KEY_TRADES], SHAPE_TRADE);
    case SHAPE_CHANGES:
        return changes(reader, fields);
    case SHAPE_POSITION:
        return position_object(reader, fields);
    case SHAPE_SUMMARY:
        return summary_object(reader, fields);
    case SHAPE_SUMMARIES:
        return part(reader, &fields[KEY_SUMMARIES], SHAPE_SUMMARY);
    case SHAPE_CANCELS:
        return cancels(reader, fields);
    case SHAPE_LOG:
        return log_object(reader, fields);
    case SHAPE_LOGS:
        return part(reader, &fields[KEY_LOGS], SHAPE_LOG);
    case SHAPE_TICKER:
        return ticker_object(reader, fields);
    case SHAPE_ERROR:
        scan_signed(&fields[KEY_CODE], &code);
        if (!reader->dry) {
            deribit_refusal(reader, code, fields[KEY_MESSAGE].at, fields[KEY_MESSAGE].bytes);
        }
        return true;
    default:
        return true;
    }
}

bool deribit_take(struct deribit_reader *reader, struct scan *scan, enum deribit_shape shape)
{
    struct scan_value fields[KEY_COUNT];
    struct deribit_habits *habits = reader->habits;
    struct scan_habit *habit = habits == NULL         ? NULL
                               : shape == SHAPE_TRADE ? &habits->trade
                               : shape == SHAPE_ORDER ? &habits->order
                                                      : &habits->position;
    bool sound = habit == NULL ? take_fields(scan, fields)
                               : scan_fields_by_habit(scan, deribit_keys, KEY_COUNT, deribit_key_from,
                                                      DERIBIT_KEY_LETTERS, habit, fields);
    if (!sound || deribit_shape_of(fields) != shape) {
        return false;
    }
    return shape == SHAPE_TRADE   ? trade_object(reader, fields)
           : shape == SHAPE_ORDER ? order_object(reader, fields)
                                  : shape == SHAPE_POSITION && position_object(reader, fields);
}

bool deribit_array(struct deribit_reader *reader, const char *text, size_t bytes, enum deribit_shape only)
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
        if (item.type == SCAN_OBJECT && !deribit_object(reader, item.at, item.bytes, only)) {
            return false;
        }
        if (item.type != SCAN_OBJECT && only != SHAPE_OTHER) {
            return wrong(reader, "an object was expected");
        }
    }
    return scan.state == SCAN_FINE || wrong(reader, scan.why);
}

bool deribit_value(struct deribit_reader *reader, const struct scan_value *value, enum deribit_shape only)
{
    if (value->type != SCAN_OBJECT && value->type != SCAN_ARRAY) {
        return only == SHAPE_OTHER || wrong(reader, "an object was expected");
    }
    for (int pass = 0; pass < 2; pass++) {
        struct deribit_reader walk = *reader;
        walk.dry = pass == 0;
        bool sound = value->type == SCAN_ARRAY ? deribit_array(&walk, value->at, value->bytes, only)
                                               : deribit_object(&walk, value->at, value->bytes, only);
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

/* These say that the edit was not tried: the order is as it was. */
static bool not_tried(uint8_t outcome)
{
    return outcome == REASON_FILTER || outcome == REASON_RATE_LIMIT || outcome == REASON_TIME ||
           outcome == REASON_AUTH || outcome == REASON_NOT_FOUND;
}

void deribit_refusal(struct deribit_reader *reader, int64_t code, const char *text, size_t bytes)
{
    struct slot record[3];
    uint8_t outcome = deribit_outcome(code);
    deribit_forget_words(reader);
    if (reader->hooks != NULL) {
        reader->hooks->note = text;
        reader->hooks->note_bytes = (uint32_t)bytes;
    } else if (reader->request == REQUEST_NONE) {
        return;
    }
    enum record_type type = RECORD_REJECT;
    bool not_found = outcome == REASON_NOT_FOUND || code == 13020;
    if (outcome == DERIBIT_OUTCOME_UNKNOWN || (reader->request == REQUEST_AMEND && !not_tried(outcome))) {
        type = RECORD_UNKNOWN;
    } else if (reader->request == REQUEST_QUERY && not_found) {
        type = RECORD_ORDER_STATE;
    }
    struct record_report *report = deribit_report(reader, record, type, NULL);
    report->venue_code = (int32_t)code;
    report->reason = outcome == DERIBIT_OUTCOME_UNKNOWN ? REASON_NONE : outcome;
    if (type == RECORD_ORDER_STATE) {
        report->status = ORDER_STATUS_NOT_FOUND;
        report->reason = REASON_NOT_FOUND;
    }
    deribit_emit(reader, record);
}

bool deribit_answers(struct deribit_reader *reader, const struct scan_value *id)
{
    struct request_id read;
    if (!request_id_read(id, reader->instruments->count, &read)) {
        return false;
    }
    reader->tie = read.tie;
    if (read.request != REQUEST_NONE) {
        reader->request = read.request;
        reader->instrument = read.instrument;
        reader->order = read.order;
    }
    return true;
}
