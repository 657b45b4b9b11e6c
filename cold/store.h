/* store: orders, fills, positions, profit and events as tables that people query.
 *
 * Fed from the journal's tap, one record at a time, on the cold thread.  It only ever adds rows.  A row is
 * named by (run, journal number, part), so feeding a stretch of journal again changes nothing.  The journal
 * is the truth: the store may lag, be rebuilt, or lie on a full disk, and trading does not notice.
 *
 * store_record turns a record into rows and queues them; store_step writes what is queued in one
 * transaction, when enough has come together or long enough has passed.  When the database refuses (disk
 * full, read-only, locked), rows wait in the queue and are tried again later; when the queue is full, the
 * oldest number that is missing is remembered (store_resume) and feeding resumes there from the journal.
 *
 * What is behind it is a table of functions (struct store_backend): SQLite here, a server's later. */
#ifndef POISE_COLD_STORE_H
#define POISE_COLD_STORE_H

#include "ring/instrument.h"
#include "ring/record.h"

#define STORE_QUEUE_ROWS   8192
#define STORE_BATCH_ROWS   512
#define STORE_BATCH_NS     200000000ULL /* a row waits this long at most for others */
#define STORE_RETRY_NS     1000000000ULL
#define STORE_RETRY_MAX_NS 60000000000ULL
#define STORE_VALUES_MAX   20
#define STORE_TEXT_BYTES   48
#define STORE_ERROR_BYTES  160

enum store_table {
    STORE_RUNS = 0,
    STORE_ORDERS, /* what was asked of venues and what they answered, one row a message */
    STORE_FILLS,
    STORE_POSITIONS, /* the venue's opinion */
    STORE_BALANCES,
    STORE_PNL, /* an instance's parts, once a second at most */
    STORE_EVENTS,
    STORE_LEDGER,
    STORE_TABLE_COUNT
};

struct store_value {
    bool is_text;
    bool is_null;
    int64_t number;
    char text[STORE_TEXT_BYTES];
};

/* One row: the columns after run, number, part and wall_ns, in the order of store_columns. */
struct store_row {
    uint8_t table; /* enum store_table */
    uint8_t value_count;
    uint16_t part; /* of rows that one record gives */
    uint64_t run, number;
    int64_t wall_ns;
    struct store_value value[STORE_VALUES_MAX];
};

extern const char *const store_tables[STORE_TABLE_COUNT];
/* store_columns names a table's columns behind the four common ones, apart by commas. */
extern const char *const store_columns[STORE_TABLE_COUNT];

/* What a database must do.  Each answers false with a sentence in error, and then nothing of the batch may
 * remain.  put must ignore a row that is there already. */
struct store_backend {
    const char *name;
    bool (*open)(void *context, char error[STORE_ERROR_BYTES]); /* called again after a failure */
    bool (*begin)(void *context, char error[STORE_ERROR_BYTES]);
    bool (*put)(void *context, const struct store_row *row, char error[STORE_ERROR_BYTES]);
    bool (*commit)(void *context, char error[STORE_ERROR_BYTES]);
    void (*rollback)(void *context);
    void (*close)(void *context);
    void *context;
};

struct store_counts {
    uint64_t records; /* that gave rows */
    uint64_t rows;    /* written, or found there already */
    uint64_t batches;
    uint64_t failures; /* batches refused */
    uint64_t dropped;  /* rows that found the queue full: store_resume says from where to feed again */
    uint32_t queued;
    bool degraded; /* the last try failed */
    char error[STORE_ERROR_BYTES];
};

struct store;

/* store_make takes a backend (store_sqlite, below); NULL when memory is short.  The database is opened by
 * the first step: one that cannot be opened is a degraded store, not a failed start. */
struct store *store_make(const struct store_backend *backend);

/* store_free writes what is queued, once, and closes. */
void store_free(struct store *store);

/* store_record queues the rows of one record.  Heads of a run (BEGIN, INSTRUMENT, ACCOUNT, PARAMS) are also
 * remembered, because rows carry names.  number is the journal's; flags of the record say its direction. */
void store_record(struct store *store, uint64_t run, uint64_t number, const struct slot *record);

/* store_booking queues one ledger entry: part counts the entries of one record, 0 up. */
struct ledger_entry;
void store_booking(struct store *store, uint64_t run, uint64_t number, uint16_t part,
                   const struct ledger_entry *entry);

/* store_step writes one batch when it is due, or at once when `now` asks for it; bounded work.  Answers
 * whether more is due. */
bool store_step(struct store *store, uint64_t now_ns, bool now);

/* store_resume answers true when rows were dropped, and from which journal number on (of which run) the
 * journal must be fed again: heads first, in any order with new records.  It forgets the fact; ask when the
 * queue has emptied. */
bool store_resume(struct store *store, uint64_t *run, uint64_t *number);

void store_counts(const struct store *store, struct store_counts *counts);

/* store_currencies names currencies for fees and balances, which records carry as indexes. */
void store_currencies(struct store *store, const struct instrument_table *table);

/* store_sqlite fills a backend that keeps a SQLite file.  false when memory is short. */
bool store_sqlite(struct store_backend *backend, const char *path);

/* The schema this build writes; a file of a newer one is refused, an older one is brought up, keeping rows.
 */
#define STORE_SQLITE_SCHEMA 3

/* One entry of the double-entry books, as the store keeps it.  Names that are not there are empty. */
struct store_posting {
    uint64_t run, number;
    uint32_t part;
    int64_t wall_ns; /* 0 unknown */
    char instance[STORE_TEXT_BYTES], account[STORE_TEXT_BYTES], instrument[STORE_TEXT_BYTES];
    char currency[STORE_TEXT_BYTES], book[STORE_TEXT_BYTES], part_name[STORE_TEXT_BYTES];
    int64_t amount_e8;
};

/* store_sqlite_postings reads every entry of a SQLite store in the order they were made, without writing to
 * it, with the engine running or not; false with a sentence in error. */
bool store_sqlite_postings(const char *path, void (*row)(void *context, const struct store_posting *posting),
                           void *context, char error[STORE_ERROR_BYTES]);

#endif
