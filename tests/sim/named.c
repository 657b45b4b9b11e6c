#include "tests/sim/named.h"

#include "hot/strategy/state.h"
#include "tests/sim/ask.h"
#include "tests/sim/story.h"
#include "tests/sim/truth.h"
#include "tests/sim/watch.h"

#include <stdlib.h>

#define NAMED_FIRST UINT64_C(1000000000000000000)
#define KEY         "account=" WORLD_KEY
enum { STEPS_MAX = 20, WAIT_SECONDS = 40, AFTER_SECONDS = 20, LIVES_MAX = 20 };

enum what {
    END = 0,
    BINANCE,      /* a fault of the venue, as poise-sim takes it */
    DERIBIT,      /* likewise */
    FILL,         /* somebody takes value percent of every quote that rests, */
    FILL_ONE,     /* of the first alone, */
    FILL_SELLS,   /* of those that sell, */
    FILL_BUYS,    /* of those that buy */
    DRIP,         /* for value ms, fifty times a second, somebody takes the smallest part of a quote, */
    POUR,         /* or ten times a second all of it */
    JUMP,         /* every price moves by value ppm */
    THIN,         /* for value ms there is next to nothing on the hedge leg */
    LATE_REPORTS, /* from now on private messages come value ms late */
    LATE_ORDERS,  /* requests */
    LATE_FEED,
    OLD_ANSWERS, /* for value ms every list is an old one */
    EMPTY_ANSWERS,
    CUT,          /* every link */
    CUT_STORM,    /* for value ms, every link each time it is up again */
    SUSPEND,      /* the whole process does not run for value ms, */
    STALL,        /* or its hot threads alone */
    CLOCK,        /* the machine's date is stepped by value ms */
    PERSON,       /* value: enum command, */
    PERSON_ONE,   /* to the first instance alone */
    FLATTEN_NEXT, /* the next life is begun to flatten; text: that instance alone */
    LEAVE,        /* a person stops the engine; the next steps find it leaving, or gone and begun again */
    DIE,          /* at the next point of the kind value; it is away for two seconds */
    DIE_OF_POWER,
    AWAIT_UNKNOWN, /* until an order is in doubt */
    AWAIT_NAKED,
    AWAIT_RUNG, /* until the ladder stands there or beyond */
    AWAIT_QUOTES,
    AWAIT_RULES, /* until the strategy has value new rows */
    AWAIT_HEDGED /* until nothing is naked and nothing is at work */
};

struct step {
    uint32_t after_ms; /* the one before */
    enum what what;
    const char *text;
    int64_t value;
};

/* What must have been seen. */
enum {
    FILLS = 1,
    UNKNOWNS = 2,
    REJECTS = 4,
    DUPLICATES = 8,
    RUNGS = 16,
    DEATHS = 32,
    PAYMENTS = 64,
    HALTS = 128,
    SECOND_VENUE = 256,
    FORCED = 512,
    LIES = 1024,
    GAPS = 2048,     /* a feed noticed that it lost something */
    BELIEVES = 4096, /* recovery refused nothing */
    RULES_TOLD = 8192,
    BY_REST = 16384 /* REST told executions */
};

struct scenario {
    const char *name;
    struct desk_wish desk;
    uint32_t needs;
    struct step step[STEPS_MAX];
};

#define ON_BINANCE .chosen = true, .layout = DESK_BINANCE
#define ON_BOTH    .chosen = true, .layout = DESK_DERIBIT_QUOTES
#define ON_DERIBIT .chosen = true, .layout = DESK_DERIBIT_HEDGES

