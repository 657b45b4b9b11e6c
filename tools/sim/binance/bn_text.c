#include "tools/sim/binance/bn_state.h"

#include "tools/sim/model/sim_decimal.h"

#include <string.h>

/* Numbers as the venue prints them: spot pads everything to 8 decimals, futures to the symbol's precision. */
int bn_text_price_show(const struct sim_instrument *instrument)
{
    return instrument->kind == SIM_SPOT ? 8 : instrument->price_decimals;
}

int bn_text_qty_show(const struct sim_instrument *instrument)
{
    return instrument->kind == SIM_SPOT ? 8 : instrument->qty_decimals;
}

void bn_text_price(struct sim_text *out, const struct sim_instrument *instrument, int64_t price)
{
    sim_text_put(out, "\"", 1);
    sim_text_decimal(out, price, instrument->price_decimals, bn_text_price_show(instrument));
    sim_text_put(out, "\"", 1);
}

void bn_text_qty(struct sim_text *out, const struct sim_instrument *instrument, int64_t qty)
{
    sim_text_put(out, "\"", 1);
    sim_text_decimal(out, qty, instrument->qty_decimals, bn_text_qty_show(instrument));
    sim_text_put(out, "\"", 1);
}

void bn_text_cash(struct sim_text *out, int64_t cash_e8)
{
    sim_text_put(out, "\"", 1);
    sim_text_decimal(out, cash_e8, 8, 8);
    sim_text_put(out, "\"", 1);
}

static void trimmed(struct sim_text *out, int64_t value_e8)
{
    char digits[80];

    sim_text_put(out, "\"", 1);
    sim_text_put(out, digits, sim_decimal_trim(digits, value_e8, 8));
    sim_text_put(out, "\"", 1);
}

static void field(struct sim_text *out, const char *name)
{
    sim_text_add(out, ",\"%s\":", name);
}

static void price_field(struct sim_text *out, const char *name, const struct sim_instrument *instrument,
                        int64_t price)
{
    field(out, name);
    bn_text_price(out, instrument, price);
}

static void qty_field(struct sim_text *out, const char *name, const struct sim_instrument *instrument,
                      int64_t qty)
{
    field(out, name);
    bn_text_qty(out, instrument, qty);
}

static void cash_field(struct sim_text *out, const char *name, int64_t cash_e8)
{
    field(out, name);
    bn_text_cash(out, cash_e8);
}

const char *bn_text_side(enum sim_side side)
{
    return side == SIM_BUY ? "BUY" : "SELL";
}

const char *bn_text_state(enum sim_order_state state)
{
    static const char *const names[] = { "NEW",      "PARTIALLY_FILLED", "FILLED",
                                         "CANCELED", "EXPIRED",          "EXPIRED_IN_MATCH" };
    return names[state];
}

const char *bn_text_stp(enum sim_stp stp)
{
    static const char *const names[] = { "NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH" };
    return names[stp];
}

const char *bn_text_tif(const struct sim_instrument *instrument, const struct sim_order *order)
{
    if (order->post_only && instrument->kind != SIM_SPOT) {
        return "GTX";
    }
    static const char *const names[] = { "GTC", "IOC", "FOK", "GTD" };
    return order->market ? "GTC" : names[order->tif];
}

const char *bn_text_type(const struct sim_instrument *instrument, const struct sim_order *order)
{
    if (order->market) {
        return "MARKET";
    }
    return order->post_only && instrument->kind == SIM_SPOT ? "LIMIT_MAKER" : "LIMIT";
}

void bn_text_levels(struct sim_text *out, const struct sim_instrument *instrument,
                    const struct sim_level *level, size_t count, bool descending)
{
    sim_text_put(out, "[", 1);
    for (size_t i = 0; i < count; i++) {
        const struct sim_level *one = &level[descending ? count - 1 - i : i];
        char digits[160];
        size_t n = 0;

        digits[n++] = i > 0 ? ',' : ' ';
        digits[n++] = '[';
        digits[n++] = '"';
        n += sim_decimal_print(digits + n, one->price, instrument->price_decimals,
                               bn_text_price_show(instrument));
        memcpy(digits + n, "\",\"", 3);
        n += 3;
        n += sim_decimal_print(digits + n, one->qty, instrument->qty_decimals, bn_text_qty_show(instrument));
        memcpy(digits + n, "\"]", 2);
        n += 2;
        size_t skip = i > 0 ? 0 : 1;
        sim_text_put(out, digits + skip, n - skip);
    }
    sim_text_put(out, "]", 1);
}

static const struct sim_instrument *of(struct bn_shell *shell, int instrument)
{
    return &sim_venue_market(shell->venue, instrument)->instrument;
}

static const char *flag(bool value)
{
    return value ? "true" : "false";
}

/* average answers the order's average fill price at 10^-8. */
static int64_t average_e8(const struct sim_instrument *instrument, const struct sim_order *order)
{
    return sim_ledger_entry(instrument, &order->filled_sum);
}

/* --- orders ------------------------------------------------------------------------------------------- */

