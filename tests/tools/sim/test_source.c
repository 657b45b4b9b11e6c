/* Recordings and made markets as a whole: aligned, repeatable, conserving. */
#include "tools/sim/sim_setup.h"
#include "tools/sim/sim_source.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct run {
    struct sim_source source;
    struct sim_venue *venue;
    uint64_t hash;
    uint64_t events[SIM_EVENT_FEED_START + 1];
    int64_t last_u[SIM_INSTRUMENT_MAX];
    bool broken; /* a depth event did not follow the one before */
    bool crossed;
};

static void mix(struct run *run, int64_t value)
{
    run->hash = (run->hash ^ (uint64_t)value) * UINT64_C(0x100000001b3);
}

static void take(void *user, const struct sim_event *event)
{
    struct run *run = user;

    run->events[event->kind]++;
    mix(run, (int64_t)event->kind);
    mix(run, event->now_ns);
    mix(run, event->u);
    mix(run, event->price);
    mix(run, event->qty);
    for (uint32_t i = 0; event->kind == SIM_EVENT_DEPTH && i < event->bid_count + event->ask_count; i++) {
        mix(run, event->levels[i].price);
        mix(run, event->levels[i].qty);
    }
    if (event->kind == SIM_EVENT_FEED_START) { /* a new snapshot: behind everything published before */
        int64_t u = sim_venue_market(run->venue, event->instrument)->last_u;
        run->broken = run->broken || u <= run->last_u[event->instrument];
        run->last_u[event->instrument] = u;
    }
    if (event->kind == SIM_EVENT_DEPTH) {
        int64_t *last = &run->last_u[event->instrument];
        run->broken = run->broken || (*last != 0 && event->pu != *last) || event->first_u > event->u;
        *last = event->u;
    }
    if (event->kind == SIM_EVENT_TOP) {
        run->crossed = run->crossed || (event->levels[0].qty > 0 && event->levels[1].qty > 0 &&
                                        event->levels[0].price >= event->levels[1].price);
    }
}

static struct run *begin(enum sim_source_mode mode, uint64_t seed)
{
    struct run *run = calloc(1, sizeof *run);
    static const enum sim_kind order[] = { SIM_LINEAR, SIM_INVERSE };
    static const char *const files[] = { "usdm_btcusdt.jsonl.gz", "coinm_btcusd_perp.jsonl.gz" };

    run->venue = sim_venue_new(seed, SIM_CANCEL_AHEAD_NONE, take, run);
    run->source =
        (struct sim_source){ .mode = mode, .venue = run->venue, .speed_ppm = 1000000, .loop = true };
    run->source.loop_pause_ns = 500000000;
    sim_random_seed(&run->source.random, seed, 5);
    for (int i = 0; i < 2; i++) {
        struct sim_instrument instrument = sim_setup_instrument(order[i]);
        if (mode == SIM_SOURCE_TAPE) {
            char path[1024], error[512];
            snprintf(path, sizeof path, "%s/tests/data/tape/%s", POISE_SOURCE_DIR, files[i]);
            cr_assert(sim_tape_load(&run->source.tape[i], path, &instrument, i, error, sizeof error), "%s",
                      error);
            run->source.has_tape[i] = true;
        }
        sim_venue_add_instrument(run->venue, &instrument);
    }
    int account = sim_venue_add_account(run->venue, "a");
    cr_assert(sim_setup_balances(run->venue, account, "USDT=1000000,BTC=100"));
    sim_source_start(&run->source, INT64_C(1000000000000));
    return run;
}

/* drive runs for a time and quotes both sides of the inverse contract at the touch, hedging nothing. */
static void drive(struct run *run, int64_t seconds, bool quote)
{
    int64_t now = INT64_C(1000000000000), end = now + seconds * 1000000000, next_quote = now;

    while (now < end) {
        int64_t tape = sim_source_next_ns(&run->source), venue = sim_venue_next_ns(run->venue);
        now = tape < venue ? tape : venue;
        now = quote && next_quote < now ? next_quote : now;
        sim_source_step(&run->source, now);
        sim_venue_advance(run->venue, now);
        if (!quote || now < next_quote) {
            continue;
        }
        next_quote = now + 1000000000;
        sim_venue_cancel_all(run->venue, 0, 1, now);
        for (int side = 0; side < 2; side++) {
            struct sim_level best;
            struct sim_order *order;
            struct sim_place place = {
                .instrument = 1, .side = (enum sim_side)side, .qty = 10, .post_only = true
            };
            if (sim_venue_depth(run->venue, 1, side, &best, 1) == 1) {
                place.price = best.price;
                sim_venue_place(run->venue, &place, now, &order);
            }
        }
    }
}

static void end(struct run *run)
{
    sim_source_free(&run->source);
    sim_venue_free(run->venue);
    free(run);
}

Test(source, a_recording_loops_without_a_break_in_the_ids)
{
    struct run *run = begin(SIM_SOURCE_TAPE, 1);

    drive(run, 200, false);
    cr_assert_eq(run->events[SIM_EVENT_FEED_END], 4, "both products, twice");
    cr_assert_eq(run->events[SIM_EVENT_FEED_START], 6);
    cr_assert_eq(run->source.passes, 3);
    cr_assert_not(run->broken);
    cr_assert_not(run->crossed);
    cr_assert_gt(run->events[SIM_EVENT_TRADE], 20000);
    end(run);
}

