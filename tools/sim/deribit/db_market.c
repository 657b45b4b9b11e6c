#include "tools/sim/deribit/db_market.h"

#include "tools/sim/model/sim_decimal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DAY_MS  INT64_C(86400000)
#define YEAR_NS 31536e12
#define STRIKE  60000

/* The middle of the dated future is the common one and this much a year more. */
#define BASIS_A_YEAR 0.05

/* --- dates ------------------------------------------------------------------------------------------- */

/* days_of answers the days since 1970 of a date of our calendar. */
static int64_t days_of(int64_t year, int month, int day)
{
    year -= month <= 2;
    int64_t era = year / 400, of_era = year - era * 400;
    int64_t of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

/* expiry answers the last Friday of a quarter, 08:00 UTC, at least 30 days ahead, and its name 25DEC26. */
static int64_t expiry(int64_t now_ns, char name[16])
{
    static const char *const months[] = { "MAR", "JUN", "SEP", "DEC" };
    int64_t earliest = now_ns / 1000000 + 30 * DAY_MS;

    for (int64_t quarter = 0;; quarter++) {
        int64_t year = 1970 + quarter / 4;
        int month = (int)(quarter % 4) * 3 + 3;
        int last = month == 6 || month == 9 ? 30 : 31;
        int64_t day = days_of(year, month, last);
        int64_t back = (day + 4 - 5 + 7) % 7; /* day 0 was a Thursday */
        int64_t at = (day - back) * DAY_MS + DAY_MS / 3;

        if (at >= earliest) {
            snprintf(name, 16, "%d%s%02d", last - (int)back, months[quarter % 4], (int)(year % 100));
            return at;
        }
    }
}

/* --- the list ---------------------------------------------------------------------------------------- */

struct db_listing db_market_listing(enum db_place place, int64_t now_ns)
{
    /* clang-format off */
    static const struct db_listing listings[DB_MARKET_COUNT] = {
        [DB_BTC_PERP]  = { DB_FUTURE, "BTC",  "btc_usd",  "perpetual", DB_FOREVER_MS, 0,      false, 10, true,  124972 },
        [DB_USDC_PERP] = { DB_FUTURE, "USDC", "btc_usdc", "perpetual", DB_FOREVER_MS, 0,      false, 1,  true,  205713 },
        [DB_BTC_DATED] = { DB_FUTURE, "BTC",  "btc_usd",  "month",     0,             0,      false, 10, false, 434107 },
        [DB_CALL]      = { DB_OPTION, "BTC",  "btc_usd",  "month",     0,             STRIKE, true,  10, false, 434212 },
        [DB_PUT]       = { DB_OPTION, "BTC",  "btc_usd",  "month",     0,             STRIKE, false, 10, false, 434213 },
        [DB_USDC_SPOT] = { DB_SPOT,   "USDC", "btc_usdc", "",          DB_FOREVER_MS, 0,      false, 1,  false, 243014 },
        [DB_ETH_PERP]  = { DB_FUTURE, "ETH",  "eth_usd",  "perpetual", DB_FOREVER_MS, 0,      false, 1,  true,  124973 },
    };
    /* clang-format on */
    struct db_listing listing = listings[place];
    char name[16];

    if (listing.expiry_ms == 0) {
        listing.expiry_ms = expiry(now_ns, name);
    }
    return listing;
}

struct sim_instrument db_market_contract(enum db_place place, int64_t now_ns)
{
    /* clang-format off */
    static const struct sim_instrument contracts[DB_MARKET_COUNT] = {
        [DB_BTC_PERP] = {
            .symbol = "BTC-PERPETUAL", .pair = "BTC_USD", .base = "BTC", .quote = "USD", .settle = "BTC",
            .kind = SIM_INVERSE, .price_decimals = 1, .tick = 5, .step = 10, .min_qty = 10, .max_qty = 20000000,
            .max_market_qty = 20000000, .min_price = 5, .max_price = 1000000000, .contract_size = 1,
            .taker_rate_e8 = 50000, .maintenance_rate_e8 = 1000000, .funding_interval_ns = 1,
            .first_order_id = UINT64_C(104819327443), .first_trade_id = INT64_C(403691824), .trade_family = 1,
            .first_trade_seq = INT64_C(271252854),
        },
        [DB_USDC_PERP] = {
            .symbol = "BTC_USDC-PERPETUAL", .pair = "BTC_USDC", .base = "BTC", .quote = "USDC", .settle = "USDC",
            .kind = SIM_LINEAR, .price_decimals = 1, .qty_decimals = 3, .tick = 1, .step = 1, .min_qty = 1,
            .max_qty = 1000000, .max_market_qty = 1000000, .min_price = 1, .max_price = 1000000000,
            .taker_rate_e8 = 50000, .maintenance_rate_e8 = 1000000, .funding_interval_ns = 1,
            .first_order_id = UINT64_C(204819327443), .first_trade_id = 2436803, .trade_family = 2,
            .first_trade_seq = 501899,
        },
        [DB_BTC_DATED] = {
            .symbol = "BTC-", .pair = "BTC_USD", .base = "BTC", .quote = "USD", .settle = "BTC",
            .kind = SIM_INVERSE, .price_decimals = 1, .tick = 25, .step = 10, .min_qty = 10, .max_qty = 20000000,
            .max_market_qty = 20000000, .min_price = 25, .max_price = 1000000000, .contract_size = 1,
            .taker_rate_e8 = 50000, .maintenance_rate_e8 = 1000000,
            .first_order_id = UINT64_C(304819327443), .trade_family = 1, .first_trade_seq = 8132204,
        },
        [DB_CALL] = {
            .symbol = "BTC-", .pair = "BTC_USD", .base = "BTC", .quote = "BTC", .settle = "BTC",
            .kind = SIM_LINEAR, .price_decimals = 4, .qty_decimals = 1, .tick = 5, .step = 1, .min_qty = 1,
            .max_qty = 100000, .max_market_qty = 100000, .min_price = 5, .max_price = 100000,
            .maker_rate_e8 = 30000, .taker_rate_e8 = 30000,
            .first_order_id = UINT64_C(404819327443), .trade_family = 1, .first_trade_seq = 1706,
        },
        [DB_PUT] = {
            .symbol = "BTC-", .pair = "BTC_USD", .base = "BTC", .quote = "BTC", .settle = "BTC",
            .kind = SIM_LINEAR, .price_decimals = 4, .qty_decimals = 1, .tick = 5, .step = 1, .min_qty = 1,
            .max_qty = 100000, .max_market_qty = 100000, .min_price = 5, .max_price = 100000,
            .maker_rate_e8 = 30000, .taker_rate_e8 = 30000,
            .first_order_id = UINT64_C(504819327443), .trade_family = 1, .first_trade_seq = 954,
        },
        [DB_USDC_SPOT] = {
            .symbol = "BTC_USDC", .pair = "BTC_USDC", .base = "BTC", .quote = "USDC", .settle = "USDC",
            .kind = SIM_SPOT, .price_decimals = 0, .qty_decimals = 4, .tick = 1, .step = 1, .min_qty = 1,
            .max_qty = 10000000, .max_market_qty = 10000000, .min_price = 1, .max_price = 100000000,
            .first_order_id = UINT64_C(604819327443), .first_trade_id = 2436803, .trade_family = 2,
            .first_trade_seq = 88210,
        },
        [DB_ETH_PERP] = {
            .symbol = "ETH-PERPETUAL", .pair = "ETH_USD", .base = "ETH", .quote = "USD", .settle = "ETH",
            .kind = SIM_INVERSE, .price_decimals = 2, .tick = 5, .step = 1, .min_qty = 1, .max_qty = 20000000,
            .max_market_qty = 20000000, .min_price = 5, .max_price = 1000000000, .contract_size = 1,
            .taker_rate_e8 = 50000, .maintenance_rate_e8 = 1000000, .funding_interval_ns = 1,
            .first_order_id = UINT64_C(584849853), .first_trade_id = 284830839, .trade_family = 3,
            .first_trade_seq = 203024587,
        },
    };
    /* clang-format on */
    struct sim_instrument contract = contracts[place];
    char name[16];

    contract.max_orders = 200;
    contract.max_amends = 1000000000;
    int64_t expiry_ms = expiry(now_ns, name);
    if (place == DB_BTC_DATED || place == DB_CALL || place == DB_PUT) {
        contract.expiry_ms = expiry_ms;
    }
    if (place == DB_BTC_DATED) {
        snprintf(contract.symbol, sizeof contract.symbol, "BTC-%s", name);
    } else if (place == DB_CALL || place == DB_PUT) {
        snprintf(contract.symbol, sizeof contract.symbol, "BTC-%s-%d-%c", name, STRIKE,
                 place == DB_CALL ? 'C' : 'P');
    }
    return contract;
}

int db_market_place(const char *name, size_t length)
{
    static const struct {
        const char *name;
        enum db_place place;
    } places[] = { { "inverse", DB_BTC_PERP }, { "linear", DB_USDC_PERP }, { "spot", DB_USDC_SPOT } };

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        if (strlen(places[i].name) == length && strncmp(places[i].name, name, length) == 0) {
            return places[i].place;
        }
    }
    return -1;
}

