#include "tools/poise/venue_io.h"
#include "config/toml.h"
#include "tools/poise/commands.h"
#include "venues/scan.h"
#include "venues/text.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ------------------------------------------------------------------ arguments */

static uint8_t product_by_name(const char *name)
{
    for (uint8_t product = PRODUCT_SPOT; product < PRODUCT_COUNT; product++) {
        if (strcmp(product_names[product], name) == 0) {
            return product;
        }
    }
    return PRODUCT_NONE;
}

static bool number_of(const char *text, int64_t *out)
{
    return decimal_parse(text, strlen(text), 0, out) == DECIMAL_OK;
}

static bool refuse(const char *what, const char *about)
{
    fprintf(stderr, "poise: %s%s%s\n", what, about != NULL ? ": " : "", about != NULL ? about : "");
    return false;
}

bool io_options_read(struct io_options *options, int argc, char **argv, const char *usage, bool *help)
{
    memset(options, 0, sizeof *options);
    *help = false;
    const char *venue = NULL;
    for (int i = 1; i < argc; i++) {
        const char *name = argv[i];
        if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0) {
            fputs(usage, stdout);
            *help = true;
            return true;
        }
        if (strcmp(name, "--private") == 0) {
            options->is_private = true;
            continue;
        }
        if (strcmp(name, "--whole") == 0) {
            options->whole = true;
            continue;
        }
        if (strcmp(name, "--book") == 0) {
            options->book = true;
            continue;
        }
        if (strcmp(name, "--json") == 0) {
            continue; /* always */
        }
        if (strncmp(name, "--", 2) != 0) {
            if (venue != NULL) {
                return refuse("one venue only", name);
            }
            venue = name;
            continue;
        }
        if (i + 1 == argc) {
            return refuse("a value is missing after", name);
        }
        const char *value = argv[++i];
        int64_t number;
        if (strcmp(name, "--kind") == 0) {
            options->product = product_by_name(value);
            if (options->product == PRODUCT_NONE) {
                return refuse("--kind is one of spot, linear, inverse, option", value);
            }
        } else if (strcmp(name, "--instruments") == 0) {
            if (options->instrument_file_count == IO_INSTRUMENT_FILES) {
                return refuse("too many --instruments", NULL);
            }
            options->instrument_files[options->instrument_file_count++] = value;
        } else if (strcmp(name, "--instrument") == 0) {
            options->instrument = value;
        } else if (strcmp(name, "--reply-to") == 0) {
            options->reply_to = value;
        } else if (strcmp(name, "--key") == 0) {
            options->key_file = value;
        } else if (strcmp(name, "--time") == 0) {
            if (!number_of(value, &options->time_ns)) {
                return refuse("--time is nanoseconds since 1970", value);
            }
            options->has_time = true;
        } else if (strcmp(name, "--nonce") == 0) {
            if (!number_of(value, &number) || number < 0) {
                return refuse("--nonce is a whole number", value);
            }
            options->nonce = (uint64_t)number;
            options->has_nonce = true;
        } else {
            return refuse("unknown argument", name);
        }
    }
    if (venue == NULL) {
        fputs(usage, stderr);
        return false;
    }
    options->venue = venue_find(venue);
    return options->venue != NULL || refuse("unknown venue", venue);
}

char *io_read_all(FILE *stream, size_t *bytes)
{
    size_t room = 1 << 16;
    char *text = malloc(room + 1);
    *bytes = 0;
    while (text != NULL) {
        size_t got = fread(text + *bytes, 1, room - *bytes, stream);
        *bytes += got;
        if (got == 0) {
            text[*bytes] = '\0';
            return text;
        }
        if (*bytes == room) {
            char *more = realloc(text, (room *= 2) + 1);
            if (more == NULL) {
                free(text);
            }
            text = more;
        }
    }
    return NULL;
}

static char *read_file(const char *path, size_t *bytes)
{
    FILE *stream = fopen(path, "rb");
    if (stream == NULL) {
        fprintf(stderr, "poise: %s: cannot be read\n", path);
        return NULL;
    }
    char *text = io_read_all(stream, bytes);
    fclose(stream);
    return text;
}

