#include "hot/feed/feed.h"

#include "hot/feed/ask.h"
#include "hot/feed/book.h"
#include "hot/feed/lag.h"
#include "hot/feed/sync.h"
#include "ring/clock.h"

#include <stdio.h>

/* Timers of this file:
 *   STREAM.next_send_ns     messages are paced: the venue closes who asks faster
 *   STREAM.login_ns         until when the answer to a log-in is awaited: then on as nobody
 *   STREAM.renew_ns         when books may be renewed in the stream again
 *   STREAM.patience_ns      an instrument from which a connection hears nothing for so long: reconnect
 *   FEED.check_ns           when staleness is looked at next, a sixteenth of stale_ns
 *   FEED.look_ns            who wants a snapshot is looked at every millisecond
 *   INSTRUMENT.beat_ns      a book that does not change within the top is still said to be alive
 *   ask.h                   when snapshots may be asked for */
#define LOGIN_NS        (5 * NS_PER_S)
#define PATIENCE_MIN_NS (30 * NS_PER_S)
#define PATIENCE_MAX_NS (3600 * NS_PER_S)
#define BEAT_NS         (50 * NS_PER_MS)
#define LOOK_NS         (1 * NS_PER_MS)

#define STREAM_INBOX_BYTES   (1u << 20)
#define SNAPSHOT_INBOX_BYTES (2u << 20)
#define SUBSCRIBE_BYTES      16384
#define REPLY_BYTES          512

/* Two readings of the counter are a tenth of what a small message costs: one in seven is timed, a prime, so
 * that no rhythm of messages is always or never looked at. */
#define MESSAGES_A_SAMPLE 7

struct feed_instrument {
    const struct instrument *row;
    struct feed_stream *depth_stream; /* which connection brings the book; NULL until a change came */
    struct feed_stream *home;         /* which one did last; kept when it is lost */
    struct sync sync;
    struct ask ask;
    struct lag lag;        /* of its depth stream */
    struct book_view view; /* what the reader of the channel believes, unless snap_owed */
    uint64_t beat_ns;      /* when a book record was last sent */
    int64_t venue_time_ns; /* of the last change applied */
    uint64_t top_id;       /* of the newest top seen */
    uint64_t ahead_ns;     /* when the first top ahead of the book came, since its last change; 0 none did */
    int64_t index_price;
    int64_t state_detail;
    const char *stale_why;
    uint8_t state;  /* enum feed_state, as it is */
    uint8_t told;   /* as it was published */
    uint8_t status; /* enum instrument_status, as it is: its own, below the lock */
    uint8_t status_told;
    uint8_t status_own;
    bool locked; /* an index or the whole venue is */
    bool stale;
    bool stale_silent; /* stale because its connection was silent: over when it speaks */
    bool snap_owed;    /* the reader's view is not ours: send all of the top next */
    bool state_owed;   /* state or status must still be told */
};

struct feed_stream {
    struct feed *feed;
    struct conn *conn;
    struct feed_connection plan;
    struct feed_parser parser;
    uint64_t next_send_ns;
    uint64_t login_ns;
    uint64_t renew_ns;
    uint64_t renewing;   /* places whose books are being renewed; 0 none */
    uint64_t served;     /* places whose book the venue said it serves: their silence means nothing */
    uint64_t refused;    /* places whose book it left out of its answer */
    uint32_t step;       /* next subscribe message */
    uint32_t renew_step; /* next message of a renewal */
    bool up;             /* from on_ready to on_down */
    bool subscribing;
    uint64_t heard_ns[FEED_CONNECTION_INSTRUMENTS];    /* last event of each instrument here */
    uint64_t patience_ns[FEED_CONNECTION_INSTRUMENTS]; /* doubles while an instrument stays silent */
    uint8_t place[INSTRUMENT_MAX];                     /* index in plan.instrument + 1 */
};

struct feed_counters {
    counter *messages, *events, *broken, *gaps, *resyncs, *dropped, *snapshots_asked, *snapshots_refused;
    counter *snapshots_old, *control_errors, *reconnects, *silent, *stale, *late_tops, *off_book, *crossed;
    counter *truncated, *live, *lag_ns, *books, *levels, *renewals, *logins_refused, *streams_refused;
    struct histogram *parse;
};

struct feed {
    const struct venue *venue;
    const struct instrument_table *instruments;
    struct channel *out;
    uint64_t stale_ns;
    uint64_t check_ns;
    uint64_t look_ns;
    uint64_t now_ns; /* of the callback or poll we are in */
    int64_t wall_ns; /* of the last poll */
    uint32_t depth;
    uint8_t product;
    bool started;
    uint32_t owed; /* instruments with snap_owed or state_owed */
    uint32_t subscribing;
    uint32_t stream_count, instrument_count;
    struct conn *rest; /* snapshots come this way; NULL when the streams bring them */
    uint32_t asking;   /* instrument slot + 1 whose snapshot is outstanding */
    struct ask_limit limit;
    struct feed_parser rest_parser;
    struct feed_counters count;
    uint32_t untimed; /* messages until the next that is timed */
    struct book_change change;
    struct venue_out request;
    char request_body[256];
    uint8_t place[INSTRUMENT_MAX]; /* slot + 1 */
    struct feed_stream stream[FEED_STREAMS_MAX];
    struct feed_instrument *instrument;
};

struct sink_context {
    struct feed *feed;
    struct feed_stream *stream; /* NULL: a snapshot reply */
};

static struct feed_instrument *instrument_of(struct feed *feed, uint16_t index)
{
    if (index >= INSTRUMENT_MAX || feed->place[index] == 0) {
        return NULL;
    }
    return &feed->instrument[feed->place[index] - 1];
}

/* ---- publishing ------------------------------------------------------------------------------------ */

static void owe(struct feed *feed, bool *what, const struct feed_instrument *in)
{
    if (!in->snap_owed && !in->state_owed) {
        feed->owed++;
    }
    *what = true;
}

static void paid(struct feed *feed, bool *what, const struct feed_instrument *in)
{
    if (*what) {
        *what = false;
        if (!in->snap_owed && !in->state_owed) {
            feed->owed--;
        }
    }
}

static struct slot *claim(struct feed *feed, enum record_type type, uint8_t slot_count, uint16_t instrument)
{
    struct slot *slot = channel_claim(feed->out, slot_count);
    if (POISE_UNLIKELY(slot == NULL)) {
        counter_add(feed->count.dropped, 1);
        return NULL;
    }
    record_begin(slot, type, slot_count, feed->now_ns)->instrument = instrument;
    return slot;
}

