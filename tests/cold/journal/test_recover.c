/* Recovery against a venue that is a script. */
#include "tests/cold/journal/fake_venue.h"
#include "cold/counter_block.h"
#include "cold/ledger.h"
#include "cold/recover.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* ------------------------------------------------------------------ the engine's side */

static char state[256], shared[256], locks[320];
static struct config config;
static struct instrument_table *instruments;
static struct account_table accounts;
static struct lock_set lock_set;
static struct sign_key keys[4];
static struct rest *rest;
static struct recover *recover;
static char told[1 << 16];

static void remember(void *context, enum recover_state at, const char *line)
{
    (void)context;
    size_t used = strlen(told);
    snprintf(told + used, sizeof told - used, "%s: %s\n", recover_state_names[at], line);
}

static bool bind(struct config *of, struct instrument_table *table, struct account_table *rows)
{
    rows->count = of->account_count;
    for (uint32_t i = 0; i < of->account_count; i++) {
        of->account[i].row.index = (uint16_t)i;
        rows->row[i] = of->account[i].row;
    }
    for (uint32_t i = 0; i < of->quote_count; i++) {
        struct config_quote *quote = &of->quote[i];
        const struct instrument *quoted = instrument_by_name(table, quote->quote_leg);
        const struct instrument *hedged = instrument_by_name(table, quote->hedge_leg);
        if (quoted == NULL || hedged == NULL) {
            of->fault_count = 1;
            snprintf(of->fault[0].text, CONFIG_FAULT_BYTES, "no such instrument");
            return false;
        }
        quote->params.quote_instrument = quoted->index;
        quote->params.hedge_instrument = hedged->index;
        quote->params.quote_account = account_by_name(rows, quote->quote_account)->index;
        quote->params.hedge_account = account_by_name(rows, quote->hedge_account)->index;
        quote->params.second_instrument = NO_INSTRUMENT;
        quote->params.second_account = NO_ACCOUNT;
    }
    return true;
}

static void add_instrument(const char *name, uint8_t product, const char *symbol)
{
    struct config_instrument *row = &config.instrument[config.instrument_count++];
    snprintf(row->name, sizeof row->name, "%s", name);
    snprintf(row->symbol, sizeof row->symbol, "%s", symbol);
    row->venue = VENUE_BINANCE;
    row->product = product;
}

static void add_account(const char *name, uint8_t product)
{
    struct account *row = &config.account[config.account_count++].row;
    snprintf(row->name, sizeof row->name, "%s", name);
    row->venue = VENUE_BINANCE;
    row->product = product;
    row->key_hash = 99;
}

static void add_quote(const char *name)
{
    struct config_quote *quote = &config.quote[config.quote_count++];
    snprintf(quote->params.name, sizeof quote->params.name, "%s", name);
    snprintf(quote->quote_leg, sizeof quote->quote_leg, "binance.inverse.BTCUSD_PERP");
    snprintf(quote->quote_account, sizeof quote->quote_account, "inv");
    snprintf(quote->hedge_leg, sizeof quote->hedge_leg, "binance.linear.BTCUSDT");
    snprintf(quote->hedge_account, sizeof quote->hedge_account, "lin");
    quote->params.kind = STRATEGY_QUOTE;
    quote->params.enabled = 1;
    quote->params.max_inventory = 100;
}

static void begin(void)
{
    test_directory(state, false);
    test_directory(shared, true);
    snprintf(locks, sizeof locks, "%s/locks", shared);
    fake_reset();
    instruments = calloc(1, sizeof *instruments);
    memset(&config, 0, sizeof config);
    config.engine = TEST_ENGINE;
    config.mode = MODE_SIM;
    /* Another order than the last run had: indexes must not be trusted over a restart. */
    add_instrument("binance.inverse.BTCUSD_PERP", PRODUCT_INVERSE, "BTCUSD_PERP");
    add_instrument("binance.linear.BTCUSDT", PRODUCT_LINEAR, "BTCUSDT");
    add_account("inv", PRODUCT_INVERSE);
    add_account("lin", PRODUCT_LINEAR);
    add_quote("one");
    told[0] = '\0';
}

static void end(void)
{
    recover_destroy(recover);
    rest_destroy(rest);
    lock_release(&lock_set);
    free(instruments);
    recover = NULL;
    rest = NULL;
    test_remove(state);
    test_remove(shared);
}

TestSuite(recover, .init = begin, .fini = end);

static struct recover_options options_of(void)
{
    struct rest_transport transport = fake_transport();
    struct rest_clock clock = fake_clock();
    rest = rest_create(&transport, &clock, instruments);
    return (struct recover_options){ .config = &config,
                                     .instruments = instruments,
                                     .accounts = &accounts,
                                     .key = keys,
                                     .venue = fake_find,
                                     .bind = bind,
                                     .rest = rest,
                                     .clock = clock,
                                     .locks = &lock_set,
                                     .state_directory = state,
                                     .journal_directory = state,
                                     .shared_directory = shared,
                                     .lock_directory = locks,
                                     .tell = remember };
}

static enum recover_verdict run(const struct recover_options *options)
{
    recover = recover_create(options);
    return recover_until(recover, RECOVER_READY);
}

static enum recover_verdict run_plain(void)
{
    struct recover_options options = options_of();
    return run(&options);
}

/* ------------------------------------------------------------------ the last run */

struct last {
    struct journal *journal;
    uint64_t stamp_ns, exec_id;
};

static void commit(void *context, const struct slot *record)
{
    struct last *last = context;
    cr_assert(test_commit(journal_ring(last->journal), record));
}

static struct journal *journal_of_run(uint64_t run)
{
    struct journal_options options = { .directory = state,
                                       .shared_directory = shared,
                                       .ring_slots = 4096,
                                       .run = run,
                                       .engine = TEST_ENGINE,
                                       .build_id = "test",
                                       .inline_disk = true };
    char error[600];
    struct journal *journal = journal_create(&options, error, sizeof error);
    cr_assert(journal != NULL, "%s", error);
    return journal;
}

static struct last last_run(void)
{
    struct last last = { .journal = journal_of_run(6), .stamp_ns = 1000 };
    test_run_head(6, commit, &last);
    return last;
}

/* An order that was sent, and acknowledged when venue_id is not 0. */
static void ordered(struct last *last, uint64_t order, uint16_t instrument, enum side side, int64_t qty,
                    uint32_t venue_id)
{
    struct slot record[3];
    test_order(record, RECORD_ORDER_NEW, order, instrument, side, qty, 600000, last->stamp_ns++);
    commit(last, record);
    if (venue_id != 0) {
        struct record_report *ack = test_report(record, RECORD_ACK, order, instrument, last->stamp_ns++);
        ack->request = REQUEST_NEW;
        snprintf(ack->venue_order_id, VENUE_ORDER_ID_BYTES, "%u", venue_id);
        commit(last, record);
    }
}

static void filled(struct last *last, uint64_t order, uint16_t instrument, enum side side, int64_t qty,
                   uint64_t exec_id, int64_t cum, bool done)
{
    struct slot record[3];
    struct record_report *fill = test_report(record, RECORD_FILL, order, instrument, last->stamp_ns++);
    fill->exec_id = exec_id;
    fill->side = side;
    fill->last_qty = qty;
    fill->price = 600000;
    fill->cum_qty = cum;
    fill->flags = REPORT_HAS_LAST | REPORT_HAS_CUM | (done ? REPORT_TERMINAL : 0);
    fill->status = done ? ORDER_STATUS_FILLED : ORDER_STATUS_PARTIAL;
    commit(last, record);
}

/* SIGKILL: some of it is on disk, some only in the ring. */
static void killed(struct last *last)
{
    (void)last; /* its memory and thread-less journal are left as they are */
}

