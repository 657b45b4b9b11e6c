#include "tests/venues/support.h"
#include "venues/number.h"
#include "venues/scan.h"

#include <criterion/criterion.h>
#include <stdio.h>

static uint64_t seed = 0x9e3779b97f4a7c15ULL;

static uint64_t draw(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* ------------------------------------------------------------------ the index */

static int32_t plainly(const char *bytes, size_t count, uint16_t *quotes)
{
    int32_t many = 0;
    for (size_t i = 0; i < count; i++) {
        unsigned char c = (unsigned char)bytes[i];
        if (c == '\\' || c < 0x20 || c > 0x7f) {
            return -1;
        }
        if (c == '"') {
            quotes[many++] = (uint16_t)i;
        }
    }
    return many;
}

static void expect_index(const char *bytes, size_t count)
{
    static uint16_t expected[INDEX_BYTES_MAX], found[INDEX_ROOM];
    int32_t many = plainly(bytes, count, expected);
    for (int level = 0; level < INDEX_LEVEL_COUNT; level++) {
        if (index_at(level) == NULL) {
            continue;
        }
        int32_t answer = index_at(level)(bytes, count, found);
        cr_assert_eq(answer, many, "%s: %d of %d in %zu bytes", index_level_names[level], answer, many,
                     count);
        cr_assert(many < 0 || memcmp(expected, found, (size_t)many * sizeof *found) == 0);
        for (int i = 0; many >= 0 && i < 8; i++) {
            cr_assert_eq(found[many + i], INDEX_NONE);
        }
    }
}

Test(index, every_level_finds_the_same_quotes_at_every_length_up_to_a_page_that_may_not_be_read)
{
    static const char alphabet[] = "\"\"\"0123456789.,:[]{}abcdefghij ~";
    struct guard guard;
    guard_make(&guard, 4096);
    for (int round = 0; round < 20; round++) {
        for (size_t count = 0; count < 400; count++) {
            char text[400];
            for (size_t i = 0; i < count; i++) {
                text[i] = round == 0 ? '"' : alphabet[draw() % (sizeof alphabet - 1)];
            }
            expect_index(guard_put(&guard, text, count), count);
        }
    }
    guard_free(&guard);
}

Test(index, one_byte_that_needs_interpreting_makes_a_text_not_plain_wherever_it_stands)
{
    static const char odd[] = { '\\', '\n', '\t', '\0', 0x1f, (char)0x80, (char)0xff, (char)0xc3 };
    char text[200];
    for (size_t at = 0; at < sizeof text; at++) {
        for (size_t i = 0; i < sizeof odd; i++) {
            memset(text, 'x', sizeof text);
            text[at] = odd[i];
            expect_index(text, sizeof text);
        }
        text[at] = 0x7f; /* odd, and allowed */
        expect_index(text, sizeof text);
    }
}

Test(index, more_quotes_than_fit_or_a_longer_text_is_refused)
{
    static char text[INDEX_BYTES_MAX + 1];
    static uint16_t quotes[INDEX_ROOM];
    for (int level = 0; level < INDEX_LEVEL_COUNT; level++) {
        if (index_at(level) == NULL) {
            continue;
        }
        memset(text, '"', sizeof text);
        cr_assert_eq(index_at(level)(text, INDEX_QUOTES_MAX, quotes), INDEX_QUOTES_MAX);
        cr_assert_eq(index_at(level)(text, INDEX_QUOTES_MAX + 1, quotes), -1);
        memset(text, 'x', sizeof text);
        text[INDEX_BYTES_MAX - 1] = '"';
        cr_assert_eq(index_at(level)(text, INDEX_BYTES_MAX, quotes), 1);
        cr_assert_eq(quotes[0], INDEX_BYTES_MAX - 1);
        cr_assert_eq(index_at(level)(text, INDEX_BYTES_MAX + 1, quotes), -1);
    }
}

/* ------------------------------------------------------------------ numbers */

#define PAIRS_MAX               9
#define FORMS(behind, decimals) NUMBER_FORMS(NUMBER_FORM(behind, decimals), NUMBER_FORM(behind, decimals))

struct sheet {
    char text[1024];
    uint16_t ends[NUMBER_PAIR * PAIRS_MAX];
    uint32_t count;
    size_t bytes;
};

static void sheet_clear(struct sheet *sheet)
{
    memset(sheet, 0, sizeof *sheet);
    memset(sheet->text, '7', 32); /* digits: whoever reads too far to the left finds them */
    sheet->bytes = 32;
}

static void sheet_put(struct sheet *sheet, const char *number)
{
    sheet->text[sheet->bytes] = '"';
    sheet->ends[sheet->count++] = (uint16_t)sheet->bytes++;
    memcpy(sheet->text + sheet->bytes, number, strlen(number));
    sheet->bytes += strlen(number);
    sheet->ends[sheet->count++] = (uint16_t)sheet->bytes;
    sheet->text[sheet->bytes++] = '"';
}

/* A number of so many digits before and behind the point. */
static void print(char *to, unsigned before, unsigned behind, bool zeros_behind)
{
    while (before-- > 0) {
        *to++ = (char)('0' + draw() % 10);
    }
    if (behind > 0) {
        *to++ = '.';
    }
    while (behind-- > 0) {
        *to++ = zeros_behind ? '0' : (char)('0' + draw() % 10);
    }
    *to = '\0';
}

static number_pairs level_at(int level)
{
    return level == INDEX_SCALAR ? NULL : number_at(level).pairs;
}

Test(number, every_form_of_sixteen_characters_reads_as_the_scalar_parser_reads_it)
{
    uint32_t accepted = 0;
    for (unsigned behind = 0; behind <= NUMBER_BEHIND_MAX; behind++) {
        for (unsigned decimals = 0; decimals <= NUMBER_DECIMALS_MAX; decimals++) {
            for (unsigned before = 1; before <= 18; before++) {
                for (uint32_t pairs = 1; pairs <= PAIRS_MAX; pairs++) {
                    struct sheet sheet;
                    int64_t expected[2 * PAIRS_MAX], found[2 * PAIRS_MAX + 1];
                    sheet_clear(&sheet);
                    for (uint32_t i = 0; i < 2 * pairs; i++) {
                        char number[64];
                        print(number, i % 2 ? 1 + (unsigned)(draw() % 5) : before, i % 2 ? 3 : behind,
                              behind > decimals && i % 2 == 0);
                        sheet_put(&sheet, number);
                    }
                    struct number_task task = { .bytes = sheet.text,
                                                .ends = sheet.ends,
                                                .pairs = pairs,
                                                .forms = NUMBER_FORMS(NUMBER_FORM(behind, decimals),
                                                                      NUMBER_FORM(3, 3)) };
                    bool can = number_pairs_scalar(&task, expected);
                    for (int level = 1; level < INDEX_LEVEL_COUNT; level++) {
                        if (level_at(level) == NULL) {
                            continue;
                        }
                        found[2 * pairs] = 4711;
                        bool did = level_at(level)(&task, found);
                        cr_assert_eq(found[2 * pairs], 4711, "wrote beyond the last pair");
                        cr_assert(!did || can, "%.*s", (int)sheet.bytes, sheet.text);
                        cr_assert(!did || memcmp(expected, found, 16 * pairs) == 0, "%.*s at %u",
                                  (int)sheet.bytes, sheet.text, decimals);
                        unsigned digits = before + (decimals > behind ? decimals : behind);
                        unsigned width = before + behind + (behind > 0);
                        cr_assert_eq(
                            did, width <= 16 && digits - (decimals < behind ? behind - decimals : 0) <= 16,
                            "%s: %u before, %u behind, %u decimals", index_level_names[level], before, behind,
                            decimals);
                        accepted += did;
                    }
                }
            }
        }
    }
    cr_assert(accepted > 0 || index_level_best() == INDEX_SCALAR);
}

Test(number, a_byte_out_of_place_in_any_number_fails_the_call)
{
    for (uint32_t pairs = 1; pairs <= PAIRS_MAX; pairs++) {
        for (uint32_t which = 0; which < 2 * pairs; which++) {
            for (int c = 0; c < 256; c++) {
                for (unsigned at = 0; at < 8; at++) {
                    struct sheet sheet;
                    int64_t found[2 * PAIRS_MAX];
                    sheet_clear(&sheet);
                    for (uint32_t i = 0; i < 2 * pairs; i++) {
                        sheet_put(&sheet, "61800.20");
                    }
                    char *to = &sheet.text[sheet.ends[2 * which] + 1 + at];
                    bool digit = c >= '0' && c <= '9';
                    bool fine = *to == '.' ? c == '.' : digit;
                    *to = (char)c;
                    const struct number_task task = {
                        .bytes = sheet.text, .ends = sheet.ends, .pairs = pairs, .forms = FORMS(2, 2)
                    };
                    for (int level = 1; level < INDEX_LEVEL_COUNT; level++) {
                        cr_assert(level_at(level) == NULL || level_at(level)(&task, found) == fine,
                                  "%s: byte %d at %u", index_level_names[level], c, at);
                    }
                }
            }
        }
    }
}

Test(number, another_form_a_digit_below_the_unit_or_an_empty_text_fails_the_call)
{
    static const char *const wrong[] = { "",
                                         ".",
                                         "5",
                                         "1.5",
                                         ".25",
                                         "5.",
                                         "1.234",
                                         "-1.25",
                                         "1,25",
                                         "61800.21",
                                         "00000000000000000000000000000000000000001.20" };
    for (uint32_t pairs = 1; pairs <= PAIRS_MAX; pairs++) {
        for (uint32_t which = 0; which < 2 * pairs; which++) {
            for (size_t w = 0; w < POISE_COUNT_OF(wrong); w++) {
                struct sheet sheet;
                int64_t found[2 * PAIRS_MAX];
                sheet_clear(&sheet);
                for (uint32_t i = 0; i < 2 * pairs; i++) {
                    sheet_put(&sheet, i == which ? wrong[w] : "61800.20");
                }
                const struct number_task task = {
                    .bytes = sheet.text, .ends = sheet.ends, .pairs = pairs, .forms = FORMS(2, 1)
                };
                for (int level = 1; level < INDEX_LEVEL_COUNT; level++) {
                    cr_assert(level_at(level) == NULL || !level_at(level)(&task, found), "%s took %s",
                              index_level_names[level], wrong[w]);
                }
            }
        }
    }
}

Test(number, a_text_256_bytes_too_long_is_not_taken_for_a_short_one)
{
    static char text[700];
    memset(text, '1', sizeof text);
    for (unsigned bytes = 1; bytes < 600; bytes++) {
        const uint16_t ends[NUMBER_PAIR] = { 40, (uint16_t)(41 + bytes), 40, 42 };
        const struct number_task task = { .bytes = text, .ends = ends, .pairs = 1 };
        int64_t found[2];
        for (int level = 1; level < INDEX_LEVEL_COUNT; level++) {
            cr_assert(level_at(level) == NULL || level_at(level)(&task, found) == (bytes <= 16));
        }
    }
}

Test(number, a_price_of_nothing_fails_where_it_must_be_positive_and_a_quantity_may_be_nothing)
{
    for (uint32_t pairs = 1; pairs <= PAIRS_MAX; pairs++) {
        for (uint32_t which = 0; which < 2 * pairs; which++) {
            struct sheet sheet;
            int64_t found[2 * PAIRS_MAX];
            sheet_clear(&sheet);
            for (uint32_t i = 0; i < 2 * pairs; i++) {
                sheet_put(&sheet, i == which ? "0.00" : "12.00");
            }
            struct number_task task = {
                .bytes = sheet.text, .ends = sheet.ends, .pairs = pairs, .forms = FORMS(2, 2)
            };
            for (int level = 0; level < INDEX_LEVEL_COUNT; level++) {
                if (number_at(level).pairs != NULL) {
                    task.positive = true;
                    cr_assert_eq(number_at(level).pairs(&task, found), which % 2 == 1);
                    task.positive = false;
                    cr_assert(number_at(level).pairs(&task, found));
                }
            }
        }
    }
}

Test(number, nothing_is_read_but_the_sixteen_bytes_before_an_end)
{
    struct guard guard;
    int64_t found[2];
    guard_make(&guard, 4096);
    char *text = guard_put(&guard, "................1.25", 20);
    memset(text, '"', 16);
    const uint16_t ends[NUMBER_PAIR] = { 15, 20, 15, 20 };
    const struct number_task task = { .bytes = text, .ends = ends, .pairs = 1, .forms = FORMS(2, 2) };
    for (int level = 0; level < INDEX_LEVEL_COUNT; level++) {
        cr_assert(number_at(level).pairs == NULL ||
                  (number_at(level).pairs(&task, found) && found[1] == 125));
    }
    guard_free(&guard);
}

Test(number, the_digits_behind_the_point_are_counted)
{
    static const struct {
        const char *text;
        unsigned behind;
    } rows[] = { { "1", 0 }, { "1.", 0 }, { "1.5", 1 }, { "0.12345678", 8 }, { "", 0 }, { ".5", 1 } };
    for (size_t i = 0; i < POISE_COUNT_OF(rows); i++) {
        struct sheet sheet;
        sheet_clear(&sheet);
        sheet_put(&sheet, rows[i].text);
        cr_assert_eq(number_behind(sheet.text, sheet.ends[0], sheet.ends[1]), rows[i].behind, "%s",
                     rows[i].text);
    }
}
