#include "cold/store.h"

#include "cold/ledger.h"
#include "config/params.h"
#include "ring/account.h"
#include "ring/decimal.h"
#include "ring/order_id.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* clang-format off */
const char *const store_tables[STORE_TABLE_COUNT] = {
    [STORE_RUNS]      = "runs",
    [STORE_ORDERS]    = "orders",
    [STORE_FILLS]     = "fills",
    [STORE_POSITIONS] = "positions",
    [STORE_BALANCES]  = "balances",
    [STORE_PNL]       = "pnl",
    [STORE_EVENTS]    = "events",
    [STORE_LEDGER]    = "ledger",
};

const char *const store_columns[STORE_TABLE_COUNT] = {
    [STORE_RUNS]      = "engine,mode,build_id,layout_hash",
    [STORE_ORDERS]    = "kind,order_id,instance,account,instrument,side,role,price,qty,cum_qty,tif,flags,level,"
                        "status,reason,request,venue_order_id,venue_code",
    [STORE_FILLS]     = "order_id,exec_id,instance,account,instrument,side,price,qty,cum_qty,fee_e8,fee_currency,"
                        "realised_e8,liquidity,venue_order_id,venue_time_ns,source",
    [STORE_POSITIONS] = "account,instrument,qty,entry_e8,unrealised_e8,liquidation_e8,venue_time_ns,source",
    [STORE_BALANCES]  = "account,currency,total_e8,available_e8,change_e8,reason,venue_time_ns,source",
    [STORE_PNL]       = "instance,state,quote_qty,hedge_qty,delta_e8,fills,hedges,naked_ns,max_naked_ns,trading_e8,"
                        "basis_e8,funding_e8,fee_e8,slippage_e8,residual_e8,rounding_e8",
    [STORE_EVENTS]    = "code,name,instance,severity,account,instrument,value_0,value_1,value_2,value_3",
    [STORE_LEDGER]    = "instance,account,currency,book,part_name,amount_e8,instrument",
};

static const char *const mode_names[] = { "?", "sim", "paper", "live", "backtest" };
static const char *const side_names[] = { "buy", "sell" };
static const char *const role_names_of_orders[] = { "?", "quote", "hedge", "flatten", "entry", "exit" };
static const char *const tif_names[] = { "gtc", "ioc", "fok" };
static const char *const liquidity_names[] = { "?", "maker", "taker" };
static const char *const request_names[] = { "?", "new", "amend", "cancel", "query", "cancel_all" };
static const char *const status_names[] = { "?", "open", "partial", "filled", "cancelled", "expired", "rejected",
                                            "untriggered", "not_found" };
static const char *const reason_names[REASON_COUNT] = {
    [REASON_NONE] = "none", [REASON_POST_ONLY] = "post_only", [REASON_FILTER] = "filter",
    [REASON_PRICE_BAND] = "price_band", [REASON_BALANCE] = "balance", [REASON_REDUCE_ONLY] = "reduce_only",
    [REASON_RATE_LIMIT] = "rate_limit", [REASON_NOT_FOUND] = "not_found", [REASON_DUPLICATE_ID] = "duplicate_id",
    [REASON_TIME] = "time", [REASON_AUTH] = "auth", [REASON_SUSPENDED] = "suspended",
    [REASON_UNCHANGED] = "unchanged", [REASON_SELF_TRADE] = "self_trade", [REASON_IOC] = "ioc",
    [REASON_LIQUIDATION] = "liquidation", [REASON_DEAD_MAN] = "dead_man", [REASON_NOT_SENT] = "not_sent",
    [REASON_OTHER] = "other", [REASON_DELIVERY] = "delivery",
};
static const char *const cash_names[] = { "unknown", "order", "funding", "transfer", "fee", "liquidation",
                                          "settlement", "interest", "snapshot", "adjustment", "dividend", "accrued",
                                          "settled", "history" };
