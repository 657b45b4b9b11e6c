#include "hot/net/tls.h"
#include "tests/hot/net/tls_peer.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* The steady state must not reach malloc, by whatever library: count every call of this program. */
static long malloc_calls;

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
extern void *__libc_malloc(size_t bytes);
extern void *__libc_realloc(void *block, size_t bytes);
extern void *__libc_calloc(size_t n, size_t bytes);

void *malloc(size_t bytes)
{
    __atomic_add_fetch(&malloc_calls, 1, __ATOMIC_RELAXED);
    return __libc_malloc(bytes);
}

void *calloc(size_t n, size_t bytes)
{
    __atomic_add_fetch(&malloc_calls, 1, __ATOMIC_RELAXED);
    return __libc_calloc(n, bytes);
}

void *realloc(void *block, size_t bytes)
{
    __atomic_add_fetch(&malloc_calls, 1, __ATOMIC_RELAXED);
    return __libc_realloc(block, bytes);
}
#endif

enum { WIRE_BYTES = 1 << 20 };

/* One client, one peer, and the two directions of wire between them. */
struct pair {
    struct tls_context *context;
    struct tls *client;
    struct peer_server *server;
    struct peer *peer;
    uint8_t up[WIRE_BYTES];
    size_t up_len;
    uint8_t down[WIRE_BYTES];
    uint8_t plain[1 << 17];
    size_t plain_len;
    bool deaf;
};

static bool take_up(void *ctx, const uint8_t *bytes, size_t len)
{
    struct pair *p = ctx;

    if (p->deaf || len > sizeof p->up - p->up_len) {
        return false;
    }
    memcpy(p->up + p->up_len, bytes, len);
    p->up_len += len;
    return true;
}

static void deliver(struct pair *p, const uint8_t *bytes, size_t len)
{
    long n;

    tls_input(p->client, bytes, len);
    while ((n = tls_read(p->client, p->plain + p->plain_len, sizeof p->plain - p->plain_len)) > 0) {
        p->plain_len += (size_t)n;
    }
}

/* pump carries bytes both ways until nothing moves; `slice` cuts what the client gets. */
static void pump(struct pair *p, size_t slice)
{
    for (;;) {
        size_t up = p->up_len;
        uint8_t *sent = malloc(up + 1);

        memcpy(sent, p->up, up);
        p->up_len = 0;
        peer_feed(p->peer, sent, up);
        free(sent);

        size_t down = peer_take(p->peer, p->down, sizeof p->down);

        for (size_t at = 0; at < down; at += slice) {
            deliver(p, p->down + at, down - at < slice ? down - at : slice);
        }
        if (up == 0 && down == 0) {
            return;
        }
    }
}

static struct pair *pair_with(const struct peer_options *peer, const struct tls_options *options)
{
    struct pair *p = calloc(1, sizeof *p);
    struct tls_options o = *options;
    char error[256] = "";

    p->server = peer_server_create(peer);
    o.ca_path = o.ca_path != NULL ? o.ca_path : peer_ca_path();
    cr_assert(tls_context_create(&p->context, &o, error, sizeof error), "%s", error);
    p->client = tls_create(p->context);
    return p;
}

static struct pair *pair_new(const struct peer_options *peer)
{
    return pair_with(peer, &(struct tls_options){ 0 });
}

static void dial(struct pair *p, const char *host)
{
    if (p->peer != NULL) {
        peer_destroy(p->peer);
    }
    p->peer = peer_accept(p->server);
    p->up_len = 0;
    p->plain_len = 0;
    tls_start(p->client, host, take_up, p);
    pump(p, WIRE_BYTES);
}

static void pair_free(struct pair *p)
{
    tls_context_destroy(p->context);
    if (p->peer != NULL) {
        peer_destroy(p->peer);
    }
    peer_server_destroy(p->server);
    free(p);
}

