#include "tools/sim/deribit/db_state.h"

#include "tools/sim/model/sim_decimal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DEPTH_MAX   10000
#define BEAT_LOW_S  10
#define BEAT_HIGH_S 3600

/* --- looking up ---------------------------------------------------------------------------------------- */

const struct db_method *db_call_find(const char *name)
{
    static const struct db_method *const lists[] = { db_public_methods, db_trade_methods, db_query_methods };

    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        for (const struct db_method *method = lists[i]; method->name != NULL; method++) {
            if (strcmp(method->name, name) == 0) {
                return method;
            }
        }
    }
    return NULL;
}

int db_call_named(const struct db_shell *shell, const char *name)
{
    for (int at = 0; at < DB_MARKET_COUNT; at++) {
        if (strcasecmp(sim_venue_market(shell->venue, at)->instrument.symbol, name) == 0) {
            return at;
        }
    }
    return -1;
}

int db_call_instrument(struct db_shell *shell, struct db_call *call, int *at)
{
    const char *name = db_gate_text(call, "instrument_name");

    if (name == NULL) {
        return db_gate_invalid(call, "instrument_name", "missing required parameter");
    }
    *at = db_call_named(shell, name);
    return *at >= 0 ? 0
                    : db_gate_fail(call, 13020,
                                   "{\"reason\":\"instrument not found\",\"param\":\"instrument_name\"}");
}

int db_call_kind(const char *text)
{
    return text == NULL || strcasecmp(text, "any") == 0 ? -1
           : strcasecmp(text, "future") == 0            ? DB_FUTURE
           : strcasecmp(text, "option") == 0            ? DB_OPTION
           : strcasecmp(text, "spot") == 0              ? DB_SPOT
                                                        : 99; /* combos: there are none */
}

int db_call_filter(struct db_shell *shell, struct db_call *call, bool needed, const char **currency,
                   int *kind)
{
    const char *text = db_gate_text(call, "currency");

    (void)shell;
    *kind = db_call_kind(db_gate_text(call, "kind"));
    *currency = text == NULL || strcasecmp(text, "any") == 0 ? NULL : text;
    if (text == NULL && needed) {
        return db_gate_invalid(call, "currency", "missing required parameter");
    }
    if (*currency != NULL && db_text_currency(*currency) < 0 && strcasecmp(*currency, "EURR") != 0) {
        return db_gate_invalid(call, "currency", "unknown currency");
    }
    return 0;
}

bool db_call_fits(const struct db_shell *shell, int at, const char *currency, int kind)
{
    return (kind < 0 || (int)shell->listing[at].kind == kind) &&
           (currency == NULL || strcasecmp(shell->listing[at].currency, currency) == 0);
}

int db_call_account(const struct db_shell *shell, const struct db_call *call)
{
    return shell->key[call->key].account;
}

static struct db_session *session_of(const struct db_shell *shell, const struct db_call *call)
{
    return call->socket ? sim_net_session(shell->net, call->conn) : NULL;
}

static int ok(struct sim_text *out)
{
    sim_text_str(out, "\"ok\"");
    return 0;
}

/* --- the session --------------------------------------------------------------------------------------- */

static int subscribe(struct db_shell *shell, struct db_call *call, bool on, struct sim_text *out)
{
    struct db_session *session = session_of(shell, call);
    const json_t *list = json_object_get(call->params, "channels");
    struct sim_text names = { 0 };
    const char *taken[DB_SUB_MAX];
    size_t count = 0, i;
    json_t *name;
    int code = 0;

    if (session == NULL) {
        return 10030;
    }
    const char *label = call->method->open ? NULL : db_gate_text(call, "label");

    if (!json_is_array(list)) {
        return db_gate_invalid(call, "channels", "missing required parameter");
    }
    label = label == NULL ? "" : label;
    if (strlen(label) > 16) {
        return db_gate_invalid(call, "label", "longer than 16 characters");
    }
    json_array_foreach(list, i, name)
    {
        const char *text = json_string_value(name);
        if (text == NULL) {
            return db_gate_invalid(call, "channels", "invalid type");
        }
        bool done = on ? db_feed_subscribe(shell, session, text, label, !call->method->open, &code)
                       : db_feed_unsubscribe(session, text);
        if (done && count < DB_SUB_MAX) {
            taken[count++] = text;
        }
    }
    if (code != 0) {
        return code;
    }
    enum db_order order = shell->options.choices.ack;
    bool turned = order == DB_OTHER_WAY || (order == DB_SEEDED && sim_random_chance(&shell->random, 500000));

    sim_text_str(out, "[");
    for (i = 0; i < count; i++) {
        const char *text = taken[turned ? count - 1 - i : i];
        sim_text_str(out, i > 0 ? "," : "");
        sim_text_quote(out, text);
        sim_text_add(&names, "%s%s", i > 0 ? " " : "", text);
    }
    sim_text_str(out, "]");
    if (on) {
        call->activate = names.data;
    } else {
        sim_text_free(&names);
    }
    return 0;
}

