/* sign: keys and signatures.  No hash and no curve is written here: OpenSSL's SHA-256, libsodium's Ed25519.
 *
 * A key is made once on the cold thread from secret text, in memory that the caller locks and excludes from
 * core dumps; it is never printed.  Signing is hot: no allocation, no system call. */
#ifndef POISE_VENUES_SIGN_H
#define POISE_VENUES_SIGN_H

#include "ring/base.h"

#define SIGN_API_KEY_BYTES    136
#define SIGN_PASSPHRASE_BYTES 72
#define SIGN_HEX_BYTES        64 /* HMAC-SHA256 in lower-case hex, no zero byte */
#define SIGN_BASE64_BYTES     88 /* Ed25519, 64 bytes in base64, no zero byte */

enum sign_type { SIGN_NONE = 0, SIGN_HMAC_SHA256, SIGN_ED25519 };

struct sign_key {
    char api_key[SIGN_API_KEY_BYTES];       /* zero terminated */
    char passphrase[SIGN_PASSPHRASE_BYTES]; /* zero terminated; "" when the venue has none */
    uint8_t type;                           /* enum sign_type */
    uint8_t spare[7];
    _Alignas(16) unsigned char inner[128]; /* HMAC: SHA-256 state after the inner pad */
    _Alignas(16) unsigned char outer[128]; /* HMAC: after the outer pad */
    unsigned char secret[64];              /* Ed25519 secret key in libsodium's form */
};

/* sign_key_hmac and sign_key_ed25519 make a key; false when an argument does not fit (api key too long, seed
 * not 32 bytes).  sign_key_pem reads a PKCS#8 PEM Ed25519 private key. */
bool sign_key_hmac(struct sign_key *key, const char *api_key, const char *secret, size_t secret_bytes);
bool sign_key_ed25519(struct sign_key *key, const char *api_key, const unsigned char seed[32]);
bool sign_key_pem(struct sign_key *key, const char *api_key, const char *pem, size_t pem_bytes);

/* sign_wipe overwrites a key. */
void sign_wipe(struct sign_key *key);

/* sign_hmac_hex writes SIGN_HEX_BYTES characters; sign_ed25519_base64 writes SIGN_BASE64_BYTES. */
void sign_hmac_hex(const struct sign_key *key, const char *text, size_t bytes, char *out);
void sign_ed25519_base64(const struct sign_key *key, const char *text, size_t bytes, char *out);

/* sign_text signs by the key's own type and answers the signature's length (SIGN_BASE64_BYTES at most). */
size_t sign_text(const struct sign_key *key, const char *text, size_t bytes, char *out);

/* What many signed texts begin with may be hashed once: a prefix is the state after its whole blocks.  For
 * HMAC keys only; for others it is empty and changes nothing. */
struct sign_prefix {
    size_t bytes;                          /* covered: whole blocks; 0: nothing */
    _Alignas(16) unsigned char state[128]; /* SHA-256 state after the inner pad and those bytes */
};

/* sign_prefix covers as much of `text` as has whole blocks.  Wipe it with its key. */
void sign_prefix(struct sign_prefix *prefix, const struct sign_key *key, const char *text, size_t bytes);

/* sign_text_after is sign_text of a text that begins with what the prefix was made of; it may be NULL. */
size_t sign_text_after(const struct sign_key *key, const struct sign_prefix *prefix, const char *text,
                       size_t bytes, char *out);

#endif
