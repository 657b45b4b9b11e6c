#include "venues/binance/feed.h"
#include "venues/binance/fast.h"
#include "venues/binance/product.h"
#include "venues/binance/sbe.h"
#include "venues/text.h"

#include <string.h>

/* One market data object, taken apart but not yet understood. */
enum {
    FIELD_PU,
    FIELD_ST,
    FIELD_STREAM,
    FIELD_DATA,
    FIELD_RESULT,
    FIELD_ID,
    FIELD_CODE,
    FIELD_MSG,
    FIELD_ERROR,
    FIELD_STATUS,
    FIELD_EVENT,
    FIELD_LAST,
    FIELD_BIDS,
    FIELD_ASKS,
    FIELD_SYMBOL,
    FIELD_CS,
    FIELD_COUNT
};

static const struct scan_name names[FIELD_COUNT] = {
    [FIELD_PU] = SCAN_NAME("pu"),         [FIELD_ST] = SCAN_NAME("st"),
    [FIELD_STREAM] = SCAN_NAME("stream"), [FIELD_DATA] = SCAN_NAME("data"),
    [FIELD_RESULT] = SCAN_NAME("result"), [FIELD_ID] = SCAN_NAME("id"),
    [FIELD_CODE] = SCAN_NAME("code"),     [FIELD_MSG] = SCAN_NAME("msg"),
    [FIELD_ERROR] = SCAN_NAME("error"),   [FIELD_STATUS] = SCAN_NAME("status"),
    [FIELD_EVENT] = SCAN_NAME("event"),   [FIELD_LAST] = SCAN_NAME("lastUpdateId"),
    [FIELD_BIDS] = SCAN_NAME("bids"),     [FIELD_ASKS] = SCAN_NAME("asks"),
    [FIELD_SYMBOL] = SCAN_NAME("symbol"), [FIELD_CS] = SCAN_NAME("cs"),
};

struct message {
    struct scan_value letters[SCAN_LETTERS];
    struct scan_value named[FIELD_COUNT];
};

/* What a walk over one message works with.  While `dry` nothing is emitted: a message of several events is
 * walked twice, so that it yields nothing unless all of it is sound. */
struct walk {
    struct feed_parser *parser;
    feed_sink sink;
    void *context;
    const char *begin, *end;
    struct scan_value stream; /* SCAN_NONE on a raw connection */
    bool dry;
};

static inline const struct scan_value *letter(const struct message *message, char c)
{
    return &message->letters[SCAN_LETTER(c)];
}

static bool broken(struct walk *walk, const char *at, const char *why)
{
    /* a text with escapes stands in a scratch, not in the message */
    bool inside = at != NULL && at >= walk->begin && at <= walk->end;
    walk->parser->broken_at = inside ? (size_t)(at - walk->begin) : 0;
    walk->parser->broken_why = why;
    return false;
}

static bool emit(struct walk *walk, struct feed_event *event)
{
    if (!walk->dry) {
        walk->sink(walk->context, event);
    }
    return true;
}

static bool emit_ignored(struct walk *walk)
{
    struct feed_event event = { .kind = FEED_EVENT_IGNORED, .instrument = NO_INSTRUMENT };
    return emit(walk, &event);
}

/* The all-market streams carry both futures products: `st` says which.  Spot messages may carry it too,
 * where it means nothing. */
static uint8_t product_of(const struct walk *walk, const struct message *message)
{
    const struct scan_value *st = &message->named[FIELD_ST];
    uint64_t number;
    if (walk->parser->product != PRODUCT_SPOT && scan_unsigned(st, &number)) {
        return number == 1 ? PRODUCT_LINEAR : number == 2 ? PRODUCT_INVERSE : walk->parser->product;
    }
    return walk->parser->product;
}

