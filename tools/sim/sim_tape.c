#include "tools/sim/sim_tape.h"

#include "tools/sim/model/sim_book.h"
#include "tools/sim/model/sim_decimal.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#define LINE_BYTES (4u << 20)

struct loader {
    struct sim_tape *tape;
    const struct sim_instrument *instrument;
    int index;
    size_t event_capacity;
    size_t level_capacity;
    size_t *first_level; /* per event: pointers into level[] are only made when it no longer moves */
    size_t first_capacity;
};

static void *grow(void *memory, size_t *capacity, size_t need, size_t size)
{
    if (need <= *capacity) {
        return memory;
    }
    *capacity = *capacity * 2 < need ? need + 1024 : *capacity * 2;
    memory = realloc(memory, *capacity * size);
    if (memory == NULL) {
        abort();
    }
    return memory;
}

static bool decimal(const json_t *value, int decimals, int64_t *units)
{
    return json_is_string(value) && sim_decimal_parse(json_string_value(value), json_string_length(value),
                                                      decimals, units) == SIM_DECIMAL_OK;
}

static bool add_level(struct loader *loader, const json_t *price, const json_t *qty)
{
    struct sim_tape *tape = loader->tape;
    struct sim_level level;

    if (!decimal(price, loader->instrument->price_decimals, &level.price) ||
        !decimal(qty, loader->instrument->qty_decimals, &level.qty)) {
        return false;
    }
    tape->level = grow(tape->level, &loader->level_capacity, tape->level_count + 1, sizeof *tape->level);
    tape->level[tape->level_count++] = level;
    return true;
}

static bool add_side(struct loader *loader, const json_t *side, uint32_t *count)
{
    size_t i;
    json_t *pair;

    if (!json_is_array(side)) {
        return false;
    }
    json_array_foreach(side, i, pair)
    {
        if (!add_level(loader, json_array_get(pair, 0), json_array_get(pair, 1))) {
            return false;
        }
        ++*count;
    }
    return true;
}

static int64_t integer(const json_t *object, const char *key)
{
    return (int64_t)json_integer_value(json_object_get(object, key));
}

/* understand turns one frame into an event; keep is cleared for frames that are no part of a market. */
static bool understand(struct loader *loader, const json_t *root, struct sim_tape_event *event, bool *keep)
{
    const json_t *data = json_object_get(root, "data");
    const json_t *frame = data != NULL ? data : root;
    const char *kind = json_string_value(json_object_get(frame, "e"));

    event->stamp_ms = integer(frame, json_object_get(frame, "T") != NULL ? "T" : "E");
    if (json_object_get(frame, "lastUpdateId") != NULL && json_object_get(frame, "bids") != NULL) {
        event->kind = SIM_TAPE_SNAPSHOT;
        event->u = integer(frame, "lastUpdateId");
        return add_side(loader, json_object_get(frame, "bids"), &event->bid_count) &&
               add_side(loader, json_object_get(frame, "asks"), &event->ask_count);
    }
    if (kind != NULL && strcmp(kind, "depthUpdate") == 0) {
        event->kind = SIM_TAPE_DEPTH;
        event->first_u = integer(frame, "U");
        event->u = integer(frame, "u");
        event->pu = integer(frame, "pu");
        return add_side(loader, json_object_get(frame, "b"), &event->bid_count) &&
               add_side(loader, json_object_get(frame, "a"), &event->ask_count);
    }
    if (kind != NULL && strcmp(kind, "trade") == 0) {
        const char *where = json_string_value(json_object_get(frame, "X"));

        event->kind = SIM_TAPE_TRADE;
        event->trade_id = integer(frame, "t");
        event->buyer_is_maker = json_is_true(json_object_get(frame, "m"));
        event->bid_count = 1;
        if (!add_level(loader, json_object_get(frame, "p"), json_object_get(frame, "q"))) {
            return false;
        }
        /* Off-book prints (insurance fund, deleveraging) and empty ones move no queue. */
        *keep = (where == NULL || strcmp(where, "MARKET") == 0) &&
                loader->tape->level[loader->tape->level_count - 1].qty > 0;
        return true;
    }
    if (json_object_get(frame, "B") != NULL && json_object_get(frame, "A") != NULL) {
        event->kind = SIM_TAPE_TOP;
        event->u = integer(frame, "u");
        event->bid_count = event->ask_count = 1;
        return add_level(loader, json_object_get(frame, "b"), json_object_get(frame, "B")) &&
               add_level(loader, json_object_get(frame, "a"), json_object_get(frame, "A"));
    }
    *keep = false;
    return true;
}

