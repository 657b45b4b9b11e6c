/* instance: one `[[quote]]` block at work: everything that is kept for it, and its states (enum
 * instance_state of ring/reason.h) with what is true there:
 *
 *   RESTORING   the strategy is being built; nothing is decided
 *   PULLED      it would quote, but a pull reason stands (enum pull_reason)
 *   QUOTING     quotes rest or are on their way
 *   PAUSED      a person, or too many rejects, pulled the quotes; hedging goes on
 *   STOPPING    quotes are cancelled and what is naked is hedged, then it stops
 *   STOPPED     nothing rests and nothing hedgeable is naked; a late fill is still hedged
 *   HALTED      no new risk until a person resumes; hedges that reduce go on
 *   FLATTENING  both legs are being unwound: the quoted leg first (hedged as it shrinks), then the rest
 *   FLAT        nothing is held; hedging is off until a person resumes
 *
 * Strategy core. */
#ifndef POISE_HOT_STRATEGY_INSTANCE_H
#define POISE_HOT_STRATEGY_INSTANCE_H

#include "hot/strategy/exposure.h"
#include "hot/strategy/order.h"
#include "ring/reason.h"

enum instance_event {
    INSTANCE_EVENT_RESTORED = 0,
    INSTANCE_EVENT_CLEAR, /* no pull reason is left */
    INSTANCE_EVENT_PULL,  /* one appeared */
    INSTANCE_EVENT_PAUSE,
    INSTANCE_EVENT_RESUME,
    INSTANCE_EVENT_STOP,
    INSTANCE_EVENT_HALT,
    INSTANCE_EVENT_FLATTEN,
    INSTANCE_EVENT_QUIET, /* nothing rests and nothing is left to do */
    INSTANCE_EVENT_COUNT
};

/* The slow offset of the quoted leg's fair price over the hedge leg's; see quote/fair.h. */
struct fair {
    int64_t offset_ppb; /* bounded; 1e-9 */
    int64_t bound_ppb;
    uint64_t sampled_ns; /* 0: never */
    int64_t told_centibp;
    uint64_t told_ns;
    bool at_bound;
};

/* What the last decision was taken on: when it all stays the same there is nothing to decide. */
struct quote_inputs {
    int64_t hit[2]; /* average price of hedging a full quote: [SIDE_BUY] our bid's hedge (a sale), .. */
    int64_t inner_bid, inner_ask;
    int64_t rate_e8;
};

/* What the ratios between the legs' prices are made of, measured again when one of them moved. */
struct quote_basis {
    int64_t rate_e8; /* 0: never measured */
    int64_t offset_ppb;
    int64_t position;
    int64_t cost_centibp;
};

/* What should rest at one place. */
struct wanted {
    int64_t price, qty; /* qty 0: nothing */
};

struct quote_state {
    uint16_t order[2][PARAMS_LEVELS_MAX]; /* rows of the order table, ORDER_NONE */
    struct wanted wanted[2][PARAMS_LEVELS_MAX];
    struct quote_inputs seen; /* what `wanted` was decided on */
    struct quote_basis basis;
    bool dirty;    /* something else changed: decide all of it, even when the inputs are the same */
    bool apart;    /* the sides were kept apart: each one's price hangs on the other's */
    bool again[2]; /* a change of this side was refused: try at the next decision, whatever moved */
    bool can_amend;
    uint8_t levels;       /* places of a side that may be in use */
    uint8_t live;         /* rows above that are not ORDER_NONE */
    uint64_t again_ns;    /* a change waits for requote_min_ns until this; 0 none */
    uint64_t hold_ns[2];  /* after a refused quote: no new one on this side before it */
    int64_t walk_qty;     /* hedge leg units that a full quote needs, */
    int64_t walk_at;      /* measured at this hedge price */
    int64_t side_qty;     /* hedge leg units that all levels of a side need */
    int64_t price_power;  /* hedge price x ratio is so much more than the quoted price; 0: more than fits */
    int64_t ratio_e12[2]; /* quoted price per hedge price, without decimals, less costs */
    int64_t ratio_mid_e12;
    int64_t shift_centibp; /* skew now */
    int64_t fair_price;    /* quoted leg's units */
};

struct hedge_state {
    uint64_t naked_since_ns; /* 0: not naked */
    uint64_t max_naked_ns;   /* since start */
    int128 naked_peak_e12;   /* of this episode */
    int naked_sign;
    bool ready;   /* hedging was possible at least once: the naked clock runs */
    bool squared; /* what was held at the start has been hedged: quotes may begin */
    bool open;    /* a hedge is wanted and not out: look again at the next tick */
    uint8_t rung; /* enum rung; ladder_step writes it */
    uint64_t rung_deadline_ns;
    uint64_t retry_ns; /* no new hedge before this */
    uint64_t backoff_ns;
    int128 smallest_e12;     /* the smallest order the hedge venue accepts, coin */
    int128 explained_e12[2]; /* conservation: exposure that moved down [0] or up [1] under hedges at work */
};

struct instance {
    struct quote_params params;
    uint16_t slot;
    uint8_t used;
    uint8_t state; /* enum instance_state; instance_step writes it */
    uint8_t pull;  /* enum pull_reason now */
    uint8_t halt;  /* enum halt_reason of the last halt */
    uint8_t stop_wanted;
    uint8_t flatten_tail;     /* FLATTENING: the quoted leg is gone, hedging is off */
    uint16_t quote_rate_row;  /* hedge leg's quote currency -> quoted leg's, of convert.h */
    uint16_t report_rate_row; /* quoted leg's quote currency -> report currency */
    uint16_t second_rate_row; /* second leg's quote currency -> quoted leg's */
    uint16_t base;
    struct fair fair;
    struct quote_state quote;
    struct hedge_state hedge;
    uint64_t flatten_retry_ns;
    uint64_t loss_checked_ns;

    uint32_t fills, hedges, requotes;
    uint32_t rejects; /* in this window */
    uint64_t reject_window_ns;

    /* profit since the first fill, 1e-8 of the report currency */
    int64_t part_e8[PNL_PART_COUNT];
    int64_t equity_first_e8;
    int64_t allocation_then_e8; /* carried: what equity_first_e8 was counted with */
    bool equity_known;
    bool carried;      /* the first equity is of a run before */
    int64_t pnl_price; /* hedge leg's middle at the last status: residual is delta x its move */
};

uint8_t instance_next(enum instance_state state, enum instance_event event);

/* instance_step moves the state; false for an empty cell. */
bool instance_step(struct instance *instance, enum instance_event event);

static inline bool instance_may_quote(const struct instance *instance)
{
    return instance->state == INSTANCE_PULLED || instance->state == INSTANCE_QUOTING;
}

/* Hedging goes on in every state but these. */
static inline bool instance_hedges(const struct instance *instance)
{
    return instance->state != INSTANCE_RESTORING && instance->state != INSTANCE_FLAT &&
           !(instance->state == INSTANCE_FLATTENING && instance->flatten_tail);
}

#endif