static int run_subscribe(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    return subscribe(shell, call, true, out);
}

static int run_unsubscribe(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    return subscribe(shell, call, false, out);
}

static int run_unsubscribe_all(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    struct db_session *session = session_of(shell, call);

    if (session == NULL) {
        return 10030;
    }
    db_feed_forget(session);
    return ok(out);
}

static int run_set_heartbeat(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    struct db_session *session = session_of(shell, call);
    int64_t seconds;
    int code = db_gate_integer(call, "interval", 0, &seconds);

    if (session == NULL) {
        return 10030;
    }
    if (code != 0 || seconds < BEAT_LOW_S || seconds > BEAT_HIGH_S) {
        return db_gate_invalid(call, "interval", "must be at least 10");
    }
    session->beat_ns = seconds * 1000000000;
    session->next_beat_ns = shell->now_ns + session->beat_ns;
    session->test_by_ns = 0;
    session->beats = 0;
    return ok(out);
}

static int run_disable_heartbeat(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    struct db_session *session = session_of(shell, call);

    if (session == NULL) {
        return 10030;
    }
    session->beat_ns = session->test_by_ns = 0;
    return ok(out);
}

static int run_test(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    struct db_session *session = session_of(shell, call);

    if (session != NULL) {
        session->test_by_ns = 0;
    }
    sim_text_str(out, "{\"version\":\"1.2.26\"}");
    return 0;
}

static int run_hello(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    (void)shell;
    if (db_gate_text(call, "client_name") == NULL || db_gate_text(call, "client_version") == NULL) {
        return db_gate_invalid(call, "client_name", "missing required parameter");
    }
    sim_text_str(out, "{\"version\":\"1.2.26\"}");
    return 0;
}

static int run_time(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    (void)call;
    sim_text_add(out, "%lld", (long long)(db_shell_server_ns(shell) / 1000000));
    return 0;
}

static int run_status(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    (void)call;
    sim_text_add(out, "{\"locked_indices\":[%s],\"locked\":\"%s\"}",
                 shell->locked ? "\"btc_usd\",\"btc_usdc\",\"eth_usd\"" : "",
                 shell->locked ? "true" : "false");
    return 0;
}

/* --- what is listed ------------------------------------------------------------------------------------ */

static int run_currencies(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    static const char *const names[] = { "Bitcoin", "USD Coin", "Ethereum", "Tether USD" };
    static const char *const types[] = { "BITCOIN", "ETHER", "ETHER", "ETHER" };

    (void)shell;
    (void)call;
    sim_text_str(out, "[");
    for (int i = 0; i < 4; i++) {
        sim_text_add(
            out,
            "%s{\"currency\":\"%s\",\"currency_long\":\"%s\",\"coin_type\":\"%s\",\"fee_precision\":%d,"
            "\"min_confirmations\":1,\"min_withdrawal_fee\":0.0001,\"withdrawal_fee\":0.0001,"
            "\"withdrawal_priorities\":[],\"in_cross_collateral_pool\":false}",
            i > 0 ? "," : "", db_currencies[i], names[i], types[i], i == 1 || i == 3 ? 6 : 4);
    }
    sim_text_str(out, "]");
    return 0;
}

static int run_instruments(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    const char *currency;
    int kind, code = db_call_filter(shell, call, false, &currency, &kind);
    bool any = false;

    if (code != 0) {
        return code;
    }
    sim_text_str(out, "[");
    for (int at = 0; at < DB_MARKET_COUNT && !db_gate_flag(call, "expired", false); at++) {
        if (db_call_fits(shell, at, currency, kind)) {
            sim_text_str(out, any ? "," : "");
            db_text_instrument(out, shell, at);
            any = true;
        }
    }
    sim_text_str(out, "]");
    return 0;
}

