/* commands: the subcommands of poise, one entry point each.
 *
 * Exit codes are the same everywhere: see enum poise_exit. */
#ifndef POISE_TOOLS_POISE_COMMANDS_H
#define POISE_TOOLS_POISE_COMMANDS_H

enum poise_exit {
    EXIT_DONE = 0,
    EXIT_NO = 1,      /* the answer is "no": a difference, a failed check */
    EXIT_USAGE = 2,   /* bad arguments or configuration */
    EXIT_UNFIT = 3,   /* unfit host or missing service */
    EXIT_RECOVERY = 4 /* recovery refused */
};

int run_main(int argc, char **argv);
int check_main(int argc, char **argv);
int host_main(int argc, char **argv);
int monitor_main(int argc, char **argv);
int journal_main(int argc, char **argv);
int replay_main(int argc, char **argv);
int report_main(int argc, char **argv);
int decode_main(int argc, char **argv);
int encode_main(int argc, char **argv);
int sign_main(int argc, char **argv);
int control_main(int argc, char **argv);
int flatten_main(int argc, char **argv);

#endif
