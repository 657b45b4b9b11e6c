/* The back end that asks every socket in turn. */
#include "hot/net/io_private.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

/* connect_done answers 1 when the connect has ended (*error says how), 0 while it is under way. */
static int connect_done(struct io *io, struct io_socket *s, int *error)
{
    struct pollfd p = { .fd = s->fd, .events = POLLOUT };
    socklen_t len = sizeof *error;

    io->counters.system_calls++;
    if (poll(&p, 1, 0) <= 0) {
        return 0;
    }
    *error = 0;
    io->counters.system_calls++;
    if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, error, &len) != 0) {
        *error = errno;
    }
    return 1;
}

static uint32_t poll_one(struct io *io, uint32_t index, io_sink sink, void *ctx)
{
    struct io_socket *s = &io->sockets[index];

    if (s->phase == IO_PHASE_CONNECTING) {
        int error;

        if (!connect_done(io, s, &error)) {
            return 0;
        }
        s->phase = error == 0 ? IO_PHASE_OPEN : IO_PHASE_DEAD;
        if (error == 0) {
            io_opened(io, s);
        }
        sink(ctx, index, error == 0 ? IO_CONNECTED : IO_FAILED, NULL, (size_t)error);
        return 1;
    }
    if (s->phase != IO_PHASE_OPEN || s->error != 0) {
        return 0;
    }
    if (s->out_begin != s->out_end) {
        io_push(io, s);
    }

    ssize_t n = recv(s->fd, io->scratch, io->options.recv_buffer_bytes, MSG_DONTWAIT);

    io->counters.system_calls++;
    if (n > 0) {
        io->counters.bytes_in += (uint64_t)n;
        io_heard(io, s);
        sink(ctx, index, IO_BYTES, io->scratch, (size_t)n);
        return 1;
    }
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
        return 0;
    }
    s->phase = IO_PHASE_DEAD;
    sink(ctx, index, n == 0 ? IO_CLOSED : IO_FAILED, NULL, n == 0 ? 0 : (size_t)errno);
    return 1;
}

uint32_t io_spin_poll(struct io *io, io_sink sink, void *ctx, uint32_t room)
{
    uint32_t told = 0;

    /* Every socket is asked once; who is asked first turns, so that a full budget starves nobody. */
    for (uint32_t i = 0; i < io->used && told < room; i++) {
        if (io->next >= io->used) {
            io->next = 0;
        }
        told += poll_one(io, io->next++, sink, ctx);
    }
    return told;
}
