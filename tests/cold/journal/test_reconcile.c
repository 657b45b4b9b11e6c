#include "tests/cold/journal/fake_venue.h"
#include "cold/payments.h"
#include "cold/reconcile.h"
#include "ring/clock.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct reduce *reduce;
static struct rest *rest;
static struct reconcile *reconcile;
static struct account_table accounts;
static struct sign_key keys[2];
static struct test_list said;
static uint32_t failures;
static const char *allowed; /* what a failure may say */

static void consume(void *context, const struct slot *record)
{
    reduce_record(context, record);
}

static void hear(void *context, const struct slot *record)
{
    (void)context;
    test_list_add(&said, record);
}

static void failed(void *context, const char *what, const char *why)
{
    (void)context;
    (void)what;
    cr_assert(strstr(why, allowed) != NULL, "%s", why);
    failures++;
}

static void begin(void)
{
    static const struct reconcile_pair pairs[2] = { { 0, 0 }, { 1, 1 } };
    fake_reset();
    failures = 0;
    allowed = "connection reset";
    reduce = reduce_create();
    test_run_head(1, consume, reduce);
    accounts.count = 2;
    accounts.row[0] = reduce_accounts(reduce)->row[0];
    accounts.row[1] = reduce_accounts(reduce)->row[1];
    struct rest_transport transport = fake_transport();
    struct rest_clock clock = fake_clock();
    rest = rest_create(&transport, &clock, reduce_instruments(reduce));
    struct reconcile_options options = { .rest = rest,
                                         .instruments = reduce_instruments(reduce),
                                         .accounts = &accounts,
                                         .key = keys,
                                         .venue = fake_find,
                                         .reduce = reduce,
                                         .pairs = pairs,
                                         .pair_count = 2,
                                         .interval_ns = 10000000000,
                                         .emit = hear,
                                         .failed = failed };
    reconcile = reconcile_create(&options);
}

static void end(void)
{
    reconcile_destroy(reconcile);
    rest_destroy(rest);
    reduce_destroy(reduce);
    test_list_free(&said);
}

TestSuite(reconcile, .init = begin, .fini = end);

/* Polls until a whole round has passed, at so many nanoseconds after the last. */
static void run_round(uint64_t later_ns)
{
    struct reconcile_counts counts;
    reconcile_counts(reconcile, &counts);
    uint64_t before = counts.rounds;
    world.now_ns += later_ns;
    world.wall_ns += (int64_t)later_ns;
    for (int i = 0; i < 1000 && counts.rounds == before; i++) {
        reconcile_poll(reconcile, world.now_ns, world.wall_ns);
        reconcile_counts(reconcile, &counts);
    }
    cr_assert_eq(counts.rounds, before + 1);
}

static uint32_t heard(uint8_t type, uint8_t flags)
{
    uint32_t count = 0;
    for (uint32_t at = 0; at < said.used; at += record_head_of(&said.slot[at])->slot_count) {
        const struct record_head *head = record_head_of(&said.slot[at]);
        count += head->type == type && (head->flags & flags) == flags;
    }
    return count;
}

static void order_acked(uint64_t order, uint32_t venue_id)
{
    struct slot record[3];
    test_order(record, RECORD_ORDER_NEW, order, 0, SIDE_BUY, 10, 600000, 1000);
    reduce_record(reduce, record);
    struct record_report *ack = test_report(record, RECORD_ACK, order, 0, 1001);
    ack->request = REQUEST_NEW;
    snprintf(ack->venue_order_id, VENUE_ORDER_ID_BYTES, "%u", venue_id);
    reduce_record(reduce, record);
}

Test(reconcile, positions_and_balances_are_told_as_snapshots)
{
    run_round(0);
    cr_assert_eq(heard(RECORD_POSITION, RECORD_FLAG_REST | RECORD_FLAG_SNAP), 2);
    cr_assert_eq(world.asked[REST_BALANCES], 2);
    /* nothing before the interval is over */
    for (int i = 0; i < 100; i++) {
        reconcile_poll(reconcile, world.now_ns, world.wall_ns);
    }
    cr_assert_eq(heard(RECORD_POSITION, 0), 2);
    reconcile_hurry(reconcile);
    run_round(0);
    cr_assert_eq(heard(RECORD_POSITION, 0), 4);
}