static const struct toml_entry *entry_of(const struct toml_list *list, const char *key)
{
    for (uint32_t i = 0; i < list->count; i++) {
        if (list->entry[i].type == TOML_STRING && strcmp(list->entry[i].key, key) == 0) {
            return &list->entry[i];
        }
    }
    return NULL;
}

static bool seed_of(const char *hex, unsigned char seed[32])
{
    if (strlen(hex) != 64) {
        return false;
    }
    for (int i = 0; i < 32; i++) {
        unsigned byte;
        if (sscanf(hex + 2 * i, "%2x", &byte) != 1) {
            return false;
        }
        seed[i] = (unsigned char)byte;
    }
    return true;
}

static bool key_of(const struct toml_list *list, const char *path, struct sign_key *key)
{
    const struct toml_entry *api_key = entry_of(list, "api_key"), *secret = entry_of(list, "api_secret");
    const struct toml_entry *seed_hex = entry_of(list, "seed_hex"),
                            *pem = entry_of(list, "private_key_pem_file");
    if (api_key == NULL) {
        return refuse("no api_key in", path);
    }
    if (seed_hex != NULL) {
        unsigned char seed[32];
        return (seed_of(seed_hex->text, seed) && sign_key_ed25519(key, api_key->text, seed)) ||
               refuse("seed_hex is not 64 hex digits, or api_key is too long, in", path);
    }
    if (pem != NULL) {
        /* the path counts from the key file's folder */
        char at[1024];
        const char *slash = strrchr(path, '/');
        int folder = slash != NULL && pem->text[0] != '/' ? (int)(slash - path + 1) : 0;
        snprintf(at, sizeof at, "%.*s%s", folder, path, pem->text);
        size_t bytes;
        char *text = read_file(at, &bytes);
        bool done = text != NULL && sign_key_pem(key, api_key->text, text, bytes);
        free(text);
        return done || refuse("not an Ed25519 private key in PKCS#8", at);
    }
    return (secret != NULL && sign_key_hmac(key, api_key->text, secret->text, secret->text_bytes)) ||
           refuse("none of api_secret, seed_hex, private_key_pem_file in", path);
}

bool io_key_read(const char *path, struct sign_key *key)
{
    struct stat about;
    size_t bytes;
    if (stat(path, &about) == 0 && (about.st_mode & 077) != 0) {
        fprintf(stderr, "poise: %s: others may read this key (mode %o): fine for a test key only\n", path,
                about.st_mode & 0777);
    }
    char *text = read_file(path, &bytes);
    if (text == NULL) {
        return false;
    }
    struct toml_list list;
    bool done = toml_read(text, bytes, &list);
    if (!done) {
        fprintf(stderr, "poise: %s:%d: %s\n", path, list.error_line, list.error);
    }
    done = done && key_of(&list, path, key);
    toml_free(&list);
    memset(text, 0, bytes);
    free(text);
    return done;
}

/* ------------------------------------------------------------------ rows */

struct io_row *io_row_at(struct io_rows *rows, uint16_t index)
{
    uint32_t at = (uint32_t)index - IO_ROW_BASE;
    return index >= IO_ROW_BASE && at < rows->count ? rows->row[at] : NULL;
}

struct io_row *io_row_find(struct io_rows *rows, uint8_t venue, uint8_t product, const char *symbol,
                           size_t bytes)
{
    for (uint32_t i = 0; i < rows->count; i++) {
        const struct instrument *row = &rows->row[i]->row;
        if (row->venue == venue && row->product == product && strlen(row->symbol) == bytes &&
            memcmp(row->symbol, symbol, bytes) == 0) {
            return rows->row[i];
        }
    }
    return NULL;
}

static struct io_row *row_add(struct io_rows *rows, const struct instrument *like)
{
    if (rows->count == rows->room) {
        uint32_t room = rows->room == 0 ? 256 : rows->room * 2;
        struct io_row **more = realloc(rows->row, room * sizeof *more);
        if (more == NULL || room + IO_ROW_BASE >= NO_INSTRUMENT) {
            return NULL;
        }
        rows->row = more;
        rows->room = room;
    }
    struct io_row *row = calloc(1, sizeof *row);
    if (row != NULL) {
        row->row = *like;
        row->row.index = (uint16_t)(IO_ROW_BASE + rows->count);
        rows->row[rows->count++] = row;
    }
    return row;
}

