/* A session's life, told by what it asks to be done. */
#include "tests/venues/deribit_desk.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char test_request[] =
    "{\"jsonrpc\":\"2.0\",\"method\":\"heartbeat\",\"params\":{\"type\":\"test_request\"}}";

static bool step_dead(struct desk *desk)
{
    return venue_deribit.order->step(desk->session, desk->now_ns, WALL_NS, false, &desk->out);
}

Test(deribit_session, comes_up_step_by_step_and_is_ready_only_with_every_part)
{
    struct desk *desk = deribit_desk_up();
    cr_assert_eq(desk->session->slots, 1 << SESSION_SLOT_ORDER, "one socket does it all");
}

/* Each answer that is not what was asked for, and what is said of it. */
/* clang-format off */
static const struct refusal {
    int step; /* how many steps go well before */
    int code; /* or a result */
    const char *result, *why;
} refusals[] = {
    { 0, 13004, NULL, "log-in refused" },
    { 0, 13009, NULL, "log-in refused" },
    { 0, 13021, NULL, "log-in refused" },
    { 0, 0, "{\"expires_in\":900,\"scope\":\"connection mainaccount\"}", "the key may not trade" },
    { 0, 0, "{\"expires_in\":900,\"scope\":\"trade:read wallet:none\"}", "the key may not trade" },
    { 0, 0, "{\"expires_in\":900,\"scope\":\"trade:read_writes\"}", "the key may not trade" },
    { 0, 0, "{\"expires_in\":900,\"scope\":\"trade:read_write wallet:read_write\"}", "the key may move money" },
    { 0, 0, "{\"scope\":\"trade:read_write wallet:none\"}", "the token's life is not told" },
    { 0, 0, "\"ok\"", "the key may not trade" },
    { 1, 11050, NULL, "heartbeat refused" },
    { 1, 0, "\"no\"", "heartbeat refused" },
    { 2, 10049, NULL, "cancel on disconnect refused" },
    { 3, 13042, NULL, "cancel on disconnect is off" },
    { 3, 0, "{\"scope\":\"connection\",\"enabled\":false}", "cancel on disconnect is off" },
    { 3, 0, "{\"scope\":\"account\",\"enabled\":true}", "cancel on disconnect is off" },
    { 4, 13021, NULL, "private channels refused" },
    { 4, 0, "[\"user.portfolio.any\"]", "private channels refused" },
    { 4, 0, "[]", "private channels refused" },
    { 4, 0, "\"ok\"", "private channels refused" },
};
/* clang-format on */

static void go(struct desk *desk, int steps)
{
    static const char *const answers[] = { DERIBIT_LOGIN, "\"ok\"", "\"ok\"",
                                           "{\"scope\":\"connection\",\"enabled\":true}" };
    desk_expect_open(desk, SESSION_SLOT_ORDER, "www.deribit.com", "/ws/api/v2");
    desk_event(desk, SESSION_SLOT_ORDER, SESSION_UP);
    for (int i = 0; i < steps; i++) {
        cr_assert(desk_step(desk));
        deribit_desk_answer(desk, answers[i]);
    }
}

Test(deribit_session, whatever_is_refused_stops_it_says_why_and_is_tried_again_from_the_log_in)
{
    for (size_t i = 0; i < POISE_COUNT_OF(refusals); i++) {
        struct desk *desk = deribit_desk_make();
        go(desk, refusals[i].step);
        cr_assert(desk_step(desk));
        if (refusals[i].code != 0) {
            deribit_desk_refuse(desk, refusals[i].code);
            cr_assert_eq(desk->session->last_code, refusals[i].code);
        } else {
            deribit_desk_answer(desk, refusals[i].result);
        }
        cr_assert_str_eq(desk->session->why, refusals[i].why, "%zu: %s", i, desk->session->why);
        cr_assert_eq(desk->session->state, GATEWAY_DOWN);
        cr_assert_not(desk->session->orders_ready);
        cr_assert_not(desk_step(desk), "not at once");
        cr_assert_str_eq(desk->session->why, refusals[i].why, "the reason stands until it is tried again");
        desk->now_ns += 10 * NS_PER_S;
        deribit_desk_expect(desk, "public/auth", "client_signature");
    }
}

