#include "cold/recover.h"
#include "cold/ask.h"
#include "cold/counter_block.h"
#include "cold/journal.h"
#include "cold/ledger.h"
#include "cold/metadata.h"
#include "cold/payments.h"
#include "ring/clock.h"
#include "ring/order_id.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define PATIENCE_NS (30 * NS_PER_S)
#define WAIT_NS     (600 * NS_PER_S)
#define LOST_NS     (INT64_C(24) * 3600 * 1000000000) /* how far back runs that left nothing are looked for */

#define OPENING_TURNS    8
#define OPENING_APART_NS 2000000000LL /* a payment this near to a balance read may be in it or not */

enum {
    PAIRS_MAX = 96,
    OPEN_MAX = 8192,
    LOOKS_MAX = 8, /* looks at positions and fills until they agree: fills go on meanwhile */
    CANCEL_TURNS = 20,
    STRANGERS_MAX = 64, /* an owner who trades by hand costs so many questions, not one an execution */
};

const char *const recover_state_names[RECOVER_STATE_COUNT] = {
    [RECOVER_LOCK] = "lock",
    [RECOVER_SEGMENTS] = "segments",
    [RECOVER_RING] = "ring",
    [RECOVER_VENUE_TIME] = "venue_time",
    [RECOVER_METADATA] = "metadata",
    [RECOVER_RIGHTS] = "rights",
    [RECOVER_MODE] = "mode",
    [RECOVER_SESSIONS] = "sessions",
    [RECOVER_OPEN_ORDERS] = "open_orders",
    [RECOVER_UNKNOWN] = "unknown",
    [RECOVER_POSITIONS] = "positions",
    [RECOVER_BALANCES] = "balances",
    [RECOVER_FILLS] = "fills",
    [RECOVER_ATTRIBUTE] = "attribute",
    [RECOVER_POLICY] = "policy",
    [RECOVER_READY] = "ready",
};

/* One (account, instrument) that must be asked about. */
struct pair {
    uint16_t account, instrument;
    bool known;       /* the last run had to do with it */
    bool cancel;      /* what rests there is cancelled before trading */
    bool told;        /* the venue named a position */
    uint32_t foreign; /* orders that are not ours */
    int64_t venue_qty;
    int64_t entry_e8;
    int64_t set_aside; /* goes to the unassigned row */
    uint64_t filled_from;
};

struct recover {
    struct recover_options options;
    enum recover_state next;
    enum recover_verdict verdict; /* of who left */
    bool again, done;
    uint32_t looks; /* how often it was looked again */
    char reason[768];
    struct ask ask;

    struct reduce *old;  /* of the last run, its indexes */
    struct reduce *held; /* in this run's indexes, with what the venue told */
    bool any_run;
    bool lost; /* no run to read, but there were some: they may have traded, and lost it with the power .. */
    int64_t lost_since_ns; /* .. since then; 0 not known */
    uint64_t run;
    uint64_t gaps;         /* records missing in what was read */
    uint64_t begun_ns;     /* this recovery, on the steady clock .. */
    int64_t begun_wall_ns; /* .. and by the calendar */

    uint32_t pair_count;
    struct pair pair[PAIRS_MAX];

    uint64_t *open; /* order ids the venue told rest */
    uint32_t open_count;
    bool adopted;      /* one of ours rested when it was first looked, whatever became of it */
    uint64_t *dropped; /* orders that never were: left out of RESTORE */
    uint32_t dropped_count, buried_count, asked_count;
    uint32_t missed, foreign_fills, cancelled, balances, paid;
    bool opened[ACCOUNT_MAX]; /* its opening is known: rows of payments behind it count */
    uint32_t stranger_count;  /* orders that were asked for and are not ours, by the venue's id */
    char stranger[STRANGERS_MAX][VENUE_ORDER_ID_BYTES];
    uint8_t stranger_reason[STRANGERS_MAX]; /* of the venue's own; else as the execution says */

    struct slots restore; /* RESTORE records in this run's indexes, before the venue was asked */
    struct slots learned; /* what the venue told, in order */
    struct slots others;  /* with a journal that was lost: executions that are not ours by their order's id */
    struct slots closing; /* positions, balances, counters: newest only */
    uint32_t orphan_count;
    struct quote_params orphan[PARAMS_INSTANCE_MAX];

    /* translation */
    uint16_t instrument_map[INSTRUMENT_MAX], account_map[ACCOUNT_MAX], currency_map[CURRENCY_MAX];
    bool untranslated;
};

/* ------------------------------------------------------------------ words */

