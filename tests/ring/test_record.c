#include "ring/record.h"
#include "ring/account.h"
#include "ring/instrument.h"

#include <criterion/criterion.h>
#include <string.h>

#define WORD 0xa5a5a5a5a5a5a5a5ULL

static void mark_words(struct slot *slots, int count)
{
    for (int i = 0; i < count; i++) {
        slots[i].ring_word = WORD;
    }
}

static bool words_untouched(const struct slot *slots, int count)
{
    for (int i = 0; i < count; i++) {
        if (slots[i].ring_word != WORD) {
            return false;
        }
    }
    return true;
}

Test(record, beginning_defines_every_byte_and_leaves_the_carriers_words)
{
    struct slot slots[3];
    memset(slots, 0xee, sizeof slots);
    mark_words(slots, 3);
    struct record_head *head = record_begin(slots, RECORD_FILL, 3, 77);
    cr_assert_eq(head->type, RECORD_FILL);
    cr_assert_eq(head->slot_count, 3);
    cr_assert_eq(head->stamp_ns, 77u);
    cr_assert_eq(head->instrument, NO_INSTRUMENT);
    cr_assert_eq(head->account, NO_ACCOUNT);
    cr_assert(words_untouched(slots, 3));
    memset(slots[0].payload, 0, sizeof *head);
    for (int i = 0; i < 3; i++) {
        for (int b = 0; b < SLOT_PAYLOAD_BYTES; b++) {
            cr_assert_eq(slots[i].payload[b], 0);
        }
    }
}

Test(record, no_field_of_a_report_lies_on_a_carriers_word)
{
    struct slot slots[3];
    mark_words(slots, 3);
    struct record_report *report = (struct record_report *)record_begin(slots, RECORD_FILL, 3, 1);
    report->order = 1;
    report->exec_id = 2;
    report->price = report->last_qty = report->cum_qty = 3;
    report->order_qty = report->order_price = report->fee_e8 = report->realised_e8 = 4;
    report->venue_time_ns = 5;
    report->fee_currency = 6;
    report->side = report->status = report->liquidity = report->reason = report->request = 7;
    report->flags = 8;
    report->tie = 9;
    memset(report->venue_order_id, 'x', sizeof report->venue_order_id);
    report->venue_code = -1;
    report->spare32 = 10;
    report->spare64 = 11;
    cr_assert(words_untouched(slots, 3));
}

Test(record, no_field_of_an_order_a_status_or_a_beginning_lies_on_one)
{
    struct slot slots[3];
    mark_words(slots, 3);
    struct record_order *order = (struct record_order *)record_begin(slots, RECORD_ORDER_NEW, 2, 1);
    memset((char *)order + 16, 1, offsetof(struct record_order, ring_word_0) - 16);
    memset(&order->cum_qty, 1, offsetof(struct record_order, ring_word_1) - SLOT_BYTES);
    cr_assert(words_untouched(slots, 2));
    cr_assert_eq(offsetof(struct record_order, ring_word_0), offsetof(struct slot, ring_word));
    cr_assert_eq(offsetof(struct record_order, ring_word_1), SLOT_BYTES + offsetof(struct slot, ring_word));
    cr_assert_eq(offsetof(struct record_status, ring_word_0), offsetof(struct slot, ring_word));
    cr_assert_eq(offsetof(struct record_status, ring_word_1), SLOT_BYTES + offsetof(struct slot, ring_word));
    cr_assert_eq(offsetof(struct record_status, ring_word_2),
                 2 * SLOT_BYTES + offsetof(struct slot, ring_word));
    cr_assert_eq(offsetof(struct record_begin_run, ring_word_0), offsetof(struct slot, ring_word));
    cr_assert_eq(offsetof(struct record_begin_run, ring_word_1),
                 SLOT_BYTES + offsetof(struct slot, ring_word));
    cr_assert_eq(offsetof(struct record_report, ring_word_0), offsetof(struct slot, ring_word));
    cr_assert_eq(offsetof(struct record_report, ring_word_1), SLOT_BYTES + offsetof(struct slot, ring_word));
    cr_assert_eq(offsetof(struct record_report, ring_word_2),
                 2 * SLOT_BYTES + offsetof(struct slot, ring_word));
}

