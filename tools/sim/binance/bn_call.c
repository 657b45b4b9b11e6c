#include "tools/sim/binance/bn_state.h"

#include "tools/sim/model/sim_decimal.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define S (1u << SIM_SPOT)
#define L (1u << SIM_LINEAR)
#define I (1u << SIM_INVERSE)
#define F (L | I)

/* Everything the venue is known to answer here.  One row is one REST path, one WebSocket API method, or both.
 */
/* clang-format off */
static const struct bn_method methods[] = {
    { BN_PING,             F, "GET",    "v1/ping",                 NULL,                  BN_OPEN,   1,  "read" },
    { BN_PING,             S, "GET",    "v3/ping",                 "ping",                BN_OPEN,   1,  "read" },
    { BN_TIME,             F, "GET",    "v1/time",                 "time",                BN_OPEN,   1,  "read" },
    { BN_TIME,             S, "GET",    "v3/time",                 "time",                BN_OPEN,   1,  "read" },
    { BN_EXCHANGE_INFO,    F, "GET",    "v1/exchangeInfo",         NULL,                  BN_OPEN,   1,  "read" },
    { BN_EXCHANGE_INFO,    S, "GET",    "v3/exchangeInfo",         "exchangeInfo",        BN_OPEN,   20, "read" },
    { BN_DEPTH,            F, "GET",    "v1/depth",                "depth",               BN_OPEN,   5,  "read" },
    { BN_DEPTH,            S, "GET",    "v3/depth",                "depth",               BN_OPEN,   5,  "read" },
    { BN_TRADES,           F, "GET",    "v1/trades",               NULL,                  BN_OPEN,   5,  "read" },
    { BN_TRADES,           S, "GET",    "v3/trades",               "trades.recent",       BN_OPEN,   25, "read" },
    { BN_OLD_TRADES,       F, "GET",    "v1/historicalTrades",     NULL,                  BN_KEYED,  20, "read" },
    { BN_OLD_TRADES,       S, "GET",    "v3/historicalTrades",     "trades.historical",   BN_OPEN,   25, "read" },
    { BN_KLINES,           F, "GET",    "v1/klines",               NULL,                  BN_OPEN,   5,  "read" },
    { BN_KLINES,           F, "GET",    "v1/continuousKlines",     NULL,                  BN_OPEN,   5,  "read" },
    { BN_KLINES,           S, "GET",    "v3/klines",               "klines",              BN_OPEN,   2,  "read" },
    { BN_KLINES,           S, "GET",    "v3/uiKlines",             "uiKlines",            BN_OPEN,   2,  "read" },
    { BN_AVERAGE_PRICE,    S, "GET",    "v3/avgPrice",             "avgPrice",            BN_OPEN,   2,  "read" },
    { BN_TICKER_PRICE,     F, "GET",    "v1/ticker/price",         "ticker.price",        BN_OPEN,   2,  "read" },
    { BN_TICKER_PRICE,     L, "GET",    "v2/ticker/price",         NULL,                  BN_OPEN,   2,  "read" },
    { BN_TICKER_PRICE,     S, "GET",    "v3/ticker/price",         "ticker.price",        BN_OPEN,   2,  "read" },
    { BN_TICKER_BOOK,      F, "GET",    "v1/ticker/bookTicker",    "ticker.book",         BN_OPEN,   2,  "read" },
    { BN_TICKER_BOOK,      S, "GET",    "v3/ticker/bookTicker",    "ticker.book",         BN_OPEN,   2,  "read" },
    { BN_AGG_TRADES,       F, "GET",    "v1/aggTrades",            NULL,                  BN_OPEN,   20, "read" },
    { BN_AGG_TRADES,       S, "GET",    "v3/aggTrades",            "trades.aggregate",    BN_OPEN,   4,  "read" },
    { BN_TICKER_DAY,       F, "GET",    "v1/ticker/24hr",          NULL,                  BN_OPEN,   1,  "read" },
    { BN_TICKER_DAY,       S, "GET",    "v3/ticker/24hr",          "ticker.24hr",         BN_OPEN,   2,  "read" },
    { BN_TICKER_WINDOW,    S, "GET",    "v3/ticker",               "ticker",              BN_OPEN,   4,  "read" },
    { BN_TICKER_WINDOW,    S, "GET",    "v3/ticker/tradingDay",    "ticker.tradingDay",   BN_OPEN,   4,  "read" },
    { BN_OPEN_INTEREST,    F, "GET",    "v1/openInterest",         NULL,                  BN_OPEN,   1,  "read" },
    { BN_PREMIUM_INDEX,    F, "GET",    "v1/premiumIndex",         NULL,                  BN_OPEN,   1,  "read" },
    { BN_FUNDING_INFO,     F, "GET",    "v1/fundingInfo",          NULL,                  BN_OPEN,   0,  "read" },
    { BN_FUNDING_RATE,     F, "GET",    "v1/fundingRate",          NULL,                  BN_OPEN,   0,  "read" },
    { BN_PLACE,            F, "POST",   "v1/order",                "order.place",         BN_SIGNED, 0,  "place" },
    { BN_PLACE_TEST,       F, "POST",   "v1/order/test",           NULL,                  BN_SIGNED, 1,  "read" },
    { BN_MODIFY,           F, "PUT",    "v1/order",                "order.modify",        BN_SIGNED, 1,  "modify" },
    { BN_CANCEL,           F, "DELETE", "v1/order",                "order.cancel",        BN_SIGNED, 1,  "cancel" },
    { BN_QUERY,            F, "GET",    "v1/order",                "order.status",        BN_SIGNED, 1,  "query" },
    { BN_BATCH_PLACE,      F, "POST",   "v1/batchOrders",          NULL,                  BN_SIGNED, 5,  "place" },
    { BN_BATCH_MODIFY,     F, "PUT",    "v1/batchOrders",          NULL,                  BN_SIGNED, 5,  "modify" },
    { BN_BATCH_CANCEL,     F, "DELETE", "v1/batchOrders",          NULL,                  BN_SIGNED, 1,  "cancel" },
    { BN_CANCEL_ALL,       F, "DELETE", "v1/allOpenOrders",        NULL,                  BN_SIGNED, 1,  "cancelall" },
    { BN_OPEN_ORDERS,      F, "GET",    "v1/openOrders",           NULL,                  BN_SIGNED, 1,  "query" },
    { BN_OPEN_ORDER,       F, "GET",    "v1/openOrder",            NULL,                  BN_SIGNED, 1,  "query" },
    { BN_ALL_ORDERS,       F, "GET",    "v1/allOrders",            NULL,                  BN_SIGNED, 5,  "query" },
    { BN_USER_TRADES,      F, "GET",    "v1/userTrades",           NULL,                  BN_SIGNED, 5,  "account" },
    { BN_POSITION_RISK,    F, "GET",    "v1/positionRisk",         "account.position",    BN_SIGNED, 5,  "account" },
    { BN_POSITION_RISK,    L, "GET",    "v2/positionRisk",         "account.position",    BN_SIGNED, 5,  "account" },
    { BN_POSITION_RISK,    L, "GET",    "v3/positionRisk",         "v2/account.position", BN_SIGNED, 5,  "account" },
    { BN_ACCOUNT,          F, "GET",    "v1/account",              "account.status",      BN_SIGNED, 5,  "account" },
    { BN_ACCOUNT,          L, "GET",    "v2/account",              "account.status",      BN_SIGNED, 5,  "account" },
    { BN_ACCOUNT,          L, "GET",    "v3/account",              "v2/account.status",   BN_SIGNED, 5,  "account" },
    { BN_BALANCE,          F, "GET",    "v1/balance",              "account.balance",     BN_SIGNED, 5,  "account" },
    { BN_BALANCE,          L, "GET",    "v2/balance",              "account.balance",     BN_SIGNED, 5,  "account" },
    { BN_BALANCE,          L, "GET",    "v3/balance",              "v2/account.balance",  BN_SIGNED, 5,  "account" },
    { BN_LISTEN_START,     F, "POST",   "v1/listenKey",            "userDataStream.start", BN_KEYED, 1,  "listen" },
    { BN_LISTEN_PING,      F, "PUT",    "v1/listenKey",            "userDataStream.ping", BN_KEYED,  1,  "listen" },
    { BN_LISTEN_STOP,      F, "DELETE", "v1/listenKey",            "userDataStream.stop", BN_KEYED,  1,  "listen" },
    { BN_DUAL_GET,         F, "GET",    "v1/positionSide/dual",    NULL,                  BN_SIGNED, 30, "account" },
    { BN_DUAL_SET,         F, "POST",   "v1/positionSide/dual",    NULL,                  BN_SIGNED, 1,  "account" },
    { BN_MULTI_GET,        L, "GET",    "v1/multiAssetsMargin",    NULL,                  BN_SIGNED, 30, "account" },
    { BN_MULTI_SET,        L, "POST",   "v1/multiAssetsMargin",    NULL,                  BN_SIGNED, 1,  "account" },
    { BN_SYMBOL_CONFIG,    F, "GET",    "v1/symbolConfig",         NULL,                  BN_SIGNED, 5,  "account" },
    { BN_ACCOUNT_CONFIG,   F, "GET",    "v1/accountConfig",        NULL,                  BN_SIGNED, 5,  "account" },
    { BN_LEVERAGE_BRACKET, F, "GET",    "v1/leverageBracket",      NULL,                  BN_SIGNED, 1,  "account" },
    { BN_LEVERAGE_BRACKET, I, "GET",    "v2/leverageBracket",      NULL,                  BN_SIGNED, 1,  "account" },
    { BN_COMMISSION_RATE,  F, "GET",    "v1/commissionRate",       NULL,                  BN_SIGNED, 20, "account" },
    { BN_LEVERAGE_SET,     F, "POST",   "v1/leverage",             NULL,                  BN_SIGNED, 1,  "account" },
    { BN_MARGIN_TYPE_SET,  F, "POST",   "v1/marginType",           NULL,                  BN_SIGNED, 1,  "account" },
    { BN_COUNTDOWN,        F, "POST",   "v1/countdownCancelAll",   NULL,                  BN_SIGNED, 10, "account" },
    { BN_INCOME,           F, "GET",    "v1/income",               NULL,                  BN_SIGNED, 30, "account" },
    { BN_RATE_LIMIT_ORDER, F, "GET",    "v1/rateLimit/order",      NULL,                  BN_SIGNED, 1,  "account" },
    { BN_PLACE,            S, "POST",   "v3/order",                "order.place",         BN_SIGNED, 1,  "place" },
    { BN_PLACE_TEST,       S, "POST",   "v3/order/test",           "order.test",          BN_SIGNED, 1,  "read" },
    { BN_CANCEL,           S, "DELETE", "v3/order",                "order.cancel",        BN_SIGNED, 1,  "cancel" },
    { BN_QUERY,            S, "GET",    "v3/order",                "order.status",        BN_SIGNED, 4,  "query" },
    { BN_CANCEL_REPLACE,   S, "POST",   "v3/order/cancelReplace",  "order.cancelReplace", BN_SIGNED, 1,  "modify" },
    { BN_AMEND_KEEP,       S, "PUT",    "v3/order/amend/keepPriority", "order.amend.keepPriority", BN_SIGNED, 4, "modify" },
    { BN_AMENDMENTS,       S, "GET",    "v3/order/amendments",     "order.amendments",    BN_SIGNED, 4,  "query" },
    { BN_CANCEL_ALL,       S, "DELETE", "v3/openOrders",           "openOrders.cancelAll", BN_SIGNED, 1, "cancelall" },
    { BN_OPEN_ORDERS,      S, "GET",    "v3/openOrders",           "openOrders.status",   BN_SIGNED, 6,  "query" },
    { BN_ALL_ORDERS,       S, "GET",    "v3/allOrders",            "allOrders",           BN_SIGNED, 20, "query" },
    { BN_USER_TRADES,      S, "GET",    "v3/myTrades",             "myTrades",            BN_SIGNED, 20, "account" },
    { BN_ACCOUNT,          S, "GET",    "v3/account",              "account.status",      BN_SIGNED, 20, "account" },
    { BN_COMMISSION_RATE,  S, "GET",    "v3/account/commission",   "account.commission",  BN_SIGNED, 20, "account" },
    { BN_RATE_LIMIT_ORDER, S, "GET",    "v3/rateLimit/order",      "account.rateLimits.orders", BN_SIGNED, 40, "account" },
    { BN_LISTEN_START,     S, "POST",   "v3/userDataStream",       NULL,                  BN_KEYED,  2,  "retired" },
    { BN_LISTEN_PING,      S, "PUT",    "v3/userDataStream",       NULL,                  BN_KEYED,  2,  "retired" },
    { BN_LISTEN_STOP,      S, "DELETE", "v3/userDataStream",       NULL,                  BN_KEYED,  2,  "retired" },
    { BN_API_RESTRICTIONS, S, "GET",    "v1/account/apiRestrictions", NULL,               BN_SIGNED, 1,  "account" },
    { BN_SYSTEM_STATUS,    S, "GET",    "v1/system/status",        NULL,                  BN_OPEN,   1,  "read" },
    { BN_TRADE_FEE,        S, "GET",    "v1/asset/tradeFee",       NULL,                  BN_SIGNED, 1,  "account" },
    { BN_EMPTY_LIST,       S, "GET",    "v1/capital/config/getall", NULL,                 BN_SIGNED, 10, "account" },
    { BN_EMPTY_LIST,       S, "GET",    "v1/margin/allPairs",      NULL,                  BN_KEYED,  1,  "read" },
    { BN_EMPTY_LIST,       S, "GET",    "v1/margin/isolated/allPairs", NULL,              BN_SIGNED, 1,  "read" },
    { BN_LOGON,        S | F, NULL,     NULL,                      "session.logon",       BN_OPEN,   2,  "session" },
    { BN_STATUS,       S | F, NULL,     NULL,                      "session.status",      BN_OPEN,   2,  "session" },
    { BN_LOGOUT,       S | F, NULL,     NULL,                      "session.logout",      BN_OPEN,   2,  "session" },
    { BN_SUBSCRIBE,        S, NULL,     NULL,                      "userDataStream.subscribe", BN_OPEN, 2, "listen" },
    { BN_SUBSCRIBE_SIGNED, S, NULL,     NULL,                      "userDataStream.subscribe.signature", BN_SIGNED, 2, "listen" },
    { BN_UNSUBSCRIBE,      S, NULL,     NULL,                      "userDataStream.unsubscribe", BN_OPEN, 2, "listen" },
    { BN_SUBSCRIPTIONS,    S, NULL,     NULL,                      "session.subscriptions", BN_OPEN, 2, "session" },
};
/* clang-format on */

