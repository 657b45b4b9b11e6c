/* lock: one engine on a state directory, one engine on an (account, instrument).
 *
 * flock on small files: the kernel gives a dead engine's locks back by itself.  A lock on a state directory
 * lives in it; a lock on an (account, instrument) lives in a directory that all engines of the machine share,
 * under a name made of the API key's hash and the instrument's name: two configurations with other names for
 * the same key still meet there.  Cold thread, at start. */
#ifndef POISE_COLD_LOCK_H
#define POISE_COLD_LOCK_H

#include "ring/account.h"

#define LOCK_MAX 80

struct lock_set {
    uint32_t count;
    int fd[LOCK_MAX];
};

enum lock_result {
    LOCK_TAKEN = 0,
    LOCK_HELD,  /* by another engine */
    LOCK_UNFIT, /* the file cannot be made or opened: nobody knows */
};

/* lock_state takes <directory>/lock; else a sentence (who holds it, what to do) in error. */
enum lock_result lock_state(struct lock_set *set, const char *directory, char *error, size_t error_bytes);

/* lock_pair takes one (account, instrument by name); directory is made when it is not there. */
enum lock_result lock_pair(struct lock_set *set, const char *directory, const struct account *account,
                           const char *instrument, char *error, size_t error_bytes);

/* lock_release gives everything back. */
void lock_release(struct lock_set *set);

#endif
