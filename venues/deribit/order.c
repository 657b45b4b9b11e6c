#include "venues/deribit/quick.h"
#include "venues/deribit/request.h"
#include "venues/deribit/session.h"

#include <string.h>

/* An order that reaches the venue later than this after it was made is not wanted any more: the venue drops
 * it, and says that it did. */
#define VALID_MS 2000

/* ------------------------------------------------------------------ out */

static enum session_slot slot_for(const struct venue_session *session, uint8_t record_type)
{
    (void)session;
    (void)record_type;
    return SESSION_SLOT_ORDER;
}

/* Both flags are always written: left out, post_only is true, and an order that would take slides instead. */
static void put_flags(struct deribit_params *params, const struct record_order *order,
                      const struct instrument *row)
{
    bool post_only = (order->flags & ORDER_FLAG_POST_ONLY) != 0;
    deribit_params_flag(params, "post_only", post_only);
    deribit_params_flag(params, "reject_post_only", post_only);
    if (row->kind != KIND_SPOT) {
        deribit_params_flag(params, "reduce_only", (order->flags & ORDER_FLAG_REDUCE_ONLY) != 0);
    }
}

static void put_new(struct deribit_params *params, const struct record_order *order,
                    const struct instrument *row, const char *label, size_t label_bytes)
{
    bool market = (order->flags & ORDER_FLAG_MARKET) != 0;
    const char *tif = order->tif == TIF_IOC   ? "immediate_or_cancel"
                      : order->tif == TIF_FOK ? "fill_or_kill"
                                              : "good_til_cancelled";
    deribit_params_text(params, "instrument_name", row->symbol, strlen(row->symbol));
    deribit_params_decimal(params, "amount", order->qty, row->qty_decimals);
    deribit_params_text(params, "type", market ? "market" : "limit", market ? 6 : 5);
    if (!market) {
        deribit_params_decimal(params, "price", order->price, row->price_decimals);
    }
    deribit_params_text(params, "label", label, label_bytes);
    if (!market) {
        deribit_params_text(params, "time_in_force", tif, strlen(tif));
    }
    put_flags(params, order, row);
}

/* Which order: by the venue's name for it, or by ours. */
static void put_order(struct deribit_params *params, const char *id, size_t id_bytes, const char *label,
                      size_t label_bytes)
{
    if (id != NULL) {
        deribit_params_text(params, "order_id", id, id_bytes);
    } else {
        deribit_params_text(params, "label", label, label_bytes);
    }
}

/* The longest edit, and what its pieces may store beyond their ends. */
#define EDIT_BYTES 512

#define PUT(at, words)                                                                                       \
    (memcpy(at, words, sizeof(words) - 1), (at) += sizeof(words) - 1) /* its length is known here */

/* put_edit writes an edit of an order by the venue's name for it: what every move of the market waits for, so
 * it is one text with a few holes.  encode's general way says the same, and a test that it does.  Answers the
 * length. */
static size_t put_edit(char *out, const struct record_order *order, const struct instrument *row,
                       const char known[KNOWN_ID_BYTES], uint64_t valid_until)
{
    char *at = out;
    PUT(at, "{\"jsonrpc\":\"2.0\",\"id\":\"");
    request_id_write(at, REQUEST_AMEND, order);
    at += REQUEST_ID_BYTES;
    PUT(at, "\",\"method\":\"private/edit\",\"params\":{\"order_id\":\"");
    memcpy(at, known, KNOWN_ID_BYTES);
    at += strlen(known);
    PUT(at, "\",\"amount\":");
    at += decimal_print_short(at, order->qty, row->qty_decimals);
    PUT(at, ",\"price\":");
    at += decimal_print_short(at, order->price, row->price_decimals);
    if ((order->flags & ORDER_FLAG_POST_ONLY) != 0) {
        PUT(at, ",\"post_only\":true,\"reject_post_only\":true");
    } else {
        PUT(at, ",\"post_only\":false,\"reject_post_only\":false");
    }
    if (row->kind != KIND_SPOT && (order->flags & ORDER_FLAG_REDUCE_ONLY) != 0) {
        PUT(at, ",\"reduce_only\":true");
    } else if (row->kind != KIND_SPOT) {
        PUT(at, ",\"reduce_only\":false");
    }
    PUT(at, ",\"valid_until\":");
    at += decimal_print(at, (int64_t)valid_until, 0);
    PUT(at, "}}");
    return (size_t)(at - out);
}

