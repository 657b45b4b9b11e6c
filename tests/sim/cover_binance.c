/* The slots of a session at Binance, by the look-ups in their table. */
#include "tests/sim/cover.h"
#include "venues/binance/session.h"

static uint64_t of_cell[SLOT_STATE_COUNT][SLOT_EVENT_COUNT];

uint8_t __real_binance_slot_next(enum slot_state state, enum slot_event event);
uint8_t __wrap_binance_slot_next(enum slot_state state, enum slot_event event);

uint8_t __wrap_binance_slot_next(enum slot_state state, enum slot_event event)
{
    of_cell[state][event]++;
    return __real_binance_slot_next(state, event);
}

static int cell(int state, int event)
{
    return __real_binance_slot_next((enum slot_state)state, (enum slot_event)event) != 0;
}

/* clang-format off */
static const char *const states[SLOT_STATE_COUNT] = { [SLOT_CLOSED] = "CLOSED", [SLOT_OPENING] = "OPENING", [SLOT_LOGIN] = "LOGIN", [SLOT_REFUSED] = "REFUSED", [SLOT_LIVE] = "LIVE", [SLOT_CLOSING] = "CLOSING" };
static const char *const events[SLOT_EVENT_COUNT] = { "OPEN", "UP", "ACCEPTED", "REFUSED", "RETRY", "LOST", "CLOSE" };
/* clang-format on */

const struct cover_table cover_binance = { "binance",  SLOT_STATE_COUNT, SLOT_EVENT_COUNT,
                                           of_cell[0], states,           events,
                                           cell };
