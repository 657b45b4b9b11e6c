#include "venues/binance/report.h"
#include "venues/binance/sbe.h"

#include <string.h>

/* Templates of the WebSocket API, schema 3. */
enum {
    RESPONSE = 50,
    LOGON = 51,
    ERROR_RESPONSE = 100,
    NEW_ORDER_ACK = 300,
    NEW_ORDER_RESULT = 301,
    NEW_ORDER_FULL = 302,
    CANCEL_ORDER = 305,
    STREAM_TERMINATED = 602,
    EXECUTION_REPORT = 603,
    ACCOUNT_POSITION = 607,
    SERVER_SHUTDOWN = 610,
};

#define HEADER_BYTES 8
#define SCHEMA       3

/* One frame, or the frame inside a response. */
struct frame {
    struct binance_reader *reader;
    struct binance_sbe sbe;
    const unsigned char *block;
    uint16_t block_bytes, template;
    int status; /* of the response around it; 200 for events */
};

struct word {
    const char *at;
    uint32_t bytes;
};

static int64_t broken(struct binance_reader *reader, const char *why)
{
    reader->why = why;
    if (reader->hooks != NULL) {
        reader->hooks->broken = why;
    }
    return PARSE_BROKEN;
}

/* word8 and word16 step over a string behind its length. */
static struct word word8(struct binance_sbe *sbe)
{
    const unsigned char *length = binance_sbe_step(sbe, 1);
    const unsigned char *text = length != NULL ? binance_sbe_step(sbe, *length) : NULL;
    return text != NULL ? (struct word){ (const char *)text, *length } : (struct word){ "", 0 };
}

static struct word word16(struct binance_sbe *sbe)
{
    const unsigned char *length = binance_sbe_step(sbe, 2);
    uint32_t bytes = length != NULL ? binance_sbe_u16(length) : 0;
    const unsigned char *text = length != NULL ? binance_sbe_step(sbe, bytes) : NULL;
    return text != NULL ? (struct word){ (const char *)text, bytes } : (struct word){ "", 0 };
}

static struct scan_value text_of(struct word word)
{
    return (struct scan_value){ .at = word.at, .bytes = word.bytes, .type = SCAN_STRING };
}

static int64_t time_ns(int64_t us)
{
    return us > 0 && us < INT64_MAX / 1000 ? us * 1000 : 0;
}

/* A number that may be absent (the smallest int64) answers false. */
static bool number(const unsigned char *at, int exponent, int decimals, int64_t *out)
{
    int64_t mantissa = binance_sbe_i64(at);
    return mantissa != INT64_MIN && binance_sbe_rescale(mantissa, exponent, decimals, out);
}

static void put_order_id(struct record_report *report, int64_t id)
{
    char digits[DECIMAL_TEXT_BYTES];
    memcpy(report->venue_order_id, digits, decimal_print(digits, id, 0));
}

static uint8_t status_of(uint8_t code)
{
    static const uint8_t statuses[] = {
        [0] = ORDER_STATUS_OPEN,      [1] = ORDER_STATUS_PARTIAL, [2] = ORDER_STATUS_FILLED,
        [3] = ORDER_STATUS_CANCELLED, [4] = ORDER_STATUS_OPEN,    [5] = ORDER_STATUS_REJECTED,
        [6] = ORDER_STATUS_EXPIRED,   [9] = ORDER_STATUS_EXPIRED, [11] = ORDER_STATUS_OPEN,
    };
    return code < sizeof statuses ? statuses[code] : ORDER_STATUS_NONE;
}

static bool is_final(uint8_t status)
{
    return status == ORDER_STATUS_FILLED || status == ORDER_STATUS_CANCELLED ||
           status == ORDER_STATUS_EXPIRED || status == ORDER_STATUS_REJECTED;
}

static void told_side(struct binance_reader *reader, bool told)
{
    if (reader->hooks != NULL) {
        reader->hooks->has_side = told;
    }
}

static void forget(struct binance_reader *reader)
{
    if (reader->hooks != NULL) {
        reader->hooks->client_id = NULL;
        reader->hooks->note = NULL;
        reader->hooks->has_side = false;
    }
}