static int run_instrument(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    int at, code = db_call_instrument(shell, call, &at);

    if (code == 0) {
        db_text_instrument(out, shell, at);
    }
    return code;
}

static int run_expirations(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    const char *currency;
    int kind, code = db_call_filter(shell, call, false, &currency, &kind);
    const char *dated = sim_venue_market(shell->venue, DB_BTC_DATED)->instrument.symbol + 4;
    bool btc = currency == NULL || strcasecmp(currency, "BTC") == 0;

    if (code != 0) {
        return code;
    }
    sim_text_str(out, "{");
    for (int i = 0; i < 4; i++) {
        if (currency != NULL && db_text_currency(currency) != i) {
            continue;
        }
        const char *lower[] = { "btc", "usdc", "eth", "usdt" };
        bool mine = btc && i == 0;
        sim_text_add(out, "%s\"%s\":{", out->data[out->length - 1] == '{' ? "" : ",", lower[i]);
        if (kind < 0 || kind == DB_FUTURE) {
            sim_text_add(out, "\"future\":[%s%s%s%s]", mine ? "\"" : "", mine ? dated : "", mine ? "\"," : "",
                         i < 3 ? "\"PERPETUAL\"" : "");
        }
        if (kind < 0 || kind == DB_OPTION) {
            sim_text_add(out, "%s\"option\":[%s%s%s]", kind < 0 ? "," : "", mine ? "\"" : "",
                         mine ? dated : "", mine ? "\"" : "");
        }
        sim_text_str(out, "}");
    }
    sim_text_str(out, "}");
    return 0;
}

static int run_index_price(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    const char *name = db_gate_text(call, "index_name");
    int64_t value = name == NULL ? 0 : db_text_index(shell, name);

    if (value == 0) {
        return db_gate_invalid(call, "index_name",
                               name == NULL ? "missing required parameter" : "unknown index");
    }
    sim_text_str(out, "{\"index_price\":");
    db_text_number(out, value / 1000000, 2);
    sim_text_str(out, ",\"estimated_delivery_price\":");
    db_text_number(out, value / 1000000, 2);
    sim_text_str(out, "}");
    return 0;
}

static int run_index_names(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    (void)shell;
    (void)call;
    sim_text_str(out, "[\"btc_usd\",\"btc_usdc\",\"eth_usd\"]");
    return 0;
}

static int run_contract_size(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    int at, code = db_call_instrument(shell, call, &at);

    if (code == 0) {
        sim_text_str(out, "{\"contract_size\":");
        db_text_number(out, shell->listing[at].contract,
                       sim_venue_market(shell->venue, at)->instrument.qty_decimals);
        sim_text_str(out, "}");
    }
    return code;
}

/* --- books and tickers --------------------------------------------------------------------------------- */

static void touch_of(struct db_shell *shell, int at, struct sim_level top[2])
{
    for (int side = 0; side < 2; side++) {
        if (sim_venue_depth(shell->venue, at, side, &top[side], 1) == 0) {
            top[side] = (struct sim_level){ 0, 0 };
        }
    }
}

static int run_ticker(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    struct sim_level top[2];
    int at, code = db_call_instrument(shell, call, &at);

    if (code == 0) {
        touch_of(shell, at, top);
        sim_text_str(out, "{");
        db_text_ticker(out, shell, at, top, shell->now_ns);
        sim_text_str(out, "}");
    }
    return code;
}

/* The book is answered as subscribers have it, so that a change id names one book in every answer. */
static int run_order_book(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    struct sim_level top[2] = { { 0, 0 }, { 0, 0 } };
    int64_t depth;
    int at, code = db_call_instrument(shell, call, &at);

    if (code == 0) {
        code = db_gate_integer(call, "depth", 5, &depth);
    }
    if (code != 0) {
        return code;
    }
    const struct sim_instrument *i = &sim_venue_market(shell->venue, at)->instrument;
    const struct db_book *book = &shell->book[at];

    depth = depth < 1 ? 1 : depth > DEPTH_MAX ? DEPTH_MAX : depth;
    for (int side = 0; side < 2; side++) {
        if (book->count[side] > 0) {
            top[side] = book->level[side][side == SIM_BUY ? book->count[side] - 1 : 0];
        }
    }
    sim_text_str(out, "{");
    db_text_ticker(out, shell, at, top, shell->now_ns);
    sim_text_add(out, ",\"change_id\":%lld", (long long)book->change_id);
    for (int side = 0; side < 2; side++) {
        size_t count = book->count[side] < (size_t)depth ? book->count[side] : (size_t)depth;

        sim_text_str(out, side == SIM_BUY ? ",\"bids\":[" : "],\"asks\":[");
        for (size_t k = 0; k < count; k++) {
            const struct sim_level *level =
                &book->level[side][side == SIM_BUY ? book->count[side] - 1 - k : k];
            sim_text_str(out, k > 0 ? ",[" : "[");
            db_text_price(out, i, level->price);
            sim_text_str(out, ",");
            db_text_number(out, level->qty, i->qty_decimals);
            sim_text_str(out, "]");
        }
    }
    sim_text_str(out, "]}");
    return 0;
}

