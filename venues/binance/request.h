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

struct binance_params {
    struct text json;
    struct text text; /* to be signed */
    const char *begin;
    const struct sign_key *key;
    bool sign;
    bool any; /* a parameter was written */
    char signed_text[BINANCE_SIGNED_BYTES];
};

/* binance_params_begin writes up to "params":{ and, when signing, the apiKey: it sorts before all names that
 * are used here.  id is written as a JSON string. */
void binance_params_begin(struct binance_params *params, const struct sign_key *key, bool sign, char *out,
                          size_t capacity, const char *id, size_t id_bytes, const char *method);
void binance_params_text(struct binance_params *params, const char *name, const char *value, size_t bytes);
void binance_params_number(struct binance_params *params, const char *name, uint64_t value);
void binance_params_decimal(struct binance_params *params, const char *name, int64_t value, int decimals);

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
