#include "cold/rest.h"
#include "ring/account.h"
#include "ring/clock.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_MS     5000L
#define ANSWER_MS      15000L
#define BODY_BYTES_MAX (64u << 20)

/* How long a venue is left alone that does not say how long: the window of its limits is a minute, bans begin
 * at two; for anything else a moment.  What it says is believed up to a week. */
#define HOLD_429_MS     60000
#define LOOK_NS         NS_PER_S
#define MINUTE_SLACK_MS 500 /* behind the venue's full minute, when its count begins anew */
#define HOLD_418_MS     120000
#define HOLD_LATER_MS   2000
#define HOLD_MAX_MS     (7LL * 24 * 3600 * 1000)

enum call_state { CALL_FREE = 0, CALL_WAITING, CALL_RUNNING };

struct call {
    uint8_t state; /* enum call_state */
    uint64_t id;   /* slot in the low bits: a late arrival of a finished call finds nobody */
    struct rest_question question;
    rest_done done;
    void *context;
    struct rest_answer answer;
    struct slots records;
    uint32_t pages;
    int64_t asked_wall_ns;
};

struct rest {
    struct rest_transport transport;
    struct rest_clock clock;
    const struct instrument_table *instruments;
    struct {
        bool known, asking;
        int64_t offset_ns; /* of its clock and ours when it was measured .. */
        int64_t wall_ns;   /* .. at this time on ours .. */
        uint64_t at_ns;    /* .. and this on the steady one */
    } time[VENUE_COUNT];
    bool trading;                  /* orders share the limits */
    uint64_t hold_ns[VENUE_COUNT]; /* the venue said no: nothing is asked before */
    struct used {
        int64_t count;                /* what the venue counted .. */
        uint64_t until_ns;            /* .. in a minute that ends then, on the steady clock */
        uint64_t looked_ns;           /* when it was looked at for its own sake */
        struct rest_question by_time; /* who tells it */
    } used[VENUE_COUNT];
    struct credit_bucket bucket[VENUE_COUNT][CREDIT_COUNT], weight[VENUE_COUNT];
    uint64_t next_id, answers;
    struct call call[REST_CALLS_MAX];
    struct venue_out out; /* scratch: large */
    char body[16384];

    /* rest_wait's */
    struct rest_reply waited;
    struct slots waited_records;
    bool waited_done;
};

struct rest *rest_create(const struct rest_transport *transport, const struct rest_clock *clock,
                         const struct instrument_table *instruments)
{
    struct rest *rest = calloc(1, sizeof *rest);
    POISE_ASSERT(rest != NULL);
    rest->transport = *transport;
    rest->clock = *clock;
    rest->instruments = instruments;
    rest->next_id = 1;
    for (uint32_t venue = 0; venue < VENUE_COUNT; venue++) {
        for (uint32_t i = 0; i < CREDIT_COUNT; i++) {
            credit_begin(&rest->bucket[venue][i], account_venues[venue].credit[i]);
            credit_fill(&rest->bucket[venue][i], clock->now_ns(clock->context));
        }
        /* Full: a start must not wait, and one start too many is told to. */
        credit_begin(&rest->weight[venue], account_venues[venue].weight);
        rest->weight[venue].level_e9 = rest->weight[venue].limit.burst * 1000000000LL;
    }
    return rest;
}

void rest_destroy(struct rest *rest)
{
    if (rest == NULL) {
        return;
    }
    for (uint32_t i = 0; i < REST_CALLS_MAX; i++) {
        slots_free(&rest->call[i].records);
    }
    slots_free(&rest->waited_records);
    free(rest);
}

void rest_trading(struct rest *rest)
{
    rest->trading = true;
}

void rest_offset(struct rest *rest, uint8_t venue, int64_t offset_ns)
{
    POISE_ASSERT(venue < VENUE_COUNT);
    rest->time[venue].known = true;
    rest->time[venue].offset_ns = offset_ns;
    rest->time[venue].wall_ns = rest->clock.wall_ns(rest->clock.context);
    rest->time[venue].at_ns = rest->clock.now_ns(rest->clock.context);
}

