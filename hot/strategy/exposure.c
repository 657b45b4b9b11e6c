#include "hot/strategy/exposure.h"

#define BOUND_PRICE        (1LL << 44)
#define DELIVERY_PRICE_MAX (1LL << 52)                 /* 1e-8 */
#define BOUND_NOTIONAL_E12 (((int128)1 << 61) * 10000) /* fits 64 bits in 1e-8 */

void exposure_init(struct exposure *exposure, const struct instrument *instruments)
{
    memset(exposure, 0, sizeof *exposure);
    exposure->instruments = instruments;
    memset(exposure->holding_of, 0xff, sizeof exposure->holding_of);
    for (uint32_t i = 0; i < EXPOSURE_CASH_ROWS; i++) {
        exposure->unassigned_cash[i].currency = CURRENCY_NONE;
    }
}

struct exposure_holding *exposure_holding(struct exposure *exposure, uint16_t account, uint16_t instrument)
{
    uint16_t *at = &exposure->holding_of[account][instrument];
    if (*at == EXPOSURE_NO_HOLDING) {
        if (exposure->holding_count == EXPOSURE_HOLDINGS) {
            return NULL;
        }
        *at = (uint16_t)exposure->holding_count++;
        exposure->holding[*at].account = account;
        exposure->holding[*at].instrument = instrument;
    }
    return &exposure->holding[*at];
}

void exposure_open(struct exposure *exposure, uint32_t slot, uint16_t base, int64_t allocation_e8)
{
    struct exposure_instance *instance = &exposure->instance[slot];
    memset(instance, 0, sizeof *instance);
    instance->used = true;
    instance->base = base;
    instance->allocation_e8 = allocation_e8;
    instance->delta_e12 = (int128)allocation_e8 * 10000;
    for (uint32_t i = 0; i < LEG_COUNT; i++) {
        instance->leg[i].instrument = NO_INSTRUMENT;
        instance->leg[i].account = NO_ACCOUNT;
        instance->leg[i].holding = EXPOSURE_NO_HOLDING;
    }
    for (uint32_t i = 0; i < EXPOSURE_CASH_ROWS; i++) {
        instance->cash[i].currency = CURRENCY_NONE;
    }
}

bool exposure_open_leg(struct exposure *exposure, uint32_t slot, enum leg leg, uint16_t account,
                       uint16_t instrument)
{
    struct exposure_leg *row = &exposure->instance[slot].leg[leg];
    if (exposure_holding(exposure, account, instrument) == NULL) {
        return false;
    }
    row->account = account;
    row->instrument = instrument;
    row->holding = exposure->holding_of[account][instrument];
    return true;
}

int128 exposure_coin_e12(const struct instrument *instrument, const struct position *position)
{
    if (exposure_settles_in_coin(instrument)) {
        return position->notional_e12;
    }
    return kind_delta_e12(instrument, position, 1); /* its coin, whatever the mark */
}

/* From the parts, not by increments: what a rebuilt strategy computes is then the same number. */
static void delta_refresh(struct exposure_instance *instance)
{
    int128 delta = (int128)instance->allocation_e8 * 10000;
    for (uint32_t i = 0; i < LEG_COUNT; i++) {
        delta += instance->leg[i].coin_e12;
    }
    for (uint32_t i = 0; i < EXPOSURE_CASH_ROWS; i++) {
        if (instance->cash[i].currency != instance->base) {
            continue;
        }
        for (uint32_t part = 0; part < PNL_PART_COUNT; part++) {
            delta += (int128)instance->cash[i].amount_e8[part] * 10000;
        }
    }
    instance->delta_e12 = delta;
}

static struct exposure_cash *cash_row(struct exposure_cash *rows, uint16_t account, uint16_t currency)
{
    for (uint32_t i = 0; i < EXPOSURE_CASH_ROWS; i++) {
        if (rows[i].currency == currency && rows[i].account == account) {
            return &rows[i];
        }
        if (rows[i].currency == CURRENCY_NONE) {
            rows[i].account = account;
            rows[i].currency = currency;
            return &rows[i];
        }
    }
    return NULL;
}

