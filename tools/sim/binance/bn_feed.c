#include "tools/sim/binance/bn_state.h"

#include "tools/sim/model/sim_decimal.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const int bn_paces_ms[BN_PACE_COUNT] = { 0, 100, 250, 500, 1000 };

/* --- sending ------------------------------------------------------------------------------------------- */

void bn_feed_send(struct bn_shell *shell, struct bn_session *session, const char *stream, const char *data,
                  size_t length)
{
    struct sim_fault *silence =
        sim_fault_open(shell->faults, SIM_FAULT_SILENCE, session->scope, shell->now_ns);

    if (silence != NULL) {
        silence->fired++;
    }
    if (session->closing || silence != NULL) {
        return;
    }
    shell->streams_sent++;
    if (!session->combined) {
        sim_net_text(shell->net, session->conn, data, length);
        return;
    }
    struct sim_text text = { 0 };

    sim_text_str(&text, "{\"stream\":");
    sim_text_quote(&text, stream);
    sim_text_str(&text, ",\"data\":");
    sim_text_put(&text, data, length);
    sim_text_str(&text, "}");
    sim_net_text(shell->net, session->conn, text.data, text.length);
    sim_text_free(&text);
}

/* fan sends one text to every subscriber of a stream of an instrument; gap is a fault that loses it. */
static void fan(struct bn_shell *shell, enum bn_stream stream, int instrument, int pace, bool third,
                const struct sim_text *text, bool may_gap)
{
    for (struct bn_session *session = shell->sessions; session != NULL; session = session->next) {
        for (int i = 0; i < session->sub_count; i++) {
            const struct bn_sub *sub = &session->sub[i];
            if (!sub->deliver || sub->stream != stream || sub->instrument != instrument ||
                sub->pace != pace || (sub->every_third && !third)) {
                continue;
            }
            if (may_gap &&
                sim_fault_hit(shell->faults, SIM_FAULT_GAP, session->scope, shell->now_ns) != NULL) {
                continue;
            }
            if (may_gap &&
                sim_fault_hit(shell->faults, SIM_FAULT_SEQUENCE, session->scope, shell->now_ns) != NULL) {
                struct sim_text other = { 0 };
                sim_text_put(&other, text->data, text->length);
                sim_text_misnumber(&other, "\"pu\":");
                bn_feed_send(shell, session, sub->name, other.data, other.length);
                sim_text_free(&other);
                continue;
            }
            bn_feed_send(shell, session, sub->name, text->data, text->length);
        }
    }
}

static bool wanted(const struct bn_shell *shell, enum bn_stream stream, int instrument, int pace)
{
    for (const struct bn_session *session = shell->sessions; session != NULL; session = session->next) {
        for (int i = 0; i < session->sub_count; i++) {
            const struct bn_sub *sub = &session->sub[i];
            if (sub->deliver && sub->stream == stream && sub->instrument == instrument &&
                (pace < 0 || sub->pace == pace)) {
                return true;
            }
        }
    }
    return false;
}

/* --- slower paces -------------------------------------------------------------------------------------- */

