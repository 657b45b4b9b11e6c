/* poise decode over several lines, and over messages that no fixture is like. */
#include "tests/tools/poise/lines.h"
#include "tools/poise/commands.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static char out[LINES_BYTES];

static void has(size_t line, const char *text)
{
    cr_assert_not_null(strstr(lines_at(out, line), text), "%s is not in\n%s", text, lines_at(out, line));
}

static void has_not(size_t line, const char *text)
{
    cr_assert_null(strstr(lines_at(out, line), text), "%s is in\n%s", text, lines_at(out, line));
}

/* The order's name stood in a line that is gone by then. */
Test(decode, an_error_that_names_no_order_has_none_of_the_line_before)
{
    static const char order[] =
        "{\"e\":\"ORDER_TRADE_UPDATE\",\"T\":1568879465651,\"E\":1568879465651,\"o\":{\"s\":\"BTCUSDT\","
        "\"c\":\"poise-0001\",\"S\":\"SELL\",\"o\":\"LIMIT\",\"f\":\"GTC\",\"q\":\"0.014\",\"p\":\"9910.00\","
        "\"x\":\"NEW\",\"X\":\"NEW\",\"i\":8887004,\"l\":\"0\",\"z\":\"0\",\"T\":1568879465651,\"t\":0}}\n";
    static const char error[] =
        "{\"id\":\"r\",\"status\":400,\"error\":{\"code\":-2019,\"msg\":\"Margin is insufficient.\"}}\n";
    char input[2048];
    snprintf(input, sizeof input, "%s%s{\"code\":-2019,\"msg\":\"Margin is insufficient.\"}\n", order, error);
    cr_assert_eq(lines_of(decode_main, "decode binance --kind linear --private", input, out), EXIT_DONE);
    has(1, "\"client_id\":\"poise-0001\"");
    has(2, "\"type\":\"reject\"");
    has_not(2, "client_id");
    has_not(2, "\"side\"");
    has_not(3, "client_id");
}

Test(decode, an_error_at_deribit_has_none_of_the_line_before)
{
    static const char input[] =
        "{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{\"order\":{\"label\":\"poise-0001\",\"price\":3286.7,"
        "\"amount\":0.001,\"direction\":\"sell\",\"time_in_force\":\"good_til_cancelled\","
        "\"instrument_name\":\"ETH_USDC-PERPETUAL\",\"order_id\":\"USDC-1\",\"creation_timestamp\":1,"
        "\"filled_amount\":0.0,\"last_update_timestamp\":1767978363496,\"order_state\":\"open\","
        "\"order_type\":\"limit\"},\"trades\":[]}}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":9,\"error\":{\"message\":\"Invalid params\",\"data\":{\"reason\":\"x\"},"
        "\"code\":-32602}}\n";
    cr_assert_eq(lines_of(decode_main, "decode deribit", input, out), EXIT_DONE);
    has(1, "\"client_id\":\"poise-0001\"");
    has(2, "\"code\":-32602");
    has_not(2, "client_id");
    has_not(2, "\"side\"");
}

Test(decode, one_order_of_a_batch_does_not_name_the_refusal_behind_it)
{
    static const char input[] =
        "[{\"symbol\":\"BTCUSDT\",\"orderId\":7,\"clientOrderId\":\"first\",\"price\":\"9\",\"origQty\":"
        "\"1\","
        "\"executedQty\":\"0\",\"status\":\"NEW\",\"timeInForce\":\"GTC\",\"type\":\"LIMIT\",\"side\":"
        "\"BUY\","
        "\"updateTime\":1568879465651},{\"code\":-2019,\"msg\":\"Margin is insufficient.\"}]\n";
    cr_assert_eq(lines_of(decode_main, "decode binance --kind linear", input, out), EXIT_DONE);
    has(1, "\"client_id\":\"first\"");
    has(2, "\"reason\":\"balance\"");
    has(2, "\"index\":1");
    has_not(2, "client_id");
}

