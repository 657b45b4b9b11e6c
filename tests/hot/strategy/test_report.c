#include "tests/hot/strategy/desk.h"

/* A desk that quotes, with everything acknowledged. */
static struct desk *quoting(void)
{
    struct desk *desk = desk_ready(NULL, NULL);
    desk_answer(desk, true);
    desk_forget(desk);
    return desk;
}

static int64_t perp_qty(const struct desk *desk)
{
    return desk->s->exposure.instance[0].leg[LEG_QUOTE].position.qty;
}

Test(report, a_fill_may_arrive_before_the_ack)
{
    struct desk *desk = desk_ready(NULL, NULL);
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    cr_assert_eq(bid->state, ORDER_SENT);
    uint64_t id = bid->id;
    desk_fill(desk, id, 10, bid->price);
    cr_assert_eq(desk_row(desk, id)->state, ORDER_DONE);
    desk_ack(desk, id);
    cr_assert_eq(desk_row(desk, id)->state, ORDER_DONE);
    cr_assert_eq(perp_qty(desk), 10);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 1);
    desk_check(desk);
    desk_free(desk);
}

Test(report, a_fill_after_the_cancel_still_counts_and_is_hedged)
{
    struct desk *desk = quoting();
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    uint64_t id = bid->id;
    int64_t price = bid->price;
    desk_command(desk, COMMAND_PAUSE, 7, 0);
    cr_assert_eq(bid->state, ORDER_CANCELLING);
    struct slot slot[3];
    desk_report_for(desk, slot, RECORD_CANCEL_ACK, id);
    desk_feed(desk, slot);
    cr_assert_eq(bid->state, ORDER_CANCELLING); /* proves nothing */
    desk_end(desk, id, RECORD_CANCELLED, 0);
    cr_assert_eq(desk_row(desk, id)->state, ORDER_DONE);
    desk_forget(desk);
    desk_fill(desk, id, 4, price); /* the venue contradicts itself: the money is real */
    cr_assert_eq(perp_qty(desk), 4);
    desk_fill(desk, id, 6, price);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 2);
    desk_check(desk);
    desk_free(desk);
}

Test(report, a_fill_while_the_cancel_flies_is_hedged_at_once)
{
    struct desk *desk = quoting();
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    desk_command(desk, COMMAND_PAUSE, 7, 0);
    desk_forget(desk);
    desk_fill(desk, bid->id, 5, bid->price);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 1);
    desk_end(desk, bid->id, RECORD_CANCELLED, 5);
    cr_assert_eq(perp_qty(desk), 5);
    desk_free(desk);
}

Test(report, the_same_execution_twice_counts_once)
{
    struct desk *desk = quoting();
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    uint64_t id = bid->id;
    int64_t price = bid->price;
    desk_fill(desk, id, 5, price);
    desk->exec--;
    desk_row(desk, id)->filled -= 5; /* so that the report is built the same */
    struct slot slot[3];
    struct record_report *report = desk_report_for(desk, slot, RECORD_FILL, id);
    desk_row(desk, id)->filled += 5;
    report->exec_id = desk->exec;
    report->price = price;
    report->last_qty = 5;
    report->cum_qty = 5;
    report->flags = REPORT_HAS_LAST | REPORT_HAS_CUM;
    desk_forget(desk);
    desk_feed(desk, slot);
    cr_assert_eq(perp_qty(desk), 5);
    cr_assert_eq(desk->s->duplicate_fills, 1);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 0);
    desk_free(desk);
}

Test(report, a_quick_notice_then_the_full_report_count_once_with_the_fee)
{
    struct desk *desk = quoting();
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    uint64_t id = bid->id;
    int64_t price = bid->price;
    desk->exec = 500;
    desk_lite(desk, id, 10, price, 500);
    cr_assert_eq(perp_qty(desk), 10);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 1);
    cr_assert(order_is_live(desk_row(desk, id))); /* nobody said that it ended */
    int64_t estimated = desk_delta_e8(desk);

    struct slot slot[3];
    struct record_report *report = desk_report_for(desk, slot, RECORD_FILL, id);
    report->exec_id = 500;
    report->price = price;
    report->last_qty = 10;
    report->cum_qty = 10;
    report->status = ORDER_STATUS_FILLED;
    report->flags = REPORT_HAS_LAST | REPORT_HAS_CUM | REPORT_HAS_FEE | REPORT_TERMINAL;
    report->fee_e8 = 300;
    report->fee_currency = BTC;
    report->liquidity = LIQUIDITY_MAKER;
    desk_feed(desk, slot);
    cr_assert_eq(perp_qty(desk), 10);
    cr_assert_eq(desk_row(desk, id)->state, ORDER_DONE);
    /* 1 bp of 0.01667500 BTC was assumed (167, rounded up), 300 were told */
    cr_assert_eq(desk_delta_e8(desk), estimated - (300 - 167));
    desk_feed(desk, slot);
    cr_assert_eq(desk_delta_e8(desk), estimated - (300 - 167));
    desk_free(desk);
}