/* The world after a run that filled 30 of the inverse leg and hedged 5 of the linear one. */
static struct last usual(void)
{
    struct last last = last_run();
    ordered(&last, test_order_id(1), 0, SIDE_BUY, 30, 11);
    filled(&last, test_order_id(1), 0, SIDE_BUY, 30, 501, 30, true);
    ordered(&last, test_order_id(2), 1, SIDE_SELL, 5, 12);
    filled(&last, test_order_id(2), 1, SIDE_SELL, 5, 601, 5, true);
    journal_poll(last.journal, 1, 1);
    world.position[0] = 30;
    world.position[1] = -5;
    return last;
}

static int64_t held(uint16_t instrument)
{
    return reduce_position_sum(recover_held(recover), instrument, instrument);
}

static uint32_t emitted(uint8_t type, struct test_list *list)
{
    uint32_t count = 0;
    memset(list, 0, sizeof *list);
    recover_emit(recover, test_list_add, list);
    for (uint32_t at = 0; at < list->used; at += record_head_of(&list->slot[at])->slot_count) {
        count += record_head_of(&list->slot[at])->type == type;
    }
    return count;
}

static uint32_t count_emitted(uint8_t type)
{
    struct test_list list;
    uint32_t count = emitted(type, &list);
    test_list_free(&list);
    return count;
}

/* What a strategy, or the next run's reducer, makes of it. */
static struct reduce *rebuilt(void)
{
    struct reduce *reduce = reduce_create();
    struct test_list list = { 0 };
    recover_emit(recover, test_list_add, &list);
    test_run_head(7, test_list_add, &(struct test_list){ 0 });
    struct slot record[2];
    memset(record, 0, sizeof record);
    ((struct record_begin_run *)record_begin(record, RECORD_BEGIN, 2, 1))->engine = TEST_ENGINE;
    reduce_record(reduce, record);
    for (uint32_t i = 0; i < instruments->count; i++) {
        struct slot blob[RECORD_SLOTS_MAX];
        memset(blob, 0, sizeof blob);
        record_begin(blob, RECORD_INSTRUMENT, record_slots_for_blob(sizeof(struct instrument)), 1);
        record_blob_write(blob, &instruments->row[i], sizeof(struct instrument));
        reduce_record(reduce, blob);
    }
    for (uint32_t i = 0; recover_params(recover, i) != NULL; i++) {
        struct slot blob[RECORD_SLOTS_MAX];
        memset(blob, 0, sizeof blob);
        record_begin(blob, RECORD_PARAMS, record_slots_for_blob(sizeof(struct quote_params)), 1);
        record_blob_write(blob, recover_params(recover, i), sizeof(struct quote_params));
        reduce_record(reduce, blob);
    }
    for (uint32_t at = 0; at < list.used; at += record_head_of(&list.slot[at])->slot_count) {
        reduce_record(reduce, &list.slot[at]);
    }
    test_list_free(&list);
    return reduce;
}

/* ------------------------------------------------------------------ stories */

Test(recover, a_first_start_holds_nothing)
{
    world.names_position[0] = world.names_position[1] = false;
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    cr_assert_eq(recover_run(recover), 1);
    cr_assert_eq(count_emitted(RECORD_RESTORE_POSITION), 0);
    cr_assert_eq(count_emitted(RECORD_RESTORE_COUNTER), 1);
    cr_assert_eq(config.quote[0].params.instance, 0);
}

Test(recover, what_was_held_is_held_again)
{
    struct last last = usual();
    killed(&last);
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    cr_assert_eq(recover_run(recover), 7);
    cr_assert_eq(config.quote[0].params.instance, 3, "identity is the name");
    cr_assert_eq(held(0), 30);
    cr_assert_eq(held(1), -5);
    struct reduce *reduce = rebuilt();
    cr_assert_eq(reduce_position_sum(reduce, 0, 0), 30);
    cr_assert_eq(reduce_position_sum(reduce, 1, 1), -5);
    cr_assert(reduce_seen(reduce, 0, 0, SIDE_BUY, 501));
    reduce_destroy(reduce);
}

static void commit_plain(void *context, const struct slot *record)
{
    /* Everything but the end: killed while being told what is held. */
    if (record_head_of(record)->type != RECORD_RESTORE_DONE) {
        commit(context, record);
    }
}

Test(recover, a_run_that_never_got_to_trade_is_passed_over)
{
    struct last last = usual();
    killed(&last);
    char error[600];
    cr_assert_geq(journal_salvage(state, shared, 1, error, sizeof error), 0);
    for (uint64_t again = 7; again < 10; again++) {
        struct last aborted = { .journal = journal_of_run(again) };
        if (again > 7) {
            test_run_head(again, commit_plain, &aborted);
        }
        if (again == 8) {
            journal_close(aborted.journal, 1);
        }
    }
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    cr_assert_eq(recover_run(recover), 10);
    cr_assert_eq(held(0), 30);
}

/* The power went before anything that the only runs did was on the disk. */
static void runs_that_left_nothing(void)
{
    for (uint64_t before = 1; before < 3; before++) {
        struct last lost = { .journal = journal_of_run(before) };
        if (before > 1) {
            test_run_head(before, commit_plain, &lost);
        }
        journal_close(lost.journal, 1);
    }
}

/* All there is of the run before is that it reserved order ids. */
Test(recover, what_a_run_did_of_which_only_its_order_ids_are_left_is_ours)
{
    struct counter_block block;
    char error[256];
    cr_assert(counter_block_take(state, 1, COUNTER_BLOCK_SIZE, 0, &block, error, sizeof error), "%s", error);
    world.order[world.order_count++] = (struct world_order){ .order = test_order_id(77),
                                                             .side = SIDE_BUY,
                                                             .qty = 10,
                                                             .price = 600000,
                                                             .cum = 10,
                                                             .status = ORDER_STATUS_FILLED,
                                                             .venue_id = 70 };
    world.fill[world.fill_count++] = (struct world_fill){ 601, 0, SIDE_BUY, 10, 600000, 70 };
    world.position[0] = 10;
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    cr_assert_eq(held(0), 10);
}

Test(recover, what_runs_did_that_left_nothing_is_ours_by_its_id)
{
    runs_that_left_nothing();
    world.order[world.order_count++] = (struct world_order){ .order = test_order_id(77),
                                                             .side = SIDE_BUY,
                                                             .qty = 10,
                                                             .price = 600000,
                                                             .cum = 10,
                                                             .status = ORDER_STATUS_FILLED,
                                                             .venue_id = 70 };
    world.fill[world.fill_count++] = (struct world_fill){ 601, 0, SIDE_BUY, 10, 600000, 70 };
    world.fill[world.fill_count++] = (struct world_fill){ 602, 0, SIDE_BUY, 1, 600000, 99 };
    world.fill[world.fill_count++] = (struct world_fill){ 603, 0, SIDE_SELL, 2, 600000, 99 };
    world.position[0] = 10;
    struct recover_options options = options_of();
    options.refuse_unassigned = true;
    cr_assert_eq(run(&options), RECOVER_DONE, "%s", recover_reason(recover));
    cr_assert_eq(held(0), 10, "and what the owner did before us is the owner's");
}

/* .. and of what it held then, a part was liquidated: what the owner did before us stays the owner's. */
Test(recover, a_liquidation_of_what_runs_held_that_left_nothing_is_nobodys)
{
    runs_that_left_nothing();
    world.order[world.order_count++] = (struct world_order){ .order = test_order_id(77),
                                                             .side = SIDE_BUY,
                                                             .qty = 10,
                                                             .price = 600000,
                                                             .cum = 10,
                                                             .status = ORDER_STATUS_FILLED,
                                                             .venue_id = 70 };
    world.fill[world.fill_count++] = (struct world_fill){ 600, 0, SIDE_SELL, 3, 600000, 99 };
    world.fill[world.fill_count++] = (struct world_fill){ 601, 0, SIDE_BUY, 10, 600000, 70 };
    world.fill[world.fill_count++] = (struct world_fill){ 602, 0, SIDE_SELL, 1, 600000, 98 };
    world.fill[world.fill_count++] = (struct world_fill){ 603, 0, SIDE_SELL, 5, 600000, 98 };
    world.position[0] = 4;
    struct recover_options options = options_of();
    options.refuse_unassigned = true;
    cr_assert_eq(run(&options), RECOVER_DONE, "%s", recover_reason(recover));
    cr_assert_eq(held(0), 4);
    struct test_list list;
    uint32_t ours = 0, nobodys = 0;
    emitted(RECORD_FILL, &list);
    for (uint32_t at = 0; at < list.used; at += record_head_of(&list.slot[at])->slot_count) {
        const struct record_report *fill = (const struct record_report *)record_head_of(&list.slot[at]);
        if (fill->head.type == RECORD_FILL) {
            ours += (fill->flags & REPORT_FOREIGN) == 0;
            nobodys += (fill->flags & REPORT_FOREIGN) != 0;
        }
    }
    test_list_free(&list);
    cr_assert_eq(ours, 1);
    cr_assert_eq(nobodys, 2, "each part of it, once");
}

