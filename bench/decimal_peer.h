/* decimal_peer: the C++ library's conversions, for decimal.c to be judged by. */
#ifndef POISE_BENCH_DECIMAL_PEER_H
#define POISE_BENCH_DECIMAL_PEER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
/* decimal_peer_parse reads a double with std::from_chars and scales it to 1e-8. */
int64_t decimal_peer_parse(const char *text, size_t bytes);
/* decimal_peer_print writes value / 1e8 with std::to_chars, 8 digits behind the point. */
size_t decimal_peer_print(char *out, size_t bytes, int64_t value);
#ifdef __cplusplus
}
#endif

#endif
