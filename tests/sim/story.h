/* story: one episode from one seed: lives of the engine, what befalls them, and what must be true at the end.
 */
#ifndef POISE_TESTS_SIM_STORY_H
#define POISE_TESTS_SIM_STORY_H

#include "ring/record.h"
#include "tests/sim/desk.h"
#include "tests/sim/life.h"

#include <stdio.h>

/* story_run plays the episode of a seed in a folder of its own; it only returns when nothing was violated. */
void story_run(uint64_t seed, const char *folder, bool log);

/* story_tell writes what was counted as lines "name value", and how the episode ended as "hash value". */
void story_tell(FILE *out);

/* The parts of an episode, for the named ones (named.c): the world and the desk at its begin; what hinders
 * trading, and a moment after; a command from a person; and the end, in which everything is well, and in at
 * most three lives everything must be known, hedged and at peace. */
void story_begin(uint64_t seed, const struct desk_wish *wish, const char *folder, bool log);
void story_disturb(uint64_t for_ns);
void story_command(struct run *run, enum command command, uint16_t instance);
void story_forced(void);
void story_begin_end(void);
void story_finish(void);

#endif
