/* decode: venue messages to normalised records, through the same parsers as the engine's.
 *
 * Everything printed comes out of feed->parse, order->message or rest->parse; what is here chooses between
 * them, resolves names and prints. */
#include "tools/poise/commands.h"
#include "tools/poise/venue_io.h"
#include "venues/deribit/product.h"
#include "venues/scan.h"

#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: poise decode VENUE [--kind spot|linear|inverse] [--instruments FILE] [--private] [--whole] "
    "[--book]\n"
    "                          [--instrument NAME] [--reply-to METHOD] < lines\n"
    "\n"
    "Reads one venue message a line (after an optional capture time, as {\"recv\":..,\"msg\":..}, or as "
    "hex:..) and\n"
    "prints one JSON line per normalised record.  --whole reads JSON values that may span lines.  --book "
    "prints\n"
    "the ten best levels after each line instead.\n"
    "\n"
    "example: poise decode binance --kind linear --instruments exchangeInfo.json < frames.txt\n";

#define BOOK_PRINTED 10
#define BOOK_HELD    4096 /* changes kept until a snapshot comes */

/* One side of a book, best first. */
struct side_levels {
    struct level *level;
    uint32_t count, room;
};

/* Changes that wait for a snapshot. */
struct held {
    struct feed_event event;
    struct level *levels;
};

struct book {
    struct side_levels side[2];
    uint64_t at;
    bool synced, first, valid;
    bool chained; /* `last_seen` is the id of the change before, also without a snapshot */
    uint64_t last_seen;
    struct held *held;
    uint32_t held_count;
    int decimals[2]; /* price, qty the levels are in */
};

struct decode {
    struct io_options options;
    struct io_rows rows;
    struct instrument_table table; /* empty: every symbol comes through the hooks */
    struct venue_hooks hooks;
    struct feed_parser parser;
    struct level *levels;
    struct venue_session *session;
    struct account account;
    struct sign_key key;
    uint64_t line;
    uint8_t product; /* of the message at hand */
    const char *message;
    size_t message_bytes;
    char reply_symbol[INSTRUMENT_SYMBOL_BYTES];
    FILE *out; /* what the message at hand gives so far */
    uint32_t printed, ignored;
    uint32_t guesses; /* of the units of the message at hand */
    bool saw_row;     /* a row was asked for: the book to print */
    struct io_row *last_row;
};

/* ------------------------------------------------------------------ names */

static const char *const reason_names[REASON_COUNT] = {
    [REASON_NONE] = "none",
    [REASON_POST_ONLY] = "post_only",
    [REASON_FILTER] = "filter",
    [REASON_PRICE_BAND] = "price_band",
    [REASON_BALANCE] = "balance",
    [REASON_REDUCE_ONLY] = "reduce_only",
    [REASON_RATE_LIMIT] = "rate_limit",
    [REASON_NOT_FOUND] = "not_found",
    [REASON_DUPLICATE_ID] = "duplicate_id",
    [REASON_TIME] = "time",
    [REASON_AUTH] = "auth",
    [REASON_SUSPENDED] = "suspended",
    [REASON_UNCHANGED] = "unchanged",
    [REASON_SELF_TRADE] = "self_trade",
    [REASON_IOC] = "ioc",
    [REASON_LIQUIDATION] = "liquidation",
    [REASON_DEAD_MAN] = "dead_man",
    [REASON_NOT_SENT] = "not_sent",
    [REASON_OTHER] = "other",
    [REASON_DELIVERY] = "delivery",
};

static const char *const status_names[] = {
    [ORDER_STATUS_NONE] = "none",           [ORDER_STATUS_OPEN] = "open",
    [ORDER_STATUS_PARTIAL] = "partial",     [ORDER_STATUS_FILLED] = "filled",
    [ORDER_STATUS_CANCELLED] = "cancelled", [ORDER_STATUS_EXPIRED] = "expired",
    [ORDER_STATUS_REJECTED] = "rejected",   [ORDER_STATUS_UNTRIGGERED] = "untriggered",
    [ORDER_STATUS_NOT_FOUND] = "not_found",
};

static const char *const instrument_status_names[] = {
    [INSTRUMENT_UNKNOWN] = "unknown",         [INSTRUMENT_TRADING] = "trading",
    [INSTRUMENT_CANCEL_ONLY] = "cancel_only", [INSTRUMENT_HALTED] = "halted",
    [INSTRUMENT_SETTLING] = "settling",       [INSTRUMENT_CLOSED] = "closed",
};

static const char *const request_names[] = {
    [REQUEST_NONE] = "none",     [REQUEST_NEW] = "new",     [REQUEST_AMEND] = "amend",
    [REQUEST_CANCEL] = "cancel", [REQUEST_QUERY] = "query", [REQUEST_CANCEL_ALL] = "cancel_all",
};

static const char *const cash_names[] = {
    [CASH_UNKNOWN] = "unknown",       [CASH_ORDER] = "order",       [CASH_FUNDING] = "funding",
    [CASH_TRANSFER] = "transfer",     [CASH_FEE] = "fee",           [CASH_LIQUIDATION] = "liquidation",
    [CASH_SETTLEMENT] = "settlement", [CASH_INTEREST] = "interest", [CASH_SNAPSHOT] = "snapshot",
    [CASH_ADJUSTMENT] = "adjustment", [CASH_DIVIDEND] = "dividend", [CASH_ACCRUED] = "accrued",
    [CASH_SETTLED] = "settled",       [CASH_HISTORY] = "history",
};

/* What --reply-to or a URL says that a bare result answers. */
static uint8_t request_of(const char *method)
{
    static const struct {
        const char *part;
        uint8_t request;
    } parts[] = {
        { "cancelReplace", REQUEST_NONE },
        { "cancelAll", REQUEST_CANCEL_ALL },
        { "cancel_all", REQUEST_CANCEL_ALL },
        { "allOpenOrders", REQUEST_CANCEL_ALL },
        { "countdown", REQUEST_NONE },
        { "amend", REQUEST_AMEND },
        { "modify", REQUEST_AMEND },
        { "edit", REQUEST_AMEND },
        { "PUT", REQUEST_AMEND },
        { "DELETE", REQUEST_CANCEL },
        { "cancel", REQUEST_CANCEL },
        { "status", REQUEST_QUERY },
        { "get_order_state", REQUEST_QUERY },
        { "get_open_orders", REQUEST_QUERY },
        { "openOrder", REQUEST_QUERY },
        { "allOrders", REQUEST_QUERY },
        { "query", REQUEST_QUERY },
        { "GET", REQUEST_QUERY },
        { "place", REQUEST_NEW },
        { "private/buy", REQUEST_NEW },
        { "private/sell", REQUEST_NEW },
        { "POST", REQUEST_NEW },
        { "batchOrders", REQUEST_NEW },
        { "new", REQUEST_NEW },
    };
    if (method == NULL) {
        return REQUEST_NONE;
    }
    if (strstr(method, "DELETE") != NULL && strstr(method, "penOrders") != NULL) {
        return REQUEST_CANCEL_ALL;
    }
    for (size_t i = 0; i < POISE_COUNT_OF(parts); i++) {
        if (strstr(method, parts[i].part) != NULL) {
            return parts[i].request;
        }
    }
    return REQUEST_NONE;
}

/* ------------------------------------------------------------------ printing */

static void begin(struct decode *decode, const char *type)
{
    decode->printed++;
    io_begin(decode->out, decode->line, type);
}

