#include "hot/gateway/gateway.h"

#include "hot/gateway/budget.h"
#include "hot/gateway/inflight.h"
#include "hot/gateway/waiting.h"
#include "ring/clock.h"
#include "ring/queue.h"

#include <stdio.h>

/* Timers of this file:
 *   REQUEST.deadline_ns     (inflight) unanswered: UNKNOWN, or NOT_SENT if it never left
 *   SESSION.next_ns         the venue's session wants its step
 *   GATEWAY.beat_ns         the strategy's heartbeat last moved; heartbeat_stale_ns later it counts as dead
 *   WISH.next_ns            a cancel-all that was not acknowledged is sent again
 *   GATEWAY.check_ns        what still seems to rest after an acknowledged cancel-all is asked for
 *   BUDGET                  sliding windows, and how long the venue told us to be quiet */
#define WISH_RETRY_NS      (1000 * NS_PER_MS) /* sent, refused or unknown */
#define WISH_NOT_SENT_NS   (20 * NS_PER_MS)   /* found no connection */
#define CHECK_NS           (2 * NS_PER_S)
#define CHECK_ROUNDS       10
#define CHECKS_PER_ROUND   16
#define NOT_FOUND_AFTER_NS (5 * NS_PER_S)  /* a venue that does not know an order this old will not */
#define QUIET_NS           (1 * NS_PER_S)  /* no quotes for so long after a rate limit refusal */
#define OVERUSED_NS        (10 * NS_PER_S) /* nothing for so long where the venue does not say how long .. */
#define OVERUSED_SLACK_NS  50000000LL      /* .. and behind what it says: clocks are not known that well */
#define OVERUSED_MOST_NS   (7LL * 24 * 3600 * NS_PER_S)
#define LOGIN_NS           (30 * NS_PER_S)
#define WALL_STEP_NS                                                                                         \
    (50 * (int64_t)NS_PER_MS)           /* a clock that is slewed does not move so far between two polls */
#define SWAP_NS          (2 * NS_PER_S) /* answers to what was stamped by the other clock are in after so long */
#define HELD_SLOTS       16384          /* reports kept while the strategy's channel is full */
#define HELD_STOP        (HELD_SLOTS / 2)
#define HELD_PAUSE_NS    (5 * NS_PER_S)
#define ORDERS_PER_POLL  32
#define STEPS_PER_POLL   16
#define EXPIRED_PER_POLL 64
#define BODY_BYTES       16384
#define INBOX_BYTES      (1u << 20)
#define NO_LINK          UINT8_MAX

/* A connection, and which of the session's slots it serves now. */
struct link {
    struct gateway *gateway;
    struct conn *conn;
    enum conn_kind kind;
    char host[VENUE_HOST_BYTES];
    char path[VENUE_PATH_BYTES];
    uint8_t index;
    uint8_t slot; /* enum session_slot; SESSION_SLOT_COUNT: none yet */
    bool up;
    bool asking;        /* HTTP: a request is under way */
    uint64_t asked_tie; /* its tie */
    uint8_t asked_kind; /* enum request_kind */
};

/* A cancel-all of one instrument that is wished until it is acknowledged. */
enum wish_state { WISH_NONE, WISH_OWED, WISH_SENT };
struct wish {
    uint8_t state;
    uint64_t tie; /* of the request sent last */
    uint64_t next_ns;
};

struct gateway_counters {
    counter *orders, *amends, *cancels, *queries, *reports, *broken, *not_sent, *unknown, *timeouts, *lost;
    counter *held, *held_full, *budget_refused, *late, *no_connection, *stalls, *cancel_alls,
        *session_requests;
    counter *rate_limited, *requests_open, *orders_resting, *clock_offset_ns, *refused_actions;
    counter *clock_steps, *clock_swaps;
    struct histogram *tick_to_order, *fill_to_hedge, *ack;
};

struct gateway {
    const struct venue *venue;
    const struct account *account;
    struct channel *in, *out;
    struct venue_session *session;
    const _Atomic uint64_t *heartbeat;
    uint64_t heartbeat_stale_ns, request_timeout_ns;
    uint64_t now_ns; /* of the callback or poll we are in */
    int64_t wall_ns; /* at polled_ns, without the steps of undone_ns */
    uint64_t polled_ns;
    int64_t wall_offset_ns; /* the machine's wall time less its steady time, at the last poll */
    int64_t undone_ns;      /* steps of the machine's clock that stamps do not follow */
    int64_t other_ns;       /* what undone_ns would be if that is wrong */
    const _Atomic int64_t *venue_clock;
    int64_t clock_taken; /* its word that stamps follow */
    uint64_t swapped_ns; /* stamps jumped then: what was sent before tells nothing of the venue's clock */
    uint64_t beat;       /* heartbeat as last seen */
    uint64_t beat_ns;    /* when it last moved */
    bool alive;
    bool started;
    bool poked;    /* something happened that the session may want to act on */
    bool reported; /* a report with the tie in question came during the present answer */
    uint64_t answering;
    uint64_t own_ties;
    uint64_t answered_tie; /* of the request answered last */
    uint64_t open_told;    /* requests and orders as the counters show them */

    uint32_t wish_count;   /* not WISH_NONE */
    uint32_t check_rounds; /* left; 0: nothing to check */
    uint64_t check_ns;
    uint64_t cancelled_ns; /* when a cancel-all was acknowledged last */
    _Atomic uint8_t state; /* written here only; anyone may look */
    uint8_t told;
    char why_told[sizeof((struct venue_session *)0)->why];
    bool state_told_once;
    uint32_t link_count;
    uint8_t link_of[SESSION_SLOT_COUNT];
    struct link link[GATEWAY_LINKS_MAX];
    struct gateway_counters count;
    struct budget budget;
    struct wish wish[FEED_CONNECTION_INSTRUMENTS];
    struct inflight *inflight;
    struct queue *held;
    struct venue_out act;   /* what is being carried out */
    struct venue_out reply; /* what a message asks to be answered with */
    char body[BODY_BYTES];
    char reply_body[BODY_BYTES];
    struct waiting waiting;
};

static int64_t wall_at(const struct gateway *gateway, uint64_t now_ns)
{
    return gateway->wall_ns + (int64_t)(now_ns - gateway->polled_ns);
}

/* take_wall keeps stamps where they were when the machine's clock is stepped: how far the venue's clock is
 * off was learned before.  A request an hour off would be refused, and a cancel with it. */
static void take_wall(struct gateway *gateway, uint64_t now_ns, int64_t wall_ns)
{
    int64_t offset_ns = wall_ns - (int64_t)now_ns;
    int64_t step_ns = offset_ns - gateway->wall_offset_ns;
    if (POISE_UNLIKELY(step_ns > WALL_STEP_NS || step_ns < -WALL_STEP_NS)) {
        if (gateway->wall_offset_ns != 0) { /* there was one before */
            gateway->undone_ns += step_ns;
            gateway->other_ns = 0;
            counter_add(gateway->count.clock_steps, 1);
        }
    }
    gateway->wall_offset_ns = offset_ns;
    gateway->wall_ns = wall_ns - gateway->undone_ns;
    gateway->polled_ns = now_ns;
}

/* measured_anew follows what cold has measured since, when that is news. */
static bool measured_anew(struct gateway *gateway)
{
    int64_t word = gateway->venue_clock != NULL
                       ? atomic_load_explicit(gateway->venue_clock, memory_order_relaxed)
                       : gateway->clock_taken;
    if (word == gateway->clock_taken || word == 0) {
        return false;
    }
    gateway->clock_taken = word;
    gateway->session->clock_offset_ns = word + (int64_t)gateway->now_ns - wall_at(gateway, gateway->now_ns);
    return true;
}

/* time_refused: the venue does not take our stamps.  What cold has measured since is the truth.  Where there
 * is no such word, and a step was not followed (the machine slept, and its
 * steady clock with it), the machine's own clock is believed after all, and the other way round. */
