#include "tools/sim/binance/bn_state.h"

#include "tools/sim/model/sim_ledger.h"

#include <string.h>
#include <time.h>

/* Candles are kept by the second and by the minute, only where something traded; longer ones are added up
 * when asked for.  A stretch without trades shows the last close and no volume, as at the venue.  Nothing is
 * known of the time before the first trade seen here, so nothing is told of it. */
#define SECOND_NS (INT64_C(1000000000))
#define MINUTE_NS (60 * SECOND_NS)
#define HOUR_NS   (60 * MINUTE_NS)
#define DAY_NS    (24 * HOUR_NS)

/* clang-format off */
static const struct {
    const char *name;
    int64_t ns;        /* 0: a calendar month */
    int64_t offset_ns; /* weeks begin on Monday, and 1970 began on a Thursday */
} intervals[] = {
    { "1s",  SECOND_NS,      0 }, /* spot only */
    { "1m",  MINUTE_NS,      0 }, { "3m",  3 * MINUTE_NS,  0 }, { "5m",  5 * MINUTE_NS, 0 },
    { "15m", 15 * MINUTE_NS, 0 }, { "30m", 30 * MINUTE_NS, 0 },
    { "1h",  HOUR_NS,        0 }, { "2h",  2 * HOUR_NS,    0 }, { "4h",  4 * HOUR_NS,   0 },
    { "6h",  6 * HOUR_NS,    0 }, { "8h",  8 * HOUR_NS,    0 }, { "12h", 12 * HOUR_NS,  0 },
    { "1d",  DAY_NS,         0 }, { "3d",  3 * DAY_NS,     0 }, { "1w",  7 * DAY_NS,    4 * DAY_NS },
    { "1M",  0,              0 },
};
/* clang-format on */

#define INTERVAL_COUNT (sizeof intervals / sizeof intervals[0])

