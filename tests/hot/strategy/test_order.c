#include "hot/strategy/exec/ladder.h"
#include "hot/strategy/instance.h"
#include "hot/strategy/order.h"

#include "ring/names.h"

#include <criterion/criterion.h>
#include "ring/names.h"

#include <criterion/parameterized.h>
#include <stdlib.h>

/* The table again, written the other way round: for each event, where it leads from each state.
 * .=empty, S=sent O=open A=amending C=cancelling U=unknown Q=queried D=done F=free. */
/* clang-format off */
static const char *const expected[ORDER_EVENT_COUNT] = {
    /*                            FSOACUQD */
    [ORDER_EVENT_SEND]        = "S.......",
    [ORDER_EVENT_RESTORE]     = "U.......",
    [ORDER_EVENT_ACK]         = ".OOACOOD",
    [ORDER_EVENT_REJECT]      = ".D..DDDD",
    [ORDER_EVENT_REFUSED]     = "..OOOUQD",
    [ORDER_EVENT_FILL]        = ".OOACUQD",
    [ORDER_EVENT_FILLED]      = ".DDDDDDD",
    [ORDER_EVENT_AMEND]       = "..A.....",
    [ORDER_EVENT_AMENDED]     = ".OOOCUQD",
    [ORDER_EVENT_CANCEL]      = ".CCCCUQ.",
    [ORDER_EVENT_CANCEL_ACK]  = ".SOACUQD",
    [ORDER_EVENT_CANCELLED]   = ".DDDDDDD",
    [ORDER_EVENT_EXPIRED]     = ".DDDDDDD",
    [ORDER_EVENT_TIMEOUT]     = ".UUUUUU.",
    [ORDER_EVENT_DOUBT]       = ".UUUUUUD",
    [ORDER_EVENT_LINK_LOST]   = ".UUUUUUD",
    [ORDER_EVENT_QUERY]       = ".....QQD",
    [ORDER_EVENT_STATE_OPEN]  = ".OOACOOD",
    [ORDER_EVENT_STATE_FINAL] = ".DDDDDDD",
    [ORDER_EVENT_NOT_FOUND]   = ".SUUUUUD",
    [ORDER_EVENT_GONE]        = ".....DD.",
    [ORDER_EVENT_FORGET]      = ".......F",
};
/* clang-format on */

static uint8_t state_of(char letter)
{
    static const char letters[] = "FSOACUQD";
    const char *at = strchr(letters, letter);
    return letter == '.' || at == NULL ? 0xff : (uint8_t)(at - letters);
}

struct cell {
    uint8_t state, event;
};

static struct order_table *new_table(void)
{
    struct order_table *table = calloc(1, sizeof *table);
    order_table_init(table);
    return table;
}

/* Brings a row into a state by the shortest way. */
static struct order *row_in(struct order_table *table, enum order_state state)
{
    static const uint8_t way[ORDER_STATE_COUNT][3] = {
        [ORDER_OPEN] = { ORDER_EVENT_ACK },
        [ORDER_AMENDING] = { ORDER_EVENT_ACK, ORDER_EVENT_AMEND },
        [ORDER_CANCELLING] = { ORDER_EVENT_CANCEL },
        [ORDER_UNKNOWN] = { ORDER_EVENT_TIMEOUT },
        [ORDER_QUERIED] = { ORDER_EVENT_TIMEOUT, ORDER_EVENT_QUERY },
        [ORDER_DONE] = { ORDER_EVENT_CANCELLED },
    };
    struct order *order = order_take(table, 77);
    order->instrument = 3;
    order->account = 1;
    order->slot = 2;
    order->qty = order->want_qty = 10;
    if (state == ORDER_FREE) {
        return order;
    }
    cr_assert(order_step(table, order, ORDER_EVENT_SEND));
    for (int i = 0; i < 3 && way[state][i] != 0; i++) {
        cr_assert(order_step(table, order, way[state][i]));
    }
    cr_assert_eq(order->state, state);
    return order;
}

