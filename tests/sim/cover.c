#include "tests/sim/cover.h"

#include "hot/net/conn.h"
#include "hot/strategy/exec/ladder.h"
#include "tests/sim/desk.h"

#include <stdlib.h>

static uint64_t of_order[ORDER_STATE_COUNT][ORDER_EVENT_COUNT];
static uint64_t of_instance[INSTANCE_STATE_COUNT][INSTANCE_EVENT_COUNT];
static uint64_t of_ladder[RUNG_COUNT][LADDER_EVENT_COUNT];
static uint64_t of_conn[CONN_STATE_COUNT][CONN_EVENT_COUNT];
static uint32_t rung_now;

bool __real_order_step(struct order_table *table, struct order *order, enum order_event event);
bool __wrap_order_step(struct order_table *table, struct order *order, enum order_event event);
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
    of_order[order->state][event]++;
    return __real_order_step(table, order, event);
}

bool __wrap_instance_step(struct instance *instance, enum instance_event event)
{
    of_instance[instance->state][event]++;
    return __real_instance_step(instance, event);
}

void cover_rung(uint32_t rung)
{
    for (enum ladder_event event = LADDER_EVENT_DEADLINE; event < LADDER_EVENT_COUNT; event++) {
        /* which deadline moves a rung up is a matter of what is configured */
        enum ladder_event other = desk_has_second() ? LADDER_EVENT_DEADLINE_LONE : LADDER_EVENT_DEADLINE;
        if (event != other && ladder_next((enum rung)rung_now, event) == rung) {
            of_ladder[rung_now][event]++;
            break;
        }
    }
    rung_now = rung;
}

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

static void tell(FILE *out, const char *table, int state, int event, uint64_t times)
{
    fprintf(out, "cell.%s.%d.%d %llu\n", table, state, event, (unsigned long long)times);
}

void cover_tell(FILE *out)
{
    for (int state = 0; state < ORDER_STATE_COUNT; state++) {
        for (int event = 0; event < ORDER_EVENT_COUNT; event++) {
            if (order_next((enum order_state)state, (enum order_event)event) != 0xff) {
                fprintf(out, "cell.order.%s.%s %llu\n", order_state_names[state], order_event_names[event],
                        (unsigned long long)of_order[state][event]);
            }
        }
    }
    for (int state = 0; state < INSTANCE_STATE_COUNT; state++) {
        for (int event = 0; event < INSTANCE_EVENT_COUNT; event++) {
            if (instance_next((enum instance_state)state, (enum instance_event)event) != 0xff) {
                tell(out, "instance", state, event, of_instance[state][event]);
            }
        }
    }
    for (int state = 0; state < RUNG_COUNT; state++) {
        for (int event = 0; event < LADDER_EVENT_COUNT; event++) {
            if (ladder_next((enum rung)state, (enum ladder_event)event) != 0xff) {
                tell(out, "ladder", state, event, of_ladder[state][event]);
            }
        }
    }
    for (int state = 0; state < CONN_STATE_COUNT; state++) {
        for (int event = 0; event < CONN_EVENT_COUNT; event++) {
            if (conn_next((enum conn_state)state, (enum conn_event)event) >= 0) {
                fprintf(out, "cell.conn.%.12s.%s %llu\n", conn_state_name((enum conn_state)state),
                        conn_event_name((enum conn_event)event), (unsigned long long)of_conn[state][event]);
            }
        }
    }
}
