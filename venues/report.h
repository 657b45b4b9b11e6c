/* report: what every venue's reports of orders, fills and balances are read alike in: the opening of a
 * record, whose currency a code is, a fee, the venue's name of an order, whose order it is.
 *
 * What differs (keys, words, envelopes) is the venue's report.c.  Pure; hot. */
#ifndef POISE_VENUES_REPORT_H
#define POISE_VENUES_REPORT_H

#include "ring/decimal.h"
#include "ring/order_id.h"
#include "ring/record.h"
#include "venues/scan.h"
#include "venues/venue.h"

#include <string.h>

/* report_begin opens a record of `slots` slots. */
static inline struct record_head *report_begin(struct slot *record, enum record_type type, uint8_t slots,
                                               uint64_t stamp_ns, uint8_t flags, uint16_t account,
                                               uint16_t instrument)
{
    struct record_head *head = record_begin(record, type, slots, stamp_ns);
    for (uint8_t i = 0; i < slots; i++) {
        record[i].ring_word = 0;
    }
    head->flags = flags;
    head->account = account;
    head->instrument = instrument;
    return head;
}

/* report_currency answers which currency a code is; one that no table has is the hook's, or CURRENCY_NONE. */
static inline uint16_t report_currency(const struct instrument_table *instruments,
                                       const struct venue_hooks *hooks, const struct scan_value *code)
{
    if (code->type != SCAN_STRING || code->bytes == 0) {
        return CURRENCY_NONE;
    }
    bool fits = code->bytes < CURRENCY_BYTES;
    for (uint32_t i = 0; fits && i < instruments->currency_count; i++) {
        const char *known = instruments->currency[i].code;
        if (memcmp(known, code->at, code->bytes) == 0 && known[code->bytes] == '\0') {
            return (uint16_t)i;
        }
    }
    if (hooks != NULL && hooks->unknown_currency != NULL) {
        return hooks->unknown_currency(hooks->context, code->at, code->bytes);
    }
    return CURRENCY_NONE;
}

/* report_fee: a fee in a currency that we do not know cannot be booked, so it counts as not told. */
static inline void report_fee(struct record_report *report, const struct instrument_table *instruments,
                              struct venue_hooks *hooks, const struct scan_value *amount,
                              const struct scan_value *code)
{
    int64_t fee;
    if (!scan_has_number(amount) || !scan_decimal_near(amount, DECIMAL_MONEY, &fee)) {
        return;
    }
    uint16_t currency = report_currency(instruments, hooks, code);
    if (currency == CURRENCY_NONE && fee != 0) {
        return;
    }
    if (hooks != NULL) {
        hooks->fee = amount->at;
        hooks->fee_bytes = amount->bytes;
    }
    report->fee_e8 = fee;
    report->fee_currency = currency;
    report->flags |= REPORT_HAS_FEE;
}

/* report_venue_order keeps the venue's name of an order as text: 64 bits are beyond what a double holds. */
static inline void report_venue_order(struct record_report *report, const struct scan_value *id)
{
    if ((id->type == SCAN_NUMBER || id->type == SCAN_STRING) && id->bytes < sizeof report->venue_order_id) {
        memcpy(report->venue_order_id, id->at, id->bytes);
    }
}

/* report_client reads whose order it is by the client's id: ours, or somebody else's.  `asked`: the order
 * that a request named is meant where no id is told.  Answers true when an id was told that is not ours. */
static inline bool report_client(struct record_report *report, struct venue_hooks *hooks, uint64_t asked,
                                 const struct scan_value *id)
{
    if (id->type != SCAN_STRING || id->bytes == 0) {
        if (asked == 0) {
            report->flags |= REPORT_FOREIGN;
        }
        return false;
    }
    if (hooks != NULL) {
        hooks->client_id = id->at;
        hooks->client_id_bytes = id->bytes;
    }
    report->order = order_id_parse(id->at, id->bytes);
    if (report->order == 0) {
        report->flags |= REPORT_FOREIGN;
    }
    return report->order == 0;
}

#endif
