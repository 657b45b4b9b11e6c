/* poise.toml is the manual: every row of the table stands there with a comment and its default. */
#include "config/config.h"

#include "config/params_rows.h"
#include "ring/decimal.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct config config;

static char *read_all(const char *path)
{
    FILE *file = fopen(path, "re");
    cr_assert_not_null(file, "%s", path);
    char *text = calloc(1, 1 << 20);
    size_t bytes = fread(text, 1, (1 << 20) - 1, file);
    cr_assert_gt(bytes, 0);
    fclose(file);
    return text;
}

static void go_home(void)
{
    cr_assert_eq(chdir(POISE_SOURCE_DIR), 0);
}

/* One key of poise.toml: the line it stands on, the value as written, the comment above it. */
struct written {
    char value[128];
    char comment[2048];
    bool found;
};

/* Reads the first `key = value` inside the section, and the comment lines directly above it. */
static void find_written(const char *text, const char *section, const char *key, struct written *written)
{
    char line[512];
    char comment[2048] = "";
    bool inside = false;

    *written = (struct written){ .found = false };
    for (const char *at = text; *at != '\0' && !written->found;) {
        size_t bytes = strcspn(at, "\n");
        snprintf(line, sizeof line, "%.*s", (int)bytes, at);
        at += bytes + (at[bytes] == '\n');
        if (line[0] == '[') {
            const char *name = line + strspn(line, "[");
            size_t length = strlen(section);
            inside = strncmp(name, section, length) == 0 && (name[length] == ']' || name[length] == '.');
            comment[0] = '\0';
        } else if (line[0] == '#') {
            snprintf(comment + strlen(comment), sizeof comment - strlen(comment), "%s\n", line);
        } else if (line[0] == '\0') {
            comment[0] = '\0';
        } else if (inside && strncmp(line, key, strlen(key)) == 0 && line[strlen(key)] == ' ') {
            const char *value = strchr(line, '=') + 2;
            written->found = true;
            snprintf(written->comment, sizeof written->comment, "%s", comment);
            snprintf(written->value, sizeof written->value, "%s", value);
        } else {
            comment[0] = '\0';
        }
    }
}

Test(params, every_key_is_explained_in_poise_toml, .init = go_home)
{
    char *text = read_all("config/poise.toml");

    for (uint32_t i = 0; i < params_row_count; i++) {
        const struct params_row *row = &params_rows[i];
        struct written written;
        find_written(text, row->section, row->key, &written);
        cr_expect(written.found, "[%s] %s is not in poise.toml", row->section, row->key);
        cr_expect_gt(strlen(written.comment), 60, "[%s] %s: explain it", row->section, row->key);

        /* What is required says so; what has a default says which, where it is a number. */
        if (row->otherwise == NULL) {
            cr_expect_not_null(strstr(written.comment, "equired"), "[%s] %s: required", row->section,
                               row->key);
        } else {
            cr_expect(strstr(written.comment, "efault") != NULL || strcmp(row->section, "cores") == 0,
                      "[%s] %s: default", row->section, row->key);
        }
    }
    free(text);
}

Test(params, poise_toml_states_the_defaults, .init = go_home)
{
    char *text = read_all("config/poise.toml");

    for (uint32_t i = 0; i < params_row_count; i++) {
        const struct params_row *row = &params_rows[i];
        struct written written;
        char expected[128];
        /* The one exception: some conversion must stand there for the file to run. */
        if (row->otherwise == NULL ||
            (strcmp(row->section, "convert") == 0 && strcmp(row->key, "fixed") == 0)) {
            continue;
        }
        find_written(text, row->section, row->key, &written);
        bool bare = row->type == PARAM_NUMBER || row->type == PARAM_BOOL || row->type == PARAM_DECIMAL;
        snprintf(expected, sizeof expected, bare ? "%s" : "\"%s\"", row->otherwise);
        cr_expect_str_eq(written.value, expected, "[%s] %s: %s, table says %s", row->section, row->key,
                         written.value, expected);
    }
    free(text);
}

