#include "cold/store.h"

#include "cold/ledger.h"
#include "config/params.h"
#include "ring/account.h"
#include "ring/order_id.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/poise-store-XXXXXX";
static char path[64];
static struct slot record[RECORD_SLOTS_MAX];

static void begin(void)
{
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/store.db", folder);
}

static void end(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    cr_expect_eq(system(command), 0);
}

TestSuite(store, .init = begin, .fini = end);

static struct store *make(void)
{
    struct store_backend backend;
    cr_assert(store_sqlite(&backend, path));
    struct store *store = store_make(&backend);
    cr_assert_not_null(store);
    return store;
}

/* One answer of the database, as text. */
static const char *query(const char *sql)
{
    static char text[512];
    sqlite3 *database;
    sqlite3_stmt *statement;

    cr_assert_eq(sqlite3_open_v2(path, &database, SQLITE_OPEN_READONLY, NULL), SQLITE_OK, "%s", path);
    cr_assert_eq(sqlite3_prepare_v2(database, sql, -1, &statement, NULL), SQLITE_OK, "%s: %s", sql,
                 sqlite3_errmsg(database));
    text[0] = '\0';
    if (sqlite3_step(statement) == SQLITE_ROW && sqlite3_column_text(statement, 0) != NULL) {
        snprintf(text, sizeof text, "%s", (const char *)sqlite3_column_text(statement, 0));
    }
    sqlite3_finalize(statement);
    sqlite3_close(database);
    return text;
}

/* ------------------------------------------------------------------ a small journal */

#define ORDER order_id_make(1, 2, 1, 77)

static void blob(enum record_type type, const void *bytes, size_t count)
{
    record_begin(record, type, record_slots_for_blob(count), 1000);
    record_blob_write(record, bytes, count);
}

static void feed_head(struct store *store, uint64_t run)
{
    struct record_begin_run *run_head = (void *)record;
    record_begin(record, RECORD_BEGIN, 2, 1000000000);
    run_head->run = run;
    run_head->wall_ns = 1723161255000000000;
    run_head->engine = 1;
    run_head->mode = MODE_SIM;
    snprintf(run_head->build_id, sizeof run_head->build_id, "build");
    store_record(store, run, 1, record);

    struct instrument instrument = {
        .name = "binance.linear.BTCUSDT", .index = 3, .price_decimals = 2, .qty_decimals = 3
    };
    blob(RECORD_INSTRUMENT, &instrument, sizeof instrument);
    store_record(store, run, 2, record);
    struct account account = { .name = "usdm", .index = 1 };
    blob(RECORD_ACCOUNT, &account, sizeof account);
    store_record(store, run, 3, record);
    struct quote_params params = { .name = "btc", .instance = 2 };
    blob(RECORD_PARAMS, &params, sizeof params);
    store_record(store, run, 4, record);
}

static const struct slot *an_order(void)
{
    struct record_order *order = (void *)record;
    struct record_head *head = record_begin(record, RECORD_ORDER_NEW, 2, 2000000000);
    head->instrument = 3;
    head->account = 1;
    head->flags = RECORD_FLAG_OUT;
    order->order = ORDER;
    order->price = 6180020;
    order->qty = 8;
    order->side = SIDE_SELL;
    order->tif = TIF_IOC;
    order->role = ORDER_ROLE_HEDGE;
    order->instance = 2;
    return record;
}

static const struct slot *a_fill(uint64_t exec_id)
{
    struct record_report *report = (void *)record;
    struct record_head *head = record_begin(record, RECORD_FILL, 3, 2001000000);
    head->instrument = 3;
    head->account = 1;
    report->order = ORDER;
    report->exec_id = exec_id;
    report->price = 6180000;
    report->last_qty = 8;
    report->side = SIDE_SELL;
    report->liquidity = LIQUIDITY_TAKER;
    report->flags = REPORT_HAS_LAST | REPORT_HAS_FEE;
    report->fee_e8 = 24720000;
    report->fee_currency = 0;
    snprintf(report->venue_order_id, sizeof report->venue_order_id, "8886774");
    return record;
}

