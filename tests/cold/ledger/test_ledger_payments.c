/* Payments: what moves cash beside executions counts once, from the rows of the venue's history, and what a
 * venue's total holds beside our cash (sessions that are settled at 08:00) is no money come or gone. */
#include "cold/ledger.h"

#include "ring/account.h"
#include "ring/order_id.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { USD = 0, BTC, USDT };
enum { PERPETUAL, LINEAR };
enum { COIN = 0, STABLE };

enum session_kind { SESSION_TOLD, SESSION_TRADE, SESSION_SETTLED, SESSION_RESTART };
struct session_step {
    enum session_kind kind;
    const char *what;
    int64_t value[5];
};
#include "tests/cold/ledger/sessions.h"

#define HOUR_NS  3600000000000LL
#define START_NS 1700000000000000000LL

static struct ledger *ledger;
static struct slot record[RECORD_SLOTS_MAX];
static uint64_t stamp_ns, counter;

static void blob(enum record_type type, const void *bytes, size_t count)
{
    record_begin(record, type, record_slots_for_blob(count), ++stamp_ns);
    record_blob_write(record, bytes, count);
    ledger_record(ledger, record);
}

static void add_instrument(uint16_t index, uint8_t venue, uint8_t product, uint8_t kind, uint16_t settle)
{
    struct instrument row = { .index = index,
                              .venue = venue,
                              .product = product,
                              .kind = kind,
                              .price_decimals = 1,
                              .qty_decimals = kind == KIND_LINEAR_PERPETUAL ? 3 : 0,
                              .base = BTC,
                              .quote = settle == BTC ? USD : settle,
                              .settle = settle,
                              .tick = 1,
                              .lot = 1,
                              .min_qty = 1,
                              .max_qty = 1000000,
                              .contract_e8 = DECIMAL_E8,
                              .funding_interval_s = 28800 };
    snprintf(row.name, sizeof row.name, "i%u", index);
    snprintf(row.symbol, sizeof row.symbol, "I%u", index);
    cr_assert_null(instrument_check(&row), "%s", instrument_check(&row));
    blob(RECORD_INSTRUMENT, &row, sizeof row);
}

/* The head of a run: tables and parameters. */
static void head(void)
{
    struct record_begin_run *begin = (void *)record;
    record_begin(record, RECORD_BEGIN, 2, ++stamp_ns);
    begin->engine = 1;
    begin->wall_ns = START_NS + (int64_t)stamp_ns;
    ledger_record(ledger, record);
    struct risk_params risk = { .report_currency = USD };
    blob(RECORD_RISK, &risk, sizeof risk);
    add_instrument(PERPETUAL, VENUE_DERIBIT, PRODUCT_INVERSE, KIND_INVERSE_PERPETUAL, BTC);
    add_instrument(LINEAR, VENUE_BINANCE, PRODUCT_LINEAR, KIND_LINEAR_PERPETUAL, USDT);
    struct record_convert *convert = (void *)record;
    record_begin(record, RECORD_CONVERT, 1, ++stamp_ns);
    convert->from = USDT;
    convert->to = USD;
    convert->fixed_e8 = DECIMAL_E8;
    ledger_record(ledger, record);
    struct quote_params params = { .kind = STRATEGY_QUOTE,
                                   .quote_instrument = PERPETUAL,
                                   .quote_account = COIN,
                                   .hedge_instrument = LINEAR,
                                   .hedge_account = STABLE,
                                   .second_instrument = NO_INSTRUMENT,
                                   .delta_basis = DELTA_COIN };
    blob(RECORD_PARAMS, &params, sizeof params);
}

static void price(uint16_t instrument, int64_t at)
{
    struct record_top *top = (void *)record;
    record_begin(record, RECORD_TOP, 1, ++stamp_ns)->instrument = instrument;
    top->bid_price = top->ask_price = at;
    top->bid_qty = top->ask_qty = 1;
    ledger_record(ledger, record);
}

static void begin(void)
{
    stamp_ns = 0;
    counter = 0;
    ledger = ledger_make();
    cr_assert_not_null(ledger);
    head();
    price(PERPETUAL, 600000);
    price(LINEAR, 600000);
}

