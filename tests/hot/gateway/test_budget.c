#include "hot/gateway/budget.h"
#include "ring/clock.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct account account = {
    .order_rate_10s = 100,
    .order_rate_60s = 300,
    .reserve_percent = 20,
    .weight_rate_60s = 1000,
};

Test(budget, quotes_stop_before_hedges)
{
    struct budget budget;
    uint64_t now = 1000 * NS_PER_S;
    budget_init(&budget, &account);
    int quotes = 0, hedges = 0;
    while (budget_take(&budget, now, 1, 0, false)) {
        quotes++;
    }
    while (budget_take(&budget, now, 1, 0, true)) {
        hedges++;
    }
    cr_assert_eq(quotes, 80);
    cr_assert_eq(hedges, 20);
    cr_assert_eq(budget_left(&budget, BUDGET_ORDERS_10S, now, true), 0);
}

Test(budget, a_refusal_charges_nothing)
{
    struct budget budget;
    uint64_t now = 1000 * NS_PER_S;
    budget_init(&budget, &account);
    cr_assert_not(budget_take(&budget, now, 1, 2000, true), "too heavy");
    cr_assert_eq(budget_left(&budget, BUDGET_ORDERS_10S, now, true), 100);
    cr_assert_eq(budget_left(&budget, BUDGET_WEIGHT_60S, now, true), 1000);
}

/* Whatever fixed windows the venue counts in, none ever holds more than the limit. */
Test(budget, no_window_of_ten_seconds_ever_exceeds_the_limit)
{
    struct budget budget;
    uint64_t start = 1000 * NS_PER_S + 123456789;
    static uint16_t sent[180000];
    budget_init(&budget, &account);
    srand(7);
    uint32_t total = 0;
    for (uint32_t ms = 0; ms < 180000; ms++) {
        int want = rand() % 1000 < 40 ? rand() % 60 : 0; /* bursts */
        for (int i = 0; i < want; i++) {
            if (budget_take(&budget, start + ms * NS_PER_MS, 1, 0, true)) {
                sent[ms]++;
                total++;
            }
        }
    }
    uint32_t in_10s = 0, in_60s = 0, most_10s = 0, most_60s = 0;
    for (uint32_t ms = 0; ms < 180000; ms++) {
        in_10s += sent[ms] - (ms >= 10000 ? sent[ms - 10000] : 0);
        in_60s += sent[ms] - (ms >= 60000 ? sent[ms - 60000] : 0);
        most_10s = in_10s > most_10s ? in_10s : most_10s;
        most_60s = in_60s > most_60s ? in_60s : most_60s;
    }
    cr_assert_leq(most_10s, 100);
    cr_assert_leq(most_60s, 300);
    cr_assert_geq(total, 600, "the limits are also used: %u", total);
}

Test(budget, comes_back_after_the_window)
{
    struct budget budget;
    uint64_t now = 1000 * NS_PER_S;
    budget_init(&budget, &account);
    cr_assert(budget_take(&budget, now, 100, 0, true));
    cr_assert_not(budget_take(&budget, now + 10 * NS_PER_S - 1, 1, 0, true));
    cr_assert(budget_take(&budget, now + 10 * NS_PER_S + 10 * NS_PER_S / BUDGET_PARTS, 1, 0, true));
    cr_assert(budget_take(&budget, now + 3600 * NS_PER_S, 100, 0, true));
}

Test(budget, the_venue_may_silence_quotes_or_everyone)
{
    struct budget budget;
    uint64_t now = 1000 * NS_PER_S;
    budget_init(&budget, &account);
    budget_quiet(&budget, now + NS_PER_S);
    cr_assert_not(budget_take(&budget, now, 1, 0, false));
    cr_assert(budget_take(&budget, now, 1, 0, true));
    cr_assert(budget_take(&budget, now + NS_PER_S, 1, 0, false));
    budget_ban(&budget, now + 2 * NS_PER_S);
    cr_assert_not(budget_take(&budget, now + NS_PER_S, 1, 0, true));
    cr_assert(budget_take(&budget, now + 2 * NS_PER_S, 1, 0, true));
}

Test(budget, an_account_without_limits_has_none)
{
    struct account free_account = { .reserve_percent = 50 };
    struct budget budget;
    budget_init(&budget, &free_account);
    for (int i = 0; i < 100000; i++) {
        cr_assert(budget_take(&budget, 1000 * NS_PER_S, 1, 50, false));
    }
}
