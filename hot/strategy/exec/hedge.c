#include "hot/strategy/exec/hedge.h"

#include "hot/strategy/request.h"
#include "hot/strategy/risk.h"

#define MARK_FRESH_NS 2000000000ULL /* marks come once a second */

static int128 absolute(int128 x)
{
    return x < 0 ? -x : x;
}

int128 hedge_at_work_e12(struct strategy *s, const struct instance *instance, bool doubtful)
{
    int128 sum = 0;
    for (struct order *order = order_first(&s->orders, 0, instance->slot); order != NULL;
         order = order_after(&s->orders, 0, order)) {
        if (order->role != ORDER_ROLE_HEDGE || (doubtful && !order_in_doubt(order))) {
            continue;
        }
        int64_t left = order_left(order);
        if (left > 0) {
            sum += kind_exposure_e12(&s->instrument[order->instrument], order->side, left, order->price);
        }
    }
    return sum;
}

static int128 side_at_work_e12(struct strategy *s, const struct instance *instance, enum side side)
{
    int128 sum = 0;
    for (struct order *order = order_first(&s->orders, 0, instance->slot); order != NULL;
         order = order_after(&s->orders, 0, order)) {
        int64_t left = order->role == ORDER_ROLE_HEDGE && order->side == side ? order_left(order) : 0;
        if (left > 0) {
            sum += kind_exposure_e12(&s->instrument[order->instrument], side, left, order->price);
        }
    }
    return sum;
}

/* Any hedge out at all: two that cancel each other are still two. */
static bool at_work(struct strategy *s, const struct instance *instance)
{
    for (struct order *order = order_first(&s->orders, 0, instance->slot); order != NULL;
         order = order_after(&s->orders, 0, order)) {
        if (order->role == ORDER_ROLE_HEDGE && order_left(order) > 0) {
            return true;
        }
    }
    return false;
}

void hedge_explain(struct strategy *s, struct instance *instance, int128 change_e12)
{
    if (change_e12 != 0 && at_work(s, instance)) {
        instance->hedge.explained_e12[change_e12 > 0] += absolute(change_e12);
    }
}

/* Beyond zero in the hedges' own direction by more than a minimum order and what explains it? */
static bool conserved(const struct instance *instance, int128 then_e12, int sign)
{
    const struct hedge_state *hedge = &instance->hedge;
    int128 over = sign > 0 ? then_e12 : -then_e12;
    /* Before there is a price nobody knows how much one order is: what recovery found out about hedges of the
     * last run is no breach, and what is over is hedged back as soon as there is one. */
    return hedge->smallest_e12 == 0 || over <= hedge->smallest_e12 + hedge->explained_e12[sign > 0];
}

static void breach(struct strategy *s, struct instance *instance, int128 delta_e12, int128 at_work_e12)
{
    state_event(s, EVENT_CONSERVATION, instance->params.instance, 2, state_money(delta_e12 / 10000),
                state_money(at_work_e12 / 10000), state_money(instance->hedge.smallest_e12 / 10000), 0);
    state_halt(s, EXPOSURE_UNASSIGNED, HALT_CONSERVATION);
}

void hedge_filled(struct strategy *s, struct instance *instance, const struct order *order, int64_t qty,
                  int128 change_e12)
{
    s->conservation_checks++;

    /* A coin-settled hedge brings more coin than its limit said when it executes at a better price. */
    if (qty > 0) {
        int128 planned = kind_exposure_e12(&s->instrument[order->instrument], order->side, qty, order->price);
        int128 more = absolute(change_e12) - absolute(planned);
        if (more > 0) {
            instance->hedge.explained_e12[order->side == SIDE_BUY] += more;
        } else if (more < 0 && at_work(s, instance)) {
            /* And less when it sells at one: what went out on the other side counted on the rest. */
            instance->hedge.explained_e12[order->side == SIDE_SELL] -= more;
        }
    }
    int128 delta = s->exposure.instance[instance->slot].delta_e12;
    int sign = order->side == SIDE_BUY ? 1 : -1;
    /* What went out against it on the other side was sized with it, and stands against it. */
    int128 against_e12 = side_at_work_e12(s, instance, side_opposite(order->side));
    if (order->filled > base_max(order->qty, order->want_qty) ||
        !conserved(instance, delta + against_e12, sign)) {
        breach(s, instance, delta, hedge_at_work_e12(s, instance, false));
    }
    instance->hedge.backoff_ns = 0;
    instance->hedge.retry_ns = 0;
}

