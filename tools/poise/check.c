/* check: what would the engine do with this file?  Reads it, prints every value with the line it comes from,
 * starts nothing and asks nobody. */
#include "config/config.h"
#include "tools/poise/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int check_main(int argc, char **argv)
{
    const char *path = NULL;
    const char *overrides[64] = { NULL };
    size_t override_count = 0;
    bool json = false, usage = argc < 2;
    for (int i = 1; i < argc && !usage; i++) {
        if (strcmp(argv[i], "--json") == 0) {
            json = true;
        } else if (strcmp(argv[i], "--set") == 0 && i + 1 < argc &&
                   override_count + 1 < POISE_COUNT_OF(overrides)) {
            overrides[override_count++] = argv[++i];
        } else if (argv[i][0] != '-' && path == NULL) {
            path = argv[i];
        } else {
            usage = true;
        }
    }
    if (usage || path == NULL) {
        bool help = argc > 1 && strcmp(argv[1], "--help") == 0;
        fprintf(help ? stdout : stderr,
                "usage: poise check FILE [--set key=value]... [--json]\n"
                "Prints every value with its source line, or every fault; exits 2 on a fault.\n"
                "example: poise check config/poise.toml\n");
        return help ? EXIT_DONE : EXIT_USAGE;
    }
    struct config *config = calloc(1, sizeof *config);
    if (config == NULL) {
        return EXIT_UNFIT;
    }
    bool good = config_load(config, path, overrides);
    if (good) {
        config_print(config, stdout, json);
    }
    for (uint32_t i = 0; i < config->fault_count && i < CONFIG_FAULTS_MAX; i++) {
        fprintf(stderr, "%s\n", config->fault[i].text);
    }
    if (!good) {
        fprintf(stderr, "%u fault%s; nothing was started.\n", config->fault_count,
                config->fault_count == 1 ? "" : "s");
    }
    config_free(config);
    free(config);
    return good ? EXIT_DONE : EXIT_USAGE;
}
