/* io moves bytes between one hot thread and its sockets.
 *
 * One struct io belongs to one thread: it is created anywhere, and the first io_poll binds it to the
 * calling thread, which from then on is the only one to touch it.  Sockets are named by a small index
 * that is reused after io_close.  Two back ends hide behind the same calls and are chosen once, at
 * io_create:
 *
 *   uring  one io_uring with deferred task work.  Received bytes arrive in buffers lent to the kernel;
 *          the completion tail and a flag word are read in memory, and the kernel is entered only when
 *          the flag says that it has work or when something waits to be submitted.  An idle io_poll makes
 *          no system call, whatever the number of sockets.
 *   spin   non-blocking recv on every socket in turn.  It costs one system call a socket a poll, is the
 *          quickest for up to about four sockets, and works where io_uring is refused.
 *
 * Memory is taken at io_create and never again.  Nothing here resolves names, formats, logs or blocks. */
#ifndef POISE_HOT_NET_IO_H
#define POISE_HOT_NET_IO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* net_take_fn answers `bytes` bytes aligned to `align` (a power of two, at least 64), zeroed and already
 * touched, that live as long as the engine; NULL when there is no room.  It is called at start only. */
typedef void *(*net_take_fn)(void *ctx, size_t bytes, size_t align);

struct net_memory {
    net_take_fn take; /* NULL: pages are mapped, and touched, straight from the kernel */
    void *ctx;
};

/* net_take serves one request from `memory`, which may be NULL (same as take == NULL). */
void *net_take(const struct net_memory *memory, size_t bytes, size_t align);

enum io_backend {
    IO_AUTO,  /* spin up to 4 sockets, uring above, spin where uring is refused */
    IO_URING, /* uring or refuse */
    IO_SPIN,
};

struct io_options {
    enum io_backend backend;
    uint32_t sockets_max;       /* 1 to 1024; 0 = 16 */
    uint32_t recv_buffers;      /* uring: power of two, 8 to 4096; 0 = 64 */
    uint32_t recv_buffer_bytes; /* 2048 to 1 MiB; 0 = 16384.  One delivery is at most this long */
    uint32_t send_buffer_bytes; /* per socket, for what the kernel did not take at once; 0 = 65536 */
    uint32_t events_per_poll;   /* deliveries one io_poll may make; 0 = 16 */
    uint32_t napi_busy_us;      /* busy polling of a real card by the kernel; 0 = off; refused = ignored */
    struct net_memory memory;
};

struct io;

enum io_event {
    IO_CONNECTED, /* the socket may be written from now on */
    IO_BYTES,     /* `len` bytes; valid until the sink returns */
    IO_CLOSED,    /* the peer finished; io_close is still owed */
    IO_FAILED,    /* `len` is the errno; io_close is still owed */
};

/* io_sink receives what happened to one socket.  It may call io_send, io_connect and io_close, also on
 * the socket it is told about; io_poll never runs inside itself. */
typedef void (*io_sink)(void *ctx, uint32_t socket, enum io_event event, const uint8_t *bytes, size_t len);

enum io_answer {
    IO_OK = 0,
    IO_REFUSED = -1,      /* bad option, or the kernel refused the back end (io_create) */
    IO_NO_MEMORY = -2,    /* memory->take had no room (io_create) */
    IO_NO_SOCKET = -3,    /* every index is in use, or the kernel gave no socket */
    IO_BAD_ADDRESS = -4,  /* not a numeric IPv4 or IPv6 address, or port 0 */
    IO_FULL = -5,         /* the send buffer cannot hold the rest: nothing of this call was sent */
    IO_NOT_CONNECTED = -6 /* closed, failed or still connecting */
};

/* io_create makes *out from `options`; on refusal *out is NULL. */
enum io_answer io_create(struct io **out, const struct io_options *options);

/* io_destroy closes every socket and the ring.  Memory that came from a caller's take stays the
 * caller's.  For tests and for the end of the run. */
void io_destroy(struct io *io);

/* io_backend_name is "uring" or "spin"; io_note says why uring was not chosen, or "". */
const char *io_backend_name(const struct io *io);
const char *io_note(const struct io *io);

/* io_connect starts a TCP connection to a numeric address with NODELAY.  It answers the socket's index (0 or
 * more) or an io_answer; IO_CONNECTED or IO_FAILED follows from io_poll.
 *
 * Received bytes are acknowledged by the first io_poll that delivers nothing, one socket a poll: after what
 * they led to was sent, not before. */
int32_t io_connect(struct io *io, const char *address, uint16_t port);

/* io_adopt takes a connected stream socket made elsewhere (tests: one end of a pair). */
int32_t io_adopt(struct io *io, int fd);

/* io_send hands `len` bytes to the kernel now.  What the kernel does not take waits in the socket's
 * buffer and is sent, in order, by later polls.  All or nothing: IO_FULL means that not one byte left. */
enum io_answer io_send(struct io *io, uint32_t socket, const uint8_t *bytes, size_t len);

/* io_queue is io_send without leaving yet: the bytes wait for io_flush, which sends everything queued on
 * all sockets (with one submission where the back end can).  io_poll flushes too. */
enum io_answer io_queue(struct io *io, uint32_t socket, const uint8_t *bytes, size_t len);
void io_flush(struct io *io);

/* io_pending counts bytes accepted for `socket` that the kernel has not taken. */
size_t io_pending(const struct io *io, uint32_t socket);

/* io_close closes the socket and frees its index.  Nothing more is delivered for it. */
void io_close(struct io *io, uint32_t socket);

/* io_poll delivers at most events_per_poll events and answers how many it delivered.  It never sleeps. */
uint32_t io_poll(struct io *io, io_sink sink, void *ctx);

struct io_counters {
    uint64_t polls;
    uint64_t system_calls; /* made by polls, sends and connects: an idle uring poll adds none */
    uint64_t bytes_in, bytes_out;
    uint64_t short_writes; /* sends the kernel took only in part, or not at all */
    uint64_t acknowledged; /* times that an idle poll acknowledged what a socket had received */
    uint64_t starved;      /* uring: receive stopped for want of a buffer and was armed again */
};

const struct io_counters *io_counters(const struct io *io);

#endif
