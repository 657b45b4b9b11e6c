#include "tests/hot/strategy/desk.h"

#include "hot/strategy/restore.h"
#include "hot/strategy/seen.h"

#include <stdlib.h>

struct drawer {
    struct slot *slot;
    uint32_t used;
};

static void keep(void *context, const struct slot *record)
{
    struct drawer *drawer = context;
    uint8_t count = record_head_of(record)->slot_count;
    memcpy(&drawer->slot[drawer->used], record, count * sizeof *record);
    drawer->used += count;
}

/* A new strategy built from the old one's own words. */
static struct desk *rebuilt(struct desk *from)
{
    static struct slot slots[1u << 18];
    struct drawer drawer = { .slot = slots };
    strategy_state_write(from->s, keep, &drawer);
    struct desk *desk = desk_make();
    desk->params = from->params;
    desk->risk = from->risk;
    desk->now = from->now;
    desk->exec = from->exec;
    desk->no_ids = true;
    desk_build(desk);
    for (uint32_t at = 0; at < drawer.used; at += record_head_of(&slots[at])->slot_count) {
        desk_feed(desk, &slots[at]);
    }
    return desk;
}

static int perps(const struct desk *desk)
{
    return (int)desk->s->exposure.instance[0].leg[LEG_QUOTE].position.qty;
}

Test(restore, a_rebuilt_strategy_holds_the_same_to_the_last_digit)
{
    struct quote_params params = desk_params();
    params.allocation_e8 = COIN;
    params.max_naked_e8 = 5 * COIN;
    struct desk *first = desk_ready(&params, NULL);
    desk_answer(first, true);
    uint64_t seed = 5;
    for (int i = 0; i < 200; i++) {
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        desk_both(first, 600000 + (int64_t)(seed >> 40) % 300);
        desk_clock(first, 20 * MS);
        desk_answer(first, true);
        struct order *quote = desk_quote(first, seed >> 63 ? SIDE_BUY : SIDE_SELL, 0);
        if (quote != NULL && quote->state == ORDER_OPEN) {
            desk_fill(first, quote->id, 1 + (int64_t)(seed >> 33) % (quote->qty - quote->filled),
                      quote->price);
        }
        desk_answer(first, true);
    }
    struct desk *second = rebuilt(first);
    const struct exposure_instance *a = &first->s->exposure.instance[0];
    const struct exposure_instance *b = &second->s->exposure.instance[0];
    cr_assert(a->delta_e12 == b->delta_e12);
    for (int leg = 0; leg < LEG_COUNT; leg++) {
        cr_assert_eq(a->leg[leg].position.qty, b->leg[leg].position.qty);
        cr_assert(a->leg[leg].position.notional_e12 == b->leg[leg].position.notional_e12);
    }
    cr_assert_eq(first->s->orders.live, second->s->orders.live);
    cr_assert_eq(first->s->id_next, second->s->id_next);
    cr_assert_eq(first->s->seen.count, second->s->seen.count);

    /* and decides the same: adopts its quotes, hedges the same fill by the same order */
    desk_done(second);
    for (uint16_t i = 0; i < 2; i++) { /* markets first: an old quote without one is cancelled, not adopted */
        desk_state(second, RECORD_FEED_STATE, i, NO_ACCOUNT, FEED_LIVE);
    }
    desk_both(second, 600000);
    desk_open(second);
    desk_answer(second, true);
    desk_both(first, 600000);
    desk_clock(first, 20 * MS);
    desk_answer(first, true);
    desk_both(second, 600000);
    desk_clock(second, 20 * MS);
    desk_answer(second, true);
    for (int side = 0; side < 2; side++) {
        struct order *x = desk_quote(first, side, 0);
        struct order *y = desk_quote(second, side, 0);
        cr_assert(x != NULL && y != NULL);
        cr_assert_eq(x->id, y->id);
        cr_assert_eq(x->price, y->price);
        cr_assert_eq(x->qty, y->qty);
    }
    struct order *bid = desk_quote(first, SIDE_BUY, 0);
    desk_forget(first);
    desk_forget(second);
    int64_t qty = bid->qty - bid->filled;
    desk_fill(second, bid->id, qty, bid->price);
    desk_fill(first, bid->id, qty, bid->price);
    const struct record_order *x = desk_order_role(first, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE, 0);
    const struct record_order *y = desk_order_role(second, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE, 0);
    cr_assert(x != NULL && y != NULL);
    cr_assert_eq(x->order, y->order);
    cr_assert_eq(x->qty, y->qty);
    cr_assert_eq(x->price, y->price);
    desk_check(second);
    desk_free(first);
    desk_free(second);
}

