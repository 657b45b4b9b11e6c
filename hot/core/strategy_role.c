#include "hot/core/strategy_role.h"
#include "ring/clock.h"

/* What one turn takes from one source at most: a burst on one feed must not keep a fill waiting long. */
enum { REPORTS_PER_TURN = 64, CONTROL_PER_TURN = 64, FEED_PER_TURN = 8 };

/* How many turns in a row may end behind a hedge that was passed on: feeds wait meanwhile. */
enum { RUSHES_MOST = 16 };

/* Two readings of the counter cost as much as a step that changes nothing, so one step in seven is timed: a
 * prime, so that no rhythm of records is always or never looked at. */
enum { STEPS_A_SAMPLE = 7 };

void strategy_role_init(struct strategy_role *role, struct strategy *strategy, struct outbox *outbox,
                        struct topology *topology, struct spsc *journal, uint64_t clock_tick_ns,
                        struct counters *counters, uint32_t writer)
{
    memset(role, 0, sizeof *role);
    role->strategy = strategy;
    role->outbox = outbox;
    role->topology = topology;
    role->journal = journal;
    role->clock_tick_ns = clock_tick_ns;
    role->records = counters_add(counters, writer, "strategy.records", COUNTER_SUM);
    role->orders = counters_add(counters, writer, "strategy.orders", COUNTER_SUM);
    role->busy = counters_add(counters, writer, "strategy.busy_turns", COUNTER_SUM);
    role->turns = counters_add(counters, writer, "strategy.turns", COUNTER_SUM);
    role->hold_count = counters_add(counters, writer, "strategy.order_ring_held", COUNTER_SUM);
    role->skip_count = counters_add(counters, writer, "strategy.feed_turns_skipped", COUNTER_SUM);
    role->journal_free = counters_add(counters, writer, "strategy.journal_free_slots", COUNTER_GAUGE);
    role->step_ns = counters_add_histogram(counters, "strategy.step_ns");
    outbox->used = 0;
    outbox->records = 0;
}

/* The journal's reserve is spent, so nothing can be promised any more: gateways cancel from their own
 * tables, and the strategy is not asked again. */
static void give_up(struct strategy_role *role)
{
    role->failed = true;
    /* edge E */
    atomic_store_explicit(&role->topology->emergency, 1, memory_order_release);
}

static inline bool journal_write(struct strategy_role *role, const struct slot *record, uint8_t flag)
{
    if (role->journal == NULL) {
        return true;
    }
    struct slot *to = spsc_claim(role->journal, record_head_of(record)->slot_count);
    if (POISE_UNLIKELY(to == NULL)) {
        give_up(role);
        return false;
    }
    record_copy(to, record);
    record_head_of(to)->flags |= flag;
    spsc_commit(role->journal);
    return true;
}

/* Feeds may use three quarters of the journal; the rest is for orders, reports and cancels. */
static bool journal_has_room_for_feeds(struct strategy_role *role)
{
    struct spsc *ring = role->journal;
    if (ring == NULL) {
        return true;
    }
    uint64_t reserve = ring->count / 4;
    return ring->count - (ring->head - ring->credit) > reserve + 4 * RECORD_SLOTS_MAX ||
           spsc_free(ring) > reserve + 4 * RECORD_SLOTS_MAX;
}

static bool is_order(uint8_t type)
{
    return type >= RECORD_ORDER_NEW && type <= RECORD_CANCEL_ALL;
}

/* Passes on what the strategy said, from role->held on; false when an order ring is full: the rest is
 * held, and nothing more is consumed until it went out. */
static bool pass_on(struct strategy_role *role)
{
    struct outbox *outbox = role->outbox;
    bool first = true;
    while (role->held < outbox->used) {
        const struct slot *record = &outbox->slots[role->held];
        const struct record_head *head = record_head_of(record);
        if (is_order(head->type)) {
            POISE_ASSERT(head->account < role->topology->gateway_count);
            if (!channel_send(&role->topology->order[head->account], record)) {
                counter_add(role->hold_count, 1);
                return false;
            }
            counter_add(role->orders, 1);
            if (first) {
                role->urgent = head->account;
                first = false;
            }
            role->sent = true;
        }
        role->held += head->slot_count;
    }
    outbox->used = 0;
    outbox->records = 0;
    role->held = 0;
    return true;
}

/* What was said is journaled, then passed on. */
static bool answer(struct strategy_role *role)
{
    for (uint32_t at = 0; at < role->outbox->used;) {
        const struct slot *said = &role->outbox->slots[at];
        if (!journal_write(role, said, RECORD_FLAG_OUT)) {
            return false;
        }
        at += record_head_of(said)->slot_count;
    }
    return pass_on(role);
}

static bool finish(struct strategy_role *role)
{
    role->rest = false;
    strategy_finish(role->strategy, role->outbox);
    return role->outbox->used == 0 || answer(role);
}

/* One record: journaled, consumed, its answers journaled, its orders passed on.  When a hedge went out and
 * quotes are left to look at, the turn ends: the gateway sends it first. */
