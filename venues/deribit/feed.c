#include "venues/deribit/feed.h"
#include "venues/deribit/fast.h"
#include "venues/deribit/product.h"
#include "venues/deribit/request.h"

#include <string.h>

/* What a walk over one message works with.  While `dry` nothing is emitted: a message of several events is
 * walked twice, so that it yields nothing unless all of it is sound. */
struct walk {
    struct feed_parser *parser;
    feed_sink sink;
    void *context;
    const char *begin, *end;
    struct scan_value channel; /* SCAN_NONE in a reply */
    bool dry;
};

static const struct scan_value nothing;

static bool broken(struct walk *walk, const char *at, const char *why)
{
    /* a text with escapes stands in a scratch, not in the message */
    bool inside = at != NULL && at >= walk->begin && at <= walk->end;
    walk->parser->broken_at = inside ? (size_t)(at - walk->begin) : 0;
    walk->parser->broken_why = why;
    return false;
}

static bool emit(struct walk *walk, const struct feed_event *event)
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

/* fields reads an object that is known to be sound JSON.  Its scan must outlive the values. */
static bool fields(struct walk *walk, struct scan *scan, const struct scan_value *object,
                   const struct scan_name *names, uint32_t count, struct scan_value *out)
{
    if (object->type != SCAN_OBJECT) {
        memset(out, 0, count * sizeof *out);
        return broken(walk, object->at, "not an object where one is due");
    }
    scan_open(scan, object->at, object->bytes);
    return scan_fields(scan, NULL, names, count, out) || broken(walk, scan->at, scan->why);
}

static bool told(const struct scan_value *value)
{
    return value->type != SCAN_NONE && value->type != SCAN_NULL;
}

static bool is_true(const struct scan_value *value)
{
    return value->type == SCAN_TRUE || scan_is(value, "true");
}

/* ------------------------------------------------------------------ names */

const struct instrument *deribit_feed_row(const struct feed_parser *parser, const char *symbol, size_t bytes)
{
    uint8_t product = deribit_symbol(symbol, bytes).product;
    return instrument_find(parser->instruments, VENUE_DERIBIT,
                           product != PRODUCT_NONE ? product : parser->product, symbol, bytes);
}

/* The instrument of an object, of the channel where the object does not say it, or of the reply. */
static const struct instrument *row_of(struct walk *walk, const struct scan_value *name)
{
    struct feed_parser *parser = walk->parser;
    const struct instrument *row = NULL;
    const char *symbol = "";
    size_t bytes = 0;
    if (name->type == SCAN_STRING && name->bytes > 0) {
        symbol = name->at;
        bytes = name->bytes;
        row = deribit_feed_row(parser, symbol, bytes);
    } else if (parser->reply_instrument < parser->instruments->count) {
        row = &parser->instruments->row[parser->reply_instrument];
    }
    if (row == NULL && parser->unknown_symbol != NULL) {
        uint8_t product = deribit_symbol(symbol, bytes).product;
        row = parser->unknown_symbol(parser->unknown_context,
                                     product != PRODUCT_NONE ? product : parser->product, symbol, bytes);
    }
    return row;
}

/* part answers the n-th part of a channel's name, which points divide; the last one takes no rest. */
static struct scan_value part(const struct scan_value *channel, uint32_t n)
{
    const char *at = channel->at, *end = channel->at + channel->bytes;
    for (; n > 0 && at < end; n--) {
        const char *point = memchr(at, '.', (size_t)(end - at));
        at = point != NULL ? point + 1 : end;
    }
    const char *stop = at < end ? memchr(at, '.', (size_t)(end - at)) : NULL;
    stop = stop != NULL ? stop : end;
    return (struct scan_value){ .at = at,
                                .bytes = (uint32_t)(stop - at),
                                .type = at < end ? SCAN_STRING : SCAN_NONE };
}

static struct scan_value named(const struct walk *walk, const struct scan_value *name)
{
    return name->type == SCAN_STRING ? *name : part(&walk->channel, 1);
}

/* A combo's price is a difference: it may be nothing, or less. */
static bool priced(const struct instrument *row, int64_t price)
{
    return price > 0 || row->kind == KIND_NONE;
}

/* ------------------------------------------------------------------ books */

/* levels appends [[action, price, amount], ...] or [[price, amount], ...] behind what the parser's scratch
 * already holds.  Amounts finer than the unit are cut to it, so that a book never shows more than there is.
 */
static bool levels(struct walk *walk, const struct instrument *row, const struct scan_value *array,
                   uint32_t from, uint32_t *count)
{
    *count = 0;
    if (array->type != SCAN_ARRAY) {
        return broken(walk, array->at, "a book without both sides");
    }
    struct scan scan;
    scan_open(&scan, array->at, array->bytes);
    scan_array(&scan);
    while (scan_item(&scan)) {
        scan.scratch_used = 0; /* a level is done with before the next */
        struct scan_value action = { 0 }, price = { 0 }, qty = { 0 }, rest;
        const char *at = scan.at;
        if (from + *count >= walk->parser->level_capacity) {
            return broken(walk, at, "more levels than fit");
        }
        bool whole = scan_array(&scan) && scan_item(&scan) && scan_take(&scan, &price);
        if (whole && price.type == SCAN_STRING) {
            action = price;
            whole = scan_item(&scan) && scan_take(&scan, &price);
        }
        if (!whole || !scan_item(&scan) || !scan_take(&scan, &qty)) {
            return broken(walk, at, "a level is not [action, price, amount] or [price, amount]");
        }
        while (scan_item(&scan)) {
            scan_take(&scan, &rest);
        }
        bool deletion = scan_is(&action, "delete");
        if (action.type == SCAN_STRING && !deletion && !scan_is(&action, "new") &&
            !scan_is(&action, "change")) {
            return broken(walk, action.at, "a level's action is not known");
        }
        struct level *level = &walk->parser->levels[from + *count];
        if (!scan_decimal(&price, row->price_decimals, &level->price) || !priced(row, level->price) ||
            !scan_decimal_near(&qty, row->qty_decimals, &level->qty) || level->qty < 0) {
            return broken(walk, price.at, "a level's number is none, or finer than the instrument's unit");
        }
        if (deletion) {
            level->qty = 0;
        }
        ++*count;
    }
    return true;
}

enum {
    BOOK_TYPE,
    BOOK_TIME,
    BOOK_INSTRUMENT,
    BOOK_CHANGE,
    BOOK_PREVIOUS,
    BOOK_BIDS,
    BOOK_ASKS,
    BOOK_FIELD_COUNT
};
static const struct scan_name book_names[BOOK_FIELD_COUNT] = {
    [BOOK_TYPE] = SCAN_NAME("type"),
    [BOOK_TIME] = SCAN_NAME("timestamp"),
    [BOOK_INSTRUMENT] = SCAN_NAME("instrument_name"),
    [BOOK_CHANGE] = SCAN_NAME("change_id"),
    [BOOK_PREVIOUS] = SCAN_NAME("prev_change_id"),
    [BOOK_BIDS] = SCAN_NAME("bids"),
    [BOOK_ASKS] = SCAN_NAME("asks"),
};

static uint8_t top_n_of(uint64_t levels)
{
    return (uint8_t)(levels < 255 ? levels : 255);
}

/* A snapshot or a change of a whole book, or (without a type) the best levels only: those of a grouped
 * channel, or of a reply to get_order_book. */
