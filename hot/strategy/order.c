#include "hot/strategy/order.h"

#define EMPTY                0xff
#define TO(s)                (ORDER_##s + 1)
#define ROW_OF(table, order) ((uint16_t)((order) - (table)->row))

/* Cells hold state + 1, so that a cell nobody wrote is empty.  Timers: deadline_ns of a row (TIMEOUT when a
 * request is in flight, the next QUERY when in doubt), retry_ns (a refused cancel). */
/* clang-format off */
static const uint8_t order_cell[ORDER_STATE_COUNT][ORDER_EVENT_COUNT] = {
    [ORDER_FREE] = {
        [ORDER_EVENT_SEND]        = TO(SENT),
        [ORDER_EVENT_RESTORE]     = TO(UNKNOWN),
    },
    [ORDER_SENT] = {
        [ORDER_EVENT_ACK]         = TO(OPEN),
        [ORDER_EVENT_REJECT]      = TO(DONE),
        [ORDER_EVENT_FILL]        = TO(OPEN),       /* the fill came before its ack */
        [ORDER_EVENT_FILLED]      = TO(DONE),
        [ORDER_EVENT_AMENDED]     = TO(OPEN),       /* its ack was overtaken */
        [ORDER_EVENT_CANCEL]      = TO(CANCELLING),
        [ORDER_EVENT_CANCEL_ACK]  = TO(SENT),       /* somebody else's cancel */
        [ORDER_EVENT_CANCELLED]   = TO(DONE),
        [ORDER_EVENT_EXPIRED]     = TO(DONE),
        [ORDER_EVENT_TIMEOUT]     = TO(UNKNOWN),
        [ORDER_EVENT_DOUBT]       = TO(UNKNOWN),
        [ORDER_EVENT_LINK_LOST]   = TO(UNKNOWN),
        [ORDER_EVENT_STATE_OPEN]  = TO(OPEN),
        [ORDER_EVENT_STATE_FINAL] = TO(DONE),
        [ORDER_EVENT_NOT_FOUND]   = TO(SENT),       /* asked too early by somebody else */
    },
    [ORDER_OPEN] = {
        [ORDER_EVENT_ACK]         = TO(OPEN),
        [ORDER_EVENT_REFUSED]     = TO(OPEN),       /* late answer to a request already settled */
        [ORDER_EVENT_FILL]        = TO(OPEN),
        [ORDER_EVENT_FILLED]      = TO(DONE),
        [ORDER_EVENT_AMEND]       = TO(AMENDING),
        [ORDER_EVENT_AMENDED]     = TO(OPEN),
        [ORDER_EVENT_CANCEL]      = TO(CANCELLING),
        [ORDER_EVENT_CANCEL_ACK]  = TO(OPEN),
        [ORDER_EVENT_CANCELLED]   = TO(DONE),
        [ORDER_EVENT_EXPIRED]     = TO(DONE),
        [ORDER_EVENT_TIMEOUT]     = TO(UNKNOWN),    /* an IOC that never ended */
        [ORDER_EVENT_DOUBT]       = TO(UNKNOWN),
        [ORDER_EVENT_LINK_LOST]   = TO(UNKNOWN),
        [ORDER_EVENT_STATE_OPEN]  = TO(OPEN),
        [ORDER_EVENT_STATE_FINAL] = TO(DONE),
        [ORDER_EVENT_NOT_FOUND]   = TO(UNKNOWN),
    },
    [ORDER_AMENDING] = {
        [ORDER_EVENT_ACK]         = TO(AMENDING),
        [ORDER_EVENT_REFUSED]     = TO(OPEN),
        [ORDER_EVENT_FILL]        = TO(AMENDING),
        [ORDER_EVENT_FILLED]      = TO(DONE),
        [ORDER_EVENT_AMENDED]     = TO(OPEN),
        [ORDER_EVENT_CANCEL]      = TO(CANCELLING),
        [ORDER_EVENT_CANCEL_ACK]  = TO(AMENDING),
        [ORDER_EVENT_CANCELLED]   = TO(DONE),
        [ORDER_EVENT_EXPIRED]     = TO(DONE),
        [ORDER_EVENT_TIMEOUT]     = TO(UNKNOWN),
        [ORDER_EVENT_DOUBT]       = TO(UNKNOWN),
        [ORDER_EVENT_LINK_LOST]   = TO(UNKNOWN),
        [ORDER_EVENT_STATE_OPEN]  = TO(AMENDING),   /* read before or after the amend: cannot be told */
        [ORDER_EVENT_STATE_FINAL] = TO(DONE),
        [ORDER_EVENT_NOT_FOUND]   = TO(UNKNOWN),
    },
    [ORDER_CANCELLING] = {
        [ORDER_EVENT_ACK]         = TO(CANCELLING),
        [ORDER_EVENT_REJECT]      = TO(DONE),       /* cancelled before its refusal was told */
        [ORDER_EVENT_REFUSED]     = TO(OPEN),
        [ORDER_EVENT_FILL]        = TO(CANCELLING), /* a fill while the cancel flies */
        [ORDER_EVENT_FILLED]      = TO(DONE),
        [ORDER_EVENT_AMENDED]     = TO(CANCELLING),
        [ORDER_EVENT_CANCEL]      = TO(CANCELLING),
        [ORDER_EVENT_CANCEL_ACK]  = TO(CANCELLING), /* proves nothing about the final quantity */
        [ORDER_EVENT_CANCELLED]   = TO(DONE),
        [ORDER_EVENT_EXPIRED]     = TO(DONE),
        [ORDER_EVENT_TIMEOUT]     = TO(UNKNOWN),
        [ORDER_EVENT_DOUBT]       = TO(UNKNOWN),
        [ORDER_EVENT_LINK_LOST]   = TO(UNKNOWN),
        [ORDER_EVENT_STATE_OPEN]  = TO(CANCELLING),
        [ORDER_EVENT_STATE_FINAL] = TO(DONE),
        [ORDER_EVENT_NOT_FOUND]   = TO(UNKNOWN),
    },
    [ORDER_UNKNOWN] = {
        [ORDER_EVENT_ACK]         = TO(OPEN),       /* the answer was late, not lost */
        [ORDER_EVENT_REJECT]      = TO(DONE),
        [ORDER_EVENT_REFUSED]     = TO(UNKNOWN),
        [ORDER_EVENT_FILL]        = TO(UNKNOWN),
        [ORDER_EVENT_FILLED]      = TO(DONE),
        [ORDER_EVENT_AMENDED]     = TO(UNKNOWN),
        [ORDER_EVENT_CANCEL]      = TO(UNKNOWN),    /* harmless, and it may be what stops a loss */
        [ORDER_EVENT_CANCEL_ACK]  = TO(UNKNOWN),
        [ORDER_EVENT_CANCELLED]   = TO(DONE),
        [ORDER_EVENT_EXPIRED]     = TO(DONE),
        [ORDER_EVENT_TIMEOUT]     = TO(UNKNOWN),
        [ORDER_EVENT_DOUBT]       = TO(UNKNOWN),
        [ORDER_EVENT_LINK_LOST]   = TO(UNKNOWN),
        [ORDER_EVENT_QUERY]       = TO(QUERIED),
        [ORDER_EVENT_STATE_OPEN]  = TO(OPEN),
        [ORDER_EVENT_STATE_FINAL] = TO(DONE),
        [ORDER_EVENT_NOT_FOUND]   = TO(UNKNOWN),
        [ORDER_EVENT_GONE]        = TO(DONE),
    },
    [ORDER_QUERIED] = {
        [ORDER_EVENT_ACK]         = TO(OPEN),
        [ORDER_EVENT_REJECT]      = TO(DONE),
        [ORDER_EVENT_REFUSED]     = TO(QUERIED),
        [ORDER_EVENT_FILL]        = TO(QUERIED),
        [ORDER_EVENT_FILLED]      = TO(DONE),
        [ORDER_EVENT_AMENDED]     = TO(QUERIED),
        [ORDER_EVENT_CANCEL]      = TO(QUERIED),
        [ORDER_EVENT_CANCEL_ACK]  = TO(QUERIED),
        [ORDER_EVENT_CANCELLED]   = TO(DONE),
        [ORDER_EVENT_EXPIRED]     = TO(DONE),
        [ORDER_EVENT_TIMEOUT]     = TO(UNKNOWN),    /* a failed read resolves nothing: ask again */
        [ORDER_EVENT_DOUBT]       = TO(UNKNOWN),
        [ORDER_EVENT_LINK_LOST]   = TO(UNKNOWN),
        [ORDER_EVENT_QUERY]       = TO(QUERIED),
        [ORDER_EVENT_STATE_OPEN]  = TO(OPEN),
        [ORDER_EVENT_STATE_FINAL] = TO(DONE),
        [ORDER_EVENT_NOT_FOUND]   = TO(UNKNOWN),
        [ORDER_EVENT_GONE]        = TO(DONE),
    },
    [ORDER_DONE] = {                                /* late reports change quantities, never the state */
        [ORDER_EVENT_ACK]         = TO(DONE),
        [ORDER_EVENT_REJECT]      = TO(DONE),
        [ORDER_EVENT_REFUSED]     = TO(DONE),
        [ORDER_EVENT_FILL]        = TO(DONE),
        [ORDER_EVENT_FILLED]      = TO(DONE),
        [ORDER_EVENT_AMENDED]     = TO(DONE),
        [ORDER_EVENT_CANCEL_ACK]  = TO(DONE),
        [ORDER_EVENT_CANCELLED]   = TO(DONE),
        [ORDER_EVENT_EXPIRED]     = TO(DONE),
        [ORDER_EVENT_DOUBT]       = TO(DONE),
        [ORDER_EVENT_LINK_LOST]   = TO(DONE),
        [ORDER_EVENT_QUERY]       = TO(DONE),       /* for the price of what is open */
        [ORDER_EVENT_STATE_OPEN]  = TO(DONE),       /* read before the end was told */
        [ORDER_EVENT_STATE_FINAL] = TO(DONE),
        [ORDER_EVENT_NOT_FOUND]   = TO(DONE),
        [ORDER_EVENT_FORGET]      = TO(FREE),
    },
};

