/* sign: the signing step alone, for requests made elsewhere.
 *
 * Binance has two rules.  REST: the query followed by the form body, exactly as sent, is signed; the
 * signature goes behind the last of them.  WebSocket API: the parameters sorted by name, joined as name=value
 * with &.
 *
 * Deribit has two: an HTTP request (time, nonce, method, target, body, a line each; into a header) and the
 * log-in of the socket (time, nonce, data). */
#include "tools/poise/commands.h"
#include "tools/poise/venue_io.h"
#include "venues/binance/request.h"
#include "venues/deribit/request.h"
#include "venues/scan.h"

#include <stdlib.h>
#include <string.h>

static const char usage[] = "usage: poise sign VENUE --key FILE --time NS < requests\n"
                            "\n"
                            "Reads one request a line, without its signature: "
                            "{\"method\",\"path\",\"query\",\"body\"}, {\"login\":true}, or a\n"
                            "WebSocket API request with \"method\" and \"params\".  A timestamp that it "
                            "carries (or that is given as\n"
                            "\"timestamp\", with \"window\") is used; \"timestamp\":null leaves it out; else "
                            "it is taken from --time.\n"
                            "\n"
                            "example: echo '{\"method\":\"GET\",\"path\":\"/fapi/v3/balance\"}' | poise sign "
                            "binance --key k.toml --time 1\n";

#define TEXT_BYTES (1 << 16)
#define PARAMS_MAX 64

enum {
    IN_METHOD,
    IN_PATH,
    IN_QUERY,
    IN_BODY,
    IN_LOGIN,
    IN_PARAMS,
    IN_ID,
    IN_TIMESTAMP,
    IN_WINDOW,
    IN_NONCE,
    IN_DATA,
    IN_COUNT
};
static const struct scan_name in_names[IN_COUNT] = {
    SCAN_NAME("method"), SCAN_NAME("path"),   SCAN_NAME("query"), SCAN_NAME("body"),
    SCAN_NAME("login"),  SCAN_NAME("params"), SCAN_NAME("id"),    SCAN_NAME("timestamp"),
    SCAN_NAME("window"), SCAN_NAME("nonce"),  SCAN_NAME("data"),
};

struct signing {
    struct io_options options;
    struct sign_key key;
    uint64_t line;
    bool failed;
    char text[TEXT_BYTES];
    char plain[TEXT_BYTES]; /* strings with more escapes than the scanner's scratch holds */
    size_t plain_used;
};

static void fail(struct signing *signing, const char *why)
{
    printf("{\"line\":%lu,\"error\":", signing->line);
    io_quote(stdout, why, strlen(why));
    puts("}");
    signing->failed = true;
}

static void stamp_of(const struct signing *signing, const struct scan_value *given, struct scan_value *out,
                     char digits[24])
{
    if (given->type == SCAN_NUMBER || given->type == SCAN_STRING || given->type == SCAN_NULL) {
        *out = *given;
        return;
    }
    out->type = SCAN_NUMBER;
    out->at = digits;
    out->bytes = (uint32_t)decimal_print(digits, signing->options.time_ns / 1000000, 0);
}

static bool names(const char *text, size_t bytes, const char *name)
{
    size_t name_bytes = strlen(name);
    for (size_t at = 0; at + name_bytes < bytes; at++) {
        if ((at == 0 || text[at - 1] == '&') && memcmp(text + at, name, name_bytes) == 0 &&
            text[at + name_bytes] == '=') {
            return true;
        }
    }
    return false;
}

static void put_pair(struct text *text, const char *name, const struct scan_value *value, bool any)
{
    text_put(text, any ? "&" : "");
    text_put(text, name);
    text_put_char(text, '=');
    text_put_bytes(text, value->at, value->bytes);
}

/* is_text: a string, or none. */
static bool is_text(const struct scan_value *value)
{
    return value->type == SCAN_NONE || value->type == SCAN_NULL || value->type == SCAN_STRING;
}

