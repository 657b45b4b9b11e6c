#include "tools/sim/deribit/db_state.h"

#include "tools/sim/model/sim_decimal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OPEN_MAX      2048
#define LABEL_MAX     64
#define BUMP_LOW_NS   INT64_C(1000000)
#define BUMP_HIGH_NS  INT64_C(10000000)
#define ROUTE_LOW_NS  INT64_C(2000000)
#define ROUTE_HIGH_NS INT64_C(20000000)

struct db_note *db_trade_note(struct db_shell *shell, const struct sim_order *order)
{
    size_t had = shell->note_capacity;

    shell->note = db_shell_grow(shell->note, &shell->note_capacity, order->index + 1, sizeof *shell->note);
    if (shell->note_capacity != had) {
        memset(shell->note + had, 0, (shell->note_capacity - had) * sizeof *shell->note);
    }
    struct db_note *note = &shell->note[order->index];

    if (!note->known) {
        *note = shell->placing;
        shell->placing = (struct db_note){ 0 };
        note->known = true;
        note->liquidation = strstr(order->client_id, "autoclose") != NULL;
        note->reason = note->liquidation ? "autoliquidation" : NULL;
    }
    return note;
}

struct sim_order *db_trade_find(struct db_shell *shell, int account, const char *id)
{
    const char *digits = strrchr(id, '-');
    char text[DB_ID_MAX];
    uint64_t number = strtoull(digits == NULL ? id : digits + 1, NULL, 10);

    for (int at = 0; at < DB_MARKET_COUNT; at++) {
        struct sim_order *order = sim_venue_find_id(shell->venue, account, at, number);
        db_text_id(text, shell, at, number);
        if (order != NULL && strcmp(text, id) == 0) {
            return order;
        }
    }
    return NULL;
}

bool db_trade_routed(const struct db_shell *shell, int at)
{
    return shell->options.choices.routed && shell->listing[at].kind == DB_SPOT;
}

void db_trade_band(struct db_shell *shell, int at, int64_t *low, int64_t *high)
{
    const struct sim_market *market = sim_venue_market(shell->venue, at);
    const struct sim_instrument *i = &market->instrument;
    int64_t unit = sim_decimal_power(8 - i->price_decimals), mark = market->mark_e8;

    if (shell->listing[at].kind != DB_FUTURE || mark == 0) {
        *low = i->min_price;
        *high = i->max_price;
        return;
    }
    /* 1.5 % around the mark, on the tick, inward */
    *high = (int64_t)((__int128)mark * 1015 / 1000) / unit / i->tick * i->tick;
    *low = ((int64_t)((__int128)mark * 985 / 1000) / unit + i->tick - 1) / i->tick * i->tick;
}

/* --- what an order asks for ---------------------------------------------------------------------------- */

struct wish {
    int at;
    enum sim_side side;
    enum db_type type;
    enum sim_tif tif;
    bool day;
    int64_t amount;
    int64_t price;
    bool post_only, reject_post_only, reduce_only;
    const char *label;
};

/* read_amount reads amount, contracts, or both when they agree. */
static int read_amount(struct db_shell *shell, struct db_call *call, int at, int64_t *amount)
{
    const struct sim_instrument *i = &sim_venue_market(shell->venue, at)->instrument;
    int64_t contracts = 0;
    bool has_amount, has_contracts;
    int code = db_gate_number(call, "amount", i->qty_decimals, amount, &has_amount);

    if (code == 0) {
        code = db_gate_number(call, "contracts", 0, &contracts, &has_contracts);
        code = code == 10021 ? 10027 : code;
    }
    if (code != 0) {
        return code;
    }
    if (!has_amount && !has_contracts) {
        return db_gate_invalid(call, "amount", "missing required parameter");
    }
    if (has_amount && has_contracts && *amount != contracts * shell->listing[at].contract) {
        return db_gate_invalid(call, "contracts", "amount and contracts do not agree");
    }
    *amount = has_amount ? *amount : contracts * shell->listing[at].contract;
    return *amount <= 0 ? 10021 : 0;
}