static bool publish_state(struct feed *feed, struct feed_instrument *in, enum record_type type,
                          uint32_t value, uint32_t previous, int64_t detail, const char *why)
{
    struct slot *slot = claim(feed, type, 1, in->row->index);
    if (slot == NULL) {
        return false;
    }
    struct record_state *record = (struct record_state *)slot;
    record->value = value;
    record->previous = previous;
    record->detail = detail;
    size_t bytes = strlen(why);
    memcpy(record->text, why, bytes < sizeof record->text ? bytes : sizeof record->text - 1);
    channel_commit(feed->out);
    return true;
}

/* publish_book sends what changed within the top since the last record, or all of it when the reader's view
 * is not ours.  Nothing of a book that is not proved.
 *
 * Journey 3/8: from the full book to a record in the strategy's channel. */
static void publish_book(struct feed *feed, struct feed_instrument *in)
{
    if (!sync_proved(&in->sync)) {
        return;
    }
    struct book *full = &in->sync.book;
    struct book_change *change = &feed->change;
    bool snap = in->snap_owed;
    if (!snap) {
        change->total = change->count[SIDE_BUY] = change->count[SIDE_SELL] = 0;
        for (enum side side = SIDE_BUY; side <= SIDE_SELL; side++) {
            if (full->side[side].changed) {
                book_follow(full, feed->depth, side, &in->view, change);
                full->side[side].changed = false;
            }
        }
        snap = change->total > BOOK_LEVELS_MAX;
        if (change->total == 0 && feed->now_ns - in->beat_ns < BEAT_NS) {
            return;
        }
    }
    if (snap) {
        static const struct book_view nothing;
        book_top(full, feed->depth, &in->view);
        book_diff(&nothing, &in->view, change);
        full->side[SIDE_BUY].changed = full->side[SIDE_SELL].changed = false;
    }

    struct slot *slot = claim(feed, RECORD_BOOK, record_slots_for_levels(change->total), in->row->index);
    if (POISE_UNLIKELY(slot == NULL)) {
        owe(feed, &in->snap_owed, in); /* the view is ahead of the reader's now: all of it is owed */
        return;
    }
    struct record_book *book = (struct record_book *)slot;
    book->head.flags = snap ? RECORD_FLAG_SNAP : 0;
    book->sequence = in->sync.book.last;
    book->venue_time_ns = in->venue_time_ns;
    book->bid_count = (uint8_t)change->count[SIDE_BUY];
    book->ask_count = (uint8_t)change->count[SIDE_SELL];
    for (uint32_t i = 0; i < change->total; i++) {
        *record_level(book, i) = change->level[i];
    }
    channel_commit(feed->out);
    paid(feed, &in->snap_owed, in);
    in->beat_ns = feed->now_ns;
    counter_add(feed->count.books, 1);
    counter_add(feed->count.levels, change->total);
}

static bool is_refused(const struct feed *feed, const struct feed_instrument *in)
{
    for (uint32_t i = 0; i < feed->stream_count; i++) {
        uint8_t place = feed->stream[i].place[in->row->index];
        if (place != 0 && (feed->stream[i].refused >> (place - 1) & 1) != 0) {
            return true;
        }
    }
    return false;
}

static enum feed_state state_now(const struct feed *feed, const struct feed_instrument *in)
{
    switch (in->sync.state) {
    case SYNC_SYNCED:
    case SYNC_REFRESHING:
        return in->stale ? FEED_STALE : FEED_LIVE;
    case SYNC_GAP:
        return FEED_GAP;
    case SYNC_BUFFERING:
        return FEED_SYNCING;
    default:
        break;
    }
    if (is_refused(feed, in)) {
        return FEED_DOWN;
    }
    if (in->home != NULL) {
        return in->home->up ? FEED_SYNCING : FEED_DOWN;
    }
    for (uint32_t i = 0; i < feed->stream_count; i++) {
        const struct feed_stream *stream = &feed->stream[i];
        if (stream->up && stream->place[in->row->index] != 0) {
            return FEED_SYNCING;
        }
    }
    return FEED_DOWN;
}

static const char *state_why(const struct feed *feed, const struct feed_instrument *in)
{
    switch (in->state) {
    case FEED_STALE:
        return in->stale_why;
    case FEED_GAP:
        return in->sync.why;
    case FEED_DOWN:
        return is_refused(feed, in) ? "not served" : in->sync.why;
    default:
        return "";
    }
}

/* tell publishes state and status if they differ from what was told; what finds no room is owed. */
static void tell(struct feed *feed, struct feed_instrument *in)
{
    bool owed = false;
    if (in->state != in->told) {
        /* A book that is believed again comes before the word that it is, so that the reader never trades
         * on the view it had before. */
        if (in->state == FEED_LIVE && in->snap_owed) {
            publish_book(feed, in);
        }
        if ((in->state == FEED_LIVE && in->snap_owed) ||
            !publish_state(feed, in, RECORD_FEED_STATE, in->state, in->told, in->state_detail,
                           state_why(feed, in))) {
            owed = true;
        } else {
            in->told = in->state;
        }
    }
    if (in->status != in->status_told) {
        if (publish_state(feed, in, RECORD_INSTRUMENT_STATE, in->status, in->status_told, in->locked,
                          in->locked ? "locked" : "")) {
            in->status_told = in->status;
        } else {
            owed = true;
        }
    }
    if (owed) {
        owe(feed, &in->state_owed, in);
    } else {
        paid(feed, &in->state_owed, in);
    }
}

/* settle brings the published state in line with what is so. */
static void settle(struct feed *feed, struct feed_instrument *in)
{
    enum feed_state state = state_now(feed, in);
    if (POISE_LIKELY(state == in->state)) {
        return;
    }
    if (state == FEED_LIVE || in->state == FEED_LIVE) {
        counter_add(feed->count.live, state == FEED_LIVE ? 1 : -1);
    }
    in->state = state;
    tell(feed, in);
}

/* ---- what a message means ---------------------------------------------------------------------------- */

