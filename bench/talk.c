#include "bench/talk.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIDE_LEVELS 100

static const char *const symbols[MARKET_LEGS] = { "BTCUSD_PERP", "BTCUSDT" };
static const char *const streams[MARKET_LEGS] = { "btcusd_perp", "btcusdt" };
static const char *const side_names[2] = { "BUY", "SELL" };

void talk_init(struct talk *talk)
{
    memset(talk, 0, sizeof *talk);
    talk->update[MARKET_INVERSE] = 1023456789012ULL;
    talk->update[MARKET_LINEAR] = 5123107832006ULL;
    talk->trade = 4711000000ULL;
    talk->order_number = 328971409;
    talk->bid = TALK_BID;
}

/* ------------------------------------------------------------------ market data */

static int depth_begin(struct talk *talk, int leg, char *out)
{
    uint64_t before = talk->update[leg];
    talk->update[leg] += 7;
    return sprintf(out,
                   "{\"stream\":\"%s@depth@100ms\",\"data\":{\"e\":\"depthUpdate\",\"E\":%lld,\"T\":%lld,"
                   "\"s\":\"%s\",\"U\":%llu,\"u\":%llu,\"pu\":%llu,\"b\":[",
                   streams[leg], (long long)talk->wall_ms, (long long)talk->wall_ms, symbols[leg],
                   (unsigned long long)before + 2, (unsigned long long)talk->update[leg],
                   (unsigned long long)before);
}

size_t talk_move(struct talk *talk, int64_t bid, char *out)
{
    int at = depth_begin(talk, MARKET_LINEAR, out);
    at += sprintf(out + at, "[\"%lld.%lld0\",\"0.000\"],[\"%lld.%lld0\",\"12.345\"]],\"a\":[]}}",
                  (long long)(talk->bid / 10), (long long)(talk->bid % 10), (long long)(bid / 10),
                  (long long)(bid % 10));
    talk->bid = bid;
    return (size_t)at;
}

size_t talk_still(struct talk *talk, int leg, char *out)
{
    int at = depth_begin(talk, leg, out);
    at += sprintf(out + at, "[\"59000.00\",\"%s\"]],\"a\":[]}}", leg == MARKET_LINEAR ? "1.000" : "100");
    return (size_t)at;
}

size_t talk_mark(const struct talk *talk, int leg, char *out)
{
    return (size_t)sprintf(out,
                           "{\"stream\":\"%s@markPrice@1s\",\"data\":{\"e\":\"markPriceUpdate\",\"E\":%lld,"
                           "\"s\":\"%s\",\"p\":\"60005.00000000\",\"i\":\"60004.50000000\",\"P\":"
                           "\"60004.00000000\",\"r\":\"0.00010000\",\"T\":%lld}}",
                           streams[leg], (long long)talk->wall_ms, symbols[leg],
                           (long long)talk->wall_ms + 3600000);
}

/* The levels that do not move: a whole dollar apart, behind the room in which the best bid moves. */
static int side(char *out, int64_t from, int64_t step, const char *qty)
{
    int at = 0;
    for (int i = 0; i < SIDE_LEVELS; i++) {
        int64_t price = from + step * i;
        at += sprintf(out + at, "%s[\"%lld.%lld0\",\"%s\"]", i == 0 ? "" : ",", (long long)(price / 10),
                      (long long)(price % 10), qty);
    }
    return at;
}

size_t talk_snapshot(const struct talk *talk, int leg, char *out)
{
    const char *qty = leg == MARKET_LINEAR ? "5.000" : "50000";
    int at =
        sprintf(out, "{\"lastUpdateId\":%llu,\"E\":%lld,\"T\":%lld,\"bids\":[",
                (unsigned long long)talk->update[leg], (long long)talk->wall_ms, (long long)talk->wall_ms);
    if (leg == MARKET_LINEAR) {
        at += sprintf(out + at, "[\"%lld.%lld0\",\"12.345\"],", (long long)(talk->bid / 10),
                      (long long)(talk->bid % 10));
    }
    at += side(out + at, TALK_BID - 10, -10, qty);
    at += sprintf(out + at, "],\"asks\":[");
    at += side(out + at, TALK_ASK, 10, qty);
    at += sprintf(out + at, "]}");
    POISE_ASSERT(at < TALK_BYTES);
    return (size_t)at;
}

