/* One step of the strategy: a record in, what follows from it out.  The strategy is built by records, as at a
 * restart; the venue's answers are fed to it between the spans. */
#include "bench/cases.h"
#include "bench/market.h"
#include "hot/strategy/strategy.h"

#include <stdlib.h>
#include <string.h>

#define EACH      16 /* steps a sample, of those that change nothing */
#define BID       600000
#define ASK       600201
#define DEPTH_QTY 5000
#define STEP_NS   50000

static struct instrument_table instruments;
static struct account_table accounts;

static struct {
    struct strategy *strategy;
    struct outbox *outbox;
    uint64_t now_ns;
    uint64_t exec;
    uint64_t hash;
    struct record_order quote[2]; /* as said last; cum_qty as executed */
} desk;
static int users;

static void *aligned(size_t bytes)
{
    void *memory = NULL;
    POISE_ASSERT(posix_memalign(&memory, POISE_APART, bytes) == 0);
    return memset(memory, 0, bytes);
}

static bool setup(struct bench *bench)
{
    (void)bench;
    if (users++ == 0) {
        market_tables(&instruments, &accounts);
        desk.strategy = aligned(strategy_bytes());
        desk.outbox = aligned(sizeof *desk.outbox);
    }
    return true;
}

static void teardown(void)
{
    if (--users == 0) {
        free(desk.strategy);
        free(desk.outbox);
    }
}

/* ------------------------------------------------------------------ the venue, between the spans */

static void step(const struct slot *record)
{
    desk.outbox->used = 0;
    desk.outbox->records = 0;
    strategy_step(desk.strategy, record, desk.outbox);
}

static void note(const struct record_order *order)
{
    if (order->role == ORDER_ROLE_QUOTE) {
        desk.quote[order->side] = *order;
    }
}

static struct record_report *report_begin(struct slot slot[3], enum record_type type,
                                          const struct record_order *order)
{
    struct record_report *report = (struct record_report *)record_begin(slot, type, 3, desk.now_ns);
    report->head.instrument = order->head.instrument;
    report->head.account = order->head.account;
    report->order = order->order;
    report->side = order->side;
    report->order_qty = order->qty;
    report->order_price = report->price = order->price;
    report->fee_currency = CURRENCY_NONE;
    return report;
}

static void fill_begin(struct slot slot[3], const struct record_order *order, int64_t qty, int64_t price)
{
    struct record_report *report = report_begin(slot, RECORD_FILL, order);
    bool whole = order->cum_qty + qty >= order->qty;
    report->exec_id = ++desk.exec;
    report->price = price;
    report->last_qty = qty;
    report->cum_qty = order->cum_qty + qty;
    report->flags = REPORT_HAS_LAST | REPORT_HAS_CUM | REPORT_HAS_FEE | (whole ? REPORT_TERMINAL : 0);
    report->status = whole ? ORDER_STATUS_FILLED : ORDER_STATUS_PARTIAL;
}

static void answer(void);

static void tell(const struct slot *record)
{
    step(record);
    answer();
}

static void answer_one(const struct record_order *order)
{
    struct slot slot[3] = { 0 };
    struct record_report *report;
    switch (order->head.type) {
    case RECORD_ORDER_NEW:
        report = report_begin(slot, RECORD_ACK, order);
        report->request = REQUEST_NEW;
        report->tie = order->tie;
        tell(slot);
        if (order->tif == TIF_IOC) {
            fill_begin(slot, order, order->qty, order->reference_price);
            tell(slot);
        }
        break;
    case RECORD_ORDER_AMEND:
        report = report_begin(slot, RECORD_AMENDED, order);
        report->request = REQUEST_AMEND;
        report->tie = order->tie;
        tell(slot);
        break;
    default:
        POISE_ASSERT(order->head.type < RECORD_ORDER_NEW || order->head.type > RECORD_CANCEL_ALL);
        break;
    }
}

/* answer folds what the last step said into the check and answers its requests, and what follows from that.
 */
