#include "tools/sim/deribit/db_state.h"

#include "tools/sim/model/sim_decimal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Deadlines: the queue of arrivals and replies; paces of slower channels; every second heartbeats, silence
 * and the end of a settlement; fault moments. */
#define SECOND_NS  INT64_C(1000000000)
#define QUIET_NS   (INT64_C(600) * SECOND_NS) /* without heartbeats a silent socket lives so long */
#define HOUR_MS    INT64_C(3600000)
#define SOCKET_MAX 32

struct db_options db_shell_usual(void)
{
    return (struct db_options){
        .seed = 1,
        .limits = true,
        .tier = 1,
        .choices = { .gone = 11044,
                     .beats = 2,
                     .bad_signature = 13009,
                     .close_code = 1008,
                     .pause_ms = 2000 },
    };
}

bool db_shell_choose(struct db_choices *choices, const char *text)
{
    char *copy = strdup(text), *save = NULL;
    bool good = true;

    for (char *pair = strtok_r(copy, ",", &save); good && pair != NULL; pair = strtok_r(NULL, ",", &save)) {
        char *value = strchr(pair, '=');

        good = value != NULL;
        if (!good) {
            break;
        }
        *value++ = '\0';
        enum db_order order = strcmp(value, "seeded") == 0                                 ? DB_SEEDED
                              : strcmp(value, "asked") == 0 || strcmp(value, "reply") == 0 ? DB_ONE_WAY
                                                                                           : DB_OTHER_WAY;
        bool reversed = strcmp(value, "reversed") == 0, stream = strcmp(value, "stream") == 0;

        if (strcmp(pair, "ack") == 0) {
            choices->ack = order;
            good = order != DB_OTHER_WAY || reversed;
        } else if (strcmp(pair, "first") == 0) {
            choices->first = order;
            good = order != DB_OTHER_WAY || stream;
        } else if (strcmp(pair, "gone") == 0) {
            choices->gone = atoi(value);
        } else if (strcmp(pair, "beats") == 0) {
            choices->beats = atoi(value);
            good = choices->beats > 0;
        } else if (strcmp(pair, "bad_signature") == 0) {
            choices->bad_signature = atoi(value);
        } else if (strcmp(pair, "close") == 0) {
            choices->close_code = atoi(value);
        } else if (strcmp(pair, "ioc_reason") == 0) {
            choices->ioc_reason = value[0] == '1';
        } else if (strcmp(pair, "spot") == 0) {
            choices->routed = strcmp(value, "routed") == 0;
            good = choices->routed || strcmp(value, "own") == 0;
        } else if (strcmp(pair, "pause_ms") == 0) {
            choices->pause_ms = atoll(value);
        } else {
            good = false;
        }
    }
    free(copy);
    return good;
}

/* --- items --------------------------------------------------------------------------------------------- */

void *db_shell_grow(void *memory, size_t *capacity, size_t need, size_t size)
{
    if (need <= *capacity) {
        return memory;
    }
    size_t wanted = *capacity == 0 ? 64 : *capacity * 2;

    wanted = wanted < need ? need : wanted;
    memory = realloc(memory, wanted * size);
    if (memory == NULL) {
        abort();
    }
    *capacity = wanted;
    return memory;
}

struct db_item *db_shell_item(enum db_item_kind kind)
{
    struct db_item *item = calloc(1, sizeof *item);

    if (item == NULL) {
        abort();
    }
    item->kind = kind;
    return item;
}

void db_shell_push(struct db_shell *shell, struct db_item *item, int64_t due_ns)
{
    sim_queue_push(&shell->queue, due_ns, item);
}

void db_shell_drop(struct db_item *item)
{
    sim_text_free(&item->text);
    for (size_t i = 0; i < item->row_count; i++) {
        sim_text_free(&item->row[i].text);
    }
    free(item->row);
    free(item->activate);
    db_gate_free(item->call);
    free(item->levels);
    free(item);
}

struct db_shell *db_shell_new(const struct db_options *options, struct sim_faults *faults,
                              struct sim_delay *delay)
{
    struct db_shell *shell = calloc(1, sizeof *shell);

    if (shell == NULL) {
        abort();
    }
    shell->options = *options;
    shell->faults = faults;
    shell->delay = delay;
    sim_random_seed(&shell->random, options->seed, 13);
    for (int at = 0; at < DB_MARKET_COUNT; at++) {
        shell->tape[at] = calloc(1, sizeof *shell->tape[at]);
        shell->hour[at] = calloc(DB_HOURS_MAX, sizeof *shell->hour[at]);
        if (shell->tape[at] == NULL || shell->hour[at] == NULL) {
            abort();
        }
    }
    return shell;
}

