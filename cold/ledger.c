#include "cold/ledger.h"

#include "ring/account.h"
#include "ring/order_id.h"

#include <stdlib.h>
#include <string.h>

/* Value is counted in 1e-20 of the report currency: an amount in 1e-12 times a rate in 1e-8 is exact. */
#define E20_PER_E8 1000000000000LL
#define E12_PER_E8 10000

#define CASH_MAX       2048
#define LEG_MAX        1024
#define CONVERT_MAX    32
#define RATES_MAX      256  /* fee rates, venue balances and venue positions, each */
#define PAYMENTS       256  /* remembered: more than an account is paid within RECONCILE's overlap */
#define ORDERS         8192 /* a power of two: the newest orders, by counter */
#define UNASSIGNED     PARAMS_INSTANCE_MAX
#define BOOKS          (PARAMS_INSTANCE_MAX + 1)
#define EXECS_KEPT     256            /* newest executions that a late word of realised profit may complete */
#define RATE_DEPTH     4              /* conversions of conversions */
#define PAYMENT_SAME   600000000000LL /* one payment told by stream and by REST: within this, ns */
#define PAYMENT_OLD_NS 3600000000000LL /* rows this much older than what is told are not asked for again */
#define PRICE_MAX      (1LL << 44)     /* beyond it no price is believed: products would not fit */

#define DELIVERY_MAX (1LL << 52) /* the same of a delivery price, 1e-8 */

#define CONTINUOUS_NS (8LL * 3600 * 1000000000) /* what a continuous rate is told for */

/* Money of one currency of one leg; sums of what was booked against it, gains positive. */
struct cash {
    uint32_t leg;
    uint32_t next; /* of the leg's, index + 1 */
    uint16_t currency;
    int64_t amount_e8;
    int64_t part_e8[PNL_PART_COUNT];
    int64_t other_e8[LEDGER_BOOK_COUNT]; /* exchange, transfer, opening */
    int64_t restored_opening_e8;

    /* booked since the book could be valued last, and attributed when it can be again */
    int64_t open_part_e8[PNL_PART_COUNT];
    int64_t open_other_e8[LEDGER_BOOK_COUNT];
};

/* One (instance, account, instrument): what it holds, what it gained, and from what.  Between two looks
 * neither its cash nor its position changes: whoever changes them looks before, and sets `last` after. */
struct leg {
    uint16_t book; /* instance, or UNASSIGNED */
    uint16_t account, instrument;
    uint32_t cash; /* the first row, index + 1 */
    uint32_t next; /* of the book's, index + 1 */
    struct position position;

    /* fills since the book could be valued last: signed quantity, what was paid for it, and slippage */
    int64_t open_qty;
    int128 open_paid_e12, open_slip_e12;

    int128 start_e20, last_e20, transfer_e20;
    int128 part_e20[PNL_PART_COUNT];
    int128 last_delta_e12;

    /* of a look that is being made */
    int128 now_e20, now_delta_e12, now_transfer_e20, now_opening_e20;
    int128 now_part_e20[PNL_PART_COUNT];

    /* funding not booked: run up continuously until accrued_ns; fell due at due_ns (wall) and later */
    int128 accrued_e12;
    uint64_t accrued_ns;
    int64_t accrued_wall_ns; /* of a run before, until this one's clock is known */
    int64_t due_e8, due_ns;
};

/* What the strategy said of an instance when it said it last: ours beside it. */
struct heard {
    int64_t ours, hot;
    uint64_t since_ns; /* differing; 0 agreeing */
};
enum { HEARD_QUOTE, HEARD_HEDGE, HEARD_DELTA, HEARD_PROFIT, HEARD_COUNT };

struct book {
    bool used;
    bool valued;        /* once, at least */
    uint16_t coin;      /* whose delta counts, CURRENCY_NONE when none */
    uint16_t reference; /* instrument whose price moves the delta: the hedge leg */
    uint16_t quote_instrument, quote_account, hedge_instrument, hedge_account;
    uint16_t second_instrument, second_account;
    uint32_t leg;         /* the first, index + 1 */
    int64_t last_coin_e8; /* the coin's price on the reference instrument, report currency */
    struct heard heard[HEARD_COUNT];
};

struct price {
    int64_t mid, mark, last;           /* price units, 0 unknown */
    int64_t rate_e12, next_funding_ns; /* meaningful when the second is not 0, or funding is continuous */
    bool rate_known;
};

struct convert {
    uint16_t from, to, instrument;
    int64_t fixed_e8;
};

struct fee_rate {
    uint16_t account, instrument;
    int64_t maker_centibp, taker_centibp;
};

struct opinion {
    uint16_t account, of; /* currency or instrument */
    int64_t venue;
    bool restored;     /* it was opened in a run before */
    bool away;         /* in the last run: what moved since, nobody watched */
    bool told;         /* by this run's venue */
    bool unread;       /* a stream told of a payment, and its row was not read */
    uint64_t since_ns; /* differing; 0 agreeing */
};

/* A payment that was booked.  A stream's and a REST row's word of it make one pair. */
struct payment {
    uint16_t account, currency, instrument;
    bool rest, paired;
    uint8_t reason;
    uint32_t row; /* by the venue's history; else 0 */
    int64_t change_e8, venue_time_ns;
};

/* Of an account whose venue keeps a history of payments. */
struct history {
    bool begun;
    int64_t from_ns, until_ns; /* the venue's time: what is older is in the opening; all is told until then */
};

/* What the venue's total holds of an (account, instrument) beside booked cash. */
struct beside {
    uint16_t account, instrument, currency;
    int64_t accrued_e8, settled_e8;
    int64_t qty; /* held then */
    uint64_t stamp_ns;
};

struct order_seen {
    uint64_t order;
    int64_t reference_price, price;
    uint16_t role;
};

/* Realised profit that differs by more than this differs by more than a way of rounding. */
#define REALISED_ROUNDS_E8 2
#define OPENING_DOUBT_NS   300000000000LL /* how far back of an opening a transfer may prove to be not in it \
                                           */

struct execution {
    uint64_t exec_id; /* 0: free */
    uint64_t number;  /* in the order they came */
    uint16_t account, instrument;
    uint32_t leg; /* it was counted in, index + 1 */
    uint8_t side; /* enum side: a trade with ourselves has one id for both ends */
    uint8_t liquidity;
    uint16_t fee_currency; /* of what was booked as its fee */
    int64_t fee_e8;        /* booked, paid positive */
    int64_t realised_e8;   /* booked */
    int64_t price, qty;    /* counted */
    int64_t decision_price;
    bool fee_told, realised_told, price_open;
    bool named; /* counted by a run before, and nothing of it is open */
};

struct ledger {
    void (*sink)(void *context, const struct ledger_entry *entry);
    void *sink_context;
    struct ledger_counts counts;

    uint16_t report_currency;
    uint16_t engine;       /* whose orders are ours */
    bool loss_since_start; /* the strategy's profit is not counted from the first fill */
    bool began;
    bool restored; /* RESTORE_LEDGER was told: RESTORE_CASH is the same money again */
    int64_t wall_minus_stamp_ns;
    bool wall_known;
    uint64_t stamp_ns;
    uint32_t cash_count, leg_count, convert_count, fee_count, balance_count, position_count;
    struct cash cash[CASH_MAX];
    struct leg leg[LEG_MAX];
    struct convert convert[CONVERT_MAX];
    struct fee_rate fee[RATES_MAX];
    struct opinion balance[RATES_MAX];
    struct opinion position[RATES_MAX];
    struct book book[BOOKS];
    struct instrument instrument[INSTRUMENT_MAX]; /* kind KIND_NONE while unknown */
    struct price price[INSTRUMENT_MAX];
    uint16_t named_by[CURRENCY_MAX]; /* instrument whose price is the currency's rate */
    int128 posted_e8[CURRENCY_MAX];  /* every entry ever made: 0 */
    int64_t executed[ACCOUNT_MAX]
                    [INSTRUMENT_MAX];          /* signed quantity of every execution and restored position */
    int64_t owed[ACCOUNT_MAX][INSTRUMENT_MAX]; /* told of our orders beyond the executions seen, unsigned */
    struct payment payment[PAYMENTS];
    uint32_t payment_next;
    bool booked_payment;
    struct history history[ACCOUNT_MAX];
    struct beside beside[RATES_MAX];
    uint32_t beside_count;
    struct order_seen order[ORDERS];
    struct execution *execution; /* a hash that grows; never more than half full */
    uint32_t execution_size, execution_count;
    uint64_t execution_number;
};

const char *const ledger_what_names[] = {
    [0] = "",
    [LEDGER_BALANCE_DIFFERS] = "balance",
    [LEDGER_POSITION_DIFFERS] = "position",
    [LEDGER_HOT_POSITION_DIFFERS] = "strategy position",
    [LEDGER_HOT_DELTA_DIFFERS] = "strategy delta",
    [LEDGER_HOT_PROFIT_DIFFERS] = "strategy profit",
};
const char *const ledger_why_names[] = {
    [LEDGER_UNEXPLAINED] = "unexplained",           [LEDGER_FEE_OPEN] = "fees not told yet",
    [LEDGER_PRICE_OPEN] = "prices not told yet",    [LEDGER_FUNDING_DUE] = "funding due and not told",
    [LEDGER_FILL_MISSING] = "executions missing",   [LEDGER_ROW_UNREAD] = "payment told and not read yet",
    [LEDGER_SETTLING] = "settled and not read yet",
};

void ledger_reset(struct ledger *ledger)
{
    void (*sink)(void *context, const struct ledger_entry *entry) = ledger->sink;
    void *sink_context = ledger->sink_context;
    struct execution *execution = ledger->execution;
    uint32_t size = ledger->execution_size;

    memset(ledger, 0, sizeof *ledger);
    memset(execution, 0, size * sizeof *execution);
    ledger->sink = sink;
    ledger->sink_context = sink_context;
    ledger->execution = execution;
    ledger->execution_size = size;
    ledger->report_currency = CURRENCY_NONE;
    for (uint32_t i = 0; i < CURRENCY_MAX; i++) {
        ledger->named_by[i] = NO_INSTRUMENT;
    }
    for (uint32_t i = 0; i < BOOKS; i++) {
        ledger->book[i].coin = CURRENCY_NONE;
        ledger->book[i].reference = NO_INSTRUMENT;
        ledger->book[i].quote_instrument = ledger->book[i].hedge_instrument = NO_INSTRUMENT;
        ledger->book[i].second_instrument = NO_INSTRUMENT;
    }
    ledger->book[UNASSIGNED].used = true;
}

struct ledger *ledger_make(void)
{
    struct ledger *ledger = calloc(1, sizeof *ledger);
    if (ledger == NULL) {
        return NULL;
    }
    ledger->execution_size = 1024;
    ledger->execution = calloc(ledger->execution_size, sizeof *ledger->execution);
    if (ledger->execution == NULL) {
        free(ledger);
        return NULL;
    }
    ledger_reset(ledger);
    return ledger;
}

void ledger_free(struct ledger *ledger)
{
    if (ledger != NULL) {
        free(ledger->execution);
        free(ledger);
    }
}

void ledger_sink(struct ledger *ledger, void (*sink)(void *context, const struct ledger_entry *entry),
                 void *context)
{
    ledger->sink = sink;
    ledger->sink_context = context;
}

static uint16_t book_of(uint16_t instance)
{
    return instance < PARAMS_INSTANCE_MAX ? instance : UNASSIGNED;
}

static const struct instrument *instrument_of(const struct ledger *ledger, uint16_t index)
{
    return index < INSTRUMENT_MAX && ledger->instrument[index].kind != KIND_NONE ? &ledger->instrument[index]
                                                                                 : NULL;
}

/* Kinds that ring/kind.h has formulas for; fills of others are counted and kept out of the books. */
static bool has_formulas(const struct instrument *instrument)
{
    return kind_cash(instrument->kind) != KIND_CASH_NONE;
}

/* Coin is cash, and nothing of the position is open. */
static bool is_exchanged(const struct instrument *instrument)
{
    return kind_cash(instrument->kind) == KIND_CASH_EXCHANGES;
}

static bool funds_continuously(const struct instrument *instrument)
{
    return instrument->venue == VENUE_DERIBIT;
}

/* ------------------------------------------------------------------ rows */

static struct leg *leg_row(struct ledger *ledger, uint16_t book, uint16_t account, uint16_t instrument)
{
    for (uint32_t i = ledger->book[book].leg; i != 0; i = ledger->leg[i - 1].next) {
        struct leg *row = &ledger->leg[i - 1];
        if (row->account == account && row->instrument == instrument) {
            return row;
        }
    }
    if (ledger->leg_count == LEG_MAX) {
        ledger->counts.full++;
        return NULL;
    }
    struct leg *row = &ledger->leg[ledger->leg_count++];
    *row = (struct leg){
        .book = book, .account = account, .instrument = instrument, .next = ledger->book[book].leg
    };
    ledger->book[book].leg = ledger->leg_count;
    return row;
}

static struct cash *cash_row(struct ledger *ledger, struct leg *leg, uint16_t currency)
{
    for (uint32_t i = leg->cash; i != 0; i = ledger->cash[i - 1].next) {
        if (ledger->cash[i - 1].currency == currency) {
            return &ledger->cash[i - 1];
        }
    }
    if (ledger->cash_count == CASH_MAX || currency >= CURRENCY_MAX) {
        ledger->counts.full++;
        return NULL;
    }
    struct cash *row = &ledger->cash[ledger->cash_count++];
    *row = (struct cash){ .leg = (uint32_t)(leg - ledger->leg), .currency = currency, .next = leg->cash };
    leg->cash = ledger->cash_count;
    return row;
}

static struct opinion *opinion_row(struct ledger *ledger, struct opinion *rows, uint32_t *count,
                                   uint16_t account, uint16_t of, bool *made)
{
    *made = false;
    for (uint32_t i = 0; i < *count; i++) {
        if (rows[i].account == account && rows[i].of == of) {
            return &rows[i];
        }
    }
    if (*count == RATES_MAX) {
        ledger->counts.full++;
        return NULL;
    }
    *made = true;
    rows[*count] = (struct opinion){ .account = account, .of = of };
    return &rows[(*count)++];
}

/* ------------------------------------------------------------------ bookings */

static void emit(struct ledger *ledger, const struct cash *row, enum ledger_book book, enum pnl_part part,
                 int64_t amount_e8)
{
    const struct leg *leg = &ledger->leg[row->leg];
    ledger->posted_e8[row->currency] += amount_e8;
    if (ledger->sink == NULL) {
        return;
    }
    struct ledger_entry entry = {
        .instance = leg->book == UNASSIGNED ? NO_INSTANCE : leg->book,
        .account = leg->account,
        .instrument = leg->instrument,
        .currency = row->currency,
        .book = (uint8_t)book,
        .part = (uint8_t)part,
        .amount_e8 = amount_e8,
        .stamp_ns = ledger->stamp_ns,
    };
    ledger->sink(ledger->sink_context, &entry);
}

/* Cash comes (+) or goes (-) for a reason: two entries that sum to 0. */
static struct cash *book_cash(struct ledger *ledger, struct leg *leg, uint16_t currency,
                              enum ledger_book against, enum pnl_part part, int64_t amount_e8)
{
    struct cash *row = amount_e8 != 0 ? cash_row(ledger, leg, currency) : NULL;
    if (row == NULL) {
        return NULL;
    }
    row->amount_e8 += amount_e8;
    if (against == LEDGER_PART) {
        row->part_e8[part] += amount_e8;
    } else {
        row->other_e8[against] += amount_e8;
    }
    ledger->counts.bookings++;
    emit(ledger, row, LEDGER_CASH, 0, amount_e8);
    emit(ledger, row, against, against == LEDGER_PART ? part : 0, -amount_e8);
    return row;
}

