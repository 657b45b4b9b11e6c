/* messages: market data as a venue would send it, made from a fixed random stream, in the sizes seen in a
 * capture of a futures venue (median depth update: 34 levels; best price: 180 bytes).
 *
 * Each text is followed by MESSAGE_PAD readable bytes, as a receive buffer's is. */
#ifndef POISE_BENCH_MESSAGES_H
#define POISE_BENCH_MESSAGES_H

#include "ring/instrument.h"
#include "ring/record.h"

#define MESSAGE_PAD    128
#define MESSAGE_BYTES  4096
#define MESSAGE_COUNT  256
#define MESSAGE_LEVELS 17 /* a side */

enum message_kind {
    MESSAGE_DEPTH,
    MESSAGE_TICKER,
    MESSAGE_BOOK, /* a change of Deribit's: bare numbers, each as short as it gets, MESSAGE_LEVELS a side */
    MESSAGE_BOOK_FEW, /* the same with one to four levels, as most raw changes have */
    MESSAGE_KIND_COUNT
};

struct message {
    char text[MESSAGE_BYTES + MESSAGE_PAD];
    size_t bytes;
    /* what it says, for whoever must check an answer or skip the parsing */
    struct level bid[MESSAGE_LEVELS], ask[MESSAGE_LEVELS]; /* a ticker has one of each */
    uint64_t last;
};

/* messages_make fills `out` with MESSAGE_COUNT messages of a kind; the same every time.  Prices have one
 * decimal place more than the tick needs (61800.20), quantities three. */
void messages_make(struct message *out, enum message_kind kind);

/* messages_instrument is the row they are about, at index 0 of an emptied table. */
void messages_instrument(struct instrument_table *table);

/* messages_instrument_book is the row that MESSAGE_BOOK is about, likewise. */
void messages_instrument_book(struct instrument_table *table);

#endif
