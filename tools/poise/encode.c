/* encode: intents to the exact bytes the engine would send, through the same encoders as the engine's. */
#include "ring/order_id.h"
#include "tools/poise/commands.h"
#include "tools/poise/venue_io.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: poise encode VENUE --key FILE --time NS [--nonce N] [--kind K] [--instruments FILE] < intents\n"
    "\n"
    "Reads one intent a line "
    "({\"do\":\"new\"|\"amend\"|\"cancel\"|\"cancel_all\"|\"query\"|\"login\"|\"dead_man\"|\"get\",..})\n"
    "and prints one JSON object with the bytes that would be sent, the text that was signed and the "
    "signature.\n"
    "After a \"login\" with a key that logs on, later orders carry no signature, as on a live session.\n"
    "\n"
    "example: poise encode binance --key test.toml --time 1700000000000000000 < intents.jsonl\n";

struct encode {
    struct io_options options;
    struct io_rows rows;
    struct instrument_table table; /* one row: the intent's */
    struct sign_key key;
    struct venue_hooks hooks;
    struct account account[PRODUCT_COUNT];
    struct venue_session *session[PRODUCT_COUNT]; /* made when first needed */
    struct venue_out out;
    char body[8192];
    char signed_text[4096];
    uint64_t line;
    uint64_t tie;
    bool failed;
    char last[INSTRUMENT_NAME_BYTES]; /* instrument of the intent before: what one without a name is about */
    uint8_t last_product;
};

static void fail(struct encode *encode, const char *why)
{
    printf("{\"line\":%lu,\"error\":", encode->line);
    io_quote(stdout, why, strlen(why));
    puts("}");
    encode->failed = true;
}

static const char *text_of(const json_t *intent, const char *name)
{
    return json_string_value(json_object_get(intent, name));
}

static uint8_t product_of(const struct encode *encode, const json_t *intent)
{
    const char *kind = text_of(intent, "kind"), *symbol = text_of(intent, "instrument");
    const struct venue *venue = encode->options.venue;
    if (symbol != NULL && venue->product_of != NULL) {
        const char *dot = strrchr(symbol, '.');
        symbol = dot != NULL ? dot + 1 : symbol;
        return venue->product_of(symbol, strlen(symbol));
    }
    for (uint8_t product = PRODUCT_SPOT; kind != NULL && product < PRODUCT_ALL; product++) {
        if (strcmp(kind, product_names[product]) == 0) {
            return product;
        }
    }
    if (encode->options.product != PRODUCT_NONE) {
        return encode->options.product;
    }
    if (symbol == NULL && encode->last_product != PRODUCT_NONE) {
        return encode->last_product;
    }
    if (account_venues[venue->id].one_login) {
        return PRODUCT_ALL;
    }
    return symbol != NULL && strstr(symbol, "USD_") != NULL ? PRODUCT_INVERSE : PRODUCT_LINEAR;
}

/* The engine's table holds one row: the intent's, from the metadata or with guessed units. */
static const struct instrument *row_of(struct encode *encode, const json_t *intent, uint8_t product,
                                       bool needed)
{
    const char *name = text_of(intent, "instrument");
    instrument_table_reset(&encode->table);
    if (name != NULL) {
        snprintf(encode->last, sizeof encode->last, "%s", name);
        encode->last_product = product;
    } else if (needed) {
        name = encode->last[0] != '\0' ? encode->last : encode->options.instrument;
    }
    if (name == NULL) {
        return NULL;
    }
    const char *dot = strrchr(name, '.');
    const char *symbol = dot != NULL ? dot + 1 : name;
    struct io_row *row =
        io_row_find(&encode->rows, encode->options.venue->id, product, symbol, strlen(symbol));
    if (row == NULL) {
        row = io_row_infer(&encode->rows, encode->options.venue->id, product, symbol, strlen(symbol), "", 0);
    }
    if (row == NULL) {
        return NULL;
    }
    struct instrument copy = row->row;
    if (row->settle[0] != '\0') {
        copy.settle = currency_find(&encode->table, row->settle, strlen(row->settle), true);
    }
    uint16_t index = instrument_add(&encode->table, &copy);
    return index != UINT16_MAX ? &encode->table.row[index] : NULL;
}

