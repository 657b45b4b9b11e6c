/* From a venue's bytes to numbers: the parser the feed role calls, its tolerant half alone, and simdjson. */
#include "bench/cases.h"
#include "bench/messages.h"
#include "bench/parse_peer.h"
#include "venues/binance/feed.h"
#include "venues/deribit/feed.h"

#include <stdlib.h>

#define EACH 8 /* messages a sample */

static struct message *messages[MESSAGE_KIND_COUNT];
static struct instrument_table *table;
static struct instrument_table *book_table;
static struct feed_parser parser;
static struct feed_parser book_parser;
static int users;

/* What a parser said of one message, in the peers' words too. */
static struct said {
    uint64_t last;
    int64_t time_ms;
    uint32_t bid_count, ask_count;
    int64_t bid[MESSAGE_LEVELS][2], ask[MESSAGE_LEVELS][2];
} said;

static void hear(void *context, const struct feed_event *event)
{
    (void)context;
    said.last = event->last;
    said.time_ms = event->venue_time_ns / 1000000;
    if (event->kind == FEED_EVENT_TOP) {
        said.bid_count = said.ask_count = 1;
        said.bid[0][0] = event->u.top.bid_price;
        said.bid[0][1] = event->u.top.bid_qty;
        said.ask[0][0] = event->u.top.ask_price;
        said.ask[0][1] = event->u.top.ask_qty;
        return;
    }
    said.bid_count = event->bid_count;
    said.ask_count = event->ask_count;
    memcpy(said.bid, event->bids, event->bid_count * sizeof *said.bid);
    memcpy(said.ask, event->asks, event->ask_count * sizeof *said.ask);
}

static uint64_t fold(uint64_t hash)
{
    hash = bench_hash(hash, said.last);
    for (uint32_t i = 0; i < said.bid_count; i++) {
        hash = bench_hash(bench_hash(hash, (uint64_t)said.bid[i][0]), (uint64_t)said.bid[i][1]);
    }
    for (uint32_t i = 0; i < said.ask_count; i++) {
        hash = bench_hash(bench_hash(hash, (uint64_t)said.ask[i][0]), (uint64_t)said.ask[i][1]);
    }
    return hash;
}

static bool parse_ours(const struct message *m)
{
    return venue_binance.feed->parse(&parser, m->text, m->bytes, hear, NULL) > 0;
}

static bool parse_tolerant(const struct message *m)
{
    return binance_feed_parse_tolerant(&parser, m->text, m->bytes, hear, NULL) > 0;
}

static bool parse_book(const struct message *m)
{
    return venue_deribit.feed->parse(&book_parser, m->text, m->bytes, hear, NULL) > 0;
}

static bool parse_book_tolerant(const struct message *m)
{
    return deribit_feed_parse_tolerant(&book_parser, m->text, m->bytes, hear, NULL) > 0;
}

#if POISE_HAVE_SIMDJSON
static bool parse_peer(const struct message *m,
                       int (*parse)(const char *, size_t, struct parse_peer_answer *))
{
    struct parse_peer_answer answer = { .bid = said.bid, .ask = said.ask };
    if (!parse(m->text, m->bytes, &answer)) {
        return false;
    }
    said.last = answer.last;
    said.time_ms = answer.time_ms;
    said.bid_count = answer.bid_count;
    said.ask_count = answer.ask_count;
    return true;
}

static bool parse_depth_peer(const struct message *m)
{
    return parse_peer(m, parse_peer_depth);
}

static bool parse_book_peer(const struct message *m)
{
    return parse_peer(m, parse_peer_book);
}

static bool parse_ticker_peer(const struct message *m)
{
    return parse_peer(m, parse_peer_ticker);
}
#endif

static bool setup(struct bench *bench)
{
    (void)bench;
    if (users++ > 0) {
        return true;
    }
    table = calloc(1, sizeof *table);
    parser = (struct feed_parser){ .instruments = table,
                                   .venue = VENUE_BINANCE,
                                   .product = PRODUCT_LINEAR,
                                   .levels = calloc(FEED_LEVELS_MAX, sizeof(struct level)),
                                   .level_capacity = FEED_LEVELS_MAX,
                                   .reply_instrument = NO_INSTRUMENT };
    POISE_ASSERT(table != NULL && parser.levels != NULL);
    messages_instrument(table);
    book_table = calloc(1, sizeof *book_table);
    POISE_ASSERT(book_table != NULL);
    messages_instrument_book(book_table);
    book_parser = parser;
    book_parser.instruments = book_table;
    book_parser.venue = VENUE_DERIBIT;
    book_parser.product = PRODUCT_INVERSE;
    for (int kind = 0; kind < MESSAGE_KIND_COUNT; kind++) {
        messages[kind] = calloc(MESSAGE_COUNT, sizeof **messages);
        POISE_ASSERT(messages[kind] != NULL);
        messages_make(messages[kind], (enum message_kind)kind);
    }
    return true;
}

