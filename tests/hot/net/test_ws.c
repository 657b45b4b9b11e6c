#include "hot/net/ws.h"
#include "hot/net/http.h"
#include "tests/hot/net/guard.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { CAPACITY = 200000 };

/* A server's frame, written by this test and not by ws.c. */
static size_t frame(uint8_t *out, int first, const void *payload, size_t len)
{
    size_t n = 0;

    out[n++] = (uint8_t)first;
    if (len < 126) {
        out[n++] = (uint8_t)len;
    } else if (len < 65536) {
        out[n++] = 126;
        out[n++] = (uint8_t)(len >> 8);
        out[n++] = (uint8_t)len;
    } else {
        out[n++] = 127;
        for (int i = 7; i >= 0; i--) {
            out[n++] = (uint8_t)((uint64_t)len >> 8 * i);
        }
    }
    memcpy(out + n, payload, len);
    return n + len;
}

struct stage {
    uint8_t *memory;
    struct inbox inbox;
    struct ws_reader reader;
    struct ws_message m;
};

static struct stage stage_of(size_t capacity)
{
    struct stage s = { .memory = malloc(inbox_memory_bytes(capacity)) };

    inbox_init(&s.inbox, s.memory, capacity);
    ws_reader_start(&s.reader);
    return s;
}

static enum ws_event next(struct stage *s)
{
    return ws_next(&s->reader, &s->inbox, &s->m);
}

static void give(struct stage *s, int first, const char *payload)
{
    uint8_t bytes[512];
    size_t n = frame(bytes, first, payload, strlen(payload));

    if (s->inbox.capacity - s->inbox.end < n) {
        inbox_slide(&s->inbox);
    }
    cr_assert(inbox_append(&s->inbox, bytes, n));
}

static void expect_message(struct stage *s, enum ws_event event, const char *text)
{
    cr_assert_eq(next(s), event);
    cr_assert_eq(s->m.len, strlen(text), "%zu", s->m.len);
    cr_assert(memcmp(s->m.bytes, text, s->m.len) == 0);
}

static void expect_broken(const uint8_t *bytes, size_t len, uint16_t code)
{
    struct stage s = stage_of(4096);
    enum ws_event event;

    inbox_append(&s.inbox, bytes, len);
    do {
        event = next(&s);
    } while (event != WS_EVENT_NONE && event != WS_EVENT_BROKEN);
    cr_assert_eq(event, WS_EVENT_BROKEN, "%02x %02x was accepted", bytes[0], bytes[1]);
    cr_assert_eq(s.m.code, code, "code %u: %s", s.m.code, s.m.reason);
    cr_assert_not_null(s.m.reason);
    cr_assert_eq(next(&s), WS_EVENT_NONE);
    free(s.memory);
}

Test(ws, a_whole_frame_is_answered_where_it_lies)
{
    struct stage s = stage_of(4096);

    give(&s, 0x81, "{\"e\":1}");
    give(&s, 0x82, "binary");
    expect_message(&s, WS_EVENT_TEXT, "{\"e\":1}");
    cr_assert_eq(s.m.bytes, s.inbox.bytes + 2);
    expect_message(&s, WS_EVENT_BINARY, "binary");
    cr_assert_eq(next(&s), WS_EVENT_NONE);
    cr_assert_eq(s.inbox.end, 0);
    free(s.memory);
}

Test(ws, lengths_around_every_form_of_the_header)
{
    static const size_t lengths[] = { 0, 1, 125, 126, 127, 65535, 65536, 65537, 150000 };
    static uint8_t payload[CAPACITY], bytes[CAPACITY + 16];

    memset(payload, 'a', sizeof payload);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        struct stage s = stage_of(CAPACITY);
        size_t n = frame(bytes, 0x81, payload, lengths[i]);

        cr_assert(inbox_append(&s.inbox, bytes, n - 1));
        if (n > 1) {
            cr_assert_eq(next(&s), WS_EVENT_NONE);
        }
        cr_assert(inbox_append(&s.inbox, bytes + n - 1, 1));
        cr_assert_eq(next(&s), WS_EVENT_TEXT);
        cr_assert_eq(s.m.len, lengths[i]);
        free(s.memory);
    }
}

