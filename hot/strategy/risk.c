#include "hot/strategy/risk.h"
#include "hot/strategy/request.h"

void risk_refuse(struct strategy *s, uint16_t slot, enum risk_refusal refusal, int64_t detail)
{
    s->refused++;
    s->refusals[refusal]++;
    if (s->refusal_told_ns[refusal] == 0 || s->now_ns - s->refusal_told_ns[refusal] >= REFUSAL_EVENT_NS) {
        s->refusal_told_ns[refusal] = s->now_ns;
        uint16_t instance = slot < PARAMS_INSTANCE_MAX ? s->instance[slot].params.instance : NO_INSTANCE;
        state_event(s, refusal == RISK_SELF_CROSS ? EVENT_SELF_CROSS : EVENT_RISK_REFUSED, instance, 1,
                    refusal, detail, (int64_t)s->refusals[refusal], 0);
    }
}

/* A bucket of max_orders_per_s that fills evenly, in 1e-9 of an order: no division. */
static void rate_refill(struct strategy *s)
{
    int64_t full = s->risk.max_orders_per_s * 1000000000LL;
    uint64_t passed_ns = s->now_ns - s->tokens_ns;
    s->tokens_ns = s->now_ns;
    if (passed_ns >= 2000000000ULL) {
        s->tokens_e9 = full;
        return;
    }
    s->tokens_e9 = base_min(full, s->tokens_e9 + (int64_t)passed_ns * s->risk.max_orders_per_s);
}

bool risk_rate_take(struct strategy *s)
{
    rate_refill(s);
    if (s->tokens_e9 < 1000000000LL) {
        return false;
    }
    s->tokens_e9 -= 1000000000LL;
    return true;
}

void risk_rate_spend(struct strategy *s)
{
    rate_refill(s);
    s->tokens_e9 = base_max(s->tokens_e9 - 1000000000LL, -s->risk.max_orders_per_s * 1000000000LL);
}

static int64_t scaled(int64_t price, int64_t ppm, enum side side)
{
    int128 limit =
        decimal_divide_wide((int128)price * ppm, 1000000, side == SIDE_SELL ? ROUND_UP : ROUND_DOWN);
    return limit > BOOK_PRICE_MAX * 4 ? BOOK_PRICE_MAX * 4 : (int64_t)limit;
}

int64_t risk_band(const struct strategy *s, uint16_t instrument, enum side side)
{
    const struct instrument *row = &s->instrument[instrument];
    int64_t reference = book_reference(&s->book[instrument], s->now_ns, 10000000000ULL);
    if (reference <= 0) {
        return 0;
    }
    int64_t sign = side_sign(side);
    int64_t limit = INT64_MAX;
    if (side == SIDE_SELL) {
        limit = 1;
    }
    if (s->risk.price_band_centibp > 0) {
        limit = scaled(reference, base_max(0, 1000000 + sign * s->risk.price_band_centibp), side);
    }
    int32_t venue_ppm = side == SIDE_BUY ? row->band_up_ppm : row->band_down_ppm;
    if (venue_ppm != 0) {
        int64_t venue = scaled(reference, venue_ppm, side);
        limit = side == SIDE_BUY ? base_min(limit, venue) : base_max(limit, venue);
    }
    if (side == SIDE_BUY && row->max_price != 0) {
        limit = base_min(limit, row->max_price);
    }
    if (side == SIDE_SELL) {
        limit = base_max(limit, base_max(row->min_price, row->tick));
    }
    return limit;
}

struct order *risk_crosses(struct strategy *s, uint16_t instrument, enum side side, int64_t price, bool takes,
                           const struct order *except)
{
    for (struct order *other = order_first(&s->orders, 1, instrument); other != NULL;
         other = order_after(&s->orders, 1, other)) {
        if (other == except || other->side == side || (takes && other->tif != TIF_GTC)) {
            continue;
        }
        /* While an amend flies either price may be the one that rests. */
        if (side == SIDE_BUY ? base_min(other->price, other->want_price) <= price
                             : base_max(other->price, other->want_price) >= price) {
            return other;
        }
    }
    return NULL;
}

int64_t risk_delta_e8(const struct strategy *s, uint16_t base)
{
    int128 sum = 0;
    for (uint32_t i = 0; i < s->instance_count; i++) {
        if (s->instance[i].base == base) {
            sum += s->exposure.instance[i].delta_e12;
        }
    }
    return state_money(decimal_divide_wide(sum, 10000, ROUND_ZERO));
}

bool risk_delta_beyond(const struct strategy *s, uint16_t base)
{
    int128 sum = 0;
    for (uint32_t i = 0; i < s->instance_count; i++) {
        if (s->instance[i].base == base) {
            sum += s->exposure.instance[i].delta_e12;
        }
    }
    int128 limit = (int128)s->risk.max_delta_e8 * 10000;
    return sum > limit || sum < -limit;
}

/* What this order may take the position to, all of our orders on its side executed. */
static bool position_allows(struct strategy *s, const struct risk_ask *ask)
{
    const struct instrument *row = &s->instrument[ask->instrument];
    struct exposure_holding *holding = exposure_holding(&s->exposure, ask->account, ask->instrument);
    if (holding == NULL) {
        return false;
    }
    int64_t sign = side_sign(ask->side);
    int64_t worst = holding->total_qty + sign * ask->qty;
    for (struct order *other = order_first(&s->orders, 1, ask->instrument); other != NULL;
         other = order_after(&s->orders, 1, other)) {
        if (other != ask->amends && other->side == ask->side && other->account == ask->account) {
            worst += sign * order_left(other);
        }
    }
    if (worst * sign <= 0 || base_abs(worst) > s->exposure.bound[ask->instrument].qty) {
        return worst * sign <= 0;
    }
    return kind_scale_coin_e8(&s->scale[ask->instrument], row, base_abs(worst), ask->price, ROUND_UP) <=
           s->risk.max_position_e8;
}