static void instrument_of(struct decode *decode, const struct io_row *row)
{
    if (row == NULL) {
        return;
    }
    decode->last_row = (struct io_row *)row;
    decode->saw_row = true;
    if (row->row.symbol[0] != '\0') {
        io_word(decode->out, "instrument", row->row.symbol);
    }
    if (row->row.product != PRODUCT_NONE) {
        io_word(decode->out, "kind", product_names[row->row.product]);
    }
}

static void finish(struct decode *decode, const struct io_row *row)
{
    if (row != NULL && row->inferred) {
        io_word(decode->out, "decimals", "inferred");
    }
    io_end(decode->out);
}

static void print_levels(FILE *out, const char *name, const struct level *levels, uint32_t count,
                         int price_decimals, int qty_decimals)
{
    char digits[DECIMAL_TEXT_BYTES];
    fprintf(out, ",\"%s\":[", name);
    for (uint32_t i = 0; i < count; i++) {
        fputs(i == 0 ? "[" : ",[", out);
        io_quote(out, digits, decimal_print_short(digits, levels[i].price, price_decimals));
        fputc(',', out);
        io_quote(out, digits, decimal_print_short(digits, levels[i].qty, qty_decimals));
        fputc(']', out);
    }
    fputc(']', out);
}

static void pair_of(FILE *out, const char *name, int64_t price, int64_t qty, const struct instrument *row)
{
    if (price == FEED_UNTOLD || qty == FEED_UNTOLD) {
        return;
    }
    if (qty == 0) {
        io_null(out, name); /* nobody stands there */
        return;
    }
    char digits[DECIMAL_TEXT_BYTES];
    fprintf(out, ",\"%s\":[", name);
    io_quote(out, digits, decimal_print_short(digits, price, row->price_decimals));
    fputc(',', out);
    io_quote(out, digits, decimal_print_short(digits, qty, row->qty_decimals));
    fputc(']', out);
}

/* base_qty where quantities are contracts: contracts x contract / price. */
static void base_qty(FILE *out, const struct io_row *row, int64_t qty, int64_t price)
{
    if (row->row.contract_e8 == 0 || row->row.product != PRODUCT_INVERSE || price <= 0) {
        return;
    }
    int128 numerator = (int128)qty * row->row.contract_e8 * decimal_power[row->row.price_decimals];
    int128 denominator = (int128)price * decimal_power[row->row.qty_decimals];
    io_decimal(out, "base_qty", decimal_divide(numerator, denominator, ROUND_HALF_EVEN), DECIMAL_MONEY);
}

/* ------------------------------------------------------------------ books */

static void side_set(struct side_levels *side, bool bids, struct level level)
{
    uint32_t low = 0, high = side->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        bool better =
            bids ? side->level[middle].price > level.price : side->level[middle].price < level.price;
        if (better) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    bool there = low < side->count && side->level[low].price == level.price;
    if (level.qty == 0) {
        if (there) {
            memmove(side->level + low, side->level + low + 1, (--side->count - low) * sizeof level);
        }
        return;
    }
    if (!there) {
        if (side->count == side->room) {
            side->room = side->room == 0 ? 1024 : side->room * 2;
            side->level = realloc(side->level, side->room * sizeof level);
            if (side->level == NULL) {
                abort();
            }
        }
        memmove(side->level + low + 1, side->level + low, (side->count++ - low) * sizeof level);
    }
    side->level[low] = level;
}

static struct book *book_of(struct io_row *row)
{
    if (row->user == NULL) {
        struct book *book = calloc(1, sizeof *book);
        if (book == NULL) {
            abort();
        }
        row->user = book;
    }
    return row->user;
}

static void book_apply(struct book *book, const struct feed_event *event)
{
    for (uint32_t i = 0; i < event->bid_count; i++) {
        side_set(&book->side[SIDE_BUY], true, event->bids[i]);
    }
    for (uint32_t i = 0; i < event->ask_count; i++) {
        side_set(&book->side[SIDE_SELL], false, event->asks[i]);
    }
    book->at = event->last;
}

static void book_hold(struct book *book, const struct feed_event *event)
{
    if (book->held == NULL) {
        book->held = calloc(BOOK_HELD, sizeof *book->held);
    }
    if (book->held == NULL || book->held_count == BOOK_HELD) {
        return;
    }
    struct held *held = &book->held[book->held_count];
    uint32_t count = event->bid_count + event->ask_count;
    held->levels = malloc((count + 1) * sizeof *held->levels);
    if (held->levels == NULL) {
        return;
    }
    memcpy(held->levels, event->bids, event->bid_count * sizeof *held->levels);
    memcpy(held->levels + event->bid_count, event->asks, event->ask_count * sizeof *held->levels);
    held->event = *event;
    held->event.bids = held->levels;
    held->event.asks = held->levels + event->bid_count;
    book->held_count++;
}

static bool book_change(struct decode *decode, const struct io_row *row, struct book *book,
                        const struct feed_event *event)
{
    enum book_link link = decode->options.venue->feed->link(row->row.product, book->at, book->first, event);
    if (link == BOOK_LINK_APPLY) {
        book_apply(book, event);
        book->first = false;
    }
    return link != BOOK_LINK_GAP;
}

/* book_take keeps the book; answers false when the event does not continue it, with what was expected. */
static bool book_take(struct decode *decode, struct io_row *row, const struct feed_event *event,
                      bool *expected_known, uint64_t *expected)
{
    struct book *book = book_of(row);
    bool by_previous = event->previous != 0;
    *expected_known = false;
    if ((event->flags & FEED_EVENT_TOP_N) != 0) {
        return true;
    }
    if (book->decimals[0] != row->row.price_decimals || book->decimals[1] != row->row.qty_decimals) {
        book->synced = book->valid = false; /* inferred units moved: what is kept cannot be compared */
        book->side[0].count = book->side[1].count = 0;
        book->decimals[0] = row->row.price_decimals;
        book->decimals[1] = row->row.qty_decimals;
    }
    if ((event->flags & FEED_EVENT_SNAPSHOT) != 0) {
        book->side[0].count = book->side[1].count = 0;
        book_apply(book, event);
        book->synced = book->valid = book->first = true;
        for (uint32_t i = 0; i < book->held_count; i++) {
            book->valid = book->valid && book_change(decode, row, book, &book->held[i].event);
            free(book->held[i].levels);
        }
        book->held_count = 0;
        book->synced = book->valid;
        return true;
    }
    bool continues = true;
    bool in_stream = decode->options.venue->feed->renew != NULL; /* snapshots come there: nothing waits */
    if (book->synced) {
        *expected_known = true;
        *expected = by_previous ? book->at : book->at + 1;
        continues = book_change(decode, row, book, event);
        if (!continues) {
            book->synced = book->valid = false;
            if (!in_stream) {
                book_hold(book, event);
            }
        }
    } else if (in_stream) {
        *expected_known = book->chained;
        *expected = book->last_seen;
        continues = book->chained && event->previous == book->last_seen;
    } else {
        if (book->chained && event->last > book->last_seen) {
            *expected_known = true;
            *expected = by_previous ? book->last_seen : book->last_seen + 1;
            continues = by_previous ? event->previous == *expected : event->first <= *expected;
        }
        book_hold(book, event);
    }
    book->chained = true;
    book->last_seen = event->last;
    return continues;
}

static void book_print(struct decode *decode)
{
    struct io_row *row = decode->last_row;
    struct book *book = book_of(row);
    uint32_t bids = book->side[SIDE_BUY].count, asks = book->side[SIDE_SELL].count;
    begin(decode, "book");
    instrument_of(decode, row);
    io_bool(decode->out, "valid", book->valid);
    io_unsigned(decode->out, "seq", book->at);
    print_levels(decode->out, "bids", book->side[SIDE_BUY].level, bids < BOOK_PRINTED ? bids : BOOK_PRINTED,
                 row->row.price_decimals, row->row.qty_decimals);
    print_levels(decode->out, "asks", book->side[SIDE_SELL].level, asks < BOOK_PRINTED ? asks : BOOK_PRINTED,
                 row->row.price_decimals, row->row.qty_decimals);
    finish(decode, row);
}

