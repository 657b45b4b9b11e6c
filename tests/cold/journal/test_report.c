/* The statement of account, from a journal whose engine was killed. */
#include "tests/cold/journal/records.h"

#include "cold/refill.h"
#include "cold/store.h"
#include "tools/poise/commands.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char state[256], disk[320], shared[256], said[320];
static struct journal *journal;

static void begin(void)
{
    test_directory(state, false);
    test_directory(shared, true);
    snprintf(disk, sizeof disk, "%s/journal", state);
    snprintf(said, sizeof said, "%s/said", shared);
    cr_assert_eq(mkdir(disk, 0700), 0);
}

static void end(void)
{
    test_remove(state);
    test_remove(shared);
}

TestSuite(report, .init = begin, .fini = end);

static void open_run(uint64_t run)
{
    struct journal_options options = { .directory = disk,
                                       .shared_directory = shared,
                                       .ring_slots = 1024,
                                       .segment_bytes = 32 << 10,
                                       .run = run,
                                       .engine = TEST_ENGINE,
                                       .build_id = "test",
                                       .inline_disk = true };
    char error[600];
    journal = journal_create(&options, error, sizeof error);
    cr_assert_not_null(journal, "%s", error);
}

static void commit(void *context, const struct slot *record)
{
    (void)context;
    while (!test_commit(journal_ring(journal), record)) {
        journal_poll(journal, 1, 1);
    }
}

static void commit_currency(uint16_t index, const char *code)
{
    struct slot record;
    memset(&record, 0, sizeof record);
    struct record_currency *currency = (struct record_currency *)record_begin(&record, RECORD_CURRENCY, 1, 1);
    snprintf(currency->code, sizeof currency->code, "%s", code);
    currency->currency = index;
    commit(NULL, &record);
}

static void commit_top(uint16_t instrument, int64_t price)
{
    struct slot record;
    memset(&record, 0, sizeof record);
    struct record_top *top = (struct record_top *)record_begin(&record, RECORD_TOP, 1, 3);
    top->head.instrument = instrument;
    top->bid_price = top->ask_price = price;
    top->bid_qty = top->ask_qty = 1;
    commit(NULL, &record);
}

static void commit_risk(uint16_t currency)
{
    struct slot record[RECORD_SLOTS_MAX];
    struct risk_params risk = { .report_currency = currency };
    memset(record, 0, sizeof record);
    record_begin(record, RECORD_RISK, record_slots_for_blob(sizeof risk), 1);
    record_blob_write(record, &risk, sizeof risk);
    commit(NULL, record);
}

/* Instrument 1 of the test's head is linear: base 0, prices and profit in 2. */
static void commit_fill(uint64_t counter, enum side side, int64_t qty, int64_t price, int64_t fee_e8)
{
    struct slot record[3];
    memset(record, 0, sizeof record);
    struct record_report *fill = test_report(record, RECORD_FILL, test_order_id(counter), 1, 10 + counter);
    fill->exec_id = counter;
    fill->side = (uint8_t)side;
    fill->last_qty = qty;
    fill->price = price;
    fill->fee_e8 = fee_e8;
    fill->fee_currency = 2;
    fill->flags = REPORT_HAS_LAST | REPORT_HAS_FEE;
    commit(NULL, record);
}

/* What the command says, line by line; answers its exit code. */
static int ask(int argc, char **argv)
{
    fflush(stdout);
    int kept = dup(1);
    int file = open(said, O_RDWR | O_CREAT | O_TRUNC, 0600);
    cr_assert(kept >= 0 && file >= 0);
    dup2(file, 1);
    int code = report_main(argc, argv);
    fflush(stdout);
    dup2(kept, 1);
    close(file);
    close(kept);
    return code;
}

static bool said_line(const char *part, char *line, size_t bytes)
{
    FILE *in = fopen(said, "r");
    bool found = false;
    while (in != NULL && !found && fgets(line, (int)bytes, in) != NULL) {
        found = strstr(line, part) != NULL;
    }
    if (in != NULL) {
        fclose(in);
    }
    return found;
}

static void a_run(uint64_t run, uint64_t fills)
{
    open_run(run);
    commit_currency(0, "BTC");
    commit_currency(2, "USDT");
    commit_risk(2);
    test_run_head(run, commit, NULL);
    commit_currency(0, "BTC"); /* BEGIN emptied what was told before it */
    commit_currency(2, "USDT");
    commit_risk(2);
    commit_top(1, 600000);
    commit_top(0, 600000);
    for (uint64_t i = 0; i < fills; i++) {
        commit_fill(i + 1, i % 2 == 0 ? SIDE_BUY : SIDE_SELL, 10, i % 2 == 0 ? 600000 : 600100, 1000000);
    }
    journal_poll(journal, 1, 1);
    journal_flush(journal, 1, 0);
}