static void expect_echo(struct pair *p, size_t len)
{
    static uint8_t sent[1 << 16], seen[1 << 16];
    size_t got = 0;
    size_t n;

    for (size_t i = 0; i < len; i++) {
        sent[i] = (uint8_t)(i * 31 + len);
    }
    cr_assert(tls_send(p->client, sent, len), "%s", tls_error(p->client));
    peer_feed(p->peer, p->up, p->up_len);
    p->up_len = 0;
    while ((n = peer_read(p->peer, seen + got, sizeof seen - got)) > 0) {
        got += n;
    }
    cr_assert_eq(got, len);
    cr_assert(memcmp(sent, seen, len) == 0, "what the peer read differs at length %zu", len);

    p->plain_len = 0;
    if (len != 0) {
        cr_assert(peer_write(p->peer, sent, len));
    }
    pump(p, WIRE_BYTES);
    cr_assert_eq(p->plain_len, len);
    cr_assert(memcmp(p->plain, sent, len) == 0, "what the client read differs at length %zu", len);
}

Test(tls, tls13_opens_with_aes128_first_and_carries_bytes)
{
    struct pair *p = pair_new(&(struct peer_options){ 0 });

    dial(p, "venue.test");
    cr_assert_eq(tls_state(p->client), TLS_OPEN, "%s", tls_error(p->client));
    cr_assert_str_eq(tls_version(p->client), "TLSv1.3");
    cr_assert_str_eq(peer_sni(p->peer), "venue.test");
    cr_assert(strstr(tls_suite(p->client), "AES_128_GCM") != NULL ||
                  strstr(tls_suite(p->client), "AES128") != NULL,
              "%s", tls_suite(p->client));
    expect_echo(p, 300);
    cr_assert(tls_counters(p->context)->records_sealed >= 2);
    cr_assert(tls_counters(p->context)->records_opened >= 2);
    pair_free(p);
}

Test(tls, tls12_opens_and_its_records_are_served_by_the_cipher)
{
    static const char *const suites[] = { "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384",
                                          "ECDHE-ECDSA-CHACHA20-POLY1305" };

    for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++) {
        struct pair *p = pair_new(&(struct peer_options){ .tls12 = true, .ciphers = suites[i] });

        dial(p, "venue.test");
        cr_assert_eq(tls_state(p->client), TLS_OPEN, "%s: %s", suites[i], tls_error(p->client));
        cr_assert_str_eq(tls_version(p->client), "TLSv1.2");
        uint64_t before = tls_counters(p->context)->records_sealed;
        expect_echo(p, 300);
        cr_assert_eq(tls_counters(p->context)->records_sealed - before, i < 2 ? 1 : 0, "%s", suites[i]);
        pair_free(p);
    }
}

Test(tls, an_rsa_certificate_serves_as_well)
{
    for (int tls12 = 0; tls12 < 2; tls12++) {
        struct pair *p = pair_new(&(struct peer_options){ .rsa = true, .tls12 = tls12 != 0 });

        dial(p, "venue.test");
        cr_assert_eq(tls_state(p->client), TLS_OPEN, "%s", tls_error(p->client));
        expect_echo(p, 300);
        pair_free(p);
    }
}

Test(tls, every_tls13_suite_carries_every_length)
{
    static const char *const suites[] = { "TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384",
                                          "TLS_CHACHA20_POLY1305_SHA256" };
    static const char *const backends[] = { "ipsec-mb", "evp" };

    for (size_t b = 0; b < 2; b++) {
        for (size_t i = 0; i < sizeof suites / sizeof suites[0]; i++) {
            struct pair *p = pair_with(&(struct peer_options){ .ciphers = suites[i] },
                                       &(struct tls_options){ .cipher_backend = backends[b] });

            dial(p, "venue.test");
            cr_assert_eq(tls_state(p->client), TLS_OPEN, "%s: %s", suites[i], tls_error(p->client));
            for (size_t len = 1; len < 1100; len += 1) {
                expect_echo(p, len);
            }
            expect_echo(p, 16384);
            expect_echo(p, 16385);
            expect_echo(p, 50000);
            pair_free(p);
        }
    }
}