#define METHOD_COUNT (sizeof methods / sizeof methods[0])

const struct bn_method *bn_call_find_rest(enum sim_kind kind, const char *verb, const char *path)
{
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        if (methods[i].verb != NULL && methods[i].kinds >> kind & 1 && strcmp(methods[i].verb, verb) == 0 &&
            strcmp(methods[i].path, path) == 0) {
            return &methods[i];
        }
    }
    return NULL;
}

const struct bn_method *bn_call_find_socket(enum sim_kind kind, const char *name)
{
    for (size_t i = 0; i < METHOD_COUNT; i++) {
        if (methods[i].name != NULL && methods[i].kinds >> kind & 1 && strcmp(methods[i].name, name) == 0) {
            return &methods[i];
        }
    }
    return NULL;
}

const char *bn_call_get(const struct bn_call *call, const char *name)
{
    for (int i = 0; i < call->param_count; i++) {
        if (strcmp(call->param[i].name, name) == 0) {
            return call->param[i].value[0] != '\0' ? call->param[i].value : NULL;
        }
    }
    return NULL;
}

void bn_call_add(struct bn_call *call, const char *name, size_t name_length, const char *value,
                 size_t value_length)
{
    if (call->param_count == BN_PARAM_MAX) {
        return;
    }
    struct bn_param *param = &call->param[call->param_count++];

    param->name = strndup(name, name_length);
    param->value = strndup(value, value_length);
}

void bn_call_free(struct bn_call *call)
{
    if (call == NULL) {
        return;
    }
    for (int i = 0; i < call->param_count; i++) {
        free(call->param[i].name);
        free(call->param[i].value);
    }
    free(call->id);
    free(call);
}

