#include "cold/ledger.h"

#include "ring/account.h"
#include "ring/order_id.h"

#include <stdlib.h>
#include <string.h>

/* Value is counted in 1e-20 of the report currency: an amount in 1e-12 times a rate in 1e-8 is exact. */
#define E20_PER_E8 1000000000000LL
#define E12_PER_E8 10000

#define CASH_MAX     1024
#define HELD_MAX     1024
#define CONVERT_MAX  32
#define RATES_MAX    256 /* fee rates, venue balances and venue positions, each */
#define FUNDINGS     64
#define ORDERS       8192 /* a power of two: the newest orders, by counter */
#define UNASSIGNED   PARAMS_INSTANCE_MAX
#define BOOKS        (PARAMS_INSTANCE_MAX + 1)
#define RATE_DEPTH   4              /* conversions of conversions */
#define FUNDING_SAME 600000000000LL /* one payment told by stream and by REST: within this, ns */

/* Money of one currency on one account; sums of what was booked against it, gains positive. */
struct cash {
    uint16_t book; /* instance, or UNASSIGNED */
    uint16_t account, currency;
    int64_t amount_e8;
    int64_t part_e8[PNL_PART_COUNT];
    int64_t other_e8[LEDGER_BOOK_COUNT]; /* exchange, transfer, opening */
};

struct held {
    uint16_t book;
    uint16_t account, instrument;
    struct position position;
};

/* What one instance (or the unassigned row) gained, and from what.  Between two looks neither its cash nor
 * its positions change: whoever changes them looks before, and sets `last` after. */
struct book {
    bool used;
    uint16_t coin;      /* whose delta counts, CURRENCY_NONE when none */
    uint16_t reference; /* instrument whose price moves the delta: the hedge leg */
    bool valued;
    int128 start_e20, last_e20, transfer_e20;
    int128 part_e20[PNL_PART_COUNT];
    int128 last_delta_e12;
    int64_t last_coin_e8; /* the coin's price on the reference instrument, report currency */
};

struct price {
    int64_t mid, mark, last; /* price units, 0 unknown */
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
    uint64_t since_ns; /* differing; 0 agreeing */
};

struct funding {
    uint16_t account, currency;
    bool rest;
    int64_t change_e8, venue_time_ns;
};

struct order_seen {
    uint64_t order;
    int64_t reference_price;
    uint16_t role;
};

/* Realised profit that differs by more than this differs by more than a way of rounding. */
#define REALISED_ROUNDS_E8 2

struct execution {
    uint64_t exec_id; /* 0: free */
    uint16_t account, instrument;
    uint16_t index;        /* of the book it was counted in */
    uint8_t side;          /* enum side: a trade with ourselves has one id for both ends */
    uint16_t fee_currency; /* of what was booked as its fee */
    int64_t fee_e8;        /* booked, paid positive */
    int64_t realised_e8;   /* booked */
    bool fee_told, realised_told;
};

struct ledger {
    void (*sink)(void *context, const struct ledger_entry *entry);
    void *sink_context;
    struct ledger_counts counts;

    uint16_t report_currency;
    uint32_t cash_count, held_count, convert_count, fee_count, balance_count, position_count;
    struct cash cash[CASH_MAX];
    struct held held[HELD_MAX];
    struct convert convert[CONVERT_MAX];
    struct fee_rate fee[RATES_MAX];
    struct opinion balance[RATES_MAX];
    struct opinion position[RATES_MAX];
    struct book book[BOOKS];
    struct instrument instrument[INSTRUMENT_MAX]; /* kind KIND_NONE while unknown */
    struct price price[INSTRUMENT_MAX];
    uint16_t named_by[CURRENCY_MAX]; /* instrument whose price is the currency's rate */
    struct funding funding[FUNDINGS];
    uint32_t funding_next;
    struct order_seen order[ORDERS];
    struct execution *execution; /* a hash that grows; never more than half full */
    uint32_t execution_size, execution_count;
};

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
    ledger->report_currency = CURRENCY_NONE;
    for (uint32_t i = 0; i < CURRENCY_MAX; i++) {
        ledger->named_by[i] = NO_INSTRUMENT;
    }
    for (uint32_t i = 0; i < BOOKS; i++) {
        ledger->book[i].coin = CURRENCY_NONE;
        ledger->book[i].reference = NO_INSTRUMENT;
    }
    ledger->book[UNASSIGNED].used = true;
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

