#include "tools/sim/model/sim_book.h"
#include "tools/sim/model/sim_decimal.h"
#include "tools/sim/sim_setup.h"
#include "tools/sim/sim_tape.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

static void shared(char *path, size_t size, const char *name)
{
    const char *folder = getenv("POISE_SHARED");

    snprintf(path, size, "%s%s/data/l2/%s", folder != NULL ? folder : POISE_SOURCE_DIR,
             folder != NULL ? "" : "/../shared", name);
}

static bool same(int64_t units, int decimals, const json_t *text)
{
    int64_t wanted;

    return sim_decimal_parse(json_string_value(text), json_string_length(text), decimals, &wanted) ==
               SIM_DECIMAL_OK &&
           wanted == units;
}

/* replay applies a tape to a book the way the venue model does before a start, and checks it against the
 * state that the recording's documentation gives. */
static void replay(enum sim_kind kind, const json_t *expected)
{
    struct sim_instrument instrument = sim_setup_instrument(kind);
    struct sim_tape tape;
    struct sim_book book = { 0 };
    char path[1024], error[512];
    size_t depths = 0, trades = 0, tops = 0;
    __int128 bought = 0, sold = 0;
    struct sim_level touch[2] = { { 0 } };

    shared(path, sizeof path, json_string_value(json_object_get(expected, "file")));
    cr_assert(sim_tape_load(&tape, path, &instrument, 0, error, sizeof error), "%s", error);
    for (size_t i = 0; i < tape.count; i++) {
        const struct sim_tape_event *event = &tape.event[i];
        switch (event->kind) {
        case SIM_TAPE_SNAPSHOT:
            sim_book_snapshot(&book, event);
            break;
        case SIM_TAPE_DEPTH:
            depths++;
            sim_book_depth(&book, event);
            break;
        case SIM_TAPE_TRADE:
            trades++;
            *(event->buyer_is_maker ? &sold : &bought) += event->levels[0].qty;
            break;
        case SIM_TAPE_TOP:
            tops++;
            touch[0] = event->levels[0];
            touch[1] = event->levels[1];
            break;
        default:
            break;
        }
    }
    cr_assert_eq(tape.gaps, 0);
    cr_assert_eq((json_int_t)tape.dropped,
                 json_integer_value(json_object_get(expected, "stale_depth_skipped")));
    cr_assert_eq((json_int_t)(depths + tape.dropped),
                 json_integer_value(json_object_get(expected, "depth_msgs")));
    cr_assert_eq(book.u, json_integer_value(json_object_get(expected, "last_u")));
    cr_assert_eq((json_int_t)book.side[0].count,
                 json_integer_value(json_object_get(expected, "final_bid_levels")));
    cr_assert_eq((json_int_t)book.side[1].count,
                 json_integer_value(json_object_get(expected, "final_ask_levels")));
    for (int side = 0; side < 2; side++) {
        const json_t *top = json_object_get(expected, side == 0 ? "final_top5_bids" : "final_top5_asks");
        for (size_t k = 0; k < 5; k++) {
            const struct sim_level *level = &book.side[side].level[book.side[side].count - 1 - k];
            const json_t *pair = json_array_get(top, k);
            cr_assert(same(level->price, instrument.price_decimals, json_array_get(pair, 0)));
            cr_assert(same(level->qty, instrument.qty_decimals, json_array_get(pair, 1)));
        }
        const json_t *last = json_object_get(expected, "last_bookticker");
        cr_assert(same(touch[side].price, instrument.price_decimals, json_array_get(last, (size_t)side * 2)));
        cr_assert(same(touch[side].qty, instrument.qty_decimals, json_array_get(last, (size_t)side * 2 + 1)));
    }
    /* The totals of the documentation include the few trades before the snapshot, which the tape leaves out.
     */
    int64_t all_bought, all_sold;
    const json_t *text = json_object_get(expected, "buy_qty");
    sim_decimal_parse(json_string_value(text), json_string_length(text), instrument.qty_decimals,
                      &all_bought);
    text = json_object_get(expected, "sell_qty");
    sim_decimal_parse(json_string_value(text), json_string_length(text), instrument.qty_decimals, &all_sold);
    cr_assert(bought <= all_bought && bought * 1000 > (__int128)all_bought * 995);
    cr_assert(sold <= all_sold && sold * 1000 > (__int128)all_sold * 995);
    cr_assert_gt(trades, 2000);
    cr_assert_gt(tops, 18000);
    sim_book_free(&book);
    sim_tape_free(&tape);
}

static const json_t *expected_of(json_t **root, const char *part)
{
    char path[1024];
    size_t i;
    json_t *entry;

    shared(path, sizeof path, "expected_book_state.json");
    if (access(path, R_OK) != 0) {
        cr_skip_test("skipped: %s is not there (set POISE_SHARED)", path);
    }
    *root = json_load_file(path, 0, NULL);
    cr_assert_not_null(*root);
    json_array_foreach(*root, i, entry)
    {
        if (strstr(json_string_value(json_object_get(entry, "file")), part) != NULL) {
            return entry;
        }
    }
    cr_assert_fail("no %s", part);
    return NULL;
}

Test(tape, usdm_ends_in_the_expected_state)
{
    json_t *root = NULL;

    replay(SIM_LINEAR, expected_of(&root, "usdm"));
    json_decref(root);
}

