/* Orders out and reports in, trap by trap. */
#include "ring/order_id.h"
#include "tests/venues/desk.h"
#include "venues/binance/report.h"
#include "venues/binance/request.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ORDER order_id_make(5, 17, 3, 123456)

/* ------------------------------------------------------------------ out */

/* Recomputes what must have been signed from the message itself, with another JSON reader. */
static void expect_signed(const struct desk *desk)
{
    json_error_t error;
    json_t *message = json_loads(desk->body, 0, &error);
    cr_assert_not_null(message, "%s", error.text);
    json_t *params = json_object_get(message, "params");
    const char *names[32];
    size_t count = 0;
    const char *name;
    json_t *value;
    json_object_foreach(params, name, value)
    {
        if (strcmp(name, "signature") != 0) {
            names[count++] = name;
        }
    }
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + 1; j < count; j++) {
            if (strcmp(names[i], names[j]) > 0) {
                const char *swap = names[i];
                names[i] = names[j];
                names[j] = swap;
            }
        }
    }
    char text[1024] = "", part[160], signature[SIGN_BASE64_BYTES + 1] = { 0 };
    for (size_t i = 0; i < count; i++) {
        value = json_object_get(params, names[i]);
        if (json_is_integer(value)) {
            snprintf(part, sizeof part, "%s%s=%lld", i == 0 ? "" : "&", names[i], json_integer_value(value));
        } else {
            snprintf(part, sizeof part, "%s%s=%s", i == 0 ? "" : "&", names[i], json_string_value(value));
        }
        strcat(text, part);
    }
    sign_text(&desk->key, text, strlen(text), signature);
    cr_assert_str_eq(json_string_value(json_object_get(params, "signature")), signature, "%s", text);
    json_decref(message);
}

static const char *param(const struct desk *desk, const char *name)
{
    static char value[256];
    char key[64];
    snprintf(key, sizeof key, "\"%s\":\"", name);
    const char *at = strstr(desk->body, key);
    if (at == NULL) {
        return NULL;
    }
    at += strlen(key);
    size_t bytes = strcspn(at, "\"");
    memcpy(value, at, bytes);
    value[bytes] = '\0';
    return value;
}

static struct record_order *limit(struct slot record[2], enum side side, int64_t price, int64_t qty,
                                  uint8_t flags, uint8_t tif)
{
    struct record_order *order = desk_order(record, RECORD_ORDER_NEW, ORDER, 0xabcdef);
    order->side = side;
    order->price = price;
    order->qty = qty;
    order->flags = flags;
    order->tif = tif;
    return order;
}

Test(binance_order, a_post_only_order_of_each_product)
{
    struct slot record[2];
    struct desk *desk = desk_make(PRODUCT_LINEAR, "BTCUSDT", SIGN_HMAC_SHA256, 0);
    cr_assert(desk_encode(desk, limit(record, SIDE_SELL, 6123450, 10, ORDER_FLAG_POST_ONLY, TIF_GTC)));
    cr_assert_eq(desk->out.act, ACT_SEND);
    cr_assert_eq(desk->out.slot, SESSION_SLOT_ORDER);
    cr_assert_eq(desk->out.body_bytes, strlen(desk->body));
    cr_assert_eq(desk->out.tie, 0xabcdef);
    cr_assert_eq(desk->out.orders, 1);
    cr_assert_not_null(strstr(desk->body, "\"method\":\"order.place\""));
    cr_assert_str_eq(param(desk, "price"), "61234.5");
    cr_assert_str_eq(param(desk, "quantity"), "0.01");
    cr_assert_str_eq(param(desk, "side"), "SELL");
    cr_assert_str_eq(param(desk, "type"), "LIMIT");
    cr_assert_str_eq(param(desk, "timeInForce"), "GTX");
    cr_assert_str_eq(param(desk, "newOrderRespType"), "ACK");
    cr_assert_not_null(param(desk, "selfTradePreventionMode"), "documents differ on its default");
    cr_assert_null(param(desk, "reduceOnly"));
    char text[ORDER_ID_TEXT_BYTES + 1] = { 0 };
    order_id_print(text, ORDER);
    cr_assert_str_eq(param(desk, "newClientOrderId"), text);
    expect_signed(desk);

    desk = desk_make(PRODUCT_INVERSE, "BTCUSD_PERP", SIGN_ED25519, 0);
    cr_assert(desk_encode(desk, limit(record, SIDE_BUY, 612345, 12, ORDER_FLAG_POST_ONLY, TIF_GTC)));
    cr_assert_str_eq(param(desk, "quantity"), "12", "contracts");
    cr_assert_str_eq(param(desk, "timeInForce"), "GTX");
    expect_signed(desk);

    desk = desk_make(PRODUCT_SPOT, "BTCUSDT", SIGN_HMAC_SHA256, 0);
    cr_assert(desk_encode(
        desk, limit(record, SIDE_BUY, 6123450, 10, ORDER_FLAG_POST_ONLY | ORDER_FLAG_REDUCE_ONLY, TIF_GTC)));
    cr_assert_str_eq(param(desk, "type"), "LIMIT_MAKER");
    cr_assert_null(param(desk, "timeInForce"), "spot has no GTX");
    cr_assert_null(param(desk, "reduceOnly"), "spot has none");
    expect_signed(desk);
}

