#include "tools/sim/sim_net.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define CONN_MAX    1024
#define LISTEN_MAX  4
#define REQUEST_MAX (1u << 20)
#define FRAME_MAX   (1u << 20)
#define BACKLOG_MAX (256u << 20)
#define SLOT_BITS   10

enum conn_state { CONN_FREE, CONN_HANDSHAKE, CONN_HTTP, CONN_WAITING, CONN_SOCKET, CONN_ENDING };

/* Life of a connection: HANDSHAKE -> HTTP (reading a request) -> WAITING (for our reply) -> HTTP ...
 * or HTTP -> SOCKET (WebSocket) -> ENDING (close sent, flushing).  CONN_FREE is an empty slot. */
struct conn {
    enum conn_state state;
    uint64_t id;
    int fd;
    SSL *ssl;
    bool control;
    bool want_write; /* epoll asks for writability */
    bool keep_alive;
    bool dead;
    bool ghost; /* of an earlier life: what is sent goes nowhere */
    struct sim_text in;
    struct sim_text out;
    size_t out_at;
    struct sim_text message; /* fragments of a WebSocket message */
    int message_opcode;
    void *session;
};

struct listener {
    int fd;
    bool tls;
    bool control;
};

struct sim_net {
    int epoll;
    int timer;
    SSL_CTX *tls;
    struct sim_handlers handlers;
    struct listener listener[LISTEN_MAX];
    int listener_count;
    struct conn conn[CONN_MAX];
    uint64_t next_generation;
};

static struct conn *find(struct sim_net *net, uint64_t id)
{
    struct conn *conn = &net->conn[id & (CONN_MAX - 1)];

    return conn->state != CONN_FREE && conn->id == id && !conn->dead ? conn : NULL;
}

void *sim_net_session(struct sim_net *net, uint64_t id)
{
    struct conn *conn = find(net, id);

    return conn != NULL && conn->state == CONN_SOCKET ? conn->session : NULL;
}

/* lose tells that the other side or the wire ends a WebSocket; before its state says so. */
static void lose(struct sim_net *net, const struct conn *conn)
{
    if (conn->state == CONN_SOCKET && !conn->dead && conn->session != NULL && net->handlers.lost != NULL) {
        net->handlers.lost(net->handlers.user, conn->id);
    }
}

/* --- bytes ------------------------------------------------------------------------------------------ */

static void watch(struct sim_net *net, struct conn *conn, bool write)
{
    struct epoll_event event = { .events = EPOLLIN | (write ? EPOLLOUT : 0) };

    if (conn->want_write == write) {
        return;
    }
    conn->want_write = write;
    event.data.u64 = conn->id;
    epoll_ctl(net->epoll, EPOLL_CTL_MOD, conn->fd, &event);
}

/* release frees a slot.  It runs only from sim_net_wait, so that no handler loses its connection underfoot.
 */
static void release(struct sim_net *net, struct conn *conn)
{
    void *session = conn->session;
    uint64_t id = conn->id;

    conn->session = NULL;
    if (session != NULL) {
        net->handlers.closed(net->handlers.user, id, session);
    }
    if (conn->ssl != NULL) {
        SSL_free(conn->ssl);
    }
    if (conn->fd >= 0) {
        close(conn->fd);
    }
    sim_text_free(&conn->in);
    sim_text_free(&conn->out);
    sim_text_free(&conn->message);
    memset(conn, 0, sizeof *conn);
}