static bool book(struct walk *walk, const struct scan_value *data)
{
    struct scan scan;
    struct scan_value field[BOOK_FIELD_COUNT];
    struct feed_event event = { .kind = FEED_EVENT_DEPTH };
    if (!fields(walk, &scan, data, book_names, BOOK_FIELD_COUNT, field)) {
        return false;
    }
    struct scan_value name = named(walk, &field[BOOK_INSTRUMENT]);
    const struct instrument *row = row_of(walk, &name);
    if (row == NULL) {
        return emit_ignored(walk);
    }
    event.instrument = row->index;
    event.text = name.at;
    event.text_bytes = name.bytes;
    event.venue_time_ns = scan_time_ns(&field[BOOK_TIME]);
    if (!scan_unsigned(&field[BOOK_CHANGE], &event.last)) {
        return broken(walk, field[BOOK_CHANGE].at, "a book without its change_id");
    }
    if (scan_is(&field[BOOK_TYPE], "change")) {
        scan_unsigned(&field[BOOK_PREVIOUS], &event.previous);
    } else if (scan_is(&field[BOOK_TYPE], "snapshot")) {
        event.flags = FEED_EVENT_SNAPSHOT;
    } else if (told(&field[BOOK_TYPE])) {
        return broken(walk, field[BOOK_TYPE].at, "neither a snapshot nor a change");
    } else {
        event.flags = FEED_EVENT_SNAPSHOT | FEED_EVENT_TOP_N;
    }
    if (!levels(walk, row, &field[BOOK_BIDS], 0, &event.bid_count) ||
        !levels(walk, row, &field[BOOK_ASKS], event.bid_count, &event.ask_count)) {
        return false;
    }
    event.bids = walk->parser->levels;
    event.asks = walk->parser->levels + event.bid_count;
    if ((event.flags & FEED_EVENT_TOP_N) != 0) {
        struct scan_value depth = part(&walk->channel, 3); /* book.BTC-PERPETUAL.none.20.100ms */
        uint64_t n;
        event.top_n = scan_unsigned(&depth, &n)
                          ? top_n_of(n)
                          : top_n_of((uint64_t)base_max(event.bid_count, event.ask_count));
    }
    return emit(walk, &event);
}

/* ------------------------------------------------------------------ tickers */

enum {
    TICKER_TYPE,
    TICKER_TIME,
    TICKER_INSTRUMENT,
    TICKER_STATE,
    TICKER_BID_PRICE,
    TICKER_BID_QTY,
    TICKER_ASK_PRICE,
    TICKER_ASK_QTY,
    TICKER_MARK,
    TICKER_INDEX,
    TICKER_FUNDING,
    TICKER_INTEREST,
    TICKER_UNDERLYING,
    TICKER_MARK_IV,
    TICKER_BID_IV,
    TICKER_ASK_IV,
    TICKER_IV,
    TICKER_GREEKS,
    TICKER_INTEREST_8H,
    TICKER_CREATED,
    TICKER_FIELD_COUNT
};
static const struct scan_name ticker_names[TICKER_FIELD_COUNT] = {
    [TICKER_TYPE] = SCAN_NAME("type"),
    [TICKER_TIME] = SCAN_NAME("timestamp"),
    [TICKER_INSTRUMENT] = SCAN_NAME("instrument_name"),
    [TICKER_STATE] = SCAN_NAME("state"),
    [TICKER_BID_PRICE] = SCAN_NAME("best_bid_price"),
    [TICKER_BID_QTY] = SCAN_NAME("best_bid_amount"),
    [TICKER_ASK_PRICE] = SCAN_NAME("best_ask_price"),
    [TICKER_ASK_QTY] = SCAN_NAME("best_ask_amount"),
    [TICKER_MARK] = SCAN_NAME("mark_price"),
    [TICKER_INDEX] = SCAN_NAME("index_price"),
    [TICKER_FUNDING] = SCAN_NAME("current_funding"),
    [TICKER_INTEREST] = SCAN_NAME("interest"),
    [TICKER_UNDERLYING] = SCAN_NAME("underlying_price"),
    [TICKER_MARK_IV] = SCAN_NAME("mark_iv"),
    [TICKER_BID_IV] = SCAN_NAME("bid_iv"),
    [TICKER_ASK_IV] = SCAN_NAME("ask_iv"),
    [TICKER_IV] = SCAN_NAME("iv"),
    [TICKER_GREEKS] = SCAN_NAME("greeks"),
    [TICKER_INTEREST_8H] = SCAN_NAME("interest_8h"),
    [TICKER_CREATED] = SCAN_NAME("creation_timestamp"), /* of a summary */
};

/* number reads a decimal that may be left out or null (both *out = FEED_UNTOLD); false when it is something
 * else. */
static bool number(struct walk *walk, const struct scan_value *value, int decimals, int64_t *out)
{
    *out = FEED_UNTOLD;
    if (!told(value) || scan_decimal_near(value, decimals, out)) {
        return true;
    }
    return broken(walk, value->at, "a number that is none");
}

/* side of a top: an empty one is printed as price 0.0 with amount 0.0, or null. */
static bool top_side(struct walk *walk, const struct instrument *row, const struct scan_value *price,
                     const struct scan_value *qty, int64_t out[2])
{
    if (!number(walk, price, row->price_decimals, &out[0]) ||
        !number(walk, qty, row->qty_decimals, &out[1])) {
        return false;
    }
    if (price->type == SCAN_NULL || qty->type == SCAN_NULL) {
        out[0] = out[1] = 0;
    }
    return true;
}

static bool ticker_top(struct walk *walk, const struct instrument *row, const struct scan_value *field,
                       struct feed_event *event)
{
    int64_t bid[2], ask[2];
    if (!top_side(walk, row, &field[TICKER_BID_PRICE], &field[TICKER_BID_QTY], bid) ||
        !top_side(walk, row, &field[TICKER_ASK_PRICE], &field[TICKER_ASK_QTY], ask)) {
        return false;
    }
    event->kind = FEED_EVENT_TOP;
    event->u.top.bid_price = bid[0];
    event->u.top.bid_qty = bid[1];
    event->u.top.ask_price = ask[0];
    event->u.top.ask_qty = ask[1];
    bool some = false, all = true;
    for (int i = TICKER_BID_PRICE; i <= TICKER_ASK_QTY; i++) {
        some |= field[i].type != SCAN_NONE;
        all &= field[i].type != SCAN_NONE;
    }
    event->flags = all ? 0 : FEED_EVENT_PARTIAL;
    return !some || emit(walk, event);
}

static int64_t price_unit(const struct instrument *row, int64_t price_e8)
{
    return price_e8 == FEED_UNTOLD
               ? 0
               : decimal_rescale(price_e8, DECIMAL_MONEY, row->price_decimals, ROUND_HALF_EVEN);
}

/* Mark, index and funding: `rate` is for eight hours and accrues continuously. */
static bool ticker_mark(struct walk *walk, const struct instrument *row, const struct scan_value *field,
                        const struct scan_value *rate, struct feed_event *event)
{
    int64_t index_e8, rate_e12;
    event->kind = FEED_EVENT_MARK;
    event->flags = 0;
    memset(&event->u, 0, sizeof event->u);
    if (!number(walk, &field[TICKER_MARK], DECIMAL_MONEY, &event->u.mark.mark_e8) ||
        !number(walk, &field[TICKER_INDEX], DECIMAL_MONEY, &index_e8) || !number(walk, rate, 12, &rate_e12)) {
        return false;
    }
    event->u.mark.mark = price_unit(row, event->u.mark.mark_e8);
    event->u.mark.index = price_unit(row, index_e8);
    event->u.mark.index_e8 = index_e8 == FEED_UNTOLD ? 0 : index_e8;
    if (rate_e12 != FEED_UNTOLD) {
        event->flags = FEED_EVENT_CONTINUOUS;
        event->u.mark.has_rate = true;
        event->u.mark.rate_e12 = rate_e12;
        event->u.mark.rate_text = rate->at;
        event->u.mark.rate_bytes = rate->bytes;
    }
    bool some = told(&field[TICKER_MARK]) || told(&field[TICKER_INDEX]) || event->u.mark.has_rate;
    return !some || emit(walk, event);
}

enum { GREEK_DELTA, GREEK_GAMMA, GREEK_VEGA, GREEK_THETA, GREEK_RHO, GREEK_COUNT };
static const struct scan_name greek_names[GREEK_COUNT] = {
    SCAN_NAME("delta"), SCAN_NAME("gamma"), SCAN_NAME("vega"), SCAN_NAME("theta"), SCAN_NAME("rho"),
};