Test(recover, a_difference_that_others_executions_do_not_make_is_refused)
{
    runs_that_left_nothing();
    world.fill[world.fill_count++] = (struct world_fill){ 602, 0, SIDE_SELL, 1, 600000, 98 };
    world.fill[world.fill_count++] = (struct world_fill){ 603, 0, SIDE_SELL, 5, 600000, 98 };
    world.position[0] = -4;
    struct recover_options options = options_of();
    options.refuse_unassigned = true;
    cr_assert_eq(run(&options), RECOVER_REFUSED);
}

/* Its order has ended and is not kept; the fee is that order's all the same. */
Test(recover, a_fee_that_comes_late_goes_to_the_order_of_its_execution)
{
    struct last last = usual();
    killed(&last);
    world.fill[world.fill_count++] = (struct world_fill){ 501, 0, SIDE_BUY, 30, 600000, 11 };
    world.fee_e8 = 700;
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    struct test_list list;
    uint32_t fills = 0;
    cr_assert_eq(emitted(RECORD_FILL, &list), 1);
    for (uint32_t at = 0; at < list.used; at += record_head_of(&list.slot[at])->slot_count) {
        const struct record_report *fill = (const struct record_report *)record_head_of(&list.slot[at]);
        if (fill->head.type == RECORD_FILL) {
            cr_assert_eq(fill->order, test_order_id(1));
            cr_assert_eq(fill->flags & REPORT_FOREIGN, 0);
            cr_assert_eq(fill->fee_e8, 700);
            fills++;
        }
    }
    cr_assert_eq(fills, 1);
    test_list_free(&list);
    cr_assert_eq(held(0), 30, "counted once");
}

Test(recover, executions_missed_while_dead_come_by_rest_and_find_their_order)
{
    struct last last = usual();
    ordered(&last, test_order_id(3), 0, SIDE_BUY, 10, 13);
    killed(&last);
    world.order[world.order_count++] = (struct world_order){ .order = test_order_id(3),
                                                             .side = SIDE_BUY,
                                                             .qty = 10,
                                                             .price = 600000,
                                                             .cum = 4,
                                                             .status = ORDER_STATUS_PARTIAL,
                                                             .venue_id = 13 };
    world.fill[world.fill_count++] = (struct world_fill){ 501, 0, SIDE_BUY, 30, 600000, 11 };
    world.fill[world.fill_count++] = (struct world_fill){ 502, 0, SIDE_BUY, 4, 601000, 13 };
    world.position[0] = 34;
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    cr_assert_eq(held(0), 34);
    struct test_list list;
    cr_assert_eq(emitted(RECORD_FILL, &list), 1);
    for (uint32_t at = 0; at < list.used; at += record_head_of(&list.slot[at])->slot_count) {
        const struct record_report *fill = (const struct record_report *)record_head_of(&list.slot[at]);
        if (fill->head.type == RECORD_FILL) {
            cr_assert_eq(fill->order, test_order_id(3));
            cr_assert((fill->head.flags & RECORD_FLAG_REST) != 0);
            cr_assert((fill->flags & REPORT_FOREIGN) == 0);
        }
    }
    test_list_free(&list);
    struct reduce *reduce = rebuilt();
    cr_assert_eq(reduce_position_sum(reduce, 0, 0), 34);
    cr_assert_eq(reduce_order(reduce, test_order_id(3))->filled, 4);
    cr_assert_eq(reduce_order(reduce, test_order_id(3))->state, REDUCE_LIVE);
    reduce_destroy(reduce);
}

Test(recover, executions_are_paged_to_the_end)
{
    struct last last = usual();
    ordered(&last, test_order_id(3), 0, SIDE_BUY, 1000, 13);
    killed(&last);
    world.order[world.order_count++] = (struct world_order){ .order = test_order_id(3),
                                                             .side = SIDE_BUY,
                                                             .qty = 1000,
                                                             .price = 600000,
                                                             .cum = 160,
                                                             .status = ORDER_STATUS_PARTIAL,
                                                             .venue_id = 13 };
    for (uint64_t i = 0; i < 160; i++) {
        world.fill[world.fill_count++] = (struct world_fill){ 502 + i, 0, SIDE_BUY, 1, 600000, 13 };
    }
    world.position[0] = 190;
    config.quote[0].params.max_inventory = 1000;
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    cr_assert_eq(held(0), 190);
    cr_assert_eq(count_emitted(RECORD_FILL), 160);
}

Test(recover, an_order_filled_while_dead_ends_with_the_venues_word)
{
    struct last last = usual();
    ordered(&last, test_order_id(3), 0, SIDE_BUY, 10, 0); /* in flight when we died */
    killed(&last);
    world.order[world.order_count++] = (struct world_order){ .order = test_order_id(3),
                                                             .side = SIDE_BUY,
                                                             .qty = 10,
                                                             .price = 600000,
                                                             .cum = 10,
                                                             .status = ORDER_STATUS_FILLED,
                                                             .venue_id = 44 };
    world.fill[world.fill_count++] = (struct world_fill){ 502, 0, SIDE_BUY, 10, 600000, 44 };
    world.position[0] = 40;
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    cr_assert_eq(reduce_order(recover_held(recover), test_order_id(3))->state, REDUCE_DONE);
    struct reduce *reduce = rebuilt();
    cr_assert_eq(reduce_order(reduce, test_order_id(3))->state, REDUCE_DONE);
    cr_assert_eq(reduce_position_sum(reduce, 0, 0), 40);
    reduce_destroy(reduce);
}

Test(recover, an_order_that_never_left_is_dropped_when_everything_agrees)
{
    struct last last = usual();
    ordered(&last, test_order_id(3), 0, SIDE_BUY, 10, 0);
    killed(&last);
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    cr_assert_eq(count_emitted(RECORD_RESTORE_ORDER), 0);
    cr_assert(strstr(told, "it never was") != NULL);
}

Test(recover, an_order_that_may_still_be_on_its_way_is_waited_for)
{
    struct last last = usual();
    ordered(&last, test_order_id(3), 0, SIDE_BUY, 10, 0);
    killed(&last);
    world.wall_ns = 1700000000000000000LL + 2000000000LL; /* two seconds after it was sent */
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    cr_assert_geq(world.wall_ns, 1700000000000000000LL + RECOVER_GRACE_NS);
    cr_assert_gt(world.asked[REST_ORDER], 5);
}

Test(recover, a_clock_that_was_set_back_makes_no_order_older)
{
    struct last last = usual();
    ordered(&last, test_order_id(3), 0, SIDE_BUY, 10, 0);
    killed(&last);
    world.wall_ns =
        1700000000000000000LL - 3600 * 1000000000LL; /* it ran with a clock that was an hour ahead */
    int64_t begun_ns = world.wall_ns;
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    cr_assert_geq(world.wall_ns, begun_ns + RECOVER_GRACE_NS);
    cr_assert_gt(world.asked[REST_ORDER], 5);
}

