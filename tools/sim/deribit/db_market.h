/* db_market: what the simulated Deribit lists: names, contracts, and prices of what is not recorded.
 *
 * Seven instruments: BTC-PERPETUAL and BTC_USDC-PERPETUAL, one dated future, a call and a put on it, spot
 * BTC_USDC and ETH-PERPETUAL.  The dated ones expire on the last Friday of a quarter, at least 30 days after
 * the start, 08:00 UTC.  Amounts are as the venue counts them: dollars for inverse contracts, coins else.
 *
 * Options are quoted by Black's formula on the dated future with no interest and one volatility of 60 % for
 * all; that is also where their Greeks come from.  They are market data: orders on them are refused.
 * Usable in process: this file knows no wire. */
#ifndef TOOLS_SIM_DERIBIT_DB_MARKET_H
#define TOOLS_SIM_DERIBIT_DB_MARKET_H

#include "tools/sim/model/sim_venue.h"

#define DB_MARKET_COUNT 7
#define DB_FOREVER_MS   INT64_C(32503708800000) /* the expiry of what never expires */

enum db_kind { DB_FUTURE, DB_OPTION, DB_SPOT };
enum db_place { DB_BTC_PERP, DB_USDC_PERP, DB_BTC_DATED, DB_CALL, DB_PUT, DB_USDC_SPOT, DB_ETH_PERP };

struct db_listing { /* what the model's contract does not say */
    enum db_kind kind;
    const char *currency; /* of settlement: the family of ids and channels */
    const char *index;
    const char *period; /* perpetual, month; "" on spot */
    int64_t expiry_ms;
    int64_t strike; /* options */
    bool call;
    int64_t contract; /* units of amount in one contract */
    bool exempt;      /* no speed bump */
    int instrument_id;
};

struct db_greeks {
    double price; /* in coin */
    double delta, gamma, vega, theta, rho;
};

/* db_market_contract answers the model's contract of a place in the list, for a venue that starts now. */
struct sim_instrument db_market_contract(enum db_place place, int64_t now_ns);
struct db_listing db_market_listing(enum db_place place, int64_t now_ns);

/* db_market_kind reads inverse, linear or spot: the places a recording may play; -1 for anything else. */
int db_market_place(const char *name, size_t length);

/* db_market_middle is a sim_source's middle_of: what an instrument is worth when bitcoin is at middle_e8. */
int64_t db_market_middle(const struct sim_instrument *instrument, int64_t middle_e8, int64_t now_ns);

/* db_market_greeks prices an option of years to run on a future, at a volatility (0.6 is 60 %). */
struct db_greeks db_market_greeks(double future, double strike, double years, double volatility, bool call);
#define DB_VOLATILITY 0.6

/* db_market_rules are the venue's: one wallet, labels repeat, funding accrues. */
struct sim_rules db_market_rules(void);

/* db_market_balances reads "BTC=1,USDC=1000" into an account; false at the first thing not understood. */
bool db_market_balances(struct sim_venue *venue, int account, const char *text);

#endif
