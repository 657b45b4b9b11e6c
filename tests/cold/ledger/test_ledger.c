#include "cold/ledger.h"

#include "ring/account.h"
#include "ring/order_id.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum step_kind { STEP_TOP, STEP_FILL, STEP_FUNDING };

struct step {
    enum step_kind kind;
    int64_t value[7];
    bool known;
    int64_t expected[2][PNL_PART_COUNT + 2]; /* of two instances: equity, parts, delta */
};

#include "tests/cold/ledger/expected.h"

enum { USD = 0, BTC, USDT, DUST };
enum { INVERSE = 0, LINEAR, STABLE, SPOT };
enum { COINM = 0, USDM, WALLET };

static struct ledger *ledger;
static struct slot record[RECORD_SLOTS_MAX];
static uint64_t stamp_ns;
static uint64_t counter;

/* Per currency, everything the sink was told: every booking must cancel. */
static int128 told[8];
static uint64_t told_count;

static void sink(void *context, const struct ledger_entry *entry)
{
    (void)context;
    told[entry->currency] += entry->amount_e8;
    told_count++;
    if (told_count % 2 == 0) {
        cr_expect_eq(told[entry->currency], 0, "two entries of one booking do not cancel");
    }
}

static void take_blob(enum record_type type, const void *bytes, size_t count)
{
    record_begin(record, type, record_slots_for_blob(count), stamp_ns);
    record_blob_write(record, bytes, count);
    ledger_record(ledger, record);
}

static void take_instrument(uint16_t index, enum product product, enum instrument_kind kind,
                            int price_decimals, int qty_decimals, int64_t contract_e8, uint16_t base,
                            uint16_t quote, uint16_t settle)
{
    struct instrument row = {
        .index = index,
        .venue = VENUE_BINANCE,
        .product = (uint8_t)product,
        .kind = (uint8_t)kind,
        .price_decimals = (uint8_t)price_decimals,
        .qty_decimals = (uint8_t)qty_decimals,
        .base = base,
        .quote = quote,
        .settle = settle,
        .tick = 1,
        .lot = 1,
        .min_qty = 1,
        .max_qty = 1000000,
        .contract_e8 = contract_e8,
    };
    snprintf(row.name, sizeof row.name, "i%u", index);
    snprintf(row.symbol, sizeof row.symbol, "I%u", index);
    cr_assert_null(instrument_check(&row), "%s", instrument_check(&row));
    take_blob(RECORD_INSTRUMENT, &row, sizeof row);
}

static void take_instance(uint16_t instance, uint16_t quote, uint16_t quote_account, int64_t allocation_e8)
{
    struct quote_params params = {
        .instance = instance,
        .kind = STRATEGY_QUOTE,
        .quote_instrument = quote,
        .quote_account = quote_account,
        .hedge_instrument = LINEAR,
        .hedge_account = USDM,
        .second_instrument = NO_INSTRUMENT,
        .second_account = NO_ACCOUNT,
        .delta_basis = DELTA_USD,
        .allocation_e8 = allocation_e8,
    };
    take_blob(RECORD_PARAMS, &params, sizeof params);
}

static void begin(void)
{
    ledger = ledger_make();
    cr_assert_not_null(ledger);
    ledger_sink(ledger, sink, NULL);

    struct risk_params risk = { .report_currency = USD };
    take_blob(RECORD_RISK, &risk, sizeof risk);
    take_instrument(INVERSE, PRODUCT_INVERSE, KIND_INVERSE_PERPETUAL, 1, 0, 100 * DECIMAL_E8, BTC, USD, BTC);
    take_instrument(LINEAR, PRODUCT_LINEAR, KIND_LINEAR_PERPETUAL, 1, 3, DECIMAL_E8, BTC, USDT, USDT);
    take_instrument(STABLE, PRODUCT_SPOT, KIND_SPOT, 4, 2, DECIMAL_E8, USDT, USD, USD);
    take_instrument(SPOT, PRODUCT_SPOT, KIND_SPOT, 2, 5, DECIMAL_E8, BTC, USDT, USDT);
    struct record_convert *convert = (void *)record;
    record_begin(record, RECORD_CONVERT, 1, stamp_ns)->instrument = STABLE;
    convert->from = USDT;
    convert->to = USD;
    ledger_record(ledger, record);
    take_instance(0, INVERSE, COINM, DECIMAL_E8 / 2);
    take_instance(1, SPOT, WALLET, 0);
}

static void end(void)
{
    ledger_free(ledger);
}

TestSuite(ledger, .init = begin, .fini = end);

static void take_top(uint16_t instrument, int64_t bid, int64_t ask)
{
    struct record_top *top = (void *)record;
    record_begin(record, RECORD_TOP, 1, ++stamp_ns)->instrument = instrument;
    top->bid_price = bid;
    top->ask_price = ask;
    top->bid_qty = top->ask_qty = 1;
    ledger_record(ledger, record);
}

static uint16_t account_of(uint16_t instrument)
{
    return instrument == INVERSE ? COINM : instrument == LINEAR ? USDM : WALLET;
}

/* Fills the report that record then holds; the caller may change it before ledger_record. */
static struct record_report *a_fill(uint16_t instance, uint16_t instrument, enum side side, int64_t qty,
                                    int64_t price, int64_t fee_e8, int64_t decision_price)
{
    uint64_t order = order_id_make(1, instance, 1, ++counter);
    if (decision_price != 0) {
        struct record_order *placed = (void *)record;
        record_begin(record, RECORD_ORDER_NEW, 2, ++stamp_ns)->instrument = instrument;
        placed->order = order;
        placed->role = ORDER_ROLE_HEDGE;
        placed->reference_price = decision_price;
        ledger_record(ledger, record);
    }
    struct record_report *report = (void *)record;
    record_begin(record, RECORD_FILL, 3, ++stamp_ns)->instrument = instrument;
    report->head.account = account_of(instrument);
    report->order = order;
    report->exec_id = 7000 + counter;
    report->side = (uint8_t)side;
    report->last_qty = qty;
    report->price = price;
    report->fee_e8 = fee_e8;
    report->fee_currency = instrument == INVERSE ? BTC : USDT;
    report->flags = REPORT_HAS_LAST | REPORT_HAS_FEE;
    return report;
}

