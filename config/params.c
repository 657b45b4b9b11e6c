#include "config/params_rows.h"

#include <string.h>

#define US(x)   ((int64_t)(x)*1000)
#define MS(x)   ((int64_t)(x)*1000000)
#define BP(x)   ((int64_t)(x)*100)
#define COIN(x) ((int64_t)(x)*100000000)

/* Where a key's value goes. */
#define AT(type, member)                                                                                     \
    (uint32_t) offsetof(struct type, member), (uint16_t)sizeof(((struct type *)0)->member)
#define ENGINE(member)   AT(config, member)
#define VENUE(member)    AT(config_venue, member)
#define ACCOUNT(member)  AT(config_account, member)
#define CONVERT(member)  AT(config_convert, member)
#define QUOTE(member)    AT(config_quote, member)
#define INSTANCE(member) AT(config_quote, params.member)
#define NO_CHOICE        NULL
#define REQUIRED         NULL

/* clang-format off */
const struct params_section params_sections[] = {
    { "engine",  SHAPE_ONE,      0, 0, 1, 0, 0 },
    { "cores",   SHAPE_ONE,      0, 0, 1, 0, 0 },
    { "risk",    SHAPE_ONE,      0, 0, 1, 0, 0 },
    { "venue",   SHAPE_NAMED,    offsetof(struct config, venue),   sizeof(struct config_venue),   VENUE_COUNT - 1,
      offsetof(struct config, venue_count),   offsetof(struct config_venue, line) },
    { "account", SHAPE_REPEATED, offsetof(struct config, account), sizeof(struct config_account), ACCOUNT_MAX,
      offsetof(struct config, account_count), offsetof(struct config_account, line) },
    { "convert", SHAPE_REPEATED, offsetof(struct config, convert), sizeof(struct config_convert), CONFIG_CONVERTS_MAX,
      offsetof(struct config, convert_count), offsetof(struct config_convert, line) },
    { "quote",   SHAPE_REPEATED, offsetof(struct config, quote),   sizeof(struct config_quote),   PARAMS_INSTANCE_MAX,
      offsetof(struct config, quote_count),   offsetof(struct config_quote, line) },
};