struct sim_rules db_market_rules(void)
{
    return (struct sim_rules){
        .one_wallet = true, .names_repeat = true, .fok_expires = true, .touch_in_depth = true, .accrues = true
    };
}

/* --- prices of what is made ---------------------------------------------------------------------------- */

static double normal(double x)
{
    return 0.5 * erfc(-x * M_SQRT1_2);
}

struct db_greeks db_market_greeks(double future, double strike, double years, double volatility, bool call)
{
    years = years > 1e-9 ? years : 1e-9; /* at the very end the limit, not a division by zero */
    double spread = volatility * sqrt(years);
    double d1 = (log(future / strike) + spread * spread / 2) / spread, d2 = d1 - spread;
    double density = exp(-d1 * d1 / 2) / sqrt(2 * M_PI);
    double days = years * 365 < 1 ? years * 365 : 1; /* a day's decay, or what life is left */
    double sign = call ? 1 : -1;
    struct db_greeks greeks = {
        .price = sign * (normal(sign * d1) - strike / future * normal(sign * d2)),
        .delta = sign * normal(sign * d1),
        .gamma = density / (future * spread),
        .vega = future * density * sqrt(years) / 100,
        .theta = -future * density * volatility / (2 * sqrt(years)) / 365 * days,
        .rho = sign * strike * years * normal(sign * d2) / 100,
    };

