#include "tools/sim/binance/bn_state.h"

#include "tools/sim/model/sim_decimal.h"
#include "tools/sim/model/sim_ledger.h"

#include <string.h>

/* The venue's window rolls; ours starts anew after a day, which no run here has reached. */
#define DAY_NS (INT64_C(86400) * 1000000000)

void bn_day_trade(struct bn_shell *shell, const struct sim_event *event)
{
    const struct sim_instrument *i = &sim_venue_market(shell->venue, event->instrument)->instrument;
    struct bn_day *day = &shell->day[event->instrument];

    if (day->count == 0 || event->now_ns - day->since_ns >= DAY_NS) {
        day->since_ns = event->now_ns;
        day->open = day->high = day->low = event->price;
        day->volume = day->value_e16 = 0;
        day->count = 0;
        day->first_id = event->trade_id;
    }
    day->high = event->price > day->high ? event->price : day->high;
    day->low = event->price < day->low ? event->price : day->low;
    day->last = event->price;
    day->last_qty = event->qty;
    day->last_id = event->trade_id;
    day->last_ns = event->now_ns;
    day->volume += event->qty;
    day->value_e16 += sim_ledger_value(i, event->qty, event->price);
    day->count++;
    day->print[day->printed++ % BN_PRINT_MAX] =
        (struct bn_print){ event->trade_id, event->now_ns, event->price, event->qty, event->buyer_is_maker };
}

/* --- numbers ------------------------------------------------------------------------------------------- */

struct numbers { /* what the four forms of the statistics have in common */
    int64_t open, high, low, last, average;
    int64_t percent_e3;
    int64_t begin_ms, end_ms;
    struct sim_level best[2];
};

int64_t bn_day_average(const struct sim_instrument *i, __int128 qty, __int128 value_e16)
{
    __int128 value_e8 = value_e16 / SIM_CASH_ONE;

    if (i->kind == SIM_INVERSE) { /* contracts over coin */
        return value_e8 <= 0 ? 0
                             : (int64_t)(qty * i->contract_size * sim_decimal_power(i->price_decimals) *
                                         SIM_CASH_ONE / value_e8);
    }
    return qty <= 0 ? 0
                    : (int64_t)(value_e8 * sim_decimal_power(i->price_decimals + i->qty_decimals) /
                                SIM_CASH_ONE / qty);
}

static struct numbers numbers_of(struct bn_shell *shell, int at, int64_t now_ns)
{
    const struct bn_day *day = &shell->day[at];
    struct numbers n = { day->open, day->high, day->low,         day->last,   day->last,
                         0,         0,         now_ns / 1000000, { { 0, 0 } } };

    for (int side = 0; side < 2; side++) {
        sim_venue_depth(shell->venue, at, side, &n.best[side], 1);
    }
    if (day->count == 0) { /* a market that never traded does not exist at the venue: begin at the bid */
        n.open = n.high = n.low = n.last = n.average = n.best[SIM_BUY].price;
        n.begin_ms = n.end_ms;
        return n;
    }
    int64_t average =
        bn_day_average(&sim_venue_market(shell->venue, at)->instrument, day->volume, day->value_e16);

    n.begin_ms = day->since_ns / 1000000;
    n.percent_e3 = day->open == 0 ? 0 : (day->last - day->open) * 100000 / day->open;
    n.average = average != 0 ? average : n.average;
    return n;
}

static void price_pair(struct sim_text *out, const char *name, const struct sim_instrument *i, int64_t price)
{
    sim_text_add(out, ",\"%s\":", name);
    bn_text_price(out, i, price);
}

static void qty_pair(struct sim_text *out, const char *name, const struct sim_instrument *i, int64_t qty)
{
    sim_text_add(out, ",\"%s\":", name);
    bn_text_qty(out, i, qty);
}

static void cash_pair(struct sim_text *out, const char *name, __int128 value_e16)
{
    sim_text_add(out, ",\"%s\":", name);
    bn_text_cash(out, (int64_t)(value_e16 / SIM_CASH_ONE));
}

static void percent_pair(struct sim_text *out, const char *name, int64_t percent_e3)
{
    sim_text_add(out, ",\"%s\":\"", name);
    sim_text_decimal(out, percent_e3, 3, 3);
    sim_text_str(out, "\"");
}

/* --- streams ------------------------------------------------------------------------------------------- */