static void sent(struct venue_out *out, enum request_kind request, const struct record_order *order,
                 enum credit credit, size_t bytes)
{
    out->body_bytes = (uint32_t)bytes;
    out->act = ACT_SEND;
    out->slot = SESSION_SLOT_ORDER;
    out->binary = 0;
    out->request = (uint8_t)request;
    out->weight = 0;
    out->orders = request == REQUEST_NEW || request == REQUEST_AMEND;
    out->credit = (uint8_t)credit;
    out->tie = order->tie;
    out->order = order->order;
}

static bool encode(struct venue_session *base, const struct record_order *order, int64_t wall_ns,
                   struct venue_out *out)
{
    struct deribit_session *session = (struct deribit_session *)base;
    const bool account_wide =
        order->head.type == RECORD_CANCEL_ALL && order->head.instrument == NO_INSTRUMENT;
    const struct instrument *row = NULL;
    const char *method;
    enum request_kind request;
    enum credit credit = CREDIT_TRADE;

    out->act = ACT_NONE;
    if (!account_wide) {
        if (order->head.instrument >= base->instruments->count) {
            return false;
        }
        row = &base->instruments->row[order->head.instrument];
        if (row->venue != VENUE_DERIBIT) {
            return false;
        }
    }

    const char *known = deribit_known(session, order->order);
    if (POISE_LIKELY(order->head.type == RECORD_ORDER_AMEND && known != NULL && base->hooks == NULL &&
                     out->body_capacity >= EDIT_BYTES)) {
        sent(out, REQUEST_AMEND, order, CREDIT_TRADE,
             put_edit(out->body, order, row, known, deribit_stamp_ms(base, wall_ns) + VALID_MS));
        return true;
    }
    char text[ORDER_ID_TEXT_BYTES], id[REQUEST_ID_BYTES];
    const char *label = text;
    size_t label_bytes = sizeof text, known_bytes = known != NULL ? strlen(known) : 0;
    order_id_print(text, order->order);
    if (base->hooks != NULL && base->hooks->client_id != NULL) {
        label = base->hooks->client_id;
        label_bytes = base->hooks->client_id_bytes;
    }
    if (base->hooks != NULL && base->hooks->venue_id != NULL) {
        known = base->hooks->venue_id;
        known_bytes = base->hooks->venue_id_bytes;
    }
    switch (order->head.type) {
    case RECORD_ORDER_NEW:
        request = REQUEST_NEW;
        method = order->side == SIDE_BUY ? "private/buy" : "private/sell";
        break;
    case RECORD_ORDER_AMEND:
        request = REQUEST_AMEND;
        method = known != NULL ? "private/edit" : "private/edit_by_label";
        break;
    case RECORD_ORDER_CANCEL:
        request = REQUEST_CANCEL;
        method = known != NULL ? "private/cancel" : "private/cancel_by_label";
        break;
    case RECORD_ORDER_QUERY:
        request = REQUEST_QUERY;
        method = known != NULL ? "private/get_order_state" : "private/get_order_state_by_label";
        credit = CREDIT_QUERY;
        break;
    case RECORD_CANCEL_ALL:
        request = REQUEST_CANCEL_ALL;
        method = account_wide ? "private/cancel_all" : "private/cancel_all_by_instrument";
        break;
    default:
        return false;
    }

