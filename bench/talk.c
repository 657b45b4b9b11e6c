#include "bench/talk.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIDE_LEVELS 100

#define QUOTED "BTC-PERPETUAL" /* on Deribit */
#define HEDGED "BTCUSDT"       /* on Binance */

static const char *const side_names[2] = { "BUY", "SELL" };
static const char *const directions[2] = { "buy", "sell" };

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

static int depth_begin(struct talk *talk, char *out)
{
    uint64_t before = talk->update[MARKET_LINEAR];
    talk->update[MARKET_LINEAR] += 7;
    return sprintf(
        out,
        "{\"stream\":\"btcusdt@depth@100ms\",\"data\":{\"e\":\"depthUpdate\",\"E\":%lld,\"T\":%lld,"
        "\"s\":\"" HEDGED "\",\"U\":%llu,\"u\":%llu,\"pu\":%llu,\"b\":[",
        (long long)talk->wall_ms, (long long)talk->wall_ms, (unsigned long long)before + 2,
        (unsigned long long)talk->update[MARKET_LINEAR], (unsigned long long)before);
}

size_t talk_move(struct talk *talk, int64_t bid, char *out)
{
    int at = depth_begin(talk, out);
    at += sprintf(out + at, "[\"%lld.%lld0\",\"0.000\"],[\"%lld.%lld0\",\"12.345\"]],\"a\":[]}}",
                  (long long)(talk->bid / 10), (long long)(talk->bid % 10), (long long)(bid / 10),
                  (long long)(bid % 10));
    talk->bid = bid;
    return (size_t)at;
}

/* told begins one of Deribit's notifications; two braces end it. */
static int told(char *out, const char *channel)
{
    return sprintf(
        out,
        "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":\"%s\",\"data\":", channel);
}

size_t talk_still(struct talk *talk, int leg, char *out)
{
    int at;
    if (leg == MARKET_LINEAR) {
        at = depth_begin(talk, out);
        return (size_t)(at + sprintf(out + at, "[\"59000.00\",\"1.000\"]],\"a\":[]}}"));
    }
    uint64_t before = talk->update[MARKET_INVERSE]++;
    at = told(out, "book." QUOTED ".raw");
    at += sprintf(
        out + at,
        "{\"type\":\"change\",\"timestamp\":%lld,\"prev_change_id\":%llu,\"instrument_name\":\"" QUOTED
        "\",\"change_id\":%llu,\"bids\":[[\"change\",59950.0,50000.0]],\"asks\":[]}}}",
        (long long)talk->wall_ms, (unsigned long long)before,
        (unsigned long long)talk->update[MARKET_INVERSE]);
    return (size_t)at;
}

size_t talk_mark(const struct talk *talk, int leg, char *out)
{
    if (leg == MARKET_LINEAR) {
        return (size_t)sprintf(
            out,
            "{\"stream\":\"btcusdt@markPrice@1s\",\"data\":{\"e\":\"markPriceUpdate\",\"E\":%lld,"
            "\"s\":\"" HEDGED "\",\"p\":\"60005.00000000\",\"i\":\"60004.50000000\",\"P\":"
            "\"60004.00000000\",\"r\":\"0.00010000\",\"T\":%lld}}",
            (long long)talk->wall_ms, (long long)talk->wall_ms + 3600000);
    }
    int at = told(out, "ticker." QUOTED ".100ms");
    at += sprintf(
        out + at,
        "{\"timestamp\":%lld,\"state\":\"open\",\"stats\":{\"high\":61000.0,\"low\":59000.0,"
        "\"price_change\":0.5,\"volume\":1234.5,\"volume_usd\":74000000.0,\"volume_notional\":74000000.0},"
        "\"index_price\":60004.5,\"instrument_name\":\"" QUOTED "\",\"last_price\":60005.0,"
        "\"settlement_price\":60001.23,\"min_price\":59100.0,\"max_price\":60900.0,"
        "\"open_interest\":987654320.0,\"mark_price\":60005.0,\"estimated_delivery_price\":60004.5,"
        "\"best_bid_price\":59999.0,\"best_bid_amount\":50000.0,\"best_ask_price\":%lld.0,"
        "\"best_ask_amount\":50000.0,\"current_funding\":0.0001,\"funding_8h\":0.0001,"
        "\"interest_value\":0.01}}}",
        (long long)talk->wall_ms, TALK_QUOTED_ASK / 10LL);
    return (size_t)at;
}

