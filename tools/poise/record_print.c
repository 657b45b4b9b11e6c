#include "tools/poise/record_print.h"
#include "ring/names.h"
#include "ring/order_id.h"

#include <inttypes.h>

/* One record being printed: fields come one after the other, in either form. */
struct print {
    FILE *out;
    bool json;
    const struct instrument *instrument; /* NULL: unknown */
    const struct instrument_table *instruments;
};

static void text_json(FILE *out, const char *text, size_t bytes)
{
    fputc('"', out);
    for (size_t i = 0; i < bytes && text[i] != '\0'; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\') {
            fprintf(out, "\\%c", c);
        } else if (c < 0x20 || c >= 0x7f) {
            fprintf(out, "\\u%04x", c);
        } else {
            fputc(c, out);
        }
    }
    fputc('"', out);
}

static void name_of(struct print *print, const char *name)
{
    fprintf(print->out, print->json ? ",\"%s\":" : " %s=", name);
}

static void integer(struct print *print, const char *name, int64_t value)
{
    name_of(print, name);
    fprintf(print->out, "%" PRId64, value);
}

static void natural(struct print *print, const char *name, uint64_t value)
{
    name_of(print, name);
    fprintf(print->out, "%" PRIu64, value);
}

static void word(struct print *print, const char *name, const char *text, size_t bytes)
{
    name_of(print, name);
    if (print->json) {
        text_json(print->out, text, bytes);
    } else {
        fprintf(print->out, "%.*s", (int)bytes, text);
    }
}

static void words(struct print *print, const char *name, const char *text)
{
    word(print, name, text, strlen(text));
}

static void decimal(struct print *print, const char *name, int64_t value, int decimals)
{
    char text[DECIMAL_TEXT_BYTES];
    decimal_print_short(text, value, decimals);
    words(print, name, text);
}

static void price(struct print *print, const char *name, int64_t value)
{
    decimal(print, name, value, print->instrument != NULL ? print->instrument->price_decimals : 0);
}

static void qty(struct print *print, const char *name, int64_t value)
{
    decimal(print, name, value, print->instrument != NULL ? print->instrument->qty_decimals : 0);
}

static void money(struct print *print, const char *name, int64_t value)
{
    decimal(print, name, value, DECIMAL_MONEY);
}

static void order_id(struct print *print, const char *name, uint64_t order)
{
    char text[ORDER_ID_TEXT_BYTES];
    if (order != 0) {
        order_id_print(text, order);
        word(print, name, text, sizeof text);
    }
}

static void side_name(struct print *print, uint8_t side)
{
    words(print, "side", side == SIDE_BUY ? "buy" : "sell");
}

static void print_book(struct print *print, const struct record_book *book)
{
    natural(print, "seq", book->sequence);
    if ((book->head.flags & RECORD_FLAG_SNAP) != 0) {
        name_of(print, "snapshot");
        fputs("true", print->out);
    }
    uint32_t most = BOOK_LEVELS_PER_SLOT * (book->head.slot_count - 1u);
    for (int side = 0; side < 2; side++) {
        uint32_t from = side == 0 ? 0 : book->bid_count;
        uint32_t to = from + (side == 0 ? book->bid_count : book->ask_count);
        name_of(print, side == 0 ? "bids" : "asks");
        fputc('[', print->out);
        for (uint32_t i = from; i < to && i < most; i++) {
            const struct level *level = record_level(book, i);
            char p[DECIMAL_TEXT_BYTES], q[DECIMAL_TEXT_BYTES];
            decimal_print_short(p, level->price,
                                print->instrument != NULL ? print->instrument->price_decimals : 0);
            decimal_print_short(q, level->qty,
                                print->instrument != NULL ? print->instrument->qty_decimals : 0);
            fprintf(print->out, print->json ? "%s[\"%s\",\"%s\"]" : "%s%sx%s", i == from ? "" : ",", p, q);
        }
        fputc(']', print->out);
    }
    integer(print, "venue_time_ns", book->venue_time_ns);
}

static void print_top(struct print *print, const struct record_top *top)
{
    price(print, "bid", top->bid_price);
    qty(print, "bid_qty", top->bid_qty);
    price(print, "ask", top->ask_price);
    qty(print, "ask_qty", top->ask_qty);
    integer(print, "venue_time_ns", top->venue_time_ns);
}

