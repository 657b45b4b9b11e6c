/* tls is a TLS 1.3 and 1.2 client that knows no socket: received bytes are handed in, plaintext comes out,
 * and records to send are handed to a function.
 *
 * The state machine is wolfSSL's; AES-GCM records go through tls_cipher.  Certificate chain and host name
 * are always verified: there is no switch for that.  One tls_context belongs to one hot thread, with
 * every struct tls made from it; it may be created on another thread before that one starts.  Once a
 * connection is OPEN, tls_read and tls_send take no memory from the system: wolfSSL's own allocations are
 * served from the context's pool. */
#ifndef POISE_HOT_NET_TLS_H
#define POISE_HOT_NET_TLS_H

#include "hot/net/io.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct tls_context;
struct tls;

struct tls_options {
    const char *ca_path;        /* PEM bundle; NULL = /etc/ssl/certs/ca-certificates.crt */
    uint32_t connection_max;    /* sizes the pool and the table of connections; 0 = 16 */
    bool only_tls12;            /* tests and benches: offer no TLS 1.3 */
    const char *ciphers;        /* tests and benches: another wolfSSL cipher list; NULL = AES-128-GCM first */
    const char *cipher_backend; /* "ipsec-mb", "evp" or NULL for the best that works here */
    struct net_memory memory;
};

enum tls_state {
    TLS_IDLE,      /* not started */
    TLS_HANDSHAKE, /* hello sent, the peer not yet trusted */
    TLS_OPEN,      /* plaintext flows */
    TLS_CLOSED,    /* the peer said close notify */
    TLS_FAILED     /* tls_error says why */
};

/* tls_emit takes `len` bytes for the wire, all or nothing; false when it cannot. */
typedef bool (*tls_emit)(void *ctx, const uint8_t *bytes, size_t len);

/* tls_context_create loads the CA bundle and sets up the cipher.  On failure it answers false and a sentence
 * in error. */
bool tls_context_create(struct tls_context **out, const struct tls_options *options, char *error,
                        size_t error_bytes);
void tls_context_destroy(struct tls_context *context);

/* tls_cipher_backend is "ipsec-mb" or "evp". */
const char *tls_cipher_backend(const struct tls_context *context);

/* tls_create takes one of the context's connection places; NULL when all are taken.  The place keeps its
 * session ticket from one tls_start to the next. */
struct tls *tls_create(struct tls_context *context);

/* tls_start begins a handshake with `host` (a DNS name, also used for SNI, or a numeric address) and
 * emits the first flight.  A former session is dropped, but its ticket is offered if the host is the
 * same.  emit and its ctx are kept until the next tls_start. */
enum tls_state tls_start(struct tls *tls, const char *host, tls_emit emit, void *ctx);

/* tls_input hands in what the socket gave.  The bytes must stay until tls_read has answered 0 or less; only
 * one window at a time. */
void tls_input(struct tls *tls, const uint8_t *bytes, size_t len);

/* tls_read drives the handshake and decrypts.  It answers the number of plaintext bytes written to out
 * (at most out_bytes), 0 when the window is used up, or -1 when the state is CLOSED or FAILED.  Call it
 * until it answers 0 or less; it may open the connection without answering plaintext. */
long tls_read(struct tls *tls, uint8_t *out, size_t out_bytes);

/* tls_send seals plaintext (in records of at most 16 KiB) and emits it.  False: not OPEN, or emit refused
 * (state FAILED). */
bool tls_send(struct tls *tls, const uint8_t *bytes, size_t len);

/* tls_stop says close notify if the connection is open, and frees the session.  The ticket is kept. */
void tls_stop(struct tls *tls);

enum tls_state tls_state(const struct tls *tls);
const char *tls_error(const struct tls *tls);   /* "" when there is none */
bool tls_resumed(const struct tls *tls);        /* the present session came from a ticket */
const char *tls_version(const struct tls *tls); /* "TLSv1.3", "TLSv1.2" */
const char *tls_suite(const struct tls *tls);   /* wolfSSL's name of the suite */

struct tls_counters {
    uint64_t records_sealed, records_opened; /* by tls_cipher */
    uint64_t key_changes;                    /* keys expanded, handshake keys included */
    uint64_t pool_takes;                     /* allocations served from the pool */
    uint64_t system_takes;                   /* allocations the pool could not serve */
    uint64_t pool_peak_bytes;
};

const struct tls_counters *tls_counters(const struct tls_context *context);

#endif
