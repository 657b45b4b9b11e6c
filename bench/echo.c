/* echo_floor: bytes there and back through loopback TCP, and nothing else: what the kernel takes of any
 * journey here. */
#include "bench/echo.h"
#include "bench/cases.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool no_delay(int socket)
{
    int on = 1;
    return setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0;
}

bool echo_pair(int sockets[2])
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t bytes = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockets[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockets[1] = -1;
    if (listener >= 0 && sockets[0] >= 0 && bind(listener, (struct sockaddr *)&address, bytes) == 0 &&
        listen(listener, 1) == 0 && getsockname(listener, (struct sockaddr *)&address, &bytes) == 0 &&
        connect(sockets[0], (struct sockaddr *)&address, bytes) == 0) {
        sockets[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    }
    if (listener >= 0) {
        close(listener);
    }
    if (sockets[1] < 0 || !no_delay(sockets[0]) || !no_delay(sockets[1])) {
        close(sockets[0]);
        close(sockets[1]);
        return false;
    }
    return true;
}

bool echo_wait(int socket, unsigned char *to, size_t bytes)
{
    for (size_t have = 0; have < bytes;) {
        ssize_t got = recv(socket, to + have, bytes - have, MSG_DONTWAIT);
        if (got > 0) {
            have += (size_t)got;
        } else if (got == 0 || (errno != EAGAIN && errno != EINTR)) {
            return false;
        }
    }
    return true;
}

bool echo_say(int socket, const unsigned char *from, size_t bytes)
{
    for (size_t said = 0; said < bytes;) {
        ssize_t gone = send(socket, from + said, bytes - said, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (gone > 0) {
            said += (size_t)gone;
        } else if (errno != EAGAIN && errno != EINTR) {
            return false;
        }
    }
    return true;
}

struct echo_pace echo_pace_begin(void)
{
    return (struct echo_pace){ clock_now_ns(), 0x9e3779b97f4a7c15ULL };
}

void echo_pace(struct echo_pace *pace)
{
    uint64_t now_ns;
    while ((now_ns = clock_now_ns()) < pace->due_ns) {
    }
    uint64_t from_ns = now_ns - pace->due_ns < ECHO_PACE_NS ? pace->due_ns : now_ns;
    uint64_t jitter_ns = bench_random(&pace->random) % ECHO_JITTER_NS;
    pace->due_ns = from_ns + ECHO_PACE_NS - ECHO_JITTER_NS / 2 + jitter_ns;
}

/* ------------------------------------------------------------------ the floors */

struct floor {
    int sockets[2]; /* venue's, ours */
    size_t there, back;
    uint64_t *ticks;
    uint32_t count;
    uint64_t hash;
};

static void *venue(void *context)
{
    struct floor *floor = context;
    unsigned char out[ECHO_MOST_BYTES], in[ECHO_MOST_BYTES];
    memset(out, 't', sizeof out);
    struct echo_pace pace = echo_pace_begin();
    for (uint32_t i = 0; i < floor->count; i++) {
        memcpy(out, &i, sizeof i);
        echo_pace(&pace);
        uint64_t from = clock_ticks();
        if (!echo_say(floor->sockets[0], out, floor->there) ||
            !echo_wait(floor->sockets[0], in, floor->back)) {
            break;
        }
        floor->ticks[i] = clock_ticks() - from;
        uint32_t answered;
        memcpy(&answered, in, sizeof answered);
        floor->hash = bench_hash(floor->hash, answered);
    }
    return NULL;
}

static uint64_t run_floor(struct bench *bench, size_t there, size_t back, uint64_t *ticks, uint32_t count)
{
    struct floor floor = { .there = there, .back = back, .ticks = ticks, .count = count };
    unsigned char in[ECHO_MOST_BYTES], out[ECHO_MOST_BYTES];
    memset(out, 'o', sizeof out);
    POISE_ASSERT(echo_pair(floor.sockets));
    bench_second(bench, venue, &floor);
    for (uint32_t i = 0; i < count && echo_wait(floor.sockets[1], in, there); i++) {
        memcpy(out, in, sizeof i);
        echo_say(floor.sockets[1], out, back);
    }
    bench_join(bench);
    close(floor.sockets[0]);
    close(floor.sockets[1]);
    return floor.hash;
}

static uint64_t tick_floor(struct bench *bench, uint64_t *ticks, uint32_t count)
{
    return run_floor(bench, ECHO_TICK_BYTES, ECHO_ORDER_BYTES, ticks, count);
}

static uint64_t fill_floor(struct bench *bench, uint64_t *ticks, uint32_t count)
{
    return run_floor(bench, ECHO_FILL_BYTES, ECHO_HEDGE_BYTES, ticks, count);
}

/* clang-format off */
static const struct bench_case rows[] = {
    { .name = "echo_floor", .group = "journey", .processors = 2, .operations = 1, .burst_samples = ECHO_SAMPLES,
      .burst = tick_floor },
    { .name = "echo_floor_fill", .group = "journey", .processors = 2, .operations = 1, .burst_samples = ECHO_SAMPLES,
      .burst = fill_floor },
};
/* clang-format on */

const struct bench_table bench_echo = { rows, POISE_COUNT_OF(rows) };