/* ------------------------------------------------------------------ user streams */

static int units(char *out, int leg, int64_t qty)
{
    return leg == MARKET_LINEAR
               ? sprintf(out, "%lld.%03lld", (long long)(qty / 1000), (long long)(qty % 1000))
               : sprintf(out, "%lld", (long long)qty);
}

struct execution {
    const char *what, *status, *tif, *order, *fee;
    int leg;
    enum side side;
    int64_t price, qty, last, executed, last_price;
    bool maker;
};

static size_t order_update(struct talk *talk, const struct execution *x, char *out)
{
    char qty[24], last[24], executed[24];
    units(qty, x->leg, x->qty);
    units(last, x->leg, x->last);
    units(executed, x->leg, x->executed);
    return (size_t)sprintf(
        out,
        "{\"e\":\"ORDER_TRADE_UPDATE\",\"T\":%lld,\"E\":%lld,\"o\":{\"s\":\"%s\",\"c\":\"%s\",\"S\":\"%s\","
        "\"o\":\"LIMIT\",\"f\":\"%s\",\"q\":\"%s\",\"p\":\"%lld.%lld0\",\"ap\":\"%lld.%lld0\",\"sp\":\"0\","
        "\"x\":\"%s\",\"X\":\"%s\",\"i\":%llu,\"l\":\"%s\",\"z\":\"%s\",\"L\":\"%lld.%lld0\",\"N\":\"%s\","
        "\"n\":\"0.00000000\",\"T\":%lld,\"t\":%llu,\"b\":\"0\",\"a\":\"0\",\"m\":%s,\"R\":false,"
        "\"wt\":\"CONTRACT_PRICE\",\"ot\":\"LIMIT\",\"ps\":\"BOTH\",\"cp\":false,\"rp\":\"0\",\"pP\":false,"
        "\"si\":0,\"ss\":0,\"V\":\"EXPIRE_MAKER\",\"pm\":\"NONE\",\"gtd\":0}}",
        (long long)talk->wall_ms, (long long)talk->wall_ms, symbols[x->leg], x->order, side_names[x->side],
        x->tif, qty, (long long)(x->price / 10), (long long)(x->price % 10), (long long)(x->last_price / 10),
        (long long)(x->last_price % 10), x->what, x->status, (unsigned long long)talk->order_number, last,
        executed, (long long)(x->last_price / 10), (long long)(x->last_price % 10), x->fee,
        (long long)talk->wall_ms, (unsigned long long)(x->last != 0 ? ++talk->trade : 0),
        x->maker ? "true" : "false");
}

size_t talk_fill(struct talk *talk, enum side side, int64_t qty, char *out)
{
    struct talk_quote *quote = &talk->quote[side];
    POISE_ASSERT(quote->live && quote->qty - quote->executed > qty);
    quote->executed += qty;
    struct execution x = {
        "TRADE", "PARTIALLY_FILLED", "GTX",      quote->order, "BTC",           MARKET_INVERSE,
        side,    quote->price,       quote->qty, qty,          quote->executed, quote->price,
        true
    };
    return order_update(talk, &x, out);
}

size_t talk_gone(struct talk *talk, enum side side, char *out)
{
    struct talk_quote *quote = &talk->quote[side];
    POISE_ASSERT(quote->live);
    quote->live = false;
    struct execution x = { "CANCELED",   "CANCELED", "GTX", quote->order,    "BTC", MARKET_INVERSE, side,
                           quote->price, quote->qty, 0,     quote->executed, 0,     false };
    return order_update(talk, &x, out);
}

static int64_t hedge_price(const struct talk *talk, enum side side)
{
    return side == SIDE_BUY ? TALK_ASK : talk->bid;
}

size_t talk_hedged(struct talk *talk, const struct talk_request *hedge, char *out)
{
    struct execution x = { "TRADE",    "FILLED",      "IOC",       hedge->order,
                           "USDT",     MARKET_LINEAR, hedge->side, hedge->price,
                           hedge->qty, hedge->qty,    hedge->qty,  hedge_price(talk, hedge->side),
                           false };
    return order_update(talk, &x, out);
}