/* clang-format off */
static const struct scenario scenarios[] = {
    /* 2.1: hedges lost or sent twice */
    { "order_unknown_operator_stops", { ON_BINANCE }, FILLS | UNKNOWNS, {
        { 0, BINANCE, "drop_private:for=60s,scope=private", 0 },
        { 0, BINANCE, "no_reply:for=60s,scope=coinm-wsapi-modify", 0 },
        { 0, BINANCE, "no_reply:for=60s,scope=coinm-wsapi-cancel", 0 },
        { 0, BINANCE, "no_reply:for=60s,scope=query", 0 },
        { 0, BINANCE, "no_reply:for=25s,scope=rest", 0 },
        { 500, FILL, "", 50 }, { 0, AWAIT_UNKNOWN, "", 0 }, { 1000, LEAVE, "", 0 } } },
    { "cancel_acknowledged_read_fails", { ON_BOTH }, FILLS | UNKNOWNS, {
        { 0, DERIBIT, "drop_private:for=60s,scope=private", 0 },
        { 0, DERIBIT, "no_reply:for=60s,scope=deribit-order-edit", 0 },
        { 0, DERIBIT, "unknown_503:for=60s,scope=deribit-order-cancel", 0 },
        { 0, DERIBIT, "no_reply:for=60s,scope=deribit-query", 0 },
        { 500, FILL, "", 50 }, { 0, AWAIT_UNKNOWN, "", 0 }, { 1000, LEAVE, "", 0 } } },
    { "cancel_acknowledged_execution_lost", { ON_BOTH }, FILLS, {
        { 0, PERSON, "", COMMAND_PAUSE }, { 3000, DERIBIT, "slow_ack:for=8s,ms=4000,scope=deribit-order-place", 0 },
        { 0, DERIBIT, "drop_private:for=8s,scope=private", 0 }, { 0, PERSON, "", COMMAND_RESUME }, { 800, FILL, "", 50 },
        { 50, PERSON, "", COMMAND_PAUSE }, { 10000, PERSON, "", COMMAND_RESUME } } },
    { "fill_told_after_its_cancel", { ON_BINANCE }, FILLS, {
        { 0, LATE_REPORTS, "", 4000 }, { 0, FILL, "", 60 }, { 10, PERSON, "", COMMAND_PAUSE },
        { 8000, LATE_REPORTS, "", 5 }, { 0, PERSON, "", COMMAND_RESUME } } },
    { "fill_while_its_cancel_flies", { ON_BINANCE }, FILLS, {
        { 0, LATE_ORDERS, "", 800 }, { 0, PERSON, "", COMMAND_PAUSE }, { 300, FILL, "", 100 },
        { 3000, LATE_ORDERS, "", 5 }, { 0, PERSON, "", COMMAND_RESUME } } },
    { "more_fills_while_a_hedge_waits", { ON_BINANCE, .timeout_ms = 1000, .naked_ms = 3000 }, FILLS, {
        { 0, BINANCE, "slow_ack:for=10s,ms=900,scope=usdm-wsapi-place", 0 }, { 0, LATE_ORDERS, "", 400 },
        { 100, FILL, "", 40 }, { 300, FILL, "", 60 }, { 300, FILL, "", 100 }, { 600, FILL, "", 100 },
        { 5000, LATE_ORDERS, "", 5 } } },
    { "hedges_cross_in_a_jump", { ON_DERIBIT, .timeout_ms = 1000, .naked_ms = 3000 }, FILLS, {
        { 0, LATE_ORDERS, "", 800 }, { 0, FILL_BUYS, "", 100 }, { 150, LATE_ORDERS, "", 2500 },
        { 0, FILL_SELLS, "", 100 }, { 50, JUMP, "", 30000 }, { 900, JUMP, "", -30000 },
        { 8000, LATE_ORDERS, "", 5 } } },
    { "hedge_refused_in_a_fast_market", { ON_BINANCE }, FILLS | REJECTS | RUNGS, {
        { 0, BINANCE, "reject:for=25s,code=-4131,scope=usdm-wsapi-place", 0 }, { 0, FILL_SELLS, "", 100 },
        { 500, JUMP, "", 3000 }, { 2000, JUMP, "", 3000 }, { 0, AWAIT_RUNG, "", RUNG_EMERGENCY } } },
    { "hedge_goes_to_the_second_venue", { ON_BINANCE, .second = true, .ladder_ms = 3000 },
      FILLS | RUNGS | SECOND_VENUE, {
        { 0, BINANCE, "reject:for=40s,code=-2019,scope=usdm-wsapi-place", 0 }, { 0, FILL_SELLS, "", 100 },
        { 0, AWAIT_RUNG, "", RUNG_SECOND } } },
    { "every_rung_of_two_venues", { ON_BINANCE, .second = true, .ladder_ms = 1000 }, FILLS | RUNGS | HALTS, {
        { 0, BINANCE, "reject:for=40s,code=-1000,scope=wsapi-place", 0 },
        { 0, DERIBIT, "reject:for=40s,code=10009,scope=deribit-order-place", 0 }, { 0, FILL_SELLS, "", 100 },
        { 0, AWAIT_RUNG, "", RUNG_HALT }, { 30000, PERSON, "", COMMAND_RESUME } } },
    { "private_stream_down_and_reads_fail", { ON_BINANCE }, FILLS, {
        { 0, BINANCE, "drop_private:for=60s,scope=private", 0 }, { 0, BINANCE, "reject:for=40s,code=-1000,scope=query", 0 },
        { 0, BINANCE, "no_reply:for=40s,scope=rest", 0 }, { 100, FILL, "", 100 }, { 60000, FILL, "", 50 } } },
    { "executions_told_by_rest_alone", { ON_BINANCE }, FILLS | BY_REST, {
        { 0, BINANCE, "drop_private:for=120s,scope=private", 0 }, { 100, FILL, "", 50 }, { 10000, FILL, "", 100 },
        { 20000, FILL, "", 100 }, { 30000, FILL, "", 100 } } },
    { "executions_told_by_rest_alone_deribit", { ON_BOTH }, FILLS | BY_REST, {
        { 0, DERIBIT, "drop_private:for=120s,scope=private", 0 }, { 100, FILL, "", 50 }, { 10000, FILL, "", 100 },
        { 20000, FILL, "", 100 }, { 30000, FILL, "", 100 } } },
    { "an_execution_lost_among_many", { ON_BINANCE }, FILLS, {
        { 0, BINANCE, "no_reply:for=15s,scope=coinm-rest-account", 0 }, { 0, BINANCE, "drop_private:for=300ms,scope=coinm-private", 0 },
        { 100, FILL_SELLS, "", 1 }, { 400, DRIP, "", 10000 }, { 20000, FILL, "", 50 } } },
    { "answered_in_the_next_segment", { ON_BINANCE }, FILLS | DEATHS, {
        { 0, BINANCE, "slow_ack:for=1s,ms=28000,scope=usdm-wsapi-place", 0 }, { 0, FILL_SELLS, "", 100 },
        { 1200, DRIP, "", 26000 }, { 29000, DIE, "", POINT_STEPPED }, { 10000, FILL, "", 50 } } },
    { "reports_twice_and_out_of_order", { ON_BOTH }, FILLS | DUPLICATES, {
        { 0, DERIBIT, "dup_reports:for=30s,scope=private", 0 }, { 0, DERIBIT, "reorder_reports:p=0.5,for=30s,scope=private", 0 },
        { 0, BINANCE, "dup_reports:for=30s,scope=private", 0 }, { 0, BINANCE, "reorder_reports:p=0.5,for=30s,scope=private", 0 },
        { 100, FILL, "", 30 }, { 2000, FILL, "", 100 }, { 3000, FILL, "", 100 }, { 3000, FILL, "", 60 } } },
    { "hedge_book_stands_still", { ON_BINANCE }, FILLS | RUNGS, {
        { 0, BINANCE, "silence:for=30s,scope=usdm-public", 0 }, { 2000, LATE_ORDERS, "", 3000 }, { 2000, FILL_SELLS, "", 100 },
        { 1000, JUMP, "", 2000 }, { 10000, LATE_ORDERS, "", 5 } } },
    { "hedge_filled_in_part", { ON_BINANCE }, FILLS, {
        { 0, THIN, "", 15000 }, { 0, FILL_SELLS, "", 100 }, { 3000, AWAIT_QUOTES, "", 0 }, { 0, FILL_SELLS, "", 100 },
        { 3000, AWAIT_QUOTES, "", 0 }, { 0, FILL_SELLS, "", 100 } } },
    { "hedge_done_and_its_answer_lost", { ON_BINANCE }, FILLS | UNKNOWNS, {
        { 0, BINANCE, "timeout_1007:for=20s,ms=8000,scope=usdm-wsapi-place", 0 },
        { 0, BINANCE, "drop_private:for=20s,scope=usdm-private", 0 }, { 100, FILL_SELLS, "", 100 }, { 0, AWAIT_UNKNOWN, "", 0 } } },
    { "hedge_done_and_its_answer_lost_deribit", { ON_DERIBIT }, FILLS | UNKNOWNS, {
        { 0, DERIBIT, "timeout_1007:for=20s,ms=8000,scope=deribit-order-place", 0 },
        { 0, DERIBIT, "drop_private:for=20s,scope=private", 0 }, { 100, FILL_SELLS, "", 100 }, { 0, AWAIT_UNKNOWN, "", 0 } } },
    /* 2.2: dust */
    { "fills_below_the_smallest_hedge", { ON_BINANCE }, FILLS, {
        { 0, FILL_ONE, "", 1 }, { 500, FILL_ONE, "", 1 }, { 500, FILL_ONE, "", 1 }, { 500, FILL_SELLS, "", 1 },
        { 500, FILL_ONE, "", 1 } } },
    { "dust_is_unwound", { ON_BOTH }, FILLS, {
        { 0, FILL_ONE, "", 3 }, { 2000, FILL_ONE, "", 7 }, { 2000, PERSON, "", COMMAND_FLATTEN },
        { 15000, PERSON, "", COMMAND_RESUME } } },
    /* 2.3: one leg */
    { "hedge_venue_gone", { ON_BOTH }, FILLS | RUNGS, {
        { 0, BINANCE, "reject:for=40s,code=-1001,scope=usdm", 0 }, { 0, BINANCE, "silence:for=40s,scope=usdm", 0 },
        { 0, FILL_SELLS, "", 100 }, { 5000, CUT, "", 0 } } },
    { "quoted_leg_liquidated", { ON_BINANCE }, FILLS | FORCED, {
        { 0, FILL_SELLS, "", 100 }, { 500, BINANCE, "liquidate:" KEY ",scope=coinm,count=1", 0 } } },
    { "hedge_leg_liquidated", { ON_BOTH }, FILLS | FORCED, {
        { 0, FILL_SELLS, "", 100 }, { 500, BINANCE, "liquidate:" KEY ",scope=usdm,count=1", 0 } } },
    { "deribit_leg_liquidated", { ON_DERIBIT }, FILLS | FORCED, {
        { 0, FILL_SELLS, "", 100 }, { 500, DERIBIT, "liquidate:" KEY ",count=1", 0 } } },
    { "quoted_leg_deleveraged", { ON_BINANCE }, FILLS | FORCED, {
        { 0, FILL_SELLS, "", 100 }, { 500, BINANCE, "deleverage:" KEY ",p=1,scope=coinm,count=1", 0 } } },
    { "hedge_leg_deleveraged", { ON_BOTH }, FILLS | FORCED, {
        { 0, FILL_SELLS, "", 100 }, { 500, BINANCE, "deleverage:" KEY ",p=0.6,scope=usdm,count=1", 0 } } },
    { "deribit_leg_deleveraged", { ON_DERIBIT }, FILLS | FORCED, {
        { 0, FILL_SELLS, "", 100 }, { 500, DERIBIT, "deleverage:" KEY ",p=0.5,count=1", 0 } } },
    /* 2.4: funding */
    { "funding_of_two_kinds", { ON_BOTH }, FILLS | PAYMENTS, {
        { 0, FILL_SELLS, "", 100 }, { 100, DERIBIT, "funding_rate:p=0.005,count=1", 0 },
        { 60000, DERIBIT, "settlement:ms=2000,count=1", 0 }, { 10000, FILL_SELLS, "", 100 },
        { 200000, DERIBIT, "settlement:ms=500,count=1", 0 } } },
    { "unwinding_meets_executions", { ON_BOTH }, FILLS, {
        { 0, FILL, "", 60 }, { 2000, LATE_ORDERS, "", 300 }, { 0, PERSON, "", COMMAND_FLATTEN }, { 100, FILL, "", 100 },
        { 3000, LATE_ORDERS, "", 5 }, { 15000, PERSON, "", COMMAND_RESUME } } },
    { "funding_spike", { ON_BINANCE }, FILLS | PAYMENTS, {
        { 0, FILL_SELLS, "", 100 }, { 0, BINANCE, "funding_rate:p=0.03,count=1", 0 }, { 1200000, FILL, "", 50 } } },
    { "funding_history_empty", { ON_BINANCE }, FILLS | PAYMENTS, {
        { 0, FILL_SELLS, "", 100 }, { 0, BINANCE, "drop_private:for=1200s,scope=private", 0 },
        { 0, EMPTY_ANSWERS, "", 240000 }, { 1210000, FILL, "", 50 } } },
    /* 2.5: outcomes that cannot be told */
    { "refused_with_503_and_done", { ON_BINANCE }, FILLS | UNKNOWNS, {
        { 0, BINANCE, "unknown_503:for=30s,scope=place", 0 }, { 100, FILL, "", 100 }, { 3000, FILL, "", 100 } } },
    { "not_found_and_then_filled", { ON_BINANCE }, FILLS | UNKNOWNS, {
        { 0, BINANCE, "query_2013:for=30s,ms=3000", 0 }, { 0, BINANCE, "no_reply:for=20s,scope=wsapi-place", 0 },
        { 0, BINANCE, "drop_private:for=20s,scope=private", 0 }, { 200, FILL, "", 100 }, { 5000, FILL, "", 100 } } },
    { "old_lists_of_executions", { ON_BINANCE }, FILLS | DEATHS | LIES, {
        { 0, FILL, "", 100 }, { 15000, FILL, "", 50 }, { 15000, OLD_ANSWERS, "", 40000 }, { 100, FILL, "", 100 },
        { 300, DIE, "", POINT_STEPPED }, { 10000, FILL, "", 100 } } },
    /* 2.6: amends, cancels and executions that race */
    { "amend_races_an_execution", { ON_BINANCE }, FILLS, {
        { 0, LATE_ORDERS, "", 300 }, { 0, JUMP, "", 200 }, { 150, FILL, "", 60 }, { 1000, JUMP, "", -300 },
        { 150, FILL, "", 100 }, { 3000, LATE_ORDERS, "", 5 } } },
    { "edit_refused_and_the_order_gone", { ON_BOTH }, FILLS, {
        { 0, DERIBIT, "reject:p=0.7,for=20s,code=11054,scope=deribit-order-edit", 0 }, { 0, JUMP, "", 300 },
        { 500, JUMP, "", 300 }, { 500, FILL, "", 100 }, { 500, JUMP, "", -500 }, { 500, FILL, "", 100 } } },
    { "orders_left_behind", { ON_BINANCE, .adopt = true }, DEATHS, {
        { 0, DIE, "", POINT_SENT }, { 5000, DIE_OF_POWER, "", POINT_SENT }, { 5000, AWAIT_QUOTES, "", 0 } } },
    /* 2.7: time and signatures */
    { "clock_steps_both_ways", { ON_BOTH }, FILLS, {
        { 0, CLOCK, "", 30000 }, { 5000, FILL, "", 50 }, { 10000, CLOCK, "", -30000 }, { 5000, FILL, "", 100 },
        { 10000, CLOCK, "", 0 } } },
    { "suspended_for_a_minute", { ON_BOTH }, FILLS, {
        { 0, FILL, "", 60 }, { 5, SUSPEND, "", 60000 }, { 3000, FILL, "", 60 }, { 2, SUSPEND, "", 65000 } } },
    { "signature_refused", { ON_BINANCE }, FILLS | REJECTS | HALTS, {
        { 0, BINANCE, "reject:for=10s,code=-1022,scope=wsapi-place", 0 }, { 0, FILL, "", 100 },
        { 15000, PERSON, "", COMMAND_RESUME } } },
    /* 2.8: feeds */
    { "book_with_a_gap", { ON_BOTH }, FILLS | GAPS, {
        { 0, FILL, "", 40 },
        { 0, DERIBIT, "gap:p=0.5,for=20s,scope=deribit-public", 0 }, { 0, BINANCE, "gap:p=0.5,for=20s,scope=usdm-public", 0 },
        { 1000, JUMP, "", 1500 }, { 1000, FILL, "", 100 }, { 5000, JUMP, "", -1500 }, { 500, FILL, "", 100 } } },
    { "feed_lags", { ON_BINANCE }, FILLS, {
        { 0, FILL, "", 40 },
        { 0, LATE_FEED, "", 15000 }, { 5000, JUMP, "", 2000 }, { 0, FILL, "", 100 }, { 20000, LATE_FEED, "", 5 } } },
    { "feed_falls_silent", { ON_BOTH }, FILLS, {
        { 0, FILL, "", 40 },
        { 0, DERIBIT, "silence:for=40s,scope=deribit-public", 0 }, { 2000, JUMP, "", 3000 }, { 0, FILL, "", 100 } } },
    { "only_heartbeats", { ON_BOTH }, FILLS, {
        { 0, FILL, "", 40 },
        { 0, DERIBIT, "heartbeat_only:for=40s,scope=deribit-private", 0 }, { 500, FILL, "", 100 } } },
    { "listen_key_expires", { ON_BINANCE }, FILLS, {
        { 0, BINANCE, "listenkey_expired:" KEY ",count=1", 0 }, { 100, FILL, "", 100 }, { 5000, FILL, "", 100 } } },
    { "links_cut_again_and_again", { ON_BOTH }, FILLS, {
        { 0, CUT, "", 0 }, { 100, FILL, "", 50 }, { 3000, CUT, "", 0 }, { 1000, CUT, "", 0 }, { 1000, FILL, "", 100 },
        { 1000, CUT, "", 0 }, { 15000, FILL, "", 100 } } },
    /* 2.9: restarts */
    { "restart_keeps_a_working_order", { ON_BINANCE, .adopt = true }, FILLS | DEATHS, {
        { 0, FILL, "", 50 }, { 10, DIE, "", POINT_STEPPED }, { 1000, FILL, "", 100 } } },
    { "power_lost_with_a_hedge_out", { ON_BOTH }, FILLS | DEATHS, {
        { 0, BINANCE, "slow_ack:for=5s,ms=500,scope=usdm-wsapi-place", 0 }, { 0, FILL_SELLS, "", 100 },
        { 10, DIE_OF_POWER, "", POINT_SENT } } },
    { "empty_positions_at_the_start", { ON_BINANCE }, FILLS | DEATHS | LIES | BELIEVES, {
        { 0, FILL_SELLS, "", 100 }, { 5000, EMPTY_ANSWERS, "", 15000 }, { 0, DIE, "", POINT_STEP } } },
    { "empty_positions_for_minutes", { ON_BINANCE }, FILLS | DEATHS | LIES, {
        { 0, FILL_SELLS, "", 100 }, { 5000, EMPTY_ANSWERS, "", 150000 }, { 0, DIE, "", POINT_STEP } } },
    { "liquidation_told_by_rest_alone", { ON_BINANCE }, FILLS | FORCED | HALTS, {
        { 0, FILL_SELLS, "", 100 }, { 1000, BINANCE, "drop_private:for=60s,scope=private", 0 },
        { 0, BINANCE, "liquidate:" KEY ",scope=usdm,count=1", 0 }, { 30000, PERSON, "", COMMAND_RESUME } } },
    { "liquidated_while_away", { ON_BINANCE }, FILLS | DEATHS | FORCED | HALTS, {
        { 0, FILL_SELLS, "", 100 }, { 5000, BINANCE, "liquidate:at=1s," KEY ",scope=usdm,count=1", 0 },
        { 0, DIE, "", POINT_STEP }, { 8000, PERSON, "", COMMAND_RESUME }, { 1000, AWAIT_QUOTES, "", 0 } } },
    { "liquidated_while_nobody_can_be_asked", { ON_BINANCE }, FILLS | FORCED | HALTS, {
        { 0, FILL_SELLS, "", 100 }, { 5000, BINANCE, "drop_private:for=120s,scope=usdm-private", 0 },
        { 0, BINANCE, "reject:for=120s,code=-1001,scope=usdm-rest", 0 },
        { 0, BINANCE, "liquidate:" KEY ",scope=usdm,count=1", 0 },
        { 2000, BINANCE, "disconnect:count=1,scope=usdm-private", 0 }, { 30000, LEAVE, "", 0 },
        { 110000, PERSON, "", COMMAND_RESUME }, { 1000, AWAIT_QUOTES, "", 0 } } },
    /* 2.10: limits, modes, surprises */
    { "rate_limited_and_banned", { ON_BINANCE }, FILLS, {
        { 0, BINANCE, "rate_limit:for=20s,scope=usdm", 0 }, { 100, FILL, "", 100 }, { 30000, FILL, "", 50 } } },
    { "session_ended_for_its_rate", { ON_BOTH }, FILLS, {
        { 0, DERIBIT, "rate_limit:p=0.5,for=20s,scope=deribit-order", 0 }, { 100, FILL, "", 100 }, { 30000, FILL, "", 50 } } },
    { "margin_not_enough", { ON_BINANCE }, FILLS | REJECTS | RUNGS, {
        { 0, BINANCE, "reject:for=15s,code=-2019,scope=usdm-wsapi-place", 0 }, { 0, FILL_SELLS, "", 100 } } },
    { "venue_closes_for_maintenance", { ON_BOTH }, FILLS, {
        { 0, FILL, "", 50 }, { 5, DERIBIT, "maintenance:for=60s,scope=deribit", 0 }, { 0, BINANCE, "maintenance:for=30s,scope=usdm", 0 },
        { 0, FILL, "", 100 }, { 70000, FILL, "", 50 } } },
    { "book_that_names_another", { ON_BOTH }, FILLS, {
        { 0, FILL, "", 40 },
        { 0, DERIBIT, "sequence:p=0.3,for=20s,scope=deribit-public", 0 }, { 0, BINANCE, "sequence:p=0.3,for=20s,scope=usdm-public", 0 },
        { 1000, JUMP, "", 1500 }, { 1000, FILL, "", 100 }, { 5000, JUMP, "", -1500 }, { 500, FILL, "", 100 } } },
    { "money_leaves_the_account", { ON_BOTH }, FILLS, {
        { 0, FILL, "", 50 }, { 2000, BINANCE, "withdrawal:" KEY ",asset=USDT,amount=100,scope=usdm,count=1", 0 },
        { 0, DERIBIT, "withdrawal:" KEY ",asset=BTC,amount=0.01,count=1", 0 }, { 15000, FILL, "", 100 } } },
    { "tick_size_changes", { ON_BINANCE }, FILLS | REJECTS | RULES_TOLD, {
        { 0, BINANCE, "tick_size:ms=5,scope=coinm,count=1", 0 }, { 0, BINANCE, "tick_size:ms=5,scope=usdm,count=1", 0 }, { 100, FILL_SELLS, "", 100 },
        { 0, AWAIT_RULES, "", 2 }, { 0, AWAIT_HEDGED, "", 0 }, { 1000, JUMP, "", 1000 }, { 1000, AWAIT_QUOTES, "", 0 }, { 0, FILL, "", 100 },
        { 1000, AWAIT_HEDGED, "", 0 } } },
    { "tick_size_changes_deribit", { ON_BOTH }, FILLS | RULES_TOLD, {
        { 0, DERIBIT, "tick_size:ms=4,count=1", 0 }, { 65000, AWAIT_RULES, "", 1 }, { 0, JUMP, "", 2000 }, { 1000, AWAIT_QUOTES, "", 0 },
        { 0, FILL, "", 100 }, { 1000, AWAIT_HEDGED, "", 0 } } },
    { "started_during_maintenance", { ON_BINANCE }, FILLS | DEATHS | RULES_TOLD, {
        { 0, FILL_SELLS, "", 100 }, { 1000, BINANCE, "maintenance:for=60s,scope=coinm", 0 }, { 0, BINANCE, "maintenance:for=40s,scope=usdm", 0 },
        { 0, DIE, "", POINT_STEP }, { 55000, AWAIT_QUOTES, "", 0 }, { 0, FILL, "", 100 }, { 1000, AWAIT_HEDGED, "", 0 } } },
    /* states that others seldom see */
    { "lists_overtake_answers", { ON_BINANCE }, FILLS, {
        { 0, PERSON, "", COMMAND_PAUSE }, { 3000, BINANCE, "slow_ack:for=4s,ms=30000,scope=wsapi-place", 0 },
        { 0, LATE_REPORTS, "", 60000 }, { 0, PERSON, "", COMMAND_RESUME }, { 30, STALL, "", 13000 },
        { 14000, LATE_REPORTS, "", 5 }, { 60000, FILL, "", 50 } } },
    { "told_open_before_the_answer", { ON_BINANCE, .no_dead_man = true }, FILLS | LIES, {
        { 0, PERSON, "", COMMAND_PAUSE }, { 3000, BINANCE, "slow_ack:for=4s,ms=30000,scope=wsapi-place", 0 },
        { 0, LATE_REPORTS, "", 60000 }, { 0, EMPTY_ANSWERS, "", 14000 }, { 0, PERSON, "", COMMAND_RESUME },
        { 800, STALL, "", 12000 }, { 14000, LATE_REPORTS, "", 5 }, { 60000, FILL, "", 50 } } },
    { "not_found_overtakes_answers", { ON_BINANCE, .no_dead_man = true }, FILLS | LIES, {
        { 0, PERSON, "", COMMAND_PAUSE }, { 3000, BINANCE, "slow_ack:for=4s,ms=30000,scope=wsapi-place", 0 },
        { 0, LATE_REPORTS, "", 60000 }, { 0, EMPTY_ANSWERS, "", 14000 }, { 0, BINANCE, "query_2013:for=13500ms,ms=600000", 0 },
        { 0, PERSON, "", COMMAND_RESUME }, { 30, STALL, "", 13000 }, { 14000, LATE_REPORTS, "", 5 }, { 60000, FILL, "", 50 } } },
    { "cancelled_and_not_found", { ON_BINANCE, .no_dead_man = true }, FILLS | LIES, {
        { 0, FILL, "", 40 }, { 4000, BINANCE, "slow_ack:for=4s,ms=30000,scope=wsapi", 0 },
        { 0, BINANCE, "query_2013:for=13500ms,ms=600000", 0 }, { 0, LATE_REPORTS, "", 60000 },
        { 0, LATE_ORDERS, "", 2000 }, { 0, EMPTY_ANSWERS, "", 18000 }, { 0, PERSON, "", COMMAND_PAUSE },
        { 30, STALL, "", 13000 }, { 14000, LATE_REPORTS, "", 5 }, { 0, LATE_ORDERS, "", 5 }, { 60000, PERSON, "", COMMAND_RESUME } } },
    { "answered_after_the_end", { ON_BINANCE }, FILLS, {
        { 0, BINANCE, "slow_ack:for=20s,ms=1500,scope=wsapi-place", 0 }, { 0, FILL, "", 100 }, { 1000, FILL, "", 100 },
        { 3000, BINANCE, "reject:p=0.5,for=10s,code=-2019,scope=coinm-wsapi", 0 }, { 500, FILL, "", 100 }, { 500, JUMP, "", 800 },
        { 500, FILL, "", 100 }, { 500, JUMP, "", 800 }, { 500, FILL, "", 100 }, { 500, JUMP, "", 800 } } },
    { "one_instance_is_told", { .chosen = true, .layout = DESK_SAME_LEGS }, FILLS, {
        { 0, LATE_ORDERS, "", 3000 }, { 0, PERSON_ONE, "", COMMAND_STOP }, { 100, PERSON_ONE, "", COMMAND_RESUME },
        { 8000, LATE_ORDERS, "", 5 }, { 2000, FILL, "", 60 }, { 2000, LATE_ORDERS, "", 3000 },
        { 0, PERSON_ONE, "", COMMAND_STOP }, { 100, PERSON_ONE, "", COMMAND_STOP }, { 100, PERSON_ONE, "", COMMAND_FLATTEN },
        { 8000, LATE_ORDERS, "", 5 }, { 15000, PERSON_ONE, "", COMMAND_RESUME }, { 5000, PERSON_ONE, "", COMMAND_STOP },
        { 8000, PERSON_ONE, "", COMMAND_STOP }, { 100, PERSON_ONE, "", COMMAND_FLATTEN }, { 15000, PERSON_ONE, "", COMMAND_RESUME },
        { 3000, PERSON_ONE, "", COMMAND_STOP }, { 8000, PERSON_ONE, "", COMMAND_RESUME }, { 3000, FILL, "", 50 } } },
    { "a_start_that_flattens", { ON_BINANCE }, FILLS | DEATHS, {
        { 0, FILL_SELLS, "", 100 }, { 2000, FLATTEN_NEXT, "", 0 }, { 0, DIE, "", POINT_STEPPED }, { 3000, AWAIT_QUOTES, "", 0 } } },
    { "a_start_that_flattens_one", { .chosen = true, .layout = DESK_SAME_LEGS }, FILLS | DEATHS, {
        { 0, FILL_SELLS, "", 100 }, { 2000, FLATTEN_NEXT, "btc0", 0 }, { 0, DIE, "", POINT_STEPPED }, { 3000, AWAIT_QUOTES, "", 0 } } },
    { "links_cut_as_they_come_up", { ON_BOTH }, FILLS, {
        { 0, FILL, "", 40 }, { 2000, CUT_STORM, "", 6000 }, { 8000, FILL, "", 50 } } },
    { "gaps_while_a_snapshot_is_awaited", { ON_BINANCE }, FILLS | GAPS, {
        { 0, FILL, "", 40 }, { 0, BINANCE, "slow_ack:for=30s,ms=1500,scope=rest-read", 0 },
        { 0, BINANCE, "gap:p=0.3,for=30s,scope=usdm-public", 0 }, { 0, BINANCE, "gap:p=0.3,for=30s,scope=coinm-public", 0 },
        { 5000, BINANCE, "sequence:p=0.3,for=20s,scope=public", 0 }, { 10000, CUT_STORM, "", 2000 }, { 30000, FILL, "", 50 } } },
    { "four_thousand_orders", { ON_BOTH }, FILLS, { { 0, POUR, "", 500000 }, { 500000, FILL, "", 50 } } },
    { "post_only_is_refused", { ON_BOTH }, REJECTS, {
        { 0, DERIBIT, "reject:p=0.8,for=20s,code=11054,scope=deribit-order-place", 0 }, { 1000, JUMP, "", 500 },
        { 1000, JUMP, "", -500 }, { 25000, AWAIT_QUOTES, "", 0 } } },
};
/* clang-format on */