/* ------------------------------------------------------------------ user stream */

static int64_t execution_report(struct frame *frame)
{
    struct binance_reader *reader = frame->reader;
    const unsigned char *b = frame->block;
    struct binance_sbe *sbe = &frame->sbe;
    if (frame->block_bytes < 165) {
        return broken(reader, "an execution report's block is shorter than its fields");
    }
    struct word symbol = word8(sbe), client = word8(sbe), original = word8(sbe), asset = word8(sbe);
    word8(sbe); /* rejectReason */
    word8(sbe); /* counterSymbol */
    if (sbe->lacking) {
        return PARSE_INCOMPLETE;
    }
    struct scan_value text = text_of(symbol);
    const struct instrument *row = binance_row(reader, &text);
    if (row == NULL) {
        reader->skipped++;
        return 1;
    }
    int price_exp = (int8_t)b[16], qty_exp = (int8_t)b[17], fee_exp = (int8_t)b[18];
    struct slot record[3];
    struct record_report *report = binance_report(reader, record, RECORD_ORDER_STATE, row);
    text = text_of(original.bytes > 0 ? original : client);
    binance_client(reader, report, &text);
    put_order_id(report, binance_sbe_i64(b + 35));
    report->venue_time_ns = time_ns(binance_sbe_i64(b + 8));
    report->side = b[92] == 1 ? SIDE_SELL : SIDE_BUY;
    told_side(reader, true);
    if (!number(b + 51, qty_exp, row->qty_decimals, &report->order_qty) ||
        !number(b + 112, qty_exp, row->qty_decimals, &report->cum_qty)) {
        /* nothing was executed yet: the total may be absent */
        if (binance_sbe_i64(b + 112) != INT64_MIN || report->order_qty == 0) {
            return broken(reader, "a report's quantity is none, or finer than the instrument's unit");
        }
    }
    number(b + 59, price_exp, row->price_decimals, &report->order_price);
    report->price = report->order_price;
    report->flags |= REPORT_HAS_CUM;
    report->status = status_of(b[95]);
    uint8_t what = b[94];
    if (what == 4 && number(b + 128, qty_exp, row->qty_decimals, &report->last_qty) && report->last_qty > 0) {
        int64_t fee;
        report->head.type = RECORD_FILL;
        report->flags |= REPORT_HAS_LAST;
        report->exec_id = (uint64_t)binance_sbe_i64(b + 96);
        report->liquidity = b[161] == 1 ? LIQUIDITY_MAKER : LIQUIDITY_TAKER;
        report->price = 0;
        if (!number(b + 136, price_exp, row->price_decimals, &report->price) || report->price <= 0) {
            report->price = 0;
            report->flags |= REPORT_PRICE_OPEN;
        }
        text = text_of(asset);
        uint16_t currency = binance_currency(reader, &text);
        if (number(b + 152, fee_exp, DECIMAL_MONEY, &fee) && (currency != CURRENCY_NONE || fee == 0)) {
            report->fee_e8 = fee;
            report->fee_currency = currency;
            report->flags |= REPORT_HAS_FEE;
        }
        if (is_final(report->status)) {
            report->flags |= REPORT_TERMINAL;
        }
        binance_emit(reader, record);
        return 1;
    }
    if (is_final(report->status)) {
        report->flags |= REPORT_TERMINAL;
    }
    if (what == 0) {
        report->head.type = RECORD_ACK;
        report->request = REQUEST_NEW;
    } else if (what == 1) {
        report->head.type = RECORD_CANCELLED;
    } else if (what == 2) {
        report->head.type = RECORD_AMENDED;
        report->request = REQUEST_AMEND;
    } else if (what == 3) {
        report->head.type = RECORD_REJECT;
        report->request = REQUEST_NEW;
        report->reason = REASON_OTHER;
    } else if (what == 5 || report->status == ORDER_STATUS_EXPIRED) {
        report->head.type = RECORD_EXPIRED;
        report->reason = b[95] == 9 ? REASON_SELF_TRADE : b[93] == 1 || b[93] == 2 ? REASON_IOC : REASON_NONE;
    }
    binance_emit(reader, record);
    return 1;
}

