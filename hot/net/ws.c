#include "hot/net/ws.h"
#include "hot/net/http.h"

#include <emmintrin.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

enum { LENGTH_16 = 126, LENGTH_64 = 127, CODE_NONE = 1005 };

void ws_reader_start(struct ws_reader *reader)
{
    memset(reader, 0, sizeof *reader);
}

/* ---- text ----------------------------------------------------------------------------------------- */

/* ascii_run answers how many leading bytes are certainly ASCII, in steps of 16. */
static size_t ascii_run(const uint8_t *p, size_t len)
{
    size_t i = 0;

    for (; i + 64 <= len; i += 64) {
        __m128i a = _mm_or_si128(_mm_loadu_si128((const __m128i *)(p + i)),
                                 _mm_loadu_si128((const __m128i *)(p + i + 16)));
        __m128i b = _mm_or_si128(_mm_loadu_si128((const __m128i *)(p + i + 32)),
                                 _mm_loadu_si128((const __m128i *)(p + i + 48)));

        if (_mm_movemask_epi8(_mm_or_si128(a, b)) != 0) {
            break;
        }
    }
    for (; i + 16 <= len; i += 16) {
        if (_mm_movemask_epi8(_mm_loadu_si128((const __m128i *)(p + i))) != 0) {
            break;
        }
    }
    return i;
}

/* sequence answers the length of the UTF-8 sequence at p, or 0 when it is malformed: cut, overlong, a
 * surrogate, or beyond U+10FFFF. */
static size_t sequence(const uint8_t *p, size_t len)
{
    uint8_t a = p[0];
    size_t n = a < 0x80                 ? 1
               : a >= 0xc2 && a <= 0xdf ? 2
               : (a & 0xf0) == 0xe0     ? 3
               : a >= 0xf0 && a <= 0xf4 ? 4
                                        : 0;

    if (n == 0 || n > len) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) {
            return 0;
        }
    }
    if ((a == 0xe0 && p[1] < 0xa0) || (a == 0xed && p[1] > 0x9f) || (a == 0xf0 && p[1] < 0x90) ||
        (a == 0xf4 && p[1] > 0x8f)) {
        return 0;
    }
    return n;
}

static bool is_utf8(const uint8_t *p, size_t len)
{
    size_t i = ascii_run(p, len);

    while (i < len) {
        size_t n = sequence(p + i, len - i);

        if (n == 0) {
            return false;
        }
        i += n;
        if (n == 1 && len - i >= 16) {
            i += ascii_run(p + i, len - i);
        }
    }
    return true;
}

/* ---- reading -------------------------------------------------------------------------------------- */

struct header {
    bool fin;
    uint8_t opcode;
    size_t bytes; /* of the header itself */
    uint64_t payload;
};

/* parse_header answers NULL when the header is fine or not complete (bytes == 0), else what is wrong. */
static const char *parse_header(const uint8_t *p, size_t have, struct header *h)
{
    h->bytes = 0;
    if (have < 2) {
        return NULL;
    }

    uint8_t first = p[0];
    uint8_t second = p[1];

    h->fin = (first & 0x80) != 0;
    h->opcode = first & 0x0f;
    if ((first & 0x70) != 0) {
        return "reserved bits are set without an extension";
    }
    if ((h->opcode > WS_BINARY && h->opcode < WS_CLOSE) || h->opcode > WS_PONG) {
        return "unknown opcode";
    }
    if ((second & 0x80) != 0) {
        return "a server's frame is masked";
    }

    uint8_t length = second & 0x7f;

    if (h->opcode >= WS_CLOSE && (!h->fin || length > WS_CONTROL_MAX)) {
        return "a control frame is fragmented or too long";
    }
    if (length < LENGTH_16) {
        h->payload = length;
        h->bytes = 2;
        return NULL;
    }
    if (length == LENGTH_16) {
        if (have < 4) {
            return NULL;
        }
        h->payload = (uint64_t)p[2] << 8 | p[3];
        h->bytes = 4;
        return h->payload < LENGTH_16 ? "a length is not in its shortest form" : NULL;
    }
    if (have < 10) {
        return NULL;
    }

    uint64_t big;

    memcpy(&big, p + 2, sizeof big);
    h->payload = __builtin_bswap64(big);
    h->bytes = 10;
    if (h->payload >> 63 != 0) {
        return "a length has its top bit set";
    }
    return h->payload <= UINT16_MAX ? "a length is not in its shortest form" : NULL;
}