static void flush(struct sim_net *net, struct conn *conn)
{
    while (conn->out_at < conn->out.length && !conn->dead) {
        const char *from = conn->out.data + conn->out_at;
        size_t length = conn->out.length - conn->out_at;
        ssize_t sent;

        if (conn->ssl != NULL) {
            int chunk = length > 65536 ? 65536 : (int)length;
            ERR_clear_error();
            int wrote = SSL_write(conn->ssl, from, chunk);
            if (wrote <= 0) {
                int why = SSL_get_error(conn->ssl, wrote);
                if (why == SSL_ERROR_WANT_WRITE || why == SSL_ERROR_WANT_READ) {
                    break;
                }
                lose(net, conn);
                conn->dead = true;
                return;
            }
            sent = wrote;
        } else {
            sent = send(conn->fd, from, length, MSG_NOSIGNAL);
            if (sent < 0) {
                if (errno == EAGAIN || errno == EINTR) {
                    break;
                }
                lose(net, conn);
                conn->dead = true;
                return;
            }
        }
        conn->out_at += (size_t)sent;
    }
    if (conn->out_at == conn->out.length) {
        sim_text_reset(&conn->out);
        conn->out_at = 0;
        watch(net, conn, false);
        if (conn->state == CONN_ENDING) {
            conn->dead = true;
        }
    } else {
        watch(net, conn, true);
        if (conn->out.length - conn->out_at > BACKLOG_MAX) {
            lose(net, conn);
            conn->dead = true; /* a reader that far behind is gone */
        }
    }
}

/* --- HTTP ------------------------------------------------------------------------------------------- */

static const char *reason_of(int status)
{
    switch (status) {
    case 200:
        return "OK";
    case 400:
        return "Bad Request";
    case 401:
        return "Unauthorized";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 409:
        return "Conflict";
    case 418:
        return "I'm a teapot";
    case 429:
        return "Too Many Requests";
    case 503:
        return "Service Unavailable";
    default:
        return "Error";
    }
}

void sim_net_reply(struct sim_net *net, uint64_t id, int status, const char *headers, const char *type,
                   const char *body, size_t length)
{
    struct conn *conn = find(net, id);

    if (conn == NULL || conn->state != CONN_WAITING || conn->ghost) {
        return;
    }
    sim_text_add(&conn->out,
                 "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: %s\r\n%s\r\n",
                 status, reason_of(status), type, length, conn->keep_alive ? "keep-alive" : "close", headers);
    sim_text_put(&conn->out, body, length);
    conn->state = conn->keep_alive ? CONN_HTTP : CONN_ENDING;
}

static bool header(const char *line, size_t length, const char *name, char *value, size_t size)
{
    size_t n = strlen(name);

    if (length <= n || strncasecmp(line, name, n) != 0 || line[n] != ':') {
        return false;
    }
    const char *from = line + n + 1;
    size_t left = length - n - 1;

    while (left > 0 && (*from == ' ' || *from == '\t')) {
        from++;
        left--;
    }
    while (left > 0 && (from[left - 1] == ' ' || from[left - 1] == '\t')) {
        left--;
    }
    snprintf(value, size, "%.*s", (int)left, from);
    return true;
}