Test(restore, an_execution_counted_before_the_restart_is_not_counted_after_it)
{
    struct desk *first = desk_ready(NULL, NULL);
    desk_answer(first, true);
    struct order *bid = desk_quote(first, SIDE_BUY, 0);
    desk_lite(first, bid->id, 4, bid->price, 321);
    struct desk *second = rebuilt(first);
    desk_done(second);
    desk_lite(second, bid->id, 4, bid->price, 321); /* REST tells it again */
    cr_assert_eq(perps(second), 4);
    desk_lite(second, bid->id, 2, bid->price, 322);
    cr_assert_eq(perps(second), 6);
    desk_free(first);
    desk_free(second);
}

Test(restore, what_is_naked_is_hedged_before_any_new_quote)
{
    struct desk *first = desk_ready(NULL, NULL);
    desk_answer(first, true);
    struct order *bid = desk_quote(first, SIDE_BUY, 0);
    desk_fill(first, bid->id, 10, bid->price); /* killed before the hedge was answered */
    struct desk *second = rebuilt(first);
    desk_done(second);
    desk_forget(second);
    desk_open(second);
    /* the hedge that was out counts as executed: nothing is sent until it is told */
    cr_assert_eq(desk_count_role(second, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 0);
    cr_assert_eq(desk_count_role(second, RECORD_ORDER_NEW, ORDER_ROLE_QUOTE), 0);
    cr_assert_geq(desk_count(second, RECORD_ORDER_QUERY), 2);
    const struct record_order *query = NULL;
    for (uint32_t i = 0; (query = desk_order(second, RECORD_ORDER_QUERY, i)) != NULL; i++) {
        struct order *row = desk_row(second, query->order);
        if (order_in_doubt(row)) {
            desk_order_state(second, row->id,
                             row->role == ORDER_ROLE_HEDGE ? ORDER_STATUS_EXPIRED : ORDER_STATUS_OPEN, 0, 0);
        }
    }
    desk_clock(second, 3 * MS);
    cr_assert_eq(desk_count_role(second, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 1);
    desk_answer(second, true);
    desk_both(second, 600000);
    cr_assert_not_null(desk_quote(second, SIDE_BUY, 0));
    cr_assert_lt(base_abs(desk_delta_e8(second)), COIN * 2 / 1000);
    desk_free(first);
    desk_free(second);
}

Test(restore, on_restart_cancel_lets_no_old_quote_rest)
{
    struct desk *first = desk_ready(NULL, NULL);
    desk_answer(first, true);
    uint64_t old = desk_quote(first, SIDE_BUY, 0)->id;
    first->params.on_restart = ON_RESTART_CANCEL;
    struct desk *second = rebuilt(first);
    desk_done(second);
    desk_open(second);
    desk_order_state(second, old, ORDER_STATUS_OPEN, 0, 0);
    cr_assert_eq(desk_row(second, old)->state, ORDER_CANCELLING);
    desk_free(first);
    desk_free(second);
}

Test(restore, on_restart_flatten_unwinds)
{
    struct desk *first = desk_ready(NULL, NULL);
    desk_answer(first, true);
    struct order *bid = desk_quote(first, SIDE_BUY, 0);
    desk_fill(first, bid->id, 10, bid->price);
    desk_answer(first, true);
    first->params.on_restart = ON_RESTART_FLATTEN;
    struct desk *second = rebuilt(first);
    desk_done(second);
    desk_open(second);
    for (int i = 0; i < 40 && second->s->instance[0].state != INSTANCE_FLAT; i++) {
        desk_answer(second, true);
        desk_clock(second, 100 * MS);
    }
    cr_assert_eq(second->s->instance[0].state, INSTANCE_FLAT);
    cr_assert_eq(perps(second), 0);
    desk_free(first);
    desk_free(second);
}

static void restore_position(struct desk *desk, uint16_t account, uint16_t instrument, uint16_t instance,
                             int64_t qty)
{
    struct slot slot;
    memset(&slot, 0, sizeof slot);
    struct record_restore_position *record =
        (struct record_restore_position *)(void *)record_begin(&slot, RECORD_RESTORE_POSITION, 1, desk->now);
    record->head.account = account;
    record->head.instrument = instrument;
    record->instance = instance;
    record->qty = qty;
    struct position position = { 0 };
    struct fill_effect effect;
    kind_fill(&desk->s->instrument[instrument], &position, qty > 0 ? SIDE_BUY : SIDE_SELL, base_abs(qty),
              600000, &effect);
    record->notional_high = (int64_t)(position.notional_e12 >> 64);
    record->notional_low = (uint64_t)position.notional_e12;
    desk_feed(desk, &slot);
}

Test(restore, an_orphan_is_refused_held_or_flattened_as_configured)
{
    for (int policy = ON_ORPHAN_REFUSE; policy <= ON_ORPHAN_HOLD; policy++) {
        struct desk *desk = desk_make();
        desk->params.on_orphan = (uint8_t)policy;
        desk_build(desk);
        restore_position(desk, USDC_ACCOUNT, USDC_PERP, 7, -50); /* the hedge leg of yesterday */
        desk_done(desk);
        desk_open(desk);
        const struct exposure_leg *orphan = &desk->s->exposure.instance[0].leg[LEG_ORPHAN];
        if (policy == ON_ORPHAN_REFUSE) {
            cr_assert(desk->s->halted);
            cr_assert_eq(desk->s->halt, HALT_ORPHAN);
            cr_assert_eq(desk_count(desk, RECORD_ORDER_NEW), 0);
        } else if (policy == ON_ORPHAN_HOLD) {
            cr_assert_eq(desk_delta_e8(desk), 0);
            cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_QUOTE), 2);
        } else {
            cr_assert_eq(orphan->position.qty, -50);
            desk_clock(desk, 5 * MS);
            for (int i = 0; i < 20 && orphan->position.qty != 0; i++) {
                cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_QUOTE), 0);
                desk_answer(desk, true);
                desk_clock(desk, 10 * MS);
            }
            cr_assert_eq(orphan->position.qty, 0);
            for (int i = 0; i < 5; i++) {
                desk_answer(desk, true);
                desk_both(desk, 600000);
            }
            cr_assert_lt(base_abs(desk_delta_e8(desk)), COIN * 2 / 1000);
            cr_assert_not_null(desk_quote(desk, SIDE_BUY, 0));
        }
        desk_free(desk);
    }
}

