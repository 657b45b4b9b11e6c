/* cases: one table a file, gathered in cases.c. */
#ifndef POISE_BENCH_CASES_H
#define POISE_BENCH_CASES_H

#include "bench/harness.h"

extern const struct bench_table bench_ring;
extern const struct bench_table bench_decimal;
extern const struct bench_table bench_ground;
extern const struct bench_table bench_sign;
extern const struct bench_table bench_parse;
extern const struct bench_table bench_book;
extern const struct bench_table bench_frame;
extern const struct bench_table bench_tls;
extern const struct bench_table bench_strategy;
extern const struct bench_table bench_fused;
extern const struct bench_table bench_echo;
extern const struct bench_table bench_trip;
extern const struct bench_table bench_peer_ordinary;
extern const struct bench_table bench_peer_ccxt;

/* what libraries a file's cases stand on */
const char *bench_tls_name(void);

#endif
