/* wire: the network of a simulation, in place of hot/net/io.c: bytes between the engine and the venues'
 * servers.
 *
 * A link is one TCP connection without TLS.  Each direction is a queue of pieces with a time at which they
 * arrive, in order.  Weather, drawn from the seed, cuts what is sent into pieces at any byte, ends links in
 * the middle of a piece, makes them silent without a word (holes), and refuses new ones.  One thread; whoever
 * turns the world calls wire_turn between steps of the venue and of the engine. */
#ifndef POISE_TESTS_SIM_WIRE_H
#define POISE_TESTS_SIM_WIRE_H

#include "hot/net/io.h"
#include "tools/sim/model/sim_random.h"
#include "tools/sim/sim_net.h"

/* Chances in parts per million of a piece (split, cut, hole) or of an attempt (refuse). */
struct wire_weather {
    int64_t low_ns, high_ns; /* latency of each direction */
    int64_t split_ppm, cut_ppm, hole_ppm, refuse_ppm;
};

struct wire_counts {
    uint64_t links, bytes_up, bytes_down, pieces, splits, cuts, holes, refused;
    uint64_t torn; /* cuts in the middle of a piece */
};

/* wire_start makes an empty network in front of one server; a second venue's server is another net. */
void wire_start(struct sim_net *net, uint64_t seed);
void wire_stop(void);

/* wire_weather and wire_counts are the caller's to change and read. */
struct wire_weather *wire_weather(void);
const struct wire_counts *wire_counts(void);

/* wire_turn moves what has arrived at the servers by now and takes what they want to send; answers whether a
 * server heard anything. */
bool wire_turn(uint64_t now_ns);

/* wire_next_ns is when something arrives next, on either side. */
uint64_t wire_next_ns(void);

/* wire_cut_all ends every link now; wire_cut_some ends one drawn from the seed; wire_hole_some makes one
 * silent.
 */
void wire_cut_all(void);
void wire_cut_some(void);
void wire_hole_some(void);

/* wire_kill: the engine's process died: its machine ends every link, what was already sent still arrives. */
void wire_kill(void);

/* wire_take_memory answers memory that wire_free_memory gives back: what a process held. */
void wire_free_memory(void);

/* A question over its own link, for the cold thread's transport: wire_ask sends the bytes, wire_answer
 * appends what arrived by now and answers false when the link is over; wire_answered says whether it would
 * find anything. */
int32_t wire_ask(const char *bytes, size_t len);
bool wire_answered(int32_t link);
bool wire_answer(int32_t link, struct sim_text *out);
void wire_forget(int32_t link);

#endif
