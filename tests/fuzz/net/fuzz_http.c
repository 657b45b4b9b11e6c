/* Any bytes, cut anywhere, against the HTTP reader: it must stay inside the inbox and answer the same
 * however the bytes are cut. */
#include "hot/net/http.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CAPACITY = 1024 };

struct trace {
    uint64_t hash;
    enum http_answer last;
};

static void mix(struct trace *t, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        t->hash = (t->hash ^ bytes[i]) * 0x100000001b3;
    }
    t->hash = (t->hash ^ len) * 0x100000001b3;
}

static void note(struct trace *t, const struct http_response *r, const struct inbox *inbox)
{
    size_t at = 0, name_len, value_len, len;
    const uint8_t *name, *value;
    uint64_t number;

    if (r->body_len != 0 &&
        (r->body < inbox->bytes || r->body + r->body_len > inbox->bytes + inbox->capacity)) {
        abort();
    }
    mix(t, r->head, r->head_len);
    mix(t, r->body, r->body_len);
    mix(t, (const uint8_t *)&r->status, sizeof r->status);
    while (http_next_header(r, &at, &name, &name_len, &value, &value_len)) {
        mix(t, name, name_len);
        mix(t, value, value_len);
    }
    (void)http_header(r, "Retry-After", &len);
    (void)http_header_u64(r, "Content-Length", &number);
}

static struct trace run(const uint8_t *data, size_t size, size_t piece, bool is_head)
{
    uint8_t *memory = malloc(inbox_memory_bytes(CAPACITY));
    struct inbox inbox;
    struct http_reader reader;
    struct trace t = { 0xcbf29ce484222325, HTTP_INCOMPLETE };

    inbox_init(&inbox, memory, CAPACITY);
    http_reader_start(&reader, is_head);
    while (t.last >= 0 && size != 0) {
        struct http_response r;
        size_t room;

        if (inbox.capacity - inbox.end < piece) {
            inbox_slide(&inbox);
        }
        room = inbox.capacity - inbox.end;
        if (room == 0) {
            abort(); /* a full inbox must have been refused */
        }

        size_t n = size < piece ? size : piece;

        n = n < room ? n : room;
        inbox_append(&inbox, data, n);
        data += n;
        size -= n;
        while ((t.last = http_read(&reader, &inbox, false, &r)) == HTTP_COMPLETE) {
            note(&t, &r, &inbox);
            http_reader_consume(&reader, &inbox);
        }
    }
    if (t.last == HTTP_INCOMPLETE) {
        struct http_response r;

        if (http_read(&reader, &inbox, true, &r) == HTTP_COMPLETE) {
            note(&t, &r, &inbox);
        }
    }
    free(memory);
    return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }

    bool is_head = (data[0] & 1) != 0;
    struct trace a = run(data + 1, size - 1, 1, is_head);
    struct trace b = run(data + 1, size - 1, 7, is_head);
    struct trace c = run(data + 1, size - 1, 64, is_head);

    /* Whether a refusal is called broken or too long may depend on the cut; what was answered may not. */
    if (a.hash != b.hash || a.hash != c.hash || (a.last < 0) != (b.last < 0) ||
        (a.last < 0) != (c.last < 0)) {
        abort();
    }
    return 0;
}