int bn_call_error(struct sim_text *out, int status, int code, const char *format, ...)
{
    char message[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    sim_text_reset(out);
    sim_text_add(out, "{\"code\":%d,\"msg\":", code);
    sim_text_quote(out, message);
    sim_text_str(out, "}");
    return status;
}

static int missing(struct sim_text *out, const char *name)
{
    return bn_call_error(out, 400, -1102,
                         "Mandatory parameter '%s' was not sent, was empty/null, or malformed.", name);
}

/* --- what the model refuses, in the venue's words ------------------------------------------------------ */

static int refused(struct sim_text *out, enum sim_reject reject, const struct sim_instrument *i)
{
    bool spot = i->kind == SIM_SPOT;
    char digits[80];

    switch (reject) {
    case SIM_REJECT_QTY_ZERO:
        return spot ? bn_call_error(out, 400, -1013, "Invalid quantity.")
                    : bn_call_error(out, 400, -4003, "Quantity less than or equal to zero.");
    case SIM_REJECT_QTY_STEP:
        return spot ? bn_call_error(out, 400, -1013, "Filter failure: LOT_SIZE")
                    : bn_call_error(out, 400, -4023, "Qty not increased by step size.");
    case SIM_REJECT_QTY_MIN:
        return spot ? bn_call_error(out, 400, -1013, "Filter failure: LOT_SIZE")
                    : bn_call_error(out, 400, -4004, "Quantity less than min quantity.");
    case SIM_REJECT_QTY_MAX:
        return spot ? bn_call_error(out, 400, -1013, "Filter failure: LOT_SIZE")
                    : bn_call_error(out, 400, -4005, "Quantity greater than max quantity.");
    case SIM_REJECT_PRICE_ZERO:
        return spot ? bn_call_error(out, 400, -1013, "Invalid price.")
                    : bn_call_error(out, 400, -4001, "Price less than 0.");
    case SIM_REJECT_PRICE_TICK:
        return spot ? bn_call_error(out, 400, -1013, "Filter failure: PRICE_FILTER")
                    : bn_call_error(out, 400, -4014, "Price not increased by tick size.");
    case SIM_REJECT_PRICE_LOW:
        return spot ? bn_call_error(out, 400, -1013, "Filter failure: PRICE_FILTER")
                    : bn_call_error(out, 400, -4013, "Price less than min price.");
    case SIM_REJECT_PRICE_BIG:
        return spot ? bn_call_error(out, 400, -1013, "Filter failure: PRICE_FILTER")
                    : bn_call_error(out, 400, -4002, "Price greater than max price.");
    case SIM_REJECT_BAND_HIGH:
        return spot ? bn_call_error(out, 400, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE")
                    : bn_call_error(out, 400, -4016, "Limit price can't be higher than the mark price band.");
    case SIM_REJECT_BAND_LOW:
        return spot ? bn_call_error(out, 400, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE")
                    : bn_call_error(out, 400, -4024, "Limit price can't be lower than the mark price band.");
    case SIM_REJECT_NOTIONAL:
        sim_decimal_trim(digits, i->min_notional_e8, 8);
        return spot ? bn_call_error(out, 400, -1013, "Filter failure: NOTIONAL")
                    : bn_call_error(
                          out, 400, -4164,
                          "Order's notional must be no smaller than %s (unless you choose reduce only).",
                          digits);
    case SIM_REJECT_DUPLICATE:
        return spot ? bn_call_error(out, 400, -2010, "Duplicate order sent.")
                    : bn_call_error(out, 400, -4116, "ClientOrderId is duplicated.");
    case SIM_REJECT_BALANCE:
        return bn_call_error(out, 400, -2010, "Account has insufficient balance for requested action.");
    case SIM_REJECT_MARGIN:
        return bn_call_error(out, 400, -2019, "Margin is insufficient.");
    case SIM_REJECT_REDUCE_ONLY:
        return bn_call_error(out, 400, -2022, "ReduceOnly Order is rejected.");
    case SIM_REJECT_POST_ONLY:
        return spot ? bn_call_error(out, 400, -2010, "Order would immediately match and take.")
                    : bn_call_error(
                          out, 400, -5022,
                          "Due to the order could not be executed as maker, the Post Only order will be "
                          "rejected. The order will not be recorded in the order history");
    case SIM_REJECT_FOK:
        return bn_call_error(
            out, 400, -5021,
            "Due to the order could not be filled immediately, the FOK order has been rejected. "
            "The order will not be recorded in the order history");
    case SIM_REJECT_MAX_ORDERS:
        return spot ? bn_call_error(out, 400, -1013, "Filter failure: MAX_NUM_ORDERS")
                    : bn_call_error(out, 400, -2025, "Reach max open order limit.");
    case SIM_REJECT_HALTED:
        return spot ? bn_call_error(out, 400, -2010, "Market is closed.")
                    : bn_call_error(out, 400, -4140, "Invalid symbol status for opening position.");
    case SIM_REJECT_NO_CHANGE:
        return bn_call_error(out, 400, -5027, "No need to modify the order.");
    case SIM_REJECT_MAX_AMENDS:
        return spot ? bn_call_error(out, 400, -2038, "The order cannot be amended any more.")
                    : bn_call_error(out, 400, -5026, "Exceed maximum modify order limit.");
    case SIM_REJECT_AMEND_QTY:
        return bn_call_error(
            out, 400, -2038,
            "The new quantity must be smaller than the current and larger than the executed one.");
    case SIM_REJECT_NO_BOOK:
        return spot ? bn_call_error(out, 400, -2010, "Market has no liquidity.")
                    : bn_call_error(
                          out, 400, -4131,
                          "The counterparty's best price does not meet the PERCENT_PRICE filter limit.");
    case SIM_REJECT_NO_ORDER:
        return bn_call_error(out, 400, -2011, "Unknown order sent.");
    case SIM_ACCEPTED:
        break;
    }
    return bn_call_error(out, 400, -1000, "An unknown error occured while processing the request.");
}

/* --- reading parameters -------------------------------------------------------------------------------- */

/* pair_of answers the perpetual of a pair, -1 when there is none. */
static int pair_of(struct bn_shell *shell, const struct bn_call *call)
{
    const char *pair = bn_call_get(call, "pair");

    for (int at = 0; pair != NULL && at < sim_venue_instrument_count(shell->venue); at++) {
        const struct sim_instrument *i = &sim_venue_market(shell->venue, at)->instrument;
        if (i->kind == call->kind && strcmp(i->pair, pair) == 0) {
            return at;
        }
    }
    return -1;
}

/* takes_pair is true of what COIN-M answers by pair as well as by symbol. */
static bool takes_pair(const struct bn_call *call)
{
    switch (call->method == NULL ? BN_PLACE : call->method->what) {
    case BN_TICKER_PRICE:
    case BN_TICKER_BOOK:
    case BN_TICKER_DAY:
    case BN_PREMIUM_INDEX:
    case BN_OPEN_ORDERS:
    case BN_ALL_ORDERS:
    case BN_USER_TRADES:
    case BN_POSITION_RISK:
    case BN_LEVERAGE_BRACKET:
        return call->kind == SIM_INVERSE;
    default:
        return false;
    }
}

/* symbol_of answers the instrument, or -1 with the error written and *status set. */
static int symbol_of(struct bn_shell *shell, const struct bn_call *call, bool needed, struct sim_text *out,
                     int *status)
{
    const char *symbol = bn_call_get(call, "symbol");

    *status = 0;
    if (symbol == NULL && takes_pair(call) && bn_call_get(call, "pair") != NULL) {
        int at = pair_of(shell, call);
        if (at < 0) {
            *status = bn_call_error(out, 400, -1121, "Invalid symbol.");
        }
        return at;
    }
    if (symbol == NULL) {
        if (needed) {
            *status = missing(out, "symbol");
        }
        return -1;
    }
    int at = bn_shell_symbol(shell, call->kind, symbol);
    if (at < 0) {
        *status = bn_call_error(out, 400, -1121, "Invalid symbol.");
    }
    return at;
}

/* wanted_of answers the instruments that symbol or, on spot, the list symbols names, a bit each; all of the
 * product when neither is there.  0 with the error written and *status set. */
static uint64_t wanted_of(struct bn_shell *shell, const struct bn_call *call, struct sim_text *out,
                          int *status)
{
    const char *list = call->kind == SIM_SPOT ? bn_call_get(call, "symbols") : NULL;
    int only = symbol_of(shell, call, false, out, status);
    uint64_t wanted = 0;

    if (*status != 0) {
        return 0;
    }
    if (list == NULL) {
        for (int at = 0; at < sim_venue_instrument_count(shell->venue); at++) {
            bool fits = sim_venue_market(shell->venue, at)->instrument.kind == call->kind;
            wanted |= (uint64_t)(fits && (only < 0 || only == at)) << at;
        }
        return wanted;
    }
    if (only >= 0) {
        *status = bn_call_error(out, 400, -1101, "Too many parameters; expected '1' and received '2'.");
        return 0;
    }
    json_t *names = json_loads(list, 0, NULL), *name;
    size_t k;

    if (json_array_size(names) == 0) {
        *status = bn_call_error(out, 400, -1100, "Illegal characters found in parameter 'symbols'.");
    }
    json_array_foreach(names, k, name)
    {
        int at = json_is_string(name) ? bn_shell_symbol(shell, call->kind, json_string_value(name)) : -1;
        if (at < 0) {
            *status = bn_call_error(out, 400, -1121, "Invalid symbol.");
            break;
        }
        wanted |= UINT64_C(1) << at;
    }
    json_decref(names);
    return *status == 0 ? wanted : 0;
}

/* amount reads a price or quantity; false with the error written. */
static bool amount(const struct bn_call *call, const char *name, int decimals, bool spot, int64_t *units,
                   struct sim_text *out, int *status)
{
    const char *text = bn_call_get(call, name);

    if (text == NULL) {
        *status = missing(out, name);
        return false;
    }
    switch (sim_decimal_parse(text, strlen(text), decimals, units)) {
    case SIM_DECIMAL_OK:
        return true;
    case SIM_DECIMAL_TOO_FINE:
        *status =
            spot ? bn_call_error(out, 400, -1111, "Parameter '%s' has too much precision.", name)
                 : bn_call_error(out, 400, -1111, "Precision is over the maximum defined for this asset.");
        return false;
    default:
        *status = bn_call_error(out, 400, -1100,
                                "Illegal characters found in parameter '%s'; legal range is "
                                "'^([0-9]{1,20})(\\.[0-9]{1,20})?$'.",
                                name);
        return false;
    }
}

static int64_t number(const struct bn_call *call, const char *name, int64_t fallback)
{
    const char *text = bn_call_get(call, name);

    return text == NULL ? fallback : strtoll(text, NULL, 10);
}

static bool client_id_good(const char *id, bool spot)
{
    size_t length = strlen(id);

    if (length > 36) {
        return false;
    }
    for (; *id != '\0'; id++) {
        if (!isalnum((unsigned char)*id) && strchr(spot ? "-_" : ".:/_-", *id) == NULL) {
            return false;
        }
    }
    return true;
}

static bool truth(const struct bn_call *call, const char *name)
{
    const char *text = bn_call_get(call, name);

    return text != NULL && strcasecmp(text, "true") == 0;
}

static int account_of(const struct bn_shell *shell, const struct bn_call *call)
{
    return shell->key[call->key].account;
}

/* span answers the time window of a list call in ns. */
static void span(const struct bn_call *call, int64_t *from_ns, int64_t *to_ns)
{
    *from_ns = number(call, "startTime", 0) * 1000000;
    *to_ns = number(call, "endTime", INT64_MAX / 1000000 - 1) * 1000000 + 999999;
}

static int64_t limit_of(const struct bn_call *call, int64_t usual)
{
    int64_t limit = number(call, "limit", usual);

    return limit < 1 ? 1 : limit > 1000 ? 1000 : limit;
}

/* match_price turns priceMatch into a price; false when there is no such depth. */
static bool match_price(struct bn_shell *shell, int instrument, enum sim_side side, const char *match,
                        int64_t *price)
{
    bool opponent = strncmp(match, "OPPONENT", 8) == 0;
    const char *tail = strchr(match, '_');
    int wanted = tail == NULL ? 1 : atoi(tail + 1);
    struct sim_level level[20];

    if ((!opponent && strncmp(match, "QUEUE", 5) != 0) || wanted < 1 || wanted > 20) {
        return false;
    }
    int book = opponent ? !side : (int)side;
    if (sim_venue_depth(shell->venue, instrument, book, level, (size_t)wanted) < (size_t)wanted) {
        return false;
    }
    *price = level[wanted - 1].price;
    return true;
}

/* unsupported refuses what exchangeInfo says spot symbols here do not take, in the venue's words; 0 when
 * there is nothing of the kind. */
static int unsupported(const struct bn_call *call, const char *type, struct sim_text *out)
{
    static const struct {
        const char *type, *words;
    } types[] = {
        { "STOP_LOSS", "Stop loss" },
        { "STOP_LOSS_LIMIT", "Stop loss limit" },
        { "TAKE_PROFIT", "Take profit" },
        { "TAKE_PROFIT_LIMIT", "Take profit limit" },
    };
    const char *iceberg = bn_call_get(call, "icebergQty"), *words = NULL;

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        if (strcmp(types[i].type, type) == 0) {
            words = types[i].words;
        }
    }
    if (bn_call_get(call, "trailingDelta") != NULL) {
        words = "Trailing stop";
    } else if (iceberg != NULL && strspn(iceberg, "0.") != strlen(iceberg)) {
        words = "Iceberg";
    }
    return words == NULL
               ? 0
               : bn_call_error(out, 400, -2010, "%s orders are not supported for this symbol.", words);
}

/* read_place turns parameters into an order for the model; 0, or the status with the error written. */
static int read_place(struct bn_shell *shell, const struct bn_call *call, struct sim_place *place,
                      struct sim_text *out)
{
    int status;
    bool spot = call->kind == SIM_SPOT;
    int at = symbol_of(shell, call, true, out, &status);
    const char *side = bn_call_get(call, "side"), *type = bn_call_get(call, "type");
    const char *tif = bn_call_get(call, "timeInForce"), *id = bn_call_get(call, "newClientOrderId");
    const char *stp = bn_call_get(call, "selfTradePreventionMode"), *match = bn_call_get(call, "priceMatch");

    if (at < 0) {
        return status;
    }
    const struct sim_instrument *i = &sim_venue_market(shell->venue, at)->instrument;

    place->account = account_of(shell, call);
    place->instrument = at;
    if (side == NULL) {
        return missing(out, "side");
    }
    if (strcmp(side, "BUY") != 0 && strcmp(side, "SELL") != 0) {
        return bn_call_error(out, 400, -1117, "Invalid side.");
    }
    place->side = strcmp(side, "BUY") == 0 ? SIM_BUY : SIM_SELL;
    if (type == NULL) {
        return missing(out, "type");
    }
    if (spot && (status = unsupported(call, type, out)) != 0) {
        return status;
    }
    place->market = strcmp(type, "MARKET") == 0;
    place->post_only = spot && strcmp(type, "LIMIT_MAKER") == 0;
    if (!place->market && !place->post_only && strcmp(type, "LIMIT") != 0) {
        bool algo = strstr(type, "STOP") != NULL || strstr(type, "TAKE_PROFIT") != NULL ||
                    strstr(type, "TRAILING") != NULL;
        return algo && !spot
                   ? bn_call_error(out, 400, -4120,
                                   "Order type not supported for this endpoint. Please use the Algo Order "
                                   "API endpoints instead.")
                   : bn_call_error(out, 400, -1116, "Invalid orderType.");
    }
    if (!place->market && !place->post_only) {
        if (tif == NULL) {
            return missing(out, "timeInForce");
        }
        place->post_only = !spot && strcmp(tif, "GTX") == 0;
        place->tif = strcmp(tif, "IOC") == 0   ? SIM_IOC
                     : strcmp(tif, "FOK") == 0 ? SIM_FOK
                     : strcmp(tif, "GTD") == 0 ? SIM_GTD
                                               : SIM_GTC;
        if (place->tif == SIM_GTC && !place->post_only && strcmp(tif, "GTC") != 0 &&
            strcmp(tif, "RPI") != 0) {
            return bn_call_error(out, 400, -1115, "Invalid timeInForce.");
        }
        if (place->tif == SIM_GTD) {
            int64_t till = number(call, "goodTillDate", 0);
            if (spot) {
                return bn_call_error(out, 400, -1115, "Invalid timeInForce.");
            }
            if (till * 1000000 < bn_shell_server_ns(shell) + INT64_C(600000000000)) {
                return bn_call_error(out, 400, -5040, "The goodTillDate is too early.");
            }
            place->good_till_ns = till / 1000 * 1000 * 1000000;
        }
    }
    const char *spend = spot && place->market ? bn_call_get(call, "quoteOrderQty") : NULL;
    if (spend != NULL && bn_call_get(call, "quantity") == NULL) {
        if (!amount(call, "quoteOrderQty", 8, spot, &place->spend_e8, out, &status)) {
            return status;
        }
        if (place->side == SIM_SELL) { /* an amount of quote to receive: at the best bid, rounded down */
            struct sim_level best;
            if (sim_venue_depth(shell->venue, at, SIM_BUY, &best, 1) == 0) {
                return refused(out, SIM_REJECT_NO_BOOK, i);
            }
            __int128 one = sim_ledger_value(i, i->step, best.price);
            place->qty = (int64_t)((__int128)place->spend_e8 * SIM_CASH_ONE / one) * i->step;
            place->spend_e8 = 0;
        }
    } else if (!amount(call, "quantity", i->qty_decimals, spot, &place->qty, out, &status)) {
        return status;
    }
    if (!place->market) {
        if (match != NULL && strcmp(match, "NONE") != 0 && !spot) {
            if (!match_price(shell, at, place->side, match, &place->price)) {
                return bn_call_error(out, 400, -5041, "No depth matches this order.");
            }
        } else if (!amount(call, "price", i->price_decimals, spot, &place->price, out, &status)) {
            return status;
        }
    }
    if (id != NULL && !client_id_good(id, spot)) {
        return spot
                   ? bn_call_error(out, 400, -1100,
                                   "Illegal characters found in parameter 'newClientOrderId'; legal range is "
                                   "'^[a-zA-Z0-9-_]{1,36}$'.")
                   : bn_call_error(out, 400, -4015, "Client order id is not valid.");
    }
    place->client_id = id;
    if (!spot) {
        const char *position = bn_call_get(call, "positionSide");
        bool both = position == NULL || strcmp(position, "BOTH") == 0;
        if (both == shell->hedge_mode[place->account]) {
            return bn_call_error(out, 400, -4061, "Order's position side does not match user's setting.");
        }
        place->reduce_only = truth(call, "reduceOnly");
    }
    place->stp = stp == NULL                        ? SIM_STP_EXPIRE_MAKER
                 : strcmp(stp, "NONE") == 0         ? SIM_STP_NONE
                 : strcmp(stp, "EXPIRE_TAKER") == 0 ? SIM_STP_EXPIRE_TAKER
                 : strcmp(stp, "EXPIRE_MAKER") == 0 ? SIM_STP_EXPIRE_MAKER
                 : strcmp(stp, "EXPIRE_BOTH") == 0  ? SIM_STP_EXPIRE_BOTH
                                                    : SIM_STP_NONE;
    place->post_only_expires = !spot && shell->options.post_only_expires;
    return 0;
}

/* find_order answers the order that orderId or origClientOrderId names; both given: the id wins. */
static struct sim_order *find_order(struct bn_shell *shell, const struct bn_call *call, int instrument,
                                    const char *client_name)
{
    const char *id = bn_call_get(call, "orderId"), *client = bn_call_get(call, client_name);

    if (id != NULL) {
        struct sim_order *order =
            sim_venue_find_id(shell->venue, account_of(shell, call), instrument, strtoull(id, NULL, 10));
        return order != NULL && client != NULL && call->kind == SIM_SPOT &&
                       strcmp(order->client_id, client) != 0
                   ? NULL
                   : order;
    }
    return client == NULL ? NULL
                          : sim_venue_find_client(shell->venue, account_of(shell, call), instrument, client);
}

static bool names_order(const struct bn_call *call, struct sim_text *out, int *status)
{
    if (bn_call_get(call, "orderId") != NULL || bn_call_get(call, "origClientOrderId") != NULL) {
        return true;
    }
    *status = bn_call_error(out, 400, -1102,
                            "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!");
    return false;
}

/* --- orders -------------------------------------------------------------------------------------------- */

static int place_order(struct bn_shell *shell, struct bn_call *call, struct sim_text *out, bool test)
{
    struct sim_place place = { 0 };
    struct sim_order *order = NULL;
    const char *detail = bn_call_get(call, "newOrderRespType");
    size_t first_fill = sim_venue_fill_count(shell->venue);
    int status = read_place(shell, call, &place, out);

    if (status != 0) {
        return status;
    }
    if (test) {
        sim_text_str(out, "{}");
        return 200;
    }
    const struct sim_instrument *i = &sim_venue_market(shell->venue, place.instrument)->instrument;
    enum sim_reject reject = sim_venue_place(shell->venue, &place, shell->now_ns, &order);

    if (reject != SIM_ACCEPTED && order == NULL) {
        return refused(out, reject, i);
    }
    if (call->kind == SIM_SPOT) {
        bn_text_spot_reply(out, shell, order,
                           detail != NULL    ? detail
                           : place.post_only ? "ACK"
                                             : "FULL",
                           first_fill);
    } else {
        bn_text_order(out, shell, order, false, detail == NULL || strcmp(detail, "RESULT") != 0);
    }
    return 200;
}

static int modify_order(struct bn_shell *shell, struct bn_call *call, struct sim_text *out)
{
    int status;
    int at = symbol_of(shell, call, true, out, &status);
    int64_t price, qty;

    if (at < 0 || !names_order(call, out, &status)) {
        return status;
    }
    const struct sim_instrument *i = &sim_venue_market(shell->venue, at)->instrument;
    const char *side = bn_call_get(call, "side"), *match = bn_call_get(call, "priceMatch");

    if (side == NULL) {
        return missing(out, "side");
    }
    if (!amount(call, "quantity", i->qty_decimals, false, &qty, out, &status)) {
        return status;
    }
    if (match != NULL && strcmp(match, "NONE") != 0) {
        if (!match_price(shell, at, strcmp(side, "BUY") == 0 ? SIM_BUY : SIM_SELL, match, &price)) {
            return bn_call_error(out, 400, -5041, "No depth matches this order.");
        }
    } else if (!amount(call, "price", i->price_decimals, false, &price, out, &status)) {
        return status;
    }
    struct sim_order *order = find_order(shell, call, at, "origClientOrderId");
    if (order == NULL) {
        return bn_call_error(out, 400, -2013, "Order does not exist.");
    }
    if (order->market || strcmp(side, bn_text_side(order->side)) != 0) {
        return order->market ? bn_call_error(out, 400, -5025, "Only limit order is supported.")
                             : bn_call_error(out, 400, -1117, "Invalid side.");
    }
    enum sim_reject reject = sim_venue_modify(shell->venue, order, price, qty, shell->now_ns);
    if (reject == SIM_REJECT_NO_ORDER) {
        return bn_call_error(out, 400, -2013, "Order does not exist.");
    }
    if (reject == SIM_REJECT_NOTIONAL) {
        return bn_call_error(out, 400, -5029, "Order's notional must be no smaller than the minimum.");
    }
    if (reject != SIM_ACCEPTED) {
        return refused(out, reject, i);
    }
    bn_text_order(out, shell, order, false, false);
    return 200;
}

static void make_cancel_id(struct bn_shell *shell, const struct bn_call *call, const char *name)
{
    const char *given = bn_call_get(call, name);

    if (given != NULL) {
        snprintf(shell->cancel_id, sizeof shell->cancel_id, "%s", given);
        return;
    }
    for (int i = 0; i < 22; i++) {
        shell->cancel_id[i] =
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"[sim_random_range(&shell->random,
                                                                                              0, 61)];
    }
    shell->cancel_id[22] = '\0';
}

