/* How fast questions are asked of a venue that counts in credits, and pages that go back in time. */
#include "cold/rest.h"
#include "ring/account.h"
#include "ring/clock.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static uint64_t now_ns;
static uint32_t started;
static uint64_t asked[2000];
static uint32_t page_count, pages;
static uint64_t pages_from[16];
static int http_status; /* of what comes back */
static int64_t retry_after_ms, retry_at_ns, used_weight;

static uint64_t clock_now(void *context)
{
    (void)context;
    return now_ns;
}

static int64_t step_ns; /* how far the machine's clock was set forward */

static int64_t clock_wall(void *context)
{
    (void)context;
    return (int64_t)now_ns + step_ns;
}

static int64_t stamp_ns, venue_off_ns; /* the last request's time; the venue's clock beside the steady one */
static bool strict;                    /* the venue refuses a time that is not its own */

static bool request(const struct sign_key *key, const struct instrument_table *instruments,
                    const struct rest_query *query, int64_t wall_ns, struct venue_out *out)
{
    (void)key;
    (void)instruments;
    stamp_ns = wall_ns;
    out->act = ACT_REQUEST;
    out->credit = query->what == REST_TIME ? CREDIT_NONE : CREDIT_REST;
    out->weight = query->what == REST_TIME ? 0 : 40;
    return true;
}

static enum rest_result parse(const struct rest_query *query, int status, const char *bytes, size_t count,
                              struct rest_answer *answer)
{
    (void)bytes;
    (void)count;
    if (strict && query->what == REST_TIME) {
        answer->server_time_ns = (int64_t)now_ns + venue_off_ns;
        return REST_OK;
    }
    if (strict && base_abs(stamp_ns - ((int64_t)now_ns + venue_off_ns)) > 1000000000) {
        answer->time_refused = true;
        return REST_REFUSED;
    }
    if (status != 200) {
        answer->retry_at_ns = retry_at_ns;
        return REST_LATER;
    }
    pages_from[pages % 16] = query->from_id;
    pages++;
    answer->more = pages < page_count;
    answer->next_from_id = answer->more ? 1000 - pages : 0;
    return REST_OK;
}

static const struct venue_rest fake_rest = { .request = request, .parse = parse };
static const struct venue fake = { .name = "fake", .id = VENUE_DERIBIT, .rest = &fake_rest };

static uint64_t running[REST_CALLS_MAX];
static uint32_t running_count;

static bool start(void *context, uint64_t call, uint8_t venue, const struct venue_out *out)
{
    (void)context;
    (void)venue;
    (void)out;
    asked[started++ % POISE_COUNT_OF(asked)] = now_ns;
    running[running_count++] = call;
    return true;
}

static void poll(void *context, int timeout_ms, rest_arrived arrived, void *arrived_context)
{
    (void)context;
    (void)timeout_ms;
    uint32_t count = running_count;
    running_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct rest_body body = { .status = http_status,
                                        .bytes = "{}",
                                        .count = 2,
                                        .retry_after_ms = retry_after_ms,
                                        .used_weight = used_weight };
        arrived(arrived_context, running[i], &body);
    }
}

static uint32_t done_count;

static void done(void *context, const struct rest_reply *reply)
{
    (void)context;
    cr_assert_eq(reply->result, REST_OK, "%s", reply->error);
    done_count++;
}

static struct rest *make(void)
{
    static struct instrument_table table;
    const struct rest_transport transport = { start, poll, NULL };
    const struct rest_clock clock = { clock_now, clock_wall, NULL };
    now_ns = 1000 * NS_PER_S;
    http_status = 200;
    retry_after_ms = retry_at_ns = used_weight = step_ns = venue_off_ns = 0;
    strict = false;
    started = running_count = done_count = pages = page_count = 0;
    return rest_create(&transport, &clock, &table);
}