void bn_day_event(struct sim_text *out, struct bn_shell *shell, int at, bool mini, int64_t now_ns)
{
    const struct sim_instrument *i = &sim_venue_market(shell->venue, at)->instrument;
    const struct bn_day *day = &shell->day[at];
    struct numbers n = numbers_of(shell, at, now_ns);
    bool spot = i->kind == SIM_SPOT;

    sim_text_add(out, "{\"e\":\"%s\",\"E\":%lld,\"s\":\"%s\"", mini ? "24hrMiniTicker" : "24hrTicker",
                 (long long)n.end_ms, i->symbol);
    if (i->kind == SIM_INVERSE) {
        sim_text_add(out, ",\"ps\":\"%s\"", i->pair);
    }
    if (!mini) {
        price_pair(out, "p", i, n.last - n.open);
        percent_pair(out, "P", n.percent_e3);
        price_pair(out, "w", i, n.average);
        if (spot) {
            price_pair(out, "x", i, n.open);
        }
    }
    price_pair(out, "c", i, n.last);
    if (!mini) {
        qty_pair(out, "Q", i, day->last_qty);
        if (spot) {
            price_pair(out, "b", i, n.best[SIM_BUY].price);
            qty_pair(out, "B", i, n.best[SIM_BUY].qty);
            price_pair(out, "a", i, n.best[SIM_SELL].price);
            qty_pair(out, "A", i, n.best[SIM_SELL].qty);
        }
    }
    price_pair(out, "o", i, n.open);
    price_pair(out, "h", i, n.high);
    price_pair(out, "l", i, n.low);
    qty_pair(out, "v", i, (int64_t)day->volume);
    cash_pair(out, "q", day->value_e16);
    if (!mini) {
        sim_text_add(out, ",\"O\":%lld,\"C\":%lld,\"F\":%lld,\"L\":%lld,\"n\":%llu", (long long)n.begin_ms,
                     (long long)n.end_ms, (long long)day->first_id, (long long)day->last_id,
                     (unsigned long long)day->count);
    }
    if (!spot) {
        sim_text_add(out, ",\"st\":%d", i->kind == SIM_LINEAR ? 1 : 2);
    }
    sim_text_str(out, "}");
}

/* --- REST ---------------------------------------------------------------------------------------------- */

void bn_day_ticker(struct bn_shell *shell, int at, struct sim_text *out)
{
    const struct sim_instrument *i = &sim_venue_market(shell->venue, at)->instrument;
    const struct bn_day *day = &shell->day[at];
    struct numbers n = numbers_of(shell, at, shell->now_ns);

    sim_text_add(out, "{\"symbol\":\"%s\"", i->symbol);
    if (i->kind == SIM_INVERSE) {
        sim_text_add(out, ",\"pair\":\"%s\"", i->pair);
    }
    price_pair(out, "priceChange", i, n.last - n.open);
    percent_pair(out, "priceChangePercent", n.percent_e3);
    price_pair(out, "weightedAvgPrice", i, n.average);
    price_pair(out, "lastPrice", i, n.last);
    qty_pair(out, "lastQty", i, day->last_qty);
    if (i->kind == SIM_SPOT) {
        price_pair(out, "prevClosePrice", i, n.open);
        price_pair(out, "bidPrice", i, n.best[SIM_BUY].price);
        qty_pair(out, "bidQty", i, n.best[SIM_BUY].qty);
        price_pair(out, "askPrice", i, n.best[SIM_SELL].price);
        qty_pair(out, "askQty", i, n.best[SIM_SELL].qty);
    }
    price_pair(out, "openPrice", i, n.open);
    price_pair(out, "highPrice", i, n.high);
    price_pair(out, "lowPrice", i, n.low);
    qty_pair(out, "volume", i, (int64_t)day->volume);
    cash_pair(out, i->kind == SIM_INVERSE ? "baseVolume" : "quoteVolume", day->value_e16);
    sim_text_add(out,
                 ",\"openTime\":%lld,\"closeTime\":%lld,\"firstId\":%lld,\"lastId\":%lld,\"count\":%llu}",
                 (long long)n.begin_ms, (long long)n.end_ms, (long long)day->first_id,
                 (long long)day->last_id, (unsigned long long)day->count);
}