void db_shell_attach(struct db_shell *shell, struct sim_venue *venue, struct sim_net *net, int64_t now_ns)
{
    shell->venue = venue;
    shell->net = net;
    shell->now_ns = now_ns;
    for (int at = 0; at < DB_MARKET_COUNT; at++) {
        shell->listing[at] = db_market_listing((enum db_place)at, now_ns);
    }
}

void db_shell_free(struct db_shell *shell)
{
    struct db_item *item;

    while ((item = sim_queue_pop(&shell->queue, INT64_MAX)) != NULL) {
        db_shell_drop(item);
    }
    free(shell->queue.entry);
    for (int i = 0; i < SIM_ACCOUNT_MAX; i++) {
        if (shell->held[i] != NULL) {
            db_shell_drop(shell->held[i]);
        }
        free(shell->touched[i].order);
        free(shell->touched[i].fill);
        free(shell->touched[i].state);
    }
    for (int at = 0; at < DB_MARKET_COUNT; at++) {
        free(shell->tape[at]);
        free(shell->hour[at]);
        for (int side = 0; side < 2; side++) {
            free(shell->book[at].level[side]);
            for (int pace = 0; pace < DB_PACE_COUNT; pace++) {
                free(shell->merge[at][pace].change[side]);
            }
        }
    }
    free(shell->note);
    free(shell->log);
    free(shell);
}

bool db_shell_add_key(struct db_shell *shell, int account, const char *id, const char *secret)
{
    if (shell->key_count == DB_KEY_MAX || strlen(id) >= sizeof shell->key[0].id ||
        strlen(secret) >= sizeof shell->key[0].secret) {
        return false;
    }
    struct db_key *key = &shell->key[shell->key_count++];

    memcpy(key->id, id, strlen(id) + 1);
    memcpy(key->secret, secret, strlen(secret) + 1);
    key->account = account;
    for (int at = 0; at < SIM_INSTRUMENT_MAX; at++) {
        sim_venue_account(shell->venue, account)->holding[at].leverage = 50;
    }
    return true;
}

int db_shell_account_of(const struct db_shell *shell, const char *id)
{
    for (int i = 0; i < shell->key_count; i++) {
        if (strcmp(shell->key[i].id, id) == 0) {
            return shell->key[i].account;
        }
    }
    return -1;
}

void db_shell_time(struct db_shell *shell, int64_t now_ns)
{
    shell->now_ns = now_ns;
}

int64_t db_shell_server_ns(struct db_shell *shell)
{
    struct sim_fault *skew = sim_fault_open(shell->faults, SIM_FAULT_CLOCK_SKEW, "deribit", shell->now_ns);

    if (skew != NULL) {
        skew->fired++;
    }
    return shell->now_ns + (skew == NULL ? 0 : skew->ms * 1000000);
}

/* --- what the model says ------------------------------------------------------------------------------- */

static void note_trade(struct db_shell *shell, const struct sim_event *event, struct db_print *print)
{
    const struct sim_market *market = sim_venue_market(shell->venue, event->instrument);
    struct db_tape *tape = shell->tape[event->instrument];
    const struct db_print *last =
        tape->printed == 0 ? NULL : &tape->print[(tape->printed - 1) % DB_PRINT_MAX];
    int tick = 1;

    if (last != NULL && event->price != last->price) {
        tick = event->price > last->price ? 0 : 2;
    } else if (last != NULL) {
        tick = last->tick <= 1 ? 1 : 3;
    }
    *print = (struct db_print){ .id = event->trade_id,
                                .seq = event->trade_seq,
                                .now_ns = event->now_ns,
                                .price = event->price,
                                .qty = event->qty,
                                .mark_e8 = market->mark_e8,
                                .index_e8 = market->index_e8,
                                .sell = event->buyer_is_maker,
                                .tick = tick };
    if (tape->printed == 0) {
        tape->open = tape->high = tape->low = event->price;
        tape->since_ns = event->now_ns;
    }
    tape->high = event->price > tape->high ? event->price : tape->high;
    tape->low = event->price < tape->low ? event->price : tape->low;
    tape->volume += event->qty;
    tape->value_e16 += sim_ledger_value(&market->instrument, event->qty, event->price);
    tape->print[tape->printed++ % DB_PRINT_MAX] = *print;
}