const char *const order_state_names[ORDER_STATE_COUNT] = {
    "free", "sent", "open", "amending", "cancelling", "unknown", "queried", "done",
};

const char *const order_event_names[ORDER_EVENT_COUNT] = {
    "send", "restore", "ack", "reject", "refused", "fill", "filled", "amend", "amended", "cancel", "cancel_ack",
    "cancelled", "expired", "timeout", "doubt", "link_lost", "query", "state_open", "state_final", "not_found",
    "gone", "forget",
};
/* clang-format on */

uint8_t order_next(enum order_state state, enum order_event event)
{
    uint8_t cell = order_cell[state][event];
    return cell == 0 ? EMPTY : (uint8_t)(cell - 1);
}

void order_table_init(struct order_table *table)
{
    memset(table, 0, sizeof *table);
    for (uint32_t i = 0; i < ORDER_MAX; i++) {
        table->row[i].next[0] = i + 1 < ORDER_MAX ? (uint16_t)(i + 1) : ORDER_NONE;
    }
    table->free_head = 0;
    table->free_count = ORDER_MAX;
    table->done_head = ORDER_NONE;
    table->done_tail = ORDER_NONE;
    memset(table->head, 0xff, sizeof table->head);
}

static uint32_t order_hash(uint64_t id)
{
    return (uint32_t)((id * 0x9e3779b97f4a7c15ULL) >> 51) & (ORDER_INDEX_SIZE - 1);
}

