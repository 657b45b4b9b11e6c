/* sim_tape: a recorded market read into memory.
 *
 * A recording is a .jsonl or .jsonl.gz file of lines `<receive time ns> <frame as the venue sent it>`:
 * depth, bookTicker and trade frames of one instrument, and one REST depth snapshot, which in life arrives
 * after the first deltas.  Loading links them by the venue's rule: frames older than the snapshot are
 * dropped, the snapshot comes first.  Nothing is resampled or reordered otherwise. */
#ifndef TOOLS_SIM_SIM_TAPE_H
#define TOOLS_SIM_SIM_TAPE_H

#include "tools/sim/model/sim_types.h"

struct sim_tape {
    struct sim_tape_event *event;
    size_t count;
    struct sim_level *level;
    size_t level_count;
    int64_t first_ns; /* receive time of the first line of the file */
    int64_t last_ns;
    size_t dropped; /* depth frames older than the snapshot */
    size_t gaps;    /* frames that do not follow the one before */
    int64_t first_trade_id;
};

/* sim_tape_load reads a file for an instrument with this index.  False with a sentence in error when the
 * file cannot be read, a line cannot be understood, or there is no snapshot. */
bool sim_tape_load(struct sim_tape *tape, const char *path, const struct sim_instrument *instrument,
                   int index, char *error, size_t error_size);
/* sim_tape_coarsen puts a recording on a coarser tick and counts sizes in units `multiple` times smaller.  No
 * price gets better: bids go down, asks up, a trade goes the way of the side it took from; levels that fall
 * together are summed. */
void sim_tape_coarsen(struct sim_tape *tape, int64_t tick, int64_t multiple);
void sim_tape_free(struct sim_tape *tape);

#endif
