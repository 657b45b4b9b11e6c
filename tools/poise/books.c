#include "tools/poise/books.h"
#include "cold/refill.h"
#include "ring/clock.h"
#include "ring/names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define CATCH_UP_RUNS 3

static void on_booking(void *context, const struct ledger_entry *entry)
{
    struct books *books = context;
    store_booking(books->store, books->run, books->booking_number, books->booking_part++, entry);
}

static void open_metrics(struct books *books)
{
    const struct config *config = books->config;
    char error[256], token[METRICS_TOKEN_BYTES] = "";
    if (config->metrics_port == 0) {
        return;
    }
    if (config->metrics_token_file[0] != 0 &&
        !metrics_token_load(config->metrics_token_file, token, error, sizeof error)) {
        fprintf(stderr, "poise: warning: no metrics: %s\n", error);
        return;
    }
    struct metrics_options options = { .counters = books->counters,
                                       .port = (uint16_t)config->metrics_port,
                                       .token = token };
    books->metrics = metrics_start(&options, error, sizeof error);
    if (books->metrics == NULL) {
        fprintf(stderr, "poise: warning: no metrics: %s\n", error);
    }
}

bool books_open(struct books *books, char *error, size_t error_bytes)
{
    char path[CONFIG_PATH_BYTES + 16];
    enum log_level level = LOG_LEVEL_INFO;
    log_level_named(books->config->log_level, &level);
    snprintf(path, sizeof path, "%s/poise.log", books->config->state_dir);
    if (!log_open(&books->log, path, level)) {
        fprintf(stderr, "poise: warning: %s: %s: logging to standard error\n", path, strerror(errno));
        log_open(&books->log, NULL, level);
    }
    books->figures = figures_create(books->counters, books->config, books->instruments, books->accounts);
    books->ledger = ledger_make();
    snprintf(path, sizeof path, "%s/store.sqlite", books->config->state_dir);
    if (books->figures == NULL || books->ledger == NULL || !store_sqlite(&books->backend, path) ||
        (books->store = store_make(&books->backend)) == NULL) {
        snprintf(error, error_bytes, "no memory for the books");
        return false;
    }
    store_currencies(books->store, books->instruments);
    ledger_sink(books->ledger, on_booking, books);
    books->store_rows = counters_add(books->counters, 0, "cold.store_rows", COUNTER_SUM);
    books->store_degraded = counters_add(books->counters, 0, "cold.store_degraded", COUNTER_GAUGE);
    books->journal_lag = counters_add(books->counters, 0, "cold.journal_lag_slots", COUNTER_GAUGE);
    books->journal_bytes = counters_add(books->counters, 0, "cold.journal_bytes", COUNTER_SUM);
    books->ledger_differences = counters_add(books->counters, 0, "cold.ledger_differences", COUNTER_GAUGE);
    books->ledger_balanced = counters_add(books->counters, 0, "cold.ledger_balanced", COUNTER_GAUGE);
    books->ledger_unexplained = counters_add(books->counters, 0, "cold.ledger_unexplained", COUNTER_GAUGE);
    open_metrics(books);
    return true;
}

static const char *instance_name(const struct books *books, uint16_t instance)
{
    for (uint32_t i = 0; i < books->config->quote_count; i++) {
        if (books->config->quote[i].params.instance == instance) {
            return books->config->quote[i].params.name;
        }
    }
    return "";
}

/* What the first value of an event names, where it names something. */
static const char *event_why(const struct record_event *e)
{
    uint32_t value = e->value[0] >= 0 && e->value[0] < UINT32_MAX ? (uint32_t)e->value[0] : UINT32_MAX;
    switch (e->code) {
    case EVENT_HALT:
        return reason_halt_name(value);
    case EVENT_QUOTES_PULLED:
        return reason_pull_name(value);
    case EVENT_RISK_REFUSED:
        return reason_risk_name(value);
    case EVENT_LADDER:
        return reason_rung_name(value);
    default:
        return "";
    }
}

static const char *state_word(const struct record_state *s, uint32_t value)
{
    return s->head.type == RECORD_GATEWAY_STATE ? NAME_OF(gateway_state_names, value)
                                                : NAME_OF(feed_state_names, value);
}