static int read_tif(struct db_call *call, struct wish *wish)
{
    const char *tif = db_gate_text(call, "time_in_force");

    if (tif == NULL || strcmp(tif, "good_til_cancelled") == 0) {
        wish->tif = SIM_GTC;
    } else if (strcmp(tif, "good_til_day") == 0) {
        wish->day = true;
    } else if (strcmp(tif, "immediate_or_cancel") == 0) {
        wish->tif = SIM_IOC;
    } else if (strcmp(tif, "fill_or_kill") == 0) {
        wish->tif = SIM_FOK;
    } else {
        return db_gate_invalid(call, "time_in_force", "unknown value");
    }
    return 0;
}

/* late is true of a call whose valid_until has passed. */
static int check_valid(struct db_shell *shell, struct db_call *call)
{
    int64_t until;
    int code = db_gate_integer(call, "valid_until", 0, &until);

    return code != 0 ? code : until != 0 && db_shell_server_ns(shell) / 1000000 > until ? 13888 : 0;
}

static int read_wish(struct db_shell *shell, struct db_call *call, struct wish *wish)
{
    static const char *const missing[] = { "trigger",        "trigger_price", "trigger_offset",
                                           "display_amount", "advanced",      "linked_order_type",
                                           "otoco_config",   "max_show" };
    const char *type = db_gate_text(call, "type");
    int code = db_call_instrument(shell, call, &wish->at);
    bool there = false;

    if (code != 0) {
        return code;
    }
    const struct sim_instrument *i = &sim_venue_market(shell->venue, wish->at)->instrument;
    for (size_t k = 0; k < sizeof missing / sizeof missing[0]; k++) {
        if (json_object_get(call->params, missing[k]) != NULL) {
            return db_gate_fail(call, 10034, "{\"reason\":\"%s is not modelled\"}", missing[k]);
        }
    }
    if (shell->listing[wish->at].kind == DB_OPTION) {
        return db_gate_fail(call, 10034, "{\"reason\":\"options are market data only here\"}");
    }
    if (type == NULL || strcmp(type, "limit") == 0) {
        wish->type = DB_LIMIT;
    } else if (strcmp(type, "market") == 0) {
        wish->type = DB_MARKET;
    } else if (strcmp(type, "market_limit") == 0) {
        wish->type = DB_MARKET_LIMIT;
    } else {
        return db_gate_fail(call, 10034, "{\"reason\":\"order type is not modelled\"}");
    }
    if ((code = read_amount(shell, call, wish->at, &wish->amount)) != 0 ||
        (code = read_tif(call, wish)) != 0 ||
        (code = db_gate_number(call, "price", i->price_decimals, &wish->price, &there)) != 0) {
        return code;
    }
    wish->label = db_gate_text(call, "label");
    wish->label = wish->label == NULL ? "" : wish->label;
    if (strlen(wish->label) > LABEL_MAX) {
        return db_gate_invalid(call, "label", "longer than 64 characters");
    }
    if (wish->type == DB_LIMIT && !there) {
        return db_gate_invalid(call, "price", "missing required parameter");
    }
    bool rests = wish->type == DB_LIMIT && wish->tif == SIM_GTC;
    wish->post_only = rests && db_gate_flag(call, "post_only", true);
    wish->reject_post_only = wish->post_only && db_gate_flag(call, "reject_post_only", false);
    wish->reduce_only = db_gate_flag(call, "reduce_only", false);
    return check_valid(shell, call);
}

static int refusal(struct db_call *call, enum sim_reject reject)
{
    switch (reject) {
    case SIM_ACCEPTED:
        return 0;
    case SIM_REJECT_QTY_MIN:
        return 10002;
    case SIM_REJECT_QTY_ZERO:
    case SIM_REJECT_QTY_STEP:
    case SIM_REJECT_QTY_MAX:
    case SIM_REJECT_AMEND_QTY:
        return db_gate_fail(call, 10021, "{\"param\":\"amount\"}");
    case SIM_REJECT_PRICE_ZERO:
    case SIM_REJECT_PRICE_LOW:
    case SIM_REJECT_PRICE_BIG:
        return 10023;
    case SIM_REJECT_PRICE_TICK:
        return db_gate_fail(call, 10043, "{\"param\":\"price\"}");
    case SIM_REJECT_BALANCE:
    case SIM_REJECT_MARGIN:
        return 10009;
    case SIM_REJECT_REDUCE_ONLY:
        return db_gate_fail(call, 11030, "{\"reason\":\"invalid_reduce_only_order\"}");
    case SIM_REJECT_POST_ONLY:
        return 11054;
    case SIM_REJECT_MAX_ORDERS:
        return db_gate_fail(call, 11030, "{\"reason\":\"max_open_orders\"}");
    case SIM_REJECT_HALTED:
        return 10012;
    case SIM_REJECT_NO_ORDER:
        return 11044;
    default:
        return 11030;
    }
}

