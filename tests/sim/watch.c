#include "tests/sim/watch.h"

#include "hot/strategy/state.h"
#include "tests/sim/point.h"
#include "tests/sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct {
    uint64_t seed, hash;
    struct watch_counts counts;
    uint64_t excused_ns;
} watch;

void __real_strategy_step(struct strategy *strategy, const struct slot *record, struct outbox *outbox);
void __wrap_strategy_step(struct strategy *strategy, const struct slot *record, struct outbox *outbox);

void watch_violation(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("VIOLATION seed %llu at %.6f s: ", (unsigned long long)watch.seed, (double)time_now.now_ns / 1e9);
    vprintf(format, arguments);
    putchar('\n');
    va_end(arguments);
    fflush(stdout);
    _exit(1);
}

void watch_start(uint64_t seed)
{
    memset(&watch, 0, sizeof watch);
    watch.seed = seed;
    watch.hash = 14695981039346656037ULL;
}

uint64_t watch_hash(void)
{
    return watch.hash;
}

const struct watch_counts *watch_counts(void)
{
    return &watch.counts;
}

void watch_excuse(uint64_t until_ns)
{
    watch.excused_ns = until_ns > watch.excused_ns ? until_ns : watch.excused_ns;
}

/* ------------------------------------------------------------------ the log and the hash */

static void hash_record(const struct slot *record)
{
    uint32_t count = record_head_of(record)->slot_count;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t word[SLOT_PAYLOAD_BYTES / 8];
        memcpy(word, record[i].payload, sizeof word);
        for (uint32_t k = 0; k < POISE_COUNT_OF(word); k++) {
            watch.hash = (watch.hash ^ word[k]) * 1099511628211ULL;
            watch.hash ^= watch.hash >> 29;
        }
    }
}

static void count_in(const struct slot *record)
{
    const struct record_head *head = record_head_of(record);
    const struct record_report *r = (const struct record_report *)(const void *)head;
    watch.counts.records++;
    switch (head->type) {
    case RECORD_FILL:
        watch.counts.fills++;
        break;
    case RECORD_UNKNOWN:
        watch.counts.unknowns++;
        break;
    case RECORD_REJECT:
        watch.counts.rejects++;
        break;
    case RECORD_LOST:
        watch.counts.lost++;
        break;
    default:
        break;
    }
    if (head->type >= 16 && head->type <= RECORD_CANCEL_ACK && head->type != RECORD_BALANCE &&
        head->type != RECORD_POSITION && head->type != RECORD_GATEWAY_STATE) {
        world_say("> %u order %llx qty %lld cum %lld price %lld status %u reason %u request %u flags %x %s",
                  head->type, (unsigned long long)r->order, (long long)r->last_qty, (long long)r->cum_qty,
                  (long long)r->price, r->status, r->reason, r->request, r->flags,
                  head->flags & RECORD_FLAG_REST ? "rest" : "");
    } else if (head->type == RECORD_GATEWAY_STATE || head->type == RECORD_FEED_STATE) {
        const struct record_state *state = (const struct record_state *)(const void *)head;
        world_say("> %s %u: %u -> %u %.24s", head->type == RECORD_FEED_STATE ? "feed of" : "gateway",
                  head->type == RECORD_FEED_STATE ? head->instrument : head->account, state->previous,
                  state->value, state->text);
    } else if (head->type == RECORD_COMMAND) {
        world_say("> command %u", ((const struct record_command *)(const void *)head)->command);
    }
}

static void count_out(const struct slot *record)
{
    const struct record_head *head = record_head_of(record);
    const struct record_order *o = (const struct record_order *)(const void *)head;
    static const char *const verbs[] = { "new", "amend", "cancel", "query", "cancel all" };
    watch.counts.said++;
    if (head->type >= RECORD_ORDER_NEW && head->type <= RECORD_CANCEL_ALL) {
        world_say("< %s %llx account %u side %u qty %lld price %lld role %u",
                  verbs[head->type - RECORD_ORDER_NEW], (unsigned long long)o->order, head->account, o->side,
                  (long long)o->qty, (long long)o->price, o->role);
    }
    switch (head->type) {
    case RECORD_ORDER_NEW:
        watch.counts.orders++;
        watch.counts.hedges += o->role == ORDER_ROLE_HEDGE;
        break;
    case RECORD_ORDER_AMEND:
        watch.counts.amends++;
        break;
    case RECORD_ORDER_CANCEL:
        watch.counts.cancels++;
        break;
    case RECORD_ORDER_QUERY:
        watch.counts.queries++;
        break;
    case RECORD_EVENT: {
        const struct record_event *e = (const struct record_event *)(const void *)head;
        watch.counts.events++;
        watch.counts.duplicates += e->code == EVENT_DUPLICATE_FILL;
        watch.counts.halts += e->code == EVENT_HALT;
        watch.counts.rungs[7] += e->code == EVENT_CONSERVATION;
        if (e->code == EVENT_LADDER && e->value[0] >= 0 && e->value[0] < 7) {
            watch.counts.rungs[e->value[0]]++;
        }
        world_say("< event %u severity %u: %lld %lld %lld %lld", e->code, e->severity, (long long)e->value[0],
                  (long long)e->value[1], (long long)e->value[2], (long long)e->value[3]);
        break;
    }
    default:
        break;
    }
}

/* ------------------------------------------------------------------ around every step */

void __wrap_strategy_step(struct strategy *strategy, const struct slot *record, struct outbox *outbox)
{
    uint32_t at = outbox->used;
    hash_record(record);
    count_in(record);
    point_pass(POINT_STEP);
    __real_strategy_step(strategy, record, outbox);
    while (at < outbox->used) {
        hash_record(&outbox->slots[at]);
        count_out(&outbox->slots[at]);
        at += record_head_of(&outbox->slots[at])->slot_count;
    }
    point_pass(POINT_STEPPED);
}

/* ------------------------------------------------------------------ what happens to a process */

void watch_born(struct run *run)
{
    (void)run;
    world_say("a process begins");
}

void watch_cold(struct run *run)
{
    (void)run;
}

void watch_died(struct run *run)
{
    (void)run;
    world_say("the process dies at %s", point_names[point_of_death()]);
}

void watch_left(struct run *run, int code)
{
    (void)run;
    world_say("the process leaves with %d", code);
}
