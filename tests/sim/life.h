/* life: one process of the engine, from its configuration file to its exit or its death.
 *
 * It is `poise run` without its main: tools/poise/run.c over the simulated clock, network, disk and
 * questions, with its folders on tmpfs.  What a process leaves behind when it dies (files, the journal's
 * ring) is what the next life finds. */
#ifndef POISE_TESTS_SIM_LIFE_H
#define POISE_TESTS_SIM_LIFE_H

#include "tests/sim/point.h"
#include "tools/poise/run.h"

#define LIFE_DIED (-1)

struct life_options {
    bool three_loops;       /* roles apart, with rings between them; else fused */
    uint64_t cold_ns;       /* how long the cold thread sleeps in a turn */
    uint64_t stop_at_ns;    /* a person asks to stop then; UINT64_MAX never */
    uint64_t hurry_at_ns;   /* and once more */
    bool flatten;           /* it is begun to flatten, and leaves then; */
    const char *instance;   /* this one alone, unless NULL */
    bool accept_difference; /* a person looked at what recovery refused, and takes the venue's word */
    void (*often)(void *context, struct run *run); /* called in every turn of the cold thread; may be NULL */
    void *context;
};

struct life_counts {
    uint64_t lives, deaths, exits[8], deaths_at[POINT_COUNT];
    uint64_t positions; /* deaths before which a record was consumed since the last: at a journal position of
                           its own */
    uint64_t last_position;
};

/* life_start makes the folder of an episode anew and works in it, so that no record knows its name; life_stop
 * removes it. */
void life_start(const char *folder);
void life_stop(void);

/* life_run lives; answers the exit code of run_life, or LIFE_DIED. */
int life_run(const struct life_options *options);

/* life_now is the process that lives, or NULL. */
struct run *life_now(void);

/* life_power_loss: the machine lost its power after a death: tmpfs is empty, the disk has what it synced. */
void life_power_loss(void);

const struct life_counts *life_counts(void);
const char *life_folder(void);

#endif
