/* run: the engine's life, told by the thread that may sleep.
 *
 * configuration, keys, locks, what was held (journal), the venue's metadata, the hot side with its private
 * streams listening, what the venue says now, the RESTORE records, trading; then stop: quotes cancelled, what
 * is naked hedged, the journal drained, final.json written.  Every step before trading prints one line; a
 * refusal names its remedy and leaves nothing behind. */
#include "tools/poise/run.h"
#include "ring/clock.h"
#include "tools/poise/commands.h"

#include <curl/curl.h>
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
    struct record_command *body =
        (struct record_command *)record_begin(&record, RECORD_COMMAND, 1, clock_now_ns());
    body->command = command;
    body->instance = NO_INSTANCE;
    run_send(run, &record);
}

/* ------------------------------------------------------------------ the venue's metadata */

struct bytes {
    char *data;
    size_t used, room;
};

static size_t take_body(char *data, size_t size, size_t count, void *context)
{
    struct bytes *body = context;
    size_t more = size * count;
    if (body->used + more > body->room) {
        body->room = (body->used + more) * 2;
        body->data = realloc(body->data, body->room);
    }
    memcpy(body->data + body->used, data, more);
    body->used += more;
    return more;
}

static int rest_get(struct run *run, const struct venue_out *out, struct bytes *body)
{
    const struct config_venue *venue = &run->engine.config.venue[0];
    CURL *curl = curl_easy_init();
    char url[4096], to[256];
    snprintf(url, sizeof url, "https://%s%.*s", out->endpoint.host, (int)out->path_bytes, out->path);
    snprintf(to, sizeof to, "%s:443:%s", out->endpoint.host, venue->connect_to);
    struct curl_slist *list = curl_slist_append(NULL, to);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_CONNECT_TO, list);
    curl_easy_setopt(curl, CURLOPT_CAINFO, venue->ca_file);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
    CURLcode code = curl_easy_perform(curl);
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK) {
        tell("%s: %s", url, curl_easy_strerror(code));
    }
    curl_easy_cleanup(curl);
    return (int)status;
}

static void take_instrument(void *context, const struct instrument *row, const char *base, const char *quote,
                            const char *settle)
{
    struct run *run = context;
    struct instrument_table *table = &run->engine.instruments;
    for (uint32_t i = 0; i < run->engine.config.instrument_count; i++) {
        const struct config_instrument *wanted = &run->engine.config.instrument[i];
        if (wanted->venue == row->venue && wanted->product == row->product &&
            strcmp(wanted->symbol, row->symbol) == 0) {
            struct instrument copy = *row;
            snprintf(copy.name, sizeof copy.name, "%s", wanted->name);
            copy.base = currency_find(table, base, strlen(base), true);
            copy.quote = currency_find(table, quote, strlen(quote), true);
            copy.settle = currency_find(table, settle, strlen(settle), true);
            instrument_add(table, &copy);
        }
    }
}

static bool fetch_metadata(struct run *run)
{
    for (uint8_t product = PRODUCT_SPOT; product < PRODUCT_COUNT; product++) {
        bool wanted = false;
        for (uint32_t i = 0; i < run->engine.config.instrument_count; i++) {
            wanted = wanted || run->engine.config.instrument[i].product == product;
        }
        if (!wanted) {
            continue;
        }
        const struct venue *venue = venue_by_id(run->engine.config.instrument[0].venue);
        struct rest_query query = { .what = REST_INSTRUMENTS, .product = product };
        static struct venue_out out;
        static char scratch[65536];
        out.body = scratch;
        out.body_capacity = sizeof scratch;
        if (!venue->rest->request(&run->engine.key[0], &run->engine.instruments, &query, clock_wall_ns(),
                                  &out)) {
            return false;
        }
        struct bytes body = { 0 };
        int status = rest_get(run, &out, &body);
        struct rest_answer answer = { .instruments = &run->engine.instruments,
                                      .instrument = take_instrument,
                                      .instrument_context = run };
        enum rest_result result = venue->rest->parse(&query, status, body.data, body.used, &answer);
        free(body.data);
        if (result != REST_OK) {
            tell("metadata: %d %s", (int)result, answer.text);
            return false;
        }
    }
    return true;
}

void run_cold_turn(struct run *run)
{
    uint64_t now_ns = clock_now_ns();
    journal_poll(run->journal, now_ns, clock_wall_ns());
    books_step(&run->books, run->journal, now_ns);
}

static void on_record(void *context, const struct slot *record, uint64_t number)
{
    struct run *run = context;
    books_record(&run->books, record, number);
}

