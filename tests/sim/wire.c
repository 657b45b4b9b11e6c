#include "tests/sim/wire.h"

#include "ring/base.h"
#include "tests/sim/point.h"
#include "tests/sim/time.h"
#include "tests/sim/trouble.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LINKS_MAX = 128, PIECE_MAX = 16384, AROUND = 64, SPLITS_MAX = 8 };
#define NEVER      UINT64_MAX
#define RTO_NS     200000000ULL /* a server notices a link that was cut after so long */
#define CONNECT_NS 1000000ULL

struct piece {
    uint64_t due_ns;
    size_t bytes;
};

/* One direction: pieces in the order they arrive. */
struct flow {
    struct sim_text text; /* bytes from `at` on are under way */
    size_t at;
    struct piece *piece;
    size_t first, count, room;
    uint64_t last_ns; /* nothing overtakes */
    bool over;        /* nothing follows the last piece: then the end, */
    bool reset;       /* without a word, */
    uint64_t over_ns; /* at this time */
};

enum link_state { LINK_FREE, LINK_CONNECTING, LINK_OPEN, LINK_ENDED };

struct link {
    enum link_state state;
    struct io *io;    /* NULL: a question of the cold thread */
    uint64_t server;  /* the server's id of it; 0: not yet, or gone */
    uint64_t born_ns; /* CONNECTING: when the connect is answered */
    bool refused, hole;
    bool client_gone; /* the engine closed its end */
    struct flow up, down;
};

struct block {
    struct block *next;
    void *memory;
};

struct io {
    struct io_options options;
    struct io_counters counters;
    uint8_t scratch[PIECE_MAX + 2 * AROUND];
};

static struct {
    struct sim_net *net;
    struct sim_random random;
    struct wire_weather weather;
    struct wire_counts counts;
    int32_t used; /* links below this one have been in use */
    struct link link[LINKS_MAX];
    struct block *blocks;
} wire;

/* ------------------------------------------------------------------ memory of a process */

void *net_take(const struct net_memory *memory, size_t bytes, size_t align)
{
    if (memory != NULL && memory->take != NULL) {
        return memory->take(memory->ctx, bytes, align);
    }
    struct block *block = malloc(sizeof *block);
    POISE_ASSERT(block != NULL && (block->memory = calloc(1, bytes + align)) != NULL);
    block->next = wire.blocks;
    wire.blocks = block;
    return (void *)(((uintptr_t)block->memory + align - 1) & ~(uintptr_t)(align - 1));
}

void wire_free_memory(void)
{
    while (wire.blocks != NULL) {
        struct block *block = wire.blocks;
        wire.blocks = block->next;
        free(block->memory);
        free(block);
    }
}

/* ------------------------------------------------------------------ flows */

static bool chance(int64_t ppm)
{
    return ppm > 0 && sim_random_chance(&wire.random, ppm);
}

static uint64_t latency_ns(void)
{
    return (uint64_t)sim_random_range(&wire.random, wire.weather.low_ns, wire.weather.high_ns);
}

static void flow_end(struct flow *flow, bool reset, uint64_t at_ns)
{
    if (!flow->over) {
        flow->over = true;
        flow->reset = reset;
        flow->over_ns = at_ns > flow->last_ns ? at_ns : flow->last_ns;
    }
}

static void flow_add(struct flow *flow, const uint8_t *bytes, size_t len, uint64_t due_ns)
{
    if (len == 0) {
        return;
    }
    if (flow->first == flow->count) {
        flow->first = flow->count = 0;
        sim_text_reset(&flow->text);
        flow->at = 0;
    }
    if (flow->count == flow->room) {
        flow->room = flow->room * 2 + 16;
        flow->piece = realloc(flow->piece, flow->room * sizeof *flow->piece);
        POISE_ASSERT(flow->piece != NULL);
    }
    sim_text_put(&flow->text, bytes, len);
    flow->last_ns = due_ns > flow->last_ns ? due_ns : flow->last_ns;
    flow->piece[flow->count++] = (struct piece){ flow->last_ns, len };
    wire.counts.pieces++;
}

static uint64_t flow_next_ns(const struct flow *flow)
{
    return flow->first < flow->count ? flow->piece[flow->first].due_ns : flow->over ? flow->over_ns : NEVER;
}