static const char *const event_names[] = {
    [EVENT_NONE] = "none", [EVENT_HALT] = "halt", [EVENT_RESUMED] = "resumed", [EVENT_STOPPED] = "stopped",
    [EVENT_LADDER] = "ladder", [EVENT_NAKED_CLEARED] = "naked_cleared",
    [EVENT_DUPLICATE_FILL] = "duplicate_fill", [EVENT_UNKNOWN_ORDER] = "unknown_order",
    [EVENT_TABLE_REFUSED] = "table_refused", [EVENT_QUOTES_PULLED] = "quotes_pulled",
    [EVENT_QUOTES_BACK] = "quotes_back", [EVENT_POSITION_DIFFERS] = "position_differs",
    [EVENT_RISK_REFUSED] = "risk_refused", [EVENT_CONSERVATION] = "conservation",
    [EVENT_JOURNAL_FULL] = "journal_full", [EVENT_FAIR_OFFSET] = "fair_offset",
    [EVENT_SELF_CROSS] = "self_cross", [EVENT_COUNTER_LOW] = "counter_low",
};
static const char *const book_names[LEDGER_BOOK_COUNT] = { "cash", "part", "exchange", "transfer", "opening" };
static const char *const part_names[PNL_PART_COUNT] = { "trading", "basis", "funding", "fee", "slippage",
                                                        "residual", "rounding" };
/* clang-format on */

struct store {
    struct store_backend backend;
    struct store_counts counts;

    struct store_row *queue; /* STORE_QUEUE_ROWS, a circle */
    uint32_t first;
    uint64_t waiting_since_ns; /* 0: nothing waits */
    uint64_t retry_ns, retry_after_ns;

    bool missing;
    uint64_t missing_run, missing_number;

    int64_t wall_minus_stamp_ns;
    bool wall_known;
    uint64_t pnl_second[PARAMS_INSTANCE_MAX];
    char instance_name[PARAMS_INSTANCE_MAX][PARAMS_NAME_BYTES];
    char account_name[ACCOUNT_MAX][ACCOUNT_NAME_BYTES];
    struct currency currency[CURRENCY_MAX];
    uint32_t currency_count;
    struct instrument instrument[INSTRUMENT_MAX]; /* name "" while unknown */
};

struct store *store_make(const struct store_backend *backend)
{
    struct store *store = calloc(1, sizeof *store);
    struct store_row *queue = calloc(STORE_QUEUE_ROWS, sizeof *queue);
    if (store == NULL || queue == NULL) {
        free(store);
        free(queue);
        return NULL;
    }
    store->backend = *backend;
    store->queue = queue;
    store->retry_after_ns = STORE_RETRY_NS;
    return store;
}

/* ------------------------------------------------------------------ rows */

static struct store_row *open_row(struct store *store, enum store_table table, uint64_t run, uint64_t number)
{
    if (store->counts.queued == STORE_QUEUE_ROWS) {
        store->counts.dropped++;
        if (!store->missing || run < store->missing_run ||
            (run == store->missing_run && number < store->missing_number)) {
            store->missing_run = run;
            store->missing_number = number;
        }
        store->missing = true;
        return NULL;
    }
    struct store_row *row = &store->queue[(store->first + store->counts.queued) % STORE_QUEUE_ROWS];
    store->counts.queued++;
    row->table = (uint8_t)table;
    row->value_count = 0;
    row->part = 0;
    row->run = run;
    row->number = number;
    row->wall_ns = 0;
    return row;
}

static struct store_value *next_value(struct store_row *row)
{
    POISE_ASSERT(row->value_count < STORE_VALUES_MAX);
    return &row->value[row->value_count++];
}

static void put_number(struct store_row *row, int64_t number)
{
    struct store_value *value = next_value(row);
    value->is_text = false;
    value->is_null = false;
    value->number = number;
}

static void put_null(struct store_row *row)
{
    next_value(row)->is_null = true;
}

/* INT64_MIN is how records say "unknown". */
static void put_known(struct store_row *row, bool known, int64_t number)
{
    if (known && number != INT64_MIN) {
        put_number(row, number);
    } else {
        put_null(row);
    }
}

static void put_text(struct store_row *row, const char *text, size_t bytes)
{
    struct store_value *value = next_value(row);
    size_t used = 0;
    while (used < bytes && used + 1 < STORE_TEXT_BYTES && text[used] != '\0') {
        used++;
    }
    bytes = used;
    value->is_text = true;
    value->is_null = bytes == 0;
    memcpy(value->text, text, bytes);
    value->text[bytes] = '\0';
}

#define put_name(row, names, index)                                                                          \
    put_text((row), (index) < POISE_COUNT_OF(names) && (names)[(index)] != NULL ? (names)[(index)] : "?",    \
             STORE_TEXT_BYTES)

