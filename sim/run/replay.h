/* SPDX-License-Identifier: BSD-2-Clause */
/* Replays the blocks of a trace through an MMU hierarchy and its VMs. */
#ifndef TWOSTAGE_RUN_REPLAY_H
#define TWOSTAGE_RUN_REPLAY_H

#include "base/diag.h"
#include "mmu/hierarchy.h"
#include "os/vm.h"
#include "trace/trace.h"

/* Where an L1 TLB held the page of a key when it was last used in this block. */
struct replay_hint {
	uint32_t index; /* mmu_l1_index() of the slot */
	uint32_t seen;	/* one more than the slot's generation then; 0: not used yet */
};

/* A run that began with loads and has a store still to come: it is looked up again there. */
struct replay_store {
	uint64_t ordinal; /* UINT64_MAX: none */
	struct mmu_request request;
};

struct replay {
	struct mmu *mmu;
	struct vm **vms;
	uint32_t vms_count;
	bool fast;		   /* LRU in both L1s and no dirty state to set: replay by hints */
	bool track_stores;	   /* stores within runs matter */
	unsigned columns;	   /* enum trace_column bits that blocks must have */
	uint64_t clock;		   /* last LRU stamp given */
	struct replay_hint *hints; /* TRACE_BLOCK_RECORDS of them; fast only */
	struct replay_store *stores; /* per vCPU; track_stores only */
	struct diag *diag;
};

/*
 * `mmu` and `vms` are the caller's and must outlive the replay. Refuses (STATUS_BAD_INPUT) a trace
 * of runs when an L1 replacement policy is not run_safe. `diag` is kept for later failures.
 */
enum exit_status replay_init(struct replay *replay, struct mmu *mmu, struct vm **vms,
			     uint32_t vms_count, const struct trace_info *info,
			     enum dirty_state dirty_state, struct diag *diag);
void replay_fini(struct replay *replay);

/* Blocks in order. Counts of accesses come from the block's totals, not from here. */
enum exit_status replay_block(struct replay *replay, const struct trace_block *block);

/* After the last block. */
enum exit_status replay_finish(struct replay *replay);

#endif
