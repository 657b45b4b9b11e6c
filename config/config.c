#include "config/config_parts.h"
#include "config/toml.h"
#include "ring/decimal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONFIG_FILE_MAX  (1 << 20)
#define VALUE_TEXT_BYTES (CONFIG_PATH_BYTES + 8)
#define ELEMENT_NONE     UINT16_MAX

/* ------------------------------------------------------------------ one value */

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
    void *field = config_field_of(config, row, element);
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
    struct config_value *value = config_value_of(config, row, element);
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

    config_key_path(config, row->section, element, row->key, path);
    if (!right_type(row, type)) {
        const char *quote = type == TOML_STRING ? "\"" : "";
        value->faulty = true;
        config_tell(config, line, "%s = %s%.60s%s: must be %s (%s)", path, quote, text, quote,
                    wanted(row, bounds, sizeof bounds), row->purpose);
        return;
    }
    const char *wrong = set_value(config, row, element, text, text_bytes);
    value->faulty = wrong != NULL;
    if (wrong != NULL) {
        const char *quote = type == TOML_STRING ? "\"" : "";
        config_tell(config, line, "%s = %s%.60s%s: %s (%s)", path, quote, text, quote, wrong, row->purpose);
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
    uint32_t count = config_count_of(config, section);
    if (count >= section->max_count) {
        return ELEMENT_NONE;
    }
    memset(config_element_of(config, section, count), 0, section->element_bytes);
    memcpy(config_element_of(config, section, count) + section->line_offset, &line, sizeof line);
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
            if (element < POISE_COUNT_OF(config->venue)) {
                config->venue[element].venue = id;
            }
            return element;
        }
    }
    return ELEMENT_NONE;
}

static void unknown_key(struct config *config, int line, const char *section, const char *key)
{
    const char *nearest = params_nearest(section, key);
    if (nearest != NULL) {
        config_tell(config, line, "%s.%s: unknown key: did you mean %s.%s?", section, key, section, nearest);
        return;
    }
    /* The right key in the wrong place is as frequent as a slip of the finger. */
    for (uint32_t i = 0; i < params_row_count; i++) {
        if (strcmp(params_rows[i].key, key) == 0) {
            config_tell(config, line, "%s.%s: unknown key: %s stands in [%s]", section, key, key,
                        params_rows[i].section);
            return;
        }
    }
    config_tell(config, line, "%s.%s: unknown key: nothing in [%s] has a similar name", section, key,
                section);
}

static void unknown_section(struct config *config, int line, const char *name)
{
    const char *nearest = params_nearest_section(name);
    if (nearest != NULL) {
        config_tell(config, line, "[%s]: unknown section: did you mean [%s]?", name, nearest);
    } else {
        config_tell(config, line,
                    "[%s]: unknown section: there are engine, cores, risk, venue, account, convert, quote",
                    name);
    }
}

/* Finds or makes the element that a section of the file fills, by the section's shape; ELEMENT_NONE, with a
 * fault told where one is due, when its keys go nowhere. */
static uint32_t enter_section(struct config *config, const struct toml_entry *entry,
                              const struct params_section **section)
{
    const char *name = entry->section;
    const char *sub = strchr(name, '.');
    char top[TOML_NAME_BYTES];

    snprintf(top, sizeof top, "%.*s", (int)strcspn(name, "."), name);
    *section = params_section_find(top);
    if (*section == NULL) {
        unknown_section(config, entry->line, name);
        return ELEMENT_NONE;
    }
    if ((*section)->shape == SHAPE_NAMED) {
        if (entry->element >= 0 || (sub != NULL && strchr(sub + 1, '.') != NULL)) {
            config_tell(config, entry->line, "[%s]: must be written [%s.NAME]", name, top);
            return ELEMENT_NONE;
        }
        if (sub == NULL) {
            return ELEMENT_NONE; /* the table that holds the named ones */
        }
        uint32_t element = venue_element(config, sub + 1, entry->line);
        if (element == ELEMENT_NONE) {
            config_tell_venue(config, entry->line, sub + 1);
        }
        return element;
    }
    if (sub != NULL) {
        config_tell(config, entry->line, "[%s]: unknown section below [%s]", name, top);
        return ELEMENT_NONE;
    }
    if ((*section)->shape == SHAPE_ONE) {
        if (entry->element >= 0) {
            config_tell(config, entry->line, "[[%s]]: must be written [%s]: there is only one", name, name);
            return ELEMENT_NONE;
        }
        return 0;
    }
    if (entry->element < 0) {
        config_tell(config, entry->line, "[%s]: must be written [[%s]]: there may be several", name, name);
        return ELEMENT_NONE;
    }
    if (entry->type != TOML_SECTION) {
        /* Back from a table inside it. */
        return (uint32_t)entry->element < config_count_of(config, *section) ? (uint32_t)entry->element
                                                                            : ELEMENT_NONE;
    }
    uint32_t element = open_element(config, *section, entry->line);
    if (element == ELEMENT_NONE) {
        config_tell(config, entry->line, "[[%s]]: at most %u of them", name, (*section)->max_count);
    }
    return element;
}