static const struct instrument *row_of(struct walk *walk, uint8_t product, const char *symbol, size_t bytes)
{
    struct feed_parser *parser = walk->parser;
    const struct instrument *row = NULL;
    if (bytes > 0) {
        row = instrument_find(parser->instruments, VENUE_BINANCE, product, symbol, bytes);
    } else if (parser->reply_instrument < parser->instruments->count) {
        row = &parser->instruments->row[parser->reply_instrument];
    }
    if (row == NULL && parser->unknown_symbol != NULL) {
        row = parser->unknown_symbol(parser->unknown_context, product, symbol, bytes);
    }
    return row;
}

/* A stream is named after its symbol in lower case: "btcusdt@depth20@100ms". */
static const struct instrument *row_of_stream(struct walk *walk)
{
    char symbol[INSTRUMENT_SYMBOL_BYTES];
    const char *at = memchr(walk->stream.at, '@', walk->stream.bytes);
    size_t bytes = at != NULL ? (size_t)(at - walk->stream.at) : 0;
    if (bytes == 0 || bytes >= sizeof symbol) {
        return NULL;
    }
    for (size_t i = 0; i < bytes; i++) {
        char c = walk->stream.at[i];
        symbol[i] = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
    }
    return row_of(walk, walk->parser->product, symbol, bytes);
}

uint8_t binance_stream_top_n(const char *stream, size_t bytes)
{
    const char *at = memchr(stream, '@', bytes), *end = stream + bytes;
    uint32_t levels = 0;
    if (at == NULL || end - at <= 6 || memcmp(at, "@depth", 6) != 0) {
        return 0;
    }
    for (at += 6; at < end && *at >= '0' && *at <= '9' && levels < 100; at++) {
        levels = levels * 10 + (uint32_t)(*at - '0');
    }
    return (uint8_t)(levels < 255 ? levels : 255);
}

static void set_top_n(const struct walk *walk, struct feed_event *event)
{
    if (walk->stream.type == SCAN_STRING) {
        event->top_n = binance_stream_top_n(walk->stream.at, walk->stream.bytes);
        event->flags |= event->top_n != 0 ? FEED_EVENT_SNAPSHOT | FEED_EVENT_TOP_N : 0;
    }
}

/* levels appends [[price, qty, ...], ...] behind what the parser's scratch already holds.  Orders that rest
 * from before a change of the lot show quantities finer than it (seen on spot): the public stream's
 * quantities are cut to the unit, so that a book never shows more than there is. */
static bool levels(struct walk *walk, const struct instrument *row, const struct scan_value *array,
                   uint32_t from, uint32_t *count)
{
    *count = 0;
    if (array->type == SCAN_NONE) {
        return true;
    }
    if (array->type != SCAN_ARRAY) {
        return broken(walk, array->at, "levels are not an array");
    }
    struct scan scan;
    scan_open(&scan, array->at, array->bytes);
    scan_array(&scan);
    while (scan_item(&scan)) {
        scan.scratch_used = 0; /* a level is done with before the next */
        struct scan_value price = { 0 }, qty = { 0 }, rest;
        if (from + *count >= walk->parser->level_capacity) {
            return broken(walk, scan.at, "more levels than fit");
        }
        const char *at = scan.at;
        if (!scan_array(&scan) || !scan_item(&scan) || !scan_take(&scan, &price) || !scan_item(&scan) ||
            !scan_take(&scan, &qty)) {
            return broken(walk, at, "a level is not [price, qty]");
        }
        while (scan_item(&scan)) {
            scan_take(&scan, &rest);
        }
        struct level *level = &walk->parser->levels[from + *count];
        if (!scan_decimal(&price, row->price_decimals, &level->price) || level->price <= 0 ||
            !scan_decimal_near(&qty, row->qty_decimals, &level->qty) || level->qty < 0) {
            return broken(walk, price.at, "a level's number is none, or finer than the instrument's unit");
        }
        ++*count;
    }
    return true;
}

