/* db_shell: the venue model in Deribit's clothes: JSON-RPC over WebSocket and HTTP.
 *
 * It turns requests into calls of a venue model of its own (db_market says what is listed) and what that
 * model emits into the venue's messages, with the latencies and faults asked for.  One thread; every entry
 * takes the venue's time in ns (wall clock). */
#ifndef TOOLS_SIM_DERIBIT_DB_SHELL_H
#define TOOLS_SIM_DERIBIT_DB_SHELL_H

#include "tools/sim/deribit/db_market.h"
#include "tools/sim/model/sim_delay.h"
#include "tools/sim/model/sim_venue.h"
#include "tools/sim/sim_fault.h"
#include "tools/sim/sim_net.h"
#include "tools/sim/sim_setup.h"

struct db_shell;

enum db_order { DB_SEEDED, DB_ONE_WAY, DB_OTHER_WAY };

/* Where no source settles what the venue does, it can be chosen (db_shell_choose). */
struct db_choices {
    enum db_order ack;   /* channels of a subscribe reply: seeded, as asked, reversed */
    enum db_order first; /* of an order: seeded, the reply, the streams */
    int gone;            /* cancelling what is over: 11044 or 10010 */
    int beats;           /* every how many heartbeats a test_request comes */
    int bad_signature;   /* 13009 or 13004 */
    int close_code;      /* of a socket closed for its rate or its silence */
    bool ioc_reason;     /* the dropped rest of an IOC carries a cancel_reason */
    bool routed;         /* spot goes to another exchange: accepted first, filled later, no public trades */
    int64_t pause_ms;    /* how long a settlement pauses trading */
};

struct db_options {
    uint64_t seed;
    bool limits;  /* enforce credits */
    int tier;     /* of the matching engine's limits, 1 to 4 */
    bool testnet; /* what every reply says of itself, and which host names are ours */
    struct db_choices choices;
    struct sim_account_is is;
};

struct db_options db_shell_usual(void);

/* db_shell_choose reads "gone=10010,first=reply"; false at the first thing not understood. */
bool db_shell_choose(struct db_choices *choices, const char *text);

/* db_shell_new makes the shell; the venue is attached afterwards, because the venue's emit callback is
 * db_shell_emit with the shell as its user.  The venue holds db_market's list, place by place. */
struct db_shell *db_shell_new(const struct db_options *options, struct sim_faults *faults,
                              struct sim_delay *delay);
void db_shell_attach(struct db_shell *shell, struct sim_venue *venue, struct sim_net *net, int64_t now_ns);
void db_shell_free(struct db_shell *shell);

/* db_shell_add_key gives an account a client id and its secret; false when there is no room. */
bool db_shell_add_key(struct db_shell *shell, int account, const char *id, const char *secret);

/* db_shell_account_of answers the account of a client id, -1 when unknown. */
int db_shell_account_of(const struct db_shell *shell, const char *id);

void db_shell_emit(void *shell, const struct sim_event *event);

/* db_shell_settled sends what the model has emitted since the last call or step: one change of an order, its
 * trades and its position leave together.  Call it after every step of a source and of the venue. */
void db_shell_settled(struct db_shell *shell, int64_t now_ns);

/* db_shell_ours is true of a request or an upgrade that is Deribit's by host name, or by path under a name
 * that is no venue's; db_shell_has of a session that db_shell_open made. */
bool db_shell_ours(const struct sim_request *request);
bool db_shell_has(const struct db_shell *shell, const void *session);

/* The handlers of sim_net; user is the shell.  db_shell_time sets the time they stamp things with. */
void db_shell_time(struct db_shell *shell, int64_t now_ns);
void db_shell_request(void *shell, const struct sim_request *request);
void *db_shell_open(void *shell, const struct sim_request *request);
void db_shell_message(void *shell, uint64_t conn, void *session, const char *text, size_t length);
void db_shell_control_frame(void *shell, uint64_t conn, void *session, bool pong);
void db_shell_closed(void *shell, uint64_t conn, void *session);

/* db_shell_step does what is due: arrivals, replies, streams, heartbeats, settlements, fault moments. */
void db_shell_step(struct db_shell *shell, int64_t now_ns);
int64_t db_shell_next_ns(const struct db_shell *shell);

/* db_shell_unknown_* tell which methods and paths were asked for that the shell does not know. */
int db_shell_unknown_count(const struct db_shell *shell);
const char *db_shell_unknown(const struct db_shell *shell, int index, uint64_t *times);

/* db_shell_report appends an object: counters, and each account's money as the venue states it. */
void db_shell_report(struct db_shell *shell, struct sim_text *text);

#endif
