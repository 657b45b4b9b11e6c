/* Orders out, and what the venue says of them: every kind of request, every code, every order of events. */
#include "ring/order_id.h"
#include "tests/venues/deribit_desk.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ORDER 0x0040100000000001ULL

static const char *label(void)
{
    static char text[ORDER_ID_TEXT_BYTES + 1];
    order_id_print(text, ORDER);
    return text;
}

/* The params of what was encoded last. */
static const char *params(const struct desk *desk)
{
    const char *at = strstr(desk->body, "\"params\":");
    cr_assert_not_null(at);
    return at + 9;
}

static void expect(struct desk *desk, const struct record_order *order, const char *method, const char *text)
{
    char wanted[128], filled[512];
    cr_assert(desk_encode(desk, order));
    cr_assert_eq(desk->out.act, ACT_SEND);
    cr_assert_eq(desk->out.slot, SESSION_SLOT_ORDER);
    cr_assert_eq(desk->out.tie, order->tie);
    snprintf(wanted, sizeof wanted, "\"method\":\"%s\"", method);
    cr_assert_not_null(strstr(desk->body, wanted), "%s", desk->body);
    snprintf(filled, sizeof filled, text, label());
    cr_assert_str_eq(params(desk), filled);
    cr_assert_eq(strlen(desk->body), desk->out.body_bytes);
}

static struct record_order *order_of(struct slot record[2], enum record_type type, uint64_t tie)
{
    return desk_order(record, type, ORDER, tie);
}

Test(deribit_order, a_quote_is_post_only_and_rejected_rather_than_moved)
{
    struct desk *desk = deribit_desk_up();
    struct slot record[2];
    struct record_order *order = order_of(record, RECORD_ORDER_NEW, 17);
    order->side = SIDE_BUY;
    order->price = 600005000;
    order->qty = 100;
    order->flags = ORDER_FLAG_POST_ONLY;
    expect(desk, order, "private/buy",
           "{\"instrument_name\":\"BTC-PERPETUAL\",\"amount\":100,\"type\":\"limit\",\"price\":60000.5,"
           "\"label\":"
           "\"%s\",\"time_in_force\":\"good_til_cancelled\",\"post_only\":true,\"reject_post_only\":true,"
           "\"reduce_only\":false,\"valid_until\":1700000002000}}");
    cr_assert_eq(desk->out.credit, CREDIT_TRADE);
    cr_assert_eq(desk->out.orders, 1);
}

Test(deribit_order, a_hedge_takes_and_says_so)
{
    struct desk *desk = deribit_desk_up();
    struct slot record[2];
    struct record_order *order = order_of(record, RECORD_ORDER_NEW, 18);
    order->head.instrument = LINEAR;
    order->side = SIDE_SELL;
    order->price = 29735500;
    order->qty = 1000;
    order->tif = TIF_IOC;
    order->flags = ORDER_FLAG_REDUCE_ONLY;
    expect(
        desk, order, "private/sell",
        "{\"instrument_name\":\"ETH_USDC-PERPETUAL\",\"amount\":0.001,\"type\":\"limit\",\"price\":2973.55,"
        "\"label\":\"%s\",\"time_in_force\":\"immediate_or_cancel\",\"post_only\":false,\"reject_post_only\":"
        "false,\"reduce_only\":true,\"valid_until\":1700000002000}}");
    order->tif = TIF_FOK;
    order->flags = 0;
    cr_assert(desk_encode(desk, order));
    cr_assert_not_null(strstr(params(desk), "\"time_in_force\":\"fill_or_kill\",\"post_only\":false"));
}

Test(deribit_order, a_market_order_has_neither_price_nor_time_in_force)
{
    struct desk *desk = deribit_desk_up();
    struct slot record[2];
    struct record_order *order = order_of(record, RECORD_ORDER_NEW, 19);
    order->qty = 40;
    order->price = 1;
    order->flags = ORDER_FLAG_MARKET;
    expect(desk, order, "private/buy",
           "{\"instrument_name\":\"BTC-PERPETUAL\",\"amount\":40,\"type\":\"market\",\"label\":\"%s\","
           "\"post_only\":false,\"reject_post_only\":false,\"reduce_only\":false,\"valid_until\":"
           "1700000002000}}");
}

Test(deribit_order, spot_knows_no_reduce_only)
{
    struct desk *desk = deribit_desk_up();
    struct slot record[2];
    struct record_order *order = order_of(record, RECORD_ORDER_NEW, 19);
    order->head.instrument = SPOT;
    order->qty = 10000;
    order->price = 60000000000;
    order->flags = ORDER_FLAG_POST_ONLY;
    expect(desk, order, "private/buy",
           "{\"instrument_name\":\"BTC_USDC\",\"amount\":0.0001,\"type\":\"limit\",\"price\":60000,\"label\":"
           "\"%s\",\"time_in_force\":\"good_til_cancelled\",\"post_only\":true,\"reject_post_only\":true,"
           "\"valid_until\":1700000002000}}");
}

Test(deribit_order, the_clock_of_the_venue_bounds_how_late_an_order_may_come)
{
    struct desk *desk = deribit_desk_up();
    struct slot record[2];
    struct record_order *order = order_of(record, RECORD_ORDER_NEW, 19);
    desk->session->clock_offset_ns = -1500 * (int64_t)NS_PER_MS;
    order->qty = 10;
    order->price = 5000;
    cr_assert(desk_encode(desk, order));
    cr_assert_not_null(strstr(params(desk), "\"valid_until\":1700000000500}}"));
}

static const char resting[] = "{\"order\":{\"label\":\"%s\",\"order_id\":\"4008965646\",\"instrument_name\":"
                              "\"BTC-PERPETUAL\",\"price\":"
                              "60000.5,\"amount\":100.0,\"direction\":\"buy\",\"filled_amount\":%s,\"order_"
                              "state\":\"%s\",\"replaced\":%s,"
                              "\"time_in_force\":\"%s\",\"order_type\":\"limit\",\"last_update_timestamp\":"
                              "1700000000123%s},\"trades\":[%s]}";
