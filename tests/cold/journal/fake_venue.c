#include "tests/cold/journal/fake_venue.h"

#include <criterion/criterion.h>
#include <stdio.h>

struct world world;

/* ------------------------------------------------------------------ the venue */

struct wire_head {
    uint8_t result;
    bool more;
    uint64_t next_from_id;
    uint32_t slots;
    int64_t server_time_ns;
};

static bool fake_request(const struct sign_key *key, const struct instrument_table *instruments,
                         const struct rest_query *query, int64_t wall_ns, struct venue_out *out)
{
    (void)key;
    (void)instruments;
    (void)wall_ns;
    if ((query->what == REST_KEY_RIGHTS && world.withdraw == FACT_UNKNOWN) ||
        (query->what == REST_PAYMENTS &&
         (!world.keeps_payments || (query->instrument != NULL) != world.by_currency))) {
        return false;
    }
    out->act = ACT_REQUEST;
    memcpy(out->path, query, sizeof *query);
    out->path_bytes = sizeof *query;
    return true;
}

static enum rest_result fake_parse(const struct rest_query *query, int status, const char *bytes,
                                   size_t count, struct rest_answer *answer)
{
    const struct wire_head *head = (const struct wire_head *)(const void *)bytes;
    (void)count;
    if (status != 200) {
        answer->retry_after_ms = 0;
        snprintf(answer->text, sizeof answer->text, "slow down");
        return status == 429 ? REST_LATER : REST_UNKNOWN;
    }
    answer->more = head->more;
    answer->next_from_id = head->next_from_id;
    answer->server_time_ns = head->server_time_ns;
    answer->mode_one_way = world.one_way;
    answer->mode_cross = world.cross;
    answer->mode_single_asset = world.single_asset;
    answer->mode_self_trade = world.self_trade;
    answer->can_trade = world.can_trade;
    answer->can_withdraw = world.withdraw;
    if (query->what == REST_INSTRUMENTS) {
        struct test_list list = { 0 };
        test_run_head(1, test_list_add, &list);
        for (uint32_t at = 0; at < list.used; at += record_head_of(&list.slot[at])->slot_count) {
            if (record_head_of(&list.slot[at])->type != RECORD_INSTRUMENT) {
                continue;
            }
            struct instrument row;
            record_blob_read(&list.slot[at], &row, sizeof row);
            bool linear = row.product == PRODUCT_LINEAR;
            if (row.product != query->product || world.no_metadata[linear]) {
                continue;
            }
            if (linear && world.more_decimals != 0) {
                int64_t by = decimal_power[world.more_decimals];
                row.qty_decimals += world.more_decimals;
                row.lot *= by;
                row.min_qty *= by;
                row.max_qty *= by;
            }
            if (world.rules != NULL) {
                world.rules(&row);
            }
            answer->instrument(answer->instrument_context, &row, "BTC", linear ? "USDT" : "USD",
                               linear ? "USDT" : "BTC");
        }
        test_list_free(&list);
        return REST_OK;
    }
    const struct slot *slots = (const struct slot *)(const void *)(bytes + SLOT_BYTES);
    for (uint32_t at = 0; at < head->slots; at += record_head_of(&slots[at])->slot_count) {
        struct slot copy[3];
        memset(copy, 0, sizeof copy);
        record_copy(copy, &slots[at]);
        record_head_of(copy)->account = answer->account;
        answer->rows++;
        answer->sink.emit(answer->sink.context, copy);
    }
    return head->result;
}

static const struct venue_rest fake_rest = { .request = fake_request, .parse = fake_parse };
static const struct venue fake_venue = { .name = "fake", .id = VENUE_BINANCE, .rest = &fake_rest };

const struct venue *fake_find(uint8_t id)
{
    return id == VENUE_BINANCE ? &fake_venue : NULL;
}

/* ------------------------------------------------------------------ the wire */

struct wire {
    struct wire_head head;
    _Alignas(SLOT_BYTES) struct slot slot[4096];
};
_Static_assert(offsetof(struct wire, slot) == SLOT_BYTES, "what parse expects");

static struct pending {
    uint64_t call;
    struct rest_query query;
} pending;
static struct wire wire;

static void put(const struct slot *record)
{
    memset(&wire.slot[wire.head.slots], 0, 3 * SLOT_BYTES);
    record_copy(&wire.slot[wire.head.slots], record);
    wire.head.slots += record_head_of(record)->slot_count;
}