/* undo keeps a value beyond the scan that read it, without its escapes: a body of JSON inside JSON has more
 * of them than the scanner's scratch holds.  False when there is no room. */
static bool undo(struct signing *signing, const struct scan *scan, struct scan_value *value)
{
    bool in_scratch = value->at >= scan->scratch && value->at < scan->scratch + sizeof scan->scratch;
    if (value->type != SCAN_STRING || (!value->escaped && !in_scratch)) {
        return true;
    }
    if (value->bytes > sizeof signing->plain - signing->plain_used) {
        fail(signing, "too long");
        return false;
    }
    char *out = signing->plain + signing->plain_used;
    if (value->escaped) {
        value->bytes = (uint32_t)scan_plain(value->at, value->bytes, out);
    } else {
        memcpy(out, value->at, value->bytes);
    }
    value->at = out;
    value->escaped = 0;
    signing->plain_used += value->bytes;
    return true;
}

/* undo_all does so with all fields of an object. */
static bool undo_all(struct signing *signing, const struct scan *scan, struct scan_value *values,
                     uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!undo(signing, scan, &values[i])) {
            return false;
        }
    }
    return true;
}

static void sign_rest(struct signing *signing, const struct scan_value in[IN_COUNT])
{
    struct text text = { signing->text, signing->text + sizeof signing->text, false };
    struct scan_value stamp = { 0 };
    char digits[24];
    if (!is_text(&in[IN_QUERY]) || !is_text(&in[IN_BODY])) {
        fail(signing, "query and body are texts");
        return;
    }
    const char *query = in[IN_QUERY].at;
    size_t query_bytes = in[IN_QUERY].type == SCAN_STRING ? in[IN_QUERY].bytes : 0;
    size_t body_bytes = in[IN_BODY].type == SCAN_STRING ? in[IN_BODY].bytes : 0;
    bool in_body = body_bytes > 0;
    if (query_bytes == 0 && in[IN_PATH].type == SCAN_STRING) { /* a target given whole */
        const char *mark = memchr(in[IN_PATH].at, '?', in[IN_PATH].bytes);
        query = mark;
        query_bytes = mark != NULL ? (size_t)(in[IN_PATH].at + in[IN_PATH].bytes - mark) : 0;
    }
    if (query_bytes > 0 && query[0] == '?') {
        query++;
        query_bytes--;
    }
    text_put_bytes(&text, query_bytes > 0 ? query : "", query_bytes);
    text_put_bytes(&text, body_bytes > 0 ? in[IN_BODY].at : "", body_bytes);

    stamp_of(signing, &in[IN_TIMESTAMP], &stamp, digits);
    bool stamped = names(signing->text, query_bytes, "timestamp") ||
                   names(signing->text + query_bytes, body_bytes, "timestamp");
    bool any = query_bytes + body_bytes > 0;
    if (!stamped && stamp.type != SCAN_NULL) {
        put_pair(&text, "timestamp", &stamp, in_body || (any && query_bytes > 0));
        any = true;
    }
    bool windowed = names(signing->text, query_bytes, "recvWindow") ||
                    names(signing->text + query_bytes, body_bytes, "recvWindow");
    if (!windowed && (in[IN_WINDOW].type == SCAN_NUMBER || in[IN_WINDOW].type == SCAN_STRING)) {
        put_pair(&text, "recvWindow", &in[IN_WINDOW], any);
    }
    size_t signed_bytes = (size_t)(text.at - signing->text);
    text_put(&text, "&signature=");
    binance_put_signature(&text, &signing->key, signing->text, signed_bytes);
    if (text.full) {
        fail(signing, "too long");
        return;
    }
    size_t split = in_body ? query_bytes : (size_t)(text.at - signing->text);
    char signature[SIGN_BASE64_BYTES];
    printf("{\"line\":%lu,\"headers\":{\"X-MBX-APIKEY\":", signing->line);
    io_quote(stdout, signing->key.api_key, strlen(signing->key.api_key));
    putchar('}');
    io_text(stdout, "query", signing->text, split);
    io_text(stdout, "body", signing->text + split, (size_t)(text.at - signing->text) - split);
    io_text(stdout, "signed_text", signing->text, signed_bytes);
    io_text(stdout, "signature", signature, sign_text(&signing->key, signing->text, signed_bytes, signature));
    puts("}");
}