static void end(void)
{
    ledger_free(ledger);
}

TestSuite(ledger_payments, .init = begin, .fini = end);

static struct record_balance *balance(uint16_t account, uint16_t currency, uint16_t instrument,
                                      enum cash_reason reason, int64_t change_e8)
{
    struct record_balance *to = (void *)record;
    record_begin(record, RECORD_BALANCE, 1, ++stamp_ns)->account = account;
    to->head.instrument = instrument;
    to->currency = currency;
    to->total_e8 = to->available_e8 = INT64_MIN;
    to->change_e8 = change_e8;
    to->reason = (uint8_t)reason;
    return to;
}

static void row(uint16_t account, uint16_t currency, uint16_t instrument, enum cash_reason reason,
                int64_t change_e8, uint32_t id, int64_t time_ns)
{
    struct record_balance *to = balance(account, currency, instrument, reason, change_e8);
    to->told = CASH_TOLD_ROW;
    to->row = id;
    to->venue_time_ns = time_ns;
    to->head.flags = RECORD_FLAG_REST;
    ledger_record(ledger, record);
}

static void news(uint16_t account, uint16_t currency, enum cash_reason reason, int64_t change_e8,
                 int64_t total_e8)
{
    struct record_balance *to = balance(account, currency, NO_INSTRUMENT, reason, change_e8);
    to->told = CASH_TOLD_AGAIN;
    to->total_e8 = total_e8;
    ledger_record(ledger, record);
}

static void total(uint16_t account, uint16_t currency, int64_t total_e8)
{
    balance(account, currency, NO_INSTRUMENT, CASH_SNAPSHOT, 0)->total_e8 = total_e8;
    ledger_record(ledger, record);
}

static void history(uint16_t account, int64_t until_ns)
{
    balance(account, CURRENCY_NONE, NO_INSTRUMENT, CASH_HISTORY, 0)->venue_time_ns = until_ns;
    ledger_record(ledger, record);
}

static void fill(uint16_t instrument, uint16_t account, enum side side, int64_t qty, int64_t at,
                 int64_t fee_e8)
{
    struct record_report *report = (void *)record;
    record_begin(record, RECORD_FILL, 3, ++stamp_ns)->instrument = instrument;
    report->head.account = account;
    report->order = order_id_make(1, 0, instrument, ++counter);
    report->exec_id = counter;
    report->side = (uint8_t)side;
    report->last_qty = qty;
    report->price = at;
    report->fee_e8 = fee_e8;
    report->fee_currency = instrument == LINEAR ? USDT : BTC;
    report->flags = REPORT_HAS_LAST | REPORT_HAS_FEE;
    ledger_record(ledger, record);
}

static int64_t cash(uint16_t account, uint16_t currency)
{
    return ledger_cash_e8(ledger, 0, account, currency) +
           ledger_cash_e8(ledger, NO_INSTANCE, account, currency);
}

static uint32_t differences(enum ledger_why *why)
{
    struct ledger_difference difference[8];
    uint32_t count = ledger_differences(ledger, difference, POISE_COUNT_OF(difference));
    *why = count != 0 ? difference[0].why : LEDGER_UNEXPLAINED;
    return count;
}

/* ------------------------------------------------------------------ rows */

Test(ledger_payments, a_row_counts_once_however_often_and_late_it_is_read)
{
    enum ledger_why why;
    total(STABLE, USDT, 1000);
    history(STABLE, START_NS);
    fill(LINEAR, STABLE, SIDE_SELL, 100, 600000, 0);
    row(STABLE, USDT, LINEAR, CASH_FUNDING, 70, 11, START_NS + HOUR_NS);
    row(STABLE, USDT, LINEAR, CASH_FUNDING, 70, 11, START_NS + HOUR_NS);
    row(STABLE, USDT, LINEAR, CASH_FUNDING, 70, 12, START_NS + HOUR_NS); /* as large, at the same moment */
    row(STABLE, USDT, NO_INSTRUMENT, CASH_TRANSFER, 70, 11, START_NS + HOUR_NS); /* ids are of their type */
    cr_expect_eq(ledger_part_e8(ledger, 0, STABLE, USDT, PNL_FUNDING), 140);
    cr_expect_eq(cash(STABLE, USDT), 1210);
    total(STABLE, USDT, 1210);
    cr_expect_eq(differences(&why), 0);
    cr_expect(ledger_check(ledger));
}