static struct {
    const struct scenario *scenario;
    uint32_t step;
    uint64_t next_ns, await_ns, thin_ns, lies_ns, over_ns;
    uint64_t drip_ns, drop_ns; /* until then, and the next */
    uint32_t drops;
    bool pours;
    uint64_t storm_ns;
    uint64_t fills_then, deaths_then;
    bool power, flatten;
    const char *instance;
    struct life_options options;
} named;

const char *named_name(uint64_t seed)
{
    uint64_t at = seed == 0 ? 0 : seed - NAMED_FIRST;
    return seed == 0 || (seed >= NAMED_FIRST && at < POISE_COUNT_OF(scenarios)) ? scenarios[at].name : NULL;
}

bool named_seeds(const char *text, uint64_t *first, uint64_t *last)
{
    for (uint64_t i = 0; i < POISE_COUNT_OF(scenarios); i++) {
        if (strcmp(text, scenarios[i].name) == 0) {
            *first = *last = NAMED_FIRST + i;
            return true;
        }
    }
    *first = NAMED_FIRST;
    *last = NAMED_FIRST + POISE_COUNT_OF(scenarios) - 1;
    return strcmp(text, "named") == 0;
}

/* ------------------------------------------------------------------ steps */

static const struct quote_params *params_of(const struct run *run)
{
    return &run->engine.config.quote[0].params;
}

