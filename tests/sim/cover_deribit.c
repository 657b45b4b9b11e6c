/* A session at Deribit, by the look-ups in its table. */
#include "tests/sim/cover.h"
#include "venues/deribit/session.h"

static uint64_t of_cell[STATE_COUNT][STATE_EVENT_COUNT];

uint8_t __real_deribit_state_next(enum session_state state, enum state_event event);
uint8_t __wrap_deribit_state_next(enum session_state state, enum state_event event);

uint8_t __wrap_deribit_state_next(enum session_state state, enum state_event event)
{
    of_cell[state][event]++;
    return __real_deribit_state_next(state, event);
}

static int cell(int state, int event)
{
    return __real_deribit_state_next((enum session_state)state, (enum state_event)event) != 0;
}

/* clang-format off */
static const char *const states[STATE_COUNT] = { "CLOSED", "OPENING", "LOGIN", "BEATING", "ARMING", "PROVING", "SUBSCRIBING", "READY", "REFUSED", "CLOSING" };
static const char *const events[STATE_EVENT_COUNT] = { "OPEN", "UP", "DONE", "REFUSED", "RETRY", "LOST", "CLOSE" };
/* clang-format on */

const struct cover_table cover_deribit = { "deribit", STATE_COUNT, STATE_EVENT_COUNT, of_cell[0], states,
                                           events,    cell };
