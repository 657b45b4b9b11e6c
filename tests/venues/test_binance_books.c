/* The recorded streams, replayed to the books that were computed from them independently. */
#include "tests/venues/support.h"
#include "venues/binance/feed.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct capture {
    const char *symbol;
    uint8_t product;
    int price_decimals, qty_decimals;
    const char *rest, *stream;
    uint32_t dropped, applied;
    uint64_t last;
    const char *bid[2], *ask[2];
    uint32_t bids, asks;
};

/* clang-format off */
static const struct capture captures[] = {
    { "NKNUSDT", PRODUCT_SPOT, 8, 8, "spot_rest_depth_nknusdt_2021.json", "spot_ws_combined_nknusdt_2021.jsonl",
      1, 149, 499869752 + 427, { "0.3527", "9602" }, { "0.3531", "152" }, 614, 994 },
    { "SUSHIUSDT", PRODUCT_LINEAR, 4, 0, "usdm_rest_depth_sushiusdt_2021.json", "usdm_ws_combined_sushiusdt_2021.jsonl",
      3, 252, 600860425198, { "7.612", "303" }, { "7.616", "267" }, 1006, 1000 },
    { "CTKUSDT", PRODUCT_LINEAR, 5, 0, "usdm_rest_depth_ctkusdt_2021.json", "usdm_ws_combined_ctkusdt_2021.jsonl",
      5, 180, 600860423222, { "1.011", "1698" }, { "1.012", "10123" }, 486, 742 },
    { "BCHUSD_PERP", PRODUCT_INVERSE, 2, 0, "coinm_rest_depth_bchusd_perp_2021.json", "coinm_ws_combined_bchusd_perp_2021.jsonl",
      7, 208, 167006263994, { "427.79", "222" }, { "427.8", "150" }, 444, 536 },
    { "BTCUSD_211231", PRODUCT_INVERSE, 1, 0, "coinm_rest_depth_btcusd_211231_2021.json", "coinm_ws_combined_btcusd_211231_2021.jsonl",
      36, 191, 167006263635, { "32627.7", "77" }, { "32627.8", "14" }, 998, 984 },
    { "LINKUSD_211231", PRODUCT_INVERSE, 3, 0, "coinm_rest_depth_linkusd_211231_2021.json", "coinm_ws_combined_linkusd_211231_2021.jsonl",
      30, 122, 167006263681, { "15.313", "294" }, { "15.323", "927" }, 188, 205 },
};
/* clang-format on */

struct player {
    struct feed_parser parser;
    struct instrument_table table;
    struct book book;
    struct level levels[FEED_LEVELS_MAX];
    uint32_t kinds[16];
    int64_t bought, sold;
    int128 notional;
    struct feed_event top;
};

static void on_event(void *context, const struct feed_event *event)
{
    struct player *player = context;
    player->kinds[event->kind]++;
    if (event->kind == FEED_EVENT_DEPTH) {
        book_take(&player->book, &venue_binance, player->parser.product, event);
    } else if (event->kind == FEED_EVENT_TOP) {
        player->top = *event;
    } else if (event->kind == FEED_EVENT_TRADE) {
        *(event->aggressor == SIDE_BUY ? &player->bought : &player->sold) += event->u.trade.qty;
        player->notional += (int128)event->u.trade.qty * event->u.trade.price;
    }
}

static struct player *player_make(uint8_t product, const char *symbol, int price_decimals, int qty_decimals)
{
    struct player *player = calloc(1, sizeof *player);
    table_one(&player->table, product, symbol, price_decimals, qty_decimals);
    book_clear(&player->book);
    player->parser = (struct feed_parser){
        .instruments = &player->table,
        .venue = VENUE_BINANCE,
        .product = product,
        .levels = player->levels,
        .level_capacity = FEED_LEVELS_MAX,
        .reply_instrument = NO_INSTRUMENT,
    };
    return player;
}

static void play(struct player *player, const char *text, size_t bytes)
{
    int64_t consumed = venue_binance.feed->parse(&player->parser, text, bytes, on_event, player);
    cr_assert_eq(consumed, (int64_t)bytes, "%s at %zu in %.*s", player->parser.broken_why,
                 player->parser.broken_at, (int)(bytes < 300 ? bytes : 300), text);
}

