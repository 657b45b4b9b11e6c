/* Questions by REST: what is asked, and what the answers become. */
#include "ring/order_id.h"
#include "tests/venues/desk.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct clerk {
    struct desk *desk;
    struct rest_query query;
    struct rest_answer answer;
    struct instrument rows[64];
    char settle[64][CURRENCY_BYTES];
    uint32_t row_count;
};

static void on_row(void *context, const struct instrument *row, const char *base, const char *quote,
                   const char *settle)
{
    struct clerk *clerk = context;
    (void)base;
    (void)quote;
    cr_assert_lt(clerk->row_count, 64);
    strcpy(clerk->settle[clerk->row_count], settle);
    clerk->rows[clerk->row_count++] = *row;
}

static struct clerk *clerk_make(uint8_t product)
{
    struct clerk *clerk = kept(sizeof *clerk);
    clerk->desk =
        desk_make(product, product == PRODUCT_INVERSE ? "BTCUSD_PERP" : "BTCUSDT", SIGN_HMAC_SHA256, 0);
    clerk->query.product = product;
    clerk->answer.instruments = &clerk->desk->table;
    clerk->answer.account = 3;
    clerk->answer.sink = clerk->desk->sink;
    clerk->answer.instrument = on_row;
    clerk->answer.instrument_context = clerk;
    return clerk;
}

static const char *ask(struct clerk *clerk, enum rest_what what)
{
    clerk->query.what = (uint8_t)what;
    struct venue_out *out = &clerk->desk->out;
    if (!venue_binance.rest->request(&clerk->desk->key, &clerk->desk->table, &clerk->query, WALL_NS, out)) {
        return NULL;
    }
    cr_assert_eq(out->act, ACT_REQUEST);
    out->path[out->path_bytes] = '\0';
    return out->path;
}

static enum rest_result hear(struct clerk *clerk, enum rest_what what, int status, const char *body)
{
    clerk->query.what = (uint8_t)what;
    clerk->desk->record_count = 0;
    return venue_binance.rest->parse(&clerk->query, status, body, strlen(body), &clerk->answer);
}

static enum rest_result hear_file(struct clerk *clerk, enum rest_what what, const char *name)
{
    struct file file;
    cr_assert(file_read(&file, name));
    clerk->query.what = (uint8_t)what;
    clerk->desk->record_count = 0;
    enum rest_result result =
        venue_binance.rest->parse(&clerk->query, 200, file.text, file.bytes, &clerk->answer);
    file_free(&file);
    return result;
}

static bool begins(const char *text, const char *with)
{
    return text != NULL && strncmp(text, with, strlen(with)) == 0;
}

