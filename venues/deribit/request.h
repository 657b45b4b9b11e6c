/* request: writing requests.
 *
 * On the socket: {"jsonrpc":"2.0","id":..,"method":..,"params":{..}}; after the log-in nothing is signed.  By
 * HTTP: a GET with every parameter in its query; the time, a nonce, the method, the target exactly as it is
 * sent and the (empty) body are signed, a line each, and the signature goes into a header, so that no token
 * is needed.  The log-in signs time, nonce and data, of which the last is empty here. */
#ifndef POISE_VENUES_DERIBIT_REQUEST_H
#define POISE_VENUES_DERIBIT_REQUEST_H

#include "venues/deribit/product.h"
#include "venues/text.h"

#define DERIBIT_SIGNED_BYTES 2400

struct deribit_params {
    struct text json;
    const char *begin;
    bool any; /* a parameter was written */
};

/* deribit_params_begin writes up to "params":{; id is written as a JSON string. */
void deribit_params_begin(struct deribit_params *params, char *out, size_t capacity, const char *id,
                          size_t id_bytes, const char *method);
void deribit_params_text(struct deribit_params *params, const char *name, const char *value, size_t bytes);
void deribit_params_number(struct deribit_params *params, const char *name, uint64_t value);
void deribit_params_decimal(struct deribit_params *params, const char *name, int64_t value, int decimals);
void deribit_params_flag(struct deribit_params *params, const char *name, bool value);

/* deribit_params_names writes an array of texts. */
void deribit_params_names(struct deribit_params *params, const char *name, const char *const *values,
                          uint32_t count);

/* deribit_params_end closes the message and answers its length; 0 when it did not fit. */
size_t deribit_params_end(struct deribit_params *params);

/* deribit_currency is the code that an instrument's orders and cash are kept under at the venue. */
static inline struct scan_value deribit_currency(const struct instrument *row)
{
    struct deribit_symbol symbol = deribit_symbol(row->symbol, strlen(row->symbol));
    return (struct scan_value){ .type = symbol.product != PRODUCT_NONE ? SCAN_STRING : SCAN_NONE,
                                .at = symbol.linear ? symbol.quote : symbol.base,
                                .bytes = symbol.linear ? symbol.quote_bytes : symbol.base_bytes };
}

/* deribit_params_login writes the parameters of public/auth that prove the key: grant, id, time, nonce (the
 * time again), data and signature.  hooks may be NULL: a person's tool is shown what was signed. */
void deribit_params_login(struct deribit_params *params, const struct sign_key *key, uint64_t stamp_ms,
                          struct venue_hooks *hooks);

/* deribit_login_text writes what the log-in of that time signs into 64 bytes and answers how many. */
size_t deribit_login_text(char what[64], uint64_t stamp_ms, struct venue_hooks *hooks);

/* deribit_query begins an HTTP request of a method ("private/get_positions"); the caller appends parameters
 * with text_put to *text, each ending in "&". */
void deribit_query(struct venue_out *out, struct text *text, const char *method);

/* deribit_query_sign ends the target and writes the signed header; false when it did not fit or the key is of
 * a kind that the venue does not take.  deribit_query_end ends a question that needs no signature. */
bool deribit_query_sign(struct venue_out *out, struct text *text, const struct sign_key *key,
                        uint64_t stamp_ms, struct venue_hooks *hooks);
bool deribit_query_end(struct venue_out *out, struct text *text);

/* deribit_signed_text writes what is signed of an HTTP request; deribit_header the header's value that proves
 * it ("deri-hmac-sha256 id=.."), stamp and nonce as texts.  For the room and for sign. */
void deribit_signed_text(struct text *text, const char *stamp, size_t stamp_bytes, const char *nonce,
                         size_t nonce_bytes, const char *method, const char *target, size_t target_bytes,
                         const char *body, size_t body_bytes);
void deribit_header(struct text *text, const struct sign_key *key, const char *stamp, size_t stamp_bytes,
                    const char *nonce, size_t nonce_bytes, const char *signature, size_t signature_bytes);

#endif
