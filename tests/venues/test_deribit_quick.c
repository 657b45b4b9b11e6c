/* The one-pass reader beside the one that reads in several passes: the same records, or none. */
#include "ring/order_id.h"
#include "tests/venues/deribit_desk.h"
#include "venues/deribit/quick.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#define ORDER   0x0040100000000001ULL
#define HEARD   32
#define CHANGES 20000

struct heard {
    uint32_t count;
    struct slot record[HEARD][3];
};

static void hear(void *context, const struct slot *record)
{
    struct heard *heard = context;
    cr_assert_lt(heard->count, HEARD);
    memset(heard->record[heard->count], 0, sizeof heard->record[0]);
    memcpy(heard->record[heard->count++], record, record_head_of(record)->slot_count * sizeof *record);
}

static const char order[] =
    "{\"label\":\"%s\",\"price\":60000.5,\"user_id\":1,\"amount\":100.0,\"direction\":\"buy\",\"order_id\":"
    "\"4008965646\",\"instrument_name\":\"BTC-PERPETUAL\",\"replaced\":true,\"filled_amount\":%s,"
    "\"order_state\":\"%s\",\"time_in_force\":\"immediate_or_cancel\",\"last_update_timestamp\":"
    "1700000000123}";
static const char trade[] =
    "{\"label\":\"%s\",\"trade_id\":\"48079254\",\"trade_seq\":30289432,\"order_id\":\"4008965646\","
    "\"instrument_name\":\"BTC-PERPETUAL\",\"direction\":\"buy\",\"price\":60000.25,\"amount\":%d,\"fee\":1."
    "6e-7,"
    "\"fee_currency\":\"BTC\",\"liquidity\":\"M\",\"legs\":null,\"timestamp\":1700000000123}";
static const char position[] =
    "{\"instrument_name\":\"BTC-PERPETUAL\",\"direction\":\"buy\",\"size\":100.0,\"average_price\":60000.25,"
    "\"floating_profit_loss\":0.01,\"estimated_liquidation_price\":null}";

static struct {
    struct desk *desk;
    struct deribit_reader reader;
    struct deribit_habits habits;
    struct heard quick, whole;
    char order[512], ended[512], trade[512], other[512], id[64];
    char text[8][4096];
    uint32_t count;
} tried;

static const struct venue_sink quick_sink = { hear, &tried.quick };

static void add(const char *format, const char *first, const char *second, const char *third)
{
    snprintf(tried.text[tried.count++], sizeof tried.text[0], format, first, second, third);
}

/* The messages as the venue prints them: changes in two orders of their keys, replies to a new order that
 * executed at once and to an edit. */
static void make(void)
{
    static const char told[] = "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":"
                               "\"user.changes.any.any.raw\","
                               "\"data\":{\"instrument_name\":\"BTC-PERPETUAL\",\"trades\":[%s],"
                               "\"positions\":[%s],\"orders\":[%s]}}}";
    static const char sorted[] = "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":"
                                 "\"user.changes.any.any.raw\","
                                 "\"data\":{\"instrument_name\":\"BTC-PERPETUAL\",\"orders\":[%s],"
                                 "\"positions\":[%s],\"trades\":[%s]}}}\n";
    static const char answer[] =
        "{\"jsonrpc\":\"2.0\",\"id\":\"%s\",\"result\":{\"order\":%s,\"trades\":[%s]},\"usIn\":1,\"usOut\":2,"
        "\"usDiff\":1,\"testnet\":false}";
    char label[ORDER_ID_TEXT_BYTES + 1] = "", trades[1100];
    struct slot record[2];
    tried.desk = deribit_desk_up();
    tried.reader = (struct deribit_reader){ .instruments = &tried.desk->table,
                                            .habits = &tried.habits,
                                            .sink = &quick_sink,
                                            .account = tried.desk->account.index,
                                            .stamp_ns = tried.desk->now_ns,
                                            .instrument = NO_INSTRUMENT };
    order_id_print(label, ORDER);
    snprintf(tried.order, sizeof tried.order, order, label, "30.0", "open");
    snprintf(tried.ended, sizeof tried.ended, order, label, "100.0", "filled");
    snprintf(tried.trade, sizeof tried.trade, trade, label, 30);
    snprintf(tried.other, sizeof tried.other, trade, "a-person's", 40);
    snprintf(trades, sizeof trades, "%s,%s", tried.trade, tried.other);
    tried.count = 0;
    add(told, tried.trade, position, tried.order);
    add(sorted, tried.order, position, tried.trade);
    add(told, trades, "", tried.ended);
    add(told, "", "", tried.order);
    for (enum record_type type = RECORD_ORDER_NEW; type <= RECORD_ORDER_AMEND; type++) {
        struct record_order *what = desk_order(record, type, ORDER, 17);
        what->qty = 100;
        what->price = 600005000;
        cr_assert(desk_encode(tried.desk, what));
        snprintf(tried.id, sizeof tried.id, "%s", deribit_desk_id(tried.desk));
        add(answer, tried.id, tried.ended, trades);
        add(answer, tried.id, tried.order, "");
    }
}

