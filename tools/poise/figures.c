#include "tools/poise/figures.h"
#include "ring/order_id.h"

#include <stdio.h>
#include <stdlib.h>

/* Orders and executions remembered, to tell quotes from hedges and to count an execution once although
 * the venue tells it twice.  Powers of two; the oldest fall out. */
enum { REMEMBERED = 1 << 16 };

struct remembered_order {
    uint64_t order;
    int64_t qty;
    uint16_t instance;
    uint8_t role;
};

struct market_figures {
    counter *feed, *bid, *bid_qty, *ask, *ask_qty, *mark;
};

struct instance_figures {
    counter *state, *pull, *fills, *buys, *sells, *partials, *hedges, *hedge_fills, *requotes, *quote_qty,
        *hedge_qty;
    counter *delta_e8, *naked_ns, *max_naked_ns, *bid, *bid_qty, *ask, *ask_qty, *fair_centibp;
    counter *pnl_e8[PNL_PART_COUNT];
};

struct figures {
    struct market_figures market[INSTRUMENT_MAX];
    struct instance_figures instance[PARAMS_INSTANCE_MAX];
    counter *account_state[ACCOUNT_MAX], *account_rejects[ACCOUNT_MAX];
    counter *events, *alarms, *duplicates, *unknowns, *lost, *halted, *stopped;
    uint32_t market_count, account_count, instance_count;
    uint64_t ready_ns[ACCOUNT_MAX]; /* the stamp with which a session came up; 0 it is not */
    bool time_refused[ACCOUNT_MAX];
    bool unread[ACCOUNT_MAX];         /* it was down since the strategy was told last that all was read */
    bool hedged[PARAMS_INSTANCE_MAX]; /* by row: it has said so, and nothing else since */
    uint16_t row_of[ORDER_INSTANCE_MAX + 1]; /* by instance number: row + 1, 0 not configured */
    bool is_stopped, is_halted, low, doubt, rules;
    struct remembered_order order[REMEMBERED];
    uint64_t exec[REMEMBERED];
};

static const char *const part_names[PNL_PART_COUNT] = { "trading",  "basis",    "funding", "fee",
                                                        "slippage", "residual", "rounding" };

static counter *add(struct counters *counters, const char *kind, const char *which, const char *what,
                    enum counter_kind type)
{
    char name[2 * COUNTER_NAME_BYTES];
    snprintf(name, sizeof name, "%s.%s%s%s", kind, which, which[0] == 0 ? "" : ".", what);
    name[COUNTER_NAME_BYTES - 1] = 0;
    return counters_add(counters, 0, name, type);
}

static void add_market(struct counters *counters, struct market_figures *m, const struct instrument *row)
{
    m->feed = add(counters, "m", row->name, "feed", COUNTER_GAUGE);
    m->bid = add(counters, "m", row->name, "bid", COUNTER_GAUGE);
    m->bid_qty = add(counters, "m", row->name, "bid_qty", COUNTER_GAUGE);
    m->ask = add(counters, "m", row->name, "ask", COUNTER_GAUGE);
    m->ask_qty = add(counters, "m", row->name, "ask_qty", COUNTER_GAUGE);
    m->mark = add(counters, "m", row->name, "mark", COUNTER_GAUGE);
    counter_set(add(counters, "m", row->name, "price_decimals", COUNTER_GAUGE), row->price_decimals);
    counter_set(add(counters, "m", row->name, "qty_decimals", COUNTER_GAUGE), row->qty_decimals);
}