static bool depth(struct walk *walk, const struct message *message, const struct instrument *row,
                  struct feed_event *event, const struct scan_value *bids, const struct scan_value *asks)
{
    if (bids->type != SCAN_ARRAY || asks->type != SCAN_ARRAY) {
        return broken(walk, bids->at, "a book without both sides");
    }
    event->kind = FEED_EVENT_DEPTH;
    event->instrument = row->index;
    scan_unsigned(&message->named[FIELD_PU], &event->previous);
    if (!levels(walk, row, bids, 0, &event->bid_count) ||
        !levels(walk, row, asks, event->bid_count, &event->ask_count)) {
        return false;
    }
    event->bids = walk->parser->levels;
    event->asks = walk->parser->levels + event->bid_count;
    return emit(walk, event);
}

static bool depth_update(struct walk *walk, const struct message *message, const struct instrument *row,
                         struct feed_event *event)
{
    if (!scan_unsigned(letter(message, 'U'), &event->first) ||
        !scan_unsigned(letter(message, 'u'), &event->last)) {
        return broken(walk, letter(message, 'u')->at, "a depth update without ids");
    }
    set_top_n(walk, event);
    return depth(walk, message, row, event, letter(message, 'b'), letter(message, 'a'));
}

/* A whole book: the reply to a snapshot request, or a spot stream of the best levels. */
static bool snapshot(struct walk *walk, const struct message *message)
{
    const struct instrument *row;
    const struct scan_value *symbol = &message->named[FIELD_SYMBOL];
    struct feed_event event = { .flags = FEED_EVENT_SNAPSHOT };
    if (walk->stream.type == SCAN_STRING) {
        row = row_of_stream(walk);
        set_top_n(walk, &event);
    } else {
        row =
            row_of(walk, walk->parser->product, symbol->at, symbol->type == SCAN_STRING ? symbol->bytes : 0);
    }
    if (row == NULL) {
        return emit_ignored(walk);
    }
    if (!scan_unsigned(&message->named[FIELD_LAST], &event.last)) {
        return broken(walk, message->named[FIELD_LAST].at, "lastUpdateId is no number");
    }
    const struct scan_value *time =
        letter(message, 'T')->type != SCAN_NONE ? letter(message, 'T') : letter(message, 'E');
    event.venue_time_ns = scan_time_ns(time);
    return depth(walk, message, row, &event, &message->named[FIELD_BIDS], &message->named[FIELD_ASKS]);
}

static bool top(struct walk *walk, const struct message *message, const struct instrument *row,
                struct feed_event *event)
{
    event->kind = FEED_EVENT_TOP;
    if (!scan_unsigned(letter(message, 'u'), &event->last) ||
        !scan_decimal(letter(message, 'b'), row->price_decimals, &event->u.top.bid_price) ||
        !scan_decimal_near(letter(message, 'B'), row->qty_decimals, &event->u.top.bid_qty) ||
        !scan_decimal(letter(message, 'a'), row->price_decimals, &event->u.top.ask_price) ||
        !scan_decimal_near(letter(message, 'A'), row->qty_decimals, &event->u.top.ask_qty)) {
        return broken(walk, letter(message, 'b')->at,
                      "a book ticker's number is none, or finer than the unit");
    }
    return emit(walk, event);
}

static bool trade(struct walk *walk, const struct message *message, const struct instrument *row,
                  struct feed_event *event, char id)
{
    event->kind = FEED_EVENT_TRADE;
    if (!scan_decimal(letter(message, 'p'), row->price_decimals, &event->u.trade.price) ||
        !scan_decimal_near(letter(message, 'q'), row->qty_decimals, &event->u.trade.qty) ||
        !scan_unsigned(letter(message, id), &event->u.trade.id)) {
        return broken(walk, letter(message, 'p')->at, "a trade's number is none, or finer than the unit");
    }
    const struct scan_value *maker = letter(message, 'm'), *how = letter(message, 'X');
    if (maker->type != SCAN_TRUE && maker->type != SCAN_FALSE) {
        return broken(walk, maker->at, "a trade without its aggressor");
    }
    event->aggressor = maker->type == SCAN_TRUE ? SIDE_SELL : SIDE_BUY;
    if (how->type == SCAN_STRING && !scan_is(how, "MARKET")) {
        event->flags |= FEED_EVENT_OFF_BOOK;
    }
    if (event->u.trade.qty == 0) {
        return emit_ignored(walk); /* seen on the wire; nothing was traded */
    }
    return emit(walk, event);
}

