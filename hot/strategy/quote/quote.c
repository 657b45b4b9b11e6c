#include "hot/strategy/quote/quote.h"

#include "hot/strategy/exec/flatten.h"
#include "hot/strategy/exec/hedge.h"
#include "hot/strategy/quote/fair.h"
#include "hot/strategy/request.h"
#include "hot/strategy/risk.h"

#define REFUSED_WAIT_NS    1000000ULL
#define READING_NS         2000000000ULL
#define DOUBTFUL_CANCEL_NS 1000000000ULL
#define AMENDS_MOST        9000 /* a venue refuses an order's 10,001st amend: replace it before */

void quote_open(struct strategy *s, struct instance *instance)
{
    const struct instrument *leg = &s->instrument[instance->params.quote_instrument];
    memset(instance->quote.order, 0xff, sizeof instance->quote.order);
    int down = 12 + s->instrument[instance->params.hedge_instrument].price_decimals - leg->price_decimals;
    instance->quote.price_power = down >= 0 && down <= DECIMAL_MAX_DECIMALS ? decimal_power[down] : 0;
    instance->quote.dirty = true;
    instance->quote.levels = instance->params.levels;
    instance->quote.can_amend = leg->product == PRODUCT_LINEAR || leg->product == PRODUCT_INVERSE;
    fair_bound(&instance->fair, instance->params.fair_bound_centibp);
}

/* hedge price x ratio in the quoted leg's units.  ratio_e12 carries every factor but the decimals, which are
 * counted together with its own twelve. */
static int64_t to_quote_any(const struct strategy *s, const struct instance *instance, int64_t hedge_price,
                            int64_t ratio_e12, enum rounding rounding)
{
    int from = s->instrument[instance->params.hedge_instrument].price_decimals;
    int to = s->instrument[instance->params.quote_instrument].price_decimals;
    int down = 12 + from - to;
    int128 numerator = (int128)hedge_price * ratio_e12;
    int128 denominator = 1;
    if (down < 0) {
        if (__builtin_mul_overflow(numerator, decimal_power[-down], &numerator)) {
            return 0;
        }
    } else if (down <= DECIMAL_MAX_DECIMALS) {
        denominator = decimal_power[down];
    } else {
        denominator =
            (int128)decimal_power[DECIMAL_MAX_DECIMALS] * decimal_power[down - DECIMAL_MAX_DECIMALS];
    }
    int128 price = decimal_divide_wide(numerator, denominator, rounding);
    return price <= 0 || price > BOOK_PRICE_MAX ? 0 : (int64_t)price;
}

static inline int64_t to_quote(const struct strategy *s, const struct instance *instance, int64_t hedge_price,
                               int64_t ratio_e12, enum rounding rounding)
{
    if (POISE_UNLIKELY(instance->quote.price_power == 0)) {
        return to_quote_any(s, instance, hedge_price, ratio_e12, rounding);
    }
    int128 price =
        decimal_divide_wide((int128)hedge_price * ratio_e12, instance->quote.price_power, rounding);
    return price <= 0 || price > BOOK_PRICE_MAX ? 0 : (int64_t)price;
}

/* How many hedge units a full quote, and a full side, need.  Measured again when the price has moved by
 * more than 1/256: the quantity's own error is then far below a lot's share of the cost. */
static void measure_walk(struct strategy *s, struct instance *instance, int64_t hedge_price)
{
    const struct quote_params *params = &instance->params;
    const struct instrument *quoted = &s->instrument[params->quote_instrument];
    const struct instrument *hedge = &s->instrument[params->hedge_instrument];
    int64_t mid = book_mid(&s->book[params->quote_instrument]);

    int128 coin_e12 = (int128)kind_coin_e8(quoted, params->size, mid, ROUND_UP) * 10000;
    int128 side_e12 = 0;
    for (int64_t level = 0; level < params->levels; level++) {
        side_e12 += coin_e12 * (100 + level * params->size_step_percent) / 100;
    }
    instance->quote.walk_qty = kind_qty_for_coin(hedge, coin_e12, hedge_price, ROUND_UP);
    instance->quote.side_qty = kind_qty_for_coin(hedge, side_e12, hedge_price, ROUND_UP);
    instance->quote.walk_at = hedge_price;
}