static void add_instance(struct counters *counters, struct instance_figures *f,
                         const struct quote_params *params, const struct instrument_table *instruments)
{
    const char *name = params->name;
    f->state = add(counters, "i", name, "state", COUNTER_GAUGE);
    f->pull = add(counters, "i", name, "pull", COUNTER_GAUGE);
    f->fills = add(counters, "i", name, "fills", COUNTER_SUM);
    f->buys = add(counters, "i", name, "buys", COUNTER_SUM);
    f->sells = add(counters, "i", name, "sells", COUNTER_SUM);
    f->partials = add(counters, "i", name, "partials", COUNTER_SUM);
    f->hedges = add(counters, "i", name, "hedges", COUNTER_SUM);
    f->hedge_fills = add(counters, "i", name, "hedge_fills", COUNTER_SUM);
    f->requotes = add(counters, "i", name, "requotes", COUNTER_SUM);
    f->quote_qty = add(counters, "i", name, "quote_qty", COUNTER_GAUGE);
    f->hedge_qty = add(counters, "i", name, "hedge_qty", COUNTER_GAUGE);
    f->delta_e8 = add(counters, "i", name, "delta_e8", COUNTER_GAUGE);
    f->naked_ns = add(counters, "i", name, "naked_ns", COUNTER_GAUGE);
    f->max_naked_ns = add(counters, "i", name, "max_naked_ns", COUNTER_GAUGE);
    f->bid = add(counters, "i", name, "bid", COUNTER_GAUGE);
    f->bid_qty = add(counters, "i", name, "bid_qty", COUNTER_GAUGE);
    f->ask = add(counters, "i", name, "ask", COUNTER_GAUGE);
    f->ask_qty = add(counters, "i", name, "ask_qty", COUNTER_GAUGE);
    f->fair_centibp = add(counters, "i", name, "fair_centibp", COUNTER_GAUGE);
    for (uint32_t part = 0; part < PNL_PART_COUNT; part++) {
        char what[32];
        snprintf(what, sizeof what, "pnl_%s_e8", part_names[part]);
        f->pnl_e8[part] = add(counters, "i", name, what, COUNTER_GAUGE);
    }
    const struct instrument *quote = &instruments->row[params->quote_instrument];
    const struct instrument *hedge = &instruments->row[params->hedge_instrument];
    counter_set(add(counters, "i", name, "price_decimals", COUNTER_GAUGE), quote->price_decimals);
    counter_set(add(counters, "i", name, "quote_decimals", COUNTER_GAUGE), quote->qty_decimals);
    counter_set(add(counters, "i", name, "hedge_decimals", COUNTER_GAUGE), hedge->qty_decimals);
}

struct figures *figures_create(struct counters *counters, const struct config *config,
                               const struct instrument_table *instruments,
                               const struct account_table *accounts)
{
    struct figures *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return NULL;
    }
    f->market_count = instruments->count;
    f->instance_count = config->quote_count;
    for (uint32_t i = 0; i < instruments->count; i++) {
        add_market(counters, &f->market[i], &instruments->row[i]);
    }
    for (uint32_t i = 0; i < config->quote_count; i++) {
        f->row_of[config->quote[i].params.instance] = (uint16_t)(i + 1);
        add_instance(counters, &f->instance[i], &config->quote[i].params, instruments);
    }
    f->account_count = accounts->count;
    for (uint32_t i = 0; i < accounts->count; i++) {
        f->account_state[i] = add(counters, "a", accounts->row[i].name, "state", COUNTER_GAUGE);
        f->account_rejects[i] = add(counters, "a", accounts->row[i].name, "rejects", COUNTER_SUM);
    }
    f->events = add(counters, "engine", "", "events", COUNTER_SUM);
    f->alarms = add(counters, "engine", "", "alarms", COUNTER_SUM);
    f->duplicates = add(counters, "engine", "", "duplicate_fills", COUNTER_SUM);
    f->unknowns = add(counters, "engine", "", "unknowns", COUNTER_SUM);
    f->lost = add(counters, "engine", "", "feed_records_lost", COUNTER_SUM);
    f->halted = add(counters, "engine", "", "halted", COUNTER_GAUGE);
    f->stopped = add(counters, "engine", "", "stopped_trading", COUNTER_GAUGE);
    return f;
}

void figures_destroy(struct figures *figures)
{
    free(figures);
}

/* The row of an instance by its number; NULL for one that this configuration does not name. */
static struct instance_figures *instance_row(struct figures *f, uint16_t instance)
{
    uint16_t row = instance <= ORDER_INSTANCE_MAX ? f->row_of[instance] : 0;
    return row == 0 ? NULL : &f->instance[row - 1];
}

