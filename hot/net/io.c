#include "hot/net/io.h"
#include "hot/net/io_private.h"

#include "ring/base.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SPIN_SOCKETS = 4, SCRATCH_AROUND = 64, PAGE = 4096 };

void *net_take(const struct net_memory *memory, size_t bytes, size_t align)
{
    if (memory != NULL && memory->take != NULL) {
        return memory->take(memory->ctx, bytes, align);
    }
    if (align > PAGE) {
        return NULL;
    }

    size_t whole = (bytes + PAGE - 1) & ~(size_t)(PAGE - 1);
    void *pages =
        mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    return pages == MAP_FAILED ? NULL : pages;
}

static bool fill_options(struct io_options *o)
{
    if (o->sockets_max == 0) {
        o->sockets_max = 16;
    }
    if (o->recv_buffers == 0) {
        o->recv_buffers = 64;
    }
    if (o->recv_buffer_bytes == 0) {
        o->recv_buffer_bytes = 16384;
    }
    if (o->send_buffer_bytes == 0) {
        o->send_buffer_bytes = 65536;
    }
    if (o->events_per_poll == 0) {
        o->events_per_poll = 16;
    }
    return o->sockets_max <= 1024 && o->recv_buffers >= 8 && o->recv_buffers <= 4096 &&
           (o->recv_buffers & (o->recv_buffers - 1)) == 0 && o->recv_buffer_bytes >= 2048 &&
           o->recv_buffer_bytes <= (1u << 20) && o->send_buffer_bytes >= 1024 &&
           o->send_buffer_bytes <= (16u << 20) && o->events_per_poll <= 4096;
}

enum io_answer io_create(struct io **out, const struct io_options *options)
{
    struct io_options o = *options;

    *out = NULL;
    if (!fill_options(&o)) {
        return IO_REFUSED;
    }

    struct io *io = net_take(&o.memory, sizeof *io, 64);
    if (io == NULL) {
        return IO_NO_MEMORY;
    }
    memset(io, 0, sizeof *io);
    io->options = o;
    io->note = "";
    io->sockets = net_take(&o.memory, o.sockets_max * sizeof *io->sockets, 64);
    uint8_t *outs = net_take(&o.memory, (size_t)o.sockets_max * o.send_buffer_bytes, 64);
    if (io->sockets == NULL || outs == NULL) {
        return IO_NO_MEMORY;
    }
    memset(io->sockets, 0, o.sockets_max * sizeof *io->sockets);
    for (uint32_t i = 0; i < o.sockets_max; i++) {
        io->sockets[i].fd = -1;
        io->sockets[i].out = outs + (size_t)i * o.send_buffer_bytes;
    }

    if (o.backend == IO_URING || (o.backend == IO_AUTO && o.sockets_max > SPIN_SOCKETS)) {
        enum io_answer answer = io_ring_create(io);

        io->uring = answer == IO_OK;
        if (answer == IO_NO_MEMORY || (answer != IO_OK && o.backend == IO_URING)) {
            return answer;
        }
    }
    if (!io->uring) {
        uint8_t *scratch = net_take(&o.memory, o.recv_buffer_bytes + 2 * SCRATCH_AROUND, 64);

        if (scratch == NULL) {
            return IO_NO_MEMORY;
        }
        io->scratch = scratch + SCRATCH_AROUND;
    }
    *out = io;
    return IO_OK;
}

void io_destroy(struct io *io)
{
    if (io == NULL) {
        return;
    }
    for (uint32_t i = 0; i < io->used; i++) {
        if (io->sockets[i].phase != IO_PHASE_FREE) {
            close(io->sockets[i].fd);
        }
    }
    if (io->uring) {
        io_ring_destroy(io);
    }
}

const char *io_backend_name(const struct io *io)
{
    return io->uring ? "uring" : "spin";
}

const char *io_note(const struct io *io)
{
    return io->note;
}

const struct io_counters *io_counters(const struct io *io)
{
    return &io->counters;
}

