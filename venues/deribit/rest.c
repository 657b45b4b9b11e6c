#include "venues/deribit/request.h"
#include "ring/decimal.h"

#include <string.h>

/* clang-format off */
static const struct question {
    const char *method; /* NULL: no such question */
    bool is_signed;
} questions[] = {
    [REST_TIME]        = { "public/get_time", false },
    [REST_INSTRUMENTS] = { "public/get_instruments", false },
    [REST_DEPTH]       = { "public/get_order_book", false },
};

/* The venue says nothing of how fine it prints, only of ticks and lots, and those change: executions of
 * combos and blocks stand between the ticks, and orders from before a change are finer than the lot.  The
 * units are at least these; amounts of the inverse family are whole dollars. */
static const struct {
    uint8_t price_decimals, qty_decimals;
} finest[PRODUCT_COUNT] = {
    [PRODUCT_SPOT]    = { 6, 8 },
    [PRODUCT_LINEAR]  = { 4, 6 },
    [PRODUCT_INVERSE] = { 4, 0 },
    [PRODUCT_OPTION]  = { 6, 4 },
};
/* clang-format on */

#define DEPTH_LEVELS "1000"

/* Nothing in the metadata bounds a price or an order: prices reach so many ticks, and the largest order is
 * what then can be counted in 64 bits with room. */
#define TICKS_MAX 10000000LL
#define QTY_MAX   1000000000000000000LL
#define USD_MAX   10000000000LL

/* ------------------------------------------------------------------ asking */

static bool put_arguments(struct text *text, const struct rest_query *query)
{
    const struct deribit_product *product = deribit_product(query->product);
    switch (query->what) {
    case REST_INSTRUMENTS:
        text_put(text, "currency=any&");
        if (product != NULL) {
            text_put(text, "kind=");
            text_put(text, product->kind);
            text_put_char(text, '&');
        }
        text_put(text, "expired=false&");
        return true;
    case REST_DEPTH:
        if (query->instrument == NULL) {
            return false;
        }
        text_put(text, "instrument_name=");
        text_put(text, query->instrument->symbol);
        text_put(text, "&depth=" DEPTH_LEVELS "&");
        return true;
    default:
        return true;
    }
}

static bool request(const struct sign_key *key, const struct instrument_table *instruments,
                    const struct rest_query *query, int64_t wall_ns, struct venue_out *out)
{
    struct text text;
    (void)instruments;
    out->act = ACT_NONE;
    out->request = REQUEST_NONE;
    out->tie = 0;
    out->order = query->order;
    if (query->what >= POISE_COUNT_OF(questions) || questions[query->what].method == NULL) {
        return false;
    }
    const struct question *question = &questions[query->what];
    deribit_query(out, &text, question->method);
    bool done =
        put_arguments(&text, query) &&
        (question->is_signed ? deribit_query_sign(out, &text, key, (uint64_t)(wall_ns / 1000000), NULL)
                             : deribit_query_end(out, &text));
    out->act = done ? ACT_REQUEST : ACT_NONE;
    return done;
}

/* ------------------------------------------------------------------ metadata */

enum {
    ROW_SYMBOL,
    ROW_KIND,
    ROW_TYPE,
    ROW_OLD_TYPE,
    ROW_BASE,
    ROW_QUOTE,
    ROW_SETTLE,
    ROW_TICK,
    ROW_STEPS,
    ROW_BLOCK_TICK,
    ROW_LOT,
    ROW_CONTRACT,
    ROW_EXPIRY,
    ROW_STATE,
    ROW_ACTIVE,
    ROW_ID,
    ROW_OPTION,
    ROW_STRIKE,
    ROW_COUNT
};
static const struct scan_name row_names[ROW_COUNT] = {
    [ROW_SYMBOL] = SCAN_NAME("instrument_name"),
    [ROW_KIND] = SCAN_NAME("kind"),
    [ROW_TYPE] = SCAN_NAME("instrument_type"),
    [ROW_OLD_TYPE] = SCAN_NAME("future_type"), /* until 2025 */
    [ROW_BASE] = SCAN_NAME("base_currency"),
    [ROW_QUOTE] = SCAN_NAME("quote_currency"),
    [ROW_SETTLE] = SCAN_NAME("settlement_currency"),
    [ROW_TICK] = SCAN_NAME("tick_size"),
    [ROW_STEPS] = SCAN_NAME("tick_size_steps"),
    [ROW_BLOCK_TICK] = SCAN_NAME("block_trade_tick_size"),
    [ROW_LOT] = SCAN_NAME("min_trade_amount"),
    [ROW_CONTRACT] = SCAN_NAME("contract_size"),
    [ROW_EXPIRY] = SCAN_NAME("expiration_timestamp"),
    [ROW_STATE] = SCAN_NAME("state"),
    [ROW_ACTIVE] = SCAN_NAME("is_active"),
    [ROW_ID] = SCAN_NAME("instrument_id"),
    [ROW_OPTION] = SCAN_NAME("option_type"),
    [ROW_STRIKE] = SCAN_NAME("strike"),
};