static void put_order(const struct world_order *order)
{
    struct slot record[3];
    struct record_report *report =
        test_report(record, RECORD_ORDER_STATE, order->order, order->instrument, 0);
    report->side = order->side;
    report->order_qty = order->qty;
    report->order_price = order->price;
    report->cum_qty = order->cum;
    report->status = order->status;
    report->flags = REPORT_HAS_CUM;
    report->flags |= order->order == 0 ? REPORT_FOREIGN : 0;
    report->reason = order->reason;
    report->flags |= order->status > ORDER_STATUS_PARTIAL ? REPORT_TERMINAL : 0;
    snprintf(report->venue_order_id, VENUE_ORDER_ID_BYTES, "%u", order->venue_id);
    put(record);
}

static void answer_fills(const struct rest_query *query)
{
    uint32_t sent = 0;
    for (uint32_t i = 0; i < world.fill_count; i++) {
        const struct world_fill *fill = &world.fill[i];
        if (fill->instrument != query->instrument->index || fill->exec_id < query->from_id) {
            continue;
        }
        if (sent == PAGE) {
            wire.head.more = true;
            wire.head.next_from_id = fill->exec_id;
            return;
        }
        struct slot record[3];
        struct record_report *report = test_report(record, RECORD_FILL, 0, fill->instrument, 0);
        report->head.flags = RECORD_FLAG_REST;
        report->exec_id = fill->exec_id;
        report->side = fill->side;
        report->last_qty = fill->qty;
        report->price = fill->price;
        report->flags =
            (uint8_t)(REPORT_HAS_LAST | REPORT_FOREIGN | (world.fee_e8 != 0 ? REPORT_HAS_FEE : 0));
        report->fee_e8 = world.fee_e8;
        snprintf(report->venue_order_id, VENUE_ORDER_ID_BYTES, "%u", fill->venue_id);
        put(record);
        sent++;
    }
}

/* The row is of a currency that was not asked for. */
static bool is_beside(const struct rest_query *query, uint16_t currency)
{
    return world.by_currency && (currency == query->instrument->settle) != (query->currency == NULL);
}

static void answer_money(const struct rest_query *query)
{
    struct slot record;
    for (uint32_t i = 0; i < world.payment_count; i++) {
        const struct world_payment *payment = &world.payment[i];
        if (query->what == REST_PAYMENTS && payment->product == query->product &&
            payment->time_ns >= query->since_ns && !is_beside(query, payment->currency)) {
            memset(&record, 0, sizeof record);
            struct record_balance *row = (struct record_balance *)record_begin(&record, RECORD_BALANCE, 1, 0);
            row->head.flags = RECORD_FLAG_REST;
            row->head.instrument = payment->instrument;
            row->currency = payment->currency;
            row->total_e8 = row->available_e8 = INT64_MIN;
            row->change_e8 = payment->change_e8;
            row->reason = payment->reason;
            row->told = CASH_TOLD_ROW;
            row->row = payment->row;
            row->venue_time_ns = payment->time_ns;
            put(&record);
        }
    }
    if (query->what == REST_BALANCES && world.names_balance) {
        memset(&record, 0, sizeof record);
        struct record_balance *total = (struct record_balance *)record_begin(&record, RECORD_BALANCE, 1, 0);
        total->currency = query->product == PRODUCT_LINEAR ? world.linear_currency : world.inverse_currency;
        total->total_e8 = world.balance_e8[query->product == PRODUCT_LINEAR];
        total->available_e8 = INT64_MIN;
        total->reason = CASH_SNAPSHOT;
        put(&record);
    }
}

