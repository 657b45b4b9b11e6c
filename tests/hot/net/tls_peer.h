/* tls_peer is the far side of a TLS connection in tests: an OpenSSL server in memory, with certificates made
 * on the spot.  It shares no code with hot/net, which is the point. */
#ifndef POISE_TESTS_HOT_NET_TLS_PEER_H
#define POISE_TESTS_HOT_NET_TLS_PEER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum peer_certificate {
    PEER_GOOD,    /* for "venue.test" and 127.0.0.1, by the test authority */
    PEER_EXPIRED, /* the same, but of the year before */
    PEER_NOT_YET, /* the same, but of the year after */
    PEER_STRANGER /* the same, but by an authority nobody trusts */
};

struct peer_options {
    enum peer_certificate certificate;
    bool tls12;          /* at most TLS 1.2 */
    bool rsa;            /* an RSA certificate instead of an elliptic one */
    const char *ciphers; /* OpenSSL's names, for the version used; NULL = OpenSSL's choice */
};

struct peer_server; /* what survives a connection: certificate and ticket keys */
struct peer;        /* one connection */

/* peer_ca_path is the PEM file of the test authority. */
const char *peer_ca_path(void);

struct peer_server *peer_server_create(const struct peer_options *options);
void peer_server_destroy(struct peer_server *server);

struct peer *peer_accept(struct peer_server *server);
void peer_destroy(struct peer *peer);

/* peer_feed gives the peer what the client sent, and lets it work. */
void peer_feed(struct peer *peer, const uint8_t *bytes, size_t len);

/* peer_take answers how many bytes for the client were written to out. */
size_t peer_take(struct peer *peer, uint8_t *out, size_t room);

/* peer_read answers plaintext the client sent, 0 when there is none; peer_write sends plaintext. */
size_t peer_read(struct peer *peer, uint8_t *out, size_t room);
bool peer_write(struct peer *peer, const uint8_t *bytes, size_t len);

bool peer_is_open(struct peer *peer);
bool peer_resumed(struct peer *peer);
const char *peer_sni(struct peer *peer);
bool peer_key_update(struct peer *peer, bool ask_back);
void peer_close(struct peer *peer); /* close notify */

#endif
