#include "venues/binance/report.h"
#include "venues/binance/request.h"
#include "ring/order_id.h"

#include <string.h>

/* Longest span one answer of the fill history covers when it is asked by time. */
#define FUTURES_WINDOW_NS (7LL * 24 * 3600 * 1000000000)
#define SPOT_WINDOW_NS    (24LL * 3600 * 1000000000)
#define FILLS_LIMIT       1000

/* clang-format off */
static const struct question {
    const char *method;
    const char *path[PRODUCT_COUNT]; /* NULL: no such question there */
    uint16_t weight[PRODUCT_COUNT];
    bool is_signed;
} questions[] = {
    [REST_TIME] = { "GET",
        { [PRODUCT_SPOT] = "/api/v3/time", [PRODUCT_LINEAR] = "/fapi/v1/time", [PRODUCT_INVERSE] = "/dapi/v1/time" },
        { [PRODUCT_SPOT] = 1, [PRODUCT_LINEAR] = 1, [PRODUCT_INVERSE] = 1 }, false },
    [REST_INSTRUMENTS] = { "GET",
        { [PRODUCT_SPOT] = "/api/v3/exchangeInfo", [PRODUCT_LINEAR] = "/fapi/v1/exchangeInfo", [PRODUCT_INVERSE] = "/dapi/v1/exchangeInfo" },
        { [PRODUCT_SPOT] = 20, [PRODUCT_LINEAR] = 1, [PRODUCT_INVERSE] = 1 }, false },
    [REST_OPEN_ORDERS] = { "GET",
        { [PRODUCT_SPOT] = "/api/v3/openOrders", [PRODUCT_LINEAR] = "/fapi/v1/openOrders", [PRODUCT_INVERSE] = "/dapi/v1/openOrders" },
        { [PRODUCT_SPOT] = 80, [PRODUCT_LINEAR] = 40, [PRODUCT_INVERSE] = 40 }, true },
    [REST_POSITIONS] = { "GET",
        { [PRODUCT_LINEAR] = "/fapi/v3/positionRisk", [PRODUCT_INVERSE] = "/dapi/v1/positionRisk" },
        { [PRODUCT_LINEAR] = 5, [PRODUCT_INVERSE] = 1 }, true },
    [REST_BALANCES] = { "GET",
        { [PRODUCT_SPOT] = "/api/v3/account", [PRODUCT_LINEAR] = "/fapi/v3/balance", [PRODUCT_INVERSE] = "/dapi/v1/balance" },
        { [PRODUCT_SPOT] = 20, [PRODUCT_LINEAR] = 5, [PRODUCT_INVERSE] = 1 }, true },
    [REST_FILLS] = { "GET",
        { [PRODUCT_SPOT] = "/api/v3/myTrades", [PRODUCT_LINEAR] = "/fapi/v1/userTrades", [PRODUCT_INVERSE] = "/dapi/v1/userTrades" },
        { [PRODUCT_SPOT] = 20, [PRODUCT_LINEAR] = 5, [PRODUCT_INVERSE] = 20 }, true },
    [REST_ORDER] = { "GET",
        { [PRODUCT_SPOT] = "/api/v3/order", [PRODUCT_LINEAR] = "/fapi/v1/order", [PRODUCT_INVERSE] = "/dapi/v1/order" },
        { [PRODUCT_SPOT] = 4, [PRODUCT_LINEAR] = 1, [PRODUCT_INVERSE] = 1 }, true },
    [REST_FEES] = { "GET",
        { [PRODUCT_SPOT] = "/api/v3/account/commission", [PRODUCT_LINEAR] = "/fapi/v1/commissionRate", [PRODUCT_INVERSE] = "/dapi/v1/commissionRate" },
        { [PRODUCT_SPOT] = 20, [PRODUCT_LINEAR] = 20, [PRODUCT_INVERSE] = 20 }, true },
    [REST_MARK] = { "GET",
        { [PRODUCT_LINEAR] = "/fapi/v1/premiumIndex", [PRODUCT_INVERSE] = "/dapi/v1/premiumIndex" },
        { [PRODUCT_LINEAR] = 10, [PRODUCT_INVERSE] = 10 }, false },
    [REST_PAYMENTS] = { "GET",
        { [PRODUCT_LINEAR] = "/fapi/v1/income", [PRODUCT_INVERSE] = "/dapi/v1/income" },
        { [PRODUCT_LINEAR] = 30, [PRODUCT_INVERSE] = 20 }, true },
    [REST_CANCEL_ALL] = { "DELETE",
        { [PRODUCT_SPOT] = "/api/v3/openOrders", [PRODUCT_LINEAR] = "/fapi/v1/allOpenOrders", [PRODUCT_INVERSE] = "/dapi/v1/allOpenOrders" },
        { [PRODUCT_SPOT] = 1, [PRODUCT_LINEAR] = 1, [PRODUCT_INVERSE] = 1 }, true },
    [REST_DEAD_MAN] = { "POST",
        { [PRODUCT_LINEAR] = "/fapi/v1/countdownCancelAll", [PRODUCT_INVERSE] = "/dapi/v1/countdownCancelAll" },
        { [PRODUCT_LINEAR] = 10, [PRODUCT_INVERSE] = 10 }, true },
    [REST_KEY_RIGHTS] = { "GET", /* one page for all products, on the spot host; not on the venue page's list */
        { [PRODUCT_SPOT] = "/sapi/v1/account/apiRestrictions" },
        { [PRODUCT_SPOT] = 1 }, true },
};