    struct deribit_params params;
    request_id_write(id, request, order);
    deribit_params_begin(&params, out->body, out->body_capacity, id, sizeof id, method);
    switch (request) {
    case REQUEST_NEW:
        put_new(&params, order, row, label, label_bytes);
        break;
    case REQUEST_AMEND:
        put_order(&params, known, known_bytes, label, label_bytes);
        if (known == NULL) {
            deribit_params_text(&params, "instrument_name", row->symbol, strlen(row->symbol));
        }
        deribit_params_decimal(&params, "amount", order->qty, row->qty_decimals);
        deribit_params_decimal(&params, "price", order->price, row->price_decimals);
        put_flags(&params, order, row);
        break;
    case REQUEST_CANCEL:
    case REQUEST_QUERY:
        put_order(&params, known, known_bytes, label, label_bytes);
        if (known == NULL) {
            struct scan_value currency = deribit_currency(row);
            deribit_params_text(&params, "currency", currency.at, currency.bytes);
        }
        break;
    default:
        if (!account_wide) {
            deribit_params_text(&params, "instrument_name", row->symbol, strlen(row->symbol));
        }
        break;
    }
    if (request == REQUEST_NEW || request == REQUEST_AMEND) {
        deribit_params_number(&params, "valid_until", deribit_stamp_ms(base, wall_ns) + VALID_MS);
    }
    sent(out, request, order, credit, deribit_params_end(&params));
    return out->body_bytes > 0;
}

/* ------------------------------------------------------------------ in */

static void tell(struct deribit_reader *reader, enum feed_control what, int64_t code, const char *detail,
                 size_t bytes)
{
    struct venue_hooks *hooks = reader->hooks;
    if (hooks != NULL && hooks->control != NULL && what != 0) {
        hooks->control(hooks->context, (uint8_t)what, code, detail, bytes);
    }
}

enum { RESULT_TOKEN, RESULT_SCOPE, RESULT_ENABLED, RESULT_LOCKED, RESULT_COUNT };
static const struct scan_name result_names[RESULT_COUNT] = { SCAN_NAME("access_token"), SCAN_NAME("scope"),
                                                             SCAN_NAME("enabled"), SCAN_NAME("locked") };

/* What a reply that is no order means to a person. */
static void tell_result(struct deribit_reader *reader, const struct scan_value *result)
{
    struct scan_value fields[RESULT_COUNT] = { 0 };
    struct scan scan;
    if (reader->hooks == NULL) {
        return;
    }
    if (result->type == SCAN_OBJECT) {
        scan_open(&scan, result->at, result->bytes);
        scan_fields(&scan, NULL, result_names, RESULT_COUNT, fields);
    }
    if (reader->request == REQUEST_CANCEL || reader->request == REQUEST_CANCEL_ALL) {
        tell(reader, result->type == SCAN_NUMBER ? CONTROL_COUNT : CONTROL_OK, 0, result->at, result->bytes);
    } else if (fields[RESULT_TOKEN].type == SCAN_STRING) {
        tell(reader, CONTROL_LOGIN, 0, fields[RESULT_SCOPE].at, fields[RESULT_SCOPE].bytes);
    } else if (fields[RESULT_ENABLED].type != SCAN_NONE && fields[RESULT_SCOPE].type == SCAN_STRING) {
        const char *state = fields[RESULT_ENABLED].type == SCAN_TRUE ? "enabled" : "disabled";
        tell(reader, CONTROL_DEAD_MAN, 0, state, strlen(state));
    } else if (result->type == SCAN_ARRAY) {
        /* channels; lists of anything else are somebody else's */
        struct scan list;
        scan_open(&list, result->at, result->bytes);
        scan_array(&list);
        bool any = scan_item(&list);
        if (!any || scan_peek(&list) == SCAN_STRING) {
            tell(reader, CONTROL_SUBSCRIBED, 0, result->at, result->bytes);
        }
    } else if (result->type == SCAN_NUMBER) {
        bool time = result->bytes > 12; /* milliseconds; a count is shorter */
        tell(reader, time ? CONTROL_TIME : CONTROL_COUNT, 0, result->at, result->bytes);
    } else if (result->type == SCAN_STRING || (reader->tie & SESSION_TIE) != 0) {
        tell(reader, CONTROL_OK, 0, result->type == SCAN_STRING ? result->at : NULL,
             result->type == SCAN_STRING ? result->bytes : 0);
    }
}

static void simple(struct deribit_reader *reader, enum record_type type, uint8_t status, uint8_t reason)
{
    struct slot record[3];
    struct record_report *report = deribit_report(reader, record, type, NULL);
    report->status = status;
    report->reason = reason;
    deribit_forget_words(reader);
    deribit_emit(reader, record);
}