static const char trade_row[] =
    "{\"trade_id\":\"48079254\",\"trade_seq\":30289432,\"order_id\":\"4008965646\",\"label\":\"%s\","
    "\"instrument_name\":\"BTC-PERPETUAL\",\"direction\":\"buy\",\"price\":60000.25,\"amount\":%d,\"fee\":1."
    "6e-7,"
    "\"fee_currency\":\"BTC\",\"liquidity\":\"T\",\"state\":\"filled\",\"profit_loss\":4.898e-5,"
    "\"timestamp\":"
    "1700000000123}";

static char *reply(const char *filled, const char *state, const char *replaced, const char *tif,
                   const char *more, const char *trades)
{
    static char text[4096];
    snprintf(text, sizeof text, resting, label(), filled, state, replaced, tif, more, trades);
    return text;
}

static char *trade(int amount)
{
    static char text[1024];
    snprintf(text, sizeof text, trade_row, label(), amount);
    return text;
}

static void send_new(struct desk *desk, uint64_t tie)
{
    struct slot record[2];
    struct record_order *order = order_of(record, RECORD_ORDER_NEW, tie);
    order->side = SIDE_BUY;
    order->price = 600005000;
    order->qty = 100;
    cr_assert(desk_encode(desk, order));
}

static void send(struct desk *desk, enum record_type type, uint64_t tie)
{
    struct slot record[2];
    struct record_order *order = order_of(record, type, tie);
    order->side = SIDE_BUY;
    order->price = 600010000;
    order->qty = 80;
    order->flags = ORDER_FLAG_POST_ONLY;
    cr_assert(desk_encode(desk, order));
}

Test(deribit_order, an_order_is_named_by_its_label_until_the_venue_has_named_it)
{
    struct desk *desk = deribit_desk_up();
    struct slot record[2];
    struct record_order *amend = order_of(record, RECORD_ORDER_AMEND, 20);
    amend->price = 600010000;
    amend->qty = 80;
    amend->flags = ORDER_FLAG_POST_ONLY;
    expect(
        desk, amend, "private/edit_by_label",
        "{\"label\":\"%s\",\"instrument_name\":\"BTC-PERPETUAL\",\"amount\":80,\"price\":60001,\"post_only\":"
        "true,\"reject_post_only\":true,\"reduce_only\":false,\"valid_until\":1700000002000}}");
    struct slot other[2];
    struct record_order *cancel = order_of(other, RECORD_ORDER_CANCEL, 21);
    expect(desk, cancel, "private/cancel_by_label", "{\"label\":\"%s\",\"currency\":\"BTC\"}}");
    cancel->head.type = RECORD_ORDER_QUERY;
    expect(desk, cancel, "private/get_order_state_by_label", "{\"label\":\"%s\",\"currency\":\"BTC\"}}");
    cr_assert_eq(desk->out.credit, CREDIT_QUERY);
    cancel->head.instrument = LINEAR;
    expect(desk, cancel, "private/get_order_state_by_label", "{\"label\":\"%s\",\"currency\":\"USDC\"}}");
    cancel->head.instrument = PERPETUAL;

    send_new(desk, 17);
    deribit_desk_answer(desk, reply("0.0", "open", "false", "good_til_cancelled", "", ""));
    expect(
        desk, amend, "private/edit",
        "{\"order_id\":\"4008965646\",\"amount\":80,\"price\":60001,\"post_only\":true,\"reject_post_only\":"
        "true,\"reduce_only\":false,\"valid_until\":1700000002000}}");
    cancel->head.type = RECORD_ORDER_CANCEL;
    expect(desk, cancel, "private/cancel", "{\"order_id\":\"4008965646\"}}");
    cr_assert_eq(desk->out.credit, CREDIT_TRADE, "a cancel costs what an order costs");
    cancel->head.type = RECORD_ORDER_QUERY;
    expect(desk, cancel, "private/get_order_state", "{\"order_id\":\"4008965646\"}}");
}

/* Hooks that want nothing make the encoder take its general way. */
Test(deribit_order, the_quick_edit_is_the_general_one)
{
    static struct venue_hooks hooks;
    struct desk *desk = deribit_desk_up();
    struct deribit_session *session = (struct deribit_session *)desk->session;
    uint64_t random = 88172645463325252ULL;
    struct slot record[2];
    for (uint32_t i = 0; i < 20000; i++) {
        static const uint16_t instruments[] = { PERPETUAL, LINEAR, OPTION, SPOT };
        static const char *const names[] = { "1", "4008965646", "ETH-584830574",
                                             "0123456789abcdef0123456789abcde" };
        char quick[sizeof desk->body];
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        uint64_t id = random | 1;
        struct record_order *amend =
            desk_order(record, RECORD_ORDER_AMEND, id, random * 0x9e3779b97f4a7c15ULL | 1);
        amend->head.instrument = instruments[random % 4];
        amend->flags = (uint8_t)((random >> 8 & 1 ? ORDER_FLAG_POST_ONLY : 0) |
                                 (random >> 9 & 1 ? ORDER_FLAG_REDUCE_ONLY : 0));
        amend->price = (int64_t)(random >> (4 + random % 56));
        amend->qty = (int64_t)((random * 25214903917ULL) >> (4 + random % 59));
        deribit_know(session, id, names[random >> 10 & 3]);

        cr_assert(desk_encode(desk, amend));
        memcpy(quick, desk->body, sizeof quick);
        struct venue_out out = desk->out;
        desk->session->hooks = &hooks;
        cr_assert(desk_encode(desk, amend));
        desk->session->hooks = NULL;
        cr_assert_str_eq(quick, desk->body);
        cr_assert(out.act == desk->out.act && out.slot == desk->out.slot && out.orders == desk->out.orders &&
                  out.credit == desk->out.credit && out.tie == desk->out.tie &&
                  out.order == desk->out.order && out.request == desk->out.request &&
                  out.body_bytes == desk->out.body_bytes);
        deribit_forget(session, id);
    }
}

