#include "config/config.h"

#include "config/params_rows.h"
#include "config/toml.h"
#include "ring/decimal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_FILE_MAX   (1 << 20)
#define VALUE_TEXT_BYTES  (CONFIG_PATH_BYTES + 8)
#define ELEMENT_NONE      UINT16_MAX
#define PLACE_BYTES       (CONFIG_PATH_BYTES + 16)
#define KEY_PATH_BYTES    128
#define LINE_OF_OVERRIDES (-1)

/* ------------------------------------------------------------------ faults */

/* "config/poise.toml:41", "override" or, where no line is to blame, the file alone. */
static const char *place(const struct config *config, int line, char out[PLACE_BYTES])
{
    if (line == LINE_OF_OVERRIDES) {
        snprintf(out, PLACE_BYTES, "override");
    } else if (line == 0) {
        snprintf(out, PLACE_BYTES, "%s", config->path);
    } else {
        snprintf(out, PLACE_BYTES, "%s:%d", config->path, line);
    }
    return out;
}

__attribute__((format(printf, 3, 4))) static void fault(struct config *config, int line, const char *form,
                                                        ...)
{
    uint32_t at = config->fault_count++;
    if (at >= CONFIG_FAULTS_MAX) {
        return;
    }

    char where[PLACE_BYTES];
    char what[CONFIG_FAULT_BYTES];
    va_list arguments;
    va_start(arguments, form);
    vsnprintf(what, sizeof what, form, arguments);
    va_end(arguments);

    struct config_fault *told = &config->fault[at];
    told->line = line;
    /* A long path takes room from the sentence, never the other way round. */
    int length = snprintf(told->text, sizeof told->text, "%s: ", place(config, line, where));
    size_t used = length < 0 ? 0 : base_min(length, (int64_t)sizeof told->text - 1);
    snprintf(told->text + used, sizeof told->text - used, "%.*s", (int)(sizeof told->text - used - 1), what);
}

/* People mend a file from the top.  Insertion sort: stable, and there are few. */
static void sort_faults(struct config *config)
{
    uint32_t count = (uint32_t)base_min(config->fault_count, CONFIG_FAULTS_MAX);
    for (uint32_t i = 1; i < count; i++) {
        struct config_fault moving = config->fault[i];
        uint32_t at = i;
        for (; at > 0 && config->fault[at - 1].line > moving.line; at--) {
            config->fault[at] = config->fault[at - 1];
        }
        config->fault[at] = moving;
    }
}

/* ------------------------------------------------------------------ where values are kept */

static uint32_t count_of(const struct config *config, const struct params_section *section)
{
    if (section->shape == SHAPE_ONE) {
        return 1;
    }
    uint32_t count;
    memcpy(&count, (const char *)config + section->count_offset, sizeof count);
    return count;
}

static char *element_of(const struct config *config, const struct params_section *section, uint32_t element)
{
    return (char *)(uintptr_t)config + section->offset + (size_t)element * section->element_bytes;
}

static void *field_of(const struct config *config, const struct params_row *row, uint32_t element)
{
    return element_of(config, params_section_find(row->section), element) + row->offset;
}

static void store_integer(void *field, uint16_t bytes, int64_t value)
{
    switch (bytes) {
    case 1: {
        uint8_t narrow = (uint8_t)value;
        memcpy(field, &narrow, sizeof narrow);
        break;
    }
    case 2: {
        uint16_t narrow = (uint16_t)value;
        memcpy(field, &narrow, sizeof narrow);
        break;
    }
    case 4: {
        int32_t narrow = (int32_t)value;
        memcpy(field, &narrow, sizeof narrow);
        break;
    }
    default:
        POISE_ASSERT(bytes == sizeof value);
        memcpy(field, &value, sizeof value);
        break;
    }
}

static int64_t load_integer(const void *field, uint16_t bytes)
{
    int64_t value = 0;
    if (bytes == 4) {
        int32_t narrow;
        memcpy(&narrow, field, sizeof narrow);
        return narrow;
    }
    memcpy(&value, field, bytes); /* little-endian; 1 and 2 bytes are unsigned */
    return value;
}

static struct config_value *value_of(const struct config *config, const struct params_row *row,
                                     uint32_t element)
{
    for (uint32_t i = 0; i < config->value_count; i++) {
        struct config_value *value = &config->value[i];
        if (&params_rows[value->row] == row && value->element == element) {
            return value;
        }
    }
    return NULL;
}

/* The line of a key's value; of a default the line of its section, so that there is a place to write it. */
static int line_of(const struct config *config, const char *section_name, const char *key, uint32_t element)
{
    const struct params_section *section = params_section_find(section_name);
    const struct config_value *value = value_of(config, params_row_find(section_name, key), element);
    if (value != NULL && value->line != 0) {
        return value->line;
    }
    if (section->shape == SHAPE_ONE) {
        return 0;
    }
    int line;
    memcpy(&line, element_of(config, section, element) + section->line_offset, sizeof line);
    return line;
}

/* A value that was already refused is not held against another. */
static bool sound(const struct config *config, const char *section, const char *key, uint32_t element)
{
    const struct config_value *value = value_of(config, params_row_find(section, key), element);
    return value != NULL && !value->faulty;
}

/* "risk.max_order", "venue.binance.ca_file", "quote.btc.size", "quote[2].size" while it has no name. */
static const char *key_path(const struct config *config, const char *section_name, uint32_t element,
                            const char *key, char out[KEY_PATH_BYTES])
{
    const struct params_section *section = params_section_find(section_name);
    const char *name = "";

    if (section->shape == SHAPE_NAMED) {
        name = venue_names[config->venue[element].venue];
    } else if (strcmp(section_name, "account") == 0) {
        name = config->account[element].row.name;
    } else if (strcmp(section_name, "quote") == 0) {
        name = config->quote[element].params.name;
    }
    if (section->shape == SHAPE_ONE) {
        snprintf(out, KEY_PATH_BYTES, "%s.%s", section_name, key);
    } else if (name[0] != '\0') {
        snprintf(out, KEY_PATH_BYTES, "%s.%s.%s", section_name, name, key);
    } else {
        snprintf(out, KEY_PATH_BYTES, "%s[%u].%s", section_name, element, key);
    }
    return out;
}

/* ------------------------------------------------------------------ one value */

static void print_value(const struct config *config, const struct params_row *row, uint32_t element,
                        char out[VALUE_TEXT_BYTES])
{
    const void *field = field_of(config, row, element);

    switch ((enum params_type)row->type) {
    case PARAM_TEXT:
    case PARAM_NAME:
    case PARAM_DECIMAL:
        snprintf(out, VALUE_TEXT_BYTES, "%.*s", (int)row->bytes, (const char *)field);
        break;
    case PARAM_BOOL:
        snprintf(out, VALUE_TEXT_BYTES, "%s", load_integer(field, row->bytes) != 0 ? "true" : "false");
        break;
    case PARAM_CHOICE:
        params_choice(row, load_integer(field, row->bytes), out, VALUE_TEXT_BYTES);
        break;
    case PARAM_RATE:
        if (load_integer(field, row->bytes) == INT64_MIN) {
            snprintf(out, VALUE_TEXT_BYTES, "venue");
            break;
        }
        __attribute__((fallthrough));
    case PARAM_NUMBER:
        decimal_print_short(out, load_integer(field, row->bytes), row->decimals);
        break;
    }
}

