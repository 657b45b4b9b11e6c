#include "venues/scan.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

static bool fall_short(struct scan *scan)
{
    if (scan->state == SCAN_FINE) {
        scan->state = SCAN_SHORT;
    }
    return false;
}

bool scan_break(struct scan *scan, const char *why)
{
    if (scan->state == SCAN_FINE) {
        scan->state = SCAN_BROKEN;
        scan->why = why;
    }
    return false;
}

/* space answers false when the text ends before anything else comes. */
static inline bool space(struct scan *scan)
{
    const char *at = scan->at;
    while (at < scan->end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
        at++;
    }
    scan->at = at;
    return at < scan->end || fall_short(scan);
}

/* plain steps over string bytes that are neither quote, backslash nor control. */
static inline const char *plain(const char *at, const char *end)
{
#ifdef __SSE2__
    const __m128i quote = _mm_set1_epi8('"'), slash = _mm_set1_epi8('\\'), last = _mm_set1_epi8(0x1f);
    while (end - at >= 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)at);
        __m128i stop = _mm_or_si128(_mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, slash)),
                                    _mm_cmpeq_epi8(_mm_min_epu8(v, last), v));
        int mask = _mm_movemask_epi8(stop);
        if (mask != 0) {
            return at + __builtin_ctz((unsigned)mask);
        }
        at += 16;
    }
#endif
    while (at < end && *at != '"' && *at != '\\' && (unsigned char)*at >= 0x20) {
        at++;
    }
    return at;
}

/* short_string answers the length of a string of up to 15 plain bytes that begins behind `at`, -1 when it is
 * longer, has escapes, or stands too near the end.  Nearly every key and value is one: reading them in one
 * look took a report of a fill from 17.1 to 12.3 thousand instructions (callgrind, -O3). */
static inline int short_string(const char *at, const char *end)
{
#ifdef __SSE2__
    if (end - at >= 24) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(at + 1));
        __m128i stop = _mm_or_si128(
            _mm_or_si128(_mm_cmpeq_epi8(v, _mm_set1_epi8('"')), _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'))),
            _mm_cmpeq_epi8(_mm_min_epu8(v, _mm_set1_epi8(0x1f)), v));
        int mask = _mm_movemask_epi8(stop);
        if (mask != 0) {
            int bytes = __builtin_ctz((unsigned)mask);
            return at[1 + bytes] == '"' ? bytes : -1;
        }
    }
#else
    (void)at;
    (void)end;
#endif
    return -1;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* string steps over a string, cursor at its opening quote; *escapes tells whether there were any. */
static bool string(struct scan *scan, bool *escapes)
{
    int bytes = short_string(scan->at, scan->end);
    if (bytes >= 0) {
        *escapes = false;
        scan->at += bytes + 2;
        return true;
    }
    scan->at++;
    *escapes = false;
    for (;;) {
        scan->at = plain(scan->at, scan->end);
        if (scan->at == scan->end) {
            return fall_short(scan);
        }
        if (*scan->at == '"') {
            scan->at++;
            return true;
        }
        if (*scan->at != '\\') {
            return scan_break(scan, "control character in a string");
        }
        *escapes = true;
        if (scan->end - scan->at < 2) {
            return fall_short(scan);
        }
        char c = scan->at[1];
        if (c == 'u') {
            for (int i = 2; i < 6; i++) {
                if (scan->at + i == scan->end) {
                    return fall_short(scan);
                }
                if (hex(scan->at[i]) < 0) {
                    return scan_break(scan, "bad \\u escape");
                }
            }
            scan->at += 6;
        } else if (c == '"' || c == '\\' || c == '/' || c == 'b' || c == 'f' || c == 'n' || c == 'r' ||
                   c == 't') {
            scan->at += 2;
        } else {
            return scan_break(scan, "unknown escape");
        }
    }
}

static uint32_t unicode(const char *at)
{
    return (uint32_t)(hex(at[0]) << 12 | hex(at[1]) << 8 | hex(at[2]) << 4 | hex(at[3]));
}