/* Takes the file's entries in their order: a section opens an element, keys fill it. */
static void take_entries(struct config *config, const struct toml_list *list)
{
    const struct params_section *section = NULL;
    const struct toml_entry *before = NULL;
    uint32_t element = ELEMENT_NONE;

    for (uint32_t i = 0; i < list->count; before = &list->entry[i], i++) {
        const struct toml_entry *entry = &list->entry[i];

        if (entry->section[0] == '\0') {
            config_tell(config, entry->line, "%s: unknown key: keys stand in a section", entry->key);
            continue;
        }
        if (entry->type == TOML_SECTION || before == NULL || before->element != entry->element ||
            strcmp(before->section, entry->section) != 0) {
            element = enter_section(config, entry, &section);
        }
        if (entry->type == TOML_SECTION) {
            continue;
        }
        if (section != NULL && section->shape == SHAPE_NAMED && strcmp(entry->section, section->name) == 0) {
            config_tell(config, entry->line, "%s.%s: unknown key: must stand in [%s.NAME]", entry->section,
                        entry->key, entry->section);
        }
        if (element == ELEMENT_NONE) {
            continue; /* its section was refused */
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
        if (end == rest + 1 || end[0] != ']' || end[1] != '.' ||
            *element >= config_count_of(config, *section)) {
            config_tell(config, LINE_OF_OVERRIDES, "%s: there is no such [[%s]]", path, name);
            return false;
        }
        *key = end + 2;
        return true;
    }
    if (rest[0] != '.') {
        config_tell(config, LINE_OF_OVERRIDES, "%s: must be SECTION.KEY=VALUE", path);
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
        config_tell(config, LINE_OF_OVERRIDES, "%s: must be %s.NAME.KEY=VALUE", path, name);
        return false;
    }
    char which[TOML_NAME_BYTES];
    snprintf(which, sizeof which, "%.*s", (int)(point - rest), rest);
    *key = point + 1;
    if ((*section)->shape == SHAPE_NAMED) {
        *element = venue_element(config, which, LINE_OF_OVERRIDES);
        if (*element == ELEMENT_NONE) {
            config_tell_venue(config, LINE_OF_OVERRIDES, which);
        }
        return *element != ELEMENT_NONE;
    }
    for (uint32_t i = 0; i < config_count_of(config, *section); i++) {
        const char *has = strcmp(name, "account") == 0 ? config->account[i].row.name
                          : strcmp(name, "quote") == 0 ? config->quote[i].params.name
                                                       : "";
        if (has[0] != '\0' && strcmp(has, which) == 0) {
            *element = i;
            return true;
        }
    }
    config_tell(config, LINE_OF_OVERRIDES, "%s: there is no [[%s]] called %s", path, name, which);
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
        config_tell(config, LINE_OF_OVERRIDES, "%.80s: must be SECTION.KEY=VALUE", text);
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
        config_key_path(config, row->section, value->element, row->key, path);
        config_tell(config, config_line_of(config, row->section, row->key, value->element),
                    "%s is missing: must be %s (%s)", path, wanted(row, bounds, sizeof bounds), row->purpose);
    }
}

/* ------------------------------------------------------------------ loading */

static bool read_file(struct config *config)
{
    FILE *file = fopen(config->path, "re");
    if (file == NULL) {
        config_tell(config, 0, "cannot be opened: %s", strerror(errno));
        return false;
    }
    config->text = calloc(1, CONFIG_FILE_MAX + 1);
    POISE_ASSERT(config->text != NULL);
    config->text_bytes = fread(config->text, 1, CONFIG_FILE_MAX + 1, file);
    bool good = ferror(file) == 0;
    fclose(file);
    if (!good) {
        config_tell(config, 0, "cannot be read: %s", strerror(errno));
    } else if (config->text_bytes > CONFIG_FILE_MAX) {
        config_tell(config, 0, "is longer than %d bytes", CONFIG_FILE_MAX);
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
        config_tell(config, 0, "the path is too long");
        return false;
    }
    if (!read_file(config)) {
        return false;
    }

    struct toml_list list;
    if (!toml_read(config->text, config->text_bytes, &list)) {
        config_tell(config, list.error_line, "not TOML: %s", list.error);
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
    config_check(config, live_named);
    config_sort_faults(config);
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