Test(ledger_payments, what_was_paid_before_the_opening_is_in_it)
{
    total(STABLE, USDT, 1000);
    history(STABLE, START_NS);
    row(STABLE, USDT, LINEAR, CASH_FUNDING, 55, 1, START_NS - 1);
    row(STABLE, USDT, LINEAR, CASH_FUNDING, 56, 2, START_NS);
    cr_expect_eq(cash(STABLE, USDT), 1000);
    history(STABLE, START_NS + HOUR_NS); /* later ones do not move the opening */
    row(STABLE, USDT, LINEAR, CASH_FUNDING, 57, 3, START_NS + 1);
    cr_expect_eq(cash(STABLE, USDT), 1057, "it came late, and it is paid");
    cr_expect_eq(ledger_history_ns(ledger, STABLE), START_NS + HOUR_NS);
    cr_expect_eq(ledger_history_ns(ledger, COIN), 0);
}

/* The opening was read by a clock that was wrong, or its balance was old: the transfer is what is lacking. */
Test(ledger_payments, a_transfer_before_the_opening_that_the_balance_lacks_is_booked)
{
    enum ledger_why why;
    total(STABLE, USDT, 1000);
    history(STABLE, START_NS);
    row(STABLE, USDT, NO_INSTRUMENT, CASH_TRANSFER, 116, 4, START_NS - 50000000000);
    cr_expect_eq(cash(STABLE, USDT), 1000, "nothing is lacking");
    total(STABLE, USDT, 1116);
    row(STABLE, USDT, NO_INSTRUMENT, CASH_TRANSFER, 115, 5, START_NS - 50000000000);
    row(STABLE, USDT, NO_INSTRUMENT, CASH_TRANSFER, 116, 3, START_NS - 301000000000);
    row(STABLE, USDT, LINEAR, CASH_FUNDING, 116, 6, START_NS - 50000000000);
    cr_expect_eq(cash(STABLE, USDT), 1000, "not this, or too long ago");
    row(STABLE, USDT, NO_INSTRUMENT, CASH_TRANSFER, 116, 4, START_NS - 50000000000);
    row(STABLE, USDT, NO_INSTRUMENT, CASH_TRANSFER, 116, 4, START_NS - 50000000000);
    cr_expect_eq(cash(STABLE, USDT), 1116);
    total(STABLE, USDT, 1116);
    cr_expect_eq(differences(&why), 0);
    cr_expect(ledger_check(ledger));
}

Test(ledger_payments, a_streams_word_waits_for_its_row)
{
    enum ledger_why why;
    total(STABLE, USDT, 1000);
    history(STABLE, START_NS);
    fill(LINEAR, STABLE, SIDE_SELL, 100, 600000, 0);
    cr_expect_not(ledger_wants_rows(ledger, STABLE));
    news(STABLE, USDT, CASH_FUNDING, 90, 1090); /* of two positions in one word, says nobody */
    cr_expect_eq(cash(STABLE, USDT), 1000);
    cr_expect(ledger_wants_rows(ledger, STABLE));
    cr_expect_not(ledger_wants_rows(ledger, COIN));
    cr_expect_eq(differences(&why), 1);
    cr_expect_eq(why, LEDGER_ROW_UNREAD);
    row(STABLE, USDT, LINEAR, CASH_FUNDING, 40, 1, START_NS + HOUR_NS);
    cr_expect_eq(differences(&why), 1);
    cr_expect_eq(why, LEDGER_ROW_UNREAD);
    row(STABLE, USDT, NO_INSTRUMENT, CASH_FUNDING, 50, 2, START_NS + HOUR_NS);
    cr_expect_eq(cash(STABLE, USDT), 1090);
    cr_expect_eq(differences(&why), 0);
    cr_expect_not(ledger_wants_rows(ledger, STABLE));
    total(STABLE, USDT, 1100); /* and what nobody told of is not explained by an old word */
    cr_expect_eq(differences(&why), 1);
    cr_expect_eq(why, LEDGER_UNEXPLAINED);
}

