#include "hot/net/io.h"
#include "tests/hot/net/wire.h"

#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

enum { PATIENCE = 2000000 };

/* What the sink saw of one socket. */
struct seen {
    int connected, closed, failed, error;
    uint8_t bytes[1 << 20];
    size_t len;
    size_t longest;
    bool close_at_bytes;
};

struct bench {
    struct io *io;
    struct seen *of;
};

static void sink(void *ctx, uint32_t socket, enum io_event event, const uint8_t *bytes, size_t len)
{
    struct bench *b = ctx;
    struct seen *s = &b->of[socket];

    switch (event) {
    case IO_CONNECTED:
        s->connected++;
        break;
    case IO_BYTES:
        cr_assert_leq(s->len + len, sizeof s->bytes);
        memcpy(s->bytes + s->len, bytes, len);
        s->len += len;
        s->longest = len > s->longest ? len : s->longest;
        if (s->close_at_bytes) {
            io_close(b->io, socket);
        }
        break;
    case IO_CLOSED:
        s->closed++;
        break;
    case IO_FAILED:
        s->failed++;
        s->error = (int)len;
        break;
    }
}

static struct bench bench_of(enum io_backend backend, struct io_options o)
{
    struct bench b = { 0 };

    o.backend = backend;
    cr_assert_eq(io_create(&b.io, &o), IO_OK);
    cr_assert_str_eq(io_backend_name(b.io), backend == IO_URING ? "uring" : "spin");
    b.of = calloc(o.sockets_max != 0 ? o.sockets_max : 16, sizeof *b.of);
    return b;
}

static void bench_free(struct bench *b)
{
    io_destroy(b->io);
    free(b->of);
}

#define POLL_UNTIL(b, condition)                                                                             \
    for (int tries_ = 0; !(condition); tries_++) {                                                           \
        io_poll((b)->io, sink, (b));                                                                         \
        cr_assert(tries_ < PATIENCE, "never: %s", #condition);                                               \
    }

/* dial makes a connection and answers the venue's end. */
static int dial(struct bench *b, int listener, uint16_t port, uint32_t *socket)
{
    int32_t index = io_connect(b->io, "127.0.0.1", port);
    int fd = -1;

    cr_assert_geq(index, 0);
    *socket = (uint32_t)index;
    memset(&b->of[index], 0, sizeof b->of[index]);
    POLL_UNTIL(b, b->of[index].connected == 1 && (fd >= 0 || (fd = wire_accept(listener)) >= 0));
    return fd;
}

static enum io_backend backends[] = { IO_URING, IO_SPIN };

#define FOR_BOTH(name)                                                                                       \
    static void name(enum io_backend backend);                                                               \
    ParameterizedTestParameters(io, name)                                                                    \
    {                                                                                                        \
        return cr_make_param_array(enum io_backend, backends, 2);                                            \
    }                                                                                                        \
    ParameterizedTest(enum io_backend *backend, io, name)                                                    \
    {                                                                                                        \
        name(*backend);                                                                                      \
    }                                                                                                        \
    static void name(enum io_backend backend)

FOR_BOTH(bytes_go_both_ways)
{
    struct bench b = bench_of(backend, (struct io_options){ 0 });
    uint16_t port;
    int listener = wire_listen(&port);
    uint32_t s;
    int fd = dial(&b, listener, port, &s);
    char got[16];

    cr_assert_eq(io_send(b.io, s, (const uint8_t *)"hello", 5), IO_OK);
    POLL_UNTIL(&b, recv(fd, got, sizeof got, 0) == 5);
    for (int i = 0; i < 1000; i++) {
        b.of[s].len = 0;
        wire_send(fd, &i, sizeof i);
        POLL_UNTIL(&b, b.of[s].len == sizeof i);
        cr_assert(memcmp(b.of[s].bytes, &i, sizeof i) == 0);
    }
    bench_free(&b);
}

FOR_BOTH(a_long_stream_arrives_whole_and_in_order)
{
    struct bench b = bench_of(backend, (struct io_options){ .recv_buffers = 8, .recv_buffer_bytes = 2048 });
    uint16_t port;
    int listener = wire_listen(&port);
    uint32_t s;
    int fd = dial(&b, listener, port, &s);
    static uint8_t bytes[900000];
    size_t sent = 0;

    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)(i * 2654435761u >> 13);
    }
    for (int tries = 0; b.of[s].len < sizeof bytes; tries++) {
        ssize_t n = send(fd, bytes + sent, sizeof bytes - sent, MSG_NOSIGNAL);

        sent += n > 0 ? (size_t)n : 0;
        cr_assert_leq(io_poll(b.io, sink, &b), 16);
        cr_assert(tries < PATIENCE);
    }
    cr_assert(memcmp(b.of[s].bytes, bytes, sizeof bytes) == 0);
    cr_assert_leq(b.of[s].longest, 2048);
    cr_assert_eq(io_counters(b.io)->bytes_in, sizeof bytes);
    bench_free(&b);
}