static void take_fill(uint16_t instance, uint16_t instrument, enum side side, int64_t qty, int64_t price,
                      int64_t fee_e8, int64_t decision_price)
{
    a_fill(instance, instrument, side, qty, price, fee_e8, decision_price);
    ledger_record(ledger, record);
}

static struct record_balance *a_balance(uint16_t account, uint16_t currency, int64_t total_e8)
{
    struct record_balance *balance = (void *)record;
    record_begin(record, RECORD_BALANCE, 1, ++stamp_ns)->account = account;
    balance->currency = currency;
    balance->total_e8 = total_e8;
    balance->reason = CASH_SNAPSHOT;
    return balance;
}

static void take_payment(uint16_t account, uint16_t currency, enum cash_reason reason, int64_t change_e8)
{
    static int64_t payments; /* each an hour after the last: no two are told at one time */
    struct record_balance *balance = a_balance(account, currency, INT64_MIN);
    balance->reason = (uint8_t)reason;
    balance->change_e8 = change_e8;
    balance->venue_time_ns = ++payments * 3600000000000;
    ledger_record(ledger, record);
}

static void expect_identity(const struct ledger_value *value)
{
    int64_t sum = 0;
    for (int part = 0; part < PNL_PART_COUNT; part++) {
        sum += value->part_e8[part];
    }
    cr_expect_eq(sum, value->equity_e8 - value->start_e8 - value->transfer_e8,
                 "parts sum to %lld, equity changed by %lld", (long long)sum,
                 (long long)(value->equity_e8 - value->start_e8 - value->transfer_e8));
}

static void expect_near(int64_t is, int64_t should, int64_t within, size_t step, const char *what)
{
    cr_assert(base_abs(is - should) <= within, "step %zu: %s is %lld, by hand %lld", step, what,
              (long long)is, (long long)should);
}

/* The books round each booking to 1e-8 of a coin, by hand nothing is rounded: equity may differ by what
 * stands under ROUNDING, and what prices do to it. */
#define EXACT   500  /* 1e-8 USD: the notional of a fill is kept in 1e-12 */
#define DRIFTED 2000 /* 0.002 USD: satoshis lost in bookings, times the coin's moves */

Test(ledger, every_step_agrees_with_the_figures_worked_out_by_hand)
{
    static const char *const names[PNL_PART_COUNT] = { "trading",  "basis",    "funding", "fee",
                                                       "slippage", "residual", "rounding" };
    struct ledger_value value;

    for (size_t i = 0; i < POISE_COUNT_OF(steps); i++) {
        const int64_t *v = steps[i].value;
        if (steps[i].kind == STEP_TOP) {
            take_top((uint16_t)v[0], v[1], v[2]);
        } else if (steps[i].kind == STEP_FILL) {
            take_fill((uint16_t)v[0], (uint16_t)v[1], (enum side)v[2], v[3], v[4], v[5], v[6]);
        } else {
            take_payment(v[1] == BTC ? COINM : USDM, (uint16_t)v[1], CASH_FUNDING, v[2]);
        }
        cr_assert(ledger_check(ledger), "step %zu", i);
        for (uint16_t k = 0; k < 2; k++) {
            const int64_t *expected = steps[i].expected[k];
            ledger_value(ledger, k, &value);
            /* The second instance holds nothing yet: nothing but its coin's price is asked for. */
            cr_assert(value.known || !steps[i].known, "step %zu", i);
            if (!steps[i].known) {
                continue;
            }
            expect_identity(&value);
            expect_near(value.equity_e8 - value.part_e8[PNL_ROUNDING], expected[0], DRIFTED, i, "equity");
            for (int part = 0; part < PNL_ROUNDING; part++) {
                bool drifts = part == PNL_BASIS || part == PNL_RESIDUAL;
                expect_near(value.part_e8[part], expected[1 + part], drifts ? DRIFTED : EXACT, i,
                            names[part]);
            }
            expect_near(value.part_e8[PNL_ROUNDING], 0, 500000, i, "rounding");
            expect_near(value.delta_e8, expected[8], 100, i, "delta");
        }
    }
    struct ledger_counts counts;
    ledger_counts(ledger, &counts);
    cr_expect_eq(counts.duplicates, 0);
    cr_expect_eq(counts.full, 0);
    cr_expect_gt(counts.fills, 200);
    cr_expect_eq(told_count, 2 * counts.bookings);
}

static void all_tops(int64_t price)
{
    take_top(INVERSE, price, price);
    take_top(LINEAR, price, price);
    take_top(SPOT, price * 10, price * 10);
    take_top(STABLE, 10000, 10000);
}

/* Architecture 4: an inverse position with its coin, hedged once at the fill price, is flat at any price. */
Test(ledger, a_hedged_book_does_not_move_with_the_coin)
{
    struct ledger_value before;
    struct ledger_value after;

    all_tops(600000);
    take_fill(0, LINEAR, SIDE_SELL, 500, 600000, 0, 600000); /* the allocation */
    take_fill(0, INVERSE, SIDE_BUY, 60, 600000, 0, 0);       /* 6000 USD = 0.1 BTC */
    take_fill(0, LINEAR, SIDE_SELL, 100, 600000, 0, 600000);
    ledger_value(ledger, 0, &before);
    cr_expect_eq(before.delta_e8, 0);
    static const int64_t marks[] = { 660000, 540000, 300000, 1200000 };
    for (size_t i = 0; i < POISE_COUNT_OF(marks); i++) {
        all_tops(marks[i]);
        ledger_value(ledger, 0, &after);
        cr_expect_lt(base_abs(after.equity_e8 - before.equity_e8), 100, "at %lld: %lld", (long long)marks[i],
                     (long long)(after.equity_e8 - before.equity_e8));
        cr_expect_eq(after.delta_e8, 0);
    }
}

/* What is left open is told as such: 10 % of the coin's move on the delta, and nothing elsewhere. */
Test(ledger, an_open_delta_is_residual)
{
    struct ledger_value value;

    all_tops(600000);
    take_fill(0, LINEAR, SIDE_SELL, 400, 600000, 0, 600000);
    all_tops(660000);
    ledger_value(ledger, 0, &value);
    cr_expect_eq(value.delta_e8, DECIMAL_E8 / 10);
    cr_expect_eq(value.part_e8[PNL_RESIDUAL], 600 * DECIMAL_E8);
    cr_expect_eq(value.part_e8[PNL_BASIS], 0);
    cr_expect_eq(value.part_e8[PNL_TRADING], 0);
}

