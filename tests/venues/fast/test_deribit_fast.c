/* Deribit's fast parser says what the tolerant one says, or declines; at every level. */
#include "tests/venues/support.h"
#include "venues/deribit/fast.h"
#include "venues/deribit/feed.h"
#include "venues/number.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t random_state = 88172645463325252ULL;

static uint64_t draw(void)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* ------------------------------------------------------------------ bare numbers */

static uint32_t read_at(int level, const struct number_bare *bare, const char *at, int64_t out[2])
{
#if defined(__x86_64__)
    if (level > 0) {
        return number_bare_avx2(bare, at, out);
    }
#endif
    return number_bare_scalar(bare, at, out);
}

static void expect_alike(const char *text, uint32_t first, uint32_t second)
{
    char room[128] = { 0 };
    struct number_bare bare;
    memset(room, '.', 16); /* what stands before is no part of it */
    snprintf(room + 16, sizeof room - 16, "%s", text);
    number_bare_set(&bare, first, second);
    int64_t slow[2] = { 0 }, quick[2] = { 0 };
    uint32_t a = read_at(0, &bare, room + 16, slow);
    if (index_level_best() == INDEX_SCALAR) {
        return;
    }
    uint32_t b = read_at(1, &bare, room + 16, quick);
    cr_assert_eq(a, b, "%s, %u and %u decimals: %u, %u", text, first, second, a, b);
    if (a != 0) {
        cr_assert_arr_eq(slow, quick, sizeof slow, "%s, %u and %u decimals", text, first, second);
    }
}

Test(deribit_fast, bare_numbers_are_exact_or_declined)
{
    static const struct {
        const char *text;
        uint32_t decimals[2], bytes;
        int64_t value[2];
    } list[] = {
        { "58700.5,120.0]", { 1, 0 }, 13, { 587005, 120 } },
        { "58700.5,120.0]", { 2, 3 }, 13, { 5870050, 120000 } },
        { "5,0]", { 0, 0 }, 3, { 5, 0 } },
        { "0.0005,153.1]", { 4, 1 }, 12, { 5, 1531 } },
        { "1234567890123456,1]", { 0, 0 }, 18, { 1234567890123456, 1 } },
        { "0.00000001,0.1]", { 8, 12 }, 14, { 1, 100000000000 } },
        { "58700.55,120.0]", { 1, 0 }, 0, { 0 } },
        { "58700.5,120.5]", { 1, 0 }, 0, { 0 } },
        { "058700.5,120.0]", { 1, 0 }, 0, { 0 } },
        { "58700.,120.0]", { 1, 0 }, 0, { 0 } },
        { ".5,120.0]", { 1, 0 }, 0, { 0 } },
        { "5.8.5,120.0]", { 1, 0 }, 0, { 0 } },
        { "5e3,120.0]", { 1, 0 }, 0, { 0 } },
        { "-5,120.0]", { 1, 0 }, 0, { 0 } },
        { "5,-1]", { 1, 0 }, 0, { 0 } },
        { ",120.0]", { 1, 0 }, 0, { 0 } },
        { "5,]", { 1, 0 }, 0, { 0 } },
        { "5 ,1]", { 1, 0 }, 0, { 0 } },
        { "5,1,2]", { 1, 0 }, 0, { 0 } },
        { "5]1,2]", { 1, 0 }, 0, { 0 } },
        { "12345678901234567,1]", { 0, 0 }, 0, { 0 } },
        { "1234567890123456,1]", { 1, 0 }, 0, { 0 } },
        { "1.23456789012345,1.23456789012345]", { 12, 12 }, 0, { 0 } },
        { "5", { 1, 0 }, 0, { 0 } },
        { "", { 0, 0 }, 0, { 0 } },
    };
    for (size_t i = 0; i < POISE_COUNT_OF(list); i++) {
        char room[128] = { 0 };
        struct number_bare bare;
        int64_t out[2] = { 0 };
        snprintf(room + 16, sizeof room - 16, "%s", list[i].text);
        number_bare_set(&bare, list[i].decimals[0], list[i].decimals[1]);
        cr_assert_eq(read_at(0, &bare, room + 16, out), list[i].bytes, "%s", list[i].text);
        if (list[i].bytes != 0) {
            cr_assert_arr_eq(out, list[i].value, sizeof out, "%s", list[i].text);
        }
        expect_alike(list[i].text, list[i].decimals[0], list[i].decimals[1]);
    }
}

