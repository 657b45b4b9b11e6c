#include "hot/strategy/report.h"

#include "hot/strategy/exec/hedge.h"
#include "hot/strategy/pnl.h"
#include "hot/strategy/quote/quote.h"
#include "hot/strategy/request.h"

#define IOC_OPEN_NS   1000000000ULL
#define FINAL_WAIT_NS 1000000000ULL /* all of it executed, but the venue did not say that it is over */

/* Whose execution it is. */
struct owner {
    struct instance *instance; /* NULL: the unassigned row */
    uint32_t slot;
    enum leg leg;
    uint8_t role;
};

static const uint8_t role_of_class[] = {
    [ORDER_CLASS_QUOTE] = ORDER_ROLE_QUOTE,
    [ORDER_CLASS_HEDGE] = ORDER_ROLE_HEDGE,
    [ORDER_CLASS_FLATTEN] = ORDER_ROLE_FLATTEN,
    [ORDER_CLASS_OTHER] = 0,
};

/* The id alone tells whose it is, when the row is long gone. */
static struct owner owner_of_id(struct strategy *s, const struct record_report *report)
{
    struct owner owner = { .slot = EXPOSURE_UNASSIGNED };
    if (report->order == 0 || (report->flags & REPORT_FOREIGN) ||
        order_id_engine(report->order) != s->engine) {
        return owner;
    }
    uint16_t slot = s->slot_of[order_id_instance(report->order)];
    uint32_t leg_role = order_id_leg_role(report->order);
    if (slot >= PARAMS_INSTANCE_MAX) {
        return owner;
    }
    const struct exposure_leg *leg = &s->exposure.instance[slot].leg[leg_role & 3];
    if (leg->instrument != report->head.instrument || leg->account != report->head.account) {
        return owner;
    }
    owner.slot = slot;
    owner.instance = &s->instance[slot];
    owner.leg = leg_role & 3;
    owner.role = role_of_class[leg_role >> 2];
    return owner;
}

static struct owner owner_of_order(struct strategy *s, const struct order *order)
{
    struct owner owner = { .slot = EXPOSURE_UNASSIGNED, .leg = order->leg, .role = order->role };
    if (order->slot < PARAMS_INSTANCE_MAX) {
        owner.slot = order->slot;
        owner.instance = &s->instance[order->slot];
    }
    return owner;
}

static void open_qty_changed(struct strategy *s, struct order *order, int64_t before, int64_t after)
{
    if (before == 0 && after != 0) {
        order->open_since_ns = s->now_ns;
        order->price_told = 0;
        s->open_count++;
        state_due(s, s->now_ns + PRICE_OPEN_NS);
    } else if (before != 0 && after == 0) {
        s->open_count--;
    }
}

/* One quantity enters the position, once. */
static bool count(struct strategy *s, const struct owner *owner, const struct order *order,
                  const struct record_report *report, int64_t qty, int64_t price)
{
    struct exposure_change change;
    if (!exposure_fill(&s->exposure, owner->slot, owner->leg, report->head.account, report->head.instrument,
                       report->side, qty, price, &change)) {
        state_halt(s, EXPOSURE_UNASSIGNED, HALT_OVERFLOW);
        return false;
    }
    s->fills++;
    struct instance *instance = owner->instance;
    if (instance == NULL) {
        return true;
    }
    instance->quote.dirty = true;
    if (owner->role == ORDER_ROLE_HEDGE) {
        pnl_fill(s, instance, owner->leg, PNL_SLIPPAGE, report->side, qty, price,
                 order != NULL ? order->reference_price : price);
        if (order != NULL) {
            hedge_filled(s, instance, order, qty, change.delta_e12);
        } else {
            hedge_explain(s, instance, change.delta_e12);
        }
        return true;
    }
    if (owner->role == ORDER_ROLE_QUOTE) {
        instance->fills++;
        int64_t fair = instance->quote.fair_price != 0 ? instance->quote.fair_price
                       : order != NULL                 ? order->reference_price
                                                       : price;
        pnl_fill(s, instance, owner->leg, PNL_TRADING, report->side, qty, price, fair);
        instance->hedge.retry_ns = 0; /* new exposure is answered at once, whatever failed before */
    } else {
        pnl_fill(s, instance, owner->leg, PNL_SLIPPAGE, report->side, qty, price,
                 order != NULL ? order->reference_price : price);
    }
    hedge_explain(s, instance, change.delta_e12);
    return true;
}