/* cancel_one cancels and writes the reply; a status other than 200 comes with the error. */
static int cancel_one(struct bn_shell *shell, const struct bn_call *call, struct sim_order *order,
                      struct sim_text *out)
{
    const char *restriction = bn_call_get(call, "cancelRestrictions");
    char cancel_id[SIM_CLIENT_ID_MAX];

    if (order == NULL || !sim_venue_live(order)) {
        shell->cancel_id[0] = '\0';
        return bn_call_error(out, 400, -2011, "Unknown order sent.");
    }
    if (call->kind == SIM_SPOT && restriction != NULL &&
        ((strcmp(restriction, "ONLY_NEW") == 0 && order->state != SIM_ORDER_NEW) ||
         (strcmp(restriction, "ONLY_PARTIALLY_FILLED") == 0 && order->state != SIM_ORDER_PARTIALLY_FILLED))) {
        shell->cancel_id[0] = '\0';
        return bn_call_error(out, 400, -2011, "Order was not canceled due to cancel restrictions.");
    }
    memcpy(cancel_id, shell->cancel_id, sizeof cancel_id);
    sim_venue_cancel(shell->venue, order, shell->now_ns);
    shell->cancel_id[0] = '\0';
    if (call->kind == SIM_SPOT) {
        bn_text_spot_cancel(out, shell, order, cancel_id);
    } else {
        bn_text_order(out, shell, order, false, false);
    }
    return 200;
}

static int cancel_order(struct bn_shell *shell, struct bn_call *call, struct sim_text *out)
{
    int status;
    int at = symbol_of(shell, call, true, out, &status);

    if (at < 0 || !names_order(call, out, &status)) {
        return status;
    }
    make_cancel_id(shell, call, "newClientOrderId");
    return cancel_one(shell, call, find_order(shell, call, at, "origClientOrderId"), out);
}

static int query_order(struct bn_shell *shell, struct bn_call *call, struct sim_text *out, bool open_only)
{
    int status;
    int at = symbol_of(shell, call, true, out, &status);

    if (at < 0 || !names_order(call, out, &status)) {
        return status;
    }
    struct sim_order *order = find_order(shell, call, at, "origClientOrderId");
    struct sim_fault *hide =
        sim_fault_open(shell->faults, SIM_FAULT_QUERY_2013, bn_shell_product(call->kind), shell->now_ns);

    if (order != NULL && hide != NULL && shell->now_ns - order->created_ns < hide->ms * 1000000) {
        hide->fired++;
        order = NULL;
    }
    if (order == NULL || (open_only && !sim_venue_live(order))) {
        return bn_call_error(out, 400, -2013, "Order does not exist.");
    }
    if (call->kind == SIM_SPOT) {
        bn_text_spot_order(out, shell, order);
    } else {
        bn_text_order(out, shell, order, true, false);
    }
    return 200;
}

/* batch runs place, modify or cancel for each object of batchOrders, mixing results and errors by index. */
static int batch(struct bn_shell *shell, struct bn_call *call, struct sim_text *out, enum bn_do what)
{
    const char *text = bn_call_get(call, "batchOrders");
    json_t *list = text == NULL ? NULL : json_loads(text, 0, NULL);
    size_t count = json_array_size(list);

    if (count == 0) {
        json_decref(list);
        return missing(out, "batchOrders");
    }
    if (count > 5) {
        json_decref(list);
        return bn_call_error(out, 400, -4082, "Invalid number of batch orders.");
    }
    sim_text_str(out, "[");
    for (size_t i = 0; i < count; i++) {
        struct bn_call one = { .kind = call->kind, .key = call->key };
        struct sim_text reply = { 0 };
        const char *name;
        json_t *value;

        json_object_foreach(json_array_get(list, i), name, value)
        {
            char *printed = json_is_string(value) ? strdup(json_string_value(value))
                                                  : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
            bn_call_add(&one, name, strlen(name), printed, strlen(printed));
            free(printed);
        }
        if (what == BN_BATCH_PLACE) {
            place_order(shell, &one, &reply, false);
        } else {
            modify_order(shell, &one, &reply);
        }
        sim_text_add(out, "%s%s", i > 0 ? "," : "", reply.data);
        sim_text_free(&reply);
        for (int k = 0; k < one.param_count; k++) {
            free(one.param[k].name);
            free(one.param[k].value);
        }
    }
    sim_text_str(out, "]");
    json_decref(list);
    return 200;
}

static const char *either(const struct bn_call *call, const char *name, const char *other)
{
    const char *text = bn_call_get(call, name);

    return text != NULL ? text : bn_call_get(call, other);
}

static int batch_cancel(struct bn_shell *shell, struct bn_call *call, struct sim_text *out)
{
    int status;
    int at = symbol_of(shell, call, true, out, &status);
    const char *ids = either(call, "orderIdList", "orderidlist"); /* ccxt writes small letters */
    const char *clients = either(call, "origClientOrderIdList", "origclientorderidlist");
    const char *text = ids != NULL ? ids : clients;

    if (at < 0) {
        return status;
    }
    if (text == NULL) {
        return missing(out, "orderIdList");
    }
    json_t *list = json_loads(text, 0, NULL);
    size_t count = json_array_size(list);

    if (count == 0 || count > 10) {
        json_decref(list);
        return bn_call_error(out, 400, -4082, "Invalid number of batch orders.");
    }
    sim_text_str(out, "[");
    for (size_t i = 0; i < count; i++) {
        json_t *item = json_array_get(list, i);
        struct sim_text reply = { 0 };
        struct sim_order *order =
            json_is_string(item) && ids == NULL
                ? sim_venue_find_client(shell->venue, account_of(shell, call), at, json_string_value(item))
                : sim_venue_find_id(shell->venue, account_of(shell, call), at,
                                    json_is_string(item) ? strtoull(json_string_value(item), NULL, 10)
                                                         : (uint64_t)json_integer_value(item));

        cancel_one(shell, call, order, &reply);
        sim_text_add(out, "%s%s", i > 0 ? "," : "", reply.data);
        sim_text_free(&reply);
    }
    sim_text_str(out, "]");
    json_decref(list);
    return 200;
}

static int cancel_all(struct bn_shell *shell, struct bn_call *call, struct sim_text *out)
{
    int status;
    int at = symbol_of(shell, call, true, out, &status);
    struct sim_order *open[512];

    if (at < 0) {
        return status;
    }
    if (call->kind != SIM_SPOT) {
        sim_venue_cancel_all(shell->venue, account_of(shell, call), at, shell->now_ns);
        sim_text_str(out, "{\"code\":200,\"msg\":\"The operation of cancel all open order is done.\"}");
        return 200;
    }
    size_t count = sim_venue_open(shell->venue, account_of(shell, call), at, open, 512);
    char shared[SIM_CLIENT_ID_MAX];

    if (count == 0) {
        return bn_call_error(out, 400, -2011, "Unknown order sent.");
    }
    make_cancel_id(shell, call, "newClientOrderId");
    memcpy(shared, shell->cancel_id, sizeof shared);
    sim_text_str(out, "[");
    for (size_t i = 0; i < count; i++) {
        memcpy(shell->cancel_id, shared, sizeof shared);
        sim_venue_cancel(shell->venue, open[i], shell->now_ns);
        sim_text_str(out, i > 0 ? "," : "");
        bn_text_spot_cancel(out, shell, open[i], shared);
    }
    shell->cancel_id[0] = '\0';
    sim_text_str(out, "]");
    return 200;
}

