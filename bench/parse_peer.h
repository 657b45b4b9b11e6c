/* parse_peer: the same messages read with simdjson's on-demand front end. */
#ifndef POISE_BENCH_PARSE_PEER_H
#define POISE_BENCH_PARSE_PEER_H

#include <stddef.h>
#include <stdint.h>

struct parse_peer_answer {
    uint64_t last;
    int64_t time_ms;
    uint32_t bid_count, ask_count;
    int64_t (*bid)[2]; /* price, quantity: memory brought by the caller */
    int64_t (*ask)[2];
};

#ifdef __cplusplus
extern "C" {
#endif
/* parse_peer_depth, parse_peer_ticker and parse_peer_book read one message; text is followed by 128 readable
 * bytes.  0 when it is not what they expect. */
int parse_peer_depth(const char *text, size_t bytes, struct parse_peer_answer *answer);
int parse_peer_ticker(const char *text, size_t bytes, struct parse_peer_answer *answer);
int parse_peer_book(const char *text, size_t bytes, struct parse_peer_answer *answer);
/* parse_peer_name is the library's version and the instructions it chose here. */
const char *parse_peer_name(void);
#ifdef __cplusplus
}
#endif

#endif