static void drive(struct rest *rest, uint32_t ms, enum rest_what what)
{
    for (uint32_t i = 0; i < ms; i++) {
        const struct rest_question question = { .venue = &fake, .query = { .what = (uint8_t)what } };
        rest_ask(rest, &question, done, NULL);
        now_ns += NS_PER_MS;
        rest_poll(rest, 0);
    }
}

Test(rest, a_venue_of_credits_is_asked_no_faster_than_our_share)
{
    struct rest *rest = make();
    drive(rest, 30000, REST_BALANCES);
    const struct credit_limit share = account_venues[VENUE_DERIBIT].credit[CREDIT_REST];
    cr_assert_geq(started, 30 * (uint32_t)share.rate_e3 / 1000 - 2, "%u", started);
    cr_assert_leq(started, 30 * (uint32_t)share.rate_e3 / 1000 + 2);
    cr_assert_geq(asked[0], 1000 * NS_PER_S + 125 * NS_PER_MS, "it begins with nothing");
    now_ns += 600 * NS_PER_S;
    uint32_t before = started;
    drive(rest, 1000, REST_BALANCES);
    cr_assert_leq(started - before, (uint32_t)share.burst + 1, "a burst, and what a second brings");
    cr_assert_geq(started - before, (uint32_t)share.burst - 1);

    const struct credit_limit told[CREDIT_COUNT] = { [CREDIT_REST] = { 5, 1000 } };
    rest_lower(rest, VENUE_DERIBIT, told);
    now_ns += 600 * NS_PER_S;
    before = started;
    drive(rest, 10000, REST_BALANCES);
    cr_assert_leq(started - before, 15);
    cr_assert_geq(started - before, 12);
    rest_destroy(rest);
}

Test(rest, what_costs_nothing_is_asked_at_once)
{
    struct rest *rest = make();
    drive(rest, 1000, REST_TIME);
    cr_assert_geq(started, 1000);
    rest_destroy(rest);
}

Test(rest, pages_may_go_back_but_not_stand_still)
{
    struct rest *rest = make();
    page_count = 4;
    const struct rest_question question = { .venue = &fake, .query = { .what = REST_TIME } };
    cr_assert(rest_ask(rest, &question, done, NULL));
    for (int i = 0; i < 10; i++) {
        rest_poll(rest, 0);
    }
    cr_assert_eq(done_count, 1);
    cr_assert_eq(pages, 4);
    cr_assert_eq(pages_from[1], 999);
    cr_assert_eq(pages_from[3], 997);
    rest_destroy(rest);
}

static enum rest_result result;

static void hear(void *context, const struct rest_reply *reply)
{
    (void)context;
    result = reply->result;
}

static enum rest_result ask_now(struct rest *rest, const struct venue *venue)
{
    const struct rest_question question = { .venue = venue, .query = { .what = REST_TIME } };
    cr_assert(rest_ask(rest, &question, hear, NULL));
    result = 0;
    rest_poll(rest, 0);
    rest_poll(rest, 0);
    return result;
}

