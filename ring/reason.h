/* reason: the small numbers that events and status records carry, and their names.
 *
 * They travel in journaled records (EVENT_QUOTES_PULLED value[0], EVENT_HALT value[0], EVENT_RISK_REFUSED
 * value[0], EVENT_LADDER value[0], record_status.state and .pull_reason), so a value once given is never
 * given again: add at the end, before _COUNT.  Any thread. */
#ifndef POISE_RING_REASON_H
#define POISE_RING_REASON_H

#include "ring/base.h"

/* What an instance is doing; hot/strategy/instance.h says what is true in each. */
enum instance_state {
    INSTANCE_RESTORING = 0,
    INSTANCE_PULLED,
    INSTANCE_QUOTING,
    INSTANCE_PAUSED,
    INSTANCE_STOPPING,
    INSTANCE_STOPPED,
    INSTANCE_HALTED,
    INSTANCE_FLATTENING,
    INSTANCE_FLAT,
    INSTANCE_STATE_COUNT
};

/* Why an instance shows no quotes.  Asked in this order; the first that holds is told. */
enum pull_reason {
    PULL_NONE = 0,
    PULL_RESTORING,  /* the strategy is not built yet, or what was held at the start is not hedged yet */
    PULL_STATE,      /* halted, paused, stopping or flattening: see record_status.state */
    PULL_DISABLED,   /* enabled = 0 */
    PULL_LIMITS,     /* the engine's limits (RECORD_RISK) were never told */
    PULL_CLOCK,      /* no CLOCK record for stale_clock_ns: deadlines are not being watched */
    PULL_IDS,        /* order ids run out: what is left is kept for hedges */
    PULL_INSTRUMENT, /* a leg is not trading, or nobody said that it is */
    PULL_GATEWAY,    /* an account's gateway is not ready */
    PULL_FEED_QUOTE, /* the quoted leg's feed is not live, or too old */
    PULL_FEED_HEDGE, /* the hedge leg's feed is not live, or too old */
    PULL_CROSSED,    /* a leg's book is crossed or one of its sides is empty */
    PULL_SPREAD,     /* the hedge book is wider than max_spread */
    PULL_CONVERT,    /* no fresh rate between the legs' currencies */
    PULL_UNKNOWN,    /* an order of a leg's instrument is UNKNOWN */
    PULL_NAKED,      /* more than max_naked_e8 stands unhedged */
    PULL_LADDER,     /* the ladder runs */
    PULL_POSITION,   /* the venue's position differs from ours */
    PULL_REJECTS,    /* more than max_rejects_per_min */
    PULL_DELTA,      /* the sum of the instances' deltas is beyond max_delta_e8 */
    PULL_DEPTH,      /* the hedge book is too thin for a full fill */
    PULL_FEE,        /* no fee table row for a leg */
    PULL_BOOKS,      /* the ledger differs from what the venues told by more than max_difference */
    PULL_UNREAD,     /* an account's session was down, and what happened meanwhile is not read yet */
    PULL_REASON_COUNT
};

enum halt_reason {
    HALT_NONE = 0,
    HALT_COMMAND,
    HALT_CONSERVATION, /* hedges exceed the exposure they answer */
    HALT_LADDER,       /* the last rung */
    HALT_LOSS,         /* max_loss_e8 */
    HALT_UNKNOWN,      /* more than max_unknown orders in doubt */
    HALT_AUTH,         /* key, signature or permission refused */
    HALT_ORPHAN,       /* a restored position belongs to no leg and on_orphan is refuse */
    HALT_OVERFLOW,     /* a number outside what an account can hold was reported */
    HALT_JOURNAL,      /* the journal cannot take more */
    HALT_LIQUIDATION,  /* the venue closed a position of ours */
    HALT_REASON_COUNT
};

enum risk_refusal {
    RISK_OK = 0,
    RISK_NOT_RESTORED,
    RISK_HALTED,
    RISK_NO_LIMITS,
    RISK_INSTRUMENT, /* unknown or not trading */
    RISK_GATEWAY,
    RISK_STALE, /* the instrument's own book is not usable */
    RISK_STEP,  /* not a multiple of tick or lot, or not positive */
    RISK_SIZE,  /* below the smallest or above the largest order of the venue */
    RISK_VALUE, /* max_order_e8 */
    RISK_POSITION,
    RISK_DELTA,
    RISK_BAND, /* price_band, or the venue's own band or price limits */
    RISK_RATE,
    RISK_OPEN_ORDERS,
    RISK_SELF_CROSS,
    RISK_UNKNOWN, /* an order of this instrument is in doubt */
    RISK_TABLE,   /* no room in the order table */
    RISK_IDS,     /* no order id left */
    RISK_BOOKS,   /* the ledger differs from what the venues told */
    RISK_REFUSAL_COUNT
};

/* The rungs of the ladder (architecture 5); see exec/ladder.h. */
enum rung { RUNG_NONE = 0, RUNG_QUERY, RUNG_SECOND, RUNG_EMERGENCY, RUNG_REDUCE, RUNG_HALT, RUNG_COUNT };

/* reason names: "spread", "conservation", ...; "?" outside the range. */
const char *reason_pull_name(uint32_t pull);
const char *reason_halt_name(uint32_t halt);
const char *reason_risk_name(uint32_t refusal);
const char *reason_rung_name(uint32_t rung);

#endif
