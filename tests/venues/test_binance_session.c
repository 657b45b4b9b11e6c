/* A session's life, told by what it asks to be done. */
#include "ring/clock.h"
#include "ring/order_id.h"
#include "tests/venues/desk.h"
#include "venues/binance/session.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Brings a futures session with an HMAC key up. */
static struct desk *futures_up(int64_t dead_man_ms)
{
    struct desk *desk = desk_make(PRODUCT_LINEAR, "BTCUSDT", SIGN_HMAC_SHA256, dead_man_ms);
    desk_expect_open(desk, SESSION_SLOT_ORDER, "ws-fapi.binance.com", "/ws-fapi/v1");
    desk_expect_open(desk, SESSION_SLOT_REST, "fapi.binance.com", "");
    cr_assert_not(desk_step(desk));
    desk_event(desk, SESSION_SLOT_REST, SESSION_UP);
    desk_event(desk, SESSION_SLOT_ORDER, SESSION_UP);
    cr_assert(desk->session->orders_ready);
    cr_assert_eq(desk->session->state, GATEWAY_DEGRADED);
    if (dead_man_ms > 0) {
        desk_expect_request(desk, "POST", "/fapi/v1/countdownCancelAll?symbol=BTCUSDT&countdownTime=");
        desk_answer(desk, 200, "{\"symbol\":\"BTCUSDT\",\"countdownTime\":\"60000\"}");
    }
    desk_expect_request(desk, "POST", "/fapi/v1/listenKey");
    cr_assert_eq(strncmp(desk->out.header, "X-MBX-APIKEY: the-key\r\n", desk->out.header_bytes), 0);
    desk_answer(desk, 200, "{\"listenKey\":\"abc123\"}");
    desk_expect_open(desk, SESSION_SLOT_PRIVATE, "fstream.binance.com", "/private/ws?listenKey=abc123");
    desk_event(desk, SESSION_SLOT_PRIVATE, SESSION_UP);
    cr_assert_not(desk_step(desk));
    cr_assert(desk->session->private_ready);
    cr_assert_eq(desk->session->state, GATEWAY_READY, "%s", desk->session->why);
    return desk;
}

Test(binance_session, futures_come_up_and_are_ready_only_with_every_part)
{
    futures_up(0);
}

Test(binance_session, the_dead_man_is_armed_before_ready_and_refreshed_every_quarter_while_alive)
{
    struct desk *desk = futures_up(60000);
    desk->now_ns += 14 * NS_PER_S;
    cr_assert_not(desk_step(desk));
    desk->now_ns += 1 * NS_PER_S;
    cr_assert_not(venue_binance.order->step(desk->session, desk->now_ns, WALL_NS, false, &desk->out),
                  "a dead strategy's timer must run out");
    desk_expect_request(desk, "POST",
                        "/fapi/v1/countdownCancelAll?symbol=BTCUSDT&countdownTime=60000&timestamp=");
    desk_answer(desk, 200, "{\"symbol\":\"BTCUSDT\",\"countdownTime\":\"60000\"}");
    desk->now_ns += 61 * NS_PER_S;
    venue_binance.order->step(desk->session, desk->now_ns, WALL_NS, false, &desk->out);
    cr_assert_eq(desk->session->state, GATEWAY_DEGRADED, "not refreshed: not armed");
    cr_assert_str_eq(desk->session->why, "dead-man timer not armed");
}

