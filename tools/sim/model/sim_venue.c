#include "tools/sim/model/sim_venue.h"

#include "tools/sim/model/sim_decimal.h"
#include "tools/sim/model/sim_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Deadlines: marks and checks every MARK_STEP_NS, MARK published every second; funding at each market's
 * next_funding_ns; dead-men at each holding's countdown_ns; good_till_ns of resting orders. */
#define MARK_STEP_NS    INT64_C(100000000)
#define MARK_PUBLISH_NS INT64_C(1000000000)
#define FUNDING_SPAN_NS (INT64_C(8) * 3600 * 1000000000) /* accruing rates are per 8 hours */
#define DAY_NS          (INT64_C(24) * 3600 * 1000000000)
#define SETTLE_PHASE_NS (INT64_C(8) * 3600 * 1000000000) /* 08:00 UTC */
#define FUNDING_DEAD_E8 25000                            /* a premium of up to 0.025 % costs nothing */
#define FUNDING_CAP_E8  500000                           /* 0.5 % per 8 hours */
#define MARK_WEIGHT     10  /* the mark follows the middle with a time constant of 10 steps */
#define INDEX_WEIGHT    100 /* the index with 100 */

void *sim_state_grow(void *memory, size_t *capacity, size_t need, size_t size)
{
    if (need <= *capacity) {
        return memory;
    }
    size_t wanted = *capacity == 0 ? 64 : *capacity * 2;
    wanted = wanted < need ? need : wanted;
    memory = realloc(memory, wanted * size);
    if (memory == NULL) {
        abort();
    }
    *capacity = wanted;
    return memory;
}

struct sim_venue *sim_venue_new(uint64_t seed, enum sim_cancel_ahead cancel_ahead, sim_emit_fn *emit,
                                void *user)
{
    struct sim_venue *venue = calloc(1, sizeof *venue);

    if (venue == NULL) {
        abort();
    }
    venue->emit = emit;
    venue->user = user;
    venue->cancel_ahead = cancel_ahead;
    venue->next_exec_id = INT64_C(112617340246);
    sim_random_seed(&venue->partial_random, seed, 1);
    sim_random_seed(&venue->id_random, seed, 2);
    return venue;
}

void sim_venue_rules(struct sim_venue *venue, const struct sim_rules *rules)
{
    venue->rules = *rules;
}

const struct sim_rules *sim_venue_ruled(const struct sim_venue *venue)
{
    return &venue->rules;
}

void sim_venue_free(struct sim_venue *venue)
{
    if (venue == NULL) {
        return;
    }
    for (int i = 0; i < venue->floor_count; i++) {
        struct sim_floor *floor = venue->floor[i];
        sim_book_free(&floor->market.book);
        for (int side = 0; side < 2; side++) {
            free(floor->resting[side]);
            free(floor->dirty[side].price);
        }
        free(floor->out);
        free(floor);
    }
    for (int i = 0; i < venue->account_count; i++) {
        free(venue->account[i]);
    }
    for (size_t i = 0; i < venue->order_count; i++) {
        free(venue->order[i]);
    }
    free(venue->order);
    free(venue->fill);
    free(venue->transfer);
    free(venue->payment);
    free(venue);
}

int sim_venue_add_instrument(struct sim_venue *venue, const struct sim_instrument *instrument)
{
    if (venue->floor_count == SIM_INSTRUMENT_MAX) {
        return -1;
    }
    struct sim_floor *floor = calloc(1, sizeof *floor);

    if (floor == NULL) {
        abort();
    }
    floor->market.instrument = *instrument;
    floor->market.funding_rate_e8 = instrument->funding_rate_e8;
    floor->next_trade_id = instrument->first_trade_id;
    floor->next_trade_seq = instrument->first_trade_seq;
    if (venue->family_trade_id[instrument->trade_family] == 0) {
        venue->family_trade_id[instrument->trade_family] = instrument->first_trade_id;
    }
    venue->next_order_id[venue->floor_count] = instrument->first_order_id;
    venue->floor[venue->floor_count] = floor;
    return venue->floor_count++;
}

int sim_venue_add_account(struct sim_venue *venue, const char *name)
{
    if (venue->account_count == SIM_ACCOUNT_MAX) {
        return -1;
    }
    struct sim_account *account = calloc(1, sizeof *account);

    if (account == NULL) {
        abort();
    }
    snprintf(account->name, sizeof account->name, "%s", name);
    for (int i = 0; i < SIM_INSTRUMENT_MAX; i++) {
        account->holding[i].leverage = 20;
    }
    venue->account[venue->account_count] = account;
    return venue->account_count++;
}

struct sim_cash *sim_venue_cash(struct sim_venue *venue, int account, enum sim_kind kind, const char *asset)
{
    struct sim_wallet *wallet = &venue->account[account]->wallet[venue->rules.one_wallet ? SIM_SPOT : kind];

    for (int i = 0; i < wallet->count; i++) {
        if (strcmp(wallet->cash[i].asset, asset) == 0) {
            return &wallet->cash[i];
        }
    }
    if (wallet->count == SIM_ASSET_MAX) {
        abort(); /* more assets than any configuration names */
    }
    struct sim_cash *cash = &wallet->cash[wallet->count++];

    snprintf(cash->asset, sizeof cash->asset, "%s", asset);
    return cash;
}

void sim_venue_deposit(struct sim_venue *venue, int account, enum sim_kind kind, const char *asset,
                       int64_t amount_e8, int64_t now_ns)
{
    struct sim_cash *cash = sim_venue_cash(venue, account, kind, asset);

    cash->free_e8 += amount_e8;
    cash->deposited_e8 += amount_e8;
    venue->account[account]->wallet[kind].updated_ns = now_ns;
    if (now_ns > 0) {
        venue->transfer = sim_state_grow(venue->transfer, &venue->transfer_capacity,
                                         venue->transfer_count + 1, sizeof *venue->transfer);
        venue->transfer[venue->transfer_count++] =
            (struct sim_transfer){ .account = account,
                                   .kind = kind,
                                   .asset = cash->asset,
                                   .amount_e8 = amount_e8,
                                   .time_ns = now_ns,
                                   .id = INT64_C(8000000000) + (int64_t)venue->transfer_count };
        struct sim_event event = { .kind = SIM_EVENT_BALANCE, .account = account, .now_ns = now_ns };
        event.instrument = (int)kind; /* which wallet: BALANCE names no instrument */
        event.fee_asset = cash->asset;
        event.pnl_e8 = amount_e8;
        venue->emit(venue->user, &event);
    }
}

/* --- reading ---------------------------------------------------------------------------------------- */

struct sim_market *sim_venue_market(struct sim_venue *venue, int instrument)
{
    return &venue->floor[instrument]->market;
}

struct sim_account *sim_venue_account(struct sim_venue *venue, int account)
{
    return venue->account[account];
}

int sim_venue_instrument_count(const struct sim_venue *venue)
{
    return venue->floor_count;
}

int sim_venue_account_count(const struct sim_venue *venue)
{
    return venue->account_count;
}

size_t sim_venue_order_count(const struct sim_venue *venue)
{
    return venue->order_count;
}

struct sim_order *sim_venue_order(struct sim_venue *venue, size_t index)
{
    return venue->order[index];
}

size_t sim_venue_fill_count(const struct sim_venue *venue)
{
    return venue->fill_count;
}

const struct sim_fill *sim_venue_fill(const struct sim_venue *venue, size_t index)
{
    return &venue->fill[index];
}

