#include "ring/order_id.h"

#include <criterion/criterion.h>
#include <string.h>

Test(order_id, its_parts_come_back)
{
    uint64_t order = order_id_make(1023, 512, 15, ORDER_COUNTER_MAX);
    cr_assert_eq(order_id_engine(order), 1023u);
    cr_assert_eq(order_id_instance(order), 512u);
    cr_assert_eq(order_id_leg_role(order), 15u);
    cr_assert_eq(order_id_counter(order), ORDER_COUNTER_MAX);
    order = order_id_make(1, 0, 0, 0);
    cr_assert_eq(order_id_engine(order), 1u);
    cr_assert_eq(order_id_instance(order), 0u);
}

Test(order_id, its_text_is_known)
{
    char text[ORDER_ID_TEXT_BYTES];
    order_id_print(text, 1);
    cr_assert_arr_eq(text, "p0000000000001", ORDER_ID_TEXT_BYTES);
    order_id_print(text, 31);
    cr_assert_arr_eq(text, "p000000000000v", ORDER_ID_TEXT_BYTES);
    order_id_print(text, UINT64_MAX);
    cr_assert_arr_eq(text, "pfvvvvvvvvvvvv", ORDER_ID_TEXT_BYTES);
    order_id_print(text, 1ULL << 60);
    cr_assert_arr_eq(text, "p1000000000000", ORDER_ID_TEXT_BYTES);
}

Test(order_id, every_bit_survives_the_text)
{
    char text[ORDER_ID_TEXT_BYTES];
    for (int bit = 0; bit < 64; bit++) {
        order_id_print(text, 1ULL << bit);
        cr_expect_eq(order_id_parse(text, sizeof text), 1ULL << bit, "bit %d", bit);
    }
    for (uint64_t i = 1; i < 100000; i++) {
        uint64_t order = i * 0x9e3779b97f4a7c15ULL;
        order_id_print(text, order);
        cr_assert_eq(order_id_parse(text, sizeof text), order);
    }
}

Test(order_id, texts_of_others_are_not_ours)
{
    static const char *const others[] = { "",
                                          "p",
                                          "x0000000000001",
                                          "p000000000001",
                                          "p00000000000001",
                                          "p000000000000w",
                                          "p000000000000V",
                                          "p00000000000-1",
                                          "pg000000000000", /* 65 bits */
                                          "pv000000000000",
                                          "web_abcdefghij" };
    for (size_t i = 0; i < POISE_COUNT_OF(others); i++) {
        cr_expect_eq(order_id_parse(others[i], strlen(others[i])), 0u, "'%s'", others[i]);
    }
}

Test(order_id, no_letter_of_another_alphabet_is_taken)
{
    for (size_t at = 0; at < ORDER_ID_TEXT_BYTES; at++) {
        for (int c = 0; c < 256; c++) {
            char text[] = "p789abcdefghij";
            uint64_t order = order_id_parse(text, ORDER_ID_TEXT_BYTES);
            text[at] = (char)c;
            bool taken = at == 0   ? c == 'p'
                         : at == 1 ? (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f')
                                   : (c >= '0' && c <= '9') || (c >= 'a' && c <= 'v');
            uint64_t read = order_id_parse(text, ORDER_ID_TEXT_BYTES);
            cr_assert(order != 0);
            cr_assert_eq(read != 0, taken, "%d at %zu", c, at);
        }
    }
}
