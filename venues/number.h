/* number: decimal text whose ends are known, as integers, many at a time.
 *
 * A venue prints the numbers of one message alike: so many digits behind the point for every price, so many
 * for every quantity.  So the place of the point is found once, and every further number is loaded right
 * aligned and only checked to be of that form.  A number that is not (no point, another count of digits, too
 * long, a sign, an exponent) fails the whole call: the caller then reads them one by one, or not at all.
 *
 * Numbers are exact: a digit the unit cannot hold fails as well.  Any thread; no allocation; no floating
 * point. */
#ifndef POISE_VENUES_NUMBER_H
#define POISE_VENUES_NUMBER_H

#include "venues/index.h"

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#define NUMBER_BEHIND_MAX   14 /* digits behind the point */
#define NUMBER_DECIMALS_MAX 12 /* of the unit */

/* Numbers come two by two, as a level has its price and its quantity: four 16-bit offsets a pair, of the
 * byte before the first character and the byte behind the last, of the one and of the other.  A pair is also
 * one word of 64 bits with the offsets in that order from its low end. */
#define NUMBER_PAIR 4
#define NUMBER_FEW  4 /* pairs */

#define NUMBER_ENDS(before, end)   ((uint32_t)(before) | (uint32_t)(end) << 16)
#define NUMBER_WORD(first, second) ((uint64_t)(first) | (uint64_t)(second) << 32) /* of their ends */

/* How the two numbers of a pair are printed and what they are counted in: digits behind the point (0: no
 * point) and decimals of the unit, of the first in the low half and of the second in the high half.  0 is two
 * whole numbers. */
typedef uint32_t number_forms;
#define NUMBER_FORM(behind, decimals) ((uint32_t)(behind) << 4 | (uint32_t)(decimals))
#define NUMBER_FORMS(first, second)   ((number_forms)(first) | (number_forms)(second) << 16)

/* What a call needs to know. */
struct number_task {
    const char *bytes;
    const uint16_t *ends; /* NUMBER_PAIR entries a pair, `pairs` of them */
    uint32_t pairs;
    number_forms forms;
    bool positive; /* as in a book: the first of each pair must be above 0, the second at least 0 */
};

/* A level's own: fills out[2 * pairs] and answers true, or answers false with `out` in any state.  Reads the
 * 16 bytes before the end of each number: none may end before bytes[16].  decimals of both forms at most
 * NUMBER_DECIMALS_MAX, behind at most NUMBER_BEHIND_MAX. */
typedef bool (*number_pairs)(const struct number_task *task, int64_t *out);

/* The same for a handful, told by value because it is called for the shortest messages: two pairs in these
 * forms, then four whole numbers without a point.  What is not needed repeats another. */
typedef bool (*number_few)(const char *bytes, uint64_t p, uint64_t q, uint64_t r, uint64_t s,
                           number_forms forms, int64_t out[2 * NUMBER_FEW]);

struct number_means {
    number_pairs pairs;
    number_few few; /* NULL on the scalar level */
};

/* The scalar one looks at each number by itself: it does not need `behind`, and reads nothing but the
 * numbers.  It takes whatever scan_fixed takes. */
bool number_pairs_scalar(const struct number_task *task, int64_t *out);
#if defined(__x86_64__)
bool number_pairs_avx2(const struct number_task *task, int64_t *out);
bool number_pairs_avx512(const struct number_task *task, int64_t *out);
bool number_few_avx2(const char *bytes, uint64_t p, uint64_t q, uint64_t r, uint64_t s, number_forms forms,
                     int64_t out[2 * NUMBER_FEW]);
bool number_few_avx512(const char *bytes, uint64_t p, uint64_t q, uint64_t r, uint64_t s, number_forms forms,
                       int64_t out[2 * NUMBER_FEW]);
#endif

/* number_at answers the functions of a level, NULL where this processor lacks it. */
struct number_means number_at(enum index_level level);

/* number_behind counts the digits behind the point of the text between two ends, which needs the same 16
 * bytes; 0 without a point. */
static inline __attribute__((always_inline)) uint32_t number_behind(const char *bytes, uint32_t before,
                                                                    uint32_t end)
{
#if defined(__x86_64__)
    const __m128i_u *from = (const __m128i_u *)(bytes + end - 16);
    __m128i points = _mm_cmpeq_epi8(_mm_loadu_si128(from), _mm_set1_epi8('.'));
    uint32_t behind = (uint32_t)__builtin_clz((uint32_t)_mm_movemask_epi8(points) << 16 | 1);
#else
    uint32_t behind = 0;
    while (behind < 16 && bytes[end - 1 - behind] != '.') {
        behind++;
    }
#endif
    /* a point before this number is another's */
    return behind + before + 1 < end && behind <= NUMBER_BEHIND_MAX ? behind : 0;
}

#endif