static void set_stale(struct feed *feed, struct feed_instrument *in, const char *why, int64_t detail)
{
    bool stale = why != NULL;
    if (stale == in->stale) {
        return;
    }
    in->stale = stale;
    in->stale_silent = stale && in->stale_silent;
    in->stale_why = stale ? why : "";
    in->state_detail = detail;
    if (stale) {
        counter_add(feed->count.stale, 1);
    } else if (sync_proved(&in->sync)) {
        owe(feed, &in->snap_owed, in); /* back to life with all of the top: cheap, and leaves no doubt */
    }
    settle(feed, in);
    in->state_detail = 0;
}

static void after_sync(struct feed *feed, struct feed_instrument *in, enum sync_answer answer)
{
    switch (answer) {
    case SYNC_CHANGED:
        publish_book(feed, in);
        break;
    case SYNC_PROVED:
        counter_add(feed->count.resyncs, 1);
        in->ahead_ns = 0;
        if (!in->snap_owed) {
            owe(feed, &in->snap_owed, in);
        }
        settle(feed, in);
        if (in->snap_owed) {
            publish_book(feed, in); /* it was live before: a refresh */
        }
        break;
    case SYNC_BROKE:
        counter_add(feed->count.gaps, 1);
        settle(feed, in);
        break;
    default:
        settle(feed, in);
        break;
    }
}

static void on_depth(struct feed *feed, struct feed_stream *stream, struct feed_instrument *in,
                     const struct feed_event *event)
{
    if ((event->flags & FEED_EVENT_TOP_N) != 0) {
        return; /* never part of a full book */
    }
    if (stream == NULL) {
        if (!sync_wants_snapshot(&in->sync)) {
            return; /* an answer that nobody waits for any more */
        }
        uint64_t old = in->sync.too_old;
        in->venue_time_ns = event->venue_time_ns;
        enum sync_answer answer = sync_snapshot(&in->sync, event);
        counter_add(feed->count.snapshots_old, (int64_t)(in->sync.too_old - old));
        after_sync(feed, in, answer);
        return;
    }

    uint64_t truncated = in->sync.book.truncated, crossed = in->sync.crossed;
    if (in->depth_stream == NULL) {
        in->depth_stream = in->home = stream;
    }
    in->ahead_ns = 0;
    int64_t late = 0;
    bool whole = (event->flags & FEED_EVENT_SNAPSHOT) != 0;
    if (event->venue_time_ns != 0) {
        in->venue_time_ns = event->venue_time_ns;
    }
    if (event->venue_time_ns != 0 && !whole) { /* a snapshot bears the time of the book's last change */
        late = lag_note(&in->lag, feed->now_ns, event->venue_time_ns);
        counter_set(feed->count.lag_ns, late);
    }
    bool fresh = (uint64_t)late <= feed->stale_ns;
    if (POISE_UNLIKELY(!fresh)) {
        set_stale(feed, in, "late", late);
    }

    after_sync(feed, in, whole ? sync_restart(&in->sync, event) : sync_delta(&in->sync, event));
    if (POISE_UNLIKELY(in->stale && fresh)) {
        set_stale(feed, in, NULL, 0); /* only now: what came after the silence may not link */
    }

    if (POISE_UNLIKELY(in->sync.state == SYNC_SYNCED && !book_knows(&in->sync.book, feed->depth))) {
        sync_near(&in->sync);
    }
    counter_add(feed->count.truncated, (int64_t)(in->sync.book.truncated - truncated));
    counter_add(feed->count.crossed, (int64_t)(in->sync.crossed - crossed));
}

static const char silent_depth[] = "silent depth";

static bool touch_is(const struct book *book, const struct feed_event *event)
{
    const struct level *bid = book_best(book, SIDE_BUY), *ask = book_best(book, SIDE_SELL);
    return (bid != NULL ? bid->price == event->u.top.bid_price && bid->qty == event->u.top.bid_qty
                        : event->u.top.bid_qty == 0) &&
           (ask != NULL ? ask->price == event->u.top.ask_price && ask->qty == event->u.top.ask_qty
                        : event->u.top.ask_qty == 0);
}

/* A top without an id is dated only: one of the very time of the book may be older than it. */
static bool is_late_top(struct feed *feed, struct feed_instrument *in, const struct feed_event *event)
{
    if (event->venue_time_ns <= in->venue_time_ns) {
        return true;
    }
    if (!touch_is(&in->sync.book, event)) {
        in->ahead_ns = in->ahead_ns == 0 ? feed->now_ns : in->ahead_ns;
    } else {
        in->ahead_ns = 0;
        if (in->stale && in->stale_why == silent_depth) {
            set_stale(feed, in, NULL, 0);
        }
    }
    return false;
}

static void on_top(struct feed *feed, struct feed_instrument *in, const struct feed_event *event)
{
    if ((event->flags & FEED_EVENT_PARTIAL) != 0) {
        return;
    }
    if (event->last == 0 && is_late_top(feed, in, event)) {
        counter_add(feed->count.late_tops, 1);
        return;
    }
    if (event->last != 0) {
        if (event->last <= in->top_id || event->last < in->sync.book.last) {
            counter_add(feed->count.late_tops, 1); /* the book, or another connection, was quicker */
            return;
        }
        in->top_id = event->last;
        if (in->ahead_ns == 0 && event->last > in->sync.book.last) {
            in->ahead_ns = feed->now_ns;
        }
    }
    if (!sync_proved(&in->sync)) {
        return;
    }
    struct slot *slot = claim(feed, RECORD_TOP, 1, in->row->index);
    if (POISE_UNLIKELY(slot == NULL)) {
        owe(feed, &in->snap_owed, in);
        return;
    }
    struct record_top *top = (struct record_top *)slot;
    top->bid_price = event->u.top.bid_price;
    top->bid_qty = event->u.top.bid_qty;
    top->ask_price = event->u.top.ask_price;
    top->ask_qty = event->u.top.ask_qty;
    top->venue_time_ns = event->venue_time_ns;
    channel_commit(feed->out);
}

static void on_trade(struct feed *feed, struct feed_instrument *in, const struct feed_event *event)
{
    if ((event->flags & FEED_EVENT_OFF_BOOK) != 0) {
        counter_add(feed->count.off_book, 1); /* says nothing about the price */
        return;
    }
    struct slot *slot = claim(feed, RECORD_TRADE, 1, in->row->index);
    if (POISE_UNLIKELY(slot == NULL)) {
        return;
    }
    struct record_trade *trade = (struct record_trade *)slot;
    trade->price = event->u.trade.price;
    trade->qty = event->u.trade.qty;
    trade->trade_id = event->u.trade.id;
    trade->venue_time_ns = event->venue_time_ns;
    trade->aggressor = event->aggressor;
    channel_commit(feed->out);
}