Test(recover, a_forgotten_order_that_was_told_to_have_more_is_refused)
{
    struct last last = usual();
    ordered(&last, test_order_id(3), 0, SIDE_BUY, 10, 15);
    struct slot record[3];
    struct record_report *ended = test_report(record, RECORD_CANCELLED, test_order_id(3), 0, 2000);
    ended->cum_qty = 7;
    ended->flags = REPORT_HAS_CUM | REPORT_TERMINAL;
    commit(&last, record);
    killed(&last);
    cr_assert_eq(run_plain(), RECOVER_REFUSED);
}

Test(recover, a_failed_read_resolves_nothing)
{
    static const uint8_t whats[] = { REST_TIME,      REST_INSTRUMENTS, REST_ACCOUNT_MODE, REST_OPEN_ORDERS,
                                     REST_POSITIONS, REST_BALANCES,    REST_FILLS };
    for (size_t i = 0; i < POISE_COUNT_OF(whats); i++) {
        struct last last = usual();
        killed(&last);
        world.fail_what = whats[i];
        world.fail_times = 1000000;
        cr_assert_eq(run_plain(), RECOVER_UNAVAILABLE, "what %u", whats[i]);
        cr_assert(strstr(recover_reason(recover), "connection reset") != NULL);
        end();
        begin();
        last = usual();
        world.fail_what = whats[i];
        world.fail_times = 3;
        cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
        cr_assert_eq(held(0), 30);
        end();
        begin();
    }
}

Test(recover, a_venue_that_is_asked_too_often_is_left_alone_and_asked_again)
{
    static const uint8_t whats[] = { REST_TIME,   REST_INSTRUMENTS, REST_ACCOUNT_MODE, REST_OPEN_ORDERS,
                                     REST_LIMITS, REST_POSITIONS,   REST_BALANCES,     REST_FILLS };
    for (size_t i = 0; i < POISE_COUNT_OF(whats); i++) {
        struct last last = usual();
        killed(&last);
        world.later_what = whats[i];
        world.later_times = 3;
        world.later_ms = 46000; /* longer than patience: what a venue asks for does not use it up */
        uint64_t begin_ns = world.now_ns;
        cr_assert_eq(run_plain(), RECOVER_DONE, "what %u: %s", whats[i], recover_reason(recover));
        cr_assert_eq(world.later_times, 0);
        cr_assert_geq(world.now_ns - begin_ns, 3 * 46000000000ULL);
        cr_assert_eq(held(0), 30);
        cr_assert(strstr(told, "slow down") != NULL &&
                      strstr(told, "nothing is sent to it for 46 s") != NULL &&
                      strstr(told, "s more") != NULL,
                  "%s", told);
        end();
        begin();
    }
}

Test(recover, waits_that_venues_ask_for_are_bounded_in_all)
{
    struct last last = usual();
    killed(&last);
    struct recover_options options = options_of();
    options.wait_ns = 100000000000ULL;
    world.later_what = REST_POSITIONS;
    world.later_times = 1000;
    world.later_ms = 30000;
    uint64_t begin_ns = world.now_ns;
    cr_assert_eq(run(&options), RECOVER_UNAVAILABLE);
    cr_assert(strstr(recover_reason(recover), "no more than 100 s of such waits") != NULL, "%s",
              recover_reason(recover));
    cr_assert_lt(world.now_ns - begin_ns, 100000000000ULL, "a wait that would be too long is not begun");
    cr_assert_eq(1000 - world.later_times, 4);
    end();
    begin();
    last = usual();
    world.later_what = REST_TIME;
    world.later_times = 1;
    world.later_ms = 3LL * 24 * 3600 * 1000;
    begin_ns = world.now_ns;
    cr_assert_eq(run_plain(), RECOVER_UNAVAILABLE, "a ban of days is not sat out");
    cr_assert_lt(world.now_ns - begin_ns, 1000000000);
    cr_assert(strstr(recover_reason(recover), "259200 s") != NULL, "%s", recover_reason(recover));
}

static bool impatient(void *context)
{
    (void)context;
    return world.now_ns < 8000000000ULL;
}

Test(recover, a_person_ends_a_wait)
{
    struct last last = usual();
    killed(&last);
    struct recover_options options = options_of();
    options.idle = impatient;
    world.later_what = REST_POSITIONS;
    world.later_times = 1000;
    world.later_ms = 60000;
    cr_assert_eq(run(&options), RECOVER_UNAVAILABLE);
    cr_assert(strstr(recover_reason(recover), "told to stop") != NULL, "%s", recover_reason(recover));
    cr_assert_lt(world.now_ns, 8200000000ULL);
}

Test(recover, an_empty_answer_is_not_flat)
{
    struct last last = usual();
    killed(&last);
    world.names_position[0] = false;
    cr_assert_eq(run_plain(), RECOVER_REFUSED);
    cr_assert(strstr(recover_reason(recover), "not \"flat\"") != NULL, "%s", recover_reason(recover));
    cr_assert(strstr(recover_reason(recover), "--accept-difference") != NULL);
}

Test(recover, a_difference_nobody_explains_is_refused_unless_a_person_says_so)
{
    struct last last = usual();
    killed(&last);
    world.position[0] = 37;
    cr_assert_eq(run_plain(), RECOVER_REFUSED);
    cr_assert(strstr(recover_reason(recover), "difference 7") != NULL, "%s", recover_reason(recover));
    recover_destroy(recover);
    rest_destroy(rest);
    lock_release(&lock_set);
    struct recover_options options = options_of();
    options.accept_difference = true;
    cr_assert_eq(run(&options), RECOVER_DONE, "%s", recover_reason(recover));
    struct reduce *reduce = rebuilt();
    cr_assert_eq(reduce_position_sum(reduce, 0, 0), 37);
    int64_t unassigned = 0;
    for (uint32_t i = 0; i < reduce_position_count(reduce); i++) {
        const struct reduce_position *row = reduce_position_at(reduce, i);
        unassigned += row->instance == NO_INSTANCE ? row->position.qty : 0;
    }
    cr_assert_eq(unassigned, 7);
    reduce_destroy(reduce);
}

Test(recover, strangers_executions_go_to_the_unassigned_row)
{
    struct last last = usual();
    killed(&last);
    world.fill[world.fill_count++] = (struct world_fill){ 700, 0, SIDE_SELL, 12, 600000, 9999 };
    world.position[0] = 18;
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    struct reduce *reduce = rebuilt();
    cr_assert_eq(reduce_position_sum(reduce, 0, 0), 18);
    for (uint32_t i = 0; i < reduce_position_count(reduce); i++) {
        const struct reduce_position *row = reduce_position_at(reduce, i);
        if (row->instrument == 0) {
            cr_assert_eq(row->position.qty, row->instance == 3 ? 30 : -12);
        }
    }
    reduce_destroy(reduce);
}

Test(recover, what_the_venue_liquidated_while_we_were_away_closes_the_leg)
{
    struct last last = usual();
    killed(&last);
    world.order[world.order_count++] = (struct world_order){ .side = SIDE_SELL,
                                                             .qty = 12,
                                                             .cum = 12,
                                                             .status = ORDER_STATUS_FILLED,
                                                             .venue_id = 9999,
                                                             .reason = REASON_LIQUIDATION };
    world.fill[world.fill_count++] = (struct world_fill){ 700, 0, SIDE_SELL, 8, 600000, 9999 };
    world.fill[world.fill_count++] = (struct world_fill){ 701, 0, SIDE_SELL, 4, 600000, 9999 };
    world.position[0] = 18;
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    struct reduce *reduce = rebuilt();
    cr_assert_eq(reduce_position_sum(reduce, 0, 0), 18);
    for (uint32_t i = 0; i < reduce_position_count(reduce); i++) {
        const struct reduce_position *row = reduce_position_at(reduce, i);
        if (row->instrument == 0) {
            cr_assert_eq(row->position.qty, row->instance == 3 ? 18 : 0);
        }
    }
    reduce_destroy(reduce);
}