static void answer(void)
{
    struct slot said[64];
    uint32_t used = desk.outbox->used;
    POISE_ASSERT(used <= POISE_COUNT_OF(said));
    memcpy(said, desk.outbox->slots, used * sizeof *said);
    for (uint32_t at = 0; at < used; at += record_head_of(&said[at])->slot_count) {
        const struct record_order *order = (const struct record_order *)&said[at];
        if (order->head.type >= RECORD_ORDER_NEW && order->head.type <= RECORD_CANCEL_ALL) {
            desk.hash = bench_hash(desk.hash, order->order);
            desk.hash = bench_hash(bench_hash(desk.hash, (uint64_t)order->price), (uint64_t)order->qty);
            note(order);
            answer_one(order);
        }
    }
}

static void say(void *context, const struct slot *record)
{
    (void)context;
    tell(record);
}

static void tell_state(enum record_type type, uint16_t instrument, uint16_t account, uint32_t value)
{
    struct slot slot = { 0 };
    struct record_state *state = (struct record_state *)record_begin(&slot, type, 1, desk.now_ns);
    state->head.instrument = instrument;
    state->head.account = account;
    state->value = value;
    tell(&slot);
}

static void tell_clock(void)
{
    struct slot slot = { 0 };
    record_begin(&slot, RECORD_CLOCK, 1, desk.now_ns);
    tell(&slot);
}

static void book_begin(struct slot *slot, uint16_t instrument, uint8_t flags, uint8_t bids, uint8_t asks,
                       const struct level *level)
{
    struct record_book *book = (struct record_book *)record_begin(
        slot, RECORD_BOOK, record_slots_for_levels((uint32_t)bids + asks), desk.now_ns);
    book->head.instrument = instrument;
    book->head.flags = flags;
    book->bid_count = bids;
    book->ask_count = asks;
    for (uint32_t i = 0; i < (uint32_t)bids + asks; i++) {
        *record_level(book, i) = level[i];
    }
}

/* open rebuilds the strategy, so that every burst begins alike: twenty levels a side, both quotes resting. */
static void open_desk(void)
{
    struct slot slot[RECORD_SLOTS_MAX] = { 0 };
    struct level level[2 * BOOK_DEPTH_MAX];
    strategy_init(desk.strategy);
    desk.now_ns = 1000000000000ULL;
    desk.exec = 0;
    desk.hash = 0;
    market_build(&instruments, &accounts, desk.now_ns, 1723161256000000000LL, say, NULL);
    for (uint16_t i = 0; i < MARKET_LEGS; i++) {
        tell_state(RECORD_GATEWAY_STATE, NO_INSTRUMENT, i, GATEWAY_READY);
        tell_state(RECORD_FEED_STATE, i, NO_ACCOUNT, FEED_LIVE);
        for (int k = 0; k < BOOK_DEPTH_MAX; k++) {
            bool hedges = i == MARKET_LINEAR;
            int64_t down = BID - 10 * k, up = ASK + 4 + 10 * k; /* a multiple of both ticks */
            level[k] = (struct level){ hedges ? down : down * 1000, DEPTH_QTY * (hedges ? 1 : 100) };
            level[BOOK_DEPTH_MAX + k] = (struct level){ hedges ? up - 4 : up * 1000, level[k].qty };
        }
        book_begin(slot, i, RECORD_FLAG_SNAP, BOOK_DEPTH_MAX, BOOK_DEPTH_MAX, level);
        tell(slot);
    }
    tell_clock();
    POISE_ASSERT(desk.quote[SIDE_BUY].price == market_bid(BID));
    POISE_ASSERT(desk.quote[SIDE_SELL].price == market_ask(ASK));
}

/* ------------------------------------------------------------------ the spans */

static void pass(uint32_t i)
{
    desk.now_ns += STEP_NS;
    if (i % 20 == 0) {
        tell_clock();
    }
}