Test(binance_session, the_listen_key_is_extended_every_half_hour_and_renewed_when_unknown)
{
    struct desk *desk = futures_up(0);
    desk->now_ns += 1800 * NS_PER_S;
    desk_expect_request(desk, "PUT", "/fapi/v1/listenKey");
    desk_answer(desk, 200, "{}");
    cr_assert_not(desk_step(desk));
    desk->now_ns += 1800 * NS_PER_S;
    desk_expect_request(desk, "PUT", "/fapi/v1/listenKey");
    desk_answer(desk, 400, "{\"code\":-1125,\"msg\":\"This listenKey does not exist.\"}");
    cr_assert_not(desk->session->private_ready, "the stream is silent now");
    desk_expect_request(desk, "POST", "/fapi/v1/listenKey");
    desk_answer(desk, 200, "{\"listenKey\":\"def456\"}");
    cr_assert(desk_step(desk));
    cr_assert_eq(desk->out.act, ACT_CLOSE);
    cr_assert_eq(desk->out.slot, SESSION_SLOT_PRIVATE);
    desk_event(desk, SESSION_SLOT_PRIVATE, SESSION_LOST);
    desk_expect_open(desk, SESSION_SLOT_PRIVATE, "fstream.binance.com", "/private/ws?listenKey=def456");
}

Test(binance_session, an_expired_listen_key_reopens_the_stream_even_with_the_same_key)
{
    struct desk *desk = futures_up(0);
    cr_assert_gt(desk_hear(desk, SESSION_SLOT_PRIVATE,
                           "{\"e\":\"listenKeyExpired\",\"E\":1,\"listenKey\":\"abc123\"}"),
                 0);
    cr_assert_not(desk->session->private_ready);
    desk_expect_request(desk, "POST", "/fapi/v1/listenKey");
    desk_answer(desk, 200, "{\"listenKey\":\"abc123\"}");
    cr_assert(desk_step(desk));
    cr_assert_eq(desk->out.act, ACT_CLOSE);
    desk_event(desk, SESSION_SLOT_PRIVATE, SESSION_LOST);
    desk_expect_open(desk, SESSION_SLOT_PRIVATE, "fstream.binance.com", "/private/ws?listenKey=abc123");
}

Test(binance_session, a_lost_user_stream_is_ready_only_after_its_key_was_named_again)
{
    struct desk *desk = futures_up(0);
    desk_event(desk, SESSION_SLOT_PRIVATE, SESSION_LOST);
    cr_assert_not(desk->session->private_ready);
    desk_event(desk, SESSION_SLOT_PRIVATE, SESSION_UP);
    cr_assert_not(desk->session->private_ready, "it may be connected with a key the venue forgot");
    desk_expect_request(desk, "POST", "/fapi/v1/listenKey");
    desk_answer(desk, 200, "{\"listenKey\":\"abc123\"}");
    cr_assert(desk->session->private_ready);
    cr_assert_not(desk_step(desk));
}

Test(binance_session, a_rest_answer_that_never_comes_does_not_stop_the_dead_man)
{
    struct desk *desk = futures_up(60000);
    desk->now_ns += 15 * NS_PER_S;
    desk_expect_request(desk, "POST", "/fapi/v1/countdownCancelAll");
    desk->now_ns += 9 * NS_PER_S;
    cr_assert_not(desk_step(desk));
    desk->now_ns += 6 * NS_PER_S;
    desk_expect_request(desk, "POST", "/fapi/v1/countdownCancelAll");
}

Test(binance_session, coin_margined_streams_have_no_route)
{
    struct desk *desk = desk_make(PRODUCT_INVERSE, "BTCUSD_PERP", SIGN_HMAC_SHA256, 0);
    desk_expect_open(desk, SESSION_SLOT_ORDER, "ws-dapi.binance.com", "/ws-dapi/v1");
    desk_expect_open(desk, SESSION_SLOT_REST, "dapi.binance.com", "");
    desk_event(desk, SESSION_SLOT_REST, SESSION_UP);
    desk_expect_request(desk, "POST", "/dapi/v1/listenKey");
    desk_answer(desk, 200, "{\"listenKey\":\"k\"}");
    desk_expect_open(desk, SESSION_SLOT_PRIVATE, "dstream.binance.com", "/ws/k");
}