ParameterizedTestParameters(order, every_cell_of_the_order_table)
{
    static struct cell cells[ORDER_STATE_COUNT * ORDER_EVENT_COUNT];
    size_t count = 0;
    for (uint8_t state = 0; state < ORDER_STATE_COUNT; state++) {
        for (uint8_t event = 0; event < ORDER_EVENT_COUNT; event++) {
            cells[count++] = (struct cell){ state, event };
        }
    }
    return cr_make_param_array(struct cell, cells, count);
}

ParameterizedTest(struct cell *cell, order, every_cell_of_the_order_table)
{
    struct order_table *table = new_table();
    struct order *order = row_in(table, cell->state);
    uint8_t want = state_of(expected[cell->event][cell->state]);
    cr_assert_eq(order_next(cell->state, cell->event), want, "%s x %s", order_state_names[cell->state],
                 order_event_names[cell->event]);

    bool moved = order_step(table, order, cell->event);
    cr_assert_eq(moved, want != 0xff);
    cr_assert_eq(table->refused, want == 0xff);
    cr_assert_eq(order->state, want == 0xff ? cell->state : want);
    cr_assert_eq(table->live, order_is_live(order));
    cr_assert_eq(table->unknown[3], order_in_doubt(order));
    cr_assert_eq(table->unknown_count, order_in_doubt(order));
    cr_assert_eq(table->live_of_account[1], order_is_live(order));
    cr_assert_eq(order_first(table, 0, 2) == order, order_is_live(order));
    cr_assert_eq(order_first(table, 1, 3) == order, order_is_live(order));
    if (order->state == ORDER_FREE && cell->state == ORDER_DONE) {
        cr_assert_null(order_find(table, 77));
    }
    free(table);
}

Test(order, only_the_venue_or_a_certain_refusal_ends_an_order)
{
    /* Acknowledgements, refusals of requests, timeouts, lost links and failed reads never lead to DONE. */
    static const uint8_t never[] = { ORDER_EVENT_ACK,        ORDER_EVENT_REFUSED,   ORDER_EVENT_CANCEL,
                                     ORDER_EVENT_CANCEL_ACK, ORDER_EVENT_TIMEOUT,   ORDER_EVENT_DOUBT,
                                     ORDER_EVENT_LINK_LOST,  ORDER_EVENT_NOT_FOUND, ORDER_EVENT_FILL };
    for (uint8_t state = ORDER_SENT; state <= ORDER_QUERIED; state++) {
        for (size_t i = 0; i < sizeof never; i++) {
            cr_assert_neq(order_next(state, never[i]), ORDER_DONE);
        }
    }
}

Test(order, ids_are_found_after_thousands_of_insertions_and_removals)
{
    struct order_table *table = new_table();
    uint64_t first = 1;
    for (uint64_t id = 1; id <= 20000; id++) {
        struct order *order = order_take(table, id * 0x100000001ULL);
        cr_assert_not_null(order);
        order->qty = order->want_qty = 1;
        order->instrument = (uint16_t)(id % 5);
        cr_assert(order_step(table, order, ORDER_EVENT_SEND));
        if (id >= first + 1000) { /* end the oldest live one */
            struct order *old = order_find(table, first * 0x100000001ULL);
            cr_assert_not_null(old);
            cr_assert(order_step(table, old, ORDER_EVENT_CANCELLED));
            first++;
        }
    }
    cr_assert_eq(table->live, 1000);
    for (uint64_t id = first; id <= 20000; id++) {
        cr_assert_not_null(order_find(table, id * 0x100000001ULL));
    }
    cr_assert_null(order_find(table, 0x100000001ULL)); /* forgotten long ago */
    cr_assert_eq(table->free_count + table->live + table->done, ORDER_MAX);
    free(table);
}

