#include "tools/sim/model/sim_state.h"

#include <stdlib.h>
#include <string.h>

/* --- the queue -------------------------------------------------------------------------------------- */

void sim_match_rest(struct sim_venue *venue, struct sim_order *order)
{
    struct sim_floor *floor = venue->floor[order->instrument];
    struct sim_book *book = &floor->market.book;
    int side = order->side;
    size_t at = floor->resting_count[side];

    order->priority = venue->next_priority++;
    order->ahead = sim_book_size(book, side, order->price);
    order->credit = 0;
    order->credit_stamp_ms = 0;
    order->placed_u = sim_book_leads(book) ? book->touch_u : book->u;
    order->placed_stamp_ms = sim_book_leads(book) ? book->touch_stamp_ms : book->stamp_ms;
    order->resting = true;

    size_t capacity = floor->resting_capacity[side];
    floor->resting[side] =
        sim_state_grow(floor->resting[side], &capacity, at + 1, sizeof(struct sim_order *));
    floor->resting_capacity[side] = capacity;
    while (at > 0 && sim_book_better(side, order->price, floor->resting[side][at - 1]->price)) {
        floor->resting[side][at] = floor->resting[side][at - 1];
        at--;
    }
    floor->resting[side][at] = order;
    floor->resting_count[side]++;
    sim_publish_dirty(floor, side, order->price);
}

void sim_match_leave(struct sim_venue *venue, struct sim_order *order)
{
    struct sim_floor *floor = venue->floor[order->instrument];
    int side = order->side;

    if (!order->resting) {
        return;
    }
    order->resting = false;
    for (size_t i = 0; i < floor->resting_count[side]; i++) {
        if (floor->resting[side][i] == order) {
            memmove(&floor->resting[side][i], &floor->resting[side][i + 1],
                    (floor->resting_count[side] - i - 1) * sizeof(struct sim_order *));
            floor->resting_count[side]--;
            break;
        }
    }
    sim_publish_dirty(floor, side, order->price);
}

void sim_match_requeue(struct sim_venue *venue, int instrument)
{
    struct sim_floor *floor = venue->floor[instrument];

    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < floor->resting_count[side]; i++) {
            struct sim_order *order = floor->resting[side][i];
            order->ahead = sim_book_size(&floor->market.book, side, order->price);
            order->credit = 0;
            order->placed_u = floor->market.book.u;
            order->placed_stamp_ms = floor->market.book.stamp_ms;
        }
    }
    floor->recent_count = 0;
}

/* fill_maker fills a resting order, takes it out of the queue when nothing is left, and keeps the published
 * size of its price current. */
static void fill_maker(struct sim_venue *venue, struct sim_order *order, int64_t qty, int64_t trade_id,
                       int64_t now_ns)
{
    sim_publish_dirty(venue->floor[order->instrument], order->side, order->price);
    sim_state_fill(venue, order, qty, order->price, true, false, trade_id, now_ns);
    if (!sim_venue_live(order)) {
        sim_match_leave(venue, order);
    }
}

/* maybe_part answers how much of qty a maker gets: all of it, or on request of the fault a part. */
static int64_t maybe_part(struct sim_venue *venue, const struct sim_instrument *instrument, int64_t qty)
{
    int64_t steps = qty / instrument->step;

    if (steps < 2 || !sim_random_chance(&venue->partial_random, venue->partial_ppm)) {
        return qty;
    }
    return sim_random_range(&venue->partial_random, 1, steps - 1) * instrument->step;
}

/* --- recorded events -------------------------------------------------------------------------------- */

static void remember(struct sim_floor *floor, const struct sim_tape_event *event, enum sim_side side,
                     int64_t qty)
{
    if (floor->recent_count == SIM_RECENT_MAX) {
        memmove(floor->recent, floor->recent + 1, (SIM_RECENT_MAX - 1) * sizeof floor->recent[0]);
        floor->recent_count--;
    }
    floor->recent[floor->recent_count++] =
        (struct sim_recent){ event->stamp_ms, event->levels[0].price, qty, side };
}

