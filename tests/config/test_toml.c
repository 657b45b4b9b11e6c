#include "config/toml.h"

#include <criterion/criterion.h>
#include <string.h>

static struct toml_list read_text(const char *text)
{
    struct toml_list list;
    cr_assert(toml_read(text, strlen(text), &list), "%d: %s", list.error_line, list.error);
    return list;
}

static const struct toml_entry *find(const struct toml_list *list, const char *key)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (strcmp(list->entry[i].key, key) == 0) {
            return &list->entry[i];
        }
    }
    cr_assert_fail("no %s", key);
    return NULL;
}

Test(toml, a_number_comes_as_it_was_written)
{
    struct toml_list list =
        read_text("# \xc3\xa9\n[a]\nhalf = 0.5 # x\ntiny=0.000000000000000000001\n"
                  "\"k\xc3\xa9y\" = -1_000.10  \nexp = 1e-05\nin = { p = 0.30, q = +7 }\n");

    cr_expect_str_eq(find(&list, "half")->text, "0.5");
    cr_expect_str_eq(find(&list, "tiny")->text, "0.000000000000000000001");
    cr_expect_str_eq(find(&list, "k\xc3\xa9y")->text, "-1000.10");
    cr_expect_str_eq(find(&list, "exp")->text, "1e-05");
    cr_expect_str_eq(find(&list, "p")->text, "0.30");
    cr_expect_str_eq(find(&list, "q")->text, "+7");
    cr_expect_eq(find(&list, "half")->line, 3);
    cr_expect_eq(find(&list, "p")->type, TOML_NUMBER);
    toml_free(&list);
}

Test(toml, entries_come_in_the_order_of_the_file)
{
    struct toml_list list =
        read_text("[z]\nb = 1\na = true\n[[e]]\nk = \"x\"\n[[e]]\n[m.n]\nd = 2024-01-01\n");
    static const struct {
        const char *section, *key, *text;
        int element, line;
        enum toml_type type;
    } expected[] = {
        { "z", "", "", -1, 1, TOML_SECTION },
        { "z", "b", "1", -1, 2, TOML_NUMBER },
        { "z", "a", "true", -1, 3, TOML_BOOL },
        { "e", "", "", 0, 4, TOML_SECTION },
        { "e", "k", "x", 0, 5, TOML_STRING },
        { "e", "", "", 1, 6, TOML_SECTION },
        { "m", "", "", -1, 7, TOML_SECTION },
        { "m.n", "", "", -1, 7, TOML_SECTION },
        { "m.n", "d", "a date or time", -1, 8, TOML_OTHER },
    };

    cr_assert_eq(list.count, sizeof expected / sizeof expected[0]);
    for (uint32_t i = 0; i < list.count; i++) {
        cr_expect_str_eq(list.entry[i].section, expected[i].section);
        cr_expect_str_eq(list.entry[i].key, expected[i].key);
        cr_expect_str_eq(list.entry[i].text, expected[i].text);
        cr_expect_eq(list.entry[i].element, expected[i].element);
        cr_expect_eq(list.entry[i].line, expected[i].line);
        cr_expect_eq(list.entry[i].type, expected[i].type);
    }
    toml_free(&list);
}

Test(toml, a_broken_file_says_where)
{
    struct toml_list list;
    const char *text = "[a]\nb = 1\nb = 2\n";

    cr_expect_not(toml_read(text, strlen(text), &list));
    cr_expect_eq(list.error_line, 3);
    cr_expect_gt(strlen(list.error), 10);
    toml_free(&list);
}

Test(toml, a_slip_that_the_parser_asserts_on_is_refused_with_its_line)
{
    static const char *const texts[] = { "[a]\nb = 1\n\n[.c]\nd = 2\n",
                                         "[a]\nb = \"\"\"\nx\"\"\"\n[=c]\nd = 2\n",
                                         "[a]\nb = 1\n[[a]]\n[.c]" };

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct toml_list list;
        cr_expect_not(toml_read(texts[i], strlen(texts[i]), &list));
        cr_expect_geq(list.error_line, 3, "%d: %s", list.error_line, list.error);
        cr_expect_leq(list.error_line, 4, "%d: %s", list.error_line, list.error);
        toml_free(&list);
    }
}

Test(toml, any_prefix_of_a_file_is_read_or_refused)
{
    const char *text = "[a]\nb = 0.5\n[[c]]\nd = \"x\\n\"\ne = [1, 2]\n[c.f]\ng = { h = 1 }\n";

    for (size_t bytes = 0; bytes <= strlen(text); bytes++) {
        struct toml_list list;
        bool good = toml_read(text, bytes, &list);
        cr_expect_eq(good, list.error_line == 0);
        toml_free(&list);
    }
}
