#include "hot/strategy/convert.h"

#define REVERSED 0x8000

bool convert_add(struct convert_table *table, const struct record_convert *record)
{
    if (record->from == record->to || record->fixed_e8 < 0 || record->fixed_e8 > CONVERT_RATE_MAX ||
        record->max_age_ns < 0 || record->max_deviation_centibp < 0 ||
        (record->head.instrument != NO_INSTRUMENT && record->head.instrument >= INSTRUMENT_MAX)) {
        return false;
    }
    struct convert_row *row = NULL;
    for (uint32_t i = 0; i < table->count; i++) {
        if (table->row[i].from == record->from && table->row[i].to == record->to) {
            row = &table->row[i];
        }
    }
    if (row == NULL) {
        if (table->count == CONVERT_MAX) {
            return false;
        }
        row = &table->row[table->count++];
    }
    *row = (struct convert_row){ .from = record->from,
                                 .to = record->to,
                                 .instrument = record->head.instrument,
                                 .fixed_e8 = record->fixed_e8,
                                 .max_age_ns = record->max_age_ns,
                                 .max_deviation_centibp = record->max_deviation_centibp };
    return true;
}

void convert_cell(struct convert_table *table, int64_t from, int64_t to, int64_t rate_e8, uint64_t as_of_ns)
{
    if (rate_e8 <= 0 || rate_e8 > CONVERT_RATE_MAX) {
        return;
    }
    for (uint32_t i = 0; i < table->count; i++) {
        struct convert_row *row = &table->row[i];
        if (row->from == from && row->to == to) {
            row->cell_e8 = rate_e8;
            row->cell_ns = as_of_ns;
        }
    }
}

uint16_t convert_find(const struct convert_table *table, uint16_t from, uint16_t to)
{
    if (from == to) {
        return CONVERT_SAME;
    }
    for (uint32_t i = 0; i < table->count; i++) {
        if (table->row[i].from == from && table->row[i].to == to) {
            return (uint16_t)i;
        }
    }
    for (uint32_t i = 0; i < table->count; i++) {
        if (table->row[i].from == to && table->row[i].to == from) {
            return (uint16_t)(i | REVERSED);
        }
    }
    return CONVERT_MISSING;
}

/* The row's own direction. */
static struct conversion ask(struct convert_row *row, const struct book *books,
                             const struct instrument *instruments, uint64_t now_ns)
{
    struct conversion now = { .rate_e8 = row->last_e8, .fresh = false };
    int64_t rate = 0;
    uint64_t as_of_ns = now_ns;

    if (row->instrument != NO_INSTRUMENT) {
        const struct book *book = &books[row->instrument];
        const struct instrument *instrument = &instruments[row->instrument];
        int64_t mid = book_trouble(book, now_ns, 0) == BOOK_GOOD ? book_mid(book) : 0;
        if (mid > 0 && instrument->base == row->from && instrument->quote == row->to) {
            rate = decimal_rescale(mid, instrument->price_decimals, DECIMAL_MONEY, ROUND_HALF_EVEN);
        } else if (mid > 0 && instrument->base == row->to && instrument->quote == row->from) {
            int128 one = (int128)DECIMAL_E8 * decimal_power[instrument->price_decimals];
            rate = decimal_divide(one, mid, ROUND_HALF_EVEN);
        }
        as_of_ns = book->last_ns;
    }
    if (rate == 0 && row->cell_ns != 0) {
        rate = row->cell_e8;
        as_of_ns = row->cell_ns;
    }
    if (rate == 0 && row->instrument == NO_INSTRUMENT) {
        rate = row->fixed_e8;
        as_of_ns = now_ns;
    }
    if (rate <= 0 || rate > CONVERT_RATE_MAX) {
        return now;
    }
    row->last_e8 = rate;
    now.rate_e8 = rate;
    now.fresh = row->max_age_ns == 0 || now_ns <= as_of_ns || now_ns - as_of_ns <= (uint64_t)row->max_age_ns;
    if (row->max_deviation_centibp != 0) {
        int64_t par = row->fixed_e8 != 0 ? row->fixed_e8 : DECIMAL_E8;
        if ((int128)base_abs(rate - par) * 1000000 > (int128)par * row->max_deviation_centibp) {
            now.fresh = false;
        }
    }
    return now;
}

struct conversion convert_ask(struct convert_table *table, uint16_t row, const struct book *books,
                              const struct instrument *instruments, uint64_t now_ns)
{
    if (row == CONVERT_SAME) {
        return (struct conversion){ .rate_e8 = DECIMAL_E8, .fresh = true };
    }
    uint32_t at = row & ~REVERSED;
    if (row == CONVERT_MISSING || at >= table->count) {
        return (struct conversion){ 0 };
    }
    struct conversion now = ask(&table->row[at], books, instruments, now_ns);
    if ((row & REVERSED) && now.rate_e8 != 0) {
        now.rate_e8 = decimal_divide((int128)DECIMAL_E8 * DECIMAL_E8, now.rate_e8, ROUND_HALF_EVEN);
        now.fresh = now.fresh && now.rate_e8 != 0;
    }
    return now;
}
