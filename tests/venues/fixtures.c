#include "tests/venues/fixtures.h"
#include "tools/poise/commands.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char names[FIXTURES_MAX][96];

bool fixtures_ends(const char *name, const char *with)
{
    size_t bytes = strlen(name), tail = strlen(with);
    return bytes >= tail && strcmp(name + bytes - tail, with) == 0;
}

/* ------------------------------------------------------------------ decoded and compared */

static void decode_into(const struct fixtures *of, const char *in, const char *name, const char *out)
{
    char *arguments[FIXTURES_ARGUMENTS_MAX] = { "decode", (char *)of->venue->name };
    int count = of->arguments(name, arguments, 2);
    cr_assert_leq(count, FIXTURES_ARGUMENTS_MAX);
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

static void compare(const struct fixtures *of, const char *name, char *work)
{
    char in[512], got[64], expected[512], hex[64];
    snprintf(in, sizeof in, "%s/tests/data/fixtures/%s/%s", POISE_SOURCE_DIR, of->venue->name, name);
    snprintf(expected, sizeof expected, "%s/tests/data/fixtures/expected/%s/%s.lines", POISE_SOURCE_DIR,
             of->venue->name, name);
    snprintf(got, sizeof got, "%s/got", work);
    if (fixtures_ends(name, ".sbe")) {
        snprintf(hex, sizeof hex, "%s/hex", work);
        hex_file(in, hex);
        strcpy(in, hex);
    }
    const char *rewrite = getenv("POISE_WRITE_EXPECTED");
    decode_into(of, in, name, rewrite != NULL ? expected : got);
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

size_t fixtures_compare(const struct fixtures *of)
{
    char work[] = "/tmp/poise-fixtures-XXXXXX", path[64];
    cr_assert_not_null(mkdtemp(work));
    size_t count = file_names(of->venue->name, names, FIXTURES_MAX), compared = 0;
    for (size_t i = 0; i < count; i++) {
        if (of->kept(names[i]) && of->compared(names[i])) {
            compare(of, names[i], work);
            compared++;
        }
    }
    snprintf(path, sizeof path, "%s/got", work);
    unlink(path);
    snprintf(path, sizeof path, "%s/hex", work);
    unlink(path);
    rmdir(work);
    return compared;
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
    const struct fixtures *of;
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

static void mill_make(struct mill *mill, const struct fixtures *fixtures, size_t bytes)
{
    memset(mill, 0, sizeof *mill);
    mill->of = fixtures;
    instrument_table_reset(&mill->table);
    mill->levels = malloc(FEED_LEVELS_MAX * sizeof *mill->levels);
    mill->any = (struct instrument){
        .venue = mill->of->venue->id, .index = 9, .price_decimals = 8, .qty_decimals = 8, .tick = 1, .lot = 1
    };
    mill->hooks = (struct venue_hooks){ .context = mill,
                                        .unknown_symbol = any_symbol,
                                        .unknown_currency = any_currency };
    cr_assert(sign_key_hmac(&mill->key, "k", "s", 1));
    size_t session_bytes = mill->of->venue->order != NULL ? mill->of->venue->order->session_bytes : 64;
    mill->session = aligned_alloc(64, (session_bytes + 63) / 64 * 64);
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

static int64_t grind(struct mill *mill, enum fixtures_part part, uint8_t product, const char *text,
                     size_t bytes)
{
    mill->yielded = 0;
    const char *at = guard_put(&mill->guard, text, bytes);
    const struct venue_sink sink = { on_record, mill };
    uint16_t none = 0;
    if (part == FIXTURES_FEED) {
        mill->parser = (struct feed_parser){ .instruments = &mill->table,
                                             .venue = mill->of->venue->id,
                                             .product = product,
                                             .levels = mill->levels,
                                             .level_capacity = FEED_LEVELS_MAX,
                                             .reply_instrument = NO_INSTRUMENT,
                                             .unknown_symbol = any_symbol,
                                             .unknown_context = mill };
        return mill->of->venue->feed->parse(&mill->parser, at, bytes, on_event, mill);
    }
    if (part == FIXTURES_PRIVATE) {
        mill->account.product = product;
        mill->of->venue->order->init(mill->session, mill->of->venue, &mill->table, &mill->account, &mill->key,
                                     &none, 0);
        mill->session->hooks = &mill->hooks;
        return mill->of->venue->order->message(mill->session, SESSION_SLOT_ORDER, at, bytes, 1, 1, &sink,
                                               &mill->out);
    }
    struct rest_query query = { .what = REST_ANY, .product = product };
    struct rest_answer answer = { .instruments = &mill->table,
                                  .sink = sink,
                                  .instrument = on_row,
                                  .instrument_context = mill,
                                  .hooks = &mill->hooks };
    return mill->of->venue->rest->parse(&query, 200, at, bytes, &answer) == REST_BROKEN ? PARSE_INCOMPLETE
                                                                                        : (int64_t)bytes;
}

static bool has_part(const struct mill *mill, enum fixtures_part part)
{
    const struct venue *venue = mill->of->venue;
    return part == FIXTURES_FEED      ? venue->feed != NULL
           : part == FIXTURES_PRIVATE ? venue->order != NULL
                                      : venue->rest != NULL;
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
    bytes = fixtures_ends(name, ".sbe") ? bytes : trimmed(text, bytes);
    for (enum fixtures_part part = FIXTURES_FEED; part < FIXTURES_PART_COUNT; part++) {
        if (!has_part(mill, part) || !mill->of->takes(part, name, text)) {
            continue;
        }
        uint8_t product = mill->of->product(name);
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
        for (enum fixtures_part part = FIXTURES_FEED; part < FIXTURES_PART_COUNT; part++) {
            if (!has_part(mill, part)) {
                continue;
            }
            int64_t consumed = grind(mill, part, mill->of->product(name), copy, bytes);
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

static void for_every_fixture(const struct fixtures *of, treatment treat, size_t lines_max, size_t bytes_max)
{
    static struct mill mill;
    uint64_t seed = 1;
    size_t count = file_names(of->venue->name, names, FIXTURES_MAX);
    mill_make(&mill, of, 1 << 17);
    for (size_t i = 0; i < count; i++) {
        char path[160];
        struct file file;
        if (!of->kept(names[i])) {
            continue;
        }
        snprintf(path, sizeof path, "%s/%s", of->venue->name, names[i]);
        cr_assert(file_read(&file, path));
        if (fixtures_ends(names[i], ".jsonl")) {
            const char *line;
            size_t at = 0, bytes;
            for (size_t n = 0; n < lines_max && file_line(&file, &at, &line, &bytes); n++) {
                treat(&mill, names[i], line, bytes, &seed);
            }
        } else if (file.bytes <= bytes_max) {
            treat(&mill, names[i], file.text, file.bytes, &seed);
        }
        file_free(&file);
    }
    mill_free(&mill);
}

void fixtures_cut(const struct fixtures *of)
{
    for_every_fixture(of, treat_cut, 12, 1 << 17);
}

void fixtures_change(const struct fixtures *of)
{
    for_every_fixture(of, change, 6, 6000);
}