static void accept_socket(struct conn *conn, const char *key)
{
    static const char magic[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    char joined[128];
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned char text[64];
    unsigned int size = 0;

    snprintf(joined, sizeof joined, "%.60s%s", key, magic);
    EVP_Digest(joined, strlen(joined), digest, &size, EVP_sha1(), NULL);
    EVP_EncodeBlock(text, digest, (int)size);
    sim_text_add(&conn->out,
                 "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 "Sec-WebSocket-Accept: %s\r\n\r\n",
                 (char *)text);
}

static void consume(struct conn *conn, size_t length)
{
    memmove(conn->in.data, conn->in.data + length, conn->in.length - length + 1);
    conn->in.length -= length;
}

/* one_request takes one whole request from the input; false when it is not complete yet. */
static bool one_request(struct sim_net *net, struct conn *conn)
{
    char *end = conn->in.length == 0 ? NULL : memmem(conn->in.data, conn->in.length, "\r\n\r\n", 4);
    char host[256] = "", key[128] = "", upgrade[64] = "", socket_key[64] = "", length_text[32] = "";
    char connection[64] = "", expect[32] = "", authorization[2048] = "";

    if (end == NULL) {
        conn->dead = conn->in.length > REQUEST_MAX;
        return false;
    }
    size_t head = (size_t)(end - conn->in.data) + 4;
    char *line = memchr(conn->in.data, '\n', head);

    for (line++; line < end;) {
        char *next = memchr(line, '\n', head - (size_t)(line - conn->in.data));
        size_t length = (size_t)(next - line) - 1;
        (void)(header(line, length, "Host", host, sizeof host) ||
               header(line, length, "X-MBX-APIKEY", key, sizeof key) ||
               header(line, length, "Authorization", authorization, sizeof authorization) ||
               header(line, length, "Upgrade", upgrade, sizeof upgrade) ||
               header(line, length, "Connection", connection, sizeof connection) ||
               header(line, length, "Expect", expect, sizeof expect) ||
               header(line, length, "Sec-WebSocket-Key", socket_key, sizeof socket_key) ||
               header(line, length, "Content-Length", length_text, sizeof length_text));
        line = next + 1;
    }
    size_t body = (size_t)strtoul(length_text, NULL, 10);
    if (body > REQUEST_MAX) {
        conn->dead = true;
        return false;
    }
    if (conn->in.length < head + body) {
        if (strcasecmp(expect, "100-continue") == 0 && conn->in.length == head) {
            sim_text_str(&conn->out, "HTTP/1.1 100 Continue\r\n\r\n");
        }
        return false;
    }
    /* From here on the input is cut into strings: verb, path, query, body. */
    char *copy = malloc(head + body + 2);
    if (copy == NULL) {
        abort();
    }
    memcpy(copy, conn->in.data, head + body);
    copy[head + body] = '\0';
    consume(conn, head + body);

    char *verb = copy, *target = memchr(copy, ' ', head);
    char *version = target == NULL ? NULL : strpbrk(target + 1, " \r");
    if (version == NULL) {
        conn->dead = true;
        free(copy);
        return false;
    }
    *target++ = '\0';
    *version = '\0';
    char *query = strchr(target, '?');
    if (query != NULL) {
        *query++ = '\0';
    }
    char *port = strrchr(host, ':');
    if (port != NULL && strchr(port, ']') == NULL) {
        *port = '\0';
    }
    for (char *c = host; *c != '\0'; c++) {
        *c = (char)tolower((unsigned char)*c);
    }
    struct sim_request request = { .conn = conn->id,
                                   .control = conn->control,
                                   .verb = verb,
                                   .path = target,
                                   .query = query == NULL ? "" : query,
                                   .host = host,
                                   .key = key,
                                   .authorization = authorization,
                                   .body = copy + head,
                                   .body_length = body };

    conn->keep_alive = strcasecmp(connection, "close") != 0;
    if (strcasecmp(upgrade, "websocket") == 0 && !conn->control) {
        conn->state = CONN_WAITING;
        conn->keep_alive = false;
        conn->session = net->handlers.open(net->handlers.user, &request);
        if (conn->session == NULL) {
            sim_net_reply(net, conn->id, 404, "", "text/plain", "", 0);
        } else {
            accept_socket(conn, socket_key);
            conn->state = CONN_SOCKET;
        }
    } else {
        conn->state = CONN_WAITING;
        net->handlers.request(net->handlers.user, &request);
    }
    free(copy);
    return true;
}

/* --- WebSocket -------------------------------------------------------------------------------------- */

static void frame(struct conn *conn, int opcode, const void *payload, size_t length)
{
    unsigned char head[10] = { (unsigned char)(0x80 | opcode) };
    size_t n = 2;

    if (conn->ghost) {
        return;
    }
    if (length < 126) {
        head[1] = (unsigned char)length;
    } else if (length < 65536) {
        head[1] = 126;
        head[2] = (unsigned char)(length >> 8);
        head[3] = (unsigned char)length;
        n = 4;
    } else {
        head[1] = 127;
        for (int i = 0; i < 8; i++) {
            head[2 + i] = (unsigned char)((uint64_t)length >> (56 - 8 * i));
        }
        n = 10;
    }
    sim_text_put(&conn->out, head, n);
    sim_text_put(&conn->out, payload, length);
}

void sim_net_text(struct sim_net *net, uint64_t id, const char *text, size_t length)
{
    struct conn *conn = find(net, id);

    if (conn != NULL && conn->state == CONN_SOCKET) {
        frame(conn, 1, text, length);
    }
}

void sim_net_ping(struct sim_net *net, uint64_t id, const char *payload, size_t length)
{
    struct conn *conn = find(net, id);

    if (conn != NULL && conn->state == CONN_SOCKET) {
        frame(conn, 9, payload, length);
    }
}

static void end_socket(struct conn *conn, int code, const char *reason)
{
    unsigned char payload[125] = { (unsigned char)(code >> 8), (unsigned char)code };
    size_t length = strlen(reason);

    length = length > 120 ? 120 : length;
    memcpy(payload + 2, reason, length);
    frame(conn, 8, payload, length + 2);
    conn->state = CONN_ENDING;
}

void sim_net_close(struct sim_net *net, uint64_t id, int code, const char *reason)
{
    struct conn *conn = find(net, id);

    if (conn != NULL && conn->state == CONN_SOCKET) {
        end_socket(conn, code, reason);
    }
}

void sim_net_cut(struct sim_net *net, uint64_t id)
{
    struct conn *conn = find(net, id);
    struct linger now = { .l_onoff = 1, .l_linger = 0 };

    if (conn != NULL) {
        setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        conn->dead = true;
    }
}

/* one_frame takes one whole frame from the input; false when it is not complete yet. */
static bool one_frame(struct sim_net *net, struct conn *conn)
{
    unsigned char *data = (unsigned char *)conn->in.data;
    size_t have = conn->in.length, head = 2;

    if (have < 2) {
        return false;
    }
    int opcode = data[0] & 15;
    bool final = (data[0] & 0x80) != 0, masked = (data[1] & 0x80) != 0;
    uint64_t length = data[1] & 127;

    if ((data[0] & 0x70) != 0 || !masked) { /* a client must mask, and no extension was agreed */
        lose(net, conn);
        end_socket(conn, 1002, "protocol error");
        return false;
    }
    if (length == 126) {
        head = 4;
    } else if (length == 127) {
        head = 10;
    }
    if (have < head + 4) {
        return false;
    }
    if (head > 2) {
        length = 0;
        for (size_t i = 2; i < head; i++) {
            length = length << 8 | data[i];
        }
    }
    if (length > FRAME_MAX) {
        lose(net, conn);
        end_socket(conn, 1009, "too big");
        return false;
    }
    if (have < head + 4 + length) {
        return false;
    }
    unsigned char *payload = data + head + 4;
    for (uint64_t i = 0; i < length; i++) {
        payload[i] ^= data[head + (i & 3)];
    }
    uint64_t id = conn->id;

    if (opcode >= 8) {
        if (opcode == 8) {
            lose(net, conn);
            frame(conn, 8, payload, length);
            conn->state = CONN_ENDING;
        } else {
            if (opcode == 9) {
                frame(conn, 10, payload, length);
            }
            net->handlers.control_frame(net->handlers.user, id, conn->session, opcode == 10);
        }
        consume(conn, head + 4 + length);
        return conn->state == CONN_SOCKET;
    }
    if ((opcode == 0) != (conn->message_opcode != 0)) {
        lose(net, conn);
        end_socket(conn, 1002, "protocol error");
        return false;
    }
    if (opcode != 0) {
        conn->message_opcode = opcode;
        sim_text_reset(&conn->message);
    }
    sim_text_put(&conn->message, payload, length);
    consume(conn, head + 4 + length);
    if (final) {
        conn->message_opcode = 0;
        net->handlers.message(net->handlers.user, id, conn->session, conn->message.data,
                              conn->message.length);
    } else if (conn->message.length > FRAME_MAX) {
        lose(net, conn);
        end_socket(conn, 1009, "too big");
    }
    return conn->state == CONN_SOCKET && !conn->dead;
}

/* --- the loop --------------------------------------------------------------------------------------- */

static void digest_input(struct sim_net *net, struct conn *conn)
{
    while (!conn->dead) {
        if (conn->state == CONN_HTTP) {
            if (!one_request(net, conn)) {
                break;
            }
        } else if (conn->state == CONN_SOCKET) {
            if (!one_frame(net, conn)) {
                break;
            }
        } else {
            break;
        }
    }
}

static void receive(struct sim_net *net, struct conn *conn)
{
    char buffer[65536];
    bool over = false;

    if (conn->state == CONN_HANDSHAKE) {
        ERR_clear_error();
        int done = SSL_accept(conn->ssl);
        if (done != 1) {
            int why = SSL_get_error(conn->ssl, done);
            if (why == SSL_ERROR_WANT_WRITE) {
                watch(net, conn, true);
            } else if (why != SSL_ERROR_WANT_READ) {
                conn->dead = true;
            }
            return;
        }
        watch(net, conn, false);
        conn->state = CONN_HTTP;
    }
    for (;;) {
        ssize_t got;

        if (conn->ssl != NULL) {
            ERR_clear_error();
            int n = SSL_read(conn->ssl, buffer, sizeof buffer);
            if (n <= 0) {
                int why = SSL_get_error(conn->ssl, n);
                over = why != SSL_ERROR_WANT_READ && why != SSL_ERROR_WANT_WRITE;
                break;
            }
            got = n;
        } else {
            got = recv(conn->fd, buffer, sizeof buffer, 0);
            if (got <= 0) {
                over = got == 0 || (errno != EAGAIN && errno != EINTR);
                break;
            }
        }
        sim_text_put(&conn->in, buffer, (size_t)got);
        digest_input(net, conn);
        over = conn->in.length > 2 * REQUEST_MAX;
        if (conn->dead || over) {
            break;
        }
    }
    if (over) {
        lose(net, conn);
        conn->dead = true;
    }
}

/* take_slot answers an empty slot with a fresh id, NULL when all are in use. */
static struct conn *take_slot(struct sim_net *net, int fd)
{
    uint64_t slot = 0;

    while (slot < CONN_MAX && net->conn[slot].state != CONN_FREE) {
        slot++;
    }
    if (slot == CONN_MAX) {
        return NULL;
    }
    net->conn[slot].fd = fd;
    net->conn[slot].id = ++net->next_generation << SLOT_BITS | slot;
    return &net->conn[slot];
}

static void accept_one(struct sim_net *net, struct listener *listener)
{
    int one = 1;
    int fd = accept4(listener->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        return;
    }
    struct conn *conn = take_slot(net, fd);
    if (conn == NULL) {
        close(fd);
        return;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    conn->control = listener->control;
    conn->state = listener->tls ? CONN_HANDSHAKE : CONN_HTTP;
    if (listener->tls) {
        conn->ssl = SSL_new(net->tls);
        SSL_set_fd(conn->ssl, fd);
        SSL_set_accept_state(conn->ssl);
    }
    struct epoll_event event = { .events = EPOLLIN };
    event.data.u64 = conn->id;
    epoll_ctl(net->epoll, EPOLL_CTL_ADD, fd, &event);
}

void sim_net_wait(struct sim_net *net, int64_t wake_ns)
{
    struct epoll_event events[128];
    struct itimerspec when = { 0 };

    for (int i = 0; i < CONN_MAX; i++) {
        struct conn *conn = &net->conn[i];
        if (conn->state == CONN_FREE) {
            continue;
        }
        if (conn->state == CONN_HTTP && conn->in.length > 0) {
            digest_input(net, conn); /* a request that waited for the reply before it */
        }
        if (!conn->dead && conn->out.length > conn->out_at && conn->state != CONN_HANDSHAKE) {
            flush(net, conn);
        }
        if (conn->dead) {
            release(net, conn);
        }
    }
    if (wake_ns != INT64_MAX) {
        wake_ns = wake_ns < 1 ? 1 : wake_ns;
        when.it_value.tv_sec = wake_ns / 1000000000;
        when.it_value.tv_nsec = wake_ns % 1000000000;
    }
    timerfd_settime(net->timer, TFD_TIMER_ABSTIME, &when, NULL);

    int count = epoll_wait(net->epoll, events, 128, 1000);
    net->handlers.woke(net->handlers.user);
    for (int i = 0; i < count; i++) {
        uint64_t id = events[i].data.u64;
        if (id == 0) {
            uint64_t ticks;
            (void)!read(net->timer, &ticks, sizeof ticks);
        } else if (id <= LISTEN_MAX) {
            accept_one(net, &net->listener[id - 1]);
        } else {
            struct conn *conn = find(net, id);
            if (conn == NULL) {
                continue;
            }
            if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR) || conn->state == CONN_HANDSHAKE) {
                receive(net, conn);
            }
            if (events[i].events & EPOLLOUT && !conn->dead && conn->state != CONN_HANDSHAKE) {
                flush(net, conn);
            }
        }
    }
}