Test(binance_session, an_ed25519_key_logs_on_and_then_signs_nothing)
{
    struct desk *desk = desk_make(PRODUCT_SPOT, "BTCUSDT", SIGN_ED25519, 60000);
    desk_expect_open(desk, SESSION_SLOT_ORDER, "ws-api.binance.com", "/ws-api/v3");
    desk_expect_open(desk, SESSION_SLOT_REST, "api.binance.com", "");
    desk_event(desk, SESSION_SLOT_ORDER, SESSION_UP);
    cr_assert_not(desk->session->orders_ready);
    cr_assert(desk_step(desk));
    cr_assert_eq(desk->out.act, ACT_SEND);
    cr_assert_not_null(strstr(desk->body, "\"method\":\"session.logon\",\"params\":{\"apiKey\":\"the-key\","
                                          "\"timestamp\":1700000000000,\"signature\":\""));
    char reply[512];
    snprintf(reply, sizeof reply,
             "{\"id\":\"s%016lx\",\"status\":200,\"result\":{\"apiKey\":\"the-key\",\"authorizedSince\":1}}",
             desk->out.tie);
    desk_hear(desk, SESSION_SLOT_ORDER, reply);
    cr_assert(desk->session->orders_ready);
    cr_assert(desk_step(desk));
    cr_assert_not_null(strstr(desk->body, "\"method\":\"userDataStream.subscribe\",\"params\":{}}"));
    snprintf(reply, sizeof reply, "{\"id\":\"s%016lx\",\"status\":200,\"result\":{\"subscriptionId\":0}}",
             desk->out.tie);
    desk_hear(desk, SESSION_SLOT_ORDER, reply);
    cr_assert(desk->session->private_ready);
    desk_event(desk, SESSION_SLOT_REST, SESSION_UP);
    cr_assert_not(desk_step(desk), "spot has no dead-man and no listen key");
    cr_assert_eq(desk->session->state, GATEWAY_READY);

    struct slot record[2] = { 0 };
    struct record_order *order = (struct record_order *)record_begin(record, RECORD_ORDER_CANCEL, 2, 1);
    order->head.instrument = 0;
    order->order = order_id_make(1, 2, 3, 4);
    cr_assert(venue_binance.order->encode(desk->session, order, WALL_NS, &desk->out));
    cr_assert_null(strstr(desk->body, "signature"));
    cr_assert_null(strstr(desk->body, "apiKey"));
    cr_assert_not_null(strstr(desk->body, "\"timestamp\":1700000000000}"));

    /* the stream ends: subscribe again, on the same connection */
    desk_hear(desk, SESSION_SLOT_ORDER,
              "{\"subscriptionId\":0,\"event\":{\"e\":\"eventStreamTerminated\",\"E\":1}}");
    cr_assert_not(desk->session->private_ready);
    cr_assert(desk_step(desk));
    cr_assert_not_null(strstr(desk->body, "userDataStream.subscribe"));
}

Test(binance_session, a_refused_log_on_waits_before_it_tries_again)
{
    struct desk *desk = desk_make(PRODUCT_SPOT, "BTCUSDT", SIGN_ED25519, 0);
    desk_step(desk), desk_step(desk);
    desk_event(desk, SESSION_SLOT_ORDER, SESSION_UP);
    cr_assert(desk_step(desk));
    char reply[512];
    snprintf(reply, sizeof reply,
             "{\"id\":\"s%016lx\",\"status\":400,\"error\":{\"code\":-1022,\"msg\":\"Signature for this "
             "request is not valid.\"}}",
             desk->out.tie);
    desk_hear(desk, SESSION_SLOT_ORDER, reply);
    cr_assert_eq(desk->session->state, GATEWAY_DOWN);
    cr_assert_eq(desk->session->last_code, -1022);
    cr_assert_not(desk_step(desk));
    desk->now_ns += 5 * NS_PER_S;
    cr_assert(desk_step(desk));
    cr_assert_not_null(strstr(desk->body, "session.logon"));
}

