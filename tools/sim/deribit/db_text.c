#include "tools/sim/deribit/db_state.h"

#include "tools/sim/model/sim_decimal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define YEAR_NS 31536e12

const char *const db_currencies[4] = { "BTC", "USDC", "ETH", "USDT" };

/* --- numbers ------------------------------------------------------------------------------------------- */

void db_text_number(struct sim_text *out, __int128 value, int decimals)
{
    char digits[80];
    size_t length = sim_decimal_trim(digits, value, decimals);
    const char *point = strchr(digits, '.');
    const char *first = digits + (digits[0] == '-');

    if (point == NULL) {
        sim_text_add(out, "%s.0", digits);
        return;
    }
    size_t zeros = strspn(point + 1, "0");
    if (first[0] != '0' || zeros < 5) {
        sim_text_put(out, digits, length);
        return;
    }
    const char *mantissa = point + 1 + zeros;
    sim_text_add(out, "%s%c.%se-%zu", digits[0] == '-' ? "-" : "", mantissa[0],
                 mantissa[1] == '\0' ? "0" : mantissa + 1, zeros + 1);
}

void db_text_real(struct sim_text *out, double value, int decimals)
{
    int64_t units = (int64_t)llround(value * (double)sim_decimal_power(decimals));

    db_text_number(out, units, decimals);
}

void db_text_price(struct sim_text *out, const struct sim_instrument *i, int64_t price)
{
    db_text_number(out, price, i->price_decimals);
}

static void price_e8(struct sim_text *out, const struct sim_instrument *i, int64_t value)
{
    /* marks and indices are told a little finer than the tick */
    int show = i->price_decimals < 2 ? 2 : i->price_decimals + 2;
    int64_t unit = sim_decimal_power(8 - show);

    db_text_number(out, (value + unit / 2) / unit, show);
}

static void member(struct sim_text *out, const char *name, __int128 value, int decimals)
{
    sim_text_add(out, ",\"%s\":", name);
    db_text_number(out, value, decimals);
}

static void cash(struct sim_text *out, const char *name, int64_t value_e8)
{
    member(out, name, value_e8, 8);
}

static void flag(struct sim_text *out, const char *name, bool on)
{
    sim_text_add(out, ",\"%s\":%s", name, on ? "true" : "false");
}

int db_text_currency(const char *name)
{
    for (int i = 0; i < 4; i++) {
        if (name != NULL && strcasecmp(db_currencies[i], name) == 0) {
            return i;
        }
    }
    return -1;
}

void db_text_id(char out[DB_ID_MAX], const struct db_shell *shell, int at, uint64_t id)
{
    const char *family = shell->listing[at].currency;
    bool bare = strcmp(family, "BTC") == 0;

    snprintf(out, DB_ID_MAX, "%s%s%llu", bare ? "" : family, bare ? "" : "-", (unsigned long long)id);
}

/* --- orders -------------------------------------------------------------------------------------------- */

const char *db_text_order_state(enum sim_order_state state)
{
    return state == SIM_ORDER_FILLED                                       ? "filled"
           : state == SIM_ORDER_NEW || state == SIM_ORDER_PARTIALLY_FILLED ? "open"
                                                                           : "cancelled";
}

static const char *type_of(const struct db_note *note)
{
    return note->type == DB_MARKET || note->liquidation ? "market" : "limit";
}

static int64_t contracts_of(const struct db_shell *shell, int at, int64_t qty)
{
    return qty * 1000 / shell->listing[at].contract; /* at 10^-3 */
}