/* The quoted leg's resting orders. */
static size_t resting(const struct run *run, struct sim_order **order, size_t most, enum world_place *place)
{
    const struct instrument *row = &run->engine.instruments.row[params_of(run)->quote_instrument];
    *place = truth_place(row->venue);
    return sim_venue_open(world_venue(*place), 0, truth_instrument(row), order, most);
}

static void fill(const struct run *run, enum what what, int64_t percent)
{
    struct sim_order *order[64];
    enum world_place place;
    size_t count = resting(run, order, POISE_COUNT_OF(order), &place);
    for (size_t i = 0; i < count && (what != FILL_ONE || i == 0); i++) {
        int64_t step = sim_venue_market(world_venue(place), order[i]->instrument)->instrument.step;
        int64_t qty = (order[i]->qty - order[i]->filled) * percent / 100 / step * step;
        if ((what != FILL_SELLS || order[i]->side == SIM_SELL) &&
            (what != FILL_BUYS || order[i]->side == SIM_BUY)) {
            world_trade(place, order[i]->instrument, order[i]->price,
                        order[i]->ahead + (qty > 0 ? qty : step), order[i]->side == SIM_BUY);
        }
    }
}

/* From one side and the other, so that little is held. */
static void drip(const struct run *run)
{
    if (time_now.now_ns >= named.drip_ns || time_now.now_ns < named.drop_ns) {
        return;
    }
    struct sim_order *order[64];
    enum world_place place;
    enum sim_side side = named.drops++ % 2 == 0 ? SIM_SELL : SIM_BUY;
    size_t count = resting(run, order, POISE_COUNT_OF(order), &place), i = 0;
    named.drop_ns = time_now.now_ns + (named.pours ? 100 : 20) * NS_PER_MS;
    while (i < count && order[i]->side != side) {
        i++;
    }
    if (i < count) {
        int64_t step = sim_venue_market(world_venue(place), order[i]->instrument)->instrument.step;
        int64_t qty = named.pours ? order[i]->qty - order[i]->filled : step;
        world_trade(place, order[i]->instrument, order[i]->price, order[i]->ahead + qty, side == SIM_BUY);
    }
}