static void log_record(struct books *books, const struct slot *record)
{
    const struct record_head *head = record_head_of(record);
    int64_t wall_ns = clock_wall_ns();
    if (head->type == RECORD_EVENT) {
        const struct record_event *e = (const struct record_event *)record;
        LOG(&books->log, wall_ns,
            e->severity >= 2   ? LOG_LEVEL_ERROR
            : e->severity == 1 ? LOG_LEVEL_WARNING
                               : LOG_LEVEL_INFO,
            "strategy.event", LOG_TEXT("event", NAME_OF(event_names, e->code)),
            LOG_TEXT("instance", instance_name(books, e->instance)), LOG_TEXT("why", event_why(e)),
            LOG_NUMBER("v0", e->value[0]), LOG_NUMBER("v1", e->value[1]), LOG_NUMBER("v2", e->value[2]),
            LOG_NUMBER("v3", e->value[3]), LOG_NUMBER("stamp_ns", (int64_t)head->stamp_ns));
    } else if (head->type == RECORD_GATEWAY_STATE || head->type == RECORD_FEED_STATE) {
        const struct record_state *s = (const struct record_state *)record;
        char why[sizeof s->text + 1] = "";
        memcpy(why, s->text, sizeof s->text);
        LOG(&books->log, wall_ns, LOG_LEVEL_INFO,
            head->type == RECORD_GATEWAY_STATE ? "gateway.state" : "feed.state",
            LOG_TEXT("of",
                     head->type == RECORD_GATEWAY_STATE
                         ? (head->account < books->accounts->count ? books->accounts->row[head->account].name
                                                                   : "?")
                         : (head->instrument < books->instruments->count
                                ? books->instruments->row[head->instrument].name
                                : "?")),
            LOG_TEXT("state", state_word(s, s->value)), LOG_TEXT("was", state_word(s, s->previous)),
            LOG_TEXT("why", why));
    } else if (head->type == RECORD_REJECT || head->type == RECORD_UNKNOWN) {
        const struct record_report *r = (const struct record_report *)record;
        LOG(&books->log, wall_ns, LOG_LEVEL_INFO,
            head->type == RECORD_REJECT ? "order.reject" : "order.unknown",
            LOG_NUMBER("order", (int64_t)r->order),
            LOG_TEXT("request", NAME_OF(request_kind_names, r->request)),
            LOG_TEXT("reason", NAME_OF(reject_reason_names, r->reason)),
            LOG_NUMBER("venue_code", r->venue_code));
    }
}

void books_catch_up(struct books *books, const char *journal_directory)
{
    /* The last run, and those between that ended before they traded. */
    for (uint64_t back = CATCH_UP_RUNS; back > 0; back--) {
        if (books->run > back) {
            refill_store(books->store, journal_directory, books->run - back, false);
        }
    }
}

void books_record(struct books *books, const struct slot *record, uint64_t number)
{
    figures_record(books->figures, record);
    books->booking_number = number;
    books->booking_part = 0;
    ledger_record(books->ledger, record);
    store_record(books->store, books->run, number, record);
    log_record(books, record);
}

#define EXPLAINED_NS (300 * NS_PER_S) /* what explains a difference has this long to come */
#define STREAMS_NS   (2 * NS_PER_S)   /* a fill and the balance it moved travel different streams */

/* Money by what it is worth, and a coin that nobody can value is nobody's business; a position that differs,
 * or a strategy that holds something else, is beyond any bound. */
static bool is_beyond(const struct books *books, const struct ledger_difference *row)
{
    bool money = row->what == LEDGER_BALANCE_DIFFERS || row->what == LEDGER_HOT_DELTA_DIFFERS ||
                 row->what == LEDGER_HOT_PROFIT_DIFFERS;
    return money ? row->worth_e8 > books->config->risk.max_difference_e8 : true;
}