void db_text_order(struct sim_text *out, struct db_shell *shell, const struct sim_order *order)
{
    const struct sim_instrument *i = &sim_venue_market(shell->venue, order->instrument)->instrument;
    const struct db_note *note = db_trade_note(shell, order);
    int64_t held = sim_venue_account(shell->venue, order->account)->holding[order->instrument].position.qty;
    const char *tif = order->tif == SIM_FOK                              ? "fill_or_kill"
                      : order->tif == SIM_IOC && note->type != DB_MARKET ? "immediate_or_cancel"
                      : note->day                                        ? "good_til_day"
                                                                         : "good_til_cancelled";
    const char *state = db_text_order_state(order->state), *reason = note->reason;
    char id[DB_ID_MAX];

    if (state[0] == 'c' && reason == NULL && shell->options.choices.ioc_reason) {
        reason = "unfilled";
    }
    db_text_id(id, shell, order->instrument, order->id);
    sim_text_str(out, "{\"label\":");
    sim_text_quote(out, note->liquidation ? "" : order->client_id);
    sim_text_str(out, ",\"price\":");
    if (order->market) {
        sim_text_str(out, "\"market_price\"");
    } else {
        db_text_price(out, i, order->price);
    }
    sim_text_add(out, ",\"user_id\":%d", 96103 + order->account);
    member(out, "amount", order->qty, i->qty_decimals);
    sim_text_add(out, ",\"direction\":\"%s\",\"time_in_force\":\"%s\",\"instrument_name\":\"%s\"",
                 order->side == SIM_BUY ? "buy" : "sell", tif, i->symbol);
    flag(out, "web", false);
    flag(out, "api", !note->liquidation);
    sim_text_add(out, ",\"order_id\":\"%s\",\"creation_timestamp\":%lld", id,
                 (long long)(order->created_ns / 1000000));
    flag(out, "replaced", note->replaced);
    member(out, "filled_amount", order->filled, i->qty_decimals);
    sim_text_add(out, ",\"last_update_timestamp\":%lld", (long long)(order->updated_ns / 1000000));
    flag(out, "post_only", order->post_only);
    flag(out, "reduce_only", order->reduce_only);
    if (state[0] == 'c' && reason != NULL) {
        sim_text_add(out, ",\"cancel_reason\":\"%s\"", reason);
    }
    cash(out, "average_price", sim_ledger_entry(i, &order->filled_sum));
    flag(out, "mmp", false);
    member(out, "contracts", contracts_of(shell, order->instrument, order->qty), 3);
    if (order->post_only) {
        flag(out, "reject_post_only", note->reject_post_only);
    }
    sim_text_add(out, ",\"order_state\":\"%s\",\"order_type\":\"%s\"", state, type_of(note));
    if (note->type == DB_MARKET_LIMIT) {
        sim_text_str(out, ",\"original_order_type\":\"market_limit\"");
    }
    flag(out, "is_liquidation", note->liquidation);
    flag(out, "risk_reducing", order->side == SIM_SELL ? held > 0 : held < 0);
    sim_text_str(out, "}");
}

/* --- trades -------------------------------------------------------------------------------------------- */

static void option_iv(struct sim_text *out, const struct db_shell *shell, int at)
{
    if (shell->listing[at].kind == DB_OPTION) {
        sim_text_add(out, ",\"iv\":");
        db_text_real(out, DB_VOLATILITY * 100, 2);
    }
}

void db_text_print(struct sim_text *out, struct db_shell *shell, int at, const struct db_print *print)
{
    const struct sim_instrument *i = &sim_venue_market(shell->venue, at)->instrument;
    char id[DB_ID_MAX];

    db_text_id(id, shell, at, (uint64_t)print->id);
    sim_text_add(out, "{\"timestamp\":%lld,\"price\":", (long long)(print->now_ns / 1000000));
    db_text_price(out, i, print->price);
    member(out, "amount", print->qty, i->qty_decimals);
    sim_text_add(out, ",\"direction\":\"%s\",\"index_price\":", print->sell ? "sell" : "buy");
    db_text_number(out, print->index_e8 / 1000000, 2);
    sim_text_add(out, ",\"instrument_name\":\"%s\",\"trade_seq\":%lld,\"mark_price\":", i->symbol,
                 (long long)print->seq);
    price_e8(out, i, print->mark_e8);
    sim_text_add(out, ",\"tick_direction\":%d", print->tick);
    option_iv(out, shell, at);
    member(out, "contracts", contracts_of(shell, at, print->qty), 3);
    sim_text_add(out, ",\"trade_id\":\"%s\"}", id);
}