Test(deribit_fast, bare_numbers_are_read_alike_at_every_level)
{
    static const char letters[] = "0123456789012345678901234567890....,,]]-e \"[";
    for (int round = 0; round < 400000; round++) {
        char text[48];
        uint32_t first = (uint32_t)(draw() % 13), second = (uint32_t)(draw() % 13);
        if (round % 2 == 0) {
            snprintf(text, sizeof text, "%llu.%llu,%llu.%llu]",
                     (unsigned long long)(draw() % 1000000) >> draw() % 20,
                     (unsigned long long)(draw() % 1000) >> draw() % 10,
                     (unsigned long long)(draw() % 10000000) >> draw() % 24,
                     (unsigned long long)(draw() % 100) >> draw() % 7);
            if (round % 3 == 0) {
                text[draw() % strlen(text)] = letters[draw() % (sizeof letters - 1)];
            }
        } else {
            size_t bytes = draw() % 40;
            for (size_t i = 0; i < bytes; i++) {
                text[i] = letters[draw() % (sizeof letters - 1)];
            }
            text[bytes] = '\0';
        }
        expect_alike(text, first, second);
    }
}

/* ------------------------------------------------------------------ messages */

static const struct {
    const char *symbol;
    uint8_t product, kind, price_decimals, qty_decimals;
} rows[] = {
    { "BTC-PERPETUAL", PRODUCT_INVERSE, KIND_INVERSE_PERPETUAL, 2, 0 },
    { "ETH-PERPETUAL", PRODUCT_INVERSE, KIND_INVERSE_PERPETUAL, 2, 0 },
    { "BTC-24SEP21-8000-P", PRODUCT_OPTION, KIND_OPTION, 4, 1 },
    { "BTC-11JUN21-25000-P", PRODUCT_OPTION, KIND_OPTION, 4, 1 },
};

struct said {
    uint32_t calls;
    struct feed_event event;
};

struct desk {
    struct instrument_table table;
    struct feed_parser parser[2];
    struct level levels[2][FEED_LEVELS_MAX];
    struct guard guard;
    uint32_t taken, declined;
};

static struct desk *desk_make(void)
{
    struct desk *desk = kept(sizeof *desk);
    instrument_table_reset(&desk->table);
    for (size_t i = 0; i < POISE_COUNT_OF(rows); i++) {
        struct instrument row = { .venue = VENUE_DERIBIT,
                                  .product = rows[i].product,
                                  .kind = rows[i].kind,
                                  .price_decimals = rows[i].price_decimals,
                                  .qty_decimals = rows[i].qty_decimals };
        strcpy(row.symbol, rows[i].symbol);
        instrument_add(&desk->table, &row);
    }
    for (int i = 0; i < 2; i++) {
        desk->parser[i] = (struct feed_parser){ .instruments = &desk->table,
                                                .venue = VENUE_DERIBIT,
                                                .product = PRODUCT_INVERSE,
                                                .levels = desk->levels[i],
                                                .level_capacity = FEED_LEVELS_MAX,
                                                .reply_instrument = NO_INSTRUMENT };
    }
    guard_make(&desk->guard, 1 << 16);
    return desk;
}

static void hear(void *context, const struct feed_event *event)
{
    struct said *said = context;
    said->calls++;
    said->event = *event;
}

/* Both ways at every level, at the end of a page; answers whether the best level took it. */
static bool both(struct desk *desk, const char *text, size_t bytes)
{
    const char *at = guard_put(&desk->guard, text, bytes);
    bool taken = false;
    for (int level = INDEX_SCALAR; level < INDEX_LEVEL_COUNT; level++) {
        struct said quick = { 0 }, slow = { 0 };
        deribit_fast fast = deribit_fast_at((enum index_level)level);
        if (fast == NULL) {
            continue;
        }
        int64_t consumed = fast(&desk->parser[0], at, bytes, hear, &quick);
        bool took = consumed != DERIBIT_FAST_NOT_MINE;
        cr_assert(level == 0 || took == taken, "level %d judges otherwise: %.*s", level, (int)bytes, text);
        taken = took;
        if (!took) {
            cr_assert_eq(quick.calls, 0);
            continue;
        }
        int64_t whole = deribit_feed_parse_tolerant(&desk->parser[1], at, bytes, hear, &slow);
        cr_assert_eq(consumed, whole, "%.*s", (int)bytes, text);
        cr_assert(quick.calls == 1 && slow.calls == 1);
        const struct feed_event *a = &quick.event, *b = &slow.event;
        cr_assert(a->kind == b->kind && a->flags == b->flags && a->instrument == b->instrument &&
                      a->aggressor == b->aggressor && a->control == b->control && a->status == b->status &&
                      a->top_n == b->top_n && a->venue_time_ns == b->venue_time_ns && a->first == b->first &&
                      a->last == b->last && a->previous == b->previous && a->bid_count == b->bid_count &&
                      a->ask_count == b->ask_count && a->text == b->text && a->text_bytes == b->text_bytes,
                  "%.*s", (int)bytes, text);
        cr_assert(memcmp(a->bids, b->bids, a->bid_count * sizeof *a->bids) == 0 &&
                      memcmp(a->asks, b->asks, a->ask_count * sizeof *a->asks) == 0,
                  "%.*s", (int)bytes, text);
    }
    desk->taken += taken;
    desk->declined += !taken;
    return taken;
}