void hedge_ended(struct strategy *s, struct instance *instance, const struct order *order, bool refused)
{
    struct hedge_state *hedge = &instance->hedge;

    /* Another hedge may have been sized against what this one did not bring after all. */
    int64_t unmet = base_max(order->qty, order->want_qty) - order->filled;
    if (unmet > 0 && at_work(s, instance)) {
        hedge->explained_e12[order->side == SIDE_SELL] +=
            kind_exposure_e12(&s->instrument[order->instrument], SIDE_BUY, unmet, order->price);
    }
    if (!refused && order->filled != 0) {
        return;
    }
    uint64_t least = refused ? HEDGE_BACKOFF_NS * 8 : HEDGE_BACKOFF_NS;
    hedge->backoff_ns = hedge->backoff_ns == 0 ? least : hedge->backoff_ns * 2;
    if (hedge->backoff_ns < least) {
        hedge->backoff_ns = least;
    }
    if (hedge->backoff_ns > HEDGE_BACKOFF_MAX) {
        hedge->backoff_ns = HEDGE_BACKOFF_MAX;
    }
    hedge->retry_ns = s->now_ns + hedge->backoff_ns;
    state_due(s, hedge->retry_ns);
}

int64_t hedge_limit(struct strategy *s, uint16_t instrument, enum side side, int64_t band_centibp,
                    uint64_t stale_ns, bool mark_will_do, int64_t *touch_price)
{
    const struct instrument *row = &s->instrument[instrument];
    const struct book *book = &s->book[instrument];
    int64_t from = 0;

    if (book_trouble(book, s->now_ns, stale_ns) == BOOK_GOOD) {
        struct touch touch;
        book_touch(book, &touch);
        from = side == SIDE_BUY ? touch.ask : touch.bid;
    } else if (mark_will_do && book->mark_ns != 0 && s->now_ns - book->mark_ns <= MARK_FRESH_NS + stale_ns) {
        from = book->mark;
    }
    *touch_price = from;
    if (from == 0) {
        return 0;
    }
    int64_t price;
    if (side == SIDE_BUY) {
        price = decimal_divide((int128)from * (1000000 + band_centibp), 1000000, ROUND_DOWN);
        price = decimal_to_step(base_max(price, from), row->tick, ROUND_DOWN);
    } else {
        price = decimal_divide((int128)from * base_max(0, 1000000 - band_centibp), 1000000, ROUND_UP);
        price = decimal_to_step(base_min(price, from), row->tick, ROUND_UP);
    }
    /* The bands shorten the limit; the gate refuses when even the touch is outside. */
    int64_t band = risk_band(s, instrument, side);
    if (band > 0 && side == SIDE_BUY && price > band && from <= band) {
        price = decimal_to_step(band, row->tick, ROUND_DOWN);
    } else if (band > 0 && side == SIDE_SELL && price < band && from >= band) {
        price = decimal_to_step(band, row->tick, ROUND_UP);
    }
    return price > 0 && price <= s->exposure.bound[instrument].price ? price : 0;
}

int64_t hedge_chunk(const struct strategy *s, uint16_t instrument, int64_t price)
{
    const struct instrument *row = &s->instrument[instrument];
    const struct kind_scale *scale = &s->scale[instrument];
    int64_t most = row->max_qty;
    if (s->has_risk && s->risk.max_order_e8 > 0) {
        int64_t lot_value_e8 = kind_scale_quote_e8(scale, row, row->lot, price, ROUND_UP);
        int64_t lots = lot_value_e8 > 0 ? s->risk.max_order_e8 / lot_value_e8 : 0;
        /* A limit below one acceptable order must not keep an exposure open. */
        int128 by_value = (int128)lots * row->lot;
        most = by_value < most ? (int64_t)by_value : most;
        most = base_max(most, kind_scale_smallest_qty(scale, row, price, false));
    }
    return decimal_to_step(base_min(most, row->max_qty), row->lot, ROUND_DOWN);
}

/* ------------------------------------------------------------------ where */

struct route {
    enum leg leg;
    int64_t band_centibp;
    bool mark_will_do;
};

static bool leg_open(const struct strategy *s, const struct instance *instance, enum leg leg,
                     bool mark_will_do)
{
    const struct exposure_leg *row = &s->exposure.instance[instance->slot].leg[leg];
    if (row->instrument == NO_INSTRUMENT || s->book[row->instrument].status != INSTRUMENT_TRADING ||
        !state_gateway_up(s, row->account)) {
        return false;
    }
    return mark_will_do || book_trouble(&s->book[row->instrument], s->now_ns,
                                        (uint64_t)instance->params.hedge_stale_ns) == BOOK_GOOD;
}

