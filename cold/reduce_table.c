/* The states of an order as the journal tells it: what each event leads to. */
#include "cold/reduce.h"

#define TO(state) (REDUCE_##state)
/* clang-format off */
static const uint8_t order_next[REDUCE_STATE_COUNT][REDUCE_EVENT_COUNT] = {
    /*                   ACKED        REFUSED   DOUBT        FILLED       ENDED     ENDED_OWED */
    [REDUCE_SENT]    = { TO(LIVE),    TO(DONE), TO(UNKNOWN), TO(LIVE),    TO(DONE), TO(OWED) },
    [REDUCE_LIVE]    = { TO(LIVE),    0,        TO(UNKNOWN), TO(LIVE),    TO(DONE), TO(OWED) },
    [REDUCE_UNKNOWN] = { TO(LIVE),    TO(DONE), TO(UNKNOWN), TO(UNKNOWN), TO(DONE), TO(OWED) },
    [REDUCE_OWED]    = { TO(OWED),    0,        TO(OWED),    TO(OWED),    TO(DONE), TO(OWED) },
    [REDUCE_DONE]    = { TO(DONE),    TO(DONE), TO(DONE),    TO(DONE),    TO(DONE), TO(OWED) },
};
/* clang-format on */

uint8_t reduce_order_next(enum reduce_state state, enum reduce_event event)
{
    return order_next[state][event];
}