/* fetch_row fetches the row that the next order will be written to. */
static void fetch_row(const struct order_table *table)
{
    uint16_t next = table->free_head != ORDER_NONE ? table->free_head : table->done_head;
    if (next != ORDER_NONE) {
        const char *row = (const char *)&table->row[next];
        for (size_t at = 0; at < sizeof(struct order); at += 64) {
            __builtin_prefetch(row + at, 1);
        }
    }
}

static uint32_t index_of(const struct order_table *table, uint64_t id)
{
    uint32_t at = order_hash(id);
    while (table->index[at] != 0 && table->row[table->index[at] - 1].id != id) {
        at = (at + 1) & (ORDER_INDEX_SIZE - 1);
    }
    return at;
}

/* Takes one entry out and moves what collided with it back, so that a search may stop at the first gap. */
static void index_remove(struct order_table *table, uint32_t at)
{
    uint32_t gap = at;
    for (;;) {
        at = (at + 1) & (ORDER_INDEX_SIZE - 1);
        if (table->index[at] == 0) {
            break;
        }
        uint32_t home = order_hash(table->row[table->index[at] - 1].id);
        if (((at - home) & (ORDER_INDEX_SIZE - 1)) >= ((at - gap) & (ORDER_INDEX_SIZE - 1))) {
            table->index[gap] = table->index[at];
            gap = at;
        }
    }
    table->index[gap] = 0;
}

