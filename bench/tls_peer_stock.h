/* tls_peer_stock: OpenSSL's own client over memory BIOs, as most programs use it. */
#ifndef POISE_BENCH_TLS_PEER_STOCK_H
#define POISE_BENCH_TLS_PEER_STOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stock;

struct stock *stock_create(const char *ca_path, const char *host);
void stock_destroy(struct stock *stock);
/* stock_work drives the handshake; true once it is done. */
bool stock_work(struct stock *stock);
void stock_feed(struct stock *stock, const uint8_t *bytes, size_t len);
size_t stock_take(struct stock *stock, uint8_t *out, size_t room);
bool stock_write(struct stock *stock, const uint8_t *bytes, size_t len);
size_t stock_read(struct stock *stock, uint8_t *out, size_t room);
const char *stock_name(void); /* "OpenSSL 3.0.11 ..." */

#endif