Test(ledger, one_execution_counts_once_however_often_it_is_told)
{
    all_tops(600000);
    struct record_report *report = a_fill(0, INVERSE, SIDE_BUY, 5, 600000, 100, 0);
    ledger_record(ledger, record);
    ledger_record(ledger, record);
    report->head.flags |= RECORD_FLAG_REST;
    ledger_record(ledger, record);
    cr_expect_eq(ledger_position(ledger, 0, COINM, INVERSE).qty, 5);
    cr_expect_eq(ledger_cash_e8(ledger, 0, COINM, BTC), DECIMAL_E8 / 2 - 100);

    /* The same number on another instrument is another execution. */
    report->head.instrument = LINEAR;
    report->head.account = USDM;
    ledger_record(ledger, record);
    cr_expect_eq(ledger_position(ledger, 0, USDM, LINEAR).qty, 5);

    /* And where the instance has no leg, it is nobody's. */
    report->head.account = WALLET;
    ledger_record(ledger, record);
    cr_expect_eq(ledger_position(ledger, NO_INSTANCE, WALLET, LINEAR).qty, 5);

    /* Executions counted before the restart are known by their RESTORE records. */
    report = a_fill(0, INVERSE, SIDE_BUY, 5, 600000, 100, 0);
    report->head.type = RECORD_RESTORE_EXEC;
    ledger_record(ledger, record);
    report->head.type = RECORD_FILL;
    ledger_record(ledger, record);
    cr_expect_eq(ledger_position(ledger, 0, COINM, INVERSE).qty, 5);
    struct ledger_counts counts;
    ledger_counts(ledger, &counts);
    cr_expect_eq(counts.duplicates, 3);
}

Test(ledger, many_executions_are_remembered)
{
    all_tops(600000);
    for (int round = 0; round < 2; round++) {
        for (uint64_t i = 0; i < 5000; i++) {
            a_fill(0, LINEAR, SIDE_BUY, 1, 600000, 0, 0)->exec_id = 1 + i;
            ledger_record(ledger, record);
        }
    }
    cr_expect_eq(ledger_position(ledger, 0, USDM, LINEAR).qty, 5000);
}

Test(ledger, nothing_is_valued_with_a_guess)
{
    struct ledger_value value;

    ledger_value(ledger, 0, &value);
    cr_expect_not(value.known);
    cr_expect_eq(value.instrument, INVERSE, "the coin is named by the inverse leg");
    take_top(INVERSE, 600000, 600000);
    ledger_value(ledger, 0, &value);
    cr_expect_not(value.known);
    cr_expect_eq(value.instrument, LINEAR);
    take_top(LINEAR, 600000, 600000);
    ledger_value(ledger, 0, &value);
    cr_expect_not(value.known);
    cr_expect_eq(value.currency, USDT);
    cr_expect_eq(value.instrument, STABLE);
    take_top(STABLE, 9990, 9990);
    ledger_value(ledger, 0, &value);
    cr_expect(value.known);
    cr_expect_eq(value.equity_e8, 30000 * DECIMAL_E8);
    cr_expect_eq(value.start_e8, value.equity_e8);

    /* One side of a book is no price. */
    struct record_top *top = (void *)record;
    record_begin(record, RECORD_TOP, 1, ++stamp_ns)->instrument = INVERSE;
    top->bid_price = 1;
    top->bid_qty = 1;
    ledger_record(ledger, record);
    ledger_value(ledger, 0, &value);
    cr_expect_eq(value.equity_e8, 30000 * DECIMAL_E8);
}

Test(ledger, funding_goes_to_whose_positions_paid_it)
{
    struct ledger_value value;

    all_tops(600000);
    take_fill(0, LINEAR, SIDE_SELL, 200, 600000, 0, 0);
    take_fill(1, LINEAR, SIDE_SELL, 100, 600000, 0, 0);
    take_payment(USDM, USDT, CASH_FUNDING, 100);
    cr_expect_eq(ledger_part_e8(ledger, 0, USDM, USDT, PNL_FUNDING), 66);
    cr_expect_eq(ledger_part_e8(ledger, 1, USDM, USDT, PNL_FUNDING), 34, "the whole is given out");
    take_payment(USDM, USDT, CASH_FUNDING, -9000000000000);
    cr_expect_eq(ledger_cash_e8(ledger, 0, USDM, USDT) + ledger_cash_e8(ledger, 1, USDM, USDT),
                 100 - 9000000000000);
    take_payment(WALLET, USDT, CASH_FUNDING, 7);
    cr_expect_eq(ledger_cash_e8(ledger, NO_INSTANCE, WALLET, USDT), 7, "nobody's");
    take_payment(USDM, USDT, CASH_TRANSFER, 500000000);
    cr_expect_eq(ledger_cash_e8(ledger, NO_INSTANCE, USDM, USDT), 500000000);
    ledger_value(ledger, NO_INSTANCE, &value);
    cr_expect_eq(value.transfer_e8, 500000000);
    expect_identity(&value);
    cr_expect(ledger_check(ledger));
}

Test(ledger, a_payment_told_by_stream_and_by_rest_is_one)
{
    all_tops(600000);
    take_fill(0, LINEAR, SIDE_SELL, 200, 600000, 0, 0);
    struct record_balance *balance = a_balance(USDM, USDT, INT64_MIN);
    balance->reason = CASH_FUNDING;
    balance->change_e8 = 1000;
    balance->venue_time_ns = 5000000000;
    ledger_record(ledger, record);
    balance->head.flags = RECORD_FLAG_REST;
    balance->venue_time_ns = 4000000000; /* the venue's two clocks */
    balance->total_e8 = 0;
    ledger_record(ledger, record);
    ledger_record(ledger, record);
    cr_expect_eq(ledger_part_e8(ledger, 0, USDM, USDT, PNL_FUNDING), 1000);
    balance->venue_time_ns += 28800000000000; /* the next one happens to be as large */
    ledger_record(ledger, record);
    cr_expect_eq(ledger_part_e8(ledger, 0, USDM, USDT, PNL_FUNDING), 2000);
}

