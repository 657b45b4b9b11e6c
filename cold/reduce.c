#include "cold/reduce.h"

#include "cold/ledger.h"
#include "ring/order_id.h"

#include <stdlib.h>

#define NONE         UINT32_MAX
#define DELIVERY_MAX (1LL << 52) /* 1e-8; beyond it no delivery price is believed */

enum { ORDER_BUCKETS = 65536, EXEC_BUCKETS = 65536, PAGES_MAX = 256 };

/* An execution that was counted. */
struct exec {
    uint64_t exec_id;
    uint64_t order;
    int64_t price, qty;
    uint16_t account, instrument;
    uint8_t side;
    bool used;
    bool open_price; /* the price is a stand-in until the venue tells it */
    bool has_fee;
    uint32_t next;
};

/* The largest execution ids of one (account, instrument), ascending: where to page fills from. */
struct page {
    uint16_t account, instrument;
    uint32_t count;
    uint64_t exec_id[REDUCE_OVERLAP];
};

struct reduce {
    struct record_begin_run begin;
    bool began, restored;
    struct instrument_table instruments;
    struct account_table accounts;
    uint32_t params_count;
    struct quote_params params[PARAMS_INSTANCE_MAX];

    /* TEXT, CURRENCY, INSTRUMENT, ACCOUNT, FEE, CONVERT, RISK and PARAMS as they came, newest of each key */
    struct slot *head;
    uint32_t head_used, head_capacity;

    struct reduce_order *orders; /* pool */
    uint32_t orders_used;        /* pool slots ever used */
    uint32_t orders_free;        /* chain through next_by_order */
    uint32_t *by_order, *by_venue;
    uint32_t *done; /* ring of ended orders, oldest first: who is forgotten next */
    uint64_t done_head, done_tail;

    struct exec *execs; /* ring, oldest overwritten */
    uint64_t exec_count;
    uint32_t *by_exec;
    uint32_t page_count;
    struct page page[PAGES_MAX];

    uint32_t position_count, cash_count, venue_position_count, venue_balance_count;
    struct reduce_position position[REDUCE_POSITIONS_MAX];
    struct reduce_cash cash[REDUCE_CASH_MAX];
    struct reduce_venue_position venue_position[INSTRUMENT_MAX];
    struct reduce_venue_balance venue_balance[REDUCE_POSITIONS_MAX];

    struct ledger *ledger; /* reads along: what is held is also what it was worth */

    int64_t last_mark[INSTRUMENT_MAX];
    struct reduce_traded state[INSTRUMENT_MAX];
    uint64_t counter_next, counter_end;
    uint64_t stamp_ns, clock_stamp_ns;
    int64_t clock_wall_ns;
    struct reduce_counts counts;
};

/* ------------------------------------------------------------------ life */

static void forget(struct reduce *reduce)
{
    struct slot *head = reduce->head;
    uint32_t head_capacity = reduce->head_capacity;
    struct reduce_order *orders = reduce->orders;
    uint32_t *by_order = reduce->by_order, *by_venue = reduce->by_venue, *done = reduce->done;
    struct exec *execs = reduce->execs;
    uint32_t *by_exec = reduce->by_exec;
    struct ledger *ledger = reduce->ledger;
    size_t used = reduce->exec_count < REDUCE_EXECS_MAX ? reduce->exec_count : REDUCE_EXECS_MAX;

    memset(reduce, 0, sizeof *reduce);
    reduce->head = head;
    reduce->head_capacity = head_capacity;
    reduce->orders = orders;
    reduce->by_order = by_order;
    reduce->by_venue = by_venue;
    reduce->done = done;
    reduce->execs = execs;
    reduce->by_exec = by_exec;
    reduce->ledger = ledger;
    ledger_reset(ledger);
    reduce->orders_free = NONE;
    memset(by_order, 0xff, ORDER_BUCKETS * sizeof *by_order);
    memset(by_venue, 0xff, ORDER_BUCKETS * sizeof *by_venue);
    memset(by_exec, 0xff, EXEC_BUCKETS * sizeof *by_exec);
    memset(execs, 0, used * sizeof *execs); /* the rest was never touched: a start is that much shorter */
}

static void *take(size_t count, size_t bytes)
{
    void *memory = calloc(count, bytes);
    POISE_ASSERT(memory != NULL);
    return memory;
}

struct reduce *reduce_create(void)
{
    struct reduce *reduce = take(1, sizeof *reduce);
    reduce->orders = take(REDUCE_ORDERS_MAX, sizeof *reduce->orders);
    reduce->by_order = take(ORDER_BUCKETS, sizeof(uint32_t));
    reduce->by_venue = take(ORDER_BUCKETS, sizeof(uint32_t));
    reduce->done = take(REDUCE_ORDERS_MAX, sizeof(uint32_t));
    reduce->execs = take(REDUCE_EXECS_MAX, sizeof *reduce->execs);
    reduce->by_exec = take(EXEC_BUCKETS, sizeof(uint32_t));
    reduce->ledger = ledger_make();
    POISE_ASSERT(reduce->ledger != NULL);
    forget(reduce);
    return reduce;
}

void reduce_destroy(struct reduce *reduce)
{
    if (reduce != NULL) {
        free(reduce->head);
        free(reduce->orders);
        free(reduce->by_order);
        free(reduce->by_venue);
        free(reduce->done);
        free(reduce->execs);
        free(reduce->by_exec);
        ledger_free(reduce->ledger);
        free(reduce);
    }
}

static uint64_t mix(uint64_t x)
{
    x ^= x >> 31;
    x *= 0x9e3779b97f4a7c15ULL;
    x ^= x >> 29;
    x *= 0xbf58476d1ce4e5b9ULL;
    return x ^ x >> 32;
}

/* ------------------------------------------------------------------ the head's records */

static bool blob_get(const struct slot *record, void *blob, size_t bytes)
{
    if (record_head_of(record)->slot_count < record_slots_for_blob(bytes)) {
        return false;
    }
    record_blob_read(record, blob, bytes);
    return true;
}

/* What makes two head records the same row; texts are never the same. */
static uint64_t head_key(const struct slot *record)
{
    const struct record_head *head = record_head_of(record);
    uint64_t key = 0;
    switch (head->type) {
    case RECORD_INSTRUMENT: {
        struct instrument row;
        key = blob_get(record, &row, sizeof row) ? row.index : 0;
        break;
    }
    case RECORD_ACCOUNT: {
        struct account row;
        key = blob_get(record, &row, sizeof row) ? row.index : 0;
        break;
    }
    case RECORD_PARAMS: {
        struct quote_params row;
        key = blob_get(record, &row, sizeof row) ? row.instance : 0;
        break;
    }
    case RECORD_FEE:
        key = (uint64_t)head->account << 16 | head->instrument;
        break;
    case RECORD_CONVERT: {
        const struct record_convert *convert = (const struct record_convert *)head;
        key = (uint64_t)convert->from << 16 | convert->to;
        break;
    }
    case RECORD_CURRENCY:
        key = ((const struct record_currency *)head)->currency;
        break;
    default:
        break;
    }
    return (uint64_t)head->type << 32 | key;
}

static void head_keep(struct reduce *reduce, const struct slot *record)
{
    const struct record_head *head = record_head_of(record);
    uint32_t slot_count = head->slot_count;
    if (head->type != RECORD_TEXT) {
        uint64_t key = head_key(record);
        for (uint32_t at = 0; at < reduce->head_used;) {
            struct slot *kept = &reduce->head[at];
            uint32_t kept_slots = record_head_of(kept)->slot_count;
            if (kept_slots == slot_count && record_head_of(kept)->type == head->type &&
                head_key(kept) == key) {
                record_copy(kept, record);
                return;
            }
            at += kept_slots;
        }
    }
    if (reduce->head_used + slot_count > reduce->head_capacity) {
        uint32_t capacity = reduce->head_capacity * 2 + 4096;
        struct slot *more = aligned_alloc(SLOT_BYTES, (size_t)capacity * SLOT_BYTES);
        POISE_ASSERT(more != NULL);
        if (reduce->head_used != 0) {
            memcpy(more, reduce->head, (size_t)reduce->head_used * SLOT_BYTES);
        }
        free(reduce->head);
        reduce->head = more;
        reduce->head_capacity = capacity;
    }
    record_copy(&reduce->head[reduce->head_used], record);
    reduce->head_used += slot_count;
}