static void time_refused(struct gateway *gateway)
{
    if (gateway->swapped_ns != 0 && gateway->now_ns - gateway->swapped_ns < SWAP_NS) {
        return; /* these stamps were made before it changed */
    }
    if (measured_anew(gateway)) {
        gateway->swapped_ns = gateway->now_ns;
        counter_add(gateway->count.clock_swaps, 1);
        return;
    }
    if (gateway->undone_ns == gateway->other_ns) {
        return; /* there is one opinion */
    }
    int64_t other_ns = gateway->other_ns;
    gateway->wall_ns += gateway->undone_ns - other_ns;
    gateway->other_ns = gateway->undone_ns;
    gateway->undone_ns = other_ns;
    gateway->swapped_ns = gateway->now_ns;
    counter_add(gateway->count.clock_swaps, 1);
}

/* overused: the venue answers nobody at our address until it says so, and who asks all the same makes it
 * worse: cancels and hedges wait here too (they are refused at once, NOT_SENT, and tried again by who wants
 * them). Behind it they have a moment to themselves before quotes come. */
static void overused(struct gateway *gateway)
{
    struct venue_session *session = gateway->session;
    int64_t wait_ns = (int64_t)OVERUSED_NS;
    if (session->answers_ns != 0) {
        wait_ns = session->answers_ns - (wall_at(gateway, gateway->now_ns) + session->clock_offset_ns);
        wait_ns = base_min(base_max(wait_ns, 0) + OVERUSED_SLACK_NS, OVERUSED_MOST_NS);
    }
    session->overused = 0;
    session->answers_ns = 0;
    budget_ban(&gateway->budget, gateway->now_ns + (uint64_t)wait_ns);
    budget_quiet(&gateway->budget, gateway->now_ns + (uint64_t)wait_ns + QUIET_NS);
}

/* ---- reports out ------------------------------------------------------------------------------------- */

/* emit hands a record to the strategy.  When its channel is full the record waits here, and so does all that
 * follows it; meanwhile no order is taken.  Nothing is ever dropped. */
static void emit(struct gateway *gateway, const struct slot *record)
{
    if (POISE_LIKELY(gateway->held->head == gateway->held->tail) && channel_send(gateway->out, record)) {
        return;
    }
    counter_add(gateway->count.held, 1);
    struct slot *slot = queue_claim(gateway->held, record_head_of(record)->slot_count);
    /* Connections are cut at HELD_STOP; what one message can add to that fits many times over. */
    POISE_ASSERT(slot != NULL);
    record_copy(slot, record);
    queue_commit(gateway->held);
}

static bool is_held(const struct gateway *gateway)
{
    return gateway->held->head != gateway->held->tail;
}

static uint32_t release_held(struct gateway *gateway)
{
    uint32_t done = 0;
    const struct slot *record;
    while ((record = queue_peek(gateway->held)) != NULL && channel_send(gateway->out, record)) {
        queue_release(gateway->held);
        done++;
    }
    return done;
}

static struct record_report *begin_report(struct gateway *gateway, struct slot slots[3],
                                          enum record_type type, uint16_t instrument)
{
    struct record_head *head = record_begin(slots, type, 3, gateway->now_ns);
    head->instrument = instrument;
    head->account = gateway->account->index;
    return (struct record_report *)slots;
}

/* not_sent: certainly not at the venue, says the caller. */
static void not_sent(struct gateway *gateway, uint64_t tie, uint64_t order, uint16_t instrument, uint8_t kind,
                     uint8_t side, int64_t price, int64_t qty)
{
    counter_add(gateway->count.not_sent, 1);
    if ((tie & GATEWAY_TIE_OWN) != 0) {
        return;
    }
    struct slot slots[3];
    struct record_report *report = begin_report(gateway, slots, RECORD_REJECT, instrument);
    report->order = order;
    report->tie = tie;
    report->request = kind;
    report->reason = REASON_NOT_SENT;
    report->side = side;
    report->order_price = price;
    report->order_qty = qty;
    report->fee_currency = CURRENCY_NONE;
    if (kind == REQUEST_NEW) {
        report->status = ORDER_STATUS_REJECTED;
        report->flags = REPORT_HAS_CUM | REPORT_TERMINAL;
    }
    emit(gateway, slots);
}

static void refuse_order(struct gateway *gateway, const struct record_order *order, uint8_t kind)
{
    not_sent(gateway, order->tie, order->order, order->head.instrument, kind, order->side, order->price,
             order->qty);
}

static void unknown(struct gateway *gateway, const struct inflight_request *request)
{
    counter_add(gateway->count.unknown, 1);
    if ((request->tie & GATEWAY_TIE_OWN) != 0) {
        return;
    }
    struct slot slots[3];
    struct record_report *report = begin_report(gateway, slots, RECORD_UNKNOWN, request->instrument);
    report->order = request->order;
    report->tie = request->tie;
    report->request = request->kind;
    report->side = request->side;
    report->order_price = request->price;
    report->order_qty = request->qty;
    report->fee_currency = CURRENCY_NONE;
    emit(gateway, slots);
}

/* ---- reports in -------------------------------------------------------------------------------------- */

static void wish_answered(struct gateway *gateway, uint64_t tie, bool done)
{
    for (uint32_t i = 0; i < gateway->session->wanted_count; i++) {
        struct wish *wish = &gateway->wish[i];
        if (wish->state == WISH_SENT && wish->tie == tie) {
            wish->state = done ? WISH_NONE : WISH_OWED;
            wish->next_ns = gateway->now_ns + WISH_RETRY_NS;
            gateway->wish_count -= done;
            if (done) {
                gateway->cancelled_ns = gateway->now_ns;
                gateway->check_ns = gateway->now_ns + CHECK_NS;
                gateway->check_rounds = CHECK_ROUNDS;
            }
        }
    }
}

/* note_clock narrows where the venue's clock can stand: it stamped the answer between our sending and our
 * receiving. */
static void note_clock(struct gateway *gateway, const struct inflight_request *request, int64_t venue_time_ns)
{
    const int64_t coarse_ns = (int64_t)NS_PER_MS; /* stamps are cut to milliseconds */
    if (request->sent_ns <= gateway->swapped_ns) {
        return;
    }
    int64_t highest = venue_time_ns + coarse_ns - request->wall_ns;
    int64_t lowest = venue_time_ns - wall_at(gateway, gateway->now_ns);
    int64_t *offset = &gateway->session->clock_offset_ns;
    if (*offset < lowest) {
        *offset = lowest;
    } else if (*offset > highest) {
        *offset = highest;
    }
    counter_set(gateway->count.clock_offset_ns, *offset);
}

static bool ends_order(const struct record_report *report)
{
    switch (report->head.type) {
    case RECORD_CANCELLED:
    case RECORD_EXPIRED:
        return true;
    case RECORD_REJECT:
        /* a duplicate id means that an earlier send of it worked */
        return report->request == REQUEST_NEW && report->reason != REASON_DUPLICATE_ID;
    case RECORD_UNKNOWN:
        return false;
    default:
        break;
    }
    return (report->flags & REPORT_TERMINAL) != 0 || report->status == ORDER_STATUS_FILLED ||
           report->status == ORDER_STATUS_CANCELLED || report->status == ORDER_STATUS_EXPIRED ||
           report->status == ORDER_STATUS_REJECTED;
}

