/* ledger: what everything is worth, and where the difference came from.
 *
 * The cold thread's own books, fed with the same records the strategy consumed, and independent of the
 * strategy's sums.  Two sides:
 *
 * Bookings.  Every movement of cash is two entries in its own currency that sum to 0: one to the cash of
 * (instance, account, instrument, currency), one to what it was for (a profit part, an exchange, a transfer,
 * an opening).  They are exact, in 1e-8, and handed to whoever asks (ledger_sink).
 *
 * Value.  A leg is one (instance, account, instrument), and NO_INSTRUMENT for what belongs to the account
 * alone (openings, transfers).  Equity of a leg = its cash + what its position is worth beside cash
 * (kind_open_e12), each currency converted once into the report currency at a named rate: 1 for itself, a
 * [[convert]] row's fixed rate or its instrument's mid, and for a coin the price of the instrument that is
 * its name (ledger_names).  The change of equity since the first fill is the sum of the parts, exactly, for
 * each leg and so for each instance, account and all together: TRADING   fills against the price of their
 * instrument at that moment; hedges against their decision price SLIPPAGE  hedges: what the fill was worse
 * than the decision price FEE, FUNDING  as charged and paid (interest is a fee; a dividend is funding)
 *   RESIDUAL  the leg's delta in coin x the move of the coin's price on the instance's hedge leg
 *   BASIS     the rest of what prices and rates moved
 *   ROUNDING  what bookings lost to whole 1e-8, and what is lost when parts are printed in 1e-8
 * What happens while a price or rate is missing is kept apart and attributed at the first moment at which all
 * are known, fills against that moment's price.
 *
 * Restart.  ledger_restore says all of it in RESTORE_LEDGER records, which stand in every segment's head and
 * which recovery says again: parts go on from the first fill, whatever ended the run.
 *
 * Payments.  Funding, transfers and whatever else moves cash beside executions is booked from the rows of the
 * venue's payment history, each once by its id (CASH_TOLD_ROW), however late and by whichever run it is read;
 * a stream's word of the same (CASH_TOLD_AGAIN) only says that there is a row to read.  Rows older than the
 * first CASH_HISTORY of an account are in the balance that was found.  Where a venue keeps no such history,
 * a stream's word is booked, and what moved a balance while no engine ran is booked as come or gone from
 * outside when the venue tells it first.
 *
 * Funding.  What a leg has run up to now follows the venue's formula (ledger_leg): payments at a moment by
 * position x mark x rate, on Deribit continuously, rate x position x elapsed / 8 h.  It is never in the
 * equity: booked is what the venue's rows say.  A payment that fell due and was not told is unknown, and
 * stands as due until it is.  Where the venue's own total has more than executions and payments made
 * (Deribit: the session's funding until 08:00, and the open profit that earlier settlements paid out), it
 * says how much (CASH_ACCRUED, CASH_SETTLED), and the rest is what our cash is compared with.
 *
 * The venue's word is a third opinion, the strategy's figures are the second: ledger_differences lists where
 * they differ from the books and what explains it, if anything does.
 *
 * Prices: the mid of the last RECORD_TOP of an instrument, else its mark, else its last fill.
 * Unknown is a state: nothing is valued with a guess, and ledger_value says what is missing.
 *
 * Cold thread or tools; integers only. */
#ifndef POISE_COLD_LEDGER_H
#define POISE_COLD_LEDGER_H

#include "config/params.h"
#include "ring/kind.h"
#include "ring/record.h"

enum ledger_book {
    LEDGER_CASH = 0, /* money on the account */
    LEDGER_PART,     /* a profit part: its entries are minus what the instance gained */
    LEDGER_EXCHANGE, /* one currency against another, or against what is paid for in full */
    LEDGER_TRANSFER, /* came or went outside trading */
    LEDGER_OPENING,  /* was there at the start */
    LEDGER_BOOK_COUNT
};

struct ledger_entry {
    uint16_t instance; /* NO_INSTANCE: the unassigned row */
    uint16_t account;
    uint16_t instrument; /* or NO_INSTRUMENT */
    uint16_t currency;
    uint8_t book; /* enum ledger_book */
    uint8_t part; /* enum pnl_part, with LEDGER_PART */
    int64_t amount_e8;
    uint64_t stamp_ns; /* of the newest record */
};