/* print_of answers the public print of a trade, NULL when it is too old. */
static const struct db_print *print_of(const struct db_shell *shell, int at, int64_t id)
{
    const struct db_tape *tape = shell->tape[at];
    uint64_t kept = tape->printed < DB_PRINT_MAX ? tape->printed : DB_PRINT_MAX;

    for (uint64_t k = 1; k <= kept; k++) {
        const struct db_print *print = &tape->print[(tape->printed - k) % DB_PRINT_MAX];
        if (print->id <= id) {
            return print->id == id ? print : NULL;
        }
    }
    return NULL;
}

void db_text_fill(struct sim_text *out, struct db_shell *shell, size_t index, enum sim_order_state state)
{
    const struct sim_fill *fill = sim_venue_fill(shell->venue, index);
    const struct sim_market *market = sim_venue_market(shell->venue, fill->instrument);
    const struct sim_instrument *i = &market->instrument;
    struct sim_order *order =
        sim_venue_find_id(shell->venue, fill->account, fill->instrument, fill->order_id);
    const struct db_note *note = db_trade_note(shell, order);
    const struct db_print *print = print_of(shell, fill->instrument, fill->trade_id);
    char trade[DB_ID_MAX], id[DB_ID_MAX];

    db_text_id(trade, shell, fill->instrument, (uint64_t)fill->trade_id);
    db_text_id(id, shell, fill->instrument, order->id);
    sim_text_str(out, "{\"label\":");
    sim_text_quote(out, note->liquidation ? "" : order->client_id);
    sim_text_add(out, ",\"timestamp\":%lld,\"state\":\"%s\",\"price\":", (long long)(fill->time_ns / 1000000),
                 db_text_order_state(state));
    db_text_price(out, i, fill->price);
    sim_text_add(out, ",\"direction\":\"%s\",\"index_price\":", fill->side == SIM_BUY ? "buy" : "sell");
    db_text_number(out, (print != NULL ? print->index_e8 : market->index_e8) / 1000000, 2);
    cash(out, "profit_loss", fill->pnl_e8);
    sim_text_add(out, ",\"instrument_name\":\"%s\",\"trade_seq\":%lld,\"mark_price\":", i->symbol,
                 (long long)fill->trade_seq);
    price_e8(out, i, print != NULL ? print->mark_e8 : market->mark_e8);
    member(out, "amount", fill->qty, i->qty_decimals);
    sim_text_add(out, ",\"order_id\":\"%s\",\"matching_id\":null,\"tick_direction\":%d", id,
                 print != NULL ? print->tick : 1);
    cash(out, "fee", fill->fee_e8);
    flag(out, "api", !note->liquidation);
    flag(out, "mmp", false);
    flag(out, "post_only", order->post_only);
    member(out, "contracts", contracts_of(shell, fill->instrument, fill->qty), 3);
    flag(out, "self_trade", false);
    sim_text_add(
        out, ",\"trade_id\":\"%s\",\"order_type\":\"%s\",\"fee_currency\":\"%s\",\"liquidity\":\"%s\"", trade,
        note->liquidation ? "liquidation" : type_of(note), fill->fee_asset, fill->maker ? "M" : "T");
    if (note->liquidation) {
        sim_text_str(out, ",\"liquidation\":\"T\"");
    }
    flag(out, "risk_reducing", false);
    flag(out, "reduce_only", order->reduce_only);
    sim_text_str(out, "}");
}

/* --- positions and money ------------------------------------------------------------------------------- */

/* delta_of answers the coins a position stands for, at 10^-8. */
static int64_t delta_of(struct db_shell *shell, int account, int at)
{
    const struct sim_market *market = sim_venue_market(shell->venue, at);
    int64_t held = sim_venue_account(shell->venue, account)->holding[at].position.qty;

    if (market->instrument.kind == SIM_INVERSE) {
        return market->mark_e8 == 0
                   ? 0
                   : (int64_t)((__int128)held * SIM_CASH_ONE * SIM_CASH_ONE / market->mark_e8);
    }
    return held * sim_decimal_power(8 - market->instrument.qty_decimals);
}

static int64_t floor_e8(__int128 value_e16)
{
    return (int64_t)sim_decimal_floor(value_e16, SIM_CASH_ONE);
}