/* track keeps the table of what may rest in line with what the venue says. */
static void track(struct gateway *gateway, const struct record_report *report)
{
    if (report->order == 0 || (report->flags & REPORT_FOREIGN) != 0) {
        return;
    }
    struct inflight_order *row = inflight_order_find(gateway->inflight, report->order);
    if (row == NULL) {
        /* from before this run: it rests if the venue says that it does */
        if (report->head.type == RECORD_ORDER_STATE &&
            (report->status == ORDER_STATUS_OPEN || report->status == ORDER_STATUS_PARTIAL)) {
            row = inflight_order_add(gateway->inflight, report->order, report->head.instrument,
                                     gateway->now_ns);
        }
        if (row == NULL) {
            return;
        }
    }
    if (report->head.type == RECORD_ORDER_STATE && report->status == ORDER_STATUS_NOT_FOUND) {
        if (gateway->now_ns - row->touched_ns >= NOT_FOUND_AFTER_NS) {
            inflight_order_finish(gateway->inflight, report->order);
        }
        return;
    }
    if (report->head.type != RECORD_UNKNOWN && report->head.type != RECORD_REJECT) {
        row->touched_ns = gateway->now_ns;
    }
    if (report->venue_order_id[0] != 0) {
        memcpy(row->venue_order_id, report->venue_order_id, sizeof row->venue_order_id);
    }
    if (ends_order(report)) {
        inflight_order_finish(gateway->inflight, report->order);
    }
}

/* answered takes the request out that a report answers. */
static void answered(struct gateway *gateway, const struct record_report *report)
{
    uint64_t tie = report->tie;
    if (tie == gateway->answering) {
        gateway->reported = true;
    }
    struct inflight_request *request = inflight_request_find(gateway->inflight, tie);
    if (request == NULL) {
        if ((tie & GATEWAY_TIE_SESSION) == 0 && tie != gateway->answered_tie) {
            counter_add(gateway->count.late, 1); /* it was called UNKNOWN before: the answer is welcome */
        }
        return;
    }
    if (request->sent_ns != 0 && gateway->now_ns >= request->sent_ns) {
        histogram_record(gateway->count.ack, gateway->now_ns - request->sent_ns);
    }
    /* a query tells when the order changed, and an amend that changed nothing may tell the same */
    if (report->venue_time_ns != 0 && report->head.type != RECORD_ORDER_STATE &&
        report->head.type != RECORD_AMENDED) {
        note_clock(gateway, request, report->venue_time_ns);
    }
    inflight_request_remove(gateway->inflight, tie);
    gateway->answered_tie = tie; /* one answer may be several records */
    if (report->head.type == RECORD_UNKNOWN) {
        counter_add(gateway->count.unknown, 1);
    }
}

static bool is_answer_only(uint8_t type)
{
    return type == RECORD_ACK || type == RECORD_REJECT || type == RECORD_UNKNOWN || type == RECORD_CANCEL_ACK;
}

static uint64_t own_tie(struct gateway *gateway);
static bool send_own(struct gateway *gateway, enum record_type type, uint16_t instrument, uint64_t order,
                     uint64_t tie);

/* on_record takes what the venue's parser says of one message. */
static void on_record(void *context, const struct slot *record)
{
    struct gateway *gateway = context;
    uint8_t type = record_head_of(record)->type;
    counter_add(gateway->count.reports, 1);
    if ((type >= RECORD_ACK && type <= RECORD_UNKNOWN) || type == RECORD_CANCEL_ACK) {
        const struct record_report *report = (const struct record_report *)record;
        if (type == RECORD_REJECT && report->reason == REASON_RATE_LIMIT) {
            counter_add(gateway->count.rate_limited, 1);
            budget_quiet(&gateway->budget, gateway->now_ns + QUIET_NS);
            budget_throttled(&gateway->budget, gateway->now_ns);
        } else if (POISE_UNLIKELY(type == RECORD_REJECT && report->reason == REASON_TIME)) {
            time_refused(gateway);
        }
        track(gateway, report);
        if (report->tie != 0) {
            answered(gateway, report);
            if ((report->tie & GATEWAY_TIE_OWN) != 0) {
                wish_answered(gateway, report->tie,
                              type == RECORD_ACK || type == RECORD_CANCEL_ACK ||
                                  (type == RECORD_REJECT && report->reason == REASON_NOT_FOUND));
                if (type == RECORD_ORDER_STATE &&
                    (report->status == ORDER_STATUS_OPEN || report->status == ORDER_STATUS_PARTIAL)) {
                    send_own(gateway, RECORD_ORDER_CANCEL, report->head.instrument, report->order,
                             own_tie(gateway)); /* it outlived the cancel-all */
                }
            }
            /* the strategy did not ask, so it gets no answer; what it tells of an order it does get */
            if ((report->tie & (GATEWAY_TIE_OWN | GATEWAY_TIE_SESSION)) != 0 && is_answer_only(type)) {
                return;
            }
        }
    }
    emit(gateway, record);
}

static struct venue_sink sink_of(struct gateway *gateway)
{
    struct venue_sink sink = { .emit = on_record, .context = gateway };
    return sink;
}

/* ---- HTTP: one request at a time -------------------------------------------------------------------- */

static bool ask(struct gateway *gateway, struct link *link, const char *method, const char *path,
                const char *header, const char *body, uint32_t body_bytes, uint64_t tie, uint8_t kind)
{
    if (conn_request(link->conn, method, path, header[0] != 0 ? header : NULL,
                     body_bytes != 0 ? (const uint8_t *)body : NULL, body_bytes,
                     gateway->now_ns) != CONN_OK) {
        return false;
    }
    link->asking = true;
    link->asked_tie = tie;
    link->asked_kind = kind;
    struct inflight_request *request = inflight_request_find(gateway->inflight, tie);
    if (request != NULL) {
        request->sent_ns = gateway->now_ns;
        request->wall_ns = wall_at(gateway, gateway->now_ns);
    }
    return true;
}

/* unsent ends a request that waited and will not be sent. */
static void unsent(struct gateway *gateway, struct waiting_request *waiting)
{
    uint64_t tie = waiting->tie;
    waiting_remove(&gateway->waiting, waiting);
    struct inflight_request *found = inflight_request_find(gateway->inflight, tie);
    if (found != NULL) {
        struct inflight_request request = *found;
        inflight_request_remove(gateway->inflight, tie);
        if (request.kind == REQUEST_NEW) {
            inflight_order_finish(gateway->inflight, request.order);
        }
        not_sent(gateway, tie, request.order, request.instrument, request.kind, request.side, request.price,
                 request.qty);
    }
    if ((tie & GATEWAY_TIE_OWN) != 0) {
        wish_answered(gateway, tie, false);
    }
}

static uint32_t pump(struct gateway *gateway, struct link *link)
{
    while (gateway->waiting.count != 0 && link->up && conn_can_request(link->conn)) {
        struct waiting_request *next = waiting_next(&gateway->waiting, link->index);
        if (next == NULL) {
            return 0;
        }
        if (ask(gateway, link, next->method, next->path, next->header, next->body, next->body_bytes,
                next->tie, next->kind)) {
            waiting_remove(&gateway->waiting, next);
            return 1;
        }
        unsent(gateway, next);
    }
    return 0;
}

/* submit sends a request now, or lets it wait; false: neither was possible. */
static bool submit(struct gateway *gateway, struct link *link, struct venue_out *out, uint8_t kind,
                   enum waiting_first first)
{
    if (out->path_bytes >= sizeof out->path || out->header_bytes >= sizeof out->header) {
        return false;
    }
    out->path[out->path_bytes] = 0;
    out->header[out->header_bytes] = 0;
    if (link->up && conn_can_request(link->conn) && waiting_next(&gateway->waiting, link->index) == NULL) {
        return ask(gateway, link, out->method, out->path, out->header, out->body, out->body_bytes, out->tie,
                   kind);
    }
    if (waiting_full(&gateway->waiting)) {
        struct waiting_request *least = waiting_least(&gateway->waiting, first);
        if (least == NULL) {
            return false;
        }
        unsent(gateway, least);
    }
    return waiting_put(&gateway->waiting, out, link->index, kind, first);
}

/* ---- orders out -------------------------------------------------------------------------------------- */