Test(deribit_order, an_ended_order_is_forgotten)
{
    struct desk *desk = deribit_desk_up();
    send_new(desk, 17);
    deribit_desk_answer(desk, reply("0.0", "open", "false", "good_til_cancelled", "", ""));
    send(desk, RECORD_ORDER_CANCEL, 18);
    cr_assert_not_null(strstr(desk->body, "4008965646"));
    deribit_desk_answer(desk, "{\"order_id\":\"4008965646\",\"label\":\"\",\"order_state\":\"cancelled\","
                              "\"instrument_name\":\"BTC-PERPETUAL\",\"amount\":100,\"filled_amount\":0,"
                              "\"cancel_reason\":\"user_request\"}");
    send(desk, RECORD_ORDER_QUERY, 19);
    cr_assert_not_null(strstr(desk->body, "by_label"));
}

Test(deribit_order, everything_is_cancelled_by_instrument_or_for_the_account)
{
    struct desk *desk = deribit_desk_up();
    struct slot record[2];
    struct record_order *order = desk_order(record, RECORD_CANCEL_ALL, 0, 30);
    expect(desk, order, "private/cancel_all_by_instrument", "{\"instrument_name\":\"BTC-PERPETUAL\"}}");
    cr_assert_eq(desk->out.credit, CREDIT_TRADE);
    deribit_desk_answer(desk, "37");
    cr_assert_eq(desk->record_count, 1);
    cr_assert_eq(desk_report(desk, 0)->head.type, RECORD_CANCEL_ACK);
    cr_assert_eq(desk_report(desk, 0)->tie, 30);
    cr_assert_eq(desk_report(desk, 0)->head.instrument, PERPETUAL);
    order->head.instrument = NO_INSTRUMENT;
    order->tie = 31;
    expect(desk, order, "private/cancel_all", "{}}");
    deribit_desk_answer(desk, "0");
    cr_assert_eq(desk_report(desk, 1)->head.type, RECORD_CANCEL_ACK, "nothing rested: that is done too");
    cr_assert_eq(desk_report(desk, 1)->tie, 31);
}

Test(deribit_order, what_is_not_of_this_venue_is_not_sent)
{
    struct desk *desk = deribit_desk_up();
    struct slot record[2];
    struct record_order *order = order_of(record, RECORD_ORDER_NEW, 1);
    order->head.instrument = 4;
    cr_assert_not(desk_encode(desk, order));
    order->head.instrument = PERPETUAL;
    desk->table.row[PERPETUAL].venue = VENUE_BINANCE;
    cr_assert_not(desk_encode(desk, order));
    desk->table.row[PERPETUAL].venue = VENUE_DERIBIT;
    order->head.type = RECORD_CLOCK;
    cr_assert_not(desk_encode(desk, order));
    order->head.type = RECORD_ORDER_NEW;
    desk->out.body_capacity = 200;
    cr_assert_not(desk_encode(desk, order), "it does not fit");
}

/* ------------------------------------------------------------------ answers */

static const struct record_report *nth(const struct desk *desk, uint32_t i, enum record_type type,
                                       uint64_t tie)
{
    const struct record_report *report = desk_report(desk, i);
    cr_assert_eq(report->head.type, type, "%u: %s", i, record_type_name(report->head.type));
    cr_assert_eq(report->tie, tie);
    cr_assert_eq(report->order, ORDER);
    cr_assert_eq(report->head.instrument, PERPETUAL);
    cr_assert_eq(report->head.account, 3);
    cr_assert_eq(report->flags & REPORT_FOREIGN, 0);
    return report;
}

Test(deribit_order, a_resting_order_is_acknowledged)
{
    struct desk *desk = deribit_desk_up();
    send_new(desk, 17);
    deribit_desk_answer(desk, reply("0.0", "open", "false", "good_til_cancelled", "", ""));
    cr_assert_eq(desk->record_count, 1);
    const struct record_report *ack = nth(desk, 0, RECORD_ACK, 17);
    cr_assert_eq(ack->request, REQUEST_NEW);
    cr_assert_eq(ack->flags, 0, "an acknowledgement says nothing of quantities");
    cr_assert_str_eq(ack->venue_order_id, "4008965646");
    cr_assert_eq(ack->order_price, 600005000);
    cr_assert_eq(ack->order_qty, 100);
    cr_assert_eq(ack->venue_time_ns, 1700000000123 * 1000000LL);
}

Test(deribit_order, executions_at_entry_come_before_the_acknowledgement)
{
    struct desk *desk = deribit_desk_up();
    send_new(desk, 17);
    deribit_desk_answer(desk, reply("100", "filled", "false", "immediate_or_cancel", "", trade(100)));
    cr_assert_eq(desk->record_count, 3);
    const struct record_report *fill = nth(desk, 0, RECORD_FILL, 17);
    cr_assert_eq(fill->exec_id, 30289432);
    cr_assert_eq(fill->last_qty, 100);
    cr_assert_eq(fill->price, 600002500);
    cr_assert_eq(fill->fee_e8, 16, "1.6e-7");
    cr_assert_str_eq(currency_code(&desk->table, fill->fee_currency), "BTC");
    cr_assert_eq(fill->realised_e8, 4898);
    cr_assert_eq(fill->liquidity, LIQUIDITY_TAKER);
    cr_assert_eq(fill->flags, REPORT_HAS_LAST | REPORT_HAS_FEE | REPORT_HAS_REALISED,
                 "a trade says nothing of the order's total");
    nth(desk, 1, RECORD_ACK, 17);
    const struct record_report *state = nth(desk, 2, RECORD_ORDER_STATE, 17);
    cr_assert_eq(state->status, ORDER_STATUS_FILLED);
    cr_assert_eq(state->flags, REPORT_HAS_CUM | REPORT_TERMINAL);
    cr_assert_eq(state->cum_qty, 100);
}