static void on_instrument(struct reduce *reduce, const struct slot *record)
{
    struct instrument row;
    if (blob_get(record, &row, sizeof row) && row.index < INSTRUMENT_MAX) {
        reduce->instruments.row[row.index] = row;
        reduce->state[row.index].status = row.status;
        if (reduce->instruments.count <= row.index) {
            reduce->instruments.count = row.index + 1u;
        }
    }
}

/* The stream's word on whether an instrument is traded. */
static void on_state(struct reduce *reduce, const struct record_state *record)
{
    if (record->head.instrument < INSTRUMENT_MAX) {
        reduce->state[record->head.instrument] =
            (struct reduce_traded){ .status = record->value <= INSTRUMENT_CLOSED ? (uint8_t)record->value
                                                                                 : INSTRUMENT_UNKNOWN,
                                    .locked = record->detail != 0,
                                    .told_ns = record->head.stamp_ns };
    }
}

static void on_currency(struct reduce *reduce, const struct record_currency *record)
{
    if (record->currency >= CURRENCY_MAX) {
        return;
    }
    struct currency *currency = &reduce->instruments.currency[record->currency];
    memcpy(currency->code, record->code, CURRENCY_BYTES);
    currency->code[CURRENCY_BYTES - 1] = '\0';
    currency->decimals = record->decimals;
    if (reduce->instruments.currency_count <= record->currency) {
        reduce->instruments.currency_count = record->currency + 1u;
    }
}

static void on_account(struct reduce *reduce, const struct slot *record)
{
    struct account row;
    if (blob_get(record, &row, sizeof row) && row.index < ACCOUNT_MAX) {
        reduce->accounts.row[row.index] = row;
        if (reduce->accounts.count <= row.index) {
            reduce->accounts.count = row.index + 1u;
        }
    }
}

static void on_params(struct reduce *reduce, const struct slot *record)
{
    struct quote_params row;
    if (!blob_get(record, &row, sizeof row)) {
        return;
    }
    row.name[PARAMS_NAME_BYTES - 1] = '\0';
    for (uint32_t i = 0; i < reduce->params_count; i++) {
        if (reduce->params[i].instance == row.instance) {
            reduce->params[i] = row;
            return;
        }
    }
    if (reduce->params_count < PARAMS_INSTANCE_MAX) {
        reduce->params[reduce->params_count++] = row;
    }
}

const struct quote_params *reduce_params(const struct reduce *reduce, uint16_t instance)
{
    for (uint32_t i = 0; i < reduce->params_count; i++) {
        if (reduce->params[i].instance == instance) {
            return &reduce->params[i];
        }
    }
    return NULL;
}

uint32_t reduce_params_count(const struct reduce *reduce)
{
    return reduce->params_count;
}

const struct quote_params *reduce_params_at(const struct reduce *reduce, uint32_t i)
{
    return &reduce->params[i];
}

/* Which leg of an instance trades this; 0xff none. */
static uint8_t leg_of(const struct quote_params *params, uint16_t instrument, uint16_t account)
{
    if (params->quote_instrument == instrument && params->quote_account == account) {
        return 0;
    }
    if (params->hedge_instrument == instrument && params->hedge_account == account) {
        return 1;
    }
    return params->second_instrument == instrument && params->second_account == account ? 2 : 0xff;
}

/* ------------------------------------------------------------------ orders */

static uint32_t bucket_of_order(uint64_t order)
{
    return (uint32_t)(mix(order) % ORDER_BUCKETS);
}

static uint32_t bucket_of_venue(uint16_t account, uint16_t instrument, const char *text)
{
    uint64_t hash = (uint64_t)account << 16 | instrument;
    for (uint32_t i = 0; i < VENUE_ORDER_ID_BYTES && text[i] != '\0'; i++) {
        hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3ULL;
    }
    return (uint32_t)(mix(hash) % ORDER_BUCKETS);
}

static struct reduce_order *order_find(const struct reduce *reduce, uint64_t order)
{
    uint32_t at = order == 0 ? NONE : reduce->by_order[bucket_of_order(order)];
    while (at != NONE && reduce->orders[at].order != order) {
        at = reduce->orders[at].next_by_order;
    }
    return at == NONE ? NULL : &reduce->orders[at];
}

const struct reduce_order *reduce_order(const struct reduce *reduce, uint64_t order)
{
    return order_find(reduce, order);
}

const struct reduce_order *reduce_order_by_venue(const struct reduce *reduce, uint16_t account,
                                                 uint16_t instrument, const char *venue_order_id)
{
    if (venue_order_id[0] == '\0') {
        return NULL;
    }
    uint32_t at = reduce->by_venue[bucket_of_venue(account, instrument, venue_order_id)];
    while (at != NONE) {
        const struct reduce_order *order = &reduce->orders[at];
        if (order->account == account && order->instrument == instrument &&
            strncmp(order->venue_order_id, venue_order_id, VENUE_ORDER_ID_BYTES) == 0) {
            return order;
        }
        at = order->next_by_venue;
    }
    return NULL;
}

static void unchain_venue(struct reduce *reduce, struct reduce_order *order)
{
    if (order->venue_order_id[0] == '\0') {
        return;
    }
    uint32_t index = (uint32_t)(order - reduce->orders);
    uint32_t *link =
        &reduce->by_venue[bucket_of_venue(order->account, order->instrument, order->venue_order_id)];
    while (*link != NONE && *link != index) {
        link = &reduce->orders[*link].next_by_venue;
    }
    if (*link == index) {
        *link = order->next_by_venue;
    }
}

static void name_at_venue(struct reduce *reduce, struct reduce_order *order, const char *venue_order_id)
{
    if (venue_order_id[0] == '\0' ||
        strncmp(order->venue_order_id, venue_order_id, VENUE_ORDER_ID_BYTES) == 0) {
        return;
    }
    unchain_venue(reduce, order);
    memcpy(order->venue_order_id, venue_order_id, VENUE_ORDER_ID_BYTES);
    uint32_t *link = &reduce->by_venue[bucket_of_venue(order->account, order->instrument, venue_order_id)];
    order->next_by_venue = *link;
    *link = (uint32_t)(order - reduce->orders);
}

static void order_forget(struct reduce *reduce, uint32_t index)
{
    struct reduce_order *order = &reduce->orders[index];
    unchain_venue(reduce, order);
    uint32_t *link = &reduce->by_order[bucket_of_order(order->order)];
    while (*link != index) {
        link = &reduce->orders[*link].next_by_order;
    }
    *link = order->next_by_order;
    memset(order, 0, sizeof *order);
    order->next_by_order = reduce->orders_free;
    reduce->orders_free = index;
}

static void count_state(struct reduce *reduce, uint8_t state, int by)
{
    uint32_t *count = state == REDUCE_SENT      ? &reduce->counts.sent
                      : state == REDUCE_LIVE    ? &reduce->counts.live
                      : state == REDUCE_UNKNOWN ? &reduce->counts.unknown
                      : state == REDUCE_OWED    ? &reduce->counts.owed
                                                : NULL;
    if (count != NULL) {
        *count += (uint32_t)by;
    }
}

/* NULL when tens of thousands of orders are open at once, which no engine of ours can have. */
static struct reduce_order *order_make(struct reduce *reduce, uint64_t order_id, uint8_t state)
{
    if (reduce->orders_free == NONE && reduce->orders_used == REDUCE_ORDERS_MAX &&
        reduce->done_tail != reduce->done_head) {
        order_forget(reduce, reduce->done[reduce->done_tail++ % REDUCE_ORDERS_MAX]);
    }
    uint32_t index = reduce->orders_free;
    if (index != NONE) {
        reduce->orders_free = reduce->orders[index].next_by_order;
    } else if (reduce->orders_used < REDUCE_ORDERS_MAX) {
        index = reduce->orders_used++;
    } else {
        reduce->counts.refused_steps++;
        return NULL;
    }
    struct reduce_order *order = &reduce->orders[index];
    memset(order, 0, sizeof *order);
    order->order = order_id;
    order->told = -1;
    order->state = state;
    uint32_t *link = &reduce->by_order[bucket_of_order(order_id)];
    order->next_by_order = *link;
    *link = index;
    order->next_by_venue = NONE;
    count_state(reduce, state, 1);
    reduce->counts.orders++;
    return order;
}

