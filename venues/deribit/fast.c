#include "venues/deribit/fast.h"
#include "venues/deribit/feed.h"
#include "venues/number.h"

#include <string.h>

#define NOT_MINE DERIBIT_FAST_NOT_MINE
#define ALWAYS   static inline __attribute__((always_inline))

/* What one step may read from the cursor on.  Where the text has less left, its end goes on in a copy with
 * blank room behind. */
#define ROOM        96
#define BEFORE      16 /* and before */
#define LEAST_BYTES (ROOM + 64)

/* Where we are.  `end` is of the text, here or in the copy. */
struct cursor {
    const char *at, *end;
    bool copied;
    char copy[BEFORE + 2 * ROOM];
};

/* One word each, in the order in which memory has them. */
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the fast parser compares words in memory order"
#endif

static inline uint64_t load8(const char *from)
{
    uint64_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

/* The text at an address, whose length is known when it is compiled. */
#define IS(at, text) (memcmp(at, text, sizeof(text) - 1) == 0)

ALWAYS void make_room(struct cursor *cursor)
{
    size_t left = (size_t)(cursor->end - cursor->at);
    if (__builtin_expect(left >= ROOM || cursor->copied, 1)) {
        return;
    }
    cursor->copied = true;
    memcpy(cursor->copy, cursor->at - BEFORE, BEFORE + left);
    memset(cursor->copy + BEFORE + left, 0, ROOM);
    cursor->at = cursor->copy + BEFORE;
    cursor->end = cursor->at + left;
}

/* Eight digits at once; false: not all of them are. */
ALWAYS bool eight(const char *at, uint64_t *out)
{
    uint64_t word = load8(at);
    if (((word & 0xf0f0f0f0f0f0f0f0ULL) | ((word + 0x0606060606060606ULL) & 0xf0f0f0f0f0f0f0f0ULL) >> 4) !=
        0x3333333333333333ULL) {
        return false;
    }
    word = (word & 0x0f0f0f0f0f0f0f0fULL) * 2561 >> 8;
    word = (word & 0x00ff00ff00ff00ffULL) * 6553601 >> 16;
    *out = (word & 0x0000ffff0000ffffULL) * 42949672960001ULL >> 32;
    return true;
}

/* A whole number as JSON writes it, of at most 18 digits, with the cursor behind it. */
ALWAYS bool whole(struct cursor *cursor, uint64_t *out)
{
    const char *at = cursor->at;
    uint64_t value = 0;
    unsigned digit, count = eight(at, &value) ? 8 : 0;
    while ((digit = (unsigned)(unsigned char)at[count] - '0') <= 9 && count < 19) {
        value = value * 10 + digit;
        count++;
    }
    *out = value;
    cursor->at += count;
    return count > 0 && count < 19 && (at[0] != '0' || count == 1);
}

/* levels reads [["new",p,q],..] with the cursor at the first bracket; false: not as foreseen. */
ALWAYS bool levels(struct cursor *cursor, const struct number_bare *bare, number_bare_read read,
                   struct level *to, uint32_t room, uint32_t *count)
{
    *count = 0;
    if (cursor->at[1] == ']') {
        cursor->at += 2;
        return true;
    }
    cursor->at++;
    for (;;) {
        make_room(cursor);
        const char *at = cursor->at;
        uint64_t word = load8(at + 2);
        bool is_new = (word & 0xffffffffffULL) == (load8("new\",\0\0") & 0xffffffffffULL);
        bool is_deletion = word == load8("delete\",");
        if (at[0] != '[' || at[1] != '"' || !(is_new || is_deletion || word == load8("change\",")) ||
            *count == room) {
            return false;
        }
        const char *numbers = at + (is_new ? 7 : 10);
        struct level *level = &to[*count];
        int64_t value[2];
        uint32_t bytes = read(bare, numbers, value);
        if (bytes == 0 || value[0] == 0) {
            return false;
        }
        level->price = value[0];
        level->qty = is_deletion ? 0 : value[1];
        ++*count;
        cursor->at = numbers + bytes + 2;
        if (numbers[bytes + 1] != ',') {
            return numbers[bytes + 1] == ']';
        }
    }
}

/* The instrument of a channel, "book.BTC-PERPETUAL.raw": nearly always the one before.  The cursor stands at
 * the symbol, and behind the channel's closing quote afterwards. */
ALWAYS const struct instrument *row_of(struct feed_parser *parser, struct cursor *cursor)
{
    const char *at = cursor->at;
    const struct instrument *row = NULL;
    uint32_t bytes = 0;
    while (bytes < INSTRUMENT_SYMBOL_BYTES && at[bytes] != '.') {
        bytes++;
    }
    if (bytes == 0 || bytes == INSTRUMENT_SYMBOL_BYTES) {
        return NULL;
    }
    if (parser->last_instrument < parser->instruments->count) {
        row = &parser->instruments->row[parser->last_instrument];
        row = row->venue == VENUE_DERIBIT && memcmp(row->symbol, at, bytes) == 0 && row->symbol[bytes] == '\0'
                  ? row
                  : NULL;
    }
    if (row == NULL) {
        row = deribit_feed_row(parser, at, bytes);
        if (row == NULL) {
            return NULL;
        }
        parser->last_instrument = row->index;
    }
    at += bytes;
    cursor->at = at + (at[1] == 'r' ? 5 : at[1] == '1' ? 7 : 6);
    return IS(at, ".raw\"") || IS(at, ".100ms\"") || IS(at, ".agg2\"") ? row : NULL;
}

enum {
    SEEN_TYPE = 1,
    SEEN_TIME = 2,
    SEEN_PREVIOUS = 4,
    SEEN_INSTRUMENT = 8,
    SEEN_CHANGE = 16,
    SEEN_BIDS = 32,
    SEEN_ASKS = 64,
    SEEN_ALL = 127,
};

/* What the cursor's key brings: its bit, or 0.  The levels of the second array go behind those of the first.
 */
ALWAYS unsigned field(struct cursor *cursor, const struct instrument *row, const struct number_bare *bare,
                      number_bare_read read, struct feed_parser *parser, struct feed_event *event,
                      const char *text_end)
{
    const char *at = cursor->at;
    uint64_t number;
    switch (at[1]) {
    case 't':
        if (IS(at, "\"timestamp\":")) {
            cursor->at += 12;
            if (!whole(cursor, &number) || number < 100000000000ULL || number >= 9000000000000ULL) {
                return 0; /* no time in ms */
            }
            event->venue_time_ns = (int64_t)(number * 1000000);
            return SEEN_TIME;
        }
        if (IS(at, "\"type\":\"change\"")) {
            cursor->at += 15;
            return SEEN_TYPE;
        }
        if (IS(at, "\"type\":\"snapshot\"")) {
            cursor->at += 17;
            event->flags = FEED_EVENT_SNAPSHOT;
            return SEEN_TYPE;
        }
        return 0;
    case 'p':
        cursor->at += 17;
        return IS(at, "\"prev_change_id\":") && whole(cursor, &event->previous) ? SEEN_PREVIOUS : 0;
    case 'c':
        cursor->at += 12;
        return IS(at, "\"change_id\":") && whole(cursor, &event->last) ? SEEN_CHANGE : 0;
    case 'i': {
        const char *name = at + 19;
        size_t bytes = strlen(row->symbol);
        event->text = text_end - (cursor->end - name);
        event->text_bytes = (uint32_t)bytes;
        cursor->at = name + bytes + 1;
        return IS(at, "\"instrument_name\":\"") && memcmp(name, row->symbol, bytes) == 0 && name[bytes] == '"'
                   ? SEEN_INSTRUMENT
                   : 0;
    }
    case 'b':
    case 'a': {
        bool bids = at[1] == 'b';
        if (bids ? !IS(at, "\"bids\":[") : !IS(at, "\"asks\":[")) {
            return 0;
        }
        uint32_t used = event->bid_count + event->ask_count;
        struct level *to = parser->levels + used;
        cursor->at += 7;
        if (!levels(cursor, bare, read, to, parser->level_capacity - used,
                    bids ? &event->bid_count : &event->ask_count)) {
            return 0;
        }
        *(bids ? &event->bids : &event->asks) = to;
        return bids ? SEEN_BIDS : SEEN_ASKS;
    }
    default:
        return 0;
    }
}

ALWAYS int64_t parse(struct feed_parser *parser, const char *bytes, size_t count, feed_sink sink,
                     void *context, number_bare_read read)
{
    static const char head[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":\"book.";
    struct cursor cursor;
    struct number_bare bare;
    if (count < LEAST_BYTES || memcmp(bytes, head, sizeof head - 1) != 0) {
        return NOT_MINE;
    }
    cursor.at = bytes + sizeof head - 1;
    cursor.end = bytes + count;
    cursor.copied = false;
    const struct instrument *row = row_of(parser, &cursor);
    if (row == NULL || row->kind == KIND_NONE || !IS(cursor.at, ",\"data\":{")) {
        return NOT_MINE;
    }
    cursor.at += 9;
    number_bare_set(&bare, row->price_decimals, row->qty_decimals);

    struct feed_event event = { .kind = FEED_EVENT_DEPTH, .instrument = row->index };
    unsigned seen = 0;
    for (;;) {
        make_room(&cursor);
        unsigned bit = field(&cursor, row, &bare, read, parser, &event, bytes + count);
        if (bit == 0 || (seen & bit) != 0) {
            return NOT_MINE;
        }
        seen |= bit;
        if (*cursor.at != ',') {
            break;
        }
        cursor.at++;
    }
    bool snapshot = (event.flags & FEED_EVENT_SNAPSHOT) != 0;
    make_room(&cursor);
    if (!IS(cursor.at, "}}}") || cursor.end - cursor.at != 3 ||
        seen != (snapshot ? SEEN_ALL & ~SEEN_PREVIOUS : SEEN_ALL)) {
        return NOT_MINE;
    }
    parser->broken_at = 0;
    parser->broken_why = NULL;
    sink(context, &event);
    return (int64_t)count;
}

static int64_t parse_scalar(struct feed_parser *parser, const char *bytes, size_t count, feed_sink sink,
                            void *context)
{
    return parse(parser, bytes, count, sink, context, number_bare_scalar);
}

#if defined(__x86_64__)
static NUMBER_AVX2 int64_t parse_avx2(struct feed_parser *parser, const char *bytes, size_t count,
                                      feed_sink sink, void *context)
{
    return parse(parser, bytes, count, sink, context, number_bare_avx2);
}
#endif

deribit_fast deribit_fast_at(enum index_level level)
{
    if (level > index_level_best()) {
        return NULL;
    }
#if defined(__x86_64__)
    if (level >= INDEX_AVX2) {
        return parse_avx2; /* two numbers fill its registers: wider ones would stay half empty */
    }
#endif
    return parse_scalar;
}

deribit_fast deribit_fast_parse = parse_scalar;

__attribute__((constructor)) static void choose(void)
{
    deribit_fast_parse = deribit_fast_at(index_level_best());
}