Test(deribit_session, the_test_network_is_refused_and_so_is_one_that_is_not_told)
{
    static const char *const nets[] = { ",\"testnet\":true", "" };
    static const char *const whys[] = { "this is the test network", "network not told" };
    for (int i = 0; i < 2; i++) {
        struct desk *desk = deribit_desk_make();
        char reply[1024];
        go(desk, 0);
        cr_assert(desk_step(desk));
        snprintf(reply, sizeof reply, "{\"jsonrpc\":\"2.0\",\"id\":\"%s\",\"result\":" DERIBIT_LOGIN "%s}",
                 deribit_desk_id(desk), nets[i]);
        cr_assert_gt(desk_hear(desk, SESSION_SLOT_ORDER, reply), 0);
        cr_assert_str_eq(desk->session->why, whys[i]);
        cr_assert_eq(desk->session->state, GATEWAY_DOWN);
    }
}

Test(deribit_session, a_sign_of_life_is_given_only_while_the_strategy_lives)
{
    struct desk *desk = deribit_desk_up();
    cr_assert_gt(desk_hear(desk, SESSION_SLOT_ORDER, test_request), 0);
    deribit_desk_expect(desk, "public/test", "{}");
    deribit_desk_answer(desk, "{\"version\":\"1.2.26\"}");
    cr_assert_not(desk_step(desk), "once");
    cr_assert_gt(
        desk_hear(desk, SESSION_SLOT_ORDER, "{\"method\":\"heartbeat\",\"params\":{\"type\":\"heartbeat\"}}"),
        0);
    cr_assert_not(desk_step(desk), "a heartbeat wants no answer");

    cr_assert_gt(desk_hear(desk, SESSION_SLOT_ORDER, test_request), 0);
    for (int i = 0; i < 100; i++) {
        desk->now_ns += 100 * NS_PER_MS;
        cr_assert_not(step_dead(desk), "a dead strategy's orders must go");
    }
    desk_event(desk, SESSION_SLOT_ORDER, SESSION_LOST);
    cr_assert_not(desk->session->orders_ready);
    desk_event(desk, SESSION_SLOT_ORDER, SESSION_UP);
    deribit_desk_expect(desk, "public/auth", "client_signature");
    cr_assert_not(desk_step(desk), "the request of the connection before is nobody's");
}

Test(deribit_session, a_strategy_that_comes_back_in_time_answers_late)
{
    struct desk *desk = deribit_desk_up();
    cr_assert_gt(desk_hear(desk, SESSION_SLOT_ORDER, test_request), 0);
    cr_assert_not(step_dead(desk));
    deribit_desk_expect(desk, "public/test", "");
}

Test(deribit_session, test_requests_are_answered_during_the_log_in_too)
{
    struct desk *desk = deribit_desk_make();
    go(desk, 2);
    cr_assert_gt(desk_hear(desk, SESSION_SLOT_ORDER, test_request), 0);
    deribit_desk_expect(desk, "public/test", "");
    deribit_desk_expect(desk, "private/enable_cancel_on_disconnect", "");
}

Test(deribit_session, the_token_is_renewed_at_four_fifths_of_its_life)
{
    struct desk *desk = deribit_desk_up();
    desk->now_ns += 720 * NS_PER_S - 1;
    cr_assert_not(desk_step(desk));
    desk->now_ns += 1;
    deribit_desk_expect(desk, "public/auth", "\"grant_type\":\"refresh_token\",\"refresh_token\":\"r1\"");
    cr_assert(desk->session->orders_ready, "meanwhile it is in use");
    deribit_desk_answer(desk, "{\"expires_in\":900,\"refresh_token\":\"r2\",\"scope\":\"trade:read_write\"}");
    cr_assert(desk->session->orders_ready);
    cr_assert_not(desk_step(desk));
    desk->now_ns += 720 * NS_PER_S;
    deribit_desk_expect(desk, "public/auth", "\"refresh_token\":\"r2\"");
    deribit_desk_refuse(desk, 13009);
    cr_assert(desk->session->orders_ready, "the token may be worn out; the key is asked next");
    deribit_desk_expect(desk, "public/auth", "client_signature");
    deribit_desk_refuse(desk, 13004);
    cr_assert_not(desk->session->orders_ready);
    cr_assert_str_eq(desk->session->why, "log-in refused");
}

