#include "hot/core/strategy_role.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A strategy of the test's own: it answers every trade with one order to account 0 and remembers what it
 * was given. */
static uint8_t given[4096];
static uint32_t given_count;
static uint64_t next_ns = UINT64_MAX;
static uint32_t orders_per_trade = 1;
static struct spsc *watched_journal;
static uint64_t journal_head_at_step;
static bool resting;
static uint32_t finished;
#define HEDGE 1000
#define QUOTE 2000

size_t strategy_bytes(void)
{
    return 64;
}

struct strategy *strategy_init(void *memory)
{
    return memory;
}

bool strategy_begin(struct strategy *strategy, const struct slot *record, struct outbox *outbox)
{
    (void)strategy;
    given[given_count++ % POISE_COUNT_OF(given)] = record_head_of(record)->type;
    if (watched_journal != NULL) {
        journal_head_at_step = watched_journal->head;
    }
    if (record_head_of(record)->type == RECORD_TRADE) {
        for (uint32_t i = 0; i < orders_per_trade; i++) {
            struct slot *order = outbox_add(outbox, RECORD_ORDER_NEW, 2, record_head_of(record)->stamp_ns);
            record_head_of(order)->account = 0;
            ((struct record_order *)order)->order = i + 1;
        }
    }
    /* a fill is answered by a hedge, and its quotes are left for later; a balance leaves only the latter */
    bool fill = record_head_of(record)->type == RECORD_FILL;
    if (fill) {
        struct slot *order = outbox_add(outbox, RECORD_ORDER_NEW, 2, record_head_of(record)->stamp_ns);
        record_head_of(order)->account = 0;
        ((struct record_order *)order)->order = HEDGE;
    }
    resting = fill || record_head_of(record)->type == RECORD_CANCELLED;
    return resting;
}

void strategy_finish(struct strategy *strategy, struct outbox *outbox)
{
    (void)strategy;
    cr_assert(resting);
    resting = false;
    finished++;
    struct slot *order = outbox_add(outbox, RECORD_ORDER_AMEND, 2, 0);
    record_head_of(order)->account = 0;
    ((struct record_order *)order)->order = QUOTE;
}

uint64_t strategy_next_ns(const struct strategy *strategy)
{
    (void)strategy;
    return next_ns;
}

struct fixture {
    struct arena arena;
    struct topology topology;
    struct counters *counters;
    struct outbox *outbox;
    struct spsc *journal;
    struct strategy_role role;
    char path[64];
};

static void *aligned(size_t bytes)
{
    void *memory = NULL;
    cr_assert(posix_memalign(&memory, POISE_APART, bytes) == 0);
    memset(memory, 0, bytes);
    return memory;
}

static struct fixture *fixture(bool restored)
{
    struct fixture *f = calloc(1, sizeof *f);
    struct core_map map = { .core = { -1, -1, -1, -2 } };
    cr_assert(arena_create(&f->arena, topology_bytes(&map, 2, 1) + 4096, -1, false));
    topology_make(&f->topology, &map, 2, 1, &f->arena);
    snprintf(f->path, sizeof f->path, "/dev/shm/poise-test-role-%d", (int)getpid());
    f->counters = counters_create(f->path);
    cr_assert(f->counters != NULL);
    unlink(f->path);
    f->outbox = aligned(sizeof *f->outbox);
    f->journal = spsc_init(aligned(spsc_bytes(1024)), 1024);
    strategy_role_init(&f->role, strategy_init(aligned(64)), f->outbox, &f->topology, f->journal, 1000000,
                       f->counters, 1);
    f->role.restored = restored;
    given_count = finished = 0;
    resting = false;
    next_ns = UINT64_MAX;
    orders_per_trade = 1;
    watched_journal = f->journal;
    return f;
}

static void send(struct channel *channel, enum record_type type, uint64_t stamp_ns)
{
    struct slot slot;
    record_begin(&slot, type, 1, stamp_ns);
    cr_assert(channel_send(channel, &slot));
}

static void drain_journal(struct fixture *f)
{
    while (spsc_peek(f->journal) != NULL) {
        spsc_release(f->journal);
    }
}