struct ledger_value {
    bool known;          /* else: equity and parts are not there yet, and the next two say what is missing */
    uint16_t instrument; /* without a price, or NO_INSTRUMENT */
    uint16_t currency;   /* without a rate, or CURRENCY_NONE.  While known: one of the unassigned row that has
                            no source of a rate and is left out */
    int64_t
        start_e8; /* equity before the first fill, report currency, and what was found to have been there */
    int64_t equity_e8;               /* now */
    int64_t transfer_e8;             /* of the change, what came from outside */
    int64_t part_e8[PNL_PART_COUNT]; /* sum = equity - start - transfer */
    int64_t delta_e8; /* coin, with the coin's own cash; of all together it means something when they share
                         one coin, and leaves the unassigned row out */
};

/* One leg, with what its funding has run up to. */
struct ledger_leg {
    uint16_t instance, account, instrument;
    struct position position;
    bool accrual_known; /* a rate and a price are known; else the next one says nothing */
    int64_t accrued_e8; /* settlement currency, received positive: to now, not booked */
    int64_t due_e8;     /* payments whose moment passed and that no row told yet, as we reckon them */
    int64_t due_ns;     /* wall time of the oldest of them; 0 none */
};

/* What is booked in one currency of one leg; parts in that currency, gains positive. */
struct ledger_cash {
    uint16_t instance, account, instrument, currency;
    int64_t amount_e8, opening_e8, transfer_e8, exchange_e8;
    int64_t part_e8[PNL_PART_COUNT];
};

enum ledger_what {
    LEDGER_BALANCE_DIFFERS = 1,  /* the venue's balance */
    LEDGER_POSITION_DIFFERS,     /* the venue's position */
    LEDGER_HOT_POSITION_DIFFERS, /* the strategy's position of an instance's leg */
    LEDGER_HOT_DELTA_DIFFERS,    /* the strategy's delta of an instance, 1e-8 coin */
    LEDGER_HOT_PROFIT_DIFFERS /* the strategy's profit of an instance since its first fill, report currency */
};

/* What is known to be open that makes a difference: an alarm is for LEDGER_UNEXPLAINED. */
enum ledger_why {
    LEDGER_UNEXPLAINED = 0,
    LEDGER_FEE_OPEN,     /* executions whose fee was not told yet are counted at the rate we know */
    LEDGER_PRICE_OPEN,   /* executions whose price was not told yet are counted at a stand-in */
    LEDGER_FUNDING_DUE,  /* a funding payment's moment passed and no row told it */
    LEDGER_FILL_MISSING, /* the venue told more executed of our orders than the executions seen */
    LEDGER_ROW_UNREAD,   /* a stream told of a payment whose row was not read yet */
    LEDGER_SETTLING      /* the venue settled a moment ago, and what it paid out was not read yet */
};

struct ledger_difference {
    enum ledger_what what;
    enum ledger_why why;
    uint16_t instance; /* of the strategy's figures; else NO_INSTANCE */
    uint16_t account;
    uint16_t instrument; /* position */
    uint16_t currency;   /* balance, delta */
    int64_t ours, venue; /* qty units, or 1e-8 of the currency */
    int64_t worth_e8;    /* of the difference, report currency; -1 nobody knows.  Positions: -1 */
    uint64_t since_ns;   /* stamp of the record that first said so */
};

struct ledger_counts {
    uint64_t fills, duplicates, foreign, without_fee, without_price, bookings;
    uint64_t open_price;       /* counted at a stand-in, and not corrected yet */
    uint64_t full;             /* a table had no room: the books are not complete, alarm */
    uint64_t realised_differs; /* fills whose realised profit the venue says otherwise by more than 2e-8: the
                                * difference is nobody's */
    uint64_t hot_checks;       /* figures of the strategy compared */
};

struct ledger;

/* ledger_make answers empty books, or NULL. */
struct ledger *ledger_make(void);
void ledger_free(struct ledger *ledger);

/* ledger_reset empties the books; the sink stays.  RECORD_BEGIN does the same. */
void ledger_reset(struct ledger *ledger);

/* ledger_sink is called for each entry a record gives; what a restart brings over is no new entry. */
void ledger_sink(struct ledger *ledger, void (*sink)(void *context, const struct ledger_entry *entry),
                 void *context);

/* ledger_record takes one record of the journal, in its order; what it has no use for it ignores. */
void ledger_record(struct ledger *ledger, const struct slot *record);

/* ledger_paid: this row of the venue's payment history (CASH_TOLD_ROW) is in the books, or in the balance
 * that was found. */
bool ledger_paid(const struct ledger *ledger, const struct record_balance *row);

/* ledger_booked_payment: the last record was a change of cash that was booked. */
bool ledger_booked_payment(const struct ledger *ledger);

/* ledger_history_ns is the venue's time until which every payment of an account was told; 0: never asked. */
int64_t ledger_history_ns(const struct ledger *ledger, uint16_t account);