Test(deribit_order, the_rest_of_an_ioc_goes_without_a_reason_and_is_final)
{
    struct desk *desk = deribit_desk_up();
    send_new(desk, 17);
    deribit_desk_answer(desk, reply("30", "cancelled", "false", "immediate_or_cancel", "", trade(30)));
    cr_assert_eq(desk->record_count, 3);
    nth(desk, 0, RECORD_FILL, 17);
    nth(desk, 1, RECORD_ACK, 17);
    const struct record_report *end = nth(desk, 2, RECORD_EXPIRED, 17);
    cr_assert_eq(end->status, ORDER_STATUS_EXPIRED);
    cr_assert_eq(end->reason, REASON_IOC);
    cr_assert_eq(end->cum_qty, 30);
    cr_assert_neq(end->flags & REPORT_TERMINAL, 0);

    send_new(desk, 18);
    deribit_desk_answer(desk, reply("0", "cancelled", "false", "fill_or_kill", "", ""));
    cr_assert_eq(desk_report(desk, 4)->head.type, RECORD_EXPIRED, "nothing was there to be had");
    cr_assert_eq(desk_report(desk, 4)->cum_qty, 0);

    send_new(desk, 19);
    deribit_desk_answer(desk, reply("0", "open", "false", "immediate_or_cancel", "", ""));
    cr_assert_eq(desk->record_count, 6, "still queued behind the speed bump: not over");
}

Test(deribit_order, an_edit_answers_with_what_rests_now)
{
    struct desk *desk = deribit_desk_up();
    send(desk, RECORD_ORDER_AMEND, 20);
    deribit_desk_answer(desk, reply("30", "open", "true", "good_til_cancelled", "", ""));
    const struct record_report *amended = nth(desk, 0, RECORD_AMENDED, 20);
    cr_assert_eq(desk->record_count, 1);
    cr_assert_eq(amended->request, REQUEST_AMEND);
    cr_assert_eq(amended->cum_qty, 30);
    cr_assert_eq(amended->status, ORDER_STATUS_PARTIAL);
    cr_assert_eq(amended->flags, REPORT_HAS_CUM);

    send(desk, RECORD_ORDER_AMEND, 21);
    deribit_desk_answer(desk, reply("100", "filled", "true", "good_til_cancelled", "", trade(70)));
    nth(desk, 1, RECORD_FILL, 21);
    cr_assert_eq(nth(desk, 2, RECORD_ORDER_STATE, 21)->status, ORDER_STATUS_FILLED);
}

static const char bare[] =
    "{\"label\":\"%s\",\"order_id\":\"4008965646\",\"instrument_name\":\"BTC-PERPETUAL\",\"price\":60000.5,"
    "\"amount\":100.0,\"direction\":\"buy\",\"filled_amount\":30,\"order_state\":\"%s\",\"time_in_force\":"
    "\"good_til_cancelled\",\"last_update_timestamp\":1700000000123%s}";

static char *bare_order(const char *state, const char *more)
{
    static char text[1024];
    snprintf(text, sizeof text, bare, label(), state, more);
    return text;
}

Test(deribit_order, a_cancel_answers_with_the_order_as_it_ended)
{
    struct desk *desk = deribit_desk_up();
    send(desk, RECORD_ORDER_CANCEL, 22);
    deribit_desk_answer(desk, bare_order("cancelled", ",\"cancel_reason\":\"user_request\""));
    const struct record_report *end = nth(desk, 0, RECORD_CANCELLED, 22);
    cr_assert_eq(end->cum_qty, 30);
    cr_assert_eq(end->flags, REPORT_HAS_CUM | REPORT_TERMINAL);
    cr_assert_eq(end->reason, REASON_NONE);
    send(desk, RECORD_ORDER_CANCEL, 23);
    deribit_desk_answer(desk, bare_order("filled", ""));
    cr_assert_eq(nth(desk, 1, RECORD_ORDER_STATE, 23)->status, ORDER_STATUS_FILLED);
    send(desk, RECORD_ORDER_CANCEL, 24);
    deribit_desk_answer(desk, bare_order("open", ""));
    nth(desk, 2, RECORD_CANCEL_ACK, 24);
    send(desk, RECORD_ORDER_CANCEL, 25);
    deribit_desk_answer(desk, "1");
    nth(desk, 3, RECORD_CANCEL_ACK, 25);
    send(desk, RECORD_ORDER_CANCEL, 26);
    deribit_desk_answer(desk, "0");
    cr_assert_eq(nth(desk, 4, RECORD_REJECT, 26)->reason, REASON_NOT_FOUND, "no order of that label");
}

Test(deribit_order, a_question_is_answered_with_the_state)
{
    static const struct {
        const char *state, *more;
        enum order_status status;
        uint8_t reason;
    } rows[] = {
        { "open", "", ORDER_STATUS_PARTIAL, REASON_NONE },
        { "filled", "", ORDER_STATUS_FILLED, REASON_NONE },
        { "cancelled", ",\"cancel_reason\":\"user_request\"", ORDER_STATUS_CANCELLED, REASON_NONE },
        { "cancelled", ",\"cancel_reason\":\"autoliquidation\"", ORDER_STATUS_CANCELLED, REASON_LIQUIDATION },
        { "cancelled", ",\"cancel_reason\":\"cancel_on_disconnect\"", ORDER_STATUS_CANCELLED,
          REASON_DEAD_MAN },
        { "cancelled", ",\"cancel_reason\":\"edit_post_only_reject\"", ORDER_STATUS_CANCELLED,
          REASON_POST_ONLY },
        { "cancelled", ",\"cancel_reason\":\"settlement\"", ORDER_STATUS_CANCELLED, REASON_SUSPENDED },
        { "cancelled", ",\"cancel_reason\":\"mmp_trigger\"", ORDER_STATUS_CANCELLED, REASON_OTHER },
        { "cancelled", ",\"cancel_reason\":\"a reason of 2027\"", ORDER_STATUS_CANCELLED, REASON_OTHER },
        { "cancelled", "", ORDER_STATUS_CANCELLED, REASON_NONE },
        { "rejected", "", ORDER_STATUS_REJECTED, REASON_NONE },
    };
    struct desk *desk = deribit_desk_up();
    for (uint32_t i = 0; i < POISE_COUNT_OF(rows); i++) {
        char list[1100];
        send(desk, RECORD_ORDER_QUERY, 100 + i);
        snprintf(list, sizeof list, i % 2 == 0 ? "%s" : "[%s]", bare_order(rows[i].state, rows[i].more));
        deribit_desk_answer(desk, list);
        const struct record_report *state = nth(desk, i, RECORD_ORDER_STATE, 100 + i);
        cr_assert_eq(state->status, rows[i].status, "%u", i);
        cr_assert_eq(state->reason, rows[i].reason, "%u", i);
        cr_assert_eq((state->flags & REPORT_TERMINAL) != 0, i != 0);
        cr_assert_eq(state->cum_qty, 30);
    }
    send(desk, RECORD_ORDER_QUERY, 200);
    deribit_desk_answer(desk, "[]");
    cr_assert_eq(nth(desk, POISE_COUNT_OF(rows), RECORD_ORDER_STATE, 200)->status, ORDER_STATUS_NOT_FOUND);
}