/* The price of a quantity that counts already becomes known. */
static void reprice(struct strategy *s, const struct owner *owner, const struct record_report *report,
                    int64_t qty, int64_t from_price)
{
    if (qty <= 0 || report->price == from_price || report->price <= 0 ||
        report->price > s->exposure.bound[report->head.instrument].price) {
        return;
    }
    int128 before = owner->instance != NULL ? s->exposure.instance[owner->slot].delta_e12 : 0;
    exposure_reprice(&s->exposure, owner->slot, owner->leg, report->head.account, report->head.instrument,
                     report->side, qty, from_price, report->price);
    if (owner->instance != NULL) {
        hedge_explain(s, owner->instance, s->exposure.instance[owner->slot].delta_e12 - before);
        pnl_fill(s, owner->instance, owner->leg, owner->role == ORDER_ROLE_QUOTE ? PNL_TRADING : PNL_SLIPPAGE,
                 report->side, qty, report->price, from_price);
        owner->instance->quote.dirty = true;
    }
}

static void fee_cash(struct strategy *s, const struct owner *owner, uint16_t account, uint16_t currency,
                     int64_t paid_e8)
{
    if (paid_e8 == 0 || currency >= CURRENCY_MAX) {
        return;
    }
    int128 before = owner->instance != NULL ? s->exposure.instance[owner->slot].delta_e12 : 0;
    exposure_cash(&s->exposure, owner->slot, account, currency, PNL_FEE, -paid_e8);
    if (owner->instance != NULL) {
        pnl_cash(s, owner->instance, PNL_FEE, currency, -paid_e8);
        hedge_explain(s, owner->instance, s->exposure.instance[owner->slot].delta_e12 - before);
    }
}

static int64_t fee_rate(const struct strategy *s, const struct owner *owner,
                        const struct record_report *report)
{
    const struct fee_row *row = &s->fee[report->head.account][report->head.instrument];
    bool maker = report->liquidity == LIQUIDITY_MAKER ||
                 (report->liquidity == LIQUIDITY_UNKNOWN && owner->role == ORDER_ROLE_QUOTE);
    return maker ? row->maker_centibp : row->taker_centibp;
}

/* A fee far from the table's means that the table, and with it every price we quote, is wrong. */
static void check_fee(struct strategy *s, const struct owner *owner, const struct record_report *report,
                      int64_t qty, int64_t price)
{
    if (owner->instance == NULL || owner->instance->params.max_fee_surprise_centibp == 0 ||
        !s->fee[report->head.account][report->head.instrument].known) {
        return;
    }
    const struct instrument *row = &s->instrument[report->head.instrument];
    uint16_t currency;
    int64_t notional = kind_fee_e8(row, report->side, qty, price, 1000000, &currency);
    int64_t expected = kind_fee_e8(row, report->side, qty, price, fee_rate(s, owner, report), &currency);
    if (currency != report->fee_currency) {
        return;
    }
    int128 off = (int128)base_abs(report->fee_e8 - expected) * 1000000;
    if (off > (int128)notional * owner->instance->params.max_fee_surprise_centibp) {
        state_event(s, EVENT_FEE_SURPRISE, owner->instance->params.instance, 2, report->fee_e8, expected,
                    (int64_t)report->exec_id, report->fee_currency);
    }
}

/* The fee as told, else as the table says until it is told; an entry remembers what was booked. */
static void book_fee(struct strategy *s, const struct owner *owner, struct seen_entry *entry,
                     const struct record_report *report, int64_t qty, int64_t price)
{
    uint16_t currency;
    int64_t fee_e8;
    bool told = (report->flags & REPORT_HAS_FEE) && report->fee_currency < CURRENCY_MAX &&
                report->fee_e8 > -EXPOSURE_MONEY_MAX && report->fee_e8 < EXPOSURE_MONEY_MAX;

    if (price <= 0 || price > s->exposure.bound[report->head.instrument].price || qty <= 0 ||
        qty > s->exposure.bound[report->head.instrument].qty) {
        return;
    }
    if (told) {
        fee_e8 = report->fee_e8;
        currency = report->fee_currency;
        check_fee(s, owner, report, qty, price);
    } else {
        fee_e8 = kind_fee_e8(&s->instrument[report->head.instrument], report->side, qty, price,
                             fee_rate(s, owner, report), &currency);
    }
    if (entry->fee_e8 != 0 && entry->fee_currency != currency) {
        fee_cash(s, owner, report->head.account, entry->fee_currency, -entry->fee_e8);
        entry->fee_e8 = 0;
    }
    fee_cash(s, owner, report->head.account, currency, fee_e8 - entry->fee_e8);
    entry->fee_e8 = fee_e8;
    entry->fee_currency = currency;
    entry->flags = told ? entry->flags & ~SEEN_FEE_OPEN : entry->flags | SEEN_FEE_OPEN;
}

