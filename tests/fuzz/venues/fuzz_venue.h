/* fuzz_venue: what the fuzz targets of every venue share: sinks that count, and a copy of the input that ends
 * where its memory ends (so that the address sanitizer sees a read beyond). */
#ifndef POISE_TESTS_FUZZ_VENUES_FUZZ_VENUE_H
#define POISE_TESTS_FUZZ_VENUES_FUZZ_VENUE_H

#include "ring/decimal.h"
#include "venues/venue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

char *fuzz_copy(const uint8_t *data, size_t size);

/* fuzz_sink counts what is yielded in fuzz_yielded and checks that records are well formed. */
extern uint32_t fuzz_yielded;
extern const struct venue_sink fuzz_sink;

/* fuzz_hear is a feed_sink that counts likewise and mixes what market data says into a struct fuzz_heard. */
struct fuzz_heard {
    uint32_t count;
    uint64_t hash;
};
void fuzz_hear(void *context, const struct feed_event *event);

/* fuzz_judge: consumed must be an answer, and what is not finished yields nothing. */
void fuzz_judge(int64_t consumed, size_t size);

#endif
