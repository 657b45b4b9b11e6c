#include "hot/core/loop.h"
#include "ring/clock.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>

static void watch(struct loop *loop, const struct channel *channel)
{
    if (channel->ring != NULL) {
        POISE_ASSERT(loop->ring_count < LOOP_RINGS_MAX);
        loop->ring[loop->ring_count++] = channel->ring;
    }
}

void loop_watch(struct loop *loop)
{
    const struct topology *topology = loop->topology;
    loop->ring_count = 0;
    if (loop->strategy != NULL) {
        watch(loop, &topology->control);
        for (uint32_t i = 0; i < topology->gateway_count; i++) {
            watch(loop, &topology->report[i]);
        }
        for (uint32_t i = 0; i < topology->feed_count; i++) {
            watch(loop, &topology->feed[i]);
        }
    }
    for (uint32_t i = 0; i < topology->gateway_count && loop->gateway_count != 0; i++) {
        watch(loop, &topology->order[i]);
    }
    loop->watched = true;
    loop->look_ns = 0;
}

static bool rings_are_empty(struct loop *loop)
{
    for (uint32_t i = 0; i < loop->ring_count; i++) {
        if (spsc_peek(loop->ring[i]) != NULL) {
            return false;
        }
    }
    return true;
}

/* Roles of one thread reach each other only in turns that were not quiet, and such a turn that found work is
 * followed by another: so no local queue need be looked at. */
static uint64_t next_look_ns(const struct loop *loop, uint32_t work, uint64_t now_ns)
{
    if (work != 0 || !loop->watched) {
        return 0;
    }
    uint64_t due_ns = loop->strategy != NULL ? strategy_role_due_ns(loop->strategy) : UINT64_MAX;
    return due_ns < now_ns + LOOP_LOOK_NS ? due_ns : now_ns + LOOP_LOOK_NS;
}

uint32_t loop_turn(struct loop *loop, uint64_t now_ns, int64_t wall_ns)
{
    uint32_t work = 0;
    if (loop->net != NULL) {
        work += net_poll(loop->net, now_ns);
    }
    if (POISE_LIKELY(work == 0 && now_ns < loop->look_ns && rings_are_empty(loop))) {
        return 0;
    }
    for (uint32_t i = 0; i < loop->feed_count; i++) {
        work += feed_poll(loop->feed[i], now_ns, wall_ns);
    }
    if (loop->strategy != NULL) {
        work += strategy_role_poll(loop->strategy, now_ns, wall_ns);
    }
    /* A send takes longer than everything else here: the order that was said first leaves first. */
    uint32_t at = loop->strategy != NULL ? loop->strategy->urgent : 0;
    for (uint32_t i = 0; i < loop->gateway_count; i++, at++) {
        at = at < loop->gateway_count ? at : 0;
        work += gateway_poll(loop->gateway[at], now_ns, wall_ns);
    }
    loop->look_ns = next_look_ns(loop, work, now_ns);
    return work;
}

/* How long wall time is counted on from one reading: a clock that is set is followed within this. */
#define WALL_NS NS_PER_MS

uint32_t loop_step(struct loop *loop)
{
    uint64_t now_ns = clock_now_ns();
    if (POISE_UNLIKELY(now_ns - loop->wall_read_ns >= WALL_NS)) {
        loop->wall_read_ns = now_ns;
        loop->wall_offset_ns = clock_wall_ns() - (int64_t)now_ns;
    }
    uint32_t work = loop_turn(loop, now_ns, (int64_t)now_ns + loop->wall_offset_ns);
    counter_add(loop->turns, 1);
    if (work != 0) {
        counter_add(loop->busy, 1);
        counter_add(loop->busy_ns, (int64_t)(clock_now_ns() - now_ns));
    }
    counter_set(loop->age_ns, (int64_t)now_ns);
    return work;
}

/* The gateways' own answer to a strategy that gave up: asked once, by the thread that owns them. */
static bool cancel_if_emergency(struct loop *loop, bool done)
{
    /* edge E */
    if (POISE_LIKELY(atomic_load_explicit(&loop->topology->emergency, memory_order_acquire) == 0) || done) {
        return done;
    }
    for (uint32_t i = 0; i < loop->gateway_count; i++) {
        gateway_cancel_all(loop->gateway[i], clock_now_ns(), clock_wall_ns());
    }
    return true;
}

static void *loop_main(void *argument)
{
    struct loop *loop = argument;
    bool cancelled = false;
    prctl(PR_SET_NAME, loop->name);
    prctl(PR_SET_TIMERSLACK, 1UL);
    /* edge S */
    while (atomic_load_explicit(&loop->topology->leave, memory_order_acquire) == 0) {
        uint32_t work = loop_step(loop);
        cancelled = cancel_if_emergency(loop, cancelled);
        if (work == 0 && loop->yield) {
            sched_yield();
        }
    }
    return NULL;
}

static bool loop_pin(pthread_attr_t *attributes, int32_t core)
{
    if (core < 0) {
        return true;
    }
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)core, &set);
    return pthread_attr_setaffinity_np(attributes, sizeof set, &set) == 0;
}

bool loop_start(struct loop *loop, bool *pinned)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    *pinned = loop_pin(&attributes, loop->core);
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&loop->thread, &attributes, loop_main, loop);
    if (error != 0 && *pinned && loop->core >= 0) {
        /* The processor is not ours to use: run anyway, unpinned, and say so. */
        *pinned = false;
        error = pthread_create(&loop->thread, NULL, loop_main, loop);
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    loop->running = error == 0;
    errno = error;
    return loop->running;
}

void loop_join(struct loop *loop)
{
    if (loop->running) {
        pthread_join(loop->thread, NULL);
        loop->running = false;
    }
}