static enum pull_reason trouble_reason(enum book_trouble trouble, enum pull_reason feed)
{
    return trouble == BOOK_CROSSED || trouble == BOOK_EMPTY ? PULL_CROSSED : feed;
}

enum pull_reason quote_reason(struct strategy *s, struct instance *instance, struct quote_inputs *inputs)
{
    const struct quote_params *params = &instance->params;
    const struct book *quoted = &s->book[params->quote_instrument];
    const struct book *hedge = &s->book[params->hedge_instrument];

    memset(inputs, 0, sizeof *inputs);
    if (!s->restored || instance->state == INSTANCE_RESTORING) {
        return PULL_RESTORING;
    }
    if (s->halted || !instance_may_quote(instance)) {
        return PULL_STATE;
    }
    if (!params->enabled) {
        return PULL_DISABLED;
    }
    if (!s->has_risk) {
        return PULL_LIMITS;
    }
    if (s->books_differ) {
        return PULL_BOOKS;
    }
    if (s->risk.stale_clock_ns != 0 && s->now_ns - s->clock_ns > (uint64_t)s->risk.stale_clock_ns) {
        return PULL_CLOCK;
    }
    if (request_ids_left(s) <= IDS_FOR_HEDGES) {
        return PULL_IDS;
    }
    if (quoted->status != INSTRUMENT_TRADING || hedge->status != INSTRUMENT_TRADING) {
        return PULL_INSTRUMENT;
    }
    if (s->gateway[params->quote_account] != GATEWAY_READY ||
        s->gateway[params->hedge_account] != GATEWAY_READY) {
        return PULL_GATEWAY;
    }
    if (!state_account_read(s, params->quote_account) || !state_account_read(s, params->hedge_account)) {
        return PULL_UNREAD;
    }
    if (!s->fee[params->quote_account][params->quote_instrument].known ||
        !s->fee[params->hedge_account][params->hedge_instrument].known) {
        return PULL_FEE;
    }
    enum book_trouble trouble = book_trouble(quoted, s->now_ns, (uint64_t)params->quote_stale_ns);
    if (trouble != BOOK_GOOD) {
        return trouble_reason(trouble, PULL_FEED_QUOTE);
    }
    trouble = book_trouble(hedge, s->now_ns, (uint64_t)params->hedge_stale_ns);
    if (trouble != BOOK_GOOD) {
        return trouble_reason(trouble, PULL_FEED_HEDGE);
    }
    const struct exposure_leg *orphan = &s->exposure.instance[instance->slot].leg[LEG_ORPHAN];
    if (!instance->hedge.squared || (orphan->position.qty != 0 && flatten_holds(s, orphan))) {
        return PULL_RESTORING;
    }
    if (s->orders.unknown[params->quote_instrument] != 0 ||
        s->orders.unknown[params->hedge_instrument] != 0) {
        return PULL_UNKNOWN;
    }
    if (instance->hedge.rung != RUNG_NONE) {
        return PULL_LADDER;
    }
    int128 naked_e12 = s->exposure.instance[instance->slot].delta_e12;
    int128 naked_limit_e12 = (int128)params->max_naked_e8 * 10000;
    if (naked_e12 > naked_limit_e12 || naked_e12 < -naked_limit_e12) {
        return PULL_NAKED;
    }
    for (int i = LEG_QUOTE; i <= LEG_HEDGE; i++) {
        struct exposure_holding *holding =
            &s->exposure.holding[s->exposure.instance[instance->slot].leg[i].holding];
        uint64_t differs_ns = exposure_differs(holding, s->now_ns);
        if (differs_ns != 0 && differs_ns > (uint64_t)params->position_grace_ns) {
            return PULL_POSITION;
        }
    }
    if (s->risk.max_rejects_per_min != 0 && instance->rejects > s->risk.max_rejects_per_min) {
        return PULL_REJECTS;
    }
    if (risk_delta_beyond(s, instance->base)) {
        return PULL_DELTA;
    }
    struct touch touch;
    book_touch(hedge, &touch);
    if ((int128)(touch.ask - touch.bid) * 1000000 > (int128)touch.bid * params->max_spread_centibp) {
        return PULL_SPREAD;
    }
    struct conversion rate =
        convert_rate(&s->convert, instance->quote_rate_row, s->book, s->instrument, s->now_ns);
    if (!rate.fresh || rate.rate_e8 == 0) {
        return PULL_CONVERT;
    }