FOR_BOTH(what_the_kernel_does_not_take_is_kept_and_sent_in_order)
{
    enum { PIECE = 10007, PIECES = 800 };
    struct bench b = bench_of(backend, (struct io_options){ .send_buffer_bytes = 8 << 20 });
    uint16_t port;
    int listener = wire_listen(&port);
    int small = 65536; /* left to itself the kernel may make room for all of it, given time */
    uint32_t s;

    cr_assert_eq(setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &small, sizeof small), 0);
    int fd = dial(&b, listener, port, &s);
    static uint8_t piece[PIECE], got[1 << 16];
    size_t seen = 0;

    /* The peer does not read: the kernel's buffers fill, the rest waits here. */
    for (int i = 0; i < PIECES; i++) {
        for (size_t k = 0; k < PIECE; k++) {
            piece[k] = (uint8_t)((size_t)i * PIECE + k);
        }
        cr_assert_eq(io_send(b.io, s, piece, PIECE), IO_OK, "piece %d", i);
        io_poll(b.io, sink, &b);
    }
    cr_assert_gt(io_pending(b.io, s), 0);
    cr_assert_gt(io_counters(b.io)->short_writes, 0);
    for (int tries = 0; seen < (size_t)PIECE * PIECES; tries++) {
        ssize_t n = recv(fd, got, sizeof got, 0);

        for (ssize_t k = 0; k < n; k++) {
            if (got[k] != (uint8_t)(seen + (size_t)k)) {
                cr_assert_fail("byte %zu", seen + (size_t)k);
            }
        }
        seen += n > 0 ? (size_t)n : 0;
        io_poll(b.io, sink, &b);
        cr_assert(tries < PATIENCE);
    }
    POLL_UNTIL(&b, io_pending(b.io, s) == 0);
    cr_assert_eq(io_counters(b.io)->bytes_out, (uint64_t)PIECE * PIECES);
    bench_free(&b);
}

FOR_BOTH(a_full_send_buffer_is_an_answer_and_not_a_half_sent_message)
{
    struct bench b = bench_of(backend, (struct io_options){ .send_buffer_bytes = 65536 });
    uint16_t port;
    int listener = wire_listen(&port);
    uint32_t s;
    int fd = dial(&b, listener, port, &s);
    static uint8_t piece[32768], got[1 << 16];
    size_t accepted = 0, seen = 0;
    enum io_answer answer = IO_OK;

    cr_assert_eq(io_send(b.io, s, piece, 65537), IO_FULL);
    for (int i = 0; i < 10000 && answer == IO_OK; i++) {
        answer = io_send(b.io, s, piece, sizeof piece);
        accepted += answer == IO_OK ? sizeof piece : 0;
    }
    cr_assert_eq(answer, IO_FULL);
    for (int tries = 0; seen < accepted; tries++) {
        ssize_t n = recv(fd, got, sizeof got, 0);

        seen += n > 0 ? (size_t)n : 0;
        io_poll(b.io, sink, &b);
        cr_assert(tries < PATIENCE);
    }
    POLL_UNTIL(&b, io_pending(b.io, s) == 0);
    cr_assert_lt(recv(fd, got, sizeof got, 0), 0);
    cr_assert_eq(io_send(b.io, s, piece, 10), IO_OK);
    bench_free(&b);
}