size_t scan_plain(const char *text, size_t bytes, char *out)
{
    const char *at = text, *end = text + bytes;
    size_t n = 0;
    while (at < end) {
        if (*at != '\\') {
            out[n++] = *at++;
            continue;
        }
        char c = at[1];
        if (c != 'u') {
            out[n++] = (char)(c == 'b'   ? '\b'
                              : c == 'f' ? '\f'
                              : c == 'n' ? '\n'
                              : c == 'r' ? '\r'
                              : c == 't' ? '\t'
                                         : c);
            at += 2;
            continue;
        }
        uint32_t code = unicode(at + 2);
        at += 6;
        if (code >= 0xd800 && code < 0xdc00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
            uint32_t low = unicode(at + 2);
            if (low >= 0xdc00 && low < 0xe000) {
                code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                at += 6;
            }
        }
        if (code < 0x80) {
            out[n++] = (char)code;
        } else if (code < 0x800) {
            out[n++] = (char)(0xc0 | code >> 6);
            out[n++] = (char)(0x80 | (code & 0x3f));
        } else if (code < 0x10000) {
            out[n++] = (char)(0xe0 | code >> 12);
            out[n++] = (char)(0x80 | (code >> 6 & 0x3f));
            out[n++] = (char)(0x80 | (code & 0x3f));
        } else {
            out[n++] = (char)(0xf0 | code >> 18);
            out[n++] = (char)(0x80 | (code >> 12 & 0x3f));
            out[n++] = (char)(0x80 | (code >> 6 & 0x3f));
            out[n++] = (char)(0x80 | (code & 0x3f));
        }
    }
    return n;
}

/* resolve puts a checked string with its escapes undone into the scratch; when it does not fit, the value
 * keeps pointing at the text as written. */
static void resolve(struct scan *scan, struct scan_value *value)
{
    char *out = scan->scratch + scan->scratch_used;
    value->escaped = 1;
    if (value->bytes > sizeof scan->scratch - scan->scratch_used) {
        return; /* escapes only shrink */
    }
    size_t n = scan_plain(value->at, value->bytes, out);
    value->at = out;
    value->bytes = (uint32_t)n;
    value->escaped = 0;
    scan->scratch_used = (uint16_t)(scan->scratch_used + n);
}

static bool digits(struct scan *scan)
{
    const char *from = scan->at;
    while (scan->at < scan->end && (unsigned)(*scan->at - '0') < 10) {
        scan->at++;
    }
    if (scan->at == scan->end) {
        return fall_short(scan);
    }
    return scan->at > from || scan_break(scan, "digit expected");
}

/* number: at the end of the text a number is never complete, because a digit could follow. */
static bool number(struct scan *scan)
{
    if (*scan->at == '-') {
        scan->at++;
        if (scan->at == scan->end) {
            return fall_short(scan);
        }
    }
    if (*scan->at == '0') {
        scan->at++;
        if (scan->at < scan->end && (unsigned)(*scan->at - '0') < 10) {
            return scan_break(scan, "leading zero");
        }
    } else if (!digits(scan)) {
        return false;
    }
    if (scan->at < scan->end && *scan->at == '.') {
        scan->at++;
        if (!digits(scan)) {
            return false;
        }
    }
    if (scan->at < scan->end && (*scan->at == 'e' || *scan->at == 'E')) {
        scan->at++;
        if (scan->at < scan->end && (*scan->at == '+' || *scan->at == '-')) {
            scan->at++;
        }
        if (!digits(scan)) {
            return false;
        }
    }
    return scan->at < scan->end || fall_short(scan);
}

static bool literal(struct scan *scan, const char *text, size_t bytes)
{
    size_t have = (size_t)(scan->end - scan->at);
    size_t look = have < bytes ? have : bytes;
    if (memcmp(scan->at, text, look) != 0) {
        return scan_break(scan, "unknown literal");
    }
    if (look < bytes) {
        return fall_short(scan);
    }
    scan->at += bytes;
    return true;
}

