#include "venues/deribit/report.h"
#include "venues/deribit/request.h"
#include "ring/order_id.h"

#include <string.h>

/* How far back the venue's fast storage surely reaches (a day, it says); older pages are kept elsewhere and
 * lag, and each storage answers only for itself. */
#define RECENT_NS    (20LL * 3600 * 1000000000)
#define DAY_NS       (24LL * 3600 * 1000000000)
#define AHEAD_MS     1000 /* the venue's clock may be this much before ours */
#define PAGE_ROWS    "1000"
#define LOG_ROWS     "250"
#define THROTTLED_MS 10000
#define CLOSED_MS    5000

/* What a question about rights asks a token for: the answer names what the key has of it. */
#define RIGHTS "expires:60%20account:read%20trade:read_write%20wallet:read_write"

/* clang-format off */
static const struct question {
    const char *method; /* NULL: no such question */
    uint8_t credit; /* enum credit */
} questions[] = {
    [REST_TIME]         = { "public/get_time",                  CREDIT_REST },
    [REST_INSTRUMENTS]  = { "public/get_instruments",           CREDIT_METADATA },
    [REST_ACCOUNT_MODE] = { "public/auth",                      CREDIT_REST },
    [REST_OPEN_ORDERS]  = { "private/get_open_orders",          CREDIT_REST },
    [REST_POSITIONS]    = { "private/get_positions",            CREDIT_REST },
    [REST_BALANCES]     = { "private/get_account_summaries",    CREDIT_REST },
    [REST_FILLS]        = { "private/get_user_trades_by_instrument", CREDIT_REST },
    [REST_ORDER]        = { "private/get_order_state_by_label", CREDIT_REST },
    [REST_FEES]         = { "private/get_account_summaries",    CREDIT_REST },
    [REST_MARK]         = { "public/ticker",                    CREDIT_REST },
    [REST_PAYMENTS] = { "private/get_transaction_log",      CREDIT_LOG },
    [REST_CANCEL_ALL]   = { "private/cancel_all",               CREDIT_TRADE },
    [REST_DEPTH]        = { "public/get_order_book",            CREDIT_REST },
    [REST_KEY_RIGHTS]   = { "public/auth",                      CREDIT_REST },
    [REST_LIMITS]       = { "private/get_account_summaries",    CREDIT_REST },
};

/* The same question asked of one instrument, and what is asked when the first page did not answer it. */
static const char *const of_instrument[] = {
    [REST_OPEN_ORDERS] = "private/get_open_orders_by_instrument",
    [REST_POSITIONS]   = "private/get_position",
    [REST_CANCEL_ALL]  = "private/cancel_all_by_instrument",
};
#define BY_TIME "private/get_user_trades_by_instrument_and_time"
#define HISTORY "private/get_order_history_by_instrument"
#define LISTED  "public/get_instrument"
#define SUMMARY "private/get_account_summaries"

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

static void put_pair(struct text *text, const char *name, const char *value)
{
    text_put(text, name);
    text_put_char(text, '=');
    text_put(text, value);
    text_put_char(text, '&');
}

static void put_number(struct text *text, const char *name, uint64_t value)
{
    text_put(text, name);
    text_put_char(text, '=');
    text_put_unsigned(text, value);
    text_put_char(text, '&');
}

static void put_currency(struct text *text, const struct instrument *row)
{
    struct scan_value currency = deribit_currency(row);
    text_put(text, "currency=");
    text_put_bytes(text, currency.at, currency.bytes);
    text_put_char(text, '&');
}

/* All that is asked for lies in the fast storage. */
static bool recent(const struct rest_query *query)
{
    return query->from_id == 0 && query->until_ns != 0 && query->since_ns + RECENT_NS >= query->until_ns;
}

/* Pages of fills: 0 the old storage, 1 the fast one; the next execution is asked for on page 0 again. */
static bool old_storage(const struct rest_query *query)
{
    return query->page == 0 && !recent(query);
}

static void put_fills(struct text *text, const struct rest_query *query, int64_t wall_ns)
{
    put_pair(text, "instrument_name", query->instrument->symbol);
    if (query->from_id != 0) {
        put_number(text, "start_seq", query->from_id);
    } else if (query->since_ns != 0) {
        int64_t until_ns = query->until_ns > wall_ns ? query->until_ns : wall_ns;
        put_number(text, "start_timestamp", (uint64_t)(query->since_ns / 1000000));
        put_number(text, "end_timestamp", (uint64_t)(until_ns / 1000000 + AHEAD_MS));
    }
    put_pair(text, "count", PAGE_ROWS);
    put_pair(text, "sorting", "asc");
    put_pair(text, "historical", old_storage(query) ? "true" : "false");
}

