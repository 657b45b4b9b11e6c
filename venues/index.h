/* index: where the quotes of a plain JSON text are.
 *
 * The first half of a fast parser: one pass over a whole message that finds every '"', so that what follows
 * need not read a value to know where it ends.  A text is plain when no byte of it needs interpreting: no
 * backslash, no byte below 0x20 and none above 0x7f.  Quotes then stand in pairs around strings.
 *
 * The same answer at every level; the level is what the processor can do.  Any thread; no allocation. */
#ifndef POISE_VENUES_INDEX_H
#define POISE_VENUES_INDEX_H

#include "ring/base.h"

enum index_level {
    INDEX_SCALAR = 0,
    INDEX_AVX2,
    INDEX_AVX512, /* with BW, VL, DQ, VBMI and VBMI2 */
    INDEX_LEVEL_COUNT
};

extern const char *const index_level_names[INDEX_LEVEL_COUNT]; /* "scalar", "avx2", "avx512" */

/* index_level_best answers the highest level this processor has; every lower one works as well. */
enum index_level index_level_best(void);

#define INDEX_BYTES_MAX  65000 /* longest text: offsets are 16 bits */
#define INDEX_QUOTES_MAX 8192
#define INDEX_ROOM       (INDEX_QUOTES_MAX + 72) /* entries of the memory behind `quotes` */
#define INDEX_NONE       UINT16_MAX

/* A level's own index: offsets of the quotes of bytes[0..count) in ascending order; answers how many, with
 * eight entries of INDEX_NONE behind the last, or -1: not plain, too long or more quotes than fit (what is
 * in `quotes` then means nothing).  Reads nothing outside the text. */
typedef int32_t (*index_quotes)(const char *bytes, size_t count, uint16_t quotes[INDEX_ROOM]);

int32_t index_quotes_scalar(const char *bytes, size_t count, uint16_t quotes[INDEX_ROOM]);
#if defined(__x86_64__)
int32_t index_quotes_avx2(const char *bytes, size_t count, uint16_t quotes[INDEX_ROOM]);
int32_t index_quotes_avx512(const char *bytes, size_t count, uint16_t quotes[INDEX_ROOM]);
#endif

/* index_at answers the function of a level, or NULL where this processor lacks it. */
index_quotes index_at(enum index_level level);

#endif
