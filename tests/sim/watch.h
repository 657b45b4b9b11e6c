/* watch: what must be true after every step, whatever happened.
 *
 * It sees every record the strategy consumes and says, by standing around strategy_begin and strategy_finish,
 * and it sees the venue model's own truth, which the engine never does.  The first thing that is not true
 * ends the program with the seed and a sentence (watch_violation).  watch.c lists what is asked. */
#ifndef POISE_TESTS_SIM_WATCH_H
#define POISE_TESTS_SIM_WATCH_H

#include "tools/poise/run.h"

struct watch_counts {
    uint64_t records, clocks, said, fills, duplicates, orders, amends, cancels, queries, hedges, unknowns,
        rejects;
    uint64_t rungs[8], halts, events, lost, rules;
    uint64_t checks, books_checks, journals, replayed;
    uint64_t max_naked_ns;
    uint64_t truths;  /* ends at which what the trade carries was worked out from the venue's fills */
    uint64_t untold;  /* ends at which funding or a deposit had not been told */
    uint64_t deltas;  /* ends at which the strategy's delta was worked out from the venue's fills */
    uint64_t unread;  /* ends at which an account could not be read any more */
    uint64_t by_rest; /* executions that REST told first or again */
    uint64_t gaps;    /* feeds that noticed that they lost something */
    uint64_t owed;    /* ends at which the venue had not told the price or the fee of an execution */
};

/* A bend is a small lie told to one check: what it looks at is made wrong, and it must notice.  The
 * simulation's test of itself (poise-sim-dst selftest) plays an episode with each. */
enum watch_bend {
    BEND_NONE = 0,
    BEND_ID,
    BEND_EXECUTED,
    BEND_ENDED,
    BEND_SHORT,
    BEND_NEWS,
    BEND_INVENTORY,
    BEND_DEADLINE,
    BEND_NAKED,
    BEND_CONSERVATION,
    BEND_HALT,
    BEND_PARTS,
    BEND_REPLAY,
    BEND_JOURNAL,
    BEND_REST,
    BEND_STRATEGY,
    BEND_BOOKS,
    BEND_CASH,
    BEND_OWED,
    BEND_HEDGED,
    BEND_COUNT
};
/* What is bent, and words of the sentence that must follow. */
extern const struct watch_bent {
    const char *what, *words;
} watch_bents[BEND_COUNT];
void watch_bend(enum watch_bend bend);

void watch_start(uint64_t seed);
void watch_violation(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What happens to a process. */
void watch_born(struct run *run);
void watch_cold(struct run *run);
void watch_died(struct run *run);
void watch_left(struct run *run, int code);

/* watch_hash is of every record consumed and said so far: the same seed gives the same. */
uint64_t watch_hash(void);
const struct watch_counts *watch_counts(void);

/* watch_excuse: until then, the venue or the network does not let a hedge through; a longer naked time and an
 * open ladder are to be expected. */
void watch_excuse(uint64_t until_ns);

/* watch_forced: the venue closed a position of ours by itself now; the news of it may be on its way when the
 * engine leaves. */
void watch_forced(void);

/* watch_ends_hedged: from now on a life that leaves in peace must leave the trade hedged; forced: the venue
 * moved our positions by itself in this episode, and nothing is asked. */
void watch_ends_hedged(bool forced);

/* watch_cash_told: whether the venue told the truth of our cash since this life began; else the ledger's
 * opening is what the journal last knew, and only positions are compared at the end. */
void watch_cash_told(bool told);

#endif
