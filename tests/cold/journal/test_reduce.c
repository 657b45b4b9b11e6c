#include "tests/cold/journal/records.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

static struct reduce *reduce;

static void consume(void *context, const struct slot *record)
{
    reduce_record(context, record);
}

static void begin(void)
{
    reduce = reduce_create();
    test_run_head(1, consume, reduce);
}

static void end(void)
{
    reduce_destroy(reduce);
}

TestSuite(reduce, .init = begin, .fini = end);

static void send_new(uint64_t order, enum side side, int64_t qty, uint64_t stamp_ns)
{
    struct slot record[2];
    test_order(record, RECORD_ORDER_NEW, order, 0, side, qty, 600000, stamp_ns);
    reduce_record(reduce, record);
}

static void say(enum record_type type, uint64_t order, uint8_t request)
{
    struct slot record[3];
    test_report(record, type, order, 0, 5000)->request = request;
    reduce_record(reduce, record);
}

/* cum < 0: not told. */
static void fill(uint64_t order, uint64_t exec_id, enum side side, int64_t qty, int64_t price, int64_t cum,
                 bool last)
{
    struct slot record[3];
    struct record_report *report = test_report(record, RECORD_FILL, order, 0, 6000);
    report->exec_id = exec_id;
    report->side = side;
    report->last_qty = qty;
    report->price = price;
    report->flags = REPORT_HAS_LAST;
    report->status = last ? ORDER_STATUS_FILLED : ORDER_STATUS_PARTIAL;
    if (cum >= 0) {
        report->cum_qty = cum;
        report->flags |= REPORT_HAS_CUM;
    }
    reduce_record(reduce, record);
}

static void ended(enum record_type type, uint64_t order, int64_t cum)
{
    struct slot record[3];
    struct record_report *report = test_report(record, type, order, 0, 7000);
    report->cum_qty = cum;
    report->flags = REPORT_HAS_CUM | REPORT_TERMINAL;
    reduce_record(reduce, record);
}

static uint8_t state_of(uint64_t order)
{
    const struct reduce_order *row = reduce_order(reduce, order);
    return row == NULL ? REDUCE_NONE : row->state;
}

Test(reduce, a_fill_may_arrive_before_the_ack)
{
    uint64_t order = test_order_id(1);
    send_new(order, SIDE_BUY, 10, 100);
    cr_assert_eq(state_of(order), REDUCE_SENT);
    fill(order, 77, SIDE_BUY, 4, 600000, 4, false);
    say(RECORD_ACK, order, REQUEST_NEW);
    cr_assert_eq(state_of(order), REDUCE_LIVE);
    cr_assert_eq(reduce_position_sum(reduce, 0, 0), 4);
    fill(order, 78, SIDE_BUY, 6, 600000, 10, true);
    cr_assert_eq(state_of(order), REDUCE_DONE);
    cr_assert_eq(reduce_position_sum(reduce, 0, 0), 10);
}

Test(reduce, the_same_execution_counts_once_however_it_comes)
{
    uint64_t order = test_order_id(1);
    send_new(order, SIDE_SELL, 10, 100);
    fill(order, 77, SIDE_SELL, 10, 600000, 10, true);
    fill(order, 77, SIDE_SELL, 10, 600000, 10, true);
    fill(0, 77, SIDE_SELL, 10, 600000, -1, false);
    cr_assert_eq(reduce_position_sum(reduce, 0, 0), -10);
    /* the other end of a trade with ourselves has the same id */
    fill(test_order_id(2), 77, SIDE_BUY, 10, 600000, 10, true);
    cr_assert_eq(reduce_position_sum(reduce, 0, 0), 0);
}

Test(reduce, what_is_missing_may_be_older_than_all_that_was_seen)
{
    uint64_t order = test_order_id(1);
    send_new(order, SIDE_SELL, 1000, 100);
    for (uint64_t exec_id = 501; exec_id < 500 + REDUCE_OVERLAP; exec_id++) {
        fill(order, exec_id, SIDE_SELL, 1, 600000, -1, false);
        cr_assert_eq(reduce_fill_from(reduce, 0, 0), 0, "execution 500 would not be asked for");
    }
    fill(order, 500 + REDUCE_OVERLAP, SIDE_SELL, 1, 600000, -1, false);
    cr_assert_eq(reduce_fill_from(reduce, 0, 0), 501);
}