/* What kind of account this is takes several questions: one a page. */
enum { ASPECT_NONE, ASPECT_ONE_WAY, ASPECT_SINGLE, ASPECT_CROSS, ASPECT_TRADE };
static const struct aspect {
    const char *path;
    uint16_t weight;
    uint8_t aspect;
    bool symbol;
} aspects[PRODUCT_COUNT][5] = {
    [PRODUCT_SPOT] = {
        { "/api/v3/account", 20, ASPECT_TRADE, false },
    },
    [PRODUCT_LINEAR] = {
        { "/fapi/v1/positionSide/dual", 30, ASPECT_ONE_WAY, false },
        { "/fapi/v1/multiAssetsMargin", 30, ASPECT_SINGLE, false },
        { "/fapi/v1/symbolConfig", 5, ASPECT_CROSS, true },
        { "/fapi/v1/accountConfig", 5, ASPECT_TRADE, false },
    },
    [PRODUCT_INVERSE] = {
        { "/dapi/v1/positionSide/dual", 30, ASPECT_ONE_WAY, false },
        { "/dapi/v1/positionRisk", 1, ASPECT_CROSS, false },
        { "/dapi/v1/account", 5, ASPECT_TRADE, false },
    },
};
/* clang-format on */

static const struct aspect *aspect_of(const struct rest_query *query)
{
    if (query->product >= PRODUCT_COUNT || query->page >= 5) {
        return NULL;
    }
    const struct aspect *aspect = &aspects[query->product][query->page];
    return aspect->path != NULL ? aspect : NULL;
}

/* ------------------------------------------------------------------ asking */

static void put_symbol(struct text *text, const struct instrument *instrument)
{
    if (instrument != NULL) {
        text_put(text, "symbol=");
        text_put(text, instrument->symbol);
        text_put_char(text, '&');
    }
}

static void put_number(struct text *text, const char *name, uint64_t value)
{
    text_put(text, name);
    text_put_char(text, '=');
    text_put_unsigned(text, value);
    text_put_char(text, '&');
}

static int64_t window_ns(uint8_t product)
{
    return product == PRODUCT_SPOT ? SPOT_WINDOW_NS : FUTURES_WINDOW_NS;
}

static bool put_fills(struct text *text, const struct rest_query *query)
{
    if (query->instrument == NULL) {
        return false; /* the history is kept by symbol */
    }
    put_symbol(text, query->instrument);
    if (query->from_id != 0) {
        put_number(text, "fromId", query->from_id);
    } else if (query->since_ns != 0) {
        int64_t from = query->since_ns + query->page * window_ns(query->product);
        put_number(text, "startTime", (uint64_t)(from / 1000000));
        put_number(text, "endTime", (uint64_t)((from + window_ns(query->product)) / 1000000 - 1));
    }
    put_number(text, "limit", FILLS_LIMIT);
    return true;
}

static bool put_arguments(struct text *text, const struct rest_query *query, struct venue_out *out)
{
    char client[ORDER_ID_TEXT_BYTES];
    switch (query->what) {
    case REST_OPEN_ORDERS:
        put_symbol(text, query->instrument);
        out->weight = query->instrument == NULL ? out->weight : query->product == PRODUCT_SPOT ? 6 : 1;
        return true;
    case REST_POSITIONS:
        if (query->product == PRODUCT_LINEAR) {
            put_symbol(text, query->instrument); /* COIN-M filters by pair only: all rows come */
        }
        return true;
    case REST_MARK:
        put_symbol(text, query->instrument);
        out->weight = query->instrument != NULL && query->product == PRODUCT_LINEAR ? 1 : out->weight;
        return true;
    case REST_INSTRUMENTS:
        if (query->product == PRODUCT_SPOT) {
            put_symbol(text, query->instrument); /* all of them are many megabytes */
        }
        return true;
    case REST_BALANCES:
        if (query->product == PRODUCT_SPOT) {
            text_put(text, "omitZeroBalances=true&");
        }
        return true;
    case REST_FILLS:
        return put_fills(text, query);
    case REST_ORDER:
        if (query->instrument == NULL || (query->order == 0 && query->venue_order[0] == 0)) {
            return false;
        }
        put_symbol(text, query->instrument);
        if (query->order == 0) {
            text_put(text, "orderId=");
            text_put_bytes(text, query->venue_order, strnlen(query->venue_order, sizeof query->venue_order));
            text_put_char(text, '&');
            return true;
        }
        order_id_print(client, query->order);
        text_put(text, "origClientOrderId=");
        text_put_bytes(text, client, sizeof client);
        text_put_char(text, '&');
        return true;
    case REST_FEES:
    case REST_CANCEL_ALL:
        put_symbol(text, query->instrument);
        return query->instrument != NULL;
    case REST_DEAD_MAN:
        put_symbol(text, query->instrument);
        put_number(text, "countdownTime", (uint64_t)query->timeout_ms);
        return query->instrument != NULL;
    case REST_PAYMENTS:
        put_symbol(text, query->instrument);
        if (query->since_ns != 0) {
            put_number(text, "startTime", (uint64_t)(query->since_ns / 1000000));
        }
        put_number(text, "page", (uint64_t)query->page + 1);
        put_number(text, "limit", FILLS_LIMIT);
        return true;
    default:
        return true;
    }
}

