#include "bench/cases.h"
#include "bench/parse_peer.h"

#include <stddef.h>

/* In the order of the page: from the smallest to the whole journey.  ccxt takes seconds to come up, and an
 * engine that is up already would miss its turns meanwhile: so it comes first of the journeys. */
static const struct bench_table *const tables[] = {
    &bench_ring, &bench_decimal,   &bench_ground, &bench_sign,          &bench_parse,
    &bench_book, &bench_frame,     &bench_tls,    &bench_strategy,      &bench_fused,
    &bench_echo, &bench_peer_ccxt, &bench_trip,   &bench_peer_ordinary,
};

const struct bench_table *bench_table_at(size_t i)
{
    return i < POISE_COUNT_OF(tables) ? tables[i] : NULL;
}

const char *(*const bench_circumstances[])(void) = {
    bench_tls_name,
#if POISE_HAVE_SIMDJSON
    parse_peer_name,
#endif
    NULL,
};
