/* Examples that one can follow with a pencil: examples.py tells each as a few steps and says, in exact
 * fractions, what cash must be there and what all of it is worth at three prices. */
#include "cold/ledger.h"

#include "ring/account.h"
#include "ring/order_id.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum { USD = 0, BTC, USDT, ETH, CURRENCIES };
enum { EX_INVERSE, EX_LINEAR, EX_SPOT, EX_QUANTO, EX_DATED, EX_CALL, EX_PUT, EX_SHARE, EX_POOL, EX_COUNT };
enum step_kind { EX_FILL, EX_CASH, EX_DELIVER, EX_HELD, EX_REPRICE };

struct step {
    enum step_kind kind;
    int of;
    int64_t value[5];
};

struct example {
    const char *title;
    int64_t coin_e8;
    int count;
    struct step step[6];
    int64_t cash_e8[CURRENCIES];
    int64_t equity_e8[3]; /* at the prices below, 10 % above, 10 % below */
};

#include "tests/cold/ledger/examples.h"

static const struct {
    enum product product;
    enum instrument_kind kind;
    int price_decimals, qty_decimals;
    int64_t contract_e8;
    uint16_t base, quote, settle;
    enum option_type option;
    int64_t strike;
    int64_t price;
} rows[EX_COUNT] = {
    /* clang-format off */
    [EX_INVERSE] = { PRODUCT_INVERSE, KIND_INVERSE_PERPETUAL, 1, 0, 100 * DECIMAL_E8, BTC, USD,  BTC,  0, 0,               600000 },
    [EX_LINEAR]  = { PRODUCT_LINEAR,  KIND_LINEAR_PERPETUAL,  1, 3, DECIMAL_E8,       BTC, USDT, USDT, 0, 0,               600000 },
    [EX_SPOT]    = { PRODUCT_SPOT,    KIND_SPOT,              2, 5, DECIMAL_E8,       BTC, USDT, USDT, 0, 0,               6000000 },
    [EX_QUANTO]  = { PRODUCT_INVERSE, KIND_QUANTO_PERPETUAL,  2, 0, 100,              ETH, USD,  BTC,  0, 0,               300000 },
    [EX_DATED]   = { PRODUCT_INVERSE, KIND_INVERSE_FUTURE,    1, 0, 10 * DECIMAL_E8,  BTC, USD,  BTC,  0, 0,               605000 },
    [EX_CALL]    = { PRODUCT_OPTION,  KIND_OPTION,            4, 1, DECIMAL_E8,       BTC, BTC,  BTC,  OPTION_CALL, 60000, 500 },
    [EX_PUT]     = { PRODUCT_OPTION,  KIND_OPTION,            1, 2, DECIMAL_E8,       BTC, USDT, USDT, OPTION_PUT,  62000, 25000 },
    [EX_SHARE]   = { PRODUCT_SPOT,    KIND_ETF_SHARE,         2, 0, 57000,            BTC, USD,  USD,  0, 0,               3400 },
    [EX_POOL]    = { PRODUCT_SPOT,    KIND_AMM_POOL,          2, 5, DECIMAL_E8,       BTC, USDT, USDT, 0, 0,               6000000 },
    /* clang-format on */
};

static struct ledger *ledger;
static struct slot record[RECORD_SLOTS_MAX];
static uint64_t stamp_ns, counter;

static void blob(enum record_type type, const void *bytes, size_t count)
{
    record_begin(record, type, record_slots_for_blob(count), ++stamp_ns);
    record_blob_write(record, bytes, count);
    ledger_record(ledger, record);
}