/* --- crossing ------------------------------------------------------------------------------------------ */

static bool crosses(struct db_shell *shell, int at, enum sim_side side, int64_t price, struct sim_level *best)
{
    return sim_venue_depth(shell->venue, at, !side, best, 1) == 1 &&
           !sim_book_better(side, best->price, price);
}

/* meets_own is true when the account's own resting orders are among what an order could take. */
static bool meets_own(struct db_shell *shell, int account, int at, enum sim_side side, int64_t price)
{
    struct sim_order *open[OPEN_MAX];
    size_t count = sim_venue_open(shell->venue, account, at, open, OPEN_MAX);

    for (size_t i = 0; i < count; i++) {
        if (open[i]->side != side && !sim_book_better(side, open[i]->price, price)) {
            return true;
        }
    }
    return false;
}

/* cross_check does what every order that may take goes through: band, post-only, self-trading and the speed
 * bump.  *price may slide. */
static int cross_check(struct db_shell *shell, struct db_call *call, int account, struct wish *wish)
{
    const struct sim_instrument *i = &sim_venue_market(shell->venue, wish->at)->instrument;
    struct sim_level best;
    int64_t low, high;
    char digits[80];

    db_trade_band(shell, wish->at, &low, &high);
    if (wish->type == DB_MARKET) {
        wish->price = wish->side == SIM_BUY ? high : low;
    } else if (wish->type == DB_MARKET_LIMIT) {
        if (sim_venue_depth(shell->venue, wish->at, !wish->side, &best, 1) == 0) {
            return db_gate_fail(call, 11030, "{\"reason\":\"no_price\"}");
        }
        wish->price = best.price;
    } else if (wish->side == SIM_BUY ? wish->price > high : wish->price < low) {
        sim_decimal_trim(digits, wish->side == SIM_BUY ? high : low, i->price_decimals);
        return db_gate_fail(call, wish->side == SIM_BUY ? 10007 : 10005, "{\"limit\":%s}", digits);
    }
    if (wish->price <= 0) {
        return 10023;
    }
    if (wish->price % i->tick != 0) {
        return db_gate_fail(call, 10043, "{\"param\":\"price\"}");
    }
    bool takes = crosses(shell, wish->at, wish->side, wish->price, &best);
    if (takes && wish->post_only) {
        if (wish->reject_post_only) {
            return 11054;
        }
        if (db_trade_routed(shell, wish->at)) {
            return 11021; /* never re-priced there */
        }
        wish->price = wish->side == SIM_BUY ? best.price - i->tick : best.price + i->tick;
        takes = false;
    }
    if (takes && !shell->listing[wish->at].exempt && !db_trade_routed(shell, wish->at) && !call->bumped &&
        shell->bump_count < 256) {
        call->wait_ns = sim_random_range(&shell->random, BUMP_LOW_NS, BUMP_HIGH_NS);
        return DB_LATER;
    }
    if (takes && !shell->self_maker[account] &&
        meets_own(shell, account, wish->at, wish->side, wish->price)) {
        return 10003;
    }
    return 0;
}

/* --- placing ------------------------------------------------------------------------------------------- */

/* answer_order writes {"order":..,"trades":[..]}, the trades being the order's fills from `first` on. */
static void answer_order(struct db_shell *shell, const struct sim_order *order, size_t first,
                         struct sim_text *out)
{
    bool any = false;

