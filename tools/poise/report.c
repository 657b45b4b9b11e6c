/* report: what a state directory's books say, with the engine running or not.
 *
 * Read from the journal's newest segment, whose head holds the books from the first fill on: nothing is asked
 * of the engine, and nothing is written.  Without --shared it is as of the last record on the disk. */
#include "cold/journal.h"
#include "cold/ledger.h"
#include "cold/store.h"
#include "ring/decimal.h"
#include "tools/poise/commands.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum format { FORMAT_TEXT, FORMAT_CSV, FORMAT_JSON };

struct report {
    enum format format;
    const struct reduce *held;
    struct ledger *ledger;
    const struct instrument_table *instruments;
    const struct account_table *accounts;
    uint16_t report_currency;
};

static const char usage_text[] =
    "usage: poise report STATE_DIR --ledger [--csv | --json] [--postings] [--shared DIRECTORY]\n\n"
    "prints the statement of account: for every instance, account, leg and currency what was there, what "
    "trades,\n"
    "fees, funding, transfers and rounding made of it, and what is there; then what each leg, instance and "
    "account\n"
    "gained in the report currency and from which part, and where strategy and venue say otherwise.\n"
    "  --ledger      this report\n"
    "  --csv         the statement of cash as CSV\n"
    "  --json        everything, one JSON object a line\n"
    "  --postings    instead of the statement: every entry of the double-entry books as CSV, from the store\n"
    "  --shared DIR  read the rest from the engine's ring on tmpfs as well (a live engine is not disturbed)\n"
    "example: poise report state --ledger\n"
    "exit codes: 0 the books balance, 1 they do not, or the store's entries do not add up to them, 2 bad "
    "arguments,\n"
    "3 nothing to read\n";

static const char *const part_names[PNL_PART_COUNT] = { "trading",  "basis",    "funding", "fee",
                                                        "slippage", "residual", "rounding" };

/* ------------------------------------------------------------------ names and numbers */

static const char *instance_of(const struct report *report, uint16_t instance, char text[PARAMS_NAME_BYTES])
{
    const struct quote_params *params = reduce_params(report->held, instance);
    if (instance == NO_INSTANCE) {
        return "unassigned";
    }
    if (params != NULL) {
        return params->name;
    }
    snprintf(text, PARAMS_NAME_BYTES, "%u", instance);
    return text;
}

static const char *account_of(const struct report *report, uint16_t account)
{
    return account < report->accounts->count ? report->accounts->row[account].name : "?";
}

static const char *instrument_of(const struct report *report, uint16_t instrument)
{
    return instrument == NO_INSTRUMENT               ? ""
           : instrument < report->instruments->count ? report->instruments->row[instrument].name
                                                     : "?";
}

static const char *money(char text[DECIMAL_TEXT_BYTES], int64_t amount_e8)
{
    decimal_print_short(text, amount_e8, DECIMAL_MONEY);
    return text;
}

static void json_money(const char *name, int64_t amount_e8)
{
    char text[DECIMAL_TEXT_BYTES];
    printf(",\"%s\":\"%s\"", name, money(text, amount_e8));
}

static void json_whose(const struct report *report, const char *type, uint16_t instance, uint16_t account,
                       uint16_t instrument)
{
    char name[PARAMS_NAME_BYTES];
    printf("{\"type\":\"%s\",\"instance\":\"%s\",\"account\":\"%s\",\"instrument\":\"%s\"", type,
           instance_of(report, instance, name), account_of(report, account),
           instrument_of(report, instrument));
}

/* ------------------------------------------------------------------ cash */

enum {
    COLUMN_OPENING,
    COLUMN_TRADES,
    COLUMN_FEES,
    COLUMN_FUNDING,
    COLUMN_TRANSFERS,
    COLUMN_ROUNDING,
    COLUMN_CLOSING,
    COLUMNS
};
static const char *const column_names[COLUMNS] = { "opening",   "trades",   "fees",   "funding",
                                                   "transfers", "rounding", "closing" };

/* Whatever is booked under a part stands in one of the columns: they add up to the closing. */
static void columns_of(const struct ledger_cash *cash, int64_t column[COLUMNS])
{
    column[COLUMN_OPENING] = cash->opening_e8;
    column[COLUMN_TRADES] = cash->exchange_e8 + cash->part_e8[PNL_TRADING] + cash->part_e8[PNL_SLIPPAGE] +
                            cash->part_e8[PNL_BASIS] + cash->part_e8[PNL_RESIDUAL];
    column[COLUMN_FEES] = cash->part_e8[PNL_FEE];
    column[COLUMN_FUNDING] = cash->part_e8[PNL_FUNDING];
    column[COLUMN_TRANSFERS] = cash->transfer_e8;
    column[COLUMN_ROUNDING] = cash->part_e8[PNL_ROUNDING];
    column[COLUMN_CLOSING] = cash->amount_e8;
}

