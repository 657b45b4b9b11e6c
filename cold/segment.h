/* segment: one file of the journal: checked records in the order the strategy knew them.
 *
 * A segment is a file of 64-byte slots.  Slot 0 is the file's head (struct segment_head); the others hold
 * records, payload as in the ring, and the carrier's word of every slot is its check: CRC-32C over payload,
 * run, segment, file and place, beside the record's number, so that a slot that was torn, flipped or moved
 * is told from one that was written.
 *
 * Words.  Number: the place of a record in its run, counted from 0 over everything the strategy consumed
 * and emitted; what `poise journal` prints and `poise replay --until` takes.  Origin: who wrote a record:
 * the strategy role (ORIGIN_RING), this room at the head of a segment (ORIGIN_HEAD: the state so far, so that
 * a segment can be read alone), or this room in between (ORIGIN_JOURNAL: LOST, SEGMENT_END).  Only ring
 * records are counted; the others carry the number of the next one.
 *
 * Two kinds of file: "run-000012-seg-00003.pj" holds everything, "orders-000012.pj" only orders, reports,
 * fills and what is needed to read them; the latter is never deleted by poise.  Cold thread and tools. */
#ifndef POISE_COLD_SEGMENT_H
#define POISE_COLD_SEGMENT_H

#include "ring/record.h"

#define SEGMENT_SLOTS_MAX  (1u << 24) /* 1 GiB: a file never grows beyond */
#define SEGMENT_PATH_BYTES 512

enum segment_kind { SEGMENT_FULL = 1, SEGMENT_ORDERS };
enum segment_origin { ORIGIN_RING = 0, ORIGIN_HEAD, ORIGIN_JOURNAL };

struct segment_head {
    char magic[8];
    uint64_t run;
    uint64_t layout_hash;
    uint64_t first_number; /* of the first record behind the head */
    int64_t wall_ns;
    uint32_t segment; /* within the run; 0 for an orders file */
    uint16_t engine;
    uint8_t kind; /* enum segment_kind */
    uint8_t spare;
    uint64_t spare64;
};
_Static_assert(sizeof(struct segment_head) == SLOT_PAYLOAD_BYTES, "one slot");

/* ------------------------------------------------------------------ writing (into memory) */

struct segment_writer {
    struct segment_head head;
    uint32_t slot; /* slots put so far: where the next one goes in the file */
};

/* segment_start begins a file: *to becomes its slot 0. */
void segment_start(struct segment_writer *writer, const struct segment_head *head, struct slot *to);

/* segment_put copies a record behind what was put before, with its check words; answers its slots.  The
 * caller brings RECORD_SLOTS_MAX slots and keeps below SEGMENT_SLOTS_MAX. */
uint32_t segment_put(struct segment_writer *writer, struct slot *to, const struct slot *record,
                     enum segment_origin origin, uint64_t number);

/* segment_is_order tells what the orders file keeps. */
bool segment_is_order(uint8_t type);

/* segment_is_feed tells what may be dropped when the disk is stuck: market data and figures, nothing that
 * moves an order, a position or money. */
bool segment_is_feed(uint8_t type);

/* ------------------------------------------------------------------ reading */

struct segment_reader {
    struct segment_head head;
    const struct slot *slots; /* the file, mapped read-only */
    uint64_t slot_count;      /* whole slots in the file */
    uint64_t at;
    uint64_t number; /* of the last record seen */
    size_t bytes;
    bool ended; /* a SEGMENT_END was read: the file is complete */
};

struct segment_item {
    const struct slot *record; /* valid until segment_close */
    uint64_t number;
    uint8_t origin; /* enum segment_origin */
};

enum segment_result {
    SEGMENT_RECORD = 1,
    SEGMENT_DAMAGED, /* slots in the middle fail their check; reading goes on behind them */
    SEGMENT_DONE,    /* nothing more; a torn last record counts as never written */
};

/* segment_open maps a file and checks its head; false with a sentence in error. */
bool segment_open(struct segment_reader *reader, const char *path, char *error, size_t error_bytes);
enum segment_result segment_next(struct segment_reader *reader, struct segment_item *item);
void segment_close(struct segment_reader *reader);

/* segment_torn is how many bytes behind the last good record say nothing (after SEGMENT_DONE). */
uint64_t segment_torn(const struct segment_reader *reader);

/* ------------------------------------------------------------------ names */

/* segment_path writes "<directory>/run-000012-seg-00003.pj" or "<directory>/orders-000012.pj". */
void segment_path(char out[SEGMENT_PATH_BYTES], const char *directory, enum segment_kind kind, uint64_t run,
                  uint32_t segment);

struct segment_file {
    char path[SEGMENT_PATH_BYTES];
    uint64_t run;
    uint64_t bytes;
    uint32_t segment;
    uint8_t kind;
};

/* segment_list answers the journal's files in a directory, by kind, then run, then segment, in memory that
 * the caller frees; count 0 and NULL for none.  false: the directory cannot be read (errno). */
bool segment_list(const char *directory, struct segment_file **files, uint32_t *count);

#endif