Test(binance_rest, every_question_has_its_path_and_is_signed_where_it_must_be)
{
    /* clang-format off */
    static const struct {
        uint8_t product;
        enum rest_what what;
        const char *method, *path;
        bool is_signed;
    } rows[] = {
        { PRODUCT_LINEAR,  REST_TIME,         "GET",    "/fapi/v1/time", false },
        { PRODUCT_SPOT,    REST_INSTRUMENTS,  "GET",    "/api/v3/exchangeInfo", false },
        { PRODUCT_INVERSE, REST_INSTRUMENTS,  "GET",    "/dapi/v1/exchangeInfo", false },
        { PRODUCT_LINEAR,  REST_OPEN_ORDERS,  "GET",    "/fapi/v1/openOrders?symbol=BTCUSDT&timestamp=1700000000000&signature=", true },
        { PRODUCT_LINEAR,  REST_POSITIONS,    "GET",    "/fapi/v3/positionRisk?symbol=BTCUSDT&timestamp=", true },
        { PRODUCT_INVERSE, REST_POSITIONS,    "GET",    "/dapi/v1/positionRisk?timestamp=", true },
        { PRODUCT_SPOT,    REST_BALANCES,     "GET",    "/api/v3/account?omitZeroBalances=true&timestamp=", true },
        { PRODUCT_LINEAR,  REST_BALANCES,     "GET",    "/fapi/v3/balance?timestamp=", true },
        { PRODUCT_LINEAR,  REST_FILLS,        "GET",    "/fapi/v1/userTrades?symbol=BTCUSDT&limit=1000&timestamp=", true },
        { PRODUCT_SPOT,    REST_FEES,         "GET",    "/api/v3/account/commission?symbol=BTCUSDT&timestamp=", true },
        { PRODUCT_LINEAR,  REST_MARK,         "GET",    "/fapi/v1/premiumIndex?symbol=BTCUSDT", false },
        { PRODUCT_LINEAR,  REST_CANCEL_ALL,   "DELETE", "/fapi/v1/allOpenOrders?symbol=BTCUSDT&timestamp=", true },
        { PRODUCT_SPOT,    REST_CANCEL_ALL,   "DELETE", "/api/v3/openOrders?symbol=BTCUSDT&timestamp=", true },
        { PRODUCT_INVERSE, REST_DEAD_MAN,     "POST",   "/dapi/v1/countdownCancelAll?symbol=BTCUSD_PERP&countdownTime=60000&timestamp=", true },
        { PRODUCT_LINEAR,  REST_PAYMENTS,     "GET",    "/fapi/v1/income?symbol=BTCUSDT&page=1&limit=1000&timestamp=", true },
        { PRODUCT_LINEAR,  REST_DEPTH,        "GET",    "/fapi/v1/depth?symbol=BTCUSDT&limit=1000", false },
    };
    /* clang-format on */
    for (size_t i = 0; i < POISE_COUNT_OF(rows); i++) {
        struct clerk *clerk = clerk_make(rows[i].product);
        clerk->query.instrument = &clerk->desk->table.row[0];
        clerk->query.timeout_ms = 60000;
        const char *path = ask(clerk, rows[i].what);
        cr_assert(begins(path, rows[i].path), "%s, not %s", path, rows[i].path);
        cr_assert_str_eq(clerk->desk->out.method, rows[i].method);
        cr_assert_eq(strstr(path, "&signature=") != NULL, rows[i].is_signed, "%s", path);
        cr_assert_gt(clerk->desk->out.weight, 0);
        if (rows[i].is_signed) {
            cr_assert_eq(
                strncmp(clerk->desk->out.header, "X-MBX-APIKEY: the-key\r\n", clerk->desk->out.header_bytes),
                0);
        }
    }
    struct clerk *clerk = clerk_make(PRODUCT_SPOT);
    cr_assert_null(ask(clerk, REST_POSITIONS), "spot has no positions");
    cr_assert_null(ask(clerk, REST_DEAD_MAN), "spot has no timer");
    cr_assert_null(ask(clerk, REST_MARK));
    cr_assert_null(ask(clerk, REST_FILLS), "the history is kept by symbol");
}

Test(binance_rest, fills_are_asked_by_id_or_by_windows_of_time)
{
    struct clerk *clerk = clerk_make(PRODUCT_LINEAR);
    clerk->query.instrument = &clerk->desk->table.row[0];
    clerk->query.from_id = 12345;
    cr_assert(begins(ask(clerk, REST_FILLS), "/fapi/v1/userTrades?symbol=BTCUSDT&fromId=12345&limit=1000&"));
    clerk->query.from_id = 0;
    clerk->query.since_ns = 1600000000000 * 1000000LL;
    clerk->query.page = 1;
    cr_assert(begins(
        ask(clerk, REST_FILLS),
        "/fapi/v1/userTrades?symbol=BTCUSDT&startTime=1600604800000&endTime=1601209599999&limit=1000&"));
    clerk->query.until_ns = clerk->query.since_ns + 20LL * 24 * 3600 * 1000000000;
    cr_assert_eq(hear(clerk, REST_FILLS, 200, "[]"), REST_OK);
    cr_assert(clerk->answer.more, "the second of three windows");
    clerk->query.page = 2;
    cr_assert_eq(hear(clerk, REST_FILLS, 200, "[]"), REST_OK);
    cr_assert_not(clerk->answer.more);
}

Test(binance_rest, a_full_page_of_fills_goes_on_behind_its_last)
{
    struct clerk *clerk = clerk_make(PRODUCT_LINEAR);
    clerk->query.instrument = &clerk->desk->table.row[0];
    static struct instrument_table none; /* rows are skipped: only paging matters */
    clerk->answer.instruments = &none;
    char *body = kept(1000 * 128 + 3), *at = body;
    *at++ = '[';
    for (int i = 0; i < 1000; i++) {
        at += sprintf(
            at,
            "%s{\"symbol\":\"OTHER\",\"id\":%d,\"orderId\":1,\"side\":\"BUY\",\"price\":\"1\",\"qty\":\"1\"}",
            i == 0 ? "" : ",", 5000 + i);
    }
    strcpy(at, "]");
    cr_assert_eq(hear(clerk, REST_FILLS, 200, body), REST_OK);
    cr_assert(clerk->answer.more);
    cr_assert_eq(clerk->answer.skipped, 1000);
}