/* scalar consumes what is no container; the cursor is at its first byte. */
static bool scalar(struct scan *scan, struct scan_value *value)
{
    bool escapes = false;
    value->at = scan->at;
    value->escaped = 0;
    switch (*scan->at) {
    case '"':
        if (!string(scan, &escapes)) {
            return false;
        }
        value->at++;
        value->bytes = (uint32_t)(scan->at - value->at - 1);
        value->type = SCAN_STRING;
        value->escaped = escapes;
        return true;
    case 't':
        value->type = SCAN_TRUE;
        value->bytes = 4;
        return literal(scan, "true", 4);
    case 'f':
        value->type = SCAN_FALSE;
        value->bytes = 5;
        return literal(scan, "false", 5);
    case 'n':
        value->type = SCAN_NULL;
        value->bytes = 4;
        return literal(scan, "null", 4);
    default:
        if (*scan->at != '-' && (unsigned)(*scan->at - '0') > 9) {
            return scan_break(scan, "a value was expected");
        }
        value->type = SCAN_NUMBER;
        if (!number(scan)) {
            return false;
        }
        value->bytes = (uint32_t)(scan->at - value->at);
        return true;
    }
}

/* container checks everything up to the bracket that closes the one at the cursor. */
static bool container(struct scan *scan)
{
    uint64_t objects = 0; /* bit 0: the innermost open container is an object */
    unsigned depth = 0;
    struct scan_value ignored;
    bool escapes;

value:
    if (!space(scan)) {
        return false;
    }
    if (*scan->at == '{' || *scan->at == '[') {
        if (depth + scan->depth >= SCAN_DEPTH_MAX) {
            return scan_break(scan, "nested too deep");
        }
        bool object = *scan->at++ == '{';
        objects = objects << 1 | object;
        depth++;
        if (!space(scan)) {
            return false;
        }
        if (*scan->at == (object ? '}' : ']')) {
            goto close;
        }
        if (object) {
            goto key;
        }
        goto value;
    }
    if (!scalar(scan, &ignored)) {
        return false;
    }
    goto after;

key:
    if (!space(scan)) {
        return false;
    }
    if (*scan->at != '"') {
        return scan_break(scan, "a key was expected");
    }
    if (!string(scan, &escapes) || !space(scan)) {
        return false;
    }
    if (*scan->at != ':') {
        return scan_break(scan, "':' was expected");
    }
    scan->at++;
    goto value;

close:
    scan->at++;
    objects >>= 1;
    if (--depth == 0) {
        return true;
    }

after:
    if (!space(scan)) {
        return false;
    }
    if (*scan->at == ',') {
        scan->at++;
        if (objects & 1) {
            goto key;
        }
        goto value;
    }
    if (*scan->at == (objects & 1 ? '}' : ']')) {
        goto close;
    }
    return scan_break(scan, "',' or a closing bracket was expected");
}

static bool enter(struct scan *scan, char bracket)
{
    if (scan->state != SCAN_FINE || !space(scan)) {
        return false;
    }
    if (*scan->at != bracket) {
        return scan_break(scan, bracket == '{' ? "'{' was expected" : "'[' was expected");
    }
    if (scan->depth >= SCAN_DEPTH_MAX) {
        return scan_break(scan, "nested too deep");
    }
    scan->at++;
    scan->fresh |= 1ULL << scan->depth;
    scan->depth++;
    return true;
}

bool scan_object(struct scan *scan)
{
    return enter(scan, '{');
}

bool scan_array(struct scan *scan)
{
    return enter(scan, '[');
}

/* next steps over the comma before the next member; false at the end or on failure. */
static bool next(struct scan *scan, char bracket)
{
    if (scan->state != SCAN_FINE || !space(scan)) {
        return false;
    }
    uint64_t bit = 1ULL << (scan->depth - 1);
    if (*scan->at == bracket) {
        scan->at++;
        scan->depth--;
        return false;
    }
    if ((scan->fresh & bit) != 0) {
        scan->fresh &= ~bit;
        return true;
    }
    if (*scan->at != ',') {
        return scan_break(scan, "',' or a closing bracket was expected");
    }
    scan->at++;
    return space(scan);
}