Test(deribit_order, an_answer_that_names_no_outcome_leaves_it_unknown)
{
    struct desk *desk = deribit_desk_up();
    send_new(desk, 40);
    deribit_desk_answer(desk, "{}");
    nth(desk, 0, RECORD_UNKNOWN, 40);
    send_new(desk, 41);
    char text[128];
    snprintf(text, sizeof text, "{\"id\":\"%s\",\"result\":\"ok\"}", deribit_desk_id(desk));
    cr_assert_eq(desk_hear(desk, SESSION_SLOT_ORDER, text), PARSE_BROKEN);
}

/* ------------------------------------------------------------------ refusals */

/* clang-format off */
static const struct {
    int code;
    uint8_t reason; /* or 0: the outcome is unknown */
} codes[] = {
    { 10000, REASON_AUTH },      { 10001, 0 },                 { 10002, REASON_FILTER },     { 10003, REASON_SELF_TRADE },
    { 10004, REASON_NOT_FOUND }, { 10005, REASON_PRICE_BAND }, { 10006, REASON_PRICE_BAND }, { 10007, REASON_PRICE_BAND },
    { 10009, REASON_BALANCE },   { 10010, REASON_NOT_FOUND },  { 10011, REASON_PRICE_BAND }, { 10012, REASON_SUSPENDED },
    { 10019, REASON_AUTH },      { 10020, REASON_SUSPENDED },  { 10021, REASON_FILTER },     { 10026, REASON_FILTER },
    { 10027, REASON_FILTER },    { 10028, REASON_RATE_LIMIT }, { 10029, REASON_NOT_FOUND },  { 10032, REASON_FILTER },
    { 10039, REASON_BALANCE },   { 10040, 0 },                 { 10041, REASON_SUSPENDED },  { 10043, REASON_FILTER },
    { 10045, REASON_LIQUIDATION }, { 10046, REASON_LIQUIDATION }, { 10047, 0 },              { 10066, REASON_RATE_LIMIT },
    { 10072, REASON_AUTH },      { 11008, REASON_NOT_FOUND },  { 11021, REASON_FILTER },     { 11044, REASON_NOT_FOUND },
    { 11046, REASON_SUSPENDED }, { 11050, REASON_OTHER },      { 11051, REASON_SUSPENDED },  { 11054, REASON_POST_ONLY },
    { 11055, REASON_FILTER },    { 11094, 0 },                 { 11098, REASON_AUTH },       { 13004, REASON_AUTH },
    { 13009, REASON_AUTH },      { 13019, REASON_SUSPENDED },  { 13020, REASON_SUSPENDED },  { 13021, REASON_AUTH },
    { 13028, 0 },                { 13030, REASON_OTHER },      { 13031, REASON_AUTH },       { 13032, REASON_DUPLICATE_ID },
    { 13403, REASON_AUTH },      { 13777, REASON_OTHER },      { 13778, REASON_AUTH },       { 13888, REASON_TIME },
    { -32602, REASON_OTHER },    { -32601, REASON_OTHER },     { -32700, REASON_OTHER },     { -32600, REASON_OTHER },
    { -32000, REASON_OTHER },    { 19999, 0 },                 { 0, 0 },
};
/* clang-format on */

Test(deribit_order, every_code_of_a_new_order_is_a_known_refusal_or_an_unknown_outcome)
{
    for (uint32_t i = 0; i < POISE_COUNT_OF(codes); i++) {
        struct desk *desk = deribit_desk_up();
        send_new(desk, 50);
        deribit_desk_refuse(desk, codes[i].code);
        cr_assert_eq(desk->record_count, 1);
        const struct record_report *report =
            nth(desk, 0, codes[i].reason != 0 ? RECORD_REJECT : RECORD_UNKNOWN, 50);
        cr_assert_eq(report->reason, codes[i].reason, "%d: %d", codes[i].code, report->reason);
        cr_assert_eq(report->request, REQUEST_NEW);
        cr_assert_eq(report->venue_code, codes[i].code != 0 ? codes[i].code : -1);
        cr_assert_eq(desk->out.act, codes[i].code == 10028 ? ACT_CLOSE : ACT_NONE);
    }
}

Test(deribit_order, a_refused_edit_leaves_the_order_in_doubt_unless_it_was_not_tried)
{
    for (uint32_t i = 0; i < POISE_COUNT_OF(codes); i++) {
        struct desk *desk = deribit_desk_up();
        uint8_t reason = codes[i].reason;
        bool not_tried = reason == REASON_FILTER || reason == REASON_RATE_LIMIT || reason == REASON_TIME ||
                         reason == REASON_AUTH || reason == REASON_NOT_FOUND;
        send(desk, RECORD_ORDER_AMEND, 51);
        deribit_desk_refuse(desk, codes[i].code);
        nth(desk, 0, not_tried ? RECORD_REJECT : RECORD_UNKNOWN, 51);
    }
}

