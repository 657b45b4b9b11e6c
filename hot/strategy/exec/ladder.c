#include "hot/strategy/exec/ladder.h"

#include "hot/strategy/exec/hedge.h"
#include "hot/strategy/request.h"

#define TO(r) (RUNG_##r + 1)

/* Cells hold rung + 1, so that a cell nobody wrote is empty. */
/* clang-format off */
static const uint8_t ladder_cell[RUNG_COUNT][LADDER_EVENT_COUNT] = {
    /*                   DEADLINE        DEADLINE_LONE   CLEARED  */
    [RUNG_NONE]      = { TO(QUERY),      TO(QUERY),      0        },
    [RUNG_QUERY]     = { TO(SECOND),     TO(EMERGENCY),  TO(NONE) },
    [RUNG_SECOND]    = { TO(EMERGENCY),  0,              TO(NONE) },
    [RUNG_EMERGENCY] = { TO(REDUCE),     TO(REDUCE),     TO(NONE) },
    [RUNG_REDUCE]    = { TO(HALT),       TO(HALT),       TO(NONE) },
    [RUNG_HALT]      = { 0,              0,              TO(NONE) },
};
/* clang-format on */

uint8_t ladder_next(enum rung rung, enum ladder_event event)
{
    uint8_t cell = ladder_cell[rung][event];
    return cell == 0 ? 0xff : (uint8_t)(cell - 1);
}

bool ladder_step(struct instance *instance, enum ladder_event event)
{
    uint8_t cell = ladder_cell[instance->hedge.rung][event];
    if (cell == 0) {
        return false;
    }
    instance->hedge.rung = (uint8_t)(cell - 1);
    return true;
}

/* Hedges in flight become doubtful and are asked for. */
static void query_hedges(struct strategy *s, struct instance *instance)
{
    for (struct order *order = order_first(&s->orders, 0, instance->slot); order != NULL;
         order = order_after(&s->orders, 0, order)) {
        if (order->role != ORDER_ROLE_HEDGE) {
            continue;
        }
        if (order->state == ORDER_UNKNOWN) {
            request_query(s, order);
        } else if (order->state != ORDER_QUERIED) {
            request_doubt(s, order, ORDER_EVENT_DOUBT, false);
        }
    }
}

void ladder_update(struct strategy *s, struct instance *instance)
{
    struct hedge_state *hedge = &instance->hedge;
    const struct quote_params *params = &instance->params;

    if (hedge->naked_since_ns == 0) {
        if (hedge->rung != RUNG_NONE) {
            ladder_step(instance, LADDER_EVENT_CLEARED);
            hedge->rung_deadline_ns = 0;
            instance->quote.dirty = true;
            state_event(s, EVENT_LADDER, params->instance, 0, RUNG_NONE, 0, 0, 0);
        }
        return;
    }
    if (hedge->rung == RUNG_NONE) {
        hedge->rung_deadline_ns = hedge->naked_since_ns + (uint64_t)params->max_naked_ns;
    } else if (hedge->rung == RUNG_REDUCE && s->now_ns >= hedge->retry_ns &&
               hedge_send_reduction(s, instance)) {
        hedge->retry_ns = s->now_ns + HEDGE_BACKOFF_NS;
    }
    if (hedge->rung == RUNG_HALT) {
        return;
    }
    if (s->now_ns < hedge->rung_deadline_ns) {
        state_due(s, hedge->rung_deadline_ns);
        return;
    }
    bool lone = params->second_instrument == NO_INSTRUMENT;
    if (!ladder_step(instance, lone ? LADDER_EVENT_DEADLINE_LONE : LADDER_EVENT_DEADLINE)) {
        return;
    }
    hedge->rung_deadline_ns = s->now_ns + (uint64_t)params->ladder_step_ns;
    state_due(s, hedge->rung_deadline_ns);
    hedge->retry_ns = 0;
    hedge->backoff_ns = 0;
    instance->quote.dirty = true;
    state_event(s, EVENT_LADDER, params->instance, hedge->rung >= RUNG_EMERGENCY ? 2 : 1, hedge->rung,
                state_money(s->exposure.instance[instance->slot].delta_e12 / 10000),
                (int64_t)hedge->rung_deadline_ns, 0);
    switch ((enum rung)hedge->rung) {
    case RUNG_QUERY:
        query_hedges(s, instance);
        break;
    case RUNG_SECOND:
    case RUNG_EMERGENCY:
        hedge_update(s, instance);
        break;
    case RUNG_REDUCE:
        hedge_update(s, instance);
        hedge_send_reduction(s, instance);
        break;
    case RUNG_HALT:
        state_halt(s, instance->slot, HALT_LADDER);
        break;
    case RUNG_NONE:
    case RUNG_COUNT:
        break;
    }
}
