#include "tools/sim/deribit/db_state.h"

#include "tools/sim/model/sim_decimal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define OPEN_MAX 2048

/* --- orders -------------------------------------------------------------------------------------------- */

struct wanted {           /* which of an account's orders are asked for */
    int instrument;       /* -1: any */
    const char *currency; /* NULL: any */
    int kind;             /* -1: any */
    const char *label;    /* NULL: any */
};

static bool fits(const struct db_shell *shell, const struct wanted *wanted, const struct sim_order *order)
{
    return (wanted->instrument < 0 || wanted->instrument == order->instrument) &&
           db_call_fits(shell, order->instrument, wanted->currency, wanted->kind) &&
           (wanted->label == NULL || strcmp(wanted->label, order->client_id) == 0);
}

/* hidden is true of an order that a fault keeps queries from finding. */
static bool hidden(struct db_shell *shell, const struct sim_order *order)
{
    struct sim_fault *fault =
        sim_fault_open(shell->faults, SIM_FAULT_QUERY_2013, "deribit-query", shell->now_ns);

    if (fault == NULL || shell->now_ns - order->created_ns >= fault->ms * 1000000) {
        return false;
    }
    fault->fired++;
    return true;
}

static int open_orders(struct db_shell *shell, struct db_call *call, const struct wanted *wanted,
                       struct sim_text *out)
{
    const char *type = db_gate_text(call, "type");
    bool any = false, all = type == NULL || strcmp(type, "all") == 0 || strcmp(type, "limit") == 0;
    int account = db_call_account(shell, call);

    sim_text_str(out, "[");
    for (int at = 0; at < DB_MARKET_COUNT && all; at++) {
        struct sim_order *open[OPEN_MAX];
        size_t count = sim_venue_open(shell->venue, account, at, open, OPEN_MAX);

        for (size_t i = 0; i < count; i++) {
            if (fits(shell, wanted, open[i]) && !hidden(shell, open[i])) {
                sim_text_str(out, any ? "," : "");
                db_text_order(out, shell, open[i]);
                any = true;
            }
        }
    }
    sim_text_str(out, "]");
    return 0;
}

static int run_open(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    struct wanted wanted = { .instrument = -1 };

    wanted.kind = db_call_kind(db_gate_text(call, "kind"));
    return open_orders(shell, call, &wanted, out);
}

static int run_open_currency(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    struct wanted wanted = { .instrument = -1 };
    int code = db_call_filter(shell, call, true, &wanted.currency, &wanted.kind);

    return code != 0 ? code : open_orders(shell, call, &wanted, out);
}

static int run_open_instrument(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    struct wanted wanted = { .kind = -1 };
    int code = db_call_instrument(shell, call, &wanted.instrument);

    return code != 0 ? code : open_orders(shell, call, &wanted, out);
}

static int run_open_label(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    struct wanted wanted = { .instrument = -1 };
    int code = db_call_filter(shell, call, true, &wanted.currency, &wanted.kind);

    wanted.label = db_gate_text(call, "label");
    if (code == 0 && wanted.label == NULL) {
        code = db_gate_invalid(call, "label", "missing required parameter");
    }
    return code != 0 ? code : open_orders(shell, call, &wanted, out);
}

static int run_order_state(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    const char *id = db_gate_text(call, "order_id");

    if (id == NULL) {
        return db_gate_invalid(call, "order_id", "missing required parameter");
    }
    struct sim_order *order = db_trade_find(shell, db_call_account(shell, call), id);
    if (order == NULL || hidden(shell, order)) {
        return 10004;
    }
    db_text_order(out, shell, order);
    return 0;
}

static int run_state_by_label(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    struct wanted wanted = { .instrument = -1 };
    int code = db_call_filter(shell, call, true, &wanted.currency, &wanted.kind);
    int account = db_call_account(shell, call);
    bool any = false;

    wanted.kind = -1;
    wanted.label = db_gate_text(call, "label");
    if (code == 0 && wanted.label == NULL) {
        code = db_gate_invalid(call, "label", "missing required parameter");
    }
    if (code != 0) {
        return code;
    }
    sim_text_str(out, "[");
    for (size_t i = 0; i < sim_venue_order_count(shell->venue); i++) {
        struct sim_order *order = sim_venue_order(shell->venue, i);
        if (order->account == account && fits(shell, &wanted, order) && !hidden(shell, order)) {
            sim_text_str(out, any ? "," : "");
            db_text_order(out, shell, order);
            any = true;
        }
    }
    sim_text_str(out, "]");
    return 0;
}