static int64_t account_position(struct frame *frame)
{
    struct binance_reader *reader = frame->reader;
    struct binance_sbe *sbe = &frame->sbe;
    if (frame->block_bytes < 18) {
        return broken(reader, "an account position's block is shorter than its fields");
    }
    const unsigned char *dimension = binance_sbe_step(sbe, 6);
    if (dimension == NULL) {
        return PARSE_INCOMPLETE;
    }
    uint16_t entry_bytes = binance_sbe_u16(dimension);
    uint32_t count = binance_sbe_u32(dimension + 2);
    if (entry_bytes < 17) {
        return broken(reader, "a balance is shorter than its fields");
    }
    struct binance_sbe from = *sbe;
    for (int pass = 0; pass < 2; pass++) {
        *sbe = from;
        for (uint32_t i = 0; i < count; i++) {
            const unsigned char *entry = binance_sbe_step(sbe, entry_bytes);
            struct word asset = word8(sbe);
            int64_t available, locked, total;
            if (sbe->lacking) {
                return PARSE_INCOMPLETE;
            }
            int exponent = (int8_t)entry[0];
            if (!number(entry + 1, exponent, DECIMAL_MONEY, &available) ||
                !number(entry + 9, exponent, DECIMAL_MONEY, &locked) ||
                __builtin_add_overflow(available, locked, &total)) {
                return broken(reader, "a balance is no number");
            }
            if (pass == 0) {
                continue;
            }
            struct scan_value text = text_of(asset);
            uint16_t currency = binance_currency(reader, &text);
            if (currency == CURRENCY_NONE) {
                reader->skipped++;
                continue;
            }
            struct slot record[1];
            struct record_head *head = record_begin(record, RECORD_BALANCE, 1, reader->stamp_ns);
            head->account = reader->account;
            record[0].ring_word = 0;
            struct record_balance *balance = (struct record_balance *)(void *)record;
            balance->total_e8 = total;
            balance->available_e8 = available;
            balance->currency = currency;
            balance->venue_time_ns = time_ns(binance_sbe_i64(frame->block + 8));
            binance_emit(reader, record);
        }
    }
    return 1;
}

/* ------------------------------------------------------------------ replies */