/* More executions than paging leans on came since: those of the first order would never be asked for. */
Test(reduce, an_order_short_of_executions_says_since_when)
{
    struct slot record;
    struct record_clock *clock = (struct record_clock *)record_begin(&record, RECORD_CLOCK, 1, 90);
    clock->wall_ns = 5000000;
    reduce_record(reduce, &record);
    send_new(test_order_id(1), SIDE_SELL, 10, 100);
    send_new(test_order_id(2), SIDE_SELL, 1000, 2000000);
    for (uint64_t exec_id = 501; exec_id <= 500 + REDUCE_OVERLAP; exec_id++) {
        fill(test_order_id(2), exec_id, SIDE_SELL, 1, 600000, -1, false);
    }
    cr_assert_eq(reduce_owed_since_ns(reduce, 0, 0), 0);
    ended(RECORD_CANCELLED, test_order_id(1), 4);
    cr_assert_eq(reduce_fill_from(reduce, 0, 0), 501);
    cr_assert_eq(reduce_owed_since_ns(reduce, 0, 0), 5000010);
    cr_assert_eq(reduce_owed_since_ns(reduce, 1, 0), 0);
    fill(test_order_id(1), 17, SIDE_SELL, 4, 600000, -1, false);
    cr_assert_eq(reduce_owed_since_ns(reduce, 0, 0), 0);
}

Test(reduce, an_acknowledged_cancel_proves_nothing)
{
    uint64_t order = test_order_id(1);
    send_new(order, SIDE_BUY, 10, 100);
    say(RECORD_ACK, order, REQUEST_NEW);
    struct slot record[2];
    test_order(record, RECORD_ORDER_CANCEL, order, 0, SIDE_BUY, 0, 0, 200);
    reduce_record(reduce, record);
    say(RECORD_CANCEL_ACK, order, REQUEST_CANCEL);
    cr_assert_eq(state_of(order), REDUCE_LIVE);
    ended(RECORD_CANCELLED, order, 0);
    cr_assert_eq(state_of(order), REDUCE_DONE);
}

Test(reduce, a_final_quantity_beyond_the_executions_is_owed_until_they_come)
{
    uint64_t order = test_order_id(1);
    send_new(order, SIDE_BUY, 10, 100);
    ended(RECORD_CANCELLED, order, 7);
    cr_assert_eq(state_of(order), REDUCE_OWED);
    cr_assert_eq(reduce_position_sum(reduce, 0, 0), 0);
    fill(order, 5, SIDE_BUY, 3, 600000, -1, false);
    cr_assert_eq(state_of(order), REDUCE_OWED);
    fill(order, 6, SIDE_BUY, 4, 600000, -1, false);
    cr_assert_eq(state_of(order), REDUCE_DONE);
}

Test(reduce, a_terminal_report_without_its_quantity_ends_nothing)
{
    uint64_t order = test_order_id(1);
    struct slot record[3];
    send_new(order, SIDE_BUY, 10, 100);
    test_report(record, RECORD_CANCELLED, order, 0, 300);
    reduce_record(reduce, record);
    cr_assert_eq(state_of(order), REDUCE_UNKNOWN);
}

Test(reduce, not_found_ends_an_order_only_by_the_whole_rule)
{
    uint64_t order = test_order_id(1), acked = test_order_id(2);
    send_new(order, SIDE_BUY, 10, 100);
    send_new(acked, SIDE_BUY, 10, 100);
    say(RECORD_ACK, acked, REQUEST_NEW);
    for (int turn = 0; turn < 2 * REDUCE_GONE_MISSES; turn++) {
        for (int which = 0; which < 2; which++) {
            struct slot record[3];
            /* by stream, however often and late: unknown */
            struct record_report *report = test_report(record, RECORD_ORDER_STATE, which ? acked : order, 0,
                                                       100 + 2 * REDUCE_GONE_GRACE_NS);
            report->status = ORDER_STATUS_NOT_FOUND;
            reduce_record(reduce, record);
        }
    }
    cr_assert_eq(state_of(order), REDUCE_UNKNOWN);
    for (int which = 0; which < 2; which++) {
        struct slot record[3];
        struct record_report *report = test_report(record, RECORD_ORDER_STATE, which ? acked : order, 0, 200);
        report->status = ORDER_STATUS_NOT_FOUND;
        report->head.flags = RECORD_FLAG_REST;
        reduce_record(reduce, record);
        cr_assert_eq(state_of(which ? acked : order), REDUCE_UNKNOWN, "too early");
        report->head.stamp_ns = 100 + REDUCE_GONE_GRACE_NS;
        reduce_record(reduce, record);
    }
    cr_assert_eq(state_of(order), REDUCE_DONE);
    cr_assert_eq(state_of(acked), REDUCE_UNKNOWN, "the venue once had it");
}