void bn_text_order(struct sim_text *out, struct bn_shell *shell, const struct sim_order *order, bool query,
                   bool ack)
{
    const struct sim_instrument *i = of(shell, order->instrument);
    int64_t filled = ack ? 0 : order->filled;

    sim_text_add(out, "{\"orderId\":%llu,\"symbol\":\"%s\"", (unsigned long long)order->id, i->symbol);
    if (i->kind == SIM_INVERSE) {
        sim_text_add(out, ",\"pair\":\"%s\"", i->pair);
    }
    sim_text_add(out, ",\"status\":\"%s\",\"clientOrderId\":", ack ? "NEW" : bn_text_state(order->state));
    sim_text_quote(out, order->client_id);
    price_field(out, "price", i, order->price);
    if (query) {
        field(out, "avgPrice");
        trimmed(out, average_e8(i, order));
    }
    qty_field(out, "origQty", i, order->qty);
    qty_field(out, "executedQty", i, filled);
    if (query) {
        field(out, i->kind == SIM_INVERSE ? "cumBase" : "cumQuote");
        bn_text_cash(out, (int64_t)(order->filled_sum.basis_e16 / SIM_CASH_ONE));
    } else {
        qty_field(out, "cumQty", i, filled);
    }
    sim_text_add(
        out,
        ",\"timeInForce\":\"%s\",\"type\":\"%s\",\"reduceOnly\":%s,\"closePosition\":false,\"side\":\"%s\","
        "\"positionSide\":\"BOTH\",\"stopPrice\":\"0\",\"workingType\":\"CONTRACT_PRICE\","
        "\"priceProtect\":false,\"origType\":\"%s\",\"priceMatch\":\"NONE\","
        "\"selfTradePreventionMode\":\"%s\",\"goodTillDate\":%lld",
        bn_text_tif(i, order), bn_text_type(i, order), flag(order->reduce_only), bn_text_side(order->side),
        bn_text_type(i, order), bn_text_stp(order->stp), (long long)(order->good_till_ns / 1000000));
    if (query) {
        sim_text_add(out, ",\"time\":%lld", (long long)(order->created_ns / 1000000));
    }
    sim_text_add(out, ",\"updateTime\":%lld}", (long long)(order->updated_ns / 1000000));
}

static void spot_common(struct sim_text *out, const struct sim_instrument *i, const struct sim_order *order)
{
    price_field(out, "price", i, order->price);
    qty_field(out, "origQty", i, order->qty);
    qty_field(out, "executedQty", i, order->filled);
    sim_text_str(out, ",\"origQuoteOrderQty\":\"0.00000000\"");
    cash_field(out, "cummulativeQuoteQty", (int64_t)(order->filled_sum.basis_e16 / SIM_CASH_ONE));
    sim_text_add(out, ",\"status\":\"%s\",\"timeInForce\":\"%s\",\"type\":\"%s\",\"side\":\"%s\"",
                 bn_text_state(order->state), bn_text_tif(i, order), bn_text_type(i, order),
                 bn_text_side(order->side));
}

void bn_text_spot_order(struct sim_text *out, struct bn_shell *shell, const struct sim_order *order)
{
    const struct sim_instrument *i = of(shell, order->instrument);

    sim_text_add(out, "{\"symbol\":\"%s\",\"orderId\":%llu,\"orderListId\":-1,\"clientOrderId\":", i->symbol,
                 (unsigned long long)order->id);
    sim_text_quote(out, order->client_id);
    spot_common(out, i, order);
    sim_text_add(
        out,
        ",\"stopPrice\":\"0.00000000\",\"icebergQty\":\"0.00000000\",\"time\":%lld,\"updateTime\":%lld,"
        "\"isWorking\":%s,\"workingTime\":%lld,\"selfTradePreventionMode\":\"%s\"}",
        (long long)(order->created_ns / 1000000), (long long)(order->updated_ns / 1000000),
        flag(sim_venue_live(order)), (long long)(order->created_ns / 1000000), bn_text_stp(order->stp));
}

void bn_text_spot_reply(struct sim_text *out, struct bn_shell *shell, const struct sim_order *order,
                        const char *detail, size_t first_fill)
{
    const struct sim_instrument *i = of(shell, order->instrument);
    bool first = true;

    sim_text_add(out, "{\"symbol\":\"%s\",\"orderId\":%llu,\"orderListId\":-1,\"clientOrderId\":", i->symbol,
                 (unsigned long long)order->id);
    sim_text_quote(out, order->client_id);
    sim_text_add(out, ",\"transactTime\":%lld", (long long)(order->created_ns / 1000000));
    if (strcmp(detail, "ACK") == 0) {
        sim_text_str(out, "}");
        return;
    }
    spot_common(out, i, order);
    sim_text_add(out, ",\"workingTime\":%lld,\"selfTradePreventionMode\":\"%s\"",
                 (long long)(order->created_ns / 1000000), bn_text_stp(order->stp));
    if (strcmp(detail, "FULL") == 0) {
        sim_text_str(out, ",\"fills\":[");
        for (size_t k = first_fill; k < sim_venue_fill_count(shell->venue); k++) {
            const struct sim_fill *fill = sim_venue_fill(shell->venue, k);
            if (fill->order_id != order->id || fill->instrument != order->instrument) {
                continue;
            }
            sim_text_str(out, first ? "{\"price\":" : ",{\"price\":");
            first = false;
            bn_text_price(out, i, fill->price);
            qty_field(out, "qty", i, fill->qty);
            cash_field(out, "commission", fill->fee_e8);
            sim_text_add(out, ",\"commissionAsset\":\"%s\",\"tradeId\":%lld}", fill->fee_asset,
                         (long long)fill->trade_id);
        }
        sim_text_str(out, "]");
    }
    sim_text_str(out, "}");
}