static void flow_free(struct flow *flow)
{
    sim_text_free(&flow->text);
    free(flow->piece);
    memset(flow, 0, sizeof *flow);
}

/* cut ends a link for both sides: each hears of it in its own time. */
static void cut(struct link *link)
{
    wire.counts.cuts++;
    trouble_begins("link_cut", 0);
    flow_end(&link->down, true, time_now.now_ns + latency_ns());
    flow_end(&link->up, true, time_now.now_ns + RTO_NS);
}

/* become_hole: the engine notices by itself, within a minute or so. */
static void become_hole(struct link *link)
{
    wire.counts.holes++;
    link->hole = true;
    trouble_begins("link_silent", time_now.now_ns + 30 * NS_PER_S);
}

/* carry puts bytes on their way in one direction, as the weather will have it. */
static void carry(struct link *link, struct flow *flow, const uint8_t *bytes, size_t len)
{
    uint64_t due_ns = time_now.now_ns + latency_ns();
    if (flow->over || link->hole) {
        return; /* into the void */
    }
    if (chance(wire.weather.hole_ppm)) {
        become_hole(link);
        return;
    }
    if (chance(wire.weather.cut_ppm)) {
        size_t part = (size_t)sim_random_range(&wire.random, 0, (int64_t)len);
        if (part != 0 && part != len) {
            wire.counts.torn++;
            trouble_begins("link_torn", 0);
        }
        flow_add(flow, bytes, part < PIECE_MAX ? part : PIECE_MAX, due_ns);
        cut(link);
        return;
    }
    for (int n = 0; n < SPLITS_MAX && len > 1 && chance(wire.weather.split_ppm); n++) {
        size_t part = (size_t)sim_random_range(&wire.random, 1, (int64_t)len - 1);
        part = part < PIECE_MAX ? part : PIECE_MAX;
        wire.counts.splits++;
        flow_add(flow, bytes, part, due_ns);
        due_ns += latency_ns();
        bytes += part;
        len -= part;
    }
    while (len > 0) {
        size_t part = len < PIECE_MAX ? len : PIECE_MAX;
        flow_add(flow, bytes, part, due_ns);
        bytes += part;
        len -= part;
    }
}

/* ------------------------------------------------------------------ links */

static void link_free(struct link *link)
{
    if (link->server != 0) {
        sim_net_hang_up(wire.net, link->server);
    }
    flow_free(&link->up);
    flow_free(&link->down);
    memset(link, 0, sizeof *link);
}

static int32_t link_open(struct io *io)
{
    for (int32_t i = 0; i < LINKS_MAX; i++) {
        struct link *link = &wire.link[i];
        if (link->state == LINK_FREE) {
            link->state = LINK_CONNECTING;
            link->io = io;
            link->refused = chance(wire.weather.refuse_ppm);
            link->born_ns = time_now.now_ns + CONNECT_NS + 2 * latency_ns();
            wire.used = i >= wire.used ? i + 1 : wire.used;
            wire.counts.links++;
            if (link->refused) {
                wire.counts.refused++;
                trouble_begins("link_refused", 0);
            }
            return i;
        }
    }
    return IO_NO_SOCKET;
}

static void link_connect(struct link *link)
{
    link->server = sim_net_pipe(wire.net);
    link->refused = link->refused || link->server == 0;
}

/* What a server wants to send goes on its way; the end of its side as well. */
static void link_take(struct link *link)
{
    static struct sim_text text;
    if (link->server == 0) {
        return;
    }
    sim_text_reset(&text);
    bool more = sim_net_take(wire.net, link->server, &text);
    if (text.length > 0) {
        wire.counts.bytes_down += text.length;
        carry(link, &link->down, (const uint8_t *)text.data, text.length);
    }
    if (!more) {
        link->server = 0;
        if (!link->hole) {
            flow_end(&link->down, false, time_now.now_ns + latency_ns());
        }
    }
}

/* What arrived at a server by now. */
static bool link_give(struct link *link, uint64_t now_ns)
{
    struct flow *up = &link->up;
    bool heard = false;
    while (up->first < up->count && up->piece[up->first].due_ns <= now_ns) {
        size_t len = up->piece[up->first++].bytes;
        if (link->server != 0) {
            wire.counts.bytes_up += len;
            sim_net_give(wire.net, link->server, up->text.data + up->at, len);
        }
        up->at += len;
        heard = true;
        link_take(link);
    }
    if (up->first == up->count && up->over && up->over_ns <= now_ns && link->server != 0) {
        sim_net_hang_up(wire.net, link->server);
        link->server = 0;
        heard = true;
    }
    return heard;
}