/* explained answers how much of a decrease at a price the trades up to a frame's time account for. */
static int64_t explained(const struct sim_floor *floor, int side, int64_t price, int64_t stamp_ms)
{
    int64_t sum = 0;

    for (size_t i = 0; i < floor->recent_count; i++) {
        const struct sim_recent *trade = &floor->recent[i];
        if (trade->side == (enum sim_side)side && trade->price == price && trade->stamp_ms <= stamp_ms) {
            sum += trade->qty;
        }
    }
    return sum;
}

/* was_before is true of a trade that happened before the order took its place: it was in view already. */
static bool was_before(const struct sim_tape_event *event, const struct sim_order *order)
{
    return event->stamp_ms <= order->placed_stamp_ms;
}

/* trade_at_price walks our orders at the price of a recorded trade, oldest first.  What is ahead of each is
 * consumed before it; consumed counts recorded size only, so it moves every order behind alike. */
static int64_t trade_at_price(struct sim_venue *venue, struct sim_floor *floor,
                              const struct sim_tape_event *event, int side, int64_t left, int64_t now_ns)
{
    const struct sim_instrument *instrument = &floor->market.instrument;
    int64_t price = event->levels[0].price;
    int64_t consumed = 0;
    size_t i = 0;

    while (i < floor->resting_count[side] && sim_book_better(side, floor->resting[side][i]->price, price)) {
        i++;
    }
    size_t first = i;
    while (i < floor->resting_count[side] && floor->resting[side][i]->price == price) {
        struct sim_order *order = floor->resting[side][i];
        /* A decrease that the depth frame showed before this trade was already given to the order: the trade
         * spends that credit first, so that one event moves the queue once. */
        bool late = event->stamp_ms <= order->credit_stamp_ms;
        int64_t ahead = order->ahead + (late ? order->credit : 0) - consumed;
        if (was_before(event, order)) {
            ahead = 0;
        }
        int64_t step = ahead <= 0 ? 0 : ahead < left ? ahead : left;

        if (step > 0) {
            sim_publish_trade(venue, event->instrument, price, step, side == SIM_BUY, now_ns);
            consumed += step;
            left -= step;
        }
        int64_t want = was_before(event, order) ? 0 : sim_state_fillable(venue, order);
        int64_t take = want < left ? want : left;
        if (take <= 0) {
            i++;
            continue;
        }
        int64_t part = maybe_part(venue, instrument, take);
        int64_t id = sim_publish_trade(venue, event->instrument, price, part, side == SIM_BUY, now_ns);
        left -= take;
        if (take > part) { /* the fault gives the rest to somebody else */
            sim_publish_trade(venue, event->instrument, price, take - part, side == SIM_BUY, now_ns);
        }
        fill_maker(venue, order, part, id, now_ns);
        if (order->resting) {
            i++;
        }
    }
    for (i = first; i < floor->resting_count[side] && floor->resting[side][i]->price == price; i++) {
        struct sim_order *order = floor->resting[side][i];
        bool late = event->stamp_ms <= order->credit_stamp_ms;
        int64_t spent = !late ? 0 : order->credit < consumed ? order->credit : consumed;

        if (was_before(event, order)) {
            continue;
        }
        order->credit -= spent;
        order->ahead -= consumed - spent;
        if (order->ahead < 0) {
            order->ahead = 0;
        }
    }
    return left;
}