/* Volatilities are percent in a ticker (67.7) and a fraction in markprice.options (0.677): percent here. */
static bool ticker_option(struct walk *walk, const struct scan_value *field, struct feed_event *event)
{
    struct scan scan;
    struct scan_value greek[GREEK_COUNT] = { 0 };
    if (told(&field[TICKER_GREEKS]) &&
        !fields(walk, &scan, &field[TICKER_GREEKS], greek_names, GREEK_COUNT, greek)) {
        return false;
    }
    event->kind = FEED_EVENT_OPTION;
    event->flags = 0;
    memset(&event->u, 0, sizeof event->u);
    const struct {
        const struct scan_value *value;
        int64_t *to;
        int decimals;
    } list[] = {
        { &field[TICKER_MARK_IV], &event->u.option.mark_iv_e8, 8 },
        { &field[TICKER_BID_IV], &event->u.option.bid_iv_e8, 8 },
        { &field[TICKER_ASK_IV], &event->u.option.ask_iv_e8, 8 },
        { &field[TICKER_UNDERLYING], &event->u.option.underlying_e8, 8 },
        { &field[TICKER_MARK], &event->u.option.mark_e8, 8 },
        { &greek[GREEK_DELTA], &event->u.option.delta_e8, 8 },
        { &greek[GREEK_GAMMA], &event->u.option.gamma_e12, 12 },
        { &greek[GREEK_VEGA], &event->u.option.vega_e8, 8 },
        { &greek[GREEK_THETA], &event->u.option.theta_e8, 8 },
        { &greek[GREEK_RHO], &event->u.option.rho_e8, 8 },
    };
    bool some = false;
    for (size_t i = 0; i < POISE_COUNT_OF(list); i++) {
        if (!number(walk, list[i].value, list[i].decimals, list[i].to)) {
            return false;
        }
        some |= list[i].to != &event->u.option.mark_e8 && *list[i].to != FEED_UNTOLD;
    }
    if (told(&field[TICKER_IV])) {
        some = true;
        if (!number(walk, &field[TICKER_IV], 10, &event->u.option.mark_iv_e8)) {
            return false;
        }
    }
    /* nobody bids or asks: no volatility either */
    int64_t *sides[] = { &event->u.option.bid_iv_e8, &event->u.option.ask_iv_e8 };
    for (int i = 0; i < 2; i++) {
        *sides[i] = *sides[i] == 0 ? FEED_UNTOLD : *sides[i];
    }
    return !some || emit(walk, event);
}

static bool ticker_state(struct walk *walk, const struct scan_value *field, struct feed_event *event)
{
    if (field[TICKER_STATE].type != SCAN_STRING) {
        return true;
    }
    event->kind = FEED_EVENT_STATE;
    event->flags = FEED_EVENT_PASSING;
    event->status = (uint8_t)deribit_status(&field[TICKER_STATE]);
    return emit(walk, event);
}

/* One object that says what an instrument is worth: a ticker whole or in changes, a quote, an interest, a row
 * of mark prices or of summaries, an order book's ticker part.  What it leaves out is not told. */
static bool ticker(struct walk *walk, const struct scan_value *data)
{
    struct scan scan;
    struct scan_value field[TICKER_FIELD_COUNT];
    if (!fields(walk, &scan, data, ticker_names, TICKER_FIELD_COUNT, field)) {
        return false;
    }
    struct scan_value name = named(walk, &field[TICKER_INSTRUMENT]);
    const struct instrument *row = row_of(walk, &name);
    if (row == NULL) {
        return emit_ignored(walk);
    }
    struct feed_event event = { .instrument = row->index,
                                .text = name.at,
                                .text_bytes = name.bytes,
                                .venue_time_ns =
                                    scan_time_ns(told(&field[TICKER_TIME]) ? &field[TICKER_TIME]
                                                                           : &field[TICKER_CREATED]) };
    const struct scan_value *rate = told(&field[TICKER_FUNDING])    ? &field[TICKER_FUNDING]
                                    : told(&field[TICKER_INTEREST]) ? &field[TICKER_INTEREST]
                                                                    : &field[TICKER_INTEREST_8H];
    return ticker_state(walk, field, &event) && ticker_top(walk, row, field, &event) &&
           ticker_mark(walk, row, field, rate, &event) && ticker_option(walk, field, &event);
}

/* ------------------------------------------------------------------ trades */

enum {
    TRADE_ID,
    TRADE_TIME,
    TRADE_INSTRUMENT,
    TRADE_PRICE,
    TRADE_AMOUNT,
    TRADE_DIRECTION,
    TRADE_LIQUIDATION,
    TRADE_COMBO,
    TRADE_COMBO_TRADE,
    TRADE_BLOCK,
    TRADE_BLOCK_RFQ,
    TRADE_FIELD_COUNT
};
static const struct scan_name trade_names[TRADE_FIELD_COUNT] = {
    [TRADE_ID] = SCAN_NAME("trade_id"),
    [TRADE_TIME] = SCAN_NAME("timestamp"),
    [TRADE_INSTRUMENT] = SCAN_NAME("instrument_name"),
    [TRADE_PRICE] = SCAN_NAME("price"),
    [TRADE_AMOUNT] = SCAN_NAME("amount"),
    [TRADE_DIRECTION] = SCAN_NAME("direction"),
    [TRADE_LIQUIDATION] = SCAN_NAME("liquidation"),
    [TRADE_COMBO] = SCAN_NAME("combo_id"),
    [TRADE_COMBO_TRADE] = SCAN_NAME("combo_trade_id"),
    [TRADE_BLOCK] = SCAN_NAME("block_trade_id"),
    [TRADE_BLOCK_RFQ] = SCAN_NAME("block_rfq_id"),
};

/* "403691824" and "ETH-284830839": unique within a currency's family, so the number is enough beside the
 * instrument. */
static void trade_id(const struct scan_value *id, struct feed_event *event)
{
    struct scan_value digits = *id;
    for (uint32_t i = 0; i < id->bytes; i++) {
        if (id->at[i] == '-') {
            digits.at = id->at + i + 1;
            digits.bytes = id->bytes - i - 1;
        }
    }
    scan_unsigned(&digits, &event->u.trade.id);
    if (id->type == SCAN_STRING || id->type == SCAN_NUMBER) {
        event->u.trade.id_text = id->at;
        event->u.trade.id_bytes = id->bytes;
    }
}

/* Who was liquidated: the maker, the taker or both. */
static bool liquidation(struct walk *walk, const struct scan_value *who, const struct feed_event *trade)
{
    if (who->type != SCAN_STRING) {
        return true;
    }
    struct feed_event event = *trade;
    event.kind = FEED_EVENT_LIQUIDATION;
    event.flags = 0;
    if (memchr(who->at, 'T', who->bytes) != NULL) {
        emit(walk, &event);
    }
    if (memchr(who->at, 'M', who->bytes) != NULL) {
        event.aggressor = trade->aggressor == SIDE_BUY ? SIDE_SELL : SIDE_BUY;
        emit(walk, &event);
    }
    return true;
}

/* A leg of a combo is printed at the price that the spread left it, and a block was agreed elsewhere: neither
 * says anything about this book, and the combo's own print has the volume of its legs already. */