static void order_step(struct reduce *reduce, struct reduce_order *order, enum reduce_event event)
{
    uint8_t next = reduce_order_next((enum reduce_state)order->state, event);
    if (next == 0) {
        reduce->counts.refused_steps++;
        return;
    }
    if (next == order->state) {
        return;
    }
    count_state(reduce, order->state, -1);
    count_state(reduce, next, 1);
    if (order->state == REDUCE_DONE) {
        /* It leaves the ring of ended ones; rare, so its place there is searched. */
        uint32_t index = (uint32_t)(order - reduce->orders);
        for (uint64_t i = reduce->done_tail; i != reduce->done_head; i++) {
            if (reduce->done[i % REDUCE_ORDERS_MAX] == index) {
                for (; i + 1 != reduce->done_head; i++) {
                    reduce->done[i % REDUCE_ORDERS_MAX] = reduce->done[(i + 1) % REDUCE_ORDERS_MAX];
                }
                reduce->done_head--;
                break;
            }
        }
    }
    order->state = next;
    if (next == REDUCE_DONE) {
        order->pending = 0;
        reduce->done[reduce->done_head++ % REDUCE_ORDERS_MAX] = (uint32_t)(order - reduce->orders);
    }
}

static int64_t wall_at(const struct reduce *reduce, uint64_t stamp_ns)
{
    return reduce->clock_wall_ns == 0 ? 0
                                      : reduce->clock_wall_ns + (int64_t)(stamp_ns - reduce->clock_stamp_ns);
}

static void on_order(struct reduce *reduce, const struct record_order *said)
{
    struct reduce_order *order = order_find(reduce, said->order);
    switch (said->head.type) {
    case RECORD_ORDER_NEW:
        if (order != NULL || said->order == 0) {
            reduce->counts.refused_steps++;
            return;
        }
        order = order_make(reduce, said->order, REDUCE_SENT);
        if (order == NULL) {
            return;
        }
        order->sent_ns = said->head.stamp_ns;
        order->sent_wall_ns = wall_at(reduce, said->head.stamp_ns);
        order->price = said->price;
        order->qty = said->qty;
        order->reference_price = said->reference_price;
        order->instrument = said->head.instrument;
        order->account = said->head.account;
        order->instance = said->instance;
        order->leg = said->leg;
        order->role = said->role;
        order->level = said->level;
        order->side = said->side;
        order->tif = said->tif;
        order->flags = said->flags;
        order->pending = 1 << REQUEST_NEW;
        uint64_t counter = order_id_counter(said->order) + 1;
        reduce->counter_next = counter > reduce->counter_next ? counter : reduce->counter_next;
        break;
    case RECORD_ORDER_AMEND:
    case RECORD_ORDER_CANCEL:
        if (order != NULL && order->state != REDUCE_DONE) {
            order->pending |=
                (uint8_t)(1 << (said->head.type == RECORD_ORDER_AMEND ? REQUEST_AMEND : REQUEST_CANCEL));
        }
        break;
    default:
        break; /* a query changes nothing; what a cancel-all does is told order by order */
    }
}

uint16_t reduce_instance_of(const struct reduce *reduce, uint64_t order_id, uint16_t instrument,
                            uint16_t account, uint8_t *leg)
{
    const struct reduce_order *order = order_find(reduce, order_id);
    if (order != NULL) {
        *leg = order->leg;
        return order->instance;
    }
    *leg = 0;
    if (order_id == 0 || (reduce->began && order_id_engine(order_id) != reduce->begin.engine)) {
        return NO_INSTANCE;
    }
    const struct quote_params *params = reduce_params(reduce, (uint16_t)order_id_instance(order_id));
    uint8_t found = params == NULL ? 0xff : leg_of(params, instrument, account);
    if (found == 0xff) {
        return NO_INSTANCE;
    }
    *leg = found;
    return params->instance;
}

/* ------------------------------------------------------------------ positions and cash */

static struct reduce_position *position_of(struct reduce *reduce, uint16_t instance, uint16_t leg,
                                           uint16_t instrument, uint16_t account)
{
    for (uint32_t i = 0; i < reduce->position_count; i++) {
        struct reduce_position *row = &reduce->position[i];
        if (row->instance == instance && row->instrument == instrument && row->account == account) {
            return row;
        }
    }
    POISE_ASSERT(reduce->position_count < REDUCE_POSITIONS_MAX);
    struct reduce_position *row = &reduce->position[reduce->position_count++];
    *row = (struct reduce_position){
        .instance = instance, .leg = leg, .instrument = instrument, .account = account
    };
    return row;
}

static void cash_add(struct reduce *reduce, uint16_t account, uint16_t instance, uint16_t currency,
                     enum pnl_part part, int64_t amount_e8)
{
    if (currency == CURRENCY_NONE || amount_e8 == 0) {
        return;
    }
    for (uint32_t i = 0; i < reduce->cash_count; i++) {
        struct reduce_cash *row = &reduce->cash[i];
        if (row->account == account && row->instance == instance && row->currency == currency &&
            row->part == part) {
            row->amount_e8 += amount_e8;
            return;
        }
    }
    POISE_ASSERT(reduce->cash_count < REDUCE_CASH_MAX);
    reduce->cash[reduce->cash_count++] = (struct reduce_cash){ .account = account,
                                                               .instance = instance,
                                                               .currency = currency,
                                                               .part = (uint8_t)part,
                                                               .amount_e8 = amount_e8 };
}

/* The kinds whose fills ring/kind.h has formulas for; of the others only the quantity is kept. */
static bool has_formulas(const struct instrument *instrument)
{
    return kind_cash(instrument->kind) != KIND_CASH_NONE;
}

static void move(struct reduce *reduce, uint16_t instance, uint8_t leg, uint16_t instrument, uint16_t account,
                 enum side side, int64_t qty, int64_t price)
{
    struct reduce_position *row = position_of(reduce, instance, leg, instrument, account);
    const struct instrument *of =
        instrument < reduce->instruments.count ? &reduce->instruments.row[instrument] : NULL;
    if (of == NULL || price <= 0 || !has_formulas(of) || !kind_fits(of, qty, price)) {
        row->position.qty += side_sign(side) * qty;
        return;
    }
    struct fill_effect effect;
    kind_fill(of, &row->position, side, qty, price, &effect);
    /* Spot's coin is the position itself; only what was paid for it is cash. */
    cash_add(reduce, account, instance, effect.quote_currency, PNL_TRADING, effect.quote_e8);
    cash_add(reduce, account, instance, effect.settle_currency, PNL_TRADING, effect.realised_e8);
}

/* The venue closed a position of ours: the instances that held it hold less, in their order, whoever's order
 * it was; what they did not hold is nobody's.  Answers the first of them: the fee is its. */
static uint16_t move_closed(struct reduce *reduce, const struct record_report *report, int64_t price)
{
    int64_t left = report->last_qty;
    uint16_t first = NO_INSTANCE;
    for (uint16_t instance = 0; instance < PARAMS_INSTANCE_MAX && left > 0; instance++) {
        for (uint32_t i = 0; i < reduce->position_count && left > 0; i++) {
            const struct reduce_position *row = &reduce->position[i];
            if (row->instance != instance || row->instrument != report->head.instrument ||
                row->account != report->head.account || row->position.qty == 0 ||
                (row->position.qty > 0) == (report->side == SIDE_BUY)) {
                continue;
            }
            int64_t take_qty = base_min(left, base_abs(row->position.qty));
            move(reduce, instance, (uint8_t)row->leg, row->instrument, row->account, (enum side)report->side,
                 take_qty, price);
            first = first == NO_INSTANCE ? instance : first;
            left -= take_qty;
        }
    }
    if (left > 0) {
        move(reduce, NO_INSTANCE, 0, report->head.instrument, report->head.account, (enum side)report->side,
             left, price);
    }
    return first;
}

/* A dated contract ended: every row of it becomes cash at the delivery price. */
static void on_delivery(struct reduce *reduce, const struct record_delivery *delivery)
{
    uint16_t account = delivery->head.account;
    const struct instrument *of = delivery->head.instrument < reduce->instruments.count
                                      ? &reduce->instruments.row[delivery->head.instrument]
                                      : NULL;
    for (uint32_t i = 0; i < reduce->position_count && of != NULL && delivery->price_e8 > 0 &&
                         delivery->price_e8 <= DELIVERY_MAX;
         i++) {
        struct reduce_position *row = &reduce->position[i];
        struct fill_effect effect;
        if (row->account == account && row->instrument == delivery->head.instrument && has_formulas(of) &&
            kind_expire(of, &row->position, delivery->price_e8, &effect)) {
            cash_add(reduce, account, row->instance, effect.quote_currency, PNL_TRADING, effect.quote_e8);
            cash_add(reduce, account, row->instance, effect.settle_currency, PNL_TRADING, effect.realised_e8);
        }
    }
}

/* ------------------------------------------------------------------ executions */