static int cancel_replace(struct bn_shell *shell, struct bn_call *call, struct sim_text *out)
{
    int status;
    int at = symbol_of(shell, call, true, out, &status);
    const char *mode = bn_call_get(call, "cancelReplaceMode"), *id = bn_call_get(call, "cancelOrderId");
    const char *client = bn_call_get(call, "cancelOrigClientOrderId");
    struct sim_text cancelled = { 0 }, placed = { 0 };
    struct sim_order *order = NULL;

    if (at < 0) {
        return status;
    }
    if (mode == NULL) {
        return missing(out, "cancelReplaceMode");
    }
    if (id == NULL && client == NULL) {
        return bn_call_error(out, 400, -1102,
                             "Param 'cancelOrigClientOrderId' or 'cancelOrderId' must be sent, but both were "
                             "empty/null!");
    }
    order = id != NULL ? sim_venue_find_id(shell->venue, account_of(shell, call), at, strtoull(id, NULL, 10))
                       : sim_venue_find_client(shell->venue, account_of(shell, call), at, client);
    make_cancel_id(shell, call, "cancelNewClientOrderId");
    bool cancel_good = cancel_one(shell, call, order, &cancelled) == 200;
    bool tries = cancel_good || strcmp(mode, "ALLOW_FAILURE") == 0;
    bool place_good = tries && place_order(shell, call, &placed, false) == 200;

    if (!cancel_good || !place_good) {
        bool partly = cancel_good || place_good;
        status = partly ? 409 : 400;
        sim_text_add(out,
                     "{\"code\":%d,\"msg\":\"Order cancel-replace %s.\",\"data\":", partly ? -2021 : -2022,
                     partly ? "partially failed" : "failed");
    } else {
        status = 200;
    }
    sim_text_add(
        out,
        "{\"cancelResult\":\"%s\",\"newOrderResult\":\"%s\",\"cancelResponse\":%s,\"newOrderResponse\":%s}",
        cancel_good ? "SUCCESS" : "FAILURE",
        !tries       ? "NOT_ATTEMPTED"
        : place_good ? "SUCCESS"
                     : "FAILURE",
        cancelled.data, tries ? placed.data : "null");
    if (status != 200) {
        sim_text_str(out, "}");
    }
    sim_text_free(&cancelled);
    sim_text_free(&placed);
    return status;
}

static int amend_keep(struct bn_shell *shell, struct bn_call *call, struct sim_text *out)
{
    int status;
    int at = symbol_of(shell, call, true, out, &status);
    const char *renamed = bn_call_get(call, "newClientOrderId");
    int64_t qty;

    if (at < 0 || !names_order(call, out, &status)) {
        return status;
    }
    const struct sim_instrument *i = &sim_venue_market(shell->venue, at)->instrument;

    if (!amount(call, "newQty", i->qty_decimals, true, &qty, out, &status)) {
        return status;
    }
    struct sim_order *order = find_order(shell, call, at, "origClientOrderId");
    if (order == NULL || !sim_venue_live(order)) {
        return bn_call_error(out, 400, -2013, "Order does not exist.");
    }
    char fresh[SIM_CLIENT_ID_MAX];
    if (renamed == NULL) {
        make_cancel_id(shell, call, "newClientOrderId");
        memcpy(fresh, shell->cancel_id, sizeof fresh);
        shell->cancel_id[0] = '\0';
        renamed = fresh;
    }
    int64_t before_qty = order->qty;
    enum sim_reject reject = sim_venue_reduce(shell->venue, order, qty, renamed, shell->now_ns);
    if (reject != SIM_ACCEPTED) {
        return refused(out, reject, i);
    }
    struct bn_amendment *amendment = &shell->amendment[shell->amended++ % BN_AMENDMENT_MAX];
    *amendment = (struct bn_amendment){ .order_id = order->id,
                                        .account = order->account,
                                        .instrument = at,
                                        .exec_id = shell->now_ns / 1000,
                                        .before_qty = before_qty,
                                        .after_qty = order->qty,
                                        .time_ns = shell->now_ns };
    snprintf(amendment->before_id, sizeof amendment->before_id, "%s", order->prior_client_id);
    snprintf(amendment->after_id, sizeof amendment->after_id, "%s", order->client_id);
    sim_text_add(out,
                 "{\"transactTime\":%lld,\"executionId\":%lld,\"amendedOrder\":{\"symbol\":\"%s\","
                 "\"orderId\":%llu,\"orderListId\":-1,\"origClientOrderId\":",
                 (long long)(shell->now_ns / 1000000), (long long)(shell->now_ns / 1000), i->symbol,
                 (unsigned long long)order->id);
    sim_text_quote(out, order->prior_client_id);
    sim_text_str(out, ",\"clientOrderId\":");
    sim_text_quote(out, order->client_id);
    sim_text_str(out, ",\"price\":");
    bn_text_price(out, i, order->price);
    sim_text_str(out, ",\"qty\":");
    bn_text_qty(out, i, order->qty);
    sim_text_str(out, ",\"executedQty\":");
    bn_text_qty(out, i, order->filled);
    sim_text_str(out,
                 ",\"preventedQty\":\"0.00000000\",\"quoteOrderQty\":\"0.00000000\",\"cumulativeQuoteQty\":");
    bn_text_cash(out, (int64_t)(order->filled_sum.basis_e16 / SIM_CASH_ONE));
    sim_text_add(
        out,
        ",\"status\":\"%s\",\"timeInForce\":\"%s\",\"type\":\"%s\",\"side\":\"%s\",\"workingTime\":%lld,"
        "\"selfTradePreventionMode\":\"%s\"}}",
        bn_text_state(order->state), bn_text_tif(i, order), bn_text_type(i, order), bn_text_side(order->side),
        (long long)(order->created_ns / 1000000), bn_text_stp(order->stp));
    return 200;
}

static int amendments(struct bn_shell *shell, struct bn_call *call, struct sim_text *out)
{
    int status;
    int at = symbol_of(shell, call, true, out, &status);
    int64_t limit = limit_of(call, 500), from_id = number(call, "fromExecutionId", 0);
    uint64_t order_id = (uint64_t)number(call, "orderId", 0);
    uint64_t first = shell->amended < BN_AMENDMENT_MAX ? 0 : shell->amended - BN_AMENDMENT_MAX;
    bool any = false;

    if (at < 0) {
        return status;
    }
    if (order_id == 0) {
        return missing(out, "orderId");
    }
    const struct sim_instrument *i = &sim_venue_market(shell->venue, at)->instrument;

    sim_text_str(out, "[");
    for (uint64_t k = first; k < shell->amended && limit > 0; k++) {
        const struct bn_amendment *one = &shell->amendment[k % BN_AMENDMENT_MAX];
        if (one->account != account_of(shell, call) || one->instrument != at || one->order_id != order_id ||
            one->exec_id < from_id) {
            continue;
        }
        sim_text_add(out, "%s{\"symbol\":\"%s\",\"orderId\":%llu,\"executionId\":%lld,\"origClientOrderId\":",
                     any ? "," : "", i->symbol, (unsigned long long)one->order_id, (long long)one->exec_id);
        any = true;
        sim_text_quote(out, one->before_id);
        sim_text_str(out, ",\"newClientOrderId\":");
        sim_text_quote(out, one->after_id);
        sim_text_str(out, ",\"origQty\":");
        bn_text_qty(out, i, one->before_qty);
        sim_text_str(out, ",\"newQty\":");
        bn_text_qty(out, i, one->after_qty);
        sim_text_add(out, ",\"time\":%lld}", (long long)(one->time_ns / 1000000));
        limit--;
    }
    sim_text_str(out, "]");
    return 200;
}

/* --- lists --------------------------------------------------------------------------------------------- */

static void order_text(struct bn_shell *shell, const struct bn_call *call, const struct sim_order *order,
                       struct sim_text *out)
{
    if (call->kind == SIM_SPOT) {
        bn_text_spot_order(out, shell, order);
    } else {
        bn_text_order(out, shell, order, true, false);
    }
}

static int open_orders(struct bn_shell *shell, struct bn_call *call, struct sim_text *out)
{
    int status;
    int only = symbol_of(shell, call, false, out, &status);
    bool first = true;

    if (status != 0) {
        return status;
    }
    sim_text_str(out, "[");
    for (int at = 0; at < sim_venue_instrument_count(shell->venue); at++) {
        struct sim_order *open[512];

        if (sim_venue_market(shell->venue, at)->instrument.kind != call->kind || (only >= 0 && at != only)) {
            continue;
        }
        size_t count = sim_venue_open(shell->venue, account_of(shell, call), at, open, 512);
        for (size_t i = 0; i < count; i++) {
            sim_text_str(out, first ? "" : ",");
            first = false;
            order_text(shell, call, open[i], out);
        }
    }
    sim_text_str(out, "]");
    return 200;
}

static int all_orders(struct bn_shell *shell, struct bn_call *call, struct sim_text *out)
{
    int status;
    int at = symbol_of(shell, call, call->kind == SIM_SPOT, out, &status);
    int64_t limit = limit_of(call, 500), from_ns, to_ns;
    uint64_t from_id = (uint64_t)number(call, "orderId", 0);
    size_t total = sim_venue_order_count(shell->venue), first = 0;
    int64_t matching = 0;

    if (status != 0) {
        return status;
    }
    span(call, &from_ns, &to_ns);
    /* Without a starting id the newest are wanted, oldest first: count backwards for the start. */
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t k = 0; k < total; k++) {
            size_t index = pass == 0 ? total - 1 - k : k;
            const struct sim_order *order = sim_venue_order(shell->venue, index);
            bool fits =
                at >= 0 ? order->instrument == at
                        : sim_venue_market(shell->venue, order->instrument)->instrument.kind == call->kind;
            if (order->account != account_of(shell, call) || !fits || order->id < from_id ||
                order->created_ns < from_ns || order->created_ns > to_ns) {
                continue;
            }
            if (pass == 0) {
                first = index;
                if (++matching == limit && from_id == 0) {
                    break;
                }
            } else if (index >= first && limit-- > 0) {
                sim_text_str(out, out->length == 0 ? "[" : ",");
                order_text(shell, call, order, out);
            }
        }
    }
    sim_text_str(out, out->length == 0 ? "[]" : "]");
    return 200;
}

static int user_trades(struct bn_shell *shell, struct bn_call *call, struct sim_text *out)
{
    int status;
    int at = symbol_of(shell, call, true, out, &status);
    int64_t limit = limit_of(call, 500), from_id = number(call, "fromId", -1), from_ns, to_ns;
    uint64_t order_id = (uint64_t)number(call, "orderId", 0);
    size_t total = sim_venue_fill_count(shell->venue), first = 0;
    int64_t matching = 0;

    if (at < 0) {
        return status;
    }
    span(call, &from_ns, &to_ns);
    for (size_t pass = 0; pass < 2; pass++) {
        for (size_t k = 0; k < total; k++) {
            size_t index = pass == 0 ? total - 1 - k : k;
            const struct sim_fill *fill = sim_venue_fill(shell->venue, index);
            if (fill->account != account_of(shell, call) || fill->instrument != at ||
                fill->trade_id < from_id || (order_id != 0 && fill->order_id != order_id) ||
                fill->time_ns < from_ns || fill->time_ns > to_ns) {
                continue;
            }
            if (pass == 0) {
                first = index;
                if (++matching == limit && from_id < 0) {
                    break;
                }
            } else if (index >= first && limit-- > 0) {
                sim_text_str(out, out->length == 0 ? "[" : ",");
                bn_text_fill(out, shell, fill);
            }
        }
    }
    sim_text_str(out, out->length == 0 ? "[]" : "]");
    return 200;
}

/* What is asked of the income history: rows of a span and a type, `skip` of them on earlier pages. */
struct income {
    struct sim_text *out;
    const char *type;
    int64_t from_ns, to_ns, skip, left;
    bool any;
};