static bool request(const struct sign_key *key, const struct instrument_table *instruments,
                    const struct rest_query *query, int64_t wall_ns, struct venue_out *out)
{
    struct text text;
    uint64_t stamp_ms = (uint64_t)(wall_ns / 1000000);
    (void)instruments;
    out->act = ACT_NONE;
    out->request = REQUEST_NONE;
    out->tie = 0;
    out->order = query->order;
    if (binance_product(query->product) == NULL) {
        return false;
    }
    if (query->what == REST_ACCOUNT_MODE) {
        const struct aspect *aspect = aspect_of(query);
        if (aspect == NULL || key == NULL) {
            return false;
        }
        binance_query(out, &text, query->product, "GET", aspect->path);
        out->weight = aspect->weight;
        if (aspect->symbol) {
            put_symbol(&text, query->instrument);
        }
        return binance_query_sign(out, &text, key, stamp_ms);
    }
    if (query->what == REST_DEPTH) {
        return query->instrument != NULL && binance_feed.snapshot(query->instrument, out);
    }
    if (query->what >= POISE_COUNT_OF(questions) || questions[query->what].path[query->product] == NULL) {
        return false;
    }
    const struct question *question = &questions[query->what];
    binance_query(out, &text, query->product, question->method, question->path[query->product]);
    out->weight = question->weight[query->product];
    if (!put_arguments(&text, query, out)) {
        out->act = ACT_NONE;
        return false;
    }
    if (!question->is_signed) {
        return binance_query_end(out, &text, NULL);
    }
    return key != NULL && binance_query_sign(out, &text, key, stamp_ms);
}

/* ------------------------------------------------------------------ metadata */

enum {
    ROW_SYMBOL,
    ROW_STATUS,
    ROW_CONTRACT_STATUS,
    ROW_BASE,
    ROW_QUOTE,
    ROW_MARGIN,
    ROW_CONTRACT_TYPE,
    ROW_DELIVERY,
    ROW_CONTRACT_SIZE,
    ROW_PRICE_PRECISION,
    ROW_QTY_PRECISION,
    ROW_FILTERS,
    ROW_COUNT
};
static const struct scan_name row_names[ROW_COUNT] = {
    [ROW_SYMBOL] = SCAN_NAME("symbol"),
    [ROW_STATUS] = SCAN_NAME("status"),
    [ROW_CONTRACT_STATUS] = SCAN_NAME("contractStatus"),
    [ROW_BASE] = SCAN_NAME("baseAsset"),
    [ROW_QUOTE] = SCAN_NAME("quoteAsset"),
    [ROW_MARGIN] = SCAN_NAME("marginAsset"),
    [ROW_CONTRACT_TYPE] = SCAN_NAME("contractType"),
    [ROW_DELIVERY] = SCAN_NAME("deliveryDate"),
    [ROW_CONTRACT_SIZE] = SCAN_NAME("contractSize"),
    [ROW_PRICE_PRECISION] = SCAN_NAME("pricePrecision"),
    [ROW_QTY_PRECISION] = SCAN_NAME("quantityPrecision"),
    [ROW_FILTERS] = SCAN_NAME("filters"),
};

enum {
    FILTER_TYPE,
    FILTER_TICK,
    FILTER_MIN_PRICE,
    FILTER_MAX_PRICE,
    FILTER_STEP,
    FILTER_MIN_QTY,
    FILTER_MAX_QTY,
    FILTER_MIN_NOTIONAL,
    FILTER_NOTIONAL,
    FILTER_UP,
    FILTER_DOWN,
    FILTER_BID_UP,
    FILTER_ASK_DOWN,
    FILTER_COUNT
};
static const struct scan_name filter_names[FILTER_COUNT] = {
    [FILTER_TYPE] = SCAN_NAME("filterType"),
    [FILTER_TICK] = SCAN_NAME("tickSize"),
    [FILTER_MIN_PRICE] = SCAN_NAME("minPrice"),
    [FILTER_MAX_PRICE] = SCAN_NAME("maxPrice"),
    [FILTER_STEP] = SCAN_NAME("stepSize"),
    [FILTER_MIN_QTY] = SCAN_NAME("minQty"),
    [FILTER_MAX_QTY] = SCAN_NAME("maxQty"),
    [FILTER_MIN_NOTIONAL] = SCAN_NAME("minNotional"),
    [FILTER_NOTIONAL] = SCAN_NAME("notional"),
    [FILTER_UP] = SCAN_NAME("multiplierUp"),
    [FILTER_DOWN] = SCAN_NAME("multiplierDown"),
    [FILTER_BID_UP] = SCAN_NAME("bidMultiplierUp"),
    [FILTER_ASK_DOWN] = SCAN_NAME("askMultiplierDown"),
};