size_t sim_venue_transfer_count(const struct sim_venue *venue)
{
    return venue->transfer_count;
}

const struct sim_transfer *sim_venue_transfer(const struct sim_venue *venue, size_t index)
{
    return &venue->transfer[index];
}

size_t sim_venue_payment_count(const struct sim_venue *venue)
{
    return venue->payment_count;
}

const struct sim_payment *sim_venue_payment(const struct sim_venue *venue, size_t index)
{
    return &venue->payment[index];
}

bool sim_venue_live(const struct sim_order *order)
{
    return order->state == SIM_ORDER_NEW || order->state == SIM_ORDER_PARTIALLY_FILLED;
}

void sim_venue_partials(struct sim_venue *venue, int64_t parts_per_million)
{
    venue->partial_ppm = parts_per_million;
}

size_t sim_venue_depth(const struct sim_venue *venue, int instrument, int side, struct sim_level *out,
                       size_t max)
{
    const struct sim_floor *floor = venue->floor[instrument];
    struct sim_walk walk = sim_book_walk(&floor->market.book, side);
    struct sim_level level;
    bool have = sim_book_next(&walk, &level);
    size_t ours = 0, count = 0;

    while (count < max && (have || ours < floor->resting_count[side])) {
        const struct sim_order *order = ours < floor->resting_count[side] ? floor->resting[side][ours] : NULL;

        if (have && (order == NULL || !sim_book_better(side, order->price, level.price))) {
            out[count] = level;
            have = sim_book_next(&walk, &level);
        } else {
            out[count].price = order->price;
            out[count].qty = 0;
        }
        for (; ours < floor->resting_count[side]; ours++) {
            order = floor->resting[side][ours];
            if (order->price != out[count].price) {
                break;
            }
            out[count].qty += order->qty - order->filled;
        }
        count++;
    }
    return count;
}

/* middle_e8 answers the middle of the view (ours excluded, so that no one moves the mark by quoting). */
static int64_t middle_e8(const struct sim_floor *floor)
{
    struct sim_level bid, ask;
    int64_t unit = sim_decimal_power(8 - floor->market.instrument.price_decimals);

    if (!sim_book_best(&floor->market.book, SIM_BUY, &bid) ||
        !sim_book_best(&floor->market.book, SIM_SELL, &ask)) {
        return 0;
    }
    return (bid.price + ask.price) * unit / 2;
}

int64_t sim_venue_unrealised(struct sim_venue *venue, int account, int instrument)
{
    struct sim_floor *floor = venue->floor[instrument];

    return sim_ledger_unrealised(&floor->market.instrument,
                                 &venue->account[account]->holding[instrument].position,
                                 floor->market.mark_e8);
}

/* --- orders by name --------------------------------------------------------------------------------- */

static uint32_t bucket(int account, int instrument, const char *client_id)
{
    uint32_t hash = 2166136261u ^ (uint32_t)(account * 31 + instrument);

    for (; *client_id != '\0'; client_id++) {
        hash = (hash ^ (uint8_t)*client_id) * 16777619u;
    }
    return hash % SIM_HASH_BUCKETS;
}

static void index_client(struct sim_venue *venue, size_t at)
{
    struct sim_order *order = venue->order[at];
    uint32_t *head = &venue->hash[bucket(order->account, order->instrument, order->client_id)];

    order->next_same_hash = *head;
    *head = (uint32_t)at + 1;
}

static void unindex_client(struct sim_venue *venue, struct sim_order *order)
{
    uint32_t *link = &venue->hash[bucket(order->account, order->instrument, order->client_id)];

    while (*link != 0 && venue->order[*link - 1] != order) {
        link = &venue->order[*link - 1]->next_same_hash;
    }
    if (*link != 0) {
        *link = order->next_same_hash;
    }
}

struct sim_order *sim_venue_find_client(struct sim_venue *venue, int account, int instrument,
                                        const char *client_id)
{
    for (uint32_t at = venue->hash[bucket(account, instrument, client_id)]; at != 0;
         at = venue->order[at - 1]->next_same_hash) {
        struct sim_order *order = venue->order[at - 1];
        if (order->account == account && order->instrument == instrument &&
            strcmp(order->client_id, client_id) == 0) {
            return order;
        }
    }
    return NULL;
}

struct sim_order *sim_venue_find_id(struct sim_venue *venue, int account, int instrument, uint64_t id)
{
    for (size_t i = venue->order_count; i > 0; i--) { /* the wanted one is almost always recent */
        struct sim_order *order = venue->order[i - 1];
        if (order->id == id && order->instrument == instrument) {
            return order->account == account ? order : NULL;
        }
    }
    return NULL;
}

/* --- reports ---------------------------------------------------------------------------------------- */

static void report(struct sim_venue *venue, const struct sim_order *order, enum sim_exec exec, int64_t now_ns)
{
    struct sim_event event = { .kind = SIM_EVENT_ORDER, .instrument = order->instrument };

    event.account = order->account;
    event.now_ns = now_ns;
    event.order = order;
    event.exec = exec;
    event.exec_id = venue->next_exec_id++;
    venue->emit(venue->user, &event);
}

void sim_state_lock(struct sim_venue *venue, struct sim_order *order)
{
    const struct sim_instrument *instrument = &venue->floor[order->instrument]->market.instrument;

    if (instrument->kind != SIM_SPOT) {
        return;
    }
    int64_t left = sim_venue_live(order) && !order->market ? order->qty - order->filled : 0;
    bool buys = order->side == SIM_BUY;
    int64_t wanted = buys ? (int64_t)(sim_ledger_value(instrument, left, order->price) / SIM_CASH_ONE)
                          : left * sim_decimal_power(8 - instrument->qty_decimals);
    struct sim_cash *cash =
        sim_venue_cash(venue, order->account, SIM_SPOT, buys ? instrument->quote : instrument->base);

    cash->free_e8 += order->locked_e8 - wanted;
    cash->locked_e8 += wanted - order->locked_e8;
    order->locked_e8 = wanted;
}

int64_t sim_state_fillable(struct sim_venue *venue, const struct sim_order *order)
{
    int64_t left = order->qty - order->filled;

    if (order->reduce_only) {
        int64_t held = venue->account[order->account]->holding[order->instrument].position.qty;
        int64_t reducible = order->side == SIM_SELL ? held : -held;
        reducible = reducible > 0 ? reducible : 0;
        left = left < reducible ? left : reducible;
    }
    return left;
}

/* accrue adds the funding of the time since the last look: rate x position x elapsed / 8 h, at 10^-16. */
static void accrue(const struct sim_market *market, struct sim_holding *holding, int64_t now_ns)
{
    int64_t elapsed = now_ns - holding->accrued_ns;
    int64_t held = holding->position.qty < 0 ? -holding->position.qty : holding->position.qty;

    holding->accrued_ns = now_ns;
    if (held == 0 || elapsed <= 0 || market->instrument.funding_interval_ns == 0 || market->mark_e8 == 0) {
        return;
    }
    /* value / 10^8 keeps 128 bits wide enough for any rate and a day without a look */
    __int128 value_e8 = sim_ledger_value_at(&market->instrument, held, market->mark_e8) / SIM_CASH_ONE;
    __int128 pays = value_e8 * market->funding_rate_e8 * (holding->position.qty < 0 ? -1 : 1);

    holding->accrued_e16 += sim_decimal_floor(-pays * elapsed, FUNDING_SPAN_NS);
}

