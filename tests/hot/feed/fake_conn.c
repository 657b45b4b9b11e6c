#include "tests/hot/feed/fake_conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_net *fake_net_create(void)
{
    return calloc(1, sizeof(struct fake_net));
}

void fake_net_destroy(struct fake_net *net)
{
    for (uint32_t i = 0; i < net->conn_count; i++) {
        free(net->conn[i]);
    }
    free(net);
}

struct conn *conn_create(struct net *net, const struct conn_options *options,
                         const struct conn_handler *handler, void *owner, char *error, size_t error_bytes)
{
    struct fake_net *fake = (struct fake_net *)(void *)net;
    if (fake->conn_count == FAKE_CONNS_MAX) {
        snprintf(error, error_bytes, "no place");
        return NULL;
    }
    struct conn *conn = calloc(1, sizeof *conn);
    conn->net = fake;
    conn->kind = options->kind;
    conn->handler = handler;
    conn->owner = owner;
    snprintf(conn->name, sizeof conn->name, "%s", options->name);
    snprintf(conn->host, sizeof conn->host, "%s", options->host);
    snprintf(conn->path, sizeof conn->path, "%s", options->path);
    fake->conn[fake->conn_count++] = conn;
    return conn;
}

struct conn *fake_find(struct fake_net *net, enum conn_kind kind, const char *host)
{
    for (uint32_t i = 0; i < net->conn_count; i++) {
        if (net->conn[i]->kind == kind && strcmp(net->conn[i]->host, host) == 0) {
            return net->conn[i];
        }
    }
    return NULL;
}

void fake_up(struct conn *conn, uint64_t now_ns)
{
    conn->state = CONN_LOGIN;
    conn->heard_ns = now_ns;
    conn->handler->on_ready(conn->owner, conn, now_ns);
    if (conn->kind == CONN_HTTP) {
        conn->state = CONN_LIVE;
    }
}

void fake_down(struct conn *conn, uint64_t now_ns)
{
    conn->state = conn->closing ? CONN_CLOSED : CONN_BACKOFF;
    conn->doomed = conn->requested = false;
    conn->handler->on_down(conn->owner, conn, CONN_REASON_NETWORK, now_ns);
}

void fake_message(struct conn *conn, const void *bytes, size_t len, uint64_t now_ns)
{
    uint8_t *copy = malloc(len + 128);
    memset(copy, 0, len + 128);
    memcpy(copy + 64, bytes, len);
    conn->heard_ns = now_ns;
    conn->handler->on_message(conn->owner, conn, copy + 64, len, false, now_ns);
    free(copy);
}

void fake_response(struct conn *conn, int status, const char *headers, const void *body, size_t len,
                   uint64_t now_ns)
{
    char head[1024];
    int head_len = snprintf(head, sizeof head, "HTTP/1.1 %d X\r\n%s\r\n", status, headers);
    uint8_t *copy = calloc(1, len + 128);
    memcpy(copy + 64, body, len);
    struct http_response response = {
        .status = status,
        .head = (const uint8_t *)head,
        .head_len = (size_t)head_len,
        .body = copy + 64,
        .body_len = len,
        .keep_alive = true,
    };
    conn->heard_ns = now_ns;
    conn->requested = false;
    conn->handler->on_response(conn->owner, conn, &response, now_ns);
    free(copy);
}

static bool is_up(const struct conn *conn)
{
    return conn->state >= CONN_LOGIN && conn->state <= CONN_STALE && !conn->doomed;
}

static void keep(struct conn *conn, bool is_request, const char *text, size_t len)
{
    struct fake_net *net = conn->net;
    if (net->sent_count == FAKE_SENT_MAX) {
        abort();
    }
    struct fake_sent *sent = &net->sent[net->sent_count++];
    sent->conn = conn;
    sent->is_request = is_request;
    sent->len = len < FAKE_SENT_BYTES ? len : FAKE_SENT_BYTES - 1;
    memcpy(sent->text, text, sent->len);
    sent->text[sent->len] = 0;
}

void conn_open(struct conn *conn, uint64_t now_ns)
{
    (void)now_ns;
    conn->state = CONN_CONNECTING;
    conn->closing = false;
    conn->opens++;
}

void conn_close(struct conn *conn, uint64_t now_ns)
{
    (void)now_ns;
    conn->closing = true;
    conn->doomed = true;
}

void conn_drop(struct conn *conn, uint64_t now_ns)
{
    (void)now_ns;
    conn->drops++;
    conn->doomed = true;
}

void conn_logged_in(struct conn *conn, uint64_t now_ns)
{
    (void)now_ns;
    conn->state = CONN_SUBSCRIBING;
}

void conn_subscribed(struct conn *conn, uint64_t now_ns)
{
    (void)now_ns;
    conn->state = CONN_LIVE;
}

uint8_t *conn_frame_begin(struct conn *conn)
{
    return is_up(conn) ? conn->outbox : NULL;
}

enum conn_answer conn_frame_commit(struct conn *conn, size_t len, bool binary)
{
    (void)binary;
    if (!is_up(conn) || conn->refuse) {
        return CONN_NOT_UP;
    }
    keep(conn, false, (const char *)conn->outbox, len);
    memset(conn->outbox, 0xee, len); /* masked: what was written is lost */
    return CONN_OK;
}

enum conn_answer conn_send_text(struct conn *conn, const uint8_t *bytes, size_t len)
{
    if (!is_up(conn)) {
        return CONN_NOT_UP;
    }
    keep(conn, false, (const char *)bytes, len);
    return CONN_OK;
}

enum conn_answer conn_send_binary(struct conn *conn, const uint8_t *bytes, size_t len)
{
    return conn_send_text(conn, bytes, len);
}

bool conn_can_request(const struct conn *conn)
{
    return is_up(conn) && conn->kind == CONN_HTTP && !conn->requested;
}

enum conn_answer conn_request(struct conn *conn, const char *method, const char *target, const char *headers,
                              const uint8_t *body, size_t body_len, uint64_t now_ns)
{
    (void)headers;
    (void)now_ns;
    if (!is_up(conn)) {
        return CONN_NOT_UP;
    }
    if (conn->requested) {
        return CONN_BUSY;
    }
    char text[FAKE_SENT_BYTES];
    int len = snprintf(text, sizeof text, "%s %s\n%.*s", method, target, (int)body_len,
                       body != NULL ? (const char *)body : "");
    conn->requested = true;
    keep(conn, true, text, (size_t)len);
    return CONN_OK;
}

void conn_hold(struct conn *conn, uint64_t until_ns)
{
    conn->hold_ns = until_ns;
}

bool conn_set_path(struct conn *conn, const char *path)
{
    snprintf(conn->path, sizeof conn->path, "%s", path);
    return true;
}

enum conn_state conn_state(const struct conn *conn)
{
    return conn->state;
}

uint64_t conn_heard_ns(const struct conn *conn)
{
    return conn->heard_ns;
}