static uint32_t bucket_of_exec(uint16_t account, uint16_t instrument, uint8_t side, uint64_t exec_id)
{
    uint64_t whose = (uint64_t)side << 32 | (uint64_t)account << 16 | instrument;
    return (uint32_t)(mix(exec_id ^ mix(whose)) % EXEC_BUCKETS);
}

static struct exec *exec_find(const struct reduce *reduce, uint16_t account, uint16_t instrument,
                              uint8_t side, uint64_t exec_id)
{
    uint32_t at = reduce->by_exec[bucket_of_exec(account, instrument, side, exec_id)];
    while (at != NONE) {
        struct exec *exec = &reduce->execs[at];
        if (exec->exec_id == exec_id && exec->account == account && exec->instrument == instrument &&
            exec->side == side) {
            return exec;
        }
        at = exec->next;
    }
    return NULL;
}

static void page_note(struct reduce *reduce, uint16_t account, uint16_t instrument, uint64_t exec_id)
{
    struct page *page = NULL;
    for (uint32_t i = 0; i < reduce->page_count; i++) {
        if (reduce->page[i].account == account && reduce->page[i].instrument == instrument) {
            page = &reduce->page[i];
        }
    }
    if (page == NULL) {
        if (reduce->page_count == PAGES_MAX) {
            return;
        }
        page = &reduce->page[reduce->page_count++];
        *page = (struct page){ .account = account, .instrument = instrument };
    }
    for (uint32_t i = page->count; i > 0 && page->exec_id[i - 1] >= exec_id; i--) {
        if (page->exec_id[i - 1] == exec_id) {
            return; /* both ends of one trade were ours */
        }
    }
    if (page->count == REDUCE_OVERLAP) {
        if (exec_id < page->exec_id[0]) {
            return;
        }
        memmove(&page->exec_id[0], &page->exec_id[1], (REDUCE_OVERLAP - 1) * sizeof page->exec_id[0]);
        page->count--;
    }
    uint32_t at = page->count++;
    while (at > 0 && page->exec_id[at - 1] > exec_id) {
        page->exec_id[at] = page->exec_id[at - 1];
        at--;
    }
    page->exec_id[at] = exec_id;
}

static struct exec *exec_note(struct reduce *reduce, const struct record_report *report)
{
    uint32_t index = (uint32_t)(reduce->exec_count++ % REDUCE_EXECS_MAX);
    struct exec *exec = &reduce->execs[index];
    if (exec->used) {
        uint32_t *link =
            &reduce->by_exec[bucket_of_exec(exec->account, exec->instrument, exec->side, exec->exec_id)];
        while (*link != index) {
            link = &reduce->execs[*link].next;
        }
        *link = exec->next;
    }
    *exec = (struct exec){ .exec_id = report->exec_id,
                           .order = report->order,
                           .price = report->price,
                           .qty = report->last_qty,
                           .account = report->head.account,
                           .instrument = report->head.instrument,
                           .side = report->side,
                           .used = true,
                           .open_price = (report->flags & REPORT_PRICE_OPEN) != 0,
                           .has_fee = (report->flags & REPORT_HAS_FEE) != 0 };
    uint32_t *link =
        &reduce->by_exec[bucket_of_exec(exec->account, exec->instrument, exec->side, exec->exec_id)];
    exec->next = *link;
    *link = index;
    page_note(reduce, exec->account, exec->instrument, exec->exec_id);
    return exec;
}

bool reduce_seen(const struct reduce *reduce, uint16_t account, uint16_t instrument, uint8_t side,
                 uint64_t exec_id)
{
    return exec_find(reduce, account, instrument, side, exec_id) != NULL;
}

uint64_t reduce_seen_order(const struct reduce *reduce, uint16_t account, uint16_t instrument, uint8_t side,
                           uint64_t exec_id)
{
    const struct exec *exec = exec_find(reduce, account, instrument, side, exec_id);
    return exec != NULL ? exec->order : 0;
}

bool reduce_seen_whole(const struct reduce *reduce, uint16_t account, uint16_t instrument, uint8_t side,
                       uint64_t exec_id)
{
    const struct exec *exec = exec_find(reduce, account, instrument, side, exec_id);
    return exec != NULL && exec->has_fee && !exec->open_price;
}

struct owed {
    uint16_t account, instrument;
    int64_t begun_ns, since_ns;
};

static void find_owed(void *context, const struct reduce_order *order)
{
    struct owed *owed = context;
    if (order->state != REDUCE_OWED || order->account != owed->account ||
        order->instrument != owed->instrument) {
        return;
    }
    int64_t sent_ns = order->sent_wall_ns != 0 ? order->sent_wall_ns : owed->begun_ns;
    if (owed->since_ns == 0 || sent_ns < owed->since_ns) {
        owed->since_ns = sent_ns;
    }
}

int64_t reduce_owed_since_ns(const struct reduce *reduce, uint16_t account, uint16_t instrument)
{
    struct owed owed = { .account = account,
                         .instrument = instrument,
                         .begun_ns = reduce_begin(reduce) != NULL ? reduce_begin(reduce)->wall_ns : 0 };
    if (reduce->counts.owed != 0) {
        reduce_orders(reduce, find_owed, &owed);
    }
    return owed.since_ns;
}

uint64_t reduce_fill_from(const struct reduce *reduce, uint16_t account, uint16_t instrument)
{
    for (uint32_t i = 0; i < reduce->page_count; i++) {
        if (reduce->page[i].account == account && reduce->page[i].instrument == instrument) {
            /* With fewer seen than overlap, one before the first seen may be the one that is missing. */
            return reduce->page[i].count < REDUCE_OVERLAP ? 0 : reduce->page[i].exec_id[0];
        }
    }
    return 0;
}

static void book_fee(struct reduce *reduce, const struct record_report *report, uint16_t instance)
{
    if ((report->flags & REPORT_HAS_FEE) != 0) {
        cash_add(reduce, report->head.account, instance, report->fee_currency, PNL_FEE, -report->fee_e8);
    }
}

/* The true price in the place of the stand-in. */
static void reprice(struct reduce *reduce, uint16_t instance, uint8_t leg, const struct exec *seen,
                    int64_t price)
{
    const struct instrument *of =
        seen->instrument < reduce->instruments.count ? &reduce->instruments.row[seen->instrument] : NULL;
    struct reduce_position *row = position_of(reduce, instance, leg, seen->instrument, seen->account);
    struct fill_effect effect;
    if (of == NULL || !has_formulas(of) || !kind_fits(of, seen->qty, price)) {
        return;
    }
    if (seen->price <= 0 || !kind_fits(of, seen->qty, seen->price)) {
        /* no stand-in was known: only the quantity was counted */
        row->position.qty -= side_sign((enum side)seen->side) * seen->qty;
        move(reduce, instance, leg, seen->instrument, seen->account, (enum side)seen->side, seen->qty, price);
        return;
    }
    kind_reprice(of, &row->position, (enum side)seen->side, seen->qty, seen->price, price, &effect);
    cash_add(reduce, seen->account, instance, effect.quote_currency, PNL_TRADING, effect.quote_e8);
    cash_add(reduce, seen->account, instance, effect.settle_currency, PNL_TRADING, effect.realised_e8);
}

/* Counts an execution once; answers false for one already counted. */
static bool on_execution(struct reduce *reduce, const struct record_report *report,
                         struct reduce_order *order)
{
    if ((report->flags & REPORT_HAS_LAST) == 0 || report->last_qty <= 0) {
        return false;
    }
    uint16_t account = report->head.account, instrument = report->head.instrument;
    uint8_t leg;
    uint16_t instance = reduce_instance_of(reduce, report->order, instrument, account, &leg);
    bool open_price = (report->flags & REPORT_PRICE_OPEN) != 0 || report->price <= 0;

    struct exec *seen =
        report->exec_id == 0 ? NULL : exec_find(reduce, account, instrument, report->side, report->exec_id);
    if (seen != NULL) {
        reduce->counts.duplicate_fills++;
        if (!seen->has_fee && (report->flags & REPORT_HAS_FEE) != 0) {
            seen->has_fee = true;
            book_fee(reduce, report, instance);
        }
        if (seen->open_price && !open_price) {
            reprice(reduce, instance, leg, seen, report->price);
            seen->price = report->price;
            seen->open_price = false;
        }
        return false;
    }
    if (report->exec_id == 0 && order != NULL && (report->flags & REPORT_HAS_CUM) != 0 &&
        report->cum_qty <= order->filled) {
        reduce->counts.duplicate_fills++;
        return false;
    }