static struct venue_session *session_of(struct encode *encode, uint8_t product)
{
    product = account_venues[encode->options.venue->id].one_login ? PRODUCT_ALL : product;
    if (encode->session[product] == NULL) {
        const struct venue *venue = encode->options.venue;
        size_t bytes = (venue->order->session_bytes + 63) / 64 * 64;
        struct venue_session *session = aligned_alloc(64, bytes);
        uint16_t wanted = 0;
        if (session == NULL) {
            abort();
        }
        encode->account[product] =
            (struct account){ .name = "encode", .venue = venue->id, .product = product };
        venue->order->init(session, venue, &encode->table, &encode->account[product], &encode->key, &wanted,
                           1);
        session->hooks = &encode->hooks;
        encode->session[product] = session;
        /* the connections are up, as far as this session knows */
        struct venue_out *out = &encode->out;
        for (int i = 0;
             i < SESSION_SLOT_COUNT && venue->order->step(session, 1, encode->options.time_ns, true, out) &&
             out->act == ACT_OPEN;
             i++) {
        }
    }
    return encode->session[product];
}

/* ------------------------------------------------------------------ printing */

static void print_headers(const struct venue_out *out)
{
    const char *at = out->header, *end = out->header + out->header_bytes;
    printf(",\"headers\":{");
    for (bool first = true; at < end; first = false) {
        const char *line_end = memmem(at, (size_t)(end - at), "\r\n", 2);
        const char *colon = memchr(at, ':', (size_t)(end - at));
        if (line_end == NULL || colon == NULL || colon > line_end) {
            break;
        }
        fputs(first ? "" : ",", stdout);
        io_quote(stdout, at, (size_t)(colon - at));
        fputc(':', stdout);
        colon += 1 + (colon[1] == ' ');
        io_quote(stdout, colon, (size_t)(line_end - colon));
        at = line_end + 2;
    }
    putchar('}');
}

static void print_signature(const char *text, size_t bytes, const struct sign_key *key)
{
    char signature[SIGN_BASE64_BYTES];
    io_text(stdout, "signed_text", text, bytes);
    io_text(stdout, "signature", signature, sign_text(key, text, bytes, signature));
}

static void print_send(struct encode *encode, const struct venue_endpoint *endpoint)
{
    struct venue_out *out = &encode->out;
    printf("{\"line\":%lu,\"transport\":\"ws\"", encode->line);
    io_word(stdout, "host", endpoint->host);
    io_word(stdout, "path", endpoint->path);
    io_text(stdout, "frame", out->body, out->body_bytes);
    if (encode->hooks.signed_bytes > 0) {
        print_signature(encode->signed_text, encode->hooks.signed_bytes, &encode->key);
    }
    io_unsigned(stdout, "weight", out->weight);
    io_unsigned(stdout, "orders", out->orders);
    puts("}");
}

static void print_request(struct encode *encode)
{
    struct venue_out *out = &encode->out;
    const char *mark = memchr(out->path, '?', out->path_bytes);
    size_t path_bytes = mark != NULL ? (size_t)(mark - out->path) : out->path_bytes;
    const char *query = mark != NULL ? mark + 1 : out->path + out->path_bytes;
    size_t query_bytes = (size_t)(out->path + out->path_bytes - query);
    printf("{\"line\":%lu,\"transport\":\"http\"", encode->line);
    io_word(stdout, "host", out->endpoint.host);
    io_word(stdout, "method", out->method);
    io_text(stdout, "path", out->path, path_bytes);
    io_text(stdout, "query", query, query_bytes);
    print_headers(out);
    io_text(stdout, "body", out->body, out->body_bytes);
    const char *tail = memmem(query, query_bytes, "&signature=", 11);
    if (tail != NULL && encode->hooks.signed_bytes == 0) {
        print_signature(query, (size_t)(tail - query), &encode->key);
    } else if (encode->hooks.signed_bytes > 0) {
        print_signature(encode->signed_text, encode->hooks.signed_bytes, &encode->key);
    }
    io_unsigned(stdout, "weight", out->weight);
    puts("}");
}

