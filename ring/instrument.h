/* instrument: what can be traded, and in which units.
 *
 * The table is filled by cold at start from configuration and the venues' metadata and is constant while
 * trading; it reaches the strategy only as RECORD_INSTRUMENT.  What changes under way (tick, lot, bounds,
 * status) is told to the strategy by another such record, the stream's word on the status by
 * RECORD_INSTRUMENT_STATE; what an instrument is, and its units, never change in a run.  Price unit is
 * 10^-price_decimals of quote currency per base, qty unit is 10^-qty_decimals of base coin or of one
 * contract; both at least as fine as the venue's tick and lot. */
#ifndef POISE_RING_INSTRUMENT_H
#define POISE_RING_INSTRUMENT_H

#include "ring/base.h"

#define INSTRUMENT_MAX          256
#define INSTRUMENT_SYMBOL_BYTES 32
#define INSTRUMENT_NAME_BYTES   48

enum venue_id {
    VENUE_NONE = 0,
    VENUE_BINANCE,
    VENUE_OKX,
    VENUE_BYBIT,
    VENUE_DERIBIT,
    VENUE_HYPERLIQUID,
    VENUE_BACKPACK,
    VENUE_GATE,
    VENUE_BITMEX,
    VENUE_THENA,
    VENUE_ALPACA,
    VENUE_COUNT
};

/* The part of a venue that has its own hosts, wallets and symbols. */
enum product {
    PRODUCT_NONE = 0,
    PRODUCT_SPOT,
    PRODUCT_LINEAR,
    PRODUCT_INVERSE,
    PRODUCT_OPTION,
    PRODUCT_ALL, /* of an account only: one login trades every product of the venue */
    PRODUCT_COUNT
};

enum instrument_kind {
    KIND_NONE = 0,
    KIND_SPOT,
    KIND_LINEAR_PERPETUAL,
    KIND_INVERSE_PERPETUAL,
    KIND_QUANTO_PERPETUAL,
    KIND_LINEAR_FUTURE,
    KIND_INVERSE_FUTURE,
    KIND_OPTION,
    KIND_ETF_SHARE,
    KIND_AMM_POOL,
    KIND_COUNT
};

enum option_type { OPTION_NONE = 0, OPTION_CALL, OPTION_PUT };

enum instrument_status {
    INSTRUMENT_UNKNOWN = 0, /* no quoting */
    INSTRUMENT_TRADING,
    INSTRUMENT_CANCEL_ONLY,
    INSTRUMENT_HALTED,
    INSTRUMENT_SETTLING,
    INSTRUMENT_CLOSED
};

#define CURRENCY_MAX   64
#define CURRENCY_NONE  UINT16_MAX
#define CURRENCY_BYTES 12

struct instrument {
    char name[INSTRUMENT_NAME_BYTES];     /* "binance.inverse.BTCUSD_PERP": how configuration says it */
    char symbol[INSTRUMENT_SYMBOL_BYTES]; /* the venue's own, exact case */
    uint16_t index;                       /* in the table */
    uint8_t venue;                        /* enum venue_id */
    uint8_t product;                      /* enum product */
    uint8_t kind;                         /* enum instrument_kind */
    uint8_t status;                       /* enum instrument_status when the table was made */
    uint8_t price_decimals;               /* 0..12 */
    uint8_t qty_decimals;                 /* 0..12 */
    uint16_t base;                        /* currency index: the coin whose price it is */
    uint16_t quote;                       /* what prices are in: USD is not USDT */
    uint16_t settle;                      /* what P&L and margin are in */
    uint8_t option;                       /* enum option_type; OPTION_NONE for every other kind */
    uint8_t spare8;
    int64_t tick;            /* price units */
    int64_t lot;             /* qty units */
    int64_t min_qty;         /* qty units */
    int64_t max_qty;         /* qty units, per limit order */
    int64_t max_market_qty;  /* qty units, per market order; 0 same as max_qty */
    int64_t min_notional_e8; /* quote currency; 0 none */
    int64_t contract_e8;     /* per 1 of qty.  Linear, spot, pool, option: base coin; inverse: quote currency;
                                quanto: settlement currency per 1 of price; ETF share: base coin behind it */
    int64_t min_price;       /* price units; 0 none */
    int64_t max_price;       /* price units; 0 none */
    int32_t band_up_ppm;     /* highest buy relative to mark, e.g. 1050000; 0 none */
    int32_t band_down_ppm;   /* lowest sell relative to mark, e.g. 950000; 0 none */
    int64_t expiry_ns;       /* wall time; 0 perpetual or spot */
    int64_t funding_interval_s; /* 0 none */
    int64_t venue_id;           /* numeric id where the venue orders by one; else 0 */
    int64_t strike_e8;          /* option: in the currency the coin's index is in; else 0 */
};

struct currency {
    char code[CURRENCY_BYTES]; /* "USDT" */
    uint8_t decimals;          /* what the venue books in; 8 unless known */
    uint8_t spare[3];
};

/* The table; one per process, owned by the start-up code, read-only afterwards. */
struct instrument_table {
    uint32_t count;
    uint32_t currency_count;
    struct instrument row[INSTRUMENT_MAX];
    struct currency currency[CURRENCY_MAX];
    uint16_t hash[INSTRUMENT_MAX * 4]; /* by (venue, product, symbol): index + 1, 0 free */
};

/* instrument_table_reset empties the table. */
void instrument_table_reset(struct instrument_table *table);

/* instrument_add copies the row in, sets its index, enters it in the hash; NO index (UINT16_MAX) when the
 * table is full or (venue, product, symbol) stands there already. */
uint16_t instrument_add(struct instrument_table *table, const struct instrument *row);

/* instrument_find answers the row, or NULL.  symbol need not be terminated.  Constant time, hot. */
const struct instrument *instrument_find(const struct instrument_table *table, uint8_t venue, uint8_t product,
                                         const char *symbol, size_t symbol_bytes);

/* instrument_by_name finds "venue.product.SYMBOL", or NULL. */
const struct instrument *instrument_by_name(const struct instrument_table *table, const char *name);

/* currency_find answers the index of a code, adding it when `add`; CURRENCY_NONE when absent or full. */
uint16_t currency_find(struct instrument_table *table, const char *code, size_t bytes, bool add);

/* currency_code is the text of an index, "?" when none. */
const char *currency_code(const struct instrument_table *table, uint16_t currency);

/* instrument_check answers NULL when the row's numbers cannot overflow and make sense together (tick,
 * lot > 0, decimals in range, max_qty * max price * contract fits 128 bits and its quote value fits int64
 * at 1e-8), else what is wrong. */
const char *instrument_check(const struct instrument *row);

extern const char *const venue_names[VENUE_COUNT];     /* "binance" */
extern const char *const product_names[PRODUCT_COUNT]; /* "spot", "linear", "inverse", "option", "all" */
extern const char *const kind_names[KIND_COUNT];       /* "spot", "linear_perpetual", ... */

#endif
