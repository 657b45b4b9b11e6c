#include "venues/binance/fast.h"
#include "venues/binance/feed.h"
#include "venues/number.h"
#include "venues/scan.h"

#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define NOT_MINE BINANCE_FAST_NOT_MINE

/* Shorter than any message meant here; so the first look may be 16 bytes wide. */
#define LEAST_BYTES 64

/* What one level brings. */
struct means {
    index_quotes quotes;
    struct number_means number;
};

/* ------------------------------------------------------------------ keys */

/* Keys of one letter are numbered by letter; the others follow. */
enum { KEY_PU = SCAN_LETTERS, KEY_PS, KEY_ST, KEY_COUNT };

#define KEY(letter) ((unsigned)(letter) - 'A')
#define BIT(key)    (1ULL << (key))
#define HAS(letter) BIT(KEY(letter))

/* Which keys a kind of message has, and of which type.  A key that is in none of the lists is a surprise. */
struct kind_keys {
    uint64_t required, optional;
    uint64_t texts;  /* strings that stay text; a decimal is a string as well */
    uint64_t arrays; /* of levels */
};

static const struct kind_keys depth_keys = {
    .required = HAS('e') | HAS('E') | HAS('s') | HAS('U') | HAS('u') | HAS('b') | HAS('a'),
    .optional = HAS('T') | BIT(KEY_PU) | BIT(KEY_PS) | BIT(KEY_ST),
    .texts = HAS('e') | HAS('s') | BIT(KEY_PS),
    .arrays = HAS('b') | HAS('a'),
};

static const struct kind_keys top_keys = {
    .required = HAS('u') | HAS('s') | HAS('b') | HAS('B') | HAS('a') | HAS('A'),
    .optional = HAS('e') | HAS('T') | HAS('E') | BIT(KEY_PS) | BIT(KEY_ST),
    .texts = HAS('e') | HAS('s') | BIT(KEY_PS) | HAS('b') | HAS('B') | HAS('a') | HAS('A'),
};

static const struct kind_keys trade_keys = {
    .required = HAS('e') | HAS('s') | HAS('t') | HAS('p') | HAS('q') | HAS('m'),
    /* spot once told the ids of both orders: b and a */
    .optional = HAS('E') | HAS('T') | HAS('X') | HAS('M') | HAS('b') | HAS('a') | BIT(KEY_PS) | BIT(KEY_ST),
    .texts = HAS('e') | HAS('s') | HAS('p') | HAS('q') | HAS('X') | BIT(KEY_PS),
};

static const struct kind_keys aggregate_keys = {
    .required = HAS('e') | HAS('s') | HAS('a') | HAS('p') | HAS('q') | HAS('m'),
    .optional = HAS('E') | HAS('T') | HAS('f') | HAS('l') | HAS('M') | BIT(KEY_PS) | BIT(KEY_ST),
    .texts = HAS('e') | HAS('s') | HAS('p') | HAS('q') | BIT(KEY_PS),
};

/* ------------------------------------------------------------------ the walk over the keys */

/* Where a value stands: the byte before its first in the low half, the byte behind its last in the high
 * half.  One word, and two of them one longer word: what is stored in halves and loaded whole waits for the
 * store to reach the cache. */
typedef uint32_t ends;
#define ENDS(before, end) NUMBER_ENDS(before, end)

/* The ends of a string, as the index has them side by side.  Two loads: the index may have stored them by
 * two stores, and no load is served from two at once. */
static inline ends ends_at(const uint16_t *quotes)
{
    uint32_t end = quotes[1];
    __asm__("" : "+r"(end)); /* or the compiler makes one of them */
    return ENDS(quotes[0], end);
}

static inline uint32_t before_of(ends value)
{
    return value & 0xffff;
}

static inline uint32_t end_of(ends value)
{
    return value >> 16;
}

static inline uint32_t bytes_of(ends value)
{
    return (value >> 16) - (value & 0xffff) - 1;
}

/* A message with its values found and none understood. */
struct message {
    const char *bytes;
    uint32_t count;
    uint32_t closing; /* how many braces end it */
    uint32_t quote_count;
    ends stream;                  /* 0 on a raw connection */
    uint64_t seen, texts, arrays; /* bit per key */
    ends value[KEY_COUNT];        /* an array: ordinal of its first quote, count of its levels */
    uint16_t quotes[INDEX_ROOM];
};