static void begin(const struct example *example)
{
    ledger = ledger_make();
    cr_assert_not_null(ledger);
    struct risk_params risk = { .report_currency = USD };
    blob(RECORD_RISK, &risk, sizeof risk);
    for (uint16_t i = 0; i < EX_COUNT; i++) {
        struct instrument row = { .index = i,
                                  .venue = VENUE_BINANCE,
                                  .product = (uint8_t)rows[i].product,
                                  .kind = (uint8_t)rows[i].kind,
                                  .price_decimals = (uint8_t)rows[i].price_decimals,
                                  .qty_decimals = (uint8_t)rows[i].qty_decimals,
                                  .base = rows[i].base,
                                  .quote = rows[i].quote,
                                  .settle = rows[i].settle,
                                  .tick = 1,
                                  .lot = 1,
                                  .min_qty = 1,
                                  .max_qty = 1000000,
                                  .option = (uint8_t)rows[i].option,
                                  .strike_e8 = rows[i].strike * DECIMAL_E8,
                                  .contract_e8 = rows[i].contract_e8 };
        snprintf(row.name, sizeof row.name, "i%u", i);
        snprintf(row.symbol, sizeof row.symbol, "I%u", i);
        cr_assert_null(instrument_check(&row), "%s", instrument_check(&row));
        blob(RECORD_INSTRUMENT, &row, sizeof row);
    }
    struct record_convert *convert = (void *)record;
    static const uint16_t from[] = { USDT, ETH };
    static const int64_t rate_e8[] = { DECIMAL_E8, 3000 * DECIMAL_E8 };
    for (size_t i = 0; i < 2; i++) {
        record_begin(record, RECORD_CONVERT, 1, ++stamp_ns);
        convert->from = from[i];
        convert->to = USD;
        convert->fixed_e8 = rate_e8[i];
        ledger_record(ledger, record);
    }
    /* The instance's legs are whatever the example trades; its coin's price is the inverse perpetual's. */
    uint16_t legs[3] = { EX_INVERSE, EX_LINEAR, NO_INSTRUMENT };
    for (int i = 0; i < example->count; i++) {
        uint16_t of = (uint16_t)example->step[i].of;
        if (of != legs[0] && of != legs[1]) {
            cr_assert(legs[2] == NO_INSTRUMENT || legs[2] == of);
            legs[2] = of;
        }
    }
    struct quote_params params = { .kind = STRATEGY_QUOTE,
                                   .quote_instrument = legs[0],
                                   .hedge_instrument = legs[1],
                                   .second_instrument = legs[2],
                                   .delta_basis = DELTA_USD,
                                   .allocation_e8 = example->coin_e8 };
    blob(RECORD_PARAMS, &params, sizeof params);
    ledger_names(ledger, BTC, EX_INVERSE);
}

static void revalue(int percent)
{
    for (uint16_t i = 0; i < EX_COUNT; i++) {
        bool option = rows[i].kind == KIND_OPTION;
        struct record_top *top = (void *)record;
        record_begin(record, RECORD_TOP, 1, ++stamp_ns)->instrument = i;
        top->bid_price = top->ask_price = option ? rows[i].price : rows[i].price * percent / 100;
        top->bid_qty = top->ask_qty = 1;
        ledger_record(ledger, record);
    }
}

static struct record_report last;

