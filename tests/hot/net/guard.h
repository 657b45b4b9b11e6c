/* guard lays bytes against the end of a page, so that a read beyond them is a crash and not a guess. */
#ifndef POISE_TESTS_HOT_NET_GUARD_H
#define POISE_TESTS_HOT_NET_GUARD_H

#include "hot/net/inbox.h"

#include <stdlib.h>
#include <sys/mman.h>

enum { GUARD_BYTES = 1 << 20 };

/* guard_end answers the address one past the last readable byte of a page run. */
static inline uint8_t *guard_end(void)
{
    static uint8_t *end;

    if (end == NULL) {
        uint8_t *pages =
            mmap(NULL, GUARD_BYTES + 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

        if (pages == MAP_FAILED || mprotect(pages + GUARD_BYTES, 4096, PROT_NONE) != 0) {
            abort();
        }
        end = pages + GUARD_BYTES;
    }
    return end;
}

/* guard_inbox is an inbox of any capacity that holds `len` bytes, of which the last is the last readable. */
static inline struct inbox guard_inbox(const uint8_t *bytes, size_t len, size_t capacity)
{
    struct inbox inbox = { .bytes = guard_end() - len, .begin = 0, .end = len, .capacity = capacity };

    memcpy(inbox.bytes, bytes, len);
    return inbox;
}

#endif