void bn_text_spot_cancel(struct sim_text *out, struct bn_shell *shell, const struct sim_order *order,
                         const char *cancel_id)
{
    const struct sim_instrument *i = of(shell, order->instrument);

    sim_text_add(out, "{\"symbol\":\"%s\",\"origClientOrderId\":", i->symbol);
    sim_text_quote(out, order->client_id);
    sim_text_add(out,
                 ",\"orderId\":%llu,\"orderListId\":-1,\"clientOrderId\":", (unsigned long long)order->id);
    sim_text_quote(out, cancel_id);
    sim_text_add(out, ",\"transactTime\":%lld", (long long)(order->updated_ns / 1000000));
    spot_common(out, i, order);
    sim_text_add(out, ",\"selfTradePreventionMode\":\"%s\"}", bn_text_stp(order->stp));
}

void bn_text_fill(struct sim_text *out, struct bn_shell *shell, const struct sim_fill *fill)
{
    const struct sim_instrument *i = of(shell, fill->instrument);
    bool buys = fill->side == SIM_BUY;

    sim_text_add(out, "{\"symbol\":\"%s\",\"id\":%lld,\"orderId\":%llu", i->symbol, (long long)fill->trade_id,
                 (unsigned long long)fill->order_id);
    if (i->kind == SIM_SPOT) {
        sim_text_str(out, ",\"orderListId\":-1");
    } else {
        if (i->kind == SIM_INVERSE) {
            sim_text_add(out, ",\"pair\":\"%s\"", i->pair);
        }
        sim_text_add(out, ",\"side\":\"%s\"", bn_text_side(fill->side));
    }
    price_field(out, "price", i, fill->price);
    qty_field(out, "qty", i, fill->qty);
    cash_field(out, i->kind == SIM_INVERSE ? "baseQty" : "quoteQty", fill->value_e8);
    if (i->kind != SIM_SPOT) {
        cash_field(out, "realizedPnl", fill->pnl_e8);
        sim_text_add(out, ",\"marginAsset\":\"%s\"", i->settle);
    }
    cash_field(out, "commission", fill->fee_e8);
    sim_text_add(out, ",\"commissionAsset\":\"%s\",\"time\":%lld", fill->fee_asset,
                 (long long)(fill->time_ns / 1000000));
    if (i->kind == SIM_SPOT) {
        sim_text_add(out, ",\"isBuyer\":%s,\"isMaker\":%s,\"isBestMatch\":true}", flag(buys),
                     flag(fill->maker));
    } else {
        sim_text_add(out, ",\"positionSide\":\"BOTH\",\"buyer\":%s,\"maker\":%s}", flag(buys),
                     flag(fill->maker));
    }
}

/* --- accounts ----------------------------------------------------------------------------------------- */

/* side_notional_e8 answers the notional of an account's open orders on a side. */
static int64_t side_notional_e8(struct bn_shell *shell, int account, int instrument, enum sim_side side)
{
    const struct sim_instrument *i = of(shell, instrument);
    struct sim_order *open[512];
    size_t count = sim_venue_open(shell->venue, account, instrument, open, 512);
    __int128 sum = 0;

    for (size_t k = 0; k < count; k++) {
        if (open[k]->side == side) {
            sum += sim_ledger_value(i, open[k]->qty - open[k]->filled, open[k]->price);
        }
    }
    return (int64_t)(sum / SIM_CASH_ONE);
}

struct own { /* what one account has at one instrument, in numbers of the replies */
    int64_t notional_e8, unrealised_e8, entry_e8, even_e8, initial_e8, maintenance_e8, liquidation_e8;
};

static struct own own_of(struct bn_shell *shell, int account, int instrument)
{
    struct sim_market *market = sim_venue_market(shell->venue, instrument);
    const struct sim_instrument *i = &market->instrument;
    const struct sim_holding *holding = &sim_venue_account(shell->venue, account)->holding[instrument];
    int64_t qty = holding->position.qty, held = qty < 0 ? -qty : qty;
    struct own own = { 0 };

    if (held == 0) {
        return own;
    }
    int64_t value = (int64_t)(sim_ledger_value_at(i, held, market->mark_e8) / SIM_CASH_ONE);
    own.notional_e8 = qty < 0 ? -value : value;
    own.unrealised_e8 = sim_venue_unrealised(shell->venue, account, instrument);
    own.entry_e8 = sim_ledger_entry(i, &holding->position);
    own.initial_e8 = value / holding->leverage;
    own.maintenance_e8 = (int64_t)((__int128)value * i->maintenance_rate_e8 / SIM_CASH_ONE);
    int64_t fee_e8 = (int64_t)((__int128)own.entry_e8 * i->taker_rate_e8 / SIM_CASH_ONE);
    own.even_e8 = qty > 0 ? own.entry_e8 + fee_e8 : own.entry_e8 - fee_e8;

    /* Linear, one symbol: the mark at which equity equals maintenance.  Shown for information only; the model
     * liquidates by its own check of the whole wallet. */
    struct sim_cash *cash = sim_venue_cash(shell->venue, account, i->kind, i->settle);
    if (i->kind == SIM_LINEAR) {
        __int128 equity = (__int128)cash->free_e8 + own.unrealised_e8 - own.maintenance_e8;
        __int128 move = equity * sim_decimal_power(i->qty_decimals) / held;
        __int128 at = qty > 0 ? market->mark_e8 - move : market->mark_e8 + move;
        own.liquidation_e8 = at > 0 ? (int64_t)at : 0;
    }
    return own;
}