/* ------------------------------------------------------------------ prices and rates */

static int64_t price_of(const struct ledger *ledger, uint16_t instrument)
{
    const struct price *price = &ledger->price[instrument];
    return price->mid != 0 ? price->mid : price->mark != 0 ? price->mark : price->last;
}

/* A product that does not fit is a number nobody should believe: the value becomes unknown. */
static bool multiply(int128 a, int128 b, int128 *product)
{
    return !__builtin_mul_overflow(a, b, product);
}

static bool price_e8(const struct ledger *ledger, uint16_t index, int64_t *e8)
{
    const struct instrument *instrument = instrument_of(ledger, index);
    int64_t price = instrument != NULL ? price_of(ledger, index) : 0;
    if (price <= 0) {
        return false;
    }
    int128 wide = (int128)price * DECIMAL_E8;
    wide = decimal_divide_wide(wide, decimal_power[instrument->price_decimals], ROUND_HALF_EVEN);
    *e8 = (int64_t)wide;
    return wide > 0 && wide <= INT64_MAX;
}

struct missing {
    uint16_t instrument, currency;
};

static bool rate_of(const struct ledger *ledger, uint16_t currency, int depth, int64_t *rate_e8,
                    struct missing *missing);

/* price x the rate of what it is in, at 1e-8. */
static bool chain(const struct ledger *ledger, int64_t price, uint16_t next, int depth, int64_t *rate_e8,
                  struct missing *missing)
{
    int64_t rest_e8;
    if (!rate_of(ledger, next, depth - 1, &rest_e8, missing)) {
        return false;
    }
    int128 wide = decimal_divide_wide((int128)price * rest_e8, DECIMAL_E8, ROUND_HALF_EVEN);
    *rate_e8 = (int64_t)wide;
    return wide <= INT64_MAX;
}

/* Of one row: what 1 of `from` is in `to`. */
static bool convert_rate(const struct ledger *ledger, const struct convert *row, int64_t *rate_e8,
                         struct missing *missing)
{
    if (row->instrument == NO_INSTRUMENT) {
        *rate_e8 = row->fixed_e8;
        return row->fixed_e8 > 0;
    }
    if (!price_e8(ledger, row->instrument, rate_e8)) {
        missing->instrument = row->instrument;
        return false;
    }
    return true;
}

static bool rate_of(const struct ledger *ledger, uint16_t currency, int depth, int64_t *rate_e8,
                    struct missing *missing)
{
    int64_t step_e8;

    if (currency == ledger->report_currency && currency != CURRENCY_NONE) {
        *rate_e8 = DECIMAL_E8;
        return true;
    }
    missing->currency = currency;
    if (depth == 0 || currency >= CURRENCY_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < ledger->convert_count; i++) {
        const struct convert *row = &ledger->convert[i];
        if (row->from == currency) {
            return convert_rate(ledger, row, &step_e8, missing) &&
                   chain(ledger, step_e8, row->to, depth, rate_e8, missing);
        }
        if (row->to == currency && row->from == ledger->report_currency) {
            if (!convert_rate(ledger, row, &step_e8, missing)) {
                return false;
            }
            *rate_e8 = decimal_divide((int128)DECIMAL_E8 * DECIMAL_E8, step_e8, ROUND_HALF_EVEN);
            return true;
        }
    }
    uint16_t name = ledger->named_by[currency];
    if (name == NO_INSTRUMENT) {
        return false;
    }
    if (!price_e8(ledger, name, &step_e8)) {
        missing->instrument = name;
        return false;
    }
    return chain(ledger, step_e8, ledger->instrument[name].quote, depth, rate_e8, missing);
}

static bool rate(const struct ledger *ledger, uint16_t currency, int64_t *rate_e8, struct missing *missing)
{
    return rate_of(ledger, currency, RATE_DEPTH, rate_e8, missing);
}

/* ------------------------------------------------------------------ value */

/* What a quantity is worth at a price, 1e-12, in what its profit is counted in. */
static int128 worth_e12(const struct instrument *instrument, int64_t qty, int64_t price)
{
    struct position position = { .qty = qty };
    return qty == 0 ? 0 : kind_worth_e12(instrument, &position, price);
}

static uint16_t profit_currency(const struct instrument *instrument)
{
    return is_exchanged(instrument) ? instrument->quote : instrument->settle;
}

/* The position's coin at a price; of kinds whose delta leans on what no record tells (options), none. */
static int128 position_delta_e12(const struct ledger *ledger, const struct instrument *instrument,
                                 const struct position *position, int64_t price)
{
    struct kind_market market = { .mark = price };
    struct missing missing;
    int64_t settle_e8;
    int64_t quote_e8;
    int128 delta_e12;

    if (instrument->kind == KIND_OPTION) {
        return 0;
    }
    if (!kind_delta_is_own(instrument->kind)) {
        if (!rate(ledger, instrument->settle, &settle_e8, &missing) ||
            !rate(ledger, instrument->quote, &quote_e8, &missing)) {
            return 0;
        }
        market.settle_e8 = decimal_divide((int128)settle_e8 * DECIMAL_E8, quote_e8, ROUND_HALF_EVEN);
    }
    return kind_market_delta_e12(instrument, position, &market, &delta_e12) ? delta_e12 : 0;
}

/* The leg's equity at the prices and rates of this moment, 1e-20, and its delta in coin, 1e-12. */
static bool value_leg(const struct ledger *ledger, const struct leg *leg, int128 *equity_e20,
                      int128 *delta_e12, struct missing *missing)
{
    uint16_t coin = ledger->book[leg->book].coin;
    int64_t rate_e8;
    int128 product;

    *equity_e20 = 0;
    *delta_e12 = 0;
    for (uint32_t i = leg->cash; i != 0; i = ledger->cash[i - 1].next) {
        const struct cash *row = &ledger->cash[i - 1];
        if (row->amount_e8 == 0) {
            continue;
        }
        struct missing here = { NO_INSTRUMENT, CURRENCY_NONE };
        if (!rate(ledger, row->currency, &rate_e8, &here)) {
            *missing = here;
            if (leg->book == UNASSIGNED && here.instrument == NO_INSTRUMENT) {
                continue; /* dust in a coin nobody trades must not hide the rest */
            }
            return false;
        }
        if (!multiply((int128)row->amount_e8 * E12_PER_E8, rate_e8, &product)) {
            return false;
        }
        *equity_e20 += product;
        *delta_e12 += row->currency == coin ? (int128)row->amount_e8 * E12_PER_E8 : 0;
    }
    if (leg->position.qty == 0) {
        return true;
    }
    const struct instrument *instrument = &ledger->instrument[leg->instrument];
    if (!has_formulas(instrument) || is_exchanged(instrument)) {
        return true; /* the coin itself is cash */
    }
    int64_t price = price_of(ledger, leg->instrument);
    if (price <= 0) {
        missing->instrument = leg->instrument;
        return false;
    }
    int128 open_e12 = kind_open_e12(instrument, &leg->position, price);
    if (!rate(ledger, instrument->settle, &rate_e8, missing) || !multiply(open_e12, rate_e8, &product)) {
        return false;
    }
    *equity_e20 += product;
    *delta_e12 += instrument->settle == coin ? open_e12 : 0;
    *delta_e12 +=
        instrument->base == coin ? position_delta_e12(ledger, instrument, &leg->position, price) : 0;
    return true;
}

static bool row_is_open(const struct cash *row)
{
    int64_t open = row->open_other_e8[LEDGER_TRANSFER] | row->open_other_e8[LEDGER_OPENING];
    for (int part = 0; part < PNL_PART_COUNT; part++) {
        open |= row->open_part_e8[part];
    }
    return open != 0;
}

/* What was booked while the leg could not be valued, at the rates of this moment; fills at its price. */
static bool explain_leg(const struct ledger *ledger, struct leg *leg, struct missing *missing)
{
    int64_t rate_e8;

    memset(leg->now_part_e20, 0, sizeof leg->now_part_e20);
    leg->now_transfer_e20 = leg->now_opening_e20 = 0;
    for (uint32_t i = leg->cash; i != 0; i = ledger->cash[i - 1].next) {
        const struct cash *row = &ledger->cash[i - 1];
        if (!row_is_open(row)) {
            continue;
        }
        struct missing here = { NO_INSTRUMENT, CURRENCY_NONE };
        if (!rate(ledger, row->currency, &rate_e8, &here)) {
            if (leg->book == UNASSIGNED && here.instrument == NO_INSTRUMENT) {
                continue;
            }
            *missing = here;
            return false;
        }
        for (int part = 0; part < PNL_PART_COUNT; part++) {
            leg->now_part_e20[part] += (int128)row->open_part_e8[part] * E12_PER_E8 * rate_e8;
        }
        leg->now_transfer_e20 += (int128)row->open_other_e8[LEDGER_TRANSFER] * E12_PER_E8 * rate_e8;
        leg->now_opening_e20 += (int128)row->open_other_e8[LEDGER_OPENING] * E12_PER_E8 * rate_e8;
    }
    if (leg->open_qty == 0 && leg->open_paid_e12 == 0 && leg->open_slip_e12 == 0) {
        return true;
    }
    const struct instrument *instrument = &ledger->instrument[leg->instrument];
    int64_t price = price_of(ledger, leg->instrument);
    if (price <= 0) {
        missing->instrument = leg->instrument;
        return false;
    }
    int128 gain_e12 = worth_e12(instrument, leg->open_qty, price) - leg->open_paid_e12;
    gain_e12 = kind_settles_in_coin(instrument->kind) ? -gain_e12 : gain_e12;
    int128 total_e20;
    int128 slip_e20;
    if (!rate(ledger, profit_currency(instrument), &rate_e8, missing) ||
        !multiply(gain_e12, rate_e8, &total_e20) || !multiply(leg->open_slip_e12, rate_e8, &slip_e20)) {
        return false;
    }
    leg->now_part_e20[PNL_TRADING] += total_e20 - slip_e20;
    leg->now_part_e20[PNL_SLIPPAGE] += slip_e20;
    return true;
}

/* What explain_leg told is told. */
static void forget_open(struct ledger *ledger, struct leg *leg)
{
    struct missing missing = { NO_INSTRUMENT, CURRENCY_NONE };
    int64_t rate_e8;
    for (uint32_t i = leg->cash; i != 0; i = ledger->cash[i - 1].next) {
        struct cash *row = &ledger->cash[i - 1];
        if (row_is_open(row) && rate(ledger, row->currency, &rate_e8, &missing)) {
            memset(row->open_part_e8, 0, sizeof row->open_part_e8);
            memset(row->open_other_e8, 0, sizeof row->open_other_e8);
        }
    }
    leg->open_qty = 0;
    leg->open_paid_e12 = leg->open_slip_e12 = 0;
}

/* The coin's price on the reference instrument, report currency; 0 when the book has none. */
static bool coin_price(const struct ledger *ledger, const struct book *book, int64_t *coin_e8,
                       struct missing *missing)
{
    int64_t e8;
    *coin_e8 = 0;
    if (book->reference == NO_INSTRUMENT) {
        return true;
    }
    if (!price_e8(ledger, book->reference, &e8)) {
        missing->instrument = book->reference;
        return false;
    }
    return chain(ledger, e8, ledger->instrument[book->reference].quote, RATE_DEPTH, coin_e8, missing);
}

/* Brings every leg of a book up to the prices of this moment: what was open, RESIDUAL and BASIS; the first
 * time all is known, the zero point.  false, and nothing changed, while something is missing. */
static bool look(struct ledger *ledger, uint16_t index, struct missing *missing)
{
    struct book *book = &ledger->book[index];
    int64_t coin_e8;

    *missing = (struct missing){ NO_INSTRUMENT, CURRENCY_NONE };
    for (uint32_t i = book->leg; i != 0; i = ledger->leg[i - 1].next) {
        struct leg *leg = &ledger->leg[i - 1];
        if (!value_leg(ledger, leg, &leg->now_e20, &leg->now_delta_e12, missing) ||
            !explain_leg(ledger, leg, missing)) {
            return false;
        }
    }
    if (!coin_price(ledger, book, &coin_e8, missing)) {
        return false;
    }
    for (uint32_t i = book->leg; i != 0; i = ledger->leg[i - 1].next) {
        int128 residual_e20;
        if (!multiply(ledger->leg[i - 1].last_delta_e12, coin_e8 - book->last_coin_e8, &residual_e20)) {
            return false;
        }
    }
    for (uint32_t i = book->leg; i != 0; i = ledger->leg[i - 1].next) {
        struct leg *leg = &ledger->leg[i - 1];
        int128 explained_e20 = leg->now_transfer_e20;
        leg->transfer_e20 += leg->now_transfer_e20;
        for (int part = 0; part < PNL_PART_COUNT; part++) {
            leg->part_e20[part] += leg->now_part_e20[part];
            explained_e20 += leg->now_part_e20[part];
        }
        forget_open(ledger, leg);
        if (!book->valued) {
            leg->start_e20 = leg->now_e20 - explained_e20;
        } else {
            int128 residual_e20 = leg->last_delta_e12 * (coin_e8 - book->last_coin_e8);
            leg->start_e20 += leg->now_opening_e20; /* it was there all the time */
            leg->part_e20[PNL_RESIDUAL] += residual_e20;
            leg->part_e20[PNL_BASIS] +=
                leg->now_e20 - leg->last_e20 - leg->now_opening_e20 - explained_e20 - residual_e20;
        }
        leg->last_e20 = leg->now_e20;
        leg->last_delta_e12 = leg->now_delta_e12;
    }
    book->valued = true;
    book->last_coin_e8 = coin_e8;
    return true;
}

/* After a change of a leg: what it did to the equity, apart from what prices did.  `seeing` is what look
 * answered before the change.  false: it cannot be valued now, and the caller says what is open. */
static bool changed_by(struct ledger *ledger, struct leg *leg, bool seeing, int128 *change_e20)
{
    struct missing missing;
    int128 equity_e20;
    int128 delta_e12;

    if (!seeing || !value_leg(ledger, leg, &equity_e20, &delta_e12, &missing)) {
        return false;
    }
    *change_e20 = equity_e20 - leg->last_e20;
    leg->last_e20 = equity_e20;
    leg->last_delta_e12 = delta_e12;
    return true;
}

/* Of cash that was booked for a reason: what it was worth is that reason's. */
static void value_cash(struct ledger *ledger, struct leg *leg, bool seeing, struct cash *row,
                       enum ledger_book against, enum pnl_part part, int64_t amount_e8)
{
    struct missing missing = { NO_INSTRUMENT, CURRENCY_NONE };
    int64_t rate_e8;
    int128 change_e20;

    /* Dust without a rate changes nothing that can be seen: it stays open beside what can. */
    if (!rate(ledger, row->currency, &rate_e8, &missing) || !changed_by(ledger, leg, seeing, &change_e20)) {
        if (against == LEDGER_PART) {
            row->open_part_e8[part] += amount_e8;
        } else {
            row->open_other_e8[against] += amount_e8;
        }
    } else if (against == LEDGER_PART) {
        leg->part_e20[part] += change_e20;
    } else if (against == LEDGER_OPENING) {
        leg->start_e20 += change_e20; /* it was there all the time */
    } else {
        leg->transfer_e20 += change_e20;
    }
}

