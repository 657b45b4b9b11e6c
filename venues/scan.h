/* scan: a tolerant reader of JSON text.
 *
 * A cursor over [begin, end) that never looks outside.  Keys may come in any order and unknown ones are
 * stepped over; white space and escapes are handled; nesting is bounded.  The first failure sticks: every
 * later call answers false, and `state` says whether more bytes could mend it (SCAN_SHORT) or nothing can
 * (SCAN_BROKEN, with `why` and `at`).  Strict where the grammar is: what it accepts is JSON, except that
 * bytes above 0x7f are not checked to be UTF-8.
 *
 * Any thread; no allocation; no floating point. */
#ifndef POISE_VENUES_SCAN_H
#define POISE_VENUES_SCAN_H

#include "ring/decimal.h"
#include <string.h>

enum scan_state { SCAN_FINE = 0, SCAN_SHORT, SCAN_BROKEN };

enum scan_type {
    SCAN_NONE = 0, /* the key was not there */
    SCAN_STRING,
    SCAN_NUMBER,
    SCAN_TRUE,
    SCAN_FALSE,
    SCAN_NULL,
    SCAN_OBJECT,
    SCAN_ARRAY
};

/* A value where it stands: a string without its quotes (escapes resolved, in the scan's scratch, unless
 * `escaped`), a number, or a container with its brackets. */
struct scan_value {
    const char *at;
    uint32_t bytes;
    uint8_t type;    /* enum scan_type */
    uint8_t escaped; /* a string with escapes too long for the scratch: still as written */
};

#define SCAN_DEPTH_MAX     48
#define SCAN_SCRATCH_BYTES 256

struct scan {
    const char *begin;
    const char *at;
    const char *end;
    const char *why; /* SCAN_BROKEN: static text */
    uint64_t fresh;  /* bit per open container: nothing read from it yet */
    uint8_t depth;
    uint8_t state; /* enum scan_state */
    uint16_t scratch_used;
    char scratch[SCAN_SCRATCH_BYTES];
};

/* scan_open starts at text[0].  The text must live as long as what is read from it. */
static inline void scan_open(struct scan *scan, const char *text, size_t bytes)
{
    scan->begin = text;
    scan->at = text;
    scan->end = text + bytes;
    scan->why = NULL;
    scan->fresh = 0;
    scan->depth = 0;
    scan->state = SCAN_FINE;
    scan->scratch_used = 0;
}

/* scan_break marks the text as wrong at the cursor and answers false. */
bool scan_break(struct scan *scan, const char *why);

/* scan_object and scan_array step into a container; scan_key answers the next key with the cursor at its
 * value, scan_item puts the cursor at the next item; both answer false at the end (cursor behind it) or on
 * failure.  Every value must be consumed by one of the calls below before the next. */
bool scan_object(struct scan *scan);
bool scan_array(struct scan *scan);
bool scan_key(struct scan *scan, struct scan_value *key);
bool scan_item(struct scan *scan);

/* scan_take consumes a value of any type; containers are checked to their end. */
bool scan_take(struct scan *scan, struct scan_value *value);

/* scan_peek answers what begins at the cursor, SCAN_NONE on failure. */
enum scan_type scan_peek(struct scan *scan);

/* scan_finish steps over white space at the end and answers what a parser answers: bytes consumed,
 * 0 (more is needed) or -1 (broken). */
int64_t scan_finish(struct scan *scan);

/* A name to look for. */
struct scan_name {
    const char *text;
    uint32_t bytes;
};
#define SCAN_NAME(text)                                                                                      \
    {                                                                                                        \
        text, sizeof(text) - 1                                                                               \
    }

/* One-letter keys are kept by letter: 'A'..'z'. */
#define SCAN_LETTERS   58
#define SCAN_LETTER(c) ((unsigned)(c) - 'A')

/* scan_fields reads the object at the cursor whole.  Values of the names go to named[i] (the last of equal
 * keys counts), of one-letter keys to letters[SCAN_LETTER(key)] unless letters is NULL; others are stepped
 * over.  named and letters are cleared first. */
bool scan_fields(struct scan *scan, struct scan_value *letters, const struct scan_name *names,
                 uint32_t name_count, struct scan_value *named);

/* scan_fields_by_length is the same for many names: they stand in the order of their lengths, and from[n] is
 * the first that has n bytes or more, for n up to longest + 1. */
