/* run: the engine's life, told by the thread that may sleep.
 *
 * configuration, keys, locks, what was held (journal), the venue's metadata, the hot side with its private
 * streams listening, what the venue says now, the RESTORE records, trading; then stop: quotes cancelled, what
 * is naked hedged, the journal drained, final.json written.  Every step before trading prints one line; a
 * refusal names its remedy and leaves nothing behind. */
#include "tools/poise/run.h"
#include "ring/clock.h"
#include "tools/poise/commands.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* How long leaving may take before the venue-wide cancel is all that is left. */
enum { STOP_SECONDS = 20, READY_SECONDS = 30 };

static volatile sig_atomic_t asked_to_stop;

static void on_signal(int number)
{
    (void)number;
    asked_to_stop++;
}

static void nap(uint64_t ns)
{
    struct timespec pause = { (time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S) };
    nanosleep(&pause, NULL);
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
        nap(100 * NS_PER_US);
    }
}

static void send_blob(struct run *run, enum record_type type, uint16_t instrument, uint16_t account, const void *blob,
                      size_t bytes)
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
    struct record_begin_run *begin = (struct record_begin_run *)record_begin(record, RECORD_BEGIN, 2, clock_now_ns());
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
    struct record_convert *convert = (struct record_convert *)record_begin(&record, RECORD_CONVERT, 1, clock_now_ns());
    convert->from = currency_find(table, row->from, strlen(row->from), true);
    convert->to = currency_find(table, row->to, strlen(row->to), true);
    convert->fixed_e8 = row->fixed_e8;
    convert->max_age_ns = row->max_age_ns;
    convert->max_deviation_centibp = row->max_deviation_centibp;
    const struct instrument *instrument = row->instrument[0] != 0 ? instrument_by_name(table, row->instrument) : NULL;
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
    for (uint32_t i = 0; i < engine->instruments.count; i++) {
        const struct instrument *row = &engine->instruments.row[i];
        send_blob(run, RECORD_INSTRUMENT, row->index, NO_ACCOUNT, row, sizeof *row);
    }
    for (uint32_t i = 0; i < engine->accounts.count; i++) {
        const struct account *row = &engine->accounts.row[i];
        send_blob(run, RECORD_ACCOUNT, NO_INSTRUMENT, row->index, row, sizeof *row);
        const struct config_account *from = &config->account[i];
        for (uint32_t k = 0; k < engine->instruments.count; k++) {
            const struct instrument *instrument = &engine->instruments.row[k];
            if (instrument->venue == row->venue && instrument->product == row->product) {
                send_fee(run, row->index, instrument->index, from->maker_centibp, from->taker_centibp);
            }
        }
    }
    for (uint32_t i = 0; i < config->convert_count; i++) {
        send_convert(run, &config->convert[i]);
    }
    send_blob(run, RECORD_RISK, NO_INSTRUMENT, NO_ACCOUNT, &config->risk, sizeof config->risk);
    for (uint32_t i = 0; i < config->quote_count; i++) {
        send_blob(run, RECORD_PARAMS, NO_INSTRUMENT, NO_ACCOUNT, &config->quote[i].params,
                  sizeof config->quote[i].params);
    }
}

static void send_simple(struct run *run, enum record_type type)
{
    struct slot record;
    record_begin(&record, type, 1, clock_now_ns());
    run_send(run, &record);
}

static void send_command(struct run *run, enum command command)
{
    struct slot record;
    struct record_command *body = (struct record_command *)record_begin(&record, RECORD_COMMAND, 1, clock_now_ns());
    body->command = command;
    body->instance = NO_INSTANCE;
    run_send(run, &record);
}