static void merge_level(struct bn_merge *merge, int side, struct sim_level level)
{
    size_t low = 0, high = merge->count[side];

    while (low < high) { /* ascending by price */
        size_t middle = (low + high) / 2;
        if (merge->level[side][middle].price < level.price) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    if (low < merge->count[side] && merge->level[side][low].price == level.price) {
        merge->level[side][low].qty = level.qty;
        return;
    }
    if (merge->count[side] == merge->capacity[side]) {
        merge->capacity[side] = merge->capacity[side] == 0 ? 256 : merge->capacity[side] * 2;
        merge->level[side] = realloc(merge->level[side], merge->capacity[side] * sizeof level);
        if (merge->level[side] == NULL) {
            abort();
        }
    }
    memmove(&merge->level[side][low + 1], &merge->level[side][low],
            (merge->count[side] - low) * sizeof level);
    merge->level[side][low] = level;
    merge->count[side]++;
}

static void send_depth(struct bn_shell *shell, int instrument, int pace, const struct sim_level *levels,
                       size_t bids, size_t asks, int64_t first_u, int64_t u, int64_t pu, int64_t now_ns)
{
    struct sim_text text = { 0 };

    bn_text_depth_event(&text, &sim_venue_market(shell->venue, instrument)->instrument, levels, bids, asks,
                        first_u, u, pu, now_ns / 1000000);
    fan(shell, BN_STREAM_DEPTH, instrument, pace, false, &text, true);
    sim_text_free(&text);
}

static void deliver_depth(struct bn_shell *shell, const struct bn_item *item)
{
    const struct sim_event *event = &item->event;

    for (int pace = 0; pace < BN_PACE_COUNT; pace++) {
        struct bn_merge *merge = &shell->merge[event->instrument][pace];

        if (!wanted(shell, BN_STREAM_DEPTH, event->instrument, pace)) {
            merge->any = false;
            merge->count[0] = merge->count[1] = 0;
            merge->sent_u = event->u;
            continue;
        }
        if (pace == 0) {
            send_depth(shell, event->instrument, 0, event->levels, event->bid_count, event->ask_count,
                       event->first_u, event->u, event->pu, event->now_ns);
            merge->sent_u = event->u;
            continue;
        }
        if (!merge->any) {
            merge->any = true;
            merge->first_u = event->first_u;
        }
        merge->u = event->u;
        for (uint32_t i = 0; i < event->bid_count + event->ask_count; i++) {
            merge_level(merge, i < event->bid_count ? SIM_BUY : SIM_SELL, event->levels[i]);
        }
    }
}

static void flush_merge(struct bn_shell *shell, int instrument, int pace, int64_t now_ns)
{
    struct bn_merge *merge = &shell->merge[instrument][pace];

    if (!merge->any) {
        return;
    }
    size_t bids = merge->count[SIM_BUY], asks = merge->count[SIM_SELL];
    struct sim_level *all = malloc((bids + asks + 1) * sizeof *all);

    if (all == NULL) {
        abort();
    }
    for (size_t i = 0; i < bids + asks; i++) {
        all[i] = i < bids ? merge->level[SIM_BUY][i] : merge->level[SIM_SELL][i - bids];
    }
    send_depth(shell, instrument, pace, all, bids, asks, merge->first_u, merge->u, merge->sent_u, now_ns);
    free(all);
    shell->merges_sent++;
    merge->sent_u = merge->u;
    merge->any = false;
    merge->count[0] = merge->count[1] = 0;
}

/* top_n queues the best levels for the subscribers of partial books; like every public thing they travel with
 * the feed's latency. */
static void top_n(struct bn_shell *shell, int instrument, int pace, int levels, int64_t now_ns)
{
    struct sim_market *market = sim_venue_market(shell->venue, instrument);
    struct bn_item *item = bn_shell_item(BN_ITEM_EVENT);
    struct sim_level all[40];
    size_t bids = sim_venue_depth(shell->venue, instrument, SIM_BUY, all, (size_t)levels);
    size_t asks = sim_venue_depth(shell->venue, instrument, SIM_SELL, all + bids, (size_t)levels);

    if (market->instrument.kind == SIM_SPOT) {
        sim_text_add(&item->text, "{\"lastUpdateId\":%lld,\"bids\":", (long long)market->last_u);
        bn_text_levels(&item->text, &market->instrument, all, bids, false);
        sim_text_str(&item->text, ",\"asks\":");
        bn_text_levels(&item->text, &market->instrument, all + bids, asks, false);
        sim_text_str(&item->text, "}");
    } else {
        bn_text_depth_event(&item->text, &market->instrument, all, bids, asks, market->last_u, market->last_u,
                            market->last_u - 1, now_ns / 1000000);
    }
    item->event.kind = SIM_EVENT_DEPTH;
    item->event.instrument = instrument;
    item->event.now_ns = now_ns;
    item->status = levels;
    item->conn = (uint64_t)pace;
    item->type = "top_n";
    bn_shell_push(shell, item,
                  sim_delay_due(shell->delay, SIM_LINE_FEED, now_ns, &shell->feed_last_ns[instrument]));
}

/* --- candles ------------------------------------------------------------------------------------------- */

/* send_klines shows every subscriber the candle under way and, when a new one has begun, the closed ones. */
static void send_klines(struct bn_shell *shell, const struct sim_event *event)
{
    for (struct bn_session *session = shell->sessions; session != NULL; session = session->next) {
        for (int i = 0; i < session->sub_count; i++) {
            struct bn_sub *sub = &session->sub[i];
            if (!sub->deliver || sub->stream != BN_STREAM_KLINE || sub->instrument != event->instrument) {
                continue;
            }
            int64_t now_start = bn_kline_start(sub->interval, event->now_ns);
            int64_t start = sub->kline_ns == 0 ? now_start : sub->kline_ns;

            for (; start <= now_start; start = bn_kline_end(sub->interval, start)) {
                struct sim_text text = { 0 };
                struct bn_candle candle;
                if (bn_kline_at(shell, event->instrument, sub->interval, start, &candle)) {
                    bn_kline_event(&text, shell, event->instrument, sub->interval, &candle, start < now_start,
                                   event->now_ns);
                    bn_feed_send(shell, session, sub->name, text.data, text.length);
                }
                sim_text_free(&text);
            }
            sub->kline_ns = now_start;
        }
    }
}

/* --- streams of every symbol --------------------------------------------------------------------------- */

static bool all_wanted(const struct bn_shell *shell, bool spot, enum bn_stream stream)
{
    for (const struct bn_session *session = shell->sessions; session != NULL; session = session->next) {
        for (int i = 0; i < session->sub_count; i++) {
            const struct bn_sub *sub = &session->sub[i];
            if (sub->deliver && sub->stream == stream && (session->kind == SIM_SPOT) == spot) {
                return true;
            }
        }
    }
    return false;
}

static void push_all(struct bn_shell *shell, bool spot, enum bn_stream stream, struct sim_text *text,
                     int64_t now_ns)
{
    struct bn_item *item = bn_shell_item(BN_ITEM_EVENT);

    item->text = *text;
    *text = (struct sim_text){ 0 };
    item->market = spot ? SIM_SPOT : SIM_LINEAR;
    item->status = (int)stream;
    item->event.u = shell->seconds % 3 == 0; /* what comes every three seconds comes too */
    item->type = "all";
    bn_shell_push(shell, item, sim_delay_due(shell->delay, SIM_LINE_FEED, now_ns, &shell->all_last_ns));
}

static void one_of_all(struct bn_shell *shell, enum bn_stream stream, int at, struct sim_text *out,
                       int64_t now_ns)
{
    const struct sim_market *market = sim_venue_market(shell->venue, at);
    struct sim_level top[2] = { { 0, 0 }, { 0, 0 } };

    if (stream == BN_STREAM_ALL_MARK) {
        struct bn_item item = { .event = { .now_ns = now_ns },
                                .mark_e8 = market->mark_e8,
                                .index_e8 = market->index_e8,
                                .rate_e8 = market->funding_rate_e8,
                                .next_funding_ns = market->next_funding_ns };
        bn_text_mark_event(out, &market->instrument, &item);
    } else if (stream == BN_STREAM_ALL_BOOK) {
        for (int side = 0; side < 2; side++) {
            sim_venue_depth(shell->venue, at, side, &top[side], 1);
        }
        struct sim_event event = { .u = market->last_u, .now_ns = now_ns, .levels = top };
        bn_text_book_event(out, &market->instrument, &event);
    } else {
        bn_day_event(out, shell, at, stream == BN_STREAM_ALL_MINI_DAY, now_ns);
    }
}

/* The futures hosts carry the symbols of both products. */
void bn_feed_second(struct bn_shell *shell, int64_t now_ns)
{
    for (int k = 0; k < 8; k++) {
        bool spot = k >= 4, single = k % 4 == 0, any = false;
        enum bn_stream stream = (enum bn_stream)(BN_STREAM_ALL_BOOK + k % 4);
        struct sim_text text = { 0 };

        if (!all_wanted(shell, spot, stream) || (single && shell->seconds % 5 != 0)) {
            continue;
        }
        sim_text_str(&text, single ? "" : "[");
        for (int at = 0; at < sim_venue_instrument_count(shell->venue); at++) {
            const struct sim_market *market = sim_venue_market(shell->venue, at);
            if ((market->instrument.kind == SIM_SPOT) != spot || !market->live) {
                continue;
            }
            sim_text_str(&text, any && !single ? "," : "");
            any = true;
            one_of_all(shell, stream, at, &text, now_ns);
            if (single) {
                push_all(shell, spot, stream, &text, now_ns);
            }
        }
        sim_text_str(&text, single ? "" : "]");
        if (any && !single) {
            push_all(shell, spot, stream, &text, now_ns);
        }
        sim_text_free(&text);
    }
    shell->seconds++;
}

static void deliver_all(struct bn_shell *shell, const struct bn_item *item)
{
    for (struct bn_session *session = shell->sessions; session != NULL; session = session->next) {
        for (int i = 0; i < session->sub_count; i++) {
            const struct bn_sub *sub = &session->sub[i];
            if (sub->deliver && sub->stream == (enum bn_stream)item->status &&
                (session->kind == SIM_SPOT) == (item->market == SIM_SPOT) &&
                (!sub->every_third || item->event.u != 0)) {
                bn_feed_send(shell, session, sub->name, item->text.data, item->text.length);
            }
        }
    }
}

void bn_feed_paces(struct bn_shell *shell, int64_t now_ns)
{
    static const int depths[] = { 5, 10, 20 };

    for (int pace = 1; pace < BN_PACE_COUNT; pace++) {
        int64_t step = (int64_t)bn_paces_ms[pace] * 1000000;

        if (now_ns < shell->next_pace_ns[pace]) {
            continue;
        }
        shell->next_pace_ns[pace] = (now_ns / step + 1) * step;
        for (int at = 0; at < sim_venue_instrument_count(shell->venue); at++) {
            flush_merge(shell, at, pace, now_ns);
            if (!wanted(shell, BN_STREAM_TOP_N, at, pace)) {
                continue;
            }
            for (int i = 0; i < 3; i++) {
                top_n(shell, at, pace, depths[i], now_ns);
            }
        }
    }
}

int64_t bn_feed_next_ns(const struct bn_shell *shell)
{
    int64_t next = INT64_MAX;

    for (int pace = 1; pace < BN_PACE_COUNT; pace++) {
        bool busy = false;
        for (int at = 0; at < sim_venue_instrument_count(shell->venue) && !busy; at++) {
            busy = shell->merge[at][pace].any || wanted(shell, BN_STREAM_TOP_N, at, pace);
        }
        if (busy && shell->next_pace_ns[pace] < next) {
            next = shell->next_pace_ns[pace];
        }
    }
    return next;
}

/* --- public events ------------------------------------------------------------------------------------- */

static void deliver_top_n(struct bn_shell *shell, const struct bn_item *item)
{
    for (struct bn_session *session = shell->sessions; session != NULL; session = session->next) {
        for (int i = 0; i < session->sub_count; i++) {
            const struct bn_sub *sub = &session->sub[i];
            if (sub->deliver && sub->stream == BN_STREAM_TOP_N && sub->instrument == item->event.instrument &&
                sub->pace == (int)item->conn && sub->levels == item->status) {
                bn_feed_send(shell, session, sub->name, item->text.data, item->text.length);
            }
        }
    }
}

void bn_feed_deliver(struct bn_shell *shell, struct bn_item *item)
{
    const struct sim_event *event = &item->event;
    const struct sim_instrument *instrument = &sim_venue_market(shell->venue, event->instrument)->instrument;
    struct sim_text text = { 0 };

    if (item->type != NULL && strcmp(item->type, "all") == 0) {
        deliver_all(shell, item);
        return;
    }
    if (item->type != NULL && strcmp(item->type, "top_n") == 0) {
        deliver_top_n(shell, item);
        return;
    }
    switch (event->kind) {
    case SIM_EVENT_DEPTH:
        deliver_depth(shell, item);
        break;
    case SIM_EVENT_TOP:
        if (wanted(shell, BN_STREAM_BOOK, event->instrument, -1)) {
            bn_text_book_event(&text, instrument, event);
            fan(shell, BN_STREAM_BOOK, event->instrument, 0, false, &text, false);
        }
        break;
    case SIM_EVENT_TRADE:
        if (wanted(shell, BN_STREAM_TRADE, event->instrument, -1)) {
            bn_text_trade_event(&text, instrument, event, false);
            fan(shell, BN_STREAM_TRADE, event->instrument, 0, false, &text, false);
        }
        if (wanted(shell, BN_STREAM_AGG_TRADE, event->instrument, -1)) {
            sim_text_reset(&text);
            bn_text_trade_event(&text, instrument, event, true);
            fan(shell, BN_STREAM_AGG_TRADE, event->instrument, 0, false, &text, false);
        }
        break;
    case SIM_EVENT_MARK:
        bn_text_mark_event(&text, instrument, item);
        fan(shell, BN_STREAM_MARK, event->instrument, 0, event->u % 3 == 0, &text, false);
        for (int mini = 0; mini < 2; mini++) { /* the statistics come once a second as well */
            enum bn_stream stream = mini ? BN_STREAM_MINI_DAY : BN_STREAM_DAY;
            if (wanted(shell, stream, event->instrument, -1)) {
                sim_text_reset(&text);
                bn_day_event(&text, shell, event->instrument, mini, event->now_ns);
                fan(shell, stream, event->instrument, 0, false, &text, false);
            }
        }
        send_klines(shell, event);
        break;
    case SIM_EVENT_FEED_END:
        for (int pace = 0; pace < BN_PACE_COUNT; pace++) { /* what waited is lost with the connections */
            shell->merge[event->instrument][pace].any = false;
            shell->merge[event->instrument][pace].count[0] = shell->merge[event->instrument][pace].count[1] =
                0;
        }
        for (struct bn_session *session = shell->sessions; session != NULL; session = session->next) {
            if (session->host == BN_HOST_STREAM && session->kind == instrument->kind &&
                strstr(session->scope, "private") == NULL) {
                session->closing = true;
                sim_net_cut(shell->net, session->conn);
            }
        }
        break;
    default:
        break;
    }
    sim_text_free(&text);
}

/* --- private events ------------------------------------------------------------------------------------ */

static void queue_private(struct bn_shell *shell, int account, enum sim_kind kind, const char *type,
                          struct sim_text *text, int64_t now_ns)
{
    struct bn_item *item = bn_shell_item(BN_ITEM_PRIVATE);

    item->account = account;
    item->market = kind;
    item->type = type;
    item->text = *text;
    *text = (struct sim_text){ 0 };
    bn_shell_push(shell, item,
                  sim_delay_due(shell->delay, SIM_LINE_PRIVATE, now_ns, &shell->private_last_ns[account]));
}

static const char *scope_private(enum sim_kind kind)
{
    return kind == SIM_SPOT ? "spot-private" : kind == SIM_LINEAR ? "usdm-private" : "coinm-private";
}

static void send_private(struct bn_shell *shell, const struct bn_item *item)
{
    shell->privates_sent++;
    for (struct bn_session *session = shell->sessions; session != NULL; session = session->next) {
        if (item->market == SIM_SPOT && session->host == BN_HOST_WSAPI && session->kind == SIM_SPOT &&
            session->user_account == item->account) {
            struct sim_text text = { 0 };
            if (sim_fault_open(shell->faults, SIM_FAULT_SILENCE, "spot-private", shell->now_ns) == NULL) {
                sim_text_add(&text, "{\"subscriptionId\":%d,\"event\":", session->user_id);
                sim_text_put(&text, item->text.data, item->text.length);
                sim_text_str(&text, "}");
                sim_net_text(shell->net, session->conn, text.data, text.length);
            }
            sim_text_free(&text);
        }
        for (int i = 0; i < session->sub_count; i++) {
            const struct bn_sub *sub = &session->sub[i];
            const char *only = strchr(sub->name, '@');

            if (sub->stream == BN_STREAM_USER && sub->deliver && sub->account == item->account &&
                session->kind == item->market && shell->listen[sub->listen].expires_ns > shell->now_ns &&
                (only == NULL || strcmp(only + 1, item->type) == 0)) {
                bn_feed_send(shell, session, sub->name, item->text.data, item->text.length);
            }
        }
    }
}

void bn_feed_private(struct bn_shell *shell, struct bn_item *item)
{
    const char *scope = scope_private(item->market);
    struct bn_item *held = shell->held[item->account];

    if (sim_fault_hit(shell->faults, SIM_FAULT_DROP_PRIVATE, scope, shell->now_ns) != NULL) {
        bn_shell_drop(item);
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
        bn_shell_drop(held);
    }
    bn_shell_drop(item);
}

static void pair(struct sim_text *out, const char *name, const char *value)
{
    sim_text_add(out, ",\"%s\":\"%s\"", name, value);
}

static void spot_report(struct sim_text *out, struct bn_shell *shell, const struct sim_event *event)
{
    const struct sim_order *order = event->order;
    const struct sim_instrument *i = &sim_venue_market(shell->venue, order->instrument)->instrument;
    static const char *const execs[] = { "NEW",      "TRADE",    "CANCELED", "EXPIRED",
                                         "REPLACED", "REPLACED", "TRADE" };
    bool trade = event->exec == SIM_EXEC_TRADE;
    bool cancel = event->exec == SIM_EXEC_CANCELED && shell->cancel_id[0] != '\0';
    long long now_ms = (long long)(event->now_ns / 1000000);
    int64_t last_value = trade ? (int64_t)(sim_ledger_value(i, event->qty, event->price) / SIM_CASH_ONE) : 0;

    sim_text_add(out, "{\"e\":\"executionReport\",\"E\":%lld,\"s\":\"%s\",\"c\":", now_ms, i->symbol);
    sim_text_quote(out, cancel ? shell->cancel_id : order->client_id);
    sim_text_add(out, ",\"S\":\"%s\",\"o\":\"%s\",\"f\":\"%s\",\"q\":", bn_text_side(order->side),
                 bn_text_type(i, order), bn_text_tif(i, order));
    bn_text_qty(out, i, order->qty);
    sim_text_str(out, ",\"p\":");
    bn_text_price(out, i, order->price);
    sim_text_str(out, ",\"P\":\"0.00000000\",\"F\":\"0.00000000\",\"g\":-1,\"C\":");
    sim_text_quote(out, cancel                             ? order->client_id
                        : event->exec == SIM_EXEC_REPLACED ? order->prior_client_id
                                                           : "");
    sim_text_add(out, ",\"x\":\"%s\",\"X\":\"%s\",\"r\":\"NONE\",\"i\":%llu,\"l\":", execs[event->exec],
                 bn_text_state(order->state), (unsigned long long)order->id);
    bn_text_qty(out, i, trade ? event->qty : 0);
    sim_text_str(out, ",\"z\":");
    bn_text_qty(out, i, order->filled);
    sim_text_str(out, ",\"L\":");
    bn_text_price(out, i, trade ? event->price : 0);
    if (event->fee_asset != NULL) {
        sim_text_str(out, ",\"n\":");
        bn_text_cash(out, event->fee_e8);
        pair(out, "N", event->fee_asset);
    } else {
        sim_text_str(out, ",\"n\":\"0\",\"N\":null");
    }
    sim_text_add(out,
                 ",\"T\":%lld,\"t\":%lld,\"I\":%lld,\"w\":%s,\"m\":%s,\"M\":%s,\"O\":%lld,\"Z\":", now_ms,
                 trade ? (long long)event->trade_id : -1LL, (long long)event->exec_id,
                 sim_venue_live(order) ? "true" : "false", event->maker ? "true" : "false",
                 trade ? "true" : "false", (long long)(order->created_ns / 1000000));
    bn_text_cash(out, (int64_t)(order->filled_sum.basis_e16 / SIM_CASH_ONE));
    sim_text_str(out, ",\"Y\":");
    bn_text_cash(out, last_value);
    sim_text_add(out, ",\"Q\":\"0.00000000\",\"W\":%lld,\"V\":\"%s\"",
                 (long long)(order->created_ns / 1000000), bn_text_stp(order->stp));
    if (event->exec == SIM_EXEC_EXPIRED && order->expiry == SIM_EXPIRY_IOC) {
        pair(out, "eR", "UNFILLED_IOC_QUANTITY_EXPIRED");
    } else if (event->exec == SIM_EXEC_EXPIRED && order->expiry == SIM_EXPIRY_FOK) {
        pair(out, "eR", "UNFILLED_FOK_ORDER_EXPIRED");
    } else if (event->exec == SIM_EXEC_EXPIRED && order->expiry == SIM_EXPIRY_MARKET) {
        pair(out, "eR", "INSUFFICIENT_LIQUIDITY");
    }
    sim_text_str(out, "}");
}

static void spot_balances(struct sim_text *out, struct bn_shell *shell, int account,
                          const struct sim_instrument *i, int64_t now_ns)
{
    const char *assets[] = { i->base, i->quote };

    sim_text_add(out, "{\"e\":\"outboundAccountPosition\",\"E\":%lld,\"u\":%lld,\"B\":[",
                 (long long)(now_ns / 1000000), (long long)(now_ns / 1000000));
    for (int k = 0; k < 2; k++) {
        const struct sim_cash *cash = sim_venue_cash(shell->venue, account, SIM_SPOT, assets[k]);
        sim_text_add(out, "%s{\"a\":\"%s\",\"f\":", k > 0 ? "," : "", assets[k]);
        bn_text_cash(out, cash->free_e8);
        sim_text_str(out, ",\"l\":");
        bn_text_cash(out, cash->locked_e8);
        sim_text_str(out, "}");
    }
    sim_text_str(out, "]}");
}

static int expiry_number(enum sim_expiry expiry)
{
    static const int numbers[] = {
        [SIM_EXPIRY_NONE] = 0,        [SIM_EXPIRY_STP] = 1,         [SIM_EXPIRY_IOC] = 2,
        [SIM_EXPIRY_REDUCE_ONLY] = 4, [SIM_EXPIRY_LIQUIDATION] = 5, [SIM_EXPIRY_MARKET] = 9,
        [SIM_EXPIRY_FOK] = 10,        [SIM_EXPIRY_POST_ONLY] = 11,  [SIM_EXPIRY_GTD] = 6,
    };
    return numbers[expiry];
}

static void futures_report(struct sim_text *out, struct bn_shell *shell, const struct sim_event *event)
{
    const struct sim_order *order = event->order;
    const struct sim_instrument *i = &sim_venue_market(shell->venue, order->instrument)->instrument;
    static const char *const execs[] = { "NEW",       "TRADE",     "CANCELED",  "EXPIRED",
                                         "AMENDMENT", "AMENDMENT", "CALCULATED" };
    bool trade = event->exec == SIM_EXEC_TRADE || event->exec == SIM_EXEC_CALCULATED;
    long long now_ms = (long long)(event->now_ns / 1000000);
    char digits[80];

    sim_text_add(out, "{\"e\":\"ORDER_TRADE_UPDATE\",\"T\":%lld,\"E\":%lld", now_ms, now_ms);
    if (i->kind == SIM_INVERSE) {
        pair(out, "i", "SgsR");
    }
    sim_text_add(out, ",\"o\":{\"s\":\"%s\",\"c\":", i->symbol);
    sim_text_quote(out, order->client_id);
    sim_text_add(out, ",\"S\":\"%s\",\"o\":\"%s\",\"f\":\"%s\",\"q\":", bn_text_side(order->side),
                 bn_text_type(i, order), bn_text_tif(i, order));
    bn_text_qty(out, i, order->qty);
    sim_text_str(out, ",\"p\":");
    bn_text_price(out, i, order->price);
    sim_decimal_trim(digits, sim_ledger_entry(i, &order->filled_sum), 8);
    sim_text_add(out, ",\"ap\":\"%s\",\"sp\":\"0\",\"x\":\"%s\",\"X\":\"%s\",\"i\":%llu,\"l\":", digits,
                 execs[event->exec], bn_text_state(order->state), (unsigned long long)order->id);
    bn_text_qty(out, i, trade ? event->qty : 0);
    sim_text_str(out, ",\"z\":");
    bn_text_qty(out, i, order->filled);
    sim_text_str(out, ",\"L\":");
    bn_text_price(out, i, trade ? event->price : 0);
    if (trade) {
        sim_text_str(out, ",\"n\":");
        bn_text_cash(out, event->fee_e8);
        pair(out, "N", event->fee_asset);
    }
    if (i->kind == SIM_INVERSE) {
        pair(out, "ma", i->settle);
    }
    sim_text_add(out,
                 ",\"T\":%lld,\"t\":%lld,\"b\":\"0\",\"a\":\"0\",\"m\":%s,\"R\":%s,\"wt\":\"CONTRACT_PRICE\","
                 "\"ot\":\"%s\",\"ps\":\"BOTH\",\"cp\":false,\"pP\":false,\"si\":0,\"ss\":0,\"rp\":",
                 now_ms, trade ? (long long)event->trade_id : 0LL, event->maker ? "true" : "false",
                 order->reduce_only ? "true" : "false", bn_text_type(i, order));
    bn_text_cash(out, event->pnl_e8);
    sim_text_add(out, ",\"V\":\"%s\",\"pm\":\"NONE\",\"gtd\":%lld,\"er\":\"%d\"}}", bn_text_stp(order->stp),
                 (long long)(order->good_till_ns / 1000000),
                 sim_venue_live(order) ? 0 : expiry_number(order->expiry));
}

static void trade_lite(struct sim_text *out, struct bn_shell *shell, const struct sim_event *event)
{
    const struct sim_order *order = event->order;
    const struct sim_instrument *i = &sim_venue_market(shell->venue, order->instrument)->instrument;
    long long now_ms = (long long)(event->now_ns / 1000000);

    sim_text_add(out, "{\"e\":\"TRADE_LITE\",\"E\":%lld,\"T\":%lld,\"s\":\"%s\",\"q\":", now_ms, now_ms,
                 i->symbol);
    bn_text_qty(out, i, order->qty);
    sim_text_str(out, ",\"p\":");
    bn_text_price(out, i, order->price);
    sim_text_add(out, ",\"m\":%s,\"c\":", event->maker ? "true" : "false");
    sim_text_quote(out, order->client_id);
    sim_text_add(out, ",\"S\":\"%s\",\"L\":", bn_text_side(order->side));
    bn_text_price(out, i, event->price);
    sim_text_str(out, ",\"l\":");
    bn_text_qty(out, i, event->qty);
    sim_text_add(out, ",\"t\":%lld,\"i\":%llu}", (long long)event->trade_id, (unsigned long long)order->id);
}

static void account_update(struct sim_text *out, struct bn_shell *shell, int account, enum sim_kind kind,
                           int instrument, const char *asset, const char *reason, int64_t change_e8,
                           int64_t now_ns)
{
    const struct sim_cash *cash = sim_venue_cash(shell->venue, account, kind, asset);
    long long now_ms = (long long)(now_ns / 1000000);
    char digits[80];

    sim_text_add(out, "{\"e\":\"ACCOUNT_UPDATE\",\"T\":%lld,\"E\":%lld", now_ms, now_ms);
    if (kind == SIM_INVERSE) {
        pair(out, "i", "SgsR");
    }
    sim_text_add(out, ",\"a\":{\"m\":\"%s\",\"B\":[{\"a\":\"%s\",\"wb\":", reason, asset);
    bn_text_cash(out, cash->free_e8);
    sim_text_str(out, ",\"cw\":");
    bn_text_cash(out, cash->free_e8);
    sim_text_str(out, ",\"bc\":");
    bn_text_cash(out, change_e8);
    sim_text_str(out, "}],\"P\":[");
    if (instrument >= 0) {
        const struct sim_instrument *i = &sim_venue_market(shell->venue, instrument)->instrument;
        const struct sim_holding *holding = &sim_venue_account(shell->venue, account)->holding[instrument];

        sim_text_add(out, "{\"s\":\"%s\",\"pa\":", i->symbol);
        bn_text_qty(out, i, holding->position.qty);
        sim_decimal_trim(digits, sim_ledger_entry(i, &holding->position), 8);
        sim_text_add(out, ",\"ep\":\"%s\",\"bep\":\"%s\",\"cr\":", digits, digits);
        bn_text_cash(out, holding->realised_e8);
        sim_text_str(out, ",\"up\":");
        bn_text_cash(out, sim_venue_unrealised(shell->venue, account, instrument));
        sim_text_str(out, ",\"mt\":\"cross\",\"iw\":\"0\",\"ps\":\"BOTH\"}");
    }
    sim_text_str(out, "]}}");
}

void bn_feed_account(struct bn_shell *shell, int account, enum sim_kind kind, int instrument,
                     const char *asset, const char *reason, int64_t change_e8, int64_t now_ns)
{
    struct sim_text text = { 0 };

    if (kind == SIM_SPOT) {
        sim_text_add(&text,
                     "{\"e\":\"balanceUpdate\",\"E\":%lld,\"a\":\"%s\",\"d\":", (long long)(now_ns / 1000000),
                     asset);
        bn_text_cash(&text, change_e8);
        sim_text_add(&text, ",\"T\":%lld}", (long long)(now_ns / 1000000));
        queue_private(shell, account, kind, "balanceUpdate", &text, now_ns);
        return;
    }
    account_update(&text, shell, account, kind, instrument, asset, reason, change_e8, now_ns);
    queue_private(shell, account, kind, "ACCOUNT_UPDATE", &text, now_ns);
}

void bn_feed_order(struct bn_shell *shell, const struct sim_event *event)
{
    const struct sim_instrument *i = &sim_venue_market(shell->venue, event->instrument)->instrument;
    bool trade = event->exec == SIM_EXEC_TRADE, forced = event->exec == SIM_EXEC_CALCULATED;
    struct sim_text text = { 0 };

    if (i->kind == SIM_SPOT) {
        spot_report(&text, shell, event);
        queue_private(shell, event->account, SIM_SPOT, "executionReport", &text, event->now_ns);
        if (!event->order->market || event->exec != SIM_EXEC_NEW) {
            spot_balances(&text, shell, event->account, i, event->now_ns);
            queue_private(shell, event->account, SIM_SPOT, "outboundAccountPosition", &text, event->now_ns);
        }
        return;
    }
    for (int k = 0; k < 3; k++) {
        char what = shell->options.fill_order[k];

        if (what == 'l' && trade) {
            trade_lite(&text, shell, event);
            queue_private(shell, event->account, i->kind, "TRADE_LITE", &text, event->now_ns);
        } else if (what == 'a' && (trade || forced)) {
            bn_feed_account(shell, event->account, i->kind, event->instrument, i->settle, "ORDER", 0,
                            event->now_ns);
        } else if (what == 'o') {
            futures_report(&text, shell, event);
            queue_private(shell, event->account, i->kind, "ORDER_TRADE_UPDATE", &text, event->now_ns);
        }
    }
}

int bn_feed_listen_key(struct bn_shell *shell, int account, enum sim_kind kind)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

    for (int i = 0; i < BN_LISTEN_MAX; i++) {
        struct bn_listen *listen = &shell->listen[i];
        /* A slot is used again only an hour after it ended, so that a stale key never names another's. */
        if (listen->key[0] != '\0' && listen->expires_ns + INT64_C(3600000000000) > shell->now_ns) {
            continue;
        }
        for (int k = 0; k < 64; k++) {
            listen->key[k] = letters[sim_random_range(&shell->random, 0, 61)];
        }
        listen->key[64] = '\0';
        listen->account = account;
        listen->kind = kind;
        listen->expires_ns = shell->now_ns;
        return i;
    }
    return -1;
}