Test(reconcile, an_account_is_read_when_nothing_of_what_is_held_is_left_open)
{
    cr_assert_eq(reconcile_read_ns(reconcile, 0), 0);
    cr_assert_eq(reconcile_read_ns(reconcile, 2), UINT64_MAX, "there is nothing to read");
    run_round(0);
    uint64_t first_ns = reconcile_read_ns(reconcile, 0);
    cr_assert_gt(first_ns, 0);
    /* a failed question about positions leaves its account as it was read before */
    world.fail_what = REST_POSITIONS;
    world.fail_times = 1;
    run_round(10000000000);
    cr_assert_eq(reconcile_read_ns(reconcile, 0), first_ns);
    uint64_t other_ns = reconcile_read_ns(reconcile, 1);
    cr_assert_gt(other_ns, first_ns);
    /* so does an execution that is waited for, until what is held has it */
    world.fill[world.fill_count++] = (struct world_fill){ 501, 1, SIDE_BUY, 4, 600000, 11 };
    run_round(10000000000);
    cr_assert_gt(reconcile_read_ns(reconcile, 0), first_ns);
    cr_assert_eq(reconcile_read_ns(reconcile, 1), other_ns);
    run_round(10000000000); /* whose order that was is asked first */
    run_round(0);
    cr_assert_eq(heard(RECORD_FILL, 0), 1);
    cr_assert_eq(reconcile_read_ns(reconcile, 1), other_ns, "told, and not yet held");
    for (uint32_t at = 0; at < said.used; at += record_head_of(&said.slot[at])->slot_count) {
        reduce_record(reduce, &said.slot[at]);
    }
    run_round(10000000000);
    cr_assert_gt(reconcile_read_ns(reconcile, 1), other_ns);
    /* and so does a venue that wants to be left alone */
    first_ns = reconcile_read_ns(reconcile, 0);
    world.later_what = REST_FILLS;
    world.later_times = 1;
    world.later_ms = 5000;
    allowed = "429";
    run_round(10000000000);
    cr_assert_eq(reconcile_read_ns(reconcile, 0), first_ns);
}

Test(reconcile, an_instrument_without_a_row_is_not_told_as_flat)
{
    world.names_position[0] = false;
    run_round(0);
    cr_assert_eq(heard(RECORD_POSITION, 0), 1);
}

/* The fill with this id that was told last, or NULL. */
static const struct record_report *fill_told(uint64_t exec_id)
{
    const struct record_report *found = NULL;
    for (uint32_t at = 0; at < said.used; at += record_head_of(&said.slot[at])->slot_count) {
        const struct record_report *fill = (const struct record_report *)record_head_of(&said.slot[at]);
        found = fill->head.type == RECORD_FILL && fill->exec_id == exec_id ? fill : found;
    }
    return found;
}

