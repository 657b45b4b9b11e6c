/* Public streams: nothing outside is read, nothing unsound yields, and the fast paths say what the tolerant
 * one says. */
#include "tests/fuzz/venues/fuzz_binance.h"
#include "venues/binance/feed.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct level levels[FEED_LEVELS_MAX];
    if (size == 0) {
        return 0;
    }
    char *copy = fuzz_copy(data + 1, size - 1);
    struct fuzz_heard heard[2] = { { 0, 7 }, { 0, 7 } };
    int64_t consumed[2];
    for (int way = 0; way < 2; way++) {
        struct feed_parser parser = { .instruments = fuzz_table(),
                                      .venue = VENUE_BINANCE,
                                      .product = fuzz_product(data[0]),
                                      .levels = levels,
                                      .level_capacity = FEED_LEVELS_MAX,
                                      .reply_instrument = (data[0] & 4) != 0 ? 0 : NO_INSTRUMENT };
        fuzz_yielded = 0;
        consumed[way] = way == 0 ? venue_binance.feed->parse(&parser, copy, size - 1, fuzz_hear, &heard[0])
                                 : binance_feed_parse_tolerant(&parser, copy, size - 1, fuzz_hear, &heard[1]);
        fuzz_judge(consumed[way], size - 1);
    }
    if (consumed[0] != consumed[1] || heard[0].count != heard[1].count || heard[0].hash != heard[1].hash) {
        abort();
    }
    free(copy);
    return 0;
}