/* The filters of one symbol: their order is free, and decimals are known only after all were seen. */
struct filters {
    struct scan_value price[FILTER_COUNT], lot[FILTER_COUNT], market[FILTER_COUNT];
    struct scan_value notional, up, down;
    char text[128]; /* of values that were written with escapes */
    uint32_t text_used;
};

/* kept answers a value that outlives the scan it was read with; one for which there is no room is none. */
static struct scan_value kept(struct filters *filters, const struct scan *scan, struct scan_value value)
{
    bool resolved = value.type == SCAN_STRING && value.at >= scan->scratch &&
                    value.at < scan->scratch + sizeof scan->scratch;
    if (!resolved) {
        return value;
    }
    if (value.bytes > sizeof filters->text - filters->text_used) {
        return (struct scan_value){ 0 };
    }
    char *text = filters->text + filters->text_used;
    memcpy(text, value.at, value.bytes);
    filters->text_used += value.bytes;
    value.at = text;
    return value;
}

static void keep(struct filters *filters, const struct scan *scan, struct scan_value to[FILTER_COUNT],
                 const struct scan_value fields[FILTER_COUNT])
{
    for (int i = FILTER_TICK; i <= FILTER_MAX_QTY; i++) {
        to[i] = kept(filters, scan, fields[i]);
    }
}

static void read_filters(const struct scan_value *array, struct filters *filters)
{
    struct scan scan;
    struct scan_value item, fields[FILTER_COUNT];
    memset(filters, 0, sizeof *filters);
    if (array->type != SCAN_ARRAY) {
        return;
    }
    scan_open(&scan, array->at, array->bytes);
    scan_array(&scan);
    while (scan_item(&scan) && scan_take(&scan, &item)) {
        struct scan inner;
        scan_open(&inner, item.at, item.bytes);
        if (item.type != SCAN_OBJECT || !scan_fields(&inner, NULL, filter_names, FILTER_COUNT, fields)) {
            continue;
        }
        const struct scan_value *type = &fields[FILTER_TYPE];
        if (scan_is(type, "PRICE_FILTER")) {
            keep(filters, &inner, filters->price, fields);
        } else if (scan_is(type, "LOT_SIZE")) {
            keep(filters, &inner, filters->lot, fields);
        } else if (scan_is(type, "MARKET_LOT_SIZE")) {
            keep(filters, &inner, filters->market, fields);
        } else if (scan_is(type, "NOTIONAL") || scan_is(type, "MIN_NOTIONAL")) {
            bool least = fields[FILTER_MIN_NOTIONAL].type != SCAN_NONE;
            filters->notional = kept(filters, &inner, fields[least ? FILTER_MIN_NOTIONAL : FILTER_NOTIONAL]);
        } else if (scan_is(type, "PERCENT_PRICE")) {
            filters->up = kept(filters, &inner, fields[FILTER_UP]);
            filters->down = kept(filters, &inner, fields[FILTER_DOWN]);
        } else if (scan_is(type, "PERCENT_PRICE_BY_SIDE")) {
            filters->up = kept(filters, &inner, fields[FILTER_BID_UP]);
            filters->down = kept(filters, &inner, fields[FILTER_ASK_DOWN]);
        }
    }
}

static int decimals_of(const struct scan_value *text)
{
    int decimals = scan_has_number(text) ? decimal_decimals(text->at, text->bytes) : 0;
    return decimals > 0 ? decimals : 0;
}

static uint8_t widest(int a, int b, const struct scan_value *precision)
{
    uint64_t told = 0;
    scan_unsigned(precision, &told);
    int most = a > b ? a : b;
    most = told <= 12 && (int)told > most ? (int)told : most;
    return (uint8_t)(most < 12 ? most : 12);
}

/* Spot prints eight decimals, and orders from before a change of tick or lot still stand in its books with
 * more than the present one has: eight is the unit, as long as the largest order fits an int64 with room. */
static uint8_t spot_decimals(int least, const struct scan_value *largest)
{
    for (int decimals = 8; decimals > least; decimals--) {
        int64_t value;
        if (!scan_has_number(largest) ||
            (scan_decimal_near(largest, decimals, &value) && value < 1000000000000000000LL)) {
            return (uint8_t)decimals;
        }
    }
    return (uint8_t)least;
}

static uint8_t kind_of(uint8_t product, const struct scan_value *type)
{
    static const char *const dated[] = {
        "CURRENT_QUARTER",        "NEXT_QUARTER", "CURRENT_MONTH", "NEXT_MONTH", "CURRENT_QUARTER DELIVERING",
        "NEXT_QUARTER DELIVERING"
    };
    if (product == PRODUCT_SPOT) {
        return KIND_SPOT;
    }
    if (scan_is(type, "PERPETUAL") || scan_is(type, "PERPETUAL DELIVERING")) {
        return product == PRODUCT_LINEAR ? KIND_LINEAR_PERPETUAL : KIND_INVERSE_PERPETUAL;
    }
    for (size_t i = 0; i < POISE_COUNT_OF(dated); i++) {
        if (scan_is(type, dated[i])) {
            return product == PRODUCT_LINEAR ? KIND_LINEAR_FUTURE : KIND_INVERSE_FUTURE;
        }
    }
    return KIND_NONE; /* TRADIFI_PERPETUAL, and what may come: not what we trade */
}

