/* The states of the connection: what each event leads to. */
#include "venues/deribit/session.h"

#define TO(state) ((state) + 1)

/* clang-format off */
static const uint8_t state_next[STATE_COUNT][STATE_EVENT_COUNT] = {
    /*                      OPEN               UP               DONE                   REFUSED            RETRY            LOST               CLOSE            */
    [STATE_CLOSED]      = { TO(STATE_OPENING), 0,               0,                     0,                 0,               0,                 0                 },
    [STATE_OPENING]     = { 0,                 TO(STATE_LOGIN), 0,                     0,                 0,               TO(STATE_OPENING), TO(STATE_CLOSING) },
    [STATE_LOGIN]       = { 0,                 0,               TO(STATE_BEATING),     TO(STATE_REFUSED), 0,               TO(STATE_OPENING), TO(STATE_CLOSING) },
    [STATE_BEATING]     = { 0,                 0,               TO(STATE_ARMING),      TO(STATE_REFUSED), 0,               TO(STATE_OPENING), TO(STATE_CLOSING) },
    [STATE_ARMING]      = { 0,                 0,               TO(STATE_PROVING),     TO(STATE_REFUSED), 0,               TO(STATE_OPENING), TO(STATE_CLOSING) },
    [STATE_PROVING]     = { 0,                 0,               TO(STATE_SUBSCRIBING), TO(STATE_REFUSED), 0,               TO(STATE_OPENING), TO(STATE_CLOSING) },
    [STATE_SUBSCRIBING] = { 0,                 0,               TO(STATE_READY),       TO(STATE_REFUSED), 0,               TO(STATE_OPENING), TO(STATE_CLOSING) },
    [STATE_READY]       = { 0,                 0,               0,                     TO(STATE_REFUSED), 0,               TO(STATE_OPENING), TO(STATE_CLOSING) },
    [STATE_REFUSED]     = { 0,                 0,               0,                     0,                 TO(STATE_LOGIN), TO(STATE_OPENING), TO(STATE_CLOSING) },
    [STATE_CLOSING]     = { 0,                 0,               0,                     0,                 0,               TO(STATE_CLOSED),  0                 },
};
/* clang-format on */

uint8_t deribit_state_next(enum session_state state, enum state_event event)
{
    return state_next[state][event];
}