static bool parse_address(const char *text, uint16_t port, struct sockaddr_storage *out, socklen_t *len)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)out;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)out;

    memset(out, 0, sizeof *out);
    if (port == 0) {
        return false;
    }
    if (inet_pton(AF_INET, text, &v4->sin_addr) == 1) {
        v4->sin_family = AF_INET;
        v4->sin_port = htons(port);
        *len = sizeof *v4;
        return true;
    }
    if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1) {
        v6->sin6_family = AF_INET6;
        v6->sin6_port = htons(port);
        *len = sizeof *v6;
        return true;
    }
    return false;
}

/* claim takes a free index for fd; -1 when all are in use. */
static int32_t claim(struct io *io, int fd, enum io_phase phase)
{
    for (uint32_t i = 0; i < io->options.sockets_max; i++) {
        struct io_socket *s = &io->sockets[i];

        /* A send that the kernel still owns reads this index's buffer: leave the place alone. */
        if (s->phase != IO_PHASE_FREE || s->sending) {
            continue;
        }
        s->fd = fd;
        s->phase = phase;
        s->generation++;
        s->error = 0;
        s->queued = false;
        s->ack_ours = false;
        s->ack_owed = false;
        s->out_begin = 0;
        s->out_end = 0;
        if (i >= io->used) {
            io->used = i + 1;
        }
        return (int32_t)i;
    }
    return -1;
}

/* A kernel that believes that nobody will answer acknowledges inside the receive that takes the bytes: there
 * an order would wait for a packet of ours to travel.  Told that an answer will carry it, it holds the
 * acknowledgement back; we send it ourselves in the first poll that has nothing else to do.  What nobody
 * sends in time the kernel does: after two full segments, or after its own timer. */
enum { ACK_LATER = 0, ACK_NOW = 2 };

static bool ack(struct io *io, const struct io_socket *s, int what)
{
    io->counters.system_calls++;
    return setsockopt(s->fd, IPPROTO_TCP, TCP_QUICKACK, &what, sizeof what) == 0;
}

static void paid(struct io *io, struct io_socket *s)
{
    if (s->ack_owed) {
        s->ack_owed = false;
        io->owing--;
    }
}

void io_opened(struct io *io, struct io_socket *s)
{
    /* What is no TCP socket refuses, and is left alone. */
    s->ack_ours = ack(io, s, ACK_LATER);
}

/* pay_one acknowledges on one socket; the others wait for the next idle poll, so that bytes which arrive
 * meanwhile wait for one at most. */
static void pay_one(struct io *io)
{
    for (uint32_t i = 0; i < io->used; i++) {
        io->ack_next = io->ack_next + 1 < io->used ? io->ack_next + 1 : 0;

        struct io_socket *s = &io->sockets[io->ack_next];

        if (s->ack_owed) {
            paid(io, s);
            /* ACK_NOW where the kernel owes nothing any more means haste from now on: take that back. */
            (void)ack(io, s, ACK_NOW);
            (void)ack(io, s, ACK_LATER);
            io->counters.acknowledged++;
            return;
        }
    }
}

static void release(struct io *io, struct io_socket *s)
{
    if (s->error != 0) {
        io->errors--;
        s->error = 0;
    }
    if (s->queued) {
        io->queued--;
        s->queued = false;
    }
    paid(io, s);
    s->phase = IO_PHASE_FREE;
    s->fd = -1;
}