    /* What a full quote's hedge costs now. */
    if (instance->quote.walk_at == 0 ||
        base_abs(touch.bid - instance->quote.walk_at) > instance->quote.walk_at >> 8) {
        measure_walk(s, instance, touch.bid);
    }
    int64_t worst;
    inputs->hit[SIDE_BUY] = book_walk(hedge, SIDE_SELL, instance->quote.walk_qty, &worst);
    inputs->hit[SIDE_SELL] = book_walk(hedge, SIDE_BUY, instance->quote.walk_qty, &worst);
    int128 need = (int128)instance->quote.side_qty * 100;
    if ((int128)hedge->side[SIDE_BUY].total_qty * params->max_depth_percent < need) {
        inputs->hit[SIDE_BUY] = 0;
    }
    if ((int128)hedge->side[SIDE_SELL].total_qty * params->max_depth_percent < need) {
        inputs->hit[SIDE_SELL] = 0;
    }
    if (inputs->hit[SIDE_BUY] == 0 && inputs->hit[SIDE_SELL] == 0) {
        return PULL_DEPTH;
    }
    book_touch(quoted, &touch);
    inputs->inner_bid = touch.inner_bid;
    inputs->inner_ask = touch.inner_ask;
    inputs->rate_e8 = rate.rate_e8;
    return PULL_NONE;
}

/* ------------------------------------------------------------------ the price */

/* True when the ratios are others than before. */
static bool measure_ratio(struct strategy *s, struct instance *instance, int64_t rate_e8)
{
    const struct quote_params *params = &instance->params;
    const struct fee_row *maker = &s->fee[params->quote_account][params->quote_instrument];
    const struct fee_row *taker = &s->fee[params->hedge_account][params->hedge_instrument];
    struct quote_basis basis = { .rate_e8 = rate_e8,
                                 .offset_ppb = instance->fair.offset_ppb,
                                 .position = s->exposure.instance[instance->slot].leg[LEG_QUOTE].position.qty,
                                 .cost_centibp = maker->maker_centibp + taker->taker_centibp +
                                                 params->hedge_cost_centibp + params->min_profit_centibp };
    if (memcmp(&basis, &instance->quote.basis, sizeof basis) == 0) {
        return false;
    }
    instance->quote.basis = basis;

    int64_t off = basis.position - params->target_inventory;
    int64_t shift = params->max_inventory == 0
                        ? 0
                        : (int64_t)decimal_divide_wide((int128)off * params->skew_centibp,
                                                       params->max_inventory, ROUND_ZERO);
    shift = base_max(base_min(shift, params->skew_centibp), -params->skew_centibp);
    int64_t cost = basis.cost_centibp;

    /* 1e8 x 1e9 x 1e6 -> 1e12; both divisions are exact enough that a price is off by 1e-12 of itself */
    int128 fair_e12 = (int128)rate_e8 * (1000000000LL + basis.offset_ppb) / 100000;
    instance->quote.shift_centibp = shift;
    instance->quote.ratio_mid_e12 = (int64_t)fair_e12;
    instance->quote.ratio_e12[SIDE_BUY] =
        (int64_t)decimal_divide_wide(fair_e12 * base_max(0, 1000000 - cost - shift), 1000000, ROUND_DOWN);
    instance->quote.ratio_e12[SIDE_SELL] =
        (int64_t)decimal_divide_wide(fair_e12 * base_max(0, 1000000 + cost - shift), 1000000, ROUND_UP);
    return true;
}

