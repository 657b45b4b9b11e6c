#include "tests/sim/point.h"

const char *const point_names[POINT_COUNT] = { "step", "stepped", "send", "sent", "write", "wrote", "ask" };

jmp_buf point_jump;

static enum point wanted = POINT_COUNT, died;
static uint64_t left;

void point_arm(enum point kind, uint64_t n)
{
    wanted = kind;
    left = n;
}

void point_pass(enum point kind)
{
    if (left != 0 && (wanted == POINT_COUNT || wanted == kind) && --left == 0) {
        died = kind;
        longjmp(point_jump, 1);
    }
}

enum point point_of_death(void)
{
    return died;
}