int32_t io_connect(struct io *io, const char *address, uint16_t port)
{
    struct sockaddr_storage to;
    socklen_t to_len;
    int one = 1;

    if (!parse_address(address, port, &to, &to_len)) {
        return IO_BAD_ADDRESS;
    }

    /* A non-blocking descriptor would make the ring give up with EAGAIN instead of waiting. */
    int fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | (io->uring ? 0 : SOCK_NONBLOCK), 0);
    if (fd < 0) {
        return IO_NO_SOCKET;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &one, sizeof one);
    if (io->options.napi_busy_us != 0 && !io->uring) {
        int us = (int)io->options.napi_busy_us;

        (void)setsockopt(fd, SOL_SOCKET, SO_BUSY_POLL, &us, sizeof us);
    }
    io->counters.system_calls += 3;

    int32_t index = claim(io, fd, IO_PHASE_CONNECTING);
    if (index < 0) {
        close(fd);
        return IO_NO_SOCKET;
    }

    struct io_socket *s = &io->sockets[index];

    s->address = to;
    s->address_len = to_len;
    if (io->uring) {
        if (!io_ring_attach(io, (uint32_t)index)) {
            release(io, s);
            close(fd);
            return IO_NO_SOCKET;
        }
        return index;
    }

    io->counters.system_calls++;
    if (connect(fd, (const struct sockaddr *)&to, to_len) != 0 && errno != EINPROGRESS && errno != EINTR) {
        io_fail(io, s, errno);
    }
    return index;
}

int32_t io_adopt(struct io *io, int fd)
{
    int32_t index = claim(io, fd, IO_PHASE_OPEN);

    if (index >= 0) {
        io_opened(io, &io->sockets[index]);
    }
    if (index >= 0 && io->uring && !io_ring_attach(io, (uint32_t)index)) {
        release(io, &io->sockets[index]);
        index = -1;
    }
    return index < 0 ? IO_NO_SOCKET : index;
}

void io_fail(struct io *io, struct io_socket *s, int error)
{
    if (s->error == 0) {
        s->error = error;
        io->errors++;
    }
}

/* write_now answers how many bytes the kernel took, or -1 after noting the error. */
static ssize_t write_now(struct io *io, struct io_socket *s, const uint8_t *bytes, size_t len)
{
    ssize_t n = send(s->fd, bytes, len, MSG_DONTWAIT | MSG_NOSIGNAL);

    io->counters.system_calls++;
    if (n < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ENOBUFS) {
            io_fail(io, s, errno);
            return -1;
        }
        n = 0;
    }
    if (n > 0) {
        paid(io, s); /* it rode along */
    }
    io->counters.bytes_out += (uint64_t)n;
    if ((size_t)n < len) {
        io->counters.short_writes++;
    }
    return n;
}

/* keep appends to the socket's buffer; false when it cannot hold all. */
static bool keep(struct io *io, struct io_socket *s, const uint8_t *bytes, size_t len)
{
    size_t cap = io->options.send_buffer_bytes;

    if (len > cap - s->out_end && !s->sending && s->out_begin > 0) {
        memmove(s->out, s->out + s->out_begin, s->out_end - s->out_begin);
        s->out_end -= s->out_begin;
        s->out_begin = 0;
    }
    if (len > cap - s->out_end) {
        return false;
    }
    memcpy(s->out + s->out_end, bytes, len);
    s->out_end += len;
    return true;
}

static struct io_socket *sendable(struct io *io, uint32_t socket)
{
    POISE_ASSERT(socket < io->options.sockets_max);

    struct io_socket *s = &io->sockets[socket];

    return s->phase == IO_PHASE_OPEN && s->error == 0 ? s : NULL;
}

enum io_answer io_send(struct io *io, uint32_t socket, const uint8_t *bytes, size_t len)
{
    struct io_socket *s = sendable(io, socket);

    if (s == NULL) {
        return IO_NOT_CONNECTED;
    }
    if (s->out_begin != s->out_end) {
        /* Order matters more than haste: what waits goes first. */
        if (!keep(io, s, bytes, len)) {
            return IO_FULL;
        }
        if (!s->sending) {
            io_push(io, s);
        }
        return s->error != 0 ? IO_NOT_CONNECTED : IO_OK;
    }
    if (len > io->options.send_buffer_bytes) {
        return IO_FULL;
    }

    ssize_t n = write_now(io, s, bytes, len);

    if (n < 0) {
        return IO_NOT_CONNECTED;
    }
    if ((size_t)n < len) {
        s->out_begin = 0;
        s->out_end = 0;
        keep(io, s, bytes + n, len - (size_t)n);
        if (io->uring) {
            io_ring_send(io, socket);
        }
    }
    return IO_OK;
}

