/* The io_uring back end.
 *
 * Every request carries (kind, socket, generation) in its user data, so a completion that arrives after
 * its socket was closed is recognised, gives its buffer back, and is otherwise nobody's.  Two facts shape
 * the poll: with deferred task work nothing completes until this thread enters the kernel, and the kernel
 * sets a flag in shared memory when entering is worth it. */
#include "hot/net/io_private.h"

#include "ring/base.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { KIND_CONNECT = 1, KIND_RECV, KIND_SEND, KIND_CANCEL };
enum { BUFFER_GROUP = 7, BUFFER_AROUND = 64, REGISTER_NAPI = 27 };

/* The installed liburing knows these, older ones do not; the kernel is asked by number either way. */
enum {
    SETUP_R_DISABLED = 1u << 6,
    SETUP_TASKRUN_FLAG = 1u << 9,
    SETUP_SINGLE_ISSUER = 1u << 12,
    SETUP_DEFER_TASKRUN = 1u << 13
};

static uint64_t tag_of(const struct io *io, uint32_t socket, unsigned kind)
{
    return (uint64_t)kind << 60 | (uint64_t)socket << 32 | io->sockets[socket].generation;
}

static struct io_uring_sqe *request(struct io *io)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&io->ring.uring);

    if (POISE_UNLIKELY(sqe == NULL)) {
        /* There is room for several requests of every socket; a full queue only wants submitting. */
        io->counters.system_calls++;
        io_uring_submit(&io->ring.uring);
        io->ring.unsubmitted = 0;
        sqe = io_uring_get_sqe(&io->ring.uring);
        POISE_ASSERT(sqe != NULL);
    }
    io->ring.unsubmitted++;
    return sqe;
}

/* Buffers lie one stride apart, so that each has readable bytes before and after it. */
static size_t buffer_stride(const struct io *io)
{
    return io->options.recv_buffer_bytes + 2 * BUFFER_AROUND;
}

static uint8_t *buffer_at(struct io *io, unsigned id)
{
    return io->ring.buffers + id * buffer_stride(io) + BUFFER_AROUND;
}

static void lend(struct io *io, unsigned id)
{
    io_uring_buf_ring_add(io->ring.lent, buffer_at(io, id), io->options.recv_buffer_bytes, (unsigned short)id,
                          (int)io->options.recv_buffers - 1, 0);
    io_uring_buf_ring_advance(io->ring.lent, 1);
}

enum io_answer io_ring_create(struct io *io)
{
    struct io_ring *r = &io->ring;
    struct io_uring_params params;
    unsigned entries = 64;

    while (entries < io->options.sockets_max * 4) {
        entries *= 2;
    }
    memset(&params, 0, sizeof params);
    params.flags = SETUP_SINGLE_ISSUER | SETUP_DEFER_TASKRUN | SETUP_TASKRUN_FLAG | SETUP_R_DISABLED;

    int error = -io_uring_queue_init_params(entries, &r->uring, &params);

    if (error != 0) {
        io->note = error == EINVAL                     ? "io_uring lacks deferred task work on this kernel"
                   : error == EPERM || error == EACCES ? "io_uring is forbidden here (seccomp or sysctl)"
                   : error == ENOSYS                   ? "io_uring is not in this kernel"
                   : error == ENOMEM                   ? "io_uring needs more locked memory than allowed"
                                                       : "io_uring refused its set-up";
        return IO_REFUSED;
    }
    r->made = true;

    r->lent = net_take(&io->options.memory, io->options.recv_buffers * sizeof(struct io_uring_buf), 4096);
    r->buffers = net_take(&io->options.memory, io->options.recv_buffers * buffer_stride(io), 64);
    if (r->lent == NULL || r->buffers == NULL) {
        io_ring_destroy(io);
        return IO_NO_MEMORY;
    }

    struct io_uring_buf_reg reg = { .ring_addr = (uint64_t)(uintptr_t)r->lent,
                                    .ring_entries = io->options.recv_buffers,
                                    .bgid = BUFFER_GROUP };

