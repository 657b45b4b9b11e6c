#include "venues/sign.h"

#include <emmintrin.h>
#include <string.h>

#include <openssl/sha.h>
#include <sodium.h>

/* The low-level SHA-256 is the one that lets a state be kept and copied: a signature then costs two
 * compressions less and no allocation.  It is deprecated in name only. */
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

#define BLOCK_BYTES SHA256_CBLOCK

_Static_assert(sizeof(SHA256_CTX) <= sizeof((struct sign_key){ 0 }.inner), "the pad state fits the key");
_Static_assert(crypto_sign_SECRETKEYBYTES == sizeof((struct sign_key){ 0 }.secret), "the secret key fits");
_Static_assert(SIGN_BASE64_BYTES + 1 == sodium_base64_ENCODED_LEN(crypto_sign_BYTES, 1), "base64 of 64");

static bool begin(struct sign_key *key, const char *api_key, uint8_t type)
{
    memset(key, 0, sizeof *key);
    size_t bytes = strlen(api_key);
    if (bytes >= sizeof key->api_key) {
        return false;
    }
    memcpy(key->api_key, api_key, bytes);
    key->type = type;
    return true;
}

bool sign_key_hmac(struct sign_key *key, const char *api_key, const char *secret, size_t secret_bytes)
{
    if (!begin(key, api_key, SIGN_HMAC_SHA256) || secret_bytes == 0) {
        return false;
    }
    unsigned char block[BLOCK_BYTES] = { 0 };
    unsigned char pad[BLOCK_BYTES];
    if (secret_bytes > sizeof block) {
        SHA256((const unsigned char *)secret, secret_bytes, block);
    } else {
        memcpy(block, secret, secret_bytes);
    }

    SHA256_CTX state;
    for (size_t i = 0; i < sizeof pad; i++) {
        pad[i] = block[i] ^ 0x36;
    }
    SHA256_Init(&state);
    SHA256_Update(&state, pad, sizeof pad);
    memcpy(key->inner, &state, sizeof state);

    for (size_t i = 0; i < sizeof pad; i++) {
        pad[i] = block[i] ^ 0x5c;
    }
    SHA256_Init(&state);
    SHA256_Update(&state, pad, sizeof pad);
    memcpy(key->outer, &state, sizeof state);

    sodium_memzero(block, sizeof block);
    sodium_memzero(pad, sizeof pad);
    sodium_memzero(&state, sizeof state);
    return true;
}

bool sign_key_ed25519(struct sign_key *key, const char *api_key, const unsigned char seed[32])
{
    unsigned char public_key[crypto_sign_PUBLICKEYBYTES];
    return begin(key, api_key, SIGN_ED25519) && sodium_init() >= 0 &&
           crypto_sign_seed_keypair(public_key, key->secret, seed) == 0;
}

/* PKCS#8 of an Ed25519 key: SEQUENCE { INTEGER 0 or 1, SEQUENCE { OID 1.3.101.112 }, OCTET STRING { OCTET
 * STRING seed }, ... }.  Every length is short form, so the fixed beginning can be compared. */
static bool seed_of(const unsigned char *der, size_t bytes, unsigned char seed[32])
{
    static const unsigned char algorithm[] = { 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65,
                                               0x70, 0x04, 0x22, 0x04, 0x20 };
    if (bytes < 48 || der[0] != 0x30 || der[1] != bytes - 2 || der[2] != 0x02 || der[3] != 0x01 ||
        der[4] > 1 || memcmp(der + 5, algorithm, sizeof algorithm) != 0) {
        return false;
    }
    memcpy(seed, der + 16, 32);
    return true;
}

bool sign_key_pem(struct sign_key *key, const char *api_key, const char *pem, size_t pem_bytes)
{
    static const char head[] = "-----BEGIN PRIVATE KEY-----";
    static const char tail[] = "-----END PRIVATE KEY-----";
    memset(key, 0, sizeof *key);
    const char *from = memmem(pem, pem_bytes, head, sizeof head - 1);
    if (from == NULL) {
        return false;
    }
    from += sizeof head - 1;
    const char *to = memmem(from, pem_bytes - (size_t)(from - pem), tail, sizeof tail - 1);
    if (to == NULL) {
        return false;
    }
    unsigned char der[128];
    unsigned char seed[32];
    size_t der_bytes = 0;
    bool done = sodium_base642bin(der, sizeof der, from, (size_t)(to - from), " \t\r\n", &der_bytes, NULL,
                                  sodium_base64_VARIANT_ORIGINAL) == 0 &&
                seed_of(der, der_bytes, seed) && sign_key_ed25519(key, api_key, seed);
    sodium_memzero(der, sizeof der);
    sodium_memzero(seed, sizeof seed);
    return done;
}