Test(deribit_order, a_question_about_an_order_nobody_knows_proves_nothing)
{
    struct desk *desk = deribit_desk_up();
    send(desk, RECORD_ORDER_QUERY, 52);
    deribit_desk_refuse(desk, 10004);
    const struct record_report *state = nth(desk, 0, RECORD_ORDER_STATE, 52);
    cr_assert_eq(state->status, ORDER_STATUS_NOT_FOUND);
    cr_assert_eq(state->flags & REPORT_TERMINAL, 0);
    send(desk, RECORD_ORDER_QUERY, 53);
    deribit_desk_refuse(desk, 13028);
    nth(desk, 1, RECORD_UNKNOWN, 53);
    send(desk, RECORD_ORDER_CANCEL, 54);
    deribit_desk_refuse(desk, 11044);
    cr_assert_eq(nth(desk, 2, RECORD_REJECT, 54)->reason, REASON_NOT_FOUND);
}

Test(deribit_order, an_error_without_an_id_of_ours_is_nobodys)
{
    struct desk *desk = deribit_desk_up();
    cr_assert_gt(
        desk_hear(desk, SESSION_SLOT_ORDER,
                  "{\"jsonrpc\":\"2.0\",\"error\":{\"message\":\"invalid_credentials\",\"code\":13004},"
                  "\"testnet\":false}"),
        0);
    cr_assert_gt(desk_hear(desk, SESSION_SLOT_ORDER, "{\"id\":17,\"result\":{\"order\":{}}}"), 0);
    cr_assert_eq(desk->record_count, 0);
    cr_assert(desk->session->orders_ready);
}

/* ------------------------------------------------------------------ the private channels */

static void changes(struct desk *desk, const char *trades, const char *orders, const char *positions)
{
    char text[4096];
    snprintf(text, sizeof text,
             "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":\"user.changes.any."
             "any.raw\","
             "\"data\":{\"instrument_name\":\"BTC-PERPETUAL\",\"positions\":[%s],\"orders\":[%s],\"trades\":["
             "%s]}}}",
             positions, orders, trades);
    cr_assert_gt(desk_hear(desk, SESSION_SLOT_ORDER, text), 0, "%s", text);
}

static char *stream_order(const char *state, const char *filled, const char *replaced)
{
    static char text[1024];
    snprintf(
        text, sizeof text,
        "{\"label\":\"%s\",\"order_id\":\"4008965646\",\"instrument_name\":\"BTC-PERPETUAL\",\"price\":60000."
        "5,"
        "\"amount\":100.0,\"direction\":\"buy\",\"filled_amount\":%s,\"order_state\":\"%s\",\"replaced\":%s,"
        "\"time_in_force\":\"good_til_cancelled\",\"last_update_timestamp\":1700000000123}",
        label(), filled, state, replaced);
    return text;
}

Test(deribit_order, one_message_of_changes_is_told_executions_first_then_orders_then_positions)
{
    struct desk *desk = deribit_desk_up();
    changes(
        desk, trade(100), stream_order("filled", "100", "false"),
        "{\"instrument_name\":\"BTC-PERPETUAL\",\"direction\":\"sell\",\"size\":-185160.0,\"average_price\":"
        "15000,\"floating_profit_loss\":0.906961435,\"estimated_liquidation_price\":21000.5,\"kind\":"
        "\"future\"}");
    cr_assert_eq(desk->record_count, 3);
    cr_assert_eq(nth(desk, 0, RECORD_FILL, 0)->request, REQUEST_NONE);
    cr_assert_eq(nth(desk, 1, RECORD_ORDER_STATE, 0)->status, ORDER_STATUS_FILLED);
    const struct record_position *position = (const struct record_position *)(const void *)desk->records[2];
    cr_assert_eq(position->head.type, RECORD_POSITION);
    cr_assert_eq(position->qty, -185160);
    cr_assert_eq(position->entry_e8, 15000 * DECIMAL_E8);
    cr_assert_eq(position->unrealised_e8, 90696143);
    cr_assert_eq(position->liquidation_e8, 2100050000000);
}

Test(deribit_order, orders_on_the_channel_are_news_by_their_state)
{
    static const struct {
        const char *state, *filled, *replaced;
        enum record_type type;
        enum request_kind request;
    } rows[] = {
        { "open", "0", "false", RECORD_ACK, REQUEST_NEW },
        { "open", "30", "false", RECORD_ORDER_STATE, REQUEST_NONE },
        { "open", "0", "true", RECORD_AMENDED, REQUEST_AMEND },
        { "open", "30", "true", RECORD_ORDER_STATE, REQUEST_NONE },
        { "filled", "100", "false", RECORD_ORDER_STATE, REQUEST_NONE },
        { "cancelled", "30", "false", RECORD_CANCELLED, REQUEST_NONE },
        { "rejected", "0", "false", RECORD_REJECT, REQUEST_NEW },
        { "untriggered", "0", "false", RECORD_ORDER_STATE, REQUEST_NONE },
        { "triggered", "0", "false", RECORD_ORDER_STATE, REQUEST_NONE },
    };
    struct desk *desk = deribit_desk_up();
    for (uint32_t i = 0; i < POISE_COUNT_OF(rows); i++) {
        changes(desk, "", stream_order(rows[i].state, rows[i].filled, rows[i].replaced), "");
        cr_assert_eq(desk->record_count, i + 1);
        cr_assert_eq(nth(desk, i, rows[i].type, 0)->request, rows[i].request, "%u", i);
    }
    cr_assert_eq(desk_report(desk, 1)->cum_qty, 30);
    cr_assert_eq(desk_report(desk, 1)->status, ORDER_STATUS_PARTIAL);
    cr_assert_eq(desk_report(desk, 6)->reason, REASON_OTHER);
}

