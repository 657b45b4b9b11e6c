/* fake_venue: a venue that is a script, and a wire that is a function call.
 *
 * Its truth stands in `world`; answers are records.  Time passes when somebody waits. */
#ifndef POISE_TESTS_COLD_JOURNAL_FAKE_VENUE_H
#define POISE_TESTS_COLD_JOURNAL_FAKE_VENUE_H

#include "tests/cold/journal/records.h"
#include "cold/rest.h"

enum { ORDERS = 16, FILLS = 200, PAGE = 50 };
#define WORLD_WALL_NS                                                                                        \
    1700000100000000000LL /* when the new run starts: long after the old one's last word                     \
                           */

struct world_order {
    uint64_t order; /* 0: somebody else's */
    uint16_t instrument;
    enum side side;
    int64_t qty, price, cum;
    uint8_t status;
    uint32_t venue_id;
    bool forgotten; /* the venue does not know it */
    uint8_t reason; /* of the venue's own: why it closed us */
};

struct world_fill {
    uint64_t exec_id;
    uint16_t instrument;
    enum side side;
    int64_t qty, price;
    uint32_t venue_id; /* of its order: fills do not name ours */
};

struct world_payment {
    uint8_t product, reason;
    uint16_t instrument, currency;
    uint32_t row;
    int64_t change_e8, time_ns;
};

extern struct world {
    uint64_t now_ns;
    int64_t wall_ns;
    struct world_order order[ORDERS];
    uint32_t order_count;
    struct world_fill fill[FILLS];
    uint32_t fill_count;
    int64_t fee_e8; /* of each of them; 0 not told */
    int64_t position[2];
    bool names_position[2];
    bool keeps_payments; /* REST_PAYMENTS is a question here .. */
    bool by_currency;    /* .. that names a currency, or an instrument for what it settles in */
    struct world_payment payment[8];
    uint32_t payment_count;
    bool names_balance;
    int64_t balance_e8[2]; /* of the inverse account, of the linear one */
    uint16_t inverse_currency, linear_currency;
    uint8_t fail_what; /* enum rest_what that gets no answer */
    uint32_t fail_times;
    uint8_t later_what; /* enum rest_what that is answered with 429, and how long to wait */
    uint32_t later_times;
    int64_t later_ms;
    uint64_t closed_until_ns;                                    /* who asks before then fails the test */
    uint8_t one_way, cross, single_asset, self_trade, can_trade; /* enum fact */
    uint8_t withdraw;     /* enum fact; unknown: the venue has no such question */
    int64_t clock_off_ns; /* of the venue, beside ours */
    uint32_t asked[32];
    bool fill_on_positions; /* an execution happens between the first look at positions and at fills */
    void (*before)(const struct rest_query *query); /* called before an answer is made; may be NULL */
    bool no_metadata[2];
    void (*rules)(struct instrument *row); /* what became of an instrument's row; may be NULL */
    uint8_t more_decimals;                 /* the linear venue's unit became finer */
} world;

/* fake_find answers the venue; fake_transport and fake_clock are how it is reached. */
const struct venue *fake_find(uint8_t id);
struct rest_transport fake_transport(void);
struct rest_clock fake_clock(void);

/* fake_reset makes the world new. */
void fake_reset(void);

#endif
