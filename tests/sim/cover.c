#include "tests/sim/cover.h"

#include "cold/reduce.h"
#include "hot/net/conn.h"
#include "hot/strategy/exec/ladder.h"
#include "ring/names.h"

#include <stdlib.h>

static uint64_t of_order[ORDER_STATE_COUNT][ORDER_EVENT_COUNT];
static uint64_t of_instance[INSTANCE_STATE_COUNT][INSTANCE_EVENT_COUNT];
static uint64_t of_ladder[RUNG_COUNT][LADDER_EVENT_COUNT];
static uint64_t of_conn[CONN_STATE_COUNT][CONN_EVENT_COUNT];
static uint64_t of_reduce[REDUCE_STATE_COUNT][REDUCE_EVENT_COUNT];
static uint32_t rung_now[ORDER_INSTANCE_MAX + 1];
static bool paused;

bool __real_order_step(struct order_table *table, struct order *order, enum order_event event);
bool __wrap_order_step(struct order_table *table, struct order *order, enum order_event event);
struct order *__real_order_take(struct order_table *table, uint64_t id);
struct order *__wrap_order_take(struct order_table *table, uint64_t id);
bool __real_instance_step(struct instance *instance, enum instance_event event);
bool __wrap_instance_step(struct instance *instance, enum instance_event event);
struct conn *__real_conn_create(struct net *net, const struct conn_options *options,
                                const struct conn_handler *handler, void *owner, char *error,
                                size_t error_bytes);
struct conn *__wrap_conn_create(struct net *net, const struct conn_options *options,
                                const struct conn_handler *handler, void *owner, char *error,
                                size_t error_bytes);

bool __wrap_order_step(struct order_table *table, struct order *order, enum order_event event)
{
    of_order[order->state][event] += !paused;
    return __real_order_step(table, order, event);
}

/* A full table makes room within itself. */
struct order *__wrap_order_take(struct order_table *table, uint64_t id)
{
    bool full = table->free_count == 0;
    struct order *order = __real_order_take(table, id);
    of_order[ORDER_DONE][ORDER_EVENT_FORGET] += full && order != NULL && !paused;
    return order;
}

bool __wrap_instance_step(struct instance *instance, enum instance_event event)
{
    of_instance[instance->state][event] += !paused;
    return __real_instance_step(instance, event);
}

void cover_born(void)
{
    memset(rung_now, 0, sizeof rung_now);
}

void cover_pause(bool on)
{
    paused = on;
}

void cover_rung(const struct strategy *strategy, uint16_t instance, uint32_t rung)
{
    bool lone = true;
    for (uint32_t i = 0; i < strategy->instance_count; i++) {
        const struct quote_params *params = &strategy->instance[i].params;
        lone = params->instance == instance ? params->second_instrument == NO_INSTRUMENT : lone;
    }
    enum ladder_event event = rung == RUNG_NONE ? LADDER_EVENT_CLEARED
                              : lone            ? LADDER_EVENT_DEADLINE_LONE
                                                : LADDER_EVENT_DEADLINE;
    uint32_t *now = &rung_now[instance & ORDER_INSTANCE_MAX];
    if (ladder_next((enum rung) * now, event) == rung) {
        of_ladder[*now][event]++;
    }
    *now = rung;
}

/* ------------------------------------------------------------------ tables that are looked up */

uint8_t __real_reduce_order_next(enum reduce_state state, enum reduce_event event);
uint8_t __wrap_reduce_order_next(enum reduce_state state, enum reduce_event event);

uint8_t __wrap_reduce_order_next(enum reduce_state state, enum reduce_event event)
{
    of_reduce[state][event] += !paused;
    return __real_reduce_order_next(state, event);
}

/* ------------------------------------------------------------------ connections */

/* A connection's owner hears of its states; in this table no two events lead from one state to the same other
 * one, but for OPEN, which only CLOSED and IDLE have. */
static void on_state(void *owner, struct conn *conn, enum conn_state from, enum conn_state to,
                     uint64_t now_ns)
{
    (void)owner;
    (void)conn;
    (void)now_ns;
    for (enum conn_event event = CONN_EVENT_OPEN; event < CONN_EVENT_COUNT; event++) {
        if (conn_next(from, event) == (int)to) {
            of_conn[from][event]++;
            return;
        }
    }
}