static int64_t order_reply(struct frame *frame)
{
    struct binance_reader *reader = frame->reader;
    struct binance_sbe *sbe = &frame->sbe;
    const unsigned char *b = frame->block;
    bool ack = frame->template == NEW_ORDER_ACK, cancel = frame->template == CANCEL_ORDER;
    if (frame->block_bytes < (ack ? 24 : 62)) {
        return broken(reader, "an order's block is shorter than its fields");
    }
    struct binance_sbe fills = { 0 };
    uint32_t fill_count = 0;
    uint16_t fill_bytes = 0;
    if (frame->template == NEW_ORDER_FULL) {
        const unsigned char *dimension = binance_sbe_step(sbe, 6);
        if (dimension == NULL) {
            return PARSE_INCOMPLETE;
        }
        fill_bytes = binance_sbe_u16(dimension);
        fill_count = binance_sbe_u32(dimension + 2);
        if (fill_bytes < 42 && fill_count > 0) {
            return broken(reader, "a fill is shorter than its fields");
        }
        fills = *sbe;
        for (uint32_t i = 0; i < fill_count && !sbe->lacking; i++) {
            binance_sbe_step(sbe, fill_bytes);
            word8(sbe);
        }
        const unsigned char *prevented = binance_sbe_step(sbe, 6);
        uint16_t prevented_bytes = prevented != NULL ? binance_sbe_u16(prevented) : 0;
        uint32_t prevented_count = prevented != NULL ? binance_sbe_u32(prevented + 2) : 0;
        for (uint32_t i = 0; i < prevented_count && !sbe->lacking; i++) {
            binance_sbe_step(sbe, prevented_bytes);
            word8(sbe);
        }
    }
    struct word symbol = word8(sbe), original = { "", 0 }, client;
    if (cancel) {
        original = word8(sbe);
    }
    client = word8(sbe);
    if (sbe->lacking) {
        return PARSE_INCOMPLETE;
    }
    struct scan_value text = text_of(symbol);
    const struct instrument *row = binance_row(reader, &text);
    if (row == NULL) {
        reader->skipped++;
        return 1;
    }
    struct slot record[3];
    struct record_report *report = binance_report(reader, record, RECORD_ACK, row);
    text = text_of(original.bytes > 0 ? original : client);
    binance_client(reader, report, &text);
    report->request = cancel ? REQUEST_CANCEL : REQUEST_NEW;
    if (ack) {
        put_order_id(report, binance_sbe_i64(b));
        report->venue_time_ns = time_ns(binance_sbe_i64(b + 16));
        binance_emit(reader, record);
        return 1;
    }
    int price_exp = (int8_t)b[0], qty_exp = (int8_t)b[1];
    put_order_id(report, binance_sbe_i64(b + 2));
    report->venue_time_ns = time_ns(binance_sbe_i64(b + 18));
    report->side = b[61] == 1 ? SIDE_SELL : SIDE_BUY;
    told_side(reader, true);
    number(b + 26, price_exp, row->price_decimals, &report->order_price);
    report->price = report->order_price;
    if (!number(b + 34, qty_exp, row->qty_decimals, &report->order_qty) ||
        !number(b + 42, qty_exp, row->qty_decimals, &report->cum_qty)) {
        return broken(reader, "an order's quantity is none, or finer than the instrument's unit");
    }
    report->status = status_of(b[58]);
    if (cancel) {
        bool cancelled = report->status == ORDER_STATUS_CANCELLED;
        report->head.type = cancelled ? RECORD_CANCELLED : RECORD_ORDER_STATE;
        report->flags |= REPORT_HAS_CUM | (is_final(report->status) ? REPORT_TERMINAL : 0);
        binance_emit(reader, record);
        return 1;
    }
    for (int pass = 0; pass < 2; pass++) {
        struct binance_sbe walk = fills;
        for (uint32_t i = 0; i < fill_count; i++) {
            const unsigned char *entry = binance_sbe_step(&walk, fill_bytes);
            struct word asset = word8(&walk);
            struct slot fill_record[3];
            struct record_report *fill = binance_report(reader, fill_record, RECORD_FILL, row);
            int64_t fee;
            fill->order = report->order;
            fill->flags = (report->flags & REPORT_FOREIGN) | REPORT_HAS_LAST;
            memcpy(fill->venue_order_id, report->venue_order_id, sizeof fill->venue_order_id);
            fill->side = report->side;
            fill->order_qty = report->order_qty;
            fill->order_price = report->order_price;
            fill->venue_time_ns = report->venue_time_ns;
            fill->liquidity = LIQUIDITY_TAKER;
            fill->request = REQUEST_NEW;
            fill->exec_id = (uint64_t)binance_sbe_i64(entry + 26);
            if (!number(entry + 2, price_exp, row->price_decimals, &fill->price) ||
                !number(entry + 10, qty_exp, row->qty_decimals, &fill->last_qty)) {
                return broken(reader, "a fill's number is none, or finer than the instrument's unit");
            }
            text = text_of(asset);
            fill->fee_currency = binance_currency(reader, &text);
            if (number(entry + 18, (int8_t)entry[0], DECIMAL_MONEY, &fee) &&
                (fill->fee_currency != CURRENCY_NONE || fee == 0)) {
                fill->fee_e8 = fee;
                fill->flags |= REPORT_HAS_FEE;
            }
            if (pass == 1) {
                binance_emit(reader, fill_record);
            }
        }
    }
    struct slot copy[3];
    memcpy(copy, record, sizeof copy);
    struct record_report *acknowledged = (struct record_report *)(void *)copy;
    acknowledged->cum_qty = 0;
    acknowledged->status = ORDER_STATUS_OPEN;
    binance_emit(reader, copy);
    if (is_final(report->status)) {
        report->head.type = RECORD_ORDER_STATE;
        report->flags |= REPORT_HAS_CUM | REPORT_TERMINAL;
        binance_emit(reader, record);
    }
    return 1;
}

