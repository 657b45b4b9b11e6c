/* topology: the map of who talks to whom.
 *
 * One row a ring in topology.c: writer, reader, message, depth, and what is done when it is full.  The core
 * map says which role runs on which thread; a channel between roles of one thread becomes a local queue,
 * any other a ring.  Made once at start by cold, from the arena, before any hot thread runs. */
#ifndef POISE_RING_TOPOLOGY_H
#define POISE_RING_TOPOLOGY_H

#include "ring/account.h"
#include "ring/arena.h"
#include "ring/cell.h"
#include "ring/channel.h"

enum role { ROLE_FEED = 0, ROLE_STRATEGY, ROLE_GATEWAY, ROLE_COLD, ROLE_COUNT };

enum when_full {
    FULL_RESEND, /* count, mark the instrument, send a complete top N before its next change */
    FULL_HOLD,   /* keep it, consume nothing more until it went out, count */
    FULL_WAIT,   /* the writer may sleep: it does */
    FULL_HALT, /* the last quarter is for orders, reports and cancels; when that is full: halt, cancel all */
};

/* How many of a row there are. */
enum row_per { PER_ENGINE, PER_FEED, PER_GATEWAY };

struct topology_row {
    const char *name;
    enum role writer, reader;
    enum row_per per;
    uint32_t slots; /* 64 bytes each, a power of two */
    enum when_full when_full;
    const char *message;
};

enum topology_ring {
    RING_FEED = 0, /* feed -> strategy */
    RING_REPORT,   /* gateway -> strategy */
    RING_ORDER,    /* strategy -> gateway */
    RING_CONTROL,  /* cold -> strategy */
    RING_JOURNAL,  /* strategy -> cold: a shared mapping that survives the process (cold/journal.h) */
    RING_COUNT
};
extern const struct topology_row topology_rows[RING_COUNT];

#define TOPOLOGY_FEEDS_MAX    16
#define TOPOLOGY_GATEWAYS_MAX ACCOUNT_MAX
#define TOPOLOGY_CELLS_MAX    64

/* Where each role runs.  The same number is the same thread; 0 and up pin to that processor, negative ones
 * float (so -1, -1, -1 is one floating thread and -1, -2, -3 are three). */
struct core_map {
    int32_t core[ROLE_COUNT];
};

/* core_map_fused: feed, strategy and gateway share a thread. */
static inline bool core_map_shares(const struct core_map *map, enum role a, enum role b)
{
    return map->core[a] == map->core[b];
}

struct topology {
    struct core_map map;
    uint32_t feed_count, gateway_count;
    struct channel feed[TOPOLOGY_FEEDS_MAX];
    struct channel report[TOPOLOGY_GATEWAYS_MAX];
    struct channel order[TOPOLOGY_GATEWAYS_MAX];
    struct channel control;
    struct cell *cell; /* cold writes, strategy reads; TOPOLOGY_CELLS_MAX of them */
    uint32_t cell_count;

    /* edge H: written by the strategy every turn that is not quiet, read by gateways */
    _Alignas(POISE_APART) _Atomic uint64_t heartbeat;
    /* edge E: set once by whoever finds that trading cannot go on; gateways cancel everything from their own
     * tables and take no more orders */
    _Alignas(POISE_APART) _Atomic uint32_t emergency;
    /* edge S: set by cold: hot threads leave their loops */
    _Alignas(POISE_APART) _Atomic uint32_t leave;
};

/* topology_bytes is what topology_make takes from the arena. */
size_t topology_bytes(const struct core_map *map, uint32_t feed_count, uint32_t gateway_count);

/* topology_make builds every channel but the journal. */
void topology_make(struct topology *topology, const struct core_map *map, uint32_t feed_count,
                   uint32_t gateway_count, struct arena *arena);

extern const char *const role_names[ROLE_COUNT];

#endif