bool scan_key(struct scan *scan, struct scan_value *key)
{
    if (POISE_LIKELY(scan->state == SCAN_FINE && scan->end - scan->at >= 32)) {
        /* as venues print it: a comma, unless it is the first, and the key with its colon */
        uint64_t bit = 1ULL << (scan->depth - 1);
        const char *at = scan->at + ((scan->fresh & bit) == 0);
        int bytes = -1;
        if (*at == '"' && ((scan->fresh & bit) != 0 || *scan->at == ',')) {
            bytes = short_string(at, scan->end);
        }
        if (bytes >= 0 && at[bytes + 2] == ':') {
            scan->fresh &= ~bit;
            key->at = at + 1;
            key->bytes = (uint32_t)bytes;
            key->type = SCAN_STRING;
            key->escaped = 0;
            scan->at = at + bytes + 3;
            return true;
        }
    }
    if (!next(scan, '}')) {
        return false;
    }
    if (*scan->at != '"') {
        return scan_break(scan, "a key was expected");
    }
    if (!scalar(scan, key)) {
        return false;
    }
    if (key->escaped) {
        uint16_t used = scan->scratch_used;
        resolve(scan, key);
        scan->scratch_used = used; /* a key is looked at once */
    }
    if (!space(scan)) {
        return false;
    }
    if (*scan->at != ':') {
        return scan_break(scan, "':' was expected");
    }
    scan->at++;
    return space(scan);
}

bool scan_item(struct scan *scan)
{
    if (!next(scan, ']')) {
        return false;
    }
    if (*scan->at == ']') {
        return scan_break(scan, "a value was expected");
    }
    return true;
}

bool scan_take(struct scan *scan, struct scan_value *value)
{
    if (POISE_LIKELY(scan->state == SCAN_FINE && scan->at < scan->end && *scan->at == '"')) {
        int bytes = short_string(scan->at, scan->end);
        if (bytes >= 0) {
            value->at = scan->at + 1;
            value->bytes = (uint32_t)bytes;
            value->type = SCAN_STRING;
            value->escaped = 0;
            scan->at += bytes + 2;
            return true;
        }
    }
    if (scan->state != SCAN_FINE || !space(scan)) {
        return false;
    }
    if (*scan->at == '{' || *scan->at == '[') {
        value->at = scan->at;
        value->type = *scan->at == '{' ? SCAN_OBJECT : SCAN_ARRAY;
        value->escaped = 0;
        if (!container(scan)) {
            return false;
        }
        value->bytes = (uint32_t)(scan->at - value->at);
        return true;
    }
    if (!scalar(scan, value)) {
        return false;
    }
    if (POISE_UNLIKELY(value->escaped)) {
        resolve(scan, value);
    }
    return true;
}

enum scan_type scan_peek(struct scan *scan)
{
    if (scan->state != SCAN_FINE || !space(scan)) {
        return SCAN_NONE;
    }
    switch (*scan->at) {
    case '{':
        return SCAN_OBJECT;
    case '[':
        return SCAN_ARRAY;
    case '"':
        return SCAN_STRING;
    case 't':
        return SCAN_TRUE;
    case 'f':
        return SCAN_FALSE;
    case 'n':
        return SCAN_NULL;
    default:
        return SCAN_NUMBER;
    }
}

int64_t scan_finish(struct scan *scan)
{
    if (scan->state != SCAN_FINE) {
        return scan->state == SCAN_SHORT ? 0 : -1;
    }
    const char *at = scan->at;
    while (at < scan->end && (*at == ' ' || *at == '\n' || *at == '\r' || *at == '\t')) {
        at++;
    }
    scan->at = at;
    return at - scan->begin;
}

/* Where the values of an object go.  `from`, unless it is NULL, is where names of a length begin. */
struct places {
    struct scan_value *letters, *named, *ignored;
    const struct scan_name *names;
    uint32_t name_count;
    const uint8_t *from;
    uint32_t longest;
};

static inline struct scan_value *place_of(const struct places *places, const char *key, uint32_t bytes)
{
    uint32_t i = 0, end = places->name_count;
    if (places->letters != NULL && bytes == 1 && SCAN_LETTER(*key) < SCAN_LETTERS) {
        return &places->letters[SCAN_LETTER(*key)];
    }
    if (places->from != NULL) {
        if (bytes > places->longest) {
            return places->ignored;
        }
        i = places->from[bytes];
        end = places->from[bytes + 1];
    }
    for (; i < end; i++) {
        const struct scan_name *name = &places->names[i];
        if (name->bytes == bytes && *name->text == *key && memcmp(name->text, key, bytes) == 0) {
            return &places->named[i];
        }
    }
    return places->ignored;
}

/* The longest key and value looked at below, with what stands around them: a key or string of 31, two times
 * as many digits as a number has. */
enum { MEMBER_BYTES = 96, DIGITS_MOST = 19 };

