#include "tools/poise/engine.h"
#include "ring/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>

__attribute__((format(printf, 2, 3))) static bool fail(struct engine *engine, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(engine->error, sizeof engine->error, format, arguments);
    va_end(arguments);
    return false;
}

/* ------------------------------------------------------------------ keys */

static uint32_t key_hash(const char *text)
{
    uint32_t hash = 2166136261U;
    for (; *text != 0; text++) {
        hash = (hash ^ (unsigned char)*text) * 16777619U;
    }
    return hash;
}

static bool key_make(struct sign_key *to, const struct config_key *from)
{
    switch (from->kind) {
    case 1:
        return sign_key_hmac(to, from->api_key, from->api_secret, from->api_secret_bytes);
    case 2:
        return sign_key_ed25519(to, from->api_key, from->seed);
    case 3:
        return sign_key_pem(to, from->api_key, from->api_secret, from->api_secret_bytes);
    default:
        return false;
    }
}

bool engine_keys(struct engine *engine)
{
    size_t bytes = ACCOUNT_MAX * sizeof(struct sign_key);
    bytes = (bytes + 4095) & ~(size_t)4095;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return fail(engine, "no memory for keys: %s", strerror(errno));
    }
    if (mlock(memory, bytes) != 0) {
        fprintf(stderr, "poise: warning: keys cannot be locked in memory (%s)\n", strerror(errno));
    }
    madvise(memory, bytes, MADV_DONTDUMP);
    engine->key = memory;
    for (uint32_t i = 0; i < engine->config.account_count; i++) {
        struct config_account *account = &engine->config.account[i];
        struct config_key key;
        char error[256];
        if (!config_key_load(account->key_file, &key, error, sizeof error)) {
            return fail(engine, "%s:%d: account %s: %s", engine->config.path, account->line,
                        account->row.name, error);
        }
        bool made = key_make(&engine->key[i], &key);
        account->row.key_hash = key_hash(key.api_key);
        explicit_bzero(&key, sizeof key);
        if (!made) {
            return fail(engine, "%s:%d: account %s: the key in %s is not one this venue takes",
                        engine->config.path, account->line, account->row.name, account->key_file);
        }
    }
    return true;
}

/* ------------------------------------------------------------------ addresses */

static bool host_add_fixed(struct engine *engine, struct engine_host *row, const char *connect_to)
{
    const char *colon = strrchr(connect_to, ':');
    if (colon == NULL || (size_t)(colon - connect_to) >= CONN_ADDRESS_BYTES) {
        return fail(engine, "connect_to = \"%s\": must be ADDRESS:PORT", connect_to);
    }
    memcpy(row->text[0], connect_to, (size_t)(colon - connect_to));
    row->count = 1;
    row->port = (uint16_t)strtoul(colon + 1, NULL, 10);
    return true;
}

static bool host_resolve(struct engine *engine, struct engine_host *row)
{
    struct addrinfo hints = { .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM }, *list = NULL;
    int error = getaddrinfo(row->host, NULL, &hints, &list);
    if (error != 0) {
        return fail(engine, "%s cannot be resolved: %s", row->host, gai_strerror(error));
    }
    for (struct addrinfo *a = list; a != NULL && row->count < CONN_ADDRESS_MAX; a = a->ai_next) {
        if (getnameinfo(a->ai_addr, a->ai_addrlen, row->text[row->count], CONN_ADDRESS_BYTES, NULL, 0,
                        NI_NUMERICHOST) == 0) {
            row->count++;
        }
    }
    freeaddrinfo(list);
    return row->count > 0 || fail(engine, "%s has no usable address", row->host);
}

static const struct config_venue *venue_config(const struct engine *engine, uint8_t venue)
{
    for (uint32_t i = 0; i < engine->config.venue_count; i++) {
        if (engine->config.venue[i].venue == venue) {
            return &engine->config.venue[i];
        }
    }
    return NULL;
}