static void keep_thin(const struct run *run)
{
    if (time_now.now_ns >= named.thin_ns) {
        return;
    }
    const struct instrument *row = &run->engine.instruments.row[params_of(run)->hedge_instrument];
    enum world_place place = truth_place(row->venue);
    int at = truth_instrument(row);
    int64_t step = sim_venue_market(world_venue(place), at)->instrument.step;
    sim_source_touch(world_source(place), at, 0, 0, step, step, world_venue_ns());
}

static void delay(enum sim_line line, int64_t ms)
{
    for (enum world_place at = WORLD_BINANCE; at < WORLD_PLACES; at++) {
        world_delay(at, line, ms * 500000, ms * 1000000);
    }
}

static void lie(bool old, int64_t ms)
{
    ask_lies(old ? 1000000 : 0, old ? 0 : 1000000);
    named.lies_ns = time_now.now_ns + (uint64_t)ms * NS_PER_MS;
    watch_cash_told(false);
}

static bool hedge_at_work(const struct strategy *s)
{
    for (uint32_t i = 0; i < ORDER_MAX; i++) {
        if (s->orders.row[i].role == ORDER_ROLE_HEDGE && order_is_live(&s->orders.row[i])) {
            return true;
        }
    }
    return false;
}

/* act does a step; false: not yet. */
static bool act(struct run *run, const struct step *step)
{
    const struct strategy *s = run->engine.strategy.strategy;
    struct sim_order *order[64];
    enum world_place place;
    switch (step->what) {
    case BINANCE:
    case DERIBIT:
        world_fault(step->what == BINANCE ? WORLD_BINANCE : WORLD_DERIBIT, "%s", step->text);
        if (strncmp(step->text, "liquidate", 9) == 0 || strncmp(step->text, "deleverage", 10) == 0) {
            story_forced();
        }
        break;
    case FILL:
    case FILL_ONE:
    case FILL_SELLS:
    case FILL_BUYS:
        fill(run, step->what, step->value);
        break;
    case DRIP:
    case POUR:
        named.pours = step->what == POUR;
        named.drip_ns = time_now.now_ns + (uint64_t)step->value * NS_PER_MS;
        break;
    case JUMP: {
        struct market *market = world_market();
        market->middle_e8 += (int64_t)((__int128)market->middle_e8 * step->value / 1000000);
        market->next_ns = time_now.now_ns;
        break;
    }
    case THIN:
        named.thin_ns = time_now.now_ns + (uint64_t)step->value * NS_PER_MS;
        break;
    case LATE_REPORTS:
        delay(SIM_LINE_PRIVATE, step->value);
        break;
    case LATE_ORDERS:
        delay(SIM_LINE_ORDER, step->value);
        break;
    case LATE_FEED:
        delay(SIM_LINE_FEED, step->value);
        break;
    case OLD_ANSWERS:
    case EMPTY_ANSWERS:
        lie(step->what == OLD_ANSWERS, step->value);
        break;
    case CUT:
        wire_cut_all();
        break;
    case CUT_STORM:
        named.storm_ns = time_now.now_ns + (uint64_t)step->value * NS_PER_MS;
        break;
    case STALL:
        world_machine()->stall_ns = (uint64_t)step->value * NS_PER_MS;
        break;
    case SUSPEND:
        world_say("the process is suspended");
        world_machine()->stall_ns = (uint64_t)step->value * NS_PER_MS;
        world_run(time_now.now_ns + (uint64_t)step->value * NS_PER_MS, NULL);
        break;
    case CLOCK:
        world_skew(step->value * 1000000);
        break;
    case PERSON:
        story_command(run, (enum command)step->value, NO_INSTANCE);
        break;
    case PERSON_ONE:
        story_command(run, (enum command)step->value, params_of(run)->instance);
        break;
    case FLATTEN_NEXT:
        named.flatten = true;
        named.instance = step->text[0] != 0 ? step->text : NULL;
        break;
    case LEAVE:
        named.options.stop_at_ns = time_now.now_ns;
        break;
    case DIE:
    case DIE_OF_POWER:
        named.power = step->what == DIE_OF_POWER;
        point_arm((enum point)step->value, 1);
        break;
    case AWAIT_UNKNOWN:
        return s->orders.unknown_count != 0;
    case AWAIT_NAKED:
        return s->instance[0].hedge.naked_since_ns != 0;
    case AWAIT_RUNG:
        return s->instance[0].hedge.rung >= step->value;
    case AWAIT_QUOTES:
        return resting(run, order, POISE_COUNT_OF(order), &place) != 0;
    case AWAIT_RULES:
        return watch_counts()->rules >= (uint64_t)step->value;
    case AWAIT_HEDGED:
        return s->instance[0].hedge.naked_since_ns == 0 && !s->instance[0].hedge.open && !hedge_at_work(s);
    case END:
        break;
    }
    return true;
}