void sim_state_fill(struct sim_venue *venue, struct sim_order *order, int64_t qty, int64_t price, bool maker,
                    bool forced, int64_t trade_id, int64_t now_ns)
{
    const struct sim_instrument *instrument = &venue->floor[order->instrument]->market.instrument;
    struct sim_account *account = venue->account[order->account];
    struct sim_holding *holding = &account->holding[order->instrument];
    bool buys = order->side == SIM_BUY;
    int64_t rate = maker ? instrument->maker_rate_e8 : instrument->taker_rate_e8;
    int64_t before = holding->position.qty;

    if (venue->rules.accrues) {
        accrue(&venue->floor[order->instrument]->market, holding, now_ns);
    }
    struct sim_booking booking =
        sim_ledger_fill(instrument, &holding->position, buys ? qty : -qty, price, rate);
    const char *fee_asset = instrument->settle;
    int64_t after = holding->position.qty;

    if (before != 0 && ((before < 0) != (after < 0) || after == 0)) {
        holding->settled_unrealised_e8 = 0;
    } else if ((before < 0 ? -before : before) > (after < 0 ? -after : after)) {
        holding->settled_unrealised_e8 = (int64_t)((__int128)holding->settled_unrealised_e8 * after / before);
    }
    order->filled += qty;
    order->filled_sum.qty += qty;
    order->filled_sum.basis_e16 += sim_ledger_value(instrument, qty, price);
    order->state = order->filled == order->qty ? SIM_ORDER_FILLED : SIM_ORDER_PARTIALLY_FILLED;
    order->updated_ns = now_ns;

    if (instrument->kind == SIM_SPOT) {
        struct sim_cash *base = sim_venue_cash(venue, order->account, SIM_SPOT, instrument->base);
        struct sim_cash *quote = sim_venue_cash(venue, order->account, SIM_SPOT, instrument->quote);
        int64_t base_e8 = qty * sim_decimal_power(8 - instrument->qty_decimals);

        sim_state_lock(venue, order);
        if (buys) {
            /* The fee is charged in what is received, so a buyer holds less than it bought. */
            __int128 exact = (__int128)base_e8 * rate;
            fee_asset = instrument->base;
            booking.fee_e8 = (int64_t)(exact / SIM_CASH_ONE);
            base->free_e8 += base_e8 - booking.fee_e8;
            quote->free_e8 -= booking.value_e8;
            holding->base_fees_e8 += booking.fee_e8;
        } else {
            base->free_e8 -= base_e8;
            quote->free_e8 += booking.value_e8 - booking.fee_e8;
            holding->fees_e8 += booking.fee_e8;
        }
    } else {
        struct sim_cash *cash = sim_venue_cash(venue, order->account, instrument->kind, instrument->settle);
        cash->free_e8 += booking.pnl_e8 - booking.fee_e8;
        holding->fees_e8 += booking.fee_e8;
        holding->rounding_e16 += booking.rounding_e16;
    }
    holding->realised_e8 += booking.pnl_e8;
    holding->fills++;
    holding->maker_fills += maker;
    *(buys ? &holding->bought : &holding->sold) += qty;
    holding->updated_ns = now_ns;
    account->wallet[instrument->kind].updated_ns = now_ns;

    enum sim_exec exec = forced ? SIM_EXEC_CALCULATED : SIM_EXEC_TRADE;
    venue->fill =
        sim_state_grow(venue->fill, &venue->fill_capacity, venue->fill_count + 1, sizeof *venue->fill);
    struct sim_fill *fill = &venue->fill[venue->fill_count++];
    const struct sim_seq *seq = &venue->floor[order->instrument]->recent_seq[trade_id % SIM_SEQ_MAX];
    *fill = (struct sim_fill){ .trade_id = trade_id,
                               .trade_seq = seq->id == trade_id ? seq->seq : 0,
                               .order_id = order->id,
                               .account = order->account,
                               .instrument = order->instrument,
                               .side = order->side,
                               .exec = exec,
                               .price = price,
                               .qty = qty,
                               .value_e8 = booking.value_e8,
                               .fee_e8 = booking.fee_e8,
                               .pnl_e8 = booking.pnl_e8,
                               .maker = maker,
                               .time_ns = now_ns };
    memcpy(fill->fee_asset, fee_asset, sizeof fill->fee_asset);

    struct sim_event event = { .kind = SIM_EVENT_ORDER, .instrument = order->instrument };
    event.account = order->account;
    event.now_ns = now_ns;
    event.order = order;
    event.exec = exec;
    event.exec_id = venue->next_exec_id++;
    event.trade_id = trade_id;
    event.trade_seq = fill->trade_seq;
    event.price = price;
    event.qty = qty;
    event.maker = maker;
    event.fee_e8 = booking.fee_e8;
    event.fee_asset = fee_asset;
    event.pnl_e8 = booking.pnl_e8;
    venue->emit(venue->user, &event);
}

void sim_state_close(struct sim_venue *venue, struct sim_order *order, enum sim_order_state state,
                     enum sim_expiry expiry, int64_t now_ns)
{
    sim_match_leave(venue, order);
    order->state = state;
    order->expiry = expiry;
    order->updated_ns = now_ns;
    sim_state_lock(venue, order);
    report(venue, order, state == SIM_ORDER_CANCELED ? SIM_EXEC_CANCELED : SIM_EXEC_EXPIRED, now_ns);
}

void sim_state_settle_reduce_only(struct sim_venue *venue, int instrument, int64_t now_ns)
{
    struct sim_floor *floor = venue->floor[instrument];

    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < floor->resting_count[side];) {
            struct sim_order *order = floor->resting[side][i];
            if (order->reduce_only && sim_state_fillable(venue, order) == 0) {
                sim_state_close(venue, order, SIM_ORDER_EXPIRED, SIM_EXPIRY_REDUCE_ONLY, now_ns);
            } else {
                i++;
            }
        }
    }
}

/* --- margin ----------------------------------------------------------------------------------------- */

static int64_t absolute(int64_t value)
{
    return value < 0 ? -value : value;
}

static int64_t mark_or_middle(const struct sim_floor *floor)
{
    return floor->market.mark_e8 != 0 ? floor->market.mark_e8 : middle_e8(floor);
}

/* worst answers the largest position an account can reach here if one side of its orders all fill. */
static int64_t worst(struct sim_venue *venue, int account, int instrument, int64_t extra_buy,
                     int64_t extra_sell)
{
    struct sim_floor *floor = venue->floor[instrument];
    int64_t held = venue->account[account]->holding[instrument].position.qty;
    int64_t open[2] = { extra_buy, extra_sell };

    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < floor->resting_count[side]; i++) {
            const struct sim_order *order = floor->resting[side][i];
            if (order->account == account && !order->reduce_only) {
                open[side] += order->qty - order->filled;
            }
        }
    }
    int64_t up = absolute(held + open[SIM_BUY]), down = absolute(held - open[SIM_SELL]);
    int64_t most = up > down ? up : down;

    return most > absolute(held) ? most : absolute(held);
}

static int64_t margin_of(const struct sim_floor *floor, int64_t qty, int leverage)
{
    __int128 value =
        sim_ledger_value_at(&floor->market.instrument, qty, mark_or_middle(floor)) / SIM_CASH_ONE;

    return (int64_t)((value + leverage - 1) / leverage);
}

/* in_pot is true of an instrument whose profit and margin are in one wallet's asset. */
static bool in_pot(const struct sim_venue *venue, const struct sim_instrument *instrument, enum sim_kind kind,
                   const char *asset)
{
    bool fits = venue->rules.one_wallet ? instrument->kind != SIM_SPOT : instrument->kind == kind;

    return fits && strcmp(instrument->settle, asset) == 0;
}

