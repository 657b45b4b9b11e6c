/* payments: the questions about venues' payment histories (REST_PAYMENTS), and which rows of an answer are
 * news.
 *
 * A history tells what moved cash beside executions (funding, transfers, settlements), and which contracts
 * ended.  It is read from PAYMENTS_OVERLAP_NS before the time until which all is told (CASH_HISTORY) on,
 * because a row may be written late; a row counts once by its id.  "No row" is no word: nothing is told of
 * it.
 *
 * Recovery and reconciliation ask alike.  Cold thread. */
#ifndef POISE_COLD_PAYMENTS_H
#define POISE_COLD_PAYMENTS_H

#include "cold/reduce.h"
#include "cold/rest.h"

#define PAYMENTS_OVERLAP_NS 300000000000LL
#define PAYMENTS_QUESTIONS  128

struct payments_plan {
    uint32_t count;
    struct rest_question question[PAYMENTS_QUESTIONS]; /* those of one account beside each other */
};

/* payments_plan lists what there is to ask: once an account where its venue answers for the whole of it, else
 * once a currency that its instruments settle in, or of which the venue shows another balance than the books
 * do; nothing for accounts whose venue keeps no such history. */
void payments_plan(struct payments_plan *plan, struct rest *rest, const struct venue *(*venue)(uint8_t id),
                   const struct instrument_table *instruments, const struct account_table *accounts,
                   const struct sign_key *key, const struct ledger *ledger);

/* payments_kept: the venue of this account keeps a history that can be asked for. */
bool payments_kept(struct rest *rest, const struct venue *(*venue)(uint8_t id),
                   const struct instrument_table *instruments, const struct account_table *accounts,
                   const struct sign_key *key, uint16_t account);

/* payments_since_ns is from when on an account's history is to be read, the venue's time. */
int64_t payments_since_ns(const struct reduce *reduce, uint16_t account);

/* payments_is_news: this record of an answer says what is not booked yet: a row, or the end of a contract
 * that is held. */
bool payments_is_news(const struct reduce *reduce, const struct slot *record);

/* payments_history writes the record that says until when all of an account is told; asked_ns is the venue's
 * time when it was asked. */
void payments_history(struct slot *record, uint16_t account, int64_t asked_ns);

#endif