int64_t rest_offset_ns(const struct rest *rest, uint8_t venue)
{
    POISE_ASSERT(venue < VENUE_COUNT);
    return rest->time[venue].offset_ns;
}

int64_t rest_clock_ns(const struct rest *rest, uint8_t venue)
{
    POISE_ASSERT(venue < VENUE_COUNT);
    return !rest->time[venue].known
               ? 0
               : rest->time[venue].wall_ns + rest->time[venue].offset_ns - (int64_t)rest->time[venue].at_ns;
}

/* What the venue's clock shows now. */
static int64_t venue_now_ns(const struct rest *rest, uint8_t venue)
{
    return !rest->time[venue].known
               ? rest->clock.wall_ns(rest->clock.context)
               : rest->time[venue].wall_ns + rest->time[venue].offset_ns +
                     (int64_t)(rest->clock.now_ns(rest->clock.context) - rest->time[venue].at_ns);
}

void rest_lower(struct rest *rest, uint8_t venue, const struct credit_limit told[CREDIT_COUNT])
{
    POISE_ASSERT(venue < VENUE_COUNT);
    for (uint32_t i = 0; i < CREDIT_COUNT; i++) {
        struct credit_bucket *bucket = &rest->bucket[venue][i], before = *bucket;
        struct credit_limit limit = account_venues[venue].credit[i];
        credit_lower(&limit, told[i]);
        credit_begin(bucket, limit);
        bucket->level_e9 = base_min(before.level_e9, bucket->limit.burst * 1000000000LL);
        bucket->at_ns = before.at_ns;
    }
}

/* When the minute ends in which the venue counted so much; 0: it did not. */
static uint64_t spent_until_ns(const struct rest *rest, uint8_t venue, int32_t most)
{
    const struct used *used = &rest->used[venue];
    bool spent = most != 0 && used->count >= most && rest->clock.now_ns(rest->clock.context) < used->until_ns;
    return spent ? used->until_ns : 0;
}

static uint64_t later_of(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

uint64_t rest_held(const struct rest *rest, uint8_t venue)
{
    POISE_ASSERT(venue < VENUE_COUNT);
    const struct account_venue *limits = &account_venues[venue];
    uint64_t hold_ns = rest->hold_ns[venue];
    return later_of(rest->clock.now_ns(rest->clock.context) < hold_ns ? hold_ns : 0,
                    spent_until_ns(rest, venue, rest->trading ? limits->used_most : limits->used_start));
}

bool rest_reserved(const struct rest *rest, uint8_t venue)
{
    POISE_ASSERT(venue < VENUE_COUNT);
    return spent_until_ns(rest, venue, account_venues[venue].used_start) != 0;
}

uint64_t rest_answers(const struct rest *rest)
{
    return rest->answers;
}

uint32_t rest_running(const struct rest *rest)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < REST_CALLS_MAX; i++) {
        count += rest->call[i].state != CALL_FREE;
    }
    return count;
}

int64_t rest_venue_wall_ns(const struct rest *rest, uint8_t venue, int64_t wall_ns)
{
    return venue_now_ns(rest, venue) + (wall_ns - rest->clock.wall_ns(rest->clock.context));
}

/* ------------------------------------------------------------------ asking */

static bool fill_request(struct rest *rest, const struct rest_question *question)
{
    struct venue_out *out = &rest->out;
    out->act = ACT_NONE;
    out->path_bytes = out->header_bytes = out->body_bytes = 0;
    out->body = rest->body;
    out->body_capacity = sizeof rest->body;
    out->method = NULL;
    out->credit = CREDIT_NONE;
    out->weight = 0;
    int64_t wall_ns = venue_now_ns(rest, question->venue->id);
    return question->venue->rest->request(question->key, rest->instruments, &question->query, wall_ns, out) &&
           out->act == ACT_REQUEST;
}

bool rest_knows(struct rest *rest, const struct rest_question *question)
{
    return fill_request(rest, question);
}

