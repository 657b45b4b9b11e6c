/* Every Binance fixture: decoded and compared, cut at every byte, and with bytes changed.
 *
 * Expected lines lie in tests/data/fixtures/expected/binance/, one file a fixture.  They were written by the
 * decode tool (POISE_WRITE_EXPECTED=1 writes them anew) and then read against the fixtures and the venue's
 * page; a difference means that a message is understood otherwise than it was then. */
#include "tests/venues/support.h"
#include "tools/poise/commands.h"
#include "venues/binance/session.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIXTURES_MAX 256

static char fixtures[FIXTURES_MAX][96];

static bool ends(const char *name, const char *with)
{
    size_t bytes = strlen(name), tail = strlen(with);
    return bytes >= tail && strcmp(name + bytes - tail, with) == 0;
}

static bool is_capture(const char *name)
{
    return strstr(name, "_2021.jsonl") != NULL;
}

static bool is_message(const char *name)
{
    return (ends(name, ".json") || ends(name, ".jsonl")) && !ends(name, ".metadata.json");
}

static uint8_t product_of(const char *name)
{
    return strncmp(name, "spot", 4) == 0   ? PRODUCT_SPOT
           : strncmp(name, "usdm", 4) == 0 ? PRODUCT_LINEAR
                                           : PRODUCT_INVERSE;
}

/* ------------------------------------------------------------------ decoded and compared */

/* What a person would type for this fixture. */
static void decode_into(const char *in, const char *name, const char *out)
{
    char *arguments[12] = { "decode", "binance", "--kind", (char *)product_names[product_of(name)] };
    int count = 4;
    if (ends(name, ".json") && strstr(name, "SYNTHETIC") == NULL) {
        arguments[count++] = "--whole";
    }
    if (strstr(name, "_user_") != NULL || strstr(name, ".sbe") != NULL) {
        arguments[count++] = "--private";
    }
    if (strstr(name, "depth") != NULL && strstr(name, "_ws_") == NULL) {
        arguments[count++] = "--instrument";
        arguments[count++] = strstr(name, "nkn") != NULL     ? "NKNUSDT"
                             : strstr(name, "sushi") != NULL ? "SUSHIUSDT"
                             : strstr(name, "ctk") != NULL   ? "CTKUSDT"
                                                             : "BTCUSDT";
    }
    if (strstr(name, "modify") != NULL) {
        arguments[count++] = "--reply-to";
        arguments[count++] = "order.modify";
    }
    pid_t child = fork();
    if (child == 0) {
        if (freopen(in, "rb", stdin) == NULL || freopen(out, "wb", stdout) == NULL) {
            _exit(9);
        }
        int code = decode_main(count, arguments);
        fflush(stdout);
        _exit(code);
    }
    int status = 0;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == EXIT_DONE, "%s: %d", name, status);
}

/* A binary fixture is handed over as the text that the tool takes: "hex:...". */
static void hex_file(const char *path, const char *out)
{
    struct file file;
    cr_assert(file_read_path(&file, path));
    FILE *stream = fopen(out, "wb");
    fputs("hex:", stream);
    for (size_t i = 0; i < file.bytes; i++) {
        fprintf(stream, "%02x", (unsigned char)file.text[i]);
    }
    fclose(stream);
    file_free(&file);
}

static void compare(const char *name, char *work)
{
    char in[512], got[64], expected[512], hex[64];
    snprintf(in, sizeof in, "%s/tests/data/fixtures/binance/%s", POISE_SOURCE_DIR, name);
    snprintf(expected, sizeof expected, "%s/tests/data/fixtures/expected/binance/%s.lines", POISE_SOURCE_DIR,
             name);
    snprintf(got, sizeof got, "%s/got", work);
    if (ends(name, ".sbe")) {
        snprintf(hex, sizeof hex, "%s/hex", work);
        hex_file(in, hex);
        strcpy(in, hex);
    }
    const char *rewrite = getenv("POISE_WRITE_EXPECTED");
    decode_into(in, name, rewrite != NULL ? expected : got);
    if (rewrite != NULL) {
        return;
    }
    struct file want, have;
    cr_assert(file_read_path(&want, expected), "%s is missing", expected);
    cr_assert(file_read_path(&have, got));
    size_t a = 0, b = 0, line = 0, want_bytes, have_bytes;
    const char *wanted, *had;
    for (;;) {
        bool more = file_line(&want, &a, &wanted, &want_bytes),
             less = file_line(&have, &b, &had, &have_bytes);
        cr_assert_eq(more, less, "%s: one has more than %zu lines", name, line);
        if (!more) {
            break;
        }
        line++;
        cr_assert(want_bytes == have_bytes && memcmp(wanted, had, want_bytes) == 0,
                  "%s, line %zu:\n%.*s\n%.*s", name, line, (int)want_bytes, wanted, (int)have_bytes, had);
    }
    file_free(&want);
    file_free(&have);
}