/* An execution that was seen before: it may bring what the first report left open. */
static void seen_again(struct strategy *s, const struct owner *owner, struct order *order,
                       struct seen_entry *entry, const struct record_report *report)
{
    bool price_known = report->price > 0 && !(report->flags & REPORT_PRICE_OPEN);
    bool completes = false;

    if ((entry->flags & SEEN_PRICE_OPEN) && price_known) {
        if (order != NULL) {
            int64_t take = base_min(entry->qty, order->open_named);
            reprice(s, owner, report, take, order->open_price);
            open_qty_changed(s, order, order->open_qty, order->open_qty - take);
            order->open_named -= take;
            order->open_qty -= take;
        }
        entry->flags &= ~SEEN_PRICE_OPEN;
        book_fee(s, owner, entry, report, entry->qty, report->price);
        completes = true;
    } else if ((entry->flags & SEEN_FEE_OPEN) && (report->flags & REPORT_HAS_FEE) && price_known) {
        book_fee(s, owner, entry, report, entry->qty, report->price);
        completes = true;
    }
    s->duplicate_fills++;
    if (!completes) {
        state_event(s, EVENT_DUPLICATE_FILL,
                    owner->instance != NULL ? owner->instance->params.instance : NO_INSTANCE, 0,
                    (int64_t)report->exec_id, (int64_t)report->order, 0, 0);
    }
}

static int64_t fallback_price(const struct strategy *s, const struct order *order,
                              const struct record_report *report)
{
    int64_t price = order != NULL ? order->price : report->order_price;
    if (price <= 0) {
        price = book_reference(&s->book[report->head.instrument], s->now_ns, PRICE_OPEN_NS * 10);
    }
    return price > 0 ? price : s->instrument[report->head.instrument].tick;
}

static struct seen_key key_of(const struct record_report *report)
{
    return (struct seen_key){ .exec_id = report->exec_id,
                              .account = report->head.account,
                              .instrument = report->head.instrument,
                              .side = report->side };
}

/* An execution told one by one. */
static void take_execution(struct strategy *s, const struct owner *owner, struct order *order,
                           const struct record_report *report)
{
    bool price_open = (report->flags & REPORT_PRICE_OPEN) || report->price <= 0;
    struct seen_key key = key_of(report);
    struct seen_entry *entry = seen_find(&s->seen, &key);
    if (entry != NULL) {
        seen_again(s, owner, order, entry, report);
        return;
    }
    if (report->last_qty > s->exposure.bound[report->head.instrument].qty ||
        report->price > s->exposure.bound[report->head.instrument].price) {
        state_halt(s, EXPOSURE_UNASSIGNED, HALT_OVERFLOW);
        return;
    }
    entry = seen_add(&s->seen, &key);
    entry->order = report->order;
    entry->qty = report->last_qty;

    if (order == NULL || order->stranger) {
        int64_t price = price_open ? fallback_price(s, order, report) : report->price;
        if (count(s, owner, NULL, report, report->last_qty, price)) {
            book_fee(s, owner, entry, report, report->last_qty, price);
        }
        entry->flags |= price_open ? SEEN_PRICE_OPEN : 0;
        return;
    }

    /* A cumulative quantity may have been ahead: that part counts already, and only its price is new. */
    int64_t covered = base_min(order->open_qty - order->open_named, report->last_qty);
    int64_t fresh = report->last_qty - covered;
    int64_t open_before = order->open_qty;
    if (price_open) {
        if (order->open_qty == 0) {
            order->open_price = fallback_price(s, order, report);
        }
        order->filled += fresh;
        if (fresh > 0 && !count(s, owner, order, report, fresh, order->open_price)) {
            order->filled -= fresh;
            return;
        }
        order->open_qty += fresh;
        order->open_named += report->last_qty;
        entry->flags |= SEEN_PRICE_OPEN;
    } else {
        reprice(s, owner, report, covered, order->open_price);
        order->open_qty -= covered;
        order->filled += fresh;
        if (fresh > 0 && !count(s, owner, order, report, fresh, report->price)) {
            order->filled -= fresh;
        }
        book_fee(s, owner, entry, report, report->last_qty, report->price);
    }
    open_qty_changed(s, order, open_before, order->open_qty);
}

/* A cumulative quantity ahead of the executions: what is missing counts at once, at the order's price until
 * its own is told. */
