#include "tools/sim/sim_fault.h"

#include <criterion/criterion.h>
#include <string.h>

#define START INT64_C(1000000000000)
#define S     INT64_C(1000000000)

static struct sim_faults made(const char *spec)
{
    struct sim_faults faults = { .start_ns = START };
    char error[256] = "";

    sim_random_seed(&faults.random, 1, 4);
    cr_assert(sim_fault_add(&faults, spec, START, error, sizeof error), "%s", error);
    return faults;
}

Test(fault, a_condition_hits_only_in_its_window_and_scope)
{
    struct sim_faults faults = made("silence:at=20s,for=5s,stream=usdm-public");

    cr_assert_null(sim_fault_hit(&faults, SIM_FAULT_SILENCE, "usdm-public", START + 20 * S - 1));
    cr_assert_not_null(sim_fault_hit(&faults, SIM_FAULT_SILENCE, "usdm-public", START + 20 * S));
    cr_assert_null(sim_fault_hit(&faults, SIM_FAULT_SILENCE, "coinm-public", START + 21 * S));
    cr_assert_null(sim_fault_hit(&faults, SIM_FAULT_GAP, "usdm-public", START + 21 * S));
    cr_assert_null(sim_fault_hit(&faults, SIM_FAULT_SILENCE, "usdm-public", START + 25 * S));
    cr_assert_eq(faults.fault[0].fired, 1);
}

Test(fault, count_ends_it_and_values_arrive)
{
    struct sim_faults faults = made("reject:code=-2022,count=2,scope=place");

    cr_assert_not_null(sim_fault_hit(&faults, SIM_FAULT_REJECT, "usdm-wsapi-place", START));
    struct sim_fault *fault = sim_fault_hit(&faults, SIM_FAULT_REJECT, "usdm-rest-place", START);
    cr_assert_not_null(fault);
    cr_assert_eq(fault->code, -2022);
    cr_assert_null(sim_fault_hit(&faults, SIM_FAULT_REJECT, "usdm-rest-place", START));
}

Test(fault, chance_is_about_right_and_seeded)
{
    struct sim_faults faults = made("dup_reports:p=0.1"), again = made("dup_reports:p=0.1");
    int hits = 0;

    for (int i = 0; i < 10000; i++) {
        bool hit = sim_fault_hit(&faults, SIM_FAULT_DUP_REPORTS, "x", START) != NULL;
        cr_assert_eq(hit, sim_fault_hit(&again, SIM_FAULT_DUP_REPORTS, "x", START) != NULL);
        hits += hit;
    }
    cr_assert(hits > 900 && hits < 1100, "%d", hits);
}

Test(fault, a_moment_strikes_once_or_again_and_again)
{
    struct sim_faults once = made("disconnect:at=20s"), often = made("disconnect:at=1s,every=500ms,count=3");

    cr_assert_eq(sim_fault_next_ns(&once), START + 20 * S);
    cr_assert_null(sim_fault_due(&once, START + 19 * S));
    cr_assert_not_null(sim_fault_due(&once, START + 20 * S));
    cr_assert_null(sim_fault_due(&once, START + 40 * S));
    cr_assert_eq(sim_fault_next_ns(&once), INT64_MAX);
    int strikes = 0;
    while (sim_fault_due(&often, START + 60 * S) != NULL) {
        strikes++;
    }
    cr_assert_eq(strikes, 3);
}

Test(fault, what_is_not_understood_is_refused)
{
    struct sim_faults faults = { 0 };
    char error[256];

    cr_assert_not(sim_fault_add(&faults, "earthquake", 0, error, sizeof error));
    cr_assert_not(sim_fault_add(&faults, "disconnect:when=2s", 0, error, sizeof error));
    cr_assert_not_null(strstr(error, "when"));
    cr_assert_not(sim_fault_add(&faults, "disconnect:at=2y", 0, error, sizeof error));
    cr_assert_eq(faults.count, 0);
}

Test(fault, the_help_names_every_kind)
{
    struct sim_faults faults = { 0 };
    static const char *const kinds[] = {
        "disconnect", "server_shutdown", "listenkey_expired", "liquidate",    "deposit",        "silence",
        "gap",        "dup_reports",     "reorder_reports",   "drop_private", "partial",        "reject",
        "rate_limit", "slow_ack",        "unknown_503",       "timeout_1007", "no_reply",       "clock_skew",
        "query_2013", "maintenance",     "funding_rate",      "settlement",   "heartbeat_only", "deleverage",
        "withdrawal", "tick_size",       "sequence"
    };
    char error[256];

    cr_assert_eq(sizeof kinds / sizeof kinds[0], SIM_FAULT_KIND_COUNT);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        cr_assert(sim_fault_add(&faults, kinds[i], 0, error, sizeof error), "%s", kinds[i]);
        cr_assert_not_null(strstr(sim_fault_help, kinds[i]), "%s", kinds[i]);
    }
}

Test(fault, when_the_table_is_full_one_that_is_over_gives_its_place_and_is_still_counted)
{
    struct sim_faults faults = made("gap:for=1s");
    char error[256] = "";

    cr_assert_not_null(sim_fault_hit(&faults, SIM_FAULT_GAP, "x", START));
    for (int i = 1; i < SIM_FAULT_MAX; i++) {
        cr_assert(sim_fault_add(&faults, "silence:for=9s", START, error, sizeof error));
    }
    cr_assert_not(sim_fault_add(&faults, "no_reply:for=1s", START, error, sizeof error), "none is over yet");
    cr_assert(sim_fault_add(&faults, "no_reply:for=1s", START + 2 * S, error, sizeof error), "%s", error);
    cr_assert_eq(faults.count, SIM_FAULT_MAX);
    cr_assert_not_null(sim_fault_hit(&faults, SIM_FAULT_NO_REPLY, "x", START + 2 * S));
    cr_assert_eq(sim_fault_fired(&faults, SIM_FAULT_GAP), 1);
    cr_assert_eq(sim_fault_fired(&faults, SIM_FAULT_NO_REPLY), 1);
    cr_assert_str_eq(sim_fault_name(SIM_FAULT_NO_REPLY), "no_reply");
}
