#include "config/config_parts.h"
#include "ring/decimal.h"

#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Splits "binance.inverse.BTCUSD_PERP" and remembers it once; false with a fault told. */
static bool take_instrument(struct config *config, const char *name, int line, const char *path,
                            struct config_instrument *out)
{
    for (uint32_t i = 0; i < config->instrument_count; i++) {
        if (strcmp(config->instrument[i].name, name) == 0) {
            *out = config->instrument[i];
            return true;
        }
    }

    struct config_instrument made = { .line = line };
    char venue[INSTRUMENT_NAME_BYTES];
    char product[INSTRUMENT_NAME_BYTES];
    const char *first = strchr(name, '.');
    const char *second = first == NULL ? NULL : strchr(first + 1, '.');

    if (second == NULL || second[1] == '\0' || strlen(second + 1) >= sizeof made.symbol) {
        config_tell(config, line, "%s = \"%s\": must be VENUE.PRODUCT.SYMBOL, as in binance.linear.BTCUSDT",
                    path, name);
        return false;
    }
    snprintf(venue, sizeof venue, "%.*s", (int)(first - name), name);
    snprintf(product, sizeof product, "%.*s", (int)(second - first - 1), first + 1);
    for (uint8_t id = VENUE_NONE + 1; id < VENUE_COUNT; id++) {
        if (strcmp(venue_names[id], venue) == 0) {
            made.venue = id;
        }
    }
    for (uint8_t id = PRODUCT_NONE + 1; id < PRODUCT_ALL; id++) {
        if (strcmp(product_names[id], product) == 0) {
            made.product = id;
        }
    }
    if (made.venue == VENUE_NONE) {
        config_tell_venue(config, line, venue);
        return false;
    }
    if (made.product == PRODUCT_NONE) {
        config_tell(config, line, "%s = \"%s\": product must be one of spot, linear, inverse, option", path,
                    name);
        return false;
    }
    snprintf(made.name, sizeof made.name, "%s", name);
    snprintf(made.symbol, sizeof made.symbol, "%s", second + 1);
    if (config->instrument_count >= CONFIG_INSTRUMENTS_MAX) {
        config_tell(config, line, "%s = \"%s\": more than %d instruments", path, name,
                    CONFIG_INSTRUMENTS_MAX);
        return false;
    }
    config->instrument[config->instrument_count++] = made;
    *out = made;
    return true;
}

static const struct config_account *account_called(const struct config *config, const char *name)
{
    for (uint32_t i = 0; i < config->account_count; i++) {
        if (strcmp(config->account[i].row.name, name) == 0) {
            return &config->account[i];
        }
    }
    return NULL;
}

/* Some kinds are known by their name alone; the venue's metadata tells the others (config_bind). */
static bool is_untraded(struct config *config, int line, const char *path,
                        const struct config_instrument *instrument)
{
    const char *what = instrument->product == PRODUCT_OPTION ? "an option"
                       : instrument->venue == VENUE_ALPACA   ? "a share"
                       : instrument->venue == VENUE_THENA    ? "a pool"
                                                             : NULL;
    if (what != NULL) {
        config_tell(config, line,
                    "%s = \"%s\": %s: its profit and exposure are understood, and no strategy trades "
                    "it yet: name a spot, perpetual or dated contract",
                    path, instrument->name, what);
    }
    return what != NULL;
}

