/* Every Deribit fixture: decoded and compared, cut at every byte, and with bytes changed; and the raw capture
 * of 2021, where it is at hand. */
#include "tests/venues/fixtures.h"

#include <criterion/criterion.h>
#include <string.h>

static bool is_message(const char *name)
{
    return fixtures_ends(name, ".json") || fixtures_ends(name, ".jsonl");
}

static bool is_compared(const char *name)
{
    (void)name;
    return true;
}

static uint8_t product_of(const char *name)
{
    (void)name;
    return PRODUCT_INVERSE; /* the symbol says it; this is for what has none */
}

static int arguments_of(const char *name, char **arguments, int count)
{
    if (fixtures_ends(name, ".json")) {
        arguments[count++] = "--whole";
    }
    if (strstr(name, "funding_rate") != NULL || strstr(name, "index_price") != NULL) {
        arguments[count++] = "--instrument";
        arguments[count++] = strstr(name, "index_price") != NULL ? "btc_usd" : "BTC-PERPETUAL";
    }
    if (strstr(name, "edit_response") != NULL) {
        arguments[count++] = "--reply-to";
        arguments[count++] = "private/edit";
    }
    if (strstr(name, "cancel_response") != NULL || strstr(name, "cancel_by_label") != NULL) {
        arguments[count++] = "--reply-to";
        arguments[count++] = "private/cancel";
    }
    if (strstr(name, "cancel_all_response") != NULL) {
        arguments[count++] = "--reply-to";
        arguments[count++] = "private/cancel_all";
    }
    return count;
}

/* What rest reads is told by its question: it has a test of its own. */
static bool takes(enum fixtures_part part, const char *name, const char *text)
{
    (void)name;
    return part == FIXTURES_FEED || (part == FIXTURES_PRIVATE && text[0] != '[');
}

static const struct fixtures deribit = {
    .venue = &venue_deribit,
    .product = product_of,
    .kept = is_message,
    .compared = is_compared,
    .arguments = arguments_of,
    .takes = takes,
};

Test(deribit_fixtures, decode_to_what_was_read_in_them)
{
    size_t compared = fixtures_compare(&deribit);
    cr_assert_geq(compared, 85, "only %zu fixtures", compared);
}

/* What the raw capture of 2021 (ten options) ends in: computed for the venue's page from the same messages.
 */
static const struct {
    const char *symbol;
    uint64_t last;
    const char *bid, *bid_qty, *ask, *ask_qty; /* NULL: nobody */
} ends[] = {
    { "BTC-24SEP21-8000-P", 33195898166, "0.0005", "153.1", "0.0015", "94.7" },
    { "BTC-24SEP21-34000-P", 33195897416, "0.1555", "0.8", "0.1585", "11.2" },
    { "BTC-31DEC21-300000-C", 33195896452, "0.005", "2.1", "0.0055", "4" },
    { "BTC-31DEC21-34000-P", 33195896887, "0.2325", "1.5", "0.236", "8.4" },
    { "ETH-30JUL21-2800-C", 13169031288, "0.0015", "4737", "0.0025", "873" },
    { "ETH-23JUL21-2300-C", 13168946419, NULL, NULL, "0.001", "274" },
    { "ETH-27AUG21-4000-P", 13167318455, NULL, NULL, NULL, NULL },
};

struct capture {
    struct instrument_table table;
    struct feed_parser parser;
    struct level levels[FEED_LEVELS_MAX];
    struct book *book;
    uint32_t snapshots, changes, deletes, others;
};

static void on_event(void *context, const struct feed_event *event)
{
    struct capture *capture = context;
    if (event->kind != FEED_EVENT_DEPTH) {
        capture->others++;
        return;
    }
    bool whole = (event->flags & FEED_EVENT_SNAPSHOT) != 0;
    capture->snapshots += whole;
    capture->changes += !whole;
    for (uint32_t i = 0; i < event->bid_count + event->ask_count; i++) {
        capture->deletes += event->bids[i].qty == 0;
    }
    book_take(&capture->book[event->instrument], &venue_deribit, PRODUCT_OPTION, event);
}

