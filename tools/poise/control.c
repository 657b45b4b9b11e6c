/* control: one command to a running engine, and its answer. */
#include "cold/control.h"
#include "tools/poise/commands.h"

#include <stdio.h>
#include <string.h>

/* The engine's cold thread may be waiting for a disk or a venue. */
enum { ANSWER_MS = 10000 };

static int usage(FILE *out, int code)
{
    fprintf(
        out,
        "usage: poise control SHARED_DIR COMMAND [INSTANCE] [--json]\n"
        "  stop     cancel quotes, hedge what is naked; without INSTANCE the engine leaves as on SIGTERM\n"
        "  halt     no new risk, everything cancelled; hedges that reduce go on\n"
        "  resume   after a halt, a pause or a flatten\n"
        "  pause    pull quotes, keep hedging\n"
        "  flatten  cancel everything and unwind what is held (see poise flatten)\n"
        "SHARED_DIR is engine.shared_dir of the configuration.  What became of it: poise monitor.\n"
        "exit codes: 0 the engine has it, 1 it refused, 2 bad arguments, 3 no engine there or no answer\n"
        "example: poise control /dev/shm/poise-1 pause btc\n");
    return code;
}

int control_main(int argc, char **argv)
{
    const char *word[3] = { NULL, NULL, "" };
    int count = 0;
    bool json = false;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            json = true;
        } else if (strcmp(argv[i], "--help") == 0) {
            return usage(stdout, EXIT_DONE);
        } else if (argv[i][0] == '-' || count == 3) {
            return usage(stderr, EXIT_USAGE);
        } else {
            word[count++] = argv[i];
        }
    }
    uint32_t command = count >= 2 ? control_command(word[1]) : 0;
    if (command == 0) {
        return usage(stderr, EXIT_USAGE);
    }
    char reply[CONTROL_REPLY_BYTES];
    enum control_answer answer = control_ask(word[0], command, word[2], ANSWER_MS, reply);
    static const char *const names[] = { [CONTROL_TAKEN] = "taken",
                                         [CONTROL_REFUSED] = "refused",
                                         [CONTROL_NOBODY] = "nobody",
                                         [CONTROL_SILENT] = "silent" };
    const char *why = answer == CONTROL_NOBODY    ? "no engine listens there"
                      : answer == CONTROL_SILENT  ? "no answer: the engine may have it or not"
                      : answer == CONTROL_REFUSED ? reply + 4
                                                  : "";
    if (json) {
        printf("{\"command\":\"%s\",\"answer\":\"%s\",\"why\":\"%s\"}\n", word[1], names[answer], why);
    }
    if (answer != CONTROL_TAKEN) {
        fprintf(stderr, "poise control: %s: %s\n", word[0], why);
    }
    return answer == CONTROL_TAKEN ? EXIT_DONE : answer == CONTROL_REFUSED ? EXIT_NO : EXIT_UNFIT;
}
