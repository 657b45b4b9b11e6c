#include "hot/strategy/pnl.h"

static int64_t at_rate(int128 amount_e8, int64_t rate_e8)
{
    int128 product;
    if (__builtin_mul_overflow(amount_e8, (int128)rate_e8, &product)) {
        return amount_e8 < 0 ? -EXPOSURE_MONEY_MAX : EXPOSURE_MONEY_MAX;
    }
    return state_money(decimal_divide_wide(product, DECIMAL_E8, ROUND_DOWN));
}

/* One unit of a currency in the report currency, 1e-8; 0 when nobody knows. */
static int64_t report_rate(struct strategy *s, const struct instance *instance, uint16_t currency)
{
    uint16_t report = s->risk.report_currency;
    uint16_t row = convert_find(&s->convert, currency, report);
    if (row != CONVERT_MISSING) {
        return convert_rate(&s->convert, row, s->book, s->instrument, s->now_ns).rate_e8;
    }
    if (currency != instance->base) {
        return 0;
    }
    /* The coin: by the quoted leg's mark, in its quote currency. */
    const struct instrument *quoted = &s->instrument[instance->params.quote_instrument];
    int64_t mark = book_reference(&s->book[instance->params.quote_instrument], s->now_ns, 10000000000ULL);
    int64_t rate =
        convert_rate(&s->convert, instance->report_rate_row, s->book, s->instrument, s->now_ns).rate_e8;
    if (mark <= 0 || rate <= 0) {
        return 0;
    }
    return state_money(
        decimal_divide_wide((int128)mark * rate, decimal_power[quoted->price_decimals], ROUND_DOWN));
}

static void add(int64_t *to, int64_t amount)
{
    *to = state_money((int128)*to + amount);
}

void pnl_cash(struct strategy *s, struct instance *instance, enum pnl_part part, uint16_t currency,
              int64_t amount_e8)
{
    add(&instance->part_e8[part], at_rate(amount_e8, report_rate(s, instance, currency)));
}

void pnl_fill(struct strategy *s, struct instance *instance, enum leg leg, enum pnl_part part, enum side side,
              int64_t qty, int64_t price, int64_t reference_price)
{
    uint16_t index = s->exposure.instance[instance->slot].leg[leg].instrument;
    if (index == NO_INSTRUMENT || reference_price <= 0 || reference_price > s->exposure.bound[index].price) {
        return;
    }
    const struct instrument *row = &s->instrument[index];
    int128 gain_e8;
    if (exposure_settles_in_coin(row)) {
        /* more coin for the same contracts, worth the reference price each */
        int128 coin_e8 = (int128)kind_coin_e8(row, qty, price, ROUND_DOWN) -
                         kind_coin_e8(row, qty, reference_price, ROUND_DOWN);
        gain_e8 = coin_e8 * reference_price / decimal_power[row->price_decimals];
    } else {
        gain_e8 = (int128)kind_quote_e8(row, qty, reference_price, ROUND_DOWN) -
                  kind_quote_e8(row, qty, price, ROUND_DOWN);
    }
    if (side == SIDE_SELL) {
        gain_e8 = -gain_e8;
    }
    add(&instance->part_e8[part], at_rate(gain_e8, report_rate(s, instance, row->quote)));
}

bool pnl_equity(struct strategy *s, const struct instance *instance, int64_t *equity_e8)
{
    const struct exposure_instance *held = &s->exposure.instance[instance->slot];
    int128 sum = 0;
    int64_t coin_rate = report_rate(s, instance, instance->base);

    if (!s->has_risk || coin_rate == 0) {
        return false;
    }
    sum += at_rate(held->allocation_e8, coin_rate);
    for (uint32_t i = 0; i < LEG_COUNT; i++) {
        const struct exposure_leg *leg = &held->leg[i];
        if (leg->instrument == NO_INSTRUMENT || leg->position.qty == 0) {
            continue;
        }
        const struct instrument *row = &s->instrument[leg->instrument];
        int64_t mark = book_reference(&s->book[leg->instrument], s->now_ns, 10000000000ULL);
        uint16_t currency = row->kind == KIND_SPOT ? row->quote : row->settle;
        int64_t rate = report_rate(s, instance, currency);
        if (mark <= 0 || mark > s->exposure.bound[leg->instrument].price || rate == 0) {
            return false;
        }
        int64_t value = row->kind == KIND_SPOT ? kind_quote_e8(row, leg->position.qty, mark, ROUND_DOWN)
                                               : kind_unrealised_e8(row, &leg->position, mark);
        sum += at_rate(value, rate);
    }
    for (uint32_t i = 0; i < EXPOSURE_CASH_ROWS && held->cash[i].currency != CURRENCY_NONE; i++) {
        int128 amount = 0;
        for (uint32_t part = 0; part < PNL_PART_COUNT; part++) {
            amount += held->cash[i].amount_e8[part];
        }
        int64_t rate = report_rate(s, instance, held->cash[i].currency);
        if (amount != 0 && rate == 0) {
            return false;
        }
        sum += at_rate(amount, rate);
    }
    *equity_e8 = state_money(sum);
    return true;
}

int64_t pnl_total(const struct instance *instance)
{
    int128 sum = 0;
    for (uint32_t part = 0; part < PNL_PART_COUNT; part++) {
        sum += instance->part_e8[part];
    }
    return state_money(sum);
}

bool pnl_look(struct strategy *s, struct instance *instance)
{
    const struct instrument *hedge = &s->instrument[instance->params.hedge_instrument];
    int64_t equity;
    int64_t price = book_mid(&s->book[instance->params.hedge_instrument]);
    if (price == 0 || !pnl_equity(s, instance, &equity)) {
        return false;
    }
    if (!instance->equity_known && instance->carried) {
        /* What the owner gave or took back between the runs is no profit. */
        int64_t more_e8 = s->exposure.instance[instance->slot].allocation_e8 - instance->allocation_then_e8;
        add(&instance->equity_first_e8, at_rate(more_e8, report_rate(s, instance, instance->base)));
        instance->allocation_then_e8 += more_e8;
        instance->equity_known = true;
        instance->pnl_price = price;
    }
    if (!instance->equity_known) {
        instance->equity_known = true;
        instance->equity_first_e8 = equity;
        memset(instance->part_e8, 0, sizeof instance->part_e8);
        instance->pnl_price = price;
        return true;
    }
    int64_t delta_e8 = state_money(s->exposure.instance[instance->slot].delta_e12 / 10000);
    int128 move_e8 = (int128)delta_e8 * (price - instance->pnl_price) / decimal_power[hedge->price_decimals];
    add(&instance->part_e8[PNL_RESIDUAL], at_rate(move_e8, report_rate(s, instance, hedge->quote)));
    instance->pnl_price = price;

    instance->part_e8[PNL_BASIS] = 0;
    int64_t rest = state_money((int128)equity - instance->equity_first_e8 - pnl_total(instance));
    instance->part_e8[PNL_BASIS] = rest;
    return true;
}