Test(tape, coinm_ends_in_the_expected_state)
{
    json_t *root = NULL;

    replay(SIM_INVERSE, expected_of(&root, "_cm_"));
    json_decref(root);
}

Test(tape, spot_ends_in_the_expected_state)
{
    json_t *root = NULL;

    replay(SIM_SPOT, expected_of(&root, "spot"));
    json_decref(root);
}

/* --- the trimmed recordings in the tree ---------------------------------------------------------------- */

static struct sim_tape load(enum sim_kind kind, const char *name)
{
    struct sim_instrument instrument = sim_setup_instrument(kind);
    struct sim_tape tape;
    char path[1024], error[512] = "";

    snprintf(path, sizeof path, "%s/tests/data/tape/%s", POISE_SOURCE_DIR, name);
    cr_assert(sim_tape_load(&tape, path, &instrument, 0, error, sizeof error), "%s", error);
    return tape;
}

Test(tape, the_trimmed_recordings_have_no_gap_and_are_aligned)
{
    struct sim_tape usdm = load(SIM_LINEAR, "usdm_btcusdt.jsonl.gz");
    struct sim_tape coinm = load(SIM_INVERSE, "coinm_btcusd_perp.jsonl.gz");

    cr_assert_eq(usdm.gaps, 0);
    cr_assert_eq(coinm.gaps, 0);
    cr_assert_eq(usdm.first_ns, INT64_C(1723161428937085768));
    cr_assert_eq(coinm.first_ns, usdm.first_ns);
    cr_assert_eq(usdm.event[0].kind, SIM_TAPE_SNAPSHOT);
    cr_assert_gt(usdm.last_ns, usdm.first_ns + INT64_C(89000000000));
    cr_assert_gt(coinm.last_ns, coinm.first_ns + INT64_C(89000000000));
    sim_tape_free(&usdm);
    sim_tape_free(&coinm);
}

/* --- what a file can do wrong -------------------------------------------------------------------------- */

static bool load_text(const char *text, struct sim_tape *tape, char *error, size_t size)
{
    char path[] = "/tmp/poise-test-tape-XXXXXX";
    struct sim_instrument instrument = sim_setup_instrument(SIM_LINEAR);
    int fd = mkstemp(path);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    bool good = sim_tape_load(tape, path, &instrument, 0, error, size);
    unlink(path);
    return good;
}

#define SNAPSHOT "10 {\"lastUpdateId\":100,\"E\":1,\"T\":1,\"bids\":[[\"60000.00\",\"1.000\"]],\"asks\":[]}\n"

Test(tape, the_snapshot_comes_first_and_older_frames_are_dropped)
{
    struct sim_tape tape;
    char error[512];
    const char *text =
        "1 "
        "{\"stream\":\"x\",\"data\":{\"e\":\"depthUpdate\",\"E\":1,\"T\":1,\"U\":90,\"u\":95,\"pu\":89,\"b\":"
        "[],\"a\":[]}}\n"
        "2 {\"stream\":\"x\",\"data\":{\"e\":\"depthUpdate\",\"E\":1,\"T\":1,\"U\":96,\"u\":102,\"pu\":95,"
        "\"b\":[[\"60000.00\",\"0.000\"]],\"a\":[]}}\n" SNAPSHOT
        "11 "
        "{\"stream\":\"x\",\"data\":{\"e\":\"depthUpdate\",\"E\":1,\"T\":1,\"U\":104,\"u\":106,\"pu\":102,"
        "\"b\":[],\"a\":[]}}\n"
        "12 "
        "{\"stream\":\"x\",\"data\":{\"e\":\"depthUpdate\",\"E\":1,\"T\":1,\"U\":109,\"u\":110,\"pu\":107,"
        "\"b\":[],\"a\":[]}}\n";

    cr_assert(load_text(text, &tape, error, sizeof error), "%s", error);
    cr_assert_eq(tape.count, 4);
    cr_assert_eq(tape.event[0].kind, SIM_TAPE_SNAPSHOT);
    cr_assert_eq(tape.dropped, 1);
    cr_assert_eq(tape.gaps, 1, "107 was never seen");
    cr_assert_eq(tape.event[1].recv_ns, 10, "what came before the snapshot happens with it");
    sim_tape_free(&tape);
}

Test(tape, a_file_without_snapshot_or_with_a_broken_line_is_refused_by_line)
{
    struct sim_tape tape;
    char error[512];

    cr_assert_not(load_text("1 {\"e\":\"trade\",\"t\":1,\"T\":1,\"p\":\"1.00\",\"q\":\"1\",\"m\":true}\n",
                            &tape, error, sizeof error));
    cr_assert_not_null(strstr(error, "no depth snapshot"));
    cr_assert_not(
        load_text(SNAPSHOT "11 {\"e\":\"trade\",\"p\":\"1.001\",\"q\":\"1\"}\n", &tape, error, sizeof error));
    cr_assert_not_null(strstr(error, ":2:"), "%s", error);
    cr_assert_not(load_text(SNAPSHOT "{\"no\":\"time\"}\n", &tape, error, sizeof error));
    cr_assert_not(load_text("", &tape, error, sizeof error));
}