/* plain_string is short_string for up to 31 bytes. */
static inline int plain_string(const char *at, const char *end)
{
    int bytes = short_string(at, end);
    if (bytes < 0 && end - at >= 40 && plain(at + 1, at + 17) == at + 17) {
        bytes = short_string(at + 16, end);
        bytes += bytes >= 0 ? 16 : 0;
    }
    return bytes;
}

/* plain_number answers the length of a number without exponent, 0 when it is another, or none. */
static inline uint32_t plain_number(const char *from)
{
    const char *at = from + (*from == '-'), *first = at;
    while (at - first <= DIGITS_MOST && (unsigned)(*at - '0') < 10) {
        at++;
    }
    if (at == first || (*first == '0' && at - first != 1)) {
        return 0;
    }
    if (*at == '.') {
        const char *point = at++;
        while (at - point <= DIGITS_MOST && (unsigned)(*at - '0') < 10) {
            at++;
        }
        if (at - point == 1) {
            return 0;
        }
    }
    return (uint32_t)(at - from);
}

/* quick_members takes members as venues print them for as long as they come: a comma, a short plain key, and
 * a short plain string, a plain number, a truth or nothing.  Anything else, also what is wrong, is left at
 * the cursor for the careful way.  Reports of orders are made of little else. */
static inline void quick_members(struct scan *scan, const struct places *places)
{
    const char *at = scan->at;
    while (scan->end - at >= MEMBER_BYTES && at[0] == ',' && at[1] == '"') {
        int key_bytes = plain_string(at + 1, scan->end);
        if (key_bytes <= 0 || at[key_bytes + 3] != ':') {
            break;
        }
        struct scan_value *to = place_of(places, at + 2, (uint32_t)key_bytes);
        const char *from = at + key_bytes + 4;
        if (*from == '"') {
            int bytes = plain_string(from, scan->end);
            if (bytes < 0) {
                break;
            }
            *to = (struct scan_value){ .at = from + 1, .bytes = (uint32_t)bytes, .type = SCAN_STRING };
            at = from + bytes + 2;
            continue;
        }
        uint32_t bytes = 0;
        uint8_t type = SCAN_NUMBER;
        if (memcmp(from, "true", 4) == 0) {
            type = SCAN_TRUE;
            bytes = 4;
        } else if (memcmp(from, "false", 5) == 0) {
            type = SCAN_FALSE;
            bytes = 5;
        } else if (memcmp(from, "null", 4) == 0) {
            type = SCAN_NULL;
            bytes = 4;
        } else {
            bytes = plain_number(from);
        }
        if (bytes == 0 || (from[bytes] != ',' && from[bytes] != '}')) {
            break;
        }
        *to = (struct scan_value){ .at = from, .bytes = bytes, .type = type };
        at = from + bytes;
    }
    scan->at = at;
}

static inline bool read_fields(struct scan *scan, const struct places *places)
{
    struct scan_value key;
    if (!scan_object(scan)) {
        return false;
    }
    while (scan_key(scan, &key)) {
        if (!scan_take(scan, place_of(places, key.at, key.bytes))) {
            return false;
        }
        quick_members(scan, places);
    }
    return scan->state == SCAN_FINE;
}

bool scan_fields(struct scan *scan, struct scan_value *letters, const struct scan_name *names,
                 uint32_t name_count, struct scan_value *named)
{
    struct scan_value ignored;
    const struct places places = { letters, named, &ignored, names, name_count, NULL, 0 };
    if (letters != NULL) {
        memset(letters, 0, SCAN_LETTERS * sizeof *letters);
    }
    if (name_count != 0) {
        memset(named, 0, name_count * sizeof *named);
    }
    return read_fields(scan, &places);
}

bool scan_fields_by_length(struct scan *scan, const struct scan_name *names, uint32_t name_count,
                           const uint8_t *from, uint32_t longest, struct scan_value *named)
{
    struct scan_value ignored;
    const struct places places = { NULL, named, &ignored, names, name_count, from, longest };
    memset(named, 0, name_count * sizeof *named);
    return read_fields(scan, &places);
}

/* What is left of a text where a member is looked at quickly: a remembered key, and sixteen bytes of its
 * value and of what follows. */
enum { HABIT_ROOM = 64 };