void bn_text_position(struct sim_text *out, struct bn_shell *shell, int account, int instrument, bool v3,
                      bool socket)
{
    struct sim_market *market = sim_venue_market(shell->venue, instrument);
    const struct sim_instrument *i = &market->instrument;
    const struct sim_holding *holding = &sim_venue_account(shell->venue, account)->holding[instrument];
    struct own own = own_of(shell, account, instrument);
    long long updated = (long long)(holding->updated_ns / 1000000);

    sim_text_add(out, "{\"symbol\":\"%s\",\"positionSide\":\"BOTH\"", i->symbol);
    qty_field(out, "positionAmt", i, holding->position.qty);
    field(out, "entryPrice");
    trimmed(out, own.entry_e8);
    field(out, "breakEvenPrice");
    trimmed(out, own.even_e8);
    cash_field(out, "markPrice", market->mark_e8);
    cash_field(out, socket ? "unrealizedProfit" : "unRealizedProfit", own.unrealised_e8);
    field(out, "liquidationPrice");
    trimmed(out, own.liquidation_e8);
    sim_text_str(out, ",\"isolatedMargin\":\"0\"");
    cash_field(out, i->kind == SIM_INVERSE ? "notionalValue" : "notional", own.notional_e8);
    if (v3 || socket) {
        int64_t bid = side_notional_e8(shell, account, instrument, SIM_BUY);
        int64_t ask = side_notional_e8(shell, account, instrument, SIM_SELL);
        int64_t open = (bid > ask ? bid : ask) / holding->leverage;

        sim_text_add(out, ",\"marginAsset\":\"%s\",\"isolatedWallet\":\"0\"", i->settle);
        cash_field(out, "initialMargin", own.initial_e8 + open);
        cash_field(out, "maintMargin", own.maintenance_e8);
        cash_field(out, "positionInitialMargin", own.initial_e8);
        cash_field(out, "openOrderInitialMargin", open);
        sim_text_str(out, ",\"adl\":0");
        cash_field(out, "bidNotional", bid);
        cash_field(out, "askNotional", ask);
    } else {
        sim_text_add(
            out, ",\"leverage\":\"%d\",\"%s\":\"%s\",\"marginType\":\"%s\",\"isAutoAddMargin\":\"false\"",
            holding->leverage, i->kind == SIM_INVERSE ? "maxQty" : "maxNotionalValue",
            i->kind == SIM_INVERSE ? "1000" : "40000000", shell->options.is.isolated ? "isolated" : "cross");
        if (i->kind == SIM_LINEAR) {
            sim_text_str(out, ",\"isolatedWallet\":\"0\"");
        }
    }
    sim_text_add(out, ",\"updateTime\":%lld}", updated);
}

static int64_t unrealised_of(struct bn_shell *shell, int account, enum sim_kind kind, const char *asset)
{
    int64_t sum = 0;

    for (int k = 0; k < sim_venue_instrument_count(shell->venue); k++) {
        const struct sim_instrument *i = of(shell, k);
        if (i->kind == kind && strcmp(i->settle, asset) == 0) {
            sum += sim_venue_unrealised(shell->venue, account, k);
        }
    }
    return sum;
}

static int64_t available_e8(int64_t wallet, int64_t unrealised, int64_t position, int64_t orders)
{
    int64_t left = wallet + unrealised - position - orders;

    return left > 0 ? left : 0;
}

void bn_text_balances(struct sim_text *out, struct bn_shell *shell, int account, enum sim_kind kind)
{
    struct sim_wallet *wallet = &sim_venue_account(shell->venue, account)->wallet[kind];

    sim_text_str(out, "[");
    for (int k = 0; k < wallet->count; k++) {
        const struct sim_cash *cash = &wallet->cash[k];
        int64_t unrealised = unrealised_of(shell, account, kind, cash->asset), position, orders;

        sim_venue_margin(shell->venue, account, kind, cash->asset, &position, &orders, NULL);
        int64_t available = available_e8(cash->free_e8, unrealised, position, orders);
        sim_text_add(out, "%s{\"accountAlias\":\"SgsR\",\"asset\":\"%s\"", k > 0 ? "," : "", cash->asset);
        cash_field(out, "balance", cash->free_e8);
        if (kind == SIM_INVERSE) {
            cash_field(out, "withdrawAvailable", available < cash->free_e8 ? available : cash->free_e8);
        }
        cash_field(out, "crossWalletBalance", cash->free_e8);
        cash_field(out, "crossUnPnl", unrealised);
        cash_field(out, "availableBalance", available);
        if (kind == SIM_LINEAR) {
            cash_field(out, "maxWithdrawAmount", available < cash->free_e8 ? available : cash->free_e8);
            sim_text_str(out, ",\"marginAvailable\":true");
        }
        sim_text_add(out, ",\"updateTime\":%lld}", (long long)(wallet->updated_ns / 1000000));
    }
    sim_text_str(out, "]");
}