static inline uint32_t load4(const char *from)
{
    uint32_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

static inline uint64_t load8(const char *from)
{
    uint64_t word;
    memcpy(&word, from, sizeof word);
    return word;
}

/* The same bytes as constants, in the order in which memory has them. */
#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the fast parser compares words in memory order"
#endif
#define WORD4(a, b, c, d)                                                                                    \
    ((uint32_t)(unsigned char)(a) | (uint32_t)(unsigned char)(b) << 8 | (uint32_t)(unsigned char)(c) << 16 | \
     (uint32_t)(unsigned char)(d) << 24)

#define ALWAYS static inline __attribute__((always_inline))

/* levels_walk counts the levels of an array whose first quote is quotes[*ordinal], and moves both to behind
 * it.  Between the quotes of ["price","qty"] nothing may stand but what belongs there; the numbers
 * themselves are looked at later. */
ALWAYS bool levels_walk(const struct message *message, uint32_t *ordinal, uint32_t *at, uint32_t *level_count)
{
    const char *bytes = message->bytes;
    const uint16_t *quotes = message->quotes;
    uint32_t first = *ordinal, next = first, last;
    for (;;) {
        if (next + 4 > message->quote_count) {
            return false;
        }
        uint32_t middle = quotes[next + 1];
        last = quotes[next + 3];
        if (last + 4 > message->count || (load4(bytes + middle) & 0xffffff) != WORD4('"', ',', '"', 0)) {
            return false;
        }
        next += 4;
        if (last + 5 > message->count || load4(bytes + last + 1) != WORD4(']', ',', '[', '"')) {
            break;
        }
    }
    if (bytes[last + 1] != ']' || bytes[last + 2] != ']') {
        return false;
    }
    *level_count = (next - first) / 4;
    *ordinal = next;
    *at = last + 3;
    return true;
}

/* fields_walk finds the value of each key of the object whose first key is quotes[ordinal]. */
ALWAYS bool fields_walk(struct message *message, uint32_t ordinal)
{
    const char *bytes = message->bytes;
    const uint16_t *quotes = message->quotes;
    const uint32_t count = message->count, quote_count = message->quote_count;
    const uint32_t object_end = count - message->closing;
    uint64_t seen = 0, texts = 0, arrays = 0;
    for (;;) {
        uint32_t at = quotes[ordinal]; /* of the key's first quote */
        if (at + 6 > count) {
            return false; /* not even room for "x":1}; INDEX_NONE is beyond as well */
        }
        uint32_t word = load4(bytes + at);
        uint32_t key;
        if ((word & 0xffff00ff) == WORD4('"', 0, '"', ':')) {
            key = (word >> 8 & 0xff) - 'A';
            at += 4;
            if (key >= SCAN_LETTERS) {
                return false;
            }
        } else {
            key = word == WORD4('"', 'p', 'u', '"')   ? KEY_PU
                  : word == WORD4('"', 'p', 's', '"') ? KEY_PS
                  : word == WORD4('"', 's', 't', '"') ? KEY_ST
                                                      : KEY_COUNT;
            if (key == KEY_COUNT || bytes[at + 4] != ':') {
                return false;
            }
            at += 5;
        }
        if (seen & BIT(key)) {
            return false;
        }
        seen |= BIT(key);

        ends value;
        if (bytes[at] == '"') {
            uint32_t end = quotes[ordinal + 3];
            value = ENDS(at, end);
            texts |= BIT(key);
            ordinal += 4;
            at = end + 1;
        } else if (bytes[at] != '[') {
            /* bare: up to the comma before the next key, or to the end */
            uint32_t before = at - 1;
            ordinal += 2;
            at = ordinal < quote_count ? quotes[ordinal] - 1U : object_end;
            value = ENDS(before, at);
        } else {
            uint32_t level_count = 0, first = ordinal + 2;
            ordinal = first;
            if (bytes[at + 1] == ']') {
                at += 2;
            } else if (bytes[at + 1] != '[' || quotes[ordinal] != at + 2 ||
                       !levels_walk(message, &ordinal, &at, &level_count)) {
                return false;
            }
            value = ENDS(first, level_count);
            arrays |= BIT(key);
        }
        message->value[key] = value;
        if (ordinal >= quote_count) {
            message->seen = seen;
            message->texts = texts;
            message->arrays = arrays;
            return ordinal == quote_count && at == object_end;
        }
        if (quotes[ordinal] != at + 1 || bytes[at] != ',') {
            return false;
        }
    }
}

/* Best prices, found: kept apart from the message, so that they can stay in registers. */
struct found {
    uint64_t seen;
    ends symbol, last, time[2]; /* T, E */
    uint64_t bid, ask;          /* pairs */
};

/* ---- best prices and short changes of a book, without an index ----
 *
 * The venue prints their keys in the orders below: what stands between the values is then fixed text, and a
 * value ends where it ended last time, or is delimited by one look at the 32 bytes from its first.  An index
 * of so short a text takes longer than that; of a long one it does not, because here each look waits for the
 * one before.  Whatever else comes is a surprise: false, and nothing was said of it. */
#if defined(__SSE2__)
#define SHORT_BYTES 512

/* Which of a parser's lengths is whose. */
enum {
    LENGTH_STREAM,
    LENGTH_SYMBOL,
    LENGTH_PAIR,
    LENGTH_T,
    LENGTH_E,
    LENGTH_LAST,
    LENGTH_FIRST,
    LENGTH_PREVIOUS,
    LENGTH_BID,
    LENGTH_BID_QTY,
    LENGTH_ASK,
    LENGTH_ASK_QTY,
    LENGTH_COUNT
};
_Static_assert(LENGTH_COUNT <= sizeof((struct feed_parser *)0)->lengths, "a parser has room for them");

/* bits_from answers a bit for each byte from `at`, of 32 at most and none beyond the message: which are
 * quotes, or which are no digits. */
ALWAYS uint32_t bits_from(const struct message *message, uint32_t at, bool quotes)
{
    uint32_t from = at + 32 <= message->count ? at : message->count - 32;
    const __m128i *text = (const __m128i *)(const void *)(message->bytes + from);
    uint32_t bits = 0;
    for (int half = 0; half < 2; half++) {
        __m128i v = _mm_loadu_si128(text + half);
        if (quotes) {
            v = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
        } else {
            v = _mm_sub_epi8(v, _mm_set1_epi8('0'));
            v = _mm_cmpeq_epi8(_mm_max_epu8(v, _mm_set1_epi8(10)), v);
        }
        bits |= (uint32_t)_mm_movemask_epi8(v) << 16 * half;
    }
    return bits >> (at - from);
}

/* text_at delimits the string whose first quote is at `before`, digits_at the digits behind it; *at is then
 * the byte behind.  Values are mostly as long as they were last time: said by a branch, the processor goes on
 * with *length, where a length that is looked for would be waited for.  What is in a string is looked at by
 * whoever reads it: the quote that is found may not be the first. */
ALWAYS bool text_at(const struct message *message, uint32_t before, uint8_t *length, ends *value,
                    uint32_t *at)
{
    uint32_t end = before + 1 + *length;
    if (__builtin_expect(end >= message->count || message->bytes[end] != '"', 0)) {
        uint32_t bits = before + 1 < message->count ? bits_from(message, before + 1, true) : 0;
        if (bits == 0) {
            return false;
        }
        *length = (uint8_t)__builtin_ctz(bits);
        end = before + 1 + *length;
    }
    *value = ENDS(before, end);
    *at = end;
    return true;
}

ALWAYS bool digits_at(const struct message *message, uint32_t before, uint8_t *length, ends *value,
                      uint32_t *at)
{
    uint32_t end = before + 1 + *length;
    if (__builtin_expect(end >= message->count || (message->bytes[end] != ',' && message->bytes[end] != '}'),
                         0)) {
        uint32_t bits = before + 1 < message->count ? bits_from(message, before + 1, false) : 0;
        if (bits == 0) {
            return false;
        }
        *length = (uint8_t)__builtin_ctz(bits);
        end = before + 1 + *length;
    }
    *value = ENDS(before, end);
    *at = end;
    return true;
}

/* is_plain: a string of 32 bytes at most ends where it is thought to, and nothing in it needs interpreting;
 * false for a longer one. */
ALWAYS bool is_plain(const struct message *message, ends value)
{
    uint32_t bytes = bytes_of(value), at = before_of(value) + 1;
    uint32_t from = at + 32 <= message->count ? at : message->count - 32;
    const __m128i *text = (const __m128i *)(const void *)(message->bytes + from);
    uint32_t odd = 0;
    for (int half = 0; half < 2; half++) {
        __m128i v = _mm_loadu_si128(text + half);
        /* as signed bytes: what is above 0x7f is below 0x20 too */
        __m128i strange =
            _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('\\')), _mm_cmpeq_epi8(v, _mm_set1_epi8('"')));
        strange = _mm_or_si128(strange, _mm_cmplt_epi8(v, _mm_set1_epi8(0x20)));
        odd |= (uint32_t)_mm_movemask_epi8(strange) << 16 * half;
    }
    return bytes <= 32 && (odd >> (at - from) & (uint32_t)((1ULL << bytes) - 1)) == 0;
}

