/* The tolerant scanner: what it accepts is JSON, what it reads is there, and nothing outside is touched. */
#include "tests/venues/support.h"
#include "venues/scan.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static int64_t take(const char *text, size_t bytes)
{
    struct scan scan;
    struct scan_value value;
    scan_open(&scan, text, bytes);
    scan_take(&scan, &value);
    return scan_finish(&scan);
}

static int64_t take_text(const char *text)
{
    return take(text, strlen(text));
}

Test(scan, sound_texts_are_consumed_with_the_white_space_behind)
{
    static const char *const texts[] = {
        "{}",
        "[]",
        "[1,2]",
        " { \"a\" : [ ] , \"b\":{\"c\":null}} \r\n\t",
        "[true,false,null,-0,0.5,1e5,1E-5,-1.25e+3]",
        "[\"\\u00e9\\n\\\"\\\\\\/\"]",
        "{\"a\":{\"a\":{\"a\":[[[[]]]]}}}",
        "\"text\"",
    };
    for (size_t i = 0; i < POISE_COUNT_OF(texts); i++) {
        cr_assert_eq(take_text(texts[i]), (int64_t)strlen(texts[i]), "%s", texts[i]);
    }
}

Test(scan, unsound_texts_are_broken)
{
    static const char *const texts[] = {
        "{,}",
        "[,]",
        "[1,]",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{a:1}",
        "[01]",
        "[1.]x",
        "[.5]",
        "[+1]",
        "[-]",
        "[1e]",
        "[tru]",
        "[nul ]",
        "]",
        "}",
        "[1}",
        "{\"a\":1]",
        "[\"\n\"]",
        "[\"\\x\"]",
        "[\"\\u12g4\"]",
        "[1 2]",
        "{\"a\" 1}",
        "x",
        "[1,,2]",
        "{\"a\":1 \"b\":2}",
        "[NaN]",
        "[Infinity]",
        "[1.5.5]",
    };
    for (size_t i = 0; i < POISE_COUNT_OF(texts); i++) {
        cr_assert_eq(take_text(texts[i]), -1, "%s", texts[i]);
    }
}

Test(scan, nesting_is_bounded)
{
    char deep[3 * SCAN_DEPTH_MAX];
    memset(deep, '[', sizeof deep);
    cr_assert_eq(take(deep, sizeof deep), -1);
    for (int depth = 1; depth <= SCAN_DEPTH_MAX; depth++) {
        char text[2 * SCAN_DEPTH_MAX];
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        cr_assert_eq(take(text, (size_t)(2 * depth)), 2 * depth, "depth %d", depth);
    }
}

Test(scan, every_prefix_is_short_and_nothing_beyond_is_read)
{
    static const char text[] =
        "{\"a\":[1,-2.5e3,\"x\\u0041\\n\",true,false,null],\"bc\":{\"d\":\"long enough for sixteen bytes\"}}";
    struct guard guard;
    guard_make(&guard, sizeof text);
    for (size_t bytes = 0; bytes < sizeof text - 1; bytes++) {
        cr_assert_eq(take(guard_put(&guard, text, bytes), bytes), 0, "prefix of %zu", bytes);
    }
    cr_assert_eq(take(guard_put(&guard, text, sizeof text - 1), sizeof text - 1), (int64_t)sizeof text - 1);
    guard_free(&guard);
}

/* Structure agrees with another library, whatever is done to the bytes (ASCII only: the scanner does not
 * check UTF-8, and the library does). */
Test(scan, what_it_accepts_another_reader_accepts)
{
    static const char text[] =
        "{\"e\":\"depthUpdate\",\"E\":1626916403873,\"s\":\"BCH\\u0055SD\",\"b\":[[\"427.27\",\"0\"],[]],"
        "\"m\":true,\"x\":null,\"n\":-1.5e-7,\"o\":{\"a\":[{},[]]}}";
    static const char bytes_in[] = "\"\\{}[],:0123456789.eE+-truefalsn u\n";
    uint64_t seed = 20240808;
    struct guard guard;
    guard_make(&guard, sizeof text);
    uint32_t accepted = 0;
    for (int round = 0; round < 200000; round++) {
        char copy[sizeof text];
        memcpy(copy, text, sizeof text);
        size_t bytes = sizeof text - 1;
        int flips = 1 + round % 3;
        for (int i = 0; i < flips; i++) {
            seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
            copy[(seed >> 33) % bytes] = bytes_in[(seed >> 20) % (sizeof bytes_in - 1)];
        }
        int64_t ours = take(guard_put(&guard, copy, bytes), bytes);
        json_error_t error;
        json_t *theirs =
            json_loadb(copy, bytes, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &error);
        if (theirs == NULL && strstr(error.text, "overflow") != NULL) {
            continue; /* a number too large for a double: sound all the same */
        }
        cr_assert_eq(ours == (int64_t)bytes, theirs != NULL, "%s: %ld, %s", copy, ours, error.text);
        accepted += theirs != NULL;
        json_decref(theirs);
    }
    cr_assert_gt(accepted, 10000);
    guard_free(&guard);
}

