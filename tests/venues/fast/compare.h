/* compare: the fast parser of Binance's market data beside the tolerant one. */
#ifndef POISE_TESTS_VENUES_FAST_COMPARE_H
#define POISE_TESTS_VENUES_FAST_COMPARE_H

#include "venues/binance/fast.h"

enum compare_result {
    COMPARE_DECLINED = 0, /* not mine, and the sink was not called */
    COMPARE_SAME,         /* both say the same */
    COMPARE_DIFFERENT,    /* compare->why */
};

struct compare {
    struct feed_parser parser; /* the fast one's, which keeps its cache */
    struct feed_parser tolerant;
    const char *why;
    struct feed_event event; /* what was said; its levels are in parser.levels */
};

/* compare_make takes memory for the levels; instruments stays the caller's. */
void compare_make(struct compare *compare, const struct instrument_table *instruments, uint8_t product);
void compare_free(struct compare *compare);

/* compare_parse reads the text both ways at a level. */
enum compare_result compare_parse(struct compare *compare, enum index_level level, const char *bytes,
                                  size_t count);

#endif