    sim_text_str(out, "{\"order\":");
    db_text_order(out, shell, order);
    sim_text_str(out, ",\"trades\":[");
    for (size_t i = first; i < sim_venue_fill_count(shell->venue); i++) {
        const struct sim_fill *fill = sim_venue_fill(shell->venue, i);
        if (fill->order_id == order->id && fill->instrument == order->instrument) {
            sim_text_str(out, any ? "," : "");
            db_text_fill(out, shell, i, order->state);
            any = true;
        }
    }
    sim_text_str(out, "]}");
}

/* answer_accepted answers a routed order before anything is known of it; what became of it is told later. */
static void answer_accepted(struct db_shell *shell, const struct sim_order *order, struct sim_text *out)
{
    struct sim_order early = *order;
    int64_t route_ns = sim_random_range(&shell->random, ROUTE_LOW_NS, ROUTE_HIGH_NS);
    int64_t *last_ns = &shell->private_last_ns[order->account];

    early.state = SIM_ORDER_NEW;
    early.filled = 0;
    early.filled_sum = (struct sim_position){ 0 };
    answer_order(shell, &early, sim_venue_fill_count(shell->venue), out);
    *last_ns = (*last_ns > shell->now_ns ? *last_ns : shell->now_ns) + route_ns;
}

static int place(struct db_shell *shell, struct db_call *call, struct wish *wish, struct sim_text *out)
{
    int account = db_call_account(shell, call);
    struct db_session *session = call->socket ? sim_net_session(shell->net, call->conn) : NULL;
    struct sim_place order = { .account = account, .instrument = wish->at, .client_id = wish->label };
    struct sim_order *placed = NULL;
    size_t first = sim_venue_fill_count(shell->venue);

    if (call->removed) {
        return db_gate_fail(call, 11030, "{\"reason\":\"cancelled_in_queue\"}");
    }
    int code = cross_check(shell, call, account, wish);
    if (code != 0) {
        sim_venue_account(shell->venue, account)->rejects += code != DB_LATER;
        return code;
    }
    order.side = wish->side;
    order.tif = wish->type == DB_MARKET ? SIM_IOC : wish->tif;
    order.stp = shell->self_maker[account] ? SIM_STP_EXPIRE_MAKER : SIM_STP_EXPIRE_TAKER;
    order.post_only = wish->post_only;
    order.reduce_only = wish->reduce_only;
    order.price = wish->price;
    order.qty = wish->amount;
    shell->placing = (struct db_note){ .conn = session == NULL ? 0 : call->conn,
                                       .type = wish->type,
                                       .day = wish->day,
                                       .reject_post_only = wish->reject_post_only };
    enum sim_reject reject = sim_venue_place(shell->venue, &order, shell->now_ns, &placed);
    if (reject != SIM_ACCEPTED) {
        shell->placing = (struct db_note){ 0 };
        return refusal(call, reject);
    }
    if (session != NULL) {
        session->trades = true;
    }
    if (db_trade_routed(shell, wish->at)) {
        answer_accepted(shell, placed, out);
    } else {
        answer_order(shell, placed, first, out);
    }
    return 0;
}

static int run_buy(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    struct wish wish = { .side = SIM_BUY };
    int code = read_wish(shell, call, &wish);

    return code != 0 ? code : place(shell, call, &wish, out);
}

static int run_sell(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    struct wish wish = { .side = SIM_SELL };
    int code = read_wish(shell, call, &wish);

    return code != 0 ? code : place(shell, call, &wish, out);
}

static int run_close_position(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    const char *type = db_gate_text(call, "type");
    struct wish wish = { .reduce_only = true, .label = "" };
    int code = db_call_instrument(shell, call, &wish.at);
    bool there = false;

    if (code != 0) {
        return code;
    }
    const struct sim_market *market = sim_venue_market(shell->venue, wish.at);
    int64_t held =
        sim_venue_account(shell->venue, db_call_account(shell, call))->holding[wish.at].position.qty;

    code = db_gate_number(call, "price", market->instrument.price_decimals, &wish.price, &there);
    wish.type = type != NULL && strcmp(type, "market") == 0 ? DB_MARKET : DB_LIMIT;
    if (code == 0 && (type == NULL || (wish.type == DB_LIMIT && !there))) {
        code = db_gate_invalid(call, type == NULL ? "type" : "price", "missing required parameter");
    }
    if (code == 0 && held == 0) {
        code = db_gate_fail(call, 11030, "{\"reason\":\"no_open_position\"}");
    }
    wish.side = held > 0 ? SIM_SELL : SIM_BUY;
    wish.amount = held > 0 ? held : -held;
    return code != 0 ? code : place(shell, call, &wish, out);
}

