#include "tools/sim/model/sim_delay.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>

static struct sim_delay made(uint64_t seed)
{
    struct sim_delay delay;

    sim_delay_init(&delay, seed);
    for (int line = 0; line < SIM_LINE_COUNT; line++) {
        delay.low_ns[line] = 1000000;
        delay.high_ns[line] = 5000000;
    }
    return delay;
}

Test(delay, the_same_seed_gives_the_same_latencies)
{
    struct sim_delay a = made(7), b = made(7), c = made(8);
    int different = 0;

    for (int i = 0; i < 100; i++) {
        int64_t due = sim_delay_due(&a, SIM_LINE_ORDER, 0, NULL);
        cr_assert_eq(due, sim_delay_due(&b, SIM_LINE_ORDER, 0, NULL));
        cr_assert(due >= 1000000 && due <= 5000000);
        different += due != sim_delay_due(&c, SIM_LINE_ORDER, 0, NULL);
    }
    cr_assert_gt(different, 90);
}

Test(delay, lines_do_not_disturb_each_other)
{
    struct sim_delay a = made(7), b = made(7);

    for (int i = 0; i < 50; i++) {
        sim_delay_due(&b, SIM_LINE_FEED, 0, NULL); /* b draws from the feed line as well */
        sim_delay_due(&b, SIM_LINE_ACK, 0, NULL);
        cr_assert_eq(sim_delay_due(&a, SIM_LINE_PRIVATE, 0, NULL),
                     sim_delay_due(&b, SIM_LINE_PRIVATE, 0, NULL));
    }
}

Test(delay, nothing_overtakes_within_a_line)
{
    struct sim_delay delay = made(3);
    int64_t last = 0, before = 0;

    for (int i = 0; i < 1000; i++) {
        int64_t due = sim_delay_due(&delay, SIM_LINE_FEED, i * 100000, &last);
        cr_assert_geq(due, before);
        before = due;
    }
}

Test(delay, the_queue_is_a_heap_that_keeps_the_order_of_equals)
{
    struct sim_queue queue = { 0 };
    static int items[1000];
    struct sim_random random;
    int64_t before = -1;

    sim_random_seed(&random, 5, 0);
    for (int i = 0; i < 1000; i++) {
        items[i] = i;
        sim_queue_push(&queue, sim_random_range(&random, 0, 40), &items[i]);
    }
    int last_item = -1;
    for (int i = 0; i < 1000; i++) {
        int64_t due = sim_queue_next_ns(&queue);
        cr_assert_null(sim_queue_pop(&queue, due - 1), "not before its time");
        int *item = sim_queue_pop(&queue, due);
        cr_assert_not_null(item);
        cr_assert(due > before || *item > last_item, "equal times leave in the order they came");
        before = due;
        last_item = *item;
    }
    cr_assert_eq(sim_queue_next_ns(&queue), INT64_MAX);
    free(queue.entry);
}