Test(rest, a_venue_is_left_alone_for_as_long_as_it_says_and_others_are_not)
{
    static const struct venue other = { .name = "other", .id = VENUE_BINANCE, .rest = &fake_rest };
    static const struct {
        int status;
        int64_t after_ms, at_s; /* at: behind the clock of the venue, which is an hour ahead */
        uint64_t held_s;
    } cases[] = {
        { 429, 46000, 0, 46 },         { 429, 0, 0, 60 },      { 418, 0, 0, 120 },
        { 418, 259200000, 0, 259200 }, { 418, 0, 3000, 3000 }, { 418, 5000, -10, 5 },
        { 418, 0, -10, 120 },          { 400, 0, 0, 2 },       { 418, 999999999999, 0, 604800 },
    };
    for (size_t i = 0; i < POISE_COUNT_OF(cases); i++) {
        struct rest *rest = make();
        rest_offset(rest, VENUE_DERIBIT, 3600 * 1000000000LL);
        http_status = cases[i].status;
        retry_after_ms = cases[i].after_ms;
        retry_at_ns = cases[i].at_s != 0 ? (int64_t)now_ns + (3600 + cases[i].at_s) * 1000000000LL : 0;
        cr_assert_eq(rest_held(rest, VENUE_DERIBIT), 0);
        cr_assert_eq(ask_now(rest, &fake), REST_LATER);
        cr_assert_leq(rest_held(rest, VENUE_DERIBIT) - now_ns, cases[i].held_s * NS_PER_S + 2 * NS_PER_MS,
                      "case %zu", i);
        cr_assert_geq(rest_held(rest, VENUE_DERIBIT) - now_ns, cases[i].held_s * NS_PER_S, "case %zu", i);
        http_status = 200;
        uint32_t before = started;
        now_ns += cases[i].held_s * NS_PER_S - NS_PER_MS;
        cr_assert_eq(ask_now(rest, &fake), REST_LATER);
        cr_assert_eq(started, before, "nothing is sent");
        cr_assert_eq(ask_now(rest, &other), REST_OK);
        now_ns += 3 * NS_PER_MS;
        cr_assert_eq(ask_now(rest, &fake), REST_OK);
        rest_destroy(rest);
    }
}

Test(rest, a_venue_that_counts_weight_is_asked_for_our_share_of_it)
{
    static const struct venue weighty = { .name = "weighty", .id = VENUE_BINANCE, .rest = &fake_rest };
    struct rest *rest = make();
    const struct rest_question question = { .venue = &weighty, .query = { .what = REST_BALANCES } };
    uint32_t in_minute[3] = { 0 };
    for (uint32_t ms = 0; ms < 180000; ms += 10) {
        rest_ask(rest, &question, done, NULL);
        now_ns += 10 * NS_PER_MS;
        uint32_t before = started;
        rest_poll(rest, 0);
        in_minute[ms / 60000] += started - before;
    }
    cr_assert_leq(in_minute[0] * 40, 1200, "half of what the address has");
    cr_assert_geq(in_minute[0] * 40, 1000);
    cr_assert_leq(in_minute[2] * 40, 640);
    cr_assert_geq(in_minute[2] * 40, 560);
    rest_destroy(rest);
}

Test(rest, a_minute_that_others_have_used_up_is_left_to_the_orders)
{
    static const struct venue weighty = { .name = "weighty", .id = VENUE_BINANCE, .rest = &fake_rest };
    struct rest *rest = make();
    rest_offset(rest, VENUE_BINANCE, 7 * 1000000000LL); /* 1007 s by its clock: 13 s are left of its minute */
    used_weight = 2249;
    cr_assert_eq(ask_now(rest, &weighty), REST_OK);
    cr_assert_eq(rest_held(rest, VENUE_BINANCE), 0, "nothing trades: most of the minute may go to recovery");
    rest_trading(rest);
    cr_assert_neq(rest_held(rest, VENUE_BINANCE), 0, "and then the rest of it is for orders");
    now_ns += 14 * NS_PER_S;
    cr_assert_eq(rest_held(rest, VENUE_BINANCE), 0);
    now_ns += 46 * NS_PER_S;
    used_weight = 1799;
    cr_assert_eq(ask_now(rest, &weighty), REST_OK);
    cr_assert_eq(rest_held(rest, VENUE_BINANCE), 0);
    used_weight = 1800;
    cr_assert_eq(ask_now(rest, &weighty), REST_OK, "this answer is as good as any");
    uint32_t before = started;
    used_weight = 0;
    now_ns += 13 * NS_PER_S;
    cr_assert_eq(ask_now(rest, &weighty), REST_LATER);
    cr_assert_eq(started, before + 1, "it is not sent; how much of the minute is used is looked at");
    cr_assert_not(rest_reserved(rest, VENUE_BINANCE));
    now_ns += NS_PER_S;
    cr_assert_eq(ask_now(rest, &weighty), REST_OK);
    used_weight = 99999;
    cr_assert_eq(ask_now(rest, &fake), REST_OK, "a venue that tells no such thing");
    cr_assert_eq(rest_held(rest, VENUE_DERIBIT), 0);
    rest_destroy(rest);
}