Test(binance_rest, fills_carry_ids_fees_and_realised_profit)
{
    struct clerk *clerk = clerk_make(PRODUCT_LINEAR);
    strcpy(clerk->desk->table.row[0].symbol, "ETHUSDT");
    table_one(&clerk->desk->table, PRODUCT_LINEAR, "ETHUSDT", 2, 3);
    currency_find(&clerk->desk->table, "USDT", 4, true);
    cr_assert_eq(hear_file(clerk, REST_FILLS, "binance/usdm_rest_userTrades.json"), REST_OK);
    cr_assert_eq(clerk->desk->record_count, 2);
    const struct record_report *fill = desk_report(clerk->desk, 1);
    cr_assert_eq(fill->head.type, RECORD_FILL);
    cr_assert_eq(fill->head.flags, RECORD_FLAG_REST);
    cr_assert_eq(fill->exec_id, 82357629);
    cr_assert_str_eq(fill->venue_order_id, "831238690");
    cr_assert_eq(fill->side, SIDE_BUY);
    cr_assert_eq(fill->price, 277900);
    cr_assert_eq(fill->last_qty, 5);
    cr_assert_eq(fill->fee_e8, 555800);
    cr_assert_eq(fill->realised_e8, -325000);
    cr_assert_eq(fill->liquidity, LIQUIDITY_TAKER);
    cr_assert_eq(clerk->answer.next_from_id, 82357630);
    cr_assert_not(clerk->answer.more);
}

Test(binance_rest, metadata_of_the_coin_margined_product)
{
    struct clerk *clerk = clerk_make(PRODUCT_INVERSE);
    cr_assert_eq(hear_file(clerk, REST_INSTRUMENTS, "binance/coinm_rest_exchangeInfo_2021.json"), REST_OK);
    cr_assert_eq(clerk->row_count, 36);
    cr_assert_eq(clerk->answer.rows, 36);
    const struct instrument *row = &clerk->rows[0];
    cr_assert_str_eq(row->name, "binance.inverse.BTCUSD_PERP");
    cr_assert_eq(row->kind, KIND_INVERSE_PERPETUAL);
    cr_assert_eq(row->status, INSTRUMENT_TRADING);
    cr_assert_eq(row->price_decimals, 1);
    cr_assert_eq(row->tick, 1);
    cr_assert_eq(row->qty_decimals, 0);
    cr_assert_eq(row->lot, 1);
    cr_assert_eq(row->max_qty, 1000000);
    cr_assert_eq(row->max_market_qty, 100000);
    cr_assert_eq(row->contract_e8, 100 * DECIMAL_E8);
    cr_assert_eq(row->min_notional_e8, 0);
    cr_assert_eq(row->band_up_ppm, 1150000);
    cr_assert_eq(row->band_down_ppm, 850000);
    cr_assert_eq(row->expiry_ns, 0);
    cr_assert_eq(row->funding_interval_s, 28800);
    cr_assert_str_eq(clerk->settle[0], "BTC");
    for (uint32_t i = 0; i < clerk->row_count; i++) {
        cr_assert_null(instrument_check(&clerk->rows[i]), "%s: %s", clerk->rows[i].symbol,
                       instrument_check(&clerk->rows[i]));
        bool dated = strstr(clerk->rows[i].symbol, "PERP") == NULL;
        cr_assert_eq(clerk->rows[i].kind, dated ? KIND_INVERSE_FUTURE : KIND_INVERSE_PERPETUAL);
        cr_assert_eq(clerk->rows[i].expiry_ns != 0, dated);
    }
}

Test(binance_rest, metadata_of_the_stable_coin_product)
{
    struct clerk *clerk = clerk_make(PRODUCT_LINEAR);
    cr_assert_eq(hear_file(clerk, REST_INSTRUMENTS, "binance/usdm_rest_exchangeInfo_2021.json"), REST_OK);
    cr_assert_eq(clerk->row_count, 11);
    const struct instrument *row = &clerk->rows[0];
    cr_assert_str_eq(row->symbol, "BTCUSDT");
    cr_assert_eq(row->kind, KIND_LINEAR_PERPETUAL);
    cr_assert_eq(row->min_notional_e8, 5 * DECIMAL_E8);
    cr_assert_eq(row->contract_e8, DECIMAL_E8);
    cr_assert_eq(row->min_qty, 1);
    cr_assert_eq(row->qty_decimals, 3);
    uint32_t coarse = 0;
    for (uint32_t i = 0; i < clerk->row_count; i++) {
        cr_assert_null(instrument_check(&clerk->rows[i]), "%s: %s", clerk->rows[i].symbol,
                       instrument_check(&clerk->rows[i]));
        coarse += clerk->rows[i].tick > 1;
    }
    cr_assert_eq(coarse, 3, "ticks coarser than the venue's precision: the unit is the finer of the two");
}