/* ------------------------------------------------------------------ market data events */

static void print_depth(struct decode *decode, struct io_row *row, const struct feed_event *event)
{
    bool known;
    uint64_t expected = 0;
    bool continues = book_take(decode, row, event, &known, &expected);
    decode->last_row = row;
    decode->saw_row = true;
    if (decode->options.book) {
        return;
    }
    if (!continues) {
        begin(decode, "gap");
        instrument_of(decode, row);
        if (known) {
            io_unsigned(decode->out, "expected", expected);
        } else {
            io_null(decode->out, "expected");
        }
        io_unsigned(decode->out, "got", event->previous != 0 ? event->previous : event->first);
        finish(decode, row);
    }
    begin(decode, "book");
    instrument_of(decode, row);
    io_bool(decode->out, "snapshot", (event->flags & FEED_EVENT_SNAPSHOT) != 0);
    io_unsigned(decode->out, "seq", event->last);
    if (event->first != 0) {
        io_unsigned(decode->out, "first_seq", event->first);
    }
    if (event->previous != 0) {
        io_unsigned(decode->out, "prev_seq", event->previous);
    }
    if ((event->flags & FEED_EVENT_TOP_N) != 0) {
        io_unsigned(decode->out, "levels", event->top_n);
    }
    if (event->venue_time_ns != 0) {
        io_number(decode->out, "venue_time_ns", event->venue_time_ns);
    }
    print_levels(decode->out, "bids", event->bids, event->bid_count, row->row.price_decimals,
                 row->row.qty_decimals);
    print_levels(decode->out, "asks", event->asks, event->ask_count, row->row.price_decimals,
                 row->row.qty_decimals);
    finish(decode, row);
}

/* rate: as io_plain_number takes it, or NULL: rate_e12. */
static void print_funding(struct decode *decode, const struct io_row *row, const char *rate,
                          size_t rate_bytes, int64_t rate_e12, int64_t next_ns, int64_t interval_s,
                          int64_t time_ns, bool continuous)
{
    begin(decode, "funding");
    instrument_of(decode, row);
    if (rate != NULL) {
        io_plain_number(decode->out, "rate", rate, rate_bytes);
    } else {
        io_decimal(decode->out, "rate", rate_e12, 12);
    }
    if (next_ns != 0) {
        io_number(decode->out, "next_time_ns", next_ns);
    }
    if (interval_s != 0) {
        io_number(decode->out, "interval_s", interval_s);
    }
    if (continuous) {
        io_bool(decode->out, "continuous", true);
    }
    if (time_ns != 0) {
        io_number(decode->out, "venue_time_ns", time_ns);
    }
    finish(decode, row);
}

static void print_rate(struct decode *decode, const struct io_row *row, const struct feed_event *event)
{
    if (event->u.mark.has_rate) {
        print_funding(decode, row, event->u.mark.rate_text, event->u.mark.rate_bytes, event->u.mark.rate_e12,
                      event->u.mark.next_funding_ns, row->inferred ? 0 : event->u.mark.interval_s,
                      event->venue_time_ns, (event->flags & FEED_EVENT_CONTINUOUS) != 0);
    }
}

static void print_option(struct decode *decode, const struct io_row *row, const struct feed_event *event)
{
    const struct {
        const char *name;
        int64_t value;
        int decimals;
    } list[] = {
        { "mark_iv", event->u.option.mark_iv_e8, 8 },
        { "bid_iv", event->u.option.bid_iv_e8, 8 },
        { "ask_iv", event->u.option.ask_iv_e8, 8 },
        { "delta", event->u.option.delta_e8, 8 },
        { "gamma", event->u.option.gamma_e12, 12 },
        { "vega", event->u.option.vega_e8, 8 },
        { "theta", event->u.option.theta_e8, 8 },
        { "rho", event->u.option.rho_e8, 8 },
        { "underlying_price", event->u.option.underlying_e8, 8 },
    };
    begin(decode, "option");
    instrument_of(decode, row);
    for (size_t i = 0; i < POISE_COUNT_OF(list); i++) {
        if (list[i].value != FEED_UNTOLD) {
            io_decimal(decode->out, list[i].name, list[i].value, list[i].decimals);
        }
    }
    if (event->venue_time_ns != 0) {
        io_number(decode->out, "venue_time_ns", event->venue_time_ns);
    }
    finish(decode, row);
}

static void print_event(struct decode *decode, struct io_row *row, const struct feed_event *event)
{
    FILE *out = decode->out;
    switch (event->kind) {
    case FEED_EVENT_TOP:
        begin(decode, "top");
        instrument_of(decode, row);
        pair_of(out, "bid", event->u.top.bid_price, event->u.top.bid_qty, &row->row);
        pair_of(out, "ask", event->u.top.ask_price, event->u.top.ask_qty, &row->row);
        if (event->last != 0) {
            io_unsigned(out, "seq", event->last);
        }
        break;
    case FEED_EVENT_TRADE:
        begin(decode, "trade");
        instrument_of(decode, row);
        io_decimal(out, "price", event->u.trade.price, row->row.price_decimals);
        io_decimal(out, "qty", event->u.trade.qty, row->row.qty_decimals);
        base_qty(out, row, event->u.trade.qty, event->u.trade.price);
        io_word(out, "aggressor", event->aggressor == SIDE_BUY ? "buy" : "sell");
        if (event->u.trade.id_text != NULL) {
            io_text(out, "trade_id", event->u.trade.id_text, event->u.trade.id_bytes);
        } else {
            io_unsigned_text(out, "trade_id", event->u.trade.id);
        }
        if ((event->flags & FEED_EVENT_OFF_BOOK) != 0) {
            io_bool(out, "off_book", true);
        }
        break;
    case FEED_EVENT_LIQUIDATION:
        begin(decode, "liquidation");
        instrument_of(decode, row);
        io_word(out, "side", event->aggressor == SIDE_BUY ? "buy" : "sell");
        io_decimal(out, "price", event->u.trade.price, row->row.price_decimals);
        io_decimal(out, "qty", event->u.trade.qty, row->row.qty_decimals);
        break;
    case FEED_EVENT_MARK:
        if (event->u.mark.mark_e8 == FEED_UNTOLD && event->u.mark.index_e8 == 0) {
            print_rate(decode, row, event);
            return;
        }
        begin(decode, "mark");
        instrument_of(decode, row);
        if (event->u.mark.mark_e8 != FEED_UNTOLD) {
            io_decimal(out, "mark", event->u.mark.mark_e8, DECIMAL_MONEY);
        }
        if (event->u.mark.index_e8 != 0) {
            io_decimal(out, "index", event->u.mark.index_e8, DECIMAL_MONEY);
        }
        break;
    case FEED_EVENT_OPTION:
        print_option(decode, row, event);
        return;
    default:
        return;
    }
    if (event->venue_time_ns != 0) {
        io_number(out, "venue_time_ns", event->venue_time_ns);
    }
    finish(decode, row);
    if (event->kind == FEED_EVENT_MARK) {
        print_rate(decode, row, event);
    }
}