Test(reduce, a_failed_query_resolves_nothing_and_breaks_nothing)
{
    uint64_t order = test_order_id(1);
    send_new(order, SIDE_BUY, 10, 100);
    say(RECORD_ACK, order, REQUEST_NEW);
    say(RECORD_UNKNOWN, order, REQUEST_QUERY);
    cr_assert_eq(state_of(order), REDUCE_LIVE);
    say(RECORD_UNKNOWN, order, REQUEST_CANCEL);
    cr_assert_eq(state_of(order), REDUCE_UNKNOWN);
}

/* The strategy's own reading of a refusal, or who recovers believes an order gone that still may rest. */
Test(reduce, a_refusal_ends_a_new_order_only_where_it_is_certain)
{
    for (uint8_t reason = REASON_NONE; reason < REASON_COUNT; reason++) {
        uint64_t order = test_order_id(100u + reason);
        struct slot record[3];
        send_new(order, SIDE_BUY, 10, 100);
        struct record_report *report = test_report(record, RECORD_REJECT, order, 0, 5000);
        report->request = REQUEST_NEW;
        report->reason = reason;
        reduce_record(reduce, record);
        cr_assert_eq(state_of(order) == REDUCE_UNKNOWN, !record_refuses_for_certain(reason), "reason %u",
                     reason);
    }
    cr_assert_not(record_refuses_for_certain(REASON_NOT_FOUND));
    cr_assert_not(record_refuses_for_certain(REASON_DUPLICATE_ID));
    cr_assert(record_refuses_for_certain(REASON_POST_ONLY));
    cr_assert(record_refuses_for_certain(REASON_NOT_SENT));

    uint64_t acked = test_order_id(1);
    struct slot record[3];
    send_new(acked, SIDE_BUY, 10, 100);
    say(RECORD_ACK, acked, REQUEST_NEW);
    struct record_report *report = test_report(record, RECORD_REJECT, acked, 0, 5000);
    report->request = REQUEST_NEW;
    report->reason = REASON_BALANCE;
    reduce_record(reduce, record);
    cr_assert_eq(state_of(acked), REDUCE_UNKNOWN, "taken and refused: one of the two is old");
}

/* A private stream overtakes the answer to the request: fill, then the segment's end, then the ack. */
Test(reduce, late_news_of_an_ended_order_in_the_next_segment_owes_nothing)
{
    uint64_t order = test_order_id(1);
    struct slot record[3];
    struct record_report *report = test_report(record, RECORD_RESTORE_EXEC, order, 0, 50);
    report->exec_id = 7;
    report->side = SIDE_SELL;
    report->last_qty = 41;
    report->price = 600000;
    reduce_record(reduce, record);
    say(RECORD_ACK, order, REQUEST_NEW);
    cr_assert_eq(state_of(order), REDUCE_LIVE);
    ended(RECORD_EXPIRED, order, 41);
    fill(order, 7, SIDE_SELL, 41, 600000, -1, false);
    cr_assert_eq(state_of(order), REDUCE_DONE);
    struct reduce_counts counts;
    reduce_counts(reduce, &counts);
    cr_assert_eq(counts.owed, 0);
}

Test(reduce, an_old_answer_about_a_finished_order_owes_nothing)
{
    struct slot record[3];
    record_begin(record, RECORD_RESTORE_DONE, 1, 1);
    reduce_record(reduce, record);
    struct record_report *report = test_report(record, RECORD_ORDER_STATE, test_order_id(1), 0, 100);
    report->status = ORDER_STATUS_OPEN;
    report->head.flags = RECORD_FLAG_REST;
    reduce_record(reduce, record);
    cr_assert_eq(state_of(test_order_id(1)), REDUCE_LIVE);
    report->status = ORDER_STATUS_FILLED;
    report->cum_qty = 10;
    report->flags |= REPORT_HAS_CUM | REPORT_TERMINAL;
    reduce_record(reduce, record);
    cr_assert_eq(state_of(test_order_id(1)), REDUCE_DONE);
    struct reduce_counts counts;
    reduce_counts(reduce, &counts);
    cr_assert_eq(counts.owed, 0);
    cr_assert_eq(reduce_position_sum(reduce, 0, 0), 0);
}