static int history(struct db_shell *shell, struct db_call *call, const struct wanted *wanted,
                   struct sim_text *out)
{
    int account = db_call_account(shell, call);
    bool unfilled = db_gate_flag(call, "include_unfilled", false), any = false;
    int64_t count, offset, skipped = 0, shown = 0;
    int code = db_gate_integer(call, "count", 20, &count);

    if (code == 0) {
        code = db_gate_integer(call, "offset", 0, &offset);
    }
    if (code != 0) {
        return code;
    }
    sim_text_str(out, "[");
    for (size_t i = sim_venue_order_count(shell->venue); i > 0 && shown < count; i--) {
        struct sim_order *order = sim_venue_order(shell->venue, i - 1);
        if (order->account != account || sim_venue_live(order) || !fits(shell, wanted, order) ||
            (order->filled == 0 && !unfilled) || hidden(shell, order) || skipped++ < offset) {
            continue;
        }
        sim_text_str(out, any ? "," : "");
        db_text_order(out, shell, order);
        any = true;
        shown++;
    }
    sim_text_str(out, "]");
    return 0;
}

static int run_history_currency(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    struct wanted wanted = { .instrument = -1 };
    int code = db_call_filter(shell, call, true, &wanted.currency, &wanted.kind);

    return code != 0 ? code : history(shell, call, &wanted, out);
}

static int run_history_instrument(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    struct wanted wanted = { .kind = -1 };
    int code = db_call_instrument(shell, call, &wanted.instrument);

    return code != 0 ? code : history(shell, call, &wanted, out);
}

/* --- trades -------------------------------------------------------------------------------------------- */

struct slice { /* which trades are asked for */
    int64_t start_ms, end_ms, start_seq, end_seq, start_id, end_id, count;
    bool oldest_first;
};

static int read_slice(struct db_call *call, struct slice *slice)
{
    const char *start = db_gate_text(call, "start_id"), *end = db_gate_text(call, "end_id");
    const char *sorting = db_gate_text(call, "sorting");
    int code = db_gate_integer(call, "count", 10, &slice->count);

    code = code != 0 ? code : db_gate_integer(call, "start_timestamp", 0, &slice->start_ms);
    code = code != 0 ? code : db_gate_integer(call, "end_timestamp", INT64_MAX, &slice->end_ms);
    code = code != 0 ? code : db_gate_integer(call, "start_seq", 0, &slice->start_seq);
    code = code != 0 ? code : db_gate_integer(call, "end_seq", INT64_MAX, &slice->end_seq);
    if (code == 0 && (slice->count < 1 || slice->count > 1000)) {
        code = db_gate_invalid(call, "count", "must be 1 to 1000");
    }
    slice->start_id =
        start == NULL ? 0 : atoll(strrchr(start, '-') != NULL ? strrchr(start, '-') + 1 : start);
    slice->end_id = end == NULL ? INT64_MAX : atoll(strrchr(end, '-') != NULL ? strrchr(end, '-') + 1 : end);
    slice->oldest_first = sorting != NULL && strcmp(sorting, "asc") == 0;
    if (sorting == NULL || strcmp(sorting, "default") == 0) {
        slice->oldest_first = start != NULL || slice->start_seq > 0;
    }
    return code;
}

static bool in_slice(const struct slice *slice, const struct sim_fill *fill)
{
    int64_t ms = fill->time_ns / 1000000;

    return ms >= slice->start_ms && ms <= slice->end_ms && fill->trade_seq >= slice->start_seq &&
           fill->trade_seq <= slice->end_seq && fill->trade_id >= slice->start_id &&
           fill->trade_id <= slice->end_id;
}

/* state_after answers the state an order was in after one of its fills. */
static enum sim_order_state state_after(struct db_shell *shell, size_t index)
{
    const struct sim_fill *fill = sim_venue_fill(shell->venue, index);
    const struct sim_order *order =
        sim_venue_find_id(shell->venue, fill->account, fill->instrument, fill->order_id);
    int64_t filled = 0;

    for (size_t i = 0; i <= index; i++) {
        const struct sim_fill *other = sim_venue_fill(shell->venue, i);
        filled += other->order_id == fill->order_id && other->instrument == fill->instrument ? other->qty : 0;
    }
    return filled >= order->qty ? SIM_ORDER_FILLED : SIM_ORDER_PARTIALLY_FILLED;
}