static int64_t further_out(int64_t price, int64_t centibp, enum side side)
{
    return side == SIDE_BUY
               ? decimal_divide((int128)price * base_max(0, 1000000 - centibp), 1000000, ROUND_DOWN)
               : decimal_divide((int128)price * (1000000 + centibp), 1000000, ROUND_UP);
}

/* How much may be executed on a side before the position reaches its bound. */
static int64_t room_for(const struct strategy *s, const struct instance *instance, enum side side)
{
    const struct quote_params *params = &instance->params;
    int64_t position = s->exposure.instance[instance->slot].leg[LEG_QUOTE].position.qty;
    int64_t room = side == SIDE_BUY ? params->max_inventory - position : params->max_inventory + position;
    if (params->reduce_quotes_only) {
        int64_t home =
            side == SIDE_BUY ? params->target_inventory - position : position - params->target_inventory;
        room = base_min(room, home);
    }
    return base_max(0, room);
}

static void want_side(struct strategy *s, struct instance *instance, enum side side,
                      const struct quote_inputs *inputs)
{
    const struct quote_params *params = &instance->params;
    const struct instrument *row = &s->instrument[params->quote_instrument];
    struct wanted *wanted = instance->quote.wanted[side];
    memset(wanted, 0, sizeof instance->quote.wanted[side]);

    int64_t hit = inputs->hit[side];
    if (hit == 0 || !(params->sides >> side & 1)) {
        return;
    }
    enum rounding away = side == SIDE_BUY ? ROUND_DOWN : ROUND_UP;
    int64_t best = to_quote(s, instance, hit, instance->quote.ratio_e12[side], away);
    int64_t room = room_for(s, instance, side);
    int64_t last = 0;
    for (uint32_t level = 0; level < params->levels && best > 0; level++) {
        int64_t price = best;
        if (level != 0) {
            price = further_out(best, (int64_t)level * params->level_step_centibp, side);
        }
        price = decimal_to_step(price, row->tick, away);
        /* A price that stands at a tick clear of the touch needs no cut. */
        if (params->post_only &&
            (side == SIDE_BUY ? price >= inputs->inner_ask : price <= inputs->inner_bid)) {
            price = side == SIDE_BUY ? decimal_to_step(inputs->inner_ask - 1, row->tick, ROUND_DOWN)
                                     : decimal_to_step(inputs->inner_bid + 1, row->tick, ROUND_UP);
        }
        if (level != 0) { /* levels that clamping or rounding put on one price stand a tick apart */
            price = side == SIDE_BUY ? base_min(price, last - row->tick) : base_max(price, last + row->tick);
        }
        last = price;
        if (price <= 0 || price < row->min_price || (row->max_price != 0 && price > row->max_price) ||
            price > s->exposure.bound[params->quote_instrument].price) {
            continue;
        }
        int64_t qty = params->size;
        if (level != 0) {
            qty = decimal_multiply_divide(params->size, 100 + (int64_t)level * params->size_step_percent, 100,
                                          ROUND_DOWN);
        }
        qty = decimal_to_step(base_min(base_min(qty, room), row->max_qty), row->lot, ROUND_DOWN);
        if (qty < kind_scale_smallest_qty(&s->scale[params->quote_instrument], row, price, false)) {
            continue;
        }
        wanted[level].price = price;
        wanted[level].qty = qty;
        room -= qty;
    }
}

/* ------------------------------------------------------------------ what rests against what should */

static int64_t expected_centibp(const struct instance *instance, enum side side)
{
    int64_t shift = side == SIDE_BUY ? instance->quote.shift_centibp : -instance->quote.shift_centibp;
    return instance->params.min_profit_centibp + shift;
}

/* What is being cancelled may still be executed: until it has ended, whatever replaces it on another level
 * waits if both together could take the position beyond its bound. */
