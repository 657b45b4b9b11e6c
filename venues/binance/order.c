#include "venues/binance/request.h"
#include "venues/binance/sbe.h"
#include "venues/binance/session.h"

#include <string.h>

/* id_read answers false for an id that is not one of ours. */
static bool id_read(const struct scan_value *id, struct binance_reader *reader)
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

/* ------------------------------------------------------------------ out */

static enum session_slot slot_for(const struct venue_session *session, uint8_t record_type)
{
    (void)session;
    return record_type == RECORD_CANCEL_ALL ? SESSION_SLOT_REST : SESSION_SLOT_ORDER;
}

/* clang-format off */
static const struct binance_name
    name_new_client_order_id = BINANCE_NAME("newClientOrderId"),
    name_new_order_resp_type = BINANCE_NAME("newOrderRespType"),
    name_new_qty = BINANCE_NAME("newQty"),
    name_orig_client_order_id = BINANCE_NAME("origClientOrderId"),
    name_price = BINANCE_NAME("price"),
    name_quantity = BINANCE_NAME("quantity"),
    name_reduce_only = BINANCE_NAME("reduceOnly"),
    name_self_trade_prevention_mode = BINANCE_NAME("selfTradePreventionMode"),
    name_side = BINANCE_NAME("side"),
    name_symbol = BINANCE_NAME("symbol"),
    name_time_in_force = BINANCE_NAME("timeInForce"),
    name_timestamp = BINANCE_NAME("timestamp"),
    name_type = BINANCE_NAME("type");
/* clang-format on */

/* Parameters are written in the order of their names: that is the order they are signed in. */
static void put_new(struct binance_params *params, const struct record_order *order,
                    const struct instrument *row, const char *client, size_t client_bytes, bool spot,
                    uint64_t stamp_ms)
{
    bool market = (order->flags & ORDER_FLAG_MARKET) != 0,
         post_only = (order->flags & ORDER_FLAG_POST_ONLY) != 0;
    bool now_or_never = market || order->tif != TIF_GTC;
    const char *type = market ? "MARKET" : spot && post_only ? "LIMIT_MAKER" : "LIMIT";
    const char *tif = market || (spot && post_only) ? NULL
                      : post_only                   ? "GTX"
                      : order->tif == TIF_IOC       ? "IOC"
                      : order->tif == TIF_FOK       ? "FOK"
                                                    : "GTC";
    const char *response = !now_or_never ? "ACK" : spot ? "FULL" : "RESULT";

    binance_params_text(params, &name_new_client_order_id, client, client_bytes);
    binance_params_text(params, &name_new_order_resp_type, response, strlen(response));
    if (!market) {
        binance_params_decimal(params, &name_price, order->price, row->price_decimals);
    }
    binance_params_decimal(params, &name_quantity, order->qty, row->qty_decimals);
    if (!spot && (order->flags & ORDER_FLAG_REDUCE_ONLY) != 0) {
        binance_params_text(params, &name_reduce_only, "true", 4);
    }
    /* the documents disagree on its default, so it is always sent: a hedge goes through our own quote */
    binance_params_text(params, &name_self_trade_prevention_mode, "EXPIRE_MAKER", 12);
    binance_params_text(params, &name_side, order->side == SIDE_BUY ? "BUY" : "SELL",
                        order->side == SIDE_BUY ? 3 : 4);
    binance_params_text(params, &name_symbol, row->symbol, strlen(row->symbol));
    if (tif != NULL) {
        binance_params_text(params, &name_time_in_force, tif, strlen(tif));
    }
    binance_params_number(params, &name_timestamp, stamp_ms);
    binance_params_text(params, &name_type, type, strlen(type));
}

static uint32_t known_at(uint64_t order)
{
    return (uint32_t)((order * 0x9e3779b97f4a7c15ULL) >> 56) % KNOWN_ORDERS;
}

/* Spot keeps an order through an amend only when it shrinks at its price. */
static bool shrinks(struct binance_session *session, const struct record_order *order)
{
    uint32_t at = known_at(order->order);
    if (session->known[at].order != order->order || session->known[at].price != order->price ||
        order->qty >= session->known[at].qty || order->qty <= order->cum_qty) {
        return false;
    }
    session->known[at].qty = order->qty;
    return true;
}