struct param {
    struct scan_value name, value;
};

static int by_name(const void *a, const void *b)
{
    const struct param *x = a, *y = b;
    uint32_t bytes = x->name.bytes < y->name.bytes ? x->name.bytes : y->name.bytes;
    int order = memcmp(x->name.at, y->name.at, bytes);
    return order != 0 ? order : (int)x->name.bytes - (int)y->name.bytes;
}

static bool has_param(const struct param *params, uint32_t count, const char *name)
{
    for (uint32_t i = 0; i < count; i++) {
        if (params[i].name.bytes == strlen(name) &&
            memcmp(params[i].name.at, name, params[i].name.bytes) == 0) {
            return true;
        }
    }
    return false;
}

static struct param named(const char *name, struct scan_value value)
{
    return (struct param){ { .at = name, .bytes = (uint32_t)strlen(name), .type = SCAN_STRING }, value };
}

static void sign_ws(struct signing *signing, const struct scan_value in[IN_COUNT])
{
    struct param params[PARAMS_MAX];
    uint32_t count = 0;
    struct scan scan;
    struct scan_value key;
    char digits[24];
    struct scan_value stamp = { 0 };
    bool login = in[IN_LOGIN].type == SCAN_TRUE;

    if (in[IN_PARAMS].type == SCAN_OBJECT) {
        scan_open(&scan, in[IN_PARAMS].at, in[IN_PARAMS].bytes);
        scan_object(&scan);
        while (count < PARAMS_MAX - 3 && scan_key(&scan, &key)) {
            struct scan_value value;
            if (!undo(signing, &scan, &key) || !scan_take(&scan, &value)) {
                fail(signing, "a parameter cannot be read");
                return;
            }
            if (!undo(signing, &scan, &value)) {
                return;
            }
            scan.scratch_used = 0;
            if (key.bytes == 9 && memcmp(key.at, "signature", 9) == 0) {
                continue;
            }
            params[count++] = (struct param){ key, value };
        }
        if (scan.depth != 0) {
            fail(signing, "too many parameters");
            return;
        }
    }
    if (!has_param(params, count, "apiKey")) {
        params[count++] =
            named("apiKey", (struct scan_value){ .at = signing->key.api_key,
                                                 .bytes = (uint32_t)strlen(signing->key.api_key),
                                                 .type = SCAN_STRING });
    }
    stamp_of(signing, &in[IN_TIMESTAMP], &stamp, digits);
    if (!has_param(params, count, "timestamp") && stamp.type != SCAN_NULL) {
        params[count++] = named("timestamp", stamp);
    }
    if (!has_param(params, count, "recvWindow") &&
        (in[IN_WINDOW].type == SCAN_NUMBER || in[IN_WINDOW].type == SCAN_STRING)) {
        params[count++] = named("recvWindow", in[IN_WINDOW]);
    }
    qsort(params, count, sizeof *params, by_name);

    struct text text = { signing->text, signing->text + sizeof signing->text, false };
    for (uint32_t i = 0; i < count; i++) {
        text_put(&text, i == 0 ? "" : "&");
        text_put_bytes(&text, params[i].name.at, params[i].name.bytes);
        text_put_char(&text, '=');
        text_put_bytes(&text, params[i].value.at, params[i].value.bytes);
    }
    if (text.full) {
        fail(signing, "too long");
        return;
    }
    size_t bytes = (size_t)(text.at - signing->text);
    char signature[SIGN_BASE64_BYTES];
    size_t signature_bytes = sign_text(&signing->key, signing->text, bytes, signature);

    /* the frame, as JSON inside JSON */
    char *frame;
    size_t frame_bytes;
    FILE *out = open_memstream(&frame, &frame_bytes);
    if (out == NULL) {
        abort();
    }
    fputs("{\"id\":", out);
    if (in[IN_ID].type == SCAN_NUMBER) {
        fwrite(in[IN_ID].at, 1, in[IN_ID].bytes, out);
    } else {
        io_quote(out, in[IN_ID].type == SCAN_STRING ? in[IN_ID].at : "1",
                 in[IN_ID].type == SCAN_STRING ? in[IN_ID].bytes : 1);
    }
    fputs(",\"method\":", out);
    if (in[IN_METHOD].type == SCAN_STRING) {
        io_quote(out, in[IN_METHOD].at, in[IN_METHOD].bytes);
    } else {
        fputs(login ? "\"session.logon\"" : "\"\"", out);
    }
    fputs(",\"params\":{", out);
    for (uint32_t i = 0; i < count; i++) {
        fputs(i == 0 ? "" : ",", out);
        io_quote(out, params[i].name.at, params[i].name.bytes);
        fputc(':', out);
        if (params[i].value.type == SCAN_STRING) {
            io_quote(out, params[i].value.at, params[i].value.bytes);
        } else {
            fwrite(params[i].value.at, 1, params[i].value.bytes, out);
        }
    }
    io_text(out, "signature", signature, signature_bytes);
    fputs("}}", out);
    fclose(out);

    printf("{\"line\":%lu,\"headers\":{},\"query\":\"\"", signing->line);
    io_text(stdout, "frame", frame, frame_bytes);
    io_text(stdout, "signed_text", signing->text, bytes);
    io_text(stdout, "signature", signature, signature_bytes);
    puts("}");
    free(frame);
}