static bool choose_route(const struct strategy *s, const struct instance *instance, struct route *route)
{
    enum rung rung = instance->hedge.rung;
    bool emergency = rung >= RUNG_EMERGENCY;
    *route = (struct route){ .leg = LEG_HEDGE,
                             .band_centibp = emergency ? base_max(instance->params.emergency_band_centibp,
                                                                  instance->params.hedge_band_centibp)
                                                       : instance->params.hedge_band_centibp,
                             .mark_will_do = emergency };
    if (rung == RUNG_SECOND && leg_open(s, instance, LEG_SECOND, false)) {
        route->leg = LEG_SECOND;
        return true;
    }
    if (leg_open(s, instance, LEG_HEDGE, emergency)) {
        return true;
    }
    if (rung >= RUNG_SECOND && leg_open(s, instance, LEG_SECOND, emergency)) {
        route->leg = LEG_SECOND;
        return true;
    }
    return false;
}

/* ------------------------------------------------------------------ naked */

static void measure_smallest(struct strategy *s, struct instance *instance)
{
    const struct instrument *row = &s->instrument[instance->params.hedge_instrument];
    const struct kind_scale *scale = &s->scale[instance->params.hedge_instrument];
    int64_t price = book_mid(&s->book[instance->params.hedge_instrument]);
    if (price == 0) {
        price = s->book[instance->params.hedge_instrument].mark;
    }
    if (price <= 0 || price > s->exposure.bound[instance->params.hedge_instrument].price) {
        return;
    }
    int64_t qty = kind_scale_smallest_qty(scale, row, price, false);
    if (qty > s->exposure.bound[instance->params.hedge_instrument].qty) {
        return;
    }
    int128 smallest = kind_exposure_e12(row, SIDE_BUY, qty, price);
    int128 least = (int128)instance->params.hedge_min_e8 * 10000;
    instance->hedge.smallest_e12 = smallest > least ? smallest : least;
}

static void measure_naked(struct strategy *s, struct instance *instance)
{
    struct hedge_state *hedge = &instance->hedge;
    int128 delta = s->exposure.instance[instance->slot].delta_e12;
    int128 size = absolute(delta);
    int sign = delta > 0 ? 1 : -1;

    /* Half an order of slack is not given: at or above the smallest hedge is naked. */
    bool naked = size >= (hedge->smallest_e12 > 0 ? hedge->smallest_e12 : 1) && instance_hedges(instance);
    if (hedge->naked_since_ns != 0 && (!naked || sign != hedge->naked_sign)) {
        uint64_t lasted_ns = s->now_ns - hedge->naked_since_ns;
        hedge->max_naked_ns = lasted_ns > hedge->max_naked_ns ? lasted_ns : hedge->max_naked_ns;
        state_event(s, EVENT_NAKED_CLEARED, instance->params.instance, 0, (int64_t)lasted_ns,
                    state_money(hedge->naked_peak_e12 / 10000), 0, 0);
        hedge->naked_since_ns = 0;
    }
    if (naked && hedge->ready) {
        if (hedge->naked_since_ns == 0) {
            hedge->naked_since_ns = s->now_ns == 0 ? 1 : s->now_ns;
            hedge->naked_sign = sign;
            hedge->naked_peak_e12 = 0;
        }
        if (size > hedge->naked_peak_e12) {
            hedge->naked_peak_e12 = size;
        }
        uint64_t lasts_ns = s->now_ns - hedge->naked_since_ns;
        hedge->max_naked_ns = lasts_ns > hedge->max_naked_ns ? lasts_ns : hedge->max_naked_ns;
    }
    if (!naked && hedge->ready && hedge_at_work_e12(s, instance, true) == 0) {
        hedge->squared = true;
    }
}

/* ------------------------------------------------------------------ sending */