bool rest_ask(struct rest *rest, const struct rest_question *question, rest_done done, void *context)
{
    if (!fill_request(rest, question)) {
        return false;
    }
    for (uint32_t i = 0; i < REST_CALLS_MAX; i++) {
        struct call *call = &rest->call[i];
        if (call->state != CALL_FREE) {
            continue;
        }
        memset(call, 0, sizeof *call);
        call->state = CALL_WAITING;
        call->question = *question;
        call->done = done;
        call->context = context;
        return true;
    }
    return false;
}

static void finish(struct rest *rest, struct call *call, enum rest_result result, int status,
                   const char *error)
{
    struct rest_reply reply = { .result = result,
                                .venue = call->question.venue->id,
                                .status = status,
                                .answer = call->answer,
                                .records = &call->records,
                                .asked_wall_ns = call->asked_wall_ns,
                                .answered_wall_ns = rest->clock.wall_ns(rest->clock.context) };
    snprintf(reply.error, sizeof reply.error, "%s", error);
    /* Free before the call: whoever is told may ask the next question. */
    rest_done done = call->done;
    void *context = call->context;
    struct slots records = call->records;
    call->records = (struct slots){ 0 };
    call->state = CALL_FREE;
    reply.records = &records;
    done(context, &reply);
    slots_free(&records);
}

static void time_told(void *context, const struct rest_reply *reply);

static void start_waiting(struct rest *rest)
{
    uint64_t now_ns = rest->clock.now_ns(rest->clock.context);
    for (uint32_t i = 0; i < REST_CALLS_MAX; i++) {
        struct call *call = &rest->call[i];
        const struct venue *venue = call->question.venue;
        if (call->state != CALL_WAITING) {
            continue;
        }
        /* the time may be asked for while a minute is nearly used up: its answer tells how much is left */
        bool looks = call->done == time_told;
        uint64_t held_ns = looks ? rest->hold_ns[venue->id] : rest_held(rest, venue->id);
        if (now_ns < held_ns) {
            char error[REST_ERROR_BYTES];
            snprintf(error, sizeof error, "%s wants to be left alone for %llu s more", venue->name,
                     (unsigned long long)((held_ns - now_ns + NS_PER_S - 1) / NS_PER_S));
            finish(rest, call, REST_LATER, 0, error);
            continue;
        }
        if (!fill_request(rest, &call->question)) {
            finish(rest, call, REST_UNKNOWN, 0, "the venue has no such page");
            continue;
        }
        struct credit_bucket *bucket = &rest->bucket[venue->id][rest->out.credit],
                             *weight = &rest->weight[venue->id];
        if (!credit_has(bucket, now_ns, 1, 0) || !credit_has(weight, now_ns, rest->out.weight, 0)) {
            continue; /* one too many would cost the gateway its session, or its cancels */
        }
        credit_charge(bucket, now_ns, 1);
        credit_charge(weight, now_ns, rest->out.weight);
        if (call->asked_wall_ns == 0) {
            call->asked_wall_ns = rest->clock.wall_ns(rest->clock.context);
        }
        call->id = rest->next_id++ * REST_CALLS_MAX + i;
        call->state = CALL_RUNNING;
        if (!rest->transport.start(rest->transport.context, call->id, venue->id, &rest->out)) {
            finish(rest, call, REST_UNKNOWN, 0, "the request could not be sent");
        }
    }
}

/* ------------------------------------------------------------------ answers */

static void keep(void *context, const struct slot *record)
{
    slots_add(context, record);
}

