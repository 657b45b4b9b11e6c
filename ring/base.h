/* base: the words every room uses: assertion, alignment, checked arithmetic.
 *
 * Any thread.  Nothing here allocates or blocks. */
#ifndef POISE_RING_BASE_H
#define POISE_RING_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POISE_LIKELY(x)   __builtin_expect(!!(x), 1)
#define POISE_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define POISE_COUNT_OF(a) (sizeof(a) / sizeof((a)[0]))

/* A processor fetches lines in pairs: words written by different threads stand this far apart. */
#define POISE_APART 128

__extension__ typedef __int128 int128;

/* POISE_ASSERT states what the programmer promised.  It stays in release builds: a broken promise about
 * money halts, cancels what rests, then aborts. */
#define POISE_ASSERT(promise)                                                                                \
    (POISE_LIKELY(promise) ? (void)0 : base_assert_failed(#promise, __FILE__, __LINE__))

/* base_assert_failed runs the hook once (never again from inside itself), writes the promise to standard
 * error with write(2) and aborts. */
_Noreturn void base_assert_failed(const char *promise, const char *file, int line);

/* base_set_assert_hook names what must happen between a broken promise and the abort: the engine's
 * emergency cancel.  The hook runs on the failing thread, may not return to trading and may not assert. */
void base_set_assert_hook(void (*hook)(void *context), void *context);

enum side { SIDE_BUY = 0, SIDE_SELL = 1 };

/* side_sign is +1 for a buy and -1 for a sell. */
static inline int64_t side_sign(enum side side)
{
    return side == SIDE_BUY ? 1 : -1;
}

static inline enum side side_opposite(enum side side)
{
    return side == SIDE_BUY ? SIDE_SELL : SIDE_BUY;
}

static inline int64_t base_abs(int64_t x)
{
    return x < 0 ? -x : x;
}

static inline int64_t base_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t base_max(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

#endif