/* The text at an offset: four to eight characters in two comparisons that overlap; 16 or 17 in three. */
#define COMES(at, text)                                                                                      \
    ((at) + sizeof(text) - 1 <= message->count && load4(message->bytes + (at)) == load4(text) &&             \
     load4(message->bytes + (at) + sizeof(text) - 5) == load4(&(text)[sizeof(text) - 5]))
#define COMES_LONG(at, text)                                                                                 \
    ((at) + sizeof(text) - 1 <= message->count && load8(message->bytes + (at)) == load8(text) &&             \
     load8(message->bytes + (at) + 8) == load8(&(text)[8]) &&                                                \
     load8(message->bytes + (at) + sizeof(text) - 9) == load8(&(text)[sizeof(text) - 9]))

/* side_walk delimits the numbers of an array of levels, as the index would have them: *at is the byte behind
 * its first bracket, then behind its last. */
ALWAYS bool side_walk(struct message *message, uint32_t *ordinal, uint32_t *at, ends *value)
{
    const char *bytes = message->bytes;
    uint32_t first = *ordinal, next = first, here = *at + 1;
    if (here < message->count && bytes[*at] == ']') {
        *value = ENDS(first, 0);
        *at += 1;
        return true;
    }
    if (here + 8 > message->count || bytes[*at] != '[' || bytes[here] != '"') {
        return false;
    }
    for (;;) {
        if (next + 4 > INDEX_QUOTES_MAX) {
            return false;
        }
        uint32_t bits = bits_from(message, here, true);
        bits &= bits - 1; /* the first quote is where we are */
        uint32_t end = (uint32_t)__builtin_ctz(bits | 1U << 31);
        bits &= bits - 1;
        uint32_t before = (uint32_t)__builtin_ctz(bits | 1U << 31);
        bits &= bits - 1;
        uint32_t last = (uint32_t)__builtin_ctz(bits | 1U << 31);
        if (bits == 0 || before != end + 2 || bytes[here + end + 1] != ',' ||
            here + last + 5 > message->count) {
            return false;
        }
        uint64_t quotes = here * 0x0001000100010001ULL +
                          ((uint64_t)last << 48 | (uint64_t)before << 32 | (uint64_t)end << 16);
        memcpy(&message->quotes[next], &quotes, sizeof quotes);
        next += 4;
        here += last;
        if (load4(bytes + here + 1) != WORD4(']', ',', '[', '"')) {
            break;
        }
        here += 4;
    }
    if (bytes[here + 1] != ']' || bytes[here + 2] != ']') {
        return false;
    }
    *value = ENDS(first, (next - first) / 4);
    *ordinal = next;
    *at = here + 3;
    return true;
}

/* top_walk finds the best prices: linear e u s b B a A T E, inverse u e s ps b B a A T E, spot u s b B a A.
 */
