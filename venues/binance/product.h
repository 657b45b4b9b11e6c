/* product: what differs between Binance's three products: hosts, paths, and which of them exist.
 *
 * spot     base and quote are owned; orders and user data on one WebSocket API connection; no dead-man
 * linear   USD-M futures: margined in a stable coin, quantities in coin; streams split over three routes
 * inverse  COIN-M futures: margined in the coin, quantities in contracts of a fixed USD size */
#ifndef POISE_VENUES_BINANCE_PRODUCT_H
#define POISE_VENUES_BINANCE_PRODUCT_H

#include "venues/scan.h"
#include "venues/venue.h"

#define BINANCE_PORT 443

struct binance_product {
    const char *rest_host;
    const char *stream_host;
    const char *api_host; /* WebSocket API: orders */
    const char *api_path;
    const char *public_path;  /* streams of books, tops and trades */
    const char *market_path;  /* streams of marks; NULL: on the public path too, or none */
    const char *private_path; /* user data, the listen key follows; NULL: on the WebSocket API */
    uint8_t heartbeat_s;      /* the venue pings this often */
    uint16_t depth_limit;     /* levels a side of a snapshot, and what it weighs */
    uint16_t depth_weight;
    const char *depth_path;
};

/* binance_products is indexed by enum product; rest_host is NULL where Binance has no such product here. */
extern const struct binance_product binance_products[PRODUCT_COUNT];

/* binance_product answers the row, or NULL. */
static inline const struct binance_product *binance_product(uint8_t product)
{
    return product < PRODUCT_COUNT && binance_products[product].rest_host != NULL ? &binance_products[product]
                                                                                  : NULL;
}

/* binance_endpoint fills in where a connection goes. */
void binance_endpoint(struct venue_endpoint *endpoint, enum transport transport, const char *host,
                      const char *path);

/* binance_hosts is struct venue.hosts. */
uint32_t binance_hosts(uint8_t product, const char **out, uint32_t max);

/* binance_status reads an instrument's status ("TRADING") of any product. */
enum instrument_status binance_status(const struct scan_value *text);

extern const struct venue_feed binance_feed;
extern const struct venue_order binance_order;
extern const struct venue_rest binance_rest;

#endif
