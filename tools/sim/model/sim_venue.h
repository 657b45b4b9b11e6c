/* sim_venue: the venue model: accounts, orders, matching against a recorded market, margin, fees, funding.
 *
 * It has no wire format, no clock and performs no input or output: every call carries the venue's time
 * (now_ns, never going backwards) and everything the outside may see leaves through one callback, in order,
 * during the call.  Latency is not here either: whoever feeds it decides when an order arrives and delays
 * what comes out (sim_delay).  One thread.
 *
 * The rules of matching (numbers as in the room's README):
 *  1. A passive order queues behind the size in view at its price.  A trade at its price first consumes what
 *     is ahead; a trade through it, or a recorded opposite touch at or through it, fills it up to that size,
 *     at the order's own price.  A size decrease that trades do not explain is taken from behind the order
 *     while it can be (cancel_ahead none) or in proportion (prorata); an order is never behind more than is
 *     displayed.
 *  2. What a taker consumes stays consumed until the recording raises that level; the book behind is walked
 *     level by level.
 *  3. Our orders and trades are part of what is published; a recorded trade that fills one of ours is printed
 *     once, split.  An event seen both in a trade and in a depth frame counts once.
 *  4. Post-only and IOC are decided when the order arrives, that is, in the call.
 *  5. Sequences continue over a SIM_TAPE_END and the SNAPSHOT after it; the profit of that jump is summed
 *     apart (jump_e8).
 *  No market impact beyond rule 2 is modelled. */
#ifndef TOOLS_SIM_MODEL_SIM_VENUE_H
#define TOOLS_SIM_MODEL_SIM_VENUE_H

#include "tools/sim/model/sim_book.h"
#include "tools/sim/model/sim_ledger.h"
#include "tools/sim/model/sim_random.h"
#include "tools/sim/model/sim_types.h"

#define SIM_INSTRUMENT_MAX 16
#define SIM_ACCOUNT_MAX    64
#define SIM_ASSET_MAX      8
#define SIM_CLIENT_ID_MAX  65

enum sim_tif { SIM_GTC, SIM_IOC, SIM_FOK, SIM_GTD };
enum sim_stp { SIM_STP_NONE, SIM_STP_EXPIRE_TAKER, SIM_STP_EXPIRE_MAKER, SIM_STP_EXPIRE_BOTH };
enum sim_cancel_ahead { SIM_CANCEL_AHEAD_NONE, SIM_CANCEL_AHEAD_PRORATA };

enum sim_order_state {
    SIM_ORDER_NEW,              /* live, nothing filled */
    SIM_ORDER_PARTIALLY_FILLED, /* live, something filled */
    SIM_ORDER_FILLED,
    SIM_ORDER_CANCELED,
    SIM_ORDER_EXPIRED,
    SIM_ORDER_EXPIRED_IN_MATCH, /* self-trade prevention */
};

enum sim_exec {
    SIM_EXEC_NEW,
    SIM_EXEC_TRADE,
    SIM_EXEC_CANCELED,
    SIM_EXEC_EXPIRED,
    SIM_EXEC_AMENDED,    /* price or quantity changed, time priority lost */
    SIM_EXEC_REPLACED,   /* quantity lowered, time priority kept */
    SIM_EXEC_CALCULATED, /* a fill the venue forced: liquidation or deleveraging */
};

enum sim_expiry {
    SIM_EXPIRY_NONE,
    SIM_EXPIRY_STP,
    SIM_EXPIRY_IOC,
    SIM_EXPIRY_REDUCE_ONLY,
    SIM_EXPIRY_LIQUIDATION,
    SIM_EXPIRY_MARKET,
    SIM_EXPIRY_FOK,
    SIM_EXPIRY_POST_ONLY,
    SIM_EXPIRY_GTD,
};

enum sim_reject {
    SIM_ACCEPTED,
    SIM_REJECT_QTY_ZERO,
    SIM_REJECT_QTY_STEP,
    SIM_REJECT_QTY_MIN,
    SIM_REJECT_QTY_MAX,
    SIM_REJECT_PRICE_ZERO,
    SIM_REJECT_PRICE_TICK,
    SIM_REJECT_PRICE_LOW, /* below the instrument's smallest price */
    SIM_REJECT_PRICE_BIG, /* above its largest */
    SIM_REJECT_BAND_HIGH, /* above mark * (1 + band) */
    SIM_REJECT_BAND_LOW,
    SIM_REJECT_NOTIONAL,
    SIM_REJECT_DUPLICATE, /* client id of a live order */
    SIM_REJECT_BALANCE,   /* spot */
    SIM_REJECT_MARGIN,    /* contracts */
    SIM_REJECT_REDUCE_ONLY,
    SIM_REJECT_POST_ONLY,
    SIM_REJECT_FOK,
    SIM_REJECT_MAX_ORDERS,
    SIM_REJECT_HALTED,
    SIM_REJECT_NO_ORDER,
    SIM_REJECT_NO_CHANGE,
    SIM_REJECT_MAX_AMENDS,
    SIM_REJECT_AMEND_QTY, /* keep-priority amend: not between filled and current quantity */
    SIM_REJECT_NO_BOOK,   /* market order, nothing on the other side */
};