void db_text_position(struct sim_text *out, struct db_shell *shell, int account, int at)
{
    const struct sim_market *market = sim_venue_market(shell->venue, at);
    const struct sim_instrument *i = &market->instrument;
    const struct sim_holding *holding = &sim_venue_account(shell->venue, account)->holding[at];
    int64_t held = holding->position.qty, total = sim_venue_unrealised(shell->venue, account, at);
    __int128 value = sim_ledger_value_at(i, held < 0 ? -held : held, market->mark_e8) / SIM_CASH_ONE;
    int64_t funding = holding->funding_e8 + floor_e8(holding->accrued_e16);

    sim_text_add(out, "{\"instrument_name\":\"%s\",\"kind\":\"future\",\"direction\":\"%s\"", i->symbol,
                 held > 0   ? "buy"
                 : held < 0 ? "sell"
                            : "zero");
    member(out, "size", held, i->qty_decimals);
    if (i->kind == SIM_INVERSE) {
        cash(out, "size_currency", delta_of(shell, account, at));
    }
    cash(out, "average_price", sim_ledger_entry(i, &holding->position));
    sim_text_str(out, ",\"mark_price\":");
    price_e8(out, i, market->mark_e8);
    sim_text_str(out, ",\"index_price\":");
    price_e8(out, i, market->index_e8);
    sim_text_str(out, ",\"settlement_price\":");
    price_e8(out, i, shell->settle_price_e8[at]);
    cash(out, "floating_profit_loss", total - holding->settled_unrealised_e8);
    cash(out, "realized_profit_loss",
         holding->realised_e8 + funding - (holding->settled_e8 - holding->settled_unrealised_e8));
    cash(out, "total_profit_loss", total);
    cash(out, "realized_funding", floor_e8(holding->accrued_e16));
    member(out, "interest_value", market->funding_rate_e8, 8);
    cash(out, "delta", delta_of(shell, account, at));
    cash(out, "initial_margin", (int64_t)(value / holding->leverage));
    cash(out, "maintenance_margin", (int64_t)(value * i->maintenance_rate_e8 / SIM_CASH_ONE));
    cash(out, "open_orders_margin", 0);
    sim_text_add(out, ",\"estimated_liquidation_price\":null,\"leverage\":%d}", holding->leverage);
}

struct db_money db_text_funds(struct db_shell *shell, int account, int currency)
{
    const char *asset = db_currencies[currency];
    struct db_money money = { 0 };
    const struct sim_cash *wallet = sim_venue_cash(shell->venue, account, SIM_SPOT, asset);

    sim_venue_margin(shell->venue, account, SIM_SPOT, asset, &money.initial, &money.orders,
                     &money.maintenance);
    money.locked = wallet->locked_e8;
    money.equity = sim_venue_equity(shell->venue, account, SIM_SPOT, asset) + money.locked;
    for (int at = 0; at < DB_MARKET_COUNT; at++) {
        const struct sim_holding *holding = &sim_venue_account(shell->venue, account)->holding[at];

        if (shell->listing[at].kind != DB_FUTURE || strcmp(shell->listing[at].currency, asset) != 0) {
            continue;
        }
        int64_t total = sim_venue_unrealised(shell->venue, account, at);
        money.upl += total - holding->settled_unrealised_e8;
        money.rpl += holding->realised_e8 + holding->funding_e8 + floor_e8(holding->accrued_e16) -
                     (holding->settled_e8 - holding->settled_unrealised_e8);
        money.pl += total;
        money.delta += delta_of(shell, account, at);
    }
    money.balance = money.equity - money.upl - money.rpl;
    money.available = money.equity - money.initial - money.orders - money.locked;
    return money;
}

