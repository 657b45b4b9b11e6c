/* ask: the cold thread's questions (cold/rest.h, struct rest_transport) over the simulated network.
 *
 * While it waits, time passes for everybody else.  Answers may be lies: an older answer to the same question,
 * or a well-formed one without rows; ask_lies sets how often. */
#ifndef POISE_TESTS_SIM_ASK_H
#define POISE_TESTS_SIM_ASK_H

#include "cold/rest.h"

struct ask_counts {
    uint64_t asked, answered, failed, stale, empty;
};

void ask_start(uint64_t seed);
struct rest_transport ask_transport(void);
struct rest_clock ask_clock(void);

/* ask_lies: chances in parts per million of an answer that is old, or empty, where one of either kind exists.
 */
void ask_lies(int64_t stale_ppm, int64_t empty_ppm);
const struct ask_counts *ask_counts(void);

/* ask_drop forgets what is asked: the process died. */
void ask_drop(void);

#endif