/* So many keys of an object may be new or out of their order. */
enum { HABIT_STRANGE = 3 };

/* alike answers a bit for each byte of a remembered text that stands at `at` too, of which SCAN_HABIT_BYTES
 * can be read. */
static inline uint32_t alike(const struct scan_habit_key *key, const char *at)
{
#ifdef __SSE2__
    const __m128i *text = (const __m128i *)(const void *)key->text, *here = (const __m128i *)(const void *)at;
    uint32_t low = (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(text), _mm_loadu_si128(here)));
    uint32_t high =
        (uint32_t)_mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128(text + 1), _mm_loadu_si128(here + 1)));
    return low | high << 16;
#else
    uint32_t bits = 0;
    for (uint32_t i = 0; i < SCAN_HABIT_BYTES; i++) {
        bits |= (uint32_t)(key->text[i] == at[i]) << i;
    }
    return bits;
#endif
}

/* remember keeps a member's text with its value, which quick_value took and behind which the text goes on at
 * `after`. */
static inline void remember(struct scan_habit_key *key, const char *member, const char *after,
                            const struct scan_value *value)
{
    size_t bytes = (size_t)(after - member);
    if (bytes > SCAN_HABIT_BYTES) {
        key->whole = 0;
        key->whole_bytes = 0;
        return;
    }
    memcpy(key->text, member, SCAN_HABIT_BYTES); /* what follows is behind the mask */
    key->whole = (uint32_t)((1ULL << bytes) - 1);
    key->whole_bytes = (uint8_t)bytes;
    key->value_at = (uint8_t)(value->at - member);
    key->value_bytes = (uint8_t)value->bytes;
    key->type = value->type;
}

/* short_number answers the length of a number without exponent of at most fifteen bytes, 0 when it is
 * another, or none.  Sixteen bytes can be read. */
static inline uint32_t short_number(const char *from)
{
#ifdef __SSE2__
    __m128i digits = _mm_sub_epi8(_mm_loadu_si128((const __m128i *)(const void *)from), _mm_set1_epi8('0'));
    __m128i plain = _mm_cmpeq_epi8(_mm_min_epu8(digits, _mm_set1_epi8(9)), digits);
    uint32_t no_digit = ~(uint32_t)_mm_movemask_epi8(plain), first = *from == '-';
    uint32_t end = (uint32_t)__builtin_ctz(no_digit & ~0U << first);
    if (end == first || (from[first] == '0' && end != first + 1) || end > 15) {
        return 0;
    }
    if (from[end] == '.') {
        uint32_t point = end;
        end = (uint32_t)__builtin_ctz(no_digit & ~1U << point);
        return end == point + 1 || end > 15 ? 0 : end;
    }
    return end;
#else
    return plain_number(from);
#endif
}

/* quick_value takes a plain value where sixteen bytes can be read; NULL when it is not plain, or what follows
 * it is no comma and no brace.  Else it answers where that is. */
static inline const char *quick_value(const struct scan *scan, const char *from, struct scan_value *to)
{
    uint32_t bytes = 0;
    uint8_t type = SCAN_NUMBER;
    if (*from == '"') {
        int length = plain_string(from, scan->end);
        if (length < 0 || (from[length + 2] != ',' && from[length + 2] != '}')) {
            return NULL;
        }
        *to = (struct scan_value){ .at = from + 1, .bytes = (uint32_t)length, .type = SCAN_STRING };
        return from + length + 2;
    }
    if (memcmp(from, "true", 4) == 0) {
        type = SCAN_TRUE;
        bytes = 4;
    } else if (memcmp(from, "false", 5) == 0) {
        type = SCAN_FALSE;
        bytes = 5;
    } else if (memcmp(from, "null", 4) == 0) {
        type = SCAN_NULL;
        bytes = 4;
    } else {
        bytes = short_number(from);
    }
    if (bytes == 0 || (from[bytes] != ',' && from[bytes] != '}')) {
        return NULL;
    }
    *to = (struct scan_value){ .at = from, .bytes = bytes, .type = type };
    return from + bytes;
}

/* habit_members takes members for as long as they come as they did before, one of them left out perhaps, with
 * plain values.  *next is whose turn it is; false: another key came. */
