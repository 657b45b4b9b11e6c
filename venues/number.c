#include "venues/number.h"
#include "venues/scan.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

bool number_pairs_scalar(const struct number_task *task, int64_t *out)
{
    for (uint32_t i = 0; i < 2 * task->pairs; i++) {
        const uint16_t *ends = task->ends + i * NUMBER_PAIR / 2;
        int decimals = (int)(task->forms >> 16 * (i % 2) & 15);
        if (ends[1] <= ends[0] ||
            !scan_fixed(task->bytes + ends[0] + 1, (size_t)(ends[1] - ends[0] - 1), decimals, &out[i])) {
            return false;
        }
        if (task->positive && out[i] < (i % 2 == 0)) {
            return false;
        }
    }
    return true;
}

/* ------------------------------------------------------------------ bare numbers */

const uint8_t number_last[32] = { 0,    0,    0,    0,    0,    0,    0,    0,    0,    0,    0,
                                  0,    0,    0,    0,    0,    0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                  0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

/* Where a number's digits stand without its point, if all it prints lies in the unit: what lies behind the
 * point is one further. */
/* clang-format off */
#define PLACE(d, i) (i) + ((i) > 15 - (d))
#define PLACES(d) { PLACE(d, 0), PLACE(d, 1), PLACE(d, 2), PLACE(d, 3), PLACE(d, 4), PLACE(d, 5), PLACE(d, 6), \
                    PLACE(d, 7), PLACE(d, 8), PLACE(d, 9), PLACE(d, 10), PLACE(d, 11), PLACE(d, 12), \
                    PLACE(d, 13), PLACE(d, 14), PLACE(d, 15) }
static const uint8_t places[NUMBER_DECIMALS_MAX + 1][16] = {
    PLACES(0), PLACES(1), PLACES(2), PLACES(3), PLACES(4), PLACES(5), PLACES(6), PLACES(7), PLACES(8),
    PLACES(9), PLACES(10), PLACES(11), PLACES(12),
};
/* clang-format on */

void number_bare_set(struct number_bare *bare, uint32_t first_decimals, uint32_t second_decimals)
{
    bare->decimals[0] = first_decimals;
    bare->decimals[1] = second_decimals;
    memcpy(bare->places[0], places[first_decimals], 16);
    memcpy(bare->places[1], places[second_decimals], 16);
}

static uint32_t bare_one(const char *at, char stop, uint32_t decimals, int64_t *out)
{
    uint32_t n = 0, behind = 0;
    bool point = false;
    uint64_t value = 0;
    for (; n <= 16; n++) {
        uint32_t digit = (uint32_t)(unsigned char)at[n] - '0';
        if (digit <= 9) {
            value = value * 10 + digit;
            behind += point;
        } else if (at[n] == '.' && !point && n > 0) {
            point = true;
        } else {
            break;
        }
    }
    uint32_t whole = n - behind - point;
    if (n == 0 || n > 16 || at[n] != stop || (point && behind == 0) || (at[0] == '0' && whole != 1) ||
        whole + decimals > 16) {
        return 0;
    }
    if (behind <= decimals) {
        *out = (int64_t)value * decimal_power[decimals - behind];
        return n;
    }
    *out = (int64_t)value / decimal_power[behind - decimals];
    return (int64_t)value % decimal_power[behind - decimals] == 0 ? n : 0;
}

uint32_t number_bare_scalar(const struct number_bare *bare, const char *at, int64_t out[2])
{
    uint32_t first = bare_one(at, ',', bare->decimals[0], &out[0]);
    if (first == 0) {
        return 0;
    }
    uint32_t second = bare_one(at + first + 1, ']', bare->decimals[1], &out[1]);
    return second == 0 || first + 1 + second > 31 ? 0 : first + 1 + second;
}

struct number_means number_at(enum index_level level)
{
    struct number_means none = { NULL, NULL };
    if (level > index_level_best()) {
        return none;
    }
#if defined(__x86_64__)
    if (level == INDEX_AVX512) {
        return (struct number_means){ number_pairs_avx512, number_few_avx512 };
    }
    if (level == INDEX_AVX2) {
        return (struct number_means){ number_pairs_avx2, number_few_avx2 };
    }
#endif
    return (struct number_means){ number_pairs_scalar, NULL };
}

#if defined(__x86_64__)

#define AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))
#define AVX512                                                                                               \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vbmi2,bmi,bmi2,popcnt")))