static void put_instance(const struct store *store, struct store_row *row, uint16_t instance)
{
    char number[16];
    if (instance >= PARAMS_INSTANCE_MAX) {
        put_null(row);
    } else if (store->instance_name[instance][0] != '\0') {
        put_text(row, store->instance_name[instance], PARAMS_NAME_BYTES);
    } else {
        put_text(row, number, (size_t)snprintf(number, sizeof number, "%u", instance));
    }
}

static void put_account(const struct store *store, struct store_row *row, uint16_t account)
{
    char number[16];
    if (account >= ACCOUNT_MAX) {
        put_null(row);
    } else if (store->account_name[account][0] != '\0') {
        put_text(row, store->account_name[account], ACCOUNT_NAME_BYTES);
    } else {
        put_text(row, number, (size_t)snprintf(number, sizeof number, "%u", account));
    }
}

static const struct instrument *instrument_of(const struct store *store, uint16_t index)
{
    return index < INSTRUMENT_MAX && store->instrument[index].name[0] != '\0' ? &store->instrument[index]
                                                                              : NULL;
}

static void put_instrument(const struct store *store, struct store_row *row, uint16_t index)
{
    const struct instrument *instrument = instrument_of(store, index);
    char number[16];
    if (instrument != NULL) {
        put_text(row, instrument->name, INSTRUMENT_NAME_BYTES);
    } else if (index != NO_INSTRUMENT) {
        put_text(row, number, (size_t)snprintf(number, sizeof number, "%u", index));
    } else {
        put_null(row);
    }
}

/* Prices and quantities stand as decimals, exact, the way the venue writes them; of an instrument that was
 * never told, as "8 units": the row must not be lost for it. */
static void put_units(struct store_row *row, bool told, int64_t value, int decimals)
{
    char text[DECIMAL_TEXT_BYTES + 8];
    if (told) {
        put_text(row, text, decimal_print_short(text, value, decimals));
    } else {
        put_text(row, text, (size_t)snprintf(text, sizeof text, "%lld units", (long long)value));
    }
}

static void put_price(const struct store *store, struct store_row *row, uint16_t index, int64_t price)
{
    const struct instrument *instrument = instrument_of(store, index);
    if (price == 0) {
        put_null(row);
        return;
    }
    put_units(row, instrument != NULL, price, instrument != NULL ? instrument->price_decimals : 0);
}

static void put_qty(const struct store *store, struct store_row *row, uint16_t index, bool known, int64_t qty)
{
    const struct instrument *instrument = instrument_of(store, index);
    if (!known) {
        put_null(row);
        return;
    }
    put_units(row, instrument != NULL, qty, instrument != NULL ? instrument->qty_decimals : 0);
}

static void put_currency(const struct store *store, struct store_row *row, bool known, uint16_t currency)
{
    char number[16];
    if (!known || currency == CURRENCY_NONE) {
        put_null(row);
    } else if (currency < store->currency_count) {
        put_text(row, store->currency[currency].code, CURRENCY_BYTES);
    } else {
        put_text(row, number, (size_t)snprintf(number, sizeof number, "%u", currency));
    }
}

static void put_order_id(struct store_row *row, uint64_t order)
{
    char text[ORDER_ID_TEXT_BYTES];
    if (order == 0) {
        put_null(row);
        return;
    }
    order_id_print(text, order);
    put_text(row, text, sizeof text);
}

static void put_source(struct store_row *row, const struct record_head *head)
{
    put_text(row, (head->flags & RECORD_FLAG_REST) != 0 ? "rest" : "stream", STORE_TEXT_BYTES);
}

/* ------------------------------------------------------------------ records to rows */

static void order_row(const struct store *store, struct store_row *row, const struct record_order *order)
{
    const struct record_head *head = &order->head;
    bool sized = head->type == RECORD_ORDER_NEW || head->type == RECORD_ORDER_AMEND;

    put_text(row, record_type_name(head->type), STORE_TEXT_BYTES);
    put_order_id(row, order->order);
    put_instance(store, row, order->instance);
    put_account(store, row, head->account);
    put_instrument(store, row, head->instrument);
    if (sized) {
        put_name(row, side_names, order->side);
        put_name(row, role_names_of_orders, order->role);
    } else {
        put_null(row);
        put_null(row);
    }
    put_price(store, row, head->instrument, sized ? order->price : 0);
    put_qty(store, row, head->instrument, sized, order->qty);
    put_qty(store, row, head->instrument, sized, order->cum_qty);
    if (head->type == RECORD_ORDER_NEW) {
        put_name(row, tif_names, order->tif);
    } else {
        put_null(row);
    }
    put_number(row, order->flags);
    put_number(row, order->level);
    for (int i = 0; i < 5; i++) {
        put_null(row); /* status, reason, request, venue_order_id, venue_code: the venue's */
    }
}

