#include "bench/venue.h"
#include "bench/echo.h"
#include "ring/clock.h"
#include "tools/sim/sim_cert.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LINKS_MAX    24
#define PLAIN_BYTES  32768
#define WIRE_BYTES   32768
#define ANSWER_NS    NS_PER_S
#define SETTLE_NS    (300 * NS_PER_MS)
#define QUIET_ROUNDS 2000
#define REQUESTS_MAX 8 /* kept until somebody looks */
/* What may stay unhedged: a lot, and a tenth of it for the 1e-8 to which profits in coin are booked. */
#define HEDGE_LEFT 0.0011

/* What a connection is for; the first request on it says so.  Deribit has one address for everything: there
 * (PART_SESSION) the first call tells, because who trades logs in before anything else. */
enum part {
    PART_NEW,
    PART_REST,
    PART_SESSION,
    PART_STREAM,
    PART_MARKET,
    PART_PRIVATE,
    PART_ORDER,
    PART_COUNT
};

struct link {
    int fd;
    SSL *ssl;
    BIO *in, *out;
    enum part part;
    uint8_t leg;
    bool shaken, subscribed;
    bool http; /* no upgrade: each request stands for itself */
    size_t used;
    unsigned char plain[PLAIN_BYTES];
};

struct venue_desk {
    SSL_CTX *context;
    int listener;
    uint16_t port;
    char ca[256];
    struct talk talk;
    uint32_t link_count;
    struct link *link[LINKS_MAX];
    struct link *of[PART_COUNT][MARKET_LEGS];
    uint32_t request_count;
    struct talk_request request[REQUESTS_MAX];
    size_t there, back;
    uint64_t rest_ns; /* after each answer */
    char text[TALK_BYTES + 1024];
    double naked; /* BTC filled and not hedged */
    unsigned char wire[WIRE_BYTES];
    unsigned char next[WIRE_BYTES]; /* what is sealed and waits for its time */
};

/* ------------------------------------------------------------------ bytes out */

/* seal turns plaintext into bytes for the wire. */
static size_t seal(struct venue_desk *venue, struct link *link, const void *bytes, size_t count)
{
    POISE_ASSERT(SSL_write(link->ssl, bytes, (int)count) == (int)count);
    int sealed = BIO_read(link->out, venue->wire, WIRE_BYTES);
    POISE_ASSERT(sealed > 0 && BIO_pending(link->out) == 0);
    return (size_t)sealed;
}

/* seal_text is a WebSocket text frame, sealed. */
static size_t seal_frame(struct venue_desk *venue, struct link *link, uint8_t opcode, const char *text,
                         size_t count)
{
    unsigned char frame[TALK_BYTES + 1024];
    size_t head = 2;
    frame[0] = 0x80 | opcode;
    frame[1] = (unsigned char)count;
    if (count > 125) {
        frame[1] = 126;
        frame[2] = (unsigned char)(count >> 8);
        frame[3] = (unsigned char)count;
        head = 4;
    }
    POISE_ASSERT(head + count <= sizeof frame && count < 65536);
    memcpy(frame + head, text, count);
    return seal(venue, link, frame, head + count);
}

static void say(struct venue_desk *venue, struct link *link, const void *bytes, size_t count)
{
    echo_say(link->fd, venue->wire, seal(venue, link, bytes, count));
}

static void say_frame(struct venue_desk *venue, struct link *link, uint8_t opcode, const char *text,
                      size_t count)
{
    echo_say(link->fd, venue->wire, seal_frame(venue, link, opcode, text, count));
}