/* A number stands right aligned in 16 bytes, its last character in byte 15. */
#define LANE 16

/* How the 16 bytes of one form are checked and put in order. */
struct lane {
    uint8_t zero[LANE];  /* subtracted: '0', and '.' where the point must be */
    uint8_t most[LANE];  /* what may be left: 9, and 0 for the point and for digits below the unit */
    uint8_t place[LANE]; /* for pshufb: digits to their decimal places, the point left out */
    uint32_t least;      /* distance of the ends: at least one digit before the point */
    uint32_t range;      /* and how much more, so that neither text nor number exceeds 16 digits; the upper
                          * half, where no distance is, allows anything */
    uint8_t spare[8];
};

/* Every form there is, made once at start: 15 KB, of which a message touches 192 bytes. */
static struct lane lanes[NUMBER_BEHIND_MAX + 1][16] __attribute__((aligned(64)));
_Static_assert(NUMBER_DECIMALS_MAX < 16, "rows of a power of two: an index without a multiplication");

__attribute__((constructor)) static void make_lanes(void)
{
    for (int behind = 0; behind <= NUMBER_BEHIND_MAX; behind++) {
        for (int decimals = 0; decimals <= NUMBER_DECIMALS_MAX; decimals++) {
            struct lane *lane = &lanes[behind][decimals];
            int point = behind > 0 ? LANE - 1 - behind : -1; /* its byte */
            int shift = behind - decimals; /* digits below the unit; negative: zeros to add */
            for (int i = 0; i < LANE; i++) {
                int from = i - shift; /* before the point is left out */
                from -= point >= 0 && from <= point;
                lane->zero[i] = i == point ? '.' : '0';
                lane->most[i] = i == point || i >= LANE - shift ? 0 : 9;
                lane->place[i] = from < 0 || from >= LANE ? 0x80 : (uint8_t)from;
            }
            int least = 1 + behind + (behind > 0);
            int most = LANE + (shift < 0 ? shift + (behind > 0) : 0);
            most = most < LANE ? most : LANE;
            /* where nothing fits, a distance that is none */
            lane->least = most >= least ? (uint32_t)least + 1 : UINT16_MAX;
            lane->range = (most >= least ? (uint32_t)(most - least) : 0) | 0xffff0000U;
        }
    }
}

static inline const struct lane *first_of(number_forms forms)
{
    return &lanes[0][0] + (uint16_t)forms;
}

static inline const struct lane *second_of(number_forms forms)
{
    return &lanes[0][0] + (forms >> 16);
}

/* The ends of one pair in one word, lowest first. */
static inline uint64_t pair_at(const uint16_t *ends)
{
    uint64_t word;
    memcpy(&word, ends, sizeof word);
    /* The compiler would make one wide load of several words and take it apart again; where the words have
     * just been stored one by one that load waits for the cache, some 15 cycles. */
    __asm__("" : "+r"(word));
    return word;
}

static inline const __m128i_u *before(const char *bytes, uint16_t end)
{
    return (const __m128i_u *)(bytes + end - LANE);
}

/* The same of both numbers of a pair, in every pair. */
static inline __m128i both(const uint32_t *first, const uint32_t *second)
{
    return _mm_unpacklo_epi32(_mm_cvtsi32_si128((int)*first), _mm_cvtsi32_si128((int)*second));
}

/* ------------------------------------------------------------------ two pairs at once */

struct work2 {
    __m256i zero[2], most[2], place[2];
    __m128i least, range;
    __m256i positive; /* ones where a result must not be 0 */
    __m256i wrong;
    __m128i misfit;
};

static inline AVX2 __m256i twice(const uint8_t *from)
{
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i_u *)from));
}

static inline AVX2 __m256i digits2(struct work2 *work, int which, __m128i lengths, __m256i spread,
                                   __m256i text)
{
    const __m256i cut =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1));
    __m256i length = _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(lengths), spread);
    __m256i inside = _mm256_cmpgt_epi8(length, cut);
    __m256i digits = _mm256_and_si256(inside, _mm256_sub_epi8(text, work->zero[which]));
    work->wrong = _mm256_or_si256(work->wrong, _mm256_subs_epu8(digits, work->most[which]));
    digits = _mm256_shuffle_epi8(digits, work->place[which]);
    digits = _mm256_maddubs_epi16(digits, _mm256_set1_epi16(0x010a));
    return _mm256_madd_epi16(digits, _mm256_set1_epi32(0x00010064));
}

