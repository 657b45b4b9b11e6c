#include "hot/net/http.h"
#include "tests/hot/net/guard.h"

#include <criterion/criterion.h>
#include <stdio.h>

enum { CAPACITY = 8192 };

struct stage {
    uint8_t memory[CAPACITY + INBOX_BEFORE + INBOX_AFTER];
    struct inbox inbox;
    struct http_reader reader;
    struct http_response r;
};

static struct stage s;

static enum http_answer start(const char *text)
{
    inbox_init(&s.inbox, s.memory, CAPACITY);
    http_reader_start(&s.reader, false);
    cr_assert(inbox_append(&s.inbox, (const uint8_t *)text, strlen(text)));
    return http_read(&s.reader, &s.inbox, false, &s.r);
}

static void expect_body(const char *body)
{
    cr_assert_eq(s.r.body_len, strlen(body), "%zu", s.r.body_len);
    cr_assert(memcmp(s.r.body, body, s.r.body_len) == 0, "%.*s", (int)s.r.body_len, s.r.body);
}

static const char plain[] = "HTTP/1.1 200 OK\r\nDate: today\r\nX-MBX-USED-WEIGHT-1M: 40\r\n"
                            "x-mbx-order-count-10s:   7  \r\nContent-Length: 13\r\n\r\n{\"code\":-100}";
static const char chunked[] =
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    "5\r\nhello\r\n1;name=\"value\"\r\n \r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n";

Test(http, a_response_with_a_length_is_read_where_it_lies)
{
    uint64_t n;
    size_t len;

    cr_assert_eq(start(plain), HTTP_COMPLETE);
    cr_assert_eq(s.r.status, 200);
    expect_body("{\"code\":-100}");
    cr_assert(s.r.keep_alive);
    cr_assert(http_header_u64(&s.r, "x-mbx-used-weight-1m", &n));
    cr_assert_eq(n, 40);
    cr_assert(http_header_u64(&s.r, "X-MBX-ORDER-COUNT-10S", &n));
    cr_assert_eq(n, 7);
    cr_assert_not(http_header_u64(&s.r, "Date", &n));
    cr_assert_null(http_header(&s.r, "Retry-After", &len));
    http_reader_consume(&s.reader, &s.inbox);
    cr_assert_eq(s.inbox.begin, s.inbox.end);
}

Test(http, headers_can_be_walked)
{
    size_t at = 0, name_len, value_len, count = 0;
    const uint8_t *name, *value;

    start(plain);
    while (http_next_header(&s.r, &at, &name, &name_len, &value, &value_len)) {
        count++;
    }
    cr_assert_eq(count, 4);
}

Test(http, a_chunked_body_becomes_flat)
{
    cr_assert_eq(start(chunked), HTTP_COMPLETE);
    expect_body("hello 0123456789");
    http_reader_consume(&s.reader, &s.inbox);
    cr_assert_eq(s.inbox.end, 0);
}

static void split_everywhere(const char *text, const char *body)
{
    size_t n = strlen(text);

    for (size_t cut = 0; cut <= n; cut++) {
        inbox_init(&s.inbox, s.memory, CAPACITY);
        http_reader_start(&s.reader, false);
        inbox_append(&s.inbox, (const uint8_t *)text, cut);
        if (cut < n) {
            cr_assert_eq(http_read(&s.reader, &s.inbox, false, &s.r), HTTP_INCOMPLETE, "cut at %zu", cut);
        }
        inbox_append(&s.inbox, (const uint8_t *)text + cut, n - cut);
        cr_assert_eq(http_read(&s.reader, &s.inbox, false, &s.r), HTTP_COMPLETE, "cut at %zu", cut);
        expect_body(body);
    }

    inbox_init(&s.inbox, s.memory, CAPACITY);
    http_reader_start(&s.reader, false);
    for (size_t i = 0; i < n; i++) {
        cr_assert_eq(http_read(&s.reader, &s.inbox, false, &s.r), HTTP_INCOMPLETE);
        inbox_append(&s.inbox, (const uint8_t *)text + i, 1);
    }
    cr_assert_eq(http_read(&s.reader, &s.inbox, false, &s.r), HTTP_COMPLETE);
    expect_body(body);
}

Test(http, a_response_may_be_split_at_every_byte)
{
    split_everywhere(plain, "{\"code\":-100}");
    split_everywhere(chunked, "hello 0123456789");
    split_everywhere("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", "ok");
    split_everywhere("HTTP/1.1 204 No Content\r\n\r\n", "");
}

