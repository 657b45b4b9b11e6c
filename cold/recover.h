/* recover: from what was journaled to a truth the venue agrees with, before anything new is risked.
 *
 * A table of states (recover.c), a line each to the caller:
 *
 *   lock         nobody else runs on this state directory or trades these (account, instrument) pairs
 *   segments     the newest run's last segment and the ring are reduced to what was held
 *   ring         what only the ring and spills hold is on disk
 *   venue_time   each venue answers, and this machine's clock is right
 *   metadata     instruments of the configuration, and those still held, in the table; the configuration
 *                bound; instances numbered by their names; what was held is said in this run's indexes
 *   rights       each key may trade, and in live may not withdraw; the accounts are those of the last run
 *   mode         each account is in the mode the engine understands: position, margin, self-trade prevention
 *   sessions     the hot side runs and listens, and the venues' dead-man timers are armed
 *   open_orders  what rests
 *   unknown      what became of every order of ours that does not rest: asked one by one
 *   positions, balances, fills (every execution since the last one seen)
 *   attribute    each execution to its order; orders end only by what the venue said; positions must agree,
 *                or it is looked again
 *   policy       on_restart, on_orphan, limits below what is held; what changed is said
 *   ready        order ids reserved; the records for the strategy stand in order
 *
 * A read that fails resolves nothing: it is asked again until patience ends, then recovery stops (exit code
 * 3).  A venue that says "too many requests" is left alone for as long as it says and asked again, ten
 * minutes of such waits in all (ask.h).  An answer without a row for an instrument is not "flat": what the
 * journal holds must be named by the venue.  A difference nobody explains is refused (exit code 4) with what
 * differs and what to do about it.
 *
 * An order that the venue does not know ends as never executed only when everything agrees: it is not among
 * the open ones, it was sent RECOVER_GRACE_NS ago or earlier, no execution names it, and the position fits.
 *
 * Cold thread; it waits. */
#ifndef POISE_COLD_RECOVER_H
#define POISE_COLD_RECOVER_H

#include "cold/lock.h"
#include "cold/reduce.h"
#include "cold/rest.h"
#include "config/config.h"

#define RECOVER_GRACE_NS 10000000000LL /* a request older than this is not on its way any more */

/* A clock that is further off is refused.  Fills are asked by time from RECOVER_OVERLAP_NS before the last
 * sign of life: two clocks may be wrong there, the last run's and this one's. */
#define RECOVER_CLOCK_NS   60000000000LL
#define RECOVER_OVERLAP_NS (3 * RECOVER_CLOCK_NS)
#define RECOVER_LINE_BYTES 320

enum recover_state {
    RECOVER_LOCK = 0,
    RECOVER_SEGMENTS,
    RECOVER_RING,
    RECOVER_VENUE_TIME,
    RECOVER_METADATA,
    RECOVER_RIGHTS,
    RECOVER_MODE,
    RECOVER_SESSIONS,
    RECOVER_OPEN_ORDERS,
    RECOVER_UNKNOWN,
    RECOVER_POSITIONS,
    RECOVER_BALANCES,
    RECOVER_FILLS,
    RECOVER_ATTRIBUTE,
    RECOVER_POLICY,
    RECOVER_READY,
    RECOVER_STATE_COUNT
};
extern const char *const recover_state_names[RECOVER_STATE_COUNT];

/* Exit codes of poise. */
enum recover_verdict { RECOVER_DONE = 0, RECOVER_CONFIG = 2, RECOVER_UNAVAILABLE = 3, RECOVER_REFUSED = 4 };

struct recover_options {
    struct config *config; /* loaded; accounts' key_hash set.  Recovery numbers the instances and sets
                            * reduce_quotes_only in it */
    struct instrument_table *instruments; /* filled by METADATA */
    struct account_table *accounts;       /* filled by bind */
    const struct sign_key *key;           /* one per account of the configuration, in its order */
    const struct venue *(*venue)(uint8_t id);
    bool (*bind)(struct config *config, struct instrument_table *instruments, struct account_table *accounts);
    struct rest *rest; /* made over the same instrument table */
    struct rest_clock clock;
    struct lock_set *locks;        /* stays with the caller: it must outlive trading */
    const char *state_directory;   /* lock, order_ids */
    const char *journal_directory; /* segments */
    const char *shared_directory;  /* ring, spills */
    const char *lock_directory;    /* shared by all engines of the machine */
    uint64_t patience_ns;          /* how long a venue that does not answer is asked again; 0: 30 s */
    uint64_t wait_ns;              /* how long venues that want to be left alone are waited for; 0: 600 s */
    bool accept_difference; /* a person said: what the venue shows beyond ours goes to the unassigned row */
    bool accept_key;        /* a person said: a key was changed, and its account is the one it was */
    bool refuse_unassigned; /* a position the engine never had to do with is refused instead of set aside */
    void (*tell)(void *context, enum recover_state state, const char *line); /* may be NULL */
    /* The hot side, its sessions up and its dead-man timers armed; false with a sentence in why.  NULL:
     * nothing will be traded. */
    bool (*sessions)(void *context, char *why, size_t why_bytes);
    bool (*idle)(void *context); /* called while recovery waits; false: leave.  May be NULL */
    void *context;
};

struct recover;

struct recover *recover_create(const struct recover_options *options);
void recover_destroy(struct recover *recover);

/* recover_until runs the states that are due up to and with `last`; called again it goes on behind it.  When
 * it answers anything but RECOVER_DONE, recover_reason says why and what to do, and it is over. */
enum recover_verdict recover_until(struct recover *recover, enum recover_state last);
const char *recover_reason(const struct recover *recover);

/* recover_run is the new run's number (after SEGMENTS). */
uint64_t recover_run(const struct recover *recover);

/* recover_held is what is held now, in this run's indexes (after METADATA; complete after POLICY). */
const struct reduce *recover_held(const struct recover *recover);

/* recover_params answers the i-th instance: those of the configuration, then orphans that must be unwound
 * (parameters of the last run, not quoting); NULL behind the last.  After POLICY. */
const struct quote_params *recover_params(const struct recover *recover, uint32_t i);

/* recover_emit gives what the strategy consumes between its tables and RESTORE_DONE: RESTORE records of what
 * the journal held, then what only the venue told (orders' states, executions by REST, positions, balances),
 * each once and in order.  After READY. */
void recover_emit(const struct recover *recover, reduce_emit emit, void *context);

#endif
