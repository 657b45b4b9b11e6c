#include "hot/net/http.h"

#include <string.h>
#include <strings.h>

enum phase {
    PHASE_HEAD,
    PHASE_LENGTH,     /* a body of known length */
    PHASE_CHUNK_LINE, /* "1a2b;extension\r\n" */
    PHASE_CHUNK_DATA,
    PHASE_CHUNK_END, /* the \r\n behind a chunk */
    PHASE_TRAILER,
    PHASE_UNTIL_CLOSE,
    PHASE_DONE
};

enum { CHUNK_LINE_MAX = 256 };

void http_reader_start(struct http_reader *reader, bool request_is_head)
{
    memset(reader, 0, sizeof *reader);
    reader->phase = PHASE_HEAD;
    reader->no_body = request_is_head;
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

static bool is_token(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool same_word(const uint8_t *a, size_t len, const char *word)
{
    return strlen(word) == len && strncasecmp((const char *)a, word, len) == 0;
}

/* parse_u64 reads plain decimal digits and nothing else. */
static bool parse_u64(const uint8_t *p, size_t len, uint64_t *out)
{
    uint64_t v = 0;

    if (len == 0 || len > 19) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (!is_digit(p[i])) {
            return false;
        }
        v = v * 10 + (p[i] - '0');
    }
    *out = v;
    return true;
}

/* line_at cuts one header line out of the head: 1, 0 at the end, -1 when it is malformed. */
static int line_at(const uint8_t *head, size_t head_len, size_t *at, const uint8_t **name, size_t *name_len,
                   const uint8_t **value, size_t *value_len)
{
    size_t i = *at;

    if (i >= head_len) {
        return 0;
    }

    const uint8_t *end = memchr(head + i, '\r', head_len - i);
    if (end == NULL || end + 1 >= head + head_len || end[1] != '\n') {
        return -1;
    }

    size_t line_end = (size_t)(end - head);
    size_t colon = i;

    while (colon < line_end && is_token(head[colon])) {
        colon++;
    }
    if (colon == i || colon == line_end || head[colon] != ':') {
        return -1;
    }

    size_t a = colon + 1;
    size_t b = line_end;

    while (a < b && (head[a] == ' ' || head[a] == '\t')) {
        a++;
    }
    while (b > a && (head[b - 1] == ' ' || head[b - 1] == '\t')) {
        b--;
    }
    for (size_t k = a; k < b; k++) {
        if ((head[k] < 0x20 && head[k] != '\t') || head[k] == 0x7f) {
            return -1;
        }
    }
    *name = head + i;
    *name_len = colon - i;
    *value = head + a;
    *value_len = b - a;
    *at = line_end + 2;
    return 1;
}

/* status_line answers the length of "HTTP/1.1 200 OK\r\n", or 0 when it is something else. */
static size_t status_line(const uint8_t *head, size_t len, int *status, bool *keep_alive)
{
    const uint8_t *end = memchr(head, '\r', len);

    if (end == NULL || end + 1 >= head + len || end[1] != '\n' || end - head < 12 ||
        memcmp(head, "HTTP/1.", 7) != 0 || !is_digit(head[7]) || head[8] != ' ' || !is_digit(head[9]) ||
        !is_digit(head[10]) || !is_digit(head[11]) || (end - head > 12 && head[12] != ' ')) {
        return 0;
    }
    for (const uint8_t *p = head + 12; p < end; p++) {
        if (*p < 0x20 && *p != '\t') {
            return 0;
        }
    }
    *status = (head[9] - '0') * 100 + (head[10] - '0') * 10 + (head[11] - '0');
    *keep_alive = head[7] != '0';
    return *status < 100 || *status > 599 ? 0 : (size_t)(end - head) + 2;
}

struct framing {
    bool chunked, has_length;
    uint64_t length;
};

/* note_header picks out what decides where the body ends; false when it contradicts itself. */
static bool note_header(struct http_reader *r, struct framing *f, const uint8_t *name, size_t name_len,
                        const uint8_t *value, size_t value_len)
{
    if (same_word(name, name_len, "Content-Length")) {
        uint64_t n;

        if (!parse_u64(value, value_len, &n) || (f->has_length && n != f->length)) {
            return false;
        }
        f->has_length = true;
        f->length = n;
    } else if (same_word(name, name_len, "Transfer-Encoding")) {
        /* Nothing but chunked was asked for, and a second one would hide where the body ends. */
        if (f->chunked || !same_word(value, value_len, "chunked")) {
            return false;
        }
        f->chunked = true;
    } else if (same_word(name, name_len, "Connection")) {
        if (same_word(value, value_len, "close")) {
            r->keep_alive = false;
        } else if (same_word(value, value_len, "keep-alive")) {
            r->keep_alive = true;
        }
    }
    return !(f->chunked && f->has_length);
}

/* read_head answers COMPLETE when the head is whole and the body's framing is known. */
static enum http_answer read_head(struct http_reader *r, struct inbox *inbox)
{
    const uint8_t *base = inbox->bytes + inbox->begin;
    size_t have = inbox->end - inbox->begin;
    size_t from = r->scanned > 3 ? r->scanned - 3 : 0;
    const uint8_t *blank = have > from ? memmem(base + from, have - from, "\r\n\r\n", 4) : NULL;

    if (blank == NULL) {
        r->scanned = have;
        /* A peer that speaks something else is told apart before its "head" has filled the inbox. */
        size_t n = have < 7 ? have : 7;
        if (memcmp(base, "HTTP/1.", n) != 0) {
            return HTTP_BROKEN;
        }
        return have > HTTP_HEAD_MAX ? HTTP_TOO_LONG : HTTP_INCOMPLETE;
    }

    size_t head_len = (size_t)(blank - base) + 2;
    if (head_len > HTTP_HEAD_MAX) {
        return HTTP_TOO_LONG;
    }

    size_t at = status_line(base, head_len, &r->status, &r->keep_alive);
    if (at == 0) {
        return HTTP_BROKEN;
    }

    struct framing f = { 0 };
    const uint8_t *name, *value;
    size_t name_len, value_len;
    int more;

    while ((more = line_at(base, head_len, &at, &name, &name_len, &value, &value_len)) > 0) {
        if (!note_header(r, &f, name, name_len, value, value_len)) {
            return HTTP_BROKEN;
        }
    }
    if (more < 0) {
        return HTTP_BROKEN;
    }

    r->head_len = head_len;
    r->body_begin = head_len + 2;
    r->body_len = 0;
    r->raw = r->body_begin;
    if (r->no_body || r->status < 200 || r->status == 204 || r->status == 304) {
        r->phase = PHASE_DONE;
    } else if (f.chunked) {
        r->phase = PHASE_CHUNK_LINE;
    } else if (f.has_length) {
        r->phase = PHASE_LENGTH;
        r->left = f.length;
        if (f.length > inbox->capacity || r->body_begin + f.length > inbox->capacity) {
            return HTTP_TOO_LONG;
        }
    } else {
        r->phase = PHASE_UNTIL_CLOSE;
        r->keep_alive = false;
    }
    return HTTP_COMPLETE;
}

/* line_length answers the bytes of the line at p including its \r\n, 0 when it is not whole. */
static size_t line_length(const uint8_t *p, size_t have)
{
    const uint8_t *end = memchr(p, '\n', have);

    return end == NULL ? 0 : (size_t)(end - p) + 1;
}

/* hex_value answers 0 to 15, or 16 for what is no hexadecimal digit. */
static unsigned hex_value(uint8_t c)
{
    if (is_digit(c)) {
        return (unsigned)(c - '0');
    }
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16;
}

static enum http_answer chunk_line(struct http_reader *r, const uint8_t *p, size_t have, size_t capacity)
{
    size_t line = line_length(p, have < CHUNK_LINE_MAX ? have : CHUNK_LINE_MAX);
    uint64_t size = 0;
    size_t digits = 0;

    if (line == 0) {
        return have >= CHUNK_LINE_MAX ? HTTP_BROKEN : HTTP_INCOMPLETE;
    }
    for (;; digits++) {
        uint8_t c = p[digits];
        unsigned v = hex_value(c);

        if (v == 16) {
            break;
        }
        if (digits == 15) {
            return HTTP_BROKEN;
        }
        size = size << 4 | v;
    }
    if (digits == 0 || line < 2 || p[line - 2] != '\r' ||
        (p[digits] != '\r' && p[digits] != ';' && p[digits] != ' ' && p[digits] != '\t')) {
        return HTTP_BROKEN;
    }
    if (p[digits] == '\r' && digits + 2 != line) {
        return HTTP_BROKEN;
    }
    if (size > capacity || r->body_begin + r->body_len + size > capacity) {
        return HTTP_TOO_LONG;
    }
    r->raw += line;
    r->left = size;
    r->phase = size == 0 ? PHASE_TRAILER : PHASE_CHUNK_DATA;
    return HTTP_COMPLETE;
}

/* step_body takes one piece of a chunked body: COMPLETE when it moved on. */
static enum http_answer step_chunked(struct http_reader *r, struct inbox *inbox)
{
    uint8_t *base = inbox->bytes + inbox->begin;
    const uint8_t *p = base + r->raw;
    size_t have = inbox->end - inbox->begin - r->raw;

    if (r->phase == PHASE_CHUNK_LINE) {
        return chunk_line(r, p, have, inbox->capacity);
    }
    if (r->phase == PHASE_CHUNK_DATA) {
        size_t n = r->left < have ? (size_t)r->left : have;

        memmove(base + r->body_begin + r->body_len, p, n);
        r->body_len += n;
        r->raw += n;
        r->left -= n;
        if (r->left != 0) {
            return HTTP_INCOMPLETE;
        }
        r->phase = PHASE_CHUNK_END;
        return HTTP_COMPLETE;
    }
    if (r->phase == PHASE_CHUNK_END) {
        if (have != 0 && (p[0] != '\r' || (have > 1 && p[1] != '\n'))) {
            return HTTP_BROKEN;
        }
        if (have < 2) {
            return HTTP_INCOMPLETE;
        }
        r->raw += 2;
        r->phase = PHASE_CHUNK_LINE;
        return HTTP_COMPLETE;
    }

    size_t line = line_length(p, have);

    if (line == 0) {
        return have > CHUNK_LINE_MAX * 16 ? HTTP_BROKEN : HTTP_INCOMPLETE;
    }
    if (line < 2 || p[line - 2] != '\r') {
        return HTTP_BROKEN;
    }
    r->raw += line;
    if (line == 2) {
        r->phase = PHASE_DONE;
    }
    return HTTP_COMPLETE;
}

/* close_gap moves undecoded bytes up to the decoded body once room gets scarce, so that chunk headers
 * never use up the inbox. */
static void close_gap(struct http_reader *r, struct inbox *inbox)
{
    size_t decoded = r->body_begin + r->body_len;
    size_t gap = r->raw - decoded;

    if (gap == 0 || inbox->capacity - inbox->end > inbox->capacity / 2) {
        return;
    }

    uint8_t *base = inbox->bytes + inbox->begin;

    memmove(base + decoded, base + r->raw, inbox->end - inbox->begin - r->raw);
    inbox->end -= gap;
    r->raw = decoded;
}

static enum http_answer step(struct http_reader *r, struct inbox *inbox, bool closed)
{
    size_t have = inbox->end - inbox->begin;

    switch ((enum phase)r->phase) {
    case PHASE_HEAD:
        return have == 0 ? HTTP_INCOMPLETE : read_head(r, inbox);
    case PHASE_LENGTH:
        if (have - r->body_begin < r->left) {
            return HTTP_INCOMPLETE;
        }
        r->body_len = (size_t)r->left;
        r->raw = r->body_begin + r->body_len;
        r->phase = PHASE_DONE;
        return HTTP_COMPLETE;
    case PHASE_UNTIL_CLOSE:
        r->raw = have;
        r->body_len = have - r->body_begin;
        if (!closed) {
            return HTTP_INCOMPLETE;
        }
        r->phase = PHASE_DONE;
        return HTTP_COMPLETE;
    default:
        return step_chunked(r, inbox);
    }
}

enum http_answer http_read(struct http_reader *r, struct inbox *inbox, bool closed, struct http_response *out)
{
    for (;;) {
        while (r->phase != PHASE_DONE) {
            enum http_answer answer = step(r, inbox, closed);

            if (answer == HTTP_INCOMPLETE) {
                if (r->phase != PHASE_HEAD) {
                    close_gap(r, inbox);
                }
                return inbox->end - inbox->begin == inbox->capacity ? HTTP_TOO_LONG : HTTP_INCOMPLETE;
            }
            if (answer != HTTP_COMPLETE) {
                return answer;
            }
        }
        if (r->status >= 200 || r->status == 101) {
            break;
        }

        /* 100 Continue and its kind announce the real answer. */
        bool was_head = r->no_body;

        inbox->begin += r->raw;
        http_reader_start(r, was_head);
    }

    const uint8_t *base = inbox->bytes + inbox->begin;

    out->status = r->status;
    out->head = base;
    out->head_len = r->head_len;
    out->body = base + r->body_begin;
    out->body_len = r->body_len;
    out->keep_alive = r->keep_alive;
    return HTTP_COMPLETE;
}

void http_reader_consume(struct http_reader *r, struct inbox *inbox)
{
    inbox->begin += r->raw;
    if (inbox->begin == inbox->end) {
        inbox_clear(inbox);
    }
    http_reader_start(r, false);
}

bool http_next_header(const struct http_response *response, size_t *at, const uint8_t **name,
                      size_t *name_len, const uint8_t **value, size_t *value_len)
{
    if (*at == 0) {
        const uint8_t *end = memchr(response->head, '\n', response->head_len);

        *at = end == NULL ? response->head_len : (size_t)(end - response->head) + 1;
    }
    return line_at(response->head, response->head_len, at, name, name_len, value, value_len) == 1;
}

const uint8_t *http_header(const struct http_response *response, const char *name, size_t *value_len)
{
    const uint8_t *found, *value;
    size_t at = 0, found_len, len;

    while (http_next_header(response, &at, &found, &found_len, &value, &len)) {
        if (same_word(found, found_len, name)) {
            *value_len = len;
            return value;
        }
    }
    return NULL;
}

bool http_header_u64(const struct http_response *response, const char *name, uint64_t *value)
{
    size_t len;
    const uint8_t *text = http_header(response, name, &len);

    return text != NULL && parse_u64(text, len, value);
}

/* ---- writing -------------------------------------------------------------------------------------- */

struct writer {
    uint8_t *at, *end;
    bool full;
};

static void put(struct writer *w, const void *bytes, size_t len)
{
    if (len > (size_t)(w->end - w->at)) {
        w->full = true;
        return;
    }
    w->at = mempcpy(w->at, bytes, len);
}

static void put_text(struct writer *w, const char *text)
{
    put(w, text, strlen(text));
}

static void put_number(struct writer *w, uint64_t n)
{
    char digits[20];
    size_t i = sizeof digits;

    do {
        digits[--i] = (char)('0' + n % 10);
        n /= 10;
    } while (n != 0);
    put(w, digits + i, sizeof digits - i);
}

/* is_word: one or more visible characters, nothing that could end a line or a field. */
static bool is_word(const char *text)
{
    if (*text == '\0') {
        return false;
    }
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text <= 0x20 || *text == 0x7f) {
            return false;
        }
    }
    return true;
}