static inline AVX2 __m256i convert2(struct work2 *work, const char *bytes, uint64_t a, uint64_t b)
{
    const __m256i first = _mm256_setr_epi64x(0, 0, 0x0808080808080808, 0x0808080808080808);
    const __m256i second =
        _mm256_setr_epi64x(0x0404040404040404, 0x0404040404040404, 0x0c0c0c0c0c0c0c0c, 0x0c0c0c0c0c0c0c0c);
    __m128i ends = _mm_set_epi64x((int64_t)b, (int64_t)a);
    __m128i lengths = _mm_sub_epi16(_mm_srli_epi32(ends, 16), ends); /* in the even words */
    work->misfit =
        _mm_or_si128(work->misfit, _mm_subs_epu16(_mm_sub_epi16(lengths, work->least), work->range));
    __m256i x =
        _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(before(bytes, (uint16_t)(a >> 16)))),
                                _mm_loadu_si128(before(bytes, (uint16_t)(b >> 16))), 1);
    __m256i y =
        _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(before(bytes, (uint16_t)(a >> 48)))),
                                _mm_loadu_si128(before(bytes, (uint16_t)(b >> 48))), 1);
    x = digits2(work, 0, lengths, first, x);
    y = digits2(work, 1, lengths, second, y);
    x = _mm256_madd_epi16(_mm256_packus_epi32(x, y), _mm256_set1_epi32(0x00012710));
    x = _mm256_add_epi64(_mm256_mul_epu32(x, _mm256_set1_epi64x(100000000)), _mm256_srli_epi64(x, 32));
    work->wrong = _mm256_or_si256(
        work->wrong, _mm256_and_si256(work->positive, _mm256_cmpeq_epi64(x, _mm256_setzero_si256())));
    return x;
}

static inline AVX2 struct work2 work2_of(number_forms forms, bool positive)
{
    const struct lane *a = first_of(forms), *b = second_of(forms);
    return (struct work2){
        .zero = { twice(a->zero), twice(b->zero) },
        .most = { twice(a->most), twice(b->most) },
        .place = { twice(a->place), twice(b->place) },
        .least = _mm_broadcastq_epi64(both(&a->least, &b->least)),
        .range = _mm_broadcastq_epi64(both(&a->range, &b->range)),
        .positive = _mm256_setr_epi64x(-(int64_t)positive, 0, -(int64_t)positive, 0),
        .wrong = _mm256_setzero_si256(),
        .misfit = _mm_setzero_si128(),
    };
}

static inline AVX2 bool fine2(const struct work2 *work)
{
    return _mm256_testz_si256(work->wrong, work->wrong) && _mm_testz_si128(work->misfit, work->misfit);
}

AVX2 bool number_pairs_avx2(const struct number_task *task, int64_t *out)
{
    struct work2 work = work2_of(task->forms, task->positive);
    const uint16_t *ends = task->ends;
    uint32_t left = task->pairs;
    for (; left >= 2; left -= 2, ends += 2 * NUMBER_PAIR, out += 4) {
        _mm256_storeu_si256((__m256i_u *)out,
                            convert2(&work, task->bytes, pair_at(ends), pair_at(ends + NUMBER_PAIR)));
    }
    if (left > 0) {
        __m256i last = convert2(&work, task->bytes, pair_at(ends), pair_at(ends));
        _mm_storeu_si128((__m128i_u *)out, _mm256_castsi256_si128(last));
    }
    return fine2(&work);
}

AVX2 bool number_few_avx2(const char *bytes, uint64_t p, uint64_t q, uint64_t r, uint64_t s,
                          number_forms forms, int64_t out[2 * NUMBER_FEW])
{
    struct work2 pairs = work2_of(forms, false), wholes = work2_of(0, false);
    _mm256_storeu_si256((__m256i_u *)out, convert2(&pairs, bytes, p, q));
    _mm256_storeu_si256((__m256i_u *)(out + 4), convert2(&wholes, bytes, r, s));
    return fine2(&pairs) && fine2(&wholes);
}

/* ------------------------------------------------------------------ four pairs at once */

struct work4 {
    __m512i zero[2], most[2], place[2];
    __m256i least, range;
    __mmask8 positive;
    __mmask8 nought;
    __mmask16 misfit;
    __mmask64 wrong;
};

static inline AVX512 __m512i four(const uint8_t *from)
{
    return _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i_u *)from));
}

