/* story: one episode from one seed: lives of the engine, what befalls them, and what must be true at the end.
 */
#ifndef POISE_TESTS_SIM_STORY_H
#define POISE_TESTS_SIM_STORY_H

#include "ring/base.h"

#include <stdio.h>

/* story_run plays the episode of a seed in a folder of its own; it only returns when nothing was violated. */
void story_run(uint64_t seed, const char *folder, bool log);

/* story_scenario plays the named one: the operator stops while an order is unknown, and nothing can be read.
 */
void story_scenario(const char *folder, bool log);

/* story_tell writes what was counted as lines "name value", and how the episode ended as "hash value". */
void story_tell(FILE *out);

#endif
