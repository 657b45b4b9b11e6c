#include "cold/metadata.h"
#include "ring/decimal.h"

bool metadata_scale(int64_t *value, int from, int to)
{
    if (from == to) {
        return true;
    }
    int128 wide = to > from ? (int128)*value * decimal_power[to - from] : *value / decimal_power[from - to];
    if (wide > INT64_MAX || wide < INT64_MIN || (to < from && *value % decimal_power[from - to] != 0)) {
        return false;
    }
    *value = (int64_t)wide;
    return true;
}

/* A bound that lies between two units, or beyond what fits, is moved to where more is refused. */
static int64_t bound(int64_t value, int from, int to, enum rounding rounding)
{
    if (to >= from) {
        int128 wide = (int128)value * decimal_power[to - from];
        return wide > INT64_MAX ? INT64_MAX : (int64_t)wide;
    }
    return decimal_divide(value, decimal_power[from - to], rounding);
}

static const char *rules(struct instrument *row, const struct instrument *is)
{
    int price_from = is->price_decimals, price_to = row->price_decimals;
    int qty_from = is->qty_decimals, qty_to = row->qty_decimals;
    row->tick = is->tick;
    row->lot = is->lot;
    if (!metadata_scale(&row->tick, price_from, price_to) || !metadata_scale(&row->lot, qty_from, qty_to)) {
        return "its tick or lot is finer than the unit of this run";
    }
    row->min_qty = bound(is->min_qty, qty_from, qty_to, ROUND_UP);
    row->max_qty = bound(is->max_qty, qty_from, qty_to, ROUND_DOWN);
    row->max_market_qty = bound(is->max_market_qty, qty_from, qty_to, ROUND_DOWN);
    row->min_price = bound(is->min_price, price_from, price_to, ROUND_UP);
    row->max_price = bound(is->max_price, price_from, price_to, ROUND_DOWN);
    row->min_notional_e8 = is->min_notional_e8;
    row->band_up_ppm = is->band_up_ppm;
    row->band_down_ppm = is->band_down_ppm;
    return instrument_check(row);
}

const char *metadata_fit(const struct instrument *was, const struct instrument *is, struct instrument *out)
{
    struct instrument row = *was;
    const char *wrong = is->kind != was->kind || is->contract_e8 != was->contract_e8
                            ? "it is another contract by the same name"
                            : rules(&row, is);
    *out = wrong == NULL ? row : *was;
    out->status = is->status;
    if (wrong != NULL && out->status == INSTRUMENT_TRADING) {
        out->status = INSTRUMENT_CANCEL_ONLY;
    }
    return wrong;
}