Test(strategy_role, reports_come_before_control_before_feeds_before_the_clock)
{
    struct fixture *f = fixture(true);
    send(&f->topology.feed[0], RECORD_TOP, 1);
    send(&f->topology.control, RECORD_COMMAND, 2);
    send(&f->topology.report[0], RECORD_BALANCE, 3);
    strategy_role_poll(&f->role, 2000000, 0);
    cr_assert_eq(given_count, 4);
    cr_assert_eq(given[0], RECORD_BALANCE);
    cr_assert_eq(given[1], RECORD_COMMAND);
    cr_assert_eq(given[2], RECORD_TOP);
    cr_assert_eq(given[3], RECORD_CLOCK);
}

Test(strategy_role, before_the_restore_is_done_only_control_is_read)
{
    struct fixture *f = fixture(false);
    send(&f->topology.feed[0], RECORD_TOP, 1);
    send(&f->topology.report[0], RECORD_BALANCE, 3);
    send(&f->topology.control, RECORD_RISK, 2);
    strategy_role_poll(&f->role, 2000000, 0);
    cr_assert_eq(given_count, 1);
    cr_assert_eq(given[0], RECORD_RISK);
    send(&f->topology.control, RECORD_RESTORE_DONE, 4);
    strategy_role_poll(&f->role, 2000001, 0);
    strategy_role_poll(&f->role, 2000002, 0);
    cr_assert_eq(given[1], RECORD_RESTORE_DONE);
    cr_assert_eq(given[2], RECORD_BALANCE, "what the gateway reported meanwhile is not lost");
}

Test(strategy_role, a_record_is_journaled_before_it_is_consumed_and_an_order_before_it_can_be_seen)
{
    struct fixture *f = fixture(true);
    send(&f->topology.feed[0], RECORD_TRADE, 1);
    strategy_role_poll(&f->role, 10, 0);
    cr_assert_gt(journal_head_at_step, 0, "journaled at the step");
    const struct slot *in = spsc_peek(f->journal);
    cr_assert_eq(record_head_of(in)->type, RECORD_TRADE);
    cr_assert_eq(record_head_of(in)->flags & RECORD_FLAG_OUT, 0);
    spsc_release(f->journal);
    const struct slot *out = spsc_peek(f->journal);
    cr_assert_eq(record_head_of(out)->type, RECORD_ORDER_NEW);
    cr_assert_neq(record_head_of(out)->flags & RECORD_FLAG_OUT, 0);
    const struct slot *order = channel_peek(&f->topology.order[0]);
    cr_assert_not_null(order);
    cr_assert_eq(record_head_of(order)->flags & RECORD_FLAG_OUT, 0, "the flag is the journal's alone");
}

static uint64_t sent_order(struct fixture *f)
{
    const struct slot *slot = channel_peek(&f->topology.order[0]);
    uint64_t order = slot == NULL ? 0 : ((const struct record_order *)record_head_of(slot))->order;
    if (slot != NULL) {
        channel_release(&f->topology.order[0]);
    }
    return order;
}

Test(strategy_role, a_hedge_leaves_before_quotes_and_other_records_are_looked_at)
{
    struct fixture *f = fixture(true);
    send(&f->topology.report[0], RECORD_FILL, 1);
    send(&f->topology.report[0], RECORD_CANCELLED, 2);
    cr_assert_eq(strategy_role_poll(&f->role, 10, 0), 1);
    cr_assert_eq(given_count, 1);
    cr_assert_eq(finished, 0);
    cr_assert_eq(sent_order(f), HEDGE);
    cr_assert_eq(sent_order(f), 0);
    cr_assert_gt(strategy_role_poll(&f->role, 11, 0), 0);
    cr_assert_eq(given_count, 2, "the rest of the fill, then the next record and its own");
    cr_assert_eq(finished, 2);
    cr_assert_eq(sent_order(f), QUOTE);
    cr_assert_eq(sent_order(f), QUOTE);

    /* in, out, out, in, out: as if nothing had been put off */
    static const uint8_t types[] = { RECORD_FILL, RECORD_ORDER_NEW, RECORD_ORDER_AMEND, RECORD_CANCELLED,
                                     RECORD_ORDER_AMEND };
    for (size_t i = 0; i < POISE_COUNT_OF(types); i++) {
        cr_assert_eq(record_head_of(spsc_peek(f->journal))->type, types[i]);
        spsc_release(f->journal);
    }
}