static void spot_account(struct sim_text *out, struct bn_shell *shell, int account, bool omit_zero)
{
    struct sim_wallet *wallet = &sim_venue_account(shell->venue, account)->wallet[SIM_SPOT];
    bool first = true;

    sim_text_add(
        out,
        "{\"makerCommission\":10,\"takerCommission\":10,\"buyerCommission\":0,\"sellerCommission\":0,"
        "\"commissionRates\":{\"maker\":\"0.00100000\",\"taker\":\"0.00100000\",\"buyer\":\"0.00000000\","
        "\"seller\":\"0.00000000\"},\"canTrade\":%s,\"canWithdraw\":false,\"canDeposit\":true,"
        "\"brokered\":false,\"requireSelfTradePrevention\":false,\"preventSor\":false,\"updateTime\":%lld,"
        "\"accountType\":\"SPOT\",\"balances\":[",
        shell->options.is.no_trade ? "false" : "true", (long long)(wallet->updated_ns / 1000000));
    for (int k = 0; k < wallet->count; k++) {
        const struct sim_cash *cash = &wallet->cash[k];
        if (omit_zero && cash->free_e8 == 0 && cash->locked_e8 == 0) {
            continue;
        }
        sim_text_add(out, "%s{\"asset\":\"%s\"", first ? "" : ",", cash->asset);
        first = false;
        cash_field(out, "free", cash->free_e8);
        cash_field(out, "locked", cash->locked_e8);
        sim_text_str(out, "}");
    }
    sim_text_add(out, "],\"permissions\":[\"SPOT\"],\"uid\":%d}", 354937868 + account);
}

void bn_text_account(struct sim_text *out, struct bn_shell *shell, int account, enum sim_kind kind, bool v3,
                     bool omit_zero)
{
    struct sim_wallet *wallet = &sim_venue_account(shell->venue, account)->wallet[kind];
    int64_t total_wallet = 0, total_unrealised = 0, total_position = 0, total_orders = 0,
            total_maintenance = 0;
    bool first = true;

    if (kind == SIM_SPOT) {
        spot_account(out, shell, account, omit_zero);
        return;
    }
    sim_text_str(out, "{");
    if (!v3) {
        sim_text_add(out,
                     "\"feeTier\":0,\"canTrade\":%s,\"canDeposit\":true,\"canWithdraw\":false,"
                     "\"updateTime\":0,",
                     shell->options.is.no_trade ? "false" : "true");
    }
    if (kind == SIM_LINEAR && !v3) {
        sim_text_str(out, "\"multiAssetsMargin\":false,\"tradeGroupId\":-1,");
    }
    sim_text_str(out, "\"assets\":[");
    for (int k = 0; k < wallet->count; k++) {
        const struct sim_cash *cash = &wallet->cash[k];
        int64_t unrealised = unrealised_of(shell, account, kind, cash->asset);
        int64_t position, orders, maintenance;

        sim_venue_margin(shell->venue, account, kind, cash->asset, &position, &orders, &maintenance);
        int64_t available = available_e8(cash->free_e8, unrealised, position, orders);
        if (strcmp(cash->asset, "USDT") == 0) {
            total_wallet += cash->free_e8;
            total_unrealised += unrealised;
            total_position += position;
            total_orders += orders;
            total_maintenance += maintenance;
        }
        sim_text_add(out, "%s{\"asset\":\"%s\"", k > 0 ? "," : "", cash->asset);
        cash_field(out, "walletBalance", cash->free_e8);
        cash_field(out, "unrealizedProfit", unrealised);
        cash_field(out, "marginBalance", cash->free_e8 + unrealised);
        cash_field(out, "maintMargin", maintenance);
        cash_field(out, "initialMargin", position + orders);
        cash_field(out, "positionInitialMargin", position);
        cash_field(out, "openOrderInitialMargin", orders);
        cash_field(out, "crossWalletBalance", cash->free_e8);
        cash_field(out, "crossUnPnl", unrealised);
        cash_field(out, "availableBalance", available);
        cash_field(out, "maxWithdrawAmount", available);
        if (!v3 && kind == SIM_LINEAR) {
            sim_text_str(out, ",\"marginAvailable\":true");
        }
        sim_text_add(out, ",\"updateTime\":%lld}", (long long)(wallet->updated_ns / 1000000));
    }
    sim_text_str(out, "],\"positions\":[");
    for (int k = 0; k < sim_venue_instrument_count(shell->venue); k++) {
        const struct sim_instrument *i = of(shell, k);
        const struct sim_holding *holding = &sim_venue_account(shell->venue, account)->holding[k];
        struct own own;

        int64_t bid = 0, ask = 0;
        if (i->kind == kind) {
            bid = side_notional_e8(shell, account, k, SIM_BUY);
            ask = side_notional_e8(shell, account, k, SIM_SELL);
        }
        if (i->kind != kind || (v3 && holding->position.qty == 0 && bid == 0 && ask == 0)) {
            continue;
        }
        own = own_of(shell, account, k);
        sim_text_add(out, "%s{\"symbol\":\"%s\",\"positionSide\":\"BOTH\"", first ? "" : ",", i->symbol);
        first = false;
        qty_field(out, "positionAmt", i, holding->position.qty);
        cash_field(out, "unrealizedProfit", own.unrealised_e8);
        sim_text_str(out, ",\"isolatedMargin\":\"0\"");
        cash_field(out, "notional", own.notional_e8);
        sim_text_str(out, ",\"isolatedWallet\":\"0\"");
        cash_field(out, "initialMargin", own.initial_e8);
        cash_field(out, "maintMargin", own.maintenance_e8);
        if (!v3) {
            cash_field(out, "positionInitialMargin", own.initial_e8);
            sim_text_add(out, ",\"openOrderInitialMargin\":\"0\",\"leverage\":\"%d\",\"isolated\":false",
                         holding->leverage);
            field(out, "entryPrice");
            trimmed(out, own.entry_e8);
            field(out, "breakEvenPrice");
            trimmed(out, own.even_e8);
            sim_text_add(out, ",\"%s\":\"%s\"", kind == SIM_INVERSE ? "maxQty" : "maxNotional",
                         kind == SIM_INVERSE ? "1000" : "40000000");
            cash_field(out, "bidNotional", bid);
            cash_field(out, "askNotional", ask);
        }
        sim_text_add(out, ",\"updateTime\":%lld}", (long long)(holding->updated_ns / 1000000));
    }
    sim_text_str(out, "]");
    if (kind == SIM_LINEAR) {
        int64_t available = available_e8(total_wallet, total_unrealised, total_position, total_orders);
        cash_field(out, "totalInitialMargin", total_position + total_orders);
        cash_field(out, "totalMaintMargin", total_maintenance);
        cash_field(out, "totalWalletBalance", total_wallet);
        cash_field(out, "totalUnrealizedProfit", total_unrealised);
        cash_field(out, "totalMarginBalance", total_wallet + total_unrealised);
        cash_field(out, "totalPositionInitialMargin", total_position);
        cash_field(out, "totalOpenOrderInitialMargin", total_orders);
        cash_field(out, "totalCrossWalletBalance", total_wallet);
        cash_field(out, "totalCrossUnPnl", total_unrealised);
        cash_field(out, "availableBalance", available);
        cash_field(out, "maxWithdrawAmount", available);
    }
    sim_text_str(out, "}");
}