/* How many orders a cancel by label or a cancel-all took.  None by label is no such order. */
static void cancelled_count(struct deribit_reader *reader, const struct scan_value *result)
{
    uint64_t count = 0;
    scan_unsigned(result, &count);
    if (reader->request == REQUEST_CANCEL && count == 0) {
        simple(reader, RECORD_REJECT, ORDER_STATUS_NONE, REASON_NOT_FOUND);
    } else {
        simple(reader, RECORD_CANCEL_ACK, ORDER_STATUS_NONE, REASON_NONE);
    }
}

/* The answer to a request about an order. */
static bool order_result(struct deribit_reader *reader, const struct scan_value *result)
{
    bool cancel = reader->request == REQUEST_CANCEL || reader->request == REQUEST_CANCEL_ALL;
    if (cancel && result->type == SCAN_NUMBER) {
        cancelled_count(reader, result);
        return true;
    }
    if (result->type != SCAN_OBJECT && result->type != SCAN_ARRAY) {
        reader->why = "the answer to an order request is no object";
        return false;
    }
    bool listed = reader->request == REQUEST_QUERY && result->type == SCAN_ARRAY;
    reader->only_order = listed ? reader->order : 0;
    if (!deribit_value(reader, result, SHAPE_OTHER)) {
        return false;
    }
    if (reader->request == REQUEST_CANCEL_ALL) {
        simple(reader, RECORD_CANCEL_ACK, ORDER_STATUS_NONE, REASON_NONE);
    } else if (listed && reader->rows == 0) {
        simple(reader, RECORD_ORDER_STATE, ORDER_STATUS_NOT_FOUND, REASON_NOT_FOUND);
    } else if (reader->rows == 0) {
        simple(reader, RECORD_UNKNOWN, ORDER_STATUS_NONE, REASON_NONE); /* it did not say what became of it */
    }
    return true;
}

/* What a reply answers when nobody said: a bare order is a cancel's or a question's, a list a question's. */
static uint8_t guess_request(const struct scan_value *result)
{
    static const struct scan_name names[] = { SCAN_NAME("order_state"), SCAN_NAME("cancel_reason") };
    struct scan scan;
    struct scan_value fields[2] = { 0 };
    if (result->type == SCAN_OBJECT) {
        scan_open(&scan, result->at, result->bytes);
        scan_fields(&scan, NULL, names, 2, fields);
        if (fields[0].type == SCAN_NONE) {
            return REQUEST_NONE;
        }
    }
    return scan_is(&fields[0], "cancelled") && fields[1].type == SCAN_STRING ? REQUEST_CANCEL : REQUEST_QUERY;
}

/* Whatever it is, for a person. */
static bool any_result(struct deribit_reader *reader, const struct scan_value *result)
{
    reader->request = reader->request != REQUEST_NONE ? reader->request : guess_request(result);
    if (result->type == SCAN_OBJECT || result->type == SCAN_ARRAY) {
        int32_t rows = reader->rows;
        if (!deribit_value(reader, result, SHAPE_OTHER)) {
            return false;
        }
        if (reader->rows != rows || reader->skipped != 0) {
            return true;
        }
    }
    tell_result(reader, result);
    return true;
}

static bool result_of(struct deribit_session *session, struct deribit_reader *reader, bool ours,
                      const struct scan_value *result, const struct scan_value *testnet, uint64_t now_ns)
{
    if ((reader->tie & SESSION_TIE) != 0) {
        deribit_session_answer(session, reader->tie, 0, result, testnet, now_ns);
        tell_result(reader, result);
        return true;
    }
    if (ours) {
        return order_result(reader, result);
    }
    return reader->hooks == NULL || any_result(reader, result);
}

enum { ERROR_CODE, ERROR_MESSAGE, ERROR_COUNT };
static const struct scan_name error_names[ERROR_COUNT] = { SCAN_NAME("code"), SCAN_NAME("message") };