/* A difference that stands is told once, as what explains it or as an alarm. */
static uint32_t tell_differences(struct books *books, uint64_t now_ns)
{
    struct ledger_difference difference[BOOKS_DIFFERENCES];
    uint64_t since_ns[BOOKS_DIFFERENCES];
    uint32_t count = ledger_differences(books->ledger, difference, BOOKS_DIFFERENCES);
    uint32_t rows = count < BOOKS_DIFFERENCES ? count : BOOKS_DIFFERENCES;
    uint32_t told = 0;
    int64_t unexplained = 0;
    bool beyond = false;

    for (uint32_t i = 0; i < rows; i++) {
        const struct ledger_difference *row = &difference[i];
        uint64_t age_ns = now_ns > row->since_ns ? now_ns - row->since_ns : 0;
        if (age_ns < STREAMS_NS) {
            continue;
        }
        bool alarm = row->why == LEDGER_UNEXPLAINED || age_ns > EXPLAINED_NS;
        unexplained += alarm;
        beyond |= alarm && is_beyond(books, row);
        since_ns[told++] = row->since_ns;
        bool known = false;
        for (uint32_t k = 0; k < books->told_count; k++) {
            known |= books->told_since_ns[k] == row->since_ns;
        }
        if (!known) {
            LOG(&books->log, clock_wall_ns(), alarm ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING, "ledger.differs",
                LOG_TEXT("what", ledger_what_names[row->what]), LOG_TEXT("why", ledger_why_names[row->why]),
                LOG_TEXT("instance", instance_name(books, row->instance)),
                LOG_TEXT("account", row->account < books->accounts->count
                                        ? books->accounts->row[row->account].name
                                        : ""),
                LOG_TEXT("of", row->currency != CURRENCY_NONE
                                   ? currency_code(books->instruments, row->currency)
                               : row->instrument < books->instruments->count
                                   ? books->instruments->row[row->instrument].name
                                   : ""),
                LOG_NUMBER("ours", row->ours), LOG_NUMBER("told", row->venue));
        }
    }
    memcpy(books->told_since_ns, since_ns, told * sizeof since_ns[0]);
    books->told_count = told;
    books->differ = beyond || count > rows;
    counter_set(books->ledger_unexplained, unexplained + (count - rows));
    return count;
}

/* What the reducer knows to be missing explains a position that differs. */
static void count_owed(void *context, const struct reduce_order *order)
{
    struct books *books = context;
    if (order->state == REDUCE_OWED) {
        ledger_owed(books->ledger, order->account, order->instrument, order->told - order->filled);
    }
}

static void tell_fault(struct books *books)
{
    const char *fault = ledger_fault(books->ledger);
    if (fault != NULL && !books->fault_told) {
        LOG(&books->log, clock_wall_ns(), LOG_LEVEL_ERROR, "ledger.fault", LOG_TEXT("why", fault));
        fprintf(stderr, "poise: alarm: the ledger's books: %s\n", fault);
    }
    books->fault_told = fault != NULL;
    counter_set(books->ledger_balanced, fault == NULL);
}

static void check_once_a_second(struct books *books, const struct journal *journal, uint64_t now_ns)
{
    struct store_counts store;
    struct journal_counts counts;
    store_counts(books->store, &store);
    journal_counts(journal, &counts);
    counter_set(books->store_rows, (int64_t)store.rows);
    if (store.degraded && atomic_load_explicit(books->store_degraded, memory_order_relaxed) == 0) {
        LOG(&books->log, clock_wall_ns(), LOG_LEVEL_WARNING, "store.degraded", LOG_TEXT("why", store.error));
    }
    counter_set(books->store_degraded, store.degraded);
    counter_set(books->journal_lag, (int64_t)counts.ring_used);
    counter_set(books->journal_bytes, (int64_t)counts.bytes);
    ledger_owed_none(books->ledger);
    reduce_orders(journal_reduce(journal), count_owed, books);
    counter_set(books->ledger_differences, tell_differences(books, now_ns));
    tell_fault(books);
    for (uint32_t i = 0; i < books->config->quote_count; i++) {
        struct ledger_value value;
        uint16_t instance = books->config->quote[i].params.instance;
        ledger_value(books->ledger, instance, &value);
        if (value.known) {
            figures_profit(books->figures, instance, value.part_e8);
        }
    }
}

void books_step(struct books *books, const struct journal *journal, uint64_t now_ns)
{
    store_step(books->store, now_ns, false);
    if (books->metrics != NULL) {
        metrics_step(books->metrics);
    }
    if (now_ns - books->checked_ns >= NS_PER_S) {
        books->checked_ns = now_ns;
        check_once_a_second(books, journal, now_ns);
    }
}

/* Executions of which the venue has not told everything yet. */
static uint64_t owed(const struct ledger_counts *counts)
{
    return counts->without_fee + counts->without_price + counts->open_price;
}