    int64_t price = report->price;
    if (open_price) {
        price = report->order_price > 0             ? report->order_price
                : order != NULL && order->price > 0 ? order->price
                : instrument < INSTRUMENT_MAX       ? reduce->last_mark[instrument]
                                                    : 0;
    }
    if (report->exec_id != 0) {
        struct exec *exec = exec_note(reduce, report);
        exec->price = price;
        exec->open_price = open_price;
    }
    if (instance == NO_INSTANCE && reason_closes_us(report->reason)) {
        instance = move_closed(reduce, report, price);
    } else {
        move(reduce, instance, leg, instrument, account, (enum side)report->side, report->last_qty, price);
    }
    book_fee(reduce, report, instance);
    reduce->counts.fills++;
    if (instance == NO_INSTANCE) {
        reduce->counts.foreign_fills++;
    }
    if (order != NULL && !order->stranger) {
        order->filled += report->last_qty;
    }
    return true;
}

/* ------------------------------------------------------------------ reports */

static bool status_is_final(uint8_t status)
{
    return status == ORDER_STATUS_FILLED || status == ORDER_STATUS_CANCELLED ||
           status == ORDER_STATUS_EXPIRED || status == ORDER_STATUS_REJECTED;
}

/* The report ends its order: a final status and the final quantity, both from the venue. */
static bool report_ends(const struct record_report *report)
{
    if ((report->flags & REPORT_HAS_CUM) == 0) {
        return false;
    }
    return (report->flags & REPORT_TERMINAL) != 0 || report->head.type == RECORD_CANCELLED ||
           report->head.type == RECORD_EXPIRED || status_is_final(report->status);
}

/* What was already counted of an order that this segment's head no longer has: its last news (an ack that its
 * execution overtook) came after it had ended, and after the segment began. */
static int64_t executed_of(const struct reduce *reduce, uint64_t order)
{
    int64_t qty = 0;
    uint64_t held = reduce->exec_count < REDUCE_EXECS_MAX ? reduce->exec_count : REDUCE_EXECS_MAX;
    for (uint64_t i = 0; i < held; i++) {
        qty += reduce->execs[i].order == order ? reduce->execs[i].qty : 0;
    }
    return qty;
}

/* An order of ours that the journal does not know: its tail was lost, REST found it, or it ended long ago. */
static struct reduce_order *order_adopt(struct reduce *reduce, const struct record_report *report)
{
    if (report->order == 0 || (report->flags & REPORT_FOREIGN) != 0 ||
        (reduce->began && order_id_engine(report->order) != reduce->begin.engine)) {
        return NULL;
    }
    uint8_t leg;
    uint16_t instance =
        reduce_instance_of(reduce, report->order, report->head.instrument, report->head.account, &leg);
    struct reduce_order *order = order_make(reduce, report->order, REDUCE_UNKNOWN);
    if (order == NULL) {
        return NULL;
    }
    order->instrument = report->head.instrument;
    order->account = report->head.account;
    order->instance = instance;
    order->leg = leg;
    order->side = report->side;
    order->price = report->order_price;
    order->qty = report->order_qty;
    order->filled = executed_of(reduce, report->order);
    uint64_t counter = order_id_counter(report->order) + 1;
    reduce->counter_next = counter > reduce->counter_next ? counter : reduce->counter_next;
    return order;
}

static void on_reject(struct reduce *reduce, struct reduce_order *order, const struct record_report *report)
{
    order->pending &= (uint8_t) ~(1u << report->request);
    if (report->request == REQUEST_NEW) {
        if (record_refuses_for_certain(report->reason) && !order->acked && order->filled == 0) {
            order->status = ORDER_STATUS_REJECTED;
            order->told = 0;
            order_step(reduce, order, REDUCE_REFUSED);
        } else {
            order_step(reduce, order, REDUCE_DOUBT);
        }
    } else if (report->reason == REASON_NOT_FOUND && report->request != REQUEST_QUERY) {
        order_step(reduce, order, REDUCE_DOUBT);
    }
}

/* One such answer proves nothing.  Several, the last of them read by REST after open orders and fills, of an
 * order that was never heard of since it was sent, prove that it never was: the strategy's own rule. */
static void on_not_found(struct reduce *reduce, struct reduce_order *order,
                         const struct record_report *report)
{
    order->misses += order->misses < UINT8_MAX;
    bool never_was = !order->acked && order->filled == 0 && order->told <= 0 && order->sent_ns != 0 &&
                     order->misses >= REDUCE_GONE_MISSES &&
                     report->head.stamp_ns - order->sent_ns >= REDUCE_GONE_GRACE_NS &&
                     (report->head.flags & RECORD_FLAG_REST) != 0;
    if (never_was) {
        order->told = 0;
        order_step(reduce, order, REDUCE_REFUSED);
    } else {
        order_step(reduce, order, REDUCE_DOUBT);
    }
}

static void on_report(struct reduce *reduce, const struct record_report *report)
{
    struct reduce_order *order = order_find(reduce, report->order);
    if (order == NULL) {
        order = order_adopt(reduce, report);
        if (order != NULL) {
            order->stranger = reduce->restored && report->head.type == RECORD_ORDER_STATE;
        }
    }
    if (report->head.type == RECORD_FILL) {
        on_execution(reduce, report, order);
    }
    if (order == NULL) {
        return;
    }
    name_at_venue(reduce, order, report->venue_order_id);
    if (order->state == REDUCE_DONE && !report_ends(report)) {
        return; /* late news of an ended order: its execution, if any, was counted above */
    }
    if ((report->flags & REPORT_HAS_CUM) != 0 && report->cum_qty > order->told) {
        order->told = report->cum_qty;
    }
    if (order->stranger) {
        order->filled = base_max(order->filled, order->told);
    }

    switch (report->head.type) {
    case RECORD_ACK:
        order->acked = 1;
        order->pending &= (uint8_t) ~(1u << REQUEST_NEW);
        order->status = ORDER_STATUS_OPEN;
        order_step(reduce, order, REDUCE_ACKED);
        break;
    case RECORD_REJECT:
        on_reject(reduce, order, report);
        break;
    case RECORD_AMENDED:
        order->acked = 1;
        order->pending &= (uint8_t) ~(1u << REQUEST_AMEND | 1u << REQUEST_NEW);
        order->price = report->order_price > 0 ? report->order_price : order->price;
        order->qty = report->order_qty > 0 ? report->order_qty : order->qty;
        order_step(reduce, order, REDUCE_ACKED);
        break;
    case RECORD_UNKNOWN:
        /* A failed read resolves nothing and breaks nothing. */
        if (report->request != REQUEST_QUERY) {
            order_step(reduce, order, REDUCE_DOUBT);
        }
        break;
    case RECORD_ORDER_STATE:
        order->status = report->status;
        if (report->status == ORDER_STATUS_NOT_FOUND) {
            on_not_found(reduce, order, report);
        } else if (report->status == ORDER_STATUS_OPEN || report->status == ORDER_STATUS_PARTIAL ||
                   report->status == ORDER_STATUS_UNTRIGGERED) {
            order->acked = 1;
            order->pending = 0;
            order->price = report->order_price > 0 ? report->order_price : order->price;
            order->qty = report->order_qty > 0 ? report->order_qty : order->qty;
            order_step(reduce, order, REDUCE_ACKED);
        }
        break;
    case RECORD_FILL:
        order->acked = 1;
        order->pending &= (uint8_t) ~(1u << REQUEST_NEW);
        order_step(reduce, order, REDUCE_FILLED);
        break;
    case RECORD_CANCELLED:
    case RECORD_EXPIRED:
        if (!report_ends(report)) {
            order_step(reduce, order, REDUCE_DOUBT);
        }
        break;
    default:
        break; /* CANCEL_ACK proves nothing */
    }

    if (report_ends(report)) {
        order->acked = 1;
        order->status = report->head.type == RECORD_CANCELLED ? ORDER_STATUS_CANCELLED
                        : report->head.type == RECORD_EXPIRED ? ORDER_STATUS_EXPIRED
                        : status_is_final(report->status)     ? report->status
                                                              : order->status;
        order_step(reduce, order, order->filled >= order->told ? REDUCE_ENDED : REDUCE_ENDED_OWED);
    } else if (order->state == REDUCE_OWED && order->filled >= order->told) {
        order_step(reduce, order, REDUCE_ENDED);
    }
}

/* ------------------------------------------------------------------ balances, positions of the venue */