Test(decode, what_is_no_sessions_is_understood_beside_a_user_stream)
{
    static const char input[] = "{\"code\":200,\"msg\":\"The operation of cancel all open order is done.\"}\n"
                                "{\"code\":2,\"msg\":\"Invalid request: unknown variant\",\"id\":\"x\"}\n"
                                "{\"error\":{\"code\":2,\"msg\":\"Invalid request\"},\"id\":3}\n"
                                "{\"result\":null,\"id\":1}\n"
                                "[{\"symbol\":\"LTCBTC\",\"orderId\":1,\"clientOrderId\":\"mine\",\"price\":"
                                "\"0.1\",\"origQty\":\"1.0\","
                                "\"executedQty\":\"0.0\",\"status\":\"NEW\",\"timeInForce\":\"GTC\",\"type\":"
                                "\"LIMIT\",\"side\":\"BUY\","
                                "\"time\":1499827319559,\"updateTime\":1499827319559}]\n";
    cr_assert_eq(lines_of(decode_main, "decode binance --kind spot --private", input, out), EXIT_DONE);
    has(1, "\"type\":\"control\",\"what\":\"ok\"");
    has(2, "\"type\":\"control\",\"what\":\"error\"");
    has(3, "\"type\":\"control\",\"what\":\"error\"");
    has(4, "\"type\":\"control\",\"what\":\"subscribed\"");
    has(5, "\"type\":\"order\"");
    has(5, "\"client_id\":\"mine\"");
}