void sim_match_trade(struct sim_venue *venue, const struct sim_tape_event *event, int64_t now_ns)
{
    struct sim_floor *floor = venue->floor[event->instrument];
    const struct sim_instrument *instrument = &floor->market.instrument;
    int side = event->buyer_is_maker ? SIM_BUY : SIM_SELL;
    int64_t price = event->levels[0].price;
    int64_t left = event->levels[0].qty;
    size_t fills = venue->fill_count;

    if (event->stamp_ms > floor->market.book.stamp_ms) {
        remember(floor, event, (enum sim_side)side, left);
    }
    /* Through: our better price would have been taken first. */
    for (size_t i = 0; left > 0 && i < floor->resting_count[side];) {
        struct sim_order *order = floor->resting[side][i];
        if (!sim_book_better(side, order->price, price)) {
            break;
        }
        int64_t want = was_before(event, order) ? 0 : sim_state_fillable(venue, order);
        int64_t take = want < left ? want : left;
        if (take <= 0) {
            i++;
            continue;
        }
        int64_t part = maybe_part(venue, instrument, take);
        int64_t id = sim_publish_trade(venue, event->instrument, order->price, part, side == SIM_BUY, now_ns);
        left -= part;
        fill_maker(venue, order, part, id, now_ns);
        if (order->resting) {
            i++;
        }
    }
    if (left > 0) {
        left = trade_at_price(venue, floor, event, side, left, now_ns);
    }
    if (left > 0) {
        sim_publish_trade(venue, event->instrument, price, left, side == SIM_BUY, now_ns);
    }
    if (venue->fill_count != fills) {
        sim_state_settle_reduce_only(venue, event->instrument, now_ns);
        sim_publish_depth(venue, event->instrument, NULL, now_ns);
        sim_publish_top(venue, event->instrument, 0, now_ns);
    }
}

/* decreased moves the queue place of our orders for what a frame says of their price. */
static void decreased(struct sim_venue *venue, struct sim_floor *floor, int side, int64_t price,
                      int64_t old_size, int64_t new_size, const struct sim_tape_event *event)
{
    int64_t missing = old_size - new_size;
    int64_t unexplained = missing - explained(floor, side, price, event->stamp_ms);

    for (size_t i = 0; i < floor->resting_count[side]; i++) {
        struct sim_order *order = floor->resting[side][i];
        int64_t given = 0;

        if (order->price != price || event->u < order->placed_u) {
            continue; /* the frame is older than the place this order took */
        }
        /* A ladder older than the order's place shows decreases that were in view when it was taken. */
        if (unexplained > 0 && venue->cancel_ahead == SIM_CANCEL_AHEAD_PRORATA &&
            floor->market.book.u >= order->placed_u) {
            given = (int64_t)((__int128)order->ahead * unexplained / old_size);
        }
        if (order->ahead - given > new_size) {
            given = order->ahead - new_size; /* never behind more than is displayed */
        }
        if (given > 0) {
            if (event->stamp_ms > order->credit_stamp_ms + 1000) {
                order->credit = 0; /* trades are never that late: the old credit was a real cancel */
            }
            order->ahead -= given;
            order->credit += given;
            order->credit_stamp_ms = event->stamp_ms;
        }
    }
}

void sim_match_depth(struct sim_venue *venue, const struct sim_tape_event *event, int64_t now_ns)
{
    struct sim_floor *floor = venue->floor[event->instrument];
    struct sim_book *book = &floor->market.book;

    sim_publish_gap(floor);
    for (int side = 0; side < 2; side++) {
        if (floor->resting_count[side] == 0) {
            continue;
        }
        const struct sim_level *level = side == SIM_BUY ? event->levels : event->levels + event->bid_count;
        uint32_t count = side == SIM_BUY ? event->bid_count : event->ask_count;

        for (uint32_t i = 0; i < count; i++) {
            int64_t old_size = sim_book_ladder_size(book, side, level[i].price);
            if (level[i].qty < old_size) {
                decreased(venue, floor, side, level[i].price, old_size, level[i].qty, event);
            }
        }
    }
    sim_book_depth(book, event);
    sim_publish_gap(floor);

    size_t kept = 0; /* trades up to the frame's time are inside it now */
    for (size_t i = 0; i < floor->recent_count; i++) {
        if (floor->recent[i].stamp_ms > event->stamp_ms) {
            floor->recent[kept++] = floor->recent[i];
        }
    }
    floor->recent_count = kept;

    sim_match_crossed(venue, event->instrument, now_ns);
    sim_state_settle_reduce_only(venue, event->instrument, now_ns);
    sim_publish_depth(venue, event->instrument, event, now_ns);
    sim_publish_top(venue, event->instrument, 0, now_ns);
}

