/* engine: the hot side put together: tables, memory, channels, roles and threads from one configuration.
 *
 * Cold thread.  engine_prepare makes everything and starts nothing; engine_start lets the threads go;
 * engine_leave joins them.  The journal's ring is made by the caller (it outlives the process). */
#ifndef POISE_TOOLS_POISE_ENGINE_H
#define POISE_TOOLS_POISE_ENGINE_H

#include "config/config.h"
#include "hot/core/loop.h"

enum { ENGINE_LOOPS = 3, ENGINE_ERROR_BYTES = 512 };

struct engine_host {
    uint8_t venue;
    char host[VENUE_HOST_BYTES];
    char text[CONN_ADDRESS_MAX][CONN_ADDRESS_BYTES];
    uint32_t count;
    uint16_t port; /* 0: the endpoint's own */
};

struct engine {
    struct config config;
    struct instrument_table instruments;
    struct account_table accounts;
    struct sign_key *key; /* one per account, in locked memory */

    struct counters *counters;
    struct arena arena;
    struct topology topology;
    struct strategy_role strategy;
    int64_t clock_offset_ns[VENUE_COUNT];        /* each venue's clock less ours, as recovery measured it */
    _Atomic int64_t venue_clock_ns[VENUE_COUNT]; /* each venue's clock less our steady one, as cold measured
                                                  * it last; 0 unknown.  Written by cold alone */
    bool plain;                                  /* bytes go without TLS: in process only (tests/sim) */
    uint32_t loop_count;
    struct loop loop[ENGINE_LOOPS];
    uint32_t host_count;
    struct engine_host host[128];
    char error[ENGINE_ERROR_BYTES];
};

/* engine_keys loads and checks every account's key file into locked memory; false with error set. */
bool engine_keys(struct engine *engine);

/* engine_resolve finds the address of every host the configured venues use; false with error set. */
bool engine_resolve(struct engine *engine);

/* engine_prepare needs bound configuration, tables, counters and the journal ring (NULL: no journal). */
bool engine_prepare(struct engine *engine, struct spsc *journal);

/* engine_open opens the connections and seals the memory; whoever turns the loops by loop_turn itself needs
 * no more. */
void engine_open(struct engine *engine);

/* engine_start opens the connections and starts the threads; what the machine refused is printed. */
bool engine_start(struct engine *engine);

/* engine_gateways_ready: every account's session is ready.  engine_feeds_live: every book is proved. */
bool engine_gateways_ready(const struct engine *engine);

/* engine_leave ends the hot threads and closes what they had open. */
void engine_leave(struct engine *engine);

#endif
