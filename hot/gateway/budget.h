/* budget: how much an account may still ask of its venue.
 *
 * Venues count in fixed windows whose edges we do not see, so we count over a sliding one: the sum over the
 * last whole window, in sixteen parts, and the part just running never exceeds the limit; whatever window the
 * venue uses lies inside it.  Venues that count in credits have a bucket for each family of requests instead
 * (ring/credit.h).  A reserve of each limit is for urgent requests only (cancels, hedges, queries, dead-man):
 * quotes stop first.  Pure: time is an argument.  Gateway core only. */
#ifndef POISE_HOT_GATEWAY_BUDGET_H
#define POISE_HOT_GATEWAY_BUDGET_H

#include "ring/account.h"

#define BUDGET_PARTS 16

struct budget_window {
    int32_t limit;    /* in one window; 0: no limit */
    int32_t reserved; /* of it, for urgent requests */
    uint64_t part_ns;
    uint64_t part;                  /* number of the part running */
    uint64_t part_end_ns;           /* when it ends */
    int32_t used[BUDGET_PARTS + 1]; /* by part number modulo this many */
    int32_t sum;
};

enum { BUDGET_ORDERS_10S, BUDGET_ORDERS_60S, BUDGET_WEIGHT_60S, BUDGET_WINDOWS };

struct budget {
    struct budget_window window[BUDGET_WINDOWS];
    struct credit_bucket bucket[CREDIT_COUNT];
    int32_t bucket_reserved[CREDIT_COUNT]; /* of what it holds, for urgent requests */
    bool counts_credits;                   /* any bucket counts */
    uint64_t quiet_until_ns;               /* the venue said slow down: urgent only until then */
    uint64_t banned_until_ns;              /* the venue answers nobody until then */
};

/* budget_init takes the account's limits and reserve. */
void budget_init(struct budget *budget, const struct account *account);

/* budget_start: from now on buckets fill. */
void budget_start(struct budget *budget, uint64_t now_ns);

/* budget_has: a request fits all windows and its bucket.  budget_take charges them as well, or none and
 * answers false. */
bool budget_has(struct budget *budget, uint64_t now_ns, int32_t orders, int32_t weight, enum credit credit,
                bool urgent);
bool budget_take(struct budget *budget, uint64_t now_ns, int32_t orders, int32_t weight, enum credit credit,
                 bool urgent);

/* budget_charge charges what went out: what budget_has allowed, or what must go whatever the budget says
 * (log-in, dead-man). */
void budget_charge(struct budget *budget, uint64_t now_ns, int32_t orders, int32_t weight,
                   enum credit credit);

/* budget_allows_session: whatever the session asks for next fits its bucket; else it has to wait. */
bool budget_allows_session(struct budget *budget, uint64_t now_ns);

/* budget_quiet and budget_ban: the venue told us to slow down, or to stop.  budget_throttled: it refused a
 * request, so its buckets hold nothing, whatever we counted. */
void budget_quiet(struct budget *budget, uint64_t until_ns);
void budget_throttled(struct budget *budget, uint64_t now_ns);
void budget_ban(struct budget *budget, uint64_t until_ns);

/* budget_left is what a window still gives to urgent or other requests; INT32_MAX without a limit. */
int32_t budget_left(struct budget *budget, uint32_t window, uint64_t now_ns, bool urgent);

#endif
