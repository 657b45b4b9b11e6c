#include "bench/market.h"
#include "ring/decimal.h"

#include <string.h>

#define SECOND_NS 1000000000LL

static struct instrument leg(struct instrument_table *table, uint32_t which)
{
    struct instrument row = { .status = INSTRUMENT_TRADING,
                              .base = currency_find(table, "BTC", 3, true),
                              .contract_e8 = DECIMAL_E8 };
    if (which == MARKET_INVERSE) {
        strcpy(row.name, "deribit.inverse.BTC-PERPETUAL");
        strcpy(row.symbol, "BTC-PERPETUAL");
        row.venue = VENUE_DERIBIT;
        row.product = PRODUCT_INVERSE;
        row.kind = KIND_INVERSE_PERPETUAL;
        row.quote = currency_find(table, "USD", 3, true);
        row.settle = row.base;
        row.price_decimals = 4;
        row.tick = MARKET_TICK;
        row.lot = row.min_qty = 10;
        row.max_qty = 10000000;
        row.max_price = 10000000000;
        row.funding_interval_s = 8 * 3600;
    } else {
        strcpy(row.name, "binance.linear.BTCUSDT");
        strcpy(row.symbol, "BTCUSDT");
        row.venue = VENUE_BINANCE;
        row.product = PRODUCT_LINEAR;
        row.kind = KIND_LINEAR_PERPETUAL;
        row.quote = row.settle = currency_find(table, "USDT", 4, true);
        row.price_decimals = 1;
        row.tick = row.lot = row.min_qty = 1;
        row.max_qty = 1000000;
        row.max_price = 10000000;
        row.qty_decimals = 3;
        row.min_notional_e8 = 100 * DECIMAL_E8;
    }
    return row;
}

/* Rates and credits are far above what a bench sends: they are counted, and refuse nothing. */
void market_tables(struct instrument_table *instruments, struct account_table *accounts)
{
    static const struct credit_limit credits = { 1000000, 1000000000 };
    instrument_table_reset(instruments);
    memset(accounts, 0, sizeof *accounts);
    for (uint16_t i = 0; i < MARKET_LEGS; i++) {
        struct instrument row = leg(instruments, i);
        POISE_ASSERT(instrument_add(instruments, &row) == i);
        struct account *account = &accounts->row[accounts->count++];
        *account = (struct account){ .index = i,
                                     .venue = row.venue,
                                     .product = row.product,
                                     .order_rate_10s = 10000000,
                                     .order_rate_60s = 60000000,
                                     .reserve_percent = 20,
                                     .weight_rate_60s = 60000000 };
        strcpy(account->name, i == MARKET_INVERSE ? "deribit" : "usdm");
        if (account_venues[row.venue].one_login) {
            account->product = PRODUCT_ALL;
        }
        for (int k = CREDIT_NONE + 1; row.venue == VENUE_DERIBIT && k < CREDIT_COUNT; k++) {
            account->credit[k] = credits;
        }
    }
}

static const struct quote_params quote = { .name = "btc",
                                           .instance = 7,
                                           .kind = STRATEGY_QUOTE,
                                           .enabled = 1,
                                           .quote_instrument = MARKET_INVERSE,
                                           .quote_account = MARKET_INVERSE,
                                           .hedge_instrument = MARKET_LINEAR,
                                           .hedge_account = MARKET_LINEAR,
                                           .second_instrument = NO_INSTRUMENT,
                                           .second_account = NO_ACCOUNT,
                                           .delta_basis = DELTA_USD,
                                           .post_only = 1,
                                           .levels = 1,
                                           .sides = 3,
                                           .size = MARKET_SIZE,
                                           .max_spread_centibp = 1000,
                                           .max_depth_percent = 50,
                                           .max_inventory = 100 * MARKET_SIZE,
                                           .fair_bound_centibp = 2000,
                                           .quote_stale_ns = 60 * SECOND_NS,
                                           .hedge_stale_ns = 60 * SECOND_NS,
                                           .hedge_band_centibp = 500,
                                           .emergency_band_centibp = 5000,
                                           .hedge_timeout_ns = 30 * SECOND_NS,
                                           .max_naked_e8 = 10 * DECIMAL_E8,
                                           .max_naked_ns = 30 * SECOND_NS,
                                           .ladder_step_ns = SECOND_NS,
                                           .max_fee_surprise_centibp = 200,
                                           .position_grace_ns = 60 * SECOND_NS };