static const struct slot *a_status(uint64_t stamp_ns, int64_t trading_e8)
{
    struct record_status *status = (void *)record;
    record_begin(record, RECORD_STATUS, 3, stamp_ns);
    status->instance = 2;
    status->pnl_e8[PNL_TRADING] = trading_e8;
    return record;
}

static void feed_all(struct store *store, uint64_t run)
{
    struct instrument_table table = { .currency_count = 1, .currency = { { .code = "USDT" } } };
    store_currencies(store, &table);
    feed_head(store, run);
    store_record(store, run, 10, an_order());
    store_record(store, run, 11, a_fill(900));
    store_record(store, run, 12, a_status(5000000000, 1));
    store_record(store, run, 13, a_status(5900000000, 2));
    store_record(store, run, 14, a_status(6000000000, 3));
    struct record_event *event = (void *)record;
    record_begin(record, RECORD_EVENT, 1, 7000000000);
    event->code = EVENT_LADDER;
    event->instance = 2;
    event->severity = 1;
    event->value[1] = -5;
    store_record(store, run, 15, record);
    struct record_position *position = (void *)record;
    record_begin(record, RECORD_POSITION, 1, 7000000000)->instrument = 3;
    position->head.account = 1;
    position->qty = -8;
    position->unrealised_e8 = INT64_MIN;
    store_record(store, run, 16, record);
    struct record_balance *balance = (void *)record;
    record_begin(record, RECORD_BALANCE, 1, 7000000000)->account = 1;
    balance->total_e8 = 100000000;
    balance->available_e8 = INT64_MIN;
    balance->reason = CASH_FUNDING;
    store_record(store, run, 17, record);
    struct ledger_entry entry = { .instance = 2,
                                  .account = 1,
                                  .instrument = NO_INSTRUMENT,
                                  .currency = 0,
                                  .stamp_ns = 7000000000,
                                  .book = LEDGER_PART,
                                  .part = PNL_FEE,
                                  .amount_e8 = 24720000 };
    store_booking(store, run, 11, 0, &entry);
    /* What the store has no table for. */
    record_begin(record, RECORD_TOP, 1, 7000000000);
    store_record(store, run, 18, record);
}

static const char *all_counts(void)
{
    return query("SELECT (SELECT count(*) FROM runs) || ' ' || (SELECT count(*) FROM orders) || ' ' ||"
                 " (SELECT count(*) FROM fills) || ' ' || (SELECT count(*) FROM positions) || ' ' ||"
                 " (SELECT count(*) FROM balances) || ' ' || (SELECT count(*) FROM pnl) || ' ' ||"
                 " (SELECT count(*) FROM events) || ' ' || (SELECT count(*) FROM ledger)");
}

Test(store, records_become_rows_that_people_can_read)
{
    struct store *store = make();
    feed_all(store, 5);
    cr_expect_not(store_step(store, 1000, true));
    cr_expect_str_eq(
        query("SELECT kind||','||order_id||','||instance||','||account||','||instrument||','||side||','||role"
              "||','||price||','||qty||','||tif FROM orders"),
        "order_new,p00g110000002d,btc,usdm,binance.linear.BTCUSDT,sell,hedge,61800.2,0.008,ioc");
    cr_expect_str_eq(
        query("SELECT price||','||qty||','||fee_e8||','||fee_currency||','||liquidity||','||venue_order_id"
              "||','||source||','||wall_ns FROM fills"),
        "61800,0.008,24720000,USDT,taker,8886774,stream,1723161256001000000");
    cr_expect_str_eq(query("SELECT qty||','||coalesce(unrealised_e8,'unknown') FROM positions"),
                     "-0.008,unknown");
    cr_expect_str_eq(
        query("SELECT reason||','||total_e8||','||coalesce(available_e8,'unknown') FROM balances"),
        "funding,100000000,unknown");
    cr_expect_str_eq(query("SELECT name||','||instance||','||severity||','||value_1 FROM events"),
                     "ladder,btc,1,-5");
    cr_expect_str_eq(query("SELECT book||','||part_name||','||amount_e8 FROM ledger"), "part,fee,24720000");
    cr_expect_str_eq(query("SELECT mode||','||build_id||','||run FROM runs"), "sim,build,5");
    cr_expect_str_eq(query("SELECT group_concat(trading_e8) FROM pnl"), "1,3", "one row a second");
    store_free(store);
}

