/* journal: from the strategy's ring to checked files, and back.
 *
 * The ring is a file on tmpfs mapped by everyone: a record committed there survives SIGKILL.  The strategy
 * role commits what it consumed and what it said; the cold thread drains it here: journal_poll hands runs of
 * records to a disk thread (the only one that may hang on a disk), and gives ring slots back only after they
 * are in a file.  So at any instant every committed record is in a segment, in the ring, or in both, and
 * both carry its number.
 *
 * When the disk cannot be written (full, read-only) or does not answer while the ring fills, the journal
 * turns to a spill segment on tmpfs, which SIGKILL spares as well: orders, reports and commands are kept,
 * feed records are dropped and counted in a RECORD_LOST of its own (a replay across it is not exact, and
 * says so).  The disk is tried again every second; spills are copied to it when it answers.  Only when the
 * spill is full too are ring slots kept: then the ring fills, and the strategy role halts by its own rule.
 *
 * journal_reader walks a run back over segments, spills and the ring as one sequence.  Cold thread and
 * tools; journal_ring alone is the strategy role's. */
#ifndef POISE_COLD_JOURNAL_H
#define POISE_COLD_JOURNAL_H

#include "cold/reduce.h"
#include "cold/segment.h"
#include "ring/spsc.h"

#include <sys/types.h>

#define JOURNAL_RING_FILE   "journal" /* in the engine's shared directory */
#define JOURNAL_BUILD_BYTES 48

/* What the journal does to files; replaced in tests.  Answers as the system calls of the same name. */
struct journal_disk {
    int (*open)(void *context, const char *path, int flags, int mode);
    ssize_t (*pwrite)(void *context, int fd, const void *bytes, size_t count, off_t at);
    int (*fdatasync)(void *context, int fd);
    void *context;
};

struct journal_options {
    const char *directory;        /* disk: segments and the orders file */
    const char *shared_directory; /* tmpfs: ring and spill */
    uint64_t ring_slots;          /* power of two */
    uint64_t segment_bytes;       /* a new segment after so many; at most 1 GiB */
    uint64_t keep_bytes;          /* whole old segments beyond this are deleted; 0 keeps all */
    uint64_t spill_bytes;         /* most that may stand on tmpfs; 0: 64 MiB */
    uint64_t sync_ns;             /* a written record is on the disk within this */
    uint64_t stall_ns; /* a disk that answers nothing for this long while the ring fills is stuck; 0: 2 s */
    uint64_t run;
    uint16_t engine;
    const char *build_id;
    bool inline_disk;                /* no disk thread: tests, tools */
    const struct journal_disk *disk; /* NULL: the system's */
};

enum journal_health {
    JOURNAL_WELL = 0,
    JOURNAL_BEHIND, /* the disk owes an answer; nothing is lost */
    JOURNAL_SPILL,  /* the disk failed: only what matters is kept, on tmpfs; alarm */
    JOURNAL_STUCK,  /* nothing can be kept: the ring is filling; alarm */
};

struct journal_counts {
    uint64_t records;  /* drained */
    uint64_t bytes;    /* written to files */
    uint64_t lost;     /* feed records dropped */
    uint64_t segments; /* begun */
    uint64_t disk_errors;
    uint64_t syncs;
    uint64_t ring_used; /* slots, now */
    uint64_t spilled_bytes;
    int last_errno;
    uint32_t segment;     /* now */
    char last_error[160]; /* what failed, for the log */
};

struct journal;

/* journal_create makes the ring file (replacing one left over: see journal_salvage) and maps it; NULL with a
 * sentence in error.  The first segment is begun by the first poll that finds records. */
struct journal *journal_create(const struct journal_options *options, char *error, size_t error_bytes);

/* journal_ring is where the strategy role commits: its producer's side. */
struct spsc *journal_ring(struct journal *journal);

/* journal_poll drains a bounded number of records; call it every millisecond or so, and with the thread that
 * made the journal.  wall_ns stands in segment heads. */
enum journal_health journal_poll(struct journal *journal, uint64_t now_ns, int64_t wall_ns);

/* journal_tap is called for each drained record, after it is in a file: ledger, store, log. */
void journal_tap(struct journal *journal,
                 void (*tap)(void *context, const struct slot *record, uint64_t number), void *context);

/* journal_reduce is what is held, as of the last drained record. */
const struct reduce *journal_reduce(const struct journal *journal);
void journal_counts(const struct journal *journal, struct journal_counts *counts);
uint64_t journal_number(const struct journal *journal); /* of the next record to drain */

/* journal_flush drains everything committed so far and syncs it; false when that could not be done within
 * wait_ns (0: no bound).  For the end of a run and for tests; it waits. */
bool journal_flush(struct journal *journal, int64_t wall_ns, uint64_t wait_ns);

/* journal_close flushes (at most five seconds), seals the segment and frees; the ring file stays until the
 * next run replaces it. */
void journal_close(struct journal *journal, int64_t wall_ns);

/* ------------------------------------------------------------------ reading a run back */

enum journal_result {
    JOURNAL_RECORD = 1, /* item is a record of the run */
    JOURNAL_HEAD,    /* item is a record of a segment's head: only before the first record, or after a gap */
    JOURNAL_GAP,     /* records gap_from .. gap_to - 1 are nowhere (missing file, damage) */
    JOURNAL_DROPPED, /* records gap_from .. gap_to - 1 were dropped while the disk was stuck */
    JOURNAL_END
};

struct journal_reader_options {
    const char *directory;
    const char *shared_directory; /* NULL: disk only */
    uint64_t run;                 /* 0: the newest there is */
    bool newest_segment;          /* begin at the newest readable segment's head (recovery) */
    uint32_t segments_back;       /* with newest_segment: so many before it, where they are readable */
};

struct journal_item {
    struct segment_item item; /* the record stays valid until the next call */
    uint64_t gap_from, gap_to;
    bool from_ring;
    bool from_head;
};

struct journal_reader;

/* journal_reader_open answers NULL with a sentence in error: no run, another layout, unreadable. */
struct journal_reader *journal_reader_open(const struct journal_reader_options *options, char *error,
                                           size_t error_bytes);
enum journal_result journal_next(struct journal_reader *reader, struct journal_item *item);
uint64_t journal_reader_run(const struct journal_reader *reader);
uint64_t journal_reader_torn(const struct journal_reader *reader); /* bytes of torn tails passed so far */
void journal_reader_close(struct journal_reader *reader);

/* journal_newest_run is the highest run number found in both places; 0 for none. */
uint64_t journal_newest_run(const char *directory, const char *shared_directory);

/* journal_ring_readable: there is no ring file, or this build can read it; else false with a sentence in
 * error, and then what the ring holds must not be passed over. */
bool journal_ring_readable(const char *shared_directory, char *error, size_t error_bytes);

/* journal_salvage copies what only the ring and spills hold of the run in the ring file to a last segment
 * on disk, before a new run replaces the ring; answers how many records (0 nothing to do), or -1 with a
 * sentence in error. */
int64_t journal_salvage(const char *directory, const char *shared_directory, int64_t wall_ns, char *error,
                        size_t error_bytes);

#endif
