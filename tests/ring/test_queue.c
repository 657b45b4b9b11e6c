#include "ring/queue.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define COUNT 32

static struct queue *make(void)
{
    void *memory = NULL;
    cr_assert_eq(posix_memalign(&memory, POISE_APART, queue_bytes(COUNT)), 0);
    memset(memory, 0xee, queue_bytes(COUNT));
    return queue_init(memory, COUNT);
}

static bool put(struct queue *queue, uint8_t slot_count, uint64_t number)
{
    struct slot *slots = queue_claim(queue, slot_count);
    if (slots == NULL) {
        return false;
    }
    record_begin(slots, RECORD_TEXT, slot_count, number);
    memset(slots[slot_count - 1].payload + SLOT_PAYLOAD_BYTES - 8, (int)number, 8);
    queue_commit(queue);
    return true;
}

static void take(struct queue *queue, uint8_t slot_count, uint64_t number)
{
    const struct slot *slots = queue_peek(queue);
    cr_assert_not_null(slots);
    cr_assert_eq(record_head_of(slots)->type, RECORD_TEXT);
    cr_assert_eq(record_head_of(slots)->slot_count, slot_count);
    cr_assert_eq(record_head_of(slots)->stamp_ns, number);
    cr_assert_eq(slots[slot_count - 1].payload[SLOT_PAYLOAD_BYTES - 1], (unsigned char)number);
    queue_release(queue);
}

Test(queue, an_open_claim_is_not_there_yet)
{
    struct queue *queue = make();
    cr_assert_null(queue_peek(queue));
    struct slot *open = queue_claim(queue, 1);
    cr_assert(open != NULL);
    record_begin(open, RECORD_TEXT, 1, 0);
    cr_assert_null(queue_peek(queue));
    queue_commit(queue);
    cr_assert_not_null(queue_peek(queue));
    free(queue);
}

Test(queue, a_reader_may_be_written_to_while_it_holds_a_record)
{
    struct queue *queue = make();
    cr_assert(put(queue, 2, 1));
    const struct slot *held = queue_peek(queue);
    cr_assert(put(queue, 3, 2));
    cr_assert_eq(queue_peek(queue), held);
    take(queue, 2, 1);
    take(queue, 3, 2);
    cr_assert_null(queue_peek(queue));
    free(queue);
}

Test(queue, an_empty_queue_begins_again_at_its_first_slot)
{
    struct queue *queue = make();
    for (uint64_t i = 0; i < 100; i++) {
        cr_assert(put(queue, 5, i));
        cr_assert_eq(queue_peek(queue), queue->slots);
        take(queue, 5, i);
    }
    free(queue);
}

Test(queue, a_claim_that_is_open_when_the_queue_empties_stays_where_it_is)
{
    struct queue *queue = make();
    cr_assert(put(queue, 2, 1));
    struct slot *open = queue_claim(queue, 3);
    cr_assert_not_null(open);
    record_begin(open, RECORD_TEXT, 3, 2);
    memset(open[2].payload + SLOT_PAYLOAD_BYTES - 8, 2, 8);
    take(queue, 2, 1);
    queue_commit(queue);
    take(queue, 3, 2);
    cr_assert_null(queue_peek(queue));
    free(queue);
}

Test(queue, a_full_queue_refuses_and_counts)
{
    struct queue *queue = make();
    for (uint64_t i = 0; i < COUNT; i++) {
        cr_assert(put(queue, 1, i));
    }
    cr_assert_not(put(queue, 1, 99));
    cr_assert_eq(queue->full_count, 1u);
    take(queue, 1, 0);
    cr_assert(put(queue, 1, 32)); /* no laziness on one thread */
    for (uint64_t i = 1; i <= COUNT; i++) {
        take(queue, 1, i);
    }
    free(queue);
}

Test(queue, every_size_survives_the_wrap_at_every_place)
{
    for (uint64_t before = 0; before < COUNT; before++) {
        for (uint8_t slot_count = 1; slot_count <= RECORD_SLOTS_MAX; slot_count++) {
            struct queue *queue = make();
            for (uint64_t i = 0; i < before; i++) {
                cr_assert(put(queue, 1, i));
                take(queue, 1, i);
            }
            cr_assert(put(queue, slot_count, 7));
            cr_assert_leq(queue_peek(queue) + slot_count, queue->slots + COUNT);
            take(queue, slot_count, 7);
            cr_assert_null(queue_peek(queue));
            free(queue);
        }
    }
}

Test(queue, a_long_mixed_run_loses_nothing)
{
    struct queue *queue = make();
    uint64_t seed = 88172645463325252ULL, sent = 0, received = 0;
    static uint8_t sizes[100000];
    for (int turn = 0; turn < 100000; turn++) {
        seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
        uint8_t slot_count = (uint8_t)(1 + (seed >> 8) % RECORD_SLOTS_MAX);
        if (seed % 2 != 0) {
            if (put(queue, slot_count, sent)) {
                sizes[sent++] = slot_count;
            }
        } else if (received < sent) {
            take(queue, sizes[received], received);
            received++;
        } else {
            cr_assert_null(queue_peek(queue));
        }
    }
    cr_assert_gt(received, 10000u);
    free(queue);
}