static bool consume(struct strategy_role *role, const struct slot *record)
{
    if (!journal_write(role, record, 0)) {
        return false;
    }
    bool timed = role->untimed == 0;
    role->untimed = timed ? STEPS_A_SAMPLE - 1 : role->untimed - 1;
    uint64_t begin = POISE_UNLIKELY(timed) ? clock_ticks() : 0;
    role->rest = strategy_begin(role->strategy, record, role->outbox);
    counter_add(role->records, 1);
    if (POISE_UNLIKELY(record_head_of(record)->type == RECORD_RESTORE_DONE)) {
        role->restored = true;
    }
    if (POISE_LIKELY(role->outbox->used == 0)) {
        return POISE_LIKELY(!role->rest) || finish(role);
    }
    if (POISE_UNLIKELY(timed)) {
        histogram_record(role->step_ns, clock_ticks_ns(clock_ticks() - begin));
    }
    role->sent = false;
    if (!answer(role)) {
        return false;
    }
    if (!role->rest) {
        return true;
    }
    if (role->sent && role->rushes < RUSHES_MOST) {
        role->rushes++;
        return false;
    }
    return finish(role);
}

static __attribute__((noinline)) bool drain_some(struct strategy_role *role, struct channel *channel,
                                                 uint32_t most, uint32_t *done)
{
    for (uint32_t i = 0; i < most; i++) {
        const struct slot *record = channel_peek(channel);
        if (record == NULL) {
            return true;
        }
        bool go_on = consume(role, record);
        channel_release(channel);
        (*done)++;
        if (POISE_UNLIKELY(!go_on)) {
            return false;
        }
    }
    return true;
}

/* Nearly every look at a source finds nothing: that much is inlined. */
static inline bool drain(struct strategy_role *role, struct channel *channel, uint32_t most, uint32_t *done)
{
    return POISE_LIKELY(channel_peek(channel) == NULL) || drain_some(role, channel, most, done);
}

/* One LOST record tells that feeds went unread for a while: a replay is still exact, because what was not
 * consumed decided nothing. */
static bool tell_skipped(struct strategy_role *role, uint64_t now_ns)
{
    struct slot slot;
    struct record_head *head = record_begin(&slot, RECORD_LOST, 1, now_ns);
    struct record_lost *lost = (struct record_lost *)head;
    lost->count = role->skipped;
    lost->first_ns = role->skipped_since_ns;
    role->skipped = 0;
    return consume(role, &slot);
}

static bool poll_feeds(struct strategy_role *role, uint64_t now_ns, uint32_t *done)
{
    struct topology *topology = role->topology;
    for (uint32_t i = 0; i < topology->feed_count; i++) {
        if (POISE_LIKELY(role->skipped == 0 && channel_peek(&topology->feed[i]) == NULL)) {
            continue;
        }
        if (POISE_UNLIKELY(!journal_has_room_for_feeds(role))) {
            if (role->skipped++ == 0) {
                role->skipped_since_ns = now_ns;
            }
            counter_add(role->skip_count, 1);
            return true;
        }
        if (POISE_UNLIKELY(role->skipped != 0) && !tell_skipped(role, now_ns)) {
            return false;
        }
        if (!drain(role, &topology->feed[i], FEED_PER_TURN, done)) {
            return false;
        }
    }
    return true;
}

static bool poll_cells(struct strategy_role *role, uint64_t now_ns, uint32_t *done)
{
    struct topology *topology = role->topology;
    for (uint32_t i = 0; i < topology->cell_count; i++) {
        struct slot slot;
        if (cell_read(&topology->cell[i], &slot)) {
            record_head_of(&slot)->stamp_ns = now_ns;
            (*done)++;
            if (!consume(role, &slot)) {
                return false;
            }
        }
    }
    return true;
}

static bool poll_clock(struct strategy_role *role, uint64_t now_ns, int64_t wall_ns)
{
    if (now_ns - role->last_clock_ns < role->clock_tick_ns && now_ns < strategy_next_ns(role->strategy)) {
        return true;
    }
    role->last_clock_ns = now_ns;
    struct slot slot;
    struct record_clock *clock = (struct record_clock *)record_begin(&slot, RECORD_CLOCK, 1, now_ns);
    clock->wall_ns = wall_ns;
    if (role->journal != NULL) {
        counter_set(role->journal_free, (int64_t)spsc_free(role->journal));
    }
    return consume(role, &slot);
}

uint32_t strategy_role_poll(struct strategy_role *role, uint64_t now_ns, int64_t wall_ns)
{
    struct topology *topology = role->topology;
    uint32_t done = 0;
    counter_add(role->turns, 1);
    if (POISE_UNLIKELY(role->failed)) {
        return 0;
    }
    /* edge H: a plain counter; gateways only ask whether it still moves */
    atomic_store_explicit(&topology->heartbeat,
                          atomic_load_explicit(&topology->heartbeat, memory_order_relaxed) + 1,
                          memory_order_release);
    if (POISE_UNLIKELY(role->held < role->outbox->used) && !pass_on(role)) {
        return 0;
    }
    if (POISE_UNLIKELY(role->rest)) {
        done++;
        if (!finish(role)) {
            return done;
        }
    }
    /* The turn that completes the restore ends there: what gateways reported meanwhile comes before feeds. */
    bool restored = role->restored;
    for (uint32_t i = 0; restored && i < topology->gateway_count; i++) {
        if (!drain(role, &topology->report[i], REPORTS_PER_TURN, &done)) {
            return done;
        }
    }
    if (!drain(role, &topology->control, CONTROL_PER_TURN, &done) || !restored) {
        return done;
    }
    if (poll_cells(role, now_ns, &done) && poll_feeds(role, now_ns, &done)) {
        poll_clock(role, now_ns, wall_ns);
    }
    role->rushes = 0;
    if (done != 0) {
        counter_add(role->busy, 1);
    }
    return done;
}
