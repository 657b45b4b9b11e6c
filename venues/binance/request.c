#include "venues/binance/request.h"

#include <string.h>

static const struct binance_name api_key = BINANCE_NAME("apiKey");
static const struct binance_name signature_name = BINANCE_NAME("signature");

void binance_params_begin(struct binance_params *params, const struct sign_key *key,
                          const struct sign_prefix *prefix, bool sign, char *out, size_t capacity,
                          const char *id, size_t id_bytes, const char *method)
{
    struct text json = { out, out + capacity, false };
    text_put(&json, "{\"id\":\"");
    text_put_bytes(&json, id, id_bytes);
    text_put(&json, "\",\"method\":\"");
    text_put(&json, method);
    text_put(&json, "\",\"params\":{");
    params->json = json.at;
    params->json_end = json.end;
    params->text = params->signed_text;
    params->begin = out;
    params->key = key;
    params->prefix = prefix;
    params->sign = sign;
    params->any = false;
    params->full = json.full;
    if (sign) {
        binance_params_text(params, &api_key, key->api_key, strlen(key->api_key));
    }
}

void binance_prefix(struct sign_prefix *prefix, const struct sign_key *key)
{
    char words[sizeof "apiKey=&" + SIGN_API_KEY_BYTES];
    struct text text = { words, words + sizeof words, false };
    text_put(&text, "apiKey=");
    text_put(&text, key->api_key);
    text_put_char(&text, '&');
    sign_prefix(prefix, key, words, (size_t)(text.at - words));
}

void binance_params_number(struct binance_params *params, const struct binance_name *name, uint64_t value)
{
    char digits[20];
    struct text text = { digits, digits + sizeof digits, false };
    text_put_unsigned(&text, value);
    size_t bytes = (size_t)(text.at - digits);
    if (!binance_params_room(params, bytes)) {
        return;
    }
    binance_params_name(params, name, true);
    memcpy(params->json, digits, bytes);
    params->json += bytes;
    if (params->sign) {
        memcpy(params->text, digits, bytes);
        params->text += bytes;
    }
}

void binance_params_decimal(struct binance_params *params, const struct binance_name *name, int64_t value,
                            int decimals)
{
    char digits[DECIMAL_TEXT_BYTES];
    binance_params_text(params, name, digits, decimal_print_short(digits, value, decimals));
}

size_t binance_params_end(struct binance_params *params)
{
    if (params->full) {
        return 0;
    }
    if (params->sign) {
        char signature[SIGN_BASE64_BYTES];
        size_t bytes = sign_text_after(params->key, params->prefix, params->signed_text,
                                       (size_t)(params->text - params->signed_text), signature);
        params->sign = false; /* the signature signs everything but itself */
        binance_params_text(params, &signature_name, signature, bytes);
        params->sign = true;
    }
    if (params->full || params->json_end - params->json < 2) {
        return 0;
    }
    memcpy(params->json, "}}", 2);
    params->json += 2;
    return (size_t)(params->json - params->begin);
}

void binance_params_told(const struct binance_params *params, struct venue_hooks *hooks)
{
    size_t bytes = params->sign ? (size_t)(params->text - params->signed_text) : 0;
    if (hooks != NULL && hooks->signed_text != NULL && bytes <= hooks->signed_capacity) {
        memcpy(hooks->signed_text, params->signed_text, bytes);
        hooks->signed_bytes = (uint32_t)bytes;
    }
}

void binance_query(struct venue_out *out, struct text *text, uint8_t product, const char *method,
                   const char *path)
{
    out->act = ACT_REQUEST;
    out->slot = SESSION_SLOT_REST;
    out->binary = 0;
    out->method = method;
    out->body_bytes = 0;
    out->header_bytes = 0;
    out->orders = 0;
    binance_endpoint(&out->endpoint, TRANSPORT_HTTP, binance_products[product].rest_host, "");
    *text = (struct text){ out->path, out->path + sizeof out->path, false };
    text_put(text, path);
    text_put_char(text, '?');
}

void binance_put_signature(struct text *text, const struct sign_key *key, const char *what, size_t bytes)
{
    char signature[SIGN_BASE64_BYTES];
    size_t count = sign_text(key, what, bytes, signature);
    for (size_t i = 0; i < count; i++) {
        switch (signature[i]) {
        case '+':
            text_put(text, "%2B");
            break;
        case '/':
            text_put(text, "%2F");
            break;
        case '=':
            text_put(text, "%3D");
            break;
        default:
            text_put_char(text, signature[i]);
        }
    }
}

static bool finish(struct venue_out *out, const struct text *text, const struct sign_key *key)
{
    struct text header = { out->header, out->header + sizeof out->header, false };
    if (key != NULL) {
        text_put(&header, "X-MBX-APIKEY: ");
        text_put(&header, key->api_key);
        text_put(&header, "\r\n");
    }
    out->header_bytes = (uint32_t)(header.at - out->header);
    out->path_bytes = (uint32_t)(text->at - out->path);
    return !text->full && !header.full;
}

bool binance_query_sign(struct venue_out *out, struct text *text, const struct sign_key *key,
                        uint64_t stamp_ms)
{
    text_put(text, "timestamp=");
    text_put_unsigned(text, stamp_ms);
    const char *from = memchr(out->path, '?', (size_t)(text->at - out->path));
    if (from == NULL || text->full) {
        return false;
    }
    size_t bytes = (size_t)(text->at - ++from);
    text_put(text, "&signature=");
    binance_put_signature(text, key, from, bytes);
    return finish(out, text, key);
}

bool binance_query_end(struct venue_out *out, struct text *text, const struct sign_key *key)
{
    if (text->at > out->path && (text->at[-1] == '&' || text->at[-1] == '?')) {
        text->at--;
    }
    return finish(out, text, key);
}