int bn_kline_interval(enum sim_kind kind, const char *name)
{
    for (size_t i = kind == SIM_SPOT ? 0 : 1; i < INTERVAL_COUNT; i++) {
        if (strcmp(intervals[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* month_ns answers when the month that lies `later` months after the one of at_ns begins. */
static int64_t month_ns(int64_t at_ns, int later)
{
    time_t seconds = (time_t)(at_ns / SECOND_NS);
    struct tm tm;

    gmtime_r(&seconds, &tm);
    struct tm first = { .tm_year = tm.tm_year, .tm_mon = tm.tm_mon + later, .tm_mday = 1 };
    return (int64_t)timegm(&first) * SECOND_NS;
}

int64_t bn_kline_start(int interval, int64_t at_ns)
{
    int64_t step = intervals[interval].ns, offset = intervals[interval].offset_ns;

    return step == 0 ? month_ns(at_ns, 0) : at_ns - (at_ns - offset) % step;
}

int64_t bn_kline_end(int interval, int64_t start_ns)
{
    int64_t step = intervals[interval].ns;

    return step == 0 ? month_ns(start_ns, 1) : start_ns + step;
}

/* --- what traded --------------------------------------------------------------------------------------- */

static const struct bn_candle *nth(const struct bn_candles *candles, uint64_t k)
{
    return &candles->candle[k % BN_CANDLE_MAX];
}

static uint64_t oldest(const struct bn_candles *candles)
{
    return candles->made < BN_CANDLE_MAX ? 0 : candles->made - BN_CANDLE_MAX;
}

static void add(struct bn_candle *candle, const struct bn_candle *more)
{
    if (candle->count == 0) {
        int64_t start_ns = candle->start_ns;
        *candle = *more;
        candle->start_ns = start_ns;
        return;
    }
    candle->high = more->high > candle->high ? more->high : candle->high;
    candle->low = more->low < candle->low ? more->low : candle->low;
    candle->close = more->close;
    candle->last_id = more->last_id;
    candle->count += more->count;
    candle->qty += more->qty;
    candle->value_e16 += more->value_e16;
    candle->taker_qty += more->taker_qty;
    candle->taker_value_e16 += more->taker_value_e16;
}

static void count_trade(struct bn_candles *candles, const struct bn_candle *trade)
{
    struct bn_candle *newest = &candles->candle[(candles->made - 1) % BN_CANDLE_MAX];

    if (candles->made == 0 || newest->start_ns < trade->start_ns) {
        newest = &candles->candle[candles->made++ % BN_CANDLE_MAX];
        *newest = (struct bn_candle){ .start_ns = trade->start_ns };
    }
    add(newest, trade);
}

void bn_kline_trade(struct bn_shell *shell, const struct sim_event *event)
{
    const struct sim_instrument *i = &sim_venue_market(shell->venue, event->instrument)->instrument;
    bool buys = !event->buyer_is_maker;
    __int128 value = sim_ledger_value(i, event->qty, event->price);
    struct bn_candle trade = {
        .open = event->price,
        .high = event->price,
        .low = event->price,
        .close = event->price,
        .first_id = event->trade_id,
        .last_id = event->trade_id,
        .count = 1,
        .qty = event->qty,
        .value_e16 = value,
        .taker_qty = buys ? event->qty : 0,
        .taker_value_e16 = buys ? value : 0,
    };

    trade.start_ns = bn_kline_start(0, event->now_ns);
    count_trade(&shell->second[event->instrument], &trade);
    trade.start_ns = bn_kline_start(1, event->now_ns);
    count_trade(&shell->minute[event->instrument], &trade);
}

bool bn_kline_at(const struct bn_shell *shell, int instrument, int interval, int64_t start_ns,
                 struct bn_candle *candle)
{
    const struct bn_candles *from = interval == 0 ? &shell->second[instrument] : &shell->minute[instrument];
    int64_t end_ns = bn_kline_end(interval, start_ns);
    uint64_t low = oldest(from), high = from->made;

    while (low < high) { /* the first kept candle that begins at or after start_ns */
        uint64_t middle = low + (high - low) / 2;
        if (nth(from, middle)->start_ns < start_ns) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *candle = (struct bn_candle){ .start_ns = start_ns };
    for (uint64_t k = low; k < from->made && nth(from, k)->start_ns < end_ns; k++) {
        add(candle, nth(from, k));
    }
    if (candle->count != 0) {
        return true;
    }
    if (low == oldest(from)) {
        return false; /* before the first trade */
    }
    candle->open = candle->high = candle->low = candle->close = nth(from, low - 1)->close;
    candle->first_id = candle->last_id = -1;
    return true;
}

/* --- texts --------------------------------------------------------------------------------------------- */

static void cash(struct sim_text *out, __int128 value_e16)
{
    bn_text_cash(out, (int64_t)(value_e16 / SIM_CASH_ONE));
}

static void comma(struct sim_text *out)
{
    sim_text_put(out, ",", 1);
}

static void row_text(struct sim_text *out, const struct sim_instrument *i, int interval,
                     const struct bn_candle *candle)
{
    const int64_t prices[] = { candle->open, candle->high, candle->low, candle->close };

    sim_text_add(out, "[%lld", (long long)(candle->start_ns / 1000000));
    for (int k = 0; k < 4; k++) {
        comma(out);
        bn_text_price(out, i, prices[k]);
    }
    comma(out);
    bn_text_qty(out, i, (int64_t)candle->qty);
    sim_text_add(out, ",%lld,", (long long)(bn_kline_end(interval, candle->start_ns) / 1000000) - 1);
    cash(out, candle->value_e16);
    sim_text_add(out, ",%llu,", (unsigned long long)candle->count);
    bn_text_qty(out, i, (int64_t)candle->taker_qty);
    comma(out);
    cash(out, candle->taker_value_e16);
    sim_text_str(out, ",\"0\"]");
}

void bn_kline_list(struct sim_text *out, struct bn_shell *shell, int instrument, int interval,
                   int64_t from_ns, int64_t to_ns, int limit)
{
    const struct sim_instrument *i = &sim_venue_market(shell->venue, instrument)->instrument;
    const struct bn_candles *kept = interval == 0 ? &shell->second[instrument] : &shell->minute[instrument];
    int64_t last_ns = to_ns < shell->now_ns ? to_ns : shell->now_ns;
    struct bn_candle candle;
    bool first = true;

    sim_text_str(out, "[");
    if (kept->made > 0 && last_ns >= 0) {
        int64_t first_ns = bn_kline_start(interval, nth(kept, oldest(kept))->start_ns);
        int64_t start_ns = bn_kline_start(interval, last_ns);

        if (from_ns > 0) { /* from there on */
            start_ns = bn_kline_start(interval, from_ns);
            start_ns = start_ns < from_ns ? bn_kline_end(interval, start_ns) : start_ns;
            start_ns = start_ns > first_ns ? start_ns : first_ns;
        } else { /* the newest */
            for (int k = 1; k < limit && start_ns > first_ns; k++) {
                start_ns = bn_kline_start(interval, start_ns - 1);
            }
        }
        for (; limit > 0 && start_ns <= last_ns; start_ns = bn_kline_end(interval, start_ns)) {
            if (bn_kline_at(shell, instrument, interval, start_ns, &candle)) {
                sim_text_str(out, first ? "" : ",");
                first = false;
                row_text(out, i, interval, &candle);
                limit--;
            }
        }
    }
    sim_text_str(out, "]");
}

static void price_pair(struct sim_text *out, const char *name, const struct sim_instrument *i, int64_t price)
{
    sim_text_add(out, ",\"%s\":", name);
    bn_text_price(out, i, price);
}

static void qty_pair(struct sim_text *out, const char *name, const struct sim_instrument *i, __int128 qty)
{
    sim_text_add(out, ",\"%s\":", name);
    bn_text_qty(out, i, (int64_t)qty);
}

static void cash_pair(struct sim_text *out, const char *name, __int128 value_e16)
{
    sim_text_add(out, ",\"%s\":", name);
    cash(out, value_e16);
}

void bn_kline_event(struct sim_text *out, struct bn_shell *shell, int instrument, int interval,
                    const struct bn_candle *candle, bool closed, int64_t now_ns)
{
    const struct sim_instrument *i = &sim_venue_market(shell->venue, instrument)->instrument;

    sim_text_add(out, "{\"e\":\"kline\",\"E\":%lld,\"s\":\"%s\",\"k\":{\"t\":%lld,\"T\":%lld,\"s\":\"%s\"",
                 (long long)(now_ns / 1000000), i->symbol, (long long)(candle->start_ns / 1000000),
                 (long long)(bn_kline_end(interval, candle->start_ns) / 1000000) - 1, i->symbol);
    sim_text_add(out, ",\"i\":\"%s\",\"f\":%lld,\"L\":%lld", intervals[interval].name,
                 (long long)candle->first_id, (long long)candle->last_id);
    price_pair(out, "o", i, candle->open);
    price_pair(out, "c", i, candle->close);
    price_pair(out, "h", i, candle->high);
    price_pair(out, "l", i, candle->low);
    qty_pair(out, "v", i, candle->qty);
    sim_text_add(out, ",\"n\":%llu,\"x\":%s", (unsigned long long)candle->count, closed ? "true" : "false");
    cash_pair(out, "q", candle->value_e16);
    qty_pair(out, "V", i, candle->taker_qty);
    cash_pair(out, "Q", candle->taker_value_e16);
    sim_text_str(out, ",\"B\":\"0\"}");
    if (i->kind != SIM_SPOT) {
        sim_text_add(out, ",\"st\":%d", i->kind == SIM_LINEAR ? 1 : 2);
    }
    sim_text_str(out, "}");
}

void bn_kline_average(struct sim_text *out, struct bn_shell *shell, int instrument)
{
    const struct sim_instrument *i = &sim_venue_market(shell->venue, instrument)->instrument;
    struct bn_candle all = { 0 };
    int64_t newest_ns = bn_kline_start(1, shell->now_ns), closed_ns = shell->now_ns;
    struct sim_level best = { 0, 0 };

    for (int64_t k = 4; k >= 0; k--) {
        struct bn_candle candle;
        if (bn_kline_at(shell, instrument, 1, newest_ns - k * MINUTE_NS, &candle) && candle.count != 0) {
            add(&all, &candle);
        }
    }
    if (all.count ==
        0) { /* nothing traded in the window: the price is the best bid, as in the day's statistics */
        sim_venue_depth(shell->venue, instrument, SIM_BUY, &best, 1);
        all.close = best.price;
    } else {
        all.close = bn_day_average(i, all.qty, all.value_e16);
        closed_ns = shell->day[instrument].last_ns;
    }
    sim_text_str(out, "{\"mins\":5");
    price_pair(out, "price", i, all.close);
    sim_text_add(out, ",\"closeTime\":%lld}", (long long)(closed_ns / 1000000));
}