Test(report, the_statement_adds_up_on_every_line_after_many_segments)
{
    char *argv[] = { "report", state, "--ledger", "--csv" };
    char line[512];
    a_run(1, 1000);
    cr_assert_eq(ask(4, argv), EXIT_DONE);
    cr_assert(said_line("one,lin,", line, sizeof line));
    double column[7];
    const char *at = strstr(line, ",USDT,");
    cr_assert_not_null(at, "%s", line);
    cr_assert_eq(sscanf(at + 6, "%lf,%lf,%lf,%lf,%lf,%lf,%lf", &column[0], &column[1], &column[2], &column[3],
                        &column[4], &column[5], &column[6]),
                 7, "%s", line);
    cr_expect_eq(column[2], -10, "1,000 fees of 0.01: %s", line);
    cr_expect_gt(column[1], 0, "%s", line);
    double sum = column[0] + column[1] + column[2] + column[3] + column[4] + column[5] - column[6];
    cr_expect(sum < 1e-9 && sum > -1e-9, "%s", line);
    journal_close(journal, 1);
}

Test(report, a_killed_engines_ring_is_read_too_and_a_run_that_never_traded_is_not_believed)
{
    char *with_ring[] = { "report", state, "--ledger", "--json", "--shared", shared };
    char *disk_only[] = { "report", state, "--ledger", "--json" };
    char line[1024];
    a_run(1, 11);
    commit_fill(12, SIDE_SELL, 10, 600100, 1000000); /* only in the ring: nobody drained it */
    cr_assert_eq(ask(6, with_ring), EXIT_DONE);
    cr_expect(said_line("\"type\":\"ledger\"", line, sizeof line));
    cr_expect_not_null(strstr(line, "\"balanced\":true"), "%s", line);
    cr_expect_not(said_line("\"type\":\"position\"", line, sizeof line), "flat after the twelfth: %s", line);
    cr_assert_eq(ask(4, disk_only), EXIT_DONE);
    cr_expect(said_line("\"type\":\"position\"", line, sizeof line), "long after the eleventh");
    cr_expect(said_line("\"of\":\"instance\"", line, sizeof line));
    cr_expect_not_null(strstr(line, "\"known\":true"), "%s", line);
    journal_close(journal, 1);

    open_run(2); /* ended before RESTORE_DONE */
    struct slot record[2];
    memset(record, 0, sizeof record);
    struct record_begin_run *begin = (struct record_begin_run *)record_begin(record, RECORD_BEGIN, 2, 1);
    begin->run = 2;
    begin->layout_hash = record_layout_hash();
    commit(NULL, record);
    journal_close(journal, 1);
    cr_assert_eq(ask(4, disk_only), EXIT_DONE);
    cr_expect(said_line("\"run\":1", line, sizeof line));
}

Test(report, what_cannot_be_answered_is_said_by_the_exit_code)
{
    char *nothing[] = { "report", "/nowhere", "--ledger" };
    char *unknown[] = { "report", state, "--ledger", "--nonsense" };
    char *no_report[] = { "report", state };
    char *help[] = { "report", "--help" };
    char line[512];
    cr_expect_eq(ask(3, nothing), EXIT_UNFIT);
    cr_expect_eq(ask(4, unknown), EXIT_USAGE);
    cr_expect_eq(ask(2, no_report), EXIT_USAGE);
    cr_expect_eq(ask(2, help), EXIT_DONE);
    cr_expect(said_line("example: poise report", line, sizeof line));
}

/* The store's entries against the books: one that is missing is told. */
Test(report, entries_that_do_not_add_up_to_the_books_are_told)
{
    char *argv[] = { "report", state, "--ledger", "--postings" };
    char path[320];
    char line[512];
    struct store_backend backend;
    a_run(1, 2);
    cr_assert_eq(ask(4, argv), EXIT_UNFIT, "there is no store");
    snprintf(path, sizeof path, "%s/store.sqlite", state);
    cr_assert(store_sqlite(&backend, path));
    struct store *store = store_make(&backend);
    struct slot event; /* any row makes the file */
    memset(&event, 0, sizeof event);
    record_begin(&event, RECORD_EVENT, 1, 1);
    store_record(store, 1, 2, &event);
    store_free(store);
    cr_expect_eq(ask(4, argv), EXIT_NO, "an empty store lacks two fees and a profit");
    cr_expect(said_line("run,number,entry,time", line, sizeof line));
    journal_close(journal, 1);

    /* Filled again from the journal, twice: every entry is there, and once. */
    for (int i = 0; i < 2; i++) {
        cr_assert(store_sqlite(&backend, path));
        store = store_make(&backend);
        cr_expect_gt(refill_store(store, disk, 1, true), 2);
        store_free(store);
        cr_expect_eq(ask(4, argv), EXIT_DONE);
    }
    cr_expect(said_line(",one,lin,binance.linear.BTCUSDT,USDT,part,fee,0.01", line, sizeof line));
}
