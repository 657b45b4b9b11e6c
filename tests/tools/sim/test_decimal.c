#include "tools/sim/model/sim_decimal.h"

#include <criterion/criterion.h>
#include <string.h>

static enum sim_decimal_status read(const char *text, int decimals, int64_t *units)
{
    return sim_decimal_parse(text, strlen(text), decimals, units);
}

Test(decimal, is_exact_and_accepts_zeros_below_the_unit)
{
    int64_t units = 0;

    cr_assert_eq(read("61800.20", 2, &units), SIM_DECIMAL_OK);
    cr_assert_eq(units, 6180020);
    cr_assert_eq(read("61800.20", 1, &units), SIM_DECIMAL_OK);
    cr_assert_eq(units, 618002);
    cr_assert_eq(read("-0.5", 8, &units), SIM_DECIMAL_OK);
    cr_assert_eq(units, -50000000);
    cr_assert_eq(read("0.00000000", 2, &units), SIM_DECIMAL_OK);
    cr_assert_eq(units, 0);
}

Test(decimal, tells_too_fine_from_malformed)
{
    int64_t units = 7;

    cr_assert_eq(read("1.005", 2, &units), SIM_DECIMAL_TOO_FINE);
    cr_assert_eq(read("", 2, &units), SIM_DECIMAL_MALFORMED);
    cr_assert_eq(read("1e5", 2, &units), SIM_DECIMAL_MALFORMED);
    cr_assert_eq(read("1.2.3", 2, &units), SIM_DECIMAL_MALFORMED);
    cr_assert_eq(read(".", 2, &units), SIM_DECIMAL_MALFORMED);
    cr_assert_eq(read("99999999999999999999", 2, &units), SIM_DECIMAL_MALFORMED);
    cr_assert_eq(units, 7, "nothing is written when refused");
}

Test(decimal, prints_what_it_read)
{
    char out[64];

    sim_decimal_print(out, 6180020, 2, 8);
    cr_assert_str_eq(out, "61800.20000000");
    sim_decimal_print(out, -5, 3, 3);
    cr_assert_str_eq(out, "-0.005");
    sim_decimal_print(out, 12, 0, 0);
    cr_assert_str_eq(out, "12");
    sim_decimal_trim(out, 150, 2);
    cr_assert_str_eq(out, "1.5");
    sim_decimal_trim(out, 100, 2);
    cr_assert_str_eq(out, "1");
    sim_decimal_trim(out, 0, 8);
    cr_assert_str_eq(out, "0");
    sim_decimal_trim(out, 100, 0);
    cr_assert_str_eq(out, "100");
}