Test(binance_order, hedges_ask_for_their_result)
{
    struct slot record[2];
    struct desk *desk = desk_make(PRODUCT_LINEAR, "BTCUSDT", SIGN_HMAC_SHA256, 0);
    cr_assert(desk_encode(desk, limit(record, SIDE_BUY, 6123450, 10, ORDER_FLAG_REDUCE_ONLY, TIF_IOC)));
    cr_assert_str_eq(param(desk, "timeInForce"), "IOC");
    cr_assert_str_eq(param(desk, "newOrderRespType"), "RESULT");
    cr_assert_str_eq(param(desk, "reduceOnly"), "true");
    expect_signed(desk);
    cr_assert(desk_encode(desk, limit(record, SIDE_BUY, 6123450, 10, ORDER_FLAG_MARKET, TIF_GTC)));
    cr_assert_str_eq(param(desk, "type"), "MARKET");
    cr_assert_null(param(desk, "price"));
    cr_assert_null(param(desk, "timeInForce"));
    desk = desk_make(PRODUCT_SPOT, "BTCUSDT", SIGN_HMAC_SHA256, 0);
    cr_assert(desk_encode(desk, limit(record, SIDE_BUY, 6123450, 10, 0, TIF_FOK)));
    cr_assert_str_eq(param(desk, "newOrderRespType"), "FULL");
    cr_assert_str_eq(param(desk, "timeInForce"), "FOK");
}

Test(binance_order, the_clock_offset_goes_into_the_stamp)
{
    struct slot record[2];
    struct desk *desk = desk_make(PRODUCT_LINEAR, "BTCUSDT", SIGN_HMAC_SHA256, 0);
    desk->session->clock_offset_ns = -1500 * (int64_t)NS_PER_MS;
    cr_assert(desk_encode(desk, limit(record, SIDE_BUY, 6123450, 10, 0, TIF_GTC)));
    cr_assert_not_null(strstr(desk->body, "\"timestamp\":1699999998500,"));
}

Test(binance_order, cancel_amend_and_query_name_the_order)
{
    struct slot record[2];
    char text[ORDER_ID_TEXT_BYTES + 1] = { 0 };
    order_id_print(text, ORDER);
    struct desk *desk = desk_make(PRODUCT_LINEAR, "BTCUSDT", SIGN_HMAC_SHA256, 0);
    cr_assert(desk_encode(desk, desk_order(record, RECORD_ORDER_CANCEL, ORDER, 1)));
    cr_assert_not_null(strstr(desk->body, "\"method\":\"order.cancel\""));
    cr_assert_str_eq(param(desk, "origClientOrderId"), text);
    cr_assert_null(param(desk, "newClientOrderId"));
    expect_signed(desk);
    struct record_order *amend = desk_order(record, RECORD_ORDER_AMEND, ORDER, 2);
    amend->price = 6000000;
    amend->qty = 5;
    amend->side = SIDE_SELL;
    cr_assert(desk_encode(desk, amend));
    cr_assert_not_null(strstr(desk->body, "\"method\":\"order.modify\""));
    cr_assert_str_eq(param(desk, "price"), "60000");
    cr_assert_str_eq(param(desk, "quantity"), "0.005");
    cr_assert_str_eq(param(desk, "side"), "SELL");
    expect_signed(desk);
    cr_assert(desk_encode(desk, desk_order(record, RECORD_ORDER_QUERY, ORDER, 3)));
    cr_assert_not_null(strstr(desk->body, "\"method\":\"order.status\""));
    cr_assert_eq(desk->out.orders, 0);
    desk = desk_make(PRODUCT_SPOT, "BTCUSDT", SIGN_HMAC_SHA256, 0);
    cr_assert(desk_encode(desk, desk_order(record, RECORD_ORDER_CANCEL, ORDER, 1)));
    cr_assert_str_eq(param(desk, "newClientOrderId"), text,
                     "so that the report of the cancel names the order");
    expect_signed(desk);
}

Test(binance_order, spot_amends_only_what_shrinks_at_its_price)
{
    struct slot record[2];
    struct desk *desk = desk_make(PRODUCT_SPOT, "BTCUSDT", SIGN_HMAC_SHA256, 0);
    struct record_order *amend = desk_order(record, RECORD_ORDER_AMEND, ORDER, 2);
    amend->price = 6000000;
    amend->qty = 5;
    cr_assert_not(desk_encode(desk, amend), "an order this session never sent");
    cr_assert(desk_encode(desk, limit(record, SIDE_BUY, 6000000, 10, 0, TIF_GTC)));
    amend = desk_order(record, RECORD_ORDER_AMEND, ORDER, 2);
    amend->price = 6000000;
    amend->qty = 11;
    cr_assert_not(desk_encode(desk, amend));
    amend->qty = 5;
    amend->price = 6000001;
    cr_assert_not(desk_encode(desk, amend));
    amend->price = 6000000;
    cr_assert(desk_encode(desk, amend));
    cr_assert_not_null(strstr(desk->body, "\"method\":\"order.amend.keepPriority\""));
    cr_assert_str_eq(param(desk, "newQty"), "0.005");
    cr_assert_eq(desk->out.orders, 0, "amends at their price cost no order");
    expect_signed(desk);
}

Test(binance_order, what_does_not_fit_or_is_not_ours_is_not_sent)
{
    struct slot record[2];
    struct desk *desk = desk_make(PRODUCT_LINEAR, "BTCUSDT", SIGN_HMAC_SHA256, 0);
    struct record_order *order = limit(record, SIDE_BUY, 6000000, 10, 0, TIF_GTC);
    desk->out.body_capacity = 100;
    cr_assert_not(desk_encode(desk, order));
    desk->out.body_capacity = sizeof desk->body;
    order->head.instrument = 7;
    cr_assert_not(desk_encode(desk, order));
    order->head.instrument = 0;
    order->head.type = RECORD_CLOCK;
    cr_assert_not(desk_encode(desk, order));
}

Test(binance_order, a_message_that_does_not_fit_stays_within_its_room)
{
    struct slot record[2];
    struct desk *desk = desk_make(PRODUCT_LINEAR, "BTCUSDT", SIGN_HMAC_SHA256, 0);
    struct record_order *order = limit(record, SIDE_BUY, 6000000, 10, 0, TIF_GTC);
    cr_assert(desk_encode(desk, order));
    uint32_t whole = desk->out.body_bytes;
    /* a parameter is written when its longest name would fit: the last has some to spare */
    for (uint32_t room = 0; room < whole; room++) {
        desk->out.body_capacity = room;
        cr_assert_not(desk_encode(desk, order), "%u bytes for %u", room, whole);
        for (uint32_t at = room; at < whole + 100; at++) {
            cr_assert_eq(desk->body[at], 0, "%u bytes, and byte %u was written", room, at);
        }
    }
    desk->out.body_capacity = whole + BINANCE_NAME_BYTES;
    cr_assert(desk_encode(desk, order));
}