Test(ledger_payments, a_venue_without_a_history_is_believed_by_its_stream)
{
    total(STABLE, USDT, 1000);
    struct record_balance *told = balance(STABLE, USDT, NO_INSTRUMENT, CASH_TRANSFER, 7);
    told->venue_time_ns = START_NS;
    ledger_record(ledger, record);
    cr_expect_eq(cash(STABLE, USDT), 1007);
    cr_expect(ledger_booked_payment(ledger));
}

/* ------------------------------------------------------------------ restart */

struct kept {
    struct slot slot[4096];
    uint32_t used;
};

static void keep(void *context, const struct slot *said)
{
    struct kept *kept = context;
    uint8_t slots = record_head_of(said)->slot_count;
    cr_assert_lt(kept->used + slots, POISE_COUNT_OF(kept->slot));
    record_copy(&kept->slot[kept->used], said);
    kept->used += slots;
}

/* A new run's books from the old ones, as recovery does it: figures of another day are left behind. */
static void restart(void)
{
    struct kept *kept = calloc(1, sizeof *kept);
    cr_assert_not_null(kept);
    struct position held = ledger_position(ledger, 0, COIN, PERPETUAL);
    ledger_restore(ledger, keep, kept);
    ledger_free(ledger);
    ledger = ledger_make();
    head();
    for (uint32_t at = 0; at < kept->used; at += record_head_of(&kept->slot[at])->slot_count) {
        struct restore_ledger said;
        record_blob_read(&kept->slot[at], &said, sizeof said);
        if (said.what != RESTORE_LEDGER_PRICE && said.what != RESTORE_LEDGER_BESIDE) {
            ledger_record(ledger, &kept->slot[at]);
        }
    }
    free(kept);
    struct record_restore_position *position = (void *)record;
    record_begin(record, RECORD_RESTORE_POSITION, 1, ++stamp_ns)->instrument = PERPETUAL;
    position->head.account = COIN;
    position->qty = held.qty;
    position->notional_high = (int64_t)(held.notional_e12 >> 64);
    position->notional_low = (uint64_t)held.notional_e12;
    ledger_record(ledger, record);
    record_begin(record, RECORD_RESTORE_DONE, 1, ++stamp_ns);
    ledger_record(ledger, record);
}

Test(ledger_payments, what_was_paid_while_no_engine_ran_is_booked_for_what_it_was)
{
    enum ledger_why why;
    struct ledger_value value;
    total(COIN, BTC, 50000000);
    history(COIN, START_NS);
    fill(PERPETUAL, COIN, SIDE_SELL, 3000, 600000, 0);
    row(COIN, BTC, PERPETUAL, CASH_FUNDING, 11, 1, START_NS + HOUR_NS);
    history(COIN, START_NS + 2 * HOUR_NS);
    restart();
    cr_expect_eq(ledger_history_ns(ledger, COIN), START_NS + 2 * HOUR_NS);
    row(COIN, BTC, PERPETUAL, CASH_FUNDING, 11, 1, START_NS + HOUR_NS); /* it was asked from before that */
    row(COIN, BTC, PERPETUAL, CASH_FUNDING, 23, 2, START_NS + 9 * HOUR_NS);
    row(COIN, BTC, NO_INSTRUMENT, CASH_TRANSFER, -1000, 3, START_NS + 9 * HOUR_NS);
    total(COIN, BTC, 50000000 + 11 + 23 - 1000);
    cr_expect_eq(differences(&why), 0);
    cr_expect_eq(ledger_part_e8(ledger, 0, COIN, BTC, PNL_FUNDING), 34);
    price(PERPETUAL, 600000);
    price(LINEAR, 600000);
    ledger_value(ledger, NO_INSTANCE, &value);
    cr_expect(value.known);
    cr_expect_eq(value.transfer_e8, -1000 * 60000LL);
    cr_expect(ledger_check(ledger));
}

Test(ledger_payments, what_nobody_told_stays_a_difference_over_a_restart)
{
    enum ledger_why why;
    total(COIN, BTC, 50000000);
    history(COIN, START_NS);
    restart();
    total(COIN, BTC, 49000000);
    cr_expect_eq(cash(COIN, BTC), 50000000, "no row is not a transfer");
    cr_expect_eq(differences(&why), 1);
    cr_expect_eq(why, LEDGER_UNEXPLAINED);
}

