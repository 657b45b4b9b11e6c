#include "tools/sim/sim_setup.h"

#include "tools/sim/model/sim_decimal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOURS_8_NS (INT64_C(8) * 3600 * 1000000000)

struct sim_instrument sim_setup_instrument(enum sim_kind kind)
{
    /* clang-format off */
    static const struct sim_instrument contracts[SIM_KIND_COUNT] = {
        [SIM_SPOT] = {
            .symbol = "BTCUSDT", .pair = "BTCUSDT", .base = "BTC", .quote = "USDT", .settle = "USDT",
            .kind = SIM_SPOT, .price_decimals = 2, .qty_decimals = 8, .tick = 1, .step = 1000,
            /* recorded sizes have digits below the step: what is left of old orders */
            .min_qty = 1000, .max_qty = INT64_C(900000000000), .max_market_qty = INT64_C(10000000000), .min_price = 1, .max_price = 100000000,
            .min_notional_e8 = 5 * SIM_CASH_ONE, .band_ppm = 800000, .maker_rate_e8 = 100000,
            .taker_rate_e8 = 100000, .max_orders = 200, .max_amends = 10,
            .first_order_id = UINT64_C(55945750590), .first_trade_id = INT64_C(3735683259),
        },
        [SIM_LINEAR] = {
            .symbol = "BTCUSDT", .pair = "BTCUSDT", .base = "BTC", .quote = "USDT", .settle = "USDT",
            .kind = SIM_LINEAR, .price_decimals = 2, .qty_decimals = 3, .tick = 10, .step = 1, .min_qty = 1,
            .max_qty = 1000000, .max_market_qty = 120000, .min_price = 55680, .max_price = 452976400,
            .min_notional_e8 = 100 * SIM_CASH_ONE, .band_ppm = 50000, .maker_rate_e8 = 20000,
            .taker_rate_e8 = 50000, .maintenance_rate_e8 = 400000, .funding_rate_e8 = 10000,
            .funding_interval_ns = HOURS_8_NS, .max_orders = 200, .max_amends = 10000,
            /* above 2^53: a reader that keeps ids in a double is found out */
            .first_order_id = UINT64_C(8389765739703625592), .first_trade_id = INT64_C(5266583935),
        },
        [SIM_INVERSE] = {
            .symbol = "BTCUSD_PERP", .pair = "BTCUSD", .base = "BTC", .quote = "USD", .settle = "BTC",
            .kind = SIM_INVERSE, .price_decimals = 1, .qty_decimals = 0, .tick = 1, .step = 1, .min_qty = 1,
            .max_qty = 1000000, .max_market_qty = 60000, .min_price = 10000, .max_price = 45200000,
            .contract_size = 100, .band_ppm = 50000, .maker_rate_e8 = 20000, .taker_rate_e8 = 50000,
            .maintenance_rate_e8 = 400000, .funding_rate_e8 = 10000, .funding_interval_ns = HOURS_8_NS,
            .max_orders = 200, .max_amends = 10000,
            .first_order_id = UINT64_C(9007199254760993), .first_trade_id = INT64_C(849714402),
        },
    };
    /* clang-format on */
    return contracts[kind];
}

int sim_setup_kind(const char *name, size_t length)
{
    static const char *const names[] = { "spot", "linear", "inverse" };

    for (int kind = 0; kind < SIM_KIND_COUNT; kind++) {
        if (strlen(names[kind]) == length && strncmp(names[kind], name, length) == 0) {
            return kind;
        }
    }
    return -1;
}

bool sim_setup_account_is(struct sim_account_is *is, const char *word)
{
    const struct {
        const char *word;
        bool *is;
    } words[] = {
        { "hedge", &is->hedge },       { "multi_assets", &is->multi_assets },
        { "isolated", &is->isolated }, { "no_trade", &is->no_trade },
        { "withdraw", &is->withdraw }, { "self_trade", &is->self_trade },
    };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strcmp(words[i].word, word) == 0) {
            *words[i].is = true;
            return true;
        }
    }
    return false;
}

bool sim_setup_balances(struct sim_venue *venue, int account, const char *text)
{
    char *copy = strdup(text), *save = NULL;
    bool good = true;

    for (char *pair = strtok_r(copy, ",", &save); good && pair != NULL; pair = strtok_r(NULL, ",", &save)) {
        char *value = strchr(pair, '='), *dot = strchr(pair, '.');
        int64_t amount = 0;
        int only = -1;

        good = value != NULL;
        if (!good) {
            break;
        }
        *value++ = '\0';
        if (dot != NULL && dot < value - 1) {
            only = sim_setup_kind(pair, (size_t)(dot - pair));
            good = only >= 0;
            pair = dot + 1;
        }
        good =
            good && strlen(pair) < 8 && sim_decimal_parse(value, strlen(value), 8, &amount) == SIM_DECIMAL_OK;
        bool dollars = strstr(pair, "USD") != NULL;
        for (int kind = 0; good && kind < SIM_KIND_COUNT; kind++) {
            bool usual = kind == SIM_SPOT || (dollars ? kind == SIM_LINEAR : kind == SIM_INVERSE);
            if (only >= 0 ? kind == only : usual) {
                sim_venue_deposit(venue, account, (enum sim_kind)kind, pair, amount, 0);
            }
        }
    }
    free(copy);
    return good;
}

bool sim_setup_latency(struct sim_delay *delay, const char *text)
{
    static const char *const lines[SIM_LINE_COUNT] = { "feed", "order", "ack", "private" };
    char *copy = strdup(text), *save = NULL;
    bool good = true;

    for (char *pair = strtok_r(copy, ",", &save); good && pair != NULL; pair = strtok_r(NULL, ",", &save)) {
        char *value = strchr(pair, '=');
        int line = 0;

        good = value != NULL;
        if (!good) {
            break;
        }
        *value++ = '\0';
        while (line < SIM_LINE_COUNT && strcmp(lines[line], pair) != 0) {
            line++;
        }
        char *range = strstr(value, "..");
        size_t low_length = range == NULL ? strlen(value) : (size_t)(range - value);
        const char *high = range == NULL ? value : range + 2;

        good = line < SIM_LINE_COUNT &&
               sim_decimal_parse(value, low_length, 6, &delay->low_ns[line]) == SIM_DECIMAL_OK &&
               sim_decimal_parse(high, strlen(high), 6, &delay->high_ns[line]) == SIM_DECIMAL_OK &&
               delay->low_ns[line] <= delay->high_ns[line];
    }
    free(copy);
    return good;
}