enum io_answer io_queue(struct io *io, uint32_t socket, const uint8_t *bytes, size_t len)
{
    struct io_socket *s = sendable(io, socket);

    if (s == NULL) {
        return IO_NOT_CONNECTED;
    }
    if (!keep(io, s, bytes, len)) {
        return IO_FULL;
    }
    if (!s->queued) {
        s->queued = true;
        io->queued++;
    }
    return IO_OK;
}

void io_push(struct io *io, struct io_socket *s)
{
    ssize_t n = write_now(io, s, s->out + s->out_begin, s->out_end - s->out_begin);

    if (n > 0) {
        s->out_begin += (size_t)n;
    }
    if (s->out_begin == s->out_end) {
        s->out_begin = 0;
        s->out_end = 0;
    } else if (io->uring && s->error == 0) {
        io_ring_send(io, (uint32_t)(s - io->sockets));
    }
}

void io_flush(struct io *io)
{
    /* One socket leaves quickest by a plain send; several share one submission. */
    bool together = io->uring && io->queued > 1;

    for (uint32_t i = 0; io->queued != 0 && i < io->used; i++) {
        struct io_socket *s = &io->sockets[i];

        if (!s->queued) {
            continue;
        }
        s->queued = false;
        io->queued--;
        if (s->phase != IO_PHASE_OPEN || s->error != 0 || s->sending) {
            continue;
        }
        if (together) {
            io_ring_send(io, i);
        } else {
            io_push(io, s);
        }
    }
    if (together) {
        io->counters.system_calls++;
        io_uring_submit(&io->ring.uring);
        io->ring.unsubmitted = 0;
    }
}

size_t io_pending(const struct io *io, uint32_t socket)
{
    const struct io_socket *s = &io->sockets[socket];

    return s->phase == IO_PHASE_FREE ? 0 : s->out_end - s->out_begin;
}

void io_close(struct io *io, uint32_t socket)
{
    POISE_ASSERT(socket < io->options.sockets_max);

    struct io_socket *s = &io->sockets[socket];

    if (s->phase == IO_PHASE_FREE) {
        return;
    }
    if (s->queued && s->phase == IO_PHASE_OPEN && s->error == 0 && !s->sending) {
        io_push(io, s);
    }

    int fd = s->fd;

    if (io->uring) {
        io_ring_detach(io, socket);
    }
    release(io, s);
    close(fd);
    io->counters.system_calls++;
}

/* tell_errors reports sends that failed since the last poll. */
static uint32_t tell_errors(struct io *io, io_sink sink, void *ctx, uint32_t room)
{
    uint32_t told = 0;

    for (uint32_t i = 0; io->errors != 0 && told < room && i < io->used; i++) {
        struct io_socket *s = &io->sockets[i];
        int error = s->error;

        if (error == 0) {
            continue;
        }
        s->error = 0;
        io->errors--;
        if (s->phase == IO_PHASE_DEAD || s->phase == IO_PHASE_FREE) {
            continue;
        }
        s->phase = IO_PHASE_DEAD;
        told++;
        sink(ctx, i, IO_FAILED, NULL, (size_t)error);
    }
    return told;
}

uint32_t io_poll(struct io *io, io_sink sink, void *ctx)
{
    uint32_t room = io->options.events_per_poll;
    uint32_t told = 0;

    io->counters.polls++;
    if (POISE_UNLIKELY(io->queued != 0)) {
        io_flush(io);
    }
    if (POISE_UNLIKELY(io->errors != 0)) {
        told = tell_errors(io, sink, ctx, room);
    }
    told += io->uring ? io_ring_poll(io, sink, ctx, room - told) : io_spin_poll(io, sink, ctx, room - told);
    if (POISE_UNLIKELY(io->owing != 0) && told == 0) {
        pay_one(io);
    }
    return told;
}