/* Cash for a reason, booked and valued. */
static void move_cash(struct ledger *ledger, struct leg *leg, uint16_t currency, enum ledger_book against,
                      enum pnl_part part, int64_t amount_e8)
{
    struct missing missing;
    bool seeing = look(ledger, leg->book, &missing);
    struct cash *row = book_cash(ledger, leg, currency, against, part, amount_e8);
    if (row != NULL) {
        value_cash(ledger, leg, seeing, row, against, part, amount_e8);
    }
}

/* ------------------------------------------------------------------ funding that runs up */

/* What one interval's rate takes from (-) or gives to a position, settlement currency, 1e-12: longs pay a
 * positive rate. */
static int128 payment_e12(const struct ledger *ledger, const struct leg *leg, int64_t rate_e12)
{
    const struct instrument *instrument = &ledger->instrument[leg->instrument];
    int64_t mark = ledger->price[leg->instrument].mark;
    int64_t price = mark != 0 ? mark : price_of(ledger, leg->instrument);
    int128 product;
    if (price <= 0 || !multiply(worth_e12(instrument, leg->position.qty, price), -rate_e12, &product)) {
        return 0;
    }
    return decimal_divide_wide(product, KIND_E12, ROUND_DOWN);
}

static bool pays_funding(const struct ledger *ledger, const struct leg *leg)
{
    const struct instrument *instrument = instrument_of(ledger, leg->instrument);
    return instrument != NULL && instrument->expiry_ns == 0 &&
           kind_cash(instrument->kind) == KIND_CASH_SETTLES && ledger->price[leg->instrument].rate_known;
}

/* Continuous funding since the leg was looked at last, at the rate that stood until now. */
static void accrue(struct ledger *ledger, struct leg *leg, uint64_t now_ns)
{
    const struct instrument *instrument = instrument_of(ledger, leg->instrument);
    if (instrument == NULL || !funds_continuously(instrument)) {
        return;
    }
    if (leg->accrued_ns == 0 && leg->accrued_wall_ns != 0 && ledger->wall_known) {
        int64_t away_ns = (int64_t)now_ns + ledger->wall_minus_stamp_ns - leg->accrued_wall_ns;
        leg->accrued_ns = now_ns - (uint64_t)base_max(0, base_min(away_ns, (int64_t)now_ns - 1));
        leg->accrued_wall_ns = 0;
    }
    if (leg->position.qty != 0 && pays_funding(ledger, leg) && leg->accrued_ns != 0 &&
        now_ns > leg->accrued_ns) {
        int128 per_interval_e12 = payment_e12(ledger, leg, ledger->price[leg->instrument].rate_e12);
        int128 product;
        if (multiply(per_interval_e12, (int64_t)(now_ns - leg->accrued_ns), &product)) {
            leg->accrued_e12 += decimal_divide_wide(product, CONTINUOUS_NS, ROUND_DOWN);
        }
    }
    leg->accrued_ns = now_ns;
}

/* A mark: what ran up at the old rate, and what fell due when a payment's moment has passed. */
static void take_mark(struct ledger *ledger, const struct record_mark *mark)
{
    const struct record_head *head = &mark->head;
    if (head->instrument >= INSTRUMENT_MAX) {
        return;
    }
    struct price *price = &ledger->price[head->instrument];
    const struct instrument *instrument = instrument_of(ledger, head->instrument);
    bool continuous = instrument != NULL && funds_continuously(instrument);
    bool passed = price->next_funding_ns != 0 && mark->next_funding_ns > price->next_funding_ns;

    for (uint32_t i = 0; i < ledger->leg_count && price->rate_known; i++) {
        struct leg *leg = &ledger->leg[i];
        if (leg->instrument != head->instrument) {
            continue;
        }
        accrue(ledger, leg, head->stamp_ns);
        if (passed && !continuous && leg->position.qty != 0 && pays_funding(ledger, leg)) {
            leg->due_e8 += decimal_divide(payment_e12(ledger, leg, price->rate_e12), E12_PER_E8, ROUND_DOWN);
            leg->due_ns = leg->due_ns != 0 ? leg->due_ns : price->next_funding_ns;
        }
    }
    if (mark->mark > 0 && mark->mark <= PRICE_MAX) {
        price->mark = mark->mark;
    }
    if ((mark->next_funding_ns != 0 || continuous) && base_abs(mark->funding_rate_e12) <= KIND_E12) {
        price->rate_e12 = mark->funding_rate_e12;
        price->next_funding_ns = mark->next_funding_ns;
        price->rate_known = true;
    }
}

/* ------------------------------------------------------------------ fills */

static uint64_t execution_hash(uint16_t account, uint16_t instrument, uint64_t exec_id)
{
    uint64_t hash =
        (exec_id ^ ((uint64_t)account << 48) ^ ((uint64_t)instrument << 32)) * 0x9e3779b97f4a7c15ULL;
    return hash ^ (hash >> 29);
}

static bool grow_executions(struct ledger *ledger)
{
    uint32_t size = ledger->execution_size * 2;
    struct execution *larger = calloc(size, sizeof *larger);
    if (larger == NULL) {
        return false;
    }
    for (uint32_t i = 0; i < ledger->execution_size; i++) {
        const struct execution *row = &ledger->execution[i];
        if (row->exec_id == 0) {
            continue;
        }
        uint64_t at = execution_hash(row->account, row->instrument, row->exec_id) & (size - 1);
        while (larger[at].exec_id != 0) {
            at = (at + 1) & (size - 1);
        }
        larger[at] = *row;
    }
    free(ledger->execution);
    ledger->execution = larger;
    ledger->execution_size = size;
    return true;
}

/* Answers the row of an execution and whether it was counted before; NULL when there is nothing to recognise
 * it by. */
static struct execution *execution_row(struct ledger *ledger, uint16_t account, uint16_t instrument,
                                       uint8_t side, uint64_t exec_id, bool *seen)
{
    *seen = false;
    if (exec_id == 0) {
        return NULL;
    }
    if (ledger->execution_count >= ledger->execution_size / 2 && !grow_executions(ledger)) {
        ledger->counts.full++;
    }
    uint64_t at = execution_hash(account, instrument, exec_id) & (ledger->execution_size - 1);
    for (uint32_t i = 0; i < ledger->execution_size; i++, at = (at + 1) & (ledger->execution_size - 1)) {
        struct execution *row = &ledger->execution[at];
        if (row->exec_id == 0) {
            *row = (struct execution){
                .exec_id = exec_id, .account = account, .instrument = instrument, .side = side
            };
            ledger->execution_count++;
            return row;
        }
        if (row->exec_id == exec_id && row->account == account && row->instrument == instrument &&
            row->side == side) {
            *seen = true;
            return row;
        }
    }
    return NULL;
}

/* What was gained by trading at `price` something worth `worth` a piece, 1e-12 of the profit's currency. */
static int128 gain_e12(const struct instrument *instrument, enum side side, int64_t qty, int64_t price,
                       int64_t worth)
{
    int128 gain = worth_e12(instrument, qty, worth) - worth_e12(instrument, qty, price);
    return (kind_settles_in_coin(instrument->kind) ? -gain : gain) * side_sign(side);
}

static void attribute_fill(struct ledger *ledger, struct leg *leg, const struct instrument *instrument,
                           enum side side, int64_t qty, int64_t price, int64_t decision_price, bool seen,
                           int128 change_e20)
{
    struct missing missing;
    int64_t rate_e8;
    int128 slip_e12 = decision_price > 0 ? gain_e12(instrument, side, qty, price, decision_price) : 0;

    if (!seen) {
        leg->open_qty += side_sign(side) * qty;
        leg->open_paid_e12 += worth_e12(instrument, side_sign(side) * qty, price);
        leg->open_slip_e12 += slip_e12;
        return;
    }
    int128 total_e20 = 0;
    int128 slippage_e20 = 0;
    if (rate(ledger, profit_currency(instrument), &rate_e8, &missing) &&
        multiply(gain_e12(instrument, side, qty, price, price_of(ledger, instrument->index)), rate_e8,
                 &total_e20)) {
        multiply(slip_e12, rate_e8, &slippage_e20);
    }
    leg->part_e20[PNL_TRADING] += total_e20 - slippage_e20;
    leg->part_e20[PNL_SLIPPAGE] += slippage_e20;
    /* A coin bought where its rate is named elsewhere is worth the other price at once: that is basis. */
    bool elsewhere = is_exchanged(instrument) && instrument->base < CURRENCY_MAX &&
                     ledger->named_by[instrument->base] != instrument->index;
    leg->part_e20[elsewhere ? PNL_BASIS : PNL_ROUNDING] += change_e20 - total_e20;
}

/* What a fill or an expiry did to cash; answers what was realised and booked. */
static int64_t book_effect(struct ledger *ledger, struct leg *leg, const struct fill_effect *effect)
{
    if (effect->base_currency != CURRENCY_NONE) {
        book_cash(ledger, leg, effect->base_currency, LEDGER_EXCHANGE, 0, effect->base_e8);
    }
    if (effect->quote_currency != CURRENCY_NONE) {
        book_cash(ledger, leg, effect->quote_currency, LEDGER_EXCHANGE, 0, effect->quote_e8);
    }
    if (effect->settle_currency != CURRENCY_NONE) {
        book_cash(ledger, leg, effect->settle_currency, LEDGER_PART, PNL_TRADING, effect->realised_e8);
        return effect->realised_e8;
    }
    return 0;
}

/* The fee by the rate we know, or 0 when we know none. */
static int64_t reckoned_fee(const struct ledger *ledger, const struct instrument *instrument,
                            const struct execution *fill, uint16_t *currency)
{
    for (uint32_t i = 0; i < ledger->fee_count; i++) {
        const struct fee_rate *row = &ledger->fee[i];
        if (row->account == fill->account && row->instrument == instrument->index) {
            return kind_fee_e8(instrument, (enum side)fill->side, fill->qty, fill->price,
                               fill->liquidity == LIQUIDITY_MAKER ? row->maker_centibp : row->taker_centibp,
                               currency);
        }
    }
    *currency = CURRENCY_NONE;
    return 0;
}

/* The fee of an execution becomes this one: what was booked before is taken back when it was another. */
static void set_fee(struct ledger *ledger, struct leg *leg, struct execution *execution, uint16_t currency,
                    int64_t fee_e8)
{
    if (execution->fee_e8 == fee_e8 && (execution->fee_currency == currency || fee_e8 == 0)) {
        execution->fee_currency = currency;
        return;
    }
    if (execution->fee_e8 != 0) {
        move_cash(ledger, leg, execution->fee_currency, LEDGER_PART, PNL_FEE, execution->fee_e8);
    }
    if (fee_e8 != 0) {
        move_cash(ledger, leg, currency, LEDGER_PART, PNL_FEE, -fee_e8);
    }
    execution->fee_e8 = fee_e8;
    execution->fee_currency = currency;
}

/* The fee a fill is charged: as told, else by the rate we count with until it is. */
static void book_fee(struct ledger *ledger, struct leg *leg, const struct instrument *instrument,
                     const struct record_report *report, struct execution *execution)
{
    uint16_t currency = report->fee_currency;
    if ((report->flags & REPORT_HAS_FEE) != 0 && currency < CURRENCY_MAX) {
        ledger->counts.without_fee -= !execution->fee_told && execution->leg != 0;
        execution->fee_told = true;
        set_fee(ledger, leg, execution, currency, report->fee_e8);
    } else if (!execution->fee_told) {
        int64_t fee_e8 = reckoned_fee(ledger, instrument, execution, &currency);
        ledger->counts.without_fee += execution->leg == 0;
        set_fee(ledger, leg, execution, currency, fee_e8);
    }
}

/* The venue books its own realised profit, rounded its own way: our cash follows it, and the difference is
 * rounding.  When it is more than that, the venue's entry is another one than ours (a position from before
 * us, two instances on one position): what it books sooner or later than our own entry says is nobody's, or
 * an instance would hold coin that another one's open position owes. */
static void book_realised(struct ledger *ledger, struct leg *leg, const struct instrument *instrument,
                          const struct record_report *report, struct execution *execution)
{
    if (execution->exec_id == 0 || execution->realised_told || execution->price_open ||
        kind_cash(instrument->kind) != KIND_CASH_SETTLES || (report->flags & REPORT_HAS_REALISED) == 0) {
        return;
    }
    int64_t more_e8 = report->realised_e8 - execution->realised_e8;
    execution->realised_told = true;
    if (base_abs(more_e8) > REALISED_ROUNDS_E8) {
        ledger->counts.realised_differs++;
        struct leg *nobody = leg_row(ledger, UNASSIGNED, leg->account, instrument->index);
        leg = nobody != NULL ? nobody : leg;
    }
    if (more_e8 != 0) {
        execution->realised_e8 = report->realised_e8;
        move_cash(ledger, leg, instrument->settle, LEDGER_PART, PNL_ROUNDING, more_e8);
    }
}

static bool has_price(const struct record_report *report)
{
    return (report->flags & REPORT_PRICE_OPEN) == 0 && report->price > 0;
}

/* The true price in the place of the stand-in: the quantity stays. */
static void set_price(struct ledger *ledger, struct leg *leg, const struct instrument *instrument,
                      struct execution *execution, int64_t price)
{
    struct missing missing;
    struct fill_effect effect;
    enum side side = (enum side)execution->side;
    int128 change_e20 = 0;

    execution->price_open = false;
    ledger->counts.open_price--;
    if (price == execution->price || !kind_fits(instrument, execution->qty, price)) {
        return;
    }
    bool seen = look(ledger, leg->book, &missing);
    kind_reprice(instrument, &leg->position, side, execution->qty, execution->price, price, &effect);
    execution->realised_e8 += book_effect(ledger, leg, &effect);
    seen = changed_by(ledger, leg, seen, &change_e20);
    if (seen) {
        leg->part_e20[execution->decision_price > 0 ? PNL_SLIPPAGE : PNL_TRADING] += change_e20;
    } else {
        int128 more_e12 = gain_e12(instrument, side, execution->qty, price, execution->price);
        leg->open_paid_e12 += kind_settles_in_coin(instrument->kind) ? more_e12 : -more_e12;
        leg->open_slip_e12 += execution->decision_price > 0 ? more_e12 : 0;
    }
    execution->price = price;
}

/* A fuller report of an execution that was counted: what the first one did not tell. */
static void complete_fill(struct ledger *ledger, const struct instrument *instrument,
                          const struct record_report *report, struct execution *execution)
{
    if (execution->leg == 0) {
        return; /* known from before by its name only */
    }
    struct leg *leg = &ledger->leg[execution->leg - 1];
    if (execution->price_open && has_price(report)) {
        set_price(ledger, leg, instrument, execution, report->price);
    }
    book_fee(ledger, leg, instrument, report, execution);
    book_realised(ledger, leg, instrument, report, execution);
}

static bool book_has_leg(const struct book *book, uint16_t account, uint16_t instrument)
{
    return (instrument == book->quote_instrument && account == book->quote_account) ||
           (instrument == book->hedge_instrument && account == book->hedge_account) ||
           (instrument == book->second_instrument && account == book->second_account);
}

/* Whose an order is; a number that names no instance that trades there is nobody's. */
static uint16_t book_of_order(const struct ledger *ledger, const struct record_report *report)
{
    if (report->order == 0 || (report->flags & REPORT_FOREIGN) != 0 ||
        (ledger->began && order_id_engine(report->order) != ledger->engine)) {
        return UNASSIGNED;
    }
    uint16_t index = book_of((uint16_t)order_id_instance(report->order));
    const struct book *book = &ledger->book[index];
    uint16_t instrument = report->head.instrument;
    uint16_t account = report->head.account;
    return book->used && book_has_leg(book, account, instrument) ? index : UNASSIGNED;
}