static void on_venue_position(struct reduce *reduce, const struct record_position *position)
{
    for (uint32_t i = 0; i < reduce->venue_position_count; i++) {
        struct reduce_venue_position *row = &reduce->venue_position[i];
        if (row->account == position->head.account && row->instrument == position->head.instrument) {
            row->last = *position;
            return;
        }
    }
    if (reduce->venue_position_count < POISE_COUNT_OF(reduce->venue_position)) {
        reduce->venue_position[reduce->venue_position_count++] = (struct reduce_venue_position){
            .account = position->head.account, .instrument = position->head.instrument, .last = *position
        };
    }
}

/* A payment on what nobody holds any more is of the one instance that trades it; of several, it is nobody's.
 */
static uint16_t sole_instance(const struct reduce *reduce, uint16_t instrument, uint16_t account)
{
    uint16_t found = NO_INSTANCE;
    for (uint32_t i = 0; i < reduce->params_count && instrument != NO_INSTRUMENT; i++) {
        if (leg_of(&reduce->params[i], instrument, account) != 0xff) {
            if (found != NO_INSTANCE) {
                return NO_INSTANCE;
            }
            found = reduce->params[i].instance;
        }
    }
    return found;
}

/* A payment belongs to whoever holds the contracts, by their size: as the strategy and the ledger share it.
 */
static void share_cash(struct reduce *reduce, const struct record_balance *balance, enum pnl_part part)
{
    uint16_t account = balance->head.account, instrument = balance->head.instrument;
    int128 total = 0;
    int64_t left = balance->change_e8;
    for (int turn = 0; turn < 2; turn++) {
        for (uint32_t i = 0; i < reduce->position_count; i++) {
            const struct reduce_position *row = &reduce->position[i];
            bool its = row->account == account && row->instrument < reduce->instruments.count &&
                       reduce->instruments.row[row->instrument].settle == balance->currency &&
                       (instrument == NO_INSTRUMENT || instrument == row->instrument);
            int64_t weight = its ? base_abs(row->position.qty) : 0;
            if (turn == 0) {
                total += weight;
            } else if (weight != 0 && row->instance != NO_INSTANCE) {
                int64_t share =
                    (int64_t)decimal_divide_wide((int128)balance->change_e8 * weight, total, ROUND_ZERO);
                left -= share;
                cash_add(reduce, account, row->instance, balance->currency, part, share);
            }
        }
    }
    cash_add(reduce, account, total == 0 ? sole_instance(reduce, instrument, account) : NO_INSTANCE,
             balance->currency, part, left);
}

static void on_balance(struct reduce *reduce, const struct record_balance *balance)
{
    if (ledger_booked_payment(reduce->ledger)) { /* it knows which rows and words were told before */
        enum pnl_part part =
            balance->reason == CASH_FUNDING || balance->reason == CASH_DIVIDEND ? PNL_FUNDING : PNL_FEE;
        bool earned = part == PNL_FUNDING || balance->reason == CASH_FEE ||
                      balance->reason == CASH_INTEREST || balance->reason == CASH_LIQUIDATION;
        if (earned) {
            share_cash(reduce, balance, part);
        }
    }
    if (balance->total_e8 == INT64_MIN || (balance->reason == CASH_FUNDING && balance->total_e8 == 0 &&
                                           (balance->head.flags & RECORD_FLAG_REST) != 0)) {
        return; /* a row of the payment history: it tells what moved, not what there is */
    }
    for (uint32_t i = 0; i < reduce->venue_balance_count; i++) {
        struct reduce_venue_balance *row = &reduce->venue_balance[i];
        if (row->account == balance->head.account && row->currency == balance->currency) {
            row->last = *balance;
            return;
        }
    }
    if (reduce->venue_balance_count < POISE_COUNT_OF(reduce->venue_balance)) {
        reduce->venue_balance[reduce->venue_balance_count++] = (struct reduce_venue_balance){
            .account = balance->head.account, .currency = balance->currency, .last = *balance
        };
    }
}

/* ------------------------------------------------------------------ RESTORE */

static void on_restore_position(struct reduce *reduce, const struct record_restore_position *restore)
{
    struct reduce_position *row =
        position_of(reduce, restore->instance, restore->leg, restore->head.instrument, restore->head.account);
    row->position.qty = restore->qty;
    row->position.notional_e12 =
        (int128)((unsigned __int128)(uint64_t)restore->notional_high << 64 | restore->notional_low);
}

static void on_restore_order(struct reduce *reduce, const struct record_report *restore)
{
    if (restore->order == 0 || order_find(reduce, restore->order) != NULL) {
        return;
    }
    bool live = restore->status == ORDER_STATUS_OPEN || restore->status == ORDER_STATUS_PARTIAL ||
                restore->status == ORDER_STATUS_UNTRIGGERED;
    struct reduce_order *order = order_make(reduce, restore->order, live ? REDUCE_LIVE : REDUCE_UNKNOWN);
    if (order == NULL) {
        return;
    }
    order->sent_ns = restore->head.stamp_ns;
    order->sent_wall_ns = restore->venue_time_ns;
    order->price = restore->order_price;
    order->qty = restore->order_qty;
    order->filled = restore->cum_qty;
    order->told = base_max(restore->realised_e8, live ? restore->cum_qty : -1);
    order->reference_price = restore->fee_e8;
    order->instrument = restore->head.instrument;
    order->account = restore->head.account;
    order->level = (uint8_t)restore->spare32;
    order->leg = (uint8_t)(restore->spare32 >> 8);
    order->role = (uint8_t)(restore->spare32 >> 16);
    order->tif = (uint8_t)(restore->spare32 >> 24);
    order->flags = (uint8_t)restore->spare64;
    order->instance = (uint16_t)(restore->spare64 >> 8);
    order->side = restore->side;
    order->status = restore->status;
    order->stranger = (restore->flags & REPORT_FOREIGN) != 0;
    order->pending = restore->request == REQUEST_NONE ? 0 : (uint8_t)(1u << restore->request);
    order->acked = (restore->flags & REPORT_TERMINAL) != 0 || live || restore->venue_order_id[0] != '\0';
    name_at_venue(reduce, order, restore->venue_order_id);
    uint64_t counter = order_id_counter(restore->order) + 1;
    reduce->counter_next = counter > reduce->counter_next ? counter : reduce->counter_next;
}

static void on_restore_exec(struct reduce *reduce, const struct record_report *restore)
{
    if (restore->exec_id != 0 && exec_find(reduce, restore->head.account, restore->head.instrument,
                                           restore->side, restore->exec_id) == NULL) {
        exec_note(reduce, restore);
    }
}

static void on_begin(struct reduce *reduce, const struct record_begin_run *begin)
{
    forget(reduce);
    reduce->begin = *begin;
    reduce->began = true;
    reduce->clock_wall_ns = begin->wall_ns;
    reduce->clock_stamp_ns = begin->head.stamp_ns;
}

/* ------------------------------------------------------------------ one record */

/* Slots a type needs before its fields may be read. */
static uint8_t slots_needed(uint8_t type)
{
    if (type >= RECORD_ACK && type <= RECORD_CANCEL_ACK && type != RECORD_BALANCE &&
        type != RECORD_POSITION && type != RECORD_GATEWAY_STATE) {
        return 3;
    }
    if (type == RECORD_RESTORE_ORDER || type == RECORD_RESTORE_EXEC) {
        return 3;
    }
    if (type == RECORD_RESTORE_LEDGER) {
        return record_slots_for_blob(sizeof(struct restore_ledger));
    }
    return type == RECORD_BEGIN || (type >= RECORD_ORDER_NEW && type <= RECORD_CANCEL_ALL) ? 2 : 1;
}