/* ------------------------------------------------------------------ Deribit */

/* A number or a text as it stands; else the time. */
static void word_of(const struct scan_value *given, const struct scan_value *otherwise,
                    struct scan_value *out)
{
    bool told = given->type == SCAN_STRING || given->type == SCAN_NUMBER;
    *out = told ? *given : *otherwise;
}

static void print_signed(struct signing *signing, const char *signature, size_t signature_bytes, size_t bytes)
{
    io_text(stdout, "signed_text", signing->text, bytes);
    io_text(stdout, "signature", signature, signature_bytes);
    puts("}");
}

/* {"login":true}, or a public/auth request with its params. */
static void sign_deribit_login(struct signing *signing, const struct scan_value in[IN_COUNT])
{
    enum { AUTH_STAMP, AUTH_NONCE, AUTH_DATA, AUTH_SCOPE, AUTH_COUNT };
    static const struct scan_name names[AUTH_COUNT] = { SCAN_NAME("timestamp"), SCAN_NAME("nonce"),
                                                        SCAN_NAME("data"), SCAN_NAME("scope") };
    struct scan scan;
    const struct scan_value none = { .type = SCAN_STRING, .at = "", .bytes = 0 };
    struct scan_value given[AUTH_COUNT] = { 0 }, stamp, nonce, data;
    struct text text = { signing->text, signing->text + sizeof signing->text, false };
    char digits[24], signature[SIGN_BASE64_BYTES];
    if (in[IN_PARAMS].type == SCAN_OBJECT) {
        scan_open(&scan, in[IN_PARAMS].at, in[IN_PARAMS].bytes);
        scan_fields(&scan, NULL, names, AUTH_COUNT, given);
        if (!undo_all(signing, &scan, given, AUTH_COUNT)) {
            return;
        }
    }
    stamp_of(signing, given[AUTH_STAMP].type != SCAN_NONE ? &given[AUTH_STAMP] : &in[IN_TIMESTAMP], &stamp,
             digits);
    if (stamp.type == SCAN_NULL) {
        fail(signing, "a log-in needs its time");
        return;
    }
    word_of(given[AUTH_NONCE].type != SCAN_NONE ? &given[AUTH_NONCE] : &in[IN_NONCE], &stamp, &nonce);
    word_of(given[AUTH_DATA].type != SCAN_NONE ? &given[AUTH_DATA] : &in[IN_DATA], &none, &data);
    const struct scan_value *parts[] = { &stamp, &nonce, &data };
    for (size_t i = 0; i < POISE_COUNT_OF(parts); i++) {
        text_put_bytes(&text, parts[i]->at, parts[i]->bytes);
        text_put(&text, i + 1 < POISE_COUNT_OF(parts) ? "\n" : "");
    }
    if (text.full) {
        fail(signing, "too long");
        return;
    }
    size_t bytes = (size_t)(text.at - signing->text);
    size_t signature_bytes = sign_text(&signing->key, signing->text, bytes, signature);

    char *frame;
    size_t frame_bytes;
    FILE *out = open_memstream(&frame, &frame_bytes);
    if (out == NULL) {
        abort();
    }
    fputs("{\"jsonrpc\":\"2.0\",\"id\":", out);
    if (in[IN_ID].type == SCAN_STRING) {
        io_quote(out, in[IN_ID].at, in[IN_ID].bytes);
    } else {
        fwrite(in[IN_ID].type == SCAN_NUMBER ? in[IN_ID].at : "1", 1,
               in[IN_ID].type == SCAN_NUMBER ? in[IN_ID].bytes : 1, out);
    }
    fputs(",\"method\":\"public/auth\",\"params\":{\"grant_type\":\"client_signature\"", out);
    io_word(out, "client_id", signing->key.api_key);
    fprintf(out, ",\"timestamp\":%.*s", (int)stamp.bytes, stamp.at);
    io_text(out, "signature", signature, signature_bytes);
    io_text(out, "nonce", nonce.at, nonce.bytes);
    io_text(out, "data", data.at, data.bytes);
    if (given[AUTH_SCOPE].type == SCAN_STRING) {
        io_text(out, "scope", given[AUTH_SCOPE].at, given[AUTH_SCOPE].bytes);
    }
    fputs("}}", out);
    fclose(out);
    printf("{\"line\":%lu,\"headers\":{},\"query\":\"\"", signing->line);
    io_text(stdout, "frame", frame, frame_bytes);
    print_signed(signing, signature, signature_bytes, bytes);
    free(frame);
}