static uint8_t finer(uint8_t decimals, const struct scan_value *number)
{
    int needed = scan_has_number(number) ? decimal_decimals(number->at, number->bytes) : 0;
    needed = needed < 12 ? needed : 12;
    return needed > decimals ? (uint8_t)needed : decimals;
}

/* Each step names a tick for prices above it: the unit must hold the finest, the tick of the row is the one
 * at the bottom. */
static uint8_t finest_step(uint8_t decimals, const struct scan_value *steps)
{
    static const struct scan_name names[] = { SCAN_NAME("tick_size") };
    struct scan scan;
    struct scan_value item, fields[1];
    if (steps->type != SCAN_ARRAY) {
        return decimals;
    }
    scan_open(&scan, steps->at, steps->bytes);
    scan_array(&scan);
    while (scan_item(&scan) && scan_take(&scan, &item)) {
        struct scan inner;
        scan_open(&inner, item.at, item.bytes);
        if (item.type == SCAN_OBJECT && scan_fields(&inner, NULL, names, 1, fields)) {
            decimals = finer(decimals, &fields[0]);
        }
    }
    return decimals;
}

/* What the row says of its kind must be what its symbol says: everything else goes by the symbol. */
static bool agrees(const struct deribit_symbol *symbol, const struct scan_value fields[ROW_COUNT])
{
    const struct deribit_product *product = deribit_product(symbol->product);
    const struct scan_value *type = &fields[fields[ROW_TYPE].type != SCAN_NONE ? ROW_TYPE : ROW_OLD_TYPE];
    if (product == NULL || !scan_is(&fields[ROW_KIND], product->kind)) {
        return false;
    }
    bool future = symbol->product == PRODUCT_LINEAR || symbol->product == PRODUCT_INVERSE;
    return !future || type->type == SCAN_NONE || scan_is(type, symbol->linear ? "linear" : "reversed");
}

static void bound_largest(struct instrument *row)
{
    int64_t lot = row->lot > 0 ? row->lot : 1;
    row->max_price = row->tick > 0 && row->tick < INT64_MAX / TICKS_MAX ? row->tick * TICKS_MAX : row->tick;
    if (row->product == PRODUCT_INVERSE) {
        row->max_qty = USD_MAX * decimal_power[row->qty_decimals];
    } else {
        int128 most =
            (int128)(INT64_MAX / 2) * decimal_power[row->qty_decimals] * decimal_power[row->price_decimals];
        most /= (int128)(row->max_price > 0 ? row->max_price : 1) * row->contract_e8;
        row->max_qty = most < QTY_MAX ? (int64_t)most : QTY_MAX;
    }
    row->max_qty -= row->max_qty % lot;
}

static void copy_code(char out[CURRENCY_BYTES], const struct scan_value *text)
{
    memset(out, 0, CURRENCY_BYTES);
    if (text->type == SCAN_STRING && text->bytes < CURRENCY_BYTES) {
        memcpy(out, text->at, text->bytes);
    }
}