/* ------------------------------------------------------------------ sessions */

Test(ledger_payments, two_days_of_sessions_come_to_what_the_hand_worked_out)
{
    enum ledger_why why;
    uint32_t rows = 0;
    for (size_t i = 0; i < POISE_COUNT_OF(session); i++) {
        const struct session_step *step = &session[i];
        const int64_t *v = step->value;
        switch (step->kind) {
        case SESSION_TOLD:
            balance(COIN, BTC, PERPETUAL, CASH_ACCRUED, v[1]);
            ledger_record(ledger, record);
            balance(COIN, BTC, PERPETUAL, CASH_SETTLED, v[2]);
            ledger_record(ledger, record);
            total(COIN, BTC, v[0]);
            if (i == 0) {
                history(COIN, START_NS);
            }
            cr_expect_eq(differences(&why), 0, "%s", step->what);
            cr_expect(base_abs(cash(COIN, BTC) - v[3]) <= 2, "%s: our cash is %lld, by hand %lld", step->what,
                      (long long)cash(COIN, BTC), (long long)v[3]);
            cr_expect_eq(ledger_position(ledger, 0, COIN, PERPETUAL).qty, v[4]);
            break;
        case SESSION_TRADE:
            fill(PERPETUAL, COIN, v[0] < 0 ? SIDE_SELL : SIDE_BUY, base_abs(v[0]), v[1], v[2]);
            break;
        case SESSION_SETTLED:
            rows++;
            row(COIN, BTC, PERPETUAL, CASH_FUNDING, v[1], rows, START_NS + rows * 24 * HOUR_NS);
            break;
        case SESSION_RESTART:
            restart();
            for (uint32_t k = 1; k <= rows; k++) {
                row(COIN, BTC, PERPETUAL, CASH_FUNDING, session[8].value[1], k, START_NS + k * 24 * HOUR_NS);
            }
            break;
        }
        cr_assert_null(ledger_fault(ledger), "%s: %s", step->what, ledger_fault(ledger));
    }
    cr_expect_eq(ledger_cash_e8(ledger, NO_INSTANCE, COIN, BTC), 50000000, "nothing came or went");
}

Test(ledger_payments, part_of_a_settled_position_closed_takes_its_part_of_what_was_settled)
{
    enum ledger_why why;
    total(COIN, BTC, 50000000);
    history(COIN, START_NS);
    fill(PERPETUAL, COIN, SIDE_SELL, 2000, 600000, 0);
    balance(COIN, BTC, PERPETUAL, CASH_SETTLED, -65360);
    ledger_record(ledger, record);
    cr_expect_eq(ledger_beside_e8(ledger, COIN, BTC), -65360);
    fill(PERPETUAL, COIN, SIDE_BUY, 500, 600000, 0);
    cr_expect_eq(ledger_beside_e8(ledger, COIN, BTC), -49020);
    total(COIN, BTC, 50000000 - 49020);
    cr_expect_eq(differences(&why), 0, "before the position is read again");
    fill(PERPETUAL, COIN, SIDE_BUY, 1500, 600000, 0);
    cr_expect_eq(ledger_beside_e8(ledger, COIN, BTC), 0);
    fill(PERPETUAL, COIN, SIDE_BUY, 1500, 600000, 0);
    cr_expect_eq(ledger_beside_e8(ledger, COIN, BTC), 0, "on the other side nothing was settled");
}

/* ------------------------------------------------------------------ what the venue closes */

