/* disk: what the journal does to its files, with the faults of a disk (cold/journal.h, struct journal_disk).
 *
 * Files are real, on tmpfs, so that whatever reads them back reads what a disk would hold.  Beside each the
 * length is kept that a sync has covered: disk_power_loss cuts every file somewhere between that and what was
 * written, and may leave rubbish in the last sector. */
#ifndef POISE_TESTS_SIM_DISK_H
#define POISE_TESTS_SIM_DISK_H

#include "cold/journal.h"
#include "tools/sim/model/sim_random.h"

enum disk_fault { DISK_WELL = 0, DISK_FULL, DISK_READ_ONLY, DISK_BROKEN, DISK_FAULT_COUNT };
extern const char *const disk_fault_names[DISK_FAULT_COUNT];

struct disk_counts {
    uint64_t writes, syncs, refused, torn, lost_bytes, short_writes;
};

/* disk_start forgets everything; disk_table is what run_life takes. */
void disk_start(uint64_t seed);
const struct journal_disk *disk_table(void);

/* disk_set makes every call fail in one way from now on; short_ppm: chance of a write that takes a part. */
void disk_set(enum disk_fault fault, int64_t short_ppm);

/* disk_turn: who writes the journal has had a turn; it must sync what it wrote a few turns ago. */
void disk_turn(void);

/* disk_died: nobody is left to sync what a process wrote. */
void disk_died(void);
void disk_power_loss(void);
const struct disk_counts *disk_counts(void);

#endif