static inline AVX512 __m512i digits4(struct work4 *work, int which, __m256i lengths, __m512i spread,
                                     __m512i text)
{
    const __m512i cut =
        _mm512_broadcast_i32x4(_mm_setr_epi8(16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1));
    __m512i length = _mm512_permutexvar_epi8(spread, _mm512_castsi256_si512(lengths));
    __mmask64 inside = _mm512_cmpgt_epu8_mask(length, cut);
    __m512i digits = _mm512_maskz_sub_epi8(inside, text, work->zero[which]);
    work->wrong |= _mm512_cmpgt_epu8_mask(digits, work->most[which]);
    digits = _mm512_shuffle_epi8(digits, work->place[which]);
    digits = _mm512_maddubs_epi16(digits, _mm512_set1_epi16(0x010a));
    return _mm512_madd_epi16(digits, _mm512_set1_epi32(0x00010064));
}

static inline AVX512 __m512i text4(const char *bytes, uint16_t a, uint16_t b, uint16_t c, uint16_t d)
{
    __m256i low = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(before(bytes, a))),
                                          _mm_loadu_si128(before(bytes, b)), 1);
    __m256i high = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(before(bytes, c))),
                                           _mm_loadu_si128(before(bytes, d)), 1);
    return _mm512_inserti64x4(_mm512_castsi256_si512(low), high, 1);
}

/* Packing interleaves the firsts' words with the seconds': what comes out stands pair by pair. */
static inline AVX512 __m512i convert4(struct work4 *work, const char *bytes, __m256i ends, uint64_t a,
                                      uint64_t b, uint64_t c, uint64_t d)
{
    const __m512i first = _mm512_setr_epi64(0, 0, 0x0808080808080808, 0x0808080808080808, 0x1010101010101010,
                                            0x1010101010101010, 0x1818181818181818, 0x1818181818181818);
    const __m512i second = _mm512_add_epi8(first, _mm512_set1_epi8(4));
    __m256i lengths = _mm256_sub_epi16(_mm256_srli_epi32(ends, 16), ends); /* in the even words */
    work->misfit |= _mm256_cmpgt_epu16_mask(_mm256_sub_epi16(lengths, work->least), work->range);
    __m512i x =
        text4(bytes, (uint16_t)(a >> 16), (uint16_t)(b >> 16), (uint16_t)(c >> 16), (uint16_t)(d >> 16));
    __m512i y =
        text4(bytes, (uint16_t)(a >> 48), (uint16_t)(b >> 48), (uint16_t)(c >> 48), (uint16_t)(d >> 48));
    x = digits4(work, 0, lengths, first, x);
    y = digits4(work, 1, lengths, second, y);
    x = _mm512_madd_epi16(_mm512_packus_epi32(x, y), _mm512_set1_epi32(0x00012710));
    x = _mm512_add_epi64(_mm512_mul_epu32(x, _mm512_set1_epi64(100000000)), _mm512_srli_epi64(x, 32));
    work->nought |= _mm512_testn_epi64_mask(x, x);
    return x;
}

AVX512 bool number_pairs_avx512(const struct number_task *task, int64_t *out)
{
    const struct lane *a = first_of(task->forms), *b = second_of(task->forms);
    struct work4 work = {
        .zero = { four(a->zero), four(b->zero) },
        .most = { four(a->most), four(b->most) },
        .place = { four(a->place), four(b->place) },
        .least = _mm256_broadcastq_epi64(both(&a->least, &b->least)),
        .range = _mm256_broadcastq_epi64(both(&a->range, &b->range)),
        .positive = task->positive ? 0x55 : 0,
    };
    const uint16_t *ends = task->ends;
    uint32_t left = task->pairs;
    for (; left >= 4; left -= 4, ends += 4 * NUMBER_PAIR, out += 8) {
        __m512i four_pairs = convert4(&work, task->bytes, _mm256_loadu_si256((const __m256i_u *)ends),
                                      pair_at(ends), pair_at(ends + NUMBER_PAIR),
                                      pair_at(ends + 2 * NUMBER_PAIR), pair_at(ends + 3 * NUMBER_PAIR));
        _mm512_storeu_si512(out, four_pairs);
    }
    if (left > 0) {
        /* the last pairs, the very last again for those that are not there */
        uint64_t p = pair_at(ends);
        uint64_t q = left > 1 ? pair_at(ends + NUMBER_PAIR) : p;
        uint64_t r = left > 2 ? pair_at(ends + 2 * NUMBER_PAIR) : p;
        __m256i words = _mm256_setr_epi64x((int64_t)p, (int64_t)q, (int64_t)r, (int64_t)p);
        __m512i last = convert4(&work, task->bytes, words, p, q, r, p);
        _mm512_mask_storeu_epi64(out, (__mmask8)_bzhi_u32(0xff, 2 * left), last);
    }
    return _kortestz_mask64_u8(work.wrong, work.misfit) && (work.nought & work.positive) == 0;
}

