/* fuzz_deribit: a table with one instrument of each kind, for the private targets of Deribit. */
#ifndef POISE_TESTS_FUZZ_VENUES_FUZZ_DERIBIT_H
#define POISE_TESTS_FUZZ_VENUES_FUZZ_DERIBIT_H

#include "tests/fuzz/venues/fuzz_venue.h"

#define FUZZ_DERIBIT_ROWS 5
const struct instrument_table *fuzz_deribit_table(void);

#endif
