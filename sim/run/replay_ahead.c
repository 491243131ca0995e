/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What records to come will want is fetched into the host's caches, in three steps: their keys;
 * the stage-1 descriptors of those that no L1 TLB seems to hold; the stage-2 descriptors that these
 * lead to, and the set of the L2 TLB. Changes nothing but the time it takes.
 */
#include "run/replay_private.h"

static bool seems_held(const struct replay *replay, const struct replay_hint *hint)
{
	return replay->mmu->l1_generation[hint->index] + 1 == hint->seen;
}

/* Records [first, first + REPLAY_BATCH) as far as there are so many. */
static uint32_t batch_end(uint32_t first, uint32_t end)
{
	return end - first < REPLAY_BATCH ? end : first + REPLAY_BATCH;
}

static void fetch_keys(const struct replay *replay, const struct trace_block *block, uint32_t first,
		       uint32_t end)
{
	for (uint32_t i = first; i < batch_end(first, end); i++) {
		__builtin_prefetch(&replay->hints[block->key[i]]);
		__builtin_prefetch(&block->keys[block->key[i]]);
	}
}

static void fetch_stage1(const struct replay *replay, const struct trace_block *block,
			 uint32_t first, uint32_t end)
{
	for (uint32_t i = first; i < batch_end(first, end); i++)
		if (!seems_held(replay, &replay->hints[block->key[i]]))
			mmu_fetch_stage1(replay->mmu,
					 va_of(va_sign_extend(block->keys[block->key[i]].va)));
}

static void fetch_stage2(const struct replay *replay, const struct trace_block *block,
			 uint32_t first, uint32_t end)
{
	for (uint32_t i = first; i < batch_end(first, end); i++) {
		const struct trace_key *key = &block->keys[block->key[i]];

		if (!seems_held(replay, &replay->hints[block->key[i]]))
			mmu_fetch_stage2(replay->mmu, key->vcpu, va_of(va_sign_extend(key->va)));
	}
}

void replay_look_ahead(const struct replay *replay, const struct trace_block *block, uint32_t first,
		       uint32_t end)
{
	if (end - first > 3 * REPLAY_BATCH)
		fetch_keys(replay, block, first + 3 * REPLAY_BATCH, end);
	if (end - first > 2 * REPLAY_BATCH)
		fetch_stage1(replay, block, first + 2 * REPLAY_BATCH, end);
	if (end - first > REPLAY_BATCH)
		fetch_stage2(replay, block, first + REPLAY_BATCH, end);
}
