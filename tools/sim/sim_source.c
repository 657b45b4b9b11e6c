#include "tools/sim/sim_source.h"

#include "tools/sim/model/sim_decimal.h"

#include <string.h>

#define RANDOM_STEP_LOW_NS  INT64_C(2000000)
#define RANDOM_STEP_HIGH_NS INT64_C(30000000)
#define LED_STEP_LOW_NS     INT64_C(20000000)
#define LED_STEP_HIGH_NS    INT64_C(100000000)

/* --- recordings ------------------------------------------------------------------------------------- */

static int64_t due_ns(const struct sim_source *source, int64_t recv_ns)
{
    int64_t since = recv_ns - source->base_ns - source->offset_ns;

    return source->start_ns + (int64_t)((__int128)since * 1000000 / source->speed_ppm);
}

static void prime(struct sim_source *source, int64_t now_ns)
{
    int64_t until = source->base_ns + source->offset_ns;

    source->start_ns = now_ns;
    source->restart_ns = 0;
    source->passes++;
    for (int i = 0; i < SIM_INSTRUMENT_MAX; i++) {
        struct sim_tape *tape = &source->tape[i];

        if (!source->has_tape[i]) {
            continue;
        }
        source->cursor[i] = 0;
        while (source->cursor[i] < tape->count &&
               (source->cursor[i] == 0 || tape->event[source->cursor[i]].recv_ns <= until)) {
            sim_venue_tape(source->venue, &tape->event[source->cursor[i]++], true, now_ns);
        }
        sim_venue_start(source->venue, i, now_ns);
    }
}

/* earliest answers the instrument whose next recorded event comes first, -1 when all are at the end. */
static int earliest(const struct sim_source *source)
{
    int best = -1;
    int64_t best_ns = source->end_ns;

    for (int i = 0; i < SIM_INSTRUMENT_MAX; i++) {
        if (!source->has_tape[i] || source->cursor[i] >= source->tape[i].count) {
            continue;
        }
        int64_t recv = source->tape[i].event[source->cursor[i]].recv_ns;
        if (recv < best_ns || (best < 0 && recv == best_ns)) {
            best = i;
            best_ns = recv;
        }
    }
    return best;
}

static void step_tape(struct sim_source *source, int64_t now_ns)
{
    if (source->restart_ns != 0) {
        if (now_ns >= source->restart_ns && source->loop) {
            prime(source, now_ns);
        }
        return;
    }
    for (;;) {
        int at = earliest(source);

        if (at < 0) {
            if (due_ns(source, source->end_ns) > now_ns) {
                return;
            }
            for (int i = 0; i < SIM_INSTRUMENT_MAX; i++) {
                struct sim_tape_event end = { .kind = SIM_TAPE_END, .instrument = i };
                if (source->has_tape[i]) {
                    sim_venue_tape(source->venue, &end, false, now_ns);
                }
            }
            source->restart_ns = now_ns + source->loop_pause_ns;
            return;
        }
        const struct sim_tape_event *event = &source->tape[at].event[source->cursor[at]];
        if (due_ns(source, event->recv_ns) > now_ns) {
            return;
        }
        source->cursor[at]++;
        sim_venue_tape(source->venue, event, false, now_ns);
    }
}

/* --- made markets ----------------------------------------------------------------------------------- */

static int64_t next_stamp(struct sim_synth *synth, int64_t now_ns)
{
    int64_t now_ms = now_ns / 1000000;

    synth->stamp_ms = now_ms > synth->stamp_ms ? now_ms : synth->stamp_ms + 1;
    return synth->stamp_ms;
}

static int64_t size_in(const struct sim_level *level, int count, int64_t price)
{
    for (int i = 0; i < count; i++) {
        if (level[i].price == price) {
            return level[i].qty;
        }
    }
    return 0;
}

