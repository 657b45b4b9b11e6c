#include "ring/base.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void (*assert_hook)(void *context);
static void *assert_context;
static atomic_flag assert_entered = ATOMIC_FLAG_INIT;

void base_set_assert_hook(void (*hook)(void *context), void *context)
{
    assert_context = context;
    assert_hook = hook;
}

/* Plain write(2): the heap and stdio may be what broke. */
static void say(const char *text)
{
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written;
}

_Noreturn void base_assert_failed(const char *promise, const char *file, int line)
{
    char digits[12];
    size_t at = sizeof digits;
    unsigned rest = line > 0 ? (unsigned)line : 0;

    digits[--at] = '\0';
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);

    /* Said first: the hook may hang or crash, and then this line is all there is. */
    say(file);
    say(":");
    say(digits + at);
    say(": broken promise: ");
    say(promise);
    say("\n");

    if (!atomic_flag_test_and_set(&assert_entered) && assert_hook != NULL) {
        assert_hook(assert_context);
    }
    abort();
}
