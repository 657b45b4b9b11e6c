#include "hot/net/tls_cipher.h"

#include <criterion/criterion.h>
#include <openssl/evp.h>
#include <string.h>

static const char *const names[] = { "ipsec-mb", "evp" };

/* The reference, straight from EVP. */
static void reference(const uint8_t *key, size_t key_bytes, const uint8_t *iv, const uint8_t *aad,
                      size_t aad_len, const uint8_t *in, size_t len, uint8_t *out, uint8_t *tag)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n;

    EVP_EncryptInit_ex(c, key_bytes == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm(), NULL, key, iv);
    EVP_EncryptUpdate(c, NULL, &n, aad, (int)aad_len);
    EVP_EncryptUpdate(c, out, &n, in, (int)len);
    EVP_EncryptFinal_ex(c, out + n, &n);
    EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, 16, tag);
    EVP_CIPHER_CTX_free(c);
}

static void sweep(const struct tls_cipher *cipher, size_t key_bytes, size_t len)
{
    static uint8_t in[17000], want[17000], out[17000], back[17000];
    struct tls_cipher_key key;
    uint8_t raw[32], iv[12], aad[13], tag[16], want_tag[16];
    size_t aad_len = len % 2 == 0 ? 5 : 13;

    memset(&key, 0, sizeof key);
    for (size_t i = 0; i < sizeof raw; i++) {
        raw[i] = (uint8_t)(i * 11 + len);
    }
    for (size_t i = 0; i < len; i++) {
        in[i] = (uint8_t)(i * 37 + len);
    }
    memset(iv, (int)len, sizeof iv);
    memset(aad, 0x5a, sizeof aad);
    out[len] = 0xee;
    cr_assert(cipher->key_set(&key, raw, key_bytes));
    reference(raw, key_bytes, iv, aad, aad_len, in, len, want, want_tag);
    cr_assert(cipher->seal(&key, iv, aad, aad_len, in, len, out, tag));
    cr_assert(memcmp(out, want, len) == 0, "%s, %zu-byte key, length %zu", cipher->name, key_bytes, len);
    cr_assert(memcmp(tag, want_tag, 16) == 0, "%s, %zu-byte key, length %zu: tag", cipher->name, key_bytes,
              len);
    cr_assert_eq(out[len], 0xee, "written beyond the end");
    cr_assert(cipher->open(&key, iv, aad, aad_len, out, len, back, tag));
    cr_assert(memcmp(back, in, len) == 0);

    /* in place, as wolfSSL does it */
    memcpy(back, in, len);
    cr_assert(cipher->seal(&key, iv, aad, aad_len, back, len, back, tag));
    cr_assert(memcmp(back, want, len) == 0);
    cr_assert(cipher->open(&key, iv, aad, aad_len, back, len, back, tag));
    cr_assert(memcmp(back, in, len) == 0);
    cipher->key_clear(&key);
}

Test(tls_cipher, every_library_agrees_with_evp_at_every_length)
{
    for (size_t b = 0; b < 2; b++) {
        const struct tls_cipher *cipher = tls_cipher_pick(names[b]);

        cr_assert_not_null(cipher, "%s does not work here", names[b]);
        for (size_t key_bytes = 16; key_bytes <= 32; key_bytes += 16) {
            for (size_t len = 0; len <= 2100; len++) {
                sweep(cipher, key_bytes, len);
            }
            sweep(cipher, key_bytes, 16384);
            sweep(cipher, key_bytes, 16401);
        }
    }
}

Test(tls_cipher, a_changed_bit_anywhere_is_refused_and_nothing_comes_out)
{
    for (size_t b = 0; b < 2; b++) {
        const struct tls_cipher *cipher = tls_cipher_pick(names[b]);
        struct tls_cipher_key key;
        uint8_t raw[16] = { 1 }, iv[12] = { 2 }, aad[5] = { 3 }, in[50] = { 4 }, out[50], back[50], tag[16];
        static const uint8_t zeros[50];

        memset(&key, 0, sizeof key);
        cipher->key_set(&key, raw, sizeof raw);
        cipher->seal(&key, iv, aad, sizeof aad, in, sizeof in, out, tag);
        for (size_t bit = 0; bit < 8 * (sizeof out + sizeof tag + sizeof aad + sizeof iv); bit++) {
            size_t at = bit / 8;
            uint8_t *byte = at < 50   ? out + at
                            : at < 66 ? tag + at - 50
                            : at < 71 ? aad + at - 66
                                      : iv + at - 71;

            *byte ^= (uint8_t)(1 << bit % 8);
            cr_assert_not(cipher->open(&key, iv, aad, sizeof aad, out, sizeof out, back, tag), "bit %zu",
                          bit);
            cr_assert(memcmp(back, zeros, sizeof back) == 0);
            *byte ^= (uint8_t)(1 << bit % 8);
        }
        cr_assert(cipher->open(&key, iv, aad, sizeof aad, out, sizeof out, back, tag));
        cipher->key_clear(&key);
    }
}

Test(tls_cipher, a_key_may_be_replaced_by_one_of_another_size)
{
    for (size_t b = 0; b < 2; b++) {
        const struct tls_cipher *cipher = tls_cipher_pick(names[b]);
        struct tls_cipher_key key;
        uint8_t raw[32] = { 9 }, iv[12] = { 0 }, in[20] = { 1 }, out[20], want[20], tag[16], want_tag[16];

        memset(&key, 0, sizeof key);
        for (int i = 0; i < 6; i++) {
            size_t bytes = i % 2 == 0 ? 32 : 16;

            raw[0] = (uint8_t)i;
            cr_assert(cipher->key_set(&key, raw, bytes));
            cipher->seal(&key, iv, NULL, 0, in, sizeof in, out, tag);
            reference(raw, bytes, iv, NULL, 0, in, sizeof in, want, want_tag);
            cr_assert(memcmp(out, want, sizeof out) == 0 && memcmp(tag, want_tag, 16) == 0);
        }
        cr_assert_not(cipher->key_set(&key, raw, 24));
        cipher->key_clear(&key);
    }
}

Test(tls_cipher, the_best_is_picked_and_nonsense_is_not)
{
    cr_assert_not_null(tls_cipher_pick(NULL));
    cr_assert_null(tls_cipher_pick("rot13"));
}
