/* sim_text: a growing piece of text, for replies and frames.  The owner frees it with sim_text_free. */
#ifndef TOOLS_SIM_SIM_TEXT_H
#define TOOLS_SIM_SIM_TEXT_H

#include <stddef.h>
#include <stdint.h>

struct sim_text {
    char *data; /* always terminated once something was added */
    size_t length;
    size_t capacity;
};

/* sim_text_add appends like printf, sim_text_put appends bytes, sim_text_str a C string. */
void sim_text_add(struct sim_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_text_put(struct sim_text *text, const void *bytes, size_t length);
void sim_text_str(struct sim_text *text, const char *string);

/* sim_text_quote appends a JSON string with its quotes. */
void sim_text_quote(struct sim_text *text, const char *string);

/* sim_text_decimal appends value, a count of 10^-decimals, with exactly show decimals. */
void sim_text_decimal(struct sim_text *text, __int128 value, int decimals, int show);

/* sim_text_reset forgets the content and keeps the memory. */
void sim_text_reset(struct sim_text *text);
void sim_text_free(struct sim_text *text);

/* sim_text_misnumber changes the last digit of the first number after a name, "name":123: a link that is
 * wrong. */
void sim_text_misnumber(struct sim_text *text, const char *name);

#endif