static uint8_t kind_of(uint8_t type)
{
    switch (type) {
    case RECORD_ORDER_NEW:
        return REQUEST_NEW;
    case RECORD_ORDER_AMEND:
        return REQUEST_AMEND;
    case RECORD_ORDER_CANCEL:
        return REQUEST_CANCEL;
    case RECORD_ORDER_QUERY:
        return REQUEST_QUERY;
    case RECORD_CANCEL_ALL:
        return REQUEST_CANCEL_ALL;
    default:
        return REQUEST_NONE;
    }
}

/* is_urgent: may use the reserve.  What reduces risk, and what finds out the truth. */
static bool is_urgent(const struct record_order *order, uint8_t kind)
{
    if (kind != REQUEST_NEW && kind != REQUEST_AMEND) {
        return true;
    }
    return order->role == ORDER_ROLE_HEDGE || order->role == ORDER_ROLE_FLATTEN;
}

static void begin_out(struct venue_out *out, char *body, uint32_t capacity)
{
    out->act = ACT_NONE;
    out->binary = 0;
    out->weight = 0;
    out->orders = 0;
    out->credit = CREDIT_NONE;
    out->tie = 0;
    out->order = 0;
    out->body = body;
    out->body_capacity = capacity;
    out->body_bytes = 0;
    out->path_bytes = 0;
    out->header_bytes = 0;
    out->method = "GET";
}

/* can_carry says whether an order may go by this link now. */
static bool can_carry(const struct gateway *gateway, const struct link *link)
{
    if (link == NULL || !link->up) {
        return false;
    }
    return link->kind == CONN_HTTP || gateway->session->orders_ready != 0;
}

static struct link *link_for(struct gateway *gateway, uint8_t record_type)
{
    enum session_slot slot = gateway->venue->order->slot_for(gateway->session, record_type);
    POISE_ASSERT((unsigned)slot < SESSION_SLOT_COUNT);
    uint8_t index = gateway->link_of[slot];
    return index == NO_LINK ? NULL : &gateway->link[index];
}

/* transmit hands an encoded order to its connection.
 *
 * Journey 8/8: the bytes leave. */
static bool transmit(struct gateway *gateway, struct link *link, struct venue_out *out, uint8_t kind,
                     bool urgent)
{
    if (link->kind == CONN_WS) {
        return out->act == ACT_SEND &&
               conn_frame_commit(link->conn, out->body_bytes, out->binary != 0) == CONN_OK;
    }
    enum waiting_first first = kind == REQUEST_CANCEL || kind == REQUEST_CANCEL_ALL ? FIRST_CANCEL
                               : urgent                                             ? FIRST_URGENT
                                                                                    : FIRST_OTHER;
    return out->act == ACT_REQUEST && submit(gateway, link, out, kind, first);
}

static void count_sent(struct gateway *gateway, const struct record_order *order, uint8_t kind)
{
    counter *const of_kind[] = {
        [REQUEST_NEW] = gateway->count.orders,
        [REQUEST_AMEND] = gateway->count.amends,
        [REQUEST_CANCEL] = gateway->count.cancels,
        [REQUEST_QUERY] = gateway->count.queries,
        [REQUEST_CANCEL_ALL] = gateway->count.cancel_alls,
    };
    counter_add(of_kind[kind], 1);
    if (kind != REQUEST_NEW && kind != REQUEST_AMEND) {
        return;
    }
    /* the one place where a clock is read outside the loop: the span ends when the bytes have left */
    uint64_t sent_ns = clock_now_ns();
    if (order->trigger_ns != 0 && sent_ns >= order->trigger_ns) {
        histogram_record(gateway->count.tick_to_order, sent_ns - order->trigger_ns);
    }
    if (order->fill_ns != 0 && sent_ns >= order->fill_ns) {
        histogram_record(gateway->count.fill_to_hedge, sent_ns - order->fill_ns);
    }
}

/* note_order enters an order about to leave in the tables; false when there is no room, or when its id or its
 * tie is in use: then nothing changed. */
static bool note_order(struct gateway *gateway, const struct record_order *order, uint8_t kind,
                       const struct link *link)
{
    struct inflight *inflight = gateway->inflight;
    if (kind == REQUEST_NEW &&
        (inflight_order_find(inflight, order->order) != NULL || inflight->order_count == INFLIGHT_ORDERS)) {
        counter_add(gateway->count.refused_actions, 1);
        return false;
    }
    struct inflight_request *request =
        inflight_request_add(inflight, order->tie, gateway->now_ns + gateway->request_timeout_ns);
    if (request == NULL) {
        counter_add(gateway->count.refused_actions, 1);
        return false;
    }
    request->order = order->order;
    request->instrument = order->head.instrument;
    request->kind = kind;
    request->side = order->side;
    request->price = order->price;
    request->qty = order->qty;
    request->link = link->index;
    if (link->kind == CONN_WS) {
        request->sent_ns = gateway->now_ns;
        request->wall_ns = wall_at(gateway, gateway->now_ns);
    }
    if (kind == REQUEST_NEW) {
        inflight_order_add(inflight, order->order, order->head.instrument, gateway->now_ns)->side =
            order->side;
    }
    return true;
}

/* send_order turns one order record into bytes on the venue's connection; false when it certainly did not
 * leave.  The message is written where the connection sends it from.
 *
 * The request and the order are in the tables before the first byte leaves: whatever happens after, the
 * gateway knows what may be at the venue.
 *
 * Journey 7/8: an order record becomes the venue's own message. */
static bool send_order(struct gateway *gateway, const struct record_order *order, uint8_t kind)
{
    struct link *link = link_for(gateway, order->head.type);
    bool urgent = is_urgent(order, kind);
    if (POISE_UNLIKELY(!can_carry(gateway, link))) {
        counter_add(gateway->count.no_connection, 1);
        return false;
    }
    if (POISE_UNLIKELY(!gateway->alive && !urgent)) {
        return false; /* nobody is there to look after a new quote */
    }

    struct venue_out *out = &gateway->act;
    char *body = link->kind == CONN_WS ? (char *)conn_frame_begin(link->conn) : gateway->body;
    if (POISE_UNLIKELY(body == NULL)) {
        counter_add(gateway->count.no_connection, 1);
        return false;
    }
    begin_out(out, body, BODY_BYTES);
    out->tie = order->tie;
    out->order = order->order;
    if (POISE_UNLIKELY(!gateway->venue->order->encode(gateway->session, order,
                                                      wall_at(gateway, gateway->now_ns), out))) {
        counter_add(gateway->count.refused_actions, 1);
        return false;
    }
    if (POISE_UNLIKELY(!budget_has(&gateway->budget, gateway->now_ns, out->orders, out->weight,
                                   (enum credit)out->credit, urgent))) {
        counter_add(gateway->count.budget_refused, 1);
        return false;
    }

    if (POISE_UNLIKELY(!note_order(gateway, order, kind, link))) {
        return false;
    }
    out->tie = order->tie;
    if (POISE_UNLIKELY(!transmit(gateway, link, out, kind, urgent))) {
        counter_add(gateway->count.no_connection, 1);
        inflight_request_remove(gateway->inflight, order->tie);
        if (kind == REQUEST_NEW) {
            inflight_order_finish(gateway->inflight, order->order);
        }
        return false;
    }
    budget_charge(&gateway->budget, gateway->now_ns, out->orders, out->weight, (enum credit)out->credit);
    count_sent(gateway, order, kind);
    return true;
}

/* take_orders reads the strategy's channel, but not while a report waits: the answer to an order must find
 * room behind the reports that came before it. */
static uint32_t take_orders(struct gateway *gateway)
{
    uint32_t done = 0;
    const struct slot *record;
    while (done < ORDERS_PER_POLL && !is_held(gateway) && (record = channel_peek(gateway->in)) != NULL) {
        uint8_t kind = kind_of(record_head_of(record)->type);
        if (POISE_LIKELY(kind != REQUEST_NONE)) {
            const struct record_order *order = (const struct record_order *)record;
            if (!send_order(gateway, order, kind)) {
                refuse_order(gateway, order, kind);
            }
        }
        channel_release(gateway->in);
        done++;
    }
    return done;
}

