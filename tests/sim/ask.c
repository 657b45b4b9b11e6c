#include "tests/sim/ask.h"

#include "tests/sim/point.h"
#include "tests/sim/trouble.h"
#include "tests/sim/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ANSWER_NS (10 * NS_PER_S)
enum { KEPT_MAX = 64, PATH_BYTES = 96 };

struct question {
    bool used;
    uint64_t call;
    int32_t link;
    uint64_t until_ns;
    char path[PATH_BYTES]; /* method and path without the query: what an older answer is found by */
    struct sim_text text;
};

struct kept {
    char path[PATH_BYTES];
    struct sim_text body;
};

static struct {
    struct sim_random random;
    int64_t stale_ppm, empty_ppm;
    struct ask_counts counts;
    struct question question[REST_CALLS_MAX];
    uint32_t kept_count;
    struct kept kept[KEPT_MAX];
} ask;

static bool ask_begin(void *context, uint64_t call, uint8_t venue, const struct venue_out *out)
{
    (void)context;
    (void)venue;
    struct question *question = NULL;
    for (uint32_t i = 0; i < REST_CALLS_MAX && question == NULL; i++) {
        question = ask.question[i].used ? NULL : &ask.question[i];
    }
    if (question == NULL) {
        return false;
    }
    const char *method = out->method != NULL ? out->method : "GET";
    struct sim_text text = { 0 };
    sim_text_add(&text, "%s %.*s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n", method, (int)out->path_bytes,
                 out->path, out->endpoint.host);
    sim_text_put(&text, out->header, out->header_bytes);
    sim_text_add(&text, "Content-Length: %u\r\n\r\n", out->body_bytes);
    sim_text_put(&text, out->body, out->body_bytes);
    memset(question, 0, sizeof *question);
    question->call = call;
    question->until_ns = time_now.now_ns + ANSWER_NS;
    size_t path = 0;
    while (path < out->path_bytes && out->path[path] != '?') {
        path++;
    }
    snprintf(question->path, sizeof question->path, "%s %s%.*s", method, out->endpoint.host, (int)path,
             out->path);
    question->link = wire_ask(text.data, text.length);
    sim_text_free(&text);
    question->used = question->link >= 0;
    ask.counts.asked++;
    return question->used;
}

/* An old answer to the same question, this one being remembered in its place. */
static bool old_answer(const struct question *question, const char *body, size_t count, struct sim_text *out)
{
    uint32_t at = 0;
    while (at < ask.kept_count && strcmp(ask.kept[at].path, question->path) != 0) {
        at++;
    }
    if (at == KEPT_MAX) {
        return false;
    }
    struct kept *kept = &ask.kept[at];
    if (at == ask.kept_count) {
        ask.kept_count++;
        snprintf(kept->path, sizeof kept->path, "%s", question->path);
        sim_text_put(&kept->body, body, count);
        return false;
    }
    if (sim_random_chance(&ask.random, ask.stale_ppm)) {
        sim_text_put(out, kept->body.data, kept->body.length);
        return true;
    }
    if (sim_random_chance(&ask.random, 100000)) {
        sim_text_reset(&kept->body);
        sim_text_put(&kept->body, body, count);
    }
    return false;
}

static bool is_list(const struct question *question, const char *body, size_t count)
{
    return strncmp(question->path, "GET ", 4) == 0 && count > 2 && body[0] == '[' &&
           strstr(question->path, "exchangeInfo") == NULL;
}