/* The owner's own handler with our ear in it; one a handler, as there are two owners. */
struct conn *__wrap_conn_create(struct net *net, const struct conn_options *options,
                                const struct conn_handler *handler, void *owner, char *error,
                                size_t error_bytes)
{
    static const struct conn_handler *known[8];
    static struct conn_handler with_ear[8];
    uint32_t at = 0;
    while (at < POISE_COUNT_OF(known) && known[at] != NULL && known[at] != handler) {
        at++;
    }
    if (at < POISE_COUNT_OF(known) && handler->on_state == NULL) {
        known[at] = handler;
        with_ear[at] = *handler;
        with_ear[at].on_state = on_state;
        handler = &with_ear[at];
    }
    return __real_conn_create(net, options, handler, owner, error, error_bytes);
}

/* ------------------------------------------------------------------ telling */

/* clang-format off */
static const char *const instance_events[INSTANCE_EVENT_COUNT] = { "RESTORED", "CLEAR", "PULL", "PAUSE", "RESUME", "STOP", "HALT", "FLATTEN", "QUIET" };
static const char *const rungs[RUNG_COUNT] = { "NONE", "QUERY", "SECOND", "EMERGENCY", "REDUCE", "HALT" };
static const char *const ladder_events[LADDER_EVENT_COUNT] = { "DEADLINE", "DEADLINE_LONE", "CLEARED" };
static const char *const reduce_states[REDUCE_STATE_COUNT] = { "NONE", "SENT", "LIVE", "UNKNOWN", "OWED", "DONE" };
static const char *const reduce_events[REDUCE_EVENT_COUNT] = { "ACKED", "REFUSED", "DOUBT", "FILLED", "ENDED", "ENDED_OWED" };
/* clang-format on */

static int order_cell(int state, int event)
{
    return order_next((enum order_state)state, (enum order_event)event) != 0xff;
}

static int instance_cell(int state, int event)
{
    return instance_next((enum instance_state)state, (enum instance_event)event) != 0xff;
}

static int ladder_cell(int state, int event)
{
    return ladder_next((enum rung)state, (enum ladder_event)event) != 0xff;
}

static int conn_cell(int state, int event)
{
    return conn_next((enum conn_state)state, (enum conn_event)event) >= 0;
}

static int reduce_cell(int state, int event)
{
    return __real_reduce_order_next((enum reduce_state)state, (enum reduce_event)event) != REDUCE_NONE;
}

void cover_tell(FILE *out)
{
    static const char *conn_states[CONN_STATE_COUNT], *conn_events[CONN_EVENT_COUNT];
    for (int i = 0; i < CONN_STATE_COUNT; i++) {
        conn_states[i] = conn_state_name((enum conn_state)i);
    }
    for (int i = 0; i < CONN_EVENT_COUNT; i++) {
        conn_events[i] = conn_event_name((enum conn_event)i);
    }
    const struct cover_table tables[] = {
        { "order", ORDER_STATE_COUNT, ORDER_EVENT_COUNT, of_order[0], order_state_names, order_event_names,
          order_cell },
        { "instance", INSTANCE_STATE_COUNT, INSTANCE_EVENT_COUNT, of_instance[0], instance_state_names,
          instance_events, instance_cell },
        { "ladder", RUNG_COUNT, LADDER_EVENT_COUNT, of_ladder[0], rungs, ladder_events, ladder_cell },
        { "conn", CONN_STATE_COUNT, CONN_EVENT_COUNT, of_conn[0], conn_states, conn_events, conn_cell },
        { "reduce", REDUCE_STATE_COUNT, REDUCE_EVENT_COUNT, of_reduce[0], reduce_states, reduce_events,
          reduce_cell },
        cover_sync,
        cover_binance,
        cover_deribit,
    };
    for (size_t t = 0; t < POISE_COUNT_OF(tables); t++) {
        for (int i = 0; i < tables[t].states * tables[t].events; i++) {
            int state = i / tables[t].events, event = i % tables[t].events;
            if (tables[t].cell(state, event)) {
                fprintf(out, "cell.%s.%.16s.%s %llu\n", tables[t].name, tables[t].state[state],
                        tables[t].event[event], (unsigned long long)tables[t].times[i]);
            }
        }
    }
}