static void print_report(struct print *print, const struct record_report *report)
{
    order_id(print, "order", report->order);
    side_name(print, report->side);
    words(print, "status", NAME_OF(order_status_names, report->status));
    if (report->request != REQUEST_NONE) {
        words(print, "request", NAME_OF(request_kind_names, report->request));
    }
    if (report->reason != REASON_NONE) {
        words(print, "reason", NAME_OF(reject_reason_names, report->reason));
    }
    if ((report->flags & REPORT_HAS_LAST) != 0) {
        qty(print, "last_qty", report->last_qty);
        price(print, "price", report->price);
        natural(print, "exec_id", report->exec_id);
        words(print, "liquidity", NAME_OF(liquidity_names, report->liquidity));
    }
    if ((report->flags & REPORT_HAS_CUM) != 0) {
        qty(print, "filled", report->cum_qty);
    }
    if (report->order_qty != 0) {
        qty(print, "qty", report->order_qty);
    }
    if (report->order_price != 0) {
        price(print, "order_price", report->order_price);
    }
    if ((report->flags & REPORT_HAS_FEE) != 0) {
        money(print, "fee", report->fee_e8);
        if (print->instruments != NULL && report->fee_currency < print->instruments->currency_count) {
            words(print, "fee_currency", currency_code(print->instruments, report->fee_currency));
        } else {
            natural(print, "fee_currency_index", report->fee_currency);
        }
    }
    if ((report->flags & REPORT_HAS_REALISED) != 0) {
        money(print, "realised", report->realised_e8);
    }
    if ((report->flags & REPORT_TERMINAL) != 0) {
        name_of(print, "final");
        fputs("true", print->out);
    }
    if ((report->flags & REPORT_FOREIGN) != 0) {
        name_of(print, "foreign");
        fputs("true", print->out);
    }
    if (report->venue_order_id[0] != '\0') {
        word(print, "venue_order_id", report->venue_order_id,
             strnlen(report->venue_order_id, VENUE_ORDER_ID_BYTES));
    }
    if (report->venue_code != 0) {
        integer(print, "venue_code", report->venue_code);
    }
    if (report->tie != 0) {
        natural(print, "tie", report->tie);
    }
    integer(print, "venue_time_ns", report->venue_time_ns);
}

static void print_order(struct print *print, const struct record_order *order)
{
    order_id(print, "order", order->order);
    natural(print, "instance", order->instance);
    natural(print, "leg", order->leg);
    words(print, "role", NAME_OF(order_role_names, order->role));
    natural(print, "level", order->level);
    if (order->head.type == RECORD_ORDER_NEW || order->head.type == RECORD_ORDER_AMEND) {
        side_name(print, order->side);
        price(print, "price", order->price);
        qty(print, "qty", order->qty);
        words(print, "tif", order->tif == TIF_GTC ? "gtc" : order->tif == TIF_IOC ? "ioc" : "fok");
        name_of(print, "post_only");
        fputs((order->flags & ORDER_FLAG_POST_ONLY) != 0 ? "true" : "false", print->out);
        name_of(print, "reduce_only");
        fputs((order->flags & ORDER_FLAG_REDUCE_ONLY) != 0 ? "true" : "false", print->out);
        price(print, "reference_price", order->reference_price);
        integer(print, "expected_centibp", order->expected_centibp);
    }
    natural(print, "tie", order->tie);
    natural(print, "trigger_ns", order->trigger_ns);
}

static void print_status(struct print *print, const struct record_status *status)
{
    static const char *const parts[] = { "trading",  "basis",    "funding", "fee",
                                         "slippage", "residual", "rounding" };
    natural(print, "instance", status->instance);
    words(print, "state", NAME_OF(instance_state_names, status->state));
    words(print, "pull_reason", reason_pull_name(status->pull_reason));
    natural(print, "fills", status->fills);
    natural(print, "hedges", status->hedges);
    natural(print, "requotes", status->requotes);
    integer(print, "quote_qty_units", status->quote_qty);
    integer(print, "hedge_qty_units", status->hedge_qty);
    money(print, "delta", status->delta_e8);
    integer(print, "naked_ns", status->naked_ns);
    integer(print, "max_naked_ns", status->max_naked_ns);
    integer(print, "fair_offset_centibp", status->fair_offset_centibp);
    for (size_t i = 0; i < POISE_COUNT_OF(parts); i++) {
        char name[32];
        snprintf(name, sizeof name, "pnl_%s", parts[i]);
        money(print, name, status->pnl_e8[i]);
    }
}