Test(scan, fields_come_in_any_order_and_the_last_of_equal_keys_counts)
{
    static const char text[] =
        "{\"zz\":{\"b\":1},\"b\":2,\"name\":\"x\\u0041\",\"b\":3,\"\\u0061\":\"escaped key\",\"long\":[1]}";
    static const struct scan_name names[] = { SCAN_NAME("name"), SCAN_NAME("long"), SCAN_NAME("missing") };
    struct scan scan;
    struct scan_value letters[SCAN_LETTERS], named[3];
    uint64_t number = 0;
    scan_open(&scan, text, strlen(text));
    cr_assert(scan_fields(&scan, letters, names, 3, named));
    cr_assert(scan_unsigned(&letters[SCAN_LETTER('b')], &number));
    cr_assert_eq(number, 3);
    cr_assert(scan_is(&named[0], "xA"));
    cr_assert(scan_is(&letters[SCAN_LETTER('a')], "escaped key"));
    cr_assert_eq(named[1].type, SCAN_ARRAY);
    cr_assert_eq(named[2].type, SCAN_NONE);
}

static const struct scan_name hand_names[] = { SCAN_NAME("sp"), SCAN_NAME("pP"), SCAN_NAME("clientOrderId"),
                                               SCAN_NAME("time_in_force"),
                                               SCAN_NAME("last_update_timestamp") };
#define HAND_NAMES 5

/* The independent opinion: member by member, without the quick way.  Letters, then names. */
static bool fields_by_hand(struct scan *scan, struct scan_value values[SCAN_LETTERS + HAND_NAMES])
{
    struct scan_value key, ignored;
    memset(values, 0, (SCAN_LETTERS + HAND_NAMES) * sizeof *values);
    if (!scan_object(scan)) {
        return false;
    }
    while (scan_key(scan, &key)) {
        struct scan_value *to = &ignored;
        if (key.bytes == 1 && SCAN_LETTER(*key.at) < SCAN_LETTERS) {
            to = &values[SCAN_LETTER(*key.at)];
        }
        for (uint32_t i = 0; i < HAND_NAMES; i++) {
            if (key.bytes == hand_names[i].bytes && memcmp(key.at, hand_names[i].text, key.bytes) == 0) {
                to = &values[SCAN_LETTERS + i];
            }
        }
        if (!scan_take(scan, to)) {
            return false;
        }
    }
    return scan->state == SCAN_FINE;
}

static bool fields_agree(const char *text, size_t bytes, bool *sound)
{
    struct scan quick, slow;
    struct scan_value fast[SCAN_LETTERS + HAND_NAMES], hand[SCAN_LETTERS + HAND_NAMES];
    scan_open(&quick, text, bytes);
    scan_open(&slow, text, bytes);
    *sound = scan_fields(&quick, fast, hand_names, HAND_NAMES, fast + SCAN_LETTERS);
    if (fields_by_hand(&slow, hand) != *sound || quick.state != slow.state || quick.at != slow.at) {
        return false;
    }
    for (uint32_t i = 0; *sound && i < SCAN_LETTERS + HAND_NAMES; i++) {
        bool same = fast[i].type == hand[i].type && fast[i].escaped == hand[i].escaped &&
                    (fast[i].type == SCAN_NONE ||
                     (fast[i].bytes == hand[i].bytes && memcmp(fast[i].at, hand[i].at, fast[i].bytes) == 0));
        if (!same) {
            return false;
        }
    }
    return true;
}

