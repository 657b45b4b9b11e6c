/* io_private is what io and its two back ends share; nobody else includes it.
 *
 * The life of a socket: FREE -> CONNECTING -> OPEN -> DEAD -> FREE.  DEAD means that the sink was told, or
 * is about to be, and only io_close is left. */
#ifndef POISE_HOT_NET_IO_PRIVATE_H
#define POISE_HOT_NET_IO_PRIVATE_H

#include "hot/net/io.h"

#include <liburing.h>
#include <sys/socket.h>

enum io_phase { IO_PHASE_FREE, IO_PHASE_CONNECTING, IO_PHASE_OPEN, IO_PHASE_DEAD };

struct io_socket {
    int fd;
    enum io_phase phase;
    uint32_t generation; /* told apart from the index's earlier sockets */
    int error;           /* errno of a failed send, told to the sink by the next poll; 0 = none */
    bool sending;        /* uring: a submitted send still owns bytes of the buffer */
    bool queued;         /* io_queue left bytes for io_flush */
    bool ack_ours;       /* the kernel lets us say when to acknowledge */
    bool ack_owed;       /* bytes came since the last acknowledgement that we asked for */
    uint8_t *out;        /* send_buffer_bytes; [out_begin, out_end) waits */
    size_t out_begin, out_end;
    struct sockaddr_storage address; /* uring reads it while the connect is under way */
    socklen_t address_len;
};

struct io_ring {
    struct io_uring uring;
    struct io_uring_buf_ring *lent; /* the kernel takes receive buffers from here */
    uint8_t *buffers;
    uint32_t unsubmitted;
    bool made, bound;
};

struct io {
    struct io_options options;
    bool uring;
    const char *note;
    struct io_socket *sockets;
    uint32_t used;     /* indexes below this one have been in use */
    uint32_t errors;   /* sockets with error set */
    uint32_t queued;   /* sockets with queued set */
    uint32_t owing;    /* sockets with ack_owed set */
    uint32_t ack_next; /* whose acknowledgement is next */
    uint32_t next;     /* spin: whose turn it is */
    uint8_t *scratch;  /* spin: recv_buffer_bytes, with room around for whole-vector reads */
    struct io_counters counters;
    struct io_ring ring;
};

/* io_push sends what waits on a socket with one plain send. */
void io_push(struct io *io, struct io_socket *s);

/* io_fail notes an error for the next poll to tell. */
void io_fail(struct io *io, struct io_socket *s, int error);

/* io_opened follows the connect of a socket: from here on its acknowledgements are ours to time. */
void io_opened(struct io *io, struct io_socket *s);

/* io_heard notes that bytes of a socket are about to be delivered. */
static inline void io_heard(struct io *io, struct io_socket *s)
{
    if (s->ack_ours && !s->ack_owed) {
        s->ack_owed = true;
        io->owing++;
    }
}

/* io_ring_* is the uring back end. */
enum io_answer io_ring_create(struct io *io);
void io_ring_destroy(struct io *io);
bool io_ring_attach(struct io *io, uint32_t socket);
void io_ring_send(struct io *io, uint32_t socket);
void io_ring_detach(struct io *io, uint32_t socket);
uint32_t io_ring_poll(struct io *io, io_sink sink, void *ctx, uint32_t room);

/* io_spin_* is the other one. */
uint32_t io_spin_poll(struct io *io, io_sink sink, void *ctx, uint32_t room);

#endif