Test(ledger, the_venues_word_is_a_third_opinion)
{
    struct ledger_difference difference[4];
    struct ledger_value value;
    all_tops(600000);

    /* The first balance is the opening: what no instance owns is unassigned. */
    a_balance(COINM, BTC, 3 * DECIMAL_E8);
    ledger_record(ledger, record);
    cr_expect_eq(ledger_cash_e8(ledger, NO_INSTANCE, COINM, BTC), 250000000);
    cr_expect_eq(ledger_differences(ledger, difference, 4), 0);
    ledger_value(ledger, NO_INSTANCE, &value);
    cr_expect_eq(value.equity_e8, 180000 * DECIMAL_E8);
    cr_expect_eq(value.start_e8, value.equity_e8, "it was there all the time");

    take_fill(0, INVERSE, SIDE_BUY, 5, 600000, 100, 0);
    cr_expect_eq(ledger_differences(ledger, difference, 4), 1);
    cr_expect_eq(difference[0].what, LEDGER_BALANCE_DIFFERS);
    cr_expect_eq(difference[0].ours - difference[0].venue, -100);
    cr_expect_eq(difference[0].since_ns, stamp_ns);
    uint64_t since_ns = stamp_ns;
    a_balance(COINM, BTC, 3 * DECIMAL_E8 - 90);
    ledger_record(ledger, record);
    cr_expect_eq(ledger_differences(ledger, difference, 4), 1);
    cr_expect_eq(difference[0].since_ns, since_ns, "since it began");
    a_balance(COINM, BTC, 3 * DECIMAL_E8 - 100);
    ledger_record(ledger, record);
    cr_expect_eq(ledger_differences(ledger, difference, 4), 0);

    struct record_position *position = (void *)record;
    record_begin(record, RECORD_POSITION, 1, ++stamp_ns)->instrument = INVERSE;
    position->head.account = COINM;
    position->qty = 4;
    ledger_record(ledger, record);
    cr_expect_eq(ledger_differences(ledger, difference, 0), 1, "counted without room");
    cr_expect_eq(ledger_differences(ledger, difference, 4), 1);
    cr_expect_eq(difference[0].what, LEDGER_POSITION_DIFFERS);
    cr_expect_eq(difference[0].ours, 5);
    cr_expect_eq(difference[0].venue, 4);
    cr_expect_eq(difference[0].instrument, INVERSE);
}

Test(ledger, dust_without_a_rate_does_not_hide_the_rest)
{
    struct ledger_value value;
    all_tops(600000);
    a_balance(WALLET, DUST, 12345);
    ledger_record(ledger, record);
    ledger_value(ledger, NO_INSTANCE, &value);
    cr_expect(value.known);
    cr_expect_eq(value.currency, DUST, "told as left out");
    cr_expect_eq(value.equity_e8, 30000 * DECIMAL_E8);

    /* But a fee of an instance in it is: its equity cannot be told. */
    a_fill(0, INVERSE, SIDE_BUY, 5, 600000, 100, 0)->fee_currency = DUST;
    ledger_record(ledger, record);
    ledger_value(ledger, 0, &value);
    cr_expect_not(value.known);
    cr_expect_eq(value.currency, DUST);
}

Test(ledger, a_restart_goes_on_from_what_is_restored)
{
    struct ledger_value value;
    struct record_restore_position *position = (void *)record;
    int128 notional_e12 = -(int128)30000 * KIND_E12;
    record_begin(record, RECORD_RESTORE_POSITION, 1, ++stamp_ns)->instrument = LINEAR;
    position->head.account = USDM;
    position->instance = 0;
    position->qty = -500;
    position->notional_high = (int64_t)(notional_e12 >> 64);
    position->notional_low = (uint64_t)notional_e12;
    ledger_record(ledger, record);
    struct record_restore_cash *cash = (void *)record;
    record_begin(record, RECORD_RESTORE_CASH, 1, ++stamp_ns)->account = USDM;
    cash->instance = 0;
    cash->currency = USDT;
    cash->part = PNL_FEE;
    cash->amount_e8 = -100 * DECIMAL_E8;
    ledger_record(ledger, record);

    all_tops(610000);
    ledger_value(ledger, 0, &value);
    cr_expect(value.known);
    /* 0.5 BTC at 61000, 0.5 sold at 60000, 100 paid. */
    cr_expect_eq(value.equity_e8, (30500 - 500 - 100) * DECIMAL_E8);
    cr_expect_eq(value.start_e8, value.equity_e8, "profit counts from this run's start");
    cr_expect_eq(value.delta_e8, 0);
}

static void take_plain(enum record_type type)
{
    record_begin(record, type, 1, ++stamp_ns);
    ledger_record(ledger, record);
}

static struct slot said[512 * 5];
static uint32_t said_count;
static bool away;

static void keep(void *context, const struct slot *restore)
{
    (void)context;
    cr_assert_lt(said_count, 512u);
    memset(&said[said_count * 5], 0, 5 * sizeof said[0]);
    record_copy(&said[said_count++ * 5], restore);
}

/* The tables and parameters a run begins with. */
static void again(int64_t allocation_e8)
{
    struct risk_params risk = { .report_currency = USD };
    take_blob(RECORD_RISK, &risk, sizeof risk);
    take_instrument(INVERSE, PRODUCT_INVERSE, KIND_INVERSE_PERPETUAL, 1, 0, 100 * DECIMAL_E8, BTC, USD, BTC);
    take_instrument(LINEAR, PRODUCT_LINEAR, KIND_LINEAR_PERPETUAL, 1, 3, DECIMAL_E8, BTC, USDT, USDT);
    take_instrument(STABLE, PRODUCT_SPOT, KIND_SPOT, 4, 2, DECIMAL_E8, USDT, USD, USD);
    take_instrument(SPOT, PRODUCT_SPOT, KIND_SPOT, 2, 5, DECIMAL_E8, BTC, USDT, USDT);
    struct record_convert *convert = (void *)record;
    record_begin(record, RECORD_CONVERT, 1, stamp_ns)->instrument = STABLE;
    convert->from = USDT;
    convert->to = USD;
    ledger_record(ledger, record);
    take_instance(0, INVERSE, COINM, allocation_e8);
}