Test(order, the_live_set_is_bounded)
{
    struct order_table *table = new_table();
    for (uint64_t id = 1; id <= ORDER_LIVE_MAX; id++) {
        struct order *order = order_take(table, id);
        order->qty = 1;
        order_step(table, order, ORDER_EVENT_SEND);
    }
    cr_assert_null(order_take(table, 999999));
    free(table);
}

Test(order, a_finished_order_that_waits_for_a_price_outlives_the_others)
{
    struct order_table *table = new_table();
    struct order *waits = order_take(table, 1);
    waits->qty = 5;
    order_step(table, waits, ORDER_EVENT_SEND);
    waits->filled = waits->open_qty = 5;
    order_step(table, waits, ORDER_EVENT_CANCELLED);
    for (uint64_t id = 2; id < 3 * ORDER_MAX; id++) {
        struct order *order = order_take(table, id);
        order->qty = 1;
        order_step(table, order, ORDER_EVENT_SEND);
        order_step(table, order, ORDER_EVENT_CANCELLED);
    }
    cr_assert_not_null(order_find(table, 1));
    cr_assert_null(order_find(table, 2));
    free(table);
}

/* ------------------------------------------------------------------ the other two tables */

static const char *const instance_expected[INSTANCE_STATE_COUNT] = {
    /* RESTORED CLEAR PULL PAUSE RESUME STOP HALT FLATTEN QUIET; r=restoring p=pulled q=quoting P=paused
     * s=stopping S=stopped h=halted f=flattening F=flat */
    [INSTANCE_RESTORING] = "p..P.shf.", [INSTANCE_PULLED] = ".qpPpshf.",     [INSTANCE_QUOTING] = ".qpPqshf.",
    [INSTANCE_PAUSED] = "P..Ppshf.",    [INSTANCE_STOPPING] = "s...pshfS",   [INSTANCE_STOPPED] = "....pShf.",
    [INSTANCE_HALTED] = "h...pshf.",    [INSTANCE_FLATTENING] = "f....fhfF", [INSTANCE_FLAT] = "....pFFf.",
};

Test(order, every_cell_of_the_instance_table)
{
    static const char letters[] = "rpqPsShfF";
    for (uint8_t state = 0; state < INSTANCE_STATE_COUNT; state++) {
        for (uint8_t event = 0; event < INSTANCE_EVENT_COUNT; event++) {
            char letter = instance_expected[state][event];
            uint8_t want = letter == '.' ? 0xff : (uint8_t)(strchr(letters, letter) - letters);
            cr_assert_eq(instance_next(state, event), want, "state %s event %u", instance_state_names[state],
                         event);
            struct instance instance = { .state = state };
            cr_assert_eq(instance_step(&instance, event), want != 0xff);
            cr_assert_eq(instance.state, want == 0xff ? state : want);
        }
    }
}

Test(order, every_cell_of_the_ladder_table)
{
    static const uint8_t want[RUNG_COUNT][LADDER_EVENT_COUNT] = {
        [RUNG_NONE] = { RUNG_QUERY, RUNG_QUERY, 0xff },
        [RUNG_QUERY] = { RUNG_SECOND, RUNG_EMERGENCY, RUNG_NONE },
        [RUNG_SECOND] = { RUNG_EMERGENCY, 0xff, RUNG_NONE },
        [RUNG_EMERGENCY] = { RUNG_REDUCE, RUNG_REDUCE, RUNG_NONE },
        [RUNG_REDUCE] = { RUNG_HALT, RUNG_HALT, RUNG_NONE },
        [RUNG_HALT] = { 0xff, 0xff, RUNG_NONE },
    };
    for (uint8_t rung = 0; rung < RUNG_COUNT; rung++) {
        for (uint8_t event = 0; event < LADDER_EVENT_COUNT; event++) {
            cr_assert_eq(ladder_next(rung, event), want[rung][event]);
            struct instance instance = { .hedge.rung = rung };
            cr_assert_eq(ladder_step(&instance, event), want[rung][event] != 0xff);
            cr_assert_eq(instance.hedge.rung, want[rung][event] == 0xff ? rung : want[rung][event]);
        }
    }
}