/* are_lines: "name: value\r\n" repeated, so that no caller's string can end the head or start another. */
static bool are_lines(const char *headers)
{
    size_t len = strlen(headers);
    size_t at = 0;
    const uint8_t *name, *value;
    size_t name_len, value_len;

    while (at < len) {
        if (line_at((const uint8_t *)headers, len, &at, &name, &name_len, &value, &value_len) != 1) {
            return false;
        }
    }
    return true;
}

size_t http_request(uint8_t *out, size_t out_bytes, const char *method, const char *target, const char *host,
                    const char *headers, const uint8_t *body, size_t body_len)
{
    struct writer w = { out, out + out_bytes, false };

    if (!is_word(method) || !is_word(target) || !is_word(host) || (headers != NULL && !are_lines(headers))) {
        return 0;
    }
    put_text(&w, method);
    put_text(&w, " ");
    put_text(&w, target);
    put_text(&w, " HTTP/1.1\r\nHost: ");
    put_text(&w, host);
    put_text(&w, "\r\n");
    if (headers != NULL) {
        put_text(&w, headers);
    }
    if (body_len != 0 || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0) {
        put_text(&w, "Content-Length: ");
        put_number(&w, body_len);
        put_text(&w, "\r\n");
    }
    put_text(&w, "\r\n");
    if (body_len != 0) {
        put(&w, body, body_len);
    }
    return w.full ? 0 : (size_t)(w.at - out);
}