static bool trade(struct walk *walk, const struct scan_value *data)
{
    struct scan scan;
    struct scan_value field[TRADE_FIELD_COUNT];
    if (!fields(walk, &scan, data, trade_names, TRADE_FIELD_COUNT, field)) {
        return false;
    }
    struct scan_value name = named(walk, &field[TRADE_INSTRUMENT]);
    const struct instrument *row = row_of(walk, &name);
    if (row == NULL) {
        return emit_ignored(walk);
    }
    struct feed_event event = { .kind = FEED_EVENT_TRADE,
                                .instrument = row->index,
                                .text = name.at,
                                .text_bytes = name.bytes,
                                .venue_time_ns = scan_time_ns(&field[TRADE_TIME]) };
    bool buy = scan_is(&field[TRADE_DIRECTION], "buy");
    if (!buy && !scan_is(&field[TRADE_DIRECTION], "sell")) {
        return broken(walk, field[TRADE_DIRECTION].at, "a trade without its direction");
    }
    event.aggressor = buy ? SIDE_BUY : SIDE_SELL;
    if (!scan_decimal(&field[TRADE_PRICE], row->price_decimals, &event.u.trade.price) ||
        !scan_decimal_near(&field[TRADE_AMOUNT], row->qty_decimals, &event.u.trade.qty) ||
        event.u.trade.qty < 0) {
        return broken(walk, field[TRADE_PRICE].at, "a trade's number is none, or finer than the unit");
    }
    trade_id(&field[TRADE_ID], &event);
    for (int i = TRADE_COMBO; i <= TRADE_BLOCK_RFQ; i++) {
        event.flags |= told(&field[i]) ? FEED_EVENT_OFF_BOOK : 0;
    }
    if (deribit_symbol(name.at, name.bytes).combo && !told(&field[TRADE_BLOCK]) &&
        !told(&field[TRADE_BLOCK_RFQ])) {
        event.flags = 0; /* the combo's own print, in the combo's own book */
    }
    return emit(walk, &event) && liquidation(walk, &field[TRADE_LIQUIDATION], &event);
}

/* each calls `one` for every object of an array, twice if need be: see struct walk. */
static bool each(struct walk *walk, const struct scan_value *array,
                 bool (*one)(struct walk *walk, const struct scan_value *item))
{
    bool dry = walk->dry;
    for (int pass = dry ? 1 : 0; pass < 2; pass++) {
        struct scan scan;
        struct scan_value item;
        walk->dry = dry || pass == 0;
        scan_open(&scan, array->at, array->bytes);
        scan_array(&scan);
        while (scan_item(&scan) && scan_take(&scan, &item)) {
            if (!one(walk, &item)) {
                return false;
            }
        }
    }
    walk->dry = dry;
    return true;
}

/* twice walks one object that yields several events. */
static bool twice(struct walk *walk, const struct scan_value *data,
                  bool (*one)(struct walk *walk, const struct scan_value *data))
{
    if (walk->dry) {
        return one(walk, data);
    }
    walk->dry = true;
    bool sound = one(walk, data);
    walk->dry = false;
    return sound && one(walk, data);
}

/* ------------------------------------------------------------------ indexes and states */

enum {
    FACT_INDEX_NAME,
    FACT_TIME,
    FACT_PRICE,
    FACT_VOLATILITY,
    FACT_INSTRUMENT,
    FACT_STATE,
    FACT_LOCKED,
    FACT_LOCKED_CURRENCIES,
    FACT_LOCKED_INDICES,
    FACT_PRICE_INDEX,
    FACT_MAINTENANCE,
    FACT_ALLOW,
    FACT_INDEX_PRICE,
    FACT_FIELD_COUNT
};
static const struct scan_name fact_names[FACT_FIELD_COUNT] = {
    [FACT_INDEX_NAME] = SCAN_NAME("index_name"),
    [FACT_TIME] = SCAN_NAME("timestamp"),
    [FACT_PRICE] = SCAN_NAME("price"),
    [FACT_VOLATILITY] = SCAN_NAME("volatility"),
    [FACT_INSTRUMENT] = SCAN_NAME("instrument_name"),
    [FACT_STATE] = SCAN_NAME("state"),
    [FACT_LOCKED] = SCAN_NAME("locked"),
    [FACT_LOCKED_CURRENCIES] = SCAN_NAME("locked_currencies"),
    [FACT_LOCKED_INDICES] = SCAN_NAME("locked_indices"),
    [FACT_PRICE_INDEX] = SCAN_NAME("price_index"),
    [FACT_MAINTENANCE] = SCAN_NAME("maintenance"),
    [FACT_ALLOW] = SCAN_NAME("allow_unauthenticated_public_requests"),
    [FACT_INDEX_PRICE] = SCAN_NAME("index_price"),
};

/* The price index is known by its name; what else is published for the same index (volatility, delivery
 * price) by its channel's, so that no reader takes one for the other. */
static bool index_event(struct walk *walk, const struct scan_value *name, const struct scan_value *value,
                        const struct scan_value *time)
{
    struct feed_event event = { .kind = FEED_EVENT_INDEX,
                                .instrument = NO_INSTRUMENT,
                                .text = name->at,
                                .text_bytes = name->bytes,
                                .venue_time_ns = scan_time_ns(time) };
    if (!scan_decimal_near(value, DECIMAL_MONEY, &event.u.mark.index_e8)) {
        return broken(walk, value->at, "an index that is no number");
    }
    return emit(walk, &event);
}

static bool price_index(struct walk *walk, const struct scan_value *data)
{
    struct scan scan;
    struct scan_value field[FACT_FIELD_COUNT];
    if (!fields(walk, &scan, data, fact_names, FACT_FIELD_COUNT, field)) {
        return false;
    }
    struct scan_value name =
        field[FACT_INDEX_NAME].type == SCAN_STRING ? field[FACT_INDEX_NAME] : part(&walk->channel, 1);
    return index_event(walk, &name, &field[FACT_PRICE], &field[FACT_TIME]);
}

static bool other_index(struct walk *walk, const struct scan_value *data)
{
    struct scan scan;
    struct scan_value field[FACT_FIELD_COUNT];
    return fields(walk, &scan, data, fact_names, FACT_FIELD_COUNT, field) &&
           index_event(walk, &walk->channel,
                       told(&field[FACT_VOLATILITY]) ? &field[FACT_VOLATILITY] : &field[FACT_PRICE],
                       &field[FACT_TIME]);
}

static bool state(struct walk *walk, const struct scan_value *data)
{
    struct scan scan;
    struct scan_value field[FACT_FIELD_COUNT];
    if (!fields(walk, &scan, data, fact_names, FACT_FIELD_COUNT, field)) {
        return false;
    }
    const struct scan_value *name = &field[FACT_INSTRUMENT];
    if (name->type != SCAN_STRING) {
        return broken(walk, data->at, "a state without its instrument");
    }
    const struct instrument *row = deribit_feed_row(walk->parser, name->at, name->bytes);
    struct feed_event event = { .kind = FEED_EVENT_STATE,
                                .instrument = row != NULL ? row->index : NO_INSTRUMENT,
                                .text = name->at,
                                .text_bytes = name->bytes,
                                .status = (uint8_t)deribit_status(&field[FACT_STATE]),
                                .venue_time_ns = scan_time_ns(&field[FACT_TIME]) };
    return emit(walk, &event);
}

/* ---- locks: of an index, of a currency, of everything ---- */

static char lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
}

static bool same_letters(const char *text, size_t bytes, const char *other, size_t other_bytes)
{
    for (size_t i = 0; i < bytes && bytes == other_bytes; i++) {
        if (lower(text[i]) != lower(other[i])) {
            return false;
        }
    }
    return bytes == other_bytes;
}

/* under says whether an instrument belongs to an index ("btc_usd") or a currency ("BTC"). */
static bool under(const struct instrument *row, const struct scan_value *scope)
{
    struct deribit_symbol symbol = deribit_symbol(row->symbol, strlen(row->symbol));
    const char *bar = memchr(scope->at, '_', scope->bytes);
    size_t base = bar != NULL ? (size_t)(bar - scope->at) : scope->bytes;
    if (bar == NULL) {
        return same_letters(scope->at, scope->bytes, symbol.base, symbol.base_bytes) ||
               same_letters(scope->at, scope->bytes, symbol.quote, symbol.quote_bytes);
    }
    return same_letters(scope->at, base, symbol.base, symbol.base_bytes) &&
           same_letters(bar + 1, scope->bytes - base - 1, symbol.quote, symbol.quote_bytes);
}

static bool in_list(const struct instrument *row, const struct scan_value *list)
{
    struct scan scan;
    struct scan_value item;
    bool found = false;
    if (list->type != SCAN_ARRAY) {
        return false;
    }
    scan_open(&scan, list->at, list->bytes);
    scan_array(&scan);
    while (scan_item(&scan) && scan_take(&scan, &item)) {
        found |= item.type == SCAN_STRING && under(row, &item);
    }
    return found;
}

