#include "tools/sim/sim_report.h"

#include "tools/sim/model/sim_decimal.h"

#include <string.h>

static const char *const kinds[] = { "spot", "linear", "inverse" };
static const char *const states[] = { "new",      "partially_filled", "filled",
                                      "canceled", "expired",          "expired_in_match" };

static void decimal(struct sim_text *out, const char *name, __int128 value, int decimals)
{
    char digits[80];

    sim_decimal_trim(digits, value, decimals);
    sim_text_add(out, ",\"%s\":\"%s\"", name, digits);
}

static void order_text(struct sim_text *out, const struct sim_instrument *i, const struct sim_order *order)
{
    sim_text_add(out, "{\"id\":%llu,\"client_id\":", (unsigned long long)order->id);
    sim_text_quote(out, order->client_id);
    sim_text_add(out, ",\"symbol\":\"%s\",\"side\":\"%s\",\"state\":\"%s\"", i->symbol,
                 order->side == SIM_BUY ? "buy" : "sell", states[order->state]);
    decimal(out, "price", order->price, i->price_decimals);
    decimal(out, "qty", order->qty, i->qty_decimals);
    decimal(out, "filled", order->filled, i->qty_decimals);
    sim_text_str(out, "}");
}

static void fill_text(struct sim_text *out, struct sim_venue *venue, const struct sim_fill *fill)
{
    const struct sim_instrument *i = &sim_venue_market(venue, fill->instrument)->instrument;

    sim_text_add(out,
                 "{\"trade_id\":%lld,\"order_id\":%llu,\"symbol\":\"%s\",\"kind\":\"%s\",\"side\":\"%s\","
                 "\"maker\":%s,\"time_ns\":%lld,\"fee_asset\":\"%s\"",
                 (long long)fill->trade_id, (unsigned long long)fill->order_id, i->symbol, kinds[i->kind],
                 fill->side == SIM_BUY ? "buy" : "sell", fill->maker ? "true" : "false",
                 (long long)fill->time_ns, fill->fee_asset);
    decimal(out, "price", fill->price, i->price_decimals);
    decimal(out, "qty", fill->qty, i->qty_decimals);
    decimal(out, "fee", fill->fee_e8, 8);
    decimal(out, "pnl", fill->pnl_e8, 8);
    sim_text_str(out, "}");
}

static void holding_text(struct sim_text *out, struct sim_venue *venue, int account, int at)
{
    const struct sim_market *market = sim_venue_market(venue, at);
    const struct sim_instrument *i = &market->instrument;
    const struct sim_holding *holding = &sim_venue_account(venue, account)->holding[at];
    struct sim_order *open[512];
    size_t count = sim_venue_open(venue, account, at, open, 512);

    sim_text_add(out,
                 "{\"symbol\":\"%s\",\"kind\":\"%s\",\"settle\":\"%s\",\"fills\":%llu,\"maker_fills\":%llu",
                 i->symbol, kinds[i->kind], i->settle, (unsigned long long)holding->fills,
                 (unsigned long long)holding->maker_fills);
    decimal(out, "position", holding->position.qty, i->qty_decimals);
    decimal(out, "entry", sim_ledger_entry(i, &holding->position), 8);
    decimal(out, "entry_notional", holding->position.basis_e16, 16);
    decimal(out, "unrealised", sim_venue_unrealised(venue, account, at), 8);
    decimal(out, "realised", holding->realised_e8, 8);
    decimal(out, "fees", holding->fees_e8, 8);
    decimal(out, "base_fees", holding->base_fees_e8, 8);
    decimal(out, "funding", holding->funding_e8, 8);
    if (sim_venue_ruled(venue)->accrues) {
        decimal(out, "accrued_funding", holding->accrued_e16, 16);
    }
    decimal(out, "tape_jump_pnl", holding->jump_e8, 8);
    decimal(out, "rounding", holding->rounding_e16, 16);
    decimal(out, "bought", holding->bought, i->qty_decimals);
    decimal(out, "sold", holding->sold, i->qty_decimals);
    sim_text_str(out, ",\"open_orders\":[");
    for (size_t k = 0; k < count; k++) {
        sim_text_str(out, k > 0 ? "," : "");
        order_text(out, i, open[k]);
    }
    sim_text_str(out, "]}");
}

