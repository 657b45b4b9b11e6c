#include "tools/sim/deribit/db_state.h"

#include "tools/sim/model/sim_decimal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define PART_MAX 6

const int db_paces_ms[DB_PACE_COUNT] = { 0, 100, 1000 }; /* raw, 100ms, agg2 */

/* --- sending ------------------------------------------------------------------------------------------- */

static bool private_channel(enum db_channel channel)
{
    return channel >= DB_USER_ORDERS;
}

static void send(struct db_shell *shell, struct db_session *session, const struct db_sub *sub,
                 const char *data, size_t length)
{
    bool private_ = private_channel(sub->channel);
    const char *scope = private_ ? "deribit-private" : "deribit-public";
    struct sim_fault *half = sim_fault_open(shell->faults, SIM_FAULT_HEARTBEAT_ONLY, scope, shell->now_ns);
    struct sim_fault *silence =
        half != NULL ? half : sim_fault_open(shell->faults, SIM_FAULT_SILENCE, scope, shell->now_ns);
    struct sim_text text = { 0 };

    if (silence != NULL) {
        silence->fired++;
    }
    if (session->closing || silence != NULL) {
        return;
    }
    *(private_ ? &shell->private_sent : &shell->public_sent) += 1;
    sim_text_str(&text, "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":");
    sim_text_quote(&text, sub->name);
    sim_text_str(&text, ",\"data\":");
    sim_text_put(&text, data, length);
    if (sub->label[0] != '\0') {
        sim_text_str(&text, ",\"label\":");
        sim_text_quote(&text, sub->label);
    }
    sim_text_str(&text, "}}");
    sim_net_text(shell->net, session->conn, text.data, text.length);
    sim_text_free(&text);
}

/* fan sends one text to every subscriber of a channel of an instrument at a pace. */
static void fan(struct db_shell *shell, enum db_channel channel, int at, int pace,
                const struct sim_text *text)
{
    for (struct db_session *session = shell->sessions; session != NULL; session = session->next) {
        for (int i = 0; i < session->sub_count; i++) {
            const struct db_sub *sub = &session->sub[i];
            if (!sub->active || sub->channel != channel || sub->instrument != at || sub->pace != pace) {
                continue;
            }
            if (channel == DB_BOOK &&
                sim_fault_hit(shell->faults, SIM_FAULT_GAP, "deribit-public", shell->now_ns) != NULL) {
                continue;
            }
            if (channel == DB_BOOK &&
                sim_fault_hit(shell->faults, SIM_FAULT_SEQUENCE, "deribit-public", shell->now_ns) != NULL) {
                struct sim_text other = { 0 };
                sim_text_put(&other, text->data, text->length);
                sim_text_misnumber(&other, "\"prev_change_id\":");
                send(shell, session, sub, other.data, other.length);
                sim_text_free(&other);
                continue;
            }
            send(shell, session, sub, text->data, text->length);
        }
    }
}

static bool wanted(const struct db_shell *shell, enum db_channel channel, int at, int pace)
{
    for (const struct db_session *session = shell->sessions; session != NULL; session = session->next) {
        for (int i = 0; i < session->sub_count; i++) {
            const struct db_sub *sub = &session->sub[i];
            if (sub->active && sub->channel == channel && sub->instrument == at &&
                (pace < 0 || sub->pace == pace)) {
                return true;
            }
        }
    }
    return false;
}

/* --- the book ------------------------------------------------------------------------------------------ */

static size_t place_of(const struct sim_level *level, size_t count, int64_t price)
{
    size_t low = 0, high = count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        if (level[middle].price < price) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* set changes a level and answers what it was. */
static int64_t set(struct db_book *book, int side, int64_t price, int64_t qty)
{
    size_t at = place_of(book->level[side], book->count[side], price);
    bool there = at < book->count[side] && book->level[side][at].price == price;
    int64_t old = there ? book->level[side][at].qty : 0;

    if (qty == 0 && there) {
        memmove(&book->level[side][at], &book->level[side][at + 1],
                (book->count[side] - at - 1) * sizeof(struct sim_level));
        book->count[side]--;
    } else if (qty > 0) {
        if (!there) {
            book->level[side] = db_shell_grow(book->level[side], &book->capacity[side], book->count[side] + 1,
                                              sizeof(struct sim_level));
            memmove(&book->level[side][at + 1], &book->level[side][at],
                    (book->count[side] - at) * sizeof(struct sim_level));
            book->count[side]++;
            book->level[side][at].price = price;
        }
        book->level[side][at].qty = qty;
    }
    return old;
}

static int64_t size_at(const struct db_book *book, int side, int64_t price)
{
    size_t at = place_of(book->level[side], book->count[side], price);

    return at < book->count[side] && book->level[side][at].price == price ? book->level[side][at].qty : 0;
}

static void merge_note(struct db_merge *merge, int side, int64_t price, int64_t old_qty)
{
    for (size_t i = 0; i < merge->count[side]; i++) {
        if (merge->change[side][i].price == price) {
            return;
        }
    }
    merge->change[side] = db_shell_grow(merge->change[side], &merge->capacity[side], merge->count[side] + 1,
                                        sizeof(struct db_change));
    merge->change[side][merge->count[side]++] = (struct db_change){ price, old_qty };
}

static void book_row(struct sim_text *out, const struct sim_instrument *i, bool first, int64_t old_qty,
                     const struct sim_level *level)
{
    sim_text_add(out, "%s[\"%s\",", first ? "" : ",",
                 level->qty == 0 ? "delete"
                 : old_qty == 0  ? "new"
                                 : "change");
    db_text_price(out, i, level->price);
    sim_text_str(out, ",");
    db_text_number(out, level->qty, i->qty_decimals);
    sim_text_str(out, "]");
}

/* flush_merge sends what changed at a pace since it was last told; also nothing, so that ids stay linked. */
static void flush_merge(struct db_shell *shell, int at, int pace)
{
    struct db_merge *merge = &shell->merge[at][pace];
    const struct sim_instrument *i = &sim_venue_market(shell->venue, at)->instrument;
    const struct db_book *book = &shell->book[at];
    struct sim_text text = { 0 };

    if (!merge->any) {
        return;
    }
    sim_text_add(&text,
                 "{\"type\":\"change\",\"timestamp\":%lld,\"prev_change_id\":%lld,\"instrument_name\":\"%s\","
                 "\"change_id\":%lld",
                 (long long)book->stamp_ms, (long long)merge->sent_id, i->symbol, (long long)book->change_id);
    for (int side = 0; side < 2; side++) {
        bool first = true;
        sim_text_str(&text, side == SIM_BUY ? ",\"bids\":[" : "],\"asks\":[");
        for (size_t k = 0; k < merge->count[side]; k++) {
            const struct db_change *change = &merge->change[side][k];
            struct sim_level level = { change->price, size_at(book, side, change->price) };
            if (level.qty != change->old_qty) {
                book_row(&text, i, first, change->old_qty, &level);
                first = false;
            }
        }
        merge->count[side] = 0;
    }
    sim_text_str(&text, "]}");
    merge->any = false;
    merge->sent_id = book->change_id;
    fan(shell, DB_BOOK, at, pace, &text);
    sim_text_free(&text);
}

static void mark_dirty(struct db_shell *shell, enum db_channel channel, int at)
{
    for (struct db_session *session = shell->sessions; session != NULL; session = session->next) {
        for (int i = 0; i < session->sub_count; i++) {
            struct db_sub *sub = &session->sub[i];
            if (sub->channel == channel && sub->instrument == at) {
                sub->dirty = true;
            }
        }
    }
}

static void deliver_depth(struct db_shell *shell, const struct db_item *item)
{
    const struct sim_event *event = &item->event;
    int at = event->instrument;
    struct db_book *book = &shell->book[at];
    bool any = false;

    for (uint32_t k = 0; k < event->bid_count + event->ask_count; k++) {
        int side = k < event->bid_count ? SIM_BUY : SIM_SELL;
        int64_t old = set(book, side, event->levels[k].price, event->levels[k].qty);
        if (old != event->levels[k].qty) {
            any = true;
            for (int pace = 0; pace < DB_PACE_COUNT; pace++) {
                merge_note(&shell->merge[at][pace], side, event->levels[k].price, old);
            }
        }
    }
    if (!any) {
        return; /* nothing that a subscriber sees: no id is spent */
    }
    book->change_id = event->u;
    book->stamp_ms = event->now_ns / 1000000;
    for (int pace = 0; pace < DB_PACE_COUNT; pace++) {
        struct db_merge *merge = &shell->merge[at][pace];
        if (!wanted(shell, DB_BOOK, at, pace)) {
            merge->any = false;
            merge->count[0] = merge->count[1] = 0;
            merge->sent_id = book->change_id;
        } else {
            merge->any = true;
        }
    }
    flush_merge(shell, at, 0);
    mark_dirty(shell, DB_BOOK_TOP, at);
}

static void book_snapshot(struct db_shell *shell, struct sim_text *out, int at)
{
    const struct sim_instrument *i = &sim_venue_market(shell->venue, at)->instrument;
    const struct db_book *book = &shell->book[at];

    sim_text_add(out,
                 "{\"type\":\"snapshot\",\"timestamp\":%lld,\"instrument_name\":\"%s\",\"change_id\":%lld",
                 (long long)book->stamp_ms, i->symbol, (long long)book->change_id);
    for (int side = 0; side < 2; side++) {
        sim_text_str(out, side == SIM_BUY ? ",\"bids\":[" : "],\"asks\":[");
        for (size_t k = 0; k < book->count[side]; k++) {
            size_t from = side == SIM_BUY ? book->count[side] - 1 - k : k;
            book_row(out, i, k == 0, 0, &book->level[side][from]);
        }
    }
    sim_text_str(out, "]}");
}

/* grouped writes the best levels, rounded to the group away from the other side. */
static void grouped(struct db_shell *shell, struct sim_text *out, const struct db_sub *sub)
{
    const struct sim_instrument *i = &sim_venue_market(shell->venue, sub->instrument)->instrument;
    const struct db_book *book = &shell->book[sub->instrument];

    sim_text_add(out, "{\"timestamp\":%lld,\"instrument_name\":\"%s\",\"change_id\":%lld",
                 (long long)book->stamp_ms, i->symbol, (long long)book->change_id);
    for (int side = 0; side < 2; side++) {
        struct sim_level row = { 0, 0 };
        int rows = 0;

        sim_text_str(out, side == SIM_BUY ? ",\"bids\":[" : "],\"asks\":[");
        for (size_t k = 0; k <= book->count[side] && rows < sub->depth; k++) {
            const struct sim_level *level =
                k == book->count[side] ? NULL
                                       : &book->level[side][side == SIM_BUY ? book->count[side] - 1 - k : k];
            int64_t price = level == NULL ? -1 : level->price;
            if (level != NULL && sub->group > 0) {
                price = side == SIM_BUY ? price / sub->group * sub->group
                                        : (price + sub->group - 1) / sub->group * sub->group;
            }
            if (price == row.price) {
                row.qty += level->qty;
                continue;
            }
            if (row.qty > 0) {
                sim_text_str(out, rows++ > 0 ? ",[" : "[");
                db_text_price(out, i, row.price);
                sim_text_str(out, ",");
                db_text_number(out, row.qty, i->qty_decimals);
                sim_text_str(out, "]");
            }
            row = (struct sim_level){ price, level == NULL ? 0 : level->qty };
        }
    }
    sim_text_str(out, "]}");
}

/* --- tickers ------------------------------------------------------------------------------------------- */

static void ticker_text(struct db_shell *shell, struct sim_text *out, int at)
{
    sim_text_str(out, "{");
    db_text_ticker(out, shell, at, shell->top[at], shell->now_ns);
    sim_text_str(out, "}");
}

static void quote_text(struct db_shell *shell, struct sim_text *out, int at, int64_t now_ns)
{
    const struct sim_instrument *i = &sim_venue_market(shell->venue, at)->instrument;
    const struct sim_level *top = shell->top[at];

    sim_text_add(out, "{\"timestamp\":%lld,\"instrument_name\":\"%s\",\"best_ask_price\":",
                 (long long)(now_ns / 1000000), i->symbol);
    db_text_price(out, i, top[SIM_SELL].price);
    sim_text_str(out, ",\"best_bid_price\":");
    db_text_price(out, i, top[SIM_BUY].price);
    sim_text_str(out, ",\"best_ask_amount\":");
    db_text_number(out, top[SIM_SELL].qty, i->qty_decimals);
    sim_text_str(out, ",\"best_bid_amount\":");
    db_text_number(out, top[SIM_BUY].qty, i->qty_decimals);
    sim_text_str(out, "}");
}

/* next_member cuts the member at *at out of a JSON object's inside: name and value as text. */
static bool next_member(const char **at, const char **name, size_t *name_length, const char **value,
                        size_t *value_length)
{
    const char *c = *at;
    int depth = 0;
    bool quoted = false;

    if (*c == ',') {
        c++;
    }
    if (*c != '"') {
        return false;
    }
    *name = ++c;
    c = strchr(c, '"');
    *name_length = (size_t)(c - *name);
    *value = c += 2;
    for (; *c != '\0' && (quoted || depth > 0 || *c != ','); c++) {
        if (*c == '"') {
            quoted = !quoted;
        } else if (!quoted) {
            depth += *c == '{' || *c == '[';
            depth -= *c == '}' || *c == ']';
        }
    }
    *value_length = (size_t)(c - *value);
    *at = c;
    return true;
}

static bool find_member(const char *inside, const char *name, size_t name_length, const char **value,
                        size_t *value_length)
{
    const char *found;
    size_t length;

    while (next_member(&inside, &found, &length, value, value_length)) {
        if (length == name_length && strncmp(found, name, length) == 0) {
            return true;
        }
    }
    return false;
}

/* changed writes the members of fresh that differ in old; objects are compared inside. */
static int changed(struct sim_text *out, const char *fresh, const char *old)
{
    const char *name, *value, *before;
    size_t name_length, value_length, before_length;
    int count = 0;

    while (next_member(&fresh, &name, &name_length, &value, &value_length)) {
        bool had = find_member(old, name, name_length, &before, &before_length);
        if (had && before_length == value_length && strncmp(value, before, value_length) == 0) {
            continue;
        }
        sim_text_add(out, "%s\"%.*s\":", count++ > 0 ? "," : "", (int)name_length, name);
        if (had && value[0] == '{' && before[0] == '{') {
            char *inner = strndup(value + 1, value_length - 2), *was = strndup(before + 1, before_length - 2);
            sim_text_str(out, "{");
            changed(out, inner, was);
            sim_text_str(out, "}");
            free(inner);
            free(was);
        } else {
            sim_text_put(out, value, value_length);
        }
    }
    return count;
}

static void incremental(struct db_shell *shell, struct db_session *session, struct db_sub *sub)
{
    const char *symbol = sim_venue_market(shell->venue, sub->instrument)->instrument.symbol;
    struct sim_text fresh = { 0 }, out = { 0 };

    db_text_ticker(&fresh, shell, sub->instrument, shell->top[sub->instrument], shell->now_ns);
    sim_text_str(&out, "{");
    if (!sub->once) {
        sub->once = true;
        sim_text_put(&out, fresh.data, fresh.length);
        sim_text_str(&out, ",\"type\":\"snapshot\"}");
    } else {
        changed(&out, fresh.data, sub->last.data);
        sim_text_add(&out, ",\"instrument_name\":\"%s\",\"type\":\"change\"}", symbol);
    }
    send(shell, session, sub, out.data, out.length);
    sim_text_free(&sub->last);
    sub->last = fresh;
    sim_text_free(&out);
}

/* ticked tells tickers and quotes of an instrument. */
static void ticked(struct db_shell *shell, int at, bool touch, int64_t now_ns)
{
    struct sim_text text = { 0 };

    mark_dirty(shell, DB_TICKER, at);
    mark_dirty(shell, DB_INCREMENTAL, at);
    if (wanted(shell, DB_TICKER, at, 0)) {
        ticker_text(shell, &text, at);
        fan(shell, DB_TICKER, at, 0, &text);
    }
    if (touch && wanted(shell, DB_QUOTE, at, -1)) {
        sim_text_reset(&text);
        quote_text(shell, &text, at, now_ns);
        fan(shell, DB_QUOTE, at, 0, &text);
    }
    sim_text_free(&text);
}

/* --- trades and candles -------------------------------------------------------------------------------- */

static bool trade_sub(const struct db_shell *shell, const struct db_sub *sub, int at)
{
    return sub->active &&
           (sub->instrument >= 0
                ? sub->instrument == at
                : db_call_fits(shell, at, sub->currency[0] == '\0' ? NULL : sub->currency, sub->kind));
}

static void deliver_trade(struct db_shell *shell, const struct db_item *item)
{
    int at = item->event.instrument;
    struct sim_text row = { 0 }, list = { 0 };

    if (db_trade_routed(shell, at)) {
        return; /* the other exchange's tape is not told here */
    }
    if (sim_fault_hit(shell->faults, SIM_FAULT_GAP, "deribit-trades", shell->now_ns) != NULL) {
        return; /* trade_seq has a gap */
    }
    db_text_print(&row, shell, at, &item->print);
    sim_text_add(&list, "[%s]", row.data);
    for (struct db_session *session = shell->sessions; session != NULL; session = session->next) {
        for (int i = 0; i < session->sub_count; i++) {
            struct db_sub *sub = &session->sub[i];
            if (sub->channel != DB_TRADES || !trade_sub(shell, sub, at)) {
                continue;
            }
            if (sub->pace == 0) {
                send(shell, session, sub, list.data, list.length);
            } else {
                sim_text_add(&sub->waiting, "%s%s", sub->waiting.length > 0 ? "," : "", row.data);
            }
        }
    }
    mark_dirty(shell, DB_CHART, at);
    sim_text_free(&row);
    sim_text_free(&list);
}

static void candle(struct db_shell *shell, struct db_session *session, const struct db_sub *sub)
{
    const struct sim_instrument *i = &sim_venue_market(shell->venue, sub->instrument)->instrument;
    const struct db_tape *tape = shell->tape[sub->instrument];
    int64_t span = sub->minutes * INT64_C(60000), tick = shell->now_ns / 1000000 / span * span;
    uint64_t kept = tape->printed < DB_PRINT_MAX ? tape->printed : DB_PRINT_MAX;
    int64_t open = 0, high = 0, low = 0, close = 0;
    __int128 volume = 0, value = 0;
    struct sim_text out = { 0 };

    for (uint64_t k = tape->printed - kept; k < tape->printed; k++) {
        const struct db_print *print = &tape->print[k % DB_PRINT_MAX];
        if (print->now_ns / 1000000 < tick) {
            continue;
        }
        open = open == 0 ? print->price : open;
        high = print->price > high ? print->price : high;
        low = low == 0 || print->price < low ? print->price : low;
        close = print->price;
        volume += print->qty;
        value += sim_ledger_value(i, print->qty, print->price);
    }
    bool inverse = i->kind == SIM_INVERSE;
    sim_text_str(&out, "{\"volume\":");
    db_text_number(&out, inverse ? value / SIM_CASH_ONE : volume, inverse ? 8 : i->qty_decimals);
    sim_text_add(&out, ",\"tick\":%lld,\"open\":", (long long)tick);
    db_text_price(&out, i, open);
    sim_text_str(&out, ",\"low\":");
    db_text_price(&out, i, low);
    sim_text_str(&out, ",\"high\":");
    db_text_price(&out, i, high);
    sim_text_str(&out, ",\"cost\":");
    db_text_number(&out, inverse ? volume : value / SIM_CASH_ONE, inverse ? 0 : 8);
    sim_text_str(&out, ",\"close\":");
    db_text_price(&out, i, close);
    sim_text_str(&out, "}");
    send(shell, session, sub, out.data, out.length);
    sim_text_free(&out);
}

/* --- index, options, funding --------------------------------------------------------------------------- */

static void marks_text(struct db_shell *shell, struct sim_text *out, const char *index, int64_t now_ns)
{
    bool any = false;

    sim_text_str(out, "[");
    for (int at = 0; at < DB_MARKET_COUNT; at++) {
        const struct sim_market *market = sim_venue_market(shell->venue, at);
        if (shell->listing[at].kind != DB_OPTION || strcmp(shell->listing[at].index, index) != 0) {
            continue;
        }
        sim_text_add(out, "%s{\"timestamp\":%lld,\"mark_price\":", any ? "," : "",
                     (long long)(now_ns / 1000000));
        db_text_number(out, market->mark_e8 / 10000, 4);
        sim_text_str(out, ",\"iv\":");
        db_text_real(out, DB_VOLATILITY, 4); /* a fraction here, a percentage everywhere else */
        sim_text_add(out, ",\"instrument_name\":\"%s\"}", market->instrument.symbol);
        any = true;
    }
    sim_text_str(out, "]");
}

/* index_text writes what the four channels of an index say; false when there is nothing. */
static bool index_text(struct db_shell *shell, struct sim_text *out, const struct db_sub *sub, int64_t now_ns)
{
    int64_t value = db_text_index(shell, sub->index), now_ms = now_ns / 1000000;

    switch (sub->channel) {
    case DB_INDEX:
        sim_text_add(out, "{\"timestamp\":%lld,\"price\":", (long long)now_ms);
        db_text_number(out, value / 1000000, 2);
        sim_text_add(out, ",\"index_name\":\"%s\"}", sub->index);
        return true;
    case DB_VOLATILITY_INDEX:
        sim_text_add(out, "{\"timestamp\":%lld,\"volatility\":", (long long)now_ms);
        db_text_real(out, DB_VOLATILITY * 100, 2);
        sim_text_add(out, ",\"index_name\":\"%s\"}", sub->index);
        return strcmp(sub->index, "btc_usd") == 0;
    case DB_EXPIRATION:
        sim_text_add(out, "{\"seconds\":%lld,\"price\":",
                     (long long)((INT64_C(115200) - now_ms / 1000 % 86400) % 86400)); /* to 08:00 UTC */
        db_text_number(out, value / 1000000, 2);
        sim_text_str(out, ",\"is_estimated\":false}");
        return true;
    case DB_MARK_OPTIONS:
        marks_text(shell, out, sub->index, now_ns);
        return true;
    default:
        return false;
    }
}

static void perpetual_text(struct db_shell *shell, struct sim_text *out, int at, int64_t now_ns)
{
    const struct sim_market *market = sim_venue_market(shell->venue, at);

    sim_text_add(out, "{\"timestamp\":%lld,\"interest\":", (long long)(now_ns / 1000000));
    db_text_number(out, market->funding_rate_e8, 8);
    sim_text_str(out, ",\"index_price\":");
    db_text_number(out, market->index_e8 / 1000000, 2);
    sim_text_str(out, "}");
}

static bool first_of_index(const struct db_shell *shell, int at)
{
    for (int before = 0; before < at; before++) {
        if (strcmp(shell->listing[before].index, shell->listing[at].index) == 0) {
            return false;
        }
    }
    return true;
}

static void deliver_mark(struct db_shell *shell, const struct db_item *item)
{
    int at = item->event.instrument;
    struct sim_text text = { 0 };

    ticked(shell, at, false, item->event.now_ns);
    for (int pace = 0; pace < DB_PACE_COUNT; pace++) {
        if (wanted(shell, DB_PERPETUAL, at, pace)) {
            sim_text_reset(&text);
            perpetual_text(shell, &text, at, item->event.now_ns);
            fan(shell, DB_PERPETUAL, at, pace, &text);
        }
    }
    for (struct db_session *session = shell->sessions; session != NULL && first_of_index(shell, at);
         session = session->next) {
        for (int i = 0; i < session->sub_count; i++) {
            const struct db_sub *sub = &session->sub[i];
            if (sub->active && sub->index != NULL && strcmp(sub->index, shell->listing[at].index) == 0) {
                sim_text_reset(&text);
                if (index_text(shell, &text, sub, item->event.now_ns)) {
                    send(shell, session, sub, text.data, text.length);
                }
            }
        }
    }
    sim_text_free(&text);
}

/* --- public events ------------------------------------------------------------------------------------- */

static void deliver_start(struct db_shell *shell, const struct db_item *item)
{
    const struct sim_event *event = &item->event;
    struct db_book *book = &shell->book[event->instrument];

    book->count[0] = book->count[1] = 0;
    for (uint32_t k = 0; k < event->bid_count + event->ask_count; k++) {
        set(book, k < event->bid_count ? SIM_BUY : SIM_SELL, event->levels[k].price, event->levels[k].qty);
    }
    book->change_id = event->u;
    book->stamp_ms = event->now_ns / 1000000;
    book->ready = true;
    for (int pace = 0; pace < DB_PACE_COUNT; pace++) {
        struct db_merge *merge = &shell->merge[event->instrument][pace];
        merge->any = false;
        merge->count[0] = merge->count[1] = 0;
        merge->sent_id = book->change_id;
    }
    for (int side = 0; side < 2; side++) {
        const struct sim_level none = { 0, 0 };
        size_t count = book->count[side];
        shell->top[event->instrument][side] =
            count == 0 ? none : book->level[side][side == SIM_BUY ? count - 1 : 0];
    }
}

void db_feed_deliver(struct db_shell *shell, struct db_item *item)
{
    const struct sim_event *event = &item->event;

    switch (event->kind) {
    case SIM_EVENT_DEPTH:
        deliver_depth(shell, item);
        break;
    case SIM_EVENT_TOP:
        memcpy(shell->top[event->instrument], event->levels, sizeof shell->top[0]);
        ticked(shell, event->instrument, true, event->now_ns);
        break;
    case SIM_EVENT_TRADE:
        deliver_trade(shell, item);
        break;
    case SIM_EVENT_MARK:
        deliver_mark(shell, item);
        break;
    case SIM_EVENT_FEED_START:
        deliver_start(shell, item);
        break;
    case SIM_EVENT_FEED_END: /* the recording ends: who follows the instrument is cut off */
        for (struct db_session *session = shell->sessions; session != NULL; session = session->next) {
            bool follows = false;
            for (int i = 0; i < session->sub_count && !follows; i++) {
                follows =
                    session->sub[i].channel <= DB_TRADES && session->sub[i].instrument == event->instrument;
            }
            if (follows) {
                session->closing = true;
                sim_net_cut(shell->net, session->conn);
            }
        }
        break;
    default:
        break;
    }
}

/* first_words is what a channel says at once when it is subscribed. */
static void first_words(struct db_shell *shell, struct db_session *session, struct db_sub *sub)
{
    struct sim_text text = { 0 };

    switch (sub->channel) {
    case DB_TICKER:
        ticker_text(shell, &text, sub->instrument);
        break;
    case DB_QUOTE:
        quote_text(shell, &text, sub->instrument, shell->now_ns);
        break;
    case DB_INCREMENTAL:
        incremental(shell, session, sub);
        break;
    case DB_BOOK:
        flush_merge(shell, sub->instrument, sub->pace); /* so that the next change links to this snapshot */
        book_snapshot(shell, &text, sub->instrument);
        break;
    case DB_BOOK_TOP:
        grouped(shell, &text, sub);
        break;
    case DB_INDEX:
    case DB_VOLATILITY_INDEX:
    case DB_EXPIRATION:
    case DB_MARK_OPTIONS:
        if (!index_text(shell, &text, sub, shell->now_ns)) {
            sim_text_reset(&text);
        }
        break;
    default:
        break;
    }
    if (text.length > 0) {
        send(shell, session, sub, text.data, text.length);
    }
    sim_text_free(&text);
}

void db_feed_activate(struct db_shell *shell, struct db_session *session, const char *names)
{
    /* First every ticker, then every book, each in the order of the reply. */
    for (int round = 0; round < 2; round++) {
        char *copy = strdup(names), *save = NULL;

        for (char *name = strtok_r(copy, " ", &save); name != NULL; name = strtok_r(NULL, " ", &save)) {
            for (int i = 0; i < session->sub_count; i++) {
                struct db_sub *sub = &session->sub[i];
                bool book = sub->channel == DB_BOOK || sub->channel == DB_BOOK_TOP;
                if (strcmp(sub->name, name) == 0 && !sub->active && book == (round == 1)) {
                    first_words(shell, session, sub); /* before it is active: a flush is not for it */
                    sub->active = true;
                }
            }
        }
        free(copy);
    }
}

/* --- slower paces -------------------------------------------------------------------------------------- */

static void flush_sub(struct db_shell *shell, struct db_session *session, struct db_sub *sub)
{
    struct sim_text text = { 0 };

    if (sub->channel == DB_TICKER && sub->dirty) {
        ticker_text(shell, &text, sub->instrument);
    } else if (sub->channel == DB_BOOK_TOP && sub->dirty) {
        grouped(shell, &text, sub);
    } else if (sub->channel == DB_INCREMENTAL && sub->dirty) {
        incremental(shell, session, sub);
    } else if (sub->channel == DB_CHART && sub->dirty) {
        candle(shell, session, sub);
    } else if (sub->channel == DB_USER_CHANGES && sub->waiting.length > 0) {
        char *save = NULL;
        for (char *one = strtok_r(sub->waiting.data, "\n", &save); one != NULL;
             one = strtok_r(NULL, "\n", &save)) {
            send(shell, session, sub, one, strlen(one));
        }
        sim_text_reset(&sub->waiting);
    } else if (sub->waiting.length > 0) {
        sim_text_add(&text, "[%s]", sub->waiting.data);
        sim_text_reset(&sub->waiting);
    }
    sub->dirty = false;
    if (text.length > 0) {
        send(shell, session, sub, text.data, text.length);
    }
    sim_text_free(&text);
}

void db_feed_paces(struct db_shell *shell, int64_t now_ns)
{
    for (int pace = 1; pace < DB_PACE_COUNT; pace++) {
        int64_t step = (int64_t)db_paces_ms[pace] * 1000000;

        if (now_ns < shell->next_pace_ns[pace]) {
            continue;
        }
        shell->next_pace_ns[pace] = (now_ns / step + 1) * step;
        for (int at = 0; at < DB_MARKET_COUNT; at++) {
            flush_merge(shell, at, pace);
        }
        for (struct db_session *session = shell->sessions; session != NULL; session = session->next) {
            for (int i = 0; i < session->sub_count; i++) {
                if (session->sub[i].active && session->sub[i].pace == pace) {
                    flush_sub(shell, session, &session->sub[i]);
                }
            }
        }
    }
}

int64_t db_feed_next_ns(const struct db_shell *shell)
{
    int64_t next = INT64_MAX;

    for (int pace = 1; pace < DB_PACE_COUNT; pace++) {
        bool busy = false;
        for (const struct db_session *session = shell->sessions; session != NULL && !busy;
             session = session->next) {
            for (int i = 0; i < session->sub_count && !busy; i++) {
                busy = session->sub[i].pace == pace;
            }
        }
        if (busy && shell->next_pace_ns[pace] < next) {
            next = shell->next_pace_ns[pace];
        }
    }
    return next;
}

/* --- private messages ---------------------------------------------------------------------------------- */

static bool row_fits(const struct db_shell *shell, const struct db_sub *sub, const struct db_row *row)
{
    if (sub->channel == DB_USER_PORTFOLIO) {
        return sub->currency[0] == '\0' || strcasecmp(sub->currency, row->currency) == 0;
    }
    return trade_sub(shell, sub, row->instrument);
}

static void rows_of(struct sim_text *out, const struct db_shell *shell, const struct db_item *item,
                    const struct db_sub *sub, enum db_row_kind kind, int instrument)
{
    bool any = false;

    for (size_t k = 0; k < item->row_count; k++) {
        const struct db_row *row = &item->row[k];
        if (row->kind == kind && (instrument < 0 || row->instrument == instrument) &&
            row_fits(shell, sub, row)) {
            sim_text_add(out, "%s%s", any ? "," : "", row->text.data);
            any = true;
        }
    }
}

static void tell_changes(struct db_shell *shell, struct db_session *session, struct db_sub *sub,
                         const struct db_item *item)
{
    for (int at = 0; at < DB_MARKET_COUNT; at++) {
        struct sim_text out = { 0 };
        bool any = false;

        for (size_t k = 0; k < item->row_count; k++) {
            any = any || (item->row[k].instrument == at && item->row[k].kind != DB_ROW_MONEY &&
                          row_fits(shell, sub, &item->row[k]));
        }
        if (!any) {
            continue;
        }
        sim_text_add(&out, "{\"trades\":[");
        rows_of(&out, shell, item, sub, DB_ROW_TRADE, at);
        sim_text_str(&out, "],\"positions\":[");
        rows_of(&out, shell, item, sub, DB_ROW_POSITION, at);
        sim_text_str(&out, "],\"orders\":[");
        rows_of(&out, shell, item, sub, DB_ROW_ORDER, at);
        sim_text_add(&out, "],\"instrument_name\":\"%s\"}",
                     sim_venue_market(shell->venue, at)->instrument.symbol);
        if (sub->pace == 0) {
            send(shell, session, sub, out.data, out.length);
        } else {
            sim_text_add(&sub->waiting, "%s%s", sub->waiting.length > 0 ? "\n" : "", out.data);
        }
        sim_text_free(&out);
    }
}

static void tell(struct db_shell *shell, struct db_session *session, struct db_sub *sub,
                 const struct db_item *item)
{
    struct sim_text rows = { 0 }, list = { 0 };

    if (sub->channel == DB_USER_CHANGES) {
        tell_changes(shell, session, sub, item);
        return;
    }
    if (sub->channel == DB_USER_ORDERS || sub->channel == DB_USER_PORTFOLIO) {
        enum db_row_kind kind = sub->channel == DB_USER_ORDERS ? DB_ROW_ORDER : DB_ROW_MONEY;
        for (size_t k = 0; k < item->row_count; k++) {
            const struct db_row *row = &item->row[k];
            if (row->kind != kind || !row_fits(shell, sub, row)) {
                continue;
            }
            if (sub->pace == 0) { /* raw: one object a message */
                send(shell, session, sub, row->text.data, row->text.length);
            } else {
                sim_text_add(&rows, "%s%s", rows.length > 0 ? "," : "", row->text.data);
            }
        }
    } else if (sub->channel == DB_USER_TRADES) {
        rows_of(&rows, shell, item, sub, DB_ROW_TRADE, -1);
        if (rows.length > 0 && sub->pace == 0) {
            sim_text_add(&list, "[%s]", rows.data);
            send(shell, session, sub, list.data, list.length);
            sim_text_reset(&rows);
        }
    }
    if (rows.length > 0) {
        sim_text_add(&sub->waiting, "%s%s", sub->waiting.length > 0 ? "," : "", rows.data);
    }
    sim_text_free(&rows);
    sim_text_free(&list);
}

static void send_private(struct db_shell *shell, const struct db_item *item)
{
    for (struct db_session *session = shell->sessions; session != NULL; session = session->next) {
        if (session->key < 0 || shell->key[session->key].account != item->account) {
            continue;
        }
        for (int i = 0; i < session->sub_count; i++) {
            if (private_channel(session->sub[i].channel) && session->sub[i].active) {
                tell(shell, session, &session->sub[i], item);
            }
        }
    }
}

void db_feed_private(struct db_shell *shell, struct db_item *item)
{
    static const char scope[] = "deribit-private";
    struct db_item *held = shell->held[item->account];

    if (sim_fault_hit(shell->faults, SIM_FAULT_DROP_PRIVATE, scope, shell->now_ns) != NULL) {
        db_shell_drop(item);
        return;
    }
    if (held == NULL &&
        sim_fault_hit(shell->faults, SIM_FAULT_REORDER_REPORTS, scope, shell->now_ns) != NULL) {
        shell->held[item->account] = item; /* it leaves after the next one */
        return;
    }
    send_private(shell, item);
    if (sim_fault_hit(shell->faults, SIM_FAULT_DUP_REPORTS, scope, shell->now_ns) != NULL) {
        send_private(shell, item);
    }
    if (held != NULL) {
        shell->held[item->account] = NULL;
        send_private(shell, held);
        db_shell_drop(held);
    }
    db_shell_drop(item);
}

/* --- states -------------------------------------------------------------------------------------------- */

static void tell_all(struct db_shell *shell, enum db_channel channel, int at, int account, const char *data)
{
    for (struct db_session *session = shell->sessions; session != NULL; session = session->next) {
        for (int i = 0; i < session->sub_count; i++) {
            const struct db_sub *sub = &session->sub[i];
            bool mine = account < 0 || (session->key >= 0 && shell->key[session->key].account == account);
            if (sub->active && sub->channel == channel && mine && (at < 0 || trade_sub(shell, sub, at))) {
                send(shell, session, sub, data, strlen(data));
            }
        }
    }
}

void db_feed_state(struct db_shell *shell, int at)
{
    char data[160];

    snprintf(data, sizeof data, "{\"timestamp\":%lld,\"state\":\"%s\",\"instrument_name\":\"%s\"}",
             (long long)(shell->now_ns / 1000000), db_text_state(shell, at),
             sim_venue_market(shell->venue, at)->instrument.symbol);
    tell_all(shell, DB_STATE, at, -1, data);
}

void db_feed_platform(struct db_shell *shell)
{
    char data[96];

    for (int at = 0; at < DB_MARKET_COUNT; at++) {
        if (first_of_index(shell, at)) {
            snprintf(data, sizeof data, "{\"price_index\":\"%s\",\"locked\":%s}", shell->listing[at].index,
                     shell->locked ? "true" : "false");
            tell_all(shell, DB_PLATFORM, -1, -1, data);
        }
    }
}

void db_feed_lock(struct db_shell *shell, int account, bool locked)
{
    char data[64];

    snprintf(data, sizeof data, "{\"locked\":%s,\"currency\":\"ALL\"}", locked ? "true" : "false");
    tell_all(shell, DB_USER_LOCK, -1, account, data);
}

/* --- names --------------------------------------------------------------------------------------------- */

static int pace_of(const char *text)
{
    static const char *const names[] = { "raw", "100ms", "agg2" };

    for (int i = 0; i < DB_PACE_COUNT; i++) {
        if (text != NULL && strcmp(names[i], text) == 0) {
            return i;
        }
    }
    return -1;
}

static const char *index_of(const struct db_shell *shell, const char *name)
{
    for (int at = 0; at < DB_MARKET_COUNT; at++) {
        if (strcasecmp(shell->listing[at].index, name) == 0) {
            return shell->listing[at].index;
        }
    }
    return NULL;
}

/* selection reads KIND.CURRENCY or an instrument into a sub; answers how many parts it took, 0 for neither.
 */
static int selection(const struct db_shell *shell, char **part, int count, struct db_sub *sub)
{
    static const char *const words[] = { "future", "option",       "spot",        "any",
                                         "combo",  "future_combo", "option_combo" };

    sub->instrument = count > 0 ? db_call_named(shell, part[0]) : -1;
    if (sub->instrument >= 0) {
        return 1;
    }
    for (size_t i = 0; count > 1 && i < sizeof words / sizeof words[0]; i++) {
        if (strcasecmp(words[i], part[0]) != 0) {
            continue;
        }
        sub->kind = db_call_kind(part[0]);
        if (strcasecmp(part[1], "any") == 0) {
            return 2;
        }
        snprintf(sub->currency, sizeof sub->currency, "%s", part[1]);
        return db_text_currency(part[1]) >= 0 || strcasecmp(part[1], "EURR") == 0 ? 2 : 0;
    }
    return 0;
}

static bool book_name(const struct db_shell *shell, char **part, int count, struct db_sub *sub)
{
    sub->instrument = db_call_named(shell, part[1]);
    if (sub->instrument < 0) {
        return false;
    }
    if (count == 3) {
        sub->channel = DB_BOOK;
        return (sub->pace = pace_of(part[2])) >= 0;
    }
    if (count != 5) {
        return false;
    }
    static const int groups[] = { 1, 2, 5, 10, 25, 100, 250 };
    const struct sim_instrument *i = &sim_venue_market(shell->venue, sub->instrument)->instrument;
    bool good = strcmp(part[2], "none") == 0;

    sub->channel = DB_BOOK_TOP;
    sub->pace = pace_of(part[4]);
    sub->depth = atoi(part[3]);
    for (size_t k = 0; k < sizeof groups / sizeof groups[0] && !good; k++) {
        if (atoi(part[2]) == groups[k]) {
            /* on ETH a group is in hundredths */
            sub->group = groups[k] * (strcmp(i->base, "ETH") == 0 ? sim_decimal_power(i->price_decimals - 2)
                                                                  : sim_decimal_power(i->price_decimals));
            good = true;
        }
    }
    return good && sub->pace > 0 && (sub->depth == 1 || sub->depth == 10 || sub->depth == 20);
}

/* user_name reads what follows "user.". */
static bool user_name(const struct db_shell *shell, char **part, int count, struct db_sub *sub)
{
    static const struct {
        const char *name;
        enum db_channel channel;
    } names[] = { { "orders", DB_USER_ORDERS },
                  { "trades", DB_USER_TRADES },
                  { "changes", DB_USER_CHANGES } };

    if (count < 2) {
        return false;
    }
    for (int i = 0; i < 3; i++) {
        if (strcmp(part[1], names[i].name) == 0) {
            int taken = selection(shell, part + 2, count - 2, sub);
            sub->channel = names[i].channel;
            sub->pace = taken > 0 && count == 3 + taken ? pace_of(part[2 + taken]) : -1;
            return sub->pace >= 0;
        }
    }
    if (strcmp(part[1], "portfolio") == 0 && count == 3) {
        sub->channel = DB_USER_PORTFOLIO;
        if (strcasecmp(part[2], "any") == 0) {
            return true;
        }
        snprintf(sub->currency, sizeof sub->currency, "%s", part[2]);
        return db_text_currency(part[2]) >= 0;
    }
    if (strcmp(part[1], "lock") == 0 && count == 2) {
        sub->channel = DB_USER_LOCK;
        return true;
    }
    sub->channel = DB_USER_QUIET;
    return strcmp(part[1], "mmp_trigger") == 0 || strcmp(part[1], "access_log") == 0 ||
           strcmp(part[1], "combo_trades") == 0 || strcmp(part[1], "combo_orders") == 0;
}

/* understand fills in what a channel name asks for; false when it is none. */
static bool understand(const struct db_shell *shell, struct db_sub *sub)
{
    static const struct {
        const char *name;
        enum db_channel channel;
    } indices[] = { { "deribit_price_index", DB_INDEX },
                    { "deribit_volatility_index", DB_VOLATILITY_INDEX },
                    { "estimated_expiration_price", DB_EXPIRATION } };
    char copy[96], *save = NULL, *part[PART_MAX] = { NULL };
    int count = 0;

    snprintf(copy, sizeof copy, "%s", sub->name);
    for (char *word = strtok_r(copy, ".", &save); word != NULL; word = strtok_r(NULL, ".", &save)) {
        if (count == PART_MAX) {
            return false;
        }
        part[count++] = word;
    }
    sub->instrument = sub->kind = -1;
    if (count == 0) {
        return false;
    }
    const char *head = part[0];
    if (strcmp(head, "user") == 0) {
        return user_name(shell, part, count, sub);
    }
    if (strcmp(head, "book") == 0 && count > 1) {
        return book_name(shell, part, count, sub);
    }
    if (strcmp(head, "trades") == 0) {
        int taken = selection(shell, part + 1, count - 1, sub);
        sub->channel = DB_TRADES;
        sub->pace = taken > 0 && count == 2 + taken ? pace_of(part[1 + taken]) : -1;
        return sub->pace >= 0;
    }
    for (int i = 0; i < 3; i++) {
        if (strcmp(head, indices[i].name) == 0 && count == 2) {
            sub->channel = indices[i].channel;
            return (sub->index = index_of(shell, part[1])) != NULL;
        }
    }
    if (strcmp(head, "markprice") == 0 && count == 3 && strcmp(part[1], "options") == 0) {
        sub->channel = DB_MARK_OPTIONS;
        return (sub->index = index_of(shell, part[2])) != NULL;
    }
    if (strcmp(head, "instrument") == 0 && count == 4) {
        sub->channel = strcmp(part[1], "state") == 0 ? DB_STATE : DB_QUIET;
        return selection(shell, part + 2, 2, sub) == 2;
    }
    if (strcmp(head, "platform_state") == 0) {
        sub->channel = count == 1 ? DB_PLATFORM : DB_PLATFORM_METHODS;
        return count == 1 || (count == 2 && strcmp(part[1], "public_methods_state") == 0);
    }
    if (strcmp(head, "chart") == 0 && count == 4 && strcmp(part[1], "trades") == 0) {
        sub->channel = DB_CHART;
        sub->pace = 1;
        sub->minutes = strcmp(part[3], "1D") == 0 ? 1440 : atoi(part[3]);
        return (sub->instrument = db_call_named(shell, part[2])) >= 0 && sub->minutes > 0;
    }
    sub->instrument = count > 1 ? db_call_named(shell, part[1]) : -1;
    if (sub->instrument < 0) {
        sub->channel = DB_QUIET;
        return strcmp(head, "deribit_price_ranking") == 0 || strcmp(head, "deribit_price_statistics") == 0;
    }
    if (strcmp(head, "ticker") == 0 && count == 3) {
        sub->channel = DB_TICKER;
        return (sub->pace = pace_of(part[2])) >= 0;
    }
    if (strcmp(head, "perpetual") == 0 && count == 3 &&
        strcmp(shell->listing[sub->instrument].period, "perpetual") == 0) {
        sub->channel = DB_PERPETUAL;
        return (sub->pace = pace_of(part[2])) >= 0;
    }
    if (strcmp(head, "incremental_ticker") == 0 && count == 2) {
        sub->channel = DB_INCREMENTAL;
        sub->pace = 1;
        return true;
    }
    sub->channel = DB_QUOTE;
    return strcmp(head, "quote") == 0 && count == 2;
}

bool db_feed_subscribe(struct db_shell *shell, struct db_session *session, const char *name,
                       const char *label, bool private_call, int *code)
{
    struct db_sub fresh = { 0 };
    size_t length = strlen(name);

    if (length >= sizeof fresh.name || strchr(name, ' ') != NULL) {
        return false;
    }
    snprintf(fresh.name, sizeof fresh.name, "%s", name);
    snprintf(fresh.label, sizeof fresh.label, "%s", label);
    if (!understand(shell, &fresh)) {
        return false;
    }
    if (private_channel(fresh.channel)) {
        enum db_access has =
            fresh.channel == DB_USER_PORTFOLIO ? session->scope.account : session->scope.trade;
        if (!private_call || session->key < 0 || has < DB_READ) {
            return false;
        }
        session->trades = true;
    } else if (length > 4 && strcmp(name + length - 4, ".raw") == 0 && session->key < 0) {
        *code = 13778;
        return false;
    }
    for (int i = 0; i < session->sub_count; i++) {
        if (strcmp(session->sub[i].name, name) == 0) {
            return true;
        }
    }
    if (session->sub_count == DB_SUB_MAX) {
        return false;
    }
    struct db_sub *bigger = realloc(session->sub, (size_t)(session->sub_count + 1) * sizeof *bigger);
    if (bigger == NULL) {
        abort();
    }
    session->sub = bigger;
    session->sub[session->sub_count++] = fresh;
    return true;
}

static void forget(struct db_session *session, int i)
{
    sim_text_free(&session->sub[i].waiting);
    sim_text_free(&session->sub[i].last);
    session->sub[i] = session->sub[--session->sub_count];
}

bool db_feed_unsubscribe(struct db_session *session, const char *name)
{
    for (int i = 0; i < session->sub_count; i++) {
        if (strcmp(session->sub[i].name, name) == 0) {
            forget(session, i);
            return true;
        }
    }
    return false;
}

void db_feed_forget(struct db_session *session)
{
    while (session->sub_count > 0) {
        forget(session, session->sub_count - 1);
    }
    free(session->sub);
    session->sub = NULL;
}