static void print_blob(struct print *print, const struct slot *record)
{
    const struct record_head *head = record_head_of(record);
    switch (head->type) {
    case RECORD_TEXT: {
        char text[RECORD_BLOB_MAX];
        size_t bytes = 40 + (head->slot_count - 1u) * SLOT_PAYLOAD_BYTES;
        record_blob_read(record, text, bytes);
        word(print, "text", text, strnlen(text, print->json ? bytes : 40));
        break;
    }
    case RECORD_INSTRUMENT: {
        struct instrument row;
        if (head->slot_count < record_slots_for_blob(sizeof row)) {
            break;
        }
        record_blob_read(record, &row, sizeof row);
        natural(print, "index", row.index);
        word(print, "name", row.name, strnlen(row.name, sizeof row.name));
        words(print, "kind", row.kind < KIND_COUNT ? kind_names[row.kind] : "?");
        decimal(print, "tick", row.tick, row.price_decimals);
        decimal(print, "lot", row.lot, row.qty_decimals);
        money(print, "contract", row.contract_e8);
        break;
    }
    case RECORD_ACCOUNT: {
        struct account row;
        if (head->slot_count < record_slots_for_blob(sizeof row)) {
            break;
        }
        record_blob_read(record, &row, sizeof row);
        natural(print, "index", row.index);
        word(print, "name", row.name, strnlen(row.name, sizeof row.name));
        words(print, "venue", row.venue < VENUE_COUNT ? venue_names[row.venue] : "?");
        words(print, "product", row.product < PRODUCT_COUNT ? product_names[row.product] : "?");
        break;
    }
    case RECORD_PARAMS: {
        struct quote_params row;
        if (head->slot_count < record_slots_for_blob(sizeof row)) {
            break;
        }
        record_blob_read(record, &row, sizeof row);
        word(print, "name", row.name, strnlen(row.name, sizeof row.name));
        natural(print, "instance", row.instance);
        natural(print, "quote_instrument", row.quote_instrument);
        natural(print, "hedge_instrument", row.hedge_instrument);
        integer(print, "size", row.size);
        integer(print, "max_inventory", row.max_inventory);
        integer(print, "min_profit_centibp", row.min_profit_centibp);
        break;
    }
    default:
        break;
    }
}

static void print_restore(struct print *print, const struct record_head *head)
{
    switch (head->type) {
    case RECORD_RESTORE_POSITION: {
        const struct record_restore_position *restore = (const struct record_restore_position *)head;
        natural(print, "instance", restore->instance);
        natural(print, "leg", restore->leg);
        qty(print, "qty", restore->qty);
        break;
    }
    case RECORD_RESTORE_CASH: {
        const struct record_restore_cash *restore = (const struct record_restore_cash *)head;
        natural(print, "instance", restore->instance);
        natural(print, "currency", restore->currency);
        natural(print, "part", restore->part);
        money(print, "amount", restore->amount_e8);
        break;
    }
    case RECORD_RESTORE_LEDGER: {
        static const char *const whats[] = { "?",       "book",    "leg",       "cash",
                                             "balance", "payment", "execution", "price" };
        struct restore_ledger restore;
        if (head->slot_count < record_slots_for_blob(sizeof restore)) {
            break;
        }
        record_blob_read((const struct slot *)(const void *)head, &restore, sizeof restore);
        words(print, "what", NAME_OF(whats, restore.what));
        natural(print, "instance", restore.instance);
        natural(print, "currency", restore.currency);
        for (int i = 0; i < RESTORE_LEDGER_VALUES; i++) {
            char name[16];
            snprintf(name, sizeof name, "value_%d", i);
            if (restore.value[i] != 0) {
                integer(print, name, restore.value[i]);
            }
        }
        break;
    }
    case RECORD_RESTORE_COUNTER: {
        const struct record_counter_block *restore = (const struct record_counter_block *)head;
        natural(print, "next", restore->next);
        natural(print, "end", restore->end);
        break;
    }
    default:
        break;
    }
}

