/* toml: a TOML text as a flat list of what stands in it, each with its line.
 *
 * A small C face of toml++.  Cold thread, at start.  Numbers come as the characters that were written, so
 * that 0.5 never passes through a double; the one who knows the unit turns them into integers.
 *
 * Words: section is the dotted path of the table ("risk", "venue.binance", "quote"); element is which of
 * several [[quote]], 0 up, or -1 for a plain table. */
#ifndef POISE_CONFIG_TOML_H
#define POISE_CONFIG_TOML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum toml_type {
    TOML_SECTION = 1, /* a table or an element begins here; key and text are "" */
    TOML_STRING,      /* text is the value */
    TOML_NUMBER,      /* text is as written, without underscores */
    TOML_BOOL,        /* text is "true" or "false" */
    TOML_OTHER        /* array, date, infinity: nothing here takes one; text says which */
};

#define TOML_NAME_BYTES  64
#define TOML_ERROR_BYTES 200

struct toml_entry {
    enum toml_type type;
    int line; /* 1 up */
    int column;
    int element;
    char section[TOML_NAME_BYTES]; /* longer names are cut: they are unknown anyway */
    char key[TOML_NAME_BYTES];
    char *text; /* zero terminated; a zero byte before text_bytes is possible in a string */
    size_t text_bytes;
};

struct toml_list {
    uint32_t count;
    struct toml_entry *entry; /* in the order of the file */
    int error_line;           /* 0: the syntax is right */
    char error[TOML_ERROR_BYTES];
};

/* toml_read reads bytes of text; false with error_line and error set when it is not TOML, or when memory
 * is short.  The list is the caller's to toml_free either way. */
bool toml_read(const char *text, size_t bytes, struct toml_list *list);

/* toml_free overwrites every text before it gives it back: it may have been a secret. */
void toml_free(struct toml_list *list);

#ifdef __cplusplus
}
#endif

#endif
