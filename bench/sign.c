/* Signing 200 bytes: from the kept pad states, and as the library's own one call does it. */
#include "bench/cases.h"
#include "venues/sign.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#define EACH       8
#define TEXT_BYTES 200

static struct sign_key key;
static char text[TEXT_BYTES];
static const char secret[] = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j";

static bool setup(struct bench *bench)
{
    memset(text, 'x', sizeof text);
    return sign_key_hmac(&key, "key", secret, sizeof secret - 1) ||
           bench_absent(bench, "sign_key_hmac refused the key");
}

static uint64_t hmac_kept(struct bench *bench, uint64_t *ticks, uint32_t count)
{
    (void)bench;
    uint64_t hash = 0;
    for (uint32_t i = 0; i < count; i++) {
        char out[SIGN_HEX_BYTES];
        uint64_t from = clock_ticks();
        for (uint32_t k = 0; k < EACH; k++) {
            text[0] = (char)('a' + (i + k) % 26);
            sign_hmac_hex(&key, text, sizeof text, out);
        }
        ticks[i] = clock_ticks() - from;
        for (int b = 0; b < SIGN_HEX_BYTES; b++) {
            hash = bench_hash(hash, (unsigned char)out[b]);
        }
    }
    return hash;
}

static uint64_t hmac_one_call(struct bench *bench, uint64_t *ticks, uint32_t count)
{
    (void)bench;
    uint64_t hash = 0;
    for (uint32_t i = 0; i < count; i++) {
        static const char digit[] = "0123456789abcdef";
        char out[SIGN_HEX_BYTES];
        uint64_t from = clock_ticks();
        for (uint32_t k = 0; k < EACH; k++) {
            unsigned char raw[32];
            unsigned bytes = sizeof raw;
            text[0] = (char)('a' + (i + k) % 26);
            HMAC(EVP_sha256(), secret, sizeof secret - 1, (unsigned char *)text, sizeof text, raw, &bytes);
            for (unsigned b = 0; b < bytes; b++) {
                out[2 * b] = digit[raw[b] >> 4];
                out[2 * b + 1] = digit[raw[b] & 15];
            }
        }
        ticks[i] = clock_ticks() - from;
        for (int b = 0; b < SIGN_HEX_BYTES; b++) {
            hash = bench_hash(hash, (unsigned char)out[b]);
        }
    }
    return hash;
}

/* clang-format off */
static const struct bench_case rows[] = {
    { .name = "sign.hmac_200", .group = "sign", .processors = 1, .operations = EACH, .burst_samples = 4000,
      .setup = setup, .burst = hmac_kept, .against = { "sign.hmac_200_one_call" } },
    { .name = "sign.hmac_200_one_call", .group = "sign", .processors = 1, .operations = EACH,
      .burst_samples = 4000, .setup = setup, .burst = hmac_one_call },
};
/* clang-format on */

const struct bench_table bench_sign = { rows, POISE_COUNT_OF(rows) };
