#include "venues/binance/product.h"

#include <string.h>

const struct binance_product binance_products[PRODUCT_COUNT] = {
    [PRODUCT_SPOT] = {
        .rest_host = "api.binance.com",
        .stream_host = "stream.binance.com",
        .api_host = "ws-api.binance.com",
        .api_path = "/ws-api/v3",
        .public_path = "/stream",
        .heartbeat_s = 20,
        .depth_limit = 5000,
        .depth_weight = 250,
        .depth_path = "/api/v3/depth",
    },
    [PRODUCT_LINEAR] = {
        .rest_host = "fapi.binance.com",
        .stream_host = "fstream.binance.com",
        .api_host = "ws-fapi.binance.com",
        .api_path = "/ws-fapi/v1",
        .public_path = "/public/stream",
        .market_path = "/market/stream",
        .private_path = "/private/ws?listenKey=",
        .heartbeat_s = 180,
        .depth_limit = 1000,
        .depth_weight = 20,
        .depth_path = "/fapi/v1/depth",
    },
    [PRODUCT_INVERSE] = {
        .rest_host = "dapi.binance.com",
        .stream_host = "dstream.binance.com",
        .api_host = "ws-dapi.binance.com",
        .api_path = "/ws-dapi/v1",
        .public_path = "/stream",
        .private_path = "/ws/",
        .heartbeat_s = 180,
        .depth_limit = 1000,
        .depth_weight = 20,
        .depth_path = "/dapi/v1/depth",
    },
};

const struct venue venue_binance = {
    .name = "binance",
    .id = VENUE_BINANCE,
    .products = 1 << PRODUCT_SPOT | 1 << PRODUCT_LINEAR | 1 << PRODUCT_INVERSE,
    .has_dead_man = true,
    .amend_keeps_id = true,
    .amend_is_cancel_below = 1,
    .feed = &binance_feed,
    .order = &binance_order,
    .rest = &binance_rest,
    .hosts = binance_hosts,
};

void binance_endpoint(struct venue_endpoint *endpoint, enum transport transport, const char *host,
                      const char *path)
{
    memset(endpoint, 0, sizeof *endpoint);
    endpoint->transport = (uint8_t)transport;
    endpoint->port = BINANCE_PORT;
    POISE_ASSERT(strlen(host) < sizeof endpoint->host && strlen(path) < sizeof endpoint->path);
    memcpy(endpoint->host, host, strlen(host));
    memcpy(endpoint->path, path, strlen(path));
}

uint32_t binance_hosts(uint8_t product, const char **out, uint32_t max)
{
    const struct binance_product *row = binance_product(product);
    if (row == NULL) {
        return 0;
    }
    const char *const hosts[] = { row->rest_host, row->stream_host, row->api_host };
    uint32_t count = 0;
    for (; count < POISE_COUNT_OF(hosts) && count < max; count++) {
        out[count] = hosts[count];
    }
    return count;
}

/* clang-format off */
static const struct {
    const char *text;
    enum instrument_status status;
} statuses[] = {
    { "TRADING",         INSTRUMENT_TRADING },
    { "CANCEL_ONLY",     INSTRUMENT_CANCEL_ONLY },
    { "HALT",            INSTRUMENT_HALTED },
    { "BREAK",           INSTRUMENT_HALTED },
    { "END_OF_DAY",      INSTRUMENT_HALTED },
    { "PENDING_TRADING", INSTRUMENT_HALTED },
    { "PRE_TRADING",     INSTRUMENT_HALTED },
    { "POST_TRADING",    INSTRUMENT_HALTED },
    { "AUCTION_MATCH",   INSTRUMENT_HALTED },
    { "PRE_SETTLE",      INSTRUMENT_SETTLING },
    { "SETTLING",        INSTRUMENT_SETTLING },
    { "PRE_DELIVERING",  INSTRUMENT_SETTLING },
    { "DELIVERING",      INSTRUMENT_SETTLING },
    { "DELIVERED",       INSTRUMENT_CLOSED },
    { "CLOSE",           INSTRUMENT_CLOSED },
};
/* clang-format on */

enum instrument_status binance_status(const struct scan_value *text)
{
    for (size_t i = 0; i < POISE_COUNT_OF(statuses); i++) {
        if (scan_is(text, statuses[i].text)) {
            return statuses[i].status;
        }
    }
    return INSTRUMENT_UNKNOWN;
}