/* --- finding ------------------------------------------------------------------------------------------- */

/* find_order reads order_id: 0 or an error code. */
static int find_order(struct db_shell *shell, struct db_call *call, struct sim_order **order)
{
    const char *id = db_gate_text(call, "order_id");
    int account = db_call_account(shell, call);

    if (id == NULL) {
        return db_gate_invalid(call, "order_id", "missing required parameter");
    }
    *order = db_trade_find(shell, account, id);
    if (*order != NULL) {
        return 0;
    }
    for (int other = 0; other < sim_venue_account_count(shell->venue); other++) {
        if (other != account && db_trade_find(shell, other, id) != NULL) {
            return 10029;
        }
    }
    return 10004;
}

/* find_label reads label and instrument_name: the one live order of that label. */
static int find_label(struct db_shell *shell, struct db_call *call, struct sim_order **order)
{
    const char *label = db_gate_text(call, "label");
    struct sim_order *open[OPEN_MAX];
    int at, code = db_call_instrument(shell, call, &at);

    if (code != 0) {
        return code;
    }
    if (label == NULL) {
        return db_gate_invalid(call, "label", "missing required parameter");
    }
    size_t count = sim_venue_open(shell->venue, db_call_account(shell, call), at, open, OPEN_MAX);
    for (size_t i = 0; i < count; i++) {
        if (strcmp(open[i]->client_id, label) == 0) {
            if (*order != NULL) {
                return 13032;
            }
            *order = open[i];
        }
    }
    return *order == NULL ? 10004 : 0;
}

/* --- amending ------------------------------------------------------------------------------------------ */

static int edit(struct db_shell *shell, struct db_call *call, struct sim_order *order, struct sim_text *out)
{
    const struct sim_instrument *i = &sim_venue_market(shell->venue, order->instrument)->instrument;
    struct wish wish = { .at = order->instrument, .side = order->side, .price = order->price };
    size_t first = sim_venue_fill_count(shell->venue);
    bool there;
    int code;

    if (!sim_venue_live(order)) {
        return shell->options.choices.gone;
    }
    if ((code = read_amount(shell, call, wish.at, &wish.amount)) != 0 ||
        (code = db_gate_number(call, "price", i->price_decimals, &wish.price, &there)) != 0 ||
        (code = check_valid(shell, call)) != 0) {
        return code;
    }
    if (wish.amount <= order->filled) {
        return db_gate_fail(call, 10021, "{\"reason\":\"less than is filled\"}");
    }
    wish.post_only = db_gate_flag(call, "post_only", true);
    wish.reject_post_only = wish.post_only && db_gate_flag(call, "reject_post_only", false);
    wish.reduce_only = db_gate_flag(call, "reduce_only", order->reduce_only);

    struct db_note *note = db_trade_note(shell, order);
    code = cross_check(shell, call, order->account, &wish);
    if (code == 11054) {
        /* The trap: an edit that would cross takes the resting order away. */
        note->reason = "edit_post_only_reject";
        sim_venue_cancel(shell->venue, order, shell->now_ns);
    }
    if (code != 0) {
        return code;
    }
    bool post_only = order->post_only, reduce_only = order->reduce_only;
    enum sim_reject reject = SIM_ACCEPTED;

    order->post_only = wish.post_only;
    order->reduce_only = wish.reduce_only;
    if (wish.price == order->price && wish.amount < order->qty) {
        reject = sim_venue_reduce(shell->venue, order, wish.amount, NULL, shell->now_ns);
    } else if (wish.price != order->price || wish.amount != order->qty) {
        reject = sim_venue_modify(shell->venue, order, wish.price, wish.amount, shell->now_ns);
    }
    if (reject != SIM_ACCEPTED) {
        order->post_only = post_only;
        order->reduce_only = reduce_only;
        return refusal(call, reject);
    }
    note = db_trade_note(shell, order);
    note->replaced = true;
    note->reject_post_only = wish.reject_post_only;
    answer_order(shell, order, first, out);
    return 0;
}

