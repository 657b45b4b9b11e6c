/* Writing into bounded memory. */
#include "venues/text.h"

#include <criterion/criterion.h>
#include <stdio.h>

Test(text, numbers_are_written_as_the_c_library_writes_them)
{
    static const uint64_t few[] = {
        0, 9, 10, 99, 100, 1759999999999ULL, INT64_MAX, (uint64_t)INT64_MAX + 1, UINT64_MAX
    };
    for (size_t i = 0; i < POISE_COUNT_OF(few); i++) {
        char out[21] = "", expected[32];
        struct text text = { out, out + 20, false };
        text_put_unsigned(&text, few[i]);
        snprintf(expected, sizeof expected, "%llu", (unsigned long long)few[i]);
        cr_assert_str_eq(out, expected);
    }
}

Test(text, eight_hex_digits_are_those_of_the_c_library_and_come_back)
{
    uint32_t number = 0;
    for (uint32_t i = 0; i < 100000; i++, number = number * 2654435761u + i) {
        char expected[9];
        uint64_t digits = text_hex(number);
        snprintf(expected, sizeof expected, "%08x", number);
        cr_assert_arr_eq(&digits, expected, 8);
        cr_assert_eq(text_unhex(digits), number);
    }
}

Test(text, what_is_no_hex_digit_prints_another)
{
    for (int at = 0; at < 8; at++) {
        for (int c = 0; c < 256; c++) {
            char digits[8] = "89abcdef";
            uint64_t word;
            digits[at] = (char)c;
            memcpy(&word, digits, sizeof word);
            bool is_digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
            cr_assert_eq(text_hex(text_unhex(word)) == word, is_digit, "%d at %d", c, at);
        }
    }
}

Test(text, what_does_not_fit_writes_nothing_and_says_so)
{
    char out[4] = "####";
    for (size_t room = 0; room < 4; room++) {
        struct text text = { out, out + room, false };
        text_put_unsigned(&text, 1234);
        cr_assert(text.full && text.at == out);
        cr_assert_arr_eq(out, "####", 4);
    }
}