/* note_rate keeps the integral of the funding rate, hour by hour. */
static void note_rate(struct db_shell *shell, int at, int64_t now_ns)
{
    const struct sim_market *market = sim_venue_market(shell->venue, at);
    int64_t hour_ms = now_ns / 1000000 / HOUR_MS * HOUR_MS;
    int count = shell->hour_count[at];

    if (count == 0 || shell->hour[at][count - 1].at_ms != hour_ms) {
        if (count == DB_HOURS_MAX) {
            memmove(shell->hour[at], shell->hour[at] + 1, (DB_HOURS_MAX - 1) * sizeof *shell->hour[at]);
            count--;
        }
        shell->hour[at][count] = (struct db_hour){
            .at_ms = hour_ms, .before_e8 = count > 0 ? shell->hour[at][count - 1].index_e8 : market->index_e8
        };
        shell->hour_count[at] = ++count;
        shell->rate_as_of_ns[at] = now_ns;
    }
    struct db_hour *hour = &shell->hour[at][count - 1];

    hour->index_e8 = market->index_e8;
    hour->rate_ns += (__int128)market->funding_rate_e8 * (now_ns - shell->rate_as_of_ns[at]);
    shell->rate_as_of_ns[at] = now_ns;
}

static void queue_public(struct db_shell *shell, const struct sim_event *event)
{
    struct db_item *item = db_shell_item(DB_ITEM_EVENT);
    size_t count = event->kind == SIM_EVENT_TOP ? 2 : (size_t)event->bid_count + event->ask_count;

    item->event = *event;
    if (event->levels != NULL && count > 0) {
        item->levels = malloc(count * sizeof *item->levels);
        if (item->levels == NULL) {
            abort();
        }
        memcpy(item->levels, event->levels, count * sizeof *item->levels);
        item->event.levels = item->levels;
    }
    if (event->kind == SIM_EVENT_TRADE) {
        note_trade(shell, event, &item->print);
    }
    db_shell_push(
        shell, item,
        sim_delay_due(shell->delay, SIM_LINE_FEED, event->now_ns, &shell->feed_last_ns[event->instrument]));
}

/* queue_start sends the whole book down the feed, from which subscribers' snapshots are made. */
static void queue_start(struct db_shell *shell, const struct sim_event *event)
{
    enum { MOST = 20000 };
    struct sim_level *all = malloc(2 * MOST * sizeof *all);
    struct sim_event whole = *event;

    if (all == NULL) {
        abort();
    }
    whole.bid_count = (uint32_t)sim_venue_depth(shell->venue, event->instrument, SIM_BUY, all, MOST);
    whole.ask_count =
        (uint32_t)sim_venue_depth(shell->venue, event->instrument, SIM_SELL, all + whole.bid_count, MOST);
    whole.levels = all;
    whole.u = sim_venue_market(shell->venue, event->instrument)->last_u;
    queue_public(shell, &whole);
    free(all);
    if (shell->settle_price_e8[event->instrument] == 0) {
        shell->settle_price_e8[event->instrument] =
            sim_venue_market(shell->venue, event->instrument)->mark_e8;
    }
}

static struct db_touched *touch(struct db_shell *shell, int account, int instrument)
{
    struct db_touched *touched = &shell->touched[account];

    touched->any = true;
    touched->positions[instrument] = true;
    return touched;
}

static void write_log(struct db_shell *shell, struct db_log log)
{
    const struct db_money money = db_text_funds(shell, log.account, log.currency);

    log.now_ns = shell->now_ns > log.now_ns ? shell->now_ns : log.now_ns;
    log.balance_e8 = money.balance;
    log.equity_e8 = money.equity;
    shell->log = db_shell_grow(shell->log, &shell->log_capacity, shell->log_count + 1, sizeof *shell->log);
    shell->log[shell->log_count++] = log;
}