/* The bounds in the comment are the table's: "1 to 5000", with or without a comma behind it. */
Test(params, poise_toml_states_the_bounds, .init = go_home)
{
    char *text = read_all("config/poise.toml");

    for (uint32_t i = 0; i < params_row_count; i++) {
        const struct params_row *row = &params_rows[i];
        struct written written;
        char low[24];
        char high[24];
        char expected[64];
        /* A limit whose upper bound only keeps it inside an int64 is told as "above 0"; of a file or a
         * currency there is nothing to tell. */
        if ((row->type != PARAM_NUMBER && row->type != PARAM_RATE) || row->decimals == 8 ||
            strcmp(row->key, "dead_man_ms") == 0 || strcmp(row->key, "journal_keep_bytes") == 0 ||
            strcmp(row->section, "cores") == 0) {
            continue;
        }
        find_written(text, row->section, row->key, &written);
        decimal_print_short(low, row->min, row->decimals);
        decimal_print_short(high, row->max, row->decimals);
        snprintf(expected, sizeof expected, "%s to %s", low, high);
        for (char *at = written.comment; *at != '\0'; at++) {
            if (at[0] == '\n' && at[1] == '#' && at[2] == ' ') {
                memmove(at + 1, at + 3, strlen(at + 3) + 1);
                *at = ' ';
            }
        }
        cr_expect_not_null(strstr(written.comment, expected), "[%s] %s: \"%s\" is not in: %s", row->section,
                           row->key, expected, written.comment);
    }
    free(text);
}

Test(params, names_of_choices_are_the_engines)
{
    const struct params_row *venue = params_row_find("account", "venue");
    const struct params_row *product = params_row_find("account", "product");
    char text[32];

    for (int i = VENUE_NONE + 1; i < VENUE_COUNT; i++) {
        params_choice(venue, i, text, sizeof text);
        cr_expect_str_eq(text, venue_names[i]);
    }
    params_choice(venue, VENUE_COUNT, text, sizeof text);
    cr_expect_str_eq(text, "");
    for (int i = PRODUCT_NONE + 1; i < PRODUCT_COUNT; i++) {
        params_choice(product, i, text, sizeof text);
        cr_expect_str_eq(text, product_names[i]);
    }
}

Test(params, the_nearest_name_is_a_near_one)
{
    cr_expect_str_eq(params_nearest("risk", "max_nakd_ms"), "max_naked_ms");
    cr_expect_str_eq(params_nearest("risk", "max_order_"), "max_order");
    cr_expect_str_eq(params_nearest("quote", "min_profit"), "min_profit_bp");
    cr_expect_null(params_nearest("risk", "colour"));
    cr_expect_str_eq(params_nearest_section("accounts"), "account");
    cr_expect_null(params_nearest_section("somewhere"));
    cr_expect_eq(params_distance("kitten", "sitting"), 3);
    cr_expect_eq(params_distance("", "abc"), 3);
}

static void expect_loads(const char *path)
{
    bool good = config_load(&config, path, NULL);
    for (uint32_t i = 0; i < config.fault_count; i++) {
        cr_log_error("%s", config.fault[i].text);
    }
    cr_expect(good, "%s has faults", path);
}

Test(params, the_files_that_ship_load, .init = go_home)
{
    expect_loads("config/poise.toml");
    cr_expect_eq(config.mode, MODE_PAPER);
    config_free(&config);

    expect_loads("config/demo.toml");
    cr_expect_eq(config.mode, MODE_SIM);
    cr_expect_str_eq(config.venue[0].connect_to, "127.0.0.1:9443");
    cr_expect_eq(config.quote[0].params.min_profit_centibp < 0, true);
    cr_expect_eq(config.quote[0].params.allocation_e8, 50000000);
    config_free(&config);
}