Test(reconcile, an_execution_of_nobodys_order_is_told_when_it_is_known_whose_that_was)
{
    world.order[world.order_count++] = (struct world_order){ .side = SIDE_SELL,
                                                             .qty = 9,
                                                             .cum = 9,
                                                             .status = ORDER_STATUS_FILLED,
                                                             .venue_id = 77,
                                                             .reason = REASON_LIQUIDATION };
    world.fill[world.fill_count++] = (struct world_fill){ 601, 0, SIDE_SELL, 4, 600000, 77 };
    world.fill[world.fill_count++] = (struct world_fill){ 602, 0, SIDE_SELL, 5, 600000, 77 };
    world.fill[world.fill_count++] = (struct world_fill){ 603, 0, SIDE_BUY, 1, 600000, 78 }; /* a person's */
    world.fail_what = REST_ORDER;
    world.fail_times = 1;
    run_round(0);
    run_round(10000000000);
    cr_assert_eq(heard(RECORD_FILL, 0), 0, "the question was not answered: nothing is guessed");
    run_round(10000000000);
    run_round(10000000000);
    cr_assert_eq(heard(RECORD_FILL, RECORD_FLAG_REST), 3);
    for (uint64_t id = 601; id <= 603; id++) {
        const struct record_report *fill = fill_told(id);
        cr_assert_not_null(fill);
        cr_assert_eq(fill->order, 0);
        cr_assert_neq(fill->flags & REPORT_FOREIGN, 0);
        cr_assert_eq(fill->reason, id < 603 ? REASON_LIQUIDATION : REASON_NONE);
    }
    cr_assert_leq(world.asked[REST_ORDER], 4, "once an order, and once more for what failed");
}

Test(reconcile, a_missing_execution_is_told_once_it_stayed_missing)
{
    order_acked(test_order_id(1), 11);
    world.order[world.order_count++] = (struct world_order){ .order = test_order_id(1),
                                                             .side = SIDE_BUY,
                                                             .qty = 10,
                                                             .price = 600000,
                                                             .cum = 4,
                                                             .status = ORDER_STATUS_PARTIAL,
                                                             .venue_id = 11 };
    world.fill[world.fill_count++] = (struct world_fill){ 501, 0, SIDE_BUY, 4, 600000, 11 };
    run_round(0);
    cr_assert_eq(heard(RECORD_FILL, 0), 0, "its report may be on its way");
    reconcile_hurry(reconcile);
    run_round(1000000000);
    cr_assert_eq(heard(RECORD_FILL, 0), 0, "a second look too soon is no proof");
    run_round(20000000000);
    cr_assert_eq(heard(RECORD_FILL, RECORD_FLAG_REST), 1);
    for (uint32_t at = 0; at < said.used; at += record_head_of(&said.slot[at])->slot_count) {
        const struct record_report *fill = (const struct record_report *)record_head_of(&said.slot[at]);
        if (fill->head.type == RECORD_FILL) {
            cr_assert_eq(fill->order, test_order_id(1));
            reduce_record(reduce, &said.slot[at]);
        }
    }
    run_round(20000000000);
    run_round(20000000000);
    cr_assert_eq(heard(RECORD_FILL, 0), 1);
}

/* The venue's executions name its own order, and one of ours was never answered: a stranger's execution now
 * would be counted a second time when the order is found. */
Test(reconcile, an_execution_is_nobodys_only_when_no_order_of_ours_is_without_a_name)
{
    struct slot record[3];
    test_order(record, RECORD_ORDER_NEW, test_order_id(1), 0, SIDE_BUY, 10, 600000, 1000);
    reduce_record(reduce, record);
    world.fill[world.fill_count++] = (struct world_fill){ 900, 0, SIDE_BUY, 4, 600000, 11 };
    run_round(20000000000);
    run_round(20000000000);
    run_round(20000000000);
    cr_assert_eq(heard(RECORD_FILL, 0), 0);
    /* found at last, and named */
    struct record_report *state = test_report(record, RECORD_ORDER_STATE, test_order_id(1), 0, 2000);
    state->status = ORDER_STATUS_PARTIAL;
    state->cum_qty = 4;
    state->flags |= REPORT_HAS_CUM;
    snprintf(state->venue_order_id, VENUE_ORDER_ID_BYTES, "%u", 11);
    reduce_record(reduce, record);
    run_round(20000000000);
    run_round(20000000000);
    cr_assert_eq(heard(RECORD_FILL, RECORD_FLAG_REST), 1);
    const struct record_report *fill = NULL;
    for (uint32_t at = 0; at < said.used; at += record_head_of(&said.slot[at])->slot_count) {
        fill = record_head_of(&said.slot[at])->type == RECORD_FILL
                   ? (const struct record_report *)record_head_of(&said.slot[at])
                   : fill;
    }
    cr_assert_eq(fill->order, test_order_id(1));
    cr_assert_eq(fill->flags & REPORT_FOREIGN, 0);
}