struct sim_order {
    uint64_t id;
    size_t index; /* among all orders of the venue, in the order of their arrival */
    char client_id[SIM_CLIENT_ID_MAX];
    char prior_client_id[SIM_CLIENT_ID_MAX]; /* before the last amend, "" otherwise */
    int account;
    int instrument;
    enum sim_side side;
    enum sim_tif tif;
    enum sim_stp stp;
    bool market;
    bool post_only;
    bool reduce_only;
    int64_t price; /* 0 for a market order */
    int64_t qty;
    int64_t filled;
    struct sim_position filled_sum; /* of |filled|: exact notional, for averages */
    enum sim_order_state state;
    enum sim_expiry expiry;
    int64_t created_ns;
    int64_t updated_ns;
    int64_t good_till_ns; /* 0: none */
    int64_t locked_e8;    /* spot: cash set aside while it rests */
    int amends;
    /* the place in the queue, while resting */
    bool resting;
    int64_t ahead;  /* recorded size still before this order */
    int64_t credit; /* of which already given back for a decrease seen in depth first */
    int64_t credit_stamp_ms;
    int64_t placed_u;
    int64_t placed_stamp_ms; /* ladder time at placement: trades not newer were in view already */
    uint64_t priority;
    uint32_t next_same_hash;
};

struct sim_fill {
    int64_t trade_id;
    int64_t trade_seq;
    uint64_t order_id;
    int account;
    int instrument;
    enum sim_side side;
    enum sim_exec exec;
    int64_t price;
    int64_t qty;
    int64_t value_e8;
    int64_t fee_e8;
    char fee_asset[8];
    int64_t pnl_e8;
    bool maker;
    int64_t time_ns;
};

struct sim_transfer { /* a deposit or withdrawal while the venue ran */
    int account;
    enum sim_kind kind; /* whose wallet */
    const char *asset;
    int64_t amount_e8, time_ns, id;
};

struct sim_payment { /* funding */
    int account;
    int instrument;
    int64_t amount_e8;
    int64_t mark_e8;
    int64_t rate_e8;
    int64_t time_ns;
    int64_t id;
};

struct sim_cash {
    char asset[8];
    int64_t free_e8; /* may be negative on a contract wallet: a loss beyond the deposit */
    int64_t locked_e8;
    int64_t deposited_e8;
};

struct sim_wallet {
    struct sim_cash cash[SIM_ASSET_MAX];
    int count;
    int64_t updated_ns;
};

struct sim_holding {              /* one account in one instrument */
    struct sim_position position; /* on spot: bought minus sold since start */
    int leverage;
    int64_t realised_e8;
    int64_t fees_e8;      /* in the settlement asset */
    int64_t base_fees_e8; /* spot buys pay in the base asset */
    int64_t funding_e8;
    int64_t jump_e8; /* profit made by the tape starting again, in the settlement asset */
    /* Where funding accrues: what is not paid yet, and what the last settlement turned into cash. */
    __int128 accrued_e16;
    int64_t accrued_ns;
    int64_t settled_e8;            /* of realised, funding and unrealised together */
    int64_t settled_unrealised_e8; /* of that, the part of the position still held */
    __int128 rounding_e16;
    int64_t bought;
    int64_t sold;
    uint64_t fills;
    uint64_t maker_fills;
    int64_t countdown_ns; /* when every order here is cancelled, 0 when not armed */
    int64_t updated_ns;
};

struct sim_account {
    char name[72];
    struct sim_wallet wallet[SIM_KIND_COUNT];
    struct sim_holding holding[SIM_INSTRUMENT_MAX];
    uint64_t orders;
    uint64_t cancels;
    uint64_t amends;
    uint64_t rejects;
    uint64_t liquidations;
};

enum sim_event_kind {
    SIM_EVENT_DEPTH,   /* published levels: absolute sizes, first_u..u after pu */
    SIM_EVENT_TOP,     /* published best bid and ask, size 0 where a side is empty */
    SIM_EVENT_TRADE,   /* one published trade */
    SIM_EVENT_MARK,    /* mark, index and funding estimate, every second */
    SIM_EVENT_ORDER,   /* a private execution report */
    SIM_EVENT_FUNDING, /* a private payment */
    SIM_EVENT_BALANCE, /* a private deposit or withdrawal */
    SIM_EVENT_FEED_END,
    SIM_EVENT_FEED_START,
    SIM_EVENT_SETTLEMENT, /* every account of the venue was settled */
};

