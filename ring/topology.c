#include "ring/topology.h"

/* clang-format off */
const struct topology_row topology_rows[RING_COUNT] = {
    /*               name       writer         reader         how many     slots  when full     message */
    [RING_FEED]    = { "feed",    ROLE_FEED,     ROLE_STRATEGY, PER_FEED,    4096,  FULL_RESEND, "books, tops, trades, marks, states" },
    [RING_REPORT]  = { "report",  ROLE_GATEWAY,  ROLE_STRATEGY, PER_GATEWAY, 4096,  FULL_HOLD,   "acks, fills, balances, positions, gateway state" },
    [RING_ORDER]   = { "order",   ROLE_STRATEGY, ROLE_GATEWAY,  PER_GATEWAY, 1024,  FULL_HOLD,   "new, amend, cancel, query" },
    [RING_CONTROL] = { "control", ROLE_COLD,     ROLE_STRATEGY, PER_ENGINE,  4096,  FULL_WAIT,   "restore, commands, what REST told" },
    [RING_JOURNAL] = { "journal", ROLE_STRATEGY, ROLE_COLD,     PER_ENGINE,  65536, FULL_HALT,   "everything consumed, everything emitted" },
};
/* clang-format on */

const char *const role_names[ROLE_COUNT] = { "feed", "strategy", "gateway", "cold" };

/* Arena requests are rounded up to POISE_APART, hence the slack. */
static size_t channel_bytes(const struct core_map *map, enum topology_ring ring)
{
    const struct topology_row *row = &topology_rows[ring];
    size_t bytes =
        core_map_shares(map, row->writer, row->reader) ? queue_bytes(row->slots) : spsc_bytes(row->slots);
    return bytes + POISE_APART;
}

size_t topology_bytes(const struct core_map *map, uint32_t feed_count, uint32_t gateway_count)
{
    return feed_count * channel_bytes(map, RING_FEED) +
           gateway_count * (channel_bytes(map, RING_REPORT) + channel_bytes(map, RING_ORDER)) +
           channel_bytes(map, RING_CONTROL) + TOPOLOGY_CELLS_MAX * sizeof(struct cell) + POISE_APART;
}

static struct channel channel_make(const struct core_map *map, enum topology_ring ring, struct arena *arena)
{
    const struct topology_row *row = &topology_rows[ring];
    struct channel channel = { NULL, NULL };
    if (core_map_shares(map, row->writer, row->reader)) {
        channel.queue = queue_init(arena_take(arena, queue_bytes(row->slots)), row->slots);
    } else {
        channel.ring = spsc_init(arena_take(arena, spsc_bytes(row->slots)), row->slots);
    }
    return channel;
}

void topology_make(struct topology *topology, const struct core_map *map, uint32_t feed_count,
                   uint32_t gateway_count, struct arena *arena)
{
    POISE_ASSERT(feed_count <= TOPOLOGY_FEEDS_MAX && gateway_count <= TOPOLOGY_GATEWAYS_MAX);
    memset(topology, 0, sizeof *topology);
    topology->map = *map;
    topology->feed_count = feed_count;
    topology->gateway_count = gateway_count;
    for (uint32_t i = 0; i < feed_count; i++) {
        topology->feed[i] = channel_make(map, RING_FEED, arena);
    }
    for (uint32_t i = 0; i < gateway_count; i++) {
        topology->report[i] = channel_make(map, RING_REPORT, arena);
        topology->order[i] = channel_make(map, RING_ORDER, arena);
    }
    topology->control = channel_make(map, RING_CONTROL, arena);
    topology->cell = arena_take(arena, TOPOLOGY_CELLS_MAX * sizeof(struct cell));
}
