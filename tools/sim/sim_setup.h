/* sim_setup: the instruments, accounts and latencies that a simulator is started with.
 *
 * Shared by poise-sim and by tests that run the model in process, so that both trade the same contracts. */
#ifndef TOOLS_SIM_SIM_SETUP_H
#define TOOLS_SIM_SIM_SETUP_H

#include "tools/sim/model/sim_delay.h"
#include "tools/sim/model/sim_venue.h"

/* What accounts say of themselves that an engine should refuse to trade on.  They only say it: what is done
 * with their orders is as ever. */
struct sim_account_is {
    bool hedge;        /* positions on both sides (Binance futures) */
    bool multi_assets; /* one margin of all assets (USD-M) */
    bool isolated;     /* isolated margin (Binance futures) */
    bool no_trade;     /* the account, or the key, may not trade */
    bool withdraw;     /* the key may withdraw */
    bool self_trade;   /* nothing prevents trades with oneself (Deribit) */
};

/* sim_setup_account_is reads one of "hedge", "multi_assets", "isolated", "no_trade", "withdraw",
 * "self_trade". */
bool sim_setup_account_is(struct sim_account_is *is, const char *word);

/* sim_setup_instrument answers the modelled contract of a kind: BTCUSDT spot, BTCUSDT linear perpetual or
 * BTCUSD_PERP inverse perpetual, with the fees of the default tier. */
struct sim_instrument sim_setup_instrument(enum sim_kind kind);

/* sim_setup_kind reads "spot", "linear" or "inverse"; -1 for anything else. */
int sim_setup_kind(const char *name, size_t length);

/* sim_setup_balances reads "USDT=100000,BTC=1" into an account.  An asset may name its wallet
 * (linear.USDT=5000); without one, dollars go to the linear and spot wallets, coins to the inverse and spot
 * ones.  False at the first thing not understood. */
bool sim_setup_balances(struct sim_venue *venue, int account, const char *text);

/* sim_setup_latency reads "feed=1..5,order=2,ack=1..3,private=1..5" in milliseconds. */
bool sim_setup_latency(struct sim_delay *delay, const char *text);

#endif