/* One leg: the instrument's form, the account's existence, and that one can trade the other. */
static void check_leg(struct config *config, uint32_t i, const char *leg_key, const char *leg,
                      const char *account_key, const char *account)
{
    char path[KEY_PATH_BYTES];
    struct config_instrument instrument = { .venue = VENUE_NONE };
    bool known = false;

    if (config_sound(config, "quote", leg_key, i)) {
        known = take_instrument(config, leg, config_line_of(config, "quote", leg_key, i),
                                config_key_path(config, "quote", i, leg_key, path), &instrument);
    }
    if (known && is_untraded(config, config_line_of(config, "quote", leg_key, i), path, &instrument)) {
        return;
    }
    if (!config_sound(config, "quote", account_key, i)) {
        return;
    }
    int line = config_line_of(config, "quote", account_key, i);
    const struct config_account *row = account_called(config, account);
    config_key_path(config, "quote", i, account_key, path);
    if (row == NULL) {
        const char *nearest = NULL;
        uint32_t least = UINT32_MAX;
        for (uint32_t k = 0; k < config->account_count; k++) {
            uint32_t distance = params_distance(config->account[k].row.name, account);
            if (distance < least) {
                least = distance;
                nearest = config->account[k].row.name;
            }
        }
        if (nearest == NULL) {
            config_tell(config, line, "%s = \"%s\": there is no [[account]]", path, account);
        } else {
            config_tell(config, line, "%s = \"%s\": there is no such [[account]]: did you mean \"%s\"?", path,
                        account, nearest);
        }
        return;
    }
    if (known && row->row.venue != VENUE_NONE && row->row.product != PRODUCT_NONE &&
        !account_trades(&row->row, instrument.venue, instrument.product)) {
        config_tell(config, line, "%s = \"%s\": that is an account of %s.%s, and %s is traded on another",
                    path, account, venue_names[row->row.venue], product_names[row->row.product], leg);
    }
}

static int64_t compare_decimals(const char *a, const char *b)
{
    /* Twelve decimals are the finest unit there is; both were read before. */
    int64_t left = 0;
    int64_t right = 0;
    for (int decimals = 12; decimals >= 0; decimals--) {
        if (decimal_parse(a, strlen(a), decimals, &left) == DECIMAL_OK &&
            decimal_parse(b, strlen(b), decimals, &right) == DECIMAL_OK) {
            return left < right ? -1 : left > right;
        }
    }
    return 0; /* no unit holds both: binding to the instrument will refuse them */
}

static bool both_sound(const struct config *config, uint32_t i, const char *a, const char *b)
{
    return config_sound(config, "quote", a, i) && config_sound(config, "quote", b, i);
}

static long long in_ms(int64_t ns)
{
    return (long long)(ns / 1000000);
}

static void check_legs(struct config *config, uint32_t i)
{
    struct config_quote *quote = &config->quote[i];
    bool second = quote->second_leg[0] != '\0';

    check_leg(config, i, "quote_leg", quote->quote_leg, "quote_account", quote->quote_account);
    check_leg(config, i, "hedge_leg", quote->hedge_leg, "hedge_account", quote->hedge_account);
    if (second && quote->second_account[0] != '\0') {
        check_leg(config, i, "second_leg", quote->second_leg, "second_account", quote->second_account);
    } else if (second || quote->second_account[0] != '\0') {
        config_tell_quote(config, i, second ? "second_leg" : "second_account",
                          ": second_leg and second_account go together");
    }
    if (config_sound(config, "quote", "quote_leg", i) && strcmp(quote->quote_leg, quote->hedge_leg) == 0) {
        config_tell_quote(config, i, "hedge_leg",
                          " = \"%s\": must be another instrument than quote_leg (a leg cannot hedge itself)",
                          quote->hedge_leg);
    }
    if (second && (strcmp(quote->second_leg, quote->hedge_leg) == 0 ||
                   strcmp(quote->second_leg, quote->quote_leg) == 0)) {
        config_tell_quote(config, i, "second_leg",
                          " = \"%s\": must be another instrument than the two legs (it stands in for one)",
                          quote->second_leg);
    }
}

/* An instance without a naked time of its own has the engine's, and so its line. */
static void inherit_naked_time(struct config *config, uint32_t i)
{
    struct quote_params *params = &config->quote[i].params;
    const struct config_value *engine = config_value_of(config, params_row_find("risk", "max_naked_ms"), 0);
    struct config_value *own = config_value_of(config, params_row_find("quote", "max_naked_ms"), i);

    if (params->max_naked_ns == 0 && !own->faulty) {
        params->max_naked_ns = config->max_naked_ns;
        own->line = engine->line;
        own->faulty = engine->faulty;
    }
}