/* What a row takes, for a fault: "1 to 5000", "one of sim, paper, live". */
static const char *wanted(const struct params_row *row, char *out, size_t out_bytes)
{
    char low[DECIMAL_TEXT_BYTES];
    char high[DECIMAL_TEXT_BYTES];

    if (row->choices != NULL) {
        size_t used = (size_t)snprintf(out, out_bytes, "one of ");
        for (const char *at = row->choices; *at != '\0' && used + 3 < out_bytes; at++) {
            if (*at == '|') {
                out[used++] = ',';
                out[used++] = ' ';
            } else {
                out[used++] = *at;
            }
        }
        out[used] = '\0';
        return out;
    }
    switch ((enum params_type)row->type) {
    case PARAM_NUMBER:
    case PARAM_RATE:
        decimal_print_short(low, row->min, row->decimals);
        decimal_print_short(high, row->max, row->decimals);
        snprintf(out, out_bytes, "%s to %s%s", low, high, row->type == PARAM_RATE ? " or \"venue\"" : "");
        break;
    case PARAM_BOOL:
        snprintf(out, out_bytes, "true or false");
        break;
    case PARAM_NAME:
        snprintf(out, out_bytes, "1 to %u of a-z, 0-9, _ and -", row->bytes - 1u);
        break;
    case PARAM_DECIMAL:
        snprintf(out, out_bytes, "a decimal number%s", row->min == 1 ? " above 0" : "");
        break;
    default:
        snprintf(out, out_bytes, "a text of %s%u characters", row->min == 1 ? "1 to " : "at most ",
                 row->bytes - 1u);
        break;
    }
    return out;
}

static bool is_name(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_-")] == '\0';
}

/* The value'th of the choices, or false. */
static bool find_choice(const struct params_row *row, const char *text, int64_t *value)
{
    size_t bytes = strlen(text);
    int64_t i = row->min;

    for (const char *at = row->choices; at != NULL; i++) {
        size_t length = strcspn(at, "|");
        if (length == bytes && memcmp(at, text, bytes) == 0) {
            *value = i;
            return true;
        }
        at = at[length] == '|' ? at + length + 1 : NULL;
    }
    return false;
}

/* Whether what was written may stand there at all; how its text reads is set_value's to judge.  A number may
 * be written as a text: "0.5" is as exact as 0.5. */
static bool right_type(const struct params_row *row, enum toml_type type)
{
    switch ((enum params_type)row->type) {
    case PARAM_NUMBER:
    case PARAM_RATE:
    case PARAM_DECIMAL:
        return type == TOML_NUMBER || type == TOML_STRING;
    case PARAM_BOOL:
        return type == TOML_BOOL;
    default:
        return type == TOML_STRING;
    }
}

/* What is wrong with the text, or NULL and the value stored. */
static const char *set_value(struct config *config, const struct params_row *row, uint32_t element,
                             const char *text, size_t text_bytes)
{
    static __thread char sentence[200];
    char bounds[160];
    void *field = field_of(config, row, element);
    int64_t number;

    snprintf(sentence, sizeof sentence, "must be %s", wanted(row, bounds, sizeof bounds));
    if (strlen(text) != text_bytes) {
        return sentence;
    }

    switch ((enum params_type)row->type) {
    case PARAM_RATE:
        if (strcmp(text, "venue") == 0) {
            store_integer(field, row->bytes, INT64_MIN);
            return NULL;
        }
        __attribute__((fallthrough));
    case PARAM_NUMBER:
        switch (decimal_parse(text, text_bytes, row->decimals, &number)) {
        case DECIMAL_OK:
            break;
        case DECIMAL_INEXACT:
            if (row->decimals == 0) {
                snprintf(sentence, sizeof sentence, "must be a whole number");
            } else {
                snprintf(sentence, sizeof sentence, "must have at most %u decimals", row->decimals);
            }
            return sentence;
        default:
            return sentence;
        }
        if (number < row->min || number > row->max) {
            return sentence;
        }
        store_integer(field, row->bytes, number);
        return NULL;
    case PARAM_BOOL:
        if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
            return sentence;
        }
        store_integer(field, row->bytes, text[0] == 't');
        return NULL;
    case PARAM_CHOICE:
        if (!find_choice(row, text, &number)) {
            return sentence;
        }
        store_integer(field, row->bytes, number);
        return NULL;
    case PARAM_NAME:
        if (!is_name(text) || text_bytes >= row->bytes) {
            return sentence;
        }
        break;
    case PARAM_DECIMAL:
        if (text_bytes >= row->bytes || decimal_decimals(text, text_bytes) < 0 ||
            (row->min == 1 && (text[0] == '-' || strspn(text, "+0.") == text_bytes))) {
            return sentence;
        }
        break;
    case PARAM_TEXT:
        if (text_bytes >= row->bytes || (row->min == 1 && text_bytes == 0) ||
            (row->choices != NULL && !find_choice(row, text, &number))) {
            return sentence;
        }
        break;
    }
    memset(field, 0, row->bytes);
    memcpy(field, text, text_bytes);
    return NULL;
}

static struct config_value *note_value(struct config *config, const struct params_row *row, uint32_t element,
                                       int line)
{
    struct config_value *value = value_of(config, row, element);
    if (value == NULL) {
        value = &config->value[config->value_count++];
        *value = (struct config_value){ .row = (uint16_t)(row - params_rows), .element = (uint16_t)element };
    }
    value->line = line;
    return value;
}

static void take_value(struct config *config, const struct params_row *row, uint32_t element,
                       enum toml_type type, const char *text, size_t text_bytes, int line)
{
    char path[KEY_PATH_BYTES];
    char bounds[160];
    struct config_value *value = note_value(config, row, element, line);

    key_path(config, row->section, element, row->key, path);
    if (!right_type(row, type)) {
        const char *quote = type == TOML_STRING ? "\"" : "";
        value->faulty = true;
        fault(config, line, "%s = %s%.60s%s: must be %s (%s)", path, quote, text, quote,
              wanted(row, bounds, sizeof bounds), row->purpose);
        return;
    }
    const char *wrong = set_value(config, row, element, text, text_bytes);
    value->faulty = wrong != NULL;
    if (wrong != NULL) {
        const char *quote = type == TOML_STRING ? "\"" : "";
        fault(config, line, "%s = %s%.60s%s: %s (%s)", path, quote, text, quote, wrong, row->purpose);
    }
}

/* ------------------------------------------------------------------ the whole file */

/* Every row of a fresh element gets its default; those without are faulty until the file gives one. */
static void set_defaults(struct config *config, const struct params_section *section, uint32_t element)
{
    for (uint32_t i = 0; i < params_row_count; i++) {
        const struct params_row *row = &params_rows[i];
        if (strcmp(row->section, section->name) != 0) {
            continue;
        }
        struct config_value *value = note_value(config, row, element, 0);
        value->faulty = row->otherwise == NULL;
        if (row->otherwise != NULL) {
            const char *wrong = set_value(config, row, element, row->otherwise, strlen(row->otherwise));
            POISE_ASSERT(wrong == NULL); /* a default outside its own bounds */
        }
    }
}