static int64_t mark_price(const struct instrument *row, int64_t price_e8)
{
    return decimal_rescale(price_e8, DECIMAL_MONEY, row->price_decimals, ROUND_HALF_EVEN);
}

static bool mark(struct walk *walk, const struct message *message, const struct instrument *row,
                 struct feed_event *event)
{
    event->kind = FEED_EVENT_MARK;
    /* T is the next settlement here, so E is the only time */
    event->venue_time_ns = scan_time_ns(letter(message, 'E'));
    if (!scan_decimal_near(letter(message, 'p'), DECIMAL_MONEY, &event->u.mark.mark_e8)) {
        return broken(walk, letter(message, 'p')->at, "a mark price that is no number");
    }
    scan_decimal_near(letter(message, 'i'), DECIMAL_MONEY, &event->u.mark.index_e8);
    event->u.mark.mark = mark_price(row, event->u.mark.mark_e8);
    event->u.mark.index = mark_price(row, event->u.mark.index_e8);
    event->u.mark.next_funding_ns = scan_time_ns(letter(message, 'T'));
    event->u.mark.has_rate = event->u.mark.next_funding_ns != 0 &&
                             scan_decimal_near(letter(message, 'r'), 12, &event->u.mark.rate_e12);
    event->u.mark.interval_s = event->u.mark.next_funding_ns != 0 ? row->funding_interval_s : 0;
    return emit(walk, event);
}

static bool index_price(struct walk *walk, const struct message *message, struct feed_event *event)
{
    event->kind = FEED_EVENT_INDEX;
    event->instrument = NO_INSTRUMENT;
    event->venue_time_ns = scan_time_ns(letter(message, 'E'));
    event->text = letter(message, 'i')->at;
    event->text_bytes = letter(message, 'i')->bytes;
    if (letter(message, 'i')->type != SCAN_STRING ||
        !scan_decimal_near(letter(message, 'p'), DECIMAL_MONEY, &event->u.mark.index_e8)) {
        return broken(walk, letter(message, 'p')->at, "an index price that is no number");
    }
    return emit(walk, event);
}

static bool liquidation(struct walk *walk, const struct message *message, struct feed_event *event)
{
    static const struct scan_name none[1] = { SCAN_NAME("") };
    const struct scan_value *o = letter(message, 'o');
    struct scan_value inner[SCAN_LETTERS], ignored[1];
    struct scan scan;
    if (o->type != SCAN_OBJECT) {
        return broken(walk, o->at, "a liquidation without its order");
    }
    scan_open(&scan, o->at, o->bytes);
    scan_fields(&scan, inner, none, 1, ignored);
    const struct scan_value *symbol = &inner[SCAN_LETTER('s')], *side = &inner[SCAN_LETTER('S')];
    const struct instrument *row = symbol->type == SCAN_STRING
                                       ? row_of(walk, product_of(walk, message), symbol->at, symbol->bytes)
                                       : NULL;
    if (row == NULL) {
        return emit_ignored(walk);
    }
    event->kind = FEED_EVENT_LIQUIDATION;
    event->instrument = row->index;
    event->text = symbol->at;
    event->text_bytes = symbol->bytes;
    event->aggressor = scan_is(side, "SELL") ? SIDE_SELL : SIDE_BUY;
    event->venue_time_ns = scan_time_ns(&inner[SCAN_LETTER('T')]);
    if ((!scan_is(side, "SELL") && !scan_is(side, "BUY")) ||
        !scan_decimal_near(&inner[SCAN_LETTER('p')], row->price_decimals, &event->u.trade.price) ||
        !scan_decimal(&inner[SCAN_LETTER('q')], row->qty_decimals, &event->u.trade.qty)) {
        return broken(walk, o->at, "a liquidation's number is none, or finer than the unit");
    }
    return emit(walk, event);
}