static bool is_inverse(const struct instrument *instrument)
{
    return instrument->kind == KIND_INVERSE_PERPETUAL || instrument->kind == KIND_INVERSE_FUTURE;
}

/* Kinds that ring/kind.h has formulas for; fills of others are counted and kept out of the books. */
static bool has_formulas(const struct instrument *instrument)
{
    return instrument->kind == KIND_SPOT || instrument->kind == KIND_LINEAR_PERPETUAL ||
           instrument->kind == KIND_LINEAR_FUTURE || is_inverse(instrument);
}

/* ------------------------------------------------------------------ rows */

static struct cash *cash_row(struct ledger *ledger, uint16_t book, uint16_t account, uint16_t currency)
{
    for (uint32_t i = 0; i < ledger->cash_count; i++) {
        struct cash *row = &ledger->cash[i];
        if (row->book == book && row->account == account && row->currency == currency) {
            return row;
        }
    }
    if (ledger->cash_count == CASH_MAX) {
        ledger->counts.full++;
        return NULL;
    }
    struct cash *row = &ledger->cash[ledger->cash_count++];
    *row = (struct cash){ .book = book, .account = account, .currency = currency };
    return row;
}

static struct held *held_row(struct ledger *ledger, uint16_t book, uint16_t account, uint16_t instrument)
{
    for (uint32_t i = 0; i < ledger->held_count; i++) {
        struct held *row = &ledger->held[i];
        if (row->book == book && row->account == account && row->instrument == instrument) {
            return row;
        }
    }
    if (ledger->held_count == HELD_MAX) {
        ledger->counts.full++;
        return NULL;
    }
    struct held *row = &ledger->held[ledger->held_count++];
    *row = (struct held){ .book = book, .account = account, .instrument = instrument };
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
    if (ledger->sink == NULL) {
        return;
    }
    struct ledger_entry entry = {
        .instance = row->book == UNASSIGNED ? NO_INSTANCE : row->book,
        .account = row->account,
        .currency = row->currency,
        .book = (uint8_t)book,
        .part = (uint8_t)part,
        .amount_e8 = amount_e8,
    };
    ledger->sink(ledger->sink_context, &entry);
}