static void put_log(struct text *text, const struct rest_query *query, int64_t wall_ns)
{
    int64_t until_ns = query->until_ns > wall_ns ? query->until_ns : wall_ns;
    int64_t since_ns = query->since_ns != 0 ? query->since_ns : until_ns - DAY_NS;
    put_number(text, "start_timestamp", (uint64_t)(since_ns / 1000000));
    put_number(text, "end_timestamp", (uint64_t)(until_ns / 1000000 + AHEAD_MS));
    put_pair(text, "count", LOG_ROWS);
    if (query->from_id != 0) {
        put_number(text, "continuation", query->from_id);
    }
}

/* The log-in by HTTP: its proof is in its parameters. */
static bool put_rights(struct text *text, const struct sign_key *key, uint64_t stamp_ms,
                       struct venue_hooks *hooks)
{
    char what[64], signature[SIGN_BASE64_BYTES];
    if (key == NULL || key->type != SIGN_HMAC_SHA256) {
        return false;
    }
    size_t bytes = deribit_login_text(what, stamp_ms, hooks);
    size_t signature_bytes = sign_text(key, what, bytes, signature);
    put_pair(text, "grant_type", "client_signature");
    put_pair(text, "client_id", key->api_key);
    put_number(text, "timestamp", stamp_ms);
    text_put(text, "signature=");
    text_put_bytes(text, signature, signature_bytes);
    text_put_char(text, '&');
    put_number(text, "nonce", stamp_ms);
    put_pair(text, "data", "");
    put_pair(text, "scope", RIGHTS);
    return true;
}

/* Which method asks this question in this form; NULL: this venue cannot be asked it. */
static const char *method_of(const struct rest_query *query)
{
    const struct instrument *row = query->instrument;
    if (query->what >= POISE_COUNT_OF(questions) || (row != NULL && row->venue != VENUE_DERIBIT)) {
        return NULL;
    }
    switch (query->what) {
    case REST_ACCOUNT_MODE:
        return query->page == 0 ? questions[query->what].method : SUMMARY;
    case REST_POSITIONS:
        if (row != NULL && row->kind == KIND_SPOT) {
            return NULL;
        }
        break;
    case REST_FILLS:
        if (row == NULL) {
            return NULL;
        }
        return query->from_id == 0 && query->since_ns != 0 ? BY_TIME : questions[query->what].method;
    case REST_ORDER:
        if (row == NULL || query->order == 0) {
            return NULL;
        }
        return query->page == 0 ? questions[query->what].method : HISTORY;
    case REST_FEES:
        if (row == NULL) {
            return NULL;
        }
        return query->page == 0 && row->kind != KIND_SPOT ? questions[query->what].method : LISTED;
    case REST_MARK:
    case REST_DEPTH:
    case REST_PAYMENTS:
        if (row == NULL) {
            return NULL;
        }
        break;
    default:
        break;
    }
    bool single =
        row != NULL && query->what < POISE_COUNT_OF(of_instrument) && of_instrument[query->what] != NULL;
    return single ? of_instrument[query->what] : questions[query->what].method;
}

