#include "bench/messages.h"
#include "bench/harness.h"

#include <stdio.h>
#include <stdlib.h>

#define MIDDLE 6180000 /* 61,800.00 */

static int by_price(const void *a, const void *b)
{
    int64_t x = ((const struct level *)a)->price;
    int64_t y = ((const struct level *)b)->price;
    return (x > y) - (x < y);
}

/* Distinct prices, more of them near the touch; one in six a deletion. */
static void draw(uint64_t *random, struct level *side, int count, int64_t touch, int direction)
{
    int64_t away = 0;
    for (int i = 0; i < count; i++) {
        uint64_t r = bench_random(random);
        away += 10 * (1 + (int64_t)(r % (1 + (uint64_t)i)));
        side[i].price = touch + direction * away;
        side[i].qty = r >> 32 & 7 ? 1 + (int64_t)(r >> 40 & 2047) : 0;
    }
    qsort(side, (size_t)count, sizeof *side, by_price);
}

static size_t say_side(char *to, size_t room, const struct level *side)
{
    size_t at = 0;
    for (int i = 0; i < MESSAGE_LEVELS; i++) {
        at += (size_t)snprintf(to + at, room - at, "%s[\"%lld.%02lld\",\"%lld.%03lld\"]", i == 0 ? "" : ",",
                               (long long)(side[i].price / 100), (long long)(side[i].price % 100),
                               (long long)(side[i].qty / 1000), (long long)(side[i].qty % 1000));
    }
    return at;
}

/* ["new",58700.5,120.0],["delete",58701.0,0.0]: on a tick of a half, amounts in tens. */
static size_t say_bare(char *to, size_t room, struct level *side, uint64_t *random, int count)
{
    size_t at = 0;
    for (int i = 0; i < count; i++) {
        const char *action = side[i].qty == 0 ? "delete" : bench_random(random) & 1 ? "new" : "change";
        side[i].price = side[i].price / 50 * 50;
        side[i].qty *= 10;
        at += (size_t)snprintf(to + at, room - at, "%s[\"%s\",%lld.%lld,%lld.0]", i == 0 ? "" : ",", action,
                               (long long)(side[i].price / 100), (long long)(side[i].price % 100 / 10),
                               (long long)side[i].qty);
    }
    return at;
}

static size_t say_book(struct message *m, uint64_t *random, int bids, int asks, int64_t time_ms)
{
    size_t at =
        (size_t)snprintf(m->text, MESSAGE_BYTES,
                         "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":"
                         "\"book.BTC-PERPETUAL.raw\",\"data\":{\"type\":\"change\",\"timestamp\":%lld,"
                         "\"prev_change_id\":%llu,\"instrument_name\":\"BTC-PERPETUAL\",\"change_id\":%llu,"
                         "\"bids\":[",
                         (long long)time_ms, (unsigned long long)m->last - 117, (unsigned long long)m->last);
    at += say_bare(m->text + at, MESSAGE_BYTES - at, m->bid, random, bids);
    at += (size_t)snprintf(m->text + at, MESSAGE_BYTES - at, "],\"asks\":[");
    at += say_bare(m->text + at, MESSAGE_BYTES - at, m->ask, random, asks);
    return at + (size_t)snprintf(m->text + at, MESSAGE_BYTES - at, "]}}}");
}