static void take_cumulative(struct strategy *s, const struct owner *owner, struct order *order,
                            const struct record_report *report)
{
    if (!(report->flags & REPORT_HAS_CUM) || report->cum_qty <= order->filled) {
        return;
    }
    int64_t size = base_max(base_max(order->qty, order->want_qty), report->order_qty);
    int64_t missing = base_min(report->cum_qty, size) - order->filled;
    if (order->stranger) {
        order->filled += base_max(missing, 0);
        return;
    }
    if (missing <= 0 || missing > s->exposure.bound[order->instrument].qty) {
        return;
    }
    if (order->open_qty == 0) {
        bool told = (report->flags & REPORT_HAS_LAST) && report->price > 0 &&
                    report->price <= s->exposure.bound[order->instrument].price;
        order->open_price = told ? report->price : order->price;
    }
    order->filled += missing;
    if (!count(s, owner, order, report, missing, order->open_price)) {
        order->filled -= missing;
        return;
    }
    open_qty_changed(s, order, order->open_qty, order->open_qty + missing);
    order->open_qty += missing;
}

/* ------------------------------------------------------------------ what a report does to the order */

static void count_reject(struct strategy *s, struct instance *instance, uint8_t reason)
{
    if (instance == NULL || reason == REASON_POST_ONLY || reason == REASON_UNCHANGED ||
        reason == REASON_NOT_SENT) {
        return;
    }
    if (s->now_ns - instance->reject_window_ns >= 60000000000ULL) {
        instance->reject_window_ns = s->now_ns;
        instance->rejects = 0;
    }
    instance->rejects++;
    instance->quote.dirty = true;
}

static void take_prices(const struct strategy *s, struct order *order, const struct record_report *report)
{
    const struct exposure_bound *bound = &s->exposure.bound[order->instrument];
    order->told_ns = report->venue_time_ns > order->told_ns ? report->venue_time_ns : order->told_ns;
    if (report->order_price > 0 && report->order_price <= bound->price) {
        order->price = order->want_price = report->order_price;
    }
    if (report->order_qty > 0 && report->order_qty <= bound->qty && !(report->flags & REPORT_QUOTE_QTY)) {
        order->qty = order->want_qty = report->order_qty;
    }
}

/* News that was overtaken by newer news of the same order: what it executed counts, its price and size do
 * not. */
static bool is_overtaken(const struct order *order, const struct record_report *report)
{
    return report->venue_time_ns > 0 && report->venue_time_ns < order->told_ns;
}

static void take_wanted(struct order *order)
{
    order->price = order->want_price;
    order->qty = order->want_qty;
}

static void ended(struct strategy *s, struct order *order, struct instance *instance, bool refused,
                  bool expired)
{
    take_wanted(order);
    if (instance == NULL) {
        return;
    }
    if (order->role == ORDER_ROLE_QUOTE) {
        quote_ended(s, instance, order, refused || (expired && order->filled == 0));
    } else if (order->role == ORDER_ROLE_HEDGE) {
        hedge_ended(s, instance, order, refused);
    } else if (refused) {
        instance->flatten_retry_ns = s->now_ns + HEDGE_BACKOFF_NS * 16;
        state_due(s, instance->flatten_retry_ns);
    }
}

static void rejected(struct strategy *s, struct order *order, struct instance *instance,
                     const struct record_report *report)
{
    bool stale = report->tie != 0 && report->tie != order->tie;
    uint8_t request = report->request;
    if (request == REQUEST_NONE) {
        request = order->state == ORDER_SENT       ? REQUEST_NEW
                  : order->state == ORDER_AMENDING ? REQUEST_AMEND
                                                   : REQUEST_CANCEL;
    }
    if (report->reason == REASON_AUTH) {
        state_halt(s, EXPOSURE_UNASSIGNED, HALT_AUTH);
    }
    switch (request) {
    case REQUEST_NEW:
        count_reject(s, instance, report->reason);
        if (record_refuses_for_certain(report->reason) && !order->acked && order->filled == 0) {
            request_step(s, order, ORDER_EVENT_REJECT);
        } else {
            request_doubt(s, order, ORDER_EVENT_DOUBT, false);
        }
        break;
    case REQUEST_AMEND:
        if (stale) {
            break;
        }
        if (report->reason == REASON_UNCHANGED) {
            if (request_step(s, order, ORDER_EVENT_AMENDED) && order->state == ORDER_OPEN) {
                take_wanted(order);
                order->deadline_ns = 0;
            }
            break;
        }
        count_reject(s, instance, report->reason);
        if (report->reason == REASON_NOT_FOUND) {
            request_doubt(s, order, ORDER_EVENT_DOUBT, false);
            break;
        }
        if (request_step(s, order, ORDER_EVENT_REFUSED) && order->state == ORDER_OPEN) {
            order->want_price = order->price;
            order->want_qty = order->qty;
            order->deadline_ns = 0;
            order->retry_ns = s->now_ns + CANCEL_RETRY_NS;
            order->no_amend = report->reason == REASON_OTHER || report->reason == REASON_FILTER;
        }
        break;
    case REQUEST_CANCEL:
        if (stale) {
            break;
        }
        if (report->reason == REASON_NOT_FOUND || report->reason == REASON_NONE) {
            request_doubt(s, order, ORDER_EVENT_DOUBT, false);
        } else if (request_step(s, order, ORDER_EVENT_REFUSED) && order->state == ORDER_OPEN) {
            order->deadline_ns = 0;
            order->retry_ns = s->now_ns + (CANCEL_RETRY_NS << base_min(order->refusals, CANCEL_DOUBLINGS));
            order->refusals += order->refusals < UINT8_MAX;
        }
        break;
    case REQUEST_QUERY:
        if (order->state == ORDER_QUERIED) {
            request_doubt(s, order, ORDER_EVENT_TIMEOUT, order->by_link);
        }
        break;
    default:
        break;
    }
}