static void answer(const struct rest_query *query)
{
    uint16_t instrument = query->instrument != NULL ? query->instrument->index : NO_INSTRUMENT;
    memset(&wire.head, 0, sizeof wire.head);
    wire.head.result = REST_OK;
    wire.head.server_time_ns = world.wall_ns + 250000000 + world.clock_off_ns;
    switch (query->what) {
    case REST_OPEN_ORDERS:
        for (uint32_t i = 0; i < world.order_count; i++) {
            if (world.order[i].instrument == instrument && world.order[i].status <= ORDER_STATUS_PARTIAL) {
                put_order(&world.order[i]);
            }
        }
        break;
    case REST_ORDER: {
        bool known = false;
        for (uint32_t i = 0; i < world.order_count; i++) {
            char venue_id[VENUE_ORDER_ID_BYTES] = { 0 };
            snprintf(venue_id, sizeof venue_id, "%u", world.order[i].venue_id);
            bool meant = query->order != 0 ? world.order[i].order == query->order
                                           : strcmp(venue_id, query->venue_order) == 0;
            if (meant && !world.order[i].forgotten) {
                put_order(&world.order[i]);
                known = true;
            }
        }
        if (!known) {
            struct slot record[3];
            struct record_report *report =
                test_report(record, RECORD_ORDER_STATE, query->order, instrument, 0);
            report->status = ORDER_STATUS_NOT_FOUND;
            put(record);
        }
        break;
    }
    case REST_POSITIONS:
        if (world.names_position[instrument]) {
            struct slot record;
            memset(&record, 0, sizeof record);
            struct record_position *position =
                (struct record_position *)record_begin(&record, RECORD_POSITION, 1, 0);
            position->head.instrument = instrument;
            position->qty = world.position[instrument];
            position->entry_e8 = 60000 * DECIMAL_E8;
            put(&record);
        }
        if (world.fill_on_positions && instrument == 1) {
            /* An order that still rests is executed now: positions were read before, fills come after. */
            world.fill_on_positions = false;
            world.order[0].cum += 2;
            world.position[0] += 2;
            world.fill[world.fill_count++] =
                (struct world_fill){ 9000, 0, SIDE_BUY, 2, 600000, world.order[0].venue_id };
        }
        break;
    case REST_FILLS:
        answer_fills(query);
        break;
    case REST_BALANCES:
    case REST_PAYMENTS:
        answer_money(query);
        break;
    case REST_CANCEL_ALL:
        for (uint32_t i = 0; i < world.order_count; i++) {
            if (world.order[i].instrument == instrument && world.order[i].status <= ORDER_STATUS_PARTIAL) {
                world.order[i].status = ORDER_STATUS_CANCELLED;
            }
        }
        break;
    default:
        break;
    }
}

static bool wire_start(void *context, uint64_t call, uint8_t venue, const struct venue_out *out)
{
    (void)context;
    (void)venue;
    cr_assert_eq(pending.call, 0);
    pending.call = call;
    memcpy(&pending.query, out->path, sizeof pending.query);
    return true;
}

static void wire_poll(void *context, int timeout_ms, rest_arrived arrived, void *arrived_context)
{
    (void)context;
    if (pending.call == 0) {
        world.now_ns += (uint64_t)timeout_ms * 1000000;
        world.wall_ns += (int64_t)timeout_ms * 1000000;
        return;
    }
    world.now_ns += 1000000;
    world.wall_ns += 1000000;
    cr_assert(world.now_ns >= world.closed_until_ns, "asked while the venue wants to be left alone");
    uint64_t call = pending.call;
    struct rest_query query = pending.query;
    pending.call = 0;
    world.asked[query.what]++;
    if (world.before != NULL) {
        world.before(&query);
    }
    struct rest_body body = { .status = 0, .error = "connection reset" };
    if (query.what == world.later_what && world.later_times != 0) {
        world.later_times--;
        world.closed_until_ns = world.now_ns + (uint64_t)world.later_ms * 1000000;
        body = (struct rest_body){ .status = 429, .bytes = "", .retry_after_ms = world.later_ms };
    } else if (query.what == world.fail_what && world.fail_times != 0) {
        world.fail_times--;
    } else {
        answer(&query);
        body = (struct rest_body){ .status = 200, .bytes = (const char *)&wire, .count = sizeof wire };
    }
    arrived(arrived_context, call, &body);
}

static uint64_t world_now(void *context)
{
    (void)context;
    return world.now_ns;
}

static int64_t world_wall(void *context)
{
    (void)context;
    return world.wall_ns;
}

struct rest_transport fake_transport(void)
{
    return (struct rest_transport){ .start = wire_start, .poll = wire_poll };
}

struct rest_clock fake_clock(void)
{
    return (struct rest_clock){ .now_ns = world_now, .wall_ns = world_wall };
}

void fake_reset(void)
{
    memset(&world, 0, sizeof world);
    memset(&pending, 0, sizeof pending);
    world.now_ns = 5000000000;
    world.wall_ns = WORLD_WALL_NS;
    world.one_way = world.cross = world.single_asset = world.self_trade = world.can_trade = FACT_YES;
    world.names_position[0] = world.names_position[1] = true;
}