static void print_cash(const struct report *report)
{
    struct ledger_cash cash;
    char text[DECIMAL_TEXT_BYTES];
    char name[PARAMS_NAME_BYTES];

    if (report->format == FORMAT_CSV) {
        printf("instance,account,instrument,currency");
        for (int i = 0; i < COLUMNS; i++) {
            printf(",%s", column_names[i]);
        }
        printf("\n");
    } else if (report->format == FORMAT_TEXT) {
        printf("\nCash\n%-16s %-16s %-28s %-6s", "instance", "account", "instrument", "");
        for (int i = 0; i < COLUMNS; i++) {
            printf(" %18s", column_names[i]);
        }
        printf("\n");
    }
    for (uint32_t i = 0; ledger_cash(report->ledger, i, &cash); i++) {
        int64_t column[COLUMNS];
        columns_of(&cash, column);
        const char *code = currency_code(report->instruments, cash.currency);
        const char *instance = instance_of(report, cash.instance, name);
        if (report->format == FORMAT_JSON) {
            json_whose(report, "cash", cash.instance, cash.account, cash.instrument);
            printf(",\"currency\":\"%s\"", code);
            for (int k = 0; k < COLUMNS; k++) {
                json_money(column_names[k], column[k]);
            }
            printf("}\n");
            continue;
        }
        bool csv = report->format == FORMAT_CSV;
        printf(csv ? "%s,%s,%s,%s" : "%-16s %-16s %-28s %-6s", instance, account_of(report, cash.account),
               instrument_of(report, cash.instrument), code);
        for (int k = 0; k < COLUMNS; k++) {
            printf(csv ? ",%s" : " %18s", money(text, column[k]));
        }
        printf("\n");
    }
}

/* ------------------------------------------------------------------ positions */

static void print_legs(const struct report *report)
{
    struct ledger_leg leg;
    char qty[DECIMAL_TEXT_BYTES], entry[DECIMAL_TEXT_BYTES], accrued[DECIMAL_TEXT_BYTES],
        due[DECIMAL_TEXT_BYTES], name[PARAMS_NAME_BYTES];

    if (report->format == FORMAT_TEXT) {
        printf("\nPositions\n%-16s %-16s %-28s %18s %18s %18s %18s\n", "instance", "account", "instrument",
               "quantity", "entry", "funding to now", "funding due");
    }
    for (uint32_t i = 0; ledger_leg(report->ledger, i, &leg); i++) {
        if (leg.instrument >= report->instruments->count || (leg.position.qty == 0 && leg.due_ns == 0)) {
            continue;
        }
        const struct instrument *row = &report->instruments->row[leg.instrument];
        decimal_print_short(qty, leg.position.qty, row->qty_decimals);
        decimal_print_short(entry, kind_entry_price(row, &leg.position), row->price_decimals);
        money(accrued, leg.accrued_e8);
        money(due, leg.due_e8);
        if (report->format == FORMAT_JSON) {
            json_whose(report, "position", leg.instance, leg.account, leg.instrument);
            printf(",\"qty\":\"%s\",\"entry\":\"%s\",\"funding_to_now\":%s%s%s,\"funding_due\":\"%s\"", qty,
                   entry, leg.accrual_known ? "\"" : "", leg.accrual_known ? accrued : "null",
                   leg.accrual_known ? "\"" : "", due);
            printf(",\"funding_due_ns\":%" PRId64 "}\n", leg.due_ns);
        } else {
            printf("%-16s %-16s %-28s %18s %18s %18s %18s\n", instance_of(report, leg.instance, name),
                   account_of(report, leg.account), row->name, qty, entry,
                   leg.accrual_known ? accrued : "unknown", leg.due_ns != 0 ? due : "");
        }
    }
}

/* ------------------------------------------------------------------ value */