ALWAYS bool top_walk(const struct message *message, uint32_t at, uint8_t *lengths, struct found *found)
{
    uint64_t seen = HAS('u') | HAS('s') | HAS('b') | HAS('B') | HAS('a') | HAS('A');
    const uint32_t object_end = message->count - message->closing;
    ends price, qty, ignored;
    if (COMES_LONG(at, "\"e\":\"bookTicker\",")) {
        seen |= HAS('e');
        at += 17;
    }
    if (!COMES(at, "\"u\":") || !digits_at(message, at + 3, &lengths[LENGTH_LAST], &found->last, &at)) {
        return false;
    }
    if ((seen & HAS('e')) == 0 && COMES_LONG(at, ",\"e\":\"bookTicker\"")) {
        seen |= HAS('e');
        at += 17;
    }
    if (!COMES(at, ",\"s\":\"") || !text_at(message, at + 5, &lengths[LENGTH_SYMBOL], &found->symbol, &at)) {
        return false;
    }
    if (COMES(at, "\",\"ps\":\"")) {
        seen |= BIT(KEY_PS);
        if (!text_at(message, at + 7, &lengths[LENGTH_PAIR], &ignored, &at) || !is_plain(message, ignored)) {
            return false;
        }
    }
    if (!COMES(at, "\",\"b\":\"") || !text_at(message, at + 6, &lengths[LENGTH_BID], &price, &at) ||
        !COMES(at, "\",\"B\":\"") || !text_at(message, at + 6, &lengths[LENGTH_BID_QTY], &qty, &at)) {
        return false;
    }
    found->bid = NUMBER_WORD(price, qty);
    if (!COMES(at, "\",\"a\":\"") || !text_at(message, at + 6, &lengths[LENGTH_ASK], &price, &at) ||
        !COMES(at, "\",\"A\":\"") || !text_at(message, at + 6, &lengths[LENGTH_ASK_QTY], &qty, &at)) {
        return false;
    }
    found->ask = NUMBER_WORD(price, qty);
    found->time[0] = found->time[1] = found->last;
    if (at + 1 != object_end) {
        if (!COMES(at, "\",\"T\":") ||
            !digits_at(message, at + 5, &lengths[LENGTH_T], &found->time[0], &at) || !COMES(at, ",\"E\":") ||
            !digits_at(message, at + 4, &lengths[LENGTH_E], &found->time[1], &at)) {
            return false;
        }
        at--;
        seen |= HAS('T') | HAS('E');
    }
    found->seen = seen;
    return at + 1 == object_end;
}

/* depth_walk finds what changed in a book: linear e E T s U u pu b a, inverse e E T s ps U u pu b a, spot
 * e E s U u b a. */
ALWAYS bool depth_walk(struct message *message, uint32_t at, uint8_t *lengths)
{
    uint64_t seen = depth_keys.required;
    uint32_t ordinal = 0;
    ends ignored, *value = message->value;
    if (!COMES(at + 17, ",\"E\":") ||
        !digits_at(message, at + 21, &lengths[LENGTH_E], &value[KEY('E')], &at)) {
        return false;
    }
    if (COMES(at, ",\"T\":")) {
        seen |= HAS('T');
        if (!digits_at(message, at + 4, &lengths[LENGTH_T], &value[KEY('T')], &at)) {
            return false;
        }
    }
    if (!COMES(at, ",\"s\":\"") ||
        !text_at(message, at + 5, &lengths[LENGTH_SYMBOL], &value[KEY('s')], &at)) {
        return false;
    }
    if (COMES(at, "\",\"ps\":\"")) {
        seen |= BIT(KEY_PS);
        if (!text_at(message, at + 7, &lengths[LENGTH_PAIR], &ignored, &at) || !is_plain(message, ignored)) {
            return false;
        }
    }
    if (!COMES(at, "\",\"U\":") ||
        !digits_at(message, at + 5, &lengths[LENGTH_FIRST], &value[KEY('U')], &at) || !COMES(at, ",\"u\":") ||
        !digits_at(message, at + 4, &lengths[LENGTH_LAST], &value[KEY('u')], &at)) {
        return false;
    }
    if (COMES(at, ",\"pu\":")) {
        seen |= BIT(KEY_PU);
        if (!digits_at(message, at + 5, &lengths[LENGTH_PREVIOUS], &value[KEY_PU], &at)) {
            return false;
        }
    }
    if (!COMES(at, ",\"b\":[")) {
        return false;
    }
    at += 6;
    if (!side_walk(message, &ordinal, &at, &value[KEY('b')]) || !COMES(at, ",\"a\":[")) {
        return false;
    }
    at += 6;
    message->seen = seen;
    return side_walk(message, &ordinal, &at, &value[KEY('a')]) && at == message->count - message->closing;
}

/* short_open finds the object that matters: where its first key stands; 0 when there is none. */
ALWAYS uint32_t short_open(struct message *message, const char *bytes, size_t count, uint8_t *lengths)
{
    uint32_t at = 1;
    message->bytes = bytes;
    message->count = (uint32_t)count;
    message->closing = 1;
    message->stream = 0;
    if (load8(bytes + 2) == load8("stream\":") && bytes[10] == '"') {
        message->closing = 2;
        if (!text_at(message, 10, &lengths[LENGTH_STREAM], &message->stream, &at) ||
            !is_plain(message, message->stream) || !COMES(at, "\",\"data\"") || !COMES(at + 6, "a\":{")) {
            return 0;
        }
        at += 10;
    }
    return bytes[0] == '{' && bytes[1] == '"' && bytes[count - 1] == '}' &&
                   bytes[count - message->closing] == '}'
               ? at
               : 0;
}

#endif

