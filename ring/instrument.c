#include "ring/instrument.h"
#include "ring/decimal.h"

#include <string.h>

/* clang-format off */
const char *const venue_names[VENUE_COUNT] = {
    [VENUE_NONE]        = "none",
    [VENUE_BINANCE]     = "binance",
    [VENUE_OKX]         = "okx",
    [VENUE_BYBIT]       = "bybit",
    [VENUE_DERIBIT]     = "deribit",
    [VENUE_HYPERLIQUID] = "hyperliquid",
    [VENUE_BACKPACK]    = "backpack",
    [VENUE_GATE]        = "gate",
    [VENUE_BITMEX]      = "bitmex",
    [VENUE_THENA]       = "thena",
    [VENUE_ALPACA]      = "alpaca",
};

const char *const product_names[PRODUCT_COUNT] = {
    [PRODUCT_NONE]    = "none",
    [PRODUCT_SPOT]    = "spot",
    [PRODUCT_LINEAR]  = "linear",
    [PRODUCT_INVERSE] = "inverse",
    [PRODUCT_OPTION]  = "option",
    [PRODUCT_ALL]     = "all",
};

const char *const kind_names[KIND_COUNT] = {
    [KIND_NONE]              = "none",
    [KIND_SPOT]              = "spot",
    [KIND_LINEAR_PERPETUAL]  = "linear_perpetual",
    [KIND_INVERSE_PERPETUAL] = "inverse_perpetual",
    [KIND_QUANTO_PERPETUAL]  = "quanto_perpetual",
    [KIND_LINEAR_FUTURE]     = "linear_future",
    [KIND_INVERSE_FUTURE]    = "inverse_future",
    [KIND_OPTION]            = "option",
    [KIND_ETF_SHARE]         = "etf_share",
    [KIND_AMM_POOL]          = "amm_pool",
};
/* clang-format on */

#define HASH_MASK (INSTRUMENT_MAX * 4 - 1)
_Static_assert((INSTRUMENT_MAX & (INSTRUMENT_MAX - 1)) == 0, "the hash wraps by a mask");

void instrument_table_reset(struct instrument_table *table)
{
    memset(table, 0, sizeof *table);
}

static uint32_t hash_of(uint8_t venue, uint8_t product, const char *symbol, size_t bytes)
{
    uint64_t hash = 0xcbf29ce484222325ULL ^ ((uint64_t)venue << 8 | product);
    for (size_t i = 0; i < bytes; i++) {
        hash = (hash ^ (unsigned char)symbol[i]) * 0x100000001b3ULL;
    }
    return (uint32_t)(hash ^ (hash >> 29)) & HASH_MASK;
}

/* The place of the symbol in the hash: its own, or the free one where it would go.  The hash is at most a
 * quarter full, so the walk is short and always ends. */
static uint32_t place_of(const struct instrument_table *table, uint8_t venue, uint8_t product,
                         const char *symbol, size_t bytes)
{
    uint32_t at = hash_of(venue, product, symbol, bytes);
    for (;; at = (at + 1) & HASH_MASK) {
        uint16_t entry = table->hash[at];
        if (entry == 0) {
            return at;
        }
        const struct instrument *row = &table->row[entry - 1];
        if (row->venue == venue && row->product == product && memcmp(row->symbol, symbol, bytes) == 0 &&
            row->symbol[bytes] == '\0') {
            return at;
        }
    }
}

uint16_t instrument_add(struct instrument_table *table, const struct instrument *row)
{
    size_t bytes = strnlen(row->symbol, INSTRUMENT_SYMBOL_BYTES);
    if (table->count >= INSTRUMENT_MAX || bytes >= INSTRUMENT_SYMBOL_BYTES) {
        return UINT16_MAX;
    }
    uint32_t at = place_of(table, row->venue, row->product, row->symbol, bytes);
    if (table->hash[at] != 0) {
        return UINT16_MAX;
    }
    uint16_t index = (uint16_t)table->count++;
    table->row[index] = *row;
    table->row[index].index = index;
    table->hash[at] = (uint16_t)(index + 1);
    return index;
}

const struct instrument *instrument_find(const struct instrument_table *table, uint8_t venue, uint8_t product,
                                         const char *symbol, size_t symbol_bytes)
{
    if (POISE_UNLIKELY(symbol_bytes >= INSTRUMENT_SYMBOL_BYTES)) {
        return NULL;
    }
    uint16_t entry = table->hash[place_of(table, venue, product, symbol, symbol_bytes)];
    return entry == 0 ? NULL : &table->row[entry - 1];
}

const struct instrument *instrument_by_name(const struct instrument_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->count; i++) {
        if (strncmp(table->row[i].name, name, INSTRUMENT_NAME_BYTES) == 0) {
            return &table->row[i];
        }
    }
    return NULL;
}