void db_text_money(struct sim_text *out, struct db_shell *shell, int account, int currency)
{
    const struct db_money m = db_text_funds(shell, account, currency);
    static const char *const index[] = { "btc_usd", "btc_usdc", "eth_usd", "btc_usdt" };

    sim_text_add(out, "\"currency\":\"%s\"", db_currencies[currency]);
    cash(out, "equity", m.equity);
    cash(out, "balance", m.balance);
    cash(out, "margin_balance", m.equity);
    cash(out, "available_funds", m.available);
    cash(out, "available_withdrawal_funds", m.available < m.balance ? m.available : m.balance);
    cash(out, "initial_margin", m.initial + m.orders);
    cash(out, "maintenance_margin", m.maintenance);
    cash(out, "projected_initial_margin", m.initial + m.orders);
    cash(out, "projected_maintenance_margin", m.maintenance);
    cash(out, "session_upl", m.upl);
    cash(out, "session_rpl", m.rpl);
    cash(out, "futures_session_upl", m.upl);
    cash(out, "futures_session_rpl", m.rpl);
    cash(out, "futures_pl", m.pl);
    cash(out, "total_pl", m.pl);
    cash(out, "delta_total", m.delta);
    cash(out, "projected_delta_total", m.delta);
    cash(out, "spot_reserve", m.locked);
    sim_text_str(out, ",\"delta_total_map\":{");
    if (m.delta != 0) {
        sim_text_add(out, "\"%s\":", index[currency]);
        db_text_number(out, m.delta, 8);
    }
    sim_text_str(out,
                 "},\"options_pl\":0.0,\"options_value\":0.0,\"options_delta\":0.0,\"options_gamma\":0.0,"
                 "\"options_vega\":0.0,\"options_theta\":0.0,\"options_session_rpl\":0.0,"
                 "\"options_session_upl\":0.0,\"options_gamma_map\":{},\"options_vega_map\":{},"
                 "\"options_theta_map\":{},\"fee_balance\":0.0,\"locked_balance\":0.0,"
                 "\"additional_reserve\":0.0,\"margin_model\":\"segregated_sm\","
                 "\"portfolio_margining_enabled\":false,\"cross_collateral_enabled\":false,"
                 "\"estimated_liquidation_ratio\":0.0,\"estimated_liquidation_ratio_map\":{}");
}

void db_text_limits(struct sim_text *out, const struct db_shell *shell)
{
    static const int tiers[][2] = { { 30, 100 }, { 20, 50 }, { 10, 30 }, { 5, 20 } };
    int rate = tiers[shell->options.tier - 1][0], burst = tiers[shell->options.tier - 1][1];

    sim_text_add(out,
                 "{\"limits_per_currency\":false,\"non_matching_engine\":{\"burst\":100,\"rate\":20},"
                 "\"matching_engine\":{\"trading\":{\"total\":{\"burst\":%d,\"rate\":%d}},"
                 "\"spot\":{\"burst\":%d,\"rate\":%d},\"quotes\":{\"burst\":500,\"rate\":500},"
                 "\"max_quotes\":{\"burst\":10,\"rate\":10},\"guaranteed_quotes\":{\"burst\":2,\"rate\":2},"
                 "\"cancel_all\":{\"burst\":%d,\"rate\":%d}}}",
                 burst, rate, burst, rate, burst, rate);
}

/* --- instruments --------------------------------------------------------------------------------------- */

const char *db_text_state(const struct db_shell *shell, int at)
{
    (void)at;
    return shell->settling ? "settlement" : shell->locked ? "locked" : "open";
}