/* A new ledger with other parameters, and what the last one said. */
static void restart(int64_t allocation_e8)
{
    struct ledger *old = ledger;
    said_count = 0;
    begin();
    ledger_reset(ledger); /* with other parameters than those of begin */
    again(allocation_e8);
    ledger_restore(old, keep, NULL);
    for (uint32_t i = 0; i < said_count; i++) {
        struct restore_ledger row;
        record_blob_read(&said[i * 5], &row, sizeof row);
        if (away && row.what == RESTORE_LEDGER_BALANCE) { /* as recovery does */
            row.value[RESTORE_LEDGER_BALANCE_AWAY] = 1;
            record_blob_write(&said[i * 5], &row, sizeof row);
        }
        ledger_record(ledger, &said[i * 5]);
    }
    ledger_free(old);
    take_plain(RECORD_RESTORE_DONE);
}

/* Killed while it was being restored: the next segment begins in the middle, and its head has an end of its
 * own. */
Test(ledger, a_segment_that_begins_in_the_middle_of_what_is_restored_changes_nothing)
{
    a_balance(COINM, BTC, 3 * DECIMAL_E8);
    ledger_record(ledger, record);
    all_tops(600000);
    take_fill(0, LINEAR, SIDE_SELL, 100, 601000, 3 * DECIMAL_E8, 601500);
    int64_t nobodys_e8 = ledger_cash_e8(ledger, NO_INSTANCE, COINM, BTC);
    int64_t its_e8 = ledger_cash_e8(ledger, 0, COINM, BTC);
    restart(DECIMAL_E8 / 2);
    static struct slot rows[512 * 5];
    uint32_t row_count = said_count;
    memcpy(rows, said, sizeof rows);
    for (uint32_t cut = 0; cut <= row_count; cut++) {
        struct ledger *whole = ledger;
        begin();
        ledger_reset(ledger);
        again(DECIMAL_E8 / 2);
        for (uint32_t i = 0; i < cut; i++) { /* what was on the disk */
            ledger_record(ledger, &rows[i * 5]);
        }
        struct ledger *torn = ledger;
        said_count = 0;
        ledger_restore(torn, keep, NULL);
        begin();
        ledger_reset(ledger);
        again(DECIMAL_E8 / 2);
        for (uint32_t i = 0; i < said_count; i++) {
            ledger_record(ledger, &said[i * 5]);
        }
        ledger_free(torn);
        take_plain(RECORD_RESTORE_DONE); /* of the head */
        for (uint32_t i = cut; i < row_count; i++) {
            ledger_record(ledger, &rows[i * 5]);
        }
        take_plain(RECORD_RESTORE_DONE);
        cr_assert_eq(ledger_cash_e8(ledger, NO_INSTANCE, COINM, BTC), nobodys_e8, "cut at %u", cut);
        cr_assert_eq(ledger_cash_e8(ledger, 0, COINM, BTC), its_e8, "cut at %u", cut);
        cr_assert(ledger_check(ledger));
        ledger_free(ledger);
        ledger = whole;
    }
}

Test(ledger, what_happens_before_the_first_price_is_counted_from_the_first_fill)
{
    struct ledger_value value;

    take_fill(0, LINEAR, SIDE_SELL, 100, 601000, 3 * DECIMAL_E8, 601500);
    take_payment(USDM, USDT, CASH_FUNDING, 2 * DECIMAL_E8);
    take_payment(USDM, USDT, CASH_TRANSFER, 9 * DECIMAL_E8);
    ledger_value(ledger, 0, &value);
    cr_expect_not(value.known);
    all_tops(600000);
    ledger_value(ledger, 0, &value);
    cr_expect(value.known);
    expect_identity(&value);
    cr_expect_eq(value.start_e8, 30000 * DECIMAL_E8, "half a coin, before anything happened");
    cr_expect_eq(value.part_e8[PNL_FEE], -3 * DECIMAL_E8);
    cr_expect_eq(value.part_e8[PNL_FUNDING], 2 * DECIMAL_E8);
    cr_expect_eq(value.part_e8[PNL_SLIPPAGE], -5 * DECIMAL_E8, "0.1 sold 50 below the decision");
    cr_expect_eq(value.part_e8[PNL_TRADING], 15 * DECIMAL_E8, "and the decision 150 above the first price");
    cr_expect_eq(value.part_e8[PNL_BASIS], 0);
    ledger_value(ledger, NO_INSTANCE, &value);
    cr_expect_eq(value.transfer_e8, 9 * DECIMAL_E8);
}

static void take_mark(uint16_t instrument, int64_t price, int64_t rate_e12, int64_t next_ns)
{
    struct record_mark *mark = (void *)record;
    record_begin(record, RECORD_MARK, 1, stamp_ns)->instrument = instrument;
    mark->mark = price;
    mark->funding_rate_e12 = rate_e12;
    mark->next_funding_ns = next_ns;
    ledger_record(ledger, record);
}

static void take_clock(int64_t wall_ns)
{
    struct record_clock *clock = (void *)record;
    record_begin(record, RECORD_CLOCK, 1, stamp_ns);
    clock->wall_ns = wall_ns;
    ledger_record(ledger, record);
}

static struct ledger_leg leg_of(uint16_t instance, uint16_t instrument)
{
    struct ledger_leg leg;
    uint32_t i = 0;
    while (ledger_leg(ledger, i, &leg) && (leg.instance != instance || leg.instrument != instrument)) {
        i++;
    }
    cr_assert(ledger_leg(ledger, i, &leg), "no such leg");
    return leg;
}

#define HOUR_NS 3600000000000LL