static void sign_deribit_http(struct signing *signing, const struct scan_value in[IN_COUNT])
{
    static char target[TEXT_BYTES], header[TEXT_BYTES];
    struct text at = { target, target + sizeof target, false };
    struct text text = { signing->text, signing->text + sizeof signing->text, false };
    struct text to = { header, header + sizeof header, false };
    struct scan_value stamp, nonce;
    char digits[24], method[16] = "GET", signature[SIGN_BASE64_BYTES];
    if (!is_text(&in[IN_QUERY]) || !is_text(&in[IN_BODY]) || in[IN_PATH].type != SCAN_STRING ||
        in[IN_METHOD].bytes >= sizeof method) {
        fail(signing, "method, path, query and body are texts");
        return;
    }
    if (in[IN_METHOD].type == SCAN_STRING && in[IN_METHOD].bytes > 0) {
        memcpy(method, in[IN_METHOD].at, in[IN_METHOD].bytes);
        method[in[IN_METHOD].bytes] = '\0';
    }
    size_t query_bytes = in[IN_QUERY].type == SCAN_STRING ? in[IN_QUERY].bytes : 0;
    size_t body_bytes = in[IN_BODY].type == SCAN_STRING ? in[IN_BODY].bytes : 0;
    text_put_bytes(&at, in[IN_PATH].at, in[IN_PATH].bytes);
    if (query_bytes > 0) {
        text_put_char(&at, '?');
        text_put_bytes(&at, in[IN_QUERY].at, query_bytes);
    }
    stamp_of(signing, &in[IN_TIMESTAMP], &stamp, digits);
    if (stamp.type == SCAN_NULL) {
        fail(signing, "a request needs its time");
        return;
    }
    word_of(&in[IN_NONCE], &stamp, &nonce);
    deribit_signed_text(&text, stamp.at, stamp.bytes, nonce.at, nonce.bytes, method, target,
                        (size_t)(at.at - target), body_bytes > 0 ? in[IN_BODY].at : "", body_bytes);
    size_t bytes = (size_t)(text.at - signing->text);
    size_t signature_bytes = sign_text(&signing->key, signing->text, bytes, signature);
    deribit_header(&to, &signing->key, stamp.at, stamp.bytes, nonce.at, nonce.bytes, signature,
                   signature_bytes);
    if (at.full || text.full || to.full) {
        fail(signing, "too long");
        return;
    }
    printf("{\"line\":%lu,\"headers\":{\"Authorization\":", signing->line);
    io_quote(stdout, header, (size_t)(to.at - header));
    putchar('}');
    io_text(stdout, "query", query_bytes > 0 ? in[IN_QUERY].at : "", query_bytes);
    io_text(stdout, "body", body_bytes > 0 ? in[IN_BODY].at : "", body_bytes);
    print_signed(signing, signature, signature_bytes, bytes);
}