/* Where the order connection of a product goes: a session asks for it first. */
static struct venue_endpoint order_endpoint(struct encode *encode, uint8_t product)
{
    static struct venue_out out;
    static char body[4096];
    struct venue_endpoint none = { 0 };
    const struct venue *venue = encode->options.venue;
    struct venue_session *session = aligned_alloc(64, (venue->order->session_bytes + 63) / 64 * 64);
    uint16_t wanted = 0;
    out.body = body;
    out.body_capacity = sizeof body;
    if (session == NULL) {
        abort();
    }
    venue->order->init(session, venue, &encode->table, &encode->account[product], &encode->key, &wanted, 0);
    bool opens = venue->order->step(session, 1, 0, true, &out) && out.act == ACT_OPEN;
    free(session);
    return opens ? out.endpoint : none;
}

static void print_out(struct encode *encode, uint8_t product)
{
    if (encode->out.act == ACT_REQUEST) {
        print_request(encode);
        return;
    }
    struct venue_endpoint endpoint = order_endpoint(encode, product);
    print_send(encode, &endpoint);
}

/* ------------------------------------------------------------------ intents */

static bool decimal_of(const json_t *intent, const char *name, int decimals, int64_t *out)
{
    const char *text = text_of(intent, name);
    return text == NULL || decimal_parse(text, strlen(text), decimals, out) == DECIMAL_OK;
}

static void do_order(struct encode *encode, const json_t *intent, const char *what, uint8_t product)
{
    struct slot record[2] = { 0 };
    const struct instrument *row = row_of(encode, intent, product, true);
    enum record_type type = strcmp(what, "new") == 0          ? RECORD_ORDER_NEW
                            : strcmp(what, "amend") == 0      ? RECORD_ORDER_AMEND
                            : strcmp(what, "cancel") == 0     ? RECORD_ORDER_CANCEL
                            : strcmp(what, "cancel_all") == 0 ? RECORD_CANCEL_ALL
                                                              : RECORD_ORDER_QUERY;
    const char *client = text_of(intent, "client_id"), *side = text_of(intent, "side"),
               *tif = text_of(intent, "tif");
    const char *kind = text_of(intent, "order_type");
    if (row == NULL) {
        fail(encode, "an instrument is needed");
        return;
    }
    const char *venue_id = text_of(intent, "order_id");
    bool by_venue_id =
        venue_id != NULL && type != RECORD_ORDER_NEW && encode->options.venue->product_of != NULL;
    if (type != RECORD_CANCEL_ALL && client == NULL && !by_venue_id) {
        fail(encode, "a client_id is needed");
        return;
    }
    struct record_order *order = (struct record_order *)(void *)record_begin(record, type, 2, 0);
    order->head.instrument = row->index;
    order->tie = encode->tie++;
    order->order = client != NULL ? order_id_parse(client, strlen(client)) : 0;
    if (!decimal_of(intent, "price", row->price_decimals, &order->price) ||
        !decimal_of(intent, "qty", row->qty_decimals, &order->qty)) {
        fail(encode, "price or qty is no number, or finer than the instrument's unit");
        return;
    }
    if (type == RECORD_ORDER_NEW && (side == NULL || order->qty <= 0)) {
        fail(encode, "a new order needs side and qty");
        return;
    }
    order->side = side != NULL && strcmp(side, "sell") == 0 ? SIDE_SELL : SIDE_BUY;
    order->tif = tif != NULL && strcmp(tif, "ioc") == 0   ? TIF_IOC
                 : tif != NULL && strcmp(tif, "fok") == 0 ? TIF_FOK
                                                          : TIF_GTC;
    order->flags |= json_is_true(json_object_get(intent, "post_only")) ? ORDER_FLAG_POST_ONLY : 0;
    order->flags |= json_is_true(json_object_get(intent, "reduce_only")) ? ORDER_FLAG_REDUCE_ONLY : 0;
    order->flags |= kind != NULL && strcmp(kind, "market") == 0 ? ORDER_FLAG_MARKET : 0;
    if (type == RECORD_ORDER_NEW && order->price <= 0 && (order->flags & ORDER_FLAG_MARKET) == 0) {
        fail(encode, "a limit order needs a price");
        return;
    }
    struct venue_session *session = session_of(encode, product);
    encode->hooks.client_id = client;
    encode->hooks.client_id_bytes = client != NULL ? (uint32_t)strlen(client) : 0;
    encode->hooks.venue_id = venue_id;
    encode->hooks.venue_id_bytes = venue_id != NULL ? (uint32_t)strlen(venue_id) : 0;
    encode->hooks.signed_bytes = 0;
    encode->out.body_bytes = 0;
    if (!encode->options.venue->order->encode(session, order, encode->options.time_ns, &encode->out)) {
        fail(encode, "this venue cannot say that");
        return;
    }
    print_out(encode, product);
}