static bool resolve_product(struct engine *engine, uint8_t venue_id, uint8_t product)
{
    const struct venue *venue = venue_by_id(venue_id);
    const struct config_venue *config = venue_config(engine, venue_id);
    const char *host[16];
    uint32_t count = venue->hosts(product, host, POISE_COUNT_OF(host));
    for (uint32_t i = 0; i < count; i++) {
        struct engine_host *row = &engine->host[engine->host_count];
        bool known = false;
        for (uint32_t k = 0; k < engine->host_count; k++) {
            known =
                known || (engine->host[k].venue == venue_id && strcmp(engine->host[k].host, host[i]) == 0);
        }
        if (known) {
            continue;
        }
        POISE_ASSERT(engine->host_count < POISE_COUNT_OF(engine->host));
        memset(row, 0, sizeof *row);
        row->venue = venue_id;
        snprintf(row->host, sizeof row->host, "%s", host[i]);
        bool ok = config != NULL && config->connect_to[0] != 0
                      ? host_add_fixed(engine, row, config->connect_to)
                      : host_resolve(engine, row);
        if (!ok) {
            return false;
        }
        engine->host_count++;
    }
    return true;
}

bool engine_resolve(struct engine *engine)
{
    for (uint32_t i = 0; i < engine->config.instrument_count; i++) {
        const struct config_instrument *row = &engine->config.instrument[i];
        if (!resolve_product(engine, row->venue, row->product)) {
            return false;
        }
    }
    return true;
}

static bool address_of(void *context, uint8_t venue, const char *host, struct role_address *address)
{
    struct engine *engine = context;
    for (uint32_t i = 0; i < engine->host_count; i++) {
        struct engine_host *row = &engine->host[i];
        if (row->venue == venue && strcmp(row->host, host) == 0) {
            address->count = row->count;
            address->port = row->port;
            for (uint32_t k = 0; k < row->count; k++) {
                address->address[k] = row->text[k];
            }
            return true;
        }
    }
    return false;
}

/* ------------------------------------------------------------------ memory */

static void *take(void *context, size_t bytes)
{
    struct engine *engine = context;
    return arena_take(&engine->arena, bytes);
}

/* What each role may take; a role that takes more asserts at start, never later. */
enum {
    FEED_BYTES_PER_INSTRUMENT = 6 << 20, /* two full books, the buffer of deltas before a snapshot */
    FEED_BYTES = 8 << 20,                /* connections, scratch levels */
    GATEWAY_BYTES = 8 << 20              /* session, tables */
};

/* ------------------------------------------------------------------ roles on threads */

static struct loop *loop_for(struct engine *engine, enum role role)
{
    const struct core_map *map = &engine->topology.map;
    for (uint32_t i = 0; i < engine->loop_count; i++) {
        if (engine->loop[i].core == map->core[role]) {
            return &engine->loop[i];
        }
    }
    struct loop *loop = &engine->loop[engine->loop_count++];
    memset(loop, 0, sizeof *loop);
    loop->core = map->core[role];
    loop->yield = engine->config.yield;
    loop->topology = &engine->topology;
    return loop;
}

static uint32_t loop_writer(const struct engine *engine, const struct loop *loop)
{
    return 1 + (uint32_t)(loop - engine->loop);
}

/* A thread is named after the roles it carries: "feed+strategy+gateway" is "hot". */
static void loop_name(struct engine *engine, struct loop *loop)
{
    const struct core_map *map = &engine->topology.map;
    uint32_t roles = 0;
    enum role last = ROLE_FEED;
    for (enum role role = ROLE_FEED; role <= ROLE_GATEWAY; role++) {
        if (map->core[role] == loop->core) {
            roles++;
            last = role;
        }
    }
    if (roles == 1) {
        snprintf(loop->name, sizeof loop->name, "hot.%s", role_names[last]);
    } else {
        snprintf(loop->name, sizeof loop->name, roles == ROLE_COLD ? "hot" : "hot.%d",
                 (int)(loop - engine->loop));
    }
    char name[48];
    uint32_t writer = loop_writer(engine, loop);
    snprintf(name, sizeof name, "%s.turns", loop->name);
    loop->turns = counters_add(engine->counters, writer, name, COUNTER_SUM);
    snprintf(name, sizeof name, "%s.busy", loop->name);
    loop->busy = counters_add(engine->counters, writer, name, COUNTER_SUM);
    snprintf(name, sizeof name, "%s.busy_ns", loop->name);
    loop->busy_ns = counters_add(engine->counters, writer, name, COUNTER_SUM);
    snprintf(name, sizeof name, "%s.turn_at_ns", loop->name);
    loop->age_ns = counters_add(engine->counters, writer, name, COUNTER_GAUGE);
}