static bool state(struct walk *walk, const struct message *message, const struct instrument *row,
                  struct feed_event *event)
{
    event->kind = FEED_EVENT_STATE;
    event->instrument = row != NULL ? row->index : NO_INSTRUMENT;
    event->status = binance_status(&message->named[FIELD_CS]);
    return emit(walk, event);
}

static bool control(struct walk *walk, enum feed_control what, const struct scan_value *id,
                    const struct scan_value *code, const struct scan_value *detail)
{
    struct feed_event event = { .kind = FEED_EVENT_CONTROL,
                                .instrument = NO_INSTRUMENT,
                                .control = (uint8_t)what };
    scan_signed(id, &event.u.control_of.id);
    scan_signed(code, &event.u.control_of.code);
    if (detail->type != SCAN_NONE && detail->type != SCAN_NULL) {
        event.u.control_of.detail = detail->at;
        event.u.control_of.detail_bytes = detail->bytes;
    }
    return emit(walk, &event);
}

static bool control_error(struct walk *walk, const struct scan_value *error, const struct scan_value *id)
{
    static const struct scan_name error_names[] = { SCAN_NAME("code"), SCAN_NAME("msg") };
    struct scan_value fields[2] = { 0 };
    struct scan scan;
    scan_open(&scan, error->at, error->bytes);
    scan_fields(&scan, NULL, error_names, 2, fields);
    return control(walk, CONTROL_ERROR, id, &fields[0], &fields[1]);
}

/* What every event with a symbol has. */
static bool event_of(struct walk *walk, const struct message *message)
{
    const struct scan_value *e = letter(message, 'e'), *symbol = letter(message, 's');
    const struct scan_value nothing = { 0 };
    struct feed_event event = { .instrument = NO_INSTRUMENT };

    if (e->type == SCAN_STRING) {
        if (scan_is(e, "serverShutdown")) {
            return control(walk, CONTROL_SHUTDOWN, &nothing, &nothing, &nothing);
        }
        if (scan_is(e, "forceOrder")) {
            return liquidation(walk, message, &event);
        }
        if (scan_is(e, "indexPriceUpdate")) {
            return index_price(walk, message, &event);
        }
    }
    bool ticker = scan_is(e, "bookTicker") ||
                  (e->type == SCAN_NONE && letter(message, 'u')->type == SCAN_NUMBER &&
                   letter(message, 'B')->type == SCAN_STRING && letter(message, 'A')->type == SCAN_STRING);
    bool update = scan_is(e, "depthUpdate"), aggregate = scan_is(e, "aggTrade"), single = scan_is(e, "trade");
    bool marking = scan_is(e, "markPriceUpdate"), contract = scan_is(e, "contractInfo");
    if (!ticker && !update && !aggregate && !single && !marking && !contract) {
        return emit_ignored(walk);
    }
    if (symbol->type != SCAN_STRING || symbol->bytes == 0) {
        return broken(walk, symbol->at, "an event without its symbol");
    }
    event.text = symbol->at;
    event.text_bytes = symbol->bytes;
    const struct instrument *row = row_of(walk, product_of(walk, message), symbol->at, symbol->bytes);
    if (contract) {
        event.venue_time_ns = scan_time_ns(letter(message, 'E'));
        return state(walk, message, row, &event);
    }
    if (row == NULL) {
        return emit_ignored(walk);
    }
    event.instrument = row->index;
    event.venue_time_ns =
        scan_time_ns(letter(message, 'T')->type != SCAN_NONE ? letter(message, 'T') : letter(message, 'E'));
    if (ticker) {
        return top(walk, message, row, &event);
    }
    if (update) {
        return depth_update(walk, message, row, &event);
    }
    if (marking) {
        return mark(walk, message, row, &event);
    }
    return trade(walk, message, row, &event, aggregate ? 'a' : 't');
}

