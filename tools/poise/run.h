/* run: what the cold thread holds while the engine lives.  See run.c. */
#ifndef POISE_TOOLS_POISE_RUN_H
#define POISE_TOOLS_POISE_RUN_H

#include "cold/journal.h"
#include "tools/poise/engine.h"
#include "tools/poise/books.h"

struct run {
    struct engine engine;
    struct journal *journal;
    struct books books;
    uint64_t number; /* of this run */
};

/* run_send hands the strategy a record over the control ring, waiting while it is full. */
void run_send(void *context, const struct slot *record);

/* run_cold_turn does one bounded turn of everything cold that must not wait: journal, figures, counters. */
void run_cold_turn(struct run *run);

#endif
