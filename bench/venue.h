/* venue: the venue of the journeys, on the second processor: sockets, TLS by OpenSSL, HTTP, WebSocket.
 *
 * It listens on loopback, answers what the engine's sessions ask when they come up (listen keys, snapshots,
 * subscriptions), and then, paced, says something that wants an order and stops the time at the receive that
 * completes it.  One thread at a time calls it; which one may change from call to call. */
#ifndef POISE_BENCH_VENUE_H
#define POISE_BENCH_VENUE_H

#include "bench/talk.h"

#include <stdatomic.h>

struct venue_desk;

/* venue_create listens and makes certificates in `folder`; NULL with a sentence in error.  venue_port is
 * where; venue_ca is whom to trust. */
struct venue_desk *venue_create(const char *folder, char *error, size_t error_bytes);
void venue_destroy(struct venue_desk *venue);
uint16_t venue_port(const struct venue_desk *venue);
const char *venue_ca(const struct venue_desk *venue);

/* venue_serve answers whatever comes until *stop; for the coming up and the settling. */
void venue_serve(struct venue_desk *venue, const _Atomic bool *stop);

/* venue_quoted: both quotes rest and every stream was subscribed. */
bool venue_quoted(const struct venue_desk *venue);

/* venue_ticks moves the hedge leg's best bid `count` times, ECHO_PACE_NS apart; venue_fills executes part of
 * a quote.  Each writes how long the right answer took, in ticks, and answers a hash of the answers; a wrong
 * one is told on stderr and spoils the hash. */
uint64_t venue_ticks(struct venue_desk *venue, uint64_t *ticks, uint32_t count);
uint64_t venue_fills(struct venue_desk *venue, uint64_t *ticks, uint32_t count);

/* venue_slow lets so long pass after each answer before the next tick: for a peer that is busy with what it
 * is told for longer than ECHO_PACE_NS. */
void venue_slow(struct venue_desk *venue, uint64_t rest_ns);

/* venue_sizes: bytes on the wire of the last tick or fill and of its answer. */
void venue_sizes(const struct venue_desk *venue, size_t *there, size_t *back);

#endif