    if (io_uring_register_files_sparse(&r->uring, io->options.sockets_max) != 0 ||
        io_uring_register_buf_ring(&r->uring, &reg, 0) != 0) {
        io->note = "io_uring lacks sparse files or buffer rings on this kernel";
        io_ring_destroy(io);
        return IO_REFUSED;
    }
    io_uring_buf_ring_init(r->lent);
    for (unsigned i = 0; i < io->options.recv_buffers; i++) {
        lend(io, i);
    }
    return IO_OK;
}

void io_ring_destroy(struct io *io)
{
    if (io->ring.made) {
        io_uring_queue_exit(&io->ring.uring);
        io->ring.made = false;
    }
}

/* bind makes the calling thread the ring's only user.  The ring was born disabled for this. */
static void bind_thread(struct io *io)
{
    struct io_ring *r = &io->ring;

    /* liburing 2.3 declares a function for this and does not export it */
    POISE_ASSERT(io_uring_register((unsigned)r->uring.ring_fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0) == 0);
    io_uring_register_ring_fd(&r->uring);
    if (io->options.napi_busy_us != 0) {
        struct {
            uint32_t busy_us;
            uint8_t prefer, op, pad[2];
            uint32_t param, reserved;
        } napi = { .busy_us = io->options.napi_busy_us, .prefer = 1 };

        (void)io_uring_register((unsigned)r->uring.ring_fd, REGISTER_NAPI, &napi, 1);
    }
    r->bound = true;
}

