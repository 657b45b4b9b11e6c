/* ccxt pro, the library most trading programs use, on the same path as tick_to_order: peer_ccxt.mjs, in node,
 * with the packages that tests/clients installs.  Its thread has the main thread's processor, and inside a
 * burst the main thread's priority; ticks wait until it is at rest again, because it works on a reply for
 * longer than they stand apart for the others.  It is run warm before anything is measured.  The venue is the
 * journeys' own and checks its orders as it checks ours. */
#include "bench/cases.h"
#include "bench/venue.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SAMPLES 60 /* a burst: below 0.3 s */
#define REST_NS (3 * NS_PER_MS)
#define WARM    600 /* ticks before the first burst: its compiler has seen the path often enough */
#define WAIT_MS 20000

extern char **environ;

static struct {
    char folder[64], error[256];
    struct venue_desk *venue;
    pid_t node;
    int input, output; /* of node */
    _Atomic bool serving;
    uint64_t *ticks, hash;
    uint32_t count;
} peer;

static void *serve(void *context)
{
    (void)context;
    venue_serve(peer.venue, &peer.serving);
    return NULL;
}

/* has_packages looks where tests/clients/run puts them. */
static bool has_packages(char *folder, size_t bytes)
{
    char path[512];
    const char *named = getenv("POISE_CLIENTS_DIR");
    snprintf(folder, bytes, "%s", named != NULL ? named : POISE_SOURCE_DIR "/build/clients");
    snprintf(path, sizeof path, "%s/node_modules/ccxt/package.json", folder);
    return access(path, R_OK) == 0;
}

/* launch starts node with a pipe to and from it; false when there is none. */
static bool launch(const char *packages)
{
    char figures[512], port[64], ca[320], sdk[320];
    int in[2], out[2];
    snprintf(figures, sizeof figures,
             "{\"key\":\"%s\",\"secret\":\"%s\",\"bid\":%d,\"ask\":%d,\"cost\":%d,\"one\":1000,\"tick\":%d,"
             "\"size\":%d}",
             TALK_KEY, TALK_SECRET, TALK_BID, TALK_ASK, MARKET_COST_CENTIBP, MARKET_TICK, MARKET_SIZE);
    snprintf(port, sizeof port, "POISE_SIM_PORT=%u", venue_port(peer.venue));
    snprintf(ca, sizeof ca, "NODE_EXTRA_CA_CERTS=%s", venue_ca(peer.venue));
    snprintf(sdk, sizeof sdk, "POISE_SDK=%s", packages);
    char *arguments[] = { "node",
                          "--import",
                          POISE_SOURCE_DIR "/tests/clients/lib/redirect.mjs",
                          POISE_SOURCE_DIR "/bench/peer_ccxt.mjs",
                          figures,
                          NULL };
    char *environment[] = { port, ca, sdk, NULL };
    posix_spawn_file_actions_t actions;
    if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) {
        return false;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out[1], 1);
    bool started = posix_spawnp(&peer.node, "node", &actions, NULL, arguments, environment) == 0;
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    peer.input = in[1];
    peer.output = out[0];
    return started;
}

/* quoting waits until node says so. */
static bool quoting(void)
{
    char text[64] = "";
    struct pollfd wait = { .fd = peer.output, .events = POLLIN };
    return poll(&wait, 1, WAIT_MS) == 1 && read(peer.output, text, sizeof text - 1) > 0 &&
           strncmp(text, "quoting", 7) == 0;
}

static void *tick(void *context)
{
    (void)context;
    peer.hash = venue_ticks(peer.venue, peer.ticks, peer.count);
    return NULL;
}

/* hurry gives node this thread's priority, or an ordinary one again; where that is not allowed nothing has
 * it. */
static void hurry(bool on)
{
    struct sched_param param = { 0 };
    int policy = SCHED_OTHER;
    if (on) {
        policy = sched_getscheduler(0);
        sched_getparam(0, &param);
    }
    sched_setscheduler(peer.node, policy, &param);
}

static uint64_t burst(struct bench *bench, uint64_t *ticks, uint32_t count)
{
    peer.ticks = ticks;
    peer.count = count;
    hurry(true);
    bench_second(bench, tick, NULL);
    bench_join(bench); /* sleeping: this processor is node's */
    hurry(false);
    return peer.hash;
}

static bool setup(struct bench *bench)
{
    static uint64_t warm[WARM];
    char packages[256];
    peer.input = peer.output = -1;
    if (!has_packages(packages, sizeof packages)) {
        return bench_absent(bench, "its packages are not installed; tests/clients/run does");
    }
    snprintf(peer.folder, sizeof peer.folder, "/tmp/poise-bench-XXXXXX");
    if (mkdtemp(peer.folder) == NULL) {
        return bench_absent(bench, "no folder in /tmp");
    }
    peer.venue = venue_create(peer.folder, peer.error, sizeof peer.error);
    if (peer.venue == NULL) {
        return bench_absent(bench, peer.error);
    }
    if (!launch(packages)) {
        peer.node = 0;
        return bench_absent(bench, "node is not installed");
    }
    venue_slow(peer.venue, REST_NS);
    bench_second(bench, serve, NULL);
    bool up = quoting();
    atomic_store_explicit(&peer.serving, true, memory_order_relaxed);
    bench_join(bench);
    if (up) {
        burst(bench, warm, bench_smoke(bench) ? 10 : WARM);
    }
    return up || bench_absent(bench, "ccxt did not come up");
}

static void teardown(void)
{
    char command[128];
    if (peer.node > 0) {
        close(peer.input);
        kill(peer.node, SIGTERM);
        waitpid(peer.node, NULL, 0);
        close(peer.output);
    }
    if (peer.venue != NULL) {
        venue_destroy(peer.venue);
    }
    snprintf(command, sizeof command, "rm -rf '%s'", peer.folder);
    if (peer.folder[0] != 0 && system(command) != 0) {
        fprintf(stderr, "poise-bench: %s is left over\n", peer.folder);
    }
}

/* clang-format off */
static const struct bench_case rows[] = {
    { .name = "tick_to_order.ccxt_pro", .group = "journey", .processors = 2, .operations = 1,
      .burst_samples = SAMPLES, .against = { "echo_floor" }, .setup = setup, .burst = burst,
      .teardown = teardown },
};
/* clang-format on */

const struct bench_table bench_peer_ccxt = { rows, POISE_COUNT_OF(rows) };