static void print_body(struct print *print, const struct slot *record)
{
    const struct record_head *head = record_head_of(record);
    switch ((enum record_type)head->type) {
    case RECORD_CLOCK:
        integer(print, "wall_ns", ((const struct record_clock *)head)->wall_ns);
        break;
    case RECORD_BOOK:
        print_book(print, (const struct record_book *)head);
        break;
    case RECORD_TOP:
        print_top(print, (const struct record_top *)head);
        break;
    case RECORD_TRADE: {
        const struct record_trade *trade = (const struct record_trade *)head;
        price(print, "price", trade->price);
        qty(print, "qty", trade->qty);
        words(print, "aggressor", trade->aggressor == SIDE_BUY ? "buy" : "sell");
        natural(print, "trade_id", trade->trade_id);
        integer(print, "venue_time_ns", trade->venue_time_ns);
        break;
    }
    case RECORD_MARK: {
        const struct record_mark *mark = (const struct record_mark *)head;
        price(print, "mark", mark->mark);
        price(print, "index", mark->index);
        decimal(print, "funding_rate", mark->funding_rate_e12, 12);
        integer(print, "next_funding_ns", mark->next_funding_ns);
        break;
    }
    case RECORD_FEED_STATE:
    case RECORD_INSTRUMENT_STATE:
    case RECORD_GATEWAY_STATE: {
        const struct record_state *state = (const struct record_state *)head;
        words(print, "state",
              head->type == RECORD_FEED_STATE      ? NAME_OF(feed_state_names, state->value)
              : head->type == RECORD_GATEWAY_STATE ? NAME_OF(gateway_state_names, state->value)
                                                   : NAME_OF(instrument_status_names, state->value));
        integer(print, "detail", state->detail);
        word(print, "why", state->text, strnlen(state->text, sizeof state->text));
        break;
    }
    case RECORD_ACK:
    case RECORD_REJECT:
    case RECORD_FILL:
    case RECORD_CANCELLED:
    case RECORD_EXPIRED:
    case RECORD_AMENDED:
    case RECORD_ORDER_STATE:
    case RECORD_UNKNOWN:
    case RECORD_CANCEL_ACK:
    case RECORD_RESTORE_ORDER:
    case RECORD_RESTORE_EXEC:
        if (head->slot_count >= 3) {
            print_report(print, (const struct record_report *)head);
        }
        break;
    case RECORD_BALANCE: {
        const struct record_balance *balance = (const struct record_balance *)head;
        if (print->instruments != NULL && balance->currency < print->instruments->currency_count) {
            words(print, "currency", currency_code(print->instruments, balance->currency));
        } else {
            natural(print, "currency_index", balance->currency);
        }
        money(print, "total", balance->total_e8);
        if (balance->available_e8 != INT64_MIN) {
            money(print, "available", balance->available_e8);
        }
        money(print, "change", balance->change_e8);
        natural(print, "reason", balance->reason);
        break;
    }
    case RECORD_POSITION: {
        const struct record_position *position = (const struct record_position *)head;
        qty(print, "qty", position->qty);
        money(print, "entry", position->entry_e8);
        break;
    }
    case RECORD_COMMAND: {
        const struct record_command *command = (const struct record_command *)head;
        words(print, "command", NAME_OF(command_names, command->command));
        natural(print, "instance", command->instance);
        break;
    }
    case RECORD_CELL: {
        const struct record_cell *cell = (const struct record_cell *)head;
        natural(print, "kind", cell->kind);
        natural(print, "instance", cell->instance);
        for (int i = 0; i < 4; i++) {
            char name[16];
            snprintf(name, sizeof name, "value_%d", i);
            integer(print, name, cell->value[i]);
        }
        break;
    }
    case RECORD_BEGIN: {
        const struct record_begin_run *begin = (const struct record_begin_run *)head;
        natural(print, "run", begin->run);
        natural(print, "segment", begin->segment);
        natural(print, "engine", begin->engine);
        natural(print, "mode", begin->mode);
        integer(print, "wall_ns", begin->wall_ns);
        word(print, "build_id", begin->build_id, strnlen(begin->build_id, sizeof begin->build_id));
        break;
    }
    case RECORD_FEE: {
        const struct record_fee *fee = (const struct record_fee *)head;
        integer(print, "maker_centibp", fee->maker_centibp);
        integer(print, "taker_centibp", fee->taker_centibp);
        break;
    }
    case RECORD_CONVERT: {
        const struct record_convert *convert = (const struct record_convert *)head;
        natural(print, "from", convert->from);
        natural(print, "to", convert->to);
        money(print, "fixed", convert->fixed_e8);
        break;
    }
    case RECORD_CURRENCY: {
        const struct record_currency *currency = (const struct record_currency *)head;
        natural(print, "currency", currency->currency);
        word(print, "code", currency->code, strnlen(currency->code, sizeof currency->code));
        natural(print, "decimals", currency->decimals);
        break;
    }
    case RECORD_DELIVERY:
        money(print, "price", ((const struct record_delivery *)head)->price_e8);
        break;
    case RECORD_TEXT:
    case RECORD_INSTRUMENT:
    case RECORD_ACCOUNT:
    case RECORD_PARAMS:
        print_blob(print, record);
        break;
    case RECORD_RESTORE_POSITION:
    case RECORD_RESTORE_CASH:
    case RECORD_RESTORE_LEDGER:
    case RECORD_RESTORE_COUNTER:
        print_restore(print, head);
        break;
    case RECORD_ORDER_NEW:
    case RECORD_ORDER_AMEND:
    case RECORD_ORDER_CANCEL:
    case RECORD_ORDER_QUERY:
    case RECORD_CANCEL_ALL:
        if (head->slot_count >= 2) {
            print_order(print, (const struct record_order *)head);
        }
        break;
    case RECORD_EVENT: {
        const struct record_event *event = (const struct record_event *)head;
        words(print, "code", NAME_OF(event_names, event->code));
        natural(print, "code_number", event->code);
        natural(print, "instance", event->instance);
        natural(print, "severity", event->severity);
        for (int i = 0; i < 4; i++) {
            char name[16];
            snprintf(name, sizeof name, "value_%d", i);
            integer(print, name, event->value[i]);
        }
        break;
    }
    case RECORD_STATUS:
        if (head->slot_count >= 3) {
            print_status(print, (const struct record_status *)head);
        }
        break;
    case RECORD_LOST: {
        const struct record_lost *lost = (const struct record_lost *)head;
        natural(print, "count", lost->count);
        natural(print, "first_ns", lost->first_ns);
        break;
    }
    default:
        break;
    }
}

