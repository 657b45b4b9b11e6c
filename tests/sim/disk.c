#include "tests/sim/disk.h"
#include "tests/sim/point.h"
#include "tests/sim/time.h"
#include "tests/sim/trouble.h"
#include "tests/sim/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FILES_MAX = 256, SECTOR = 512 };
#define UNSYNCED_NS                                                                                          \
    (15 * NS_PER_S) /* journal_sync_ms is far less; one that leaves asks for some seconds,                   \
                     */
#define UNSYNCED_TURNS                                                                                       \
    50 /* and so many turns of who syncs: a process may be suspended, or ask and wait, for a minute */

struct disk_file {
    char path[256];
    int fd;
    off_t written, synced;
    uint64_t since_ns; /* synced is less than written since then; 0 it is not */
    uint64_t since_turn;
};

static struct {
    struct sim_random random;
    enum disk_fault fault;
    int64_t short_ppm;
    uint64_t ill_ns; /* when a call was last refused */
    uint64_t turns;
    struct disk_counts counts;
    uint32_t count;
    struct disk_file file[FILES_MAX];
} disk;

const char *const disk_fault_names[DISK_FAULT_COUNT] = { "well", "full", "read-only", "broken" };

static bool fails(int *error)
{
    static const int errors[DISK_FAULT_COUNT] = { 0, ENOSPC, EROFS, EIO };
    *error = errors[disk.fault];
    disk.counts.refused += disk.fault != DISK_WELL;
    disk.ill_ns = disk.fault != DISK_WELL ? time_now.now_ns : disk.ill_ns;
    return disk.fault != DISK_WELL;
}

/* A file that is made anew under an old name is a new file; so is a descriptor that is used again. */
static int disk_open(void *context, const char *path, int flags, int mode)
{
    int error;
    (void)context;
    if (fails(&error)) {
        errno = error;
        return -1;
    }
    int fd = open(path, flags, mode);
    if (fd < 0) {
        return -1;
    }
    uint32_t at = 0;
    while (at < disk.count && strcmp(disk.file[at].path, path) != 0) {
        at++;
    }
    for (uint32_t i = 0; i < disk.count; i++) {
        disk.file[i].fd = disk.file[i].fd == fd ? -1 : disk.file[i].fd;
    }
    if (at < FILES_MAX) {
        struct disk_file *file = &disk.file[at];
        disk.count = at == disk.count ? at + 1 : disk.count;
        memset(file, 0, sizeof *file);
        snprintf(file->path, sizeof file->path, "%s", path);
        file->fd = fd;
        if ((flags & O_TRUNC) == 0) {
            file->written = file->synced = lseek(fd, 0, SEEK_END);
        }
    }
    return fd;
}

static struct disk_file *file_of(int fd)
{
    for (uint32_t i = 0; i < disk.count; i++) {
        if (disk.file[i].fd == fd) {
            return &disk.file[i];
        }
    }
    return NULL;
}

/* On a disk that is well, nothing of a file that is still written to waits for its sync for long.  (What a
 * fault of the disk made the journal give up is copied elsewhere, or counted as lost.) */
static void check_synced(const struct disk_file *file)
{
    if (file->since_ns > disk.ill_ns && time_now.now_ns > file->since_ns + UNSYNCED_NS &&
        disk.turns > file->since_turn + UNSYNCED_TURNS) {
        watch_violation("%s was written %.3f s ago and not synced since", file->path,
                        (double)(time_now.now_ns - file->since_ns) / 1e9);
    }
}

static ssize_t disk_pwrite(void *context, int fd, const void *bytes, size_t count, off_t at)
{
    int error;
    (void)context;
    if (fails(&error)) {
        errno = error;
        return -1;
    }
    if (count > 1 && sim_random_chance(&disk.random, disk.short_ppm)) {
        count = (size_t)sim_random_range(&disk.random, 1, (int64_t)count - 1);
        disk.counts.short_writes++;
    }
    point_pass(POINT_WRITE);
    ssize_t done = pwrite(fd, bytes, count, at);
    struct disk_file *file = file_of(fd);
    disk.counts.writes++;
    if (file != NULL && done > 0) {
        /* what is written over again is not safe any more either */
        file->synced = at < file->synced ? at : file->synced;
        file->written = at + done > file->written ? at + done : file->written;
        file->since_turn = file->since_ns == 0 ? disk.turns : file->since_turn;
        file->since_ns = file->since_ns == 0 ? time_now.now_ns : file->since_ns;
        check_synced(file);
    }
    point_pass(POINT_WROTE);
    return done;
}

static int disk_fdatasync(void *context, int fd)
{
    int error;
    (void)context;
    if (fails(&error)) {
        errno = error;
        return -1;
    }
    struct disk_file *file = file_of(fd);
    point_pass(POINT_WRITE);
    disk.counts.syncs++;
    if (file != NULL) {
        file->synced = file->written;
        file->since_ns = 0;
    }
    return 0;
}

void disk_power_loss(void)
{
    for (uint32_t i = 0; i < disk.count; i++) {
        struct disk_file *file = &disk.file[i];
        if (file->written <= file->synced) {
            continue;
        }
        int fd = open(file->path, O_RDWR | O_CLOEXEC);
        if (fd < 0) {
            continue;
        }
        off_t left = (off_t)sim_random_range(&disk.random, file->synced, file->written);
        disk.counts.torn++;
        disk.counts.lost_bytes += (uint64_t)(file->written - left);
        if (ftruncate(fd, left) == 0 && sim_random_chance(&disk.random, 300000)) {
            unsigned char rubbish[SECTOR];
            for (size_t k = 0; k < sizeof rubbish; k++) {
                rubbish[k] = (unsigned char)sim_random_next(&disk.random);
            }
            off_t room = file->written - left;
            (void)!pwrite(fd, rubbish, room < SECTOR ? (size_t)room : SECTOR, left);
        }
        close(fd);
        file->written = file->synced = left;
    }
}

void disk_start(uint64_t seed)
{
    memset(&disk, 0, sizeof disk);
    sim_random_seed(&disk.random, seed, 21);
}

void disk_died(void)
{
    for (uint32_t i = 0; i < disk.count; i++) {
        check_synced(&disk.file[i]);
        disk.file[i].since_ns = 0;
    }
}

void disk_turn(void)
{
    disk.turns++;
}

const struct journal_disk *disk_table(void)
{
    static const struct journal_disk table = { .open = disk_open,
                                               .pwrite = disk_pwrite,
                                               .fdatasync = disk_fdatasync };
    return &table;
}

void disk_set(enum disk_fault fault, int64_t short_ppm)
{
    static const char *const names[DISK_FAULT_COUNT] = { NULL, "disk_full", "disk_read_only", "disk_broken" };
    for (enum disk_fault one = DISK_FULL; one < DISK_FAULT_COUNT; one++) {
        trouble_is(names[one], fault == one);
    }
    trouble_is("disk_short_writes", short_ppm != 0);
    disk.fault = fault;
    disk.short_ppm = short_ppm;
}

const struct disk_counts *disk_counts(void)
{
    return &disk.counts;
}