/* short_ticker is what the smaller objects have: `change` with how the price moved, too. */
static void short_ticker(struct bn_shell *shell, int at, struct sim_text *out, bool change)
{
    const struct sim_instrument *i = &sim_venue_market(shell->venue, at)->instrument;
    const struct bn_day *day = &shell->day[at];
    struct numbers n = numbers_of(shell, at, shell->now_ns);

    sim_text_add(out, "{\"symbol\":\"%s\"", i->symbol);
    if (change) {
        price_pair(out, "priceChange", i, n.last - n.open);
        percent_pair(out, "priceChangePercent", n.percent_e3);
        price_pair(out, "weightedAvgPrice", i, n.average);
    }
    price_pair(out, "openPrice", i, n.open);
    price_pair(out, "highPrice", i, n.high);
    price_pair(out, "lowPrice", i, n.low);
    price_pair(out, "lastPrice", i, n.last);
    qty_pair(out, "volume", i, (int64_t)day->volume);
    cash_pair(out, "quoteVolume", day->value_e16);
    sim_text_add(out,
                 ",\"openTime\":%lld,\"closeTime\":%lld,\"firstId\":%lld,\"lastId\":%lld,\"count\":%llu}",
                 (long long)n.begin_ms, (long long)n.end_ms, (long long)day->first_id,
                 (long long)day->last_id, (unsigned long long)day->count);
}

void bn_day_window(struct bn_shell *shell, int at, struct sim_text *out)
{
    short_ticker(shell, at, out, true);
}

void bn_day_mini(struct bn_shell *shell, int at, struct sim_text *out)
{
    short_ticker(shell, at, out, false);
}

static void aggregate_text(struct sim_text *out, const struct sim_instrument *i, const struct bn_print *print)
{
    sim_text_add(out, "{\"a\":%lld", (long long)print->id);
    price_pair(out, "p", i, print->price);
    qty_pair(out, "q", i, print->qty);
    if (i->kind != SIM_SPOT) {
        qty_pair(out, "nq", i, print->qty);
    }
    sim_text_add(out, ",\"f\":%lld,\"l\":%lld,\"T\":%lld,\"m\":%s%s}", (long long)print->id,
                 (long long)print->id, (long long)(print->now_ns / 1000000),
                 print->buyer_is_maker ? "true" : "false", i->kind == SIM_SPOT ? ",\"M\":true" : "");
}

static void print_text(struct sim_text *out, const struct sim_instrument *i, const struct bn_print *print)
{
    sim_text_add(out, "{\"id\":%lld", (long long)print->id);
    price_pair(out, "price", i, print->price);
    qty_pair(out, "qty", i, print->qty);
    cash_pair(out, i->kind == SIM_INVERSE ? "baseQty" : "quoteQty",
              sim_ledger_value(i, print->qty, print->price));
    sim_text_add(out, ",\"time\":%lld,\"isBuyerMaker\":%s%s}", (long long)(print->now_ns / 1000000),
                 print->buyer_is_maker ? "true" : "false",
                 i->kind == SIM_SPOT ? ",\"isBestMatch\":true" : "");
}

void bn_day_trades(struct sim_text *out, struct bn_shell *shell, int at, const struct bn_window *window,
                   bool aggregate)
{
    const struct sim_instrument *i = &sim_venue_market(shell->venue, at)->instrument;
    const struct bn_day *day = &shell->day[at];
    uint64_t first = day->printed < BN_PRINT_MAX ? 0 : day->printed - BN_PRINT_MAX, end = day->printed;
    bool any = false;

    /* Prints ascend by id and time, so a window is a stretch of them. */
    while (first < end && (day->print[first % BN_PRINT_MAX].id < window->from_id ||
                           day->print[first % BN_PRINT_MAX].now_ns < window->from_ns)) {
        first++;
    }
    while (end > first && day->print[(end - 1) % BN_PRINT_MAX].now_ns > window->to_ns) {
        end--;
    }
    if (end - first > (uint64_t)window->limit) {
        if (window->from_id >= 0 || window->from_ns > 0) {
            end = first + (uint64_t)window->limit;
        } else {
            first = end - (uint64_t)window->limit;
        }
    }
    sim_text_str(out, "[");
    for (uint64_t k = first; k < end; k++) {
        sim_text_str(out, any ? "," : "");
        any = true;
        (aggregate ? aggregate_text : print_text)(out, i, &day->print[k % BN_PRINT_MAX]);
    }
    sim_text_str(out, "]");
}
