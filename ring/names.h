/* names: the words for the small numbers that records carry, for whoever prints them.
 *
 * One table an enum, in its order; NAME_OF answers "?" outside.  What a table says stands in journals'
 * prints, logs and JSON: a word once given is never changed.  Cold threads and tools. */
#ifndef POISE_RING_NAMES_H
#define POISE_RING_NAMES_H

#include "ring/instrument.h"
#include "ring/reason.h"
#include "ring/record.h"

#define NAME_OF(table, value) names_find(table, POISE_COUNT_OF(table), value)

static inline const char *names_find(const char *const *table, size_t count, int64_t value)
{
    return value >= 0 && (size_t)value < count && table[value] != NULL ? table[value] : "?";
}

extern const char *const order_status_names[ORDER_STATUS_NOT_FOUND + 1];
extern const char *const reject_reason_names[REASON_COUNT];
extern const char *const request_kind_names[REQUEST_CANCEL_ALL + 1];
extern const char *const order_role_names[ORDER_ROLE_EXIT + 1];
extern const char *const liquidity_names[LIQUIDITY_TAKER + 1];
extern const char *const feed_state_names[FEED_STALE + 1];
extern const char *const gateway_state_names[GATEWAY_DEGRADED + 1];
extern const char *const instrument_status_names[INSTRUMENT_CLOSED + 1];
extern const char *const command_names[COMMAND_COUNT];
extern const char *const event_names[EVENT_COUNT];
extern const char *const instance_state_names[INSTANCE_STATE_COUNT];

#endif
