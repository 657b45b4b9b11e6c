#include "venues/deribit/quick.h"
#include "venues/deribit/session.h"

#include <string.h>

#define HELD_MAX 12 /* records: a trade is one, an order at most two */

/* In the order in which they are told. */
enum { HELD_TRADES, HELD_ORDERS, HELD_POSITIONS, HELD_PARTS };

struct walk {
    struct scan scan;
    struct deribit_reader reader; /* emits to hold */
    struct venue_sink sink;
    uint8_t part; /* what is being read */
    bool full;
    uint32_t count;
    uint8_t part_of[HELD_MAX];
    struct slot record[HELD_MAX][3];
};

static void hold(void *context, const struct slot *record)
{
    struct walk *walk = context;
    if (walk->count == HELD_MAX) {
        walk->full = true;
        return;
    }
    walk->part_of[walk->count] = walk->part;
    memcpy(walk->record[walk->count++], record, record_head_of(record)->slot_count * sizeof *record);
}

/* name_of answers which of the names a key is, `count` for none; a name that was seen before is none. */
static uint32_t name_of(const struct scan_value *key, const struct scan_name *names, uint32_t count,
                        uint32_t *seen)
{
    for (uint32_t i = 0; i < count; i++) {
        if (key->bytes == names[i].bytes && memcmp(key->at, names[i].text, key->bytes) == 0) {
            bool again = (*seen >> i & 1) != 0;
            *seen |= 1u << i;
            return again ? count : i;
        }
    }
    return count;
}

static bool list(struct walk *walk, uint8_t part, enum deribit_shape shape)
{
    walk->part = part;
    scan_array(&walk->scan);
    while (scan_item(&walk->scan)) {
        if (!deribit_take(&walk->reader, &walk->scan, shape)) {
            return false;
        }
    }
    return walk->scan.state == SCAN_FINE;
}

enum { CHANGE_INSTRUMENT, CHANGE_TRADES, CHANGE_ORDERS, CHANGE_POSITIONS, CHANGE_COUNT };
static const struct scan_name change_names[CHANGE_COUNT] = {
    [CHANGE_INSTRUMENT] = SCAN_NAME("instrument_name"),
    [CHANGE_TRADES] = SCAN_NAME("trades"),
    [CHANGE_ORDERS] = SCAN_NAME("orders"),
    [CHANGE_POSITIONS] = SCAN_NAME("positions"),
};

static bool changes(struct walk *walk)
{
    struct scan_value key, ignored;
    uint32_t seen = 0;
    bool sound = scan_object(&walk->scan);
    while (sound && scan_key(&walk->scan, &key)) {
        switch (name_of(&key, change_names, CHANGE_COUNT, &seen)) {
        case CHANGE_INSTRUMENT:
            sound = scan_take(&walk->scan, &ignored);
            break;
        case CHANGE_TRADES:
            sound = list(walk, HELD_TRADES, SHAPE_TRADE);
            break;
        case CHANGE_ORDERS:
            sound = list(walk, HELD_ORDERS, SHAPE_ORDER);
            break;
        case CHANGE_POSITIONS:
            sound = list(walk, HELD_POSITIONS, SHAPE_POSITION);
            break;
        default:
            sound = false;
            break;
        }
    }
    return sound && (seen & (1u << CHANGE_ORDERS | 1u << CHANGE_POSITIONS)) != 0;
}

enum { PLACED_ORDER, PLACED_TRADES, PLACED_COUNT };
static const struct scan_name placed_names[PLACED_COUNT] = {
    [PLACED_ORDER] = SCAN_NAME("order"),
    [PLACED_TRADES] = SCAN_NAME("trades"),
};

/* An order and its executions.  One that yields nothing says nothing of the outcome: order.c knows what that
 * means. */
static bool placed(struct walk *walk)
{
    struct scan_value key;
    uint32_t seen = 0;
    bool sound = scan_object(&walk->scan);
    while (sound && scan_key(&walk->scan, &key)) {
        switch (name_of(&key, placed_names, PLACED_COUNT, &seen)) {
        case PLACED_ORDER:
            walk->part = HELD_ORDERS;
            sound = deribit_take(&walk->reader, &walk->scan, SHAPE_ORDER);
            break;
        case PLACED_TRADES:
            sound = list(walk, HELD_TRADES, SHAPE_TRADE);
            break;
        default:
            sound = false;
            break;
        }
    }
    return sound && (seen & 1u << PLACED_ORDER) != 0 && walk->count > 0;
}

enum { TOLD_CHANNEL, TOLD_DATA, TOLD_COUNT };
static const struct scan_name told_names[TOLD_COUNT] = {
    [TOLD_CHANNEL] = SCAN_NAME("channel"),
    [TOLD_DATA] = SCAN_NAME("data"),
};