void sign_wipe(struct sign_key *key)
{
    sodium_memzero(key, sizeof *key);
}

/* put_hex writes 32 bytes as lower-case hex, sixteen at a time. */
static void put_hex(char *out, const unsigned char *bytes)
{
    const __m128i low = _mm_set1_epi8(15), nine = _mm_set1_epi8(9), zero = _mm_set1_epi8('0');
    const __m128i beyond = _mm_set1_epi8('a' - '0' - 10);
    for (int i = 0; i < SHA256_DIGEST_LENGTH; i += 16) {
        __m128i both = _mm_loadu_si128((const __m128i *)(bytes + i));
        __m128i high = _mm_and_si128(_mm_srli_epi16(both, 4), low);
        both = _mm_and_si128(both, low);
        for (int half = 0; half < 2; half++) {
            __m128i digit = half == 0 ? _mm_unpacklo_epi8(high, both) : _mm_unpackhi_epi8(high, both);
            __m128i letter = _mm_and_si128(_mm_cmpgt_epi8(digit, nine), beyond);
            digit = _mm_add_epi8(_mm_add_epi8(digit, zero), letter);
            _mm_storeu_si128((__m128i *)(out + 2 * i + 16 * half), digit);
        }
    }
}

/* finish hashes the rest of a text on from a kept state, and its hash with the outer pad. */
static void finish(const struct sign_key *key, const unsigned char *from, const char *text, size_t bytes,
                   char *out)
{
    SHA256_CTX state;
    unsigned char hash[SHA256_DIGEST_LENGTH];

    memcpy(&state, from, sizeof state);
    SHA256_Update(&state, text, bytes);
    SHA256_Final(hash, &state);
    memcpy(&state, key->outer, sizeof state);
    SHA256_Update(&state, hash, sizeof hash);
    SHA256_Final(hash, &state);
    put_hex(out, hash);
}

void sign_hmac_hex(const struct sign_key *key, const char *text, size_t bytes, char *out)
{
    finish(key, key->inner, text, bytes, out);
}

void sign_prefix(struct sign_prefix *prefix, const struct sign_key *key, const char *text, size_t bytes)
{
    memset(prefix, 0, sizeof *prefix);
    if (key == NULL || key->type != SIGN_HMAC_SHA256 || bytes < BLOCK_BYTES) {
        return;
    }
    SHA256_CTX state;
    prefix->bytes = bytes - bytes % BLOCK_BYTES;
    memcpy(&state, key->inner, sizeof state);
    SHA256_Update(&state, text, prefix->bytes);
    memcpy(prefix->state, &state, sizeof state);
    sodium_memzero(&state, sizeof state);
}

size_t sign_text_after(const struct sign_key *key, const struct sign_prefix *prefix, const char *text,
                       size_t bytes, char *out)
{
    if (prefix == NULL || prefix->bytes == 0) {
        return sign_text(key, text, bytes, out);
    }
    finish(key, prefix->state, text + prefix->bytes, bytes - prefix->bytes, out);
    return SIGN_HEX_BYTES;
}

void sign_ed25519_base64(const struct sign_key *key, const char *text, size_t bytes, char *out)
{
    unsigned char signature[crypto_sign_BYTES];
    char encoded[SIGN_BASE64_BYTES + 1];
    crypto_sign_detached(signature, NULL, (const unsigned char *)text, bytes, key->secret);
    sodium_bin2base64(encoded, sizeof encoded, signature, sizeof signature, sodium_base64_VARIANT_ORIGINAL);
    memcpy(out, encoded, SIGN_BASE64_BYTES);
}

size_t sign_text(const struct sign_key *key, const char *text, size_t bytes, char *out)
{
    switch (key->type) {
    case SIGN_HMAC_SHA256:
        sign_hmac_hex(key, text, bytes, out);
        return SIGN_HEX_BYTES;
    case SIGN_ED25519:
        sign_ed25519_base64(key, text, bytes, out);
        return SIGN_BASE64_BYTES;
    default:
        return 0;
    }
}