static bool send(struct strategy *s, struct instance *instance, enum leg leg, enum side side, int64_t price,
                 int64_t qty, int64_t reference_price)
{
    const struct exposure_leg *row = &s->exposure.instance[instance->slot].leg[leg];
    struct risk_ask ask = { .slot = instance->slot,
                            .account = row->account,
                            .instrument = row->instrument,
                            .side = side,
                            .price = price,
                            .qty = qty,
                            .reduces = true };
    if (risk_check(s, &ask) != RISK_OK) {
        return false;
    }
    struct request_new request = { .slot = instance->slot,
                                   .account = row->account,
                                   .instrument = row->instrument,
                                   .leg = leg,
                                   .order_class = ORDER_CLASS_HEDGE,
                                   .role = ORDER_ROLE_HEDGE,
                                   .side = side,
                                   .tif = TIF_IOC,
                                   .price = price,
                                   .qty = qty,
                                   .reference_price = reference_price,
                                   .fill_ns = instance->hedge.naked_since_ns,
                                   .timeout_ns = (uint64_t)instance->params.hedge_timeout_ns };
    if (request_new(s, &request) == NULL) {
        return false;
    }
    instance->hedges++;
    s->hedges++;
    s->decisions++;
    return true;
}

/* Our own quotes in the way of a hedge (another instance quotes where we hedge) are cancelled; the hedge
 * stops a tick before them when something can be hit there, else waits for their end. */
static int64_t clear_path(struct strategy *s, uint16_t instrument, enum side side, int64_t price,
                          int64_t touch_price)
{
    int64_t tick = s->instrument[instrument].tick;
    struct order *other;
    for (uint32_t tries = 0;
         tries < 16 && (other = risk_crosses(s, instrument, side, price, true, NULL)) != NULL; tries++) {
        if (other->role == ORDER_ROLE_QUOTE && order_is_live(other) && other->state != ORDER_CANCELLING &&
            !order_in_doubt(other) && s->now_ns >= other->retry_ns) {
            request_cancel(s, other);
        }
        price = side == SIDE_BUY ? base_min(other->price, other->want_price) - tick
                                 : base_max(other->price, other->want_price) + tick;
        if (side == SIDE_BUY ? price < touch_price : price > touch_price) {
            return 0;
        }
    }
    return price;
}

static void retry_later(struct strategy *s, struct instance *instance)
{
    instance->hedge.open = true;
    if (instance->hedge.retry_ns <= s->now_ns) {
        instance->hedge.retry_ns = s->now_ns + HEDGE_BACKOFF_NS;
    }
    state_due(s, instance->hedge.retry_ns);
}

/* Proof by other means than the sizing: the unfinished hedges are summed again from the table. */
static bool verify(struct strategy *s, struct instance *instance)
{
    s->conservation_checks++;
    int128 delta = s->exposure.instance[instance->slot].delta_e12;
    if (!at_work(s, instance)) {
        instance->hedge.explained_e12[0] = 0;
        instance->hedge.explained_e12[1] = 0;
        return true;
    }
    int128 net_e12 = hedge_at_work_e12(s, instance, false);
    if (net_e12 == 0 || conserved(instance, delta + net_e12, net_e12 > 0 ? 1 : -1)) {
        return true;
    }
    breach(s, instance, delta, net_e12);
    return false;
}

static void send_need(struct strategy *s, struct instance *instance, int128 need_e12)
{
    struct hedge_state *hedge = &instance->hedge;
    struct route route;
    enum side side = need_e12 > 0 ? SIDE_BUY : SIDE_SELL;

    hedge->open = true;
    if (!choose_route(s, instance, &route)) {
        return;
    }
    if (s->now_ns < hedge->retry_ns) {
        state_due(s, hedge->retry_ns);
        return;
    }
    uint16_t instrument = s->exposure.instance[instance->slot].leg[route.leg].instrument;
    const struct instrument *row = &s->instrument[instrument];
    const struct kind_scale *scale = &s->scale[instrument];
    int64_t touch_price;
    int64_t price = hedge_limit(s, instrument, side, route.band_centibp,
                                (uint64_t)instance->params.hedge_stale_ns, route.mark_will_do, &touch_price);
    if (price == 0) {
        return;
    }
    price = clear_path(s, instrument, side, price, touch_price);
    if (price == 0) { /* the end of the quote in the way wakes us; no new one is placed meanwhile */
        state_due(s, s->now_ns + HEDGE_BACKOFF_NS);
        return;
    }
    int64_t smallest = kind_scale_smallest_qty(scale, row, price, false);
    int128 most_e12 = kind_exposure_e12(row, SIDE_BUY, s->exposure.bound[instrument].qty / 2, price);
    int128 size_e12 = absolute(need_e12) < most_e12 ? absolute(need_e12) : most_e12;
    int64_t qty = kind_qty_for_coin(row, size_e12, price, ROUND_DOWN);
    int64_t chunk = hedge_chunk(s, instrument, price);
    if (qty < smallest && route.leg == LEG_HEDGE) {
        qty =
            smallest; /* one order at the middle, a hair less at the limit: nobody else would ever close it */
    }
    for (uint32_t i = 0; i < HEDGE_BURST && qty >= smallest && chunk >= smallest; i++) {
        int64_t take = base_min(qty, chunk);
        if (!send(s, instance, route.leg, side, price, take, touch_price)) {
            retry_later(s, instance);
            break;
        }
        qty -= take;
    }
    hedge->open = qty >= smallest;
}