static void hold(struct rest *rest, uint8_t venue, enum rest_result result, const struct rest_body *body,
                 const struct rest_answer *answer)
{
    int64_t wait_ms = base_max(body->retry_after_ms, answer->retry_after_ms);
    if (answer->retry_at_ns != 0) {
        wait_ms = base_max(wait_ms, (answer->retry_at_ns - venue_now_ns(rest, venue)) / 1000000 + 1);
    }
    if (wait_ms <= 0) {
        wait_ms = body->status == 418    ? HOLD_418_MS
                  : body->status == 429  ? HOLD_429_MS
                  : result == REST_LATER ? HOLD_LATER_MS
                                         : 0;
    }
    uint64_t until_ns =
        rest->clock.now_ns(rest->clock.context) + (uint64_t)base_min(wait_ms, HOLD_MAX_MS) * NS_PER_MS;
    if (wait_ms > 0 && until_ns > rest->hold_ns[venue]) {
        rest->hold_ns[venue] = until_ns;
    }
}

/* What the venue counted, whoever used it. */
static void note_used(struct rest *rest, const struct rest_question *question, int64_t count)
{
    uint8_t venue = question->venue->id;
    struct used *used = &rest->used[venue];
    int64_t left_ms = 60000 - venue_now_ns(rest, venue) / 1000000 % 60000 + MINUTE_SLACK_MS;
    if (account_venues[venue].used_header == NULL || count <= 0) {
        return;
    }
    used->count = count;
    used->until_ns = rest->clock.now_ns(rest->clock.context) + (uint64_t)left_ms * NS_PER_MS;
    used->by_time =
        (struct rest_question){ .venue = question->venue,
                                .account = NO_ACCOUNT,
                                .query = { .what = REST_TIME, .product = question->query.product } };
}

static const char *result_words(enum rest_result result)
{
    return result == REST_REFUSED  ? "refused"
           : result == REST_BROKEN ? "not understood"
           : result == REST_LATER  ? "not now"
                                   : "outcome unknown";
}

static void time_told(void *context, const struct rest_reply *reply)
{
    struct rest *rest = context;
    rest->time[reply->venue].asking = false;
    if (reply->result == REST_OK) {
        /* half the way is the way back; on our clock as it stands, whatever was done to it meanwhile */
        int64_t way_ns = base_max(reply->answered_wall_ns - reply->asked_wall_ns, 0) / 2;
        rest_offset(rest, reply->venue,
                    reply->answer.server_time_ns + way_ns - rest->clock.wall_ns(rest->clock.context));
    }
}

/* The venue does not take our time: it is asked for its own. */
void rest_ask_time(struct rest *rest, const struct venue *venue, uint8_t product)
{
    struct rest_question question = { .venue = venue,
                                      .account = NO_ACCOUNT,
                                      .query = { .what = REST_TIME, .product = product } };
    if (!rest->time[venue->id].asking && rest_ask(rest, &question, time_told, rest)) {
        rest->time[venue->id].asking = true;
    }
}

/* While little is left of a minute and questions wait, orders use up the rest of it: how far they are. */
static void look_at_used(struct rest *rest)
{
    uint64_t now_ns = rest->clock.now_ns(rest->clock.context);
    for (uint8_t venue = 0; venue < VENUE_COUNT && rest->trading; venue++) {
        struct used *used = &rest->used[venue];
        if (spent_until_ns(rest, venue, account_venues[venue].used_most) == 0 || rest_reserved(rest, venue) ||
            now_ns - used->looked_ns < LOOK_NS || rest->time[venue].asking) {
            continue;
        }
        used->looked_ns = now_ns;
        rest->time[venue].asking = rest_ask(rest, &used->by_time, time_told, rest);
    }
}

