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
#include <immintrin.h>
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

/* ---- bare numbers: two side by side and a bracket behind, "58700.5,120.0]" ----
 *
 * A venue that prints doubles prints each number as short as it gets: no form is common to all.  So every
 * number finds its own point.  Answers where the bracket is, and fills out[2]; or 0: a number that is none,
 * is not as JSON writes it, has a digit that the unit cannot hold, an exponent or a sign, more than 16
 * characters, or more than 16 digits in the unit; or both together have more than 30.  Reads 16 bytes before
 * `at` and 32 from it, so they must be there. */
#define NUMBER_BARE_ROOM 32

struct number_bare {
    uint32_t decimals[2];  /* of the units, at most NUMBER_DECIMALS_MAX */
    uint8_t places[2][16]; /* number_bare_set's own */
};
void number_bare_set(struct number_bare *bare, uint32_t first_decimals, uint32_t second_decimals);

typedef uint32_t (*number_bare_read)(const struct number_bare *bare, const char *at, int64_t out[2]);
uint32_t number_bare_scalar(const struct number_bare *bare, const char *at, int64_t out[2]);

#if defined(__x86_64__)
extern const uint8_t number_last[32]; /* loaded from the n-th byte: a mask of the last n */

#define NUMBER_AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))

/* Inline, for callers that read many: the registers stay what they are. */
static inline NUMBER_AVX2 uint32_t number_bare_avx2(const struct number_bare *bare, const char *at,
                                                    int64_t out[2])
{
    __m256i text = _mm256_loadu_si256((const __m256i_u *)at);
    uint32_t comma = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(text, _mm256_set1_epi8(',')));
    uint32_t bracket = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(text, _mm256_set1_epi8(']')));
    uint32_t first = _tzcnt_u32(comma), end = _tzcnt_u32(bracket); /* 32: none */
    uint32_t second = end - first - 1;
    if (first - 1 > 15 || second - 1 > 15 || end > 31) {
        return 0;
    }

    /* right aligned, the first number in the low half */
    __m256i v =
        _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128((const __m128i_u *)(at + first - 16))),
                                _mm_loadu_si128((const __m128i_u *)(at + end - 16)), 1);
    uint32_t points = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, _mm256_set1_epi8('.')));
    uint32_t behind[2] = { (uint32_t)__builtin_clz(points << 16 | 1),
                           (uint32_t)__builtin_clz((points & 0xffff0000) | 1) };
    uint32_t length[2] = { first, second }, shift[2], drop[2], wrong = 0;
    const char *start[2] = { at, at + first + 1 };
    for (int i = 0; i < 2; i++) {
        uint32_t decimals = bare->decimals[i];
        uint32_t pointed = behind[i] + 1 < length[i]; /* a point further away is another number's */
        uint32_t digits = pointed ? behind[i] : 0, whole = length[i] - digits - pointed;
        wrong |= pointed & (digits == 0);
        wrong |= (start[i][0] == '0') & (whole != 1);
        wrong |= whole + decimals > 16;
        shift[i] = decimals - digits - pointed;
        drop[i] = digits > decimals ? digits - decimals : 0;
    }

    __m256i mask = _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128((const __m128i_u *)(number_last + length[0]))),
        _mm_loadu_si128((const __m128i_u *)(number_last + length[1])), 1);
    v = _mm256_and_si256(_mm256_sub_epi8(v, _mm256_set1_epi8('0')), mask);
    uint32_t noughts = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(v, _mm256_setzero_si256()));
    uint64_t below = ~noughts;
    wrong |=
        (uint32_t)((below & 0xffff) >> (16 - drop[0])) | (uint32_t)(below >> 16 & 0xffff) >> (16 - drop[1]);

    /* every digit to its place: above 15 and below 0 there is none */
    __m256i from =
        _mm256_add_epi8(_mm256_loadu_si256((const __m256i_u *)bare->places),
                        _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_set1_epi8((char)shift[0])),
                                                _mm_set1_epi8((char)shift[1]), 1));
    from = _mm256_or_si256(_mm256_add_epi8(from, _mm256_set1_epi8(0x70)),
                           _mm256_cmpgt_epi8(_mm256_setzero_si256(), from));
    v = _mm256_shuffle_epi8(v, from);
    __m256i odd = _mm256_subs_epu8(v, _mm256_set1_epi8(9));
    v = _mm256_madd_epi16(_mm256_maddubs_epi16(v, _mm256_set1_epi16(0x010a)), _mm256_set1_epi32(0x00010064));
    v = _mm256_madd_epi16(_mm256_packus_epi32(v, v), _mm256_set1_epi32(0x00012710));
    v = _mm256_add_epi64(_mm256_mul_epu32(v, _mm256_set1_epi64x(100000000)), _mm256_srli_epi64(v, 32));
    v = _mm256_permute4x64_epi64(v, 0x08);
    _mm_storeu_si128((__m128i_u *)out, _mm256_castsi256_si128(v));
    return wrong == 0 && _mm256_testz_si256(odd, odd) ? end : 0;
}
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