Test(recover, a_position_from_before_our_time_is_set_aside_or_refused)
{
    world.position[0] = 50;
    world.names_position[1] = false;
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    cr_assert_eq(count_emitted(RECORD_RESTORE_POSITION), 1);
    recover_destroy(recover);
    rest_destroy(rest);
    lock_release(&lock_set);
    struct recover_options options = options_of();
    options.refuse_unassigned = true;
    cr_assert_eq(run(&options), RECOVER_REFUSED);
}

Test(recover, executions_between_two_looks_settle)
{
    struct last last = usual();
    ordered(&last, test_order_id(3), 0, SIDE_BUY, 10, 13);
    killed(&last);
    world.order[world.order_count++] = (struct world_order){ .order = test_order_id(3),
                                                             .side = SIDE_BUY,
                                                             .qty = 10,
                                                             .price = 600000,
                                                             .status = ORDER_STATUS_OPEN,
                                                             .venue_id = 13 };
    world.fill_on_positions = true;
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    cr_assert_eq(held(0), 32);
    cr_assert_eq(count_emitted(RECORD_POSITION), 2, "the newest of each only");
}

Test(recover, an_order_only_the_venue_knows_is_adopted_by_its_id)
{
    struct last last = usual();
    killed(&last);
    world.order[world.order_count++] = (struct world_order){ .order = test_order_id(77),
                                                             .side = SIDE_SELL,
                                                             .qty = 10,
                                                             .price = 610000,
                                                             .status = ORDER_STATUS_OPEN,
                                                             .venue_id = 70 };
    world.order[world.order_count++] = (struct world_order){
        .order = 0, .side = SIDE_SELL, .qty = 3, .price = 620000, .status = ORDER_STATUS_OPEN, .venue_id = 71
    };
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    cr_assert_eq(count_emitted(RECORD_RESTORE_ORDER), 1);
    struct reduce *reduce = rebuilt();
    cr_assert_eq(reduce_order(reduce, test_order_id(77))->instance, 3);
    cr_assert_eq(reduce_order(reduce, test_order_id(77))->state, REDUCE_LIVE);
    cr_assert_geq(reduce_counter(reduce), 78);
    reduce_destroy(reduce);
}

/* An answer that is minutes old shows an order that an earlier run counted to its end. */
Test(recover, an_ended_order_that_an_old_answer_shows_is_not_counted_again)
{
    struct last last = usual();
    killed(&last);
    world.order[world.order_count++] = (struct world_order){ .order = test_order_id(77),
                                                             .side = SIDE_SELL,
                                                             .qty = 10,
                                                             .price = 610000,
                                                             .status = ORDER_STATUS_OPEN,
                                                             .venue_id = 70 };
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    struct reduce *reduce = rebuilt();
    struct slot record[3];
    struct record_report *report = test_report(record, RECORD_ORDER_STATE, test_order_id(77), 0, 200);
    report->head.flags = RECORD_FLAG_REST;
    report->status = ORDER_STATUS_FILLED;
    report->cum_qty = 10;
    report->flags |= REPORT_HAS_CUM | REPORT_TERMINAL;
    reduce_record(reduce, record);
    struct reduce_counts counts;
    reduce_counts(reduce, &counts);
    cr_assert_eq(counts.owed, 0);
    reduce_destroy(reduce);
    cr_assert_eq(held(0), 30);
    bool stranger = false;
    struct test_list list = { 0 };
    emitted(RECORD_RESTORE_ORDER, &list);
    for (uint32_t at = 0; at < list.used; at += record_head_of(&list.slot[at])->slot_count) {
        const struct record_report *row = (const struct record_report *)record_head_of(&list.slot[at]);
        stranger = stranger || (row->head.type == RECORD_RESTORE_ORDER && (row->flags & REPORT_FOREIGN) != 0);
    }
    test_list_free(&list);
    cr_assert(stranger, "the strategy is told that nobody knows it");
}

/* A loss of power took the order's record; it was executed before anybody could look.  The venue's executions
 * name their order by the venue's id alone. */
Test(recover, an_execution_of_an_order_that_the_journal_lost_is_ours_when_the_venue_says_so)
{
    struct last last = usual();
    killed(&last);
    world.order[world.order_count++] = (struct world_order){ .order = test_order_id(77),
                                                             .side = SIDE_BUY,
                                                             .qty = 10,
                                                             .price = 600000,
                                                             .cum = 10,
                                                             .status = ORDER_STATUS_FILLED,
                                                             .venue_id = 70 };
    world.order[world.order_count++] = (struct world_order){ .order = 0,
                                                             .side = SIDE_BUY,
                                                             .qty = 2,
                                                             .cum = 2,
                                                             .price = 600000,
                                                             .status = ORDER_STATUS_FILLED,
                                                             .venue_id = 99 };
    world.fill[world.fill_count++] = (struct world_fill){ 601, 0, SIDE_BUY, 4, 600000, 70 };
    world.fill[world.fill_count++] = (struct world_fill){ 602, 0, SIDE_BUY, 1, 600000, 99 };
    world.fill[world.fill_count++] = (struct world_fill){ 603, 0, SIDE_BUY, 6, 600000, 70 };
    world.fill[world.fill_count++] = (struct world_fill){ 604, 0, SIDE_BUY, 1, 600000, 99 };
    world.position[0] = 42;
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    cr_assert_eq(world.asked[REST_ORDER], 2, "each of the two orders once, not each execution");
    cr_assert_eq(count_emitted(RECORD_RESTORE_ORDER), 1);
    struct reduce *reduce = rebuilt();
    const struct reduce_order *order = reduce_order(reduce, test_order_id(77));
    cr_assert_eq(order->instance, 3);
    cr_assert_eq(order->filled, 10);
    cr_assert_eq(order->state, REDUCE_DONE);
    cr_assert_geq(reduce_counter(reduce), 78, "its number is not used again");
    reduce_destroy(reduce);
    cr_assert_eq(held(0), 42, "nothing is lost, whoever it belongs to");
}

Test(recover, on_restart_cancel_leaves_nothing_resting)
{
    struct last last = usual();
    ordered(&last, test_order_id(3), 0, SIDE_BUY, 10, 13);
    killed(&last);
    world.order[world.order_count++] = (struct world_order){ .order = test_order_id(3),
                                                             .side = SIDE_BUY,
                                                             .qty = 10,
                                                             .price = 600000,
                                                             .cum = 2,
                                                             .status = ORDER_STATUS_PARTIAL,
                                                             .venue_id = 13 };
    world.fill[world.fill_count++] = (struct world_fill){ 502, 0, SIDE_BUY, 2, 600000, 13 };
    world.position[0] = 32;
    config.quote[0].params.on_restart = ON_RESTART_CANCEL;
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    cr_assert_eq(world.asked[REST_CANCEL_ALL], 1);
    cr_assert_eq(reduce_order(recover_held(recover), test_order_id(3))->state, REDUCE_DONE);
    cr_assert_eq(held(0), 32);
}

static void filled_before_it_is_cancelled(const struct rest_query *query)
{
    if (query->what == REST_CANCEL_ALL && world.fill_count == 0) {
        world.order[0].status = ORDER_STATUS_FILLED;
        world.order[0].cum = 10;
        world.fill[world.fill_count++] = (struct world_fill){ 601, 0, SIDE_BUY, 10, 600000, 70 };
        world.position[0] = 10;
    }
}

/* The power took all that the first run wrote, its order rested, and is filled when it is to be cancelled. */
Test(recover, an_adopted_order_that_fills_before_its_cancel_is_read_without_any_journal)
{
    world.order[world.order_count++] = (struct world_order){ .order = test_order_id(77),
                                                             .side = SIDE_BUY,
                                                             .qty = 10,
                                                             .price = 600000,
                                                             .status = ORDER_STATUS_OPEN,
                                                             .venue_id = 70 };
    world.before = filled_before_it_is_cancelled;
    config.quote[0].params.on_restart = ON_RESTART_CANCEL;
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    cr_assert_eq(held(0), 10);
}

