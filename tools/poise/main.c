/* poise: one binary, one subcommand a task. */
#include "ring/base.h"
#include "tools/poise/commands.h"

#include <stdio.h>
#include <string.h>

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *what;
    const char *example;
};

/* clang-format off */
static const struct command commands[] = {
    { "run",     run_main,     "trade what the configuration says",                       "poise run config/poise.toml" },
    { "check",   check_main,   "print every value with its source line, start nothing",  "poise check config/poise.toml" },
    { "host",    host_main,    "is this server fit, and what to do about it",            "poise host" },
    { "monitor", monitor_main, "watch a running engine",                                 "poise monitor /dev/shm/poise-1" },
    { "control", control_main, "stop, halt, resume, pause or flatten a running engine",   "poise control /dev/shm/poise-1 pause btc" },
    { "flatten", flatten_main, "cancel all and unwind, engine alive or dead",             "poise flatten config/poise.toml" },
    { "journal", journal_main, "print the records of a journal",                         "poise journal state/journal --type fill" },
    { "replay",  replay_main,  "run a journal again and compare every byte",             "poise replay state/journal" },
    { "report",  report_main,  "statement of account: cash, positions, profit and its parts", "poise report state --ledger" },
    { "decode",  decode_main,  "venue messages to normalised records",                   "poise decode binance --kind linear < frames" },
    { "encode",  encode_main,  "intents to the bytes the engine would send",             "poise encode binance --time 1 --key k.toml < intents" },
    { "sign",    sign_main,    "sign a request made elsewhere",                          "poise sign binance --key k.toml --time 1 < requests" },
};
/* clang-format on */

static void usage(FILE *out)
{
    fprintf(out, "poise: delta-neutral trading engine\n\nusage: poise COMMAND [ARGUMENTS]; poise COMMAND "
                 "--help tells more\n\n");
    for (size_t i = 0; i < POISE_COUNT_OF(commands); i++) {
        fprintf(out, "  %-8s %-56s e.g. %s\n", commands[i].name, commands[i].what, commands[i].example);
    }
    fprintf(
        out,
        "\nexit codes: 0 done, 1 the answer is no, 2 bad arguments or configuration, 3 unfit host or missing "
        "service, 4 recovery refused\n");
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0) {
        usage(stdout);
        return EXIT_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("poise %s\n", POISE_BUILD_ID);
        return EXIT_DONE;
    }
    for (size_t i = 0; i < POISE_COUNT_OF(commands); i++) {
        if (strcmp(argv[1], commands[i].name) == 0) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    fprintf(stderr, "poise: no command '%s'; poise --help lists them\n", argv[1]);
    return EXIT_USAGE;
}