static int32_t ratio_ppm(const struct scan_value *text)
{
    int64_t ppm = 0;
    return scan_decimal_near(text, 6, &ppm) && ppm > 0 && ppm <= INT32_MAX ? (int32_t)ppm : 0;
}

static void copy_code(char out[CURRENCY_BYTES], const struct scan_value *text)
{
    memset(out, 0, CURRENCY_BYTES);
    if (text->type == SCAN_STRING && text->bytes < CURRENCY_BYTES) {
        memcpy(out, text->at, text->bytes);
    }
}

/* Some maxima are absurd (10 million contracts at a highest price of 100000): the largest order is cut to
 * what can be counted in 64 bits with room, so that the instrument stays usable. */
static void bound_largest(struct instrument *row)
{
    int64_t price = row->max_price != 0 ? row->max_price : row->tick;
    int64_t one = row->lot > 0 ? row->lot : 1;
    if (row->product == PRODUCT_INVERSE || price <= 0 || row->contract_e8 <= 0) {
        return;
    }
    int128 most =
        (int128)(INT64_MAX / 2) * decimal_power[row->qty_decimals + row->price_decimals > DECIMAL_MAX_DECIMALS
                                                    ? DECIMAL_MAX_DECIMALS
                                                    : row->qty_decimals + row->price_decimals];
    most /= (int128)price * row->contract_e8;
    if (most < row->max_qty) {
        row->max_qty = (int64_t)most / one * one;
    }
    row->max_market_qty = base_min(row->max_market_qty, row->max_qty);
}

static bool instrument_row(uint8_t product, const struct scan_value *item, struct rest_answer *answer,
                           bool dry)
{
    struct scan scan;
    struct scan_value fields[ROW_COUNT];
    struct filters filters;
    scan_open(&scan, item->at, item->bytes);
    if (item->type != SCAN_OBJECT || !scan_fields(&scan, NULL, row_names, ROW_COUNT, fields) ||
        fields[ROW_SYMBOL].type != SCAN_STRING) {
        return false;
    }
    struct instrument row = { .venue = VENUE_BINANCE, .product = product, .index = UINT16_MAX };
    row.base = row.quote = row.settle = CURRENCY_NONE;
    row.kind = kind_of(product, &fields[ROW_CONTRACT_TYPE]);
    if (row.kind == KIND_NONE || fields[ROW_SYMBOL].bytes >= INSTRUMENT_SYMBOL_BYTES) {
        answer->skipped += !dry;
        return true;
    }
    memcpy(row.symbol, fields[ROW_SYMBOL].at, fields[ROW_SYMBOL].bytes);
    struct text name = { row.name, row.name + sizeof row.name - 1, false };
    text_put(&name, "binance.");
    text_put(&name, product_names[product]);
    text_put_char(&name, '.');
    text_put(&name, row.symbol);

    read_filters(&fields[ROW_FILTERS], &filters);
    int tick_decimals = decimals_of(&filters.price[FILTER_TICK]);
    int lot_decimals = decimals_of(&filters.lot[FILTER_STEP]);
    if (product == PRODUCT_SPOT) {
        row.price_decimals = spot_decimals(tick_decimals, &filters.price[FILTER_MAX_PRICE]);
        row.qty_decimals = spot_decimals(lot_decimals, &filters.lot[FILTER_MAX_QTY]);
    } else {
        row.price_decimals = widest(tick_decimals, 0, &fields[ROW_PRICE_PRECISION]);
        row.qty_decimals =
            widest(lot_decimals, decimals_of(&filters.lot[FILTER_MIN_QTY]), &fields[ROW_QTY_PRECISION]);
    }
    scan_decimal_near(&filters.price[FILTER_TICK], row.price_decimals, &row.tick);
    scan_decimal_near(&filters.price[FILTER_MIN_PRICE], row.price_decimals, &row.min_price);
    scan_decimal_near(&filters.price[FILTER_MAX_PRICE], row.price_decimals, &row.max_price);
    scan_decimal_near(&filters.lot[FILTER_STEP], row.qty_decimals, &row.lot);
    scan_decimal_near(&filters.lot[FILTER_MIN_QTY], row.qty_decimals, &row.min_qty);
    scan_decimal_near(&filters.lot[FILTER_MAX_QTY], row.qty_decimals, &row.max_qty);
    scan_decimal_near(&filters.market[FILTER_MAX_QTY], row.qty_decimals, &row.max_market_qty);
    scan_decimal_near(&filters.notional, DECIMAL_MONEY, &row.min_notional_e8);
    row.contract_e8 = DECIMAL_E8;
    if (product == PRODUCT_INVERSE &&
        !scan_decimal(&fields[ROW_CONTRACT_SIZE], DECIMAL_MONEY, &row.contract_e8)) {
        row.contract_e8 = 0;
    }
    bound_largest(&row);
    row.band_up_ppm = ratio_ppm(&filters.up);
    row.band_down_ppm = ratio_ppm(&filters.down);

    bool dated = row.kind == KIND_LINEAR_FUTURE || row.kind == KIND_INVERSE_FUTURE;
    row.expiry_ns = dated ? scan_time_ns(&fields[ROW_DELIVERY]) : 0;
    bool perpetual = row.kind == KIND_LINEAR_PERPETUAL || row.kind == KIND_INVERSE_PERPETUAL;
    row.funding_interval_s = perpetual ? 8 * 3600 : 0; /* until the venue's fundingInfo says otherwise */
    row.status = binance_status(
        &fields[fields[ROW_CONTRACT_STATUS].type != SCAN_NONE ? ROW_CONTRACT_STATUS : ROW_STATUS]);
    if (row.tick <= 0 || row.lot <= 0 || row.contract_e8 <= 0) {
        row.status = INSTRUMENT_UNKNOWN; /* cut-down metadata: not to be traded */
    }

    char base[CURRENCY_BYTES], quote[CURRENCY_BYTES], settle[CURRENCY_BYTES];
    copy_code(base, &fields[ROW_BASE]);
    copy_code(quote, &fields[ROW_QUOTE]);
    copy_code(settle, &fields[fields[ROW_MARGIN].type != SCAN_NONE ? ROW_MARGIN : ROW_QUOTE]);
    if (!dry) {
        answer->rows++;
        if (answer->instrument != NULL) {
            answer->instrument(answer->instrument_context, &row, base, quote, settle);
        }
    }
    return true;
}

