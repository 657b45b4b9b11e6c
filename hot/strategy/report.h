/* report: what the venue says about orders, whoever carried it.
 *
 * One function takes every report record and reaches the same outcome whatever the order, repetition or
 * path of reports: an execution counts once (seen.h), a cumulative quantity that is ahead of the executions
 * counts at once at the order's price and is repriced when they come (order.h), and only the venue ends an
 * order.  Strategy core. */
#ifndef POISE_HOT_STRATEGY_REPORT_H
#define POISE_HOT_STRATEGY_REPORT_H

#include "hot/strategy/state.h"

/* report_consume takes RECORD_ACK .. RECORD_UNKNOWN and RECORD_CANCEL_ACK and does what follows. */
void report_consume(struct strategy *s, const struct record_report *report);

/* report_open_prices looks for executions that wait for a price too long: tells them and asks again. */
void report_open_prices(struct strategy *s);

#endif
