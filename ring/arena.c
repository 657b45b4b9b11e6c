#include "ring/arena.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#if POISE_HAVE_NUMA
#include <numa.h>
#endif

#define HUGE_BYTES ((size_t)2 << 20)

static size_t round_up(size_t bytes, size_t step)
{
    return (bytes + step - 1) / step * step;
}

/* What can be had without pushing anything out; SIZE_MAX when the machine does not say. */
static size_t available_bytes(void)
{
    FILE *file = fopen("/proc/meminfo", "re");
    char line[128];
    size_t kib;
    size_t available = SIZE_MAX;
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "MemAvailable: %zu kB", &kib) == 1) {
            available = kib * 1024;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return available;
}

/* Before the first touch: pages settle where they are first written. */
static bool place(void *base, size_t bytes, int node)
{
    if (node < 0) {
        return true;
    }
#if POISE_HAVE_NUMA
    if (numa_available() >= 0) {
        if (node > numa_max_node()) {
            errno = EINVAL;
            return false;
        }
        numa_tonode_memory(base, bytes, node);
        return true;
    }
#endif
    (void)base;
    (void)bytes;
    /* A machine without nodes has one. */
    if (node != 0) {
        errno = EINVAL;
        return false;
    }
    return true;
}

/* In a process that locks what it will map (mlockall), pages come with the mapping, small ones: huge ones are
 * asked for while nothing may be there yet. */
static void *plain_pages(size_t bytes, bool want_huge)
{
    void *base = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (base == MAP_FAILED) {
        return base;
    }
    if (want_huge) {
        madvise(base, bytes, MADV_HUGEPAGE);
    }
    if (mprotect(base, bytes, PROT_READ | PROT_WRITE) != 0) {
        int why = errno;
        munmap(base, bytes);
        errno = why;
        return MAP_FAILED;
    }
    return base;
}

bool arena_create(struct arena *arena, size_t bytes, int node, bool want_huge)
{
    *arena = (struct arena){ .node = node };

    void *base = MAP_FAILED;
    size_t size = round_up(bytes == 0 ? 1 : bytes, HUGE_BYTES);
    if (want_huge) {
        /* Huge pages are reserved by the call itself: prefaulting them cannot fail later. */
        base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0);
        arena->huge = base != MAP_FAILED;
    }
    if (base == MAP_FAILED) {
        /* Plain pages are promised whether they exist or not, and the promise is called in by a kill:
         * ask first. */
        size = round_up(bytes == 0 ? 1 : bytes, (size_t)sysconf(_SC_PAGESIZE));
        if (size > available_bytes()) {
            errno = ENOMEM;
            return false;
        }
        base = plain_pages(size, want_huge);
        if (base == MAP_FAILED) {
            return false;
        }
    }
    if (!place(base, size, node)) {
        int why = errno;
        munmap(base, size);
        *arena = (struct arena){ .node = node };
        errno = why;
        return false;
    }
    arena->base = base;
    arena->bytes = size;
    arena->locked = mlock(base, size) == 0;
    memset(base, 0, size);
    return true;
}

void *arena_take(struct arena *arena, size_t bytes)
{
    POISE_ASSERT(!arena->sealed);
    POISE_ASSERT(bytes <= arena->bytes - arena->used);
    size_t taken = round_up(bytes, POISE_APART);
    void *memory = arena->base + arena->used;
    arena->used = taken <= arena->bytes - arena->used ? arena->used + taken : arena->bytes;
    return memory;
}

void arena_seal(struct arena *arena)
{
    arena->sealed = true;
}

void arena_destroy(struct arena *arena)
{
    if (arena->base != NULL) {
        munmap(arena->base, arena->bytes);
    }
    *arena = (struct arena){ .node = arena->node };
}