static bool inventory_allows(struct strategy *s, const struct instance *instance, enum side side, int64_t qty,
                             const struct order *amends)
{
    int64_t most = qty;
    if (amends != NULL && qty <= order_left(amends)) {
        return true; /* it can only become less */
    }
    for (struct order *order = order_first(&s->orders, 0, instance->slot); order != NULL;
         order = order_after(&s->orders, 0, order)) {
        if (order->role == ORDER_ROLE_QUOTE && order->side == side && order != amends) {
            most += order_left(order);
        }
    }
    return most <= room_for(s, instance, side);
}

static enum risk_refusal gate(struct strategy *s, struct instance *instance, enum side side,
                              const struct wanted *wanted, const struct order *amends)
{
    if (!inventory_allows(s, instance, side, wanted->qty, amends)) {
        instance->quote.dirty = true;
        return RISK_POSITION;
    }
    struct risk_ask ask = { .slot = instance->slot,
                            .account = instance->params.quote_account,
                            .instrument = instance->params.quote_instrument,
                            .side = side,
                            .price = wanted->price,
                            .qty = wanted->qty,
                            .amends = amends };

    /* Our own other side in the way moves first; that is waiting, not a refusal. */
    struct order *other = risk_crosses(s, ask.instrument, side, ask.price, false, amends);
    if ((other != NULL && other->slot == instance->slot) || hedge_waits_on(s, ask.instrument, instance)) {
        instance->quote.dirty = true;
        return RISK_SELF_CROSS;
    }
    return risk_check(s, &ask);
}

static void wait_until(struct strategy *s, struct instance *instance, uint64_t at_ns)
{
    if (instance->quote.again_ns == 0 || at_ns < instance->quote.again_ns) {
        instance->quote.again_ns = at_ns;
    }
    state_due(s, at_ns);
}

static void place(struct strategy *s, struct instance *instance, enum side side, uint32_t level,
                  const struct wanted *wanted)
{
    if (s->now_ns < instance->quote.hold_ns[side]) {
        instance->quote.dirty = true;
        wait_until(s, instance, instance->quote.hold_ns[side]);
        return;
    }
    enum risk_refusal refusal = gate(s, instance, side, wanted, NULL);
    if (refusal != RISK_OK) {
        instance->quote.dirty = true;
        return;
    }
    struct request_new request = { .slot = instance->slot,
                                   .account = instance->params.quote_account,
                                   .instrument = instance->params.quote_instrument,
                                   .leg = LEG_QUOTE,
                                   .order_class = ORDER_CLASS_QUOTE,
                                   .role = ORDER_ROLE_QUOTE,
                                   .level = (uint8_t)level,
                                   .side = side,
                                   .tif = TIF_GTC,
                                   .flags = instance->params.post_only ? ORDER_FLAG_POST_ONLY : 0,
                                   .price = wanted->price,
                                   .qty = wanted->qty,
                                   .reference_price = instance->quote.fair_price,
                                   .expected_centibp = expected_centibp(instance, side),
                                   .timeout_ns = REQUEST_TIMEOUT_NS };
    struct order *order = request_new(s, &request);
    if (order != NULL) {
        instance->quote.order[side][level] = (uint16_t)(order - s->orders.row);
        instance->quote.live++;
        s->decisions++;
    }
}

static void cancel(struct strategy *s, struct instance *instance, struct order *order)
{
    if (order->state == ORDER_CANCELLING) {
        return;
    }
    if (order_in_doubt(order)) {
        /* After a lost link or a restart the answer to the query says whether it may stay. */
        bool waits = instance->pull == PULL_UNKNOWN || instance->pull == PULL_RESTORING ||
                     instance->pull == PULL_GATEWAY;
        if (order->by_link && waits) {
            return;
        }
        /* Else, whatever became of it, it must not: asked now and then while the doubt lasts. */
        if (s->now_ns >= order->retry_ns && state_gateway_up(s, order->account)) {
            request_cancel(s, order);
            order->retry_ns = s->now_ns + DOUBTFUL_CANCEL_NS;
        }
        return;
    }
    if (s->now_ns < order->retry_ns) { /* refused a moment ago: not in a circle */
        instance->quote.dirty = true;
        wait_until(s, instance, order->retry_ns);
        return;
    }
    risk_rate_spend(s);
    request_cancel(s, order);
}

