#include "hot/strategy/instance.h"

#define TO(s) (INSTANCE_##s + 1)

/* Cells hold state + 1, so that a cell nobody wrote is empty. */
/* clang-format off */
static const uint8_t instance_cell[INSTANCE_STATE_COUNT][INSTANCE_EVENT_COUNT] = {
    /*                         RESTORED    CLEAR        PULL        PAUSE       RESUME      STOP            HALT        FLATTEN         QUIET       */
    [INSTANCE_RESTORING]  = {  TO(PULLED), 0,           0,          TO(PAUSED), 0,          TO(STOPPING),   TO(HALTED), TO(FLATTENING), 0           },
    [INSTANCE_PULLED]     = {  0,          TO(QUOTING), TO(PULLED), TO(PAUSED), TO(PULLED), TO(STOPPING),   TO(HALTED), TO(FLATTENING), 0           },
    [INSTANCE_QUOTING]    = {  0,          TO(QUOTING), TO(PULLED), TO(PAUSED), TO(QUOTING),TO(STOPPING),   TO(HALTED), TO(FLATTENING), 0           },
    [INSTANCE_PAUSED]     = {  TO(PAUSED), 0,           0,          TO(PAUSED), TO(PULLED), TO(STOPPING),   TO(HALTED), TO(FLATTENING), 0           },
    [INSTANCE_STOPPING]   = {  TO(STOPPING), 0,         0,          0,          TO(PULLED),        TO(STOPPING),   TO(HALTED), TO(FLATTENING), TO(STOPPED) },
    [INSTANCE_STOPPED]    = {  0,          0,           0,          0,          TO(PULLED), TO(STOPPED),    TO(HALTED), TO(FLATTENING), 0           },
    [INSTANCE_HALTED]     = {  TO(HALTED), 0,           0,          0,          TO(PULLED), TO(STOPPING),   TO(HALTED), TO(FLATTENING), 0           },
    [INSTANCE_FLATTENING] = {  TO(FLATTENING), 0,       0,          0,          0,          TO(FLATTENING), TO(HALTED), TO(FLATTENING), TO(FLAT)    },
    [INSTANCE_FLAT]       = {  0,          0,           0,          0,          TO(PULLED), TO(FLAT),       TO(FLAT),   TO(FLATTENING), 0           },
};
/* clang-format on */

uint8_t instance_next(enum instance_state state, enum instance_event event)
{
    uint8_t cell = instance_cell[state][event];
    return cell == 0 ? 0xff : (uint8_t)(cell - 1);
}

bool instance_step(struct instance *instance, enum instance_event event)
{
    uint8_t cell = instance_cell[instance->state][event];
    if (cell == 0) {
        return false;
    }
    instance->state = (uint8_t)(cell - 1);
    if (instance->state != INSTANCE_FLATTENING && instance->state != INSTANCE_FLAT) {
        instance->flatten_tail = 0;
    }
    return true;
}
