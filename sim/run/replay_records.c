/* SPDX-License-Identifier: BSD-2-Clause */
/* Records between two events, one after the other. */
#include "run/replay_private.h"

static const struct mmu_space *enter(struct replay *replay, const struct trace_key *key,
				     uint32_t vm)
{
	const struct mmu_space *space =
		vm_enter(replay->machine->vms[vm], key->vcpu, key->asid, replay->diag);
	const bool entering_acts = vm_allocates_asids(replay->machine->vms[vm]);

	replay->entered =
		(struct replay_space){ entering_acts ? NULL : space, vm, (uint16_t)key->asid };
	return space;
}

bool replay_request(struct replay *replay, const struct trace_key *key, struct mmu_request *request)
{
	const struct replay_space *entered = &replay->entered;
	const uint32_t vm = replay_vm(replay, key);
	const bool same = entered->space && entered->vm == vm && entered->asid == key->asid;

	/* Not every trace says when a vCPU changes its VM. */
	if (replay->machine->running[key->vcpu] != vm)
		machine_run_vm(replay->machine, key->vcpu, vm);
	*request = (struct mmu_request){
		.space = same ? entered->space : enter(replay, key, vm),
		.va = va_of(va_sign_extend(key->va)),
		.kind = key->stream == STREAM_FETCH ? ACCESS_FETCH : ACCESS_LOAD,
		.known_ipa = key->ipa,
	};
	return request->space;
}

/* The other accesses of a run that is emulated: each one exits. */
static enum exit_status emulate_rest(struct replay *replay, const struct trace_block *block,
				     uint32_t i, const struct mmu_request *request)
{
	const uint32_t vcpu = block->keys[block->key[i]].vcpu;
	uint64_t rest;

	if (!replay->runs || !block->reads)
		return STATUS_OK;
	rest = (uint64_t)block->reads[i] + block->stores[i] + block->splits[i];
	for (; rest > 1; rest--)
		if (mmu_access(replay->mmu, vcpu, request) == TLB_NONE)
			return replay_fault_status(replay,
						   replay_vm(replay, &block->keys[block->key[i]]));
	return STATUS_OK;
}

uint32_t replay_record_access(struct replay *replay, const struct trace_key *key,
			      const struct mmu_request *request)
{
	const uint64_t *v = replay->mmu->stats.v;
	const uint64_t before = v[STAT_l1i_tlb_misses] + v[STAT_l1d_tlb_misses];
	struct recorder *record = replay->record;
	uint32_t slot;

	recorder_begin(record);
	slot = mmu_access(replay->mmu, key->vcpu, request);
	if (slot == MMU_EMULATED)
		recorder_spoil(record); /* exits fill nothing, so they are no misses */
	else if (slot != TLB_NONE && v[STAT_l1i_tlb_misses] + v[STAT_l1d_tlb_misses] != before)
		recorder_miss(record, key, request->space,
			      &mmu_l1(replay->mmu, key->vcpu, replay_side(key))->leaf[slot]);
	else
		recorder_end(record);
	return slot;
}

/* The first line of a record, once the slot of its L1 TLB says where it lies. Its PA. */
static pa_t use_line(struct replay *replay, const struct trace_key *key, uint32_t slot)
{
	const enum mmu_stream stream = replay_side(key);
	const struct tlb_leaf *leaf = &mmu_l1(replay->mmu, key->vcpu, stream)->leaf[slot];
	const pa_t pa = pa_of(leaf->pa.v | (key->va & low_mask(leaf->size_bits)));

	mmu_guest_line(replay->mmu, key->vcpu, stream, pa);
	return pa;
}

/* The hint of a key failed: the full look-up, and a new hint. */
static __attribute__((noinline)) enum exit_status access_by_key(struct replay *replay,
								const struct trace_block *block,
								uint32_t i,
								struct replay_hint *hint)
{
	const struct trace_key *key = &block->keys[block->key[i]];
	struct tlb *l1 = mmu_l1(replay->mmu, key->vcpu, replay_side(key));
	struct mmu_request request;
	uint32_t slot;

	if (!replay_request(replay, key, &request))
		return replay->diag->status;
	l1->clock = replay->clock;
	slot = replay_access(replay, key, &request);
	replay->clock = l1->clock;
	if (slot == TLB_NONE)
		return replay_fault_status(replay, replay_vm(replay, key));
	if (slot == MMU_EMULATED)
		return emulate_rest(replay, block, i, &request);
	*hint = (struct replay_hint){
		.index = mmu_l1_index(replay->mmu, l1, slot),
		.seen = l1->generation[slot] + 1,
	};
	if (replay->lines)
		replay->line_pa[block->key[i]] = use_line(replay, key, slot);
	if (replay->tlbis != replay->mmu->stats.v[STAT_tlbis])
		return replay_reopen(replay, block, i, 0, REPLAY_OTHER_RUNS);
	return STATUS_OK;
}

/* The first record from `i` on whose hint fails, all before it being stamped; `end`: none. */
static inline uint32_t count_hits(const struct replay *replay, const uint16_t *key, uint32_t i,
				  uint32_t end)
{
	const uint32_t *generation = replay->mmu->l1_generation;
	const struct replay_hint *hints = replay->hints;
	uint64_t *stamp = replay->mmu->l1_stamp;
	const uint64_t clock = replay->clock + 1 - i;

	for (; i < end; i++) {
		const struct replay_hint *hint = &hints[key[i]];

		if (generation[hint->index] + 1 != hint->seen)
			break;
		stamp[hint->index] = clock + i;
	}
	return i;
}

