/* lag: how late a stream's messages are, with two clocks that were never set together.
 *
 * receive - venue time is the distance between the clocks plus the way; its running minimum is the distance
 * plus the shortest way.  What exceeds that minimum is lateness.  The minimum is over the last one to two
 * windows, so that drifting clocks do not become lateness.  Receive times are monotonic: a wall clock that is
 * stepped disturbs nothing. */
#ifndef POISE_HOT_FEED_LAG_H
#define POISE_HOT_FEED_LAG_H

#include "ring/base.h"

#define LAG_WINDOW_NS 60000000000ULL /* a venue clock that jumps is forgiven within two minutes */

struct lag {
    bool known;
    int64_t least;        /* of the present window */
    int64_t least_before; /* of the window before */
    uint64_t window_end_ns;
    int64_t excess_ns; /* of the last message */
};

/* lag_note takes a message's two times and answers its lateness, 0 or more. */
static inline int64_t lag_note(struct lag *lag, uint64_t receive_ns, int64_t venue_time_ns)
{
    int64_t distance = (int64_t)receive_ns - venue_time_ns;
    if (POISE_UNLIKELY(!lag->known)) {
        lag->known = true;
        lag->least = lag->least_before = distance;
        lag->window_end_ns = receive_ns + LAG_WINDOW_NS;
    } else if (POISE_UNLIKELY(receive_ns >= lag->window_end_ns)) {
        lag->least_before = lag->least;
        lag->least = distance;
        lag->window_end_ns = receive_ns + LAG_WINDOW_NS;
    } else if (distance < lag->least) {
        lag->least = distance;
    }
    lag->excess_ns = distance - base_min(lag->least, lag->least_before);
    return lag->excess_ns;
}

/* lag_distance_ns is receive - venue time of the quickest message; 0 when none came. */
static inline int64_t lag_distance_ns(const struct lag *lag)
{
    return lag->known ? base_min(lag->least, lag->least_before) : 0;
}

#endif
