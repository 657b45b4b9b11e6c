#include "config/config_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *config_place(const struct config *config, int line, char out[PLACE_BYTES])
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

static void add_fault(struct config *config, int line, const char *what)
{
    uint32_t at = config->fault_count++;
    if (at >= CONFIG_FAULTS_MAX) {
        return;
    }

    char where[PLACE_BYTES];

    struct config_fault *told = &config->fault[at];
    told->line = line;
    /* A long path takes room from the sentence, never the other way round. */
    int length = snprintf(told->text, sizeof told->text, "%s: ", config_place(config, line, where));
    size_t used = length < 0 ? 0 : base_min(length, (int64_t)sizeof told->text - 1);
    snprintf(told->text + used, sizeof told->text - used, "%.*s", (int)(sizeof told->text - used - 1), what);
}

void config_tell(struct config *config, int line, const char *form, ...)
{
    char what[CONFIG_FAULT_BYTES];
    va_list arguments;

    va_start(arguments, form);
    vsnprintf(what, sizeof what, form, arguments);
    va_end(arguments);
    add_fault(config, line, what);
}

void config_tell_quote(struct config *config, uint32_t i, const char *key, const char *form, ...)
{
    char what[CONFIG_FAULT_BYTES];
    char path[KEY_PATH_BYTES];
    va_list arguments;

    int used = snprintf(what, sizeof what, "%s", config_key_path(config, "quote", i, key, path));
    va_start(arguments, form);
    vsnprintf(what + used, sizeof what - (size_t)used, form, arguments);
    va_end(arguments);
    add_fault(config, config_line_of(config, "quote", key, i), what);
}

void config_tell_venue(struct config *config, int line, const char *name)
{
    uint8_t nearest = VENUE_BINANCE;
    for (uint8_t id = VENUE_NONE + 1; id < VENUE_COUNT; id++) {
        if (params_distance(name, venue_names[id]) < params_distance(name, venue_names[nearest])) {
            nearest = id;
        }
    }
    config_tell(config, line, "\"%.40s\" is not a venue: did you mean %s?", name, venue_names[nearest]);
}

/* People mend a file from the top.  Insertion sort: stable, and there are few. */
void config_sort_faults(struct config *config)
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

uint32_t config_count_of(const struct config *config, const struct params_section *section)
{
    if (section->shape == SHAPE_ONE) {
        return 1;
    }
    uint32_t count;
    memcpy(&count, (const char *)config + section->count_offset, sizeof count);
    return count;
}

char *config_element_of(const struct config *config, const struct params_section *section, uint32_t element)
{
    return (char *)(uintptr_t)config + section->offset + (size_t)element * section->element_bytes;
}

void *config_field_of(const struct config *config, const struct params_row *row, uint32_t element)
{
    return config_element_of(config, params_section_find(row->section), element) + row->offset;
}

int64_t config_integer(const void *field, uint16_t bytes)
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

struct config_value *config_value_of(const struct config *config, const struct params_row *row,
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

int config_line_of(const struct config *config, const char *section_name, const char *key, uint32_t element)
{
    const struct params_section *section = params_section_find(section_name);
    const struct config_value *value = config_value_of(config, params_row_find(section_name, key), element);
    if (value != NULL && value->line != 0) {
        return value->line;
    }
    if (section->shape == SHAPE_ONE) {
        return 0;
    }
    int line;
    memcpy(&line, config_element_of(config, section, element) + section->line_offset, sizeof line);
    return line;
}

bool config_sound(const struct config *config, const char *section, const char *key, uint32_t element)
{
    const struct config_value *value = config_value_of(config, params_row_find(section, key), element);
    return value != NULL && !value->faulty;
}

const char *config_key_path(const struct config *config, const char *section_name, uint32_t element,
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