static void not_found(struct strategy *s, struct order *order, const struct record_report *report)
{
    order->misses++;
    bool gone = order_in_doubt(order) && !order->acked && order->filled == 0 &&
                order->misses >= ORDER_GONE_MISSES && s->now_ns - order->sent_ns >= ORDER_GONE_GRACE_NS &&
                (report->head.flags & RECORD_FLAG_REST);
    if (gone) {
        request_step(s, order, ORDER_EVENT_GONE);
    } else {
        request_doubt(s, order, ORDER_EVENT_NOT_FOUND, order->by_link);
    }
}

static bool final_status(uint8_t status)
{
    return status == ORDER_STATUS_FILLED || status == ORDER_STATUS_CANCELLED ||
           status == ORDER_STATUS_EXPIRED || status == ORDER_STATUS_REJECTED;
}

/* Terminal and the final quantity, both told: otherwise it is asked. */
static void finish(struct strategy *s, struct order *order, const struct record_report *report,
                   enum order_event event)
{
    if (!(report->flags & REPORT_HAS_CUM)) {
        if (order->state != ORDER_DONE) {
            request_doubt(s, order, ORDER_EVENT_DOUBT, false);
        }
        return;
    }
    if (report->cum_qty < order->filled) {
        /* Executions were told that the final quantity does not contain: they were told, they count. */
        state_event(s, EVENT_TABLE_REFUSED, order->instance, 2, order->state, event, (int64_t)order->id,
                    report->cum_qty);
    }
    request_step(s, order, event);
}

static void order_state(struct strategy *s, const struct owner *owner, struct order *order,
                        const struct record_report *report)
{
    if (report->status == ORDER_STATUS_NOT_FOUND) {
        not_found(s, order, report);
        return;
    }
    if (final_status(report->status) || (report->flags & REPORT_TERMINAL)) {
        take_cumulative(s, owner, order, report);
        finish(s, order, report, ORDER_EVENT_STATE_FINAL);
        return;
    }
    if (report->status != ORDER_STATUS_OPEN && report->status != ORDER_STATUS_PARTIAL) {
        return;
    }
    order->acked = 1;
    bool was_in_doubt = order_in_doubt(order);
    if (order->state != ORDER_AMENDING && order->state != ORDER_CANCELLING && order->state != ORDER_DONE &&
        !is_overtaken(order, report)) {
        take_prices(s, order, report);
    }
    take_cumulative(s, owner, order, report);
    if (request_step(s, order, ORDER_EVENT_STATE_OPEN) && order->state == ORDER_OPEN) {
        order->want_price = order->price;
        order->want_qty = order->qty;
        order->misses = 0;
        if (was_in_doubt) {
            order->queries = 0;
        }
        /* An IOC that the venue calls open is asked again; one that stays so must not rest. */
        if (order->tif != TIF_GTC && s->now_ns - order->sent_ns >= IOC_OPEN_NS &&
            state_gateway_up(s, order->account)) {
            request_cancel(s, order);
            return;
        }
        order->deadline_ns = order->tif == TIF_GTC ? 0 : s->now_ns + ORDER_QUERY_FIRST_NS * 2;
        if (order->deadline_ns != 0) {
            if (order->deadline_ns < s->order_due_ns) {
                s->order_due_ns = order->deadline_ns;
            }
            state_due(s, order->deadline_ns);
        }
    }
}