static int user_trades(struct db_shell *shell, struct db_call *call, const struct wanted *wanted,
                       struct sim_text *out)
{
    int account = db_call_account(shell, call);
    size_t *found = NULL, capacity = 0, count = 0;
    struct slice slice;
    int code = read_slice(call, &slice);

    if (code != 0) {
        return code;
    }
    for (size_t i = 0; i < sim_venue_fill_count(shell->venue); i++) {
        const struct sim_fill *fill = sim_venue_fill(shell->venue, i);
        if (fill->account == account && (wanted->instrument < 0 || wanted->instrument == fill->instrument) &&
            db_call_fits(shell, fill->instrument, wanted->currency, wanted->kind) && in_slice(&slice, fill)) {
            found = db_shell_grow(found, &capacity, count + 1, sizeof *found);
            found[count++] = i;
        }
    }
    size_t shown = count < (size_t)slice.count ? count : (size_t)slice.count;

    sim_text_str(out, "{\"trades\":[");
    for (size_t i = 0; i < shown; i++) {
        size_t index = found[slice.oldest_first ? i : count - 1 - i];
        sim_text_str(out, i > 0 ? "," : "");
        db_text_fill(out, shell, index, state_after(shell, index));
    }
    sim_text_add(out, "],\"has_more\":%s}", shown < count ? "true" : "false");
    free(found);
    return 0;
}

static int run_trades_currency(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    struct wanted wanted = { .instrument = -1 };
    int code = db_call_filter(shell, call, true, &wanted.currency, &wanted.kind);

    return code != 0 ? code : user_trades(shell, call, &wanted, out);
}

static int run_trades_instrument(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    struct wanted wanted = { .kind = -1 };
    int code = db_call_instrument(shell, call, &wanted.instrument);

    return code != 0 ? code : user_trades(shell, call, &wanted, out);
}

static int run_trades_order(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    const char *id = db_gate_text(call, "order_id"), *sorting = db_gate_text(call, "sorting");
    bool descending = sorting != NULL && strcmp(sorting, "desc") == 0, any = false;

    if (id == NULL) {
        return db_gate_invalid(call, "order_id", "missing required parameter");
    }
    const struct sim_order *order = db_trade_find(shell, db_call_account(shell, call), id);
    size_t count = sim_venue_fill_count(shell->venue);

    sim_text_str(out, "[");
    for (size_t i = 0; i < count && order != NULL; i++) {
        size_t index = descending ? count - 1 - i : i;
        const struct sim_fill *fill = sim_venue_fill(shell->venue, index);
        if (fill->order_id == order->id && fill->instrument == order->instrument) {
            sim_text_str(out, any ? "," : "");
            db_text_fill(out, shell, index, state_after(shell, index));
            any = true;
        }
    }
    sim_text_str(out, "]");
    return order == NULL ? 10004 : 0;
}

/* --- positions and money ------------------------------------------------------------------------------- */

static int run_positions(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    const char *currency;
    int kind, code = db_call_filter(shell, call, false, &currency, &kind);
    int account = db_call_account(shell, call);
    bool any = false;

    if (code != 0) {
        return code;
    }
    sim_text_str(out, "[");
    for (int at = 0; at < DB_MARKET_COUNT; at++) {
        const struct sim_holding *holding = &sim_venue_account(shell->venue, account)->holding[at];
        /* what was traded since the start stays in the list, with size 0 and direction zero */
        if (shell->listing[at].kind == DB_FUTURE && holding->fills > 0 &&
            db_call_fits(shell, at, currency, kind)) {
            sim_text_str(out, any ? "," : "");
            db_text_position(out, shell, account, at);
            any = true;
        }
    }
    sim_text_str(out, "]");
    return 0;
}

static int run_position(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    int at, code = db_call_instrument(shell, call, &at);

    if (code == 0) {
        db_text_position(out, shell, db_call_account(shell, call), at);
    }
    return code;
}