static size_t put_side(char *to, size_t room, uint32_t count)
{
    static const char *const actions[] = { "new", "change", "delete" };
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        const char *action = actions[draw() % 3];
        uint64_t price = 1 + draw() % 2000000;
        at += (size_t)snprintf(to + at, room - at, "%s[\"%s\",%llu.%llu,", i == 0 ? "" : ",", action,
                               (unsigned long long)price / 20, (unsigned long long)(price % 20) * 5 / 10);
        at += (size_t)(action[0] == 'd'
                           ? snprintf(to + at, room - at, "0.0]")
                           : snprintf(to + at, room - at, "%llu.0]", (unsigned long long)(draw() % 1000000)));
    }
    return at;
}

/* A change or a snapshot with the keys in some order. */
static size_t make(char *text, size_t room, uint32_t bids, uint32_t asks)
{
    static char side[2][32768];
    char field[7][65536 / 2];
    bool snapshot = draw() % 8 == 0;
    size_t count = 0, at;
    side[0][put_side(side[0], sizeof side[0], bids)] = '\0';
    side[1][put_side(side[1], sizeof side[1], asks)] = '\0';
    snprintf(field[count++], 64, "\"type\":\"%s\"", snapshot ? "snapshot" : "change");
    snprintf(field[count++], 64, "\"timestamp\":%llu",
             (unsigned long long)(1622627435737 + draw() % 100000000000));
    if (!snapshot) {
        snprintf(field[count++], 64, "\"prev_change_id\":%llu",
                 (unsigned long long)(draw() % 31479598064000000));
    }
    snprintf(field[count++], 64, "\"instrument_name\":\"BTC-PERPETUAL\"");
    snprintf(field[count++], 64, "\"change_id\":%llu", (unsigned long long)(draw() % 31479598064000000));
    snprintf(field[count++], sizeof field[0], "\"bids\":[%s]", side[0]);
    snprintf(field[count++], sizeof field[0], "\"asks\":[%s]", side[1]);
    at = (size_t)snprintf(
        text, room,
        "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":\"book.BTC-PERPETUAL.%s\","
        "\"data\":{",
        draw() % 2   ? "raw"
        : draw() % 2 ? "100ms"
                     : "agg2");
    bool shuffled = draw() % 2 == 0;
    for (size_t i = count; i > 0; i--) {
        size_t pick = shuffled ? draw() % i : 0;
        at += (size_t)snprintf(text + at, room - at, "%s%s", i == count ? "" : ",", field[pick]);
        for (size_t k = pick; k + 1 < i; k++) {
            memmove(field[k], field[k + 1], strlen(field[k + 1]) + 1);
        }
    }
    return at + (size_t)snprintf(text + at, room - at, "}}}");
}

Test(deribit_fast, every_change_as_the_venue_prints_it_is_taken_and_says_the_same)
{
    static char text[1 << 16];
    struct desk *desk = desk_make();
    for (uint32_t round = 0; round < 3000; round++) {
        size_t bytes = make(text, sizeof text, (uint32_t)(draw() % 41), (uint32_t)(draw() % 41));
        cr_assert(both(desk, text, bytes), "%.*s", (int)bytes, text);
    }
}