static int run_edit(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    struct sim_order *order = NULL;
    int code = find_order(shell, call, &order);

    return code != 0 ? code : edit(shell, call, order, out);
}

static int run_edit_by_label(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    struct sim_order *order = NULL;
    int code = find_label(shell, call, &order);

    return code != 0 ? code : edit(shell, call, order, out);
}

/* --- cancelling ---------------------------------------------------------------------------------------- */

static int run_cancel(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    struct sim_order *order = NULL;
    int code = find_order(shell, call, &order);

    if (code != 0) {
        return code;
    }
    if (!sim_venue_live(order)) {
        return shell->options.choices.gone;
    }
    db_trade_note(shell, order)->reason = "user_request";
    sim_venue_cancel(shell->venue, order, shell->now_ns);
    db_text_order(out, shell, order);
    return 0;
}

struct sweep {            /* what a mass cancel covers */
    int instrument;       /* -1: any */
    const char *currency; /* NULL: any */
    const char *pair;     /* NULL: any */
    int kind;             /* -1: any */
    const char *label;    /* NULL: any */
};

static bool covers(const struct db_shell *shell, const struct sweep *sweep, int at, const char *label)
{
    return (sweep->instrument < 0 || sweep->instrument == at) &&
           db_call_fits(shell, at, sweep->currency, sweep->kind) &&
           (sweep->pair == NULL || strcasecmp(sweep->pair, shell->listing[at].index) == 0) &&
           (sweep->label == NULL || strcmp(sweep->label, label) == 0);
}

static int sweep_orders(struct db_shell *shell, struct db_call *call, const struct sweep *sweep,
                        struct sim_text *out)
{
    int account = db_call_account(shell, call), count = 0, groups = 0;
    const char *type = db_gate_text(call, "type");
    bool detailed = db_gate_flag(call, "detailed", false);
    bool all = type == NULL || strcmp(type, "all") == 0 || strcmp(type, "limit") == 0;
    struct sim_text list = { 0 };

    for (int at = 0; at < DB_MARKET_COUNT && all; at++) {
        struct sim_order *open[OPEN_MAX];
        size_t found = sim_venue_open(shell->venue, account, at, open, OPEN_MAX);
        int here = 0;

        for (size_t i = 0; i < found; i++) {
            if (!covers(shell, sweep, at, open[i]->client_id)) {
                continue;
            }
            db_trade_note(shell, open[i])->reason = "user_request";
            sim_venue_cancel(shell->venue, open[i], shell->now_ns);
            if (here == 0) {
                sim_text_add(
                    &list,
                    "%s{\"currency\":\"%s\",\"type\":\"limit\",\"instrument_name\":\"%s\",\"result\":[",
                    groups++ > 0 ? "," : "", shell->listing[at].currency,
                    sim_venue_market(shell->venue, at)->instrument.symbol);
            }
            sim_text_str(&list, here++ > 0 ? "," : "");
            db_text_order(&list, shell, open[i]);
        }
        sim_text_str(&list, here > 0 ? "]}" : "");
        count += here;
    }
    /* A cancel is never delayed, and wins against what still waits at the speed bump. */
    for (int i = 0; i < shell->bump_count && all; i++) {
        struct db_call *waits = shell->bump[i];
        const char *name = db_gate_text(waits, "instrument_name"), *label = db_gate_text(waits, "label");
        int at = name == NULL ? -1 : db_call_named(shell, name);

        if (at >= 0 && !waits->removed && db_call_account(shell, waits) == account &&
            covers(shell, sweep, at, label == NULL ? "" : label)) {
            waits->removed = true;
            count++;
        }
    }
    if (detailed) {
        sim_text_add(out, "[%s]", list.data == NULL ? "" : list.data);
    } else {
        sim_text_add(out, "%d", count);
    }
    sim_text_free(&list);
    return 0;
}

static int run_cancel_all(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    const struct sweep sweep = { .instrument = -1, .kind = -1 };

    return sweep_orders(shell, call, &sweep, out);
}

