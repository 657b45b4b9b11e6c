#include "tools/sim/sim_diary.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#define MAGIC UINT64_C(0x3130797261696470) /* "pdiary01" */

struct head {
    uint64_t magic;
    int64_t began_ns;
    uint32_t set_up_bytes;
    uint32_t check; /* of the set-up */
};

struct line {
    uint32_t check; /* of all that follows, the data included */
    uint32_t length;
    uint16_t kind;
    uint16_t control;
    uint32_t zero;
    int64_t at_ns;
    uint64_t conn;
    uint64_t digest;
};

static uint32_t check_of(const void *bytes, size_t length)
{
    return (uint32_t)crc32(0, bytes, (uInt)length);
}

static bool put(int fd, const void *bytes, size_t length)
{
    const char *from = bytes;

    while (length > 0) {
        ssize_t wrote = write(fd, from, length);
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote <= 0) {
            return false;
        }
        from += wrote;
        length -= (size_t)wrote;
    }
    return true;
}

static bool begin_file(struct sim_diary *diary, const char *set_up, int64_t began_ns)
{
    size_t length = strlen(set_up);
    struct head head = { MAGIC, began_ns, (uint32_t)length, check_of(set_up, length) };

    return ftruncate(diary->fd, 0) == 0 && put(diary->fd, &head, sizeof head) &&
           put(diary->fd, set_up, length);
}

static bool read_file(struct sim_diary *diary)
{
    struct stat stat;

    if (fstat(diary->fd, &stat) != 0) {
        return false;
    }
    diary->past = malloc((size_t)stat.st_size + 1);
    if (diary->past == NULL) {
        abort();
    }
    while (diary->length < (size_t)stat.st_size) {
        ssize_t got = read(diary->fd, diary->past + diary->length, (size_t)stat.st_size - diary->length);
        if (got <= 0) {
            return false;
        }
        diary->length += (size_t)got;
    }
    return true;
}

bool sim_diary_open(struct sim_diary *diary, const char *path, const char *set_up, int64_t *began_ns,
                    char *error, size_t error_size)
{
    struct head head;

    *diary = (struct sim_diary){ .fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600) };
    if (diary->fd < 0 || !read_file(diary)) {
        snprintf(error, error_size, "%s: %s", path, strerror(errno));
        return false;
    }
    if (flock(diary->fd, LOCK_EX | LOCK_NB) != 0) {
        snprintf(error, error_size, "%s: another poise-sim writes it", path);
        return false;
    }
    size_t whole = sizeof head + strlen(set_up);

    if (diary->length < sizeof head) { /* new, or killed before its first line was whole */
        diary->length = diary->at = 0;
        if (!begin_file(diary, set_up, *began_ns)) {
            snprintf(error, error_size, "%s: %s", path, strerror(errno));
            return false;
        }
        return true;
    }
    memcpy(&head, diary->past, sizeof head);
    if (head.magic != MAGIC) {
        snprintf(error, error_size, "%s: not a state file of poise-sim", path);
        return false;
    }
    if (head.set_up_bytes != strlen(set_up) || head.check != check_of(set_up, strlen(set_up))) {
        snprintf(error, error_size, "%s: written with other options; start it with the same, or remove it",
                 path);
        return false;
    }
    *began_ns = head.began_ns;
    if (diary->length < whole) { /* killed while the set-up was written: nothing had begun */
        diary->length = diary->at = 0;
        return begin_file(diary, set_up, *began_ns);
    }
    diary->at = whole;
    return true;
}

bool sim_diary_next(struct sim_diary *diary, struct sim_entry *entry, bool *damaged)
{
    struct line line;
    size_t left = diary->length - diary->at;

    *damaged = false;
    if (left >= sizeof line) {
        memcpy(&line, diary->past + diary->at, sizeof line);
    }
    if (left < sizeof line || left - sizeof line < line.length) {
        if (left > 0 && ftruncate(diary->fd, (off_t)diary->at) != 0) {
            *damaged = true;
        }
        diary->length = diary->at; /* what was begun and had no effect yet */
        return false;
    }
    const char *from = diary->past + diary->at;

    if (line.check != check_of(from + sizeof line.check, sizeof line - sizeof line.check + line.length) ||
        line.kind >= SIM_ENTRY_KIND_COUNT) {
        *damaged = true;
        return false;
    }
    diary->at += sizeof line + line.length;
    *entry = (struct sim_entry){ .kind = (enum sim_entry_kind)line.kind,
                                 .control = line.control != 0,
                                 .at_ns = line.at_ns,
                                 .conn = line.conn,
                                 .digest = line.digest,
                                 .data = from + sizeof line,
                                 .length = line.length };
    return true;
}

bool sim_diary_write(struct sim_diary *diary, const struct sim_entry *entry)
{
    struct line line = { .length = (uint32_t)entry->length,
                         .kind = (uint16_t)entry->kind,
                         .control = entry->control,
                         .at_ns = entry->at_ns,
                         .conn = entry->conn,
                         .digest = entry->digest };
    size_t whole = sizeof line + entry->length;

    if (whole > diary->capacity) {
        diary->capacity = 2 * whole;
        diary->line = realloc(diary->line, diary->capacity);
        if (diary->line == NULL) {
            abort();
        }
    }
    memcpy(diary->line, &line, sizeof line);
    if (entry->length > 0) {
        memcpy(diary->line + sizeof line, entry->data, entry->length);
    }
    line.check = check_of(diary->line + sizeof line.check, whole - sizeof line.check);
    memcpy(diary->line, &line.check, sizeof line.check);
    return put(diary->fd, diary->line, whole);
}

void sim_diary_close(struct sim_diary *diary)
{
    if (diary->fd >= 0) {
        close(diary->fd);
    }
    free(diary->past);
    free(diary->line);
    *diary = (struct sim_diary){ .fd = -1 };
}