    return greeks;
}

int64_t db_market_middle(const struct sim_instrument *instrument, int64_t middle_e8, int64_t now_ns)
{
    double left = ((double)instrument->expiry_ms * 1e6 - (double)now_ns) / YEAR_NS;

    if (strcmp(instrument->base, "ETH") == 0) {
        return middle_e8 / 20;
    }
    if (instrument->expiry_ms == 0) {
        return middle_e8;
    }
    left = left > 0 ? left : 0;

    double dated = (double)middle_e8 * (1 + BASIS_A_YEAR * left);

    if (strcmp(instrument->quote, instrument->base) == 0) {
        bool call = instrument->symbol[strlen(instrument->symbol) - 1] == 'C';
        struct db_greeks greeks = db_market_greeks(dated / 1e8, STRIKE, left, DB_VOLATILITY, call);

        return (int64_t)(greeks.price * 1e8);
    }
    return (int64_t)dated;
}

bool db_market_balances(struct sim_venue *venue, int account, const char *text)
{
    char *copy = strdup(text), *save = NULL;
    bool good = true;

    for (char *pair = strtok_r(copy, ",", &save); good && pair != NULL; pair = strtok_r(NULL, ",", &save)) {
        char *value = strchr(pair, '=');
        int64_t amount = 0;

        good = value != NULL && (size_t)(value - pair) < 8 &&
               sim_decimal_parse(value + 1, strlen(value + 1), 8, &amount) == SIM_DECIMAL_OK;
        if (good) {
            *value = '\0';
            sim_venue_deposit(venue, account, SIM_SPOT, pair, amount, 0);
        }
    }
    free(copy);
    return good;
}
