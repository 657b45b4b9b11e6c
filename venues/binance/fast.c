#include "venues/binance/fast.h"
#include "venues/binance/feed.h"
#include "venues/number.h"
#include "venues/scan.h"

#include <string.h>

#define NOT_MINE BINANCE_FAST_NOT_MINE

/* Shorter than any message meant here; so the first look may be 16 bytes wide. */
#define LEAST_BYTES 64

/* What one level brings. */
struct means {
    index_quotes quotes;
    number_pairs pairs;
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

/* Where a value stands: the byte before its first and the byte behind its last. */
struct ends {
    uint16_t before, end;
};

/* A message with its values found and none understood. */
struct message {
    const char *bytes;
    uint32_t count;
    uint32_t closing; /* how many braces end it */
    uint32_t quote_count;
    struct ends stream;
    uint64_t seen, texts, arrays; /* bit per key */
    struct ends value[KEY_COUNT]; /* an array: ordinal of its first quote, count of its levels */
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

static inline uint32_t ends_bytes(struct ends value)
{
    return (uint32_t)value.end - value.before - 1;
}

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
        if (message->seen & BIT(key)) {
            return false;
        }
        message->seen |= BIT(key);

        struct ends value;
        if (bytes[at] == '"') {
            value = (struct ends){ (uint16_t)at, quotes[ordinal + 3] };
            message->texts |= BIT(key);
            ordinal += 4;
            at = value.end + 1U;
        } else if (bytes[at] != '[') {
            /* bare: up to the comma before the next key, or to the end */
            value.before = (uint16_t)(at - 1);
            ordinal += 2;
            at = ordinal < quote_count ? quotes[ordinal] - 1U : object_end;
            value.end = (uint16_t)at;
        } else {
            uint32_t level_count = 0;
            ordinal += 2;
            value.before = (uint16_t)ordinal;
            if (bytes[at + 1] == ']') {
                at += 2;
            } else if (bytes[at + 1] != '[' || quotes[ordinal] != at + 2 ||
                       !levels_walk(message, &ordinal, &at, &level_count)) {
                return false;
            }
            value.end = (uint16_t)level_count;
            message->arrays |= BIT(key);
        }
        message->value[key] = value;
        if (ordinal >= quote_count) {
            return ordinal == quote_count && at == object_end;
        }
        if (quotes[ordinal] != at + 1 || bytes[at] != ',') {
            return false;
        }
    }
}

/* message_open indexes the message and finds the object that matters. */
ALWAYS bool message_open(struct message *message, const struct means *means, const char *bytes, size_t count)
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
    message->stream = (struct ends){ 0 };
    message->seen = message->texts = message->arrays = 0;
    uint32_t ordinal = 0;
    if (load8(bytes + 2) == load8("stream\":") && bytes[10] == '"') {
        uint32_t end = message->quotes[3];
        if (end + LEAST_BYTES / 2 > count || memcmp(bytes + end, data, sizeof data) != 0 ||
            message->quotes[6] != end + sizeof data || bytes[count - 2] != '}') {
            return false;
        }
        message->stream = (struct ends){ 10, (uint16_t)end };
        message->closing = 2;
        ordinal = 6;
    }
    return fields_walk(message, ordinal);
}

/* ------------------------------------------------------------------ what the values are */

ALWAYS bool keys_are(const struct message *message, const struct kind_keys *keys)
{
    return (message->seen & ~keys->optional) == keys->required &&
           message->texts == (message->seen & keys->texts) && message->arrays == keys->arrays;
}

#define TEXT_IS(message, value, text)                                                                        \
    (ends_bytes(value) == sizeof(text) - 1 &&                                                                \
     memcmp((message)->bytes + (value).before + 1, text, sizeof(text) - 1) == 0)

/* Bare numbers that are read whatever becomes of them, because the text is not sound unless they are: at most
 * four pairs.  A key that is not there repeats the first. */
#define WHOLE_MAX 8

