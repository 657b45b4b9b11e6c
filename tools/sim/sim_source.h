/* sim_source: where the market comes from: recordings on one common clock, a seeded random market, or prices
 * set by a test.
 *
 * Recordings of several instruments keep their alignment: second 0 is the earliest first line of all, the
 * start offset is applied to all, and all end when the first one ends.  Then the feed is cut, and after
 * loop_pause_ns everything begins again at the start offset.  One thread; time is an argument. */
#ifndef TOOLS_SIM_SIM_SOURCE_H
#define TOOLS_SIM_SIM_SOURCE_H

#include "tools/sim/model/sim_venue.h"
#include "tools/sim/sim_tape.h"

#define SIM_SYNTH_LEVELS 40

enum sim_source_mode { SIM_SOURCE_TAPE, SIM_SOURCE_RANDOM, SIM_SOURCE_SET };

struct sim_synth { /* the book a random or set market stands for */
    struct sim_level level[2][SIM_SYNTH_LEVELS];
    int count[2];
    int64_t u;
    int64_t stamp_ms;
};

struct sim_source {
    enum sim_source_mode mode;
    struct sim_venue *venue;
    struct sim_tape tape[SIM_INSTRUMENT_MAX];
    bool has_tape[SIM_INSTRUMENT_MAX];
    size_t cursor[SIM_INSTRUMENT_MAX];
    int64_t offset_ns;
    int64_t speed_ppm; /* 1000000: as recorded */
    int64_t loop_pause_ns;
    bool loop;
    int64_t base_ns;  /* recorded time of second 0 */
    int64_t end_ns;   /* recorded time of the end */
    int64_t start_ns; /* venue time at which the current pass began, at the offset */
    int64_t restart_ns;
    uint64_t passes;
    struct sim_synth synth[SIM_INSTRUMENT_MAX];
    struct sim_random random;
    bool other[SIM_INSTRUMENT_MAX]; /* another source plays this instrument */
    int leader;                     /* RANDOM: the middle follows this instrument's book, when led */
    bool led;
    /* what an instrument's middle is when the common one is middle_e8; NULL: the same */
    int64_t (*middle_of)(const struct sim_instrument *instrument, int64_t middle_e8, int64_t now_ns);
    int64_t middle_e8;
    int64_t next_ns;
};

/* sim_source_start begins at now: applies a recording up to the offset and opens the feeds. */
void sim_source_start(struct sim_source *source, int64_t now_ns);

/* sim_source_align puts the recordings of two sources on one clock: both begin at the earliest first line and
 * end at the earliest end.  Before they start. */
void sim_source_align(struct sim_source *a, struct sim_source *b);

/* sim_source_step feeds the venue everything due by now, sim_source_next_ns answers the next due time. */
void sim_source_step(struct sim_source *source, int64_t now_ns);
int64_t sim_source_next_ns(const struct sim_source *source);

/* sim_source_touch sets the market of an instrument (SET mode): a book of equal sizes around bid and ask.
 * A bid or ask of 0 keeps the old one. */
void sim_source_touch(struct sim_source *source, int instrument, int64_t bid, int64_t ask, int64_t bid_qty,
                      int64_t ask_qty, int64_t now_ns);

/* sim_source_trade prints a trade (SET mode). */
void sim_source_trade(struct sim_source *source, int instrument, int64_t price, int64_t qty,
                      bool buyer_is_maker, int64_t now_ns);

void sim_source_free(struct sim_source *source);

#endif
