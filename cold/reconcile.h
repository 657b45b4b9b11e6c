/* reconcile: while trading, what the venue says by REST: the third opinion.
 *
 * Rounds of small questions, one at a time, driven by reconcile_poll and never waiting: open orders, then
 * executions since the last ones seen, then single orders nobody heard of, then rows of the venues' payment
 * histories, then positions and balances.  What
 * comes out are records for the strategy (RECORD_FLAG_REST; positions and balances with RECORD_FLAG_SNAP),
 * which treats them as it treats any report: nothing here decides.
 *
 *   - An execution is told only when it is still missing `settle_ns` after it was first found, so that a
 * report on its way is not overtaken and given to nobody.
 *   - An execution of an order that is none of ours is told when it is known whose that was, where the venue
 * can be asked: the venue's own orders close positions of ours (liquidation, auto-deleverage), and the
 * strategy must close its legs by them.
 *   - An order is asked for by its id when its state is unknown, or when it is not among the open ones and
 * was not heard of for `settle_ns`; the answer is told, "not found" included: proof of nothing by itself.
 *   - Rows of a payment history are asked for when something waits for them (ledger_wants_rows) and else once
 *     in PAYMENTS_NS, from a while before all is told on; those that are booked are not told again.
 *   - The venues' metadata are asked for once in a minute, and sooner while an instrument is not traded or an
 *     order was refused for its rules: a changed tick, lot, bound or status is told as the instrument's whole
 *     row (RECORD_INSTRUMENT; metadata.h).  A lock above an instrument is the feed's to lift.
 *   - A failed question is skipped until the next round and counted: it resolves nothing.  An instrument that
 *     an answer does not name is not told as flat: it is not told at all.
 *   - A venue that wants to be left alone is passed over until it may be asked again (rest.h); the round
 * counts as failed and other venues are asked as ever.
 *
 * Cold thread. */
#ifndef POISE_COLD_RECONCILE_H
#define POISE_COLD_RECONCILE_H

#include "cold/reduce.h"
#include "cold/rest.h"

#define RECONCILE_PAIRS_MAX 96

struct reconcile_pair {
    uint16_t account, instrument;
};

struct reconcile_options {
    struct rest *rest;
    const struct instrument_table *instruments;
    const struct account_table *accounts;
    const struct sign_key *key; /* one per account */
    const struct venue *(*venue)(uint8_t id);
    const struct reduce *reduce; /* journal_reduce: what is held as of the last drained record */
    const struct reconcile_pair *pairs;
    uint32_t pair_count;
    uint64_t interval_ns; /* between the beginnings of two rounds */
    uint64_t settle_ns;   /* 0: 2 s */
    /* A record for the strategy; called from reconcile_poll, may wait.  The stamp is now_ns. */
    void (*emit)(void *context, const struct slot *record);
    /* A question that failed, for the log; may be NULL. */
    void (*failed)(void *context, const char *what, const char *why);
    /* An instrument's rules or status were told anew; wrong: why they cannot be followed, NULL they are.  May
     * be NULL. */
    void (*rules)(void *context, const struct instrument *was, const struct instrument *now,
                  const char *wrong);
    void *context;
};

struct reconcile_counts {
    uint64_t rounds, questions, failures, held, fills, orders, payments, positions, balances, rules;
    uint64_t last_round_ns; /* when the last whole round ended */
};

struct reconcile;

struct reconcile *reconcile_create(const struct reconcile_options *options);
void reconcile_destroy(struct reconcile *reconcile);

/* reconcile_poll does one small piece of work; call it every millisecond or so. */
void reconcile_poll(struct reconcile *reconcile, uint64_t now_ns, int64_t wall_ns);

/* reconcile_hurry begins a round at the next poll: an execution's price is open, a link was lost. */
void reconcile_hurry(struct reconcile *reconcile);

/* reconcile_rules asks for the venues' metadata soon: an order was refused for what they say, or because
 * nothing is traded. */
void reconcile_rules(struct reconcile *reconcile);

void reconcile_counts(const struct reconcile *reconcile, struct reconcile_counts *counts);

/* reconcile_read_ns is when the last round began that left nothing open about what is held on an account: of
 * every pair of it executions and positions were answered, and each execution stands in what is held; 0: none
 * yet.  UINT64_MAX for an account without pairs: there is nothing to read. */
uint64_t reconcile_read_ns(const struct reconcile *reconcile, uint16_t account);

#endif