static void check_hedging(struct config *config, uint32_t i)
{
    const struct quote_params *params = &config->quote[i].params;

    inherit_naked_time(config, i);
    if (config_sound(config, "quote", "max_naked_ms", i) && config_sound(config, "risk", "max_naked_ms", 0) &&
        params->max_naked_ns > config->max_naked_ns) {
        config_tell_quote(config, i, "max_naked_ms", " = %lld: must not exceed risk.max_naked_ms = %lld",
                          in_ms(params->max_naked_ns), in_ms(config->max_naked_ns));
    }
    if (both_sound(config, i, "max_naked_ms", "hedge_timeout_ms") &&
        params->max_naked_ns < params->hedge_timeout_ns) {
        config_tell_quote(config, i, "max_naked_ms",
                          " = %lld: must be at least hedge_timeout_ms = %lld (or the ladder starts before a "
                          "hedge can answer)",
                          in_ms(params->max_naked_ns), in_ms(params->hedge_timeout_ns));
    }
    if (both_sound(config, i, "hedge_band_bp", "emergency_band_bp") &&
        params->emergency_band_centibp < params->hedge_band_centibp) {
        config_tell_quote(config, i, "emergency_band_bp",
                          ": must be at least hedge_band_bp (it is the wider)");
    }
    if (config_sound(config, "quote", "emergency_band_bp", i) &&
        config_sound(config, "risk", "price_band_bp", 0) &&
        params->emergency_band_centibp > config->risk.price_band_centibp) {
        config_tell_quote(config, i, "emergency_band_bp",
                          ": must not exceed risk.price_band_bp (or the gate refuses the emergency hedge)");
    }
    if (both_sound(config, i, "hedge_min", "max_naked") && params->hedge_min_e8 > params->max_naked_e8) {
        config_tell_quote(config, i, "hedge_min",
                          ": must not exceed max_naked (or quotes are pulled before anything is hedged)");
    }
    if (config_sound(config, "quote", "max_naked", i) && config_sound(config, "risk", "max_delta", 0) &&
        params->max_naked_e8 > config->risk.max_delta_e8) {
        config_tell_quote(config, i, "max_naked",
                          ": must not exceed risk.max_delta (which would stop everything first)");
    }
}

static void check_quote(struct config *config, uint32_t i)
{
    struct config_quote *quote = &config->quote[i];
    struct quote_params *params = &quote->params;

    params->kind = STRATEGY_QUOTE;
    params->instance = (uint16_t)i;
    params->quote_instrument = params->hedge_instrument = params->second_instrument = NO_INSTRUMENT;
    params->quote_account = params->hedge_account = params->second_account = NO_ACCOUNT;

    for (uint32_t k = 0; k < i && config_sound(config, "quote", "name", i); k++) {
        if (strcmp(config->quote[k].params.name, params->name) == 0) {
            config_tell_quote(config, i, "name",
                              ": an instance of that name stands at line %d (identity over restarts)",
                              config->quote[k].line);
            break;
        }
    }
    check_legs(config, i);
    check_hedging(config, i);

    if (both_sound(config, i, "fair_half_life_ms", "fair_bound_bp") && params->fair_half_life_ns != 0 &&
        params->fair_bound_centibp == 0) {
        config_tell_quote(config, i, "fair_bound_bp",
                          " = 0: must be above 0 while fair_half_life_ms is (or set that to 0)");
    }
    if (both_sound(config, i, "size", "max_inventory") &&
        compare_decimals(quote->max_inventory, quote->size) < 0) {
        config_tell_quote(config, i, "max_inventory",
                          " = %s: must be at least size = %s (or no quote is ever allowed)",
                          quote->max_inventory, quote->size);
    }
    if (both_sound(config, i, "target_inventory", "max_inventory") &&
        compare_decimals(quote->max_inventory,
                         quote->target_inventory + strspn(quote->target_inventory, "+-")) < 0) {
        config_tell_quote(config, i, "target_inventory",
                          " = %s: must be within max_inventory = %s, either sign", quote->target_inventory,
                          quote->max_inventory);
    }
}