/* The index of the section's element, made when it is new; ELEMENT_NONE when there is no more room. */
static uint32_t open_element(struct config *config, const struct params_section *section, int line)
{
    uint32_t count = count_of(config, section);
    if (count >= section->max_count) {
        return ELEMENT_NONE;
    }
    memset(element_of(config, section, count), 0, section->element_bytes);
    memcpy(element_of(config, section, count) + section->line_offset, &line, sizeof line);
    uint32_t more = count + 1;
    memcpy((char *)config + section->count_offset, &more, sizeof more);
    set_defaults(config, section, count);
    return count;
}

/* The venue's element by its name; ELEMENT_NONE for a name that is no venue. */
static uint32_t venue_element(struct config *config, const char *name, int line)
{
    for (uint32_t i = 0; i < config->venue_count; i++) {
        if (strcmp(venue_names[config->venue[i].venue], name) == 0) {
            return i;
        }
    }
    for (uint8_t id = VENUE_NONE + 1; id < VENUE_COUNT; id++) {
        if (strcmp(venue_names[id], name) == 0) {
            uint32_t element = open_element(config, params_section_find("venue"), line);
            config->venue[element].venue = id;
            return element;
        }
    }
    return ELEMENT_NONE;
}

static void unknown_venue(struct config *config, int line, const char *name)
{
    uint8_t nearest = VENUE_BINANCE;
    for (uint8_t id = VENUE_NONE + 1; id < VENUE_COUNT; id++) {
        if (params_distance(name, venue_names[id]) < params_distance(name, venue_names[nearest])) {
            nearest = id;
        }
    }
    fault(config, line, "\"%.40s\" is not a venue: did you mean %s?", name, venue_names[nearest]);
}

static void unknown_key(struct config *config, int line, const char *section, const char *key)
{
    const char *nearest = params_nearest(section, key);
    if (nearest != NULL) {
        fault(config, line, "%s.%s: unknown key: did you mean %s.%s?", section, key, section, nearest);
        return;
    }
    /* The right key in the wrong place is as frequent as a slip of the finger. */
    for (uint32_t i = 0; i < params_row_count; i++) {
        if (strcmp(params_rows[i].key, key) == 0) {
            fault(config, line, "%s.%s: unknown key: %s stands in [%s]", section, key, key,
                  params_rows[i].section);
            return;
        }
    }
    fault(config, line, "%s.%s: unknown key: nothing in [%s] has a similar name", section, key, section);
}

static void unknown_section(struct config *config, int line, const char *name)
{
    const char *nearest = params_nearest_section(name);
    if (nearest != NULL) {
        fault(config, line, "[%s]: unknown section: did you mean [%s]?", name, nearest);
    } else {
        fault(config, line,
              "[%s]: unknown section: there are engine, cores, risk, venue, account, convert, quote", name);
    }
}

/* Takes the file's entries in their order: a section opens an element, keys fill it. */
static void take_entries(struct config *config, const struct toml_list *list)
{
    const struct params_section *section = NULL;
    uint32_t element = ELEMENT_NONE;
    char open[TOML_NAME_BYTES] = "";
    int open_element_number = -1;

    for (uint32_t i = 0; i < list->count; i++) {
        const struct toml_entry *entry = &list->entry[i];

        if (entry->section[0] == '\0') {
            fault(config, entry->line, "%s: unknown key: keys stand in a section", entry->key);
            continue;
        }
        bool same = strcmp(entry->section, open) == 0 && entry->element == open_element_number;
        if (!same || entry->type == TOML_SECTION) {
            snprintf(open, sizeof open, "%s", entry->section);
            open_element_number = entry->element;
            element = ELEMENT_NONE;

            char name[TOML_NAME_BYTES];
            snprintf(name, sizeof name, "%.*s", (int)strcspn(open, "."), open);
            const char *sub = strchr(open, '.');
            section = params_section_find(name);
            if (section == NULL) {
                unknown_section(config, entry->line, open);
            } else if (section->shape == SHAPE_NAMED) {
                if (entry->element >= 0 || (sub != NULL && strchr(sub + 1, '.') != NULL)) {
                    fault(config, entry->line, "[%s]: must be written [%s.NAME]", open, name);
                } else if (sub != NULL) {
                    element = venue_element(config, sub + 1, entry->line);
                    if (element == ELEMENT_NONE) {
                        unknown_venue(config, entry->line, sub + 1);
                    }
                }
            } else if (sub != NULL) {
                fault(config, entry->line, "[%s]: unknown section below [%s]", open, name);
            } else if (section->shape == SHAPE_REPEATED) {
                if (entry->element < 0) {
                    fault(config, entry->line, "[%s]: must be written [[%s]]: there may be several", open,
                          open);
                } else {
                    element = open_element(config, section, entry->line);
                    if (element == ELEMENT_NONE) {
                        fault(config, entry->line, "[[%s]]: at most %u of them", open, section->max_count);
                    }
                }
            } else if (entry->element >= 0) {
                fault(config, entry->line, "[[%s]]: must be written [%s]: there is only one", open, open);
            } else {
                element = 0;
            }
        }
        if (entry->type == TOML_SECTION) {
            continue;
        }
        if (element == ELEMENT_NONE) {
            /* Its section was refused already, except for a key that stands directly in [venue]. */
            if (section != NULL && section->shape == SHAPE_NAMED && strcmp(open, section->name) == 0) {
                fault(config, entry->line, "%s.%s: unknown key: must stand in [%s.NAME]", open, entry->key,
                      open);
            }
            continue;
        }
        const struct params_row *row = params_row_find(section->name, entry->key);
        if (row == NULL) {
            unknown_key(config, entry->line, section->name, entry->key);
        } else {
            take_value(config, row, element, entry->type, entry->text, entry->text_bytes, entry->line);
        }
    }
}

/* Splits "quote.btc.size" or "quote[0].size" into section, element and key; false with a fault told. */
static bool find_override(struct config *config, const char *path, const struct params_section **section,
                          uint32_t *element, const char **key)
{
    char name[TOML_NAME_BYTES];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(path, ".["), path);
    const char *rest = path + strlen(name);

    *section = params_section_find(name);
    *element = 0;
    if (*section == NULL) {
        unknown_section(config, LINE_OF_OVERRIDES, name);
        return false;
    }
    if ((*section)->shape == SHAPE_REPEATED && rest[0] == '[') {
        char *end;
        *element = (uint32_t)strtoul(rest + 1, &end, 10);
        if (end == rest + 1 || end[0] != ']' || end[1] != '.' || *element >= count_of(config, *section)) {
            fault(config, LINE_OF_OVERRIDES, "%s: there is no such [[%s]]", path, name);
            return false;
        }
        *key = end + 2;
        return true;
    }
    if (rest[0] != '.') {
        fault(config, LINE_OF_OVERRIDES, "%s: must be SECTION.KEY=VALUE", path);
        return false;
    }
    rest++;
    *key = rest;
    if ((*section)->shape == SHAPE_ONE) {
        return true;
    }

    /* Of several, the next word is the name of the one. */
    const char *point = strchr(rest, '.');
    if (point == NULL) {
        fault(config, LINE_OF_OVERRIDES, "%s: must be %s.NAME.KEY=VALUE", path, name);
        return false;
    }
    char which[TOML_NAME_BYTES];
    snprintf(which, sizeof which, "%.*s", (int)(point - rest), rest);
    *key = point + 1;
    if ((*section)->shape == SHAPE_NAMED) {
        *element = venue_element(config, which, LINE_OF_OVERRIDES);
        if (*element == ELEMENT_NONE) {
            unknown_venue(config, LINE_OF_OVERRIDES, which);
        }
        return *element != ELEMENT_NONE;
    }
    for (uint32_t i = 0; i < count_of(config, *section); i++) {
        const char *has = strcmp(name, "account") == 0 ? config->account[i].row.name
                          : strcmp(name, "quote") == 0 ? config->quote[i].params.name
                                                       : "";
        if (has[0] != '\0' && strcmp(has, which) == 0) {
            *element = i;
            return true;
        }
    }
    fault(config, LINE_OF_OVERRIDES, "%s: there is no [[%s]] called %s", path, name, which);
    return false;
}