int run_main(int argc, char **argv)
{
    const char *overrides[64] = { NULL };
    size_t count = 0;
    const char *path = NULL;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--set") == 0) {
            overrides[count++] = argv[++i];
        } else {
            path = argv[i];
        }
    }
    static struct run run;
    struct engine *engine = &run.engine;
    clock_calibrate();
    if (!config_load(&engine->config, path, overrides)) {
        for (uint32_t i = 0; i < engine->config.fault_count; i++) {
            fprintf(stderr, "%s\n", engine->config.fault[i].text);
        }
        return EXIT_USAGE;
    }
    if (!engine_keys(engine) || !engine_resolve(engine)) {
        tell("%s", engine->error);
        return EXIT_USAGE;
    }
    curl_global_init(CURL_GLOBAL_DEFAULT);
    instrument_table_reset(&engine->instruments);
    if (!fetch_metadata(&run)) {
        return EXIT_UNFIT;
    }
    if (!config_bind(&engine->config, &engine->instruments, &engine->accounts)) {
        for (uint32_t i = 0; i < engine->config.fault_count; i++) {
            fprintf(stderr, "%s\n", engine->config.fault[i].text);
        }
        return EXIT_USAGE;
    }
    mkdir(engine->config.state_dir, 0700);
    mkdir(engine->config.shared_dir, 0700);
    char name[512];
    snprintf(name, sizeof name, "%s/counters", engine->config.shared_dir);
    engine->counters = counters_create(name);
    char journal_dir[512];
    snprintf(journal_dir, sizeof journal_dir, "%s/journal", engine->config.state_dir);
    mkdir(journal_dir, 0700);
    run.number = 1;
    struct journal_options options = { .directory = journal_dir,
                                       .shared_directory = engine->config.shared_dir,
                                       .ring_slots = (uint64_t)engine->config.journal_ring_slots,
                                       .segment_bytes = (uint64_t)engine->config.segment_bytes,
                                       .keep_bytes = (uint64_t)engine->config.journal_keep_bytes,
                                       .sync_ns = (uint64_t)engine->config.journal_sync_ns,
                                       .run = run.number,
                                       .engine = (uint16_t)engine->config.engine,
                                       .build_id = POISE_BUILD_ID };
    run.journal = journal_create(&options, engine->error, sizeof engine->error);
    if (run.journal == NULL) {
        tell("%s", engine->error);
        return EXIT_UNFIT;
    }
    run.books = (struct books){ .config = &engine->config,
                                .instruments = &engine->instruments,
                                .accounts = &engine->accounts,
                                .counters = engine->counters,
                                .run = run.number };
    if (!books_open(&run.books, engine->error, sizeof engine->error)) {
        tell("%s", engine->error);
        return EXIT_UNFIT;
    }
    journal_tap(run.journal, on_record, &run);
    if (!engine_prepare(engine, journal_ring(run.journal)) || !engine_start(engine)) {
        tell("%s", engine->error);
        return EXIT_UNFIT;
    }
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    tell("hot side up");
    uint64_t until_ns = clock_now_ns() + READY_SECONDS * NS_PER_S;
    while (!engine_gateways_ready(engine) && clock_now_ns() < until_ns && !asked_to_stop) {
        run_cold_turn(&run);
        nap(NS_PER_MS);
    }
    tell("gateways ready: %d", engine_gateways_ready(engine));
    send_tables(&run);
    struct slot block;
    struct record_counter_block *ids =
        (struct record_counter_block *)record_begin(&block, RECORD_RESTORE_COUNTER, 1, clock_now_ns());
    ids->next = (uint64_t)time(NULL) * 1000 & 0xffffffffff;
    ids->end = ids->next + 100000;
    run_send(&run, &block);
    send_simple(&run, RECORD_RESTORE_DONE);
    tell("trading");
    while (!asked_to_stop) {
        run_cold_turn(&run);
        nap(NS_PER_MS);
    }
    send_command(&run, COMMAND_STOP);
    until_ns = clock_now_ns() + STOP_SECONDS * NS_PER_S;
    while (!figures_stopped(run.books.figures) && clock_now_ns() < until_ns) {
        run_cold_turn(&run);
        nap(NS_PER_MS);
    }
    tell("stopped: %d", figures_stopped(run.books.figures));
    engine_leave(engine);
    journal_flush(run.journal, clock_wall_ns(), 5 * NS_PER_S);
    snprintf(name, sizeof name, "%s/final.json", engine->config.state_dir);
    books_write_final(&run.books, name, true);
    journal_close(run.journal, clock_wall_ns());
    books_close(&run.books);
    return 0;
}