Test(ws, every_prefix_is_incomplete_and_nothing_beyond_is_read)
{
    static uint8_t bytes[80000];
    static const size_t lengths[] = { 0, 5, 125, 126, 1000, 70000 };
    uint8_t *payload = malloc(70000);

    memset(payload, 'x', 70000);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        size_t n = frame(bytes, 0x81, payload, lengths[i]);
        size_t stride = n > 4000 ? 97 : 1;

        for (size_t len = 0; len < n; len += stride) {
            struct inbox inbox = guard_inbox(bytes, len, CAPACITY);
            struct ws_reader reader;
            struct ws_message m;

            ws_reader_start(&reader);
            cr_assert_eq(ws_next(&reader, &inbox, &m), WS_EVENT_NONE, "%zu of %zu", len, n);
        }

        struct inbox inbox = guard_inbox(bytes, n, CAPACITY);
        struct ws_reader reader;
        struct ws_message m;

        ws_reader_start(&reader);
        cr_assert_eq(ws_next(&reader, &inbox, &m), WS_EVENT_TEXT);
    }
    free(payload);
}

Test(ws, fragments_are_put_together_in_place)
{
    struct stage s = stage_of(4096);

    give(&s, 0x01, "one ");
    cr_assert_eq(next(&s), WS_EVENT_NONE);
    give(&s, 0x00, "two ");
    give(&s, 0x00, "");
    cr_assert_eq(next(&s), WS_EVENT_NONE);
    give(&s, 0x80, "three");
    give(&s, 0x81, "after");
    expect_message(&s, WS_EVENT_TEXT, "one two three");
    expect_message(&s, WS_EVENT_TEXT, "after");
    free(s.memory);
}

Test(ws, control_frames_may_come_between_fragments)
{
    struct stage s = stage_of(4096);

    give(&s, 0x02, "AB");
    give(&s, 0x89, "ping!");
    give(&s, 0x00, "CD");
    give(&s, 0x8a, "pong!");
    give(&s, 0x80, "EF");
    expect_message(&s, WS_EVENT_PING, "ping!");
    expect_message(&s, WS_EVENT_PONG, "pong!");
    expect_message(&s, WS_EVENT_BINARY, "ABCDEF");
    free(s.memory);
}

Test(ws, endless_pings_between_fragments_never_use_up_the_inbox)
{
    struct stage s = stage_of(1024);

    give(&s, 0x01, "start ");
    for (int i = 0; i < 5000; i++) {
        give(&s, 0x89, "a ping of some length");
        expect_message(&s, WS_EVENT_PING, "a ping of some length");
        cr_assert_eq(next(&s), WS_EVENT_NONE);
    }
    give(&s, 0x80, "end");
    expect_message(&s, WS_EVENT_TEXT, "start end");
    free(s.memory);
}

Test(ws, one_byte_at_a_time_gives_the_same_events)
{
    static uint8_t bytes[4096];
    size_t n = 0;
    struct stage s = stage_of(512);
    enum ws_event seen[8];
    char text[8][32];
    size_t count = 0;

    n += frame(bytes + n, 0x01, "ab", 2);
    n += frame(bytes + n, 0x89, "p", 1);
    n += frame(bytes + n, 0x00, "cd", 2);
    n += frame(bytes + n, 0x80, "ef", 2);
    n += frame(bytes + n, 0x82, "whole", 5);
    n += frame(bytes + n, 0x88, "\x03\xe8 done", 7);
    for (size_t i = 0; i < n; i++) {
        enum ws_event event;

        if (s.inbox.end == s.inbox.capacity) {
            inbox_slide(&s.inbox);
        }
        cr_assert(inbox_append(&s.inbox, bytes + i, 1));
        while ((event = next(&s)) != WS_EVENT_NONE) {
            seen[count] = event;
            snprintf(text[count], sizeof text[count], "%.*s", (int)s.m.len, s.m.bytes);
            count++;
        }
    }
    cr_assert_eq(count, 4);
    cr_assert_eq(seen[0], WS_EVENT_PING);
    cr_assert_eq(seen[1], WS_EVENT_TEXT);
    cr_assert_str_eq(text[1], "abcdef");
    cr_assert_eq(seen[2], WS_EVENT_BINARY);
    cr_assert_str_eq(text[2], "whole");
    cr_assert_eq(seen[3], WS_EVENT_CLOSE);
    cr_assert_eq(s.m.code, 1000);
    free(s.memory);
}