void sim_match_top(struct sim_venue *venue, const struct sim_tape_event *event, int64_t now_ns)
{
    struct sim_floor *floor = venue->floor[event->instrument];
    size_t fills = venue->fill_count;

    sim_publish_gap(floor);
    if (!sim_book_top(&floor->market.book, event)) {
        return;
    }
    sim_publish_gap(floor);
    sim_match_crossed(venue, event->instrument, now_ns);
    sim_state_settle_reduce_only(venue, event->instrument, now_ns);
    if (venue->fill_count != fills || venue->rules.touch_in_depth) {
        sim_publish_depth(venue, event->instrument, NULL, now_ns);
    }
    sim_publish_top(venue, event->instrument, event->u, now_ns);
}

void sim_match_crossed(struct sim_venue *venue, int instrument, int64_t now_ns)
{
    struct sim_floor *floor = venue->floor[instrument];

    for (int side = 0; side < 2; side++) {
        size_t i = 0;
        while (i < floor->resting_count[side]) {
            struct sim_order *order = floor->resting[side][i];
            struct sim_level touch;

            if (!sim_book_best(&floor->market.book, !side, &touch) ||
                sim_book_better(!side, order->price, touch.price)) {
                break;
            }
            int64_t want = sim_state_fillable(venue, order);
            int64_t take = want < touch.qty ? want : touch.qty;
            if (take <= 0) {
                i++;
                continue;
            }
            int64_t part = maybe_part(venue, &floor->market.instrument, take);
            /* A part leaves the rest of the touch to somebody else, so that it is not met again. */
            sim_book_eat(&floor->market.book, !side, touch.price, part < take ? touch.qty : take);
            sim_publish_dirty(floor, !side, touch.price);
            int64_t id = sim_publish_trade(venue, instrument, order->price, part, side == SIM_BUY, now_ns);
            fill_maker(venue, order, part, id, now_ns);
            if (order->resting && want == take && part == take) {
                i++;
            }
        }
    }
}

/* --- takers ----------------------------------------------------------------------------------------- */

static bool allows(const struct sim_order *order, int64_t price)
{
    return order->market || !sim_book_better(order->side, price, order->price);
}

/* take_level takes up to what the order wants at one price of the other side: recorded size ahead of each
 * of our resting orders there, the order, and so on, then the recorded size behind. */