/* ------------------------------------------------------------------ answers */

enum {
    BODY_CODE,
    BODY_MSG,
    BODY_SERVER_TIME,
    BODY_SYMBOLS,
    BODY_DUAL,
    BODY_MULTI,
    BODY_CAN_TRADE,
    BODY_COUNTDOWN,
    BODY_LAST_UPDATE,
    BODY_WITHDRAWALS,
    BODY_SPOT_TRADING,
    BODY_COUNT
};
static const struct scan_name body_names[BODY_COUNT] = {
    [BODY_CODE] = SCAN_NAME("code"),
    [BODY_MSG] = SCAN_NAME("msg"),
    [BODY_SERVER_TIME] = SCAN_NAME("serverTime"),
    [BODY_SYMBOLS] = SCAN_NAME("symbols"),
    [BODY_DUAL] = SCAN_NAME("dualSidePosition"),
    [BODY_MULTI] = SCAN_NAME("multiAssetsMargin"),
    [BODY_CAN_TRADE] = SCAN_NAME("canTrade"),
    [BODY_COUNTDOWN] = SCAN_NAME("countdownTime"),
    [BODY_LAST_UPDATE] = SCAN_NAME("lastUpdateId"),
    [BODY_WITHDRAWALS] = SCAN_NAME("enableWithdrawals"),
    [BODY_SPOT_TRADING] = SCAN_NAME("enableSpotAndMarginTrading"),
};

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

static uint8_t fact(const struct scan_value *value, bool inverted)
{
    return value->type != SCAN_TRUE && value->type != SCAN_FALSE ? FACT_UNKNOWN
           : (value->type == SCAN_TRUE) != inverted              ? FACT_YES
                                                                 : FACT_NO;
}

/* Margin types of every row that matters: cross only when all are, unknown when there is no row. */
static uint8_t cross_fact(const struct rest_query *query, const struct scan_value *whole)
{
    static const struct scan_name names[] = { SCAN_NAME("symbol"), SCAN_NAME("marginType") };
    struct scan scan;
    struct scan_value item, fields[2];
    uint8_t cross = FACT_UNKNOWN;
    scan_open(&scan, whole->at, whole->bytes);
    scan_array(&scan);
    while (scan_item(&scan) && scan_take(&scan, &item)) {
        struct scan inner;
        scan_open(&inner, item.at, item.bytes);
        if (item.type != SCAN_OBJECT || !scan_fields(&inner, NULL, names, 2, fields) ||
            (query->instrument != NULL && !scan_is(&fields[0], query->instrument->symbol))) {
            continue;
        }
        if (scan_is(&fields[1], "cross") || scan_is(&fields[1], "CROSSED")) {
            cross = cross == FACT_NO ? FACT_NO : FACT_YES;
        } else if (fields[1].type == SCAN_STRING) {
            cross = FACT_NO;
        }
    }
    return cross;
}

static enum rest_result account_mode(const struct rest_query *query, const struct scan_value *whole,
                                     const struct scan_value fields[BODY_COUNT], struct rest_answer *answer)
{
    const struct aspect *aspect = aspect_of(query);
    if (aspect == NULL) {
        return broken(answer, "no such page");
    }
    struct rest_query next = *query;
    next.page++;
    answer->more = aspect_of(&next) != NULL;
    answer->mode_self_trade = FACT_YES; /* no setting of the account: every order says EXPIRE_MAKER */
    if (query->product == PRODUCT_SPOT) {
        answer->mode_one_way = answer->mode_cross = answer->mode_single_asset =
            FACT_YES; /* nothing to choose */
    } else if (query->product == PRODUCT_INVERSE) {
        answer->mode_single_asset = FACT_YES;
    }
    switch (aspect->aspect) {
    case ASPECT_ONE_WAY:
        answer->mode_one_way = fact(&fields[BODY_DUAL], true);
        return answer->mode_one_way != FACT_UNKNOWN ? REST_OK : broken(answer, "no dualSidePosition");
    case ASPECT_SINGLE:
        answer->mode_single_asset = fact(&fields[BODY_MULTI], true);
        return answer->mode_single_asset != FACT_UNKNOWN ? REST_OK : broken(answer, "no multiAssetsMargin");
    case ASPECT_CROSS:
        if (whole->type != SCAN_ARRAY) {
            return broken(answer, "not an array");
        }
        answer->mode_cross = cross_fact(query, whole);
        return REST_OK;
    default:
        answer->can_trade = fact(&fields[BODY_CAN_TRADE], false);
        return answer->can_trade != FACT_UNKNOWN ? REST_OK : broken(answer, "no canTrade");
    }
}