Test(reduce, strangers_fills_stand_in_the_unassigned_row)
{
    fill(0, 1, SIDE_BUY, 5, 600000, -1, false);
    fill(order_id_make(TEST_ENGINE + 1, 3, 0, 9), 2, SIDE_BUY, 6, 600000, -1, false);
    cr_assert_eq(reduce_position_sum(reduce, 0, 0), 11);
    cr_assert_eq(reduce_position_count(reduce), 1);
    cr_assert_eq(reduce_position_at(reduce, 0)->instance, NO_INSTANCE);
}

Test(reduce, an_order_the_journal_lost_is_attributed_by_its_id)
{
    uint64_t order = test_order_id(500);
    fill(order, 1, SIDE_BUY, 5, 600000, 5, false);
    cr_assert_eq(reduce_position_at(reduce, 0)->instance, 3);
    cr_assert_eq(reduce_position_at(reduce, 0)->leg, 0);
    cr_assert_eq(state_of(order), REDUCE_UNKNOWN);
    cr_assert_eq(reduce_counter(reduce), 501);
}

Test(reduce, a_second_report_adds_the_fee_and_the_price_the_first_left_open)
{
    uint64_t order = test_order_id(1);
    struct slot record[3];
    send_new(order, SIDE_BUY, 10, 100);
    struct record_report *report = test_report(record, RECORD_FILL, order, 0, 6000);
    report->exec_id = 9;
    report->last_qty = 10;
    report->flags = REPORT_HAS_LAST | REPORT_PRICE_OPEN;
    reduce_record(reduce, record);
    cr_assert_eq(reduce_position_sum(reduce, 0, 0), 10);
    cr_assert_eq(reduce_cash_count(reduce), 0);

    report->price = 500000; /* 50000.0: 10 x 100 USD is 0.02 coin */
    report->flags = REPORT_HAS_LAST | REPORT_HAS_FEE;
    report->fee_e8 = 1000;
    report->fee_currency = 0;
    for (int i = 0; i < 3; i++) {
        reduce_record(reduce, record);
    }
    cr_assert_eq(reduce_position_sum(reduce, 0, 0), 10);
    int64_t fee = 0, trading = 0;
    for (uint32_t i = 0; i < reduce_cash_count(reduce); i++) {
        const struct reduce_cash *cash = reduce_cash_at(reduce, i);
        fee += cash->part == PNL_FEE ? cash->amount_e8 : 0;
        trading += cash->part == PNL_TRADING ? cash->amount_e8 : 0;
    }
    cr_assert_eq(fee, -1000);
    cr_assert_eq(trading, 0);
    cr_assert(reduce_position_at(reduce, 0)->position.notional_e12 == 20000000000LL);
}

Test(reduce, funding_is_booked_once)
{
    struct slot record;
    memset(&record, 0, sizeof record);
    struct record_balance *balance = (struct record_balance *)record_begin(&record, RECORD_BALANCE, 1, 9000);
    balance->head.account = 1;
    balance->head.instrument = 1;
    balance->currency = 2;
    balance->change_e8 = -500;
    balance->reason = CASH_FUNDING;
    balance->venue_time_ns = 77;
    reduce_record(reduce, &record);
    reduce_record(reduce, &record);
    cr_assert_eq(reduce_cash_count(reduce), 1);
    cr_assert_eq(reduce_cash_at(reduce, 0)->amount_e8, -500);
    cr_assert_eq(reduce_cash_at(reduce, 0)->part, PNL_FUNDING);
    cr_assert_eq(reduce_cash_at(reduce, 0)->instance, 3);
}

