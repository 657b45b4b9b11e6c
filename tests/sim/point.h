/* point: the places at which the engine's process may die, as if by SIGKILL.
 *
 * The program passes a point each time it is about to do, or has just done, something that lasts.  When the
 * armed count of points has been passed the stack is left by longjmp: whatever memory held is gone, what the
 * kernel had, stays. */
#ifndef POISE_TESTS_SIM_POINT_H
#define POISE_TESTS_SIM_POINT_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

enum point {
    POINT_STEP,    /* a record is journaled and not yet consumed */
    POINT_STEPPED, /* it is consumed, and nothing of the answer is journaled */
    POINT_SEND,    /* bytes are about to leave */
    POINT_SENT,    /* they left */
    POINT_WRITE,   /* the disk is about to be written or synced */
    POINT_WROTE,   /* it was */
    POINT_ASK,     /* a question is about to be asked, or an answer waited for */
    POINT_COUNT
};
extern const char *const point_names[POINT_COUNT];

/* point_arm dies at the n-th point of this kind from now on (POINT_COUNT: of any kind); 0 never. */
void point_arm(enum point kind, uint64_t n);
void point_pass(enum point kind);

/* point_jump is where death leads; set by whoever runs a life. */
extern jmp_buf point_jump;
enum point point_of_death(void);

#endif