static bool cancel_all(struct binance_session *session, const struct record_order *order, int64_t wall_ns,
                       struct venue_out *out)
{
    struct venue_session *base = &session->base;
    if (order->head.instrument != NO_INSTRUMENT) {
        return order->head.instrument < base->instruments->count &&
               binance_session_cancel_all(session, &base->instruments->row[order->head.instrument],
                                          order->tie, wall_ns, out);
    }
    if (base->wanted_count == 0) {
        return false;
    }
    /* one symbol a request: the first now, the rest by step */
    session->cancel_wanted = base->wanted_count == 64 ? ~0ULL : (1ULL << base->wanted_count) - 1;
    session->cancel_wanted &= ~1ULL;
    session->cancel_due_ns = 0;
    memset(session->cancel_tries, 0, sizeof session->cancel_tries);
    base->next_ns = 0;
    return binance_session_cancel_all(session, &base->instruments->row[base->wanted[0]], order->tie, wall_ns,
                                      out);
}

static bool encode(struct venue_session *base, const struct record_order *order, int64_t wall_ns,
                   struct venue_out *out)
{
    struct binance_session *session = (struct binance_session *)base;
    const bool spot = base->account->product == PRODUCT_SPOT;
    enum request_kind request;
    const char *method;

    out->act = ACT_NONE;
    switch (order->head.type) {
    case RECORD_ORDER_NEW:
        request = REQUEST_NEW;
        method = "order.place";
        break;
    case RECORD_ORDER_AMEND:
        if (spot && !shrinks(session, order)) {
            return false;
        }
        request = REQUEST_AMEND;
        method = spot ? "order.amend.keepPriority" : "order.modify";
        break;
    case RECORD_ORDER_CANCEL:
        request = REQUEST_CANCEL;
        method = "order.cancel";
        break;
    case RECORD_ORDER_QUERY:
        request = REQUEST_QUERY;
        method = "order.status";
        break;
    case RECORD_CANCEL_ALL:
        return cancel_all(session, order, wall_ns, out);
    default:
        return false;
    }
    if (order->head.instrument >= base->instruments->count) {
        return false;
    }
    const struct instrument *row = &base->instruments->row[order->head.instrument];
    if (row->venue != VENUE_BINANCE || row->product != base->account->product) {
        return false;
    }

    char id[REQUEST_ID_BYTES];
    const char *client = id + REQUEST_ID_BYTES - ORDER_ID_TEXT_BYTES; /* the order's text ends it */
    size_t client_bytes = ORDER_ID_TEXT_BYTES;
    struct binance_params params;
    request_id_write(id, request, order);
    if (base->hooks != NULL && base->hooks->client_id != NULL) {
        client = base->hooks->client_id;
        client_bytes = base->hooks->client_id_bytes;
    }
    binance_params_begin(&params, base->key, &session->prefix, !session->logged_on, out->body,
                         out->body_capacity, id, sizeof id, method);
    const char *side = order->side == SIDE_BUY ? "BUY" : "SELL";
    uint64_t stamp_ms = binance_stamp_ms(base, wall_ns);
    switch (request) {
    case REQUEST_NEW:
        put_new(&params, order, row, client, client_bytes, spot, stamp_ms);
        break;
    case REQUEST_AMEND:
        if (spot) {
            binance_params_text(&params, &name_new_client_order_id, client, client_bytes);
            binance_params_decimal(&params, &name_new_qty, order->qty, row->qty_decimals);
        }
        binance_params_text(&params, &name_orig_client_order_id, client, client_bytes);
        if (!spot) {
            binance_params_decimal(&params, &name_price, order->price, row->price_decimals);
            binance_params_decimal(&params, &name_quantity, order->qty, row->qty_decimals);
            binance_params_text(&params, &name_side, side, strlen(side));
        }
        binance_params_text(&params, &name_symbol, row->symbol, strlen(row->symbol));
        break;
    default:
        if (spot && request == REQUEST_CANCEL) {
            /* else the report of the cancel would carry a random id in place of the order's */
            binance_params_text(&params, &name_new_client_order_id, client, client_bytes);
        }
        binance_params_text(&params, &name_orig_client_order_id, client, client_bytes);
        binance_params_text(&params, &name_symbol, row->symbol, strlen(row->symbol));
        break;
    }
    if (request != REQUEST_NEW) {
        binance_params_number(&params, &name_timestamp, stamp_ms);
    } else if (spot) {
        uint32_t at = known_at(order->order);
        session->known[at].order = order->order;
        session->known[at].price = order->price;
        session->known[at].qty = order->qty;
    }
    out->body_bytes = (uint32_t)binance_params_end(&params);
    binance_params_told(&params, base->hooks);
    out->act = ACT_SEND;
    out->slot = SESSION_SLOT_ORDER;
    out->binary = 0;
    out->request = (uint8_t)request;
    out->weight = request == REQUEST_QUERY && spot   ? 4
                  : request == REQUEST_AMEND && spot ? 4
                  : request == REQUEST_NEW && !spot  ? 0
                                                     : 1;
    out->orders = request == REQUEST_NEW || (request == REQUEST_AMEND && !spot);
    out->tie = order->tie;
    out->order = order->order;
    return out->body_bytes > 0;
}