void reduce_record(struct reduce *reduce, const struct slot *record)
{
    const struct record_head *head = record_head_of(record);
    if (head->slot_count < slots_needed(head->type)) {
        reduce->counts.refused_steps++;
        return;
    }
    if (head->type == RECORD_BEGIN) {
        on_begin(reduce, (const struct record_begin_run *)head);
    }
    reduce->counts.records++;
    ledger_record(reduce->ledger, record);
    reduce->stamp_ns = head->stamp_ns > reduce->stamp_ns ? head->stamp_ns : reduce->stamp_ns;

    switch ((enum record_type)head->type) {
    case RECORD_CLOCK:
        reduce->clock_wall_ns = ((const struct record_clock *)head)->wall_ns;
        reduce->clock_stamp_ns = head->stamp_ns;
        break;
    case RECORD_MARK:
        if (head->instrument < INSTRUMENT_MAX) {
            reduce->last_mark[head->instrument] = ((const struct record_mark *)head)->mark;
        }
        break;
    case RECORD_ACK:
    case RECORD_REJECT:
    case RECORD_FILL:
    case RECORD_CANCELLED:
    case RECORD_EXPIRED:
    case RECORD_AMENDED:
    case RECORD_ORDER_STATE:
    case RECORD_UNKNOWN:
    case RECORD_CANCEL_ACK:
        on_report(reduce, (const struct record_report *)head);
        break;
    case RECORD_DELIVERY:
        if (head->instrument < INSTRUMENT_MAX) {
            reduce->state[head->instrument].status = INSTRUMENT_CLOSED;
        }
        on_delivery(reduce, (const struct record_delivery *)head);
        break;
    case RECORD_BALANCE:
        on_balance(reduce, (const struct record_balance *)head);
        break;
    case RECORD_POSITION:
        on_venue_position(reduce, (const struct record_position *)head);
        break;
    case RECORD_TEXT:
    case RECORD_FEE:
    case RECORD_CONVERT:
    case RECORD_RISK:
        head_keep(reduce, record);
        break;
    case RECORD_INSTRUMENT_STATE:
        on_state(reduce, (const struct record_state *)head);
        break;
    case RECORD_CURRENCY:
        head_keep(reduce, record);
        on_currency(reduce, (const struct record_currency *)head);
        break;
    case RECORD_INSTRUMENT:
        head_keep(reduce, record);
        on_instrument(reduce, record);
        break;
    case RECORD_ACCOUNT:
        head_keep(reduce, record);
        on_account(reduce, record);
        break;
    case RECORD_PARAMS:
        head_keep(reduce, record);
        on_params(reduce, record);
        break;
    case RECORD_RESTORE_POSITION:
        on_restore_position(reduce, (const struct record_restore_position *)head);
        break;
    case RECORD_RESTORE_ORDER:
        on_restore_order(reduce, (const struct record_report *)head);
        break;
    case RECORD_RESTORE_EXEC:
        on_restore_exec(reduce, (const struct record_report *)head);
        break;
    case RECORD_RESTORE_COUNTER: {
        const struct record_counter_block *block = (const struct record_counter_block *)head;
        reduce->counter_next = block->next > reduce->counter_next ? block->next : reduce->counter_next;
        reduce->counter_end = block->end > reduce->counter_end ? block->end : reduce->counter_end;
        break;
    }
    case RECORD_RESTORE_DONE:
        reduce->restored = true;
        break;
    case RECORD_RESTORE_CASH: {
        const struct record_restore_cash *cash = (const struct record_restore_cash *)head;
        if (cash->part < PNL_PART_COUNT) {
            cash_add(reduce, head->account, cash->instance, cash->currency, (enum pnl_part)cash->part,
                     cash->amount_e8);
        }
        break;
    }
    case RECORD_ORDER_NEW:
    case RECORD_ORDER_AMEND:
    case RECORD_ORDER_CANCEL:
    case RECORD_ORDER_QUERY:
    case RECORD_CANCEL_ALL:
        on_order(reduce, (const struct record_order *)head);
        break;
    case RECORD_LOST:
        reduce->counts.lost += ((const struct record_lost *)head)->count;
        break;
    default:
        break;
    }
}

/* ------------------------------------------------------------------ what comes out */

void reduce_head(const struct reduce *reduce, uint32_t segment, reduce_emit emit, void *context)
{
    struct slot record[2];
    memset(record, 0, sizeof record);
    struct record_begin_run *begin =
        (struct record_begin_run *)record_begin(record, RECORD_BEGIN, 2, reduce->begin.head.stamp_ns);
    begin->run = reduce->begin.run;
    begin->wall_ns = reduce->begin.wall_ns;
    begin->layout_hash = reduce->begin.layout_hash;
    begin->segment = segment;
    begin->engine = reduce->begin.engine;
    begin->mode = reduce->begin.mode;
    memcpy(begin->build_id, reduce->begin.build_id, sizeof begin->build_id);
    emit(context, record);
    for (uint32_t at = 0; at < reduce->head_used;) {
        emit(context, &reduce->head[at]);
        at += record_head_of(&reduce->head[at])->slot_count;
    }
}

static void emit_order(const struct reduce *reduce, const struct reduce_order *order, reduce_emit emit,
                       void *context)
{
    (void)reduce;
    struct slot record[3];
    memset(record, 0, sizeof record);
    struct record_report *report =
        (struct record_report *)record_begin(record, RECORD_RESTORE_ORDER, 3, order->sent_ns);
    report->head.instrument = order->instrument;
    report->head.account = order->account;
    report->order = order->order;
    report->price = order->price;
    report->order_price = order->price;
    report->order_qty = order->qty;
    report->cum_qty = order->filled;
    report->realised_e8 = order->told;
    report->fee_e8 = order->reference_price;
    report->flags = order->stranger ? REPORT_HAS_CUM | REPORT_FOREIGN : REPORT_HAS_CUM;
    report->side = order->side;
    report->venue_time_ns = order->sent_wall_ns;
    report->fee_currency = CURRENCY_NONE;
    bool sure = order->state == REDUCE_LIVE && order->pending == 0;
    report->status = !sure                ? ORDER_STATUS_NONE
                     : order->filled != 0 ? ORDER_STATUS_PARTIAL
                                          : ORDER_STATUS_OPEN;
    for (uint8_t kind = REQUEST_NEW; kind <= REQUEST_CANCEL; kind++) {
        if ((order->pending & 1u << kind) != 0) {
            report->request = kind;
            break;
        }
    }
    report->spare32 =
        order->level | (uint32_t)order->leg << 8 | (uint32_t)order->role << 16 | (uint32_t)order->tif << 24;
    report->spare64 = order->flags | (uint64_t)order->instance << 8;
    memcpy(report->venue_order_id, order->venue_order_id, VENUE_ORDER_ID_BYTES);
    emit(context, record);
}

static void emit_exec(const struct reduce *reduce, const struct exec *exec, reduce_emit emit, void *context)
{
    struct slot record[3];
    memset(record, 0, sizeof record);
    struct record_report *report =
        (struct record_report *)record_begin(record, RECORD_RESTORE_EXEC, 3, reduce->stamp_ns);
    report->head.instrument = exec->instrument;
    report->head.account = exec->account;
    report->order = exec->order;
    report->exec_id = exec->exec_id;
    report->price = exec->price;
    report->last_qty = exec->qty;
    report->side = exec->side;
    report->fee_currency = CURRENCY_NONE;
    report->spare32 = exec->has_fee ? 0 : 1;
    report->flags = (uint8_t)(REPORT_HAS_LAST | (exec->open_price ? REPORT_PRICE_OPEN : 0) |
                              (exec->has_fee ? REPORT_HAS_FEE : 0));
    emit(context, record);
}

/* Visits orders that have not ended in the order of their ids' counters, which is the order they were sent.
 */
static int compare_orders(const void *a, const void *b)
{
    const struct reduce_order *x = *(const struct reduce_order *const *)a;
    const struct reduce_order *y = *(const struct reduce_order *const *)b;
    uint64_t p = order_id_counter(x->order), q = order_id_counter(y->order);
    return p < q ? -1 : p > q ? 1 : x->order < y->order ? -1 : x->order > y->order;
}

void reduce_orders(const struct reduce *reduce,
                   void (*visit)(void *context, const struct reduce_order *order), void *context)
{
    uint32_t count = 0;
    const struct reduce_order **open = take(reduce->orders_used + 1, sizeof(void *));
    for (uint32_t i = 0; i < reduce->orders_used; i++) {
        uint8_t state = reduce->orders[i].state;
        if (state != REDUCE_NONE && state != REDUCE_DONE) {
            open[count++] = &reduce->orders[i];
        }
    }
    if (count > 1) {
        qsort(open, count, sizeof(void *), compare_orders);
    }
    for (uint32_t i = 0; i < count; i++) {
        visit(context, open[i]);
    }
    free(open);
}

/* What an instance has made since its first fill, as the ledger has it. */
static void emit_pnl(const struct reduce *reduce, const struct quote_params *params, reduce_emit emit,
                     void *context)
{
    struct slot record[2];
    memset(record, 0, sizeof record);
    struct record_restore_pnl *pnl =
        (struct record_restore_pnl *)record_begin(record, RECORD_RESTORE_PNL, 2, reduce->stamp_ns);
    if (ledger_since(reduce->ledger, params->instance, &pnl->first_e8, pnl->part_e8)) {
        pnl->instance = params->instance;
        pnl->currency = ledger_report_currency(reduce->ledger);
        pnl->allocation_e8 = params->delta_basis == DELTA_USD ? params->allocation_e8 : 0;
        emit(context, record);
    }
}