static uint32_t mix(uint64_t key)
{
    return (uint32_t)((key * 0x9e3779b97f4a7c15ULL) >> 48) & (REMEMBERED - 1);
}

static void count_top(struct market_figures *m, const struct slot *record)
{
    const struct record_top *top = (const struct record_top *)record;
    counter_set(m->bid, top->bid_price);
    counter_set(m->bid_qty, top->bid_qty);
    counter_set(m->ask, top->ask_price);
    counter_set(m->ask_qty, top->ask_qty);
}

static void count_order(struct figures *f, const struct slot *record)
{
    const struct record_order *order = (const struct record_order *)record;
    struct remembered_order *row = &f->order[mix(order->order)];
    *row = (struct remembered_order){ order->order, order->qty, order->instance, order->role };
    struct instance_figures *i = instance_row(f, order->instance);
    if (order->role == ORDER_ROLE_HEDGE && i != NULL) {
        counter_add(i->hedges, 1);
    }
}

/* An execution counts once, whichever stream told it first. */
static bool seen_before(struct figures *f, const struct record_report *report)
{
    uint64_t key = report->exec_id ^ ((uint64_t)report->head.instrument << 48);
    uint64_t *place = &f->exec[mix(key)];
    bool seen = report->exec_id != 0 && *place == key;
    *place = key;
    return seen;
}

static void count_fill(struct figures *f, const struct slot *record)
{
    const struct record_report *report = (const struct record_report *)record;
    if (report->last_qty == 0 || seen_before(f, report)) {
        return;
    }
    const struct remembered_order *order = &f->order[mix(report->order)];
    struct instance_figures *i = instance_row(f, order->instance);
    if (order->order != report->order || i == NULL) {
        return;
    }
    if (order->role != ORDER_ROLE_QUOTE) {
        counter_add(i->hedge_fills, 1);
        return;
    }
    counter_add(i->fills, 1);
    counter_add(report->side == SIDE_BUY ? i->buys : i->sells, 1);
    if (report->last_qty < order->qty) {
        counter_add(i->partials, 1);
    }
}

static void count_status(struct figures *f, const struct slot *record)
{
    const struct record_status *s = (const struct record_status *)record;
    struct instance_figures *i = instance_row(f, s->instance);
    if (i == NULL) {
        return;
    }
    counter_set(i->state, s->state);
    counter_set(i->pull, s->pull_reason);
    counter_set(i->requotes, s->requotes);
    counter_set(i->quote_qty, s->quote_qty);
    counter_set(i->hedge_qty, s->hedge_qty);
    counter_set(i->delta_e8, s->delta_e8);
    counter_set(i->naked_ns, s->naked_ns);
    /* who may not quote may not know yet: prices come first */
    f->hedged[i - f->instance] = s->naked_ns == 0 && s->pull_reason == 0;
    counter_set(i->max_naked_ns, s->max_naked_ns);
    counter_set(i->bid, s->bid_price);
    counter_set(i->bid_qty, s->bid_qty);
    counter_set(i->ask, s->ask_price);
    counter_set(i->ask_qty, s->ask_qty);
    counter_set(i->fair_centibp, s->fair_offset_centibp);
}

void figures_profit(struct figures *figures, uint16_t instance, const int64_t part_e8[PNL_PART_COUNT])
{
    struct instance_figures *i = instance_row(figures, instance);
    for (uint32_t part = 0; i != NULL && part < PNL_PART_COUNT; part++) {
        counter_set(i->pnl_e8[part], part_e8[part]);
    }
}