static void take_override(struct config *config, const char *text)
{
    const char *equals = strchr(text, '=');
    char path[KEY_PATH_BYTES];
    const struct params_section *section;
    uint32_t element;
    const char *key;

    if (equals == NULL || (size_t)(equals - text) >= sizeof path) {
        fault(config, LINE_OF_OVERRIDES, "%.80s: must be SECTION.KEY=VALUE", text);
        return;
    }
    snprintf(path, sizeof path, "%.*s", (int)(equals - text), text);
    if (!find_override(config, path, &section, &element, &key)) {
        return;
    }
    const struct params_row *row = params_row_find(section->name, key);
    if (row == NULL) {
        unknown_key(config, LINE_OF_OVERRIDES, section->name, key);
        return;
    }
    const char *value = equals + 1;
    size_t bytes = strlen(value);
    if (bytes >= 2 && value[0] == '"' && value[bytes - 1] == '"') {
        value++;
        bytes -= 2;
    }
    char bare[VALUE_TEXT_BYTES];
    snprintf(bare, sizeof bare, "%.*s", (int)bytes, value);
    /* A command line has no types: the text decides. */
    take_value(config, row, element, row->type == PARAM_BOOL ? TOML_BOOL : TOML_STRING, bare, strlen(bare),
               LINE_OF_OVERRIDES);
}

static void check_required(struct config *config)
{
    char path[KEY_PATH_BYTES];
    char bounds[160];

    for (uint32_t i = 0; i < config->value_count; i++) {
        struct config_value *value = &config->value[i];
        const struct params_row *row = &params_rows[value->row];
        if (row->otherwise != NULL || value->line != 0) {
            continue;
        }
        key_path(config, row->section, value->element, row->key, path);
        fault(config, line_of(config, row->section, row->key, value->element),
              "%s is missing: must be %s (%s)", path, wanted(row, bounds, sizeof bounds), row->purpose);
    }
}

/* ------------------------------------------------------------------ what must fit together */

/* Splits "binance.inverse.BTCUSD_PERP" and remembers it once; false with a fault told. */
static bool take_instrument(struct config *config, const char *name, int line, const char *path,
                            struct config_instrument *out)
{
    for (uint32_t i = 0; i < config->instrument_count; i++) {
        if (strcmp(config->instrument[i].name, name) == 0) {
            *out = config->instrument[i];
            return true;
        }
    }

    struct config_instrument made = { .line = line };
    char venue[TOML_NAME_BYTES];
    char product[TOML_NAME_BYTES];
    const char *first = strchr(name, '.');
    const char *second = first == NULL ? NULL : strchr(first + 1, '.');

    if (second == NULL || second[1] == '\0' || strlen(second + 1) >= sizeof made.symbol) {
        fault(config, line, "%s = \"%s\": must be VENUE.PRODUCT.SYMBOL, as in binance.linear.BTCUSDT", path,
              name);
        return false;
    }
    snprintf(venue, sizeof venue, "%.*s", (int)(first - name), name);
    snprintf(product, sizeof product, "%.*s", (int)(second - first - 1), first + 1);
    for (uint8_t id = VENUE_NONE + 1; id < VENUE_COUNT; id++) {
        if (strcmp(venue_names[id], venue) == 0) {
            made.venue = id;
        }
    }
    for (uint8_t id = PRODUCT_NONE + 1; id < PRODUCT_COUNT; id++) {
        if (strcmp(product_names[id], product) == 0) {
            made.product = id;
        }
    }
    if (made.venue == VENUE_NONE) {
        unknown_venue(config, line, venue);
        return false;
    }
    if (made.product == PRODUCT_NONE) {
        fault(config, line, "%s = \"%s\": product must be one of spot, linear, inverse, option", path, name);
        return false;
    }
    snprintf(made.name, sizeof made.name, "%s", name);
    snprintf(made.symbol, sizeof made.symbol, "%s", second + 1);
    if (config->instrument_count >= CONFIG_INSTRUMENTS_MAX) {
        fault(config, line, "%s = \"%s\": more than %d instruments", path, name, CONFIG_INSTRUMENTS_MAX);
        return false;
    }
    config->instrument[config->instrument_count++] = made;
    *out = made;
    return true;
}

static const struct config_account *account_called(const struct config *config, const char *name)
{
    for (uint32_t i = 0; i < config->account_count; i++) {
        if (strcmp(config->account[i].row.name, name) == 0) {
            return &config->account[i];
        }
    }
    return NULL;
}

/* One leg: the instrument's form, the account's existence, and that one can trade the other. */
static void check_leg(struct config *config, uint32_t i, const char *leg_key, const char *leg,
                      const char *account_key, const char *account)
{
    char path[KEY_PATH_BYTES];
    struct config_instrument instrument = { .venue = VENUE_NONE };
    bool known = false;

    if (sound(config, "quote", leg_key, i)) {
        known = take_instrument(config, leg, line_of(config, "quote", leg_key, i),
                                key_path(config, "quote", i, leg_key, path), &instrument);
    }
    if (!sound(config, "quote", account_key, i)) {
        return;
    }
    int line = line_of(config, "quote", account_key, i);
    const struct config_account *row = account_called(config, account);
    key_path(config, "quote", i, account_key, path);
    if (row == NULL) {
        const char *nearest = NULL;
        uint32_t least = UINT32_MAX;
        for (uint32_t k = 0; k < config->account_count; k++) {
            uint32_t distance = params_distance(config->account[k].row.name, account);
            if (distance < least) {
                least = distance;
                nearest = config->account[k].row.name;
            }
        }
        if (nearest == NULL) {
            fault(config, line, "%s = \"%s\": there is no [[account]]", path, account);
        } else {
            fault(config, line, "%s = \"%s\": there is no such [[account]]: did you mean \"%s\"?", path,
                  account, nearest);
        }
        return;
    }
    if (known && row->row.venue != VENUE_NONE && row->row.product != PRODUCT_NONE &&
        (row->row.venue != instrument.venue || row->row.product != instrument.product)) {
        fault(config, line, "%s = \"%s\": that is an account of %s.%s, and %s is traded on another", path,
              account, venue_names[row->row.venue], product_names[row->row.product], leg);
    }
}

static int64_t compare_decimals(const char *a, const char *b)
{
    /* Twelve decimals are the finest unit there is; both were read before. */
    int64_t left = 0;
    int64_t right = 0;
    for (int decimals = 12; decimals >= 0; decimals--) {
        if (decimal_parse(a, strlen(a), decimals, &left) == DECIMAL_OK &&
            decimal_parse(b, strlen(b), decimals, &right) == DECIMAL_OK) {
            return left < right ? -1 : left > right;
        }
    }
    return 0; /* no unit holds both: binding to the instrument will refuse them */
}