Test(ws, broken_headers_close_with_1002)
{
    static const uint8_t cases[][16] = {
        { 0xc1, 0 }, /* reserved bits */
        { 0xa1, 0 },
        { 0x91, 0 },
        { 0x83, 0 }, /* unknown opcodes */
        { 0x87, 0 },
        { 0x8b, 0 },
        { 0x8f, 0 },
        { 0x81, 0x80, 1, 2, 3, 4 }, /* masked by a server */
        { 0x09, 0 },                /* control frames: fragmented, too long */
        { 0x08, 0 },
        { 0x89, 126, 0, 126 },
        { 0x88, 127 },
        { 0x80, 0 }, /* a continuation of nothing */
        { 0x00, 0 },
        { 0x01, 1, 'a', 0x81, 1, 'b' }, /* a message inside another */
        { 0x01, 1, 'a', 0x02, 1, 'b' },
        { 0x81, 126, 0, 125 }, /* lengths not in the shortest form */
        { 0x81, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff },
        { 0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 0 }, /* top bit */
        { 0x88, 1, 3 },                           /* half a close code */
        { 0x88, 2, 0x03, 0xe7 },                  /* 999, 1004, 1005, 1006, 1015, 2999, 5000 */
        { 0x88, 2, 0x03, 0xec },
        { 0x88, 2, 0x03, 0xed },
        { 0x88, 2, 0x03, 0xee },
        { 0x88, 2, 0x03, 0xf7 },
        { 0x88, 2, 0x0b, 0xb7 },
        { 0x88, 2, 0x13, 0x88 },
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        expect_broken(cases[i], sizeof cases[i], WS_CODE_PROTOCOL);
    }
}

Test(ws, close_codes_that_may_be_sent_are_reported)
{
    static const uint16_t codes[] = {
        1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 3000, 4999
    };

    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++) {
        struct stage s = stage_of(1024);
        uint8_t payload[7] = { (uint8_t)(codes[i] >> 8), (uint8_t)codes[i], 'h', 'e', 'l', 'l', 'o' };
        uint8_t bytes[16];

        inbox_append(&s.inbox, bytes, frame(bytes, 0x88, payload, sizeof payload));
        cr_assert_eq(next(&s), WS_EVENT_CLOSE);
        cr_assert_eq(s.m.code, codes[i]);
        give(&s, 0x81, "after the end");
        cr_assert_eq(next(&s), WS_EVENT_NONE);
        free(s.memory);
    }

    struct stage s = stage_of(1024);

    give(&s, 0x88, "");
    cr_assert_eq(next(&s), WS_EVENT_CLOSE);
    cr_assert_eq(s.m.code, 1005);
    free(s.memory);
}

Test(ws, a_message_longer_than_the_inbox_closes_with_1009_at_its_header)
{
    static const uint8_t huge[] = { 0x81, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };
    static const uint8_t four_kb[] = { 0x81, 126, 0x0f, 0xfd };
    static const uint8_t fits[] = { 0x81, 126, 0x0f, 0xfc }; /* 4092 + 4 = 4096 */
    struct stage s = stage_of(4096);

    expect_broken(huge, sizeof huge, WS_CODE_TOO_BIG);
    expect_broken(four_kb, sizeof four_kb, WS_CODE_TOO_BIG);
    inbox_append(&s.inbox, fits, sizeof fits);
    cr_assert_eq(next(&s), WS_EVENT_NONE);
    free(s.memory);
}

Test(ws, fragments_longer_than_the_inbox_close_with_1009)
{
    struct stage s = stage_of(1024);
    enum ws_event event = WS_EVENT_NONE;
    uint8_t part[102] = { 0x01, 100 };

    /* Byte by byte, because the last fragment no longer fits. */
    for (size_t i = 0; i < 20 * sizeof part && event == WS_EVENT_NONE; i++) {
        if (i == sizeof part) {
            part[0] = 0x00;
        }
        cr_assert(inbox_append(&s.inbox, part + i % sizeof part, 1), "byte %zu", i);
        event = next(&s);
    }
    cr_assert_eq(event, WS_EVENT_BROKEN);
    cr_assert_eq(s.m.code, WS_CODE_TOO_BIG);
    free(s.memory);
}