static int run_cancel_currency(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    struct sweep sweep = { .instrument = -1, .kind = -1 };
    int code = db_call_filter(shell, call, true, &sweep.currency, &sweep.kind);

    return code != 0 ? code : sweep_orders(shell, call, &sweep, out);
}

static int run_cancel_pair(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    struct sweep sweep = { .instrument = -1, .kind = db_call_kind(db_gate_text(call, "kind")) };

    sweep.pair = db_gate_text(call, "currency_pair");
    return sweep.pair == NULL ? db_gate_invalid(call, "currency_pair", "missing required parameter")
                              : sweep_orders(shell, call, &sweep, out);
}

static int run_cancel_instrument(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    struct sweep sweep = { .instrument = -1, .kind = -1 };
    int code = db_call_instrument(shell, call, &sweep.instrument);

    return code != 0 ? code : sweep_orders(shell, call, &sweep, out);
}

static int run_cancel_kind(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    struct sweep sweep = { .instrument = -1, .kind = -1 };
    int code = db_call_filter(shell, call, false, &sweep.currency, &sweep.kind);

    return code != 0 ? code : sweep_orders(shell, call, &sweep, out);
}

static int run_cancel_label(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    struct sweep sweep = { .instrument = -1, .kind = -1 };
    int code = db_call_filter(shell, call, false, &sweep.currency, &sweep.kind);

    sweep.label = db_gate_text(call, "label");
    if (code == 0 && sweep.label == NULL) {
        code = db_gate_invalid(call, "label", "missing required parameter");
    }
    return code != 0 ? code : sweep_orders(shell, call, &sweep, out);
}

/* cancel_some cancels what fits, for a reason that no request gave. */
static void cancel_some(struct db_shell *shell, uint64_t conn, bool day, const char *reason, int64_t now_ns)
{
    struct sim_order *open[OPEN_MAX];

    for (int account = 0; account < sim_venue_account_count(shell->venue); account++) {
        for (int at = 0; at < DB_MARKET_COUNT; at++) {
            size_t count = sim_venue_open(shell->venue, account, at, open, OPEN_MAX);
            for (size_t i = 0; i < count; i++) {
                struct db_note *note = db_trade_note(shell, open[i]);
                if (day ? note->day : note->conn == conn) {
                    note->reason = reason;
                    sim_venue_cancel(shell->venue, open[i], now_ns);
                    shell->cod_cancels += !day;
                }
            }
        }
    }
}

void db_trade_disconnect(struct db_shell *shell, uint64_t conn, int64_t now_ns)
{
    for (int i = 0; i < shell->bump_count; i++) {
        if (shell->bump[i]->conn == conn) {
            shell->bump[i]->removed = true;
        }
    }
    cancel_some(shell, conn, false, "cancel_on_disconnect", now_ns);
}

void db_trade_end_of_day(struct db_shell *shell, int64_t now_ns)
{
    cancel_some(shell, 0, true, "settlement", now_ns);
}

/* --- switches ------------------------------------------------------------------------------------------ */

static int cod_scope(struct db_call *call, bool *whole_account)
{
    const char *scope = db_gate_text(call, "scope");

    *whole_account = scope != NULL && strcmp(scope, "account") == 0;
    return scope == NULL || *whole_account || strcmp(scope, "connection") == 0
               ? 0
               : db_gate_invalid(call, "scope", "unknown value");
}

static int set_cod(struct db_shell *shell, struct db_call *call, bool on, struct sim_text *out)
{
    struct db_session *session = call->socket ? sim_net_session(shell->net, call->conn) : NULL;
    bool whole_account;
    int code = cod_scope(call, &whole_account);

    if (code == 0 && !whole_account && session == NULL) {
        code = 10030;
    }
    if (code != 0) {
        return code;
    }
    if (whole_account) {
        shell->cod_default[db_call_account(shell, call)] = on;
    } else {
        session->armed = on;
        session->trades = true;
    }
    sim_text_str(out, "\"ok\"");
    return 0;
}

static int run_cod_on(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    return set_cod(shell, call, true, out);
}

static int run_cod_off(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    return set_cod(shell, call, false, out);
}

