#include "cold/payments.h"
#include "cold/ledger.h"

static struct rest_question question_of(const struct venue *(*venue)(uint8_t id),
                                        const struct account_table *accounts, const struct sign_key *key,
                                        uint16_t account, const struct instrument *instrument)
{
    const struct account *row = &accounts->row[account];
    return (struct rest_question){
        .venue = venue(row->venue),
        .key = &key[account],
        .account = account,
        .query = { .what = REST_PAYMENTS,
                   .product = instrument != NULL ? instrument->product : row->product,
                   .instrument = instrument },
    };
}

static void add(struct payments_plan *plan, const struct rest_question *question)
{
    if (plan->count < PAYMENTS_QUESTIONS) {
        plan->question[plan->count++] = *question;
    }
}

static void plan_account(struct payments_plan *plan, struct rest *rest,
                         const struct venue *(*venue)(uint8_t id), const struct instrument_table *instruments,
                         const struct account_table *accounts, const struct sign_key *key,
                         const struct ledger *ledger, uint16_t account)
{
    const struct account *row = &accounts->row[account];
    struct rest_question whole = question_of(venue, accounts, key, account, NULL);
    struct rest_question part = { 0 };
    bool asked[CURRENCY_MAX] = { false }, any = false;
    if (whole.venue == NULL) {
        return;
    }
    if (rest_knows(rest, &whole)) {
        add(plan, &whole);
        return;
    }
    for (uint32_t i = 0; i < instruments->count; i++) {
        const struct instrument *instrument = &instruments->row[i];
        if (!account_trades(row, instrument->venue, instrument->product) ||
            instrument->settle >= CURRENCY_MAX || asked[instrument->settle]) {
            continue;
        }
        struct rest_question of = question_of(venue, accounts, key, account, instrument);
        if (rest_knows(rest, &of)) {
            asked[instrument->settle] = any = true;
            add(plan, &of);
            part = of;
        }
    }
    /* What nothing here settles in moves as well: an owner's money, a fee. */
    uint16_t currency;
    for (uint32_t i = 0; any && (currency = ledger_differs_in(ledger, account, i)) != CURRENCY_NONE; i++) {
        if (!asked[currency]) {
            part.query.currency = currency_code(instruments, currency);
            add(plan, &part);
        }
    }
}

void payments_plan(struct payments_plan *plan, struct rest *rest, const struct venue *(*venue)(uint8_t id),
                   const struct instrument_table *instruments, const struct account_table *accounts,
                   const struct sign_key *key, const struct ledger *ledger)
{
    plan->count = 0;
    for (uint16_t account = 0; account < accounts->count; account++) {
        plan_account(plan, rest, venue, instruments, accounts, key, ledger, account);
    }
}

bool payments_kept(struct rest *rest, const struct venue *(*venue)(uint8_t id),
                   const struct instrument_table *instruments, const struct account_table *accounts,
                   const struct sign_key *key, uint16_t account)
{
    struct payments_plan plan = { .count = 0 };
    plan_account(&plan, rest, venue, instruments, accounts, key, NULL, account);
    return plan.count != 0;
}

int64_t payments_since_ns(const struct reduce *reduce, uint16_t account)
{
    const struct record_begin_run *begin = reduce_begin(reduce);
    int64_t until_ns = ledger_history_ns(reduce_ledger(reduce), account);
    if (until_ns == 0 && begin != NULL) {
        until_ns = begin->wall_ns;
    }
    return base_max(0, until_ns - PAYMENTS_OVERLAP_NS);
}

bool payments_is_news(const struct reduce *reduce, const struct slot *record)
{
    const struct record_head *head = record_head_of(record);
    if (head->type == RECORD_DELIVERY) {
        return reduce_position_any(reduce, head->account, head->instrument);
    }
    const struct record_balance *row = (const struct record_balance *)head;
    return head->type == RECORD_BALANCE && row->told == CASH_TOLD_ROW &&
           !ledger_paid(reduce_ledger(reduce), row);
}

void payments_history(struct slot *record, uint16_t account, int64_t asked_ns)
{
    memset(record, 0, sizeof *record);
    struct record_balance *to = (struct record_balance *)record_begin(record, RECORD_BALANCE, 1, 0);
    to->head.account = account;
    to->total_e8 = INT64_MIN;
    to->available_e8 = INT64_MIN;
    to->venue_time_ns = asked_ns;
    to->currency = CURRENCY_NONE;
    to->reason = CASH_HISTORY;
}