static void account_members(struct db_shell *shell, int account, struct sim_text *out)
{
    const char *name = sim_venue_account(shell->venue, account)->name;

    sim_text_add(out, "\"id\":%d,\"email\":\"user@example.com\",\"username\":", 96103 + account);
    sim_text_quote(out, name);
    sim_text_str(out, ",\"system_name\":");
    sim_text_quote(out, name);
    sim_text_add(
        out,
        ",\"block_rfq_self_match_prevention\":true,\"creation_timestamp\":1687352432143,\"type\":\"main\","
        "\"referrer_id\":null,\"login_enabled\":false,\"security_keys_enabled\":false,"
        "\"mmp_enabled\":false,\"interuser_transfers_enabled\":false,\"self_trading_reject_mode\":\"%s\","
        "\"self_trading_extended_to_subaccounts\":%s",
        shell->options.is.self_trade ? "none"
        : shell->self_maker[account] ? "cancel_maker"
                                     : "reject_taker",
        shell->self_sub[account] ? "true" : "false");
}

static void fee_members(struct db_shell *shell, int currency, struct sim_text *out)
{
    bool any = false;

    sim_text_str(out, ",\"fees\":[");
    for (int at = 0; at < DB_MARKET_COUNT; at++) {
        const struct sim_instrument *i = &sim_venue_market(shell->venue, at)->instrument;
        const struct db_listing *listing = &shell->listing[at];

        if (strcmp(listing->currency, db_currencies[currency]) != 0 || listing->kind == DB_SPOT ||
            at == DB_PUT) {
            continue;
        }
        sim_text_add(
            out,
            "%s{\"kind\":\"%s\",\"index_name\":\"%s\",\"value\":{\"default\":{\"type\":\"fixed\",\"maker\":",
            any ? "," : "",
            listing->kind == DB_OPTION                  ? "option"
            : strcmp(listing->period, "perpetual") == 0 ? "perpetual"
                                                        : "future",
            listing->index);
        db_text_number(out, i->maker_rate_e8, 8);
        sim_text_str(out, ",\"taker\":");
        db_text_number(out, i->taker_rate_e8, 8);
        sim_text_str(out, "},\"block_trade\":0.00025}}");
        any = true;
    }
    sim_text_str(out, "]");
}

static void currency_members(struct db_shell *shell, int account, int currency, bool extended,
                             struct sim_text *out)
{
    db_text_money(out, shell, account, currency);
    if (extended) {
        sim_text_str(out, ",\"limits\":");
        db_text_limits(out, shell);
        fee_members(shell, currency, out);
    }
}

static int run_summary(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    int currency = db_text_currency(db_gate_text(call, "currency")), account = db_call_account(shell, call);

    if (currency < 0) {
        return db_gate_invalid(call, "currency", "missing or unknown currency");
    }
    sim_text_str(out, "{");
    if (db_gate_flag(call, "extended", false)) {
        account_members(shell, account, out);
        sim_text_str(out, ",");
    }
    /* the plain form tells the limits too */
    currency_members(shell, account, currency, db_gate_flag(call, "extended", false), out);
    if (!db_gate_flag(call, "extended", false)) {
        sim_text_str(out, ",\"limits\":");
        db_text_limits(out, shell);
    }
    sim_text_str(out, "}");
    return 0;
}

static int run_summaries(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    int account = db_call_account(shell, call);
    bool extended = db_gate_flag(call, "extended", false);

    sim_text_str(out, "{");
    if (extended) {
        account_members(shell, account, out);
        sim_text_str(out, ",");
    }
    sim_text_str(out, "\"summaries\":[");
    for (int i = 0; i < 4; i++) {
        sim_text_str(out, i > 0 ? ",{" : "{");
        currency_members(shell, account, i, extended, out);
        sim_text_str(out, "}");
    }
    sim_text_str(out, "]}");
    return 0;
}

static int run_subaccounts(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    sim_text_str(out, "[{");
    account_members(shell, db_call_account(shell, call), out);
    sim_text_str(out, ",\"is_password\":true}]");
    return 0;
}

/* --- the transaction log ------------------------------------------------------------------------------- */

static void number_or_null(struct sim_text *out, const char *name, bool there, __int128 value, int decimals)
{
    sim_text_add(out, ",\"%s\":", name);
    if (there) {
        db_text_number(out, value, decimals);
    } else {
        sim_text_str(out, "null");
    }
}