static int64_t qty_of(const struct ledger *ledger, uint16_t index, uint16_t account, uint16_t instrument)
{
    for (uint32_t i = ledger->book[index].leg; i != 0; i = ledger->leg[i - 1].next) {
        const struct leg *leg = &ledger->leg[i - 1];
        if (leg->account == account && leg->instrument == instrument) {
            return leg->position.qty;
        }
    }
    return 0;
}

/* A quantity of an execution enters the position of a leg. */
static void count_execution(struct ledger *ledger, struct leg *leg, const struct instrument *instrument,
                            struct execution *execution, int64_t qty)
{
    struct missing missing;
    struct fill_effect effect;
    enum side side = (enum side)execution->side;
    int128 change_e20 = 0;
    bool seen = look(ledger, leg->book, &missing);
    accrue(ledger, leg, ledger->stamp_ns);
    kind_fill(instrument, &leg->position, side, qty, execution->price, &effect);
    ledger->executed[leg->account][leg->instrument] += side_sign(side) * qty;
    execution->realised_e8 += book_effect(ledger, leg, &effect);
    seen = changed_by(ledger, leg, seen, &change_e20);
    attribute_fill(ledger, leg, instrument, side, qty, execution->price, execution->decision_price, seen,
                   change_e20);
}

/* The first instance from `from` on that holds what an execution on this side makes smaller; UNASSIGNED none.
 */
static uint16_t next_closed(const struct ledger *ledger, uint16_t account, uint16_t instrument,
                            enum side side, uint16_t from)
{
    for (uint16_t i = from; i < PARAMS_INSTANCE_MAX; i++) {
        int64_t held = qty_of(ledger, i, account, instrument);
        if (ledger->book[i].used && held != 0 && (held > 0) != (side == SIDE_BUY)) {
            return i;
        }
    }
    return UNASSIGNED;
}

/* The venue closed a position of ours (liquidation, deleveraging): the legs that held it are smaller, in the
 * instances' order as the strategy has it, whoever's order it was; what they did not hold is nobody's.
 * `first` is the leg that the execution is kept under, and the first to get smaller. */
static void count_closed(struct ledger *ledger, const struct leg *first, const struct instrument *instrument,
                         struct execution *execution)
{
    int64_t left = execution->qty;
    uint16_t account = first->account, index = first->book;
    while (left > 0) {
        struct leg *leg = leg_row(ledger, index, account, instrument->index);
        if (leg == NULL) {
            return;
        }
        int64_t take = index == UNASSIGNED ? left : base_min(left, base_abs(leg->position.qty));
        count_execution(ledger, leg, instrument, execution, take);
        left -= take;
        index = index == UNASSIGNED ? UNASSIGNED
                                    : next_closed(ledger, account, instrument->index,
                                                  (enum side)execution->side, (uint16_t)(index + 1));
    }
}

static void take_fill(struct ledger *ledger, const struct record_report *report)
{
    const struct record_head *head = &report->head;
    const struct instrument *instrument = instrument_of(ledger, head->instrument);

    if (instrument == NULL || !has_formulas(instrument) || report->last_qty <= 0 ||
        report->side > SIDE_SELL || head->account >= ACCOUNT_MAX) {
        ledger->counts.without_price++;
        return;
    }
    const struct order_seen *order = &ledger->order[order_id_counter(report->order) % ORDERS];
    bool known_order = report->order != 0 && order->order == report->order;
    bool open = !has_price(report);
    int64_t price = !open                             ? report->price
                    : report->order_price > 0         ? report->order_price
                    : known_order && order->price > 0 ? order->price
                                                      : price_of(ledger, instrument->index);
    bool seen;
    struct execution *execution =
        execution_row(ledger, head->account, head->instrument, report->side, report->exec_id, &seen);
    if (seen && (execution->leg != 0 || execution->named)) {
        ledger->counts.duplicates++;
        complete_fill(ledger, instrument, report, execution);
        return;
    }
    uint16_t index = book_of_order(ledger, report);
    bool closed_by_venue = index == UNASSIGNED && reason_closes_us(report->reason);
    if (closed_by_venue) {
        index = next_closed(ledger, head->account, instrument->index, (enum side)report->side, 0);
    }
    struct leg *leg = leg_row(ledger, index, head->account, instrument->index);
    if (price <= 0 || !kind_fits(instrument, report->last_qty, price) || leg == NULL) {
        ledger->counts.without_price++;
        return;
    }
    struct execution nameless = { 0 };
    execution = execution != NULL ? execution : &nameless;
    execution->number = ++ledger->execution_number;
    execution->side = report->side;
    execution->account = head->account;
    execution->instrument = head->instrument;
    execution->liquidity = report->liquidity;
    execution->price = price;
    execution->qty = report->last_qty;
    execution->price_open = open;
    execution->fee_currency = CURRENCY_NONE;
    bool hedge = index != UNASSIGNED && known_order && order->role == ORDER_ROLE_HEDGE;
    execution->decision_price = hedge ? order->reference_price : 0;
    ledger->counts.fills++;
    ledger->counts.foreign += index == UNASSIGNED;
    ledger->counts.open_price += open;
    if (!open) {
        ledger->price[instrument->index].last = price;
    }

    if (closed_by_venue) {
        count_closed(ledger, leg, instrument, execution);
    } else {
        count_execution(ledger, leg, instrument, execution, report->last_qty);
    }
    book_fee(ledger, leg, instrument, report, execution);
    execution->leg = (uint32_t)(leg - ledger->leg) + 1;
    book_realised(ledger, leg, instrument, report, execution);
}

/* The contract ends: every holder's position becomes cash at the delivery price. */
static void take_delivery(struct ledger *ledger, const struct record_delivery *delivery)
{
    const struct instrument *instrument = instrument_of(ledger, delivery->head.instrument);
    struct missing missing;
    struct fill_effect effect;

    if (instrument == NULL || delivery->price_e8 <= 0 || delivery->price_e8 > DELIVERY_MAX ||
        delivery->head.account >= ACCOUNT_MAX) {
        return;
    }
    for (uint32_t i = 0; i < ledger->leg_count; i++) {
        struct leg *leg = &ledger->leg[i];
        if (leg->account != delivery->head.account || leg->instrument != instrument->index ||
            leg->position.qty == 0) {
            continue;
        }
        bool seen = look(ledger, leg->book, &missing);
        ledger->executed[leg->account][leg->instrument] -= leg->position.qty;
        if (!kind_expire(instrument, &leg->position, delivery->price_e8, &effect)) {
            ledger->executed[leg->account][leg->instrument] += leg->position.qty;
            return;
        }
        book_effect(ledger, leg, &effect);
        int128 change_e20 = 0;
        if (changed_by(ledger, leg, seen, &change_e20)) {
            leg->part_e20[PNL_BASIS] += change_e20; /* from the last price to the delivered one */
        }
    }
}

/* ------------------------------------------------------------------ cash from outside trading */

static int64_t cash_on(const struct ledger *ledger, uint16_t account, uint16_t currency)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < ledger->cash_count; i++) {
        const struct cash *row = &ledger->cash[i];
        sum += ledger->leg[row->leg].account == account && row->currency == currency ? row->amount_e8 : 0;
    }
    return sum;
}

static int64_t more_than_ours(const struct ledger *ledger, const struct opinion *row)
{
    return row->venue - ledger_beside_e8(ledger, row->account, row->of) -
           cash_on(ledger, row->account, row->of);
}

/* A transfer that is older than an account's opening by the clock as it was known then, and yet is what the
 * balance lacks to the last unit: the clock was wrong, or the balance that the books opened with was old. */
static bool is_missed(const struct ledger *ledger, const struct record_balance *row)
{
    const struct history *history = &ledger->history[row->head.account];
    for (uint32_t i = 0; i < ledger->balance_count; i++) {
        const struct opinion *opinion = &ledger->balance[i];
        if (opinion->account == row->head.account && opinion->of == row->currency) {
            return row->reason == CASH_TRANSFER && row->change_e8 != 0 && opinion->told &&
                   opinion->since_ns != 0 && more_than_ours(ledger, opinion) == row->change_e8 &&
                   row->venue_time_ns > history->from_ns - OPENING_DOUBT_NS;
        }
    }
    return false;
}

bool ledger_paid(const struct ledger *ledger, const struct record_balance *row)
{
    const struct history *history =
        row->head.account < ACCOUNT_MAX ? &ledger->history[row->head.account] : NULL;
    if (history != NULL && history->begun && row->venue_time_ns <= history->from_ns &&
        !is_missed(ledger, row)) {
        return true;
    }
    for (uint32_t i = 0; i < PAYMENTS; i++) {
        const struct payment *paid = &ledger->payment[i];
        if (paid->row == row->row && paid->account == row->head.account && paid->currency == row->currency &&
            paid->reason == row->reason && paid->venue_time_ns == row->venue_time_ns) {
            return true;
        }
    }
    return false;
}

/* Whether a payment was told before: the same row again, or by the other way (stream, REST). */
static bool told_before(struct ledger *ledger, const struct record_balance *balance)
{
    struct payment new = {
        .account = balance->head.account,
        .currency = balance->currency,
        .instrument = balance->head.instrument,
        .rest = (balance->head.flags & RECORD_FLAG_REST) != 0,
        .reason = balance->reason,
        .row = balance->row,
        .change_e8 = balance->change_e8,
        .venue_time_ns = balance->venue_time_ns,
    };
    bool told = false;

    if (balance->told == CASH_TOLD_ROW) {
        told = ledger_paid(ledger, balance);
        if (!told) {
            ledger->payment[ledger->payment_next++ % PAYMENTS] = new;
        }
        return told;
    }

    for (uint32_t i = 0; i < PAYMENTS && new.venue_time_ns != 0; i++) {
        struct payment *row = &ledger->payment[i];
        int64_t apart_ns = base_abs(row->venue_time_ns - new.venue_time_ns);
        if (row->change_e8 != new.change_e8 || row->account != new.account || row->change_e8 == 0 ||
            row->currency != new.currency || row->reason != new.reason) {
            continue;
        }
        if (row->rest == new.rest) {
            if (apart_ns == 0 && row->instrument == new.instrument) {
                return true;
            }
        } else if (!told && !row->paired && apart_ns <= PAYMENT_SAME &&
                   (row->instrument == new.instrument || row->instrument == NO_INSTRUMENT ||
                    new.instrument == NO_INSTRUMENT)) {
            row->paired = new.paired = told = true;
        }
    }
    ledger->payment[ledger->payment_next++ % PAYMENTS] = new;
    return told;
}

/* How much of a payment on an account is a leg's doing: its size, of interest what it owes.  Of several
 * instruments it is what they are worth now, or were worth when they were opened where no price is there. */
static int128 weight_of(const struct ledger *ledger, const struct leg *leg,
                        const struct record_balance *balance)
{
    const struct instrument *instrument = instrument_of(ledger, leg->instrument);
    if (leg->account != balance->head.account || instrument == NULL || !has_formulas(instrument)) {
        return 0;
    }
    if (balance->reason == CASH_INTEREST) {
        for (uint32_t i = leg->cash; i != 0; i = ledger->cash[i - 1].next) {
            const struct cash *row = &ledger->cash[i - 1];
            if (row->currency == balance->currency && is_exchanged(instrument)) {
                return row->amount_e8 < 0 ? -(int128)row->amount_e8 * E12_PER_E8 : 0;
            }
        }
        return 0;
    }
    if (instrument->settle != balance->currency || is_exchanged(instrument) || leg->position.qty == 0 ||
        (balance->head.instrument != NO_INSTRUMENT && balance->head.instrument != leg->instrument)) {
        return 0;
    }
    if (balance->head.instrument != NO_INSTRUMENT) {
        return base_abs(leg->position.qty); /* all of one kind: no price is needed */
    }
    int64_t price = price_of(ledger, leg->instrument);
    int128 worth = price > 0 ? worth_e12(instrument, leg->position.qty, price) : leg->position.notional_e12;
    return worth < 0 ? -worth : worth;
}

/* A payment on what nobody holds any more is of the one instance that trades it; of several, it is nobody's.
 */
static uint16_t sole_book(const struct ledger *ledger, uint16_t account, uint16_t instrument)
{
    uint16_t found = UNASSIGNED;
    for (uint16_t i = 0; i < PARAMS_INSTANCE_MAX && instrument != NO_INSTRUMENT; i++) {
        if (ledger->book[i].used && book_has_leg(&ledger->book[i], account, instrument)) {
            if (found != UNASSIGNED) {
                return UNASSIGNED;
            }
            found = i;
        }
    }
    return found;
}

/* The stamp of a payment's own moment, which may be long before it is told. */
static uint64_t moment_of(const struct ledger *ledger, const struct record_balance *balance)
{
    uint64_t stamp_ns = balance->head.stamp_ns;
    if (!ledger->wall_known || balance->venue_time_ns == 0) {
        return stamp_ns;
    }
    int64_t moment_ns = balance->venue_time_ns - ledger->wall_minus_stamp_ns;
    return moment_ns > 0 && (uint64_t)moment_ns < stamp_ns ? (uint64_t)moment_ns : stamp_ns;
}

/* Splits a payment over the legs whose positions paid it; what no position explains is nobody's. */
static void share_out(struct ledger *ledger, const struct record_balance *balance, enum pnl_part part)
{
    int128 total = 0;
    int128 left = 0;
    int64_t paid_e8 = 0;

    for (uint32_t i = 0; i < ledger->leg_count; i++) {
        total += weight_of(ledger, &ledger->leg[i], balance);
    }
    if (total == 0) {
        uint16_t instrument =
            balance->head.instrument < INSTRUMENT_MAX ? balance->head.instrument : NO_INSTRUMENT;
        struct leg *leg = leg_row(ledger, sole_book(ledger, balance->head.account, instrument),
                                  balance->head.account, instrument);
        if (leg != NULL) {
            move_cash(ledger, leg, balance->currency, LEDGER_PART, part, balance->change_e8);
        }
        return;
    }
    int128 scale = total / (1LL << 60) + 1; /* so that change x weight fits */
    for (uint32_t i = 0; i < ledger->leg_count; i++) {
        struct leg *leg = &ledger->leg[i];
        int128 weight = weight_of(ledger, leg, balance);
        if (weight == 0) {
            continue;
        }
        /* Shares of the running sum: they add up to the whole whatever is rounded. */
        left += weight;
        int64_t so_far_e8 =
            decimal_divide((int128)balance->change_e8 * (left / scale), total / scale, ROUND_ZERO);
        so_far_e8 = left == total ? balance->change_e8 : so_far_e8;
        if (so_far_e8 != paid_e8) {
            move_cash(ledger, leg, balance->currency, LEDGER_PART, part, so_far_e8 - paid_e8);
        }
        paid_e8 = so_far_e8;
        if (balance->reason == CASH_FUNDING) {
            leg->accrued_e12 = 0;
            leg->accrued_ns = moment_of(ledger, balance);
            leg->due_e8 = leg->due_ns = 0;
        }
    }
}

static int64_t position_on(const struct ledger *ledger, uint16_t account, uint16_t instrument)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < ledger->leg_count; i++) {
        const struct leg *row = &ledger->leg[i];
        sum += row->account == account && row->instrument == instrument ? row->position.qty : 0;
    }
    return sum;
}