Test(store, feeding_the_same_journal_again_changes_nothing)
{
    struct store *store = make();
    feed_all(store, 5);
    store_step(store, 1000, true);
    char before[64];
    snprintf(before, sizeof before, "%s", all_counts());
    cr_expect_str_eq(before, "1 1 1 1 1 2 1 1");
    feed_all(store, 5);
    store_step(store, 2000, true);
    cr_expect_str_eq(all_counts(), before);
    store_free(store);

    /* After a crash another process feeds it all once more. */
    store = make();
    feed_all(store, 5);
    store_free(store);
    cr_expect_str_eq(all_counts(), before);

    /* Another run is another story, but an execution of the same order happened once. */
    store = make();
    feed_all(store, 6);
    store_free(store);
    cr_expect_str_eq(all_counts(), "2 2 1 2 2 4 2 2");
}

Test(store, one_execution_told_twice_is_one_fill)
{
    struct store *store = make();
    feed_head(store, 1);
    store_record(store, 1, 20, a_fill(900));
    store_record(store, 1, 25, a_fill(900));
    store_record(store, 1, 26, a_fill(901));
    store_record(store, 1, 27, a_fill(0));
    store_record(store, 1, 28, a_fill(0));
    store_free(store);
    cr_expect_str_eq(query("SELECT group_concat(number) FROM fills"), "20,26,27,28",
                     "the first telling stays; without an id each counts");
}

Test(store, a_fill_of_an_unknown_instrument_is_not_lost)
{
    struct store *store = make();
    struct store_counts counts;
    store_record(store, 1, 20, a_fill(900));
    store_step(store, 1000, true);
    store_counts(store, &counts);
    cr_expect_eq(counts.failures, 0, "%s", counts.error);
    store_free(store);
    cr_expect_str_eq(query("SELECT instrument||','||price||','||qty FROM fills"), "3,6180000 units,8 units");
}

Test(store, rows_wait_for_company_but_not_for_long)
{
    struct store *store = make();
    struct store_counts counts;
    store_record(store, 1, 20, a_fill(900));
    cr_expect_not(store_step(store, 1000, false));
    store_counts(store, &counts);
    cr_expect_eq(counts.queued, 1);
    cr_expect_not(store_step(store, 1000 + STORE_BATCH_NS - 1, false));
    store_counts(store, &counts);
    cr_expect_eq(counts.rows, 0);
    cr_expect_not(store_step(store, 1000 + STORE_BATCH_NS, false));
    store_counts(store, &counts);
    cr_expect_eq(counts.rows, 1);
    cr_expect_eq(counts.queued, 0);
    for (uint64_t i = 0; i < 2 * STORE_BATCH_ROWS; i++) {
        store_record(store, 1, 100 + i, a_fill(1000 + i));
    }
    cr_expect(store_step(store, 1000 + STORE_BATCH_NS + 1, false),
              "a full batch goes at once, and there is more");
    cr_expect_not(store_step(store, 1000 + STORE_BATCH_NS + 1, false));
    store_counts(store, &counts);
    cr_expect_eq(counts.batches, 3);
    store_free(store);
}

Test(store, an_older_file_is_brought_up_with_its_rows)
{
    char command[256];
    snprintf(command, sizeof command, "sqlite3 %s < %s/schema_1.sql", path, STORE_TEST_FOLDER);
    cr_assert_eq(system(command), 0);

    struct store *store = make();
    feed_head(store, 2);
    store_record(store, 2, 20, a_fill(900));
    store_free(store);
    cr_expect_str_eq(query("PRAGMA user_version"), "3");
    cr_expect_str_eq(query("SELECT group_concat(build_id) FROM runs"), "old,build");
    cr_expect_str_eq(query("SELECT group_concat(run||':'||number) FROM fills"), "1:10,1:12,2:20");
    cr_expect_str_eq(query("SELECT count(*) FROM balances"), "0");
    cr_expect_str_eq(query("SELECT amount_e8||','||coalesce(instrument,'none') FROM ledger"), "-7,none");
}