__attribute__((format(printf, 2, 3))) static void tell(struct recover *recover, const char *format, ...)
{
    char line[RECOVER_LINE_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (recover->options.tell != NULL) {
        recover->options.tell(recover->options.context, recover->next, line);
    }
}

__attribute__((format(printf, 3, 4))) static bool
refuse(struct recover *recover, enum recover_verdict verdict, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(recover->reason, sizeof recover->reason, format, arguments);
    va_end(arguments);
    recover->verdict = verdict;
    return false;
}

static const struct instrument *instrument_at(const struct recover *recover, uint16_t index)
{
    return &recover->options.instruments->row[index];
}

static const char *qty_text(char out[DECIMAL_TEXT_BYTES], const struct instrument *instrument, int64_t qty)
{
    decimal_print_short(out, qty, instrument->qty_decimals);
    return out;
}

static const char *account_name(const struct recover *recover, uint16_t account)
{
    return account < recover->options.accounts->count ? recover->options.accounts->row[account].name : "?";
}

static int64_t wall_now(const struct recover *recover)
{
    return recover->options.clock.wall_ns(recover->options.clock.context);
}

static uint64_t now(const struct recover *recover)
{
    return recover->options.clock.now_ns(recover->options.clock.context);
}

/* ------------------------------------------------------------------ asking */

static struct rest_question question_of(const struct recover *recover, uint16_t account, enum rest_what what,
                                        const struct instrument *instrument)
{
    const struct account *row = &recover->options.accounts->row[account];
    return (
        struct rest_question){ .venue = recover->options.venue(row->venue),
                               .key = &recover->options.key[account],
                               .account = account,
                               .query = { .what = (uint8_t)what,
                                          .product = instrument != NULL ? instrument->product : row->product,
                                          .instrument = instrument } };
}

static void on_ask(void *context, const char *line)
{
    tell(context, "%s", line);
}

static bool on_idle(void *context)
{
    const struct recover *recover = context;
    return recover->options.idle == NULL || recover->options.idle(recover->options.context);
}

/* Asks until there is an answer or there will be none; NULL after a refusal was written. */
static const struct rest_reply *ask(struct recover *recover, const struct rest_question *question,
                                    const char *what)
{
    const struct rest_reply *reply = ask_until(&recover->ask, question, what);
    const char *why = recover->ask.why;
    switch (recover->ask.result) {
    case ASK_ANSWERED:
        break;
    case ASK_REFUSED:
        refuse(recover, RECOVER_UNAVAILABLE, "%s; check the key, its rights and the clock", why);
        break;
    case ASK_SILENT:
        refuse(recover, RECOVER_UNAVAILABLE,
               "%s; nothing is known from a failed read, so nothing was started: try again when the venue "
               "answers",
               why);
        break;
    case ASK_NO_QUESTION:
    case ASK_TOO_LONG:
    case ASK_STOPPED:
        refuse(recover, RECOVER_UNAVAILABLE, "%s; nothing was started", why);
        break;
    }
    return reply;
}

/* Lets so much time pass; false after a refusal was written. */
static bool pause(struct recover *recover, uint64_t ns)
{
    return ask_pause(&recover->ask, ns) ||
           refuse(recover, RECOVER_UNAVAILABLE, "told to stop before recovery was done; nothing was started");
}

/* ------------------------------------------------------------------ pairs */

static struct pair *pair_of(struct recover *recover, uint16_t account, uint16_t instrument)
{
    if (account >= recover->options.accounts->count || instrument >= recover->options.instruments->count) {
        return NULL;
    }
    for (uint32_t i = 0; i < recover->pair_count; i++) {
        if (recover->pair[i].account == account && recover->pair[i].instrument == instrument) {
            return &recover->pair[i];
        }
    }
    POISE_ASSERT(recover->pair_count < PAIRS_MAX);
    struct pair *pair = &recover->pair[recover->pair_count++];
    *pair = (struct pair){ .account = account, .instrument = instrument };
    return pair;
}

static bool same_account_kind(const struct recover *recover, const struct pair *pair)
{
    const struct account *account = &recover->options.accounts->row[pair->account];
    const struct instrument *instrument = instrument_at(recover, pair->instrument);
    return account_trades(account, instrument->venue, instrument->product);
}

/* Something may rest or be held there: its contract has not ended. */
static bool is_traded(const struct recover *recover, const struct pair *pair)
{
    const struct instrument *instrument = instrument_at(recover, pair->instrument);
    bool over = instrument->expiry_ns != 0 && wall_now(recover) >= instrument->expiry_ns;
    return same_account_kind(recover, pair) && !over;
}

/* ------------------------------------------------------------------ LOCK */

static bool lock_leg(struct recover *recover, const char *leg, const char *account)
{
    const struct config *config = recover->options.config;
    char error[512], name[sizeof((struct config_account *)0)->row.name + INSTRUMENT_NAME_BYTES + 2];
    if (leg[0] == '\0') {
        return true;
    }
    for (uint32_t i = 0; i < config->account_count; i++) {
        if (strcmp(config->account[i].row.name, account) != 0) {
            continue;
        }
        /* Two instances may share a leg; a process cannot take the same lock twice. */
        snprintf(name, sizeof name, "%s/%s", account, leg);
        static char taken[LOCK_MAX][sizeof name];
        for (uint32_t k = 1; k < recover->options.locks->count; k++) {
            if (strcmp(taken[k], name) == 0) {
                return true;
            }
        }
        uint32_t at = recover->options.locks->count;
        enum lock_result result = lock_pair(recover->options.locks, recover->options.lock_directory,
                                            &config->account[i].row, leg, error, sizeof error);
        if (result != LOCK_TAKEN) {
            return refuse(recover, result == LOCK_HELD ? RECOVER_REFUSED : RECOVER_UNAVAILABLE, "%s", error);
        }
        memcpy(taken[at], name, sizeof name);
    }
    return true;
}

static bool step_lock(struct recover *recover)
{
    const struct config *config = recover->options.config;
    char error[512];
    recover->options.locks->count = 0;
    enum lock_result result =
        lock_state(recover->options.locks, recover->options.state_directory, error, sizeof error);
    if (result != LOCK_TAKEN) {
        return refuse(recover, result == LOCK_HELD ? RECOVER_REFUSED : RECOVER_UNAVAILABLE, "%s", error);
    }
    for (uint32_t i = 0; i < config->quote_count; i++) {
        const struct config_quote *quote = &config->quote[i];
        if (!lock_leg(recover, quote->quote_leg, quote->quote_account) ||
            !lock_leg(recover, quote->hedge_leg, quote->hedge_account) ||
            !lock_leg(recover, quote->second_leg, quote->second_account)) {
            return false;
        }
    }
    tell(recover, "%s and %u account-instrument pairs are ours alone", recover->options.state_directory,
         recover->options.locks->count - 1);
    return true;
}

/* ------------------------------------------------------------------ SEGMENTS, RING */

/* What reading one run back found. */
struct read_back {
    uint64_t records, from_ring, torn, gaps;
};

/* Reduces a run into recover->old; false when there is nothing of it (error says so) or, with *fatal, when
 * what there is cannot be read. */
static bool read_run(struct recover *recover, uint64_t run, struct read_back *back, bool *fatal)
{
    const struct recover_options *options = &recover->options;
    struct journal_reader_options read = { .directory = options->journal_directory,
                                           .shared_directory = options->shared_directory,
                                           .run = run,
                                           .newest_segment = true };
    char error[1024];
    memset(back, 0, sizeof *back);
    struct journal_reader *reader = journal_reader_open(&read, error, sizeof error);
    if (reader == NULL) {
        *fatal = strstr(error, "layouts") != NULL;
        if (*fatal) {
            refuse(recover, RECOVER_REFUSED,
                   "%s; what was held cannot be read: recover once with the build that wrote it", error);
        }
        return false;
    }
    reduce_destroy(recover->old);
    recover->old = reduce_create();
    struct journal_item item;
    enum journal_result result;
    while ((result = journal_next(reader, &item)) != JOURNAL_END) {
        if (result == JOURNAL_RECORD || result == JOURNAL_HEAD) {
            reduce_record(recover->old, item.item.record);
            back->records++;
            back->from_ring += item.from_ring;
        } else if (result == JOURNAL_GAP) {
            back->gaps += item.gap_to - item.gap_from;
        }
    }
    back->torn = journal_reader_torn(reader);
    journal_reader_close(reader);
    return true;
}

static bool step_segments(struct recover *recover)
{
    const struct recover_options *options = &recover->options;
    char error[1024];
    if (!journal_ring_readable(options->shared_directory, error, sizeof error)) {
        return refuse(recover, RECOVER_REFUSED, "%s", error);
    }
    uint64_t newest = journal_newest_run(options->journal_directory, options->shared_directory);
    recover->run = newest + 1;
    /* A run that never got to trade (refused, or killed while it was being told what is held) knows less than
     * the one before it. */
    struct read_back back = { 0 };
    uint64_t run = newest;
    uint32_t passed = 0;
    for (; run > 0; run--) {
        bool fatal = false;
        bool there = read_run(recover, run, &back, &fatal);
        if (there && reduce_restored(recover->old)) {
            break;
        }
        if (fatal) {
            return false;
        }
        if (there && reduce_begin(recover->old) != NULL) {
            recover->lost_since_ns = reduce_begin(recover->old)->wall_ns;
        }
        passed++;
    }
    if (passed != 0) {
        tell(recover, "%u run%s before this one never began to trade", passed, passed == 1 ? "" : "s");
    }
    if (run == 0) {
        reduce_destroy(recover->old);
        recover->old = reduce_create();
        /* Ids are reserved on the disk before the first order: the power may have taken all the rest. */
        recover->lost = passed != 0 || counter_block_known(options->state_directory);
        tell(recover, "no run before this one%s",
             passed == 0 && recover->lost ? " is on the disk, but order ids were reserved" : "");
        return true;
    }
    recover->any_run = true;
    recover->gaps = back.gaps;
    const struct record_begin_run *begin = reduce_begin(recover->old);
    struct reduce_counts counts;
    reduce_counts(recover->old, &counts);
    tell(recover,
         "run %" PRIu64 ": %" PRIu64 " records (%" PRIu64
         " from the ring); orders: %u live, %u in flight, %u unknown, "
         "%u short of executions",
         run, back.records, back.from_ring, counts.live, counts.sent, counts.unknown, counts.owed);
    if (back.gaps != 0 || back.torn != 0) {
        tell(recover,
             "%" PRIu64 " records are missing and %" PRIu64 " bytes torn: the venue decides what is true",
             back.gaps, back.torn);
    }
    if (begin->engine != options->config->engine) {
        return refuse(
            recover, RECOVER_REFUSED,
            "this state directory belongs to engine %u and the configuration says %u: order ids would not be "
            "recognised; set engine.id back or use another state_dir",
            begin->engine, options->config->engine);
    }
    return true;
}

static bool step_ring(struct recover *recover)
{
    const struct recover_options *options = &recover->options;
    char error[1024];
    int64_t saved = journal_salvage(options->journal_directory, options->shared_directory, wall_now(recover),
                                    error, sizeof error);
    if (saved < 0) {
        return refuse(recover, RECOVER_UNAVAILABLE,
                      "%s; the last run's tail must reach the disk before a new one begins", error);
    }
    tell(recover, "%" PRId64 " records of the last run were only in the ring; they are on disk now", saved);
    return true;
}

/* ------------------------------------------------------------------ VENUE_TIME */

static bool step_venue_time(struct recover *recover)
{
    const struct config *config = recover->options.config;
    bool asked[VENUE_COUNT] = { false };
    for (uint32_t i = 0; i < config->account_count; i++) {
        const struct account *row = &config->account[i].row;
        if (asked[row->venue]) {
            continue;
        }
        asked[row->venue] = true;
        struct rest_question question = { .venue = recover->options.venue(row->venue),
                                          .account = NO_ACCOUNT,
                                          .query = { .what = REST_TIME, .product = row->product } };
        const struct rest_reply *reply = ask(recover, &question, "server time");
        if (reply == NULL) {
            return false;
        }
        int64_t middle_ns = reply->asked_wall_ns + (reply->answered_wall_ns - reply->asked_wall_ns) / 2;
        int64_t offset_ns = reply->answer.server_time_ns - middle_ns;
        rest_offset(recover->options.rest, row->venue, offset_ns);
        if (base_abs(offset_ns) > RECOVER_CLOCK_NS) {
            return refuse(
                recover, RECOVER_REFUSED,
                "the clock of %s is %+" PRId64 " s from this machine's, and no more than %lld s is "
                "believed: executions would be looked for at the wrong time.  Set this machine's clock "
                "(timedatectl, chronyc makestep); nothing was started",
                venue_names[row->venue], offset_ns / 1000000000, RECOVER_CLOCK_NS / 1000000000);
        }
        tell(recover, "%s answers in %" PRId64 " ms; its clock is %+" PRId64 " ms from ours%s",
             venue_names[row->venue], (reply->answered_wall_ns - reply->asked_wall_ns) / 1000000,
             offset_ns / 1000000,
             base_abs(offset_ns) > 1000000000 ? ": synchronise this machine's clock" : "");
    }
    return true;
}

/* ------------------------------------------------------------------ METADATA */

struct wanted_row {
    char name[INSTRUMENT_NAME_BYTES];
    uint8_t venue, product;
    char symbol[INSTRUMENT_SYMBOL_BYTES];
    bool found;
    struct instrument row;
    char base[CURRENCY_BYTES], quote[CURRENCY_BYTES], settle[CURRENCY_BYTES];
};

struct wanted {
    uint32_t count;
    struct wanted_row row[INSTRUMENT_MAX];
};

static void want(struct wanted *wanted, const char *name, uint8_t venue, uint8_t product, const char *symbol)
{
    for (uint32_t i = 0; i < wanted->count; i++) {
        if (strcmp(wanted->row[i].name, name) == 0) {
            return;
        }
    }
    if (wanted->count < INSTRUMENT_MAX) {
        struct wanted_row *row = &wanted->row[wanted->count++];
        memset(row, 0, sizeof *row);
        snprintf(row->name, sizeof row->name, "%s", name);
        snprintf(row->symbol, sizeof row->symbol, "%s", symbol);
        row->venue = venue;
        row->product = product;
    }
}

static void take_row(void *context, const struct instrument *row, const char *base, const char *quote,
                     const char *settle)
{
    struct wanted *wanted = context;
    for (uint32_t i = 0; i < wanted->count; i++) {
        struct wanted_row *want_row = &wanted->row[i];
        if (want_row->venue == row->venue && want_row->product == row->product &&
            strcmp(want_row->symbol, row->symbol) == 0) {
            want_row->row = *row;
            want_row->found = true;
            snprintf(want_row->base, CURRENCY_BYTES, "%s", base);
            snprintf(want_row->quote, CURRENCY_BYTES, "%s", quote);
            snprintf(want_row->settle, CURRENCY_BYTES, "%s", settle);
        }
    }
}

/* The last run still has to do with this instrument. */
static bool still_held(const struct reduce *old, uint16_t instrument)
{
    for (uint32_t i = 0; i < reduce_position_count(old); i++) {
        const struct reduce_position *row = reduce_position_at(old, i);
        if (row->instrument == instrument && row->position.qty != 0) {
            return true;
        }
    }
    return false;
}

struct open_on {
    uint16_t instrument;
    bool any;
};

static void look_open_on(void *context, const struct reduce_order *order)
{
    struct open_on *on = context;
    on->any |= order->instrument == on->instrument;
}

/* A contract that ended while no engine ran is in no list any more; what was held of it became cash, and its
 * row is as it was. */
static bool ended_meanwhile(const struct recover *recover, struct wanted_row *row)
{
    const struct instrument_table *before = reduce_instruments(recover->old);
    const struct instrument *was = recover->any_run ? instrument_by_name(before, row->name) : NULL;
    if (was == NULL || was->expiry_ns == 0 || wall_now(recover) < was->expiry_ns) {
        return false;
    }
    row->row = *was;
    row->row.status = INSTRUMENT_CLOSED;
    snprintf(row->base, CURRENCY_BYTES, "%s", currency_code(before, was->base));
    snprintf(row->quote, CURRENCY_BYTES, "%s", currency_code(before, was->quote));
    snprintf(row->settle, CURRENCY_BYTES, "%s", currency_code(before, was->settle));
    return true;
}

static bool fetch_metadata(struct recover *recover, struct wanted *wanted)
{
    struct instrument_table *table = recover->options.instruments;
    for (uint8_t venue = 1; venue < VENUE_COUNT; venue++) {
        for (uint8_t product = 1; product < PRODUCT_COUNT; product++) {
            bool needed = false;
            for (uint32_t i = 0; i < wanted->count; i++) {
                needed |= wanted->row[i].venue == venue && wanted->row[i].product == product;
            }
            if (!needed) {
                continue;
            }
            char what[96];
            snprintf(what, sizeof what, "metadata of %s %s", venue_names[venue], product_names[product]);
            struct rest_question question = { .venue = recover->options.venue(venue),
                                              .account = NO_ACCOUNT,
                                              .query = { .what = REST_INSTRUMENTS, .product = product },
                                              .instrument = take_row,
                                              .instrument_context = wanted };
            if (ask(recover, &question, what) == NULL) {
                return false;
            }
        }
    }
    for (uint32_t i = 0; i < wanted->count; i++) {
        struct wanted_row *row = &wanted->row[i];
        if (!row->found && !ended_meanwhile(recover, row)) {
            continue; /* bind says which key named it; what is held is looked at in translation */
        }
        memcpy(row->row.name, row->name, sizeof row->row.name);
        row->row.base = currency_find(table, row->base, strlen(row->base), true);
        row->row.quote = currency_find(table, row->quote, strlen(row->quote), true);
        row->row.settle = currency_find(table, row->settle, strlen(row->settle), true);
        const char *wrong = instrument_check(&row->row);
        if (wrong != NULL) {
            return refuse(recover, RECOVER_UNAVAILABLE, "%s: the venue's metadata makes no sense: %s",
                          row->name, wrong);
        }
        if (instrument_add(table, &row->row) == UINT16_MAX) {
            return refuse(recover, RECOVER_CONFIG, "%s: the instrument table is full", row->name);
        }
    }
    return true;
}

/* Identity is the name: an instance keeps its number as long as the journal knows its name. */
static bool number_instances(struct recover *recover)
{
    struct config *config = recover->options.config;
    bool used[PARAMS_INSTANCE_MAX] = { false };
    uint32_t old_count = recover->any_run ? reduce_params_count(recover->old) : 0;
    for (uint32_t i = 0; i < old_count; i++) {
        uint16_t instance = reduce_params_at(recover->old, i)->instance;
        if (instance < PARAMS_INSTANCE_MAX) {
            used[instance] = true;
        }
    }
    for (uint32_t i = 0; i < config->quote_count; i++) {
        struct quote_params *params = &config->quote[i].params;
        const struct quote_params *known = NULL;
        for (uint32_t k = 0; k < old_count && known == NULL; k++) {
            const struct quote_params *row = reduce_params_at(recover->old, k);
            known = strncmp(row->name, params->name, PARAMS_NAME_BYTES) == 0 ? row : NULL;
        }
        if (known != NULL) {
            params->instance = known->instance;
            continue;
        }
        uint16_t instance = 0;
        while (instance < PARAMS_INSTANCE_MAX && used[instance]) {
            instance++;
        }
        if (instance == PARAMS_INSTANCE_MAX) {
            return refuse(recover, RECOVER_CONFIG,
                          "instance %s: all %d numbers are taken by names of the last run", params->name,
                          PARAMS_INSTANCE_MAX);
        }
        used[instance] = true;
        params->instance = instance;
    }
    return true;
}

/* ------------------------------------------------------------------ the last run in this run's indexes */

static void build_maps(struct recover *recover)
{
    const struct instrument_table *before = reduce_instruments(recover->old),
                                  *after = recover->options.instruments;
    const struct account_table *accounts = reduce_accounts(recover->old);
    memset(recover->instrument_map, 0xff, sizeof recover->instrument_map);
    memset(recover->account_map, 0xff, sizeof recover->account_map);
    memset(recover->currency_map, 0xff, sizeof recover->currency_map);
    for (uint32_t i = 0; i < before->currency_count; i++) {
        /* Also one that no instrument of this run has: there may be money in it. */
        const char *code = before->currency[i].code;
        if (code[0] != '\0') {
            recover->currency_map[i] = currency_find(recover->options.instruments, code, strlen(code), true);
        }
    }
    for (uint32_t i = 0; i < before->count; i++) {
        const struct instrument *old_row = &before->row[i];
        const struct instrument *new_row = instrument_by_name(after, old_row->name);
        if (new_row == NULL) {
            continue;
        }
        recover->instrument_map[i] = new_row->index;
        const uint16_t old_of[3] = { old_row->base, old_row->quote, old_row->settle };
        const uint16_t new_of[3] = { new_row->base, new_row->quote, new_row->settle };
        for (int k = 0; k < 3; k++) {
            if (old_of[k] < CURRENCY_MAX) {
                recover->currency_map[old_of[k]] = new_of[k];
            }
        }
    }
    for (uint32_t i = 0; i < accounts->count; i++) {
        /* The same name at another venue is another account. */
        const struct account *row = account_by_name(recover->options.accounts, accounts->row[i].name);
        if (row != NULL && row->venue == accounts->row[i].venue && row->product == accounts->row[i].product) {
            recover->account_map[i] = row->index;
        }
    }
}

static void translate_report(struct recover *recover, struct record_report *report,
                             const struct instrument *before)
{
    const struct instrument *after = instrument_at(recover, report->head.instrument);
    int64_t *const qtys[] = { &report->last_qty, &report->cum_qty, &report->order_qty, &report->realised_e8 };
    /* fee_e8 of a RESTORE_ORDER is a price; the fee of an execution is not among what travels */
    int64_t *const prices[] = { &report->price, &report->order_price, &report->fee_e8 };
    /* realised_e8 of a RESTORE_ORDER is the quantity told; -1, never, is no quantity */
    for (size_t i = 0; i < POISE_COUNT_OF(qtys) - (report->realised_e8 <= 0); i++) {
        recover->untranslated |= !metadata_scale(qtys[i], before->qty_decimals, after->qty_decimals);
    }
    for (size_t i = 0; i < POISE_COUNT_OF(prices); i++) {
        recover->untranslated |= !metadata_scale(prices[i], before->price_decimals, after->price_decimals);
    }
    if (report->fee_currency < CURRENCY_MAX) {
        report->fee_currency = recover->currency_map[report->fee_currency];
    }
}

static bool keeps_payments(const struct recover *recover, uint16_t account)
{
    const struct recover_options *options = &recover->options;
    return payments_kept(options->rest, options->venue, options->instruments, options->accounts, options->key,
                         account);
}

/* A row of the ledger's books.  What was made on an instrument that is no more stays with its account; what
 * was only there to recognise something on it is not needed. */
static bool translate_ledger(struct recover *recover, struct slot *record, const struct record_head *was,
                             const struct instrument *before, const char *old_account)
{
    struct record_head *head = record_head_of(record);
    struct restore_ledger row;
    record_blob_read(record, &row, sizeof row);
    bool gone = before != NULL && head->instrument == NO_INSTRUMENT;
    if (was->account != NO_ACCOUNT && head->account == NO_ACCOUNT) {
        if (row.what == RESTORE_LEDGER_LEG) {
            tell(recover, "profit made on account %s, which this configuration does not have, is left behind",
                 old_account);
        }
        return false;
    }
    if (row.what == RESTORE_LEDGER_PRICE || row.what == RESTORE_LEDGER_BESIDE) {
        return false; /* of another day */
    }
    if (row.what == RESTORE_LEDGER_BALANCE) {
        /* Where the venue tells payments, what moved is asked for; elsewhere nobody will say. */
        row.value[RESTORE_LEDGER_BALANCE_AWAY] =
            recover->options.accept_difference || !keeps_payments(recover, head->account);
    }
    if (gone && (row.what == RESTORE_LEDGER_PAYMENT || row.what == RESTORE_LEDGER_EXEC)) {
        return false;
    }
    if (row.what == RESTORE_LEDGER_CASH || row.what == RESTORE_LEDGER_BALANCE ||
        row.what == RESTORE_LEDGER_PAYMENT ||
        (row.what == RESTORE_LEDGER_EXEC && row.currency < CURRENCY_MAX)) {
        row.currency = row.currency < CURRENCY_MAX ? recover->currency_map[row.currency] : CURRENCY_NONE;
        if (row.currency == CURRENCY_NONE) {
            tell(recover, "profit booked on %s in a currency this run does not know is left behind",
                 old_account);
            return false;
        }
    }
    if (before != NULL && !gone) {
        /* the two numbers of a row that are in an instrument's units */
        const struct instrument *after = instrument_at(recover, head->instrument);
        if (row.what == RESTORE_LEDGER_LEG) {
            recover->untranslated |= !metadata_scale(&row.value[RESTORE_LEDGER_LEG_QTY], before->qty_decimals,
                                                     after->qty_decimals);
        } else if (row.what == RESTORE_LEDGER_EXEC) {
            recover->untranslated |= !metadata_scale(&row.value[RESTORE_LEDGER_EXEC_PRICE],
                                                     before->price_decimals, after->price_decimals);
        }
    }
    record_blob_write(record, &row, sizeof row);
    return true;
}

/* One RESTORE record of the last run, said in this run's indexes; what cannot be said is refused, because it
 * is money or an order somewhere. */
static void translate(void *context, const struct slot *record)
{
    struct recover *recover = context;
    if (recover->verdict != RECOVER_DONE) {
        return;
    }
    const struct record_head *was = record_head_of(record);
    struct slot copy[RECORD_SLOTS_MAX];
    memset(copy, 0, sizeof copy);
    record_copy(copy, record);
    struct record_head *head = record_head_of(copy);
    head->stamp_ns = now(recover); /* the last run's clock is not this machine's any more */
    if (head->type == RECORD_RESTORE_COUNTER) {
        reduce_record(recover->held, copy);
        return;
    }
    const struct instrument *before = NULL;
    if (was->instrument != NO_INSTRUMENT) {
        before = &reduce_instruments(recover->old)->row[was->instrument];
        head->instrument =
            was->instrument < INSTRUMENT_MAX ? recover->instrument_map[was->instrument] : NO_INSTRUMENT;
    }
    if (was->account != NO_ACCOUNT) {
        head->account = was->account < ACCOUNT_MAX ? recover->account_map[was->account] : NO_ACCOUNT;
    }
    bool lost = (before != NULL && head->instrument == NO_INSTRUMENT) ||
                (was->account != NO_ACCOUNT && head->account == NO_ACCOUNT);
    const char *old_account = was->account < reduce_accounts(recover->old)->count
                                  ? reduce_accounts(recover->old)->row[was->account].name
                                  : "?";
    switch (head->type) {
    case RECORD_RESTORE_POSITION: {
        struct record_restore_position *restore = (struct record_restore_position *)head;
        if (lost) {
            char qty[DECIMAL_TEXT_BYTES];
            if (restore->qty != 0) {
                refuse(recover, RECOVER_REFUSED,
                       "%s of %s are held on account %s, which this configuration and the venue's metadata "
                       "do not have: "
                       "put the account back, or close the position at the venue first",
                       qty_text(qty, before, restore->qty), before->name, old_account);
            }
            return;
        }
        recover->untranslated |= !metadata_scale(&restore->qty, before->qty_decimals,
                                                 instrument_at(recover, head->instrument)->qty_decimals);
        break;
    }
    case RECORD_RESTORE_ORDER: {
        struct record_report *report = (struct record_report *)head;
        if (lost) {
            char text[ORDER_ID_TEXT_BYTES + 1] = { 0 };
            order_id_print(text, report->order);
            refuse(recover, RECOVER_REFUSED,
                   "order %s on %s (account %s) may still rest, and this configuration does not have its "
                   "account or "
                   "instrument: put it back, or cancel everything there first",
                   text, before->name, old_account);
            return;
        }
        translate_report(recover, report, before);
        break;
    }
    case RECORD_RESTORE_EXEC:
        if (lost) {
            return; /* only there to count nothing twice */
        }
        translate_report(recover, (struct record_report *)head, before);
        break;
    case RECORD_RESTORE_CASH: {
        struct record_restore_cash *cash = (struct record_restore_cash *)head;
        cash->currency =
            cash->currency < CURRENCY_MAX ? recover->currency_map[cash->currency] : CURRENCY_NONE;
        if (lost || cash->currency == CURRENCY_NONE) {
            tell(recover, "profit booked on %s in a currency this run does not use is left behind",
                 old_account);
            return;
        }
        break;
    }
    case RECORD_RESTORE_PNL: {
        struct record_restore_pnl *pnl = (struct record_restore_pnl *)head;
        pnl->currency = pnl->currency < CURRENCY_MAX ? recover->currency_map[pnl->currency] : CURRENCY_NONE;
        if (pnl->currency != recover->options.config->risk.report_currency) {
            return; /* counted in another currency: losses count from now on */
        }
        break;
    }
    case RECORD_RESTORE_LEDGER:
        if (!translate_ledger(recover, copy, was, before, old_account)) {
            return;
        }
        break;
    default:
        return;
    }
    slots_add(&recover->restore, copy);
    reduce_record(recover->held, copy);
    if (head->type == RECORD_RESTORE_POSITION || head->type == RECORD_RESTORE_ORDER) {
        struct pair *pair = pair_of(recover, head->account, head->instrument);
        if (pair != NULL) {
            pair->known = true;
        }
    }
}

static void feed_blob(struct reduce *reduce, enum record_type type, const void *blob, size_t bytes)
{
    struct slot record[RECORD_SLOTS_MAX];
    memset(record, 0, sizeof record);
    record_begin(record, type, record_slots_for_blob(bytes), 0);
    record_blob_write(record, blob, bytes);
    reduce_record(reduce, record);
}

/* The new reducer learns this run's tables, so that ids, legs and kinds mean something to it. */
static void begin_held(struct recover *recover)
{
    const struct recover_options *options = &recover->options;
    struct slot record[2];
    memset(record, 0, sizeof record);
    struct record_begin_run *begin = (struct record_begin_run *)record_begin(record, RECORD_BEGIN, 2, 0);
    begin->run = recover->run;
    begin->wall_ns = wall_now(recover);
    begin->engine = (uint16_t)options->config->engine;
    reduce_record(recover->held, record);
    for (uint32_t i = 0; i < options->instruments->count; i++) {
        feed_blob(recover->held, RECORD_INSTRUMENT, &options->instruments->row[i], sizeof(struct instrument));
    }
    for (uint32_t i = 0; i < options->accounts->count; i++) {
        feed_blob(recover->held, RECORD_ACCOUNT, &options->accounts->row[i], sizeof(struct account));
    }
    for (uint32_t i = 0; i < options->config->quote_count; i++) {
        feed_blob(recover->held, RECORD_PARAMS, &options->config->quote[i].params,
                  sizeof(struct quote_params));
    }
}

static void add_leg(struct recover *recover, uint16_t account, uint16_t instrument)
{
    if (account != NO_ACCOUNT && instrument != NO_INSTRUMENT) {
        pair_of(recover, account, instrument);
    }
}

/* An instance that is gone and holds something is unwound over both its legs. */
static void want_orphans(struct recover *recover, struct wanted *wanted)
{
    const struct instrument_table *before = reduce_instruments(recover->old);
    const struct config *config = recover->options.config;
    for (uint32_t i = 0; i < reduce_params_count(recover->old); i++) {
        const struct quote_params *was = reduce_params_at(recover->old, i);
        bool gone = true, holds = false;
        for (uint32_t k = 0; k < config->quote_count; k++) {
            gone &= strncmp(config->quote[k].params.name, was->name, PARAMS_NAME_BYTES) != 0;
        }
        for (uint32_t k = 0; k < reduce_position_count(recover->old); k++) {
            const struct reduce_position *row = reduce_position_at(recover->old, k);
            holds |= row->instance == was->instance && row->position.qty != 0;
        }
        const uint16_t legs[3] = { was->quote_instrument, was->hedge_instrument, was->second_instrument };
        for (int leg = 0; leg < 3 && gone && holds; leg++) {
            if (legs[leg] < before->count) {
                const struct instrument *row = &before->row[legs[leg]];
                want(wanted, row->name, row->venue, row->product, row->symbol);
            }
        }
    }
}

/* What an account may ask, where its venue tells: never more than was configured. */
static bool read_limits(struct recover *recover)
{
    for (uint16_t i = 0; i < recover->options.accounts->count; i++) {
        struct account *row = &recover->options.accounts->row[i];
        struct rest_question question = question_of(recover, i, REST_LIMITS, NULL);
        if (!rest_knows(recover->options.rest, &question)) {
            continue;
        }
        char what[96];
        snprintf(what, sizeof what, "limits of %s", row->name);
        const struct rest_reply *reply = ask_until(&recover->ask, &question, what);
        if (reply == NULL && recover->ask.result == ASK_REFUSED) {
            tell(recover, "%s: as configured", recover->ask.why);
            continue;
        }
        if (reply == NULL) {
            return refuse(recover, RECOVER_UNAVAILABLE, "%s; nothing was started", recover->ask.why);
        }
        for (uint32_t c = 0; c < CREDIT_COUNT; c++) {
            credit_lower(&row->credit[c], reply->answer.limit[c]);
        }
        rest_lower(recover->options.rest, row->venue, reply->answer.limit);
        tell(recover,
             "%s: %d orders and cancels at once and %d.%03d a second; the venue tells %d and %d.%03d",
             row->name, row->credit[CREDIT_TRADE].burst, row->credit[CREDIT_TRADE].rate_e3 / 1000,
             row->credit[CREDIT_TRADE].rate_e3 % 1000, reply->answer.limit[CREDIT_TRADE].burst,
             reply->answer.limit[CREDIT_TRADE].rate_e3 / 1000,
             reply->answer.limit[CREDIT_TRADE].rate_e3 % 1000);
    }
    return true;
}

static bool step_metadata(struct recover *recover)
{
    const struct recover_options *options = &recover->options;
    struct config *config = options->config;
    struct wanted *wanted = calloc(1, sizeof *wanted);
    POISE_ASSERT(wanted != NULL);
    for (uint32_t i = 0; i < config->instrument_count; i++) {
        const struct config_instrument *row = &config->instrument[i];
        want(wanted, row->name, row->venue, row->product, row->symbol);
    }
    if (recover->any_run) {
        const struct instrument_table *before = reduce_instruments(recover->old);
        for (uint32_t i = 0; i < before->count; i++) {
            const struct instrument *row = &before->row[i];
            struct open_on on = { .instrument = (uint16_t)i };
            reduce_orders(recover->old, look_open_on, &on);
            if (on.any || still_held(recover->old, (uint16_t)i)) {
                want(wanted, row->name, row->venue, row->product, row->symbol);
            }
        }
    }
    if (recover->any_run) {
        want_orphans(recover, wanted);
    }
    instrument_table_reset(options->instruments);
    bool done = fetch_metadata(recover, wanted);
    free(wanted);
    if (!done || !number_instances(recover)) {
        return false;
    }
    if (options->bind != NULL && !options->bind(config, options->instruments, options->accounts)) {
        return refuse(recover, RECOVER_CONFIG, "%s%s",
                      config->fault_count != 0 ? config->fault[0].text : "configuration",
                      config->fault_count > 1 ? " (and more)" : "");
    }
    if (!read_limits(recover)) {
        return false;
    }
    begin_held(recover);
    for (uint32_t i = 0; i < config->quote_count; i++) {
        const struct quote_params *params = &config->quote[i].params;
        add_leg(recover, params->quote_account, params->quote_instrument);
        add_leg(recover, params->hedge_account, params->hedge_instrument);
        add_leg(recover, params->second_account, params->second_instrument);
    }
    if (recover->any_run) {
        build_maps(recover);
        reduce_restore(recover->old, translate, recover);
        if (recover->verdict != RECOVER_DONE) {
            return false;
        }
        if (recover->untranslated) {
            return refuse(
                recover, RECOVER_REFUSED,
                "the venue's units became coarser than what is held or ordered: close it at the venue, or "
                "recover with --accept-difference");
        }
    }
    tell(recover, "%u instruments, %u accounts, %u instances", options->instruments->count,
         options->accounts->count, config->quote_count);
    return true;
}

/* ------------------------------------------------------------------ RIGHTS */

static bool check_rights(struct recover *recover, uint16_t account)
{
    bool live = recover->options.config->mode == MODE_LIVE;
    struct rest_question question = question_of(recover, account, REST_KEY_RIGHTS, NULL);
    if (!rest_knows(recover->options.rest, &question)) {
        question.query.product = PRODUCT_SPOT; /* one page for all products on some venues */
        if (!rest_knows(recover->options.rest, &question)) {
            tell(recover, "%s: the venue does not tell whether the key may withdraw",
                 account_name(recover, account));
            return true;
        }
    }
    const struct rest_reply *reply = ask(recover, &question, "rights of the key");
    if (reply == NULL) {
        return false;
    }
    if (reply->answer.can_withdraw == FACT_YES && live) {
        return refuse(recover, RECOVER_REFUSED,
                      "the key of %s may withdraw: live trading refuses it; make one that may only trade",
                      account_name(recover, account));
    }
    tell(recover, "%s: the key %s", account_name(recover, account),
         reply->answer.can_withdraw == FACT_YES  ? "may withdraw: live trading would refuse it"
         : reply->answer.can_withdraw == FACT_NO ? "may not withdraw"
                                                 : "may withdraw or not: the venue does not say");
    return true;
}

struct on_account {
    uint16_t account;
    uint32_t orders;
};

static void count_on_account(void *context, const struct reduce_order *order)
{
    struct on_account *on = context;
    on->orders += order->account == on->account;
}

/* Another key may be another account: what is held and what rests would be looked for in the wrong place. */
static bool check_key(struct recover *recover, uint32_t old_account)
{
    const struct account *was = &reduce_accounts(recover->old)->row[old_account];
    uint16_t account = recover->account_map[old_account];
    if (account == NO_ACCOUNT || was->key_hash == recover->options.accounts->row[account].key_hash) {
        return true;
    }
    struct on_account on = { .account = (uint16_t)old_account };
    reduce_orders(recover->old, count_on_account, &on);
    uint32_t held = 0;
    for (uint32_t i = 0; i < reduce_position_count(recover->old); i++) {
        const struct reduce_position *row = reduce_position_at(recover->old, i);
        held += row->account == old_account && row->position.qty != 0;
    }
    if (held == 0 && on.orders == 0) {
        tell(recover, "%s has another key than in the last run; nothing was held there", was->name);
        return true;
    }
    if (recover->options.accept_key) {
        tell(recover, "%s has another key than in the last run; it is the same account, as you said",
             was->name);
        return true;
    }
    return refuse(
        recover, RECOVER_REFUSED,
        "%s has another key than in the last run, which left %u positions and %u open orders there.  "
        "Put the old key back; or, if the new one belongs to the same account at the venue, start once "
        "with --accept-key; nothing was started",
        was->name, held, on.orders);
}

static bool step_rights(struct recover *recover)
{
    for (uint32_t i = 0; recover->any_run && i < reduce_accounts(recover->old)->count; i++) {
        if (!check_key(recover, i)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < recover->options.accounts->count; i++) {
        if (!check_rights(recover, (uint16_t)i)) {
            return false;
        }
    }
    return true;
}

/* ------------------------------------------------------------------ MODE */

/* What an account must be, and what to do where it is not. */
enum { MODE_ONE_WAY, MODE_CROSS, MODE_SINGLE, MODE_SELF_TRADE, MODE_TRADES, MODE_FACTS };
static const struct {
    const char *fact, *remedy;
} mode_words[MODE_FACTS] = {
    [MODE_ONE_WAY] = { "one-way positions", "switch the account to one-way mode (no hedge mode)" },
    [MODE_CROSS] = { "cross margin", "switch the account to cross margin on this instrument" },
    [MODE_SINGLE] = { "single-asset margin", "switch multi-assets margin off" },
    [MODE_SELF_TRADE] = { "self-trade prevention", "switch the account's self-trade prevention on" },
    [MODE_TRADES] = { "that the account may trade",
                      "give the key the right to trade, or ask the venue why not" },
};

static bool check_mode(struct recover *recover, const struct pair *pair, uint32_t *untold)
{
    const struct instrument *instrument = instrument_at(recover, pair->instrument);
    const char *name = account_name(recover, pair->account);
    char what[128];
    snprintf(what, sizeof what, "account mode of %s", name);
    struct rest_question question = question_of(recover, pair->account, REST_ACCOUNT_MODE, instrument);
    if (!rest_knows(recover->options.rest, &question)) {
        tell(recover, "%s: the venue does not tell", what);
        return true;
    }
    const struct rest_reply *reply = ask(recover, &question, what);
    if (reply == NULL) {
        return false;
    }
    const struct rest_answer *answer = &reply->answer;
    const uint8_t facts[MODE_FACTS] = { answer->mode_one_way, answer->mode_cross, answer->mode_single_asset,
                                        answer->mode_self_trade, answer->can_trade };
    for (int i = 0; i < MODE_FACTS; i++) {
        if (facts[i] == FACT_NO) {
            return refuse(recover, RECOVER_REFUSED, "%s (%s): no %s: %s; nothing was started", name,
                          instrument->name, mode_words[i].fact, mode_words[i].remedy);
        }
        if (facts[i] == FACT_UNKNOWN && (*untold & 1u << i) == 0) {
            *untold |= 1u << i; /* once an account */
            tell(recover, "%s: the venue does not tell of %s: see to it yourself (%s)", name,
                 mode_words[i].fact, mode_words[i].remedy);
        }
    }
    if (answer->mode_words[0] != '\0') {
        tell(recover, "%s (%s): %s", name, instrument->name, answer->mode_words);
    }
    return true;
}

static bool step_mode(struct recover *recover)
{
    uint32_t asked = 0, untold[ACCOUNT_MAX] = { 0 };
    for (uint32_t i = 0; i < recover->pair_count; i++) {
        if (is_traded(recover, &recover->pair[i])) {
            if (!check_mode(recover, &recover->pair[i], &untold[recover->pair[i].account])) {
                return false;
            }
            asked++;
        }
    }
    tell(recover, "%u account-instrument pairs are in the mode we trade in", asked);
    return true;
}

/* ------------------------------------------------------------------ SESSIONS */

static bool step_sessions(struct recover *recover)
{
    char why[256] = "";
    if (recover->options.sessions == NULL) {
        tell(recover, "none: nothing will be traded");
        return true;
    }
    if (!recover->options.sessions(recover->options.context, why, sizeof why)) {
        return refuse(recover, RECOVER_UNAVAILABLE, "%s", why);
    }
    for (uint32_t i = 0; i < recover->options.accounts->count; i++) {
        const struct account *row = &recover->options.accounts->row[i];
        const struct venue *venue = recover->options.venue(row->venue);
        bool offered = venue != NULL && venue->has_dead_man && row->product != PRODUCT_SPOT;
        bool armed = offered && (row->dead_man_ms > 0 || account_venues[row->venue].one_login);
        tell(recover, "%s listens; dead-man: %s", row->name,
             armed     ? "armed"
             : offered ? "off (dead_man_ms = 0): a dead engine's orders stay"
                       : "not offered here: a dead engine's orders stay");
    }
    return true;
}

/* ------------------------------------------------------------------ OPEN_ORDERS */

static bool is_ours(const struct recover *recover, uint64_t order)
{
    return order != 0 && order_id_engine(order) == recover->options.config->engine;
}

static void learn(struct recover *recover, const struct slot *record)
{
    struct slot *kept = slots_add(&recover->learned, record);
    struct record_head *head = record_head_of(kept);
    head->flags |= RECORD_FLAG_REST;
    head->stamp_ns = now(recover);
    reduce_record(recover->held, kept);
}

/* An order the journal lost with its tail, or one that an old answer shows again and an earlier run counted
 * to its end: the strategy must know it before it is told what became of it.  Its executions count one by
 * one, by their ids; a cumulative quantity proves nothing (a stranger, hot/strategy/order.h). */
static void adopt(struct recover *recover, const struct record_report *told)
{
    struct slot record[3];
    memset(record, 0, sizeof record);
    struct record_report *restore =
        (struct record_report *)record_begin(record, RECORD_RESTORE_ORDER, 3, now(recover));
    uint8_t leg;
    restore->head.instrument = told->head.instrument;
    restore->head.account = told->head.account;
    uint16_t instance =
        reduce_instance_of(recover->held, told->order, told->head.instrument, told->head.account, &leg);
    restore->order = told->order;
    restore->price = restore->order_price = told->order_price;
    restore->order_qty = told->order_qty;
    restore->realised_e8 = -1;
    restore->flags = REPORT_HAS_CUM | REPORT_FOREIGN;
    restore->side = told->side;
    restore->fee_currency = CURRENCY_NONE;
    restore->spare32 = (uint32_t)leg << 8;
    restore->spare64 = (uint64_t)instance << 8;
    memcpy(restore->venue_order_id, told->venue_order_id, VENUE_ORDER_ID_BYTES);
    slots_add(&recover->restore, record);
    reduce_record(recover->held, record);
    char text[ORDER_ID_TEXT_BYTES + 1] = { 0 };
    order_id_print(text, told->order);
    tell(recover, "order %s is ours by its id and not in the journal: adopted", text);
}

static bool is_open(const struct recover *recover, uint64_t order)
{
    for (uint32_t i = 0; i < recover->open_count; i++) {
        if (recover->open[i] == order) {
            return true;
        }
    }
    return false;
}

static void take_order_state(struct recover *recover, struct pair *pair, const struct slot *record, bool open)
{
    const struct record_report *report = (const struct record_report *)record_head_of(record);
    if (!is_ours(recover, report->order) || (report->flags & REPORT_FOREIGN) != 0) {
        pair->foreign += open;
        return;
    }
    if (open && recover->open_count < OPEN_MAX) {
        recover->open[recover->open_count++] = report->order;
        recover->adopted = true;
    }
    if (reduce_order(recover->held, report->order) == NULL) {
        adopt(recover, report);
    }
    learn(recover, record);
}

static bool read_open_orders(struct recover *recover, struct pair *pair)
{
    const struct instrument *instrument = instrument_at(recover, pair->instrument);
    char what[128];
    snprintf(what, sizeof what, "open orders on %s", instrument->name);
    struct rest_question question = question_of(recover, pair->account, REST_OPEN_ORDERS, instrument);
    const struct rest_reply *reply = ask(recover, &question, what);
    if (reply == NULL) {
        return false;
    }
    pair->foreign = 0;
    uint32_t at = 0;
    for (const struct slot *record; (record = slots_next(reply->records, &at)) != NULL;) {
        const struct record_head *head = record_head_of(record);
        if (head->type == RECORD_ORDER_STATE && head->slot_count >= 3 &&
            head->instrument == pair->instrument) {
            take_order_state(recover, pair, record, true);
        }
    }
    return true;
}

struct order_list {
    uint64_t *order;
    uint32_t count, capacity;
};

static void list_order(void *context, const struct reduce_order *order)
{
    struct order_list *list = context;
    if (list->count == list->capacity) {
        list->capacity = list->capacity * 2 + 64;
        list->order = realloc(list->order, list->capacity * sizeof *list->order);
        POISE_ASSERT(list->order != NULL);
    }
    list->order[list->count++] = order->order;
}

/* Asks what became of one order.  *missing: the venue does not know it. */
static bool read_order(struct recover *recover, uint64_t id, bool *missing)
{
    const struct reduce_order *order = reduce_order(recover->held, id);
    const struct instrument *instrument = instrument_at(recover, order->instrument);
    char text[ORDER_ID_TEXT_BYTES + 1] = { 0 }, what[160];
    order_id_print(text, id);
    snprintf(what, sizeof what, "order %s on %s", text, instrument->name);
    /* What may still be on its way to the venue is not missing yet.  A clock that went back meanwhile tells
     * nothing of its age: then it is as young as this recovery. */
    int64_t age_ns = recover->begun_wall_ns - order->sent_wall_ns;
    age_ns = order->sent_wall_ns == 0 ? RECOVER_GRACE_NS : base_max(age_ns, 0);
    uint64_t wait_until_ns = recover->begun_ns + (uint64_t)base_max(RECOVER_GRACE_NS - age_ns, 0);
    struct rest_question question = question_of(recover, order->account, REST_ORDER, instrument);
    question.query.order = id;
    for (;;) {
        const struct rest_reply *reply = ask(recover, &question, what);
        if (reply == NULL) {
            return false;
        }
        *missing = false;
        bool told = false;
        uint32_t at = 0;
        for (const struct slot *record; (record = slots_next(reply->records, &at)) != NULL;) {
            const struct record_report *report = (const struct record_report *)record_head_of(record);
            if (report->head.slot_count < 3 || report->order != id) {
                continue;
            }
            bool unknown =
                (report->head.type == RECORD_ORDER_STATE && report->status == ORDER_STATUS_NOT_FOUND) ||
                (report->head.type == RECORD_REJECT && report->reason == REASON_NOT_FOUND);
            if (unknown) {
                *missing = true;
            } else if (report->head.type == RECORD_ORDER_STATE) {
                learn(recover, record);
                told = true;
            }
        }
        if (told) {
            return true;
        }
        if (!*missing) {
            return refuse(recover, RECOVER_UNAVAILABLE,
                          "%s: the venue's answer does not say what became of it", what);
        }
        if (now(recover) >= wait_until_ns) {
            return true;
        }
        if (!pause(recover, NS_PER_S)) {
            return false;
        }
    }
}

/* Orders the venue does not know: whether they never were is decided when the executions are in. */
static void drop(struct recover *recover, uint64_t order)
{
    recover->dropped = realloc(recover->dropped, (recover->dropped_count + 1) * sizeof *recover->dropped);
    POISE_ASSERT(recover->dropped != NULL);
    recover->dropped[recover->dropped_count++] = order;
}

static bool read_others(struct recover *recover)
{
    struct order_list list = { 0 };
    bool done = true;
    reduce_orders(recover->held, list_order, &list);
    for (uint32_t i = 0; i < list.count && done; i++) {
        bool missing = false;
        if (!is_open(recover, list.order[i])) {
            done = read_order(recover, list.order[i], &missing);
            recover->asked_count++;
        }
        if (missing) {
            drop(recover, list.order[i]);
        }
    }
    free(list.order);
    return done;
}

static bool step_open_orders(struct recover *recover)
{
    uint32_t foreign = 0;
    for (uint32_t i = 0; i < recover->pair_count; i++) {
        if (!is_traded(recover, &recover->pair[i])) {
            continue;
        }
        if (!read_open_orders(recover, &recover->pair[i])) {
            return false;
        }
        foreign += recover->pair[i].foreign;
    }
    tell(recover, "%u of ours rest, %u are somebody else's", recover->open_count, foreign);
    return true;
}

static bool step_unknown(struct recover *recover)
{
    if (!read_others(recover)) {
        return false;
    }
    tell(recover, "%u orders do not rest and were asked for, %u of them are not known to the venue",
         recover->asked_count, recover->dropped_count);
    return true;
}

/* ------------------------------------------------------------------ POSITIONS, BALANCES */

/* A venue's figure as it is now: of each the newest is told, before trading begins. */
static void keep_newest(struct recover *recover, const struct slot *record, uint8_t flags)
{
    struct slot *kept = slots_add(&recover->closing, record);
    record_head_of(kept)->flags |= flags;
    record_head_of(kept)->stamp_ns = now(recover);
    reduce_record(recover->held, kept);
}

/* A total of a currency, which is told behind what it has beside our cash. */
static bool is_total(const struct slot *record)
{
    return record_head_of(record)->type == RECORD_BALANCE &&
           record_head_of(record)->instrument == NO_INSTRUMENT;
}

static bool read_positions(struct recover *recover)
{
    uint32_t old = 0;
    for (struct slot *record; (record = slots_next(&recover->closing, &old)) != NULL;) {
        if (!is_total(record)) {
            record_head_of(record)->type = RECORD_NONE; /* only the newest is told */
        }
    }
    for (uint32_t i = 0; i < recover->pair_count; i++) {
        struct pair *pair = &recover->pair[i];
        const struct instrument *instrument = instrument_at(recover, pair->instrument);
        struct rest_question question = question_of(recover, pair->account, REST_POSITIONS, instrument);
        pair->told = false;
        if (instrument->kind == KIND_SPOT || !is_traded(recover, pair) ||
            !rest_knows(recover->options.rest, &question)) {
            continue;
        }
        char what[128];
        snprintf(what, sizeof what, "position on %s", instrument->name);
        const struct rest_reply *reply = ask(recover, &question, what);
        if (reply == NULL) {
            return false;
        }
        uint32_t at = 0;
        for (const struct slot *record; (record = slots_next(reply->records, &at)) != NULL;) {
            const struct record_position *position = (const struct record_position *)record_head_of(record);
            if (position->head.type == RECORD_POSITION && position->head.instrument == pair->instrument) {
                pair->told = true;
                pair->venue_qty = position->qty;
                pair->entry_e8 = position->entry_e8;
                keep_newest(recover, record, RECORD_FLAG_REST | RECORD_FLAG_SNAP);
            } else if (position->head.type == RECORD_BALANCE &&
                       position->head.instrument == pair->instrument) {
                keep_newest(recover, record, RECORD_FLAG_REST); /* what its total has beside our cash */
            }
        }
    }
    return true;
}

static bool step_positions(struct recover *recover)
{
    if (!read_positions(recover)) {
        return false;
    }
    for (uint32_t i = 0; i < recover->pair_count; i++) {
        const struct pair *pair = &recover->pair[i];
        const struct instrument *instrument = instrument_at(recover, pair->instrument);
        char ours[DECIMAL_TEXT_BYTES], theirs[DECIMAL_TEXT_BYTES];
        qty_text(ours, instrument, reduce_position_sum(recover->held, pair->account, pair->instrument));
        qty_text(theirs, instrument, pair->venue_qty);
        tell(recover, "%s on %s: journal %s, venue %s", instrument->name,
             account_name(recover, pair->account), ours, pair->told ? theirs : "names none");
    }
    return true;
}

/* What moved our money since the last word: told, not judged, because an owner may have moved money too. */
static void explain_balance(struct recover *recover, uint16_t account, const struct record_balance *told)
{
    if (!recover->any_run) {
        return;
    }
    const struct account_table *before = reduce_accounts(recover->old);
    for (uint32_t a = 0; a < before->count; a++) {
        for (uint16_t c = 0; c < CURRENCY_MAX; c++) {
            if (recover->account_map[a] != account || recover->currency_map[c] != told->currency) {
                continue;
            }
            const struct reduce_venue_balance *was = reduce_venue_balance(recover->old, (uint16_t)a, c);
            int64_t moved = was != NULL ? told->total_e8 - was->last.total_e8 : 0;
            if (moved != 0) {
                char text[DECIMAL_TEXT_BYTES];
                decimal_print_short(text, moved, DECIMAL_MONEY);
                tell(recover, "%s %s moved by %s since the last run told it (executions, funding, transfers)",
                     account_name(recover, account),
                     currency_code(recover->options.instruments, told->currency), text);
                return;
            }
        }
    }
}

static bool read_balances(struct recover *recover, uint16_t account, struct rest_question *question,
                          int64_t *asked_ns)
{
    char what[96];
    snprintf(what, sizeof what, "balances of %s", account_name(recover, account));
    const struct rest_reply *reply = ask(recover, question, what);
    if (reply == NULL) {
        return false;
    }
    uint32_t old = 0;
    for (struct slot *record; (record = slots_next(&recover->closing, &old)) != NULL;) {
        if (is_total(record) && record_head_of(record)->account == account) {
            record_head_of(record)->type = RECORD_NONE;
        }
    }
    *asked_ns = rest_venue_wall_ns(recover->options.rest, question->venue->id, reply->asked_wall_ns);
    uint32_t at = 0;
    for (const struct slot *record; (record = slots_next(reply->records, &at)) != NULL;) {
        if (record_head_of(record)->type == RECORD_BALANCE) {
            keep_newest(recover, record, RECORD_FLAG_REST | RECORD_FLAG_SNAP);
            explain_balance(recover, account, (const struct record_balance *)record_head_of(record));
            recover->balances++;
        }
    }
    return true;
}

/* Rows of an account's payment history that are news; *newest the time of the newest row of all. */
static bool read_payments(struct recover *recover, uint16_t account, int64_t since_ns, int64_t *asked_ns,
                          int64_t *newest_ns)
{
    const struct recover_options *options = &recover->options;
    static struct payments_plan plan;
    payments_plan(&plan, options->rest, options->venue, options->instruments, options->accounts, options->key,
                  reduce_ledger(recover->held));
    *asked_ns = *newest_ns = 0;
    for (uint32_t i = 0; i < plan.count; i++) {
        struct rest_question *question = &plan.question[i];
        if (question->account != account) {
            continue;
        }
        question->query.since_ns = since_ns;
        question->query.until_ns = rest_venue_wall_ns(options->rest, question->venue->id, wall_now(recover));
        char what[96];
        snprintf(what, sizeof what, "payments of %s", account_name(recover, account));
        const struct rest_reply *reply = ask(recover, question, what);
        if (reply == NULL) {
            return false;
        }
        int64_t begun_ns = rest_venue_wall_ns(options->rest, question->venue->id, reply->asked_wall_ns);
        *asked_ns = *asked_ns == 0 ? begun_ns : base_min(*asked_ns, begun_ns);
        uint32_t at = 0;
        for (const struct slot *record; (record = slots_next(reply->records, &at)) != NULL;) {
            const struct record_head *head = record_head_of(record);
            if (head->type == RECORD_BALANCE) {
                *newest_ns = base_max(*newest_ns, ((const struct record_balance *)head)->venue_time_ns);
            }
            if (recover->opened[account] && payments_is_news(recover->held, record)) {
                recover->paid++;
                learn(recover, record);
            }
        }
    }
    return true;
}

static void tell_history(struct recover *recover, uint16_t account, int64_t asked_ns)
{
    struct slot record;
    payments_history(&record, account, asked_ns);
    learn(recover, &record);
    recover->opened[account] = true;
}

/* The totals of an account as they were told last, as one number. */
static uint64_t totals_of(const struct recover *recover, uint16_t account)
{
    uint64_t sum = 0;
    uint32_t at = 0;
    for (const struct slot *record; (record = slots_next(&recover->closing, &at)) != NULL;) {
        const struct record_balance *balance = (const struct record_balance *)record_head_of(record);
        if (is_total(record) && balance->head.account == account) {
            sum += ((uint64_t)balance->total_e8 ^ (uint64_t)(balance->currency + 1) << 56) *
                   0x9e3779b97f4a7c15ULL;
        }
    }
    return sum;
}

/* The answer names a balance of every currency in which an instrument here settles on the account. */
static bool names_all(const struct recover *recover, uint16_t account)
{
    const struct instrument_table *table = recover->options.instruments;
    bool all = true;
    for (uint32_t i = 0; i < table->count; i++) {
        const struct instrument *instrument = &table->row[i];
        bool named = !account_trades(&recover->options.accounts->row[account], instrument->venue,
                                     instrument->product) ||
                     instrument->settle >= CURRENCY_MAX;
        uint32_t at = 0;
        for (const struct slot *record; !named && (record = slots_next(&recover->closing, &at)) != NULL;) {
            const struct record_balance *balance = (const struct record_balance *)record_head_of(record);
            named = is_total(record) && balance->head.account == account &&
                    balance->currency == instrument->settle;
        }
        all = all && named;
    }
    return all;
}

/* What an account is found with is its opening: whatever was paid before is in it.  A payment at the moment
 * of reading may be or not, so then it is read again; so it is when two answers differ, for one of them is
 * old, and when a currency is missing, which is not zero: the books would open with what a stream tells
 * later, and an execution on its way is in that already. */
static bool open_account(struct recover *recover, uint16_t account, struct rest_question *question)
{
    int64_t read_ns = 0, asked_ns, newest_ns;
    if (!read_balances(recover, account, question, &read_ns)) {
        return false;
    }
    for (int turn = 0; turn < OPENING_TURNS; turn++) {
        uint64_t before = totals_of(recover, account);
        if (!read_balances(recover, account, question, &read_ns) ||
            !read_payments(recover, account, read_ns - RECOVER_GRACE_NS, &asked_ns, &newest_ns)) {
            return false;
        }
        if (totals_of(recover, account) == before && newest_ns < read_ns - OPENING_APART_NS &&
            names_all(recover, account)) {
            break;
        }
        if (!pause(recover, OPENING_APART_NS)) {
            return false;
        }
    }
    tell_history(recover, account, read_ns);
    return true;
}

static bool step_balances(struct recover *recover)
{
    recover->balances = 0;
    for (uint16_t account = 0; account < recover->options.accounts->count; account++) {
        struct rest_question question = question_of(recover, account, REST_BALANCES, NULL);
        int64_t read_ns;
        recover->opened[account] = ledger_history_ns(reduce_ledger(recover->held), account) != 0;
        if (!rest_knows(recover->options.rest, &question)) {
            continue;
        }
        bool first = !recover->opened[account] && keeps_payments(recover, account);
        if (first ? !open_account(recover, account, &question)
                  : !read_balances(recover, account, &question, &read_ns)) {
            return false;
        }
    }
    tell(recover, "%u balances", recover->balances);
    return true;
}

/* What was paid while no engine ran, or was told and lost. */
static bool step_payments(struct recover *recover)
{
    for (uint16_t account = 0; account < recover->options.accounts->count; account++) {
        int64_t asked_ns, newest_ns;
        if (!keeps_payments(recover, account)) {
            continue;
        }
        if (!read_payments(recover, account, payments_since_ns(recover->held, account), &asked_ns,
                           &newest_ns)) {
            return false;
        }
        /* An answer without a row that is waited for is no word. */
        if (asked_ns != 0 && !ledger_wants_rows(reduce_ledger(recover->held), account)) {
            tell_history(recover, account, asked_ns);
        }
    }
    if (recover->paid != 0) {
        tell(recover, "%u payments and ended contracts were missed and are booked", recover->paid);
    }
    return true;
}

/* ------------------------------------------------------------------ FILLS, ATTRIBUTE */

/* An execution names its order by the venue's id where it does not carry ours. */
static void attribute(struct recover *recover, const struct slot *record)
{
    struct slot copy[3];
    memset(copy, 0, sizeof copy);
    record_copy(copy, record);
    struct record_report *fill = (struct record_report *)record_head_of(copy);
    uint16_t account = fill->head.account, instrument = fill->head.instrument;
    bool seen = reduce_seen(recover->held, account, instrument, fill->side, fill->exec_id);
    if (reduce_seen_whole(recover->held, account, instrument, fill->side, fill->exec_id) ||
        (seen && (fill->flags & REPORT_HAS_FEE) == 0)) {
        return;
    }
    if (!is_ours(recover, fill->order)) {
        const struct reduce_order *order = reduce_order_by_venue(recover->held, fill->head.account,
                                                                 fill->head.instrument, fill->venue_order_id);
        fill->order = order != NULL
                          ? order->order
                          : reduce_seen_order(recover->held, account, instrument, fill->side, fill->exec_id);
    }
    if (fill->order != 0) {
        fill->flags &= (uint8_t)~REPORT_FOREIGN;
    } else {
        fill->flags |= REPORT_FOREIGN;
        recover->foreign_fills += !seen;
    }
    recover->missed += !seen;
    learn(recover, copy);
}

/* is_nameless: an execution of an order that is in no book of ours, told without our id. */
static bool is_nameless(const struct recover *recover, const struct record_report *fill)
{
    return !is_ours(recover, fill->order) && fill->venue_order_id[0] != 0 &&
           reduce_order_by_venue(recover->held, fill->head.account, fill->head.instrument,
                                 fill->venue_order_id) == NULL &&
           !reduce_seen(recover->held, fill->head.account, fill->head.instrument, fill->side, fill->exec_id);
}

/* name_order asks whose such an order was: a loss of power takes the journal's tail, and with it an order
 * that went out and was executed meanwhile.  What is not ours by its id stays a stranger's, but for orders
 * that the venue made to close a position of ours: of those an execution says why.  False: refused. */
static bool name_order(struct recover *recover, struct pair *pair, struct record_report *fill)
{
    for (uint32_t i = 0; i < recover->stranger_count; i++) {
        if (memcmp(recover->stranger[i], fill->venue_order_id, VENUE_ORDER_ID_BYTES) == 0) {
            fill->reason = recover->stranger_reason[i];
            return true;
        }
    }
    const struct instrument *instrument = instrument_at(recover, pair->instrument);
    struct rest_question question = question_of(recover, pair->account, REST_ORDER, instrument);
    memcpy(question.query.venue_order, fill->venue_order_id, VENUE_ORDER_ID_BYTES);
    if (recover->stranger_count == STRANGERS_MAX || !rest_knows(recover->options.rest, &question)) {
        return true;
    }
    char what[160];
    snprintf(what, sizeof what, "whose order %.*s on %s was", VENUE_ORDER_ID_BYTES, fill->venue_order_id,
             instrument->name);
    const struct rest_reply *reply = ask(recover, &question, what);
    if (reply == NULL) {
        return false;
    }
    bool named = false;
    uint32_t at = 0;
    for (const struct slot *record; (record = slots_next(reply->records, &at)) != NULL;) {
        const struct record_report *report = (const struct record_report *)record_head_of(record);
        if (report->head.type != RECORD_ORDER_STATE || report->head.slot_count < 3 ||
            report->status == ORDER_STATUS_NOT_FOUND ||
            memcmp(report->venue_order_id, fill->venue_order_id, VENUE_ORDER_ID_BYTES) != 0) {
            continue;
        }
        if (is_ours(recover, report->order)) {
            take_order_state(recover, pair, record, false);
            named = true;
        } else if (reason_closes_us(report->reason)) {
            fill->reason = report->reason; /* the venue's own order */
        }
    }
    if (!named) {
        recover->stranger_reason[recover->stranger_count] = fill->reason;
        memcpy(recover->stranger[recover->stranger_count++], fill->venue_order_id, VENUE_ORDER_ID_BYTES);
    }
    return true;
}

static bool same_execution(const struct record_report *a, const struct record_report *b)
{
    return a->exec_id == b->exec_id && a->side == b->side && a->head.account == b->head.account &&
           a->head.instrument == b->head.instrument;
}

/* put_by keeps an execution of somebody else's order, each once: the owner's before us, as long as nothing
 * says that it happened since. */
static void put_by(struct recover *recover, const struct slot *record)
{
    const struct record_report *fill = (const struct record_report *)record_head_of(record);
    uint32_t at = 0;
    for (const struct slot *other; (other = slots_next(&recover->others, &at)) != NULL;) {
        if (same_execution((const struct record_report *)record_head_of(other), fill)) {
            return;
        }
    }
    slots_add(&recover->others, record);
}

/* attribute_all takes the executions of one answer; they are copied, for more is asked meanwhile. */
static bool attribute_all(struct recover *recover, struct pair *pair, const struct slots *records)
{
    struct slots fills = { 0 };
    bool fine = true;
    uint32_t at = 0;
    for (const struct slot *record; (record = slots_next(records, &at)) != NULL;) {
        const struct record_head *head = record_head_of(record);
        if (head->type == RECORD_FILL && head->slot_count >= 3 && head->instrument == pair->instrument) {
            slots_add(&fills, record);
        } else if (payments_is_news(recover->held, record)) {
            learn(recover, record); /* a contract's end, and what it cost */
        }
    }
    at = 0;
    for (const struct slot *record; fine && (record = slots_next(&fills, &at)) != NULL;) {
        struct record_report *fill = (struct record_report *)record_head_of(record); /* a copy of ours */
        fine = !is_nameless(recover, fill) || name_order(recover, pair, fill);
        if (fine && recover->lost && is_nameless(recover, fill)) {
            put_by(recover, record);
        } else if (fine) {
            attribute(recover, record);
        }
    }
    slots_free(&fills);
    return fine;
}

static bool ask_fills(struct recover *recover, struct pair *pair, const struct rest_question *question)
{
    char what[128];
    snprintf(what, sizeof what, "executions on %s", instrument_at(recover, pair->instrument)->name);
    const struct rest_reply *reply = ask(recover, question, what);
    return reply != NULL && attribute_all(recover, pair, reply->records);
}

static bool read_fills(struct recover *recover)
{
    if (!recover->any_run && !recover->lost && !recover->adopted) {
        return true; /* nothing was ever ours here: history is the owner's */
    }
    for (uint32_t i = 0; i < recover->pair_count; i++) {
        struct pair *pair = &recover->pair[i];
        if (!same_account_kind(recover, pair)) {
            continue;
        }
        const struct instrument *instrument = instrument_at(recover, pair->instrument);
        struct rest_question question = question_of(recover, pair->account, REST_FILLS, instrument);
        question.query.from_id = reduce_fill_from(recover->held, pair->account, pair->instrument);
        if (question.query.from_id == 0) {
            /* Never an execution seen: since the last run began. */
            int64_t last_ns = recover->any_run ? reduce_begin(recover->old)->wall_ns : wall_now(recover);
            if (recover->lost) {
                last_ns = recover->lost_since_ns != 0 ? recover->lost_since_ns : last_ns - LOST_NS;
            }
            question.query.since_ns = last_ns - RECOVER_OVERLAP_NS;
            question.query.until_ns = wall_now(recover);
        }
        if (!ask_fills(recover, pair, &question)) {
            return false;
        }
        int64_t owed_ns = reduce_owed_since_ns(recover->held, pair->account, pair->instrument);
        if (question.query.from_id != 0 && owed_ns != 0) {
            question.query.from_id = 0;
            question.query.since_ns = owed_ns - RECOVER_OVERLAP_NS;
            question.query.until_ns = wall_now(recover);
            if (!ask_fills(recover, pair, &question)) {
                return false;
            }
        }
    }
    return true;
}

static bool step_fills(struct recover *recover)
{
    if (!read_fills(recover) || !step_payments(recover)) {
        return false;
    }
    tell(recover, "%u executions were missed, %u of them of orders that are not ours", recover->missed,
         recover->foreign_fills);
    return true;
}

static bool agrees(const struct recover *recover, const struct pair *pair)
{
    const struct instrument *instrument = instrument_at(recover, pair->instrument);
    int64_t ours = reduce_position_sum(recover->held, pair->account, pair->instrument) + pair->set_aside;
    if (instrument->kind == KIND_SPOT || !same_account_kind(recover, pair)) {
        return true;
    }
    return pair->told ? ours == pair->venue_qty : ours == 0;
}

static bool all_agree(const struct recover *recover)
{
    for (uint32_t i = 0; i < recover->pair_count; i++) {
        if (!agrees(recover, &recover->pair[i])) {
            return false;
        }
    }
    return true;
}

static int by_exec_id(const void *a, const void *b)
{
    const struct record_report *one =
        (const struct record_report *)record_head_of(*(const struct slot *const *)a);
    const struct record_report *two =
        (const struct record_report *)record_head_of(*(const struct slot *const *)b);
    return (one->exec_id > two->exec_id) - (one->exec_id < two->exec_id);
}

/* A journal that was lost does not say since when this is ours, so what others did here was left to the time
 * before us.  A liquidation is such an execution as well: when the newest so many of them are what is
 * missing, to the last unit, they happened since, and stand in the unassigned row. */
static bool others_explain(struct recover *recover, const struct pair *pair)
{
    int64_t missing = (pair->told ? pair->venue_qty : 0) -
                      reduce_position_sum(recover->held, pair->account, pair->instrument);
    const struct slot **other = calloc(recover->others.used + 1, sizeof *other);
    POISE_ASSERT(other != NULL);
    uint32_t count = 0, at = 0;
    for (const struct slot *record; (record = slots_next(&recover->others, &at)) != NULL;) {
        const struct record_head *head = record_head_of(record);
        if (head->account == pair->account && head->instrument == pair->instrument) {
            other[count++] = record;
        }
    }
    qsort(other, count, sizeof *other, by_exec_id);
    uint32_t first = count;
    while (first > 0 && missing != 0) {
        const struct record_report *fill = (const struct record_report *)record_head_of(other[--first]);
        missing -= fill->side == SIDE_BUY ? fill->last_qty : -fill->last_qty;
    }
    if (missing == 0) {
        tell(recover,
             "%u executions on %s that are not ours, a liquidation or somebody else's, are what is missing",
             count - first, instrument_at(recover, pair->instrument)->name);
        for (; first < count; first++) {
            attribute(recover, other[first]);
        }
    }
    free(other);
    return missing == 0;
}

/* What is still different after all that. */
static bool judge(struct recover *recover, struct pair *pair)
{
    if (agrees(recover, pair) || (recover->lost && others_explain(recover, pair))) {
        return true;
    }
    const struct instrument *instrument = instrument_at(recover, pair->instrument);
    int64_t ours = reduce_position_sum(recover->held, pair->account, pair->instrument);
    int64_t theirs = pair->told ? pair->venue_qty : 0;
    char a[DECIMAL_TEXT_BYTES], b[DECIMAL_TEXT_BYTES], c[DECIMAL_TEXT_BYTES];
    qty_text(a, instrument, ours);
    qty_text(b, instrument, theirs);
    qty_text(c, instrument, theirs - ours);
    if (recover->options.accept_difference) {
        pair->set_aside = theirs - ours;
        tell(recover, "%s on %s: %s goes to the unassigned row, as you said", instrument->name,
             account_name(recover, pair->account), c);
        return true;
    }
    if (!pair->told) {
        return refuse(
            recover, RECOVER_REFUSED,
            "%s on %s: the journal holds %s and the venue's answer names no position; an empty answer is not "
            "\"flat\".  Look at the venue; if it is flat there, start with --accept-difference",
            instrument->name, account_name(recover, pair->account), a);
    }
    if (!pair->known && !recover->options.refuse_unassigned) {
        pair->set_aside = theirs - ours;
        tell(recover, "%s on %s: %s was there before us and stays in the unassigned row: nobody hedges it",
             instrument->name, account_name(recover, pair->account), c);
        return true;
    }
    if (!pair->known) {
        return refuse(
            recover, RECOVER_REFUSED,
            "%s on %s: the venue shows %s that this engine never had to do with.  Close it, trade on another "
            "account, or start with --accept-difference",
            instrument->name, account_name(recover, pair->account), b);
    }
    return refuse(
        recover, RECOVER_REFUSED,
        "%s on %s: the journal and every execution since say %s, the venue says %s (difference %s): "
        "settlement, liquidation, or somebody else's orders.  Look at the venue's history; when you know "
        "what "
        "it is, start with --accept-difference and it goes to the unassigned row",
        instrument->name, account_name(recover, pair->account), a, b, c);
}

/* Orders the venue does not know, now that every execution is counted. */
static bool bury(struct recover *recover)
{
    for (uint32_t i = recover->buried_count; i < recover->dropped_count; i++) {
        const struct reduce_order *order = reduce_order(recover->held, recover->dropped[i]);
        char text[ORDER_ID_TEXT_BYTES + 1] = { 0 };
        order_id_print(text, order->order);
        if (order->state == REDUCE_DONE) {
            continue;
        }
        if (order->told > order->filled) {
            return refuse(recover, RECOVER_REFUSED,
                          "order %s on %s: the venue once told more than its executions show, and does not "
                          "know it now; "
                          "look at its history and start with --accept-difference",
                          text, instrument_at(recover, order->instrument)->name);
        }
        if (order->acked || order->filled != 0) {
            tell(recover,
                 "order %s is forgotten by the venue, does not rest, and all its executions are counted: "
                 "ended",
                 text);
        } else {
            tell(recover, "order %s never reached the venue: not open, not known, no execution: it never was",
                 text);
        }
    }
    recover->buried_count = recover->dropped_count;
    return true;
}

static bool step_attribute(struct recover *recover)
{
    /* Fills and positions are read one after the other while orders still rest: look until they agree. */
    if (!all_agree(recover) && recover->looks < LOOKS_MAX) {
        recover->again = true;
        return pause(recover, 300 * NS_PER_MS);
    }
    if (!bury(recover)) {
        return false;
    }
    for (uint32_t i = 0; i < recover->pair_count; i++) {
        if (!judge(recover, &recover->pair[i])) {
            return false;
        }
    }
    for (uint32_t i = 0; i < reduce_position_count(recover->held); i++) {
        const struct reduce_position *row = reduce_position_at(recover->held, i);
        const struct quote_params *params = reduce_params(recover->held, row->instance);
        char qty[DECIMAL_TEXT_BYTES];
        if (row->position.qty != 0) {
            const struct quote_params *was =
                recover->any_run && params == NULL ? reduce_params(recover->old, row->instance) : NULL;
            tell(recover, "%s holds %s of %s on %s",
                 params != NULL ? params->name
                 : was != NULL  ? was->name
                                : "nobody (unassigned)",
                 qty_text(qty, instrument_at(recover, row->instrument), row->position.qty),
                 instrument_at(recover, row->instrument)->name, account_name(recover, row->account));
        }
    }
    return true;
}

/* ------------------------------------------------------------------ POLICY */

static struct quote_params *config_params(struct recover *recover, uint16_t instance)
{
    struct config *config = recover->options.config;
    for (uint32_t i = 0; i < config->quote_count; i++) {
        if (config->quote[i].params.instance == instance) {
            return &config->quote[i].params;
        }
    }
    return NULL;
}

static bool has_leg(const struct quote_params *params, uint16_t instrument, uint16_t account)
{
    return (params->quote_instrument == instrument && params->quote_account == account) ||
           (params->hedge_instrument == instrument && params->hedge_account == account) ||
           (params->second_instrument == instrument && params->second_account == account);
}

/* An instance of the last run with its legs in this run's indexes, as the strategy must know it to unwind. */
static bool make_orphan(struct recover *recover, const struct quote_params *was)
{
    for (uint32_t i = 0; i < recover->orphan_count; i++) {
        if (recover->orphan[i].instance == was->instance) {
            return true;
        }
    }
    struct quote_params params = *was;
    uint16_t *const instruments[] = { &params.quote_instrument, &params.hedge_instrument,
                                      &params.second_instrument };
    uint16_t *const accounts[] = { &params.quote_account, &params.hedge_account, &params.second_account };
    for (int leg = 0; leg < 3; leg++) {
        *instruments[leg] =
            *instruments[leg] < INSTRUMENT_MAX ? recover->instrument_map[*instruments[leg]] : NO_INSTRUMENT;
        *accounts[leg] = *accounts[leg] < ACCOUNT_MAX ? recover->account_map[*accounts[leg]] : NO_ACCOUNT;
    }
    if (params.quote_instrument == NO_INSTRUMENT || params.hedge_instrument == NO_INSTRUMENT ||
        params.quote_account == NO_ACCOUNT || params.hedge_account == NO_ACCOUNT) {
        return false;
    }
    params.enabled = 0;
    params.on_restart = ON_RESTART_FLATTEN;
    recover->orphan[recover->orphan_count++] = params;
    return true;
}

static struct position row_position(const struct record_restore_position *row)
{
    return (struct position){ .qty = row->qty,
                              .notional_e12 = (int128)((unsigned __int128)(uint64_t)row->notional_high << 64 |
                                                       row->notional_low) };
}

/* Adds to the unassigned row of a pair: one RESTORE_POSITION a row, because RESTORE sets and does not add. */
static void to_unassigned(struct recover *recover, uint16_t account, uint16_t instrument,
                          struct position position)
{
    uint32_t at = 0;
    for (struct slot *kept; (kept = slots_next(&recover->restore, &at)) != NULL;) {
        struct record_restore_position *row = (struct record_restore_position *)record_head_of(kept);
        if (row->head.type == RECORD_RESTORE_POSITION && row->instance == NO_INSTANCE &&
            row->head.instrument == instrument && row->head.account == account) {
            position.qty += row_position(row).qty;
            position.notional_e12 += row_position(row).notional_e12;
            row->head.type = RECORD_NONE;
        }
    }
    struct slot record;
    memset(&record, 0, sizeof record);
    struct record_restore_position *restore =
        (struct record_restore_position *)record_begin(&record, RECORD_RESTORE_POSITION, 1, now(recover));
    restore->head.instrument = instrument;
    restore->head.account = account;
    restore->instance = NO_INSTANCE;
    restore->qty = position.qty;
    restore->notional_high = (int64_t)(position.notional_e12 >> 64);
    restore->notional_low = (uint64_t)position.notional_e12;
    slots_add(&recover->restore, &record);
}

/* A row of the last run that nobody owns any more. */
static void disown(struct recover *recover, uint16_t instance, uint16_t account, uint16_t instrument)
{
    uint32_t at = 0;
    for (struct slot *kept; (kept = slots_next(&recover->restore, &at)) != NULL;) {
        struct record_restore_position *row = (struct record_restore_position *)record_head_of(kept);
        if (row->head.type == RECORD_RESTORE_POSITION && row->instance == instance &&
            row->head.instrument == instrument && row->head.account == account) {
            struct position position = row_position(row);
            row->head.type = RECORD_NONE;
            to_unassigned(recover, account, instrument, position);
            return;
        }
    }
}

/* Each held row must belong to an instance that still trades that leg. */
static bool check_orphans(struct recover *recover)
{
    for (uint32_t i = 0; i < reduce_position_count(recover->held); i++) {
        const struct reduce_position *row = reduce_position_at(recover->held, i);
        if (row->position.qty == 0 || row->instance == NO_INSTANCE) {
            continue;
        }
        const struct quote_params *params = config_params(recover, row->instance);
        if (params != NULL && has_leg(params, row->instrument, row->account)) {
            continue;
        }
        const struct quote_params *was = recover->any_run ? reduce_params(recover->old, row->instance) : NULL;
        uint8_t policy = params != NULL ? params->on_orphan : was != NULL ? was->on_orphan : ON_ORPHAN_REFUSE;
        const char *name = params != NULL ? params->name : was != NULL ? was->name : "?";
        const char *what = params != NULL ? "no longer trades it" : "is not in the configuration any more";
        const struct instrument *instrument = instrument_at(recover, row->instrument);
        char qty[DECIMAL_TEXT_BYTES];
        qty_text(qty, instrument, row->position.qty);
        if (policy == ON_ORPHAN_FLATTEN && (params != NULL || (was != NULL && make_orphan(recover, was)))) {
            tell(recover, "%s holds %s of %s and %s: it is unwound (on_orphan = flatten)", name, qty,
                 instrument->name, what);
        } else if (policy == ON_ORPHAN_HOLD) {
            disown(recover, row->instance, row->account, row->instrument);
            tell(recover,
                 "%s holds %s of %s and %s: it goes to the unassigned row, unhedged (on_orphan = hold)", name,
                 qty, instrument->name, what);
        } else {
            return refuse(
                recover, RECOVER_REFUSED,
                "%s holds %s of %s on %s and %s.  Put the leg back, or say on_orphan = \"flatten\" or "
                "\"hold\" there; nothing was started",
                name, qty, instrument->name, account_name(recover, row->account), what);
        }
    }
    return true;
}

static void check_limits(struct recover *recover)
{
    struct config *config = recover->options.config;
    for (uint32_t i = 0; i < config->quote_count; i++) {
        struct quote_params *params = &config->quote[i].params;
        int64_t held_qty = 0;
        for (uint32_t k = 0; k < reduce_position_count(recover->held); k++) {
            const struct reduce_position *row = reduce_position_at(recover->held, k);
            if (row->instance == params->instance && row->instrument == params->quote_instrument &&
                row->account == params->quote_account) {
                held_qty += row->position.qty;
            }
        }
        if (base_abs(held_qty) > params->max_inventory) {
            const struct instrument *instrument = instrument_at(recover, params->quote_instrument);
            char held_text[DECIMAL_TEXT_BYTES], limit[DECIMAL_TEXT_BYTES];
            params->reduce_quotes_only = 1;
            tell(recover, "%s holds %s of %s, more than its max_inventory of %s: only quotes that reduce it",
                 params->name, qty_text(held_text, instrument, held_qty), instrument->name,
                 qty_text(limit, instrument, params->max_inventory));
        }
    }
}

/* What a person should see when the numbers behind held inventory changed. */
static void tell_changes(struct recover *recover)
{
#define CHANGED(field)                                                                                       \
    if (was->field != is->field) {                                                                           \
        tell(recover, "%s: %s was %" PRId64 ", is %" PRId64, is->name, #field, (int64_t)was->field,          \
             (int64_t)is->field);                                                                            \
    }
    struct config *config = recover->options.config;
    for (uint32_t i = 0; recover->any_run && i < config->quote_count; i++) {
        const struct quote_params *is = &config->quote[i].params;
        const struct quote_params *was = reduce_params(recover->old, is->instance);
        bool holds = false;
        for (uint32_t k = 0; k < reduce_position_count(recover->held); k++) {
            const struct reduce_position *row = reduce_position_at(recover->held, k);
            holds |= row->instance == is->instance && row->position.qty != 0;
        }
        if (was == NULL || !holds) {
            continue;
        }
        CHANGED(enabled)
        CHANGED(delta_basis)
        CHANGED(allocation_e8)
        CHANGED(size)
        CHANGED(levels)
        CHANGED(min_profit_centibp)
        CHANGED(max_inventory)
        CHANGED(target_inventory)
        CHANGED(skew_centibp)
        CHANGED(hedge_min_e8)
        CHANGED(hedge_band_centibp)
        CHANGED(emergency_band_centibp)
        CHANGED(max_naked_e8)
        CHANGED(max_naked_ns)
    }
#undef CHANGED
}

struct mark_cancel {
    struct recover *recover;
};

/* Orders that must not be there when trading begins. */
static void mark_cancels(void *context, const struct reduce_order *order)
{
    struct recover *recover = ((struct mark_cancel *)context)->recover;
    const struct quote_params *params = config_params(recover, order->instance);
    bool gone = params == NULL || !has_leg(params, order->instrument, order->account);
    if (is_open(recover, order->order) && (gone || params->on_restart != ON_RESTART_ADOPT)) {
        struct pair *pair = pair_of(recover, order->account, order->instrument);
        if (pair != NULL) {
            pair->cancel = true;
        }
    }
}

static void forget_open(struct recover *recover, uint64_t order)
{
    for (uint32_t i = 0; i < recover->open_count; i++) {
        if (recover->open[i] == order) {
            recover->open[i] = recover->open[--recover->open_count];
            return;
        }
    }
}

/* Cancels what rests on a pair and waits until the venue has told the end of each order. */
static bool cancel_pair(struct recover *recover, struct pair *pair)
{
    const struct instrument *instrument = instrument_at(recover, pair->instrument);
    struct rest_question question = question_of(recover, pair->account, REST_CANCEL_ALL, instrument);
    char what[128];
    snprintf(what, sizeof what, "cancel everything on %s", instrument->name);
    tell(recover, "%s on %s: what rests is cancelled%s", instrument->name,
         account_name(recover, pair->account), pair->foreign != 0 ? ", somebody else's orders with it" : "");
    if (ask(recover, &question, what) == NULL) {
        return false;
    }
    struct order_list list = { 0 };
    reduce_orders(recover->held, list_order, &list);
    bool done = true;
    for (uint32_t i = 0; i < list.count && done; i++) {
        const struct reduce_order *order = reduce_order(recover->held, list.order[i]);
        if (order->account != pair->account || order->instrument != pair->instrument ||
            !is_open(recover, order->order)) {
            continue;
        }
        for (int turn = 0;
             done && turn < CANCEL_TURNS && order->state != REDUCE_DONE && order->state != REDUCE_OWED;
             turn++) {
            bool missing;
            done = read_order(recover, order->order, &missing);
            if (done && missing) {
                /* It rested a moment ago: a cancelled order without executions may be forgotten at once. */
                drop(recover, order->order);
                break;
            }
            if (done && order->state == REDUCE_LIVE) {
                done = pause(recover, 200 * NS_PER_MS);
            }
        }
        if (done && order->state == REDUCE_LIVE) {
            done = refuse(
                recover, RECOVER_UNAVAILABLE,
                "%s: the venue took the cancel and still shows an order: cancel it by hand and start again",
                instrument->name);
        }
        if (done) {
            forget_open(recover, list.order[i]);
            recover->cancelled++;
        }
    }
    free(list.order);
    return done;
}

static bool step_policy(struct recover *recover)
{
    if (!check_orphans(recover)) {
        return false;
    }
    struct mark_cancel mark = { .recover = recover };
    reduce_orders(recover->held, mark_cancels, &mark);
    bool any = false;
    for (uint32_t i = 0; i < recover->pair_count; i++) {
        if (recover->pair[i].cancel) {
            any = true;
            recover->pair[i].cancel = false;
            if (!cancel_pair(recover, &recover->pair[i])) {
                return false;
            }
        }
    }
    if (any) {
        recover->again = true; /* what was executed while the cancels travelled */
        return true;
    }
    check_limits(recover);
    tell_changes(recover);
    tell(recover, "%u orders cancelled, %u instances to unwind", recover->cancelled, recover->orphan_count);
    return true;
}

/* ------------------------------------------------------------------ READY */

static void set_aside(struct recover *recover, const struct pair *pair)
{
    const struct instrument *instrument = instrument_at(recover, pair->instrument);
    struct position position = { 0 };
    struct fill_effect effect;
    int64_t price =
        decimal_rescale(base_max(pair->entry_e8, 0), 8, instrument->price_decimals, ROUND_HALF_EVEN);
    if (price > 0) {
        kind_fill(instrument, &position, pair->set_aside > 0 ? SIDE_BUY : SIDE_SELL,
                  base_abs(pair->set_aside), price, &effect);
    } else {
        position.qty = pair->set_aside; /* the venue does not tell what it cost */
    }
    to_unassigned(recover, pair->account, pair->instrument, position);
}

static bool step_ready(struct recover *recover)
{
    char error[512];
    struct counter_block block;
    for (uint32_t i = 0; i < recover->pair_count; i++) {
        if (recover->pair[i].set_aside != 0) {
            set_aside(recover, &recover->pair[i]);
        }
    }
    if (!counter_block_take(recover->options.state_directory, reduce_counter(recover->held),
                            COUNTER_BLOCK_SIZE, wall_now(recover), &block, error, sizeof error)) {
        return refuse(recover, RECOVER_UNAVAILABLE, "%s", error);
    }
    struct slot record;
    memset(&record, 0, sizeof record);
    struct record_counter_block *counter =
        (struct record_counter_block *)record_begin(&record, RECORD_RESTORE_COUNTER, 1, 0);
    counter->next = block.next;
    counter->end = block.end;
    slots_add(&recover->restore, &record);
    tell(recover, "run %" PRIu64 " may begin; order counters %" PRIu64 " to %" PRIu64 " are reserved",
         recover->run, block.next, block.end - 1);
    return true;
}

/* ------------------------------------------------------------------ the table */

/* What the work of a state may come to. */
enum work {
    WORK_DONE = 0,
    WORK_AGAIN,       /* things moved while we looked: look again */
    WORK_CONFIG,      /* the configuration is wrong: exit code 2 */
    WORK_UNAVAILABLE, /* nobody can tell, or the machine is not fit: 3 */
    WORK_REFUSED,     /* what was found does not add up, or may not be traded on: 4 */
    WORK_COUNT
};

/* Where the table leads besides the states: away. */
enum { AWAY_CONFIG = RECOVER_STATE_COUNT, AWAY_UNAVAILABLE, AWAY_REFUSED, READY_TO_TRADE };

#define TO(state) (RECOVER_##state + 1)
#define OUT(way)  (AWAY_##way + 1)
#define TRADE     (READY_TO_TRADE + 1)

/* clang-format off */
static const struct {
    bool (*work)(struct recover *recover);
    uint8_t next[WORK_COUNT];
} table[RECOVER_STATE_COUNT] = {
    /*                                            DONE             AGAIN          CONFIG       UNAVAILABLE       REFUSED */
    [RECOVER_LOCK]        = { step_lock,        { TO(SEGMENTS),    0,             0,           OUT(UNAVAILABLE), OUT(REFUSED) } },
    [RECOVER_SEGMENTS]    = { step_segments,    { TO(RING),        0,             0,           0,                OUT(REFUSED) } },
    [RECOVER_RING]        = { step_ring,        { TO(VENUE_TIME),  0,             0,           OUT(UNAVAILABLE), 0            } },
    [RECOVER_VENUE_TIME]  = { step_venue_time,  { TO(METADATA),    0,             0,           OUT(UNAVAILABLE), OUT(REFUSED) } },
    [RECOVER_METADATA]    = { step_metadata,    { TO(RIGHTS),      0,             OUT(CONFIG), OUT(UNAVAILABLE), OUT(REFUSED) } },
    [RECOVER_RIGHTS]      = { step_rights,      { TO(MODE),        0,             0,           OUT(UNAVAILABLE), OUT(REFUSED) } },
    [RECOVER_MODE]        = { step_mode,        { TO(SESSIONS),    0,             0,           OUT(UNAVAILABLE), OUT(REFUSED) } },
    [RECOVER_SESSIONS]    = { step_sessions,    { TO(OPEN_ORDERS), 0,             0,           OUT(UNAVAILABLE), 0            } },
    [RECOVER_OPEN_ORDERS] = { step_open_orders, { TO(UNKNOWN),     0,             0,           OUT(UNAVAILABLE), 0            } },
    [RECOVER_UNKNOWN]     = { step_unknown,     { TO(POSITIONS),   0,             0,           OUT(UNAVAILABLE), 0            } },
    [RECOVER_POSITIONS]   = { step_positions,   { TO(BALANCES),    0,             0,           OUT(UNAVAILABLE), 0            } },
    [RECOVER_BALANCES]    = { step_balances,    { TO(FILLS),       0,             0,           OUT(UNAVAILABLE), 0            } },
    [RECOVER_FILLS]       = { step_fills,       { TO(ATTRIBUTE),   0,             0,           OUT(UNAVAILABLE), 0            } },
    [RECOVER_ATTRIBUTE]   = { step_attribute,   { TO(POLICY),      TO(POSITIONS), 0,           OUT(UNAVAILABLE), OUT(REFUSED) } },
    [RECOVER_POLICY]      = { step_policy,      { TO(READY),       TO(POSITIONS), 0,           OUT(UNAVAILABLE), OUT(REFUSED) } },
    [RECOVER_READY]       = { step_ready,       { TRADE,           0,             0,           OUT(UNAVAILABLE), 0            } },
};
/* clang-format on */

struct recover *recover_create(const struct recover_options *options)
{
    struct recover *recover = calloc(1, sizeof *recover);
    POISE_ASSERT(recover != NULL);
    recover->options = *options;
    recover->begun_ns = now(recover);
    recover->begun_wall_ns = wall_now(recover);
    recover->ask =
        (struct ask){ .rest = options->rest,
                      .clock = options->clock,
                      .patience_ns = options->patience_ns != 0 ? options->patience_ns : PATIENCE_NS,
                      .wait_ns = options->wait_ns != 0 ? options->wait_ns : WAIT_NS,
                      .tell = on_ask,
                      .idle = on_idle,
                      .context = recover };
    recover->old = reduce_create();
    recover->held = reduce_create();
    recover->open = calloc(OPEN_MAX, sizeof *recover->open);
    POISE_ASSERT(recover->open != NULL);
    return recover;
}

void recover_destroy(struct recover *recover)
{
    if (recover == NULL) {
        return;
    }
    reduce_destroy(recover->old);
    reduce_destroy(recover->held);
    slots_free(&recover->restore);
    slots_free(&recover->learned);
    slots_free(&recover->others);
    slots_free(&recover->closing);
    ask_free(&recover->ask);
    free(recover->open);
    free(recover->dropped);
    free(recover);
}

/* The only writer of the state; an empty cell cannot happen. */
static void recover_step(struct recover *recover, enum work work)
{
    uint8_t to = table[recover->next].next[work];
    POISE_ASSERT(to != 0);
    recover->looks += work == WORK_AGAIN;
    if (to - 1 < RECOVER_STATE_COUNT) {
        recover->next = (enum recover_state)(to - 1);
    } else {
        recover->done = true;
    }
}

static enum work work_of(const struct recover *recover, bool worked)
{
    static const uint8_t events[] = { [RECOVER_CONFIG] = WORK_CONFIG,
                                      [RECOVER_UNAVAILABLE] = WORK_UNAVAILABLE,
                                      [RECOVER_REFUSED] = WORK_REFUSED };
    if (!worked) {
        POISE_ASSERT(recover->verdict != RECOVER_DONE);
        return (enum work)events[recover->verdict];
    }
    return recover->again ? WORK_AGAIN : WORK_DONE;
}

enum recover_verdict recover_until(struct recover *recover, enum recover_state last)
{
    while (!recover->done && recover->next <= last) {
        enum recover_state state = recover->next;
        recover->again = false;
        bool worked = table[state].work(recover);
        recover_step(recover, work_of(recover, worked));
    }
    return recover->verdict;
}

const char *recover_reason(const struct recover *recover)
{
    return recover->reason;
}

uint64_t recover_run(const struct recover *recover)
{
    return recover->run;
}

const struct reduce *recover_held(const struct recover *recover)
{
    return recover->held;
}

const struct quote_params *recover_params(const struct recover *recover, uint32_t i)
{
    const struct config *config = recover->options.config;
    if (i < config->quote_count) {
        return &config->quote[i].params;
    }
    return i - config->quote_count < recover->orphan_count ? &recover->orphan[i - config->quote_count] : NULL;
}

static bool is_dropped(const struct recover *recover, uint64_t order)
{
    for (uint32_t i = 0; i < recover->dropped_count; i++) {
        if (recover->dropped[i] == order) {
            return true;
        }
    }
    return false;
}

void recover_emit(const struct recover *recover, reduce_emit emit, void *context)
{
    uint32_t at = 0;
    for (const struct slot *record; (record = slots_next(&recover->restore, &at)) != NULL;) {
        const struct record_head *head = record_head_of(record);
        bool never_was = head->type == RECORD_RESTORE_ORDER &&
                         is_dropped(recover, ((const struct record_report *)head)->order);
        if (head->type != RECORD_NONE && !never_was) {
            emit(context, record);
        }
    }
    at = 0;
    for (const struct slot *record; (record = slots_next(&recover->learned, &at)) != NULL;) {
        emit(context, record);
    }
    for (int totals = 0; totals < 2; totals++) {
        at = 0;
        for (const struct slot *record; (record = slots_next(&recover->closing, &at)) != NULL;) {
            if (record_head_of(record)->type != RECORD_NONE && is_total(record) == totals) {
                emit(context, record);
            }
        }
    }
}
