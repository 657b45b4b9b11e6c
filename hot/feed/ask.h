/* ask: when a feed may ask for a snapshot.
 *
 * Snapshots are heavy, and the venue counts them per address together with everything else we ask.  Each
 * instrument waits a pause that doubles while it keeps asking; all of a feed together stay below a weight a
 * minute; and when the venue says wait, everyone waits.  Pure: time is an argument.  Feed core only.
 *
 * Timers: ask.pause_ns per instrument (half a second, doubling to 30 s, back to half a second after a minute
 * without asking); ask_limit.full_ns (weight); ask_limit.hold_until_ns (the venue's Retry-After). */
#ifndef POISE_HOT_FEED_ASK_H
#define POISE_HOT_FEED_ASK_H

#include "ring/clock.h"

#define ASK_PAUSE_MIN_NS  (500 * NS_PER_MS)
#define ASK_PAUSE_MAX_NS  (30 * NS_PER_S)
#define ASK_CALM_NS       (60 * NS_PER_S)
#define ASK_WEIGHT_MINUTE 1200 /* half of what Binance futures give an address */
#define ASK_WEIGHT_BURST  600
#define ASK_WEIGHT_NS     (60 * NS_PER_S / ASK_WEIGHT_MINUTE)

struct ask { /* one instrument's */
    uint64_t pause_ns;
    uint64_t next_ns;
    uint64_t asked_ns;
    uint32_t count;
};

struct ask_limit {    /* one feed's */
    uint64_t full_ns; /* when the weight spent will have run out again */
    uint64_t hold_until_ns;
};

/* ask_may says whether the instrument may ask now; ask_done notes that it did. */
static inline bool ask_may(const struct ask *ask, const struct ask_limit *limit, uint64_t now_ns)
{
    return now_ns >= ask->next_ns && now_ns >= limit->hold_until_ns &&
           limit->full_ns <= now_ns + ASK_WEIGHT_BURST * ASK_WEIGHT_NS;
}

static inline void ask_done(struct ask *ask, struct ask_limit *limit, uint32_t weight, uint64_t now_ns)
{
    bool calm = ask->count == 0 || now_ns - ask->asked_ns >= ASK_CALM_NS;
    ask->pause_ns = calm ? ASK_PAUSE_MIN_NS : ask->pause_ns * 2;
    if (ask->pause_ns > ASK_PAUSE_MAX_NS) {
        ask->pause_ns = ASK_PAUSE_MAX_NS;
    }
    ask->asked_ns = now_ns;
    ask->next_ns = now_ns + ask->pause_ns;
    ask->count++;
    if (limit->full_ns < now_ns) {
        limit->full_ns = now_ns;
    }
    limit->full_ns += (weight == 0 ? 1 : weight) * ASK_WEIGHT_NS;
}

/* ask_hold: the venue refused with `status`; retry_after_s is its own word, 0 when it said nothing. */
static inline void ask_hold(struct ask_limit *limit, int status, uint64_t retry_after_s, uint64_t now_ns)
{
    if (retry_after_s > 3600 * 24) {
        retry_after_s = 3600 * 24;
    }
    uint64_t seconds = retry_after_s;
    if (seconds == 0) {
        /* 418 is a ban and 403 a wall: asking on makes both longer */
        seconds = status == 418 || status == 403 ? 120 : status == 429 ? 30 : 1;
    }
    if (limit->hold_until_ns < now_ns + seconds * NS_PER_S) {
        limit->hold_until_ns = now_ns + seconds * NS_PER_S;
    }
}

#endif