/* Binance: position x mark x rate at the moment; until then the elapsed share of the interval. */
Test(ledger, funding_at_a_moment_runs_up_falls_due_and_is_booked_from_its_row_alone)
{
    int64_t next_ns = 800 * HOUR_NS;
    all_tops(600000);
    struct instrument row = { .index = LINEAR,
                              .venue = VENUE_BINANCE,
                              .product = PRODUCT_LINEAR,
                              .kind = KIND_LINEAR_PERPETUAL,
                              .name = "i1",
                              .symbol = "I1",
                              .price_decimals = 1,
                              .qty_decimals = 3,
                              .base = BTC,
                              .quote = USDT,
                              .settle = USDT,
                              .tick = 1,
                              .lot = 1,
                              .max_qty = 1000000,
                              .funding_interval_s = 8 * 3600,
                              .contract_e8 = DECIMAL_E8 };
    take_blob(RECORD_INSTRUMENT, &row, sizeof row);
    take_fill(0, LINEAR, SIDE_SELL, 500, 600000, 0, 0);
    cr_expect_not(leg_of(0, LINEAR).accrual_known, "no rate was told: unknown, not zero");
    take_mark(LINEAR, 600000, 100000000, next_ns); /* 1 bp: 30,000 short is paid 3 USDT */
    take_clock(next_ns - 2 * HOUR_NS);
    cr_expect(leg_of(0, LINEAR).accrual_known);
    cr_expect_eq(leg_of(0, LINEAR).accrued_e8, 225000000, "six of eight hours");
    cr_expect_eq(leg_of(0, LINEAR).due_ns, 0);
    take_mark(LINEAR, 610000, 200000000, next_ns + 8 * HOUR_NS);
    take_clock(next_ns);
    cr_expect_eq(leg_of(0, LINEAR).due_e8, 3 * DECIMAL_E8, "at the mark and rate that stood then");
    cr_expect_eq(leg_of(0, LINEAR).due_ns, next_ns);
    cr_expect_eq(ledger_cash_e8(ledger, 0, USDM, USDT), 0, "and nothing is booked");
    a_balance(USDM, USDT, 0);
    ledger_record(ledger, record);
    a_balance(USDM, USDT, 299000000);
    ledger_record(ledger, record);
    struct ledger_difference difference[2];
    cr_expect_eq(ledger_differences(ledger, difference, 2), 1);
    cr_expect_eq(difference[0].why, LEDGER_FUNDING_DUE);
    take_payment(USDM, USDT, CASH_FUNDING, 299000000);
    cr_expect_eq(ledger_part_e8(ledger, 0, USDM, USDT, PNL_FUNDING), 299000000, "the venue's word");
    cr_expect_eq(leg_of(0, LINEAR).due_ns, 0);
    cr_expect_eq(ledger_differences(ledger, difference, 2), 0);
}

/* Deribit: rate x position x elapsed / 8 h, every moment; a long one pays a positive rate. */
Test(ledger, continuous_funding_follows_the_rate_that_stood)
{
    struct instrument row = { .index = INVERSE,
                              .venue = VENUE_DERIBIT,
                              .product = PRODUCT_INVERSE,
                              .kind = KIND_INVERSE_PERPETUAL,
                              .name = "i0",
                              .symbol = "I0",
                              .price_decimals = 1,
                              .base = BTC,
                              .quote = USD,
                              .settle = BTC,
                              .tick = 1,
                              .lot = 1,
                              .max_qty = 1000000,
                              .contract_e8 = 10 * DECIMAL_E8 };
    take_blob(RECORD_INSTRUMENT, &row, sizeof row);
    all_tops(600000);
    take_mark(INVERSE, 600000, 800000000, 0);             /* 8 bp for 8 h */
    take_fill(0, INVERSE, SIDE_BUY, 60000, 600000, 0, 0); /* 600,000 USD: 10 coins */
    stamp_ns += HOUR_NS;
    take_mark(INVERSE, 600000, -1600000000, 0);
    cr_expect_eq(leg_of(0, INVERSE).accrued_e8, -100000, "an hour of 1 bp on 10 coins: %lld",
                 (long long)leg_of(0, INVERSE).accrued_e8);
    stamp_ns += HOUR_NS / 2;
    take_fill(0, INVERSE, SIDE_SELL, 30000, 600000, 0, 0);
    cr_expect_eq(leg_of(0, INVERSE).accrued_e8, 0, "half an hour of 2 bp the other way");
    stamp_ns += HOUR_NS;
    take_clock(5000 * HOUR_NS);
    cr_expect_eq(leg_of(0, INVERSE).accrued_e8, 100000, "half the position, now");
    restart(DECIMAL_E8 / 2);
    take_blob(RECORD_INSTRUMENT, &row, sizeof row);
    take_payment(COINM, BTC, CASH_FUNDING, 1);
    cr_expect_eq(ledger_part_e8(ledger, NO_INSTANCE, COINM, BTC, PNL_FUNDING), 1, "no position was restored");
}

/* Both sides consumed the same records: a status that says otherwise is a difference at once. */
Test(ledger, the_strategys_figures_are_compared_at_every_status)
{
    struct ledger_difference difference[4];
    struct ledger_counts counts;
    struct record_status *status = (void *)record;
    all_tops(600000);
    take_fill(0, INVERSE, SIDE_BUY, 60, 600000, 0, 0); /* 0.1 coin */
    take_fill(0, LINEAR, SIDE_SELL, 600, 600000, 0, 0);

    for (int wrong = 0; wrong < 4; wrong++) {
        record_begin(record, RECORD_STATUS, 3, ++stamp_ns);
        status->instance = 0;
        status->quote_qty = 60 + (wrong == 1);
        status->hedge_qty = -600 - (wrong == 2);
        status->delta_e8 = wrong == 3 ? 1000000 : 0; /* the naive one forgets half a percent of a coin */
        ledger_record(ledger, record);
        cr_expect_eq(ledger_differences(ledger, difference, 4), wrong != 0, "%d", wrong);
        if (wrong != 0) {
            cr_expect_eq(difference[0].what,
                         wrong == 3 ? LEDGER_HOT_DELTA_DIFFERS : LEDGER_HOT_POSITION_DIFFERS);
            cr_expect_eq(difference[0].instrument, wrong == 1   ? INVERSE
                                                   : wrong == 2 ? LINEAR
                                                                : NO_INSTRUMENT);
            cr_expect_eq(difference[0].instance, 0);
        }
    }
    ledger_counts(ledger, &counts);
    cr_expect_eq(counts.hot_checks, 4);
}

