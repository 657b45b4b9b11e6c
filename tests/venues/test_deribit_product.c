/* Deribit's products: what a symbol says, and every word for a state. */
#include "venues/deribit/product.h"

#include <criterion/criterion.h>
#include <stdlib.h>

/* clang-format off */
static const struct {
    const char *symbol;
    enum product product;
    enum instrument_kind kind;
    bool combo, linear;
    const char *base, *quote;
} symbols[] = {
    { "BTC-PERPETUAL",                    PRODUCT_INVERSE, KIND_INVERSE_PERPETUAL, false, false, "BTC", "USD" },
    { "BTC_USDC-PERPETUAL",               PRODUCT_LINEAR,  KIND_LINEAR_PERPETUAL,  false, true,  "BTC", "USDC" },
    { "BTC-5JUN26",                       PRODUCT_INVERSE, KIND_INVERSE_FUTURE,    false, false, "BTC", "USD" },
    { "ETH-25DEC26",                      PRODUCT_INVERSE, KIND_INVERSE_FUTURE,    false, false, "ETH", "USD" },
    { "BTCDVOL_USDC-28JAN26",             PRODUCT_LINEAR,  KIND_LINEAR_FUTURE,     false, true,  "BTCDVOL", "USDC" },
    { "BTC-25MAR23-42000-C",              PRODUCT_OPTION,  KIND_OPTION,            false, false, "BTC", "USD" },
    { "XRP_USDC-30JUN23-0d625-P",         PRODUCT_OPTION,  KIND_OPTION,            false, true,  "XRP", "USDC" },
    { "BTC_USDC",                         PRODUCT_SPOT,    KIND_SPOT,              false, true,  "BTC", "USDC" },
    { "ETH_BTC",                          PRODUCT_SPOT,    KIND_SPOT,              false, true,  "ETH", "BTC" },
    { "BTC-FS-25DEC26_PERP",              PRODUCT_INVERSE, KIND_NONE,              true,  false, "BTC", "USD" },
    { "BTC_USDC-FS-29MAY26_PERP",         PRODUCT_LINEAR,  KIND_NONE,              true,  true,  "BTC", "USDC" },
    { "BTC-CS-25DEC26-90000_100000",      PRODUCT_OPTION,  KIND_NONE,              true,  false, "BTC", "USD" },
    { "ETH-STRG-29MAY26-2000_3000",       PRODUCT_OPTION,  KIND_NONE,              true,  false, "ETH", "USD" },
    { "BTC-BOX-29MAY26-90000_100000",     PRODUCT_OPTION,  KIND_NONE,              true,  false, "BTC", "USD" },
    { "BTC",                              PRODUCT_NONE,    KIND_NONE,              false, false, NULL, NULL },
    { "",                                 PRODUCT_NONE,    KIND_NONE,              false, false, NULL, NULL },
    { "btc_usd",                          PRODUCT_NONE,    KIND_NONE,              false, false, NULL, NULL },
    { "BTC_",                             PRODUCT_NONE,    KIND_NONE,              false, false, NULL, NULL },
    { "_USDC",                            PRODUCT_NONE,    KIND_NONE,              false, false, NULL, NULL },
    { "A_B_C",                            PRODUCT_NONE,    KIND_NONE,              false, false, NULL, NULL },
    { "SYN.BTC-25DEC26",                  PRODUCT_NONE,    KIND_NONE,              false, false, NULL, NULL },
    { "BTC-",                             PRODUCT_NONE,    KIND_NONE,              false, false, NULL, NULL },
    { "BTC-PERP",                         PRODUCT_NONE,    KIND_NONE,              false, false, NULL, NULL },
    { "BTC-251231",                       PRODUCT_NONE,    KIND_NONE,              false, false, NULL, NULL },
    { "BTC-25MAR23-42000",                PRODUCT_NONE,    KIND_NONE,              false, false, NULL, NULL },
    { "BTC-25MAR23-d5-C",                 PRODUCT_NONE,    KIND_NONE,              false, false, NULL, NULL },
    { "BTC-25MAR23-1d2d3-C",              PRODUCT_NONE,    KIND_NONE,              false, false, NULL, NULL },
};