static void often(void *context, struct run *run)
{
    (void)context;
    if (time_now.now_ns >= named.lies_ns) {
        ask_lies(0, 0);
        named.lies_ns = UINT64_MAX;
    }
    if (time_now.now_ns < named.storm_ns) {
        wire_cut_all();
    }
    if (run->reconcile == NULL || !run->engine.strategy.strategy->restored) {
        return;
    }
    keep_thin(run);
    drip(run);
    struct sim_order *order[64];
    enum world_place place;
    if (named.step == 0 && resting(run, order, POISE_COUNT_OF(order), &place) < 2) {
        return;
    }
    const struct step *step;
    while (named.step < STEPS_MAX && (step = &named.scenario->step[named.step])->what != END) {
        if (named.next_ns == 0) {
            named.next_ns = time_now.now_ns + step->after_ms * NS_PER_MS;
        }
        if (time_now.now_ns < named.next_ns) {
            return;
        }
        if (!act(run, step)) {
            if (time_now.now_ns > named.next_ns + WAIT_SECONDS * NS_PER_S) {
                watch_violation("the scenario did not happen: step %u waited in vain", named.step);
            }
            return;
        }
        named.next_ns = 0;
        named.step++;
    }
    if (named.over_ns == 0) {
        named.over_ns = time_now.now_ns + AFTER_SECONDS * NS_PER_S;
        if (named.options.stop_at_ns > named.over_ns) {
            named.options.stop_at_ns = named.over_ns;
        }
    }
}