static void log_row(struct db_shell *shell, size_t index, const char *name, struct sim_text *out)
{
    static const char *const kinds[] = { "trade", "settlement", "deposit", "withdrawal" };
    const struct db_log *log = &shell->log[index];
    bool trade = log->kind == DB_LOG_TRADE, settled = log->kind == DB_LOG_SETTLEMENT,
         market = trade || settled;
    const struct sim_instrument *i = &sim_venue_market(shell->venue, log->instrument)->instrument;
    const struct sim_fill *fill = trade ? sim_venue_fill(shell->venue, log->fill) : NULL;
    char id[DB_ID_MAX];

    sim_text_str(out, "{\"username\":");
    sim_text_quote(out, name);
    sim_text_add(
        out,
        ",\"user_seq\":%zu,\"user_id\":%d,\"id\":%zu,\"type\":\"%s\",\"timestamp\":%lld,\"currency\":\"%s\"",
        index + 1, 96103 + log->account, 61289 + index, kinds[log->kind], (long long)(log->now_ns / 1000000),
        db_currencies[log->currency]);
    if (trade) {
        db_text_id(id, shell, log->instrument, (uint64_t)fill->trade_id);
        sim_text_add(out, ",\"trade_id\":\"%s\"", id);
        db_text_id(id, shell, log->instrument, fill->order_id);
        sim_text_add(out, ",\"order_id\":\"%s\",\"user_role\":\"%s\",\"side\":\"%s %s\"", id,
                     fill->maker ? "maker" : "taker", log->opens ? "open" : "close",
                     fill->side == SIM_BUY ? "buy" : "sell");
    } else {
        sim_text_add(out, ",\"trade_id\":null,\"order_id\":null,\"side\":\"%s\"",
                     !settled             ? "-"
                     : log->position >= 0 ? "long"
                                          : "short");
    }
    if (market) {
        sim_text_add(out, ",\"instrument_name\":\"%s\"", i->symbol);
    } else {
        sim_text_str(out, ",\"instrument_name\":null");
    }
    number_or_null(out, "price", market, log->price_e8, 8);
    number_or_null(out, "position", market, log->position, i->qty_decimals);
    number_or_null(out, "interest_pl", market, log->interest_e8, 8);
    number_or_null(out, "commission", !settled, trade ? fill->fee_e8 : 0, 8);
    if (market) {
        number_or_null(out, "amount", true, trade ? fill->qty : log->position, i->qty_decimals);
    }
    if (settled) {
        number_or_null(out, "total_interest_pl", true, log->interest_e8, 8);
        number_or_null(out, "session_upl", true, log->upl_e8, 8);
        number_or_null(out, "session_rpl", true, log->rpl_e8, 8);
    }
    number_or_null(out, "change", true, log->change_e8, 8);
    number_or_null(out, "cashflow", true, log->change_e8, 8);
    number_or_null(out, "balance", true, log->balance_e8, 8);
    number_or_null(out, "equity", true, log->equity_e8, 8);
    sim_text_str(out, ",\"info\":null}");
}

static int run_log(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    const char *currency, *query = db_gate_text(call, "query");
    int64_t start, end, count, continuation;
    int kind, code = db_call_filter(shell, call, true, &currency, &kind);
    int account = db_call_account(shell, call);
    static const char *const kinds[] = { "trade", "settlement", "deposit", "withdrawal" };
    size_t shown = 0, more = 0;

    code = code != 0 ? code : db_gate_integer(call, "start_timestamp", 0, &start);
    code = code != 0 ? code : db_gate_integer(call, "end_timestamp", INT64_MAX, &end);
    code = code != 0 ? code : db_gate_integer(call, "count", 100, &count);
    code = code != 0 ? code : db_gate_integer(call, "continuation", INT64_MAX, &continuation);
    if (code == 0 && (count < 1 || count > 250)) {
        code = db_gate_invalid(call, "count", "must be 1 to 250");
    }
    if (code != 0) {
        return code;
    }
    sim_text_str(out, "{\"logs\":[");
    for (size_t i = shell->log_count; i > 0; i--) { /* the newest first, as the venue has it */
        const struct db_log *log = &shell->log[i - 1];
        int64_t ms = log->now_ns / 1000000;

        if (log->account != account || ms < start || ms > end || (int64_t)i > continuation ||
            (currency != NULL && strcasecmp(db_currencies[log->currency], currency) != 0) ||
            (query != NULL && strstr(query, kinds[log->kind]) == NULL)) {
            continue;
        }
        if (shown == (size_t)count) {
            more = i;
            break;
        }
        sim_text_str(out, shown++ > 0 ? "," : "");
        log_row(shell, i - 1, sim_venue_account(shell->venue, account)->name, out);
    }
    if (more > 0) {
        sim_text_add(out, "],\"continuation\":%zu}", more);
    } else {
        sim_text_str(out, "],\"continuation\":null}");
    }
    return 0;
}