static void print_control(struct decode *decode, uint8_t what, int64_t code, int64_t id, const char *detail,
                          size_t bytes)
{
    const char *reply_to = decode->options.reply_to;
    if (what == CONTROL_SUBSCRIBED && reply_to != NULL &&
        (strstr(reply_to, "UNSUBSCRIBE") != NULL || strstr(reply_to, "unsubscribe") != NULL)) {
        what = CONTROL_UNSUBSCRIBED;
    } else if (what == CONTROL_SUBSCRIBED && reply_to != NULL && strstr(reply_to, "PROPERTY") != NULL) {
        what = CONTROL_OK;
    }
    begin(decode, "control");
    io_word(decode->out, "what", control_names[what]);
    if (detail != NULL) {
        io_text(decode->out, "detail", detail, bytes);
    }
    if (code != 0 || what == CONTROL_ERROR) {
        io_number(decode->out, "code", code);
    }
    if (id != 0) {
        io_number(decode->out, "id", id);
    }
    if (decode->hooks.request_id != NULL) {
        io_text(decode->out, "request_id", decode->hooks.request_id, decode->hooks.request_id_bytes);
    }
    io_end(decode->out);
}

static void on_event(void *context, const struct feed_event *event)
{
    struct decode *decode = context;
    struct io_row *row = io_row_at(&decode->rows, event->instrument);
    switch (event->kind) {
    case FEED_EVENT_IGNORED:
        decode->ignored++;
        return;
    case FEED_EVENT_CONTROL:
        decode->hooks.request_id = event->u.control_of.id_text;
        decode->hooks.request_id_bytes = event->u.control_of.id_bytes;
        print_control(decode, event->control, event->u.control_of.code, event->u.control_of.id,
                      event->u.control_of.detail, event->u.control_of.detail_bytes);
        decode->hooks.request_id = NULL;
        return;
    case FEED_EVENT_STATE:
        if ((event->flags & FEED_EVENT_PASSING) != 0 && event->status == INSTRUMENT_TRADING) {
            return; /* as ever */
        }
        begin(decode, "state");
        io_text(decode->out, "scope", event->text, event->text_bytes);
        io_word(decode->out, "state", instrument_status_names[event->status]);
        io_end(decode->out);
        return;
    case FEED_EVENT_INDEX:
        begin(decode, "index");
        if (event->text_bytes != 0) {
            io_text(decode->out, "index", event->text, event->text_bytes);
        } else if (decode->reply_symbol[0] != '\0') {
            io_word(decode->out, "index", decode->reply_symbol);
        }
        io_decimal(decode->out, "price", event->u.mark.index_e8, DECIMAL_MONEY);
        if (event->venue_time_ns != 0) {
            io_number(decode->out, "venue_time_ns", event->venue_time_ns);
        }
        io_end(decode->out);
        return;
    default:
        break;
    }
    if (row == NULL) {
        decode->ignored++;
        return;
    }
    if (event->kind == FEED_EVENT_DEPTH) {
        print_depth(decode, row, event);
    } else {
        print_event(decode, row, event);
    }
}

/* ------------------------------------------------------------------ private records */

static const char *type_of(const struct record_report *report)
{
    switch (report->head.type) {
    case RECORD_ACK:
    case RECORD_CANCEL_ACK:
        return "ack";
    case RECORD_REJECT:
        return "reject";
    case RECORD_FILL:
        return "fill";
    case RECORD_CANCELLED:
        return "cancelled";
    case RECORD_EXPIRED:
        return "expired";
    case RECORD_AMENDED:
        return "amended";
    case RECORD_ORDER_STATE:
        return "order";
    default:
        return "unknown";
    }
}

static void print_report(struct decode *decode, const struct record_report *report)
{
    FILE *out = decode->out;
    const struct venue_hooks *hooks = &decode->hooks;
    struct io_row *row = io_row_at(&decode->rows, report->head.instrument);
    bool fill = report->head.type == RECORD_FILL;
    begin(decode, type_of(report));
    instrument_of(decode, row);
    if (hooks->client_id != NULL) {
        io_text(out, "client_id", hooks->client_id, hooks->client_id_bytes);
    }
    if (report->venue_order_id[0] != '\0') {
        io_word(out, "order_id", report->venue_order_id);
    }
    if (hooks->has_side) {
        io_word(out, "side", report->side == SIDE_BUY ? "buy" : "sell");
    }
    if (report->head.type == RECORD_ORDER_STATE) {
        io_word(out, "status", status_names[report->status]);
    }
    if (row != NULL) {
        int price_decimals = row->row.price_decimals, qty_decimals = row->row.qty_decimals;
        if (fill && (report->flags & REPORT_PRICE_OPEN) != 0) {
            io_null(out, "price");
        } else if (fill) {
            io_decimal(out, "price", report->price, price_decimals);
        } else if (report->order_qty != 0) {
            if (report->order_price != 0) {
                io_decimal(out, "price", report->order_price, price_decimals);
            } else {
                io_null(out, "price");
            }
        }
        if (fill) {
            io_decimal(out, "qty", report->last_qty, qty_decimals);
            if ((report->flags & REPORT_PRICE_OPEN) == 0) {
                base_qty(out, row, report->last_qty, report->price);
            }
        } else if (report->order_qty != 0) {
            io_decimal(out, "qty", report->order_qty, qty_decimals);
        }
        if ((report->flags & REPORT_HAS_CUM) != 0) {
            io_decimal(out, "filled", report->cum_qty, qty_decimals);
        }
        if (fill && report->order_qty != 0) {
            io_decimal(out, "order_qty", report->order_qty, qty_decimals);
        }
    }
    if (fill && hooks->exec_id != NULL) {
        io_text(out, "exec_id", hooks->exec_id, hooks->exec_id_bytes);
    } else if (fill && report->exec_id >> 63 == 0) {
        io_unsigned_text(out, "exec_id", report->exec_id);
    }
    if (fill && report->status != ORDER_STATUS_NONE) {
        io_word(out, "status", status_names[report->status]);
    }
    if ((report->flags & REPORT_HAS_FEE) != 0) {
        const char *currency = io_currency_code(&decode->rows, report->fee_currency);
        if (hooks->fee != NULL) {
            io_plain_number(out, "fee", hooks->fee, hooks->fee_bytes);
        } else {
            io_decimal(out, "fee", report->fee_e8, DECIMAL_MONEY);
        }
        if (currency != NULL) {
            io_word(out, "fee_currency", currency);
        }
    }
    if ((report->flags & REPORT_HAS_REALISED) != 0) {
        io_decimal(out, "realised", report->realised_e8, DECIMAL_MONEY);
    }
    if (report->liquidity != LIQUIDITY_UNKNOWN) {
        io_word(out, "liquidity", report->liquidity == LIQUIDITY_MAKER ? "maker" : "taker");
    }
    if (report->reason != REASON_NONE) {
        io_word(out, "reason", reason_names[report->reason]);
    }
    if (report->venue_code != 0) {
        io_number(out, "code", report->venue_code);
    }
    if (hooks->note != NULL) {
        io_text(out, "detail", hooks->note, hooks->note_bytes);
    }
    if (!fill && report->request != REQUEST_NONE) {
        io_word(out, "request", request_names[report->request]);
    }
    if ((report->flags & REPORT_TERMINAL) != 0) {
        io_bool(out, "final", true);
    }
    if (report->venue_time_ns != 0) {
        io_number(out, "venue_time_ns", report->venue_time_ns);
    }
    if (hooks->request_id != NULL) {
        io_text(out, "request_id", hooks->request_id, hooks->request_id_bytes);
    }
    if (decode->message_bytes > 0 && decode->message[0] == '[') {
        io_unsigned(out, "index", hooks->item);
    }
    finish(decode, row);
}