static void take(const struct step *step)
{
    const int64_t *v = step->value;
    switch (step->kind) {
    case EX_FILL: {
        struct record_report *report = (void *)record;
        record_begin(record, RECORD_FILL, 3, ++stamp_ns)->instrument = (uint16_t)step->of;
        report->head.account = 0;
        report->order = order_id_make(1, 0, 1, ++counter);
        report->exec_id = counter;
        report->side = (uint8_t)v[0];
        report->last_qty = v[1];
        report->price = v[2];
        report->fee_e8 = v[3];
        report->fee_currency = (uint16_t)v[4];
        report->flags = REPORT_HAS_LAST | REPORT_HAS_FEE | REPORT_QUOTE_QTY;
        report->order_qty = 1000; /* in quote currency: says nothing about what was bought */
        if (step[1].kind == EX_REPRICE) {
            report->flags |= REPORT_PRICE_OPEN;
            report->order_price = v[2];
            report->price = 0;
        }
        last = *report;
        break;
    }
    case EX_REPRICE:
        memset(record, 0, sizeof record);
        memcpy(record, &last, sizeof last);
        ((struct record_report *)(void *)record)->price = v[2];
        ((struct record_report *)(void *)record)->flags = REPORT_HAS_LAST | REPORT_HAS_FEE;
        break;
    case EX_CASH: {
        struct record_balance *balance = (void *)record;
        record_begin(record, RECORD_BALANCE, 1, ++stamp_ns)->instrument = (uint16_t)step->of;
        balance->head.account = 0;
        balance->reason = (uint8_t)v[0];
        balance->change_e8 = v[1];
        balance->currency = (uint16_t)v[4];
        balance->total_e8 = INT64_MIN;
        balance->venue_time_ns = (int64_t)stamp_ns;
        break;
    }
    case EX_DELIVER: {
        struct record_delivery *delivery = (void *)record;
        record_begin(record, RECORD_DELIVERY, 1, ++stamp_ns)->instrument = (uint16_t)step->of;
        delivery->head.account = 0;
        delivery->price_e8 = v[0];
        break;
    }
    case EX_HELD: {
        struct record_restore_position *held = (void *)record;
        int128 notional_e12 = (int128)v[1] * 100000000; /* in 1e-4 */
        record_begin(record, RECORD_RESTORE_POSITION, 1, ++stamp_ns)->instrument = (uint16_t)step->of;
        held->head.account = 0;
        held->instance = NO_INSTANCE;
        held->qty = v[0];
        held->notional_high = (int64_t)(notional_e12 >> 64);
        held->notional_low = (uint64_t)notional_e12;
        break;
    }
    }
    ledger_record(ledger, record);
}

#define SATOSHI 70000 /* of a coin at 66,000, in 1e-8 USD */

Test(ledger_examples, every_example_comes_to_what_the_hand_worked_out)
{
    static const int moves[] = { 100, 110, 90 };
    for (size_t i = 0; i < POISE_COUNT_OF(examples); i++) {
        const struct example *example = &examples[i];
        struct ledger_value value;
        begin(example);
        revalue(100);
        for (int k = 0; k < example->count; k++) {
            take(&example->step[k]);
            cr_assert_null(ledger_fault(ledger), "%s: %s", example->title, ledger_fault(ledger));
        }
        for (uint16_t c = 0; c < CURRENCIES; c++) {
            int64_t is = ledger_cash_e8(ledger, 0, 0, c);
            cr_expect(base_abs(is - example->cash_e8[c]) <= 1, "%s: cash %u is %lld, by hand %lld",
                      example->title, c, (long long)is, (long long)example->cash_e8[c]);
        }
        for (size_t m = 0; m < POISE_COUNT_OF(moves); m++) {
            revalue(moves[m]);
            ledger_value(ledger, 0, &value);
            cr_assert(value.known);
            cr_expect(base_abs(value.equity_e8 - example->equity_e8[m]) <= 3 * SATOSHI,
                      "%s: at %d %% it is worth %lld, by hand %lld", example->title, moves[m],
                      (long long)value.equity_e8, (long long)example->equity_e8[m]);
            int64_t sum = value.start_e8 + value.transfer_e8;
            for (int part = 0; part < PNL_PART_COUNT; part++) {
                sum += value.part_e8[part];
            }
            cr_expect_eq(sum, value.equity_e8, "%s", example->title);
        }
        ledger_free(ledger);
    }
}

/* What the examples are there to show, said of the figures themselves. */
Test(ledger_examples, the_inverse_short_is_flat_and_the_naive_hedge_is_not)
{
    cr_expect_eq(examples[0].equity_e8[1], examples[0].equity_e8[0]);
    cr_expect_eq(examples[0].equity_e8[2], examples[0].equity_e8[0]);
    cr_expect_eq(examples[1].equity_e8[0] - examples[1].equity_e8[1], 6000 * DECIMAL_E8,
                 "a short of one coin");

    struct ledger_value value;
    begin(&examples[2]);
    revalue(100);
    take(&examples[2].step[0]);
    ledger_value(ledger, 0, &value);
    cr_expect_eq(value.delta_e8, -50000, "a fee paid in coin leaves the leg short by it");
    ledger_free(ledger);
}
