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

#define NUMBER_BEHIND_MAX   14 /* digits behind the point */
#define NUMBER_DECIMALS_MAX 12 /* of the unit */

/* Numbers come two by two, as a level has its price and its quantity: four offsets a pair, of the byte
 * before the first character and the byte behind the last, of the one and of the other. */
#define NUMBER_PAIR 4

/* How one number of a pair is printed and what it is counted in. */
struct number_form {
    uint8_t behind;   /* digits behind the point; 0: no point */
    uint8_t decimals; /* of the unit */
};

/* What a call needs to know. */
struct number_task {
    const char *bytes;
    const uint16_t *ends; /* NUMBER_PAIR entries a pair, `pairs` of them */
    uint32_t pairs;
    struct number_form first, second;
    bool positive; /* as in a book: the first of each pair must be above 0, the second at least 0 */
};

/* A level's own: fills out[2 * pairs] and answers true, or answers false with `out` in any state.  Reads the
 * 16 bytes before the end of each number: none may end before bytes[16].  decimals of both forms at most
 * NUMBER_DECIMALS_MAX, behind at most NUMBER_BEHIND_MAX. */
typedef bool (*number_pairs)(const struct number_task *task, int64_t *out);

/* The scalar one looks at each number by itself: it does not need `behind`, and reads nothing but the
 * numbers.  It takes whatever scan_fixed takes. */
bool number_pairs_scalar(const struct number_task *task, int64_t *out);
#if defined(__x86_64__)
bool number_pairs_avx2(const struct number_task *task, int64_t *out);
bool number_pairs_avx512(const struct number_task *task, int64_t *out);
#endif

/* number_at answers the function of a level, or NULL where this processor lacks it. */
number_pairs number_at(enum index_level level);

/* number_behind counts the digits behind the point of the text between two ends; 0 without a point. */
static inline uint8_t number_behind(const char *bytes, uint32_t before, uint32_t end)
{
    for (uint32_t at = end; at-- > before + 1;) {
        if (bytes[at] == '.') {
            return (uint8_t)(end - 1 - at < NUMBER_BEHIND_MAX ? end - 1 - at : NUMBER_BEHIND_MAX);
        }
    }
    return 0;
}

#endif