struct sim_event {
    enum sim_event_kind kind;
    int instrument;
    int account; /* private events */
    int64_t now_ns;
    int64_t first_u;
    int64_t u;
    int64_t pu;
    const struct sim_level *levels; /* DEPTH: bids ascending, then asks ascending; TOP: bid, ask */
    uint32_t bid_count;
    uint32_t ask_count;
    int64_t trade_id;
    int64_t trade_seq;
    int64_t price;
    int64_t qty;
    bool buyer_is_maker;
    const struct sim_order *order; /* ORDER: valid during the callback, as are the account's sums */
    enum sim_exec exec;
    int64_t exec_id;
    bool maker;
    int64_t fee_e8;
    const char *fee_asset; /* NULL when there is no fee */
    int64_t pnl_e8;
    const struct sim_payment *payment;
};

typedef void sim_emit_fn(void *user, const struct sim_event *event);

struct sim_market { /* what is published of an instrument beside its book */
    struct sim_instrument instrument;
    struct sim_book book;
    bool live;   /* between FEED_START and FEED_END */
    bool halted; /* new orders are refused */
    int64_t last_u;
    int64_t last_top_u;
    int64_t mark_e8; /* 0 while unknown */
    int64_t index_e8;
    int64_t next_funding_ns;
    int64_t funding_rate_e8;
    bool funding_given; /* where funding accrues: the rate is not computed from the premium */
};

/* What one venue does and another does not; all false is Binance. */
struct sim_rules {
    bool one_wallet;     /* a currency is one balance, whatever is traded against it */
    bool names_repeat;   /* a client id may name several live orders */
    bool fok_expires;    /* a contract's fill-or-kill that cannot fill is accepted, then expires */
    bool touch_in_depth; /* a touch that runs ahead of the recorded depth is told in depth at once */
    bool accrues;        /* funding accrues with time by the premium; profit turns into cash at 08:00 UTC */
};

struct sim_place {
    int account;
    int instrument;
    const char *client_id; /* NULL: the venue makes one */
    enum sim_side side;
    enum sim_tif tif;
    enum sim_stp stp;
    bool market;
    bool post_only;
    bool reduce_only;
    bool post_only_expires; /* would cross: accepted then expired, instead of refused */
    int64_t price;
    int64_t qty;
    int64_t spend_e8; /* market buy on spot by amount of quote; qty is then ignored */
    int64_t good_till_ns;
};

struct sim_venue;

struct sim_venue *sim_venue_new(uint64_t seed, enum sim_cancel_ahead cancel_ahead, sim_emit_fn *emit,
                                void *user);
void sim_venue_free(struct sim_venue *venue);

/* sim_venue_rules says how the venue differs; before instruments and accounts are added. */
void sim_venue_rules(struct sim_venue *venue, const struct sim_rules *rules);
const struct sim_rules *sim_venue_ruled(const struct sim_venue *venue);

/* sim_venue_add_instrument and sim_venue_add_account answer the index used in every other call, -1 when the
 * table is full. */
int sim_venue_add_instrument(struct sim_venue *venue, const struct sim_instrument *instrument);
int sim_venue_add_account(struct sim_venue *venue, const char *name);

/* sim_venue_deposit changes a wallet; amount may be negative.  Emits BALANCE when now_ns > 0. */
void sim_venue_deposit(struct sim_venue *venue, int account, enum sim_kind kind, const char *asset,
                       int64_t amount_e8, int64_t now_ns);

/* sim_venue_tape takes one recorded event.  While primed is set (the part of a recording before the start)
 * only the book moves: nothing is matched, nothing published. */
void sim_venue_tape(struct sim_venue *venue, const struct sim_tape_event *event, bool priming,
                    int64_t now_ns);

/* sim_venue_start ends priming: publishes FEED_START and settles the jump of a tape that began again. */
void sim_venue_start(struct sim_venue *venue, int instrument, int64_t now_ns);

/* sim_venue_place decides an order that arrives now.  ACCEPTED: *order is the order after matching, its
 * reports already emitted.  Else nothing happened, except SIM_REJECT_POST_ONLY with post_only_expires. */
enum sim_reject sim_venue_place(struct sim_venue *venue, const struct sim_place *place, int64_t now_ns,
                                struct sim_order **order);

/* sim_venue_cancel cancels a live order; NO_ORDER for NULL or one not live. */
enum sim_reject sim_venue_cancel(struct sim_venue *venue, struct sim_order *order, int64_t now_ns);