struct whole {
    uint16_t ends[2 * WHOLE_MAX];
    int64_t value[WHOLE_MAX];
};

ALWAYS bool whole_check(const struct message *message, struct whole *whole, uint32_t i, struct ends ends)
{
    whole->ends[2 * i] = ends.before;
    whole->ends[2 * i + 1] = ends.end;
    /* JSON has no leading zeros; and 18 digits always fit */
    return ends.end > ends.before + 1 && ends_bytes(ends) <= 18 &&
           (message->bytes[ends.before + 1] != '0' || ends_bytes(ends) == 1);
}

static bool whole_read_each(const struct message *message, struct whole *whole, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint64_t value = 0;
        for (uint32_t at = whole->ends[2 * i] + 1U; at < whole->ends[2 * i + 1]; at++) {
            unsigned digit = (unsigned)(unsigned char)message->bytes[at] - '0';
            if (digit > 9) {
                return false;
            }
            value = value * 10 + digit;
        }
        whole->value[i] = (int64_t)value;
    }
    return true;
}

ALWAYS bool whole_read(const struct message *message, const struct means *means, struct whole *whole,
                       const uint8_t *keys, uint32_t count)
{
    bool early = false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t key = message->seen & BIT(keys[i]) ? keys[i] : keys[0];
        if (!whole_check(message, whole, i, message->value[key])) {
            return false;
        }
        early |= message->value[key].end < 16;
    }
    const struct number_task task = { .bytes = message->bytes, .ends = whole->ends, .pairs = count / 2 };
    return (!early && means->pairs != number_pairs_scalar && means->pairs(&task, whole->value)) ||
           whole_read_each(message, whole, count);
}

/* Decimals of pairs, all printed alike if it is the fast way that reads them. */
ALWAYS bool decimals_read(const struct message *message, const struct means *means,
                          const struct instrument *row, const uint16_t *ends, uint32_t pairs, bool positive,
                          int64_t *out)
{
    struct number_task task = {
        .bytes = message->bytes,
        .ends = ends,
        .pairs = pairs,
        .first = { .decimals = row->price_decimals },
        .second = { .decimals = row->qty_decimals },
        .positive = positive,
    };
    if (ends[1] >= 16 && means->pairs != number_pairs_scalar && row->price_decimals <= NUMBER_DECIMALS_MAX &&
        row->qty_decimals <= NUMBER_DECIMALS_MAX) {
        task.first.behind = number_behind(message->bytes, ends[0], ends[1]);
        task.second.behind = number_behind(message->bytes, ends[2], ends[3]);
        if (means->pairs(&task, out)) {
            return true;
        }
    }
    return number_pairs_scalar(&task, out);
}

/* Venue times are in ms, or in us where the connection asked for it: told by their size.  False for any
 * other. */
ALWAYS bool time_ns(int64_t time, int64_t *ns)
{
    *ns = time < 100000000000000LL ? time * 1000000LL : time * 1000LL;
    return time >= 100000000000LL && time < 100000000000000000LL;
}