struct feed_plan {
    uint8_t venue, product;
    uint32_t wanted_count;
    uint16_t wanted[FEED_CONNECTION_INSTRUMENTS];
};

static uint32_t plan_feeds(const struct engine *engine, struct feed_plan *plan)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < engine->instruments.count; i++) {
        const struct instrument *row = &engine->instruments.row[i];
        uint32_t k = 0;
        while (k < count && (plan[k].venue != row->venue || plan[k].product != row->product)) {
            k++;
        }
        POISE_ASSERT(k < TOPOLOGY_FEEDS_MAX);
        if (k == count) {
            plan[count++] = (struct feed_plan){ .venue = row->venue, .product = row->product };
        }
        POISE_ASSERT(plan[k].wanted_count < FEED_CONNECTION_INSTRUMENTS);
        plan[k].wanted[plan[k].wanted_count++] = row->index;
    }
    return count;
}

static const char *ca_file(const struct engine *engine)
{
    for (uint32_t i = 0; i < engine->config.venue_count; i++) {
        if (engine->config.venue[i].ca_file[0] != 0) {
            return engine->config.venue[i].ca_file;
        }
    }
    return NULL;
}

/* The most connections that the roles of a thread make; the net maps and touches its own memory. */
static uint32_t conns_max(const struct engine *engine, const struct loop *loop)
{
    const struct topology *topology = &engine->topology;
    uint32_t count = 0;
    count += topology->map.core[ROLE_FEED] == loop->core ? topology->feed_count * FEED_CONNECTIONS_MAX : 0;
    count += topology->map.core[ROLE_GATEWAY] == loop->core ? topology->gateway_count * GATEWAY_LINKS_MAX : 0;
    return count;
}

static bool make_net(struct engine *engine, struct loop *loop, uint64_t seed)
{
    if (loop->net != NULL) {
        return true;
    }
    const char *backend = engine->config.io_backend;
    struct net_options options = {
        .io.backend = strcmp(backend, "uring") == 0  ? IO_URING
                      : strcmp(backend, "spin") == 0 ? IO_SPIN
                                                     : IO_AUTO,
        .conns_max = conns_max(engine, loop),
        .ca_path = ca_file(engine),
        .no_tls = engine->plain,
        .seed = seed,
    };
    return net_create(&loop->net, &options, engine->error, sizeof engine->error);
}

/* Some venues serve more to who logs in: the first account there lends its key. */
static const struct sign_key *key_of_venue(const struct engine *engine, uint8_t venue)
{
    for (uint32_t i = 0; engine->key != NULL && i < engine->accounts.count; i++) {
        if (engine->accounts.row[i].venue == venue && engine->key[i].type != SIGN_NONE) {
            return &engine->key[i];
        }
    }
    return NULL;
}

static bool make_feeds(struct engine *engine, const struct feed_plan *plan, uint32_t count, uint64_t seed)
{
    for (uint32_t i = 0; i < count; i++) {
        struct loop *loop = loop_for(engine, ROLE_FEED);
        char name[24];
        snprintf(name, sizeof name, "feed.%u", i);
        struct feed_options options = {
            .name = name,
            .venue = venue_by_id(plan[i].venue),
            .product = plan[i].product,
            .instruments = &engine->instruments,
            .wanted_count = plan[i].wanted_count,
            .depth_levels = (uint32_t)engine->config.depth_levels,
            .stale_ns = 5 * NS_PER_S,
            .out = &engine->topology.feed[i],
            .net = loop->net,
            .counters = engine->counters,
            .writer = loop_writer(engine, loop),
            .resolve = address_of,
            .resolve_context = engine,
            .key = key_of_venue(engine, plan[i].venue),
            .seed = seed + i,
            .tls = !engine->plain,
            .take = take,
            .take_context = engine,
        };
        memcpy(options.wanted, plan[i].wanted, sizeof options.wanted);
        loop->feed[loop->feed_count] = feed_create(&options, engine->error, sizeof engine->error);
        if (loop->feed[loop->feed_count++] == NULL) {
            return false;
        }
    }
    return true;
}

