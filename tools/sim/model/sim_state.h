/* sim_state: what sim_venue, sim_match and sim_publish share and nobody else may see. */
#ifndef TOOLS_SIM_MODEL_SIM_STATE_H
#define TOOLS_SIM_MODEL_SIM_STATE_H

#include "tools/sim/model/sim_venue.h"

#define SIM_HASH_BUCKETS 16384
#define SIM_RECENT_MAX   256
#define SIM_SEQ_MAX      8
#define SIM_FAMILY_MAX   4

struct sim_recent { /* a recorded trade not yet known to be inside a depth frame */
    int64_t stamp_ms;
    int64_t price;
    int64_t qty;
    enum sim_side side; /* the book side it took from */
};

struct sim_prices {
    int64_t *price;
    size_t count;
    size_t capacity;
};

struct sim_seq {
    int64_t id;
    int64_t seq;
};

struct sim_floor { /* one instrument: market, resting orders, publication */
    struct sim_market market;
    struct sim_order **resting[2]; /* best price first, then oldest */
    size_t resting_count[2];
    size_t resting_capacity[2];
    struct sim_recent recent[SIM_RECENT_MAX];
    size_t recent_count;
    struct sim_prices dirty[2]; /* prices whose published size may have changed */
    struct sim_level *out;
    size_t out_capacity;
    struct sim_level top[2]; /* as last published */
    int64_t u_offset;        /* published id = recorded id + offset */
    int64_t next_trade_id;
    int64_t next_trade_seq;
    struct sim_seq recent_seq[SIM_SEQ_MAX]; /* of the last trades, by id modulo */
    bool ended;                             /* a tape ended: the next start settles the jump */
    int64_t equity_e8[SIM_ACCOUNT_MAX];
    bool index_follows; /* the index has begun at its source */
    int64_t next_mark_publish_ns;
};

struct sim_venue {
    sim_emit_fn *emit;
    void *user;
    enum sim_cancel_ahead cancel_ahead;
    struct sim_rules rules;
    int64_t family_trade_id[SIM_FAMILY_MAX];
    int64_t next_settle_ns;
    struct sim_floor *floor[SIM_INSTRUMENT_MAX];
    int floor_count;
    struct sim_account *account[SIM_ACCOUNT_MAX];
    int account_count;
    struct sim_order **order;
    size_t order_count, order_capacity;
    struct sim_fill *fill;
    size_t fill_count, fill_capacity;
    struct sim_transfer *transfer;
    size_t transfer_count, transfer_capacity;
    struct sim_payment *payment;
    size_t payment_count, payment_capacity;
    uint32_t hash[SIM_HASH_BUCKETS];
    uint64_t next_priority;
    uint64_t next_order_id[SIM_INSTRUMENT_MAX];
    int64_t next_exec_id;
    int64_t next_tick_ns;
    int64_t partial_ppm;
    struct sim_random partial_random;
    struct sim_random id_random;
};

/* sim_state_grow is realloc for arrays; memory exhaustion ends the program. */
void *sim_state_grow(void *memory, size_t *capacity, size_t need, size_t size);

/* --- sim_publish: what the public streams say ------------------------------------------------------- */

/* sim_publish_dirty notes that the published size at a price may have changed. */
void sim_publish_dirty(struct sim_floor *floor, int side, int64_t price);

/* sim_publish_gap notes every price whose view differs between ladder and touch. */
void sim_publish_gap(struct sim_floor *floor);

/* sim_publish_depth emits one DEPTH event: the frame's levels (frame may be NULL: an event of our own) and
 * what is dirty.  Nothing when there is nothing to say. */
void sim_publish_depth(struct sim_venue *venue, int instrument, const struct sim_tape_event *frame,
                       int64_t now_ns);

/* sim_publish_top emits TOP when it differs from the last; recorded_u is 0 for an event of our own. */
void sim_publish_top(struct sim_venue *venue, int instrument, int64_t recorded_u, int64_t now_ns);

/* sim_publish_trade emits TRADE and answers its id. */
int64_t sim_publish_trade(struct sim_venue *venue, int instrument, int64_t price, int64_t qty,
                          bool buyer_is_maker, int64_t now_ns);

/* sim_publish_restart links the ids of a recording that begins again behind what was published. */
void sim_publish_restart(struct sim_floor *floor, int64_t recorded_u);

/* --- sim_match: who fills whom ---------------------------------------------------------------------- */

/* sim_match_trade, _depth and _top are rule 1 and 2 for the three kinds of recorded events. */
void sim_match_trade(struct sim_venue *venue, const struct sim_tape_event *event, int64_t now_ns);
void sim_match_depth(struct sim_venue *venue, const struct sim_tape_event *event, int64_t now_ns);
void sim_match_top(struct sim_venue *venue, const struct sim_tape_event *event, int64_t now_ns);

/* sim_match_crossed fills resting orders from a recorded opposite touch at or through them. */
void sim_match_crossed(struct sim_venue *venue, int instrument, int64_t now_ns);

/* sim_match_take lets an arriving order take what its price allows; forced is a liquidation. */
void sim_match_take(struct sim_venue *venue, struct sim_order *order, bool forced, int64_t now_ns);

/* sim_match_available answers how much an order could take at once (up to qty). */
int64_t sim_match_available(struct sim_venue *venue, int instrument, enum sim_side side, bool market,
                            int64_t price, int64_t qty);

/* sim_match_would_take is true when a limit order at price would not rest. */
bool sim_match_would_take(struct sim_venue *venue, int instrument, enum sim_side side, int64_t price);

/* sim_match_rest puts an order at the end of the queue of its price, sim_match_leave takes it out. */
void sim_match_rest(struct sim_venue *venue, struct sim_order *order);
void sim_match_leave(struct sim_venue *venue, struct sim_order *order);

/* sim_match_requeue puts every resting order behind what a new snapshot displays. */
void sim_match_requeue(struct sim_venue *venue, int instrument);

/* --- sim_venue: accounts and reports ---------------------------------------------------------------- */

/* sim_state_fill books one fill of an order and reports it. */
void sim_state_fill(struct sim_venue *venue, struct sim_order *order, int64_t qty, int64_t price, bool maker,
                    bool forced, int64_t trade_id, int64_t now_ns);

/* sim_state_close ends a live order and reports it. */
void sim_state_close(struct sim_venue *venue, struct sim_order *order, enum sim_order_state state,
                     enum sim_expiry expiry, int64_t now_ns);

/* sim_state_fillable answers what an order may still fill, reduce-only minded. */
int64_t sim_state_fillable(struct sim_venue *venue, const struct sim_order *order);

/* sim_state_settle_reduce_only expires resting reduce-only orders that no longer reduce. */
void sim_state_settle_reduce_only(struct sim_venue *venue, int instrument, int64_t now_ns);

/* sim_state_lock sets spot cash aside for what is left of an order (0 when it is not live). */
void sim_state_lock(struct sim_venue *venue, struct sim_order *order);

#endif