/* What the venue's total holds beside our cash, of one instrument. */
static void take_beside(struct ledger *ledger, const struct record_balance *balance)
{
    struct beside *row = NULL;
    uint16_t account = balance->head.account, instrument = balance->head.instrument;
    for (uint32_t i = 0; i < ledger->beside_count && row == NULL; i++) {
        struct beside *each = &ledger->beside[i];
        row = each->account == account && each->instrument == instrument ? each : NULL;
    }
    if (row == NULL && (ledger->beside_count == RATES_MAX || instrument >= INSTRUMENT_MAX)) {
        ledger->counts.full += instrument < INSTRUMENT_MAX;
        return;
    }
    if (row == NULL) {
        row = &ledger->beside[ledger->beside_count++];
        *row = (struct beside){ .account = account, .instrument = instrument };
    }
    row->currency = balance->currency;
    row->qty = position_on(ledger, account, instrument);
    row->stamp_ns = balance->head.stamp_ns;
    if (balance->reason == CASH_ACCRUED) {
        row->accrued_e8 = balance->change_e8;
    } else {
        row->settled_e8 = balance->change_e8;
    }
}

/* What of a settled profit is still open when part of the position was closed since: its share. */
static int64_t still_settled_e8(const struct ledger *ledger, const struct beside *row)
{
    int64_t held = position_on(ledger, row->account, row->instrument);
    if (row->qty == 0 || held == 0 || (held > 0) != (row->qty > 0)) {
        return 0;
    }
    return base_abs(held) >= base_abs(row->qty)
               ? row->settled_e8
               : (int64_t)decimal_divide_wide((int128)row->settled_e8 * held, row->qty, ROUND_DOWN);
}

int64_t ledger_beside_e8(const struct ledger *ledger, uint16_t account, uint16_t currency)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < ledger->beside_count; i++) {
        const struct beside *row = &ledger->beside[i];
        if (row->account == account && row->currency == currency) {
            sum += row->accrued_e8 + still_settled_e8(ledger, row);
        }
    }
    return sum;
}

/* How far the venue's total may be from ours although both are right: its funding runs on, told as of a
 * moment, and each figure is rounded. */
static int64_t allowed_e8(const struct ledger *ledger, uint16_t account, uint16_t currency)
{
    int64_t allowed = 0;
    for (uint32_t i = 0; i < ledger->beside_count; i++) {
        const struct beside *row = &ledger->beside[i];
        if (row->account != account || row->currency != currency) {
            continue;
        }
        struct leg leg = { .account = account,
                           .instrument = row->instrument,
                           .position.qty = position_on(ledger, account, row->instrument) };
        int128 run_e12 = 0;
        if (leg.position.qty != 0 && pays_funding(ledger, &leg) && ledger->stamp_ns > row->stamp_ns) {
            run_e12 = payment_e12(ledger, &leg, ledger->price[row->instrument].rate_e12);
            run_e12 = decimal_divide_wide(run_e12 * (int64_t)(ledger->stamp_ns - row->stamp_ns),
                                          CONTINUOUS_NS, ROUND_DOWN);
        }
        allowed += 3 + 2 * base_abs((int64_t)(run_e12 / E12_PER_E8));
    }
    return allowed;
}

static bool agrees(const struct ledger *ledger, const struct opinion *row)
{
    return base_abs(more_than_ours(ledger, row)) <= allowed_e8(ledger, row->account, row->of);
}

static struct opinion *balance_row(struct ledger *ledger, uint16_t account, uint16_t currency)
{
    for (uint32_t i = 0; i < ledger->balance_count; i++) {
        if (ledger->balance[i].account == account && ledger->balance[i].of == currency) {
            return &ledger->balance[i];
        }
    }
    return NULL;
}

static void take_change(struct ledger *ledger, const struct record_balance *balance)
{
    if (balance->told == CASH_TOLD_AGAIN) {
        struct opinion *row = balance_row(ledger, balance->head.account, balance->currency);
        if (row != NULL) {
            row->unread = true;
        }
        return;
    }
    if (told_before(ledger, balance)) {
        return;
    }
    ledger->booked_payment = true;
    switch ((enum cash_reason)balance->reason) {
    case CASH_FUNDING:
    case CASH_DIVIDEND:
        share_out(ledger, balance, PNL_FUNDING);
        break;
    case CASH_FEE:
    case CASH_INTEREST:
    case CASH_LIQUIDATION: /* what the fund took or gave beside the fills */
        share_out(ledger, balance, PNL_FEE);
        break;
    case CASH_TRANSFER:
    case CASH_ADJUSTMENT: {
        struct leg *leg = leg_row(ledger, UNASSIGNED, balance->head.account, NO_INSTRUMENT);
        if (leg != NULL) {
            move_cash(ledger, leg, balance->currency, LEDGER_TRANSFER, 0, balance->change_e8);
        }
        break;
    }
    default:
        break; /* what orders and settlements moved is booked by their fills */
    }
}

static void take_balance(struct ledger *ledger, const struct record_balance *balance)
{
    bool made;

    if (balance->head.account >= ACCOUNT_MAX) {
        return;
    }
    if (balance->reason == CASH_HISTORY) {
        struct history *history = &ledger->history[balance->head.account];
        history->from_ns = history->begun ? history->from_ns : balance->venue_time_ns;
        history->until_ns = base_max(history->until_ns, balance->venue_time_ns);
        history->begun = true;
        return;
    }
    if (balance->currency >= CURRENCY_MAX) {
        return;
    }
    if (balance->reason == CASH_ACCRUED || balance->reason == CASH_SETTLED) {
        take_beside(ledger, balance);
        return;
    }
    if (balance->change_e8 != 0) {
        take_change(ledger, balance);
    }
    /* A REST row of income tells the change alone. */
    if (balance->total_e8 == INT64_MIN || (balance->total_e8 == 0 && balance->change_e8 != 0 &&
                                           (balance->head.flags & RECORD_FLAG_REST) != 0)) {
        return;
    }
    struct opinion *row = opinion_row(ledger, ledger->balance, &ledger->balance_count, balance->head.account,
                                      balance->currency, &made);
    if (row == NULL) {
        return;
    }
    row->venue = balance->total_e8;
    bool first = !row->told;
    row->told = true;
    if (first && row->away) {
        /* Executions that were missed are booked by now; what is left came or went while no engine ran. */
        struct leg *leg = leg_row(ledger, UNASSIGNED, balance->head.account, NO_INSTRUMENT);
        if (leg != NULL) {
            move_cash(ledger, leg, balance->currency, LEDGER_TRANSFER, 0, more_than_ours(ledger, row));
        }
    }
    if (made) {
        /* The first word of the venue is the opening: what no instance owns is there, unassigned. */
        struct leg *leg = leg_row(ledger, UNASSIGNED, balance->head.account, NO_INSTRUMENT);
        if (leg != NULL) {
            move_cash(ledger, leg, balance->currency, LEDGER_OPENING, 0, more_than_ours(ledger, row));
        }
    }
}

static void take_position(struct ledger *ledger, const struct record_position *position)
{
    bool made;
    if (position->head.instrument >= INSTRUMENT_MAX || position->head.account >= ACCOUNT_MAX) {
        return;
    }
    struct opinion *row = opinion_row(ledger, ledger->position, &ledger->position_count,
                                      position->head.account, position->head.instrument, &made);
    if (row != NULL) {
        row->venue = position->qty;
        row->told = true;
    }
}

/* Since when the venue says otherwise; a difference that ends is forgotten. */
static void compare(struct ledger *ledger, uint64_t stamp_ns)
{
    for (uint32_t i = 0; i < ledger->balance_count; i++) {
        struct opinion *row = &ledger->balance[i];
        bool differs = row->told && !agrees(ledger, row);
        row->unread &= differs;
        row->since_ns = !differs ? 0 : row->since_ns != 0 ? row->since_ns : stamp_ns;
    }
    for (uint32_t i = 0; i < ledger->position_count; i++) {
        struct opinion *row = &ledger->position[i];
        bool differs = row->told && row->venue != position_on(ledger, row->account, row->of);
        row->since_ns = !differs ? 0 : row->since_ns != 0 ? row->since_ns : stamp_ns;
    }
}

/* ------------------------------------------------------------------ what the strategy believes */

static void hear(struct heard *heard, int64_t ours, int64_t hot, int64_t within, uint64_t stamp_ns)
{
    heard->ours = ours;
    heard->hot = hot;
    bool differs = base_abs(ours - hot) > within;
    heard->since_ns = !differs ? 0 : heard->since_ns != 0 ? heard->since_ns : stamp_ns;
}

#define PROFIT_APART_PPM 10000 /* of what is held: the two sides value it at different prices */

/* What both say was made since the first fill, at prices that may be a moment and a spread apart. */
static void hear_profit(struct ledger *ledger, const struct record_status *status)
{
    const struct book *book = &ledger->book[status->instance];
    int64_t first_e8, hot_e8 = 0, cold_e8 = 0, rate_e8;
    int64_t part_e8[PNL_PART_COUNT];
    int128 gross_e20 = 0;
    bool any = false;
    struct missing missing;
    for (int part = 0; part < PNL_PART_COUNT; part++) {
        hot_e8 += status->pnl_e8[part];
        any = any || status->pnl_e8[part] != 0;
    }
    if (!any || ledger->loss_since_start || !ledger_since(ledger, status->instance, &first_e8, part_e8)) {
        return; /* nothing was made, or it was not looked at yet */
    }
    for (int part = 0; part < PNL_PART_COUNT; part++) {
        cold_e8 += part_e8[part];
    }
    for (uint32_t i = book->leg; i != 0; i = ledger->leg[i - 1].next) {
        const struct leg *leg = &ledger->leg[i - 1];
        const struct instrument *instrument = instrument_of(ledger, leg->instrument);
        int64_t at = instrument != NULL ? price_of(ledger, leg->instrument) : 0;
        if (at > 0 && leg->position.qty != 0 &&
            rate(ledger, profit_currency(instrument), &rate_e8, &missing)) {
            int128 worth = worth_e12(instrument, leg->position.qty, at);
            gross_e20 += (worth < 0 ? -worth : worth) * rate_e8;
        }
    }
    for (uint32_t i = 0; i < ledger->cash_count; i++) { /* an allocated coin moves with its price as well */
        const struct cash *row = &ledger->cash[i];
        if (ledger->leg[row->leg].book == status->instance &&
            rate(ledger, row->currency, &rate_e8, &missing)) {
            gross_e20 += (int128)base_abs(row->amount_e8) * E12_PER_E8 * rate_e8;
        }
    }
    int128 within_e8 = gross_e20 / E20_PER_E8 * PROFIT_APART_PPM / 1000000 + DECIMAL_E8;
    hear(&ledger->book[status->instance].heard[HEARD_PROFIT], cold_e8, hot_e8,
         within_e8 > INT64_MAX ? INT64_MAX : (int64_t)within_e8, status->head.stamp_ns);
}

/* Both sides consumed the same records up to this one: positions must be equal, and the delta but for what
 * bookings round and fees that one side only reckons. */
static void take_status(struct ledger *ledger, const struct record_status *status)
{
    struct missing missing;
    if (status->instance >= PARAMS_INSTANCE_MAX || !ledger->book[status->instance].used ||
        ledger->book[status->instance].quote_instrument == NO_INSTRUMENT) {
        return;
    }
    uint64_t stamp_ns = status->head.stamp_ns;
    struct book *book = &ledger->book[status->instance];
    hear(&book->heard[HEARD_QUOTE],
         qty_of(ledger, status->instance, book->quote_account, book->quote_instrument), status->quote_qty, 0,
         stamp_ns);
    hear(&book->heard[HEARD_HEDGE],
         qty_of(ledger, status->instance, book->hedge_account, book->hedge_instrument), status->hedge_qty, 0,
         stamp_ns);
    ledger->counts.hot_checks++;
    if (ledger->counts.without_fee != 0 || ledger->counts.open_price != 0 ||
        !look(ledger, status->instance, &missing)) {
        return;
    }
    int128 delta_e12 = 0;
    for (uint32_t i = book->leg; i != 0; i = ledger->leg[i - 1].next) {
        delta_e12 += ledger->leg[i - 1].last_delta_e12;
    }
    hear_profit(ledger, status);
    hear(&book->heard[HEARD_DELTA], (int64_t)decimal_divide_wide(delta_e12, E12_PER_E8, ROUND_HALF_EVEN),
         status->delta_e8, 100 + (int64_t)ledger->counts.bookings, stamp_ns);
}

/* ------------------------------------------------------------------ heads of a run */

static void take_params(struct ledger *ledger, const struct slot *record)
{
    struct quote_params params;
    record_blob_read(record, &params, sizeof params);

    if (params.instance >= PARAMS_INSTANCE_MAX || ledger->book[params.instance].used) {
        return;
    }
    const struct instrument *leg = instrument_of(ledger, params.quote_instrument);
    struct book *book = &ledger->book[params.instance];
    book->used = true;
    book->reference =
        instrument_of(ledger, params.hedge_instrument) != NULL ? params.hedge_instrument : NO_INSTRUMENT;
    book->quote_instrument = params.quote_instrument;
    book->quote_account = params.quote_account;
    book->hedge_instrument = params.hedge_instrument;
    book->hedge_account = params.hedge_account;
    book->second_instrument = params.second_instrument;
    book->second_account = params.second_account;
    if (leg == NULL || leg->base >= CURRENCY_MAX) {
        return;
    }
    book->coin = leg->base;
    if (ledger->named_by[leg->base] == NO_INSTRUMENT) {
        ledger->named_by[leg->base] = kind_settles_in_coin(leg->kind) ? leg->index : params.hedge_instrument;
    }
    if (params.delta_basis == DELTA_USD && params.allocation_e8 != 0) {
        /* An entry of its own only where it is not what a run before brought over: see take_done. */
        struct leg *owner = leg_row(ledger, params.instance, params.quote_account, NO_INSTRUMENT);
        struct cash *row = owner != NULL ? cash_row(ledger, owner, leg->base) : NULL;
        if (row != NULL) {
            row->amount_e8 += params.allocation_e8;
            row->other_e8[LEDGER_OPENING] += params.allocation_e8;
            row->open_other_e8[LEDGER_OPENING] += params.allocation_e8;
        }
    }
}

static void take_convert(struct ledger *ledger, uint16_t from, uint16_t to, uint16_t instrument,
                         int64_t fixed_e8)
{
    for (uint32_t i = 0; i < ledger->convert_count; i++) {
        struct convert *row = &ledger->convert[i];
        if (row->from == from && row->to == to) {
            row->instrument = instrument;
            row->fixed_e8 = fixed_e8;
            return;
        }
    }
    if (ledger->convert_count == CONVERT_MAX) {
        ledger->counts.full++;
        return;
    }
    ledger->convert[ledger->convert_count++] =
        (struct convert){ .from = from, .to = to, .instrument = instrument, .fixed_e8 = fixed_e8 };
}

static void take_fee(struct ledger *ledger, const struct record_fee *fee)
{
    struct fee_rate row = { fee->head.account, fee->head.instrument, fee->maker_centibp, fee->taker_centibp };
    for (uint32_t i = 0; i < ledger->fee_count; i++) {
        if (ledger->fee[i].account == row.account && ledger->fee[i].instrument == row.instrument) {
            ledger->fee[i] = row;
            return;
        }
    }
    if (ledger->fee_count == RATES_MAX) {
        ledger->counts.full++;
        return;
    }
    ledger->fee[ledger->fee_count++] = row;
}

/* ------------------------------------------------------------------ what a restart brings over */

static int128 joined(const int64_t value[2])
{
    return (int128)(((unsigned __int128)(uint64_t)value[1] << 64) | (uint64_t)value[0]);
}

static void split(int64_t value[2], int128 number)
{
    value[0] = (int64_t)(uint64_t)number;
    value[1] = (int64_t)(number >> 64);
}