static inline bool habit_members(struct scan *scan, struct scan_value *named, struct scan_habit *habit,
                                 uint32_t *next)
{
    const uint64_t bit = 1ULL << (scan->depth - 1);
    struct scan_value nowhere;
    struct scan_habit_key *key = habit->key + *next, *const last = habit->key + habit->count;
    const char *at = scan->at, *taken = at;
    bool known = true;
    if ((scan->fresh & bit) != 0) {
        at--; /* the brace stands for the comma before the first member */
    } else if (at >= scan->end || *at != ',') {
        return true;
    }
    const struct scan_habit_key *turn = key; /* behind the key that came last */
    while (scan->end - at >= HABIT_ROOM) {
        const char *member = at + 1;
        known = key < last;
        if (!known) {
            break;
        }
        uint32_t bits = alike(key, member);
        if (POISE_UNLIKELY((bits & key->mask) != key->mask)) {
            key++; /* one was left out, perhaps */
            bits = key < last ? alike(key, member) : 0;
            known = key < last && (bits & key->mask) == key->mask;
            if (!known) {
                break;
            }
        }
        struct scan_value *to = key->place == SCAN_HABIT_NOWHERE ? &nowhere : &named[key->place];
        const char *after = member + key->whole_bytes;
        if (POISE_LIKELY((bits & key->whole) == key->whole && (*after == ',' || *after == '}'))) {
            /* as it was; where no value is remembered, `after` is the member's own quote */
            to->at = member + key->value_at;
            to->bytes = key->value_bytes;
            to->type = key->type;
            to->escaped = 0;
            turn = ++key;
        } else {
            after = quick_value(scan, member + key->bytes, to);
            turn = key + 1;
            if (after == NULL) {
                break;
            }
            remember(key++, member, after, to);
        }
        at = after;
        taken = at;
        if (*at != ',') {
            break;
        }
    }
    *next = (uint32_t)(turn - habit->key);
    if (taken != scan->at) {
        scan->at = taken;
        scan->fresh &= ~bit;
    }
    return known;
}

static void learn(struct scan_habit *habit, const struct scan_value *key, uint8_t place)
{
    if (habit->count == SCAN_HABIT_KEYS || key->bytes > SCAN_HABIT_BYTES - 3) {
        return;
    }
    struct scan_habit_key *entry = &habit->key[habit->count++];
    memset(entry, 0, sizeof *entry);
    entry->text[0] = '"';
    memcpy(entry->text + 1, key->at, key->bytes);
    memcpy(entry->text + 1 + key->bytes, "\":", 2);
    entry->bytes = (uint8_t)(key->bytes + 3);
    entry->mask = (uint32_t)((1ULL << entry->bytes) - 1);
    entry->place = place;
}

bool scan_fields_by_habit(struct scan *scan, const struct scan_name *names, uint32_t name_count,
                          const uint8_t *from, uint32_t longest, struct scan_habit *habit,
                          struct scan_value *named)
{
    struct scan_value ignored, key;
    const struct places places = { NULL, named, &ignored, names, name_count, from, longest };
    const bool learning = habit->count == 0;
    uint32_t next = 0, strange = 0;
    memset(named, 0, name_count * sizeof *named);
    if (!scan_object(scan)) {
        return false;
    }
    for (;;) {
        strange += !learning && !habit_members(scan, named, habit, &next);
        if (!scan_key(scan, &key)) {
            break;
        }
        struct scan_value *to = place_of(&places, key.at, key.bytes);
        if (!scan_take(scan, to)) {
            return false;
        }
        /* a key that is written with escapes is another text than the key that it is */
        if (learning && key.at > scan->begin && key.at < scan->end) {
            learn(habit, &key, to == &ignored ? SCAN_HABIT_NOWHERE : (uint8_t)(to - named));
        }
    }
    if (strange > HABIT_STRANGE) {
        habit->count = 0; /* the venue prints them in another order now */
    }
    return scan->state == SCAN_FINE;
}