Test(strategy_role, a_flood_of_fills_does_not_keep_the_feeds_waiting)
{
    struct fixture *f = fixture(true);
    for (int i = 0; i < 40; i++) {
        send(&f->topology.report[0], RECORD_FILL, 1);
    }
    send(&f->topology.feed[0], RECORD_TOP, 1);
    uint32_t turns = 0;
    bool fed = false;
    while (!fed) {
        strategy_role_poll(&f->role, 10, 0);
        turns++;
        for (uint32_t i = 0; i < given_count; i++) {
            fed |= given[i] == RECORD_TOP;
        }
        while (sent_order(f) != 0) {
        }
        drain_journal(f);
    }
    cr_assert_leq(turns, 17);
    cr_assert_eq(finished, given_count - 1);
}

Test(strategy_role, a_full_order_ring_holds_everything_and_loses_nothing)
{
    struct fixture *f = fixture(true);
    orders_per_trade = 700; /* 1,400 slots into a queue of 1,024 */
    f->role.journal = NULL;
    watched_journal = NULL;
    send(&f->topology.feed[0], RECORD_TRADE, 1);
    send(&f->topology.feed[0], RECORD_TOP, 2);
    strategy_role_poll(&f->role, 10, 0);
    cr_assert_eq(given_count, 1, "nothing more is consumed while orders wait");
    uint64_t expected = 1;
    while (expected <= 700) {
        const struct slot *order = channel_peek(&f->topology.order[0]);
        if (order == NULL) {
            strategy_role_poll(&f->role, 20, 0);
            continue;
        }
        cr_assert_eq(((const struct record_order *)order)->order, expected++);
        channel_release(&f->topology.order[0]);
    }
    strategy_role_poll(&f->role, 30, 0);
    cr_assert_eq(given[1], RECORD_TOP);
}

Test(strategy_role, feeds_stop_at_three_quarters_of_the_journal_and_one_record_says_so)
{
    struct fixture *f = fixture(true);
    for (int i = 0; i < 1200; i++) {
        send(&f->topology.feed[0], RECORD_TOP, (uint64_t)i);
    }
    for (int i = 0; i < 400; i++) {
        strategy_role_poll(&f->role, 10, 0);
    }
    uint32_t before = given_count;
    cr_assert_lt(before, 768);
    cr_assert_not(f->role.failed);
    send(&f->topology.report[0], RECORD_BALANCE, 1);
    strategy_role_poll(&f->role, 11, 0);
    cr_assert_eq(given[given_count - 1], RECORD_BALANCE, "the reserve is for reports");
    drain_journal(f);
    before = given_count;
    strategy_role_poll(&f->role, 12, 0);
    cr_assert_eq(given[before], RECORD_LOST);
    cr_assert_eq(given[before + 1], RECORD_TOP);
}

Test(strategy_role, a_spent_reserve_raises_the_emergency_and_ends_all_steps)
{
    struct fixture *f = fixture(true);
    for (int i = 0; i < 1100; i++) {
        send(&f->topology.report[0], RECORD_BALANCE, (uint64_t)i);
        strategy_role_poll(&f->role, 10, 0);
    }
    cr_assert(f->role.failed);
    cr_assert_eq(atomic_load(&f->topology.emergency), 1);
    uint32_t before = given_count;
    drain_journal(f);
    strategy_role_poll(&f->role, 12, 0);
    cr_assert_eq(given_count, before);
}

Test(strategy_role, the_clock_comes_each_tick_and_when_a_deadline_has_passed)
{
    struct fixture *f = fixture(true);
    strategy_role_poll(&f->role, 1000000, 5);
    cr_assert_eq(given_count, 1);
    strategy_role_poll(&f->role, 1500000, 6);
    cr_assert_eq(given_count, 1, "not due yet");
    next_ns = 1600000;
    strategy_role_poll(&f->role, 1600000, 7);
    cr_assert_eq(given_count, 2, "a deadline has passed");
}