/* The reply and the channel may come in either order, and the same execution comes on both. */
Test(deribit_order, every_order_of_reply_and_channel_tells_the_same_execution)
{
    for (int first = 0; first < 2; first++) {
        struct desk *desk = deribit_desk_up();
        send_new(desk, 60);
        for (int i = 0; i < 2; i++) {
            if (i == first) {
                deribit_desk_answer(desk,
                                    reply("100", "filled", "false", "good_til_cancelled", "", trade(100)));
            } else {
                changes(desk, trade(100), stream_order("filled", "100", "false"), "");
            }
        }
        cr_assert_eq(desk->record_count, 5);
        uint32_t fills = 0, ends = 0, acks = 0;
        for (uint32_t i = 0; i < desk->record_count; i++) {
            const struct record_report *report = desk_report(desk, i);
            if (report->head.type == RECORD_FILL) {
                cr_assert_eq(report->exec_id, 30289432, "told apart by nothing: counted once");
                fills++;
            }
            ends += (report->flags & REPORT_TERMINAL) != 0;
            acks += report->head.type == RECORD_ACK;
            cr_assert_eq(report->order, ORDER);
        }
        cr_assert_eq(fills, 2);
        cr_assert_eq(ends, 2);
        cr_assert_eq(acks, 1);
    }
}

Test(deribit_order, an_acknowledgement_after_the_cancel_is_passed_on_as_it_is)
{
    struct desk *desk = deribit_desk_up();
    send_new(desk, 61);
    char id[64];
    strcpy(id, deribit_desk_id(desk));
    changes(desk, "", stream_order("cancelled", "0", "false"), "");
    nth(desk, 0, RECORD_CANCELLED, 0);
    char text[2048];
    snprintf(text, sizeof text, "{\"id\":\"%s\",\"result\":%s}", id,
             reply("0", "open", "false", "good_til_cancelled", "", ""));
    cr_assert_gt(desk_hear(desk, SESSION_SLOT_ORDER, text), 0);
    nth(desk, 1, RECORD_ACK, 61);
}

Test(deribit_order, an_edit_that_would_cross_takes_the_order_away)
{
    struct desk *desk = deribit_desk_up();
    send(desk, RECORD_ORDER_AMEND, 62);
    deribit_desk_refuse(desk, 11054);
    nth(desk, 0, RECORD_UNKNOWN, 62);
    char text[1100];
    snprintf(text, sizeof text, "%s",
             bare_order("cancelled", ",\"cancel_reason\":\"edit_post_only_reject\""));
    changes(desk, "", text, "");
    const struct record_report *end = nth(desk, 1, RECORD_CANCELLED, 0);
    cr_assert_eq(end->reason, REASON_POST_ONLY);
    cr_assert_eq(end->cum_qty, 30);
}

Test(deribit_order, what_has_no_label_of_ours_is_foreign)
{
    struct desk *desk = deribit_desk_up();
    struct file file;
    cr_assert(file_read(&file, "deribit/doc_ws_user_changes.json"));
    cr_assert_gt(desk_hear(desk, SESSION_SLOT_ORDER, file.text), 0);
    file_free(&file);
    cr_assert_eq(desk->record_count, 3);
    for (uint32_t i = 0; i < 2; i++) {
        cr_assert_neq(desk_report(desk, i)->flags & REPORT_FOREIGN, 0);
        cr_assert_eq(desk_report(desk, i)->order, 0);
        cr_assert_str_eq(desk_report(desk, i)->venue_order_id, "3398016");
    }
}

Test(deribit_order, a_liquidation_of_ours_is_known_as_one)
{
    static const struct {
        const char *which, *liquidity;
        bool ours;
    } rows[] = { { "M", "M", true }, { "T", "M", false }, { "MT", "M", true }, { "T", "T", true } };
    struct desk *desk = deribit_desk_up();
    for (uint32_t i = 0; i < POISE_COUNT_OF(rows); i++) {
        char text[512];
        snprintf(
            text, sizeof text,
            "{\"trade_id\":\"4\",\"trade_seq\":%u,\"order_id\":\"5\",\"instrument_name\":\"BTC-PERPETUAL\","
            "\"direction\":\"sell\",\"price\":60000,\"amount\":10,\"liquidity\":\"%s\",\"liquidation\":\"%"
            "s\"}",
            i + 1, rows[i].liquidity, rows[i].which);
        changes(desk, text, "", "");
        cr_assert_eq(desk_report(desk, i)->reason == REASON_LIQUIDATION, rows[i].ours, "%u", i);
        cr_assert_eq(desk_report(desk, i)->flags & REPORT_HAS_FEE, 0, "no fee told is no fee known");
    }
}

Test(deribit_order, a_combo_moves_its_legs_only)
{
    struct desk *desk = deribit_desk_up();
    struct file file;
    cr_assert(file_read(&file, "deribit/doc_ws_user_combo_trades.json"));
    cr_assert_gt(desk_hear(desk, SESSION_SLOT_ORDER, file.text), 0);
    file_free(&file);
    cr_assert_eq(desk->record_count, 1,
                 "the other leg is not in the table, and the combo is nothing to hold");
    const struct record_report *leg = desk_report(desk, 0);
    cr_assert_eq(leg->head.type, RECORD_FILL);
    cr_assert_eq(leg->head.instrument, PERPETUAL);
    cr_assert_eq(leg->exec_id, 179);
    cr_assert_eq(leg->price, 200085000);
}

Test(deribit_order, a_price_between_the_units_counts_its_quantity_at_once)
{
    struct desk *desk = deribit_desk_up();
    changes(desk,
            "{\"trade_id\":\"4\",\"trade_seq\":9,\"order_id\":\"5\",\"instrument_name\":\"BTC-PERPETUAL\","
            "\"direction\":\"sell\",\"price\":60000.123456,\"amount\":10}",
            "", "");
    cr_assert_neq(desk_report(desk, 0)->flags & REPORT_PRICE_OPEN, 0);
    cr_assert_eq(desk_report(desk, 0)->last_qty, 10);
}

