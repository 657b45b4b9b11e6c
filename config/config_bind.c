#include "config/config_parts.h"
#include "ring/decimal.h"
#include "ring/kind.h"

#include <stdio.h>
#include <string.h>

/* A decimal in the instrument's quantity unit, on its lot; false with a fault told. */
static bool bind_qty(struct config *config, uint32_t i, const char *key, const char *text,
                     const struct instrument *instrument, int64_t *qty)
{
    char lot[DECIMAL_TEXT_BYTES];

    decimal_print_short(lot, instrument->lot, instrument->qty_decimals);
    if (decimal_parse(text, strlen(text), instrument->qty_decimals, qty) != DECIMAL_OK ||
        *qty % instrument->lot != 0) {
        config_tell_quote(config, i, key, " = %s: must be a multiple of %s, the lot of %s", text, lot,
                          instrument->name);
        return false;
    }
    return true;
}

static void bind_size(struct config *config, uint32_t i, const struct instrument *instrument)
{
    struct config_quote *quote = &config->quote[i];
    struct quote_params *params = &quote->params;
    char bound[DECIMAL_TEXT_BYTES];

    if (!bind_qty(config, i, "size", quote->size, instrument, &params->size)) {
        return;
    }
    if (params->size < instrument->min_qty) {
        decimal_print_short(bound, instrument->min_qty, instrument->qty_decimals);
        config_tell_quote(config, i, "size", " = %s: must be at least %s, the smallest order of %s",
                          quote->size, bound, instrument->name);
    }
    int128 largest =
        (int128)params->size * (100 + (int128)(params->levels - 1) * params->size_step_percent) / 100;
    if (instrument->max_qty > 0 && largest > instrument->max_qty) {
        decimal_print_short(bound, instrument->max_qty, instrument->qty_decimals);
        config_tell_quote(config, i, "size", " = %s: the furthest level exceeds %s, the largest order of %s",
                          quote->size, bound, instrument->name);
    }
    /* An inverse contract is worth the same at any price. */
    bool inverse = instrument->kind == KIND_INVERSE_PERPETUAL || instrument->kind == KIND_INVERSE_FUTURE;
    if (inverse && largest * instrument->contract_e8 / decimal_power[instrument->qty_decimals] >
                       config->risk.max_order_e8) {
        decimal_print_short(bound, config->risk.max_order_e8, DECIMAL_MONEY);
        config_tell_quote(config, i, "size", " = %s: the furthest level exceeds risk.max_order = %s",
                          quote->size, bound);
    }
}

static const struct instrument *bind_instrument(struct config *config,
                                                const struct instrument_table *instruments, uint32_t i,
                                                const char *key, const char *name)
{
    const struct instrument *instrument = instrument_by_name(instruments, name);

    if (instrument == NULL) {
        config_tell_quote(config, i, key, " = \"%s\": the venue lists no such instrument", name);
    } else if (!kind_is_traded(instrument->kind)) {
        config_tell_quote(
            config, i, key,
            " = \"%s\": a %s: its profit and exposure are understood, and no strategy trades it yet", name,
            kind_names[instrument->kind]);
    }
    return instrument;
}

/* Whether a chain of conversions leads from one currency to another. */
static bool converts(const struct config *config, const char *from, const char *to)
{
    const char *reached[2 * CONFIG_CONVERTS_MAX + 1] = { from };
    uint32_t count = 1;

    for (uint32_t at = 0; at < count; at++) {
        if (strcmp(reached[at], to) == 0) {
            return true;
        }
        for (uint32_t i = 0; i < config->convert_count; i++) {
            const struct config_convert *convert = &config->convert[i];
            const char *next = strcmp(convert->from, reached[at]) == 0 ? convert->to
                               : strcmp(convert->to, reached[at]) == 0 ? convert->from
                                                                       : NULL;
            bool seen = next == NULL;
            for (uint32_t k = 0; k < count && !seen; k++) {
                seen = strcmp(reached[k], next) == 0;
            }
            if (!seen && count < POISE_COUNT_OF(reached)) {
                reached[count++] = next;
            }
        }
    }
    return false;
}

/* A leg's prices and profits must reach the reporting currency.  The base coin itself is worth the leg's own
 * price and needs no row. */
static void bind_currency(struct config *config, const struct instrument_table *instruments, uint32_t i,
                          const char *key, const struct instrument *instrument, uint16_t currency,
                          const char *toward)
{
    const char *code = currency_code(instruments, currency);

    if (currency == instrument->base || converts(config, code, toward)) {
        return;
    }
    config_tell_quote(config, i, key,
                      " = \"%s\": needs a [[convert]] from %s to %s (they are different currencies)",
                      instrument->name, code, toward);
}

