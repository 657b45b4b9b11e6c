/* product: what differs between Deribit's products, and what a symbol says about its instrument.
 *
 * All products share one host, one socket, one login and one method for each thing; they are told apart by
 * the symbol, which says everything about an instrument but its numbers:
 *
 * spot     BTC_USDC                  base and quote are owned
 * linear   BTC_USDC-PERPETUAL        margined in the quote, amounts in coin; dated ones BTC_USDC-27MAR26
 * inverse  BTC-PERPETUAL             margined in the coin, amounts in USD; dated ones BTC-27MAR26
 * option   BTC-27MAR26-100000-C      inverse family: premium in coin; BTC_USDC-..: in the quote; amounts in
 * coin
 *
 * A combo (BTC-FS-27MAR26_PERP, BTC-CS-..) belongs to the product of its legs and has no instrument kind: it
 * is a way to trade them, not a thing to hold. */
#ifndef POISE_VENUES_DERIBIT_PRODUCT_H
#define POISE_VENUES_DERIBIT_PRODUCT_H

#include "venues/scan.h"
#include "venues/venue.h"

#define DERIBIT_HOST      "www.deribit.com"
#define DERIBIT_PORT      443
#define DERIBIT_WS_PATH   "/ws/api/v2"
#define DERIBIT_HTTP_PATH "/api/v2" /* the method follows: "/api/v2/public/get_time" */

struct deribit_product {
    const char *kind; /* what get_instruments calls it; NULL: no such product */
    const char *type; /* its instrument_type; NULL: either */
};

/* deribit_products is indexed by enum product. */
extern const struct deribit_product deribit_products[PRODUCT_COUNT];

/* deribit_product answers the row, or NULL. */
static inline const struct deribit_product *deribit_product(uint8_t product)
{
    return product < PRODUCT_COUNT && deribit_products[product].kind != NULL ? &deribit_products[product]
                                                                             : NULL;
}

/* What a symbol says. */
struct deribit_symbol {
    uint8_t product; /* enum product; PRODUCT_NONE: not a symbol of Deribit's */
    uint8_t kind;    /* enum instrument_kind; KIND_NONE: a combo */
    bool combo;
    bool linear;       /* named after a pair: settles in the quote */
    const char *base;  /* into the symbol */
    const char *quote; /* into the symbol, or "USD": what the strike and the future are priced in */
    uint8_t base_bytes;
    uint8_t quote_bytes;
};

/* deribit_symbol reads a symbol, which need not be terminated; it never fails: see product. */
struct deribit_symbol deribit_symbol(const char *symbol, size_t bytes);

/* deribit_product_of is struct venue.product_of. */
uint8_t deribit_product_of(const char *symbol, size_t bytes);

/* deribit_endpoint fills in where a connection goes. */
void deribit_endpoint(struct venue_endpoint *endpoint, enum transport transport);

/* deribit_hosts is struct venue.hosts. */
uint32_t deribit_hosts(uint8_t product, const char **out, uint32_t max);

/* deribit_status reads the state of an instrument or a book ("open"), of any year's vocabulary; a word that
 * is not known is INSTRUMENT_UNKNOWN. */
enum instrument_status deribit_status(const struct scan_value *text);

extern const struct venue_feed deribit_feed;
extern const struct venue_order deribit_order;
extern const struct venue_rest deribit_rest;

#endif
