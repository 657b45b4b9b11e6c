/* tls_cipher seals and opens AES-GCM records with a well-kept library chosen at run time: intel-ipsec-mb
 * where it is and works, OpenSSL's EVP elsewhere.
 *
 * Nothing of wolfSSL, OpenSSL or intel-ipsec-mb is visible here, because their headers collide: each lives
 * in its own source.  A key belongs to one thread; seal and open allocate nothing. */
#ifndef POISE_HOT_NET_TLS_CIPHER_H
#define POISE_HOT_NET_TLS_CIPHER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TLS_CIPHER_IV_BYTES = 12, TLS_CIPHER_TAG_BYTES = 16, TLS_CIPHER_KEY_ROOM = 2048 };

/* One expanded key, of whichever library. */
struct tls_cipher_key {
    _Alignas(64) uint8_t room[TLS_CIPHER_KEY_ROOM];
};

struct tls_cipher {
    const char *name; /* "ipsec-mb" or "evp" */

    /* probe answers whether the library works on this machine: it seals a known record and compares. */
    bool (*probe)(void);

    /* key_set expands key_bytes (16 or 32) into *key, which is zeroed or was set before.  The first set of
     * a key may allocate (evp), later ones do not.  False: the size is not served. */
    bool (*key_set)(struct tls_cipher_key *key, const uint8_t *bytes, size_t key_bytes);
    void (*key_clear)(struct tls_cipher_key *key); /* wipes and releases */

    /* seal encrypts in -> out (same length; in == out allowed) and writes the tag. */
    bool (*seal)(struct tls_cipher_key *key, const uint8_t *iv, const uint8_t *aad, size_t aad_len,
                 const uint8_t *in, size_t len, uint8_t *out, uint8_t *tag);

    /* open decrypts and compares the tag in constant time.  False: not authentic; out is then wiped. */
    bool (*open)(struct tls_cipher_key *key, const uint8_t *iv, const uint8_t *aad, size_t aad_len,
                 const uint8_t *in, size_t len, uint8_t *out, const uint8_t *tag);
};

/* tls_cipher_pick answers the named library, or with NULL the best that passes its probe; NULL when none
 * does. */
const struct tls_cipher *tls_cipher_pick(const char *name);

#endif