static void bind_quote(struct config *config, struct instrument_table *instruments, uint32_t i)
{
    struct config_quote *quote = &config->quote[i];
    struct quote_params *params = &quote->params;
    const struct instrument *leg = bind_instrument(config, instruments, i, "quote_leg", quote->quote_leg);
    const struct instrument *hedge = bind_instrument(config, instruments, i, "hedge_leg", quote->hedge_leg);
    const struct instrument *second = NULL;
    if (quote->second_leg[0] != '\0') {
        second = bind_instrument(config, instruments, i, "second_leg", quote->second_leg);
    }

    if (leg != NULL) {
        params->quote_instrument = leg->index;
        bind_size(config, i, leg);
        bind_qty(config, i, "max_inventory", quote->max_inventory, leg, &params->max_inventory);
        bind_qty(config, i, "target_inventory", quote->target_inventory, leg, &params->target_inventory);
        bind_currency(config, instruments, i, "quote_leg", leg, leg->quote, config->report_currency);
        if (leg->settle != leg->quote) {
            bind_currency(config, instruments, i, "quote_leg", leg, leg->settle, config->report_currency);
        }
    }
    const struct instrument *hedges[2] = { hedge, second };
    const char *const keys[2] = { "hedge_leg", "second_leg" };
    for (uint32_t k = 0; k < 2; k++) {
        if (hedges[k] == NULL) {
            continue;
        }
        bind_currency(config, instruments, i, keys[k], hedges[k], hedges[k]->quote, config->report_currency);
        if (hedges[k]->settle != hedges[k]->quote) {
            bind_currency(config, instruments, i, keys[k], hedges[k], hedges[k]->settle,
                          config->report_currency);
        }
        if (leg != NULL && leg->base != hedges[k]->base) {
            config_tell_quote(config, i, keys[k],
                              " = \"%s\": its coin is %s and the quoted leg's is %s (legs must cancel)",
                              hedges[k]->name, currency_code(instruments, hedges[k]->base),
                              currency_code(instruments, leg->base));
        }
    }
    params->hedge_instrument = hedge != NULL ? hedge->index : NO_INSTRUMENT;
    params->second_instrument = second != NULL ? second->index : NO_INSTRUMENT;
}

static uint16_t account_index(const struct account_table *accounts, const char *name)
{
    const struct account *row = account_by_name(accounts, name);
    return row != NULL ? row->index : NO_ACCOUNT;
}

bool config_bind(struct config *config, struct instrument_table *instruments, struct account_table *accounts)
{
    config->risk.report_currency =
        currency_find(instruments, config->report_currency, strlen(config->report_currency), true);

    accounts->count = config->account_count;
    for (uint32_t i = 0; i < config->account_count; i++) {
        config->account[i].row.index = (uint16_t)i;
        accounts->row[i] = config->account[i].row;
    }
    for (uint32_t i = 0; i < config->convert_count; i++) {
        const struct config_convert *convert = &config->convert[i];
        currency_find(instruments, convert->from, strlen(convert->from), true);
        currency_find(instruments, convert->to, strlen(convert->to), true);
        if (convert->instrument[0] == '\0') {
            continue;
        }
        const struct instrument *rate = instrument_by_name(instruments, convert->instrument);
        int line = config_line_of(config, "convert", "instrument", i);
        if (rate == NULL) {
            config_tell(config, line, "convert[%u].instrument = \"%s\": the venue lists no such instrument",
                        i, convert->instrument);
        } else if (strcmp(currency_code(instruments, rate->base), convert->from) != 0 ||
                   strcmp(currency_code(instruments, rate->quote), convert->to) != 0) {
            config_tell(config, line,
                        "convert[%u].instrument = \"%s\": is the price of %s in %s, not of %s in %s", i,
                        convert->instrument, currency_code(instruments, rate->base),
                        currency_code(instruments, rate->quote), convert->from, convert->to);
        }
    }
    for (uint32_t i = 0; i < config->quote_count; i++) {
        struct config_quote *quote = &config->quote[i];
        bind_quote(config, instruments, i);
        quote->params.quote_account = account_index(accounts, quote->quote_account);
        quote->params.hedge_account = account_index(accounts, quote->hedge_account);
        quote->params.second_account = account_index(accounts, quote->second_account);
    }
    config_sort_faults(config);
    return config->fault_count == 0;
}