static void lock_event(struct walk *walk, uint16_t instrument, const char *text, size_t bytes, bool locked)
{
    struct feed_event event = { .kind = FEED_EVENT_STATE,
                                .flags = FEED_EVENT_LOCK,
                                .instrument = instrument,
                                .text = text,
                                .text_bytes = (uint32_t)bytes,
                                .status = locked ? INSTRUMENT_CANCEL_ONLY : INSTRUMENT_TRADING };
    emit(walk, &event);
}

static void lock_names(struct walk *walk, const struct scan_value *list)
{
    struct scan scan;
    struct scan_value item;
    if (list->type != SCAN_ARRAY) {
        return;
    }
    scan_open(&scan, list->at, list->bytes);
    scan_array(&scan);
    while (scan_item(&scan) && scan_take(&scan, &item)) {
        if (item.type == SCAN_STRING) {
            lock_event(walk, NO_INSTRUMENT, item.at, item.bytes, true);
        }
    }
}

/* A lock or its end, said once for its scope and then for each instrument below it.  One index is locked or
 * free; everything is; or (the reply of public/status) what is listed is locked and all else free. */
static bool locks(struct walk *walk, const struct scan_value *data)
{
    static const char everything[] = "platform";
    const struct instrument_table *table = walk->parser->instruments;
    struct scan scan;
    struct scan_value field[FACT_FIELD_COUNT];
    if (!fields(walk, &scan, data, fact_names, FACT_FIELD_COUNT, field)) {
        return false;
    }
    if (told(&field[FACT_ALLOW])) {
        lock_event(walk, NO_INSTRUMENT, "public_methods", 14, !is_true(&field[FACT_ALLOW]));
        return true;
    }
    const struct scan_value *scope = &field[FACT_PRICE_INDEX];
    bool listed = told(&field[FACT_LOCKED_CURRENCIES]) || told(&field[FACT_LOCKED_INDICES]);
    bool locked = is_true(&field[FACT_LOCKED]) || is_true(&field[FACT_MAINTENANCE]);
    bool partial = scan_is(&field[FACT_LOCKED], "partial") || (locked && listed);
    bool one = scope->type == SCAN_STRING;
    if (!told(&field[FACT_LOCKED]) && !told(&field[FACT_MAINTENANCE])) {
        return emit_ignored(walk);
    }
    if (one) {
        lock_event(walk, NO_INSTRUMENT, scope->at, scope->bytes, locked);
    } else if (partial) {
        lock_names(walk, &field[FACT_LOCKED_CURRENCIES]);
        lock_names(walk, &field[FACT_LOCKED_INDICES]);
    } else {
        lock_event(walk, NO_INSTRUMENT, everything, sizeof everything - 1, locked);
    }
    for (uint32_t i = 0; i < table->count; i++) {
        const struct instrument *row = &table->row[i];
        if (row->venue != VENUE_DERIBIT || (one && !under(row, scope))) {
            continue;
        }
        bool now = partial && !one ? in_list(row, &field[FACT_LOCKED_CURRENCIES]) ||
                                         in_list(row, &field[FACT_LOCKED_INDICES])
                                   : locked;
        lock_event(walk, row->index, row->symbol, strlen(row->symbol), now);
    }
    return true;
}

/* ------------------------------------------------------------------ notifications */

/* How the data of a channel is read, by the beginning of its name.  The first that fits counts. */
/* clang-format off */
static const struct {
    const char *begins;
    bool (*read)(struct walk *walk, const struct scan_value *data);
} channels[] = {
    { "book.",                        book },
    { "ticker.",                      ticker },
    { "incremental_ticker.",          ticker },
    { "quote.",                       ticker },
    { "trades.",                      trade },
    { "perpetual.",                   ticker },
    { "markprice.options.",           ticker },
    { "deribit_price_index.",         price_index },
    { "deribit_volatility_index.",    other_index },
    { "estimated_expiration_price.",  other_index },
    { "instrument.state.",            state },
    { "instrument.creation.",         state },
    { "platform_state",               locks },
};
/* clang-format on */

static bool begins(const struct scan_value *value, const char *with)
{
    size_t bytes = strlen(with);
    return value->type == SCAN_STRING && value->bytes >= bytes && memcmp(value->at, with, bytes) == 0;
}

static bool notification(struct walk *walk, const struct scan_value *channel, const struct scan_value *data)
{
    walk->channel = *channel;
    for (size_t i = 0; i < POISE_COUNT_OF(channels); i++) {
        if (!begins(channel, channels[i].begins)) {
            continue;
        }
        if (data->type == SCAN_ARRAY) {
            return each(walk, data, channels[i].read);
        }
        return twice(walk, data, channels[i].read);
    }
    return emit_ignored(walk);
}

/* ------------------------------------------------------------------ replies */

/* What our own requests are called, so that a reply says what it answers. */
#define ID_LOGIN     "feed-login"
#define ID_HEARTBEAT "feed-heartbeat"
#define ID_STATUS    "feed-status"
#define ID_TEST      "feed-test"
#define ID_SUBSCRIBE "feed-subscribe-" /* and the step */
#define ID_LEAVE     "feed-leave-"     /* and the places */
#define ID_RENEW     "feed-renew-"     /* and the places */

static bool id_number(const struct scan_value *id, const char *with, uint64_t *out)
{
    size_t bytes = strlen(with);
    if (!begins(id, with)) {
        return false;
    }
    struct scan_value digits = { .at = id->at + bytes,
                                 .bytes = id->bytes - (uint32_t)bytes,
                                 .type = SCAN_STRING };
    return scan_unsigned(&digits, out);
}

/* What of ours a reply answers, told by its id. */
static void answers(const struct scan_value *id, struct feed_event *event)
{
    uint64_t step = 0;
    if (scan_is(id, ID_LOGIN)) {
        event->u.control_of.of = CONTROL_LOGIN;
    } else if (id_number(id, ID_SUBSCRIBE, &step)) {
        event->u.control_of.of = CONTROL_SUBSCRIBED;
        event->u.control_of.step = (uint16_t)step;
    } else if (id_number(id, ID_RENEW, &event->u.control_of.places)) {
        event->u.control_of.of = CONTROL_SUBSCRIBED;
        event->u.control_of.renews = true;
    } else if (id_number(id, ID_LEAVE, &event->u.control_of.places)) {
        event->u.control_of.of = CONTROL_UNSUBSCRIBED;
        event->u.control_of.renews = true;
    }
}

static bool control(struct walk *walk, enum feed_control what, const struct scan_value *id,
                    const struct scan_value *code, const struct scan_value *detail)
{
    struct feed_event event = { .kind = FEED_EVENT_CONTROL,
                                .instrument = NO_INSTRUMENT,
                                .control = (uint8_t)what };
    scan_signed(code, &event.u.control_of.code);
    if (id->type == SCAN_STRING) {
        event.u.control_of.id_text = id->at;
        event.u.control_of.id_bytes = id->bytes;
    } else {
        scan_signed(id, &event.u.control_of.id);
    }
    if (detail->type != SCAN_NONE && detail->type != SCAN_NULL) {
        event.u.control_of.detail = detail->at;
        event.u.control_of.detail_bytes = detail->bytes;
    }
    answers(id, &event);
    if (what == CONTROL_SUBSCRIBED && event.u.control_of.of == CONTROL_UNSUBSCRIBED) {
        event.control = CONTROL_UNSUBSCRIBED;
    }
    return emit(walk, &event);
}

static bool is_ours(const struct scan_value *id)
{
    return begins(id, "feed-");
}

static bool error_reply(struct walk *walk, const struct scan_value *error, const struct scan_value *id)
{
    static const struct scan_name names[] = { SCAN_NAME("code"), SCAN_NAME("message") };
    struct scan scan;
    struct scan_value field[2];
    return fields(walk, &scan, error, names, 2, field) &&
           control(walk, CONTROL_ERROR, id, &field[0], &field[1]);
}