static void expect_touch(const char *symbol, const struct book *book, enum side side, const char *price,
                         const char *qty)
{
    int64_t units[2];
    if (price == NULL) {
        cr_assert_eq(book->count[side], 0, "%s", symbol);
        return;
    }
    cr_assert_eq(decimal_parse(price, strlen(price), 4, &units[0]), DECIMAL_OK);
    cr_assert_eq(decimal_parse(qty, strlen(qty), 1, &units[1]), DECIMAL_OK);
    cr_assert_gt(book->count[side], 0);
    cr_assert_eq(book->side[side][0].price, units[0], "%s", symbol);
    cr_assert_eq(book->side[side][0].qty, units[1], "%s", symbol);
}

Test(deribit_fixtures, the_raw_capture_of_2021_chains_and_ends_where_the_page_says)
{
    struct file file;
    if (!file_read_gzip(&file, POISE_SOURCE_DIR "/../shared/data/l2/deribit_raw_frames_2021-07-22.txt.gz")) {
        cr_skip_test("../shared/data/l2 is not here");
    }
    struct capture *capture = kept(sizeof *capture);
    instrument_table_reset(&capture->table);
    capture->book = kept(16 * sizeof *capture->book);
    static const char *const more[] = { "BTC-30JUL21-24000-P", "BTC-24JUN22-15000-C", "BTC-25MAR22-30000-C" };
    for (size_t i = 0; i < POISE_COUNT_OF(ends) + POISE_COUNT_OF(more); i++) {
        struct instrument row = { .venue = VENUE_DERIBIT, .product = PRODUCT_OPTION, .kind = KIND_OPTION };
        row.price_decimals = 4;
        row.qty_decimals = 1;
        strcpy(row.symbol, i < POISE_COUNT_OF(ends) ? ends[i].symbol : more[i - POISE_COUNT_OF(ends)]);
        instrument_add(&capture->table, &row);
    }
    capture->parser = (struct feed_parser){ .instruments = &capture->table,
                                            .venue = VENUE_DERIBIT,
                                            .product = PRODUCT_OPTION,
                                            .levels = capture->levels,
                                            .level_capacity = FEED_LEVELS_MAX,
                                            .reply_instrument = NO_INSTRUMENT };
    const char *line;
    size_t at = 0, bytes;
    uint32_t lines = 0;
    while (file_line(&file, &at, &line, &bytes)) {
        const char *body = memmem(line, bytes, ": {", 3);
        if (body == NULL) {
            continue;
        }
        lines++;
        body += 2;
        size_t count = (size_t)(line + bytes - body);
        int64_t consumed = venue_deribit.feed->parse(&capture->parser, body, count, on_event, capture);
        cr_assert_eq(consumed, (int64_t)count, "%.*s", (int)count, body);
    }
    cr_assert_eq(lines, 137);
    cr_assert_eq(capture->snapshots, 10);
    cr_assert_eq(capture->changes, 36);
    cr_assert_eq(capture->deletes, 19);
    for (size_t i = 0; i < POISE_COUNT_OF(ends); i++) {
        const struct book *book = &capture->book[i];
        cr_assert_eq(book->gaps, 0, "%s", ends[i].symbol);
        cr_assert_eq(book->dropped, 0);
        cr_assert_eq(book->at, ends[i].last, "%s", ends[i].symbol);
        expect_touch(ends[i].symbol, book, SIDE_BUY, ends[i].bid, ends[i].bid_qty);
        expect_touch(ends[i].symbol, book, SIDE_SELL, ends[i].ask, ends[i].ask_qty);
    }
    file_free(&file);
}

Test(deribit_fixtures, every_prefix_is_incomplete_and_nothing_beyond_it_is_read)
{
    fixtures_cut(&deribit);
}

Test(deribit_fixtures, changed_bytes_are_survived_and_yield_nothing_unsound)
{
    fixtures_change(&deribit);
}
