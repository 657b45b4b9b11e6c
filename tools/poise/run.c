/* run: the engine's life, told by the thread that may sleep.
 *
 * configuration, keys, locks, what was held (journal), the venue's metadata, the hot side with its private
 * streams listening, what the venue says now, the RESTORE records, trading; then stop: quotes cancelled, what
 * is naked hedged, the journal drained, final.json written.  Every step before trading prints one line; a
 * refusal names its remedy and leaves nothing behind. */
#include "tools/poise/run.h"
#include "cold/ask.h"
#include "ring/clock.h"
#include "ring/decimal.h"
#include "ring/names.h"
#include "tools/poise/commands.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* How long leaving may take before the venue-wide cancel is all that is left. */
enum {
    STOP_SECONDS = 20,
    FLATTEN_SECONDS = 60,
    READY_SECONDS = 30,
    COMPLETE_SECONDS = 15,
    FEES_WAIT_SECONDS = 300,
};

static void nap(struct run *run, uint64_t ns)
{
    run->host.nap(run->host.context, ns);
}

static int asked_to_stop(struct run *run)
{
    return run->host.asked(run->host.context) + run->stops_said;
}

__attribute__((format(printf, 1, 2))) static void tell(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fputs("poise: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
}

/* ------------------------------------------------------------------ records to the strategy */

/* The writer of this ring may sleep: it waits until the record fits, while the journal keeps draining. */
void run_send(void *context, const struct slot *record)
{
    struct run *run = context;
    while (!channel_send(&run->engine.topology.control, record)) {
        run_cold_turn(run);
        nap(run, 100 * NS_PER_US);
    }
}

static void send_blob(struct run *run, enum record_type type, uint16_t instrument, uint16_t account,
                      const void *blob, size_t bytes)
{
    struct slot record[RECORD_SLOTS_MAX];
    struct record_head *head = record_begin(record, type, record_slots_for_blob(bytes), clock_now_ns());
    head->instrument = instrument;
    head->account = account;
    record_blob_write(record, blob, bytes);
    run_send(run, record);
}

static void send_begin(struct run *run)
{
    struct slot record[2];
    struct record_begin_run *begin =
        (struct record_begin_run *)record_begin(record, RECORD_BEGIN, 2, clock_now_ns());
    begin->run = run->number;
    begin->wall_ns = clock_wall_ns();
    begin->layout_hash = record_layout_hash();
    begin->engine = (uint16_t)run->engine.config.engine;
    begin->mode = (uint16_t)run->engine.config.mode;
    snprintf(begin->build_id, sizeof begin->build_id, "%s", POISE_BUILD_ID);
    run_send(run, record);
}

static void send_text(struct run *run)
{
    const struct config *config = &run->engine.config;
    for (size_t at = 0; at < config->text_bytes; at += RECORD_BLOB_MAX) {
        size_t left = config->text_bytes - at;
        send_blob(run, RECORD_TEXT, NO_INSTRUMENT, NO_ACCOUNT, config->text + at,
                  left < RECORD_BLOB_MAX ? left : RECORD_BLOB_MAX);
    }
}

static void send_fee(struct run *run, uint16_t account, uint16_t instrument, int64_t maker, int64_t taker)
{
    struct slot record;
    struct record_fee *fee = (struct record_fee *)record_begin(&record, RECORD_FEE, 1, clock_now_ns());
    fee->head.account = account;
    fee->head.instrument = instrument;
    fee->maker_centibp = maker;
    fee->taker_centibp = taker;
    run_send(run, &record);
}

static void send_convert(struct run *run, const struct config_convert *row)
{
    struct instrument_table *table = &run->engine.instruments;
    struct slot record;
    struct record_convert *convert =
        (struct record_convert *)record_begin(&record, RECORD_CONVERT, 1, clock_now_ns());
    convert->from = currency_find(table, row->from, strlen(row->from), true);
    convert->to = currency_find(table, row->to, strlen(row->to), true);
    convert->fixed_e8 = row->fixed_e8;
    convert->max_age_ns = row->max_age_ns;
    convert->max_deviation_centibp = row->max_deviation_centibp;
    const struct instrument *instrument =
        row->instrument[0] != 0 ? instrument_by_name(table, row->instrument) : NULL;
    convert->head.instrument = instrument != NULL ? instrument->index : NO_INSTRUMENT;
    run_send(run, &record);
}

/* The tables a strategy is built from; positions and orders follow from recovery. */
static void send_tables(struct run *run)
{
    struct engine *engine = &run->engine;
    const struct config *config = &engine->config;
    send_begin(run);
    send_text(run);
    for (uint32_t i = 0; i < engine->instruments.currency_count; i++) {
        struct slot record;
        struct record_currency *currency =
            (struct record_currency *)record_begin(&record, RECORD_CURRENCY, 1, clock_now_ns());
        memcpy(currency->code, engine->instruments.currency[i].code, CURRENCY_BYTES);
        currency->currency = (uint16_t)i;
        currency->decimals = engine->instruments.currency[i].decimals;
        run_send(run, &record);
    }
    for (uint32_t i = 0; i < engine->instruments.count; i++) {
        const struct instrument *row = &engine->instruments.row[i];
        send_blob(run, RECORD_INSTRUMENT, row->index, NO_ACCOUNT, row, sizeof *row);
    }
    for (uint32_t i = 0; i < engine->accounts.count; i++) {
        const struct account *row = &engine->accounts.row[i];
        send_blob(run, RECORD_ACCOUNT, NO_INSTRUMENT, row->index, row, sizeof *row);
        for (uint32_t k = 0; k < engine->instruments.count; k++) {
            const struct instrument *instrument = &engine->instruments.row[k];
            if (account_trades(row, instrument->venue, instrument->product)) {
                send_fee(run, row->index, instrument->index, run->fee[i][k].maker_centibp,
                         run->fee[i][k].taker_centibp);
            }
        }
    }
    for (uint32_t i = 0; i < config->convert_count; i++) {
        send_convert(run, &config->convert[i]);
    }
    send_blob(run, RECORD_RISK, NO_INSTRUMENT, NO_ACCOUNT, &config->risk, sizeof config->risk);
}

static void send_simple(struct run *run, enum record_type type)
{
    struct slot record;
    record_begin(&record, type, 1, clock_now_ns());
    run_send(run, &record);
}

static void send_command(struct run *run, enum command command, uint16_t instance)
{
    struct slot record;
    struct record_command *body =
        (struct record_command *)record_begin(&record, RECORD_COMMAND, 1, clock_now_ns());
    body->command = command;
    body->instance = instance;
    run_send(run, &record);
}

/* ------------------------------------------------------------------ one turn of everything cold */

void run_cold_turn(struct run *run)
{
    uint64_t now_ns = clock_now_ns();
    enum journal_health health = journal_poll(run->journal, now_ns, clock_wall_ns());
    if (health != run->health) {
        struct journal_counts counts;
        journal_counts(run->journal, &counts);
        LOG(&run->books.log, clock_wall_ns(), health >= JOURNAL_SPILL ? LOG_LEVEL_ERROR : LOG_LEVEL_INFO,
            "journal.health", LOG_NUMBER("health", health), LOG_NUMBER("lost", (int64_t)counts.lost),
            LOG_TEXT("why", counts.last_error));
        if (health >= JOURNAL_SPILL) {
            tell("alarm: the journal cannot be written: %s", counts.last_error);
        }
        run->health = health;
    }
    books_step(&run->books, run->journal, now_ns);
}

static void on_record(void *context, const struct slot *record, uint64_t number)
{
    struct run *run = context;
    books_record(&run->books, record, number);
}

/* ------------------------------------------------------------------ start */

void run_print_faults(const struct config *config)
{
    for (uint32_t i = 0; i < config->fault_count && i < CONFIG_FAULTS_MAX; i++) {
        fprintf(stderr, "%s\n", config->fault[i].text);
    }
    fprintf(stderr, "%u fault%s; nothing was started.\n", config->fault_count,
            config->fault_count == 1 ? "" : "s");
}

/* Makes a directory and what leads to it, for the owner alone. */
static bool make_directory(const char *path)
{
    char part[CONFIG_PATH_BYTES + 16];
    snprintf(part, sizeof part, "%s", path);
    for (char *c = part + 1; *c != 0; c++) {
        if (*c == '/') {
            *c = 0;
            mkdir(part, 0700);
            *c = '/';
        }
    }
    return mkdir(part, 0700) == 0 || errno == EEXIST;
}

static void on_recover(void *context, enum recover_state state, const char *line)
{
    (void)context;
    tell("%-11s %s", recover_state_names[state], line);
}

static bool open_journal(struct run *run)
{
    struct engine *engine = &run->engine;
    const struct config *config = &engine->config;
    struct journal_options options = { .directory = run->journal_directory,
                                       .shared_directory = config->shared_dir,
                                       .ring_slots = (uint64_t)config->journal_ring_slots,
                                       .segment_bytes = (uint64_t)config->segment_bytes,
                                       .keep_bytes = (uint64_t)config->journal_keep_bytes,
                                       .sync_ns = (uint64_t)config->journal_sync_ns,
                                       .run = run->number,
                                       .engine = (uint16_t)config->engine,
                                       .build_id = POISE_BUILD_ID,
                                       .inline_disk = run->host.disk != NULL,
                                       .disk = run->host.disk };
    run->journal = journal_create(&options, engine->error, sizeof engine->error);
    return run->journal != NULL;
}

static bool open_books(struct run *run)
{
    struct engine *engine = &run->engine;
    char path[CONFIG_PATH_BYTES + 16];
    snprintf(path, sizeof path, "%s/counters", engine->config.shared_dir);
    engine->counters = counters_create(path);
    if (engine->counters == NULL) {
        snprintf(engine->error, sizeof engine->error, "%s: %s", path, strerror(errno));
        return false;
    }
    counter_set(counters_add(engine->counters, 0, "engine.run", COUNTER_GAUGE), (int64_t)run->number);
    run->stopped = counters_add(engine->counters, 0, "engine.stopped", COUNTER_GAUGE);
    run->books = (struct books){ .config = &engine->config,
                                 .instruments = &engine->instruments,
                                 .accounts = &engine->accounts,
                                 .counters = engine->counters,
                                 .run = run->number };
    return books_open(&run->books, engine->error, sizeof engine->error);
}

/* While recovery waits for a venue the journal is kept; a person may end it. */
static bool on_idle(void *context)
{
    struct run *run = context;
    if (run->journal != NULL) {
        run_cold_turn(run);
    }
    nap(run, 0);
    return asked_to_stop(run) == 0;
}

/* Private streams first: what happens while the venue is asked waits in the report rings.  A gateway is ready
 * when its sessions are up and the venue has confirmed its dead-man. */
static bool open_sessions(void *context, char *why, size_t why_bytes)
{
    struct run *run = context;
    struct engine *engine = &run->engine;
    for (uint8_t venue = 0; venue < VENUE_COUNT; venue++) {
        engine->clock_offset_ns[venue] = rest_offset_ns(run->rest, venue);
        atomic_store_explicit(&engine->venue_clock_ns[venue], rest_clock_ns(run->rest, venue),
                              memory_order_relaxed);
    }
    if (!engine_prepare(engine, journal_ring(run->journal)) || !run->host.start(run->host.context, engine)) {
        snprintf(why, why_bytes, "%s", engine->error);
        return false;
    }
    run->hot = true;
    uint64_t until_ns = clock_now_ns() + READY_SECONDS * NS_PER_S;
    while (!engine_gateways_ready(engine)) {
        if (asked_to_stop(run) != 0 || clock_now_ns() > until_ns) {
            snprintf(why, why_bytes, "not every account's session came up within %d s; see %s/poise.log",
                     READY_SECONDS, engine->config.state_dir);
            return false;
        }
        run_cold_turn(run);
        nap(run, NS_PER_MS);
    }
    return true;
}

static struct recover *open_recovery(struct run *run)
{
    struct engine *engine = &run->engine;
    struct recover_options options = { .config = &engine->config,
                                       .instruments = &engine->instruments,
                                       .accounts = &engine->accounts,
                                       .key = engine->key,
                                       .venue = venue_by_id,
                                       .bind = config_bind,
                                       .rest = run->rest,
                                       .clock = run->clock,
                                       .locks = &run->locks,
                                       .state_directory = engine->config.state_dir,
                                       .journal_directory = run->journal_directory,
                                       .shared_directory = engine->config.shared_dir,
                                       .lock_directory = run->lock_directory,
                                       .accept_difference = run->wishes.accept_difference,
                                       .refuse_unassigned = true,
                                       .accept_key = run->wishes.accept_key,
                                       .tell = on_recover,
                                       .sessions = run->wishes.recover_only ? NULL : open_sessions,
                                       .idle = on_idle,
                                       .context = run };
    return recover_create(&options);
}

static void on_ask(void *context, const char *line)
{
    (void)context;
    tell("%-11s %s", "fees", line);
}

/* The venue's own word on fees, for accounts whose rates the configuration leaves to it. */
static bool ask_fee(struct run *run, struct ask *ask, const struct account *account,
                    const struct instrument *instrument)
{
    struct rest_question question = {
        .venue = venue_by_id(account->venue),
        .key = &run->engine.key[account->index],
        .account = account->index,
        .query = { .what = REST_FEES, .product = instrument->product, .instrument = instrument }
    };
    char what[ACCOUNT_NAME_BYTES + INSTRUMENT_NAME_BYTES + 16];
    snprintf(what, sizeof what, "fees of %s on %s", instrument->name, account->name);
    const struct rest_reply *reply = ask_until(ask, &question, what);
    uint32_t at = 0;
    for (const struct slot *record; reply != NULL && (record = slots_next(reply->records, &at)) != NULL;) {
        const struct record_fee *fee = (const struct record_fee *)record;
        if (fee->head.type == RECORD_FEE && fee->head.instrument == instrument->index) {
            run->fee[account->index][instrument->index] =
                (struct run_fee){ fee->maker_centibp, fee->taker_centibp };
            tell("%-11s %s on %s: maker %.2f bp, taker %.2f bp", "fees", instrument->name, account->name,
                 (double)fee->maker_centibp / 100, (double)fee->taker_centibp / 100);
            return true;
        }
    }
    tell("%s on %s: the venue does not tell its fees (%s): set maker_bp and taker_bp of the account",
         instrument->name, account->name, ask->why);
    return false;
}

static bool find_fees(struct run *run)
{
    struct engine *engine = &run->engine;
    struct ask ask = { .rest = run->rest,
                       .clock = run->clock,
                       .patience_ns = 10 * NS_PER_S,
                       .wait_ns = FEES_WAIT_SECONDS * NS_PER_S,
                       .tell = on_ask,
                       .idle = on_idle,
                       .context = run };
    bool done = true;
    for (uint32_t a = 0; a < engine->accounts.count; a++) {
        const struct account *account = &engine->accounts.row[a];
        const struct config_account *from = &engine->config.account[a];
        for (uint32_t i = 0; i < engine->instruments.count; i++) {
            const struct instrument *instrument = &engine->instruments.row[i];
            struct run_fee *fee = &run->fee[a][i];
            *fee = (struct run_fee){ from->maker_centibp, from->taker_centibp };
            bool open = fee->maker_centibp == INT64_MIN || fee->taker_centibp == INT64_MIN;
            if (open && account_trades(account, instrument->venue, instrument->product)) {
                done = done && ask_fee(run, &ask, account, instrument);
            }
            if (from->maker_centibp != INT64_MIN) {
                fee->maker_centibp = from->maker_centibp;
            }
            if (from->taker_centibp != INT64_MIN) {
                fee->taker_centibp = from->taker_centibp;
            }
        }
    }
    ask_free(&ask);
    return done;
}

/* Tables, parameters, what is held; then the strategy may decide. */
static void send_start(struct run *run, struct recover *recover)
{
    send_tables(run);
    const struct quote_params *params;
    for (uint32_t i = 0; (params = recover_params(recover, i)) != NULL; i++) {
        send_blob(run, RECORD_PARAMS, NO_INSTRUMENT, NO_ACCOUNT, params, sizeof *params);
    }
    recover_emit(recover, run_send, run);
    if (run->wishes.flatten) {
        /* before the strategy may decide: no quote is shown on the way out */
        send_command(run, COMMAND_PAUSE, NO_INSTANCE);
        send_command(run, COMMAND_FLATTEN, run->flatten_instance);
    }
    send_simple(run, RECORD_RESTORE_DONE);
}

static int start(struct run *run, struct recover *recover)
{
    struct engine *engine = &run->engine;
    enum recover_verdict verdict = recover_until(recover, RECOVER_MODE);
    if (verdict != RECOVER_DONE) {
        if (engine->config.fault_count != 0) {
            run_print_faults(&engine->config);
        }
        tell("%s", recover_reason(recover));
        return (int)verdict;
    }
    run->number = recover_run(recover);
    if (!engine_resolve(engine)) {
        tell("%s", engine->error);
        return EXIT_UNFIT;
    }
    if (!run->wishes.recover_only) {
        if (!open_journal(run) || !open_books(run)) {
            tell("%s", engine->error);
            return EXIT_UNFIT;
        }
        books_catch_up(&run->books, run->journal_directory);
        journal_tap(run->journal, on_record, run);
    }
    verdict = recover_until(recover, RECOVER_READY);
    if (verdict != RECOVER_DONE) {
        tell("%s", recover_reason(recover));
        return (int)verdict;
    }
    return run->wishes.recover_only || find_fees(run) ? EXIT_DONE : EXIT_UNFIT;
}

/* ------------------------------------------------------------------ trading and leaving */

static void refill_order_ids(struct run *run)
{
    struct counter_block block;
    char error[256];
    if (!figures_counter_low(run->books.figures)) {
        return;
    }
    if (!counter_block_take(run->engine.config.state_dir, 0, COUNTER_BLOCK_SIZE, clock_wall_ns(), &block,
                            error, sizeof error)) {
        tell("alarm: no order ids: %s", error);
        return;
    }
    struct slot record;
    struct record_counter_block *ids =
        (struct record_counter_block *)record_begin(&record, RECORD_RESTORE_COUNTER, 1, clock_now_ns());
    ids->next = block.next;
    ids->end = block.end;
    run_send(run, &record);
}

/* The strategy gave up, or its thread failed a promise: cancel by REST too, whatever the gateways manage. */
static void cancel_by_rest(struct run *run)
{
    struct engine *engine = &run->engine;
    for (uint32_t a = 0; a < engine->accounts.count; a++) {
        const struct account *account = &engine->accounts.row[a];
        for (uint32_t i = 0; i < engine->instruments.count; i++) {
            const struct instrument *instrument = &engine->instruments.row[i];
            if (!account_trades(account, instrument->venue, instrument->product)) {
                continue;
            }
            struct rest_question question = {
                .venue = venue_by_id(account->venue),
                .key = &engine->key[a],
                .account = account->index,
                .query = { .what = REST_CANCEL_ALL, .product = instrument->product, .instrument = instrument }
            };
            rest_wait(run->rest, &question, NS_PER_S);
        }
    }
}

static bool emergency(struct run *run)
{
    /* edge E */
    if (atomic_load_explicit(&run->engine.topology.emergency, memory_order_acquire) != 1) {
        return false;
    }
    tell("alarm: the strategy cannot go on; everything is being cancelled");
    cancel_by_rest(run);
    /* edge E: who waits to abort may do so now */
    atomic_store_explicit(&run->engine.topology.emergency, 2, memory_order_release);
    return true;
}

/* ------------------------------------------------------------------ the third opinion */

enum { RECONCILE_SECONDS = 10, RECONCILE_HURRY_MS = 1000 };

static void on_question_failed(void *context, const char *what, const char *why)
{
    struct run *run = context;
    LOG(&run->books.log, clock_wall_ns(), LOG_LEVEL_WARNING, "reconcile.failed", LOG_TEXT("what", what),
        LOG_TEXT("why", why));
}

static bool same_rules(const struct instrument *was, const struct instrument *now)
{
    struct instrument copy = *now;
    copy.status = was->status;
    return memcmp(was, &copy, sizeof copy) == 0;
}

/* What a venue asks of orders has changed under way, or whether it takes any. */
static void on_rules(void *context, const struct instrument *was, const struct instrument *now,
                     const char *wrong)
{
    struct run *run = context;
    char tick[DECIMAL_TEXT_BYTES], lot[DECIMAL_TEXT_BYTES], least[DECIMAL_TEXT_BYTES];
    decimal_print_short(tick, now->tick, now->price_decimals);
    decimal_print_short(lot, now->lot, now->qty_decimals);
    decimal_print_short(least, now->min_notional_e8, DECIMAL_MONEY);
    LOG(&run->books.log, clock_wall_ns(), wrong != NULL ? LOG_LEVEL_ERROR : LOG_LEVEL_WARNING,
        "instrument.rules", LOG_TEXT("instrument", now->name), LOG_TEXT("tick", tick), LOG_TEXT("lot", lot),
        LOG_TEXT("min_notional", least), LOG_TEXT("status", instrument_status_names[now->status]),
        LOG_TEXT("wrong", wrong != NULL ? wrong : ""));
    if (wrong != NULL) {
        tell("alarm: %s: %s: nothing is quoted or hedged there until the engine is started again", now->name,
             wrong);
    } else if (!same_rules(was, now)) {
        tell("alarm: %s: the venue's rules are others now: tick %s, lot %s, least value %s", now->name, tick,
             lot, least);
    }
    if (now->status != was->status) {
        tell("%s: the venue says %s", now->name, instrument_status_names[now->status]);
    }
}

/* Every leg of every instance, once. */
static uint32_t list_pairs(const struct run *run, struct reconcile_pair *pair)
{
    const struct engine *engine = &run->engine;
    uint32_t count = 0;
    for (uint32_t i = 0; i < engine->config.quote_count; i++) {
        const struct quote_params *p = &engine->config.quote[i].params;
        const struct reconcile_pair leg[3] = { { p->quote_account, p->quote_instrument },
                                               { p->hedge_account, p->hedge_instrument },
                                               { p->second_account, p->second_instrument } };
        for (uint32_t k = 0; k < POISE_COUNT_OF(leg); k++) {
            bool known = leg[k].instrument == NO_INSTRUMENT;
            for (uint32_t n = 0; n < count; n++) {
                known =
                    known || (pair[n].account == leg[k].account && pair[n].instrument == leg[k].instrument);
            }
            if (!known && count < RECONCILE_PAIRS_MAX) {
                pair[count++] = leg[k];
            }
        }
    }
    return count;
}

static bool open_reconcile(struct run *run)
{
    static struct reconcile_pair pair[RECONCILE_PAIRS_MAX];
    struct engine *engine = &run->engine;
    struct reconcile_options options = { .rest = run->rest,
                                         .instruments = &engine->instruments,
                                         .accounts = &engine->accounts,
                                         .key = engine->key,
                                         .venue = venue_by_id,
                                         .reduce = journal_reduce(run->journal),
                                         .pairs = pair,
                                         .pair_count = list_pairs(run, pair),
                                         .interval_ns = RECONCILE_SECONDS * NS_PER_S,
                                         .emit = run_send,
                                         .failed = on_question_failed,
                                         .rules = on_rules,
                                         .context = run };
    run->reconcile = reconcile_create(&options);
    rest_trading(run->rest);
    return run->reconcile != NULL;
}

/* The strategy is told when the books differ from what the venues told, and when they agree again. */
static void tell_books(struct run *run)
{
    if (run->books.differ == run->differ_told) {
        return;
    }
    run->differ_told = run->books.differ;
    struct slot record;
    struct record_command *body =
        (struct record_command *)record_begin(&record, RECORD_COMMAND, 1, clock_now_ns());
    body->command = COMMAND_BOOKS;
    body->instance = NO_INSTANCE;
    body->value[0] = run->books.differ;
    run_send(run, &record);
    tell(run->books.differ
             ? "alarm: the ledger differs from what the venues told: no new risk until it is explained "
               "(poise report --ledger, poise.log: ledger.differs)"
             : "the ledger agrees with what the venues told: quotes may come back");
}

static void send_read(struct run *run, uint16_t account, uint64_t ready_ns)
{
    struct slot record;
    struct record_command *body =
        (struct record_command *)record_begin(&record, RECORD_COMMAND, 1, clock_now_ns());
    body->command = COMMAND_READ;
    body->instance = NO_INSTANCE;
    body->value[0] = account;
    body->value[1] = (int64_t)ready_ns;
    figures_told_read(run->books.figures, account, ready_ns != 0);
    run_send(run, &record);
}

/* The strategy takes no new risk on an account before what happened while its session was down is in the
 * executions and positions that were read since; nor while starts close together have left of the venue's
 * minute what hedges and cancels need. */
static void tell_read(struct run *run)
{
    for (uint16_t i = 0; run->reconcile != NULL && i < run->engine.accounts.count; i++) {
        const struct account *account = &run->engine.accounts.row[i];
        uint64_t read_ns = reconcile_read_ns(run->reconcile, i);
        bool reserved = rest_reserved(run->rest, account->venue) && read_ns != UINT64_MAX;
        if (reserved && run->reserved_ns[i] == 0) {
            run->reserved_ns[i] = clock_now_ns();
            tell("%s: the venue's limits are nearly used up; what is naked is hedged, quotes wait for its "
                 "next minute",
                 account->name);
            send_read(run, i, 0);
            continue;
        }
        uint64_t ready_ns = figures_unread_ns(run->books.figures, i);
        if (ready_ns != 0 && !reserved && read_ns >= ready_ns && read_ns >= run->reserved_ns[i]) {
            run->reserved_ns[i] = 0;
            send_read(run, i, ready_ns);
        }
    }
}

/* A venue that does not take a gateway's time is asked for its own, and the gateways are told. */
static void poll_time(struct run *run)
{
    for (uint16_t i = 0; i < run->engine.accounts.count; i++) {
        const struct account *account = &run->engine.accounts.row[i];
        if (figures_time_refused(run->books.figures, i) &&
            clock_now_ns() - run->time_asked_ns[account->venue] >= NS_PER_S) {
            run->time_asked_ns[account->venue] = clock_now_ns();
            rest_ask_time(run->rest, venue_by_id(account->venue), account->product);
        }
    }
    for (uint8_t venue = 0; venue < VENUE_COUNT; venue++) {
        atomic_store_explicit(&run->engine.venue_clock_ns[venue], rest_clock_ns(run->rest, venue),
                              memory_order_relaxed);
    }
}

/* A private stream that came back, an order in doubt, a price that is open: do not wait for the next round.
 */
static void poll_reconcile(struct run *run)
{
    if (run->reconcile == NULL) {
        return;
    }
    uint64_t now_ns = clock_now_ns();
    struct reduce_counts counts;
    reduce_counts(journal_reduce(run->journal), &counts);
    if (figures_doubt(run->books.figures) || counts.unknown != 0 || counts.owed != 0) {
        run->doubt = true;
    }
    if (run->doubt && now_ns - run->hurried_ns > RECONCILE_HURRY_MS * NS_PER_MS) {
        run->doubt = false;
        run->hurried_ns = now_ns;
        reconcile_hurry(run->reconcile);
    }
    if (figures_rules(run->books.figures)) {
        reconcile_rules(run->reconcile);
    }
    reconcile_poll(run->reconcile, now_ns, clock_wall_ns());
}

/* ------------------------------------------------------------------ a person's word */

/* instance_number answers the number of a configured instance, or NO_INSTANCE. */
static uint16_t instance_number(const struct config *config, const char *name)
{
    for (uint32_t i = 0; i < config->quote_count; i++) {
        if (strcmp(config->quote[i].params.name, name) == 0) {
            return config->quote[i].params.instance;
        }
    }
    return NO_INSTANCE;
}

static bool carry_command(void *context, const struct control_word *word, char *why, size_t why_bytes)
{
    struct run *run = context;
    bool all = word->instance[0] == 0;
    uint16_t instance = all ? NO_INSTANCE : instance_number(&run->engine.config, word->instance);
    if (!all && instance == NO_INSTANCE) {
        snprintf(why, why_bytes, "no instance is called %s", word->instance);
        return false;
    }
    if (asked_to_stop(run) != 0 && word->command != COMMAND_FLATTEN && word->command != COMMAND_HALT) {
        snprintf(why, why_bytes, "the engine is leaving");
        return false;
    }
    tell("%s%s%s, said from another terminal", command_names[word->command], all ? "" : " ", word->instance);
    LOG(&run->books.log, clock_wall_ns(), LOG_LEVEL_WARNING, "command",
        LOG_TEXT("command", command_names[word->command]), LOG_TEXT("instance", word->instance));
    if (all && word->command == COMMAND_STOP) {
        run->stops_said++; /* as SIGTERM: the process leaves too */
        return true;
    }
    send_command(run, (enum command)word->command, instance);
    return true;
}

static void open_control(struct run *run)
{
    char error[256];
    run->control = control_open(run->engine.config.shared_dir, carry_command, run, error, sizeof error);
    if (run->control == NULL) {
        tell("warning: no commands from other terminals: %s", error);
    }
}

/* The last line of the way from a dead process: what was found naked is hedged. */
static void tell_hedged(struct run *run)
{
    if (!run->hedged_told && figures_hedged(run->books.figures)) {
        run->hedged_told = true;
        tell("%-11s nothing is naked, %.1f s after trading began", "hedge",
             (double)(clock_now_ns() - run->trading_ns) / 1e9);
    }
}

static void cold_turn(struct run *run)
{
    run_cold_turn(run);
    tell_hedged(run);
    control_step(run->control);
    poll_reconcile(run);
    tell_books(run);
    tell_read(run);
    poll_time(run);
    refill_order_ids(run);
    nap(run, NS_PER_MS);
}

static uint32_t orders_owed(const struct run *run)
{
    struct reduce_counts counts;
    reduce_counts(journal_reduce(run->journal), &counts);
    return counts.owed;
}

/* find_unread: accounts whose executions and positions were not read since the engine stopped. */
static uint32_t find_unread(const struct run *run, bool unread[ACCOUNT_MAX])
{
    uint32_t count = 0;
    for (uint16_t i = 0; i < run->engine.accounts.count; i++) {
        unread[i] = run->completing_ns == 0 || run->reconcile == NULL ||
                    reconcile_read_ns(run->reconcile, i) < run->completing_ns;
        count += unread[i];
    }
    return count;
}

/* An execution whose fee no stream told, or of which only the quantity is known, is asked for before leaving,
 * so that the books end whole; so is, once more, all that is held: a stream may have lost what happened. */
static void complete_books(struct run *run)
{
    bool unread[ACCOUNT_MAX];
    run->completing_ns = clock_now_ns();
    uint64_t until_ns = run->completing_ns + COMPLETE_SECONDS * NS_PER_S;
    while (run->reconcile != NULL &&
           (!books_whole(&run->books) || orders_owed(run) != 0 || find_unread(run, unread) != 0) &&
           clock_now_ns() < until_ns && asked_to_stop(run) < 2) {
        run->doubt = true;
        cold_turn(run);
    }
    for (uint16_t i = 0; find_unread(run, unread) != 0 && i < run->engine.accounts.count; i++) {
        if (unread[i]) {
            tell(
                "warning: what is held on %s could not be read at the end: the books say what was last heard",
                run->engine.accounts.row[i].name);
        }
    }
}

static bool trade(struct run *run)
{
    const bool flatten = run->wishes.flatten;
    while (asked_to_stop(run) == 0 && !flatten) {
        cold_turn(run);
        if (emergency(run)) {
            return false;
        }
    }
    tell(flatten ? "flattening: what is held is unwound within its price bands; ^C twice to leave at once"
                 : "stopping: quotes are cancelled, what is naked is hedged; once more to leave at once");
    send_command(run, COMMAND_STOP, NO_INSTANCE);
    uint64_t until_ns = clock_now_ns() + (flatten ? FLATTEN_SECONDS : STOP_SECONDS) * NS_PER_S;
    while (!figures_stopped(run->books.figures) && clock_now_ns() < until_ns && asked_to_stop(run) < 2) {
        cold_turn(run);
        if (emergency(run)) {
            return false;
        }
    }
    complete_books(run);
    return figures_stopped(run->books.figures);
}

/* Ends the run; answers whether the last figures were written. */
static void leave(struct run *run, bool clean)
{
    if (run->hot) {
        if (!clean) {
            cancel_by_rest(run);
        }
        engine_leave(&run->engine);
    }
    if (run->journal != NULL) {
        if (!journal_flush(run->journal, clock_wall_ns(), 5 * NS_PER_S)) {
            tell("alarm: the journal's tail is not on the disk; the ring in %s still has it",
                 run->engine.config.shared_dir);
        }
        char path[CONFIG_PATH_BYTES + 16];
        snprintf(path, sizeof path, "%s/final.json", run->engine.config.state_dir);
        bool unread[ACCOUNT_MAX];
        find_unread(run, unread);
        if (run->hot && !books_write_final(&run->books, path, clean, orders_owed(run), unread)) {
            tell("warning: %s could not be written", path);
        }
        journal_close(run->journal, clock_wall_ns());
        books_close(&run->books);
        counter_set(run->stopped, 1);
    }
    if (run->reconcile != NULL) {
        reconcile_destroy(run->reconcile);
    }
    if (run->rest != NULL) {
        rest_destroy(run->rest);
    }
    control_close(run->control);
    lock_release(&run->locks);
}

/* find_flatten turns the instance's name into its number; instances are numbered by recovery. */
static bool find_flatten(struct run *run)
{
    const char *name = run->wishes.instance;
    run->flatten_instance = NO_INSTANCE;
    if (!run->wishes.flatten || name == NULL || name[0] == 0) {
        return true;
    }
    run->flatten_instance = instance_number(&run->engine.config, name);
    if (run->flatten_instance == NO_INSTANCE) {
        tell("no instance is called %s; nothing was touched", name);
        return false;
    }
    return true;
}

int run_life(struct run *run)
{
    struct engine *engine = &run->engine;
    snprintf(run->journal_directory, sizeof run->journal_directory, "%s/journal", engine->config.state_dir);
    if (!make_directory(run->journal_directory) || !make_directory(engine->config.shared_dir)) {
        tell("%s and %s: %s", run->journal_directory, engine->config.shared_dir, strerror(errno));
        return EXIT_UNFIT;
    }
    instrument_table_reset(&engine->instruments);
    run->rest = rest_create(&run->transport, &run->clock, &engine->instruments);
    if (run->rest == NULL) {
        tell("no memory for questions to venues");
        return EXIT_UNFIT;
    }

    struct recover *recover = open_recovery(run);
    int code = start(run, recover);
    bool clean = true;
    if (code == EXIT_DONE && !find_flatten(run)) {
        code = EXIT_USAGE;
    }
    if (code == EXIT_DONE && !run->wishes.recover_only) {
        send_start(run, recover);
        recover_destroy(recover);
        recover = NULL;
        if (!open_reconcile(run)) {
            tell("warning: no memory for reconciliation: what streams miss is found at the next start");
        }
        open_control(run);
        tell("TRADING     run %llu", (unsigned long long)run->number);
        run->trading_ns = clock_now_ns();
        clean = trade(run);
        code = clean ? EXIT_DONE : EXIT_NO;
        tell(clean ? "stopped: nothing rests"
                   : "left: not everything is proved to be cancelled; run again or look at the venue");
    }
    if (recover != NULL) {
        recover_destroy(recover);
    }
    leave(run, clean);
    return code;
}
