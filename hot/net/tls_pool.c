#include "hot/net/tls_pool.h"

#include <stdlib.h>
#include <string.h>

/* In front of every block, so that giving back needs no search. */
struct header {
    struct tls_pool *pool; /* NULL: from the system */
    uint32_t class;
    uint32_t bytes; /* asked for */
};

_Static_assert(sizeof(struct header) == 16, "blocks stay aligned to 16");

void tls_pool_init(struct tls_pool *pool, void *memory, size_t bytes)
{
    memset(pool, 0, sizeof *pool);
    pool->begin = memory;
    pool->next = memory;
    pool->end = pool->begin + bytes;
}

static struct header *from_system(struct tls_pool *pool, size_t whole)
{
    struct header *h = malloc(whole); /* tidy: at start; later it is counted in system_takes */

    if (h != NULL) {
        h->pool = NULL;
    }
    if (pool != NULL) {
        pool->system_takes++;
    }
    return h;
}

void *tls_pool_take(struct tls_pool *pool, size_t bytes)
{
    size_t whole = bytes + sizeof(struct header);
    struct header *h = NULL;
    uint32_t class = TLS_POOL_CLASS_MIN;

    if (bytes > UINT32_MAX / 2) {
        return NULL;
    }
    if (whole > (1u << TLS_POOL_CLASS_MIN)) {
        class = 64 - (uint32_t)__builtin_clzl(whole - 1);
    }
    if (pool != NULL && class <= TLS_POOL_CLASS_MAX) {
        size_t block = (size_t)1 << class;

        if (pool->free_list[class] != NULL) {
            h = pool->free_list[class];
            memcpy(&pool->free_list[class], h + 1, sizeof(void *));
        } else if ((size_t)(pool->end - pool->next) >= block) {
            h = (struct header *)pool->next;
            pool->next += block;
        }
        if (h != NULL) {
            pool->takes++;
            h->pool = pool;
        }
    }
    if (h == NULL) {
        h = from_system(pool, whole);
        if (h == NULL) {
            return NULL;
        }
    }
    h->class = class;
    h->bytes = (uint32_t)bytes;
    return h + 1;
}

void tls_pool_give(void *block)
{
    if (block == NULL) {
        return;
    }

    struct header *h = (struct header *)block - 1;
    struct tls_pool *pool = h->pool;

    if (pool == NULL) {
        free(h); /* tidy: at start, or what from_system gave */
        return;
    }
    memcpy(h + 1, &pool->free_list[h->class], sizeof(void *));
    pool->free_list[h->class] = h;
}

void *tls_pool_resize(struct tls_pool *pool, void *block, size_t bytes)
{
    if (block == NULL) {
        return tls_pool_take(pool, bytes);
    }

    struct header *h = (struct header *)block - 1;
    void *fresh = tls_pool_take(pool, bytes);

    if (fresh == NULL) {
        return NULL;
    }
    memcpy(fresh, block, h->bytes < bytes ? h->bytes : bytes);
    tls_pool_give(block);
    return fresh;
}
