#include "bench/cases.h"

#include <stddef.h>

/* In the order of the page: from the smallest to the whole journey. */
static const struct bench_table *const tables[] = {
    &bench_ring,
    &bench_decimal,
    &bench_ground,
    &bench_echo,
};

const struct bench_table *bench_table_at(size_t i)
{
    return i < POISE_COUNT_OF(tables) ? tables[i] : NULL;
}

const char *(*const bench_circumstances[])(void) = {
    NULL,
};
