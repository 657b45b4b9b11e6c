#include "tests/venues/desk.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void on_record(void *context, const struct slot *record)
{
    struct desk *desk = context;
    cr_assert_lt(desk->record_count, DESK_RECORDS);
    record_copy(desk->records[desk->record_count++], record);
}

const struct record_report *desk_report(const struct desk *desk, uint32_t i)
{
    cr_assert_lt(i, desk->record_count, "record %u of %u", i, desk->record_count);
    return (const struct record_report *)desk->records[i];
}

void desk_begin(struct desk *desk, const struct venue *venue)
{
    uint16_t wanted = 0;
    desk->venue = venue;
    desk->session = kept(venue->order->session_bytes);
    desk->out.body = desk->body;
    desk->out.body_capacity = sizeof desk->body;
    desk->now_ns = 1000 * NS_PER_S;
    desk->sink = (struct venue_sink){ on_record, desk };
    venue->order->init(desk->session, venue, &desk->table, &desk->account, &desk->key, &wanted, 1);
}

struct desk *desk_make(uint8_t product, const char *symbol, uint8_t key_type, int64_t dead_man_ms)
{
    struct desk *desk = kept(sizeof *desk);
    static const unsigned char seed[32] = { 7 };
    table_one(&desk->table, product, symbol, product == PRODUCT_INVERSE ? 1 : 2,
              product == PRODUCT_INVERSE ? 0 : 3);
    currency_find(&desk->table, "USDT", 4, true);
    currency_find(&desk->table, "BTC", 3, true);
    currency_find(&desk->table, "BNB", 3, true);
    desk->account = (struct account){ .index = 3, .venue = VENUE_BINANCE, .product = product };
    desk->account.dead_man_ms = dead_man_ms;
    if (key_type == SIGN_ED25519) {
        cr_assert(sign_key_ed25519(&desk->key, "the-key", seed));
    } else {
        cr_assert(sign_key_hmac(&desk->key, "the-key", "the-secret", 10));
    }
    desk_begin(desk, &venue_binance);
    return desk;
}

bool desk_step(struct desk *desk)
{
    memset(desk->body, 0, sizeof desk->body);
    bool did = desk->venue->order->step(desk->session, desk->now_ns, WALL_NS, true, &desk->out);
    if (desk->out.act == ACT_REQUEST) {
        desk->out.path[desk->out.path_bytes] = '\0';
    }
    return did;
}

void desk_event(struct desk *desk, enum session_slot slot, enum session_event what)
{
    desk->venue->order->event(desk->session, slot, what, desk->now_ns);
}

void desk_expect_open(struct desk *desk, enum session_slot slot, const char *host, const char *path)
{
    cr_assert(desk_step(desk));
    cr_assert_eq(desk->out.act, ACT_OPEN, "act %d", desk->out.act);
    cr_assert_eq(desk->out.slot, slot);
    cr_assert_str_eq(desk->out.endpoint.host, host);
    cr_assert_str_eq(desk->out.endpoint.path, path);
}

void desk_expect_request(struct desk *desk, const char *method, const char *path_begins)
{
    cr_assert(desk_step(desk), "nothing to do, %s expected", path_begins);
    cr_assert_eq(desk->out.act, ACT_REQUEST, "act %d", desk->out.act);
    cr_assert_str_eq(desk->out.method, method);
    cr_assert_eq(strncmp(desk->out.path, path_begins, strlen(path_begins)), 0, "%s", desk->out.path);
}

void desk_answer(struct desk *desk, int status, const char *body)
{
    int64_t consumed = desk->venue->order->response(desk->session, desk->out.tie, status, body, strlen(body),
                                                    desk->now_ns, WALL_NS, &desk->sink);
    cr_assert_geq(consumed, 0);
}

int64_t desk_hear(struct desk *desk, enum session_slot slot, const char *message)
{
    return desk->venue->order->message(desk->session, slot, message, strlen(message), desk->now_ns, WALL_NS,
                                       &desk->sink, &desk->out);
}

struct record_order *desk_order(struct slot record[2], enum record_type type, uint64_t order, uint64_t tie)
{
    memset(record, 0, 2 * sizeof *record);
    struct record_order *made = (struct record_order *)(void *)record_begin(record, type, 2, 1);
    made->head.instrument = 0;
    made->order = order;
    made->tie = tie;
    return made;
}

bool desk_encode(struct desk *desk, const struct record_order *order)
{
    memset(desk->body, 0, sizeof desk->body);
    bool done = desk->venue->order->encode(desk->session, order, WALL_NS, &desk->out);
    if (done && desk->out.act == ACT_REQUEST) {
        desk->out.path[desk->out.path_bytes] = '\0';
    }
    return done;
}