static void arrived(void *context, uint64_t id, const struct rest_body *body)
{
    struct rest *rest = context;
    struct call *call = &rest->call[id % REST_CALLS_MAX];
    if (call->state != CALL_RUNNING || call->id != id) {
        return;
    }
    struct rest_question *question = &call->question;
    struct rest_answer *answer = &call->answer;
    rest->answers++;
    if (body->status == 0) {
        finish(rest, call, REST_UNKNOWN, 0, body->error != NULL ? body->error : "no answer");
        return;
    }
    answer->instruments = rest->instruments;
    answer->account = question->account;
    answer->sink = (struct venue_sink){ .emit = keep, .context = &call->records };
    answer->instrument = question->instrument;
    answer->instrument_context = question->instrument_context;
    enum rest_result result =
        question->venue->rest->parse(&question->query, body->status, body->bytes, body->count, answer);
    note_used(rest, question, body->used_weight);
    hold(rest, question->venue->id, result, body, answer);
    if (result == REST_REFUSED && answer->time_refused) {
        rest_ask_time(rest, question->venue, question->query.product);
    }
    if (result != REST_OK) {
        char error[REST_ERROR_BYTES];
        snprintf(error, sizeof error, "%s: HTTP %d, code %d %s", result_words(result), body->status,
                 answer->code, answer->text);
        finish(rest, call, result, body->status, error);
        return;
    }
    if (!answer->more || question->one_page) {
        finish(rest, call, REST_OK, body->status, "");
        return;
    }
    if (++call->pages >= REST_PAGES_MAX) {
        finish(rest, call, REST_UNKNOWN, body->status, "more pages than anyone would read");
        return;
    }
    if (answer->next_from_id != 0) {
        if (answer->next_from_id == question->query.from_id) {
            finish(rest, call, REST_BROKEN, body->status, "the pages do not go on");
            return;
        }
        question->query.from_id = answer->next_from_id;
        question->query.page = 0;
    } else {
        question->query.page++;
    }
    call->state = CALL_WAITING;
}

void rest_poll(struct rest *rest, int timeout_ms)
{
    look_at_used(rest);
    start_waiting(rest);
    rest->transport.poll(rest->transport.context, timeout_ms, arrived, rest);
    start_waiting(rest);
}

void rest_drop(struct rest *rest, const void *context)
{
    for (uint32_t i = 0; i < REST_CALLS_MAX; i++) {
        if (rest->call[i].state != CALL_FREE && rest->call[i].context == context) {
            rest->call[i].state = CALL_FREE;
            slots_free(&rest->call[i].records);
        }
    }
}

static void waited(void *context, const struct rest_reply *reply)
{
    struct rest *rest = (struct rest *)((char *)context - offsetof(struct rest, waited));
    rest->waited = *reply;
    slots_empty(&rest->waited_records);
    uint32_t at = 0;
    for (const struct slot *record; (record = slots_next(reply->records, &at)) != NULL;) {
        slots_add(&rest->waited_records, record);
    }
    rest->waited.records = &rest->waited_records;
    rest->waited_done = true;
}

const struct rest_reply *rest_wait(struct rest *rest, const struct rest_question *question, uint64_t wait_ns)
{
    uint64_t until_ns = rest->clock.now_ns(rest->clock.context) + wait_ns;
    memset(&rest->waited, 0, sizeof rest->waited);
    slots_empty(&rest->waited_records);
    rest->waited.records = &rest->waited_records;
    rest->waited_done = false;
    if (!rest_ask(rest, question, waited, &rest->waited)) {
        rest->waited.result = REST_UNKNOWN;
        snprintf(rest->waited.error, sizeof rest->waited.error, "the venue has no such question");
        return &rest->waited;
    }
    while (!rest->waited_done && rest->clock.now_ns(rest->clock.context) < until_ns) {
        rest_poll(rest, 50);
    }
    if (!rest->waited_done) {
        rest_drop(rest, &rest->waited);
        rest->waited.result = REST_UNKNOWN;
        snprintf(rest->waited.error, sizeof rest->waited.error, "no answer in time");
    }
    return &rest->waited;
}

/* ------------------------------------------------------------------ libcurl */

struct transfer {
    CURL *easy; /* NULL free */
    uint64_t call;
    uint8_t venue;
    struct curl_slist *headers;
    char *body;
    size_t count, capacity;
    bool overflow;
    char *sent; /* request body */
};

struct route {
    struct curl_slist *connect_to;
    char *ca_file;
};

struct rest_curl {
    CURLM *multi;
    struct route route[VENUE_COUNT];
    struct transfer transfer[REST_CALLS_MAX];
};