Test(recover, on_restart_adopt_cancels_nothing)
{
    struct last last = usual();
    ordered(&last, test_order_id(3), 0, SIDE_BUY, 10, 13);
    killed(&last);
    world.order[world.order_count++] = (struct world_order){ .order = test_order_id(3),
                                                             .side = SIDE_BUY,
                                                             .qty = 10,
                                                             .price = 600000,
                                                             .status = ORDER_STATUS_OPEN,
                                                             .venue_id = 13 };
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    cr_assert_eq(world.asked[REST_CANCEL_ALL], 0);
    cr_assert_eq(count_emitted(RECORD_RESTORE_ORDER), 1);
}

Test(recover, an_instance_that_is_gone_while_holding_is_refused)
{
    struct last last = usual();
    killed(&last);
    snprintf(config.quote[0].params.name, PARAMS_NAME_BYTES, "two");
    cr_assert_eq(run_plain(), RECOVER_REFUSED);
    cr_assert(strstr(recover_reason(recover), "one holds 30") != NULL, "%s", recover_reason(recover));
    cr_assert_neq(config.quote[0].params.instance, 3, "another name is another instance");
}

Test(recover, an_orphan_may_be_held_unhedged)
{
    test_on_orphan = ON_ORPHAN_HOLD;
    struct last last = usual();
    killed(&last);
    snprintf(config.quote[0].params.name, PARAMS_NAME_BYTES, "two");
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    struct reduce *reduce = rebuilt();
    cr_assert_eq(reduce_position_sum(reduce, 0, 0), 30);
    cr_assert_eq(reduce_position_sum(reduce, 1, 1), -5);
    for (uint32_t i = 0; i < reduce_position_count(reduce); i++) {
        cr_assert_eq(reduce_position_at(reduce, i)->instance, NO_INSTANCE);
    }
    reduce_destroy(reduce);
}

Test(recover, an_orphan_may_be_unwound_by_its_old_parameters)
{
    test_on_orphan = ON_ORPHAN_FLATTEN;
    struct last last = usual();
    ordered(&last, test_order_id(3), 0, SIDE_BUY, 10, 13);
    killed(&last);
    world.order[world.order_count++] = (struct world_order){ .order = test_order_id(3),
                                                             .side = SIDE_BUY,
                                                             .qty = 10,
                                                             .price = 600000,
                                                             .status = ORDER_STATUS_OPEN,
                                                             .venue_id = 13 };
    snprintf(config.quote[0].params.name, PARAMS_NAME_BYTES, "two");
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    const struct quote_params *orphan = recover_params(recover, 1);
    cr_assert(orphan != NULL);
    cr_assert_eq(orphan->instance, 3);
    cr_assert_eq(orphan->enabled, 0);
    cr_assert_eq(orphan->on_restart, ON_RESTART_FLATTEN);
    cr_assert(recover_params(recover, 2) == NULL);
    cr_assert_eq(world.asked[REST_CANCEL_ALL], 1, "what an orphan left resting is cancelled");
    struct reduce *reduce = rebuilt();
    cr_assert_eq(reduce_position_at(reduce, 0)->instance, 3);
    reduce_destroy(reduce);
}

Test(recover, a_limit_below_what_is_held_only_reduces)
{
    struct last last = usual();
    killed(&last);
    config.quote[0].params.max_inventory = 20;
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    cr_assert_eq(config.quote[0].params.reduce_quotes_only, 1);
    cr_assert(strstr(told, "max_inventory was 100, is 20") != NULL);
}

Test(recover, an_account_that_is_gone_while_holding_is_refused)
{
    struct last last = usual();
    killed(&last);
    snprintf(config.account[0].row.name, ACCOUNT_NAME_BYTES, "other");
    snprintf(config.quote[0].quote_account, ACCOUNT_NAME_BYTES, "other");
    cr_assert_eq(run_plain(), RECOVER_REFUSED);
    cr_assert(strstr(recover_reason(recover), "account inv") != NULL, "%s", recover_reason(recover));
}

Test(recover, indexes_and_units_may_change_between_runs)
{
    struct last last = usual();
    killed(&last);
    struct config_instrument swap = config.instrument[0];
    config.instrument[0] = config.instrument[1];
    config.instrument[1] = swap;
    struct config_account account = config.account[0];
    config.account[0] = config.account[1];
    config.account[1] = account;
    world.more_decimals = 2;
    /* the world's rows go by this run's indexes */
    world.position[0] = -500;
    world.position[1] = 30;
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    cr_assert_eq(held(0), -500);
    cr_assert_eq(held(1), 30);
}

Test(recover, an_account_in_another_mode_is_refused_with_its_remedy)
{
    const struct {
        uint8_t *fact;
        const char *remedy;
    } modes[] = {
        { &world.one_way, "switch the account to one-way mode" },
        { &world.cross, "switch the account to cross margin" },
        { &world.single_asset, "switch multi-assets margin off" },
        { &world.self_trade, "switch the account's self-trade prevention on" },
        { &world.can_trade, "give the key the right to trade" },
    };
    for (size_t i = 0; i < POISE_COUNT_OF(modes); i++) {
        *modes[i].fact = FACT_NO;
        cr_assert_eq(run_plain(), RECOVER_REFUSED);
        cr_assert(strstr(recover_reason(recover), modes[i].remedy) != NULL, "%s", recover_reason(recover));
        cr_assert_eq(world.asked[REST_OPEN_ORDERS], 0, "before anything else is done there");
        end();
        begin();
        *modes[i].fact = FACT_UNKNOWN;
        cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
        const char *once = strstr(told, modes[i].remedy);
        cr_assert(once != NULL, "what a venue does not tell is said");
        once = strstr(once + 1, modes[i].remedy); /* of the other account */
        cr_assert(once != NULL && strstr(once + 1, modes[i].remedy) == NULL, "once an account: %s", told);
        end();
        begin();
    }
}

Test(recover, a_key_that_may_withdraw_is_refused_in_live)
{
    world.withdraw = FACT_YES;
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    cr_assert(strstr(told, "may withdraw: live trading would refuse it") != NULL, "%s", told);
    end();
    begin();
    world.withdraw = FACT_YES;
    config.mode = MODE_LIVE;
    cr_assert_eq(run_plain(), RECOVER_REFUSED);
    cr_assert(strstr(recover_reason(recover), "may withdraw") != NULL, "%s", recover_reason(recover));
    cr_assert_eq(world.asked[REST_OPEN_ORDERS], 0);
    end();
    begin();
    world.withdraw = FACT_NO;
    config.mode = MODE_LIVE;
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    end();
    begin();
    config.mode = MODE_LIVE;
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    cr_assert(strstr(told, "does not tell whether the key may withdraw") != NULL);
}

Test(recover, another_key_is_another_account_while_something_is_held)
{
    struct last last = usual();
    killed(&last);
    config.account[1].row.key_hash = 100;
    cr_assert_eq(run_plain(), RECOVER_REFUSED);
    cr_assert(strstr(recover_reason(recover), "lin has another key") != NULL &&
                  strstr(recover_reason(recover), "1 positions") != NULL,
              "%s", recover_reason(recover));
    cr_assert_eq(world.asked[REST_OPEN_ORDERS], 0);
    end();
    begin();
    last = usual();
    config.account[1].row.key_hash = 100;
    struct recover_options options = options_of();
    options.accept_key = true;
    cr_assert_eq(run(&options), RECOVER_DONE, "%s", recover_reason(recover));
    cr_assert_eq(held(1), -5);
    end();
    begin();
    last = last_run(); /* nothing held, nothing open */
    struct slot record;
    memset(&record, 0, sizeof record);
    record_begin(&record, RECORD_CLOCK, 1, last.stamp_ns++);
    commit(&last, &record);
    journal_poll(last.journal, 1, 1);
    config.account[1].row.key_hash = 100;
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    cr_assert(strstr(told, "nothing was held there") != NULL, "%s", told);
}