/* The longest run of digits before a point, and the most digits that matter behind one. */
static void digits_of(const char *text, size_t bytes, int *before, int *behind)
{
    *before = *behind = 0;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] != '"' || i + 1 >= bytes || text[i + 1] < '0' || text[i + 1] > '9') {
            continue; /* only what stands in quotes is a price or a quantity here */
        }
        int whole = 0, part = 0, zeros = 0;
        size_t at = i + 1;
        for (; at < bytes && text[at] >= '0' && text[at] <= '9'; at++) {
            whole++;
        }
        if (at < bytes && text[at] == '.') {
            for (at++; at < bytes && text[at] >= '0' && text[at] <= '9'; at++) {
                part++;
                zeros = text[at] == '0' ? zeros + 1 : 0;
            }
        }
        if (at < bytes && text[at] == '"') {
            *before = whole > *before ? whole : *before;
            *behind = part - zeros > *behind ? part - zeros : *behind;
        }
        i = at;
    }
}

struct io_row *io_row_infer(struct io_rows *rows, uint8_t venue, uint8_t product, const char *symbol,
                            size_t bytes, const char *message, size_t message_bytes)
{
    int before = 0, behind = 0;
    if (venue == VENUE_BINANCE) {
        digits_of(message, message_bytes, &before, &behind); /* the others print no number in quotes */
    }
    uint8_t decimals = before <= 10 ? 8 : behind < 8 ? (uint8_t)behind : 8;
    decimals = rows->decimals != IO_DECIMALS_FREE ? rows->decimals : decimals;
    rows->guessed = true;
    struct io_row *known = io_row_find(rows, venue, product, symbol, bytes);
    if (known != NULL) {
        if (known->inferred) {
            known->row.price_decimals = known->row.qty_decimals = decimals;
        }
        return known;
    }
    struct instrument row = { .venue = venue, .product = product };
    if (bytes >= sizeof row.symbol) {
        return NULL;
    }
    memcpy(row.symbol, symbol, bytes);
    row.price_decimals = row.qty_decimals = decimals;
    row.tick = row.lot = 1;
    row.base = row.quote = row.settle = CURRENCY_NONE;
    row.contract_e8 = venue == VENUE_DERIBIT && product == PRODUCT_INVERSE ? DECIMAL_E8 : 0; /* USD */
    struct io_row *made = row_add(rows, &row);
    if (made != NULL) {
        made->inferred = true;
    }
    return made;
}

uint16_t io_currency(struct io_rows *rows, const char *code, size_t bytes)
{
    if (bytes == 0 || bytes >= IO_CURRENCY_BYTES) {
        return CURRENCY_NONE;
    }
    for (uint32_t i = 0; i < rows->currency_count; i++) {
        if (strlen(rows->currency[i]) == bytes && memcmp(rows->currency[i], code, bytes) == 0) {
            return (uint16_t)(CURRENCY_MAX + i);
        }
    }
    if (rows->currency_count == rows->currency_room) {
        uint32_t room = rows->currency_room == 0 ? 64 : rows->currency_room * 2;
        void *more = realloc(rows->currency, room * sizeof *rows->currency);
        if (more == NULL || room + CURRENCY_MAX >= CURRENCY_NONE) {
            return CURRENCY_NONE;
        }
        rows->currency = more;
        rows->currency_room = room;
    }
    memset(rows->currency[rows->currency_count], 0, IO_CURRENCY_BYTES);
    memcpy(rows->currency[rows->currency_count], code, bytes);
    return (uint16_t)(CURRENCY_MAX + rows->currency_count++);
}

const char *io_currency_code(const struct io_rows *rows, uint16_t currency)
{
    uint32_t at = (uint32_t)currency - CURRENCY_MAX;
    return currency >= CURRENCY_MAX && at < rows->currency_count ? rows->currency[at] : NULL;
}

static void on_row(void *context, const struct instrument *row, const char *base, const char *quote,
                   const char *settle)
{
    struct io_rows *rows = context;
    if (io_row_find(rows, row->venue, row->product, row->symbol, strlen(row->symbol)) != NULL) {
        return;
    }
    struct io_row *made = row_add(rows, row);
    if (made != NULL) {
        memcpy(made->base, base, CURRENCY_BYTES);
        memcpy(made->quote, quote, CURRENCY_BYTES);
        memcpy(made->settle, settle, CURRENCY_BYTES);
    }
}

