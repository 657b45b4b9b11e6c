#include "cold/log.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

static const char *const level_names[] = { "debug", "info", "warning", "error" };

bool log_open(struct log_file *log, const char *path, enum log_level least)
{
    memset(log, 0, sizeof *log);
    log->least = least;
    log->file = STDERR_FILENO;
    if (path != NULL) {
        log->file = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        log->owned = log->file >= 0;
    }
    return log->file >= 0;
}

void log_close(struct log_file *log)
{
    if (log->owned) {
        close(log->file);
    }
    log->owned = false;
    log->file = -1;
}

bool log_level_named(const char *name, enum log_level *level)
{
    for (uint32_t i = 0; i < POISE_COUNT_OF(level_names); i++) {
        if (strcmp(level_names[i], name) == 0) {
            *level = (enum log_level)i;
            return true;
        }
    }
    return false;
}

/* A line under construction.  `full` once something did not fit: what is there stays whole. */
struct line {
    char text[LOG_LINE_BYTES];
    uint32_t bytes;
    uint32_t limit;
    bool full;
};

static void put(struct line *line, const char *text, size_t bytes)
{
    if (line->bytes + bytes > line->limit) {
        line->full = true;
        return;
    }
    memcpy(line->text + line->bytes, text, bytes);
    line->bytes += (uint32_t)bytes;
}

static void put_text(struct line *line, const char *text)
{
    char escaped[8];

    put(line, "\"", 1);
    for (const unsigned char *at = (const unsigned char *)text; *at != '\0' && !line->full; at++) {
        if (*at == '"' || *at == '\\') {
            escaped[0] = '\\';
            escaped[1] = (char)*at;
            put(line, escaped, 2);
        } else if (*at < 0x20 || *at >= 0x7f) {
            /* Bytes that are not plain text come from outside: a terminal must not obey them. */
            put(line, escaped, (size_t)snprintf(escaped, sizeof escaped, "\\u%04x", *at));
        } else {
            put(line, (const char *)at, 1);
        }
    }
    put(line, "\"", 1);
}

static void put_number(struct line *line, int64_t number)
{
    char digits[24];
    put(line, digits, (size_t)snprintf(digits, sizeof digits, "%lld", (long long)number));
}

static void put_time(struct line *line, int64_t wall_ns)
{
    char text[48];
    time_t seconds = (time_t)(wall_ns / 1000000000);
    struct tm parts;
    gmtime_r(&seconds, &parts);
    size_t bytes = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &parts);
    bytes +=
        (size_t)snprintf(text + bytes, sizeof text - bytes, ".%06ldZ", (long)(wall_ns % 1000000000 / 1000));
    put_text(line, text);
}

static bool sounds_secret(const char *name)
{
    static const char *const words[] = { "key",       "secret", "token",   "passphrase",
                                         "signature", "seed",   "password" };
    for (size_t i = 0; i < POISE_COUNT_OF(words); i++) {
        if (strcasestr(name, words[i]) != NULL) {
            return true;
        }
    }
    return false;
}

/* A field goes in whole or not at all. */
static bool put_field(struct line *line, const struct log_field *field)
{
    uint32_t before = line->bytes;

    put(line, ",", 1);
    put_text(line, field->name);
    put(line, ":", 1);
    if (sounds_secret(field->name)) {
        put_text(line, "***");
    } else if (field->kind == LOG_FIELD_NUMBER) {
        put_number(line, field->number);
    } else if (field->kind == LOG_FIELD_BOOL) {
        put(line, field->number != 0 ? "true" : "false", field->number != 0 ? 4 : 5);
    } else {
        put_text(line, field->text != NULL ? field->text : "");
    }
    if (line->full) {
        line->bytes = before;
        return false;
    }
    return true;
}

static struct log_event *event_row(struct log_file *log, const char *event)
{
    for (uint32_t i = 0; i < log->event_count; i++) {
        if (strncmp(log->event[i].name, event, LOG_EVENT_BYTES - 1) == 0) {
            return &log->event[i];
        }
    }
    if (log->event_count == LOG_EVENTS_MAX) {
        return &log->event[LOG_EVENTS_MAX];
    }
    struct log_event *row = &log->event[log->event_count++];
    snprintf(row->name, sizeof row->name, "%s", event);
    return row;
}

void log_write(struct log_file *log, int64_t wall_ns, enum log_level level, const char *event,
               const struct log_field *field, uint32_t field_count)
{
    if (level < log->least || log->file < 0) {
        return;
    }
    struct log_event *row = event_row(log, event);
    if (row->second != wall_ns / 1000000000) {
        row->second = wall_ns / 1000000000;
        row->written = 0;
    }
    if (row->written >= LOG_BURST) {
        row->left_out++;
        log->left_out++;
        return;
    }
    row->written++;

    /* Room for the closing words is kept apart. */
    struct line line = { .limit = LOG_LINE_BYTES - 96 };
    put(&line, "{\"time\":", 8);
    put_time(&line, wall_ns);
    put(&line, ",\"level\":", 9);
    put_text(&line, level_names[level]);
    put(&line, ",\"event\":", 9);
    put_text(&line, event);
    bool cut = false;
    for (uint32_t i = 0; i < field_count && !cut; i++) {
        cut = !put_field(&line, &field[i]);
    }
    line.limit = LOG_LINE_BYTES;
    line.full = false;
    if (cut) {
        put(&line, ",\"cut\":true", 11);
    }
    if (row->left_out != 0) {
        put(&line, ",\"left_out\":", 12);
        put_number(&line, (int64_t)row->left_out);
        row->left_out = 0;
    }
    put(&line, "}\n", 2);

    /* One write a line: lines of two processes on one file do not mix. */
    ssize_t written = write(log->file, line.text, line.bytes);
    if (written == (ssize_t)line.bytes) {
        log->lines++;
    } else {
        log->failed++;
    }
}
