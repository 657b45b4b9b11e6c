/* ask: one question, until it is answered or nobody will answer it.
 *
 *   an answer                      is the end of it
 *   a refusal                      too: the same question would be refused again; once more where it was for
 *                                  our time, which rest.h then measures anew
 *   no usable answer               (a cut link, a 5xx, half a body) is asked again, twice a second, until
 *                                  patience ends; a failed read is never taken for an empty one
 *   "later"                        (429, 418, a venue's own codes for its limits and its maintenance) is
 * waited out for as long as the venue says, with a line that tells how long; nothing is sent to it meanwhile,
 * by anybody (rest.h).  All such waits of one asker together are bounded; a wait that would go beyond is not
 * begun
 *
 * Time that a venue told us to wait does not use up patience.  Cold thread; it waits. */
#ifndef POISE_COLD_ASK_H
#define POISE_COLD_ASK_H

#include "cold/rest.h"

#define ASK_WHY_BYTES 512

enum ask_result {
    ASK_ANSWERED = 0,
    ASK_NO_QUESTION, /* the venue has no such question */
    ASK_REFUSED,     /* the venue said no */
    ASK_SILENT,      /* patience ended without a usable answer */
    ASK_TOO_LONG,    /* the venue wants to be left alone for longer than we wait */
    ASK_STOPPED,     /* idle said so */
};

struct ask {
    /* filled in before the first question */
    struct rest *rest;
    struct rest_clock clock;
    uint64_t patience_ns;                          /* for a venue that does not answer */
    uint64_t wait_ns;                              /* for venues that want to be left alone, in all */
    void (*tell)(void *context, const char *line); /* what is waited for; may be NULL */
    bool (*idle)(void *context);                   /* called while it waits; false: give up.  May be NULL */
    void *context;

    /* ask's own, zero */
    uint64_t waited_ns;
    enum ask_result result;
    char why[ASK_WHY_BYTES]; /* result in words; "" answered */
    bool arrived;
    struct rest_reply reply;
    struct slots records;
};

/* ask_until answers the reply, which stays valid until the next question, or NULL: result and why say the
 * rest.  `what` is what the question is called in lines for a person. */
const struct rest_reply *ask_until(struct ask *ask, const struct rest_question *question, const char *what);

/* ask_pause lets so much time pass while idle is called; false: idle said to give up. */
bool ask_pause(struct ask *ask, uint64_t ns);

/* ask_free gives back what the last answer took. */
void ask_free(struct ask *ask);

#endif
