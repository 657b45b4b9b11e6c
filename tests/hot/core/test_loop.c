#include "hot/core/loop.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* Roles of the test's own, which count how often they are asked and how much they found to do. */
static uint32_t net_finds, role_finds, asked, feeds_asked, gateways_asked, cancelled;
static uint64_t due_ns = UINT64_MAX;

uint32_t net_poll(struct net *net, uint64_t now_ns)
{
    (void)net;
    (void)now_ns;
    return net_finds;
}

uint32_t feed_poll(struct feed *feed, uint64_t now_ns, int64_t wall_ns)
{
    (void)feed;
    (void)now_ns;
    (void)wall_ns;
    feeds_asked++;
    return 0;
}

uint32_t gateway_poll(struct gateway *gateway, uint64_t now_ns, int64_t wall_ns)
{
    (void)gateway;
    (void)now_ns;
    (void)wall_ns;
    gateways_asked++;
    return 0;
}

void gateway_cancel_all(struct gateway *gateway, uint64_t now_ns, int64_t wall_ns)
{
    (void)gateway;
    (void)now_ns;
    (void)wall_ns;
    cancelled++;
}

uint32_t strategy_role_poll(struct strategy_role *role, uint64_t now_ns, int64_t wall_ns)
{
    (void)role;
    (void)now_ns;
    (void)wall_ns;
    asked++;
    return role_finds;
}

uint64_t strategy_next_ns(const struct strategy *strategy)
{
    (void)strategy;
    return due_ns;
}

static struct topology topology;
static struct arena arena;
static struct strategy_role role;
static struct loop loop;

/* One thread for all roles but the cold one, or the strategy on its own. */
static void make(bool fused)
{
    struct core_map map = { .core = { [ROLE_FEED] = fused ? -1 : -3,
                                      [ROLE_STRATEGY] = -1,
                                      [ROLE_GATEWAY] = fused ? -1 : -4,
                                      [ROLE_COLD] = -2 } };
    cr_assert(arena_create(&arena, topology_bytes(&map, 2, 2) + 4096, -1, false));
    topology_make(&topology, &map, 2, 2, &arena);
    role = (struct strategy_role){ .clock_tick_ns = 1000000, .last_clock_ns = 1000000000 };
    loop = (struct loop){ .topology = &topology, .strategy = &role, .net = (struct net *)&loop };
    if (fused) {
        loop.feed_count = loop.gateway_count = 2;
    }
    net_finds = role_finds = asked = feeds_asked = gateways_asked = 0;
    due_ns = UINT64_MAX;
}

static bool turn(uint64_t now_ns)
{
    uint32_t before = asked;
    loop_turn(&loop, now_ns, 0);
    return asked != before;
}

static void send(struct channel *channel)
{
    struct slot slot;
    record_begin(&slot, RECORD_COMMAND, 1, 0);
    cr_assert(channel_send(channel, &slot));
}

static const uint64_t t = 1000000000;

Test(loop, a_turn_in_which_nothing_can_have_happened_asks_no_role)
{
    make(true);
    loop_watch(&loop);
    cr_assert(turn(t), "the first looks");
    cr_assert_eq(feeds_asked, 2);
    cr_assert_eq(gateways_asked, 2);
    cr_assert_not(turn(t));
    cr_assert_not(turn(t + LOOP_LOOK_NS - 1));
    cr_assert_eq(feeds_asked, 2);
    cr_assert_eq(gateways_asked, 2);
    cr_assert(turn(t + LOOP_LOOK_NS), "whatever was not seen is looked at now and then");
    cr_assert_not(turn(t + LOOP_LOOK_NS + 1));
}

Test(loop, what_the_net_tells_and_what_other_threads_send_ends_the_quiet)
{
    make(true);
    loop_watch(&loop);
    turn(t);
    cr_assert_not(turn(t));
    net_finds = 1;
    cr_assert(turn(t));
    net_finds = 0;
    cr_assert(turn(t), "what the roles said to each other in the last turn");
    cr_assert_not(turn(t));
    send(&topology.control);
    cr_assert(turn(t));
    cr_assert(turn(t), "it was not taken");
}

Test(loop, a_turn_that_found_work_is_followed_by_another)
{
    make(true);
    loop_watch(&loop);
    role_finds = 1;
    cr_assert(turn(t));
    role_finds = 0;
    cr_assert(turn(t));
    cr_assert_not(turn(t));
}

Test(loop, the_strategys_deadline_is_met_to_the_nanosecond)
{
    make(true);
    loop_watch(&loop);
    due_ns = t + 700;
    turn(t);
    cr_assert_not(turn(t + 699));
    cr_assert(turn(t + 700));
    due_ns = UINT64_MAX;
    role.last_clock_ns = t + 800 - role.clock_tick_ns;
    turn(t + 701);
    cr_assert_not(turn(t + 799));
    cr_assert(turn(t + 800), "the clock's own tick");
}

Test(loop, every_channel_from_another_thread_is_looked_at)
{
    make(false);
    struct channel *all[] = { &topology.control, &topology.report[0], &topology.report[1], &topology.feed[0],
                              &topology.feed[1] };
    loop_watch(&loop);
    cr_assert_eq(loop.ring_count, POISE_COUNT_OF(all));
    for (size_t i = 0; i < POISE_COUNT_OF(all); i++) {
        turn(t);
        cr_assert_not(turn(t));
        send(all[i]);
        cr_assert(turn(t), "channel %zu", i);
        spsc_peek(all[i]->ring);
        spsc_release(all[i]->ring);
    }
    /* a gateways' thread has its orders to look at */
    loop.strategy = NULL;
    loop.gateway_count = 2;
    loop_watch(&loop);
    cr_assert_eq(loop.ring_count, 2);
    gateways_asked = 0;
    loop_turn(&loop, t, 0);
    loop_turn(&loop, t, 0);
    cr_assert_eq(gateways_asked, 2);
    send(&topology.order[1]);
    loop_turn(&loop, t, 0);
    cr_assert_eq(gateways_asked, 4);
}

Test(loop, nobody_who_did_not_ask_for_it_has_quiet_turns)
{
    make(true);
    cr_assert(turn(t) && turn(t) && turn(t));
}