Test(tls, a_handshake_may_arrive_one_byte_at_a_time)
{
    for (int tls12 = 0; tls12 < 2; tls12++) {
        struct pair *p = pair_new(&(struct peer_options){ .tls12 = tls12 != 0 });

        p->peer = peer_accept(p->server);
        tls_start(p->client, "venue.test", take_up, p);
        pump(p, 1);
        cr_assert_eq(tls_state(p->client), TLS_OPEN, "%s", tls_error(p->client));
        peer_write(p->peer, (const uint8_t *)"hello", 5);
        pump(p, 1);
        cr_assert_eq(p->plain_len, 5);
        pair_free(p);
    }
}

Test(tls, a_ticket_survives_reconnection)
{
    for (int tls12 = 0; tls12 < 2; tls12++) {
        struct pair *p = pair_new(&(struct peer_options){ .tls12 = tls12 != 0 });

        for (int round = 0; round < 4; round++) {
            dial(p, "venue.test");
            cr_assert_eq(tls_state(p->client), TLS_OPEN, "%s", tls_error(p->client));
            cr_assert_eq(tls_resumed(p->client), round > 0, "tls12 %d round %d", tls12, round);
            cr_assert_eq(peer_resumed(p->peer), round > 0);
            expect_echo(p, 100);
            tls_stop(p->client);
        }
        pair_free(p);
    }
}

Test(tls, a_ticket_is_not_offered_to_another_host)
{
    struct pair *p = pair_new(&(struct peer_options){ 0 });

    dial(p, "venue.test");
    expect_echo(p, 10);
    tls_stop(p->client);
    dial(p, "a.wild.test");
    cr_assert_eq(tls_state(p->client), TLS_OPEN, "%s", tls_error(p->client));
    cr_assert_not(tls_resumed(p->client));
    pair_free(p);
}

static void expect_refusal(enum peer_certificate certificate, const char *host, const char *bundle)
{
    for (int tls12 = 0; tls12 < 2; tls12++) {
        struct pair *p = pair_with(&(struct peer_options){ .certificate = certificate, .tls12 = tls12 != 0 },
                                   &(struct tls_options){ .ca_path = bundle });

        dial(p, host);
        cr_assert_eq(tls_state(p->client), TLS_FAILED, "certificate %d was accepted for %s", certificate,
                     host);
        cr_assert_neq(tls_error(p->client)[0], '\0');
        cr_log_info("%s", tls_error(p->client));
        cr_assert_not(tls_send(p->client, (const uint8_t *)"x", 1));
        cr_assert_not(peer_is_open(p->peer));
        pair_free(p);
    }
}

Test(tls, a_certificate_for_another_host_is_refused)
{
    expect_refusal(PEER_GOOD, "other.test", NULL);
    expect_refusal(PEER_GOOD, "venue.test.evil.test", NULL);
    expect_refusal(PEER_GOOD, "a.b.wild.test", NULL);
    expect_refusal(PEER_GOOD, "127.0.0.2", NULL);
}

Test(tls, an_unknown_authority_is_refused)
{
    expect_refusal(PEER_STRANGER, "venue.test", NULL);
    expect_refusal(PEER_GOOD, "venue.test", "/etc/ssl/certs/ca-certificates.crt");
}

Test(tls, a_certificate_out_of_its_time_is_refused)
{
    expect_refusal(PEER_EXPIRED, "venue.test", NULL);
    expect_refusal(PEER_NOT_YET, "venue.test", NULL);
}

Test(tls, a_numeric_host_is_checked_against_the_addresses_in_the_certificate)
{
    struct pair *p = pair_new(&(struct peer_options){ 0 });

    dial(p, "127.0.0.1");
    cr_assert_eq(tls_state(p->client), TLS_OPEN, "%s", tls_error(p->client));
    cr_assert_str_eq(peer_sni(p->peer), "");
    pair_free(p);
}

