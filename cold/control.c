#include "cold/control.h"
#include "ring/names.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* People at terminals: more than a few at once is a mistake, and waits. */
enum { PEERS_MAX = 4, BACKLOG = 8 };

struct control {
    int listener;
    int peer[PEERS_MAX]; /* -1 free */
    control_carry carry;
    void *context;
    char path[sizeof((struct sockaddr_un *)0)->sun_path];
};

static bool address_of(const char *directory, struct sockaddr_un *address)
{
    *address = (struct sockaddr_un){ .sun_family = AF_UNIX };
    int bytes = snprintf(address->sun_path, sizeof address->sun_path, "%s/control", directory);
    return bytes > 0 && (size_t)bytes < sizeof address->sun_path;
}

uint32_t control_command(const char *name)
{
    for (uint32_t command = COMMAND_STOP; command < COMMAND_SHIFT_FAIR; command++) {
        if (strcmp(command_names[command], name) == 0) {
            return command;
        }
    }
    return 0;
}

/* ------------------------------------------------------------------ the engine's side */

struct control *control_open(const char *directory, control_carry carry, void *context, char *error,
                             size_t error_bytes)
{
    struct sockaddr_un address;
    char reply[CONTROL_REPLY_BYTES];
    if (!address_of(directory, &address)) {
        snprintf(error, error_bytes, "%s/control: longer than a socket's name may be", directory);
        return NULL;
    }
    /* What a killed engine left is only a name; a name that somebody answers at is not ours to take. */
    if (control_ask(directory, 0, "", 0, reply) != CONTROL_NOBODY) {
        snprintf(error, error_bytes, "%s: another engine listens there", address.sun_path);
        return NULL;
    }
    unlink(address.sun_path);
    struct control *control = calloc(1, sizeof *control);
    if (control == NULL) {
        snprintf(error, error_bytes, "no memory for commands");
        return NULL;
    }
    control->listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    mode_t mask = umask(0177);
    bool bound = control->listener >= 0 &&
                 bind(control->listener, (const struct sockaddr *)&address, sizeof address) == 0;
    umask(mask);
    if (!bound || listen(control->listener, BACKLOG) != 0) {
        snprintf(error, error_bytes, "%s: %s", address.sun_path, strerror(errno));
        if (control->listener >= 0) {
            close(control->listener);
        }
        free(control);
        return NULL;
    }
    control->carry = carry;
    control->context = context;
    memcpy(control->path, address.sun_path, sizeof control->path);
    for (int i = 0; i < PEERS_MAX; i++) {
        control->peer[i] = -1;
    }
    return control;
}

void control_close(struct control *control)
{
    if (control == NULL) {
        return;
    }
    for (int i = 0; i < PEERS_MAX; i++) {
        if (control->peer[i] >= 0) {
            close(control->peer[i]);
        }
    }
    close(control->listener);
    unlink(control->path);
    free(control);
}

static void answer(struct control *control, int at, const char *text)
{
    /* Who does not read the answer goes without: nothing here waits. */
    (void)!send(control->peer[at], text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static bool is_ours(int peer)
{
    struct ucred credentials;
    socklen_t bytes = sizeof credentials;
    return getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) == 0 &&
           (credentials.uid == geteuid() || credentials.uid == 0);
}

static void serve(struct control *control, int at, char *text)
{
    struct control_word word = { 0 };
    char reply[CONTROL_REPLY_BYTES], why[CONTROL_REPLY_BYTES - 8] = "it cannot be done now";
    char *instance = strchr(text, ' ');
    if (instance != NULL) {
        *instance++ = 0;
    }
    word.command = control_command(text);
    if (word.command == 0) {
        answer(control, at, "no: not a command; there are stop, halt, resume, pause and flatten");
        return;
    }
    if (instance != NULL && strlen(instance) >= sizeof word.instance) {
        answer(control, at, "no: no instance has so long a name");
        return;
    }
    snprintf(word.instance, sizeof word.instance, "%s", instance != NULL ? instance : "");
    if (control->carry(control->context, &word, why, sizeof why)) {
        answer(control, at, "ok");
        return;
    }
    snprintf(reply, sizeof reply, "no: %s", why);
    answer(control, at, reply);
}

static void accept_peers(struct control *control)
{
    for (int i = 0; i < PEERS_MAX; i++) {
        if (control->peer[i] >= 0) {
            continue;
        }
        control->peer[i] = accept4(control->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (control->peer[i] < 0) {
            return;
        }
        if (!is_ours(control->peer[i])) {
            close(control->peer[i]);
            control->peer[i] = -1;
        }
    }
}

void control_step(struct control *control)
{
    if (control == NULL) {
        return;
    }
    accept_peers(control);
    for (int i = 0; i < PEERS_MAX; i++) {
        char text[CONTROL_REPLY_BYTES];
        if (control->peer[i] < 0) {
            continue;
        }
        ssize_t bytes = recv(control->peer[i], text, sizeof text - 1, MSG_DONTWAIT);
        if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) {
            continue;
        }
        if (bytes > 0) {
            text[bytes] = 0;
            serve(control, i, text);
            continue;
        }
        close(control->peer[i]);
        control->peer[i] = -1;
    }
}

/* ------------------------------------------------------------------ the other terminal */

enum control_answer control_ask(const char *directory, uint32_t command, const char *instance, int timeout_ms,
                                char reply[CONTROL_REPLY_BYTES])
{
    struct sockaddr_un address;
    reply[0] = 0;
    if (!address_of(directory, &address)) {
        return CONTROL_NOBODY;
    }
    int peer = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (peer < 0) {
        return CONTROL_NOBODY;
    }
    enum control_answer result = CONTROL_SILENT;
    if (connect(peer, (const struct sockaddr *)&address, sizeof address) != 0) {
        /* a full queue is somebody who does not answer */
        result = errno == EAGAIN ? CONTROL_SILENT : CONTROL_NOBODY;
        close(peer);
        return result;
    }
    char text[CONTROL_WORD_BYTES + 32];
    int bytes = snprintf(text, sizeof text, "%s%s%s", command < COMMAND_COUNT ? command_names[command] : "?",
                         instance[0] != 0 ? " " : "", instance);
    struct pollfd ready = { .fd = peer, .events = POLLIN };
    if (command != 0 && bytes > 0 && (size_t)bytes < sizeof text &&
        send(peer, text, (size_t)bytes, MSG_NOSIGNAL) == bytes && poll(&ready, 1, timeout_ms) == 1) {
        ssize_t got = recv(peer, reply, CONTROL_REPLY_BYTES - 1, MSG_DONTWAIT);
        if (got > 0) {
            reply[got] = 0;
            result = strcmp(reply, "ok") == 0 ? CONTROL_TAKEN : CONTROL_REFUSED;
        }
    }
    close(peer);
    return result;
}
