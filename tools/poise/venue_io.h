/* venue_io: what decode, encode and sign share: reading their input, rows for symbols, keys, and JSON out. */
#ifndef POISE_TOOLS_POISE_VENUE_IO_H
#define POISE_TOOLS_POISE_VENUE_IO_H

#include "ring/decimal.h"
#include "venues/venue.h"
#include <stdio.h>

/* ------------------------------------------------------------------ arguments */

#define IO_INSTRUMENT_FILES 8

struct io_options {
    const struct venue *venue;
    uint8_t product; /* PRODUCT_NONE: not said */
    const char *instrument_files[IO_INSTRUMENT_FILES];
    uint32_t instrument_file_count;
    const char *instrument; /* of messages that name none */
    const char *reply_to;   /* method that bare results answer */
    const char *key_file;
    bool is_private, whole, book;
    bool has_time;
    int64_t time_ns;
    uint64_t nonce;
    bool has_nonce;
};

/* io_options_read reads "VENUE --name value ..." as cli.md says; false after a sentence on standard error.
 * usage is printed for --help and when VENUE is missing. */
bool io_options_read(struct io_options *options, int argc, char **argv, const char *usage, bool *help);

/* io_key_read reads a key file (TOML); a file that others may read is warned about: a key given to a tool by
 * hand is often a published test key. */
bool io_key_read(const char *path, struct sign_key *key);

/* io_read_all reads a whole stream; NULL when memory ends.  Zero terminated. */
char *io_read_all(FILE *stream, size_t *bytes);

/* ------------------------------------------------------------------ rows */

/* A row for a symbol: from --instruments, or with guessed units.  Indexes begin beyond any table's, so that a
 * record's instrument finds its way back. */
#define IO_ROW_BASE INSTRUMENT_MAX

struct io_row {
    struct instrument row;
    bool inferred;
    char base[CURRENCY_BYTES], quote[CURRENCY_BYTES], settle[CURRENCY_BYTES];
    void *user; /* decode's book */
};

/* Longer than any table has them: a name in Chinese takes three bytes a letter. */
#define IO_CURRENCY_BYTES 64

struct io_rows {
    struct io_row **row;
    uint32_t count, room;
    char (*currency)[IO_CURRENCY_BYTES];
    uint32_t currency_count, currency_room;
    uint8_t decimals; /* of rows to be inferred from now on; IO_DECIMALS_FREE: see io_row_infer */
    bool guessed;     /* one was */
};
#define IO_DECIMALS_FREE 0

struct io_row *io_row_at(struct io_rows *rows, uint16_t index);
struct io_row *io_row_find(struct io_rows *rows, uint8_t venue, uint8_t product, const char *symbol,
                           size_t bytes);

/* io_row_infer makes (or answers) a row whose units are eight decimals, or fewer where the numbers in
 * `message` are too large for that. */
struct io_row *io_row_infer(struct io_rows *rows, uint8_t venue, uint8_t product, const char *symbol,
                            size_t bytes, const char *message, size_t message_bytes);

uint16_t io_currency(struct io_rows *rows, const char *code, size_t bytes);
const char *io_currency_code(const struct io_rows *rows, uint16_t currency);

/* io_rows_load adds the rows of a venue's metadata reply; false after a sentence on standard error. */
bool io_rows_load(struct io_rows *rows, const struct io_options *options, const char *path);

/* ------------------------------------------------------------------ JSON out */

/* A line is begun with '{', fields are added, and it is ended with '}' and a newline. */
void io_begin(FILE *out, uint64_t line, const char *type);
void io_text(FILE *out, const char *name, const char *text, size_t bytes);
void io_word(FILE *out, const char *name, const char *text);
void io_number(FILE *out, const char *name, int64_t value);
void io_unsigned(FILE *out, const char *name, uint64_t value);
void io_unsigned_text(FILE *out, const char *name, uint64_t value);
void io_bool(FILE *out, const char *name, bool value);
void io_null(FILE *out, const char *name);
void io_decimal(FILE *out, const char *name, int64_t value, int decimals);
/* io_plain_number writes a number as a venue printed it, to the digit but without an exponent. */
void io_plain_number(FILE *out, const char *name, const char *text, size_t bytes);
void io_end(FILE *out);
void io_quote(FILE *out, const char *text, size_t bytes);

/* io_product_guess tells the product of a message whose wire does not name it. */
uint8_t io_product_guess(const char *text, size_t bytes);

#endif