static void summary(struct db_shell *shell, int at, struct sim_text *out)
{
    const struct sim_market *market = sim_venue_market(shell->venue, at);
    const struct sim_instrument *i = &market->instrument;
    const struct db_tape *tape = shell->tape[at];
    struct sim_level top[2];
    double future;
    static const char *const sides[] = { "bid_price", "ask_price" };

    touch_of(shell, at, top);
    sim_text_add(out, "{\"instrument_name\":\"%s\",\"base_currency\":\"%s\",\"quote_currency\":\"%s\"",
                 i->symbol, i->base, i->quote);
    for (int side = 0; side < 2; side++) {
        sim_text_add(out, ",\"%s\":", sides[side]);
        if (top[side].qty > 0) {
            db_text_price(out, i, top[side].price);
        } else {
            sim_text_str(out, "null");
        }
    }
    sim_text_str(out, ",\"mid_price\":");
    db_text_number(out, (top[0].price + top[1].price) * 5, i->price_decimals + 1);
    sim_text_str(out, ",\"mark_price\":");
    db_text_number(out, market->mark_e8 / 10000, 4);
    if (tape->printed > 0) {
        sim_text_str(out, ",\"last\":");
        db_text_price(out, i, tape->print[(tape->printed - 1) % DB_PRINT_MAX].price);
        sim_text_str(out, ",\"high\":");
        db_text_price(out, i, tape->high);
        sim_text_str(out, ",\"low\":");
        db_text_price(out, i, tape->low);
        sim_text_str(out, ",\"volume\":");
        db_text_number(out, i->kind == SIM_INVERSE ? tape->value_e16 / SIM_CASH_ONE : tape->volume,
                       i->kind == SIM_INVERSE ? 8 : i->qty_decimals);
    } else {
        sim_text_str(out, ",\"last\":null,\"high\":null,\"low\":null,\"volume\":0.0");
    }
    sim_text_str(out, ",\"price_change\":null,\"open_interest\":0.0,\"estimated_delivery_price\":");
    db_text_number(out, market->index_e8 / 1000000, 2);
    if (shell->listing[at].kind == DB_OPTION) {
        db_text_greeks(shell, at, &future);
        sim_text_add(out, ",\"underlying_index\":\"%s\",\"interest_rate\":0.0,\"underlying_price\":",
                     sim_venue_market(shell->venue, DB_BTC_DATED)->instrument.symbol);
        db_text_real(out, future, 2);
        sim_text_str(out, ",\"mark_iv\":");
        db_text_real(out, DB_VOLATILITY * 100, 2);
    } else if (strcmp(shell->listing[at].period, "perpetual") == 0) {
        sim_text_str(out, ",\"current_funding\":");
        db_text_number(out, market->funding_rate_e8, 8);
        sim_text_str(out, ",\"funding_8h\":");
        db_text_number(out, market->funding_rate_e8, 8);
    }
    sim_text_add(out, ",\"creation_timestamp\":%lld}", (long long)(shell->now_ns / 1000000));
}

static int run_summary_currency(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    const char *currency;
    int kind, code = db_call_filter(shell, call, true, &currency, &kind);
    bool any = false;

    if (code != 0) {
        return code;
    }
    sim_text_str(out, "[");
    for (int at = 0; at < DB_MARKET_COUNT; at++) {
        if (db_call_fits(shell, at, currency, kind)) {
            sim_text_str(out, any ? "," : "");
            summary(shell, at, out);
            any = true;
        }
    }
    sim_text_str(out, "]");
    return 0;
}

static int run_summary_instrument(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    int at, code = db_call_instrument(shell, call, &at);

    if (code == 0) {
        sim_text_str(out, "[");
        summary(shell, at, out);
        sim_text_str(out, "]");
    }
    return code;
}

