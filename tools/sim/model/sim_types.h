/* sim_types: the words the venue model shares: kinds, sides, instruments, tape events.
 *
 * Prices and quantities are int64 counts of the instrument's own decimal unit.  Cash is int64 at 10^-8
 * (suffix _e8), exact sums of notional are __int128 at 10^-16 (suffix _e16), rates are at 10^-8. */
#ifndef TOOLS_SIM_MODEL_SIM_TYPES_H
#define TOOLS_SIM_MODEL_SIM_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIM_CASH_ONE INT64_C(100000000)

enum sim_kind { SIM_SPOT, SIM_LINEAR, SIM_INVERSE, SIM_KIND_COUNT };
enum sim_side { SIM_BUY, SIM_SELL }; /* also the index of a book side: bids, asks */

struct sim_instrument {
    char symbol[24];
    char pair[24];
    char base[8];
    char quote[8];
    char settle[8]; /* the asset that P&L, fees and margin are in; on spot the quote asset */
    enum sim_kind kind;
    int price_decimals;
    int qty_decimals;
    int64_t tick;
    int64_t step;
    int64_t min_qty;
    int64_t max_qty;
    int64_t max_market_qty;
    int64_t min_price;
    int64_t max_price;
    int64_t min_notional_e8; /* 0: none */
    int64_t contract_size;   /* inverse: quote units per contract */
    int64_t band_ppm;        /* limit prices stay within mark * (1 +/- band) */
    int64_t maker_rate_e8;   /* 0.02 % is 20000 */
    int64_t taker_rate_e8;
    int64_t maintenance_rate_e8;
    int64_t funding_rate_e8; /* per interval; longs pay when positive */
    int64_t funding_interval_ns;
    int max_orders;
    int max_amends;
    uint64_t first_order_id;
    int64_t first_trade_id;
    int trade_family; /* instruments of one family (not 0) draw trade ids from one counter */
    int64_t first_trade_seq;
    int64_t expiry_ms; /* 0: never */
};

struct sim_level {
    int64_t price;
    int64_t qty;
};

enum sim_tape_kind {
    SIM_TAPE_SNAPSHOT, /* the whole book at u */
    SIM_TAPE_DEPTH,    /* absolute sizes of the levels that changed over first_u..u */
    SIM_TAPE_TOP,      /* best bid and ask at u: levels[0] is the bid, levels[1] the ask */
    SIM_TAPE_TRADE,    /* levels[0] is price and quantity */
    SIM_TAPE_END,      /* the recording ends: the feed is cut until the next SNAPSHOT */
};

/* One recorded thing.  stamp_ms is the recording's own venue time, used only to tell whether a depth frame
 * already contains a trade; when something happens is always the now_ns of the call. */
struct sim_tape_event {
    enum sim_tape_kind kind;
    int instrument;
    int64_t recv_ns;
    int64_t stamp_ms;
    int64_t first_u;
    int64_t u;
    int64_t pu;
    uint32_t bid_count;
    uint32_t ask_count;
    const struct sim_level *levels; /* bids, then asks */
    bool buyer_is_maker;            /* TRADE: the aggressor sold */
    int64_t trade_id;
};

#endif