Test(ws, text_that_is_not_utf8_closes_with_1007)
{
    static const char *const bad[] = {
        "\x80",
        "\xbf",
        "\xc0\x80",
        "\xc1\xbf",
        "\xc3",
        "\xe0\x9f\xbf",
        "\xed\xa0\x80",
        "\xed\xbf\xbf",
        "\xf0\x8f\xbf\xbf",
        "\xf4\x90\x80\x80",
        "\xf5\x80\x80\x80",
        "\xe2\x82",
        "\xff",
        "\xfe",
        "plain text of more than sixty-four bytes, so that vectors are used: 0123456789 \xc3(",
    };
    static const char *const good[] = {
        "",
        "plain",
        "\xc2\x80",
        "\xdf\xbf",
        "\xe0\xa0\x80",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xef\xbf\xbf",
        "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf",
        "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5",
        "\xe5\xb8\x81\xe5\xae\x89 and then more than sixty-four plain bytes, to come back to vectors "
        "012345678",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint8_t bytes[256];

        expect_broken(bytes, frame(bytes, 0x81, bad[i], strlen(bad[i])), WS_CODE_BAD_TEXT);
    }
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct stage s = stage_of(1024);

        give(&s, 0x81, good[i]);
        expect_message(&s, WS_EVENT_TEXT, good[i]);
        free(s.memory);
    }

    static const uint8_t reason[] = { 0x88, 3, 0x03, 0xe8, 0xff };

    expect_broken(reason, sizeof reason, WS_CODE_BAD_TEXT);
}

Test(ws, a_character_may_be_cut_by_a_fragment)
{
    struct stage s = stage_of(1024);

    give(&s, 0x01, "\xce");
    give(&s, 0x80, "\xba");
    expect_message(&s, WS_EVENT_TEXT, "\xce\xba");
    free(s.memory);
}

Test(ws, binary_may_be_anything)
{
    struct stage s = stage_of(1024);

    give(&s, 0x82, "\xff\xfe\x80");
    expect_message(&s, WS_EVENT_BINARY, "\xff\xfe\x80");
    free(s.memory);
}

Test(ws, flipped_bytes_never_read_outside)
{
    static uint8_t bytes[4096], flipped[4096];
    size_t n = 0;
    uint32_t seed = 1;

    n += frame(bytes + n, 0x01, "first fragment", 14);
    n += frame(bytes + n, 0x89, "ping", 4);
    n += frame(bytes + n, 0x80, "second", 6);
    n += frame(bytes + n, 0x81, flipped, 300);
    n += frame(bytes + n, 0x88, "\x03\xe8", 2);
    for (int round = 0; round < 200000; round++) {
        memcpy(flipped, bytes, n);
        for (int k = 0; k < 1 + round % 4; k++) {
            seed = seed * 1664525 + 1013904223;
            flipped[(seed >> 8) % n] ^= (uint8_t)(1u << (seed >> 28 & 7));
        }

        struct inbox inbox = guard_inbox(flipped, n, 2048);
        struct ws_reader reader;
        struct ws_message m;
        enum ws_event event;
        int events = 0;

        ws_reader_start(&reader);
        while ((event = ws_next(&reader, &inbox, &m)) != WS_EVENT_NONE) {
            cr_assert(++events < 1000);
            if (event != WS_EVENT_BROKEN && m.len != 0) {
                cr_assert(m.bytes >= guard_end() - n && m.bytes + m.len <= guard_end());
            }
        }
    }
}

Test(ws, a_frame_is_masked_in_place_and_unmasks_to_what_was_written)
{
    static const size_t lengths[] = { 0, 1, 2, 3, 7, 8, 9, 125, 126, 1000, 65535, 65536 };
    static uint8_t room[70000];

    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        uint8_t *payload = room + WS_HEADER_ROOM;
        size_t len = lengths[i];
        size_t frame_len;

        for (size_t k = 0; k < len; k++) {
            payload[k] = (uint8_t)(k * 7);
        }

        uint8_t *f = ws_frame(payload, len, WS_TEXT, 0x12345678, &frame_len);
        size_t head = len < 126 ? 2 : len < 65536 ? 4 : 10;

        cr_assert_eq(f, payload - head - 4);
        cr_assert_eq(frame_len, head + 4 + len);
        cr_assert_eq(f[0], 0x81);
        cr_assert_eq(f[1] & 0x80, 0x80);
        if (len < 126) {
            cr_assert_eq(f[1] & 0x7f, len);
        } else if (len < 65536) {
            cr_assert_eq(f[2] << 8 | f[3], len);
        } else {
            cr_assert_eq((size_t)f[7] << 16 | (size_t)f[8] << 8 | f[9], len);
        }
        for (size_t k = 0; k < len; k++) {
            cr_assert_eq(payload[k] ^ f[head + (k & 3)], (uint8_t)(k * 7));
        }
    }
}

