/* http writes HTTP/1.1 requests and reads their responses, knowing no socket and no clock.
 *
 * A reader works in an inbox: whatever arrived is looked at where it lies, and a chunked body is pulled
 * together in place, so a whole response is one flat head and one flat body.  One request is outstanding at a
 * time; queueing is the caller's.  Used by one hot thread. */
#ifndef POISE_HOT_NET_HTTP_H
#define POISE_HOT_NET_HTTP_H

#include "hot/net/inbox.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http_response {
    int status;          /* 100 to 599 */
    const uint8_t *head; /* status line and header lines, each ending in \r\n */
    size_t head_len;
    const uint8_t *body; /* 64 readable bytes before and after */
    size_t body_len;
    bool keep_alive; /* false: the peer closes after this one */
};

enum http_answer {
    HTTP_INCOMPLETE = 0, /* more bytes are needed */
    HTTP_COMPLETE = 1,
    HTTP_BROKEN = -1,  /* not HTTP/1.x as it should be */
    HTTP_TOO_LONG = -2 /* head or body cannot fit the inbox */
};

enum { HTTP_HEAD_MAX = 32768 };

struct http_reader {
    int phase;
    bool no_body; /* the request was HEAD */
    bool keep_alive;
    bool until_close; /* neither length nor chunks: the body ends with the connection */
    int status;
    size_t head_begin, head_len; /* offsets from the inbox's begin */
    size_t scanned;              /* how far the search for the head's end has come */
    size_t body_begin, body_len; /* what is decoded so far */
    size_t raw;                  /* chunked: next undecoded byte */
    uint64_t left;               /* of the body, or of the present chunk */
};

/* http_reader_start prepares for the response to one request. */
void http_reader_start(struct http_reader *reader, bool request_is_head);

/* http_read looks at inbox->begin..end.  HTTP_COMPLETE fills *out, which points into the inbox; the caller
 * calls http_reader_consume when done with it.  100-continue and other 1xx answers except 101 are passed
 * over.  `closed` says that the peer has finished, which ends a body without a length. */
enum http_answer http_read(struct http_reader *reader, struct inbox *inbox, bool closed,
                           struct http_response *out);

/* http_reader_consume drops the complete response from the inbox. */
void http_reader_consume(struct http_reader *reader, struct inbox *inbox);

/* http_header finds a header by name (any case) and answers its value without surrounding blanks, or
 * NULL.  The first of several is answered. */
const uint8_t *http_header(const struct http_response *response, const char *name, size_t *value_len);

/* http_header_u64 reads a header that is a plain decimal number; false when absent or anything else
 * (Retry-After as a date is "anything else"). */
bool http_header_u64(const struct http_response *response, const char *name, uint64_t *value);

/* http_next_header walks all header lines: *at starts at 0.  It answers false at the end.  For families
 * such as X-MBX-USED-WEIGHT-*. */
bool http_next_header(const struct http_response *response, size_t *at, const uint8_t **name,
                      size_t *name_len, const uint8_t **value, size_t *value_len);

/* http_request writes a request into out and answers its length, or 0 when it does not fit or when
 * `target`, `host` or `headers` carry a bare line break or blank that would change its meaning.  `headers` is
 * NULL or lines each ending in \r\n. */
size_t http_request(uint8_t *out, size_t out_bytes, const char *method, const char *target, const char *host,
                    const char *headers, const uint8_t *body, size_t body_len);

#endif