/* How many quotes the instances of an account may have resting. */
static int64_t quotes_on(const struct config *config, const char *account)
{
    int64_t count = 0;
    for (uint32_t i = 0; i < config->quote_count; i++) {
        const struct config_quote *quote = &config->quote[i];
        if (strcmp(quote->quote_account, account) == 0) {
            count += quote->params.levels * (quote->params.sides == 3 ? 2 : 1);
        }
    }
    return count;
}

/* One login for all products, or one for each: a fact of the venue. */
static void check_product(struct config *config, uint32_t i)
{
    const struct account *row = &config->account[i].row;
    char path[KEY_PATH_BYTES];

    if (!config_sound(config, "account", "venue", i) || !config_sound(config, "account", "product", i) ||
        account_venues[row->venue].one_login == (row->product == PRODUCT_ALL)) {
        return;
    }
    int line = config_line_of(config, "account", "product", i);
    config_key_path(config, "account", i, "product", path);
    if (row->product == PRODUCT_ALL) {
        config_tell(config, line, "%s = \"all\": %s has a login for each product: name one of them", path,
                    venue_names[row->venue]);
    } else {
        config_tell(config, line,
                    "%s = \"%s\": must be \"all\": %s has one login, one budget and one cancel on disconnect "
                    "for all products",
                    path, product_names[row->product], venue_names[row->venue]);
    }
}

/* A bucket that is not configured is the least the venue gives; where it counts in windows only there is
 * none. */
static void check_credit(struct config *config, uint32_t i, enum credit credit, const char *burst_key,
                         const char *rate_key)
{
    struct account *row = &config->account[i].row;
    struct credit_limit *limit = &row->credit[credit];
    char path[KEY_PATH_BYTES];

    if (!config_sound(config, "account", burst_key, i) || !config_sound(config, "account", rate_key, i) ||
        !config_sound(config, "account", "venue", i)) {
        return;
    }
    int line = config_line_of(config, "account", burst_key, i);
    config_key_path(config, "account", i, burst_key, path);
    if ((limit->burst != 0) != (limit->rate_e3 != 0)) {
        config_tell(config, line, "%s: %s and %s go together", path, burst_key, rate_key);
    } else if (limit->burst != 0 && account_venues[row->venue].credit[credit].burst == 0) {
        config_tell(config, line,
                    "%s = %d: %s counts no such credits (it counts order_rate_10s and its like)", path,
                    limit->burst, venue_names[row->venue]);
    } else if (limit->burst == 0) {
        *limit = account_venues[row->venue].credit[credit];
    }
}