/* A trade whose price came later: cash and profit are as if it had been told at once. */
Test(ledger, a_price_that_was_open_is_corrected_with_its_fee_and_profit)
{
    struct ledger_value value;
    struct ledger_counts counts;
    all_tops(600000);
    take_fill(0, INVERSE, SIDE_BUY, 60, 600000, 0, 0);
    struct record_report *report = a_fill(0, INVERSE, SIDE_SELL, 60, 0, 0, 0);
    report->flags = REPORT_HAS_LAST | REPORT_PRICE_OPEN;
    report->order_price = 600000;
    ledger_record(ledger, record);
    cr_expect_eq(ledger_part_e8(ledger, 0, COINM, BTC, PNL_TRADING), 0);
    ledger_counts(ledger, &counts);
    cr_expect_eq(counts.open_price, 1);
    report->flags = REPORT_HAS_LAST | REPORT_HAS_FEE | REPORT_HAS_REALISED;
    report->price = 625000; /* 6,000 x (1/60,000 - 1/62,500) = 0.004 */
    report->realised_e8 = 400000;
    report->fee_e8 = 77;
    ledger_record(ledger, record);
    ledger_record(ledger, record);
    cr_expect_eq(ledger_part_e8(ledger, 0, COINM, BTC, PNL_TRADING), 400000);
    cr_expect_eq(ledger_part_e8(ledger, 0, COINM, BTC, PNL_FEE), -77);
    cr_expect_eq(ledger_part_e8(ledger, 0, COINM, BTC, PNL_ROUNDING), 0);
    ledger_counts(ledger, &counts);
    cr_expect_eq(counts.open_price, 0);
    cr_expect_eq(counts.without_fee, 0);
    cr_expect_eq(counts.realised_differs, 0);
    ledger_value(ledger, 0, &value);
    expect_identity(&value);
    cr_expect_eq(ledger_position(ledger, 0, COINM, INVERSE).qty, 0);
}

Test(ledger, interest_is_paid_by_who_owes_and_a_delivery_ends_a_future)
{
    all_tops(600000);
    take_fill(1, SPOT, SIDE_SELL, 12345, 6000000, 0, 0); /* borrowed */
    take_payment(WALLET, BTC, CASH_INTEREST, -55);
    cr_expect_eq(ledger_part_e8(ledger, 1, WALLET, BTC, PNL_FEE), -55);
    cr_expect_eq(ledger_cash_e8(ledger, 1, WALLET, BTC), -12345000 - 55);

    struct record_delivery *delivery = (void *)record;
    take_fill(0, INVERSE, SIDE_BUY, 60, 600000, 0, 0);
    record_begin(record, RECORD_DELIVERY, 1, ++stamp_ns)->instrument = INVERSE;
    delivery->head.account = COINM;
    delivery->price_e8 = 6250000000000;
    ledger_record(ledger, record);
    cr_expect_eq(ledger_position(ledger, 0, COINM, INVERSE).qty, 60, "a perpetual has no end");
}

Test(ledger, what_an_instance_owns_comes_out_of_what_the_account_has)
{
    struct ledger_difference difference[4];
    struct ledger_value value;

    /* Recovery tells balances before RESTORE_DONE: the first word is less what the instance owns, once. */
    a_balance(COINM, BTC, 20 * DECIMAL_E8);
    ledger_record(ledger, record);
    take_plain(RECORD_RESTORE_DONE);
    all_tops(600000);
    cr_expect_eq(ledger_cash_e8(ledger, NO_INSTANCE, COINM, BTC), 1950000000);
    cr_expect_eq(ledger_differences(ledger, difference, 4), 0);
    take_fill(0, LINEAR, SIDE_SELL, 500, 600000, 100, 600000);

    restart(DECIMAL_E8 / 2);
    a_balance(COINM, BTC, 20 * DECIMAL_E8);
    ledger_record(ledger, record);
    cr_expect_eq(ledger_cash_e8(ledger, NO_INSTANCE, COINM, BTC), 1950000000, "as before");
    cr_expect_eq(ledger_cash_e8(ledger, 0, COINM, BTC), DECIMAL_E8 / 2);
    cr_expect_eq(ledger_differences(ledger, difference, 4), 0);

    restart(2 * DECIMAL_E8); /* the owner gives it more */
    cr_expect_eq(ledger_cash_e8(ledger, NO_INSTANCE, COINM, BTC), 1800000000);
    cr_expect_eq(ledger_cash_e8(ledger, 0, COINM, BTC), 2 * DECIMAL_E8);
    all_tops(600000);
    ledger_value(ledger, 0, &value);
    cr_expect(value.known);
    cr_expect_eq(value.start_e8, 120000 * DECIMAL_E8, "it was there all the time");
    cr_expect_eq(value.part_e8[PNL_FEE], -100);
    expect_identity(&value);
    ledger_value(ledger, NO_INSTANCE, &value);
    expect_identity(&value);
    cr_expect_eq(value.start_e8, 1200000 * DECIMAL_E8);
    cr_expect_null(ledger_fault(ledger), "%s", ledger_fault(ledger));

    /* What moved while nobody looked is no opening: it differs until a row of the venue's explains it. */
    restart(2 * DECIMAL_E8);
    a_balance(COINM, BTC, 20 * DECIMAL_E8 + 7);
    ledger_record(ledger, record);
    cr_expect_eq(ledger_differences(ledger, difference, 4), 1);
    cr_expect_eq(difference[0].why, LEDGER_UNEXPLAINED);
    take_payment(COINM, BTC, CASH_TRANSFER, 7);
    cr_expect_eq(ledger_differences(ledger, difference, 4), 0);

    /* Of another run's: it came while no engine ran, and is told apart from profit. */
    away = true;
    restart(2 * DECIMAL_E8);
    a_balance(COINM, BTC, 20 * DECIMAL_E8 + 18);
    ledger_record(ledger, record);
    cr_expect_eq(ledger_differences(ledger, difference, 4), 0);
    a_balance(COINM, BTC, 20 * DECIMAL_E8 + 19);
    ledger_record(ledger, record);
    cr_expect_eq(ledger_differences(ledger, difference, 4), 1, "once");
    all_tops(600000);
    ledger_value(ledger, NO_INSTANCE, &value);
    expect_identity(&value);
    cr_expect_eq(value.transfer_e8, 18 * 60000, "7 and 11");
    cr_expect_null(ledger_fault(ledger), "%s", ledger_fault(ledger));
}

Test(ledger, a_fee_that_was_not_told_is_counted_with_the_rate_we_know)
{
    all_tops(600000);
    struct record_fee *fee = (void *)record;
    record_begin(record, RECORD_FEE, 1, ++stamp_ns)->instrument = LINEAR;
    fee->head.account = USDM;
    fee->maker_centibp = 200;
    fee->taker_centibp = 500;
    ledger_record(ledger, record);
    struct record_report *report = a_fill(0, LINEAR, SIDE_SELL, 100, 600000, 0, 0);
    report->flags = REPORT_HAS_LAST;
    report->liquidity = LIQUIDITY_TAKER;
    ledger_record(ledger, record);
    cr_expect_eq(ledger_part_e8(ledger, 0, USDM, USDT, PNL_FEE), -3 * DECIMAL_E8, "6000 USDT x 5 bp");
    struct ledger_counts counts;
    ledger_counts(ledger, &counts);
    cr_expect_eq(counts.without_fee, 1);
}

