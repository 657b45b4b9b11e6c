#include "venues/index.h"

#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* Bytes indexed between two looks at the room that is left. */
#define BLOCK 64

const char *const index_level_names[INDEX_LEVEL_COUNT] = { "scalar", "avx2", "avx512" };

enum index_level index_level_best(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vbmi2") &&
        __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt")) {
        return INDEX_AVX512;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2") &&
        __builtin_cpu_supports("popcnt")) {
        return INDEX_AVX2;
    }
#endif
    return INDEX_SCALAR;
}

index_quotes index_at(enum index_level level)
{
    if (level > index_level_best()) {
        return NULL;
    }
#if defined(__x86_64__)
    if (level == INDEX_AVX512) {
        return index_quotes_avx512;
    }
    if (level == INDEX_AVX2) {
        return index_quotes_avx2;
    }
#endif
    return index_quotes_scalar;
}

static int32_t finish(uint16_t *quotes, uint16_t *end)
{
    memset(end, 0xff, 8 * sizeof *end);
    return (int32_t)(end - quotes);
}

int32_t index_quotes_scalar(const char *bytes, size_t count, uint16_t quotes[INDEX_ROOM])
{
    if (count > INDEX_BYTES_MAX) {
        return -1;
    }
    uint16_t *to = quotes;
    unsigned odd = 0;
    for (size_t from = 0; from < count; from += BLOCK) {
        size_t end = from + BLOCK < count ? from + BLOCK : count;
        if (to - quotes > INDEX_QUOTES_MAX - BLOCK) {
            return -1;
        }
        for (size_t i = from; i < end; i++) {
            unsigned c = (unsigned char)bytes[i];
            *to = (uint16_t)i;
            to += c == '"';
            odd |= (c == '\\') | (c - 0x20 > 0x5f);
        }
    }
    return odd ? -1 : finish(quotes, to);
}

#if defined(__x86_64__)

#define AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))
#define AVX512                                                                                               \
    __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vbmi2,bmi,bmi2,popcnt")))

/* Appends the bits of a block.  Eight at once whether they are there or not: the count is hard to foretell,
 * and the room behind the last has slack. */
static inline AVX2 uint16_t *append(uint16_t *to, uint64_t bits, size_t from)
{
    unsigned count = (unsigned)__builtin_popcountll(bits);
    for (unsigned done = 0; done < count; done += 8) {
        for (unsigned i = 0; i < 8; i++) {
            to[done + i] = (uint16_t)(from + _tzcnt_u64(bits));
            bits = _blsr_u64(bits);
        }
    }
    return to + count;
}

AVX2 int32_t index_quotes_avx2(const char *bytes, size_t count, uint16_t quotes[INDEX_ROOM])
{
    if (count > INDEX_BYTES_MAX) {
        return -1;
    }
    const __m256i quote = _mm256_set1_epi8('"'), slash = _mm256_set1_epi8('\\');
    const __m256i least = _mm256_set1_epi8(0x20);
    __m256i odd = _mm256_setzero_si256();
    uint16_t *to = quotes;
    char tail[BLOCK];
    for (size_t from = 0; from < count; from += BLOCK) {
        const char *at = bytes + from;
        unsigned known = 0; /* bytes at the front of the block that were in the one before */
        if (count - from < BLOCK) {
            /* never a byte beyond the text: it may end where the memory ends */
            if (count >= BLOCK) {
                known = (unsigned)(BLOCK - (count - from));
                at -= known;
            } else {
                memset(tail, ' ', sizeof tail);
                memcpy(tail, at, count);
                at = tail;
            }
        }
        if (to - quotes > INDEX_QUOTES_MAX - BLOCK) {
            return -1;
        }
        __m256i low = _mm256_loadu_si256((const __m256i_u *)at);
        __m256i high = _mm256_loadu_si256((const __m256i_u *)(at + 32));
        uint64_t bits = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(low, quote));
        bits |= (uint64_t)(uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(high, quote)) << 32;
        /* as signed bytes: what is above 0x7f is below 0x20 too */
        odd = _mm256_or_si256(odd, _mm256_cmpgt_epi8(least, _mm256_min_epi8(low, high)));
        odd = _mm256_or_si256(odd,
                              _mm256_or_si256(_mm256_cmpeq_epi8(low, slash), _mm256_cmpeq_epi8(high, slash)));
        to = append(to, bits >> known, from);
    }
    return _mm256_testz_si256(odd, odd) ? finish(quotes, to) : -1;
}

/* Positions inside a block are bytes; the compressed ones are widened and get the block's offset. */
AVX512 int32_t index_quotes_avx512(const char *bytes, size_t count, uint16_t quotes[INDEX_ROOM])
{
    static const uint8_t position[BLOCK] __attribute__((aligned(BLOCK))) = {
        0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21,
        22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43,
        44, 45, 46, 47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57, 58, 59, 60, 61, 62, 63,
    };
    if (count > INDEX_BYTES_MAX) {
        return -1;
    }
    const __m512i quote = _mm512_set1_epi8('"'), slash = _mm512_set1_epi8('\\');
    const __m512i least = _mm512_set1_epi8(0x20), positions = _mm512_load_si512(position);
    __mmask64 odd = 0;
    uint16_t *to = quotes;
    for (size_t from = 0; from < count; from += BLOCK) {
        size_t left = count - from;
        __m512i text = left >= BLOCK
                           ? _mm512_loadu_si512(bytes + from)
                           : _mm512_mask_loadu_epi8(least, _bzhi_u64(~0ULL, (unsigned)left), bytes + from);
        if (to - quotes > INDEX_QUOTES_MAX - BLOCK) {
            return -1;
        }
        __mmask64 bits = _mm512_cmpeq_epi8_mask(text, quote);
        /* as signed bytes: what is above 0x7f is below 0x20 too */
        odd |= _mm512_cmpgt_epi8_mask(least, text) | _mm512_cmpeq_epi8_mask(text, slash);
        __m512i packed = _mm512_maskz_compress_epi8(bits, positions);
        __m512i base = _mm512_set1_epi16((short)from);
        _mm512_storeu_si512(to, _mm512_add_epi16(base, _mm512_cvtepu8_epi16(_mm512_castsi512_si256(packed))));
        unsigned many = (unsigned)__builtin_popcountll(bits);
        if (__builtin_expect(many > 32, 0)) {
            _mm512_storeu_si512(
                to + 32, _mm512_add_epi16(base, _mm512_cvtepu8_epi16(_mm512_extracti64x4_epi64(packed, 1))));
        }
        to += many;
    }
    return odd ? -1 : finish(quotes, to);
}

#endif