Test(ledger_payments, a_liquidation_makes_the_legs_smaller_that_held_it)
{
    price(LINEAR, 600000);
    fill(PERPETUAL, COIN, SIDE_SELL, 3000, 600000, 0);
    struct record_report *report = (void *)record;
    fill(PERPETUAL, COIN, SIDE_BUY, 0, 0, 0); /* a form to fill in: of no quantity, it counts as nothing */
    report->order = 0;
    report->exec_id = 9000;
    report->side = SIDE_BUY;
    report->last_qty = 3400; /* and what the owner held beside it */
    report->price = 630000;
    report->fee_e8 = 12;
    report->reason = REASON_LIQUIDATION;
    report->flags = REPORT_HAS_LAST | REPORT_HAS_FEE | REPORT_FOREIGN;
    ledger_record(ledger, record);
    ledger_record(ledger, record);
    cr_expect_eq(ledger_position(ledger, 0, COIN, PERPETUAL).qty, 0);
    cr_expect_eq(ledger_position(ledger, NO_INSTANCE, COIN, PERPETUAL).qty, 400);
    cr_expect_eq(ledger_part_e8(ledger, 0, COIN, BTC, PNL_FEE), -12);
    /* 3000 / 63000 - 3000 / 60000 coin */
    cr_expect(base_abs(ledger_part_e8(ledger, 0, COIN, BTC, PNL_TRADING) + 238095) <= 1);
    struct ledger_counts counts;
    ledger_counts(ledger, &counts);
    cr_expect_eq(counts.fills, 2);
    cr_expect_null(ledger_fault(ledger));
}

/* ------------------------------------------------------------------ what a difference is worth */

Test(ledger_payments, a_difference_says_what_it_is_worth)
{
    struct ledger_difference difference[4];
    price(PERPETUAL, 600000);
    total(COIN, BTC, 50000000);
    history(COIN, START_NS);
    total(COIN, BTC, 49990000);
    cr_expect_eq(ledger_differences(ledger, difference, 4), 1);
    cr_expect_eq(difference[0].worth_e8, 10000 * 60000LL);
    total(COIN, 5, 7);
    total(COIN, 5, 9); /* a coin that nobody trades */
    cr_expect_eq(ledger_differences(ledger, difference, 4), 2);
    cr_expect_eq(difference[1].worth_e8, -1);
}

Test(ledger_payments, what_the_venue_settled_a_moment_ago_is_no_alarm_yet)
{
    enum ledger_why why;
    struct record_clock *clock = (void *)record;
    total(COIN, BTC, 50000000);
    history(COIN, START_NS);
    fill(PERPETUAL, COIN, SIDE_SELL, 2000, 600000, 0);
    balance(COIN, BTC, PERPETUAL, CASH_ACCRUED, 0);
    ledger_record(ledger, record);
    record_begin(record, RECORD_CLOCK, 1, ++stamp_ns);
    clock->wall_ns = START_NS / 86400000000000LL * 86400000000000LL + 8 * HOUR_NS + 5000000000LL;
    ledger_record(ledger, record);
    total(COIN, BTC, 49934640); /* the open loss is paid out, and the position was not read */
    cr_expect_eq(differences(&why), 1);
    cr_expect_eq(why, LEDGER_SETTLING);
    record_begin(record, RECORD_CLOCK, 1, ++stamp_ns);
    clock->wall_ns = START_NS / 86400000000000LL * 86400000000000LL + 8 * HOUR_NS + 65000000000LL;
    ledger_record(ledger, record);
    cr_expect_eq(differences(&why), 1);
    cr_expect_eq(why, LEDGER_UNEXPLAINED);
}

Test(ledger_payments, profit_since_the_first_fill_is_what_a_restart_is_told)
{
    int64_t first_e8, part_e8[PNL_PART_COUNT], sum = 0;
    struct ledger_value value;
    cr_expect_not(ledger_since(ledger, NO_INSTANCE, &first_e8, part_e8));
    fill(LINEAR, STABLE, SIDE_SELL, 100, 600000, 1000);
    price(LINEAR, 599000);
    ledger_value(ledger, 0, &value);
    cr_assert(value.known);
    cr_assert(ledger_since(ledger, 0, &first_e8, part_e8));
    for (int part = 0; part < PNL_PART_COUNT; part++) {
        sum += part_e8[part];
    }
    cr_expect_eq(first_e8 + sum, value.equity_e8);
    cr_expect_eq(sum, 10 * DECIMAL_E8 - 1000);
    restart();
    int64_t again_e8, again[PNL_PART_COUNT];
    cr_assert(ledger_since(ledger, 0, &again_e8, again));
    cr_expect_eq(again_e8, first_e8);
    cr_expect_arr_eq(again, part_e8, sizeof again);
}