static void on_nothing(void *context, const struct slot *record)
{
    (void)context;
    (void)record;
}

/* The futures products say so in their metadata; spot does not. */
static uint8_t metadata_product(const char *text, size_t bytes)
{
    if (memmem(text, bytes, "\"contractSize\"", 14) != NULL) {
        return PRODUCT_INVERSE;
    }
    return memmem(text, bytes, "\"contractType\"", 14) != NULL ? PRODUCT_LINEAR : PRODUCT_SPOT;
}

bool io_rows_load(struct io_rows *rows, const struct io_options *options, const char *path)
{
    static struct instrument_table none;
    size_t bytes;
    char *text = read_file(path, &bytes);
    if (text == NULL) {
        return false;
    }
    /* a WebSocket API reply wraps the same object */
    static const struct scan_name names[] = { SCAN_NAME("result") };
    struct scan scan;
    struct scan_value result[1];
    const char *body = text;
    size_t body_bytes = bytes;
    scan_open(&scan, text, bytes);
    if (scan_fields(&scan, NULL, names, 1, result) && result[0].type == SCAN_OBJECT) {
        body = result[0].at;
        body_bytes = result[0].bytes;
    }
    struct rest_answer answer = {
        .instruments = &none, .instrument = on_row, .instrument_context = rows, .sink = { on_nothing, NULL }
    };
    /* one reply of Deribit's may hold instruments of every product, Binance has a reply for each */
    uint8_t only = options->venue->id == VENUE_BINANCE ? metadata_product(text, bytes) : PRODUCT_NONE;
    enum rest_result done = REST_OK;
    for (uint8_t product = PRODUCT_SPOT; product < PRODUCT_COUNT && done == REST_OK; product++) {
        if (product == only || (only == PRODUCT_NONE && (options->venue->products >> product & 1) != 0)) {
            struct rest_query query = { .what = REST_INSTRUMENTS, .product = product };
            done = options->venue->rest->parse(&query, 200, body, body_bytes, &answer);
        }
    }
    if (done != REST_OK) {
        fprintf(stderr, "poise: %s: not the venue's instrument metadata: %s\n", path, answer.text);
    }
    free(text);
    return done == REST_OK;
}

/* ------------------------------------------------------------------ JSON out */

void io_quote(FILE *out, const char *text, size_t bytes)
{
    fputc('"', out);
    for (size_t i = 0; i < bytes; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\') {
            fprintf(out, "\\%c", c);
        } else if (c < 0x20) {
            fprintf(out, "\\u%04x", c);
        } else {
            fputc(c, out);
        }
    }
    fputc('"', out);
}

static void name_of(FILE *out, const char *name)
{
    fprintf(out, ",\"%s\":", name);
}

void io_begin(FILE *out, uint64_t line, const char *type)
{
    fprintf(out, "{\"line\":%lu,\"type\":\"%s\"", line, type);
}

void io_text(FILE *out, const char *name, const char *text, size_t bytes)
{
    name_of(out, name);
    io_quote(out, text, bytes);
}

void io_word(FILE *out, const char *name, const char *text)
{
    io_text(out, name, text, strlen(text));
}

void io_number(FILE *out, const char *name, int64_t value)
{
    name_of(out, name);
    fprintf(out, "%ld", value);
}

void io_unsigned(FILE *out, const char *name, uint64_t value)
{
    name_of(out, name);
    fprintf(out, "%lu", value);
}

void io_unsigned_text(FILE *out, const char *name, uint64_t value)
{
    name_of(out, name);
    fprintf(out, "\"%lu\"", value);
}

void io_bool(FILE *out, const char *name, bool value)
{
    name_of(out, name);
    fputs(value ? "true" : "false", out);
}

void io_null(FILE *out, const char *name)
{
    name_of(out, name);
    fputs("null", out);
}

void io_decimal(FILE *out, const char *name, int64_t value, int decimals)
{
    char digits[DECIMAL_TEXT_BYTES];
    io_text(out, name, digits, decimal_print_short(digits, value, decimals));
}

