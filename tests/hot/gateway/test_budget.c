#include "hot/gateway/budget.h"
#include "ring/clock.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

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
    while (budget_take(&budget, now, 1, 0, CREDIT_NONE, false)) {
        quotes++;
    }
    while (budget_take(&budget, now, 1, 0, CREDIT_NONE, true)) {
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
    cr_assert_not(budget_take(&budget, now, 1, 2000, CREDIT_NONE, true), "too heavy");
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
            if (budget_take(&budget, start + ms * NS_PER_MS, 1, 0, CREDIT_NONE, true)) {
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
    cr_assert(budget_take(&budget, now, 100, 0, CREDIT_NONE, true));
    cr_assert_not(budget_take(&budget, now + 10 * NS_PER_S - 1, 1, 0, CREDIT_NONE, true));
    cr_assert(
        budget_take(&budget, now + 10 * NS_PER_S + 10 * NS_PER_S / BUDGET_PARTS, 1, 0, CREDIT_NONE, true));
    cr_assert(budget_take(&budget, now + 3600 * NS_PER_S, 100, 0, CREDIT_NONE, true));
}

Test(budget, the_venue_may_silence_quotes_or_everyone)
{
    struct budget budget;
    uint64_t now = 1000 * NS_PER_S;
    budget_init(&budget, &account);
    budget_quiet(&budget, now + NS_PER_S);
    cr_assert_not(budget_take(&budget, now, 1, 0, CREDIT_NONE, false));
    cr_assert(budget_take(&budget, now, 1, 0, CREDIT_NONE, true));
    cr_assert(budget_take(&budget, now + NS_PER_S, 1, 0, CREDIT_NONE, false));
    budget_ban(&budget, now + 2 * NS_PER_S);
    cr_assert_not(budget_take(&budget, now + NS_PER_S, 1, 0, CREDIT_NONE, true));
    cr_assert(budget_take(&budget, now + 2 * NS_PER_S, 1, 0, CREDIT_NONE, true));
}

Test(budget, an_account_without_limits_has_none)
{
    struct account free_account = { .reserve_percent = 50 };
    struct budget budget;
    budget_init(&budget, &free_account);
    for (int i = 0; i < 100000; i++) {
        cr_assert(budget_take(&budget, 1000 * NS_PER_S, 1, 50, CREDIT_NONE, false));
    }
}

/* ------------------------------------------------------------------ credits */

static struct account credit_account = {
    .order_rate_10s = 100000,
    .order_rate_60s = 1000000,
    .weight_rate_60s = 1000000,
    .reserve_percent = 20,
    .credit = { [CREDIT_TRADE] = { 20, 5000 },
                [CREDIT_QUERY] = { 40, 8000 },
                [CREDIT_SUBSCRIBE] = { 3, 1000 } },
};

Test(budget, families_of_credits_do_not_share_and_quotes_stop_first)
{
    struct budget budget;
    uint64_t now = 1000 * NS_PER_S;
    budget_init(&budget, &credit_account);
    budget_start(&budget, now);
    cr_assert_not(budget_take(&budget, now, 1, 0, CREDIT_TRADE, true), "it begins empty");
    now += 60 * NS_PER_S;
    int quotes = 0, hedges = 0, queries = 0;
    while (budget_take(&budget, now, 1, 0, CREDIT_TRADE, false)) {
        quotes++;
    }
    while (budget_take(&budget, now, 1, 0, CREDIT_TRADE, true)) {
        hedges++;
    }
    while (budget_take(&budget, now, 0, 0, CREDIT_QUERY, true)) {
        queries++;
    }
    cr_assert_eq(quotes, 12, "of fifteen three are kept");
    cr_assert_eq(hedges, 3);
    cr_assert_eq(queries, 32);
    cr_assert_not(budget_take(&budget, now + 199 * NS_PER_MS, 0, 0, CREDIT_TRADE, true));
    cr_assert(budget_take(&budget, now + 200 * NS_PER_MS, 0, 0, CREDIT_TRADE, true));
}

Test(budget, the_session_waits_for_its_buckets)
{
    struct budget budget;
    uint64_t now = 1000 * NS_PER_S;
    budget_init(&budget, &credit_account);
    budget_start(&budget, now);
    cr_assert_not(budget_allows_session(&budget, now));
    cr_assert(budget_allows_session(&budget, now + NS_PER_S));
    budget_charge(&budget, now + NS_PER_S, 0, 0, CREDIT_SUBSCRIBE);
    cr_assert_not(budget_allows_session(&budget, now + NS_PER_S));
    cr_assert(budget_allows_session(&budget, now + 3 * NS_PER_S));
    budget_throttled(&budget, now + 100 * NS_PER_S);
    cr_assert_not(budget_allows_session(&budget, now + 100 * NS_PER_S));
    cr_assert_not(budget_take(&budget, now + 100 * NS_PER_S, 1, 0, CREDIT_TRADE, true));

    struct budget windows;
    budget_init(&windows, &account);
    cr_assert(budget_allows_session(&windows, now), "where nothing counts so, nothing waits");
}

/* The venue as its page tells it: pools of credits, filled all the time, of which a request takes its cost
 * when it arrives; what it cannot pay ends the session. */
struct pool {
    int64_t credits, size, refill, cost;
    uint64_t at_ns;
    uint32_t exceeded, taken;
};

static void arrive(struct pool *pool, uint64_t at_ns)
{
    /* refill in millionths, so that nothing is lost between two arrivals */
    if (at_ns > pool->at_ns) {
        int128 credits = pool->credits + (int128)(at_ns - pool->at_ns) * pool->refill / 1000;
        pool->credits = credits < pool->size * 1000000 ? (int64_t)credits : pool->size * 1000000;
        pool->at_ns = at_ns;
    }
    pool->credits -= pool->cost * 1000000;
    pool->taken++;
    if (pool->credits < 0) {
        pool->exceeded++;
        pool->credits = 0;
    }
}

struct arrival {
    uint64_t at_ns;
    uint8_t pool;
};

static int by_time(const void *a, const void *b)
{
    const struct arrival *x = a, *y = b;
    return x->at_ns < y->at_ns ? -1 : x->at_ns > y->at_ns;
}

enum { POOL_TRADE, POOL_OTHER, POOL_SUBSCRIBE, POOL_COUNT };

/* Hours of storms: quotes as fast as they may, bursts of cancels, hedges, questions of the gateway and of the
 * cold thread, reconnects; each request is held up by as much as a second on its way, in order on its
 * connection. */
static void drive(const struct account *of, const struct pool model[POOL_COUNT], uint32_t hours,
                  uint32_t *taken)
{
    static struct arrival arrivals[4000000];
    size_t count = 0;
    struct budget budget;
    struct credit_bucket cold;
    struct pool pool[POOL_COUNT];
    uint64_t start = 1000 * NS_PER_S, delivered = 0, delivered_cold = 0, held_until = 0;
    memcpy(pool, model, sizeof pool);
    budget_init(&budget, of);
    budget_start(&budget, start);
    credit_begin(&cold, account_venues[VENUE_DERIBIT].credit[CREDIT_REST]);
    srand(11);
    for (uint64_t ms = 0; ms < hours * 3600000ULL; ms += 5) {
        uint64_t now = start + ms * NS_PER_MS;
        uint32_t mood = (uint32_t)(ms / 20000) % 7;
        if (rand() % 400 == 0) {
            held_until = now + (uint64_t)(rand() % 1000) * NS_PER_MS; /* the network stands still */
        }
        uint64_t lands = now > held_until ? now : held_until;
        delivered = lands > delivered ? lands : delivered;
        int quotes = mood == 0 ? 3 : rand() % 40 == 0;
        int cancels = mood == 1 ? 2 : rand() % 300 == 0 ? 12 : 0;
        int questions = mood == 2 ? 2 : rand() % 500 == 0 ? 20 : 0;
        for (int i = 0; i < quotes + cancels; i++) {
            if (budget_take(&budget, now, 1, 0, CREDIT_TRADE, i >= quotes)) {
                arrivals[count++] = (struct arrival){ delivered, POOL_TRADE };
            }
        }
        for (int i = 0; i < questions; i++) {
            if (budget_take(&budget, now, 0, 0, CREDIT_QUERY, true)) {
                arrivals[count++] = (struct arrival){ delivered, POOL_OTHER };
            }
            if (credit_has(&cold, now, 1, 0)) {
                credit_charge(&cold, now, 1);
                delivered_cold = lands > delivered_cold ? lands : delivered_cold;
                arrivals[count++] = (struct arrival){ delivered_cold, POOL_OTHER };
            }
        }
        if (mood == 3 || rand() % 2000 == 0) {
            static const enum credit steps[] = { CREDIT_QUERY, CREDIT_QUERY, CREDIT_QUERY, CREDIT_SUBSCRIBE };
            for (size_t i = 0; i < POISE_COUNT_OF(steps) && budget_allows_session(&budget, now); i++) {
                budget_charge(&budget, now, 0, 0, steps[i]);
                arrivals[count++] =
                    (struct arrival){ delivered, steps[i] == CREDIT_QUERY ? POOL_OTHER : POOL_SUBSCRIBE };
            }
        }
        cr_assert_lt(count + 100, POISE_COUNT_OF(arrivals));
    }
    qsort(arrivals, count, sizeof *arrivals, by_time);
    for (size_t i = 0; i < count; i++) {
        arrive(&pool[arrivals[i].pool], arrivals[i].at_ns);
    }
    for (int i = 0; i < POOL_COUNT; i++) {
        cr_assert_eq(pool[i].exceeded, 0, "pool %d: %u of %u", i, pool[i].exceeded, pool[i].taken);
        taken[i] = pool[i].taken;
    }
}

Test(budget, hours_of_requests_never_empty_a_pool_of_the_venue)
{
    const struct pool least[POOL_COUNT] = {
        [POOL_TRADE] = { .credits = 20000000, .size = 20, .refill = 5, .cost = 1 },
        [POOL_OTHER] = { .credits = 50000000000, .size = 50000, .refill = 10000, .cost = 500 },
        [POOL_SUBSCRIBE] = { .credits = 30000000000, .size = 30000, .refill = 10000, .cost = 3000 },
    };
    uint32_t taken[POOL_COUNT];
    drive(&credit_account, least, 6, taken);
    cr_assert_geq(taken[POOL_TRADE], 6 * 3600 * 4, "what the venue gives is also used: %u",
                  taken[POOL_TRADE]);
    cr_assert_geq(taken[POOL_OTHER], 6 * 3600 * 2);
    cr_assert_geq(taken[POOL_SUBSCRIBE], 1000);

    struct account best = credit_account;
    best.credit[CREDIT_TRADE] = (struct credit_limit){ 100, 30000 };
    struct pool more[POOL_COUNT];
    memcpy(more, least, sizeof more);
    more[POOL_TRADE] = (struct pool){ .credits = 100000000, .size = 100, .refill = 30, .cost = 1 };
    drive(&best, more, 2, taken);
    cr_assert_geq(taken[POOL_TRADE], 2 * 3600 * 10);
}
