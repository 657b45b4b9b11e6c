#include "tools/sim/model/sim_state.h"

#include <stdlib.h>
#include <string.h>

void sim_publish_dirty(struct sim_floor *floor, int side, int64_t price)
{
    struct sim_prices *prices = &floor->dirty[side];

    if (prices->count > 0 && prices->price[prices->count - 1] == price) {
        return;
    }
    prices->price = sim_state_grow(prices->price, &prices->capacity, prices->count + 1, sizeof(int64_t));
    prices->price[prices->count++] = price;
}

void sim_publish_gap(struct sim_floor *floor)
{
    const struct sim_book *book = &floor->market.book;

    if (!sim_book_leads(book)) {
        return;
    }
    for (int side = 0; side < 2; side++) {
        const struct sim_ladder *ladder = &book->side[side];

        sim_publish_dirty(floor, side, book->touch[side].price);
        for (size_t i = ladder->count; i > 0; i--) {
            if (!sim_book_better(side, ladder->level[i - 1].price, book->touch[side].price)) {
                break;
            }
            sim_publish_dirty(floor, side, ladder->level[i - 1].price);
        }
    }
}

static int ascending(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return (x > y) - (x < y);
}

/* displayed is what a subscriber sees at a price: what is in view and our own orders there. */
static int64_t displayed(const struct sim_floor *floor, int side, int64_t price)
{
    int64_t size = sim_book_size(&floor->market.book, side, price);

    for (size_t i = 0; i < floor->resting_count[side]; i++) {
        const struct sim_order *order = floor->resting[side][i];
        if (order->price == price) {
            size += order->qty - order->filled;
        }
    }
    return size;
}

void sim_publish_depth(struct sim_venue *venue, int instrument, const struct sim_tape_event *frame,
                       int64_t now_ns)
{
    struct sim_floor *floor = venue->floor[instrument];
    struct sim_market *market = &floor->market;
    struct sim_event event = { .kind = SIM_EVENT_DEPTH, .instrument = instrument, .now_ns = now_ns };
    size_t count = 0;

    if (!market->live || (frame == NULL && floor->dirty[0].count == 0 && floor->dirty[1].count == 0)) {
        return;
    }
    for (int side = 0; side < 2; side++) {
        struct sim_prices *prices = &floor->dirty[side];
        uint32_t framed = frame == NULL ? 0 : side == SIM_BUY ? frame->bid_count : frame->ask_count;
        const struct sim_level *level = frame == NULL     ? NULL
                                        : side == SIM_BUY ? frame->levels
                                                          : frame->levels + frame->bid_count;

        for (uint32_t i = 0; i < framed; i++) {
            sim_publish_dirty(floor, side, level[i].price);
        }
        if (prices->count > 1) {
            qsort(prices->price, prices->count, sizeof(int64_t), ascending);
        }
        floor->out =
            sim_state_grow(floor->out, &floor->out_capacity, count + prices->count, sizeof *floor->out);
        size_t first = count;
        for (size_t i = 0; i < prices->count; i++) {
            if (i > 0 && prices->price[i] == prices->price[i - 1]) {
                continue;
            }
            floor->out[count].price = prices->price[i];
            floor->out[count++].qty = displayed(floor, side, prices->price[i]);
        }
        prices->count = 0;
        if (side == SIM_BUY) {
            event.bid_count = (uint32_t)(count - first);
        } else {
            event.ask_count = (uint32_t)(count - first);
        }
    }
    event.levels = floor->out;
    event.pu = market->last_u;
    if (frame == NULL) {
        event.first_u = event.u = market->last_u + 1;
    } else {
        if (frame->first_u + floor->u_offset <= market->last_u) {
            floor->u_offset = market->last_u + 1 - frame->first_u;
        }
        event.first_u = frame->first_u + floor->u_offset;
        event.u = frame->u + floor->u_offset;
        if (market->instrument.kind == SIM_SPOT) {
            event.first_u = market->last_u + 1; /* spot ids are dense: there is no pu to link by */
        }
    }
    market->last_u = event.u;
    venue->emit(venue->user, &event);
}

void sim_publish_top(struct sim_venue *venue, int instrument, int64_t recorded_u, int64_t now_ns)
{
    struct sim_floor *floor = venue->floor[instrument];
    struct sim_market *market = &floor->market;
    struct sim_level top[2];

    if (!market->live) {
        return;
    }
    for (int side = 0; side < 2; side++) {
        if (sim_venue_depth(venue, instrument, side, &top[side], 1) == 0) {
            top[side] = (struct sim_level){ 0, 0 };
        }
    }
    if (memcmp(top, floor->top, sizeof top) == 0) {
        return;
    }
    memcpy(floor->top, top, sizeof top);

    int64_t u = market->last_top_u + 1 > market->last_u ? market->last_top_u + 1 : market->last_u;
    if (recorded_u != 0) {
        if (recorded_u + floor->u_offset < u) {
            floor->u_offset = u - recorded_u;
        }
        u = recorded_u + floor->u_offset;
    }
    market->last_top_u = u;

    struct sim_event event = { .kind = SIM_EVENT_TOP, .instrument = instrument, .now_ns = now_ns };
    event.u = u;
    event.levels = top;
    venue->emit(venue->user, &event);
}

int64_t sim_publish_trade(struct sim_venue *venue, int instrument, int64_t price, int64_t qty,
                          bool buyer_is_maker, int64_t now_ns)
{
    struct sim_floor *floor = venue->floor[instrument];
    struct sim_event event = { .kind = SIM_EVENT_TRADE, .instrument = instrument, .now_ns = now_ns };

    int64_t *next = floor->market.instrument.trade_family == 0
                        ? &floor->next_trade_id
                        : &venue->family_trade_id[floor->market.instrument.trade_family];

    event.trade_id = (*next)++;
    event.trade_seq = floor->next_trade_seq++;
    floor->recent_seq[event.trade_id % SIM_SEQ_MAX] = (struct sim_seq){ event.trade_id, event.trade_seq };
    event.price = price;
    event.qty = qty;
    event.buyer_is_maker = buyer_is_maker;
    if (floor->market.live) {
        venue->emit(venue->user, &event);
    }
    return event.trade_id;
}

void sim_publish_restart(struct sim_floor *floor, int64_t recorded_u)
{
    struct sim_market *market = &floor->market;
    int64_t last = market->last_u > market->last_top_u ? market->last_u : market->last_top_u;

    if (recorded_u + floor->u_offset <= last) {
        floor->u_offset = last + 1 - recorded_u;
    }
    market->last_u = recorded_u + floor->u_offset;
    memset(floor->top, 0, sizeof floor->top);
    floor->dirty[0].count = floor->dirty[1].count = 0;
}
