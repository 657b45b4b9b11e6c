/* Buckets of requests, and that what we send never empties the venue's. */
#include "ring/clock.h"
#include "ring/credit.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static struct credit_bucket made(int32_t burst, int32_t rate_e3)
{
    struct credit_bucket bucket;
    credit_begin(&bucket, (struct credit_limit){ burst, rate_e3 });
    return bucket;
}

Test(credit, a_bucket_begins_empty_and_fills)
{
    struct credit_bucket bucket = made(20, 5000);
    uint64_t now = 1000 * NS_PER_S;
    cr_assert_not(credit_has(&bucket, now, 1, 0), "whoever asked before us may have emptied it");
    cr_assert_not(credit_has(&bucket, now + 199 * NS_PER_MS, 1, 0));
    cr_assert(credit_has(&bucket, now + 200 * NS_PER_MS, 1, 0));
    cr_assert_not(credit_has(&bucket, now + 200 * NS_PER_MS, 2, 0));
    cr_assert(credit_has(&bucket, now + 3600 * NS_PER_S, 15, 0));
    cr_assert_not(credit_has(&bucket, now + 3600 * NS_PER_S, 16, 0),
                  "what a second brings stays unused: requests bunch up on the way");
}

Test(credit, the_reserve_is_for_others)
{
    struct credit_bucket bucket = made(20, 5000);
    credit_has(&bucket, NS_PER_S, 0, 0);
    cr_assert(credit_has(&bucket, 1000 * NS_PER_S, 11, 4));
    cr_assert_not(credit_has(&bucket, 1000 * NS_PER_S, 12, 4));
    cr_assert(credit_has(&bucket, 1000 * NS_PER_S, 15, 0));
}

Test(credit, what_had_to_go_out_is_a_debt)
{
    struct credit_bucket bucket = made(20, 5000);
    uint64_t now = NS_PER_S;
    credit_charge(&bucket, now, 3);
    cr_assert_not(credit_has(&bucket, now + 799 * NS_PER_MS, 1, 0));
    cr_assert(credit_has(&bucket, now + 800 * NS_PER_MS, 1, 0));
    credit_empty(&bucket, now + 100 * NS_PER_S);
    cr_assert_not(credit_has(&bucket, now + 100 * NS_PER_S, 1, 0));
    cr_assert(credit_has(&bucket, now + 100 * NS_PER_S + 200 * NS_PER_MS, 1, 0));
}

Test(credit, where_nothing_is_counted_everything_fits)
{
    struct credit_bucket bucket = made(0, 0);
    credit_charge(&bucket, 5, 1000000);
    cr_assert(credit_has(&bucket, 5, 1000000, 1000));
}

Test(credit, even_the_smallest_bucket_lets_one_through)
{
    struct credit_bucket bucket = made(1, 1000);
    credit_has(&bucket, NS_PER_S, 1, 0);
    cr_assert(credit_has(&bucket, 2 * NS_PER_S, 1, 0));
    credit_charge(&bucket, 2 * NS_PER_S, 1);
    cr_assert_not(credit_has(&bucket, 3 * NS_PER_S - 1, 1, 0));
    cr_assert(credit_has(&bucket, 3 * NS_PER_S, 1, 0));
}

Test(credit, time_that_stands_still_or_leaps_breaks_nothing)
{
    struct credit_bucket bucket = made(100, 30000);
    credit_has(&bucket, NS_PER_S, 1, 0);
    cr_assert(credit_has(&bucket, UINT64_MAX, 70, 0));
    credit_charge(&bucket, 5, 70);
    cr_assert_not(credit_has(&bucket, 4, 1, 0), "time never goes back");
    cr_assert_not(credit_has(&bucket, UINT64_MAX, 1, 0));
}

Test(credit, limits_are_only_ever_lowered)
{
    struct credit_limit limit = { 20, 5000 };
    credit_lower(&limit, (struct credit_limit){ 250, 200000 });
    cr_assert_eq(limit.burst, 20);
    cr_assert_eq(limit.rate_e3, 5000);
    credit_lower(&limit, (struct credit_limit){ 10, 2000 });
    cr_assert_eq(limit.burst, 10);
    cr_assert_eq(limit.rate_e3, 2000);
    credit_lower(&limit, (struct credit_limit){ 0, 0 });
    cr_assert_eq(limit.burst, 10, "not told");
}