static void expect_level(const struct player *player, enum side side, uint32_t i, const char *price,
                         const char *qty)
{
    char text[DECIMAL_TEXT_BYTES];
    const struct level *level = &player->book.side[side][i];
    int64_t wanted = 0;
    decimal_parse(price, strlen(price), player->table.row[0].price_decimals, &wanted);
    decimal_print(text, level->price, player->table.row[0].price_decimals);
    cr_assert_eq(level->price, wanted, "side %d level %u: %s, not %s", side, i, text, price);
    decimal_parse(qty, strlen(qty), player->table.row[0].qty_decimals, &wanted);
    decimal_print(text, level->qty, player->table.row[0].qty_decimals);
    cr_assert_eq(level->qty, wanted, "side %d level %u: %s, not %s", side, i, text, qty);
}

Test(binance_books, the_captures_of_2021_end_in_the_published_books)
{
    for (size_t c = 0; c < POISE_COUNT_OF(captures); c++) {
        const struct capture *capture = &captures[c];
        struct player *player =
            player_make(capture->product, capture->symbol, capture->price_decimals, capture->qty_decimals);
        struct file rest, stream;
        char name[160];
        snprintf(name, sizeof name, "binance/%s", capture->rest);
        cr_assert(file_read(&rest, name));
        snprintf(name, sizeof name, "binance/%s", capture->stream);
        cr_assert(file_read(&stream, name));

        player->parser.reply_instrument = 0;
        play(player, rest.text, rest.bytes);
        player->parser.reply_instrument = NO_INSTRUMENT;
        const char *line;
        size_t at = 0, bytes;
        while (file_line(&stream, &at, &line, &bytes)) {
            play(player, line, bytes);
        }
        const struct book *book = &player->book;
        cr_assert_eq(book->dropped, capture->dropped, "%s: dropped %u", capture->symbol, book->dropped);
        cr_assert_eq(book->applied, capture->applied, "%s: applied %u", capture->symbol, book->applied);
        cr_assert_eq(book->gaps, 0);
        cr_assert_eq(book->at, capture->last, "%s: %lu", capture->symbol, book->at);
        cr_assert_eq(book->count[SIDE_BUY], capture->bids, "%s: %u bids", capture->symbol,
                     book->count[SIDE_BUY]);
        cr_assert_eq(book->count[SIDE_SELL], capture->asks);
        expect_level(player, SIDE_BUY, 0, capture->bid[0], capture->bid[1]);
        expect_level(player, SIDE_SELL, 0, capture->ask[0], capture->ask[1]);
        file_free(&rest);
        file_free(&stream);
        free(player);
    }
}

/* The large captures are not in the tree; they lie beside it, or this is skipped. */
static bool l2_read(struct file *file, const char *name)
{
    static const char *const folders[] = { "/../shared/data/l2/" };
    char path[512];
    for (size_t i = 0; i < POISE_COUNT_OF(folders); i++) {
        snprintf(path, sizeof path, "%s%s%s", POISE_SOURCE_DIR, folders[i], name);
        if (file_read_gzip(file, path)) {
            return true;
        }
    }
    fprintf(stderr, "skipped: %s is not here\n", name);
    return false;
}

/* clang-format off */
static const struct big_capture {
    const char *file, *symbol;
    uint8_t product;
    int price_decimals, qty_decimals;
    uint32_t depths, trades, tops, dropped;
    uint64_t last;
    uint32_t bids, asks;
    const char *bid[5][2], *ask[5][2];
    const char *top[4];
    const char *bought, *sold, *notional;
} big_captures[] = {
    { "binance_usdm_btcusdt_20240808T2354Z.jsonl.gz", "BTCUSDT", PRODUCT_LINEAR, 2, 3, 6551, 21313, 66089, 4,
      5123135475514, 5018, 4578,
      { { "61659.70", "1.486" }, { "61659.00", "0.002" }, { "61658.10", "0.033" }, { "61658.00", "6.718" }, { "61657.90", "0.007" } },
      { { "61659.80", "0.981" }, { "61659.90", "0.188" }, { "61660.00", "7.977" }, { "61662.00", "0.002" }, { "61663.00", "0.130" } },
      { "61659.70", "1.486", "61659.80", "0.981" }, "1251.576", "1177.790", "149845680.88980" },
    { "binance_spot_btcusdt_20240808T2354Z.jsonl.gz", "BTCUSDT", PRODUCT_SPOT, 2, 8, 3451, 9757, 28040, 2,
      50093421584, 1209, 2196,
      { { "61685.99", "1.00870" }, { "61685.98", "0.10972" }, { "61685.57", "0.32412" }, { "61685.55", "0.00531" }, { "61685.51", "0.32412" } },
      { { "61686.00", "2.29327" }, { "61686.01", "0.00009" }, { "61686.02", "0.45446" }, { "61686.03", "0.04550" }, { "61687.49", "0.38071" } },
      { "61685.99", "1.25869", "61686.00", "2.44807" }, "96.65118", "115.38197", "13084074.1123886" },
    { "binance_cm_btcusd_perp_20240808T2354Z.jsonl.gz", "BTCUSD_PERP", PRODUCT_INVERSE, 1, 0, 26847, 2286, 19136, 23,
      1007202248021, 1110, 1123,
      { { "61668.6", "1380" }, { "61668.5", "76" }, { "61667.2", "4" }, { "61665.5", "29" }, { "61664.7", "1" } },
      { { "61668.7", "871" }, { "61670.1", "1" }, { "61670.2", "65" }, { "61673.9", "95" }, { "61674.0", "413" } },
      { "61668.6", "1380", "61668.7", "871" }, "35603", "47638", "5134772336.7" },
};
/* clang-format on */