static void count_event(struct figures *f, const struct slot *record)
{
    const struct record_event *event = (const struct record_event *)record;
    counter_add(f->events, 1);
    if (event->severity >= 2) {
        counter_add(f->alarms, 1);
    }
    switch (event->code) {
    case EVENT_HALT:
        f->is_halted = true;
        counter_set(f->halted, 1);
        break;
    case EVENT_RESUMED:
        f->is_halted = false;
        counter_set(f->halted, 0);
        break;
    case EVENT_STOPPED:
        f->is_stopped = true;
        counter_set(f->stopped, 1);
        break;
    case EVENT_DUPLICATE_FILL:
        counter_add(f->duplicates, 1);
        break;
    case EVENT_COUNTER_LOW:
        f->low = true;
        break;
    case EVENT_PRICE_OPEN:
    case EVENT_POSITION_DIFFERS:
    case EVENT_LADDER:
        f->doubt = true;
        break;
    default:
        break;
    }
}

static void note_session(struct figures *f, uint16_t account, const struct record_state *state)
{
    uint64_t *ready_ns = &f->ready_ns[account];
    if (state->value != GATEWAY_READY) {
        f->unread[account] = f->unread[account] || *ready_ns != 0;
        *ready_ns = 0;
    } else if (*ready_ns == 0) {
        *ready_ns = state->head.stamp_ns;
    }
}

void figures_record(struct figures *f, const struct slot *record)
{
    const struct record_head *head = record_head_of(record);
    struct market_figures *market = head->instrument < f->market_count ? &f->market[head->instrument] : NULL;
    switch (head->type) {
    case RECORD_TOP:
        if (market != NULL) {
            count_top(market, record);
        }
        break;
    case RECORD_MARK:
        if (market != NULL) {
            counter_set(market->mark, ((const struct record_mark *)record)->mark);
        }
        break;
    case RECORD_FEED_STATE:
        if (market != NULL) {
            counter_set(market->feed, ((const struct record_state *)record)->value);
        }
        break;
    case RECORD_GATEWAY_STATE:
        if (head->account < f->account_count) {
            const struct record_state *state = (const struct record_state *)record;
            counter_set(f->account_state[head->account], state->value);
            f->doubt = f->doubt || state->value == GATEWAY_READY;
            note_session(f, head->account, state);
        }
        break;
    case RECORD_REJECT: {
        uint8_t reason = ((const struct record_report *)record)->reason;
        f->time_refused[head->account % ACCOUNT_MAX] |= reason == REASON_TIME;
        f->rules = f->rules || reason == REASON_FILTER || reason == REASON_SUSPENDED;
        if (head->account < f->account_count) {
            counter_add(f->account_rejects[head->account], 1);
        }
        break;
    }
    case RECORD_UNKNOWN:
        counter_add(f->unknowns, 1);
        f->doubt = true;
        break;
    case RECORD_ORDER_NEW:
        count_order(f, record);
        break;
    case RECORD_FILL:
        count_fill(f, record);
        break;
    case RECORD_STATUS:
        count_status(f, record);
        break;
    case RECORD_EVENT:
        count_event(f, record);
        break;
    case RECORD_LOST:
        counter_add(f->lost, (int64_t)((const struct record_lost *)record)->count);
        break;
    default:
        break;
    }
}

bool figures_stopped(const struct figures *figures)
{
    return figures->is_stopped;
}

bool figures_hedged(const struct figures *figures)
{
    for (uint32_t i = 0; i < figures->instance_count; i++) {
        if (!figures->hedged[i]) {
            return false;
        }
    }
    return true;
}

bool figures_halted(const struct figures *figures)
{
    return figures->is_halted;
}

bool figures_counter_low(struct figures *figures)
{
    bool low = figures->low;
    figures->low = false;
    return low;
}

uint64_t figures_unread_ns(const struct figures *figures, uint16_t account)
{
    return figures->unread[account] ? figures->ready_ns[account] : 0;
}

void figures_told_read(struct figures *figures, uint16_t account, bool read)
{
    figures->unread[account] = !read;
}

bool figures_rules(struct figures *figures)
{
    bool rules = figures->rules;
    figures->rules = false;
    return rules;
}

bool figures_time_refused(struct figures *figures, uint16_t account)
{
    bool refused = figures->time_refused[account];
    figures->time_refused[account] = false;
    return refused;
}

bool figures_doubt(struct figures *figures)
{
    bool doubt = figures->doubt;
    figures->doubt = false;
    return doubt;
}
