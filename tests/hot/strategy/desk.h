/* desk: a strategy with two instruments, a clock that tests move, and a drawer for what it said.
 *
 * BTCUSD_PERP (inverse, 100 USD a contract, tick 0.1) is quoted on account 0, BTCUSDT (linear, lot 0.001,
 * tick 0.1, minimum value 100 USDT) hedges on account 1; BTCUSDC (linear) is a possible second hedge on
 * account 2.  Prices are in 0.1, hedge quantities in 0.001 BTC. */
#ifndef POISE_TESTS_HOT_STRATEGY_DESK_H
#define POISE_TESTS_HOT_STRATEGY_DESK_H

#include "hot/strategy/state.h"
#include "hot/strategy/strategy.h"

#include <criterion/criterion.h>

enum { PERP = 0, USDT_PERP = 1, USDC_PERP = 2 };
enum { COIN_ACCOUNT = 0, USDT_ACCOUNT = 1, USDC_ACCOUNT = 2 };
enum { BTC = 0, USD = 1, USDT = 2, USDC = 3 };

#define MS            1000000ULL
#define SECOND        1000000000ULL
#define DESK_SAID_MAX 65536
#define COIN          100000000LL /* 1 BTC in 1e-8 */

struct desk {
    struct strategy *s;
    struct outbox *outbox;
    uint64_t now;
    int64_t wall;
    struct quote_params params;
    struct risk_params risk;
    struct slot *said; /* everything since the last desk_forget */
    uint32_t said_count, said_slots;
    uint64_t exec;
    uint8_t dated; /* bit per instrument that desk_build makes a future with an end */
    bool no_ids;   /* desk_build gives no order ids */
    bool record_input;
    struct slot *input;
    uint32_t input_slots;
    uint64_t out_hash; /* of every output byte ever */
};

/* desk_params are quiet defaults: one level, no skew, zero profit, no allocation. */
struct quote_params desk_params(void);
struct risk_params desk_risk(void);

/* desk_make takes memory; desk_build feeds BEGIN .. the parameters (not RESTORE_DONE); desk_done the rest;
 * desk_open brings feeds, gateways and books up at 60,000 with a spread of 0.1. */
struct desk *desk_make(void);
void desk_build(struct desk *desk);
void desk_done(struct desk *desk);
void desk_open(struct desk *desk);
/* desk_ready is all of it with these parameters. */
struct desk *desk_ready(const struct quote_params *params, const struct risk_params *risk);
void desk_free(struct desk *desk);

void desk_feed(struct desk *desk, const struct slot *record);
void desk_instrument(struct desk *desk, uint16_t index);
/* desk_rules tells the instrument's row again, with these rules. */
void desk_rules(struct desk *desk, uint16_t index, void (*change)(struct instrument *row));
void desk_book(struct desk *desk, uint16_t instrument, int64_t bid, int64_t ask, int64_t qty);
void desk_levels(struct desk *desk, uint16_t instrument, bool snap, uint32_t bids, uint32_t asks,
                 const struct level *levels);
void desk_top(struct desk *desk, uint16_t instrument, int64_t bid, int64_t ask);
void desk_mark(struct desk *desk, uint16_t instrument, int64_t mark);
void desk_state(struct desk *desk, enum record_type type, uint16_t instrument, uint16_t account,
                uint32_t value);
void desk_clock(struct desk *desk, uint64_t forward_ns);
void desk_command(struct desk *desk, enum command command, uint16_t instance, int64_t value);
/* desk_read: what happened before the account's session came up with that stamp was read. */
void desk_read(struct desk *desk, uint16_t account, uint64_t ready_ns);
/* desk_both moves both books to a middle (0.1 units), spread one tick. */
void desk_both(struct desk *desk, int64_t bid);

/* Reports about an order, with what the strategy's row says filled in; change the rest before desk_report. */
struct record_report *desk_report_for(struct desk *desk, struct slot *slot, enum record_type type,
                                      uint64_t order);
void desk_ack(struct desk *desk, uint64_t order);
void desk_fill(struct desk *desk, uint64_t order, int64_t qty, int64_t price); /* with cum, fee, status */
void desk_lite(struct desk *desk, uint64_t order, int64_t qty, int64_t price, uint64_t exec);
void desk_end(struct desk *desk, uint64_t order, enum record_type type, int64_t cum);
void desk_reject(struct desk *desk, uint64_t order, enum request_kind request, enum reject_reason reason);
void desk_order_state(struct desk *desk, uint64_t order, enum order_status status, int64_t cum,
                      uint8_t head_flags);

/* What was said: counts and the n-th of a kind since desk_forget. */
void desk_forget(struct desk *desk);
uint32_t desk_count(const struct desk *desk, enum record_type type);
uint32_t desk_count_role(const struct desk *desk, enum record_type type, enum order_role role);
uint32_t desk_count_event(const struct desk *desk, enum event_code code);
const struct record_order *desk_order(const struct desk *desk, enum record_type type, uint32_t n);
const struct record_order *desk_order_role(const struct desk *desk, enum record_type type,
                                           enum order_role role, uint32_t n);
const struct record_event *desk_event(const struct desk *desk, enum event_code code, uint32_t n);

struct order *desk_row(struct desk *desk, uint64_t order);
struct order *desk_quote(struct desk *desk, enum side side,
                         uint32_t level); /* the live quote there, or NULL */
int64_t desk_delta_e8(struct desk *desk);
/* desk_answer acknowledges every new, amend and cancel said since the last call, as a venue at rest would;
 * hedges are filled completely at their price when `fill_hedges`. */
void desk_answer(struct desk *desk, bool fill_hedges);
/* desk_check asserts what must hold after any record. */
void desk_check(struct desk *desk);

#endif