/* sim_venue_cancel_all cancels an account's orders in an instrument and answers how many. */
int sim_venue_cancel_all(struct sim_venue *venue, int account, int instrument, int64_t now_ns);

/* sim_venue_modify changes price and quantity, losing time priority.  An order that would now be filled
 * already (qty <= filled), or a post-only one that would take, is cancelled: ACCEPTED with state CANCELED. */
enum sim_reject sim_venue_modify(struct sim_venue *venue, struct sim_order *order, int64_t price, int64_t qty,
                                 int64_t now_ns);

/* sim_venue_reduce lowers the quantity, keeping time priority; client_id renames the order when not NULL. */
enum sim_reject sim_venue_reduce(struct sim_venue *venue, struct sim_order *order, int64_t qty,
                                 const char *client_id, int64_t now_ns);

/* sim_venue_find_id and _find_client look among all orders ever; the newest of a client id wins. */
struct sim_order *sim_venue_find_id(struct sim_venue *venue, int account, int instrument, uint64_t id);
struct sim_order *sim_venue_find_client(struct sim_venue *venue, int account, int instrument,
                                        const char *client_id);

/* sim_venue_open writes an account's resting orders in an instrument, oldest first; answers how many. */
size_t sim_venue_open(const struct sim_venue *venue, int account, int instrument, struct sim_order **out,
                      size_t max);

/* sim_venue_countdown arms (deadline_ns) or disarms (0) the dead-man of an account in an instrument. */
void sim_venue_countdown(struct sim_venue *venue, int account, int instrument, int64_t deadline_ns);

/* sim_venue_liquidate closes a position by force against the book, as the venue would. */
void sim_venue_liquidate(struct sim_venue *venue, int account, int instrument, int64_t now_ns);

/* sim_venue_deleverage closes a share of a position against somebody else's at the mark, as the venue does
 * when its fund is empty; nothing of it is in the book. */
void sim_venue_deleverage(struct sim_venue *venue, int account, int instrument, int64_t share_ppm,
                          int64_t now_ns);

/* sim_venue_settle pays accrued funding and notes that all profit so far is cash; venues that accrue only. */
void sim_venue_settle(struct sim_venue *venue, int64_t now_ns);

/* sim_venue_advance does what is due by now: marks, funding, dead-men, good-till dates, liquidations.
 * sim_venue_next_ns answers when it wants to be called again. */
void sim_venue_advance(struct sim_venue *venue, int64_t now_ns);
int64_t sim_venue_next_ns(const struct sim_venue *venue);

/* sim_venue_depth writes the best levels in view, ours included, best first; answers how many. */
size_t sim_venue_depth(const struct sim_venue *venue, int instrument, int side, struct sim_level *out,
                       size_t max);

/* Reading what is there; all pointers are the venue's own. */
struct sim_market *sim_venue_market(struct sim_venue *venue, int instrument);
struct sim_account *sim_venue_account(struct sim_venue *venue, int account);
struct sim_cash *sim_venue_cash(struct sim_venue *venue, int account, enum sim_kind kind, const char *asset);
int sim_venue_instrument_count(const struct sim_venue *venue);
int sim_venue_account_count(const struct sim_venue *venue);
size_t sim_venue_order_count(const struct sim_venue *venue);
struct sim_order *sim_venue_order(struct sim_venue *venue, size_t index);
size_t sim_venue_fill_count(const struct sim_venue *venue);
const struct sim_fill *sim_venue_fill(const struct sim_venue *venue, size_t index);
size_t sim_venue_transfer_count(const struct sim_venue *venue);
const struct sim_transfer *sim_venue_transfer(const struct sim_venue *venue, size_t index);
size_t sim_venue_payment_count(const struct sim_venue *venue);
const struct sim_payment *sim_venue_payment(const struct sim_venue *venue, size_t index);
int64_t sim_venue_unrealised(struct sim_venue *venue, int account, int instrument);

/* sim_venue_equity answers cash, unrealised profit and accrued funding of an asset. */
int64_t sim_venue_equity(struct sim_venue *venue, int account, enum sim_kind kind, const char *asset);

/* sim_venue_margin answers what an account's positions and orders of a kind tie up in an asset, at 10^-8:
 * initial margin at each instrument's leverage, and maintenance.  Either pointer may be NULL. */
void sim_venue_margin(struct sim_venue *venue, int account, enum sim_kind kind, const char *asset,
                      int64_t *position_initial_e8, int64_t *order_initial_e8, int64_t *maintenance_e8);

/* sim_venue_partials makes a maker fill take only a part of its size with this chance. */
void sim_venue_partials(struct sim_venue *venue, int64_t parts_per_million);

/* sim_venue_live is true while an order can still fill. */
bool sim_venue_live(const struct sim_order *order);

#endif
