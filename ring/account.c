#include "ring/account.h"

/* Deribit counts 500 credits a question, of 50000 that come back at 10000 a second; the gateway, the cold
 * thread and the feeds share them.  What reaches its matching engine has a bucket by the week's turnover:
 * this is the one without any.  Cancel-alls are counted there too, whatever the venue does.  Binance counts
 * weight by address and minute, 2400 of it where it is least: half is the cold thread's.  Who starts again
 * and again has a full bucket each time, so the venue's own count decides, with a quarter left for orders
 * once there are some. */
const struct account_venue account_venues[VENUE_COUNT] = {
    [VENUE_BINANCE] = { .weight = { 600, 10000 }, .used_header = "X-MBX-USED-WEIGHT-1M", .used_most = 1800, .used_start = 2250 },
    [VENUE_DERIBIT] = {
        .one_login = true,
        .credit = {
            [CREDIT_TRADE] = { 20, 5000 },
            [CREDIT_QUERY] = { 40, 8000 },
            [CREDIT_SUBSCRIBE] = { 3, 1000 },
            [CREDIT_REST] = { 40, 8000 },
            [CREDIT_METADATA] = { 10, 1000 },
            [CREDIT_LOG] = { 1, 800 }, /* one a second, which two at a second's distance may miss on their way */
        },
    },
};
