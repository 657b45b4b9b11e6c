#include "venues/deribit/request.h"

#include <string.h>

void deribit_params_begin(struct deribit_params *params, char *out, size_t capacity, const char *id,
                          size_t id_bytes, const char *method)
{
    params->json = (struct text){ out, out + capacity, false };
    params->begin = out;
    params->any = false;
    text_put(&params->json, "{\"jsonrpc\":\"2.0\",\"id\":\"");
    text_put_bytes(&params->json, id, id_bytes);
    text_put(&params->json, "\",\"method\":\"");
    text_put(&params->json, method);
    text_put(&params->json, "\",\"params\":{");
}

/* name_of writes ,"name": with one look at the room. */
static void name_of(struct deribit_params *params, const char *name)
{
    struct text *json = &params->json;
    size_t bytes = strlen(name);
    if (POISE_UNLIKELY((size_t)(json->end - json->at) < bytes + 3 + params->any)) {
        json->full = true;
        return;
    }
    char *at = json->at;
    *at = ',';
    at += params->any;
    *at++ = '"';
    memcpy(at, name, bytes);
    at += bytes;
    *at++ = '"';
    *at++ = ':';
    json->at = at;
    params->any = true;
}

void deribit_params_text(struct deribit_params *params, const char *name, const char *value, size_t bytes)
{
    struct text *json = &params->json;
    name_of(params, name);
    if (POISE_UNLIKELY((size_t)(json->end - json->at) < bytes + 2)) {
        json->full = true;
        return;
    }
    char *at = json->at;
    *at++ = '"';
    memcpy(at, value, bytes);
    at[bytes] = '"';
    json->at = at + bytes + 1;
}

void deribit_params_number(struct deribit_params *params, const char *name, uint64_t value)
{
    name_of(params, name);
    text_put_unsigned(&params->json, value);
}

void deribit_params_decimal(struct deribit_params *params, const char *name, int64_t value, int decimals)
{
    name_of(params, name);
    text_put_decimal(&params->json, value, decimals);
}

void deribit_params_flag(struct deribit_params *params, const char *name, bool value)
{
    name_of(params, name);
    text_put_bytes(&params->json, value ? "true" : "false", value ? 4 : 5);
}

void deribit_params_names(struct deribit_params *params, const char *name, const char *const *values,
                          uint32_t count)
{
    name_of(params, name);
    for (uint32_t i = 0; i < count; i++) {
        text_put(&params->json, i == 0 ? "[\"" : "\",\"");
        text_put(&params->json, values[i]);
    }
    text_put(&params->json, count == 0 ? "[]" : "\"]");
}

size_t deribit_params_end(struct deribit_params *params)
{
    text_put(&params->json, "}}");
    return params->json.full ? 0 : (size_t)(params->json.at - params->begin);
}

static void told(struct venue_hooks *hooks, const char *text, size_t bytes)
{
    if (hooks != NULL && hooks->signed_text != NULL && bytes <= hooks->signed_capacity) {
        memcpy(hooks->signed_text, text, bytes);
        hooks->signed_bytes = (uint32_t)bytes;
    }
}

/* Any text is a nonce: the time serves, unless a person's tool names one. */
static uint64_t nonce_of(uint64_t stamp_ms, const struct venue_hooks *hooks)
{
    return hooks != NULL && hooks->has_nonce ? hooks->nonce : stamp_ms;
}

size_t deribit_login_text(char what[64], uint64_t stamp_ms, struct venue_hooks *hooks)
{
    struct text text = { what, what + 64, false };
    text_put_unsigned(&text, stamp_ms);
    text_put_char(&text, '\n');
    text_put_unsigned(&text, nonce_of(stamp_ms, hooks));
    text_put_char(&text, '\n');
    /* the data is empty; the line break before it is not */
    told(hooks, what, (size_t)(text.at - what));
    return (size_t)(text.at - what);
}

void deribit_params_login(struct deribit_params *params, const struct sign_key *key, uint64_t stamp_ms,
                          struct venue_hooks *hooks)
{
    char signed_text[64], nonce[24], signature[SIGN_BASE64_BYTES];
    struct text text = { nonce, nonce + sizeof nonce, false };
    text_put_unsigned(&text, nonce_of(stamp_ms, hooks));
    size_t bytes = deribit_login_text(signed_text, stamp_ms, hooks);
    size_t signature_bytes = sign_text(key, signed_text, bytes, signature);