static void report_row(const struct store *store, struct store_row *row, const struct record_report *report)
{
    const struct record_head *head = &report->head;

    put_text(row, record_type_name(head->type), STORE_TEXT_BYTES);
    put_order_id(row, report->order);
    put_instance(store, row, report->order != 0 ? (uint16_t)order_id_instance(report->order) : NO_INSTANCE);
    put_account(store, row, head->account);
    put_instrument(store, row, head->instrument);
    put_name(row, side_names, report->side);
    put_null(row);
    put_price(store, row, head->instrument, report->order_price != 0 ? report->order_price : report->price);
    put_qty(store, row, head->instrument, report->order_qty != 0, report->order_qty);
    put_qty(store, row, head->instrument, (report->flags & REPORT_HAS_CUM) != 0, report->cum_qty);
    put_null(row);
    put_number(row, report->flags);
    put_null(row);
    put_name(row, status_names, report->status);
    put_name(row, reason_names, report->reason);
    put_name(row, request_names, report->request);
    put_text(row, report->venue_order_id, VENUE_ORDER_ID_BYTES);
    put_number(row, report->venue_code);
}

static void fill_row(const struct store *store, struct store_row *row, const struct record_report *report)
{
    const struct record_head *head = &report->head;
    bool has_fee = (report->flags & REPORT_HAS_FEE) != 0;

    put_order_id(row, report->order);
    put_number(row, (int64_t)report->exec_id);
    put_instance(store, row, report->order != 0 ? (uint16_t)order_id_instance(report->order) : NO_INSTANCE);
    put_account(store, row, head->account);
    put_instrument(store, row, head->instrument);
    put_name(row, side_names, report->side);
    put_price(store, row, head->instrument, report->price);
    put_qty(store, row, head->instrument, true, report->last_qty);
    put_qty(store, row, head->instrument, (report->flags & REPORT_HAS_CUM) != 0, report->cum_qty);
    put_known(row, has_fee, report->fee_e8);
    put_currency(store, row, has_fee, report->fee_currency);
    put_known(row, (report->flags & REPORT_HAS_REALISED) != 0, report->realised_e8);
    put_name(row, liquidity_names, report->liquidity);
    put_text(row, report->venue_order_id, VENUE_ORDER_ID_BYTES);
    put_number(row, report->venue_time_ns);
    put_source(row, head);
}

static void position_row(const struct store *store, struct store_row *row,
                         const struct record_position *position)
{
    put_account(store, row, position->head.account);
    put_instrument(store, row, position->head.instrument);
    put_qty(store, row, position->head.instrument, true, position->qty);
    put_known(row, position->entry_e8 != 0, position->entry_e8);
    put_known(row, true, position->unrealised_e8);
    put_known(row, position->liquidation_e8 != 0, position->liquidation_e8);
    put_number(row, position->venue_time_ns);
    put_source(row, &position->head);
}

static void balance_row(const struct store *store, struct store_row *row,
                        const struct record_balance *balance)
{
    put_account(store, row, balance->head.account);
    put_currency(store, row, true, balance->currency);
    put_number(row, balance->total_e8);
    put_known(row, true, balance->available_e8);
    put_number(row, balance->change_e8);
    put_name(row, cash_names, balance->reason);
    put_number(row, balance->venue_time_ns);
    put_source(row, &balance->head);
}

static void pnl_row(const struct store *store, struct store_row *row, const struct record_status *status)
{
    put_instance(store, row, status->instance);
    put_number(row, status->state);
    put_number(row, status->quote_qty);
    put_number(row, status->hedge_qty);
    put_number(row, status->delta_e8);
    put_number(row, status->fills);
    put_number(row, status->hedges);
    put_number(row, status->naked_ns);
    put_number(row, status->max_naked_ns);
    for (int i = 0; i < PNL_PART_COUNT; i++) {
        put_number(row, status->pnl_e8[i]);
    }
}

static void event_row(const struct store *store, struct store_row *row, const struct record_event *event)
{
    put_number(row, event->code);
    put_name(row, event_names, event->code);
    put_instance(store, row, event->instance);
    put_number(row, event->severity);
    put_account(store, row, event->head.account);
    put_instrument(store, row, event->head.instrument);
    for (int i = 0; i < 4; i++) {
        put_number(row, event->value[i]);
    }
}