/* --- in process ------------------------------------------------------------------------------------- */

static struct conn *find_pipe(struct sim_net *net, uint64_t id)
{
    struct conn *conn = &net->conn[id & (CONN_MAX - 1)];

    return conn->state != CONN_FREE && conn->id == id && conn->fd < 0 ? conn : NULL;
}

uint64_t sim_net_pipe(struct sim_net *net)
{
    struct conn *conn = take_slot(net, -1);

    if (conn == NULL) {
        return 0;
    }
    conn->state = CONN_HTTP;
    return conn->id;
}

void sim_net_give(struct sim_net *net, uint64_t id, const void *bytes, size_t length)
{
    struct conn *conn = find_pipe(net, id);

    if (conn == NULL || conn->dead) {
        return;
    }
    sim_text_put(&conn->in, bytes, length);
    digest_input(net, conn);
    conn->dead = conn->dead || conn->in.length > 2 * REQUEST_MAX;
}

bool sim_net_take(struct sim_net *net, uint64_t id, struct sim_text *out)
{
    struct conn *conn = find_pipe(net, id);

    if (conn == NULL) {
        return false;
    }
    if (conn->state == CONN_HTTP && conn->in.length > 0) {
        digest_input(net, conn);
    }
    if (!conn->dead && conn->out.length > 0) {
        sim_text_put(out, conn->out.data, conn->out.length);
        sim_text_reset(&conn->out);
    }
    if (conn->dead || conn->state == CONN_ENDING) {
        release(net, conn);
        return false;
    }
    return true;
}