static bool object(struct walk *walk, const char *text, size_t bytes, unsigned depth);

/* The all-market streams: an array of events.  Walked twice, so that nothing is emitted unless all of it is
 * sound. */
static bool events(struct walk *walk, const char *text, size_t bytes)
{
    for (int pass = 0; pass < 2; pass++) {
        struct scan scan;
        struct scan_value item;
        walk->dry = pass == 0;
        scan_open(&scan, text, bytes);
        scan_array(&scan);
        while (scan_item(&scan) && scan_take(&scan, &item)) {
            if (item.type == SCAN_OBJECT && !object(walk, item.at, item.bytes, 1)) {
                return false;
            }
        }
    }
    return true;
}

/* object understands one complete object; `text` is sound JSON. */
static bool object(struct walk *walk, const char *text, size_t bytes, unsigned depth)
{
    struct message message;
    struct scan scan;
    scan_open(&scan, text, bytes);
    if (!scan_fields(&scan, message.letters, names, FIELD_COUNT, message.named)) {
        return broken(walk, scan.at, scan.why);
    }
    const struct scan_value *data = &message.named[FIELD_DATA], *result = &message.named[FIELD_RESULT];
    const struct scan_value *id = &message.named[FIELD_ID], *error = &message.named[FIELD_ERROR];
    const struct scan_value *inner = &message.named[FIELD_EVENT];

    if (depth == 0) {
        if (data->type == SCAN_OBJECT || data->type == SCAN_ARRAY) {
            walk->stream = message.named[FIELD_STREAM];
            return data->type == SCAN_OBJECT ? object(walk, data->at, data->bytes, 1)
                                             : events(walk, data->at, data->bytes);
        }
        if (inner->type == SCAN_OBJECT) {
            return object(walk, inner->at, inner->bytes, 1);
        }
        if (error->type == SCAN_OBJECT) {
            return control_error(walk, error, id);
        }
        if (result->type == SCAN_OBJECT) {
            return object(walk, result->at, result->bytes, 1); /* a WebSocket API reply, such as `depth` */
        }
        if (result->type == SCAN_NULL) {
            return control(walk, CONTROL_SUBSCRIBED, id, result, result);
        }
        if (result->type == SCAN_ARRAY || result->type == SCAN_TRUE || result->type == SCAN_FALSE) {
            return control(walk, CONTROL_OK, id, result, result);
        }
        if (message.named[FIELD_CODE].type == SCAN_NUMBER && message.named[FIELD_MSG].type == SCAN_STRING) {
            /* futures confirm with {"code":200,"msg":..} */
            bool good =
                message.named[FIELD_CODE].bytes == 3 && memcmp(message.named[FIELD_CODE].at, "200", 3) == 0;
            return control(walk, good ? CONTROL_OK : CONTROL_ERROR, id, &message.named[FIELD_CODE],
                           &message.named[FIELD_MSG]);
        }
    }
    if (message.named[FIELD_LAST].type != SCAN_NONE && message.named[FIELD_BIDS].type == SCAN_ARRAY) {
        return snapshot(walk, &message);
    }
    return event_of(walk, &message);
}

