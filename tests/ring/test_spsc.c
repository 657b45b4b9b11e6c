/* One thread plays both ends here: what the order of stores means is tests/race/race_spsc.c's. */
#include "ring/spsc.h"
#include "ring/channel.h"

#include <criterion/criterion.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define COUNT 64

static struct spsc *make(uint64_t count)
{
    void *memory = NULL;
    cr_assert_eq(posix_memalign(&memory, POISE_APART, spsc_bytes(count)), 0);
    memset(memory, 0xee, spsc_bytes(count));
    return spsc_init(memory, count);
}

/* A record whose every payload byte behind the head tells its number. */
static void fill(struct slot *slots, uint8_t slot_count, uint64_t number)
{
    record_begin(slots, RECORD_TEXT, slot_count, number);
    for (uint8_t i = 0; i < slot_count; i++) {
        size_t from = i == 0 ? sizeof(struct record_head) : 0;
        memset(slots[i].payload + from, (int)(number * 16 + i), SLOT_PAYLOAD_BYTES - from);
    }
}

static void expect(const struct slot *slots, uint8_t slot_count, uint64_t number)
{
    struct slot wanted[RECORD_SLOTS_MAX];
    fill(wanted, slot_count, number);
    cr_assert_not_null(slots, "record %llu is missing", (unsigned long long)number);
    cr_assert(record_same(slots, wanted), "record %llu differs", (unsigned long long)number);
}

static bool put(struct spsc *ring, uint8_t slot_count, uint64_t number)
{
    struct slot *slots = spsc_claim(ring, slot_count);
    if (slots == NULL) {
        return false;
    }
    fill(slots, slot_count, number);
    spsc_commit(ring);
    return true;
}

static void take(struct spsc *ring, uint8_t slot_count, uint64_t number)
{
    expect(spsc_peek(ring), slot_count, number);
    spsc_release(ring);
}

Test(spsc, an_empty_ring_has_nothing)
{
    struct spsc *ring = make(COUNT);
    cr_assert_null(spsc_peek(ring));
    cr_assert_eq(spsc_free(ring), (uint64_t)COUNT);
    free(ring);
}

Test(spsc, a_claim_is_invisible_until_its_commit)
{
    struct spsc *ring = make(COUNT);
    struct slot *slots = spsc_claim(ring, 3);
    fill(slots, 3, 1);
    cr_assert_null(spsc_peek(ring));
    spsc_commit(ring);
    expect(spsc_peek(ring), 3, 1);
    expect(spsc_peek(ring), 3, 1); /* peeking takes nothing */
    spsc_release(ring);
    cr_assert_null(spsc_peek(ring));
    free(ring);
}

Test(spsc, a_claim_may_be_dropped_and_made_again)
{
    struct spsc *ring = make(COUNT);
    fill(spsc_claim(ring, 5), 5, 1);
    cr_assert(put(ring, 2, 2));
    take(ring, 2, 2);
    cr_assert_null(spsc_peek(ring));
    free(ring);
}

Test(spsc, a_full_ring_refuses_counts_and_recovers)
{
    struct spsc *ring = make(COUNT);
    for (uint64_t i = 0; i < COUNT; i++) {
        cr_assert(put(ring, 1, i));
    }
    cr_assert_not(put(ring, 1, 99));
    cr_assert_not(put(ring, 1, 99));
    cr_assert_eq(ring->full_count, 2u);
    for (uint64_t i = 0; i < COUNT; i++) {
        take(ring, 1, i);
    }
    cr_assert_null(spsc_peek(ring));
    cr_assert(put(ring, 1, 100));
    take(ring, 1, 100);
    free(ring);
}

Test(spsc, credit_comes_back_a_quarter_at_a_time)
{
    struct spsc *ring = make(COUNT);
    for (uint64_t i = 0; i < COUNT; i++) {
        cr_assert(put(ring, 1, i));
    }
    for (uint64_t i = 0; i < COUNT / 4 - 1; i++) {
        take(ring, 1, i);
    }
    cr_assert_eq(spsc_free(ring), 0u, "published before a quarter was read");
    take(ring, 1, COUNT / 4 - 1);
    cr_assert_eq(spsc_free(ring), (uint64_t)COUNT / 4);
    free(ring);
}

Test(spsc, a_reader_that_finds_nothing_gives_back_what_it_read)
{
    struct spsc *ring = make(COUNT);
    cr_assert(put(ring, 1, 1));
    take(ring, 1, 1);
    cr_assert_eq(spsc_free(ring), (uint64_t)COUNT - 1, "lazy");
    cr_assert_null(spsc_peek(ring));
    cr_assert_eq(spsc_free(ring), (uint64_t)COUNT);
    free(ring);
}

