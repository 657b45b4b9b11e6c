/* world: the venues, their market, the network and time: everything that is not the engine.
 *
 * One thread.  world_run lets time pass: what is due happens in the order of time, and the engine that was
 * entered with world_engine takes its turns between.  Time is the machine's monotonic one (time_now.now_ns);
 * a venue's own clock is that plus WORLD_EPOCH_NS, and the engine's belief of the date may be off.
 *
 * A venue comes in as a struct world_shell: its protocol in process over sim_net's pipes, with a model,
 * faults and latencies of its own.  Binance and Deribit are rows in world.c; another venue is another row. */
#ifndef POISE_TESTS_SIM_WORLD_H
#define POISE_TESTS_SIM_WORLD_H

#include "hot/core/loop.h"
#include "tests/sim/market.h"
#include "tests/sim/time.h"
#include "tests/sim/wire.h"
#include "tools/poise/engine.h"
#include "tools/sim/model/sim_delay.h"
#include "tools/sim/sim_fault.h"

#define WORLD_EPOCH_NS INT64_C(1790000000000000000)
#define WORLD_KEY      "simkey"
#define WORLD_SECRET   "simsecret"

enum world_place { WORLD_BINANCE, WORLD_DERIBIT, WORLD_PLACES };
enum { WORLD_LINEAR = 0, WORLD_INVERSE = 1 }; /* contracts of Binance; Deribit's are db_market.h's places */

/* How the engine's machine turns; drawn once a life. */
struct world_machine {
    uint64_t busy_ns;  /* from one turn to the next while there is work */
    uint64_t idle_ns;  /* and while there is none, unless something arrives or is due */
    uint64_t stall_ns; /* the hot threads do not run for so long; used up by the next turn */
    bool shuffle;      /* loops take their turns in a drawn order */
};

struct world_counts {
    uint64_t turns, faults, fault_kind[SIM_FAULT_KIND_COUNT], stalls;
};

/* world_start makes Binance, and Deribit beside it when it is asked for. */
void world_start(uint64_t seed, bool deribit);
void world_stop(void);

/* world_venue answers the model of a venue, NULL when it is not there. */
struct sim_venue *world_venue(enum world_place place);
struct sim_source *world_source(enum world_place place);
struct market *world_market(void);
struct sim_faults *world_faults(enum world_place place);
struct world_machine *world_machine(void);
const struct world_counts *world_counts(void);
int64_t world_venue_ns(void);

/* world_random is the stream that stories are drawn from. */
struct sim_random *world_random(void);

/* world_engine enters an engine whose loops are turned from now on; NULL takes it out. */
void world_engine(struct engine *engine);

/* world_run lets time pass until then, or until stop answers true (NULL: not asked). */
void world_run(uint64_t until_ns, bool (*stop)(void));

/* world_fault begins a fault of a venue now, as poise-sim's --fault takes it. */
void world_fault(enum world_place place, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* world_trade prints a trade of somebody else at a venue now. */
void world_trade(enum world_place place, int instrument, int64_t price, int64_t qty, bool seller_takes);

/* world_delay sets a line's latency: feed, order, ack or private stream; world_calm sets it back. */
void world_delay(enum world_place place, enum sim_line line, int64_t low_ns, int64_t high_ns);

/* world_skew moves what the engine's machine believes of the date. */
void world_skew(int64_t ns);

/* world_calm ends every fault: of the venue, of the network, of the machine and its clock. */
void world_calm(void);

/* world_say writes a line of the event log: time, then words. */
void world_say(const char *format, ...) __attribute__((format(printf, 1, 2)));
void world_log(bool on);
bool world_logs(void);

#endif