static int64_t tolerant(struct feed_parser *parser, const char *bytes, size_t count, feed_sink sink,
                        void *context)
{
    struct walk walk = {
        .parser = parser, .sink = sink, .context = context, .begin = bytes, .end = bytes + count
    };
    struct scan scan;
    struct scan_value whole;
    scan_open(&scan, bytes, count);
    enum scan_type type = scan_peek(&scan);
    if (scan.state == SCAN_FINE && type != SCAN_OBJECT && type != SCAN_ARRAY) {
        scan_break(&scan, "neither an object nor an array");
    }
    scan_take(&scan, &whole);
    int64_t consumed = scan_finish(&scan);
    if (consumed <= 0) {
        broken(&walk, scan.at, scan.why);
        return consumed < 0 ? PARSE_BROKEN : PARSE_INCOMPLETE;
    }
    bool sound = whole.type == SCAN_OBJECT ? object(&walk, whole.at, whole.bytes, 0)
                                           : events(&walk, whole.at, whole.bytes);
    return sound ? consumed : PARSE_BROKEN;
}

int64_t binance_feed_parse_tolerant(struct feed_parser *parser, const char *bytes, size_t count,
                                    feed_sink sink, void *context)
{
    parser->broken_at = 0;
    parser->broken_why = NULL;
    if (parser->product == PRODUCT_SPOT && binance_sbe_is(bytes, count)) {
        return binance_sbe_feed(parser, bytes, count, sink, context);
    }
    return tolerant(parser, bytes, count, sink, context);
}

/* Journey 2/8: bytes of a message become events. */
static int64_t parse(struct feed_parser *parser, const char *bytes, size_t count, feed_sink sink,
                     void *context)
{
    int64_t consumed = binance_fast_parse(parser, bytes, count, sink, context);
    return consumed != BINANCE_FAST_NOT_MINE
               ? consumed
               : binance_feed_parse_tolerant(parser, bytes, count, sink, context);
}

/* ------------------------------------------------------------------ what to subscribe to */

/* Streams of one SUBSCRIBE: keeps a message near 2 KB, far below the venue's inbound limits. */
#define STREAMS_PER_MESSAGE 48

enum { CHANNEL_ALL, CHANNEL_PUBLIC, CHANNEL_MARKET };

static const char *const public_streams[] = { "@depth@100ms", "@bookTicker", "@trade" };
static const char *const market_streams[] = { "@markPrice@1s" };
static const char *const all_streams[] = { "@depth@100ms", "@bookTicker", "@trade", "@markPrice@1s" };

static const char *const *streams_of(const struct feed_connection *connection, uint32_t *count)
{
    if (connection->channel == CHANNEL_MARKET) {
        *count = POISE_COUNT_OF(market_streams);
        return market_streams;
    }
    if (connection->channel == CHANNEL_PUBLIC) {
        *count = POISE_COUNT_OF(public_streams);
        return public_streams;
    }
    *count = POISE_COUNT_OF(all_streams);
    return all_streams;
}

static uint32_t plan(const struct instrument_table *instruments, const uint16_t *wanted,
                     uint32_t wanted_count, struct feed_connection *out, uint32_t max)
{
    uint32_t count = 0;
    for (uint32_t from = 0; from < wanted_count; from += FEED_CONNECTION_INSTRUMENTS) {
        uint32_t many = wanted_count - from;
        many = many < FEED_CONNECTION_INSTRUMENTS ? many : FEED_CONNECTION_INSTRUMENTS;
        uint8_t product = instruments->row[wanted[from]].product;
        const struct binance_product *row = binance_product(product);
        if (row == NULL) {
            return count;
        }
        /* a stream asked for on the wrong route is acknowledged and stays silent for ever */
        uint8_t first = product == PRODUCT_INVERSE ? CHANNEL_ALL : CHANNEL_PUBLIC;
        uint8_t last = row->market_path != NULL ? CHANNEL_MARKET : first;
        for (uint8_t channel = first; channel <= last && count < max; channel++, count++) {
            struct feed_connection *to = &out[count];
            memset(to, 0, sizeof *to);
            binance_endpoint(&to->endpoint, TRANSPORT_WS, row->stream_host,
                             channel == CHANNEL_MARKET ? row->market_path : row->public_path);
            to->venue = VENUE_BINANCE;
            to->product = product;
            to->channel = channel;
            to->heartbeat_s = row->heartbeat_s;
            to->send_pause_ms = product == PRODUCT_SPOT ? 250 : 125; /* 5 and 10 messages a second */
            to->instrument_count = many;
            memcpy(to->instrument, wanted + from, many * sizeof *wanted);
        }
    }
    return count;
}