/* message_open indexes the message and finds the object that matters: the ordinal of its first quote. */
ALWAYS bool message_open(struct message *message, const struct means *means, const char *bytes, size_t count,
                         uint32_t *ordinal)
{
    static const char data[10] = "\",\"data\":{";
    if (count < LEAST_BYTES || count > INDEX_BYTES_MAX || bytes[0] != '{' || bytes[1] != '"' ||
        bytes[count - 1] != '}') {
        return false;
    }
    int32_t quote_count = means->quotes(bytes, count, message->quotes);
    if (quote_count < 8) {
        return false;
    }
    message->bytes = bytes;
    message->count = (uint32_t)count;
    message->quote_count = (uint32_t)quote_count;
    message->closing = 1;
    message->stream = 0;
    *ordinal = 0;
    if (load8(bytes + 2) == load8("stream\":") && bytes[10] == '"') {
        uint32_t end = message->quotes[3];
        if (end + LEAST_BYTES / 2 > count || memcmp(bytes + end, data, sizeof data) != 0 ||
            message->quotes[6] != end + sizeof data || bytes[count - 2] != '}') {
            return false;
        }
        message->stream = ENDS(10, end);
        message->closing = 2;
        *ordinal = 6;
    }
    return true;
}

/* ------------------------------------------------------------------ what the values are */

ALWAYS bool keys_are(const struct message *message, const struct kind_keys *keys)
{
    return (message->seen & ~keys->optional) == keys->required &&
           message->texts == (message->seen & keys->texts) && message->arrays == keys->arrays;
}

#define TEXT_IS(message, value, text)                                                                        \
    (bytes_of(value) == sizeof(text) - 1 &&                                                                  \
     memcmp((message)->bytes + before_of(value) + 1, text, sizeof(text) - 1) == 0)

/* Bare numbers that are read whatever becomes of them, because the text is not sound unless they are.  A key
 * that is not there repeats the first. */
/* The numbers of a message that are not levels: whole[i] of the keys asked for, and up to two pairs of
 * decimals. */
struct numbers {
    uint64_t pair[NUMBER_FEW];
    int64_t value[2 * NUMBER_FEW];
    const int64_t *whole; /* into value */
};

/* JSON has no leading zeros. */
ALWAYS bool whole_is_sound(const char *bytes, ends value)
{
    return bytes[before_of(value) + 1] != '0' || bytes_of(value) == 1;
}

static bool whole_read(const char *bytes, ends value, int64_t *out)
{
    *out = 0;
    if (bytes_of(value) - 1 >= 18) {
        return false; /* nothing, or more than is sure to fit */
    }
    for (uint32_t at = before_of(value) + 1; at < end_of(value); at++) {
        unsigned digit = (unsigned)(unsigned char)bytes[at] - '0';
        if (digit > 9) {
            return false;
        }
        *out = *out * 10 + (int64_t)digit;
    }
    return true;
}

/* The careful way, for what the quick one refuses: numbers that are not printed alike, or are longer. */
static __attribute__((noinline)) bool numbers_read_each(const char *bytes, const struct instrument *row,
                                                        struct numbers *numbers, uint32_t formed)
{
    const struct number_task decimals = { .bytes = bytes,
                                          .ends = (const uint16_t *)numbers->pair,
                                          .pairs = formed,
                                          .forms = NUMBER_FORMS(row->price_decimals, row->qty_decimals) };
    if (!number_pairs_scalar(&decimals, numbers->value)) {
        return false;
    }
    for (uint32_t i = 2 * formed; i < 2 * NUMBER_FEW; i++) {
        ends value = (ends)(numbers->pair[i / 2] >> 32 * (i % 2));
        if (!whole_read(bytes, value, &numbers->value[i])) {
            return false;
        }
    }
    return true;
}

/* Digits behind the point of one number.  Futures print as many as the unit has and spot prints eight: said
 * by branches, the processor goes on with its guess, where an answer that is computed would be waited for. */
ALWAYS uint32_t behind_of(const char *bytes, ends value, uint32_t decimals)
{
    const char *last = bytes + end_of(value) - 1;
    if (__builtin_expect(decimals > 0 && *(last - decimals) == '.', 1)) {
        return decimals;
    }
    if (__builtin_expect(*(last - 8) == '.', 1)) {
        return 8;
    }
    return number_behind(bytes, before_of(value), end_of(value));
}

/* How the numbers of a pair are printed. */
ALWAYS number_forms forms_of(const char *bytes, const struct instrument *row, uint64_t pair)
{
    uint32_t price = row->price_decimals, qty = row->qty_decimals;
    return NUMBER_FORMS(NUMBER_FORM(behind_of(bytes, (ends)pair, price), price),
                        NUMBER_FORM(behind_of(bytes, (ends)(pair >> 32), qty), qty));
}

/* The i-th whole number asked for, or the first where there is none. */
ALWAYS ends whole_at(const struct message *message, const uint8_t *keys, uint32_t key_count, uint32_t i,
                     bool *sound)
{
    bool is = i < key_count && (message->seen & BIT(keys[i]));
    ends value = message->value[is ? keys[i] : keys[0]];
    *sound = *sound && (i >= key_count || whole_is_sound(message->bytes, value));
    return value;
}

/* numbers_read reads two pairs of decimals, whose ends the caller has put first into numbers->pair, and up to
 * four whole numbers; or no pairs and up to eight. */
