/* fuzz_binance: what the fuzz targets of Binance share: a table, a sink that counts, and a copy of the input
 * that ends where its memory ends (so that the address sanitizer sees a read beyond). */
#ifndef POISE_TESTS_FUZZ_VENUES_FUZZ_BINANCE_H
#define POISE_TESTS_FUZZ_VENUES_FUZZ_BINANCE_H

#include "ring/decimal.h"
#include "venues/venue.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first byte of an input chooses the product. */
uint8_t fuzz_product(uint8_t byte);

const struct instrument_table *fuzz_table(void);
char *fuzz_copy(const uint8_t *data, size_t size);

/* fuzz_sink counts what is yielded in fuzz_yielded and checks that records are well formed. */
extern uint32_t fuzz_yielded;
extern const struct venue_sink fuzz_sink;

/* fuzz_judge: consumed must be an answer, and what is not finished yields nothing. */
void fuzz_judge(int64_t consumed, size_t size);

#endif