static struct risk_params risk(const struct instrument_table *instruments)
{
    return (struct risk_params){ .max_order_e8 = 1000000LL * DECIMAL_E8,
                                 .max_position_e8 = 1000 * DECIMAL_E8,
                                 .max_delta_e8 = 100 * DECIMAL_E8,
                                 .price_band_centibp = 20000,
                                 .max_orders_per_s = 1000000,
                                 .max_open_orders = 100,
                                 .max_unknown = 3,
                                 .max_rejects_per_min = 20,
                                 .report_currency = instruments->row[MARKET_INVERSE].quote };
}

struct builder {
    uint64_t now_ns;
    void (*say)(void *context, const struct slot *record);
    void *context;
};

static void say_blob(const struct builder *builder, enum record_type type, const void *blob, size_t bytes)
{
    struct slot record[RECORD_SLOTS_MAX] = { 0 };
    record_begin(record, type, record_slots_for_blob(bytes), builder->now_ns);
    record_blob_write(record, blob, bytes);
    builder->say(builder->context, record);
}

void market_build(const struct instrument_table *instruments, const struct account_table *accounts,
                  uint64_t now_ns, int64_t wall_ns, void (*say)(void *context, const struct slot *record),
                  void *context)
{
    struct builder builder = { now_ns, say, context };
    struct slot slot[2] = { 0 };
    struct record_begin_run *begin = (struct record_begin_run *)record_begin(slot, RECORD_BEGIN, 2, now_ns);
    begin->run = 1;
    begin->engine = MARKET_ENGINE;
    begin->mode = MODE_SIM;
    begin->wall_ns = wall_ns;
    say(context, slot);

    for (uint32_t i = 0; i < MARKET_LEGS; i++) {
        say_blob(&builder, RECORD_INSTRUMENT, &instruments->row[i], sizeof instruments->row[i]);
    }
    for (uint16_t i = 0; i < MARKET_LEGS; i++) {
        say_blob(&builder, RECORD_ACCOUNT, &accounts->row[i], sizeof accounts->row[i]);
        struct record_fee *fee = (struct record_fee *)record_begin(slot, RECORD_FEE, 1, now_ns);
        fee->head.account = i;
        fee->head.instrument = i;
        fee->maker_centibp = 100;
        fee->taker_centibp = 400;
        say(context, slot);
    }
    struct record_convert *convert = (struct record_convert *)record_begin(slot, RECORD_CONVERT, 1, now_ns);
    convert->from = instruments->row[MARKET_LINEAR].quote;
    convert->to = instruments->row[MARKET_INVERSE].quote;
    convert->fixed_e8 = DECIMAL_E8;
    say(context, slot);

    struct risk_params limits = risk(instruments);
    say_blob(&builder, RECORD_RISK, &limits, sizeof limits);
    say_blob(&builder, RECORD_PARAMS, &quote, sizeof quote);
    struct record_counter_block *ids =
        (struct record_counter_block *)record_begin(slot, RECORD_RESTORE_COUNTER, 1, now_ns);
    ids->next = 1;
    ids->end = 1ULL << 32;
    say(context, slot);
    record_begin(slot, RECORD_RESTORE_DONE, 1, now_ns);
    say(context, slot);
}

/* From tenths to the quoted leg's units, with the cost: then to its tick, away from the touch. */
#define COST_ONE 1000LL

int64_t market_bid(int64_t hedge_price)
{
    return hedge_price * (1000000 - MARKET_COST_CENTIBP) / (COST_ONE * MARKET_TICK) * MARKET_TICK;
}

int64_t market_ask(int64_t hedge_price)
{
    return (hedge_price * (1000000 + MARKET_COST_CENTIBP) + COST_ONE * MARKET_TICK - 1) /
           (COST_ONE * MARKET_TICK) * MARKET_TICK;
}