void exposure_cash(struct exposure *exposure, uint32_t slot, uint16_t account, uint16_t currency,
                   enum pnl_part part, int64_t amount_e8)
{
    if (amount_e8 == 0) {
        return;
    }
    bool assigned = slot < PARAMS_INSTANCE_MAX && exposure->instance[slot].used;
    struct exposure_cash *row =
        cash_row(assigned ? exposure->instance[slot].cash : exposure->unassigned_cash, account, currency);
    int64_t sum;
    if (row == NULL || amount_e8 == INT64_MIN ||
        __builtin_add_overflow(row->amount_e8[part], amount_e8, &sum) || base_abs(sum) > EXPOSURE_MONEY_MAX) {
        exposure->overflow = true;
        return;
    }
    row->amount_e8[part] = sum;
    if (assigned && currency == exposure->instance[slot].base) {
        delta_refresh(&exposure->instance[slot]);
    }
}

/* Money of the quantity must fit 64 bits, its product 128: at the price where it is most, which is the
 * largest where it is settled in money and the least where it is settled in coin. */
static bool holds(const struct instrument *row, int64_t qty, int64_t price)
{
    int128 product = (int128)qty * row->contract_e8;
    int128 limit = (int128)1 << 61;

    if (exposure_settles_in_coin(row)) {
        return !__builtin_mul_overflow(product, decimal_power[row->price_decimals], &product) &&
               product / price / decimal_power[row->qty_decimals] <= limit &&
               !__builtin_mul_overflow(product, (int128)10000, &product);
    }
    return !__builtin_mul_overflow(product, (int128)price, &product) &&
           product / decimal_power[row->qty_decimals] / decimal_power[row->price_decimals] <= limit &&
           (int128)qty * row->contract_e8 / decimal_power[row->qty_decimals] <= limit &&
           !__builtin_mul_overflow(product, (int128)10000, &product);
}

void exposure_bound(struct exposure *exposure, uint16_t instrument)
{
    const struct instrument *row = &exposure->instruments[instrument];
    struct exposure_bound *bound = &exposure->bound[instrument];

    bool coin = exposure_settles_in_coin(row);

    bound->price = row->max_price != 0 ? base_min(row->max_price, BOUND_PRICE / 4) * 4 : BOUND_PRICE;
    bound->price_least = coin ? base_max(row->tick, 1) : 1;
    bound->qty = base_min(row->max_qty, EXPOSURE_QTY_MAX / 4096) * 4096;
    while (!coin && bound->price > row->tick && !holds(row, row->max_qty, bound->price)) {
        bound->price /= 2;
    }
    while (bound->qty > 1 && !holds(row, bound->qty, coin ? bound->price_least : bound->price)) {
        bound->qty /= 2;
    }
}

static bool fits(const struct exposure *exposure, uint16_t instrument, const struct position *position,
                 int64_t qty, int64_t price)
{
    const struct exposure_bound *bound = &exposure->bound[instrument];
    int128 notional = position->notional_e12 < 0 ? -position->notional_e12 : position->notional_e12;
    int128 product;
    return qty > 0 && notional <= BOUND_NOTIONAL_E12 && qty <= bound->qty && price >= bound->price_least &&
           price <= bound->price && base_abs(position->qty) + qty <= bound->qty &&
           !__builtin_mul_overflow(position->notional_e12, (int128)base_abs(position->qty) + 1, &product);
}

/* Where a leg's position stands: the instance's own when the leg is really this one, else the unassigned
 * row.  *slot says which. */
static struct position *position_of(struct exposure *exposure, uint32_t *slot, enum leg leg, uint16_t account,
                                    uint16_t instrument, struct exposure_holding *holding)
{
    if (*slot < PARAMS_INSTANCE_MAX && exposure->instance[*slot].used) {
        struct exposure_leg *row = &exposure->instance[*slot].leg[leg];
        if (row->instrument == instrument && row->account == account) {
            return &row->position;
        }
    }
    *slot = EXPOSURE_UNASSIGNED;
    return &holding->unassigned;
}

