/* race_spsc: one thread writes records of every size through a small ring, the other reads them; a running
 * hash of every payload byte must come out the same on both sides.  One argument: records (default
 * 300,000). */
#include "ring/spsc.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#define COUNT 64

static struct spsc *ring;
static uint64_t record_count;

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static uint64_t hash_record(uint64_t hash, const struct slot *slots)
{
    for (uint32_t i = 0; i < record_head_of(slots)->slot_count; i++) {
        for (uint32_t w = 0; w < SLOT_PAYLOAD_BYTES / 8; w++) {
            uint64_t word;
            memcpy(&word, slots[i].payload + w * 8, 8);
            hash = (hash ^ word) * 0x9e3779b97f4a7c15ULL;
            hash ^= hash >> 32;
        }
    }
    return hash;
}

static void *produce(void *result)
{
    uint64_t random = 88172645463325252ULL;
    uint64_t hash = 1;
    for (uint64_t n = 0; n < record_count; n++) {
        uint8_t slot_count = (uint8_t)(1 + next_random(&random) % RECORD_SLOTS_MAX);
        struct slot *slots;
        while ((slots = spsc_claim(ring, slot_count)) == NULL) {
            sched_yield();
        }
        record_begin(slots, RECORD_TEXT, slot_count, n);
        for (uint32_t i = 0; i < slot_count; i++) {
            for (uint32_t w = i == 0 ? 2 : 0; w < SLOT_PAYLOAD_BYTES / 8; w++) {
                uint64_t word = next_random(&random);
                memcpy(slots[i].payload + w * 8, &word, 8);
            }
        }
        hash = hash_record(hash, slots);
        spsc_commit(ring);
    }
    *(uint64_t *)result = hash;
    return NULL;
}

int main(int argc, char **argv)
{
    record_count = argc > 1 ? strtoull(argv[1], NULL, 10) : 300000;
    void *memory = NULL;
    if (posix_memalign(&memory, POISE_APART, spsc_bytes(COUNT)) != 0) {
        return 1;
    }
    ring = spsc_init(memory, COUNT);

    uint64_t sent = 0;
    uint64_t received = 1;
    pthread_t producer;
    if (pthread_create(&producer, NULL, produce, &sent) != 0) {
        return 1;
    }
    for (uint64_t n = 0; n < record_count;) {
        const struct slot *slots = spsc_peek(ring);
        if (slots == NULL) {
            sched_yield();
            continue;
        }
        if (record_head_of(slots)->stamp_ns != n) {
            fprintf(stderr, "record %llu came as %llu\n", (unsigned long long)n,
                    (unsigned long long)record_head_of(slots)->stamp_ns);
            return 1;
        }
        received = hash_record(received, slots);
        spsc_release(ring);
        n++;
    }
    pthread_join(producer, NULL);
    uint64_t refused = ring->full_count;
    free(memory);
    if (sent != received) {
        fprintf(stderr, "sent %016llx, received %016llx\n", (unsigned long long)sent,
                (unsigned long long)received);
        return 1;
    }
    printf("%llu records, hash %016llx, full %llu times\n", (unsigned long long)record_count,
           (unsigned long long)sent, (unsigned long long)refused);
    return 0;
}