/* ---- cancel everything ------------------------------------------------------------------------------- */

static uint64_t own_tie(struct gateway *gateway)
{
    return GATEWAY_TIE_OWN | ++gateway->own_ties;
}

static bool send_own(struct gateway *gateway, enum record_type type, uint16_t instrument, uint64_t order,
                     uint64_t tie)
{
    struct slot slots[2];
    struct record_head *head = record_begin(slots, type, 2, gateway->now_ns);
    struct record_order *record = (struct record_order *)slots;
    head->instrument = instrument;
    head->account = gateway->account->index;
    record->order = order;
    record->tie = tie;
    return send_order(gateway, record, kind_of((uint8_t)type));
}

/* grant sends the cancel-alls that are wished and due; `single` also cancels order by order what a cancel-all
 * cannot reach at once. */
static uint32_t grant(struct gateway *gateway, bool single)
{
    uint32_t done = 0;
    for (uint32_t i = 0; i < gateway->session->wanted_count; i++) {
        struct wish *wish = &gateway->wish[i];
        if (wish->state != WISH_OWED || gateway->now_ns < wish->next_ns) {
            continue;
        }
        uint16_t instrument = gateway->session->wanted[i];
        struct link *link = link_for(gateway, RECORD_CANCEL_ALL);
        bool at_once = link != NULL && link->up && !link->asking;
        wish->tie = own_tie(gateway);
        wish->state = WISH_SENT; /* before it leaves: the answer may come from inside the send */
        if (send_own(gateway, RECORD_CANCEL_ALL, instrument, 0, wish->tie)) {
            done++;
        } else {
            wish->state = WISH_OWED;
            wish->next_ns = gateway->now_ns + WISH_NOT_SENT_NS;
            at_once = false;
        }
        if (single && !at_once) {
            uint32_t cursor = 0;
            struct inflight_order *row;
            while ((row = inflight_order_next(gateway->inflight, &cursor)) != NULL) {
                if (row->instrument == instrument) {
                    done += send_own(gateway, RECORD_ORDER_CANCEL, instrument, row->order, own_tie(gateway));
                }
            }
        }
    }
    return done;
}

/* check asks for orders of which nothing was heard since a cancel-all was acknowledged: the word of their end
 * may have been lost with a user stream.  What the venue still has is cancelled by itself (on_record). */
static uint32_t check(struct gateway *gateway)
{
    uint32_t done = 0, cursor = 0;
    struct inflight_order *row;
    gateway->check_rounds--;
    gateway->check_ns = gateway->now_ns + CHECK_NS;
    if (gateway->inflight->order_count == 0) {
        gateway->check_rounds = 0;
        return 0;
    }
    while (done < CHECKS_PER_ROUND && (row = inflight_order_next(gateway->inflight, &cursor)) != NULL) {
        if (row->touched_ns <= gateway->cancelled_ns) {
            done += send_own(gateway, RECORD_ORDER_QUERY, row->instrument, row->order, own_tie(gateway));
        }
    }
    return done;
}

void gateway_cancel_all(struct gateway *gateway, uint64_t now_ns, int64_t wall_ns)
{
    gateway->now_ns = now_ns;
    take_wall(gateway, now_ns, wall_ns);
    for (uint32_t i = 0; i < gateway->session->wanted_count; i++) {
        struct wish *wish = &gateway->wish[i];
        if (wish->state == WISH_NONE) {
            gateway->wish_count++;
        }
        wish->state = WISH_OWED; /* also what is under way: orders may have followed it */
        wish->next_ns = now_ns;
    }
    grant(gateway, true);
}

/* ---- what the session wants -------------------------------------------------------------------------- */

static void open_link(struct gateway *gateway, const struct venue_out *out)
{
    enum conn_kind kind = out->endpoint.transport == TRANSPORT_HTTP ? CONN_HTTP : CONN_WS;
    struct link *link = NULL;
    for (uint32_t i = 0; i < gateway->link_count; i++) {
        struct link *candidate = &gateway->link[i];
        if (candidate->kind != kind || strcmp(candidate->host, out->endpoint.host) != 0) {
            continue;
        }
        if (candidate->slot == out->slot) {
            link = candidate;
            break;
        }
        if (candidate->slot == SESSION_SLOT_COUNT && link == NULL) {
            link = candidate;
        }
    }
    if (link == NULL || out->slot >= SESSION_SLOT_COUNT) {
        counter_add(gateway->count.refused_actions, 1);
        return;
    }
    const char *path = out->endpoint.path[0] != 0 ? out->endpoint.path : "/";
    bool same_path = strcmp(link->path, path) == 0;
    if (!same_path) {
        if (!conn_set_path(link->conn, path)) {
            counter_add(gateway->count.refused_actions, 1);
            return;
        }
        size_t bytes = strlen(path);
        memcpy(link->path, path, (bytes < sizeof link->path ? bytes : sizeof link->path - 1) + 1);
        link->path[sizeof link->path - 1] = 0;
    }
    link->slot = out->slot;
    gateway->link_of[out->slot] = link->index;
    enum conn_state state = conn_state(link->conn);
    if (state == CONN_IDLE || state == CONN_CLOSED) {
        conn_open(link->conn, gateway->now_ns);
    } else if (!same_path && state != CONN_BACKOFF) {
        conn_drop(link->conn, gateway->now_ns);
    }
}

/* carry_out does what the session, or the answer to a message, asks for. */
static void carry_out(struct gateway *gateway, struct venue_out *out)
{
    uint8_t index = out->slot < SESSION_SLOT_COUNT ? gateway->link_of[out->slot] : NO_LINK;
    struct link *link = index == NO_LINK ? NULL : &gateway->link[index];
    bool done = false;
    switch (out->act) {
    case ACT_OPEN:
        budget_charge(&gateway->budget, gateway->now_ns, out->orders, out->weight, (enum credit)out->credit);
        open_link(gateway, out);
        return;
    case ACT_CLOSE:
        if (link != NULL) {
            conn_close(link->conn, gateway->now_ns);
        }
        return;
    case ACT_SEND:
        if (link != NULL && link->up && link->kind == CONN_WS) {
            const uint8_t *body = (const uint8_t *)out->body;
            done = (out->binary != 0 ? conn_send_binary(link->conn, body, out->body_bytes)
                                     : conn_send_text(link->conn, body, out->body_bytes)) == CONN_OK;
        }
        break;
    case ACT_REQUEST:
        done = link != NULL && link->kind == CONN_HTTP &&
               submit(gateway, link, out, out->request, FIRST_SESSION);
        break;
    default:
        return;
    }
    if (!done) {
        counter_add(gateway->count.refused_actions, 1);
        return;
    }
    counter_add(gateway->count.session_requests, 1);
    budget_charge(&gateway->budget, gateway->now_ns, out->orders, out->weight, (enum credit)out->credit);
}

/* progress tells connections that their slot's log-in is done. */
static void progress(struct gateway *gateway)
{
    const struct venue_session *session = gateway->session;
    for (uint32_t i = 0; i < gateway->link_count; i++) {
        struct link *link = &gateway->link[i];
        bool ready = link->slot == SESSION_SLOT_ORDER     ? session->orders_ready != 0
                     : link->slot == SESSION_SLOT_PRIVATE ? session->private_ready != 0
                                                          : true;
        if (link->up && ready && conn_state(link->conn) == CONN_LOGIN) {
            conn_subscribed(link->conn, gateway->now_ns);
        }
    }
}