static void income_row(struct income *income, const char *symbol, const char *type, int64_t amount_e8,
                       const char *asset, int64_t time_ns, int64_t id, int64_t trade_id)
{
    if ((income->type != NULL && strcmp(income->type, type) != 0) || income->left == 0 ||
        time_ns < income->from_ns || time_ns > income->to_ns) {
        return;
    }
    if (income->skip > 0) {
        income->skip--;
        return;
    }
    sim_text_add(income->out,
                 "%s{\"symbol\":\"%s\",\"incomeType\":\"%s\",\"income\":", income->any ? "," : "", symbol,
                 type);
    income->any = true;
    income->left--;
    bn_text_cash(income->out, amount_e8);
    sim_text_add(income->out,
                 ",\"asset\":\"%s\",\"info\":\"%s\",\"time\":%lld,\"tranId\":%lld,\"tradeId\":\"", asset,
                 type, (long long)(time_ns / 1000000), (long long)id);
    if (trade_id != 0) {
        sim_text_add(income->out, "%lld", (long long)trade_id);
    }
    sim_text_str(income->out, "\"}");
}

static void income_fill(struct income *income, const struct sim_instrument *i, const struct sim_fill *fill)
{
    if (fill->pnl_e8 != 0) {
        income_row(income, i->symbol, "REALIZED_PNL", fill->pnl_e8, i->settle, fill->time_ns, fill->trade_id,
                   fill->trade_id);
    }
    income_row(income, i->symbol, "COMMISSION", -fill->fee_e8, fill->fee_asset, fill->time_ns, fill->trade_id,
               fill->trade_id);
}

/* The oldest first, of three histories that each are in order. */
static int income(struct bn_shell *shell, struct bn_call *call, struct sim_text *out)
{
    int status;
    int only = symbol_of(shell, call, false, out, &status), account = account_of(shell, call);
    struct income income = { .out = out, .type = bn_call_get(call, "incomeType") };
    struct sim_venue *venue = shell->venue;
    size_t fill_at = 0, payment_at = 0, transfer_at = 0;

    if (status != 0) {
        return status;
    }
    income.left = limit_of(call, 100);
    income.skip = (number(call, "page", 1) - 1) * income.left;
    span(call, &income.from_ns, &income.to_ns);
    sim_text_str(out, "[");
    for (;;) {
        const struct sim_fill *fill =
            fill_at < sim_venue_fill_count(venue) ? sim_venue_fill(venue, fill_at) : NULL;
        const struct sim_payment *payment =
            payment_at < sim_venue_payment_count(venue) ? sim_venue_payment(venue, payment_at) : NULL;
        const struct sim_transfer *transfer =
            transfer_at < sim_venue_transfer_count(venue) ? sim_venue_transfer(venue, transfer_at) : NULL;
        int64_t fill_ns = fill != NULL ? fill->time_ns : INT64_MAX;
        int64_t payment_ns = payment != NULL ? payment->time_ns : INT64_MAX;
        int64_t transfer_ns = transfer != NULL ? transfer->time_ns : INT64_MAX;

        if (fill == NULL && payment == NULL && transfer == NULL) {
            break;
        }
        if (transfer_ns <= fill_ns && transfer_ns <= payment_ns) {
            transfer_at++;
            if (transfer->account == account && transfer->kind == call->kind && only < 0) {
                income_row(&income, "", "TRANSFER", transfer->amount_e8, transfer->asset, transfer_ns,
                           transfer->id, 0);
            }
            continue;
        }
        bool take_fill = fill_ns <= payment_ns;
        int at = take_fill ? fill->instrument : payment->instrument;
        const struct sim_instrument *i = &sim_venue_market(venue, at)->instrument;

        *(take_fill ? &fill_at : &payment_at) += 1;
        if (i->kind != call->kind || (only >= 0 && only != at) ||
            (take_fill ? fill->account : payment->account) != account) {
            continue;
        }
        if (take_fill) {
            income_fill(&income, i, fill);
        } else {
            income_row(&income, i->symbol, "FUNDING_FEE", payment->amount_e8, i->settle, payment_ns,
                       payment->id, 0);
        }
    }
    sim_text_str(out, "]");
    return 200;
}

/* --- market data --------------------------------------------------------------------------------------- */

static int depth(struct bn_shell *shell, struct bn_call *call, struct sim_text *out)
{
    int status;
    int at = symbol_of(shell, call, true, out, &status);
    int64_t limit = number(call, "limit", call->kind == SIM_SPOT ? 100 : 500);
    static struct sim_level level[5000];

    if (at < 0) {
        return status;
    }
    const struct sim_market *market = sim_venue_market(shell->venue, at);
    const struct sim_instrument *i = &market->instrument;

    if (call->kind == SIM_SPOT) {
        limit = limit < 1 ? 1 : limit > 5000 ? 5000 : limit;
    } else if (limit != 5 && limit != 10 && limit != 20 && limit != 50 && limit != 100 && limit != 500 &&
               limit != 1000) {
        return bn_call_error(out, 400, -4021, "Invalid depth limit");
    }
    long long now_ms = (long long)(bn_shell_server_ns(shell) / 1000000);

    sim_text_add(out, "{\"lastUpdateId\":%lld", (long long)market->last_u);
    if (call->kind != SIM_SPOT) {
        sim_text_add(out, ",\"E\":%lld,\"T\":%lld", now_ms, now_ms);
    }
    if (call->kind == SIM_INVERSE) {
        sim_text_add(out, ",\"symbol\":\"%s\",\"pair\":\"%s\"", i->symbol, i->pair);
    }
    for (int side = 0; side < 2; side++) {
        size_t count = sim_venue_depth(shell->venue, at, side, level, (size_t)limit);
        sim_text_str(out, side == SIM_BUY ? ",\"bids\":" : ",\"asks\":");
        bn_text_levels(out, i, level, count, false);
    }
    sim_text_str(out, "}");
    return 200;
}

static void top_of(struct bn_shell *shell, int at, struct sim_level top[2])
{
    for (int side = 0; side < 2; side++) {
        if (sim_venue_depth(shell->venue, at, side, &top[side], 1) == 0) {
            top[side] = (struct sim_level){ 0, 0 };
        }
    }
}

/* per_symbol writes one object, or an array of all: COIN-M always answers an array. */
static int per_symbol(struct bn_shell *shell, struct bn_call *call, struct sim_text *out,
                      void (*write)(struct bn_shell *, int, struct sim_text *))
{
    int status;
    uint64_t wanted = wanted_of(shell, call, out, &status);
    bool first = true;

    if (status != 0) {
        return status;
    }
    if (bn_call_get(call, "symbol") != NULL && call->kind != SIM_INVERSE) {
        write(shell, __builtin_ctzll(wanted), out);
        return 200;
    }
    sim_text_str(out, "[");
    for (int at = 0; at < sim_venue_instrument_count(shell->venue); at++) {
        if (wanted >> at & 1) {
            sim_text_str(out, first ? "" : ",");
            first = false;
            write(shell, at, out);
        }
    }
    sim_text_str(out, "]");
    return 200;
}

/* statistics of a day, or of the window or day that is asked for: ours are all since the start. */
static int statistics(struct bn_shell *shell, struct bn_call *call, struct sim_text *out)
{
    const char *type = bn_call_get(call, "type");
    bool mini = call->kind == SIM_SPOT && type != NULL && strcmp(type, "MINI") == 0;
    bool window = call->method->what == BN_TICKER_WINDOW;

    if (window && bn_call_get(call, "symbol") == NULL && bn_call_get(call, "symbols") == NULL) {
        return missing(out, "symbol");
    }
    return per_symbol(shell, call, out, mini ? bn_day_mini : window ? bn_day_window : bn_day_ticker);
}

/* open_interest is what our accounts hold: the recording says nothing of others. */
static int open_interest(struct bn_shell *shell, struct bn_call *call, struct sim_text *out)
{
    int64_t sum = 0;
    int status, at = symbol_of(shell, call, true, out, &status);

    if (status != 0) {
        return status;
    }
    const struct sim_instrument *i = &sim_venue_market(shell->venue, at)->instrument;

    for (int account = 0; account < sim_venue_account_count(shell->venue); account++) {
        int64_t held = sim_venue_account(shell->venue, account)->holding[at].position.qty;
        sum += held < 0 ? -held : held;
    }
    sim_text_add(out, "{\"symbol\":\"%s\"", i->symbol);
    if (i->kind == SIM_INVERSE) {
        sim_text_add(out, ",\"pair\":\"%s\",\"contractType\":\"PERPETUAL\"", i->pair);
    }
    sim_text_str(out, ",\"openInterest\":");
    bn_text_qty(out, i, sum);
    sim_text_add(out, ",\"time\":%lld}", (long long)(bn_shell_server_ns(shell) / 1000000));
    return 200;
}

static int recent_trades(struct bn_shell *shell, struct bn_call *call, struct sim_text *out)
{
    const char *limit = bn_call_get(call, "limit");
    int count = limit == NULL ? 500 : atoi(limit), status;
    int at = symbol_of(shell, call, true, out, &status);

    if (status != 0) {
        return status;
    }
    if (count < 1 || count > BN_PRINT_MAX) {
        return bn_call_error(out, 400, -1130, "Data sent for parameter 'limit' is not valid.");
    }
    struct bn_window window = { .from_id = -1, .to_ns = INT64_MAX, .limit = count };

    if (call->method->what != BN_TRADES) {
        window.from_id = number(call, "fromId", -1);
    }
    if (call->method->what == BN_AGG_TRADES) {
        span(call, &window.from_ns, &window.to_ns);
    }
    bn_day_trades(out, shell, at, &window, call->method->what == BN_AGG_TRADES);
    return 200;
}

static int klines(struct bn_shell *shell, struct bn_call *call, struct sim_text *out)
{
    const char *name = bn_call_get(call, "interval"), *type = bn_call_get(call, "contractType");
    bool by_pair = call->method->path[3] == 'c';
    int64_t limit = number(call, "limit", 500), from_ns, to_ns;
    int status = 0;
    int at = by_pair ? pair_of(shell, call) : symbol_of(shell, call, true, out, &status);
    int interval = name == NULL ? -1 : bn_kline_interval(call->kind, name);

    if (status != 0) {
        return status;
    }
    if (by_pair && (bn_call_get(call, "pair") == NULL || type == NULL)) {
        return missing(out, type == NULL ? "contractType" : "pair");
    }
    if (at < 0) {
        return bn_call_error(out, 400, -1121, "Invalid symbol.");
    }
    if (interval < 0) {
        return name == NULL ? missing(out, "interval") : bn_call_error(out, 400, -1120, "Invalid interval.");
    }
    if (limit < 1 || limit > 1500) {
        return bn_call_error(out, 400, -1130, "Data sent for parameter 'limit' is not valid.");
    }
    if (by_pair && strcmp(type, "PERPETUAL") != 0) { /* no dated contract is listed here */
        sim_text_str(out, "[]");
        return 200;
    }
    limit = call->kind == SIM_SPOT && limit > 1000 ? 1000 : limit;
    span(call, &from_ns, &to_ns);
    bn_kline_list(out, shell, at, interval, from_ns, to_ns, (int)limit);
    return 200;
}

static void write_premium(struct bn_shell *shell, int at, struct sim_text *out)
{
    const struct sim_market *market = sim_venue_market(shell->venue, at);

    sim_text_add(out, "{\"symbol\":\"%s\"", market->instrument.symbol);
    if (market->instrument.kind == SIM_INVERSE) {
        sim_text_add(out, ",\"pair\":\"%s\"", market->instrument.pair);
    }
    sim_text_str(out, ",\"markPrice\":");
    bn_text_cash(out, market->mark_e8);
    sim_text_str(out, ",\"indexPrice\":");
    bn_text_cash(out, market->index_e8);
    sim_text_str(out, ",\"estimatedSettlePrice\":");
    bn_text_cash(out, market->index_e8);
    sim_text_str(out, ",\"lastFundingRate\":");
    bn_text_cash(out, market->funding_rate_e8);
    sim_text_add(out, ",\"interestRate\":\"0.00010000\",\"nextFundingTime\":%lld,\"time\":%lld}",
                 (long long)(market->next_funding_ns / 1000000),
                 (long long)(bn_shell_server_ns(shell) / 1000000));
}