Test(restore, parameters_that_cannot_work_are_refused)
{
    struct desk *desk = desk_make();
    desk_build(desk);
    struct quote_params ok = desk_params();
    ok.instance = 9;
    cr_assert_null(restore_params_check(desk->s, &ok));
    struct quote_params bad;
#define BAD(change)                                                                                          \
    bad = ok;                                                                                                \
    change;                                                                                                  \
    cr_assert_not_null(restore_params_check(desk->s, &bad))
    BAD(bad.instance = 7);
    BAD(bad.hedge_instrument = PERP);
    BAD(bad.hedge_instrument = 77);
    BAD(bad.quote_account = 31);
    BAD(bad.second_instrument = USDT_PERP; bad.second_account = USDT_ACCOUNT);
    BAD(bad.levels = 0);
    BAD(bad.levels = 6);
    BAD(bad.size = 0);
    BAD(bad.hedge_timeout_ns = 0);
    BAD(bad.max_naked_ns = 0);
    BAD(bad.skew_centibp = -1);
    BAD(bad.target_inventory = 2000);
    BAD(bad.allocation_e8 = INT64_MIN);
    BAD(bad.quote_stale_ns = INT64_MAX);
#undef BAD
    desk_free(desk);
}

Test(restore, nothing_is_decided_before_the_end_of_restore)
{
    struct desk *desk = desk_make();
    desk_build(desk);
    desk_open(desk);
    desk_clock(desk, SECOND);
    cr_assert_eq(desk->said_count, 0);
    desk_done(desk);
    desk_both(desk, 600000);
    cr_assert_eq(desk_count(desk, RECORD_ORDER_NEW), 2);
    desk_free(desk);
}

static void block(struct desk *desk, uint64_t first, uint64_t end)
{
    struct slot slot;
    memset(&slot, 0, sizeof slot);
    struct record_counter_block *record =
        (struct record_counter_block *)(void *)record_begin(&slot, RECORD_RESTORE_COUNTER, 1, desk->now);
    record->next = first;
    record->end = end;
    desk_feed(desk, &slot);
}