struct order *order_find(struct order_table *table, uint64_t id)
{
    uint32_t at = index_of(table, id);
    return table->index[at] == 0 ? NULL : &table->row[table->index[at] - 1];
}

const struct order *order_find_const(const struct order_table *table, uint64_t id)
{
    uint32_t at = index_of(table, id);
    return table->index[at] == 0 ? NULL : &table->row[table->index[at] - 1];
}

static void list_add(struct order_table *table, int list, uint16_t of, struct order *order)
{
    uint16_t row = ROW_OF(table, order);
    uint16_t head = table->head[list][of];
    order->next[list] = head;
    order->prev[list] = ORDER_NONE;
    if (head != ORDER_NONE) {
        table->row[head].prev[list] = row;
    }
    table->head[list][of] = row;
}

static void list_remove(struct order_table *table, int list, uint16_t of, struct order *order)
{
    if (order->prev[list] == ORDER_NONE) {
        table->head[list][of] = order->next[list];
    } else {
        table->row[order->prev[list]].next[list] = order->next[list];
    }
    if (order->next[list] != ORDER_NONE) {
        table->row[order->next[list]].prev[list] = order->prev[list];
    }
}

static void done_append(struct order_table *table, struct order *order)
{
    uint16_t row = ROW_OF(table, order);
    order->next[0] = ORDER_NONE;
    order->prev[0] = table->done_tail;
    if (table->done_tail == ORDER_NONE) {
        table->done_head = row;
    } else {
        table->row[table->done_tail].next[0] = row;
    }
    table->done_tail = row;
    table->done++;
}

static void done_remove(struct order_table *table, struct order *order)
{
    if (order->prev[0] == ORDER_NONE) {
        table->done_head = order->next[0];
    } else {
        table->row[order->prev[0]].next[0] = order->next[0];
    }
    if (order->next[0] == ORDER_NONE) {
        table->done_tail = order->prev[0];
    } else {
        table->row[order->next[0]].prev[0] = order->prev[0];
    }
    table->done--;
}

/* The oldest finished row gives way; one that waits for a price only when many newer ones wait as well. */
static void make_room(struct order_table *table)
{
    for (uint32_t tries = 0; tries < 8 && table->done_head != ORDER_NONE; tries++) {
        struct order *oldest = &table->row[table->done_head];
        if (oldest->open_qty != 0 && tries < 7) {
            done_remove(table, oldest);
            done_append(table, oldest);
            continue;
        }
        order_step(table, oldest, ORDER_EVENT_FORGET);
        return;
    }
}