Test(report, a_final_quantity_ahead_of_the_fills_counts_at_once_and_is_repriced)
{
    struct desk *desk = quoting();
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    uint64_t id = bid->id;
    int64_t price = bid->price;
    desk_forget(desk);
    desk_end(desk, id, RECORD_CANCELLED, 7); /* seven were executed and nobody told */
    cr_assert_eq(perp_qty(desk), 7);
    cr_assert_eq(desk_row(desk, id)->state, ORDER_DONE);
    cr_assert_eq(desk_row(desk, id)->open_qty, 7);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 1);
    desk_answer(desk, true);

    /* nobody tells for a second: people hear of it, and it is asked for */
    desk_forget(desk);
    desk_clock(desk, 500 * MS);
    cr_assert_eq(desk_count_event(desk, EVENT_PRICE_OPEN), 0);
    desk_clock(desk, 600 * MS);
    cr_assert_eq(desk_count_event(desk, EVENT_PRICE_OPEN), 1);
    cr_assert_eq(desk_event(desk, EVENT_PRICE_OPEN, 0)->value[1], 7);

    /* REST brings them, one by one */
    int64_t before = desk_delta_e8(desk);
    desk_forget(desk);
    desk_lite(desk, id, 3, price - 5, 900);
    cr_assert_eq(desk_row(desk, id)->open_qty, 4);
    desk_lite(desk, id, 4, price, 901);
    cr_assert_eq(desk_row(desk, id)->open_qty, 0);
    cr_assert_eq(perp_qty(desk), 7);
    cr_assert_eq(desk->s->open_count, 0);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 0);
    cr_assert_lt(base_abs(desk_delta_e8(desk) - before), 300); /* the fees, and 5 ticks on 3 contracts */
    desk_check(desk);
    desk_free(desk);
}

Test(report, reports_in_the_wrong_order_reach_the_same_position)
{
    struct desk *desk = quoting();
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    uint64_t id = bid->id;
    int64_t price = bid->price;
    struct slot second[3];
    struct record_report *report = desk_report_for(desk, second, RECORD_FILL, id);
    report->exec_id = 71;
    report->last_qty = 6;
    report->cum_qty = 10;
    report->price = price;
    report->status = ORDER_STATUS_FILLED;
    report->flags = REPORT_HAS_LAST | REPORT_HAS_CUM | REPORT_TERMINAL;
    struct slot first[3];
    report = desk_report_for(desk, first, RECORD_FILL, id);
    report->exec_id = 70;
    report->last_qty = 4;
    report->cum_qty = 4;
    report->price = price;
    report->status = ORDER_STATUS_PARTIAL;
    report->flags = REPORT_HAS_LAST | REPORT_HAS_CUM;
    desk_feed(desk, second);
    cr_assert_eq(perp_qty(desk), 10);
    desk_feed(desk, first);
    cr_assert_eq(perp_qty(desk), 10);
    cr_assert_eq(desk_row(desk, id)->open_qty, 0);
    cr_assert_eq(desk_row(desk, id)->filled, 10);
    desk_feed(desk, second);
    desk_feed(desk, first);
    cr_assert_eq(perp_qty(desk), 10);
    desk_free(desk);
}

Test(report, an_execution_without_a_price_counts_at_once_and_only_once)
{
    struct desk *desk = quoting();
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    uint64_t id = bid->id;
    int64_t price = bid->price;
    struct slot slot[3];
    struct record_report *report = desk_report_for(desk, slot, RECORD_FILL, id);
    report->exec_id = 40;
    report->last_qty = 5;
    report->price = 0;
    report->flags = REPORT_HAS_LAST | REPORT_PRICE_OPEN;
    desk_feed(desk, slot);
    desk_feed(desk, slot); /* told twice while still open */
    cr_assert_eq(perp_qty(desk), 5);
    cr_assert_eq(desk_row(desk, id)->open_qty, 5);
    desk_lite(desk, id, 5, price - 3, 40);
    cr_assert_eq(perp_qty(desk), 5);
    cr_assert_eq(desk_row(desk, id)->open_qty, 0);
    desk_lite(desk, id, 5, price - 3, 40);
    cr_assert_eq(perp_qty(desk), 5);
    desk_check(desk);
    desk_free(desk);
}

