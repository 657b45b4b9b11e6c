#include "cold/log.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define WALL_NS 1723161255030314667LL

static struct log_file log_under_test;
static char path[] = "/tmp/poise-log-XXXXXX";
static char text[1 << 16];

static void begin(void)
{
    int file = mkstemp(path);
    cr_assert_geq(file, 0);
    close(file);
    cr_assert(log_open(&log_under_test, path, LOG_LEVEL_INFO));
}

static void end(void)
{
    log_close(&log_under_test);
    unlink(path);
}

TestSuite(log, .init = begin, .fini = end);

static const char *written(void)
{
    FILE *file = fopen(path, "re");
    size_t bytes = fread(text, 1, sizeof text - 1, file);
    text[bytes] = '\0';
    fclose(file);
    return text;
}

Test(log, a_line_is_one_object_with_time_level_event_and_fields)
{
    LOG(&log_under_test, WALL_NS, LOG_LEVEL_WARNING, "store.degraded", LOG_TEXT("why", "disk full"),
        LOG_NUMBER("rows", -7), LOG_BOOL("retry", true));
    cr_expect_str_eq(written(),
                     "{\"time\":\"2024-08-08T23:54:15.030314Z\",\"level\":\"warning\","
                     "\"event\":\"store.degraded\",\"why\":\"disk full\",\"rows\":-7,\"retry\":true}\n");
}

Test(log, what_comes_from_outside_cannot_break_the_line_or_the_terminal)
{
    LOG(&log_under_test, WALL_NS, LOG_LEVEL_INFO, "venue.said", LOG_TEXT("text", "a\"b\\c\n\x1b[2J\xff"),
        LOG_TEXT("none", NULL));
    cr_expect_not_null(strstr(written(), "\"a\\\"b\\\\c\\u000a\\u001b[2J\\u00ff\",\"none\":\"\"}\n"));
}

Test(log, lines_below_the_level_are_not_there)
{
    LOG(&log_under_test, WALL_NS, LOG_LEVEL_DEBUG, "x", LOG_NUMBER("n", 1));
    cr_expect_str_eq(written(), "");
    cr_expect_eq(log_under_test.lines, 0);
}

Test(log, one_event_cannot_flood_it_and_the_rest_is_counted)
{
    for (int i = 0; i < 100; i++) {
        LOG(&log_under_test, WALL_NS, LOG_LEVEL_INFO, "often", LOG_NUMBER("i", i));
    }
    LOG(&log_under_test, WALL_NS, LOG_LEVEL_INFO, "rare", LOG_NUMBER("i", 0));
    cr_expect_eq(log_under_test.lines, LOG_BURST + 1);
    cr_expect_eq(log_under_test.left_out, 100 - LOG_BURST);
    cr_expect_not_null(strstr(written(), "\"rare\""));
    cr_expect_null(strstr(text, "left_out"));

    LOG(&log_under_test, WALL_NS + 1000000000, LOG_LEVEL_INFO, "often", LOG_NUMBER("i", 100));
    cr_expect_not_null(strstr(written(), "\"i\":100,\"left_out\":80}\n"));
    LOG(&log_under_test, WALL_NS + 2000000000, LOG_LEVEL_INFO, "often", LOG_NUMBER("i", 101));
    cr_expect_not_null(strstr(written(), "\"i\":101}\n"), "told once");
}

Test(log, more_events_than_rows_share_one)
{
    char name[16];
    for (int i = 0; i < LOG_EVENTS_MAX + 50; i++) {
        snprintf(name, sizeof name, "e%d", i);
        LOG(&log_under_test, WALL_NS, LOG_LEVEL_INFO, name, LOG_NUMBER("i", i));
    }
    cr_expect_eq(log_under_test.lines, LOG_EVENTS_MAX + LOG_BURST);
}

Test(log, secrets_are_never_written)
{
    LOG(&log_under_test, WALL_NS, LOG_LEVEL_ERROR, "login", LOG_TEXT("api_key", "hush"),
        LOG_TEXT("Secret", "hush"), LOG_TEXT("passphrase", "hush"), LOG_NUMBER("token_number", 4711),
        LOG_TEXT("signature", "hush"));
    cr_expect_null(strstr(written(), "hush"));
    cr_expect_null(strstr(text, "4711"));
    cr_expect_not_null(strstr(text, "\"api_key\":\"***\""));
}

Test(log, a_long_line_loses_whole_fields_and_says_so)
{
    static char longer[3000];
    memset(longer, 'x', sizeof longer - 1);
    LOG(&log_under_test, WALL_NS, LOG_LEVEL_INFO, "long", LOG_NUMBER("first", 1), LOG_TEXT("second", longer),
        LOG_NUMBER("third", 3));
    cr_expect_not_null(strstr(written(), "\"first\":1,\"cut\":true}\n"));
    cr_expect_null(strstr(text, "xxx"));
}

Test(log, a_full_disk_is_counted_and_survived)
{
    log_close(&log_under_test);
    cr_assert(log_open(&log_under_test, "/dev/full", LOG_LEVEL_INFO));
    LOG(&log_under_test, WALL_NS, LOG_LEVEL_INFO, "x", LOG_NUMBER("n", 1));
    cr_expect_eq(log_under_test.failed, 1);
    cr_expect_eq(log_under_test.lines, 0);
}

Test(log, levels_have_the_names_of_the_configuration)
{
    enum log_level level;
    cr_expect(log_level_named("warning", &level));
    cr_expect_eq(level, LOG_LEVEL_WARNING);
    cr_expect_not(log_level_named("loud", &level));
}