static bool setup_peer(struct bench *bench)
{
    return POISE_HAVE_SIMDJSON ? setup(bench)
                               : bench_absent(bench, "built without simdjson (libsimdjson-dev)");
}

static void teardown(void)
{
    if (--users > 0) {
        return;
    }
    for (int kind = 0; kind < MESSAGE_KIND_COUNT; kind++) {
        free(messages[kind]);
    }
    free(parser.levels);
    free(table);
    free(book_table);
}

/* Back to back, and what was understood of the last of each EACH goes into the check. */
#define BURST(name, kind, parse)                                                                             \
    static uint64_t name(struct bench *bench, uint64_t *ticks, uint32_t count)                               \
    {                                                                                                        \
        (void)bench;                                                                                         \
        uint64_t hash = 0;                                                                                   \
        for (uint32_t i = 0; i < count; i++) {                                                               \
            const struct message *from = &messages[kind][i * EACH % MESSAGE_COUNT];                          \
            bool understood = true;                                                                          \
            uint64_t begin = clock_ticks();                                                                  \
            for (uint32_t k = 0; k < EACH; k++) {                                                            \
                understood &= parse(from + k);                                                               \
            }                                                                                                \
            ticks[i] = clock_ticks() - begin;                                                                \
            POISE_ASSERT(understood);                                                                        \
            hash = fold(hash);                                                                               \
        }                                                                                                    \
        return hash;                                                                                         \
    }

BURST(depth_ours, MESSAGE_DEPTH, parse_ours)
BURST(depth_tolerant, MESSAGE_DEPTH, parse_tolerant)
BURST(ticker_ours, MESSAGE_TICKER, parse_ours)
BURST(ticker_tolerant, MESSAGE_TICKER, parse_tolerant)
BURST(book_ours, MESSAGE_BOOK, parse_book)
BURST(book_tolerant, MESSAGE_BOOK, parse_book_tolerant)
BURST(few_ours, MESSAGE_BOOK_FEW, parse_book)
BURST(few_tolerant, MESSAGE_BOOK_FEW, parse_book_tolerant)
#if POISE_HAVE_SIMDJSON
BURST(book_peer, MESSAGE_BOOK, parse_book_peer)
BURST(few_peer, MESSAGE_BOOK_FEW, parse_book_peer)
BURST(depth_peer, MESSAGE_DEPTH, parse_depth_peer)
BURST(ticker_peer, MESSAGE_TICKER, parse_ticker_peer)
#else
#define depth_peer  NULL
#define ticker_peer NULL
#define book_peer   NULL
#define few_peer    NULL
#endif

/* clang-format off */
#define PARSE(name_, burst_) \
    .name = name_, .group = "parse", .processors = 1, .operations = EACH, .burst_samples = 4000, \
    .burst = burst_, .teardown = teardown
static const struct bench_case rows[] = {
    { PARSE("parse.depth", depth_ours), .setup = setup,
      .against = { "parse.depth_simdjson", "parse.depth_tolerant" } },
    { PARSE("parse.depth_tolerant", depth_tolerant), .setup = setup },
    { PARSE("parse.depth_simdjson", depth_peer), .setup = setup_peer },
    { PARSE("parse.ticker", ticker_ours), .setup = setup,
      .against = { "parse.ticker_simdjson", "parse.ticker_tolerant" } },
    { PARSE("parse.ticker_tolerant", ticker_tolerant), .setup = setup },
    { PARSE("parse.ticker_simdjson", ticker_peer), .setup = setup_peer },
    { PARSE("parse.book", book_ours), .setup = setup,
      .against = { "parse.book_simdjson", "parse.book_tolerant" } },
    { PARSE("parse.book_tolerant", book_tolerant), .setup = setup },
    { PARSE("parse.book_simdjson", book_peer), .setup = setup_peer },
    { PARSE("parse.book_few", few_ours), .setup = setup,
      .against = { "parse.book_few_simdjson", "parse.book_few_tolerant" } },
    { PARSE("parse.book_few_tolerant", few_tolerant), .setup = setup },
    { PARSE("parse.book_few_simdjson", few_peer), .setup = setup_peer },
};
/* clang-format on */

const struct bench_table bench_parse = { rows, POISE_COUNT_OF(rows) };
