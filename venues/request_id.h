/* request_id: what a request's id carries, so that its answer needs no table.
 *
 * Venues echo an id that we choose as text.  It holds what was asked, the tie, the instrument and the order:
 * a letter, 16 hex digits, 4 hex digits and the order's 14 characters.  Requests of the session itself: "s"
 * and 16 hex digits of a tie with bit 63.  An error that names nothing but the id can then be told from any
 * other.  Pure; hot. */
#ifndef POISE_VENUES_REQUEST_ID_H
#define POISE_VENUES_REQUEST_ID_H

#include "ring/order_id.h"
#include "venues/scan.h"
#include "venues/text.h"
#include "venues/venue.h"

#define REQUEST_ID_BYTES         35
#define REQUEST_ID_SESSION_BYTES 17
#define REQUEST_ID_SESSION_TIE   (1ULL << 63)

struct request_id {
    uint64_t tie;
    uint64_t order;      /* 0: of the session itself, or none */
    uint16_t instrument; /* or NO_INSTRUMENT */
    uint8_t request;     /* enum request_kind; REQUEST_NONE: of the session itself */
};

/* The letters of enum request_kind in order. */
#define REQUEST_ID_LETTERS " nacqx"

/* request_id_write writes REQUEST_ID_BYTES characters; request_id_write_session REQUEST_ID_SESSION_BYTES. */
static inline void request_id_write(char id[REQUEST_ID_BYTES], enum request_kind request,
                                    const struct record_order *order)
{
    struct text text = { id, id + REQUEST_ID_BYTES, false };
    text_put_char(&text, REQUEST_ID_LETTERS[request]);
    text_put_hex(&text, order->tie, 16);
    text_put_hex(&text, order->head.instrument, 4);
    order_id_print(text.at, order->order);
}

static inline void request_id_write_session(char id[REQUEST_ID_SESSION_BYTES], uint64_t tie)
{
    struct text text = { id, id + REQUEST_ID_SESSION_BYTES, false };
    text_put_char(&text, 's');
    text_put_hex(&text, tie, 16);
}

static inline bool request_id_hex(const char *text, int digits, uint64_t *out)
{
    uint64_t number = 0;
    for (int i = 0; i < digits; i++) {
        char c = text[i];
        uint64_t digit = c >= '0' && c <= '9'   ? (uint64_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint64_t)(c - 'a' + 10)
                                                : 16;
        if (digit > 15) {
            return false;
        }
        number = number << 4 | digit;
    }
    *out = number;
    return true;
}

/* request_id_read answers false for an id that is not one of ours; an instrument beyond the table becomes
 * NO_INSTRUMENT. */
static inline bool request_id_read(const struct scan_value *id, uint32_t instrument_count,
                                   struct request_id *out)
{
    uint64_t instrument;
    *out = (struct request_id){ .instrument = NO_INSTRUMENT };
    if (id->type != SCAN_STRING) {
        return false;
    }
    if (id->bytes == REQUEST_ID_SESSION_BYTES && id->at[0] == 's') {
        return request_id_hex(id->at + 1, 16, &out->tie) && (out->tie & REQUEST_ID_SESSION_TIE) != 0;
    }
    if (id->bytes != REQUEST_ID_BYTES) {
        return false;
    }
    for (uint8_t request = REQUEST_NEW; request <= REQUEST_CANCEL_ALL; request++) {
        if (id->at[0] != REQUEST_ID_LETTERS[request]) {
            continue;
        }
        if (!request_id_hex(id->at + 1, 16, &out->tie) || !request_id_hex(id->at + 17, 4, &instrument)) {
            return false;
        }
        out->request = request;
        out->instrument = instrument < instrument_count ? (uint16_t)instrument : NO_INSTRUMENT;
        out->order = order_id_parse(id->at + 21, ORDER_ID_TEXT_BYTES);
        return true;
    }
    return false;
}

#endif