static struct store_posting read_back[8];
static uint32_t read_count;

static void read_posting(void *context, const struct store_posting *posting)
{
    (void)context;
    if (read_count < POISE_COUNT_OF(read_back)) {
        read_back[read_count] = *posting;
    }
    read_count++;
}

Test(store, the_books_entries_are_read_back_in_their_order_while_the_store_is_open)
{
    char error[STORE_ERROR_BYTES];
    struct store *store = make();
    feed_head(store, 4);
    struct ledger_entry entry = { .instance = 2,
                                  .account = 1,
                                  .instrument = 3,
                                  .currency = 0,
                                  .book = LEDGER_CASH,
                                  .amount_e8 = -5,
                                  .stamp_ns = 7000000000 };
    store_booking(store, 4, 12, 0, &entry);
    entry.book = LEDGER_PART;
    entry.part = PNL_FUNDING;
    entry.amount_e8 = 5;
    entry.instance = NO_INSTANCE;
    entry.instrument = NO_INSTRUMENT;
    store_booking(store, 4, 12, 1, &entry);
    store_step(store, 1000, true);
    cr_assert(store_sqlite_postings(path, read_posting, NULL, error), "%s", error);
    cr_assert_eq(read_count, 2);
    cr_expect_str_eq(read_back[0].book, "cash");
    cr_expect_str_eq(read_back[0].instance, "btc");
    cr_expect_str_eq(read_back[0].account, "usdm");
    cr_expect_str_eq(read_back[0].instrument, "binance.linear.BTCUSDT");
    cr_expect_eq(read_back[0].amount_e8, -5);
    cr_expect_gt(read_back[0].wall_ns, 1700000000000000000);
    cr_expect_str_eq(read_back[1].part_name, "funding");
    cr_expect_str_eq(read_back[1].instance, "");
    cr_expect_str_eq(read_back[1].instrument, "");
    store_free(store);
    cr_expect_not(store_sqlite_postings("/nowhere/store.sqlite", read_posting, NULL, error));
    cr_expect_not_null(strstr(error, "/nowhere/store.sqlite"), "%s", error);
}

Test(store, a_file_of_a_newer_schema_is_left_alone)
{
    struct store *store = make();
    struct store_counts counts;
    char command[256];
    snprintf(command, sizeof command, "sqlite3 %s 'PRAGMA user_version = 9'", path);
    cr_assert_eq(system(command), 0);
    store_record(store, 1, 20, a_fill(900));
    store_step(store, 1000, true);
    store_counts(store, &counts);
    cr_expect(counts.degraded);
    cr_expect_not_null(strstr(counts.error, "schema 9, this build knows 3"), "%s", counts.error);
    store_free(store);
    cr_expect_str_eq(query("SELECT count(*) FROM sqlite_master"), "0");
}

Test(store, a_folder_that_is_not_there_degrades_and_recovers)
{
    struct store *store;
    struct store_counts counts;
    char later[80];
    snprintf(later, sizeof later, "%s/later", folder);
    snprintf(path, sizeof path, "%s/later/store.db", folder);

    store = make();
    feed_all(store, 1);
    cr_expect_not(store_step(store, 1000, true));
    store_counts(store, &counts);
    cr_expect(counts.degraded);
    cr_expect_eq(counts.failures, 1);
    cr_expect_eq(counts.queued, 9);
    cr_assert_eq(mkdir(later, 0700), 0);
    store_step(store, 1000 + STORE_RETRY_NS - 1, true);
    store_counts(store, &counts);
    cr_expect_eq(counts.failures, 1, "not tried before its time");
    store_step(store, 1000 + STORE_RETRY_NS, true);
    store_counts(store, &counts);
    cr_expect_not(counts.degraded);
    cr_expect_str_eq(counts.error, "");
    cr_expect_str_eq(all_counts(), "1 1 1 1 1 2 1 1");
    store_free(store);
}

