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