/*
 * The hot loop. A key that its L1 TLB still holds in the same slot is a hit, and LRU wants no more
 * than a new time stamp; all else goes through access_by_key().
 */
static enum exit_status run_by_hints(struct replay *replay, const struct trace_block *block,
				     uint32_t first, uint32_t end)
{
	for (uint32_t i = first; i < end; i++) {
		const uint32_t miss = count_hits(replay, block->key, i, end);
		enum exit_status status;

		replay->clock += miss - i;
		if (miss == end)
			break;
		i = miss;
		status = access_by_key(replay, block, i, &replay->hints[block->key[i]]);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

/* run_by_hints() when the guest's lines go through the caches, too. */
static enum exit_status run_lines_by_hints(struct replay *replay, const struct trace_block *block,
					   uint32_t first, uint32_t end)
{
	for (uint32_t i = first; i < end; i++) {
		const uint32_t key = block->key[i];
		struct replay_hint *hint = &replay->hints[key];
		enum exit_status status;

		if (replay->mmu->l1_generation[hint->index] + 1 == hint->seen) {
			replay->mmu->l1_stamp[hint->index] = ++replay->clock;
			mmu_guest_line(replay->mmu, block->keys[key].vcpu,
				       replay_side(&block->keys[key]), replay->line_pa[key]);
			continue;
		}
		status = access_by_key(replay, block, i, hint);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

/* Any policy, any granularity, dirty state: each record through the whole hierarchy. */
static enum exit_status run_by_records(struct replay *replay, const struct trace_block *block,
				       uint32_t first, uint32_t end)
{
	for (uint32_t i = first; i < end; i++) {
		const struct trace_key *key = &block->keys[block->key[i]];
		enum exit_status status = STATUS_OK;
		struct mmu_request request;
		uint32_t slot;

		if (!replay_request(replay, key, &request))
			return replay->diag->status;
		if (replay->track_stores) {
			status = replay_flush_stores(replay, block->ordinal[i]);
			if (status != STATUS_OK)
				return status;
			if (block->first_store[i])
				request.kind = ACCESS_STORE;
		}
		slot = mmu_access(replay->mmu, key->vcpu, &request);
		if (slot == TLB_NONE)
			return replay_fault_status(replay, replay_vm(replay, key));
		if (replay->lines && slot != MMU_EMULATED)
			use_line(replay, key, slot);
		if (slot == MMU_EMULATED)
			status = emulate_rest(replay, block, i, &request);
		else if (replay->tlbis != replay->mmu->stats.v[STAT_tlbis])
			status = replay_reopen(replay, block, i, 0, REPLAY_OTHER_RUNS);
		if (status != STATUS_OK)
			return status;
		if (replay->track_stores && !block->first_store[i] &&
		    block->store_ordinal[i] != UINT64_MAX) {
			request.kind = ACCESS_STORE;
			replay->stores[key->vcpu] = (struct replay_store){
				.ordinal = block->store_ordinal[i],
				.request = request,
			};
		}
	}
	return STATUS_OK;
}

static enum exit_status run_batches(struct replay *replay, const struct trace_block *block,
				    uint32_t first, uint32_t end)
{
	enum exit_status status = STATUS_OK;

	for (; first < end && status == STATUS_OK; first += REPLAY_BATCH) {
		replay_look_ahead(replay, block, first, end);
		status = run_by_hints(replay, block, first,
				      end - first < REPLAY_BATCH ? end : first + REPLAY_BATCH);
	}
	return status;
}

enum exit_status replay_untimed(struct replay *replay, const struct trace_block *block,
				uint32_t first, uint32_t end)
{
	if (!replay->fast)
		return run_by_records(replay, block, first, end);
	if (replay->lines)
		return run_lines_by_hints(replay, block, first, end);
	return block->n_keys >= TRACE_MANY_KEYS ? run_batches(replay, block, first, end)
						: run_by_hints(replay, block, first, end);
}

/* A timing backend wants to know whose record it is, and how many look-ups hit in L1. */
static enum exit_status run_timed(struct replay *replay, const struct trace_block *block,
				  uint32_t first, uint32_t end)
{
	/* The TLBs of several vCPUs do not stay in the host's caches either. */
	const bool ahead =
		replay->fast && (replay->mmu->shape.vcpus > 1 || block->n_keys >= TRACE_MANY_KEYS);

	for (uint32_t i = first; i < end; i++) {
		const struct trace_key *key = &block->keys[block->key[i]];
		enum exit_status status;

		if (ahead && (i - first) % REPLAY_BATCH == 0)
			replay_look_ahead(replay, block, i, end);
		timing_on(replay->timing, key->vcpu);
		status = replay->fast ? run_by_hints(replay, block, i, i + 1)
				      : run_by_records(replay, block, i, i + 1);
		if (status != STATUS_OK)
			return status;
		timing_lookups(replay->timing, replay_side(key),
			       (uint64_t)block->reads[i] + block->stores[i] + block->splits[i]);
	}
	return STATUS_OK;
}

enum exit_status replay_unmarked(struct replay *replay, const struct trace_block *block,
				 uint32_t first, uint32_t end)
{
	if (replay->machine->walkers)
		return replay_clocked(replay, block, first, end);
	return replay->timing ? run_timed(replay, block, first, end)
			      : replay_untimed(replay, block, first, end);
}
