/* tls_pool serves wolfSSL's small allocations from memory taken at start.
 *
 * wolfSSL allocates about once a record and many times a handshake.  Each size class (a power of two) keeps
 * a free list; fresh blocks are cut from one piece of memory until it is used up, after which the system
 * serves and system_takes counts.  A pool belongs to one thread: the one that is inside wolfSSL. */
#ifndef POISE_HOT_NET_TLS_POOL_H
#define POISE_HOT_NET_TLS_POOL_H

#include <stddef.h>
#include <stdint.h>

enum { TLS_POOL_CLASS_MIN = 6, TLS_POOL_CLASS_MAX = 17, TLS_POOL_CLASSES = 18 };

struct tls_pool {
    void *free_list[TLS_POOL_CLASSES];
    uint8_t *next, *end;
    uint8_t *begin;
    uint64_t takes;
    uint64_t system_takes;
};

/* tls_pool_init lays an empty pool over `bytes` bytes at `memory`, aligned to 64. */
void tls_pool_init(struct tls_pool *pool, void *memory, size_t bytes);

/* tls_pool_take answers `bytes` bytes aligned to 16; pool may be NULL (the system serves). */
void *tls_pool_take(struct tls_pool *pool, size_t bytes);

/* tls_pool_give takes back what any tls_pool_take answered; NULL is ignored. */
void tls_pool_give(void *block);

/* tls_pool_resize is realloc. */
void *tls_pool_resize(struct tls_pool *pool, void *block, size_t bytes);

#endif