/* ------------------------------------------------------------------ requests */

/* value finds a name's value behind `from`: a string or a number, as text. */
static bool value(const char *from, const char *end, const char *name, const char **at, size_t *bytes)
{
    char pattern[48];
    int pattern_bytes = snprintf(pattern, sizeof pattern, "\"%s\":", name);
    const char *found = memmem(from, (size_t)(end - from), pattern, (size_t)pattern_bytes);
    if (found == NULL) {
        return false;
    }
    *at = found + pattern_bytes;
    bool quoted = **at == '"';
    *at += quoted;
    const char *stop = *at;
    while (stop < end && (quoted ? *stop != '"' : *stop != ',' && *stop != '}')) {
        stop++;
    }
    *bytes = (size_t)(stop - *at);
    return stop < end;
}

static bool copy(const char *from, const char *end, const char *name, char out[TALK_ID_BYTES])
{
    const char *at;
    size_t bytes;
    if (!value(from, end, name, &at, &bytes) || bytes == 0 || bytes >= TALK_ID_BYTES) {
        return false;
    }
    memcpy(out, at, bytes);
    out[bytes] = 0;
    return true;
}

static bool decimal(const char *from, const char *end, const char *name, int decimals, int64_t *out)
{
    char text[TALK_ID_BYTES];
    if (!copy(from, end, name, text)) {
        return false;
    }
    char *at;
    *out = strtoll(text, &at, 10);
    if (*at == '.') {
        at++;
    }
    for (int i = 0; i < decimals; i++) {
        *out = *out * 10 + (*at != 0 ? *at++ - '0' : 0);
    }
    return strspn(at, "0") == strlen(at);
}

/* The parameters stand in the order of their names: joined, they are what was signed. */
static bool is_signed(const char *params, const char *end)
{
    char text[1024], digits[65];
    size_t used = 0;
    const char *at = params;
    while (at < end && *at == '"') {
        const char *name = at + 1;
        const char *name_end = memchr(name, '"', (size_t)(end - name));
        if (name_end == NULL) {
            return false;
        }
        const char *from = name_end + 2;
        bool quoted = *from == '"';
        from += quoted;
        const char *stop = from;
        while (stop < end && (quoted ? *stop != '"' : *stop != ',' && *stop != '}')) {
            stop++;
        }
        if (name_end - name == 9 && memcmp(name, "signature", 9) == 0) {
            unsigned char hash[32];
            unsigned int hash_bytes = 0;
            HMAC(EVP_sha256(), TALK_SECRET, (int)strlen(TALK_SECRET), (unsigned char *)text, used, hash,
                 &hash_bytes);
            for (int i = 0; i < 32; i++) {
                sprintf(digits + 2 * i, "%02x", hash[i]);
            }
            return stop - from == 64 && memcmp(from, digits, 64) == 0;
        }
        size_t need = (size_t)(name_end - name) + (size_t)(stop - from) + 2;
        if (used + need > sizeof text) {
            return false;
        }
        used += (size_t)sprintf(text + used, "%s%.*s=%.*s", used == 0 ? "" : "&", (int)(name_end - name),
                                name, (int)(stop - from), from);
        at = stop + quoted + 1;
    }
    return false;
}