static void print_balance(struct decode *decode, const struct record_balance *balance)
{
    const char *currency = io_currency_code(&decode->rows, balance->currency);
    begin(decode, "balance");
    io_word(decode->out, "currency", currency != NULL ? currency : "?");
    if (balance->total_e8 != INT64_MIN) {
        /* as the venue prints it: what it settles later stands beside it */
        io_decimal(decode->out, "total", balance->total_e8 - decode->hooks.unsettled_e8, DECIMAL_MONEY);
    }
    if (decode->hooks.unsettled_e8 != 0) {
        io_decimal(decode->out, "unsettled", decode->hooks.unsettled_e8, DECIMAL_MONEY);
    }
    if (balance->available_e8 != INT64_MIN) {
        io_decimal(decode->out, "available", balance->available_e8, DECIMAL_MONEY);
    }
    if (balance->change_e8 != 0 || balance->total_e8 == INT64_MIN) {
        io_decimal(decode->out, "change", balance->change_e8, DECIMAL_MONEY);
    }
    if (balance->reason != CASH_UNKNOWN && balance->reason != CASH_SNAPSHOT) {
        io_word(decode->out, "reason", cash_names[balance->reason]);
    }
    if (balance->venue_time_ns != 0) {
        io_number(decode->out, "venue_time_ns", balance->venue_time_ns);
    }
    io_end(decode->out);
}

static void print_position(struct decode *decode, const struct record_position *position)
{
    struct io_row *row = io_row_at(&decode->rows, position->head.instrument);
    if (row == NULL) {
        return;
    }
    begin(decode, "position");
    instrument_of(decode, row);
    io_decimal(decode->out, "qty", position->qty, row->row.qty_decimals);
    if (position->qty != 0 && position->entry_e8 != 0) {
        io_decimal(decode->out, "entry", position->entry_e8, DECIMAL_MONEY);
    } else if (position->qty == 0) {
        io_null(decode->out, "entry");
    }
    if (position->unrealised_e8 != INT64_MIN) {
        io_decimal(decode->out, "unrealised", position->unrealised_e8, DECIMAL_MONEY);
    }
    if (position->liquidation_e8 != 0) {
        io_decimal(decode->out, "liquidation", position->liquidation_e8, DECIMAL_MONEY);
    }
    if (decode->hooks.position_side != 0) {
        io_word(decode->out, "position_side", decode->hooks.position_side == 1 ? "long" : "short");
    }
    if (position->venue_time_ns != 0) {
        io_number(decode->out, "venue_time_ns", position->venue_time_ns);
    }
    finish(decode, row);
}

static void on_record(void *context, const struct slot *record)
{
    struct decode *decode = context;
    const struct record_head *head = record_head_of(record);
    struct io_row *row = io_row_at(&decode->rows, head->instrument);
    switch (head->type) {
    case RECORD_BALANCE:
        print_balance(decode, (const struct record_balance *)(const void *)record);
        return;
    case RECORD_POSITION:
        print_position(decode, (const struct record_position *)(const void *)record);
        return;
    case RECORD_MARK: {
        const struct record_mark *mark = (const struct record_mark *)(const void *)record;
        if (row == NULL) {
            return;
        }
        if (mark->mark != 0) {
            begin(decode, "mark");
            instrument_of(decode, row);
            io_decimal(decode->out, "mark", decode->hooks.mark_e8, DECIMAL_MONEY);
            if (mark->index != 0) {
                io_decimal(decode->out, "index", decode->hooks.index_e8, DECIMAL_MONEY);
            }
            if (mark->venue_time_ns != 0) {
                io_number(decode->out, "venue_time_ns", mark->venue_time_ns);
            }
            finish(decode, row);
        }
        if (mark->next_funding_ns != 0) {
            print_funding(decode, row, NULL, 0, mark->funding_rate_e12, mark->next_funding_ns,
                          row->inferred ? 0 : row->row.funding_interval_s, mark->venue_time_ns, false);
        }
        return;
    }
    case RECORD_FEE: {
        const struct record_fee *fee = (const struct record_fee *)(const void *)record;
        begin(decode, "fee");
        instrument_of(decode, row);
        io_decimal(decode->out, "maker", fee->maker_centibp, 6);
        io_decimal(decode->out, "taker", fee->taker_centibp, 6);
        finish(decode, row);
        return;
    }
    default:
        print_report(decode, (const struct record_report *)(const void *)record);
    }
}

static void on_instrument(void *context, const struct instrument *instrument, const char *base,
                          const char *quote, const char *settle)
{
    struct decode *decode = context;
    FILE *out = decode->out;
    begin(decode, "instrument");
    io_word(out, "instrument", instrument->symbol);
    io_word(out, "kind", product_names[instrument->product]);
    io_word(out, "contract", kind_names[instrument->kind]);
    if (instrument->tick != 0) {
        io_decimal(out, "tick", instrument->tick, instrument->price_decimals);
    }
    if (instrument->lot != 0) {
        io_decimal(out, "lot", instrument->lot, instrument->qty_decimals);
        io_decimal(out, "min_qty", instrument->min_qty, instrument->qty_decimals);
        io_decimal(out, "max_qty", instrument->max_qty, instrument->qty_decimals);
    }
    if (instrument->max_market_qty != 0) {
        io_decimal(out, "max_market_qty", instrument->max_market_qty, instrument->qty_decimals);
    }
    int64_t contract_e8 =
        decode->hooks.contract_e8 != 0 ? decode->hooks.contract_e8 : instrument->contract_e8;
    io_decimal(out, "contract_value", contract_e8, DECIMAL_MONEY);
    if (instrument->min_notional_e8 != 0) {
        io_decimal(out, "min_notional", instrument->min_notional_e8, DECIMAL_MONEY);
    }
    if (instrument->band_up_ppm != 0) {
        io_decimal(out, "band_up", instrument->band_up_ppm, 6);
        io_decimal(out, "band_down", instrument->band_down_ppm, 6);
    }
    io_word(out, "base", base);
    io_word(out, "quote", quote);
    io_word(out, "settle", settle);
    if (instrument->expiry_ns != 0) {
        io_number(out, "expiry_ns", instrument->expiry_ns);
    }
    io_word(out, "status", instrument_status_names[instrument->status]);
    io_end(out);
}

/* ------------------------------------------------------------------ hooks */

static const struct instrument *unknown_symbol(void *context, uint8_t product, const char *symbol,
                                               size_t bytes)
{
    struct decode *decode = context;
    if (bytes == 0) {
        symbol = decode->reply_symbol;
        bytes = strlen(symbol);
        if (decode->options.venue->id == VENUE_DERIBIT) {
            product = deribit_symbol(symbol, bytes).product;
        }
    }
    struct io_row *row = io_row_find(&decode->rows, decode->options.venue->id, product, symbol, bytes);
    if (row == NULL || row->inferred) {
        row = io_row_infer(&decode->rows, decode->options.venue->id, product, symbol, bytes, decode->message,
                           decode->message_bytes);
    }
    return row != NULL ? &row->row : NULL;
}

static uint16_t unknown_currency(void *context, const char *code, size_t bytes)
{
    struct decode *decode = context;
    return io_currency(&decode->rows, code, bytes);
}

static void on_control(void *context, uint8_t what, int64_t code, const char *detail, size_t bytes)
{
    struct decode *decode = context;
    print_control(decode, what, code, 0, detail, bytes);
}

/* ------------------------------------------------------------------ one message */

static void print_broken(struct decode *decode, size_t offset, const char *detail)
{
    begin(decode, "broken");
    io_unsigned(decode->out, "offset", offset);
    io_word(decode->out, "detail", detail != NULL ? detail : "not understood");
    io_end(decode->out);
}

struct trial {
    char *text;
    size_t bytes;
    uint32_t printed;
    uint32_t ignored;
    int64_t consumed;
};