Test(scan, members_taken_quickly_are_what_they_are_taken_slowly)
{
    static const char reports[] =
        "{\"s\":\"BTCUSD_PERP\",\"c\":\"p00g002ngm0a0b1\",\"S\":\"BUY\",\"q\":"
        "\"1000\",\"p\":\"59970.4\",\"sp\":\"0\","
        "\"x\":\"TRADE\",\"i\":8886774,\"l\":\"6\",\"z\":12345678901234567890,\"T\":"
        "1759999999999,\"t\":0,\"m\":true,"
        "\"R\":false,\"clientOrderId\":\"x\",\"cp\":false,\"pP\":null,\"f\":-1,\"g\":0.5,\"w\":\"a\\u0041\","
        "\"o\":[1],\"m\":false,\"V\":\"\"}   "
        "                                                                                                ";
    static const char changes[] =
        "{\"s\":\"BTC-PERPETUAL\",\"price\":59970.5,\"time_in_force\":\"good_til_cancelled\",\"q\":-0.00012,"
        "\"estimated_liquidation_price\":null,\"l\":100.0,\"c\":\"thirty-one-plain-bytes-of-a-text\","
        "\"x\":\"thirty-two-plain-bytes-of-a-text!\",\"i\":0,\"last_update_timestamp\":1759999999999,\"m\":"
        "false,"
        "\"fee\":1.6e-7,\"p\":12345678901234567890.12345678901234567890,\"T\":-1,\"clientOrderId\":\"y\"}  "
        "                                                                                                ";
    static const char bytes_in[] = "\"\\{}[],:0123456789.eE+-truefalsn \n";
    uint64_t seed = 20261128;
    uint32_t sound_count = 0;
    struct guard guard;
    bool sound;
    guard_make(&guard, 4096);
    for (int round = 0; round < 200000; round++) {
        const char *text = round % 2 == 0 ? reports : changes;
        size_t bytes = strlen(text);
        char copy[1024] = "";
        if ((size_t)round / 2 <= bytes) {
            size_t cut = (size_t)round / 2;
            cr_assert(fields_agree(guard_put(&guard, text, cut), cut, &sound), "%zu bytes of %s", cut, text);
        }
        cr_assert_lt(bytes, sizeof copy);
        memcpy(copy, text, bytes);
        for (int i = 0; i < 1 + round / 2 % 3; i++) {
            seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
            copy[(seed >> 33) % bytes] = bytes_in[(seed >> 20) % (sizeof bytes_in - 1)];
        }
        cr_assert(fields_agree(guard_put(&guard, copy, bytes), bytes, &sound), "%s", copy);
        sound_count += sound;
    }
    cr_assert_gt(sound_count, 10000);
    guard_free(&guard);
}

/* Names in the order of their lengths, and where each length begins. */
static const struct scan_name by_length[] = { SCAN_NAME("id"), SCAN_NAME("tag"), SCAN_NAME("price"),
                                              SCAN_NAME("amount"),
                                              SCAN_NAME("a_name_with_nine_and_20_bytes") };
#define BY_LENGTH    POISE_COUNT_OF(by_length)
#define NAME_LONGEST 29 /* and the longest that is remembered */
static uint8_t by_length_from[NAME_LONGEST + 2];

static void measure_names(void)
{
    for (uint32_t bytes = 0; bytes < sizeof by_length_from; bytes++) {
        uint8_t name = 0;
        while (name < BY_LENGTH && by_length[name].bytes < bytes) {
            name++;
        }
        by_length_from[bytes] = name;
    }
}

/* read_both reads the first object of a text with the habit and without; true when it is sound. */
static bool read_both(struct scan_habit *habit, const char *text, size_t bytes)
{
    struct scan plain, quick;
    struct scan_value expected[BY_LENGTH], fields[BY_LENGTH];
    scan_open(&plain, text, bytes);
    scan_open(&quick, text, bytes);
    bool sound = scan_fields_by_length(&plain, by_length, BY_LENGTH, by_length_from, NAME_LONGEST, expected);
    cr_assert_eq(
        scan_fields_by_habit(&quick, by_length, BY_LENGTH, by_length_from, NAME_LONGEST, habit, fields),
        sound, "%.*s", (int)bytes, text);
    cr_assert(quick.at == plain.at && quick.state == plain.state && quick.depth == plain.depth, "%.*s",
              (int)bytes, text);
    for (size_t i = 0; sound && i < BY_LENGTH; i++) {
        bool resolved =
            expected[i].at >= plain.scratch && expected[i].at < plain.scratch + sizeof plain.scratch;
        cr_assert(fields[i].type == expected[i].type && fields[i].bytes == expected[i].bytes &&
                      fields[i].escaped == expected[i].escaped &&
                      (resolved ? memcmp(fields[i].at, expected[i].at, expected[i].bytes) == 0
                                : fields[i].at == expected[i].at),
                  "%zu of %.*s", i, (int)bytes, text);
    }
    return sound;
}