/* --- subscriptions ------------------------------------------------------------------------------------- */

static int pace_of(const char *text, int usual)
{
    int ms = text == NULL ? usual : atoi(text);

    if (text != NULL && strstr(text, "ms") == NULL) {
        return -1;
    }
    for (int i = 0; i < BN_PACE_COUNT; i++) {
        if (bn_paces_ms[i] == ms) {
            return i;
        }
    }
    return -1;
}

/* all_stream answers which stream of every symbol a name is.  Liquidations and contract changes of other
 * people do not happen here: their streams are silent. */
static enum bn_stream all_stream(enum sim_kind kind, const char *name, bool *every_third)
{
    static const struct {
        const char *name;
        enum bn_stream stream;
        bool spot, every_third;
    } streams[] = {
        { "!bookTicker", BN_STREAM_ALL_BOOK, false, false },
        { "!markPrice@arr", BN_STREAM_ALL_MARK, false, true },
        { "!markPrice@arr@1s", BN_STREAM_ALL_MARK, false, false },
        { "!ticker@arr", BN_STREAM_ALL_DAY, true, false },
        { "!miniTicker@arr", BN_STREAM_ALL_MINI_DAY, true, false },
    };

    for (size_t i = 0; i < sizeof streams / sizeof streams[0]; i++) {
        if (strcmp(streams[i].name, name) == 0 && (kind != SIM_SPOT || streams[i].spot)) {
            *every_third = streams[i].every_third;
            return streams[i].stream;
        }
    }
    return BN_STREAM_SILENT;
}

