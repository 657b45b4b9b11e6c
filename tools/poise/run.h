/* run: what the cold thread holds while the engine lives, and the life itself.  See run.c.
 *
 * What a life needs of the world around it comes in by struct run_host, the transport and the clock: the
 * system's for `poise run`, simulated ones in tests/sim. */
#ifndef POISE_TOOLS_POISE_RUN_H
#define POISE_TOOLS_POISE_RUN_H

#include "cold/control.h"
#include "cold/counter_block.h"
#include "cold/journal.h"
#include "cold/reconcile.h"
#include "cold/recover.h"
#include "cold/rest.h"
#include "tools/poise/engine.h"
#include "tools/poise/books.h"

#define RUN_OVERRIDES_MAX 64 /* --set on a command line */

struct run_fee {
    int64_t maker_centibp, taker_centibp; /* 1/100 bp */
};

struct run_host {
    void (*nap)(void *context, uint64_t ns); /* lets so much time pass */
    int (*asked)(void *context);             /* how often a person asked to stop; twice: at once */
    bool (*start)(void *context, struct engine *engine); /* engine_start, or who turns the loops otherwise */
    const struct journal_disk *disk;                     /* NULL: the system's, on a thread of its own */
    void *context;
};

/* What a person wishes of a life. */
struct run_wishes {
    bool recover_only;      /* find out what is held, say it, and leave */
    bool accept_difference; /* what a venue shows beyond our books goes to the unassigned row */
    bool accept_key;        /* another key of the same account */
    bool flatten;           /* no quotes: unwind what is held, then leave */
    const char *instance;   /* flatten: this one alone, the others rest; NULL or "" all */
};

/* Filled before run_life: engine.config and engine.key, transport, clock, host, lock_directory and the
 * wishes; the rest is the life's. */
struct run {
    struct engine engine;
    struct journal *journal;
    enum journal_health health;
    struct books books;
    uint64_t number; /* of this run */
    struct run_wishes wishes;
    bool hot; /* the hot side runs */
    uint16_t flatten_instance;
    uint64_t trading_ns; /* when that began */
    bool hedged_told;
    int stops_said;          /* from other terminals */
    struct control *control; /* NULL: no commands from other terminals, told at start */
    counter *stopped;
    struct run_fee fee[ACCOUNT_MAX][INSTRUMENT_MAX];

    struct run_host host;
    struct rest_transport transport;
    struct rest_clock clock;
    struct rest *rest;
    struct reconcile *reconcile;
    uint64_t
        time_asked_ns[VENUE_COUNT]; /* when a venue was last asked for its time because stamps were refused */
    uint64_t reserved_ns[ACCOUNT_MAX]; /* since when quotes wait for the venue's next minute; 0 they do not */
    bool differ_told;                  /* the strategy knows that the books differ */
    uint64_t completing_ns;            /* the engine has stopped; what is read from now on is the last word */
    bool doubt;                        /* reconciliation should not wait for its interval */
    uint64_t hurried_ns;
    struct lock_set locks;
    char journal_directory[CONFIG_PATH_BYTES + 16];
    char lock_directory[CONFIG_PATH_BYTES];
};

/* run_send hands the strategy a record over the control ring, waiting while it is full. */
void run_send(void *context, const struct slot *record);

/* run_cold_turn does one bounded turn of everything cold that must not wait: journal, figures, counters. */
void run_cold_turn(struct run *run);

/* run_process is the life of one engine on this machine: its clock, threads, sockets and signals; override as
 * config_load takes them. */
int run_process(const char *path, const char *const *override, const struct run_wishes *wishes);

/* run_life is one engine from recovery to the last sync; answers an exit code of commands.h. */
int run_life(struct run *run);

/* run_print_faults tells what is wrong with a configuration. */
void run_print_faults(const struct config *config);

#endif
