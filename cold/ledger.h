/* ledger: what everything is worth, and where the difference came from.
 *
 * The cold thread's own books, fed with the same records the strategy consumed, and independent of the
 * strategy's sums.  Two sides:
 *
 * Bookings.  Every movement of cash is two entries in its own currency that sum to 0: one to the cash of
 * (instance, account, currency), one to what it was for (a profit part, an exchange, a transfer, an opening).
 * They are exact, in 1e-8, and handed to whoever asks (ledger_sink).
 *
 * Value.  Equity of an instance = its cash + open profit at mark, each currency converted once into the
 * report currency at a named rate: 1 for itself, a [[convert]] row's fixed rate or its instrument's mid, and
 * for a coin the price of the instrument that is its name (ledger_names).  Since the first moment at which
 * all of these are known, the change of equity is the sum of the parts, exactly:
 *   TRADING   fills against the price of their instrument at that moment; hedges against their decision price
 *   SLIPPAGE  hedges: what the fill was worse than the decision price
 *   FEE, FUNDING  as charged and paid
 *   RESIDUAL  the instance's delta in coin x the move of the coin's price on the hedge leg
 *   BASIS     the rest of what prices and rates moved
 *   ROUNDING  what bookings lost to whole 1e-8, and what is lost when parts are printed in 1e-8
 *
 * The venue's word is a third opinion: ledger_differences lists where its balances and positions differ.
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
    LEDGER_EXCHANGE, /* spot: one currency against the other */
    LEDGER_TRANSFER, /* came or went outside trading */
    LEDGER_OPENING,  /* was there at the start */
    LEDGER_BOOK_COUNT
};

struct ledger_entry {
    uint16_t instance; /* NO_INSTANCE: the unassigned row */
    uint16_t account;
    uint16_t currency;
    uint8_t book; /* enum ledger_book */
    uint8_t part; /* enum pnl_part, with LEDGER_PART */
    int64_t amount_e8;
};

struct ledger_value {
    bool known;          /* else: equity and parts are not there yet, and the next two say what is missing */
    uint16_t instrument; /* without a price, or NO_INSTRUMENT */
    uint16_t currency;   /* without a rate, or CURRENCY_NONE.  While known: one of the unassigned row that has
                            no source of a rate and is left out */
    int64_t start_e8;    /* equity when everything was known first, report currency */
    int64_t equity_e8;   /* now */
    int64_t transfer_e8; /* of the change, what came from outside */
    int64_t part_e8[PNL_PART_COUNT]; /* sum = equity - start - transfer */
    int64_t delta_e8; /* coin, with the coin's own cash; of all together it means something when they share
                         one coin, and leaves the unassigned row out */
};

enum ledger_what { LEDGER_BALANCE_DIFFERS = 1, LEDGER_POSITION_DIFFERS };

struct ledger_difference {
    enum ledger_what what;
    uint16_t account;
    uint16_t instrument; /* position */
    uint16_t currency;   /* balance */
    int64_t ours, venue; /* qty units, or 1e-8 of the currency */
    uint64_t since_ns;   /* stamp of the record that first said so */
};

struct ledger_counts {
    uint64_t fills, duplicates, foreign, without_fee, without_price, bookings;
    uint64_t full;             /* a table had no room: the books are not complete, alarm */
    uint64_t realised_differs; /* fills whose realised profit the venue says otherwise by more than 1e-8 */
};

struct ledger;

/* ledger_make answers empty books, or NULL. */
struct ledger *ledger_make(void);
void ledger_free(struct ledger *ledger);

/* ledger_sink is called for each entry a record gives. */
void ledger_sink(struct ledger *ledger, void (*sink)(void *context, const struct ledger_entry *entry),
                 void *context);

/* ledger_record takes one record of the journal, in its order; what it has no use for it ignores. */
void ledger_record(struct ledger *ledger, const struct slot *record);

/* ledger_value fills in the value of one instance, or of all and the unassigned row for NO_INSTANCE. */
void ledger_value(struct ledger *ledger, uint16_t instance, struct ledger_value *value);

/* ledger_cash_e8 and ledger_position answer what is booked; NO_INSTANCE: the unassigned row alone. */
int64_t ledger_cash_e8(const struct ledger *ledger, uint16_t instance, uint16_t account, uint16_t currency);
struct position ledger_position(const struct ledger *ledger, uint16_t instance, uint16_t account,
                                uint16_t instrument);

/* ledger_part_e8 is what was booked to a part, in its own currency (gains positive). */
int64_t ledger_part_e8(const struct ledger *ledger, uint16_t instance, uint16_t account, uint16_t currency,
                       enum pnl_part part);

/* ledger_names makes an instrument's price the rate of its base coin.  By default it is the first inverse
 * leg that an instance names, else the first hedge leg. */
void ledger_names(struct ledger *ledger, uint16_t currency, uint16_t instrument);

/* ledger_differences fills out and answers how many there are (at most max are written). */
uint32_t ledger_differences(const struct ledger *ledger, struct ledger_difference *out, uint32_t max);

/* ledger_check asserts nothing and answers false when the books do not balance. */
bool ledger_check(const struct ledger *ledger);

void ledger_counts(const struct ledger *ledger, struct ledger_counts *counts);

#endif
