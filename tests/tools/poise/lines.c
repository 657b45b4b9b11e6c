#include "tests/tools/poise/lines.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

int lines_of(int (*command)(int argc, char **argv), const char *words, const char *input,
             char out[LINES_BYTES])
{
    char copy[512], *argument[16], *rest = copy;
    int count = 0, in[2], back[2], status = 0;
    snprintf(copy, sizeof copy, "%s", words);
    for (char *word; (word = strsep(&rest, " ")) != NULL;) {
        argument[count++] = word;
    }
    cr_assert(pipe(in) == 0 && pipe(back) == 0);
    cr_assert_lt(strlen(input), LINES_BYTES);
    cr_assert_eq(write(in[1], input, strlen(input)), (ssize_t)strlen(input));
    close(in[1]);
    pid_t child = fork();
    if (child == 0) {
        dup2(in[0], 0);
        dup2(back[1], 1);
        close(back[0]);
        int code = command(count, argument);
        fflush(stdout);
        _exit(code);
    }
    close(in[0]);
    close(back[1]);
    size_t bytes = 0;
    for (ssize_t got; (got = read(back[0], out + bytes, LINES_BYTES - 1 - bytes)) > 0;) {
        bytes += (size_t)got;
    }
    out[bytes] = '\0';
    close(back[0]);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status), "%s died: %d", words, status);
    return WEXITSTATUS(status);
}

const char *lines_at(const char *text, size_t n)
{
    static char line[LINES_BYTES];
    for (; n > 1 && text != NULL; n--) {
        text = strchr(text, '\n');
        text = text != NULL ? text + 1 : NULL;
    }
    snprintf(line, sizeof line, "%.*s", text != NULL ? (int)strcspn(text, "\n") : 0,
             text != NULL ? text : "");
    return line;
}
