#include "hot/gateway/budget.h"

#include "ring/clock.h"
#include <string.h>

void budget_init(struct budget *budget, const struct account *account)
{
    memset(budget, 0, sizeof *budget);
    const struct {
        int32_t limit;
        uint64_t window_ns;
    } row[BUDGET_WINDOWS] = {
        [BUDGET_ORDERS_10S] = { account->order_rate_10s, 10 * NS_PER_S },
        [BUDGET_ORDERS_60S] = { account->order_rate_60s, 60 * NS_PER_S },
        [BUDGET_WEIGHT_60S] = { account->weight_rate_60s, 60 * NS_PER_S },
    };
    for (uint32_t i = 0; i < BUDGET_WINDOWS; i++) {
        struct budget_window *window = &budget->window[i];
        window->limit = row[i].limit;
        /* rounded up: a reserve of a little is not a reserve of nothing */
        window->reserved = (int32_t)(((int64_t)row[i].limit * account->reserve_percent + 99) / 100);
        window->part_ns = row[i].window_ns / BUDGET_PARTS;
    }
    for (uint32_t i = 0; i < CREDIT_COUNT; i++) {
        struct credit_bucket *bucket = &budget->bucket[i];
        credit_begin(bucket, account->credit[i]);
        budget->bucket_reserved[i] =
            (int32_t)(((int64_t)bucket->limit.burst * account->reserve_percent + 99) / 100);
        budget->counts_credits = budget->counts_credits || credit_counts(bucket);
    }
}

void budget_start(struct budget *budget, uint64_t now_ns)
{
    for (uint32_t i = 0; i < CREDIT_COUNT; i++) {
        credit_fill(&budget->bucket[i], now_ns);
    }
}

/* advance forgets the parts that have left the window. */
static void advance(struct budget_window *window, uint64_t now_ns)
{
    if (POISE_LIKELY(now_ns < window->part_end_ns)) {
        return;
    }
    uint64_t part = now_ns / window->part_ns;
    window->part_end_ns = (part + 1) * window->part_ns;
    if (part <= window->part) {
        return;
    }
    if (part - window->part > BUDGET_PARTS) {
        memset(window->used, 0, sizeof window->used);
        window->sum = 0;
        window->part = part;
        return;
    }
    while (window->part < part) {
        window->part++;
        int32_t *used = &window->used[window->part % (BUDGET_PARTS + 1)];
        window->sum -= *used;
        *used = 0;
    }
}

static bool has_room(struct budget_window *window, uint64_t now_ns, int32_t count, bool urgent)
{
    if (window->limit == 0 || count == 0) {
        return true;
    }
    advance(window, now_ns);
    return window->sum + count <= window->limit - (urgent ? 0 : window->reserved);
}

static void charge(struct budget_window *window, uint64_t now_ns, int32_t count)
{
    if (count != 0) {
        advance(window, now_ns);
        window->used[window->part % (BUDGET_PARTS + 1)] += count;
        window->sum += count;
    }
}

bool budget_has(struct budget *budget, uint64_t now_ns, int32_t orders, int32_t weight, enum credit credit,
                bool urgent)
{
    return now_ns >= budget->banned_until_ns && (urgent || now_ns >= budget->quiet_until_ns) &&
           has_room(&budget->window[BUDGET_ORDERS_10S], now_ns, orders, urgent) &&
           has_room(&budget->window[BUDGET_ORDERS_60S], now_ns, orders, urgent) &&
           has_room(&budget->window[BUDGET_WEIGHT_60S], now_ns, weight, urgent) &&
           credit_has(&budget->bucket[credit], now_ns, 1, urgent ? 0 : budget->bucket_reserved[credit]);
}

bool budget_take(struct budget *budget, uint64_t now_ns, int32_t orders, int32_t weight, enum credit credit,
                 bool urgent)
{
    if (!budget_has(budget, now_ns, orders, weight, credit, urgent)) {
        return false;
    }
    budget_charge(budget, now_ns, orders, weight, credit);
    return true;
}

void budget_charge(struct budget *budget, uint64_t now_ns, int32_t orders, int32_t weight, enum credit credit)
{
    credit_charge(&budget->bucket[credit], now_ns, 1);
    charge(&budget->window[BUDGET_ORDERS_10S], now_ns, orders);
    charge(&budget->window[BUDGET_ORDERS_60S], now_ns, orders);
    charge(&budget->window[BUDGET_WEIGHT_60S], now_ns, weight);
}

bool budget_allows_session(struct budget *budget, uint64_t now_ns)
{
    return !budget->counts_credits || (credit_has(&budget->bucket[CREDIT_QUERY], now_ns, 1, 0) &&
                                       credit_has(&budget->bucket[CREDIT_SUBSCRIBE], now_ns, 1, 0));
}

void budget_throttled(struct budget *budget, uint64_t now_ns)
{
    for (uint32_t i = 0; i < CREDIT_COUNT; i++) {
        credit_empty(&budget->bucket[i], now_ns);
    }
}

void budget_quiet(struct budget *budget, uint64_t until_ns)
{
    if (until_ns > budget->quiet_until_ns) {
        budget->quiet_until_ns = until_ns;
    }
}

void budget_ban(struct budget *budget, uint64_t until_ns)
{
    if (until_ns > budget->banned_until_ns) {
        budget->banned_until_ns = until_ns;
    }
}

int32_t budget_left(struct budget *budget, uint32_t window, uint64_t now_ns, bool urgent)
{
    struct budget_window *of = &budget->window[window];
    if (of->limit == 0) {
        return INT32_MAX;
    }
    advance(of, now_ns);
    int32_t left = of->limit - (urgent ? 0 : of->reserved) - of->sum;
    return left > 0 ? left : 0;
}