/* --- what there is nothing of -------------------------------------------------------------------------- */

static int run_empty(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    (void)shell;
    (void)call;
    sim_text_str(out, "[]");
    return 0;
}

static int run_no_rows(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    (void)shell;
    (void)call;
    sim_text_str(out, "{\"data\":[],\"count\":0}");
    return 0;
}

static int run_settlements(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    (void)shell;
    (void)call;
    sim_text_str(out, "{\"settlements\":[],\"continuation\":null}");
    return 0;
}

static int run_margins(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    int64_t amount, price, low, high;
    bool has_amount, has_price;
    int at, code = db_call_instrument(shell, call, &at);

    if (code != 0) {
        return code;
    }
    const struct sim_instrument *i = &sim_venue_market(shell->venue, at)->instrument;
    if ((code = db_gate_number(call, "amount", i->qty_decimals, &amount, &has_amount)) != 0 ||
        (code = db_gate_number(call, "price", i->price_decimals, &price, &has_price)) != 0) {
        return code;
    }
    if (!has_amount || !has_price || price <= 0) {
        return db_gate_invalid(call, has_amount ? "price" : "amount", "missing required parameter");
    }
    int leverage = sim_venue_account(shell->venue, db_call_account(shell, call))->holding[at].leverage;
    __int128 margin = sim_ledger_value(i, amount, price) / SIM_CASH_ONE / leverage;

    db_trade_band(shell, at, &low, &high);
    sim_text_str(out, "{\"buy\":");
    db_text_number(out, margin, 8);
    sim_text_str(out, ",\"sell\":");
    db_text_number(out, margin, 8);
    sim_text_str(out, ",\"min_price\":");
    db_text_price(out, i, low);
    sim_text_str(out, ",\"max_price\":");
    db_text_price(out, i, high);
    sim_text_str(out, "}");
    return 0;
}

/* clang-format off */
#define TRADE(name, run) { "private/" name, false, DB_READ, DB_NONE, DB_NONE, DB_COST_PLAIN, "query", run }
#define MONEY(name, cost, run) { "private/" name, false, DB_NONE, DB_READ, DB_NONE, cost, "account", run }
const struct db_method db_query_methods[] = {
    TRADE("get_open_orders",                      run_open),
    TRADE("get_open_orders_by_currency",          run_open_currency),
    TRADE("get_open_orders_by_instrument",        run_open_instrument),
    TRADE("get_open_orders_by_label",             run_open_label),
    TRADE("get_order_state",                      run_order_state),
    TRADE("get_order_state_by_label",             run_state_by_label),
    TRADE("get_order_history_by_currency",        run_history_currency),
    TRADE("get_order_history_by_instrument",      run_history_instrument),
    TRADE("get_user_trades_by_currency",          run_trades_currency),
    TRADE("get_user_trades_by_currency_and_time", run_trades_currency),
    TRADE("get_user_trades_by_instrument",        run_trades_instrument),
    TRADE("get_user_trades_by_instrument_and_time", run_trades_instrument),
    TRADE("get_user_trades_by_order",             run_trades_order),
    TRADE("get_positions",                        run_positions),
    TRADE("get_position",                         run_position),
    TRADE("get_margins",                          run_margins),
    TRADE("get_mmp_config",                       run_empty),
    TRADE("get_mmp_status",                       run_empty),
    TRADE("get_trigger_order_history",            run_empty),
    TRADE("get_settlement_history_by_instrument", run_settlements),
    TRADE("get_settlement_history_by_currency",   run_settlements),
    MONEY("get_account_summary",   DB_COST_PLAIN, run_summary),
    MONEY("get_account_summaries", DB_COST_PLAIN, run_summaries),
    MONEY("get_subaccounts",       DB_COST_PLAIN, run_subaccounts),
    MONEY("get_transaction_log",   DB_COST_LOG,   run_log),
    MONEY("get_deposits",          DB_COST_PLAIN, run_no_rows),
    MONEY("get_withdrawals",       DB_COST_PLAIN, run_no_rows),
    MONEY("get_transfers",         DB_COST_PLAIN, run_no_rows),
    { NULL, false, DB_NONE, DB_NONE, DB_NONE, DB_COST_PLAIN, NULL, NULL },
};
/* clang-format on */