static void write_price(struct bn_shell *shell, int at, struct sim_text *out)
{
    const struct sim_instrument *i = &sim_venue_market(shell->venue, at)->instrument;
    struct sim_level top[2];

    top_of(shell, at, top);
    sim_text_add(out, "{\"symbol\":\"%s\",\"price\":", i->symbol);
    bn_text_price(out, i, top[0].price);
    sim_text_add(out, ",\"time\":%lld}", (long long)(bn_shell_server_ns(shell) / 1000000));
}

static void write_book(struct bn_shell *shell, int at, struct sim_text *out)
{
    const struct sim_market *market = sim_venue_market(shell->venue, at);
    const struct sim_instrument *i = &market->instrument;
    struct sim_level top[2];

    top_of(shell, at, top);
    sim_text_add(out, "{\"symbol\":\"%s\",\"bidPrice\":", i->symbol);
    bn_text_price(out, i, top[0].price);
    sim_text_str(out, ",\"bidQty\":");
    bn_text_qty(out, i, top[0].qty);
    sim_text_str(out, ",\"askPrice\":");
    bn_text_price(out, i, top[1].price);
    sim_text_str(out, ",\"askQty\":");
    bn_text_qty(out, i, top[1].qty);
    sim_text_add(out, ",\"lastUpdateId\":%lld,\"time\":%lld}", (long long)market->last_u,
                 (long long)(bn_shell_server_ns(shell) / 1000000));
}

static int funding_rates(struct bn_shell *shell, struct bn_call *call, struct sim_text *out)
{
    int status;
    int only = symbol_of(shell, call, false, out, &status);
    int64_t limit = limit_of(call, 100), from_ns, to_ns;
    bool first = true;

    if (status != 0) {
        return status;
    }
    span(call, &from_ns, &to_ns);
    sim_text_str(out, "[");
    for (int at = 0; at < sim_venue_instrument_count(shell->venue); at++) {
        const struct sim_market *market = sim_venue_market(shell->venue, at);
        int64_t step = market->instrument.funding_interval_ns;

        if (market->instrument.kind != call->kind || (only >= 0 && at != only) || step == 0) {
            continue;
        }
        /* The rate is constant, so the past is known: settlements up to now, ascending. */
        int64_t last = market->next_funding_ns - step, count = limit;
        int64_t begin = last - (count - 1) * step;
        for (int64_t when = begin; when <= last; when += step) {
            if (when < from_ns || when > to_ns) {
                continue;
            }
            sim_text_add(out, "%s{\"symbol\":\"%s\",\"fundingRate\":", first ? "" : ",",
                         market->instrument.symbol);
            first = false;
            bn_text_cash(out, market->funding_rate_e8);
            sim_text_add(out, ",\"fundingTime\":%lld,\"markPrice\":", (long long)(when / 1000000));
            bn_text_cash(out, market->mark_e8);
            sim_text_str(out, "}");
        }
    }
    sim_text_str(out, "]");
    return 200;
}

static int funding_info(struct bn_shell *shell, struct bn_call *call, struct sim_text *out)
{
    bool first = true;

    sim_text_str(out, "[");
    for (int at = 0; at < sim_venue_instrument_count(shell->venue); at++) {
        const struct sim_instrument *i = &sim_venue_market(shell->venue, at)->instrument;
        int64_t hours = i->funding_interval_ns / INT64_C(3600000000000);
        /* Only adjusted symbols are listed; the usual 8 hours are not. */
        if (i->kind == call->kind && hours != 8 && hours > 0) {
            sim_text_add(out,
                         "%s{\"symbol\":\"%s\",\"adjustedFundingRateCap\":\"0.02500000\","
                         "\"adjustedFundingRateFloor\":\"-0.02500000\",\"fundingIntervalHours\":%lld,"
                         "\"disclaimer\":false}",
                         first ? "" : ",", i->symbol, (long long)hours);
            first = false;
        }
    }
    sim_text_str(out, "]");
    return 200;
}

/* --- account settings ---------------------------------------------------------------------------------- */

static int positions(struct bn_shell *shell, struct bn_call *call, struct sim_text *out)
{
    int status;
    int only = symbol_of(shell, call, false, out, &status);
    bool v3 = call->socket ? call->method->name[0] == 'v' : call->method->path[1] == '3';
    bool first = true;

    if (status != 0) {
        return status;
    }
    sim_text_str(out, "[");
    for (int at = 0; at < sim_venue_instrument_count(shell->venue); at++) {
        const struct sim_holding *holding =
            &sim_venue_account(shell->venue, account_of(shell, call))->holding[at];
        struct sim_order *open[1];

        if (sim_venue_market(shell->venue, at)->instrument.kind != call->kind || (only >= 0 && at != only)) {
            continue;
        }
        /* v3 lists only symbols with a position or an open order. */
        if (v3 && holding->position.qty == 0 &&
            sim_venue_open(shell->venue, account_of(shell, call), at, open, 1) == 0) {
            continue;
        }
        sim_text_str(out, first ? "" : ",");
        first = false;
        bn_text_position(out, shell, account_of(shell, call), at, v3, call->socket);
    }
    sim_text_str(out, "]");
    return 200;
}

static bool holds_anything(struct bn_shell *shell, int account, bool orders)
{
    for (int at = 0; at < sim_venue_instrument_count(shell->venue); at++) {
        struct sim_order *open[1];
        if (sim_venue_market(shell->venue, at)->instrument.kind == SIM_SPOT) {
            continue;
        }
        if (orders ? sim_venue_open(shell->venue, account, at, open, 1) != 0
                   : sim_venue_account(shell->venue, account)->holding[at].position.qty != 0) {
            return true;
        }
    }
    return false;
}

static int set_dual(struct bn_shell *shell, struct bn_call *call, struct sim_text *out)
{
    int account = account_of(shell, call);

    if (bn_call_get(call, "dualSidePosition") == NULL) {
        return missing(out, "dualSidePosition");
    }
    bool wanted = truth(call, "dualSidePosition");
    if (wanted == shell->hedge_mode[account]) {
        return bn_call_error(out, 400, -4059, "No need to change position side.");
    }
    if (holds_anything(shell, account, true)) {
        return bn_call_error(out, 400, -4067, "Position side cannot be changed if there exists open orders.");
    }
    if (holds_anything(shell, account, false)) {
        return bn_call_error(out, 400, -4068, "Position side cannot be changed if there exists position.");
    }
    shell->hedge_mode[account] = wanted; /* one switch for both products */
    sim_text_str(out, "{\"code\":200,\"msg\":\"success\"}");
    return 200;
}

static void write_config(struct bn_shell *shell, const struct bn_call *call, int at, struct sim_text *out)
{
    const struct sim_holding *holding =
        &sim_venue_account(shell->venue, account_of(shell, call))->holding[at];

    sim_text_add(out,
                 "{\"symbol\":\"%s\",\"marginType\":\"%s\",\"isAutoAddMargin\":false,\"leverage\":%d,"
                 "\"maxNotionalValue\":\"40000000\"}",
                 sim_venue_market(shell->venue, at)->instrument.symbol,
                 shell->options.is.isolated ? "ISOLATED" : "CROSSED", holding->leverage);
}

static void write_bracket(struct bn_shell *shell, const struct bn_call *call, int at, struct sim_text *out)
{
    const struct sim_instrument *i = &sim_venue_market(shell->venue, at)->instrument;
    bool inverse = i->kind == SIM_INVERSE;
    bool by_pair = inverse && call->method->path[1] == '1';
    char rate[80];

    sim_decimal_trim(rate, i->maintenance_rate_e8, 8);
    sim_text_add(out,
                 "{\"%s\":\"%s\",\"notionalCoef\":1.0,\"brackets\":[{\"bracket\":1,\"initialLeverage\":125,",
                 by_pair ? "pair" : "symbol", by_pair ? i->pair : i->symbol);
    sim_text_add(out, "\"%s\":%s,\"%s\":0,\"maintMarginRatio\":%s,\"cum\":0.0}]}",
                 inverse ? "qtyCap" : "notionalCap", inverse ? "1000" : "40000000",
                 inverse ? "qtyFloor" : "notionalFloor", rate);
}

static int listed(struct bn_shell *shell, struct bn_call *call, struct sim_text *out,
                  void (*write)(struct bn_shell *, const struct bn_call *, int, struct sim_text *))
{
    int status;
    int only = symbol_of(shell, call, false, out, &status);
    bool first = true;

    if (status != 0) {
        return status;
    }
    sim_text_str(out, "[");
    for (int at = 0; at < sim_venue_instrument_count(shell->venue); at++) {
        if (sim_venue_market(shell->venue, at)->instrument.kind == call->kind && (only < 0 || only == at)) {
            sim_text_str(out, first ? "" : ",");
            first = false;
            write(shell, call, at, out);
        }
    }
    sim_text_str(out, "]");
    return 200;
}

static void rate_text(struct sim_text *out, const char *name, int64_t rate_e8)
{
    char digits[80];

    sim_decimal_trim(digits, rate_e8, 8);
    sim_text_add(out, "\"%s\":\"%s\"", name, digits);
}

static int commission(struct bn_shell *shell, struct bn_call *call, struct sim_text *out)
{
    int status;
    int at = symbol_of(shell, call, true, out, &status);

    if (at < 0) {
        return status;
    }
    const struct sim_instrument *i = &sim_venue_market(shell->venue, at)->instrument;

    if (call->kind == SIM_SPOT) {
        sim_text_add(out, "{\"symbol\":\"%s\",\"standardCommission\":{", i->symbol);
        sim_text_str(out, "\"maker\":");
        bn_text_cash(out, i->maker_rate_e8);
        sim_text_str(out, ",\"taker\":");
        bn_text_cash(out, i->taker_rate_e8);
        sim_text_str(out,
                     ",\"buyer\":\"0.00000000\",\"seller\":\"0.00000000\"},\"taxCommission\":{"
                     "\"maker\":\"0.00000000\",\"taker\":\"0.00000000\",\"buyer\":\"0.00000000\","
                     "\"seller\":\"0.00000000\"},\"discount\":{\"enabledForAccount\":false,"
                     "\"enabledForSymbol\":false,\"discountAsset\":\"BNB\",\"discount\":\"0.75000000\"}}");
        return 200;
    }
    sim_text_add(out, "{\"symbol\":\"%s\",", i->symbol);
    rate_text(out, "makerCommissionRate", i->maker_rate_e8);
    sim_text_str(out, ",");
    rate_text(out, "takerCommissionRate", i->taker_rate_e8);
    sim_text_str(out, ",\"rpiCommissionRate\":\"0.00005\"}");
    return 200;
}

static void write_trade_fee(struct bn_shell *shell, const struct bn_call *call, int at, struct sim_text *out)
{
    const struct sim_instrument *i = &sim_venue_market(shell->venue, at)->instrument;

    (void)call;
    sim_text_add(out, "{\"symbol\":\"%s\",", i->symbol);
    rate_text(out, "makerCommission", i->maker_rate_e8);
    sim_text_str(out, ",");
    rate_text(out, "takerCommission", i->taker_rate_e8);
    sim_text_str(out, "}");
}

static int set_leverage(struct bn_shell *shell, struct bn_call *call, struct sim_text *out)
{
    int status;
    int at = symbol_of(shell, call, true, out, &status);
    int64_t leverage = number(call, "leverage", 0);

    if (at < 0) {
        return status;
    }
    if (leverage < 1 || leverage > 125) {
        return bn_call_error(out, 400, -4028, "Leverage %lld is not valid", (long long)leverage);
    }
    sim_venue_account(shell->venue, account_of(shell, call))->holding[at].leverage = (int)leverage;
    sim_text_add(out, "{\"leverage\":%lld,\"%s\":\"%s\",\"symbol\":\"%s\"}", (long long)leverage,
                 call->kind == SIM_INVERSE ? "maxQty" : "maxNotionalValue",
                 call->kind == SIM_INVERSE ? "1000" : "40000000",
                 sim_venue_market(shell->venue, at)->instrument.symbol);
    return 200;
}