bool scan_fields_by_length(struct scan *scan, const struct scan_name *names, uint32_t name_count,
                           const uint8_t *from, uint32_t longest, struct scan_value *named);

/* scan_habit: in which order the keys of one kind of object came last, and with which values.  A venue's
 * programs print keys in the same order every time, so that one is known by one comparison with what came
 * there before, and need be neither delimited nor looked up; and of an order most values are what they were,
 * so that the same comparison says where the value ends.  Zeroed is one that knows nothing.  It changes what
 * is read in no way. */
#define SCAN_HABIT_KEYS    48
#define SCAN_HABIT_BYTES   32 /* the longest key that is remembered, with its quotes and colon */
#define SCAN_HABIT_NOWHERE UINT8_MAX

struct scan_habit {
    uint32_t count;
    struct scan_habit_key {
        char text[SCAN_HABIT_BYTES];   /* "key": and, when it has room, the value */
        uint32_t mask;                 /* a bit for each byte of the key */
        uint32_t whole;                /* and of the value; 0: no value is remembered */
        uint8_t bytes;                 /* of the key */
        uint8_t place;                 /* which of the names, or nowhere */
        uint8_t whole_bytes;           /* 0 likewise */
        uint8_t value_at, value_bytes; /* a string's without its quotes */
        uint8_t type;                  /* enum scan_type */
    } key[SCAN_HABIT_KEYS];
};

/* scan_fields_by_habit is scan_fields_by_length with a habit for this kind of object, which it keeps. */
bool scan_fields_by_habit(struct scan *scan, const struct scan_name *names, uint32_t name_count,
                          const uint8_t *from, uint32_t longest, struct scan_habit *habit,
                          struct scan_value *named);

/* scan_plain undoes the escapes of a string that was checked (one whose `escaped` is set), into as many bytes
 * as it is written with; answers how many it has. */
size_t scan_plain(const char *text, size_t bytes, char *out);

/* scan_is: a string equal to the text. */
static inline bool scan_is(const struct scan_value *value, const char *text)
{
    size_t bytes = strlen(text);
    return value->type == SCAN_STRING && value->bytes == bytes && memcmp(value->at, text, bytes) == 0;
}

/* scan_has_number: a number, or a string that is not empty (venues print numbers both ways). */
static inline bool scan_has_number(const struct scan_value *value)
{
    return value->type == SCAN_NUMBER || (value->type == SCAN_STRING && value->bytes > 0);
}

/* scan_unsigned and scan_signed read a whole number written as number or string; false when it is none or
 * does not fit, and then *out is unchanged. */
bool scan_unsigned(const struct scan_value *value, uint64_t *out);
bool scan_signed(const struct scan_value *value, int64_t *out);

/* scan_decimal reads a number or string exactly; false when it is none, does not fit or is finer. */
bool scan_decimal(const struct scan_value *value, int decimals, int64_t *out);

/* scan_decimal_near cuts digits finer than the unit off (toward zero). */
bool scan_decimal_near(const struct scan_value *value, int decimals, int64_t *out);

/* scan_fixed is the fast half of scan_decimal: plain digits with an optional point. */
static inline bool scan_fixed(const char *text, size_t bytes, int decimals, int64_t *out)
{
    /* 18 digits cannot overflow; anything unusual goes the exact way */
    if (bytes == 0 || bytes > 18) {
        return decimal_parse(text, bytes, decimals, out) == DECIMAL_OK;
    }
    uint64_t digits = 0;
    int behind = -1;
    for (size_t i = 0; i < bytes; i++) {
        unsigned digit = (unsigned)(unsigned char)text[i] - '0';
        if (digit > 9) {
            if (text[i] != '.' || behind >= 0 || i == 0 || i + 1 == bytes) {
                return decimal_parse(text, bytes, decimals, out) == DECIMAL_OK;
            }
            behind = 0;
            continue;
        }
        digits = digits * 10 + digit;
        behind += behind >= 0;
    }
    int missing = decimals - (behind > 0 ? behind : 0);
    if (missing < 0) {
        uint64_t power = (uint64_t)decimal_power[-missing];
        if (digits % power != 0) {
            return false;
        }
        *out = (int64_t)(digits / power);
        return true;
    }
    return !__builtin_mul_overflow((int64_t)digits, decimal_power[missing], out);
}

/* scan_time_ns turns a venue's time in ms, us or ns since 1970 into ns, by its size; 0 stays 0. */
int64_t scan_time_ns(const struct scan_value *value);

#endif
