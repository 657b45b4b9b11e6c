/* arena: memory of the hot roles, in place of ring/arena.c: an engine is born and dies thousands of times
 * here.
 *
 * One mapping serves all lives of an episode, in large pages where the machine has them: what the last one
 * used is made zero again, which is far cheaper than to have it mapped anew. */
#include "ring/arena.h"

#include <string.h>
#include <sys/mman.h>

enum { HUGE_BYTES = 2 << 20 };

static struct {
    unsigned char *base;
    size_t bytes, used;
} kept;

static bool keep(size_t bytes)
{
    if (kept.base != NULL) {
        munmap(kept.base, kept.bytes);
    }
    memset(&kept, 0, sizeof kept);
    kept.bytes = (bytes + HUGE_BYTES - 1) & ~(size_t)(HUGE_BYTES - 1);
    void *memory =
        mmap(NULL, kept.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) {
        return false;
    }
    (void)madvise(memory, kept.bytes, MADV_HUGEPAGE);
    kept.base = memory;
    return true;
}

bool arena_create(struct arena *arena, size_t bytes, int node, bool want_huge)
{
    (void)want_huge;
    memset(arena, 0, sizeof *arena);
    arena->bytes = (bytes + POISE_APART + 4095) & ~(size_t)4095;
    arena->node = node;
    if (kept.bytes < arena->bytes && !keep(arena->bytes)) {
        return false;
    }
    memset(kept.base, 0, kept.used);
    kept.used = 0;
    arena->base = kept.base;
    return true;
}

void *arena_take(struct arena *arena, size_t bytes)
{
    size_t whole = (bytes + POISE_APART - 1) & ~(size_t)(POISE_APART - 1);
    POISE_ASSERT(!arena->sealed && whole <= arena->bytes - arena->used);
    void *memory = arena->base + arena->used;
    arena->used += whole;
    kept.used = arena->used;
    return memory;
}

void arena_seal(struct arena *arena)
{
    arena->sealed = true;
}

void arena_destroy(struct arena *arena)
{
    memset(arena, 0, sizeof *arena);
}
