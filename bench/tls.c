/* A TLS 1.3 record of 256 bytes, AES-128-GCM: sealing and opening through the hot client, and through
 * OpenSSL's own client over memory BIOs.  The far side is an OpenSSL server in memory; its work is outside
 * the spans. */
#include "bench/cases.h"
#include "bench/tls_peer_stock.h"
#include "hot/net/tls.h"
#include "tests/hot/net/tls_peer.h"

#include <stdio.h>
#include <string.h>

#define EACH       8
#define PAYLOAD    256
#define WIRE_BYTES (1 << 18)

static struct {
    struct peer_server *server;
    struct peer *ours_far, *stock_far;
    struct tls_context *context;
    struct tls *ours;
    struct stock *stock;
    uint8_t up[WIRE_BYTES], down[WIRE_BYTES], plain[WIRE_BYTES];
    size_t up_bytes;
    uint8_t payload[PAYLOAD];
} pair;
static int users;
static bool usable;

static bool take_up(void *context, const uint8_t *bytes, size_t len)
{
    (void)context;
    if (len > sizeof pair.up - pair.up_bytes) {
        return false;
    }
    memcpy(pair.up + pair.up_bytes, bytes, len);
    pair.up_bytes += len;
    return true;
}

/* Everything the far side has to say goes in; what comes out is thrown away. */
static size_t hear_ours(void)
{
    size_t down = peer_take(pair.ours_far, pair.down, sizeof pair.down);
    size_t heard = 0;
    tls_input(pair.ours, pair.down, down);
    for (long n; (n = tls_read(pair.ours, pair.plain, sizeof pair.plain)) > 0;) {
        heard += (size_t)n;
    }
    return down + heard;
}

static bool shake_ours(void)
{
    tls_start(pair.ours, "venue.test", take_up, NULL);
    for (int turn = 0; turn < 10; turn++) {
        peer_feed(pair.ours_far, pair.up, pair.up_bytes);
        pair.up_bytes = 0;
        hear_ours();
    }
    return tls_state(pair.ours) == TLS_OPEN && peer_is_open(pair.ours_far);
}

static bool shake_stock(void)
{
    bool done = false;
    for (int turn = 0; turn < 10; turn++) {
        done = stock_work(pair.stock);
        peer_feed(pair.stock_far, pair.up, stock_take(pair.stock, pair.up, sizeof pair.up));
        stock_feed(pair.stock, pair.down, peer_take(pair.stock_far, pair.down, sizeof pair.down));
    }
    stock_read(pair.stock, pair.plain, sizeof pair.plain); /* tickets */
    return done && peer_is_open(pair.stock_far);
}

static bool setup(struct bench *bench)
{
    char error[200] = "the handshake with the server in memory failed";
    if (users++ == 0) {
        struct peer_options options = { .ciphers = "TLS_AES_128_GCM_SHA256" };
        memset(pair.payload, 'x', sizeof pair.payload);
        pair.server = peer_server_create(&options);
        pair.ours_far = peer_accept(pair.server);
        pair.stock_far = peer_accept(pair.server);
        struct tls_options ours = { .ca_path = peer_ca_path() };
        pair.stock = stock_create(peer_ca_path(), "venue.test");
        if (pair.stock != NULL && tls_context_create(&pair.context, &ours, error, sizeof error)) {
            pair.ours = tls_create(pair.context);
            usable = shake_ours() && shake_stock();
        }
    }
    return usable || bench_absent(bench, error);
}

static void teardown(void)
{
    if (--users > 0) {
        return;
    }
    tls_stop(pair.ours);
    tls_context_destroy(pair.context);
    stock_destroy(pair.stock);
    peer_destroy(pair.ours_far);
    peer_destroy(pair.stock_far);
    peer_server_destroy(pair.server);
}