Test(reduce, requests_in_flight_come_out_as_unknown)
{
    uint64_t sent = test_order_id(1), live = test_order_id(2), cancelling = test_order_id(3);
    struct slot record[2];
    send_new(sent, SIDE_BUY, 10, 100);
    send_new(live, SIDE_SELL, 11, 101);
    send_new(cancelling, SIDE_BUY, 12, 102);
    say(RECORD_ACK, live, REQUEST_NEW);
    say(RECORD_ACK, cancelling, REQUEST_NEW);
    test_order(record, RECORD_ORDER_CANCEL, cancelling, 0, SIDE_BUY, 0, 0, 200);
    reduce_record(reduce, record);

    struct test_list list = { 0 };
    reduce_restore(reduce, test_list_add, &list);
    uint32_t orders = 0;
    for (uint32_t at = 0; at < list.used; at += record_head_of(&list.slot[at])->slot_count) {
        const struct record_report *report = (const struct record_report *)record_head_of(&list.slot[at]);
        if (report->head.type != RECORD_RESTORE_ORDER) {
            continue;
        }
        orders++;
        cr_assert_eq(report->status, report->order == live ? ORDER_STATUS_OPEN : ORDER_STATUS_NONE);
        cr_assert_eq(report->request, report->order == sent         ? REQUEST_NEW
                                      : report->order == cancelling ? REQUEST_CANCEL
                                                                    : REQUEST_NONE);
        cr_assert_eq(report->spare64 >> 8, 3);
    }
    cr_assert_eq(orders, 3);
    test_list_free(&list);
}

Test(reduce, every_cell_of_the_table_is_safe_in_any_order)
{
    uint64_t seed = 99991;
    for (uint32_t i = 0; i < 300000; i++) {
        uint64_t order = test_order_id(test_random(&seed) % 40);
        struct slot record[3];
        memset(record, 0, sizeof record);
        uint8_t type = (uint8_t)(test_random(&seed) % 128);
        if (type >= RECORD_BEGIN && type <= RECORD_RESTORE_CASH) {
            continue; /* our own figures: whatever they say is taken */
        }
        record_begin(record, (enum record_type)type, (uint8_t)(1 + test_random(&seed) % 3), i);
        struct record_report *report = (struct record_report *)record_head_of(record);
        report->head.instrument = (uint16_t)(test_random(&seed) % 4);
        report->head.account = 0;
        report->order = order;
        if (report->head.slot_count == 3) {
            report->exec_id = test_random(&seed) % 50;
            report->side = test_random(&seed) % 2;
            report->last_qty = (int64_t)(test_random(&seed) % 5);
            report->price = (int64_t)(test_random(&seed) % 3) * 600000;
            report->cum_qty = (int64_t)(test_random(&seed) % 12);
            report->flags = (uint8_t)test_random(&seed);
            report->status = (uint8_t)(test_random(&seed) % 10);
            report->request = (uint8_t)(test_random(&seed) % 7);
            report->reason = (uint8_t)(test_random(&seed) % REASON_COUNT);
            report->fee_currency = (uint16_t)(test_random(&seed) % 3);
            report->fee_e8 = 5;
        }
        reduce_record(reduce, record);
    }
    struct reduce_counts counts;
    reduce_counts(reduce, &counts);
    cr_assert_gt(counts.fills, 0);
}

/* ------------------------------------------------------------------ against a naive model */

enum { MODEL_ORDERS = 3000 };

struct model_order {
    int64_t qty, filled;
    enum side side;
    bool live;
};

