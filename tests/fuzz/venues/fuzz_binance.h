/* fuzz_binance: what the fuzz targets of Binance share. */
#ifndef POISE_TESTS_FUZZ_VENUES_FUZZ_BINANCE_H
#define POISE_TESTS_FUZZ_VENUES_FUZZ_BINANCE_H

#include "tests/fuzz/venues/fuzz_venue.h"

/* The first byte of an input chooses the product. */
uint8_t fuzz_product(uint8_t byte);

const struct instrument_table *fuzz_table(void);

#endif
