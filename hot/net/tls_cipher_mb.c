/* AES-GCM by intel-ipsec-mb, which picks its instructions (VAES, AVX, SSE) at run time. */
#include "hot/net/tls_cipher_list.h"

#include <intel-ipsec-mb.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <string.h>

/* The manager only carries the chosen function pointers for what is used here, so all threads share one.
 * It is made at start and lives as long as the process. */
static IMB_MGR *manager;
static pthread_once_t manager_once = PTHREAD_ONCE_INIT;

struct mb_key {
    struct gcm_key_data data; /* aligned to 64 */
    bool long_key;
};

_Static_assert(sizeof(struct mb_key) <= TLS_CIPHER_KEY_ROOM, "an expanded key must fit its room");

static struct mb_key *mb_key(struct tls_cipher_key *key)
{
    return (struct mb_key *)key->room;
}

static void make_manager(void)
{
    IMB_MGR *made = alloc_mb_mgr(0);

    if (made == NULL) {
        return;
    }
    init_mb_mgr_auto(made, NULL);
    if (imb_get_errno(made) != 0) {
        free_mb_mgr(made);
        return;
    }
    manager = made;
}

static bool mb_probe(void)
{
    pthread_once(&manager_once, make_manager);
    return manager != NULL && tls_cipher_known_answer(&tls_cipher_mb);
}

static bool mb_key_set(struct tls_cipher_key *key, const uint8_t *bytes, size_t key_bytes)
{
    struct mb_key *k = mb_key(key);

    if (key_bytes == 16) {
        IMB_AES128_GCM_PRE(manager, bytes, &k->data);
    } else if (key_bytes == 32) {
        IMB_AES256_GCM_PRE(manager, bytes, &k->data);
    } else {
        return false;
    }
    k->long_key = key_bytes == 32;
    return true;
}

static void mb_key_clear(struct tls_cipher_key *key)
{
    OPENSSL_cleanse(key->room, sizeof key->room);
}

static bool mb_seal(struct tls_cipher_key *key, const uint8_t *iv, const uint8_t *aad, size_t aad_len,
                    const uint8_t *in, size_t len, uint8_t *out, uint8_t *tag)
{
    struct mb_key *k = mb_key(key);
    struct gcm_context_data context;

    if (k->long_key) {
        IMB_AES256_GCM_ENC(manager, &k->data, &context, out, in, len, iv, aad, aad_len, tag,
                           TLS_CIPHER_TAG_BYTES);
    } else {
        IMB_AES128_GCM_ENC(manager, &k->data, &context, out, in, len, iv, aad, aad_len, tag,
                           TLS_CIPHER_TAG_BYTES);
    }
    return true;
}

static bool mb_open(struct tls_cipher_key *key, const uint8_t *iv, const uint8_t *aad, size_t aad_len,
                    const uint8_t *in, size_t len, uint8_t *out, const uint8_t *tag)
{
    struct mb_key *k = mb_key(key);
    struct gcm_context_data context;
    uint8_t own[TLS_CIPHER_TAG_BYTES];

    if (k->long_key) {
        IMB_AES256_GCM_DEC(manager, &k->data, &context, out, in, len, iv, aad, aad_len, own, sizeof own);
    } else {
        IMB_AES128_GCM_DEC(manager, &k->data, &context, out, in, len, iv, aad, aad_len, own, sizeof own);
    }
    if (CRYPTO_memcmp(own, tag, sizeof own) != 0) {
        OPENSSL_cleanse(out, len);
        return false;
    }
    return true;
}

const struct tls_cipher tls_cipher_mb = {
    .name = "ipsec-mb",
    .probe = mb_probe,
    .key_set = mb_key_set,
    .key_clear = mb_key_clear,
    .seal = mb_seal,
    .open = mb_open,
};