    deribit_params_text(params, "grant_type", "client_signature", 16);
    deribit_params_text(params, "client_id", key->api_key, strlen(key->api_key));
    deribit_params_number(params, "timestamp", stamp_ms);
    deribit_params_text(params, "signature", signature, signature_bytes);
    deribit_params_text(params, "nonce", nonce, (size_t)(text.at - nonce));
    deribit_params_text(params, "data", "", 0);
}

void deribit_query(struct venue_out *out, struct text *text, const char *method)
{
    out->act = ACT_REQUEST;
    out->slot = SESSION_SLOT_REST;
    out->binary = 0;
    out->method = "GET";
    out->body_bytes = 0;
    out->header_bytes = 0;
    out->orders = 0;
    out->weight = 0;
    deribit_endpoint(&out->endpoint, TRANSPORT_HTTP);
    *text = (struct text){ out->path, out->path + sizeof out->path, false };
    text_put(text, DERIBIT_HTTP_PATH "/");
    text_put(text, method);
    text_put_char(text, '?');
}

bool deribit_query_end(struct venue_out *out, struct text *text)
{
    if (text->at > out->path && (text->at[-1] == '&' || text->at[-1] == '?')) {
        text->at--;
    }
    out->path_bytes = (uint32_t)(text->at - out->path);
    return !text->full;
}

void deribit_signed_text(struct text *text, const char *stamp, size_t stamp_bytes, const char *nonce,
                         size_t nonce_bytes, const char *method, const char *target, size_t target_bytes,
                         const char *body, size_t body_bytes)
{
    text_put_bytes(text, stamp, stamp_bytes);
    text_put_char(text, '\n');
    text_put_bytes(text, nonce, nonce_bytes);
    text_put_char(text, '\n');
    text_put(text, method);
    text_put_char(text, '\n');
    text_put_bytes(text, target, target_bytes);
    text_put_char(text, '\n');
    text_put_bytes(text, body, body_bytes);
    text_put_char(text, '\n');
}

void deribit_header(struct text *text, const struct sign_key *key, const char *stamp, size_t stamp_bytes,
                    const char *nonce, size_t nonce_bytes, const char *signature, size_t signature_bytes)
{
    text_put(text, "deri-hmac-sha256 id=");
    text_put(text, key->api_key);
    text_put(text, ",ts=");
    text_put_bytes(text, stamp, stamp_bytes);
    text_put(text, ",sig=");
    text_put_bytes(text, signature, signature_bytes);
    text_put(text, ",nonce=");
    text_put_bytes(text, nonce, nonce_bytes);
}

bool deribit_query_sign(struct venue_out *out, struct text *text, const struct sign_key *key,
                        uint64_t stamp_ms, struct venue_hooks *hooks)
{
    char what[DERIBIT_SIGNED_BYTES], stamp[24], nonce[24], signature[SIGN_BASE64_BYTES];
    struct text signing = { what, what + sizeof what, false };
    struct text header = { out->header, out->header + sizeof out->header, false };
    if (key == NULL || key->type != SIGN_HMAC_SHA256 || !deribit_query_end(out, text)) {
        return false;
    }
    struct text number = { nonce, nonce + sizeof nonce, false };
    size_t stamp_bytes = decimal_print(stamp, (int64_t)stamp_ms, 0);
    text_put_unsigned(&number, nonce_of(stamp_ms, hooks));
    size_t nonce_bytes = (size_t)(number.at - nonce);
    deribit_signed_text(&signing, stamp, stamp_bytes, nonce, nonce_bytes, out->method, out->path,
                        out->path_bytes, "", 0);
    size_t bytes = (size_t)(signing.at - what);
    size_t signature_bytes = sign_text(key, what, bytes, signature);
    text_put(&header, "Authorization: ");
    deribit_header(&header, key, stamp, stamp_bytes, nonce, nonce_bytes, signature, signature_bytes);
    text_put(&header, "\r\n");
    out->header_bytes = (uint32_t)(header.at - out->header);
    told(hooks, what, bytes);
    return !signing.full && !header.full;
}