Test(reduce, positions_and_orders_agree_with_a_naive_model)
{
    static struct model_order model[MODEL_ORDERS];
    memset(model, 0, sizeof model);
    uint64_t seed = 4242424242, exec_id = 1000;
    uint32_t sent = 0;
    int64_t position = 0;
    struct slot replayed[64][3];
    uint32_t replayed_count = 0;

    while (sent < MODEL_ORDERS) {
        switch (test_random(&seed) % 5) {
        case 0:
        case 1: {
            struct model_order *row = &model[sent];
            row->qty = 1 + (int64_t)(test_random(&seed) % 20);
            row->side = test_random(&seed) % 2 ? SIDE_SELL : SIDE_BUY;
            row->live = true;
            send_new(test_order_id(sent + 1), row->side, row->qty, 100 + sent);
            if (test_random(&seed) % 3 != 0) {
                say(RECORD_ACK, test_order_id(sent + 1), REQUEST_NEW);
            }
            sent++;
            break;
        }
        case 2:
        case 3: {
            uint32_t i = (uint32_t)(test_random(&seed) % (sent + 1));
            if (i >= sent || !model[i].live) {
                break;
            }
            int64_t left = model[i].qty - model[i].filled;
            int64_t qty = 1 + (int64_t)(test_random(&seed) % (uint64_t)left);
            model[i].filled += qty;
            position += side_sign(model[i].side) * qty;
            struct slot record[3];
            struct record_report *report = test_report(record, RECORD_FILL, test_order_id(i + 1), 0, 500);
            report->exec_id = ++exec_id;
            report->side = model[i].side;
            report->last_qty = qty;
            report->price = 600000 + (int64_t)(test_random(&seed) % 1000);
            report->cum_qty = model[i].filled;
            report->flags = REPORT_HAS_LAST | REPORT_HAS_CUM;
            if (model[i].filled == model[i].qty) {
                report->status = ORDER_STATUS_FILLED;
                report->flags |= REPORT_TERMINAL;
                model[i].live = false;
            }
            reduce_record(reduce, record);
            memcpy(replayed[replayed_count++ % 64], record, sizeof record);
            break;
        }
        default: {
            uint32_t i = (uint32_t)(test_random(&seed) % (sent + 1));
            if (replayed_count != 0 && test_random(&seed) % 2) {
                /* some report comes again, late */
                uint32_t kept = replayed_count < 64 ? replayed_count : 64;
                reduce_record(reduce, replayed[test_random(&seed) % kept]);
            } else if (i < sent && model[i].live) {
                ended(RECORD_CANCELLED, test_order_id(i + 1), model[i].filled);
                model[i].live = false;
            }
            break;
        }
        }
        cr_assert_eq(reduce_position_sum(reduce, 0, 0), position);
    }
    for (uint32_t i = 0; i < sent; i++) {
        const struct reduce_order *row = reduce_order(reduce, test_order_id(i + 1));
        cr_assert(row != NULL);
        cr_assert_eq(row->filled, model[i].filled);
        cr_assert_eq(row->state != REDUCE_DONE, model[i].live, "order %u", i);
    }
    cr_assert_eq(reduce_fill_from(reduce, 0, 0), exec_id - REDUCE_OVERLAP + 1);

    /* A second reducer built from RESTORE records alone holds the same and counts nothing twice. */
    struct reduce *second = reduce_create();
    reduce_head(reduce, 1, consume, second);
    reduce_restore(reduce, consume, second);
    cr_assert_eq(reduce_position_sum(second, 0, 0), position);
    for (uint32_t i = 0; i < 64; i++) {
        reduce_record(second, replayed[i]);
    }
    cr_assert_eq(reduce_position_sum(second, 0, 0), position);
    cr_assert_eq(reduce_fill_from(second, 0, 0), reduce_fill_from(reduce, 0, 0));
    cr_assert(reduce_position_at(second, 0)->position.notional_e12 ==
              reduce_position_at(reduce, 0)->position.notional_e12);
    reduce_destroy(second);
}

Test(reduce, ended_orders_are_forgotten_oldest_first_and_open_ones_never)
{
    uint64_t open = test_order_id(1);
    send_new(open, SIDE_BUY, 10, 100);
    for (uint64_t i = 2; i < REDUCE_ORDERS_MAX + 1000; i++) {
        send_new(test_order_id(i), SIDE_BUY, 1, 100);
        ended(RECORD_CANCELLED, test_order_id(i), 0);
    }
    cr_assert_eq(state_of(open), REDUCE_SENT);
    cr_assert_eq(state_of(test_order_id(2)), REDUCE_NONE);
    cr_assert_eq(state_of(test_order_id(REDUCE_ORDERS_MAX + 999)), REDUCE_DONE);
}

Test(reduce, what_the_venue_closes_comes_off_whoever_held_it)
{
    struct slot record[3];
    uint64_t order = test_order_id(1);
    send_new(order, SIDE_BUY, 30, 100);
    struct record_report *fill = test_report(record, RECORD_FILL, order, 0, 101);
    fill->exec_id = 1;
    fill->side = SIDE_BUY;
    fill->last_qty = 30;
    fill->price = 600000;
    fill->flags = REPORT_HAS_LAST;
    reduce_record(reduce, record);
    fill = test_report(record, RECORD_FILL, 0, 0, 102);
    fill->exec_id = 2;
    fill->side = SIDE_SELL;
    fill->last_qty = 32;
    fill->price = 590000;
    fill->reason = REASON_LIQUIDATION;
    fill->flags = REPORT_HAS_LAST | REPORT_FOREIGN;
    reduce_record(reduce, record);
    reduce_record(reduce, record);
    cr_assert_eq(reduce_position_sum(reduce, 0, 0), -2);
    for (uint32_t i = 0; i < reduce_position_count(reduce); i++) {
        const struct reduce_position *row = reduce_position_at(reduce, i);
        cr_assert_eq(row->position.qty, row->instance == NO_INSTANCE ? -2 : 0);
    }
}