static uint32_t run_session(struct gateway *gateway)
{
    if (POISE_UNLIKELY(gateway->session->time_refused != 0)) {
        gateway->session->time_refused = 0;
        time_refused(gateway);
    }
    uint32_t done = 0;
    if (!gateway->poked && gateway->now_ns < gateway->session->next_ns) {
        return 0;
    }
    gateway->poked = false;
    for (; done < STEPS_PER_POLL; done++) {
        if (POISE_UNLIKELY(!budget_allows_session(&gateway->budget, gateway->now_ns))) {
            gateway->poked = true; /* what it asks for next might be one too many: later */
            progress(gateway);
            return done;
        }
        begin_out(&gateway->act, gateway->body, sizeof gateway->body);
        if (!gateway->venue->order->step(gateway->session, gateway->now_ns, wall_at(gateway, gateway->now_ns),
                                         gateway->alive, &gateway->act)) {
            break;
        }
        carry_out(gateway, &gateway->act);
    }
    gateway->poked = gateway->poked || done == STEPS_PER_POLL;
    progress(gateway);
    return done;
}

/* tell_state publishes the session's state when it, or the reason for it, changed. */
static void tell_state(struct gateway *gateway)
{
    static const char stalled[sizeof gateway->why_told] = "strategy stalled";
    uint8_t state = gateway->session->state;
    const char *why = gateway->session->why;
    if (!gateway->alive && state == GATEWAY_READY) {
        state = GATEWAY_DEGRADED;
        why = stalled;
    }
    /* no edge: a figure to look at, nothing is read behind it */
    if (POISE_UNLIKELY(state != atomic_load_explicit(&gateway->state, memory_order_relaxed))) {
        atomic_store_explicit(&gateway->state, state, memory_order_relaxed);
    }
    /* there is no reason for being ready: nearly always both are empty */
    bool same_why = why[0] == gateway->why_told[0] &&
                    (why[0] == 0 || strncmp(why, gateway->why_told, sizeof gateway->why_told) == 0);
    if (POISE_LIKELY(state == gateway->told && gateway->state_told_once && same_why) || is_held(gateway)) {
        return;
    }
    struct slot slot;
    struct record_head *head = record_begin(&slot, RECORD_GATEWAY_STATE, 1, gateway->now_ns);
    head->account = gateway->account->index;
    struct record_state *record = (struct record_state *)&slot;
    record->value = state;
    record->previous = gateway->told;
    record->detail = gateway->session->last_code;
    size_t bytes = strnlen(why, sizeof gateway->why_told - 1);
    memset(gateway->why_told, 0, sizeof gateway->why_told);
    memcpy(gateway->why_told, why, bytes);
    memcpy(record->text, why, bytes < sizeof record->text ? bytes : sizeof record->text - 1);
    gateway->told = state;
    gateway->state_told_once = true;
    emit(gateway, &slot);
}

/* ---- the connections --------------------------------------------------------------------------------- */

static void on_ready(void *owner, struct conn *conn, uint64_t now_ns)
{
    struct link *link = owner;
    struct gateway *gateway = link->gateway;
    (void)conn;
    POISE_ASSERT(link->slot < SESSION_SLOT_COUNT);
    gateway->now_ns = now_ns;
    link->up = true;
    link->asking = false;
    gateway->poked = true;
    gateway->venue->order->event(gateway->session, (enum session_slot)link->slot, SESSION_UP, now_ns);
    progress(gateway);
}

static void on_message(void *owner, struct conn *conn, uint8_t *bytes, size_t len, bool binary,
                       uint64_t now_ns)
{
    struct link *link = owner;
    struct gateway *gateway = link->gateway;
    struct venue_sink sink = sink_of(gateway);
    (void)binary;
    gateway->now_ns = now_ns;
    begin_out(&gateway->reply, gateway->reply_body, sizeof gateway->reply_body);
    int64_t read =
        gateway->venue->order->message(gateway->session, (enum session_slot)link->slot, (const char *)bytes,
                                       len, now_ns, wall_at(gateway, now_ns), &sink, &gateway->reply);
    gateway->poked = true;
    if (POISE_UNLIKELY(gateway->session->overused != 0)) {
        overused(gateway);
    }
    if (POISE_UNLIKELY(read <= 0)) {
        counter_add(gateway->count.broken, 1);
        if ((gateway->session->streams & 1u << link->slot) != 0) {
            /* It may have been a fill.  A stream with a hole is a stream that is gone: whoever reconciles
             * after a reconnect finds what we could not read. */
            conn_drop(conn, now_ns);
        }
        return;
    }
    if (gateway->reply.act != ACT_NONE) {
        carry_out(gateway, &gateway->reply);
    }
    progress(gateway);
    if (POISE_UNLIKELY(gateway->held->head - gateway->held->tail > HELD_STOP)) {
        /* The strategy does not read.  Stop listening while there is still room for what was heard. */
        counter_add(gateway->count.held_full, 1);
        conn_hold(conn, now_ns + HELD_PAUSE_NS);
        conn_drop(conn, now_ns);
    }
}

static void slow_down(struct gateway *gateway, const struct http_response *response)
{
    uint64_t seconds = 0;
    http_header_u64(response, "Retry-After", &seconds);
    seconds = seconds == 0 ? 10 : seconds > 86400 ? 86400 : seconds;
    if (gateway->session->overused != 0) { /* the header is what says how long */
        gateway->session->overused = 0;
        gateway->session->answers_ns = 0;
        budget_ban(&gateway->budget, gateway->now_ns + seconds * NS_PER_S);
    }
    counter_add(gateway->count.rate_limited, 1);
    budget_quiet(&gateway->budget, gateway->now_ns + seconds * NS_PER_S);
    if (response->status == 418) {
        budget_ban(&gateway->budget, gateway->now_ns + seconds * NS_PER_S);
    }
}

static void on_response(void *owner, struct conn *conn, const struct http_response *response, uint64_t now_ns)
{
    struct link *link = owner;
    struct gateway *gateway = link->gateway;
    struct venue_sink sink = sink_of(gateway);
    uint64_t tie = link->asked_tie;
    uint8_t kind = link->asked_kind;
    (void)conn;
    gateway->now_ns = now_ns;
    link->asking = false;
    gateway->answering = tie;
    gateway->reported = false;
    int64_t read =
        gateway->venue->order->response(gateway->session, tie, response->status, (const char *)response->body,
                                        response->body_len, now_ns, wall_at(gateway, now_ns), &sink);
    gateway->answering = 0;
    gateway->poked = true;
    if (response->status == 429 || response->status == 418) {
        slow_down(gateway, response);
    }
    if (read <= 0) {
        counter_add(gateway->count.broken, 1);
    }
    bool good = read > 0 && response->status >= 200 && response->status < 300;
    struct inflight_request *found = gateway->reported ? NULL : inflight_request_find(gateway->inflight, tie);
    if (found != NULL) {
        /* The answer named no outcome: for a cancel-all the status is one, for all else it is unknown. */
        struct inflight_request request = *found;
        inflight_request_remove(gateway->inflight, tie);
        if (kind != REQUEST_CANCEL_ALL || !good) {
            unknown(gateway, &request);
        } else if ((tie & GATEWAY_TIE_OWN) == 0) {
            struct slot slots[3];
            struct record_report *report =
                begin_report(gateway, slots, RECORD_CANCEL_ACK, request.instrument);
            report->tie = tie;
            report->request = REQUEST_CANCEL_ALL;
            report->fee_currency = CURRENCY_NONE;
            emit(gateway, slots);
        }
        if ((tie & GATEWAY_TIE_OWN) != 0) {
            wish_answered(gateway, tie, good);
        }
    }
    progress(gateway);
    if (response->keep_alive) {
        pump(gateway, link);
    }
}

static void on_down(void *owner, struct conn *conn, enum conn_reason reason, uint64_t now_ns)
{
    struct link *link = owner;
    struct gateway *gateway = link->gateway;
    (void)conn;
    (void)reason;
    gateway->now_ns = now_ns;
    bool was_up = link->up;
    link->up = false;
    link->asking = false;
    /* What left and was not answered is unknown: the next poll says so, one by one, as room allows. */
    inflight_lose(gateway->inflight, link->index);
    struct waiting_request *waiting;
    while ((waiting = waiting_next(&gateway->waiting, link->index)) != NULL) {
        unsent(gateway, waiting);
    }
    gateway->poked = true;
    if (was_up && link->slot != SESSION_SLOT_COUNT) {
        counter_add(gateway->count.lost, 1);
        gateway->venue->order->event(gateway->session, (enum session_slot)link->slot, SESSION_LOST, now_ns);
    }
}