/* The instruments an account trades: every leg that names it. */
static uint32_t account_wants(const struct engine *engine, uint16_t account, uint16_t *wanted)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < engine->config.quote_count; i++) {
        const struct quote_params *p = &engine->config.quote[i].params;
        const uint16_t leg[3][2] = { { p->quote_account, p->quote_instrument },
                                     { p->hedge_account, p->hedge_instrument },
                                     { p->second_account, p->second_instrument } };
        for (uint32_t k = 0; k < POISE_COUNT_OF(leg); k++) {
            bool known = leg[k][0] != account || leg[k][1] == NO_INSTRUMENT;
            for (uint32_t n = 0; n < count; n++) {
                known = known || wanted[n] == leg[k][1];
            }
            if (!known && count < FEED_CONNECTION_INSTRUMENTS) {
                wanted[count++] = leg[k][1];
            }
        }
    }
    return count;
}

static bool make_gateways(struct engine *engine, uint64_t seed)
{
    for (uint32_t i = 0; i < engine->accounts.count; i++) {
        struct loop *loop = loop_for(engine, ROLE_GATEWAY);
        const struct account *account = &engine->accounts.row[i];
        char name[24];
        snprintf(name, sizeof name, "gateway.%u", i);
        struct gateway_options options = {
            .name = name,
            .instruments = &engine->instruments,
            .account = account,
            .venue = venue_by_id(account->venue),
            .key = &engine->key[i],
            .in = &engine->topology.order[i],
            .out = &engine->topology.report[i],
            .net = loop->net,
            .counters = engine->counters,
            .writer = loop_writer(engine, loop),
            .resolve = address_of,
            .resolve_context = engine,
            .tls = !engine->plain,
            .heartbeat = &engine->topology.heartbeat,
            .heartbeat_stale_ns = 2 * NS_PER_S,
            .request_timeout_ns = 2 * NS_PER_S,
            .clock_offset_ns = engine->clock_offset_ns[account->venue],
            .venue_clock_ns = &engine->venue_clock_ns[account->venue],
            .seed = seed + 100 + i,
            .take = take,
            .take_context = engine,
        };
        options.wanted_count = account_wants(engine, account->index, options.wanted);
        loop->gateway[loop->gateway_count] = gateway_create(&options, engine->error, sizeof engine->error);
        if (loop->gateway[loop->gateway_count++] == NULL) {
            return false;
        }
    }
    return true;
}

/* A broken promise: what rests is cancelled before the abort.  Gateways on other threads see the flag and
 * cancel from their own tables; those on this thread cannot be entered again from inside their own step, so
 * cold cancels by REST and says so with a 2.  After two seconds the venue's dead-man is all that is left. */
static void on_assert(void *context)
{
    struct engine *engine = context;
    /* edge E */
    atomic_store_explicit(&engine->topology.emergency, 1, memory_order_release);
    for (uint64_t until_ns = clock_now_ns() + 2 * NS_PER_S; clock_now_ns() < until_ns;) {
        /* edge E */
        if (atomic_load_explicit(&engine->topology.emergency, memory_order_acquire) == 2) {
            return;
        }
    }
}