void io_plain_number(FILE *out, const char *name, const char *text, size_t bytes)
{
    char digits[64];
    size_t count = 0, at = 0, mantissa = bytes;
    long exponent = 0, point;
    for (size_t i = 0; i < bytes; i++) {
        if (text[i] == 'e' || text[i] == 'E') {
            mantissa = i;
            exponent = strtol(text + i + 1, NULL, 10); /* a number ends at a byte that is no digit */
            break;
        }
    }
    bool minus = mantissa > 0 && text[0] == '-';
    long whole = -1;
    for (at = minus; at < mantissa; at++) {
        if (text[at] == '.') {
            whole = (long)count;
        } else if (count < sizeof digits) {
            digits[count++] = text[at];
        }
    }
    point = (whole < 0 ? (long)count : whole) + exponent;
    size_t first = 0;
    while (first < count && digits[first] == '0') {
        first++;
    }
    while (count > first && digits[count - 1] == '0') {
        count--;
    }
    if (first == count || point < -64 || point > 64) {
        io_word(out, name, first == count ? "0" : "?");
        return;
    }
    char plain[256];
    struct text to = { plain, plain + sizeof plain, false };
    text_put(&to, minus ? "-" : "");
    if (point <= (long)first) {
        text_put(&to, "0");
    }
    for (long i = (long)first; i < point; i++) {
        text_put_char(&to, i < (long)count ? digits[i] : '0');
    }
    if ((long)count > point) {
        text_put(&to, ".");
        for (long i = point < (long)first ? point : base_max(point, (long)first); i < (long)count; i++) {
            text_put_char(&to, i < (long)first ? '0' : digits[i]);
        }
    }
    io_text(out, name, plain, (size_t)(to.at - plain));
}

void io_end(FILE *out)
{
    fputs("}\n", out);
}

/* ------------------------------------------------------------------ which product */

static bool has(const char *text, size_t bytes, const char *what)
{
    return memmem(text, bytes, what, strlen(what)) != NULL;
}

uint8_t io_product_guess(const char *text, size_t bytes)
{
    if (has(text, bytes, "\"st\":2") || has(text, bytes, "\"st\": 2") || has(text, bytes, "USD_PERP") ||
        has(text, bytes, "usd_perp") || has(text, bytes, "\"contractSize\"") ||
        has(text, bytes, "\"cumBase\"") || has(text, bytes, "delivery_autoclose")) {
        return PRODUCT_INVERSE;
    }
    /* dated coin-margined symbols: "BTCUSD_240329", not "BTCUSDT_240329" */
    for (const char *at = memmem(text, bytes, "USD_", 4); at != NULL;) {
        size_t left = (size_t)(text + bytes - at - 4);
        if (left > 0 && at[4] >= '0' && at[4] <= '9') {
            return PRODUCT_INVERSE;
        }
        at = memmem(at + 4, left, "USD_", 4);
    }
    static const char *const futures[] = {
        "\"pu\"",
        "\"ps\"",
        "ORDER_TRADE_UPDATE",
        "TRADE_LITE",
        "ACCOUNT_UPDATE",
        "ALGO_UPDATE",
        "markPrice",
        "forceOrder",
        "contractInfo",
        "positionSide",
        "\"contractType\"",
        "marginAsset",
        "crossWalletBalance",
        "makerCommissionRate",
        "listenKey",
        "MARGIN_CALL",
        "ACCOUNT_CONFIG_UPDATE",
        "marginType",
        "indexPrice",
        "fundingRate",
        "dualSidePosition",
        "multiAssets",
        "countdownTime",
        "\"X\":\"MARKET\"",
        "fapi",
        "fstream",
    };
    for (size_t i = 0; i < POISE_COUNT_OF(futures); i++) {
        if (has(text, bytes, futures[i])) {
            return PRODUCT_LINEAR;
        }
    }
    /* a time in a ticker or a snapshot, and trades without the key that only spot has */
    bool timed = has(text, bytes, "\"T\"");
    bool trade = has(text, bytes, "\"trade\"") || has(text, bytes, "\"aggTrade\"");
    if ((has(text, bytes, "\"bookTicker\"") && timed) || (has(text, bytes, "\"lastUpdateId\"") && timed) ||
        (trade && !has(text, bytes, "\"M\""))) {
        return PRODUCT_LINEAR;
    }
    return PRODUCT_SPOT;
}