ALWAYS bool numbers_read(const struct message *message, const struct means *means,
                         const struct instrument *row, struct numbers *numbers, uint32_t formed,
                         const uint8_t *keys, uint32_t key_count)
{
    const char *bytes = message->bytes;
    bool sound = true;
    /* unrolled, so that the words of a pair are put together in registers (see ends) */
#pragma GCC unroll 4
    for (uint32_t i = 0; i < NUMBER_FEW - formed; i++) {
        numbers->pair[formed + i] = NUMBER_WORD(whole_at(message, keys, key_count, 2 * i, &sound),
                                                whole_at(message, keys, key_count, 2 * i + 1, &sound));
    }
    if (!sound) {
        return false;
    }
    numbers->whole = numbers->value + 2 * formed;
    /* only the first whole number can stand so early in a message that 16 bytes do not precede its end */
    if (means->number.few != NULL && end_of(message->value[keys[0]]) >= 16 &&
        means->number.few(bytes, numbers->pair[0], numbers->pair[1], numbers->pair[2], numbers->pair[3],
                          formed > 0 ? forms_of(bytes, row, numbers->pair[0]) : 0, numbers->value)) {
        return true;
    }
    return numbers_read_each(bytes, row, numbers, formed);
}

/* Levels, all printed alike if it is the quick way that reads them. */
ALWAYS bool levels_read(const struct message *message, const struct means *means,
                        const struct instrument *row, ends side, struct level *levels)
{
    const uint16_t *quotes = message->quotes + before_of(side);
    struct number_task task = {
        .bytes = message->bytes,
        .ends = quotes,
        .pairs = end_of(side),
        .forms = NUMBER_FORMS(row->price_decimals, row->qty_decimals),
        .positive = true,
    };
    if (task.pairs == 0) {
        return true;
    }
    if (means->number.few != NULL && quotes[1] >= 16) {
        task.forms = forms_of(message->bytes, row, NUMBER_WORD(ends_at(quotes), ends_at(quotes + 2)));
        if (means->number.pairs(&task, &levels->price)) {
            return true;
        }
    }
    return number_pairs_scalar(&task, &levels->price);
}

/* Venue times are in ms, or in us where the connection asked for it: told by their size.  False for what is
 * not a time between 1973 and 2255 in either. */
ALWAYS bool time_ns(int64_t time, int64_t *ns)
{
    /* as unsigned: what is no time may overflow, and is not used */
    bool is_us = time >= 100000000000000LL;
    *ns = (int64_t)((uint64_t)time * (is_us ? 1000 : 1000000));
    return is_us ? time < 9000000000000000LL : time >= 100000000000LL && time < 9000000000000LL;
}

/* The time of a message: T, else E; 0 without either.  whole[1] is the one, whole[2] the other. */
ALWAYS bool time_of(uint64_t seen, const struct numbers *numbers, int64_t *ns)
{
    *ns = 0;
    return (seen & (HAS('T') | HAS('E'))) == 0 || time_ns(numbers->whole[seen & HAS('T') ? 1 : 2], ns);
}

ALWAYS bool symbol_is(const struct instrument *row, const char *symbol, uint32_t bytes)
{
    /* a symbol is never within 8 bytes of a message's end: a key and a value follow or closing braces and
     * more precede; the caller has made sure */
    for (uint32_t i = 0; i < bytes; i += 8) {
        uint64_t differ = load8(symbol + i) ^ load8(row->symbol + i);
        if (bytes - i < 8) {
            differ &= (1ULL << 8 * (bytes - i)) - 1;
        }
        if (differ != 0) {
            return false;
        }
    }
    return row->symbol[bytes] == '\0';
}

/* The instrument a message is about; nearly always the one before, or the table's hash knows. */
ALWAYS const struct instrument *row_of(struct feed_parser *parser, const struct message *message,
                                       uint64_t seen, ends symbol)
{
    const char *text = message->bytes + before_of(symbol) + 1;
    uint32_t bytes = bytes_of(symbol);
    if (bytes == 0 || bytes >= INSTRUMENT_SYMBOL_BYTES) {
        return NULL;
    }
    uint8_t product = parser->product;
    if (seen & BIT(KEY_ST)) {
        /* streams of all markets carry both futures products: 1 linear, 2 inverse.  On spot it is there too
         * and means nothing */
        ends st = message->value[KEY_ST];
        char which = message->bytes[before_of(st) + 1];
        if (bytes_of(st) != 1 || (which != '1' && which != '2')) {
            return NULL;
        }
        product = product == PRODUCT_SPOT ? product : which == '1' ? PRODUCT_LINEAR : PRODUCT_INVERSE;
    }
    if (parser->last_instrument < parser->instruments->count && end_of(symbol) + 8 <= message->count) {
        const struct instrument *row = &parser->instruments->row[parser->last_instrument];
        if (row->venue == VENUE_BINANCE && row->product == product && symbol_is(row, text, bytes)) {
            return row;
        }
    }
    const struct instrument *row = instrument_find(parser->instruments, VENUE_BINANCE, product, text, bytes);
    if (row != NULL) {
        parser->last_instrument = row->index;
    }
    return row;
}

ALWAYS bool truth_of(const struct message *message, unsigned key, bool *truth)
{
    *truth = TEXT_IS(message, message->value[key], "true");
    return *truth || TEXT_IS(message, message->value[key], "false");
}

/* ------------------------------------------------------------------ the kinds */

/* Everything but the part of the union that is the kind's own. */
ALWAYS void name(struct feed_event *event, uint8_t kind, const struct message *message,
                 const struct instrument *row, ends symbol)
{
    event->kind = kind;
    event->flags = 0;
    event->instrument = row->index;
    event->aggressor = event->control = event->status = event->top_n = 0;
    event->first = event->last = event->previous = 0;
    event->bid_count = event->ask_count = 0;
    event->text = message->bytes + before_of(symbol) + 1;
    event->text_bytes = bytes_of(symbol);
    event->bids = event->asks = NULL;
}

