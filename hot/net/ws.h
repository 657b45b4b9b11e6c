/* ws is the client side of WebSocket (RFC 6455) on flat buffers, knowing no socket, no clock and no TLS.
 *
 * Reading works in an inbox: a message that came in one frame is answered where it lies; the pieces of a
 * fragmented one are pulled together in place.  Writing works in place too: the caller writes its payload
 * with WS_HEADER_ROOM bytes free in front, and the header goes there.  No extension is offered, so none may
 * be used against us.  Used by one hot thread. */
#ifndef POISE_HOT_NET_WS_H
#define POISE_HOT_NET_WS_H

#include "hot/net/inbox.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ws_opcode { WS_CONTINUATION = 0, WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

enum { WS_HEADER_ROOM = 14, WS_CONTROL_MAX = 125, WS_KEY_BYTES = 24, WS_ACCEPT_BYTES = 28 };

enum ws_code {
    WS_CODE_NORMAL = 1000,
    WS_CODE_PROTOCOL = 1002,
    WS_CODE_BAD_TEXT = 1007,
    WS_CODE_TOO_BIG = 1009
};

enum ws_event {
    WS_EVENT_NONE = 0, /* more bytes are needed */
    WS_EVENT_TEXT,     /* a whole message */
    WS_EVENT_BINARY,
    WS_EVENT_PING, /* answer with a pong that carries the same payload */
    WS_EVENT_PONG,
    WS_EVENT_CLOSE, /* code and reason are the peer's; answer in kind, then close */
    WS_EVENT_BROKEN /* the peer broke a rule: code is what to close with, reason says which */
};

struct ws_message {
    uint8_t *bytes; /* in the inbox, valid until the next ws_next */
    size_t len;
    uint16_t code;      /* CLOSE and BROKEN; 1005 when the peer's close had none */
    const char *reason; /* BROKEN: static text */
};

/* Offsets count from inbox->begin.  In front lies what is put together of a fragmented message, behind it
 * what is not decoded yet. */
struct ws_reader {
    uint8_t fragments; /* opcode of the message being put together, 0 = none */
    bool finished;     /* the peer closed or broke a rule: nothing more is read */
    size_t whole;      /* bytes put together */
    size_t raw;        /* next undecoded byte */
};

/* ws_reader_start prepares for a fresh connection; the inbox holds what followed the upgrade. */
void ws_reader_start(struct ws_reader *reader);

/* ws_next answers the next thing the peer said, or WS_EVENT_NONE.  A message that cannot fit the inbox is
 * BROKEN with WS_CODE_TOO_BIG as soon as its header is seen. */
enum ws_event ws_next(struct ws_reader *reader, struct inbox *inbox, struct ws_message *out);

/* ws_mask gives the 32-bit mask keys of outgoing frames: a stream nobody outside can guess, seeded from
 * the kernel's random source. */
struct ws_mask {
    uint64_t state[4];
};

/* ws_mask_start seeds from the kernel; false when it has no randomness to give. */
bool ws_mask_start(struct ws_mask *mask);
uint32_t ws_mask_next(struct ws_mask *mask);

/* ws_frame finishes a frame whose payload lies at `payload` with WS_HEADER_ROOM bytes free in front of it:
 * it writes the header, masks the payload in place and answers where the frame starts; *frame_len is its
 * length. */
uint8_t *ws_frame(uint8_t *payload, size_t len, enum ws_opcode opcode, uint32_t mask, size_t *frame_len);

/* ws_close_payload writes code and reason (cut to fit) and answers the length. */
size_t ws_close_payload(uint8_t *out, uint16_t code, const char *reason);

/* ws_upgrade_request writes the GET that asks for the upgrade and the key it used.  `headers` is NULL or
 * lines each ending in \r\n.  It answers 0 when it does not fit. */
size_t ws_upgrade_request(uint8_t *out, size_t out_bytes, const char *host, const char *path,
                          const char *headers, struct ws_mask *mask, char key[WS_KEY_BYTES + 1]);

struct http_response;

/* ws_upgrade_accept judges the answer to that request: NULL when it opens the WebSocket, else a static text
 * that says what is wrong with it. */
const char *ws_upgrade_accept(const struct http_response *response, const char key[WS_KEY_BYTES + 1]);

/* ws_accept_of computes Sec-WebSocket-Accept for a key (also for test servers). */
void ws_accept_of(const char *key, char accept[WS_ACCEPT_BYTES + 1]);

#endif
