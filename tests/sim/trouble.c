#include "tests/sim/trouble.h"

#include "tests/sim/time.h"

#include <stdlib.h>
#include <string.h>

enum { KINDS_MAX = 64, KIND_BYTES = 24 };

static struct {
    uint32_t count;
    struct {
        char name[KIND_BYTES];
        uint64_t began, until_ns;
    } kind[KINDS_MAX];
    uint64_t met[KINDS_MAX][KINDS_MAX]; /* the lower number first */
} trouble;

void trouble_start(void)
{
    memset(&trouble, 0, sizeof trouble);
}

static uint32_t kind_of(const char *name)
{
    for (uint32_t i = 0; i < trouble.count; i++) {
        if (strcmp(trouble.kind[i].name, name) == 0) {
            return i;
        }
    }
    POISE_ASSERT(trouble.count < KINDS_MAX);
    snprintf(trouble.kind[trouble.count].name, KIND_BYTES, "%s", name);
    return trouble.count++;
}

void trouble_begins(const char *name, uint64_t until_ns)
{
    uint32_t at = kind_of(name);
    trouble.kind[at].began++;
    for (uint32_t i = 0; i < trouble.count; i++) {
        if (i != at && trouble.kind[i].until_ns > time_now.now_ns) {
            trouble.met[i < at ? i : at][i < at ? at : i]++;
        }
    }
    if (until_ns > trouble.kind[at].until_ns) {
        trouble.kind[at].until_ns = until_ns;
    }
}

void trouble_ends(const char *name)
{
    trouble.kind[kind_of(name)].until_ns = 0;
}

void trouble_is(const char *name, bool on)
{
    bool was = trouble.kind[kind_of(name)].until_ns == UINT64_MAX;
    if (on && !was) {
        trouble_begins(name, UINT64_MAX);
    } else if (!on && was) {
        trouble_ends(name);
    }
}

void trouble_spec(const char *spec)
{
    char name[KIND_BYTES];
    const char *window = strstr(spec, "for=");
    snprintf(name, sizeof name, "%.*s", (int)strcspn(spec, ":"), spec);
    trouble_begins(name, time_now.now_ns + (window != NULL ? strtoull(window + 4, NULL, 10) * NS_PER_S : 0));
}

void trouble_calm(void)
{
    for (uint32_t i = 0; i < trouble.count; i++) {
        trouble.kind[i].until_ns = 0;
    }
}

static void tell_pair(FILE *out, uint32_t a, uint32_t b)
{
    const char *first = trouble.kind[a].name, *second = trouble.kind[b].name;
    bool in_order = strcmp(first, second) < 0;
    fprintf(out, "pair.%s+%s %llu\n", in_order ? first : second, in_order ? second : first,
            (unsigned long long)trouble.met[a][b]);
}

void trouble_tell(FILE *out)
{
    for (uint32_t i = 0; i < trouble.count; i++) {
        fprintf(out, "began.%s %llu\n", trouble.kind[i].name, (unsigned long long)trouble.kind[i].began);
    }
    for (uint32_t a = 0; a < trouble.count; a++) {
        for (uint32_t b = a + 1; b < trouble.count; b++) {
            if (trouble.met[a][b] != 0) {
                tell_pair(out, a, b);
            }
        }
    }
}