Test(binance_session, a_shutdown_notice_closes_and_opens_again)
{
    struct desk *desk = futures_up(0);
    desk_hear(desk, SESSION_SLOT_ORDER, "{\"event\":{\"e\":\"serverShutdown\",\"E\":1770123456789}}");
    cr_assert_eq(desk->out.act, ACT_CLOSE);
    cr_assert_eq(desk->out.slot, SESSION_SLOT_ORDER);
    cr_assert_not(desk->session->orders_ready);
    desk_event(desk, SESSION_SLOT_ORDER, SESSION_LOST);
    desk_expect_open(desk, SESSION_SLOT_ORDER, "ws-fapi.binance.com", "/ws-fapi/v1");
}

Test(binance_session, cancel_all_of_the_account_asks_for_each_instrument_until_it_is_done)
{
    struct desk *desk = futures_up(0);
    struct instrument row = desk->table.row[0];
    strcpy(row.symbol, "ETHUSDT");
    instrument_add(&desk->table, &row);
    desk->session->wanted[1] = 1;
    desk->session->wanted_count = 2;
    struct slot record[2] = { 0 };
    struct record_order *order = (struct record_order *)record_begin(record, RECORD_CANCEL_ALL, 2, 1);
    order->tie = 99;
    cr_assert_eq(venue_binance.order->slot_for(desk->session, RECORD_CANCEL_ALL), SESSION_SLOT_REST);
    cr_assert(venue_binance.order->encode(desk->session, order, WALL_NS, &desk->out));
    cr_assert_eq(strncmp(desk->out.path, "/fapi/v1/allOpenOrders?symbol=BTCUSDT&timestamp=", 48), 0);
    desk_answer(desk, 200, "{\"code\":200,\"msg\":\"The operation of cancel all open order is done.\"}");
    cr_assert_eq(desk_report(desk, 0)->head.type, RECORD_CANCEL_ACK);
    cr_assert_eq(desk_report(desk, 0)->tie, 99);
    desk_expect_request(desk, "DELETE", "/fapi/v1/allOpenOrders?symbol=ETHUSDT&timestamp=");
    desk_answer(desk, 503, "<html>");
    desk->now_ns += 300 * NS_PER_MS;
    desk_expect_request(desk, "DELETE", "/fapi/v1/allOpenOrders?symbol=ETHUSDT&timestamp=");
    desk_answer(desk, 200, "{\"code\":200,\"msg\":\"The operation of cancel all open order is done.\"}");
    cr_assert_not(desk_step(desk));
}

/* Every cell of the table: a cell that is empty moves nothing. */
ParameterizedTestParameters(binance_session, every_cell_of_the_table)
{
    static int cells[SLOT_STATE_COUNT * SLOT_EVENT_COUNT];
    for (size_t i = 0; i < POISE_COUNT_OF(cells); i++) {
        cells[i] = (int)i;
    }
    return cr_make_param_array(int, cells, POISE_COUNT_OF(cells));
}

ParameterizedTest(int *cell, binance_session, every_cell_of_the_table)
{
    int state = *cell / SLOT_EVENT_COUNT, event_of_cell = *cell % SLOT_EVENT_COUNT;
    int next = binance_slot_next((enum slot_state)state, (enum slot_event)event_of_cell);
    cr_assert_leq(next, SLOT_STATE_COUNT);
    if (event_of_cell == SLOT_EVENT_LOST && state != SLOT_CLOSED) {
        cr_assert_neq(next, 0, "a connection can be lost in any state %d", state);
    }
    if (next - 1 == SLOT_LIVE) {
        cr_assert_eq(event_of_cell, SLOT_EVENT_ACCEPTED, "only an accepted log-on makes it live");
    }
    if (event_of_cell == SLOT_EVENT_CLOSE && next != 0) {
        cr_assert_eq(next - 1, SLOT_CLOSING);
    }
}
