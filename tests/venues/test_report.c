/* What the reports of every venue are read alike in. */
#include "venues/report.h"

#include <criterion/criterion.h>

static struct instrument_table table;

static struct scan_value text(const char *words)
{
    return (struct scan_value){ .at = words, .bytes = (uint32_t)strlen(words), .type = SCAN_STRING };
}

static struct scan_value number(const char *digits)
{
    return (struct scan_value){ .at = digits, .bytes = (uint32_t)strlen(digits), .type = SCAN_NUMBER };
}

static uint16_t named_last(void *context, const char *code, size_t bytes)
{
    (void)code;
    *(size_t *)context = bytes;
    return 77;
}

static void set_up(void)
{
    memset(&table, 0, sizeof table);
    table.currency_count = 2;
    strcpy(table.currency[0].code, "USD");
    strcpy(table.currency[1].code, "USDT");
}

TestSuite(report, .init = set_up);

Test(report, a_currency_is_known_by_its_whole_code_or_asked_for)
{
    size_t asked = 0;
    struct venue_hooks hooks = { .context = &asked, .unknown_currency = named_last };
    struct scan_value usdt = text("USDT"), usd = text("USD"), us = text("US"), none = { .type = SCAN_NONE };

    cr_assert_eq(report_currency(&table, NULL, &usdt), 1);
    cr_assert_eq(report_currency(&table, NULL, &usd), 0);
    cr_assert_eq(report_currency(&table, NULL, &us), CURRENCY_NONE);
    cr_assert_eq(report_currency(&table, &hooks, &usd), 0);
    cr_assert_eq(asked, 0, "what the table has is not asked for");
    cr_assert_eq(report_currency(&table, &hooks, &us), 77);
    cr_assert_eq(asked, 2);
    cr_assert_eq(report_currency(&table, &hooks, &none), CURRENCY_NONE);
}

Test(report, a_fee_is_told_only_with_a_currency_that_can_be_booked)
{
    struct record_report report = { .fee_currency = CURRENCY_NONE };
    struct scan_value amount = number("0.5"), nothing = number("0.0"), usdt = text("USDT"), bnb = text("BNB");

    report_fee(&report, &table, NULL, &amount, &bnb);
    cr_assert_eq(report.flags & REPORT_HAS_FEE, 0);
    report_fee(&report, &table, NULL, &usdt, &usdt);
    cr_assert_eq(report.flags & REPORT_HAS_FEE, 0, "words are no amount");
    report_fee(&report, &table, NULL, &amount, &usdt);
    cr_assert_neq(report.flags & REPORT_HAS_FEE, 0);
    cr_assert_eq(report.fee_e8, 50000000);
    cr_assert_eq(report.fee_currency, 1);

    struct record_report free = { .fee_currency = CURRENCY_NONE };
    report_fee(&free, &table, NULL, &nothing, &bnb);
    cr_assert_neq(free.flags & REPORT_HAS_FEE, 0, "nothing is nothing in any currency");
}

Test(report, an_order_is_ours_somebody_elses_or_the_one_that_was_asked_about)
{
    char ours[ORDER_ID_TEXT_BYTES];
    struct record_report report = { 0 };
    struct venue_hooks hooks = { 0 };
    uint64_t order = UINT64_C(93984610304);

    order_id_print(ours, order);
    struct scan_value mine = { .at = ours, .bytes = sizeof ours, .type = SCAN_STRING };
    struct scan_value other = text("web_4711"), none = { .type = SCAN_NONE };

    cr_assert_not(report_client(&report, &hooks, 0, &mine));
    cr_assert_eq(report.order, order);
    cr_assert_eq(report.flags & REPORT_FOREIGN, 0);
    cr_assert_eq(hooks.client_id, ours);

    report = (struct record_report){ .order = 5 };
    cr_assert_not(report_client(&report, NULL, 5, &none));
    cr_assert_eq(report.order, 5);
    cr_assert_eq(report.flags & REPORT_FOREIGN, 0);
    cr_assert_not(report_client(&report, NULL, 0, &none));
    cr_assert_neq(report.flags & REPORT_FOREIGN, 0, "no id and nobody asked");

    report = (struct record_report){ 0 };
    cr_assert(report_client(&report, NULL, 5, &other), "an id that is not ours says so whoever asked");
    cr_assert_eq(report.order, 0);
    cr_assert_neq(report.flags & REPORT_FOREIGN, 0);
}

Test(report, the_venues_name_of_an_order_is_kept_when_it_fits)
{
    struct record_report report = { 0 };
    struct scan_value id = number("18446744073709551615"), words = text("ETH-123456");
    char longer[sizeof report.venue_order_id + 1];

    report_venue_order(&report, &id);
    cr_assert_str_eq(report.venue_order_id, "18446744073709551615");
    memset(&report, 0, sizeof report);
    report_venue_order(&report, &words);
    cr_assert_str_eq(report.venue_order_id, "ETH-123456");

    memset(longer, '1', sizeof longer);
    struct scan_value big = { .at = longer, .bytes = sizeof report.venue_order_id, .type = SCAN_NUMBER };
    memset(&report, 0, sizeof report);
    report_venue_order(&report, &big);
    cr_assert_eq(report.venue_order_id[0], '\0', "cut it would be another order");
}