Test(reconcile, an_execution_that_came_by_stream_is_not_told_again)
{
    order_acked(test_order_id(1), 11);
    world.fill[world.fill_count++] = (struct world_fill){ 501, 0, SIDE_BUY, 4, 600000, 11 };
    run_round(0);
    struct slot record[3];
    struct record_report *fill = test_report(record, RECORD_FILL, test_order_id(1), 0, 2000);
    fill->exec_id = 501;
    fill->last_qty = 4;
    fill->price = 600000;
    fill->flags = REPORT_HAS_LAST | REPORT_HAS_FEE;
    reduce_record(reduce, record);
    run_round(20000000000);
    cr_assert_eq(heard(RECORD_FILL, 0), 0);
}

Test(reconcile, an_order_that_does_not_rest_any_more_is_asked_for)
{
    order_acked(test_order_id(1), 11);
    world.order[world.order_count++] = (struct world_order){ .order = test_order_id(1),
                                                             .side = SIDE_BUY,
                                                             .qty = 10,
                                                             .price = 600000,
                                                             .cum = 0,
                                                             .status = ORDER_STATUS_CANCELLED,
                                                             .venue_id = 11 };
    run_round(0);
    cr_assert_eq(world.asked[REST_ORDER], 1);
    cr_assert_eq(heard(RECORD_ORDER_STATE, RECORD_FLAG_REST), 1);
}

static void cancelled_meanwhile(const struct rest_query *query)
{
    if (query->what == REST_ORDER) {
        struct slot record[3];
        struct record_report *report = test_report(record, RECORD_CANCELLED, test_order_id(1), 0, 3000);
        report->flags = REPORT_HAS_CUM | REPORT_TERMINAL;
        reduce_record(reduce, record);
    }
}

Test(reconcile, an_answer_that_was_overtaken_is_not_told)
{
    order_acked(test_order_id(1), 11);
    world.before = cancelled_meanwhile;
    run_round(0);
    cr_assert_eq(world.asked[REST_ORDER], 1);
    cr_assert_eq(heard(RECORD_ORDER_STATE, 0), 0);
}

Test(reconcile, an_order_that_rests_as_believed_is_no_news)
{
    order_acked(test_order_id(1), 11);
    world.order[world.order_count++] = (struct world_order){ .order = test_order_id(1),
                                                             .side = SIDE_BUY,
                                                             .qty = 10,
                                                             .price = 600000,
                                                             .status = ORDER_STATUS_OPEN,
                                                             .venue_id = 11 };
    run_round(0);
    cr_assert_eq(heard(RECORD_ORDER_STATE, 0), 0);
    cr_assert_eq(world.asked[REST_ORDER], 0);
}

Test(reconcile, an_unknown_order_is_asked_for_and_not_found_is_told_as_such)
{
    struct slot record[3];
    test_order(record, RECORD_ORDER_NEW, test_order_id(1), 0, SIDE_BUY, 10, 600000, 1000);
    reduce_record(reduce, record);
    test_report(record, RECORD_UNKNOWN, test_order_id(1), 0, 1001)->request = REQUEST_NEW;
    reduce_record(reduce, record);
    run_round(0);
    cr_assert_eq(heard(RECORD_ORDER_STATE, RECORD_FLAG_REST), 1);
    const struct record_report *report = NULL;
    for (uint32_t at = 0; at < said.used; at += record_head_of(&said.slot[at])->slot_count) {
        if (record_head_of(&said.slot[at])->type == RECORD_ORDER_STATE) {
            report = (const struct record_report *)record_head_of(&said.slot[at]);
        }
    }
    cr_assert_eq(report->status, ORDER_STATUS_NOT_FOUND);
}

