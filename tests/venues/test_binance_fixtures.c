/* Every Binance fixture: decoded and compared, cut at every byte, and with bytes changed. */
#include "tests/venues/fixtures.h"

#include <criterion/criterion.h>
#include <string.h>

static bool is_message(const char *name)
{
    return ((fixtures_ends(name, ".json") || fixtures_ends(name, ".jsonl")) &&
            !fixtures_ends(name, ".metadata.json")) ||
           fixtures_ends(name, ".sbe");
}

static bool is_compared(const char *name)
{
    return strstr(name, "_2021.jsonl") == NULL && strstr(name, "SYNTHETIC") == NULL;
}

static uint8_t product_of(const char *name)
{
    return strncmp(name, "spot", 4) == 0   ? PRODUCT_SPOT
           : strncmp(name, "usdm", 4) == 0 ? PRODUCT_LINEAR
                                           : PRODUCT_INVERSE;
}

static int arguments_of(const char *name, char **arguments, int count)
{
    arguments[count++] = "--kind";
    arguments[count++] = (char *)product_names[product_of(name)];
    if (fixtures_ends(name, ".json")) {
        arguments[count++] = "--whole";
    }
    if (strstr(name, "_user_") != NULL || strstr(name, ".sbe") != NULL) {
        arguments[count++] = "--private";
    }
    if (strstr(name, "depth") != NULL && strstr(name, "_ws_") == NULL) {
        arguments[count++] = "--instrument";
        arguments[count++] = strstr(name, "nkn") != NULL     ? "NKNUSDT"
                             : strstr(name, "sushi") != NULL ? "SUSHIUSDT"
                             : strstr(name, "ctk") != NULL   ? "CTKUSDT"
                                                             : "BTCUSDT";
    }
    if (strstr(name, "modify") != NULL) {
        arguments[count++] = "--reply-to";
        arguments[count++] = "order.modify";
    }
    return count;
}

/* No message of a session is an array; binary frames are a session's only. */
static bool takes(enum fixtures_part part, const char *name, const char *text)
{
    return part == FIXTURES_PRIVATE ? text[0] != '[' : !fixtures_ends(name, ".sbe");
}

static const struct fixtures binance = {
    .venue = &venue_binance,
    .product = product_of,
    .kept = is_message,
    .compared = is_compared,
    .arguments = arguments_of,
    .takes = takes,
};

Test(binance_fixtures, decode_to_what_was_read_in_them)
{
    size_t compared = fixtures_compare(&binance);
    cr_assert_gt(compared, 90, "only %zu fixtures", compared);
}

Test(binance_fixtures, every_prefix_is_incomplete_and_nothing_beyond_it_is_read)
{
    fixtures_cut(&binance);
}

Test(binance_fixtures, changed_bytes_are_survived_and_yield_nothing_unsound)
{
    fixtures_change(&binance);
}