Test(ws, masks_do_not_repeat_and_differ_between_starts)
{
    struct ws_mask a, b;
    uint32_t seen[64];

    cr_assert(ws_mask_start(&a));
    cr_assert(ws_mask_start(&b));
    for (int i = 0; i < 64; i++) {
        seen[i] = ws_mask_next(&a);
        for (int k = 0; k < i; k++) {
            cr_assert_neq(seen[i], seen[k]);
        }
    }
    cr_assert_neq(ws_mask_next(&a), ws_mask_next(&b));
}

Test(ws, the_accept_value_is_the_one_of_the_standard)
{
    char accept[WS_ACCEPT_BYTES + 1];

    ws_accept_of("dGhlIHNhbXBsZSBub25jZQ==", accept); /* RFC 6455, section 1.3 */
    cr_assert_str_eq(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static const char *judge(const char *answer, const char *key)
{
    static uint8_t memory[4096 + INBOX_BEFORE + INBOX_AFTER];
    struct inbox inbox;
    struct http_reader reader;
    struct http_response response;

    inbox_init(&inbox, memory, 4096);
    inbox_append(&inbox, (const uint8_t *)answer, strlen(answer));
    http_reader_start(&reader, false);
    cr_assert_eq(http_read(&reader, &inbox, false, &response), HTTP_COMPLETE, "%s", answer);
    return ws_upgrade_accept(&response, key);
}

Test(ws, an_upgrade_is_accepted_only_when_it_answers_our_key)
{
    static const char key[] = "dGhlIHNhbXBsZSBub25jZQ==";
    static const char good[] = "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\n"
                               "Connection: keep-alive, Upgrade\r\n"
                               "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

    cr_assert_null(judge(good, key), "%s", judge(good, key));
    cr_assert_not_null(judge(good, "AAAAAAAAAAAAAAAAAAAAAA=="));
    cr_assert_not_null(judge("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", key));
    cr_assert_not_null(judge("HTTP/1.1 101 X\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n"
                             "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
                             key));
    cr_assert_not_null(judge("HTTP/1.1 101 X\r\nUpgrade: websocket\r\n"
                             "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
                             key));
    cr_assert_not_null(judge("HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", key));
    cr_assert_not_null(judge("HTTP/1.1 101 X\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                             "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
                             "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
                             key));
}

Test(ws, an_upgrade_request_is_whole_and_carries_its_key)
{
    struct ws_mask mask;
    char key[WS_KEY_BYTES + 1];
    char want[1024];
    uint8_t out[1024];

    ws_mask_start(&mask);
    size_t n = ws_upgrade_request(out, sizeof out, "venue.test", "/ws/a@b", "X-Key: 1\r\n", &mask, key);

    snprintf(want, sizeof want,
             "GET /ws/a@b HTTP/1.1\r\nHost: venue.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
             "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: %s\r\nX-Key: 1\r\n\r\n",
             key);
    cr_assert_eq(strlen(key), WS_KEY_BYTES);
    cr_assert_eq(n, strlen(want));
    cr_assert(memcmp(out, want, n) == 0, "%.*s", (int)n, out);
    cr_assert_eq(ws_upgrade_request(out, 60, "venue.test", "/ws", NULL, &mask, key), 0);
    cr_assert_eq(ws_upgrade_request(out, sizeof out, "venue.test", "/a b", NULL, &mask, key), 0);
    cr_assert_eq(ws_upgrade_request(out, sizeof out, "venue.test", "/", "no line end", &mask, key), 0);
}

Test(ws, a_close_payload_is_code_and_reason_cut_to_fit)
{
    uint8_t out[WS_CONTROL_MAX];
    char reason[300];

    memset(reason, 'r', sizeof reason - 1);
    reason[sizeof reason - 1] = '\0';
    cr_assert_eq(ws_close_payload(out, 1002, "no"), 4);
    cr_assert(memcmp(out, "\x03\xeano", 4) == 0);
    cr_assert_eq(ws_close_payload(out, 1002, NULL), 2);
    cr_assert_eq(ws_close_payload(out, 1002, reason), WS_CONTROL_MAX);
}
