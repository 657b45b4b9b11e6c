/* AES-GCM by OpenSSL's EVP, where intel-ipsec-mb is not. */
#include "hot/net/tls_cipher_list.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

struct evp_key {
    EVP_CIPHER_CTX *context; /* NULL until the first key_set */
};

static struct evp_key *evp_key(struct tls_cipher_key *key)
{
    return (struct evp_key *)key->room;
}

static bool evp_probe(void)
{
    return tls_cipher_known_answer(&tls_cipher_evp);
}

static bool evp_key_set(struct tls_cipher_key *key, const uint8_t *bytes, size_t key_bytes)
{
    struct evp_key *k = evp_key(key);

    if (key_bytes != 16 && key_bytes != 32) {
        return false;
    }
    if (k->context == NULL) {
        k->context = EVP_CIPHER_CTX_new();
    }
    return k->context != NULL &&
           EVP_CipherInit_ex(k->context, key_bytes == 16 ? EVP_aes_128_gcm() : EVP_aes_256_gcm(), NULL, bytes,
                             NULL, 1) == 1;
}

static void evp_key_clear(struct tls_cipher_key *key)
{
    EVP_CIPHER_CTX_free(evp_key(key)->context);
    OPENSSL_cleanse(key->room, sizeof key->room);
}

static bool evp_seal(struct tls_cipher_key *key, const uint8_t *iv, const uint8_t *aad, size_t aad_len,
                     const uint8_t *in, size_t len, uint8_t *out, uint8_t *tag)
{
    EVP_CIPHER_CTX *c = evp_key(key)->context;
    int n;

    return len <= INT_MAX && EVP_CipherInit_ex(c, NULL, NULL, NULL, iv, 1) == 1 &&
           (aad_len == 0 || EVP_EncryptUpdate(c, NULL, &n, aad, (int)aad_len) == 1) &&
           EVP_EncryptUpdate(c, out, &n, in, (int)len) == 1 && EVP_EncryptFinal_ex(c, out + n, &n) == 1 &&
           EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, TLS_CIPHER_TAG_BYTES, tag) == 1;
}

static bool evp_open(struct tls_cipher_key *key, const uint8_t *iv, const uint8_t *aad, size_t aad_len,
                     const uint8_t *in, size_t len, uint8_t *out, const uint8_t *tag)
{
    EVP_CIPHER_CTX *c = evp_key(key)->context;
    uint8_t claimed[TLS_CIPHER_TAG_BYTES];
    int n;

    memcpy(claimed, tag, sizeof claimed);

    /* EVP compares the tag in constant time inside Final. */
    bool good = len <= INT_MAX && EVP_CipherInit_ex(c, NULL, NULL, NULL, iv, 0) == 1 &&
                (aad_len == 0 || EVP_DecryptUpdate(c, NULL, &n, aad, (int)aad_len) == 1) &&
                EVP_DecryptUpdate(c, out, &n, in, (int)len) == 1 &&
                EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, sizeof claimed, claimed) == 1 &&
                EVP_DecryptFinal_ex(c, out + n, &n) == 1;

    if (!good) {
        OPENSSL_cleanse(out, len);
    }
    return good;
}

const struct tls_cipher tls_cipher_evp = {
    .name = "evp",
    .probe = evp_probe,
    .key_set = evp_key_set,
    .key_clear = evp_key_clear,
    .seal = evp_seal,
    .open = evp_open,
};