/* What a parser left in the hooks belongs to one record of one message, whose bytes may be gone. */
static void forget(struct venue_hooks *hooks)
{
    hooks->client_id = hooks->request_id = hooks->exec_id = hooks->fee = hooks->note = hooks->broken = NULL;
    hooks->client_id_bytes = hooks->request_id_bytes = hooks->exec_id_bytes = hooks->note_bytes = 0;
    hooks->item = 0;
    hooks->unsettled_e8 = hooks->contract_e8 = 0;
    hooks->position_side = 0;
    hooks->has_side = false;
}

static void trial_begin(struct decode *decode, struct trial *trial)
{
    decode->printed = decode->ignored = 0;
    forget(&decode->hooks);
    trial->text = NULL;
    decode->out = open_memstream(&trial->text, &trial->bytes);
    if (decode->out == NULL) {
        abort();
    }
}

static void trial_end(struct decode *decode, struct trial *trial, int64_t consumed)
{
    fclose(decode->out);
    decode->out = stdout;
    trial->printed = decode->printed;
    trial->ignored = decode->ignored;
    trial->consumed = consumed;
}

static void try_feed(struct decode *decode, struct trial *trial)
{
    decode->parser.product = decode->product;
    decode->parser.broken_at = 0;
    decode->parser.broken_why = NULL;
    trial_begin(decode, trial);
    int64_t consumed = decode->options.venue->feed->parse(&decode->parser, decode->message,
                                                          decode->message_bytes, on_event, decode);
    trial_end(decode, trial, consumed);
}

static void try_private(struct decode *decode, struct trial *trial)
{
    static struct venue_out out;
    static char body[4096];
    const struct venue_sink sink = { on_record, decode };
    uint16_t none = 0;
    decode->account.product = decode->product;
    decode->hooks.reply_to = request_of(decode->options.reply_to);
    decode->options.venue->order->init(decode->session, decode->options.venue, &decode->table,
                                       &decode->account, &decode->key, &none, 0);
    decode->session->hooks = &decode->hooks;
    out.body = body;
    out.body_capacity = sizeof body;
    trial_begin(decode, trial);
    int64_t consumed = decode->options.venue->order->message(
        decode->session, SESSION_SLOT_ORDER, decode->message, decode->message_bytes, 0, 0, &sink, &out);
    decode->hooks.request_id = NULL;
    trial_end(decode, trial, consumed);
}

static void print_fact(struct decode *decode, const char *name, uint8_t fact)
{
    if (fact == FACT_UNKNOWN) {
        return;
    }
    begin(decode, "state");
    io_word(decode->out, "scope", name);
    io_word(decode->out, "state", fact == FACT_YES ? "yes" : "no");
    io_end(decode->out);
}

/* The body of a REST answer, or the result of a reply that the session does not know. */
static void try_rest(struct decode *decode, struct trial *trial, const char *body, size_t bytes)
{
    struct rest_query query = { .what = REST_ANY, .product = decode->product };
    struct rest_answer answer = { .instruments = &decode->table,
                                  .sink = { on_record, decode },
                                  .instrument = on_instrument,
                                  .instrument_context = decode,
                                  .hooks = &decode->hooks };
    decode->hooks.reply_to = request_of(decode->options.reply_to);
    trial_begin(decode, trial);
    enum rest_result result = decode->options.venue->rest->parse(&query, 200, body, bytes, &answer);
    if (result == REST_OK && decode->printed == 0) {
        print_fact(decode, "one_way", answer.mode_one_way);
        print_fact(decode, "single_asset", answer.mode_single_asset);
        print_fact(decode, "cross_margin", answer.mode_cross);
        if (answer.server_time_ns != 0 && decode->printed == 0) {
            char digits[DECIMAL_TEXT_BYTES];
            size_t digit_count = decimal_print(digits, answer.server_time_ns, 0);
            print_control(decode, CONTROL_TIME, 0, 0, digits, digit_count);
        }
    } else if ((result == REST_REFUSED || result == REST_LATER) && decode->printed == 0) {
        if (answer.code < 0) {
            begin(decode, "reject");
            io_number(decode->out, "code", answer.code);
            io_word(decode->out, "detail", answer.text);
            io_end(decode->out);
        } else {
            print_control(decode, CONTROL_ERROR, answer.code, 0, answer.text, strlen(answer.text));
        }
    } else if (result == REST_UNKNOWN && decode->printed == 0) {
        begin(decode, "unknown");
        io_number(decode->out, "code", answer.code);
        io_word(decode->out, "detail", answer.text);
        io_end(decode->out);
    }
    trial_end(decode, trial, result == REST_BROKEN ? PARSE_BROKEN : (int64_t)bytes);
}

/* What the message looks like from outside: its keys, before anyone parses it in earnest. */
enum {
    LOOK_STATUS,
    LOOK_ID,
    LOOK_RESULT,
    LOOK_ERROR,
    LOOK_CODE,
    LOOK_LISTEN_KEY,
    LOOK_COUNTDOWN,
    LOOK_COUNT
};
static const struct scan_name look_names[LOOK_COUNT] = {
    SCAN_NAME("status"), SCAN_NAME("id"),        SCAN_NAME("result"),        SCAN_NAME("error"),
    SCAN_NAME("code"),   SCAN_NAME("listenKey"), SCAN_NAME("countdownTime"),
};

static bool has_array(const struct scan_value *object, const char *name)
{
    const struct scan_name names[1] = { { name, (uint32_t)strlen(name) } };
    struct scan scan;
    struct scan_value value[1];
    scan_open(&scan, object->at, object->bytes);
    return scan_fields(&scan, NULL, names, 1, value) && value[0].type == SCAN_ARRAY;
}

/* A venue that speaks JSON-RPC: notifications say by their channel whose they are; replies do not say what
 * they answer, so that each reader in turn may know them by their shape, the feed's first.  Refusals are the
 * session's, which knows what it asked. */
static bool is_private_channel(const struct scan_value *params)
{
    static const struct scan_name names[1] = { SCAN_NAME("channel") };
    struct scan scan;
    struct scan_value channel[1];
    scan_open(&scan, params->at, params->bytes);
    return params->type == SCAN_OBJECT && scan_fields(&scan, NULL, names, 1, channel) &&
           channel[0].type == SCAN_STRING && channel[0].bytes > 5 && memcmp(channel[0].at, "user.", 5) == 0;
}

/* Metadata: one reply holds instruments of every product, and all of them are wanted. */
static void try_metadata(struct decode *decode, struct trial *trial)
{
    struct rest_query query = { .what = REST_INSTRUMENTS, .product = PRODUCT_NONE };
    struct rest_answer answer = { .instruments = &decode->table,
                                  .sink = { on_record, decode },
                                  .instrument = on_instrument,
                                  .instrument_context = decode,
                                  .hooks = &decode->hooks };
    trial_begin(decode, trial);
    enum rest_result result =
        decode->options.venue->rest->parse(&query, 200, decode->message, decode->message_bytes, &answer);
    trial_end(decode, trial, result == REST_OK ? (int64_t)decode->message_bytes : PARSE_BROKEN);
}