static void check_quote(struct config *config, uint32_t i)
{
    struct config_quote *quote = &config->quote[i];
    struct quote_params *params = &quote->params;
    char path[KEY_PATH_BYTES];
    char other[KEY_PATH_BYTES];

    params->kind = STRATEGY_QUOTE;
    params->instance = (uint16_t)i;
    params->quote_instrument = params->hedge_instrument = params->second_instrument = NO_INSTRUMENT;
    params->quote_account = params->hedge_account = params->second_account = NO_ACCOUNT;
    if (params->max_naked_ns == 0) {
        params->max_naked_ns = config->max_naked_ns;
    }

    for (uint32_t k = 0; k < i && sound(config, "quote", "name", i); k++) {
        if (strcmp(config->quote[k].params.name, params->name) == 0) {
            fault(config, line_of(config, "quote", "name", i),
                  "quote.%s.name: an instance of that name stands at line %d (identity over restarts)",
                  params->name, config->quote[k].line);
            break;
        }
    }

    check_leg(config, i, "quote_leg", quote->quote_leg, "quote_account", quote->quote_account);
    check_leg(config, i, "hedge_leg", quote->hedge_leg, "hedge_account", quote->hedge_account);
    if (quote->second_leg[0] != '\0' && quote->second_account[0] != '\0') {
        check_leg(config, i, "second_leg", quote->second_leg, "second_account", quote->second_account);
    } else if (quote->second_leg[0] != '\0' || quote->second_account[0] != '\0') {
        fault(config,
              line_of(config, "quote", quote->second_leg[0] != '\0' ? "second_leg" : "second_account", i),
              "%s: second_leg and second_account go together",
              key_path(config, "quote", i, "second_leg", path));
    }
    if (sound(config, "quote", "quote_leg", i) && strcmp(quote->quote_leg, quote->hedge_leg) == 0) {
        fault(config, line_of(config, "quote", "hedge_leg", i),
              "%s = \"%s\": must be another instrument than quote_leg (a leg cannot hedge itself)",
              key_path(config, "quote", i, "hedge_leg", path), quote->hedge_leg);
    }
    if (quote->second_leg[0] != '\0' && (strcmp(quote->second_leg, quote->hedge_leg) == 0 ||
                                         strcmp(quote->second_leg, quote->quote_leg) == 0)) {
        fault(config, line_of(config, "quote", "second_leg", i),
              "%s = \"%s\": must be another instrument than the two legs (it stands in for the hedge leg)",
              key_path(config, "quote", i, "second_leg", path), quote->second_leg);
    }

    if (sound(config, "quote", "max_naked_ms", i) && sound(config, "risk", "max_naked_ms", 0) &&
        params->max_naked_ns > config->max_naked_ns) {
        fault(config, line_of(config, "quote", "max_naked_ms", i),
              "%s = %lld: must not exceed risk.max_naked_ms = %lld",
              key_path(config, "quote", i, "max_naked_ms", path), (long long)(params->max_naked_ns / 1000000),
              (long long)(config->max_naked_ns / 1000000));
    }
    if (sound(config, "quote", "max_naked_ms", i) && sound(config, "quote", "hedge_timeout_ms", i) &&
        sound(config, "risk", "max_naked_ms", 0) && params->max_naked_ns < params->hedge_timeout_ns) {
        const struct config_value *own = value_of(config, params_row_find("quote", "max_naked_ms"), i);
        const char *section = own->line != 0 ? "quote" : "risk";
        uint32_t element = own->line != 0 ? i : 0;
        fault(config, line_of(config, section, "max_naked_ms", element),
              "%s = %lld: must be at least %s = %lld (or the ladder starts before a hedge can answer)",
              key_path(config, section, element, "max_naked_ms", path),
              (long long)(params->max_naked_ns / 1000000),
              key_path(config, "quote", i, "hedge_timeout_ms", other),
              (long long)(params->hedge_timeout_ns / 1000000));
    }
    if (sound(config, "quote", "hedge_band_bp", i) && sound(config, "quote", "emergency_band_bp", i) &&
        params->emergency_band_centibp < params->hedge_band_centibp) {
        fault(config, line_of(config, "quote", "emergency_band_bp", i),
              "%s: must be at least hedge_band_bp (it is the wider one)",
              key_path(config, "quote", i, "emergency_band_bp", path));
    }
    if (sound(config, "quote", "emergency_band_bp", i) && sound(config, "risk", "price_band_bp", 0) &&
        params->emergency_band_centibp > config->risk.price_band_centibp) {
        fault(config, line_of(config, "quote", "emergency_band_bp", i),
              "%s: must not exceed risk.price_band_bp (or the gate refuses the emergency hedge)",
              key_path(config, "quote", i, "emergency_band_bp", path));
    }
    if (sound(config, "quote", "hedge_min", i) && sound(config, "quote", "max_naked", i) &&
        params->hedge_min_e8 > params->max_naked_e8) {
        fault(config, line_of(config, "quote", "hedge_min", i),
              "%s: must not exceed max_naked (or quotes are pulled before anything is hedged)",
              key_path(config, "quote", i, "hedge_min", path));
    }
    if (sound(config, "quote", "max_naked", i) && sound(config, "risk", "max_delta", 0) &&
        params->max_naked_e8 > config->risk.max_delta_e8) {
        fault(config, line_of(config, "quote", "max_naked", i),
              "%s: must not exceed risk.max_delta (which would stop everything first)",
              key_path(config, "quote", i, "max_naked", path));
    }
    if (sound(config, "quote", "fair_half_life_ms", i) && sound(config, "quote", "fair_bound_bp", i) &&
        params->fair_half_life_ns != 0 && params->fair_bound_centibp == 0) {
        fault(config, line_of(config, "quote", "fair_bound_bp", i),
              "%s = 0: must be above 0 while fair_half_life_ms is (or set that to 0)",
              key_path(config, "quote", i, "fair_bound_bp", path));
    }
    if (sound(config, "quote", "size", i) && sound(config, "quote", "max_inventory", i) &&
        compare_decimals(quote->max_inventory, quote->size) < 0) {
        fault(config, line_of(config, "quote", "max_inventory", i),
              "%s = %s: must be at least size = %s (or no quote is ever allowed)",
              key_path(config, "quote", i, "max_inventory", path), quote->max_inventory, quote->size);
    }
    if (sound(config, "quote", "target_inventory", i) && sound(config, "quote", "max_inventory", i)) {
        const char *magnitude = quote->target_inventory + strspn(quote->target_inventory, "+-");
        if (compare_decimals(quote->max_inventory, magnitude) < 0) {
            fault(config, line_of(config, "quote", "target_inventory", i),
                  "%s = %s: must be within max_inventory = %s, either sign",
                  key_path(config, "quote", i, "target_inventory", path), quote->target_inventory,
                  quote->max_inventory);
        }
    }
}

/* How many quotes the instances of an account may have resting. */
static int64_t quotes_on(const struct config *config, const char *account)
{
    int64_t count = 0;
    for (uint32_t i = 0; i < config->quote_count; i++) {
        const struct config_quote *quote = &config->quote[i];
        if (strcmp(quote->quote_account, account) == 0) {
            count += quote->params.levels * (quote->params.sides == 3 ? 2 : 1);
        }
    }
    return count;
}