static void note_order(struct db_shell *shell, const struct sim_event *event)
{
    struct db_touched *touched = touch(shell, event->account, event->instrument);
    const struct sim_holding *holding =
        &sim_venue_account(shell->venue, event->account)->holding[event->instrument];
    bool filled = event->exec == SIM_EXEC_TRADE || event->exec == SIM_EXEC_CALCULATED, had = false;

    struct db_note *note = db_trade_note(shell, event->order);
    if (event->exec == SIM_EXEC_CANCELED && note->reason == NULL) {
        note->reason = "autoliquidation"; /* nobody asked: the venue cleared the way */
    }
    for (size_t i = 0; i < touched->order_count && !had; i++) {
        had = touched->order[i] == event->order->index;
    }
    if (!had) {
        touched->order = db_shell_grow(touched->order, &touched->order_capacity, touched->order_count + 1,
                                       sizeof *touched->order);
        touched->order[touched->order_count++] = event->order->index;
    }
    if (!filled) {
        return;
    }
    size_t index = sim_venue_fill_count(shell->venue) - 1, n = touched->fill_count + 1;
    int64_t held = holding->position.qty;

    touched->fill = db_shell_grow(touched->fill, &touched->fill_capacity, n, sizeof *touched->fill);
    touched->state = db_shell_grow(touched->state, &touched->state_capacity, n, sizeof *touched->state);
    touched->fill[n - 1] = index;
    touched->state[n - 1] = event->order->state;
    touched->fill_count = n;

    struct db_log log = { .kind = DB_LOG_TRADE, .account = event->account, .instrument = event->instrument };
    const struct sim_fill *fill = sim_venue_fill(shell->venue, index);
    const struct sim_instrument *i = &sim_venue_market(shell->venue, event->instrument)->instrument;

    log.currency = db_text_currency(shell->listing[event->instrument].currency);
    log.fill = index;
    log.now_ns = event->now_ns;
    log.change_e8 = -event->fee_e8;
    if (i->kind == SIM_SPOT) {
        log.change_e8 = fill->side == SIM_BUY ? -fill->value_e8 : fill->value_e8 - fill->fee_e8;
    }
    log.position = held;
    log.price_e8 = fill->price * sim_decimal_power(8 - i->price_decimals);
    log.opens = fill->side == SIM_BUY ? held > 0 : held < 0;
    write_log(shell, log);
}

/* log_settlement writes what a settlement turned into cash: the difference to the one before. */
static void log_settlement(struct db_shell *shell, int account, int at, int64_t now_ns)
{
    const struct sim_holding *holding = &sim_venue_account(shell->venue, account)->holding[at];
    struct db_settled *last = &shell->settled[account][at];
    struct db_log log = { .kind = DB_LOG_SETTLEMENT, .account = account, .instrument = at, .now_ns = now_ns };

    log.currency = db_text_currency(shell->listing[at].currency);
    log.change_e8 = holding->settled_e8 - last->total_e8;
    log.upl_e8 = holding->settled_unrealised_e8 - last->unrealised_e8;
    log.rpl_e8 = log.change_e8 - log.upl_e8;
    log.interest_e8 = shell->interest_e8[account][at];
    log.position = holding->position.qty;
    log.price_e8 = sim_venue_market(shell->venue, at)->mark_e8;
    *last = (struct db_settled){ holding->settled_e8, holding->settled_unrealised_e8 };
    shell->interest_e8[account][at] = 0;
    if (log.change_e8 != 0 || log.position != 0 ||
        log.interest_e8 != 0) { /* funding may eat up what was made */
        write_log(shell, log);
    }
}

static void note_settlement(struct db_shell *shell, int64_t now_ns)
{
    for (int at = 0; at < DB_MARKET_COUNT; at++) {
        shell->settle_price_e8[at] = sim_venue_market(shell->venue, at)->mark_e8;
        for (int i = 0; i < sim_venue_account_count(shell->venue); i++) {
            if (sim_venue_account(shell->venue, i)->holding[at].fills > 0 &&
                shell->listing[at].kind == DB_FUTURE) {
                touch(shell, i, at);
                log_settlement(shell, i, at, now_ns);
            }
        }
    }
    shell->settling_until_ns = now_ns + shell->options.choices.pause_ms * 1000000;
    shell->next_second_ns = now_ns; /* the step that follows sees it */
}

void db_shell_emit(void *user, const struct sim_event *event)
{
    struct db_shell *shell = user;

    switch (event->kind) {
    case SIM_EVENT_MARK:
        note_rate(shell, event->instrument, event->now_ns);
        queue_public(shell, event);
        break;
    case SIM_EVENT_TRADE:
    case SIM_EVENT_DEPTH:
    case SIM_EVENT_TOP:
    case SIM_EVENT_FEED_END:
        queue_public(shell, event);
        break;
    case SIM_EVENT_FEED_START:
        queue_start(shell, event);
        break;
    case SIM_EVENT_ORDER:
        note_order(shell, event);
        break;
    case SIM_EVENT_FUNDING:
        shell->interest_e8[event->account][event->instrument] = event->payment->amount_e8;
        break;
    case SIM_EVENT_SETTLEMENT:
        note_settlement(shell, event->now_ns);
        break;
    case SIM_EVENT_BALANCE: {
        struct db_log log = { .kind = event->pnl_e8 < 0 ? DB_LOG_WITHDRAWAL : DB_LOG_DEPOSIT };
        log.account = event->account;
        log.currency = db_text_currency(event->fee_asset);
        log.now_ns = event->now_ns;
        log.change_e8 = event->pnl_e8;
        if (log.currency >= 0) {
            write_log(shell, log);
            shell->touched[event->account].any = true;
            shell->touched[event->account].money[log.currency] = true;
        }
        break;
    }
    }
}

