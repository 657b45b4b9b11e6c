/* sim_fault: faults on request.
 *
 * A fault is written `kind:key=value,...`.  Most are conditions: while their window is open (at .. at+for,
 * the whole run when neither is given) each occasion hits with chance p (default 1), at most count times.
 * Some are moments: they fire once at `at` (at once when missing), and again each `every`.  The kinds and
 * keys are in the help text.  Times are relative to the start.  One thread. */
#ifndef TOOLS_SIM_SIM_FAULT_H
#define TOOLS_SIM_SIM_FAULT_H

#include "tools/sim/model/sim_random.h"

#include <stddef.h>

#define SIM_FAULT_MAX 64

enum sim_fault_kind {
    SIM_FAULT_DISCONNECT,        /* moment: connections reset */
    SIM_FAULT_SERVER_SHUTDOWN,   /* moment: announced, then closed after ms */
    SIM_FAULT_LISTENKEY_EXPIRED, /* moment */
    SIM_FAULT_LIQUIDATE,         /* moment */
    SIM_FAULT_DEPOSIT,           /* moment */
    SIM_FAULT_SILENCE,           /* nothing is sent on the streams */
    SIM_FAULT_GAP,               /* a depth frame is lost */
    SIM_FAULT_DUP_REPORTS,       /* a private event comes twice */
    SIM_FAULT_REORDER_REPORTS,   /* a private event comes after the next */
    SIM_FAULT_DROP_PRIVATE,      /* a private event is lost */
    SIM_FAULT_PARTIAL,           /* maker fills take a part */
    SIM_FAULT_REJECT,            /* a request is refused with code */
    SIM_FAULT_RATE_LIMIT,        /* 429 */
    SIM_FAULT_SLOW_ACK,          /* replies come ms later */
    SIM_FAULT_UNKNOWN_503,       /* executed, answered 503 unknown */
    SIM_FAULT_TIMEOUT_1007,      /* executed, answered -1007 after ms */
    SIM_FAULT_NO_REPLY,          /* executed, never answered */
    SIM_FAULT_CLOCK_SKEW,        /* the venue's clock is ms ahead (negative: behind) */
    SIM_FAULT_QUERY_2013,        /* a query of an order younger than ms finds nothing */
    SIM_FAULT_MAINTENANCE,       /* the market is halted */
    SIM_FAULT_FUNDING_RATE,      /* moment: the funding rate becomes p */
    SIM_FAULT_SETTLEMENT,        /* moment: accounts are settled, trading pauses for ms */
    SIM_FAULT_HEARTBEAT_ONLY,    /* nothing but heartbeats is sent */
    SIM_FAULT_DELEVERAGE,        /* moment: a share p of the position is closed at the mark */
    SIM_FAULT_WITHDRAWAL,        /* moment: amount leaves the wallet */
    SIM_FAULT_TICK_SIZE,         /* moment: prices must be multiples of ms old ticks */
    SIM_FAULT_SEQUENCE,          /* a depth frame says that it follows another than it does */
    SIM_FAULT_KIND_COUNT,
};

struct sim_fault {
    enum sim_fault_kind kind;
    int64_t at_ns;
    int64_t for_ns;   /* 0: no end */
    int64_t every_ns; /* 0: once */
    int64_t count;    /* -1: no limit */
    int64_t p_ppm;
    int64_t ms;
    int64_t code;
    int64_t amount_e8;
    char scope[48]; /* "" is everything: see scopes in the help text */
    char account[72];
    char asset[8];
    uint64_t fired;
    int64_t next_ns; /* moments: when due, INT64_MAX when over */
    char spec[128];
};

struct sim_faults {
    struct sim_fault fault[SIM_FAULT_MAX];
    int count;
    int64_t start_ns;
    struct sim_random random;
    uint64_t past[SIM_FAULT_KIND_COUNT]; /* fired by those whose place another took */
};

/* sim_fault_add reads a spec; false with a sentence in error.  now_ns is the venue's time; before the run
 * starts give start_ns.  When the table is full it takes the place of one that is over. */
bool sim_fault_add(struct sim_faults *faults, const char *spec, int64_t now_ns, char *error,
                   size_t error_size);

/* sim_fault_hit asks whether an occasion of a kind is hit; the answer is the fault (its ms and code apply),
 * and it has been counted.  NULL is no.  A scope matches when the fault's scope is part of it. */
struct sim_fault *sim_fault_hit(struct sim_faults *faults, enum sim_fault_kind kind, const char *scope,
                                int64_t now_ns);

/* sim_fault_open is the same without chance or counting: is the window open. */
struct sim_fault *sim_fault_open(struct sim_faults *faults, enum sim_fault_kind kind, const char *scope,
                                 int64_t now_ns);

/* sim_fault_due answers a moment that is due and moves it to its next time; NULL when there is none. */
struct sim_fault *sim_fault_due(struct sim_faults *faults, int64_t now_ns);
int64_t sim_fault_next_ns(const struct sim_faults *faults);

/* sim_fault_name and sim_fault_fired tell a kind's name and how often it has struck so far. */
const char *sim_fault_name(enum sim_fault_kind kind);
uint64_t sim_fault_fired(const struct sim_faults *faults, enum sim_fault_kind kind);

/* sim_fault_help is the text of every kind, one a line. */
extern const char sim_fault_help[];

#endif