/* The levels that do not move: a whole dollar apart, behind the room in which the best bid moves. */
static int side(char *out, int64_t from, int64_t step, const char *format)
{
    int at = 0;
    for (int i = 0; i < SIDE_LEVELS; i++) {
        int64_t price = from + step * i;
        out[at] = ',';
        at += i != 0;
        at += sprintf(out + at, format, (long long)(price / 10), (long long)(price % 10));
    }
    return at;
}

static int quoted_book(const struct talk *talk, char *out)
{
    static const char level[] = "[\"new\",%lld.%lld,50000.0]";
    int at = told(out, "book." QUOTED ".raw");
    at += sprintf(out + at,
                  "{\"type\":\"snapshot\",\"timestamp\":%lld,\"instrument_name\":\"" QUOTED
                  "\",\"change_id\":%llu,\"bids\":[",
                  (long long)talk->wall_ms, (unsigned long long)talk->update[MARKET_INVERSE]);
    at += side(out + at, TALK_BID - 10, -10, level);
    at += sprintf(out + at, "],\"asks\":[");
    at += side(out + at, TALK_QUOTED_ASK, 10, level);
    return at + sprintf(out + at, "]}}}");
}

static int hedged_book(const struct talk *talk, char *out)
{
    static const char level[] = "[\"%lld.%lld0\",\"5.000\"]";
    int at = sprintf(out, "{\"lastUpdateId\":%llu,\"E\":%lld,\"T\":%lld,\"bids\":[",
                     (unsigned long long)talk->update[MARKET_LINEAR], (long long)talk->wall_ms,
                     (long long)talk->wall_ms);
    at += sprintf(out + at, "[\"%lld.%lld0\",\"12.345\"],", (long long)(talk->bid / 10),
                  (long long)(talk->bid % 10));
    at += side(out + at, TALK_BID - 10, -10, level);
    at += sprintf(out + at, "],\"asks\":[");
    at += side(out + at, TALK_ASK, 10, level);
    return at + sprintf(out + at, "]}");
}

size_t talk_snapshot(const struct talk *talk, int leg, char *out)
{
    int at = leg == MARKET_LINEAR ? hedged_book(talk, out) : quoted_book(talk, out);
    POISE_ASSERT(at < TALK_BYTES);
    return (size_t)at;
}

/* ------------------------------------------------------------------ what happens to our quotes: Deribit */

/* quote_text is an order as replies and user.changes print it. */
static int quote_text(const struct talk *talk, enum side side, const char *ended, char *out)
{
    const struct talk_quote *quote = &talk->quote[side];
    char reason[64] = "";
    if (ended != NULL) {
        sprintf(reason, "\"cancel_reason\":\"%s\",", ended);
    }
    return sprintf(
        out,
        "{\"label\":\"%s\",\"price\":%lld.%lld,\"user_id\":96103,\"amount\":%lld.0,\"direction\":\"%s\","
        "\"time_in_force\":\"good_til_cancelled\",\"instrument_name\":\"" QUOTED
        "\",\"web\":false,\"api\":true,\"order_id\":\"%s\",\"creation_timestamp\":%lld,\"replaced\":%s,"
        "\"filled_amount\":%lld.0,\"last_update_timestamp\":%lld,\"post_only\":true,\"reduce_only\":false,%s"
        "\"average_price\":%lld.%lld,\"mmp\":false,\"contracts\":%lld.0,\"reject_post_only\":true,"
        "\"order_state\":\"%s\",\"order_type\":\"limit\",\"is_liquidation\":false,\"risk_reducing\":false}",
        quote->order, (long long)(quote->price / 10000), (long long)(quote->price / 1000 % 10),
        (long long)quote->qty, directions[side], quote->id, (long long)quote->born_ms,
        quote->amended ? "true" : "false", (long long)quote->executed, (long long)talk->wall_ms, reason,
        (long long)(quote->executed != 0 ? quote->price / 10000 : 0),
        (long long)(quote->executed != 0 ? quote->price / 1000 % 10 : 0), (long long)(quote->qty / 10),
        ended != NULL ? "cancelled" : "open");
}