Test(reconcile, executions_that_an_order_lacks_are_asked_for_by_time_too)
{
    order_acked(test_order_id(1), 11);
    run_round(0);
    uint64_t usual = world.asked[REST_FILLS];
    struct slot record[3];
    struct record_report *report = test_report(record, RECORD_CANCELLED, test_order_id(1), 0, 3000);
    report->cum_qty = 4;
    report->flags = REPORT_HAS_CUM | REPORT_TERMINAL;
    reduce_record(reduce, record);
    run_round(20000000000);
    cr_assert_eq(world.asked[REST_FILLS], 2 * usual + 1);
}

Test(reconcile, a_failed_question_is_skipped_and_tells_nothing)
{
    order_acked(test_order_id(1), 11);
    world.fail_what = REST_OPEN_ORDERS;
    world.fail_times = 1000;
    run_round(0);
    cr_assert_eq(failures, 2);
    cr_assert_eq(world.asked[REST_ORDER], 0, "without the list of open orders nothing is missing from it");
    cr_assert_eq(heard(RECORD_POSITION, 0), 2);
}

Test(reconcile, a_venue_that_wants_to_be_left_alone_is_not_asked_before)
{
    order_acked(test_order_id(1), 11);
    world.later_what = REST_FILLS;
    world.later_times = 1;
    world.later_ms = 60000;
    allowed = "slow down";
    run_round(0);
    struct reconcile_counts counts;
    reconcile_counts(reconcile, &counts);
    cr_assert_eq(failures, 1, "one refusal is told, not one a question");
    cr_assert_eq(counts.questions, 3);
    cr_assert_eq(counts.held, 6, "the other executions, the order, the positions and the balances");
    cr_assert_eq(counts.last_round_ns, 0, "a round with a hole is no round");
    for (int i = 0; i < 5; i++) {
        reconcile_hurry(reconcile); /* an order in doubt changes nothing about it */
        run_round(10000000000);
    }
    cr_assert_eq(heard(RECORD_POSITION, 0), 0);
    run_round(11000000000);
    reconcile_counts(reconcile, &counts);
    cr_assert_eq(heard(RECORD_POSITION, 0), 2);
    cr_assert_neq(counts.last_round_ns, 0);
}

/* ------------------------------------------------------------------ payments */

static const struct record_balance *payment_at(uint32_t index, uint8_t reason)
{
    for (uint32_t at = 0; at < said.used; at += record_head_of(&said.slot[at])->slot_count) {
        const struct record_balance *row = (const struct record_balance *)record_head_of(&said.slot[at]);
        if (row->head.type == RECORD_BALANCE && row->reason == reason && index-- == 0) {
            return row;
        }
    }
    return NULL;
}

static void consume_said(void)
{
    for (uint32_t at = 0; at < said.used; at += record_head_of(&said.slot[at])->slot_count) {
        reduce_record(reduce, &said.slot[at]);
    }
}

static void pay(uint32_t row, int64_t change_e8, int64_t time_ns)
{
    world.payment[world.payment_count++] = (struct world_payment){ .product = PRODUCT_LINEAR,
                                                                   .reason = CASH_FUNDING,
                                                                   .instrument = 1,
                                                                   .currency = 2,
                                                                   .row = row,
                                                                   .change_e8 = change_e8,
                                                                   .time_ns = time_ns };
}

Test(reconcile, rows_of_payments_are_told_once_and_until_when_all_is_told)
{
    world.keeps_payments = true;
    int64_t begun_ns = reduce_begin(reduce)->wall_ns;
    run_round(0);
    cr_assert_eq(world.asked[REST_PAYMENTS], 2, "once an account");
    const struct record_balance *history = payment_at(0, CASH_HISTORY);
    cr_assert_not_null(history);
    cr_assert_not_null(payment_at(1, CASH_HISTORY));
    consume_said();
    said.used = 0;
    pay(7, 500, world.wall_ns);
    run_round(10000000000);
    cr_assert_eq(world.asked[REST_PAYMENTS], 2, "nothing waits for a row, and a minute has not passed");
    run_round(60000000000);
    cr_assert_eq(world.asked[REST_PAYMENTS], 4);
    const struct record_balance *row = payment_at(0, CASH_FUNDING);
    cr_assert_not_null(row);
    cr_assert_eq(row->change_e8, 500);
    cr_assert_neq(row->head.flags & RECORD_FLAG_REST, 0);
    consume_said();
    said.used = 0;
    run_round(60000000000);
    cr_assert_null(payment_at(0, CASH_FUNDING), "it is booked");
    cr_assert_gt(begun_ns, 0);
}