bool talk_read(const char *text, size_t bytes, int leg, struct talk_request *request)
{
    static const struct {
        const char *method, *order;
        enum talk_kind kind;
    } methods[] = { { "order.place", "newClientOrderId", TALK_NEW },
                    { "order.modify", "origClientOrderId", TALK_MODIFY },
                    { "order.cancel", "origClientOrderId", TALK_CANCEL } };
    const char *end = text + bytes;
    char word[TALK_ID_BYTES];
    memset(request, 0, sizeof *request);
    request->leg = (uint8_t)leg;
    if (!copy(text, end, "id", request->id) || !copy(text, end, "method", word)) {
        return false;
    }
    const char *order = "";
    for (size_t i = 0; i < POISE_COUNT_OF(methods); i++) {
        if (strcmp(methods[i].method, word) == 0) {
            request->kind = methods[i].kind;
            order = methods[i].order;
        }
    }
    const char *params = memmem(text, bytes, "\"params\":{", 10);
    if (request->kind == TALK_NONE || params == NULL || !copy(text, end, order, request->order) ||
        !copy(text, end, "symbol", word) || strcmp(word, symbols[leg]) != 0) {
        return false;
    }
    request->signed_right = is_signed(params + 10, end);
    if (request->kind == TALK_CANCEL) {
        return true;
    }
    if (!copy(text, end, "side", word)) {
        return false;
    }
    request->side = strcmp(word, "SELL") == 0 ? SIDE_SELL : SIDE_BUY;
    return decimal(text, end, "price", 1, &request->price) &&
           decimal(text, end, "quantity", leg == MARKET_LINEAR ? 3 : 0, &request->qty);
}

static struct talk_quote *quote_named(struct talk *talk, const char *order)
{
    for (int side = 0; side < 2; side++) {
        if (talk->quote[side].live && strcmp(talk->quote[side].order, order) == 0) {
            return &talk->quote[side];
        }
    }
    return NULL;
}

static size_t refuse(const struct talk_request *request, int code, const char *why, char *out)
{
    return (size_t)sprintf(out, "{\"id\":\"%s\",\"status\":400,\"error\":{\"code\":%d,\"msg\":\"%s\"}}",
                           request->id, code, why);
}

size_t talk_reply(struct talk *talk, const struct talk_request *request, char *out)
{
    struct talk_quote hedge = { .price = request->price, .qty = request->qty, .executed = request->qty };
    struct talk_quote *quote = &hedge;
    const char *status = "NEW", *tif = "GTX";
    enum side side = request->side;
    talk->order_number++;
    if (!request->signed_right) {
        return refuse(request, -1022, "Signature for this request is not valid.", out);
    }
    if (request->leg == MARKET_LINEAR) {
        status = "FILLED";
        tif = "IOC";
    } else if (request->kind == TALK_NEW) {
        quote = &talk->quote[side];
        *quote = (struct talk_quote){ true, request->price, request->qty, 0, "" };
        memcpy(quote->order, request->order, sizeof quote->order);
    } else {
        quote = quote_named(talk, request->order);
        if (quote == NULL) {
            return refuse(request, request->kind == TALK_CANCEL ? -2011 : -2013, "Unknown order sent.", out);
        }
        side = quote == &talk->quote[SIDE_BUY] ? SIDE_BUY : SIDE_SELL;
        if (request->kind == TALK_MODIFY) {
            quote->price = request->price;
            quote->qty = request->qty;
            status = quote->executed != 0 ? "PARTIALLY_FILLED" : "NEW";
        } else {
            quote->live = false;
            status = "CANCELED";
        }
    }
    char qty[24], executed[24];
    units(qty, request->leg, quote->qty);
    units(executed, request->leg, quote->executed);
    return (size_t)sprintf(
        out,
        "{\"id\":\"%s\",\"status\":200,\"result\":{\"orderId\":%llu,\"symbol\":\"%s\",\"status\":\"%s\","
        "\"clientOrderId\":\"%s\",\"price\":\"%lld.%lld0\",\"avgPrice\":\"0.00\",\"origQty\":\"%s\","
        "\"executedQty\":\"%s\",\"cumQty\":\"%s\",\"timeInForce\":\"%s\",\"type\":\"LIMIT\","
        "\"reduceOnly\":false,\"closePosition\":false,\"side\":\"%s\",\"positionSide\":\"BOTH\","
        "\"stopPrice\":\"0.00\",\"workingType\":\"CONTRACT_PRICE\",\"priceProtect\":false,\"origType\":"
        "\"LIMIT\",\"priceMatch\":\"NONE\",\"selfTradePreventionMode\":\"EXPIRE_MAKER\",\"goodTillDate\":0,"
        "\"updateTime\":%lld}}",
        request->id, (unsigned long long)talk->order_number, symbols[request->leg], status, request->order,
        (long long)(quote->price / 10), (long long)(quote->price % 10), qty, executed, executed, tif,
        side_names[side], (long long)talk->wall_ms);
}