static struct sim_text *add_row(struct db_item *item, enum db_row_kind kind, int instrument,
                                const char *currency)
{
    item->row = db_shell_grow(item->row, &item->row_capacity, item->row_count + 1, sizeof *item->row);
    struct db_row *row = &item->row[item->row_count++];

    *row = (struct db_row){ .kind = kind, .instrument = instrument };
    snprintf(row->currency, sizeof row->currency, "%s", currency);
    return &row->text;
}

static void settle_account(struct db_shell *shell, int account, int64_t now_ns)
{
    struct db_touched *touched = &shell->touched[account];
    struct db_item *item = db_shell_item(DB_ITEM_PRIVATE);

    item->account = account;
    for (size_t i = 0; i < touched->order_count; i++) {
        struct sim_order *order = sim_venue_order(shell->venue, touched->order[i]);
        db_text_order(add_row(item, DB_ROW_ORDER, order->instrument, ""), shell, order);
    }
    for (size_t i = 0; i < touched->fill_count; i++) {
        const struct sim_fill *fill = sim_venue_fill(shell->venue, touched->fill[i]);
        db_text_fill(add_row(item, DB_ROW_TRADE, fill->instrument, ""), shell, touched->fill[i],
                     touched->state[i]);
    }
    for (int at = 0; at < DB_MARKET_COUNT; at++) {
        if (!touched->positions[at]) {
            continue;
        }
        if (shell->listing[at].kind == DB_FUTURE) {
            db_text_position(add_row(item, DB_ROW_POSITION, at, ""), shell, account, at);
        }
        const struct sim_instrument *i = &sim_venue_market(shell->venue, at)->instrument;
        touched->money[db_text_currency(i->settle)] = true;
        if (i->kind == SIM_SPOT) {
            touched->money[db_text_currency(i->base)] = true;
        }
    }
    for (int i = 0; i < 4; i++) {
        if (touched->money[i]) {
            struct sim_text *text = add_row(item, DB_ROW_MONEY, -1, db_currencies[i]);
            sim_text_str(text, "{");
            db_text_money(text, shell, account, i);
            sim_text_str(text, "}");
        }
    }
    touched->any = false;
    touched->order_count = touched->fill_count = 0;
    memset(touched->positions, 0, sizeof touched->positions);
    memset(touched->money, 0, sizeof touched->money);
    db_shell_push(shell, item,
                  sim_delay_due(shell->delay, SIM_LINE_PRIVATE, now_ns, &shell->private_last_ns[account]));
}

void db_shell_settled(struct db_shell *shell, int64_t now_ns)
{
    for (int i = 0; i < sim_venue_account_count(shell->venue); i++) {
        if (shell->touched[i].any) {
            settle_account(shell, i, now_ns);
        }
    }
}

/* --- sockets ------------------------------------------------------------------------------------------- */

bool db_shell_ours(const struct sim_request *request)
{
    if (strstr(request->host, "deribit") != NULL) {
        return true;
    }
    return strchr(request->host, '.') == NULL || strspn(request->host, "0123456789.") == strlen(request->host)
               ? strncmp(request->path, "/ws/api/v2", 10) == 0 || strncmp(request->path, "/api/v2", 7) == 0
               : false;
}

bool db_shell_has(const struct db_shell *shell, const void *session)
{
    const struct db_session *at = shell->sessions;

    while (at != NULL && at != session) {
        at = at->next;
    }
    return at != NULL;
}

void *db_shell_open(void *user, const struct sim_request *request)
{
    struct db_shell *shell = user;
    bool test = strncmp(request->host, "test.", 5) == 0, named = strstr(request->host, "deribit") != NULL;

    if (strcmp(request->path, "/ws/api/v2") != 0 && strcmp(request->path, "/ws/api/v2/") != 0) {
        char what[160];
        snprintf(what, sizeof what, "SOCKET %.60s%.90s", request->host, request->path);
        db_gate_unknown(shell, what);
        return NULL;
    }
    if (named && test != shell->options.testnet) {
        return NULL; /* the other environment is not here */
    }
    if (shell->options.limits && shell->socket_count >= SOCKET_MAX) {
        sim_net_reply(shell->net, request->conn, 429, "", "text/plain", "", 0);
        return NULL;
    }
    struct db_session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        abort();
    }
    session->conn = request->conn;
    session->key = -1;
    session->opened_ns = session->heard_ns = shell->now_ns;
    session->next = shell->sessions;
    shell->sessions = session;
    shell->socket_count++;
    return session;
}