Test(binance_rest, metadata_of_spot)
{
    struct clerk *clerk = clerk_make(PRODUCT_SPOT);
    cr_assert_eq(hear_file(clerk, REST_INSTRUMENTS, "binance/spot_rest_exchangeInfo_2021.json"), REST_OK);
    cr_assert_eq(clerk->row_count, 10);
    const struct instrument *row = &clerk->rows[0];
    cr_assert_str_eq(row->symbol, "BNBBTC");
    cr_assert_eq(row->price_decimals, 8);
    cr_assert_eq(row->tick, 100);
    cr_assert_eq(row->lot, 100000);
    cr_assert_eq(row->min_notional_e8, 10000);
    cr_assert_str_eq(clerk->settle[0], "BTC");
    for (uint32_t i = 0; i < clerk->row_count; i++) {
        cr_assert_null(instrument_check(&clerk->rows[i]), "%s: %s", clerk->rows[i].symbol,
                       instrument_check(&clerk->rows[i]));
    }
    clerk->row_count = 0;
    cr_assert_eq(hear_file(clerk, REST_INSTRUMENTS, "binance/spot_rest_exchangeInfo_sample.json"), REST_OK);
    cr_assert_eq(clerk->rows[0].status, INSTRUMENT_UNKNOWN, "no filters: not to be traded");
}

Test(binance_rest, what_is_not_a_coin_is_left_out)
{
    struct clerk *clerk = clerk_make(PRODUCT_LINEAR);
    cr_assert_eq(hear(clerk, REST_INSTRUMENTS, 200,
                      "{\"symbols\":[{\"symbol\":\"TSLAUSDT\",\"contractType\":\"TRADIFI_PERPETUAL\","
                      "\"filters\":[]}]}"),
                 REST_OK);
    cr_assert_eq(clerk->row_count, 0);
    cr_assert_eq(clerk->answer.skipped, 1);
}

Test(binance_rest, account_modes_take_several_pages_and_unknown_is_not_no)
{
    struct clerk *clerk = clerk_make(PRODUCT_LINEAR);
    clerk->query.instrument = &clerk->desk->table.row[0];
    cr_assert(begins(ask(clerk, REST_ACCOUNT_MODE), "/fapi/v1/positionSide/dual?"));
    cr_assert_eq(hear(clerk, REST_ACCOUNT_MODE, 200, "{\"dualSidePosition\":true}"), REST_OK);
    cr_assert_eq(clerk->answer.mode_one_way, FACT_NO);
    cr_assert(clerk->answer.more);
    cr_assert_eq(clerk->answer.mode_cross, FACT_UNKNOWN);
    clerk->query.page = 1;
    cr_assert(begins(ask(clerk, REST_ACCOUNT_MODE), "/fapi/v1/multiAssetsMargin?"));
    cr_assert_eq(hear(clerk, REST_ACCOUNT_MODE, 200, "{\"multiAssetsMargin\":false}"), REST_OK);
    cr_assert_eq(clerk->answer.mode_single_asset, FACT_YES);
    clerk->query.page = 2;
    cr_assert(begins(ask(clerk, REST_ACCOUNT_MODE), "/fapi/v1/symbolConfig?symbol=BTCUSDT&"));
    cr_assert_eq(hear_file(clerk, REST_ACCOUNT_MODE, "binance/usdm_rest_symbolConfig.json"), REST_OK);
    cr_assert_eq(clerk->answer.mode_cross, FACT_NO, "BTCUSDT is isolated");
    cr_assert_eq(hear(clerk, REST_ACCOUNT_MODE, 200, "[]"), REST_OK);
    cr_assert_eq(clerk->answer.mode_cross, FACT_UNKNOWN, "an empty answer is not yes");
    clerk->query.page = 3;
    cr_assert(begins(ask(clerk, REST_ACCOUNT_MODE), "/fapi/v1/accountConfig?"));
    cr_assert_eq(hear(clerk, REST_ACCOUNT_MODE, 200, "{\"canTrade\":true}"), REST_OK);
    cr_assert_eq(clerk->answer.can_trade, FACT_YES);
    cr_assert_not(clerk->answer.more);
    cr_assert_eq(hear(clerk, REST_ACCOUNT_MODE, 200, "{}"), REST_BROKEN);
    clerk->query.page = 4;
    cr_assert_null(ask(clerk, REST_ACCOUNT_MODE));

    clerk = clerk_make(PRODUCT_INVERSE);
    clerk->query.page = 1;
    cr_assert(begins(ask(clerk, REST_ACCOUNT_MODE), "/dapi/v1/positionRisk?"));
    cr_assert_eq(hear_file(clerk, REST_ACCOUNT_MODE, "binance/coinm_rest_positionRisk.json"), REST_OK);
    cr_assert_eq(clerk->answer.mode_cross, FACT_YES);
    cr_assert_eq(clerk->answer.mode_single_asset, FACT_YES, "coin margin has no choice");
    cr_assert_eq(clerk->answer.mode_self_trade, FACT_YES, "every order says it");
    clerk = clerk_make(PRODUCT_SPOT);
    cr_assert_eq(hear_file(clerk, REST_ACCOUNT_MODE, "binance/spot_rest_account.json"), REST_OK);
    cr_assert_eq(clerk->answer.can_trade, FACT_YES);
    cr_assert_eq(clerk->answer.can_withdraw, FACT_UNKNOWN,
                 "the account may; whether the key may is another question");
}