/* --- trades -------------------------------------------------------------------------------------------- */

struct window { /* which trades are asked for */
    int64_t start_ms, end_ms, start_seq, end_seq, start_id, end_id, count;
    bool oldest_first;
};

static int read_window(struct db_call *call, struct window *window)
{
    static const char *const names[] = { "start_timestamp", "end_timestamp", "start_seq", "end_seq" };
    static const char *const ids[] = { "start_id", "end_id" };
    int64_t *const values[] = { &window->start_ms, &window->end_ms, &window->start_seq, &window->end_seq };
    int64_t *const id_values[] = { &window->start_id, &window->end_id };
    const char *sorting = db_gate_text(call, "sorting");
    int code = db_gate_integer(call, "count", 10, &window->count);

    for (int i = 0; i < 4 && code == 0; i++) {
        code = db_gate_integer(call, names[i], i % 2 == 0 ? 0 : INT64_MAX, values[i]);
    }
    for (int i = 0; i < 2; i++) {
        const char *text = db_gate_text(call, ids[i]);
        const char *digits = text == NULL ? NULL : strrchr(text, '-');
        *id_values[i] = text == NULL ? (i == 0 ? 0 : INT64_MAX) : atoll(digits == NULL ? text : digits + 1);
    }
    if (code == 0 && (window->count < 1 || window->count > 1000)) {
        code = db_gate_invalid(call, "count", "must be 1 to 1000");
    }
    /* Asked from a beginning, the oldest come first; else the newest, unless sorting says otherwise. */
    window->oldest_first = sorting != NULL && strcmp(sorting, "asc") == 0;
    if (sorting == NULL || strcmp(sorting, "default") == 0) {
        window->oldest_first = window->start_seq > 0 || window->start_id > 0;
    }
    return code;
}

static bool in_window(const struct window *window, const struct db_print *print)
{
    int64_t ms = print->now_ns / 1000000;

    return ms >= window->start_ms && ms <= window->end_ms && print->seq >= window->start_seq &&
           print->seq <= window->end_seq && print->id >= window->start_id && print->id <= window->end_id;
}

struct found {
    const struct db_print *print;
    int at;
};

static int by_id(const void *a, const void *b)
{
    const struct found *x = a, *y = b;

    return x->print->now_ns != y->print->now_ns ? (x->print->now_ns > y->print->now_ns ? 1 : -1)
           : x->print->id != y->print->id       ? (x->print->id > y->print->id ? 1 : -1)
                                                : 0;
}

static int last_trades(struct db_shell *shell, struct db_call *call, int only, const char *currency, int kind,
                       struct sim_text *out)
{
    struct window window;
    struct found *found = NULL;
    size_t count = 0, capacity = 0;
    int code = read_window(call, &window);

    if (code != 0) {
        return code;
    }
    for (int at = 0; at < DB_MARKET_COUNT; at++) {
        const struct db_tape *tape = shell->tape[at];
        uint64_t kept = tape->printed < DB_PRINT_MAX ? tape->printed : DB_PRINT_MAX;

        for (uint64_t k = tape->printed - kept; k < tape->printed; k++) {
            const struct db_print *print = &tape->print[k % DB_PRINT_MAX];
            bool fits = only >= 0 ? only == at : db_call_fits(shell, at, currency, kind);
            if (fits && in_window(&window, print)) {
                found = db_shell_grow(found, &capacity, count + 1, sizeof *found);
                found[count++] = (struct found){ print, at };
            }
        }
    }
    if (count > 1) {
        qsort(found, count, sizeof *found, by_id);
    }
    size_t shown = count < (size_t)window.count ? count : (size_t)window.count;

    sim_text_str(out, "{\"trades\":[");
    for (size_t i = 0; i < shown; i++) {
        const struct found *one = &found[window.oldest_first ? i : count - 1 - i];
        sim_text_str(out, i > 0 ? "," : "");
        db_text_print(out, shell, one->at, one->print);
    }
    sim_text_add(out, "],\"has_more\":%s}", shown < count ? "true" : "false");
    free(found);
    return 0;
}

static int run_trades_instrument(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    int at, code = db_call_instrument(shell, call, &at);

    return code != 0 ? code : last_trades(shell, call, at, NULL, -1, out);
}

static int run_trades_currency(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    const char *currency;
    int kind, code = db_call_filter(shell, call, true, &currency, &kind);

    return code != 0 ? code : last_trades(shell, call, -1, currency, kind, out);
}

