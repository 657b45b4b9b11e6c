/* account: (venue, product, sub-account, key): who trades.
 *
 * Sessions, rate budgets, balances, venue positions and dead-man timers belong to an account.  The row
 * never holds a secret: those go from cold to the gateway once, at start.  Constant while trading. */
#ifndef POISE_RING_ACCOUNT_H
#define POISE_RING_ACCOUNT_H

#include "ring/credit.h"
#include "ring/instrument.h"

#define ACCOUNT_MAX        32
#define ACCOUNT_NAME_BYTES 32

struct account {
    char name[ACCOUNT_NAME_BYTES]; /* as configured */
    uint16_t index;
    uint8_t venue;          /* enum venue_id */
    uint8_t product;        /* enum product: whose wallet and hosts; PRODUCT_ALL where one login has all */
    uint32_t key_hash;      /* of the API key: a changed key is a changed account */
    int32_t order_rate_10s; /* orders per 10 s we allow ourselves; venue's limit or less */
    int32_t order_rate_60s;
    int32_t reserve_percent;                  /* of each budget kept for cancels and hedges, 0..90 */
    int32_t weight_rate_60s;                  /* request weight a minute */
    int64_t dead_man_ms;                      /* venue's countdown; 0 off or not offered */
    struct credit_limit credit[CREDIT_COUNT]; /* by enum credit, where the venue counts so */
};

/* What is so of every account of a venue. */
struct account_venue {
    bool one_login; /* an account trades every product: its product is PRODUCT_ALL */
    struct credit_limit credit[CREDIT_COUNT]; /* what the least of its accounts may ask */
    struct credit_limit weight; /* request weight of the cold thread's questions: the address's limit has to
                                 * do for the gateways too */
    const char *used_header;    /* in which an answer tells the weight used in this minute; NULL none */
    int32_t used_most;  /* from there on nothing is asked until the next one: the rest is for orders */
    int32_t used_start; /* the same while nothing trades yet: what is naked waits for these answers */
};
extern const struct account_venue account_venues[VENUE_COUNT];

struct account_table {
    uint32_t count;
    struct account row[ACCOUNT_MAX];
};

/* account_trades: instruments of this venue and product are traded on the account. */
static inline bool account_trades(const struct account *account, uint8_t venue, uint8_t product)
{
    return account->venue == venue && (account->product == product || account->product == PRODUCT_ALL);
}

/* account_by_name answers the row, or NULL. */
static inline const struct account *account_by_name(const struct account_table *table, const char *name)
{
    for (uint32_t i = 0; i < table->count; i++) {
        if (__builtin_strcmp(table->row[i].name, name) == 0) {
            return &table->row[i];
        }
    }
    return NULL;
}

#endif
