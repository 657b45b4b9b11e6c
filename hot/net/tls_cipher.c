#include "hot/net/tls_cipher.h"
#include "hot/net/tls_cipher_list.h"

#include <string.h>

static const struct tls_cipher *const ciphers[] = {
#ifdef POISE_HAVE_IPSEC_MB
    &tls_cipher_mb,
#endif
    &tls_cipher_evp,
};

const struct tls_cipher *tls_cipher_pick(const char *name)
{
    for (size_t i = 0; i < sizeof ciphers / sizeof ciphers[0]; i++) {
        if (name != NULL && strcmp(name, ciphers[i]->name) != 0) {
            continue;
        }
        if (ciphers[i]->probe()) {
            return ciphers[i];
        }
    }
    return NULL;
}

/* Test case 2 of the GCM specification (AES-128, a zero block under a zero key): enough to tell a library
 * that works from one that does not run here. */
bool tls_cipher_known_answer(const struct tls_cipher *cipher)
{
    static const uint8_t key_bytes[16] = { 0 };
    static const uint8_t iv[TLS_CIPHER_IV_BYTES] = { 0 };
    static const uint8_t plain[16] = { 0 };
    static const uint8_t sealed[16] = { 0x03, 0x88, 0xda, 0xce, 0x60, 0xb6, 0xa3, 0x92,
                                        0xf3, 0x28, 0xc2, 0xb9, 0x71, 0xb2, 0xfe, 0x78 };
    static const uint8_t tag[16] = { 0xab, 0x6e, 0x47, 0xd4, 0x2c, 0xec, 0x13, 0xbd,
                                     0xf5, 0x3a, 0x67, 0xb2, 0x12, 0x57, 0xbd, 0xdf };
    struct tls_cipher_key key;
    uint8_t out[16], out_tag[16], back[16];

    memset(&key, 0, sizeof key);
    if (!cipher->key_set(&key, key_bytes, sizeof key_bytes)) {
        return false;
    }

    bool good = cipher->seal(&key, iv, NULL, 0, plain, sizeof plain, out, out_tag) &&
                memcmp(out, sealed, sizeof out) == 0 && memcmp(out_tag, tag, sizeof tag) == 0 &&
                cipher->open(&key, iv, NULL, 0, sealed, sizeof sealed, back, tag) &&
                memcmp(back, plain, sizeof back) == 0;

    out_tag[0] ^= 1;
    good = good && !cipher->open(&key, iv, NULL, 0, sealed, sizeof sealed, back, out_tag);
    cipher->key_clear(&key);
    return good;
}
