#include "hot/strategy/seen.h"

#include <string.h>

static uint32_t hash(const struct seen_key *key)
{
    uint64_t other = ((uint64_t)key->account << 32) | ((uint64_t)key->instrument << 16) | key->side;
    uint64_t mixed = (key->exec_id ^ (other * 0xd6e8feb86659fd93ULL)) * 0x9e3779b97f4a7c15ULL;
    return (uint32_t)(mixed >> 47) & (SEEN_INDEX_SIZE - 1);
}

static bool same(const struct seen_key *a, const struct seen_key *b)
{
    return a->exec_id == b->exec_id && a->account == b->account && a->instrument == b->instrument &&
           a->side == b->side;
}

static uint32_t index_of(const struct seen *seen, const struct seen_key *key)
{
    uint32_t at = hash(key);
    while (seen->index[at] != 0 && !same(&seen->entry[seen->index[at] - 1].key, key)) {
        at = (at + 1) & (SEEN_INDEX_SIZE - 1);
    }
    return at;
}

static void index_remove(struct seen *seen, uint32_t at)
{
    uint32_t gap = at;
    for (;;) {
        at = (at + 1) & (SEEN_INDEX_SIZE - 1);
        if (seen->index[at] == 0) {
            break;
        }
        uint32_t home = hash(&seen->entry[seen->index[at] - 1].key);
        if (((at - home) & (SEEN_INDEX_SIZE - 1)) >= ((at - gap) & (SEEN_INDEX_SIZE - 1))) {
            seen->index[gap] = seen->index[at];
            gap = at;
        }
    }
    seen->index[gap] = 0;
}

void seen_fetch(const struct seen *seen, const struct seen_key *key)
{
    __builtin_prefetch(&seen->index[hash(key)], 1);
    __builtin_prefetch(&seen->entry[seen->next], 1);
}

struct seen_entry *seen_find(struct seen *seen, const struct seen_key *key)
{
    uint32_t at = index_of(seen, key);
    return seen->index[at] == 0 ? NULL : &seen->entry[seen->index[at] - 1];
}

struct seen_entry *seen_add(struct seen *seen, const struct seen_key *key)
{
    struct seen_entry *entry = &seen->entry[seen->next];
    if (seen->count == SEEN_MAX) {
        index_remove(seen, index_of(seen, &entry->key));
    } else {
        seen->count++;
    }
    memset(entry, 0, sizeof *entry);
    entry->key = *key;
    seen->index[index_of(seen, key)] = seen->next + 1;
    seen->next = (seen->next + 1) % SEEN_MAX;
    return entry;
}
