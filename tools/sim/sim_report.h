/* sim_report: what the simulator knows at the end, as one JSON object with exact decimals. */
#ifndef TOOLS_SIM_SIM_REPORT_H
#define TOOLS_SIM_SIM_REPORT_H

#include "tools/sim/model/sim_venue.h"
#include "tools/sim/sim_fault.h"
#include "tools/sim/sim_text.h"

/* Each appends one JSON array, the last an object: how often each kind of fault struck.  lists adds every
 * order and fill of the accounts. */
void sim_report_accounts(struct sim_text *out, struct sim_venue *venue, bool lists);
void sim_report_markets(struct sim_text *out, struct sim_venue *venue);
void sim_report_faults(struct sim_text *out, const struct sim_faults *faults);
void sim_report_fault_kinds(struct sim_text *out, const struct sim_faults *faults);

#endif