static void filled(struct strategy *s, const struct owner *owner, struct order *order,
                   const struct record_report *report)
{
    order->acked = 1;
    if (report->exec_id != 0 && report->last_qty > 0) {
        take_execution(s, owner, order, report);
    } else if (!(report->flags & REPORT_HAS_CUM)) {
        /* Neither an id to tell it from a repetition nor a sum: ask. */
        if (order->state != ORDER_DONE) {
            request_doubt(s, order, ORDER_EVENT_DOUBT, false);
        }
        return;
    }
    take_cumulative(s, owner, order, report);
    if (final_status(report->status) || (report->flags & REPORT_TERMINAL)) {
        finish(s, order, report, ORDER_EVENT_FILLED);
        return;
    }
    bool was_sent = order->state == ORDER_SENT;
    request_step(s, order, ORDER_EVENT_FILL);
    if (order->state == ORDER_OPEN && was_sent && order->tif == TIF_GTC) {
        order->deadline_ns = 0;
    }
    /* Everything is executed but the venue did not say that it ended: do not wait for ever. */
    if (order_is_live(order) && order_left(order) == 0 && order->state == ORDER_OPEN) {
        order->deadline_ns = s->now_ns + FINAL_WAIT_NS;
        if (order->deadline_ns < s->order_due_ns) {
            s->order_due_ns = order->deadline_ns;
        }
        state_due(s, order->deadline_ns);
    }
}

/* Both the answer and the stream tell of an amend, and either may be late. */
static bool answers_amend(const struct order *order, const struct record_report *report)
{
    if (report->tie != 0) {
        return report->tie == order->tie;
    }
    return (report->order_price == 0 || report->order_price == order->want_price) &&
           (report->order_qty == 0 || report->order_qty == order->want_qty);
}

static void apply(struct strategy *s, const struct owner *owner, struct order *order,
                  const struct record_report *report)
{
    switch (report->head.type) {
    case RECORD_ACK:
        if (report->request == REQUEST_CANCEL) {
            request_step(s, order, ORDER_EVENT_CANCEL_ACK);
            break;
        }
        if (report->request == REQUEST_AMEND) {
            if (request_step(s, order, ORDER_EVENT_AMENDED) && order->state == ORDER_OPEN) {
                take_wanted(order);
                order->deadline_ns = 0;
            }
            break;
        }
        order->acked = 1;
        if (request_step(s, order, ORDER_EVENT_ACK) && order->state == ORDER_OPEN && order->tif == TIF_GTC &&
            order_left(order) != 0) {
            order->deadline_ns = 0;
        }
        break;
    case RECORD_REJECT:
        rejected(s, order, owner->instance, report);
        break;
    case RECORD_FILL:
        filled(s, owner, order, report);
        break;
    case RECORD_CANCELLED:
    case RECORD_EXPIRED:
        if (report->exec_id != 0 && report->last_qty > 0 && (report->flags & REPORT_HAS_LAST)) {
            take_execution(s, owner, order, report);
        }
        take_cumulative(s, owner, order, report);
        finish(s, order, report,
               report->head.type == RECORD_CANCELLED ? ORDER_EVENT_CANCELLED : ORDER_EVENT_EXPIRED);
        break;
    case RECORD_AMENDED:
        order->acked = 1;
        take_cumulative(s, owner, order, report);
        if (order->state == ORDER_AMENDING && !answers_amend(order, report)) {
            break; /* the news of an earlier amend: what is in flight still is */
        }
        if (order->state == ORDER_AMENDING) {
            take_wanted(order);
        }
        if (order->state != ORDER_DONE && !is_overtaken(order, report)) {
            take_prices(s, order, report);
        }
        if (request_step(s, order, ORDER_EVENT_AMENDED) && order->state == ORDER_OPEN &&
            order->tif == TIF_GTC) {
            order->want_price = order->price;
            order->want_qty = order->qty;
            order->deadline_ns = 0;
        }
        break;
    case RECORD_ORDER_STATE:
        if (report->exec_id != 0 && report->last_qty > 0 && (report->flags & REPORT_HAS_LAST)) {
            take_execution(s, owner, order, report);
        }
        order_state(s, owner, order, report);
        break;
    case RECORD_UNKNOWN:
        if (report->request == REQUEST_QUERY) {
            if (order->state == ORDER_QUERIED) {
                request_doubt(s, order, ORDER_EVENT_TIMEOUT, order->by_link);
            }
        } else if (report->tie == 0 || report->tie == order->tie || report->request == REQUEST_NEW) {
            if (order->state != ORDER_DONE) {
                request_doubt(s, order, ORDER_EVENT_DOUBT, false);
            }
        }
        break;
    case RECORD_CANCEL_ACK:
        request_step(s, order, ORDER_EVENT_CANCEL_ACK);
        break;
    default:
        break;
    }
}

/* ------------------------------------------------------------------ reports without a row */