static const char *const habitual[] = {
    "{\"id\":1,\"tag\":\"x\",\"other\":null,\"price\":-60000.5,\"amount\":0.0,\"more\":true,\"least\":false,"
    "\"a_name_with_nine_and_20_bytes\":1700000000123,\"end\":\"of what is looked at quickly: "
    "none\",\"last\":1}",
    "{\"id\":22,\"tag\":\"a label of more than sixteen\",\"price\":1e-7,\"amount\":10,\"more\":[1,{}],"
    "\"least\":false,\"a_name_with_nine_and_20_bytes\":1700000000123456789,\"end\":\"\",\"last\":-0}",
    "{\"tag\":\"\\u0041\",\"\\u0069d\":3,\"new\":1,\"price\":0,\"amount\":00,\"more\":true,\"least\":false,"
    "\"x\":1}",
    "{\"last\":1,\"end\":2,\"a_name_with_nine_and_20_bytes\":3,\"least\":4,\"more\":5,\"amount\":6.25,"
    "\"price\":7,"
    "\"other\":8,\"tag\":\"nine\",\"id\":10}                                                                ",
    "{\"id\":1,\"id\":2,\"tag\":\"x\" "
    ",\"tag\":\"y\",\"price\":1.,\"amount\":-,\"more\":truer,\"least\":1.5.5}",
    "{ }",
    "{\"id\":1}",
};

Test(scan, a_habit_changes_nothing)
{
    static struct scan_habit habit;
    struct guard guard;
    guard_make(&guard, 1 << 12);
    measure_names();
    uint64_t random = 88172645463325252ULL;
    uint32_t sound = 0;
    for (uint32_t i = 0; i < 300000; i++) {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        /* runs of one kind, so that there is a habit to be surprised in */
        const char *from =
            habitual[i % 64 < 40 ? i / 4096 % POISE_COUNT_OF(habitual) : random % POISE_COUNT_OF(habitual)];
        size_t bytes = strlen(from);
        char *text = guard_put(&guard, from, bytes);
        if (i % 3 != 0) {
            size_t place = (random >> 8) % bytes, with = (random >> 24) % bytes;
            text[place] = random >> 60 == 0 ? (char)(random >> 40) : text[with];
        }
        sound += read_both(&habit, text, i % 7 == 0 ? (random >> 30) % (bytes + 1) : bytes);
    }
    cr_assert_gt(sound, 60000);
    guard_free(&guard);
}

Test(scan, a_new_order_of_keys_becomes_the_habit)
{
    static struct scan_habit habit;
    measure_names();
    read_both(&habit, habitual[0], strlen(habitual[0]));
    cr_assert_eq(habit.count, 10);
    cr_assert_eq(habit.key[0].place, 0);
    cr_assert_eq(habit.key[2].place, SCAN_HABIT_NOWHERE);
    read_both(&habit, habitual[0], strlen(habitual[0]));
    cr_assert_eq(habit.count, 10, "the same again is no surprise");
    read_both(&habit, habitual[3], strlen(habitual[3]));
    cr_assert_eq(habit.count, 0);
    read_both(&habit, habitual[3], strlen(habitual[3]));
    cr_assert_eq(habit.count, 10);
    cr_assert_eq(habit.key[9].place, 0);
}

Test(scan, sixty_four_bit_ids_are_exact_and_larger_ones_are_refused)
{
    struct scan_value value = { .type = SCAN_NUMBER };
    uint64_t number = 7;
    int64_t sign = 7;
    value.at = "18446744073709551615", value.bytes = 20;
    cr_assert(scan_unsigned(&value, &number));
    cr_assert_eq(number, UINT64_MAX);
    value.at = "18446744073709551616";
    cr_assert_not(scan_unsigned(&value, &number));
    value.at = "8389765739703625592", value.bytes = 19;
    cr_assert(scan_unsigned(&value, &number));
    cr_assert_eq(number, 8389765739703625592ULL);
    value.at = "-9223372036854775807", value.bytes = 20;
    cr_assert(scan_signed(&value, &sign));
    cr_assert_eq(sign, -INT64_MAX);
    value.at = "1.5", value.bytes = 3;
    cr_assert_not(scan_unsigned(&value, &number));
    value.at = "", value.bytes = 0;
    cr_assert_not(scan_unsigned(&value, &number));
}

static bool fixed(const char *text, int decimals, int64_t *out)
{
    return scan_fixed(text, strlen(text), decimals, out);
}