bool exposure_fill(struct exposure *exposure, uint32_t slot, enum leg leg, uint16_t account,
                   uint16_t instrument, enum side side, int64_t qty, int64_t price,
                   struct exposure_change *change)
{
    const struct instrument *row = &exposure->instruments[instrument];
    struct exposure_holding *holding = exposure_holding(exposure, account, instrument);

    memset(change, 0, sizeof *change);
    if (holding == NULL || base_abs(holding->total_qty) > EXPOSURE_QTY_MAX) {
        exposure->overflow = true;
        return false;
    }
    struct position *position = position_of(exposure, &slot, leg, account, instrument, holding);
    if (!fits(exposure, instrument, position, qty, price)) {
        exposure->overflow = true;
        return false;
    }
    int128 before = slot == EXPOSURE_UNASSIGNED ? 0 : exposure->instance[slot].delta_e12;
    kind_fill(row, position, side, qty, price, &change->effect);
    holding->total_qty += side_sign(side) * qty;
    holding->fills++;

    if (change->effect.settle_currency != CURRENCY_NONE) {
        exposure_cash(exposure, slot, account, change->effect.settle_currency, PNL_TRADING,
                      change->effect.realised_e8);
    }
    if (change->effect.quote_currency != CURRENCY_NONE) {
        exposure_cash(exposure, slot, account, change->effect.quote_currency, PNL_TRADING,
                      change->effect.quote_e8);
    }
    if (slot != EXPOSURE_UNASSIGNED) {
        struct exposure_instance *instance = &exposure->instance[slot];
        instance->leg[leg].coin_e12 = exposure_coin_e12(row, position);
        delta_refresh(instance);
        change->delta_e12 = instance->delta_e12 - before;
    }
    return true;
}

void exposure_reprice(struct exposure *exposure, uint32_t slot, enum leg leg, uint16_t account,
                      uint16_t instrument, enum side side, int64_t qty, int64_t from_price, int64_t to_price)
{
    if (from_price == to_price) {
        return;
    }
    const struct instrument *row = &exposure->instruments[instrument];
    struct exposure_holding *holding = exposure_holding(exposure, account, instrument);
    if (holding == NULL || qty <= 0 || to_price <= 0 || to_price > exposure->bound[instrument].price) {
        return;
    }
    struct position *position = position_of(exposure, &slot, leg, account, instrument, holding);

    struct fill_effect effect;
    kind_reprice(row, position, side, qty, from_price, to_price, &effect);
    if (effect.settle_currency != CURRENCY_NONE) {
        exposure_cash(exposure, slot, account, effect.settle_currency, PNL_TRADING, effect.realised_e8);
    }
    if (effect.quote_currency != CURRENCY_NONE) {
        exposure_cash(exposure, slot, account, effect.quote_currency, PNL_TRADING, effect.quote_e8);
    }
    if (slot != EXPOSURE_UNASSIGNED) {
        exposure->instance[slot].leg[leg].coin_e12 = exposure_coin_e12(row, position);
        delta_refresh(&exposure->instance[slot]);
    }
}

/* One position at the delivery price; slot EXPOSURE_UNASSIGNED books for nobody. */
static bool deliver(struct exposure *exposure, uint32_t slot, struct exposure_holding *holding,
                    struct position *position, int64_t price_e8)
{
    struct fill_effect effect;
    int64_t held = position->qty;
    if (!kind_expire(&exposure->instruments[holding->instrument], position, price_e8, &effect)) {
        return false;
    }
    holding->total_qty -= held;
    if (effect.settle_currency != CURRENCY_NONE) {
        exposure_cash(exposure, slot, holding->account, effect.settle_currency, PNL_TRADING,
                      effect.realised_e8);
    }
    if (effect.quote_currency != CURRENCY_NONE) {
        exposure_cash(exposure, slot, holding->account, effect.quote_currency, PNL_TRADING, effect.quote_e8);
    }
    return true;
}