/* The venue closed a position of ours: the legs that held it are smaller, whatever the order's name. */
static void liquidated(struct strategy *s, const struct record_report *report)
{
    struct record_report part = *report;
    struct seen_key key = key_of(report);
    if (report->exec_id == 0 || seen_find(&s->seen, &key) != NULL) {
        s->duplicate_fills++;
        return;
    }
    int64_t left = report->last_qty;
    int64_t price = report->price > 0 ? report->price : fallback_price(s, NULL, report);
    if (left > s->exposure.bound[report->head.instrument].qty ||
        price > s->exposure.bound[report->head.instrument].price) {
        state_halt(s, EXPOSURE_UNASSIGNED, HALT_OVERFLOW);
        return;
    }
    struct seen_entry *entry = seen_add(&s->seen, &key);
    entry->qty = left;
    struct owner nobody = { .slot = EXPOSURE_UNASSIGNED }, first = nobody;
    for (uint32_t number = 0; number <= ORDER_INSTANCE_MAX && left > 0; number++) {
        uint32_t slot = s->slot_of[number];
        for (uint32_t leg = 0; slot < PARAMS_INSTANCE_MAX && leg < LEG_COUNT && left > 0; leg++) {
            const struct exposure_leg *row = &s->exposure.instance[slot].leg[leg];
            if (row->instrument != report->head.instrument || row->account != report->head.account ||
                row->position.qty == 0 || (row->position.qty > 0) == (report->side == SIDE_BUY)) {
                continue;
            }
            struct owner owner = { .instance = &s->instance[slot], .slot = slot, .leg = leg };
            int64_t take = base_min(left, base_abs(row->position.qty));
            count(s, &owner, NULL, &part, take, price);
            first = first.instance == NULL ? owner : first;
            left -= take;
        }
    }
    if (left > 0) {
        count(s, &nobody, NULL, &part, left, price);
    }
    book_fee(s, &first, entry, report, report->last_qty, price);
    state_halt(s, EXPOSURE_UNASSIGNED, HALT_LIQUIDATION);
}

/* An order of ours rests that we do not know: it enters the table in doubt and is cancelled. */
static void adopt_stranger(struct strategy *s, const struct record_report *report, const struct owner *owner)
{
    const struct exposure_bound *bound = &s->exposure.bound[report->head.instrument];
    if (report->order_qty <= 0 || report->order_qty > bound->qty || report->order_price <= 0 ||
        report->order_price > bound->price || report->cum_qty < 0 || report->cum_qty > report->order_qty) {
        return;
    }
    struct order *order = order_take(&s->orders, report->order);
    if (order == NULL) {
        return;
    }
    order->slot = owner->instance != NULL ? (uint16_t)owner->slot : ORDER_LISTS;
    order->instance = owner->instance != NULL ? owner->instance->params.instance : NO_INSTANCE;
    order->instrument = report->head.instrument;
    order->account = report->head.account;
    order->leg = (uint8_t)owner->leg;
    order->role = owner->role;
    order->side = report->side;
    order->price = order->want_price = report->order_price;
    order->qty = order->want_qty = report->order_qty;
    order->sent_ns = order->changed_ns = s->now_ns;
    order->acked = 1;
    order->by_link = 1;
    order->stranger = 1;
    /* Its executions were counted, or will be told one by one by REST: nothing is assumed. */
    order->filled = (report->flags & REPORT_HAS_CUM) ? report->cum_qty : 0;
    order->deadline_ns = s->now_ns + ORDER_QUERY_FIRST_NS;
    request_step(s, order, ORDER_EVENT_RESTORE);
    if (order->deadline_ns < s->order_due_ns) {
        s->order_due_ns = order->deadline_ns;
    }
    state_due(s, order->deadline_ns);
    if (state_gateway_up(s, order->account)) {
        request_cancel(s, order);
    }
}

static uint64_t without_row(struct strategy *s, const struct record_report *report)
{
    struct owner owner = owner_of_id(s, report);
    bool ours = report->order != 0 && !(report->flags & REPORT_FOREIGN) &&
                order_id_engine(report->order) == s->engine;
    uint64_t woken = owner.instance != NULL ? 1ULL << owner.slot : 0;

    if (report->head.type == RECORD_FILL) {
        if (report->last_qty <= 0 || report->exec_id == 0) {
            s->unknown_reports++;
            return 0;
        }
        if (reason_closes_us(report->reason) && !ours) {
            liquidated(s, report);
            return s->users[report->head.instrument];
        }
        take_execution(s, &owner, NULL, report);
    } else if (report->head.type == RECORD_ORDER_STATE && ours && s->restored &&
               (report->status == ORDER_STATUS_OPEN || report->status == ORDER_STATUS_PARTIAL)) {
        adopt_stranger(s, report, &owner);
    } else if (!ours) {
        return 0;
    }
    if (ours) {
        s->unknown_reports++;
        state_event(s, EVENT_UNKNOWN_ORDER,
                    owner.instance != NULL ? owner.instance->params.instance : NO_INSTANCE, 1,
                    (int64_t)report->order, report->head.type, report->last_qty, 0);
    }
    return woken;
}

