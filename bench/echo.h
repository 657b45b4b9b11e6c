/* echo: the venue's end of the whole-journey cases, and the floor they are judged by.
 *
 * The venue runs on the second processor: at a fixed rate it writes a tick and takes the time until the
 * answer is whole.  What answers on the main processor is either a plain TCP echo (here: the floor) or the
 * engine. */
#ifndef POISE_BENCH_ECHO_H
#define POISE_BENCH_ECHO_H

#include "bench/harness.h"

/* What goes over the wire in the journeys: Binance's depth in a WebSocket frame in a TLS 1.3 record, and an
 * edit for Deribit in the same wrapping; Deribit's news of a fill, and a signed order for Binance.  The floor
 * moves as many bytes without any of it. */
#define ECHO_TICK_BYTES  246
#define ECHO_ORDER_BYTES 269
#define ECHO_FILL_BYTES  1718 /* user.changes: the trade, the position, the order */
#define ECHO_HEDGE_BYTES 498
#define ECHO_MOST_BYTES  2048

#define ECHO_SAMPLES 2000 /* a burst: 0.11 s */

/* Ticks stand so far apart that each finds the path at rest, but not cold. */
#define ECHO_PACE_NS   50000
#define ECHO_JITTER_NS 8192 /* a power of two: half of it either way */

/* echo_pair makes two connected TCP sockets on loopback, without delay, not blocking. */
bool echo_pair(int sockets[2]);

/* echo_wait spins until `bytes` are received or the peer is gone; false when it is. */
bool echo_wait(int socket, unsigned char *to, size_t bytes);

/* echo_say sends all of it. */
bool echo_say(int socket, const unsigned char *from, size_t bytes);

/* The time of ticks: ECHO_PACE_NS apart, more or less by a fixed random stream, because the system's own
 * timer beats with a period that 50 us divide, and would hit every so-manieth tick of one burst and none of
 * another. */
struct echo_pace {
    uint64_t due_ns;
    uint64_t random;
};

/* echo_pace_begin makes the first tick due at once; echo_pace spins until the next is.  When the machine took
 * longer away nothing is caught up: what comes in a hurry is another measurement. */
struct echo_pace echo_pace_begin(void);
void echo_pace(struct echo_pace *pace);

#endif