static void adjust(struct strategy *s, struct instance *instance, enum side side, struct order *order,
                   const struct wanted *wanted)
{
    const struct quote_params *params = &instance->params;
    const struct instrument *row = &s->instrument[params->quote_instrument];

    if (wanted->qty == 0) {
        cancel(s, instance, order);
        return;
    }
    if (order->state != ORDER_OPEN) {
        return; /* its answer brings us back here */
    }
    if (s->now_ns < order->retry_ns) { /* refused a moment ago: not in a circle */
        instance->quote.dirty = true;
        wait_until(s, instance, order->retry_ns);
        return;
    }
    int64_t left = order->qty - order->filled;
    int64_t too_close = side == SIDE_BUY ? order->price - wanted->price : wanted->price - order->price;
    int64_t threshold = params->requote_ticks * row->tick;
    bool danger = too_close > threshold || left > wanted->qty;
    bool better = -too_close > threshold || left * 2 < wanted->qty;
    uint64_t age_ns = s->now_ns - order->changed_ns;
    bool old = params->refresh_ns != 0 && age_ns >= (uint64_t)params->refresh_ns &&
               (too_close != 0 || left != wanted->qty);

    if (!danger && !better && !old) {
        if (params->refresh_ns != 0 && age_ns < (uint64_t)params->refresh_ns) {
            wait_until(s, instance, order->changed_ns + (uint64_t)params->refresh_ns);
        }
        return;
    }
    if (!danger && age_ns < (uint64_t)params->requote_min_ns) {
        instance->quote.dirty = true;
        wait_until(s, instance, order->changed_ns + (uint64_t)params->requote_min_ns);
        return;
    }
    s->decisions++;
    if (!instance->quote.can_amend || order->no_amend || order->amends >= AMENDS_MOST) {
        instance->requotes++;
        s->requotes++;
        cancel(s, instance, order);
        return;
    }
    enum risk_refusal refusal = gate(s, instance, side, wanted, order);
    if (refusal == RISK_OK) {
        instance->requotes++;
        s->requotes++;
        request_amend(s, order, wanted->price, order->filled + wanted->qty, instance->quote.fair_price,
                      expected_centibp(instance, side));
        return;
    }
    instance->quote.again[side] = true;
    if (danger) {
        cancel(s, instance, order); /* it may not be moved, but it must not stay */
    }
}

static void settle_side(struct strategy *s, struct instance *instance, enum side side)
{
    instance->quote.again[side] = false;
    for (uint32_t level = 0; level < instance->quote.levels; level++) {
        const struct wanted *wanted = &instance->quote.wanted[side][level];
        uint16_t row = instance->quote.order[side][level];
        if (row != ORDER_NONE) {
            adjust(s, instance, side, &s->orders.row[row], wanted);
        } else if (wanted->qty != 0) {
            place(s, instance, side, level, wanted);
        }
    }
}

/* The two sides may not meet: with a negative profit both could otherwise be clamped past each other.  True
 * when they would have. */
static bool keep_apart(struct strategy *s, struct instance *instance)
{
    int64_t tick = s->instrument[instance->params.quote_instrument].tick;
    struct wanted *bid = instance->quote.wanted[SIDE_BUY];
    struct wanted *ask = instance->quote.wanted[SIDE_SELL];
    if (bid[0].qty == 0 || ask[0].qty == 0 || bid[0].price < ask[0].price) {
        return false;
    }
    int64_t middle = decimal_to_step((bid[0].price + ask[0].price) / 2, tick, ROUND_DOWN);
    for (uint32_t level = 0; level < PARAMS_LEVELS_MAX; level++) {
        int64_t step = (int64_t)level * tick;
        bid[level].price = base_min(bid[level].price, middle - step);
        ask[level].price = base_max(ask[level].price, middle + tick + step);
        if (bid[level].price <= 0) {
            bid[level].qty = 0;
        }
    }
    return true;
}

/* A side is decided again when something moved that its prices are made of: its own hedge, the touch it must
 * stay clear of, or anything at all of what both have in common. */