/* become changes the market to a new book: a touch event, then the depth frame with the differences. */
static void become(struct sim_source *source, int instrument,
                   const struct sim_level fresh[2][SIM_SYNTH_LEVELS], const int fresh_count[2], bool opening,
                   int64_t now_ns)
{
    struct sim_synth *synth = &source->synth[instrument];
    struct sim_level change[4 * SIM_SYNTH_LEVELS];
    struct sim_tape_event event = { .instrument = instrument, .stamp_ms = next_stamp(synth, now_ns) };
    struct sim_level top[2];
    uint32_t count = 0, bids = 0;

    for (int side = 0; side < 2; side++) {
        for (int i = 0; i < synth->count[side] && !opening; i++) {
            int64_t price = synth->level[side][i].price;
            if (size_in(fresh[side], fresh_count[side], price) == 0) {
                change[count++] = (struct sim_level){ price, 0 };
            }
        }
        for (int i = 0; i < fresh_count[side]; i++) {
            int64_t old = opening ? 0 : size_in(synth->level[side], synth->count[side], fresh[side][i].price);
            if (old != fresh[side][i].qty) {
                change[count++] = fresh[side][i];
            }
        }
        if (side == SIM_BUY) {
            bids = count;
        }
        memcpy(synth->level[side], fresh[side], sizeof synth->level[side]);
        synth->count[side] = fresh_count[side];
        top[side] = fresh[side][0];
    }
    if (count == 0) {
        return;
    }
    event.levels = change;
    event.bid_count = bids;
    event.ask_count = count - bids;
    event.first_u = synth->u + 3;
    event.pu = synth->u;
    event.u = synth->u + 3 + (int64_t)count;
    if (opening) {
        event.kind = SIM_TAPE_SNAPSHOT;
    } else {
        struct sim_tape_event touch = { .kind = SIM_TAPE_TOP, .instrument = instrument };
        touch.stamp_ms = event.stamp_ms;
        touch.u = event.first_u;
        touch.bid_count = touch.ask_count = 1;
        touch.levels = top;
        sim_venue_tape(source->venue, &touch, false, now_ns);
        event.kind = SIM_TAPE_DEPTH;
    }
    synth->u = event.u;
    sim_venue_tape(source->venue, &event, opening, now_ns);
}

static int64_t round_to(int64_t value, int64_t step)
{
    return value / step * step;
}

/* shape makes a book around a middle: one tick of spread, sizes drawn per level. */
static void shape(struct sim_source *source, int instrument, struct sim_level fresh[2][SIM_SYNTH_LEVELS],
                  int count[2], int64_t now_ns)
{
    const struct sim_instrument *i = &sim_venue_market(source->venue, instrument)->instrument;
    const struct sim_synth *old = &source->synth[instrument];
    int64_t unit = sim_decimal_power(8 - i->price_decimals);
    int64_t middle =
        source->middle_of == NULL ? source->middle_e8 : source->middle_of(i, source->middle_e8, now_ns);
    int64_t bid = round_to(middle / unit, i->tick);
    /* About 250000 quote units at the touch on each kind; a coin is worth the common middle. */
    int64_t worth = strcmp(i->quote, i->base) == 0 ? source->middle_e8 : middle;
    int64_t usual = i->kind == SIM_INVERSE
                        ? 250000 / i->contract_size
                        : (int64_t)((__int128)250000 * sim_decimal_power(8 + i->qty_decimals) / (worth + 1));

    bid = bid < i->tick ? i->tick : bid;

    for (int side = 0; side < 2; side++) {
        count[side] = 0;
        for (int k = 0; k < SIM_SYNTH_LEVELS; k++) {
            int64_t price = side == SIM_BUY ? bid - k * i->tick : bid + (k + 1) * i->tick;

            if (price <= 0) {
                break; /* a cheap option: there is no room below */
            }
            count[side]++;
            int64_t size = size_in(old->level[side], old->count[side], price);

            if (size == 0 || sim_random_chance(&source->random, 100000)) {
                size = round_to(sim_random_range(&source->random, usual / 10, usual), i->step);
                size = size < i->step ? i->step : size;
            }
            fresh[side][k] = (struct sim_level){ price, size };
        }
    }
}