/* understand fills in what a stream name asks for; an unknown one stays silent. */
static void understand(struct bn_shell *shell, enum sim_kind kind, struct bn_sub *sub)
{
    char copy[112], *save = NULL;
    char *part[3] = { NULL };

    for (int i = 0; i < BN_LISTEN_MAX; i++) {
        if (shell->listen[i].key[0] != '\0' && strncmp(sub->name, shell->listen[i].key, 64) == 0 &&
            (sub->name[64] == '\0' || sub->name[64] == '@') && shell->listen[i].kind == kind) {
            sub->stream = BN_STREAM_USER;
            sub->account = shell->listen[i].account;
            sub->listen = i;
            return;
        }
    }
    if (sub->name[0] == '!') {
        sub->stream = all_stream(kind, sub->name, &sub->every_third);
        return;
    }
    snprintf(copy, sizeof copy, "%s", sub->name);
    for (int i = 0; i < 3; i++) {
        part[i] = strtok_r(i == 0 ? copy : NULL, "@", &save);
    }
    if (part[0] == NULL || part[1] == NULL) {
        return;
    }
    for (char *c = part[0]; *c != '\0'; c++) {
        if (isupper((unsigned char)*c)) {
            return; /* stream names are lower case */
        }
        *c = (char)toupper((unsigned char)*c);
    }
    sub->instrument = bn_shell_symbol(shell, kind, part[0]);
    if (sub->instrument < 0) {
        return;
    }
    if (strcmp(part[1], "depth") == 0) {
        sub->pace = pace_of(part[2], kind == SIM_SPOT ? 1000 : 250);
        sub->stream = sub->pace < 0 ? BN_STREAM_SILENT : BN_STREAM_DEPTH;
    } else if (strncmp(part[1], "depth", 5) == 0) {
        sub->levels = atoi(part[1] + 5);
        sub->pace = pace_of(part[2], kind == SIM_SPOT ? 1000 : 250);
        bool known = sub->levels == 5 || sub->levels == 10 || sub->levels == 20;
        sub->stream = sub->pace <= 0 || !known ? BN_STREAM_SILENT : BN_STREAM_TOP_N;
    } else if (strcmp(part[1], "bookTicker") == 0) {
        sub->stream = BN_STREAM_BOOK;
    } else if (strcmp(part[1], "trade") == 0) {
        sub->stream = BN_STREAM_TRADE;
    } else if (strcmp(part[1], "aggTrade") == 0) {
        sub->stream = BN_STREAM_AGG_TRADE;
    } else if (strcmp(part[1], "markPrice") == 0 && kind != SIM_SPOT) {
        sub->stream = BN_STREAM_MARK;
        sub->every_third = part[2] == NULL;
    } else if (strcmp(part[1], "ticker") == 0) {
        sub->stream = BN_STREAM_DAY;
    } else if (strcmp(part[1], "miniTicker") == 0) {
        sub->stream = BN_STREAM_MINI_DAY;
    } else if (strncmp(part[1], "kline_", 6) == 0) {
        sub->interval = bn_kline_interval(kind, part[1] + 6);
        sub->stream = sub->interval < 0 ? BN_STREAM_SILENT : BN_STREAM_KLINE;
    }
}