/* The keys that tell what a bare result is. */
enum {
    LOOK_TOKEN,
    LOOK_SCOPE,
    LOOK_BIDS,
    LOOK_ASKS,
    LOOK_TRADES,
    LOOK_BEST_BID,
    LOOK_LOCKED,
    LOOK_VERSION,
    LOOK_INDEX,
    LOOK_INSTRUMENT,
    LOOK_MID,
    LOOK_BID,
    LOOK_INTEREST_8H,
    LOOK_ORDER,
    LOOK_TRADE,
    LOOK_ESTIMATED,
    LOOK_INDEX_NAME,
    LOOK_VOLATILITY,
    LOOK_SECONDS,
    LOOK_PRICE,
    LOOK_TYPE,
    LOOK_STATE,
    LOOK_TICK,
    LOOK_INTEREST,
    LOOK_ALLOW,
    LOOK_CURRENCY,
    LOOK_IV,
    LOOK_TIME,
    LOOK_COUNT
};
static const struct scan_name look_names[LOOK_COUNT] = {
    [LOOK_TOKEN] = SCAN_NAME("access_token"),
    [LOOK_SCOPE] = SCAN_NAME("scope"),
    [LOOK_BIDS] = SCAN_NAME("bids"),
    [LOOK_ASKS] = SCAN_NAME("asks"),
    [LOOK_TRADES] = SCAN_NAME("trades"),
    [LOOK_BEST_BID] = SCAN_NAME("best_bid_price"),
    [LOOK_LOCKED] = SCAN_NAME("locked"),
    [LOOK_VERSION] = SCAN_NAME("version"),
    [LOOK_INDEX] = SCAN_NAME("index_price"),
    [LOOK_INSTRUMENT] = SCAN_NAME("instrument_name"),
    [LOOK_MID] = SCAN_NAME("mid_price"),
    [LOOK_BID] = SCAN_NAME("bid_price"),
    [LOOK_INTEREST_8H] = SCAN_NAME("interest_8h"),
    [LOOK_ORDER] = SCAN_NAME("order_id"),
    [LOOK_TRADE] = SCAN_NAME("trade_id"),
    [LOOK_ESTIMATED] = SCAN_NAME("estimated_delivery_price"),
    [LOOK_INDEX_NAME] = SCAN_NAME("index_name"),
    [LOOK_VOLATILITY] = SCAN_NAME("volatility"),
    [LOOK_SECONDS] = SCAN_NAME("seconds"),
    [LOOK_PRICE] = SCAN_NAME("price"),
    [LOOK_TYPE] = SCAN_NAME("type"),
    [LOOK_STATE] = SCAN_NAME("state"),
    [LOOK_TICK] = SCAN_NAME("tick_size"),
    [LOOK_INTEREST] = SCAN_NAME("interest"),
    [LOOK_ALLOW] = SCAN_NAME("allow_unauthenticated_public_requests"),
    [LOOK_CURRENCY] = SCAN_NAME("currency"),
    [LOOK_IV] = SCAN_NAME("iv"),
    [LOOK_TIME] = SCAN_NAME("timestamp"),
};

static bool book_and_ticker(struct walk *walk, const struct scan_value *data)
{
    return book(walk, data) && ticker(walk, data);
}

/* The first object of an array; its type is SCAN_NONE when there is none. */
static struct scan_value first_of(const struct scan_value *array)
{
    struct scan scan;
    struct scan_value item = { 0 };
    scan_open(&scan, array->at, array->bytes);
    if (scan_array(&scan) && scan_item(&scan)) {
        scan_take(&scan, &item);
    }
    return item;
}

static bool look(struct walk *walk, struct scan *scan, const struct scan_value *object,
                 struct scan_value out[LOOK_COUNT])
{
    return fields(walk, scan, object, look_names, LOOK_COUNT, out);
}

/* Public trades, not those of an account. */
static bool trades_reply(struct walk *walk, const struct scan_value *trades)
{
    struct scan scan;
    struct scan_value key[LOOK_COUNT], first = first_of(trades);
    if (first.type != SCAN_OBJECT || !look(walk, &scan, &first, key) || told(&key[LOOK_ORDER])) {
        return emit_ignored(walk);
    }
    return each(walk, trades, trade);
}

/* The data of a notification without its channel, as the documentation prints them. */
static bool data_alone(struct walk *walk, const struct scan_value *data, const struct scan_value *key)
{
    static const struct scan_value volatility = { "deribit_volatility_index", 24, SCAN_STRING, 0 };
    static const struct scan_value delivery = { "estimated_expiration_price", 26, SCAN_STRING, 0 };
    bool has_instrument = told(&key[LOOK_INSTRUMENT]);
    if (told(&key[LOOK_INDEX_NAME]) && told(&key[LOOK_VOLATILITY])) {
        return index_event(walk, &volatility, &key[LOOK_VOLATILITY], &key[LOOK_TIME]);
    }
    if (told(&key[LOOK_SECONDS]) && told(&key[LOOK_PRICE]) && !has_instrument) {
        return index_event(walk, &delivery, &key[LOOK_PRICE], &key[LOOK_TIME]);
    }
    if (told(&key[LOOK_INDEX_NAME]) && told(&key[LOOK_PRICE]) && !has_instrument) {
        return price_index(walk, data);
    }
    if ((told(&key[LOOK_INTEREST]) && told(&key[LOOK_INDEX])) ||
        (has_instrument && (scan_is(&key[LOOK_TYPE], "snapshot") || scan_is(&key[LOOK_TYPE], "change")))) {
        return twice(walk, data, ticker);
    }
    if (has_instrument && told(&key[LOOK_STATE]) && told(&key[LOOK_TIME]) && !told(&key[LOOK_TICK])) {
        return state(walk, data);
    }
    return emit_ignored(walk);
}

static bool object_reply(struct walk *walk, const struct scan_value *result, const struct scan_value *id)
{
    struct scan scan;
    struct scan_value key[LOOK_COUNT];
    if (!look(walk, &scan, result, key)) {
        return false;
    }
    if (told(&key[LOOK_TOKEN])) {
        return control(walk, CONTROL_LOGIN, id, &nothing, &key[LOOK_SCOPE]);
    }
    if (key[LOOK_BIDS].type == SCAN_ARRAY && key[LOOK_ASKS].type == SCAN_ARRAY) {
        return twice(walk, result, key[LOOK_BEST_BID].type != SCAN_NONE ? book_and_ticker : book);
    }
    if (key[LOOK_TRADES].type == SCAN_ARRAY && !told(&key[LOOK_ORDER])) {
        return trades_reply(walk, &key[LOOK_TRADES]);
    }
    if (key[LOOK_BEST_BID].type != SCAN_NONE) {
        return twice(walk, result, ticker);
    }
    if ((told(&key[LOOK_LOCKED]) && !told(&key[LOOK_CURRENCY])) || told(&key[LOOK_ALLOW])) {
        return locks(walk, result);
    }
    if (told(&key[LOOK_INDEX]) && told(&key[LOOK_ESTIMATED]) && !told(&key[LOOK_INSTRUMENT])) {
        const struct scan_value no_name = { .at = "", .type = SCAN_STRING };
        return index_event(walk, &no_name, &key[LOOK_INDEX], &nothing);
    }
    if (told(&key[LOOK_VERSION])) {
        return control(walk, CONTROL_OK, id, &nothing, &key[LOOK_VERSION]);
    }
    return told(&key[LOOK_ORDER]) ? emit_ignored(walk) : data_alone(walk, result, key);
}