static int run_chart(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    static const char *const names[] = { "volume", "ticks", "open", "low", "high", "cost", "close" };
    const char *resolution = db_gate_text(call, "resolution");
    int64_t start, end;
    int at, code = db_call_instrument(shell, call, &at);

    if (code == 0 && (code = db_gate_integer(call, "start_timestamp", 0, &start)) == 0) {
        code = db_gate_integer(call, "end_timestamp", shell->now_ns / 1000000, &end);
    }
    int64_t minutes = resolution == NULL ? 0 : strcmp(resolution, "1D") == 0 ? 1440 : atoll(resolution);
    if (code == 0 && minutes <= 0) {
        code = db_gate_invalid(call, "resolution", "unknown value");
    }
    if (code != 0) {
        return code;
    }
    const struct sim_instrument *i = &sim_venue_market(shell->venue, at)->instrument;
    const struct db_tape *tape = shell->tape[at];
    uint64_t kept = tape->printed < DB_PRINT_MAX ? tape->printed : DB_PRINT_MAX;
    struct sim_text column[7] = { 0 };
    int64_t span = minutes * 60000, tick = -1;
    int64_t open = 0, high = 0, low = 0, close = 0;
    __int128 volume = 0, value = 0;
    bool inverse = i->kind == SIM_INVERSE, any = false;

    for (uint64_t k = tape->printed - kept; k <= tape->printed; k++) {
        const struct db_print *print = k == tape->printed ? NULL : &tape->print[k % DB_PRINT_MAX];
        int64_t now = print == NULL ? -1 : print->now_ns / 1000000 / span * span;

        if (now != tick && tick >= start / span * span && tick <= end) {
            const int64_t prices[] = { open, low, high, close };
            static const int columns[] = { 2, 3, 4, 6 };
            for (int c = 0; c < 7 && any; c++) {
                sim_text_str(&column[c], ",");
            }
            any = true;
            db_text_number(&column[0], inverse ? value / SIM_CASH_ONE : volume,
                           inverse ? 8 : i->qty_decimals);
            sim_text_add(&column[1], "%lld", (long long)tick);
            db_text_number(&column[5], inverse ? volume : value / SIM_CASH_ONE, inverse ? 0 : 8);
            for (int c = 0; c < 4; c++) {
                db_text_price(&column[columns[c]], i, prices[c]);
            }
        }
        if (print == NULL) {
            break;
        }
        if (now != tick) {
            tick = now;
            open = high = low = print->price;
            volume = value = 0;
        }
        high = print->price > high ? print->price : high;
        low = print->price < low ? print->price : low;
        close = print->price;
        volume += print->qty;
        value += sim_ledger_value(i, print->qty, print->price);
    }
    sim_text_add(out, "{\"status\":\"%s\"", any ? "ok" : "no_data");
    for (int c = 0; c < 7; c++) {
        sim_text_add(out, ",\"%s\":[%s]", names[c], column[c].data == NULL ? "" : column[c].data);
        sim_text_free(&column[c]);
    }
    sim_text_str(out, "}");
    return 0;
}

/* --- funding, volatility, settlements ------------------------------------------------------------------ */

static void rate_of(struct sim_text *out, __int128 rate_ns, int64_t span_ns)
{
    /* rate_ns is the integral of an 8 hour rate: over 8 hours it is the rate itself */
    db_text_number(out, rate_ns * 10000 / span_ns, 12);
}

#define HOUR_NS INT64_C(3600000000000)

static int run_funding_history(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    int64_t start, end;
    int at, code = db_call_instrument(shell, call, &at);
    bool any = false;

    if (code == 0 && (code = db_gate_integer(call, "start_timestamp", 0, &start)) == 0) {
        code = db_gate_integer(call, "end_timestamp", INT64_MAX, &end);
    }
    if (code != 0) {
        return code;
    }
    sim_text_str(out, "[");
    for (int k = 0; k < shell->hour_count[at] - 1; k++) { /* the last hour is not over */
        const struct db_hour *hour = &shell->hour[at][k];
        __int128 eight = 0;

        if (hour->at_ms + 3600000 < start || hour->at_ms + 3600000 > end) {
            continue;
        }
        for (int back = 0; back < 8 && back <= k; back++) {
            eight += shell->hour[at][k - back].rate_ns;
        }
        sim_text_add(out, "%s{\"timestamp\":%lld,\"index_price\":", any ? "," : "",
                     (long long)hour->at_ms + 3600000);
        db_text_number(out, hour->index_e8 / 1000000, 2);
        sim_text_str(out, ",\"prev_index_price\":");
        db_text_number(out, hour->before_e8 / 1000000, 2);
        sim_text_str(out, ",\"interest_8h\":");
        rate_of(out, eight, 8 * HOUR_NS);
        sim_text_str(out, ",\"interest_1h\":");
        rate_of(out, hour->rate_ns, 8 * HOUR_NS);
        sim_text_str(out, "}");
        any = true;
    }
    sim_text_str(out, "]");
    return 0;
}