/* ------------------------------------------------------------------ in */

static void tell(struct binance_reader *reader, enum feed_control what, int64_t code, const char *detail,
                 size_t bytes)
{
    struct venue_hooks *hooks = reader->hooks;
    if (hooks != NULL && hooks->control != NULL && what != 0) {
        hooks->control(hooks->context, (uint8_t)what, code, detail, bytes);
    }
}

enum { RESULT_LISTEN_KEY, RESULT_API_KEY, RESULT_SUBSCRIPTION, RESULT_SERVER_TIME, RESULT_COUNT };
static const struct scan_name result_names[RESULT_COUNT] = { SCAN_NAME("listenKey"), SCAN_NAME("apiKey"),
                                                             SCAN_NAME("subscriptionId"),
                                                             SCAN_NAME("serverTime") };

/* A reply that is no order: to the session, or, for a person, to anything. */
static bool other_result(struct binance_session *session, struct binance_reader *reader,
                         const struct scan_value *result, uint64_t now_ns)
{
    struct scan_value fields[RESULT_COUNT] = { 0 };
    struct scan scan;
    if (result->type == SCAN_OBJECT) {
        scan_open(&scan, result->at, result->bytes);
        scan_fields(&scan, NULL, result_names, RESULT_COUNT, fields);
    }
    if ((reader->tie & SESSION_TIE) != 0) {
        binance_session_answer(session, reader->tie, 200, 0, fields[RESULT_LISTEN_KEY].at,
                               fields[RESULT_LISTEN_KEY].bytes, now_ns);
    }
    if (reader->hooks == NULL) {
        return true;
    }
    if (fields[RESULT_API_KEY].type == SCAN_STRING) {
        tell(reader, CONTROL_LOGIN, 0, NULL, 0);
    } else if (fields[RESULT_API_KEY].type == SCAN_NULL) {
        tell(reader, CONTROL_LOGOUT, 0, NULL, 0);
    } else if (fields[RESULT_SUBSCRIPTION].type != SCAN_NONE) {
        tell(reader, CONTROL_SUBSCRIBED, 0, fields[RESULT_SUBSCRIPTION].at,
             fields[RESULT_SUBSCRIPTION].bytes);
    } else if (fields[RESULT_SERVER_TIME].type != SCAN_NONE) {
        tell(reader, CONTROL_TIME, 0, fields[RESULT_SERVER_TIME].at, fields[RESULT_SERVER_TIME].bytes);
    } else if (result->type == SCAN_ARRAY &&
               memmem(result->at, result->bytes, "\"rateLimitType\"", 15) != NULL) {
        tell(reader, CONTROL_LIMITS, 0, NULL, 0);
    } else {
        tell(reader, CONTROL_OK, 0, NULL, 0);
    }
    return true;
}

/* Objects that a person may decode and that the engine asks for by REST only go the same way. */
static bool result_of(struct binance_session *session, struct binance_reader *reader,
                      const struct scan_value *result, uint64_t now_ns)
{
    if ((reader->tie & SESSION_TIE) != 0 || (result->type != SCAN_OBJECT && result->type != SCAN_ARRAY)) {
        return other_result(session, reader, result, now_ns);
    }
    int32_t rows = reader->rows;
    if (!binance_value(reader, result, SHAPE_OTHER)) {
        return false;
    }
    return reader->rows != rows || reader->skipped != 0 || other_result(session, reader, result, now_ns);
}

/* The weight of this address is used up, whoever used it: until the time told everything is refused, and who
 * goes on asking is banned. */
static void note_overuse(struct venue_session *base, int status, int64_t code, const struct scan_value *data)
{
    static const struct scan_name names[] = { SCAN_NAME("retryAfter") };
    struct scan_value fields[1] = { 0 };
    struct scan scan;
    if (code != -1003 && status != 418) {
        return;
    }
    if (data->type == SCAN_OBJECT) {
        scan_open(&scan, data->at, data->bytes);
        scan_fields(&scan, NULL, names, 1, fields);
    }
    base->overused = 1;
    base->answers_ns = scan_time_ns(&fields[0]);
}

