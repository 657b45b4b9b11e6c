#include "tests/hot/net/tls_peer.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct peer_server {
    SSL_CTX *ctx;
};

struct peer {
    SSL *ssl;
    BIO *in, *out;
    bool open;
};

enum { DAY = 86400 };

static EVP_PKEY *authority_key;
static X509 *authority;
static char authority_path[64];

static void must(int fine, const char *what)
{
    if (!fine) {
        fprintf(stderr, "tls_peer: %s failed\n", what);
        ERR_print_errors_fp(stderr);
        abort();
    }
}

static void extend(X509 *subject, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509_EXTENSION *e;

    X509V3_set_ctx(&ctx, issuer, subject, NULL, NULL, 0);
    e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    must(e != NULL, value);
    X509_add_ext(subject, e, -1);
    X509_EXTENSION_free(e);
}

static X509 *certify(EVP_PKEY *key, const char *name, EVP_PKEY *issuer_key, X509 *issuer, long from,
                     long until)
{
    static long serial = 1;
    X509 *x = X509_new();

    X509_set_version(x, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x), serial++);
    X509_gmtime_adj(X509_getm_notBefore(x), from);
    X509_gmtime_adj(X509_getm_notAfter(x), until);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const uint8_t *)name, -1, -1,
                               0);
    X509_set_issuer_name(x, X509_get_subject_name(issuer != NULL ? issuer : x));
    if (issuer == NULL) {
        extend(x, x, NID_basic_constraints, "critical,CA:TRUE");
        extend(x, x, NID_key_usage, "critical,keyCertSign,cRLSign");
    } else {
        extend(x, issuer, NID_subject_alt_name, "DNS:venue.test,DNS:*.wild.test,IP:127.0.0.1");
        extend(x, issuer, NID_ext_key_usage, "serverAuth");
    }
    must(X509_sign(x, issuer_key, EVP_sha256()) > 0, "signing");
    return x;
}

static void make_authority(void)
{
    if (authority != NULL) {
        return;
    }
    authority_key = EVP_EC_gen("P-256");
    authority = certify(authority_key, "poise test authority", authority_key, NULL, -DAY, 365L * DAY);
    strcpy(authority_path, "/tmp/poise-test-ca-XXXXXX");

    int fd = mkstemp(authority_path);
    must(fd >= 0, "mkstemp");
    FILE *f = fdopen(fd, "w");
    must(PEM_write_X509(f, authority), "writing the authority");
    fclose(f);
}

const char *peer_ca_path(void)
{
    make_authority();
    return authority_path;
}

struct peer_server *peer_server_create(const struct peer_options *o)
{
    struct peer_server *server = calloc(1, sizeof *server);
    EVP_PKEY *key = o->rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
    EVP_PKEY *signer;
    X509 *issuer;
    long from = -DAY;
    long until = 30L * DAY;

    make_authority();
    signer = authority_key;
    issuer = authority;
    if (o->certificate == PEER_STRANGER) {
        signer = EVP_EC_gen("P-256");
        issuer = certify(signer, "poise test stranger", signer, NULL, -DAY, 365L * DAY);
    } else if (o->certificate == PEER_EXPIRED) {
        from = -400L * DAY;
        until = -35L * DAY;
    } else if (o->certificate == PEER_NOT_YET) {
        from = 35L * DAY;
        until = 400L * DAY;
    }

    X509 *x = certify(key, "venue.test", signer, issuer, from, until);

    server->ctx = SSL_CTX_new(TLS_server_method());
    must(SSL_CTX_use_certificate(server->ctx, x) == 1, "certificate");
    must(SSL_CTX_use_PrivateKey(server->ctx, key) == 1, "key");
    SSL_CTX_set_session_id_context(server->ctx, (const uint8_t *)"poise", 5);
    if (o->tls12) {
        SSL_CTX_set_max_proto_version(server->ctx, TLS1_2_VERSION);
        if (o->ciphers != NULL) {
            must(SSL_CTX_set_cipher_list(server->ctx, o->ciphers), "ciphers");
        }
    } else if (o->ciphers != NULL) {
        must(SSL_CTX_set_ciphersuites(server->ctx, o->ciphers), "ciphers");
    }
    X509_free(x);
    EVP_PKEY_free(key);
    if (o->certificate == PEER_STRANGER) {
        X509_free(issuer);
        EVP_PKEY_free(signer);
    }
    return server;
}

void peer_server_destroy(struct peer_server *server)
{
    SSL_CTX_free(server->ctx);
    free(server);
    if (authority != NULL) {
        unlink(authority_path);
        X509_free(authority);
        EVP_PKEY_free(authority_key);
        authority = NULL;
    }
}

struct peer *peer_accept(struct peer_server *server)
{
    struct peer *peer = calloc(1, sizeof *peer);

    peer->ssl = SSL_new(server->ctx);
    peer->in = BIO_new(BIO_s_mem());
    peer->out = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(peer->in, -1);
    SSL_set_bio(peer->ssl, peer->in, peer->out);
    SSL_set_accept_state(peer->ssl);
    return peer;
}

void peer_destroy(struct peer *peer)
{
    SSL_free(peer->ssl);
    free(peer);
}

void peer_feed(struct peer *peer, const uint8_t *bytes, size_t len)
{
    if (len != 0) {
        BIO_write(peer->in, bytes, (int)len);
    }
    if (!peer->open) {
        ERR_clear_error();
        peer->open = SSL_do_handshake(peer->ssl) == 1;
    }
}

size_t peer_take(struct peer *peer, uint8_t *out, size_t room)
{
    int n = BIO_read(peer->out, out, (int)room);

    return n > 0 ? (size_t)n : 0;
}

size_t peer_read(struct peer *peer, uint8_t *out, size_t room)
{
    ERR_clear_error();
    int n = SSL_read(peer->ssl, out, (int)room);

    return n > 0 ? (size_t)n : 0;
}

bool peer_write(struct peer *peer, const uint8_t *bytes, size_t len)
{
    return SSL_write(peer->ssl, bytes, (int)len) == (int)len;
}

bool peer_is_open(struct peer *peer)
{
    return peer->open;
}

bool peer_resumed(struct peer *peer)
{
    return SSL_session_reused(peer->ssl) == 1;
}

const char *peer_sni(struct peer *peer)
{
    const char *name = SSL_get_servername(peer->ssl, TLSEXT_NAMETYPE_host_name);

    return name != NULL ? name : "";
}

bool peer_key_update(struct peer *peer, bool ask_back)
{
    return SSL_key_update(peer->ssl, ask_back ? SSL_KEY_UPDATE_REQUESTED : SSL_KEY_UPDATE_NOT_REQUESTED) ==
               1 &&
           SSL_do_handshake(peer->ssl) == 1;
}

void peer_close(struct peer *peer)
{
    SSL_shutdown(peer->ssl);
}