bool exposure_deliver(struct exposure *exposure, uint16_t account, uint16_t instrument, int64_t price_e8)
{
    struct exposure_holding *holding = exposure_holding(exposure, account, instrument);
    if (holding == NULL || price_e8 <= 0 || price_e8 > DELIVERY_PRICE_MAX ||
        !deliver(exposure, EXPOSURE_UNASSIGNED, holding, &holding->unassigned, price_e8)) {
        return false;
    }
    for (uint32_t slot = 0; slot < PARAMS_INSTANCE_MAX; slot++) {
        struct exposure_instance *instance = &exposure->instance[slot];
        for (uint32_t leg = 0; leg < LEG_COUNT && instance->used; leg++) {
            struct exposure_leg *row = &instance->leg[leg];
            if (row->instrument == instrument && row->account == account) {
                deliver(exposure, slot, holding, &row->position, price_e8);
                row->coin_e12 = exposure_coin_e12(&exposure->instruments[instrument], &row->position);
                delta_refresh(instance);
            }
        }
    }
    return true;
}

bool exposure_restore(struct exposure *exposure, uint32_t slot, enum leg leg, uint16_t account,
                      uint16_t instrument, const struct position *position)
{
    struct exposure_holding *holding = exposure_holding(exposure, account, instrument);
    int128 product;
    if (holding == NULL || position->qty == INT64_MIN || position->notional_e12 > BOUND_NOTIONAL_E12 ||
        position->notional_e12 < -BOUND_NOTIONAL_E12 ||
        base_abs(position->qty) > exposure->bound[instrument].qty ||
        base_abs(holding->total_qty) > EXPOSURE_QTY_MAX ||
        __builtin_mul_overflow(position->notional_e12, (int128)base_abs(position->qty) + 1, &product)) {
        exposure->overflow = true;
        return false;
    }
    struct position *to = &holding->unassigned;
    if (slot < PARAMS_INSTANCE_MAX) {
        to = &exposure->instance[slot].leg[leg].position;
    }
    holding->total_qty += position->qty - to->qty;
    *to = *position;
    if (slot < PARAMS_INSTANCE_MAX) {
        struct exposure_instance *instance = &exposure->instance[slot];
        instance->leg[leg].coin_e12 = exposure_coin_e12(&exposure->instruments[instrument], to);
        delta_refresh(instance);
    }
    return true;
}

void exposure_venue(struct exposure *exposure, uint16_t account, uint16_t instrument, int64_t qty,
                    uint64_t now_ns)
{
    struct exposure_holding *holding = exposure_holding(exposure, account, instrument);
    if (holding == NULL) {
        return;
    }
    holding->venue_known = true;
    holding->venue_qty = qty;
    holding->total_then = holding->total_qty;
    if (qty == holding->total_qty) {
        holding->differs_since_ns = 0;
        holding->alarmed = false;
    } else if (holding->differs_since_ns == 0) {
        holding->differs_since_ns = now_ns == 0 ? 1 : now_ns;
    }
}

uint64_t exposure_differs_since(struct exposure_holding *holding, uint64_t now_ns)
{
    /* The venue's position and the fill it contains travel different streams.  Equal when it was told, or
     * equal now that the fill came: either is agreement. */
    if (holding->venue_qty == holding->total_qty || holding->venue_qty == holding->total_then) {
        holding->differs_since_ns = 0;
        holding->alarmed = false;
        return 0;
    }
    return now_ns - holding->differs_since_ns;
}

void exposure_check(const struct exposure *exposure)
{
    for (uint32_t h = 0; h < exposure->holding_count; h++) {
        const struct exposure_holding *holding = &exposure->holding[h];
        int64_t sum = holding->unassigned.qty;
        for (uint32_t i = 0; i < PARAMS_INSTANCE_MAX; i++) {
            for (uint32_t l = 0; l < LEG_COUNT; l++) {
                const struct exposure_leg *leg = &exposure->instance[i].leg[l];
                if (exposure->instance[i].used && leg->instrument == holding->instrument &&
                    leg->account == holding->account) {
                    sum += leg->position.qty;
                }
            }
        }
        POISE_ASSERT(sum == holding->total_qty);
    }
}