FOR_BOTH(queued_bytes_leave_together_at_the_flush)
{
    struct bench b = bench_of(backend, (struct io_options){ 0 });
    uint16_t port;
    int listener = wire_listen(&port);
    uint32_t s[3];
    int fd[3];
    char got[64];

    for (int i = 0; i < 3; i++) {
        fd[i] = dial(&b, listener, port, &s[i]);
    }
    for (int round = 0; round < 100; round++) {
        for (int i = 0; i < 3; i++) {
            cr_assert_eq(io_queue(b.io, s[i], (const uint8_t *)"one,", 4), IO_OK);
            cr_assert_eq(io_queue(b.io, s[i], (const uint8_t *)"two", 3), IO_OK);
            cr_assert_lt(recv(fd[i], got, sizeof got, 0), 0);
        }
        io_flush(b.io);
        for (int i = 0; i < 3; i++) {
            cr_assert_eq(recv(fd[i], got, sizeof got, 0), 7);
            cr_assert(memcmp(got, "one,two", 7) == 0);
        }
        io_poll(b.io, sink, &b);
    }
    cr_assert_eq(io_queue(b.io, s[0], (const uint8_t *)"x", 1), IO_OK);
    POLL_UNTIL(&b, recv(fd[0], got, sizeof got, 0) == 1);
    bench_free(&b);
}

FOR_BOTH(a_refused_connection_fails)
{
    struct bench b = bench_of(backend, (struct io_options){ 0 });
    uint16_t port;
    int32_t s;

    close(wire_listen(&port));
    s = io_connect(b.io, "127.0.0.1", port);
    cr_assert_geq(s, 0);
    cr_assert_eq(io_send(b.io, (uint32_t)s, (const uint8_t *)"x", 1), IO_NOT_CONNECTED);
    POLL_UNTIL(&b, b.of[s].failed == 1);
    cr_assert_eq(b.of[s].error, ECONNREFUSED);
    io_close(b.io, (uint32_t)s);
    bench_free(&b);
}

FOR_BOTH(only_numeric_addresses_are_taken)
{
    struct bench b = bench_of(backend, (struct io_options){ 0 });

    cr_assert_eq(io_connect(b.io, "localhost", 1), IO_BAD_ADDRESS);
    cr_assert_eq(io_connect(b.io, "127.0.0.1", 0), IO_BAD_ADDRESS);
    cr_assert_eq(io_connect(b.io, "", 1), IO_BAD_ADDRESS);
    cr_assert_eq(io_connect(b.io, "127.0.0.1:80", 1), IO_BAD_ADDRESS);
    cr_assert_geq(io_connect(b.io, "::1", 9), 0);
    bench_free(&b);
}

FOR_BOTH(the_peers_end_is_told_once_after_its_last_bytes)
{
    struct bench b = bench_of(backend, (struct io_options){ 0 });
    uint16_t port;
    int listener = wire_listen(&port);
    uint32_t s;
    int fd = dial(&b, listener, port, &s);

    wire_send(fd, "bye", 3);
    close(fd);
    POLL_UNTIL(&b, b.of[s].closed + b.of[s].failed == 1);
    cr_assert_eq(b.of[s].len, 3);
    cr_assert_eq(b.of[s].closed, 1);
    for (int i = 0; i < 100; i++) {
        cr_assert_eq(io_poll(b.io, sink, &b), 0);
    }
    cr_assert_eq(b.of[s].closed, 1);
    io_close(b.io, s);
    bench_free(&b);
}

