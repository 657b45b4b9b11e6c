/* truth: what the venue models know of us, asked by the engine's own names. */
#ifndef POISE_TESTS_SIM_TRUTH_H
#define POISE_TESTS_SIM_TRUTH_H

#include "ring/account.h"
#include "tests/sim/world.h"

/* truth_venue answers the model of a venue, truth_place where it is; an instrument's place in it. */
enum world_place truth_place(uint8_t venue);
struct sim_venue *truth_venue(uint8_t venue);
int truth_instrument(const struct instrument *row);

/* truth_order answers the venue's row of one of our orders, NULL when it never heard of it. */
struct sim_order *truth_order(const struct instrument *row, uint64_t id);

/* truth_position and truth_executed answer in the engine's unit. */
int64_t truth_position(const struct instrument *row);
int64_t truth_executed(const struct instrument *row, const struct sim_order *order);

/* A purse is one currency of one account. */
struct purse {
    enum world_place place;
    enum sim_kind kind;
    const char *code;
};
enum { PURSES_MAX = 4 };
extern const struct purse purses[PURSES_MAX];

/* truth_purse answers which one an account's currency is, PURSES_MAX when none. */
uint32_t truth_purse(const struct account *account, const char *code);
const struct sim_cash *truth_cash(uint32_t purse);

/* truth_paid_e8 is funding that became cash in a purse from the payment of that number on; truth_accrued_e8
 * what accrued and is no cash yet. */
int64_t truth_paid_e8(uint32_t purse, size_t from);
int64_t truth_accrued_e8(uint32_t purse);

/* truth_paid_lately_e8 is how much was paid, whichever way, in so long until now. */
int64_t truth_paid_lately_e8(uint32_t purse, int64_t for_ns);

/* truth_coin is what all executions and payments so far carry of the coin's price: each inverse contract
 * bought is so many dollars' worth of coin at that price, fees and funding in coin are coin, a linear
 * contract is itself. */
double truth_coin(void);
uint64_t truth_fills(void);

#endif