bool books_whole(const struct books *books)
{
    struct ledger_counts counts;
    ledger_counts(books->ledger, &counts);
    bool waits = false;
    for (uint16_t i = 0; i < books->accounts->count; i++) {
        waits = waits || ledger_wants_rows(books->ledger, i);
    }
    return owed(&counts) == 0 && !waits;
}

/* ------------------------------------------------------------------ what it ended with */

static void write_amount(FILE *out, const char *name, int64_t value, int decimals)
{
    char text[DECIMAL_TEXT_BYTES];
    decimal_print_short(text, value, decimals);
    fprintf(out, "\"%s\":\"%s\"", name, text);
}

static void write_instances(struct books *books, FILE *out)
{
    static const char *const part[PNL_PART_COUNT] = { "trading",  "basis",    "funding", "fee",
                                                      "slippage", "residual", "rounding" };
    static const char *const figure[] = { "fills",    "buys",     "sells",        "partials",   "hedges",
                                          "requotes", "delta_e8", "max_naked_ns", "hedge_fills" };
    fprintf(out, "\"instances\":[");
    for (uint32_t i = 0; i < books->config->quote_count; i++) {
        const struct quote_params *params = &books->config->quote[i].params;
        fprintf(out, "%s{\"name\":\"%s\"", i == 0 ? "" : ",", params->name);
        for (uint32_t k = 0; k < POISE_COUNT_OF(figure); k++) {
            char name[2 * COUNTER_NAME_BYTES];
            snprintf(name, sizeof name, "i.%s.%s", params->name, figure[k]);
            fprintf(out, ",\"%s\":%" PRId64, figure[k], counters_find(books->counters, name, 0));
        }
        struct ledger_value value;
        ledger_value(books->ledger, params->instance, &value);
        fprintf(out, ",\"pnl_known\":%s,\"pnl\":{", value.known ? "true" : "false");
        for (uint32_t k = 0; k < PNL_PART_COUNT; k++) {
            fputs(k == 0 ? "" : ",", out);
            write_amount(out, part[k], value.part_e8[k], DECIMAL_MONEY);
        }
        fprintf(out, ",");
        write_amount(out, "total", value.equity_e8 - value.start_e8 - value.transfer_e8, DECIMAL_MONEY);
        fprintf(out, "},");
        write_amount(out, "equity", value.equity_e8, DECIMAL_MONEY);
        fprintf(out, "}");
    }
    fprintf(out, "],");
}

/* Positions and cash of all instances and the unassigned row together: what the venue's account should show.
 */
static int64_t total_position(const struct books *books, uint16_t account, uint16_t instrument)
{
    int64_t qty = ledger_position(books->ledger, NO_INSTANCE, account, instrument).qty;
    for (uint32_t i = 0; i < books->config->quote_count; i++) {
        qty +=
            ledger_position(books->ledger, books->config->quote[i].params.instance, account, instrument).qty;
    }
    return qty;
}

static int64_t total_cash(const struct books *books, uint16_t account, uint16_t currency)
{
    int64_t cash_e8 = ledger_cash_e8(books->ledger, NO_INSTANCE, account, currency);
    for (uint32_t i = 0; i < books->config->quote_count; i++) {
        cash_e8 += ledger_cash_e8(books->ledger, books->config->quote[i].params.instance, account, currency);
    }
    return cash_e8;
}

static void write_accounts(const struct books *books, FILE *out)
{
    const char *comma = "";
    fprintf(out, "\"positions\":[");
    for (uint32_t a = 0; a < books->accounts->count; a++) {
        for (uint32_t i = 0; i < books->instruments->count; i++) {
            const struct instrument *row = &books->instruments->row[i];
            if (!account_trades(&books->accounts->row[a], row->venue, row->product)) {
                continue;
            }
            fprintf(out, "%s{\"account\":\"%s\",\"instrument\":\"%s\",\"symbol\":\"%s\",", comma,
                    books->accounts->row[a].name, row->name, row->symbol);
            write_amount(out, "qty", total_position(books, (uint16_t)a, (uint16_t)i), row->qty_decimals);
            fprintf(out, "}");
            comma = ",";
        }
    }
    comma = "";
    fprintf(out, "],\"balances\":[");
    for (uint32_t a = 0; a < books->accounts->count; a++) {
        for (uint32_t c = 0; c < books->instruments->currency_count; c++) {
            int64_t cash_e8 = total_cash(books, (uint16_t)a, (uint16_t)c);
            if (cash_e8 == 0) {
                continue;
            }
            fprintf(out, "%s{\"account\":\"%s\",\"currency\":\"%s\",", comma, books->accounts->row[a].name,
                    currency_code(books->instruments, (uint16_t)c));
            write_amount(out, "total", cash_e8, DECIMAL_MONEY);
            fprintf(out, "}");
            comma = ",";
        }
    }
    fprintf(out, "],");
}

