#include "ring/names.h"

/* clang-format off */
const char *const order_status_names[] = { "none", "open", "partial", "filled", "cancelled", "expired", "rejected",
                                           "untriggered", "not_found" };
const char *const reject_reason_names[] = { "none", "post_only", "filter", "price_band", "balance", "reduce_only",
                                            "rate_limit", "not_found", "duplicate_id", "time", "auth", "suspended",
                                            "unchanged", "self_trade", "ioc", "liquidation", "dead_man", "not_sent",
                                            "other", "delivery" };
const char *const request_kind_names[] = { "none", "new", "amend", "cancel", "query", "cancel_all" };
const char *const order_role_names[] = { "none", "quote", "hedge", "flatten", "entry", "exit" };
const char *const liquidity_names[] = { "unknown", "maker", "taker" };
const char *const feed_state_names[] = { "down", "syncing", "live", "gap", "stale" };
const char *const gateway_state_names[] = { "down", "starting", "ready", "degraded" };
const char *const instrument_status_names[] = { "unknown", "trading", "cancel_only", "halted", "settling", "closed" };
const char *const command_names[] = { "none", "stop", "halt", "resume", "pause", "flatten", "shift_fair", "books",
                                      "read" };
const char *const event_names[] = { "none", "halt", "resumed", "stopped", "ladder", "naked_cleared",
                                    "duplicate_fill", "unknown_order", "table_refused", "quotes_pulled",
                                    "quotes_back", "position_differs", "risk_refused", "conservation",
                                    "journal_full", "fair_offset", "self_cross", "counter_low", "price_open",
                                    "fee_surprise",
                                    "books_differ",
                                    "delivered", "rules" };
const char *const instance_state_names[] = { "restoring", "pulled", "quoting", "paused", "stopping", "stopped",
                                             "halted", "flattening", "flat" };
/* clang-format on */