void record_print(FILE *out, const struct slot *record, uint64_t number, const struct reduce *tables,
                  bool json)
{
    const struct record_head *head = record_head_of(record);
    struct print print = { .out = out, .json = json };
    if (tables != NULL) {
        print.instruments = reduce_instruments(tables);
        if (head->instrument < print.instruments->count) {
            print.instrument = &print.instruments->row[head->instrument];
        }
    }
    bool emitted = (head->flags & RECORD_FLAG_OUT) != 0;
    if (json) {
        fprintf(out, "{\"number\":%" PRIu64 ",\"way\":\"%s\",\"type\":\"%s\",\"stamp_ns\":%" PRIu64, number,
                emitted ? "out" : "in", record_type_name(head->type), head->stamp_ns);
    } else {
        fprintf(out, "%10" PRIu64 " %s %" PRIu64 " %s", number, emitted ? "<-" : "->", head->stamp_ns,
                record_type_name(head->type));
    }
    if (print.instrument != NULL) {
        word(&print, "instrument", print.instrument->name,
             strnlen(print.instrument->name, sizeof print.instrument->name));
    } else if (head->instrument != NO_INSTRUMENT) {
        natural(&print, "instrument_index", head->instrument);
    }
    if (head->account != NO_ACCOUNT) {
        natural(&print, "account", head->account);
    }
    if ((head->flags & RECORD_FLAG_REST) != 0) {
        name_of(&print, "rest");
        fputs("true", out);
    }
    print_body(&print, record);
    fputs(json ? "}\n" : "\n", out);
}

uint64_t record_order_of(const struct slot *record)
{
    const struct record_head *head = record_head_of(record);
    if (head->type >= RECORD_ORDER_NEW && head->type <= RECORD_CANCEL_ALL && head->slot_count >= 2) {
        return ((const struct record_order *)head)->order;
    }
    bool report = (head->type >= RECORD_ACK && head->type <= RECORD_UNKNOWN) ||
                  head->type == RECORD_CANCEL_ACK || head->type == RECORD_RESTORE_ORDER ||
                  head->type == RECORD_RESTORE_EXEC;
    return report && head->slot_count >= 3 ? ((const struct record_report *)head)->order : 0;
}