void db_shell_message(void *user, uint64_t conn, void *pointer, const char *text, size_t length)
{
    struct db_shell *shell = user;
    struct db_session *session = pointer;

    (void)conn;
    if (!session->closing) {
        session->heard_ns = shell->now_ns;
        db_gate_message(shell, session, text, length);
    }
}

void db_shell_control_frame(void *user, uint64_t conn, void *pointer, bool pong)
{
    (void)user;
    (void)conn;
    (void)pointer;
    (void)pong;
}

void db_shell_hang_up(struct db_shell *shell, struct db_session *session, int code, const char *reason)
{
    session->closing = true;
    sim_net_close(shell->net, session->conn, code, reason);
}

void db_shell_closed(void *user, uint64_t conn, void *pointer)
{
    struct db_shell *shell = user;
    struct db_session *session = pointer;
    struct db_session **link = &shell->sessions;

    while (*link != NULL && *link != session) {
        link = &(*link)->next;
    }
    if (*link != NULL) {
        *link = session->next;
        shell->socket_count--;
    }
    db_auth_gone(shell, conn);
    if (session->armed) { /* in the order of time, like everything that touches the model */
        struct db_item *item = db_shell_item(DB_ITEM_GONE);
        item->gone = conn;
        db_shell_push(shell, item, shell->now_ns);
    }
    db_feed_forget(session);
    free(session);
}

const char *db_shell_scope(const struct db_session *session)
{
    return session->trades ? "deribit-private" : "deribit-public";
}

/* --- time ---------------------------------------------------------------------------------------------- */

static void say(struct db_shell *shell, struct db_session *session, const char *type)
{
    char text[128];
    int length =
        snprintf(text, sizeof text,
                 "{\"jsonrpc\":\"2.0\",\"method\":\"heartbeat\",\"params\":{\"type\":\"%s\"}}", type);

    if (sim_fault_open(shell->faults, SIM_FAULT_SILENCE, db_shell_scope(session), shell->now_ns) == NULL) {
        sim_net_text(shell->net, session->conn, text, (size_t)length);
    }
}

static void keep_alive(struct db_shell *shell, struct db_session *session, int64_t now_ns)
{
    int code = shell->options.choices.close_code;

    if (session->test_by_ns != 0 && now_ns > session->test_by_ns) {
        db_shell_hang_up(shell, session, code, "heartbeat timeout");
    } else if (session->beat_ns != 0 && now_ns >= session->next_beat_ns) {
        session->next_beat_ns += session->beat_ns;
        say(shell, session, "heartbeat");
        if (++session->beats % shell->options.choices.beats == 0) {
            say(shell, session, "test_request");
            session->test_by_ns = session->test_by_ns != 0 ? session->test_by_ns : now_ns + session->beat_ns;
        }
    } else if (session->beat_ns == 0 && now_ns - session->heard_ns > QUIET_NS) {
        db_shell_hang_up(shell, session, code, "inactivity");
    }
}

/* set_states tells what changed of trading: the settlement's pause, maintenance. */
static void set_states(struct db_shell *shell, int64_t now_ns)
{
    struct sim_fault *halt = sim_fault_open(shell->faults, SIM_FAULT_MAINTENANCE, "deribit", now_ns);
    bool settling = now_ns < shell->settling_until_ns, locked = halt != NULL;

    if (halt != NULL) {
        halt->fired++;
    }
    bool changed = settling != shell->settling || locked != shell->locked;
    bool platform = locked != shell->locked;

    if (settling && !shell->settling) {
        db_trade_end_of_day(shell, now_ns);
        db_shell_settled(shell, now_ns);
    }
    shell->settling = settling;
    shell->locked = locked;
    for (int at = 0; at < DB_MARKET_COUNT && changed; at++) {
        db_feed_state(shell, at);
    }
    if (platform) {
        db_feed_platform(shell);
    }
}