/* The time of a message: T, else E; 0 without either.  whole[1] is the one, whole[2] the other. */
ALWAYS bool time_of(const struct message *message, const struct whole *whole, int64_t *ns)
{
    *ns = 0;
    return (message->seen & (HAS('T') | HAS('E'))) == 0 ||
           time_ns(whole->value[message->seen & HAS('T') ? 1 : 2], ns);
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
ALWAYS const struct instrument *row_of(struct feed_parser *parser, const struct message *message)
{
    const struct ends *symbol = &message->value[KEY('s')];
    const char *text = message->bytes + symbol->before + 1;
    uint32_t bytes = ends_bytes(*symbol);
    if (bytes == 0 || bytes >= INSTRUMENT_SYMBOL_BYTES) {
        return NULL;
    }
    uint8_t product = parser->product;
    if ((message->seen & BIT(KEY_ST)) && product != PRODUCT_SPOT) {
        /* streams of all markets carry both futures products: 1 linear, 2 inverse */
        struct ends st = message->value[KEY_ST];
        char which = message->bytes[st.before + 1];
        if (ends_bytes(st) != 1 || (which != '1' && which != '2')) {
            return NULL;
        }
        product = which == '1' ? PRODUCT_LINEAR : PRODUCT_INVERSE;
    }
    if (parser->last_instrument < parser->instruments->count && symbol->end + 8U <= message->count) {
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

ALWAYS void name(struct feed_event *event, const struct message *message, const struct instrument *row)
{
    event->instrument = row->index;
    event->text = message->bytes + message->value[KEY('s')].before + 1;
    event->text_bytes = ends_bytes(message->value[KEY('s')]);
}

ALWAYS bool depth(struct feed_parser *parser, const struct message *message, const struct means *means,
                  const struct instrument *row, struct feed_event *event)
{
    static const uint8_t keys[6] = { KEY('u'), KEY('T'), KEY('E'), KEY('U'), KEY_PU, KEY_ST };
    struct whole whole;
    struct ends bids = message->value[KEY('b')], asks = message->value[KEY('a')];
    if ((uint32_t)bids.end + asks.end > parser->level_capacity ||
        !whole_read(message, means, &whole, keys, POISE_COUNT_OF(keys)) ||
        !time_of(message, &whole, &event->venue_time_ns)) {
        return false;
    }
    event->kind = FEED_EVENT_DEPTH;
    event->last = (uint64_t)whole.value[0];
    event->first = (uint64_t)whole.value[3];
    event->previous = message->seen & BIT(KEY_PU) ? (uint64_t)whole.value[4] : 0;
    event->bid_count = bids.end;
    event->ask_count = asks.end;
    event->bids = parser->levels;
    event->asks = parser->levels + bids.end;
    if (message->stream.end > 0) {
        event->top_n =
            binance_stream_top_n(message->bytes + message->stream.before + 1, ends_bytes(message->stream));
        event->flags = event->top_n != 0 ? FEED_EVENT_SNAPSHOT | FEED_EVENT_TOP_N : 0;
    }
    return (bids.end == 0 || decimals_read(message, means, row, message->quotes + bids.before, bids.end, true,
                                           &parser->levels[0].price)) &&
           (asks.end == 0 || decimals_read(message, means, row, message->quotes + asks.before, asks.end, true,
                                           &parser->levels[bids.end].price));
}

ALWAYS void pair_put(uint16_t *ends, struct ends first, struct ends second)
{
    ends[0] = first.before;
    ends[1] = first.end;
    ends[2] = second.before;
    ends[3] = second.end;
}

ALWAYS bool top(const struct message *message, const struct means *means, const struct instrument *row,
                struct feed_event *event)
{
    static const uint8_t keys[4] = { KEY('u'), KEY('T'), KEY('E'), KEY_ST };
    struct whole whole;
    uint16_t ends[2 * NUMBER_PAIR];
    int64_t value[4];
    pair_put(ends, message->value[KEY('b')], message->value[KEY('B')]);
    pair_put(ends + NUMBER_PAIR, message->value[KEY('a')], message->value[KEY('A')]);
    if (!whole_read(message, means, &whole, keys, POISE_COUNT_OF(keys)) ||
        !time_of(message, &whole, &event->venue_time_ns) ||
        !decimals_read(message, means, row, ends, 2, false, value)) {
        return false;
    }
    event->kind = FEED_EVENT_TOP;
    event->last = (uint64_t)whole.value[0];
    event->u.top.bid_price = value[0];
    event->u.top.bid_qty = value[1];
    event->u.top.ask_price = value[2];
    event->u.top.ask_qty = value[3];
    return true;
}

ALWAYS bool trade(const struct message *message, const struct means *means, const struct instrument *row,
                  const uint8_t keys[6], struct feed_event *event)
{
    struct whole whole;
    uint16_t ends[NUMBER_PAIR];
    int64_t value[2];
    bool sold, known;
    pair_put(ends, message->value[KEY('p')], message->value[KEY('q')]);
    if (!whole_read(message, means, &whole, keys, 6) || !time_of(message, &whole, &event->venue_time_ns) ||
        !decimals_read(message, means, row, ends, 1, false, value) || value[1] == 0 ||
        !truth_of(message, KEY('m'), &sold) ||
        ((message->seen & HAS('M')) && !truth_of(message, KEY('M'), &known))) {
        return false;
    }
    event->kind = FEED_EVENT_TRADE;
    event->aggressor = sold ? SIDE_SELL : SIDE_BUY;
    event->u.trade.id = (uint64_t)whole.value[0];
    event->u.trade.price = value[0];
    event->u.trade.qty = value[1];
    if ((message->seen & HAS('X')) && !TEXT_IS(message, message->value[KEY('X')], "MARKET")) {
        event->flags |= FEED_EVENT_OFF_BOOK;
    }
    return true;
}

ALWAYS bool understand(struct feed_parser *parser, const struct message *message, const struct means *means,
                       struct feed_event *event)
{
    static const uint8_t trade_whole[6] = { KEY('t'), KEY('T'), KEY('E'), KEY('b'), KEY('a'), KEY_ST };
    static const uint8_t aggregate_whole[6] = { KEY('a'), KEY('T'), KEY('E'), KEY('f'), KEY('l'), KEY_ST };
    if ((message->seen & HAS('s')) == 0) {
        return false;
    }
    const struct instrument *row = row_of(parser, message);
    if (row == NULL) {
        return false;
    }
    name(event, message, row);
    struct ends kind = message->value[KEY('e')];
    if ((message->seen & HAS('e')) == 0) {
        return keys_are(message, &top_keys) && top(message, means, row, event);
    }
    if (TEXT_IS(message, kind, "depthUpdate")) {
        return keys_are(message, &depth_keys) && depth(parser, message, means, row, event);
    }
    if (TEXT_IS(message, kind, "bookTicker")) {
        return keys_are(message, &top_keys) && top(message, means, row, event);
    }
    if (TEXT_IS(message, kind, "trade")) {
        return keys_are(message, &trade_keys) && trade(message, means, row, trade_whole, event);
    }
    if (TEXT_IS(message, kind, "aggTrade")) {
        return keys_are(message, &aggregate_keys) && trade(message, means, row, aggregate_whole, event);
    }
    return false;
}

/* ------------------------------------------------------------------ the levels */

ALWAYS int64_t parse(struct feed_parser *parser, const char *bytes, size_t count, feed_sink sink,
                     void *context, const struct means *means)
{
    struct message message;
    struct feed_event event = { 0 };
    if (!message_open(&message, means, bytes, count) || !understand(parser, &message, means, &event)) {
        return NOT_MINE;
    }
    parser->broken_at = 0;
    parser->broken_why = NULL;
    sink(context, &event);
    return (int64_t)count;
}

/* One function a level, so that what a level brings is called by name. */
#define LEVEL(suffix)                                                                                        \
    static int64_t parse_##suffix(struct feed_parser *parser, const char *bytes, size_t count,               \
                                  feed_sink sink, void *context)                                             \
    {                                                                                                        \
        static const struct means means = { index_quotes_##suffix, number_pairs_##suffix };                  \
        return parse(parser, bytes, count, sink, context, &means);                                           \
    }

LEVEL(scalar)
#if defined(__x86_64__)
LEVEL(avx2)
LEVEL(avx512)
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

static binance_fast best = parse_scalar;

__attribute__((constructor)) static void choose(void)
{
    best = binance_fast_at(index_level_best());
}

int64_t binance_fast_parse(struct feed_parser *parser, const char *bytes, size_t count, feed_sink sink,
                           void *context)
{
    return best(parser, bytes, count, sink, context);
}