struct emit_orders {
    const struct reduce *reduce;
    reduce_emit emit;
    void *context;
};

static void emit_visited(void *context, const struct reduce_order *order)
{
    struct emit_orders *to = context;
    emit_order(to->reduce, order, to->emit, to->context);
}

void reduce_restore(const struct reduce *reduce, reduce_emit emit, void *context)
{
    struct slot record[3];
    ledger_restore(reduce->ledger, emit, context); /* first: it says what the cash below is made of */
    for (uint32_t i = 0; i < reduce->params_count; i++) {
        emit_pnl(reduce, &reduce->params[i], emit, context);
    }
    for (uint32_t i = 0; i < reduce->position_count; i++) {
        const struct reduce_position *row = &reduce->position[i];
        if (row->position.qty == 0 && row->position.notional_e12 == 0) {
            continue;
        }
        struct record_restore_position *restore = (struct record_restore_position *)record_begin(
            record, RECORD_RESTORE_POSITION, 1, reduce->stamp_ns);
        restore->head.instrument = row->instrument;
        restore->head.account = row->account;
        restore->instance = row->instance;
        restore->leg = row->leg;
        restore->qty = row->position.qty;
        restore->notional_high = (int64_t)(row->position.notional_e12 >> 64);
        restore->notional_low = (uint64_t)row->position.notional_e12;
        emit(context, record);
    }
    struct emit_orders orders = { .reduce = reduce, .emit = emit, .context = context };
    reduce_orders(reduce, emit_visited, &orders);

    uint64_t held = reduce->exec_count < REDUCE_EXECS_MAX ? reduce->exec_count : REDUCE_EXECS_MAX;
    uint64_t recent = held < REDUCE_RESTORE_EXECS ? held : REDUCE_RESTORE_EXECS;
    uint64_t recent_from = reduce->exec_count - recent;
    for (uint32_t p = 0; p < reduce->page_count; p++) {
        /* The ids that paging leans on go first where they are older than what follows. */
        for (uint32_t i = 0; i < reduce->page[p].count; i++) {
            const struct page *page = &reduce->page[p];
            bool known = false;
            for (uint8_t side = SIDE_BUY; side <= SIDE_SELL; side++) {
                const struct exec *exec =
                    exec_find(reduce, page->account, page->instrument, side, page->exec_id[i]);
                known |= exec != NULL;
                if (exec != NULL &&
                    (reduce->exec_count - 1 - (uint64_t)(exec - reduce->execs)) % REDUCE_EXECS_MAX >=
                        recent) {
                    emit_exec(reduce, exec, emit, context);
                }
            }
            for (uint8_t side = SIDE_BUY; side <= SIDE_SELL && !known; side++) {
                struct exec bare = { .exec_id = page->exec_id[i],
                                     .account = page->account,
                                     .instrument = page->instrument,
                                     .side = side,
                                     .has_fee = true };
                emit_exec(reduce, &bare, emit, context);
            }
        }
    }
    for (uint64_t i = recent_from; i < reduce->exec_count; i++) {
        emit_exec(reduce, &reduce->execs[i % REDUCE_EXECS_MAX], emit, context);
    }

    struct record_counter_block *block =
        (struct record_counter_block *)record_begin(record, RECORD_RESTORE_COUNTER, 1, reduce->stamp_ns);
    block->next = reduce->counter_next;
    block->end = reduce->counter_end > reduce->counter_next ? reduce->counter_end : reduce->counter_next;
    emit(context, record);

    for (uint32_t i = 0; i < reduce->cash_count; i++) {
        const struct reduce_cash *row = &reduce->cash[i];
        if (row->amount_e8 == 0) {
            continue;
        }
        struct record_restore_cash *restore =
            (struct record_restore_cash *)record_begin(record, RECORD_RESTORE_CASH, 1, reduce->stamp_ns);
        restore->head.account = row->account;
        restore->instance = row->instance;
        restore->currency = row->currency;
        restore->part = row->part;
        restore->amount_e8 = row->amount_e8;
        emit(context, record);
    }
}

void reduce_opinion(const struct reduce *reduce, reduce_emit emit, void *context)
{
    struct slot record;
    for (uint32_t i = 0; i < reduce->venue_position_count; i++) {
        memcpy(record.payload, &reduce->venue_position[i].last, SLOT_PAYLOAD_BYTES);
        emit(context, &record);
    }
    for (uint32_t i = 0; i < reduce->venue_balance_count; i++) {
        struct record_balance balance = reduce->venue_balance[i].last;
        balance.change_e8 = 0; /* it was counted: what remains is how much there is */
        memcpy(record.payload, &balance, SLOT_PAYLOAD_BYTES);
        emit(context, &record);
    }
    if (reduce->clock_wall_ns != 0) {
        struct record_clock *clock =
            (struct record_clock *)record_begin(&record, RECORD_CLOCK, 1, reduce->clock_stamp_ns);
        clock->wall_ns = reduce->clock_wall_ns;
        emit(context, &record);
    }
}

/* ------------------------------------------------------------------ questions */

const struct instrument_table *reduce_instruments(const struct reduce *reduce)
{
    return &reduce->instruments;
}

const struct reduce_traded *reduce_traded(const struct reduce *reduce, uint16_t instrument)
{
    POISE_ASSERT(instrument < INSTRUMENT_MAX);
    return &reduce->state[instrument];
}

const struct account_table *reduce_accounts(const struct reduce *reduce)
{
    return &reduce->accounts;
}

const struct record_begin_run *reduce_begin(const struct reduce *reduce)
{
    return reduce->began ? &reduce->begin : NULL;
}

struct ledger *reduce_ledger(const struct reduce *reduce)
{
    return reduce->ledger;
}

bool reduce_restored(const struct reduce *reduce)
{
    return reduce->began && reduce->restored;
}

uint32_t reduce_position_count(const struct reduce *reduce)
{
    return reduce->position_count;
}

const struct reduce_position *reduce_position_at(const struct reduce *reduce, uint32_t i)
{
    return &reduce->position[i];
}

int64_t reduce_position_sum(const struct reduce *reduce, uint16_t account, uint16_t instrument)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < reduce->position_count; i++) {
        if (reduce->position[i].account == account && reduce->position[i].instrument == instrument) {
            sum += reduce->position[i].position.qty;
        }
    }
    return sum;
}

bool reduce_position_any(const struct reduce *reduce, uint16_t account, uint16_t instrument)
{
    for (uint32_t i = 0; i < reduce->position_count; i++) {
        const struct reduce_position *row = &reduce->position[i];
        if (row->account == account && row->instrument == instrument && row->position.qty != 0) {
            return true;
        }
    }
    return false;
}

uint32_t reduce_cash_count(const struct reduce *reduce)
{
    return reduce->cash_count;
}

const struct reduce_cash *reduce_cash_at(const struct reduce *reduce, uint32_t i)
{
    return &reduce->cash[i];
}

const struct reduce_venue_position *reduce_venue_position(const struct reduce *reduce, uint16_t account,
                                                          uint16_t instrument)
{
    for (uint32_t i = 0; i < reduce->venue_position_count; i++) {
        if (reduce->venue_position[i].account == account &&
            reduce->venue_position[i].instrument == instrument) {
            return &reduce->venue_position[i];
        }
    }
    return NULL;
}

const struct reduce_venue_balance *reduce_venue_balance(const struct reduce *reduce, uint16_t account,
                                                        uint16_t currency)
{
    for (uint32_t i = 0; i < reduce->venue_balance_count; i++) {
        if (reduce->venue_balance[i].account == account && reduce->venue_balance[i].currency == currency) {
            return &reduce->venue_balance[i];
        }
    }
    return NULL;
}

uint64_t reduce_counter(const struct reduce *reduce)
{
    return reduce->counter_end > reduce->counter_next ? reduce->counter_end : reduce->counter_next;
}

uint64_t reduce_stamp_ns(const struct reduce *reduce)
{
    return reduce->stamp_ns;
}

int64_t reduce_wall_ns(const struct reduce *reduce)
{
    return wall_at(reduce,
                   reduce->stamp_ns > reduce->clock_stamp_ns ? reduce->stamp_ns : reduce->clock_stamp_ns);
}

void reduce_counts(const struct reduce *reduce, struct reduce_counts *counts)
{
    *counts = reduce->counts;
}