void sim_net_hang_up(struct sim_net *net, uint64_t id)
{
    struct conn *conn = find_pipe(net, id);

    if (conn != NULL) {
        release(net, conn);
    }
}

/* --- ghosts ----------------------------------------------------------------------------------------- */

void sim_net_ghost_request(struct sim_net *net, const struct sim_request *request, bool upgrade)
{
    struct conn *conn = &net->conn[request->conn & (CONN_MAX - 1)];
    uint64_t generation = request->conn >> SLOT_BITS;

    if (conn->state != CONN_FREE && conn->id != request->conn) {
        release(net, conn); /* an HTTP connection that ended without anybody being told */
    }
    conn->id = request->conn;
    conn->fd = -1;
    conn->ghost = true;
    conn->state = CONN_WAITING;
    net->next_generation = generation > net->next_generation ? generation : net->next_generation;
    if (!upgrade) {
        net->handlers.request(net->handlers.user, request);
        return;
    }
    conn->session = net->handlers.open(net->handlers.user, request);
    conn->state = conn->session == NULL ? CONN_HTTP : CONN_SOCKET;
}

void sim_net_ghost_message(struct sim_net *net, uint64_t id, const char *text, size_t length)
{
    struct conn *conn = find(net, id);

    if (conn != NULL && conn->state == CONN_SOCKET) {
        net->handlers.message(net->handlers.user, id, conn->session, text, length);
    }
}

