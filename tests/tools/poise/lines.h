/* lines: a subcommand of poise in a process of its own, its standard input a text, its output kept. */
#ifndef POISE_TESTS_TOOLS_POISE_LINES_H
#define POISE_TESTS_TOOLS_POISE_LINES_H

#include <stddef.h>

#define LINES_BYTES (1 << 15) /* of input and output: a pipe holds so much */

/* lines_of runs "poise <words> < input" and answers its exit code; out is zero terminated. */
int lines_of(int (*command)(int argc, char **argv), const char *words, const char *input,
             char out[LINES_BYTES]);

/* lines_at answers line n (from 1) of a text, cut at its end, or "" behind the last; valid until called
 * again. */
const char *lines_at(const char *text, size_t n);

#endif
