/* Two hot threads, each with its own TLS context, shake hands and talk at the same time.  wolfSSL's memory
 * and cipher callbacks are global: what they find out about the caller must be the thread's own. */
#include "hot/net/tls.h"
#include "tests/hot/net/tls_peer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { THREADS = 2, ROUNDS = 40, MESSAGES = 200, WIRE = 1 << 16 };

struct side {
    struct tls_context *context;
    struct tls *client;
    struct peer_server *server;
    unsigned seed;
    uint8_t up[WIRE];
    size_t up_len;
    pthread_t thread;
};

static void must(bool fine, const char *what, const struct side *s)
{
    if (!fine) {
        fprintf(stderr, "race_tls: %s: %s\n", what, tls_error(s->client));
        exit(1);
    }
}

static bool emit(void *ctx, const uint8_t *bytes, size_t len)
{
    struct side *s = ctx;

    if (len > sizeof s->up - s->up_len) {
        return false;
    }
    memcpy(s->up + s->up_len, bytes, len);
    s->up_len += len;
    return true;
}

static size_t pump(struct side *s, struct peer *peer, uint8_t *plain)
{
    uint8_t wire[WIRE];
    size_t up, down, got = 0;
    long n;

    do {
        up = s->up_len;
        memcpy(wire, s->up, up);
        s->up_len = 0;
        peer_feed(peer, wire, up);
        down = peer_take(peer, wire, sizeof wire);
        tls_input(s->client, wire, down);
        while ((n = tls_read(s->client, plain + got, WIRE - got)) > 0) {
            got += (size_t)n;
        }
    } while (up != 0 || down != 0);
    return got;
}

static void *talk(void *arg)
{
    struct side *s = arg;
    uint8_t *plain = malloc(WIRE);
    uint8_t text[1000], seen[2000];

    for (int round = 0; round < ROUNDS; round++) {
        struct peer *peer = peer_accept(s->server);

        s->up_len = 0;
        tls_start(s->client, "venue.test", emit, s);
        pump(s, peer, plain);
        must(tls_state(s->client) == TLS_OPEN, "handshake", s);
        for (int i = 0; i < MESSAGES; i++) {
            size_t len = 1 + (s->seed = s->seed * 1664525 + 1013904223) % sizeof text;

            memset(text, (int)s->seed, len);
            must(tls_send(s->client, text, len), "send", s);
            pump(s, peer, plain);
            must(peer_read(peer, seen, sizeof seen) == len && memcmp(seen, text, len) == 0,
                 "what the peer saw", s);
            must(peer_write(peer, text, len), "peer write", s);
            must(pump(s, peer, plain) == len && memcmp(plain, text, len) == 0, "what the client saw", s);
        }
        tls_stop(s->client);
        peer_destroy(peer);
    }
    free(plain);
    return NULL;
}

int main(void)
{
    static struct side sides[THREADS];
    char error[256] = "";

    /* Contexts are made here, as the engine makes them before its threads start. */
    for (int i = 0; i < THREADS; i++) {
        struct tls_options o = { .ca_path = peer_ca_path() };

        sides[i].seed = (unsigned)i * 77 + 1;
        sides[i].server = peer_server_create(&(struct peer_options){ .tls12 = i == 1 });
        if (!tls_context_create(&sides[i].context, &o, error, sizeof error)) {
            fprintf(stderr, "race_tls: %s\n", error);
            return 1;
        }
        sides[i].client = tls_create(sides[i].context);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_create(&sides[i].thread, NULL, talk, &sides[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(sides[i].thread, NULL);
        tls_context_destroy(sides[i].context);
        peer_server_destroy(sides[i].server);
    }
    return 0;
}