static uint64_t nothing(uint64_t *ticks, uint32_t count, bool book)
{
    struct slot slot[EACH][2];
    memset(slot, 0, sizeof slot);
    open_desk();
    for (uint32_t i = 0; i < count; i++) {
        pass(i);
        for (uint32_t k = 0; k < EACH; k++) {
            desk.now_ns += STEP_NS / EACH;
            if (book) {
                /* a level below the touch grows or shrinks */
                struct level level = { BID - 10 * (1 + (int64_t)(i + k) % 15), DEPTH_QTY + (int64_t)(k % 7) };
                book_begin(slot[k], MARKET_LINEAR, 0, 1, 0, &level);
            } else {
                struct record_top *top =
                    (struct record_top *)record_begin(slot[k], RECORD_TOP, 1, desk.now_ns);
                top->head.instrument = MARKET_LINEAR;
                top->bid_price = BID;
                top->ask_price = ASK;
                top->bid_qty = top->ask_qty = DEPTH_QTY + (int64_t)k;
            }
        }
        uint32_t said = 0;
        uint64_t from = clock_ticks();
        for (uint32_t k = 0; k < EACH; k++) {
            step(slot[k]);
            said += desk.outbox->used;
        }
        ticks[i] = clock_ticks() - from;
        POISE_ASSERT(said == 0);
    }
    return desk.hash;
}

static uint64_t nothing_top(struct bench *bench, uint64_t *ticks, uint32_t count)
{
    (void)bench;
    return nothing(ticks, count, false);
}

static uint64_t nothing_book(struct bench *bench, uint64_t *ticks, uint32_t count)
{
    (void)bench;
    return nothing(ticks, count, true);
}

/* The best bid to hedge at moves at every step, down and up again, so our bid is amended at every step. */
static uint64_t requote(struct bench *bench, uint64_t *ticks, uint32_t count)
{
    (void)bench;
    int64_t best = BID;
    struct slot slot[2] = { 0 };
    open_desk();
    for (uint32_t i = 0; i < count; i++) {
        pass(i);
        int64_t next = BID + 10 * (i % 32 < 16 ? 1 + (int64_t)(i % 16) : 15 - (int64_t)(i % 16));
        struct level level[2] = { { best, 0 }, { next, DEPTH_QTY } };
        book_begin(slot, MARKET_LINEAR, 0, 2, 0, level);
        best = next;
        uint64_t from = clock_ticks();
        step(slot);
        ticks[i] = clock_ticks() - from;
        POISE_ASSERT(desk.outbox->records == 1);
        answer();
        POISE_ASSERT(desk.quote[SIDE_BUY].price == market_bid(next));
    }
    return desk.hash;
}

/* A quote is executed in part, now the bid, now the ask; the answer is a hedge of that size. */
static uint64_t hedge(struct bench *bench, uint64_t *ticks, uint32_t count)
{
    (void)bench;
    struct slot slot[3] = { 0 };
    open_desk();
    for (uint32_t i = 0; i < count; i++) {
        pass(i);
        struct record_order *quote = &desk.quote[i % 2 == 0 ? SIDE_BUY : SIDE_SELL];
        int64_t qty = 100 * (6 + i % 5);
        fill_begin(slot, quote, qty, quote->price);
        quote->cum_qty += qty;
        uint64_t from = clock_ticks();
        step(slot);
        ticks[i] = clock_ticks() - from;
        const struct record_order *first = (const struct record_order *)desk.outbox->slots;
        POISE_ASSERT(desk.outbox->records >= 1 && first->role == ORDER_ROLE_HEDGE &&
                     first->side != quote->side);
        answer();
    }
    return desk.hash;
}

/* clang-format off */
#define STEP(name_, operations_, burst_) \
    { .name = "strategy_step." name_, .group = "strategy", .processors = 1, .operations = operations_, \
      .burst_samples = 4000, .setup = setup, .burst = burst_, .teardown = teardown }
static const struct bench_case rows[] = {
    STEP("nothing_top",  EACH, nothing_top),
    STEP("nothing_book", EACH, nothing_book),
    STEP("requote",      1,    requote),
    STEP("hedge",        1,    hedge),
};
/* clang-format on */

const struct bench_table bench_strategy = { rows, POISE_COUNT_OF(rows) };
