/* fake_conn: connections without sockets, for tests of roles: what a role sends is kept, and the test says
 * when a connection comes up, speaks, answers and goes.  It takes the place of hot/net/conn.c in the link. */
#ifndef POISE_TESTS_FAKE_CONN_H
#define POISE_TESTS_FAKE_CONN_H

#include "hot/net/conn.h"

#define FAKE_CONNS_MAX  32
#define FAKE_SENT_MAX   4096
#define FAKE_SENT_BYTES 1024
#define FAKE_OUTBOX     16384

struct fake_sent {
    struct conn *conn;
    bool is_request;
    size_t len;
    char text[FAKE_SENT_BYTES]; /* WebSocket payload, or "METHOD target\n" and the body */
};

struct fake_net {
    uint32_t conn_count;
    struct conn *conn[FAKE_CONNS_MAX];
    uint32_t sent_count;
    struct fake_sent sent[FAKE_SENT_MAX];
};

struct net; /* tests hand a struct fake_net as one */

struct conn {
    struct fake_net *net;
    enum conn_kind kind;
    enum conn_state state;
    char name[64], host[CONN_HOST_BYTES], path[CONN_PATH_BYTES];
    const struct conn_handler *handler;
    void *owner;
    bool doomed, closing, requested, refuse;
    uint32_t opens, drops;
    uint64_t heard_ns, hold_ns;
    uint8_t outbox[FAKE_OUTBOX];
};

struct fake_net *fake_net_create(void);
void fake_net_destroy(struct fake_net *net);

/* fake_find answers the conn of a kind to a host. */
struct conn *fake_find(struct fake_net *net, enum conn_kind kind, const char *host);

/* fake_up brings an opened conn up; fake_down takes it away (also carries out a drop or close). */
void fake_up(struct conn *conn, uint64_t now_ns);
void fake_down(struct conn *conn, uint64_t now_ns);
void fake_message(struct conn *conn, const void *bytes, size_t len, uint64_t now_ns);
void fake_response(struct conn *conn, int status, const char *headers, const void *body, size_t len,
                   uint64_t now_ns);

#endif