Test(binance_fixtures, decode_to_what_was_read_in_them)
{
    char work[] = "/tmp/poise-fixtures-XXXXXX";
    cr_assert_not_null(mkdtemp(work));
    size_t count = file_names("binance", fixtures, FIXTURES_MAX), compared = 0;
    for (size_t i = 0; i < count; i++) {
        if ((is_message(fixtures[i]) || ends(fixtures[i], ".sbe")) && !is_capture(fixtures[i]) &&
            strstr(fixtures[i], "SYNTHETIC") == NULL) {
            compare(fixtures[i], work);
            compared++;
        }
    }
    cr_assert_gt(compared, 90, "only %zu fixtures", compared);
    char got[64];
    snprintf(got, sizeof got, "%s/got", work);
    unlink(got);
    snprintf(got, sizeof got, "%s/hex", work);
    unlink(got);
    rmdir(work);
}

/* ------------------------------------------------------------------ cut, and with bytes changed */

/* All three parsers over the same bytes, which end at a page that may not be read. */
struct mill {
    struct instrument_table table;
    struct feed_parser parser;
    struct level *levels;
    struct account account;
    struct sign_key key;
    struct venue_session *session;
    struct venue_out out;
    char body[4096];
    struct guard guard;
    uint32_t yielded;
    struct instrument any;
    struct venue_hooks hooks;
};

static void on_event(void *context, const struct feed_event *event)
{
    struct mill *mill = context;
    (void)event;
    mill->yielded++;
}

static void on_record(void *context, const struct slot *record)
{
    struct mill *mill = context;
    (void)record;
    mill->yielded++;
}

static void on_row(void *context, const struct instrument *row, const char *base, const char *quote,
                   const char *settle)
{
    struct mill *mill = context;
    (void)row;
    (void)base;
    (void)quote;
    (void)settle;
    mill->yielded++;
}

/* Every symbol is known, so that the parsers go all the way. */
static const struct instrument *any_symbol(void *context, uint8_t product, const char *symbol, size_t bytes)
{
    struct mill *mill = context;
    (void)product;
    (void)symbol;
    (void)bytes;
    return &mill->any;
}

static uint16_t any_currency(void *context, const char *code, size_t bytes)
{
    (void)context;
    (void)code;
    (void)bytes;
    return 1;
}

static void mill_make(struct mill *mill, size_t bytes)
{
    memset(mill, 0, sizeof *mill);
    instrument_table_reset(&mill->table);
    mill->levels = malloc(FEED_LEVELS_MAX * sizeof *mill->levels);
    mill->any = (struct instrument){
        .venue = VENUE_BINANCE, .index = 9, .price_decimals = 8, .qty_decimals = 8, .tick = 1, .lot = 1
    };
    mill->hooks = (struct venue_hooks){ .context = mill,
                                        .unknown_symbol = any_symbol,
                                        .unknown_currency = any_currency };
    cr_assert(sign_key_hmac(&mill->key, "k", "s", 1));
    mill->session = aligned_alloc(64, (venue_binance.order->session_bytes + 63) / 64 * 64);
    mill->out.body = mill->body;
    mill->out.body_capacity = sizeof mill->body;
    guard_make(&mill->guard, bytes);
}

static void mill_free(struct mill *mill)
{
    guard_free(&mill->guard);
    free(mill->levels);
    free(mill->session);
}

enum part { FEED, PRIVATE, REST, PART_COUNT };

static int64_t grind(struct mill *mill, enum part part, uint8_t product, const char *text, size_t bytes)
{
    mill->yielded = 0;
    const char *at = guard_put(&mill->guard, text, bytes);
    const struct venue_sink sink = { on_record, mill };
    uint16_t none = 0;
    if (part == FEED) {
        mill->parser = (struct feed_parser){ .instruments = &mill->table,
                                             .venue = VENUE_BINANCE,
                                             .product = product,
                                             .levels = mill->levels,
                                             .level_capacity = FEED_LEVELS_MAX,
                                             .reply_instrument = NO_INSTRUMENT,
                                             .unknown_symbol = any_symbol,
                                             .unknown_context = mill };
        return venue_binance.feed->parse(&mill->parser, at, bytes, on_event, mill);
    }
    if (part == PRIVATE) {
        mill->account.product = product;
        venue_binance.order->init(mill->session, &venue_binance, &mill->table, &mill->account, &mill->key,
                                  &none, 0);
        mill->session->hooks = &mill->hooks;
        return venue_binance.order->message(mill->session, SESSION_SLOT_ORDER, at, bytes, 1, 1, &sink,
                                            &mill->out);
    }
    struct rest_query query = { .what = REST_ANY, .product = product };
    struct rest_answer answer = { .instruments = &mill->table,
                                  .sink = sink,
                                  .instrument = on_row,
                                  .instrument_context = mill,
                                  .hooks = &mill->hooks };
    return venue_binance.rest->parse(&query, 200, at, bytes, &answer) == REST_BROKEN ? PARSE_INCOMPLETE
                                                                                     : (int64_t)bytes;
}

