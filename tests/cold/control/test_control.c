#include "cold/control.h"
#include "ring/names.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char directory[] = "/tmp/poise-control-XXXXXX";
static char path[64];
static char error[256];
static struct control *control;
static struct control_word carried[8];
static int carried_count;
static const char *refuse;

static bool carry(void *context, const struct control_word *word, char *why, size_t why_bytes)
{
    cr_assert_eq(context, &carried_count);
    if (refuse != NULL) {
        snprintf(why, why_bytes, "%s", refuse);
        return false;
    }
    carried[carried_count++] = *word;
    return true;
}

static void begin(void)
{
    cr_assert_not_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/control", directory);
    control = control_open(directory, carry, &carried_count, error, sizeof error);
    cr_assert_not_null(control, "%s", error);
}

static void end(void)
{
    control_close(control);
    unlink(path);
    rmdir(directory);
}

TestSuite(control, .init = begin, .fini = end);

static int dial(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int peer = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0);
    cr_assert_eq(connect(peer, (const struct sockaddr *)&address, sizeof address), 0);
    return peer;
}

/* Says one message over a raw socket and answers what came back. */
static const char *say(const char *text, size_t bytes)
{
    static char reply[CONTROL_REPLY_BYTES];
    int peer = dial();
    cr_assert_eq(send(peer, text, bytes, 0), (ssize_t)bytes);
    control_step(control);
    ssize_t got = recv(peer, reply, sizeof reply - 1, 0);
    reply[got > 0 ? got : 0] = 0;
    close(peer);
    control_step(control); /* sees it gone */
    return reply;
}

Test(control, a_command_for_all_and_one_for_an_instance_are_carried)
{
    cr_assert_str_eq(say("halt", 4), "ok");
    cr_assert_str_eq(say("flatten btc", 11), "ok");
    cr_assert_eq(carried_count, 2);
    cr_assert_eq(carried[0].command, COMMAND_HALT);
    cr_assert_str_eq(carried[0].instance, "");
    cr_assert_eq(carried[1].command, COMMAND_FLATTEN);
    cr_assert_str_eq(carried[1].instance, "btc");
}

Test(control, each_command_has_its_name_and_no_other_text_has_one)
{
    for (uint32_t command = COMMAND_STOP; command < COMMAND_SHIFT_FAIR; command++) {
        cr_assert_eq(control_command(command_names[command]), command);
    }
    cr_assert_eq(control_command("shift_fair"), 0);
    cr_assert_eq(control_command("none"), 0);
    cr_assert_eq(control_command(""), 0);
}

Test(control, what_is_no_command_is_refused_and_carries_nothing)
{
    char longest[200];
    memset(longest, 'x', sizeof longest);
    memcpy(longest, "halt ", 5);
    cr_assert_eq(strncmp(say("sell everything", 15), "no: ", 4), 0);
    cr_assert_eq(strncmp(say("halt\0", 5), "ok", 2), 0);
    carried_count = 0;
    cr_assert_eq(strncmp(say("HALT", 4), "no: ", 4), 0);
    cr_assert_eq(strncmp(say(longest, sizeof longest), "no: no instance", 15), 0);
    cr_assert_eq(carried_count, 0);
}

Test(control, a_refusal_says_why)
{
    refuse = "no instance is called eth";
    cr_assert_str_eq(say("pause eth", 9), "no: no instance is called eth");
}

Test(control, only_the_owner_can_reach_it)
{
    struct stat entry;
    cr_assert_eq(stat(path, &entry), 0);
    cr_assert_eq(entry.st_mode & 0777, 0600);
    cr_assert(S_ISSOCK(entry.st_mode));
}

Test(control, more_peers_than_places_wait_and_are_served)
{
    int peer[7];
    char reply[8];
    for (int i = 0; i < 7; i++) {
        peer[i] = dial();
        cr_assert_eq(send(peer[i], "pause", 5, 0), 5);
    }
    for (int i = 0; i < 7; i++) {
        control_step(control);
        cr_assert_eq(recv(peer[i], reply, sizeof reply, 0), 2, "peer %d", i);
        close(peer[i]);
        control_step(control);
    }
    cr_assert_eq(carried_count, 7);
}

Test(control, a_peer_that_leaves_at_once_or_never_reads_disturbs_nobody)
{
    close(dial());
    int silent = dial();
    control_step(control);
    for (int i = 0; i < 6; i++) {
        send(silent, "pause", 5, MSG_DONTWAIT);
    }
    for (int i = 0; i < 12; i++) {
        control_step(control);
    }
    carried_count = 0;
    cr_assert_str_eq(say("resume", 6), "ok");
    close(silent);
}

Test(control, a_name_left_by_a_killed_engine_is_taken_over_and_a_living_one_is_not)
{
    char other[256];
    cr_assert_null(control_open(directory, carry, &carried_count, other, sizeof other));
    cr_assert_not_null(strstr(other, "another engine"));
    control_close(control);
    /* a socket file that nobody listens at */
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int dead = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    cr_assert_eq(bind(dead, (const struct sockaddr *)&address, sizeof address), 0);
    close(dead);
    char reply[CONTROL_REPLY_BYTES];
    cr_assert_eq(control_ask(directory, COMMAND_HALT, "", 0, reply), CONTROL_NOBODY);
    control = control_open(directory, carry, &carried_count, error, sizeof error);
    cr_assert_not_null(control, "%s", error);
    cr_assert_str_eq(say("halt", 4), "ok");
}

static atomic_bool leave;

static void *serve(void *unused)
{
    (void)unused;
    while (!atomic_load(&leave)) {
        control_step(control);
        sched_yield();
    }
    return NULL;
}

Test(control, the_other_terminal_asks_and_learns_what_became_of_it)
{
    char reply[CONTROL_REPLY_BYTES];
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, serve, NULL), 0);
    cr_assert_eq(control_ask(directory, COMMAND_FLATTEN, "btc", 10000, reply), CONTROL_TAKEN);
    refuse = "it is stopping";
    cr_assert_eq(control_ask(directory, COMMAND_RESUME, "", 10000, reply), CONTROL_REFUSED);
    cr_assert_str_eq(reply, "no: it is stopping");
    atomic_store(&leave, true);
    pthread_join(thread, NULL);
    cr_assert_eq(carried_count, 1);
    cr_assert_str_eq(carried[0].instance, "btc");
}

Test(control, an_engine_that_does_not_answer_is_not_taken_for_one_that_did)
{
    char reply[CONTROL_REPLY_BYTES];
    cr_assert_eq(control_ask(directory, COMMAND_HALT, "", 0, reply), CONTROL_SILENT);
    control_close(control);
    control = NULL;
    cr_assert_eq(control_ask(directory, COMMAND_HALT, "", 0, reply), CONTROL_NOBODY);
}

Test(control, a_directory_with_too_long_a_name_is_said)
{
    char far[160];
    memset(far, 'd', sizeof far - 1);
    far[0] = '/';
    far[sizeof far - 1] = 0;
    cr_assert_null(control_open(far, carry, NULL, error, sizeof error));
    cr_assert_not_null(strstr(error, "longer than"));
}