Test(report, a_query_that_knows_more_than_the_stream_is_believed_at_once)
{
    struct desk *desk = quoting();
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    desk_order_state(desk, bid->id, ORDER_STATUS_PARTIAL, 6, RECORD_FLAG_REST);
    cr_assert_eq(perp_qty(desk), 6);
    desk_lite(desk, bid->id, 2, bid->price, 10); /* the stream catches up */
    desk_lite(desk, bid->id, 4, bid->price, 11);
    cr_assert_eq(perp_qty(desk), 6);
    desk_lite(desk, bid->id, 1, bid->price, 12);
    cr_assert_eq(perp_qty(desk), 7);
    desk_free(desk);
}

Test(report, unknown_is_queried_never_resent_and_stops_new_risk)
{
    struct desk *desk = quoting();
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    uint64_t id = bid->id;
    desk_both(desk, 600500);              /* moves both quotes: amends fly */
    cr_assert_eq(bid->state, ORDER_OPEN); /* closer waits */
    desk_clock(desk, 20 * MS);
    cr_assert_eq(bid->state, ORDER_AMENDING);
    desk_forget(desk);
    struct slot slot[3];
    struct record_report *report = desk_report_for(desk, slot, RECORD_UNKNOWN, id);
    report->request = REQUEST_AMEND;
    report->tie = bid->tie;
    desk_feed(desk, slot);
    cr_assert_eq(bid->state, ORDER_QUERIED);
    cr_assert_eq(desk_count(desk, RECORD_ORDER_QUERY), 1);
    cr_assert_eq(desk->s->instance[0].pull, PULL_UNKNOWN);

    /* unanswered reads resolve nothing; they come further and further apart */
    desk_forget(desk);
    for (int i = 0; i < 600; i++) {
        desk_clock(desk, 100 * MS);
        cr_assert(order_in_doubt(bid));
    }
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, 0), 0);
    cr_assert_eq(desk_count(desk, RECORD_ORDER_AMEND), 0);
    uint32_t queries = desk_count(desk, RECORD_ORDER_QUERY);
    cr_assert(queries > 5 && queries < 20, "%u", queries);
    desk_order_state(desk, id, ORDER_STATUS_OPEN, 0, 0);
    cr_assert(!order_in_doubt(bid));
    desk_check(desk);
    desk_free(desk);
}

Test(report, a_doubt_told_again_does_not_put_off_its_query)
{
    struct desk *desk = quoting();
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    desk_reject(desk, bid->id, REQUEST_NEW, REASON_DUPLICATE_ID);
    for (int i = 0; i < 4; i++) { /* far apart by now */
        desk_order_state(desk, bid->id, ORDER_STATUS_NOT_FOUND, 0, 0);
        desk_clock(desk, 2 * SECOND);
    }
    desk_order_state(desk, bid->id, ORDER_STATUS_NOT_FOUND, 0, 0);
    cr_assert_eq(bid->state, ORDER_UNKNOWN);
    uint32_t asked = bid->queries;
    for (int i = 0; i < 100; i++) {
        desk_clock(desk, 100 * MS);
        desk_reject(desk, bid->id, REQUEST_NEW, REASON_DUPLICATE_ID);
    }
    cr_assert_gt(bid->queries, asked);
    desk_free(desk);
}

Test(report, not_found_is_proof_only_by_rest_repeated_and_late)
{
    struct desk *desk = desk_ready(NULL, NULL);
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    uint64_t id = bid->id;
    struct slot slot[3];
    desk_report_for(desk, slot, RECORD_UNKNOWN, id)->request = REQUEST_NEW;
    desk_feed(desk, slot);
    for (int i = 0; i < 10; i++) {
        desk_order_state(desk, id, ORDER_STATUS_NOT_FOUND, 0, RECORD_FLAG_REST);
        cr_assert(order_in_doubt(bid)); /* too early */
        desk_clock(desk, 100 * MS);
    }
    desk_clock(desk, 5 * SECOND);
    desk_order_state(desk, id, ORDER_STATUS_NOT_FOUND, 0, 0);
    cr_assert(order_in_doubt(bid)); /* not by REST */
    desk_order_state(desk, id, ORDER_STATUS_NOT_FOUND, 0, RECORD_FLAG_REST);
    cr_assert_eq(desk_row(desk, id)->state, ORDER_DONE);
    cr_assert_eq(perp_qty(desk), 0);
    desk_free(desk);
}

