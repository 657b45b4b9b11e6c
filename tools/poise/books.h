/* books: everything the cold thread keeps from the journal's stream, in one place.
 *
 * Each drained record goes to the figures people look at, to the ledger, and to the store; the metrics
 * endpoint and the log are fed beside them.  Nothing here is needed to trade: a store that cannot write or a
 * port that is taken degrades, is told, and is tried again. */
#ifndef POISE_TOOLS_POISE_BOOKS_H
#define POISE_TOOLS_POISE_BOOKS_H

#include "cold/journal.h"
#include "cold/ledger.h"
#include "cold/log.h"
#include "cold/metrics.h"
#include "cold/store.h"
#include "tools/poise/figures.h"

#define BOOKS_DIFFERENCES 64 /* followed one by one; of more, the count is told */

struct books {
    const struct config *config;
    const struct instrument_table *instruments;
    const struct account_table *accounts;
    struct counters *counters;
    uint64_t run;
    struct figures *figures;
    struct ledger *ledger;
    struct store_backend backend;
    struct store *store;
    struct metrics *metrics;
    struct log_file log;
    uint64_t booking_number; /* of the record whose bookings are being handed over */
    uint16_t booking_part;
    uint64_t checked_ns;
    uint64_t told_since_ns[BOOKS_DIFFERENCES]; /* differences that were told: when each began */
    uint32_t told_count;
    bool fault_told;
    bool differ; /* unexplained differences beyond max_difference stand: no new risk */
    counter *store_rows, *store_degraded, *journal_lag, *journal_bytes, *ledger_differences, *ledger_balanced,
        *ledger_unexplained;
};

/* books_open makes all of it; false with a sentence in error when memory is short. */
bool books_open(struct books *books, char *error, size_t error_bytes);

/* books_catch_up gives the store what the runs before left in the journal and not in it; before the first
 * record of this run. */
void books_catch_up(struct books *books, const char *journal_directory);

/* books_record takes one drained record of this run. */
void books_record(struct books *books, const struct slot *record, uint64_t number);

/* books_step does one bounded turn: a store batch, metrics requests, the checks once a second. */
void books_step(struct books *books, const struct journal *journal, uint64_t now_ns);

/* books_whole: every execution's price and fee was told by the venue, and no balance waits for a payment's
 * row. */
bool books_whole(const struct books *books);

/* books_write_final writes what the engine ended with, as JSON, for whoever compares; orders_owed: orders
 * that ended with a quantity whose executions nobody told, so that the books do not have them; unread:
 * accounts that could not be read when all was over. */
bool books_write_final(struct books *books, const char *path, bool clean, uint32_t orders_owed,
                       const bool unread[ACCOUNT_MAX]);

void books_close(struct books *books);

#endif