Test(rest, a_start_leaves_the_last_of_a_minute)
{
    static const struct venue weighty = { .name = "weighty", .id = VENUE_BINANCE, .rest = &fake_rest };
    struct rest *rest = make();
    rest_offset(rest, VENUE_BINANCE, 7 * 1000000000LL);
    used_weight = 2250;
    cr_assert_eq(ask_now(rest, &weighty), REST_OK);
    cr_assert_neq(rest_held(rest, VENUE_BINANCE), 0);
    cr_assert(rest_reserved(rest, VENUE_BINANCE));
    rest_destroy(rest);
}

/* Orders go on while questions wait, and use up the same minute. */
Test(rest, orders_that_use_up_a_minute_are_noticed)
{
    static const struct venue weighty = { .name = "weighty", .id = VENUE_BINANCE, .rest = &fake_rest };
    struct rest *rest = make();
    strict = true;
    venue_off_ns = 7 * 1000000000LL; /* 13 s are left */
    rest_offset(rest, VENUE_BINANCE, venue_off_ns);
    rest_trading(rest);
    used_weight = 1800;
    cr_assert_eq(ask_now(rest, &weighty), REST_OK);
    cr_assert_not(rest_reserved(rest, VENUE_BINANCE));
    used_weight = 2250;
    now_ns += 2 * NS_PER_S;
    for (int i = 0; i < 5; i++) {
        rest_poll(rest, 0);
    }
    cr_assert(rest_reserved(rest, VENUE_BINANCE));
    uint32_t before = started;
    now_ns += 2 * NS_PER_S;
    for (int i = 0; i < 5; i++) {
        rest_poll(rest, 0);
    }
    cr_assert_eq(started, before, "there is nothing more to look at");
    now_ns += 11 * NS_PER_S;
    cr_assert_not(rest_reserved(rest, VENUE_BINANCE));
    cr_assert_eq(rest_held(rest, VENUE_BINANCE), 0);
    rest_destroy(rest);
}

static enum rest_result ask_what(struct rest *rest, enum rest_what what)
{
    const struct rest_question question = { .venue = &fake, .query = { .what = (uint8_t)what } };
    cr_assert(rest_ask(rest, &question, hear, NULL));
    result = 0;
    for (int i = 0; i < 5; i++) {
        rest_poll(rest, 0);
    }
    return result;
}

Test(rest, a_machine_whose_clock_is_set_is_understood_as_before)
{
    struct rest *rest = make();
    strict = true;
    venue_off_ns = 5000000000;
    rest_offset(rest, VENUE_DERIBIT, 5000000000);
    now_ns += 10 * NS_PER_S;
    cr_assert_eq(ask_what(rest, REST_BALANCES), REST_OK);
    step_ns = 3600 * 1000000000LL;
    cr_assert_eq(ask_what(rest, REST_BALANCES), REST_OK);
    step_ns = -3600 * 1000000000LL;
    now_ns += 100 * NS_PER_S;
    cr_assert_eq(ask_what(rest, REST_BALANCES), REST_OK);
    cr_assert_eq(stamp_ns, (int64_t)now_ns + venue_off_ns);
    rest_destroy(rest);
}

Test(rest, a_venue_that_refuses_our_time_is_asked_for_its_own)
{
    struct rest *rest = make();
    strict = true;
    rest_offset(rest, VENUE_DERIBIT, 0);
    now_ns += 10 * NS_PER_S;
    venue_off_ns = 60000000000; /* the machine slept, and its steady clock with it */
    cr_assert_eq(ask_what(rest, REST_BALANCES), REST_REFUSED);
    cr_assert_eq(ask_what(rest, REST_BALANCES), REST_OK);
    cr_assert_eq(rest_offset_ns(rest, VENUE_DERIBIT), 60000000000);
    rest_destroy(rest);
}