static enum rest_result instruments_answer(const struct rest_query *query, const struct scan_value *symbols,
                                           struct rest_answer *answer)
{
    if (symbols->type != SCAN_ARRAY) {
        return broken(answer, "no symbols");
    }
    for (int pass = 0; pass < 2; pass++) {
        struct scan scan;
        struct scan_value item;
        scan_open(&scan, symbols->at, symbols->bytes);
        scan_array(&scan);
        while (scan_item(&scan) && scan_take(&scan, &item)) {
            if (!instrument_row(query->product, &item, answer, pass == 0)) {
                return broken(answer, "a symbol is not an object with a name");
            }
        }
    }
    return REST_OK;
}

/* "IP banned until 1658476800000. Please ...": the end of a ban stands in the words only. */
static int64_t banned_until_ns(const char *text, size_t bytes)
{
    static const char words_before[] = "banned until ";
    const char *at = memmem(text, bytes, words_before, sizeof words_before - 1), *end = text + bytes;
    int64_t ms = 0;
    for (at = at != NULL ? at + sizeof words_before - 1 : end; at < end && *at >= '0' && *at <= '9'; at++) {
        if (ms >= INT64_MAX / 1000000 / 10) {
            return 0; /* no time of this age */
        }
        ms = ms * 10 + (*at - '0');
    }
    return ms * 1000000;
}

static enum rest_result refused(const struct rest_query *query, int status, int64_t code, const char *text,
                                size_t bytes, struct binance_reader *reader, struct rest_answer *answer)
{
    answer->code = (int32_t)code;
    words(answer, text, bytes);
    uint8_t outcome = binance_outcome(query->product, status, code, text, bytes);
    if (outcome == BINANCE_OUTCOME_UNKNOWN) {
        return REST_UNKNOWN;
    }
    answer->time_refused = outcome == REASON_TIME;
    if (outcome == REASON_RATE_LIMIT) {
        answer->retry_at_ns = banned_until_ns(text, bytes);
        return REST_LATER;
    }
    if (query->what == REST_ORDER && code == -2013) {
        reader->request = REQUEST_QUERY;
        reader->order = query->order;
        reader->instrument = query->instrument != NULL ? query->instrument->index : NO_INSTRUMENT;
        binance_refusal(reader, status, code, text, bytes);
        answer->rows = reader->rows;
        return REST_OK;
    }
    if (query->what == REST_CANCEL_ALL && code == -2011) {
        return REST_OK; /* spot: there was nothing to cancel */
    }
    return REST_REFUSED;
}

static enum rest_result objects(const struct rest_query *query, const struct scan_value *whole,
                                enum binance_shape only, struct binance_reader *reader,
                                struct rest_answer *answer)
{
    if (whole->type == SCAN_OBJECT && only == SHAPE_FILL) {
        return broken(answer, "not an array");
    }
    if (!binance_value(reader, whole, only)) {
        return broken(answer, reader->why != NULL ? reader->why : "not what was asked for");
    }
    answer->rows = reader->rows;
    answer->skipped = reader->skipped;
    (void)query;
    return REST_OK;
}

static uint32_t items_of(const struct scan_value *array)
{
    struct scan scan;
    struct scan_value item;
    uint32_t count = 0;
    scan_open(&scan, array->at, array->bytes);
    for (scan_array(&scan); scan_item(&scan) && scan_take(&scan, &item);) {
        count++;
    }
    return count;
}

static enum rest_result fills(const struct rest_query *query, const struct scan_value *whole,
                              struct binance_reader *reader, struct rest_answer *answer)
{
    enum rest_result result = objects(query, whole, SHAPE_FILL, reader, answer);
    if (result != REST_OK) {
        return result;
    }
    answer->next_from_id = reader->last_id != 0 ? reader->last_id + 1 : query->from_id;
    if (items_of(whole) >= FILLS_LIMIT) {
        answer->more = true; /* from next_from_id on */
    } else if (query->from_id == 0 && query->since_ns != 0) {
        int64_t covered = query->since_ns + (query->page + 1) * window_ns(query->product);
        answer->more = covered < query->until_ns;
        answer->next_from_id = answer->more ? 0 : answer->next_from_id; /* the next window, by page */
    }
    return REST_OK;
}