static void sign_line(struct signing *signing, const char *line, size_t bytes)
{
    static struct scan scan;
    struct scan_value in[IN_COUNT];
    scan_open(&scan, line, bytes);
    if (!scan_fields(&scan, NULL, in_names, IN_COUNT, in)) {
        fail(signing, scan.state == SCAN_SHORT ? "the line is cut short" : scan.why);
        return;
    }
    signing->plain_used = 0;
    if (!undo_all(signing, &scan, in, IN_COUNT)) {
        return;
    }
    bool login = in[IN_PARAMS].type == SCAN_OBJECT || in[IN_LOGIN].type == SCAN_TRUE;
    if (signing->options.venue->id == VENUE_DERIBIT) {
        if (login) {
            sign_deribit_login(signing, in);
        } else {
            sign_deribit_http(signing, in);
        }
        return;
    }
    if (login) {
        sign_ws(signing, in);
    } else {
        sign_rest(signing, in);
    }
}

int sign_main(int argc, char **argv)
{
    static struct signing signing;
    bool help;
    if (!io_options_read(&signing.options, argc, argv, usage, &help)) {
        return EXIT_USAGE;
    }
    if (help) {
        return EXIT_DONE;
    }
    if (signing.options.key_file == NULL || !signing.options.has_time) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (signing.options.venue->id != VENUE_BINANCE && signing.options.venue->id != VENUE_DERIBIT) {
        fputs("poise: sign knows this venue's rules not yet\n", stderr);
        return EXIT_USAGE;
    }
    if (!io_key_read(signing.options.key_file, &signing.key)) {
        return EXIT_USAGE;
    }
    if (signing.options.venue->id == VENUE_DERIBIT && signing.key.type != SIGN_HMAC_SHA256) {
        fputs("poise: this venue takes keys with api_secret only\n", stderr);
        sign_wipe(&signing.key);
        return EXIT_USAGE;
    }
    char *line = NULL;
    size_t room = 0;
    ssize_t got;
    while ((got = getline(&line, &room, stdin)) >= 0) {
        signing.line++;
        if (strspn(line, " \t\r\n") != (size_t)got) {
            sign_line(&signing, line, (size_t)got);
        }
    }
    free(line);
    sign_wipe(&signing.key);
    return signing.failed ? EXIT_NO : EXIT_DONE;
}
