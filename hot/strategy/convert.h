/* convert: what one currency is in another, and whether that is fresh enough for new risk.
 *
 * USD, USDT and USDC are different currencies.  Each pair the engine needs has one source: a fixed rate
 * (never in live), an instrument's middle price, or a cell that cold writes.  A source that is older than
 * its bound, or further from par (from its fixed rate where both are given) than its bound, is stale: no
 * new risk, while hedges and reports go on with the last value.  Strategy core. */
#ifndef POISE_HOT_STRATEGY_CONVERT_H
#define POISE_HOT_STRATEGY_CONVERT_H

#include "hot/strategy/book.h"
#include "ring/decimal.h"

#define CONVERT_MAX      32
#define CONVERT_RATE_MAX (1LL << 52)
#define CONVERT_SAME     0xfffe /* both currencies are the same: the rate is 1 */
#define CONVERT_MISSING  0xffff

struct convert_row {
    uint16_t from, to;
    uint16_t instrument; /* or NO_INSTRUMENT */
    uint16_t spare;
    int64_t fixed_e8;
    int64_t max_age_ns;            /* 0 no bound */
    int64_t max_deviation_centibp; /* 0 no bound */
    int64_t last_e8;               /* the last good rate, 0 none yet */
    uint64_t cell_ns;              /* when a cell gave the rate; 0 never */
    int64_t cell_e8;
};

struct convert_table {
    uint32_t count;
    uint32_t spare;
    struct convert_row row[CONVERT_MAX];
};

struct conversion {
    int64_t rate_e8; /* 0: never known */
    bool fresh;
};

/* convert_add enters a source, or replaces the pair's; false when the table is full or the row is
 * meaningless. */
bool convert_add(struct convert_table *table, const struct record_convert *record);

/* convert_cell takes a rate from cold; a pair without a row is ignored. */
void convert_cell(struct convert_table *table, int64_t from, int64_t to, int64_t rate_e8, uint64_t as_of_ns);

/* convert_find answers the row that serves from -> to; bit 15 says that it is used the other way round.
 * CONVERT_SAME or CONVERT_MISSING otherwise.  Asked once, when an instance is built. */
uint16_t convert_find(const struct convert_table *table, uint16_t from, uint16_t to);

/* convert_ask is convert_rate for any row. */
struct conversion convert_ask(struct convert_table *table, uint16_t row, const struct book *books,
                              const struct instrument *instruments, uint64_t now_ns);

/* convert_rate asks the row now.  A fixed rate that no cell has replaced is its own par, and never old. */
static inline struct conversion convert_rate(struct convert_table *table, uint16_t row,
                                             const struct book *books, const struct instrument *instruments,
                                             uint64_t now_ns)
{
    struct convert_row *fixed = &table->row[row % CONVERT_MAX];
    if (POISE_LIKELY(row < table->count && fixed->instrument == NO_INSTRUMENT && fixed->cell_ns == 0 &&
                     fixed->fixed_e8 > 0)) {
        fixed->last_e8 = fixed->fixed_e8;
        return (struct conversion){ .rate_e8 = fixed->fixed_e8, .fresh = true };
    }
    return convert_ask(table, row, books, instruments, now_ns);
}

#endif