static void check_account(struct config *config, uint32_t i)
{
    struct config_account *account = &config->account[i];
    char path[KEY_PATH_BYTES];

    check_product(config, i);
    check_credit(config, i, CREDIT_TRADE, "trade_burst", "trade_rate_s");
    check_credit(config, i, CREDIT_QUERY, "query_burst", "query_rate_s");
    account->row.credit[CREDIT_SUBSCRIBE] = account_venues[account->row.venue].credit[CREDIT_SUBSCRIBE];

    for (uint32_t k = 0; k < i && config_sound(config, "account", "name", i); k++) {
        if (strcmp(config->account[k].row.name, account->row.name) == 0) {
            config_tell(config, config_line_of(config, "account", "name", i),
                        "account.%s.name: an account of that name stands at line %d", account->row.name,
                        config->account[k].line);
            break;
        }
    }
    if (account->key_file[0] == '\0' && config_sound(config, "account", "key_file", i) &&
        (config->mode == MODE_LIVE || config->mode == MODE_SIM)) {
        config_tell(config, account->line,
                    "%s is missing: mode %s sends signed orders (file that holds the API key, mode 0600)",
                    config_key_path(config, "account", i, "key_file", path),
                    config->mode == MODE_LIVE ? "live" : "sim");
    }
    if (config_sound(config, "account", "order_rate_10s", i) &&
        config_sound(config, "account", "order_rate_60s", i) &&
        account->row.order_rate_60s < account->row.order_rate_10s) {
        config_tell(config, config_line_of(config, "account", "order_rate_60s", i),
                    "%s = %d: must be at least order_rate_10s = %d (a minute contains ten seconds)",
                    config_key_path(config, "account", i, "order_rate_60s", path),
                    account->row.order_rate_60s, account->row.order_rate_10s);
    }
    if (config_sound(config, "account", "dead_man_ms", i) && account->row.dead_man_ms != 0 &&
        account->row.dead_man_ms < 1000) {
        config_tell(config, config_line_of(config, "account", "dead_man_ms", i),
                    "%s = %lld: must be 0 or at least 1000 (refreshed three times within it)",
                    config_key_path(config, "account", i, "dead_man_ms", path),
                    (long long)account->row.dead_man_ms);
    }
    int64_t quotes = quotes_on(config, account->row.name);
    if (config_sound(config, "account", "name", i) && config_sound(config, "risk", "max_open_orders", 0) &&
        quotes > config->risk.max_open_orders) {
        config_tell(config, config_line_of(config, "risk", "max_open_orders", 0),
                    "risk.max_open_orders = %lld: must be at least %lld, the quotes on account %s",
                    (long long)config->risk.max_open_orders, (long long)quotes, account->row.name);
    }
}

static bool is_currency(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")] == '\0';
}

static void check_convert(struct config *config, uint32_t i)
{
    const struct config_convert *convert = &config->convert[i];
    struct config_instrument instrument;
    char path[KEY_PATH_BYTES];
    bool named = convert->instrument[0] != '\0';

    if (config_sound(config, "convert", "from", i) && config_sound(config, "convert", "to", i)) {
        if (!is_currency(convert->from) || !is_currency(convert->to) ||
            strcmp(convert->from, convert->to) == 0) {
            config_tell(config, convert->line,
                        "convert[%u]: from and to must be two different currency codes in capitals", i);
        }
        for (uint32_t k = 0; k < i; k++) {
            const struct config_convert *before = &config->convert[k];
            if ((strcmp(before->from, convert->from) == 0 && strcmp(before->to, convert->to) == 0) ||
                (strcmp(before->from, convert->to) == 0 && strcmp(before->to, convert->from) == 0)) {
                config_tell(config, convert->line, "convert[%u]: %s and %s have a rate at line %d already", i,
                            convert->from, convert->to, before->line);
            }
        }
    }
    if (!config_sound(config, "convert", "instrument", i) || !config_sound(config, "convert", "fixed", i)) {
        return;
    }
    if (named == (convert->fixed_e8 != 0)) {
        config_tell(config, convert->line, "convert[%u]: must have either instrument or fixed", i);
    }
    if (convert->fixed_e8 != 0 && config->mode == MODE_LIVE) {
        config_tell(
            config, config_line_of(config, "convert", "fixed", i),
            "convert[%u].fixed: refused in live (a stable coin that falls must be seen): name an instrument",
            i);
    }
    if (named) {
        take_instrument(config, convert->instrument, config_line_of(config, "convert", "instrument", i),
                        config_key_path(config, "convert", i, "instrument", path), &instrument);
    }
}

/* "127.0.0.1:9443" or "[::1]:9443": numbers, because a simulator has no name to resolve. */
static bool is_address(const char *text)
{
    const char *colon = strrchr(text, ':');
    char host[64];
    unsigned char bytes[16];
    int64_t port;

    if (colon == NULL || decimal_parse(colon + 1, strlen(colon + 1), 0, &port) != DECIMAL_OK || port < 1 ||
        port > 65535) {
        return false;
    }
    if (text[0] == '[' && colon > text + 1 && colon[-1] == ']') {
        snprintf(host, sizeof host, "%.*s", (int)(colon - text - 2), text + 1);
        return inet_pton(AF_INET6, host, bytes) == 1;
    }
    snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    return inet_pton(AF_INET, host, bytes) == 1;
}