uint16_t currency_find(struct instrument_table *table, const char *code, size_t bytes, bool add)
{
    if (bytes == 0 || bytes >= CURRENCY_BYTES) {
        return CURRENCY_NONE;
    }
    for (uint32_t i = 0; i < table->currency_count; i++) {
        if (memcmp(table->currency[i].code, code, bytes) == 0 && table->currency[i].code[bytes] == '\0') {
            return (uint16_t)i;
        }
    }
    if (!add || table->currency_count >= CURRENCY_MAX) {
        return CURRENCY_NONE;
    }
    struct currency *currency = &table->currency[table->currency_count];
    memset(currency, 0, sizeof *currency);
    memcpy(currency->code, code, bytes);
    currency->decimals = DECIMAL_MONEY;
    return (uint16_t)table->currency_count++;
}

const char *currency_code(const struct instrument_table *table, uint16_t currency)
{
    return currency < table->currency_count ? table->currency[currency].code : "?";
}

/* a x b x c / 10^down in 1e-8 fits an int64, and a x b x c fits 128 bits. */
static bool value_fits(int64_t a, int64_t b, int64_t c, int down)
{
    int128 product;
    if (__builtin_mul_overflow((int128)a * b, c, &product)) {
        return false;
    }
    for (; down > 0; down--) {
        product /= 10;
    }
    return product <= INT64_MAX;
}

const char *instrument_check(const struct instrument *row)
{
    if (row->kind == KIND_NONE || row->kind >= KIND_COUNT) {
        return "kind is not known";
    }
    if (row->venue == VENUE_NONE || row->venue >= VENUE_COUNT) {
        return "venue is not known";
    }
    if (row->product == PRODUCT_NONE || row->product >= PRODUCT_ALL) {
        return "product is not known";
    }
    if (row->symbol[0] == '\0' || memchr(row->symbol, '\0', sizeof row->symbol) == NULL ||
        memchr(row->name, '\0', sizeof row->name) == NULL) {
        return "symbol or name is empty or too long";
    }
    if (row->price_decimals > 12 || row->qty_decimals > 12) {
        return "more than 12 decimals";
    }
    if (row->tick <= 0 || row->lot <= 0) {
        return "tick and lot must be above 0";
    }
    if (row->contract_e8 <= 0) {
        return "contract value must be above 0";
    }
    if (row->min_qty < 0 || row->max_qty < row->min_qty || row->max_qty < row->lot) {
        return "max_qty must be at least min_qty and one lot, min_qty at least 0";
    }
    if (row->max_market_qty < 0 || row->min_notional_e8 < 0) {
        return "max_market_qty and min_notional must be at least 0";
    }
    if (row->min_price < 0 || (row->max_price != 0 && row->max_price < base_max(row->min_price, row->tick))) {
        return "max_price must be at least min_price and one tick, min_price at least 0";
    }
    if (row->band_up_ppm < 0 || row->band_down_ppm < 0) {
        return "price bands must be at least 0";
    }

    /* With contract_e8 inside, a product of the three is in 1e-8 once the decimals are taken off. */
    bool inverse = row->kind == KIND_INVERSE_PERPETUAL || row->kind == KIND_INVERSE_FUTURE;
    if (inverse) {
        if (!value_fits(row->max_qty, row->contract_e8, 1, row->qty_decimals)) {
            return "max_qty x contract is beyond 64 bits";
        }
        /* The other way round: the coin of the largest order at the lowest price is kept in 1e-12. */
        int128 coin;
        if (__builtin_mul_overflow((int128)row->max_qty * row->contract_e8,
                                   decimal_power[row->price_decimals + 4], &coin)) {
            return "max_qty x contract / price is beyond 128 bits";
        }
        return NULL;
    }
    bool option = row->kind == KIND_OPTION;
    if (option != (row->option == OPTION_CALL || row->option == OPTION_PUT) ||
        (option ? row->strike_e8 <= 0 : row->strike_e8 != 0)) {
        return "an option, and nothing else, has a type and a strike above 0";
    }
    /* A share's price is a share's, whatever coin is behind it. */
    int64_t contract_e8 = row->kind == KIND_ETF_SHARE ? DECIMAL_E8 : row->contract_e8;
    int64_t price = row->max_price != 0 ? row->max_price : row->tick;
    if (!value_fits(row->max_qty, price, contract_e8, row->qty_decimals + row->price_decimals)) {
        return "max_qty x max_price x contract is beyond 64 bits";
    }
    if (!value_fits(row->max_qty, 1, row->contract_e8, row->qty_decimals)) {
        return "max_qty x contract is beyond 64 bits";
    }
    return NULL;
}
