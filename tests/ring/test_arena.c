#include "ring/arena.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

Test(arena, memory_is_zeroed_and_apart)
{
    struct arena arena;
    cr_assert(arena_create(&arena, 1 << 20, -1, false));
    unsigned char *a = arena_take(&arena, 1);
    unsigned char *b = arena_take(&arena, 1000);
    unsigned char *c = arena_take(&arena, 8);
    cr_assert_eq((uintptr_t)a % POISE_APART, 0u);
    cr_assert_eq(b - a, POISE_APART);
    cr_assert_eq(c - b, 1024);
    for (int i = 0; i < 1000; i++) {
        cr_assert_eq(b[i], 0);
    }
    memset(b, 1, 1000);
    arena_destroy(&arena);
    cr_assert_null(arena.base);
}

Test(arena, all_that_was_measured_can_be_taken)
{
    struct arena arena;
    cr_assert(arena_create(&arena, 3 * POISE_APART, -1, false));
    size_t bytes = arena.bytes;
    cr_assert_geq(bytes, 3u * POISE_APART);
    cr_assert_not_null(arena_take(&arena, bytes - 1));
    cr_assert_eq(arena.used, bytes);
    arena_destroy(&arena);
}

Test(arena, a_refused_huge_page_is_told_and_not_an_error)
{
    struct arena arena;
    cr_assert(arena_create(&arena, 5 << 20, -1, true));
    cr_assert_geq(arena.bytes, 5u << 20);
    memset(arena_take(&arena, 5 << 20), 7, 5 << 20);
    arena_destroy(&arena);
}

Test(arena, node_zero_is_there_and_node_one_thousand_is_not)
{
    struct arena arena;
    cr_assert(arena_create(&arena, 4096, 0, false));
    cr_assert_eq(arena.node, 0);
    arena_destroy(&arena);
    cr_assert_not(arena_create(&arena, 4096, 1000, false));
    cr_assert_eq(errno, EINVAL);
    cr_assert_null(arena.base);
}

Test(arena, more_than_the_machine_has_is_refused_before_it_is_touched)
{
    struct arena arena;
    cr_assert_not(arena_create(&arena, (size_t)1 << 46, -1, false));
    cr_assert_eq(errno, ENOMEM);
    cr_assert_not(arena_create(&arena, (size_t)1 << 46, -1, true));
}

Test(arena, a_request_after_the_seal_is_a_broken_promise, .signal = SIGABRT)
{
    struct arena arena;
    if (arena_create(&arena, 1 << 16, -1, false)) {
        arena_take(&arena, 64);
        arena_seal(&arena);
        arena_take(&arena, 64);
    }
}

Test(arena, a_request_beyond_what_was_measured_is_a_broken_promise, .signal = SIGABRT)
{
    struct arena arena;
    if (arena_create(&arena, 1 << 16, -1, false)) {
        arena_take(&arena, (1 << 16) + 1);
    }
}