static bool on_route(enum bn_route route, enum bn_stream stream)
{
    switch (route) {
    case BN_ROUTE_ANY:
        return true;
    case BN_ROUTE_PUBLIC:
        return stream == BN_STREAM_DEPTH || stream == BN_STREAM_TOP_N || stream == BN_STREAM_BOOK ||
               stream == BN_STREAM_TRADE || stream == BN_STREAM_ALL_BOOK;
    case BN_ROUTE_MARKET:
        return stream == BN_STREAM_AGG_TRADE || stream == BN_STREAM_MARK || stream == BN_STREAM_DAY ||
               stream == BN_STREAM_MINI_DAY || stream == BN_STREAM_KLINE || stream == BN_STREAM_ALL_MARK ||
               stream == BN_STREAM_ALL_DAY || stream == BN_STREAM_ALL_MINI_DAY;
    case BN_ROUTE_PRIVATE:
        return stream == BN_STREAM_USER;
    default:
        return false;
    }
}

bool bn_feed_subscribe(struct bn_shell *shell, struct bn_session *session, const char *name)
{
    if (session->sub_count == BN_SUB_MAX) {
        return false;
    }
    for (int i = 0; i < session->sub_count; i++) {
        if (strcmp(session->sub[i].name, name) == 0) {
            return true;
        }
    }
    struct bn_sub *bigger = realloc(session->sub, (size_t)(session->sub_count + 1) * sizeof *bigger);
    if (bigger == NULL) {
        abort();
    }
    session->sub = bigger;
    struct bn_sub *sub = &session->sub[session->sub_count++];

    memset(sub, 0, sizeof *sub);
    snprintf(sub->name, sizeof sub->name, "%s", name);
    understand(shell, session->kind, sub);
    sub->deliver = sub->stream != BN_STREAM_SILENT && on_route(session->route, sub->stream);
    if (sub->stream == BN_STREAM_USER && session->kind == SIM_INVERSE) {
        snprintf(session->scope, sizeof session->scope, "coinm-private");
    }
    return true;
}