static void take_restored_position(struct ledger *ledger, const struct record_restore_position *restore)
{
    if (instrument_of(ledger, restore->head.instrument) == NULL || restore->head.account >= ACCOUNT_MAX) {
        return;
    }
    uint16_t book = book_of(restore->instance);
    struct leg *row = leg_row(ledger, ledger->book[book].used ? book : UNASSIGNED, restore->head.account,
                              restore->head.instrument);
    if (row != NULL) {
        row->position.qty += restore->qty;
        row->position.notional_e12 +=
            (int128)(((unsigned __int128)(uint64_t)restore->notional_high << 64) | restore->notional_low);
        ledger->executed[row->account][row->instrument] += restore->qty;
    }
}

/* An instance without parameters in this run is no more: what it had is nobody's. */
static uint16_t restored_book(const struct ledger *ledger, uint16_t instance)
{
    uint16_t book = book_of(instance);
    return ledger->book[book].used ? book : UNASSIGNED;
}

/* The order of the numbers in each kind of RESTORE_LEDGER row. */
enum {
    CASH_PARTS,
    CASH_EXCHANGE = PNL_PART_COUNT,
    CASH_TRANSFERRED,
    CASH_OPENED,
    CASH_OPEN_PARTS,
    CASH_OPEN_TRANSFERRED = CASH_OPEN_PARTS + PNL_PART_COUNT,
    CASH_OPEN_OPENED,
    CASH_VALUES
};
enum {
    LEG_START,
    LEG_LAST = 2,
    LEG_TRANSFER = 4,
    LEG_PARTS = 6,
    LEG_DELTA = LEG_PARTS + 2 * PNL_PART_COUNT,
    LEG_OPEN_QTY = LEG_DELTA + 2,
    LEG_OPEN_PAID,
    LEG_OPEN_SLIP = LEG_OPEN_PAID + 2,
    LEG_ACCRUED = LEG_OPEN_SLIP + 2,
    LEG_DUE = LEG_ACCRUED + 2,
    LEG_DUE_NS,
    LEG_ACCRUED_WALL,
    LEG_VALUES
};
enum { BOOK_VALUED, BOOK_COIN_PRICE };
enum { EXEC_ID, EXEC_FEE, EXEC_REALISED, EXEC_DECISION, EXEC_FLAGS, EXEC_NUMBER };
enum { PAID_CHANGE, PAID_TIME, PAID_FLAGS, PAID_ROW };
enum { HISTORY_FROM, HISTORY_UNTIL };
enum { BESIDE_ACCRUED, BESIDE_SETTLED, BESIDE_QTY };
_Static_assert((int)LEG_OPEN_QTY == RESTORE_LEDGER_LEG_QTY && (int)EXEC_DECISION == RESTORE_LEDGER_EXEC_PRICE,
               "recovery rescales these");
_Static_assert((int)LEG_VALUES <= RESTORE_LEDGER_VALUES && (int)CASH_VALUES <= RESTORE_LEDGER_VALUES,
               "it fits");

static void restore_cash(struct ledger *ledger, const struct record_head *head,
                         const struct restore_ledger *row)
{
    uint16_t book = restored_book(ledger, row->instance);
    struct leg *leg = leg_row(ledger, book, head->account, head->instrument);
    struct cash *cash = leg != NULL ? cash_row(ledger, leg, row->currency) : NULL;
    if (cash == NULL) {
        return;
    }
    for (int part = 0; part < PNL_PART_COUNT; part++) {
        cash->part_e8[part] += row->value[CASH_PARTS + part];
        cash->open_part_e8[part] += row->value[CASH_OPEN_PARTS + part];
        cash->amount_e8 += row->value[CASH_PARTS + part];
    }
    cash->other_e8[LEDGER_EXCHANGE] += row->value[CASH_EXCHANGE];
    cash->other_e8[LEDGER_TRANSFER] += row->value[CASH_TRANSFERRED];
    cash->open_other_e8[LEDGER_TRANSFER] += row->value[CASH_OPEN_TRANSFERRED];
    cash->open_other_e8[LEDGER_OPENING] += row->value[CASH_OPEN_OPENED];
    cash->amount_e8 += row->value[CASH_EXCHANGE] + row->value[CASH_TRANSFERRED];
    if (book == UNASSIGNED) {
        cash->other_e8[LEDGER_OPENING] += row->value[CASH_OPENED];
        cash->amount_e8 += row->value[CASH_OPENED];
    } else {
        /* What this run's parameters give the instance is there already; only the difference is new.  Of two
         * rows the later is the one: the head of a segment that begins while the books are restored has what
         * the parameters gave, as if it had been brought over. */
        cash->restored_opening_e8 = row->value[CASH_OPENED];
        cash->open_other_e8[LEDGER_OPENING] -= row->value[CASH_OPENED];
    }
}

static void restore_leg(struct ledger *ledger, const struct record_head *head,
                        const struct restore_ledger *row)
{
    struct leg *leg = leg_row(ledger, restored_book(ledger, row->instance), head->account, head->instrument);
    if (leg == NULL) {
        return;
    }
    leg->start_e20 += joined(&row->value[LEG_START]);
    leg->last_e20 += joined(&row->value[LEG_LAST]);
    leg->transfer_e20 += joined(&row->value[LEG_TRANSFER]);
    for (int part = 0; part < PNL_PART_COUNT; part++) {
        leg->part_e20[part] += joined(&row->value[LEG_PARTS + 2 * part]);
    }
    leg->last_delta_e12 += leg->book == UNASSIGNED ? 0 : joined(&row->value[LEG_DELTA]);
    if (head->instrument != NO_INSTRUMENT) {
        leg->open_qty += row->value[LEG_OPEN_QTY];
        leg->open_paid_e12 += joined(&row->value[LEG_OPEN_PAID]);
        leg->open_slip_e12 += joined(&row->value[LEG_OPEN_SLIP]);
        leg->accrued_e12 += joined(&row->value[LEG_ACCRUED]);
        leg->due_e8 += row->value[LEG_DUE];
        leg->due_ns = row->value[LEG_DUE_NS];
        leg->accrued_wall_ns = row->value[LEG_ACCRUED_WALL];
    }
}

static void take_restored_ledger(struct ledger *ledger, const struct slot *record)
{
    const struct record_head *head = record_head_of(record);
    struct restore_ledger row;
    bool made;

    if (head->slot_count < record_slots_for_blob(sizeof row) ||
        (head->account >= ACCOUNT_MAX && head->account != NO_ACCOUNT) ||
        (head->instrument != NO_INSTRUMENT && instrument_of(ledger, head->instrument) == NULL)) {
        return;
    }
    record_blob_read(record, &row, sizeof row);
    ledger->restored = true;
    switch ((enum restore_ledger_what)row.what) {
    case RESTORE_LEDGER_CASH:
        restore_cash(ledger, head, &row);
        break;
    case RESTORE_LEDGER_LEG:
        restore_leg(ledger, head, &row);
        break;
    case RESTORE_LEDGER_BOOK: {
        struct book *book = &ledger->book[book_of(row.instance)];
        if (restored_book(ledger, row.instance) == book_of(row.instance)) {
            book->valued = row.value[BOOK_VALUED] != 0;
            book->last_coin_e8 = row.value[BOOK_COIN_PRICE];
        }
        break;
    }
    case RESTORE_LEDGER_BALANCE: {
        struct opinion *opinion =
            opinion_row(ledger, ledger->balance, &ledger->balance_count, head->account, row.currency, &made);
        if (opinion != NULL && made) {
            opinion->venue = row.value[0];
            opinion->restored = true;
            opinion->away = row.value[RESTORE_LEDGER_BALANCE_AWAY] != 0;
        }
        break;
    }
    case RESTORE_LEDGER_PAYMENT:
        ledger->payment[ledger->payment_next++ % PAYMENTS] =
            (struct payment){ .account = head->account,
                              .currency = row.currency,
                              .instrument = head->instrument,
                              .rest = (row.value[PAID_FLAGS] & 1) != 0,
                              .paired = (row.value[PAID_FLAGS] & 2) != 0,
                              .reason = (uint8_t)(row.value[PAID_FLAGS] >> 8),
                              .row = (uint32_t)row.value[PAID_ROW],
                              .change_e8 = row.value[PAID_CHANGE],
                              .venue_time_ns = row.value[PAID_TIME] };
        break;
    case RESTORE_LEDGER_EXEC: {
        struct execution *execution = execution_row(ledger, head->account, head->instrument, row.side,
                                                    (uint64_t)row.value[EXEC_ID], &made);
        struct leg *leg =
            leg_row(ledger, restored_book(ledger, row.instance), head->account, head->instrument);
        if (execution != NULL && leg != NULL && execution->leg == 0) {
            execution->leg = (uint32_t)(leg - ledger->leg) + 1;
            execution->fee_e8 = row.value[EXEC_FEE];
            execution->fee_currency = row.currency;
            execution->realised_e8 = row.value[EXEC_REALISED];
            execution->decision_price = row.value[EXEC_DECISION];
            execution->realised_told = (row.value[EXEC_FLAGS] & 1) != 0;
            execution->fee_told = (row.value[EXEC_FLAGS] & 2) != 0;
            execution->price_open = (row.value[EXEC_FLAGS] & 4) != 0;
            execution->liquidity = (uint8_t)(row.value[EXEC_FLAGS] >> 8);
            execution->number = (uint64_t)row.value[EXEC_NUMBER];
            if (execution->number > ledger->execution_number) {
                ledger->execution_number = execution->number;
            }
            ledger->counts.without_fee += !execution->fee_told;
            ledger->counts.open_price += execution->price_open;
        }
        break;
    }
    case RESTORE_LEDGER_HISTORY:
        if (head->account < ACCOUNT_MAX) {
            ledger->history[head->account] = (struct history){ .begun = true,
                                                               .from_ns = row.value[HISTORY_FROM],
                                                               .until_ns = row.value[HISTORY_UNTIL] };
        }
        break;
    case RESTORE_LEDGER_BESIDE:
        if (ledger->beside_count < RATES_MAX) {
            ledger->beside[ledger->beside_count++] = (struct beside){ .account = head->account,
                                                                      .instrument = head->instrument,
                                                                      .currency = row.currency,
                                                                      .accrued_e8 = row.value[BESIDE_ACCRUED],
                                                                      .settled_e8 = row.value[BESIDE_SETTLED],
                                                                      .qty = row.value[BESIDE_QTY],
                                                                      .stamp_ns = head->stamp_ns };
        }
        break;
    case RESTORE_LEDGER_PRICE:
        if (head->instrument < INSTRUMENT_MAX) {
            ledger->price[head->instrument] = (struct price){ .mid = row.value[0],
                                                              .mark = row.value[1],
                                                              .last = row.value[2],
                                                              .rate_e12 = row.value[3],
                                                              .next_funding_ns = row.value[4],
                                                              .rate_known = row.value[5] != 0 };
        }
        break;
    default:
        break;
    }
}

static void take_restored_exec(struct ledger *ledger, const struct record_report *told)
{
    bool known;
    struct execution *row =
        execution_row(ledger, told->head.account, told->head.instrument, told->side, told->exec_id, &known);
    if (row == NULL) {
        return;
    }
    row->price = told->price;
    row->qty = told->last_qty;
    if (row->leg == 0) { /* its money is in what was restored */
        row->named = true;
        row->fee_told = true;
        row->realised_told = true;
    }
}

/* What this run's parameters give or take back comes out of, or goes back to, what nobody owns there. */
static void take_done(struct ledger *ledger)
{
    uint32_t count = ledger->cash_count;
    for (uint32_t i = 0; i < count; i++) {
        struct cash *row = &ledger->cash[i];
        struct leg *leg = &ledger->leg[row->leg];
        int64_t more_e8 = row->other_e8[LEDGER_OPENING] - row->restored_opening_e8;
        if (leg->book == UNASSIGNED || more_e8 == 0) {
            continue;
        }
        row->restored_opening_e8 = row->other_e8[LEDGER_OPENING];
        emit(ledger, row, LEDGER_CASH, 0, more_e8);
        emit(ledger, row, LEDGER_OPENING, 0, -more_e8);
        ledger->counts.bookings++;
        bool opened = false;
        for (uint32_t k = 0; k < ledger->balance_count; k++) {
            const struct opinion *opinion = &ledger->balance[k];
            opened |= opinion->restored && opinion->account == leg->account && opinion->of == row->currency;
        }
        struct leg *nobody = opened ? leg_row(ledger, UNASSIGNED, leg->account, NO_INSTRUMENT) : NULL;
        if (nobody != NULL) {
            move_cash(ledger, nobody, row->currency, LEDGER_OPENING, 0, -more_e8);
        }
    }
}

static void say(struct slot *record, const struct restore_ledger *row, uint16_t account, uint16_t instrument,
                uint64_t stamp_ns, void (*to)(void *context, const struct slot *record), void *context)
{
    struct record_head *head =
        record_begin(record, RECORD_RESTORE_LEDGER, record_slots_for_blob(sizeof *row), stamp_ns);
    head->account = account;
    head->instrument = instrument;
    record_blob_write(record, row, sizeof *row);
    to(context, record);
}

static void say_legs(const struct ledger *ledger, struct slot *record,
                     void (*to)(void *context, const struct slot *record), void *context)
{
    for (uint32_t i = 0; i < ledger->leg_count; i++) {
        const struct leg *leg = &ledger->leg[i];
        uint16_t instance = leg->book == UNASSIGNED ? NO_INSTANCE : leg->book;
        struct restore_ledger row = { .what = RESTORE_LEDGER_LEG, .instance = instance };
        split(&row.value[LEG_START], leg->start_e20);
        split(&row.value[LEG_LAST], leg->last_e20);
        split(&row.value[LEG_TRANSFER], leg->transfer_e20);
        for (int part = 0; part < PNL_PART_COUNT; part++) {
            split(&row.value[LEG_PARTS + 2 * part], leg->part_e20[part]);
        }
        split(&row.value[LEG_DELTA], leg->last_delta_e12);
        row.value[LEG_OPEN_QTY] = leg->open_qty;
        split(&row.value[LEG_OPEN_PAID], leg->open_paid_e12);
        split(&row.value[LEG_OPEN_SLIP], leg->open_slip_e12);
        split(&row.value[LEG_ACCRUED], leg->accrued_e12);
        row.value[LEG_DUE] = leg->due_e8;
        row.value[LEG_DUE_NS] = leg->due_ns;
        row.value[LEG_ACCRUED_WALL] = leg->accrued_ns != 0 && ledger->wall_known
                                          ? (int64_t)leg->accrued_ns + ledger->wall_minus_stamp_ns
                                          : leg->accrued_wall_ns;
        say(record, &row, leg->account, leg->instrument, ledger->stamp_ns, to, context);
    }
    for (uint32_t i = 0; i < ledger->cash_count; i++) {
        const struct cash *cash = &ledger->cash[i];
        const struct leg *leg = &ledger->leg[cash->leg];
        struct restore_ledger row = { .what = RESTORE_LEDGER_CASH,
                                      .instance = leg->book == UNASSIGNED ? NO_INSTANCE : leg->book,
                                      .currency = cash->currency };
        for (int part = 0; part < PNL_PART_COUNT; part++) {
            row.value[CASH_PARTS + part] = cash->part_e8[part];
            row.value[CASH_OPEN_PARTS + part] = cash->open_part_e8[part];
        }
        row.value[CASH_EXCHANGE] = cash->other_e8[LEDGER_EXCHANGE];
        row.value[CASH_TRANSFERRED] = cash->other_e8[LEDGER_TRANSFER];
        row.value[CASH_OPENED] = cash->other_e8[LEDGER_OPENING];
        row.value[CASH_OPEN_TRANSFERRED] = cash->open_other_e8[LEDGER_TRANSFER];
        row.value[CASH_OPEN_OPENED] = cash->open_other_e8[LEDGER_OPENING];
        say(record, &row, leg->account, leg->instrument, ledger->stamp_ns, to, context);
    }
}