Test(tls, a_missing_bundle_is_named)
{
    struct tls_context *context;
    char error[256] = "";

    cr_assert_not(tls_context_create(&context, &(struct tls_options){ .ca_path = "/nonexistent/ca.pem" },
                                     error, sizeof error));
    cr_assert(strstr(error, "/nonexistent/ca.pem") != NULL, "%s", error);
}

Test(tls, key_updates_change_keys_in_both_directions)
{
    struct pair *p = pair_new(&(struct peer_options){ 0 });

    dial(p, "venue.test");
    expect_echo(p, 64);
    for (int i = 0; i < 20; i++) {
        uint64_t before = tls_counters(p->context)->key_changes;

        cr_assert(peer_key_update(p->peer, i % 2 == 0));
        pump(p, WIRE_BYTES);
        cr_assert_eq(tls_state(p->client), TLS_OPEN, "%s", tls_error(p->client));
        expect_echo(p, 200);
        cr_assert_geq(tls_counters(p->context)->key_changes, before + (i % 2 == 0 ? 2u : 1u));
    }
    pair_free(p);
}

Test(tls, two_connections_of_one_context_do_not_mix_their_keys)
{
    struct pair *p = pair_new(&(struct peer_options){ 0 });
    struct tls *first = p->client;
    struct tls *second = tls_create(p->context);
    struct peer *first_peer, *second_peer;

    dial(p, "venue.test");
    first_peer = p->peer;
    p->peer = NULL;
    p->client = second;
    dial(p, "venue.test");
    second_peer = p->peer;
    uint64_t changes = 0;

    for (int i = 0; i < 20; i++) {
        if (i == 2) { /* each key is expanded at its first use */
            changes = tls_counters(p->context)->key_changes;
        }
        p->client = i % 2 == 0 ? first : second;
        p->peer = i % 2 == 0 ? first_peer : second_peer;
        expect_echo(p, 100);
    }
    cr_assert_eq(tls_counters(p->context)->key_changes, changes, "keys are expanded again and again");
    for (int i = 0; i < 50; i++) {
        p->client = i % 3 == 0 ? first : second;
        p->peer = i % 3 == 0 ? first_peer : second_peer;
        if (i % 10 == 5) {
            cr_assert(peer_key_update(p->peer, true));
        }
        expect_echo(p, (size_t)i * 7 + 1);
    }
    p->peer = NULL;
    peer_destroy(first_peer);
    peer_destroy(second_peer);
    pair_free(p);
}

Test(tls, a_changed_byte_anywhere_in_a_record_fails_the_connection)
{
    for (int backend = 0; backend < 2; backend++) {
        /* 5 bytes of header, 40 of data and type, 16 of tag */
        for (size_t at = 3; at < 5 + 41 + 16; at++) {
            struct pair *p = pair_with(
                &(struct peer_options){ 0 },
                &(struct tls_options){ .cipher_backend = backend ? "evp" : "ipsec-mb", .connection_max = 1 });
            uint8_t data[40] = { 7 };

            dial(p, "venue.test");
            p->plain_len = 0;
            peer_write(p->peer, data, sizeof data);

            size_t n = peer_take(p->peer, p->down, sizeof p->down);

            cr_assert_eq(n, 5 + 41 + 16);
            p->down[at] ^= 0x10;
            deliver(p, p->down, n);
            cr_assert_eq(p->plain_len, 0, "byte %zu", at);
            /* A longer length only waits for more; everything else must be refused. */
            if (at != 3 && at != 4) {
                cr_assert_eq(tls_state(p->client), TLS_FAILED, "byte %zu", at);
            }
            pair_free(p);
        }
    }
}

Test(tls, a_record_may_be_read_in_small_pieces)
{
    struct pair *p = pair_new(&(struct peer_options){ 0 });
    uint8_t data[1000], out[1000];
    size_t got = 0;
    long n;

    dial(p, "venue.test");
    for (size_t i = 0; i < sizeof data; i++) {
        data[i] = (uint8_t)(i * 3);
    }
    peer_write(p->peer, data, sizeof data);
    tls_input(p->client, p->down, peer_take(p->peer, p->down, sizeof p->down));
    while ((n = tls_read(p->client, out + got, 64 < sizeof out - got ? 64 : sizeof out - got)) > 0) {
        cr_assert_leq(n, 64);
        got += (size_t)n;
    }
    cr_assert_eq(got, sizeof data);
    cr_assert(memcmp(out, data, sizeof data) == 0);
    pair_free(p);
}