/* The first thing a session says once it is connected. */
static void do_login(struct encode *encode, uint8_t product)
{
    const struct venue_order *order = encode->options.venue->order;
    struct venue_session *session = session_of(encode, product);
    encode->hooks.signed_bytes = 0;
    order->event(session, SESSION_SLOT_ORDER, SESSION_LOST, 1); /* of the log-in before, if there was one */
    order->event(session, SESSION_SLOT_ORDER, SESSION_UP, 1);
    order->event(session, SESSION_SLOT_REST, SESSION_UP, 1);
    if (!order->step(session, 1, encode->options.time_ns, true, &encode->out) ||
        (encode->out.act != ACT_SEND && encode->out.act != ACT_REQUEST)) {
        fail(encode, "this session needs no log-in");
        return;
    }
    bool sent = encode->out.act == ACT_SEND;
    uint64_t tie = encode->out.tie;
    print_out(encode, product);
    if (sent && encode->key.type == SIGN_ED25519) {
        /* as if the venue had agreed */
        static struct venue_out ignored;
        static char body[1024];
        char reply[128];
        ignored.body = body;
        ignored.body_capacity = sizeof body;
        const struct venue_sink none = { 0 };
        int bytes = snprintf(reply, sizeof reply,
                             "{\"id\":\"s%016lx\",\"status\":200,\"result\":{\"apiKey\":\"k\"}}", tie);
        order->message(session, SESSION_SLOT_ORDER, reply, (size_t)bytes, 1, encode->options.time_ns, &none,
                       &ignored);
    }
}

static void do_rest(struct encode *encode, const json_t *intent, enum rest_what what, uint8_t product)
{
    struct rest_query query = { .what = (uint8_t)what, .product = product };
    const char *client = text_of(intent, "client_id");
    bool needed = what == REST_DEAD_MAN || what == REST_FILLS || what == REST_ORDER || what == REST_FEES ||
                  what == REST_DEPTH;
    query.instrument = row_of(encode, intent, product, needed);
    query.since_ns = json_integer_value(json_object_get(intent, "since_ns"));
    query.from_id = (uint64_t)json_integer_value(json_object_get(intent, "from_id"));
    query.timeout_ms = json_integer_value(json_object_get(intent, "timeout_ms"));
    query.page = (uint16_t)json_integer_value(json_object_get(intent, "page"));
    query.order = client != NULL ? order_id_parse(client, strlen(client)) : 0;
    encode->out.body_bytes = 0;
    encode->hooks.signed_bytes = 0;
    if (!encode->options.venue->rest->request(&encode->key, &encode->table, &query, encode->options.time_ns,
                                              &encode->out)) {
        fail(encode, query.instrument == NULL ? "this venue has no such question, or it needs an instrument"
                                              : "this venue has no such question");
        return;
    }
    print_out(encode, product);
}