static void answer(struct bn_shell *shell, struct bn_session *session, struct sim_text *text)
{
    struct bn_item *item = bn_shell_item(BN_ITEM_TEXT);

    item->conn = session->conn;
    item->text = *text;
    *text = (struct sim_text){ 0 };
    bn_shell_push(shell, item,
                  sim_delay_due(shell->delay, SIM_LINE_ACK, shell->now_ns, &session->last_ns[SIM_LINE_ACK]));
}

void bn_feed_stream_message(struct bn_shell *shell, struct bn_session *session, const char *text,
                            size_t length)
{
    json_t *root = json_loadb(text, length, 0, NULL);
    const char *method = json_string_value(json_object_get(root, "method"));
    const json_t *params = json_object_get(root, "params");
    json_t *id = json_object_get(root, "id");
    char *id_text = id == NULL ? strdup("null") : json_dumps(id, JSON_ENCODE_ANY | JSON_COMPACT);
    struct sim_text out = { 0 };
    const char *result = "null";
    bool good = method != NULL;

    if (root == NULL) {
        sim_text_add(&out, "{\"code\":3,\"msg\":\"Invalid JSON: expected value at line 1 column 1\"}");
        answer(shell, session, &out);
    } else if (good && (strcmp(method, "SUBSCRIBE") == 0 || strcmp(method, "UNSUBSCRIBE") == 0)) {
        bool add = method[0] == 'S';
        size_t i;
        json_t *name;

        json_array_foreach(params, i, name)
        {
            if (!json_is_string(name)) {
                good = false;
            } else if (add) {
                good = bn_feed_subscribe(shell, session, json_string_value(name)) && good;
            } else {
                for (int k = 0; k < session->sub_count; k++) {
                    if (strcmp(session->sub[k].name, json_string_value(name)) == 0) {
                        session->sub[k] = session->sub[--session->sub_count];
                        break;
                    }
                }
            }
        }
        good = good && json_is_array(params);
    } else if (good && strcmp(method, "LIST_SUBSCRIPTIONS") == 0) {
        sim_text_str(&out, "{\"result\":[");
        for (int k = 0; k < session->sub_count; k++) {
            sim_text_str(&out, k > 0 ? "," : "");
            sim_text_quote(&out, session->sub[k].name);
        }
        sim_text_add(&out, "],\"id\":%s}", id_text);
        answer(shell, session, &out);
        root = (json_decref(root), NULL);
    } else if (good && strcmp(method, "SET_PROPERTY") == 0) {
        const char *property = json_string_value(json_array_get(params, 0));
        if (property != NULL && strcmp(property, "combined") == 0 &&
            json_is_boolean(json_array_get(params, 1))) {
            session->combined = json_is_true(json_array_get(params, 1));
        } else {
            sim_text_add(&out, "{\"code\":0,\"msg\":\"Unknown property\",\"id\":%s}", id_text);
            answer(shell, session, &out);
            root = (json_decref(root), NULL);
        }
    } else if (good && strcmp(method, "GET_PROPERTY") == 0) {
        result = session->combined ? "true" : "false";
    } else {
        good = false;
    }
    if (root != NULL) {
        if (good) {
            sim_text_add(&out, "{\"result\":%s,\"id\":%s}", result, id_text);
        } else {
            sim_text_add(
                &out, "{\"code\":2,\"msg\":\"Invalid request: unknown variant or missing field\",\"id\":%s}",
                id_text);
        }
        answer(shell, session, &out);
        json_decref(root);
    }
    sim_text_free(&out);
    free(id_text);
}