/* ------------------------------------------------------------------ lives */

static bool steps_left(void)
{
    return named.step < STEPS_MAX && named.scenario->step[named.step].what != END;
}

static int live_on(void)
{
    named.options.stop_at_ns = UINT64_MAX;
    named.over_ns = 0;
    named.options.flatten = named.flatten;
    named.options.instance = named.instance;
    named.flatten = false;
    named.instance = NULL;
    watch_cash_told(named.lies_ns == UINT64_MAX);
    int code = life_run(&named.options);
    if (code == LIFE_DIED && named.power) {
        life_power_loss();
    }
    world_run(time_now.now_ns + (code == LIFE_DIED ? 2 : 5) * NS_PER_S, NULL);
    named.next_ns = 0;
    return code;
}

static uint64_t second_fills(void)
{
    uint64_t count = 0;
    struct sim_venue *venue = world_venue(WORLD_DERIBIT);
    for (size_t i = 0; venue != NULL && i < sim_venue_fill_count(venue); i++) {
        count++;
    }
    return count;
}

static uint64_t payments(void)
{
    uint64_t count = 0;
    for (enum world_place at = WORLD_BINANCE; at < WORLD_PLACES; at++) {
        count += world_venue(at) != NULL ? sim_venue_payment_count(world_venue(at)) : 0;
    }
    return count;
}