/* Lanes of the first and of the second form in turn. */
static inline AVX512 __m512i mixed(const uint8_t *first, const uint8_t *second)
{
    return _mm512_mask_broadcast_i32x4(four(first), 0xf0f0, _mm_loadu_si128((const __m128i_u *)second));
}

/* Not by convert4: here the lanes are the two pairs in one register and the whole numbers, which need no
 * order, in the other. */
AVX512 bool number_few_avx512(const char *bytes, uint64_t p, uint64_t q, uint64_t r, uint64_t s,
                              number_forms forms, int64_t out[2 * NUMBER_FEW])
{
    const __m512i one = _mm512_setr_epi64(0, 0, 0x0404040404040404, 0x0404040404040404, 0x0808080808080808,
                                          0x0808080808080808, 0x0c0c0c0c0c0c0c0c, 0x0c0c0c0c0c0c0c0c);
    const __m512i other = _mm512_add_epi8(one, _mm512_set1_epi8(16));
    const __m512i cut =
        _mm512_broadcast_i32x4(_mm_setr_epi8(16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1));
    const struct lane *a = first_of(forms), *b = second_of(forms);
    __m256i least =
        _mm256_inserti128_si256(_mm256_set1_epi32(2), _mm_broadcastq_epi64(both(&a->least, &b->least)), 0);
    __m256i range = _mm256_inserti128_si256(_mm256_set1_epi32((int)(LANE - 1) | (int)0xffff0000),
                                            _mm_broadcastq_epi64(both(&a->range, &b->range)), 0);
    __m256i ends = _mm256_setr_epi64x((int64_t)p, (int64_t)q, (int64_t)r, (int64_t)s);
    __m256i lengths = _mm256_sub_epi16(_mm256_srli_epi32(ends, 16), ends); /* in the even words */
    __mmask16 misfit = _mm256_cmpgt_epu16_mask(_mm256_sub_epi16(lengths, least), range);
    __m512i x =
        text4(bytes, (uint16_t)(p >> 16), (uint16_t)(p >> 48), (uint16_t)(q >> 16), (uint16_t)(q >> 48));
    __m512i y =
        text4(bytes, (uint16_t)(r >> 16), (uint16_t)(r >> 48), (uint16_t)(s >> 16), (uint16_t)(s >> 48));
    __m512i wide = _mm512_castsi256_si512(lengths);
    x = _mm512_maskz_sub_epi8(_mm512_cmpgt_epu8_mask(_mm512_permutexvar_epi8(one, wide), cut), x,
                              mixed(a->zero, b->zero));
    y = _mm512_maskz_sub_epi8(_mm512_cmpgt_epu8_mask(_mm512_permutexvar_epi8(other, wide), cut), y,
                              _mm512_set1_epi8('0'));
    __mmask64 wrong =
        _mm512_cmpgt_epu8_mask(x, mixed(a->most, b->most)) | _mm512_cmpgt_epu8_mask(y, _mm512_set1_epi8(9));
    x = _mm512_shuffle_epi8(x, mixed(a->place, b->place));
    x = _mm512_madd_epi16(_mm512_maddubs_epi16(x, _mm512_set1_epi16(0x010a)), _mm512_set1_epi32(0x00010064));
    y = _mm512_madd_epi16(_mm512_maddubs_epi16(y, _mm512_set1_epi16(0x010a)), _mm512_set1_epi32(0x00010064));
    x = _mm512_madd_epi16(_mm512_packus_epi32(x, y), _mm512_set1_epi32(0x00012710));
    x = _mm512_add_epi64(_mm512_mul_epu32(x, _mm512_set1_epi64(100000000)), _mm512_srli_epi64(x, 32));
    /* packing has interleaved the two registers' lanes */
    x = _mm512_permutexvar_epi64(_mm512_setr_epi64(0, 2, 4, 6, 1, 3, 5, 7), x);
    _mm512_storeu_si512(out, x);
    return _kortestz_mask64_u8(wrong, misfit);
}

#endif