static void print_value(const struct report *report, const char *of, const char *a, const char *b,
                        const char *c, const struct ledger_value *value)
{
    char text[DECIMAL_TEXT_BYTES];
    if (report->format == FORMAT_JSON) {
        printf("{\"type\":\"value\",\"of\":\"%s\",\"name\":\"%s\",\"account\":\"%s\",\"instrument\":\"%s\","
               "\"currency\":\"%s\",\"known\":%s",
               of, a, b, c, currency_code(report->instruments, report->report_currency),
               value->known ? "true" : "false");
        if (value->known) {
            json_money("start", value->start_e8);
            json_money("transfers", value->transfer_e8);
            for (int k = 0; k < PNL_PART_COUNT; k++) {
                json_money(part_names[k], value->part_e8[k]);
            }
            json_money("equity", value->equity_e8);
            json_money("delta", value->delta_e8);
        } else {
            printf(
                ",\"missing_price\":\"%s\",\"missing_rate\":\"%s\"", instrument_of(report, value->instrument),
                value->currency != CURRENCY_NONE ? currency_code(report->instruments, value->currency) : "");
        }
        printf("}\n");
        return;
    }
    printf("%-16s %-16s %-28s", a, b, c);
    if (!value->known) {
        printf(" unknown: no %s of %s\n", value->instrument != NO_INSTRUMENT ? "price" : "rate",
               value->instrument != NO_INSTRUMENT ? instrument_of(report, value->instrument)
                                                  : currency_code(report->instruments, value->currency));
        return;
    }
    printf(" %18s", money(text, value->start_e8));
    printf(" %18s", money(text, value->transfer_e8));
    for (int k = 0; k < PNL_PART_COUNT; k++) {
        printf(" %18s", money(text, value->part_e8[k]));
    }
    printf(" %18s\n", money(text, value->equity_e8));
}

static void print_values(const struct report *report)
{
    struct ledger_value value;
    struct ledger_leg leg;
    char name[PARAMS_NAME_BYTES];

    if (report->format == FORMAT_TEXT) {
        printf("\nValue in %s: start + transfers + parts = equity\n%-16s %-16s %-28s %18s %18s",
               currency_code(report->instruments, report->report_currency), "instance", "account",
               "instrument", "start", "transfers");
        for (int k = 0; k < PNL_PART_COUNT; k++) {
            printf(" %18s", part_names[k]);
        }
        printf(" %18s\n", "equity");
    }
    for (uint32_t i = 0; ledger_leg(report->ledger, i, &leg); i++) {
        ledger_leg_value(report->ledger, i, &value);
        print_value(report, "leg", instance_of(report, leg.instance, name), account_of(report, leg.account),
                    instrument_of(report, leg.instrument), &value);
    }
    for (uint32_t i = 0; i < reduce_params_count(report->held); i++) {
        const struct quote_params *params = reduce_params_at(report->held, i);
        ledger_value(report->ledger, params->instance, &value);
        print_value(report, "instance", params->name, "", "all legs", &value);
    }
    for (uint16_t a = 0; a < report->accounts->count; a++) {
        ledger_account_value(report->ledger, a, &value);
        print_value(report, "account", "all", account_of(report, a), "all legs", &value);
    }
    ledger_value(report->ledger, NO_INSTANCE, &value);
    print_value(report, "total", "all", "", "", &value);
}

/* ------------------------------------------------------------------ the other opinions */

static void print_differences(const struct report *report)
{
    struct ledger_difference difference[64];
    uint32_t count = ledger_differences(report->ledger, difference, POISE_COUNT_OF(difference));
    char ours[DECIMAL_TEXT_BYTES], theirs[DECIMAL_TEXT_BYTES], name[PARAMS_NAME_BYTES];

    for (uint32_t i = 0; i < count && i < POISE_COUNT_OF(difference); i++) {
        const struct ledger_difference *row = &difference[i];
        int decimals = row->instrument < report->instruments->count
                           ? report->instruments->row[row->instrument].qty_decimals
                           : DECIMAL_MONEY;
        decimal_print_short(ours, row->ours, decimals);
        decimal_print_short(theirs, row->venue, decimals);
        const char *of = row->currency != CURRENCY_NONE ? currency_code(report->instruments, row->currency)
                                                        : instrument_of(report, row->instrument);
        if (report->format == FORMAT_JSON) {
            printf("{\"type\":\"difference\",\"what\":\"%s\",\"instance\":\"%s\",\"account\":\"%s\",\"of\":"
                   "\"%s\","
                   "\"books\":\"%s\",\"said\":\"%s\",\"why\":\"%s\"}\n",
                   ledger_what_names[row->what],
                   row->instance == NO_INSTANCE ? "" : instance_of(report, row->instance, name),
                   account_of(report, row->account), of, ours, theirs, ledger_why_names[row->why]);
        } else {
            printf("%s%s of %s on %s: the books say %s, told is %s (%s)\n", i == 0 ? "\nDifferences\n" : "",
                   ledger_what_names[row->what], of, account_of(report, row->account), ours, theirs,
                   ledger_why_names[row->why]);
        }
    }
    if (count == 0 && report->format == FORMAT_TEXT) {
        printf("\nNo differences: the books, the strategy and what the venues told agree.\n");
    }
}