static void print(struct sim_source *source, int instrument, int64_t price, int64_t qty, bool buyer_is_maker,
                  int64_t now_ns)
{
    struct sim_level level = { price, qty };
    struct sim_tape_event event = { .kind = SIM_TAPE_TRADE, .instrument = instrument };

    event.stamp_ms = next_stamp(&source->synth[instrument], now_ns);
    event.levels = &level;
    event.bid_count = 1;
    event.buyer_is_maker = buyer_is_maker;
    sim_venue_tape(source->venue, &event, false, now_ns);
}

/* follow takes the middle of the leader's book and answers which way it went. */
static int64_t follow(struct sim_source *source)
{
    const struct sim_market *market = sim_venue_market(source->venue, source->leader);
    int64_t unit = sim_decimal_power(8 - market->instrument.price_decimals), old = source->middle_e8;
    struct sim_level bid, ask;

    if (!market->live || !sim_book_best(&market->book, SIM_BUY, &bid) ||
        !sim_book_best(&market->book, SIM_SELL, &ask)) {
        return 0;
    }
    source->middle_e8 = (bid.price + ask.price) * unit / 2;
    return (source->middle_e8 > old) - (source->middle_e8 < old);
}

static void step_random(struct sim_source *source, int64_t now_ns)
{
    while (source->next_ns <= now_ns) {
        int64_t now = source->next_ns;
        int64_t move = 0;

        if (source->led) {
            move = follow(source);
        } else if (sim_random_chance(&source->random, 250000)) {
            move = sim_random_range(&source->random, -8, 8);
            source->middle_e8 += move * (source->middle_e8 / 400000);
        }
        for (int i = 0; i < sim_venue_instrument_count(source->venue); i++) {
            if (source->other[i]) {
                continue;
            }
            struct sim_synth *synth = &source->synth[i];
            int64_t step = sim_venue_market(source->venue, i)->instrument.step;
            bool sells = move != 0 ? move < 0 : sim_random_chance(&source->random, 500000);
            struct sim_level fresh[2][SIM_SYNTH_LEVELS], taken = { 0, 0 };
            int count[2];

            /* A move goes through the touch; a quiet step sometimes takes a part of it. */
            if (move != 0 || sim_random_chance(&source->random, 300000)) {
                struct sim_level *touch = &synth->level[sells ? SIM_BUY : SIM_SELL][0];
                int64_t qty =
                    move != 0 ? touch->qty : round_to(sim_random_range(&source->random, 1, touch->qty), step);
                if (qty > 0) {
                    print(source, i, touch->price, qty, sells, now);
                    taken = (struct sim_level){ touch->price, touch->qty - qty };
                }
            }
            shape(source, i, fresh, count, now);
            for (int k = 0; k < count[sells ? SIM_BUY : SIM_SELL] && taken.qty > 0; k++) {
                struct sim_level *level = &fresh[sells ? SIM_BUY : SIM_SELL][k];
                if (level->price == taken.price) {
                    level->qty = taken.qty;
                }
            }
            become(source, i, (const struct sim_level(*)[SIM_SYNTH_LEVELS])fresh, count, false, now);
        }
        source->next_ns += source->led
                               ? sim_random_range(&source->random, LED_STEP_LOW_NS, LED_STEP_HIGH_NS)
                               : sim_random_range(&source->random, RANDOM_STEP_LOW_NS, RANDOM_STEP_HIGH_NS);
    }
}