static void run_row(struct store_row *row, const struct record_begin_run *begin)
{
    put_number(row, begin->engine);
    put_name(row, mode_names, begin->mode);
    put_text(row, begin->build_id, sizeof begin->build_id);
    put_number(row, (int64_t)begin->layout_hash);
}

static void learn_currency(struct store *store, const struct record_currency *currency)
{
    if (currency->currency < CURRENCY_MAX) {
        memcpy(store->currency[currency->currency].code, currency->code, CURRENCY_BYTES);
        store->currency_count = (uint32_t)base_max(store->currency_count, currency->currency + 1);
    }
}

/* Names that rows carry, learned from the head of a run. */
static void learn(struct store *store, const struct slot *record)
{
    switch (record_head_of(record)->type) {
    case RECORD_INSTRUMENT: {
        struct instrument row;
        record_blob_read(record, &row, sizeof row);
        if (row.index < INSTRUMENT_MAX) {
            store->instrument[row.index] = row;
        }
        break;
    }
    case RECORD_ACCOUNT: {
        struct account row;
        record_blob_read(record, &row, sizeof row);
        if (row.index < ACCOUNT_MAX) {
            memcpy(store->account_name[row.index], row.name, ACCOUNT_NAME_BYTES);
        }
        break;
    }
    case RECORD_CURRENCY:
        learn_currency(store, (const struct record_currency *)(const void *)record);
        break;
    case RECORD_PARAMS: {
        struct quote_params params;
        record_blob_read(record, &params, sizeof params);
        if (params.instance < PARAMS_INSTANCE_MAX) {
            memcpy(store->instance_name[params.instance], params.name, PARAMS_NAME_BYTES);
        }
        break;
    }
    default:
        break;
    }
}

void store_currencies(struct store *store, const struct instrument_table *table)
{
    memcpy(store->currency, table->currency, sizeof store->currency);
    store->currency_count = table->currency_count;
}

static void learn_time(struct store *store, const struct record_head *head, int64_t wall_ns)
{
    store->wall_minus_stamp_ns = wall_ns - (int64_t)head->stamp_ns;
    store->wall_known = true;
}

void store_record(struct store *store, uint64_t run, uint64_t number, const struct slot *record)
{
    const struct record_head *head = record_head_of(record);
    enum store_table table;

    learn(store, record);
    switch (head->type) {
    case RECORD_CLOCK:
        learn_time(store, head, ((const struct record_clock *)(const void *)record)->wall_ns);
        return;
    case RECORD_BEGIN:
        learn_time(store, head, ((const struct record_begin_run *)(const void *)record)->wall_ns);
        table = STORE_RUNS;
        number = 0; /* every segment of a run begins with it */
        break;
    case RECORD_ACK:
    case RECORD_REJECT:
    case RECORD_CANCELLED:
    case RECORD_EXPIRED:
    case RECORD_AMENDED:
    case RECORD_ORDER_STATE:
    case RECORD_UNKNOWN:
    case RECORD_CANCEL_ACK:
    case RECORD_ORDER_NEW:
    case RECORD_ORDER_AMEND:
    case RECORD_ORDER_CANCEL:
    case RECORD_ORDER_QUERY:
    case RECORD_CANCEL_ALL:
        table = STORE_ORDERS;
        break;
    case RECORD_FILL:
        table = STORE_FILLS;
        break;
    case RECORD_POSITION:
        table = STORE_POSITIONS;
        break;
    case RECORD_BALANCE:
        table = STORE_BALANCES;
        break;
    case RECORD_STATUS:
        table = STORE_PNL;
        break;
    case RECORD_EVENT:
        table = STORE_EVENTS;
        break;
    default:
        return;
    }

    uint16_t part = 0;
    if (table == STORE_PNL) {
        /* Named by second and instance: whichever status of a second comes first is its row. */
        const struct record_status *status = (const void *)record;
        uint64_t second = head->stamp_ns / 1000000000;
        part = status->instance;
        if (part >= PARAMS_INSTANCE_MAX || store->pnl_second[part] == second) {
            return;
        }
        store->pnl_second[part] = second;
        number = second;
    }

    struct store_row *row = open_row(store, table, run, number);
    if (row == NULL) {
        return;
    }
    store->counts.records++;
    row->part = part;
    row->wall_ns = store->wall_known ? (int64_t)head->stamp_ns + store->wall_minus_stamp_ns : 0;
    switch (table) {
    case STORE_RUNS:
        run_row(row, (const void *)record);
        break;
    case STORE_ORDERS:
        if (head->type >= RECORD_ORDER_NEW) {
            order_row(store, row, (const void *)record);
        } else {
            report_row(store, row, (const void *)record);
        }
        break;
    case STORE_FILLS:
        fill_row(store, row, (const void *)record);
        break;
    case STORE_POSITIONS:
        position_row(store, row, (const void *)record);
        break;
    case STORE_BALANCES:
        balance_row(store, row, (const void *)record);
        break;
    case STORE_PNL:
        pnl_row(store, row, (const void *)record);
        break;
    default:
        event_row(store, row, (const void *)record);
        break;
    }
}