static void prefixes(const char *text)
{
    size_t n = strlen(text);

    for (size_t len = 0; len < n; len++) {
        struct inbox inbox = guard_inbox((const uint8_t *)text, len, CAPACITY);
        struct http_reader reader;

        http_reader_start(&reader, false);
        cr_assert_eq(http_read(&reader, &inbox, false, &s.r), HTTP_INCOMPLETE, "%zu of %zu", len, n);
    }
}

Test(http, every_prefix_is_incomplete_and_nothing_beyond_is_read)
{
    prefixes(plain);
    prefixes(chunked);
}

Test(http, two_responses_in_one_read_are_two)
{
    char both[512];

    snprintf(both, sizeof both, "%s%s", plain,
             "HTTP/1.1 429 Slow\r\nRetry-After: 3\r\nContent-Length: 0\r\n\r\n");
    cr_assert_eq(start(both), HTTP_COMPLETE);
    http_reader_consume(&s.reader, &s.inbox);
    cr_assert_eq(http_read(&s.reader, &s.inbox, false, &s.r), HTTP_COMPLETE);
    cr_assert_eq(s.r.status, 429);

    uint64_t n;

    cr_assert(http_header_u64(&s.r, "Retry-After", &n));
    cr_assert_eq(n, 3);
}

Test(http, connection_close_and_old_versions_do_not_stay_open)
{
    cr_assert_eq(start("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"), HTTP_COMPLETE);
    cr_assert_not(s.r.keep_alive);
    cr_assert_eq(start("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"), HTTP_COMPLETE);
    cr_assert_not(s.r.keep_alive);
    cr_assert_eq(start("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n"),
                 HTTP_COMPLETE);
    cr_assert(s.r.keep_alive);
}

Test(http, a_body_without_length_ends_with_the_connection)
{
    cr_assert_eq(start("HTTP/1.1 200 OK\r\n\r\nabc"), HTTP_INCOMPLETE);
    inbox_append(&s.inbox, (const uint8_t *)"def", 3);
    cr_assert_eq(http_read(&s.reader, &s.inbox, true, &s.r), HTTP_COMPLETE);
    expect_body("abcdef");
    cr_assert_not(s.r.keep_alive);
}

Test(http, an_end_of_connection_does_not_complete_a_promised_body)
{
    cr_assert_eq(start("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"), HTTP_INCOMPLETE);
    cr_assert_eq(http_read(&s.reader, &s.inbox, true, &s.r), HTTP_INCOMPLETE);
    cr_assert_eq(start("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"), HTTP_INCOMPLETE);
    cr_assert_eq(http_read(&s.reader, &s.inbox, true, &s.r), HTTP_INCOMPLETE);
}

Test(http, an_answer_to_head_has_no_body)
{
    inbox_init(&s.inbox, s.memory, CAPACITY);
    http_reader_start(&s.reader, true);
    inbox_append(&s.inbox, (const uint8_t *)"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", 40);
    cr_assert_eq(http_read(&s.reader, &s.inbox, false, &s.r), HTTP_COMPLETE);
    cr_assert_eq(s.r.body_len, 0);
}

Test(http, what_is_not_http_is_broken)
{
    static const char *const bad[] = {
        "SSH-2.0-OpenSSH\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 999 OK\r\n\r\n",
        "HTTP/1.1200 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\n: no name\r\n\r\n",
        "HTTP/1.1 200 OK\r\nname : blank before colon\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n folded\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\nB: c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\rB: c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\nx\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nxy\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1z\r\nx\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\ntrailer\n\r\n",
    };

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert_eq(start(bad[i]), HTTP_BROKEN, "case %zu: %s", i, bad[i]);
    }
}

Test(http, what_cannot_fit_is_refused_as_soon_as_it_is_known)
{
    cr_assert_eq(start("HTTP/1.1 200 OK\r\nContent-Length: 8153\r\n\r\n"), HTTP_TOO_LONG); /* head is 41 */
    cr_assert_eq(start("HTTP/1.1 200 OK\r\nContent-Length: 8151\r\n\r\n"), HTTP_INCOMPLETE);
    cr_assert_eq(start("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000000000\r\n\r\n"), HTTP_TOO_LONG);
    cr_assert_eq(start("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2000\r\n"), HTTP_TOO_LONG);
    cr_assert_eq(start("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffff\r\n"),
                 HTTP_TOO_LONG);
}

