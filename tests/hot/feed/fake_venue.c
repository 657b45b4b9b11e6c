#include "tests/hot/feed/fake_venue.h"

#include <stdio.h>
#include <string.h>

uint32_t fake_subscribe_steps = 1;

void fake_table(struct instrument_table *table, uint32_t count)
{
    instrument_table_reset(table);
    for (uint32_t i = 0; i < count; i++) {
        struct instrument row = { .venue = VENUE_BINANCE,
                                  .product = PRODUCT_LINEAR,
                                  .kind = KIND_LINEAR_PERPETUAL,
                                  .status = INSTRUMENT_TRADING,
                                  .tick = 1,
                                  .lot = 1 };
        snprintf(row.name, sizeof row.name, "fake.linear.C%u", i);
        snprintf(row.symbol, sizeof row.symbol, "C%u", i);
        instrument_add(table, &row);
    }
}

/* Two connections, both carrying every instrument: books on one, marks on the other. */
static uint32_t plan(const struct instrument_table *instruments, const uint16_t *wanted,
                     uint32_t wanted_count, struct feed_connection *out, uint32_t max)
{
    (void)instruments;
    (void)max;
    for (uint32_t i = 0; i < 2; i++) {
        memset(&out[i], 0, sizeof out[i]);
        out[i].endpoint.transport = TRANSPORT_WS;
        out[i].endpoint.port = 443;
        strcpy(out[i].endpoint.host, i == 0 ? "books" : "marks");
        strcpy(out[i].endpoint.path, "/ws");
        out[i].channel = (uint8_t)i;
        out[i].send_pause_ms = 125;
        out[i].instrument_count = wanted_count;
        memcpy(out[i].instrument, wanted, wanted_count * sizeof *wanted);
    }
    return 2;
}

static size_t subscribe(const struct instrument_table *instruments, const struct feed_connection *connection,
                        uint32_t step, int64_t wall_ns, char *out, size_t capacity)
{
    (void)instruments;
    (void)wall_ns;
    return step < fake_subscribe_steps
               ? (size_t)snprintf(out, capacity, "subscribe %s %u", connection->endpoint.host, step)
               : 0;
}

static int64_t parse(struct feed_parser *parser, const char *bytes, size_t count, feed_sink sink,
                     void *context)
{
    struct fake_wire wire;
    if (count < offsetof(struct fake_wire, level) || count > sizeof wire) {
        return PARSE_BROKEN;
    }
    memcpy(&wire, bytes, count);
    if (wire.magic != FAKE_WIRE_MAGIC) {
        return PARSE_BROKEN;
    }
    memcpy(parser->levels, wire.level, sizeof wire.level);
    wire.event.bids = parser->levels;
    wire.event.asks = parser->levels + wire.event.bid_count;
    if (parser->reply_instrument != NO_INSTRUMENT) {
        wire.event.instrument = parser->reply_instrument;
    }
    sink(context, &wire.event);
    return (int64_t)count;
}

static bool snapshot(const struct instrument *instrument, struct venue_out *out)
{
    out->act = ACT_REQUEST;
    out->weight = 20;
    out->method = "GET";
    out->body_bytes = out->header_bytes = 0;
    out->endpoint.transport = TRANSPORT_HTTP;
    out->endpoint.port = 443;
    strcpy(out->endpoint.host, "rest");
    out->endpoint.path[0] = 0;
    out->path_bytes = (uint32_t)snprintf(out->path, sizeof out->path, "/depth?symbol=%s", instrument->symbol);
    return true;
}

static enum book_link link_of(uint8_t product, uint64_t at, bool first, const struct feed_event *event)
{
    (void)product;
    if (event->previous == at) {
        return BOOK_LINK_APPLY;
    }
    if (first) {
        return event->last < at ? BOOK_LINK_DROP : event->first <= at ? BOOK_LINK_APPLY : BOOK_LINK_GAP;
    }
    return event->last <= at ? BOOK_LINK_DROP : BOOK_LINK_GAP;
}

static const struct venue_feed fake_feed = {
    .plan = plan,
    .subscribe = subscribe,
    .parse = parse,
    .snapshot = snapshot,
    .link = link_of,
};

const struct venue fake_venue = {
    .name = "fake",
    .id = VENUE_BINANCE,
    .feed = &fake_feed,
};