static enum ws_event broken(struct ws_reader *reader, struct ws_message *out, uint16_t code,
                            const char *reason)
{
    reader->finished = true;
    out->bytes = NULL;
    out->len = 0;
    out->code = code;
    out->reason = reason;
    return WS_EVENT_BROKEN;
}

static bool may_be_sent(uint16_t code)
{
    return (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);
}

static enum ws_event closed(struct ws_reader *reader, struct ws_message *out)
{
    out->code = CODE_NONE;
    if (out->len == 1) {
        return broken(reader, out, WS_CODE_PROTOCOL, "a close code is cut in half");
    }
    if (out->len >= 2) {
        out->code = (uint16_t)(out->bytes[0] << 8 | out->bytes[1]);
        if (!may_be_sent(out->code)) {
            return broken(reader, out, WS_CODE_PROTOCOL, "a close code may not be sent");
        }
        if (!is_utf8(out->bytes + 2, out->len - 2)) {
            return broken(reader, out, WS_CODE_BAD_TEXT, "a close reason is not UTF-8");
        }
    }
    reader->finished = true;
    return WS_EVENT_CLOSE;
}

static enum ws_event whole_message(struct ws_reader *reader, struct ws_message *out, uint8_t opcode)
{
    if (opcode == WS_BINARY) {
        return WS_EVENT_BINARY;
    }
    if (!is_utf8(out->bytes, out->len)) {
        return broken(reader, out, WS_CODE_BAD_TEXT, "a text message is not UTF-8");
    }
    return WS_EVENT_TEXT;
}

/* data_frame handles a complete text, binary or continuation frame whose payload is in *out. */
static enum ws_event data_frame(struct ws_reader *reader, struct inbox *inbox, const struct header *h,
                                struct ws_message *out)
{
    if (reader->fragments == 0 && h->fin) {
        return whole_message(reader, out, h->opcode);
    }

    uint8_t *front = inbox->bytes + inbox->begin + reader->whole;

    memmove(front, out->bytes, out->len);
    reader->whole += out->len;
    if (reader->fragments == 0) {
        reader->fragments = h->opcode;
    }
    if (!h->fin) {
        return WS_EVENT_NONE;
    }

    uint8_t opcode = reader->fragments;

    out->bytes = inbox->bytes + inbox->begin;
    out->len = reader->whole;
    reader->fragments = 0;
    return whole_message(reader, out, opcode);
}

/* close_gap moves undecoded bytes up to the fragments put together, so that headers and control frames
 * between fragments never use up the inbox. */
static void close_gap(struct ws_reader *reader, struct inbox *inbox)
{
    uint8_t *base = inbox->bytes + inbox->begin;
    size_t gap = reader->raw - reader->whole;

    if (gap == 0) {
        return;
    }
    memmove(base + reader->whole, base + reader->raw, inbox->end - inbox->begin - reader->raw);
    inbox->end -= gap;
    reader->raw = reader->whole;
}

enum ws_event ws_next(struct ws_reader *reader, struct inbox *inbox, struct ws_message *out)
{
    if (reader->finished) {
        return WS_EVENT_NONE;
    }
    if (reader->fragments == 0) {
        /* What was answered last time is used up. */
        inbox->begin += reader->raw;
        reader->raw = 0;
        reader->whole = 0;
        if (inbox->begin == inbox->end) {
            inbox_clear(inbox);
            return WS_EVENT_NONE;
        }
    }