static size_t changes(const struct talk *talk, const char *trades, const char *positions, enum side side,
                      const char *ended, char *out)
{
    int at = told(out, "user.changes.any.any.raw");
    at += sprintf(out + at,
                  "{\"instrument_name\":\"" QUOTED "\",\"trades\":[%s],\"positions\":[%s],\"orders\":[",
                  trades, positions);
    at += quote_text(talk, side, ended, out + at);
    return (size_t)(at + sprintf(out + at, "]}}}"));
}

size_t talk_fill(struct talk *talk, enum side side, int64_t qty, char *out)
{
    char trade[1024], position[1024];
    struct talk_quote *quote = &talk->quote[side];
    POISE_ASSERT(quote->live && quote->qty - quote->executed > qty);
    quote->executed += qty;
    talk->position += side == SIDE_BUY ? qty : -qty;
    long long whole = quote->price / 10000, tenth = quote->price / 1000 % 10;
    talk->trade++;
    snprintf(
        trade, sizeof trade,
        "{\"label\":\"%s\",\"timestamp\":%lld,\"state\":\"open\",\"price\":%lld.%lld,\"direction\":\"%s\","
        "\"index_price\":60004.5,\"profit_loss\":0.0,\"instrument_name\":\"" QUOTED
        "\",\"trade_seq\":%llu,\"mark_price\":60005.0,\"amount\":%lld.0,\"order_id\":\"%s\","
        "\"matching_id\":null,\"tick_direction\":1,\"fee\":0.0,\"api\":true,\"mmp\":false,"
        "\"post_only\":true,\"contracts\":%lld.0,\"self_trade\":false,\"trade_id\":\"%llu\","
        "\"order_type\":\"limit\",\"fee_currency\":\"BTC\",\"liquidity\":\"M\",\"risk_reducing\":false,"
        "\"reduce_only\":false}",
        quote->order, (long long)talk->wall_ms, whole, tenth, directions[side],
        (unsigned long long)talk->trade, (long long)qty, quote->id, (long long)(qty / 10),
        (unsigned long long)talk->trade + 100000000);
    snprintf(position, sizeof position,
             "{\"instrument_name\":\"" QUOTED
             "\",\"kind\":\"future\",\"direction\":\"%s\",\"size\":%lld.0,\"size_currency\":%.8f,"
             "\"average_price\":%lld.%lld,\"mark_price\":60005.0,\"index_price\":60004.5,"
             "\"settlement_price\":60001.23,\"floating_profit_loss\":0.0001,\"realized_profit_loss\":0.0,"
             "\"total_profit_loss\":0.0001,\"realized_funding\":0.0,\"interest_value\":0.01,\"delta\":%.8f,"
             "\"initial_margin\":0.0003,\"maintenance_margin\":0.00015,\"open_orders_margin\":0.0001,"
             "\"estimated_liquidation_price\":null,\"leverage\":50}",
             talk->position > 0   ? "buy"
             : talk->position < 0 ? "sell"
                                  : "zero",
             (long long)talk->position, (double)talk->position / 60005, whole, tenth,
             (double)talk->position / 60005);
    return changes(talk, trade, position, side, NULL, out);
}

size_t talk_gone(struct talk *talk, enum side side, char *out)
{
    POISE_ASSERT(talk->quote[side].live);
    talk->quote[side].live = false;
    return changes(talk, "", "", side, "user_request", out);
}

size_t talk_changed(const struct talk *talk, char *out)
{
    const struct talk_quote *quote = talk->changed;
    if (quote == NULL) {
        return 0;
    }
    return changes(talk, "", "", quote == &talk->quote[SIDE_BUY] ? SIDE_BUY : SIDE_SELL,
                   quote->live ? NULL : "user_request", out);
}

/* ------------------------------------------------------------------ what happens to our hedges: Binance */

static int units(char *out, int64_t qty)
{
    return sprintf(out, "%lld.%03lld", (long long)(qty / 1000), (long long)(qty % 1000));
}