Test(report, an_acknowledged_order_is_never_gone_for_not_being_found)
{
    struct desk *desk = quoting();
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    for (int i = 0; i < 50; i++) {
        desk_order_state(desk, bid->id, ORDER_STATUS_NOT_FOUND, 0, RECORD_FLAG_REST);
        desk_clock(desk, 500 * MS);
    }
    cr_assert(order_in_doubt(bid));
    desk_free(desk);
}

Test(report, a_duplicate_id_means_the_first_send_worked)
{
    struct desk *desk = desk_ready(NULL, NULL);
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    desk_forget(desk);
    desk_reject(desk, bid->id, REQUEST_NEW, REASON_DUPLICATE_ID);
    cr_assert(order_in_doubt(bid));
    cr_assert_eq(desk_count(desk, RECORD_ORDER_QUERY), 1);
    desk_free(desk);
}

Test(report, a_cancel_refused_as_unknown_is_an_instruction_to_read_the_fill)
{
    struct desk *desk = quoting();
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    uint64_t id = bid->id;
    desk_command(desk, COMMAND_PAUSE, 7, 0);
    desk_forget(desk);
    struct slot slot[3];
    struct record_report *report = desk_report_for(desk, slot, RECORD_REJECT, id);
    report->request = REQUEST_CANCEL;
    report->reason = REASON_NOT_FOUND;
    report->tie = bid->tie;
    desk_feed(desk, slot);
    cr_assert_eq(bid->state, ORDER_QUERIED);
    desk_order_state(desk, id, ORDER_STATUS_FILLED, 10, 0);
    cr_assert_eq(desk_row(desk, id)->state, ORDER_DONE);
    cr_assert_eq(perp_qty(desk), 10);
    cr_assert_geq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 1);
    desk_free(desk);
}

Test(report, a_cancel_that_is_refused_again_and_again_is_tried_less_and_less_often)
{
    static const enum reject_reason reasons[] = { REASON_RATE_LIMIT, REASON_SUSPENDED, REASON_NOT_SENT };
    for (size_t r = 0; r < POISE_COUNT_OF(reasons); r++) {
        struct desk *desk = quoting();
        struct order *bid = desk_quote(desk, SIDE_BUY, 0);
        uint64_t waited_ms[8] = { 0 };
        desk_command(desk, COMMAND_PAUSE, 7, 0);
        for (size_t i = 0; i < POISE_COUNT_OF(waited_ms); i++) {
            struct slot slot[3];
            struct record_report *report = desk_report_for(desk, slot, RECORD_REJECT, bid->id);
            cr_assert_eq(bid->state, ORDER_CANCELLING);
            report->request = REQUEST_CANCEL;
            report->reason = (uint8_t)reasons[r];
            report->tie = bid->tie;
            desk_feed(desk, slot);
            desk_forget(desk);
            while (bid->state != ORDER_CANCELLING && waited_ms[i] < 5000) {
                desk_clock(desk, MS);
                waited_ms[i]++;
            }
        }
        const uint64_t expected_ms[] = { 50, 100, 200, 400, 800, 800, 800, 800 };
        for (size_t i = 0; i < POISE_COUNT_OF(waited_ms); i++) {
            cr_assert_eq(waited_ms[i], expected_ms[i], "%zu: %lu ms", i, waited_ms[i]);
        }
        desk_free(desk);
    }
}

Test(report, a_terminal_report_without_a_final_quantity_is_asked_for)
{
    struct desk *desk = quoting();
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    struct slot slot[3];
    struct record_report *report = desk_report_for(desk, slot, RECORD_CANCELLED, bid->id);
    report->status = ORDER_STATUS_CANCELLED;
    report->flags = REPORT_TERMINAL; /* no cumulative quantity */
    desk_feed(desk, slot);
    cr_assert(order_in_doubt(bid));
    desk_free(desk);
}