/* --- metadata ----------------------------------------------------------------------------------------- */

void bn_text_rate_limits(struct sim_text *out, enum sim_kind kind, const struct bn_shell *shell, int account,
                         bool counts)
{
    bool spot = kind == SIM_SPOT;
    const struct bn_counts *seen = account < 0 ? NULL : &shell->counts[account][!spot];
    struct {
        const char *type, *interval;
        int num, limit, count;
    } rows[] = {
        { "REQUEST_WEIGHT", "MINUTE", 1, spot ? 6000 : 2400, shell->weight[!spot] },
        { "ORDERS", "SECOND", 10, spot ? 100 : 300, seen == NULL ? 0 : seen->orders_10s },
        { "ORDERS", spot ? "DAY" : "MINUTE", 1, spot ? 200000 : 1200,
          seen == NULL ? 0
          : spot       ? seen->orders_1d
                       : seen->orders_1m },
        { "RAW_REQUESTS", "MINUTE", 5, 300000, 0 },
    };
    int count = counts ? (account < 0 ? 1 : 3) : spot ? 4 : 3;

    sim_text_str(out, "[");
    for (int i = 0; i < count; i++) {
        sim_text_add(out, "%s{\"rateLimitType\":\"%s\",\"interval\":\"%s\",\"intervalNum\":%d,\"limit\":%d",
                     i > 0 ? "," : "", rows[i].type, rows[i].interval, rows[i].num, rows[i].limit);
        if (counts) {
            sim_text_add(out, ",\"count\":%d", rows[i].count);
        }
        sim_text_str(out, "}");
    }
    sim_text_str(out, "]");
}

static void units(struct sim_text *out, const char *name, int64_t value, int decimals, int show)
{
    field(out, name);
    sim_text_put(out, "\"", 1);
    sim_text_decimal(out, value, decimals, show);
    sim_text_put(out, "\"", 1);
}

static void filters(struct sim_text *out, const struct sim_instrument *i)
{
    int price_show = bn_text_price_show(i), qty_show = bn_text_qty_show(i);

    sim_text_str(out, ",\"filters\":[{\"filterType\":\"PRICE_FILTER\"");
    units(out, "minPrice", i->min_price, i->price_decimals, price_show);
    units(out, "maxPrice", i->max_price, i->price_decimals, price_show);
    units(out, "tickSize", i->tick, i->price_decimals, price_show);
    sim_text_str(out, "},{\"filterType\":\"LOT_SIZE\"");
    units(out, "stepSize", i->step, i->qty_decimals, qty_show);
    units(out, "maxQty", i->max_qty, i->qty_decimals, qty_show);
    units(out, "minQty", i->min_qty, i->qty_decimals, qty_show);
    sim_text_str(out, "},{\"filterType\":\"MARKET_LOT_SIZE\"");
    units(out, "stepSize", i->step, i->qty_decimals, qty_show);
    units(out, "maxQty", i->max_market_qty, i->qty_decimals, qty_show);
    units(out, "minQty", i->min_qty, i->qty_decimals, qty_show);
    if (i->kind == SIM_SPOT) {
        sim_text_add(out,
                     "},{\"filterType\":\"MAX_NUM_ORDERS\",\"maxNumOrders\":%d},"
                     "{\"filterType\":\"MAX_NUM_ALGO_ORDERS\",\"maxNumAlgoOrders\":5},"
                     "{\"filterType\":\"MAX_NUM_ORDER_AMENDS\",\"maxNumOrderAmends\":%d},"
                     "{\"filterType\":\"PERCENT_PRICE_BY_SIDE\",\"bidMultiplierUp\":\"5\","
                     "\"bidMultiplierDown\":\"0.2\",\"askMultiplierUp\":\"5\",\"askMultiplierDown\":\"0.2\","
                     "\"avgPriceMins\":5},{\"filterType\":\"NOTIONAL\"",
                     i->max_orders, i->max_amends);
        units(out, "minNotional", i->min_notional_e8, 8, 8);
        sim_text_str(out, ",\"applyMinToMarket\":true,\"maxNotional\":\"9000000.00000000\","
                          "\"applyMaxToMarket\":false,\"avgPriceMins\":5}]");
        return;
    }
    sim_text_add(out,
                 "},{\"filterType\":\"MAX_NUM_ORDERS\",\"limit\":%d},"
                 "{\"filterType\":\"MAX_NUM_ALGO_ORDERS\",\"limit\":10},{\"filterType\":\"PERCENT_PRICE\"",
                 i->max_orders);
    units(out, "multiplierUp", 1000000 + i->band_ppm, 6, 6);
    units(out, "multiplierDown", 1000000 - i->band_ppm, 6, 6);
    sim_text_str(out, ",\"multiplierDecimal\":\"4\"}");
    if (i->min_notional_e8 != 0) {
        char digits[80];
        sim_decimal_trim(digits, i->min_notional_e8, 8);
        sim_text_add(out, ",{\"filterType\":\"MIN_NOTIONAL\",\"notional\":\"%s\"}", digits);
    }
    sim_text_str(out, "]");
}