void db_text_instrument(struct sim_text *out, struct db_shell *shell, int at)
{
    const struct sim_instrument *i = &sim_venue_market(shell->venue, at)->instrument;
    const struct db_listing *listing = &shell->listing[at];
    static const char *const kinds[] = { "future", "option", "spot" };
    bool future = listing->kind == DB_FUTURE, option = listing->kind == DB_OPTION;

    sim_text_add(out, "{\"state\":\"%s\",\"price_index\":\"%s\",\"kind\":\"%s\",\"instrument_name\":\"%s\"",
                 db_text_state(shell, at), listing->index, kinds[listing->kind], i->symbol);
    member(out, "maker_commission", i->maker_rate_e8, 8);
    member(out, "taker_commission", i->taker_rate_e8, 8);
    sim_text_add(out, ",\"instrument_type\":\"%s\"",
                 listing->kind == DB_SPOT || strcmp(i->settle, "USDC") == 0 ? "linear" : "reversed");
    if (future) {
        sim_text_add(out, ",\"future_type\":\"%s\",\"max_leverage\":50",
                     i->kind == SIM_INVERSE ? "reversed" : "linear");
        sim_text_str(out, ",\"max_liquidation_commission\":0.0075,\"block_trade_commission\":0.00025,"
                          "\"block_trade_min_trade_amount\":200000,\"block_trade_tick_size\":0.01");
    }
    if (option) {
        sim_text_add(out,
                     ",\"option_type\":\"%s\",\"strike\":%lld.0,\"block_trade_commission\":0.00015,"
                     "\"block_trade_min_trade_amount\":25,\"block_trade_tick_size\":0.0001",
                     listing->call ? "call" : "put", (long long)listing->strike);
    }
    sim_text_add(out,
                 ",\"expiration_timestamp\":%lld,\"creation_timestamp\":1534167754000,\"is_active\":true",
                 (long long)listing->expiry_ms);
    member(out, "tick_size", i->tick, i->price_decimals);
    member(out, "contract_size", listing->contract, i->qty_decimals);
    sim_text_add(out, ",\"instrument_id\":%d", listing->instrument_id);
    member(out, "min_trade_amount", i->min_qty, i->qty_decimals);
    if (db_trade_routed(shell, at)) {
        sim_text_str(out, ",\"is_cbe_routed\":true,\"is_csr\":true");
    }
    if (listing->period[0] != '\0') {
        sim_text_add(out, ",\"settlement_period\":\"%s\",\"settlement_currency\":\"%s\"", listing->period,
                     i->settle);
    }
    sim_text_add(
        out,
        ",\"base_currency\":\"%s\",\"counter_currency\":\"%s\",\"quote_currency\":\"%s\",\"rfq\":false,"
        "\"tick_size_steps\":[]}",
        i->base, option ? "USD" : i->quote, i->quote);
}

int64_t db_text_index(const struct db_shell *shell, const char *index)
{
    for (int at = 0; at < DB_MARKET_COUNT; at++) {
        if (strcmp(shell->listing[at].index, index) == 0) {
            return sim_venue_market(shell->venue, at)->index_e8;
        }
    }
    return 0;
}

struct db_greeks db_text_greeks(const struct db_shell *shell, int at, double *future)
{
    const struct db_listing *listing = &shell->listing[at];
    double left = ((double)listing->expiry_ms * 1e6 - (double)shell->now_ns) / YEAR_NS;

    *future = (double)sim_venue_market(shell->venue, DB_BTC_DATED)->mark_e8 / 1e8;
    *future = *future > 0 ? *future : (double)listing->strike;
    return db_market_greeks(*future, (double)listing->strike, left, DB_VOLATILITY, listing->call);
}

static void option_members(struct sim_text *out, struct db_shell *shell, int at,
                           const struct sim_level top[2])
{
    double future;
    const struct db_greeks greeks = db_text_greeks(shell, at, &future);

    sim_text_str(out, ",\"underlying_price\":");
    db_text_real(out, future, 2);
    sim_text_add(out, ",\"underlying_index\":\"%s\",\"interest_rate\":0.0,\"mark_iv\":",
                 sim_venue_market(shell->venue, DB_BTC_DATED)->instrument.symbol);
    db_text_real(out, DB_VOLATILITY * 100, 2);
    sim_text_str(out, ",\"bid_iv\":");
    db_text_real(out, top[SIM_BUY].qty > 0 ? DB_VOLATILITY * 100 : 0, 2);
    sim_text_str(out, ",\"ask_iv\":");
    db_text_real(out, top[SIM_SELL].qty > 0 ? DB_VOLATILITY * 100 : 0, 2);
    sim_text_str(out, ",\"greeks\":{\"delta\":");
    db_text_real(out, greeks.delta, 5);
    sim_text_str(out, ",\"gamma\":");
    db_text_real(out, greeks.gamma, 5);
    sim_text_str(out, ",\"vega\":");
    db_text_real(out, greeks.vega, 5);
    sim_text_str(out, ",\"theta\":");
    db_text_real(out, greeks.theta, 5);
    sim_text_str(out, ",\"rho\":");
    db_text_real(out, greeks.rho, 5);
    sim_text_str(out, "}");
}

