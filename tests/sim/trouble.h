/* trouble: which faults are about, how often each began, and which of them met.
 *
 * A fault has a name, and a window in which it hinders; a moment has none.  When one begins while the window
 * of another is open, the two met: a pair.  Counted only; nothing here decides anything. */
#ifndef POISE_TESTS_SIM_TROUBLE_H
#define POISE_TESTS_SIM_TROUBLE_H

#include "ring/base.h"

#include <stdio.h>

void trouble_start(void);

/* trouble_begins notes a fault that begins now and hinders until then: UINT64_MAX until trouble_ends; a time
 * not after now is a moment. */
void trouble_begins(const char *name, uint64_t until_ns);
void trouble_ends(const char *name);

/* trouble_is is either of both: a state that is set again and again begins once. */
void trouble_is(const char *name, bool on);

/* trouble_spec is the same for a fault of the venue as poise-sim's --fault takes it ("kind:...,for=7s,...").
 */
void trouble_spec(const char *spec);

/* trouble_calm: no window is open any more. */
void trouble_calm(void);

/* trouble_tell writes "began.NAME times", and "pair.A+B times" for those that met. */
void trouble_tell(FILE *out);

#endif