static const struct conn_handler link_handler = {
    .on_ready = on_ready,
    .on_message = on_message,
    .on_response = on_response,
    .on_down = on_down,
};

/* tidy: from here at start */
/* ---- start ------------------------------------------------------------------------------------------- */

static void add_counters(struct gateway *gateway, const struct gateway_options *options)
{
    const struct {
        counter **where;
        const char *name;
        enum counter_kind kind;
    } list[] = {
        { &gateway->count.orders, "orders", COUNTER_SUM },
        { &gateway->count.amends, "amends", COUNTER_SUM },
        { &gateway->count.cancels, "cancels", COUNTER_SUM },
        { &gateway->count.queries, "queries", COUNTER_SUM },
        { &gateway->count.cancel_alls, "cancel_alls", COUNTER_SUM },
        { &gateway->count.reports, "reports", COUNTER_SUM },
        { &gateway->count.broken, "broken", COUNTER_SUM },
        { &gateway->count.not_sent, "not_sent", COUNTER_SUM },
        { &gateway->count.unknown, "unknown", COUNTER_SUM },
        { &gateway->count.timeouts, "timeouts", COUNTER_SUM },
        { &gateway->count.lost, "connections_lost", COUNTER_SUM },
        { &gateway->count.held, "held", COUNTER_SUM },
        { &gateway->count.held_full, "held_full", COUNTER_SUM },
        { &gateway->count.budget_refused, "budget_refused", COUNTER_SUM },
        { &gateway->count.late, "late_answers", COUNTER_SUM },
        { &gateway->count.no_connection, "no_connection", COUNTER_SUM },
        { &gateway->count.stalls, "heartbeat_stalls", COUNTER_SUM },
        { &gateway->count.session_requests, "session_requests", COUNTER_SUM },
        { &gateway->count.rate_limited, "rate_limited", COUNTER_SUM },
        { &gateway->count.refused_actions, "refused_actions", COUNTER_SUM },
        { &gateway->count.requests_open, "requests_open", COUNTER_GAUGE },
        { &gateway->count.orders_resting, "orders_resting", COUNTER_GAUGE },
        { &gateway->count.clock_offset_ns, "clock_offset_ns", COUNTER_GAUGE },
        { &gateway->count.clock_steps, "clock_steps", COUNTER_SUM },
        { &gateway->count.clock_swaps, "clock_swaps", COUNTER_SUM },
    };
    const struct {
        struct histogram **where;
        const char *name;
    } spans[] = {
        { &gateway->count.tick_to_order, "tick_to_order" },
        { &gateway->count.fill_to_hedge, "fill_to_hedge" },
        { &gateway->count.ack, "ack" },
    };
    char name[COUNTER_NAME_BYTES];
    for (size_t i = 0; i < POISE_COUNT_OF(list); i++) {
        snprintf(name, sizeof name, "%s.%s", options->name, list[i].name);
        *list[i].where = counters_add(options->counters, options->writer, name, list[i].kind);
    }
    for (size_t i = 0; i < POISE_COUNT_OF(spans); i++) {
        snprintf(name, sizeof name, "%s.%s", options->name, spans[i].name);
        *spans[i].where = counters_add_histogram(options->counters, name);
    }
}

static bool has_link(const struct gateway *gateway, enum conn_kind kind, const char *host)
{
    for (uint32_t i = 0; i < gateway->link_count; i++) {
        if (gateway->link[i].kind == kind && strcmp(gateway->link[i].host, host) == 0) {
            return true;
        }
    }
    return false;
}

static bool add_link(struct gateway *gateway, const struct gateway_options *options, enum conn_kind kind,
                     const char *host, const char *path, uint16_t port, char *error, size_t error_bytes)
{
    if (gateway->link_count == GATEWAY_LINKS_MAX) {
        snprintf(error, error_bytes, "%s: more than %d connections", options->name, GATEWAY_LINKS_MAX);
        return false;
    }
    struct role_address address = { .port = port };
    if (!options->resolve(options->resolve_context, options->venue->id, host, &address) ||
        address.count == 0) {
        snprintf(error, error_bytes, "%s: no address for %s", options->name, host);
        return false;
    }
    struct link *link = &gateway->link[gateway->link_count];
    char name[64];
    snprintf(name, sizeof name, "%s.%u", options->name, gateway->link_count);
    snprintf(link->host, sizeof link->host, "%s", host);
    snprintf(link->path, sizeof link->path, "%s", path[0] != 0 ? path : "/");
    link->gateway = gateway;
    link->kind = kind;
    link->index = (uint8_t)gateway->link_count;
    link->slot = SESSION_SLOT_COUNT;
    uint64_t timeout =
        options->request_timeout_ns < 2 * NS_PER_S ? 2 * NS_PER_S : options->request_timeout_ns;
    struct conn_options conn = {
        .name = name,
        .kind = kind,
        .tls = options->tls,
        .host = link->host,
        .addresses = address.address,
        .address_count = address.count,
        .port = address.port,
        .path = link->path,
        .inbox_bytes = INBOX_BYTES,
        .outbox_bytes = BODY_BYTES,
        .timeouts = { .login_ns = LOGIN_NS,
                      .request_ns = timeout,
                      .ping_ns = 5 * NS_PER_S,
                      .stale_ns = 10 * NS_PER_S,
                      .stale_kill_ns = 5 * NS_PER_S },
    };
    link->conn = conn_create(options->net, &conn, &link_handler, link, error, error_bytes);
    gateway->link_count += link->conn != NULL;
    return link->conn != NULL;
}

/* plan_links makes the connections the session will ask for, before there is any: it rehearses the session
 * on a scratch copy that believes every connection comes up at once.  A slot that opens later, with a path
 * the venue still has to tell (a listen key), finds a connection to each host that is left. */
static bool plan_links(struct gateway *gateway, const struct gateway_options *options, char *error,
                       size_t error_bytes)
{
    const struct venue_order *order = gateway->venue->order;
    struct venue_out *out = &gateway->act;
    uint16_t port = 443;
    uint32_t planned = 0;
    uint64_t now_ns = 1;
    for (uint32_t i = 0; i < 64; i++) {
        begin_out(out, gateway->body, sizeof gateway->body);
        if (!order->step(gateway->session, now_ns, (int64_t)NS_PER_S, true, out)) {
            if (gateway->session->next_ns == UINT64_MAX) {
                break;
            }
            now_ns = gateway->session->next_ns > now_ns ? gateway->session->next_ns : now_ns + NS_PER_MS;
            continue;
        }
        if (out->act != ACT_OPEN || out->slot >= SESSION_SLOT_COUNT || (planned & (1u << out->slot)) != 0) {
            continue;
        }
        planned |= 1u << out->slot;
        port = out->endpoint.port;
        if (!add_link(gateway, options, out->endpoint.transport == TRANSPORT_HTTP ? CONN_HTTP : CONN_WS,
                      out->endpoint.host, out->endpoint.path, port, error, error_bytes)) {
            return false;
        }
        order->event(gateway->session, (enum session_slot)out->slot, SESSION_UP, now_ns);
    }
    if (planned == gateway->session->slots) {
        return true;
    }

    const char *host[GATEWAY_LINKS_MAX];
    uint32_t host_count = options->venue->hosts(options->account->product, host, GATEWAY_LINKS_MAX);
    bool fresh = false; /* a host that no connection goes to yet */
    for (uint32_t i = 0; i < host_count; i++) {
        fresh = fresh || (!has_link(gateway, CONN_WS, host[i]) && !has_link(gateway, CONN_HTTP, host[i]));
    }
    for (uint32_t i = 0; i < host_count; i++) {
        bool used = has_link(gateway, CONN_WS, host[i]) || has_link(gateway, CONN_HTTP, host[i]);
        if (used && fresh) {
            continue;
        }
        if (!add_link(gateway, options, CONN_WS, host[i], "/", port, error, error_bytes)) {
            return false;
        }
    }
    return true;
}