static int64_t error_reply(struct frame *frame)
{
    if (frame->block_bytes < 18) {
        return broken(frame->reader, "an error's block is shorter than its fields");
    }
    struct word message = word16(&frame->sbe);
    word16(&frame->sbe); /* data */
    if (frame->sbe.lacking) {
        return PARSE_INCOMPLETE;
    }
    binance_refusal(frame->reader, frame->status, (int16_t)binance_sbe_u16(frame->block), message.at,
                    message.bytes);
    return 1;
}

static int64_t one(struct frame *frame);

/* The envelope of a reply: status, rate limits, id, and a whole message of its own. */
static int64_t response(struct frame *frame)
{
    struct binance_sbe *sbe = &frame->sbe;
    if (frame->block_bytes < 3) {
        return broken(frame->reader, "a response's block is shorter than its fields");
    }
    const unsigned char *dimension = binance_sbe_step(sbe, 4);
    if (dimension == NULL ||
        binance_sbe_step(sbe, (size_t)binance_sbe_u16(dimension) * binance_sbe_u16(dimension + 2)) == NULL) {
        return PARSE_INCOMPLETE;
    }
    struct word id = word8(sbe);
    const unsigned char *length = binance_sbe_step(sbe, 4);
    const unsigned char *result = length != NULL ? binance_sbe_step(sbe, binance_sbe_u32(length)) : NULL;
    if (result == NULL) {
        return PARSE_INCOMPLETE;
    }
    if (frame->reader->hooks != NULL) {
        frame->reader->hooks->request_id = id.at;
        frame->reader->hooks->request_id_bytes = id.bytes;
    }
    struct frame inner = { .reader = frame->reader,
                           .sbe = { result, result + binance_sbe_u32(length), false },
                           .status = binance_sbe_u16(frame->block + 1) };
    int64_t done = one(&inner);
    /* the outer lengths are complete: an inner message that lacks bytes is wrong, not short */
    return done == PARSE_INCOMPLETE ? broken(frame->reader, "the message inside a response is cut short")
                                    : done;
}

static int64_t one(struct frame *frame)
{
    const unsigned char *head = binance_sbe_step(&frame->sbe, HEADER_BYTES);
    if (head == NULL) {
        return PARSE_INCOMPLETE;
    }
    frame->block_bytes = binance_sbe_u16(head);
    frame->template = binance_sbe_u16(head + 2);
    if (binance_sbe_u16(head + 4) != SCHEMA) {
        return broken(frame->reader, "not the schema of the WebSocket API");
    }
    frame->block = binance_sbe_step(&frame->sbe, frame->block_bytes);
    if (frame->block == NULL) {
        return PARSE_INCOMPLETE;
    }
    struct venue_hooks *hooks = frame->reader->hooks;
    forget(frame->reader);
    switch (frame->template) {
    case RESPONSE:
        return response(frame);
    case EXECUTION_REPORT:
        return execution_report(frame);
    case ACCOUNT_POSITION:
        return account_position(frame);
    case NEW_ORDER_ACK:
    case NEW_ORDER_RESULT:
    case NEW_ORDER_FULL:
    case CANCEL_ORDER:
        return order_reply(frame);
    case ERROR_RESPONSE:
        return error_reply(frame);
    case LOGON:
    case STREAM_TERMINATED:
    case SERVER_SHUTDOWN:
        if (hooks != NULL && hooks->control != NULL) {
            hooks->control(hooks->context,
                           frame->template == LOGON               ? CONTROL_LOGIN
                           : frame->template == STREAM_TERMINATED ? CONTROL_STREAM_ENDED
                                                                  : CONTROL_SHUTDOWN,
                           0, NULL, 0);
        }
        frame->sbe.at = frame->sbe.end;
        return 1;
    default:
        return broken(frame->reader, "a template that is not read");
    }
}

int64_t binance_sbe_private(struct binance_reader *reader, const char *bytes, size_t count)
{
    struct frame frame = { .reader = reader,
                           .sbe = { (const unsigned char *)bytes, (const unsigned char *)bytes + count,
                                    false },
                           .status = 200 };
    int64_t done = one(&frame);
    return done > 0 ? (const char *)frame.sbe.at - bytes : done;
}
