/* sim_net: a small server: TLS or plain, HTTP/1.1 and WebSocket on one port, one thread.
 *
 * It exists because the venue signs the query exactly as it was sent: the request target must reach the
 * signature check byte for byte (see the room's README for what a general server library did to it).
 * It also lets a fault cut a connection at any byte.  Nothing here knows a venue.
 *
 * The caller runs sim_net_wait in a loop; handlers run inside it.  A connection is named by its id, which is
 * never reused, so that a delayed reply to a dead connection goes nowhere. */
#ifndef TOOLS_SIM_SIM_NET_H
#define TOOLS_SIM_SIM_NET_H

#include "tools/sim/sim_text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct sim_net;

struct sim_request {
    uint64_t conn;
    bool control; /* came in on the control port */
    const char *verb;
    const char *path;          /* as sent, without the query */
    const char *query;         /* as sent, "" when absent */
    const char *host;          /* without the port, lower case */
    const char *key;           /* X-MBX-APIKEY, "" when absent */
    const char *authorization; /* "" when absent */
    const char *body;
    size_t body_length;
};

struct sim_handlers {
    void *user;
    /* Called once each time sim_net_wait wakes, before anything else: the moment to look at the clock. */
    void (*woke)(void *user);
    /* One request; the reply goes out by sim_net_reply, now or later.  The next request on the connection
     * is read only after it. */
    void (*request)(void *user, const struct sim_request *request);
    /* A WebSocket upgrade; answer a pointer to be kept with the connection, or NULL to refuse: with 404, or
     * with what the handler itself answered by sim_net_reply. */
    void *(*open)(void *user, const struct sim_request *request);
    void (*message)(void *user, uint64_t conn, void *session, const char *text, size_t length);
    /* A ping or pong arrived (limits count them); the pong to a ping is sent already. */
    void (*control_frame)(void *user, uint64_t conn, void *session, bool pong);
    void (*closed)(void *user, uint64_t conn, void *session);
    /* The other side, or the wire, ended a WebSocket: sim_net_session answers NULL from here on, closed comes
     * later.  May be NULL. */
    void (*lost)(void *user, uint64_t conn);
};

/* sim_net_new makes a server with certificate and key files; NULL with a sentence in error. */
struct sim_net *sim_net_new(const char *cert_file, const char *key_file, const struct sim_handlers *handlers,
                            char *error, size_t error_size);
void sim_net_free(struct sim_net *net);

/* sim_net_listen opens a loopback port (0: any) and answers the port, -1 on failure. */
int sim_net_listen(struct sim_net *net, int port, bool tls, bool control);

/* sim_net_wait sends what is pending, sleeps until something arrives or wake_ns (CLOCK_MONOTONIC) and runs
 * the handlers.  A signal ends the sleep. */
void sim_net_wait(struct sim_net *net, int64_t wake_ns);

/* sim_net_reply answers the open request of a connection; headers are whole lines or "". */
void sim_net_reply(struct sim_net *net, uint64_t conn, int status, const char *headers, const char *type,
                   const char *body, size_t length);

/* sim_net_text sends one WebSocket text message, sim_net_ping a ping. */
void sim_net_text(struct sim_net *net, uint64_t conn, const char *text, size_t length);
void sim_net_ping(struct sim_net *net, uint64_t conn, const char *payload, size_t length);

/* sim_net_close sends a close frame and ends the connection; sim_net_cut resets it without a word. */
void sim_net_close(struct sim_net *net, uint64_t conn, int code, const char *reason);
void sim_net_cut(struct sim_net *net, uint64_t conn);

/* In process, without a socket and without sim_net_wait (tests/sim): a pipe is a plain connection whose bytes
 * the caller carries, so that he may cut, delay or lose them anywhere.  None of these is called from inside a
 * handler.  sim_net_pipe opens one and answers its id, 0 when there is no place; sim_net_give hands over what
 * arrived and runs the handlers; sim_net_take appends what is to be sent and answers false when the
 * connection is over on this side and nothing more will come; sim_net_hang_up tells that the other side is
 * gone. */
uint64_t sim_net_pipe(struct sim_net *net);
void sim_net_give(struct sim_net *net, uint64_t id, const void *bytes, size_t length);
bool sim_net_take(struct sim_net *net, uint64_t id, struct sim_text *out);
void sim_net_hang_up(struct sim_net *net, uint64_t id);

/* Ghosts (sim_diary): connections of an earlier life of the process, played back.  The handlers run as they
 * did, what is sent to a ghost goes nowhere, and new connections get ids beyond theirs.  request is a whole
 * one with its conn; sim_net_ghosts writes the WebSockets still open and answers how many, sim_net_ghosts_end
 * forgets the rest. */
void sim_net_ghost_request(struct sim_net *net, const struct sim_request *request, bool upgrade);
void sim_net_ghost_message(struct sim_net *net, uint64_t conn, const char *text, size_t length);
void sim_net_ghost_control_frame(struct sim_net *net, uint64_t conn, bool pong);
void sim_net_ghost_lost(struct sim_net *net, uint64_t conn);
void sim_net_ghost_closed(struct sim_net *net, uint64_t conn);
size_t sim_net_ghosts(const struct sim_net *net, uint64_t *conn, size_t most);
void sim_net_ghosts_end(struct sim_net *net);

/* sim_net_session answers what open() returned, NULL for a connection gone or not a WebSocket. */
void *sim_net_session(struct sim_net *net, uint64_t conn);

#endif