Test(store, a_full_disk_degrades_and_recovers)
{
    struct store *store = make();
    struct store_counts counts;
    struct rlimit limit;
    struct rlimit small;

    feed_all(store, 1);
    store_step(store, 1000, true);
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    small = limit;
    small.rlim_cur = 65536;
    signal(SIGXFSZ, SIG_IGN);
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
    uint64_t now_ns = 2000;
    uint64_t number = 100;
    do {
        for (int i = 0; i < 500; i++, number++) {
            store_record(store, 1, number, a_fill(number));
        }
        store_step(store, now_ns, true);
        store_counts(store, &counts);
        cr_assert_lt(number, 100000);
    } while (!counts.degraded);
    uint32_t queued = counts.queued;
    cr_expect_geq(queued, 1);

    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    store_step(store, now_ns + STORE_RETRY_NS, true);
    store_counts(store, &counts);
    cr_expect_not(counts.degraded, "%s", counts.error);
    store_free(store);
    char expected[32];
    snprintf(expected, sizeof expected, "%llu", (unsigned long long)(number - 100 + 1));
    cr_expect_str_eq(query("SELECT count(*) FROM fills"), expected, "none lost, none doubled");
}

/* ------------------------------------------------------------------ a backend that refuses */

static bool refusing;
static uint32_t put_count, fail_at = UINT32_MAX;

static bool yes(void *context, char error[STORE_ERROR_BYTES])
{
    (void)context;
    snprintf(error, STORE_ERROR_BYTES, "refused");
    return !refusing;
}

static bool put(void *context, const struct store_row *row, char error[STORE_ERROR_BYTES])
{
    (void)context;
    (void)row;
    (void)error;
    return put_count++ != fail_at;
}

static void nothing(void *context)
{
    (void)context;
}

static const struct store_backend refuser = { "refuser", yes, yes, put, yes, nothing, nothing, NULL };

Test(store, a_full_queue_says_from_where_to_feed_again)
{
    struct store *store = store_make(&refuser);
    struct store_counts counts;
    uint64_t run;
    uint64_t number;

    refusing = true;
    for (uint64_t i = 0; i < STORE_QUEUE_ROWS + 5; i++) {
        store_record(store, 3, 100 + i, a_fill(1 + i));
        store_step(store, 1000, false);
    }
    store_counts(store, &counts);
    cr_expect_eq(counts.queued, STORE_QUEUE_ROWS);
    cr_expect_eq(counts.dropped, 5);
    cr_expect_eq(counts.failures, 1, "tried once, then waiting");
    cr_expect(store_resume(store, &run, &number));
    cr_expect_eq(run, 3);
    cr_expect_eq(number, 100 + STORE_QUEUE_ROWS);
    cr_expect_not(store_resume(store, &run, &number), "told once");

    refusing = false;
    while (store_step(store, 1000 + STORE_RETRY_NS, true)) {
    }
    store_counts(store, &counts);
    cr_expect_eq(counts.queued, 0);
    cr_expect_eq(counts.rows, STORE_QUEUE_ROWS);
    store_free(store);
}

Test(store, a_batch_that_breaks_in_the_middle_is_tried_whole)
{
    struct store *store = store_make(&refuser);
    struct store_counts counts;
    for (uint64_t i = 0; i < 10; i++) {
        store_record(store, 3, 100 + i, a_fill(1 + i));
    }
    fail_at = 4;
    store_step(store, 1000, true);
    store_counts(store, &counts);
    cr_expect_eq(counts.queued, 10);
    cr_expect_eq(counts.rows, 0);
    store_step(store, 1000 + STORE_RETRY_NS, true);
    store_counts(store, &counts);
    cr_expect_eq(counts.rows, 10);
    cr_expect_eq(put_count, 15);
    store_free(store);
}

Test(store, tries_grow_apart_up_to_a_minute)
{
    struct store *store = store_make(&refuser);
    struct store_counts counts;
    uint64_t now_ns = 1;
    refusing = true;
    store_record(store, 3, 100, a_fill(1));
    for (; now_ns < 600000000000; now_ns += 500000000) {
        store_step(store, now_ns, true);
    }
    store_counts(store, &counts);
    /* 1, 2, 4, 8, 16, 32 s apart, then 60: 6 + 1 tries in the first 63 s, then every minute. */
    cr_expect(counts.failures >= 14 && counts.failures <= 17, "%llu", (unsigned long long)counts.failures);
    store_free(store);
}