/* ------------------------------------------------------------------ in */

static const char *id_of(struct desk *desk, enum record_type type, uint64_t tie)
{
    static char id[64];
    struct slot record[2];
    struct record_order *order = desk_order(record, type, ORDER, tie);
    order->price = 6000000;
    order->qty = 10;
    cr_assert(desk_encode(desk, order));
    sscanf(desk->body, "{\"id\":\"%63[^\"]", id);
    cr_assert_leq(strlen(id), 36);
    return id;
}

static void reply(struct desk *desk, enum record_type type, uint64_t tie, const char *rest)
{
    char message[2048];
    snprintf(message, sizeof message, "{\"id\":\"%s\",%s}", id_of(desk, type, tie), rest);
    desk->record_count = 0;
    cr_assert_eq(desk_hear(desk, SESSION_SLOT_ORDER, message), (int64_t)strlen(message), "%s", message);
}

static const char *client(void)
{
    static char text[ORDER_ID_TEXT_BYTES + 1];
    order_id_print(text, ORDER);
    return text;
}

Test(binance_order, an_acknowledgement_answers_its_request)
{
    struct desk *desk = desk_make(PRODUCT_LINEAR, "BTCUSDT", SIGN_HMAC_SHA256, 0);
    char body[1024];
    snprintf(body, sizeof body,
             "\"status\":200,\"result\":{\"orderId\":8389765739703625592,\"symbol\":\"BTCUSDT\",\"status\":"
             "\"NEW\",\"clientOrderId\":\"%s\","
             "\"price\":\"60000.00\",\"origQty\":\"0.010\",\"executedQty\":\"0.000\",\"side\":\"BUY\","
             "\"type\":\"LIMIT\",\"timeInForce\":\"GTX\","
             "\"updateTime\":1702555534435},\"rateLimits\":[]",
             client());
    reply(desk, RECORD_ORDER_NEW, 77, body);
    cr_assert_eq(desk->record_count, 1);
    const struct record_report *ack = desk_report(desk, 0);
    cr_assert_eq(ack->head.type, RECORD_ACK);
    cr_assert_eq(ack->head.account, 3);
    cr_assert_eq(ack->head.instrument, 0);
    cr_assert_eq(ack->head.stamp_ns, desk->now_ns);
    cr_assert_eq(ack->order, ORDER);
    cr_assert_eq(ack->tie, 77);
    cr_assert_eq(ack->request, REQUEST_NEW);
    cr_assert_eq(ack->status, ORDER_STATUS_OPEN);
    cr_assert_str_eq(ack->venue_order_id, "8389765739703625592", "beyond what a double holds");
    cr_assert_eq(ack->order_qty, 10);
    cr_assert_eq(ack->flags & (REPORT_HAS_CUM | REPORT_TERMINAL | REPORT_FOREIGN), 0);
    cr_assert_eq(ack->venue_time_ns, 1702555534435000000LL);
}

Test(binance_order, a_result_that_is_final_gives_the_state_behind_the_acknowledgement)
{
    struct desk *desk = desk_make(PRODUCT_LINEAR, "BTCUSDT", SIGN_HMAC_SHA256, 0);
    char body[1024];
    snprintf(body, sizeof body,
             "\"status\":200,\"result\":{\"orderId\":1,\"symbol\":\"BTCUSDT\",\"status\":\"EXPIRED\","
             "\"clientOrderId\":\"%s\","
             "\"price\":\"60000.00\",\"origQty\":\"0.010\",\"executedQty\":\"0.004\",\"side\":\"BUY\","
             "\"timeInForce\":\"IOC\"}",
             client());
    reply(desk, RECORD_ORDER_NEW, 78, body);
    cr_assert_eq(desk->record_count, 2);
    cr_assert_eq(desk_report(desk, 0)->head.type, RECORD_ACK);
    cr_assert_eq(desk_report(desk, 0)->flags & REPORT_TERMINAL, 0);
    const struct record_report *state = desk_report(desk, 1);
    cr_assert_eq(state->head.type, RECORD_ORDER_STATE);
    cr_assert_eq(state->status, ORDER_STATUS_EXPIRED);
    cr_assert_eq(state->cum_qty, 4);
    cr_assert_eq(state->reason, REASON_IOC);
    cr_assert_eq(state->flags & (REPORT_HAS_CUM | REPORT_TERMINAL), REPORT_HAS_CUM | REPORT_TERMINAL);
}

/* One row per refusal: product, request, what the venue says, and what it means. */
Test(binance_order, who_is_banned_learns_until_when)
{
    struct desk *desk = desk_make(PRODUCT_SPOT, "BTCUSDT", SIGN_HMAC_SHA256, 0);
    reply(desk, RECORD_ORDER_CANCEL, 5,
          "\"status\":429,\"error\":{\"code\":-1015,\"msg\":\"Too many new orders\",\"data\":{"
          "\"serverTime\":1659142907531,\"retryAfter\":1659142910000}}");
    cr_assert_eq(desk->session->overused, 0, "a count of orders: cancels are none");
    reply(desk, RECORD_ORDER_CANCEL, 6,
          "\"status\":418,\"error\":{\"code\":-1003,\"msg\":\"IP banned until 1659146400000.\",\"data\":{"
          "\"serverTime\":1659142907531,\"retryAfter\":1659146400000}}");
    cr_assert_eq(desk->session->overused, 1);
    cr_assert_eq(desk->session->answers_ns, 1659146400000000000);
    desk->session->overused = 0;
    reply(desk, RECORD_ORDER_CANCEL, 7,
          "\"status\":429,\"error\":{\"code\":-1003,\"msg\":\"Too many requests\"}");
    cr_assert_eq(desk->session->overused, 1);
    cr_assert_eq(desk->session->answers_ns, 0);
}

