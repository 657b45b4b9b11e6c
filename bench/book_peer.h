/* book_peer: the book most engines keep, an ordered tree of prices a side, for book.c to be judged by. */
#ifndef POISE_BENCH_BOOK_PEER_H
#define POISE_BENCH_BOOK_PEER_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif
void *book_peer_make(void);
void book_peer_destroy(void *book);
void book_peer_set(void *book, int ask, int64_t price, int64_t qty);
/* book_peer_best answers the touch's price, 0 when the side is empty. */
int64_t book_peer_best(void *book, int ask);
#ifdef __cplusplus
}
#endif

#endif