static void check_account(struct config *config, uint32_t i)
{
    const struct config_account *account = &config->account[i];
    char path[KEY_PATH_BYTES];

    for (uint32_t k = 0; k < i && sound(config, "account", "name", i); k++) {
        if (strcmp(config->account[k].row.name, account->row.name) == 0) {
            fault(config, line_of(config, "account", "name", i),
                  "account.%s.name: an account of that name stands at line %d", account->row.name,
                  config->account[k].line);
            break;
        }
    }
    if (account->key_file[0] == '\0' && sound(config, "account", "key_file", i) &&
        (config->mode == MODE_LIVE || config->mode == MODE_SIM)) {
        fault(config, account->line,
              "%s is missing: mode %s sends signed orders (file that holds the API key, mode 0600)",
              key_path(config, "account", i, "key_file", path), config->mode == MODE_LIVE ? "live" : "sim");
    }
    if (sound(config, "account", "order_rate_10s", i) && sound(config, "account", "order_rate_60s", i) &&
        account->row.order_rate_60s < account->row.order_rate_10s) {
        fault(config, line_of(config, "account", "order_rate_60s", i),
              "%s = %d: must be at least order_rate_10s = %d (a minute contains ten seconds)",
              key_path(config, "account", i, "order_rate_60s", path), account->row.order_rate_60s,
              account->row.order_rate_10s);
    }
    if (sound(config, "account", "dead_man_ms", i) && account->row.dead_man_ms != 0 &&
        account->row.dead_man_ms < 1000) {
        fault(config, line_of(config, "account", "dead_man_ms", i),
              "%s = %lld: must be 0 or at least 1000 (refreshed three times within it)",
              key_path(config, "account", i, "dead_man_ms", path), (long long)account->row.dead_man_ms);
    }
    int64_t quotes = quotes_on(config, account->row.name);
    if (sound(config, "account", "name", i) && sound(config, "risk", "max_open_orders", 0) &&
        quotes > config->risk.max_open_orders) {
        fault(config, line_of(config, "risk", "max_open_orders", 0),
              "risk.max_open_orders = %lld: must be at least %lld, the quotes on account %s",
              (long long)config->risk.max_open_orders, (long long)quotes, account->row.name);
    }
}

static bool is_currency(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")] == '\0';
}

static void check_convert(struct config *config, uint32_t i)
{
    const struct config_convert *convert = &config->convert[i];
    struct config_instrument instrument;
    char path[KEY_PATH_BYTES];
    bool named = convert->instrument[0] != '\0';

    if (sound(config, "convert", "from", i) && sound(config, "convert", "to", i)) {
        if (!is_currency(convert->from) || !is_currency(convert->to) ||
            strcmp(convert->from, convert->to) == 0) {
            fault(config, convert->line,
                  "convert[%u]: from and to must be two different currency codes in capitals", i);
        }
        for (uint32_t k = 0; k < i; k++) {
            const struct config_convert *before = &config->convert[k];
            if ((strcmp(before->from, convert->from) == 0 && strcmp(before->to, convert->to) == 0) ||
                (strcmp(before->from, convert->to) == 0 && strcmp(before->to, convert->from) == 0)) {
                fault(config, convert->line, "convert[%u]: %s and %s have a rate at line %d already", i,
                      convert->from, convert->to, before->line);
            }
        }
    }
    if (!sound(config, "convert", "instrument", i) || !sound(config, "convert", "fixed", i)) {
        return;
    }
    if (named == (convert->fixed_e8 != 0)) {
        fault(config, convert->line, "convert[%u]: must have either instrument or fixed", i);
    }
    if (convert->fixed_e8 != 0 && config->mode == MODE_LIVE) {
        fault(
            config, line_of(config, "convert", "fixed", i),
            "convert[%u].fixed: refused in live (a stable coin that falls must be seen): name an instrument",
            i);
    }
    if (named) {
        take_instrument(config, convert->instrument, line_of(config, "convert", "instrument", i),
                        key_path(config, "convert", i, "instrument", path), &instrument);
    }
}

/* "127.0.0.1:9443" or "[::1]:9443": numbers, because a simulator has no name to resolve. */
static bool is_address(const char *text)
{
    const char *colon = strrchr(text, ':');
    char host[64];
    unsigned char bytes[16];
    int64_t port;

    if (colon == NULL || decimal_parse(colon + 1, strlen(colon + 1), 0, &port) != DECIMAL_OK || port < 1 ||
        port > 65535) {
        return false;
    }
    if (text[0] == '[' && colon > text + 1 && colon[-1] == ']') {
        snprintf(host, sizeof host, "%.*s", (int)(colon - text - 2), text + 1);
        return inet_pton(AF_INET6, host, bytes) == 1;
    }
    snprintf(host, sizeof host, "%.*s", (int)(colon - text), text);
    return inet_pton(AF_INET, host, bytes) == 1;
}

static void check_venues(struct config *config)
{
    bool used[VENUE_COUNT] = { false };
    char path[KEY_PATH_BYTES];

    for (uint32_t i = 0; i < config->venue_count; i++) {
        const struct config_venue *venue = &config->venue[i];
        int line = line_of(config, "venue", "connect_to", i);
        key_path(config, "venue", i, "connect_to", path);
        used[venue->venue] = venue->connect_to[0] != '\0';
        if (venue->connect_to[0] != '\0' && !is_address(venue->connect_to)) {
            fault(config, line, "%s = \"%s\": must be an address and a port, as in 127.0.0.1:9443", path,
                  venue->connect_to);
        }
        if (venue->connect_to[0] != '\0' && sound(config, "engine", "mode", 0) && config->mode != MODE_SIM) {
            fault(config, line, "%s = \"%s\": only in mode sim (elsewhere the venue's own hosts are used)",
                  path, venue->connect_to);
        }
    }
    if (config->mode != MODE_SIM) {
        return;
    }
    for (uint32_t i = 0; i < config->instrument_count; i++) {
        uint8_t venue = config->instrument[i].venue;
        if (!used[venue]) {
            used[venue] = true; /* told once a venue */
            fault(config, config->instrument[i].line,
                  "venue.%s.connect_to is missing: mode sim must not reach the real venue",
                  venue_names[venue]);
        }
    }
}

static void check_whole(struct config *config, bool live_named)
{
    if (config->mode == MODE_LIVE && !live_named) {
        fault(config, line_of(config, "engine", "mode", 0),
              "engine.mode = \"live\": live must also be named on the command line (--live)");
    }
    if (sound(config, "engine", "journal_ring_slots", 0) &&
        (config->journal_ring_slots & (config->journal_ring_slots - 1)) != 0) {
        fault(config, line_of(config, "engine", "journal_ring_slots", 0),
              "engine.journal_ring_slots = %lld: must be a power of two",
              (long long)config->journal_ring_slots);
    }
    if (sound(config, "engine", "journal_keep_bytes", 0) && config->journal_keep_bytes != 0 &&
        config->journal_keep_bytes < 4 * config->segment_bytes) {
        fault(config, line_of(config, "engine", "journal_keep_bytes", 0),
              "engine.journal_keep_bytes = %lld: must be 0 or at least four times segment_bytes",
              (long long)config->journal_keep_bytes);
    }
    if (sound(config, "engine", "report_currency", 0) && !is_currency(config->report_currency)) {
        fault(config, line_of(config, "engine", "report_currency", 0),
              "engine.report_currency = \"%s\": must be a currency code in capitals",
              config->report_currency);
    }
    if (sound(config, "cores", "cold", 0) &&
        (config->core_cold == config->core_feed || config->core_cold == config->core_strategy ||
         config->core_cold == config->core_gateway)) {
        fault(config, line_of(config, "cores", "cold", 0),
              "cores.cold = %d: must be a number of its own (the others never wait, it does)",
              config->core_cold);
    }

    for (uint32_t i = 0; i < config->account_count; i++) {
        check_account(config, i);
    }
    for (uint32_t i = 0; i < config->quote_count; i++) {
        check_quote(config, i);
    }
    for (uint32_t i = 0; i < config->convert_count; i++) {
        check_convert(config, i);
    }
    check_venues(config);
    if (config->quote_count == 0) {
        fault(config, 0, "[[quote]] is missing: there is nothing to trade");
    }
}