void sim_venue_margin(struct sim_venue *venue, int account, enum sim_kind kind, const char *asset,
                      int64_t *position_initial_e8, int64_t *order_initial_e8, int64_t *maintenance_e8)
{
    int64_t position = 0, orders = 0, maintenance = 0;

    for (int i = 0; i < venue->floor_count; i++) {
        struct sim_floor *floor = venue->floor[i];
        const struct sim_holding *holding = &venue->account[account]->holding[i];
        int64_t held = absolute(holding->position.qty);

        if (!in_pot(venue, &floor->market.instrument, kind, asset)) {
            continue;
        }
        int64_t own = margin_of(floor, held, holding->leverage);
        position += own;
        orders += margin_of(floor, worst(venue, account, i, 0, 0), holding->leverage) - own;
        maintenance += (int64_t)(sim_ledger_value_at(&floor->market.instrument, held, mark_or_middle(floor)) /
                                 SIM_CASH_ONE * floor->market.instrument.maintenance_rate_e8 / SIM_CASH_ONE);
    }
    if (position_initial_e8 != NULL) {
        *position_initial_e8 = position;
    }
    if (order_initial_e8 != NULL) {
        *order_initial_e8 = orders;
    }
    if (maintenance_e8 != NULL) {
        *maintenance_e8 = maintenance;
    }
}

int64_t sim_venue_equity(struct sim_venue *venue, int account, enum sim_kind kind, const char *asset)
{
    int64_t sum = sim_venue_cash(venue, account, kind, asset)->free_e8;

    for (int i = 0; i < venue->floor_count; i++) {
        const struct sim_instrument *instrument = &venue->floor[i]->market.instrument;
        if (in_pot(venue, instrument, kind, asset)) {
            sum += sim_venue_unrealised(venue, account, i);
            sum += (int64_t)sim_decimal_floor(venue->account[account]->holding[i].accrued_e16, SIM_CASH_ONE);
        }
    }
    return sum;
}

/* margin_allows is true when the account can carry the order, or when the order adds to no worst case. */
static bool margin_allows(struct sim_venue *venue, int account, int instrument, enum sim_side side,
                          int64_t qty)
{
    struct sim_floor *floor = venue->floor[instrument];
    const struct sim_instrument *contract = &floor->market.instrument;
    int leverage = venue->account[account]->holding[instrument].leverage;
    int64_t position, orders;
    int64_t before = margin_of(floor, worst(venue, account, instrument, 0, 0), leverage);
    int64_t after = margin_of(
        floor, worst(venue, account, instrument, side == SIM_BUY ? qty : 0, side == SIM_SELL ? qty : 0),
        leverage);

    if (after <= before) {
        return true;
    }
    sim_venue_margin(venue, account, contract->kind, contract->settle, &position, &orders, NULL);
    return position + orders - before + after <=
           sim_venue_equity(venue, account, contract->kind, contract->settle);
}

/* --- orders ----------------------------------------------------------------------------------------- */

static enum sim_reject check_price(const struct sim_market *market, int64_t price)
{
    const struct sim_instrument *instrument = &market->instrument;

    if (price <= 0) {
        return SIM_REJECT_PRICE_ZERO;
    }
    if (price < instrument->min_price) {
        return SIM_REJECT_PRICE_LOW;
    }
    if (price > instrument->max_price) {
        return SIM_REJECT_PRICE_BIG;
    }
    if (price % instrument->tick != 0) {
        return SIM_REJECT_PRICE_TICK;
    }
    if (market->mark_e8 != 0 && instrument->band_ppm != 0) {
        __int128 at = (__int128)price * sim_decimal_power(8 - instrument->price_decimals) * 1000000;
        if (at > (__int128)market->mark_e8 * (1000000 + instrument->band_ppm)) {
            return SIM_REJECT_BAND_HIGH;
        }
        if (at < (__int128)market->mark_e8 * (1000000 - instrument->band_ppm)) {
            return SIM_REJECT_BAND_LOW;
        }
    }
    return SIM_ACCEPTED;
}

static enum sim_reject check_qty(const struct sim_instrument *instrument, int64_t qty, bool market)
{
    if (qty <= 0) {
        return SIM_REJECT_QTY_ZERO;
    }
    if (qty < instrument->min_qty) {
        return SIM_REJECT_QTY_MIN;
    }
    if (qty > (market ? instrument->max_market_qty : instrument->max_qty)) {
        return SIM_REJECT_QTY_MAX;
    }
    return qty % instrument->step != 0 ? SIM_REJECT_QTY_STEP : SIM_ACCEPTED;
}

static enum sim_reject check_notional(const struct sim_floor *floor, int64_t qty, int64_t price,
                                      bool reduce_only)
{
    const struct sim_instrument *instrument = &floor->market.instrument;

    if (instrument->min_notional_e8 == 0 || reduce_only) {
        return SIM_ACCEPTED;
    }
    __int128 notional = price > 0 ? sim_ledger_value(instrument, qty, price)
                                  : sim_ledger_value_at(instrument, qty, mark_or_middle(floor));

    return notional / SIM_CASH_ONE < instrument->min_notional_e8 ? SIM_REJECT_NOTIONAL : SIM_ACCEPTED;
}

/* spendable answers the quantity (in steps) that an amount of quote buys from the book now. */
static int64_t spendable(const struct sim_floor *floor, int64_t spend_e8)
{
    const struct sim_instrument *instrument = &floor->market.instrument;
    struct sim_walk walk = sim_book_walk(&floor->market.book, SIM_SELL);
    __int128 left = (__int128)spend_e8 * SIM_CASH_ONE;
    struct sim_level level;
    int64_t qty = 0;

    while (left > 0 && sim_book_next(&walk, &level)) {
        __int128 cost = sim_ledger_value(instrument, level.qty, level.price);
        if (cost > left) {
            __int128 one = sim_ledger_value(instrument, instrument->step, level.price);
            return qty + (int64_t)(left / one) * instrument->step;
        }
        left -= cost;
        qty += level.qty;
    }
    return qty;
}

/* cost answers what taking qty would cost, for the balance check of a market buy. */
static int64_t cost_e8(const struct sim_floor *floor, int64_t qty)
{
    struct sim_walk walk = sim_book_walk(&floor->market.book, SIM_SELL);
    struct sim_level level;
    __int128 sum = 0;

    while (qty > 0 && sim_book_next(&walk, &level)) {
        int64_t take = level.qty < qty ? level.qty : qty;
        sum += sim_ledger_value(&floor->market.instrument, take, level.price);
        qty -= take;
    }
    return (int64_t)(sum / SIM_CASH_ONE);
}

/* spendable_e8 answers what spot may spend: the free balance, and where contracts share the wallet no more
 * than what their margin leaves. */
static int64_t spendable_e8(struct sim_venue *venue, int account, const struct sim_cash *cash)
{
    int64_t position, orders;

    if (!venue->rules.one_wallet) {
        return cash->free_e8;
    }
    sim_venue_margin(venue, account, SIM_SPOT, cash->asset, &position, &orders, NULL);
    int64_t left = sim_venue_equity(venue, account, SIM_SPOT, cash->asset) - position - orders;

    return left < cash->free_e8 ? left : cash->free_e8;
}