void sim_net_ghost_control_frame(struct sim_net *net, uint64_t id, bool pong)
{
    struct conn *conn = find(net, id);

    if (conn != NULL && conn->state == CONN_SOCKET) {
        net->handlers.control_frame(net->handlers.user, id, conn->session, pong);
    }
}

void sim_net_ghost_lost(struct sim_net *net, uint64_t id)
{
    struct conn *conn = find(net, id);

    if (conn != NULL) {
        conn->dead = true;
    }
}

void sim_net_ghost_closed(struct sim_net *net, uint64_t id)
{
    struct conn *conn = &net->conn[id & (CONN_MAX - 1)];

    if (conn->state != CONN_FREE && conn->id == id && conn->ghost) {
        release(net, conn);
    }
}

size_t sim_net_ghosts(const struct sim_net *net, uint64_t *id, size_t most)
{
    size_t count = 0;

    for (int i = 0; i < CONN_MAX && count < most; i++) {
        const struct conn *conn = &net->conn[i];
        if (conn->ghost && conn->session != NULL) {
            id[count++] = conn->id;
        }
    }
    return count;
}

void sim_net_ghosts_end(struct sim_net *net)
{
    for (int i = 0; i < CONN_MAX; i++) {
        if (net->conn[i].ghost) {
            release(net, &net->conn[i]);
        }
    }
}