/* ------------------------------------------------------------------ loading */

static bool read_file(struct config *config)
{
    FILE *file = fopen(config->path, "re");
    if (file == NULL) {
        fault(config, 0, "cannot be opened: %s", strerror(errno));
        return false;
    }
    config->text = calloc(1, CONFIG_FILE_MAX + 1);
    POISE_ASSERT(config->text != NULL);
    config->text_bytes = fread(config->text, 1, CONFIG_FILE_MAX + 1, file);
    bool good = ferror(file) == 0;
    fclose(file);
    if (!good) {
        fault(config, 0, "cannot be read: %s", strerror(errno));
    } else if (config->text_bytes > CONFIG_FILE_MAX) {
        fault(config, 0, "is longer than %d bytes", CONFIG_FILE_MAX);
        good = false;
    }
    return good;
}

/* The journal keeps what the engine was really told: overrides follow the file as comments. */
static void keep_overrides(struct config *config, const char *const *overrides)
{
    for (uint32_t i = 0; overrides != NULL && overrides[i] != NULL; i++) {
        size_t more = strlen(overrides[i]) + 16;
        char *longer = realloc(config->text, config->text_bytes + more);
        POISE_ASSERT(longer != NULL);
        config->text = longer;
        config->text_bytes +=
            (size_t)snprintf(longer + config->text_bytes, more, "# override %s\n", overrides[i]);
    }
}

bool config_load(struct config *config, const char *path, const char *const *overrides)
{
    memset(config, 0, sizeof *config);
    snprintf(config->path, sizeof config->path, "%s", path);
    if (strlen(path) >= sizeof config->path) {
        fault(config, 0, "the path is too long");
        return false;
    }
    if (!read_file(config)) {
        return false;
    }

    struct toml_list list;
    if (!toml_read(config->text, config->text_bytes, &list)) {
        fault(config, list.error_line, "not TOML: %s", list.error);
        toml_free(&list);
        return false;
    }

    /* Room for every row of every element there can be. */
    size_t most = 0;
    for (uint32_t i = 0; i < params_row_count; i++) {
        most += params_section_find(params_rows[i].section)->max_count;
    }
    config->value = calloc(most, sizeof *config->value);
    POISE_ASSERT(config->value != NULL);

    for (uint32_t i = 0; i < params_section_count; i++) {
        if (params_sections[i].shape == SHAPE_ONE) {
            set_defaults(config, &params_sections[i], 0);
        }
    }
    take_entries(config, &list);
    toml_free(&list);

    bool live_named = false;
    for (uint32_t i = 0; overrides != NULL && overrides[i] != NULL; i++) {
        if (strcmp(overrides[i], "--live") == 0) {
            live_named = true;
        } else {
            take_override(config, overrides[i]);
        }
    }
    keep_overrides(config, overrides);

    check_required(config);
    check_whole(config, live_named);
    sort_faults(config);
    return config->fault_count == 0;
}

void config_free(struct config *config)
{
    free(config->text);
    free(config->value);
    config->text = NULL;
    config->value = NULL;
    config->value_count = 0;
}

/* ------------------------------------------------------------------ binding to instruments */

/* A decimal in the instrument's quantity unit, on its lot; false with a fault told. */
static bool bind_qty(struct config *config, uint32_t i, const char *key, const char *text,
                     const struct instrument *instrument, int64_t *qty)
{
    char path[KEY_PATH_BYTES];
    char lot[DECIMAL_TEXT_BYTES];
    int line = line_of(config, "quote", key, i);

    decimal_print_short(lot, instrument->lot, instrument->qty_decimals);
    key_path(config, "quote", i, key, path);
    if (decimal_parse(text, strlen(text), instrument->qty_decimals, qty) != DECIMAL_OK ||
        *qty % instrument->lot != 0) {
        fault(config, line, "%s = %s: must be a multiple of %s, the lot of %s", path, text, lot,
              instrument->name);
        return false;
    }
    return true;
}

static void bind_size(struct config *config, uint32_t i, const struct instrument *instrument)
{
    struct config_quote *quote = &config->quote[i];
    struct quote_params *params = &quote->params;
    char path[KEY_PATH_BYTES];
    char bound[DECIMAL_TEXT_BYTES];

    if (!bind_qty(config, i, "size", quote->size, instrument, &params->size)) {
        return;
    }
    int line = line_of(config, "quote", "size", i);
    key_path(config, "quote", i, "size", path);
    if (params->size < instrument->min_qty) {
        decimal_print_short(bound, instrument->min_qty, instrument->qty_decimals);
        fault(config, line, "%s = %s: must be at least %s, the smallest order of %s", path, quote->size,
              bound, instrument->name);
    }
    int128 largest =
        (int128)params->size * (100 + (int128)(params->levels - 1) * params->size_step_percent) / 100;
    if (instrument->max_qty > 0 && largest > instrument->max_qty) {
        decimal_print_short(bound, instrument->max_qty, instrument->qty_decimals);
        fault(config, line, "%s = %s: the furthest level exceeds %s, the largest order of %s", path,
              quote->size, bound, instrument->name);
    }
    /* An inverse contract is worth the same at any price. */
    bool inverse = instrument->kind == KIND_INVERSE_PERPETUAL || instrument->kind == KIND_INVERSE_FUTURE;
    if (inverse && largest * instrument->contract_e8 / decimal_power[instrument->qty_decimals] >
                       config->risk.max_order_e8) {
        decimal_print_short(bound, config->risk.max_order_e8, DECIMAL_MONEY);
        fault(config, line, "%s = %s: the furthest level exceeds risk.max_order = %s", path, quote->size,
              bound);
    }
}

static const struct instrument *bind_instrument(struct config *config,
                                                const struct instrument_table *instruments, uint32_t i,
                                                const char *key, const char *name)
{
    const struct instrument *instrument = instrument_by_name(instruments, name);
    char path[KEY_PATH_BYTES];

    if (instrument == NULL) {
        fault(config, line_of(config, "quote", key, i), "%s = \"%s\": the venue lists no such instrument",
              key_path(config, "quote", i, key, path), name);
    }
    return instrument;
}

/* Whether a chain of conversions leads from one currency to another. */
static bool converts(const struct config *config, const char *from, const char *to)
{
    const char *reached[2 * CONFIG_CONVERTS_MAX + 1] = { from };
    uint32_t count = 1;

    for (uint32_t at = 0; at < count; at++) {
        if (strcmp(reached[at], to) == 0) {
            return true;
        }
        for (uint32_t i = 0; i < config->convert_count; i++) {
            const struct config_convert *convert = &config->convert[i];
            const char *next = strcmp(convert->from, reached[at]) == 0 ? convert->to
                               : strcmp(convert->to, reached[at]) == 0 ? convert->from
                                                                       : NULL;
            bool seen = next == NULL;
            for (uint32_t k = 0; k < count && !seen; k++) {
                seen = strcmp(reached[k], next) == 0;
            }
            if (!seen && count < POISE_COUNT_OF(reached)) {
                reached[count++] = next;
            }
        }
    }
    return false;
}

