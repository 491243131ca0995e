/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of the replay. */
#ifndef TWOSTAGE_RUN_REPLAY_PRIVATE_H
#define TWOSTAGE_RUN_REPLAY_PRIVATE_H

#include "run/replay.h"

static inline enum mmu_stream replay_side(const struct trace_key *key)
{
	return key->stream == STREAM_FETCH ? MMU_FETCH : MMU_DATA;
}

/* The VM that an access is made in. */
static inline uint32_t replay_vm(const struct replay *replay, const struct trace_key *key)
{
	return replay->scheduled ? replay->machine->running[key->vcpu] : key->vm;
}

/* The first access of a key: a load or fetch. False with replay->diag. */
bool replay_request(struct replay *replay, const struct trace_key *key,
		    struct mmu_request *request);

/* mmu_access(), and what of it got through L1 written down. */
uint32_t replay_record_access(struct replay *replay, const struct trace_key *key,
			      const struct mmu_request *request);

static inline uint32_t replay_access(struct replay *replay, const struct trace_key *key,
				     const struct mmu_request *request)
{
	return replay->record ? replay_record_access(replay, key, request)
			      : mmu_access(replay->mmu, key->vcpu, request);
}

/* Why an access could not be made, in replay->diag. */
enum exit_status replay_fault_status(struct replay *replay, uint32_t vm);

/* replay_runs.c: look up again the stores that lie within open runs, in order, up to `ordinal`. */
enum exit_status replay_flush_stores(struct replay *replay, uint64_t ordinal);

/* replay_runs.c: another block begins. */
void replay_forget_records(struct replay *replay);

/* replay_records.c: one after the other, no timing backend in the way. */
enum exit_status replay_untimed(struct replay *replay, const struct trace_block *block,
				uint32_t first, uint32_t end);

/* replay_ahead.c: records from `first` on are about to be made, REPLAY_BATCH of them first. */
void replay_look_ahead(struct replay *replay, const struct trace_block *block, uint32_t first,
		       uint32_t end);

/* replay_clock.c: the same on the clock of the machine's walkers. */
enum exit_status replay_clocked(struct replay *replay, const struct trace_block *block,
				uint32_t first, uint32_t end);

enum replay_whose {
	REPLAY_ALL_RUNS,   /* at `ordinal`, before record `index` */
	REPLAY_OTHER_RUNS, /* at the first access of record `index`, which knows; ordinal unused */
};

/*
 * replay_runs.c: TLB entries or VMs have changed. Look up again the runs that are still open then,
 * since their next accesses come as if anew (docs/model.md, M26).
 */
enum exit_status replay_reopen(struct replay *replay, const struct trace_block *block,
			       uint32_t index, uint64_t ordinal, enum replay_whose whose);

/* The first record from `first` on that begins at the ordinal or later; `end`: none. */
static inline uint32_t replay_record_at(const struct trace_block *block, uint32_t first,
					uint32_t end, uint64_t ordinal)
{
	while (first < end) {
		const uint32_t middle = first + (end - first) / 2;

		if (block->ordinal[middle] < ordinal)
			first = middle + 1;
		else
			end = middle;
	}
	return first;
}

/* replay_records.c: between two events, without boundaries among them that anyone wants. */
enum exit_status replay_unmarked(struct replay *replay, const struct trace_block *block,
				 uint32_t first, uint32_t end);

/* sample_touch.c: the same where only samples count. */
enum exit_status replay_sampled(struct replay *replay, const struct trace_block *block,
				uint32_t first, uint32_t end);

/* replay_event.c */
enum exit_status replay_event(struct replay *replay, const struct trace_event *event);

#endif