static enum sim_reject check_funds(struct sim_venue *venue, const struct sim_place *place, int64_t qty)
{
    struct sim_floor *floor = venue->floor[place->instrument];
    const struct sim_instrument *instrument = &floor->market.instrument;

    if (instrument->kind == SIM_SPOT) {
        bool buys = place->side == SIM_BUY;
        int64_t needed = !buys ? qty * sim_decimal_power(8 - instrument->qty_decimals)
                         : place->market
                             ? cost_e8(floor, qty)
                             : (int64_t)(sim_ledger_value(instrument, qty, place->price) / SIM_CASH_ONE);
        struct sim_cash *cash =
            sim_venue_cash(venue, place->account, SIM_SPOT, buys ? instrument->quote : instrument->base);

        return needed > spendable_e8(venue, place->account, cash) ? SIM_REJECT_BALANCE : SIM_ACCEPTED;
    }
    if (place->reduce_only) {
        int64_t held = venue->account[place->account]->holding[place->instrument].position.qty;
        bool reduces = place->side == SIM_SELL ? held > 0 : held < 0;

        return reduces ? SIM_ACCEPTED : SIM_REJECT_REDUCE_ONLY;
    }
    return margin_allows(venue, place->account, place->instrument, place->side, qty) ? SIM_ACCEPTED
                                                                                     : SIM_REJECT_MARGIN;
}

static int open_orders(const struct sim_floor *floor, int account)
{
    int count = 0;

    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < floor->resting_count[side]; i++) {
            count += floor->resting[side][i]->account == account;
        }
    }
    return count;
}

static enum sim_reject check_place(struct sim_venue *venue, const struct sim_place *place, int64_t qty)
{
    struct sim_floor *floor = venue->floor[place->instrument];
    struct sim_market *market = &floor->market;
    enum sim_reject reject = SIM_ACCEPTED;

    if (market->halted) {
        return SIM_REJECT_HALTED;
    }
    if (place->client_id != NULL && !venue->rules.names_repeat) {
        struct sim_order *same =
            sim_venue_find_client(venue, place->account, place->instrument, place->client_id);
        if (same != NULL && sim_venue_live(same)) {
            return SIM_REJECT_DUPLICATE;
        }
    }
    if (!place->market && (reject = check_price(market, place->price)) != SIM_ACCEPTED) {
        return reject;
    }
    if ((reject = check_qty(&market->instrument, qty, place->market)) != SIM_ACCEPTED) {
        return reject;
    }
    if ((reject = check_notional(floor, qty, place->market ? 0 : place->price, place->reduce_only)) !=
        SIM_ACCEPTED) {
        return reject;
    }
    if (place->market && sim_match_available(venue, place->instrument, place->side, true, 0, qty) == 0) {
        return SIM_REJECT_NO_BOOK;
    }
    if ((reject = check_funds(venue, place, qty)) != SIM_ACCEPTED) {
        return reject;
    }
    if (!place->market && open_orders(floor, place->account) >= market->instrument.max_orders) {
        return SIM_REJECT_MAX_ORDERS;
    }
    bool takes = !place->market && sim_match_would_take(venue, place->instrument, place->side, place->price);
    if (place->post_only && takes && !place->post_only_expires) {
        return SIM_REJECT_POST_ONLY;
    }
    if (place->tif == SIM_FOK && market->instrument.kind != SIM_SPOT && !venue->rules.fok_expires &&
        sim_match_available(venue, place->instrument, place->side, place->market, place->price, qty) < qty) {
        return SIM_REJECT_FOK;
    }
    return SIM_ACCEPTED;
}

static struct sim_order *new_order(struct sim_venue *venue, const struct sim_place *place, int64_t qty,
                                   int64_t now_ns)
{
    struct sim_order *order = calloc(1, sizeof *order);

    if (order == NULL) {
        abort();
    }
    order->id = venue->next_order_id[place->instrument]++;
    order->index = venue->order_count;
    if (place->client_id != NULL) {
        snprintf(order->client_id, sizeof order->client_id, "%s", place->client_id);
    } else {
        static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        for (int i = 0; i < 22; i++) {
            order->client_id[i] = letters[sim_random_range(&venue->id_random, 0, 61)];
        }
    }
    order->account = place->account;
    order->instrument = place->instrument;
    order->side = place->side;
    order->tif = place->tif;
    order->stp = place->stp;
    order->market = place->market;
    order->post_only = place->post_only;
    order->reduce_only = place->reduce_only;
    order->price = place->market ? 0 : place->price;
    order->qty = qty;
    order->created_ns = order->updated_ns = now_ns;
    order->good_till_ns = place->good_till_ns;
    venue->order =
        sim_state_grow(venue->order, &venue->order_capacity, venue->order_count + 1, sizeof *venue->order);
    venue->order[venue->order_count++] = order;
    index_client(venue, venue->order_count - 1);
    return order;
}

/* finish settles what an arriving order did not fill, and publishes what the arrival changed. */
static void finish(struct sim_venue *venue, struct sim_order *order, int64_t now_ns)
{
    if (sim_venue_live(order)) {
        if (order->reduce_only && sim_state_fillable(venue, order) == 0) {
            sim_state_close(venue, order, SIM_ORDER_EXPIRED, SIM_EXPIRY_REDUCE_ONLY, now_ns);
        } else if (order->market) {
            sim_state_close(venue, order, SIM_ORDER_EXPIRED, SIM_EXPIRY_MARKET, now_ns);
        } else if (order->tif == SIM_IOC) {
            sim_state_close(venue, order, SIM_ORDER_EXPIRED, SIM_EXPIRY_IOC, now_ns);
        } else {
            sim_match_rest(venue, order);
        }
    }
    sim_state_settle_reduce_only(venue, order->instrument, now_ns);
    sim_publish_depth(venue, order->instrument, NULL, now_ns);
    sim_publish_top(venue, order->instrument, 0, now_ns);
}

enum sim_reject sim_venue_place(struct sim_venue *venue, const struct sim_place *place, int64_t now_ns,
                                struct sim_order **result)
{
    struct sim_floor *floor = venue->floor[place->instrument];
    int64_t qty = place->spend_e8 > 0 ? spendable(floor, place->spend_e8) : place->qty;
    enum sim_reject reject = check_place(venue, place, qty);

    if (reject != SIM_ACCEPTED) {
        venue->account[place->account]->rejects++;
        return reject;
    }
    bool takes = !place->market && sim_match_would_take(venue, place->instrument, place->side, place->price);
    struct sim_order *order = new_order(venue, place, qty, now_ns);

    *result = order;
    venue->account[place->account]->orders++;
    sim_state_lock(venue, order);
    report(venue, order, SIM_EXEC_NEW, now_ns);
    if (place->post_only && takes) {
        sim_state_close(venue, order, SIM_ORDER_EXPIRED, SIM_EXPIRY_POST_ONLY, now_ns);
        return SIM_REJECT_POST_ONLY;
    }
    if (place->tif == SIM_FOK &&
        sim_match_available(venue, place->instrument, place->side, place->market, place->price, qty) < qty) {
        sim_state_close(venue, order, SIM_ORDER_EXPIRED, SIM_EXPIRY_FOK, now_ns);
        return SIM_ACCEPTED;
    }
    sim_match_take(venue, order, false, now_ns);
    finish(venue, order, now_ns);
    return SIM_ACCEPTED;
}