bool wire_turn(uint64_t now_ns)
{
    bool heard = false;
    for (int32_t i = 0; i < wire.used; i++) {
        struct link *link = &wire.link[i];
        if (link->state == LINK_FREE) {
            continue;
        }
        if (link->state == LINK_OPEN || link->client_gone) {
            heard = link_give(link, now_ns) || heard;
            link_take(link);
        }
        if (link->client_gone && link->server == 0 && link->up.first == link->up.count) {
            link_free(link);
        }
    }
    return heard;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t wire_next_ns(void)
{
    uint64_t next = NEVER;
    for (int32_t i = 0; i < wire.used; i++) {
        const struct link *link = &wire.link[i];
        if (link->state == LINK_FREE) {
            continue;
        }
        /* what is there already waits for whoever reads it */
        uint64_t at = link->state == LINK_CONNECTING ? link->born_ns : NEVER;
        uint64_t up = link->server != 0 || link->up.first < link->up.count ? flow_next_ns(&link->up) : NEVER;
        uint64_t down = link->state == LINK_OPEN ? flow_next_ns(&link->down) : NEVER;
        at = at <= time_now.now_ns ? NEVER : at;
        down = down <= time_now.now_ns ? NEVER : down;
        next = earlier(earlier(next, at), earlier(up, down));
    }
    return next;
}

static void each_open(void (*what)(struct link *link), bool one)
{
    int32_t open[LINKS_MAX], count = 0;
    for (int32_t i = 0; i < LINKS_MAX; i++) {
        if (wire.link[i].state == LINK_OPEN && !wire.link[i].down.over) {
            open[count++] = i;
        }
    }
    if (one && count > 0) {
        what(&wire.link[open[sim_random_range(&wire.random, 0, count - 1)]]);
    }
    for (int32_t i = 0; !one && i < count; i++) {
        what(&wire.link[open[i]]);
    }
}

void wire_cut_all(void)
{
    each_open(cut, false);
}

void wire_cut_some(void)
{
    each_open(cut, true);
}

void wire_hole_some(void)
{
    each_open(become_hole, true);
}

static void leave(struct link *link)
{
    flow_end(&link->up, true, time_now.now_ns + latency_ns());
    link->client_gone = true;
    link->io = NULL;
    link->state = LINK_ENDED;
}

void wire_kill(void)
{
    for (int32_t i = 0; i < LINKS_MAX; i++) {
        if (wire.link[i].state == LINK_CONNECTING) {
            link_free(&wire.link[i]);
        } else if (wire.link[i].state != LINK_FREE) {
            leave(&wire.link[i]);
        }
    }
}

void wire_start(struct sim_net *net, uint64_t seed)
{
    memset(&wire, 0, sizeof wire);
    wire.net = net;
    wire.weather = (struct wire_weather){ .low_ns = 50000, .high_ns = 500000 };
    sim_random_seed(&wire.random, seed, 20);
}

void wire_stop(void)
{
    for (int32_t i = 0; i < LINKS_MAX; i++) {
        link_free(&wire.link[i]);
    }
}

struct wire_weather *wire_weather(void)
{
    return &wire.weather;
}

const struct wire_counts *wire_counts(void)
{
    return &wire.counts;
}

/* ------------------------------------------------------------------ hot/net/io.h */

enum io_answer io_create(struct io **out, const struct io_options *options)
{
    *out = net_take(NULL, sizeof **out, 64);
    (*out)->options = *options;
    if ((*out)->options.events_per_poll == 0) {
        (*out)->options.events_per_poll = 16;
    }
    return IO_OK;
}

void io_destroy(struct io *io)
{
    for (int32_t i = 0; i < LINKS_MAX; i++) {
        if (wire.link[i].state != LINK_FREE && wire.link[i].io == io) {
            io_close(io, (uint32_t)i);
        }
    }
}

const char *io_backend_name(const struct io *io)
{
    (void)io;
    return "sim";
}

const char *io_note(const struct io *io)
{
    (void)io;
    return "";
}

int32_t io_connect(struct io *io, const char *address, uint16_t port)
{
    (void)address;
    (void)port;
    return link_open(io);
}

int32_t io_adopt(struct io *io, int fd)
{
    (void)io;
    (void)fd;
    return IO_NO_SOCKET;
}

enum io_answer io_send(struct io *io, uint32_t socket, const uint8_t *bytes, size_t len)
{
    struct link *link = &wire.link[socket];
    if (link->state != LINK_OPEN) {
        return IO_NOT_CONNECTED;
    }
    io->counters.bytes_out += len;
    point_pass(POINT_SEND);
    carry(link, &link->up, bytes, len);
    point_pass(POINT_SENT);
    return IO_OK;
}

enum io_answer io_queue(struct io *io, uint32_t socket, const uint8_t *bytes, size_t len)
{
    return io_send(io, socket, bytes, len);
}

void io_flush(struct io *io)
{
    (void)io;
}

size_t io_pending(const struct io *io, uint32_t socket)
{
    (void)io;
    (void)socket;
    return 0;
}

void io_close(struct io *io, uint32_t socket)
{
    struct link *link = &wire.link[socket];
    (void)io;
    if (link->state == LINK_CONNECTING) {
        link_free(link);
    } else if (link->state != LINK_FREE) {
        leave(link);
    }
}

const struct io_counters *io_counters(const struct io *io)
{
    return &io->counters;
}

/* One event of one link, if it is due. */
static bool deliver(struct io *io, uint32_t socket, io_sink sink, void *ctx)
{
    struct link *link = &wire.link[socket];
    struct flow *down = &link->down;
    if (link->state == LINK_CONNECTING && link->born_ns <= time_now.now_ns) {
        link_connect(link);
        link->state = link->refused ? LINK_ENDED : LINK_OPEN;
        sink(ctx, socket, link->refused ? IO_FAILED : IO_CONNECTED, NULL, link->refused ? ECONNREFUSED : 0);
        return true;
    }
    if (link->state != LINK_OPEN) {
        return false;
    }
    if (down->first < down->count && down->piece[down->first].due_ns <= time_now.now_ns) {
        size_t len = down->piece[down->first++].bytes;
        memcpy(io->scratch + AROUND, down->text.data + down->at, len);
        down->at += len;
        io->counters.bytes_in += len;
        sink(ctx, socket, IO_BYTES, io->scratch + AROUND, len);
        return true;
    }
    if (down->first == down->count && down->over && down->over_ns <= time_now.now_ns) {
        link->state = LINK_ENDED;
        sink(ctx, socket, down->reset ? IO_FAILED : IO_CLOSED, NULL, down->reset ? ECONNRESET : 0);
        return true;
    }
    return false;
}

uint32_t io_poll(struct io *io, io_sink sink, void *ctx)
{
    uint32_t done = 0;
    io->counters.polls++;
    for (uint32_t i = 0; (int32_t)i < wire.used && done < io->options.events_per_poll; i++) {
        if (wire.link[i].io == io) {
            done += deliver(io, i, sink, ctx);
        }
    }
    return done;
}

/* ------------------------------------------------------------------ questions */

int32_t wire_ask(const char *bytes, size_t len)
{
    int32_t at = link_open(NULL);
    if (at < 0) {
        return at;
    }
    struct link *link = &wire.link[at];
    link_connect(link);
    if (link->refused) {
        flow_end(&link->down, true, link->born_ns);
    }
    link->state = LINK_OPEN;
    link->up.last_ns = link->born_ns;
    carry(link, &link->up, (const uint8_t *)bytes, len);
    return at;
}

bool wire_answer(int32_t at, struct sim_text *out)
{
    struct link *link = &wire.link[at];
    struct flow *down = &link->down;
    while (down->first < down->count && down->piece[down->first].due_ns <= time_now.now_ns) {
        size_t len = down->piece[down->first++].bytes;
        sim_text_put(out, down->text.data + down->at, len);
        down->at += len;
    }
    return !(down->first == down->count && down->over && down->over_ns <= time_now.now_ns);
}

bool wire_answered(int32_t at)
{
    return flow_next_ns(&wire.link[at].down) <= time_now.now_ns;
}

void wire_forget(int32_t at)
{
    if (wire.link[at].state != LINK_FREE) {
        leave(&wire.link[at]);
    }
}