static uint64_t seal_ours(struct bench *bench, uint64_t *ticks, uint32_t count)
{
    (void)bench;
    uint64_t arrived = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool fine = true;
        uint64_t from = clock_ticks();
        for (int k = 0; k < EACH; k++) {
            fine &= tls_send(pair.ours, pair.payload, PAYLOAD);
        }
        ticks[i] = clock_ticks() - from;
        POISE_ASSERT(fine);
        peer_feed(pair.ours_far, pair.up, pair.up_bytes);
        pair.up_bytes = 0;
        for (size_t n; (n = peer_read(pair.ours_far, pair.plain, sizeof pair.plain)) > 0;) {
            arrived += n;
        }
    }
    return arrived;
}

static uint64_t seal_stock(struct bench *bench, uint64_t *ticks, uint32_t count)
{
    (void)bench;
    uint64_t arrived = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool fine = true;
        uint64_t from = clock_ticks();
        for (int k = 0; k < EACH; k++) {
            fine &= stock_write(pair.stock, pair.payload, PAYLOAD);
        }
        ticks[i] = clock_ticks() - from;
        POISE_ASSERT(fine);
        peer_feed(pair.stock_far, pair.up, stock_take(pair.stock, pair.up, sizeof pair.up));
        for (size_t n; (n = peer_read(pair.stock_far, pair.plain, sizeof pair.plain)) > 0;) {
            arrived += n;
        }
    }
    return arrived;
}

static uint64_t open_ours(struct bench *bench, uint64_t *ticks, uint32_t count)
{
    (void)bench;
    uint64_t arrived = 0;
    for (uint32_t i = 0; i < count; i++) {
        for (int k = 0; k < EACH; k++) {
            POISE_ASSERT(peer_write(pair.ours_far, pair.payload, PAYLOAD));
        }
        size_t down = peer_take(pair.ours_far, pair.down, sizeof pair.down);
        uint64_t from = clock_ticks();
        tls_input(pair.ours, pair.down, down);
        for (long n; (n = tls_read(pair.ours, pair.plain, sizeof pair.plain)) > 0;) {
            arrived += (uint64_t)n;
        }
        ticks[i] = clock_ticks() - from;
    }
    return arrived;
}

static uint64_t open_stock(struct bench *bench, uint64_t *ticks, uint32_t count)
{
    (void)bench;
    uint64_t arrived = 0;
    for (uint32_t i = 0; i < count; i++) {
        for (int k = 0; k < EACH; k++) {
            POISE_ASSERT(peer_write(pair.stock_far, pair.payload, PAYLOAD));
        }
        size_t down = peer_take(pair.stock_far, pair.down, sizeof pair.down);
        uint64_t from = clock_ticks();
        stock_feed(pair.stock, pair.down, down);
        for (size_t n; (n = stock_read(pair.stock, pair.plain, sizeof pair.plain)) > 0;) {
            arrived += n;
        }
        ticks[i] = clock_ticks() - from;
    }
    return arrived;
}

/* clang-format off */
#define TLS(name_, burst_) \
    .name = name_, .group = "tls", .processors = 1, .operations = EACH, .burst_samples = 2000, \
    .setup = setup, .burst = burst_, .teardown = teardown
static const struct bench_case rows[] = {
    { TLS("tls.seal_256", seal_ours), .against = { "tls.seal_256_openssl" } },
    { TLS("tls.open_256", open_ours), .against = { "tls.open_256_openssl" } },
    { TLS("tls.seal_256_openssl", seal_stock) },
    { TLS("tls.open_256_openssl", open_stock) },
};
/* clang-format on */

const struct bench_table bench_tls = { rows, POISE_COUNT_OF(rows) };

const char *bench_tls_name(void)
{
    static char name[96];
    static char error[160];
    struct tls_context *context = NULL;
    const char *backend = "no cipher";
    struct tls_options options = { .ca_path = peer_ca_path() };
    if (tls_context_create(&context, &options, error, sizeof error)) {
        backend = tls_cipher_backend(context);
    }
    snprintf(name, sizeof name, "hot TLS wolfSSL with %s; peer %s", backend, stock_name());
    tls_context_destroy(context);
    return name;
}