Test(binance_books, the_captures_of_2024_end_in_the_published_books)
{
    for (size_t c = 0; c < POISE_COUNT_OF(big_captures); c++) {
        const struct big_capture *capture = &big_captures[c];
        struct file file;
        if (!l2_read(&file, capture->file)) {
            continue;
        }
        int price_decimals = capture->price_decimals, qty_decimals = capture->qty_decimals;
        struct player *player = player_make(capture->product, capture->symbol, price_decimals, qty_decimals);
        player->parser.reply_instrument = 0; /* the snapshot in the middle names no symbol */
        /* deltas come before the snapshot: keep them, as a feed does */
        static size_t held[4096][2];
        size_t held_count = 0, at = 0, bytes;
        const char *line;
        while (file_line(&file, &at, &line, &bytes)) {
            const char *body = memchr(line, ' ', bytes);
            size_t body_bytes = bytes - (size_t)(++body - line);
            bool was = player->book.synced;
            if (!was) {
                held[held_count][0] = (size_t)(body - file.text);
                held[held_count++][1] = body_bytes;
            }
            play(player, body, body_bytes);
            if (!was && player->book.synced) {
                for (size_t i = 0; i + 1 < held_count; i++) {
                    if (strstr(file.text + held[i][0], "@depth") < file.text + held[i][0] + 40) {
                        play(player, file.text + held[i][0], held[i][1]);
                        player->kinds[FEED_EVENT_DEPTH]--;
                    }
                }
            }
        }
        const struct book *book = &player->book;
        cr_assert_eq(player->kinds[FEED_EVENT_DEPTH], capture->depths + 1);
        cr_assert_eq(player->kinds[FEED_EVENT_TOP], capture->tops);
        cr_assert_eq(player->kinds[FEED_EVENT_TRADE] + player->kinds[FEED_EVENT_IGNORED], capture->trades);
        cr_assert_eq(book->gaps, 0, "%s: %u gaps", capture->file, book->gaps);
        cr_assert_eq(book->dropped, capture->dropped, "%s: %u dropped", capture->file, book->dropped);
        cr_assert_eq(book->at, capture->last);
        cr_assert_eq(book->count[SIDE_BUY], capture->bids, "%s: %u bids", capture->file,
                     book->count[SIDE_BUY]);
        cr_assert_eq(book->count[SIDE_SELL], capture->asks);
        for (uint32_t i = 0; i < 5; i++) {
            expect_level(player, SIDE_BUY, i, capture->bid[i][0], capture->bid[i][1]);
            expect_level(player, SIDE_SELL, i, capture->ask[i][0], capture->ask[i][1]);
        }
        int64_t wanted;
        decimal_parse(capture->top[1], strlen(capture->top[1]), qty_decimals, &wanted);
        cr_assert_eq(player->top.u.top.bid_qty, wanted);
        decimal_parse(capture->top[2], strlen(capture->top[2]), price_decimals, &wanted);
        cr_assert_eq(player->top.u.top.ask_price, wanted);
        decimal_parse(capture->bought, strlen(capture->bought), qty_decimals, &wanted);
        cr_assert_eq(player->bought, wanted);
        decimal_parse(capture->sold, strlen(capture->sold), qty_decimals, &wanted);
        cr_assert_eq(player->sold, wanted);
        decimal_parse(capture->notional, strlen(capture->notional), 8, &wanted);
        cr_assert_eq(player->notional * 100000000 / decimal_power[price_decimals + qty_decimals], wanted);
        file_free(&file);
        free(player);
    }
}