/* both reads a message both ways; true when the quick one took it.  Hooks that want nothing make order.c take
 * the long way. */
static bool both(const char *text, size_t bytes)
{
    static struct venue_hooks hooks;
    static struct venue_out out;
    static char body[2048];
    const struct venue_sink sink = { hear, &tried.whole };
    out.body = body;
    out.body_capacity = sizeof body;
    tried.quick.count = tried.whole.count = 0;
    int64_t quick = deribit_quick(&tried.reader, text, bytes);
    if (quick != DERIBIT_QUICK_NOT_MINE) {
        /* what it got used to changes nothing */
        struct deribit_reader fresh = tried.reader;
        const struct heard used = tried.quick;
        fresh.habits = NULL;
        tried.quick.count = 0;
        cr_assert_eq(deribit_quick(&fresh, text, bytes), quick, "%.*s", (int)bytes, text);
        cr_assert_eq(tried.quick.count, used.count);
        cr_assert_arr_eq(tried.quick.record, used.record, used.count * sizeof used.record[0]);
    }
    if (quick == DERIBIT_QUICK_NOT_MINE) {
        cr_assert_eq(tried.quick.count, 0, "what is not taken tells nothing");
        return false;
    }
    memset(&hooks, 0, sizeof hooks);
    tried.desk->session->hooks = &hooks;
    int64_t whole = venue_deribit.order->message(tried.desk->session, SESSION_SLOT_ORDER, text, bytes,
                                                 tried.desk->now_ns, WALL_NS, &sink, &out);
    cr_assert_eq(quick, whole, "%.*s", (int)bytes, text);
    cr_assert_eq(tried.quick.count, tried.whole.count, "%.*s", (int)bytes, text);
    cr_assert_arr_eq(tried.quick.record, tried.whole.record, tried.quick.count * sizeof tried.quick.record[0],
                     "%.*s", (int)bytes, text);
    return true;
}

Test(deribit_quick, takes_what_the_venue_prints_and_tells_the_same)
{
    static const uint32_t records[] = { 3, 3, 3, 1, 4, 1, 3, 1 };
    make();
    cr_assert_eq(tried.count, POISE_COUNT_OF(records));
    for (uint32_t i = 0; i < tried.count; i++) {
        cr_assert(both(tried.text[i], strlen(tried.text[i])), "%s", tried.text[i]);
        cr_assert_eq(tried.quick.count, records[i], "%u: %u records", i, tried.quick.count);
    }
}

Test(deribit_quick, every_prefix_is_left_to_the_long_way)
{
    make();
    struct guard guard;
    guard_make(&guard, 1 << 16);
    for (uint32_t i = 0; i < tried.count; i++) {
        size_t bytes = strlen(tried.text[i]);
        bytes -= tried.text[i][bytes - 1] == '\n';
        for (size_t cut = 0; cut < bytes; cut++) {
            cr_assert_not(both(guard_put(&guard, tried.text[i], cut), cut), "%zu of %s", cut, tried.text[i]);
        }
    }
    guard_free(&guard);
}

