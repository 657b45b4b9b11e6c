#include "cold/counter_block.h"
#include "ring/order_id.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define EPOCH_2024_NS 1704067200000000000LL
#define CHECK         ((uint64_t)0x9e3779b97f4a7c15)

enum { PATH_BYTES = 512 };

/* "end check": a file that was cut short or edited by hand is not believed. */
static bool read_end(const char *path, uint64_t *end)
{
    char text[64];
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    uint64_t value, check;
    int used = 0;
    text[got > 0 ? got : 0] = '\0';
    if (sscanf(text, "%" SCNu64 " %" SCNx64 "\n%n", &value, &check, &used) != 2 || used != got ||
        check != value * CHECK) {
        return false;
    }
    *end = value;
    return true;
}

/* A new file beside the old one, synced, then put in its place: at any instant one of the two is whole. */
static bool write_end(const char *directory, const char *path, uint64_t end)
{
    char fresh[PATH_BYTES + 8], text[64];
    snprintf(fresh, sizeof fresh, "%s.new", path);
    int bytes = snprintf(text, sizeof text, "%" PRIu64 " %" PRIx64 "\n", end, (uint64_t)(end * CHECK));
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return false;
    }
    bool done = write(fd, text, (size_t)bytes) == bytes && fsync(fd) == 0;
    done = close(fd) == 0 && done;
    if (!done || rename(fresh, path) != 0) {
        return false;
    }
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    done = fd >= 0 && fsync(fd) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return done;
}

bool counter_block_known(const char *state_directory)
{
    char path[PATH_BYTES];
    uint64_t end;
    snprintf(path, sizeof path, "%s/order_ids", state_directory);
    return read_end(path, &end);
}

bool counter_block_take(const char *state_directory, uint64_t least, uint64_t count, int64_t wall_ns,
                        struct counter_block *block, char *error, size_t error_bytes)
{
    char path[PATH_BYTES];
    uint64_t next = 1;
    snprintf(path, sizeof path, "%s/order_ids", state_directory);
    if (!read_end(path, &next)) {
        next = wall_ns > EPOCH_2024_NS
                   ? (uint64_t)((wall_ns - EPOCH_2024_NS) / 1000000000) * COUNTER_PER_SECOND
                   : 1;
    }
    next = least > next ? least : next;
    next = next > 0 ? next : 1;
    if (count == 0 || next + count > ORDER_COUNTER_MAX) {
        snprintf(error, error_bytes,
                 "%s: the counters of this engine number are used up: give the engine another", path);
        return false;
    }
    if (!write_end(state_directory, path, next + count)) {
        snprintf(error, error_bytes, "%s: cannot reserve order ids: %s", path, strerror(errno));
        return false;
    }
    *block = (struct counter_block){ .next = next, .end = next + count };
    return true;
}