static void on_mark(struct feed *feed, struct feed_instrument *in, const struct feed_event *event)
{
    if (event->u.mark.index != 0) {
        in->index_price = event->u.mark.index;
    }
    if (event->kind == FEED_EVENT_INDEX || event->u.mark.mark == 0) {
        return; /* goes out with the next mark: a record's stamp is its mark's */
    }
    struct slot *slot = claim(feed, RECORD_MARK, 1, in->row->index);
    if (POISE_UNLIKELY(slot == NULL)) {
        return;
    }
    struct record_mark *mark = (struct record_mark *)slot;
    mark->mark = event->u.mark.mark;
    mark->index = in->index_price;
    if (event->u.mark.has_rate) {
        mark->funding_rate_e12 = event->u.mark.rate_e12;
        mark->next_funding_ns = (event->flags & FEED_EVENT_CONTINUOUS) != 0 ? event->venue_time_ns
                                                                            : event->u.mark.next_funding_ns;
    }
    mark->venue_time_ns = event->venue_time_ns;
    channel_commit(feed->out);
}

/* The venue lists what it serves: what it left out shows as silence, which is watched for each instrument. */
static void on_acknowledged(struct feed *feed, struct feed_stream *stream, const struct feed_event *event)
{
    uint64_t served = 0, refused = 0;
    uint32_t missing =
        feed->venue->feed->acknowledged(feed->instruments, &stream->plan, event, &served, &refused);
    counter_add(feed->count.streams_refused, missing);
    stream->served = (stream->served | served) & ~refused;
    stream->refused = (stream->refused | refused) & ~served;
    for (uint32_t i = 0; (served | refused) != 0 && i < stream->plan.instrument_count; i++) {
        struct feed_instrument *in = instrument_of(feed, stream->plan.instrument[i]);
        if (in != NULL && ((served | refused) >> i & 1) != 0) {
            settle(feed, in);
        }
    }
}

/* login settles what subscribe waits for. */
static void login(struct feed *feed, struct feed_stream *stream, enum feed_login outcome)
{
    if (stream->plan.login == FEED_LOGIN_ASKED) {
        stream->plan.login = (uint8_t)outcome;
        stream->next_send_ns = feed->now_ns;
        counter_add(feed->count.logins_refused, outcome == FEED_LOGIN_REFUSED);
    }
}

static void on_control(struct feed *feed, struct feed_stream *stream, const struct feed_event *event)
{
    if (stream == NULL) {
        return;
    }
    switch (event->control) {
    case CONTROL_SHUTDOWN:
    case CONTROL_STREAM_ENDED:
        counter_add(feed->count.reconnects, 1);
        conn_drop(stream->conn, feed->now_ns);
        return;
    case CONTROL_ERROR:
        /* A refused subscription shows as silence, which is watched for each instrument. */
        counter_add(feed->count.control_errors, 1);
        if (event->u.control_of.of == CONTROL_LOGIN) {
            login(feed, stream, FEED_LOGIN_REFUSED);
        }
        return;
    case CONTROL_LOGIN:
        login(feed, stream, FEED_LOGIN_DONE);
        break;
    case CONTROL_SUBSCRIBED:
        if (feed->venue->feed->acknowledged != NULL) {
            on_acknowledged(feed, stream, event);
        }
        break;
    default:
        break;
    }
    if (feed->venue->feed->reply != NULL) {
        char text[REPLY_BYTES];
        size_t bytes = feed->venue->feed->reply(event, text, sizeof text);
        if (bytes != 0) {
            conn_send_text(stream->conn, (const uint8_t *)text, bytes);
        }
    }
}

static void on_state(struct feed *feed, struct feed_instrument *in, const struct feed_event *event)
{
    if ((event->flags & FEED_EVENT_LOCK) != 0) {
        in->locked = event->status != INSTRUMENT_TRADING;
    } else {
        in->status_own = event->status;
    }
    in->status = in->locked && in->status_own == INSTRUMENT_TRADING ? INSTRUMENT_CANCEL_ONLY : in->status_own;
    if (in->status != in->status_told) {
        tell(feed, in);
    }
}

static void on_event(void *context, const struct feed_event *event)
{
    struct sink_context *from = context;
    struct feed *feed = from->feed;
    counter_add(feed->count.events, 1);
    if (event->kind == FEED_EVENT_CONTROL) {
        on_control(feed, from->stream, event);
        return;
    }
    struct feed_instrument *in = instrument_of(feed, event->instrument);
    if (in == NULL) {
        return;
    }
    if (from->stream != NULL && from->stream->place[event->instrument] != 0) {
        uint32_t place = from->stream->place[event->instrument] - 1u;
        from->stream->heard_ns[place] = feed->now_ns;
        from->stream->patience_ns[place] = 0;
    }
    switch (event->kind) {
    case FEED_EVENT_DEPTH:
        on_depth(feed, from->stream, in, event);
        break;
    case FEED_EVENT_TOP:
        on_top(feed, in, event);
        break;
    case FEED_EVENT_TRADE:
        on_trade(feed, in, event);
        break;
    case FEED_EVENT_MARK:
    case FEED_EVENT_INDEX:
        on_mark(feed, in, event);
        break;
    case FEED_EVENT_STATE:
        on_state(feed, in, event);
        break;
    default:
        break;
    }
}

/* ---- the connections --------------------------------------------------------------------------------- */

/* on_message turns one WebSocket message into events, each published before the next is read.
 *
 * A message that cannot be read is counted and gone.  If it held a change of a book, that book's next change
 * does not link, and the book is asked for again: until then nothing of it is published, because nothing of
 * it changes.
 *
 * Journey 1/8: from a message in the connection's buffer to changes of the full book. */
static void on_message(void *owner, struct conn *conn, uint8_t *bytes, size_t len, bool binary,
                       uint64_t now_ns)
{
    struct feed_stream *stream = owner;
    struct feed *feed = stream->feed;
    struct sink_context context = { feed, stream };
    bool timed = feed->untimed == 0;
    feed->untimed = timed ? MESSAGES_A_SAMPLE - 1 : feed->untimed - 1;
    uint64_t ticks = POISE_UNLIKELY(timed) ? clock_ticks() : 0;
    (void)conn;
    (void)binary;

    feed->now_ns = now_ns;
    counter_add(feed->count.messages, 1);
    int64_t read = feed->venue->feed->parse(&stream->parser, (const char *)bytes, len, on_event, &context);
    if (POISE_UNLIKELY(read <= 0)) {
        counter_add(feed->count.broken, 1);
    }
    if (POISE_UNLIKELY(timed)) {
        histogram_record(feed->count.parse, clock_ticks_ns(clock_ticks() - ticks));
    }
}

