/* credit: what an account may ask of a venue that counts in credits.
 *
 * Such a venue keeps a bucket for each family of requests: it holds `burst` of them and gets `rate` back
 * every second.  Families do not share: an empty bucket of questions stops no cancel.  Beside them stand the
 * windows of budget.h, for venues that count so; a request names its family, or none. */
#ifndef POISE_RING_CREDIT_H
#define POISE_RING_CREDIT_H

#include "ring/base.h"

enum credit {
    CREDIT_NONE = 0,
    CREDIT_TRADE,     /* what reaches the matching engine: new, edit, cancel, cancel-all */
    CREDIT_QUERY,     /* everything else, asked by the gateway */
    CREDIT_SUBSCRIBE, /* channels on and off */
    CREDIT_REST,      /* everything else, asked by the cold thread: its half of the same bucket */
    CREDIT_METADATA,  /* lists of instruments */
    CREDIT_LOG,       /* pages of the transaction log */
    CREDIT_COUNT
};

/* How large a bucket is; both 0: the venue does not count this family. */
struct credit_limit {
    int32_t burst;   /* requests that may come at once */
    int32_t rate_e3; /* requests that come back in 1000 seconds */
};

/* A bucket as it stands.  One owner; time is an argument. */
struct credit_bucket {
    struct credit_limit limit; /* what we allow ourselves */
    int64_t level_e9;          /* requests left, 1e-9; below 0 when something had to go out all the same */
    uint64_t at_ns;            /* 0: not looked at yet */
};

/* credit_begin makes a bucket that is empty when it is first looked at: whoever asked before us may have
 * emptied it a moment ago.  What one second brings back stays unused: requests that are held up on the way
 * come closer together than they left. */
static inline void credit_begin(struct credit_bucket *bucket, struct credit_limit limit)
{
    int32_t kept = limit.burst - (limit.rate_e3 + 999) / 1000;
    bucket->limit = limit;
    bucket->limit.burst = kept > limit.burst / 2 ? kept : (limit.burst + 1) / 2;
    bucket->level_e9 = 0;
    bucket->at_ns = 0;
}

static inline bool credit_counts(const struct credit_bucket *bucket)
{
    return bucket->limit.burst > 0;
}

/* credit_fill adds what came back since, rounded down. */
static inline void credit_fill(struct credit_bucket *bucket, uint64_t now_ns)
{
    const int64_t full_e9 = bucket->limit.burst * 1000000000LL;
    if (bucket->at_ns == 0) {
        bucket->at_ns = now_ns;
    }
    if (now_ns <= bucket->at_ns) {
        return;
    }
    uint64_t back, room_e9 = (uint64_t)(full_e9 - bucket->level_e9);
    if (__builtin_mul_overflow(now_ns - bucket->at_ns, (uint64_t)bucket->limit.rate_e3, &back) ||
        back / 1000 >= room_e9) {
        bucket->level_e9 = full_e9;
    } else {
        bucket->level_e9 += (int64_t)(back / 1000);
    }
    bucket->at_ns = now_ns;
}

/* credit_has: `count` requests fit with `reserve` left for others; always, where nothing is counted. */
static inline bool credit_has(struct credit_bucket *bucket, uint64_t now_ns, int32_t count, int32_t reserve)
{
    if (!credit_counts(bucket)) {
        return true;
    }
    int64_t need_e9 = ((int64_t)count + reserve) * 1000000000LL;
    if (bucket->at_ns != 0 && bucket->level_e9 >= need_e9) {
        return true; /* what came back since is looked at when it is charged */
    }
    credit_fill(bucket, now_ns);
    return bucket->level_e9 >= need_e9;
}

/* credit_charge takes them whatever is left. */
static inline void credit_charge(struct credit_bucket *bucket, uint64_t now_ns, int32_t count)
{
    if (credit_counts(bucket)) {
        credit_fill(bucket, now_ns);
        bucket->level_e9 -= count * 1000000000LL;
    }
}

/* credit_empty: the venue said that there is nothing left. */
static inline void credit_empty(struct credit_bucket *bucket, uint64_t now_ns)
{
    credit_fill(bucket, now_ns);
    bucket->level_e9 = bucket->level_e9 < 0 ? bucket->level_e9 : 0;
}

/* credit_lower makes a limit no larger than what was told; what was not told (0) changes nothing. */
static inline void credit_lower(struct credit_limit *limit, struct credit_limit told)
{
    if (told.burst > 0 && told.burst < limit->burst) {
        limit->burst = told.burst;
    }
    if (told.rate_e3 > 0 && told.rate_e3 < limit->rate_e3) {
        limit->rate_e3 = told.rate_e3;
    }
}

#endif