/* An execution that a later report may still complete. */
static bool is_unfinished(const struct ledger *ledger, const struct execution *execution)
{
    if (execution->exec_id == 0 || execution->leg == 0) {
        return false;
    }
    const struct instrument *instrument = &ledger->instrument[execution->instrument];
    bool realised_may_come = !execution->realised_told && kind_cash(instrument->kind) == KIND_CASH_SETTLES &&
                             execution->number + EXECS_KEPT > ledger->execution_number;
    return !execution->fee_told || execution->price_open || realised_may_come;
}

static int by_number(const void *a, const void *b)
{
    uint64_t x = (*(const struct execution *const *)a)->number;
    uint64_t y = (*(const struct execution *const *)b)->number;
    return x < y ? -1 : x > y;
}

static void say_executions(const struct ledger *ledger, struct slot *record,
                           void (*to)(void *context, const struct slot *record), void *context)
{
    const struct execution **open = calloc(ledger->execution_count + 1, sizeof *open);
    uint32_t count = 0;
    POISE_ASSERT(open != NULL);
    for (uint32_t i = 0; i < ledger->execution_size; i++) {
        if (is_unfinished(ledger, &ledger->execution[i])) {
            open[count++] = &ledger->execution[i];
        }
    }
    qsort(open, count, sizeof *open, by_number);
    for (uint32_t i = 0; i < count; i++) {
        const struct execution *execution = open[i];
        const struct leg *leg = &ledger->leg[execution->leg - 1];
        struct restore_ledger row = { .what = RESTORE_LEDGER_EXEC,
                                      .side = execution->side,
                                      .instance = leg->book == UNASSIGNED ? NO_INSTANCE : leg->book,
                                      .currency = execution->fee_currency };
        row.value[EXEC_ID] = (int64_t)execution->exec_id;
        row.value[EXEC_FEE] = execution->fee_e8;
        row.value[EXEC_REALISED] = execution->realised_e8;
        row.value[EXEC_DECISION] = execution->decision_price;
        row.value[EXEC_FLAGS] = execution->realised_told | execution->fee_told << 1 |
                                execution->price_open << 2 | execution->liquidity << 8;
        row.value[EXEC_NUMBER] = (int64_t)execution->number;
        say(record, &row, execution->account, execution->instrument, ledger->stamp_ns, to, context);
    }
    free(open);
}

/* Nobody will ask for the row of such a payment again. */
static bool is_old(const struct ledger *ledger, const struct payment *paid)
{
    const struct history *history = &ledger->history[paid->account];
    return paid->row != 0 && history->begun && paid->venue_time_ns + PAYMENT_OLD_NS < history->until_ns;
}

void ledger_restore(const struct ledger *ledger, void (*to)(void *context, const struct slot *record),
                    void *context)
{
    struct slot record[RECORD_SLOTS_MAX];
    memset(record, 0, sizeof record);
    for (uint32_t i = 0; i < BOOKS; i++) {
        const struct book *book = &ledger->book[i];
        if (book->valued) {
            struct restore_ledger row = { .what = RESTORE_LEDGER_BOOK,
                                          .instance = i == UNASSIGNED ? NO_INSTANCE : (uint16_t)i };
            row.value[BOOK_VALUED] = 1;
            row.value[BOOK_COIN_PRICE] = book->last_coin_e8;
            say(record, &row, NO_ACCOUNT, NO_INSTRUMENT, ledger->stamp_ns, to, context);
        }
    }
    say_legs(ledger, record, to, context);
    for (uint32_t i = 0; i < ledger->balance_count; i++) {
        struct restore_ledger row = { .what = RESTORE_LEDGER_BALANCE,
                                      .instance = NO_INSTANCE,
                                      .currency = ledger->balance[i].of };
        row.value[0] = ledger->balance[i].venue;
        row.value[RESTORE_LEDGER_BALANCE_AWAY] = ledger->balance[i].away && !ledger->balance[i].told;
        say(record, &row, ledger->balance[i].account, NO_INSTRUMENT, ledger->stamp_ns, to, context);
    }
    for (uint32_t i = 0; i < PAYMENTS; i++) {
        const struct payment *paid = &ledger->payment[(ledger->payment_next + i) % PAYMENTS];
        if (paid->change_e8 == 0 || is_old(ledger, paid)) {
            continue;
        }
        struct restore_ledger row = { .what = RESTORE_LEDGER_PAYMENT,
                                      .instance = NO_INSTANCE,
                                      .currency = paid->currency };
        row.value[PAID_CHANGE] = paid->change_e8;
        row.value[PAID_TIME] = paid->venue_time_ns;
        row.value[PAID_FLAGS] = paid->rest | paid->paired << 1 | paid->reason << 8;
        row.value[PAID_ROW] = paid->row;
        say(record, &row, paid->account, paid->instrument, ledger->stamp_ns, to, context);
    }
    for (uint16_t i = 0; i < ACCOUNT_MAX; i++) {
        if (ledger->history[i].begun) {
            struct restore_ledger row = { .what = RESTORE_LEDGER_HISTORY, .instance = NO_INSTANCE };
            row.value[HISTORY_FROM] = ledger->history[i].from_ns;
            row.value[HISTORY_UNTIL] = ledger->history[i].until_ns;
            say(record, &row, i, NO_INSTRUMENT, ledger->stamp_ns, to, context);
        }
    }
    for (uint32_t i = 0; i < ledger->beside_count; i++) {
        const struct beside *beside = &ledger->beside[i];
        struct restore_ledger row = { .what = RESTORE_LEDGER_BESIDE,
                                      .instance = NO_INSTANCE,
                                      .currency = beside->currency };
        row.value[BESIDE_ACCRUED] = beside->accrued_e8;
        row.value[BESIDE_SETTLED] = beside->settled_e8;
        row.value[BESIDE_QTY] = beside->qty;
        say(record, &row, beside->account, beside->instrument, ledger->stamp_ns, to, context);
    }
    say_executions(ledger, record, to, context);
    for (uint16_t i = 0; i < INSTRUMENT_MAX; i++) {
        const struct price *price = &ledger->price[i];
        if (ledger->instrument[i].kind != KIND_NONE && (price_of(ledger, i) != 0 || price->rate_known)) {
            struct restore_ledger row = { .what = RESTORE_LEDGER_PRICE, .instance = NO_INSTANCE };
            row.value[0] = price->mid;
            row.value[1] = price->mark;
            row.value[2] = price->last;
            row.value[3] = price->rate_e12;
            row.value[4] = price->next_funding_ns;
            row.value[5] = price->rate_known;
            say(record, &row, NO_ACCOUNT, i, ledger->stamp_ns, to, context);
        }
    }
}

static void take_instrument(struct ledger *ledger, const struct slot *record)
{
    struct instrument row;
    record_blob_read(record, &row, sizeof row);
    if (row.index < INSTRUMENT_MAX && instrument_check(&row) == NULL) {
        ledger->instrument[row.index] = row;
    }
}

/* ------------------------------------------------------------------ the door */

/* Slots a type needs before its fields may be read; blobs look for themselves. */
static uint8_t slots_needed(uint8_t type)
{
    switch (type) {
    case RECORD_FILL:
    case RECORD_RESTORE_ORDER:
    case RECORD_RESTORE_EXEC:
    case RECORD_STATUS:
        return 3;
    case RECORD_ORDER_NEW:
    case RECORD_BEGIN:
        return 2;
    case RECORD_INSTRUMENT:
        return record_slots_for_blob(sizeof(struct instrument));
    case RECORD_PARAMS:
        return record_slots_for_blob(sizeof(struct quote_params));
    case RECORD_RISK:
        return record_slots_for_blob(sizeof(struct risk_params));
    default:
        return 1;
    }
}

void ledger_record(struct ledger *ledger, const struct slot *record)
{
    const struct record_head *head = record_head_of(record);
    const void *body = record;

    if (head->slot_count < slots_needed(head->type)) {
        return;
    }
    ledger->stamp_ns = head->stamp_ns > ledger->stamp_ns ? head->stamp_ns : ledger->stamp_ns;
    ledger->booked_payment = false;
    switch (head->type) {
    case RECORD_TOP: {
        const struct record_top *top = body;
        if (head->instrument < INSTRUMENT_MAX && top->bid_qty > 0 && top->ask_qty > 0 && top->bid_price > 0 &&
            top->ask_price > 0 && top->bid_price <= PRICE_MAX && top->ask_price <= PRICE_MAX) {
            ledger->price[head->instrument].mid = (int64_t)(((int128)top->bid_price + top->ask_price) / 2);
        }
        break;
    }
    case RECORD_MARK:
        take_mark(ledger, body);
        break;
    case RECORD_BEGIN:
        ledger_reset(ledger); /* also the head of a segment behind a gap: it tells everything anew */
        ledger->stamp_ns = head->stamp_ns;
        ledger->began = true;
        ledger->engine = ((const struct record_begin_run *)body)->engine;
        ledger->wall_minus_stamp_ns =
            ((const struct record_begin_run *)body)->wall_ns - (int64_t)head->stamp_ns;
        ledger->wall_known = ((const struct record_begin_run *)body)->wall_ns != 0;
        break;
    case RECORD_CLOCK:
        ledger->wall_minus_stamp_ns = ((const struct record_clock *)body)->wall_ns - (int64_t)head->stamp_ns;
        ledger->wall_known = ((const struct record_clock *)body)->wall_ns != 0;
        break;
    case RECORD_FILL:
        take_fill(ledger, body);
        compare(ledger, head->stamp_ns);
        break;
    case RECORD_BALANCE:
        take_balance(ledger, body);
        compare(ledger, head->stamp_ns);
        break;
    case RECORD_POSITION:
        take_position(ledger, body);
        compare(ledger, head->stamp_ns);
        break;
    case RECORD_DELIVERY:
        take_delivery(ledger, body);
        compare(ledger, head->stamp_ns);
        break;
    case RECORD_STATUS:
        take_status(ledger, body);
        break;
    case RECORD_ORDER_NEW: {
        const struct record_order *order = body;
        ledger->order[order_id_counter(order->order) % ORDERS] =
            (struct order_seen){ .order = order->order,
                                 .reference_price = order->reference_price,
                                 .price = order->price,
                                 .role = order->role };
        break;
    }
    case RECORD_RESTORE_ORDER: {
        const struct record_report *order = body;
        ledger->order[order_id_counter(order->order) % ORDERS] =
            (struct order_seen){ .order = order->order,
                                 .reference_price = order->fee_e8,
                                 .price = order->order_price,
                                 .role = (uint8_t)(order->spare32 >> 16) };
        break;
    }
    case RECORD_INSTRUMENT:
        take_instrument(ledger, record);
        break;
    case RECORD_PARAMS:
        take_params(ledger, record);
        break;
    case RECORD_RISK: {
        struct risk_params risk;
        record_blob_read(record, &risk, sizeof risk);
        ledger->report_currency = risk.report_currency;
        ledger->loss_since_start = risk.loss_since != LOSS_SINCE_FIRST_FILL;
        break;
    }
    case RECORD_FEE:
        take_fee(ledger, body);
        break;
    case RECORD_CONVERT: {
        const struct record_convert *convert = body;
        take_convert(ledger, convert->from, convert->to,
                     convert->fixed_e8 == 0 ? head->instrument : NO_INSTRUMENT, convert->fixed_e8);
        break;
    }
    case RECORD_CELL: {
        const struct record_cell *cell = body;
        if (cell->kind == CELL_CONVERT && cell->value[2] > 0) {
            take_convert(ledger, (uint16_t)cell->value[0], (uint16_t)cell->value[1], NO_INSTRUMENT,
                         cell->value[2]);
        }
        break;
    }
    case RECORD_RESTORE_POSITION:
        take_restored_position(ledger, body);
        break;
    case RECORD_RESTORE_CASH: {
        const struct record_restore_cash *cash = body;
        if (ledger->restored || head->account >= ACCOUNT_MAX) {
            break;
        }
        uint16_t index = restored_book(ledger, cash->instance);
        struct leg *leg = leg_row(ledger, index, head->account, NO_INSTRUMENT);
        if (leg != NULL) {
            move_cash(ledger, leg, cash->currency, LEDGER_OPENING, 0, cash->amount_e8);
        }
        break;
    }
    case RECORD_RESTORE_LEDGER:
        take_restored_ledger(ledger, record);
        break;
    case RECORD_RESTORE_EXEC:
        take_restored_exec(ledger, body);
        break;
    case RECORD_RESTORE_DONE:
        take_done(ledger);
        break;
    default:
        break;
    }
}

/* ------------------------------------------------------------------ answers */

static int64_t to_e8(int128 amount_e20)
{
    int128 e8 = decimal_divide_wide(amount_e20, E20_PER_E8, ROUND_DOWN);
    return e8 > INT64_MAX ? INT64_MAX : e8 < INT64_MIN ? INT64_MIN : (int64_t)e8;
}

/* Of every leg that the caller asks for: what of it is valued, summed. */
static void value_of(struct ledger *ledger, struct ledger_value *value, uint16_t book, uint16_t account,
                     const struct leg *only)
{
    struct leg sum = { .book = 0 };
    struct missing missing;
    bool looked[BOOKS] = { false };

    *value = (struct ledger_value){ .known = true, .instrument = NO_INSTRUMENT, .currency = CURRENCY_NONE };
    for (uint32_t i = 0; i < BOOKS; i++) {
        bool asked = book == BOOKS || book == i;
        for (uint32_t k = ledger->book[i].leg; k != 0 && !asked; k = ledger->leg[k - 1].next) {
            asked = only != NULL ? &ledger->leg[k - 1] == only : ledger->leg[k - 1].account == account;
        }
        if (!ledger->book[i].used || !asked) {
            continue;
        }
        if (!look(ledger, (uint16_t)i, &missing)) {
            value->known = false;
            value->instrument = missing.instrument;
            value->currency = missing.currency;
            return;
        }
        value->currency = missing.currency != CURRENCY_NONE ? missing.currency : value->currency;
        looked[i] = true;
    }
    for (uint32_t i = 0; i < ledger->leg_count; i++) {
        const struct leg *leg = &ledger->leg[i];
        bool asked = only != NULL            ? leg == only
                     : account != NO_ACCOUNT ? leg->account == account
                                             : looked[leg->book];
        if (!asked) {
            continue;
        }
        sum.start_e20 += leg->start_e20;
        sum.last_e20 += leg->last_e20;
        sum.transfer_e20 += leg->transfer_e20;
        sum.last_delta_e12 += leg->last_delta_e12;
        for (int part = 0; part < PNL_PART_COUNT; part++) {
            sum.part_e20[part] += leg->part_e20[part];
        }
    }
    value->start_e8 = to_e8(sum.start_e20);
    value->equity_e8 = to_e8(sum.last_e20);
    value->transfer_e8 = to_e8(sum.transfer_e20);
    value->delta_e8 = (int64_t)decimal_divide_wide(sum.last_delta_e12, E12_PER_E8, ROUND_HALF_EVEN);
    /* What printing in 1e-8 loses belongs to rounding: the parts sum exactly in print as well. */
    int64_t left_e8 = value->equity_e8 - value->start_e8 - value->transfer_e8;
    for (int part = 0; part < PNL_PART_COUNT; part++) {
        if (part != PNL_ROUNDING) {
            value->part_e8[part] = to_e8(sum.part_e20[part]);
            left_e8 -= value->part_e8[part];
        }
    }
    value->part_e8[PNL_ROUNDING] = left_e8;
}