/* Recovery has just read it all: a history is a heavy question, and starts may come close together. */
Test(reconcile, a_history_read_before_the_start_is_not_read_again_at_once)
{
    world.keeps_payments = true;
    struct slot record;
    payments_history(&record, 0, world.wall_ns - 3000000000);
    reduce_record(reduce, &record);
    run_round(0);
    cr_assert_eq(world.asked[REST_PAYMENTS], 1, "that of the other account");
    run_round(46000000000);
    cr_assert_eq(world.asked[REST_PAYMENTS], 1);
    run_round(11000000000);
    cr_assert_eq(world.asked[REST_PAYMENTS], 2, "a minute after it was read");
}

/* A payment moved the balance; a stream tells of it, and its row is to be read. */
static void paid_and_waiting(void)
{
    world.keeps_payments = true;
    world.names_balance = true;
    world.linear_currency = 2;
    world.balance_e8[1] = 1000;
    run_round(0);
    consume_said();
    said.used = 0;
    /* a stream tells of a payment, and its row stands in the history */
    struct slot record;
    memset(&record, 0, sizeof record);
    struct record_balance *news = (struct record_balance *)record_begin(&record, RECORD_BALANCE, 1, 1);
    news->head.account = 1;
    news->head.instrument = NO_INSTRUMENT;
    news->currency = 2;
    news->total_e8 = 1700;
    news->change_e8 = 700;
    news->reason = CASH_FUNDING;
    news->told = CASH_TOLD_AGAIN;
    reduce_record(reduce, &record);
    world.balance_e8[1] = 1700;
}

Test(reconcile, a_row_that_something_waits_for_is_asked_for_at_once)
{
    paid_and_waiting();
    pay(9, 700, world.wall_ns);
    run_round(2500000000); /* long before the interval is over */
    cr_assert_not_null(payment_at(0, CASH_FUNDING));
    cr_assert_eq(payment_at(0, CASH_FUNDING)->row, 9);
}

Test(reconcile, an_answer_without_the_row_that_is_waited_for_is_no_word)
{
    paid_and_waiting();
    int64_t paid_ns = world.wall_ns;
    run_round(2500000000); /* the venue's answer is empty */
    cr_assert_null(payment_at(0, CASH_HISTORY), "not told until now");
    for (int minute = 0; minute < 30; minute++) {
        consume_said();
        said.used = 0;
        run_round(60000000000);
    }
    pay(9, 700, paid_ns);
    consume_said();
    said.used = 0;
    run_round(60000000000);
    cr_assert_not_null(payment_at(0, CASH_FUNDING), "half an hour later it is still looked for");
    cr_assert_eq(payment_at(0, CASH_FUNDING)->row, 9);
    consume_said();
    said.used = 0;
    run_round(60000000000);
    cr_assert_null(payment_at(0, CASH_FUNDING));
    bool told = false;
    for (uint32_t i = 0; payment_at(i, CASH_HISTORY) != NULL; i++) {
        told = told || payment_at(i, CASH_HISTORY)->head.account == 1;
    }
    cr_assert(told);
}

/* An owner's deposit in what nothing here settles in: without its row the books would differ for good, and no
 * new risk be taken. */