Test(source, quoting_a_recording_fills_and_conserves)
{
    struct run *run = begin(SIM_SOURCE_TAPE, 1);

    drive(run, 120, true);
    const struct sim_holding *holding = &sim_venue_account(run->venue, 0)->holding[1];
    struct sim_cash *cash = sim_venue_cash(run->venue, 0, SIM_INVERSE, "BTC");

    cr_assert_gt(holding->fills, 20, "%llu fills", (unsigned long long)holding->fills);
    cr_assert_gt(holding->bought, 0);
    cr_assert_gt(holding->sold, 0);
    cr_assert_eq(holding->bought - holding->sold, holding->position.qty);
    cr_assert_eq(cash->free_e8, cash->deposited_e8 + holding->realised_e8 - holding->fees_e8);
    cr_assert_eq(holding->fills, holding->maker_fills);
    cr_assert_not(run->crossed);
    cr_assert_not(run->broken);
    end(run);
}

Test(source, the_same_recording_and_orders_give_the_same_events)
{
    struct run *a = begin(SIM_SOURCE_TAPE, 1), *b = begin(SIM_SOURCE_TAPE, 1);

    drive(a, 100, true);
    drive(b, 100, true);
    cr_assert_eq(a->hash, b->hash);
    end(a);
    end(b);
}

Test(source, a_seed_is_a_market)
{
    struct run *a = begin(SIM_SOURCE_RANDOM, 1), *b = begin(SIM_SOURCE_RANDOM, 1),
               *c = begin(SIM_SOURCE_RANDOM, 2);

    drive(a, 60, true);
    drive(b, 60, true);
    drive(c, 60, true);
    cr_assert_eq(a->hash, b->hash);
    cr_assert_neq(a->hash, c->hash);
    cr_assert_gt(sim_venue_account(a->venue, 0)->holding[1].fills, 5);
    cr_assert_not(a->crossed);
    cr_assert_not(a->broken);
    end(a);
    end(b);
    end(c);
}

Test(source, a_set_market_is_where_it_is_put)
{
    struct run *run = begin(SIM_SOURCE_SET, 1);
    struct sim_level best;

    sim_source_touch(&run->source, 0, 5999900, 6000100, 3000, 4000, INT64_C(1000001000000));
    cr_assert_eq(sim_venue_depth(run->venue, 0, SIM_BUY, &best, 1), 1);
    cr_assert_eq(best.price, 5999900);
    cr_assert_eq(best.qty, 3000);
    cr_assert_eq(sim_venue_depth(run->venue, 0, SIM_SELL, &best, 1), 1);
    cr_assert_eq(best.price, 6000100);
    cr_assert_eq(sim_source_next_ns(&run->source), INT64_MAX);

    struct sim_place place = { .side = SIM_BUY, .qty = 100, .price = 5999950, .post_only = true };
    struct sim_order *order;
    cr_assert_eq(sim_venue_place(run->venue, &place, INT64_C(1000002000000), &order), SIM_ACCEPTED);
    sim_source_trade(&run->source, 0, 5999900, 60, true, INT64_C(1000003000000));
    cr_assert_eq(order->filled, 60);
    end(run);
}

Test(source, balances_go_to_their_wallets)
{
    struct sim_venue *venue = sim_venue_new(1, SIM_CANCEL_AHEAD_NONE, take, NULL);
    int account = sim_venue_add_account(venue, "a");

    cr_assert(sim_setup_balances(venue, account, "USDT=100.5,BTC=2,linear.BTC=1"));
    cr_assert_eq(sim_venue_cash(venue, account, SIM_LINEAR, "USDT")->free_e8, INT64_C(10050000000));
    cr_assert_eq(sim_venue_cash(venue, account, SIM_SPOT, "USDT")->free_e8, INT64_C(10050000000));
    cr_assert_eq(sim_venue_cash(venue, account, SIM_INVERSE, "USDT")->free_e8, 0);
    cr_assert_eq(sim_venue_cash(venue, account, SIM_INVERSE, "BTC")->free_e8, 2 * SIM_CASH_ONE);
    cr_assert_eq(sim_venue_cash(venue, account, SIM_LINEAR, "BTC")->free_e8, SIM_CASH_ONE);
    cr_assert_not(sim_setup_balances(venue, account, "USDT"));
    cr_assert_not(sim_setup_balances(venue, account, "mars.USDT=1"));
    sim_venue_free(venue);
}

Test(source, latencies_are_read_in_milliseconds)
{
    struct sim_delay delay;

    sim_delay_init(&delay, 1);
    cr_assert(sim_setup_latency(&delay, "feed=1..5,order=0.25,private=2..2"));
    cr_assert_eq(delay.low_ns[SIM_LINE_FEED], 1000000);
    cr_assert_eq(delay.high_ns[SIM_LINE_FEED], 5000000);
    cr_assert_eq(delay.high_ns[SIM_LINE_ORDER], 250000);
    cr_assert_eq(delay.high_ns[SIM_LINE_ACK], 0);
    cr_assert_not(sim_setup_latency(&delay, "feed=5..1"));
    cr_assert_not(sim_setup_latency(&delay, "food=1"));
}
