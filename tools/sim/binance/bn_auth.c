#include "tools/sim/binance/bn_state.h"

#include "tools/sim/model/sim_decimal.h"

#include <ctype.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* without appends pairs of a query or body as they are, leaving the signature out. */
static void without(struct sim_text *out, const char *text, size_t length)
{
    size_t start = out->length;
    const char *end = text + length;

    while (text < end) {
        const char *stop = memchr(text, '&', (size_t)(end - text));
        stop = stop == NULL ? end : stop;
        if (strncmp(text, "signature=", 10) != 0) {
            if (out->length > start) {
                sim_text_put(out, "&", 1);
            }
            sim_text_put(out, text, (size_t)(stop - text));
        }
        text = stop + 1;
    }
}

void bn_auth_rest_text(struct sim_text *out, const char *query, const char *body, size_t body_length)
{
    sim_text_reset(out);
    without(out, query, strlen(query));
    without(out, body, body_length);
    sim_text_put(out, "", 0);
}

static int by_name(const void *a, const void *b)
{
    return strcmp((*(const struct bn_param *const *)a)->name, (*(const struct bn_param *const *)b)->name);
}

void bn_auth_socket_text(struct sim_text *out, const struct bn_param *param, int count)
{
    const struct bn_param *sorted[BN_PARAM_MAX];
    int kept = 0;

    for (int i = 0; i < count; i++) {
        if (strcmp(param[i].name, "signature") != 0) {
            sorted[kept++] = &param[i];
        }
    }
    qsort(sorted, (size_t)kept, sizeof sorted[0], by_name);
    sim_text_reset(out);
    sim_text_put(out, "", 0);
    for (int i = 0; i < kept; i++) {
        sim_text_add(out, "%s%s=%s", i > 0 ? "&" : "", sorted[i]->name, sorted[i]->value);
    }
}

bool bn_auth_check(const struct bn_key *key, const char *text, size_t length, const char *signature)
{
    if (key->public_key != NULL) {
        unsigned char raw[128];
        size_t size = strlen(signature);

        if (size != 88 || EVP_DecodeBlock(raw, (const unsigned char *)signature, (int)size) != 66) {
            return false;
        }
        EVP_MD_CTX *context = EVP_MD_CTX_new();
        bool good = EVP_DigestVerifyInit(context, NULL, NULL, NULL, key->public_key) == 1 &&
                    EVP_DigestVerify(context, raw, 64, (const unsigned char *)text, length) == 1;
        EVP_MD_CTX_free(context);
        return good;
    }
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    char hex[2 * EVP_MAX_MD_SIZE + 1];

    HMAC(EVP_sha256(), key->secret, (int)strlen(key->secret), (const unsigned char *)text, length, digest,
         &size);
    for (unsigned int i = 0; i < size; i++) {
        hex[2 * i] = "0123456789abcdef"[digest[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[digest[i] & 15];
    }
    hex[2 * size] = '\0';
    return strcasecmp(hex, signature) == 0;
}

int bn_auth_time(const char *timestamp, const char *window, int64_t server_ns, bool *ahead)
{
    int64_t stamp, window_us = 5000000;

    if (timestamp == NULL || sim_decimal_parse(timestamp, strlen(timestamp), 0, &stamp) != SIM_DECIMAL_OK) {
        return -1102;
    }
    if (window != NULL) {
        if (sim_decimal_parse(window, strlen(window), 3, &window_us) != SIM_DECIMAL_OK) {
            return -1100;
        }
        if (window_us > 60000000) {
            return -1131;
        }
    }
    /* Both milliseconds and microseconds are accepted; their sizes cannot be confused. */
    int64_t stamp_us = stamp > INT64_C(100000000000000) ? stamp : stamp * 1000;
    int64_t server_us = server_ns / 1000;

    *ahead = stamp_us >= server_us + 1000000;
    return *ahead || server_us - stamp_us > window_us ? -1021 : 0;
}

void bn_auth_decode(char *text)
{
    char *out = text;

    for (; *text != '\0'; text++) {
        if (*text == '%' && isxdigit((unsigned char)text[1]) && isxdigit((unsigned char)text[2])) {
            char digits[3] = { text[1], text[2], '\0' };
            *out++ = (char)strtol(digits, NULL, 16);
            text += 2;
        } else {
            *out++ = *text == '+' ? ' ' : *text;
        }
    }
    *out = '\0';
}