static void stats(struct sim_text *out, struct db_shell *shell, int at)
{
    const struct sim_instrument *i = &sim_venue_market(shell->venue, at)->instrument;
    const struct db_tape *tape = shell->tape[at];

    if (tape->printed == 0) {
        sim_text_str(out, ",\"stats\":{\"volume\":null,\"price_change\":null,\"low\":null,\"high\":null");
        sim_text_str(out, shell->listing[at].kind == DB_OPTION
                              ? "}"
                              : ",\"volume_usd\":null,\"volume_notional\":null}");
        return;
    }
    const struct db_print *last = &tape->print[(tape->printed - 1) % DB_PRINT_MAX];
    bool inverse = i->kind == SIM_INVERSE;
    /* volume is in coin; the other one in the currency of the price */
    __int128 coin_e8 =
        inverse ? tape->value_e16 / SIM_CASH_ONE : tape->volume * sim_decimal_power(8 - i->qty_decimals);
    __int128 money_e8 = inverse ? tape->volume * SIM_CASH_ONE : tape->value_e16 / SIM_CASH_ONE;

    sim_text_str(out, ",\"stats\":{\"high\":");
    db_text_price(out, i, tape->high);
    sim_text_str(out, ",\"low\":");
    db_text_price(out, i, tape->low);
    member(out, "price_change", (last->price - tape->open) * 1000000 / tape->open, 4);
    member(out, "volume", coin_e8, 8);
    if (shell->listing[at].kind != DB_OPTION) {
        member(out, "volume_usd", money_e8, 8);
        member(out, "volume_notional", money_e8, 8);
    }
    sim_text_str(out, "}");
}

/* open_interest is what our accounts hold: the recording says nothing of others. */
static int64_t open_interest(struct db_shell *shell, int at)
{
    int64_t sum = 0;

    for (int i = 0; i < sim_venue_account_count(shell->venue); i++) {
        int64_t held = sim_venue_account(shell->venue, i)->holding[at].position.qty;
        sum += held < 0 ? -held : held;
    }
    return sum;
}

void db_text_ticker(struct sim_text *out, struct db_shell *shell, int at, const struct sim_level top[2],
                    int64_t now_ns)
{
    const struct sim_market *market = sim_venue_market(shell->venue, at);
    const struct sim_instrument *i = &market->instrument;
    const struct db_tape *tape = shell->tape[at];
    static const char *const sides[] = { "bid", "ask" };
    int64_t low, high;

    db_trade_band(shell, at, &low, &high);
    sim_text_add(out, "\"timestamp\":%lld,\"state\":\"%s\"", (long long)(now_ns / 1000000),
                 db_text_state(shell, at));
    stats(out, shell, at);
    sim_text_str(out, ",\"index_price\":");
    db_text_number(out, market->index_e8 / 1000000, 2);
    sim_text_add(out, ",\"instrument_name\":\"%s\",\"last_price\":", i->symbol);
    if (tape->printed == 0) {
        sim_text_str(out, "null");
    } else {
        db_text_price(out, i, tape->print[(tape->printed - 1) % DB_PRINT_MAX].price);
    }
    sim_text_str(out, ",\"settlement_price\":");
    price_e8(out, i, shell->settle_price_e8[at]);
    sim_text_str(out, ",\"min_price\":");
    db_text_price(out, i, low);
    sim_text_str(out, ",\"max_price\":");
    db_text_price(out, i, high);
    sim_text_str(out, ",\"open_interest\":");
    db_text_number(out, open_interest(shell, at), i->qty_decimals);
    sim_text_str(out, ",\"mark_price\":");
    price_e8(out, i, market->mark_e8);
    sim_text_str(out, ",\"estimated_delivery_price\":");
    db_text_number(out, market->index_e8 / 1000000, 2);
    for (int side = 0; side < 2; side++) {
        bool there = top[side].qty > 0; /* an empty side is 0.0 with amount 0.0 */
        sim_text_add(out, ",\"best_%s_price\":", sides[side]);
        db_text_price(out, i, there ? top[side].price : 0);
        sim_text_add(out, ",\"best_%s_amount\":", sides[side]);
        db_text_number(out, there ? top[side].qty : 0, i->qty_decimals);
    }
    if (shell->listing[at].kind == DB_OPTION) {
        option_members(out, shell, at, top);
    } else if (strcmp(shell->listing[at].period, "perpetual") == 0) {
        member(out, "current_funding", market->funding_rate_e8, 8);
        member(out, "funding_8h", market->funding_rate_e8, 8);
        member(out, "interest_value", market->funding_rate_e8, 8);
    }
}
