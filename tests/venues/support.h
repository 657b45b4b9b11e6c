/* support: what the tests of the venues share: files, guarded memory, events as text, and a plain book. */
#ifndef POISE_TESTS_VENUES_SUPPORT_H
#define POISE_TESTS_VENUES_SUPPORT_H

#include "ring/decimal.h"
#include "venues/venue.h"

/* A file, or one line of it; text is zero terminated beyond bytes.  Freed by file_free. */
struct file {
    char *text;
    size_t bytes;
};

/* file_read answers false when there is no such file.  name is below tests/data/fixtures/. */
bool file_read(struct file *file, const char *name);
bool file_read_path(struct file *file, const char *path);
bool file_read_gzip(struct file *file, const char *path);
void file_free(struct file *file);

/* file_names lists the file names of a folder below tests/data/fixtures/, sorted; answers how many. */
size_t file_names(const char *folder, char names[][96], size_t max);

/* file_line answers the next line (without its end) and moves *at; false at the end. */
bool file_line(const struct file *file, size_t *at, const char **line, size_t *bytes);

/* Memory whose last byte is followed by a page that may not be read.  guard_put copies so that the copy ends
 * at the guard and answers where it begins. */
struct guard {
    char *memory;
    size_t bytes;
};
void guard_make(struct guard *guard, size_t bytes);
char *guard_put(struct guard *guard, const char *text, size_t bytes);
void guard_free(struct guard *guard);

/* A plain book: sorted arrays, best first, of any depth. */
#define BOOK_SIDE_MAX 20000
struct book {
    struct level side[2][BOOK_SIDE_MAX]; /* by enum side */
    uint32_t count[2];
    uint64_t at; /* id of the last event applied */
    bool first;  /* nothing was applied since the snapshot */
    bool synced;
    uint32_t dropped, applied, gaps;
};
void book_clear(struct book *book);
void book_set(struct book *book, enum side side, struct level level);
void book_take(struct book *book, const struct venue *venue, uint8_t product, const struct feed_event *event);

/* kept answers zeroed memory that lives as long as the program, which knows it: no leak is told. */
void *kept(size_t bytes);

/* A table with one instrument. */
void table_one(struct instrument_table *table, uint8_t product, const char *symbol, int price_decimals,
               int qty_decimals);

#endif