Test(recover, the_same_name_at_another_venue_is_another_account)
{
    struct last last = usual();
    killed(&last);
    config.account[1].row.product = PRODUCT_SPOT;
    cr_assert_eq(run_plain(), RECOVER_REFUSED);
    cr_assert(strstr(recover_reason(recover), "account lin") != NULL, "%s", recover_reason(recover));
}

Test(recover, a_clock_that_is_wrong_is_refused)
{
    static const int64_t offs_s[] = { 61, 3600, -62, -3600 };
    for (size_t i = 0; i < POISE_COUNT_OF(offs_s); i++) {
        world.clock_off_ns = offs_s[i] * 1000000000;
        cr_assert_eq(run_plain(), RECOVER_REFUSED);
        cr_assert(strstr(recover_reason(recover), "Set this machine's clock") != NULL, "%s",
                  recover_reason(recover));
        end();
        begin();
    }
    world.clock_off_ns = 59 * 1000000000LL;
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    cr_assert(strstr(told, "synchronise this machine's clock") != NULL);
}

static bool no_sessions(void *context, char *why, size_t why_bytes)
{
    (void)context;
    cr_assert_eq(world.asked[REST_OPEN_ORDERS], 0);
    cr_assert_neq(world.asked[REST_ACCOUNT_MODE], 0, "nothing is opened on an account in the wrong mode");
    snprintf(why, why_bytes, "not every account's session came up");
    return false;
}

static bool good_sessions(void *context, char *why, size_t why_bytes)
{
    (void)context;
    (void)why;
    (void)why_bytes;
    return true;
}

Test(recover, sessions_come_up_between_the_modes_and_the_orders)
{
    struct recover_options options = options_of();
    options.sessions = no_sessions;
    cr_assert_eq(run(&options), RECOVER_UNAVAILABLE);
    cr_assert(strstr(recover_reason(recover), "session") != NULL);
    cr_assert_eq(world.asked[REST_OPEN_ORDERS], 0);
    end();
    begin();
    options = options_of();
    options.sessions = good_sessions;
    cr_assert_eq(run(&options), RECOVER_DONE, "%s", recover_reason(recover));
}

Test(recover, every_state_has_its_line_in_the_order_of_the_table)
{
    struct last last = usual();
    killed(&last);
    struct recover_options options = options_of();
    options.sessions = good_sessions;
    cr_assert_eq(run(&options), RECOVER_DONE, "%s", recover_reason(recover));
    const char *at = told;
    for (int i = 0; i < RECOVER_STATE_COUNT; i++) {
        char begins[32];
        snprintf(begins, sizeof begins, "%s: ", recover_state_names[i]);
        if (i == RECOVER_RIGHTS) {
            continue; /* a venue without that question */
        }
        const char *line = strstr(at, begins);
        cr_assert(line != NULL, "%s in: %s", begins, told);
        at = line;
    }
}

Test(recover, a_second_engine_on_the_same_pair_is_refused)
{
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    struct lock_set other = { 0 };
    char error[512];
    cr_assert_eq(lock_state(&other, state, error, sizeof error), LOCK_HELD);
    struct account renamed = config.account[0].row;
    snprintf(renamed.name, sizeof renamed.name, "same key, other name");
    cr_assert_eq(lock_pair(&other, locks, &renamed, "binance.inverse.BTCUSD_PERP", error, sizeof error),
                 LOCK_HELD);
    cr_assert(strstr(error, "another engine") != NULL);
    lock_release(&lock_set);
    cr_assert_eq(lock_state(&other, state, error, sizeof error), LOCK_TAKEN);
    lock_release(&other);
    cr_assert_eq(lock_state(&other, "/nowhere", error, sizeof error), LOCK_UNFIT);
}

Test(recover, another_engine_number_on_this_state_is_refused)
{
    struct last last = usual();
    killed(&last);
    config.engine = TEST_ENGINE + 1;
    cr_assert_eq(run_plain(), RECOVER_REFUSED);
}

/* ------------------------------------------------------------------ what a disk may do */

static void usual_on_disk(void)
{
    struct last last = usual();
    ordered(&last, test_order_id(3), 0, SIDE_BUY, 10, 13);
    filled(&last, test_order_id(3), 0, SIDE_BUY, 10, 502, 10, true);
    cr_assert(journal_flush(last.journal, 1, 0));
    world.position[0] = 40;
    world.fill[world.fill_count++] = (struct world_fill){ 502, 0, SIDE_BUY, 10, 600000, 13 };
    world.order[world.order_count++] = (struct world_order){ .order = test_order_id(3),
                                                             .instrument = 0,
                                                             .side = SIDE_BUY,
                                                             .qty = 10,
                                                             .price = 600000,
                                                             .cum = 10,
                                                             .status = ORDER_STATUS_FILLED,
                                                             .venue_id = 13 };
}

/* What a loss of power leaves of tmpfs: nothing. */
static void lose_tmpfs(void)
{
    test_remove(shared);
    test_directory(shared, true);
    snprintf(locks, sizeof locks, "%s/locks", shared);
}

static void last_segment(char path[SEGMENT_PATH_BYTES])
{
    segment_path(path, state, SEGMENT_FULL, 6, 0);
    cr_assert_eq(access(path, F_OK), 0);
}

static void expect_the_truth(void)
{
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    cr_assert_eq(held(0), 40);
    cr_assert_eq(held(1), -5);
}

Test(recover, a_torn_tail_is_told_again_by_the_venue)
{
    char path[SEGMENT_PATH_BYTES];
    struct stat file;
    for (int64_t cut = 1; cut < 6 * SLOT_BYTES; cut += 37) {
        usual_on_disk();
        lose_tmpfs();
        last_segment(path);
        cr_assert_eq(stat(path, &file), 0);
        cr_assert_eq(truncate(path, file.st_size - cut), 0);
        expect_the_truth();
        cr_assert(strstr(told, "torn: the venue decides what is true") != NULL || cut % SLOT_BYTES == 0, "%s",
                  told);
        end();
        begin();
    }
}

Test(recover, a_damaged_record_in_the_middle_is_told_again_by_the_venue)
{
    char path[SEGMENT_PATH_BYTES];
    struct stat file;
    usual_on_disk();
    lose_tmpfs();
    last_segment(path);
    cr_assert_eq(stat(path, &file), 0);
    int fd = open(path, O_RDWR);
    /* the fill is three slots long, before it stands the ack, and the order's record */
    cr_assert_eq(pwrite(fd, "damage", 6, file.st_size - 4 * SLOT_BYTES + 20), 6);
    close(fd);
    expect_the_truth();
    cr_assert(strstr(told, "records are missing") != NULL, "%s", told);
}

Test(recover, after_a_reboot_the_disk_is_enough)
{
    usual_on_disk();
    lose_tmpfs();
    expect_the_truth();
}

Test(recover, a_state_directory_that_was_moved_is_read_where_it_is)
{
    usual_on_disk();
    lose_tmpfs();
    char moved[sizeof state + 8];
    snprintf(moved, sizeof moved, "%s-moved", state);
    cr_assert_eq(rename(state, moved), 0);
    snprintf(state, sizeof state, "%.*s", (int)sizeof state - 1, moved);
    expect_the_truth();
}

Test(recover, without_its_journal_a_position_is_nobodys_and_is_refused)
{
    usual_on_disk();
    lose_tmpfs();
    test_remove(state);
    cr_assert_eq(mkdir(state, 0700), 0);
    struct recover_options options = options_of();
    options.refuse_unassigned = true; /* as poise run has it */
    cr_assert_eq(run(&options), RECOVER_REFUSED);
    cr_assert(strstr(recover_reason(recover), "never had to do with") != NULL &&
                  strstr(recover_reason(recover), "--accept-difference") != NULL,
              "%s", recover_reason(recover));
}