FOR_BOTH(writing_to_a_reset_connection_fails_without_a_signal)
{
    struct bench b = bench_of(backend, (struct io_options){ 0 });
    uint16_t port;
    int listener = wire_listen(&port);
    uint32_t s;
    int fd = dial(&b, listener, port, &s);
    struct linger reset = { 1, 0 };

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(fd);
    for (int i = 0; i < 3; i++) {
        (void)io_send(b.io, s, (const uint8_t *)"x", 1);
    }
    POLL_UNTIL(&b, b.of[s].failed == 1);
    cr_assert_eq(io_send(b.io, s, (const uint8_t *)"x", 1), IO_NOT_CONNECTED);
    for (int i = 0; i < 100; i++) {
        io_poll(b.io, sink, &b);
    }
    cr_assert_eq(b.of[s].failed + b.of[s].closed, 1);
    io_close(b.io, s);
    bench_free(&b);
}

FOR_BOTH(a_peer_that_is_gone_raises_no_signal)
{
    struct bench b = bench_of(backend, (struct io_options){ 0 });
    int pair[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    uint32_t s = (uint32_t)io_adopt(b.io, pair[0]);
    close(pair[1]);
    cr_assert_eq(io_send(b.io, s, (const uint8_t *)"x", 1), IO_NOT_CONNECTED);
    POLL_UNTIL(&b, b.of[s].failed + b.of[s].closed == 1);
    bench_free(&b);
}

/* The kernel may still read the buffer of a socket that was closed: its place is not given away before. */
Test(io, a_place_is_not_reused_while_its_last_send_is_out)
{
    struct bench b =
        bench_of(IO_URING, (struct io_options){ .sockets_max = 1, .send_buffer_bytes = 1 << 20 });
    uint16_t port;
    int listener = wire_listen(&port);
    uint32_t s;
    static uint8_t piece[1 << 19];
    int32_t next = IO_NO_SOCKET;

    (void)dial(&b, listener, port, &s);
    while (io_pending(b.io, s) == 0) {
        cr_assert_eq(io_send(b.io, s, piece, sizeof piece), IO_OK);
    }
    io_close(b.io, s);
    cr_assert_eq(io_connect(b.io, "127.0.0.1", port), IO_NO_SOCKET);
    for (int tries = 0; next < 0; tries++) {
        io_poll(b.io, sink, &b);
        next = io_connect(b.io, "127.0.0.1", port);
        cr_assert(tries < PATIENCE);
    }
    bench_free(&b);
}

FOR_BOTH(an_index_is_reused_and_tells_nothing_of_its_past)
{
    struct bench b = bench_of(backend, (struct io_options){ .sockets_max = 2 });
    uint16_t port;
    int listener = wire_listen(&port);
    uint32_t s;

    for (int i = 0; i < 300; i++) {
        int fd = dial(&b, listener, port, &s);

        /* Bytes on their way when the socket is closed must not reach its successor. */
        wire_send(fd, "old bytes", 9);
        if (i % 2 == 0) {
            io_poll(b.io, sink, &b);
        }
        io_close(b.io, s);

        int next = dial(&b, listener, port, &s);

        wire_send(next, "new", 3);
        POLL_UNTIL(&b, b.of[s].len >= 3);
        cr_assert_eq(b.of[s].len, 3, "%zu", b.of[s].len);
        cr_assert(memcmp(b.of[s].bytes, "new", 3) == 0);
        io_close(b.io, s);
        close(fd);
        close(next);
    }
    bench_free(&b);
}

FOR_BOTH(a_socket_may_be_closed_by_its_own_bytes)
{
    struct bench b = bench_of(backend, (struct io_options){ 0 });
    uint16_t port;
    int listener = wire_listen(&port);
    uint32_t s;

    for (int i = 0; i < 50; i++) {
        int fd = dial(&b, listener, port, &s);
        char byte;

        b.of[s].close_at_bytes = true;
        wire_send(fd, "x", 1);
        POLL_UNTIL(&b, recv(fd, &byte, 1, 0) == 0);
        close(fd);
    }
    bench_free(&b);
}

FOR_BOTH(many_sockets_share_one_loop)
{
    enum { MANY = 40 };
    struct bench b = bench_of(backend, (struct io_options){ .sockets_max = MANY, .recv_buffers = 8 });
    uint16_t port;
    int listener = wire_listen(&port);
    uint32_t s[MANY];
    int fd[MANY];

    for (int i = 0; i < MANY; i++) {
        fd[i] = dial(&b, listener, port, &s[i]);
    }
    cr_assert_eq(io_connect(b.io, "127.0.0.1", port), IO_NO_SOCKET);
    for (int round = 0; round < 50; round++) {
        for (int i = 0; i < MANY; i++) {
            wire_send(fd[i], &i, sizeof i);
        }
        for (int i = 0; i < MANY; i++) {
            POLL_UNTIL(&b, b.of[s[i]].len == (size_t)(round + 1) * sizeof i);
            cr_assert(memcmp(b.of[s[i]].bytes + (size_t)round * sizeof i, &i, sizeof i) == 0);
        }
    }
    bench_free(&b);
}

FOR_BOTH(one_poll_delivers_no_more_than_it_was_told)
{
    struct bench b = bench_of(backend, (struct io_options){ .sockets_max = 8, .events_per_poll = 3 });
    uint16_t port;
    int listener = wire_listen(&port);
    uint32_t s[8];
    int fd[8];
    uint32_t total = 0;

    for (int i = 0; i < 8; i++) {
        fd[i] = dial(&b, listener, port, &s[i]);
    }
    for (int i = 0; i < 8; i++) {
        wire_send(fd[i], "x", 1);
    }
    for (int tries = 0; total < 8; tries++) {
        uint32_t n = io_poll(b.io, sink, &b);

        cr_assert_leq(n, 3);
        total += n;
        cr_assert(tries < PATIENCE);
    }
    bench_free(&b);
}

FOR_BOTH(both_ends_of_a_pair_may_be_adopted)
{
    struct bench b = bench_of(backend, (struct io_options){ 0 });
    int pair[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    int32_t a = io_adopt(b.io, pair[0]);
    int32_t z = io_adopt(b.io, pair[1]);
    cr_assert_eq(io_send(b.io, (uint32_t)a, (const uint8_t *)"through", 7), IO_OK);
    POLL_UNTIL(&b, b.of[z].len == 7);
    io_poll(b.io, sink, &b);
    cr_assert_eq(io_counters(b.io)->acknowledged, 0, "what is not TCP has nothing to acknowledge");
    bench_free(&b);
}

/* unacknowledged answers how many segments of ours the engine's kernel has not acknowledged. */
static uint32_t unacknowledged(int fd)
{
    struct tcp_info info;
    socklen_t len = sizeof info;

    cr_assert_eq(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len), 0);
    return info.tcpi_unacked;
}

/* The venue's kernel is the witness.  The kernel's own timer (40 ms) may come first on a machine that was
 * busy elsewhere, hence most and not all. */
FOR_BOTH(bytes_are_acknowledged_after_they_were_delivered_and_not_before)
{
    struct bench b = bench_of(backend, (struct io_options){ 0 });
    uint16_t port;
    int listener = wire_listen(&port);
    uint32_t s[2];
    int fd[2] = { dial(&b, listener, port, &s[0]), dial(&b, listener, port, &s[1]) };
    int late = 0, paid = 0;

    for (int i = 0; i < 200; i++) {
        int k = i & 1;

        /* two segments together the kernel acknowledges by itself, and then nothing is owed */
        if (i % 8 >= 6) {
            b.of[s[k]].len = 0;
            wire_send(fd[k], b.of[s[k]].bytes, 300);
            wire_send(fd[k], b.of[s[k]].bytes, 310);
            POLL_UNTIL(&b, b.of[s[k]].len == 610);
            io_poll(b.io, sink, &b);
        }
        /* not of one size: a receiver takes the segments of a stream for full ones otherwise */
        b.of[s[k]].len = 0;
        wire_send(fd[k], b.of[s[k]].bytes, 100 + (size_t)i);
        POLL_UNTIL(&b, b.of[s[k]].len == 100 + (size_t)i);
        late += unacknowledged(fd[k]) == 1;

        uint64_t before = io_counters(b.io)->acknowledged;

        cr_assert_eq(io_poll(b.io, sink, &b), 0);
        cr_assert_eq(io_counters(b.io)->acknowledged, before + 1);
        paid += unacknowledged(fd[k]) == 0;

        uint64_t calls = io_counters(b.io)->system_calls;

        cr_assert_eq(io_poll(b.io, sink, &b), 0);
        cr_assert(io_counters(b.io)->acknowledged == before + 1, "owed once, paid twice");
        cr_assert(backend != IO_URING || io_counters(b.io)->system_calls == calls);
    }
    cr_assert_gt(late, 150, "%d of 200 were acknowledged only after their delivery", late);
    cr_assert_gt(paid, 150, "%d of 200 were acknowledged by the first idle poll", paid);
    bench_free(&b);
}

FOR_BOTH(an_answer_carries_the_acknowledgement)
{
    struct bench b = bench_of(backend, (struct io_options){ 0 });
    uint16_t port;
    int listener = wire_listen(&port);
    uint32_t s;
    int fd = dial(&b, listener, port, &s);

    wire_send(fd, "question", 8);
    POLL_UNTIL(&b, b.of[s].len == 8);

    uint64_t before = io_counters(b.io)->acknowledged;

    cr_assert_eq(io_send(b.io, s, (const uint8_t *)"answer", 6), IO_OK);
    for (int i = 0; i < 10; i++) {
        cr_assert_eq(io_poll(b.io, sink, &b), 0);
    }
    cr_assert_eq(unacknowledged(fd), 0);
    cr_assert_eq(io_counters(b.io)->acknowledged, before);
    bench_free(&b);
}

FOR_BOTH(each_idle_poll_acknowledges_on_one_socket)
{
    struct bench b = bench_of(backend, (struct io_options){ 0 });
    uint16_t port;
    int listener = wire_listen(&port);
    uint32_t s[3];
    int fd[3];

    for (int i = 0; i < 3; i++) {
        fd[i] = dial(&b, listener, port, &s[i]);
    }
    /* one poll must find all three, or an idle one between them has paid already */
    for (uint32_t told = 0, tries = 0; told != 3; tries++) {
        cr_assert_lt(tries, 1000);
        POLL_UNTIL(&b, io_counters(b.io)->acknowledged % 3 == 0);
        for (int i = 0; i < 3; i++) {
            wire_send(fd[i], "x", 1);
        }
        told = io_poll(b.io, sink, &b);
        for (uint32_t late = told; late != 3;) {
            late += io_poll(b.io, sink, &b);
        }
    }

    uint64_t before = io_counters(b.io)->acknowledged;

    io_close(b.io, s[1]); /* what is closed is owed nothing */
    for (uint64_t i = 1; i <= 4; i++) {
        cr_assert_eq(io_poll(b.io, sink, &b), 0);
        cr_assert_eq(io_counters(b.io)->acknowledged, before + (i < 2 ? i : 2));
    }
    bench_free(&b);
}

static void *turn_elsewhere(void *arg)
{
    struct bench *b = arg;
    uint16_t port;
    int listener = wire_listen(&port);
    uint32_t s;
    int fd = dial(b, listener, port, &s);

    wire_send(fd, "hello", 5);
    POLL_UNTIL(b, b->of[s].len == 5);
    cr_assert_eq(io_send(b->io, s, (const uint8_t *)"x", 1), IO_OK);
    io_close(b->io, s);
    return NULL;
}

FOR_BOTH(a_loop_may_be_made_by_one_thread_and_turned_by_another)
{
    struct bench b = bench_of(backend, (struct io_options){ 0 });
    pthread_t thread;

    cr_assert_eq(pthread_create(&thread, NULL, turn_elsewhere, &b), 0);
    cr_assert_eq(pthread_join(thread, NULL), 0);
    bench_free(&b);
}

/* The kernel is the witness: a filter kills the process at its first system call that is not read, write or
 * exit, and then the loop turns. */
Test(io, an_idle_uring_poll_makes_no_system_call)
{
    struct bench b = bench_of(IO_URING, (struct io_options){ 0 });
    uint16_t port;
    int listener = wire_listen(&port);
    int status;
    pid_t child = fork();

    if (child == 0) {
        uint32_t s[6];

        for (int i = 0; i < 6; i++) {
            int fd = dial(&b, listener, port, &s[i]);

            wire_send(fd, "x", 1);
            POLL_UNTIL(&b, b.of[s[i]].len == 1);
        }
        for (int i = 0; i < 1000; i++) {
            io_poll(b.io, sink, &b);
        }

        uint64_t before = io_counters(b.io)->system_calls;

        prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
        for (int i = 0; i < 100000; i++) {
            io_poll(b.io, sink, &b);
        }
        syscall(SYS_exit, io_counters(b.io)->system_calls == before ? 0 : 1);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", status);
    bench_free(&b);
}

Test(io, few_sockets_spin_and_many_use_the_ring)
{
    struct io *io;

    cr_assert_eq(io_create(&io, &(struct io_options){ .sockets_max = 4 }), IO_OK);
    cr_assert_str_eq(io_backend_name(io), "spin");
    io_destroy(io);
    cr_assert_eq(io_create(&io, &(struct io_options){ .sockets_max = 5 }), IO_OK);
    cr_assert_str_eq(io_backend_name(io), "uring", "%s", io_note(io));
    io_destroy(io);
}

/* forbid makes io_uring_setup answer EPERM from now on, as containers do. */
static void forbid(void)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog filter = { sizeof program / sizeof program[0], program };

    cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
    cr_assert_eq(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
}

Test(io, where_io_uring_is_forbidden_the_other_back_end_serves)
{
    struct io *io;

    forbid();
    cr_assert_eq(io_create(&io, &(struct io_options){ .backend = IO_URING }), IO_REFUSED);
    cr_assert_eq(io_create(&io, &(struct io_options){ .sockets_max = 64 }), IO_OK);
    cr_assert_str_eq(io_backend_name(io), "spin");
    cr_assert(strstr(io_note(io), "forbidden") != NULL, "%s", io_note(io));
    io_destroy(io);
}

Test(io, options_out_of_bounds_are_refused)
{
    struct io *io;

    cr_assert_eq(io_create(&io, &(struct io_options){ .sockets_max = 1025 }), IO_REFUSED);
    cr_assert_null(io);
    cr_assert_eq(io_create(&io, &(struct io_options){ .recv_buffers = 24 }), IO_REFUSED);
    cr_assert_eq(io_create(&io, &(struct io_options){ .recv_buffer_bytes = 100 }), IO_REFUSED);
    cr_assert_eq(io_create(&io, &(struct io_options){ .send_buffer_bytes = 1 }), IO_REFUSED);
}

static size_t served, limit, handed_out;

static void *miser(void *ctx, size_t bytes, size_t align)
{
    static uint8_t memory[8 << 20] __attribute__((aligned(4096)));

    (void)ctx;
    if (served++ == limit) {
        return NULL;
    }
    handed_out = (handed_out + align - 1) & ~(align - 1);
    handed_out += bytes;
    cr_assert_leq(handed_out, sizeof memory);
    memset(memory + handed_out - bytes, 0, bytes);
    return memory + handed_out - bytes;
}

Test(io, memory_that_runs_out_is_refused_at_every_step)
{
    for (int backend = 0; backend < 2; backend++) {
        enum io_answer answer = IO_NO_MEMORY;
        struct io *io;

        for (limit = 0; answer == IO_NO_MEMORY; limit++) {
            served = 0;
            handed_out = 0;
            answer = io_create(&io, &(struct io_options){ .backend = backend ? IO_SPIN : IO_URING,
                                                          .memory = { miser, NULL } });
            cr_assert(limit < 20);
        }
        cr_assert_eq(answer, IO_OK);
        cr_assert_geq(limit, 4);
        io_destroy(io);
    }
}
