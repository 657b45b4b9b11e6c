#include "ring/record.h"
#include "ring/account.h"
#include "ring/instrument.h"

const char *record_type_name(uint8_t type)
{
    /* clang-format off */
    switch ((enum record_type)type) {
    case RECORD_NONE:             return "none";
    case RECORD_PAD:              return "pad";
    case RECORD_CLOCK:            return "clock";
    case RECORD_BOOK:             return "book";
    case RECORD_TOP:              return "top";
    case RECORD_TRADE:            return "trade";
    case RECORD_MARK:             return "mark";
    case RECORD_FEED_STATE:       return "feed_state";
    case RECORD_INSTRUMENT_STATE: return "instrument_state";
    case RECORD_ACK:              return "ack";
    case RECORD_REJECT:           return "reject";
    case RECORD_FILL:             return "fill";
    case RECORD_CANCELLED:        return "cancelled";
    case RECORD_EXPIRED:          return "expired";
    case RECORD_AMENDED:          return "amended";
    case RECORD_ORDER_STATE:      return "order_state";
    case RECORD_UNKNOWN:          return "unknown";
    case RECORD_BALANCE:          return "balance";
    case RECORD_POSITION:         return "position";
    case RECORD_GATEWAY_STATE:    return "gateway_state";
    case RECORD_CANCEL_ACK:       return "cancel_ack";
    case RECORD_DELIVERY:         return "delivery";
    case RECORD_COMMAND:          return "command";
    case RECORD_CELL:             return "cell";
    case RECORD_BEGIN:            return "begin";
    case RECORD_TEXT:             return "text";
    case RECORD_INSTRUMENT:       return "instrument";
    case RECORD_ACCOUNT:          return "account";
    case RECORD_FEE:              return "fee";
    case RECORD_CONVERT:          return "convert";
    case RECORD_PARAMS:           return "params";
    case RECORD_RESTORE_POSITION: return "restore_position";
    case RECORD_RESTORE_ORDER:    return "restore_order";
    case RECORD_RESTORE_COUNTER:  return "restore_counter";
    case RECORD_RESTORE_EXEC:     return "restore_exec";
    case RECORD_RESTORE_DONE:     return "restore_done";
    case RECORD_RISK:             return "risk";
    case RECORD_RESTORE_CASH:     return "restore_cash";
    case RECORD_RESTORE_LEDGER:   return "restore_ledger";
    case RECORD_CURRENCY:         return "currency";
    case RECORD_RESTORE_PNL:      return "restore_pnl";
    case RECORD_ORDER_NEW:        return "order_new";
    case RECORD_ORDER_AMEND:      return "order_amend";
    case RECORD_ORDER_CANCEL:     return "order_cancel";
    case RECORD_ORDER_QUERY:      return "order_query";
    case RECORD_CANCEL_ALL:       return "cancel_all";
    case RECORD_EVENT:            return "event";
    case RECORD_STATUS:           return "status";
    case RECORD_LOST:             return "lost";
    case RECORD_SEGMENT_END:      return "segment_end";
    }
    /* clang-format on */
    return "?";
}

bool record_refuses_for_certain(uint8_t reason)
{
    switch ((enum reject_reason)reason) {
    case REASON_POST_ONLY:
    case REASON_FILTER:
    case REASON_PRICE_BAND:
    case REASON_BALANCE:
    case REASON_REDUCE_ONLY:
    case REASON_RATE_LIMIT:
    case REASON_TIME:
    case REASON_AUTH:
    case REASON_SUSPENDED:
    case REASON_NOT_SENT:
    case REASON_OTHER:
        return true;
    case REASON_NONE:
    case REASON_NOT_FOUND:
    case REASON_DUPLICATE_ID: /* the first send worked */
    case REASON_UNCHANGED:
    case REASON_SELF_TRADE:
    case REASON_IOC:
    case REASON_LIQUIDATION:
    case REASON_DELIVERY:
    case REASON_DEAD_MAN:
    case REASON_COUNT:
        break;
    }
    return false;
}

/* Where every field stands, and every number that gives one its meaning.  A field that is added, moved or
 * resized changes this list's contents; one that only changes its meaning does not, so then the last row
 * is raised by hand. */
#define PLACE(type, field) offsetof(struct type, field), sizeof(((struct type *)0)->field)
#define WHOLE(type)        sizeof(struct type)