static bool instrument_row(uint8_t product, const struct scan_value *item, struct rest_answer *answer,
                           bool dry)
{
    struct scan scan;
    struct scan_value fields[ROW_COUNT];
    scan_open(&scan, item->at, item->bytes);
    if (item->type != SCAN_OBJECT || !scan_fields(&scan, NULL, row_names, ROW_COUNT, fields) ||
        fields[ROW_SYMBOL].type != SCAN_STRING) {
        return false;
    }
    struct deribit_symbol symbol = deribit_symbol(fields[ROW_SYMBOL].at, fields[ROW_SYMBOL].bytes);
    if (deribit_product(product) != NULL && symbol.product != product && symbol.product != PRODUCT_NONE) {
        return true; /* of another product: somebody else's question */
    }
    struct instrument row = { .venue = VENUE_DERIBIT, .product = symbol.product, .index = UINT16_MAX };
    row.base = row.quote = row.settle = CURRENCY_NONE;
    row.kind = symbol.kind;
    if (row.kind == KIND_NONE || fields[ROW_SYMBOL].bytes >= INSTRUMENT_SYMBOL_BYTES ||
        !agrees(&symbol, fields)) {
        answer->skipped += !dry; /* a combo, or what we do not understand: not to be traded */
        return true;
    }
    memcpy(row.symbol, fields[ROW_SYMBOL].at, fields[ROW_SYMBOL].bytes);
    struct text name = { row.name, row.name + sizeof row.name - 1, false };
    text_put(&name, "deribit.");
    text_put(&name, product_names[row.product]);
    text_put_char(&name, '.');
    text_put(&name, row.symbol);

    row.price_decimals = finer(finest[row.product].price_decimals, &fields[ROW_TICK]);
    row.price_decimals = finer(row.price_decimals, &fields[ROW_BLOCK_TICK]);
    row.price_decimals = finest_step(row.price_decimals, &fields[ROW_STEPS]);
    row.qty_decimals = finer(finest[row.product].qty_decimals, &fields[ROW_LOT]);
    row.qty_decimals = finer(row.qty_decimals, &fields[ROW_CONTRACT]);
    scan_decimal(&fields[ROW_TICK], row.price_decimals, &row.tick);
    scan_decimal(&fields[ROW_LOT], row.qty_decimals, &row.lot);
    row.min_qty = row.lot;
    /* amounts are USD in the inverse family and coin elsewhere, never contracts */
    row.contract_e8 = DECIMAL_E8;
    bound_largest(&row);

    bool perpetual = row.kind == KIND_LINEAR_PERPETUAL || row.kind == KIND_INVERSE_PERPETUAL;
    row.expiry_ns = perpetual || row.kind == KIND_SPOT ? 0 : scan_time_ns(&fields[ROW_EXPIRY]);
    if (row.kind == KIND_OPTION) {
        row.option = scan_is(&fields[ROW_OPTION], "call")  ? OPTION_CALL
                     : scan_is(&fields[ROW_OPTION], "put") ? OPTION_PUT
                                                           : OPTION_NONE;
        scan_decimal(&fields[ROW_STRIKE], DECIMAL_MONEY, &row.strike_e8);
    }
    row.funding_interval_s = perpetual ? 8 * 3600 : 0; /* accrues all the time, at a rate for eight hours */
    scan_signed(&fields[ROW_ID], &row.venue_id);
    row.status = fields[ROW_STATE].type == SCAN_STRING   ? (uint8_t)deribit_status(&fields[ROW_STATE])
                 : fields[ROW_ACTIVE].type == SCAN_TRUE  ? INSTRUMENT_TRADING
                 : fields[ROW_ACTIVE].type == SCAN_FALSE ? INSTRUMENT_HALTED
                                                         : INSTRUMENT_UNKNOWN;
    if (row.status == INSTRUMENT_TRADING && fields[ROW_ACTIVE].type == SCAN_FALSE) {
        row.status = INSTRUMENT_HALTED;
    }
    if (row.tick <= 0 || row.lot <= 0 || (row.kind == KIND_OPTION && row.expiry_ns == 0)) {
        row.status = INSTRUMENT_UNKNOWN; /* cut-down metadata: not to be traded */
    }

    char base[CURRENCY_BYTES], quote[CURRENCY_BYTES], settle[CURRENCY_BYTES];
    copy_code(base, &fields[ROW_BASE]);
    copy_code(quote, &fields[ROW_QUOTE]);
    copy_code(settle, &fields[fields[ROW_SETTLE].type == SCAN_STRING ? ROW_SETTLE
                              : row.product == PRODUCT_INVERSE       ? ROW_BASE
                                                                     : ROW_QUOTE]);
    if (!dry) {
        answer->rows++;
        if (answer->instrument != NULL) {
            answer->instrument(answer->instrument_context, &row, base, quote, settle);
        }
    }
    return true;
}

/* ------------------------------------------------------------------ answers */

enum { BODY_RESULT, BODY_ERROR, BODY_TESTNET, BODY_COUNT };
static const struct scan_name body_names[BODY_COUNT] = { SCAN_NAME("result"), SCAN_NAME("error"),
                                                         SCAN_NAME("testnet") };