/* subscribe sends the next message that is due; the connection is LIVE after the last. */
static void subscribe(struct feed *feed, struct feed_stream *stream, uint64_t now_ns)
{
    uint8_t *frame = conn_frame_begin(stream->conn);
    if (frame == NULL) {
        return; /* on_down is on its way */
    }
    size_t bytes = feed->venue->feed->subscribe(feed->instruments, &stream->plan, stream->step, feed->wall_ns,
                                                (char *)frame, SUBSCRIBE_BYTES);
    if (bytes == FEED_WAIT) {
        if (now_ns >= stream->login_ns) {
            login(feed, stream, FEED_LOGIN_REFUSED);
        } else {
            stream->next_send_ns = now_ns + LOOK_NS;
        }
        return;
    }
    if (bytes != 0) {
        if (conn_frame_commit(stream->conn, bytes, false) == CONN_OK) {
            stream->step++;
            stream->next_send_ns = now_ns + stream->plan.send_pause_ms * NS_PER_MS;
        }
        return;
    }
    stream->subscribing = false;
    feed->subscribing--;
    for (uint32_t i = 0; i < stream->plan.instrument_count; i++) {
        stream->heard_ns[i] = now_ns;
    }
    conn_subscribed(stream->conn, now_ns);
}

static void on_ready(void *owner, struct conn *conn, uint64_t now_ns)
{
    struct feed_stream *stream = owner;
    struct feed *feed = stream->feed;
    (void)conn;
    feed->now_ns = now_ns;
    stream->up = true;
    stream->step = 0;
    stream->next_send_ns = now_ns;
    stream->login_ns = now_ns + LOGIN_NS;
    stream->plan.login = stream->plan.key != NULL ? FEED_LOGIN_ASKED : FEED_LOGIN_NONE;
    stream->served = stream->refused = stream->renewing = 0;
    if (!stream->subscribing) {
        stream->subscribing = true;
        feed->subscribing++;
    }
    for (uint32_t i = 0; i < stream->plan.instrument_count; i++) {
        struct feed_instrument *in = instrument_of(feed, stream->plan.instrument[i]);
        if (in != NULL) {
            settle(feed, in);
        }
    }
    if (stream->plan.key == NULL || feed->wall_ns != 0) {
        subscribe(feed, stream, now_ns); /* else as soon as the time of day is known */
    }
}

static void on_down(void *owner, struct conn *conn, enum conn_reason reason, uint64_t now_ns)
{
    struct feed_stream *stream = owner;
    struct feed *feed = stream->feed;
    (void)conn;
    (void)reason;
    feed->now_ns = now_ns;
    if (stream->subscribing) {
        stream->subscribing = false;
        feed->subscribing--;
    }
    stream->up = false;
    stream->refused = 0;
    for (uint32_t i = 0; i < stream->plan.instrument_count; i++) {
        struct feed_instrument *in = instrument_of(feed, stream->plan.instrument[i]);
        if (in == NULL) {
            continue;
        }
        /* Only the connection that brings the changes takes the proof with it. */
        if (in->depth_stream == stream) {
            in->depth_stream = NULL;
            in->top_id = 0;
            in->ahead_ns = 0;
            in->stale = in->stale_silent = false;
            memset(&in->lag, 0, sizeof in->lag); /* the next connection may take another way */
            if (sync_lost(&in->sync) == SYNC_BROKE) {
                counter_add(feed->count.gaps, 1);
            }
        }
        settle(feed, in);
    }
}

static void on_response_unused(void *owner, struct conn *conn, const struct http_response *response,
                               uint64_t now_ns)
{
    (void)owner;
    (void)conn;
    (void)response;
    (void)now_ns;
}

/* A snapshot came, or the venue said why not. */
static void on_snapshot(void *owner, struct conn *conn, const struct http_response *response, uint64_t now_ns)
{
    struct feed *feed = owner;
    struct sink_context context = { feed, NULL };
    (void)conn;
    feed->now_ns = now_ns;
    if (feed->asking == 0) {
        return;
    }
    struct feed_instrument *in = &feed->instrument[feed->asking - 1];
    feed->asking = 0;
    if (response->status != 200) {
        uint64_t seconds = 0;
        counter_add(feed->count.snapshots_refused, 1);
        http_header_u64(response, "Retry-After", &seconds);
        ask_hold(&feed->limit, response->status, seconds, now_ns);
        return;
    }
    feed->rest_parser.reply_instrument = in->row->index;
    int64_t read = feed->venue->feed->parse(&feed->rest_parser, (const char *)response->body,
                                            response->body_len, on_event, &context);
    if (read <= 0) {
        counter_add(feed->count.broken, 1);
    }
}

static void on_rest_ready(void *owner, struct conn *conn, uint64_t now_ns)
{
    (void)owner;
    (void)conn;
    (void)now_ns;
}

static void on_rest_message(void *owner, struct conn *conn, uint8_t *bytes, size_t len, bool binary,
                            uint64_t now_ns)
{
    (void)owner;
    (void)conn;
    (void)bytes;
    (void)len;
    (void)binary;
    (void)now_ns;
}

static void on_rest_down(void *owner, struct conn *conn, enum conn_reason reason, uint64_t now_ns)
{
    struct feed *feed = owner;
    (void)conn;
    (void)reason;
    (void)now_ns;
    feed->asking = 0; /* the instrument still wants one: it asks again after its pause */
}

static const struct conn_handler stream_handler = {
    .on_ready = on_ready,
    .on_message = on_message,
    .on_response = on_response_unused,
    .on_down = on_down,
};

static const struct conn_handler snapshot_handler = {
    .on_ready = on_rest_ready,
    .on_message = on_rest_message,
    .on_response = on_snapshot,
    .on_down = on_rest_down,
};

/* tidy: from here at start */
/* ---- start ------------------------------------------------------------------------------------------- */