static void error_of(struct deribit_session *session, struct deribit_reader *reader,
                     const struct scan_value *error, const struct scan_value *testnet, uint64_t now_ns,
                     struct venue_out *out)
{
    static const struct scan_value none = { 0 };
    struct scan_value fields[ERROR_COUNT] = { 0 };
    struct scan scan;
    int64_t code = 0;
    scan_open(&scan, error->at, error->bytes);
    scan_fields(&scan, NULL, error_names, ERROR_COUNT, fields);
    scan_signed(&fields[ERROR_CODE], &code);
    code = code != 0 ? code : -1; /* an error without a number is one all the same */
    const char *text = fields[ERROR_MESSAGE].type == SCAN_STRING ? fields[ERROR_MESSAGE].at : "";
    size_t bytes = fields[ERROR_MESSAGE].type == SCAN_STRING ? fields[ERROR_MESSAGE].bytes : 0;

    if ((reader->tie & SESSION_TIE) != 0) {
        deribit_session_answer(session, reader->tie, code, &none, testnet, now_ns);
        tell(reader, CONTROL_ERROR, code, text, bytes);
    } else {
        session->base.last_code = (int32_t)code;
        deribit_refusal(reader, code, text, bytes);
    }
    if (code == 10028) {
        deribit_session_throttled(session, out, now_ns);
    } else if ((code == 10000 || code == 13009) && (reader->tie & SESSION_TIE) == 0) {
        deribit_session_unauthorized(session, code, now_ns);
    }
}

/* A channel's name without the instrument: "user.changes". */
static bool channel_is(const struct scan_value *channel, const char *name)
{
    size_t bytes = strlen(name);
    return channel->type == SCAN_STRING && channel->bytes >= bytes && memcmp(channel->at, name, bytes) == 0 &&
           (channel->bytes == bytes || channel->at[bytes] == '.');
}

/* What is told unasked. */
static bool told(struct deribit_reader *reader, const struct scan_value *params)
{
    static const struct scan_name names[] = { SCAN_NAME("channel"), SCAN_NAME("data") };
    struct scan_value fields[2] = { 0 };
    struct scan scan;
    if (params->type != SCAN_OBJECT) {
        reader->why = "a notification without its content";
        return false;
    }
    scan_open(&scan, params->at, params->bytes);
    scan_fields(&scan, NULL, names, 2, fields);
    const struct scan_value *channel = &fields[0], *data = &fields[1];
    if (channel_is(channel, "user.changes") || channel_is(channel, "user.orders") ||
        channel_is(channel, "user.trades") || channel_is(channel, "user.portfolio") ||
        channel_is(channel, "user.combo_trades")) {
        return deribit_value(reader, data, SHAPE_OTHER);
    }
    if (channel_is(channel, "user.lock")) {
        tell(reader, CONTROL_LIMITS, 0, data->at, data->bytes);
    }
    return true; /* not for us */
}

static void heartbeat(struct deribit_session *session, struct deribit_reader *reader,
                      const struct scan_value *params, uint64_t now_ns)
{
    static const struct scan_name names[] = { SCAN_NAME("type") };
    struct scan_value fields[1] = { 0 };
    struct scan scan;
    if (params->type == SCAN_OBJECT) {
        scan_open(&scan, params->at, params->bytes);
        scan_fields(&scan, NULL, names, 1, fields);
    }
    if (scan_is(&fields[0], "test_request")) {
        deribit_session_test_request(session, now_ns);
        tell(reader, CONTROL_TEST_REQUEST, 0, NULL, 0);
    } else {
        tell(reader, CONTROL_HEARTBEAT, 0, NULL, 0);
    }
}

/* Between the reader and the gateway: what the venue calls our orders is kept. */
struct note {
    struct deribit_session *session;
    const struct venue_sink *sink;
};

static void note_record(void *context, const struct slot *record)
{
    const struct note *note = context;
    const struct record_head *head = record_head_of(record);
    if (head->type >= RECORD_ACK && head->type <= RECORD_UNKNOWN) {
        const struct record_report *report = (const struct record_report *)(const void *)record;
        if ((report->flags & REPORT_TERMINAL) != 0) {
            deribit_forget(note->session, report->order);
        } else if ((report->flags & REPORT_FOREIGN) == 0) {
            deribit_know(note->session, report->order, report->venue_order_id);
        }
    }
    note->sink->emit(note->sink->context, record);
}