size_t talk_hedged(struct talk *talk, const struct talk_request *hedge, char *out)
{
    char qty[24];
    int64_t price = hedge->side == SIDE_BUY ? TALK_ASK : talk->bid;
    long long whole = price / 10, tenth = price % 10;
    units(qty, hedge->qty);
    return (size_t)sprintf(
        out,
        "{\"e\":\"ORDER_TRADE_UPDATE\",\"T\":%lld,\"E\":%lld,\"o\":{\"s\":\"" HEDGED
        "\",\"c\":\"%s\",\"S\":\"%s\",\"o\":\"LIMIT\",\"f\":\"IOC\",\"q\":\"%s\",\"p\":\"%lld.%lld0\","
        "\"ap\":\"%lld.%lld0\",\"sp\":\"0\",\"x\":\"TRADE\",\"X\":\"FILLED\",\"i\":%llu,\"l\":\"%s\","
        "\"z\":\"%s\",\"L\":\"%lld.%lld0\",\"N\":\"USDT\",\"n\":\"0.00000000\",\"T\":%lld,\"t\":%llu,"
        "\"b\":\"0\",\"a\":\"0\",\"m\":false,\"R\":false,\"wt\":\"CONTRACT_PRICE\",\"ot\":\"LIMIT\","
        "\"ps\":\"BOTH\",\"cp\":false,\"rp\":\"0\",\"pP\":false,\"si\":0,\"ss\":0,\"V\":\"EXPIRE_MAKER\","
        "\"pm\":\"NONE\",\"gtd\":0}}",
        (long long)talk->wall_ms, (long long)talk->wall_ms, hedge->order, side_names[hedge->side], qty,
        (long long)(hedge->price / 10), (long long)(hedge->price % 10), whole, tenth,
        (unsigned long long)talk->order_number, qty, qty, whole, tenth, (long long)talk->wall_ms,
        (unsigned long long)++talk->trade);
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

static void sign(const char *text, size_t bytes, char digits[65])
{
    unsigned char hash[32];
    unsigned int hash_bytes = 0;
    HMAC(EVP_sha256(), TALK_SECRET, (int)strlen(TALK_SECRET), (const unsigned char *)text, bytes, hash,
         &hash_bytes);
    for (int i = 0; i < 32; i++) {
        sprintf(digits + 2 * i, "%02x", hash[i]);
    }
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
            sign(text, used, digits);
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

static bool read_hedge(const char *text, const char *end, struct talk_request *request)
{
    char word[TALK_ID_BYTES];
    const char *params = memmem(text, (size_t)(end - text), "\"params\":{", 10);
    if (params == NULL || !copy(text, end, "method", word) || strcmp(word, "order.place") != 0 ||
        !copy(text, end, "symbol", word) || strcmp(word, HEDGED) != 0 ||
        !copy(text, end, "newClientOrderId", request->order) || !copy(text, end, "side", word)) {
        return false;
    }
    request->kind = TALK_NEW;
    request->signed_right = is_signed(params + 10, end);
    request->side = strcmp(word, "SELL") == 0 ? SIDE_SELL : SIDE_BUY;
    return decimal(text, end, "price", 1, &request->price) &&
           decimal(text, end, "quantity", 3, &request->qty);
}

/* Orders of a session that has logged in need no signature; post-only is asked of each, and no sliding. */
static bool read_quote(const struct talk *talk, const char *text, const char *end,
                       struct talk_request *request)
{
    static const struct {
        const char *method;
        enum talk_kind kind;
        enum side side;
    } methods[] = { { "private/buy", TALK_NEW, SIDE_BUY },
                    { "private/sell", TALK_NEW, SIDE_SELL },
                    { "private/edit", TALK_MODIFY, SIDE_BUY },
                    { "private/cancel", TALK_CANCEL, SIDE_BUY } };
    char word[TALK_ID_BYTES], order[TALK_ID_BYTES];
    if (!copy(text, end, "method", word)) {
        return false;
    }
    for (size_t i = 0; i < POISE_COUNT_OF(methods); i++) {
        if (strcmp(methods[i].method, word) == 0) {
            request->kind = methods[i].kind;
            request->side = (uint8_t)methods[i].side;
        }
    }
    request->signed_right = talk->entered;
    if (request->kind == TALK_NONE ||
        !copy(text, end, request->kind == TALK_NEW ? "label" : "order_id", order)) {
        return false;
    }
    memcpy(request->order, order, sizeof order);
    if (request->kind == TALK_MODIFY && strcmp(talk->quote[SIDE_SELL].id, order) == 0) {
        request->side = SIDE_SELL;
    }
    if (request->kind == TALK_CANCEL) {
        return true;
    }
    return copy(text, end, "post_only", word) && strcmp(word, "true") == 0 &&
           copy(text, end, "reject_post_only", word) && strcmp(word, "true") == 0 &&
           (request->kind == TALK_MODIFY ||
            (copy(text, end, "instrument_name", word) && strcmp(word, QUOTED) == 0)) &&
           decimal(text, end, "price", 4, &request->price) && decimal(text, end, "amount", 0, &request->qty);
}

bool talk_read(const struct talk *talk, const char *text, size_t bytes, int leg, struct talk_request *request)
{
    const char *end = text + bytes;
    memset(request, 0, sizeof *request);
    request->leg = (uint8_t)leg;
    return copy(text, end, "id", request->id) &&
           (leg == MARKET_LINEAR ? read_hedge(text, end, request) : read_quote(talk, text, end, request));
}

/* Between two marks of a header's line. */
static bool between(const char *text, const char *from, char to, char *out, size_t room)
{
    const char *at = strcasestr(text, from);
    const char *stop = at != NULL ? strchr(at + strlen(from), to) : NULL;
    size_t bytes = stop != NULL ? (size_t)(stop - at) - strlen(from) : room;
    if (bytes >= room) {
        return false;
    }
    memcpy(out, at + strlen(from), bytes);
    out[bytes] = 0;
    return true;
}

/* What deri-hmac-sha256 covers: time, nonce, verb, target and an empty body, a line break behind each. */
static bool is_signed_http(const char *head, const char *target)
{
    char stamp[32], nonce[64], signature[80], text[1024], digits[65];
    if (!between(head, "deri-hmac-sha256 ", '\r', text, sizeof text) ||
        strncmp(text, "id=" TALK_KEY ",", strlen("id=" TALK_KEY ",")) != 0) {
        return false;
    }
    strcat(text, ","); /* `between` left room: a line is shorter than this */
    if (!between(text, ",ts=", ',', stamp, sizeof stamp) ||
        !between(text, ",sig=", ',', signature, sizeof signature) ||
        !between(text, ",nonce=", ',', nonce, sizeof nonce)) {
        return false;
    }
    int bytes = snprintf(text, sizeof text, "%s\n%s\nGET\n%s\n\n", stamp, nonce, target);
    if (bytes < 0 || (size_t)bytes >= sizeof text) {
        return false;
    }
    sign(text, (size_t)bytes, digits);
    return strcmp(signature, digits) == 0;
}

bool talk_read_http(const struct talk *talk, const char *head, struct talk_request *request)
{
    static const char path[] = "/api/v2/";
    char target[768], text[1024], *save = NULL;
    memset(request, 0, sizeof *request);
    request->leg = MARKET_INVERSE;
    if (!between(head, "GET ", ' ', target, sizeof target) || strncmp(target, path, sizeof path - 1) != 0 ||
        strchr(target, '%') != NULL) {
        return false;
    }
    bool right = is_signed_http(head, target);
    char *query = strchr(target, '?');
    if (query == NULL) {
        return false;
    }
    *query++ = 0;
    /* the same call as a socket would carry it */
    int at = snprintf(text, sizeof text, "{\"id\":\"http\",\"method\":\"%s\"", target + sizeof path - 1);
    for (char *pair = strtok_r(query, "&", &save); pair != NULL; pair = strtok_r(NULL, "&", &save)) {
        char *value_at = strchr(pair, '=');
        if (value_at == NULL || (size_t)at + strlen(pair) + 8 > sizeof text) {
            return false;
        }
        *value_at++ = 0;
        at += sprintf(text + at, ",\"%s\":\"%s\"", pair, value_at);
    }
    at += sprintf(text + at, "}");
    bool read = copy(text, text + at, "id", request->id) && read_quote(talk, text, text + at, request);
    request->signed_right = right;
    return read;
}

/* ------------------------------------------------------------------ Deribit's sessions */

/* tail is how each of Deribit's replies ends. */
static int tail(const struct talk *talk, char *out)
{
    return sprintf(out, ",\"usIn\":%lld123,\"usOut\":%lld456,\"usDiff\":333,\"testnet\":false}",
                   (long long)talk->wall_ms, (long long)talk->wall_ms);
}

static int reply_begin(char *out, const char *id)
{
    return sprintf(out, "{\"jsonrpc\":\"2.0\",\"id\":\"%s\",", id);
}

static size_t refuse(const struct talk *talk, const char *id, int code, const char *why, char *out)
{
    int at = reply_begin(out, id);
    at += sprintf(out + at, "\"error\":{\"code\":%d,\"message\":\"%s\"}", code, why);
    return (size_t)(at + tail(talk, out + at));
}

bool talk_asks(const char *text, size_t bytes, const char *method)
{
    char word[TALK_ID_BYTES];
    return copy(text, text + bytes, "method", word) && strcmp(word, method) == 0;
}

/* log_in checks what was signed: the time, the nonce and nothing, each with a line break but the last. */
static size_t log_in(struct talk *talk, const char *text, const char *end, const char *id, char *out)
{
    char stamp[TALK_ID_BYTES], nonce[TALK_ID_BYTES], what[2 * TALK_ID_BYTES + 2], digits[65];
    const char *scope, *signature;
    size_t scope_bytes, signature_bytes;
    if (!copy(text, end, "timestamp", stamp) || !copy(text, end, "nonce", nonce) ||
        !value(text, end, "scope", &scope, &scope_bytes) ||
        !value(text, end, "signature", &signature, &signature_bytes)) {
        return refuse(talk, id, 11029, "invalid_arguments", out);
    }
    int bytes = sprintf(what, "%s\n%s\n", stamp, nonce);
    sign(what, (size_t)bytes, digits);
    if (signature_bytes != 64 || memcmp(signature, digits, 64) != 0) {
        return refuse(talk, id, 13004, "invalid_credentials", out);
    }
    talk->entered = talk->entered || memmem(scope, scope_bytes, "trade:read_write", 16) != NULL;
    int at = reply_begin(out, id);
    at += sprintf(out + at,
                  "\"result\":{\"access_token\":\"1582628593469.1MbQ-J_4.CBP\",\"expires_in\":31536000,"
                  "\"refresh_token\":\"1582628593469.1GP4rQd0.A9W\",\"scope\":\"%.*s\","
                  "\"enabled_features\":[],\"token_type\":\"bearer\"}",
                  (int)scope_bytes, scope);
    return (size_t)(at + tail(talk, out + at));
}

size_t talk_session(struct talk *talk, const char *text, size_t bytes, char *out)
{
    static const struct {
        const char *method, *result; /* NULL: the channels that were asked for */
    } plain[] = { { "public/set_heartbeat", "\"ok\"" },
                  { "public/test", "{\"version\":\"1.2.26\"}" },
                  { "public/status", "{\"locked\":\"false\",\"locked_indices\":[]}" },
                  { "private/enable_cancel_on_disconnect", "\"ok\"" },
                  { "private/get_cancel_on_disconnect", "{\"scope\":\"connection\",\"enabled\":true}" },
                  { "public/subscribe", NULL },
                  { "public/unsubscribe", NULL },
                  { "private/subscribe", NULL } };
    const char *end = text + bytes;
    char id[TALK_ID_BYTES];
    if (!copy(text, end, "id", id)) {
        return 0;
    }
    if (talk_asks(text, bytes, "public/auth")) {
        return log_in(talk, text, end, id, out);
    }
    for (size_t i = 0; i < POISE_COUNT_OF(plain); i++) {
        if (!talk_asks(text, bytes, plain[i].method)) {
            continue;
        }
        int at = reply_begin(out, id);
        const char *list = memmem(text, bytes, "\"channels\":[", 12);
        const char *stop = list != NULL ? memchr(list, ']', (size_t)(end - list)) : NULL;
        if (plain[i].result != NULL) {
            at += sprintf(out + at, "\"result\":%s", plain[i].result);
        } else if (stop != NULL) {
            at += sprintf(out + at, "\"result\":%.*s", (int)(stop + 1 - (list + 11)), list + 11);
        } else {
            return refuse(talk, id, 11029, "invalid_arguments", out);
        }
        return (size_t)(at + tail(talk, out + at));
    }
    return 0;
}

size_t talk_cash(const struct talk *talk, char *out)
{
    int at = told(out, "user.portfolio.btc");
    at += sprintf(out + at,
                  "{\"currency\":\"BTC\",\"equity\":100.0,\"balance\":100.0,\"margin_balance\":100.0,"
                  "\"available_funds\":99.0,\"initial_margin\":1.0,\"maintenance_margin\":0.5,"
                  "\"session_upl\":0.0,\"session_rpl\":0.0,\"futures_session_upl\":0.0,"
                  "\"futures_session_rpl\":0.0,\"delta_total\":%.8f,\"options_value\":0.0}}}",
                  (double)talk->position / 60005);
    return (size_t)at;
}

/* ------------------------------------------------------------------ replies to orders */

static struct talk_quote *quote_named(struct talk *talk, const char *id)
{
    for (int side = 0; side < 2; side++) {
        if (talk->quote[side].live && strcmp(talk->quote[side].id, id) == 0) {
            return &talk->quote[side];
        }
    }
    return NULL;
}

static size_t reply_quote(struct talk *talk, const struct talk_request *request, char *out)
{
    struct talk_quote *quote = &talk->quote[request->side];
    talk->changed = NULL;
    if (!request->signed_right) {
        return refuse(talk, request->id, 13009, "unauthorized", out);
    }
    if (request->kind == TALK_NEW) {
        *quote = (struct talk_quote){ .live = true, .born_ms = talk->wall_ms };
        memcpy(quote->order, request->order, sizeof quote->order);
        sprintf(quote->id, "%llu", (unsigned long long)talk->order_number);
    } else {
        quote = quote_named(talk, request->order);
        if (quote == NULL) {
            return refuse(talk, request->id, 10004, "order_not_found", out);
        }
    }
    enum side side = quote == &talk->quote[SIDE_BUY] ? SIDE_BUY : SIDE_SELL;
    talk->changed = quote;
    int at = reply_begin(out, request->id);
    if (request->kind == TALK_CANCEL) {
        quote->live = false;
        at += sprintf(out + at, "\"result\":");
        at += quote_text(talk, side, "user_request", out + at);
    } else {
        quote->price = request->price;
        quote->qty = request->qty;
        quote->amended = request->kind == TALK_MODIFY;
        at += sprintf(out + at, "\"result\":{\"order\":");
        at += quote_text(talk, side, NULL, out + at);
        at += sprintf(out + at, ",\"trades\":[]}");
    }
    return (size_t)(at + tail(talk, out + at));
}

size_t talk_reply(struct talk *talk, const struct talk_request *request, char *out)
{
    char qty[24];
    talk->order_number++;
    if (request->leg == MARKET_INVERSE) {
        return reply_quote(talk, request, out);
    }
    if (!request->signed_right) {
        return (size_t)sprintf(
            out,
            "{\"id\":\"%s\",\"status\":400,\"error\":{\"code\":-1022,\"msg\":\"Signature for "
            "this request is not valid.\"}}",
            request->id);
    }
    units(qty, request->qty);
    return (size_t)sprintf(
        out,
        "{\"id\":\"%s\",\"status\":200,\"result\":{\"orderId\":%llu,\"symbol\":\"" HEDGED
        "\",\"status\":\"FILLED\",\"clientOrderId\":\"%s\",\"price\":\"%lld.%lld0\",\"avgPrice\":\"0.00\","
        "\"origQty\":\"%s\",\"executedQty\":\"%s\",\"cumQty\":\"%s\",\"timeInForce\":\"IOC\","
        "\"type\":\"LIMIT\",\"reduceOnly\":false,\"closePosition\":false,\"side\":\"%s\","
        "\"positionSide\":\"BOTH\",\"stopPrice\":\"0.00\",\"workingType\":\"CONTRACT_PRICE\","
        "\"priceProtect\":false,\"origType\":\"LIMIT\",\"priceMatch\":\"NONE\",\"selfTradePreventionMode\":"
        "\"EXPIRE_MAKER\",\"goodTillDate\":0,\"updateTime\":%lld}}",
        request->id, (unsigned long long)talk->order_number, request->order, (long long)(request->price / 10),
        (long long)(request->price % 10), qty, qty, qty, side_names[request->side], (long long)talk->wall_ms);
}
