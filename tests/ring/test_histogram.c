#include "ring/histogram.h"

#include <criterion/criterion.h>

Test(histogram, every_bucket_begins_where_the_one_before_ends)
{
    cr_assert_eq(histogram_bucket(0), 0u);
    cr_assert_eq(histogram_bucket(7), 7u);
    cr_assert_eq(histogram_bucket(8), 8u);
    cr_assert_lt(histogram_bucket(UINT64_MAX), (uint32_t)HISTOGRAM_BUCKETS);
    uint32_t last = 0;
    for (uint64_t value = 1; value < 1000000; value++) {
        uint32_t bucket = histogram_bucket(value);
        cr_assert(bucket == last || bucket == last + 1);
        last = bucket;
    }
}

Test(histogram, quantiles_are_upper_edges)
{
    static struct histogram h;
    cr_assert_eq(histogram_quantile(&h, 500000), 0u);
    for (uint64_t value = 1; value <= 1000; value++) {
        histogram_record(&h, value);
    }
    cr_assert_eq(atomic_load(&h.count), 1000u);
    /* no bucket is wider than an eighth of its value */
    static const uint32_t ppm[] = { 1, 100000, 500000, 900000, 990000, 999000, 1000000 };
    for (size_t i = 0; i < POISE_COUNT_OF(ppm); i++) {
        uint64_t truth = (1000ULL * ppm[i] + 999999) / 1000000;
        uint64_t said = histogram_quantile(&h, ppm[i]);
        cr_expect_geq(said, truth, "%u ppm", ppm[i]);
        cr_expect_leq(said, truth + truth / 8, "%u ppm: %llu", ppm[i], (unsigned long long)said);
        /* an upper edge: the next value falls into another bucket */
        cr_expect_eq(histogram_bucket(said) + 1, histogram_bucket(said + 1));
    }
}

Test(histogram, the_largest_value_has_an_edge)
{
    static struct histogram h;
    histogram_record(&h, UINT64_MAX);
    cr_assert_eq(histogram_quantile(&h, 500000), UINT64_MAX);
}