Test(http, a_head_without_end_fills_no_more_than_the_inbox)
{
    static char text[CAPACITY + 1];
    const char *first = "HTTP/1.1 200 OK\r\nA: ";

    memset(text, 'a', CAPACITY);
    memcpy(text, first, strlen(first));
    cr_assert_eq(start(text), HTTP_TOO_LONG);
}

/* The chunk headers alone are longer than the inbox: they must not count. */
Test(http, many_small_chunks_fit_as_long_as_their_sum_does)
{
    enum { CHUNKS = 4000 };
    size_t slid = 0;

    cr_assert_eq(start("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), HTTP_INCOMPLETE);
    for (int i = 0; i < CHUNKS; i++) {
        cr_assert(inbox_append(&s.inbox, (const uint8_t *)"1;x=123456\r\nz\r\n", 15), "chunk %d", i);
        cr_assert_eq(http_read(&s.reader, &s.inbox, false, &s.r), HTTP_INCOMPLETE);
        slid += s.inbox.end < 8000;
    }
    cr_assert(slid > 0);
    inbox_append(&s.inbox, (const uint8_t *)"0\r\n\r\n", 5);
    cr_assert_eq(http_read(&s.reader, &s.inbox, false, &s.r), HTTP_COMPLETE);
    cr_assert_eq(s.r.body_len, CHUNKS);
}

Test(http, flipped_bytes_never_read_outside)
{
    uint32_t seed = 7;

    for (int round = 0; round < 200000; round++) {
        char text[256];
        const char *from = round & 1 ? chunked : plain;
        size_t n = strlen(from);

        memcpy(text, from, n);
        for (int k = 0; k < 1 + round % 3; k++) {
            seed = seed * 1664525 + 1013904223;
            text[(seed >> 8) % n] ^= (char)(1 << (seed >> 28 & 7));
        }

        struct inbox inbox = guard_inbox((const uint8_t *)text, n, CAPACITY);
        struct http_reader reader;
        size_t at = 0, name_len, value_len;
        const uint8_t *name, *value;

        http_reader_start(&reader, false);
        if (http_read(&reader, &inbox, true, &s.r) == HTTP_COMPLETE) {
            cr_assert(s.r.body + s.r.body_len <= guard_end());
            while (http_next_header(&s.r, &at, &name, &name_len, &value, &value_len)) {
            }
        }
    }
}

Test(http, a_request_is_written_as_it_should_be)
{
    uint8_t out[512];
    const char *want = "POST /fapi/v1/order?a=b HTTP/1.1\r\nHost: venue.test\r\nX-MBX-APIKEY: k\r\n"
                       "Content-Length: 3\r\n\r\nx=1";
    size_t n = http_request(out, sizeof out, "POST", "/fapi/v1/order?a=b", "venue.test",
                            "X-MBX-APIKEY: k\r\n", (const uint8_t *)"x=1", 3);

    cr_assert_eq(n, strlen(want));
    cr_assert(memcmp(out, want, n) == 0);
    want = "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
    n = http_request(out, sizeof out, "GET", "/", "h", NULL, NULL, 0);
    cr_assert_eq(n, strlen(want));
    cr_assert(memcmp(out, want, n) == 0);
    n = http_request(out, sizeof out, "DELETE", "/", "h", NULL, NULL, 0);
    cr_assert_gt(n, 0);
    for (size_t room = 0; room < n; room++) {
        cr_assert_eq(http_request(out, room, "DELETE", "/", "h", NULL, NULL, 0), 0);
    }
}

Test(http, a_request_cannot_be_smuggled_into_another)
{
    uint8_t out[512];

    cr_assert_eq(http_request(out, sizeof out, "GET", "/a b", "h", NULL, NULL, 0), 0);
    cr_assert_eq(http_request(out, sizeof out, "GET", "/a\r\nX: y", "h", NULL, NULL, 0), 0);
    cr_assert_eq(http_request(out, sizeof out, "GET", "/", "h\r\n", NULL, NULL, 0), 0);
    cr_assert_eq(http_request(out, sizeof out, "GET", "/", "h", "\r\n", NULL, 0), 0);
    cr_assert_eq(http_request(out, sizeof out, "GET", "/", "h", "A: b\r\n\r\nGET / HTTP/1.1\r\n", NULL, 0),
                 0);
    cr_assert_eq(http_request(out, sizeof out, "GET", "/", "h", "A: b", NULL, 0), 0);
    cr_assert_eq(http_request(out, sizeof out, "", "/", "h", NULL, NULL, 0), 0);
}