struct rest_curl *rest_curl_create(const struct rest_route *routes, uint32_t count)
{
    struct rest_curl *curl = calloc(1, sizeof *curl);
    POISE_ASSERT(curl != NULL);
    curl_global_init(CURL_GLOBAL_DEFAULT);
    curl->multi = curl_multi_init();
    POISE_ASSERT(curl->multi != NULL);
    for (uint32_t i = 0; i < count; i++) {
        struct route *route = &curl->route[routes[i].venue];
        if (routes[i].connect_to != NULL && routes[i].connect_to[0] != '\0') {
            char text[128];
            snprintf(text, sizeof text, "::%s", routes[i].connect_to); /* any host, any port */
            route->connect_to = curl_slist_append(NULL, text);
        }
        if (routes[i].ca_file != NULL && routes[i].ca_file[0] != '\0') {
            route->ca_file = strdup(routes[i].ca_file);
        }
    }
    return curl;
}

static void transfer_end(struct rest_curl *curl, struct transfer *transfer)
{
    if (transfer->easy != NULL) {
        curl_multi_remove_handle(curl->multi, transfer->easy);
        curl_easy_cleanup(transfer->easy);
    }
    curl_slist_free_all(transfer->headers);
    free(transfer->body);
    free(transfer->sent);
    memset(transfer, 0, sizeof *transfer);
}

void rest_curl_destroy(struct rest_curl *curl)
{
    if (curl == NULL) {
        return;
    }
    for (uint32_t i = 0; i < REST_CALLS_MAX; i++) {
        transfer_end(curl, &curl->transfer[i]);
    }
    for (uint32_t i = 0; i < VENUE_COUNT; i++) {
        curl_slist_free_all(curl->route[i].connect_to);
        free(curl->route[i].ca_file);
    }
    curl_multi_cleanup(curl->multi);
    free(curl);
}

static size_t take_body(char *bytes, size_t size, size_t count, void *context)
{
    struct transfer *transfer = context;
    size_t more = size * count;
    if (transfer->count + more > BODY_BYTES_MAX) {
        transfer->overflow = true;
        return 0;
    }
    if (transfer->count + more > transfer->capacity) {
        size_t capacity = (transfer->count + more) * 2 + 4096;
        char *memory = realloc(transfer->body, capacity);
        if (memory == NULL) {
            return 0;
        }
        transfer->body = memory;
        transfer->capacity = capacity;
    }
    memcpy(transfer->body + transfer->count, bytes, more);
    transfer->count += more;
    return more;
}

/* "Name: value\r\n" lines to a list. */
static struct curl_slist *header_list(const struct venue_out *out)
{
    struct curl_slist *list = NULL;
    const char *at = out->header, *end = out->header + out->header_bytes;
    while (at < end) {
        const char *line_end = memchr(at, '\r', (size_t)(end - at));
        size_t bytes = line_end != NULL ? (size_t)(line_end - at) : (size_t)(end - at);
        char line[VENUE_HEADER_BYTES + 1];
        if (bytes > 0 && bytes < sizeof line) {
            memcpy(line, at, bytes);
            line[bytes] = '\0';
            list = curl_slist_append(list, line);
        }
        at += bytes + 2;
    }
    return curl_slist_append(list, "Expect:");
}

