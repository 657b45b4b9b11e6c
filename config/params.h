/* params: what a trader sets, as the numbers the engine works with.
 *
 * config/ turns TOML into these at start; they travel to the strategy as RECORD_PARAMS and RECORD_RISK and
 * are journaled, so that a replay needs no file.  Every field's key, unit, range, default and purpose stands
 * in one row of the table in config/params.c, and nowhere else.  Integers only; padding is explicit, because
 * the bytes are compared. */
#ifndef POISE_CONFIG_PARAMS_H
#define POISE_CONFIG_PARAMS_H

#include "ring/record.h"

#define PARAMS_NAME_BYTES   32
#define PARAMS_LEVELS_MAX   5
#define PARAMS_INSTANCE_MAX 64

enum strategy_kind { STRATEGY_QUOTE = 1, STRATEGY_ARB };
enum delta_basis { DELTA_USD = 0, DELTA_COIN };
enum on_restart { ON_RESTART_ADOPT = 0, ON_RESTART_CANCEL, ON_RESTART_FLATTEN };
enum on_orphan { ON_ORPHAN_REFUSE = 0, ON_ORPHAN_FLATTEN, ON_ORPHAN_HOLD };

/* One `[[quote]]` instance: passive orders on the quote leg, every fill hedged on the hedge leg.  Quantities
 * of the quote leg are in its qty units (contracts there), coin amounts in 1e-8 of the base coin. */
struct quote_params {
    char name[PARAMS_NAME_BYTES]; /* identity over restarts */
    uint16_t instance;            /* index, given at start; stable while the name stays in the journal */
    uint8_t kind;                 /* enum strategy_kind: STRATEGY_QUOTE */
    uint8_t enabled;              /* 0: no new quotes; what is held stays hedged */
    uint16_t quote_instrument, quote_account;
    uint16_t hedge_instrument, hedge_account;
    uint16_t second_instrument, second_account; /* where rung 2 of the ladder hedges; NO_INSTRUMENT none */

    uint8_t delta_basis;        /* enum delta_basis */
    uint8_t on_restart;         /* enum on_restart */
    uint8_t on_orphan;          /* enum on_orphan */
    uint8_t post_only;          /* 1: quotes are post-only (0 only for venues that cannot) */
    uint8_t levels;             /* quotes a side, 1..PARAMS_LEVELS_MAX */
    uint8_t reduce_quotes_only; /* 1: only quotes that bring inventory back; set when a limit is below what is
                                   held */
    uint8_t sides;              /* bit 0 bids, bit 1 asks */
    uint8_t spare8;
    int64_t
        allocation_e8; /* coin of the quote account that this instance owns and (delta_basis usd) hedges */

    int64_t size;               /* qty units per quote at level 0 */
    int64_t size_step_percent;  /* size of level n is size x (1 + n x this / 100) */
    int64_t level_step_centibp; /* level n stands n x this further out */
    int64_t
        min_profit_centibp; /* what must be left after both fees and hedge cost; may be negative.  Skew shifts
                             * both quotes: the side that comes home may give up to skew_centibp of it */
    int64_t hedge_cost_centibp; /* expected cost beyond the touch of a hedge, on top of walking the book */
    int64_t max_spread_centibp; /* a hedge book wider than this is not quoted on */
    int64_t max_depth_percent;  /* largest share of the hedge book's visible top N a full fill may need */

    int64_t max_inventory;    /* qty units, either sign; quotes that would exceed it are cut */
    int64_t target_inventory; /* qty units, signed: skew is zero there */
    int64_t skew_centibp;     /* how far both quotes shift against inventory at max_inventory */

    int64_t requote_ticks;  /* an order stays while its ideal price is at most this many ticks away */
    int64_t requote_min_ns; /* least time between two changes of one order, unless it must move away */
    int64_t refresh_ns;     /* an order this old is requoted anyway; 0 never */

    int64_t fair_half_life_ns;  /* slow offset of the quoted leg's fair price over the hedge leg's; 0 off */
    int64_t fair_bound_centibp; /* it never exceeds this, either sign */

    int64_t quote_stale_ns; /* quoted leg's feed older than this: pull */
    int64_t hedge_stale_ns; /* hedge leg's feed older than this: pull */

    int64_t hedge_min_e8;           /* do not hedge less than this coin, 0: as small as the venue takes */
    int64_t hedge_band_centibp;     /* IOC limit beyond the hedge touch */
    int64_t emergency_band_centibp; /* rung 3's */
    int64_t hedge_timeout_ns;       /* an unanswered hedge is UNKNOWN and queried after this */
    int64_t max_naked_e8;           /* coin naked at most; beyond: quotes pulled at once */
    int64_t max_naked_ns;           /* when the ladder starts */
    int64_t ladder_step_ns;         /* between its rungs */

    int64_t
        max_fee_surprise_centibp; /* a fill's fee that differs more from the table's rate raises an alarm */
    int64_t position_grace_ns;    /* how long the venue's position may differ from ours before an alarm */
    int64_t spare[4];
};
_Static_assert(sizeof(struct quote_params) <= RECORD_BLOB_MAX, "params travel in one record");

/* `[risk]`: limits of the whole engine, checked by the gate before every order. */
/* From when on a loss counts against max_loss_e8. */
enum loss_since { LOSS_SINCE_FIRST_FILL = 0, LOSS_SINCE_START };

struct risk_params {
    int64_t max_order_e8;    /* quote currency value of one order */
    int64_t max_position_e8; /* coin, per instrument, either sign */
    int64_t max_delta_e8;    /* coin, sum over instances, either sign: beyond it no new risk */
    int64_t
        price_band_centibp;   /* no order further than this from the mark (or mid), in the taking direction */
    int64_t max_orders_per_s; /* new + amend + cancel of quotes; hedges and cancels are not counted out */
    int64_t max_open_orders;  /* per account */
    int64_t max_loss_e8;      /* reporting currency since the first fill: halt; 0 off */
    int64_t max_unknown;      /* orders in UNKNOWN before a halt */
    int64_t stale_clock_ns;   /* no CLOCK record for this long (seen by cold): alarm */
    int64_t max_rejects_per_min; /* rejects of one instance before its quotes are paused */
    uint16_t report_currency;    /* what P&L is reported in */
    uint16_t loss_since;         /* enum loss_since */
    uint16_t spare16[2];
    int64_t max_difference_e8; /* reporting currency: books that differ by more take no new risk */
    int64_t spare[4];
};
_Static_assert(sizeof(struct risk_params) <= RECORD_BLOB_MAX, "limits travel in one record");

#endif