static int choose_http(SSL *ssl, const unsigned char **out, unsigned char *out_length,
                       const unsigned char *in, unsigned int in_length, void *user)
{
    static const unsigned char ours[] = "\x08http/1.1";

    (void)ssl;
    (void)user;
    return SSL_select_next_proto((unsigned char **)(uintptr_t)out, out_length, ours, sizeof ours - 1, in,
                                 in_length) == OPENSSL_NPN_NEGOTIATED
               ? SSL_TLSEXT_ERR_OK
               : SSL_TLSEXT_ERR_NOACK;
}

struct sim_net *sim_net_new(const char *cert_file, const char *key_file, const struct sim_handlers *handlers,
                            char *error, size_t error_size)
{
    struct sim_net *net = calloc(1, sizeof *net);
    struct epoll_event event = { .events = EPOLLIN };

    if (net == NULL) {
        abort();
    }
    net->handlers = *handlers;
    net->next_generation = LISTEN_MAX;
    net->epoll = epoll_create1(EPOLL_CLOEXEC);
    net->timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    epoll_ctl(net->epoll, EPOLL_CTL_ADD, net->timer, &event);
    if (cert_file == NULL) {
        return net;
    }
    net->tls = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_min_proto_version(net->tls, TLS1_2_VERSION);
    SSL_CTX_set_mode(net->tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_session_id_context(net->tls, (const unsigned char *)"poise-sim", 9);
    SSL_CTX_set_alpn_select_cb(net->tls, choose_http, NULL);
    if (SSL_CTX_use_certificate_chain_file(net->tls, cert_file) != 1 ||
        SSL_CTX_use_PrivateKey_file(net->tls, key_file, SSL_FILETYPE_PEM) != 1) {
        snprintf(error, error_size, "%s, %s: not a certificate and its key", cert_file, key_file);
        sim_net_free(net);
        return NULL;
    }
    return net;
}

int sim_net_listen(struct sim_net *net, int port, bool tls, bool control)
{
    struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    socklen_t size = sizeof address;
    int one = 1;

    if (net->listener_count == LISTEN_MAX) {
        return -1;
    }
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) != 0 || listen(fd, 128) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) != 0) {
        close(fd);
        return -1;
    }
    struct epoll_event event = { .events = EPOLLIN };

    net->listener[net->listener_count] = (struct listener){ fd, tls, control };
    event.data.u64 = (uint64_t)++net->listener_count;
    epoll_ctl(net->epoll, EPOLL_CTL_ADD, fd, &event);
    return ntohs(address.sin_port);
}

void sim_net_free(struct sim_net *net)
{
    for (int i = 0; i < CONN_MAX; i++) {
        if (net->conn[i].state != CONN_FREE) {
            release(net, &net->conn[i]);
        }
    }
    for (int i = 0; i < net->listener_count; i++) {
        close(net->listener[i].fd);
    }
    if (net->tls != NULL) {
        SSL_CTX_free(net->tls);
    }
    close(net->timer);
    close(net->epoll);
    free(net);
}