Test(tls, close_notify_closes)
{
    struct pair *p = pair_new(&(struct peer_options){ 0 });

    dial(p, "venue.test");
    peer_close(p->peer);
    pump(p, WIRE_BYTES);
    cr_assert_eq(tls_state(p->client), TLS_CLOSED);
    cr_assert_not(tls_send(p->client, (const uint8_t *)"x", 1));
    pair_free(p);
}

Test(tls, a_refusing_socket_fails_the_connection)
{
    struct pair *p = pair_new(&(struct peer_options){ 0 });

    dial(p, "venue.test");
    p->deaf = true;
    cr_assert_not(tls_send(p->client, (const uint8_t *)"x", 1));
    cr_assert_eq(tls_state(p->client), TLS_FAILED);
    pair_free(p);
}

Test(tls, a_steady_connection_takes_no_memory_from_the_system)
{
    static const char *const backends[] = { "ipsec-mb", "evp" };
    static uint8_t records[200][8192];
    static size_t record_len[200];

    for (int k = 0; k < 4; k++) {
        struct pair *p = pair_with(&(struct peer_options){ .tls12 = k >= 2 },
                                   &(struct tls_options){ .cipher_backend = backends[k & 1] });
        uint8_t data[4096] = { 1 };

        dial(p, "venue.test");
        expect_echo(p, 4096);
        for (int i = 0; i < 200; i++) {
            peer_write(p->peer, data, (size_t)(i % 100) * 40 + 1);
            record_len[i] = peer_take(p->peer, records[i], sizeof records[i]);
        }

        uint64_t misses = 0, peak = 0;
        long before = 0;

        /* The first half meets every size once; the second must find all it needs. */
        for (int i = 0; i < 200; i++) {
            size_t len = (size_t)(i % 100) * 40 + 1;

            if (i == 100) {
                misses = tls_counters(p->context)->system_takes;
                peak = tls_counters(p->context)->pool_peak_bytes;
                before = malloc_calls;
            }
            p->plain_len = 0;
            p->up_len = 0;
            deliver(p, records[i], record_len[i] / 2);
            deliver(p, records[i] + record_len[i] / 2, record_len[i] - record_len[i] / 2);
            if (p->plain_len != len || !tls_send(p->client, data, len)) {
                cr_assert_fail("record %d: %s", i, tls_error(p->client));
            }
        }

        long after = malloc_calls;

        cr_assert_eq(after - before, 0, "%s: %ld calls of malloc", backends[k & 1], after - before);
        cr_assert_eq(tls_counters(p->context)->system_takes, misses);
        cr_assert_eq(tls_counters(p->context)->pool_peak_bytes, peak, "the pool grows");
        cr_log_info("%s: pool peak %lu bytes, misses %lu\n", backends[k & 1], (unsigned long)peak,
                    (unsigned long)misses);
        pair_free(p);
    }
}

Test(tls, reconnecting_for_ever_does_not_grow_the_pool)
{
    struct pair *p = pair_with(&(struct peer_options){ 0 }, &(struct tls_options){ .connection_max = 1 });
    uint64_t peak = 0;

    for (int i = 0; i < 60; i++) {
        dial(p, "venue.test");
        expect_echo(p, 100);
        tls_stop(p->client);
        if (i == 9) {
            peak = tls_counters(p->context)->pool_peak_bytes;
        }
    }
    cr_assert_eq(tls_counters(p->context)->pool_peak_bytes, peak);
    cr_assert_eq(tls_counters(p->context)->system_takes, 0);
    cr_log_info("pool peak %lu bytes\n", (unsigned long)peak);
    pair_free(p);
}
