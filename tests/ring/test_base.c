#include "ring/base.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <unistd.h>

static void leave_with_42(void *context)
{
    _exit(*(int *)context);
}

static void break_another(void *context)
{
    (void)context;
    POISE_ASSERT(1 + 1 == 3);
}

Test(base, a_kept_promise_costs_nothing_and_says_nothing)
{
    POISE_ASSERT(1 + 1 == 2);
}

Test(base, a_broken_promise_aborts_in_release_too, .signal = SIGABRT)
{
    POISE_ASSERT(1 + 1 == 3);
}

Test(base, the_hook_runs_before_the_abort, .exit_code = 42)
{
    static int code = 42;
    base_set_assert_hook(leave_with_42, &code);
    POISE_ASSERT(1 + 1 == 3);
}

Test(base, a_promise_broken_inside_the_hook_does_not_run_it_again, .signal = SIGABRT)
{
    base_set_assert_hook(break_another, NULL);
    POISE_ASSERT(1 + 1 == 3);
}

Test(base, sides_are_opposite_and_signed)
{
    cr_assert_eq(side_sign(SIDE_BUY), 1);
    cr_assert_eq(side_sign(SIDE_SELL), -1);
    cr_assert_eq(side_opposite(SIDE_BUY), SIDE_SELL);
    cr_assert_eq(side_opposite(SIDE_SELL), SIDE_BUY);
}

Test(base, the_smaller_the_larger_and_the_size)
{
    cr_assert_eq(base_min(-3, 2), -3);
    cr_assert_eq(base_max(-3, 2), 2);
    cr_assert_eq(base_abs(-INT64_MAX), INT64_MAX);
}