static void decode_rpc(struct decode *decode, struct trial *trial)
{
    enum { RPC_METHOD, RPC_PARAMS, RPC_ERROR, RPC_COUNT };
    static const struct scan_name names[RPC_COUNT] = { SCAN_NAME("method"), SCAN_NAME("params"),
                                                       SCAN_NAME("error") };
    struct scan scan;
    struct scan_value field[RPC_COUNT] = { 0 };
    scan_open(&scan, decode->message, decode->message_bytes);
    if (scan_peek(&scan) == SCAN_OBJECT) {
        scan_fields(&scan, NULL, names, RPC_COUNT, field);
    }
    bool refused = field[RPC_ERROR].type == SCAN_OBJECT;
    bool theirs = decode->options.is_private || refused || is_private_channel(&field[RPC_PARAMS]);
    /* a list is nobody's message: it is a result that somebody took out of its reply */
    bool has_session = decode->options.venue->order != NULL && decode->message[0] == '{';
    if (!theirs || !has_session) {
        try_feed(decode, trial);
        if (trial->consumed < 0 || trial->printed > 0 || field[RPC_METHOD].type == SCAN_STRING) {
            return;
        }
        free(trial->text);
    }
    bool metadata = memmem(decode->message, decode->message_bytes, "\"tick_size\"", 11) != NULL;
    if (has_session && !metadata) {
        try_private(decode, trial);
        if (trial->consumed < 0 || trial->printed > 0) {
            return;
        }
        free(trial->text);
    }
    if (refused || decode->options.venue->rest == NULL) {
        try_feed(decode, trial);
        return;
    }
    if (metadata) {
        try_metadata(decode, trial);
        return;
    }
    try_rest(decode, trial, decode->message, decode->message_bytes);
    if (trial->consumed < 0) {
        trial->consumed = (int64_t)decode->message_bytes; /* sound, and nothing that we ask for */
        decode->hooks.broken = NULL;
    }
}

/* other_units: a number did not fit units that were only guessed; the next guess.  False when there is none.
 */
static bool other_units(struct decode *decode)
{
    static const uint8_t guess[] = { 9, 10, 12, 4, 1 };
    if (!decode->rows.guessed || decode->guesses == POISE_COUNT_OF(guess)) {
        return false;
    }
    decode->rows.decimals = guess[decode->guesses++];
    decode->rows.guessed = false;
    return true;
}

static void decode_message(struct decode *decode)
{
    struct trial trial = { 0 };
    struct scan scan;
    struct scan_value look[LOOK_COUNT] = { 0 };
    const char *text = decode->message;
    size_t bytes = decode->message_bytes;
    bool json = bytes > 0 && strchr("{[ \t\r\n", text[0]) != NULL;

    decode->product =
        decode->options.product != PRODUCT_NONE ? decode->options.product : io_product_guess(text, bytes);
again:
    if (!json) {
        /* binary, or nothing at all */
        if (!decode->options.is_private) {
            try_feed(decode, &trial);
        }
        if (decode->options.is_private || trial.consumed == PARSE_BROKEN) {
            free(trial.text);
            try_private(decode, &trial);
        }
    } else {
        scan_open(&scan, text, bytes);
        bool object = scan_peek(&scan) == SCAN_OBJECT;
        if (object) {
            scan_fields(&scan, NULL, look_names, LOOK_COUNT, look);
        }
        struct scan_value whole = { 0 };
        scan_open(&scan, text, bytes);
        scan_take(&scan, &whole);
        int64_t consumed = scan_finish(&scan);
        if (consumed <= 0 || (size_t)consumed < bytes) {
            decode->out = stdout;
            print_broken(decode, (size_t)(scan.at - text),
                         consumed == 0  ? "the message is cut short"
                         : consumed < 0 ? scan.why
                                        : "text behind the message");
            return;
        }
        if (decode->options.venue->id == VENUE_DERIBIT) {
            decode_rpc(decode, &trial);
            goto print;
        }
        bool book = memmem(text, bytes, "\"lastUpdateId\"", 14) != NULL;
        bool reply = look[LOOK_STATUS].type == SCAN_NUMBER && !book &&
                     (look[LOOK_RESULT].type != SCAN_NONE || look[LOOK_ERROR].type != SCAN_NONE);
        bool refusal = look[LOOK_CODE].type == SCAN_NUMBER && look[LOOK_CODE].at[0] == '-';
        /* answers to a subscription and the word after a cancel-all: no session's, whoever listens */
        bool notice = look[LOOK_STATUS].type == SCAN_NONE && !refusal &&
                      (look[LOOK_CODE].type == SCAN_NUMBER || look[LOOK_ERROR].type == SCAN_OBJECT ||
                       look[LOOK_RESULT].type == SCAN_NULL || look[LOOK_RESULT].type == SCAN_ARRAY);
        bool theirs = decode->options.is_private && !notice;
        bool done = false;
        if (look[LOOK_RESULT].type == SCAN_OBJECT && has_array(&look[LOOK_RESULT], "symbols")) {
            try_rest(decode, &trial, look[LOOK_RESULT].at, look[LOOK_RESULT].bytes);
            done = true;
        } else if (!theirs && !reply && !refusal && (object || book)) {
            try_feed(decode, &trial);
            done = trial.consumed < 0 || trial.printed > 0;
        } else if (!theirs && !object) {
            try_feed(decode, &trial); /* an all-market stream */
            done = trial.printed > 0;
        }
        if (!done && object) {
            free(trial.text);
            try_private(decode, &trial);
            bool plain = trial.printed == 1 && strstr(trial.text, "\"what\":\"ok\"") != NULL;
            done = trial.consumed < 0 || (trial.printed > 0 && !plain);
            if (plain && look[LOOK_RESULT].type == SCAN_OBJECT) {
                struct trial inner = { 0 };
                try_rest(decode, &inner, look[LOOK_RESULT].at, look[LOOK_RESULT].bytes);
                if (inner.printed > 0) {
                    free(trial.text);
                    trial = inner;
                } else {
                    free(inner.text);
                }
                done = true;
            }
            done |= plain;
        }
        if (!done && decode->options.is_private && book) {
            free(trial.text);
            try_feed(decode, &trial);
            done = trial.printed > 0;
        }
        if (!done && look[LOOK_LISTEN_KEY].type == SCAN_STRING) {
            free(trial.text);
            trial_begin(decode, &trial);
            print_control(decode, CONTROL_OK, 0, 0, "listenKey", 9);
            trial_end(decode, &trial, (int64_t)bytes);
        } else if (!done && look[LOOK_COUNTDOWN].type != SCAN_NONE) {
            free(trial.text);
            trial_begin(decode, &trial);
            print_control(decode, CONTROL_DEAD_MAN, 0, 0, look[LOOK_COUNTDOWN].at,
                          look[LOOK_COUNTDOWN].bytes);
            trial_end(decode, &trial, (int64_t)bytes);
        } else if (!done) {
            free(trial.text);
            try_rest(decode, &trial, text, bytes);
        }
    }

print:
    decode->out = stdout;
    if (trial.consumed < 0 && other_units(decode)) {
        free(trial.text);
        trial = (struct trial){ 0 };
        goto again;
    }
    if (trial.consumed <= 0) {
        size_t at = decode->parser.broken_at;
        const char *why = decode->hooks.broken != NULL ? decode->hooks.broken : decode->parser.broken_why;
        print_broken(decode, trial.consumed == 0 ? bytes : at,
                     trial.consumed == 0 ? "the message is cut short" : why);
    } else {
        fwrite(trial.text, 1, trial.bytes, stdout);
        decode->printed = trial.printed;
    }
    free(trial.text);
}

static void decode_one(struct decode *decode, const char *text, size_t bytes)
{
    decode->message = text;
    decode->message_bytes = bytes;
    decode->saw_row = false;
    decode->guesses = 0;
    decode->rows.decimals = IO_DECIMALS_FREE;
    decode->rows.guessed = false;
    decode->printed = 0;
    decode->out = stdout;
    decode->hooks.broken = NULL;
    decode->parser.broken_why = NULL;
    decode->parser.broken_at = 0;
    decode_message(decode);
    decode->out = stdout;
    if (decode->options.book) {
        if (decode->saw_row) {
            book_print(decode);
        }
    }
    if (decode->printed == 0) {
        begin(decode, "ignored");
        io_end(decode->out);
    }
}

