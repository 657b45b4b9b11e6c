#include "cold/ask.h"
#include "ring/clock.h"

#include <stdarg.h>
#include <stdio.h>

#define PAGE_NS  (20 * NS_PER_S) /* a page of an answer is lost after so long */
#define AGAIN_NS (500 * NS_PER_MS)
#define TIME_NS  (2 * NS_PER_S)  /* a venue's own time is told within this, or the next refusal stands */
#define LINE_NS  (30 * NS_PER_S) /* a wait says how it goes */

enum { TURN_MS = 50 };

static uint64_t now(const struct ask *ask)
{
    return ask->clock.now_ns(ask->clock.context);
}

__attribute__((format(printf, 2, 3))) static void tell(struct ask *ask, const char *format, ...)
{
    char line[ASK_WHY_BYTES];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    if (ask->tell != NULL) {
        ask->tell(ask->context, line);
    }
}

__attribute__((format(printf, 3, 4))) static const struct rest_reply *
fail(struct ask *ask, enum ask_result result, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(ask->why, sizeof ask->why, format, arguments);
    va_end(arguments);
    ask->result = result;
    return NULL;
}

static void keep(void *context, const struct rest_reply *reply)
{
    struct ask *ask = context;
    ask->reply = *reply;
    slots_empty(&ask->records);
    uint32_t at = 0;
    for (const struct slot *record; (record = slots_next(reply->records, &at)) != NULL;) {
        slots_add(&ask->records, record);
    }
    ask->reply.records = &ask->records;
    ask->arrived = true;
}

static bool idle(struct ask *ask)
{
    return ask->idle == NULL || ask->idle(ask->context);
}

bool ask_pause(struct ask *ask, uint64_t ns)
{
    uint64_t until_ns = now(ask) + ns;
    while (now(ask) < until_ns) {
        if (!idle(ask)) {
            return false;
        }
        uint64_t left_ms = (until_ns - now(ask)) / NS_PER_MS;
        rest_poll(ask->rest, left_ms < TURN_MS ? (int)left_ms + 1 : TURN_MS);
    }
    return true;
}

/* Waits until the venue may be asked; false: it will not be. */
static bool wait_for_turn(struct ask *ask, uint8_t venue, const char *what, const char *said)
{
    uint64_t from_ns = now(ask), until_ns = rest_held(ask->rest, venue);
    if (until_ns == 0) {
        return true;
    }
    uint64_t wait_ns = until_ns - from_ns;
    unsigned long long left_s = (wait_ns + NS_PER_S - 1) / NS_PER_S;
    if (ask->waited_ns + wait_ns > ask->wait_ns) {
        fail(
            ask, ASK_TOO_LONG,
            "%s: the venue wants to be left alone for %llu s (%s), and no more than %llu s of such waits are "
            "sat out; start again after that",
            what, left_s, said, (unsigned long long)(ask->wait_ns / NS_PER_S));
        return false;
    }
    tell(ask, "%s: the venue wants to be left alone (%s): nothing is sent to it for %llu s", what, said,
         left_s);
    uint64_t line_ns = from_ns + LINE_NS;
    while ((until_ns = rest_held(ask->rest, venue)) != 0) {
        uint64_t now_ns = now(ask);
        if (now_ns >= line_ns) {
            line_ns += LINE_NS;
            tell(ask, "%s: %llu s more", what, (unsigned long long)((until_ns - now_ns) / NS_PER_S + 1));
        }
        if (!ask_pause(ask, base_min(until_ns - now_ns, NS_PER_S))) {
            fail(ask, ASK_STOPPED, "%s: told to stop while waiting for the venue", what);
            return false;
        }
    }
    ask->waited_ns += now(ask) - from_ns;
    return true;
}

/* Asks once; what came is in ask->reply.  False: told to stop. */
static bool ask_once(struct ask *ask, const struct rest_question *question)
{
    ask->arrived = false;
    memset(&ask->reply, 0, sizeof ask->reply);
    ask->reply.result = REST_UNKNOWN;
    ask->reply.records = &ask->records;
    slots_empty(&ask->records);
    if (!rest_ask(ask->rest, question, keep, ask)) {
        snprintf(ask->reply.error, sizeof ask->reply.error, "too many questions at once");
        return true;
    }
    uint64_t pages = rest_answers(ask->rest), page_ns = now(ask);
    while (!ask->arrived && now(ask) - page_ns < PAGE_NS) {
        rest_poll(ask->rest, TURN_MS);
        if (rest_answers(ask->rest) != pages) {
            pages = rest_answers(ask->rest);
            page_ns = now(ask);
        }
        if (!ask->arrived && !idle(ask)) {
            rest_drop(ask->rest, ask);
            return false;
        }
    }
    if (!ask->arrived) {
        rest_drop(ask->rest, ask);
        snprintf(ask->reply.error, sizeof ask->reply.error, "no answer in time");
    }
    return true;
}

const struct rest_reply *ask_until(struct ask *ask, const struct rest_question *question, const char *what)
{
    char said[REST_ERROR_BYTES] = "its limits are nearly used up";
    uint64_t silent_ns = 0, asked_ns;
    bool timed = false;
    ask->result = ASK_ANSWERED;
    ask->why[0] = '\0';
    if (question->venue == NULL || !rest_knows(ask->rest, question)) {
        return fail(ask, ASK_NO_QUESTION, "%s: the venue has no such question", what);
    }
    for (;;) {
        if (!wait_for_turn(ask, question->venue->id, what, said)) {
            return NULL;
        }
        asked_ns = now(ask);
        if (!ask_once(ask, question)) {
            return fail(ask, ASK_STOPPED, "%s: told to stop while asking", what);
        }
        const struct rest_reply *reply = &ask->reply;
        if (reply->result == REST_OK) {
            return reply;
        }
        if (reply->result == REST_REFUSED && reply->answer.time_refused && !timed) {
            timed = true;
            tell(ask, "%s: the venue does not take our time (%s): it is asked for its own", what,
                 reply->error);
            if (!ask_pause(ask, TIME_NS)) {
                return fail(ask, ASK_STOPPED, "%s: told to stop while asking", what);
            }
            continue;
        }
        if (reply->result == REST_REFUSED) {
            return fail(ask, ASK_REFUSED, "%s: the venue refuses: %s", what, reply->error);
        }
        if (reply->result == REST_LATER) {
            memcpy(said, reply->error, sizeof said);
            continue;
        }
        bool first = silent_ns == 0;
        silent_ns += base_max(now(ask) - asked_ns, 1);
        if (silent_ns >= ask->patience_ns) {
            return fail(ask, ASK_SILENT, "%s: no usable answer (%s)", what, reply->error);
        }
        if (first) {
            tell(ask, "%s: %s; asking again", what, reply->error);
        }
        silent_ns += AGAIN_NS;
        if (!ask_pause(ask, AGAIN_NS)) {
            return fail(ask, ASK_STOPPED, "%s: told to stop while asking", what);
        }
    }
}

void ask_free(struct ask *ask)
{
    slots_free(&ask->records);
}