static bool delta_allows(struct strategy *s, const struct risk_ask *ask)
{
    const struct instrument *row = &s->instrument[ask->instrument];
    int64_t now = risk_delta_e8(s, row->base);
    int64_t more = kind_scale_coin_e8(&s->scale[ask->instrument], row, ask->qty, ask->price, ROUND_UP);
    int64_t then = now + side_sign(ask->side) * more;
    return base_abs(then) <= s->risk.max_delta_e8 || base_abs(then) <= base_abs(now);
}

/* What no venue would take, or what no order may do: hedges are asked this too. */
static enum risk_refusal check_form(struct strategy *s, const struct risk_ask *ask)
{
    if (!s->restored) {
        return RISK_NOT_RESTORED;
    }
    if (!state_instrument_known(s, ask->instrument) ||
        s->book[ask->instrument].status != INSTRUMENT_TRADING) {
        return RISK_INSTRUMENT;
    }
    if (!state_gateway_up(s, ask->account)) {
        return RISK_GATEWAY;
    }
    const struct instrument *row = &s->instrument[ask->instrument];
    const struct exposure_bound *bound = &s->exposure.bound[ask->instrument];
    if (ask->price <= 0 || ask->price > bound->price || ask->qty <= 0 || ask->price % row->tick != 0 ||
        ask->qty % row->lot != 0) {
        return RISK_STEP;
    }
    if (ask->qty > row->max_qty ||
        ask->qty < kind_scale_smallest_qty(&s->scale[ask->instrument], row, ask->price, ask->venue_reduces)) {
        return RISK_SIZE;
    }
    int64_t band = risk_band(s, ask->instrument, ask->side);
    if (band == 0 || (ask->side == SIDE_BUY ? ask->price > band : ask->price < band)) {
        return RISK_BAND;
    }
    return RISK_OK;
}

static enum risk_refusal check_risk(struct strategy *s, const struct risk_ask *ask)
{
    const struct instrument *row = &s->instrument[ask->instrument];
    if (!s->has_risk) {
        return RISK_NO_LIMITS;
    }
    if (s->halted || !instance_may_quote(&s->instance[ask->slot])) {
        return RISK_HALTED;
    }
    if (s->books_differ) {
        return RISK_BOOKS;
    }
    if (!state_account_read(s, ask->account)) {
        return RISK_GATEWAY;
    }
    if (book_trouble(&s->book[ask->instrument], s->now_ns, 0) != BOOK_GOOD) {
        return RISK_STALE;
    }
    if (s->orders.unknown[ask->instrument] != 0) {
        return RISK_UNKNOWN;
    }
    if (kind_scale_quote_e8(&s->scale[ask->instrument], row, ask->qty, ask->price, ROUND_UP) >
        s->risk.max_order_e8) {
        return RISK_VALUE;
    }
    if (!position_allows(s, ask)) {
        return RISK_POSITION;
    }
    if (!delta_allows(s, ask)) {
        return RISK_DELTA;
    }
    if (ask->amends == NULL && s->orders.live_of_account[ask->account] >= s->risk.max_open_orders) {
        return RISK_OPEN_ORDERS;
    }
    return RISK_OK;
}

/* Journey 6/8: the gate.  Limits on risk bind new risk only. */
enum risk_refusal risk_check(struct strategy *s, const struct risk_ask *ask)
{
    enum risk_refusal refusal = check_form(s, ask);
    if (refusal == RISK_OK && !ask->reduces) {
        refusal = check_risk(s, ask);
    }
    if (refusal == RISK_OK &&
        risk_crosses(s, ask->instrument, ask->side, ask->price, ask->reduces, ask->amends) != NULL) {
        refusal = RISK_SELF_CROSS;
    }
    if (refusal == RISK_OK && ask->amends == NULL) {
        uint64_t ids = request_ids_left(s);
        if (ids == 0 || (!ask->reduces && ids <= IDS_FOR_HEDGES)) {
            refusal = RISK_IDS;
        } else if (s->orders.live >= ORDER_LIVE_MAX) {
            refusal = RISK_TABLE;
        }
    }
    if (refusal == RISK_OK && !ask->reduces && !risk_rate_take(s)) {
        refusal = RISK_RATE;
    }
    if (POISE_UNLIKELY(refusal != RISK_OK)) {
        risk_refuse(s, ask->slot, refusal, ask->price);
    }
    return refusal;
}

bool risk_limit(struct strategy *s, int64_t id, int64_t value)
{
    if (value < 0) {
        return false;
    }
    switch (id) {
    case LIMIT_MAX_ORDER:
        s->risk.max_order_e8 = value;
        return true;
    case LIMIT_MAX_POSITION:
        s->risk.max_position_e8 = value;
        return true;
    case LIMIT_MAX_DELTA:
        s->risk.max_delta_e8 = value;
        return true;
    case LIMIT_PRICE_BAND:
        s->risk.price_band_centibp = base_min(value, 1000000);
        return true;
    case LIMIT_MAX_ORDERS_PER_S:
        s->risk.max_orders_per_s = base_min(value, 1000000);
        return true;
    case LIMIT_MAX_OPEN_ORDERS:
        s->risk.max_open_orders = value;
        return true;
    case LIMIT_MAX_LOSS:
        s->risk.max_loss_e8 = value;
        return true;
    case LIMIT_MAX_UNKNOWN:
        s->risk.max_unknown = value;
        return true;
    default:
        return false;
    }
}