static void symbol_info(struct sim_text *out, const struct sim_market *market)
{
    const struct sim_instrument *i = &market->instrument;

    if (i->kind == SIM_SPOT) {
        sim_text_add(
            out,
            "{\"symbol\":\"%s\",\"status\":\"%s\",\"baseAsset\":\"%s\",\"baseAssetPrecision\":8,"
            "\"quoteAsset\":\"%s\",\"quotePrecision\":8,\"quoteAssetPrecision\":8,"
            "\"baseCommissionPrecision\":8,\"quoteCommissionPrecision\":8,"
            "\"orderTypes\":[\"LIMIT\",\"LIMIT_MAKER\",\"MARKET\"],\"icebergAllowed\":false,"
            "\"ocoAllowed\":false,\"otoAllowed\":false,\"opoAllowed\":false,"
            "\"quoteOrderQtyMarketAllowed\":true,\"allowTrailingStop\":false,\"cancelReplaceAllowed\":true,"
            "\"amendAllowed\":true,\"pegInstructionsAllowed\":false,\"isSpotTradingAllowed\":true,"
            "\"isMarginTradingAllowed\":false",
            i->symbol, market->halted ? "BREAK" : "TRADING", i->base, i->quote);
        filters(out, i);
        sim_text_str(
            out, ",\"permissions\":[],\"permissionSets\":[[\"SPOT\"]],"
                 "\"defaultSelfTradePreventionMode\":\"EXPIRE_MAKER\",\"allowedSelfTradePreventionModes\":"
                 "[\"NONE\",\"EXPIRE_TAKER\",\"EXPIRE_MAKER\",\"EXPIRE_BOTH\"]}");
        return;
    }
    sim_text_add(
        out,
        "{\"symbol\":\"%s\",\"pair\":\"%s\",\"contractType\":\"PERPETUAL\","
        "\"deliveryDate\":4133404800000,\"onboardDate\":1569398400000,\"%s\":\"%s\","
        "\"maintMarginPercent\":\"2.5000\",\"requiredMarginPercent\":\"5.0000\",\"baseAsset\":\"%s\","
        "\"quoteAsset\":\"%s\",\"marginAsset\":\"%s\",\"pricePrecision\":%d,\"quantityPrecision\":%d,"
        "\"baseAssetPrecision\":8,\"quotePrecision\":8,\"underlyingType\":\"COIN\","
        "\"underlyingSubType\":[\"PoW\"],\"triggerProtect\":\"0.0500\",\"liquidationFee\":\"0.012500\","
        "\"marketTakeBound\":\"0.05\",\"maxMoveOrderLimit\":%d",
        i->symbol, i->pair, i->kind == SIM_INVERSE ? "contractStatus" : "status",
        market->halted ? "PENDING_TRADING" : "TRADING", i->base, i->quote, i->settle, i->price_decimals,
        i->qty_decimals, i->max_amends);
    if (i->kind == SIM_INVERSE) {
        sim_text_add(out, ",\"contractSize\":%lld,\"equalQtyPrecision\":4", (long long)i->contract_size);
    }
    filters(out, i);
    sim_text_str(out, ",\"orderTypes\":[\"LIMIT\",\"MARKET\"],"
                      "\"timeInForce\":[\"GTC\",\"IOC\",\"FOK\",\"GTX\",\"GTD\"]}");
}

