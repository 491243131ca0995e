/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs that are open: what has to be looked up again within them. */
#include "run/replay_private.h"

#define RECORD_NONE    UINT32_MAX
#define RECORD_UNKNOWN (UINT32_MAX - 1)

enum exit_status replay_flush_stores(struct replay *replay, uint64_t ordinal)
{
	for (;;) {
		struct replay_store *due = NULL;
		struct mmu_request request;
		uint32_t vcpu, slot;
		struct tlb *l1;

		for (uint32_t i = 0; i < replay->mmu->shape.vcpus; i++)
			if (replay->stores[i].ordinal < (due ? due->ordinal : ordinal))
				due = &replay->stores[i];
		if (!due)
			return STATUS_OK;
		vcpu = (uint32_t)(due - replay->stores);
		request = due->request;
		due->ordinal = UINT64_MAX;
		/* The hit changes no replacement state (run_safe): only what the entry allows
		 * matters. */
		l1 = mmu_l1(replay->mmu, vcpu, MMU_DATA);
		slot = tlb_find(l1, request.space->context, request.va);
		if (slot != TLB_NONE && l1->leaf[slot].dirty_clear &&
		    mmu_rewalk(replay->mmu, vcpu, &request, slot) == TLB_NONE)
			return diag_set(replay->diag, STATUS_INTERNAL,
					"a store within a run could not be made");
	}
}

/* The last record of a vCPU's stream in [first, end); RECORD_NONE: none. */
static uint32_t last_record(const struct trace_block *block, uint32_t first, uint32_t end,
			    uint32_t vcpu, unsigned stream)
{
	for (uint32_t i = end; i-- > first;) {
		const struct trace_key *key = &block->keys[block->key[i]];

		if (key->vcpu == vcpu && key->stream == stream)
			return i;
	}
	return RECORD_NONE;
}

/*
 * Look up a run again. Is its next access a store? Where stores matter, a run that stored before is
 * taken to go on storing; one whose first store is still to come waits for it.
 */
static enum exit_status look_up(struct replay *replay, const struct trace_block *block, uint32_t i,
				uint64_t ordinal)
{
	const struct trace_key *key = &block->keys[block->key[i]];
	struct mmu_request request;

	if (trace_last_ordinal(block, i) < ordinal)
		return STATUS_OK;
	if (!replay_request(replay, key, &request))
		return replay->diag->status;
	if (replay->track_stores && block->store_ordinal[i] < ordinal)
		request.kind = ACCESS_STORE;
	/* Its store to come is made in the VM that runs now. */
	if (replay->track_stores && key->stream == STREAM_DATA)
		replay->stores[key->vcpu].request.space = request.space;
	replay->mmu->stats.v[STAT_run_relookups]++;
	if (replay->fast)
		mmu_l1(replay->mmu, key->vcpu, replay_side(key))->clock = replay->clock;
	if (replay_access(replay, key, &request) == TLB_NONE)
		return replay_fault_status(replay, replay_vm(replay, key));
	if (replay->fast)
		replay->clock = mmu_l1(replay->mmu, key->vcpu, replay_side(key))->clock;
	return STATUS_OK;
}

void replay_forget_records(struct replay *replay)
{
	for (uint32_t i = 0; i < 2 * replay->mmu->shape.vcpus; i++)
		replay->last[i] =
			(struct replay_last){ .record = RECORD_NONE, .before = RECORD_UNKNOWN };
}

/* A run of this stream, in the block or, if it has none before `index`, in the one before. */
static enum exit_status reopen_stream(struct replay *replay, const struct trace_block *block,
				      uint32_t index, uint64_t ordinal, uint32_t vcpu,
				      unsigned stream)
{
	struct replay_last *last = &replay->last[2 * vcpu + stream];
	const uint32_t newer = last_record(block, last->seen, index, vcpu, stream);
	const struct trace_block *before;

	last->seen = index;
	if (newer != RECORD_NONE)
		last->record = newer;
	if (last->record != RECORD_NONE)
		return look_up(replay, block, last->record, ordinal);
	if (last->before == RECORD_NONE)
		return STATUS_OK;
	before = replay->reread ? replay->reread(replay->reread_ctx, 1) : NULL;
	if (!before)
		return STATUS_OK;
	if (last->before == RECORD_UNKNOWN)
		last->before = last_record(before, 0, before->n_records, vcpu, stream);
	return last->before == RECORD_NONE ? STATUS_OK
					   : look_up(replay, before, last->before, ordinal);
}

enum exit_status replay_reopen(struct replay *replay, const struct trace_block *block,
			       uint32_t index, uint64_t ordinal, enum replay_whose whose)
{
	const struct trace_key *self = &block->keys[block->key[index]];
	const struct trace_block *full = block;

	replay->tlbis = replay->mmu->stats.v[STAT_tlbis];
	if (!replay->runs)
		return STATUS_OK;
	if (replay->reread && !trace_has_times(block))
		full = replay->reread(replay->reread_ctx, 0);
	if (!full || !trace_has_times(full))
		return replay->diag->status;
	if (whose == REPLAY_OTHER_RUNS)
		ordinal = trace_first_ordinal(full, index);
	for (uint32_t vcpu = 0; vcpu < replay->mmu->shape.vcpus; vcpu++) {
		for (unsigned stream = STREAM_FETCH; stream <= STREAM_DATA; stream++) {
			enum exit_status status;

			if (whose == REPLAY_OTHER_RUNS && vcpu == self->vcpu &&
			    stream == self->stream)
				continue;
			status = reopen_stream(replay, full, index, ordinal, vcpu, stream);
			if (status != STATUS_OK)
				return status;
		}
	}
	/* What these look-ups flush in turn is not looked up again: it would never end. */
	replay->tlbis = replay->mmu->stats.v[STAT_tlbis];
	return STATUS_OK;
}
