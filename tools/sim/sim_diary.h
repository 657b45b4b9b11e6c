/* sim_diary: what came in, and when: the file from which poise-sim is again what it was when it was killed.
 *
 * Everything behind the sockets is a function of the set-up, the seed and the moments at which something
 * arrived or fell due.  So no account is written down: the diary holds every request, message and loss of a
 * connection, and every turn of the loop, each before any of its effects can leave the process; playing it
 * back makes the same orders, fills, balances, ids and sequences, to the last bit.  Playing takes a small
 * part of the time it tells of.
 *
 * An entry is one write to the page cache: it survives SIGKILL, and not a power cut.  One that is incomplete
 * at the end had no effect yet and is dropped; one that is damaged, or a file of another set-up, is refused.
 * Every entry carries a digest of what had happened before it, so that a history which does not repeat is
 * noticed at the first difference and never believed.  One thread. */
#ifndef TOOLS_SIM_SIM_DIARY_H
#define TOOLS_SIM_SIM_DIARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sim_entry_kind {
    SIM_ENTRY_BEGIN,   /* the venue opens */
    SIM_ENTRY_TURN,    /* everything due by now is done */
    SIM_ENTRY_REQUEST, /* HTTP, and on the control port what changes something */
    SIM_ENTRY_OPEN,    /* a WebSocket upgrade */
    SIM_ENTRY_MESSAGE,
    SIM_ENTRY_PING,
    SIM_ENTRY_PONG,
    SIM_ENTRY_LOST,   /* nothing reaches the connection any more */
    SIM_ENTRY_CLOSED, /* and its session is over */
    SIM_ENTRY_KIND_COUNT
};

struct sim_entry {
    enum sim_entry_kind kind;
    bool control;
    int64_t at_ns;
    uint64_t conn;
    uint64_t digest;
    const void *data; /* a message, or the strings of a request; valid until the next call */
    size_t length;
};

struct sim_diary {
    int fd;
    char *past; /* the entries as found */
    size_t length, at;
    char *line;
    size_t capacity;
};

/* sim_diary_open makes or reads a diary; set_up is the text that must be the same at every start.  *began_ns
 * is the time the first start gave, and stays.  False with a sentence in error. */
bool sim_diary_open(struct sim_diary *diary, const char *path, const char *set_up, int64_t *began_ns,
                    char *error, size_t error_size);

/* sim_diary_next gives the entries found, oldest first; false when there are no more.  *damaged is set when
 * what follows is whole and not what was written. */
bool sim_diary_next(struct sim_diary *diary, struct sim_entry *entry, bool *damaged);

/* sim_diary_write appends an entry; after the past was read.  False when it could not be kept. */
bool sim_diary_write(struct sim_diary *diary, const struct sim_entry *entry);
void sim_diary_close(struct sim_diary *diary);

#endif