static bool add_line(struct loader *loader, const char *line, size_t length)
{
    struct sim_tape *tape = loader->tape;
    struct sim_tape_event event = { .instrument = loader->index };
    char *end = NULL;
    bool keep = true;

    event.recv_ns = strtoll(line, &end, 10);
    if (end == line || *end != ' ') {
        return false;
    }
    json_t *root = json_loadb(end + 1, length - (size_t)(end + 1 - line), 0, NULL);
    size_t first = tape->level_count;
    bool good = root != NULL && understand(loader, root, &event, &keep);

    json_decref(root);
    if (!good) {
        return false;
    }
    if (tape->first_ns == 0) {
        tape->first_ns = event.recv_ns;
    }
    tape->last_ns = event.recv_ns;
    if (!keep) {
        tape->level_count = first;
        return true;
    }
    tape->event = grow(tape->event, &loader->event_capacity, tape->count + 1, sizeof *tape->event);
    loader->first_level =
        grow(loader->first_level, &loader->first_capacity, tape->count + 1, sizeof *loader->first_level);
    loader->first_level[tape->count] = first;
    tape->event[tape->count++] = event;
    return true;
}

/* link drops what the snapshot already contains, puts it first, and counts gaps. */
static bool link_frames(struct sim_tape *tape, bool spot)
{
    size_t at = 0;

    while (at < tape->count && tape->event[at].kind != SIM_TAPE_SNAPSHOT) {
        at++;
    }
    if (at == tape->count) {
        return false;
    }
    struct sim_tape_event *linked = malloc(tape->count * sizeof *linked);
    struct sim_tape_event snapshot = tape->event[at];
    size_t count = 0;
    int64_t last_u = snapshot.u;
    bool first = true;

    if (linked == NULL) {
        abort();
    }
    linked[count++] = snapshot;
    for (size_t i = 0; i < tape->count; i++) {
        struct sim_tape_event event = tape->event[i];

        if (event.kind == SIM_TAPE_SNAPSHOT || (event.kind == SIM_TAPE_TOP && event.u <= snapshot.u) ||
            (event.kind == SIM_TAPE_TRADE && i < at)) {
            continue;
        }
        if (event.kind == SIM_TAPE_DEPTH) {
            if (spot ? event.u <= snapshot.u : event.u < snapshot.u) {
                tape->dropped++;
                continue;
            }
            bool follows = first  ? event.first_u <= last_u + 1 || event.pu == last_u
                           : spot ? event.first_u == last_u + 1
                                  : event.pu == last_u;
            tape->gaps += !follows;
            first = false;
            last_u = event.u;
        }
        if (event.kind == SIM_TAPE_TRADE && tape->first_trade_id == 0) {
            tape->first_trade_id = event.trade_id;
        }
        if (event.recv_ns < snapshot.recv_ns) {
            event.recv_ns = snapshot.recv_ns;
        }
        linked[count++] = event;
    }
    free(tape->event);
    tape->event = linked;
    tape->count = count;
    return true;
}

bool sim_tape_load(struct sim_tape *tape, const char *path, const struct sim_instrument *instrument,
                   int index, char *error, size_t error_size)
{
    struct loader loader = { .tape = tape, .instrument = instrument, .index = index };
    gzFile file = gzopen(path, "rb");
    char *line = malloc(LINE_BYTES);
    size_t number = 0;
    bool good = file != NULL && line != NULL;

    memset(tape, 0, sizeof *tape);
    if (!good) {
        snprintf(error, error_size, "%s: cannot be opened", path);
    }
    while (good && gzgets(file, line, LINE_BYTES) != NULL) {
        size_t length = strlen(line);

        number++;
        while (length > 0 && (line[length - 1] == '\n' || line[length - 1] == '\r')) {
            length--;
        }
        if (length > 0 && !add_line(&loader, line, length)) {
            snprintf(error, error_size, "%s:%zu: not a frame of %s with %d price and %d quantity decimals",
                     path, number, instrument->symbol, instrument->price_decimals, instrument->qty_decimals);
            good = false;
        }
    }
    if (good && tape->count == 0) {
        snprintf(error, error_size, "%s: empty", path);
        good = false;
    }
    for (size_t i = 0; good && i < tape->count; i++) {
        tape->event[i].levels = tape->level + loader.first_level[i];
    }
    if (good && !link_frames(tape, instrument->kind == SIM_SPOT)) {
        snprintf(error, error_size, "%s: no depth snapshot in it", path);
        good = false;
    }
    free(loader.first_level);
    free(line);
    if (file != NULL) {
        gzclose(file);
    }
    if (!good) {
        sim_tape_free(tape);
    }
    return good;
}