enum sim_reject sim_venue_cancel(struct sim_venue *venue, struct sim_order *order, int64_t now_ns)
{
    if (order == NULL || !sim_venue_live(order)) {
        return SIM_REJECT_NO_ORDER;
    }
    venue->account[order->account]->cancels++;
    sim_state_close(venue, order, SIM_ORDER_CANCELED, SIM_EXPIRY_NONE, now_ns);
    sim_publish_depth(venue, order->instrument, NULL, now_ns);
    sim_publish_top(venue, order->instrument, 0, now_ns);
    return SIM_ACCEPTED;
}

int sim_venue_cancel_all(struct sim_venue *venue, int account, int instrument, int64_t now_ns)
{
    struct sim_floor *floor = venue->floor[instrument];
    int count = 0;

    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < floor->resting_count[side];) {
            struct sim_order *order = floor->resting[side][i];
            if (order->account != account) {
                i++;
                continue;
            }
            venue->account[account]->cancels++;
            sim_state_close(venue, order, SIM_ORDER_CANCELED, SIM_EXPIRY_NONE, now_ns);
            count++;
        }
    }
    sim_publish_depth(venue, instrument, NULL, now_ns);
    sim_publish_top(venue, instrument, 0, now_ns);
    return count;
}

/* spot_allows is true when the balance carries a spot order at its new price and quantity. */
static bool spot_allows(struct sim_venue *venue, const struct sim_order *order, int64_t price, int64_t qty)
{
    const struct sim_instrument *instrument = &venue->floor[order->instrument]->market.instrument;
    bool buys = order->side == SIM_BUY;
    int64_t left = qty > order->filled ? qty - order->filled : 0;
    int64_t needed = buys ? (int64_t)(sim_ledger_value(instrument, left, price) / SIM_CASH_ONE)
                          : left * sim_decimal_power(8 - instrument->qty_decimals);
    const struct sim_cash *cash =
        sim_venue_cash(venue, order->account, SIM_SPOT, buys ? instrument->quote : instrument->base);

    return needed - order->locked_e8 <= spendable_e8(venue, order->account, cash);
}

enum sim_reject sim_venue_modify(struct sim_venue *venue, struct sim_order *order, int64_t price, int64_t qty,
                                 int64_t now_ns)
{
    if (order == NULL || !sim_venue_live(order)) {
        return SIM_REJECT_NO_ORDER;
    }
    struct sim_floor *floor = venue->floor[order->instrument];
    enum sim_reject reject = SIM_ACCEPTED;

    if (floor->market.halted) {
        return SIM_REJECT_HALTED;
    }
    if (price == order->price && qty == order->qty) {
        return SIM_REJECT_NO_CHANGE;
    }
    if (order->amends >= floor->market.instrument.max_amends) {
        return SIM_REJECT_MAX_AMENDS;
    }
    if ((reject = check_price(&floor->market, price)) != SIM_ACCEPTED ||
        (reject = check_qty(&floor->market.instrument, qty, false)) != SIM_ACCEPTED ||
        (reject = check_notional(floor, qty, price, order->reduce_only)) != SIM_ACCEPTED) {
        return reject;
    }
    int64_t more = qty - order->qty;
    bool spot = floor->market.instrument.kind == SIM_SPOT;
    if (spot && !spot_allows(venue, order, price, qty)) {
        return SIM_REJECT_BALANCE;
    }
    if (!spot && more > 0 && !order->reduce_only &&
        !margin_allows(venue, order->account, order->instrument, order->side, more)) {
        return SIM_REJECT_MARGIN;
    }
    bool takes = sim_match_would_take(venue, order->instrument, order->side, price);

    venue->account[order->account]->amends++;
    if (qty <= order->filled || (order->post_only && takes)) {
        sim_state_close(venue, order, SIM_ORDER_CANCELED, SIM_EXPIRY_NONE, now_ns);
        sim_publish_depth(venue, order->instrument, NULL, now_ns);
        sim_publish_top(venue, order->instrument, 0, now_ns);
        return SIM_ACCEPTED;
    }
    sim_match_leave(venue, order);
    order->price = price;
    order->qty = qty;
    order->amends++;
    order->updated_ns = now_ns;
    sim_state_lock(venue, order);
    report(venue, order, SIM_EXEC_AMENDED, now_ns);
    sim_match_take(venue, order, false, now_ns);
    finish(venue, order, now_ns);
    return SIM_ACCEPTED;
}

enum sim_reject sim_venue_reduce(struct sim_venue *venue, struct sim_order *order, int64_t qty,
                                 const char *client_id, int64_t now_ns)
{
    if (order == NULL || !sim_venue_live(order)) {
        return SIM_REJECT_NO_ORDER;
    }
    struct sim_floor *floor = venue->floor[order->instrument];
    enum sim_reject reject = check_qty(&floor->market.instrument, qty, false);

    if (reject != SIM_ACCEPTED) {
        return reject;
    }
    if (qty >= order->qty || qty <= order->filled) {
        return SIM_REJECT_AMEND_QTY;
    }
    if (order->amends >= floor->market.instrument.max_amends) {
        return SIM_REJECT_MAX_AMENDS;
    }
    venue->account[order->account]->amends++;
    snprintf(order->prior_client_id, sizeof order->prior_client_id, "%s", order->client_id);
    if (client_id != NULL) {
        size_t at = 0;
        while (venue->order[at] != order) {
            at++;
        }
        unindex_client(venue, order);
        snprintf(order->client_id, sizeof order->client_id, "%s", client_id);
        index_client(venue, at);
    }
    order->qty = qty;
    order->amends++;
    order->updated_ns = now_ns;
    sim_state_lock(venue, order);
    sim_publish_dirty(floor, order->side, order->price);
    report(venue, order, SIM_EXEC_REPLACED, now_ns);
    sim_publish_depth(venue, order->instrument, NULL, now_ns);
    sim_publish_top(venue, order->instrument, 0, now_ns);
    return SIM_ACCEPTED;
}

size_t sim_venue_open(const struct sim_venue *venue, int account, int instrument, struct sim_order **out,
                      size_t max)
{
    const struct sim_floor *floor = venue->floor[instrument];
    size_t count = 0;

    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < floor->resting_count[side] && count < max; i++) {
            struct sim_order *order = floor->resting[side][i];
            size_t at = count;
            if (order->account != account) {
                continue;
            }
            for (; at > 0 && out[at - 1]->id > order->id; at--) {
                out[at] = out[at - 1];
            }
            out[at] = order;
            count++;
        }
    }
    return count;
}

void sim_venue_countdown(struct sim_venue *venue, int account, int instrument, int64_t deadline_ns)
{
    venue->account[account]->holding[instrument].countdown_ns = deadline_ns;
}

void sim_venue_liquidate(struct sim_venue *venue, int account, int instrument, int64_t now_ns)
{
    struct sim_holding *holding = &venue->account[account]->holding[instrument];
    char client_id[SIM_CLIENT_ID_MAX];
    struct sim_place place = { .account = account, .instrument = instrument, .client_id = client_id };

    if (holding->position.qty == 0) {
        return;
    }
    snprintf(client_id, sizeof client_id, "autoclose-%lld", (long long)(now_ns / 1000000));
    sim_venue_cancel_all(venue, account, instrument, now_ns);
    place.side = holding->position.qty > 0 ? SIM_SELL : SIM_BUY;
    place.tif = SIM_IOC;
    place.market = true;
    place.reduce_only = true;

    struct sim_order *order = new_order(venue, &place, absolute(holding->position.qty), now_ns);

    venue->account[account]->liquidations++;
    report(venue, order, SIM_EXEC_NEW, now_ns);
    sim_match_take(venue, order, true, now_ns);
    if (sim_venue_live(order)) {
        sim_state_close(venue, order, SIM_ORDER_EXPIRED, SIM_EXPIRY_LIQUIDATION, now_ns);
    }
    sim_publish_depth(venue, instrument, NULL, now_ns);
    sim_publish_top(venue, instrument, 0, now_ns);
}