ALWAYS bool depth(struct feed_parser *parser, const struct message *message, const struct means *means,
                  const struct instrument *row, struct feed_event *event)
{
    static const uint8_t keys[5] = { KEY('u'), KEY('T'), KEY('E'), KEY('U'), KEY_PU };
    struct numbers numbers;
    ends bids = message->value[KEY('b')], asks = message->value[KEY('a')];
    if (end_of(bids) + end_of(asks) > parser->level_capacity ||
        !numbers_read(message, means, row, &numbers, 0, keys, POISE_COUNT_OF(keys)) ||
        !time_of(message->seen, &numbers, &event->venue_time_ns) ||
        !levels_read(message, means, row, bids, parser->levels) ||
        !levels_read(message, means, row, asks, parser->levels + end_of(bids))) {
        return false;
    }
    name(event, FEED_EVENT_DEPTH, message, row, message->value[KEY('s')]);
    event->last = (uint64_t)numbers.whole[0];
    event->first = (uint64_t)numbers.whole[3];
    event->previous = message->seen & BIT(KEY_PU) ? (uint64_t)numbers.whole[4] : 0;
    event->bid_count = end_of(bids);
    event->ask_count = end_of(asks);
    event->bids = parser->levels;
    event->asks = parser->levels + end_of(bids);
    if (message->stream != 0) {
        event->top_n =
            binance_stream_top_n(message->bytes + before_of(message->stream) + 1, bytes_of(message->stream));
        event->flags = event->top_n != 0 ? FEED_EVENT_SNAPSHOT | FEED_EVENT_TOP_N : 0;
    }
    return true;
}

ALWAYS bool top(const struct message *message, const struct means *means, const struct instrument *row,
                const struct found *found, struct feed_event *event)
{
    const char *bytes = message->bytes;
    struct numbers numbers;
    numbers.whole = numbers.value + 4;
    uint64_t wholes[2] = { NUMBER_WORD(found->last, found->time[0]),
                           NUMBER_WORD(found->time[1], found->last) };
    if (!whole_is_sound(bytes, found->last) || !whole_is_sound(bytes, found->time[0]) ||
        !whole_is_sound(bytes, found->time[1])) {
        return false;
    }
    if (means->number.few == NULL || end_of(found->last) < 16 ||
        !means->number.few(bytes, found->bid, found->ask, wholes[0], wholes[1],
                           forms_of(bytes, row, found->bid), numbers.value)) {
        numbers.pair[0] = found->bid;
        numbers.pair[1] = found->ask;
        numbers.pair[2] = wholes[0];
        numbers.pair[3] = wholes[1];
        if (!numbers_read_each(bytes, row, &numbers, 2)) {
            return false;
        }
    }
    if (!time_of(found->seen, &numbers, &event->venue_time_ns)) {
        return false;
    }
    name(event, FEED_EVENT_TOP, message, row, found->symbol);
    event->last = (uint64_t)numbers.whole[0];
    event->u.top.bid_price = numbers.value[0];
    event->u.top.bid_qty = numbers.value[1];
    event->u.top.ask_price = numbers.value[2];
    event->u.top.ask_qty = numbers.value[3];
    return true;
}

/* The same of a message whose keys are in some other order. */
ALWAYS bool top_in_any_order(const struct message *message, const struct means *means,
                             const struct instrument *row, struct feed_event *event)
{
    const ends *value = message->value;
    const ends last = value[KEY('u')];
    const struct found found = {
        .seen = message->seen,
        .symbol = value[KEY('s')],
        .last = last,
        .time = { message->seen & HAS('T') ? value[KEY('T')] : last,
                  message->seen & HAS('E') ? value[KEY('E')] : last },
        .bid = NUMBER_WORD(value[KEY('b')], value[KEY('B')]),
        .ask = NUMBER_WORD(value[KEY('a')], value[KEY('A')]),
    };
    return top(message, means, row, &found, event);
}

ALWAYS bool trade(const struct message *message, const struct means *means, const struct instrument *row,
                  const uint8_t keys[5], struct feed_event *event)
{
    struct numbers numbers;
    bool sold, known;
    int64_t fifth;
    numbers.pair[0] = numbers.pair[1] = NUMBER_WORD(message->value[KEY('p')], message->value[KEY('q')]);
    if (!numbers_read(message, means, row, &numbers, 2, keys, 4) ||
        ((message->seen & BIT(keys[4])) && (!whole_is_sound(message->bytes, message->value[keys[4]]) ||
                                            !whole_read(message->bytes, message->value[keys[4]], &fifth))) ||
        !time_of(message->seen, &numbers, &event->venue_time_ns) || numbers.value[1] == 0 ||
        !truth_of(message, KEY('m'), &sold) ||
        ((message->seen & HAS('M')) && !truth_of(message, KEY('M'), &known))) {
        return false;
    }
    name(event, FEED_EVENT_TRADE, message, row, message->value[KEY('s')]);
    event->aggressor = sold ? SIDE_SELL : SIDE_BUY;
    event->u.trade.price = numbers.value[0];
    event->u.trade.qty = numbers.value[1];
    event->u.trade.id = (uint64_t)numbers.whole[0];
    event->u.trade.id_text = NULL;
    event->u.trade.id_bytes = 0;
    if ((message->seen & HAS('X')) && !TEXT_IS(message, message->value[KEY('X')], "MARKET")) {
        event->flags |= FEED_EVENT_OFF_BOOK;
    }
    return true;
}

