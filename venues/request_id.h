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
static inline void request_id_put_tie(char *id, char letter, uint64_t tie)
{
    uint64_t digits[2] = { text_hex((uint32_t)(tie >> 32)), text_hex((uint32_t)tie) };
    id[0] = letter;
    memcpy(id + 1, digits, sizeof digits);
}

static inline void request_id_write(char id[REQUEST_ID_BYTES], enum request_kind request,
                                    const struct record_order *order)
{
    uint64_t instrument = text_hex((uint32_t)order->head.instrument << 16); /* its first four digits */
    request_id_put_tie(id, REQUEST_ID_LETTERS[request], order->tie);
    memcpy(id + 17, &instrument, sizeof instrument);
    order_id_print(id + 21, order->order);
}

static inline void request_id_write_session(char id[REQUEST_ID_SESSION_BYTES], uint64_t tie)
{
    request_id_put_tie(id, 's', tie);
}

/* request_id_tie reads the tie; false when its digits are not as request_id_put_tie writes them. */
static inline bool request_id_tie(const char *id, uint64_t *tie)
{
    char again[REQUEST_ID_SESSION_BYTES];
    uint64_t digits[2];
    memcpy(digits, id + 1, sizeof digits);
    *tie = (uint64_t)text_unhex(digits[0]) << 32 | text_unhex(digits[1]);
    request_id_put_tie(again, id[0], *tie);
    return memcmp(again, id, sizeof again) == 0;
}

/* request_id_read answers false for an id that is not one of ours; an instrument beyond the table becomes
 * NO_INSTRUMENT. */
static inline bool request_id_read(const struct scan_value *id, uint32_t instrument_count,
                                   struct request_id *out)
{
    *out = (struct request_id){ .instrument = NO_INSTRUMENT };
    if (id->type != SCAN_STRING) {
        return false;
    }
    if (id->bytes == REQUEST_ID_SESSION_BYTES && id->at[0] == 's') {
        return request_id_tie(id->at, &out->tie) && (out->tie & REQUEST_ID_SESSION_TIE) != 0;
    }
    if (id->bytes != REQUEST_ID_BYTES) {
        return false;
    }
    for (uint8_t request = REQUEST_NEW; request <= REQUEST_CANCEL_ALL; request++) {
        if (id->at[0] != REQUEST_ID_LETTERS[request]) {
            continue;
        }
        uint64_t digits, again;
        memcpy(&digits, id->at + 17, sizeof digits);
        uint32_t instrument = text_unhex(digits) >> 16;
        again = text_hex(instrument << 16) ^ digits;
        if (!request_id_tie(id->at, &out->tie) || (uint32_t)again != 0) {
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
