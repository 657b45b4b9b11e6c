#include "tests/sim/truth.h"

#include "tools/sim/deribit/db_market.h"
#include "tools/sim/model/sim_decimal.h"
#include "ring/order_id.h"

#include <string.h>

const struct purse purses[PURSES_MAX] = {
    { WORLD_BINANCE, SIM_INVERSE, "BTC" },
    { WORLD_BINANCE, SIM_LINEAR, "USDT" },
    { WORLD_DERIBIT, SIM_SPOT, "BTC" },
    { WORLD_DERIBIT, SIM_SPOT, "USDC" },
};

enum world_place truth_place(uint8_t venue)
{
    return venue == VENUE_DERIBIT ? WORLD_DERIBIT : WORLD_BINANCE;
}

struct sim_venue *truth_venue(uint8_t venue)
{
    return world_venue(truth_place(venue));
}

int truth_instrument(const struct instrument *row)
{
    struct sim_venue *venue = truth_venue(row->venue);
    for (int i = 0; i < sim_venue_instrument_count(venue); i++) {
        if (strcmp(sim_venue_market(venue, i)->instrument.symbol, row->symbol) == 0) {
            return i;
        }
    }
    return 0;
}

struct sim_order *truth_order(const struct instrument *row, uint64_t id)
{
    char text[ORDER_ID_TEXT_BYTES + 1] = "";
    order_id_print(text, id);
    return sim_venue_find_client(truth_venue(row->venue), 0, truth_instrument(row), text);
}

/* The engine's unit of a quantity may be finer than the model's. */
static int64_t in_units(const struct instrument *row, int64_t qty)
{
    const struct sim_market *market = sim_venue_market(truth_venue(row->venue), truth_instrument(row));
    return qty * sim_decimal_power(row->qty_decimals - market->instrument.qty_decimals);
}

int64_t truth_position(const struct instrument *row)
{
    return in_units(
        row, sim_venue_account(truth_venue(row->venue), 0)->holding[truth_instrument(row)].position.qty);
}

int64_t truth_executed(const struct instrument *row, const struct sim_order *order)
{
    return in_units(row, order->filled);
}

uint32_t truth_purse(const struct account *account, const char *code)
{
    enum sim_kind kind = account->venue == VENUE_DERIBIT       ? SIM_SPOT
                         : account->product == PRODUCT_INVERSE ? SIM_INVERSE
                                                               : SIM_LINEAR;
    uint32_t at = 0;
    while (at < PURSES_MAX && (purses[at].place != truth_place(account->venue) || purses[at].kind != kind ||
                               strcmp(purses[at].code, code) != 0)) {
        at++;
    }
    return at;
}

const struct sim_cash *truth_cash(uint32_t purse)
{
    return sim_venue_cash(world_venue(purses[purse].place), 0, purses[purse].kind, purses[purse].code);
}

/* Whether an instrument's profit and funding are in a purse. */
static bool in_purse(uint32_t purse, const struct sim_instrument *instrument)
{
    return (purses[purse].kind == SIM_SPOT || purses[purse].kind == instrument->kind) &&
           strcmp(purses[purse].code, instrument->settle) == 0;
}

int64_t truth_paid_e8(uint32_t purse, size_t from)
{
    struct sim_venue *venue = world_venue(purses[purse].place);
    int64_t sum = 0;
    for (size_t i = from; i < sim_venue_payment_count(venue); i++) {
        const struct sim_payment *payment = sim_venue_payment(venue, i);
        if (in_purse(purse, &sim_venue_market(venue, payment->instrument)->instrument)) {
            sum += payment->amount_e8;
        }
    }
    return sum;
}

int64_t truth_paid_lately_e8(uint32_t purse, int64_t for_ns)
{
    struct sim_venue *venue = world_venue(purses[purse].place);
    int64_t sum = 0;
    for (size_t i = 0; i < sim_venue_payment_count(venue); i++) {
        const struct sim_payment *payment = sim_venue_payment(venue, i);
        if (in_purse(purse, &sim_venue_market(venue, payment->instrument)->instrument) &&
            payment->time_ns >= world_venue_ns() - for_ns) {
            sum += payment->amount_e8 < 0 ? -payment->amount_e8 : payment->amount_e8;
        }
    }
    return sum;
}

int64_t truth_accrued_e8(uint32_t purse)
{
    struct sim_venue *venue = world_venue(purses[purse].place);
    int64_t sum = 0;
    for (int i = 0; i < sim_venue_instrument_count(venue); i++) {
        if (in_purse(purse, &sim_venue_market(venue, i)->instrument)) {
            sum +=
                (int64_t)sim_decimal_floor(sim_venue_account(venue, 0)->holding[i].accrued_e16, SIM_CASH_ONE);
        }
    }
    return sum;
}

static double power(int exponent)
{
    return (double)sim_decimal_power(exponent);
}

static double coin_at(struct sim_venue *venue)
{
    double coin = 0;
    for (size_t i = 0; i < sim_venue_fill_count(venue); i++) {
        const struct sim_fill *fill = sim_venue_fill(venue, i);
        const struct sim_instrument *row = &sim_venue_market(venue, fill->instrument)->instrument;
        double sign = fill->side == SIM_BUY ? 1 : -1, qty = (double)fill->qty / power(row->qty_decimals);
        if (row->kind == SIM_INVERSE) {
            coin +=
                sign * (double)row->contract_size * qty * power(row->price_decimals) / (double)fill->price -
                (double)fill->fee_e8 / 1e8;
        } else {
            coin += sign * qty;
        }
    }
    for (size_t i = 0; i < sim_venue_payment_count(venue); i++) {
        const struct sim_payment *payment = sim_venue_payment(venue, i);
        if (sim_venue_market(venue, payment->instrument)->instrument.kind == SIM_INVERSE) {
            coin += (double)payment->amount_e8 / 1e8;
        }
    }
    return coin;
}

double truth_coin(void)
{
    double coin = 0;
    for (enum world_place place = WORLD_BINANCE; place < WORLD_PLACES; place++) {
        coin += world_venue(place) != NULL ? coin_at(world_venue(place)) : 0;
    }
    return coin;
}

uint64_t truth_fills(void)
{
    uint64_t count = 0;
    for (enum world_place place = WORLD_BINANCE; place < WORLD_PLACES; place++) {
        count += world_venue(place) != NULL ? sim_venue_fill_count(world_venue(place)) : 0;
    }
    return count;
}
