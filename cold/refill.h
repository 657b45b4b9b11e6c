/* refill: the store, brought up to what the journal of a run holds.
 *
 * A killed engine leaves records in its ring that its store never saw; recovery saves them to the journal,
 * and this gives them to the store, with the ledger's entries they make.  Rows are named by (run, number,
 * part), so what is there already stays as it is.  Cold thread, before the new run's first record. */
#ifndef POISE_COLD_REFILL_H
#define POISE_COLD_REFILL_H

#include "cold/store.h"

/* refill_store reads a run's newest three segments, or with `whole` all of its segments, and queues and
 * writes its rows. Answers how many records were given to the store; it gives up quietly when the store
 * refuses (what is missing is missing as it was) or the run is not there. */
uint64_t refill_store(struct store *store, const char *directory, uint64_t run, bool whole);

#endif
