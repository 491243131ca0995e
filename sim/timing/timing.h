/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A timing backend beside the MMU. What happens is decided in the order of the trace, whatever the
 * backend; here each vCPU's events are gathered, and SystemC replays them, all vCPUs side by side.
 * The analytic backend is no more than the sum that the MMU makes itself, without a struct timing.
 */
#ifndef TWOSTAGE_TIMING_TIMING_H
#define TWOSTAGE_TIMING_TIMING_H

#include "base/diag.h"
#include "mmu/hierarchy.h"
#include "timing/systemc.h"

struct timing;

/*
 * Becomes the listener of `mmu`, which must outlive it. Once in a process. NULL with diag:
 * STATUS_BAD_INPUT for too many vCPUs, STATUS_INTERNAL else.
 */
struct timing *timing_create(const struct timing_config *config, struct mmu *mmu,
			     struct diag *diag);

/* SystemC's objects stay until the process ends. Does nothing for NULL. */
void timing_destroy(struct timing *timing);

/* What happens now is done by this vCPU: TLBIs that are broadcast come from it. */
void timing_on(struct timing *timing, uint32_t vcpu);

/* `n` look-ups of that vCPU in an L1 TLB. */
void timing_lookups(struct timing *timing, enum mmu_stream stream, uint64_t n);

/*
 * All vCPUs wait for each other, and the MMU's statistics are up to date: at the end of a block,
 * and before someone looks at them.
 */
enum exit_status timing_sync(struct timing *timing, struct diag *diag);

#endif