void messages_make(struct message *out, enum message_kind kind)
{
    uint64_t random = 0x2545f4914f6cdd1dULL;
    uint64_t id = 5123107832006ULL;
    int64_t middle = MIDDLE;
    int64_t time_ms = 1723161256299LL;

    for (int i = 0; i < MESSAGE_COUNT; i++) {
        struct message *m = &out[i];
        *m = (struct message){ 0 };
        middle += 10 * ((int64_t)(bench_random(&random) % 21) - 10);
        time_ms += 1 + (int64_t)(bench_random(&random) % 90);
        uint64_t first = id + 1;
        id += 1 + bench_random(&random) % 6000;
        m->last = id;
        size_t at;
        if (kind == MESSAGE_TICKER) {
            draw(&random, m->bid, 1, middle, -1);
            draw(&random, m->ask, 1, middle, 1);
            m->bid[0].qty |= 1;
            m->ask[0].qty |= 1;
            at = (size_t)snprintf(
                m->text, MESSAGE_BYTES,
                "{\"stream\":\"btcusdt@bookTicker\",\"data\":{\"e\":\"bookTicker\",\"u\":%llu,"
                "\"s\":\"BTCUSDT\",\"b\":\"%lld.%02lld\",\"B\":\"%lld.%03lld\","
                "\"a\":\"%lld.%02lld\",\"A\":\"%lld.%03lld\",\"T\":%lld,\"E\":%lld}}",
                (unsigned long long)id, (long long)(m->bid[0].price / 100),
                (long long)(m->bid[0].price % 100), (long long)(m->bid[0].qty / 1000),
                (long long)(m->bid[0].qty % 1000), (long long)(m->ask[0].price / 100),
                (long long)(m->ask[0].price % 100), (long long)(m->ask[0].qty / 1000),
                (long long)(m->ask[0].qty % 1000), (long long)time_ms, (long long)time_ms);
        } else if (kind == MESSAGE_BOOK || kind == MESSAGE_BOOK_FEW) {
            draw(&random, m->bid, MESSAGE_LEVELS, middle, -1);
            draw(&random, m->ask, MESSAGE_LEVELS, middle, 1);
            int bids = kind == MESSAGE_BOOK ? MESSAGE_LEVELS : (int)(bench_random(&random) % 3);
            int asks = kind == MESSAGE_BOOK ? MESSAGE_LEVELS : (int)(bench_random(&random) % 3);
            at = say_book(m, &random, bids == 0 && asks == 0 ? 1 : bids, asks, time_ms);
        } else {
            draw(&random, m->bid, MESSAGE_LEVELS, middle, -1);
            draw(&random, m->ask, MESSAGE_LEVELS, middle, 1);
            at = (size_t)snprintf(
                m->text, MESSAGE_BYTES,
                "{\"stream\":\"btcusdt@depth@0ms\",\"data\":{\"e\":\"depthUpdate\",\"E\":%lld,"
                "\"T\":%lld,\"s\":\"BTCUSDT\",\"U\":%llu,\"u\":%llu,\"pu\":%llu,\"b\":[",
                (long long)time_ms, (long long)time_ms - 1, (unsigned long long)first, (unsigned long long)id,
                (unsigned long long)first - 1);
            at += say_side(m->text + at, MESSAGE_BYTES - at, m->bid);
            at += (size_t)snprintf(m->text + at, MESSAGE_BYTES - at, "],\"a\":[");
            at += say_side(m->text + at, MESSAGE_BYTES - at, m->ask);
            at += (size_t)snprintf(m->text + at, MESSAGE_BYTES - at, "]}}");
        }
        POISE_ASSERT(at < MESSAGE_BYTES - 1);
        m->bytes = at;
    }
}

void messages_instrument(struct instrument_table *table)
{
    instrument_table_reset(table);
    struct instrument row = { .name = "binance.linear.BTCUSDT",
                              .symbol = "BTCUSDT",
                              .venue = VENUE_BINANCE,
                              .product = PRODUCT_LINEAR,
                              .kind = KIND_LINEAR_PERPETUAL,
                              .status = INSTRUMENT_TRADING,
                              .price_decimals = 2,
                              .qty_decimals = 3,
                              .base = 0,
                              .quote = 1,
                              .settle = 1,
                              .tick = 10,
                              .lot = 1,
                              .min_qty = 1,
                              .max_qty = 1000000,
                              .contract_e8 = 100000000 };
    currency_find(table, "BTC", 3, true);
    currency_find(table, "USDT", 4, true);
    POISE_ASSERT(instrument_add(table, &row) == 0);
}

void messages_instrument_book(struct instrument_table *table)
{
    instrument_table_reset(table);
    struct instrument row = { .name = "deribit.inverse.BTC-PERPETUAL",
                              .symbol = "BTC-PERPETUAL",
                              .venue = VENUE_DERIBIT,
                              .product = PRODUCT_INVERSE,
                              .kind = KIND_INVERSE_PERPETUAL,
                              .status = INSTRUMENT_TRADING,
                              .price_decimals = 2,
                              .qty_decimals = 0,
                              .base = 0,
                              .quote = 1,
                              .settle = 0,
                              .tick = 50,
                              .lot = 10,
                              .min_qty = 10,
                              .max_qty = 10000000,
                              .contract_e8 = 100000000 };
    currency_find(table, "BTC", 3, true);
    currency_find(table, "USD", 3, true);
    POISE_ASSERT(instrument_add(table, &row) == 0);
}