struct order *order_take(struct order_table *table, uint64_t id)
{
    if (id == 0 || table->live >= ORDER_LIVE_MAX) {
        return NULL;
    }
    if (table->free_count == 0) {
        make_room(table);
    }
    uint32_t at = index_of(table, id);
    if (table->free_head == ORDER_NONE || table->index[at] != 0) {
        return NULL;
    }
    uint16_t row = table->free_head;
    struct order *order = &table->row[row];
    table->free_head = order->next[0];
    table->free_count--;
    memset(order, 0, sizeof *order);
    order->id = id;
    table->index[at] = (uint16_t)(row + 1);
    fetch_row(table);
    return order;
}

static void enter_live(struct order_table *table, struct order *order)
{
    table->live++;
    table->live_of_account[order->account]++;
    list_add(table, 0, order->slot, order);
    list_add(table, 1, order->instrument, order);
}

static void leave_live(struct order_table *table, struct order *order)
{
    table->live--;
    table->live_of_account[order->account]--;
    list_remove(table, 0, order->slot, order);
    list_remove(table, 1, order->instrument, order);
}

bool order_step(struct order_table *table, struct order *order, enum order_event event)
{
    uint8_t cell = order_cell[order->state][event];
    if (cell == 0) {
        table->refused++;
        table->refused_state = order->state;
        table->refused_event = (uint8_t)event;
        return false;
    }
    uint8_t from = order->state;
    uint8_t to = (uint8_t)(cell - 1);
    if (from == to) {
        return true;
    }
    bool was_live = order_is_live(order);
    bool was_in_doubt = order_in_doubt(order);
    order->state = to;
    bool live = order_is_live(order);
    bool in_doubt = order_in_doubt(order);

    if (in_doubt != was_in_doubt) {
        uint16_t step = in_doubt ? 1 : UINT16_MAX;
        table->unknown[order->instrument] = (uint16_t)(table->unknown[order->instrument] + step);
        table->unknown_count = table->unknown_count + (in_doubt ? 1 : UINT32_MAX);
    }
    if (live && !was_live) {
        enter_live(table, order);
    } else if (!live && was_live) {
        leave_live(table, order);
    }
    if (to == ORDER_DONE) {
        order->deadline_ns = 0;
        done_append(table, order);
    } else if (to == ORDER_FREE) {
        done_remove(table, order);
        index_remove(table, index_of(table, order->id));
        uint16_t row = ROW_OF(table, order);
        memset(order, 0, sizeof *order);
        order->next[0] = table->free_head;
        table->free_head = row;
        table->free_count++;
    }
    return true;
}

void order_check(const struct order_table *table, const struct order *order)
{
    POISE_ASSERT(order->state < ORDER_STATE_COUNT);
    if (order->state == ORDER_FREE) {
        POISE_ASSERT(order->id == 0);
        return;
    }
    POISE_ASSERT(order->id != 0 && order_find_const(table, order->id) == order);
    POISE_ASSERT(order->qty > 0 && order->filled >= 0);
    POISE_ASSERT(order->open_qty >= 0 && order->open_qty <= order->filled);
    POISE_ASSERT(order->open_named >= 0 && order->open_named <= order->open_qty);
    switch ((enum order_state)order->state) {
    case ORDER_SENT:
    case ORDER_AMENDING:
    case ORDER_CANCELLING:
    case ORDER_QUERIED:
        POISE_ASSERT(order->deadline_ns != 0); /* no request waits for ever */
        break;
    case ORDER_UNKNOWN:
        POISE_ASSERT(table->unknown[order->instrument] > 0);
        break;
    case ORDER_DONE:
        POISE_ASSERT(order->deadline_ns == 0);
        break;
    case ORDER_OPEN:
    case ORDER_FREE:
    case ORDER_STATE_COUNT:
        break;
    }
}