Test(ledger, a_fuller_report_of_the_same_execution_corrects_the_fee_once)
{
    all_tops(600000);
    struct record_fee *fee = (void *)record;
    record_begin(record, RECORD_FEE, 1, ++stamp_ns)->instrument = LINEAR;
    fee->head.account = USDM;
    fee->taker_centibp = 500;
    ledger_record(ledger, record);
    struct record_report *report = a_fill(0, LINEAR, SIDE_SELL, 100, 600000, 0, 0);
    report->flags = REPORT_HAS_LAST;
    report->liquidity = LIQUIDITY_TAKER;
    ledger_record(ledger, record);
    report->flags |= REPORT_HAS_FEE;
    report->fee_e8 = 2 * DECIMAL_E8 + 1;
    ledger_record(ledger, record);
    ledger_record(ledger, record);
    cr_expect_eq(ledger_part_e8(ledger, 0, USDM, USDT, PNL_FEE), -(2 * DECIMAL_E8 + 1));
    cr_expect_eq(ledger_position(ledger, 0, USDM, LINEAR).qty, -100);
    struct ledger_counts counts;
    ledger_counts(ledger, &counts);
    cr_expect_eq(counts.without_fee, 0);
    cr_expect(ledger_check(ledger));
}

Test(ledger, cash_follows_the_venues_realised_profit_and_the_difference_is_rounding)
{
    all_tops(600000);
    take_fill(0, INVERSE, SIDE_BUY, 5, 600000, 0, 0);
    int64_t before_e8 = ledger_cash_e8(ledger, 0, COINM, BTC);
    struct record_report *report = a_fill(0, INVERSE, SIDE_SELL, 5, 610000, 0, 0);
    ledger_record(ledger, record);
    int64_t ours_e8 = ledger_cash_e8(ledger, 0, COINM, BTC) - before_e8;
    report->flags |= REPORT_HAS_REALISED;
    report->realised_e8 = ours_e8 - 1;
    ledger_record(ledger, record);
    ledger_record(ledger, record);
    cr_expect_eq(ledger_cash_e8(ledger, 0, COINM, BTC) - before_e8, ours_e8 - 1);
    cr_expect_eq(ledger_part_e8(ledger, 0, COINM, BTC, PNL_TRADING), ours_e8);
    cr_expect_eq(ledger_part_e8(ledger, 0, COINM, BTC, PNL_ROUNDING), -1);
    cr_expect(ledger_check(ledger));
}

/* Two instances on one contract: the venue knows one position with one entry.  What it books to the one that
 * closes first is in part the other's open profit. */
Test(ledger, profit_by_an_entry_that_instances_share_is_not_the_instances)
{
    all_tops(600000);
    take_fill(0, INVERSE, SIDE_BUY, 5, 600000, 0, 0);
    int64_t before_e8 = ledger_cash_e8(ledger, 0, COINM, BTC);
    int64_t nobodys_e8 = ledger_cash_e8(ledger, NO_INSTANCE, COINM, BTC);
    struct record_report *report = a_fill(0, INVERSE, SIDE_SELL, 5, 610000, 0, 0);
    ledger_record(ledger, record);
    int64_t ours_e8 = ledger_cash_e8(ledger, 0, COINM, BTC) - before_e8;
    report->flags |= REPORT_HAS_REALISED;
    report->realised_e8 = ours_e8 + 2369;
    ledger_record(ledger, record);
    ledger_record(ledger, record);
    cr_expect_eq(ledger_cash_e8(ledger, 0, COINM, BTC) - before_e8, ours_e8);
    cr_expect_eq(ledger_cash_e8(ledger, NO_INSTANCE, COINM, BTC) - nobodys_e8, 2369);
    cr_expect_eq(ledger_part_e8(ledger, 0, COINM, BTC, PNL_ROUNDING), 0);
    struct ledger_counts counts;
    ledger_counts(ledger, &counts);
    cr_expect_eq(counts.realised_differs, 1);
    cr_expect(ledger_check(ledger));
}

Test(ledger, both_ends_of_a_trade_with_ourselves_count)
{
    all_tops(600000);
    struct record_report *report = a_fill(0, LINEAR, SIDE_BUY, 7, 600000, 0, 0);
    ledger_record(ledger, record);
    report->side = SIDE_SELL;
    report->last_qty = 4;
    ledger_record(ledger, record);
    cr_expect_eq(ledger_position(ledger, 0, USDM, LINEAR).qty, 3);
}

Test(ledger, a_foreign_fill_belongs_to_nobody)
{
    all_tops(600000);
    struct record_report *report = a_fill(0, INVERSE, SIDE_BUY, 5, 600000, 0, 0);
    report->order = 0;
    report->flags |= REPORT_FOREIGN;
    ledger_record(ledger, record);
    cr_expect_eq(ledger_position(ledger, 0, COINM, INVERSE).qty, 0);
    cr_expect_eq(ledger_position(ledger, NO_INSTANCE, COINM, INVERSE).qty, 5);
}

Test(ledger, nonsense_is_survived)
{
    struct ledger_counts counts;
    all_tops(600000);
    a_fill(0, INVERSE, SIDE_BUY, 0, 600000, 0, 0);
    ledger_record(ledger, record);
    a_fill(0, INVERSE, SIDE_BUY, 5, 0, 0, 0);
    ledger_record(ledger, record);
    a_fill(0, 77, SIDE_BUY, 5, 1, 0, 0);
    ledger_record(ledger, record);
    a_fill(0, NO_INSTRUMENT, SIDE_BUY, 5, 1, 0, 0);
    ledger_record(ledger, record);
    a_fill(0, INVERSE, 9, 5, 1, 0, 0);
    ledger_record(ledger, record);
    a_balance(ACCOUNT_MAX, 999, 1);
    ledger_record(ledger, record);
    ledger_counts(ledger, &counts);
    cr_expect_eq(counts.fills, 1, "an execution without a price moves the position all the same");
    cr_expect_eq(counts.open_price, 1);
    cr_expect_eq(counts.without_price, 4);
    cr_expect(ledger_check(ledger));
}