static bool put_arguments(struct text *text, const struct rest_query *query, const struct sign_key *key,
                          int64_t wall_ns, struct venue_hooks *hooks)
{
    const struct deribit_product *product = deribit_product(query->product);
    const struct instrument *row = query->instrument;
    char label[ORDER_ID_TEXT_BYTES];
    switch (query->what) {
    case REST_INSTRUMENTS:
        put_pair(text, "currency", "any");
        if (product != NULL) {
            put_pair(text, "kind", product->kind);
        }
        put_pair(text, "expired", "false");
        return true;
    case REST_ACCOUNT_MODE:
        if (query->page != 0) {
            put_pair(text, "extended", "true");
            return true;
        }
        return put_rights(text, key, (uint64_t)(wall_ns / 1000000), hooks);
    case REST_KEY_RIGHTS:
        return put_rights(text, key, (uint64_t)(wall_ns / 1000000), hooks);
    case REST_OPEN_ORDERS:
    case REST_MARK:
    case REST_CANCEL_ALL:
        if (row != NULL) {
            put_pair(text, "instrument_name", row->symbol);
        }
        return true;
    case REST_POSITIONS:
        put_pair(text, row != NULL ? "instrument_name" : "currency", row != NULL ? row->symbol : "any");
        return true;
    case REST_BALANCES:
    case REST_LIMITS:
        put_pair(text, "extended", "true");
        return true;
    case REST_FILLS:
        put_fills(text, query, wall_ns);
        return true;
    case REST_ORDER:
        if (query->page != 0) {
            put_pair(text, "instrument_name", row->symbol);
            put_pair(text, "count", PAGE_ROWS);
            put_pair(text, "include_old", "true");
            put_pair(text, "include_unfilled", "true");
            put_pair(text, "historical", query->page == 1 ? "false" : "true");
            return true;
        }
        order_id_print(label, query->order);
        put_currency(text, row);
        text_put(text, "label=");
        text_put_bytes(text, label, sizeof label);
        return true;
    case REST_FEES:
        if (query->page == 0 && row->kind != KIND_SPOT) {
            put_pair(text, "extended", "true");
        } else {
            put_pair(text, "instrument_name", row->symbol);
        }
        return true;
    case REST_PAYMENTS:
        if (query->currency != NULL) {
            put_pair(text, "currency", query->currency);
        } else {
            put_currency(text, row);
        }
        put_log(text, query, wall_ns);
        return true;
    case REST_DEPTH:
        put_pair(text, "instrument_name", row->symbol);
        put_pair(text, "depth", DEPTH_LEVELS);
        return true;
    default:
        return true;
    }
}