static size_t trimmed(const char *text, size_t bytes)
{
    while (bytes > 0 && strchr(" \r\n\t", text[bytes - 1]) != NULL) {
        bytes--;
    }
    return bytes;
}

static void cut(struct mill *mill, const char *name, const char *text, size_t bytes)
{
    bytes = ends(name, ".sbe") ? bytes : trimmed(text, bytes);
    for (enum part part = FEED; part < PART_COUNT; part++) {
        if ((part == PRIVATE && text[0] == '[') || (part != PRIVATE && ends(name, ".sbe"))) {
            continue; /* no message of a session is an array; these frames are a session's only */
        }
        uint8_t product = product_of(name);
        for (size_t prefix = 0; prefix < bytes; prefix += prefix < 3000 ? 1 : 997) {
            int64_t consumed = grind(mill, part, product, text, prefix);
            cr_assert_eq(consumed, PARSE_INCOMPLETE, "%s: part %d takes %ld of a prefix of %zu", name, part,
                         consumed, prefix);
            cr_assert_eq(mill->yielded, 0, "%s: part %d yields from a prefix of %zu", name, part, prefix);
        }
        int64_t consumed = grind(mill, part, product, text, bytes);
        cr_assert_neq(consumed, PARSE_INCOMPLETE, "%s: part %d", name, part);
    }
}

static void change(struct mill *mill, const char *name, const char *text, size_t bytes, uint64_t *seed)
{
    char *copy = malloc(bytes + 1);
    for (int round = 0; round < 300; round++) {
        memcpy(copy, text, bytes);
        for (int i = 0; i <= round % 3; i++) {
            *seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
            copy[(*seed >> 33) % bytes] = (char)(*seed >> 20);
        }
        for (enum part part = FEED; part < PART_COUNT; part++) {
            int64_t consumed = grind(mill, part, product_of(name), copy, bytes);
            cr_assert(consumed >= PARSE_BROKEN && consumed <= (int64_t)bytes, "%s", name);
            if (consumed <= 0) {
                cr_assert_eq(mill->yielded, 0, "%s: part %d yields from what it calls unsound: %.*s", name,
                             part, (int)bytes, copy);
            }
        }
    }
    free(copy);
}

typedef void (*treatment)(struct mill *mill, const char *name, const char *text, size_t bytes,
                          uint64_t *seed);

static void treat_cut(struct mill *mill, const char *name, const char *text, size_t bytes, uint64_t *seed)
{
    (void)seed;
    cut(mill, name, text, bytes);
}

static void for_every_fixture(treatment treat, size_t lines_max, size_t bytes_max)
{
    static struct mill mill;
    uint64_t seed = 1;
    size_t count = file_names("binance", fixtures, FIXTURES_MAX);
    mill_make(&mill, 1 << 17);
    for (size_t i = 0; i < count; i++) {
        char path[160];
        struct file file;
        bool binary = ends(fixtures[i], ".sbe");
        if (!is_message(fixtures[i]) && !binary) {
            continue;
        }
        snprintf(path, sizeof path, "binance/%s", fixtures[i]);
        cr_assert(file_read(&file, path));
        if (ends(fixtures[i], ".jsonl")) {
            const char *line;
            size_t at = 0, bytes;
            for (size_t n = 0; n < lines_max && file_line(&file, &at, &line, &bytes); n++) {
                treat(&mill, fixtures[i], line, bytes, &seed);
            }
        } else if (file.bytes <= bytes_max) {
            treat(&mill, fixtures[i], file.text, file.bytes, &seed);
        }
        file_free(&file);
    }
    mill_free(&mill);
}

Test(binance_fixtures, every_prefix_is_incomplete_and_nothing_beyond_it_is_read)
{
    for_every_fixture(treat_cut, 12, 1 << 17);
}

Test(binance_fixtures, changed_bytes_are_survived_and_yield_nothing_unsound)
{
    for_every_fixture(change, 6, 6000);
}