bool engine_prepare(struct engine *engine, struct spsc *journal)
{
    static struct feed_plan plan[TOPOLOGY_FEEDS_MAX];
    const struct config *config = &engine->config;
    uint32_t feed_count = plan_feeds(engine, plan);
    uint32_t gateway_count = engine->accounts.count;
    struct core_map map = { .core = { config->core_feed, config->core_strategy, config->core_gateway,
                                      INT32_MIN } };
    engine->topology.map = map;

    size_t bytes = topology_bytes(&map, feed_count, gateway_count) + strategy_bytes() +
                   sizeof(struct outbox) + feed_count * (size_t)FEED_BYTES +
                   engine->instruments.count * (size_t)FEED_BYTES_PER_INSTRUMENT +
                   gateway_count * (size_t)GATEWAY_BYTES;
    if (!arena_create(&engine->arena, bytes, -1, true)) {
        return fail(engine, "no %zu MiB of memory for the hot side: %s", bytes >> 20, strerror(errno));
    }
    topology_make(&engine->topology, &map, feed_count, gateway_count, &engine->arena);

    uint64_t seed = (uint64_t)clock_wall_ns();
    for (enum role role = ROLE_FEED; role <= ROLE_GATEWAY; role++) {
        struct loop *loop = loop_for(engine, role);
        if (role != ROLE_STRATEGY && !make_net(engine, loop, seed + role)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < engine->loop_count; i++) {
        loop_name(engine, &engine->loop[i]);
    }
    struct loop *loop = loop_for(engine, ROLE_STRATEGY);
    struct strategy *strategy = strategy_init(arena_take(&engine->arena, strategy_bytes()));
    struct outbox *outbox = arena_take(&engine->arena, sizeof *outbox);
    strategy_role_init(&engine->strategy, strategy, outbox, &engine->topology, journal,
                       (uint64_t)config->clock_tick_ns, engine->counters, loop_writer(engine, loop));
    loop->strategy = &engine->strategy;

    if (!make_feeds(engine, plan, feed_count, seed) || !make_gateways(engine, seed)) {
        return false;
    }
    for (uint32_t i = 0; i < engine->loop_count; i++) {
        loop_watch(&engine->loop[i]);
    }
    base_set_assert_hook(on_assert, engine);
    return true;
}

void engine_open(struct engine *engine)
{
    arena_seal(&engine->arena);
    uint64_t now_ns = clock_now_ns();
    for (uint32_t i = 0; i < engine->loop_count; i++) {
        struct loop *loop = &engine->loop[i];
        for (uint32_t k = 0; k < loop->feed_count; k++) {
            feed_start(loop->feed[k], now_ns);
        }
        for (uint32_t k = 0; k < loop->gateway_count; k++) {
            gateway_start(loop->gateway[k], now_ns);
        }
    }
}

bool engine_start(struct engine *engine)
{
    if (!engine->arena.huge) {
        fprintf(stderr, "poise: note: no huge pages; `poise host` says how to have them\n");
    }
    engine_open(engine);
    for (uint32_t i = 0; i < engine->loop_count; i++) {
        bool pinned = true;
        if (!loop_start(&engine->loop[i], &pinned)) {
            return fail(engine, "no thread for %s: %s", engine->loop[i].name, strerror(errno));
        }
        if (!pinned) {
            fprintf(stderr, "poise: warning: %s cannot be pinned to processor %d\n", engine->loop[i].name,
                    engine->loop[i].core);
        }
    }
    return true;
}

bool engine_gateways_ready(const struct engine *engine)
{
    for (uint32_t i = 0; i < engine->loop_count; i++) {
        for (uint32_t k = 0; k < engine->loop[i].gateway_count; k++) {
            if (gateway_state(engine->loop[i].gateway[k]) != GATEWAY_READY) {
                return false;
            }
        }
    }
    return true;
}

void engine_leave(struct engine *engine)
{
    /* edge S */
    atomic_store_explicit(&engine->topology.leave, 1, memory_order_release);
    uint64_t now_ns = clock_now_ns();
    for (uint32_t i = 0; i < engine->loop_count; i++) {
        loop_join(&engine->loop[i]);
    }
    for (uint32_t i = 0; i < engine->loop_count; i++) {
        struct loop *loop = &engine->loop[i];
        for (uint32_t k = 0; k < loop->feed_count; k++) {
            feed_stop(loop->feed[k], now_ns);
        }
        for (uint32_t k = 0; k < loop->gateway_count; k++) {
            gateway_stop(loop->gateway[k], now_ns);
        }
        if (loop->net != NULL) {
            net_poll(loop->net, now_ns);
        }
    }
    if (engine->key != NULL) {
        explicit_bzero(engine->key, ACCOUNT_MAX * sizeof *engine->key);
    }
}