static void say_body(struct venue_desk *venue, struct link *link, const char *body, size_t count)
{
    char *text = malloc(count + 256);
    int head = sprintf(
        text, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n", count);
    memcpy(text + head, body, count);
    say(venue, link, text, (size_t)head + count);
    free(text);
}

/* ------------------------------------------------------------------ what is asked */

static void upgrade(struct venue_desk *venue, struct link *link, const char *request)
{
    static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char text[256], accept[64];
    unsigned char hash[SHA_DIGEST_LENGTH];
    const char *key = strcasestr(request, "Sec-WebSocket-Key: ");
    POISE_ASSERT(key != NULL);
    int bytes = snprintf(text, sizeof text, "%.24s%s", key + 19, magic);
    SHA1((unsigned char *)text, (size_t)bytes, hash);
    EVP_EncodeBlock((unsigned char *)accept, hash, sizeof hash);
    bytes = snprintf(text, sizeof text,
                     "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                     "Sec-WebSocket-Accept: %s\r\n\r\n",
                     accept);
    say(venue, link, text, (size_t)bytes);
}

static bool is_host(const char *request, const char *host)
{
    const char *at = strcasestr(request, "\r\nHost: ");
    return at != NULL && strncmp(at + 8, host, strlen(host)) == 0;
}

static void place(struct venue_desk *venue, struct link *link, enum part part, uint8_t leg)
{
    link->part = part;
    link->leg = leg;
    venue->of[part][leg] = link;
}

static void rest(struct venue_desk *venue, struct link *link, const char *request)
{
    size_t count;
    if (strstr(request, "/depth?") != NULL) {
        count = talk_snapshot(&venue->talk, link->leg, venue->text);
    } else if (strstr(request, "listenKey") != NULL) {
        count = (size_t)sprintf(venue->text, "{\"listenKey\":\"%c%.63s\"}", 'a' + link->leg, TALK_KEY);
    } else {
        count = (size_t)sprintf(venue->text, "{\"code\":200,\"msg\":\"done\"}");
    }
    say_body(venue, link, venue->text, count);
}

static void keep(struct venue_desk *venue, bool understood, const char *text, size_t count)
{
    if (!understood) {
        fprintf(stderr, "poise-bench: a request that the venue does not understand: %.*s\n", (int)count,
                text);
        venue->request_count--;
    }
}

/* call is an order that came by HTTP; its reply goes where it came from. */
static void call(struct venue_desk *venue, struct link *link, const char *request)
{
    POISE_ASSERT(venue->request_count < REQUESTS_MAX);
    venue->of[PART_ORDER][link->leg] = link;
    struct talk_request *order = &venue->request[venue->request_count++];
    keep(venue, talk_read_http(&venue->talk, request, order), request, strlen(request));
}

/* head understands an HTTP request whose header is complete; the requests here have no bodies. */
static void head(struct venue_desk *venue, struct link *link, char *request)
{
    static const struct {
        const char *host, *path;
        enum part part;
        uint8_t leg;
    } places[] = {
        { "fapi.", "/", PART_REST, MARKET_LINEAR },
        { "ws-fapi.", "/", PART_ORDER, MARKET_LINEAR },
        { "fstream.", "/public/", PART_STREAM, MARKET_LINEAR },
        { "fstream.", "/market/", PART_MARKET, MARKET_LINEAR },
        { "fstream.", "/private/", PART_PRIVATE, MARKET_LINEAR },
        { "www.deribit.", "/ws/api/v2", PART_SESSION, MARKET_INVERSE },
        { "www.deribit.", "/api/v2/private/", PART_ORDER, MARKET_INVERSE },
    };
    const char *path = strchr(request, ' ');
    for (size_t i = 0; path != NULL && link->part == PART_NEW && i < POISE_COUNT_OF(places); i++) {
        if (is_host(request, places[i].host) &&
            strncmp(path + 1, places[i].path, strlen(places[i].path)) == 0) {
            link->http = places[i].part == PART_REST || strcmp(places[i].path, "/api/v2/private/") == 0;
            place(venue, link, places[i].part, places[i].leg);
        }
    }
    POISE_ASSERT(link->part != PART_NEW);
    if (link->part == PART_REST) {
        rest(venue, link, request);
    } else if (link->http) {
        call(venue, link, request);
    } else {
        upgrade(venue, link, request);
        /* user streams are told nothing: being there is enough */
        link->subscribed = link->part == PART_PRIVATE || link->part == PART_ORDER;
    }
}

/* session answers what Deribit is asked besides orders; false: it is an order. */
static bool session(struct venue_desk *venue, struct link *link, const char *text, size_t count)
{
    if (link->part == PART_SESSION) {
        bool trades = talk_asks(text, count, "public/auth");
        place(venue, link, trades ? PART_ORDER : PART_STREAM, MARKET_INVERSE);
        if (trades) {
            venue->of[PART_PRIVATE][MARKET_INVERSE] = link;
        }
    }
    size_t bytes = talk_session(&venue->talk, text, count, venue->text);
    if (bytes == 0) {
        return false;
    }
    say_frame(venue, link, 1, venue->text, bytes);
    if (talk_asks(text, count, "public/subscribe")) {
        link->subscribed = true;
        bytes = talk_snapshot(&venue->talk, link->leg, venue->text);
        say_frame(venue, link, 1, venue->text, bytes);
    }
    return true;
}

static void asked(struct venue_desk *venue, struct link *link, const char *text, size_t count)
{
    if (link->leg == MARKET_INVERSE && session(venue, link, text, count)) {
        return;
    }
    if (link->part == PART_STREAM || link->part == PART_MARKET) {
        link->subscribed = true;
        const char *id = memmem(text, count, "\"id\":", 5);
        int number = id != NULL ? atoi(id + 5) : 0;
        count = (size_t)sprintf(venue->text, "{\"result\":null,\"id\":%d}", number);
        say_frame(venue, link, 1, venue->text, count);
        return;
    }
    POISE_ASSERT(venue->request_count < REQUESTS_MAX);
    struct talk_request *request = &venue->request[venue->request_count++];
    keep(venue, link->part == PART_ORDER && talk_read(&venue->talk, text, count, link->leg, request), text,
         count);
}

/* answer does what the kept requests ask for. */
static void answer(struct venue_desk *venue)
{
    for (uint32_t i = 0; i < venue->request_count; i++) {
        const struct talk_request *request = &venue->request[i];
        size_t count = talk_reply(&venue->talk, request, venue->text);
        struct link *order = venue->of[PART_ORDER][request->leg];
        if (order->http) { /* whoever calls so has no private stream here: the reply says it all */
            say_body(venue, order, venue->text, count);
            continue;
        }
        say_frame(venue, order, 1, venue->text, count);
        if (request->leg == MARKET_LINEAR) {
            count = talk_hedged(&venue->talk, request, venue->text);
            say_frame(venue, venue->of[PART_PRIVATE][MARKET_LINEAR], 1, venue->text, count);
        } else if ((count = talk_changed(&venue->talk, venue->text)) > 0) {
            say_frame(venue, venue->of[PART_PRIVATE][MARKET_INVERSE], 1, venue->text, count);
        }
    }
    venue->request_count = 0;
}

/* ------------------------------------------------------------------ bytes in */

/* frame takes one client frame off the link's plaintext; 0: not whole yet. */
static size_t frame(struct venue_desk *venue, struct link *link, unsigned char *at, size_t count)
{
    if (count < 6) {
        return 0;
    }
    size_t length = at[1] & 0x7f, head_bytes = 2;
    if (length == 126) {
        length = (size_t)at[2] << 8 | at[3];
        head_bytes = 4;
    }
    POISE_ASSERT((at[1] & 0x80) != 0 && length != 127);
    if (count < head_bytes + 4 + length) {
        return 0;
    }
    unsigned char *text = at + head_bytes + 4;
    for (size_t i = 0; i < length; i++) {
        text[i] ^= at[head_bytes + (i & 3)];
    }
    uint8_t opcode = at[0] & 0xf;
    if (opcode == 1) {
        asked(venue, link, (char *)text, length);
    } else if (opcode == 9) {
        say_frame(venue, link, 10, (char *)text, length);
    }
    return head_bytes + 4 + length;
}

static void digest(struct venue_desk *venue, struct link *link)
{
    size_t at = 0;
    while (at < link->used) {
        size_t took;
        if (link->part == PART_NEW || link->http) {
            unsigned char *end = memmem(link->plain + at, link->used - at, "\r\n\r\n", 4);
            if (end == NULL) {
                break;
            }
            took = (size_t)(end + 4 - (link->plain + at));
            end[2] = 0;
            head(venue, link, (char *)link->plain + at);
        } else {
            took = frame(venue, link, link->plain + at, link->used - at);
            if (took == 0) {
                break;
            }
        }
        at += took;
    }
    memmove(link->plain, link->plain + at, link->used - at);
    link->used -= at;
}

static void hear(struct venue_desk *venue, struct link *link, const unsigned char *bytes, size_t count)
{
    POISE_ASSERT(BIO_write(link->in, bytes, (int)count) == (int)count);
    ERR_clear_error();
    if (!link->shaken) {
        link->shaken = SSL_do_handshake(link->ssl) == 1;
        int out = BIO_read(link->out, venue->wire, WIRE_BYTES);
        if (out > 0) {
            echo_say(link->fd, venue->wire, (size_t)out);
        }
    }
    for (;;) {
        int got =
            link->shaken ? SSL_read(link->ssl, link->plain + link->used, (int)(PLAIN_BYTES - link->used)) : 0;
        if (got <= 0) {
            break;
        }
        link->used += (size_t)got;
        digest(venue, link);
    }
}

static bool take_link(struct venue_desk *venue)
{
    int fd = accept4(venue->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) {
        return false;
    }
    POISE_ASSERT(venue->link_count < LINKS_MAX);
    struct link *link = calloc(1, sizeof *link);
    POISE_ASSERT(link != NULL);
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    link->fd = fd;
    link->ssl = SSL_new(venue->context);
    link->in = BIO_new(BIO_s_mem());
    link->out = BIO_new(BIO_s_mem());
    BIO_set_mem_eof_return(link->in, -1);
    BIO_set_mem_eof_return(link->out, -1);
    SSL_set_bio(link->ssl, link->in, link->out);
    SSL_set_accept_state(link->ssl);
    venue->link[venue->link_count++] = link;
    return true;
}

/* look_at receives once from a link; answers whether anything came. */
static bool look_at(struct venue_desk *venue, struct link *link)
{
    unsigned char bytes[WIRE_BYTES / 2];
    ssize_t got = recv(link->fd, bytes, sizeof bytes, MSG_DONTWAIT);
    if (got > 0) {
        hear(venue, link, bytes, (size_t)got);
    }
    return got > 0;
}

static bool look(struct venue_desk *venue)
{
    bool any = take_link(venue);
    for (uint32_t i = 0; i < venue->link_count; i++) {
        any |= look_at(venue, venue->link[i]);
    }
    answer(venue);
    return any;
}

/* ------------------------------------------------------------------ coming up */

static void stamp(struct venue_desk *venue)
{
    venue->talk.wall_ms = clock_wall_ns() / 1000000;
}

/* beat says on every stream that it is alive; a book that waits for its first change gets one. */
static void beat(struct venue_desk *venue)
{
    stamp(venue);
    for (int leg = 0; leg < MARKET_LEGS; leg++) {
        struct link *stream = venue->of[PART_STREAM][leg];
        struct link *marks = leg == MARKET_LINEAR ? venue->of[PART_MARKET][leg] : stream;
        if (stream != NULL && stream->subscribed) {
            say_frame(venue, stream, 1, venue->text, talk_still(&venue->talk, leg, venue->text));
        }
        if (marks != NULL && marks->subscribed) {
            say_frame(venue, marks, 1, venue->text, talk_mark(&venue->talk, leg, venue->text));
        }
        struct link *cash = venue->of[PART_PRIVATE][leg];
        if (leg == MARKET_INVERSE && cash != NULL && venue->talk.entered) {
            say_frame(venue, cash, 1, venue->text, talk_cash(&venue->talk, venue->text));
        }
        for (int part = PART_PRIVATE; part <= PART_ORDER; part++) {
            if (venue->of[part][leg] != NULL && !venue->of[part][leg]->http) {
                say_frame(venue, venue->of[part][leg], 9, "beat", 4);
            }
        }
    }
}

void venue_serve(struct venue_desk *venue, const _Atomic bool *stop)
{
    uint64_t next_ns = 0;
    /* edge: only a wish to end; what was served is read after the join */
    while (!atomic_load_explicit(stop, memory_order_relaxed)) {
        uint64_t now_ns = clock_now_ns();
        stamp(venue);
        look(venue);
        if (now_ns >= next_ns) {
            next_ns = now_ns + 10 * NS_PER_MS;
            beat(venue);
        }
    }
}

bool venue_quoted(const struct venue_desk *venue)
{
    return venue->talk.quote[SIDE_BUY].live && venue->talk.quote[SIDE_SELL].live;
}

struct venue_desk *venue_create(const char *folder, char *error, size_t error_bytes)
{
    char certificate[256], key[256];
    if (!sim_cert_make(folder, error, error_bytes)) {
        return NULL;
    }
    struct venue_desk *venue = calloc(1, sizeof *venue);
    POISE_ASSERT(venue != NULL);
    snprintf(venue->ca, sizeof venue->ca, "%s/ca.pem", folder);
    snprintf(certificate, sizeof certificate, "%s/srv.pem", folder);
    snprintf(key, sizeof key, "%s/srv.key", folder);
    venue->context = SSL_CTX_new(TLS_server_method());
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t bytes = sizeof address;
    venue->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (SSL_CTX_use_certificate_chain_file(venue->context, certificate) != 1 ||
        SSL_CTX_use_PrivateKey_file(venue->context, key, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_set_ciphersuites(venue->context, "TLS_AES_128_GCM_SHA256") != 1 || venue->listener < 0 ||
        bind(venue->listener, (struct sockaddr *)&address, bytes) != 0 ||
        listen(venue->listener, LINKS_MAX) != 0 ||
        getsockname(venue->listener, (struct sockaddr *)&address, &bytes) != 0) {
        snprintf(error, error_bytes, "the venue cannot listen: %s", strerror(errno));
        venue_destroy(venue);
        return NULL;
    }
    venue->port = ntohs(address.sin_port);
    talk_init(&venue->talk);
    return venue;
}

void venue_destroy(struct venue_desk *venue)
{
    for (uint32_t i = 0; i < venue->link_count; i++) {
        close(venue->link[i]->fd);
        SSL_free(venue->link[i]->ssl);
        free(venue->link[i]);
    }
    if (venue->listener >= 0) {
        close(venue->listener);
    }
    SSL_CTX_free(venue->context);
    free(venue);
}

uint16_t venue_port(const struct venue_desk *venue)
{
    return venue->port;
}

const char *venue_ca(const struct venue_desk *venue)
{
    return venue->ca;
}

void venue_slow(struct venue_desk *venue, uint64_t rest_ns)
{
    venue->rest_ns = rest_ns;
}

void venue_sizes(const struct venue_desk *venue, size_t *there, size_t *back)
{
    *there = venue->there;
    *back = venue->back;
}

/* ------------------------------------------------------------------ the spans */

/* settle serves until both quotes rest and nothing has come for a while; false when that does not happen. */
static bool settle(struct venue_desk *venue)
{
    uint64_t until_ns = clock_now_ns() + SETTLE_NS;
    uint32_t quiet = 0;
    while (quiet < QUIET_ROUNDS || !venue_quoted(venue)) {
        quiet = look(venue) ? 0 : quiet + 1;
        if (clock_now_ns() > until_ns) {
            return false;
        }
    }
    return true;
}

/* make_ready seals a frame for later; nothing else may be said on that connection in between. */
static size_t make_ready(struct venue_desk *venue, struct link *link, size_t count)
{
    size_t sealed = seal_frame(venue, link, 1, venue->text, count);
    memcpy(venue->next, venue->wire, sealed);
    return sealed;
}

/* next_caller answers the next connection by which an order may come: a client by HTTP has as many as it
 * likes, and opens another when the last is not free yet. */
static struct link *next_caller(struct venue_desk *venue, const struct link *from)
{
    uint32_t at = 0;
    take_link(venue);
    for (uint32_t i = 0; i < venue->link_count; i++) {
        at = venue->link[i] == from ? i : at;
        if (venue->link[i]->part == PART_NEW) {
            look_at(venue, venue->link[i]);
        }
    }
    do {
        at = (at + 1) % venue->link_count;
    } while (!venue->link[at]->http || venue->link[at]->part != PART_ORDER);
    return venue->link[at];
}

/* time_one sends what was made ready and stops when one whole TLS record has come back on
 * `from`; then it is understood.  Answers the ticks it took, 0 when nothing came. */
static uint64_t time_one(struct venue_desk *venue, struct link *to, size_t count, struct link *from)
{
    unsigned char bytes[WIRE_BYTES / 2];
    size_t have = 0;
    uint64_t until_ns = clock_now_ns() + ANSWER_NS;
    uint64_t begin = clock_ticks(), end = 0;
    echo_say(to->fd, venue->next, count);
    for (uint32_t tries = 1;; tries++) {
        ssize_t got = recv(from->fd, bytes + have, sizeof bytes - have, MSG_DONTWAIT);
        if (got > 0) {
            have += (size_t)got;
            if (have >= 5 && have >= 5 + ((size_t)bytes[3] << 8 | bytes[4])) {
                end = clock_ticks();
                break;
            }
        }
        if (from->http && have == 0) {
            from = next_caller(venue, from);
            if (venue->request_count != 0) { /* by a connection opened for it, and understood already */
                return clock_ticks() - begin;
            }
        }
        if (tries % 65536 == 0 && clock_now_ns() > until_ns) {
            return 0;
        }
    }
    venue->there = count;
    venue->back = have;
    hear(venue, from, bytes, have);
    return end - begin;
}

/* serve_quotes answers what our quotes want until shortly before the next tick is due. */
static void serve_quotes(struct venue_desk *venue, uint64_t due_ns)
{
    do {
        look_at(venue, venue->of[PART_ORDER][MARKET_INVERSE]);
        answer(venue);
    } while (clock_now_ns() + ECHO_PACE_NS / 8 < due_ns);
}

/* leave_alone serves whatever comes until a slow peer is at rest again. */
static void leave_alone(struct venue_desk *venue)
{
    uint64_t until_ns = clock_now_ns() + venue->rest_ns;
    while (venue->rest_ns != 0 && clock_now_ns() < until_ns) {
        look(venue);
    }
}

static uint64_t wrong(uint64_t hash, const char *what, uint32_t i, const struct talk_request *got,
                      int64_t expected)
{
    fprintf(stderr,
            "poise-bench: %s %u: expected %lld, got kind %d, leg %d, side %d, price %lld, qty %lld, signed "
            "%d\n",
            what, i, (long long)expected, (int)got->kind, (int)got->leg, (int)got->side,
            (long long)got->price, (long long)got->qty, (int)got->signed_right);
    return hash ^ clock_ticks(); /* no other burst has this one */
}

/* An order that was amended nine thousand times is replaced by the strategy: each burst begins with a new
 * one, which the venue brings about by dropping the old; where it can tell so. */
static bool fresh_quotes(struct venue_desk *venue)
{
    beat(venue);
    if (!settle(venue)) {
        return false;
    }
    for (enum side side = SIDE_BUY; venue->of[PART_PRIVATE][MARKET_INVERSE] != NULL && side <= SIDE_SELL;
         side++) {
        size_t count = talk_gone(&venue->talk, side, venue->text);
        say_frame(venue, venue->of[PART_PRIVATE][MARKET_INVERSE], 1, venue->text, count);
    }
    return settle(venue);
}

/* move lets the price be `bid` and waits until the quote has followed: quiet alone may be an engine that was
 * held up.  False when it does not follow. */
static bool move(struct venue_desk *venue, int64_t bid)
{
    struct link *stream = venue->of[PART_STREAM][MARKET_LINEAR];
    uint64_t until_ns = clock_now_ns() + SETTLE_NS;
    stamp(venue);
    say_frame(venue, stream, 1, venue->text, talk_move(&venue->talk, bid, venue->text));
    while (venue->talk.quote[SIDE_BUY].price != market_bid(bid) && clock_now_ns() < until_ns) {
        look(venue);
    }
    return settle(venue) && venue->talk.quote[SIDE_BUY].price == market_bid(bid);
}

uint64_t venue_ticks(struct venue_desk *venue, uint64_t *ticks, uint32_t count)
{
    static const struct talk_request none;
    struct link *stream = venue->of[PART_STREAM][MARKET_LINEAR];
    struct link *orders = venue->of[PART_ORDER][MARKET_INVERSE];
    uint64_t hash = 0;
    memset(ticks, 0, count * sizeof *ticks);
    if (!fresh_quotes(venue) || !move(venue, TALK_BID)) {
        return wrong(hash, "settling", 0, &none, 0);
    }
    struct echo_pace pace = echo_pace_begin();
    for (uint32_t i = 0; i < count; i++) {
        int64_t bid = TALK_BID + 10 * (i % 32 < 16 ? 1 + (int64_t)(i % 16) : 15 - (int64_t)(i % 16));
        stamp(venue);
        size_t bytes = talk_move(&venue->talk, bid, venue->text);
        bytes = make_ready(venue, stream, bytes);
        echo_pace(&pace);
        ticks[i] = time_one(venue, stream, bytes, orders);
        const struct talk_request *got = &venue->request[0];
        if (ticks[i] == 0 || venue->request_count != 1 || got->kind != TALK_MODIFY || got->side != SIDE_BUY ||
            got->price != market_bid(bid) || !got->signed_right) {
            return wrong(hash, "tick", i, venue->request_count != 0 ? got : &none, market_bid(bid));
        }
        hash = bench_hash(hash, (uint64_t)got->price);
        answer(venue);
        leave_alone(venue);
    }
    settle(venue);
    return hash;
}

uint64_t venue_fills(struct venue_desk *venue, uint64_t *ticks, uint32_t count)
{
    static const struct talk_request none;
    struct link *news = venue->of[PART_PRIVATE][MARKET_INVERSE];
    struct link *orders = venue->of[PART_ORDER][MARKET_LINEAR];
    uint64_t hash = 0;
    memset(ticks, 0, count * sizeof *ticks);
    if (!fresh_quotes(venue) || !move(venue, TALK_BID)) {
        return wrong(hash, "settling", 0, &none, 0);
    }
    struct echo_pace pace = echo_pace_begin();
    for (uint32_t i = 0; i < count; i++) {
        /* bids and asks in turn, so that inventory stays where it is; each size differs from the last */
        enum side side = i % 2 == 0 ? SIDE_BUY : SIDE_SELL;
        int64_t qty = 100 * (6 + i % 5);
        serve_quotes(venue, pace.due_ns);
        double coin = (double)qty / ((double)venue->talk.quote[side].price / 10000);
        venue->naked += side == SIDE_BUY ? coin : -coin;
        stamp(venue);
        size_t bytes = talk_fill(&venue->talk, side, qty, venue->text);
        bytes = make_ready(venue, news, bytes);
        echo_pace(&pace);
        ticks[i] = time_one(venue, news, bytes, orders);
        const struct talk_request *got = &venue->request[0];
        double hedged = (double)got->qty / 1000;
        double left = venue->naked - (side == SIDE_BUY ? hedged : -hedged);
        if (ticks[i] == 0 || venue->request_count != 1 || got->kind != TALK_NEW || got->side == side ||
            got->leg != MARKET_LINEAR || !got->signed_right || left > HEDGE_LEFT || left < -HEDGE_LEFT) {
            return wrong(hash, "fill", i, venue->request_count != 0 ? got : &none,
                         (int64_t)(venue->naked * 1e9));
        }
        /* what is left over goes from burst to burst, so the size itself is no part of the check */
        venue->naked = left;
        hash = bench_hash(bench_hash(hash, (uint64_t)got->price), (uint64_t)qty);
        answer(venue);
    }
    settle(venue);
    return hash;
}