static int run_cod_get(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    const struct db_session *session = call->socket ? sim_net_session(shell->net, call->conn) : NULL;
    bool whole_account;
    int code = cod_scope(call, &whole_account);

    if (code != 0) {
        return code;
    }
    whole_account = whole_account || session == NULL;
    bool on = whole_account ? shell->cod_default[db_call_account(shell, call)] : session->armed;
    sim_text_add(out, "{\"scope\":\"%s\",\"enabled\":%s}", whole_account ? "account" : "connection",
                 on ? "true" : "false");
    return 0;
}

static int run_self_trading(struct db_shell *shell, struct db_call *call, struct sim_text *out)
{
    const char *mode = db_gate_text(call, "mode");
    int account = db_call_account(shell, call);

    if (mode == NULL || (strcmp(mode, "reject_taker") != 0 && strcmp(mode, "cancel_maker") != 0)) {
        return db_gate_invalid(call, "mode", "unknown value");
    }
    shell->self_maker[account] = mode[0] == 'c';
    shell->self_sub[account] = db_gate_flag(call, "extended_to_subaccounts", false);
    sim_text_str(out, "\"ok\"");
    return 0;
}

/* clang-format off */
const struct db_method db_trade_methods[] = {
    { "private/buy",                          false, DB_WRITE, DB_NONE,  DB_NONE, DB_COST_TRADING,    "order-place",     run_buy },
    { "private/sell",                         false, DB_WRITE, DB_NONE,  DB_NONE, DB_COST_TRADING,    "order-place",     run_sell },
    { "private/edit",                         false, DB_WRITE, DB_NONE,  DB_NONE, DB_COST_TRADING,    "order-edit",      run_edit },
    { "private/edit_by_label",                false, DB_WRITE, DB_NONE,  DB_NONE, DB_COST_TRADING,    "order-edit",      run_edit_by_label },
    { "private/close_position",               false, DB_WRITE, DB_NONE,  DB_NONE, DB_COST_TRADING,    "order-place",     run_close_position },
    { "private/cancel",                       false, DB_WRITE, DB_NONE,  DB_NONE, DB_COST_TRADING,    "order-cancel",    run_cancel },
    { "private/cancel_by_label",              false, DB_WRITE, DB_NONE,  DB_NONE, DB_COST_TRADING,    "order-cancel",    run_cancel_label },
    { "private/cancel_all",                   false, DB_WRITE, DB_NONE,  DB_NONE, DB_COST_CANCEL_ALL, "order-cancelall", run_cancel_all },
    { "private/cancel_all_by_currency",       false, DB_WRITE, DB_NONE,  DB_NONE, DB_COST_CANCEL_ALL, "order-cancelall", run_cancel_currency },
    { "private/cancel_all_by_currency_pair",  false, DB_WRITE, DB_NONE,  DB_NONE, DB_COST_CANCEL_ALL, "order-cancelall", run_cancel_pair },
    { "private/cancel_all_by_instrument",     false, DB_WRITE, DB_NONE,  DB_NONE, DB_COST_CANCEL_ALL, "order-cancelall", run_cancel_instrument },
    { "private/cancel_all_by_kind_or_type",   false, DB_WRITE, DB_NONE,  DB_NONE, DB_COST_CANCEL_ALL, "order-cancelall", run_cancel_kind },
    { "private/enable_cancel_on_disconnect",  false, DB_NONE,  DB_READ,  DB_NONE, DB_COST_PLAIN,      "session",         run_cod_on },
    { "private/disable_cancel_on_disconnect", false, DB_NONE,  DB_READ,  DB_NONE, DB_COST_PLAIN,      "session",         run_cod_off },
    { "private/get_cancel_on_disconnect",     false, DB_NONE,  DB_READ,  DB_NONE, DB_COST_PLAIN,      "session",         run_cod_get },
    { "private/set_self_trading_config",      false, DB_NONE,  DB_WRITE, DB_NONE, DB_COST_PLAIN,      "session",         run_self_trading },
    { NULL, false, DB_NONE, DB_NONE, DB_NONE, DB_COST_PLAIN, NULL, NULL },
};
/* clang-format on */