/* Told apart by the keys they have: no two kinds have the same. */
ALWAYS bool understand(struct feed_parser *parser, const struct message *message, const struct means *means,
                       struct feed_event *event)
{
    static const uint8_t trade_whole[5] = { KEY('t'), KEY('T'), KEY('E'), KEY('b'), KEY('a') };
    static const uint8_t aggregate_whole[5] = { KEY('a'), KEY('T'), KEY('E'), KEY('f'), KEY('l') };
    const struct instrument *row =
        message->seen & HAS('s') ? row_of(parser, message, message->seen, message->value[KEY('s')]) : NULL;
    ends kind = message->value[KEY('e')];
    if (row == NULL) {
        return false;
    }
    if (keys_are(message, &top_keys)) {
        return ((message->seen & HAS('e')) == 0 || TEXT_IS(message, kind, "bookTicker")) &&
               top_in_any_order(message, means, row, event);
    }
    if (keys_are(message, &depth_keys)) {
        return TEXT_IS(message, kind, "depthUpdate") && depth(parser, message, means, row, event);
    }
    if (keys_are(message, &trade_keys)) {
        return TEXT_IS(message, kind, "trade") && trade(message, means, row, trade_whole, event);
    }
    if (keys_are(message, &aggregate_keys)) {
        return TEXT_IS(message, kind, "aggTrade") && trade(message, means, row, aggregate_whole, event);
    }
    return false;
}

/* ------------------------------------------------------------------ the levels */

ALWAYS bool others(struct feed_parser *parser, struct message *message, const struct means *means,
                   uint32_t ordinal, struct feed_event *event)
{
    return fields_walk(message, ordinal) && understand(parser, message, means, event);
}

/* in_order reads what comes with its keys in the venue's order. */
ALWAYS bool in_order(struct feed_parser *parser, struct message *message, const struct means *means,
                     const char *bytes, size_t count, struct feed_event *event)
{
#if defined(__SSE2__)
    const struct instrument *row;
    struct found found;
    if (count < LEAST_BYTES || count > SHORT_BYTES) {
        return false;
    }
    uint32_t at = short_open(message, bytes, count, parser->lengths);
    if (at != 0 && COMES_LONG(at, "\"e\":\"depthUpdate\"")) {
        if (depth_walk(message, at, parser->lengths)) {
            row = row_of(parser, message, message->seen, message->value[KEY('s')]);
            return row != NULL && depth(parser, message, means, row, event);
        }
    } else if (at == 0 || !(COMES(at, "\"u\":") || COMES(at, "\"e\":\"boo"))) {
        return false;
    } else if (top_walk(message, at, parser->lengths, &found)) {
        row = row_of(parser, message, found.seen, found.symbol);
        return row != NULL && top(message, means, row, &found, event);
    }
    memset(parser->lengths, 0, sizeof parser->lengths); /* one of them may have led astray */
#else
    (void)parser, (void)message, (void)means, (void)bytes, (void)count, (void)event;
#endif
    return false;
}

static inline int64_t tell(struct feed_parser *parser, size_t count, feed_sink sink, void *context,
                           const struct feed_event *event)
{
    parser->broken_at = 0;
    parser->broken_why = NULL;
    sink(context, event);
    return (int64_t)count;
}

/* `rest` is others() for these means, not inlined: the registers it needs would be saved for every message.
 */
ALWAYS int64_t parse(struct feed_parser *parser, const char *bytes, size_t count, feed_sink sink,
                     void *context, const struct means *means,
                     bool (*rest)(struct feed_parser *parser, struct message *message, uint32_t ordinal,
                                  struct feed_event *event))
{
    struct message message;
    struct feed_event event;
    uint32_t ordinal;
    if (in_order(parser, &message, means, bytes, count, &event)) {
        return tell(parser, count, sink, context, &event);
    }
    if (!message_open(&message, means, bytes, count, &ordinal)) {
        return NOT_MINE;
    }
    if (!rest(parser, &message, ordinal, &event)) {
        return NOT_MINE;
    }
    return tell(parser, count, sink, context, &event);
}

/* The functions of a level, so that what it brings is called by name. */
#define LEVEL(suffix, few)                                                                                   \
    static const struct means means_##suffix = { index_quotes_##suffix, { number_pairs_##suffix, few } };    \
    static __attribute__((noinline)) bool others_##suffix(                                                   \
        struct feed_parser *parser, struct message *message, uint32_t ordinal, struct feed_event *event)     \
    {                                                                                                        \
        return others(parser, message, &means_##suffix, ordinal, event);                                     \
    }                                                                                                        \
    static int64_t parse_##suffix(struct feed_parser *parser, const char *bytes, size_t count,               \
                                  feed_sink sink, void *context)                                             \
    {                                                                                                        \
        return parse(parser, bytes, count, sink, context, &means_##suffix, others_##suffix);                 \
    }

LEVEL(scalar, NULL)
#if defined(__x86_64__)
LEVEL(avx2, number_few_avx2)
LEVEL(avx512, number_few_avx512)
#endif

binance_fast binance_fast_at(enum index_level level)
{
    if (level > index_level_best()) {
        return NULL;
    }
#if defined(__x86_64__)
    if (level == INDEX_AVX512) {
        return parse_avx512;
    }
    if (level == INDEX_AVX2) {
        return parse_avx2;
    }
#endif
    return parse_scalar;
}

binance_fast binance_fast_parse = parse_scalar;

__attribute__((constructor)) static void choose(void)
{
    binance_fast_parse = binance_fast_at(index_level_best());
}