bool scan_unsigned(const struct scan_value *value, uint64_t *out)
{
    if ((value->type != SCAN_NUMBER && value->type != SCAN_STRING) || value->bytes == 0 ||
        value->bytes > 20) {
        return false;
    }
    uint64_t n = 0;
    uint32_t i = 0;
    for (; i < value->bytes && i < DIGITS_MOST; i++) { /* so many always fit */
        unsigned digit = (unsigned)(unsigned char)value->at[i] - '0';
        if (digit > 9) {
            return false;
        }
        n = n * 10 + digit;
    }
    for (; i < value->bytes; i++) {
        unsigned digit = (unsigned)(unsigned char)value->at[i] - '0';
        if (digit > 9 || __builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, digit, &n)) {
            return false;
        }
    }
    *out = n;
    return true;
}

bool scan_signed(const struct scan_value *value, int64_t *out)
{
    struct scan_value positive = *value;
    bool minus = value->bytes > 0 && *value->at == '-';
    if (minus) {
        positive.at++;
        positive.bytes--;
    }
    uint64_t n;
    if (!scan_unsigned(&positive, &n) || n > (uint64_t)INT64_MAX) {
        return false;
    }
    *out = minus ? -(int64_t)n : (int64_t)n;
    return true;
}

bool scan_decimal(const struct scan_value *value, int decimals, int64_t *out)
{
    if (value->type != SCAN_NUMBER && value->type != SCAN_STRING) {
        return false;
    }
    return scan_fixed(value->at, value->bytes, decimals, out);
}

/* near_exponent reads a number with an exponent ("4.7396e-07"): its first 18 digits, and how far they stand
 * from the unit. */
static bool near_exponent(const char *text, uint32_t bytes, int decimals, int64_t *out)
{
    uint32_t at = 0;
    int64_t digits = 0;
    int kept = 0, places = 0, exponent = 0;
    bool minus = text[0] == '-', point = false, any = false;
    for (at = minus; at < bytes && (text[at] == '.' || (text[at] >= '0' && text[at] <= '9')); at++) {
        if (text[at] == '.') {
            if (point) {
                return false;
            }
            point = true;
            continue;
        }
        any = true;
        if (kept < 18) {
            digits = digits * 10 + (text[at] - '0');
            kept += digits != 0;
            places += point;
        } else {
            places -= !point;
        }
    }
    if (!any || at + 1 >= bytes || (text[at] != 'e' && text[at] != 'E')) {
        return false;
    }
    bool down = text[++at] == '-';
    at += down || text[at] == '+';
    if (at == bytes) {
        return false;
    }
    for (; at < bytes; at++) {
        if (text[at] < '0' || text[at] > '9') {
            return false;
        }
        exponent = exponent < 1000 ? exponent * 10 + (text[at] - '0') : exponent;
    }
    int shift = (down ? -exponent : exponent) - places + decimals;
    if (shift > 18 && digits != 0) {
        return false;
    }
    if (shift < -18 || digits == 0) {
        digits = 0;
    } else if (shift < 0) {
        digits /= decimal_power[-shift];
    } else if (__builtin_mul_overflow(digits, decimal_power[shift], &digits)) {
        return false;
    }
    *out = minus ? -digits : digits;
    return true;
}

bool scan_decimal_near(const struct scan_value *value, int decimals, int64_t *out)
{
    if (scan_decimal(value, decimals, out)) {
        return true;
    }
    if ((value->type != SCAN_NUMBER && value->type != SCAN_STRING) || value->bytes == 0) {
        return false;
    }
    const char *point = memchr(value->at, '.', value->bytes);
    const char *from = point != NULL ? point + 1 : value->at + (*value->at == '-');
    for (const char *at = from; at < value->at + value->bytes; at++) {
        if ((unsigned)(*at - '0') > 9) {
            return near_exponent(value->at, value->bytes, decimals, out);
        }
    }
    if (point == NULL) {
        return false; /* whole and too large */
    }
    size_t keep = (size_t)(point - value->at) + (decimals > 0 ? (size_t)decimals + 1 : 0);
    if (keep > value->bytes) {
        return false;
    }
    return decimal_parse(value->at, keep, decimals, out) == DECIMAL_OK;
}

int64_t scan_time_ns(const struct scan_value *value)
{
    int64_t time;
    if (!scan_signed(value, &time) || time <= 0) {
        return 0;
    }
    int64_t unit = time < 100000000000000LL ? 1000000LL : time < 100000000000000000LL ? 1000LL : 1;
    return __builtin_mul_overflow(time, unit, &time) ? 0 : time; /* beyond what can be a time */
}
