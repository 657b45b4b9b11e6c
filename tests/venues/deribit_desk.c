#include "tests/venues/deribit_desk.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static void add(struct instrument_table *table, const char *symbol, int price_decimals, int qty_decimals,
                const char *settle)
{
    struct deribit_symbol read = deribit_symbol(symbol, strlen(symbol));
    struct instrument row = { .venue = VENUE_DERIBIT, .product = read.product, .kind = read.kind };
    row.price_decimals = (uint8_t)price_decimals;
    row.qty_decimals = (uint8_t)qty_decimals;
    row.tick = row.lot = 1;
    row.contract_e8 = DECIMAL_E8;
    row.settle = currency_find(table, settle, strlen(settle), true);
    strcpy(row.symbol, symbol);
    cr_assert_neq(instrument_add(table, &row), UINT16_MAX);
}

struct desk *deribit_desk_make(void)
{
    struct desk *desk = kept(sizeof *desk);
    instrument_table_reset(&desk->table);
    currency_find(&desk->table, "USDT", 4, true);
    add(&desk->table, "BTC-PERPETUAL", 4, 0, "BTC");
    add(&desk->table, "ETH_USDC-PERPETUAL", 4, 6, "USDC");
    add(&desk->table, "BTC-27DEC24-100000-C", 6, 4, "BTC");
    add(&desk->table, "BTC_USDC", 6, 8, "USDC");
    desk->account = (struct account){ .index = 3, .venue = VENUE_DERIBIT, .dead_man_ms = 12000 };
    cr_assert(sign_key_hmac(&desk->key, "the-key", "the-secret", 10));
    desk_begin(desk, &venue_deribit);
    return desk;
}

const char *deribit_desk_id(const struct desk *desk)
{
    static char id[64]; /* a step that had nothing to do left no body behind */
    const char *at = strstr(desk->body, "\"id\":\"");
    if (at != NULL) {
        snprintf(id, sizeof id, "%.*s", (int)strcspn(at + 6, "\""), at + 6);
    }
    return id;
}

const char *deribit_desk_expect(struct desk *desk, const char *method, const char *holds)
{
    char expected[128];
    cr_assert(desk_step(desk), "nothing to do, %s expected; %s", method, desk->session->why);
    cr_assert_eq(desk->out.act, ACT_SEND, "act %d", desk->out.act);
    cr_assert_eq(desk->out.slot, SESSION_SLOT_ORDER);
    snprintf(expected, sizeof expected, "\"method\":\"%s\",\"params\":{", method);
    cr_assert_not_null(strstr(desk->body, expected), "%s, not %s", desk->body, method);
    cr_assert_not_null(strstr(desk->body, holds), "%s", desk->body);
    return deribit_desk_id(desk);
}

void deribit_desk_answer(struct desk *desk, const char *result)
{
    char reply[8192];
    snprintf(
        reply, sizeof reply,
        "{\"jsonrpc\":\"2.0\",\"id\":\"%s\",\"result\":%s,\"usIn\":1,\"usOut\":2,\"usDiff\":1,\"testnet\":"
        "false}",
        deribit_desk_id(desk), result);
    cr_assert_gt(desk_hear(desk, SESSION_SLOT_ORDER, reply), 0, "%s", reply);
}

void deribit_desk_refuse(struct desk *desk, int code)
{
    char reply[512];
    snprintf(
        reply, sizeof reply,
        "{\"jsonrpc\":\"2.0\",\"id\":\"%s\",\"error\":{\"message\":\"no\",\"code\":%d},\"testnet\":false}",
        deribit_desk_id(desk), code);
    cr_assert_gt(desk_hear(desk, SESSION_SLOT_ORDER, reply), 0);
}

struct desk *deribit_desk_up(void)
{
    struct desk *desk = deribit_desk_make();
    desk_expect_open(desk, SESSION_SLOT_ORDER, "www.deribit.com", "/ws/api/v2");
    cr_assert_not(desk_step(desk), "nothing before the connection is up");
    desk_event(desk, SESSION_SLOT_ORDER, SESSION_UP);
    cr_assert_eq(desk->session->state, GATEWAY_STARTING);
    deribit_desk_expect(desk, "public/auth", "\"grant_type\":\"client_signature\",\"client_id\":\"the-key\"");
    cr_assert_not_null(
        strstr(desk->body, "\"scope\":\"connection trade:read_write account:read wallet:none\""));
    cr_assert_not(desk_step(desk), "one thing after the other");
    deribit_desk_answer(desk, DERIBIT_LOGIN);
    deribit_desk_expect(desk, "public/set_heartbeat", "\"interval\":12");
    deribit_desk_answer(desk, "\"ok\"");
    deribit_desk_expect(desk, "private/enable_cancel_on_disconnect", "\"scope\":\"connection\"");
    deribit_desk_answer(desk, "\"ok\"");
    deribit_desk_expect(desk, "private/get_cancel_on_disconnect", "\"scope\":\"connection\"");
    deribit_desk_answer(desk, "{\"scope\":\"connection\",\"enabled\":true}");
    deribit_desk_expect(desk, "private/subscribe",
                        "\"channels\":[\"user.changes.any.any.raw\",\"user.portfolio.any\"]");
    cr_assert_not(desk->session->orders_ready, "not before its fills are heard");
    deribit_desk_answer(desk, "[\"user.portfolio.ANY\",\"user.changes.any.any.raw\"]");
    cr_assert(desk->session->orders_ready && desk->session->private_ready);
    cr_assert_eq(desk->session->state, GATEWAY_READY, "%s", desk->session->why);
    cr_assert_not(desk_step(desk));
    return desk;
}