/* One whole answer, or the end of the link. */
static void finish(struct question *question, bool over, rest_arrived tell, void *context)
{
    struct rest_body body = { .error = "no answer" };
    const char *head_end =
        question->text.length == 0 ? NULL : memmem(question->text.data, question->text.length, "\r\n\r\n", 4);
    struct sim_text lie = { 0 };
    bool whole = false;
    if (head_end != NULL) {
        const char *length = strcasestr(question->text.data, "Content-Length:");
        const char *retry = strcasestr(question->text.data, "Retry-After:");
        size_t head = (size_t)(head_end - question->text.data) + 4;
        size_t want = length != NULL && length < head_end ? strtoul(length + 15, NULL, 10) : 0;
        whole = question->text.length >= head + want;
        body.status = whole ? atoi(question->text.data + 9) : 0;
        body.bytes = question->text.data + head;
        body.count = want;
        const char *used = strcasestr(question->text.data, "X-MBX-USED-WEIGHT-1M:");
        body.used_weight = used != NULL && used < head_end ? atoll(used + 21) : 0;
        body.retry_after_ms = retry != NULL && retry < head_end ? atoll(retry + 12) * 1000 : 0;
        body.error = "";
    }
    if (!whole && !over) {
        return;
    }
    if (!whole) {
        body = (struct rest_body){ .bytes = "", .error = "the link ended" };
        ask.counts.failed++;
    } else if (body.status == 200 && is_list(question, body.bytes, body.count)) {
        if (old_answer(question, body.bytes, body.count, &lie)) {
            ask.counts.stale++;
            world_say("lie: an old answer to %s", question->path);
        } else if (sim_random_chance(&ask.random, ask.empty_ppm)) {
            sim_text_str(&lie, "[]");
            ask.counts.empty++;
            world_say("lie: an empty answer to %s", question->path);
        }
        if (lie.length != 0) {
            body.bytes = lie.data;
            body.count = lie.length;
        }
    }
    ask.counts.answered += whole;
    struct question done = *question;
    memset(question, 0, sizeof *question);
    wire_forget(done.link);
    tell(context, done.call, &body);
    sim_text_free(&done.text);
    sim_text_free(&lie);
}

static bool collect(rest_arrived tell, void *context)
{
    bool any = false;
    for (uint32_t i = 0; i < REST_CALLS_MAX; i++) {
        struct question *question = &ask.question[i];
        if (!question->used) {
            continue;
        }
        bool more = wire_answer(question->link, &question->text);
        finish(question, !more || time_now.now_ns >= question->until_ns, tell, context);
        any = any || !question->used;
    }
    return any;
}

static bool answered(void)
{
    for (uint32_t i = 0; i < REST_CALLS_MAX; i++) {
        if (ask.question[i].used && wire_answered(ask.question[i].link)) {
            return true;
        }
    }
    return false;
}

/* When the caller's patience, or that with a question, ends. */
static uint64_t patience_ns(uint64_t until_ns)
{
    for (uint32_t i = 0; i < REST_CALLS_MAX; i++) {
        if (ask.question[i].used && ask.question[i].until_ns < until_ns) {
            until_ns = ask.question[i].until_ns;
        }
    }
    return until_ns;
}

static void ask_poll(void *context, int timeout_ms, rest_arrived tell, void *tell_context)
{
    (void)context;
    uint64_t until_ns = time_now.now_ns + (uint64_t)timeout_ms * NS_PER_MS;
    point_pass(POINT_ASK);
    while (!collect(tell, tell_context) && time_now.now_ns < until_ns) {
        world_run(patience_ns(until_ns), answered);
    }
}

struct rest_transport ask_transport(void)
{
    return (struct rest_transport){ .start = ask_begin, .poll = ask_poll };
}

static uint64_t ask_now_ns(void *context)
{
    (void)context;
    return clock_now_ns();
}

static int64_t ask_wall_ns(void *context)
{
    (void)context;
    return clock_wall_ns();
}

struct rest_clock ask_clock(void)
{
    return (struct rest_clock){ .now_ns = ask_now_ns, .wall_ns = ask_wall_ns };
}

void ask_lies(int64_t stale_ppm, int64_t empty_ppm)
{
    trouble_is("old_answers", stale_ppm != 0);
    trouble_is("empty_answers", empty_ppm != 0);
    ask.stale_ppm = stale_ppm;
    ask.empty_ppm = empty_ppm;
}

const struct ask_counts *ask_counts(void)
{
    return &ask.counts;
}

void ask_drop(void)
{
    for (uint32_t i = 0; i < REST_CALLS_MAX; i++) {
        if (ask.question[i].used) {
            sim_text_free(&ask.question[i].text);
            memset(&ask.question[i], 0, sizeof ask.question[i]);
        }
    }
}

void ask_start(uint64_t seed)
{
    ask_drop();
    for (uint32_t i = 0; i < ask.kept_count; i++) {
        sim_text_free(&ask.kept[i].body);
    }
    memset(&ask, 0, sizeof ask);
    sim_random_seed(&ask.random, seed, 24);
}