/* --- a coarser tick --------------------------------------------------------------------------------- */

struct coarse {
    struct sim_book fine; /* the recording's own book, followed while it is rewritten */
    struct sim_level *level;
    size_t count, capacity;
    int64_t tick, multiple;
};

static int64_t onto(const struct coarse *coarse, int side, int64_t price)
{
    return side == SIM_BUY ? price / coarse->tick * coarse->tick
                           : (price + coarse->tick - 1) / coarse->tick * coarse->tick;
}

/* in_bucket sums the fine sizes that fall on a coarse price: of all, or only those worse than the touch. */
static int64_t in_bucket(const struct coarse *coarse, int side, int64_t price, const struct sim_level *touch)
{
    int64_t sum = touch == NULL ? 0 : touch->qty;

    for (int64_t k = 0; k < coarse->tick; k++) {
        int64_t fine = side == SIM_BUY ? price + k : price - k;
        if (touch == NULL || sim_book_better(side, touch->price, fine)) {
            sum += sim_book_ladder_size(&coarse->fine, side, fine);
        }
    }
    return sum * coarse->multiple;
}

static void put(struct coarse *coarse, int64_t price, int64_t qty)
{
    coarse->level = grow(coarse->level, &coarse->capacity, coarse->count + 1, sizeof *coarse->level);
    coarse->level[coarse->count++] = (struct sim_level){ price, qty };
}

/* put_side writes the coarse prices that a frame touches, each once, with what is there now. */
static uint32_t put_side(struct coarse *coarse, int side, const struct sim_level *level, uint32_t count)
{
    size_t first = coarse->count;

    for (uint32_t i = 0; i < count; i++) {
        int64_t price = onto(coarse, side, level[i].price);
        bool had = false;

        /* Frames and snapshots come sorted: equal prices are neighbours, but a few steps back costs little.
         */
        for (size_t k = coarse->count; k > first && k + 8 > coarse->count && !had; k--) {
            had = coarse->level[k - 1].price == price;
        }
        if (!had) {
            put(coarse, price, in_bucket(coarse, side, price, NULL));
        }
    }
    return (uint32_t)(coarse->count - first);
}

void sim_tape_coarsen(struct sim_tape *tape, int64_t tick, int64_t multiple)
{
    struct coarse coarse = { .tick = tick, .multiple = multiple };
    size_t *first = malloc((tape->count + 1) * sizeof *first);

    if (first == NULL) {
        abort();
    }
    for (size_t i = 0; i < tape->count; i++) {
        struct sim_tape_event *event = &tape->event[i];
        const struct sim_level *level = event->levels;

        first[i] = coarse.count;
        switch (event->kind) {
        case SIM_TAPE_SNAPSHOT:
        case SIM_TAPE_DEPTH:
            if (event->kind == SIM_TAPE_SNAPSHOT) {
                sim_book_snapshot(&coarse.fine, event);
            } else {
                sim_book_depth(&coarse.fine, event);
            }
            uint32_t bids = put_side(&coarse, SIM_BUY, level, event->bid_count);
            event->ask_count = put_side(&coarse, SIM_SELL, level + event->bid_count, event->ask_count);
            event->bid_count = bids;
            break;
        case SIM_TAPE_TOP:
            for (int side = 0; side < 2; side++) {
                int64_t price = onto(&coarse, side, level[side].price);
                put(&coarse, price, in_bucket(&coarse, side, price, &level[side]));
            }
            break;
        case SIM_TAPE_TRADE:
            put(&coarse, onto(&coarse, event->buyer_is_maker ? SIM_BUY : SIM_SELL, level->price),
                level->qty * multiple);
            break;
        case SIM_TAPE_END:
            break;
        }
    }
    for (size_t i = 0; i < tape->count; i++) {
        tape->event[i].levels = coarse.level + first[i];
    }
    free(first);
    free(tape->level);
    tape->level = coarse.level;
    tape->level_count = coarse.count;
    sim_book_free(&coarse.fine);
}

void sim_tape_free(struct sim_tape *tape)
{
    free(tape->event);
    free(tape->level);
    memset(tape, 0, sizeof *tape);
}
