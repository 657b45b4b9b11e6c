/* bn_shell: the venue model in Binance's clothes: spot, USD-M and COIN-M, REST, WebSocket API and streams.
 *
 * It turns requests into calls of the model and what the model emits into the venue's messages, with the
 * latencies and faults asked for.  One thread; every entry takes the venue's time in ns (wall clock). */
#ifndef TOOLS_SIM_BINANCE_BN_SHELL_H
#define TOOLS_SIM_BINANCE_BN_SHELL_H

#include "tools/sim/model/sim_delay.h"
#include "tools/sim/model/sim_venue.h"
#include "tools/sim/sim_fault.h"
#include "tools/sim/sim_net.h"
#include "tools/sim/sim_setup.h"

struct bn_shell;

struct bn_options {
    uint64_t seed;
    bool limits;            /* enforce request weight, order counts and inbound messages */
    bool retired;           /* serve what the venue switched off: fstream without a route, spot listen keys */
    bool post_only_expires; /* a crossing post-only is accepted then expired, instead of -5022 */
    struct sim_account_is is;
    char fill_order[3]; /* order of l (TRADE_LITE), a (ACCOUNT_UPDATE), o (ORDER_TRADE_UPDATE) */
};

/* bn_shell_new makes the shell; the venue is attached afterwards, because the venue's emit callback is
 * bn_shell_emit with the shell as its user. */
struct bn_shell *bn_shell_new(const struct bn_options *options, struct sim_faults *faults,
                              struct sim_delay *delay);
void bn_shell_attach(struct bn_shell *shell, struct sim_venue *venue, struct sim_net *net);
void bn_shell_free(struct bn_shell *shell);

/* bn_shell_add_key gives an account a key: HMAC with its secret, or Ed25519 with the public key in hex. False
 * when the key material is malformed. */
bool bn_shell_add_key(struct bn_shell *shell, int account, const char *id, const char *secret, bool ed25519);

/* bn_shell_account_of answers the account of a key, -1 when unknown. */
int bn_shell_account_of(const struct bn_shell *shell, const char *id);

void bn_shell_emit(void *shell, const struct sim_event *event);

/* The handlers of sim_net; user is the shell.  bn_shell_time sets the time they stamp things with. */
void bn_shell_time(struct bn_shell *shell, int64_t now_ns);
void bn_shell_request(void *shell, const struct sim_request *request);
void *bn_shell_open(void *shell, const struct sim_request *request);
void bn_shell_message(void *shell, uint64_t conn, void *session, const char *text, size_t length);
void bn_shell_control_frame(void *shell, uint64_t conn, void *session, bool pong);
void bn_shell_closed(void *shell, uint64_t conn, void *session);

/* bn_shell_step does what is due: arrivals, replies, streams, pings, expiries, fault moments. */
void bn_shell_step(struct bn_shell *shell, int64_t now_ns);
int64_t bn_shell_next_ns(const struct bn_shell *shell);

/* bn_shell_unknown_* tell which paths and methods were asked for that the shell does not know. */
int bn_shell_unknown_count(const struct bn_shell *shell);
const char *bn_shell_unknown(const struct bn_shell *shell, int index, uint64_t *times);

/* bn_shell_counters appends "name":value pairs for the report. */
void bn_shell_counters(const struct bn_shell *shell, struct sim_text *text);

#endif