static void check_venues(struct config *config)
{
    bool used[VENUE_COUNT] = { false };
    char path[KEY_PATH_BYTES];

    for (uint32_t i = 0; i < config->venue_count; i++) {
        const struct config_venue *venue = &config->venue[i];
        int line = config_line_of(config, "venue", "connect_to", i);
        config_key_path(config, "venue", i, "connect_to", path);
        used[venue->venue] = venue->connect_to[0] != '\0';
        if (venue->connect_to[0] != '\0' && !is_address(venue->connect_to)) {
            config_tell(config, line, "%s = \"%s\": must be an address and a port, as in 127.0.0.1:9443",
                        path, venue->connect_to);
        }
        if (venue->connect_to[0] != '\0' && config_sound(config, "engine", "mode", 0) &&
            config->mode != MODE_SIM) {
            config_tell(config, line,
                        "%s = \"%s\": only in mode sim (elsewhere the venue's own hosts are used)", path,
                        venue->connect_to);
        }
    }
    if (config->mode != MODE_SIM) {
        return;
    }
    for (uint32_t i = 0; i < config->instrument_count; i++) {
        uint8_t venue = config->instrument[i].venue;
        if (!used[venue]) {
            used[venue] = true; /* told once a venue */
            config_tell(config, config->instrument[i].line,
                        "venue.%s.connect_to is missing: mode sim must not reach the real venue",
                        venue_names[venue]);
        }
    }
}

void config_check(struct config *config, bool live_named)
{
    if (config->mode == MODE_LIVE && !live_named) {
        config_tell(config, config_line_of(config, "engine", "mode", 0),
                    "engine.mode = \"live\": live must also be named on the command line (--live)");
    }
    if (config_sound(config, "engine", "journal_ring_slots", 0) &&
        (config->journal_ring_slots & (config->journal_ring_slots - 1)) != 0) {
        config_tell(config, config_line_of(config, "engine", "journal_ring_slots", 0),
                    "engine.journal_ring_slots = %lld: must be a power of two",
                    (long long)config->journal_ring_slots);
    }
    if (config_sound(config, "engine", "journal_keep_bytes", 0) && config->journal_keep_bytes != 0 &&
        config->journal_keep_bytes < 4 * config->segment_bytes) {
        config_tell(config, config_line_of(config, "engine", "journal_keep_bytes", 0),
                    "engine.journal_keep_bytes = %lld: must be 0 or at least four times segment_bytes",
                    (long long)config->journal_keep_bytes);
    }
    if (config_sound(config, "engine", "report_currency", 0) && !is_currency(config->report_currency)) {
        config_tell(config, config_line_of(config, "engine", "report_currency", 0),
                    "engine.report_currency = \"%s\": must be a currency code in capitals",
                    config->report_currency);
    }
    if (config_sound(config, "cores", "cold", 0) &&
        (config->core_cold == config->core_feed || config->core_cold == config->core_strategy ||
         config->core_cold == config->core_gateway)) {
        config_tell(config, config_line_of(config, "cores", "cold", 0),
                    "cores.cold = %d: must be a number of its own (the others never wait, it does)",
                    config->core_cold);
    }

    for (uint32_t i = 0; i < config->account_count; i++) {
        check_account(config, i);
    }
    for (uint32_t i = 0; i < config->quote_count; i++) {
        check_quote(config, i);
    }
    for (uint32_t i = 0; i < config->convert_count; i++) {
        check_convert(config, i);
    }
    check_venues(config);
    if (config->quote_count == 0) {
        config_tell(config, 0, "[[quote]] is missing: there is nothing to trade");
    }
}