/* A quote that rests and has no place (found at the venue, or not adopted at the start) is cancelled. */
static void cancel_stray(struct strategy *s, struct order *order, const struct instance *instance)
{
    if (order->state != ORDER_OPEN || order->tif != TIF_GTC || s->now_ns < order->retry_ns ||
        !state_gateway_up(s, order->account)) {
        return;
    }
    if (instance == NULL || !quote_holds(s, instance, order)) {
        request_cancel(s, order);
    }
}

void report_consume(struct strategy *s, const struct record_report *report)
{
    if (report->exec_id != 0) {
        struct seen_key key = key_of(report);
        seen_fetch(&s->seen, &key); /* far memory: on its way while the order is looked up */
    }
    if (!state_instrument_known(s, report->head.instrument) ||
        !state_account_known(s, report->head.account) || report->side > SIDE_SELL || report->last_qty < 0 ||
        report->price < 0 || report->head.slot_count < 3) {
        /* A request that was refused before it had an instrument still names its order. */
        if (report->head.slot_count < 3 || order_find(&s->orders, report->order) == NULL ||
            report->head.type == RECORD_FILL || report->last_qty < 0 || report->price < 0) {
            s->malformed++;
            return;
        }
    }
    struct order *order = (report->flags & REPORT_FOREIGN) ? NULL : order_find(&s->orders, report->order);
    uint64_t woken;
    if (order == NULL) {
        if (!state_instrument_known(s, report->head.instrument) ||
            !state_account_known(s, report->head.account)) {
            s->malformed++;
            return;
        }
        woken = without_row(s, report);
    } else {
        struct record_report fixed;
        const struct record_report *told = report;
        bool moves = report->last_qty > 0 || (report->flags & REPORT_HAS_CUM);
        if (report->head.instrument != order->instrument || report->head.account != order->account ||
            (moves && report->side != order->side)) {
            if (report->head.instrument != NO_INSTRUMENT && report->head.type == RECORD_FILL) {
                s->malformed++;
                state_event(s, EVENT_UNKNOWN_ORDER, order->instance, 2, (int64_t)report->order,
                            report->head.type, report->last_qty, 1);
                return;
            }
            /* The row knows better than a report that names only the order. */
            fixed = *report;
            told = &fixed;
            fixed.head.instrument = order->instrument;
            fixed.head.account = order->account;
            fixed.side = order->side;
        }
        struct owner owner = owner_of_order(s, order);
        bool was_live = order_is_live(order);
        uint32_t unknown = s->orders.unknown[order->instrument];
        apply(s, &owner, order, told);
        woken = owner.instance != NULL ? 1ULL << owner.slot : 0;
        if (was_live && !order_is_live(order)) {
            ended(s, order, owner.instance,
                  report->head.type == RECORD_REJECT || (order->filled == 0 && order->misses != 0),
                  report->head.type == RECORD_EXPIRED);
            woken |= s->users[order->instrument];
        }
        if (unknown != s->orders.unknown[order->instrument]) {
            woken |= s->users[order->instrument];
        }
        if (owner.instance != NULL) {
            owner.instance->quote.dirty = true;
        }
        cancel_stray(s, order, owner.instance);
    }
    if (s->exposure.overflow) {
        s->exposure.overflow = false;
        state_halt(s, EXPOSURE_UNASSIGNED, HALT_OVERFLOW);
    }
    state_answer(s, woken);
}

void report_open_prices(struct strategy *s)
{
    if (s->open_count == 0) {
        return;
    }
    if (s->now_ns < s->open_ns) {
        state_due(s, s->open_ns);
        return;
    }
    s->open_ns = s->now_ns + PRICE_OPEN_NS / 8;
    state_due(s, s->open_ns);
    uint32_t told = 0;
    for (uint32_t i = 0; i < ORDER_MAX && told < 16; i++) {
        struct order *order = &s->orders.row[i];
        if (order->state == ORDER_FREE || order->open_qty == 0 || order->price_told ||
            s->now_ns - order->open_since_ns < PRICE_OPEN_NS) {
            continue;
        }
        order->price_told = 1;
        told++;
        state_event(s, EVENT_PRICE_OPEN, order->instance, 1, (int64_t)order->id, order->open_qty,
                    order->open_price, order->filled);
        if (order->state == ORDER_DONE) {
            request_query(s, order);
        }
    }
}
