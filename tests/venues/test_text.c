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
        text = (struct text){ out, out + 16, false };
        text_put_hex(&text, few[i], 16);
        snprintf(expected, sizeof expected, "%016llx", (unsigned long long)few[i]);
        cr_assert(!text.full && memcmp(out, expected, 16) == 0);
    }
}

Test(text, what_does_not_fit_writes_nothing_and_says_so)
{
    char out[4] = "####";
    for (size_t room = 0; room < 4; room++) {
        struct text text = { out, out + room, false };
        text_put_unsigned(&text, 1234);
        cr_assert(text.full && text.at == out);
        text.full = false;
        text_put_hex(&text, 0xabcd, 4);
        cr_assert(text.full && text.at == out && memcmp(out, "####", 4) == 0);
    }
}
