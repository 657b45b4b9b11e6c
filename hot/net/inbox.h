/* inbox is the plaintext a connection has received and not yet consumed: one flat buffer, so that a
 * frame or a response that is whole can be read where it lies.
 *
 * At least INBOX_BEFORE bytes may be read before the first byte and INBOX_AFTER bytes after the last, so
 * parsers may load whole vectors.  The owner is one hot thread. */
#ifndef POISE_HOT_NET_INBOX_H
#define POISE_HOT_NET_INBOX_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { INBOX_BEFORE = 64, INBOX_AFTER = 64 };

struct inbox {
    uint8_t *bytes; /* capacity bytes, with INBOX_BEFORE readable in front and INBOX_AFTER behind */
    size_t begin;   /* first byte not consumed */
    size_t end;     /* one past the last byte received */
    size_t capacity;
};

/* inbox_memory_bytes is what inbox_init needs for `capacity` bytes of plaintext. */
static inline size_t inbox_memory_bytes(size_t capacity)
{
    return INBOX_BEFORE + capacity + INBOX_AFTER;
}

/* inbox_init lays an empty inbox over `memory`. */
static inline void inbox_init(struct inbox *inbox, uint8_t *memory, size_t capacity)
{
    inbox->bytes = memory + INBOX_BEFORE;
    inbox->begin = 0;
    inbox->end = 0;
    inbox->capacity = capacity;
}

static inline void inbox_clear(struct inbox *inbox)
{
    inbox->begin = 0;
    inbox->end = 0;
}

/* inbox_append copies `len` bytes in; it answers 0, leaving the inbox alone, when they do not fit. */
static inline int inbox_append(struct inbox *inbox, const uint8_t *bytes, size_t len)
{
    if (len > inbox->capacity - inbox->end) {
        return 0;
    }

    memcpy(inbox->bytes + inbox->end, bytes, len);
    inbox->end += len;
    return 1;
}

/* inbox_slide moves what is not consumed to the front.  Whoever keeps offsets subtracts the answer. */
static inline size_t inbox_slide(struct inbox *inbox)
{
    size_t by = inbox->begin;

    if (by != 0) {
        memmove(inbox->bytes, inbox->bytes + by, inbox->end - by);
        inbox->end -= by;
        inbox->begin = 0;
    }
    return by;
}

#endif
