/* params_rows: the one table of everything that may be set.
 *
 * One row a key, in the order of poise.toml.  The loader, the printer, the tests of poise.toml and the
 * messages to the trader all read it; no key is known anywhere else.  Cold thread. */
#ifndef POISE_CONFIG_PARAMS_ROWS_H
#define POISE_CONFIG_PARAMS_ROWS_H

#include "config/config.h"

enum params_type {
    PARAM_NUMBER, /* a decimal kept as an integer in 10^-decimals of what the trader writes */
    PARAM_BOOL,
    PARAM_CHOICE, /* one of `choices`; the first is kept as `min`, the next as min + 1 */
    PARAM_TEXT,
    PARAM_NAME,    /* text of a-z 0-9 _ -: identity, file names and metric labels are made of it */
    PARAM_DECIMAL, /* a number of the instrument's units, kept as text until metadata is there */
    PARAM_RATE     /* PARAM_NUMBER, or "venue": ask the venue, kept as INT64_MIN */
};

struct params_row {
    const char *section;
    const char *key;
    const char *otherwise; /* default as it would be written, without quotes; NULL: required */
    int64_t min, max;      /* PARAM_NUMBER: in the integer kept; PARAM_TEXT: 1 means not empty */
    const char *choices;   /* "buy|sell" */
    const char *purpose;   /* behind a fault: what the key is for, in a few words */
    uint32_t offset;       /* in struct config or in the section's element */
    uint16_t bytes;
    uint8_t type; /* enum params_type */
    uint8_t decimals;
};

enum params_shape {
    SHAPE_ONE,     /* [risk] */
    SHAPE_NAMED,   /* [venue.binance] */
    SHAPE_REPEATED /* [[quote]] */
};

struct params_section {
    const char *name;
    enum params_shape shape;
    uint32_t offset, element_bytes, max_count; /* of the array in struct config */
    uint32_t count_offset, line_offset;        /* line_offset inside the element */
};

extern const struct params_row params_rows[];
extern const uint32_t params_row_count;
extern const struct params_section params_sections[];
extern const uint32_t params_section_count;

/* params_row_find answers the row of a key, or NULL. */
const struct params_row *params_row_find(const char *section, const char *key);
const struct params_section *params_section_find(const char *name);

/* params_choice writes the text of the value'th choice to out; the empty text when there is none. */
void params_choice(const struct params_row *row, int64_t value, char *out, size_t out_bytes);

/* params_nearest answers the key of the section that looks most like the given one, or NULL when none
 * resembles it; params_distance is how many letters must change. */
const char *params_nearest(const char *section, const char *key);
const char *params_nearest_section(const char *name);
uint32_t params_distance(const char *a, const char *b);

#endif