    for (;;) {
        uint8_t *p = inbox->bytes + inbox->begin + reader->raw;
        size_t have = inbox->end - inbox->begin - reader->raw;
        struct header h;
        const char *wrong = parse_header(p, have, &h);

        if (wrong == NULL && h.bytes != 0 && h.opcode < WS_CLOSE) {
            wrong = h.opcode == WS_CONTINUATION && reader->fragments == 0 ? "a continuation continues nothing"
                    : h.opcode != WS_CONTINUATION && reader->fragments != 0
                        ? "a message begins inside another"
                        : NULL;
        }
        if (wrong != NULL) {
            return broken(reader, out, WS_CODE_PROTOCOL, wrong);
        }
        if (h.bytes != 0 && h.payload > inbox->capacity - reader->whole - h.bytes) {
            return broken(reader, out, WS_CODE_TOO_BIG, "a message is longer than the inbox");
        }
        if (h.bytes == 0 || have - h.bytes < h.payload) {
            if (reader->fragments != 0) {
                close_gap(reader, inbox);
            }
            return WS_EVENT_NONE;
        }

        out->bytes = p + h.bytes;
        out->len = (size_t)h.payload;
        out->code = 0;
        out->reason = NULL;
        reader->raw += h.bytes + (size_t)h.payload;
        if (h.opcode == WS_CLOSE) {
            return closed(reader, out);
        }
        if (h.opcode >= WS_CLOSE) {
            return h.opcode == WS_PING ? WS_EVENT_PING : WS_EVENT_PONG;
        }

        enum ws_event event = data_frame(reader, inbox, &h, out);

        if (event != WS_EVENT_NONE) {
            return event;
        }
    }
}

/* ---- writing -------------------------------------------------------------------------------------- */

bool ws_mask_start(struct ws_mask *mask)
{
    size_t got = 0;

    while (got < sizeof mask->state) {
        ssize_t n = getrandom((uint8_t *)mask->state + got, sizeof mask->state - got, 0);

        if (n < 0) {
            return false;
        }
        got += (size_t)n;
    }
    return (mask->state[0] | mask->state[1] | mask->state[2] | mask->state[3]) != 0;
}

/* One step of xoshiro256++ (Blackman and Vigna): not a cipher, but the mask only has to be unknown to
 * whoever writes the payload, and the payload is ours. */
static uint64_t step(struct ws_mask *mask)
{
    uint64_t *s = mask->state;
    uint64_t sum = s[0] + s[3];
    uint64_t answer = (sum << 23 | sum >> 41) + s[0];
    uint64_t t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = s[3] << 45 | s[3] >> 19;
    return answer;
}

uint32_t ws_mask_next(struct ws_mask *mask)
{
    return (uint32_t)(step(mask) >> 32);
}

static void apply_mask(uint8_t *p, size_t len, uint32_t mask)
{
    const __m128i wide = _mm_set1_epi32((int)mask);
    size_t i = 0;

    for (; i + 16 <= len; i += 16) {
        __m128i *at = (__m128i *)(p + i);

        _mm_storeu_si128(at, _mm_xor_si128(_mm_loadu_si128(at), wide));
    }
    for (; i + 4 <= len; i += 4) {
        uint32_t word;

        memcpy(&word, p + i, sizeof word);
        word ^= mask;
        memcpy(p + i, &word, sizeof word);
    }
    for (; i < len; i++) {
        p[i] ^= (uint8_t)(mask >> 8 * (i & 3));
    }
}

uint8_t *ws_frame(uint8_t *payload, size_t len, enum ws_opcode opcode, uint32_t mask, size_t *frame_len)
{
    size_t head = len < LENGTH_16 ? 6 : len <= UINT16_MAX ? 8 : WS_HEADER_ROOM;
    uint8_t *frame = payload - head;

    frame[0] = (uint8_t)(0x80 | opcode);
    if (len < LENGTH_16) {
        frame[1] = (uint8_t)(0x80 | len);
    } else if (len <= UINT16_MAX) {
        frame[1] = 0x80 | LENGTH_16;
        frame[2] = (uint8_t)(len >> 8);
        frame[3] = (uint8_t)len;
    } else {
        uint64_t big = __builtin_bswap64(len);

        frame[1] = 0x80 | LENGTH_64;
        memcpy(frame + 2, &big, sizeof big);
    }
    memcpy(payload - 4, &mask, sizeof mask);
    apply_mask(payload, len, mask);
    *frame_len = head + len;
    return frame;
}

