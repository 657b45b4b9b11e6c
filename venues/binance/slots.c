/* The states of a connection: what each event leads to. */
#include "venues/binance/session.h"

#define TO(state) ((state) + 1)

/* clang-format off */
static const uint8_t slot_next[SLOT_STATE_COUNT][SLOT_EVENT_COUNT] = {
    /*                 OPEN              UP              ACCEPTED       REFUSED           RETRY           LOST              CLOSE            */
    [SLOT_CLOSED]  = { TO(SLOT_OPENING), 0,              0,             0,                0,              0,                0                },
    [SLOT_OPENING] = { 0,                TO(SLOT_LOGIN), 0,             0,                0,              TO(SLOT_OPENING), TO(SLOT_CLOSING) },
    [SLOT_LOGIN]   = { 0,                0,              TO(SLOT_LIVE), TO(SLOT_REFUSED), 0,              TO(SLOT_OPENING), TO(SLOT_CLOSING) },
    [SLOT_REFUSED] = { 0,                0,              0,             0,                TO(SLOT_LOGIN), TO(SLOT_OPENING), TO(SLOT_CLOSING) },
    [SLOT_LIVE]    = { 0,                0,              0,             TO(SLOT_REFUSED), 0,              TO(SLOT_OPENING), TO(SLOT_CLOSING) },
    [SLOT_CLOSING] = { 0,                0,              0,             0,                0,              TO(SLOT_CLOSED),  0                },
};
/* clang-format on */

uint8_t binance_slot_next(enum slot_state state, enum slot_event event)
{
    return slot_next[state][event];
}