Test(reconcile, a_balance_that_differs_is_asked_for_in_its_currency_too)
{
    world.keeps_payments = world.by_currency = world.names_balance = true;
    world.linear_currency = 0;
    world.inverse_currency = 0;
    world.balance_e8[1] = 1000;
    run_round(0);
    consume_said();
    said.used = 0;
    cr_assert_eq(world.asked[REST_PAYMENTS], 2, "each account's own currency");
    world.balance_e8[1] = 1700;
    run_round(60000000000);
    consume_said();
    said.used = 0;
    pay(9, 700, world.wall_ns);
    world.payment[0].currency = 0;
    run_round(60000000000);
    cr_assert_eq(world.asked[REST_PAYMENTS], 7);
    cr_assert_not_null(payment_at(0, CASH_FUNDING));
    cr_assert_eq(payment_at(0, CASH_FUNDING)->currency, 0);
    consume_said();
    said.used = 0;
    run_round(60000000000);
    cr_assert_eq(world.asked[REST_PAYMENTS], 9, "and not once it agrees");
}

Test(reconcile, a_history_that_could_not_be_read_is_not_called_told)
{
    world.keeps_payments = true;
    world.fail_what = REST_PAYMENTS;
    world.fail_times = 1;
    run_round(0);
    cr_assert_eq(failures, 1);
    cr_assert_not_null(payment_at(0, CASH_HISTORY));
    cr_assert_eq(payment_at(0, CASH_HISTORY)->head.account, 1, "of the account that answered");
    cr_assert_null(payment_at(1, CASH_HISTORY));
}

/* ------------------------------------------------------------------ the venue's rules */

static struct instrument told; /* the last row that was told */

static uint32_t rows_told(void)
{
    uint32_t count = 0;
    for (uint32_t at = 0; at < said.used; at += record_head_of(&said.slot[at])->slot_count) {
        if (record_head_of(&said.slot[at])->type == RECORD_INSTRUMENT) {
            record_blob_read(&said.slot[at], &told, sizeof told);
            count++;
        }
    }
    return count;
}

/* As the strategy's journal would: what was told is true from now on. */
static void journal_rows(void)
{
    for (uint32_t at = 0; at < said.used; at += record_head_of(&said.slot[at])->slot_count) {
        if (record_head_of(&said.slot[at])->type == RECORD_INSTRUMENT) {
            reduce_record(reduce, &said.slot[at]);
        }
    }
    said.used = 0;
}

static void all_trade(struct instrument *row)
{
    row->status = INSTRUMENT_TRADING;
}

static void coarser(struct instrument *row)
{
    all_trade(row);
    row->tick *= row->product == PRODUCT_LINEAR ? 5 : 1;
}

static void halted(struct instrument *row)
{
    row->status = row->product == PRODUCT_LINEAR ? INSTRUMENT_HALTED : INSTRUMENT_TRADING;
}

/* Polls for so long, a millisecond at a time or a second. */
static void pass(uint64_t ns, uint64_t step_ns)
{
    for (uint64_t gone = 0; gone < ns; gone += step_ns) {
        world.now_ns += step_ns;
        world.wall_ns += (int64_t)step_ns;
        for (int i = 0; i < 100; i++) {
            reconcile_poll(reconcile, world.now_ns, world.wall_ns);
        }
    }
}

static void all_known(void)
{
    world.rules = all_trade;
    pass(13 * NS_PER_S, NS_PER_S); /* the rows of this journal's head do not say that anything is traded */
    journal_rows();
}

static void stream_says(uint16_t instrument, uint32_t status, bool locked)
{
    struct slot record;
    struct record_state *state =
        (struct record_state *)record_begin(&record, RECORD_INSTRUMENT_STATE, 1, world.now_ns);
    state->head.instrument = instrument;
    state->value = status;
    state->detail = locked;
    reduce_record(reduce, &record);
}