Test(record, a_full_view_of_levels_fits_and_comes_back)
{
    struct slot slots[RECORD_SLOTS_MAX];
    uint8_t slot_count = record_slots_for_levels(2 * BOOK_DEPTH_MAX);
    cr_assert_leq(slot_count, RECORD_SLOTS_MAX);
    cr_assert_eq(record_slots_for_levels(0), 1);
    cr_assert_eq(record_slots_for_levels(1), 2);
    cr_assert_eq(record_slots_for_levels(3), 2);
    cr_assert_eq(record_slots_for_levels(4), 3);
    cr_assert_eq(record_slots_for_levels(BOOK_LEVELS_MAX), RECORD_SLOTS_MAX);

    mark_words(slots, RECORD_SLOTS_MAX);
    struct record_book *book = (struct record_book *)record_begin(slots, RECORD_BOOK, slot_count, 1);
    for (uint32_t i = 0; i < 2 * BOOK_DEPTH_MAX; i++) {
        *record_level(book, i) = (struct level){ .price = 1000 + i, .qty = -(int64_t)i };
    }
    cr_assert(words_untouched(slots, RECORD_SLOTS_MAX));
    for (uint32_t i = 0; i < 2 * BOOK_DEPTH_MAX; i++) {
        cr_assert_eq(record_level(book, i)->price, 1000 + i);
        cr_assert_eq(record_level(book, i)->qty, -(int64_t)i);
    }
}

Test(record, blobs_of_every_length_come_back)
{
    struct slot slots[RECORD_SLOTS_MAX + 1];
    unsigned char in[RECORD_BLOB_MAX];
    unsigned char out[RECORD_BLOB_MAX];
    for (size_t i = 0; i < sizeof in; i++) {
        in[i] = (unsigned char)(i * 7 + 1);
    }
    for (size_t bytes = 0; bytes <= RECORD_BLOB_MAX; bytes++) {
        uint8_t slot_count = record_slots_for_blob(bytes);
        cr_assert_leq(slot_count, RECORD_SLOTS_MAX);
        memset(slots, 0xee, sizeof slots);
        mark_words(slots, RECORD_SLOTS_MAX + 1);
        record_begin(slots, RECORD_TEXT, slot_count, 1);
        record_blob_write(slots, in, bytes);
        cr_assert(words_untouched(slots, RECORD_SLOTS_MAX + 1), "%zu bytes", bytes);
        cr_assert_eq(slots[slot_count].payload[0], 0xee, "%zu bytes wrote behind the record", bytes);
        memset(out, 0, sizeof out);
        record_blob_read(slots, out, bytes);
        cr_assert_eq(memcmp(in, out, bytes), 0, "%zu bytes", bytes);
        /* as few slots as it takes */
        cr_assert(slot_count == 1 || bytes > record_slots_for_blob(bytes) * 56u - 16u - 56u);
    }
}

Test(record, what_a_strategy_is_built_from_fits_a_record)
{
    cr_assert_leq(sizeof(struct instrument), (size_t)RECORD_BLOB_MAX);
    cr_assert_leq(sizeof(struct account), (size_t)RECORD_BLOB_MAX);
    /* and has no byte that nobody defines: replay compares them all */
    cr_assert_eq(sizeof(struct instrument), 208u);
    cr_assert_eq(sizeof(struct account), 120u);
}

Test(record, copies_are_the_same_and_one_byte_more_is_not)
{
    struct slot a[2], b[2];
    mark_words(a, 2);
    memset(b, 0, sizeof b);
    record_begin(a, RECORD_ORDER_NEW, 2, 5);
    ((struct record_order *)(void *)a)->expected_centibp = 12;
    record_copy(b, a);
    cr_assert(record_same(a, b), "carriers' words do not count");
    cr_assert_eq(b[0].ring_word, 0u);
    cr_assert_eq(b[1].ring_word, 0u);
    b[1].payload[SLOT_PAYLOAD_BYTES - 1] ^= 1;
    cr_assert_not(record_same(a, b));
    record_copy(b, a);
    record_head_of(b)->slot_count = 1;
    cr_assert_not(record_same(a, b));
}

Test(record, every_type_has_its_own_name)
{
    int named = 0;
    for (int i = 0; i < 256; i++) {
        const char *name = record_type_name((uint8_t)i);
        if (strcmp(name, "?") == 0) {
            continue;
        }
        named++;
        for (int j = 0; j < i; j++) {
            cr_expect_str_neq(name, record_type_name((uint8_t)j));
        }
    }
    cr_assert_eq(named, 50);
    cr_assert_str_eq(record_type_name(RECORD_FILL), "fill");
    cr_assert_str_eq(record_type_name(RECORD_SEGMENT_END), "segment_end");
}

Test(record, the_layout_has_one_hash)
{
    cr_assert_eq(record_layout_hash(), record_layout_hash());
    cr_assert_neq(record_layout_hash(), 0u);
}