Test(binance_rest, what_nobody_can_tell_is_unknown_and_never_empty)
{
    struct clerk *clerk = clerk_make(PRODUCT_LINEAR);
    cr_assert_eq(hear(clerk, REST_OPEN_ORDERS, 503, "Unknown error"), REST_UNKNOWN);
    cr_assert_eq(hear(clerk, REST_OPEN_ORDERS, 0, ""), REST_UNKNOWN);
    cr_assert_eq(hear(clerk, REST_OPEN_ORDERS, 400, "{\"code\":-1007,\"msg\":\"Timeout\"}"), REST_UNKNOWN);
    cr_assert_eq(hear(clerk, REST_OPEN_ORDERS, 401, "{\"code\":-2015,\"msg\":\"Invalid API-key\"}"),
                 REST_REFUSED);
    cr_assert_eq(clerk->answer.code, -2015);
    cr_assert_str_eq(clerk->answer.text, "Invalid API-key");
    cr_assert_eq(hear(clerk, REST_OPEN_ORDERS, 200, "[{\"symbol\":\"BTCUSDT\",\"orderId\":1,"), REST_BROKEN);
    cr_assert_eq(hear(clerk, REST_OPEN_ORDERS, 200, "{}"), REST_BROKEN);
    cr_assert_eq(hear(clerk, REST_OPEN_ORDERS, 200, "[{\"asset\":\"USDT\",\"balance\":\"1\"}]"), REST_BROKEN,
                 "not what was asked for");
    cr_assert_eq(clerk->desk->record_count, 0);
    cr_assert_eq(hear(clerk, REST_OPEN_ORDERS, 200, "[]"), REST_OK);
    cr_assert_eq(clerk->answer.rows, 0);
    cr_assert_eq(hear(clerk, REST_POSITIONS, 200,
                      "[{\"symbol\":\"BTCUSDT\",\"positionAmt\":\"0.5\"},{\"symbol\":\"BTCUSDT\","
                      "\"positionAmt\":\"x\"}]"),
                 REST_BROKEN);
    cr_assert_eq(clerk->desk->record_count, 0, "half an answer is none");
}