Test(spsc, a_record_never_straddles_the_end)
{
    for (uint64_t before = 0; before < COUNT; before++) {
        for (uint8_t slot_count = 1; slot_count <= RECORD_SLOTS_MAX; slot_count++) {
            struct spsc *ring = make(COUNT);
            for (uint64_t i = 0; i < before; i++) {
                cr_assert(put(ring, 1, i));
                take(ring, 1, i);
            }
            cr_assert_null(spsc_peek(ring));
            cr_assert(put(ring, slot_count, 7));
            cr_assert(put(ring, 2, 8));
            const struct slot *slots = spsc_peek(ring);
            expect(slots, slot_count, 7);
            cr_assert_leq(slots + slot_count, ring->slots + COUNT);
            spsc_release(ring);
            take(ring, 2, 8);
            cr_assert_null(spsc_peek(ring));
            free(ring);
        }
    }
}

Test(spsc, a_pad_without_its_record_is_stepped_over)
{
    struct spsc *ring = make(COUNT);
    for (uint64_t i = 0; i < COUNT - 2; i++) {
        cr_assert(put(ring, 1, i));
        take(ring, 1, i);
    }
    cr_assert_null(spsc_peek(ring));
    cr_assert_not_null(spsc_claim(ring, 5)); /* pads two slots, then is never committed */
    cr_assert_null(spsc_peek(ring));
    cr_assert(put(ring, 1, 5));
    take(ring, 1, 5);
    free(ring);
}

Test(spsc, the_largest_record_always_gets_in_once_the_ring_is_empty)
{
    for (uint64_t before = 0; before < 32; before++) {
        struct spsc *ring = make(32); /* the smallest: pad and record may need all of it */
        for (uint64_t i = 0; i < before; i++) {
            cr_assert(put(ring, 1, i));
            take(ring, 1, i);
        }
        cr_assert_null(spsc_peek(ring));
        cr_assert(put(ring, RECORD_SLOTS_MAX, 3), "after %llu", (unsigned long long)before);
        take(ring, RECORD_SLOTS_MAX, 3);
        free(ring);
    }
}

Test(spsc, a_long_mixed_run_loses_nothing)
{
    struct spsc *ring = make(COUNT);
    uint64_t seed = 88172645463325252ULL, sent = 0, received = 0;
    static uint8_t sizes[200000];
    for (int turn = 0; turn < 200000; turn++) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        if (seed % 2 != 0 && sent < POISE_COUNT_OF(sizes)) {
            uint8_t slot_count = (uint8_t)(1 + (seed >> 8) % RECORD_SLOTS_MAX);
            if (put(ring, slot_count, sent)) {
                sizes[sent++] = slot_count;
            }
        } else if (received < sent) {
            take(ring, sizes[received], received);
            received++;
        } else {
            cr_assert_null(spsc_peek(ring));
        }
    }
    cr_assert_gt(received, 50000u);
    cr_assert_gt(ring->full_count, 0u, "the ring was never full: a tame test");
    free(ring);
}

Test(spsc, a_size_that_is_no_power_of_two_is_a_broken_promise, .signal = SIGABRT)
{
    make(48);
}

Test(spsc, a_ring_too_small_for_pad_and_record_is_a_broken_promise, .signal = SIGABRT)
{
    make(16);
}

Test(channel, it_says_the_same_through_a_ring_and_through_a_queue)
{
    void *memory = NULL;
    cr_assert_eq(posix_memalign(&memory, POISE_APART, queue_bytes(COUNT)), 0);
    struct channel channels[2] = { { .ring = make(COUNT) }, { .queue = queue_init(memory, COUNT) } };
    for (int i = 0; i < 2; i++) {
        struct channel *channel = &channels[i];
        struct slot record[3];
        uint64_t number = 0;
        fill(record, 3, number);
        cr_assert_null(channel_peek(channel));
        cr_assert_eq(channel_free(channel), (uint64_t)COUNT);
        while (channel_send(channel, record)) {
            fill(record, 3, ++number);
        }
        /* 21 records of 3 and a slot left over, too few for one more */
        cr_assert_eq(number, 21u);
        cr_assert_eq(channel_free(channel), 1u);
        for (uint64_t n = 0; n < number; n++) {
            expect(channel_peek(channel), 3, n);
            channel_release(channel);
        }
        cr_assert_null(channel_peek(channel));
        cr_assert_eq(channel_free(channel), (uint64_t)COUNT);
        cr_assert(channel_send(channel, record));
        expect(channel_peek(channel), 3, 21);
    }
    free(channels[0].ring);
    free(memory);
}