size_t ws_close_payload(uint8_t *out, uint16_t code, const char *reason)
{
    size_t len = reason != NULL ? strnlen(reason, WS_CONTROL_MAX - 2) : 0;

    out[0] = (uint8_t)(code >> 8);
    out[1] = (uint8_t)code;
    if (len != 0) {
        memcpy(out + 2, reason, len);
    }
    return 2 + len;
}

/* ---- upgrade -------------------------------------------------------------------------------------- */

void ws_accept_of(const char *key, char accept[WS_ACCEPT_BYTES + 1])
{
    static const char salt[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"; /* RFC 6455, section 1.3 */
    char text[WS_KEY_BYTES + sizeof salt];
    uint8_t digest[SHA_DIGEST_LENGTH];

    memcpy(text, key, WS_KEY_BYTES);
    memcpy(text + WS_KEY_BYTES, salt, sizeof salt);
    SHA1((const uint8_t *)text, WS_KEY_BYTES + sizeof salt - 1, digest);
    EVP_EncodeBlock((uint8_t *)accept, digest, sizeof digest);
}

size_t ws_upgrade_request(uint8_t *out, size_t out_bytes, const char *host, const char *path,
                          const char *headers, struct ws_mask *mask, char key[WS_KEY_BYTES + 1])
{
    static const char fixed[] = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                                "Sec-WebSocket-Key: ";
    char lines[2048];
    uint64_t random[2] = { step(mask), step(mask) };
    size_t extra = headers != NULL ? strlen(headers) : 0;
    char *p = lines;

    EVP_EncodeBlock((uint8_t *)key, (const uint8_t *)random, sizeof random);
    if (sizeof fixed + WS_KEY_BYTES + 2 + extra + 1 > sizeof lines) {
        return 0;
    }
    p = mempcpy(p, fixed, sizeof fixed - 1);
    p = mempcpy(p, key, WS_KEY_BYTES);
    p = mempcpy(p, "\r\n", 2);
    p = mempcpy(p, headers != NULL ? headers : "", extra);
    *p = '\0';
    return http_request(out, out_bytes, "GET", path, host, lines, NULL, 0);
}

/* has_token looks for a word in a comma-separated list, whatever its case. */
static bool has_token(const uint8_t *list, size_t len, const char *token)
{
    size_t want = strlen(token);
    size_t i = 0;

    while (i < len) {
        size_t end = i;

        while (end < len && list[end] != ',') {
            end++;
        }

        size_t a = i, b = end;

        while (a < b && (list[a] == ' ' || list[a] == '\t')) {
            a++;
        }
        while (b > a && (list[b - 1] == ' ' || list[b - 1] == '\t')) {
            b--;
        }
        if (b - a == want && strncasecmp((const char *)list + a, token, want) == 0) {
            return true;
        }
        i = end + 1;
    }
    return false;
}

const char *ws_upgrade_accept(const struct http_response *response, const char key[WS_KEY_BYTES + 1])
{
    char want[WS_ACCEPT_BYTES + 1];
    const uint8_t *value;
    size_t len;

    if (response->status != 101) {
        return "the server refused the WebSocket upgrade";
    }
    value = http_header(response, "Upgrade", &len);
    if (value == NULL || !has_token(value, len, "websocket")) {
        return "the upgrade is to something else";
    }
    value = http_header(response, "Connection", &len);
    if (value == NULL || !has_token(value, len, "upgrade")) {
        return "the upgrade lacks Connection: Upgrade";
    }
    ws_accept_of(key, want);
    value = http_header(response, "Sec-WebSocket-Accept", &len);
    if (value == NULL || len != WS_ACCEPT_BYTES || memcmp(value, want, len) != 0) {
        return "Sec-WebSocket-Accept is not the answer to our key";
    }
    if (http_header(response, "Sec-WebSocket-Extensions", &len) != NULL) {
        return "the server uses an extension nobody offered";
    }
    return NULL;
}