Test(reconcile, rules_are_asked_for_once_a_minute_and_told_when_they_change)
{
    all_known();
    uint32_t asked = world.asked[REST_INSTRUMENTS];
    pass(65 * NS_PER_S, NS_PER_S);
    cr_assert_eq(world.asked[REST_INSTRUMENTS], asked + 2, "a page for each product");
    cr_assert_eq(rows_told(), 0);
    world.rules = coarser;
    pass(60 * NS_PER_S, NS_PER_S);
    cr_assert_eq(rows_told(), 1);
    cr_assert_eq(told.index, 1);
    cr_assert_eq(told.tick, 50);
    cr_assert_eq(told.status, INSTRUMENT_TRADING);
    journal_rows();
    pass(120 * NS_PER_S, NS_PER_S);
    cr_assert_eq(rows_told(), 0);
}

Test(reconcile, a_refused_order_has_the_rules_read_at_once_and_less_often_when_they_are_the_same)
{
    all_known();
    pass(2 * NS_PER_S, NS_PER_S);
    world.rules = coarser;
    reconcile_rules(reconcile);
    pass(2 * NS_PER_MS, NS_PER_MS);
    cr_assert_eq(rows_told(), 1);
    journal_rows();
    uint32_t asked = world.asked[REST_INSTRUMENTS];
    for (int i = 0; i < 40; i++) {
        reconcile_rules(reconcile);
        pass(NS_PER_S, NS_PER_S);
    }
    cr_assert_leq(world.asked[REST_INSTRUMENTS], asked + 2 * 8, "1, 2, 4, 8, 10, 10 .. s apart");
    cr_assert_geq(world.asked[REST_INSTRUMENTS], asked + 2 * 4);
}

Test(reconcile, the_end_of_a_maintenance_is_found_out_within_seconds)
{
    all_known();
    world.rules = halted;
    pass(61 * NS_PER_S, NS_PER_S);
    cr_assert_eq(rows_told(), 1);
    cr_assert_eq(told.status, INSTRUMENT_HALTED);
    journal_rows();
    pass(30 * NS_PER_S, NS_PER_S);
    cr_assert_eq(rows_told(), 0);
    world.rules = all_trade;
    pass(11 * NS_PER_S, NS_PER_S);
    cr_assert_eq(rows_told(), 1);
    cr_assert_eq(told.status, INSTRUMENT_TRADING);
}

Test(reconcile, a_lock_of_the_stream_is_not_lifted_by_metadata)
{
    all_known();
    stream_says(1, INSTRUMENT_CANCEL_ONLY, true);
    pass(60 * NS_PER_S, NS_PER_S);
    cr_assert_eq(rows_told(), 0);
    world.rules = coarser; /* and a row told for something else leaves the lock */
    pass(11 * NS_PER_S, NS_PER_S);
    cr_assert_eq(rows_told(), 1);
    cr_assert_eq(told.tick, 50);
    cr_assert_eq(told.status, INSTRUMENT_CANCEL_ONLY);
}

Test(reconcile, a_streams_halt_is_lifted_only_by_an_answer_that_is_clearly_younger)
{
    all_known();
    stream_says(1, INSTRUMENT_HALTED, false);
    reconcile_rules(reconcile);
    pass(5 * NS_PER_S, NS_PER_S);
    cr_assert_eq(rows_told(), 0);
    pass(12 * NS_PER_S, NS_PER_S);
    cr_assert_eq(rows_told(), 1);
    cr_assert_eq(told.status, INSTRUMENT_TRADING);
}

Test(reconcile, metadata_that_are_not_answered_change_nothing_and_are_asked_for_again)
{
    all_known();
    world.fail_what = REST_INSTRUMENTS;
    world.fail_times = 2;
    world.rules = coarser;
    pass(65 * NS_PER_S, NS_PER_S);
    cr_assert_geq(failures, 1);
    pass(12 * NS_PER_S, NS_PER_S);
    cr_assert_eq(rows_told(), 1);
}

Test(reconcile, an_instrument_that_the_metadata_do_not_name_stays_as_it_is)
{
    all_known();
    world.no_metadata[1] = true;
    world.rules = coarser;
    pass(130 * NS_PER_S, NS_PER_S);
    cr_assert_eq(rows_told(), 0);
}