/* ledger_wants_rows: something of this account waits for rows of the payment history: a balance that differs,
 * a payment that fell due, a contract that ended. */
bool ledger_wants_rows(const struct ledger *ledger, uint16_t account);

/* ledger_differs_in: the which-th currency of which the venue told another balance of this account than ours;
 * CURRENCY_NONE behind the last, and without books. */
uint16_t ledger_differs_in(const struct ledger *ledger, uint16_t account, uint32_t which);

/* ledger_beside_e8 is what of the venue's total of a currency is beside the cash that is booked, as told
 * last. */
int64_t ledger_beside_e8(const struct ledger *ledger, uint16_t account, uint16_t currency);

/* ledger_restore emits the books as RESTORE_LEDGER records (struct restore_ledger).  Positions and executions
 * travel in RESTORE_POSITION and RESTORE_EXEC, behind these. */
void ledger_restore(const struct ledger *ledger, void (*emit)(void *context, const struct slot *record),
                    void *context);

/* ledger_value fills in the value of one instance, or of all and the unassigned row for NO_INSTANCE;
 * ledger_account_value that of everything on one account; ledger_leg_value that of the i-th leg. */
void ledger_value(struct ledger *ledger, uint16_t instance, struct ledger_value *value);
void ledger_account_value(struct ledger *ledger, uint16_t account, struct ledger_value *value);
void ledger_leg_value(struct ledger *ledger, uint32_t leg, struct ledger_value *value);

/* ledger_leg answers the i-th leg, false behind the last; ledger_cash the i-th row of cash. */
bool ledger_leg(const struct ledger *ledger, uint32_t i, struct ledger_leg *leg);
bool ledger_cash(const struct ledger *ledger, uint32_t i, struct ledger_cash *cash);

/* ledger_cash_e8 and ledger_position answer what is booked; NO_INSTANCE: the unassigned row alone. */
int64_t ledger_cash_e8(const struct ledger *ledger, uint16_t instance, uint16_t account, uint16_t currency);
struct position ledger_position(const struct ledger *ledger, uint16_t instance, uint16_t account,
                                uint16_t instrument);

/* ledger_part_e8 is what was booked to a part, in its own currency (gains positive). */
int64_t ledger_part_e8(const struct ledger *ledger, uint16_t instance, uint16_t account, uint16_t currency,
                       enum pnl_part part);

/* ledger_report_currency is what everything is valued in; CURRENCY_NONE before it is told. */
uint16_t ledger_report_currency(const struct ledger *ledger);

/* ledger_since answers what an instance's profit since its first fill is counted from: equity before it and
 * what came from outside, and the parts, in the report currency; false while it could never be valued. */
bool ledger_since(const struct ledger *ledger, uint16_t instance, int64_t *first_e8,
                  int64_t part_e8[PNL_PART_COUNT]);

/* ledger_beside answers the i-th row of what venues' totals hold beside our cash; false behind the last. */
struct ledger_beside {
    uint16_t account, instrument, currency;
    int64_t accrued_e8, settled_e8;
};
bool ledger_beside(const struct ledger *ledger, uint32_t i, struct ledger_beside *beside);

/* ledger_names makes an instrument's price the rate of its base coin.  By default it is the first inverse
 * leg that an instance names, else the first hedge leg. */
void ledger_names(struct ledger *ledger, uint16_t currency, uint16_t instrument);

/* ledger_owed adds how much the venue told executed of our orders beyond the executions seen (cold/reduce:
 * OWED), which may explain a difference of positions; ledger_owed_none forgets all of it. */
void ledger_owed(struct ledger *ledger, uint16_t account, uint16_t instrument, int64_t qty);
void ledger_owed_none(struct ledger *ledger);

/* ledger_differences fills out and answers how many there are (at most max are written). */
uint32_t ledger_differences(const struct ledger *ledger, struct ledger_difference *out, uint32_t max);

/* ledger_fault names the first promise that does not hold, or NULL: entries of every row of cash sum to it,
 * everything that was ever posted sums to 0 in each currency, parts sum to the change of equity in each leg,
 * the instances' positions are what the executions made them.  Cheap enough to call after every step of a
 * simulation.  ledger_check: there is none. */
const char *ledger_fault(const struct ledger *ledger);
bool ledger_check(const struct ledger *ledger);

void ledger_counts(const struct ledger *ledger, struct ledger_counts *counts);

extern const char *const ledger_what_names[LEDGER_HOT_PROFIT_DIFFERS + 1];
extern const char *const ledger_why_names[LEDGER_SETTLING + 1];

#endif
