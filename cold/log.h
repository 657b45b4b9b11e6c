/* log: what the cold thread has to say to people, one JSON object a line.
 *
 * Cold thread only: hot roles count and never log.  A line has a time, a level, an event ("store.degraded",
 * stable: programs look for it) and named fields.  The same event is written at most `burst` times a second;
 * the next line of it says how many were left out.  Time is an argument.  A field whose name sounds like a
 * secret (key, secret, token, passphrase, signature, seed, password) is written as "***", whatever it holds.
 */
#ifndef POISE_COLD_LOG_H
#define POISE_COLD_LOG_H

#include "ring/base.h"

enum log_level { LOG_LEVEL_DEBUG = 0, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

#define LOG_EVENTS_MAX  64 /* events whose rate is watched one by one; the others share one row */
#define LOG_LINE_BYTES  2048
#define LOG_EVENT_BYTES 48
#define LOG_BURST       20 /* lines of one event a second */

struct log_event {
    char name[LOG_EVENT_BYTES];
    int64_t second;
    uint32_t written;
    uint64_t left_out;
};

struct log_file {
    int file; /* -1 before log_open */
    bool owned;
    enum log_level least;
    uint32_t event_count;
    uint64_t lines, left_out, failed; /* failed: the disk did not take them */
    struct log_event event[LOG_EVENTS_MAX + 1];
};

enum log_field_kind { LOG_FIELD_NUMBER = 1, LOG_FIELD_TEXT, LOG_FIELD_BOOL };

struct log_field {
    const char *name;
    enum log_field_kind kind;
    int64_t number;
    const char *text;
};

#define LOG_NUMBER(field_name, value)                                                                        \
    ((struct log_field){ (field_name), LOG_FIELD_NUMBER, (int64_t)(value), NULL })
#define LOG_BOOL(field_name, value)                                                                          \
    ((struct log_field){ (field_name), LOG_FIELD_BOOL, (value) ? 1 : 0, NULL })
#define LOG_TEXT(field_name, value) ((struct log_field){ (field_name), LOG_FIELD_TEXT, 0, (value) })

/* log_open appends to the file (0600), or writes to standard error for NULL; false with errno. */
bool log_open(struct log_file *log, const char *path, enum log_level least);
void log_close(struct log_file *log);

/* log_level_named answers the level of "debug", "info", "warning", "error"; false when it is none. */
bool log_level_named(const char *name, enum log_level *level);

/* log_write writes one line, or leaves it out; it never fails and never blocks on more than the file.  A line
 * that is too long loses its last fields and says so.  wall_ns is the time it says. */
void log_write(struct log_file *log, int64_t wall_ns, enum log_level level, const char *event,
               const struct log_field *field, uint32_t field_count);

/* LOG(&log, wall_ns, LOG_LEVEL_INFO, "run.started", LOG_TEXT("mode", "sim"), LOG_NUMBER("run", 7)); */
#define LOG(log, wall_ns, level, event, ...)                                                                 \
    do {                                                                                                     \
        const struct log_field log_fields[] = { __VA_ARGS__ };                                               \
        log_write((log), (wall_ns), (level), (event), log_fields, (uint32_t)POISE_COUNT_OF(log_fields));     \
    } while (0)

#endif