static void take_level(struct sim_venue *venue, struct sim_order *order, int64_t price, bool forced,
                       int64_t now_ns)
{
    struct sim_floor *floor = venue->floor[order->instrument];
    int other = !order->side;
    int64_t recorded = sim_book_size(&floor->market.book, other, price);
    int64_t consumed = 0;
    bool seller = order->side == SIM_SELL; /* then the buyer is the maker */
    size_t i = 0;

    while (sim_venue_live(order)) {
        while (i < floor->resting_count[other] && floor->resting[other][i]->price != price) {
            i++;
        }
        struct sim_order *maker = i < floor->resting_count[other] ? floor->resting[other][i] : NULL;
        int64_t before = maker == NULL             ? recorded - consumed
                         : maker->ahead < recorded ? maker->ahead - consumed
                                                   : recorded - consumed;
        int64_t want = sim_state_fillable(venue, order);
        int64_t take = before < want ? before : want;

        if (want <= 0) {
            break;
        }
        if (take > 0) {
            sim_book_eat(&floor->market.book, other, price, take);
            sim_publish_dirty(floor, other, price);
            consumed += take;
            int64_t id = sim_publish_trade(venue, order->instrument, price, take, seller, now_ns);
            sim_state_fill(venue, order, take, price, false, forced, id, now_ns);
            continue;
        }
        if (maker == NULL) {
            break;
        }
        if (maker->account == order->account && order->stp != SIM_STP_NONE) {
            if (order->stp != SIM_STP_EXPIRE_TAKER) {
                sim_state_close(venue, maker, SIM_ORDER_EXPIRED_IN_MATCH, SIM_EXPIRY_STP, now_ns);
            }
            if (order->stp != SIM_STP_EXPIRE_MAKER) {
                sim_state_close(venue, order, SIM_ORDER_EXPIRED_IN_MATCH, SIM_EXPIRY_STP, now_ns);
            }
            continue;
        }
        int64_t offered = sim_state_fillable(venue, maker);
        take = offered < want ? offered : want;
        if (take <= 0) {
            i++;
            continue;
        }
        int64_t id = sim_publish_trade(venue, order->instrument, price, take, seller, now_ns);
        sim_state_fill(venue, order, take, price, false, forced, id, now_ns);
        fill_maker(venue, maker, take, id, now_ns);
    }
    for (i = 0; i < floor->resting_count[other]; i++) {
        struct sim_order *maker = floor->resting[other][i];
        if (maker->price == price) {
            maker->ahead = maker->ahead > consumed ? maker->ahead - consumed : 0;
        }
    }
}

/* best_other answers the best price on the other side, recorded or ours, beyond what was tried already. */
static bool best_other(struct sim_venue *venue, const struct sim_order *order, bool tried, int64_t last,
                       int64_t *price)
{
    struct sim_floor *floor = venue->floor[order->instrument];
    int other = !order->side;
    struct sim_walk walk = sim_book_walk(&floor->market.book, other);
    struct sim_level level;
    bool found = false;

    while (sim_book_next(&walk, &level)) {
        if (!tried || sim_book_better(other, last, level.price)) {
            *price = level.price;
            found = true;
            break;
        }
    }
    for (size_t i = 0; i < floor->resting_count[other]; i++) {
        int64_t ours = floor->resting[other][i]->price;
        if ((!tried || sim_book_better(other, last, ours)) &&
            (!found || sim_book_better(other, ours, *price))) {
            *price = ours;
            found = true;
        }
    }
    return found;
}

void sim_match_take(struct sim_venue *venue, struct sim_order *order, bool forced, int64_t now_ns)
{
    int64_t price = 0, last = 0;
    bool tried = false;

    while (sim_venue_live(order) && sim_state_fillable(venue, order) > 0 &&
           best_other(venue, order, tried, last, &price) && allows(order, price)) {
        take_level(venue, order, price, forced, now_ns);
        tried = true;
        last = price;
    }
}

int64_t sim_match_available(struct sim_venue *venue, int instrument, enum sim_side side, bool market,
                            int64_t price, int64_t qty)
{
    struct sim_floor *floor = venue->floor[instrument];
    struct sim_walk walk = sim_book_walk(&floor->market.book, !side);
    struct sim_level level;
    int64_t sum = 0;

    while (sum < qty && sim_book_next(&walk, &level)) {
        if (!market && sim_book_better(side, level.price, price)) {
            break;
        }
        sum += level.qty;
    }
    for (size_t i = 0; i < floor->resting_count[!side]; i++) {
        const struct sim_order *maker = floor->resting[!side][i];
        if (market || !sim_book_better(side, maker->price, price)) {
            sum += maker->qty - maker->filled;
        }
    }
    return sum < qty ? sum : qty;
}

bool sim_match_would_take(struct sim_venue *venue, int instrument, enum sim_side side, int64_t price)
{
    return sim_match_available(venue, instrument, side, false, price, 1) > 0;
}