static void add_counters(struct feed *feed, const struct feed_options *options)
{
    const struct {
        counter **where;
        const char *name;
        enum counter_kind kind;
    } list[] = {
        { &feed->count.messages, "messages", COUNTER_SUM },
        { &feed->count.events, "events", COUNTER_SUM },
        { &feed->count.broken, "broken", COUNTER_SUM },
        { &feed->count.gaps, "gaps", COUNTER_SUM },
        { &feed->count.resyncs, "resyncs", COUNTER_SUM },
        { &feed->count.dropped, "dropped", COUNTER_SUM },
        { &feed->count.snapshots_asked, "snapshots_asked", COUNTER_SUM },
        { &feed->count.snapshots_refused, "snapshots_refused", COUNTER_SUM },
        { &feed->count.snapshots_old, "snapshots_old", COUNTER_SUM },
        { &feed->count.control_errors, "control_errors", COUNTER_SUM },
        { &feed->count.reconnects, "reconnects", COUNTER_SUM },
        { &feed->count.silent, "silent_streams", COUNTER_SUM },
        { &feed->count.stale, "stale", COUNTER_SUM },
        { &feed->count.late_tops, "late_tops", COUNTER_SUM },
        { &feed->count.renewals, "renewals", COUNTER_SUM },
        { &feed->count.logins_refused, "logins_refused", COUNTER_SUM },
        { &feed->count.streams_refused, "streams_refused", COUNTER_SUM },
        { &feed->count.off_book, "off_book_trades", COUNTER_SUM },
        { &feed->count.crossed, "crossed", COUNTER_SUM },
        { &feed->count.truncated, "truncated_levels", COUNTER_SUM },
        { &feed->count.books, "books", COUNTER_SUM },
        { &feed->count.levels, "levels", COUNTER_SUM },
        { &feed->count.live, "live_instruments", COUNTER_GAUGE },
        { &feed->count.lag_ns, "lag_ns", COUNTER_GAUGE },
    };
    char name[COUNTER_NAME_BYTES];
    for (size_t i = 0; i < POISE_COUNT_OF(list); i++) {
        snprintf(name, sizeof name, "%s.%s", options->name, list[i].name);
        *list[i].where = counters_add(options->counters, options->writer, name, list[i].kind);
    }
    snprintf(name, sizeof name, "%s.parse", options->name);
    feed->count.parse = counters_add_histogram(options->counters, name);
}

static struct conn *open_conn(struct feed *feed, const struct feed_options *options,
                              const struct venue_endpoint *endpoint, enum conn_kind kind, const char *what,
                              const struct conn_handler *handler, void *owner, char *error,
                              size_t error_bytes)
{
    struct role_address address = { .port = endpoint->port };
    if (!options->resolve(options->resolve_context, options->venue->id, endpoint->host, &address) ||
        address.count == 0) {
        snprintf(error, error_bytes, "%s: no address for %s", options->name, endpoint->host);
        return NULL;
    }
    char name[64];
    snprintf(name, sizeof name, "%s.%s", options->name, what);
    uint64_t patience = feed->stale_ns < NS_PER_S ? NS_PER_S : feed->stale_ns;
    struct conn_options conn = {
        .name = name,
        .kind = kind,
        .tls = options->tls,
        .host = endpoint->host,
        .addresses = address.address,
        .address_count = address.count,
        .port = address.port,
        .path = endpoint->path[0] != 0 ? endpoint->path : "/",
        .inbox_bytes = kind == CONN_WS ? STREAM_INBOX_BYTES : SNAPSHOT_INBOX_BYTES,
        .outbox_bytes = SUBSCRIBE_BYTES,
        /* our own ping asks a quiet venue whether it is there before the silence counts as staleness */
        .timeouts = { .ping_ns = patience / 2, .stale_ns = 3 * patience, .stale_kill_ns = 3 * patience },
    };
    return conn_create(options->net, &conn, handler, owner, error, error_bytes);
}

static bool open_snapshots(struct feed *feed, const struct feed_options *options, char *error,
                           size_t error_bytes)
{
    char host[VENUE_HOST_BYTES] = "";
    if (feed->venue->feed->snapshot == NULL) {
        return true;
    }
    for (uint32_t i = 0; i < feed->instrument_count; i++) {
        feed->request.body = feed->request_body;
        feed->request.body_capacity = sizeof feed->request_body;
        if (!feed->venue->feed->snapshot(feed->instrument[i].row, &feed->request)) {
            continue; /* its stream brings the snapshot */
        }
        const struct venue_endpoint *endpoint = &feed->request.endpoint;
        if (feed->rest == NULL) {
            memcpy(host, endpoint->host, sizeof host);
            feed->rest = open_conn(feed, options, endpoint, CONN_HTTP, "snapshots", &snapshot_handler, feed,
                                   error, error_bytes);
            if (feed->rest == NULL) {
                return false;
            }
        } else if (strcmp(host, endpoint->host) != 0) {
            snprintf(error, error_bytes, "%s: snapshots from two hosts, %s and %s", options->name, host,
                     endpoint->host);
            return false;
        }
    }
    return true;
}

struct feed *feed_create(const struct feed_options *options, char *error, size_t error_bytes)
{
    POISE_ASSERT(options->venue != NULL && options->out != NULL && options->take != NULL);
    if (options->wanted_count == 0 || options->wanted_count > FEED_CONNECTION_INSTRUMENTS) {
        snprintf(error, error_bytes, "%s: %u instruments, must be 1 to %d", options->name,
                 options->wanted_count, FEED_CONNECTION_INSTRUMENTS);
        return NULL;
    }
    if (options->depth_levels == 0 || options->depth_levels > BOOK_DEPTH_MAX) {
        snprintf(error, error_bytes, "%s: depth_levels = %u, must be 1 to %d", options->name,
                 options->depth_levels, BOOK_DEPTH_MAX);
        return NULL;
    }
    uint32_t levels = options->book_levels == 0 ? BOOK_LEVELS_DEFAULT : options->book_levels;
    if (levels < BOOK_LEVELS_MIN) {
        snprintf(error, error_bytes, "%s: book_levels = %u, must be %d or more", options->name, levels,
                 BOOK_LEVELS_MIN);
        return NULL;
    }

    struct feed *feed = options->take(options->take_context, sizeof *feed);
    memset(feed, 0, sizeof *feed);
    feed->venue = options->venue;
    feed->instruments = options->instruments;
    feed->out = options->out;
    feed->stale_ns = options->stale_ns;
    feed->depth = options->depth_levels;
    feed->product = options->product;
    add_counters(feed, options);