void bn_text_exchange_info(struct sim_text *out, struct bn_shell *shell, enum sim_kind kind, uint64_t wanted)
{
    bool first = true;

    sim_text_add(out, "{\"timezone\":\"UTC\",\"serverTime\":%lld,",
                 (long long)(bn_shell_server_ns(shell) / 1000000));
    if (kind == SIM_LINEAR) {
        sim_text_str(out, "\"futuresType\":\"U_MARGINED\",");
    }
    sim_text_str(out, "\"rateLimits\":");
    bn_text_rate_limits(out, kind, shell, -1, false);
    sim_text_str(out, ",\"exchangeFilters\":[]");
    if (kind == SIM_LINEAR) {
        sim_text_str(out, ",\"assets\":[{\"asset\":\"USDT\",\"marginAvailable\":true,"
                          "\"autoAssetExchange\":\"-10000\"}]");
    }
    sim_text_str(out, ",\"symbols\":[");
    for (int k = 0; k < sim_venue_instrument_count(shell->venue); k++) {
        const struct sim_market *market = sim_venue_market(shell->venue, k);
        if (market->instrument.kind != kind || !(wanted >> k & 1)) {
            continue;
        }
        sim_text_str(out, first ? "" : ",");
        first = false;
        symbol_info(out, market);
    }
    sim_text_str(out, "]}");
}

/* --- streams ------------------------------------------------------------------------------------------ */

static int product_number(const struct sim_instrument *instrument)
{
    return instrument->kind == SIM_INVERSE ? 2 : 1;
}

void bn_text_depth_event(struct sim_text *out, const struct sim_instrument *i, const struct sim_level *levels,
                         size_t bids, size_t asks, int64_t first_u, int64_t u, int64_t pu, int64_t now_ms)
{
    bool spot = i->kind == SIM_SPOT;

    sim_text_add(out, "{\"e\":\"depthUpdate\",\"E\":%lld", (long long)now_ms);
    if (!spot) {
        sim_text_add(out, ",\"T\":%lld", (long long)now_ms);
    }
    sim_text_add(out, ",\"s\":\"%s\"", i->symbol);
    if (!spot) {
        sim_text_add(out, ",\"ps\":\"%s\"", i->pair);
    }
    sim_text_add(out, ",\"U\":%lld,\"u\":%lld", (long long)first_u, (long long)u);
    if (!spot) {
        sim_text_add(out, ",\"pu\":%lld", (long long)pu);
    }
    sim_text_str(out, ",\"b\":");
    bn_text_levels(out, i, levels, bids, spot); /* futures send bids ascending, spot best first */
    sim_text_str(out, ",\"a\":");
    bn_text_levels(out, i, levels + bids, asks, false);
    if (!spot) {
        sim_text_add(out, ",\"st\":%d", product_number(i));
    }
    sim_text_str(out, "}");
}

void bn_text_book_event(struct sim_text *out, const struct sim_instrument *i, const struct sim_event *event)
{
    bool spot = i->kind == SIM_SPOT;
    long long now_ms = (long long)(event->now_ns / 1000000);

    sim_text_str(out, spot ? "{" : "{\"e\":\"bookTicker\",");
    sim_text_add(out, "\"u\":%lld,\"s\":\"%s\"", (long long)event->u, i->symbol);
    if (!spot) {
        sim_text_add(out, ",\"ps\":\"%s\"", i->pair);
    }
    price_field(out, "b", i, event->levels[0].price);
    qty_field(out, "B", i, event->levels[0].qty);
    price_field(out, "a", i, event->levels[1].price);
    qty_field(out, "A", i, event->levels[1].qty);
    if (!spot) {
        sim_text_add(out, ",\"T\":%lld,\"E\":%lld,\"st\":%d", now_ms, now_ms, product_number(i));
    }
    sim_text_str(out, "}");
}

void bn_text_trade_event(struct sim_text *out, const struct sim_instrument *i, const struct sim_event *event,
                         bool aggregate)
{
    bool spot = i->kind == SIM_SPOT;
    long long now_ms = (long long)(event->now_ns / 1000000), id = (long long)event->trade_id;

    sim_text_add(out, "{\"e\":\"%s\",\"E\":%lld", aggregate ? "aggTrade" : "trade", now_ms);
    if (!spot && !aggregate) {
        sim_text_add(out, ",\"T\":%lld", now_ms);
    }
    sim_text_add(out, ",\"s\":\"%s\",\"%s\":%lld", i->symbol, aggregate ? "a" : "t", id);
    price_field(out, "p", i, event->price);
    qty_field(out, "q", i, event->qty);
    if (aggregate) {
        if (!spot) {
            qty_field(out, "nq", i, event->qty);
        }
        sim_text_add(out, ",\"f\":%lld,\"l\":%lld", id, id);
    } else if (!spot) {
        sim_text_str(out, ",\"X\":\"MARKET\"");
    }
    if (spot || aggregate) {
        sim_text_add(out, ",\"T\":%lld", now_ms);
    }
    sim_text_add(out, ",\"m\":%s", flag(event->buyer_is_maker));
    if (spot) {
        sim_text_str(out, ",\"M\":true}");
    } else {
        sim_text_add(out, ",\"st\":%d}", product_number(i));
    }
}

void bn_text_mark_event(struct sim_text *out, const struct sim_instrument *i, const struct bn_item *item)
{
    sim_text_add(out, "{\"e\":\"markPriceUpdate\",\"E\":%lld,\"s\":\"%s\"",
                 (long long)(item->event.now_ns / 1000000), i->symbol);
    cash_field(out, "p", item->mark_e8);
    cash_field(out, "ap", item->mark_e8);
    cash_field(out, "i", item->index_e8);
    cash_field(out, "P", item->index_e8);
    cash_field(out, "r", item->rate_e8);
    sim_text_add(out, ",\"T\":%lld,\"st\":%d}", (long long)(item->next_funding_ns / 1000000),
                 product_number(i));
}