Test(decode, guessed_units_are_as_fine_as_the_numbers)
{
    static const char input[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":\"book.BTC-PERPETUAL."
        "100ms\","
        "\"data\":{\"type\":\"snapshot\",\"instrument_name\":\"BTC-PERPETUAL\",\"timestamp\":1699999999000,"
        "\"change_id\":123456789,\"prev_change_id\":null,"
        "\"bids\":[[\"new\",100000000.123456789,100000000.123456789]],"
        "\"asks\":[[\"new\",1000000000000.5,1e-9]]}}}\n"
        "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":\"book.BTC-PERPETUAL."
        "100ms\","
        "\"data\":{\"type\":\"snapshot\",\"instrument_name\":\"BTC-PERPETUAL\",\"timestamp\":1699999999000,"
        "\"change_id\":123456790,\"bids\":[[\"new\",100000000.123456789,100000000.123456789]],"
        "\"asks\":[[\"new\",100000000.2,3]]}}}\n"
        "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":\"book.BTC-PERPETUAL."
        "100ms\","
        "\"data\":{\"type\":\"snapshot\",\"instrument_name\":\"BTC-PERPETUAL\",\"timestamp\":1699999999000,"
        "\"change_id\":123456791,\"bids\":[[\"new\",63000.5,123456789012345]],"
        "\"asks\":[[\"new\",63001,3]]}}}\n";
    cr_assert_eq(lines_of(decode_main, "decode deribit", input, out), EXIT_DONE);
    has(1, "\"type\":\"broken\""); /* no unit holds both */
    has(2, "\"bids\":[[\"100000000.123456789\",\"100000000.123456789\"]],\"asks\":[[\"100000000.2\",\"3\"]]");
    has(3, "\"bids\":[[\"63000.5\",\"123456789012345\"]]");
}

Test(decode, a_fee_is_exact_however_small)
{
    static const char input[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":\"user.trades.any.any."
        "raw\","
        "\"data\":[{\"trade_seq\":3,\"trade_id\":\"ETH-2696060\",\"timestamp\":1590480363130,\"state\":"
        "\"filled\","
        "\"price\":203.3,\"order_type\":\"limit\",\"order_id\":\"ETH-58\",\"liquidity\":\"T\",\"label\":\"\","
        "\"instrument_name\":\"ETH-PERPETUAL\",\"fee_currency\":\"ETH\",\"fee\":1.4757e-05,"
        "\"direction\":\"sell\",\"amount\":6.0}]}}\n";
    cr_assert_eq(lines_of(decode_main, "decode deribit", input, out), EXIT_DONE);
    has(1, "\"fee\":\"0.000014757\"");
}

/* What traded last is nothing, so it need not be there; where something did, it must. */
Test(decode, a_report_without_a_trade_needs_no_last_quantity)
{
    static const char form[] =
        "{\"e\":\"executionReport\",\"E\":1786522906999,\"s\":\"BTCUSDT\",\"c\":\"mine\",\"S\":\"SELL\","
        "\"o\":\"LIMIT\",\"f\":\"FOK\",\"q\":\"1\",\"p\":\"61000\",\"C\":\"\",\"x\":\"%s\",\"X\":\"%s\","
        "\"i\":9,"
        "\"z\":\"0\",\"T\":1786522906998,\"t\":-1}\n";
    char input[1024];
    size_t n = (size_t)snprintf(input, sizeof input, form, "EXPIRED", "EXPIRED");
    snprintf(input + n, sizeof input - n, form, "TRADE", "FILLED");
    cr_assert_eq(lines_of(decode_main, "decode binance --kind spot --private", input, out), EXIT_DONE);
    has(1, "\"type\":\"expired\"");
    has(2, "\"type\":\"broken\"");
}

Test(decode, a_currency_may_have_a_name_that_no_table_holds)
{
    static const char input[] =
        "{\"e\":\"outboundAccountPosition\",\"E\":1564034571105,\"u\":1564034571073,\"B\":[{\"a\":\"ETH\","
        "\"f\":\"10000.000000\",\"l\":\"0.000000\"},{\"a\":"
        "\"\xe5\xb8\x81\xe5\xae\x89\xe4\xba\xba\xe7\x94\x9f\","
        "\"f\":\"12.5\",\"l\":\"0.5\"}]}\n";
    cr_assert_eq(lines_of(decode_main, "decode binance --kind spot --private", input, out), EXIT_DONE);
    has(2, "\"currency\":\"\xe5\xb8\x81\xe5\xae\x89\xe4\xba\xba\xe7\x94\x9f\",\"total\":\"13\"");
}

/* Every digit written as an escape: each filter has more of them than the scanner keeps at a time. */
Test(decode, metadata_written_with_escapes_is_the_same_metadata)
{
    static const char plain[] =
        "{\"symbols\":[{\"symbol\":\"BTCUSDT\",\"contractType\":\"PERPETUAL\",\"status\":\"TRADING\","
        "\"baseAsset\":\"BTC\",\"quoteAsset\":\"USDT\",\"marginAsset\":\"USDT\",\"pricePrecision\":2,"
        "\"quantityPrecision\":3,\"filters\":[{\"filterType\":\"PRICE_FILTER\",\"minPrice\":\"556.80\","
        "\"maxPrice\":\"4529764\",\"tickSize\":\"0.10\"},{\"filterType\":\"LOT_SIZE\",\"minQty\":\"0.002\","
        "\"maxQty\":\"1000\",\"stepSize\":\"0.001\"},{\"filterType\":\"MARKET_LOT_SIZE\",\"maxQty\":\"120\"},"
        "{\"filterType\":\"MIN_NOTIONAL\",\"notional\":\"100\"},{\"filterType\":\"PERCENT_PRICE\","
        "\"multiplierDown\":\"0.9500\",\"multiplierUp\":\"1.0500\"}]}]}\n";
    char input[4 * sizeof plain] = "", first[LINES_BYTES];
    size_t n = 0, quotes = 0;
    for (const char *at = plain; *at != '\0'; at++) {
        quotes += *at == '"';
        if (*at >= '0' && *at <= '9' && quotes % 2 == 1) {
            n += (size_t)snprintf(input + n, sizeof input - n, "\\u00%02x", (unsigned)*at);
        } else {
            input[n++] = *at;
        }
    }
    lines_of(decode_main, "decode binance --kind linear", plain, first);
    cr_assert_not_null(strstr(first, "\"tick\":\"0.1\",\"lot\":\"0.001\",\"min_qty\":\"0.002\""));
    lines_of(decode_main, "decode binance --kind linear", input, out);
    cr_assert_str_eq(out, first);
}
