/* control: a person's word to a running engine, from another terminal of the same machine.
 *
 * A local socket named "control" in the engine's shared directory: whoever may write there as the engine's
 * own user (or root) may command, nobody else; it never listens on a network.  One message is one command,
 * "COMMAND" or "COMMAND INSTANCE" (command_names of ring/record.h, but shift_fair), and is answered by one:
 * "ok", or "no: " and why.  "ok" means that the command stands in the strategy's channel, where the journal
 * will have it; what became of it is told by the figures.
 *
 * Cold thread: it calls control_step in its loop, and nothing is read between calls. */
#ifndef POISE_COLD_CONTROL_H
#define POISE_COLD_CONTROL_H

#include "ring/record.h"

#define CONTROL_WORD_BYTES  48  /* an instance's name with its end */
#define CONTROL_REPLY_BYTES 256 /* an answer with its end */

struct control;

struct control_word {
    uint32_t command;                  /* enum command */
    char instance[CONTROL_WORD_BYTES]; /* "" all */
};

/* control_carry takes one command; false with a sentence in why when it cannot be. */
typedef bool (*control_carry)(void *context, const struct control_word *word, char *why, size_t why_bytes);

/* control_open listens at <directory>/control; NULL with a sentence in error (the engine trades without it).
 */
struct control *control_open(const char *directory, control_carry carry, void *context, char *error,
                             size_t error_bytes);
void control_close(struct control *control);

/* control_step serves what has arrived and returns. */
void control_step(struct control *control);

enum control_answer {
    CONTROL_TAKEN = 1, /* the engine has it */
    CONTROL_REFUSED,   /* it said no: the answer says why */
    CONTROL_NOBODY,    /* no engine listens there */
    CONTROL_SILENT     /* one does and did not answer in time: it may have it or not */
};

/* control_ask says one command from another process and waits at most timeout_ms for the answer. */
enum control_answer control_ask(const char *directory, uint32_t command, const char *instance, int timeout_ms,
                                char reply[CONTROL_REPLY_BYTES]);

/* control_command answers the command of a name, or 0. */
uint32_t control_command(const char *name);

#endif