Test(deribit_fast, every_prefix_is_declined_and_nothing_is_read_on_either_side)
{
    static char text[1 << 16];
    struct desk *desk = desk_make();
    for (uint32_t round = 0; round < 40; round++) {
        size_t bytes = make(text, sizeof text, round % 5, round % 7);
        for (size_t part = 0; part < bytes; part++) {
            cr_assert_not(both(desk, text, part), "%.*s", (int)part, text);
        }
    }
}

Test(deribit_fast, a_damaged_message_is_declined_or_read_as_the_tolerant_parser_reads_it)
{
    static char text[1 << 16];
    static const char pieces[] = "0123456789.,,[]{}\"\":ntcdeE-+ \\";
    struct desk *desk = desk_make();
    for (uint32_t round = 0; round < 30000; round++) {
        size_t bytes = make(text, sizeof text, (uint32_t)(draw() % 4), (uint32_t)(draw() % 4));
        for (uint32_t i = 0; i <= draw() % 3; i++) {
            size_t at = draw() % 4 == 0 ? draw() % bytes : bytes - 1 - draw() % (bytes / 2);
            switch (draw() % 3) {
            case 0:
                text[at] = pieces[draw() % (sizeof pieces - 1)];
                break;
            case 1:
                memmove(text + at, text + at + 1, bytes - at - 1);
                bytes--;
                break;
            default:
                memmove(text + at + 1, text + at, bytes - at);
                text[at] = pieces[draw() % (sizeof pieces - 1)];
                bytes++;
                break;
            }
        }
        both(desk, text, bytes);
    }
    cr_assert_gt(desk->taken, 1000);
    cr_assert_gt(desk->declined, 10000);
}

Test(deribit_fast, every_recorded_book_reads_as_the_tolerant_parser_reads_it)
{
    static char names[256][96];
    struct desk *desk = desk_make();
    size_t count = file_names("deribit", names, 256);
    for (size_t i = 0; i < count; i++) {
        struct file file;
        char path[160];
        snprintf(path, sizeof path, "deribit/%s", names[i]);
        cr_assert(file_read(&file, path));
        const char *line;
        size_t at = 0, bytes;
        while (file_line(&file, &at, &line, &bytes)) {
            const char *inner = memmem(line, bytes, "\"msg\":", 6);
            if (inner != NULL) {
                bytes -= (size_t)(inner + 6 - line) + 1;
                line = inner + 6;
            }
            both(desk, line, bytes);
        }
        file_free(&file);
    }
    cr_assert_geq(desk->taken, 33, "%u", desk->taken);
}

Test(deribit_fast, what_is_not_meant_for_it_is_declined)
{
    static const char *const others[] = {
        "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":\"book.BTC-PERPETUAL.raw\","
        "\"data\":{\"type\":"
        "\"change\",\"timestamp\":1622627435737,\"prev_change_id\":null,\"instrument_name\":\"BTC-"
        "PERPETUAL\",\"change_id\":1,"
        "\"bids\":[],\"asks\":[]}}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":\"book.BTC-PERPETUAL.raw\","
        "\"data\":{\"type\":"
        "\"change\",\"timestamp\":1622627435737,\"prev_change_id\":1,\"instrument_name\":\"ETH-PERPETUAL\","
        "\"change_id\":1,"
        "\"bids\":[],\"asks\":[]}}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":\"book.BTC-PERPETUAL.raw\","
        "\"data\":{\"type\":"
        "\"change\",\"timestamp\":1622627435737,\"prev_change_id\":1,\"instrument_name\":\"BTC-PERPETUAL\","
        "\"change_id\":1,"
        "\"bids\":[],\"bids\":[],\"asks\":[]}}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":\"book.BTC-PERPETUAL.raw\","
        "\"data\":{\"type\":"
        "\"change\",\"timestamp\":1622627435737,\"prev_change_id\":1,\"instrument_name\":\"BTC-PERPETUAL\","
        "\"change_id\":1,"
        "\"bids\":[[\"new\",0.0,1.0]],\"asks\":[]}}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":\"book.BTC-PERPETUAL.none."
        "20.100ms\",\"data\":{"
        "\"timestamp\":1653983481909,\"instrument_name\":\"BTC-PERPETUAL\",\"change_id\":45176552517,"
        "\"bids\":[[31523.5,128780.0]],"
        "\"asks\":[]}}}",
    };
    struct desk *desk = desk_make();
    for (size_t i = 0; i < POISE_COUNT_OF(others); i++) {
        cr_assert_not(both(desk, others[i], strlen(others[i])), "%s", others[i]);
    }
}