static bool error_of(struct binance_session *session, struct binance_reader *reader,
                     const struct scan_value *error, int status, bool unsolicited, uint64_t now_ns)
{
    static const struct scan_name names[] = { SCAN_NAME("code"), SCAN_NAME("msg"), SCAN_NAME("data") };
    struct scan_value fields[3];
    struct scan scan;
    int64_t code = 0;
    scan_open(&scan, error->at, error->bytes);
    scan_fields(&scan, NULL, names, 3, fields);
    scan_signed(&fields[0], &code);
    const char *text = fields[1].type == SCAN_STRING ? fields[1].at : "";
    size_t bytes = fields[1].type == SCAN_STRING ? fields[1].bytes : 0;

    note_overuse(&session->base, status, code, &fields[2]);
    if ((reader->tie & SESSION_TIE) != 0) {
        binance_session_answer(session, reader->tie, status, code, NULL, 0, now_ns);
        tell(reader, CONTROL_ERROR, code, text, bytes);
        return true;
    }
    if (unsolicited && status == 401) {
        binance_session_key_revoked(session, code, now_ns);
        tell(reader, CONTROL_KEY_REVOKED, code, text, bytes);
        return true;
    }
    if (fields[2].type == SCAN_OBJECT && (code == -2021 || code == -2022)) {
        /* cancelReplace: each half may have worked; a half that did not says so itself */
        int32_t rows = reader->rows;
        if (!binance_value(reader, &fields[2], SHAPE_OTHER)) {
            return false;
        }
        if (reader->rows != rows) {
            return true;
        }
    }
    session->base.last_code = (int32_t)code;
    binance_refusal(reader, status, code, text, bytes);
    return true;
}

static bool event_of(struct binance_session *session, struct binance_reader *reader, enum session_slot slot,
                     const struct binance_event *event, uint64_t now_ns, struct venue_out *out)
{
    enum feed_control control;
    const struct scan_value *e = &event->letters[SCAN_LETTER('e')];
    if (!binance_user_event(reader, event, &control)) {
        return false;
    }
    if (control == CONTROL_STREAM_ENDED) {
        binance_session_stream_ended(session, now_ns);
    } else if (control == CONTROL_SHUTDOWN) {
        binance_session_shutdown(session, slot, out, now_ns);
    }
    tell(reader, control, 0, e->at, e->bytes);
    return true;
}

static struct binance_reader reader_of(struct venue_session *base, const struct venue_sink *sink,
                                       uint64_t now_ns)
{
    return (struct binance_reader){
        .instruments = base->instruments,
        .hooks = base->hooks,
        .sink = sink,
        .account = base->account->index,
        .product = base->account->product,
        .stamp_ns = now_ns,
        .instrument = NO_INSTRUMENT,
    };
}

static int64_t message(struct venue_session *base, enum session_slot slot, const char *bytes, size_t count,
                       uint64_t now_ns, int64_t wall_ns, const struct venue_sink *sink, struct venue_out *out)
{
    struct binance_session *session = (struct binance_session *)base;
    struct binance_reader reader = reader_of(base, sink, now_ns);
    struct scan scan, inner;
    struct binance_event heard;
    const struct scan_value *letters = heard.letters, *envelope = heard.envelope;
    (void)wall_ns;

    out->act = ACT_NONE;
    if (reader.product == PRODUCT_SPOT && binance_sbe_is(bytes, count)) {
        return binance_sbe_private(&reader, bytes, count);
    }
    scan_open(&scan, bytes, count);
    binance_event_read(&scan, &heard);
    int64_t consumed = scan_finish(&scan);
    if (consumed <= 0) {
        return consumed;
    }

    const struct scan_value *event = &envelope[ENVELOPE_EVENT], *data = &envelope[ENVELOPE_DATA];
    const struct scan_value *result = &envelope[ENVELOPE_RESULT], *error = &envelope[ENVELOPE_ERROR];
    const struct scan_value *id = &envelope[ENVELOPE_ID];
    bool sound;
    if (letters[SCAN_LETTER('e')].type == SCAN_STRING) {
        sound = event_of(session, &reader, slot, &heard, now_ns, out);
    } else if (event->type == SCAN_OBJECT || data->type == SCAN_OBJECT) {
        const struct scan_value *wrapped = event->type == SCAN_OBJECT ? event : data;
        struct scan_value wrapped_at = *wrapped;
        scan_open(&inner, wrapped_at.at, wrapped_at.bytes);
        sound = binance_event_read(&inner, &heard) && event_of(session, &reader, slot, &heard, now_ns, out);
    } else if (result->type != SCAN_NONE || error->type == SCAN_OBJECT) {
        int64_t status = error->type == SCAN_OBJECT ? 400 : 200;
        scan_signed(&envelope[ENVELOPE_STATUS], &status);
        bool ours = id_read(id, &reader);
        if (base->hooks != NULL) {
            base->hooks->request_id = id->type == SCAN_STRING || id->type == SCAN_NUMBER ? id->at : NULL;
            base->hooks->request_id_bytes = id->bytes;
            if (!ours) {
                reader.request = base->hooks->reply_to;
            }
        }
        sound = error->type == SCAN_OBJECT
                    ? error_of(session, &reader, error, (int)status, id->type == SCAN_NULL, now_ns)
                    : result_of(session, &reader, result, now_ns);
        if (base->hooks != NULL) {
            base->hooks->request_id = NULL;
        }
    } else if (envelope[ENVELOPE_CODE].type == SCAN_NUMBER) {
        int64_t code = 0;
        scan_signed(&envelope[ENVELOPE_CODE], &code);
        reader.request = base->hooks != NULL ? base->hooks->reply_to : REQUEST_NONE;
        binance_refusal(&reader, 400, code, envelope[ENVELOPE_MSG].at, envelope[ENVELOPE_MSG].bytes);
        sound = true;
    } else {
        sound = true; /* means nothing to us */
    }
    return sound ? consumed : PARSE_BROKEN;
}

