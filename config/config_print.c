#include "config/config_parts.h"
#include "ring/decimal.h"

#include <stdio.h>
#include <string.h>

#define VALUE_TEXT_BYTES (CONFIG_PATH_BYTES + 8)

static void print_value(const struct config *config, const struct params_row *row, uint32_t element,
                        char out[VALUE_TEXT_BYTES])
{
    const void *field = config_field_of(config, row, element);

    switch ((enum params_type)row->type) {
    case PARAM_TEXT:
    case PARAM_NAME:
    case PARAM_DECIMAL:
        snprintf(out, VALUE_TEXT_BYTES, "%.*s", (int)row->bytes, (const char *)field);
        break;
    case PARAM_BOOL:
        snprintf(out, VALUE_TEXT_BYTES, "%s", config_integer(field, row->bytes) != 0 ? "true" : "false");
        break;
    case PARAM_CHOICE:
        params_choice(row, config_integer(field, row->bytes), out, VALUE_TEXT_BYTES);
        break;
    case PARAM_RATE:
        if (config_integer(field, row->bytes) == INT64_MIN) {
            snprintf(out, VALUE_TEXT_BYTES, "venue");
            break;
        }
        __attribute__((fallthrough));
    case PARAM_NUMBER:
        decimal_print_short(out, config_integer(field, row->bytes), row->decimals);
        break;
    }
}

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
        for (uint32_t element = 0; element < config_count_of(config, section); element++) {
            for (uint32_t i = 0; i < params_row_count; i++) {
                const struct params_row *row = &params_rows[i];
                const struct config_value *value = config_value_of(config, row, element);
                if (strcmp(row->section, section->name) != 0 || value == NULL) {
                    continue;
                }
                config_key_path(config, section->name, element, row->key, path);
                print_value(config, row, element, text);
                if (value->line == 0) {
                    snprintf(source, sizeof source, "default");
                } else {
                    config_place(config, value->line, source);
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