Test(binance_rest, what_comes_too_often_is_to_be_asked_later)
{
    struct clerk *clerk = clerk_make(PRODUCT_LINEAR);
    cr_assert_eq(hear(clerk, REST_OPEN_ORDERS, 429, "{\"code\":-1003,\"msg\":\"Too many requests\"}"),
                 REST_LATER);
    cr_assert_eq(clerk->answer.retry_at_ns, 0, "how long is in the header");
    cr_assert_eq(
        hear(clerk, REST_POSITIONS, 418,
             "{\"code\":-1003,\"msg\":\"Way too much request weight used; IP banned until 1786522966946. "
             "Please use WebSocket Streams for live updates to avoid bans.\"}"),
        REST_LATER);
    cr_assert_eq(clerk->answer.retry_at_ns, 1786522966946000000);
    cr_assert_eq(hear(clerk, REST_TIME, 418, ""), REST_LATER);
    cr_assert_eq(clerk->answer.retry_at_ns, 0);
    cr_assert_eq(
        hear(clerk, REST_TIME, 418, "{\"code\":-1003,\"msg\":\"banned until 99999999999999999999999999\"}"),
        REST_LATER);
    cr_assert_eq(clerk->answer.retry_at_ns, 0, "no time");
    cr_assert_eq(hear(clerk, REST_TIME, 429, "{\"code\":-1003,\"msg\":\"banned until \"}"), REST_LATER);
    cr_assert_eq(clerk->answer.retry_at_ns, 0);
    cr_assert_eq(hear(clerk, REST_BALANCES, 503, "{\"code\":-1008,\"msg\":\"overloaded\"}"), REST_LATER);
    cr_assert_eq(hear(clerk, REST_BALANCES, 400, "{\"code\":-1021,\"msg\":\"outside of the recvWindow\"}"),
                 REST_REFUSED);
}

Test(binance_rest, an_order_that_the_venue_does_not_know)
{
    struct clerk *clerk = clerk_make(PRODUCT_LINEAR);
    clerk->query.instrument = &clerk->desk->table.row[0];
    clerk->query.order = order_id_make(1, 2, 3, 4);
    char text[ORDER_ID_TEXT_BYTES + 1] = { 0 };
    order_id_print(text, clerk->query.order);
    cr_assert_not_null(strstr(ask(clerk, REST_ORDER), text));
    uint64_t ours = clerk->query.order;
    clerk->query.order = 0;
    strcpy(clerk->query.venue_order, "8886774");
    cr_assert_not_null(strstr(ask(clerk, REST_ORDER), "&orderId=8886774&"));
    clerk->query.order = ours;
    clerk->query.venue_order[0] = 0;
    cr_assert_eq(hear(clerk, REST_ORDER, 400, "{\"code\":-2013,\"msg\":\"Order does not exist.\"}"), REST_OK);
    cr_assert_eq(desk_report(clerk->desk, 0)->head.type, RECORD_ORDER_STATE);
    cr_assert_eq(desk_report(clerk->desk, 0)->status, ORDER_STATUS_NOT_FOUND);
    cr_assert_eq(desk_report(clerk->desk, 0)->order, clerk->query.order);
}

