/* record_print: a record as a line for people or as one JSON object, decimals by the instrument tables that
 * the journal itself brought.  Tools only. */
#ifndef POISE_TOOLS_POISE_RECORD_PRINT_H
#define POISE_TOOLS_POISE_RECORD_PRINT_H

#include "cold/reduce.h"

#include <stdio.h>

/* record_print writes one record and a line end.  `tables` knows the run's instruments (NULL: units are
 * printed as integers); number is its place in the run. */
void record_print(FILE *out, const struct slot *record, uint64_t number, const struct reduce *tables,
                  bool json);

/* record_order_of is the order id a record is about, 0 for none. */
uint64_t record_order_of(const struct slot *record);

#endif