static int run_funding_value(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    int64_t start, end;
    int at, code = db_call_instrument(shell, call, &at);
    __int128 sum = 0;

    if (code == 0 && (code = db_gate_integer(call, "start_timestamp", 0, &start)) == 0) {
        code = db_gate_integer(call, "end_timestamp", INT64_MAX, &end);
    }
    if (code != 0) {
        return code;
    }
    for (int k = 0; k < shell->hour_count[at]; k++) { /* whole hours: the grain of what is kept */
        const struct db_hour *hour = &shell->hour[at][k];
        sum += hour->at_ms + 3600000 > start && hour->at_ms < end ? hour->rate_ns : 0;
    }
    rate_of(out, sum, 8 * HOUR_NS);
    return 0;
}

static int run_funding_chart(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    int at, code = db_call_instrument(shell, call, &at);

    if (code != 0) {
        return code;
    }
    const struct sim_market *market = sim_venue_market(shell->venue, at);
    sim_text_str(out, "{\"current_interest\":");
    db_text_number(out, market->funding_rate_e8, 8);
    sim_text_str(out, ",\"interest_8h\":");
    db_text_number(out, market->funding_rate_e8, 8);
    sim_text_str(out, ",\"data\":[");
    for (int k = 0; k < shell->hour_count[at]; k++) {
        const struct db_hour *hour = &shell->hour[at][k];
        sim_text_add(out, "%s{\"timestamp\":%lld,\"index_price\":", k > 0 ? "," : "", (long long)hour->at_ms);
        db_text_number(out, hour->index_e8 / 1000000, 2);
        sim_text_str(out, ",\"interest_8h\":");
        rate_of(out, hour->rate_ns, HOUR_NS);
        sim_text_str(out, "}");
    }
    sim_text_str(out, "]}");
    return 0;
}

static int run_volatility(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    int64_t start, end;
    int code = db_gate_integer(call, "start_timestamp", 0, &start);
    const char *resolution = db_gate_text(call, "resolution");
    int64_t step = resolution == NULL ? 0 : strcmp(resolution, "1D") == 0 ? 86400 : atoll(resolution);

    (void)shell;
    if (code == 0) {
        code = db_gate_integer(call, "end_timestamp", 0, &end);
    }
    if (code == 0 && (step <= 0 || end < start)) {
        code = db_gate_invalid(call, "resolution", "unknown value");
    }
    if (code != 0) {
        return code;
    }
    int64_t first = start / (step * 1000) * step * 1000, rows = 0;
    sim_text_str(out, "{\"data\":[");
    for (int64_t ms = first; ms <= end && rows < 1000;
         ms += step * 1000, rows++) { /* it is the same at all times */
        sim_text_add(out, "%s[%lld,60.0,60.0,60.0,60.0]", rows > 0 ? "," : "", (long long)ms);
    }
    sim_text_str(out, "],\"continuation\":null}");
    return 0;
}

static int run_historical_volatility(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    (void)call;
    sim_text_add(out, "[[%lld,60.0]]", (long long)(shell->now_ns / HOUR_NS * 3600000));
    return 0;
}

static int run_delivery_prices(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    (void)shell;
    (void)call;
    sim_text_str(out, "{\"data\":[],\"records_total\":0}"); /* nothing has expired here */
    return 0;
}

static int run_settlements(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    (void)shell;
    (void)call;
    sim_text_str(out, "{\"settlements\":[],\"continuation\":\"none\"}");
    return 0;
}

static int run_none(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    (void)shell;
    (void)call;
    sim_text_str(out, "[]");
    return 0;
}