void sim_venue_deleverage(struct sim_venue *venue, int account, int instrument, int64_t share_ppm,
                          int64_t now_ns)
{
    struct sim_holding *holding = &venue->account[account]->holding[instrument];
    struct sim_market *market = &venue->floor[instrument]->market;
    const struct sim_instrument *contract = &market->instrument;
    int64_t held = absolute(holding->position.qty);
    int64_t qty = (int64_t)((__int128)held * share_ppm / 1000000) / contract->step * contract->step;
    int64_t price =
        market->mark_e8 / sim_decimal_power(8 - contract->price_decimals) / contract->tick * contract->tick;
    struct sim_place place = { .account = account, .instrument = instrument, .client_id = "adl_autoclose" };

    if (qty <= 0 || price <= 0) {
        return;
    }
    place.side = holding->position.qty > 0 ? SIM_SELL : SIM_BUY;
    place.tif = SIM_IOC;
    place.price = price;
    place.reduce_only = true;

    struct sim_order *order = new_order(venue, &place, qty, now_ns);
    struct sim_floor *floor = venue->floor[instrument];
    int64_t *next =
        contract->trade_family == 0 ? &floor->next_trade_id : &venue->family_trade_id[contract->trade_family];
    int64_t id = (*next)++;

    floor->recent_seq[id % SIM_SEQ_MAX] = (struct sim_seq){ id, floor->next_trade_seq++ };
    venue->account[account]->liquidations++;
    report(venue, order, SIM_EXEC_NEW, now_ns);
    sim_state_fill(venue, order, qty, price, false, true, id, now_ns);
    sim_state_settle_reduce_only(venue, instrument, now_ns);
}

/* --- the recording ---------------------------------------------------------------------------------- */

/* own_equity_e8 answers what an account has made here so far, valued at the middle of the book. */
static int64_t own_equity_e8(struct sim_venue *venue, int account, int instrument)
{
    struct sim_floor *floor = venue->floor[instrument];
    const struct sim_holding *holding = &venue->account[account]->holding[instrument];
    int64_t middle = middle_e8(floor);
    __int128 base_fee = (__int128)holding->base_fees_e8 * middle / SIM_CASH_ONE;

    return holding->realised_e8 + holding->funding_e8 - holding->fees_e8 - (int64_t)base_fee +
           sim_ledger_unrealised(&floor->market.instrument, &holding->position, middle);
}

void sim_venue_tape(struct sim_venue *venue, const struct sim_tape_event *event, bool priming, int64_t now_ns)
{
    struct sim_floor *floor = venue->floor[event->instrument];
    struct sim_market *market = &floor->market;

    switch (event->kind) {
    case SIM_TAPE_SNAPSHOT:
        sim_book_snapshot(&market->book, event);
        break;
    case SIM_TAPE_DEPTH:
        if (priming || !market->live) {
            sim_book_depth(&market->book, event);
        } else {
            sim_match_depth(venue, event, now_ns);
        }
        break;
    case SIM_TAPE_TOP:
        if (priming || !market->live) {
            sim_book_top(&market->book, event);
        } else {
            sim_match_top(venue, event, now_ns);
        }
        break;
    case SIM_TAPE_TRADE:
        if (!priming && market->live) {
            sim_match_trade(venue, event, now_ns);
        }
        break;
    case SIM_TAPE_END:
        if (market->live) {
            market->live = false;
            floor->ended = true;
            for (int i = 0; i < venue->account_count; i++) {
                floor->equity_e8[i] = own_equity_e8(venue, i, event->instrument);
            }
            struct sim_event out = { .kind = SIM_EVENT_FEED_END, .now_ns = now_ns };
            out.instrument = event->instrument;
            venue->emit(venue->user, &out);
        }
        break;
    }
}

void sim_venue_start(struct sim_venue *venue, int instrument, int64_t now_ns)
{
    struct sim_floor *floor = venue->floor[instrument];
    struct sim_market *market = &floor->market;

    sim_publish_restart(floor, market->book.u > market->book.touch_u ? market->book.u : market->book.touch_u);
    market->live = true;
    market->mark_e8 = middle_e8(floor);
    if (market->index_e8 == 0 || floor->ended) {
        market->index_e8 = market->mark_e8;
        floor->index_follows = false;
    }
    if (market->next_funding_ns == 0 && market->instrument.funding_interval_ns > 0 && !venue->rules.accrues) {
        int64_t step = market->instrument.funding_interval_ns;
        market->next_funding_ns = (now_ns / step + 1) * step;
    }
    if (venue->next_tick_ns == 0) {
        venue->next_tick_ns = now_ns + MARK_STEP_NS;
    }
    if (venue->rules.accrues && venue->next_settle_ns == 0) {
        venue->next_settle_ns = ((now_ns - SETTLE_PHASE_NS) / DAY_NS + 1) * DAY_NS + SETTLE_PHASE_NS;
    }

    struct sim_event out = { .kind = SIM_EVENT_FEED_START, .instrument = instrument, .now_ns = now_ns };
    venue->emit(venue->user, &out);
    sim_match_requeue(venue, instrument);
    sim_match_crossed(venue, instrument, now_ns);
    sim_state_settle_reduce_only(venue, instrument, now_ns);
    sim_publish_depth(venue, instrument, NULL, now_ns);
    sim_publish_top(venue, instrument, 0, now_ns);
    if (floor->ended) {
        floor->ended = false;
        for (int i = 0; i < venue->account_count; i++) {
            venue->account[i]->holding[instrument].jump_e8 +=
                own_equity_e8(venue, i, instrument) - floor->equity_e8[i];
        }
    }
}

/* --- time ------------------------------------------------------------------------------------------- */

/* index_source answers the market whose middle the index of all follows: spot, else linear, else itself. */
static struct sim_floor *index_source(struct sim_venue *venue, int instrument)
{
    for (int kind = SIM_SPOT; kind <= SIM_LINEAR; kind++) {
        for (int i = 0; i < venue->floor_count; i++) {
            if (venue->floor[i]->market.instrument.kind == (enum sim_kind)kind &&
                strcmp(venue->floor[i]->market.instrument.base,
                       venue->floor[instrument]->market.instrument.base) == 0) {
                return venue->floor[i];
            }
        }
    }
    return venue->floor[instrument];
}

static void pay(struct sim_venue *venue, int account, int instrument, int64_t amount_e8, int64_t now_ns)
{
    struct sim_market *market = &venue->floor[instrument]->market;

    venue->account[account]->holding[instrument].funding_e8 += amount_e8;
    sim_venue_cash(venue, account, market->instrument.kind, market->instrument.settle)->free_e8 += amount_e8;
    venue->account[account]->wallet[market->instrument.kind].updated_ns = now_ns;
    venue->payment = sim_state_grow(venue->payment, &venue->payment_capacity, venue->payment_count + 1,
                                    sizeof *venue->payment);
    struct sim_payment *payment = &venue->payment[venue->payment_count++];
    *payment = (struct sim_payment){ .account = account,
                                     .instrument = instrument,
                                     .amount_e8 = amount_e8,
                                     .mark_e8 = market->mark_e8,
                                     .rate_e8 = market->funding_rate_e8,
                                     .time_ns = now_ns,
                                     .id = INT64_C(9000000000) + (int64_t)venue->payment_count };
    struct sim_event event = { .kind = SIM_EVENT_FUNDING, .instrument = instrument, .now_ns = now_ns };
    event.account = account;
    event.payment = payment;
    venue->emit(venue->user, &event);
}