Test(scan, decimals_are_exact_or_refused_and_agree_with_the_slow_way)
{
    int64_t value = 0;
    cr_assert(fixed("61800.20", 1, &value));
    cr_assert_eq(value, 618002);
    cr_assert(fixed("61837.63000000", 2, &value));
    cr_assert_eq(value, 6183763);
    cr_assert_not(fixed("61837.63000001", 2, &value));
    cr_assert(fixed("0.00000000", 2, &value));
    cr_assert_eq(value, 0);
    cr_assert(fixed("-1.5", 2, &value));
    cr_assert_eq(value, -150);
    cr_assert(fixed("1e-05", 8, &value));
    cr_assert_eq(value, 1000);
    static const char *const wrong[] = { "",      ".", "1.", ".5",  "1..2",
                                         "1.2.3", "x", "1x", "--1", "99999999999999999999" };
    for (size_t i = 0; i < POISE_COUNT_OF(wrong); i++) {
        cr_assert_not(fixed(wrong[i], 2, &value), "%s", wrong[i]);
    }
    uint64_t seed = 7;
    for (int round = 0; round < 200000; round++) {
        char text[32];
        size_t bytes = 0;
        seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
        int length = 1 + (int)(seed >> 60), decimals = (int)(seed >> 40) % 9;
        for (int i = 0; i < length; i++) {
            seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
            text[bytes++] = "0123456789000.."[(seed >> 33) % 15];
        }
        int64_t fast = -77, slow = -77;
        bool ok = scan_fixed(text, bytes, decimals, &fast);
        cr_assert_eq(ok, decimal_parse(text, bytes, decimals, &slow) == DECIMAL_OK, "%.*s at %d", (int)bytes,
                     text, decimals);
        if (ok) {
            cr_assert_eq(fast, slow, "%.*s at %d", (int)bytes, text, decimals);
        }
    }
}

Test(scan, what_is_finer_than_the_unit_is_cut_only_where_that_is_asked_for)
{
    struct scan_value value = { .type = SCAN_STRING, .at = "11979.35000000", .bytes = 14 };
    int64_t out = 0;
    cr_assert_not(scan_decimal(&value, 1, &out));
    cr_assert(scan_decimal_near(&value, 1, &out));
    cr_assert_eq(out, 119793);
    cr_assert(scan_decimal_near(&value, 0, &out));
    cr_assert_eq(out, 11979);
    static const struct {
        const char *text;
        int decimals;
        int64_t out;
    } exponents[] = {
        { "1.5e-9", 2, 0 },
        { "1.5e-9", 9, 1 },
        { "-4.739622041017375e-7", 12, -473962 },
        { "0.004999511380756577", 12, 4999511380 },
        { "4.999511380756577E-03", 12, 4999511380 },
        { "123456789012345678901e-20", 8, 123456789 },
        { "1.23456789e3", 2, 123456 },
        { "0.0e-400", 8, 0 },
        { "9e-999999999999", 8, 0 },
    };
    for (size_t i = 0; i < POISE_COUNT_OF(exponents); i++) {
        value = (struct scan_value){ .type = SCAN_NUMBER,
                                     .at = exponents[i].text,
                                     .bytes = (uint32_t)strlen(exponents[i].text) };
        cr_assert(scan_decimal_near(&value, exponents[i].decimals, &out), "%s", exponents[i].text);
        cr_assert_eq(out, exponents[i].out, "%s: %ld", exponents[i].text, out);
    }
    static const char *const none[] = { "1e30", "1e",  "1e-",           "e5", "1e5x", "1.2.3e4",
                                        "-",    "12x", "1e999999999999" };
    for (size_t i = 0; i < POISE_COUNT_OF(none); i++) {
        value = (struct scan_value){ .type = SCAN_STRING, .at = none[i], .bytes = (uint32_t)strlen(none[i]) };
        cr_assert_not(scan_decimal_near(&value, 8, &out), "%s", none[i]);
    }
}

Test(scan, times_are_told_apart_by_their_size)
{
    struct scan_value value = { .type = SCAN_NUMBER };
    value.at = "1723161256298", value.bytes = 13;
    cr_assert_eq(scan_time_ns(&value), 1723161256298000000LL);
    value.at = "1723161256298123", value.bytes = 16;
    cr_assert_eq(scan_time_ns(&value), 1723161256298123000LL);
    value.at = "1723161256298123456", value.bytes = 19;
    cr_assert_eq(scan_time_ns(&value), 1723161256298123456LL);
    value.at = "0", value.bytes = 1;
    cr_assert_eq(scan_time_ns(&value), 0);
}