static const struct {
    const char *word;
    enum instrument_status status;
} words[] = {
    { "open", INSTRUMENT_TRADING },          { "settlement", INSTRUMENT_SETTLING },
    { "delivered", INSTRUMENT_CLOSED },      { "inactive", INSTRUMENT_HALTED },
    { "locked", INSTRUMENT_CANCEL_ONLY },    { "halted", INSTRUMENT_CANCEL_ONLY },
    { "archivized", INSTRUMENT_CLOSED },     { "created", INSTRUMENT_HALTED },
    { "started", INSTRUMENT_TRADING },       { "settled", INSTRUMENT_SETTLING },
    { "closed", INSTRUMENT_CLOSED },         { "terminated", INSTRUMENT_CLOSED },
    { "Open", INSTRUMENT_UNKNOWN },          { "", INSTRUMENT_UNKNOWN },
};
/* clang-format on */

Test(deribit_product, a_symbol_says_what_it_is)
{
    for (size_t i = 0; i < POISE_COUNT_OF(symbols); i++) {
        const char *text = symbols[i].symbol;
        struct deribit_symbol got = deribit_symbol(text, strlen(text));
        cr_assert_eq(got.product, symbols[i].product, "%s: product %u", text, got.product);
        cr_assert_eq(got.kind, symbols[i].kind, "%s: kind %u", text, got.kind);
        cr_assert_eq(got.combo, symbols[i].combo, "%s", text);
        if (symbols[i].base == NULL) {
            continue;
        }
        cr_assert_eq(got.linear, symbols[i].linear, "%s", text);
        cr_assert(got.base_bytes == strlen(symbols[i].base) &&
                      memcmp(got.base, symbols[i].base, got.base_bytes) == 0,
                  "%s: base", text);
        cr_assert(got.quote_bytes == strlen(symbols[i].quote) &&
                      memcmp(got.quote, symbols[i].quote, got.quote_bytes) == 0,
                  "%s: quote", text);
    }
}

Test(deribit_product, no_part_of_a_symbol_is_read_beyond_its_end)
{
    for (size_t i = 0; i < POISE_COUNT_OF(symbols); i++) {
        size_t bytes = strlen(symbols[i].symbol);
        for (size_t part = 0; part <= bytes; part++) {
            char *copy = malloc(part + (part == 0)); /* its own memory, so that a sanitizer sees its end */
            cr_assert_not_null(copy);
            memcpy(copy, symbols[i].symbol, part);
            struct deribit_symbol got = deribit_symbol(copy, part);
            cr_assert_lt(got.product, PRODUCT_COUNT);
            free(copy);
        }
    }
}

Test(deribit_product, every_word_for_a_state_has_a_meaning_and_a_new_one_none)
{
    for (size_t i = 0; i < POISE_COUNT_OF(words); i++) {
        struct scan_value value = { .at = words[i].word,
                                    .bytes = (uint32_t)strlen(words[i].word),
                                    .type = SCAN_STRING };
        cr_assert_eq(deribit_status(&value), words[i].status, "%s", words[i].word);
    }
    struct scan_value nothing = { 0 };
    cr_assert_eq(deribit_status(&nothing), INSTRUMENT_UNKNOWN);
}

Test(deribit_product, one_host_serves_all_products)
{
    const char *host[2];
    cr_assert_eq(deribit_hosts(PRODUCT_NONE, host, 2), 0);
    for (uint8_t product = PRODUCT_SPOT; product < PRODUCT_COUNT; product++) {
        cr_assert_eq(deribit_hosts(product, host, 2), 1);
        cr_assert_str_eq(host[0], "www.deribit.com");
    }
    struct venue_endpoint endpoint;
    deribit_endpoint(&endpoint, TRANSPORT_WS);
    cr_assert_str_eq(endpoint.path, "/ws/api/v2");
    cr_assert_eq(endpoint.port, 443);
}