static void every_second(struct db_shell *shell, int64_t now_ns)
{
    struct sim_fault *partial = sim_fault_open(shell->faults, SIM_FAULT_PARTIAL, "deribit", now_ns);

    sim_venue_partials(shell->venue, partial == NULL ? 0 : partial->p_ppm);
    if (partial != NULL) {
        partial->fired++; /* seconds it was open: the model does not count occasions */
    }
    for (struct db_session *session = shell->sessions; session != NULL; session = session->next) {
        if (!session->closing) {
            keep_alive(shell, session, now_ns);
        }
    }
    for (int i = 0; i < sim_venue_account_count(shell->venue); i++) {
        for (int at = 0; at < DB_MARKET_COUNT; at++) { /* the mark moved: so did what an account is worth */
            if (sim_venue_account(shell->venue, i)->holding[at].position.qty != 0 &&
                shell->listing[at].kind == DB_FUTURE) {
                shell->touched[i].any = true;
                shell->touched[i].money[db_text_currency(shell->listing[at].currency)] = true;
            }
        }
    }
}

static void strike(struct db_shell *shell, struct sim_fault *fault, int64_t now_ns)
{
    int account = fault->account[0] == '\0' ? 0 : db_shell_account_of(shell, fault->account);

    switch (fault->kind) {
    case SIM_FAULT_DISCONNECT:
    case SIM_FAULT_SERVER_SHUTDOWN:
        for (struct db_session *session = shell->sessions; session != NULL; session = session->next) {
            if (fault->scope[0] != '\0' && strstr(db_shell_scope(session), fault->scope) == NULL) {
                continue;
            }
            if (fault->kind == SIM_FAULT_DISCONNECT) {
                session->closing = true;
                sim_net_cut(shell->net, session->conn);
            } else {
                struct db_item *item = db_shell_item(DB_ITEM_CLOSE);
                item->conn = session->conn;
                db_shell_push(shell, item, now_ns + fault->ms * 1000000);
            }
        }
        break;
    case SIM_FAULT_SETTLEMENT:
        shell->options.choices.pause_ms = fault->ms;
        sim_venue_settle(shell->venue, now_ns);
        db_shell_settled(shell, now_ns);
        break;
    case SIM_FAULT_LIQUIDATE:
        for (int at = 0;
             at < DB_MARKET_COUNT && account >= 0 && account < sim_venue_account_count(shell->venue); at++) {
            if (shell->listing[at].kind == DB_FUTURE) {
                sim_venue_liquidate(shell->venue, account, at, now_ns);
            }
        }
        db_shell_settled(shell, now_ns);
        break;
    case SIM_FAULT_DELEVERAGE:
        for (int at = 0;
             at < DB_MARKET_COUNT && account >= 0 && account < sim_venue_account_count(shell->venue); at++) {
            if (shell->listing[at].kind == DB_FUTURE) {
                sim_venue_deleverage(shell->venue, account, at, fault->p_ppm, now_ns);
            }
        }
        db_shell_settled(shell, now_ns);
        break;
    case SIM_FAULT_TICK_SIZE:
        for (int at = 0; at < DB_MARKET_COUNT; at++) {
            if (shell->listing[at].kind == DB_FUTURE) {
                sim_venue_market(shell->venue, at)->instrument.tick *= fault->ms > 0 ? fault->ms : 1;
            }
        }
        break;
    case SIM_FAULT_DEPOSIT:
    case SIM_FAULT_WITHDRAWAL:
        if (account >= 0 && account < sim_venue_account_count(shell->venue) &&
            db_text_currency(fault->asset) >= 0) {
            int64_t amount_e8 = fault->kind == SIM_FAULT_DEPOSIT ? fault->amount_e8 : -fault->amount_e8;
            sim_venue_deposit(shell->venue, account, SIM_SPOT, fault->asset, amount_e8, now_ns);
            db_shell_settled(shell, now_ns);
        }
        break;
    case SIM_FAULT_FUNDING_RATE:
        for (int at = 0; at < DB_MARKET_COUNT; at++) {
            struct sim_market *market = sim_venue_market(shell->venue, at);
            if (market->instrument.funding_interval_ns != 0) {
                market->funding_rate_e8 = fault->amount_e8;
                market->funding_given = true;
            }
        }
        break;
    default:
        break;
    }
}

/* only_beats is true while a fault lets nothing but heartbeats through: a venue half dead. */
static bool only_beats(struct db_shell *shell, const struct db_session *session)
{
    struct sim_fault *fault =
        sim_fault_open(shell->faults, SIM_FAULT_HEARTBEAT_ONLY, db_shell_scope(session), shell->now_ns);

    if (fault != NULL) {
        fault->fired++;
    }
    return fault != NULL;
}