void sim_source_touch(struct sim_source *source, int instrument, int64_t bid, int64_t ask, int64_t bid_qty,
                      int64_t ask_qty, int64_t now_ns)
{
    const struct sim_instrument *i = &sim_venue_market(source->venue, instrument)->instrument;
    const struct sim_synth *synth = &source->synth[instrument];
    struct sim_level fresh[2][SIM_SYNTH_LEVELS];
    int64_t best[2] = { bid, ask }, qty[2] = { bid_qty, ask_qty };
    int count[2];

    for (int side = 0; side < 2; side++) {
        int64_t price = best[side] != 0 ? best[side] : synth->level[side][0].price;
        int64_t size = qty[side] != 0 ? qty[side] : synth->level[side][0].qty;

        count[side] = SIM_SYNTH_LEVELS;
        for (int k = 0; k < SIM_SYNTH_LEVELS; k++) {
            fresh[side][k].price = side == SIM_BUY ? price - k * i->tick : price + k * i->tick;
            fresh[side][k].qty = size;
        }
    }
    become(source, instrument, (const struct sim_level(*)[SIM_SYNTH_LEVELS])fresh, count, false, now_ns);
}

void sim_source_trade(struct sim_source *source, int instrument, int64_t price, int64_t qty,
                      bool buyer_is_maker, int64_t now_ns)
{
    print(source, instrument, price, qty, buyer_is_maker, now_ns);
}

/* --- both ------------------------------------------------------------------------------------------- */

static void measure(struct sim_source *source)
{
    if (source->base_ns != 0) {
        return;
    }
    source->base_ns = INT64_MAX;
    source->end_ns = INT64_MAX;
    for (int i = 0; i < SIM_INSTRUMENT_MAX; i++) {
        const struct sim_tape *tape = &source->tape[i];
        if (source->has_tape[i]) {
            source->base_ns = tape->first_ns < source->base_ns ? tape->first_ns : source->base_ns;
            source->end_ns = tape->last_ns < source->end_ns ? tape->last_ns : source->end_ns;
        }
    }
}

void sim_source_align(struct sim_source *a, struct sim_source *b)
{
    measure(a);
    measure(b);
    a->base_ns = b->base_ns = a->base_ns < b->base_ns ? a->base_ns : b->base_ns;
    a->end_ns = b->end_ns = a->end_ns < b->end_ns ? a->end_ns : b->end_ns;
}

void sim_source_start(struct sim_source *source, int64_t now_ns)
{
    if (source->mode == SIM_SOURCE_TAPE) {
        measure(source);
        prime(source, now_ns);
        return;
    }
    if (source->middle_e8 == 0) {
        source->middle_e8 = INT64_C(60000) * SIM_CASH_ONE;
    }
    if (source->led) {
        follow(source);
    }
    for (int i = 0; i < sim_venue_instrument_count(source->venue); i++) {
        struct sim_level fresh[2][SIM_SYNTH_LEVELS];
        int count[2];

        if (source->other[i]) {
            continue;
        }
        source->synth[i].u = INT64_C(1000000000) * (i + 1);
        shape(source, i, fresh, count, now_ns);
        become(source, i, (const struct sim_level(*)[SIM_SYNTH_LEVELS])fresh, count, true, now_ns);
        sim_venue_start(source->venue, i, now_ns);
    }
    source->next_ns = now_ns + RANDOM_STEP_HIGH_NS;
}

void sim_source_step(struct sim_source *source, int64_t now_ns)
{
    if (source->mode == SIM_SOURCE_TAPE) {
        step_tape(source, now_ns);
    } else if (source->mode == SIM_SOURCE_RANDOM) {
        step_random(source, now_ns);
    }
}

int64_t sim_source_next_ns(const struct sim_source *source)
{
    if (source->mode == SIM_SOURCE_SET) {
        return INT64_MAX;
    }
    if (source->mode == SIM_SOURCE_RANDOM) {
        return source->next_ns;
    }
    if (source->restart_ns != 0) {
        return source->loop ? source->restart_ns : INT64_MAX;
    }
    int at = earliest(source);

    return due_ns(source, at < 0 ? source->end_ns : source->tape[at].event[source->cursor[at]].recv_ns);
}

void sim_source_free(struct sim_source *source)
{
    for (int i = 0; i < SIM_INSTRUMENT_MAX; i++) {
        if (source->has_tape[i]) {
            sim_tape_free(&source->tape[i]);
        }
    }
}