Test(binance_rest, open_orders_positions_balances_fees_and_marks_become_records)
{
    struct clerk *clerk = clerk_make(PRODUCT_LINEAR);
    char body[512];
    snprintf(body, sizeof body,
             "[{\"symbol\":\"BTCUSDT\",\"orderId\":5,\"clientOrderId\":\"p000000000001v\",\"price\":\"60000."
             "5\",\"origQty\":\"0.010\","
             "\"executedQty\":\"0.004\",\"status\":\"PARTIALLY_FILLED\",\"side\":\"SELL\",\"type\":\"LIMIT\","
             "\"time\":1,\"updateTime\":1625474304765},"
             "{\"symbol\":\"ELSEWHERE\",\"orderId\":6,\"clientOrderId\":\"x\",\"status\":\"NEW\"}]");
    cr_assert_eq(hear(clerk, REST_OPEN_ORDERS, 200, body), REST_OK);
    cr_assert_eq(clerk->desk->record_count, 1);
    cr_assert_eq(clerk->answer.skipped, 1,
                 "an order of an instrument that is not in the table is not nothing");
    const struct record_report *order = desk_report(clerk->desk, 0);
    cr_assert_eq(order->head.type, RECORD_ORDER_STATE);
    cr_assert_eq(order->head.account, 3);
    cr_assert_eq(order->order, 63);
    cr_assert_eq(order->status, ORDER_STATUS_PARTIAL);
    cr_assert_eq(order->cum_qty, 4);
    cr_assert_eq(order->order_price, 6000050);
    cr_assert_eq(order->side, SIDE_SELL);
    cr_assert_eq(order->flags, REPORT_HAS_CUM);

    cr_assert_eq(hear_file(clerk, REST_POSITIONS, "binance/usdm_rest_positionRisk.json"), REST_OK);
    const struct record_position *position = (const struct record_position *)clerk->desk->records[0];
    cr_assert_eq(position->qty, 1);
    cr_assert_eq(position->entry_e8, 50000 * DECIMAL_E8);
    cr_assert_eq(position->unrealised_e8, DECIMAL_E8);
    cr_assert_eq(position->liquidation_e8, 45000 * DECIMAL_E8);
    cr_assert_eq(position->head.flags, RECORD_FLAG_REST | RECORD_FLAG_SNAP);

    cr_assert_eq(hear_file(clerk, REST_BALANCES, "binance/usdm_rest_balance.json"), REST_OK);
    const struct record_balance *balance = (const struct record_balance *)clerk->desk->records[0];
    cr_assert_eq(balance->total_e8, 12212345678);
    cr_assert_eq(balance->available_e8, 12212345678);
    cr_assert_eq(balance->currency, 0);

    cr_assert_eq(hear_file(clerk, REST_FEES, "binance/usdm_rest_commissionRate.json"), REST_OK);
    const struct record_fee *fee = (const struct record_fee *)clerk->desk->records[0];
    cr_assert_eq(fee->maker_centibp, 200);
    cr_assert_eq(fee->taker_centibp, 500);

    cr_assert_eq(hear_file(clerk, REST_MARK, "binance/usdm_rest_premiumIndex.json"), REST_OK);
    const struct record_mark *mark = (const struct record_mark *)clerk->desk->records[0];
    cr_assert_eq(mark->mark, 1179363);
    cr_assert_eq(mark->funding_rate_e12, 382460000);
    cr_assert_eq(mark->next_funding_ns, 1597392000000000000LL);

    cr_assert_eq(
        hear(clerk, REST_PAYMENTS, 200,
             "[{\"symbol\":\"BTCUSDT\",\"incomeType\":\"FUNDING_FEE\",\"income\":\"-0.37500000\",\"asset\":"
             "\"USDT\","
             "\"info\":\"FUNDING_FEE\",\"time\":1570608000000,\"tranId\":9689322392,\"tradeId\":\"\"},"
             "{\"symbol\":\"BTCUSDT\",\"incomeType\":\"COMMISSION\",\"income\":\"-0.1\",\"asset\":\"USDT\","
             "\"info\":\"COMMISSION\",\"time\":1570608000000,\"tranId\":9689322393,\"tradeId\":\"7\"},"
             "{\"symbol\":\"BTCUSDT\",\"incomeType\":\"REALIZED_PNL\",\"income\":\"3\",\"asset\":\"USDT\","
             "\"info\":\"REALIZED_PNL\",\"time\":1570608000000,\"tranId\":9689322394,\"tradeId\":\"7\"},"
             "{\"symbol\":\"\",\"incomeType\":\"TRANSFER\",\"income\":\"12.5\",\"asset\":\"USDT\","
             "\"info\":\"TRANSFER\",\"time\":1570608000001,\"tranId\":9689322392,\"tradeId\":\"\"}]"),
        REST_OK);
    cr_assert_eq(clerk->desk->record_count, 2, "what executions moved is told by them");
    balance = (const struct record_balance *)clerk->desk->records[0];
    cr_assert_eq(balance->reason, CASH_FUNDING);
    cr_assert_eq(balance->change_e8, -37500000);
    cr_assert_eq(balance->total_e8, INT64_MIN, "only the change is told");
    cr_assert_eq(balance->head.instrument, 0);
    cr_assert_eq(balance->told, CASH_TOLD_ROW);
    cr_assert_eq(balance->row, record_row_id("9689322392", 10));
    balance = (const struct record_balance *)clerk->desk->records[1];
    cr_assert_eq(balance->reason, CASH_TRANSFER);
    cr_assert_eq(balance->change_e8, 1250000000);
    cr_assert_eq(balance->head.instrument, NO_INSTRUMENT);
    cr_assert_eq(balance->row, record_row_id("9689322392", 10), "unique within its type");
}

