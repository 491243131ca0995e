/* SPDX-License-Identifier: BSD-2-Clause */
/* Records where only samples count, and what becomes of those that are not replayed. */
#include <string.h>

#include "run/replay_private.h"
#include "run/sample.h"

/* A set of the keys of one block. */
struct key_set {
	uint64_t bits[TRACE_BLOCK_RECORDS / 64];
};

static void clear_keys(struct key_set *set, const struct trace_block *block)
{
	memset(set->bits, 0, (block->n_keys + 63u) / 64 * sizeof(set->bits[0]));
}

/* Puts a key into the set; false: it is there. */
static bool first_of(struct key_set *set, uint16_t key)
{
	const uint64_t bit = UINT64_C(1) << key % 64;
	const bool first = !(set->bits[key / 64] & bit);

	set->bits[key / 64] |= bit;
	return first;
}

static enum exit_status access_once(struct replay *replay, const struct trace_key *key)
{
	struct tlb *l1 = mmu_l1(replay->mmu, key->vcpu, replay_side(key));
	struct mmu_request request;
	uint32_t slot;

	if (!replay_request(replay, key, &request))
		return replay->diag->status;
	if (replay->fast)
		l1->clock = replay->clock;
	slot = mmu_access(replay->mmu, key->vcpu, &request);
	if (replay->fast)
		replay->clock = l1->clock;
	return slot == TLB_NONE ? replay_fault_status(replay, replay_vm(replay, key)) : STATUS_OK;
}

/* Pages are mapped in the order of their first accesses, so each gets the memory it would get. */
static enum exit_status touch_new(struct replay *replay, const struct trace_block *block,
				  uint32_t first, uint32_t end)
{
	struct sample_pages *touched = &replay->sampler->touched;
	struct key_set seen;

	clear_keys(&seen, block);
	for (uint32_t i = first; i < end; i++) {
		const struct trace_key *key = &block->keys[block->key[i]];
		enum exit_status status;

		if (!first_of(&seen, block->key[i]) || sample_pages_have(touched, key))
			continue;
		if (!sample_pages_add(touched, key))
			return diag_set(replay->diag, STATUS_INTERNAL, "out of memory");
		status = access_once(replay, key);
		if (status != STATUS_OK)
			return status;
	}
	return STATUS_OK;
}

static enum exit_status touch(struct replay *replay, const struct trace_block *block,
			      uint32_t first, uint32_t end)
{
	const enum exit_status status = touch_new(replay, block, first, end);

	/* Open runs do not matter here: none of their accesses counts. */
	replay->tlbis = replay->mmu->stats.v[STAT_tlbis];
	return status;
}

enum exit_status replay_sampled(struct replay *replay, const struct trace_block *block,
				uint32_t first, uint32_t end)
{
	struct sampler *sampler = replay->sampler;
	enum exit_status status = STATUS_OK;

	/* Nothing to be done for a block without columns. */
	while (status == STATUS_OK && block->key && first < end) {
		/* Without ordinals the state does not change in this block. */
		const uint32_t at =
			block->ordinal ? replay_record_at(block, first, end, sampler->due) : end;

		if (sampler->state == SAMPLE_SKIP)
			status = touch(replay, block, first, at);
		else
			status = replay_unmarked(replay, block, first, at);
		if (at < end)
			sampler_mark(sampler, block->ordinal[at]);
		first = at;
	}
	return status;
}
