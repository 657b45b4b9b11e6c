/* journey: an engine put together as `poise run` does, on this thread, and the venue it trades with.
 *
 * Feeds, strategy role with risk gate and journal, gateways, TLS and the venue's own codecs: what is timed is
 * what is shipped.  The cold thread drains the journal's ring (a shared mapping) on the second processor, at
 * ordinary priority: under SCHED_FIFO it works between bursts, so the ring is large enough for one. */
#ifndef POISE_BENCH_JOURNEY_H
#define POISE_BENCH_JOURNEY_H

#include "bench/harness.h"

struct loop;
struct venue_desk;

enum journey_backend { JOURNEY_URING, JOURNEY_SPIN, JOURNEY_BACKENDS };

/* journey_open brings an engine up until both quotes rest, or counts one more user of it; false after
 * bench_absent.  journey_close lets it go with its last user. */
bool journey_open(struct bench *bench, enum journey_backend backend);
void journey_close(enum journey_backend backend);

struct loop *journey_loop(enum journey_backend backend);
struct venue_desk *journey_venue(enum journey_backend backend);

/* journey_turn is one turn as the hot thread takes it. */
void journey_turn(enum journey_backend backend);

/* journey_rest waits, sleeping, until the journal's ring is nearly empty. */
void journey_rest(enum journey_backend backend);

/* journey_sound: nothing was skipped, refused or given up so far. */
bool journey_sound(enum journey_backend backend);

#endif