Test(deribit_order, cash_is_the_balance_and_what_is_realised_but_not_settled)
{
    struct desk *desk = deribit_desk_up();
    struct file file;
    cr_assert(file_read(&file, "deribit/doc_ws_user_portfolio_btc.json"));
    cr_assert_gt(desk_hear(desk, SESSION_SLOT_ORDER, file.text), 0);
    file_free(&file);
    cr_assert_eq(desk->record_count, 1);
    const struct record_balance *balance = (const struct record_balance *)(const void *)desk->records[0];
    cr_assert_eq(balance->head.type, RECORD_BALANCE);
    cr_assert_str_eq(currency_code(&desk->table, balance->currency), "BTC");
    cr_assert_eq(balance->total_e8, 30260065765 - 3311399);
    cr_assert_eq(balance->available_e8, 30138036328);
    /* the venue's own sum: equity is this, what is not realised, and the options' value */
    cr_assert_leq(base_abs(balance->total_e8 + 5921555 - 790000 - 30261885920), 1);

    cr_assert(file_read(&file, "deribit/ws_private_user_portfolio_any.json"));
    cr_assert_gt(desk_hear(desk, SESSION_SLOT_ORDER, file.text), 0);
    file_free(&file);
    balance = (const struct record_balance *)(const void *)desk->records[1];
    cr_assert_eq(balance->total_e8, 5500055000);
}

Test(deribit_order, a_message_with_one_bad_object_yields_nothing)
{
    struct desk *desk = deribit_desk_up();
    char text[4096];
    snprintf(text, sizeof text,
             "{\"method\":\"subscription\",\"params\":{\"channel\":\"user.changes.any.any.raw\",\"data\":{"
             "\"trades\":[%s],\"orders\":[{\"order_id\":\"1\",\"order_state\":\"open\",\"instrument_name\":"
             "\"BTC-PERPETUAL\",\"amount\":\"many\"}],\"positions\":[]}}}",
             trade(100));
    cr_assert_eq(desk_hear(desk, SESSION_SLOT_ORDER, text), PARSE_BROKEN);
    cr_assert_eq(desk->record_count, 0);
    changes(desk, "", "", "");
    char contradiction[] = "{\"instrument_name\":\"BTC-PERPETUAL\",\"direction\":\"buy\",\"size\":-10}";
    snprintf(text, sizeof text,
             "{\"method\":\"subscription\",\"params\":{\"channel\":\"user.changes.any.any.raw\",\"data\":{"
             "\"trades\":[],\"orders\":[],\"positions\":[%s]}}}",
             contradiction);
    cr_assert_eq(desk_hear(desk, SESSION_SLOT_ORDER, text), PARSE_BROKEN);
    cr_assert_eq(desk->record_count, 0);
}

Test(deribit_order, public_channels_and_unknown_ones_mean_nothing_here)
{
    struct desk *desk = deribit_desk_up();
    static const char *const texts[] = {
        "{\"method\":\"subscription\",\"params\":{\"channel\":\"book.BTC-PERPETUAL.100ms\",\"data\":{}}}",
        "{\"method\":\"subscription\",\"params\":{\"channel\":\"user.lock\",\"data\":{\"locked\":true,"
        "\"currency\":\"ALL\"}}}",
        "{\"method\":\"a_method_of_2027\"}",
        "{}",
    };
    for (size_t i = 0; i < POISE_COUNT_OF(texts); i++) {
        cr_assert_gt(desk_hear(desk, SESSION_SLOT_ORDER, texts[i]), 0);
    }
    cr_assert_eq(desk->record_count, 0);
}

/* ------------------------------------------------------------------ names */

Test(deribit_order, every_key_is_found_by_its_length)
{
    for (uint32_t key = 0; key < KEY_COUNT; key++) {
        char text[128];
        struct scan scan;
        struct scan_value fields[KEY_COUNT];
        cr_assert_leq(deribit_keys[key].bytes, DERIBIT_KEY_LETTERS);
        int bytes = snprintf(text, sizeof text, "{\"%s\":7}", deribit_keys[key].text);
        cr_assert(deribit_fields(&scan, text, (size_t)bytes, fields));
        for (uint32_t other = 0; other < KEY_COUNT; other++) {
            cr_assert_eq(fields[other].type != SCAN_NONE, other == key, "%s", deribit_keys[key].text);
        }
    }
}

/* ------------------------------------------------------------------ anything at all */

static void count_only(void *context, const struct slot *record)
{
    (*(uint32_t *)context)++;
    cr_assert_leq(record_head_of(record)->slot_count, 3);
}

Test(deribit_order, every_prefix_of_every_message_is_incomplete_and_every_changed_byte_survives)
{
    static char names[256][96];
    size_t count = file_names("deribit", names, POISE_COUNT_OF(names));
    struct desk *desk = deribit_desk_up();
    uint32_t records = 0;
    const struct venue_sink sink = { count_only, &records };
    static struct venue_out out;
    static char body[4096];
    out.body = body;
    out.body_capacity = sizeof body;
    struct guard guard;
    guard_make(&guard, 1 << 20);
    uint64_t random = 88172645463325252ULL;
    uint32_t seen = 0;
    for (size_t i = 0; i < count; i++) {
        char path[128];
        struct file file;
        snprintf(path, sizeof path, "deribit/%s", names[i]);
        if (strstr(names[i], ".json") == NULL || strstr(names[i], "jsonl") != NULL ||
            !file_read(&file, path)) {
            continue;
        }
        seen++;
        size_t step = file.bytes > 4000 ? 17 : 1;
        for (size_t bytes = 0; bytes <= file.bytes; bytes += step) {
            const char *at = guard_put(&guard, file.text, bytes);
            int64_t read = venue_deribit.order->message(desk->session, SESSION_SLOT_ORDER, at, bytes,
                                                        desk->now_ns, WALL_NS, &sink, &out);
            cr_assert(read <= (int64_t)bytes);
        }
        for (int change = 0; change < 200; change++) {
            char *at = guard_put(&guard, file.text, file.bytes);
            for (int k = 0; k < 3; k++) {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                at[random % file.bytes] = (char)(random >> 32);
            }
            venue_deribit.order->message(desk->session, SESSION_SLOT_ORDER, at, file.bytes, desk->now_ns,
                                         WALL_NS, &sink, &out);
        }
        file_free(&file);
    }
    cr_assert_geq(seen, 30);
    cr_assert_gt(records, 0);
    guard_free(&guard);
}
