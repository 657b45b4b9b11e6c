/* Any bytes, cut anywhere, against the WebSocket reader: it must stay inside the inbox, make the same
 * events however the bytes are cut, and never stall on a full inbox. */
#include "hot/net/ws.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CAPACITY = 1024, EVENTS_MAX = 4096 };

struct trace {
    uint64_t hash;
    size_t events;
    enum ws_event last;
};

static void note(struct trace *t, enum ws_event event, const struct ws_message *m)
{
    t->hash = (t->hash ^ (uint64_t)event) * 0x100000001b3;
    for (size_t i = 0; i < m->len; i++) {
        t->hash = (t->hash ^ m->bytes[i]) * 0x100000001b3;
    }
    t->events++;
    t->last = event;
}

/* run feeds the bytes in pieces of `piece`. */
static struct trace run(const uint8_t *data, size_t size, size_t piece)
{
    /* On the heap, exactly as long as promised, so that the address sanitizer guards both ends. */
    uint8_t *memory = malloc(inbox_memory_bytes(CAPACITY));
    struct inbox inbox;
    struct ws_reader reader;
    struct trace t = { 0xcbf29ce484222325, 0, WS_EVENT_NONE };

    inbox_init(&inbox, memory, CAPACITY);
    ws_reader_start(&reader);
    while (size != 0 && t.last != WS_EVENT_BROKEN && t.last != WS_EVENT_CLOSE) {
        struct ws_message m;
        enum ws_event event;
        size_t room;

        if (inbox.capacity - inbox.end < piece) {
            inbox_slide(&inbox);
        }
        room = inbox.capacity - inbox.end;
        if (room == 0) {
            abort(); /* a message that cannot fit must have been refused at its header */
        }

        size_t n = size < piece ? size : piece;

        n = n < room ? n : room;
        inbox_append(&inbox, data, n);
        data += n;
        size -= n;
        while ((event = ws_next(&reader, &inbox, &m)) != WS_EVENT_NONE) {
            if (m.len != 0 && (m.bytes < inbox.bytes || m.bytes + m.len > inbox.bytes + inbox.end)) {
                abort();
            }
            note(&t, event, &m);
        }
    }
    free(memory);
    return t;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trace whole = run(data, size, CAPACITY);
    struct trace bytes = run(data, size, 1);
    struct trace thirds = run(data, size, 3);

    if (whole.hash != bytes.hash || whole.hash != thirds.hash || whole.events != bytes.events) {
        abort();
    }
    return 0;
}
