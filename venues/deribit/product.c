#include "venues/deribit/product.h"

#include <string.h>

const struct deribit_product deribit_products[PRODUCT_COUNT] = {
    [PRODUCT_SPOT] = { .kind = "spot" },
    [PRODUCT_LINEAR] = { .kind = "future", .type = "linear" },
    [PRODUCT_INVERSE] = { .kind = "future", .type = "reversed" },
    [PRODUCT_OPTION] = { .kind = "option" },
};

const struct venue venue_deribit = {
    .name = "deribit",
    .id = VENUE_DERIBIT,
    .products = 1 << PRODUCT_SPOT | 1 << PRODUCT_LINEAR | 1 << PRODUCT_INVERSE | 1 << PRODUCT_OPTION,
    .has_dead_man = true,
    .amend_keeps_id = true,
    .feed = &deribit_feed,
    .order = &deribit_order,
    .rest = &deribit_rest,
    .product_of = deribit_product_of,
    .hosts = deribit_hosts,
};

void deribit_endpoint(struct venue_endpoint *endpoint, enum transport transport)
{
    memset(endpoint, 0, sizeof *endpoint);
    endpoint->transport = (uint8_t)transport;
    endpoint->port = DERIBIT_PORT;
    memcpy(endpoint->host, DERIBIT_HOST, sizeof DERIBIT_HOST);
    if (transport == TRANSPORT_WS) {
        memcpy(endpoint->path, DERIBIT_WS_PATH, sizeof DERIBIT_WS_PATH);
    }
}

uint32_t deribit_hosts(uint8_t product, const char **out, uint32_t max)
{
    if ((deribit_product(product) == NULL && product != PRODUCT_ALL) || max == 0) {
        return 0;
    }
    out[0] = DERIBIT_HOST;
    return 1;
}

/* clang-format off */
static const struct {
    const char *text;
    enum instrument_status status;
} statuses[] = {
    { "open",       INSTRUMENT_TRADING },
    { "started",    INSTRUMENT_TRADING },     /* until 2026 */
    { "locked",     INSTRUMENT_CANCEL_ONLY }, /* an incident */
    { "halted",     INSTRUMENT_CANCEL_ONLY }, /* planned maintenance */
    { "inactive",   INSTRUMENT_HALTED },      /* its orders are gone; a combo may come back */
    { "created",    INSTRUMENT_HALTED },      /* until 2026: announced */
    { "settlement", INSTRUMENT_SETTLING },
    { "settled",    INSTRUMENT_SETTLING },    /* until 2026 */
    { "delivered",  INSTRUMENT_CLOSED },
    { "closed",     INSTRUMENT_CLOSED },
    { "terminated", INSTRUMENT_CLOSED },      /* until 2026 */
    { "archivized", INSTRUMENT_CLOSED },
};
/* clang-format on */

enum instrument_status deribit_status(const struct scan_value *text)
{
    for (size_t i = 0; i < POISE_COUNT_OF(statuses); i++) {
        if (scan_is(text, statuses[i].text)) {
            return statuses[i].status;
        }
    }
    return INSTRUMENT_UNKNOWN;
}

/* ------------------------------------------------------------------ symbols */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

/* "5JUN26", "25DEC26" */
static bool is_date(const char *text, size_t bytes)
{
    size_t day = bytes == 6 ? 1 : 2;
    if (bytes != 6 && bytes != 7) {
        return false;
    }
    for (size_t i = 0; i < bytes; i++) {
        bool letter = i >= day && i < day + 3;
        if (letter ? !is_upper(text[i]) : !is_digit(text[i])) {
            return false;
        }
    }
    return true;
}

/* "42000-C", "0d625-P": a strike's point is a d */
static bool is_strike(const char *text, size_t bytes)
{
    size_t digits = bytes > 2 ? bytes - 2 : 0, points = 0;
    if (digits == 0 || text[bytes - 2] != '-' || (text[bytes - 1] != 'C' && text[bytes - 1] != 'P')) {
        return false;
    }
    for (size_t i = 0; i < digits; i++) {
        points += text[i] == 'd';
        if (!is_digit(text[i]) && (text[i] != 'd' || i == 0 || i + 1 == digits)) {
            return false;
        }
    }
    return points <= 1;
}

/* "BTC" or "BTC_USDC" */
static bool read_pair(const char *text, size_t bytes, struct deribit_symbol *out)
{
    size_t bar = 0, bars = 0;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == '_') {
            bar = i;
            bars++;
        } else if (!is_upper(text[i]) && !is_digit(text[i])) {
            return false;
        }
    }
    if (bytes == 0 || bytes > 2 * CURRENCY_BYTES || bars > 1 ||
        (bars == 1 && (bar == 0 || bar + 1 == bytes))) {
        return false;
    }
    out->linear = bars == 1;
    out->base = text;
    out->base_bytes = (uint8_t)(bars == 1 ? bar : bytes);
    out->quote = bars == 1 ? text + bar + 1 : "USD";
    out->quote_bytes = (uint8_t)(bars == 1 ? bytes - bar - 1 : 3);
    return true;
}

struct deribit_symbol deribit_symbol(const char *symbol, size_t bytes)
{
    struct deribit_symbol out = { 0 };
    const char *dash = memchr(symbol, '-', bytes);
    size_t pair = dash != NULL ? (size_t)(dash - symbol) : bytes;
    if (!read_pair(symbol, pair, &out)) {
        return (struct deribit_symbol){ 0 };
    }
    uint8_t future = out.linear ? PRODUCT_LINEAR : PRODUCT_INVERSE;
    if (dash == NULL) {
        out.product = out.linear ? PRODUCT_SPOT : PRODUCT_NONE;
        out.kind = out.linear ? KIND_SPOT : KIND_NONE;
        return out;
    }
    const char *rest = dash + 1;
    size_t rest_bytes = bytes - pair - 1;
    const char *second = memchr(rest, '-', rest_bytes);
    size_t first = second != NULL ? (size_t)(second - rest) : rest_bytes;

    if (rest_bytes == 9 && memcmp(rest, "PERPETUAL", 9) == 0) {
        out.product = future;
        out.kind = out.linear ? KIND_LINEAR_PERPETUAL : KIND_INVERSE_PERPETUAL;
    } else if (second == NULL && is_date(rest, rest_bytes)) {
        out.product = future;
        out.kind = out.linear ? KIND_LINEAR_FUTURE : KIND_INVERSE_FUTURE;
    } else if (second != NULL && is_date(rest, first) && is_strike(second + 1, rest_bytes - first - 1)) {
        out.product = PRODUCT_OPTION;
        out.kind = KIND_OPTION;
    } else if (second != NULL && first >= 2 && is_upper(rest[0]) && rest_bytes > first + 1) {
        /* a strategy's name and its legs; spreads of futures are the only ones without an option */
        out.combo = true;
        out.product = first == 2 && memcmp(rest, "FS", 2) == 0 ? future : PRODUCT_OPTION;
    }
    return out;
}

uint8_t deribit_product_of(const char *symbol, size_t bytes)
{
    return deribit_symbol(symbol, bytes).product;
}