Test(deribit_session, rights_lost_at_a_renewal_end_it)
{
    struct desk *desk = deribit_desk_up();
    desk->now_ns += 720 * NS_PER_S;
    deribit_desk_expect(desk, "public/auth", "refresh_token");
    deribit_desk_answer(desk, "{\"expires_in\":900,\"scope\":\"trade:read\"}");
    cr_assert_str_eq(desk->session->why, "the key may not trade");
    cr_assert_not(desk->session->orders_ready);
}

Test(deribit_session, too_many_requests_end_the_session_and_it_waits_before_it_comes_back)
{
    struct desk *desk = deribit_desk_up();
    struct file file;
    cr_assert(file_read(&file, "deribit/ws_error_too_many_requests.json"));
    cr_assert_gt(desk_hear(desk, SESSION_SLOT_ORDER, file.text), 0);
    file_free(&file);
    cr_assert_eq(desk->out.act, ACT_CLOSE);
    cr_assert_eq(desk->out.slot, SESSION_SLOT_ORDER);
    cr_assert_eq(desk->session->state, GATEWAY_DOWN);
    cr_assert_not(desk->session->orders_ready);
    cr_assert_str_eq(desk->session->why, "too many requests");
    cr_assert_eq(desk->session->last_code, 10028);
    desk_event(desk, SESSION_SLOT_ORDER, SESSION_LOST);
    cr_assert_not(desk_step(desk));
    desk->now_ns += 10 * NS_PER_S - 1;
    cr_assert_not(desk_step(desk));
    cr_assert_str_eq(desk->session->why, "too many requests");
    desk->now_ns += 1;
    desk_expect_open(desk, SESSION_SLOT_ORDER, "www.deribit.com", "/ws/api/v2");
}

Test(deribit_session, a_lost_connection_begins_with_the_log_in_again)
{
    struct desk *desk = deribit_desk_up();
    desk_event(desk, SESSION_SLOT_ORDER, SESSION_LOST);
    cr_assert_eq(desk->session->state, GATEWAY_STARTING);
    cr_assert_not(desk->session->orders_ready || desk->session->private_ready);
    cr_assert_not(desk_step(desk));
    desk_event(desk, SESSION_SLOT_ORDER, SESSION_UP);
    deribit_desk_expect(desk, "public/auth", "client_signature");
}

Test(deribit_session, an_answer_to_an_earlier_connection_is_nobodys)
{
    struct desk *desk = deribit_desk_make();
    char stale[64];
    go(desk, 0);
    cr_assert(desk_step(desk));
    strcpy(stale, deribit_desk_id(desk));
    desk_event(desk, SESSION_SLOT_ORDER, SESSION_LOST);
    desk_event(desk, SESSION_SLOT_ORDER, SESSION_UP);
    deribit_desk_expect(desk, "public/auth", "client_signature");
    char reply[1024];
    snprintf(reply, sizeof reply, "{\"id\":\"%s\",\"result\":" DERIBIT_LOGIN ",\"testnet\":false}", stale);
    cr_assert_gt(desk_hear(desk, SESSION_SLOT_ORDER, reply), 0);
    cr_assert_not(desk_step(desk), "still waiting for the second log-in");
    deribit_desk_answer(desk, DERIBIT_LOGIN);
    deribit_desk_expect(desk, "public/set_heartbeat", "");
}

Test(deribit_session, a_log_in_that_is_never_answered_closes_the_connection)
{
    struct desk *desk = deribit_desk_make();
    go(desk, 1);
    cr_assert(desk_step(desk));
    desk->now_ns += 10 * NS_PER_S;
    cr_assert(desk_step(desk));
    cr_assert_eq(desk->out.act, ACT_CLOSE);
    cr_assert_not(desk_step(desk));
    desk_event(desk, SESSION_SLOT_ORDER, SESSION_LOST);
    desk->now_ns += NS_PER_S;
    desk_expect_open(desk, SESSION_SLOT_ORDER, "www.deribit.com", "/ws/api/v2");
}