/* Cash comes (+) or goes (-) for a reason: two entries that sum to 0. */
static void book_cash(struct ledger *ledger, uint16_t book, uint16_t account, uint16_t currency,
                      enum ledger_book against, enum pnl_part part, int64_t amount_e8)
{
    struct cash *row = amount_e8 != 0 ? cash_row(ledger, book, account, currency) : NULL;
    if (row == NULL) {
        return;
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

/* What a quantity is worth at a price, 1e-12, in what its profit is counted in: quote, or coin for inverse.
 */
static bool worth_e12(const struct instrument *instrument, int64_t qty, int64_t price, int128 *worth)
{
    struct position position = { .qty = qty };
    int128 coin_e12 = kind_delta_e12(instrument, &position, price);
    if (is_inverse(instrument)) {
        *worth = coin_e12;
        return true;
    }
    int128 product;
    if (!multiply(coin_e12, price, &product)) {
        return false;
    }
    *worth = decimal_divide_wide(product, decimal_power[instrument->price_decimals], ROUND_HALF_EVEN);
    return true;
}

/* Open profit in the settlement currency, 1e-12. */
static bool open_e12(const struct instrument *instrument, const struct position *position, int64_t price,
                     int128 *open)
{
    int128 worth;
    if (!worth_e12(instrument, position->qty, price, &worth)) {
        return false;
    }
    *open = is_inverse(instrument) ? position->notional_e12 - worth : worth - position->notional_e12;
    return true;
}

/* The book's equity at the prices and rates of this moment, 1e-20, and its delta in coin, 1e-12. */
static bool equity_of(const struct ledger *ledger, uint16_t book, int128 *equity_e20, int128 *delta_e12,
                      struct missing *missing)
{
    uint16_t coin = ledger->book[book].coin;
    uint16_t left_out = CURRENCY_NONE;
    int64_t rate_e8;
    int128 product;

    *equity_e20 = 0;
    *delta_e12 = 0;
    *missing = (struct missing){ NO_INSTRUMENT, CURRENCY_NONE };
    for (uint32_t i = 0; i < ledger->cash_count; i++) {
        const struct cash *row = &ledger->cash[i];
        if (row->book != book || row->amount_e8 == 0) {
            continue;
        }
        if (!rate(ledger, row->currency, &rate_e8, missing)) {
            if (book == UNASSIGNED && missing->instrument == NO_INSTRUMENT) {
                left_out = row->currency; /* dust in a coin nobody trades must not hide the rest */
                continue;
            }
            return false;
        }
        if (!multiply((int128)row->amount_e8 * E12_PER_E8, rate_e8, &product)) {
            return false;
        }
        *equity_e20 += product;
        *delta_e12 += row->currency == coin ? (int128)row->amount_e8 * E12_PER_E8 : 0;
    }
    for (uint32_t i = 0; i < ledger->held_count; i++) {
        const struct held *row = &ledger->held[i];
        const struct instrument *instrument = &ledger->instrument[row->instrument];
        int128 open;
        if (row->book != book || row->position.qty == 0 || instrument->kind == KIND_SPOT) {
            continue; /* of spot the coin itself is cash */
        }
        int64_t price = price_of(ledger, row->instrument);
        if (price <= 0) {
            missing->instrument = row->instrument;
            return false;
        }
        if (!rate(ledger, instrument->settle, &rate_e8, missing) ||
            !open_e12(instrument, &row->position, price, &open) || !multiply(open, rate_e8, &product)) {
            return false;
        }
        *equity_e20 += product;
        *delta_e12 += instrument->settle == coin ? open : 0;
        *delta_e12 += instrument->base == coin ? kind_delta_e12(instrument, &row->position, price) : 0;
    }
    *missing = (struct missing){ NO_INSTRUMENT, left_out };
    return true;
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

/* Brings RESIDUAL and BASIS up to the prices of this moment; the first time all are known, the zero point. */
static bool look(struct ledger *ledger, uint16_t index, struct missing *missing)
{
    struct book *book = &ledger->book[index];
    int128 equity_e20;
    int128 delta_e12;
    int64_t coin_e8;
    int128 residual_e20;

    if (!equity_of(ledger, index, &equity_e20, &delta_e12, missing) ||
        !coin_price(ledger, book, &coin_e8, missing)) {
        return false;
    }
    if (!book->valued) {
        book->valued = true;
        book->start_e20 = equity_e20;
    } else if (multiply(book->last_delta_e12, coin_e8 - book->last_coin_e8, &residual_e20)) {
        book->part_e20[PNL_RESIDUAL] += residual_e20;
        book->part_e20[PNL_BASIS] += equity_e20 - book->last_e20 - residual_e20;
    } else {
        return false;
    }
    book->last_e20 = equity_e20;
    book->last_delta_e12 = delta_e12;
    book->last_coin_e8 = coin_e8;
    return true;
}

/* After a change of cash or positions: what it did to the equity, apart from what prices did (look was
 * called before); `last` follows.  0 while the book is not valued. */
static int128 changed_by(struct ledger *ledger, uint16_t index)
{
    struct book *book = &ledger->book[index];
    struct missing missing;
    int128 equity_e20;
    int128 delta_e12;

    if (!book->valued) {
        return 0;
    }
    if (!equity_of(ledger, index, &equity_e20, &delta_e12, &missing)) {
        /* A currency without a rate came in: from here on the book starts anew once it has one. */
        book->valued = false;
        book->transfer_e20 = 0;
        memset(book->part_e20, 0, sizeof book->part_e20);
        return 0;
    }
    int128 change_e20 = equity_e20 - book->last_e20;
    book->last_e20 = equity_e20;
    book->last_delta_e12 = delta_e12;
    return change_e20;
}

static void add_part(struct ledger *ledger, uint16_t index, enum pnl_part part, int128 amount_e20)
{
    if (ledger->book[index].valued) {
        ledger->book[index].part_e20[part] += amount_e20;
    }
}

/* Cash for a reason, booked and valued. */
static void move_cash(struct ledger *ledger, uint16_t index, uint16_t account, uint16_t currency,
                      enum ledger_book against, enum pnl_part part, int64_t amount_e8)
{
    struct missing missing;
    look(ledger, index, &missing);
    book_cash(ledger, index, account, currency, against, part, amount_e8);
    int128 change_e20 = changed_by(ledger, index);
    if (against == LEDGER_PART) {
        add_part(ledger, index, part, change_e20);
    } else if (against == LEDGER_OPENING && ledger->book[index].valued) {
        ledger->book[index].start_e20 += change_e20; /* it was there all the time */
    } else if (ledger->book[index].valued) {
        ledger->book[index].transfer_e20 += change_e20;
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

/* What was gained by trading at `price` something worth `worth` a piece, settlement currency, 1e-12. */
static bool gain_e12(const struct instrument *instrument, enum side side, int64_t qty, int64_t price,
                     int64_t worth, int128 *gain)
{
    int128 paid;
    int128 got;
    if (!worth_e12(instrument, qty, price, &paid) || !worth_e12(instrument, qty, worth, &got)) {
        return false;
    }
    *gain = (is_inverse(instrument) ? paid - got : got - paid) * side_sign(side);
    return true;
}

static void attribute_fill(struct ledger *ledger, uint16_t index, const struct instrument *instrument,
                           enum side side, int64_t qty, int64_t price, int64_t decision_price,
                           int128 change_e20)
{
    struct missing missing;
    int64_t rate_e8;
    int128 gain;
    int128 total_e20 = 0;
    int128 slippage_e20 = 0;

    if (!ledger->book[index].valued) {
        return;
    }
    uint16_t currency = instrument->kind == KIND_SPOT ? instrument->quote : instrument->settle;
    if (rate(ledger, currency, &rate_e8, &missing) &&
        gain_e12(instrument, side, qty, price, price_of(ledger, instrument->index), &gain)) {
        multiply(gain, rate_e8, &total_e20);
        if (decision_price > 0 && gain_e12(instrument, side, qty, price, decision_price, &gain)) {
            multiply(gain, rate_e8, &slippage_e20);
        }
    }
    add_part(ledger, index, PNL_TRADING, total_e20 - slippage_e20);
    add_part(ledger, index, PNL_SLIPPAGE, slippage_e20);
    /* A coin bought where its rate is named elsewhere is worth the other price at once: that is basis. */
    bool elsewhere = instrument->kind == KIND_SPOT && instrument->base < CURRENCY_MAX &&
                     ledger->named_by[instrument->base] != instrument->index;
    add_part(ledger, index, elsewhere ? PNL_BASIS : PNL_ROUNDING, change_e20 - total_e20);
}

/* The fee a fill is charged: as told, else by the rate we count with until it is. */
static void book_fee(struct ledger *ledger, uint16_t index, const struct instrument *instrument,
                     const struct record_report *report, int64_t price, struct execution *execution)
{
    uint16_t currency = report->fee_currency;
    int64_t fee_e8 = report->fee_e8;
    bool told = (report->flags & REPORT_HAS_FEE) != 0 && currency < CURRENCY_MAX;

    if (!told) {
        ledger->counts.without_fee++;
        fee_e8 = 0;
        for (uint32_t i = 0; i < ledger->fee_count; i++) {
            const struct fee_rate *row = &ledger->fee[i];
            if (row->account == report->head.account && row->instrument == instrument->index) {
                fee_e8 = kind_fee_e8(instrument, (enum side)report->side, report->last_qty, price,
                                     report->liquidity == LIQUIDITY_MAKER ? row->maker_centibp
                                                                          : row->taker_centibp,
                                     &currency);
            }
        }
    }
    if (execution != NULL) {
        execution->index = index;
        execution->fee_currency = currency;
        execution->fee_e8 = fee_e8;
        execution->fee_told = told;
    }
    if (fee_e8 != 0) {
        move_cash(ledger, index, report->head.account, currency, LEDGER_PART, PNL_FEE, -fee_e8);
    }
}

/* The venue books its own realised profit, rounded its own way: our cash follows it, and the difference is
 * rounding. */
static void book_realised(struct ledger *ledger, uint16_t index, const struct instrument *instrument,
                          const struct record_report *report, struct execution *execution)
{
    if (execution == NULL || execution->realised_told || instrument->kind == KIND_SPOT ||
        (report->flags & REPORT_HAS_REALISED) == 0) {
        return;
    }
    int64_t more_e8 = report->realised_e8 - execution->realised_e8;
    execution->realised_told = true;
    if (base_abs(more_e8) > REALISED_ROUNDS_E8) {
        /* Not a way of rounding: the venue's entry is another one than ours (a position from before, another
         * way of averaging).  Its word moves the cash all the same. */
        ledger->counts.realised_differs++;
    }
    if (more_e8 != 0) {
        execution->realised_e8 = report->realised_e8;
        move_cash(ledger, index, report->head.account, instrument->settle, LEDGER_PART, PNL_ROUNDING,
                  more_e8);
    }
}

/* A fuller report of an execution that was counted: what the first one did not tell. */
static void complete_fill(struct ledger *ledger, const struct instrument *instrument,
                          const struct record_report *report, struct execution *execution)
{
    if (!execution->fee_told && (report->flags & REPORT_HAS_FEE) != 0 &&
        report->fee_currency < CURRENCY_MAX) {
        execution->fee_told = true;
        ledger->counts.without_fee--;
        if (execution->fee_e8 != 0 &&
            (execution->fee_currency != report->fee_currency || execution->fee_e8 != report->fee_e8)) {
            move_cash(ledger, execution->index, report->head.account, execution->fee_currency, LEDGER_PART,
                      PNL_FEE, execution->fee_e8);
            execution->fee_e8 = 0;
        }
        if (execution->fee_e8 == 0 && report->fee_e8 != 0) {
            move_cash(ledger, execution->index, report->head.account, report->fee_currency, LEDGER_PART,
                      PNL_FEE, -report->fee_e8);
        }
        execution->fee_e8 = report->fee_e8;
        execution->fee_currency = report->fee_currency;
    }
    book_realised(ledger, execution->index, instrument, report, execution);
}

static void take_fill(struct ledger *ledger, const struct record_report *report)
{
    const struct record_head *head = &report->head;
    const struct instrument *instrument = instrument_of(ledger, head->instrument);
    struct missing missing;
    struct fill_effect effect;

    if (instrument == NULL || !has_formulas(instrument) || report->last_qty <= 0 ||
        report->side > SIDE_SELL) {
        ledger->counts.without_price++;
        return;
    }
    bool seen;
    struct execution *execution =
        execution_row(ledger, head->account, head->instrument, report->side, report->exec_id, &seen);
    if (seen) {
        ledger->counts.duplicates++;
        complete_fill(ledger, instrument, report, execution);
        return;
    }
    bool ours = report->order != 0 && (report->flags & REPORT_FOREIGN) == 0;
    uint16_t index = ours ? book_of((uint16_t)order_id_instance(report->order)) : UNASSIGNED;
    struct price *known = &ledger->price[instrument->index];
    int64_t price =
        (report->flags & REPORT_PRICE_OPEN) != 0 ? price_of(ledger, instrument->index) : report->price;
    if (price <= 0) {
        ledger->counts.without_price++;
        return;
    }
    struct held *held = held_row(ledger, index, head->account, instrument->index);
    if (held == NULL) {
        return;
    }
    ledger->counts.fills++;
    ledger->counts.foreign += !ours;
    ledger->book[index].used = true;
    known->last = price;

    const struct order_seen *order = &ledger->order[order_id_counter(report->order) % ORDERS];
    bool hedge = ours && order->order == report->order && order->role == ORDER_ROLE_HEDGE;
    enum side side = (enum side)report->side;

    look(ledger, index, &missing);
    kind_fill(instrument, &held->position, side, report->last_qty, price, &effect);
    if (instrument->kind == KIND_SPOT) {
        book_cash(ledger, index, head->account, effect.base_currency, LEDGER_EXCHANGE, 0, effect.base_e8);
        book_cash(ledger, index, head->account, effect.quote_currency, LEDGER_EXCHANGE, 0, effect.quote_e8);
    } else {
        book_cash(ledger, index, head->account, effect.settle_currency, LEDGER_PART, PNL_TRADING,
                  effect.realised_e8);
        if (execution != NULL) {
            execution->realised_e8 = effect.realised_e8;
        }
    }
    int128 change_e20 = changed_by(ledger, index);
    attribute_fill(ledger, index, instrument, side, report->last_qty, price,
                   hedge ? order->reference_price : 0, change_e20);
    book_fee(ledger, index, instrument, report, price, execution);
    book_realised(ledger, index, instrument, report, execution);
}

/* ------------------------------------------------------------------ cash from outside trading */

/* Whether a payment was told before by the other way (stream, REST). */
static bool told_before(struct ledger *ledger, const struct record_balance *balance)
{
    bool rest = (balance->head.flags & RECORD_FLAG_REST) != 0;

    for (uint32_t i = 0; i < FUNDINGS; i++) {
        const struct funding *row = &ledger->funding[i];
        int64_t apart_ns = base_abs(row->venue_time_ns - balance->venue_time_ns);
        if (row->change_e8 == balance->change_e8 && row->account == balance->head.account &&
            row->currency == balance->currency && row->change_e8 != 0 && balance->venue_time_ns != 0 &&
            (apart_ns == 0 || (row->rest != rest && apart_ns <= FUNDING_SAME))) {
            return true;
        }
    }
    ledger->funding[ledger->funding_next++ % FUNDINGS] = (struct funding){
        .account = balance->head.account,
        .currency = balance->currency,
        .rest = rest,
        .change_e8 = balance->change_e8,
        .venue_time_ns = balance->venue_time_ns,
    };
    return false;
}

/* How much of a payment on an account is a position's doing: its size in coin. */
static int128 weight_of(const struct ledger *ledger, const struct held *row,
                        const struct record_balance *balance)
{
    const struct instrument *instrument = &ledger->instrument[row->instrument];
    int64_t price = price_of(ledger, row->instrument);

    if (row->account != balance->head.account || instrument->settle != balance->currency || price <= 0 ||
        instrument->kind == KIND_SPOT ||
        (balance->head.instrument != NO_INSTRUMENT && balance->head.instrument != row->instrument)) {
        return 0;
    }
    int128 delta_e12 = kind_delta_e12(instrument, &row->position, price);
    return delta_e12 < 0 ? -delta_e12 : delta_e12;
}

/* Splits funding over the instances whose positions paid it; what no position explains is nobody's. */
static void share_out(struct ledger *ledger, const struct record_balance *balance, enum pnl_part part)
{
    int128 total = 0;
    int128 left = 0;
    int64_t paid_e8 = 0;

    for (uint32_t i = 0; i < ledger->held_count; i++) {
        total += weight_of(ledger, &ledger->held[i], balance);
    }
    if (total == 0) {
        move_cash(ledger, UNASSIGNED, balance->head.account, balance->currency, LEDGER_PART, part,
                  balance->change_e8);
        return;
    }
    int128 scale = total / (1LL << 60) + 1; /* so that change x weight fits */
    for (uint32_t i = 0; i < ledger->held_count; i++) {
        const struct held *row = &ledger->held[i];
        int128 weight = weight_of(ledger, row, balance);
        if (weight == 0) {
            continue;
        }
        /* Shares of the running sum: they add up to the whole whatever is rounded. */
        left += weight;
        int64_t so_far_e8 =
            decimal_divide((int128)balance->change_e8 * (left / scale), total / scale, ROUND_ZERO);
        so_far_e8 = left == total ? balance->change_e8 : so_far_e8;
        if (so_far_e8 != paid_e8) {
            move_cash(ledger, row->book, balance->head.account, balance->currency, LEDGER_PART, part,
                      so_far_e8 - paid_e8);
        }
        paid_e8 = so_far_e8;
    }
}

static int64_t cash_on(const struct ledger *ledger, uint16_t account, uint16_t currency)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < ledger->cash_count; i++) {
        const struct cash *row = &ledger->cash[i];
        sum += row->account == account && row->currency == currency ? row->amount_e8 : 0;
    }
    return sum;
}

static int64_t position_on(const struct ledger *ledger, uint16_t account, uint16_t instrument)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < ledger->held_count; i++) {
        const struct held *row = &ledger->held[i];
        sum += row->account == account && row->instrument == instrument ? row->position.qty : 0;
    }
    return sum;
}

static void take_balance(struct ledger *ledger, const struct record_balance *balance)
{
    bool made;

    if (balance->currency >= CURRENCY_MAX || balance->head.account >= ACCOUNT_MAX) {
        return;
    }
    if (balance->change_e8 != 0 && !told_before(ledger, balance)) {
        switch ((enum cash_reason)balance->reason) {
        case CASH_FUNDING:
            share_out(ledger, balance, PNL_FUNDING);
            break;
        case CASH_FEE:
        case CASH_INTEREST:
            share_out(ledger, balance, PNL_FEE);
            break;
        case CASH_TRANSFER:
        case CASH_ADJUSTMENT:
            move_cash(ledger, UNASSIGNED, balance->head.account, balance->currency, LEDGER_TRANSFER, 0,
                      balance->change_e8);
            break;
        default:
            break; /* what orders, settlements and liquidations moved is booked by their fills */
        }
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
    if (made) {
        /* The first word of the venue is the opening: what no instance owns is there, unassigned. */
        move_cash(ledger, UNASSIGNED, balance->head.account, balance->currency, LEDGER_OPENING, 0,
                  balance->total_e8 - cash_on(ledger, balance->head.account, balance->currency));
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
    }
}

/* Since when the venue says otherwise; a difference that ends is forgotten. */
static void compare(struct ledger *ledger, uint64_t stamp_ns)
{
    for (uint32_t i = 0; i < ledger->balance_count; i++) {
        struct opinion *row = &ledger->balance[i];
        bool differs = row->venue != cash_on(ledger, row->account, row->of);
        row->since_ns = !differs ? 0 : row->since_ns != 0 ? row->since_ns : stamp_ns;
    }
    for (uint32_t i = 0; i < ledger->position_count; i++) {
        struct opinion *row = &ledger->position[i];
        bool differs = row->venue != position_on(ledger, row->account, row->of);
        row->since_ns = !differs ? 0 : row->since_ns != 0 ? row->since_ns : stamp_ns;
    }
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
    if (leg == NULL || leg->base >= CURRENCY_MAX) {
        return;
    }
    book->coin = leg->base;
    if (ledger->named_by[leg->base] == NO_INSTRUMENT) {
        ledger->named_by[leg->base] = is_inverse(leg) ? leg->index : params.hedge_instrument;
    }
    if (params.delta_basis == DELTA_USD && params.allocation_e8 != 0) {
        book_cash(ledger, params.instance, params.quote_account, leg->base, LEDGER_OPENING, 0,
                  params.allocation_e8);
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

static void take_restored_position(struct ledger *ledger, const struct record_restore_position *restore)
{
    if (instrument_of(ledger, restore->head.instrument) == NULL) {
        return;
    }
    struct held *row =
        held_row(ledger, book_of(restore->instance), restore->head.account, restore->head.instrument);
    if (row != NULL) {
        row->position.qty += restore->qty;
        row->position.notional_e12 +=
            (int128)(((unsigned __int128)(uint64_t)restore->notional_high << 64) | restore->notional_low);
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

void ledger_record(struct ledger *ledger, const struct slot *record)
{
    const struct record_head *head = record_head_of(record);
    const void *body = record;

    switch (head->type) {
    case RECORD_TOP: {
        const struct record_top *top = body;
        if (head->instrument < INSTRUMENT_MAX && top->bid_qty > 0 && top->ask_qty > 0 && top->bid_price > 0 &&
            top->ask_price > 0) {
            ledger->price[head->instrument].mid = (int64_t)(((int128)top->bid_price + top->ask_price) / 2);
        }
        break;
    }
    case RECORD_MARK: {
        const struct record_mark *mark = body;
        if (head->instrument < INSTRUMENT_MAX && mark->mark > 0) {
            ledger->price[head->instrument].mark = mark->mark;
        }
        break;
    }
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
    case RECORD_ORDER_NEW: {
        const struct record_order *order = body;
        ledger->order[order_id_counter(order->order) % ORDERS] = (struct order_seen){
            .order = order->order, .reference_price = order->reference_price, .role = order->role
        };
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
        book_cash(ledger, book_of(cash->instance), head->account, cash->currency, LEDGER_OPENING, 0,
                  cash->amount_e8);
        break;
    }
    case RECORD_RESTORE_EXEC: {
        const struct record_report *seen = body;
        bool known;
        struct execution *row =
            execution_row(ledger, head->account, head->instrument, seen->side, seen->exec_id, &known);
        if (row != NULL) { /* its money is in the restored cash */
            row->fee_told = true;
            row->realised_told = true;
        }
        break;
    }
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

void ledger_value(struct ledger *ledger, uint16_t instance, struct ledger_value *value)
{
    bool all = instance == NO_INSTANCE;
    uint32_t first = all ? 0 : book_of(instance);
    uint32_t last = all ? UNASSIGNED : first;
    struct book sum = { .used = false };
    struct missing missing;

    *value = (struct ledger_value){ .known = true, .instrument = NO_INSTRUMENT, .currency = CURRENCY_NONE };
    for (uint32_t i = first; i <= last; i++) {
        struct book *book = &ledger->book[i];
        if (!book->used) {
            continue;
        }
        if (!look(ledger, (uint16_t)i, &missing)) {
            value->known = false;
            value->instrument = missing.instrument;
            value->currency = missing.currency;
            return;
        }
        value->currency = missing.currency != CURRENCY_NONE ? missing.currency : value->currency;
        sum.start_e20 += book->start_e20;
        sum.last_e20 += book->last_e20;
        sum.transfer_e20 += book->transfer_e20;
        sum.last_delta_e12 += book->last_delta_e12;
        for (int part = 0; part < PNL_PART_COUNT; part++) {
            sum.part_e20[part] += book->part_e20[part];
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

int64_t ledger_cash_e8(const struct ledger *ledger, uint16_t instance, uint16_t account, uint16_t currency)
{
    uint16_t book = book_of(instance);
    for (uint32_t i = 0; i < ledger->cash_count; i++) {
        const struct cash *row = &ledger->cash[i];
        if (row->book == book && row->account == account && row->currency == currency) {
            return row->amount_e8;
        }
    }
    return 0;
}

struct position ledger_position(const struct ledger *ledger, uint16_t instance, uint16_t account,
                                uint16_t instrument)
{
    uint16_t book = book_of(instance);
    for (uint32_t i = 0; i < ledger->held_count; i++) {
        const struct held *row = &ledger->held[i];
        if (row->book == book && row->account == account && row->instrument == instrument) {
            return row->position;
        }
    }
    return (struct position){ 0 };
}

int64_t ledger_part_e8(const struct ledger *ledger, uint16_t instance, uint16_t account, uint16_t currency,
                       enum pnl_part part)
{
    uint16_t book = book_of(instance);
    for (uint32_t i = 0; i < ledger->cash_count; i++) {
        const struct cash *row = &ledger->cash[i];
        if (row->book == book && row->account == account && row->currency == currency) {
            return row->part_e8[part];
        }
    }
    return 0;
}

void ledger_names(struct ledger *ledger, uint16_t currency, uint16_t instrument)
{
    if (currency < CURRENCY_MAX) {
        ledger->named_by[currency] = instrument;
    }
}

uint32_t ledger_differences(const struct ledger *ledger, struct ledger_difference *out, uint32_t max)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < ledger->balance_count; i++) {
        const struct opinion *row = &ledger->balance[i];
        if (row->since_ns == 0) {
            continue;
        }
        if (count < max) {
            out[count] = (struct ledger_difference){ .what = LEDGER_BALANCE_DIFFERS,
                                                     .account = row->account,
                                                     .instrument = NO_INSTRUMENT,
                                                     .currency = row->of,
                                                     .ours = cash_on(ledger, row->account, row->of),
                                                     .venue = row->venue,
                                                     .since_ns = row->since_ns };
        }
        count++;
    }
    for (uint32_t i = 0; i < ledger->position_count; i++) {
        const struct opinion *row = &ledger->position[i];
        if (row->since_ns == 0) {
            continue;
        }
        if (count < max) {
            out[count] = (struct ledger_difference){ .what = LEDGER_POSITION_DIFFERS,
                                                     .account = row->account,
                                                     .instrument = row->of,
                                                     .currency = CURRENCY_NONE,
                                                     .ours = position_on(ledger, row->account, row->of),
                                                     .venue = row->venue,
                                                     .since_ns = row->since_ns };
        }
        count++;
    }
    return count;
}

bool ledger_check(const struct ledger *ledger)
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
            return false;
        }
    }
    for (uint32_t i = 0; i < BOOKS; i++) {
        const struct book *book = &ledger->book[i];
        int128 sum = book->start_e20 + book->transfer_e20 - book->last_e20;
        for (int part = 0; part < PNL_PART_COUNT; part++) {
            sum += book->part_e20[part];
        }
        if (book->valued && sum != 0) {
            return false;
        }
    }
    return ledger->counts.full == 0;
}

void ledger_counts(const struct ledger *ledger, struct ledger_counts *counts)
{
    *counts = ledger->counts;
}
