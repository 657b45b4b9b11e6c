#include "hot/gateway/inflight.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static uint64_t random_state = 88172645463325252ULL;

static uint64_t draw(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

static struct inflight *make(void)
{
    struct inflight *inflight = malloc(sizeof *inflight);
    inflight_init(inflight);
    return inflight;
}

Test(inflight, requests_are_found_until_they_are_removed)
{
    struct inflight *t = make();
    static bool there[20001];
    uint32_t count = 0;
    for (int i = 0; i < 300000; i++) {
        uint64_t tie = draw() % 20000 + 1;
        if (draw() % 2 == 0) {
            struct inflight_request *row = inflight_request_add(t, tie, 1000);
            bool expected = !there[tie] && count < INFLIGHT_REQUESTS;
            cr_assert_eq(row != NULL, expected);
            if (row != NULL) {
                row->order = tie * 3;
                there[tie] = true;
                count++;
            }
        } else {
            inflight_request_remove(t, tie);
            count -= there[tie];
            there[tie] = false;
        }
        cr_assert_eq(t->request_count, count);
        if (i % 1000 == 0) {
            for (uint64_t k = 1; k <= 20000; k++) {
                struct inflight_request *row = inflight_request_find(t, k);
                cr_assert_eq(row != NULL, there[k]);
                cr_assert(row == NULL || row->order == k * 3);
            }
        }
    }
    free(t);
}

Test(inflight, each_request_expires_once_and_not_early)
{
    struct inflight *t = make();
    static uint32_t seen[1001];
    struct inflight_request out;
    for (uint64_t tie = 1; tie <= 1000; tie++) {
        inflight_request_add(t, tie, 1000 + (tie * 37) % 500);
    }
    uint32_t expired = 0;
    for (uint64_t now = 900; now < 1600; now++) {
        while (inflight_expire(t, now, &out)) {
            cr_assert_geq(now, out.deadline_ns);
            cr_assert_eq(now, out.deadline_ns, "as soon as it is due");
            cr_assert_eq(++seen[out.tie], 1);
            expired++;
        }
    }
    cr_assert_eq(expired, 1000);
    cr_assert_eq(t->request_count, 0);
    free(t);
}

Test(inflight, a_lost_connection_makes_only_its_sent_requests_due)
{
    struct inflight *t = make();
    struct inflight_request out;
    for (uint64_t tie = 1; tie <= 30; tie++) {
        struct inflight_request *row = inflight_request_add(t, tie, 1000);
        row->link = (uint8_t)(tie % 3);
        row->sent_ns = tie % 2 == 0 ? 0 : 500;
    }
    inflight_lose(t, 1);
    uint32_t lost = 0;
    while (inflight_expire(t, 600, &out)) {
        cr_assert(out.lost && out.link == 1 && out.sent_ns == 500);
        lost++;
    }
    cr_assert_eq(lost, 5);
    cr_assert_eq(t->request_count, 25);
    free(t);
}

Test(inflight, finished_orders_are_remembered_for_a_while_and_then_make_room)
{
    struct inflight *t = make();
    for (uint64_t order = 1; order <= 100000; order++) {
        cr_assert_not_null(inflight_order_add(t, order, 3, order));
        inflight_order_finish(t, order);
        inflight_order_finish(t, order);
        cr_assert(inflight_order_find(t, order)->finished);
    }
    cr_assert_eq(t->order_count, 0);
    cr_assert_eq(t->order_used, INFLIGHT_FINISHED);
    cr_assert_null(inflight_order_find(t, 100000 - INFLIGHT_FINISHED));
    cr_assert_not_null(inflight_order_find(t, 100001 - INFLIGHT_FINISHED));
    uint32_t cursor = 0;
    cr_assert_null(inflight_order_next(t, &cursor));
    free(t);
}

Test(inflight, the_walk_meets_every_order_that_may_rest_once)
{
    struct inflight *t = make();
    uint64_t sum = 0, met = 0;
    for (uint64_t i = 1; i <= INFLIGHT_ORDERS; i++) {
        cr_assert_not_null(inflight_order_add(t, i << 40 | i, 1, 5));
        if (i % 3 == 0) {
            inflight_order_finish(t, i << 40 | i);
        } else {
            sum += i;
        }
    }
    uint32_t cursor = 0;
    struct inflight_order *row;
    while ((row = inflight_order_next(t, &cursor)) != NULL) {
        met += row->order & 0xffffffffff;
    }
    cr_assert_eq(met, sum);
    free(t);
}

Test(inflight, a_full_table_says_so)
{
    struct inflight *t = make();
    for (uint64_t i = 1; i <= INFLIGHT_ORDERS; i++) {
        cr_assert_not_null(inflight_order_add(t, i, 1, 5));
    }
    cr_assert_null(inflight_order_add(t, INFLIGHT_ORDERS + 1, 1, 5));
    inflight_order_finish(t, 17);
    cr_assert_not_null(inflight_order_add(t, INFLIGHT_ORDERS + 1, 1, 5));
    free(t);
}