static bool told(struct walk *walk)
{
    static const char changed[] = "user.changes.";
    struct scan_value key, channel;
    uint32_t seen = 0;
    bool sound = scan_object(&walk->scan);
    while (sound && scan_key(&walk->scan, &key)) {
        switch (name_of(&key, told_names, TOLD_COUNT, &seen)) {
        case TOLD_CHANNEL:
            sound = scan_take(&walk->scan, &channel) && channel.type == SCAN_STRING &&
                    channel.bytes >= sizeof changed - 1 &&
                    memcmp(channel.at, changed, sizeof changed - 1) == 0;
            break;
        case TOLD_DATA:
            sound = (seen & 1u << TOLD_CHANNEL) != 0 && changes(walk);
            break;
        default:
            sound = false;
            break;
        }
    }
    return sound && (seen & 1u << TOLD_DATA) != 0;
}

enum {
    MESSAGE_VERSION,
    MESSAGE_ID,
    MESSAGE_METHOD,
    MESSAGE_PARAMS,
    MESSAGE_RESULT,
    MESSAGE_IN,
    MESSAGE_OUT,
    MESSAGE_TOOK,
    MESSAGE_TESTNET,
    MESSAGE_COUNT
};
static const struct scan_name message_names[MESSAGE_COUNT] = {
    [MESSAGE_VERSION] = SCAN_NAME("jsonrpc"), [MESSAGE_ID] = SCAN_NAME("id"),
    [MESSAGE_METHOD] = SCAN_NAME("method"),   [MESSAGE_PARAMS] = SCAN_NAME("params"),
    [MESSAGE_RESULT] = SCAN_NAME("result"),   [MESSAGE_IN] = SCAN_NAME("usIn"),
    [MESSAGE_OUT] = SCAN_NAME("usOut"),       [MESSAGE_TOOK] = SCAN_NAME("usDiff"),
    [MESSAGE_TESTNET] = SCAN_NAME("testnet"),
};

/* What a message has when it is one or the other. */
#define TOLD_HAS   (1u << MESSAGE_METHOD | 1u << MESSAGE_PARAMS)
#define ANSWER_HAS (1u << MESSAGE_ID | 1u << MESSAGE_RESULT)
#define EITHER_HAS (TOLD_HAS | ANSWER_HAS)

static bool message(struct walk *walk)
{
    struct scan_value key, value;
    uint32_t seen = 0;
    bool sound = scan_object(&walk->scan);
    while (sound && scan_key(&walk->scan, &key)) {
        switch (name_of(&key, message_names, MESSAGE_COUNT, &seen)) {
        case MESSAGE_ID:
            sound = scan_take(&walk->scan, &value) && deribit_answers(&walk->reader, &value) &&
                    (walk->reader.tie & SESSION_TIE) == 0 &&
                    (walk->reader.request == REQUEST_NEW || walk->reader.request == REQUEST_AMEND);
            break;
        case MESSAGE_METHOD:
            sound = scan_take(&walk->scan, &value) && scan_is(&value, "subscription");
            break;
        case MESSAGE_PARAMS:
            sound = (seen & EITHER_HAS) == TOLD_HAS && told(walk);
            break;
        case MESSAGE_RESULT:
            sound = (seen & EITHER_HAS) == ANSWER_HAS && placed(walk);
            break;
        case MESSAGE_COUNT:
            sound = false;
            break;
        default:
            sound = scan_take(&walk->scan, &value);
            break;
        }
    }
    return sound && ((seen & EITHER_HAS) == TOLD_HAS || (seen & EITHER_HAS) == ANSWER_HAS);
}

int64_t deribit_quick(const struct deribit_reader *reader, const char *bytes, size_t count)
{
    struct walk walk;
    if (reader->hooks != NULL || memchr(bytes, '\\', count) != NULL) {
        return DERIBIT_QUICK_NOT_MINE;
    }
    scan_open(&walk.scan, bytes, count);
    walk.sink = (struct venue_sink){ hold, &walk };
    walk.reader = *reader;
    walk.reader.sink = &walk.sink;
    walk.full = false;
    walk.count = 0;
    if (!message(&walk)) {
        return DERIBIT_QUICK_NOT_MINE;
    }
    int64_t consumed = scan_finish(&walk.scan);
    if (consumed <= 0 || walk.full) {
        return DERIBIT_QUICK_NOT_MINE;
    }
    for (uint8_t part = 0; part < HELD_PARTS; part++) {
        for (uint32_t i = 0; i < walk.count; i++) {
            if (walk.part_of[i] == part) {
                reader->sink->emit(reader->sink->context, walk.record[i]);
            }
        }
    }
    return consumed;
}