static void init_session(struct gateway *gateway, const struct gateway_options *options)
{
    memset(gateway->session, 0, options->venue->order->session_bytes);
    options->venue->order->init(gateway->session, options->venue, options->instruments, options->account,
                                options->key, options->wanted, options->wanted_count);
    gateway->session->clock_offset_ns = options->clock_offset_ns;
    gateway->venue_clock = options->venue_clock_ns;
    gateway->clock_taken =
        gateway->venue_clock != NULL ? atomic_load_explicit(gateway->venue_clock, memory_order_relaxed) : 0;
}

struct gateway *gateway_create(const struct gateway_options *options, char *error, size_t error_bytes)
{
    POISE_ASSERT(options->venue != NULL && options->in != NULL && options->out != NULL &&
                 options->take != NULL);
    POISE_ASSERT(options->request_timeout_ns != 0);
    if (options->wanted_count == 0 || options->wanted_count > FEED_CONNECTION_INSTRUMENTS) {
        snprintf(error, error_bytes, "%s: %u instruments, must be 1 to %d", options->name,
                 options->wanted_count, FEED_CONNECTION_INSTRUMENTS);
        return NULL;
    }
    struct gateway *gateway = options->take(options->take_context, sizeof *gateway);
    memset(gateway, 0, sizeof *gateway);
    gateway->venue = options->venue;
    gateway->account = options->account;
    gateway->in = options->in;
    gateway->out = options->out;
    gateway->heartbeat = options->heartbeat;
    gateway->heartbeat_stale_ns = options->heartbeat_stale_ns;
    gateway->request_timeout_ns = options->request_timeout_ns;
    gateway->alive = true;
    memset(gateway->link_of, NO_LINK, sizeof gateway->link_of);
    add_counters(gateway, options);
    budget_init(&gateway->budget, options->account);
    gateway->inflight = options->take(options->take_context, sizeof *gateway->inflight);
    inflight_init(gateway->inflight);
    gateway->held = queue_init(options->take(options->take_context, queue_bytes(HELD_SLOTS)), HELD_SLOTS);
    gateway->session = options->take(options->take_context, options->venue->order->session_bytes);

    init_session(gateway, options);
    if (!plan_links(gateway, options, error, error_bytes)) {
        return NULL;
    }
    init_session(gateway, options);
    return gateway;
}

void gateway_start(struct gateway *gateway, uint64_t now_ns)
{
    gateway->started = true;
    gateway->poked = true;
    budget_start(&gateway->budget, now_ns);
    gateway->beat_ns = now_ns;
    gateway->polled_ns = now_ns;
}

void gateway_stop(struct gateway *gateway, uint64_t now_ns)
{
    gateway->started = false;
    for (uint32_t i = 0; i < gateway->link_count; i++) {
        enum conn_state state = conn_state(gateway->link[i].conn);
        if (state != CONN_IDLE && state != CONN_CLOSED) {
            conn_close(gateway->link[i].conn, now_ns);
        }
    }
}

/* tidy: from here hot */
/* ---- one turn ---------------------------------------------------------------------------------------- */

/* watch_heartbeat sees whether the strategy still turns.  A turn of our own that took long is no evidence
 * against it: then the watch begins anew. */
static void watch_heartbeat(struct gateway *gateway, uint64_t now_ns, uint64_t turn_ns)
{
    if (gateway->heartbeat == NULL) {
        return;
    }
    /* no edge: only whether it moves matters, nothing is read behind it */
    uint64_t beat = atomic_load_explicit(gateway->heartbeat, memory_order_relaxed);
    if (POISE_LIKELY(beat != gateway->beat)) {
        gateway->beat = beat;
        gateway->beat_ns = now_ns;
        if (POISE_UNLIKELY(!gateway->alive)) {
            gateway->alive = true;
            gateway->poked = true;
        }
        return;
    }
    /* before its first turn a strategy is not dead, only not born: what rests may be meant to be adopted */
    if (gateway->beat == 0 || turn_ns > gateway->heartbeat_stale_ns / 2) {
        gateway->beat_ns = now_ns;
    }
    if (POISE_UNLIKELY(gateway->alive && now_ns - gateway->beat_ns > gateway->heartbeat_stale_ns)) {
        /* alive goes first: the session refreshes no dead-man from here on */
        gateway->alive = false;
        gateway->poked = true;
        counter_add(gateway->count.stalls, 1);
        gateway_cancel_all(gateway, now_ns, wall_at(gateway, now_ns));
    }
}

/* expire names the outcome of requests that nobody answered. */
static uint32_t expire(struct gateway *gateway)
{
    uint32_t done = 0;
    struct inflight_request request;
    while (done < EXPIRED_PER_POLL && !is_held(gateway) &&
           inflight_expire(gateway->inflight, gateway->now_ns, &request)) {
        done++;
        if (request.sent_ns == 0) {
            struct waiting_request *waiting = waiting_by_tie(&gateway->waiting, request.tie);
            if (waiting != NULL) {
                waiting_remove(&gateway->waiting, waiting);
            }
            if (request.kind == REQUEST_NEW) {
                inflight_order_finish(gateway->inflight, request.order);
            }
            not_sent(gateway, request.tie, request.order, request.instrument, request.kind, request.side,
                     request.price, request.qty);
        } else {
            if (!request.lost) {
                counter_add(gateway->count.timeouts, 1);
            }
            unknown(gateway, &request);
        }
        if ((request.tie & GATEWAY_TIE_OWN) != 0) {
            wish_answered(gateway, request.tie, false);
        }
    }
    return done;
}

uint32_t gateway_poll(struct gateway *gateway, uint64_t now_ns, int64_t wall_ns)
{
    uint32_t done = 0;
    uint64_t turn_ns = now_ns - gateway->polled_ns;
    gateway->now_ns = now_ns;
    take_wall(gateway, now_ns, wall_ns);

    if (POISE_UNLIKELY(is_held(gateway))) {
        done += release_held(gateway);
    }
    done += take_orders(gateway);
    done += expire(gateway);
    if (POISE_LIKELY(gateway->started)) {
        watch_heartbeat(gateway, now_ns, turn_ns);
        done += run_session(gateway);
        if (POISE_UNLIKELY(gateway->wish_count != 0)) {
            done += grant(gateway, false);
        }
        if (POISE_UNLIKELY(gateway->check_rounds != 0 && now_ns >= gateway->check_ns)) {
            done += check(gateway);
        }
        if (POISE_UNLIKELY(gateway->waiting.count != 0)) {
            for (uint32_t i = 0; i < gateway->link_count; i++) {
                done += pump(gateway, &gateway->link[i]);
            }
        }
    }
    tell_state(gateway);
    uint64_t open = (uint64_t)gateway->inflight->request_count << 32 | gateway->inflight->order_count;
    if (POISE_UNLIKELY(open != gateway->open_told)) {
        gateway->open_told = open;
        counter_set(gateway->count.requests_open, gateway->inflight->request_count);
        counter_set(gateway->count.orders_resting, gateway->inflight->order_count);
    }
    return done;
}

bool gateway_quiet(const struct gateway *gateway)
{
    return gateway->inflight->request_count == 0 && gateway->inflight->order_count == 0 &&
           gateway->wish_count == 0 && !is_held(gateway);
}

enum gateway_state gateway_state(const struct gateway *gateway)
{
    return (enum gateway_state)atomic_load_explicit(&gateway->state, memory_order_relaxed);
}
