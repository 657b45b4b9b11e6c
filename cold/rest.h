/* rest: questions to venues over HTTPS, by the thread that may sleep.
 *
 * A venue says what to ask and what an answer means (venues/venue.h); this asks.  Questions run beside each
 * other and their answers come from rest_poll; rest_wait asks and waits.  Several pages of one question are
 * asked one after the other and answered once, with all rows: an answer that lacks a page is no answer.
 *
 * A venue that says slow down (429, 418, Retry-After, its own codes) is left alone for as long as it says, by
 * everybody: what is asked of it meanwhile is answered REST_LATER and nothing is sent.  One that counts in
 * credits or in weight is asked no faster than our share of them, and one that tells how much of its minute
 * is used is left alone for the rest of it before orders would be refused. TLS certificates and host names
 * are verified; nothing is redirected.  The transport is a value, so that a test needs no socket.  Cold
 * thread. */
#ifndef POISE_COLD_REST_H
#define POISE_COLD_REST_H

#include "cold/slots.h"
#include "venues/venue.h"

#define REST_CALLS_MAX   16
#define REST_PAGES_MAX   500
#define REST_ERROR_BYTES 200

/* What came back over the wire; status 0: no answer (error says why). */
struct rest_body {
    int status;
    const char *bytes; /* valid during the call only */
    size_t count;
    int64_t retry_after_ms; /* 0 not said */
    int64_t used_weight;    /* what the venue counted in this minute (account_venues); 0 not said */
    const char *error;
};

typedef void (*rest_arrived)(void *context, uint64_t call, const struct rest_body *body);

struct rest_transport {
    /* start sends a request (ACT_REQUEST); false: it could not even begin. */
    bool (*start)(void *context, uint64_t call, uint8_t venue, const struct venue_out *out);
    /* poll waits at most so long for something to arrive and hands it over. */
    void (*poll)(void *context, int timeout_ms, rest_arrived arrived, void *arrived_context);
    void *context;
};

/* The two times and sleep, so that a test owns them. */
struct rest_clock {
    uint64_t (*now_ns)(void *context);
    int64_t (*wall_ns)(void *context);
    void *context;
};

struct rest_question {
    const struct venue *venue;
    const struct sign_key *key; /* NULL for public ones */
    uint16_t account;           /* stamped on the records; NO_ACCOUNT for public ones */
    struct rest_query query;    /* page and from_id are moved on by rest */
    bool one_page;              /* do not follow `more` */
    /* REST_INSTRUMENTS */
    void (*instrument)(void *context, const struct instrument *row, const char *base, const char *quote,
                       const char *settle);
    void *instrument_context;
};

struct rest_reply {
    enum rest_result result;                 /* of the whole question */
    uint8_t venue;                           /* enum venue_id */
    int status;                              /* HTTP, of the last page; 0 no answer */
    struct rest_answer answer;               /* of the last page; modes of all */
    const struct slots *records;             /* of all pages; valid during the call */
    int64_t asked_wall_ns, answered_wall_ns; /* first asked, last answered */
    char error[REST_ERROR_BYTES];            /* when result is not REST_OK */
};

typedef void (*rest_done)(void *context, const struct rest_reply *reply);

struct rest;

/* rest_create: instruments is the table that answers are read with; it may grow between questions. */
struct rest *rest_create(const struct rest_transport *transport, const struct rest_clock *clock,
                         const struct instrument_table *instruments);
void rest_destroy(struct rest *rest);

/* rest_offset sets a venue's clock minus ours: signed requests carry its time, counted on from now with the
 * steady clock, so that a machine whose clock is stepped is understood as before.  A venue that refuses such
 * a time all the same (the machine slept) is asked for its own. */
void rest_offset(struct rest *rest, uint8_t venue, int64_t offset_ns);

/* rest_venue_wall_ns is a wall time of ours, read a moment ago, by that venue's clock. */
int64_t rest_venue_wall_ns(const struct rest *rest, uint8_t venue, int64_t wall_ns);

/* rest_offset_ns is what was set, 0 nothing yet. */
int64_t rest_offset_ns(const struct rest *rest, uint8_t venue);

/* rest_clock_ns is that venue's time less our steady time, as it was measured last; 0 not yet. */
int64_t rest_clock_ns(const struct rest *rest, uint8_t venue);

/* rest_ask_time measures a venue's clock again, unless that is being done: somebody's stamps were refused. */
void rest_ask_time(struct rest *rest, const struct venue *venue, uint8_t product);

/* rest_lower: the venue allows no more than told; both 0 in a family: not told. */
void rest_lower(struct rest *rest, uint8_t venue, const struct credit_limit told[CREDIT_COUNT]);

/* rest_trading: orders share the venues' limits from now on; until then more of them may be used. */
void rest_trading(struct rest *rest);

/* rest_held answers until when nothing is asked of a venue, on the steady clock; 0: it may be asked. */
uint64_t rest_held(const struct rest *rest, uint8_t venue);

/* rest_reserved: what is left of the venue's minute, by its own count, is for hedges and cancels alone. */
bool rest_reserved(const struct rest *rest, uint8_t venue);

/* rest_answers counts the answers that arrived: pages too, whatever they said. */
uint64_t rest_answers(const struct rest *rest);

/* rest_ask begins a question; done is called once, from rest_poll.  False (and done is not called) when
 * REST_CALLS_MAX are running or the venue has no such question. */
bool rest_ask(struct rest *rest, const struct rest_question *question, rest_done done, void *context);

/* rest_knows: the venue has this question at all (for this product, with these arguments). */
bool rest_knows(struct rest *rest, const struct rest_question *question);

/* rest_poll drives what is running; it sleeps at most timeout_ms. */
void rest_poll(struct rest *rest, int timeout_ms);
uint32_t rest_running(const struct rest *rest);

/* rest_drop forgets what was asked with this context: an answer that still comes finds nobody. */
void rest_drop(struct rest *rest, const void *context);

/* rest_wait asks and waits for the answer, at most wait_ns; the reply stays valid until the next call of
 * rest_wait.  A timeout is REST_UNKNOWN.  Who has patience uses cold/ask.h. */
const struct rest_reply *rest_wait(struct rest *rest, const struct rest_question *question, uint64_t wait_ns);

/* ------------------------------------------------------------------ over libcurl */

struct rest_route {
    uint8_t venue;
    const char *connect_to; /* "127.0.0.1:9443": every host of the venue goes there; "" resolve */
    const char *ca_file;    /* "" the system's */
};

/* rest_curl_create makes the transport over libcurl's multi interface; rest_curl_destroy ends what runs. */
struct rest_curl;
struct rest_curl *rest_curl_create(const struct rest_route *routes, uint32_t count);
struct rest_transport rest_curl_transport(struct rest_curl *curl);
void rest_curl_destroy(struct rest_curl *curl);

/* rest_system_clock is CLOCK_MONOTONIC and CLOCK_REALTIME. */
struct rest_clock rest_system_clock(void);

#endif