static bool array_reply(struct walk *walk, const struct scan_value *result, const struct scan_value *id)
{
    struct scan scan;
    struct scan_value key[LOOK_COUNT], first = first_of(result);
    if (first.type == SCAN_STRING || (first.type == SCAN_NONE && is_ours(id))) {
        return control(walk, CONTROL_SUBSCRIBED, id, &nothing, result);
    }
    if (first.type != SCAN_OBJECT || !look(walk, &scan, &first, key)) {
        return emit_ignored(walk);
    }
    if (key[LOOK_MID].type != SCAN_NONE || key[LOOK_BID].type != SCAN_NONE ||
        (told(&key[LOOK_INTEREST_8H]) && !told(&key[LOOK_INSTRUMENT]))) {
        return each(walk, result, ticker); /* summaries; a history of funding */
    }
    if (told(&key[LOOK_IV]) && told(&key[LOOK_INSTRUMENT]) && !told(&key[LOOK_TRADE])) {
        return each(walk, result, ticker); /* mark prices without their channel */
    }
    if (told(&key[LOOK_TRADE]) && !told(&key[LOOK_ORDER])) {
        return each(walk, result, trade);
    }
    return emit_ignored(walk);
}

/* One number: the funding of a window.  A time or a count is a whole number, and not the feed's. */
static bool number_reply(struct walk *walk, const struct scan_value *result)
{
    int64_t whole;
    const struct instrument *row;
    if (scan_signed(result, &whole) || (row = row_of(walk, &nothing)) == NULL) {
        return emit_ignored(walk);
    }
    struct scan_value field[TICKER_FIELD_COUNT] = { 0 };
    struct feed_event event = { .instrument = row->index };
    return ticker_mark(walk, row, field, result, &event);
}

static bool reply_of(struct walk *walk, const struct scan_value *result, const struct scan_value *id)
{
    switch (result->type) {
    case SCAN_OBJECT:
        return object_reply(walk, result, id);
    case SCAN_ARRAY:
        return array_reply(walk, result, id);
    case SCAN_STRING:
        return control(walk, CONTROL_OK, id, &nothing, result);
    case SCAN_NUMBER:
        return number_reply(walk, result);
    default:
        return emit_ignored(walk);
    }
}

/* ------------------------------------------------------------------ one message */

enum {
    FIELD_METHOD,
    FIELD_PARAMS,
    FIELD_RESULT,
    FIELD_ERROR,
    FIELD_ID,
    FIELD_CHANNEL,
    FIELD_DATA,
    FIELD_TYPE,
    FIELD_COUNT
};
static const struct scan_name message_names[FIELD_COUNT] = {
    [FIELD_METHOD] = SCAN_NAME("method"), [FIELD_PARAMS] = SCAN_NAME("params"),
    [FIELD_RESULT] = SCAN_NAME("result"), [FIELD_ERROR] = SCAN_NAME("error"),
    [FIELD_ID] = SCAN_NAME("id"),         [FIELD_CHANNEL] = SCAN_NAME("channel"),
    [FIELD_DATA] = SCAN_NAME("data"),     [FIELD_TYPE] = SCAN_NAME("type"),
};

static bool called(struct walk *walk, const struct scan_value *method, const struct scan_value *params,
                   const struct scan_value *id)
{
    struct scan scan;
    struct scan_value field[FIELD_COUNT] = { 0 };
    if (params->type == SCAN_OBJECT && !fields(walk, &scan, params, message_names, FIELD_COUNT, field)) {
        return false;
    }
    if (scan_is(method, "subscription")) {
        if (field[FIELD_CHANNEL].type != SCAN_STRING || field[FIELD_DATA].type == SCAN_NONE) {
            return broken(walk, method->at, "a notification without channel or data");
        }
        return notification(walk, &field[FIELD_CHANNEL], &field[FIELD_DATA]);
    }
    if (scan_is(method, "heartbeat")) {
        bool test = scan_is(&field[FIELD_TYPE], "test_request");
        return control(walk, test ? CONTROL_TEST_REQUEST : CONTROL_HEARTBEAT, id, &nothing, &nothing);
    }
    return control(walk, CONTROL_REQUEST, id, &nothing, method); /* what we, or a capture's owner, asked */
}

static bool object(struct walk *walk, const struct scan_value *whole)
{
    struct scan scan;
    struct scan_value field[FIELD_COUNT];
    if (!fields(walk, &scan, whole, message_names, FIELD_COUNT, field)) {
        return false;
    }
    if (field[FIELD_METHOD].type == SCAN_STRING) {
        return called(walk, &field[FIELD_METHOD], &field[FIELD_PARAMS], &field[FIELD_ID]);
    }
    if (field[FIELD_ERROR].type == SCAN_OBJECT) {
        return error_reply(walk, &field[FIELD_ERROR], &field[FIELD_ID]);
    }
    if (field[FIELD_RESULT].type != SCAN_NONE) {
        return reply_of(walk, &field[FIELD_RESULT], &field[FIELD_ID]);
    }
    if (field[FIELD_CHANNEL].type == SCAN_STRING && field[FIELD_DATA].type != SCAN_NONE) {
        return notification(walk, &field[FIELD_CHANNEL], &field[FIELD_DATA]);
    }
    if (field[FIELD_DATA].type == SCAN_OBJECT || field[FIELD_DATA].type == SCAN_ARRAY) {
        return reply_of(walk, &field[FIELD_DATA], &nothing);
    }
    return reply_of(walk, whole, &nothing); /* a result without its envelope */
}

int64_t deribit_feed_parse_tolerant(struct feed_parser *parser, const char *bytes, size_t count,
                                    feed_sink sink, void *context)
{
    struct walk walk = {
        .parser = parser,
        .sink = sink,
        .context = context,
        .begin = bytes,
        .end = bytes + count,
        .channel = { .at = "" },
    };
    struct scan scan;
    struct scan_value whole;
    parser->broken_at = 0;
    parser->broken_why = NULL;
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
    bool sound = whole.type == SCAN_OBJECT ? object(&walk, &whole) : reply_of(&walk, &whole, &nothing);
    return sound ? consumed : PARSE_BROKEN;
}

/* Journey 2/8: bytes of a message become events. */
static int64_t parse(struct feed_parser *parser, const char *bytes, size_t count, feed_sink sink,
                     void *context)
{
    int64_t consumed = deribit_fast_parse(parser, bytes, count, sink, context);
    return consumed != DERIBIT_FAST_NOT_MINE
               ? consumed
               : deribit_feed_parse_tolerant(parser, bytes, count, sink, context);
}

/* ------------------------------------------------------------------ what to subscribe to */

/* Each subscription costs 3,000 credits of a pool of 30,000 that fills at 10,000 a second: as many channels
 * as a message may hold (32 kB) go into one. */
#define CHANNELS_PER_MESSAGE 192
#define CHANNEL_BYTES        64
#define SEND_PAUSE_MS        100
#define RENEW_PAUSE_MS       2400 /* two calls; four connections of one account stay within the refill */
#define HEARTBEAT_S          10

/* Without a login every interval is 100 ms, and quotes (which have none) run ahead of the book. */
static const struct {
    const char *before, *behind;
} raw_channels[] = { { "book.", ".raw" }, { "ticker.", ".100ms" }, { "trades.", ".raw" } },
  slow_channels[] = {
      { "book.", ".100ms" }, { "ticker.", ".100ms" }, { "trades.", ".100ms" }, { "quote.", "" }
  };

#define CHANNEL_BOOK  0
#define OTHER_CHANNEL 2 /* platform_state, instrument.state */

static bool is_raw(const struct feed_connection *connection)
{
    return connection->key != NULL && connection->login == FEED_LOGIN_DONE;
}

static uint32_t kinds_of(const struct feed_connection *connection)
{
    return is_raw(connection) ? POISE_COUNT_OF(raw_channels) : POISE_COUNT_OF(slow_channels);
}

static uint32_t channel_count(const struct feed_connection *connection)
{
    return connection->instrument_count * kinds_of(connection) + OTHER_CHANNEL;
}

/* The n-th channel of a connection: books, tickers, trades, quotes of all its instruments, then the others.
 */