static size_t subscribe(const struct instrument_table *instruments, const struct feed_connection *connection,
                        uint32_t step, int64_t wall_ns, char *out, size_t capacity)
{
    (void)wall_ns;
    uint32_t kinds;
    const char *const *streams = streams_of(connection, &kinds);
    uint32_t total = connection->instrument_count * kinds;
    uint32_t from = step * STREAMS_PER_MESSAGE;
    uint32_t to = from + STREAMS_PER_MESSAGE < total ? from + STREAMS_PER_MESSAGE : total;
    if (from >= total) {
        return 0;
    }
    struct text text = { .at = out, .end = out + capacity };
    text_put(&text, "{\"method\":\"SUBSCRIBE\",\"params\":[");
    for (uint32_t i = from; i < to; i++) {
        const char *symbol = instruments->row[connection->instrument[i / kinds]].symbol;
        text_put(&text, i == from ? "\"" : ",\"");
        for (; *symbol != '\0'; symbol++) {
            text_put_char(&text, (char)(*symbol >= 'A' && *symbol <= 'Z' ? *symbol - 'A' + 'a' : *symbol));
        }
        text_put(&text, streams[i % kinds]);
        text_put(&text, "\"");
    }
    text_put(&text, "],\"id\":");
    text_put_unsigned(&text, step + 1);
    text_put(&text, "}");
    return text.full ? 0 : (size_t)(text.at - out);
}

static size_t reply(const struct feed_event *event, char *out, size_t capacity)
{
    (void)event;
    (void)out;
    (void)capacity;
    return 0; /* liveness is the WebSocket's own ping */
}

static bool ask_snapshot(const struct instrument *instrument, struct venue_out *out)
{
    const struct binance_product *row = binance_product(instrument->product);
    if (row == NULL) {
        return false;
    }
    out->act = ACT_REQUEST;
    out->slot = SESSION_SLOT_REST;
    out->request = REQUEST_NONE;
    out->weight = row->depth_weight;
    out->orders = 0;
    out->method = "GET";
    out->body_bytes = 0;
    out->header_bytes = 0;
    binance_endpoint(&out->endpoint, TRANSPORT_HTTP, row->rest_host, "");
    struct text text = { .at = out->path, .end = out->path + sizeof out->path };
    text_put(&text, row->depth_path);
    text_put(&text, "?symbol=");
    text_put(&text, instrument->symbol);
    text_put(&text, "&limit=");
    text_put_unsigned(&text, row->depth_limit);
    out->path_bytes = (uint32_t)(text.at - out->path);
    return !text.full;
}

/* Spot chains by consecutive ids, futures by the id of the message before.  What is wholly older than the
 * book is dropped at any time: a second connection may bring it late. */
static enum book_link link_of(uint8_t product, uint64_t at, bool first, const struct feed_event *event)
{
    if (product == PRODUCT_SPOT) {
        if (event->last <= at) {
            return BOOK_LINK_DROP;
        }
        return event->first <= at + 1 ? BOOK_LINK_APPLY : BOOK_LINK_GAP;
    }
    if (event->previous == at) {
        return BOOK_LINK_APPLY; /* U is usually beyond pu + 1: it proves nothing */
    }
    if (first) {
        if (event->last < at) {
            return BOOK_LINK_DROP;
        }
        return event->first <= at ? BOOK_LINK_APPLY : BOOK_LINK_GAP;
    }
    return event->last <= at ? BOOK_LINK_DROP : BOOK_LINK_GAP;
}

const struct venue_feed binance_feed = {
    .plan = plan,
    .subscribe = subscribe,
    .parse = parse,
    .reply = reply,
    .snapshot = ask_snapshot,
    .link = link_of,
};