void sim_report_accounts(struct sim_text *out, struct sim_venue *venue, bool lists)
{
    sim_text_str(out, "[");
    for (int account = 0; account < sim_venue_account_count(venue); account++) {
        const struct sim_account *a = sim_venue_account(venue, account);
        bool first = true;

        sim_text_str(out, account > 0 ? ",{\"name\":" : "{\"name\":");
        sim_text_quote(out, a->name);
        sim_text_add(
            out,
            ",\"orders\":%llu,\"cancels\":%llu,\"amends\":%llu,\"rejects\":%llu,\"liquidations\":%llu,"
            "\"balances\":[",
            (unsigned long long)a->orders, (unsigned long long)a->cancels, (unsigned long long)a->amends,
            (unsigned long long)a->rejects, (unsigned long long)a->liquidations);
        for (int kind = 0; kind < SIM_KIND_COUNT; kind++) {
            for (int k = 0; k < a->wallet[kind].count; k++) {
                const struct sim_cash *cash = &a->wallet[kind].cash[k];
                sim_text_add(out, "%s{\"wallet\":\"%s\",\"asset\":\"%s\"", first ? "" : ",",
                             sim_venue_ruled(venue)->one_wallet ? "all" : kinds[kind], cash->asset);
                first = false;
                decimal(out, "free", cash->free_e8, 8);
                decimal(out, "locked", cash->locked_e8, 8);
                decimal(out, "deposited", cash->deposited_e8, 8);
                sim_text_str(out, "}");
            }
        }
        sim_text_str(out, "],\"holdings\":[");
        for (int at = 0; at < sim_venue_instrument_count(venue); at++) {
            sim_text_str(out, at > 0 ? "," : "");
            holding_text(out, venue, account, at);
        }
        sim_text_str(out, "]");
        if (lists) {
            first = true;
            sim_text_str(out, ",\"fills\":[");
            for (size_t k = 0; k < sim_venue_fill_count(venue); k++) {
                if (sim_venue_fill(venue, k)->account == account) {
                    sim_text_str(out, first ? "" : ",");
                    first = false;
                    fill_text(out, venue, sim_venue_fill(venue, k));
                }
            }
            first = true;
            sim_text_str(out, "],\"order_list\":[");
            for (size_t k = 0; k < sim_venue_order_count(venue); k++) {
                const struct sim_order *order = sim_venue_order(venue, k);
                if (order->account == account) {
                    sim_text_str(out, first ? "" : ",");
                    first = false;
                    order_text(out, &sim_venue_market(venue, order->instrument)->instrument, order);
                }
            }
            sim_text_str(out, "]");
        }
        sim_text_str(out, "}");
    }
    sim_text_str(out, "]");
}

void sim_report_markets(struct sim_text *out, struct sim_venue *venue)
{
    sim_text_str(out, "[");
    for (int at = 0; at < sim_venue_instrument_count(venue); at++) {
        const struct sim_market *market = sim_venue_market(venue, at);
        const struct sim_instrument *i = &market->instrument;
        struct sim_level best;

        sim_text_add(out,
                     "%s{\"symbol\":\"%s\",\"kind\":\"%s\",\"live\":%s,\"halted\":%s,\"last_update_id\":%lld",
                     at > 0 ? "," : "", i->symbol, kinds[i->kind], market->live ? "true" : "false",
                     market->halted ? "true" : "false", (long long)market->last_u);
        for (int side = 0; side < 2; side++) {
            bool have = sim_venue_depth(venue, at, side, &best, 1) == 1;
            decimal(out, side == SIM_BUY ? "bid" : "ask", have ? best.price : 0, i->price_decimals);
            decimal(out, side == SIM_BUY ? "bid_qty" : "ask_qty", have ? best.qty : 0, i->qty_decimals);
        }
        decimal(out, "mark", market->mark_e8, 8);
        decimal(out, "index", market->index_e8, 8);
        decimal(out, "funding_rate", market->funding_rate_e8, 8);
        sim_text_str(out, "}");
    }
    sim_text_str(out, "]");
}

void sim_report_faults(struct sim_text *out, const struct sim_faults *faults)
{
    sim_text_str(out, "[");
    for (int i = 0; i < faults->count; i++) {
        sim_text_str(out, i > 0 ? ",{\"fault\":" : "{\"fault\":");
        sim_text_quote(out, faults->fault[i].spec);
        sim_text_add(out, ",\"fired\":%llu}", (unsigned long long)faults->fault[i].fired);
    }
    sim_text_str(out, "]");
}

void sim_report_fault_kinds(struct sim_text *out, const struct sim_faults *faults)
{
    bool first = true;

    sim_text_str(out, "{");
    for (int kind = 0; kind < SIM_FAULT_KIND_COUNT; kind++) {
        uint64_t fired = sim_fault_fired(faults, (enum sim_fault_kind)kind);
        if (fired > 0) {
            sim_text_add(out, "%s\"%s\":%llu", first ? "" : ",", sim_fault_name((enum sim_fault_kind)kind),
                         (unsigned long long)fired);
            first = false;
        }
    }
    sim_text_str(out, "}");
}