static void put_channel(struct text *text, const struct instrument_table *instruments,
                        const struct feed_connection *connection, uint32_t n)
{
    uint32_t count = connection->instrument_count, kinds = kinds_of(connection), kind = n / count;
    if (kind < kinds) {
        bool raw = is_raw(connection);
        text_put(text, raw ? raw_channels[kind].before : slow_channels[kind].before);
        text_put(text, instruments->row[connection->instrument[n % count]].symbol);
        text_put(text, raw ? raw_channels[kind].behind : slow_channels[kind].behind);
    } else if (n == count * kinds) {
        text_put(text, "platform_state");
    } else {
        text_put(text, "instrument.state.");
        text_put(text, deribit_products[connection->product].kind);
        text_put(text, ".any");
    }
}

static uint32_t plan(const struct instrument_table *instruments, const uint16_t *wanted,
                     uint32_t wanted_count, struct feed_connection *out, uint32_t max)
{
    uint32_t count = 0;
    for (uint32_t from = 0; from < wanted_count && count < max; from += FEED_CONNECTION_INSTRUMENTS) {
        uint32_t many = wanted_count - from;
        many = many < FEED_CONNECTION_INSTRUMENTS ? many : FEED_CONNECTION_INSTRUMENTS;
        struct feed_connection *to = &out[count];
        memset(to, 0, sizeof *to);
        if (deribit_product(instruments->row[wanted[from]].product) == NULL) {
            return count;
        }
        deribit_endpoint(&to->endpoint, TRANSPORT_WS);
        to->venue = VENUE_DERIBIT;
        to->product = instruments->row[wanted[from]].product;
        to->heartbeat_s = HEARTBEAT_S;
        to->send_pause_ms = SEND_PAUSE_MS;
        to->renew_pause_ms = RENEW_PAUSE_MS;
        to->instrument_count = many;
        memcpy(to->instrument, wanted + from, many * sizeof *wanted);
        count++;
    }
    return count;
}

static void begin_channels(struct deribit_params *params, char *out, size_t capacity, const char *id,
                           uint64_t number, const char *method)
{
    char name[48];
    struct text text = { name, name + sizeof name, false };
    text_put(&text, id);
    text_put_unsigned(&text, number);
    deribit_params_begin(params, out, capacity, name, (size_t)(text.at - name), method);
    text_put(&params->json, "\"channels\":[");
}

static void add_channel(struct deribit_params *params, const struct instrument_table *instruments,
                        const struct feed_connection *connection, uint32_t n)
{
    text_put(&params->json, params->any ? ",\"" : "\"");
    put_channel(&params->json, instruments, connection, n);
    text_put(&params->json, "\"");
    params->any = true;
}

static size_t end_channels(struct deribit_params *params)
{
    text_put(&params->json, "]");
    return deribit_params_end(params);
}

/* Steps: heartbeat, login (with a key), locks, channels. */
enum { STEP_HEARTBEAT, STEP_LOGIN, STEP_STATUS, STEP_CHANNELS };

static size_t subscribe(const struct instrument_table *instruments, const struct feed_connection *connection,
                        uint32_t step, int64_t wall_ns, char *out, size_t capacity)
{
    struct deribit_params params;
    uint32_t at = step + (step >= STEP_LOGIN && connection->key == NULL ? 1 : 0);
    if (at == STEP_HEARTBEAT) {
        deribit_params_begin(&params, out, capacity, ID_HEARTBEAT, sizeof ID_HEARTBEAT - 1,
                             "public/set_heartbeat");
        deribit_params_number(&params, "interval", HEARTBEAT_S);
        return deribit_params_end(&params);
    }
    if (at == STEP_LOGIN) {
        deribit_params_begin(&params, out, capacity, ID_LOGIN, sizeof ID_LOGIN - 1, "public/auth");
        deribit_params_login(&params, connection->key, (uint64_t)(wall_ns / 1000000), NULL);
        deribit_params_text(&params, "scope", "connection", 10); /* nothing that could trade */
        return deribit_params_end(&params);
    }
    if (connection->login == FEED_LOGIN_ASKED) {
        return FEED_WAIT; /* which channels there are depends on it */
    }
    if (at == STEP_STATUS) {
        deribit_params_begin(&params, out, capacity, ID_STATUS, sizeof ID_STATUS - 1, "public/status");
        return deribit_params_end(&params);
    }
    uint32_t from = (at - STEP_CHANNELS) * CHANNELS_PER_MESSAGE, total = channel_count(connection);
    if (from >= total) {
        return 0;
    }
    begin_channels(&params, out, capacity, ID_SUBSCRIBE, step, "public/subscribe");
    for (uint32_t i = from; i < total && i < from + CHANNELS_PER_MESSAGE; i++) {
        add_channel(&params, instruments, connection, i);
    }
    return end_channels(&params);
}

static size_t renew(const struct instrument_table *instruments, const struct feed_connection *connection,
                    uint64_t places, uint32_t step, char *out, size_t capacity)
{
    struct deribit_params params;
    if (step > 1) {
        return 0;
    }
    begin_channels(&params, out, capacity, step == 0 ? ID_LEAVE : ID_RENEW, places,
                   step == 0 ? "public/unsubscribe" : "public/subscribe");
    for (uint32_t i = 0; i < connection->instrument_count; i++) {
        if ((places >> i & 1) != 0) {
            add_channel(&params, instruments, connection, CHANNEL_BOOK * connection->instrument_count + i);
        }
    }
    return end_channels(&params);
}

/* is_listed says whether a list of channels, as the venue wrote it, has the n-th of the connection. */
static bool is_listed(const struct instrument_table *instruments, const struct feed_connection *connection,
                      uint32_t n, const struct feed_event *event)
{
    char channel[CHANNEL_BYTES];
    struct text text = { channel, channel + sizeof channel, false };
    text_put_char(&text, '"');
    put_channel(&text, instruments, connection, n);
    text_put_char(&text, '"');
    return event->u.control_of.detail != NULL &&
           memmem(event->u.control_of.detail, event->u.control_of.detail_bytes, channel,
                  (size_t)(text.at - channel)) != NULL;
}

/* What may not be had is left out without a word, and the order is not ours: sets are compared. */
static uint32_t acknowledged(const struct instrument_table *instruments,
                             const struct feed_connection *connection, const struct feed_event *event,
                             uint64_t *served, uint64_t *refused)
{
    uint32_t total = channel_count(connection), missing = 0;
    uint32_t before = connection->key == NULL ? STEP_CHANNELS - 1 : STEP_CHANNELS;
    bool renews = event->u.control_of.renews;
    if (event->u.control_of.of != CONTROL_SUBSCRIBED || (!renews && event->u.control_of.step < before)) {
        return 0;
    }
    uint32_t from = renews ? 0 : (event->u.control_of.step - before) * CHANNELS_PER_MESSAGE;
    uint32_t to = renews ? connection->instrument_count : from + CHANNELS_PER_MESSAGE;
    for (uint32_t i = from; i < to && i < total; i++) {
        if (renews && (event->u.control_of.places >> i & 1) == 0) {
            continue;
        }
        bool listed = is_listed(instruments, connection, i, event);
        missing += !listed;
        if (i / connection->instrument_count == CHANNEL_BOOK) {
            *(listed ? served : refused) |= 1ULL << i;
        }
    }
    return missing;
}

static size_t reply(const struct feed_event *event, char *out, size_t capacity)
{
    struct deribit_params params;
    if (event->control != CONTROL_TEST_REQUEST) {
        return 0;
    }
    deribit_params_begin(&params, out, capacity, ID_TEST, sizeof ID_TEST - 1, "public/test");
    return deribit_params_end(&params);
}

/* A change names the one before it: nothing else proves that none is missing. */
static enum book_link link_of(uint8_t product, uint64_t at, bool first, const struct feed_event *event)
{
    (void)product;
    (void)first;
    if (event->previous == at && at != 0) {
        return BOOK_LINK_APPLY;
    }
    return event->last <= at ? BOOK_LINK_DROP : BOOK_LINK_GAP;
}

const struct venue_feed deribit_feed = {
    .plan = plan,
    .subscribe = subscribe,
    .acknowledged = acknowledged,
    .renew = renew,
    .parse = parse,
    .reply = reply,
    .link = link_of,
};