static int set_margin_type(struct bn_shell *shell, struct bn_call *call, struct sim_text *out)
{
    int status;
    int at = symbol_of(shell, call, true, out, &status);
    const char *type = bn_call_get(call, "marginType");

    if (at < 0) {
        return status;
    }
    if (type == NULL) {
        return missing(out, "marginType");
    }
    if (strcmp(type, "CROSSED") == 0) {
        return bn_call_error(out, 400, -4046, "No need to change margin type.");
    }
    return bn_call_error(out, 400, -4168, "Unable to adjust to isolated-margin mode.");
}

static int countdown(struct bn_shell *shell, struct bn_call *call, struct sim_text *out)
{
    int status;
    int at = symbol_of(shell, call, true, out, &status);
    const char *text = bn_call_get(call, "countdownTime");
    int64_t ms;

    if (at < 0) {
        return status;
    }
    if (text == NULL || sim_decimal_parse(text, strlen(text), 0, &ms) != SIM_DECIMAL_OK || ms < 0) {
        return missing(out, "countdownTime");
    }
    sim_venue_countdown(shell->venue, account_of(shell, call), at,
                        ms == 0 ? 0 : shell->now_ns + ms * 1000000);
    sim_text_add(out, "{\"symbol\":\"%s\",\"countdownTime\":\"%lld\"}",
                 sim_venue_market(shell->venue, at)->instrument.symbol, (long long)ms);
    return 200;
}

/* --- streams and sessions ------------------------------------------------------------------------------ */

static int listen_key(struct bn_shell *shell, struct bn_call *call, struct sim_text *out)
{
    int at = -1;

    for (int i = 0; i < BN_LISTEN_MAX; i++) {
        const struct bn_listen *listen = &shell->listen[i];
        if (listen->expires_ns > shell->now_ns && listen->account == account_of(shell, call) &&
            listen->kind == call->kind) {
            at = i;
        }
    }
    if (call->method->what != BN_LISTEN_START && at < 0) {
        return bn_call_error(out, 400, -1125, "This listenKey does not exist.");
    }
    if (call->method->what == BN_LISTEN_STOP) {
        shell->listen[at].expires_ns = 0;
        sim_text_str(out, "{}");
        return 200;
    }
    if (at < 0) {
        at = bn_feed_listen_key(shell, account_of(shell, call), call->kind);
        if (at < 0) {
            return bn_call_error(out, 400, -1034, "Too many concurrent connections.");
        }
    }
    shell->listen[at].expires_ns = shell->now_ns + INT64_C(3600000000000);
    sim_text_add(out, "{\"listenKey\":\"%s\"}", shell->listen[at].key);
    return 200;
}

static void session_text(struct sim_text *out, struct bn_shell *shell, const struct bn_session *session)
{
    sim_text_str(out, "{\"apiKey\":");
    if (session->key >= 0) {
        sim_text_quote(out, shell->key[session->key].id);
        sim_text_add(out, ",\"authorizedSince\":%lld", (long long)(session->authorised_ns / 1000000));
    } else {
        sim_text_str(out, "null,\"authorizedSince\":null");
    }
    sim_text_add(
        out, ",\"connectedSince\":%lld,\"returnRateLimits\":%s,\"serverTime\":%lld,\"userDataStream\":%s}",
        (long long)(session->opened_ns / 1000000), session->show_limits ? "true" : "false",
        (long long)(bn_shell_server_ns(shell) / 1000000), session->user_account >= 0 ? "true" : "false");
}

static int subscribe(struct bn_shell *shell, struct bn_session *session, int account, struct sim_text *out)
{
    (void)shell;
    if (session->user_account == account) {
        return bn_call_error(out, 400, -2035, "User Data Stream subscription already active.");
    }
    session->user_account = account;
    session->user_id = session->next_user_id++;
    sim_text_add(out, "{\"subscriptionId\":%d}", session->user_id);
    return 200;
}

static int session_call(struct bn_shell *shell, struct bn_call *call, struct sim_text *out)
{
    struct bn_session *session = sim_net_session(shell->net, call->conn);

    if (session == NULL) {
        return 200; /* gone meanwhile: nobody will read this */
    }
    switch (call->method->what) {
    case BN_LOGON:
        session->key = call->key;
        session->authorised_ns = shell->now_ns;
        session_text(out, shell, session);
        return 200;
    case BN_LOGOUT:
        session->key = -1;
        session->user_account = -1;
        session_text(out, shell, session);
        return 200;
    case BN_STATUS:
        session_text(out, shell, session);
        return 200;
    case BN_SUBSCRIBE:
        if (session->key < 0) {
            return bn_call_error(out, 401, -2015, "Invalid API-key, IP, or permissions for action.");
        }
        return subscribe(shell, session, shell->key[session->key].account, out);
    case BN_SUBSCRIBE_SIGNED:
        return subscribe(shell, session, account_of(shell, call), out);
    case BN_UNSUBSCRIBE: {
        const char *id = bn_call_get(call, "subscriptionId");
        if (session->user_account < 0 || (id != NULL && atoi(id) != session->user_id)) {
            return bn_call_error(out, 400, -2036, "User Data Stream subscription not active.");
        }
        session->user_account = -1;
        sim_text_str(out, "{}");
        return 200;
    }
    default:
        sim_text_str(out, "[");
        if (session->user_account >= 0) {
            sim_text_add(out, "{\"subscriptionId\":%d}", session->user_id);
        }
        sim_text_str(out, "]");
        return 200;
    }
}

/* --- the switch ---------------------------------------------------------------------------------------- */

int bn_call_run(struct bn_shell *shell, struct bn_call *call, struct sim_text *out)
{
    bool v3 = call->method->path != NULL && call->method->path[1] == '3';
    int account = call->key >= 0 ? account_of(shell, call) : -1;

    switch (call->method->what) {
    case BN_PING:
        sim_text_str(out, "{}");
        return 200;
    case BN_TIME:
        sim_text_add(out, "{\"serverTime\":%lld}", (long long)(bn_shell_server_ns(shell) / 1000000));
        return 200;
    case BN_EXCHANGE_INFO: {
        int status;
        uint64_t wanted = wanted_of(shell, call, out, &status);
        if (status == 0) {
            bn_text_exchange_info(out, shell, call->kind, wanted);
        }
        return status == 0 ? 200 : status;
    }
    case BN_DEPTH:
        return depth(shell, call, out);
    case BN_TICKER_PRICE:
        return per_symbol(shell, call, out, write_price);
    case BN_TICKER_BOOK:
        return per_symbol(shell, call, out, write_book);
    case BN_TICKER_DAY:
    case BN_TICKER_WINDOW:
        return statistics(shell, call, out);
    case BN_OPEN_INTEREST:
        return open_interest(shell, call, out);
    case BN_TRADES:
    case BN_AGG_TRADES:
    case BN_OLD_TRADES:
        return recent_trades(shell, call, out);
    case BN_KLINES:
        return klines(shell, call, out);
    case BN_AVERAGE_PRICE: {
        int status;
        int at = symbol_of(shell, call, true, out, &status);
        if (status == 0) {
            bn_kline_average(out, shell, at);
        }
        return status == 0 ? 200 : status;
    }
    case BN_PREMIUM_INDEX:
        return per_symbol(shell, call, out, write_premium);
    case BN_FUNDING_INFO:
        return funding_info(shell, call, out);
    case BN_FUNDING_RATE:
        return funding_rates(shell, call, out);
    case BN_PLACE:
        return place_order(shell, call, out, false);
    case BN_PLACE_TEST:
        return place_order(shell, call, out, true);
    case BN_MODIFY:
        return modify_order(shell, call, out);
    case BN_CANCEL:
        return cancel_order(shell, call, out);
    case BN_QUERY:
        return query_order(shell, call, out, false);
    case BN_OPEN_ORDER:
        return query_order(shell, call, out, true);
    case BN_BATCH_PLACE:
    case BN_BATCH_MODIFY:
        return batch(shell, call, out, call->method->what);
    case BN_BATCH_CANCEL:
        return batch_cancel(shell, call, out);
    case BN_CANCEL_ALL:
        return cancel_all(shell, call, out);
    case BN_OPEN_ORDERS:
        return open_orders(shell, call, out);
    case BN_ALL_ORDERS:
        return all_orders(shell, call, out);
    case BN_USER_TRADES:
        return user_trades(shell, call, out);
    case BN_POSITION_RISK:
        return positions(shell, call, out);
    case BN_ACCOUNT:
        bn_text_account(out, shell, account, call->kind, v3, truth(call, "omitZeroBalances"));
        return 200;
    case BN_BALANCE:
        bn_text_balances(out, shell, account, call->kind);
        return 200;
    case BN_LISTEN_START:
    case BN_LISTEN_PING:
    case BN_LISTEN_STOP:
        return listen_key(shell, call, out);
    case BN_DUAL_GET:
        sim_text_add(out, "{\"dualSidePosition\":%s}",
                     shell->hedge_mode[account] || shell->options.is.hedge ? "true" : "false");
        return 200;
    case BN_DUAL_SET:
        return set_dual(shell, call, out);
    case BN_MULTI_GET:
        sim_text_add(out, "{\"multiAssetsMargin\":%s}", shell->options.is.multi_assets ? "true" : "false");
        return 200;
    case BN_MULTI_SET:
        return truth(call, "multiAssetsMargin")
                   ? bn_call_error(out, 400, -4170, "Unable to change multi-assets mode.")
                   : bn_call_error(out, 400, -4171, "No need to change multi-assets mode.");
    case BN_SYMBOL_CONFIG:
        return listed(shell, call, out, write_config);
    case BN_LEVERAGE_BRACKET:
        return listed(shell, call, out, write_bracket);
    case BN_ACCOUNT_CONFIG:
        sim_text_add(out,
                     "{\"feeTier\":0,\"canTrade\":%s,\"canDeposit\":true,\"canWithdraw\":false,"
                     "\"dualSidePosition\":%s,\"updateTime\":0,\"multiAssetsMargin\":%s,\"tradeGroupId\":-1}",
                     shell->options.is.no_trade ? "false" : "true",
                     shell->hedge_mode[account] || shell->options.is.hedge ? "true" : "false",
                     shell->options.is.multi_assets ? "true" : "false");
        return 200;
    case BN_COMMISSION_RATE:
        return commission(shell, call, out);
    case BN_LEVERAGE_SET:
        return set_leverage(shell, call, out);
    case BN_MARGIN_TYPE_SET:
        return set_margin_type(shell, call, out);
    case BN_COUNTDOWN:
        return countdown(shell, call, out);
    case BN_INCOME:
        return income(shell, call, out);
    case BN_RATE_LIMIT_ORDER: {
        struct sim_text all = { 0 };
        bn_text_rate_limits(&all, call->kind, shell, account, true);
        char *rest = strstr(all.data, "},{"); /* the order counters come after the weight */
        sim_text_add(out, "[%s", rest == NULL ? "]" : rest + 2);
        sim_text_free(&all);
        return 200;
    }
    case BN_CANCEL_REPLACE:
        return cancel_replace(shell, call, out);
    case BN_AMEND_KEEP:
        return amend_keep(shell, call, out);
    case BN_AMENDMENTS:
        return amendments(shell, call, out);
    case BN_TRADE_FEE:
        return listed(shell, call, out, write_trade_fee);
    case BN_EMPTY_LIST:
        sim_text_str(out, "[]");
        return 200;
    case BN_SYSTEM_STATUS:
        sim_text_str(out, "{\"status\":0,\"msg\":\"normal\"}");
        return 200;
    case BN_API_RESTRICTIONS:
        sim_text_add(
            out,
            "{\"ipRestrict\":false,\"createTime\":%lld,\"enableReading\":true,\"enableWithdrawals\":%s,"
            "\"enableInternalTransfer\":false,\"enableMargin\":false,\"enableFutures\":true,"
            "\"permitsUniversalTransfer\":false,\"enableVanillaOptions\":false,"
            "\"enableSpotAndMarginTrading\":true}",
            (long long)(shell->now_ns / 1000000) - 86400000, shell->options.is.withdraw ? "true" : "false");
        return 200;
    default:
        return session_call(shell, call, out);
    }
}