const struct params_row params_rows[] = {
    /* section, key, default, min, max, choices, purpose, where, type, decimals */
    { "engine", "mode", REQUIRED, MODE_SIM, 0, "sim|paper|live|backtest",
      "where orders go", ENGINE(mode), PARAM_CHOICE, 0 },
    { "engine", "id", "1", 1, 1023, NO_CHOICE,
      "tells our orders from another engine's on the same account", ENGINE(engine), PARAM_NUMBER, 0 },
    { "engine", "report_currency", "USD", 1, 0, NO_CHOICE,
      "what profit and loss are reported in", ENGINE(report_currency), PARAM_TEXT, 0 },
    { "engine", "state_dir", "state", 1, 0, NO_CHOICE,
      "folder on disk for the journal and the store", ENGINE(state_dir), PARAM_TEXT, 0 },
    { "engine", "shared_dir", "/dev/shm/poise", 1, 0, NO_CHOICE,
      "folder in memory that survives the process", ENGINE(shared_dir), PARAM_TEXT, 0 },
    { "engine", "clock_tick_us", "1000", US(50), US(100000), NO_CHOICE,
      "how often limits on time are looked at when venues are silent", ENGINE(clock_tick_ns), PARAM_NUMBER, 3 },
    { "engine", "depth_levels", "20", 1, BOOK_DEPTH_MAX, NO_CHOICE,
      "levels of each book side the strategy sees", ENGINE(depth_levels), PARAM_NUMBER, 0 },
    { "engine", "feed_depth_ms", "0", 0, 1000, NO_CHOICE,
      "spacing of depth messages asked of the venue, 0 its default", ENGINE(feed_depth_ms), PARAM_NUMBER, 0 },
    { "engine", "journal_ring_slots", "262144", 1024, 1 << 24, NO_CHOICE,
      "64-byte slots of journal kept in memory", ENGINE(journal_ring_slots), PARAM_NUMBER, 0 },
    { "engine", "journal_sync_ms", "100", MS(1), MS(10000), NO_CHOICE,
      "how much of the journal a loss of power may cost", ENGINE(journal_sync_ns), PARAM_NUMBER, 6 },
    { "engine", "journal_keep_bytes", "0", 0, 1000000000000000, NO_CHOICE,
      "disk the journal may take, 0 keeps all", ENGINE(journal_keep_bytes), PARAM_NUMBER, 0 },
    { "engine", "segment_bytes", "67108864", 1 << 20, 1 << 30, NO_CHOICE,
      "size of one journal file", ENGINE(segment_bytes), PARAM_NUMBER, 0 },
    { "engine", "metrics_port", "0", 0, 65535, NO_CHOICE,
      "port of the figures on loopback, 0 off", ENGINE(metrics_port), PARAM_NUMBER, 0 },
    { "engine", "metrics_token_file", "", 0, 0, NO_CHOICE,
      "file with the token a reader of the figures must show", ENGINE(metrics_token_file), PARAM_TEXT, 0 },
    { "engine", "io_backend", "auto", 0, 0, "auto|uring|spin",
      "how sockets are served", ENGINE(io_backend), PARAM_TEXT, 0 },
    { "engine", "log_level", "info", 0, 0, "debug|info|warning|error",
      "the least severe line that is logged", ENGINE(log_level), PARAM_TEXT, 0 },

    { "cores", "feed", "-1", -64, 1023, NO_CHOICE,
      "processor of the market data role", ENGINE(core_feed), PARAM_NUMBER, 0 },
    { "cores", "strategy", "-1", -64, 1023, NO_CHOICE,
      "processor of the strategy role", ENGINE(core_strategy), PARAM_NUMBER, 0 },
    { "cores", "gateway", "-1", -64, 1023, NO_CHOICE,
      "processor of the order role", ENGINE(core_gateway), PARAM_NUMBER, 0 },
    { "cores", "cold", "-2", -64, 1023, NO_CHOICE,
      "processor of the thread that may sleep", ENGINE(core_cold), PARAM_NUMBER, 0 },
    { "cores", "yield", "true", 0, 1, NO_CHOICE,
      "give the processor away between turns", ENGINE(yield), PARAM_BOOL, 0 },

    { "risk", "max_order", REQUIRED, 1, COIN(1000000000), NO_CHOICE,
      "largest value of one order, quote currency", ENGINE(risk.max_order_e8), PARAM_NUMBER, 8 },
    { "risk", "max_position", REQUIRED, 1, COIN(10000000000), NO_CHOICE,
      "largest position in one instrument, coin", ENGINE(risk.max_position_e8), PARAM_NUMBER, 8 },
    { "risk", "max_delta", REQUIRED, 1, COIN(10000000000), NO_CHOICE,
      "largest sum of all exposure, coin", ENGINE(risk.max_delta_e8), PARAM_NUMBER, 8 },
    { "risk", "max_loss", REQUIRED, 0, COIN(1000000000), NO_CHOICE,
      "loss that halts everything, report currency, 0 off", ENGINE(risk.max_loss_e8), PARAM_NUMBER, 8 },
    { "risk", "loss_since", "first_fill", LOSS_SINCE_FIRST_FILL, 0, "first_fill|start",
      "from when on a loss counts", ENGINE(risk.loss_since), PARAM_CHOICE, 0 },
    { "risk", "max_difference", "1", 0, COIN(1000000000), NO_CHOICE,
      "difference between ledger and venue that stops new risk", ENGINE(risk.max_difference_e8), PARAM_NUMBER, 8 },
    { "risk", "max_naked_ms", "250", MS(1), MS(5000), NO_CHOICE,
      "how long one leg may stand unhedged", ENGINE(max_naked_ns), PARAM_NUMBER, 6 },
    { "risk", "price_band_bp", "100", BP(1), BP(5000), NO_CHOICE,
      "how far beyond the mark an order may pay", ENGINE(risk.price_band_centibp), PARAM_NUMBER, 2 },
    { "risk", "max_orders_per_s", "50", 1, 10000, NO_CHOICE,
      "new, amend and cancel messages of quotes a second", ENGINE(risk.max_orders_per_s), PARAM_NUMBER, 0 },
    { "risk", "max_open_orders", "40", 1, 4096, NO_CHOICE,
      "resting orders an account may have", ENGINE(risk.max_open_orders), PARAM_NUMBER, 0 },
    { "risk", "max_unknown", "3", 1, 100, NO_CHOICE,
      "orders of unknown outcome before everything halts", ENGINE(risk.max_unknown), PARAM_NUMBER, 0 },
    { "risk", "max_rejects_per_min", "20", 1, 10000, NO_CHOICE,
      "rejects a minute before an instance pauses", ENGINE(risk.max_rejects_per_min), PARAM_NUMBER, 0 },
    { "risk", "stale_clock_ms", "1000", MS(10), MS(60000), NO_CHOICE,
      "silence of the strategy before an alarm", ENGINE(risk.stale_clock_ns), PARAM_NUMBER, 6 },

    { "venue", "connect_to", "", 0, 0, NO_CHOICE,
      "address that stands for every host of the venue, sim only", VENUE(connect_to), PARAM_TEXT, 0 },
    { "venue", "ca_file", "", 0, 0, NO_CHOICE,
      "certificates to trust, empty: the system's", VENUE(ca_file), PARAM_TEXT, 0 },

    { "account", "name", REQUIRED, 1, 0, NO_CHOICE,
      "what legs call this account", ACCOUNT(row.name), PARAM_NAME, 0 },
    { "account", "venue", REQUIRED, VENUE_BINANCE, 0,
      "binance|okx|bybit|deribit|hyperliquid|backpack|gate|bitmex|thena|alpaca",
      "whose account it is", ACCOUNT(row.venue), PARAM_CHOICE, 0 },
    { "account", "product", REQUIRED, PRODUCT_SPOT, 0, "spot|linear|inverse|option|all",
      "which wallet of the venue it is", ACCOUNT(row.product), PARAM_CHOICE, 0 },
    { "account", "key_file", "", 0, 0, NO_CHOICE,
      "file that holds the API key, mode 0600", ACCOUNT(key_file), PARAM_TEXT, 0 },
    { "account", "maker_bp", "venue", BP(-50), BP(100), NO_CHOICE,
      "fee of a resting order, or \"venue\" to ask", ACCOUNT(maker_centibp), PARAM_RATE, 2 },
    { "account", "taker_bp", "venue", BP(-50), BP(100), NO_CHOICE,
      "fee of a taking order, or \"venue\" to ask", ACCOUNT(taker_centibp), PARAM_RATE, 2 },
    { "account", "order_rate_10s", "100", 1, 100000, NO_CHOICE,
      "orders we allow ourselves in 10 seconds", ACCOUNT(row.order_rate_10s), PARAM_NUMBER, 0 },
    { "account", "order_rate_60s", "600", 1, 1000000, NO_CHOICE,
      "orders we allow ourselves in a minute", ACCOUNT(row.order_rate_60s), PARAM_NUMBER, 0 },
    { "account", "weight_rate_60s", "1200", 1, 1000000, NO_CHOICE,
      "request weight we allow ourselves in a minute", ACCOUNT(row.weight_rate_60s), PARAM_NUMBER, 0 },
    { "account", "reserve_percent", "20", 0, 90, NO_CHOICE,
      "share of each budget kept for cancels and hedges", ACCOUNT(row.reserve_percent), PARAM_NUMBER, 0 },
    { "account", "trade_burst", "0", 0, 100000, NO_CHOICE,
      "orders and cancels that may go at once, 0: the venue's least", ACCOUNT(row.credit[CREDIT_TRADE].burst), PARAM_NUMBER, 0 },
    { "account", "trade_rate_s", "0", 0, 10000000, NO_CHOICE,
      "orders and cancels a second after that, 0: the venue's least", ACCOUNT(row.credit[CREDIT_TRADE].rate_e3), PARAM_NUMBER, 3 },
    { "account", "query_burst", "0", 0, 100000, NO_CHOICE,
      "other requests that may go at once, 0: the venue's least", ACCOUNT(row.credit[CREDIT_QUERY].burst), PARAM_NUMBER, 0 },
    { "account", "query_rate_s", "0", 0, 10000000, NO_CHOICE,
      "other requests a second after that, 0: the venue's least", ACCOUNT(row.credit[CREDIT_QUERY].rate_e3), PARAM_NUMBER, 3 },
    { "account", "dead_man_ms", "10000", 0, 600000, NO_CHOICE,
      "after this silence the venue cancels our orders, 0 off", ACCOUNT(row.dead_man_ms), PARAM_NUMBER, 0 },

    { "convert", "from", REQUIRED, 1, 0, NO_CHOICE,
      "currency to convert", CONVERT(from), PARAM_TEXT, 0 },
    { "convert", "to", REQUIRED, 1, 0, NO_CHOICE,
      "currency it becomes", CONVERT(to), PARAM_TEXT, 0 },
    { "convert", "instrument", "", 0, 0, NO_CHOICE,
      "instrument whose mid price is the rate", CONVERT(instrument), PARAM_TEXT, 0 },
    { "convert", "fixed", "0", 0, COIN(1000000000), NO_CHOICE,
      "rate taken as given, never in live", CONVERT(fixed_e8), PARAM_NUMBER, 8 },
    { "convert", "max_age_ms", "5000", MS(10), MS(3600000), NO_CHOICE,
      "age at which the rate no longer carries new risk", CONVERT(max_age_ns), PARAM_NUMBER, 6 },
    { "convert", "max_dev_bp", "100", BP(1), BP(5000), NO_CHOICE,
      "move from the first rate of the run that stops new risk", CONVERT(max_deviation_centibp), PARAM_NUMBER, 2 },

    { "quote", "name", REQUIRED, 1, 0, NO_CHOICE,
      "identity of the instance over restarts", INSTANCE(name), PARAM_NAME, 0 },
    { "quote", "enabled", "true", 0, 1, NO_CHOICE,
      "false: no new quotes, what is held stays hedged", INSTANCE(enabled), PARAM_BOOL, 0 },
    { "quote", "quote_leg", REQUIRED, 1, 0, NO_CHOICE,
      "instrument that is quoted", QUOTE(quote_leg), PARAM_TEXT, 0 },
    { "quote", "quote_account", REQUIRED, 1, 0, NO_CHOICE,
      "account that quotes", QUOTE(quote_account), PARAM_TEXT, 0 },
    { "quote", "hedge_leg", REQUIRED, 1, 0, NO_CHOICE,
      "instrument that hedges each fill", QUOTE(hedge_leg), PARAM_TEXT, 0 },
    { "quote", "hedge_account", REQUIRED, 1, 0, NO_CHOICE,
      "account that hedges", QUOTE(hedge_account), PARAM_TEXT, 0 },
    { "quote", "second_leg", "", 0, 0, NO_CHOICE,
      "where a hedge goes when the first venue fails", QUOTE(second_leg), PARAM_TEXT, 0 },
    { "quote", "second_account", "", 0, 0, NO_CHOICE,
      "account of second_leg", QUOTE(second_account), PARAM_TEXT, 0 },

    { "quote", "delta_basis", "usd", DELTA_USD, 0, "usd|coin",
      "what is held flat: equity in USD, or the owner's coin", INSTANCE(delta_basis), PARAM_CHOICE, 0 },
    { "quote", "allocation", "0", 0, COIN(10000000000), NO_CHOICE,
      "coin on the quote account that this instance owns", INSTANCE(allocation_e8), PARAM_NUMBER, 8 },
    { "quote", "on_restart", "adopt", ON_RESTART_ADOPT, 0, "adopt|cancel|flatten",
      "what becomes of orders and positions found at start", INSTANCE(on_restart), PARAM_CHOICE, 0 },
    { "quote", "on_orphan", "refuse", ON_ORPHAN_REFUSE, 0, "refuse|flatten|hold",
      "what becomes of inventory whose legs were changed", INSTANCE(on_orphan), PARAM_CHOICE, 0 },

    { "quote", "sides", "both", 1, 0, "bid|ask|both",
      "which sides are quoted", INSTANCE(sides), PARAM_CHOICE, 0 },
    { "quote", "post_only", "true", 0, 1, NO_CHOICE,
      "quotes never take", INSTANCE(post_only), PARAM_BOOL, 0 },
    { "quote", "levels", "1", 1, PARAMS_LEVELS_MAX, NO_CHOICE,
      "quotes a side", INSTANCE(levels), PARAM_NUMBER, 0 },
    { "quote", "size", REQUIRED, 1, 0, NO_CHOICE,
      "size of the best quote, in the quoted leg's unit", QUOTE(size), PARAM_DECIMAL, 0 },
    { "quote", "size_step_percent", "0", 0, 1000, NO_CHOICE,
      "how much larger each further quote is", INSTANCE(size_step_percent), PARAM_NUMBER, 0 },
    { "quote", "level_step_bp", "1", BP(0), BP(1000), NO_CHOICE,
      "how much further out each further quote stands", INSTANCE(level_step_centibp), PARAM_NUMBER, 2 },

    { "quote", "min_profit_bp", REQUIRED, BP(-100), BP(1000), NO_CHOICE,
      "what a quote must leave after fees and hedge", INSTANCE(min_profit_centibp), PARAM_NUMBER, 2 },
    { "quote", "hedge_cost_bp", "0.5", BP(0), BP(100), NO_CHOICE,
      "expected cost of a hedge beyond walking the book", INSTANCE(hedge_cost_centibp), PARAM_NUMBER, 2 },
    { "quote", "max_spread_bp", "10", 1, BP(1000), NO_CHOICE,
      "a hedge book wider than this is not quoted on", INSTANCE(max_spread_centibp), PARAM_NUMBER, 2 },
    { "quote", "max_depth_percent", "25", 1, 100, NO_CHOICE,
      "share of the visible hedge book a full fill may need", INSTANCE(max_depth_percent), PARAM_NUMBER, 0 },

    { "quote", "max_inventory", REQUIRED, 1, 0, NO_CHOICE,
      "largest position on the quoted leg, its unit", QUOTE(max_inventory), PARAM_DECIMAL, 0 },
    { "quote", "target_inventory", "0", 0, 0, NO_CHOICE,
      "position that quotes lean towards, its unit, signed", QUOTE(target_inventory), PARAM_DECIMAL, 0 },
    { "quote", "skew_bp", "2", BP(0), BP(500), NO_CHOICE,
      "how far quotes lean at max_inventory", INSTANCE(skew_centibp), PARAM_NUMBER, 2 },

    { "quote", "requote_ticks", "5", 0, 100000, NO_CHOICE,
      "ticks the ideal price may drift before an order moves", INSTANCE(requote_ticks), PARAM_NUMBER, 0 },
    { "quote", "requote_min_ms", "50", MS(0), MS(60000), NO_CHOICE,
      "least time between two changes of one order", INSTANCE(requote_min_ns), PARAM_NUMBER, 6 },
    { "quote", "refresh_ms", "0", MS(0), MS(86400000), NO_CHOICE,
      "age at which an order is requoted anyway, 0 never", INSTANCE(refresh_ns), PARAM_NUMBER, 6 },

    { "quote", "fair_half_life_ms", "60000", MS(0), MS(86400000), NO_CHOICE,
      "how slowly the legs' basis is followed, 0 not at all", INSTANCE(fair_half_life_ns), PARAM_NUMBER, 6 },
    { "quote", "fair_bound_bp", "20", BP(0), BP(1000), NO_CHOICE,
      "the followed basis never exceeds this", INSTANCE(fair_bound_centibp), PARAM_NUMBER, 2 },

    { "quote", "quote_stale_ms", "2000", MS(10), MS(60000), NO_CHOICE,
      "age of the quoted book at which quotes are pulled", INSTANCE(quote_stale_ns), PARAM_NUMBER, 6 },
    { "quote", "hedge_stale_ms", "1000", MS(10), MS(60000), NO_CHOICE,
      "age of the hedge book at which quotes are pulled", INSTANCE(hedge_stale_ns), PARAM_NUMBER, 6 },

    { "quote", "hedge_min", "0", 0, COIN(1000000), NO_CHOICE,
      "least coin worth a hedge, 0: what the venue takes", INSTANCE(hedge_min_e8), PARAM_NUMBER, 8 },
    { "quote", "hedge_band_bp", "10", BP(0), BP(1000), NO_CHOICE,
      "how far beyond the touch a hedge may pay", INSTANCE(hedge_band_centibp), PARAM_NUMBER, 2 },
    { "quote", "emergency_band_bp", "50", BP(0), BP(5000), NO_CHOICE,
      "how far beyond the touch a late hedge may pay", INSTANCE(emergency_band_centibp), PARAM_NUMBER, 2 },
    { "quote", "hedge_timeout_ms", "200", MS(1), MS(5000), NO_CHOICE,
      "an unanswered hedge is asked after this", INSTANCE(hedge_timeout_ns), PARAM_NUMBER, 6 },
    { "quote", "max_naked", REQUIRED, 1, COIN(10000000000), NO_CHOICE,
      "coin that may stand unhedged before quotes are pulled", INSTANCE(max_naked_e8), PARAM_NUMBER, 8 },
    { "quote", "max_naked_ms", "0", MS(0), MS(5000), NO_CHOICE,
      "how long one leg may stand unhedged, 0: risk.max_naked_ms", INSTANCE(max_naked_ns), PARAM_NUMBER, 6 },
    { "quote", "ladder_step_ms", "250", MS(1), MS(60000), NO_CHOICE,
      "time between two rungs once a hedge is late", INSTANCE(ladder_step_ns), PARAM_NUMBER, 6 },

    { "quote", "max_fee_surprise_bp", "0.5", BP(0), BP(100), NO_CHOICE,
      "difference of a charged fee that raises an alarm", INSTANCE(max_fee_surprise_centibp), PARAM_NUMBER, 2 },
    { "quote", "position_grace_ms", "5000", MS(100), MS(600000), NO_CHOICE,
      "how long the venue's position may differ before an alarm", INSTANCE(position_grace_ns), PARAM_NUMBER, 6 },
};
/* clang-format on */