static void decide(struct strategy *s, struct instance *instance, const struct quote_inputs *inputs)
{
    struct quote_state *quote = &instance->quote;
    const struct quote_inputs *seen = &quote->seen;
    bool all = measure_ratio(s, instance, inputs->rate_e8) || quote->dirty || quote->apart;
    bool moved[2] = { [SIDE_BUY] = all || inputs->hit[SIDE_BUY] != seen->hit[SIDE_BUY] ||
                                   inputs->inner_ask != seen->inner_ask,
                      [SIDE_SELL] = all || inputs->hit[SIDE_SELL] != seen->hit[SIDE_SELL] ||
                                    inputs->inner_bid != seen->inner_bid };
    quote->seen = *inputs;
    if (all) {
        quote->dirty = false;
        quote->again_ns = 0;
    }
    int64_t mid = book_mid(&s->book[instance->params.hedge_instrument]);
    quote->fair_price = to_quote(s, instance, mid, quote->ratio_mid_e12, ROUND_HALF_EVEN);

    for (enum side side = SIDE_BUY; side <= SIDE_SELL; side++) {
        if (moved[side]) {
            want_side(s, instance, side, inputs);
        }
    }
    quote->apart = keep_apart(s, instance);

    /* The side that moves out of the other's way goes first. */
    uint16_t row = quote->order[SIDE_BUY][0];
    const struct wanted *bid = &quote->wanted[SIDE_BUY][0];
    bool falling = row != ORDER_NONE && bid->qty != 0 && bid->price < s->orders.row[row].price;
    enum side first = falling ? SIDE_BUY : SIDE_SELL;
    for (uint32_t i = 0; i < 2; i++) {
        enum side side = i == 0 ? first : side_opposite(first);
        if (moved[side] || quote->apart || quote->again[side]) {
            settle_side(s, instance, side);
        }
    }
}

/* Every doubt about an instrument's orders is a moment old and comes from a lost link or a restart: the
 * queries are out, and what turns out to rest may stay. */
static bool only_reading(struct strategy *s, uint16_t instrument)
{
    for (struct order *order = order_first(&s->orders, 1, instrument); order != NULL;
         order = order_after(&s->orders, 1, order)) {
        if (order_in_doubt(order) && (!order->by_link || s->now_ns - order->changed_ns > READING_NS)) {
            return false;
        }
    }
    return true;
}

void quote_pull(struct strategy *s, struct instance *instance)
{
    if (instance->quote.live == 0 ||
        (instance->pull == PULL_UNKNOWN && only_reading(s, instance->params.quote_instrument) &&
         only_reading(s, instance->params.hedge_instrument))) {
        return;
    }
    for (uint32_t side = 0; side < 2; side++) {
        for (uint32_t level = 0; level < PARAMS_LEVELS_MAX; level++) {
            uint16_t row = instance->quote.order[side][level];
            if (row != ORDER_NONE) {
                cancel(s, instance, &s->orders.row[row]);
            }
        }
    }
}

static void pulled(struct strategy *s, struct instance *instance, enum pull_reason reason)
{
    instance->pull = (uint8_t)reason;
    if (instance->state == INSTANCE_QUOTING) {
        instance_step(instance, INSTANCE_EVENT_PULL);
        state_event(s, EVENT_QUOTES_PULLED, instance->params.instance, 0, reason, 0, 0, 0);
    }
    instance->quote.dirty = true;
    instance->quote.again_ns = 0;
    quote_pull(s, instance);
}

/* Journey 5/8: what should rest now? */
void quote_update(struct strategy *s, struct instance *instance)
{
    struct quote_inputs inputs;
    enum pull_reason reason = quote_reason(s, instance, &inputs);
    if (reason != PULL_NONE) {
        pulled(s, instance, reason);
        return;
    }
    if (POISE_LIKELY(!instance->quote.dirty && memcmp(&inputs, &instance->quote.seen, sizeof inputs) == 0)) {
        return;
    }
    if (instance->state == INSTANCE_PULLED) {
        instance_step(instance, INSTANCE_EVENT_CLEAR);
        instance->pull = PULL_NONE;
        state_event(s, EVENT_QUOTES_BACK, instance->params.instance, 0, 0, 0, 0, 0);
    }
    decide(s, instance, &inputs);
}