/* ------------------------------------------------------------------ entries */

struct entries {
    const struct report *report;
    int128 sum_e8[CURRENCY_MAX]; /* of cash */
};

static void on_posting(void *context, const struct store_posting *posting)
{
    struct entries *entries = context;
    char text[DECIMAL_TEXT_BYTES];
    char when[40] = "";
    time_t seconds = posting->wall_ns / 1000000000;
    struct tm parts;

    if (posting->wall_ns != 0 && gmtime_r(&seconds, &parts) != NULL) {
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &parts);
    }
    printf("%" PRIu64 ",%" PRIu64 ",%u,%s,%s,%s,%s,%s,%s,%s,%s\n", posting->run, posting->number,
           posting->part, when, posting->instance[0] != '\0' ? posting->instance : "unassigned",
           posting->account, posting->instrument, posting->currency, posting->book, posting->part_name,
           money(text, posting->amount_e8));
    for (uint32_t i = 0; i < entries->report->instruments->currency_count; i++) {
        if (strcmp(entries->report->instruments->currency[i].code, posting->currency) == 0) {
            entries->sum_e8[i] += strcmp(posting->book, "cash") == 0 ? posting->amount_e8 : 0;
        }
    }
}

/* The store may lag, or have begun later than the books: then it is told, and the journal is the truth. */
static int print_postings(const struct report *report, const char *state)
{
    struct entries entries = { .report = report };
    struct ledger_cash cash;
    char path[1024];
    char error[STORE_ERROR_BYTES];
    int code = EXIT_DONE;

    snprintf(path, sizeof path, "%s/store.sqlite", state);
    printf("run,number,entry,time,instance,account,instrument,currency,book,part,amount\n");
    if (!store_sqlite_postings(path, on_posting, &entries, error)) {
        fprintf(stderr, "poise report: %s\n", error);
        return EXIT_UNFIT;
    }
    for (uint32_t c = 0; c < report->instruments->currency_count; c++) {
        int128 books_e8 = 0;
        for (uint32_t i = 0; ledger_cash(report->ledger, i, &cash); i++) {
            books_e8 += cash.currency == c ? cash.amount_e8 : 0;
        }
        if (books_e8 != entries.sum_e8[c]) {
            char ours[DECIMAL_TEXT_BYTES], theirs[DECIMAL_TEXT_BYTES];
            fprintf(stderr, "poise report: the store's entries in %s add up to %s, the books say %s\n",
                    report->instruments->currency[c].code, money(theirs, (int64_t)entries.sum_e8[c]),
                    money(ours, (int64_t)books_e8));
            code = EXIT_NO;
        }
    }
    return code;
}

/* ------------------------------------------------------------------ reading */

/* The newest run that got to trade, from its newest segment on; *number is of the last record. */
static struct reduce *read_books(const char *directory, const char *shared, uint64_t *run, uint64_t *number)
{
    char error[1024] = "no journal";
    for (uint64_t at = journal_newest_run(directory, shared); at > 0; at--) {
        struct journal_reader_options options = {
            .directory = directory, .shared_directory = shared, .run = at, .newest_segment = true
        };
        struct journal_reader *reader = journal_reader_open(&options, error, sizeof error);
        if (reader == NULL) {
            continue;
        }
        struct reduce *held = reduce_create();
        struct journal_item item;
        enum journal_result result;
        while ((result = journal_next(reader, &item)) != JOURNAL_END) {
            if (result == JOURNAL_RECORD || result == JOURNAL_HEAD) {
                reduce_record(held, item.item.record);
                *number = item.item.number;
            } else {
                fprintf(stderr,
                        "poise report: records %" PRIu64 " to %" PRIu64 " of run %" PRIu64 " are missing\n",
                        item.gap_from, item.gap_to - 1, at);
            }
        }
        journal_reader_close(reader);
        if (reduce_restored(held)) {
            *run = at;
            return held;
        }
        snprintf(error, sizeof error, "no run got as far as trading");
        reduce_destroy(held);
    }
    fprintf(stderr, "poise report: %s: %s\n", directory, error);
    return NULL;
}

/* What venues' own totals have beside the cash above: funding of a session that is not settled, and open
 * profit that a settlement paid out. */