enum { BODY_LISTEN_KEY, BODY_CODE, BODY_MSG, BODY_COUNT };
static const struct scan_name body_names[BODY_COUNT] = { SCAN_NAME("listenKey"), SCAN_NAME("code"),
                                                         SCAN_NAME("msg") };

static int64_t response(struct venue_session *base, uint64_t tie, int status, const char *bytes, size_t count,
                        uint64_t now_ns, int64_t wall_ns, const struct venue_sink *sink)
{
    struct binance_session *session = (struct binance_session *)base;
    struct binance_reader reader = reader_of(base, sink, now_ns);
    struct scan_value fields[BODY_COUNT] = { 0 }, whole = { 0 };
    struct scan scan;
    int64_t code = 0;
    (void)wall_ns;

    /* an error may come from a proxy in between, as HTML: then the status alone decides */
    scan_open(&scan, bytes, count);
    scan_take(&scan, &whole);
    int64_t consumed = scan_finish(&scan);
    if (consumed > 0 && whole.type == SCAN_OBJECT) {
        scan_open(&scan, whole.at, whole.bytes);
        scan_fields(&scan, NULL, body_names, BODY_COUNT, fields);
        scan_signed(&fields[BODY_CODE], &code);
    } else if (status == 200 && consumed <= 0) {
        status = 0; /* accepted, but with words we cannot read: unknown */
    }
    if (code < 0 && status == 200) {
        status = 400;
    }
    note_overuse(base, status, code, &fields[BODY_CODE]); /* how long is in a header: the caller's */
    if ((tie & SESSION_TIE) != 0) {
        binance_session_answer(session, tie, status, code, fields[BODY_LISTEN_KEY].at,
                               fields[BODY_LISTEN_KEY].bytes, now_ns);
        return consumed > 0 || status != 200 ? (int64_t)count : consumed;
    }

    reader.tie = tie;
    reader.request = REQUEST_CANCEL_ALL;
    if (status == 200) {
        if (whole.type == SCAN_ARRAY) {
            struct binance_reader each = reader;
            if (!binance_value(&each, &whole, SHAPE_ORDER)) {
                return PARSE_BROKEN;
            }
        }
        struct slot record[3];
        binance_report(&reader, record, RECORD_CANCEL_ACK, NULL);
        binance_emit(&reader, record);
        return consumed;
    }
    if (code == -2011) {
        struct slot record[3]; /* spot: there was nothing to cancel */
        binance_report(&reader, record, RECORD_CANCEL_ACK, NULL);
        binance_emit(&reader, record);
        return (int64_t)count;
    }
    binance_refusal(&reader, status, code, fields[BODY_MSG].at != NULL ? fields[BODY_MSG].at : "",
                    fields[BODY_MSG].bytes);
    return (int64_t)count;
}

const struct venue_order binance_order = {
    .session_bytes = sizeof(struct binance_session),
    .init = binance_session_init,
    .step = binance_session_step,
    .event = binance_session_event,
    .slot_for = slot_for,
    .encode = encode,
    .message = message,
    .response = response,
};