static void happen(struct db_shell *shell, struct db_item *item)
{
    struct db_session *session = sim_net_session(shell->net, item->conn);

    switch (item->kind) {
    case DB_ITEM_CALL:
        db_gate_arrive(shell, item);
        break;
    case DB_ITEM_HTTP:
        sim_net_reply(shell->net, item->conn, item->status, "", "application/json", item->text.data,
                      item->text.length);
        break;
    case DB_ITEM_TEXT:
        if (session == NULL || session->closing || only_beats(shell, session)) {
            break;
        }
        sim_net_text(shell->net, item->conn, item->text.data, item->text.length);
        if (item->activate != NULL) {
            db_feed_activate(shell, session, item->activate);
        }
        if (item->hang_up) {
            db_shell_hang_up(shell, session, shell->options.choices.close_code, "");
        }
        break;
    case DB_ITEM_EVENT:
        db_feed_deliver(shell, item);
        break;
    case DB_ITEM_PRIVATE:
        db_feed_private(shell, item);
        return; /* it owns the item now */
    case DB_ITEM_GONE:
        db_trade_disconnect(shell, item->gone, shell->now_ns);
        db_shell_settled(shell, shell->now_ns);
        break;
    case DB_ITEM_CLOSE:
        if (session != NULL) {
            db_shell_hang_up(shell, session, 1001, "server shutdown");
        }
        break;
    }
    db_shell_drop(item);
}

void db_shell_step(struct db_shell *shell, int64_t now_ns)
{
    struct db_item *item;
    struct sim_fault *fault;

    shell->now_ns = now_ns;
    while ((fault = sim_fault_due(shell->faults, now_ns)) != NULL) {
        strike(shell, fault, now_ns);
    }
    set_states(shell, now_ns);
    if (now_ns >= shell->next_second_ns) {
        shell->next_second_ns = now_ns + SECOND_NS;
        every_second(shell, now_ns);
        db_shell_settled(shell, now_ns);
    }
    while ((item = sim_queue_pop(&shell->queue, now_ns)) != NULL) {
        happen(shell, item);
    }
    db_feed_paces(shell, now_ns);
}

int64_t db_shell_next_ns(const struct db_shell *shell)
{
    int64_t next = sim_queue_next_ns(&shell->queue);
    int64_t pace = db_feed_next_ns(shell), fault = sim_fault_next_ns(shell->faults);

    next = pace < next ? pace : next;
    next = fault < next ? fault : next;
    if (shell->settling && shell->settling_until_ns < next) {
        next = shell->settling_until_ns;
    }
    return shell->next_second_ns < next ? shell->next_second_ns : next;
}

/* --- the report ---------------------------------------------------------------------------------------- */

int db_shell_unknown_count(const struct db_shell *shell)
{
    return shell->unknown_count;
}

const char *db_shell_unknown(const struct db_shell *shell, int index, uint64_t *times)
{
    *times = shell->unknown[index].times;
    return shell->unknown[index].what;
}

void db_shell_report(struct db_shell *shell, struct sim_text *text)
{
    sim_text_add(
        text,
        "{\"calls\":%llu,\"refused\":%llu,\"rate_limited\":%llu,\"public_messages\":%llu,"
        "\"private_messages\":%llu,\"speed_bumps\":%llu,\"cancelled_on_disconnect\":%llu,\"money\":[",
        (unsigned long long)shell->calls, (unsigned long long)shell->refused,
        (unsigned long long)shell->limited, (unsigned long long)shell->public_sent,
        (unsigned long long)shell->private_sent, (unsigned long long)shell->bumps,
        (unsigned long long)shell->cod_cancels);
    for (int i = 0; i < sim_venue_account_count(shell->venue); i++) {
        sim_text_str(text, i > 0 ? ",{\"name\":" : "{\"name\":");
        sim_text_quote(text, sim_venue_account(shell->venue, i)->name);
        sim_text_str(text, ",\"currencies\":[");
        for (int k = 0; k < 4; k++) {
            const struct db_money money = db_text_funds(shell, i, k);
            const int64_t values[] = { money.equity, money.balance, money.upl, money.rpl, money.available };
            static const char *const names[] = { "equity", "balance", "session_upl", "session_rpl",
                                                 "available_funds" };
            sim_text_add(text, "%s{\"currency\":\"%s\"", k > 0 ? "," : "", db_currencies[k]);
            for (int n = 0; n < 5; n++) {
                char digits[80];
                sim_decimal_trim(digits, values[n], 8);
                sim_text_add(text, ",\"%s\":\"%s\"", names[n], digits);
            }
            sim_text_str(text, "}");
        }
        sim_text_str(text, "]}");
    }
    sim_text_str(text, "]}");
}