void store_booking(struct store *store, uint64_t run, uint64_t number, uint16_t part,
                   const struct ledger_entry *entry)
{
    struct store_row *row = open_row(store, STORE_LEDGER, run, number);
    if (row == NULL) {
        return;
    }
    row->part = part;
    row->wall_ns = store->wall_known ? (int64_t)entry->stamp_ns + store->wall_minus_stamp_ns : 0;
    put_instance(store, row, entry->instance);
    put_account(store, row, entry->account);
    put_currency(store, row, true, entry->currency);
    put_name(row, book_names, entry->book);
    if (entry->book == LEDGER_PART) {
        put_name(row, part_names, entry->part);
    } else {
        put_null(row);
    }
    put_number(row, entry->amount_e8);
    put_instrument(store, row, entry->instrument);
}

/* ------------------------------------------------------------------ writing */

static bool write_batch(struct store *store, uint32_t rows)
{
    const struct store_backend *backend = &store->backend;
    char *error = store->counts.error;

    if (!backend->open(backend->context, error) || !backend->begin(backend->context, error)) {
        return false;
    }
    for (uint32_t i = 0; i < rows; i++) {
        if (!backend->put(backend->context, &store->queue[(store->first + i) % STORE_QUEUE_ROWS], error)) {
            backend->rollback(backend->context);
            return false;
        }
    }
    if (!backend->commit(backend->context, error)) {
        backend->rollback(backend->context);
        return false;
    }
    return true;
}

bool store_step(struct store *store, uint64_t now_ns, bool now)
{
    if (store->counts.queued == 0) {
        store->waiting_since_ns = 0;
        return false;
    }
    if (store->waiting_since_ns == 0) {
        store->waiting_since_ns = now_ns;
    }
    if (store->counts.degraded && now_ns < store->retry_ns) {
        return false;
    }
    if (!now && store->counts.queued < STORE_BATCH_ROWS &&
        now_ns - store->waiting_since_ns < STORE_BATCH_NS) {
        return false;
    }

    uint32_t rows = store->counts.queued < STORE_BATCH_ROWS ? store->counts.queued : STORE_BATCH_ROWS;
    if (!write_batch(store, rows)) {
        store->counts.failures++;
        store->counts.degraded = true;
        store->retry_ns = now_ns + store->retry_after_ns;
        store->retry_after_ns =
            (uint64_t)base_min((int64_t)store->retry_after_ns * 2, (int64_t)STORE_RETRY_MAX_NS);
        return false;
    }
    store->first = (store->first + rows) % STORE_QUEUE_ROWS;
    store->counts.queued -= rows;
    store->counts.rows += rows;
    store->counts.batches++;
    store->counts.degraded = false;
    store->counts.error[0] = '\0';
    store->retry_after_ns = STORE_RETRY_NS;
    store->waiting_since_ns = store->counts.queued != 0 ? now_ns : 0;
    return store->counts.queued >= STORE_BATCH_ROWS || (now && store->counts.queued != 0);
}

void store_free(struct store *store)
{
    if (store == NULL) {
        return;
    }
    store->counts.degraded = false; /* one last try */
    while (store->counts.queued != 0 && !store->counts.degraded) {
        store_step(store, store->retry_ns, true);
    }
    store->backend.close(store->backend.context);
    free(store->queue);
    free(store);
}

bool store_resume(struct store *store, uint64_t *run, uint64_t *number)
{
    if (!store->missing) {
        return false;
    }
    *run = store->missing_run;
    *number = store->missing_number;
    store->missing = false;
    memset(store->pnl_second, 0, sizeof store->pnl_second);
    return true;
}

void store_counts(const struct store *store, struct store_counts *counts)
{
    *counts = store->counts;
}