    feed->instrument_count = options->wanted_count;
    feed->instrument =
        options->take(options->take_context, options->wanted_count * sizeof(struct feed_instrument));
    memset(feed->instrument, 0, options->wanted_count * sizeof(struct feed_instrument));
    for (uint32_t i = 0; i < options->wanted_count; i++) {
        uint16_t index = options->wanted[i];
        if (index >= options->instruments->count || feed->place[index] != 0) {
            snprintf(error, error_bytes, "%s: instrument %u is unknown or named twice", options->name, index);
            return NULL;
        }
        struct feed_instrument *in = &feed->instrument[i];
        feed->place[index] = (uint8_t)(i + 1);
        in->row = &options->instruments->row[index];
        in->status = in->status_told = in->status_own = in->row->status;
        in->state = in->told = FEED_DOWN;
        in->stale_why = "";
        in->snap_owed = true; /* the reader begins with nothing */
        feed->owed++;
        sync_init(&in->sync, options->take(options->take_context, sync_bytes(levels)), levels,
                  options->product, options->venue->feed->link);
    }

    struct level *scratch = options->take(options->take_context, FEED_LEVELS_MAX * sizeof(struct level));
    struct feed_parser parser = {
        .instruments = options->instruments,
        .venue = options->venue->id,
        .product = options->product,
        .levels = scratch,
        .level_capacity = FEED_LEVELS_MAX,
        .reply_instrument = NO_INSTRUMENT,
    };
    feed->rest_parser = parser;

    struct feed_connection *plan =
        options->take(options->take_context, FEED_STREAMS_MAX * sizeof(struct feed_connection));
    feed->stream_count = options->venue->feed->plan(options->instruments, options->wanted,
                                                    options->wanted_count, plan, FEED_STREAMS_MAX);
    if (feed->stream_count == 0 || feed->stream_count > FEED_STREAMS_MAX) {
        snprintf(error, error_bytes, "%s: the instruments need %u connections, 1 to %d are possible",
                 options->name, feed->stream_count, FEED_STREAMS_MAX);
        return NULL;
    }
    for (uint32_t i = 0; i < feed->stream_count; i++) {
        struct feed_stream *stream = &feed->stream[i];
        stream->feed = feed;
        stream->plan = plan[i];
        stream->plan.key = options->key;
        stream->parser = parser;
        for (uint32_t j = 0; j < plan[i].instrument_count; j++) {
            stream->place[plan[i].instrument[j]] = (uint8_t)(j + 1);
        }
        char what[24];
        snprintf(what, sizeof what, "stream.%u", i);
        stream->conn = open_conn(feed, options, &plan[i].endpoint, CONN_WS, what, &stream_handler, stream,
                                 error, error_bytes);
        if (stream->conn == NULL) {
            return NULL;
        }
    }
    return open_snapshots(feed, options, error, error_bytes) ? feed : NULL;
}

void feed_start(struct feed *feed, uint64_t now_ns)
{
    feed->started = true;
    feed->now_ns = now_ns;
    for (uint32_t i = 0; i < feed->stream_count; i++) {
        conn_open(feed->stream[i].conn, now_ns);
    }
    if (feed->rest != NULL) {
        conn_open(feed->rest, now_ns);
    }
}

void feed_stop(struct feed *feed, uint64_t now_ns)
{
    feed->started = false;
    for (uint32_t i = 0; i < feed->stream_count; i++) {
        conn_close(feed->stream[i].conn, now_ns);
    }
    if (feed->rest != NULL) {
        conn_close(feed->rest, now_ns);
    }
}

/* tidy: from here hot */
/* ---- what time asks for ------------------------------------------------------------------------------ */

/* pay sends what found no room before. */
static uint32_t pay(struct feed *feed)
{
    uint32_t done = 0;
    if (channel_free(feed->out) < 2 * RECORD_SLOTS_MAX) {
        return 0; /* still full: not another refusal to count */
    }
    for (uint32_t i = 0; i < feed->instrument_count && feed->owed != 0; i++) {
        struct feed_instrument *in = &feed->instrument[i];
        if (!in->snap_owed && !in->state_owed) {
            continue;
        }
        bool snap = in->snap_owed, state = in->state_owed;
        if (in->state_owed) {
            tell(feed, in);
        }
        if (in->snap_owed && sync_proved(&in->sync) && in->told == in->state) {
            publish_book(feed, in);
        }
        done += (snap != in->snap_owed) + (state != in->state_owed);
    }
    return done;
}

/* watch_instrument finds silence where the connection as a whole is not silent: a subscription that the
 * venue acknowledged and does not serve, a stream that stopped. */
static void watch_instrument(struct feed *feed, struct feed_instrument *in, uint64_t now_ns)
{
    struct feed_stream *stream = in->depth_stream;
    if (stream == NULL || !sync_proved(&in->sync)) {
        return;
    }
    uint64_t heard = conn_heard_ns(stream->conn);
    bool silent = now_ns > heard && now_ns - heard > feed->stale_ns;
    if (silent && !in->stale) {
        in->stale_silent = true;
        set_stale(feed, in, "silent connection", (int64_t)(now_ns - heard));
    } else if (!silent && in->stale && in->stale_silent) {
        set_stale(feed, in, NULL, 0); /* nothing happens in this market, but the venue is there */
    } else if (in->ahead_ns != 0 && now_ns - in->ahead_ns > feed->stale_ns) {
        /* the touch moves and the book does not */
        set_stale(feed, in, silent_depth, (int64_t)(now_ns - in->ahead_ns));
    }
}

static void watch_stream(struct feed *feed, struct feed_stream *stream, uint64_t now_ns)
{
    uint64_t patience = base_max((int64_t)PATIENCE_MIN_NS, (int64_t)(10 * feed->stale_ns));
    if (!stream->up || stream->subscribing) {
        return;
    }
    for (uint32_t i = 0; i < stream->plan.instrument_count; i++) {
        if (stream->patience_ns[i] < patience) {
            stream->patience_ns[i] = patience;
        }
        bool served = (stream->served >> i & 1) != 0;
        if (!served && now_ns - stream->heard_ns[i] > stream->patience_ns[i]) {
            /* An instrument that never trades must not keep the others from their data: wait twice as long
             * next time. */
            stream->patience_ns[i] *= 2;
            if (stream->patience_ns[i] > PATIENCE_MAX_NS) {
                stream->patience_ns[i] = PATIENCE_MAX_NS;
            }
            counter_add(feed->count.silent, 1);
            conn_drop(stream->conn, now_ns);
            return;
        }
    }
}