/* A leg's prices and profits must reach the reporting currency.  The base coin itself is worth the leg's own
 * price and needs no row. */
static void bind_currency(struct config *config, const struct instrument_table *instruments, uint32_t i,
                          const char *key, const struct instrument *instrument, uint16_t currency,
                          const char *toward)
{
    char path[KEY_PATH_BYTES];
    const char *code = currency_code(instruments, currency);

    if (currency == instrument->base || converts(config, code, toward)) {
        return;
    }
    fault(config, line_of(config, "quote", key, i),
          "%s = \"%s\": needs a [[convert]] from %s to %s (they are different currencies)",
          key_path(config, "quote", i, key, path), instrument->name, code, toward);
}

static void bind_quote(struct config *config, struct instrument_table *instruments, uint32_t i)
{
    struct config_quote *quote = &config->quote[i];
    struct quote_params *params = &quote->params;
    char path[KEY_PATH_BYTES];
    const struct instrument *leg = bind_instrument(config, instruments, i, "quote_leg", quote->quote_leg);
    const struct instrument *hedge = bind_instrument(config, instruments, i, "hedge_leg", quote->hedge_leg);
    const struct instrument *second = NULL;
    if (quote->second_leg[0] != '\0') {
        second = bind_instrument(config, instruments, i, "second_leg", quote->second_leg);
    }

    if (leg != NULL) {
        params->quote_instrument = leg->index;
        bind_size(config, i, leg);
        bind_qty(config, i, "max_inventory", quote->max_inventory, leg, &params->max_inventory);
        bind_qty(config, i, "target_inventory", quote->target_inventory, leg, &params->target_inventory);
        bind_currency(config, instruments, i, "quote_leg", leg, leg->quote, config->report_currency);
        if (leg->settle != leg->quote) {
            bind_currency(config, instruments, i, "quote_leg", leg, leg->settle, config->report_currency);
        }
    }
    const struct instrument *hedges[2] = { hedge, second };
    const char *const keys[2] = { "hedge_leg", "second_leg" };
    for (uint32_t k = 0; k < 2; k++) {
        if (hedges[k] == NULL) {
            continue;
        }
        bind_currency(config, instruments, i, keys[k], hedges[k], hedges[k]->quote, config->report_currency);
        if (hedges[k]->settle != hedges[k]->quote) {
            bind_currency(config, instruments, i, keys[k], hedges[k], hedges[k]->settle,
                          config->report_currency);
        }
        if (leg != NULL && leg->base != hedges[k]->base) {
            fault(config, line_of(config, "quote", keys[k], i),
                  "%s = \"%s\": its coin is %s and the quoted leg's is %s (legs must cancel)",
                  key_path(config, "quote", i, keys[k], path), hedges[k]->name,
                  currency_code(instruments, hedges[k]->base), currency_code(instruments, leg->base));
        }
    }
    params->hedge_instrument = hedge != NULL ? hedge->index : NO_INSTRUMENT;
    params->second_instrument = second != NULL ? second->index : NO_INSTRUMENT;
}

static uint16_t account_index(const struct account_table *accounts, const char *name)
{
    const struct account *row = account_by_name(accounts, name);
    return row != NULL ? row->index : NO_ACCOUNT;
}

bool config_bind(struct config *config, struct instrument_table *instruments, struct account_table *accounts)
{
    config->risk.report_currency =
        currency_find(instruments, config->report_currency, strlen(config->report_currency), true);

    accounts->count = config->account_count;
    for (uint32_t i = 0; i < config->account_count; i++) {
        config->account[i].row.index = (uint16_t)i;
        accounts->row[i] = config->account[i].row;
    }
    for (uint32_t i = 0; i < config->convert_count; i++) {
        const struct config_convert *convert = &config->convert[i];
        currency_find(instruments, convert->from, strlen(convert->from), true);
        currency_find(instruments, convert->to, strlen(convert->to), true);
        if (convert->instrument[0] == '\0') {
            continue;
        }
        const struct instrument *rate = instrument_by_name(instruments, convert->instrument);
        int line = line_of(config, "convert", "instrument", i);
        if (rate == NULL) {
            fault(config, line, "convert[%u].instrument = \"%s\": the venue lists no such instrument", i,
                  convert->instrument);
        } else if (strcmp(currency_code(instruments, rate->base), convert->from) != 0 ||
                   strcmp(currency_code(instruments, rate->quote), convert->to) != 0) {
            fault(config, line, "convert[%u].instrument = \"%s\": is the price of %s in %s, not of %s in %s",
                  i, convert->instrument, currency_code(instruments, rate->base),
                  currency_code(instruments, rate->quote), convert->from, convert->to);
        }
    }
    for (uint32_t i = 0; i < config->quote_count; i++) {
        struct config_quote *quote = &config->quote[i];
        bind_quote(config, instruments, i);
        quote->params.quote_account = account_index(accounts, quote->quote_account);
        quote->params.hedge_account = account_index(accounts, quote->hedge_account);
        quote->params.second_account = account_index(accounts, quote->second_account);
    }
    sort_faults(config);
    return config->fault_count == 0;
}

/* ------------------------------------------------------------------ printing */

static void print_json_text(FILE *out, const char *text)
{
    fputc('"', out);
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0'; at++) {
        if (*at == '"' || *at == '\\') {
            fprintf(out, "\\%c", *at);
        } else if (*at < 0x20) {
            fprintf(out, "\\u%04x", *at);
        } else {
            fputc(*at, out);
        }
    }
    fputc('"', out);
}

void config_print(const struct config *config, struct _IO_FILE *out, bool json)
{
    char path[KEY_PATH_BYTES];
    char text[VALUE_TEXT_BYTES];
    char source[PLACE_BYTES];

    for (uint32_t s = 0; s < params_section_count; s++) {
        const struct params_section *section = &params_sections[s];
        for (uint32_t element = 0; element < count_of(config, section); element++) {
            for (uint32_t i = 0; i < params_row_count; i++) {
                const struct params_row *row = &params_rows[i];
                const struct config_value *value = value_of(config, row, element);
                if (strcmp(row->section, section->name) != 0 || value == NULL) {
                    continue;
                }
                key_path(config, section->name, element, row->key, path);
                print_value(config, row, element, text);
                if (value->line == 0) {
                    snprintf(source, sizeof source, "default");
                } else {
                    place(config, value->line, source);
                }
                if (json) {
                    fputs("{\"key\":", out);
                    print_json_text(out, path);
                    fputs(",\"value\":", out);
                    print_json_text(out, text);
                    fputs(",\"source\":", out);
                    print_json_text(out, source);
                    fputs(",\"purpose\":", out);
                    print_json_text(out, row->purpose);
                    fputs("}\n", out);
                } else {
                    bool quoted =
                        row->type == PARAM_TEXT || row->type == PARAM_NAME || row->type == PARAM_CHOICE;
                    char shown[VALUE_TEXT_BYTES + 2];
                    snprintf(shown, sizeof shown, quoted ? "\"%s\"" : "%s", text);
                    fprintf(out, "%-36s = %-34s # %s\n", path, shown, source);
                }
            }
        }
    }
}