static uint64_t forced(void)
{
    uint64_t count = 0;
    for (enum world_place at = WORLD_BINANCE; at < WORLD_PLACES; at++) {
        count += world_venue(at) != NULL ? sim_venue_account(world_venue(at), 0)->liquidations : 0;
    }
    return count;
}

/* What did not happen proves nothing. */
static void check_happened(void)
{
    const struct watch_counts *w = watch_counts();
    const struct ask_counts *a = ask_counts();
    const struct {
        uint32_t need;
        const char *name;
        uint64_t value;
    } seen[] = {
        { FILLS, "execution", truth_fills() },
        { UNKNOWNS, "order in doubt", w->unknowns },
        { REJECTS, "refusal", w->rejects },
        { DUPLICATES, "execution told again", w->duplicates },
        { RUNGS, "rung of the ladder", w->rungs[1] },
        { DEATHS, "death", life_counts()->deaths },
        { PAYMENTS, "payment of funding", payments() },
        { HALTS, "halt", w->halts },
        { SECOND_VENUE, "execution at the second venue", second_fills() },
        { FORCED, "liquidation", forced() },
        { LIES, "old or empty answer", a->stale + a->empty },
        { GAPS, "gap that a feed noticed", w->gaps },
        { BELIEVES, "start that went on in spite of what it was told", life_counts()->exits[4] == 0 },
        { BY_REST, "execution told by REST", w->by_rest },
        { RULES_TOLD, "change of a venue's rules", w->rules },
    };
    for (size_t i = 0; i < POISE_COUNT_OF(seen); i++) {
        if ((named.scenario->needs & seen[i].need) != 0 && seen[i].value == 0) {
            watch_violation("the scenario did not happen: no %s", seen[i].name);
        }
    }
    if (steps_left()) {
        watch_violation("the scenario did not happen: %u steps of it only", named.step);
    }
}

/* Of the name, so that a scenario stays what it is when the table grows. */
static uint64_t draw_seed(const char *name)
{
    uint64_t hash = 14695981039346656037ULL;
    for (; *name != 0; name++) {
        hash = (hash ^ (uint8_t)*name) * 1099511628211ULL;
    }
    return hash % 1000000;
}

void named_run(uint64_t seed, const char *folder, bool log)
{
    memset(&named, 0, sizeof named);
    named.scenario = &scenarios[seed == 0 ? 0 : seed - NAMED_FIRST];
    named.lies_ns = UINT64_MAX;
    named.options = (struct life_options){ .hurry_at_ns = UINT64_MAX, .cold_ns = NS_PER_MS, .often = often };
    story_begin(draw_seed(named.scenario->name), &named.scenario->desk, folder, log);
    market_calm(world_market(), UINT64_MAX);
    story_disturb(3600 * NS_PER_S);
    int code = LIFE_DIED;
    for (int lives = 0; lives < LIVES_MAX && (steps_left() || code != 0); lives++) {
        code = live_on();
    }
    check_happened();
    story_begin_end();
    story_finish();
}