Test(restore, ids_run_low_are_told_kept_for_hedges_and_never_used_twice)
{
    struct desk *desk = desk_ready(NULL, NULL);
    desk_answer(desk, true);
    desk->s->id_end = desk->s->id_next + IDS_LOW;
    desk_forget(desk);
    desk_end(desk, desk_quote(desk, SIDE_BUY, 0)->id, RECORD_CANCELLED, 0);
    cr_assert_eq(desk_count_event(desk, EVENT_COUNTER_LOW), 1);
    desk_end(desk, desk_quote(desk, SIDE_BUY, 0)->id, RECORD_CANCELLED, 0);
    cr_assert_eq(desk_count_event(desk, EVENT_COUNTER_LOW), 1); /* once a block */

    desk->s->id_end = desk->s->id_next + IDS_FOR_HEDGES;
    desk_both(desk, 600000);
    cr_assert_eq(desk->s->instance[0].pull, PULL_IDS);
    struct order *ask = desk_quote(desk, SIDE_SELL, 0);
    desk_fill(desk, ask->id, 10, ask->price);
    cr_assert_eq(desk_count_role(desk, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 1);
    desk_answer(desk, true);

    uint64_t at = desk->s->id_next;
    block(desk, 1, 100); /* used long ago */
    cr_assert_eq(desk->s->id_next, at);
    block(desk, 20000000, 20100000);
    desk_both(desk, 600000);
    cr_assert_eq(desk->s->instance[0].state, INSTANCE_QUOTING);
    cr_assert_geq(order_id_counter(desk_quote(desk, SIDE_BUY, 0)->id), at); /* the old block first */
    desk_free(desk);
}

Test(restore, later_segments_heads_change_nothing)
{
    struct desk *desk = desk_ready(NULL, NULL);
    desk_answer(desk, true);
    struct order *bid = desk_quote(desk, SIDE_BUY, 0);
    desk_fill(desk, bid->id, 5, bid->price);
    desk_answer(desk, true);
    int64_t delta = desk_delta_e8(desk);
    uint64_t id_next = desk->s->id_next;
    desk_forget(desk);
    restore_position(desk, COIN_ACCOUNT, PERP, 7, 999);
    desk_build(desk);
    desk_done(desk);
    cr_assert_eq(desk_delta_e8(desk), delta);
    cr_assert_eq(desk->s->id_next, id_next);
    cr_assert_eq(desk->said_count, 0);
    desk_free(desk);
}

Test(restore, the_seen_table_forgets_the_oldest_only)
{
    struct seen *seen = calloc(1, sizeof *seen);
    for (uint64_t id = 1; id <= SEEN_MAX + 1000; id++) {
        struct seen_key key = {
            .exec_id = id * 7919, .account = 1, .instrument = 2, .side = (uint16_t)(id & 1)
        };
        cr_assert_null(seen_find(seen, &key));
        seen_add(seen, &key)->qty = (int64_t)id;
    }
    for (uint64_t id = 1; id <= SEEN_MAX + 1000; id++) {
        struct seen_key key = {
            .exec_id = id * 7919, .account = 1, .instrument = 2, .side = (uint16_t)(id & 1)
        };
        struct seen_entry *entry = seen_find(seen, &key);
        cr_assert_eq(entry != NULL, id > 1000);
        cr_assert(entry == NULL || entry->qty == (int64_t)id);
        key.side ^= 1; /* the other end of the same trade */
        cr_assert_null(seen_find(seen, &key));
    }
    free(seen);
}

Test(restore, status_is_told_every_tenth_of_a_second)
{
    struct desk *desk = desk_ready(NULL, NULL);
    desk_answer(desk, true);
    desk_forget(desk);
    for (int i = 0; i < 100; i++) {
        desk_clock(desk, 10 * MS);
    }
    uint32_t count = desk_count(desk, RECORD_STATUS);
    cr_assert(count >= 9 && count <= 11, "%u", count);
    cr_assert_gt(strategy_next_ns(desk->s), desk->now);
    cr_assert_leq(strategy_next_ns(desk->s), desk->now + 100 * MS);
    desk_free(desk);
}

Test(restore, lost_records_make_every_view_incomplete)
{
    struct desk *desk = desk_ready(NULL, NULL);
    desk_answer(desk, true);
    struct slot slot;
    memset(&slot, 0, sizeof slot);
    record_begin(&slot, RECORD_LOST, 1, desk->now);
    desk_feed(desk, &slot);
    cr_assert_eq(desk->s->instance[0].state, INSTANCE_PULLED);
    desk_answer(desk, true);
    desk_both(desk, 600000); /* complete views */
    cr_assert_eq(desk->s->instance[0].state, INSTANCE_QUOTING);
    desk_free(desk);
}

Test(restore, every_byte_said_is_defined)
{
    /* Two strategies in memory that was full of different rubbish say the same. */
    struct desk *a = desk_make();
    struct desk *b = desk_make();
    memset(a->outbox, 0xaa, sizeof *a->outbox);
    memset(b->outbox, 0x55, sizeof *b->outbox);
    memset(a->s, 0xaa, strategy_bytes());
    memset(b->s, 0x55, strategy_bytes());
    strategy_init(a->s);
    strategy_init(b->s);
    for (int i = 0; i < 2; i++) {
        struct desk *desk = i == 0 ? a : b;
        desk_build(desk);
        desk_done(desk);
        desk_open(desk);
        desk_answer(desk, true);
        struct order *bid = desk_quote(desk, SIDE_BUY, 0);
        desk_fill(desk, bid->id, 10, bid->price);
        desk_answer(desk, true);
        desk_clock(desk, SECOND);
    }
    cr_assert_eq(a->out_hash, b->out_hash);
    desk_free(a);
    desk_free(b);
}

/* Two hedges against each other were out when it died; what became of them is told one by one. */
Test(restore, hedges_of_the_last_run_are_no_breach_before_there_is_a_price)
{
    for (int turn = 0; turn < 2; turn++) {
        struct quote_params params = desk_params();
        params.max_naked_e8 = 5 * COIN;
        struct desk *first = desk_ready(&params, NULL);
        desk_answer(first, true);
        struct order *bid = desk_quote(first, SIDE_BUY, 0), *ask = desk_quote(first, SIDE_SELL, 0);
        desk_forget(first);
        desk_fill(first, bid->id, 10, bid->price);
        desk_fill(first, ask->id, 10, ask->price);
        cr_assert_eq(desk_count_role(first, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE), 2);
        uint64_t hedge[2];
        for (uint32_t i = 0; i < 2; i++) {
            hedge[i] = desk_order_role(first, RECORD_ORDER_NEW, ORDER_ROLE_HEDGE, i)->order;
        }
        struct desk *second = rebuilt(first);
        for (uint32_t i = 0; i < 2; i++) {
            uint64_t id = hedge[turn == 0 ? i : 1 - i];
            struct slot slot[3];
            struct record_report *report = desk_report_for(second, slot, RECORD_ORDER_STATE, id);
            report->status = ORDER_STATUS_FILLED;
            report->cum_qty = desk_row(second, id)->qty;
            report->flags = REPORT_HAS_CUM | REPORT_TERMINAL;
            report->head.flags = RECORD_FLAG_REST;
            desk_feed(second, slot);
        }
        cr_assert_eq(desk_count_event(second, EVENT_CONSERVATION), 0);
        cr_assert_not(second->s->halted);
        desk_free(first);
        desk_free(second);
    }
}

/* Recovery adopts what an old list of open orders shows; what became of it is told before the end of restore.
 */
Test(restore, an_adopted_order_counts_by_its_executions_only)
{
    struct desk *desk = desk_make();
    desk->params = desk_params();
    desk->risk = desk_risk();
    desk_build(desk);
    struct desk *other = desk_ready(NULL, NULL);
    desk_answer(other, true);
    uint64_t id = desk_quote(other, SIDE_SELL, 0)->id + 100000;
    struct slot slot[3];
    struct record_report *report =
        (struct record_report *)(void *)record_begin(slot, RECORD_RESTORE_ORDER, 3, desk->now);
    report->head.account = COIN_ACCOUNT;
    report->head.instrument = PERP;
    report->order = id;
    report->order_qty = 10;
    report->order_price = 600000;
    report->side = SIDE_SELL;
    report->flags = REPORT_HAS_CUM | REPORT_FOREIGN;
    desk_feed(desk, slot);
    report->head.type = RECORD_ORDER_STATE;
    report->head.flags = RECORD_FLAG_REST;
    report->status = ORDER_STATUS_FILLED;
    report->cum_qty = 10;
    report->flags = REPORT_HAS_CUM | REPORT_TERMINAL;
    desk_feed(desk, slot);
    cr_assert_eq(perps(desk), 0, "it may have been counted by an earlier run");
    report->head.type = RECORD_FILL;
    report->exec_id = 4711;
    report->last_qty = 10;
    report->price = 600000;
    report->flags = REPORT_HAS_LAST;
    desk_feed(desk, slot);
    cr_assert_eq(perps(desk), -10, "an execution that was not counted yet");
    desk_free(other);
    desk_free(desk);
}