Test(report, a_lost_link_doubts_what_rested_and_ready_asks_for_it)
{
    struct desk *desk = quoting();
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    struct order *ask = desk_quote(desk, SIDE_SELL, 0);
    desk_state(desk, RECORD_GATEWAY_STATE, NO_INSTRUMENT, COIN_ACCOUNT, GATEWAY_DOWN);
    cr_assert(order_in_doubt(bid) && order_in_doubt(ask));
    cr_assert_eq(desk_count(desk, RECORD_ORDER_QUERY), 0); /* nobody could ask */
    for (int i = 0; i < 50; i++) {
        desk_clock(desk, 100 * MS);
    }
    cr_assert_eq(desk_count(desk, RECORD_ORDER_QUERY), 0);
    cr_assert_not(desk->s->halted); /* a lost link is not a halt */
    desk_forget(desk);
    desk_state(desk, RECORD_GATEWAY_STATE, NO_INSTRUMENT, COIN_ACCOUNT, GATEWAY_READY);
    cr_assert_eq(desk_count(desk, RECORD_ORDER_QUERY), 2);
    /* the dead-man took one, the other had been filled */
    desk_order_state(desk, bid->id, ORDER_STATUS_CANCELLED, 0, 0);
    desk_order_state(desk, ask->id, ORDER_STATUS_FILLED, 10, 0);
    cr_assert_eq(perp_qty(desk), -10);
    desk_read(desk, COIN_ACCOUNT, desk->s->ready_ns[COIN_ACCOUNT]);
    desk_both(desk, 600000);
    desk_answer(desk, true);
    cr_assert_lt(base_abs(desk_delta_e8(desk)), COIN * 2 / 1000);
    cr_assert_eq(desk->s->instance[0].state, INSTANCE_QUOTING);
    desk_check(desk);
    desk_free(desk);
}

Test(report, late_news_of_an_earlier_amend_does_not_end_the_one_in_flight)
{
    struct desk *desk = quoting();
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    desk_clock(desk, 20 * MS);
    desk_both(desk, 599000);
    cr_assert_eq(bid->state, ORDER_AMENDING);
    struct slot news[3];
    desk_report_for(desk, news, RECORD_AMENDED, bid->id); /* the stream's, without tie */
    struct slot answer[3];
    desk_report_for(desk, answer, RECORD_AMENDED, bid->id)->tie = bid->tie;
    int64_t first = bid->want_price;
    desk_feed(desk, answer);
    cr_assert_eq(bid->price, first);
    desk_both(desk, 598000);
    cr_assert_eq(bid->state, ORDER_AMENDING);
    int64_t second = bid->want_price;
    cr_assert_neq(first, second);
    uint64_t tie = bid->tie;
    desk_feed(desk, news);
    desk_feed(desk, answer);
    cr_assert_eq(bid->state, ORDER_AMENDING);
    cr_assert_eq(bid->want_price, second);
    cr_assert_eq(bid->tie, tie); /* and nothing was asked again */
    desk_free(desk);
}

Test(report, overtaken_news_of_an_amend_does_not_bring_its_price_back)
{
    struct desk *desk = quoting();
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    struct slot news[3], answer[3];
    desk_clock(desk, 20 * MS);
    desk_both(desk, 599000);
    struct record_report *first = desk_report_for(desk, news, RECORD_AMENDED, bid->id);
    first->venue_time_ns = 1000 * MS;
    first->order_price = bid->want_price;
    first->order_qty = bid->want_qty + 3;
    desk_report_for(desk, answer, RECORD_AMENDED, bid->id)->tie = bid->tie;
    desk_feed(desk, answer);
    desk_both(desk, 598000);
    cr_assert_eq(bid->state, ORDER_AMENDING);
    struct record_report *second = desk_report_for(desk, answer, RECORD_AMENDED, bid->id);
    second->tie = bid->tie;
    second->venue_time_ns = 1001 * MS;
    second->order_price = bid->want_price;
    second->order_qty = bid->want_qty;
    desk_feed(desk, answer);
    cr_assert_eq(bid->state, ORDER_OPEN);
    int64_t price = bid->price, qty = bid->qty;
    desk_feed(desk, news); /* the stream's, late or once more */
    cr_assert_eq(bid->price, price);
    cr_assert_eq(bid->qty, qty);
    desk_report_for(desk, news, RECORD_ORDER_STATE, bid->id)->venue_time_ns = 1000 * MS; /* and an old list */
    first->status = ORDER_STATUS_OPEN;
    first->order_price = price - 7;
    desk_feed(desk, news);
    cr_assert_eq(bid->price, price);
    desk_check(desk);
    desk_free(desk);
}