static void pay_funding(struct sim_venue *venue, int instrument, int64_t now_ns)
{
    struct sim_market *market = &venue->floor[instrument]->market;

    for (int i = 0; i < venue->account_count; i++) {
        struct sim_holding *holding = &venue->account[i]->holding[instrument];
        int64_t amount = sim_ledger_funding(&market->instrument, &holding->position, market->mark_e8,
                                            market->funding_rate_e8);

        if (holding->position.qty == 0) {
            continue;
        }
        pay(venue, i, instrument, amount, now_ns);
    }
}

/* premium_rate answers max(0.025 %, premium) + min(-0.025 %, premium), within the cap. */
static int64_t premium_rate(const struct sim_market *market)
{
    if (market->index_e8 == 0) {
        return 0;
    }
    int64_t premium =
        (int64_t)((__int128)(market->mark_e8 - market->index_e8) * SIM_CASH_ONE / market->index_e8);
    int64_t rate = (premium > FUNDING_DEAD_E8 ? premium : FUNDING_DEAD_E8) +
                   (premium < -FUNDING_DEAD_E8 ? premium : -FUNDING_DEAD_E8);

    rate = rate > FUNDING_CAP_E8 ? FUNDING_CAP_E8 : rate;
    return rate < -FUNDING_CAP_E8 ? -FUNDING_CAP_E8 : rate;
}

static void accrue_all(struct sim_venue *venue, int instrument, int64_t now_ns)
{
    for (int i = 0; i < venue->account_count; i++) {
        accrue(&venue->floor[instrument]->market, &venue->account[i]->holding[instrument], now_ns);
    }
}

void sim_venue_settle(struct sim_venue *venue, int64_t now_ns)
{
    struct sim_event event = { .kind = SIM_EVENT_SETTLEMENT, .now_ns = now_ns };

    for (int at = 0; at < venue->floor_count; at++) {
        accrue_all(venue, at, now_ns);
        for (int i = 0; i < venue->account_count; i++) {
            struct sim_holding *holding = &venue->account[i]->holding[at];
            int64_t amount = (int64_t)sim_decimal_floor(holding->accrued_e16, SIM_CASH_ONE);

            holding->accrued_e16 -= (__int128)amount * SIM_CASH_ONE; /* what is below 10^-8 waits */
            if (amount != 0) {
                pay(venue, i, at, amount, now_ns);
            }
            if (venue->floor[at]->market.instrument.kind != SIM_SPOT) {
                holding->settled_unrealised_e8 = sim_venue_unrealised(venue, i, at);
                holding->settled_e8 =
                    holding->realised_e8 + holding->funding_e8 + holding->settled_unrealised_e8;
            }
        }
    }
    venue->emit(venue->user, &event);
}

static void step_marks(struct sim_venue *venue, int64_t now_ns)
{
    for (int i = 0; i < venue->floor_count; i++) {
        struct sim_floor *floor = venue->floor[i];
        struct sim_market *market = &floor->market;
        int64_t middle = middle_e8(floor), source = middle_e8(index_source(venue, i));

        if (venue->rules.accrues) {
            accrue_all(venue, i, now_ns);
        }
        if (middle == 0 || !market->live) {
            continue;
        }
        market->mark_e8 += market->mark_e8 == 0 ? middle : (middle - market->mark_e8) / MARK_WEIGHT;
        if (source != 0) { /* an option's own middle is no index: the first step begins at the source */
            market->index_e8 =
                floor->index_follows ? market->index_e8 + (source - market->index_e8) / INDEX_WEIGHT : source;
            floor->index_follows = true;
        }
        if (venue->rules.accrues && !market->funding_given) {
            market->funding_rate_e8 = premium_rate(market);
        }
        if (now_ns >= floor->next_mark_publish_ns) {
            floor->next_mark_publish_ns = now_ns + MARK_PUBLISH_NS;
            struct sim_event event = { .kind = SIM_EVENT_MARK, .instrument = i, .now_ns = now_ns };
            venue->emit(venue->user, &event);
        }
    }
}

static void check_liquidations(struct sim_venue *venue, int64_t now_ns)
{
    for (int i = 0; i < venue->account_count; i++) {
        for (int at = 0; at < venue->floor_count; at++) {
            const struct sim_instrument *instrument = &venue->floor[at]->market.instrument;
            int64_t maintenance;

            if (instrument->kind == SIM_SPOT || venue->account[i]->holding[at].position.qty == 0) {
                continue;
            }
            sim_venue_margin(venue, i, instrument->kind, instrument->settle, NULL, NULL, &maintenance);
            if (sim_venue_equity(venue, i, instrument->kind, instrument->settle) < maintenance) {
                sim_venue_liquidate(venue, i, at, now_ns);
            }
        }
    }
}

static void expire_dated(struct sim_venue *venue, int instrument, int64_t now_ns)
{
    struct sim_floor *floor = venue->floor[instrument];

    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < floor->resting_count[side];) {
            struct sim_order *order = floor->resting[side][i];
            if (order->good_till_ns != 0 && order->good_till_ns <= now_ns) {
                sim_state_close(venue, order, SIM_ORDER_EXPIRED, SIM_EXPIRY_GTD, now_ns);
            } else {
                i++;
            }
        }
    }
    sim_publish_depth(venue, instrument, NULL, now_ns);
    sim_publish_top(venue, instrument, 0, now_ns);
}

void sim_venue_advance(struct sim_venue *venue, int64_t now_ns)
{
    for (int i = 0; i < venue->account_count; i++) {
        for (int at = 0; at < venue->floor_count; at++) {
            struct sim_holding *holding = &venue->account[i]->holding[at];
            if (holding->countdown_ns != 0 && holding->countdown_ns <= now_ns) {
                holding->countdown_ns = 0;
                sim_venue_cancel_all(venue, i, at, now_ns);
            }
        }
    }
    if (venue->next_tick_ns == 0 || now_ns < venue->next_tick_ns) {
        return;
    }
    venue->next_tick_ns = now_ns + MARK_STEP_NS;
    step_marks(venue, now_ns);
    if (venue->next_settle_ns != 0 && venue->next_settle_ns <= now_ns) {
        venue->next_settle_ns += DAY_NS;
        sim_venue_settle(venue, now_ns);
    }
    for (int i = 0; i < venue->floor_count; i++) {
        struct sim_market *market = &venue->floor[i]->market;
        if (market->next_funding_ns != 0 && market->next_funding_ns <= now_ns) {
            market->next_funding_ns += market->instrument.funding_interval_ns;
            pay_funding(venue, i, now_ns);
        }
        expire_dated(venue, i, now_ns);
    }
    check_liquidations(venue, now_ns);
}

int64_t sim_venue_next_ns(const struct sim_venue *venue)
{
    int64_t next = venue->next_tick_ns == 0 ? INT64_MAX : venue->next_tick_ns;

    for (int i = 0; i < venue->account_count; i++) {
        for (int at = 0; at < venue->floor_count; at++) {
            int64_t due = venue->account[i]->holding[at].countdown_ns;
            next = due != 0 && due < next ? due : next;
        }
    }
    return next;
}