Test(deribit_quick, changed_bytes_and_lost_ones_are_told_the_same_or_left)
{
    make();
    struct guard guard;
    guard_make(&guard, 1 << 16);
    uint64_t random = 88172645463325252ULL;
    uint32_t taken = 0;
    for (uint32_t change = 0; change < CHANGES; change++) {
        size_t bytes = strlen(tried.text[change % tried.count]);
        char *at = guard_put(&guard, tried.text[change % tried.count], bytes);
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        /* digits and letters of its own mostly: another byte is nearly always no JSON */
        size_t place = random % bytes, from = (random >> 20) % bytes;
        at[place] = random >> 60 == 0 ? (char)(random >> 40) : at[from];
        taken += both(at, bytes);
    }
    cr_assert_gt(taken, CHANGES / 10);
    cr_assert_lt(taken, CHANGES - CHANGES / 10);
    guard_free(&guard);
}

Test(deribit_quick, a_surprise_is_left_to_the_long_way)
{
    static const struct {
        const char *of, *becomes;
    } rows[] = {
        { "user.changes.any", "user.orders.any" },
        { "user.changes.any", "user.changes\\u002eany" },
        { "\"instrument_name\":\"BTC-PERPETUAL\",\"trades\"", "\"trades\":[],\"trades\"" },
        { "\"instrument_name\":\"BTC-PERPETUAL\",\"trades\"", "\"order\":{},\"trades\"" },
        { "\"method\":\"subscription\",", "\"method\":\"heartbeat\"," },
        { "\"method\":\"subscription\",", "" },
        { "\"method\":\"subscription\",", "\"method\":\"subscription\",\"method\":\"subscription\"," },
        { "\"method\":\"subscription\",", "\"result\":1,\"method\":\"subscription\"," },
        { "\"direction\":\"buy\",\"size\"", "\"direction\":\"sell\",\"size\"" },
        { "\"trades\":[{", "\"trades\":[[],{" },
        { "\"trades\":[{\"label\"", "\"trades\":[{\"size\":1},{\"label\"" },
        { "}}}", "},\"label\":1}}" },
        { "}}}", "}},\"error\":{}}" },
    };
    make();
    for (size_t i = 0; i < POISE_COUNT_OF(rows); i++) {
        char text[4200];
        const char *at = strstr(tried.text[0], rows[i].of);
        cr_assert_not_null(at, "%s", rows[i].of);
        int bytes = snprintf(text, sizeof text, "%.*s%s%s", (int)(at - tried.text[0]), tried.text[0],
                             rows[i].becomes, at + strlen(rows[i].of));
        cr_assert_not(both(text, (size_t)bytes), "%s", text);
    }
}

Test(deribit_quick, an_answer_to_anything_but_an_order_or_an_edit_is_not_taken)
{
    struct slot record[2];
    char text[4096];
    make();
    cr_assert(desk_encode(tried.desk, desk_order(record, RECORD_ORDER_CANCEL, ORDER, 18)));
    snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":\"%s\",\"result\":{\"order\":%s,\"trades\":[]}}",
             deribit_desk_id(tried.desk), tried.order);
    cr_assert_not(both(text, strlen(text)));
    snprintf(text, sizeof text, "{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":{\"order\":%s,\"trades\":[]}}",
             tried.order);
    cr_assert_not(both(text, strlen(text)));
}

Test(deribit_quick, more_than_can_wait_is_left_to_the_long_way)
{
    char text[8192], many[6144] = "";
    make();
    for (int i = 0; i < 13; i++) {
        sprintf(many + strlen(many), "%s%s", i == 0 ? "" : ",", tried.trade);
        snprintf(
            text, sizeof text,
            "{\"jsonrpc\":\"2.0\",\"method\":\"subscription\",\"params\":{\"channel\":\"user.changes.any.any."
            "raw\",\"data\":{\"instrument_name\":\"BTC-PERPETUAL\",\"trades\":[%s],\"positions\":[],"
            "\"orders\":[]}}}",
            many);
        cr_assert_eq(both(text, strlen(text)), i < 12, "%d trades", i + 1);
    }
}