/* Whatever it is, for a person. */
static enum rest_result any(const struct rest_query *query, const struct scan_value *whole,
                            const struct scan_value fields[BODY_COUNT], struct binance_reader *reader,
                            struct rest_answer *answer)
{
    answer->server_time_ns = scan_time_ns(&fields[BODY_SERVER_TIME]);
    if (fields[BODY_SYMBOLS].type == SCAN_ARRAY) {
        return instruments_answer(query, &fields[BODY_SYMBOLS], answer);
    }
    answer->mode_one_way = fact(&fields[BODY_DUAL], true);
    answer->mode_single_asset = fact(&fields[BODY_MULTI], true);
    answer->can_trade = fact(&fields[BODY_CAN_TRADE], false);
    answer->can_withdraw = fact(&fields[BODY_WITHDRAWALS], false);
    answer->mode_cross = whole->type == SCAN_ARRAY ? cross_fact(query, whole) : FACT_UNKNOWN;
    reader->request = answer->hooks != NULL ? answer->hooks->reply_to : REQUEST_NONE;
    return objects(query, whole, SHAPE_OTHER, reader, answer);
}

static enum rest_result parse(const struct rest_query *query, int status, const char *bytes, size_t count,
                              struct rest_answer *answer)
{
    struct binance_reader reader = {
        .instruments = answer->instruments,
        .hooks = answer->hooks,
        .sink = &answer->sink,
        .account = answer->account,
        .product = query->product,
        .flags = RECORD_FLAG_REST,
        .instrument = NO_INSTRUMENT,
    };
    struct scan scan, inner;
    struct scan_value whole = { 0 }, fields[BODY_COUNT] = { 0 };
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
    int64_t code = 0;
    if (sound && whole.type == SCAN_OBJECT) {
        scan_open(&inner, whole.at, whole.bytes);
        scan_fields(&inner, NULL, body_names, BODY_COUNT, fields);
        scan_signed(&fields[BODY_CODE], &code);
    }
    const char *text = fields[BODY_MSG].type == SCAN_STRING ? fields[BODY_MSG].at : "";
    size_t text_bytes = fields[BODY_MSG].type == SCAN_STRING ? fields[BODY_MSG].bytes : 0;
    if (status != 200 || code < 0) {
        return refused(query, status == 200 ? 400 : status, code, text, text_bytes, &reader, answer);
    }
    if (!sound) {
        return broken(answer, scan.state == SCAN_SHORT ? "the body is cut short" : "the body is not JSON");
    }

    switch (query->what) {
    case REST_TIME:
        answer->server_time_ns = scan_time_ns(&fields[BODY_SERVER_TIME]);
        return answer->server_time_ns != 0 ? REST_OK : broken(answer, "no serverTime");
    case REST_INSTRUMENTS:
        answer->server_time_ns = scan_time_ns(&fields[BODY_SERVER_TIME]);
        return instruments_answer(query, &fields[BODY_SYMBOLS], answer);
    case REST_ACCOUNT_MODE:
        return account_mode(query, &whole, fields, answer);
    case REST_OPEN_ORDERS:
        reader.request = REQUEST_QUERY;
        return whole.type == SCAN_ARRAY ? objects(query, &whole, SHAPE_ORDER, &reader, answer)
                                        : broken(answer, "not an array");
    case REST_ORDER:
        reader.request = REQUEST_QUERY;
        return whole.type == SCAN_OBJECT ? objects(query, &whole, SHAPE_ORDER, &reader, answer)
                                         : broken(answer, "not an object");
    case REST_POSITIONS:
        reader.flags |= RECORD_FLAG_SNAP;
        return whole.type == SCAN_ARRAY ? objects(query, &whole, SHAPE_POSITION, &reader, answer)
                                        : broken(answer, "not an array");
    case REST_BALANCES:
        reader.flags |= RECORD_FLAG_SNAP;
        return objects(query, &whole, SHAPE_BALANCE, &reader, answer);
    case REST_FILLS:
        return fills(query, &whole, &reader, answer);
    case REST_FEES:
        return objects(query, &whole, SHAPE_FEE, &reader, answer);
    case REST_MARK:
        return objects(query, &whole, SHAPE_MARK, &reader, answer);
    case REST_PAYMENTS: {
        reader.only_payments = true;
        enum rest_result result = objects(query, &whole, SHAPE_INCOME, &reader, answer);
        answer->more = result == REST_OK && items_of(&whole) >= FILLS_LIMIT;
        return result;
    }
    case REST_CANCEL_ALL:
        reader.request = REQUEST_CANCEL_ALL;
        return whole.type == SCAN_ARRAY ? objects(query, &whole, SHAPE_ORDER, &reader, answer) : REST_OK;
    case REST_DEAD_MAN:
        return fields[BODY_COUNTDOWN].type != SCAN_NONE ? REST_OK : broken(answer, "no countdownTime");
    case REST_DEPTH:
        return fields[BODY_LAST_UPDATE].type != SCAN_NONE ? REST_OK : broken(answer, "no lastUpdateId");
    case REST_ANY:
        reader.flags = 0;
        return any(query, &whole, fields, &reader, answer);
    case REST_KEY_RIGHTS:
        answer->can_withdraw = fact(&fields[BODY_WITHDRAWALS], false);
        answer->can_trade = fact(&fields[BODY_SPOT_TRADING], false);
        return answer->can_withdraw != FACT_UNKNOWN ? REST_OK : broken(answer, "no enableWithdrawals");
    default:
        return broken(answer, "not a question to this venue");
    }
}

const struct venue_rest binance_rest = {
    .request = request,
    .parse = parse,
};