static bool request(const struct sign_key *key, const struct instrument_table *instruments,
                    const struct rest_query *query, int64_t wall_ns, struct venue_out *out)
{
    struct text text;
    const char *method = method_of(query);
    (void)instruments;
    out->act = ACT_NONE;
    out->request = REQUEST_NONE;
    out->tie = 0;
    out->order = query->order;
    if (method == NULL) {
        return false;
    }
    bool is_signed = memcmp(method, "private/", 8) == 0;
    deribit_query(out, &text, method);
    out->credit = questions[query->what].credit;
    bool done = put_arguments(&text, query, key, wall_ns, out->hooks) &&
                (is_signed ? deribit_query_sign(out, &text, key, (uint64_t)(wall_ns / 1000000), out->hooks)
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
        if (answer->hooks != NULL) {
            answer->hooks->contract_e8 = 0;
            scan_decimal(&fields[ROW_CONTRACT], DECIMAL_MONEY, &answer->hooks->contract_e8);
        }
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

/* take reads some fields of a value that may be no object: then there are none. */
static void take(const struct scan_value *object, struct scan *scan, const struct scan_name *names,
                 uint32_t count, struct scan_value *fields)
{
    memset(fields, 0, count * sizeof *fields);
    if (object->type == SCAN_OBJECT) {
        scan_open(scan, object->at, object->bytes);
        scan_fields(scan, NULL, names, count, fields);
    }
}

/* product: only its rows; all where it is none. */
static enum rest_result instruments_answer(uint8_t product, const struct scan_value *rows,
                                           struct rest_answer *answer)
{
    if (rows->type != SCAN_ARRAY && rows->type != SCAN_OBJECT) {
        return broken(answer, "no instruments");
    }
    for (int pass = 0; pass < 2; pass++) {
        if (rows->type == SCAN_OBJECT) { /* public/get_instrument: one */
            if (!instrument_row(product, rows, answer, pass == 0)) {
                return broken(answer, "an instrument without a name");
            }
            continue;
        }
        struct scan scan;
        struct scan_value item;
        scan_open(&scan, rows->at, rows->bytes);
        scan_array(&scan);
        while (scan_item(&scan) && scan_take(&scan, &item)) {
            if (!instrument_row(product, &item, answer, pass == 0)) {
                return broken(answer, "an instrument is not an object with a name");
            }
        }
    }
    return REST_OK;
}

static bool has_word(const struct scan_value *list, const char *word)
{
    size_t bytes = strlen(word);
    for (size_t at = 0; at + bytes <= list->bytes; at++) {
        if ((at == 0 || list->at[at - 1] == ' ') && memcmp(list->at + at, word, bytes) == 0 &&
            (at + bytes == list->bytes || list->at[at + bytes] == ' ')) {
            return true;
        }
    }
    return false;
}

/* What the key has of the rights that were asked for.  Positions are net and margin is the account's at this
 * venue, and results stay in their currency: of the modes there is nothing to choose. */
static enum rest_result rights_answer(const struct scan_value *result, struct rest_answer *answer)
{
    static const struct scan_name names[] = { SCAN_NAME("scope") };
    struct scan scan;
    struct scan_value scope[1];
    take(result, &scan, names, 1, scope);
    if (scope[0].type != SCAN_STRING) {
        return broken(answer, "no scope");
    }
    bool told = memmem(scope[0].at, scope[0].bytes, "trade:", 6) != NULL ||
                memmem(scope[0].at, scope[0].bytes, "wallet:", 7) != NULL;
    if (!told) {
        return broken(answer, "the scope names no right");
    }
    answer->mode_one_way = answer->mode_cross = answer->mode_single_asset = FACT_YES;
    answer->can_trade = has_word(&scope[0], "trade:read_write") ? FACT_YES : FACT_NO;
    answer->can_withdraw = has_word(&scope[0], "wallet:read_write") ? FACT_YES : FACT_NO;
    return REST_OK;
}

static void put_word(struct text *text, const char *name, const struct scan_value *word)
{
    text_put(text, name);
    text_put_bytes(text, word->type == SCAN_STRING ? word->at : "?",
                   word->type != SCAN_STRING ? 1
                   : word->bytes < 20        ? word->bytes
                                             : 20);
}

/* What the account is set to: orders of ours that would trade with each other lose either the new one or the
 * old one, and both are well.  The margin model changes nothing of what we do: it is passed on as said. */
static enum rest_result settings_answer(const struct scan_value *result, struct rest_answer *answer)
{
    static const struct scan_name names[] = { SCAN_NAME("self_trading_reject_mode"), SCAN_NAME("summaries") };
    static const struct scan_name models[] = { SCAN_NAME("margin_model") };
    struct scan scan, list, inner;
    struct scan_value fields[2], item, model[1] = { { 0 } };
    take(result, &scan, names, 2, fields);
    if (fields[1].type != SCAN_ARRAY) {
        return broken(answer, "no summaries");
    }
    if (fields[0].type == SCAN_STRING) {
        bool prevents = scan_is(&fields[0], "reject_taker") || scan_is(&fields[0], "cancel_maker");
        answer->mode_self_trade = prevents ? FACT_YES : FACT_NO;
    }
    scan_open(&list, fields[1].at, fields[1].bytes);
    scan_array(&list);
    if (scan_item(&list) && scan_take(&list, &item)) {
        take(&item, &inner, models, 1, model);
    }
    memset(answer->mode_words, 0, sizeof answer->mode_words);
    struct text text = { answer->mode_words, answer->mode_words + sizeof answer->mode_words - 1, false };
    put_word(&text, "margin ", &model[0]);
    put_word(&text, ", self-trade prevention ", &fields[0]);
    return REST_OK;
}

static struct credit_limit limit_of(const struct scan_value *object)
{
    static const struct scan_name names[] = { SCAN_NAME("burst"), SCAN_NAME("rate") };
    struct scan scan;
    struct scan_value fields[2];
    int64_t burst = 0, rate_e3 = 0;
    take(object, &scan, names, 2, fields);
    scan_decimal_near(&fields[0], 0, &burst);
    scan_decimal_near(&fields[1], 3, &rate_e3);
    if (burst <= 0 || rate_e3 <= 0 || burst > 1000000 || rate_e3 > 1000000000) {
        return (struct credit_limit){ 0, 0 };
    }
    return (struct credit_limit){ (int32_t)burst, (int32_t)rate_e3 };
}

static void least(struct credit_limit *of, struct credit_limit told)
{
    if (of->burst == 0) {
        *of = told;
    } else {
        credit_lower(of, told);
    }
}

/* Matching requests of every kind share what the smallest of their buckets holds; questions are shared:
 * two fifths to the gateway, as much to the cold thread, the rest to the feeds. */
static bool limits_of(const struct scan_value *summary, struct rest_answer *answer)
{
    enum { NON_MATCHING, MATCHING, LEVELS };
    enum { TRADING, SPOT, CANCEL_ALL, BUCKETS };
    static const struct scan_name outer[] = { SCAN_NAME("limits") }, total[] = { SCAN_NAME("total") };
    static const struct scan_name levels[LEVELS] = { SCAN_NAME("non_matching_engine"),
                                                     SCAN_NAME("matching_engine") };
    static const struct scan_name buckets[BUCKETS] = { SCAN_NAME("trading"), SCAN_NAME("spot"),
                                                       SCAN_NAME("cancel_all") };
    struct scan scan[4];
    struct scan_value limits[1], level[LEVELS], bucket[BUCKETS], trading[1];
    take(summary, &scan[0], outer, 1, limits);
    take(&limits[0], &scan[1], levels, LEVELS, level);
    take(&level[MATCHING], &scan[2], buckets, BUCKETS, bucket);
    take(&bucket[TRADING], &scan[3], total, 1, trading);
    struct credit_limit other = limit_of(&level[NON_MATCHING]);
    struct credit_limit trade = limit_of(&trading[0]);
    if (other.burst < 5 || trade.burst == 0) {
        return false;
    }
    credit_lower(&trade, limit_of(&bucket[SPOT]));
    credit_lower(&trade, limit_of(&bucket[CANCEL_ALL]));
    struct credit_limit share = { other.burst / 5 * 2, other.rate_e3 / 5 * 2 };
    least(&answer->limit[CREDIT_TRADE], trade);
    least(&answer->limit[CREDIT_QUERY], share);
    least(&answer->limit[CREDIT_REST], share);
    return true;
}

/* Rates are fractions of the notional; up is against us. */
static bool rate_centibp(const struct scan_value *text, int64_t *out)
{
    int64_t rate_e10;
    if (!scan_has_number(text) || !scan_decimal_near(text, 10, &rate_e10)) {
        return false;
    }
    *out = decimal_divide(rate_e10, 10000, ROUND_UP);
    return true;
}

static void emit_fee(struct deribit_reader *reader, const struct instrument *row, int64_t maker,
                     int64_t taker)
{
    struct slot record[1] = { 0 };
    struct record_fee *to = (struct record_fee *)(void *)record_begin(record, RECORD_FEE, 1, 0);
    to->head.flags = reader->flags;
    to->head.account = reader->account;
    to->head.instrument = row->index;
    to->maker_centibp = maker;
    to->taker_centibp = taker;
    deribit_emit(reader, record);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* "btc_usd" of BTC-PERPETUAL, "btc_usdc" of BTC_USDC-PERPETUAL */
static bool same_family(const struct scan_value *index_name, const struct deribit_symbol *symbol)
{
    size_t base = symbol->base_bytes, quote = symbol->quote_bytes;
    if (index_name->type != SCAN_STRING || index_name->bytes != base + 1 + quote ||
        index_name->at[base] != '_') {
        return false;
    }
    for (size_t i = 0; i < base; i++) {
        if (index_name->at[i] != lower(symbol->base[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < quote; i++) {
        if (index_name->at[base + 1 + i] != lower(symbol->quote[i])) {
            return false;
        }
    }
    return true;
}

/* The account's own rate for the instrument, when its rows tell one: "fixed" is a rate, what "relative" is a
 * multiple of is not documented. */
static bool own_fee(struct deribit_reader *reader, const struct scan_value *summary,
                    const struct instrument *row)
{
    enum { KIND, INDEX, VALUE, ROWS };
    static const struct scan_name outer[] = { SCAN_NAME("fees") }, inner[] = { SCAN_NAME("default") };
    static const struct scan_name names[ROWS] = { SCAN_NAME("kind"), SCAN_NAME("index_name"),
                                                  SCAN_NAME("value") };
    static const struct scan_name rates[] = { SCAN_NAME("type"), SCAN_NAME("maker"), SCAN_NAME("taker") };
    struct deribit_symbol symbol = deribit_symbol(row->symbol, strlen(row->symbol));
    const char *kind = row->kind == KIND_OPTION ? "option"
                       : row->kind == KIND_LINEAR_PERPETUAL || row->kind == KIND_INVERSE_PERPETUAL
                           ? "perpetual"
                           : "future";
    struct scan scan[3], list;
    struct scan_value fees[1], item, fields[ROWS], value[1], rate[3];
    take(summary, &scan[0], outer, 1, fees);
    if (fees[0].type != SCAN_ARRAY) {
        return false;
    }
    scan_open(&list, fees[0].at, fees[0].bytes);
    scan_array(&list);
    while (scan_item(&list) && scan_take(&list, &item)) {
        int64_t maker, taker;
        take(&item, &scan[0], names, ROWS, fields);
        take(&fields[VALUE], &scan[1], inner, 1, value);
        take(&value[0], &scan[2], rates, 3, rate);
        if (scan_is(&fields[KIND], kind) && same_family(&fields[INDEX], &symbol) &&
            scan_is(&rate[0], "fixed") && rate_centibp(&rate[1], &maker) && rate_centibp(&rate[2], &taker)) {
            emit_fee(reader, row, maker, taker);
            return true;
        }
    }
    return false;
}

/* each_summary calls for every currency's part of an account summary; one of them is enough. */
static bool each_summary(const struct scan_value *result,
                         bool (*call)(void *context, const struct scan_value *summary), void *context)
{
    static const struct scan_name names[] = { SCAN_NAME("summaries") };
    struct scan scan, list;
    struct scan_value summaries[1], item;
    take(result, &scan, names, 1, summaries);
    if (summaries[0].type != SCAN_ARRAY) {
        return result->type == SCAN_OBJECT && call(context, result);
    }
    bool any = false;
    scan_open(&list, summaries[0].at, summaries[0].bytes);
    scan_array(&list);
    while (scan_item(&list) && scan_take(&list, &item)) {
        any |= call(context, &item);
    }
    return any;
}

static bool limits_call(void *context, const struct scan_value *summary)
{
    return limits_of(summary, context);
}

struct fee_call {
    struct deribit_reader *reader;
    const struct instrument *row;
    bool done;
};

static bool fee_call(void *context, const struct scan_value *summary)
{
    struct fee_call *call = context;
    call->done = call->done || own_fee(call->reader, summary, call->row);
    return call->done;
}

static enum rest_result fees_answer(const struct rest_query *query, const struct scan_value *result,
                                    struct deribit_reader *reader, struct rest_answer *answer)
{
    static const struct scan_name names[] = { SCAN_NAME("maker_commission"), SCAN_NAME("taker_commission") };
    struct scan scan;
    struct scan_value fields[2];
    int64_t maker, taker;
    if (query->instrument == NULL) {
        return broken(answer, "the fees of which instrument?");
    }
    take(result, &scan, names, 2, fields);
    if (fields[0].type == SCAN_NONE && query->page == 0 && query->instrument->kind != KIND_SPOT) {
        struct fee_call call = { reader, query->instrument, false };
        each_summary(result, fee_call, &call);
        answer->more = !call.done; /* then what is listed for everybody */
        answer->rows = reader->rows;
        return REST_OK;
    }
    if (!rate_centibp(&fields[0], &maker) || !rate_centibp(&fields[1], &taker)) {
        return broken(answer, "no commission");
    }
    emit_fee(reader, query->instrument, maker, taker);
    answer->rows = reader->rows;
    return REST_OK;
}

static enum rest_result objects(const struct scan_value *result, enum deribit_shape only,
                                struct deribit_reader *reader, struct rest_answer *answer)
{
    if (!deribit_value(reader, result, only)) {
        return broken(answer, reader->why != NULL ? reader->why : "not what was asked for");
    }
    answer->rows = reader->rows;
    answer->skipped = reader->skipped;
    return REST_OK;
}

static enum rest_result fills_answer(const struct rest_query *query, const struct scan_value *result,
                                     struct deribit_reader *reader, struct rest_answer *answer)
{
    static const struct scan_name names[] = { SCAN_NAME("has_more"), SCAN_NAME("trades") };
    struct scan scan;
    struct scan_value fields[2];
    take(result, &scan, names, 2, fields);
    if (fields[1].type != SCAN_ARRAY || (fields[0].type != SCAN_TRUE && fields[0].type != SCAN_FALSE)) {
        return broken(answer, "no page of trades");
    }
    enum rest_result done = objects(&fields[1], SHAPE_TRADE, reader, answer);
    if (done != REST_OK) {
        return done;
    }
    if (fields[0].type == SCAN_TRUE) {
        answer->more = true;
        answer->next_from_id = reader->last_id + 1;
        if (reader->rows == 0) {
            return broken(answer, "more trades behind a page without any");
        }
        if (reader->last_id == 0) {
            static const char lost[] = "trades without numbers: where to go on is not told";
            words(answer, lost, sizeof lost - 1);
            return REST_UNKNOWN;
        }
        return REST_OK;
    }
    answer->more = old_storage(query); /* then the fast storage, from the same place */
    answer->next_from_id = answer->more ? 0 : reader->last_id != 0 ? reader->last_id + 1 : query->from_id;
    return REST_OK;
}

/* By label; then in the history, which first is the fast storage's and then the old one's. */
static enum rest_result order_answer(const struct rest_query *query, const struct scan_value *result,
                                     struct deribit_reader *reader, struct rest_answer *answer)
{
    reader->request = REQUEST_QUERY;
    reader->only_order = query->order;
    reader->instrument = query->instrument != NULL ? query->instrument->index : NO_INSTRUMENT;
    if (result->type != SCAN_ARRAY) {
        return broken(answer, "no list of orders");
    }
    enum rest_result done = objects(result, SHAPE_ORDER, reader, answer);
    if (done != REST_OK || reader->rows != 0) {
        return done;
    }
    if (query->page < 2) {
        answer->more = true;
        return REST_OK;
    }
    struct slot record[3];
    reader->order = query->order;
    struct record_report *report = deribit_report(reader, record, RECORD_ORDER_STATE, NULL);
    report->status = ORDER_STATUS_NOT_FOUND;
    report->reason = REASON_NOT_FOUND;
    deribit_emit(reader, record);
    answer->rows = reader->rows;
    return REST_OK;
}

static enum rest_result log_answer(const struct scan_value *result, struct deribit_reader *reader,
                                   struct rest_answer *answer)
{
    static const struct scan_name names[] = { SCAN_NAME("logs"), SCAN_NAME("continuation") };
    struct scan scan;
    struct scan_value fields[2];
    take(result, &scan, names, 2, fields);
    if (fields[0].type != SCAN_ARRAY) {
        return broken(answer, "no page of the log");
    }
    reader->only_payments = true;
    enum rest_result done = objects(&fields[0], SHAPE_LOG, reader, answer);
    if (done == REST_OK && scan_unsigned(&fields[1], &answer->next_from_id)) {
        answer->more = answer->next_from_id != 0;
    }
    return done;
}

static enum rest_result cancel_answer(const struct scan_value *result, struct deribit_reader *reader,
                                      struct rest_answer *answer)
{
    if (result->type == SCAN_NUMBER) {
        return REST_OK;
    }
    reader->request = REQUEST_CANCEL_ALL;
    return result->type == SCAN_ARRAY ? objects(result, SHAPE_OTHER, reader, answer)
                                      : broken(answer, "no count of orders");
}

static enum rest_result refused(const struct rest_query *query, int status, const struct scan_value *error,
                                struct rest_answer *answer)
{
    static const struct scan_name names[] = { SCAN_NAME("code"), SCAN_NAME("message") };
    struct scan_value fields[2];
    struct scan scan;
    int64_t code = 0;
    take(error, &scan, names, 2, fields);
    scan_signed(&fields[0], &code);
    answer->code = (int32_t)code;
    words(answer, fields[1].type == SCAN_STRING ? fields[1].at : "",
          fields[1].type == SCAN_STRING ? fields[1].bytes : 0);
    if (code == 10028 || code == 10066 || (code == 0 && status == 429)) {
        answer->retry_after_ms = THROTTLED_MS;
        return REST_LATER;
    }
    if (code == 10041 || code == 11051) {
        answer->retry_after_ms = CLOSED_MS; /* settlement lasts seconds, maintenance says no time */
        return REST_LATER;
    }
    if (code == 0) {
        return status >= 400 && status < 500 ? REST_REFUSED : REST_UNKNOWN;
    }
    answer->time_refused = code == 13009; /* a stale stamp, among other things */
    uint8_t outcome = deribit_outcome(code);
    if (query->what == REST_ORDER && outcome == REASON_NOT_FOUND && query->page < 2) {
        answer->more = true; /* by label; the history may know it */
        return REST_OK;
    }
    return outcome == DERIBIT_OUTCOME_UNKNOWN ? REST_UNKNOWN : REST_REFUSED;
}

/* Whatever it is, for a person. */
static enum rest_result any(const struct scan_value *result, struct deribit_reader *reader,
                            struct rest_answer *answer)
{
    enum { SCOPE, LOT, COUNT };
    static const struct scan_name names[COUNT] = { SCAN_NAME("scope"), SCAN_NAME("min_trade_amount") };
    struct scan scan, inner;
    struct scan_value fields[COUNT], item = *result;
    if (result->type == SCAN_ARRAY) {
        scan_open(&inner, result->at, result->bytes);
        scan_array(&inner);
        if (!scan_item(&inner) || !scan_take(&inner, &item)) {
            item = (struct scan_value){ 0 };
        }
    }
    take(&item, &scan, names, COUNT, fields);
    if (fields[LOT].type == SCAN_NUMBER) {
        return instruments_answer(PRODUCT_NONE, result, answer);
    }
    if (fields[SCOPE].type == SCAN_STRING && rights_answer(result, answer) == REST_OK) {
        return REST_OK;
    }
    answer->text[0] = '\0';
    reader->request = answer->hooks != NULL ? answer->hooks->reply_to : REQUEST_NONE;
    return objects(result, SHAPE_OTHER, reader, answer);
}

static enum rest_result parse(const struct rest_query *query, int status, const char *bytes, size_t count,
                              struct rest_answer *answer)
{
    struct deribit_reader reader = {
        .instruments = answer->instruments,
        .hooks = answer->hooks,
        .sink = &answer->sink,
        .account = answer->account,
        .flags = RECORD_FLAG_REST,
        .instrument = NO_INSTRUMENT,
    };
    struct scan scan, inner;
    struct scan_value whole = { 0 }, fields[BODY_COUNT];
    answer->more = false;
    answer->next_from_id = 0;
    answer->code = 0;
    answer->rows = 0;
    answer->skipped = 0;
    answer->text[0] = '\0';
    answer->retry_after_ms = 0;
    answer->retry_at_ns = 0;
    answer->time_refused = false;

    scan_open(&scan, bytes, count);
    scan_take(&scan, &whole);
    int64_t consumed = scan_finish(&scan);
    bool sound = consumed == (int64_t)count && consumed > 0;
    if (!sound) {
        whole.type = SCAN_NONE;
    }
    take(&whole, &inner, body_names, BODY_COUNT, fields);
    if (status != 200 || fields[BODY_ERROR].type == SCAN_OBJECT) {
        return refused(query, status, &fields[BODY_ERROR], answer);
    }
    if (!sound) {
        return broken(answer, scan.state == SCAN_SHORT ? "the body is cut short" : "the body is not JSON");
    }
    const struct scan_value *result = fields[BODY_RESULT].type != SCAN_NONE ? &fields[BODY_RESULT] : &whole;
    bool of_account =
        query->what == REST_ACCOUNT_MODE || query->what == REST_LIMITS || query->what == REST_TIME;
    if (of_account && fields[BODY_TESTNET].type == SCAN_TRUE) {
        words(answer, "this is the test network", 24);
        return REST_REFUSED;
    }
    switch (query->what) {
    case REST_TIME:
        answer->server_time_ns = result->type == SCAN_NUMBER ? scan_time_ns(result) : 0;
        return answer->server_time_ns != 0 ? REST_OK : broken(answer, "no time");
    case REST_INSTRUMENTS:
        return instruments_answer(query->product, result, answer);
    case REST_ACCOUNT_MODE: {
        if (query->page != 0) {
            return settings_answer(result, answer);
        }
        enum rest_result told = rights_answer(result, answer);
        answer->more = told == REST_OK;
        return told;
    }
    case REST_KEY_RIGHTS:
        return rights_answer(result, answer);
    case REST_OPEN_ORDERS:
        reader.request = REQUEST_QUERY;
        return result->type == SCAN_ARRAY ? objects(result, SHAPE_ORDER, &reader, answer)
                                          : broken(answer, "no list of orders");
    case REST_POSITIONS:
        reader.flags |= RECORD_FLAG_SNAP;
        return objects(result, SHAPE_POSITION, &reader, answer);
    case REST_BALANCES:
        reader.flags |= RECORD_FLAG_SNAP;
        return objects(result, SHAPE_SUMMARY, &reader, answer);
    case REST_FILLS:
        return fills_answer(query, result, &reader, answer);
    case REST_ORDER:
        return order_answer(query, result, &reader, answer);
    case REST_FEES:
        return fees_answer(query, result, &reader, answer);
    case REST_MARK:
        return objects(result, SHAPE_TICKER, &reader, answer);
    case REST_PAYMENTS:
        return log_answer(result, &reader, answer);
    case REST_CANCEL_ALL:
        return cancel_answer(result, &reader, answer);
    case REST_LIMITS:
        memset(answer->limit, 0, sizeof answer->limit);
        return each_summary(result, limits_call, answer) ? REST_OK : broken(answer, "no limits");
    case REST_DEPTH: {
        static const struct scan_name names[] = { SCAN_NAME("change_id") };
        struct scan_value change[1];
        take(result, &inner, names, 1, change);
        return change[0].type != SCAN_NONE ? REST_OK : broken(answer, "no change_id");
    }
    case REST_ANY:
        reader.flags = 0;
        return any(result, &reader, answer);
    default:
        return broken(answer, "not a question to this venue");
    }
}

const struct venue_rest deribit_rest = {
    .request = request,
    .parse = parse,
};