static void arm_recv(struct io *io, uint32_t socket)
{
    struct io_uring_sqe *sqe = request(io);

    io_uring_prep_recv_multishot(sqe, (int)socket, NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT | IOSQE_FIXED_FILE;
    sqe->buf_group = BUFFER_GROUP;
    sqe->user_data = tag_of(io, socket, KIND_RECV);
}

bool io_ring_attach(struct io *io, uint32_t socket)
{
    struct io_socket *s = &io->sockets[socket];

    io->counters.system_calls++;
    if (io_uring_register_files_update(&io->ring.uring, socket, &s->fd, 1) != 1) {
        return false;
    }
    if (s->phase == IO_PHASE_OPEN) {
        arm_recv(io, socket);
        return true;
    }

    struct io_uring_sqe *sqe = request(io);

    io_uring_prep_connect(sqe, (int)socket, (const struct sockaddr *)&s->address, s->address_len);
    sqe->flags |= IOSQE_FIXED_FILE;
    sqe->user_data = tag_of(io, socket, KIND_CONNECT);
    return true;
}

void io_ring_send(struct io *io, uint32_t socket)
{
    struct io_socket *s = &io->sockets[socket];
    struct io_uring_sqe *sqe = request(io);

    io_uring_prep_send(sqe, (int)socket, s->out + s->out_begin, s->out_end - s->out_begin, MSG_NOSIGNAL);
    sqe->flags |= IOSQE_FIXED_FILE;
    sqe->user_data = tag_of(io, socket, KIND_SEND);
    s->sending = true;
}

void io_ring_detach(struct io *io, uint32_t socket)
{
    struct io_socket *s = &io->sockets[socket];
    int none = -1;

    /* Requests that were prepared but not submitted name this place in the file table: let them reach the
     * kernel before the place changes hands. */
    if (io->ring.unsubmitted != 0 && io->ring.bound) {
        io->counters.system_calls++;
        io_uring_submit(&io->ring.uring);
        io->ring.unsubmitted = 0;
    }
    shutdown(s->fd, SHUT_RDWR);
    (void)io_uring_register_files_update(&io->ring.uring, socket, &none, 1);
    io->counters.system_calls += 2;
    if (s->phase == IO_PHASE_DEAD) {
        return;
    }

    struct io_uring_sqe *sqe = request(io);

    io_uring_prep_cancel64(sqe,
                           tag_of(io, socket, s->phase == IO_PHASE_CONNECTING ? KIND_CONNECT : KIND_RECV), 0);
    sqe->user_data = tag_of(io, socket, KIND_CANCEL);
}

static uint32_t done_connect(struct io *io, uint32_t socket, int result, io_sink sink, void *ctx)
{
    struct io_socket *s = &io->sockets[socket];

    if (s->phase != IO_PHASE_CONNECTING) {
        return 0;
    }
    if (result != 0) {
        s->phase = IO_PHASE_DEAD;
        sink(ctx, socket, IO_FAILED, NULL, (size_t)-result);
        return 1;
    }
    s->phase = IO_PHASE_OPEN;
    io_opened(io, s);
    arm_recv(io, socket);
    sink(ctx, socket, IO_CONNECTED, NULL, 0);
    return 1;
}

static uint32_t done_recv(struct io *io, uint32_t socket, int result, unsigned flags, io_sink sink, void *ctx)
{
    struct io_socket *s = &io->sockets[socket];
    uint32_t generation = s->generation;

    if (s->phase != IO_PHASE_OPEN) {
        return 0;
    }
    if (result > 0) {
        io->counters.bytes_in += (uint64_t)result;
        io_heard(io, s);
        sink(ctx, socket, IO_BYTES, buffer_at(io, flags >> IORING_CQE_BUFFER_SHIFT), (size_t)result);
    } else if (result == -ENOBUFS) {
        io->counters.starved++;
    } else if (result != -EINTR && result != -EAGAIN) {
        s->phase = IO_PHASE_DEAD;
        sink(ctx, socket, result == 0 ? IO_CLOSED : IO_FAILED, NULL, (size_t)-result);
        return 1;
    }
    /* The sink may have closed this socket and opened another in its place. */
    if (!(flags & IORING_CQE_F_MORE) && s->generation == generation && s->phase == IO_PHASE_OPEN) {
        arm_recv(io, socket);
    }
    return result > 0;
}

static void done_send(struct io *io, uint32_t socket, uint32_t generation, int result)
{
    struct io_socket *s = &io->sockets[socket];

    /* Only one send a place is ever out, and the place is not reused before it is back. */
    s->sending = false;
    if (s->generation != generation || s->phase != IO_PHASE_OPEN) {
        return;
    }
    if (result < 0 && result != -EAGAIN && result != -EINTR) {
        io_fail(io, s, -result);
        return;
    }
    if (result > 0) {
        io->counters.bytes_out += (uint64_t)result;
        s->out_begin += (size_t)result;
    }
    if (s->out_begin == s->out_end) {
        s->out_begin = 0;
        s->out_end = 0;
    } else {
        io_ring_send(io, socket);
    }
}

uint32_t io_ring_poll(struct io *io, io_sink sink, void *ctx, uint32_t room)
{
    struct io_ring *r = &io->ring;
    uint32_t told = 0;

    if (POISE_UNLIKELY(!r->bound)) {
        bind_thread(io);
    }
    if (r->unsubmitted != 0) {
        io->counters.system_calls++;
        io_uring_submit_and_get_events(&r->uring);
        r->unsubmitted = 0;
    } else if (__atomic_load_n(r->uring.sq.kflags, __ATOMIC_ACQUIRE) &
               (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) {
        /* acquire: what the kernel wrote before it raised the flag is seen after */
        io->counters.system_calls++;
        io_uring_get_events(&r->uring);
    }

    /* Completions that tell nobody anything count too, or a burst of them could hold the loop. */
    for (uint32_t seen = 0; seen < room; seen++) {
        unsigned head = *r->uring.cq.khead;

        /* acquire: pairs with the kernel's release of the tail, so the entry is there */
        if (head == __atomic_load_n(r->uring.cq.ktail, __ATOMIC_ACQUIRE)) {
            break;
        }

        struct io_uring_cqe cqe = r->uring.cq.cqes[head & *r->uring.cq.kring_mask];
        unsigned kind = (unsigned)(cqe.user_data >> 60);
        uint32_t socket = (uint32_t)(cqe.user_data >> 32) & 0xfffffff;
        uint32_t generation = (uint32_t)cqe.user_data;
        bool current = io->sockets[socket].generation == generation;

        io_uring_cq_advance(&r->uring, 1);
        if (kind == KIND_RECV) {
            if (current) {
                told += done_recv(io, socket, cqe.res, cqe.flags, sink, ctx);
            }
            if (cqe.flags & IORING_CQE_F_BUFFER) {
                lend(io, cqe.flags >> IORING_CQE_BUFFER_SHIFT);
            }
        } else if (kind == KIND_SEND) {
            done_send(io, socket, generation, cqe.res);
        } else if (kind == KIND_CONNECT && current) {
            told += done_connect(io, socket, cqe.res, sink, ctx);
        }
    }
    return told;
}
