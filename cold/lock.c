#include "cold/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_BYTES = 512 };

/* The holder's process number stands in the file, for whoever has to find it. */
static enum lock_result take(struct lock_set *set, const char *path, const char *what, char *error,
                             size_t error_bytes)
{
    if (set->count == LOCK_MAX) {
        snprintf(error, error_bytes, "%s: more than %d locks", path, LOCK_MAX);
        return LOCK_UNFIT;
    }
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        snprintf(error, error_bytes, "%s: %s: a lock cannot be taken there", path, strerror(errno));
        return LOCK_UNFIT;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        char holder[24] = "";
        ssize_t got = pread(fd, holder, sizeof holder - 1, 0);
        holder[got > 0 ? strcspn(holder, "\n") : 0] = '\0';
        snprintf(error, error_bytes, "%s is traded by another engine (process %s holds %s): stop it first",
                 what, holder[0] != '\0' ? holder : "unknown", path);
        close(fd);
        return LOCK_HELD;
    }
    char own[24];
    int bytes = snprintf(own, sizeof own, "%d\n", (int)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, own, (size_t)bytes, 0) != bytes) {
        /* Only the hint is lost; the lock is the kernel's. */
    }
    set->fd[set->count++] = fd;
    return LOCK_TAKEN;
}

enum lock_result lock_state(struct lock_set *set, const char *directory, char *error, size_t error_bytes)
{
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/lock", directory);
    return take(set, path, directory, error, error_bytes);
}

enum lock_result lock_pair(struct lock_set *set, const char *directory, const struct account *account,
                           const char *instrument, char *error, size_t error_bytes)
{
    char path[PATH_BYTES], what[ACCOUNT_NAME_BYTES + 64 + 8];
    if (mkdir(directory, 0700) != 0 && errno != EEXIST) {
        snprintf(error, error_bytes, "%s: %s: a lock cannot be taken there", directory, strerror(errno));
        return LOCK_UNFIT;
    }
    snprintf(path, sizeof path, "%s/%08" PRIx32 "-%s", directory, account->key_hash, instrument);
    snprintf(what, sizeof what, "%s on %s", instrument, account->name);
    return take(set, path, what, error, error_bytes);
}

void lock_release(struct lock_set *set)
{
    for (uint32_t i = 0; i < set->count; i++) {
        close(set->fd[i]);
    }
    set->count = 0;
}