enum {
    ENVELOPE_ID,
    ENVELOPE_RESULT,
    ENVELOPE_ERROR,
    ENVELOPE_METHOD,
    ENVELOPE_PARAMS,
    ENVELOPE_TESTNET,
    ENVELOPE_COUNT
};
static const struct scan_name envelope_names[ENVELOPE_COUNT] = {
    SCAN_NAME("id"),     SCAN_NAME("result"), SCAN_NAME("error"),
    SCAN_NAME("method"), SCAN_NAME("params"), SCAN_NAME("testnet"),
};

static int64_t message(struct venue_session *base, enum session_slot slot, const char *bytes, size_t count,
                       uint64_t now_ns, int64_t wall_ns, const struct venue_sink *sink, struct venue_out *out)
{
    struct deribit_session *session = (struct deribit_session *)base;
    struct note note = { session, sink };
    const struct venue_sink noted = { note_record, &note };
    struct deribit_reader reader = {
        .instruments = base->instruments,
        .habits = &session->habits,
        .hooks = base->hooks,
        .sink = &noted,
        .account = base->account->index,
        .stamp_ns = now_ns,
        .instrument = NO_INSTRUMENT,
    };
    struct scan scan;
    struct scan_value envelope[ENVELOPE_COUNT];
    (void)slot;
    (void)wall_ns;

    out->act = ACT_NONE;
    int64_t quick = deribit_quick(&reader, bytes, count);
    if (quick != DERIBIT_QUICK_NOT_MINE) {
        return quick;
    }
    scan_open(&scan, bytes, count);
    scan_fields(&scan, NULL, envelope_names, ENVELOPE_COUNT, envelope);
    int64_t consumed = scan_finish(&scan);
    if (consumed <= 0) {
        return consumed;
    }

    const struct scan_value *id = &envelope[ENVELOPE_ID], *error = &envelope[ENVELOPE_ERROR];
    const struct scan_value *result = &envelope[ENVELOPE_RESULT], *method = &envelope[ENVELOPE_METHOD];
    bool sound = true;
    if (scan_is(method, "subscription")) {
        sound = told(&reader, &envelope[ENVELOPE_PARAMS]);
    } else if (scan_is(method, "heartbeat")) {
        heartbeat(session, &reader, &envelope[ENVELOPE_PARAMS], now_ns);
    } else if (result->type != SCAN_NONE || error->type == SCAN_OBJECT) {
        bool ours = deribit_answers(&reader, id);
        if (base->hooks != NULL) {
            base->hooks->request_id = id->type == SCAN_STRING || id->type == SCAN_NUMBER ? id->at : NULL;
            base->hooks->request_id_bytes = id->bytes;
            reader.request = ours ? reader.request : base->hooks->reply_to;
        }
        if (error->type == SCAN_OBJECT) {
            error_of(session, &reader, error, &envelope[ENVELOPE_TESTNET], now_ns, out);
        } else {
            sound = result_of(session, &reader, ours, result, &envelope[ENVELOPE_TESTNET], now_ns);
        }
        if (base->hooks != NULL) {
            base->hooks->request_id = NULL;
        }
    }
    return sound ? consumed : PARSE_BROKEN;
}

/* Nothing of the session goes by HTTP. */
static int64_t response(struct venue_session *base, uint64_t tie, int status, const char *bytes, size_t count,
                        uint64_t now_ns, int64_t wall_ns, const struct venue_sink *sink)
{
    (void)base;
    (void)tie;
    (void)status;
    (void)bytes;
    (void)now_ns;
    (void)wall_ns;
    (void)sink;
    return (int64_t)count;
}

const struct venue_order deribit_order = {
    .session_bytes = sizeof(struct deribit_session),
    .init = deribit_session_init,
    .step = deribit_session_step,
    .event = deribit_session_event,
    .slot_for = slot_for,
    .encode = encode,
    .message = message,
    .response = response,
};