Test(report, an_unchanged_amend_counts_as_done)
{
    struct desk *desk = quoting();
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    desk_clock(desk, 20 * MS);
    desk_both(desk, 599000);
    int64_t wanted = bid->want_price;
    desk_reject(desk, bid->id, REQUEST_AMEND, REASON_UNCHANGED);
    cr_assert_eq(bid->state, ORDER_OPEN);
    cr_assert_eq(bid->price, wanted);
    desk_free(desk);
}

Test(report, a_fill_of_a_forgotten_order_is_attributed_by_its_id)
{
    struct desk *desk = quoting();
    struct slot slot[3];
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    struct record_report *report = desk_report_for(desk, slot, RECORD_FILL, bid->id);
    report->order = order_id_make(5, 7, LEG_QUOTE | ORDER_CLASS_QUOTE << 2, 123456);
    report->exec_id = 5000;
    report->last_qty = 3;
    report->flags = REPORT_HAS_LAST;
    desk_feed(desk, slot);
    cr_assert_eq(perp_qty(desk), 3);
    cr_assert_eq(desk_count_event(desk, EVENT_UNKNOWN_ORDER), 1);
    desk_free(desk);
}

Test(report, a_foreign_fill_goes_to_the_unassigned_row_and_is_not_hedged)
{
    struct desk *desk = quoting();
    struct slot slot[3];
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    struct record_report *report = desk_report_for(desk, slot, RECORD_FILL, bid->id);
    report->order = 0;
    report->exec_id = 5000;
    report->last_qty = 30;
    report->flags = REPORT_HAS_LAST | REPORT_FOREIGN;
    desk_feed(desk, slot);
    cr_assert_eq(perp_qty(desk), 0);
    cr_assert_eq(desk->s->exposure.holding[desk->s->exposure.holding_of[COIN_ACCOUNT][PERP]].total_qty, 30);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 0);
    desk_free(desk);
}

Test(report, a_liquidation_shrinks_the_leg_that_held_it_halts_and_unwinds_the_other)
{
    struct desk *desk = quoting();
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    desk_fill(desk, bid->id, 10, bid->price);
    desk_answer(desk, true);
    cr_assert_eq(perp_qty(desk), 10);
    desk_forget(desk);
    struct slot slot[3];
    struct record_report *report =
        desk_report_for(desk, slot, RECORD_FILL, desk_quote(desk, SIDE_SELL, 0)->id);
    report->order = 0;
    report->side = SIDE_SELL;
    report->exec_id = 6000;
    report->last_qty = 10;
    report->reason = REASON_LIQUIDATION;
    report->flags = REPORT_HAS_LAST | REPORT_FOREIGN;
    desk_feed(desk, slot);
    cr_assert_eq(perp_qty(desk), 0);
    cr_assert(desk->s->halted);
    const struct record_order *hedge = desk_order_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE, 0);
    cr_assert_not_null(hedge);
    cr_assert_eq(hedge->side, SIDE_BUY); /* the other leg comes off */
    desk_free(desk);
}

Test(report, a_liquidation_is_shared_in_the_order_of_the_instances_and_its_fee_is_the_first_ones)
{
    struct desk *desk = quoting();
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    desk_fill(desk, bid->id, 10, bid->price);
    desk_answer(desk, true);
    int64_t fees_e8 = desk->s->exposure.instance[0].cash[0].amount_e8[PNL_FEE];
    desk_forget(desk);
    struct slot slot[3];
    struct record_report *report =
        desk_report_for(desk, slot, RECORD_FILL, desk_quote(desk, SIDE_SELL, 0)->id);
    report->order = 0;
    report->side = SIDE_SELL;
    report->exec_id = 6000;
    report->last_qty = 14; /* the owner held four more */
    report->reason = REASON_LIQUIDATION;
    report->fee_e8 = 77;
    report->fee_currency = BTC;
    report->flags = REPORT_HAS_LAST | REPORT_FOREIGN | REPORT_HAS_FEE;
    desk_feed(desk, slot);
    desk_feed(desk, slot); /* told twice */
    cr_assert_eq(perp_qty(desk), 0);
    const struct exposure *exposure = &desk->s->exposure;
    cr_assert_eq(exposure->holding[exposure->holding_of[COIN_ACCOUNT][PERP]].unassigned.qty, -4);
    cr_assert_eq(exposure->instance[0].cash[0].amount_e8[PNL_FEE], fees_e8 - 77);
    cr_assert_eq(desk_count_event(desk, EVENT_HALT), 1, "it is recorded and alarmed, once");
    exposure_check(exposure);
    desk_free(desk);
}

/* ------------------------------------------------------------------ contracts that end */