static void write_latency(const struct books *books, FILE *out)
{
    const char *comma = "";
    fprintf(out, "\"latency_us\":{");
    for (uint32_t i = 0; i < counters_histogram_count(books->counters); i++) {
        const struct histogram *h = counters_histogram(books->counters, i);
        if (h->count != 0) {
            fprintf(out, "%s\"%s\":{\"n\":%" PRIu64 ",\"p50\":%.1f,\"p99\":%.1f}", comma, h->name,
                    (uint64_t)h->count, (double)histogram_quantile(h, 500000) / 1e3,
                    (double)histogram_quantile(h, 990000) / 1e3);
            comma = ",";
        }
    }
    fprintf(out, "},");
}

static int64_t sum_of(const struct books *books, const char *tail)
{
    int64_t sum = 0;
    size_t bytes = strlen(tail);
    for (uint32_t i = 0; i < counters_count(books->counters); i++) {
        const char *name = counters_name(books->counters, i);
        size_t length = strlen(name);
        if (length > bytes && strcmp(name + length - bytes, tail) == 0) {
            sum += counters_value(books->counters, i);
        }
    }
    return sum;
}

bool books_write_final(struct books *books, const char *path, bool clean, uint32_t orders_owed,
                       const bool unread[ACCOUNT_MAX])
{
    char temporary[CONFIG_PATH_BYTES + 32];
    snprintf(temporary, sizeof temporary, "%s.new", path);
    FILE *out = fopen(temporary, "w");
    if (out == NULL) {
        return false;
    }
    struct ledger_counts counts;
    ledger_counts(books->ledger, &counts);
    fprintf(out, "{\"run\":%" PRIu64 ",\"clean\":%s,\"halted\":%s,", books->run, clean ? "true" : "false",
            figures_halted(books->figures) ? "true" : "false");
    fprintf(out, "\"report_currency\":\"%s\",", books->config->report_currency);
    fprintf(out,
            "\"executions\":%" PRIu64 ",\"executions_owed\":%" PRIu64 ",\"duplicates\":%" PRIu64
            ",\"ledger_balanced\":%s,",
            counts.fills, owed(&counts) + orders_owed, counts.duplicates,
            ledger_check(books->ledger) ? "true" : "false");
    fprintf(out, "\"accounts_unread\":[");
    const char *comma = "";
    for (uint32_t a = 0; a < books->accounts->count; a++) {
        if (unread[a]) {
            fprintf(out, "%s\"%s\"", comma, books->accounts->row[a].name);
            comma = ",";
        }
    }
    fprintf(out, "],");
    fprintf(out, "\"reconnects\":%" PRId64 ",\"unknowns\":%" PRId64 ",\"alarms\":%" PRId64 ",",
            sum_of(books, ".connections_lost") + sum_of(books, ".reconnects"),
            counters_find(books->counters, "engine.unknowns", 0),
            counters_find(books->counters, "engine.alarms", 0));
    write_instances(books, out);
    write_accounts(books, out);
    write_latency(books, out);
    fprintf(out, "\"build\":\"%s\"}\n", POISE_BUILD_ID);
    bool good = fflush(out) == 0 && fsync(fileno(out)) == 0;
    good = fclose(out) == 0 && good;
    return good && rename(temporary, path) == 0;
}

void books_close(struct books *books)
{
    if (books->store != NULL) {
        store_free(books->store);
    }
    if (books->metrics != NULL) {
        metrics_stop(books->metrics);
    }
    if (books->ledger != NULL) {
        ledger_free(books->ledger);
    }
    if (books->figures != NULL) {
        figures_destroy(books->figures);
    }
    log_close(&books->log);
}
