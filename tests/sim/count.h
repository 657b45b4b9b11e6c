/* count: what was counted, by name; of one run, or of many that added up in a file.
 *
 * A name that begins with "most_" keeps the largest value, every other one the sum.  Cells of state tables
 * ("cell.TABLE.STATE.EVENT"), pairs of faults ("pair.A+B") and beginnings of faults ("began.A") are printed
 * in their own way.  One thread. */
#ifndef POISE_TESTS_SIM_COUNT_H
#define POISE_TESTS_SIM_COUNT_H

#include <stdbool.h>
#include <stdint.h>

void count_add(const char *name, uint64_t value);

/* count_print: all: with each cell that was not reached; pairs: with each pair that met. */
void count_print(bool all, bool pairs);

/* count_load adds what a file says; count_save adds what was counted since the last time to a file, which
 * several runs may do at once. */
bool count_load(const char *path);
bool count_save(const char *path);

#endif
