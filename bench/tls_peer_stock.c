#include "bench/tls_peer_stock.h"

#include <openssl/ssl.h>
#include <stdlib.h>

struct stock {
    SSL_CTX *context;
    SSL *ssl;
    BIO *in, *out;
};

struct stock *stock_create(const char *ca_path, const char *host)
{
    struct stock *stock = calloc(1, sizeof *stock);
    if (stock == NULL) {
        return NULL;
    }
    stock->context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_load_verify_locations(stock->context, ca_path, NULL);
    SSL_CTX_set_verify(stock->context, SSL_VERIFY_PEER, NULL);
    SSL_CTX_set_ciphersuites(stock->context, "TLS_AES_128_GCM_SHA256");
    stock->ssl = SSL_new(stock->context);
    stock->in = BIO_new(BIO_s_mem());
    stock->out = BIO_new(BIO_s_mem());
    SSL_set_bio(stock->ssl, stock->in, stock->out);
    SSL_set1_host(stock->ssl, host);
    SSL_set_tlsext_host_name(stock->ssl, host);
    SSL_set_connect_state(stock->ssl);
    return stock;
}

void stock_destroy(struct stock *stock)
{
    if (stock != NULL) {
        SSL_free(stock->ssl);
        SSL_CTX_free(stock->context);
        free(stock);
    }
}

bool stock_work(struct stock *stock)
{
    return SSL_do_handshake(stock->ssl) == 1;
}

void stock_feed(struct stock *stock, const uint8_t *bytes, size_t len)
{
    BIO_write(stock->in, bytes, (int)len);
}

size_t stock_take(struct stock *stock, uint8_t *out, size_t room)
{
    int got = BIO_read(stock->out, out, (int)room);
    return got > 0 ? (size_t)got : 0;
}

bool stock_write(struct stock *stock, const uint8_t *bytes, size_t len)
{
    return SSL_write(stock->ssl, bytes, (int)len) == (int)len;
}

size_t stock_read(struct stock *stock, uint8_t *out, size_t room)
{
    int got = SSL_read(stock->ssl, out, (int)room);
    return got > 0 ? (size_t)got : 0;
}

const char *stock_name(void)
{
    return OpenSSL_version(OPENSSL_VERSION);
}