static bool ask_one(struct feed *feed, struct feed_instrument *in, uint64_t now_ns)
{
    struct venue_out *request = &feed->request;
    request->body = feed->request_body;
    request->body_capacity = sizeof feed->request_body;
    request->body_bytes = 0;
    request->header_bytes = 0;
    request->weight = 0;
    if (!feed->venue->feed->snapshot(in->row, request)) {
        return false;
    }
    POISE_ASSERT(request->path_bytes < sizeof request->path &&
                 request->header_bytes < sizeof request->header);
    request->path[request->path_bytes] = 0;
    request->header[request->header_bytes] = 0;
    if (conn_request(feed->rest, request->method, request->path,
                     request->header_bytes != 0 ? request->header : NULL, NULL, 0, now_ns) != CONN_OK) {
        return false;
    }
    ask_done(&in->ask, &feed->limit, request->weight, now_ns);
    feed->asking = (uint32_t)(in - feed->instrument) + 1;
    counter_add(feed->count.snapshots_asked, 1);
    return true;
}

/* ask_snapshot asks for the first instrument that wants one and may; one request is under way at a time. */
static uint32_t ask_snapshot(struct feed *feed, uint64_t now_ns)
{
    if (feed->rest == NULL || feed->asking != 0 || now_ns < feed->look_ns) {
        return 0;
    }
    feed->look_ns = now_ns + LOOK_NS;
    for (uint32_t i = 0; i < feed->instrument_count; i++) {
        struct feed_instrument *in = &feed->instrument[i];
        if (sync_wants_snapshot(&in->sync) && ask_may(&in->ask, &feed->limit, now_ns)) {
            return conn_can_request(feed->rest) && ask_one(feed, in, now_ns) ? 1 : 0;
        }
    }
    return 0;
}

/* wants_renewal gathers the books of a stream that want a snapshot and may ask. */
static uint64_t wants_renewal(struct feed *feed, struct feed_stream *stream, uint64_t now_ns)
{
    uint64_t places = 0;
    for (uint32_t i = 0; i < stream->plan.instrument_count; i++) {
        struct feed_instrument *in = instrument_of(feed, stream->plan.instrument[i]);
        if (in != NULL && in->depth_stream == stream && sync_wants_snapshot(&in->sync) &&
            ask_may(&in->ask, &feed->limit, now_ns)) {
            ask_done(&in->ask, &feed->limit, 1, now_ns);
            places |= 1ULL << i;
        }
    }
    return places;
}

/* renew makes a stream bring its lost books anew, all that wait at once: a message a call. */
static uint32_t renew(struct feed *feed, struct feed_stream *stream, uint64_t now_ns)
{
    if (!stream->up || stream->subscribing || now_ns < stream->next_send_ns) {
        return 0;
    }
    if (stream->renewing == 0) {
        if (now_ns < stream->renew_ns || (stream->renewing = wants_renewal(feed, stream, now_ns)) == 0) {
            return 0;
        }
        stream->renew_step = 0;
        stream->renew_ns = now_ns + stream->plan.renew_pause_ms * NS_PER_MS;
        counter_add(feed->count.renewals, 1);
    }
    uint8_t *frame = conn_frame_begin(stream->conn);
    if (frame == NULL) {
        return 0; /* on_down is on its way */
    }
    size_t bytes = feed->venue->feed->renew(feed->instruments, &stream->plan, stream->renewing,
                                            stream->renew_step, (char *)frame, SUBSCRIBE_BYTES);
    if (bytes == 0) {
        stream->renewing = 0;
    } else if (conn_frame_commit(stream->conn, bytes, false) == CONN_OK) {
        stream->renew_step++;
        stream->next_send_ns = now_ns + stream->plan.send_pause_ms * NS_PER_MS;
    }
    return 1;
}

static uint32_t renew_books(struct feed *feed, uint64_t now_ns)
{
    uint32_t done = 0;
    if (feed->venue->feed->renew == NULL || now_ns < feed->look_ns) {
        return 0;
    }
    feed->look_ns = now_ns + LOOK_NS;
    for (uint32_t i = 0; i < feed->stream_count; i++) {
        done += renew(feed, &feed->stream[i], now_ns);
    }
    return done;
}

uint32_t feed_poll(struct feed *feed, uint64_t now_ns, int64_t wall_ns)
{
    uint32_t done = 0;
    feed->wall_ns = wall_ns;
    feed->now_ns = now_ns;
    if (!feed->started) {
        return 0;
    }
    if (POISE_UNLIKELY(feed->owed != 0)) {
        done += pay(feed);
    }
    if (POISE_UNLIKELY(feed->subscribing != 0)) {
        for (uint32_t i = 0; i < feed->stream_count; i++) {
            struct feed_stream *stream = &feed->stream[i];
            if (stream->subscribing && now_ns >= stream->next_send_ns) {
                subscribe(feed, stream, now_ns);
                done++;
            }
        }
    }
    done += ask_snapshot(feed, now_ns);
    done += renew_books(feed, now_ns);
    if (POISE_UNLIKELY(now_ns >= feed->check_ns)) {
        feed->check_ns = now_ns + feed->stale_ns / 16;
        for (uint32_t i = 0; i < feed->instrument_count; i++) {
            watch_instrument(feed, &feed->instrument[i], now_ns);
        }
        for (uint32_t i = 0; i < feed->stream_count; i++) {
            watch_stream(feed, &feed->stream[i], now_ns);
        }
    }
    return done;
}

bool feed_live(const struct feed *feed)
{
    for (uint32_t i = 0; i < feed->instrument_count; i++) {
        if (feed->instrument[i].told != FEED_LIVE) {
            return false;
        }
    }
    return true;
}

enum feed_state feed_state_of(const struct feed *feed, uint16_t instrument)
{
    if (instrument >= INSTRUMENT_MAX || feed->place[instrument] == 0) {
        return FEED_DOWN;
    }
    return (enum feed_state)feed->instrument[feed->place[instrument] - 1].told;
}

uint32_t feed_connection_count(const struct feed *feed)
{
    return feed->stream_count + (feed->rest != NULL ? 1 : 0);
}
