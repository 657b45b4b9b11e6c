#include "tools/sim/model/sim_ledger.h"

#include "tools/sim/model/sim_decimal.h"

#define E16 ((__int128)SIM_CASH_ONE * SIM_CASH_ONE)

static __int128 value(const struct sim_instrument *instrument, int64_t qty, int64_t price, int price_decimals)
{
    if (instrument->kind == SIM_INVERSE) {
        __int128 top = (__int128)qty * instrument->contract_size * E16;

        if (price <= 0) {
            return 0;
        }
        /* qty has no decimals on the inverse contracts modelled; the general form keeps 128 bits safe */
        return top / sim_decimal_power(instrument->qty_decimals) * sim_decimal_power(price_decimals) / price;
    }
    int shift = 16 - instrument->qty_decimals - price_decimals;
    __int128 product = (__int128)qty * price;

    return shift >= 0 ? product * sim_decimal_power(shift) : product / sim_decimal_power(-shift);
}

__int128 sim_ledger_value(const struct sim_instrument *instrument, int64_t qty, int64_t price)
{
    return value(instrument, qty, price, instrument->price_decimals);
}

__int128 sim_ledger_value_at(const struct sim_instrument *instrument, int64_t qty, int64_t price_e8)
{
    return value(instrument, qty, price_e8, 8);
}

struct sim_booking sim_ledger_fill(const struct sim_instrument *instrument, struct sim_position *position,
                                   int64_t signed_qty, int64_t price, int64_t fee_rate_e8)
{
    struct sim_booking booking = { 0 };
    int64_t qty = signed_qty < 0 ? -signed_qty : signed_qty;
    int64_t held = position->qty < 0 ? -position->qty : position->qty;
    bool reduces = held != 0 && (position->qty < 0) != (signed_qty < 0);
    int64_t closed = !reduces ? 0 : qty < held ? qty : held;
    int64_t opened = qty - closed;
    __int128 notional = sim_ledger_value(instrument, qty, price);
    __int128 profit = 0;

    if (closed > 0) {
        __int128 exit = sim_ledger_value(instrument, closed, price);
        __int128 entry =
            closed == held ? position->basis_e16
                           : position->basis_e16 / held * closed + position->basis_e16 % held * closed / held;
        bool was_long = position->qty > 0;
        /* A long linear position gains when the exit notional is larger; the coin notional of an inverse
         * one falls as the price rises, so the sign turns. */
        profit = (instrument->kind == SIM_INVERSE) == was_long ? entry - exit : exit - entry;
        position->basis_e16 -= entry;
    }
    if (opened > 0) {
        position->basis_e16 += sim_ledger_value(instrument, opened, price);
    }
    position->qty += signed_qty;

    __int128 fee_e16 =
        notional / SIM_CASH_ONE * fee_rate_e8 + notional % SIM_CASH_ONE * fee_rate_e8 / SIM_CASH_ONE;
    booking.fee_e8 = (int64_t)(fee_e16 / SIM_CASH_ONE);
    booking.pnl_e8 = (int64_t)sim_decimal_floor(profit, SIM_CASH_ONE);
    booking.value_e8 = (int64_t)(notional / SIM_CASH_ONE);
    booking.rounding_e16 = profit - (__int128)booking.pnl_e8 * SIM_CASH_ONE;
    booking.rounding_e16 -= fee_e16 - (__int128)booking.fee_e8 * SIM_CASH_ONE;
    return booking;
}

int64_t sim_ledger_unrealised(const struct sim_instrument *instrument, const struct sim_position *position,
                              int64_t mark_e8)
{
    int64_t held = position->qty < 0 ? -position->qty : position->qty;

    if (held == 0 || mark_e8 <= 0) {
        return 0;
    }
    __int128 exit = sim_ledger_value_at(instrument, held, mark_e8);
    bool turned = (instrument->kind == SIM_INVERSE) == (position->qty > 0);

    return (int64_t)sim_decimal_floor(turned ? position->basis_e16 - exit : exit - position->basis_e16,
                                      SIM_CASH_ONE);
}

int64_t sim_ledger_entry(const struct sim_instrument *instrument, const struct sim_position *position)
{
    int64_t held = position->qty < 0 ? -position->qty : position->qty;

    if (held == 0 || position->basis_e16 == 0) {
        return 0;
    }
    if (instrument->kind == SIM_INVERSE) {
        __int128 dollars = (__int128)held * instrument->contract_size * SIM_CASH_ONE;

        return (int64_t)(dollars / sim_decimal_power(instrument->qty_decimals) * E16 / position->basis_e16);
    }
    return (int64_t)(position->basis_e16 / held * sim_decimal_power(instrument->qty_decimals) / SIM_CASH_ONE);
}

int64_t sim_ledger_funding(const struct sim_instrument *instrument, const struct sim_position *position,
                           int64_t mark_e8, int64_t rate_e8)
{
    int64_t held = position->qty < 0 ? -position->qty : position->qty;
    __int128 notional_e8 = sim_ledger_value_at(instrument, held, mark_e8) / SIM_CASH_ONE;
    __int128 pays = notional_e8 * rate_e8 * (position->qty < 0 ? -1 : 1);

    return (int64_t)sim_decimal_floor(-pays, SIM_CASH_ONE);
}