struct refusal {
    uint8_t product;
    enum record_type request;
    int status, code;
    const char *text;
    enum record_type type;
    uint8_t reason;
};

Test(binance_order, every_refusal_means_what_the_page_says)
{
    /* clang-format off */
    static const struct refusal rows[] = {
        { PRODUCT_LINEAR,  RECORD_ORDER_NEW,    400, -5022, "Due to the order could not be executed as maker, the Post Only order will be rejected.", RECORD_REJECT, REASON_POST_ONLY },
        { PRODUCT_SPOT,    RECORD_ORDER_NEW,    400, -2010, "Order would immediately match and take.", RECORD_REJECT, REASON_POST_ONLY },
        { PRODUCT_SPOT,    RECORD_ORDER_NEW,    400, -2010, "Account has insufficient balance for requested action.", RECORD_REJECT, REASON_BALANCE },
        { PRODUCT_SPOT,    RECORD_ORDER_NEW,    400, -2010, "Duplicate order sent.", RECORD_REJECT, REASON_DUPLICATE_ID },
        { PRODUCT_SPOT,    RECORD_ORDER_NEW,    400, -2010, "Market is closed.", RECORD_REJECT, REASON_SUSPENDED },
        { PRODUCT_SPOT,    RECORD_ORDER_NEW,    400, -2010, "words nobody has seen", RECORD_REJECT, REASON_OTHER },
        { PRODUCT_SPOT,    RECORD_ORDER_NEW,    400, -1013, "Filter failure: LOT_SIZE", RECORD_REJECT, REASON_FILTER },
        { PRODUCT_SPOT,    RECORD_ORDER_NEW,    400, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE", RECORD_REJECT, REASON_PRICE_BAND },
        { PRODUCT_LINEAR,  RECORD_ORDER_NEW,    400, -2019, "Margin is insufficient.", RECORD_REJECT, REASON_BALANCE },
        { PRODUCT_LINEAR,  RECORD_ORDER_NEW,    400, -2022, "ReduceOnly Order is rejected.", RECORD_REJECT, REASON_REDUCE_ONLY },
        { PRODUCT_SPOT,    RECORD_ORDER_NEW,    400, -2022, "Order cancel-replace failed.", RECORD_REJECT, REASON_OTHER },
        { PRODUCT_LINEAR,  RECORD_ORDER_NEW,    400, -2021, "Order would immediately trigger.", RECORD_REJECT, REASON_OTHER },
        { PRODUCT_LINEAR,  RECORD_ORDER_NEW,    400, -4116, "ClientOrderId is duplicated.", RECORD_REJECT, REASON_DUPLICATE_ID },
        { PRODUCT_INVERSE, RECORD_ORDER_NEW,    400, -4164, "Order's notional must be no smaller than 5.0", RECORD_REJECT, REASON_FILTER },
        { PRODUCT_INVERSE, RECORD_ORDER_NEW,    400, -4016, "Limit price can't be higher than 1.", RECORD_REJECT, REASON_PRICE_BAND },
        { PRODUCT_LINEAR,  RECORD_ORDER_NEW,    400, -1021, "Timestamp for this request is outside of the recvWindow.", RECORD_REJECT, REASON_TIME },
        { PRODUCT_LINEAR,  RECORD_ORDER_NEW,    400, -1022, "Signature for this request is not valid.", RECORD_REJECT, REASON_AUTH },
        { PRODUCT_LINEAR,  RECORD_ORDER_NEW,    429, -1015, "Too many new orders", RECORD_REJECT, REASON_RATE_LIMIT },
        { PRODUCT_LINEAR,  RECORD_ORDER_NEW,    418, -1003, "Way too much request weight used", RECORD_REJECT, REASON_RATE_LIMIT },
        { PRODUCT_LINEAR,  RECORD_ORDER_NEW,    503, -1008, "Server is currently overloaded", RECORD_REJECT, REASON_RATE_LIMIT },
        { PRODUCT_LINEAR,  RECORD_ORDER_NEW,    503, 0,     "Service Unavailable.", RECORD_REJECT, REASON_RATE_LIMIT },
        { PRODUCT_LINEAR,  RECORD_ORDER_NEW,    403, 0,     "blocked", RECORD_REJECT, REASON_OTHER },
        { PRODUCT_LINEAR,  RECORD_ORDER_NEW,    503, 0,     "Unknown error, please check your request or try again later.", RECORD_UNKNOWN, REASON_NONE },
        { PRODUCT_LINEAR,  RECORD_ORDER_NEW,    500, 0,     "x", RECORD_UNKNOWN, REASON_NONE },
        { PRODUCT_LINEAR,  RECORD_ORDER_NEW,    400, -1007, "Timeout waiting for response from backend server.", RECORD_UNKNOWN, REASON_NONE },
        { PRODUCT_SPOT,    RECORD_ORDER_CANCEL, 400, -1006, "x", RECORD_UNKNOWN, REASON_NONE },
        { PRODUCT_LINEAR,  RECORD_ORDER_CANCEL, 400, -2011, "Unknown order sent.", RECORD_REJECT, REASON_NOT_FOUND },
        { PRODUCT_SPOT,    RECORD_ORDER_CANCEL, 400, -2011, "Unknown order sent.", RECORD_REJECT, REASON_NOT_FOUND },
        { PRODUCT_LINEAR,  RECORD_ORDER_AMEND,  400, -5027, "No need to modify the order.", RECORD_AMENDED, REASON_UNCHANGED },
        { PRODUCT_LINEAR,  RECORD_ORDER_AMEND,  400, -2013, "Order does not exist.", RECORD_REJECT, REASON_NOT_FOUND },
        { PRODUCT_LINEAR,  RECORD_ORDER_AMEND,  400, -5028, "x", RECORD_REJECT, REASON_TIME },
        { PRODUCT_LINEAR,  RECORD_ORDER_QUERY,  400, -2013, "Order does not exist.", RECORD_ORDER_STATE, REASON_NOT_FOUND },
        { PRODUCT_LINEAR,  RECORD_ORDER_QUERY,  400, -1000, "x", RECORD_UNKNOWN, REASON_NONE },
    };
    /* clang-format on */
    for (size_t i = 0; i < POISE_COUNT_OF(rows); i++) {
        const struct refusal *row = &rows[i];
        struct desk *desk = desk_make(
            row->product, row->product == PRODUCT_INVERSE ? "BTCUSD_PERP" : "BTCUSDT", SIGN_HMAC_SHA256, 0);
        char body[512];
        snprintf(body, sizeof body, "\"status\":%d,\"error\":{\"code\":%d,\"msg\":\"%s\"}", row->status,
                 row->code, row->text);
        reply(desk, row->request, 5, body);
        cr_assert_eq(desk->record_count, 1, "%s", body);
        const struct record_report *report = desk_report(desk, 0);
        cr_assert_eq(report->head.type, row->type, "%s: type %u", body, report->head.type);
        cr_assert_eq(report->reason, row->reason, "%s: reason %u", body, report->reason);
        cr_assert_eq(report->tie, 5);
        cr_assert_eq(report->order, ORDER, "an error names only the request: the id carries the order");
        cr_assert_eq(report->head.instrument, 0);
        cr_assert_eq(report->venue_code, row->code);
        if (row->type == RECORD_ORDER_STATE) {
            cr_assert_eq(report->status, ORDER_STATUS_NOT_FOUND);
            cr_assert_eq(report->flags & REPORT_TERMINAL, 0, "proof of nothing by itself");
        }
    }
}

Test(binance_order, a_cancel_reply_with_its_quantity_is_final_and_one_without_is_not)
{
    struct desk *desk = desk_make(PRODUCT_LINEAR, "BTCUSDT", SIGN_HMAC_SHA256, 0);
    char body[512];
    snprintf(body, sizeof body,
             "\"status\":200,\"result\":{\"clientOrderId\":\"%s\",\"orderId\":3,\"symbol\":\"BTCUSDT\","
             "\"status\":\"CANCELED\","
             "\"origQty\":\"0.010\",\"executedQty\":\"0.003\",\"side\":\"SELL\"}",
             client());
    reply(desk, RECORD_ORDER_CANCEL, 6, body);
    cr_assert_eq(desk_report(desk, 0)->head.type, RECORD_CANCELLED);
    cr_assert_eq(desk_report(desk, 0)->cum_qty, 3);
    cr_assert(desk_report(desk, 0)->flags & REPORT_TERMINAL);
    snprintf(body, sizeof body,
             "\"status\":200,\"result\":{\"clientOrderId\":\"%s\",\"orderId\":3,\"symbol\":\"BTCUSDT\","
             "\"status\":\"NEW\"}",
             client());
    reply(desk, RECORD_ORDER_CANCEL, 6, body);
    cr_assert_eq(desk_report(desk, 0)->head.type, RECORD_CANCEL_ACK);
    cr_assert_eq(desk_report(desk, 0)->flags & REPORT_TERMINAL, 0);
}

Test(binance_order, a_spot_cancel_reply_names_the_order_by_its_original_id)
{
    struct desk *desk = desk_make(PRODUCT_SPOT, "BTCUSDT", SIGN_HMAC_SHA256, 0);
    char body[512];
    snprintf(body, sizeof body,
             "\"status\":200,\"result\":{\"symbol\":\"BTCUSDT\",\"origClientOrderId\":\"%s\",\"orderId\":3,"
             "\"clientOrderId\":\"91fe37ce\","
             "\"status\":\"CANCELED\",\"origQty\":\"0.010\",\"executedQty\":\"0.003\",\"side\":\"SELL\"}",
             client());
    reply(desk, RECORD_ORDER_CANCEL, 6, body);
    cr_assert_eq(desk_report(desk, 0)->order, ORDER);
}

Test(binance_order, an_amend_that_ended_the_order_says_so)
{
    struct desk *desk = desk_make(PRODUCT_LINEAR, "BTCUSDT", SIGN_HMAC_SHA256, 0);
    char body[512];
    snprintf(body, sizeof body,
             "\"status\":200,\"result\":{\"clientOrderId\":\"%s\",\"orderId\":3,\"symbol\":\"BTCUSDT\","
             "\"status\":\"NEW\",\"price\":\"61000.5\","
             "\"origQty\":\"0.010\",\"executedQty\":\"0.003\",\"side\":\"SELL\"}",
             client());
    reply(desk, RECORD_ORDER_AMEND, 6, body);
    cr_assert_eq(desk_report(desk, 0)->head.type, RECORD_AMENDED);
    cr_assert_eq(desk_report(desk, 0)->order_price, 6100050);
    snprintf(body, sizeof body,
             "\"status\":200,\"result\":{\"clientOrderId\":\"%s\",\"orderId\":3,\"symbol\":\"BTCUSDT\","
             "\"status\":\"CANCELED\","
             "\"origQty\":\"0.002\",\"executedQty\":\"0.003\",\"side\":\"SELL\"}",
             client());
    reply(desk, RECORD_ORDER_AMEND, 6, body);
    cr_assert_eq(desk_report(desk, 0)->head.type, RECORD_CANCELLED);
}

static const struct record_report *futures(struct desk *desk, const char *o)
{
    char message[2048];
    snprintf(message, sizeof message,
             "{\"e\":\"ORDER_TRADE_UPDATE\",\"T\":1568879465651,\"E\":1568879465652,\"o\":{%s}}", o);
    desk->record_count = 0;
    int64_t consumed = desk_hear(desk, SESSION_SLOT_PRIVATE, message);
    cr_assert_eq(consumed, (int64_t)strlen(message), "%s", message);
    return desk->record_count > 0 ? desk_report(desk, 0) : NULL;
}

#define FUTURES_ORDER                                                                                        \
    "\"s\":\"BTCUSDT\",\"c\":\"%s\",\"S\":\"BUY\",\"o\":\"LIMIT\",\"f\":\"%s\",\"q\":\"0.010\",\"p\":"       \
    "\"60000.0\",\"i\":8886774,"

Test(binance_order, a_fill_and_its_fast_notice_share_their_id)
{
    struct desk *desk = desk_make(PRODUCT_LINEAR, "BTCUSDT", SIGN_HMAC_SHA256, 0);
    char o[1024];
    snprintf(o, sizeof o,
             FUTURES_ORDER
             "\"x\":\"TRADE\",\"X\":\"PARTIALLY_FILLED\",\"l\":\"0.004\",\"z\":\"0.004\",\"L\":\"59999.9\","
             "\"N\":\"USDT\","
             "\"n\":\"0.04799992\",\"T\":1568879465651,\"t\":12345678,\"m\":true,\"rp\":\"12.34\"",
             client(), "GTX");
    const struct record_report *fill = futures(desk, o);
    cr_assert_eq(fill->head.type, RECORD_FILL);
    cr_assert_eq(fill->order, ORDER);
    cr_assert_eq(fill->exec_id, 12345678);
    cr_assert_eq(fill->price, 5999990);
    cr_assert_eq(fill->last_qty, 4);
    cr_assert_eq(fill->cum_qty, 4);
    cr_assert_eq(fill->fee_e8, 4799992);
    cr_assert_eq(fill->fee_currency, 0);
    cr_assert_eq(fill->realised_e8, 1234000000);
    cr_assert_eq(fill->liquidity, LIQUIDITY_MAKER);
    cr_assert_eq(fill->status, ORDER_STATUS_PARTIAL);
    cr_assert_eq(fill->flags, REPORT_HAS_LAST | REPORT_HAS_CUM | REPORT_HAS_FEE | REPORT_HAS_REALISED);
    cr_assert_eq(fill->tie, 0);

    char lite[512];
    snprintf(lite, sizeof lite,
             "{\"e\":\"TRADE_LITE\",\"E\":1,\"T\":2,\"s\":\"BTCUSDT\",\"c\":\"%s\",\"S\":\"BUY\",\"q\":\"0."
             "010\",\"p\":\"60000.0\","
             "\"i\":8886774,\"l\":\"0.004\",\"L\":\"59999.9\",\"t\":12345678,\"m\":true}",
             client());
    desk->record_count = 0;
    desk_hear(desk, SESSION_SLOT_PRIVATE, lite);
    const struct record_report *notice = desk_report(desk, 0);
    cr_assert_eq(notice->exec_id, 12345678);
    cr_assert_eq(notice->flags, REPORT_HAS_LAST, "no fee, no total: unknown, never zero");
    cr_assert_eq(notice->status, ORDER_STATUS_NONE);
}

Test(binance_order, the_last_fill_is_terminal)
{
    struct desk *desk = desk_make(PRODUCT_LINEAR, "BTCUSDT", SIGN_HMAC_SHA256, 0);
    char o[1024];
    snprintf(o, sizeof o,
             FUTURES_ORDER "\"x\":\"TRADE\",\"X\":\"FILLED\",\"l\":\"0.006\",\"z\":\"0.010\",\"L\":\"59999."
                           "9\",\"T\":1,\"t\":5,\"m\":false",
             client(), "GTC");
    const struct record_report *fill = futures(desk, o);
    cr_assert_eq(fill->status, ORDER_STATUS_FILLED);
    cr_assert(fill->flags & REPORT_TERMINAL);
    cr_assert_eq(fill->flags & REPORT_HAS_FEE, 0, "n is absent: unknown");
}

Test(binance_order, endings_carry_their_reason)
{
    static const struct {
        const char *x, *status, *tif, *more;
        enum record_type type;
        uint8_t reason;
    } rows[] = {
        { "CANCELED", "CANCELED", "GTC", "\"er\":\"0\"", RECORD_CANCELLED, REASON_NONE },
        { "EXPIRED", "EXPIRED", "GTX", "\"er\":11", RECORD_EXPIRED, REASON_POST_ONLY },
        { "EXPIRED", "EXPIRED", "GTX", "\"er\":\"11\"", RECORD_EXPIRED, REASON_POST_ONLY },
        { "EXPIRED", "EXPIRED", "GTX", "\"si\":0", RECORD_EXPIRED, REASON_POST_ONLY },
        { "EXPIRED", "EXPIRED", "IOC", "\"er\":\"2\"", RECORD_EXPIRED, REASON_IOC },
        { "EXPIRED", "EXPIRED_IN_MATCH", "GTC", "\"si\":0", RECORD_EXPIRED, REASON_SELF_TRADE },
        { "CALCULATED", "EXPIRED", "IOC", "\"si\":0", RECORD_EXPIRED, REASON_LIQUIDATION },
    };
    struct desk *desk = desk_make(PRODUCT_LINEAR, "BTCUSDT", SIGN_HMAC_SHA256, 0);
    for (size_t i = 0; i < POISE_COUNT_OF(rows); i++) {
        char head[512], o[1024];
        snprintf(head, sizeof head, FUTURES_ORDER, client(), rows[i].tif);
        snprintf(o, sizeof o,
                 "%s\"x\":\"%s\",\"X\":\"%s\",\"l\":\"0\",\"z\":\"0.002\",\"L\":\"0\",\"t\":0,%s", head,
                 rows[i].x, rows[i].status, rows[i].more);
        const struct record_report *end = futures(desk, o);
        cr_assert_eq(end->head.type, rows[i].type, "%s", o);
        cr_assert_eq(end->reason, rows[i].reason, "%s: %u", o, end->reason);
        cr_assert_eq(end->cum_qty, 2);
        cr_assert(end->flags & REPORT_TERMINAL);
    }
}

Test(binance_order, a_liquidation_is_a_fill_that_nobody_here_ordered)
{
    struct desk *desk = desk_make(PRODUCT_LINEAR, "BTCUSDT", SIGN_HMAC_SHA256, 0);
    const struct record_report *fill =
        futures(desk, "\"s\":\"BTCUSDT\",\"c\":\"adl_autoclose\",\"S\":\"SELL\",\"o\":\"MARKET\",\"f\":"
                      "\"GTC\",\"q\":\"0.010\",\"p\":\"0\","
                      "\"x\":\"CALCULATED\",\"X\":\"NEW_ADL\",\"i\":9,\"l\":\"0.010\",\"z\":\"0.010\",\"L\":"
                      "\"50000.0\",\"t\":11,\"m\":false");
    cr_assert_eq(fill->head.type, RECORD_FILL);
    cr_assert_eq(fill->reason, REASON_LIQUIDATION);
    cr_assert_eq(fill->order, 0);
    cr_assert(fill->flags & REPORT_FOREIGN);
    cr_assert_eq(fill->status, ORDER_STATUS_FILLED, "all of it is executed, whatever the venue calls that");
    cr_assert_str_eq(fill->venue_order_id, "9");
}

Test(binance_order, nothing_is_booked_at_price_zero_and_nothing_without_quantity)
{
    struct desk *desk = desk_make(PRODUCT_LINEAR, "BTCUSDT", SIGN_HMAC_SHA256, 0);
    char o[1024];
    snprintf(o, sizeof o,
             FUTURES_ORDER "\"x\":\"TRADE\",\"X\":\"FILLED\",\"l\":\"0.010\",\"z\":\"0.010\",\"L\":\"0\","
                           "\"n\":\"0\",\"N\":null,\"t\":5,\"m\":true",
             client(), "GTC");
    const struct record_report *fill = futures(desk, o);
    cr_assert_eq(fill->head.type, RECORD_FILL);
    cr_assert(fill->flags & REPORT_PRICE_OPEN);
    cr_assert_eq(fill->flags & REPORT_HAS_FEE, 0);
    cr_assert_eq(fill->last_qty, 10, "the quantity counts at once");
    snprintf(o, sizeof o,
             FUTURES_ORDER "\"x\":\"TRADE\",\"X\":\"PARTIALLY_FILLED\",\"l\":\"0\",\"z\":\"0.004\",\"L\":"
                           "\"60000\",\"t\":5,\"m\":true",
             client(), "GTC");
    const struct record_report *state = futures(desk, o);
    cr_assert_eq(state->head.type, RECORD_ORDER_STATE);
    cr_assert_eq(state->cum_qty, 4);
}

static const struct record_report *spot(struct desk *desk, const char *event)
{
    char message[2048];
    snprintf(message, sizeof message,
             "{\"subscriptionId\":0,\"event\":{\"e\":\"executionReport\",\"E\":1,\"s\":\"BTCUSDT\",%s}}",
             event);
    desk->record_count = 0;
    cr_assert_eq(desk_hear(desk, SESSION_SLOT_ORDER, message), (int64_t)strlen(message), "%s", message);
    return desk_report(desk, 0);
}

Test(binance_order, a_spot_fill_without_a_price_takes_it_from_the_quote_amount)
{
    struct desk *desk = desk_make(PRODUCT_SPOT, "BTCUSDT", SIGN_HMAC_SHA256, 0);
    const struct record_report *fill =
        spot(desk, "\"c\":\"x\",\"C\":\"\",\"S\":\"BUY\",\"o\":\"LIMIT\",\"f\":\"GTC\",\"q\":\"0.002\",\"p\":"
                   "\"60000.00\",\"x\":\"TRADE\",\"X\":\"FILLED\",\"i\":1,"
                   "\"l\":\"0.002\",\"z\":\"0.002\",\"L\":\"0.00000000\",\"Y\":\"119.99000000\",\"Z\":\"119."
                   "99\",\"n\":\"0.0001\",\"N\":\"BNB\",\"t\":7,\"m\":false,\"T\":5");
    cr_assert_eq(fill->price, 5999500);
    cr_assert_eq(fill->flags & REPORT_PRICE_OPEN, 0);
    cr_assert_eq(fill->fee_currency, 2);
}

Test(binance_order, a_spot_cancel_report_names_the_order_in_the_other_field)
{
    struct desk *desk = desk_make(PRODUCT_SPOT, "BTCUSDT", SIGN_HMAC_SHA256, 0);
    char event[1024];
    static const char tail[] = "\"S\":\"BUY\",\"o\":\"LIMIT\",\"f\":\"GTC\",\"q\":\"0.002\",\"p\":\"60000."
                               "00\",\"x\":\"CANCELED\",\"X\":\"CANCELED\",\"i\":1,"
                               "\"l\":\"0\",\"z\":\"0.001\",\"L\":\"0\",\"t\":-1,\"T\":5";
    snprintf(event, sizeof event, "\"c\":\"of-the-cancel\",\"C\":\"%s\",%s", client(), tail);
    cr_assert_eq(spot(desk, event)->order, ORDER);
    cr_assert_eq(desk_report(desk, 0)->head.type, RECORD_CANCELLED);
    cr_assert_eq(desk_report(desk, 0)->cum_qty, 1);
    snprintf(event, sizeof event, "\"c\":\"%s\",\"C\":\"\",%s", client(), tail);
    cr_assert_eq(spot(desk, event)->order, ORDER, "an empty C: the id is in c");
}

Test(binance_order, a_rejected_spot_order_says_why)
{
    struct desk *desk = desk_make(PRODUCT_SPOT, "BTCUSDT", SIGN_HMAC_SHA256, 0);
    const struct record_report *reject =
        spot(desk, "\"c\":\"x\",\"C\":\"\",\"S\":\"BUY\",\"o\":\"LIMIT_MAKER\",\"f\":\"GTC\",\"q\":\"0.002\","
                   "\"p\":\"60000.00\",\"x\":\"REJECTED\",\"X\":\"REJECTED\",\"i\":1,"
                   "\"r\":\"WOULD_MATCH_IMMEDIATELY\",\"l\":\"0\",\"z\":\"0\",\"L\":\"0\",\"t\":-1,\"T\":5");
    cr_assert_eq(reject->head.type, RECORD_REJECT);
    cr_assert_eq(reject->reason, REASON_POST_ONLY);
}

Test(binance_order, an_account_update_gives_positions_before_balances)
{
    struct desk *desk = desk_make(PRODUCT_LINEAR, "BTCUSDT", SIGN_HMAC_SHA256, 0);
    desk_hear(desk, SESSION_SLOT_PRIVATE,
              "{\"e\":\"ACCOUNT_UPDATE\",\"T\":1564745798939,\"E\":1564745798940,\"a\":{\"m\":\"FUNDING_"
              "FEE\",\"B\":[{\"a\":\"USDT\",\"wb\":\"122624.12345678\","
              "\"cw\":\"100.1\",\"bc\":\"-1.5\"},{\"a\":\"NOSUCH\",\"wb\":\"1\",\"bc\":\"0\"}],\"P\":[{\"s\":"
              "\"BTCUSDT\",\"pa\":\"-3.5\",\"ep\":\"6563.123456789\",\"up\":\"2.5\",\"ps\":\"BOTH\"}]}}");
    cr_assert_eq(desk->record_count, 2);
    const struct record_position *position = (const struct record_position *)desk->records[0];
    cr_assert_eq(position->head.type, RECORD_POSITION);
    cr_assert_eq(position->qty, -3500);
    cr_assert_eq(position->entry_e8, 656312345678, "a price for people: cut at eight decimals");
    cr_assert_eq(position->unrealised_e8, 250000000);
    const struct record_balance *balance = (const struct record_balance *)desk->records[1];
    cr_assert_eq(balance->head.type, RECORD_BALANCE);
    cr_assert_eq(balance->total_e8, 12262412345678);
    cr_assert_eq(balance->available_e8, INT64_MIN);
    cr_assert_eq(balance->change_e8, -150000000);
    cr_assert_eq(balance->reason, CASH_FUNDING);
}

Test(binance_order, an_unsound_account_update_yields_nothing)
{
    struct desk *desk = desk_make(PRODUCT_LINEAR, "BTCUSDT", SIGN_HMAC_SHA256, 0);
    int64_t consumed = desk_hear(desk, SESSION_SLOT_PRIVATE,
                                 "{\"e\":\"ACCOUNT_UPDATE\",\"a\":{\"m\":\"ORDER\",\"P\":[{\"s\":\"BTCUSDT\","
                                 "\"pa\":\"1\",\"ep\":\"1\"}],"
                                 "\"B\":[{\"a\":\"USDT\",\"wb\":\"nothing\"}]}}");
    cr_assert_eq(consumed, PARSE_BROKEN);
    cr_assert_eq(desk->record_count, 0);
}

Test(binance_order, a_revoked_key_ends_order_entry)
{
    struct desk *desk = desk_make(PRODUCT_SPOT, "BTCUSDT", SIGN_HMAC_SHA256, 0);
    desk_step(desk), desk_step(desk);
    desk_event(desk, SESSION_SLOT_ORDER, SESSION_UP);
    cr_assert(desk->session->orders_ready);
    desk_hear(desk, SESSION_SLOT_ORDER,
              "{\"id\":null,\"status\":401,\"error\":{\"code\":-2015,\"msg\":\"Invalid API-key, IP, or "
              "permissions for action.\"}}");
    cr_assert_not(desk->session->orders_ready);
    cr_assert_eq(desk->session->last_code, -2015);
}

Test(binance_order, every_key_is_found_among_those_of_its_length)
{
    for (uint32_t i = 0; i < KEY_COUNT; i++) {
        uint32_t bytes = binance_keys[i].bytes;
        cr_assert_leq(bytes, BINANCE_KEY_LETTERS, "%s", binance_keys[i].text);
        cr_assert(binance_key_from[bytes] <= i && i < binance_key_from[bytes + 1], "%s",
                  binance_keys[i].text);
    }
    cr_assert_eq(binance_key_from[BINANCE_KEY_LETTERS + 1], KEY_COUNT);
}

Test(binance_order, cancel_all_by_rest_is_unknown_when_nobody_can_tell)
{
    struct slot record[2];
    struct desk *desk = desk_make(PRODUCT_LINEAR, "BTCUSDT", SIGN_HMAC_SHA256, 0);
    cr_assert(desk_encode(desk, desk_order(record, RECORD_CANCEL_ALL, 0, 42)));
    cr_assert_str_eq(desk->out.method, "DELETE");
    desk_answer(desk, 502, "<html>bad gateway</html>");
    cr_assert_eq(desk_report(desk, 0)->head.type, RECORD_UNKNOWN);
    cr_assert_eq(desk_report(desk, 0)->tie, 42);
    cr_assert_eq(desk_report(desk, 0)->request, REQUEST_CANCEL_ALL);
    desk->record_count = 0;
    desk_answer(desk, 200, "{\"code\":200,\"msg\":");
    cr_assert_eq(desk_report(desk, 0)->head.type, RECORD_UNKNOWN, "accepted, in words that cannot be read");
    desk->record_count = 0;
    desk_answer(desk, 400, "{\"code\":-1021,\"msg\":\"Timestamp\"}");
    cr_assert_eq(desk_report(desk, 0)->head.type, RECORD_REJECT);
    cr_assert_eq(desk_report(desk, 0)->reason, REASON_TIME);
}