static void do_get(struct encode *encode, const json_t *intent, uint8_t product)
{
    static const struct {
        const char *name;
        enum rest_what what;
    } questions[] = {
        { "time", REST_TIME },
        { "instruments", REST_INSTRUMENTS },
        { "account_mode", REST_ACCOUNT_MODE },
        { "open_orders", REST_OPEN_ORDERS },
        { "positions", REST_POSITIONS },
        { "balances", REST_BALANCES },
        { "fills", REST_FILLS },
        { "order", REST_ORDER },
        { "fees", REST_FEES },
        { "mark", REST_MARK },
        { "funding", REST_PAYMENTS },
        { "depth", REST_DEPTH },
        { "key_rights", REST_KEY_RIGHTS },
    };
    const char *what = text_of(intent, "what");
    for (size_t i = 0; what != NULL && i < POISE_COUNT_OF(questions); i++) {
        if (strcmp(questions[i].name, what) == 0) {
            do_rest(encode, intent, questions[i].what, product);
            return;
        }
    }
    fail(
        encode,
        "\"what\" is one of time, instruments, account_mode, open_orders, positions, balances, fills, order, "
        "fees, mark, funding, depth, key_rights");
}

static void encode_line(struct encode *encode, const char *line, size_t bytes)
{
    json_error_t error;
    json_t *intent = json_loadb(line, bytes, 0, &error);
    const char *what = intent != NULL ? text_of(intent, "do") : NULL;
    if (what == NULL) {
        fail(encode, intent == NULL ? error.text : "\"do\" is missing");
        json_decref(intent);
        return;
    }
    uint8_t product = product_of(encode, intent);
    if (product != PRODUCT_ALL && (encode->options.venue->products & (1 << product)) == 0) {
        fail(encode, "this venue has no such product");
    } else if (strcmp(what, "new") == 0 || strcmp(what, "amend") == 0 || strcmp(what, "cancel") == 0 ||
               strcmp(what, "cancel_all") == 0 || strcmp(what, "query") == 0) {
        do_order(encode, intent, what, product);
    } else if (strcmp(what, "login") == 0) {
        do_login(encode, product);
    } else if (strcmp(what, "dead_man") == 0) {
        do_rest(encode, intent, REST_DEAD_MAN, product);
    } else if (strcmp(what, "get") == 0) {
        do_get(encode, intent, product);
    } else {
        fail(encode, "\"do\" is one of new, amend, cancel, cancel_all, query, login, dead_man, get");
    }
    json_decref(intent);
}

int encode_main(int argc, char **argv)
{
    static struct encode encode;
    bool help;
    if (!io_options_read(&encode.options, argc, argv, usage, &help)) {
        return EXIT_USAGE;
    }
    if (help) {
        return EXIT_DONE;
    }
    if (encode.options.key_file == NULL || !encode.options.has_time) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }
    if (!io_key_read(encode.options.key_file, &encode.key)) {
        return EXIT_USAGE;
    }
    for (uint32_t i = 0; i < encode.options.instrument_file_count; i++) {
        if (!io_rows_load(&encode.rows, &encode.options, encode.options.instrument_files[i])) {
            return EXIT_USAGE;
        }
    }
    instrument_table_reset(&encode.table);
    encode.tie = encode.options.nonce;
    encode.hooks.nonce = encode.options.nonce;
    encode.hooks.has_nonce = encode.options.has_nonce;
    encode.out.body = encode.body;
    encode.out.body_capacity = sizeof encode.body;
    encode.hooks.signed_text = encode.signed_text;
    encode.out.hooks = &encode.hooks;
    encode.hooks.signed_capacity = sizeof encode.signed_text;
    for (uint8_t product = 0; product < PRODUCT_COUNT; product++) {
        encode.account[product] =
            (struct account){ .name = "encode", .venue = encode.options.venue->id, .product = product };
    }

    char *line = NULL;
    size_t room = 0;
    ssize_t got;
    while ((got = getline(&line, &room, stdin)) >= 0) {
        encode.line++;
        if (strspn(line, " \t\r\n") != (size_t)got) {
            encode_line(&encode, line, (size_t)got);
        }
    }
    free(line);
    sign_wipe(&encode.key);
    return encode.failed ? EXIT_NO : EXIT_DONE;
}
