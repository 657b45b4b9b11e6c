#include "ring/reason.h"

/* clang-format off */
static const char *const pull_names[PULL_REASON_COUNT] = {
    [PULL_NONE]       = "none",
    [PULL_RESTORING]  = "restoring",
    [PULL_STATE]      = "state",
    [PULL_DISABLED]   = "disabled",
    [PULL_LIMITS]     = "limits",
    [PULL_CLOCK]      = "clock",
    [PULL_IDS]        = "ids",
    [PULL_INSTRUMENT] = "instrument",
    [PULL_GATEWAY]    = "gateway",
    [PULL_FEED_QUOTE] = "feed_quote",
    [PULL_FEED_HEDGE] = "feed_hedge",
    [PULL_CROSSED]    = "crossed",
    [PULL_SPREAD]     = "spread",
    [PULL_CONVERT]    = "convert",
    [PULL_UNKNOWN]    = "unknown_order",
    [PULL_NAKED]      = "naked",
    [PULL_LADDER]     = "ladder",
    [PULL_POSITION]   = "position_differs",
    [PULL_REJECTS]    = "rejects",
    [PULL_DELTA]      = "delta",
    [PULL_DEPTH]      = "depth",
    [PULL_FEE]        = "fee_unknown",
    [PULL_BOOKS]      = "books_differ",
    [PULL_UNREAD]     = "unread",
};

static const char *const halt_names[HALT_REASON_COUNT] = {
    [HALT_NONE]         = "none",
    [HALT_COMMAND]      = "command",
    [HALT_CONSERVATION] = "conservation",
    [HALT_LADDER]       = "ladder",
    [HALT_LOSS]         = "loss",
    [HALT_UNKNOWN]      = "unknown_orders",
    [HALT_AUTH]         = "auth",
    [HALT_ORPHAN]       = "orphan",
    [HALT_OVERFLOW]     = "overflow",
    [HALT_JOURNAL]      = "journal",
    [HALT_LIQUIDATION]  = "liquidation",
};

static const char *const risk_names[RISK_REFUSAL_COUNT] = {
    [RISK_OK]           = "ok",
    [RISK_NOT_RESTORED] = "not_restored",
    [RISK_HALTED]       = "halted",
    [RISK_NO_LIMITS]    = "no_limits",
    [RISK_INSTRUMENT]   = "instrument",
    [RISK_GATEWAY]      = "gateway",
    [RISK_STALE]        = "stale",
    [RISK_STEP]         = "tick_or_lot",
    [RISK_SIZE]         = "size",
    [RISK_VALUE]        = "order_value",
    [RISK_POSITION]     = "position",
    [RISK_DELTA]        = "delta",
    [RISK_BAND]         = "price_band",
    [RISK_RATE]         = "rate",
    [RISK_OPEN_ORDERS]  = "open_orders",
    [RISK_SELF_CROSS]   = "self_cross",
    [RISK_UNKNOWN]      = "unknown_order",
    [RISK_TABLE]        = "table_full",
    [RISK_IDS]          = "ids",
    [RISK_BOOKS]        = "books_differ",
};

static const char *const rung_names[RUNG_COUNT] = {
    [RUNG_NONE]      = "none",
    [RUNG_QUERY]     = "query",
    [RUNG_SECOND]    = "second_venue",
    [RUNG_EMERGENCY] = "emergency_band",
    [RUNG_REDUCE]    = "reduce_quoted_leg",
    [RUNG_HALT]      = "halt",
};
/* clang-format on */

static const char *name_in(const char *const *names, uint32_t count, uint32_t value)
{
    return value < count && names[value] != NULL ? names[value] : "?";
}

const char *reason_pull_name(uint32_t pull)
{
    return name_in(pull_names, PULL_REASON_COUNT, pull);
}

const char *reason_halt_name(uint32_t halt)
{
    return name_in(halt_names, HALT_REASON_COUNT, halt);
}

const char *reason_risk_name(uint32_t refusal)
{
    return name_in(risk_names, RISK_REFUSAL_COUNT, refusal);
}

const char *reason_rung_name(uint32_t rung)
{
    return name_in(rung_names, RUNG_COUNT, rung);
}