void quote_ended(struct strategy *s, struct instance *instance, const struct order *order, bool refused)
{
    /* A venue that just refused (it saw a newer market than we did) is not asked again at once. */
    if (refused) {
        uint64_t wait_ns = (uint64_t)instance->params.requote_min_ns;
        instance->quote.hold_ns[order->side] =
            s->now_ns + (wait_ns > REFUSED_WAIT_NS ? wait_ns : REFUSED_WAIT_NS);
    }
    uint16_t row = (uint16_t)(order - s->orders.row);
    for (uint32_t side = 0; side < 2; side++) {
        for (uint32_t level = 0; level < PARAMS_LEVELS_MAX; level++) {
            if (instance->quote.order[side][level] == row) {
                instance->quote.order[side][level] = ORDER_NONE;
                instance->quote.live--;
            }
        }
    }
    instance->quote.dirty = true;
}

bool quote_adopt(struct strategy *s, struct instance *instance, const struct order *order)
{
    if (order->level >= PARAMS_LEVELS_MAX || order->instrument != instance->params.quote_instrument ||
        order->account != instance->params.quote_account ||
        instance->quote.order[order->side][order->level] != ORDER_NONE) {
        return false;
    }
    instance->quote.order[order->side][order->level] = (uint16_t)(order - s->orders.row);
    instance->quote.live++;
    instance->quote.levels = (uint8_t)base_max(instance->quote.levels, order->level + 1);
    return true;
}

bool quote_holds(const struct strategy *s, const struct instance *instance, const struct order *order)
{
    return order->level < PARAMS_LEVELS_MAX &&
           instance->quote.order[order->side][order->level] == (uint16_t)(order - s->orders.row);
}

void quote_sample(struct strategy *s, struct instance *instance)
{
    const struct quote_params *params = &instance->params;
    const struct book *quoted = &s->book[params->quote_instrument];
    const struct book *hedge = &s->book[params->hedge_instrument];
    struct fair *fair = &instance->fair;

    if (params->fair_half_life_ns == 0 ||
        (fair->sampled_ns != 0 && s->now_ns - fair->sampled_ns < FAIR_SAMPLE_NS) ||
        book_trouble(quoted, s->now_ns, (uint64_t)params->quote_stale_ns) != BOOK_GOOD ||
        book_trouble(hedge, s->now_ns, (uint64_t)params->hedge_stale_ns) != BOOK_GOOD) {
        return;
    }
    struct conversion rate =
        convert_rate(&s->convert, instance->quote_rate_row, s->book, s->instrument, s->now_ns);
    if (!rate.fresh || rate.rate_e8 == 0) {
        return;
    }
    /* The hedge leg's middle as the quoted leg would say it, without offset. */
    int64_t even = to_quote(s, instance, book_mid(hedge), rate.rate_e8 * 10000, ROUND_HALF_EVEN);
    if (even == 0) {
        return;
    }
    int64_t ratio_e9 =
        (int64_t)decimal_divide_wide((int128)book_mid(quoted) * 1000000000LL, even, ROUND_HALF_EVEN);
    bool was_at_bound = fair->at_bound;
    if (!fair_sample(fair, ratio_e9, s->now_ns, (uint64_t)params->fair_half_life_ns)) {
        return;
    }
    instance->quote.dirty = true;
    int64_t centibp = fair_centibp(fair);
    bool far = base_abs(centibp - fair->told_centibp) >= 100 && s->now_ns - fair->told_ns >= 1000000000ULL;
    if (far || fair->told_ns == 0 || fair->at_bound != was_at_bound) {
        fair->told_centibp = centibp;
        fair->told_ns = s->now_ns == 0 ? 1 : s->now_ns;
        state_event(s, EVENT_FAIR_OFFSET, params->instance, fair->at_bound, centibp, fair->bound_ppb / 1000,
                    0, 0);
    }
}