static bool curl_start(void *context, uint64_t call, uint8_t venue, const struct venue_out *out)
{
    struct rest_curl *curl = context;
    struct transfer *transfer = NULL;
    for (uint32_t i = 0; i < REST_CALLS_MAX && transfer == NULL; i++) {
        transfer = curl->transfer[i].easy == NULL ? &curl->transfer[i] : NULL;
    }
    if (transfer == NULL || (transfer->easy = curl_easy_init()) == NULL) {
        return false;
    }
    char url[VENUE_HOST_BYTES + sizeof out->path + 32];
    snprintf(url, sizeof url, "https://%s:%u%.*s", out->endpoint.host,
             out->endpoint.port != 0 ? out->endpoint.port : 443, (int)out->path_bytes, out->path);
    CURL *easy = transfer->easy;
    transfer->call = call;
    transfer->venue = venue;
    transfer->headers = header_list(out);
    curl_easy_setopt(easy, CURLOPT_URL, url);
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, out->method != NULL ? out->method : "GET");
    curl_easy_setopt(easy, CURLOPT_HTTPHEADER, transfer->headers);
    curl_easy_setopt(easy, CURLOPT_USERAGENT, "poise");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, ANSWER_MS);
    curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
    curl_easy_setopt(easy, CURLOPT_WRITEDATA, transfer);
    if (curl->route[venue].connect_to != NULL) {
        curl_easy_setopt(easy, CURLOPT_CONNECT_TO, curl->route[venue].connect_to);
    }
    if (curl->route[venue].ca_file != NULL) {
        curl_easy_setopt(easy, CURLOPT_CAINFO, curl->route[venue].ca_file);
    }
    if (out->body_bytes != 0) {
        transfer->sent = malloc(out->body_bytes);
        POISE_ASSERT(transfer->sent != NULL);
        memcpy(transfer->sent, out->body, out->body_bytes);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, (long)out->body_bytes);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, transfer->sent);
    } else if (out->method != NULL && (strcmp(out->method, "POST") == 0 || strcmp(out->method, "PUT") == 0)) {
        curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE, 0L);
        curl_easy_setopt(easy, CURLOPT_POSTFIELDS, "");
    }
    curl_easy_setopt(easy, CURLOPT_PRIVATE, transfer);
    if (curl_multi_add_handle(curl->multi, easy) != CURLM_OK) {
        transfer_end(curl, transfer);
        return false;
    }
    return true;
}

static void curl_poll(void *context, int timeout_ms, rest_arrived tell, void *tell_context)
{
    struct rest_curl *curl = context;
    int running, left;
    curl_multi_perform(curl->multi, &running);
    CURLMsg *message = curl_multi_info_read(curl->multi, &left);
    if (message == NULL && timeout_ms > 0) {
        curl_multi_poll(curl->multi, NULL, 0, timeout_ms, NULL);
        curl_multi_perform(curl->multi, &running);
        message = curl_multi_info_read(curl->multi, &left);
    }
    for (; message != NULL; message = curl_multi_info_read(curl->multi, &left)) {
        if (message->msg != CURLMSG_DONE) {
            continue;
        }
        struct transfer *transfer = NULL;
        CURLcode code = message->data.result;
        curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&transfer);
        long status = 0;
        curl_off_t retry_s = 0;
        curl_easy_getinfo(message->easy_handle, CURLINFO_RESPONSE_CODE, &status);
        curl_easy_getinfo(message->easy_handle, CURLINFO_RETRY_AFTER, &retry_s);
        const char *used = account_venues[transfer->venue].used_header;
        struct curl_header *told = NULL;
        if (used != NULL &&
            curl_easy_header(message->easy_handle, used, 0, CURLH_HEADER, -1, &told) != CURLHE_OK) {
            told = NULL;
        }
        struct rest_body body = { .status = code == CURLE_OK ? (int)status : 0,
                                  .bytes = transfer->body != NULL ? transfer->body : "",
                                  .count = transfer->count,
                                  .retry_after_ms = (int64_t)retry_s * 1000,
                                  .used_weight = told != NULL ? strtoll(told->value, NULL, 10) : 0,
                                  .error = transfer->overflow ? "the answer is larger than any page"
                                                              : curl_easy_strerror(code) };
        tell(tell_context, transfer->call, &body);
        transfer_end(curl, transfer);
    }
}

struct rest_transport rest_curl_transport(struct rest_curl *curl)
{
    return (struct rest_transport){ .start = curl_start, .poll = curl_poll, .context = curl };
}

static uint64_t system_now_ns(void *context)
{
    (void)context;
    return clock_now_ns();
}

static int64_t system_wall_ns(void *context)
{
    (void)context;
    return clock_wall_ns();
}

struct rest_clock rest_system_clock(void)
{
    return (struct rest_clock){ .now_ns = system_now_ns, .wall_ns = system_wall_ns };
}