static struct desk *holding(uint8_t dated)
{
    struct desk *desk = desk_make();
    desk->dated = dated;
    desk_build(desk);
    desk_done(desk);
    desk_open(desk);
    desk_answer(desk, true);
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    desk_fill(desk, bid->id, 10, bid->price);
    desk_answer(desk, true);
    cr_assert_eq(perp_qty(desk), 10);
    desk_forget(desk);
    return desk;
}

static void deliver(struct desk *desk, uint16_t account, uint16_t instrument, int64_t price_e8)
{
    struct slot slot;
    memset(&slot, 0, sizeof slot);
    struct record_delivery *delivery =
        (struct record_delivery *)(void *)record_begin(&slot, RECORD_DELIVERY, 1, ++desk->now);
    delivery->head.account = account;
    delivery->head.instrument = instrument;
    delivery->price_e8 = price_e8;
    desk_feed(desk, &slot);
}

Test(report, when_the_quoted_contract_ends_the_hedge_comes_off_at_once)
{
    struct desk *desk = holding(1 << PERP);
    int64_t hedged = desk->s->exposure.instance[0].leg[LEG_HEDGE].position.qty;
    cr_assert_lt(hedged, 0);
    deliver(desk, COIN_ACCOUNT, PERP, 6012345678901);
    cr_assert_eq(perp_qty(desk), 0);
    cr_assert_eq(desk_count_event(desk, EVENT_DELIVERED), 1);
    const struct record_order *hedge = desk_order_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE, 0);
    cr_assert_not_null(hedge);
    cr_assert_eq(hedge->side, SIDE_BUY);
    cr_assert_leq(hedge->qty, -hedged, "what is held is the most that comes off");
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_QUOTE), 0,
                 "nothing is quoted on what ended");
    desk_answer(desk, true);
    desk_forget(desk);
    deliver(desk, COIN_ACCOUNT, PERP, 6012345678901); /* told again */
    cr_assert_eq(desk_count_event(desk, EVENT_DELIVERED), 0);
    cr_assert_not(desk->s->halted, "a contract that ends is no accident");
    cr_assert_eq(desk_count_event(desk, EVENT_CONSERVATION), 0);
    exposure_check(&desk->s->exposure);
    desk_free(desk);
}

Test(report, when_the_hedging_contract_ends_the_quoted_leg_is_reduced_in_bounded_time)
{
    struct desk *desk = holding(1 << USDT_PERP);
    deliver(desk, USDT_ACCOUNT, USDT_PERP, 6000000000000);
    cr_assert_eq(desk->s->exposure.instance[0].leg[LEG_HEDGE].position.qty, 0);
    cr_assert_eq(desk_count_event(desk, EVENT_DELIVERED), 1);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 0,
                 "there is nothing to hedge with");
    const struct quote_params *params = &desk->s->instance[0].params;
    uint64_t until_ns = desk->now + (uint64_t)(params->max_naked_ns + RUNG_COUNT * params->ladder_step_ns);
    const struct record_order *reduces = NULL;
    while (reduces == NULL && desk->now < until_ns) {
        desk_clock(desk, 10 * MS);
        desk_book(desk, PERP, 600000, 600001, 5000);
        reduces = desk_order_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE, 0);
    }
    cr_assert_not_null(reduces, "the ladder ends at the quoted leg");
    cr_assert_eq(reduces->head.instrument, PERP);
    cr_assert_eq(reduces->side, SIDE_SELL);
    cr_assert_eq(desk_count_event(desk, EVENT_CONSERVATION), 0);
    desk_free(desk);
}

Test(report, an_order_of_ours_that_nobody_knows_is_cancelled)
{
    struct desk *desk = quoting();
    struct slot slot[3];
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    struct record_report *report = desk_report_for(desk, slot, RECORD_ORDER_STATE, bid->id);
    uint64_t id = order_id_make(5, 7, LEG_QUOTE | ORDER_CLASS_QUOTE << 2, 99);
    report->order = id;
    report->status = ORDER_STATUS_OPEN;
    report->flags = REPORT_HAS_CUM;
    desk_forget(desk);
    desk_feed(desk, slot);
    cr_assert_not_null(desk_row(desk, id));
    cr_assert_eq(desk_count(desk, RECORD_ORDER_CANCEL) >= 1, true);
    desk_end(desk, id, RECORD_CANCELLED, 0);
    cr_assert_eq(desk_row(desk, id)->state, ORDER_DONE);
    desk_check(desk);
    desk_free(desk);
}