Test(deribit_session, a_close_that_nobody_confirms_ends_by_itself)
{
    struct desk *desk = deribit_desk_make();
    go(desk, 1);
    cr_assert(desk_step(desk));
    desk->now_ns += 10 * NS_PER_S;
    cr_assert(desk_step(desk));
    cr_assert_eq(desk->out.act, ACT_CLOSE);
    desk->now_ns += NS_PER_S;
    desk_expect_open(desk, SESSION_SLOT_ORDER, "www.deribit.com", "/ws/api/v2");
}

Test(deribit_session, a_request_refused_for_want_of_a_log_in_logs_in_again)
{
    struct desk *desk = deribit_desk_up();
    struct slot record[2];
    struct record_order *order = desk_order(record, RECORD_ORDER_NEW, 77, 5);
    order->qty = 10;
    order->price = 600000000;
    cr_assert(desk_encode(desk, order));
    deribit_desk_refuse(desk, 13009);
    cr_assert_eq(desk_report(desk, 0)->head.type, RECORD_REJECT);
    cr_assert_eq(desk_report(desk, 0)->reason, REASON_AUTH);
    cr_assert_not(desk->session->orders_ready);
    desk->now_ns += 10 * NS_PER_S;
    deribit_desk_expect(desk, "public/auth", "client_signature");
}

Test(deribit_session, the_heartbeat_follows_the_dead_man_within_what_the_venue_takes)
{
    static const struct {
        int64_t dead_man_ms;
        const char *interval;
    } rows[] = { { 0, "\"interval\":10}" },
                 { 5000, "\"interval\":10}" },
                 { 25000, "\"interval\":25}" },
                 { 600000, "\"interval\":30}" } };
    for (size_t i = 0; i < POISE_COUNT_OF(rows); i++) {
        struct desk *desk = deribit_desk_make();
        desk->account.dead_man_ms = rows[i].dead_man_ms;
        go(desk, 1);
        deribit_desk_expect(desk, "public/set_heartbeat", rows[i].interval);
    }
}

Test(deribit_session, a_key_the_venue_does_not_take_opens_nothing)
{
    struct desk *desk = deribit_desk_make();
    static const unsigned char seed[32] = { 7 };
    cr_assert(sign_key_ed25519(&desk->key, "the-key", seed));
    cr_assert_not(desk_step(desk));
    cr_assert_eq(desk->session->state, GATEWAY_DOWN);
    cr_assert_str_eq(desk->session->why, "the key is no HMAC secret");
}

/* ------------------------------------------------------------------ the table */

struct cell {
    int state, event;
};

ParameterizedTestParameters(deribit_session, every_cell)
{
    static struct cell cells[STATE_COUNT * STATE_EVENT_COUNT];
    for (int i = 0; i < STATE_COUNT * STATE_EVENT_COUNT; i++) {
        cells[i] = (struct cell){ i / STATE_EVENT_COUNT, i % STATE_EVENT_COUNT };
    }
    return cr_make_param_array(struct cell, cells, POISE_COUNT_OF(cells));
}

ParameterizedTest(struct cell *cell, deribit_session, every_cell)
{
    uint8_t next = deribit_state_next((enum session_state)cell->state, (enum state_event)cell->event);
    bool connected = cell->state >= STATE_LOGIN && cell->state <= STATE_REFUSED;
    cr_assert_leq(next, STATE_COUNT);
    if (cell->event == STATE_EVENT_LOST && connected) {
        cr_assert_eq(next, STATE_OPENING + 1, "the connection is opened again by itself");
    }
    if (next == STATE_READY + 1) {
        cr_assert_eq(cell->state, STATE_SUBSCRIBING, "nothing is ready but by its last step");
        cr_assert_eq(cell->event, STATE_EVENT_DONE);
    }
    if (next == STATE_LOGIN + 1) {
        cr_assert(cell->event == STATE_EVENT_UP || cell->event == STATE_EVENT_RETRY);
    }
    if (cell->event == STATE_EVENT_DONE && next != 0) {
        cr_assert_eq(next, cell->state + 2, "one after the other, none left out");
    }
}
