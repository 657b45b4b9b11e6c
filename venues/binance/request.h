/* request: writing signed requests.
 *
 * WebSocket API: {"id":..,"method":..,"params":{..}}; what is signed are the parameters sorted by name and
 * joined as name=value with &, values as they are.  Parameters must be written in that order; both texts grow
 * at once.  REST: the query is signed exactly as it is sent. */
#ifndef POISE_VENUES_BINANCE_REQUEST_H
#define POISE_VENUES_BINANCE_REQUEST_H

#include "venues/binance/product.h"
#include "venues/text.h"

#define BINANCE_SIGNED_BYTES 1024

/* A parameter's name as both texts have it: ,"name":" and &name= */
#define BINANCE_NAME_BYTES 32
struct binance_name {
    char json[BINANCE_NAME_BYTES];
    char text[BINANCE_NAME_BYTES];
    uint8_t json_bytes, text_bytes;
};
#define BINANCE_NAME(word_)                                                                                  \
    {                                                                                                        \
        ",\"" word_ "\":\"", "&" word_ "=", sizeof(",\"" word_ "\":\"") - 1, sizeof("&" word_ "=") - 1       \
    }

/* Every order waits for this, so names are moved whole and room is looked for once a parameter: a quarter
 * fewer instructions a message than by text_put.  A text that does not fit sets `full` and stays within
 * bounds. */
struct binance_params {
    char *json, *json_end;
    char *text; /* what is to be signed, so far */
    const char *begin;
    const struct sign_key *key;
    const struct sign_prefix *prefix;
    bool sign;
    bool any; /* a parameter was written */
    bool full;
    char signed_text[BINANCE_SIGNED_BYTES];
};

/* binance_params_begin writes up to "params":{ and, when signing, the apiKey: it sorts before all names that
 * are used here.  id is written as a JSON string.  prefix is of the text binance_prefix writes, or NULL. */
void binance_params_begin(struct binance_params *params, const struct sign_key *key,
                          const struct sign_prefix *prefix, bool sign, char *out, size_t capacity,
                          const char *id, size_t id_bytes, const char *method);

/* binance_prefix hashes what every signed text of this key begins with, for binance_params_begin. */
void binance_prefix(struct sign_prefix *prefix, const struct sign_key *key);

/* binance_params_room says whether a parameter with a value of so many bytes fits in both texts. */
static inline bool binance_params_room(struct binance_params *params, size_t bytes)
{
    size_t need = bytes + BINANCE_NAME_BYTES + 1;
    params->full = params->full || (size_t)(params->json_end - params->json) < need ||
                   (size_t)(params->signed_text + BINANCE_SIGNED_BYTES - params->text) < need;
    return !params->full;
}

/* binance_params_name writes the name into both texts; `bare`: the value is a number, without a quote before
 * it.  The first name of all has no comma and no & before it. */
static inline void binance_params_name(struct binance_params *params, const struct binance_name *name,
                                       bool bare)
{
    if (POISE_LIKELY(params->any)) {
        memcpy(params->json, name->json, BINANCE_NAME_BYTES);
        params->json += name->json_bytes - bare;
        if (params->sign) {
            memcpy(params->text, name->text, BINANCE_NAME_BYTES);
            params->text += name->text_bytes;
        }
        return;
    }
    memcpy(params->json, name->json + 1, BINANCE_NAME_BYTES - 1);
    params->json += name->json_bytes - 1 - bare;
    if (params->sign) {
        memcpy(params->text, name->text + 1, BINANCE_NAME_BYTES - 1);
        params->text += name->text_bytes - 1;
    }
    params->any = true;
}

static inline void binance_params_text(struct binance_params *params, const struct binance_name *name,
                                       const char *value, size_t bytes)
{
    if (POISE_UNLIKELY(!binance_params_room(params, bytes))) {
        return;
    }
    binance_params_name(params, name, false);
    memcpy(params->json, value, bytes);
    params->json[bytes] = '"';
    params->json += bytes + 1;
    if (params->sign) {
        memcpy(params->text, value, bytes);
        params->text += bytes;
    }
}

void binance_params_number(struct binance_params *params, const struct binance_name *name, uint64_t value);
void binance_params_decimal(struct binance_params *params, const struct binance_name *name, int64_t value,
                            int decimals);

/* binance_params_end signs, closes the message and answers its length; 0 when it did not fit. */
size_t binance_params_end(struct binance_params *params);

/* binance_params_told shows a person's tool what was signed; hooks may be NULL. */
void binance_params_told(const struct binance_params *params, struct venue_hooks *hooks);

/* binance_query begins a REST request to the product's host: path and "?"; the caller appends parameters with
 * text_put to *text, each ending in "&". */
void binance_query(struct venue_out *out, struct text *text, uint8_t product, const char *method,
                   const char *path);

/* binance_query_sign appends timestamp and signature over what follows "?", and the key's header; false when
 * it did not fit.  binance_query_end does the same for questions that need no signature. */
bool binance_query_sign(struct venue_out *out, struct text *text, const struct sign_key *key,
                        uint64_t stamp_ms);
bool binance_query_end(struct venue_out *out, struct text *text, const struct sign_key *key);

/* binance_put_signature signs and writes the signature as a query value: base64 is percent-encoded. */
void binance_put_signature(struct text *text, const struct sign_key *key, const char *what, size_t bytes);

#endif