static void words(struct rest_answer *answer, const char *text, size_t bytes)
{
    memset(answer->text, 0, sizeof answer->text);
    memcpy(answer->text, text, bytes < sizeof answer->text ? bytes : sizeof answer->text - 1);
}

static enum rest_result broken(struct rest_answer *answer, const char *why)
{
    words(answer, why, strlen(why));
    return REST_BROKEN;
}

static enum rest_result instruments_answer(const struct rest_query *query, const struct scan_value *rows,
                                           struct rest_answer *answer)
{
    if (rows->type != SCAN_ARRAY && rows->type != SCAN_OBJECT) {
        return broken(answer, "no instruments");
    }
    for (int pass = 0; pass < 2; pass++) {
        if (rows->type == SCAN_OBJECT) { /* public/get_instrument: one */
            if (!instrument_row(query->product, rows, answer, pass == 0)) {
                return broken(answer, "an instrument without a name");
            }
            continue;
        }
        struct scan scan;
        struct scan_value item;
        scan_open(&scan, rows->at, rows->bytes);
        scan_array(&scan);
        while (scan_item(&scan) && scan_take(&scan, &item)) {
            if (!instrument_row(query->product, &item, answer, pass == 0)) {
                return broken(answer, "an instrument is not an object with a name");
            }
        }
    }
    return REST_OK;
}

static enum rest_result refused(int status, const struct scan_value *error, struct rest_answer *answer)
{
    static const struct scan_name names[] = { SCAN_NAME("code"), SCAN_NAME("message") };
    struct scan_value fields[2] = { 0 };
    struct scan scan;
    int64_t code = 0;
    if (error->type == SCAN_OBJECT) {
        scan_open(&scan, error->at, error->bytes);
        scan_fields(&scan, NULL, names, 2, fields);
        scan_signed(&fields[0], &code);
    }
    answer->code = (int32_t)code;
    words(answer, fields[1].type == SCAN_STRING ? fields[1].at : "",
          fields[1].type == SCAN_STRING ? fields[1].bytes : 0);
    return code != 0 || (status >= 400 && status < 500) ? REST_REFUSED : REST_UNKNOWN;
}

static enum rest_result parse(const struct rest_query *query, int status, const char *bytes, size_t count,
                              struct rest_answer *answer)
{
    struct scan scan, inner;
    struct scan_value whole = { 0 }, fields[BODY_COUNT] = { 0 };
    answer->more = false;
    answer->next_from_id = 0;
    answer->code = 0;
    answer->rows = 0;
    answer->skipped = 0;
    answer->text[0] = '\0';
    answer->retry_after_ms = 0;

    scan_open(&scan, bytes, count);
    scan_take(&scan, &whole);
    int64_t consumed = scan_finish(&scan);
    bool sound = consumed == (int64_t)count && consumed > 0;
    if (sound && whole.type == SCAN_OBJECT) {
        scan_open(&inner, whole.at, whole.bytes);
        scan_fields(&inner, NULL, body_names, BODY_COUNT, fields);
    }
    if (status != 200 || fields[BODY_ERROR].type == SCAN_OBJECT) {
        return refused(status, &fields[BODY_ERROR], answer);
    }
    if (!sound) {
        return broken(answer, scan.state == SCAN_SHORT ? "the body is cut short" : "the body is not JSON");
    }
    const struct scan_value *result = fields[BODY_RESULT].type != SCAN_NONE ? &fields[BODY_RESULT] : &whole;
    switch (query->what) {
    case REST_TIME:
        answer->server_time_ns = result->type == SCAN_NUMBER ? scan_time_ns(result) : 0;
        return answer->server_time_ns != 0 ? REST_OK : broken(answer, "no time");
    case REST_INSTRUMENTS:
        return instruments_answer(query, result, answer);
    case REST_DEPTH: {
        static const struct scan_name names[] = { SCAN_NAME("change_id") };
        struct scan_value change[1] = { 0 };
        if (result->type == SCAN_OBJECT) {
            scan_open(&inner, result->at, result->bytes);
            scan_fields(&inner, NULL, names, 1, change);
        }
        return change[0].type != SCAN_NONE ? REST_OK : broken(answer, "no change_id");
    }
    default:
        return broken(answer, "not a question to this venue");
    }
}

const struct venue_rest deribit_rest = {
    .request = request,
    .parse = parse,
};