static void print_beside(const struct report *report)
{
    struct ledger_beside row;
    char accrued[DECIMAL_TEXT_BYTES], settled[DECIMAL_TEXT_BYTES];
    for (uint32_t i = 0; ledger_beside(report->ledger, i, &row); i++) {
        if (report->format == FORMAT_JSON) {
            json_whose(report, "beside", NO_INSTANCE, row.account, row.instrument);
            printf(",\"currency\":\"%s\"", currency_code(report->instruments, row.currency));
            json_money("accrued", row.accrued_e8);
            json_money("settled", row.settled_e8);
            printf("}\n");
        } else {
            printf("%s%s on %s: the venue's %s total has %s of funding not settled, and %s of open profit "
                   "settled\n",
                   i == 0 ? "\n" : "", instrument_of(report, row.instrument), account_of(report, row.account),
                   currency_code(report->instruments, row.currency), money(accrued, row.accrued_e8),
                   money(settled, row.settled_e8));
        }
    }
}

static void print_head(const struct report *report, uint64_t run, uint64_t number)
{
    struct ledger_counts counts;
    const char *fault = ledger_fault(report->ledger);
    int64_t wall_ns = reduce_wall_ns(report->held);
    time_t seconds = wall_ns / 1000000000;
    struct tm parts;
    char when[40] = "?";

    ledger_counts(report->ledger, &counts);
    if (gmtime_r(&seconds, &parts) != NULL) {
        strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &parts);
    }
    if (report->format == FORMAT_JSON) {
        printf("{\"type\":\"ledger\",\"run\":%" PRIu64 ",\"number\":%" PRIu64 ",\"wall_ns\":%" PRId64
               ",\"report_currency\":\"%s\",\"balanced\":%s,\"fault\":\"%s\",\"fees_not_told\":%" PRIu64
               ",\"prices_not_told\":%" PRIu64 "}\n",
               run, number, wall_ns, currency_code(report->instruments, report->report_currency),
               fault == NULL ? "true" : "false", fault == NULL ? "" : fault, counts.without_fee,
               counts.open_price + counts.without_price);
    } else if (report->format == FORMAT_TEXT) {
        printf(
            "Run %" PRIu64 " as of record %" PRIu64 ", %s.  %s%s\n", run, number, when,
            fault == NULL ? "The books balance." : "THE BOOKS DO NOT BALANCE: ", fault == NULL ? "" : fault);
        if (counts.without_fee + counts.open_price + counts.without_price != 0) {
            printf("%" PRIu64 " executions are counted without their fee, %" PRIu64 " without their price.\n",
                   counts.without_fee, counts.open_price + counts.without_price);
        }
    }
}

int report_main(int argc, char **argv)
{
    struct report report = { .format = FORMAT_TEXT };
    const char *state = NULL;
    const char *shared = NULL;
    bool ledger = false;
    bool postings = false;

    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            fputs(usage_text, stdout);
            return EXIT_DONE;
        } else if (strcmp(argv[i], "--ledger") == 0) {
            ledger = true;
        } else if (strcmp(argv[i], "--csv") == 0) {
            report.format = FORMAT_CSV;
        } else if (strcmp(argv[i], "--json") == 0) {
            report.format = FORMAT_JSON;
        } else if (strcmp(argv[i], "--postings") == 0) {
            postings = true;
        } else if (strcmp(argv[i], "--shared") == 0 && i + 1 < argc) {
            shared = argv[++i];
        } else if (argv[i][0] != '-' && state == NULL) {
            state = argv[i];
        } else {
            fprintf(stderr, "poise report: cannot use %s\n\n%s", argv[i], usage_text);
            return EXIT_USAGE;
        }
    }
    if (state == NULL || !ledger) {
        fputs(usage_text, stderr);
        return EXIT_USAGE;
    }
    char directory[1024];
    uint64_t run = 0;
    uint64_t number = 0;
    snprintf(directory, sizeof directory, "%s/journal", state);
    struct reduce *held = read_books(directory, shared, &run, &number);
    if (held == NULL) {
        return EXIT_UNFIT;
    }
    report.held = held;
    report.ledger = reduce_ledger(held);
    report.instruments = reduce_instruments(held);
    report.accounts = reduce_accounts(held);
    report.report_currency = ledger_report_currency(report.ledger);
    const char *fault = ledger_fault(report.ledger);
    int code = fault == NULL ? EXIT_DONE : EXIT_NO;
    if (fault != NULL) {
        fprintf(stderr, "poise report: %s\n", fault);
    }
    if (postings) {
        int stored = print_postings(&report, state);
        code = stored != EXIT_DONE ? stored : code;
    } else {
        print_head(&report, run, number);
        print_cash(&report);
        if (report.format != FORMAT_CSV) {
            print_legs(&report);
            print_beside(&report);
            print_values(&report);
            print_differences(&report);
        }
    }
    reduce_destroy(held);
    return code;
}