void hedge_measure(struct strategy *s, struct instance *instance)
{
    measure_smallest(s, instance);
    if (!instance->hedge.ready && s->restored && leg_open(s, instance, LEG_HEDGE, false)) {
        instance->hedge.ready = true;
    }
    measure_naked(s, instance);
}

void hedge_rules(struct strategy *s, struct instance *instance)
{
    struct hedge_state *hedge = &instance->hedge;
    int128 before_e12 = hedge->smallest_e12;
    measure_smallest(s, instance);
    if (before_e12 > hedge->smallest_e12 && at_work(s, instance)) {
        hedge->explained_e12[0] += before_e12 - hedge->smallest_e12;
        hedge->explained_e12[1] += before_e12 - hedge->smallest_e12;
    }
}

void hedge_update(struct strategy *s, struct instance *instance)
{
    struct hedge_state *hedge = &instance->hedge;
    hedge->open = false;
    if (!s->restored || !instance_hedges(instance) || hedge->smallest_e12 == 0 || !verify(s, instance)) {
        return;
    }
    int128 need = -(s->exposure.instance[instance->slot].delta_e12 + hedge_at_work_e12(s, instance, false));
    if (absolute(need) < hedge->smallest_e12) {
        return;
    }
    send_need(s, instance, need);
    verify(s, instance);
}

bool hedge_waits_on(const struct strategy *s, uint16_t instrument, const struct instance *except)
{
    for (uint64_t slots = s->users[instrument]; slots != 0; slots &= slots - 1) {
        const struct instance *other = &s->instance[__builtin_ctzll(slots)];
        if (other != except && other->hedge.open &&
            (other->params.hedge_instrument == instrument || other->params.second_instrument == instrument)) {
            return true;
        }
    }
    return false;
}

bool hedge_due(struct strategy *s, struct instance *instance)
{
    if (!instance_hedges(instance)) {
        return false;
    }
    return instance->hedge.open || hedge_at_work_e12(s, instance, false) != 0 ||
           absolute(s->exposure.instance[instance->slot].delta_e12) >=
               (instance->hedge.smallest_e12 > 0 ? instance->hedge.smallest_e12 : 1);
}

bool hedge_send_reduction(struct strategy *s, struct instance *instance)
{
    struct exposure_instance *held = &s->exposure.instance[instance->slot];
    const struct exposure_leg *leg = &held->leg[LEG_QUOTE];
    const struct instrument *row = &s->instrument[leg->instrument];
    const struct kind_scale *scale = &s->scale[leg->instrument];
    int128 need = -(held->delta_e12 + hedge_at_work_e12(s, instance, false));
    enum side side = need > 0 ? SIDE_BUY : SIDE_SELL;

    /* Only what shrinks the delta and the position together. */
    if (need == 0 || leg->position.qty == 0 || (leg->position.qty > 0) != (side == SIDE_SELL)) {
        return false;
    }
    if (s->book[leg->instrument].status != INSTRUMENT_TRADING || !state_gateway_up(s, leg->account)) {
        return false;
    }
    int64_t touch_price;
    int64_t price = hedge_limit(s, leg->instrument, side, instance->params.emergency_band_centibp,
                                (uint64_t)instance->params.quote_stale_ns, false, &touch_price);
    if (price == 0) {
        return false;
    }
    price = clear_path(s, leg->instrument, side, price, touch_price);
    if (price == 0) {
        return false;
    }
    int128 most_e12 = kind_exposure_e12(row, SIDE_BUY, base_abs(leg->position.qty), price);
    int128 size_e12 = absolute(need) < most_e12 ? absolute(need) : most_e12;
    int64_t qty = base_min(kind_qty_for_coin(row, size_e12, price, ROUND_DOWN), base_abs(leg->position.qty));
    qty = base_min(decimal_to_step(qty, row->lot, ROUND_DOWN), hedge_chunk(s, leg->instrument, price));
    if (qty < kind_scale_smallest_qty(scale, row, price, false)) {
        return false;
    }
    return send(s, instance, LEG_QUOTE, side, price, qty, touch_price);
}