const uint32_t params_row_count = POISE_COUNT_OF(params_rows);
const uint32_t params_section_count = POISE_COUNT_OF(params_sections);

const struct params_row *params_row_find(const char *section, const char *key)
{
    for (uint32_t i = 0; i < params_row_count; i++) {
        if (strcmp(params_rows[i].section, section) == 0 && strcmp(params_rows[i].key, key) == 0) {
            return &params_rows[i];
        }
    }
    return NULL;
}

const struct params_section *params_section_find(const char *name)
{
    for (uint32_t i = 0; i < params_section_count; i++) {
        if (strcmp(params_sections[i].name, name) == 0) {
            return &params_sections[i];
        }
    }
    return NULL;
}

void params_choice(const struct params_row *row, int64_t value, char *out, size_t out_bytes)
{
    const char *at = row->choices;

    for (int64_t i = row->min; i < value && at != NULL; i++) {
        at = strchr(at, '|');
        at = at == NULL ? NULL : at + 1;
    }
    size_t bytes = at == NULL || value < row->min ? 0 : strcspn(at, "|");
    bytes = bytes < out_bytes ? bytes : out_bytes - 1;
    memcpy(out, at == NULL ? "" : at, bytes);
    out[bytes] = '\0';
}

/* The edit distance of two short names: letters put in, taken out or changed. */
uint32_t params_distance(const char *a, const char *b)
{
    uint32_t row[64];
    size_t a_bytes = strnlen(a, POISE_COUNT_OF(row) - 1);
    size_t b_bytes = strnlen(b, POISE_COUNT_OF(row) - 1);

    for (uint32_t i = 0; i <= b_bytes; i++) {
        row[i] = i;
    }
    for (uint32_t i = 1; i <= a_bytes; i++) {
        uint32_t diagonal = row[0];
        row[0] = i;
        for (uint32_t j = 1; j <= b_bytes; j++) {
            uint32_t above = row[j];
            uint32_t best = diagonal + (a[i - 1] != b[j - 1]);
            best = best < above + 1 ? best : above + 1;
            best = best < row[j - 1] + 1 ? best : row[j - 1] + 1;
            row[j] = best;
            diagonal = above;
        }
    }
    return row[b_bytes];
}

/* A name resembles another when at most a third of it, and two letters in any case, must change. */
static bool resembles(const char *name, uint32_t distance)
{
    uint32_t allowed = (uint32_t)strlen(name) / 3;
    return distance <= (allowed < 2 ? 2 : allowed);
}

const char *params_nearest(const char *section, const char *key)
{
    const char *nearest = NULL;
    uint32_t least = UINT32_MAX;

    for (uint32_t i = 0; i < params_row_count; i++) {
        uint32_t distance = params_distance(key, params_rows[i].key);
        if (strcmp(params_rows[i].section, section) == 0 && distance < least) {
            least = distance;
            nearest = params_rows[i].key;
        }
    }
    return nearest != NULL && resembles(key, least) ? nearest : NULL;
}

const char *params_nearest_section(const char *name)
{
    const char *nearest = NULL;
    uint32_t least = UINT32_MAX;

    for (uint32_t i = 0; i < params_section_count; i++) {
        uint32_t distance = params_distance(name, params_sections[i].name);
        if (distance < least) {
            least = distance;
            nearest = params_sections[i].name;
        }
    }
    return nearest != NULL && resembles(name, least) ? nearest : NULL;
}