Test(report, a_fee_far_from_the_table_raises_an_alarm)
{
    struct desk *desk = quoting();
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    struct slot slot[3];
    struct record_report *report = desk_report_for(desk, slot, RECORD_FILL, bid->id);
    report->exec_id = 1;
    report->last_qty = 10;
    report->flags = REPORT_HAS_LAST | REPORT_HAS_FEE;
    report->liquidity = LIQUIDITY_MAKER;
    report->fee_currency = BTC;
    report->fee_e8 = 167 + 160; /* 2 bp instead of 1: just inside the 2 bp of surprise allowed */
    desk_feed(desk, slot);
    cr_assert_eq(desk_count_event(desk, EVENT_FEE_SURPRISE), 0);
    report->exec_id = 2;
    report->fee_e8 = 167 + 500;
    desk_feed(desk, slot);
    cr_assert_eq(desk_count_event(desk, EVENT_FEE_SURPRISE), 1);
    desk_free(desk);
}

Test(report, a_refused_key_halts)
{
    struct desk *desk = desk_ready(NULL, NULL);
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    desk_reject(desk, bid->id, REQUEST_NEW, REASON_AUTH);
    cr_assert(desk->s->halted);
    cr_assert_eq(desk_event(desk, EVENT_HALT, 0)->value[0], HALT_AUTH);
    desk_free(desk);
}

Test(report, too_many_rejects_pause_the_quotes_for_the_minute)
{
    struct risk_params risk = desk_risk();
    risk.max_rejects_per_min = 3;
    struct desk *desk = desk_ready(NULL, &risk);
    for (int i = 0; i < 4; i++) {
        struct order *bid = desk_quote(desk, SIDE_BUY, 0);
        cr_assert_not_null(bid);
        desk_reject(desk, bid->id, REQUEST_NEW, REASON_BALANCE);
        desk_clock(desk, 15 * MS);
        desk_both(desk, 600000);
    }
    cr_assert_eq(desk->s->instance[0].pull, PULL_REJECTS);
    cr_assert_null(desk_quote(desk, SIDE_BUY, 0));
    desk_answer(desk, true);
    desk_clock(desk, 61 * SECOND);
    desk_both(desk, 600000);
    desk_clock(desk, 61 * SECOND);
    desk_both(desk, 600000);
    cr_assert_not_null(desk_quote(desk, SIDE_BUY, 0));
    desk_free(desk);
}

/* An answer that is minutes old shows an order as open that an earlier run counted to its end. */
Test(report, a_finished_order_that_an_old_answer_shows_again_is_not_counted_again)
{
    struct desk *desk = desk_ready(NULL, NULL);
    desk_answer(desk, true);
    struct order *quote = desk_quote(desk, SIDE_SELL, 0);
    uint64_t old = quote->id + 100000; /* of a block that is not this run's */
    struct slot slot[3];
    struct record_report *report = desk_report_for(desk, slot, RECORD_ORDER_STATE, quote->id);
    report->order = old;
    report->status = ORDER_STATUS_OPEN;
    report->cum_qty = 0;
    report->flags = REPORT_HAS_CUM;
    report->head.flags = RECORD_FLAG_REST;
    desk_feed(desk, slot);
    desk_forget(desk);
    const struct order *row = order_find_const(&desk->s->orders, old);
    cr_assert_not_null(row);
    report->status = ORDER_STATUS_FILLED;
    report->cum_qty = 10;
    report->flags = REPORT_HAS_CUM | REPORT_TERMINAL;
    desk_feed(desk, slot);
    cr_assert_eq(row->state, ORDER_DONE);
    cr_assert_eq(row->filled, 10); /* the venue's word */
    cr_assert_eq(desk->s->exposure.instance[0].leg[LEG_QUOTE].position.qty, 0);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 0);
    /* if it was never counted, its execution is told by its id, and counts once */
    for (int turn = 0; turn < 2; turn++) {
        report = desk_report_for(desk, slot, RECORD_FILL, quote->id);
        report->order = old;
        report->side = SIDE_SELL;
        report->exec_id = 4711;
        report->last_qty = 10;
        report->price = 600000;
        report->flags = REPORT_HAS_LAST;
        report->head.flags = RECORD_FLAG_REST;
        desk_feed(desk, slot);
        int64_t held = desk->s->exposure.instance[0].leg[LEG_QUOTE].position.qty;
        cr_assert_eq(held, -10, "turn %d: %lld", turn, (long long)held);
    }
    desk_free(desk);
}
