/* SPDX-License-Identifier: BSD-2-Clause */
/* Replays the blocks of a trace through a machine: its MMUs, its VMs, and what its host does. */
#ifndef TWOSTAGE_RUN_REPLAY_H
#define TWOSTAGE_RUN_REPLAY_H

#include "base/diag.h"
#include "run/host_session.h"
#include "run/machine.h"
#include "run/recorder.h"
#include "run/timeline.h"
#include "timing/timing.h"
#include "trace/trace.h"

struct sampler; /* run/sample.h */

/* Records whose tables and TLB sets are fetched together (replay_ahead.c). */
enum { REPLAY_BATCH = 8 };

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

/* The last record of a vCPU's stream so far, for runs that are looked up again. */
struct replay_last {
	uint32_t seen;	 /* records of the block looked at */
	uint32_t record; /* among these */
	uint32_t before; /* in the block before */
};

/* The address space of the key before, so that not every miss looks it up. */
struct replay_space {
	const struct mmu_space *space; /* NULL: not known, or to enter it does something */
	uint32_t vm;
	uint16_t asid;
};

/* Records to come that no L1 TLB seems to hold, for replay_look_ahead(). */
struct replay_ahead {
	struct mmu_ahead access[REPLAY_BATCH];
	uint32_t n;
};

struct replay {
	struct machine *machine;
	struct mmu *mmu;	     /* the machine's */
	struct timing *timing;	     /* not owned; NULL: the MMU adds up */
	struct host_session session; /* what the host does on its own */
	bool scheduled;		     /* the session says which VM runs, not the trace */
	bool runs;		     /* records stand for several accesses */
	bool fast;	       /* LRU in both L1s and no store that matters: replay by hints */
	bool track_stores;     /* stores within runs matter */
	bool lines;	       /* the guest's lines go through the caches */
	bool has_instructions; /* the trace counts them; else each access is one */
	uint64_t ordinal;      /* of the record before, for the clock of the walkers */
	unsigned columns;      /* enum trace_column bits that blocks must have */
	uint64_t clock;	       /* last LRU stamp given */
	uint64_t tlbis;	       /* operations that all open runs know of */
	struct replay_space entered;
	struct replay_ahead ahead;
	struct replay_hint *hints;   /* TRACE_BLOCK_RECORDS of them; fast only */
	pa_t *line_pa;		     /* of each key that has a hint; `fast` with `lines` only */
	struct replay_store *stores; /* per vCPU; track_stores only */
	struct replay_last *last;    /* by 2 * vCPU + stream */
	struct recorder *record;     /* hears of all; not owned; NULL: nobody does */
	/*
	 * The block before the current one (1) or itself (0) with keys and ordinals; NULL: there is
	 * none. Asked only when a TLBI falls among runs. May be NULL: then the
	 * blocks given are asked, which must have ordinals.
	 */
	const struct trace_block *(*reread)(void *ctx, unsigned back);
	void *reread_ctx;
	struct timeline *timeline; /* replay_along(); NULL: none */
	struct sampler *sampler;   /* set by sampler_init(); NULL: every access counts */
	struct diag *diag;
};

/*
 * `machine` is the caller's and must outlive the replay. Refuses (STATUS_BAD_INPUT) a trace of runs
 * when an L1 replacement policy is not run_safe, and one of page runs when lines are simulated.
 * `timing` is the caller's, too, or NULL. `diag` is kept for later failures.
 */
enum exit_status replay_init(struct replay *replay, struct machine *machine, struct timing *timing,
			     const struct trace_info *info, struct diag *diag);
void replay_fini(struct replay *replay);

/* Before the first block: tell `timeline`, which must outlive the replay, of its boundaries. */
void replay_along(struct replay *replay, struct timeline *timeline);

/* Blocks in order. Counts of accesses come from the block's totals, not from here. */
enum exit_status replay_block(struct replay *replay, const struct trace_block *block);

/*
 * Does what gets through L1 decide all that follows? Not so if the host acts on its own, stores
 * within runs matter or hits count below L1.
 */
bool replay_is_recordable(const struct replay *replay);

/* Is time all that a point with other cycles would differ in, and the cycles of walks its source?
 */
bool replay_is_retimable(const struct replay *replay);

/*
 * Instead of blocks: what got through the L1 TLBs of another replay of the same trace. The
 * machine's L1 TLBs must have one entry each, and `record`, attached and without a stream, must be
 * there. False: an entry came out different, or the status in replay->diag; then all of this replay
 * is void.
 */
bool replay_stream(struct replay *replay, const struct miss_stream *stream);

/* After the last block. */
enum exit_status replay_finish(struct replay *replay);

#endif
