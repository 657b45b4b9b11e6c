#include "ring/counters.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC 0x3153544e554f4370ULL /* "pCOUNTS1" */

/* Two writers never share a block: a line that one writes is never fetched for the other.  Each writer has
 * at most one block unfilled, so that blocks never run out before entries do. */
#define BLOCK_COUNTERS (POISE_APART / sizeof(counter))
#define BLOCK_MAX      (COUNTERS_MAX / BLOCK_COUNTERS + COUNTERS_WRITERS)

struct entry {
    char name[COUNTER_NAME_BYTES];
    uint32_t kind;
    uint32_t writer;
    uint32_t block;
    uint32_t word;
};

struct block {
    _Alignas(POISE_APART) counter word[BLOCK_COUNTERS];
};

struct counters {
    uint64_t magic;
    uint64_t bytes;                               /* of the whole mapping: another layout has another size */
    _Alignas(POISE_APART) _Atomic uint32_t count; /* entries readers may look at */
    _Atomic uint32_t histogram_count;
    uint32_t block_count;
    uint32_t writer_block[COUNTERS_WRITERS]; /* block + 1 that the writer is filling, 0 none */
    uint32_t writer_used[COUNTERS_WRITERS];
    struct entry entry[COUNTERS_MAX];
    struct block block[BLOCK_MAX];
    struct block scrap[COUNTERS_WRITERS + 1];       /* what did not fit, and nobody reads */
    struct histogram histogram[HISTOGRAMS_MAX + 1]; /* the last one is scrap */
};

static struct counters *map(int file, int protection)
{
    void *memory = mmap(NULL, sizeof(struct counters), protection, MAP_SHARED, file, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

struct counters *counters_create(const char *path)
{
    /* Made beside and moved over: a reader of the old file keeps the old one whole. */
    char beside[PATH_MAX];
    int length = snprintf(beside, sizeof beside, "%s.new", path);
    if (length < 0 || (size_t)length >= sizeof beside) {
        errno = ENAMETOOLONG;
        return NULL;
    }
    unlink(beside);
    int file = open(beside, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (file < 0) {
        return NULL;
    }
    struct counters *counters = NULL;
    int why = posix_fallocate(file, 0, sizeof(struct counters));
    if (why == 0) {
        counters = map(file, PROT_READ | PROT_WRITE);
        why = errno;
    }
    if (counters != NULL) {
        counters->bytes = sizeof(struct counters);
        counters->magic = MAGIC;
        if (rename(beside, path) != 0) {
            why = errno;
            munmap(counters, sizeof *counters);
            counters = NULL;
        }
    }
    close(file);
    if (counters == NULL) {
        unlink(beside);
        errno = why;
    }
    return counters;
}

struct counters *counters_open(const char *path)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) {
        return NULL;
    }
    struct stat status;
    struct counters *counters = NULL;
    int why = EPROTO;
    if (fstat(file, &status) != 0) {
        why = errno;
    } else if ((size_t)status.st_size == sizeof(struct counters)) {
        counters = map(file, PROT_READ);
        why = errno;
    }
    close(file);
    if (counters != NULL && (counters->magic != MAGIC || counters->bytes != sizeof(struct counters))) {
        munmap(counters, sizeof *counters);
        counters = NULL;
        why = EPROTO;
    }
    if (counters == NULL) {
        errno = why;
    }
    return counters;
}

void counters_close(struct counters *counters)
{
    if (counters != NULL) {
        munmap(counters, sizeof *counters);
    }
}

counter *counters_add(struct counters *counters, uint32_t writer, const char *name, enum counter_kind kind)
{
    POISE_ASSERT(writer < COUNTERS_WRITERS);

    uint32_t count = atomic_load_explicit(&counters->count, memory_order_relaxed);
    for (uint32_t i = 0; i < count; i++) {
        struct entry *entry = &counters->entry[i];
        if (entry->writer == writer && strncmp(entry->name, name, COUNTER_NAME_BYTES - 1) == 0) {
            return &counters->block[entry->block].word[entry->word];
        }
    }

    bool fresh = counters->writer_block[writer] == 0 || counters->writer_used[writer] == BLOCK_COUNTERS;
    if (count == COUNTERS_MAX) {
        return &counters->scrap[writer].word[0];
    }
    if (fresh) {
        counters->writer_block[writer] = ++counters->block_count;
        counters->writer_used[writer] = 0;
    }

    struct entry *entry = &counters->entry[count];
    snprintf(entry->name, sizeof entry->name, "%s", name);
    entry->kind = (uint32_t)kind;
    entry->writer = writer;
    entry->block = counters->writer_block[writer] - 1;
    entry->word = counters->writer_used[writer]++;
    /* edge D: the entry is whole before a reader may count it */
    atomic_store_explicit(&counters->count, count + 1, memory_order_release);
    return &counters->block[entry->block].word[entry->word];
}

struct histogram *counters_add_histogram(struct counters *counters, const char *name)
{
    uint32_t count = atomic_load_explicit(&counters->histogram_count, memory_order_relaxed);
    for (uint32_t i = 0; i < count; i++) {
        if (strncmp(counters->histogram[i].name, name, COUNTER_NAME_BYTES - 1) == 0) {
            return &counters->histogram[i];
        }
    }
    if (count == HISTOGRAMS_MAX) {
        return &counters->histogram[HISTOGRAMS_MAX];
    }
    struct histogram *histogram = &counters->histogram[count];
    snprintf(histogram->name, sizeof histogram->name, "%s", name);
    /* edge D: as above */
    atomic_store_explicit(&counters->histogram_count, count + 1, memory_order_release);
    return histogram;
}

uint32_t counters_count(const struct counters *counters)
{
    /* edge D: every entry below is whole */
    uint32_t count = atomic_load_explicit(&counters->count, memory_order_acquire);
    return count <= COUNTERS_MAX ? count : COUNTERS_MAX;
}

const char *counters_name(const struct counters *counters, uint32_t i)
{
    POISE_ASSERT(i < COUNTERS_MAX);
    return counters->entry[i].name;
}

enum counter_kind counters_kind(const struct counters *counters, uint32_t i)
{
    POISE_ASSERT(i < COUNTERS_MAX);
    return (enum counter_kind)counters->entry[i].kind;
}

int64_t counters_value(const struct counters *counters, uint32_t i)
{
    POISE_ASSERT(i < COUNTERS_MAX);
    const struct entry *entry = &counters->entry[i];
    return atomic_load_explicit(&counters->block[entry->block].word[entry->word], memory_order_relaxed);
}

int64_t counters_find(const struct counters *counters, const char *name, int64_t otherwise)
{
    uint32_t count = counters_count(counters);
    int64_t sum = 0;
    bool found = false;
    for (uint32_t i = 0; i < count; i++) {
        if (strncmp(counters->entry[i].name, name, COUNTER_NAME_BYTES - 1) != 0) {
            continue;
        }
        if (counters_kind(counters, i) != COUNTER_SUM) {
            return counters_value(counters, i);
        }
        sum += counters_value(counters, i);
        found = true;
    }
    return found ? sum : otherwise;
}

uint32_t counters_histogram_count(const struct counters *counters)
{
    /* edge D: every histogram below has its name */
    uint32_t count = atomic_load_explicit(&counters->histogram_count, memory_order_acquire);
    return count <= HISTOGRAMS_MAX ? count : HISTOGRAMS_MAX;
}

const struct histogram *counters_histogram(const struct counters *counters, uint32_t i)
{
    POISE_ASSERT(i < HISTOGRAMS_MAX);
    return &counters->histogram[i];
}