/* clang-format off */
#define OPEN(name, cost, scope, run) { "public/" name, true, DB_NONE, DB_NONE, DB_NONE, cost, scope, run }
const struct db_method db_public_methods[] = {
    OPEN("auth",                               DB_COST_PLAIN,       "auth",    db_auth_run),
    OPEN("subscribe",                          DB_COST_SUBSCRIBE,   "session", run_subscribe),
    OPEN("unsubscribe",                        DB_COST_SUBSCRIBE,   "session", run_unsubscribe),
    OPEN("unsubscribe_all",                    DB_COST_SUBSCRIBE,   "session", run_unsubscribe_all),
    OPEN("set_heartbeat",                      DB_COST_PLAIN,       "session", run_set_heartbeat),
    OPEN("disable_heartbeat",                  DB_COST_PLAIN,       "session", run_disable_heartbeat),
    OPEN("test",                               DB_COST_PLAIN,       "session", run_test),
    OPEN("hello",                              DB_COST_PLAIN,       "session", run_hello),
    OPEN("get_time",                           DB_COST_PLAIN,       "read",    run_time),
    OPEN("status",                             DB_COST_PLAIN,       "read",    run_status),
    OPEN("get_currencies",                     DB_COST_PLAIN,       "read",    run_currencies),
    OPEN("get_instruments",                    DB_COST_INSTRUMENTS, "read",    run_instruments),
    OPEN("get_instrument",                     DB_COST_PLAIN,       "read",    run_instrument),
    OPEN("get_expirations",                    DB_COST_PLAIN,       "read",    run_expirations),
    OPEN("get_contract_size",                  DB_COST_PLAIN,       "read",    run_contract_size),
    OPEN("get_index_price",                    DB_COST_PLAIN,       "read",    run_index_price),
    OPEN("get_index_price_names",              DB_COST_PLAIN,       "read",    run_index_names),
    OPEN("get_supported_index_names",          DB_COST_PLAIN,       "read",    run_index_names),
    OPEN("ticker",                             DB_COST_PLAIN,       "read",    run_ticker),
    OPEN("get_order_book",                     DB_COST_PLAIN,       "read",    run_order_book),
    OPEN("get_book_summary_by_currency",       DB_COST_PLAIN,       "read",    run_summary_currency),
    OPEN("get_book_summary_by_instrument",     DB_COST_PLAIN,       "read",    run_summary_instrument),
    OPEN("get_last_trades_by_instrument",      DB_COST_PLAIN,       "read",    run_trades_instrument),
    OPEN("get_last_trades_by_instrument_and_time", DB_COST_PLAIN,   "read",    run_trades_instrument),
    OPEN("get_last_trades_by_currency",        DB_COST_PLAIN,       "read",    run_trades_currency),
    OPEN("get_last_trades_by_currency_and_time", DB_COST_PLAIN,     "read",    run_trades_currency),
    OPEN("get_tradingview_chart_data",         DB_COST_PLAIN,       "read",    run_chart),
    OPEN("get_funding_rate_history",           DB_COST_PLAIN,       "read",    run_funding_history),
    OPEN("get_funding_rate_value",             DB_COST_PLAIN,       "read",    run_funding_value),
    OPEN("get_funding_chart_data",             DB_COST_PLAIN,       "read",    run_funding_chart),
    OPEN("get_volatility_index_data",          DB_COST_PLAIN,       "read",    run_volatility),
    OPEN("get_historical_volatility",          DB_COST_PLAIN,       "read",    run_historical_volatility),
    OPEN("get_delivery_prices",                DB_COST_PLAIN,       "read",    run_delivery_prices),
    OPEN("get_last_settlements_by_instrument", DB_COST_PLAIN,       "read",    run_settlements),
    OPEN("get_last_settlements_by_currency",   DB_COST_PLAIN,       "read",    run_settlements),
    OPEN("get_announcements",                  DB_COST_PLAIN,       "read",    run_none),
    { "private/subscribe",       false, DB_NONE, DB_NONE, DB_NONE, DB_COST_SUBSCRIBE, "session", run_subscribe },
    { "private/unsubscribe",     false, DB_NONE, DB_NONE, DB_NONE, DB_COST_SUBSCRIBE, "session", run_unsubscribe },
    { "private/unsubscribe_all", false, DB_NONE, DB_NONE, DB_NONE, DB_COST_SUBSCRIBE, "session", run_unsubscribe_all },
    { "private/logout",          false, DB_NONE, DB_NONE, DB_NONE, DB_COST_PLAIN,     "session", db_auth_logout },
    { NULL, false, DB_NONE, DB_NONE, DB_NONE, DB_COST_PLAIN, NULL, NULL },
};
/* clang-format on */