Test(binance_rest, an_execution_at_the_end_of_a_contract_is_its_delivery)
{
    struct clerk *clerk = clerk_make(PRODUCT_LINEAR);
    struct instrument *row = &clerk->desk->table.row[0];
    row->kind = KIND_LINEAR_FUTURE;
    row->expiry_ns = 1758787200000 * 1000000LL;
    clerk->query.instrument = row;
    cr_assert_eq(
        hear(
            clerk, REST_FILLS, 200,
            "[{\"symbol\":\"BTCUSDT\",\"id\":7,\"orderId\":1,\"side\":\"SELL\",\"price\":\"60000.1\","
            "\"qty\":\"0.010\",\"realizedPnl\":\"1\",\"quoteQty\":\"600\",\"commission\":\"0.24\","
            "\"commissionAsset\":\"USDT\",\"time\":1758787199999,\"positionSide\":\"BOTH\",\"buyer\":false,"
            "\"maker\":false},"
            "{\"symbol\":\"BTCUSDT\",\"id\":8,\"orderId\":2,\"side\":\"SELL\",\"price\":\"60123.45678901\","
            "\"qty\":\"0.010\",\"realizedPnl\":\"1\",\"quoteQty\":\"601.2345678901\",\"commission\":\"0.12\","
            "\"commissionAsset\":\"USDT\",\"time\":1758787200000,\"positionSide\":\"BOTH\",\"buyer\":false,"
            "\"maker\":false}]"),
        REST_OK);
    cr_assert_eq(clerk->desk->record_count, 3);
    cr_assert_eq(record_head_of(clerk->desk->records[0])->type, RECORD_FILL);
    const struct record_delivery *delivery = (const struct record_delivery *)clerk->desk->records[1];
    cr_assert_eq(delivery->head.type, RECORD_DELIVERY);
    cr_assert_eq(delivery->price_e8, 6012345678901, "an average of the index, finer than a tick");
    const struct record_balance *fee = (const struct record_balance *)clerk->desk->records[2];
    cr_assert_eq(fee->reason, CASH_FEE);
    cr_assert_eq(fee->change_e8, -12000000);
    cr_assert_eq(fee->told, CASH_TOLD_ROW);
}

Test(binance_rest, spot_fees_add_up)
{
    struct clerk *clerk = clerk_make(PRODUCT_SPOT);
    cr_assert_eq(hear(clerk, REST_FEES, 200,
                      "{\"symbol\":\"BTCUSDT\",\"standardCommission\":{\"maker\":\"0.00000010\",\"taker\":"
                      "\"0.00100000\",\"buyer\":\"0.0\","
                      "\"seller\":\"0.0\"},\"specialCommission\":{\"maker\":\"0.0001\",\"taker\":\"0.0\","
                      "\"buyer\":\"0.0002\",\"seller\":\"0.0\"},\"taxCommission\":{\"maker\":\"0.0\","
                      "\"taker\":\"0.0\",\"buyer\":\"0.0\",\"seller\":\"0.0\"},\"discount\":{"
                      "\"enabledForAccount\":true,\"discountAsset\":\"BNB\",\"discount\":\"0.75\"}}"),
                 REST_OK);
    const struct record_fee *fee = (const struct record_fee *)clerk->desk->records[0];
    cr_assert_eq(fee->maker_centibp, 1 + 100 + 200, "rounded against us");
    cr_assert_eq(fee->taker_centibp, 1000 + 200);
}

Test(binance_rest, cancel_all_of_spot_finds_orders_inside_lists_and_nothing_is_done)
{
    struct clerk *clerk = clerk_make(PRODUCT_SPOT);
    table_one(&clerk->desk->table, PRODUCT_SPOT, "BTCUSDT", 8, 8);
    cr_assert_eq(hear_file(clerk, REST_CANCEL_ALL, "binance/spot_rest_cancel_open_orders.json"), REST_OK);
    cr_assert_eq(clerk->desk->record_count, 4);
    cr_assert_eq(desk_report(clerk->desk, 3)->head.type, RECORD_CANCELLED);
    cr_assert_str_eq(desk_report(clerk->desk, 3)->venue_order_id, "21");
    cr_assert_eq(hear(clerk, REST_CANCEL_ALL, 400, "{\"code\":-2011,\"msg\":\"Unknown order sent.\"}"),
                 REST_OK);
}

Test(binance_rest, the_key_itself_tells_what_it_may)
{
    struct clerk *clerk = clerk_make(PRODUCT_SPOT);
    cr_assert(begins(ask(clerk, REST_KEY_RIGHTS), "/sapi/v1/account/apiRestrictions?timestamp="));
    cr_assert_eq(hear(clerk, REST_KEY_RIGHTS, 200,
                      "{\"ipRestrict\":false,\"enableReading\":true,\"enableWithdrawals\":true,"
                      "\"enableSpotAndMarginTrading\":false}"),
                 REST_OK);
    cr_assert_eq(clerk->answer.can_withdraw, FACT_YES);
    cr_assert_eq(clerk->answer.can_trade, FACT_NO);
}