/* clang-format off */
static const uint32_t layout[] = {
    SLOT_PAYLOAD_BYTES, RECORD_SLOTS_MAX, BOOK_LEVELS_PER_SLOT, BOOK_DEPTH_MAX, VENUE_ORDER_ID_BYTES,

    PLACE(record_head, type), PLACE(record_head, slot_count), PLACE(record_head, flags),
    PLACE(record_head, instrument), PLACE(record_head, account), PLACE(record_head, stamp_ns),
    WHOLE(record_clock), PLACE(record_clock, wall_ns),
    PLACE(level, price), PLACE(level, qty), WHOLE(record_levels), PLACE(record_levels, level),
    WHOLE(record_book), PLACE(record_book, sequence), PLACE(record_book, venue_time_ns),
    PLACE(record_book, bid_count), PLACE(record_book, ask_count), offsetof(struct record_book, part),
    PLACE(record_top, bid_price), PLACE(record_top, bid_qty), PLACE(record_top, ask_price),
    PLACE(record_top, ask_qty), PLACE(record_top, venue_time_ns),
    PLACE(record_trade, price), PLACE(record_trade, qty), PLACE(record_trade, trade_id),
    PLACE(record_trade, venue_time_ns), PLACE(record_trade, aggressor),
    PLACE(record_mark, mark), PLACE(record_mark, index), PLACE(record_mark, funding_rate_e12),
    PLACE(record_mark, next_funding_ns), PLACE(record_mark, venue_time_ns),
    PLACE(record_state, value), PLACE(record_state, previous), PLACE(record_state, detail),
    PLACE(record_state, text),
    WHOLE(record_report), PLACE(record_report, order), PLACE(record_report, exec_id),
    PLACE(record_report, price), PLACE(record_report, last_qty), PLACE(record_report, cum_qty),
    PLACE(record_report, order_qty), PLACE(record_report, order_price), PLACE(record_report, fee_e8),
    PLACE(record_report, realised_e8), PLACE(record_report, venue_time_ns),
    PLACE(record_report, fee_currency), PLACE(record_report, side), PLACE(record_report, status),
    PLACE(record_report, liquidity), PLACE(record_report, reason), PLACE(record_report, request),
    PLACE(record_report, flags), PLACE(record_report, tie), PLACE(record_report, venue_order_id),
    PLACE(record_report, venue_code),
    PLACE(record_balance, total_e8), PLACE(record_balance, available_e8), PLACE(record_balance, change_e8),
    PLACE(record_balance, venue_time_ns), PLACE(record_balance, currency), PLACE(record_balance, reason),
    PLACE(record_balance, told), PLACE(record_balance, row),
    PLACE(record_position, qty), PLACE(record_position, entry_e8), PLACE(record_position, unrealised_e8),
    PLACE(record_position, liquidation_e8), PLACE(record_position, venue_time_ns),
    PLACE(record_command, command), PLACE(record_command, instance), PLACE(record_command, value),
    PLACE(record_cell, kind), PLACE(record_cell, instance), PLACE(record_cell, value),
    WHOLE(record_begin_run), PLACE(record_begin_run, run), PLACE(record_begin_run, wall_ns),
    PLACE(record_begin_run, layout_hash), PLACE(record_begin_run, segment),
    PLACE(record_begin_run, engine), PLACE(record_begin_run, mode), PLACE(record_begin_run, build_id),
    PLACE(record_fee, maker_centibp), PLACE(record_fee, taker_centibp),
    PLACE(record_convert, from), PLACE(record_convert, to), PLACE(record_convert, fixed_e8),
    PLACE(record_convert, max_age_ns), PLACE(record_convert, max_deviation_centibp),
    PLACE(record_restore_position, instance), PLACE(record_restore_position, leg),
    PLACE(record_restore_position, qty), PLACE(record_restore_position, notional_high),
    PLACE(record_restore_position, notional_low),
    PLACE(record_restore_cash, instance), PLACE(record_restore_cash, currency),
    PLACE(record_restore_cash, part), PLACE(record_restore_cash, amount_e8),
    WHOLE(record_restore_pnl), PLACE(record_restore_pnl, instance), PLACE(record_restore_pnl, currency),
    PLACE(record_restore_pnl, first_e8), PLACE(record_restore_pnl, allocation_e8),
    PLACE(record_restore_pnl, part_e8), PLACE(record_delivery, price_e8), PLACE(record_delivery, venue_time_ns),
    WHOLE(restore_ledger), PLACE(restore_ledger, what), PLACE(restore_ledger, side),
    PLACE(restore_ledger, instance), PLACE(restore_ledger, currency), PLACE(restore_ledger, value),
    PLACE(record_currency, code), PLACE(record_currency, currency), PLACE(record_currency, decimals),
    PLACE(record_counter_block, next), PLACE(record_counter_block, end),
    WHOLE(record_order), PLACE(record_order, order), PLACE(record_order, tie), PLACE(record_order, price),
    PLACE(record_order, qty), PLACE(record_order, side), PLACE(record_order, tif),
    PLACE(record_order, flags), PLACE(record_order, role), PLACE(record_order, instance),
    PLACE(record_order, leg), PLACE(record_order, level), PLACE(record_order, cum_qty),
    PLACE(record_order, reference_price), PLACE(record_order, trigger_ns), PLACE(record_order, fill_ns),
    PLACE(record_order, expected_centibp),
    PLACE(record_event, code), PLACE(record_event, instance), PLACE(record_event, severity),
    PLACE(record_event, value),
    WHOLE(record_status), PLACE(record_status, instance), PLACE(record_status, state),
    PLACE(record_status, pull_reason), PLACE(record_status, fills), PLACE(record_status, quote_qty),
    PLACE(record_status, hedge_qty), PLACE(record_status, delta_e8), PLACE(record_status, hedges),
    PLACE(record_status, requotes), PLACE(record_status, naked_ns), PLACE(record_status, max_naked_ns),
    PLACE(record_status, bid_price), PLACE(record_status, bid_qty), PLACE(record_status, ask_price),
    PLACE(record_status, ask_qty), PLACE(record_status, fair_offset_centibp), PLACE(record_status, pnl_e8),
    PLACE(record_lost, count), PLACE(record_lost, first_ns),

    /* what travels as a blob */
    WHOLE(instrument), PLACE(instrument, symbol), PLACE(instrument, index), PLACE(instrument, venue),
    PLACE(instrument, product), PLACE(instrument, kind), PLACE(instrument, status),
    PLACE(instrument, price_decimals), PLACE(instrument, qty_decimals), PLACE(instrument, base),
    PLACE(instrument, quote), PLACE(instrument, settle), PLACE(instrument, tick), PLACE(instrument, lot),
    PLACE(instrument, min_qty), PLACE(instrument, max_qty), PLACE(instrument, max_market_qty),
    PLACE(instrument, min_notional_e8), PLACE(instrument, contract_e8), PLACE(instrument, min_price),
    PLACE(instrument, max_price), PLACE(instrument, band_up_ppm), PLACE(instrument, band_down_ppm),
    PLACE(instrument, expiry_ns), PLACE(instrument, funding_interval_s), PLACE(instrument, venue_id),
    PLACE(instrument, option), PLACE(instrument, strike_e8),
    WHOLE(account), PLACE(account, name), PLACE(account, index), PLACE(account, venue),
    PLACE(account, product), PLACE(account, key_hash), PLACE(account, order_rate_10s),
    PLACE(account, order_rate_60s), PLACE(account, reserve_percent), PLACE(account, weight_rate_60s),
    PLACE(account, dead_man_ms), PLACE(account, credit),

    /* what the numbers in those fields mean: the length of each list */
    REASON_COUNT, VENUE_COUNT, PRODUCT_COUNT, KIND_COUNT, OPTION_PUT, GATEWAY_DEGRADED, FEED_STALE,
    ORDER_STATUS_NOT_FOUND, REQUEST_CANCEL_ALL, CASH_REASON_COUNT, RESTORE_LEDGER_BESIDE, COMMAND_COUNT, CELL_LIMIT,
    ORDER_ROLE_EXIT, TIF_FOK, EVENT_COUNT, CREDIT_COUNT,

    1, /* raised when a meaning changes and no place does */
};
/* clang-format on */

uint64_t record_layout_hash(void)
{
    uint64_t hash = 0xcbf29ce484222325ULL;
    for (size_t i = 0; i < POISE_COUNT_OF(layout); i++) {
        hash = (hash ^ layout[i]) * 0x100000001b3ULL;
    }
    /* The types themselves: a renumbered one is another language. */
    for (uint32_t type = 0; type <= UINT8_MAX; type++) {
        for (const char *c = record_type_name((uint8_t)type); *c != '\0'; c++) {
            hash = (hash ^ (unsigned char)*c) * 0x100000001b3ULL;
        }
    }
    return hash;
}