/* ------------------------------------------------------------------ lines */

static int hex_digit(char c)
{
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

static void decode_hex(struct decode *decode, const char *text, size_t bytes)
{
    char *frame = malloc(bytes / 2 + 1);
    size_t count = 0;
    bool good = bytes % 2 == 0;
    for (size_t i = 0; good && i < bytes; i += 2) {
        int high = hex_digit(text[i]), low = hex_digit(text[i + 1]);
        good = high >= 0 && low >= 0;
        frame[count++] = (char)(high << 4 | low);
    }
    decode->out = stdout;
    if (!good) {
        print_broken(decode, 0, "not hexadecimal");
    } else {
        decode_one(decode, frame, count);
    }
    free(frame);
}

/* A URL before a message may name the symbol that a reply leaves out. */
static void learn_url(struct decode *decode, const char *url, size_t bytes)
{
    const char *at = memmem(url, bytes, "symbol=", 7);
    decode->reply_symbol[0] = '\0';
    if (at == NULL) {
        return;
    }
    at += 7;
    size_t count = 0;
    while (at + count < url + bytes && at[count] != '&' && at[count] != ' ' &&
           count + 1 < sizeof decode->reply_symbol) {
        decode->reply_symbol[count] = at[count];
        count++;
    }
    decode->reply_symbol[count] = '\0';
}

static void learn_instrument(struct decode *decode)
{
    decode->reply_symbol[0] = '\0';
    const char *name = decode->options.instrument;
    if (name != NULL) {
        const char *dot = strrchr(name, '.');
        snprintf(decode->reply_symbol, sizeof decode->reply_symbol, "%s", dot != NULL ? dot + 1 : name);
    }
}

static size_t digits_at(const char *text, size_t bytes)
{
    size_t count = 0;
    while (count < bytes && text[count] >= '0' && text[count] <= '9') {
        count++;
    }
    return count;
}

/* {"recv":..,"msg":{..}}: the message inside. */
static bool wrapped(const char **text, size_t *bytes)
{
    static const struct scan_name names[] = { SCAN_NAME("recv"), SCAN_NAME("msg") };
    struct scan scan;
    struct scan_value fields[2];
    scan_open(&scan, *text, *bytes);
    if (*bytes < 8 || !scan_fields(&scan, NULL, names, 2, fields) || fields[0].type == SCAN_NONE ||
        (fields[1].type != SCAN_OBJECT && fields[1].type != SCAN_ARRAY)) {
        return false;
    }
    *text = fields[1].at;
    *bytes = fields[1].bytes;
    return true;
}

static void decode_line(struct decode *decode, const char *text, size_t bytes)
{
    while (bytes > 0 && (text[bytes - 1] == '\r' || text[bytes - 1] == ' ')) {
        bytes--;
    }
    while (bytes > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        bytes--;
    }
    if (bytes == 0) {
        return;
    }
    learn_instrument(decode);
    decode->out = stdout;
    decode->printed = 0;
    if ((bytes > 4 && memcmp(text, "http", 4) == 0) || (bytes > 2 && memcmp(text, "ws", 2) == 0)) {
        const char *body = memmem(text, bytes, " -> ", 4);
        const char *colon = body != NULL ? memmem(body, (size_t)(text + bytes - body), ": ", 2) : NULL;
        if (colon == NULL) {
            begin(decode, "ignored"); /* what was opened or sent */
            io_end(decode->out);
            return;
        }
        learn_url(decode, text, (size_t)(body - text));
        bytes -= (size_t)(colon + 2 - text);
        text = colon + 2;
    }
    size_t digits = digits_at(text, bytes);
    if (digits > 0 && digits < bytes) {
        size_t after = digits;
        if (text[after] == '.') {
            after += 1 + digits_at(text + after + 1, bytes - after - 1);
        }
        if (after < bytes && text[after] == ':') {
            after++;
        }
        if (after < bytes && text[after] == ' ') {
            after++;
            text += after;
            bytes -= after;
        }
    }
    if (bytes > 4 && memcmp(text, "hex:", 4) == 0) {
        decode_hex(decode, text + 4, bytes - 4);
        return;
    }
    wrapped(&text, &bytes);
    decode_one(decode, text, bytes);
}

static void decode_lines(struct decode *decode, FILE *in)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t got;
    while ((got = getline(&line, &room, in)) >= 0) {
        decode->line++;
        if (got > 0 && line[got - 1] == '\n') {
            got--;
        }
        decode_line(decode, line, (size_t)got);
    }
    free(line);
}

static void decode_whole(struct decode *decode, FILE *in)
{
    size_t bytes;
    char *text = io_read_all(in, &bytes);
    size_t at = 0;
    decode->line = 1;
    while (text != NULL && at < bytes) {
        if (strchr(" \t\r\n", text[at]) != NULL) {
            decode->line += text[at] == '\n';
            at++;
            continue;
        }
        struct scan scan;
        struct scan_value value;
        scan_open(&scan, text + at, bytes - at);
        learn_instrument(decode);
        if (!scan_take(&scan, &value)) {
            decode->out = stdout;
            print_broken(decode, at + (size_t)(scan.at - scan.begin),
                         scan.state == SCAN_SHORT ? "the message is cut short" : scan.why);
            break; /* where the next value begins cannot be told */
        }
        const char *message = text + at;
        size_t message_bytes = (size_t)(scan.at - scan.begin);
        wrapped(&message, &message_bytes);
        decode_one(decode, message, message_bytes);
        for (const char *c = scan.begin; c < scan.at; c++) {
            decode->line += *c == '\n';
        }
        at += (size_t)(scan.at - scan.begin);
    }
    free(text);
}

int decode_main(int argc, char **argv)
{
    static struct decode decode;
    bool help;
    if (!io_options_read(&decode.options, argc, argv, usage, &help)) {
        return EXIT_USAGE;
    }
    if (help) {
        return EXIT_DONE;
    }
    const struct venue *venue = decode.options.venue;
    for (uint32_t i = 0; i < decode.options.instrument_file_count; i++) {
        if (!io_rows_load(&decode.rows, &decode.options, decode.options.instrument_files[i])) {
            return EXIT_USAGE;
        }
    }
    instrument_table_reset(&decode.table);
    decode.levels = malloc(FEED_LEVELS_MAX * sizeof *decode.levels);
    size_t session_bytes = venue->order != NULL ? venue->order->session_bytes : 64;
    decode.session = aligned_alloc(64, (session_bytes + 63) / 64 * 64);
    if (decode.levels == NULL || decode.session == NULL || !sign_key_hmac(&decode.key, "none", "none", 4)) {
        return EXIT_UNFIT;
    }
    decode.account = (struct account){ .name = "decode", .venue = venue->id };
    decode.hooks = (struct venue_hooks){ .context = &decode,
                                         .unknown_symbol = unknown_symbol,
                                         .unknown_currency = unknown_currency,
                                         .control = on_control };
    decode.parser = (struct feed_parser){ .instruments = &decode.table,
                                          .venue = venue->id,
                                          .levels = decode.levels,
                                          .level_capacity = FEED_LEVELS_MAX,
                                          .reply_instrument = NO_INSTRUMENT,
                                          .unknown_symbol = unknown_symbol,
                                          .unknown_context = &decode };
    if (decode.options.whole) {
        decode_whole(&decode, stdin);
    } else {
        decode_lines(&decode, stdin);
    }
    return fflush(stdout) == 0 ? EXIT_DONE : EXIT_UNFIT;
}