void ledger_value(struct ledger *ledger, uint16_t instance, struct ledger_value *value)
{
    value_of(ledger, value, instance == NO_INSTANCE ? BOOKS : book_of(instance), NO_ACCOUNT, NULL);
}

void ledger_account_value(struct ledger *ledger, uint16_t account, struct ledger_value *value)
{
    value_of(ledger, value, BOOKS + 1, account, NULL);
}

void ledger_leg_value(struct ledger *ledger, uint32_t leg, struct ledger_value *value)
{
    POISE_ASSERT(leg < ledger->leg_count);
    value_of(ledger, value, BOOKS + 1, NO_ACCOUNT, &ledger->leg[leg]);
}

bool ledger_leg(const struct ledger *ledger, uint32_t i, struct ledger_leg *out)
{
    if (i >= ledger->leg_count) {
        return false;
    }
    const struct leg *leg = &ledger->leg[i];
    *out = (struct ledger_leg){ .instance = leg->book == UNASSIGNED ? NO_INSTANCE : leg->book,
                                .account = leg->account,
                                .instrument = leg->instrument,
                                .position = leg->position,
                                .due_e8 = leg->due_e8,
                                .due_ns = leg->due_ns };
    if (leg->instrument == NO_INSTRUMENT || !pays_funding(ledger, leg)) {
        return true;
    }
    struct leg now = *leg;
    const struct price *price = &ledger->price[leg->instrument];
    const struct instrument *instrument = &ledger->instrument[leg->instrument];
    if (funds_continuously(instrument)) {
        if (leg->accrued_ns != 0 && ledger->stamp_ns > leg->accrued_ns && leg->position.qty != 0) {
            int128 product =
                payment_e12(ledger, leg, price->rate_e12) * (int64_t)(ledger->stamp_ns - leg->accrued_ns);
            now.accrued_e12 += decimal_divide_wide(product, CONTINUOUS_NS, ROUND_DOWN);
        }
    } else {
        int64_t interval_ns = instrument->funding_interval_s * 1000000000;
        int64_t left_ns = price->next_funding_ns - (int64_t)ledger->stamp_ns - ledger->wall_minus_stamp_ns;
        if (!ledger->wall_known || interval_ns <= 0) {
            return true;
        }
        int64_t gone_ns = base_max(0, base_min(interval_ns, interval_ns - left_ns));
        now.accrued_e12 =
            decimal_divide_wide(payment_e12(ledger, leg, price->rate_e12) * gone_ns, interval_ns, ROUND_DOWN);
    }
    out->accrual_known = true;
    out->accrued_e8 = (int64_t)decimal_divide_wide(now.accrued_e12, E12_PER_E8, ROUND_DOWN);
    return true;
}

bool ledger_cash(const struct ledger *ledger, uint32_t i, struct ledger_cash *out)
{
    if (i >= ledger->cash_count) {
        return false;
    }
    const struct cash *row = &ledger->cash[i];
    const struct leg *leg = &ledger->leg[row->leg];
    *out = (struct ledger_cash){ .instance = leg->book == UNASSIGNED ? NO_INSTANCE : leg->book,
                                 .account = leg->account,
                                 .instrument = leg->instrument,
                                 .currency = row->currency,
                                 .amount_e8 = row->amount_e8,
                                 .opening_e8 = row->other_e8[LEDGER_OPENING],
                                 .transfer_e8 = row->other_e8[LEDGER_TRANSFER],
                                 .exchange_e8 = row->other_e8[LEDGER_EXCHANGE] };
    memcpy(out->part_e8, row->part_e8, sizeof out->part_e8);
    return true;
}

int64_t ledger_cash_e8(const struct ledger *ledger, uint16_t instance, uint16_t account, uint16_t currency)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < ledger->cash_count; i++) {
        const struct cash *row = &ledger->cash[i];
        const struct leg *leg = &ledger->leg[row->leg];
        if (leg->book == book_of(instance) && leg->account == account && row->currency == currency) {
            sum += row->amount_e8;
        }
    }
    return sum;
}

struct position ledger_position(const struct ledger *ledger, uint16_t instance, uint16_t account,
                                uint16_t instrument)
{
    for (uint32_t i = 0; i < ledger->leg_count; i++) {
        const struct leg *row = &ledger->leg[i];
        if (row->book == book_of(instance) && row->account == account && row->instrument == instrument) {
            return row->position;
        }
    }
    return (struct position){ 0 };
}

int64_t ledger_part_e8(const struct ledger *ledger, uint16_t instance, uint16_t account, uint16_t currency,
                       enum pnl_part part)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < ledger->cash_count; i++) {
        const struct cash *row = &ledger->cash[i];
        const struct leg *leg = &ledger->leg[row->leg];
        if (leg->book == book_of(instance) && leg->account == account && row->currency == currency) {
            sum += row->part_e8[part];
        }
    }
    return sum;
}

bool ledger_booked_payment(const struct ledger *ledger)
{
    return ledger->booked_payment;
}

int64_t ledger_history_ns(const struct ledger *ledger, uint16_t account)
{
    return account < ACCOUNT_MAX ? ledger->history[account].until_ns : 0;
}

bool ledger_wants_rows(const struct ledger *ledger, uint16_t account)
{
    int64_t wall_ns = (int64_t)ledger->stamp_ns + ledger->wall_minus_stamp_ns;
    for (uint32_t i = 0; i < ledger->balance_count; i++) {
        if (ledger->balance[i].account == account && ledger->balance[i].since_ns != 0) {
            return true;
        }
    }
    for (uint32_t i = 0; i < ledger->leg_count; i++) {
        const struct leg *leg = &ledger->leg[i];
        const struct instrument *instrument = instrument_of(ledger, leg->instrument);
        if (leg->account == account && instrument != NULL &&
            (leg->due_ns != 0 || (ledger->wall_known && instrument->expiry_ns != 0 &&
                                  leg->position.qty != 0 && wall_ns >= instrument->expiry_ns))) {
            return true;
        }
    }
    return false;
}

uint16_t ledger_differs_in(const struct ledger *ledger, uint16_t account, uint32_t which)
{
    for (uint32_t i = 0; ledger != NULL && i < ledger->balance_count; i++) {
        const struct opinion *row = &ledger->balance[i];
        if (row->account == account && row->since_ns != 0 && row->of < CURRENCY_MAX && which-- == 0) {
            return row->of;
        }
    }
    return CURRENCY_NONE;
}

bool ledger_since(const struct ledger *ledger, uint16_t instance, int64_t *first_e8,
                  int64_t part_e8[PNL_PART_COUNT])
{
    uint16_t index = book_of(instance);
    const struct book *book = &ledger->book[index];
    int128 first_e20 = 0;
    int128 part_e20[PNL_PART_COUNT] = { 0 };
    if (index == UNASSIGNED || !book->used || !book->valued) {
        return false;
    }
    for (uint32_t i = book->leg; i != 0; i = ledger->leg[i - 1].next) {
        const struct leg *leg = &ledger->leg[i - 1];
        first_e20 += leg->start_e20 + leg->transfer_e20;
        for (int part = 0; part < PNL_PART_COUNT; part++) {
            part_e20[part] += leg->part_e20[part];
        }
    }
    *first_e8 = to_e8(first_e20);
    for (int part = 0; part < PNL_PART_COUNT; part++) {
        part_e8[part] = to_e8(part_e20[part]);
    }
    return true;
}

bool ledger_beside(const struct ledger *ledger, uint32_t i, struct ledger_beside *beside)
{
    if (i >= ledger->beside_count) {
        return false;
    }
    const struct beside *row = &ledger->beside[i];
    *beside = (struct ledger_beside){ .account = row->account,
                                      .instrument = row->instrument,
                                      .currency = row->currency,
                                      .accrued_e8 = row->accrued_e8,
                                      .settled_e8 = still_settled_e8(ledger, row) };
    return true;
}

void ledger_owed(struct ledger *ledger, uint16_t account, uint16_t instrument, int64_t qty)
{
    if (account < ACCOUNT_MAX && instrument < INSTRUMENT_MAX) {
        ledger->owed[account][instrument] += qty;
    }
}

void ledger_owed_none(struct ledger *ledger)
{
    memset(ledger->owed, 0, sizeof ledger->owed);
}

uint16_t ledger_report_currency(const struct ledger *ledger)
{
    return ledger->report_currency;
}

void ledger_names(struct ledger *ledger, uint16_t currency, uint16_t instrument)
{
    if (currency < CURRENCY_MAX) {
        ledger->named_by[currency] = instrument;
    }
}

#define DAY_NS        86400000000000LL
#define SETTLED_AT_NS (8LL * 3600 * 1000000000) /* of the day, UTC: where profit is settled every day */
#define SETTLING_NS   60000000000LL

/* The venue of this account settled less than a minute ago. */
static bool just_settled(const struct ledger *ledger, uint16_t account)
{
    int64_t wall_ns = (int64_t)ledger->stamp_ns + ledger->wall_minus_stamp_ns;
    int64_t since_ns = (wall_ns - SETTLED_AT_NS) % DAY_NS;
    for (uint32_t i = 0; i < ledger->beside_count && ledger->wall_known; i++) {
        if (ledger->beside[i].account == account && since_ns >= 0 && since_ns < SETTLING_NS) {
            return true;
        }
    }
    return false;
}

static enum ledger_why balance_why(const struct ledger *ledger, const struct opinion *row)
{
    for (uint32_t i = 0; i < ledger->leg_count; i++) {
        const struct leg *leg = &ledger->leg[i];
        const struct instrument *instrument = instrument_of(ledger, leg->instrument);
        if (leg->account == row->account && leg->due_ns != 0 && instrument != NULL &&
            instrument->settle == row->of) {
            return LEDGER_FUNDING_DUE;
        }
    }
    return row->unread                          ? LEDGER_ROW_UNREAD
           : just_settled(ledger, row->account) ? LEDGER_SETTLING
           : ledger->counts.open_price != 0     ? LEDGER_PRICE_OPEN
           : ledger->counts.without_fee != 0    ? LEDGER_FEE_OPEN
                                                : LEDGER_UNEXPLAINED;
}

/* What an amount is worth in the report currency, either sign; -1: nobody knows. */
static int64_t worth_of(const struct ledger *ledger, uint16_t currency, int64_t amount_e8)
{
    struct missing missing;
    int64_t rate_e8;
    int128 worth;
    if (!rate(ledger, currency, &rate_e8, &missing) || !multiply(amount_e8, rate_e8, &worth)) {
        return -1;
    }
    worth = (worth < 0 ? -worth : worth) / DECIMAL_E8;
    return worth > INT64_MAX ? INT64_MAX : (int64_t)worth;
}

static void put_difference(struct ledger_difference *out, uint32_t max, uint32_t *count,
                           struct ledger_difference difference)
{
    if (*count < max) {
        out[*count] = difference;
    }
    (*count)++;
}

uint32_t ledger_differences(const struct ledger *ledger, struct ledger_difference *out, uint32_t max)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < ledger->balance_count; i++) {
        const struct opinion *row = &ledger->balance[i];
        if (row->since_ns != 0) {
            put_difference(out, max, &count,
                           (struct ledger_difference){
                               .what = LEDGER_BALANCE_DIFFERS,
                               .why = balance_why(ledger, row),
                               .instance = NO_INSTANCE,
                               .account = row->account,
                               .instrument = NO_INSTRUMENT,
                               .currency = row->of,
                               .ours = cash_on(ledger, row->account, row->of),
                               .venue = row->venue - ledger_beside_e8(ledger, row->account, row->of),
                               .worth_e8 = worth_of(ledger, row->of, more_than_ours(ledger, row)),
                               .since_ns = row->since_ns });
        }
    }
    for (uint32_t i = 0; i < ledger->position_count; i++) {
        const struct opinion *row = &ledger->position[i];
        if (row->since_ns != 0) {
            int64_t ours = position_on(ledger, row->account, row->of);
            int64_t owed = ledger->owed[row->account][row->of];
            put_difference(out, max, &count,
                           (struct ledger_difference){ .what = LEDGER_POSITION_DIFFERS,
                                                       .why = owed != 0 && owed == base_abs(row->venue - ours)
                                                                  ? LEDGER_FILL_MISSING
                                                                  : LEDGER_UNEXPLAINED,
                                                       .instance = NO_INSTANCE,
                                                       .account = row->account,
                                                       .instrument = row->of,
                                                       .currency = CURRENCY_NONE,
                                                       .ours = ours,
                                                       .venue = row->venue,
                                                       .worth_e8 = -1,
                                                       .since_ns = row->since_ns });
        }
    }
    for (uint32_t i = 0; i < PARAMS_INSTANCE_MAX; i++) {
        const struct book *book = &ledger->book[i];
        for (int k = 0; k < HEARD_COUNT; k++) {
            if (book->heard[k].since_ns != 0) {
                bool delta = k == HEARD_DELTA, profit = k == HEARD_PROFIT;
                uint16_t of = delta ? book->coin : profit ? ledger->report_currency : CURRENCY_NONE;
                put_difference(
                    out, max, &count,
                    (struct ledger_difference){
                        .what = delta    ? LEDGER_HOT_DELTA_DIFFERS
                                : profit ? LEDGER_HOT_PROFIT_DIFFERS
                                         : LEDGER_HOT_POSITION_DIFFERS,
                        .worth_e8 = of == CURRENCY_NONE
                                        ? -1
                                        : worth_of(ledger, of, book->heard[k].ours - book->heard[k].hot),
                        .instance = (uint16_t)i,
                        .account = k == HEARD_HEDGE ? book->hedge_account : book->quote_account,
                        .instrument = delta || profit    ? NO_INSTRUMENT
                                      : k == HEARD_HEDGE ? book->hedge_instrument
                                                         : book->quote_instrument,
                        .currency = of,
                        .ours = book->heard[k].ours,
                        .venue = book->heard[k].hot,
                        .since_ns = book->heard[k].since_ns });
            }
        }
    }
    return count;
}

const char *ledger_fault(const struct ledger *ledger)
{
    for (uint32_t i = 0; i < ledger->cash_count; i++) {
        const struct cash *row = &ledger->cash[i];
        int128 sum = -(int128)row->amount_e8;
        for (int part = 0; part < PNL_PART_COUNT; part++) {
            sum += row->part_e8[part];
        }
        for (int book = 0; book < LEDGER_BOOK_COUNT; book++) {
            sum += row->other_e8[book];
        }
        if (sum != 0) {
            return "cash is not the sum of what was booked against it";
        }
    }
    for (uint32_t i = 0; i < CURRENCY_MAX; i++) {
        if (ledger->posted_e8[i] != 0) {
            return "entries of a currency do not sum to 0";
        }
    }
    for (uint32_t i = 0; i < ledger->leg_count; i++) {
        const struct leg *leg = &ledger->leg[i];
        int128 sum = leg->start_e20 + leg->transfer_e20 - leg->last_e20;
        for (int part = 0; part < PNL_PART_COUNT; part++) {
            sum += leg->part_e20[part];
        }
        if (ledger->book[leg->book].valued && sum != 0) {
            return "the parts of a leg do not sum to the change of its equity";
        }
        if (leg->instrument != NO_INSTRUMENT && position_on(ledger, leg->account, leg->instrument) !=
                                                    ledger->executed[leg->account][leg->instrument]) {
            return "positions are not what the executions made them";
        }
    }
    return ledger->counts.full != 0 ? "a table has no room: the books are not complete" : NULL;
}

bool ledger_check(const struct ledger *ledger)
{
    return ledger_fault(ledger) == NULL;
}

void ledger_counts(const struct ledger *ledger, struct ledger_counts *counts)
{
    *counts = ledger->counts;
}