Test(recover, a_disk_that_takes_nothing_is_an_unfit_machine)
{
    struct recover_options options = options_of();
    options.state_directory = "/proc/self"; /* no file can be made there, not even by root */
    cr_assert_eq(run(&options), RECOVER_UNAVAILABLE);
    cr_assert(strstr(recover_reason(recover), "a lock cannot be taken") != NULL, "%s",
              recover_reason(recover));
    end();
    begin();
    char path[sizeof state + 16];
    snprintf(path, sizeof path, "%s/order_ids.new", state);
    cr_assert_eq(mkdir(path, 0700), 0);
    cr_assert_eq(run_plain(), RECOVER_UNAVAILABLE);
    cr_assert(strstr(recover_reason(recover), "cannot reserve order ids") != NULL, "%s",
              recover_reason(recover));
    end();
    begin();
    struct last last = usual();
    ordered(&last, test_order_id(3), 0, SIDE_BUY, 10, 0); /* in the ring alone */
    killed(&last);
    options = options_of();
    options.journal_directory = "/proc/self/nowhere";
    cr_assert_eq(run(&options), RECOVER_UNAVAILABLE);
    cr_assert(strstr(recover_reason(recover), "must reach the disk") != NULL, "%s", recover_reason(recover));
}

Test(recover, the_last_runs_tail_is_on_disk_before_a_new_run_begins)
{
    struct last last = usual();
    ordered(&last, test_order_id(3), 0, SIDE_BUY, 10, 0);
    killed(&last);
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    struct journal_reader_options options = { .directory = state, .run = 6 };
    char error[600];
    struct journal_reader *reader = journal_reader_open(&options, error, sizeof error);
    struct journal_item item;
    bool found = false;
    while (journal_next(reader, &item) != JOURNAL_END) {
        found |= record_head_of(item.item.record)->type == RECORD_ORDER_NEW &&
                 ((const struct record_order *)record_head_of(item.item.record))->order == test_order_id(3);
    }
    journal_reader_close(reader);
    cr_assert(found);
}

/* ------------------------------------------------------------------ payments */

static void told_money(struct last *last, uint8_t reason, int64_t total_e8, int64_t time_ns)
{
    struct slot record;
    memset(&record, 0, sizeof record);
    struct record_balance *to =
        (struct record_balance *)record_begin(&record, RECORD_BALANCE, 1, last->stamp_ns++);
    to->head.account = 1;
    to->currency = reason == CASH_HISTORY ? CURRENCY_NONE : 2;
    to->total_e8 = total_e8;
    to->available_e8 = INT64_MIN;
    to->reason = reason;
    to->venue_time_ns = time_ns;
    commit(last, &record);
}

static void pay(uint8_t reason, uint16_t instrument, uint32_t row, int64_t change_e8, int64_t time_ns)
{
    world.payment[world.payment_count++] = (struct world_payment){ .product = PRODUCT_LINEAR,
                                                                   .reason = reason,
                                                                   .instrument = instrument,
                                                                   .currency = 2,
                                                                   .row = row,
                                                                   .change_e8 = change_e8,
                                                                   .time_ns = time_ns };
}

Test(recover, what_was_paid_while_dead_is_booked_and_explains_the_balance)
{
    struct ledger_difference difference[8];
    struct last last = usual();
    told_money(&last, CASH_SNAPSHOT, 5000, 0);
    told_money(&last, CASH_HISTORY, INT64_MIN, world.wall_ns - 8000000000);
    journal_poll(last.journal, 1, 1);
    killed(&last);
    world.keeps_payments = world.names_balance = true;
    world.inverse_currency = 1;
    world.linear_currency = 2;
    pay(CASH_FUNDING, 1, 3, 60, world.wall_ns - 9000000000); /* in the opening */
    pay(CASH_FUNDING, 1, 4, -700, world.wall_ns - 2000000000);
    pay(CASH_TRANSFER, NO_INSTRUMENT, 5, 40, world.wall_ns - 1000000000);
    world.balance_e8[1] = 5000 - 700 + 40;
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    struct reduce *reduce = rebuilt();
    const struct ledger *ledger = reduce_ledger(reduce);
    cr_expect_eq(ledger_differences(ledger, difference, 8), 0);
    cr_expect_eq(ledger_part_e8(ledger, 3, 1, 2, PNL_FUNDING), -700);
    cr_expect_geq(ledger_history_ns(ledger, 1), world.wall_ns - 60000000000);
    int64_t funding_e8 = 0;
    for (uint32_t i = 0; i < reduce_cash_count(reduce); i++) {
        const struct reduce_cash *cash = reduce_cash_at(reduce, i);
        funding_e8 += cash->part == PNL_FUNDING && cash->instance == 3 ? cash->amount_e8 : 0;
    }
    cr_expect_eq(funding_e8, -700, "the reducer, and with it the strategy, agrees");
    reduce_destroy(reduce);
}

static void pays_while_balances_are_read(const struct rest_query *query)
{
    if (query->what == REST_BALANCES && query->product == PRODUCT_LINEAR && world.payment_count == 0) {
        pay(CASH_FUNDING, 1, 4, 300, world.wall_ns); /* and the balance that is told does not have it yet */
    } else if (query->what == REST_BALANCES && query->product == PRODUCT_LINEAR) {
        world.balance_e8[1] = 5300;
    }
}

static void names_balances_late(const struct rest_query *query)
{
    world.names_balance = query->what != REST_BALANCES || world.asked[REST_BALANCES] > 3;
}

/* Without an opening the books would begin with what a stream tells beside the first execution. */
Test(recover, an_opening_without_a_balance_is_read_again)
{
    world.names_position[0] = world.names_position[1] = false;
    world.keeps_payments = true;
    world.inverse_currency = 0;
    world.linear_currency = 2;
    world.balance_e8[0] = 4000;
    world.balance_e8[1] = 5000;
    world.before = names_balances_late;
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    cr_assert_geq(world.asked[REST_BALANCES], 5);
    struct reduce *reduce = rebuilt();
    cr_assert_eq(ledger_cash_e8(reduce_ledger(reduce), NO_INSTANCE, 0, 0), 4000);
    cr_assert_eq(ledger_cash_e8(reduce_ledger(reduce), NO_INSTANCE, 1, 2), 5000);
    reduce_destroy(reduce);
}

static void tells_an_old_balance_first(const struct rest_query *query)
{
    if (query->what == REST_BALANCES && query->product == PRODUCT_LINEAR) {
        static uint32_t answers;
        world.balance_e8[1] = answers++ == 0 ? 4900 : 5000;
    }
}

/* An answer that is a minute old would open the books without the deposit of half a minute ago, for good. */
Test(recover, an_opening_is_what_two_answers_in_a_row_say)
{
    world.names_position[0] = world.names_position[1] = false;
    world.keeps_payments = world.names_balance = true;
    world.inverse_currency = 1;
    world.linear_currency = 2;
    world.before = tells_an_old_balance_first;
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    struct reduce *reduce = rebuilt();
    cr_expect_eq(ledger_cash_e8(reduce_ledger(reduce), NO_INSTANCE, 1, 2), 5000);
    reduce_destroy(reduce);
}

Test(recover, a_payment_while_the_opening_is_read_makes_it_read_again)
{
    world.names_position[0] = world.names_position[1] = false;
    world.keeps_payments = world.names_balance = true;
    world.inverse_currency = 1;
    world.linear_currency = 2;
    world.balance_e8[1] = 5000;
    world.before = pays_while_balances_are_read;
    cr_assert_eq(run_plain(), RECOVER_DONE, "%s", recover_reason(recover));
    struct reduce *reduce = rebuilt();
    const struct ledger *ledger = reduce_ledger(reduce);
    struct ledger_difference difference[8];
    cr_expect_eq(ledger_differences(ledger, difference, 8), 0);
    cr_expect_eq(ledger_cash_e8(ledger, NO_INSTANCE, 1, 2), 5300);
    cr_expect(world.asked[REST_BALANCES] >= 3);
    reduce_destroy(reduce);
}
