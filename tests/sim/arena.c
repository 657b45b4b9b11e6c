/* arena: memory of the hot roles that is touched only when it is used, in place of ring/arena.c: an engine is
 * born and dies thousands of times here. */
#include "ring/arena.h"

#include <string.h>
#include <sys/mman.h>

bool arena_create(struct arena *arena, size_t bytes, int node, bool want_huge)
{
    (void)want_huge;
    memset(arena, 0, sizeof *arena);
    arena->bytes = (bytes + POISE_APART + 4095) & ~(size_t)4095;
    arena->node = node;
    arena->base =
        mmap(NULL, arena->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (arena->base == MAP_FAILED) {
        arena->base = NULL;
        return false;
    }
    return true;
}

void *arena_take(struct arena *arena, size_t bytes)
{
    size_t whole = (bytes + POISE_APART - 1) & ~(size_t)(POISE_APART - 1);
    POISE_ASSERT(!arena->sealed && whole <= arena->bytes - arena->used);
    void *memory = arena->base + arena->used;
    arena->used += whole;
    return memory;
}

void arena_seal(struct arena *arena)
{
    arena->sealed = true;
}

void arena_destroy(struct arena *arena)
{
    munmap(arena->base, arena->bytes);
    memset(arena, 0, sizeof *arena);
}
