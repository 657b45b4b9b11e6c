/* blocked_disk: a disk that does not answer, for one process.
 *
 * Loaded before libc (LD_PRELOAD): while the file that POISE_DISK_BLOCKED names exists, writes to and syncs
 * of files below the directory POISE_DISK wait.  So a scenario can let a disk hang for good and let it go
 * again. */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static void wait_for_disk(int fd)
{
    const char *blocked = getenv("POISE_DISK_BLOCKED"), *disk = getenv("POISE_DISK");
    char name[64], path[4096];
    if (blocked == NULL || disk == NULL || access(blocked, F_OK) != 0) {
        return;
    }
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t bytes = readlink(name, path, sizeof path - 1);
    if (bytes <= 0) {
        return;
    }
    path[bytes] = '\0';
    while (strncmp(path, disk, strlen(disk)) == 0 && access(blocked, F_OK) == 0) {
        usleep(10000);
    }
}

#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *bytes, size_t count)
{
    wait_for_disk(fd);
    return NEXT(write)(fd, bytes, count);
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t at)
{
    wait_for_disk(fd);
    return NEXT(pwrite)(fd, bytes, count, at);
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t at)
{
    wait_for_disk(fd);
    return NEXT(pwrite64)(fd, bytes, count, at);
}

int fsync(int fd)
{
    wait_for_disk(fd);
    return NEXT(fsync)(fd);
}

int fdatasync(int fd)
{
    wait_for_disk(fd);
    return NEXT(fdatasync)(fd);
}
